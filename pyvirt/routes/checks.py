"""
What libvirt's public functions check before they ask a driver: L{check}, L{checker}.

The clients of libvirt make these checks before they send, the daemon makes them again.  Which function checks
what, and in which order, is in L{pyvirt.routes.checktable}; here is how a check is made and what it says.

Source: observed on libvirtd 9.0.0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from pyvirt import constants
from pyvirt.errors import ErrorCode, InvalidArgument, VirtError, virtError
from pyvirt.protocols.procedures import Procedure
from pyvirt.routes.family import domainOf, function
from pyvirt.routes.kinds import Arguments

Check = Callable[..., None]
"""
Takes the arguments and, where they are known, the descriptors that came with the call; raises if they are wrong.
"""

Item = Callable[[Procedure], Check]
"""One line of the table: makes the check of the procedure it stands at."""


def invalid(procedure: Procedure, argument: str, message: str) -> VirtError:
    """
    Make the error of a wrong argument, as every check of this kind reports it.

    @param argument: the argument as C code calls it, which travels beside the message.
    """
    return InvalidArgument(
        message,
        domain=domainOf(procedure),
        str1=function(procedure),
        str2=argument,
        int1=0,
        int2=0,
    )


def _simple(
    parameter: str, label: str | None, problem: str, wrong: Callable[[Any], bool], prefix: str = ""
) -> Item:
    """Make an item that looks at one argument: C{"<label> in <function> <problem>"}."""
    name = label or parameter

    def make(procedure: Procedure) -> Check:
        position = procedure.parameters.index(parameter)
        message = f"{prefix}{name} in {function(procedure)} {problem}"

        def check(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
            if wrong(arguments[position]):
                raise invalid(procedure, name, message)

        return check

    return make


def given(parameter: str, label: str | None = None) -> Item:
    """It is there: not None, not an empty list, not zero bytes, not room for none."""
    return _simple(
        parameter, label, "must not be NULL", lambda value: not value and not isinstance(value, str)
    )


def notEmpty(parameter: str, label: str | None = None) -> Item:
    """The text is not empty."""
    return _simple(
        parameter, label, "must not be empty", lambda value: value == "", prefix="string "
    )


def nonzero(parameter: str, label: str | None = None) -> Item:
    """The number is not 0, the list not empty."""
    return _simple(parameter, label, "must not be zero", lambda value: not value)


def positive(parameter: str, label: str | None = None) -> Item:
    """The number is above 0, the list not empty."""
    return _simple(parameter, label, "must be greater than zero", _notPositive)


def _notPositive(value: Any) -> bool:
    return (value if isinstance(value, int) else len(value)) <= 0


def nonNegative(parameter: str, label: str | None = None) -> Item:
    """The number is not below 0."""
    return _simple(parameter, label, "must be zero or greater", lambda value: value < 0)


def absent(parameter: str) -> Item:
    """It is not given."""
    return _simple(parameter, None, "must be NULL", lambda value: value is not None)


def when(condition: Callable[[Procedure], Callable[[Arguments], bool]], *items: Item) -> Item:
    """Make some checks only if C{condition} holds for the arguments."""

    def make(procedure: Procedure) -> Check:
        holds = condition(procedure)
        checks = [item(procedure) for item in items]

        def check(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
            if holds(arguments):
                for each in checks:
                    each(arguments, fds)

        return check

    return make


def equals(parameter: str, *values: Any) -> Callable[[Procedure], Callable[[Arguments], bool]]:
    """A condition: the argument is one of C{values}."""

    def make(procedure: Procedure) -> Callable[[Arguments], bool]:
        position = procedure.parameters.index(parameter)
        return lambda arguments: arguments[position] in values

    return make


def isSet(parameter: str, mask: int = -1) -> Callable[[Procedure], Callable[[Arguments], bool]]:
    """A condition: the argument is there and has one of the bits of C{mask}, if that is given."""

    def make(procedure: Procedure) -> Callable[[Arguments], bool]:
        position = procedure.parameters.index(parameter)
        if mask == -1:
            return lambda arguments: arguments[position] is not None and arguments[position] != 0
        return lambda arguments: bool(arguments[position] & mask)

    return make


def flag(name: str) -> int:
    """Return the number of the constant C{name}."""
    value: int = getattr(constants, name)
    return value


def exclusive(one: str, other: str) -> Item:
    """Two flags, by the names of their constants, that exclude each other."""
    both = flag(one) | flag(other)

    def make(procedure: Procedure) -> Check:
        position = procedure.parameters.index("flags")
        message = f"Flags '{one}' and '{other}' are mutually exclusive"

        def check(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
            if arguments[position] & both == both:
                raise invalid(procedure, "ctl", message)

        return check

    return make


def requires(one: str, other: str) -> Item:
    """A flag that means something only together with another, by the names of their constants."""
    bit, needed = flag(one), flag(other)

    def make(procedure: Procedure) -> Check:
        position = procedure.parameters.index("flags")
        message = f"Flag '{other}' is required by flag '{one}'"

        def check(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
            flags = arguments[position]
            if flags & bit and not flags & needed:
                raise invalid(procedure, "ctl", message)

        return check

    return make


def custom(
    parameter: str, argument: str, wrong: Callable[[Any], bool], message: Callable[[Any, str], str]
) -> Item:
    """
    Look at one argument with a text of its own.

    @param argument: what travels beside the message.
    @param message: makes the text of the value and the function's name.
    """

    def make(procedure: Procedure) -> Check:
        position = procedure.parameters.index(parameter)

        def check(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
            value = arguments[position]
            if wrong(value):
                raise invalid(procedure, argument, message(value, function(procedure)))

        return check

    return make


def denied(procedure: Procedure, detail: str) -> VirtError:
    """Make the refusal of C{procedure} on a read-only connection."""
    return virtError(ErrorCode.OPERATION_DENIED, detail, domainOf(procedure))


def readOnlyCheck(procedure: Procedure) -> Check | None:
    """Make the check that a read-only connection adds, or None if everything is allowed."""
    rule = procedure.readOnly
    name = function(procedure)
    text = f"read only access prevents {name}"
    if not rule.allowed:

        def refuse(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
            raise denied(procedure, text)

        return refuse
    conditions: list[tuple[Callable[[Arguments], bool], str]] = []
    if rule.deniedFlags:
        # Where it is secrets that are kept, the refusal says so.
        reason = f"{name} with secure flag" if name.endswith("XMLDesc") else text
        conditions.append((isSet("flags", rule.deniedFlags)(procedure), reason))
    for parameter, values in rule.deniedArguments.items():
        conditions.append((equals(parameter, *values)(procedure), text))
    if not conditions:
        return None

    def refuseSome(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
        for holds, reason in conditions:
            if holds(arguments):
                raise denied(procedure, reason)

    return refuseSome


def _allow(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
    """Check nothing."""


def READ_ONLY(procedure: Procedure) -> Check:
    """Where a line of the table has this the read-only connection is refused; else before everything."""
    return readOnlyCheck(procedure) or _allow


@cache
def checker(procedure: Procedure, readOnly: bool) -> Check | None:
    """
    Make the check of C{procedure}'s arguments.

    @return: a function of the arguments and, if known, the descriptors that go with the call, which raises
        what L{check} does; None: everything passes.
    """
    from pyvirt.routes.checktable import CHECKS

    items: Sequence[Item] = CHECKS.get(procedure.name, ())
    if READ_ONLY not in items:
        items = (READ_ONLY, *items)
    if not readOnly:
        items = [item for item in items if item is not READ_ONLY]
    checks = [item(procedure) for item in items]
    checks = [each for each in checks if each is not _allow]
    if len(checks) < 2:
        return checks[0] if checks else None

    def checkAll(arguments: Arguments, fds: Sequence[int] | None = None) -> None:
        for each in checks:
            each(arguments, fds)

    return checkAll


def check(
    procedure: Procedure,
    arguments: Arguments,
    readOnly: bool = False,
    fds: Sequence[int] | None = None,
) -> None:
    """
    Check the arguments of a call as the public function would.

    @param fds: the descriptors that go with it; None: not looked at.
    @raise VirtError: as it would report.
    """
    step = checker(procedure, readOnly)
    if step is not None:
        step(arguments, fds)
