"""
The support matrix: which procedure which driver can answer.

Run as C{python -m pyvirt.routes.matrix} it writes docs/support-matrix.md anew; a test compares.  What a driver can
do follows from the contracts that its classes declare and the methods that they have, so nothing is kept by hand.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from zope.interface.interface import InterfaceClass

import pyvirt.drivers
from pyvirt.protocols.procedures import Kind, Procedure
from pyvirt.routes.contracts import interfaces
from pyvirt.routes.family import function
from pyvirt.routes.outcomes import PROGRAMS, Outcome, outcome

__all__ = ["PATH", "drivers", "matrix"]

PATH = os.path.join("docs", "support-matrix.md")
"""Where it is kept, seen from the checkout."""

Classes = Callable[[InterfaceClass], Any]
"""Returns the class that does a contract's operations, or None."""

_INTRODUCTION = """\
# Support matrix

What each driver can answer, by public function. `yes` is an operation that the driver has; an empty field answers
"this function is not supported by the connection driver". The remote driver is not listed: it passes every call on,
and the driver at the far end counts.

This page is written by `python -m pyvirt.routes.matrix` from what the drivers' classes declare.
"""


def drivers() -> dict[str, Classes]:
    """
    Find the drivers of this tree that do operations themselves: name to what returns their classes.

    Such a driver has a module C{components} with a function C{componentClass}.
    """
    found: dict[str, Classes] = {}
    (folder,) = pyvirt.drivers.__path__
    for name in sorted(os.listdir(folder)):
        package = f"pyvirt.drivers.{name}"
        if os.path.isfile(os.path.join(folder, name, "__init__.py")) and find_spec(
            f"{package}.components"
        ):
            classes = getattr(import_module(f"{package}.components"), "componentClass", None)
            if classes is not None:
                found[name] = classes
    return found


def supports(classes: Classes, found: Outcome) -> bool:
    """Whether a driver has the operation that a procedure is routed to."""
    if found.attribute is not None:
        return True
    if found.route is None or found.interface is None:
        return False
    cls = classes(found.interface)
    return (
        cls is not None and found.interface.implementedBy(cls) and hasattr(cls, found.route.method)
    )


def _calls() -> Iterator[tuple[Procedure, Outcome]]:
    for program in PROGRAMS:
        for procedure in program:
            if procedure.kind is Kind.CALL:
                yield procedure, outcome(procedure)


def _purpose(interface: InterfaceClass) -> str:
    return str(interface.__doc__).strip().split("\n")[0]


def matrix(classes: Mapping[str, Classes]) -> str:
    """
    Write the page.

    @param classes: the drivers, by name, in the order of the columns.
    """
    calls = list(_calls())
    lines = [_INTRODUCTION]
    heading = " | ".join(["function", "operation", *classes])
    rule = "|".join(["---"] * (2 + len(classes)))
    lines += [f"| {heading} |", f"|{rule}|"]
    routed = [found for _, found in calls if found.route is not None]
    totals = [
        f"{sum(supports(each, found) for found in routed)} of {len(routed)}"
        for each in classes.values()
    ]
    lines += [f"| {' | '.join(['all', '', *totals])} |", ""]
    for interface in interfaces():
        rows = sorted(
            (
                (function(procedure), found)
                for procedure, found in calls
                if found.interface is interface
            ),
            key=lambda row: row[0],
        )
        lines += [f"## {interface.__name__}", "", _purpose(interface), ""]
        lines += [f"| {heading} |", f"|{rule}|"]
        for name, found in rows:
            assert found.route is not None
            method = found.route.method
            answers = ["yes" if supports(each, found) else "" for each in classes.values()]
            lines.append(f"| {' | '.join([f'`{name}`', f'`{method}`', *answers])} |")
        lines.append("")
    lines += ["## Answered without a driver", "", "| function | why |", "|---|---|"]
    knownElsewhere = {
        function(procedure): found.session or "the connection itself knows it"
        for procedure, found in calls
        if found.session or found.attribute
    }
    lines += [f"| `{name}` | {why} |" for name, why in sorted(knownElsewhere.items())]
    lines += ["", "## Refused", "", "| function | why |", "|---|---|"]
    refused = {function(procedure): found.refused for procedure, found in calls if found.refused}
    lines += [f"| `{name}` | {why} |" for name, why in sorted(refused.items())]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Write the page to the path given, or to its place in the current folder."""
    with open(arguments[0] if arguments else PATH, "w", encoding="utf-8") as file:
        file.write(matrix(drivers()))


if __name__ == "__main__":
    main(sys.argv[1:])
