"""
TLS over any stream transport, for both ends: Twisted's, with the closing that RPC needs.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import (
    IAddress,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
)
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from pyvirt.tls.credentials import Credentials

__all__ = ["TLSConnection", "clientFactory", "serverFactory"]


class TLSConnection(TLSMemoryBIOProtocol):
    """
    One end of a TLS connection.

    Each write leaves at once, for packets are gathered before; and closing does not wait for the peer to take
    leave as well, for one that never does would stay for ever.

    @ivar credentials: what this end was set up with.
    """

    credentials: Credentials

    def _shutdownTLS(self) -> None:
        super()._shutdownTLS()
        transport: Any = self.transport
        transport.loseConnection()

    def hangUp(self) -> None:
        """Close without taking leave, once the end of the handshake is on its way."""
        self._flushSendBIO()
        transport: Any = self.transport
        transport.loseConnection()

    @property
    def strength(self) -> int:
        """Bits of the key that encrypts; 0 before the handshake is over."""
        handle = self._tlsConnection
        return int(handle.get_cipher_bits() or 0) if handle is not None else 0


class _Factory(TLSMemoryBIOFactory):
    protocol = TLSConnection

    def buildProtocol(self, addr: IAddress | None) -> TLSConnection:
        """Make a connection, unless the wrapped factory refuses it."""
        wrapped = self.wrappedFactory.buildProtocol(addr)
        if wrapped is None:
            return None  # type: ignore[return-value]  # as any factory may, says its interface
        return TLSConnection(self, wrapped)


@implementer(IOpenSSLServerConnectionCreator)
class _ServerCreator:
    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:
        credentials: Credentials = self._credentials()
        tlsProtocol.credentials = credentials
        return credentials.connection()


@implementer(IOpenSSLClientConnectionCreator)
class _ClientCreator:
    def __init__(self, credentials: Credentials, serverName: str | None) -> None:
        self._credentials = credentials
        self._serverName = serverName

    def clientConnectionForTLS(self, tlsProtocol: Any) -> Any:
        tlsProtocol.credentials = self._credentials
        return self._credentials.connection(self._serverName)


def serverFactory(
    credentials: Any, wrapped: IProtocolFactory, clock: IReactorTime
) -> TLSMemoryBIOFactory:
    """
    Make the factory of a server's connections.

    @param credentials: called for each new connection, returns the L{Credentials} of that time.
    """
    return _Factory(_ServerCreator(credentials), False, wrapped, clock)


def clientFactory(
    credentials: Credentials, serverName: str | None, wrapped: IProtocolFactory, clock: IReactorTime
) -> TLSMemoryBIOFactory:
    """
    Make the factory of a client's connection.

    @param serverName: told to the server, so that it can choose its certificate; None: nothing is.
    """
    return _Factory(_ClientCreator(credentials, serverName), True, wrapped, clock)
