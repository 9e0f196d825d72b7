"""
A stream: bytes to or from something on the host, beside the calls of its connection.

The far end is an C{IStreamSource}, an C{IStreamSink} or both, whether a wire lies between or not.  What comes
in waits here until it is asked for, a bounded amount of it; what goes out waits for the far end's leave.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from pyvirt import constants
from pyvirt.client.calls import Calls
from pyvirt.client.deferring import deferred
from pyvirt.client.streamevents import StreamEvents
from pyvirt.constants import VIR_STREAM_NONBLOCK, VIR_STREAM_RECV_STOP_AT_HOLE
from pyvirt.drivers.interfaces.streams import IStreamSink, IStreamSource
from pyvirt.errors import (
    CallFailed,
    ErrorCode,
    ErrorDomain,
    InvalidArgument,
    VirtError,
    virtError,
)
from pyvirt.protocols.procedures import Direction, Procedure

if TYPE_CHECKING:
    from pyvirt.client.connect import Connect

__all__ = ["Stream"]

_T = TypeVar("_T")

CHUNK = 262120
"""How much one step of L{Stream.recvAll} and L{Stream.sendAll} moves, in bytes."""

HIGH = 1 << 20
LOW = 1 << 18


@implementer(IStreamSink)
class _Inbox:
    """What comes from the far end."""

    def __init__(self) -> None:
        self.items: deque[bytes | int] = deque()
        self.size = 0
        self.ended = False
        self.error: VirtError | None = None
        self.waiting: Deferred[None] | None = None
        self.source: Any = None
        self.paused = False
        self.onChange: Callable[[], None] | None = None

    def write(self, data: bytes) -> None:
        if data:
            self.items.append(bytes(data))
            self.size += len(data)
            if self.size >= HIGH and not self.paused and self.source is not None:
                self.paused = True
                self.source.pauseProducing()
        self._wake()

    def writeHole(self, length: int) -> None:
        self.items.append(length)
        self._wake()

    def finish(self) -> None:
        self.ended = True
        self._wake()

    def abort(self, error: VirtError) -> None:
        self.ended = True
        self.error = error
        self._wake()

    def _wake(self) -> None:
        if self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            waiting.callback(None)
        if self.onChange is not None:
            self.onChange()

    async def ready(self) -> None:
        """Wait until there is something, or the end."""
        while not self.items and not self.ended:
            if self.waiting is not None:
                raise virtError(
                    ErrorCode.OPERATION_INVALID,
                    "somebody waits for this stream's data already",
                    ErrorDomain.STREAMS,
                )
            self.waiting = Deferred()
            await self.waiting
        if not self.items and self.error is not None:
            raise self.error

    def take(self, most: int) -> bytes:
        """Take what is at the front, C{most} bytes of it."""
        front = self.items[0]
        assert isinstance(front, bytes)
        if len(front) <= most:
            self.items.popleft()
        else:
            self.items[0] = front[most:]
            front = front[:most]
        self.size -= len(front)
        if self.paused and self.size <= LOW:
            self.paused = False
            self.source.resumeProducing()
        return front


@implementer(IStreamSource)
class _Outbox:
    """What goes to the far end, as the source that the far end slows down."""

    def __init__(self) -> None:
        self.paused = False
        self.waiting: list[Deferred[None]] = []
        self.stopped = False
        self.onChange: Callable[[], None] | None = None

    def start(self, sink: object) -> None:
        """The stream's user starts by sending."""

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False
        self._wake()

    def stopProducing(self) -> None:
        self.stopped = True
        self._wake()

    def _wake(self) -> None:
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each.callback(None)
        if self.onChange is not None:
            self.onChange()

    async def ready(self) -> None:
        """Wait for the far end's leave."""
        while self.paused and not self.stopped:
            leave: Deferred[None] = Deferred()
            self.waiting.append(leave)
            await leave


class Stream(StreamEvents):
    """
    Bytes to or from the host; one call opens it, and after its end another can.

    One that was made with C{VIR_STREAM_NONBLOCK} waits for nothing: L{recv} fires with -2 where nothing has come.

    @ivar _conn: the connection.
    """

    def __init__(self, conn: Connect, _obj: Any = None) -> None:
        self._conn = conn
        super().__init__()
        self._flags: int = _obj or 0
        self._closed = False
        self._sparse = False
        self._inbox = _Inbox()
        self._outbox = _Outbox()
        self._far: Any = None
        self._direction: Direction | None = None

    def connect(self) -> Connect:
        """Return the connection."""
        return self._conn

    def c_pointer(self) -> int:
        """Return a number that tells this stream from others."""
        return id(self)

    def _reset(self) -> None:
        """Be as new, but for the callback: a stream that was finished or given up can be opened again."""
        self._inbox, self._outbox = _Inbox(), _Outbox()
        self._far = self._direction = None
        self._closed = False
        if self._callback is not None:
            self._inbox.onChange = self._outbox.onChange = self._consider

    def _open(
        self, calls: Calls, procedure: Procedure, arguments: tuple[Any, ...]
    ) -> Deferred[Any]:
        """Open it by a call; fires with the call's result."""
        if self._direction is not None and self._closed:
            self._reset()
        if self._direction is not None:
            raise virtError(
                ErrorCode.OPERATION_INVALID, "stream is already in use", ErrorDomain.STREAMS
            )
        self._direction = procedure.stream
        self._sparse = _isSparse(procedure, arguments)

        def opened(answer: tuple[Any, Any]) -> Any:
            value, far = answer
            self._far = far
            # Consoles count as streams to read, and are written to all the same.
            if hasattr(far, "attach"):
                far.attach(self._outbox)
            if hasattr(far, "start"):
                self._inbox.source = far
                far.start(self._inbox)
            return value

        def failed(failure: Any) -> Any:
            self._direction = None
            return failure

        return calls.openStream(procedure, arguments).addCallbacks(opened, failed)

    def _opened(self, function: str) -> Any:
        if self._far is None:
            raise virtError(ErrorCode.NO_SUPPORT, function, ErrorDomain.STREAMS)
        if self._closed:
            if self._inbox.error is not None:
                raise self._inbox.error
            raise virtError(ErrorCode.OPERATION_FAILED, "stream is closed", ErrorDomain.RPC)
        return self._far

    def _nothingYet(self) -> bool:
        """Whether the stream must not wait, and there is nothing."""
        inbox = self._inbox
        return bool(self._flags & VIR_STREAM_NONBLOCK) and not inbox.items and not inbox.ended

    @deferred
    async def recv(self, nbytes: int) -> bytes | int:
        """
        Fire with the next bytes, C{nbytes} at most, as soon as there are any; empty at the end.

        A hole reads as zeros.  Only streams that do not wait fire with a number: -2, nothing has come.

        @raise VirtError: the far end gave up; its own reason.
        """
        got: bytes | int = await self._recv(nbytes, "virStreamRecv")
        return got

    async def _recv(self, nbytes: int, function: str) -> bytes | int:
        if nbytes < 0:
            raise ValueError(f"{nbytes} bytes cannot be received")
        self._opened(function)
        if self._nothingYet():
            return -2
        inbox = self._inbox
        await inbox.ready()
        if not inbox.items:
            return b""
        front = inbox.items[0]
        if isinstance(front, int):
            length = min(front, nbytes)
            self._eatHole(length)
            return bytes(length)
        got: bytes = inbox.take(nbytes)
        return got

    def _eatHole(self, length: int) -> None:
        items = self._inbox.items
        front = items[0]
        assert isinstance(front, int)
        if front <= length:
            items.popleft()
        else:
            items[0] = front - length

    @deferred
    async def recvFlags(self, nbytes: int, flags: int = 0) -> bytes | int:
        """As L{recv}; with C{VIR_STREAM_RECV_STOP_AT_HOLE} it fires with -3 where a hole begins."""
        self._opened("virStreamRecvFlags")
        _knownFlags(flags, VIR_STREAM_RECV_STOP_AT_HOLE, "remoteStreamRecvFlags")
        if self._nothingYet():
            return -2
        inbox = self._inbox
        await inbox.ready()
        if flags & VIR_STREAM_RECV_STOP_AT_HOLE and inbox.items and isinstance(inbox.items[0], int):
            return -3
        got: bytes | int = await self._recv(nbytes, "virStreamRecvFlags")
        return got

    @deferred
    async def recvHole(self, flags: int = 0) -> int:
        """Fire with the length of the hole at the front, in bytes, and pass it; 0 if there is none."""
        self._opened("virStreamRecvHole")
        _knownFlags(flags, 0, "remoteStreamRecvHole")
        self._needHoles("Holes are")
        if self._nothingYet():
            return -2
        inbox = self._inbox
        await inbox.ready()
        if inbox.items and isinstance(inbox.items[0], int):
            length = inbox.items.popleft()
            assert isinstance(length, int)
            return length
        return 0

    @deferred
    async def send(self, data: bytes) -> int:
        """
        Send bytes; fires with how many, all of them, once the far end has given leave for more.

        @raise VirtError: the far end gave up.
        """
        far = self._opened("virStreamSend")
        if isinstance(data, str):
            raise TypeError("a bytes-like object is required, not 'str'")
        self._check()
        if self._flags & VIR_STREAM_NONBLOCK and self._outbox.paused:
            return -2
        await self._outbox.ready()
        self._check()
        if data:
            far.write(bytes(data))
        return len(data)

    @deferred
    async def sendHole(self, length: int, flags: int = 0) -> int:
        """Send a hole of C{length} bytes, on streams that were opened for it.  Fires with 0."""
        far = self._opened("virStreamSendHole")
        _knownFlags(flags, 0, "remoteStreamSendHole")
        self._needHoles("Skipping is")
        self._check()
        if self._flags & VIR_STREAM_NONBLOCK and self._outbox.paused:
            return -2
        await self._outbox.ready()
        self._check()
        far.writeHole(length)
        return 0

    def _needHoles(self, what: str) -> None:
        if not self._sparse:
            raise virtError(
                ErrorCode.OPERATION_INVALID,
                f"{what} not supported with this stream",
                ErrorDomain.RPC,
            )

    def _check(self) -> None:
        if self._inbox.error is not None:
            raise self._inbox.error

    @deferred
    async def finish(self) -> int:
        """
        Say that there is no more, or that no more is wanted; fires with 0 when the far end has agreed.

        @raise VirtError: the far end failed, perhaps with the last of what was sent.
        """
        far = self._opened("virStreamFinish")
        self._check()
        if hasattr(far, "finish"):
            try:
                answer = far.finish()
                if isawaitable(answer):
                    await answer
            except VirtError as error:
                self._inbox.error = error
                self._closed = True
                raise
        elif not self._inbox.ended:
            far.stopProducing()
        self._check()
        self._closed = True
        return 0

    @deferred
    async def abort(self) -> int:
        """Give the stream up; one that was not opened has nothing to give up.  Fires with 0."""
        if self._far is None:
            return 0
        far = self._opened("virStreamAbort")
        self._check()
        self._closed = True
        if hasattr(far, "abort"):
            answer = far.abort(
                virtError(ErrorCode.OPERATION_ABORTED, "stream aborted", ErrorDomain.STREAMS)
            )
            if isawaitable(answer):
                await answer
        else:
            far.stopProducing()
        return 0

    @deferred
    async def recvAll(self, handler: Callable[[Stream, bytes, _T], object], opaque: _T) -> None:
        """
        Call C{handler(stream, data, opaque)} with everything until the end.

        @param handler: what it returns is waited for; a negative number or an exception gives the stream up.
        """
        while data := await self.recv(CHUNK):
            if isinstance(data, int):
                raise CallFailed("cannot use recvAll with nonblocking stream")
            await self._handled(handler, data, opaque, "recvAll")

    @deferred
    async def sparseRecvAll(
        self,
        handler: Callable[[Stream, bytes, _T], object],
        holeHandler: Callable[[Stream, int, _T], object],
        opaque: _T,
    ) -> None:
        """As L{recvAll}, with C{holeHandler(stream, length, opaque)} for holes."""
        while True:
            data = await self.recvFlags(CHUNK, VIR_STREAM_RECV_STOP_AT_HOLE)
            if data == -2:
                raise CallFailed("cannot use sparseRecvAll with nonblocking stream")
            if isinstance(data, int):
                length = await self.recvHole()
                await self._handled(holeHandler, length, opaque, "holeHandler")
            elif data:
                await self._handled(handler, data, opaque, "sparseRecvAll")
            else:
                return

    async def _handled(self, handler: Any, item: Any, opaque: Any, name: str) -> None:
        try:
            answer = handler(self, item, opaque)
            if isawaitable(answer):
                answer = await answer
        except BaseException:
            await self.abort()
            raise
        if isinstance(answer, int) and answer < 0:
            await self.abort()
            raise RuntimeError(f"{name} handler returned {answer}")

    @deferred
    async def sendAll(
        self, handler: Callable[[Stream, int, _T], bytes | Awaitable[bytes]], opaque: _T
    ) -> None:
        """
        Send what C{handler(stream, nbytes, opaque)} returns, until that is empty.

        @param handler: returns bytes or something to wait for; an exception gives the stream up.
        """
        while data := await self._asked(handler, CHUNK, opaque):
            if await self.send(data) == -2:
                raise CallFailed("cannot use sendAll with nonblocking stream")

    @deferred
    async def sparseSendAll(
        self,
        handler: Callable[[Stream, int, _T], bytes | Awaitable[bytes]],
        holeHandler: Callable[[Stream, _T], Sequence[int] | Awaitable[Sequence[int]]],
        skipHandler: Callable[[Stream, int, _T], object],
        opaque: _T,
    ) -> None:
        """
        As L{sendAll}, with holes.

        @param holeHandler: returns whether data comes next, and how many bytes of data or hole.
        @param skipHandler: told to pass over a hole in what C{handler} reads.
        """
        while True:
            inData, length = await self._asked(holeHandler, opaque)
            if not inData and length > 0:
                await self.sendHole(length)
                await self._asked(skipHandler, length, opaque)
                continue
            data = await self._asked(handler, min(CHUNK, length), opaque)
            if not data:
                return
            if await self.send(data) == -2:
                raise CallFailed("cannot use sparseSendAll with nonblocking stream")

    async def _asked(self, handler: Any, *arguments: Any) -> Any:
        try:
            answer = handler(self, *arguments)
            return await answer if isawaitable(answer) else answer
        except BaseException:
            await self.abort()
            raise


def _isSparse(procedure: Procedure, arguments: tuple[Any, ...]) -> bool:
    """Whether a call asks for a stream with holes."""
    return procedure.sparse is not None and bool(
        arguments[-1] & getattr(constants, procedure.sparse)
    )


def _knownFlags(flags: int, known: int, function: str) -> None:
    """Refuse other flags."""
    if flags & ~known:
        raise InvalidArgument(
            f"unsupported flags (0x{flags & ~known:x}) in function {function}",
            domain=ErrorDomain.REMOTE,
            str1=function,
            str2="flags",
            int1=0,
            int2=0,
        )
