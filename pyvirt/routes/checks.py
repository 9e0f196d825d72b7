"""
What libvirt's public functions check before they ask a driver: L{check}.

Source: observed on libvirtd 9.0.0, for each function in its own order.
"""

from __future__ import annotations

from collections.abc import Callable

from pyvirt.errors import ErrorCode, VirtError, virtError
from pyvirt.protocols.procedures import Procedure
from pyvirt.routes.family import domainOf, function
from pyvirt.routes.kinds import Arguments

Check = Callable[[Arguments], None]


def denied(procedure: Procedure) -> VirtError:
    """The refusal of C{procedure} on a read-only connection."""
    return virtError(
        ErrorCode.OPERATION_DENIED,
        f"read only access prevents {function(procedure)}",
        domainOf(procedure),
    )


def _isOneOf(position: int, values: tuple[int, ...]) -> Callable[[Arguments], bool]:
    return lambda arguments: arguments[position] in values


def readOnlyCheck(procedure: Procedure) -> Check | None:
    """Make the check that a read-only connection adds, or None if everything is allowed."""
    rule = procedure.readOnly
    if not rule.allowed:

        def refuse(arguments: Arguments) -> None:
            raise denied(procedure)

        return refuse
    conditions: list[Callable[[Arguments], bool]] = []
    if rule.deniedFlags:
        flags = procedure.parameters.index("flags")
        bits = rule.deniedFlags
        conditions.append(lambda arguments: bool(arguments[flags] & bits))
    for name, values in rule.deniedArguments.items():
        position = procedure.parameters.index(name)
        conditions.append(_isOneOf(position, values))
    if not conditions:
        return None

    def refuseSome(arguments: Arguments) -> None:
        for condition in conditions:
            if condition(arguments):
                raise denied(procedure)

    return refuseSome


def checker(procedure: Procedure, readOnly: bool) -> Check | None:
    """Make the check of C{procedure}'s arguments, or None if nothing is checked."""
    return readOnlyCheck(procedure) if readOnly else None


def check(procedure: Procedure, arguments: Arguments, readOnly: bool = False) -> None:
    """
    Check the arguments of a call as the public function would.

    @raise VirtError: as it would report.
    """
    step = checker(procedure, readOnly)
    if step is not None:
        step(arguments)
