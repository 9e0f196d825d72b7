"""
Whether a class keeps a contract: L{assertContract}.

zope's own C{verifyClass} passes parameters with other names, required keyword-only ones and whatever hides behind
C{*args}; callers of contracts rely on names and order, so this reads signatures.
"""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import Any

from zope.interface.interface import InterfaceClass, Method

__all__ = ["assertContract"]


def assertContract(interface: InterfaceClass, cls: type, complete: bool = False) -> None:
    """
    Check that C{cls} declares C{interface} and that its methods take exactly what the contract says.

    A method may be left out unless C{complete} is true: that operation is not supported then.  One that is
    left out while the class has a method of almost the same name is a misspelling, and is refused.

    @raise AssertionError: it does not; the message has every difference, one per line.
    """
    problems: list[str] = []
    if not interface.implementedBy(cls):
        problems.append(f"{cls.__name__} does not declare {interface.__name__}")
    wanted = {
        str(name): member
        for name, member in interface.namesAndDescriptions(all=True)
        if isinstance(member, Method)
    }
    missing = [name for name in wanted if not hasattr(cls, name)]
    if len(missing) == len(wanted):
        problems.append(f"{cls.__name__} has no method of {interface.__name__}")
    elif complete:
        problems += [f"{name} is missing" for name in missing]
    for name in _public(cls):
        if name not in wanted:
            problems += [
                f"{name} is in no contract; is it meant to be {meant}?"
                for meant in get_close_matches(name, missing, n=1, cutoff=0.92)
                if not _declared(cls, name)
            ]
    for name, method in wanted.items():
        if name not in missing:
            problems += _differences(name, method, inspect.getattr_static(cls, name))
    if problems:
        raise AssertionError(
            f"{cls.__name__} does not keep {interface.__name__}:\n  " + "\n  ".join(problems)
        )


def _public(cls: type) -> list[str]:
    """Names of the functions that a class has and does not hide."""
    return [
        name
        for name, value in inspect.getmembers(cls, inspect.isroutine)
        if not name.startswith("_")
    ]


def _declared(cls: type, name: str) -> bool:
    """Whether a method belongs to some interface that the class declares."""
    from zope.interface import implementedBy

    return any(name in interface.names(all=True) for interface in implementedBy(cls).flattened())


def _differences(name: str, method: Method, found: Any) -> list[str]:
    """What differs between a contract's method and what a class has under its name."""
    bound = isinstance(found, classmethod) or not isinstance(found, staticmethod)
    function = found.__func__ if isinstance(found, classmethod | staticmethod) else found
    if not callable(function) or isinstance(function, property):
        return [f"{name} is not a method"]
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return [f"{name} has no signature to read"]
    if bound and parameters:
        parameters = parameters[1:]
    wanted, actual = _expected(method), [_spelled(each) for each in parameters]
    if wanted != actual:
        return [f"{name}({', '.join(actual)}) should be {name}({', '.join(wanted)})"]
    return []


def _expected(method: Method) -> list[str]:
    """Spell the parameters that a contract's method has."""
    spelled = []
    for parameter in method.positional:
        if parameter in method.optional:
            spelled.append(f"{parameter}={method.optional[parameter]!r}")
        else:
            spelled.append(parameter)
    if method.varargs:
        spelled.append(f"*{method.varargs}")
    if method.kwargs:
        spelled.append(f"**{method.kwargs}")
    return spelled


def _spelled(parameter: inspect.Parameter) -> str:
    """Spell a parameter so that any way to take another than the contract's looks different."""
    text = parameter.name
    if parameter.default is not parameter.empty:
        text += f"={parameter.default!r}"
    prefix: dict[Any, str] = {
        parameter.POSITIONAL_ONLY: "positional ",
        parameter.KEYWORD_ONLY: "keyword ",
        parameter.VAR_POSITIONAL: "*",
        parameter.VAR_KEYWORD: "**",
    }
    return prefix.get(parameter.kind, "") + text
