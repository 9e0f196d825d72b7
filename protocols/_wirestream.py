"""
What both ends of a stream do: send at the transport's pace, keep what the sink cannot take yet.

The rules of ending differ and are left to subclasses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pyvirt import constants
from pyvirt.drivers.interfaces.streams import IPacedSink, IStreamDuplex
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.protocols.message import PAYLOAD, STREAM_CHUNK, MessageType, Status, packHeader
from pyvirt.protocols.procedures import Procedure, Program
from pyvirt.protocols.structs import StreamHole
from pyvirt.protocols.xdr import XDRError, compileCodec, resolve

if TYPE_CHECKING:
    from pyvirt.protocols.rpc import RPCPeer

__all__ = ["WireStream", "takesHoles"]

_HOLE = compileCodec([resolve(StreamHole)], "hole")
_HOLE_MAX = (1 << 63) - 1
_OVERHEAD = 128
"""What a waiting packet costs beside its bytes: floods of small ones must count."""
EOF: Any = object()
FINISH: Any = object()

STREAM = int(MessageType.STREAM)
STREAM_HOLE = int(MessageType.STREAM_HOLE)
OK = int(Status.OK)
ERROR = int(Status.ERROR)
CONTINUE = int(Status.CONTINUE)


def takesHoles(procedure: Procedure, arguments: Sequence[Any]) -> bool:
    """Whether a call asks for a stream with holes."""
    if procedure.sparse is None:
        return False
    flag: int = getattr(constants, procedure.sparse)
    return bool(arguments[procedure.parameters.index("flags")] & flag)


def streamError(text: str) -> VirtError:
    return virtError(ErrorCode.RPC, text, ErrorDomain.STREAMS)


def sinkError() -> VirtError:
    return virtError(ErrorCode.INTERNAL_ERROR, "stream sink failed", ErrorDomain.STREAMS)


@implementer(IStreamDuplex, IPacedSink)
class WireStream:
    """
    One stream of a connection.

    @ivar error: what it failed with, or None.
    @ivar closed: nothing goes or comes any more.
    @ivar sparse: holes may travel.
    @ivar waiting: how much its sink has not taken yet: bytes, and C{_OVERHEAD} for each packet.
    @ivar moved: the sink has taken something since this was last set to False.
    """

    log = Logger()

    def __init__(
        self,
        peer: RPCPeer,
        program: Program,
        procedure: Procedure,
        serial: int,
        sparse: bool = False,
    ) -> None:
        self.peer = peer
        self.program = program
        self.procedure = procedure
        self.serial = serial
        self.sparse = sparse
        self.error: VirtError | None = None
        self.closed = False
        self.waiting = 0
        self.moved = False
        self._incoming: deque[tuple[Any, int]] = deque()
        self._sink: Any = None
        self._sinkPaused = False
        self._delivering = False
        self._outgoing: deque[bytes] = deque()
        self._source: Any = None
        self._sourcePaused = False
        peer.streams[serial] = self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.serial} of {self.procedure.name}>"

    # Out: IPacedSink, for whoever has data

    def attach(self, source: Any) -> None:
        """C{source} will write here: it is paused whenever the transport has enough."""
        self._source = source
        self._pauseSource()

    def write(self, data: bytes) -> None:
        """
        Send data, in packets that every version accepts.

        @raise VirtError: on a client: the stream has failed or is ended.
        """
        if not self.mayWrite():
            return
        size = len(data)
        if 0 < size <= STREAM_CHUNK:
            self._put(STREAM, CONTINUE, data)
            return
        view = memoryview(data)
        for offset in range(0, size, STREAM_CHUNK):
            self._put(STREAM, CONTINUE, view[offset : offset + STREAM_CHUNK])

    def writeHole(self, length: int) -> None:
        """
        Send a hole of C{length} bytes, above 0.

        @raise VirtError: as L{write}; also when the stream was opened without holes.
        """
        if not self.mayWrite():
            return
        if not self.sparse:
            raise virtError(
                ErrorCode.OPERATION_INVALID, "stream was opened without holes", ErrorDomain.STREAMS
            )
        if not 0 < length <= _HOLE_MAX:
            raise virtError(ErrorCode.INVALID_ARG, f"hole of {length} bytes", ErrorDomain.STREAMS)
        self._put(STREAM_HOLE, CONTINUE, _HOLE.encode((StreamHole(length, 0),)))

    def finish(self) -> Any:
        """There is no more to write."""
        raise NotImplementedError

    def abort(self, error: VirtError) -> Any:
        """What was written is not all, and no more comes."""
        raise NotImplementedError

    def mayWrite(self) -> bool:
        """Whether what is written goes out; False drops it."""
        raise NotImplementedError

    @property
    def clogged(self) -> bool:
        """Whether what is written now has to wait."""
        return self.peer.clogged or bool(self._outgoing)

    def unclogged(self) -> None:
        """Send what waits, until the transport has enough again."""
        outgoing, peer = self._outgoing, self.peer
        while outgoing and not peer.clogged:
            peer.sendStream(outgoing.popleft())
        if self._sourcePaused and not self.clogged:
            self._sourcePaused = False
            if self._source is not None:
                self._source.resumeProducing()

    def _packet(self, type: int, status: int, payload: bytes | memoryview = b"") -> bytes:
        program = self.program
        return (
            packHeader(
                PAYLOAD + len(payload),
                program.number,
                program.version,
                self.procedure.number,
                type,
                self.serial,
                status,
            )
            + payload
        )

    def _put(self, type: int, status: int, payload: bytes | memoryview = b"") -> None:
        """Send a packet behind those that wait."""
        packet = self._packet(type, status, payload)
        if self.clogged:
            self._outgoing.append(packet)
        else:
            self.peer.sendStream(packet)
        self._pauseSource()

    def _pauseSource(self) -> None:
        if self._source is not None and not self._sourcePaused and self.clogged:
            self._sourcePaused = True
            self._source.pauseProducing()

    def _stopSource(self) -> None:
        """Nobody will take what the source has."""
        source, self._source = self._source, None
        if source is not None:
            try:
                source.stopProducing()
            except Exception:
                self.log.failure("the source of {stream} failed to stop", stream=self)

    # In: IStreamSource, for whoever wants data

    def start(self, sink: Any) -> None:
        """Push what came and what comes into C{sink}."""
        self._sink = sink
        self._deliver()

    def pauseProducing(self) -> None:
        """Push nothing until L{resumeProducing}."""
        self._sinkPaused = True

    def resumeProducing(self) -> None:
        """Push what came meanwhile, and then what comes."""
        self._sinkPaused = False
        self._deliver()

    def stopProducing(self) -> None:
        """The sink wants no more."""
        raise NotImplementedError

    def packetReceived(self, type: int, status: int, packet: bytes) -> None:
        """Take a packet of this stream from the peer."""
        if type == STREAM_HOLE:
            self._holeReceived(status, packet)
        elif status == CONTINUE:
            if len(packet) > PAYLOAD:
                self.arrived(packet[PAYLOAD:], len(packet))
            else:
                self.emptyReceived()
        elif status == OK:
            self.okReceived()
        elif status == ERROR:
            self.errorReceived(packet)
        else:
            self.broken(f"stream aborted with unexpected status {status}")

    def _holeReceived(self, status: int, packet: bytes) -> None:
        if not self.sparse:
            self.broken("Unexpected stream hole")
            return
        if status != CONTINUE:
            self.broken(f"stream hole with unexpected status {status}")
            return
        try:
            ((length, flags),), _ = _HOLE.decode(packet, PAYLOAD)
        except XDRError as problem:
            self.broken(f"stream hole cannot be read: {problem}")
            return
        if length <= 0 or flags:
            self.broken(f"stream hole of {length} bytes with flags {flags}")
        else:
            self.arrived(length, len(packet))

    def emptyReceived(self) -> None:
        """Take a packet of data without data."""
        raise NotImplementedError

    def okReceived(self) -> None:
        """Take the peer's success."""
        raise NotImplementedError

    def errorReceived(self, packet: bytes) -> None:
        """Take the peer's failure."""
        raise NotImplementedError

    def broken(self, reason: str) -> None:
        """The peer sent what makes no sense here: end the stream, tell both sides."""
        raise NotImplementedError

    def connectionLost(self, reason: Failure) -> None:
        """End the stream; the connection is gone."""
        raise NotImplementedError

    def stalled(self) -> None:
        """The sink has taken nothing for too long, and others wait for it."""
        self.broken("stream stalled: its data was not taken in time")

    def callFailed(self) -> None:
        """The call that was to open the stream has failed: there is none."""
        self.close()

    def callForgotten(self) -> None:
        """The stream is open, but whoever asked for it does not want it any more."""
        self.stopProducing()

    def arrived(self, item: Any, size: int) -> None:
        """Take what is for the sink, now or once the sink can."""
        if self._incoming or self._sinkPaused or self._delivering or self._sink is None:
            cost = size + _OVERHEAD
            self._incoming.append((item, cost))
            self._count(cost)
            return
        self.moved = True
        self._delivering = True
        try:
            self._push(item)
        finally:
            self._delivering = False
        self._deliver()

    def _deliver(self) -> None:
        """Push into the sink until it pauses us or nothing waits."""
        incoming = self._incoming
        if not incoming or self._delivering:
            return
        self._delivering = True
        try:
            while incoming and not self._sinkPaused and self._sink is not None:
                item, cost = incoming.popleft()
                self.moved = True
                self._push(item)
                # Not before: reading on may bring more for a sink that has just paused us.
                self._count(-min(cost, self.waiting))
        finally:
            self._delivering = False

    def _push(self, item: Any) -> None:
        sink = self._sink
        try:
            if item is EOF:
                sink.finish()
            elif item is FINISH:
                self.sinkFinishes(sink.finish())
            elif item.__class__ is int:
                sink.writeHole(item)
            else:
                sink.write(item)
        except VirtError as error:
            self.sinkFailed(error)
        except Exception:
            self.log.failure("the sink of {stream} failed", stream=self)
            self.sinkFailed(sinkError())

    def sinkFinishes(self, result: Any) -> None:
        """Take what the sink's C{finish} returned, on the side where the peer waits for it."""
        raise NotImplementedError

    def sinkFailed(self, error: VirtError) -> None:
        """The sink cannot go on: end the stream, tell the peer."""
        raise NotImplementedError

    def abortSink(self, error: VirtError) -> None:
        """Tell the sink, if there is one, that no more comes and why."""
        sink, self._sink = self._sink, None
        if sink is not None:
            try:
                sink.abort(error)
            except Exception:
                self.log.failure("the sink of {stream} failed to abort", stream=self)

    def _count(self, change: int) -> None:
        self.waiting += change
        self.peer.inflow.count(change)

    def forget(self) -> None:
        """Drop what waits inwards."""
        self._incoming.clear()
        if self.waiting:
            self._count(-self.waiting)

    def close(self) -> None:
        """End here: drop all that waits, both ways, and hear no more from the peer."""
        if not self.closed:
            self.closed = True
            self._outgoing.clear()
            if self.peer.streams.get(self.serial) is self:
                del self.peer.streams[self.serial]
            self.forget()
