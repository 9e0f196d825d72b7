"""
From a filter to the rules for one device: filters that it includes, and variables with their values.

Nothing here asks or changes anything of the host.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from pyvirt.definitions.domain._net import FilterRef
from pyvirt.definitions.filterrules import FilterRule, Variable
from pyvirt.definitions.nwfilter import FilterDefinition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Instance", "Values", "instances", "missing", "parametersOf", "unresolved"]

_DOMAIN = ErrorDomain.NWFILTER

#: What variables are: each has one or more values.
Values = Mapping[str, tuple[str, ...]]

#: The most rules that one device may have; lists of values multiply.
_MOST = 50_000


def internal(detail: str) -> VirtError:
    """Make an internal error about filters."""
    return virtError(ErrorCode.INTERNAL_ERROR, detail, _DOMAIN)


@attrs.frozen
class Instance:
    """
    A rule of a filter for one device.

    @ivar chain: the chain that its filter names, and C{chainPriority} where that comes among the others.
    @ivar values: what is looked for, by name: text, numbers, and what is true.
    """

    rule: FilterRule
    chain: str
    chainPriority: int
    values: Mapping[str, object]


def parametersOf(reference: FilterRef) -> dict[str, tuple[str, ...]]:
    """Return the variables that a reference to a filter sets."""
    found: dict[str, tuple[str, ...]] = {}
    for each in reference.parameters:
        if each.name is not None and each.value is not None:
            found[each.name] = (*found.get(each.name, ()), each.value)
    return found


def _rules(
    definition: FilterDefinition,
    values: Values,
    find: Callable[[str], FilterDefinition | None],
    above: tuple[str, ...] = (),
) -> Iterator[tuple[FilterRule, FilterDefinition, Values]]:
    """Iterate over all rules, those of filters that are included too, each with what its variables are."""
    for entry in definition.entries:
        if isinstance(entry, FilterRule):
            yield entry, definition, values
            continue
        name = entry.filter or ""
        inner = find(name)
        if inner is None:
            raise internal(f"referenced filter '{name}' is missing")
        if name in above:
            raise internal(f"filter '{name}' includes itself")
        yield from _rules(inner, {**values, **parametersOf(entry)}, find, (*above, definition.name))


def _variables(rule: FilterRule) -> list[Variable]:
    return [match.value for match in rule.matches if isinstance(match.value, Variable)]


def _absent(variable: Variable, values: Values) -> bool:
    known = values.get(variable.name)
    return known is None or (variable.index is not None and variable.index >= len(known))


def _shown(variable: Variable) -> str:
    """Return how a variable is named that is not there; ways of going through lists do not matter."""
    if variable.index is not None:
        return f"{variable.name}[{variable.index}]"
    return variable.name


def missing(
    definition: FilterDefinition, values: Values, find: Callable[[str], FilterDefinition | None]
) -> list[str]:
    """Return the variables that have no values, as they are named in errors."""
    found: dict[str, None] = {}
    for rule, _, known in _rules(definition, values, find):
        for variable in _variables(rule):
            if _absent(variable, known):
                found.setdefault(_shown(variable))
    return list(found)


def unresolved(names: Sequence[str]) -> VirtError:
    """Make the error of variables without values."""
    return internal(
        "Cannot instantiate filter due to unresolvable variables or unavailable list elements: "
        + ", ".join(names)
    )


def _combinations(rule: FilterRule, values: Values) -> Iterator[dict[Variable, str]]:
    """
    Iterate over what the variables of a rule are.

    Variables that go through their lists in one way do it side by side; the first way is the fastest.
    """
    ways: dict[int, list[Variable]] = {0: []}
    fixed: dict[Variable, str] = {}
    for variable in _variables(rule):
        if variable.index is not None:
            fixed[variable] = values[variable.name][variable.index]
        else:
            way = ways.setdefault(variable.iterator or 0, [])
            if variable not in way:
                way.append(variable)
    steps: list[list[tuple[tuple[Variable, str], ...]]] = []
    for way in ways.values():
        lists = [values[each.name] for each in way]
        if len({len(each) for each in lists}) > 1:
            raise internal(
                "Cardinality of list items must be the same for processing them in parallel"
            )
        rows = dict.fromkeys(zip(*lists, strict=True)) if lists else {(): None}
        steps.append([tuple(zip(way, row, strict=True)) for row in rows])
    for row in itertools.product(*reversed(steps)):
        yield {**fixed, **dict(itertools.chain(*row))}


def instances(
    definition: FilterDefinition, values: Values, find: Callable[[str], FilterDefinition | None]
) -> list[Instance]:
    """
    Return all rules for one device, in the order of their priorities.

    @raise VirtError: a filter or a variable is missing.
    """
    out: list[Instance] = []
    for rule, owner, known in _rules(definition, values, find):
        absent = [_shown(each) for each in _variables(rule) if _absent(each, known)]
        if absent:
            raise unresolved(absent)
        for chosen in _combinations(rule, known):
            told = {
                match.name: chosen[match.value]
                if isinstance(match.value, Variable)
                else match.value
                for match in rule.matches
            }
            out.append(Instance(rule, owner.chain, owner.priority, told))
            if len(out) > _MOST:
                raise internal(f"filter '{definition.name}' makes more than {_MOST} rules")
    out.sort(key=lambda each: each.rule.priority)
    return out
