"""
Streams: the handlers of C{recvAll} and its like are called in the thread that calls it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from pyvirt.blocking._errors import libvirtError
from pyvirt.blocking._eventloop import loop
from pyvirt.blocking._objects import Object, call
from pyvirt.client.stream import CHUNK, Stream
from pyvirt.constants import VIR_STREAM_RECV_STOP_AT_HOLE

__all__ = ["StreamBase"]


class StreamBase(Object):
    """A stream."""

    def eventAddCallback(self, events: int, cb: Callable[..., Any], opaque: Any) -> None:
        """
        Have C{cb(stream, events, opaque)} called by the event loop as long as something can be read or written.

        @param events: C{VIR_STREAM_EVENT_*}.
        """

        def happened(inner: Any, found: int, nothing: Any) -> Deferred[None] | None:
            return loop.put(lambda: self._told(cb, found, opaque), wait=True)

        call(Stream.eventAddCallback, self._o, events, happened, None)
        self.cb = cb
        loop.wake()

    def eventRemoveCallback(self) -> int:
        """Call the callback no more.  Returns 0."""
        result: int = call(Stream.eventRemoveCallback, self._o)
        self.cb = None
        return result

    def _told(self, cb: Callable[..., Any], events: int, opaque: Any) -> None:
        if self.cb is not None and self._o._callback is not None:
            cb(self, events & self._o._events, opaque)

    def _abandon(self) -> None:
        with contextlib.suppress(Exception):
            self.abort()  # type: ignore[attr-defined]

    def recvAll(self, handler: Callable[..., Any], opaque: Any) -> None:
        """Call C{handler(stream, data, opaque)} with everything; a negative number or an exception ends it."""
        while True:
            got = self.recv(CHUNK)  # type: ignore[attr-defined]
            if got == -2:
                raise libvirtError("cannot use recvAll with nonblocking stream")
            if not got:
                return
            try:
                answer = handler(self, got, opaque)
                if isinstance(answer, int) and answer < 0:
                    raise RuntimeError(f"recvAll handler returned {answer}")
            except BaseException:
                self._abandon()
                raise

    def sendAll(self, handler: Callable[..., Any], opaque: Any) -> None:
        """Send what C{handler(stream, nbytes, opaque)} returns, until that is empty."""
        while True:
            try:
                got = handler(self, CHUNK, opaque)
            except BaseException:
                self._abandon()
                raise
            if not got:
                return
            if self.send(got) == -2:  # type: ignore[attr-defined]
                raise libvirtError("cannot use sendAll with nonblocking stream")

    def sparseRecvAll(
        self, handler: Callable[..., Any], holeHandler: Callable[..., Any], opaque: Any
    ) -> None:
        """As L{recvAll}, with C{holeHandler(stream, length, opaque)} for holes."""
        while True:
            got = self.recvFlags(CHUNK, VIR_STREAM_RECV_STOP_AT_HOLE)  # type: ignore[attr-defined]
            if got == -2:
                raise libvirtError("cannot use sparseRecvAll with nonblocking stream")
            if got == -3:
                length = self.recvHole()  # type: ignore[attr-defined]
                answer = holeHandler(self, length, opaque)
                name = "holeHandler"
            elif got:
                answer = handler(self, got, opaque)
                name = "sparseRecvAll"
            else:
                return
            if isinstance(answer, int) and answer < 0:
                self._abandon()
                raise RuntimeError(f"{name} handler returned {answer}")

    def sparseSendAll(
        self,
        handler: Callable[..., Any],
        holeHandler: Callable[..., Any],
        skipHandler: Callable[..., Any],
        opaque: Any,
    ) -> None:
        """
        As L{sendAll}, with holes.

        @param holeHandler: C{holeHandler(stream, opaque)} returns whether data comes next, and how many bytes.
        @param skipHandler: C{skipHandler(stream, length, opaque)} passes over a hole.
        """
        while True:
            inData, length = holeHandler(self, opaque)
            if not inData and length > 0:
                if (
                    self.sendHole(length) < 0  # type: ignore[attr-defined]
                    or skipHandler(self, length, opaque) < 0
                ):
                    self._abandon()
                continue
            got = handler(self, min(CHUNK, length), opaque)
            if not got:
                return
            if self.send(got) == -2:  # type: ignore[attr-defined]
                raise libvirtError("cannot use sparseSendAll with nonblocking stream")

    cb: Any = None
