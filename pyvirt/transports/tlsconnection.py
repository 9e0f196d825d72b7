"""
TLS over any stream transport, for both ends: Twisted's, with the closing that RPC needs.
"""

from __future__ import annotations

import errno
from functools import partial
from typing import Any

from OpenSSL.SSL import Error, WantReadError, ZeroReturnError
from twisted.internet.interfaces import (
    IAddress,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from pyvirt.tls.credentials import Credentials
from pyvirt.transports.turns import HandshakeInput, Turns

_HEADER = 5
"""Bytes in front of a record: its kind, the version, two bytes of length."""
_MAJOR = 3
"""The version of all records of TLS, for its first part."""
_LONGEST = (1 << 14) + 2048
"""Bytes of the longest record."""
_PIECE = 1 << 15
"""Bytes that are taken from OpenSSL at a time, as Twisted does."""

__all__ = ["TLSConnection", "clientFactory", "serverFactory"]


class TLSConnection(TLSMemoryBIOProtocol):
    """
    One end of a TLS connection.

    Each write leaves at once, for packets are gathered before; and closing does not wait for the peer to take
    leave as well, for one that never does would stay for ever.  OpenSSL is asked neither for what cannot have come nor
    for what cannot have to go: that it has nothing is an exception each time.

    @ivar credentials: what this end was set up with.
    @ivar lostNumber: the C{errno} of an end without leave, as libvirt's TLS has it whatever the socket says.
    """

    lostNumber = errno.EIO

    credentials: Credentials
    _input: HandshakeInput | None = None
    _missing = 0
    _header = b""

    def makeConnection(self, transport: Any) -> None:
        """Stand between a transport and the wrapped protocol, whose transport this is from now on."""
        factory: Any = self.factory
        self._tlsConnection = factory._creatorCallable(self)
        self._appSendBuffer: list[bytes] = []
        # Whoever wants to know what the transport can do asks it itself; to say here, for each connection, that this
        # provides what that provides is half of what a connection costs.
        Protocol.makeConnection(self, transport)
        factory.registerProtocol(self)
        turns = factory.turns
        if turns is not None:
            self._input = HandshakeInput(turns, transport, self._received)
        self.wrappedProtocol.makeConnection(self)
        if not self.credentials.server:
            self._checkHandshakeStatus()

    def dataReceived(self, data: bytes) -> None:
        """Go on with the handshake in its turn; what comes behind it is for the protocol at once."""
        waiting = self._input
        if waiting is not None:
            if waiting.isWaiting or not self._handshakeDone:
                waiting.received(data)
                return
            self._input = None
        self._received(data)

    def _received(self, data: bytes) -> None:
        complete = self._complete(data)
        if not self._handshakeDone:
            super().dataReceived(data)
            return
        self._tlsConnection.bio_write(data)
        if self._appSendBuffer:
            self._unbufferPendingWrites()
        if complete:
            self._flushReceiveBIO(complete)

    def _complete(self, data: bytes) -> int:
        """Return how many records end in what has come, and remember where in the next it ends."""
        position, end, found = self._missing, len(data), 0
        if self._header:
            data = self._header + data
            position, end = 0, len(data)
            self._header = b""
        elif position:
            if position > end:
                self._missing -= end
                return 0
            found = 1
        while position < end:
            if end - position < _HEADER:
                self._header = data[position:]
                self._missing = 0
                return found
            length = data[position + 3] << 8 | data[position + 4]
            if length > _LONGEST or data[position + 1] != _MAJOR:
                return (
                    found + 1
                )  # no record of TLS looks like that: OpenSSL says what is the matter
            position += _HEADER + length
            found += position <= end
        self._missing = position - end
        return found

    def _flushReceiveBIO(self, records: int = 0) -> None:
        """
        Hand over what has come.

        @param records: how many may hold something, 0: nobody knows.
        """
        connection = self._tlsConnection
        while not self._lostTLSConnection:
            try:
                data = connection.recv(_PIECE)
            except WantReadError:
                break
            except ZeroReturnError:
                self._shutdownTLS()
                self._tlsShutdownFinished(None)
            except Error:
                self._tlsShutdownFinished(Failure())
            else:
                if not self._aborted:
                    self.wrappedProtocol.dataReceived(data)
                records -= 1
                if not records:
                    return
        # What was no data may want an answer.
        self._flushSendBIO()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        waiting, self._input = self._input, None
        if waiting is None or self._handshakeDone:
            super().connectionLost(reason)
        else:
            waiting.lost(partial(super().connectionLost, reason))

    def _flushSendBIO(self) -> None:
        try:
            data = self._tlsConnection.bio_read(_PIECE)
        except WantReadError:
            return
        transport: Any = self.transport
        # A socket that waits for nothing takes it at once, which spares the reactor a turn for each answer.
        if (
            isinstance(transport, Connection)
            and not transport.dataBuffer
            and not transport._tempDataBuffer
            and transport.connected
            and not transport.disconnecting
        ):
            sent = transport.writeSomeData(data)
            if isinstance(sent, int):
                data = data[sent:]
        if data:
            transport.write(data)

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
    turns: Turns | None = None

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
    credentials: Any, wrapped: IProtocolFactory, clock: IReactorTime, turns: Turns | None = None
) -> TLSMemoryBIOFactory:
    """
    Make the factory of a server's connections.

    @param credentials: called for each new connection, returns the L{Credentials} of that time.
    @param turns: how handshakes share time, None: they do not.
    """
    factory = _Factory(_ServerCreator(credentials), False, wrapped, clock)
    factory.turns = turns
    return factory


def clientFactory(
    credentials: Credentials, serverName: str | None, wrapped: IProtocolFactory, clock: IReactorTime
) -> TLSMemoryBIOFactory:
    """
    Make the factory of a client's connection.

    @param serverName: told to the server, so that it can choose its certificate; None: nothing is.
    """
    return _Factory(_ClientCreator(credentials, serverName), True, wrapped, clock)
