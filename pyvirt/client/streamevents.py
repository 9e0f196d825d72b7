"""
Callbacks of a stream: called again and again as long as there is something to read, or leave to write.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pyvirt.client.deferring import deferred
from pyvirt.constants import (
    VIR_STREAM_EVENT_READABLE,
    VIR_STREAM_EVENT_WRITABLE,
)
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

if TYPE_CHECKING:
    from pyvirt.client.connect import Connect
    from pyvirt.client.stream import Stream

__all__ = ["StreamEvents"]

_T = TypeVar("_T")

_log = Logger()


class StreamEvents:
    """The callback of a stream, one at most."""

    _conn: Connect
    _inbox: Any
    _outbox: Any
    _opened: Callable[[str], Any]

    def __init__(self) -> None:
        self._callback: Callable[..., Any] | None = None
        self._opaque: Any = None
        self._events = 0
        self._scheduled: Any = None
        self._calling = False

    @deferred
    async def eventAddCallback(
        self, events: int, cb: Callable[[Stream, int, _T], object], opaque: _T
    ) -> None:
        """
        Have C{cb(stream, events, opaque)} called as long as something can be read or written.

        What the callback returns is waited for before it is called again.

        @param events: C{VIR_STREAM_EVENT_*}.
        @raise VirtError: there is a callback already.
        """
        self._needFar("virStreamEventAddCallback")
        if self._callback is not None:
            raise _internal("multiple stream callbacks not supported")
        self._callback, self._opaque, self._events = cb, opaque, events
        self._inbox.onChange = self._outbox.onChange = self._consider
        self._consider()

    @deferred
    async def eventUpdateCallback(self, events: int) -> int:
        """
        Change what the callback waits for.  Fires with 0.

        @raise VirtError: there is none.
        """
        self._needFar("virStreamEventUpdateCallback")
        self._needCallback()
        self._events = events
        self._consider()
        return 0

    @deferred
    async def eventRemoveCallback(self) -> int:
        """
        Call the callback no more.  Fires with 0.

        @raise VirtError: there is none.
        """
        self._needFar("virStreamEventRemoveCallback")
        self._needCallback()
        self._callback = self._opaque = self._inbox.onChange = None
        self._outbox.onChange = None
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None
        return 0

    def _needFar(self, function: str) -> None:
        far: Any = getattr(self, "_far", None)
        if far is None:
            raise virtError(ErrorCode.NO_SUPPORT, function, ErrorDomain.STREAMS)

    def _needCallback(self) -> None:
        if self._callback is None:
            raise _internal("no stream callback registered")

    def _possible(self) -> int:
        found = 0
        if self._inbox.items or self._inbox.ended:
            found |= VIR_STREAM_EVENT_READABLE
        if not self._outbox.paused or self._outbox.stopped:
            found |= VIR_STREAM_EVENT_WRITABLE
        return found & self._events

    def _consider(self) -> None:
        """Call the callback soon, if it is to be called and is not being called."""
        if self._callback is None or self._calling or self._scheduled is not None:
            return
        if self._possible():
            self._scheduled = self._conn._session.clock.callLater(0, self._call)

    def _call(self) -> None:
        self._scheduled = None
        possible = self._possible()
        if self._callback is None or not possible:
            return
        self._calling = True
        Deferred.fromCoroutine(self._called(self._callback, possible)).addBoth(self._again)

    async def _called(self, callback: Callable[..., Any], events: int) -> None:
        try:
            answer = callback(self, events, self._opaque)
            if isawaitable(answer):
                await answer
        except Exception:
            _log.failure("A stream's callback failed")

    def _again(self, result: Any) -> None:
        self._calling = False
        self._consider()


def _internal(detail: str) -> Exception:
    return virtError(ErrorCode.INTERNAL_ERROR, detail, ErrorDomain.RPC)
