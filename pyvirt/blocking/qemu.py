"""
What only QEMU can do, without Deferreds: C{import pyvirt.blocking.qemu as libvirt_qemu}.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import IO, Any

from pyvirt import constants as _constants
from pyvirt.blocking._connection import register as _register
from pyvirt.blocking._errors import reported as _reported
from pyvirt.blocking._eventloop import loop as _loop
from pyvirt.blocking._objects import call as _call
from pyvirt.blocking._objects import wrap as _wrap
from pyvirt.client import qemu as _qemu
from pyvirt.client.domain import Domain as _Domain
from pyvirt.errors import ErrorCode as _ErrorCode
from pyvirt.errors import ErrorDomain as _ErrorDomain
from pyvirt.errors import virtError as _virtError

globals().update({name: value for name, value in vars(_constants).items() if "_QEMU_" in name})


def _inner(domain: Any, function: str) -> Any:
    """Return the client's domain of what is to be one."""
    inner = domain._o
    if not isinstance(inner, _Domain):
        raise _reported(_virtError(_ErrorCode.INVALID_DOMAIN, function, _ErrorDomain.DOM))
    return inner


def qemuMonitorCommand(domain: Any, cmd: str, flags: int) -> str:
    """Return QEMU's answer to a command of its monitor: C{VIR_DOMAIN_QEMU_MONITOR_COMMAND_*}."""
    inner = _inner(domain, "virDomainQemuMonitorCommand")
    answer: str = _call(_qemu.qemuMonitorCommand, inner, cmd, flags)
    return answer


def qemuMonitorCommandWithFiles(
    domain: Any, cmd: str, files: Sequence[int] = (), flags: int = 0
) -> tuple[str, list[IO[Any]]]:
    """As L{qemuMonitorCommand}, with open files both ways; those that come are the caller's to close."""
    inner = _inner(domain, "virDomainQemuMonitorCommandWithFiles")
    text, fds = _call(_qemu.qemuMonitorCommandWithFiles, inner, cmd, files, flags)
    return text, [os.fdopen(fd) for fd in fds]


def qemuAgentCommand(domain: Any, cmd: str, timeout: int, flags: int) -> str | None:
    """Return the answer of the guest's agent; C{timeout} in seconds or C{VIR_DOMAIN_QEMU_AGENT_COMMAND_*}."""
    inner = _inner(domain, "virDomainQemuAgentCommand")
    answer: str | None = _call(_qemu.qemuAgentCommand, inner, cmd, timeout, flags)
    return answer


def qemuAttach(conn: Any, pid_value: int, flags: int) -> Any:
    """Return the domain of a QEMU that somebody else started."""
    conn._guard("qemuAttach")
    return _wrap(conn, _call(_qemu.qemuAttach, conn._o, pid_value, flags))


def qemuMonitorEventRegister(
    conn: Any,
    dom: Any,
    event: str | None,
    cb: Callable[..., Any],
    opaque: Any,
    flags: int = 0,
) -> Any:
    """Have C{cb(conn, dom, event, seconds, micros, details, opaque)} called for events of QEMU's monitor."""
    conn._guard("domainQemuMonitorEventRegister")
    inner = None if dom is None else dom._o

    def ask(callback: Any, nothing: Any) -> Any:
        return _qemu.qemuMonitorEventRegister(conn._o, inner, event, callback, nothing, flags)

    return _register(conn, ask, (), cb, opaque)


def qemuMonitorEventDeregister(conn: Any, callbackID: int) -> None:
    """Call a callback no more."""
    conn._guard("domainQemuMonitorEventDeregister")
    _call(_qemu.qemuMonitorEventDeregister, conn._o, callbackID)
    registered = conn._registered.pop(callbackID, None)
    if registered is not None:
        registered.active = False
    _loop.wake()
