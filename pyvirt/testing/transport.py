"""
Two ends of a connection in memory.

What one end writes waits until L{Pipe.deliver} hands it to the other, so a test decides when bytes arrive, and
in how many pieces.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IAddress, IProtocol, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["MemoryTransport", "Pipe"]


@implementer(ITransport)
class MemoryTransport:
    """
    One end.

    @ivar protocol: who is at this end.
    @ivar outgoing: what it wrote and the other end has not got yet.
    @ivar disconnecting: it closes once that is delivered.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.protocol: Any = None
        self.outgoing: deque[bytes] = deque()
        self.connected = True
        self.disconnecting = False
        self.aborted = False
        self.reading = True
        self.producer: Any = None

    def write(self, data: bytes) -> None:
        """Keep bytes for the other end."""
        if self.connected and not self.disconnecting and data:
            self.outgoing.append(bytes(data))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Keep bytes for the other end."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close once everything is delivered."""
        self.disconnecting = True

    def abortConnection(self) -> None:
        """Close at once."""
        self.outgoing.clear()
        self.disconnecting = self.aborted = True

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Remember who writes; memory is never full."""
        self.producer = producer

    def unregisterProducer(self) -> None:
        """Forget who writes."""
        self.producer = None

    def pauseProducing(self) -> None:
        """Take nothing for this end."""
        self.reading = False

    def resumeProducing(self) -> None:
        """Take again."""
        self.reading = True

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()

    def getPeer(self) -> IAddress:
        """Return an address that says nothing."""
        return UNIXAddress(None)

    def getHost(self) -> IAddress:
        """Return an address that says nothing."""
        return UNIXAddress(None)

    def lost(self, reason: Failure) -> None:
        """Tell this end that the connection is gone."""
        if self.connected:
            self.connected = False
            self.outgoing.clear()
            self.protocol.connectionLost(reason)


class Pipe:
    """
    Both ends.

    @ivar client: one end.
    @ivar server: the other.
    """

    def __init__(self, client: IProtocol, server: IProtocol) -> None:
        """Connect two protocols."""
        self.client = MemoryTransport("client")
        self.server = MemoryTransport("server")
        self.client.protocol = client
        self.server.protocol = server
        server.makeConnection(self.server)
        client.makeConnection(self.client)

    def deliver(self, pieces: int = 0) -> bool:
        """
        Hand over what waits, and closures.

        @param pieces: bytes per piece; 0: each write as it was.
        @return: whether there was anything.
        """
        moved = self._forward(self.client, self.server, pieces)
        return self._forward(self.server, self.client, pieces) or moved

    def cut(self) -> None:
        """Break the connection, as if a cable were pulled."""
        self.client.lost(Failure(ConnectionDone()))
        self.server.lost(Failure(ConnectionDone()))

    def _forward(self, near: MemoryTransport, far: MemoryTransport, pieces: int) -> bool:
        moved = False
        waiting = len(near.outgoing)
        while waiting and far.reading and far.connected and near.outgoing:
            waiting -= 1
            moved = True
            data = near.outgoing.popleft()
            step = pieces or len(data)
            for start in range(0, len(data), step):
                far.protocol.dataReceived(data[start : start + step])
        if near.disconnecting and near.connected and (near.aborted or not near.outgoing):
            moved = True
            near.lost(Failure(ConnectionAborted() if near.aborted else ConnectionDone()))
            far.lost(Failure(ConnectionDone()))
        return moved
