"""
Streams to and from files: read and written in threads, at the pace of the other end.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from pyvirt.drivers.interfaces.streams import IPacedSink, IStreamSink, IStreamSource
from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.process import systemError

__all__ = ["FileReader", "FileWriter"]

_BLOCK = 256 * 1024
#: Bytes that may wait to be written before the other end is told to pause.
_WAITING = 4 * _BLOCK

Thread = Callable[..., "Deferred[Any]"]


def _failure(problem: BaseException, what: str) -> VirtError:
    if isinstance(problem, VirtError):
        return problem
    return systemError(problem, what, ErrorDomain.STREAMS)


def _write(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view = view[written:]
        offset += written


def _hole(fd: int, offset: int, length: int) -> None:
    """Let bytes read as zeros; those behind the end make the file longer."""
    size = os.fstat(fd).st_size
    if offset + length > size:
        os.ftruncate(fd, offset + length)
    inside = min(offset + length, size) - offset
    while inside > 0:
        piece = min(inside, _BLOCK)
        _write(fd, bytes(piece), offset)
        offset += piece
        inside -= piece


@implementer(IPacedSink)
class FileWriter:
    """Writes what comes to a file, from one place on."""

    def __init__(
        self, thread: Thread, fd: int, offset: int, length: int, over: Callable[[], None]
    ) -> None:
        """
        @param thread: does something in a thread.
        @param fd: is closed in the end.
        @param length: the most that is taken, in bytes; 0: no limit.
        @param over: called once when the file is closed.
        """
        self._thread = thread
        self._fd = fd
        self._at = offset
        self._end = offset + length if length else None
        self._over = over
        self._queue: deque[tuple[Callable[..., None], tuple[Any, ...], int]] = deque()
        self._waiting = 0
        self._busy = False
        self._paused = False
        self._closing = False
        self._error: VirtError | None = None
        self._source: IStreamSource | None = None
        self._finished: Deferred[None] | None = None

    def attach(self, source: IStreamSource) -> None:
        """Remember whom to tell to pause."""
        self._source = source

    def _check(self, length: int) -> None:
        if self._error is not None:
            error = self._error
            self._close()
            raise error
        if self._end is not None and self._at + length > self._end:
            self._close()
            raise systemError(
                OSError(errno.ENOSPC, ""), "cannot write to stream", ErrorDomain.STREAMS
            )

    def write(self, data: bytes) -> None:
        """Take bytes."""
        self._check(len(data))
        self._enqueue(_write, (bytes(data), self._at), len(data))

    def writeHole(self, length: int) -> None:
        """Take a hole."""
        self._check(length)
        self._enqueue(_hole, (self._at, length), length)

    def _enqueue(self, work: Callable[..., None], arguments: tuple[Any, ...], length: int) -> None:
        self._at += length
        weight = length if work is _write else 0
        self._queue.append((work, arguments, weight))
        self._waiting += weight
        if self._waiting > _WAITING and not self._paused and self._source is not None:
            self._paused = True
            self._source.pauseProducing()
        self._next()

    def _next(self) -> None:
        if self._busy:
            return
        if not self._queue:
            if self._closing:
                self._closed()
            return
        self._busy = True
        work, arguments, weight = self._queue.popleft()

        def done(result: Any) -> None:
            self._busy = False
            self._waiting -= weight
            if self._paused and self._waiting <= _BLOCK:
                self._paused = False
                if self._source is not None:
                    self._source.resumeProducing()
            self._next()

        def failed(failure: Any) -> None:
            self._error = self._error or _failure(failure.value, "cannot write to stream")
            self._queue.clear()

        self._thread(work, self._fd, *arguments).addErrback(failed).addCallback(done)

    def _closed(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)
            self._over()
        finished, self._finished = self._finished, None
        if finished is not None:
            if self._error is not None:
                finished.errback(self._error)
            else:
                finished.callback(None)

    def _close(self) -> None:
        self._queue.clear()
        self._closing = True
        self._source = None
        self._next()

    def finish(self) -> Deferred[None]:
        """Fire once all is in the file."""
        finished: Deferred[None] = Deferred()
        self._finished = finished
        self._closing = True
        self._next()
        return finished

    def abort(self, error: VirtError) -> None:
        """What came stays."""
        self._close()


def _extent(fd: int, offset: int, end: int) -> tuple[int, bool]:
    """Return where the stretch that begins at C{offset} ends, and whether there is data in it."""
    try:
        data = os.lseek(fd, offset, os.SEEK_DATA)
    except OSError as problem:
        if problem.errno != errno.ENXIO:
            return end, True
        return end, False
    if data > offset:
        return min(data, end), False
    try:
        return min(os.lseek(fd, offset, os.SEEK_HOLE), end), True
    except OSError:
        return end, True


def _step(fd: int, offset: int, end: int, sparse: bool) -> tuple[bytes, int]:
    """Read the next bytes, or find the next hole: what was read and how long the hole is; both empty: the end."""
    size = os.lseek(fd, 0, os.SEEK_END)
    end = min(end, size)
    if offset >= end:
        return b"", 0
    stop, filled = _extent(fd, offset, end) if sparse else (end, True)
    if not filled:
        return b"", stop - offset
    return os.pread(fd, min(_BLOCK, stop - offset), offset), 0


@implementer(IStreamSource)
class FileReader:
    """Pushes a part of a file, with its holes as such where that is wanted."""

    def __init__(
        self,
        thread: Thread,
        fd: int,
        offset: int,
        length: int,
        sparse: bool,
    ) -> None:
        """
        @param fd: is closed in the end.
        @param length: how many bytes at most; 0: to the end.
        """
        self._thread = thread
        self._fd = fd
        self._at = offset
        self._end = offset + length if length else 1 << 63
        self._sparse = sparse
        self._sink: IStreamSink | None = None
        self._paused = False
        self._busy = False

    def start(self, sink: IStreamSink) -> None:
        """Begin to push into C{sink}."""
        self._sink = sink
        if IPacedSink.providedBy(sink):
            sink.attach(self)
        self._next()

    def pauseProducing(self) -> None:
        """Push nothing for now."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        self._next()

    def stopProducing(self) -> None:
        """Nobody wants more."""
        self._sink = None
        self._next()

    def _next(self) -> None:
        if self._busy:
            return
        if self._sink is None:
            self._close()
            return
        if self._paused:
            return
        self._busy = True
        reading = self._thread(_step, self._fd, self._at, self._end, self._sparse)
        reading.addCallbacks(self._read, self._failed)
        reading.addErrback(self._failed)

    def _read(self, step: tuple[bytes, int]) -> None:
        self._busy = False
        data, hole = step
        sink = self._sink
        if sink is None:
            self._close()
        elif data:
            self._at += len(data)
            sink.write(data)
            self._next()
        elif hole:
            self._at += hole
            sink.writeHole(hole)
            self._next()
        else:
            self._sink = None
            self._close()
            sink.finish()

    def _failed(self, failure: Any) -> None:
        self._busy = False
        sink, self._sink = self._sink, None
        self._close()
        if sink is not None:
            sink.abort(_failure(failure.value, "cannot read from stream"))

    def _close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)
