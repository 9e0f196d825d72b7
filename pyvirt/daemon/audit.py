"""
The audit trail: one line for each change that somebody asked for, with who, from where, what and how it ended.

Lines name the object and never the arguments, among which secrets may be.  They go to the daemon's log and to the
kernel's audit system, as the configuration says.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pyvirt.daemon.access.guard import REFS, XML_ARGUMENTS
from pyvirt.daemon.identity import Identity
from pyvirt.definitions.identity import identify
from pyvirt.definitions.uuids import formatUUID
from pyvirt.errors import VirtError
from pyvirt.protocols.procedures import Procedure
from pyvirt.protocols.structs import AdminClient, AdminServer

__all__ = ["Audit", "AuditError", "KernelAudit", "changes", "describeObject", "makeAudit"]

_NETLINK_AUDIT = 9
_VIRT_CONTROL, _VIRT_RESOURCE = 2500, 2501
_HEADER = struct.Struct("=IHHII")
_REQUEST = 1
_CONTROL = ("Create", "Destroy", "Shutdown", "Reboot", "Suspend", "Resume", "Migrate", "Reset")

log = Logger(namespace="pyvirt.audit")


@lru_cache(256)
def _origin(identity: Identity) -> str:
    """Say who asks and from where: the same in every line of one client, and dear to find out."""
    return f"who={quoted(identity.describe())} from={identity.transport or 'memory'}"


class AuditError(Exception):
    """The kernel's audit system cannot be used, and the configuration wants it."""


def quoted(text: str) -> str:
    """Write what may come from outside so that it stays one word of one line."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text[:200]}"'
    shown = "".join(
        each if each.isprintable() and each not in '"\\' else f"\\x{ord(each):02x}"
        for each in text[:200]
    )
    return f'"{shown}"'


_NO_CHANGES = frozenset(
    (
        *("connectClose", "connectOpen"),
        *("connectGetLibVersion", "connectListServers", "connectLookupServer"),
        *("serverGetThreadpoolParameters", "serverListClients", "serverLookupClient"),
        *("clientGetInfo", "serverGetClientLimits"),
        *("connectGetLoggingOutputs", "connectGetLoggingFilters"),
    )
)


def changes(procedure: Procedure) -> bool:
    """Whether a call may change something: whoever may only look may not make it."""
    return (
        not procedure.readOnly.allowed
        and procedure.needsAuthentication
        and procedure.name not in _NO_CHANGES
    )


def describeObject(
    procedure: Procedure, arguments: tuple[Any, ...], answer: Any = None
) -> list[str]:
    """
    Name what a call is about: the first object among its arguments, or what its definition made.

    @param answer: what the call gave; an object made from a definition is named without reading that again.
    """
    for value in (*arguments, answer):
        if isinstance(value, AdminClient):
            return [f"server={quoted(value.srv.name)}", f"client={value.id}"]
        if isinstance(value, AdminServer):
            return [f"server={quoted(value.name)}"]
        kind = REFS.get(type(value))
        if kind is None:
            continue
        found = []
        name = getattr(value, "name", None) or getattr(value, "portdev", None)
        if name is not None:
            found.append(f"{kind}={quoted(name)}")
        uuid = getattr(value, "uuid", None) or getattr(getattr(value, "dom", None), "uuid", None)
        if isinstance(uuid, bytes) and len(uuid) == 16:
            found.append(f"uuid={formatUUID(uuid)}")
        return found
    for name, value in zip(procedure.parameters, arguments, strict=False):
        if name in XML_ARGUMENTS and isinstance(value, str):
            known = identify(value)
            return [
                f"{label}={quoted(text)}"
                for label, text in (("name", known.name), ("uuid", known.uuid))
                if text is not None
            ]
        if name == "name" and isinstance(value, str):
            return [f"name={quoted(value)}"]
    return []


@lru_cache(None)
def _recordType(name: str) -> int:
    """Return the kernel's number for what a procedure does."""
    control = name.startswith("domain") and any(each in name for each in _CONTROL)
    return _VIRT_CONTROL if control else _VIRT_RESOURCE


class KernelAudit:
    """The kernel's audit system, which keeps records that processes cannot take back."""

    def __init__(self) -> None:
        """
        @raise OSError: there is none, or we may not write to it.
        """
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_AUDIT
        )
        self._socket.setblocking(False)
        self._serials = count(1)

    def send(self, kind: int, text: str) -> None:
        """Record a line; what cannot be recorded is lost."""
        data = text.encode(errors="replace") + b"\0"
        header = _HEADER.pack(
            _HEADER.size + len(data), kind, _REQUEST, next(self._serials) & 0xFFFFFFFF, 0
        )
        try:
            self._socket.send(header + data)
        except OSError:
            pass

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()


class Audit:
    """
    Writes the trail.

    @ivar logging: whether to the daemon's log.
    @ivar kernel: the kernel's audit system, or None.
    """

    def __init__(self, logging: bool, kernel: KernelAudit | None) -> None:
        self.logging = logging
        self.kernel = kernel

    def watch(
        self,
        identity: Identity,
        procedure: Procedure,
        arguments: tuple[Any, ...],
        call: Callable[[], Any],
    ) -> Any:
        """Make a call, and record it once it has ended."""
        try:
            answer = call()
        except VirtError as error:
            self.record(identity, procedure, arguments, error)
            raise
        except Exception:
            self.record(identity, procedure, arguments, None, crashed=True)
            raise
        if isinstance(answer, Deferred):

            def ended(outcome: Any) -> Any:
                if not isinstance(outcome, Failure):
                    self.record(identity, procedure, arguments, None, outcome)
                else:
                    error = outcome.value if isinstance(outcome.value, VirtError) else None
                    self.record(identity, procedure, arguments, error, crashed=error is None)
                return outcome

            return answer.addBoth(ended)
        self.record(identity, procedure, arguments, None, answer)
        return answer

    def record(
        self,
        identity: Identity,
        procedure: Procedure,
        arguments: tuple[Any, ...],
        error: VirtError | None,
        answer: Any = None,
        *,
        crashed: bool = False,
    ) -> None:
        """Write one line."""
        failed = crashed or error is not None
        parts = [
            f"op={procedure.name}",
            *describeObject(procedure, arguments, answer),
            _origin(identity),
            f"res={'failed' if failed else 'success'}",
        ]
        if failed:
            # The text of an error may quote what was given; its number does not.
            parts.append(f"code={'crash' if error is None else int(error.code)}")
        text = " ".join(parts)
        if self.logging:
            (log.warn if failed else log.info)("{line}", line=text)
        if self.kernel is not None:
            self.kernel.send(_recordType(procedure.name), f"virt=pyvirt {text}")


def makeAudit(
    level: int,
    logging: bool,
    *,
    privileged: bool,
    openKernel: Callable[[], KernelAudit] = KernelAudit,
) -> Audit | None:
    """
    Make what a configuration asks for.

    @param level: C{audit_level}: 0 the kernel is told nothing, 1 if it listens, 2 it must.
    @return: None: nothing is recorded.
    @raise AuditError: the kernel must be told and cannot.
    """
    kernel: KernelAudit | None = None
    if level > 0 and (privileged or level > 1):
        try:
            if level > 1 and os.geteuid() != 0:
                raise PermissionError(1, "only root may write audit records")
            kernel = openKernel()
        except OSError as problem:
            if level > 1:
                raise AuditError(
                    f"audit_level = {level}, and the kernel's audit system cannot be used:"
                    f" {problem.strerror}"
                ) from None
    return Audit(logging, kernel) if logging or kernel is not None else None
