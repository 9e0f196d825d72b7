"""
The transport side of both peers: packets in, packets out, descriptors beside them, no more than asked for.

L{PacketProtocol} reads whole packets and hands them on one by one, writes all that one read led to by one
call, and sends at once when nothing is waiting in front: a reply then costs one system call instead of
three (C{epoll_ctl}, C{epoll_wait}, C{epoll_ctl}).

A read may bring thousands of packets.  After L{PacketProtocol.burst} of them, or while a subclass has
C{held} further work back, the rest waits in a backlog, reading stops, and other connections get their turn.
"""

from __future__ import annotations

import os
import typing
from collections import deque
from typing import Any

from twisted.internet.interfaces import IFileDescriptorReceiver, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from pyvirt.protocols.fds import DescriptorSender, sendDescriptors
from pyvirt.protocols.framing import FrameReader
from pyvirt.protocols.message import FDS_MAX, MessageType

__all__ = ["PacketProtocol"]

_LOOK = 8
"""After how many packets to look at the clock."""

_HELD_PACKETS = 64
_HELD_BYTES = 1 << 18
"""How much is kept, and reading goes on, while work is held back."""

_WITH_FDS = tuple(
    each.to_bytes(4, "big") for each in (MessageType.CALL_WITH_FDS, MessageType.REPLY_WITH_FDS)
)
_LARGE = 65536
"""Packets above this size do not wait for the others of their turn."""


class Layer(typing.Protocol):
    """What encrypts a connection from some moment on."""

    def encode(self, data: bytes) -> bytes:
        """Encrypt what is to be sent."""

    def decode(self, data: bytes) -> bytes:
        """Decrypt what has come; raises C{ValueError} if the peer has not encrypted it."""


@implementer(IFileDescriptorReceiver, IPushProducer)
class PacketProtocol(Protocol):
    """
    Carry packets over any stream transport.

    @ivar burst: how many packets are handled before other connections get a turn.
    @ivar turn: how many seconds they may take, more or less.
    @ivar held: while True no packet is taken from the backlog; see L{hold} and L{release}.
    @ivar clogged: the transport has more to write than it likes; the peer does not read.
    @ivar readingStopped: see L{stopReading}.
    @ivar stopsReadingWhenClogged: a server reads no further calls from a peer that does not read the replies
        that it got since.  A client must go on reading, or both would wait for each other.
    """

    log = Logger()
    transport: Any  # any stream transport: TCP, UNIX, TLS, an SSH channel, a pipe, a test's
    burst = 128
    turn = 0.005
    stopsReadingWhenClogged = False

    # What most connections never need, or need for a moment, takes no room in each of them.
    held = False
    clogged = False
    readingStopped = False
    connectionIsLost = False
    _backlog: deque[bytes] | None = None
    _batch: list[bytes] | None = None
    _turn: Any = None
    _direct = False
    _unread = 0
    _streaming = False
    _behind: list[bytes | tuple[bytes, list[int]]] | None = None
    _sender: DescriptorSender | None = None
    _closing = False
    _layer: Layer | None = None
    _clearWrites = 0
    _sealedNow = False

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.frames = FrameReader()
        self.descriptors: list[int] = []

    # What subclasses provide

    def packetReceived(self, packet: bytes, fds: list[int]) -> None:
        """
        Handle a packet.

        @param fds: descriptors that came with it, this protocol's to close.
        """
        raise NotImplementedError(type(self))

    def urgentReceived(self, packet: bytes) -> bool:
        """Handle a packet that must not wait behind the backlog; return whether it was one."""
        return False

    def brokenBy(self, reason: str) -> None:
        """The peer broke the protocol.  Closes at once; subclasses log who it was."""
        self.transport.abortConnection()

    # From the transport

    def connectionMade(self) -> None:
        transport = self.transport
        transport.registerProducer(self, True)
        # Plain sockets only: TLS and channels of other protocols transform what they are given.
        self._direct = (
            not isinstance(transport, ProtocolWrapper)
            and not getattr(transport, "TLS", False)
            and hasattr(transport, "writeSomeData")
            and hasattr(transport, "dataBuffer")
            and hasattr(transport, "_tempDataBuffer")
        )

    def seal(self, layer: Layer, *, behindNext: bool = False) -> None:
        """
        Have a layer encrypt what is sent and decrypt what comes from now on.

        Whatever has come already and was not looked at is not from the peer, for the peer has waited: it ends the
        connection.

        @param behindNext: the next write is still in the clear: the answer that tells the peer.
        """
        self._direct = False
        self._layer = layer
        self._clearWrites = int(behindNext)
        if self._batch is not None:
            self._sealedNow = self.held = True
        elif self._backlog or self.frames.buffered:
            self._sealedLate()

    def _sealedLate(self) -> None:
        self._backlog = None
        self.brokenBy("something followed the login that is not encrypted")

    @property
    def isAtRest(self) -> bool:
        """Whether nothing waits to be handled, and what comes next begins a packet that nobody has encrypted."""
        return self._backlog is None and self._layer is None and self.frames.atBoundary

    def dataReceived(self, data: bytes) -> None:
        if self._layer is not None:
            try:
                data = self._layer.decode(data)
            except ValueError as problem:
                self.brokenBy(f"it cannot be decrypted: {problem}")
                return
        packets = self.frames.receive(data)
        if packets:
            if self._backlog:
                self._backlog.extend([each for each in packets if not self.urgentReceived(each)])
                self._keep()
            else:
                self._handle(packets)
        if self.frames.error is not None and not self.connectionIsLost:
            if self._backlog:
                self.held = False
                self._handleBacklog()
            self.brokenBy(str(self.frames.error))

    def fileDescriptorReceived(self, descriptor: int) -> None:
        self.descriptors.append(descriptor)
        if len(self.descriptors) - sum(self.frames.descriptors) > 2 * FDS_MAX:
            self.brokenBy(f"more than {2 * FDS_MAX} descriptors came unannounced")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connectionIsLost = True
        self._backlog = None
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        while self.descriptors:
            os.close(self.descriptors.pop())
        if self._sender is not None:
            self._sender.close()
        for item in self._behind or ():
            if not isinstance(item, bytes):
                for fd in item[1]:
                    os.close(fd)
        self._behind = None

    # Packets in

    def _handleBacklog(self) -> None:
        """Handle the next burst of what was kept."""
        backlog = self._backlog or deque()
        if len(backlog) <= self.burst:
            self._backlog = None
            self._handle(list(backlog), fresh=False)
        else:
            self._handle([backlog.popleft() for _ in range(self.burst)], fresh=False)

    def _handle(self, packets: list[bytes], fresh: bool = True) -> None:
        """
        Handle packets until the burst is used up or work is held back; keep the rest.

        @param fresh: whether urgent ones may be among them.
        """
        batch: list[bytes] = []
        self._batch = batch
        try:
            handled = 0
            end = self.clock.seconds() + self.turn if len(packets) > _LOOK else 0.0
            for packet in packets:
                if handled >= self.burst or self.held or self.connectionIsLost:
                    break
                if self.clogged and self._mayNotAnswer():
                    break
                if handled and not handled % _LOOK and self.clock.seconds() > end:
                    break
                handled += 1
                fds: list[int] = []
                if packet[19] > 3 and packet[16:20] in _WITH_FDS:
                    count = self.frames.descriptors.pop(0)
                    if count > len(self.descriptors):
                        self.brokenBy(f"{count} descriptors announced, fewer came")
                        handled = len(packets)
                        self._backlog = None
                        break
                    fds = self.descriptors[:count]
                    del self.descriptors[:count]
                self.packetReceived(packet, fds)
        finally:
            self._batch = None
            if batch:
                self._write(batch[0] if len(batch) == 1 else b"".join(batch))
        if self.connectionIsLost:
            return
        if self._sealedNow:
            self._sealedNow = self.held = False
            if handled < len(packets) or self._backlog or self.frames.buffered:
                self._sealedLate()
                return
        if handled < len(packets):
            rest = packets[handled:]
            if fresh:
                rest = [each for each in rest if not self.urgentReceived(each)]
            if self._backlog:
                self._backlog.extendleft(reversed(rest))
            elif rest:
                self._backlog = deque(rest)
        if self._backlog:
            self._keep()
            if not self.held:
                self._later()

    def _keep(self) -> None:
        """
        Stop reading while there is a backlog.

        While work is held back, which may take long, some more is read all the same: urgent packets come
        behind what has to wait.
        """
        backlog = self._backlog or ()
        if not self.held or len(backlog) > _HELD_PACKETS or sum(map(len, backlog)) > _HELD_BYTES:
            self._pauseReading()

    def _later(self) -> None:
        if self._turn is None and not self.connectionIsLost:
            self._turn = self.clock.callLater(0, self._continue)

    def _continue(self) -> None:
        self._turn = None
        if self._backlog and not self.held and not self._mayNotAnswer():
            self._handleBacklog()
        self._resumeReading()

    def hold(self) -> None:
        """Take no further packet until L{release}."""
        self.held = True

    def release(self) -> None:
        """Go on with what L{hold} kept back."""
        if self.held:
            self.held = False
            if self._backlog:
                self._later()

    def stopReading(self) -> None:
        """Take no further bytes from the transport until L{startReading}; packets already here go on."""
        self.readingStopped = True
        self._pauseReading()

    def startReading(self) -> None:
        """Take bytes again."""
        self.readingStopped = False
        self._resumeReading()

    def _pauseReading(self) -> None:
        self.transport.pauseProducing()

    def _resumeReading(self) -> None:
        if not (
            self._backlog or self.readingStopped or self.connectionIsLost or self._mayNotAnswer()
        ):
            self.transport.resumeProducing()

    def _mayNotAnswer(self) -> bool:
        return self.stopsReadingWhenClogged and self.clogged and self._unread > _LARGE

    # Packets out

    def send(self, packet: bytes) -> None:
        """Send a packet: with the others of this turn, or now."""
        batch = self._batch
        if batch is not None:
            batch.append(packet)
            if len(packet) > _LARGE:
                # The transport should know soon how much is on its way: it may be clogged by it.
                waiting = b"".join(batch)
                batch.clear()
                self._write(waiting)
        elif not self.connectionIsLost:
            self._write(packet)

    def _write(self, data: bytes) -> None:
        if self.clogged:
            self._unread += len(data)
        if self._behind is not None:
            self._behind.append(data)
            return
        transport = self.transport
        if (
            self._direct
            and not transport.dataBuffer
            and not transport._tempDataBuffer
            and transport.connected
            and not transport.disconnecting
        ):
            sent = transport.writeSomeData(data)
            if sent.__class__ is int:
                if sent == len(data):
                    return
                data = data[sent:]
        elif self._layer is not None:
            if self._clearWrites:
                self._clearWrites -= 1
            else:
                data = self._layer.encode(data)
        transport.write(data)

    def writeNow(self, packet: bytes) -> None:
        """Write what this turn has gathered, then C{packet}."""
        batch = self._batch
        if batch:
            packet = b"".join([*batch, packet])
            batch.clear()
        self._write(packet)

    def sendStream(self, packet: bytes) -> None:
        """Send a packet of a stream at once, so that L{clogged} tells whether more may follow."""
        self._streaming = True
        self.writeNow(packet)
        self._streaming = False

    def holdOutput(self, sender: DescriptorSender) -> None:
        """Keep what is sent from now on until C{sender} has sent its descriptors."""
        self._sender = sender
        self._behind = []
        if not self.clogged:
            self.clogged = True
            self._unread = 0

    def releaseOutput(self) -> None:
        """Send what was kept, and be the transport's producer again."""
        behind, self._behind, self._sender = self._behind or [], None, None
        if self.connectionIsLost:
            return
        self.transport.registerProducer(self, True)
        # Nothing is left in the transport, which will not say so to a producer that is new to it.
        self.clogged = False
        while behind:
            item = behind.pop(0)
            if isinstance(item, bytes):
                self._write(item)
            else:
                packet, fds = item
                sendDescriptors(self, packet, fds)
                for fd in fds:
                    os.close(fd)
                self._behind = behind
                return
        if self._closing:
            self.close()
        elif not self.clogged:
            self.resumeProducing()

    def sendWithDescriptors(self, packet: bytes, fds: list[int]) -> None:
        """
        Send a packet and, behind it, C{fds}, one on a byte each.

        The descriptors are duplicated first, so they may be closed at once.  A transport that is no UNIX
        socket cannot carry them.

        @raise TypeError: the transport cannot carry descriptors.
        """
        if not fds:
            self.send(packet)
        elif self._behind is not None:
            if self._batch:
                self._behind.append(b"".join(self._batch))
                self._batch.clear()
            self._behind.append((packet, [os.dup(each) for each in fds]))
        else:
            sendDescriptors(self, packet, fds)

    # IPushProducer: the transport tells whether the peer reads

    def pauseProducing(self) -> None:
        self.clogged = True
        # Streams wait when they have clogged it; calls beside them are answered for a while yet.
        self._unread = 0 if self._streaming else _LARGE + 1
        if self._mayNotAnswer():
            self._pauseReading()

    def resumeProducing(self) -> None:
        self.clogged = False
        if self.stopsReadingWhenClogged:
            if self._backlog and not self.held:
                self._later()
            self._resumeReading()
        self.unclogged()

    def unclogged(self) -> None:
        """What the peer had left unread is on its way; streams go on here."""

    def stopProducing(self) -> None:
        """The transport is gone; L{connectionLost} follows."""

    def close(self) -> None:
        """Close once everything sent is on its way."""
        if self._behind is not None:
            self._closing = True
        elif not self.connectionIsLost:
            self.transport.unregisterProducer()
            self.transport.loseConnection()
