"""
Client endpoints: from where a daemon is to something that can connect, and its failures in libvirt's words.

UNIX sockets and TCP are here; the others are modules of their own, which are loaded when they are used.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Address", "clientEndpoint", "systemError"]

CONNECT_TIMEOUT = 30
"""Seconds that one attempt to connect may take."""


@attrs.frozen(kw_only=True)
class Address:
    """
    Where a daemon is.

    @ivar transport: C{unix}, C{tcp}, C{tls}, C{ssh}, C{libssh}, C{libssh2} or C{ext}.
    @ivar path: the socket, for C{unix}.
    @ivar host: for the others.
    @ivar port: for the others.
    @ivar portGiven: whether the URI names it.
    @ivar user: whom to log in as, for C{ssh}; None: the user's own name.
    @ivar name: the URI that the daemon is asked for, for helpers at the far end.
    @ivar readOnly: whether a read-only connection is enough.
    @ivar parameters: what the URI says about the transport, by name.
    """

    transport: str
    path: str = ""
    host: str = ""
    port: int = 0
    portGiven: bool = False
    user: str | None = None
    name: str = ""
    readOnly: bool = False
    parameters: Mapping[str, str] = attrs.field(factory=dict)


def systemError(text: str, number: int = -1) -> VirtError:
    """Make the error of a system call that failed; C{number} is its C{errno}, -1 if it has none."""
    return VirtError(
        text,
        code=ErrorCode.SYSTEM_ERROR,
        domain=ErrorDomain.RPC,
        str1="%s",
        str2=text,
        int1=number,
    )


def _reason(error: Exception) -> tuple[int, str]:
    """Return C{errno} and its text of a failed attempt to connect."""
    number = getattr(error, "osError", None)
    if isinstance(number, int):
        return number, os.strerror(number)
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno, os.strerror(error.errno)
    return -1, str(error)


def clientEndpoint(
    reactor: Any,
    address: Address,
    environment: Mapping[str, str],
    userID: int,
    auth: Sequence[Any] | None = None,
) -> IStreamClientEndpoint:
    """
    Make the endpoint that connects to C{address}.

    Its C{connect} fails with L{VirtError}, C{SYSTEM_ERROR} for most, and libvirt's text.

    @param environment: of the process: where its user keeps certificates and keys.
    @param userID: who that is.
    @param auth: whom to ask for passwords, as C{openAuth} takes it.
    @raise VirtError: what the address says about the transport cannot be used.
    """
    if address.transport == "unix":
        return UNIXEndpoint(reactor, address.path)
    if address.transport == "tcp":
        return TCPEndpoint(reactor, address.host, address.port)
    if address.transport == "tls":
        from pyvirt.transports.tls import TLSEndpoint, clientCredentials

        credentials = clientCredentials(address.parameters, environment, userID)
        inner = TCPEndpoint(reactor, address.host, address.port)
        return TLSEndpoint(reactor, inner, address.host, credentials)
    if address.transport not in ("ext", "ssh", "libssh", "libssh2"):
        raise virtError(
            ErrorCode.CONFIG_UNSUPPORTED,
            f"the transport '{address.transport}' is not available",
            ErrorDomain.RPC,
        )
    from pyvirt.transports.external import ProgramEndpoint, sshCommand

    if address.transport == "ext":
        return ProgramEndpoint(reactor, [address.parameters["command"]], environment)
    if address.parameters.get("command"):
        return ProgramEndpoint(reactor, sshCommand(address, address.portGiven), environment)
    from pyvirt.transports.asking import Asker
    from pyvirt.transports.ssh import SSHEndpoint

    inner = TCPEndpoint(reactor, address.host, address.port)
    return SSHEndpoint(reactor, inner, address, environment, Asker(auth))


@implementer(IStreamClientEndpoint)
class UNIXEndpoint:
    """Connects to a UNIX socket."""

    def __init__(self, reactor: Any, path: str) -> None:
        self._path = path
        self._endpoint = UNIXClientEndpoint(reactor, path, timeout=CONNECT_TIMEOUT)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; fails with L{VirtError}."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, protocolFactory: IProtocolFactory) -> IProtocol:
        try:
            protocol: IProtocol = await self._endpoint.connect(protocolFactory)
            return protocol
        except (ConnectError, OSError) as error:
            number, text = _reason(error)
            raise systemError(
                f"Failed to connect socket to '{self._path}': {text}", number
            ) from None


@implementer(IStreamClientEndpoint)
class TCPEndpoint:
    """Resolves a host and tries its addresses in order, as libvirt does."""

    def __init__(self, reactor: Any, host: str, port: int) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; fails with L{VirtError}."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _resolve(self) -> list[tuple[int, str]]:
        try:
            found = socket.getaddrinfo(
                self._host, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        except socket.gaierror:
            try:
                found = await deferToThreadPool(
                    self._reactor,
                    self._reactor.getThreadPool(),
                    socket.getaddrinfo,
                    self._host,
                    0,
                    type=socket.SOCK_STREAM,
                )
            except socket.gaierror as error:
                raise systemError(
                    f"Unable to resolve address '{self._host}' service '{self._port}': "
                    f"{error.strerror}"
                ) from None
        return [(family, str(address[0])) for family, _, _, _, address in found]

    async def _connect(self, protocolFactory: IProtocolFactory) -> IProtocol:
        number, text = -1, "no address"
        for family, address in await self._resolve():
            kind = TCP6ClientEndpoint if family == socket.AF_INET6 else TCP4ClientEndpoint
            endpoint = kind(self._reactor, address, self._port & 0xFFFF, timeout=CONNECT_TIMEOUT)
            try:
                protocol: IProtocol = await endpoint.connect(protocolFactory)
                return protocol
            except (ConnectError, OSError) as error:
                number, text = _reason(error)
        raise systemError(
            f"unable to connect to server at '{self._host}:{self._port}': {text}", number
        )
