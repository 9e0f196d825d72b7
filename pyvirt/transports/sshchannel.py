"""
An SSH channel as a stream transport, at both ends.

Conch gives a channel's window back as data comes, whether anybody wants it or not.  Here it is given back only
while the protocol reads; and the protocol is told to pause when the peer's window, or the socket, is full.
"""

from __future__ import annotations

import struct
from typing import Any

from twisted.conch.ssh import common
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.connection import SSHConnection
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IAddress, IPushProducer, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["ChannelTransport", "PacedConnection", "StreamChannel"]

WINDOW = 1 << 20
"""Bytes that the peer may send ahead on a channel."""
PACKET = 1 << 15


class PacedConnection(SSHConnection):
    """The connection service, with windows that follow the reader and nothing granted that is not asked for."""

    def ssh_CHANNEL_DATA(self, packet: bytes) -> None:
        number, length = struct.unpack(">2L", packet[:8])
        channel = self.channels[number]
        if length > channel.localWindowLeft or length > channel.localMaxPacket:
            self.sendClose(channel)
            return
        data, _ = common.getNS(packet[4:])
        channel.localWindowLeft -= length
        channel.giveWindowBack()
        channel.dataReceived(data)

    def gotGlobalRequest(self, requestType: bytes, data: bytes) -> int:
        """Refuse: forwarding of ports and the like is not done here."""
        return 0


class StreamChannel(SSHChannel):
    """
    A channel that carries a stream.

    @ivar end: the transport that a protocol writes to, once there is one.
    @ivar flowing: whether what comes is wanted.
    """

    conn: Any
    id: Any
    end: ChannelTransport | None = None
    early = b""
    ended = False
    flowing = True

    def __init__(self, **arguments: Any) -> None:
        super().__init__(localWindow=WINDOW, localMaxPacket=PACKET, **arguments)

    def giveWindowBack(self) -> None:
        """Let the peer send more, if enough was taken and more is wanted."""
        if (
            self.flowing
            and self.end is not None
            and self.localWindowLeft < self.localWindowSize // 2
        ):
            self.conn.adjustWindow(self, self.localWindowSize - self.localWindowLeft)

    def dataReceived(self, data: bytes) -> None:
        if self.end is not None:
            self.end.received(data)
        else:
            # What a client says right behind its request; no more than the window.
            self.early += data

    def deliverEarly(self) -> None:
        """Pass on what came before there was a protocol."""
        early, self.early = self.early, b""
        if early and self.end is not None:
            self.end.received(early)
        if self.ended:
            self.loseConnection()

    def extReceived(self, dataType: int, data: bytes) -> None:
        """Nobody reads it."""

    def eofReceived(self) -> None:
        self.ended = True
        if self.end is not None:
            self.loseConnection()

    def closeReceived(self) -> None:
        self.loseConnection()

    def closed(self) -> None:
        if self.end is not None:
            self.end.lost()

    def stopWriting(self) -> None:
        if self.end is not None:
            self.end.windowFull = True
            self.end.decide()

    def startWriting(self) -> None:
        pass

    def addWindowBytes(self, data: int) -> None:
        super().addWindowBytes(data)
        if self.end is not None and not self.buf:
            self.end.windowFull = False
            self.end.decide()


@implementer(ITransport, IPushProducer)
class ChannelTransport:
    """
    The end of a channel that a protocol writes to.

    @ivar windowFull: the peer takes no more for now.
    @ivar socketFull: the connection below takes no more for now.
    """

    disconnecting = False

    def __init__(self, channel: StreamChannel, protocol: Any, peer: IAddress) -> None:
        self.channel = channel
        self.protocol = protocol
        self.connected = True
        self.windowFull = False
        self.socketFull = False
        self._peer = peer
        self._producer: Any = None
        self._paused = False
        self._aborted = False
        channel.end = self
        # Conch's service has the SSH transport, and that one the socket.
        socket = channel.conn.transport.transport
        socket.unregisterProducer()
        socket.registerProducer(_SocketWatch(channel.conn), True)

    def received(self, data: bytes) -> None:
        """Pass on what came."""
        if self.connected and not self._aborted:
            self.protocol.dataReceived(data)

    def lost(self) -> None:
        """The channel is closed."""
        if self.connected:
            self.connected = False
            self._producer = None
            reason = ConnectionAborted() if self._aborted else ConnectionDone()
            self.protocol.connectionLost(Failure(reason))

    def decide(self) -> None:
        """Tell the producer whether to go on."""
        full = self.windowFull or self.socketFull
        if self._producer is not None and full != self._paused:
            self._paused = full
            if full:
                self._producer.pauseProducing()
            else:
                self._producer.resumeProducing()

    # ITransport

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self.connected and not self.disconnecting:
            self.channel.write(data)

    def writeSequence(self, data: Any) -> None:
        """Send bytes."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close when all is sent."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self.channel.loseConnection()

    def abortConnection(self) -> None:
        """Close, and take nothing more; what is not sent yet is lost."""
        if self.connected:
            self._aborted = self.disconnecting = True
            self.channel.buf = b""
            self.channel.conn.transport.transport.abortConnection()

    def getPeer(self) -> IAddress:
        """Return the address at the other end of the connection."""
        return self._peer

    def getHost(self) -> IAddress:
        """Return the address at this end."""
        host: IAddress = self.channel.conn.transport.transport.getHost()
        return host

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Remember who writes."""
        self._producer = producer
        self._paused = False
        self.decide()

    def unregisterProducer(self) -> None:
        """Forget who writes."""
        self._producer = None

    # IPushProducer, towards the protocol

    def pauseProducing(self) -> None:
        """Take no more than the window from the peer."""
        self.channel.flowing = False

    def resumeProducing(self) -> None:
        """Take more."""
        if self.connected and not self.channel.flowing:
            self.channel.flowing = True
            self.channel.giveWindowBack()

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()


@implementer(IPushProducer)
class _SocketWatch:
    """Hears whether the socket takes more, for all channels."""

    def __init__(self, connection: SSHConnection) -> None:
        self._connection = connection

    def _tell(self, full: bool) -> None:
        for channel in list(self._connection.channels.values()):
            end = getattr(channel, "end", None)
            if end is not None:
                end.socketFull = full
                end.decide()

    def pauseProducing(self) -> None:
        self._tell(True)

    def resumeProducing(self) -> None:
        self._tell(False)

    def stopProducing(self) -> None:
        """The socket is gone; the channels hear of it by their connection."""
