"""
The golden listing: all that the wire tables say, one line per program, struct and procedure.

The wire never changes, so neither does a line of C{golden.txt}; a new procedure adds lines.  To write it anew::

    python -m tests.protocols.golden
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from pyvirt.protocols.procedures import Kind, Procedure, ReadOnly, Rule
from pyvirt.protocols.programs import ALL
from pyvirt.protocols.xdr import Arms, Array, Maybe, Struct, Type, describe

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.txt")


def structsIn(kind: Type | None, found: dict[str, Struct]) -> None:
    """Collect the structs that a type consists of, inner ones first."""
    match kind:
        case Array() | Maybe():
            structsIn(kind.element, found)
        case Struct():
            for _, each in kind.fields:
                structsIn(each, found)
            if found.setdefault(kind.cls.__name__, kind) is not kind:
                raise AssertionError(f"two structs are called {kind.cls.__name__}")


def rule(each: Rule) -> str:
    """Spell a rule as the stubs do."""
    text = f"{each.object}:{each.permission}"
    if each.argument is not None:
        return f"{text}:{each.argument}={each.value}"
    if each.flags:
        return f"{text}:{'!' if each.unless else ''}{'|'.join(each.flags)}"
    return text


def readOnly(what: ReadOnly) -> str:
    """Spell what a read-only connection may do."""
    if not what.allowed:
        return "no"
    text = "yes"
    if what.deniedFlags:
        text += f" flags!=0x{what.deniedFlags:x}"
    for name, values in sorted(what.deniedArguments.items()):
        text += f" {name}!={','.join(map(str, values))}"
    return text


def procedureLine(each: Procedure) -> str:
    """Spell a procedure."""
    arguments = ", ".join(f"{name}: {describe(kind)}" for name, kind in each.arguments)
    result = "nothing" if each.result is None else describe(each.result)
    parts = [f"  {each.number} {each.name}({arguments}) -> {result}", each.kind.value]
    if each.kind is Kind.CALL:
        parts.append("high" if each.priority else "low")
        parts.append(f"readOnly {readOnly(each.readOnly)}")
    if each.api:
        parts.append(f"api {each.api}")
    if each.access:
        parts.append("access " + " ".join(map(rule, each.access)))
    if each.filters:
        parts.append("filter " + " ".join(map(rule, each.filters)))
    if each.stream:
        parts.append(f"stream {each.stream.value}")
    if each.sparse:
        parts.append(f"sparse {each.sparse}")
    if each.fds:
        parts.append(f"fds {each.fds}")
    if not each.needsAuthentication:
        parts.append("before authentication")
    if each.since:
        parts.append(f"since {each.since}")
    return " | ".join(parts)


def lines() -> Iterator[str]:
    """All lines."""
    structs: dict[str, Struct] = {}
    for program in ALL:
        for each in program:
            for _, kind in each.arguments:
                structsIn(kind, structs)
            structsIn(each.result, structs)
    for name in sorted(structs):
        fields = ", ".join(f"{field}: {describe(kind)}" for field, kind in structs[name].fields)
        yield f"struct {name}({fields})"
    unions = {
        kind.name: kind
        for struct in structs.values()
        for _, kind in struct.fields
        if isinstance(kind, Arms)
    }
    for name, union in sorted(unions.items()):
        arms = ", ".join(
            f"{number}: {describe(kind)}" for number, kind in sorted(union.arms.items())
        )
        yield f"union {name}({arms})"
    for program in ALL:
        yield f"program {program.name} 0x{program.number:08x} version {program.version}"
        for number in sorted(program.procedures):
            yield procedureLine(program.procedures[number])


if __name__ == "__main__":
    with open(PATH, "w", encoding="ascii") as file:
        file.writelines(line + "\n" for line in lines())
