"""
Two ends of a connection in memory that press back as sockets do, and ends of streams that tell what they saw.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from pyvirt.drivers.interfaces.streams import IPacedSink, IStreamDuplex, IStreamSource
from pyvirt.errors import VirtError
from pyvirt.protocols.packets import PacketProtocol
from pyvirt.protocols.procedures import Program
from pyvirt.protocols.rpc import RPCClient, RPCServer

HIGH = 65536
"""How much a transport takes before it asks its producer to wait, as Twisted's sockets."""


class PipeTransport:
    """
    One end of a L{Pipe}.

    @ivar out: what was written and has not arrived.
    @ivar reading: False while the protocol wants nothing.
    """

    def __init__(self) -> None:
        self.out = bytearray()
        self.producer: Any = None
        self.producerPaused = False
        self.reading = True
        self.disconnecting = False
        self.aborted = False
        self.writes = 0

    def write(self, data: bytes) -> None:
        assert isinstance(data, bytes), "transports take bytes"
        if self.aborted:
            return
        self.writes += 1
        self.out += data
        if len(self.out) > HIGH and self.producer is not None and not self.producerPaused:
            self.producerPaused = True
            self.producer.pauseProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert self.producer is None and streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def loseConnection(self) -> None:
        self.disconnecting = True

    def abortConnection(self) -> None:
        self.disconnecting = self.aborted = True
        self.out.clear()

    def drained(self) -> None:
        """All that was written has left."""
        if self.producerPaused and self.producer is not None:
            self.producerPaused = False
            self.producer.resumeProducing()


class Pipe:
    """
    Two protocols, connected.

    @ivar limit: the most bytes that travel at once.
    """

    def __init__(self, left: PacketProtocol, right: PacketProtocol, clock: Clock) -> None:
        self.clock = clock
        self.limit = 65536
        self.lost = False
        self.ends = []
        for protocol in (left, right):
            transport = PipeTransport()
            self.ends.append((protocol, transport))
            protocol.makeConnection(transport)

    def carry(self, index: int) -> bool:
        """Move bytes from one end to the other; return whether any moved."""
        _, source = self.ends[index]
        target, transport = self.ends[1 - index]
        if not source.out or not transport.reading or target.connectionIsLost:
            return False
        data = bytes(source.out[: self.limit])
        del source.out[: self.limit]
        target.dataReceived(data)
        if not source.out:
            source.drained()
        return True

    def flush(self, rounds: int = 100000) -> None:
        """Let everything happen that happens without time passing."""
        for _ in range(rounds):
            self.clock.advance(0)
            moved = self.carry(0)
            if not (self.carry(1) or moved):
                due = [
                    each
                    for each in self.clock.getDelayedCalls()
                    if each.getTime() <= self.clock.seconds()
                ]
                if not due:
                    break
        for _, transport in self.ends:
            if transport.disconnecting and not transport.out:
                self.lose()

    def lose(self, reason: Exception | None = None) -> None:
        """Break the connection."""
        if not self.lost:
            self.lost = True
            for protocol, _ in self.ends:
                protocol.connectionLost(Failure(reason or ConnectionDone()))


class EchoServer(RPCServer):
    """
    Leaves its calls to the test, in the order they came.

    @ivar calls: C{(procedure number, serial)} of each call.
    """

    def __init__(self, clock: Clock, program: Program) -> None:
        super().__init__(clock)
        self.program = program
        self.calls: list[tuple[int, int]] = []
        self.broken: list[str] = []

    def callReceived(
        self,
        program: int,
        version: int,
        number: int,
        serial: int,
        status: int,
        packet: bytes,
        fds: list[int],
    ) -> None:
        self.calls.append((number, serial))
        self.called(number, serial)

    def called(self, number: int, serial: int) -> None:
        """Answer at once, if the test wants to."""

    def brokenBy(self, reason: str) -> None:
        self.broken.append(reason)
        super().brokenBy(reason)


class Client(RPCClient):
    """Remembers why it closed and which messages came."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.events: list[bytes] = []

    def eventReceived(self, program: int, version: int, number: int, packet: bytes) -> None:
        self.events.append(packet)


@implementer(IPacedSink)
class Sink:
    """
    Takes what it is given.

    @ivar seen: data, holes as numbers, C{"finish"}, or the error of an abort.
    @ivar answer: what C{finish} returns.
    @ivar fails: raised by C{write}, once set.
    """

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.source: Any = None
        self.answer: Any = None
        self.fails: Exception | None = None

    @property
    def data(self) -> bytes:
        """All data, holes as zeros."""
        return b"".join(
            each if isinstance(each, bytes) else bytes(each)
            for each in self.seen
            if isinstance(each, bytes | int)
        )

    @property
    def ends(self) -> list[Any]:
        """What is no data."""
        return [each for each in self.seen if not isinstance(each, bytes | int)]

    def attach(self, source: Any) -> None:
        self.source = source

    def write(self, data: bytes) -> None:
        if self.fails is not None:
            raise self.fails
        self.seen.append(data)

    def writeHole(self, length: int) -> None:
        self.seen.append(length)

    def finish(self) -> Any:
        self.seen.append("finish")
        return self.answer

    def abort(self, error: VirtError) -> None:
        self.seen.append(error)


@implementer(IStreamSource)
class Source:
    """
    Has what the test gives it, and remembers how it was treated.

    @ivar pieces: what is left to push; the end follows unless C{endless}.
    """

    def __init__(self, pieces: list[Any] | None = None, endless: bool = False) -> None:
        self.pieces = pieces or []
        self.endless = endless
        self.sink: Any = None
        self.paused = False
        self.stopped = 0
        self.ended = False
        self.treatment: list[str] = []

    def start(self, sink: Any) -> None:
        self.sink = sink
        self.push()

    def push(self) -> None:
        """Push until paused."""
        while self.pieces and not self.paused and not self.stopped:
            piece = self.pieces.pop(0)
            if isinstance(piece, bytes):
                self.sink.write(piece)
            else:
                self.sink.writeHole(piece)
        if not (self.pieces or self.paused or self.stopped or self.ended or self.endless):
            self.ended = True
            self.sink.finish()

    def pauseProducing(self) -> None:
        self.paused = True
        self.treatment.append("pause")

    def resumeProducing(self) -> None:
        self.paused = False
        self.treatment.append("resume")
        if self.sink is not None:
            self.push()

    def stopProducing(self) -> None:
        self.stopped += 1


@implementer(IStreamDuplex, IPacedSink)
class Duplex(Sink, Source):
    """Both."""

    def __init__(self) -> None:
        Sink.__init__(self)
        Source.__init__(self, endless=True)
