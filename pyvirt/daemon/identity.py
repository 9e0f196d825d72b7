"""
Who a client is: what the kernel, its certificate, its login or a daemon in front of this one says.

An identity is a value.  The door that a client comes by makes it (L{Identity.of}); what is learnt later makes a
new one (C{attrs.evolve}): TLS adds the certificate's name, SASL the name that was logged in with, SSH user and key.
"""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import attrs

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.params import validateParams

__all__ = ["Identity", "checkIdentity", "groupName", "startTime", "userName"]

_TYPES = {
    c.VIR_CONNECT_IDENTITY_USER_NAME: c.VIR_TYPED_PARAM_STRING,
    c.VIR_CONNECT_IDENTITY_UNIX_USER_ID: c.VIR_TYPED_PARAM_ULLONG,
    c.VIR_CONNECT_IDENTITY_GROUP_NAME: c.VIR_TYPED_PARAM_STRING,
    c.VIR_CONNECT_IDENTITY_UNIX_GROUP_ID: c.VIR_TYPED_PARAM_ULLONG,
    c.VIR_CONNECT_IDENTITY_PROCESS_ID: c.VIR_TYPED_PARAM_LLONG,
    c.VIR_CONNECT_IDENTITY_PROCESS_TIME: c.VIR_TYPED_PARAM_ULLONG,
    c.VIR_CONNECT_IDENTITY_SASL_USER_NAME: c.VIR_TYPED_PARAM_STRING,
    c.VIR_CONNECT_IDENTITY_X509_DISTINGUISHED_NAME: c.VIR_TYPED_PARAM_STRING,
    c.VIR_CONNECT_IDENTITY_SELINUX_CONTEXT: c.VIR_TYPED_PARAM_STRING,
}
_FIELDS = {
    c.VIR_CONNECT_IDENTITY_USER_NAME: "userName",
    c.VIR_CONNECT_IDENTITY_UNIX_USER_ID: "userID",
    c.VIR_CONNECT_IDENTITY_GROUP_NAME: "groupName",
    c.VIR_CONNECT_IDENTITY_UNIX_GROUP_ID: "groupID",
    c.VIR_CONNECT_IDENTITY_PROCESS_ID: "processID",
    c.VIR_CONNECT_IDENTITY_PROCESS_TIME: "processTime",
    c.VIR_CONNECT_IDENTITY_SASL_USER_NAME: "saslName",
    c.VIR_CONNECT_IDENTITY_X509_DISTINGUISHED_NAME: "x509Name",
    c.VIR_CONNECT_IDENTITY_SELINUX_CONTEXT: "selinuxContext",
}
_CREDENTIALS = struct.Struct("iII")


@attrs.frozen(kw_only=True)
class Identity:
    """
    Who a client is; None: not known.

    @ivar transport: the door: C{"unix"}, C{"tcp"}, C{"tls"} or C{"ssh"}; empty: in memory.
    @ivar address: of a client that came over a network: host and port as libvirt writes them, C{host:port}.
    @ivar strength: bits of the key that encrypts the transport; 0: nothing does.
    @ivar userID: of the process at the other end of a UNIX socket, as is C{groupID}.
    @ivar processID: that process.
    @ivar processTime: when it started, in clock ticks since boot: tells it from a later one with its number.
    @ivar x509Name: distinguished name in the client's certificate, verified.
    @ivar saslName: what the client has logged in as.
    @ivar sshUser: user of the SSH session.
    @ivar sshKey: fingerprint of the key that it was opened with.
    @ivar claimed: whether all this is what a client with the right to say so says about another.
    """

    transport: str = ""
    address: str | None = None
    strength: int = 0
    userName: str | None = None
    userID: int | None = None
    groupName: str | None = None
    groupID: int | None = None
    processID: int | None = None
    processTime: int | None = None
    x509Name: str | None = None
    saslName: str | None = None
    sshUser: str | None = None
    sshKey: str | None = None
    selinuxContext: str | None = None
    claimed: bool = False

    @classmethod
    def of(cls, transport: Any) -> Identity:
        """Ask the transport of a new connection who is at its other end."""
        host, port = _peer(transport)
        if host:
            shown = f"[{host}]" if ":" in host else host
            return cls(transport="tcp", address=f"{shown}:{port}")
        found = getattr(transport, "socket", None)
        if found is None or found.family != socket.AF_UNIX:
            return cls()
        try:
            data = found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return cls(transport="unix")
        process, user, group = _CREDENTIALS.unpack(data)
        return cls(
            transport="unix",
            userID=user,
            groupID=group,
            processID=process,
            # Read now, while the process is surely the one that connected.
            processTime=startTime(process),
        )

    @classmethod
    def claim(cls, parameters: Sequence[TypedParam], door: Identity) -> Identity:
        """
        Make the identity that a client says it speaks for.

        @param door: of the client itself: how it came stays as it is.
        @raise VirtError: as L{checkIdentity}.
        """
        said = {_FIELDS[name]: value for name, value in checkIdentity(parameters).items()}
        return cls(
            transport=door.transport,
            address=door.address,
            strength=door.strength,
            claimed=True,
            **said,
        )

    @cached_property
    def user(self) -> str | None:
        """The name of the UNIX user, or the number if it has none."""
        if self.userName is not None or self.userID is None:
            return self.userName
        return userName(self.userID)

    def describe(self) -> str:
        """Say who it is, for logs: the parts that are known, none of them secret."""
        parts = []
        if self.processID is not None:
            parts.append(f"pid {self.processID}")
        if self.user is not None:
            parts.append(f"user {self.user}")
        for label, value in (
            ("sasl", self.saslName),
            ("certificate", self.x509Name),
            ("ssh user", self.sshUser),
            ("ssh key", self.sshKey),
        ):
            if value is not None:
                parts.append(f"{label} {value!r}")
        who = f" ({', '.join(parts)})" if parts else ""
        if self.address is not None:
            return f"client {self.address}{who}"
        return f"local client{who}" if who else "a local client"


def _peer(transport: Any) -> tuple[str, int]:
    try:
        peer = transport.getPeer()
    except AttributeError:
        return "", 0
    host = getattr(peer, "host", None)
    return (str(host), int(getattr(peer, "port", 0))) if host else ("", 0)


def startTime(process: int) -> int | None:
    """When a process started, in clock ticks since boot; None: there is no such process."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            # The name, in parentheses, may hold anything.
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def userName(number: int) -> str:
    """The name of a user, or the number of one that has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except (KeyError, OverflowError):
        return str(number)


def groupName(number: int) -> str:
    """The name of a group, or the number of one that has none."""
    try:
        return grp.getgrgid(number).gr_name
    except (KeyError, OverflowError):
        return str(number)


def groupsOf(user: int) -> tuple[str, ...]:
    """The names of the groups that a user belongs to."""
    try:
        entry = pwd.getpwuid(user)
    except (KeyError, OverflowError):
        return ()
    return tuple(groupName(each) for each in os.getgrouplist(entry.pw_name, entry.pw_gid))


def checkIdentity(parameters: Sequence[TypedParam]) -> dict[str, Any]:
    """
    Check the parameters of an identity and return them by name.

    @raise VirtError: as L{validateParams} does.
    """
    return validateParams(parameters, _TYPES)
