"""
What only QEMU can do: the functions of the binding's C{libvirt_qemu}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from pyvirt.client.connect import Connect
from pyvirt.client.deferring import deferred
from pyvirt.client.domain import Domain
from pyvirt.client.shapes import making
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.errors import ErrorDomain, argumentError
from pyvirt.protocols.programs import QEMU

__all__ = [
    "qemuAgentCommand",
    "qemuAttach",
    "qemuMonitorCommand",
    "qemuMonitorCommandWithFiles",
    "qemuMonitorEventDeregister",
    "qemuMonitorEventRegister",
]

_T = TypeVar("_T")


def qemuMonitorCommand(domain: Domain, cmd: str, flags: int) -> Deferred[str]:
    """Fire with QEMU's answer to a command of its monitor: C{VIR_DOMAIN_QEMU_MONITOR_COMMAND_*}."""
    return domain.connect()._stubs.qemu.domainMonitorCommand(domain._ref, cmd, flags)


@deferred
async def qemuMonitorCommandWithFiles(
    domain: Domain, cmd: str, files: Sequence[int] = (), flags: int = 0
) -> tuple[str, list[int]]:
    """
    As L{qemuMonitorCommand}, with open descriptors both ways.

    @return: fires with the answer and the descriptors that came with it, which are the caller's to close.
    """
    answer: Any = await domain.connect()._stubs.qemuCalls.withDescriptors(
        QEMU.byName["domainMonitorCommandWithFiles"], (domain._ref, cmd, flags), list(files)
    )
    text, fds = answer
    return text, list(fds)


def qemuAgentCommand(domain: Domain, cmd: str, timeout: int, flags: int) -> Deferred[str | None]:
    """
    Fire with the answer of the guest's agent to a command, None if nobody waits for one.

    @param timeout: seconds, or C{VIR_DOMAIN_QEMU_AGENT_COMMAND_*}.
    """
    return domain.connect()._stubs.qemu.domainAgentCommand(domain._ref, cmd, timeout, flags)


def qemuAttach(conn: Connect, pid_value: int, flags: int) -> Deferred[Domain]:
    """Fire with the domain of a QEMU that somebody else started."""
    return conn._stubs.qemu.domainAttach(pid_value, flags).addCallback(making(Domain, conn))


@deferred
async def qemuMonitorEventRegister(
    conn: Connect,
    dom: Domain | None,
    event: str | None,
    cb: Callable[[Connect, Domain, str, int, int, str | None, _T], object],
    opaque: _T,
    flags: int = 0,
) -> int:
    """
    Have C{cb(conn, dom, event, seconds, micros, details, opaque)} called for events of QEMU's monitor.

    @param dom: of this domain only; None: of all.
    @param event: this one only; None: all.
    @param flags: C{VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_*}.
    @return: fires with an id for L{qemuMonitorEventDeregister}.
    """
    if not callable(cb):
        raise TypeError(f"the callback is no callable: {cb!r}")
    ref = None if dom is None else dom._ref

    def deliver(found: Event) -> Any:
        name, seconds, micros, details = found.details
        return cb(conn, Domain(conn, found.ref), name, seconds, micros, details, opaque)

    return await conn._session.events.registerMonitor(
        ref, None if ref is None else ref[1], event, flags, cb, deliver
    )


@deferred
async def qemuMonitorEventDeregister(conn: Connect, callbackID: int) -> None:
    """Call a callback no more, not even for events that wait."""
    if callbackID < 0:
        raise argumentError(
            "virConnectDomainQemuMonitorEventDeregister",
            "callbackID",
            "must be zero or greater",
            ErrorDomain.NONE,
        )
    await conn._session.events.deregister(callbackID, EventKind.MONITOR)
