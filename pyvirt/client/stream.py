"""
A stream: bytes to or from something on the host, beside the calls of its connection.

The far end is an C{IStreamSource}, an C{IStreamSink} or both, whether a wire lies between or not.  What comes
in waits here until it is asked for, a bounded amount of it; what goes out waits for the far end's leave.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from pyvirt.client.calls import Calls
from pyvirt.client.deferring import deferred
from pyvirt.constants import VIR_STREAM_RECV_STOP_AT_HOLE
from pyvirt.drivers.interfaces.streams import IStreamSink, IStreamSource
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.protocols.procedures import Direction, Procedure

if TYPE_CHECKING:
    from pyvirt.client.connect import Connect

__all__ = ["Stream"]

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

    async def ready(self) -> None:
        """Wait for the far end's leave."""
        while self.paused and not self.stopped:
            leave: Deferred[None] = Deferred()
            self.waiting.append(leave)
            await leave


class Stream:
    """
    Bytes to or from the host; one call opens it, and it is used once.

    @ivar _conn: the connection.
    """

    def __init__(self, conn: Connect, _obj: Any = None) -> None:
        self._conn = conn
        self._flags: int = _obj or 0
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

    def _open(
        self, calls: Calls, procedure: Procedure, arguments: tuple[Any, ...]
    ) -> Deferred[Any]:
        """Open it by a call; fires with the call's result."""
        if self._direction is not None:
            raise virtError(
                ErrorCode.OPERATION_INVALID, "stream is already in use", ErrorDomain.STREAMS
            )
        self._direction = procedure.stream

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

    def _opened(self) -> Any:
        if self._far is None:
            raise virtError(ErrorCode.NO_SUPPORT, "virStreamSend", ErrorDomain.STREAMS)
        return self._far

    @deferred
    async def recv(self, nbytes: int) -> bytes:
        """
        Fire with the next bytes, C{nbytes} at most, as soon as there are any; empty at the end.

        A hole reads as zeros.

        @raise VirtError: the far end gave up; its own reason.
        """
        self._opened()
        inbox = self._inbox
        await inbox.ready()
        if not inbox.items:
            return b""
        front = inbox.items[0]
        if isinstance(front, int):
            length = min(front, nbytes)
            self._eatHole(length)
            return bytes(length)
        return inbox.take(nbytes)

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
        self._opened()
        inbox = self._inbox
        await inbox.ready()
        if inbox.items and isinstance(inbox.items[0], int):
            if flags & VIR_STREAM_RECV_STOP_AT_HOLE:
                return -3
            return await self.recv(nbytes)
        return inbox.take(nbytes) if inbox.items else b""

    @deferred
    async def recvHole(self, flags: int = 0) -> int:
        """Fire with the length of the hole at the front, in bytes, and pass it; 0 if there is none."""
        self._opened()
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
        far = self._opened()
        self._check()
        await self._outbox.ready()
        self._check()
        if data:
            far.write(bytes(data))
        return len(data)

    @deferred
    async def sendHole(self, length: int, flags: int = 0) -> int:
        """Send a hole of C{length} bytes, on streams that were opened for it.  Fires with 0."""
        far = self._opened()
        self._check()
        await self._outbox.ready()
        self._check()
        far.writeHole(length)
        return 0

    def _check(self) -> None:
        if self._inbox.error is not None:
            raise self._inbox.error

    @deferred
    async def finish(self) -> int:
        """
        Say that there is no more, or that no more is wanted; fires with 0 when the far end has agreed.

        @raise VirtError: the far end failed, perhaps with the last of what was sent.
        """
        far = self._opened()
        self._check()
        if hasattr(far, "finish"):
            answer = far.finish()
            if isawaitable(answer):
                await answer
        elif not self._inbox.ended:
            far.stopProducing()
        self._check()
        return 0

    @deferred
    async def abort(self) -> int:
        """Give the stream up.  Fires with 0."""
        far = self._opened()
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
    async def recvAll(self, handler: Callable[[Stream, bytes, Any], Any], opaque: Any) -> None:
        """
        Call C{handler(stream, data, opaque)} with everything until the end.

        @param handler: what it returns is waited for; a negative number or an exception gives the stream up.
        """
        while data := await self.recv(CHUNK):
            await self._handled(handler, data, opaque, "recvAll")

    @deferred
    async def sparseRecvAll(
        self,
        handler: Callable[[Stream, bytes, Any], Any],
        holeHandler: Callable[[Stream, int, Any], Any],
        opaque: Any,
    ) -> None:
        """As L{recvAll}, with C{holeHandler(stream, length, opaque)} for holes."""
        while True:
            data = await self.recvFlags(CHUNK, VIR_STREAM_RECV_STOP_AT_HOLE)
            if isinstance(data, int):
                length = await self.recvHole()
                await self._handled(holeHandler, length, opaque, "sparseRecvAll")
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
    async def sendAll(self, handler: Callable[[Stream, int, Any], Any], opaque: Any) -> None:
        """
        Send what C{handler(stream, nbytes, opaque)} returns, until that is empty.

        @param handler: returns bytes or something to wait for; an exception gives the stream up.
        """
        while data := await self._asked(handler, CHUNK, opaque):
            await self.send(data)

    @deferred
    async def sparseSendAll(
        self,
        handler: Callable[[Stream, int, Any], Any],
        holeHandler: Callable[[Stream, Any], Any],
        skipHandler: Callable[[Stream, int, Any], Any],
        opaque: Any,
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
            await self.send(data)

    async def _asked(self, handler: Any, *arguments: Any) -> Any:
        try:
            answer = handler(self, *arguments)
            return await answer if isawaitable(answer) else answer
        except BaseException:
            await self.abort()
            raise
