"""
What becomes of each procedure: L{outcome}, which gives every call of the programs exactly one answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from zope.interface.interface import InterfaceClass

from pyvirt.protocols.procedures import Kind, Procedure
from pyvirt.protocols.programs.lxc import PROGRAM as LXC
from pyvirt.protocols.programs.qemu import PROGRAM as QEMU
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from pyvirt.routes import table
from pyvirt.routes.contracts import methods
from pyvirt.routes.kinds import Route

PROGRAMS = (REMOTE, QEMU, LXC)
"""The programs whose procedures are routed; the others never reach a driver."""


class Outcome(NamedTuple):
    """
    What becomes of a procedure; exactly one of C{route}, C{attribute}, C{session} and C{refused} is set.

    @ivar route: how it reaches the contract's method, which is in C{interface}.
    @ivar attribute: the attribute of the connection that answers it.
    @ivar session: why the session answers it.
    @ivar refused: why no driver is asked for it.
    @ivar fallback: an error code that is an ordinary result, and that result.
    """

    route: Route | None = None
    interface: InterfaceClass | None = None
    attribute: str | None = None
    session: str | None = None
    refused: str | None = None
    fallback: tuple[int, Any] | None = None


_ENTRIES: Mapping[str, Mapping[str, Route]] = {
    REMOTE.name: table.REMOTE,
    QEMU.name: table.QEMU,
    LXC.name: table.LXC,
}


@cache
def _programOf() -> dict[Procedure, str]:
    return {procedure: program.name for program in PROGRAMS for procedure in program}


@cache
def outcome(procedure: Procedure) -> Outcome:
    """
    Return what becomes of C{procedure}.

    @raise LookupError: nobody has decided; there is no such call in L{PROGRAMS}.
    """
    program = _programOf().get(procedure)
    name = procedure.name
    if program is None or procedure.kind is not Kind.CALL:
        raise LookupError(f"{name} is no call of a driver")
    if name in table.SESSION:
        return Outcome(session=table.SESSION[name])
    if name in table.REFUSED:
        return Outcome(refused=table.REFUSED[name])
    if name in table.CONNECTION:
        return Outcome(attribute=table.CONNECTION[name])
    route = _ENTRIES[program].get(name)
    if route is None:
        route = Route(name)
        interface, parameters = methods().get(name, (None, ()))
        if interface is None or parameters != procedure.parameters:
            raise LookupError(f"{name} has no route")
        return Outcome(route, interface)
    interface, _ = methods()[route.method]
    return Outcome(route, interface, fallback=table.FALLBACKS.get(name))
