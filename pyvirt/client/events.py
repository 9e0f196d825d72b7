"""
The queue between the wire and callbacks: events in order, a bounded number of them, replies never behind them.

Callbacks are called a few at a time, in reactor turns of their own.  One that returns a C{Deferred} or a
coroutine is waited for before the next is called.  When the queue is full its policy decides, and the loss
is always told: to whoever asked to be told, and to the log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from inspect import iscoroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

__all__ = ["EventOverflow", "EventQueue"]

_log = Logger()

LIMIT = 10_000
"""How many events wait at most, unless the user says otherwise."""

BURST = 64
"""How many callbacks are called before the reactor gets its turn."""


class EventOverflow(Enum):
    """What happens when the queue is full."""

    DROP_OLDEST = "drop oldest"
    """Forget the event that has waited longest."""

    DROP_NEWEST = "drop newest"
    """Forget the event that has just come."""

    CLOSE = "close"
    """Give the connection up: its close callback is told, and every call fails."""


class EventQueue:
    """
    Events on their way to callbacks.

    @ivar limit: how many may wait.
    @ivar overflow: what happens to the next.
    @ivar onOverflow: called with the number of events lost since it was last called, before the next event
        that was kept; None: the log alone is told.
    @ivar dropped: how many events were lost in all.
    """

    def __init__(self, clock: IReactorTime, giveUp: Callable[[], None]) -> None:
        self.limit = LIMIT
        self.overflow = EventOverflow.DROP_OLDEST
        self.onOverflow: Callable[[int], Any] | None = None
        self.dropped = 0
        self._clock = clock
        self._giveUp = giveUp
        self._waiting: deque[tuple[Callable[[], Any], bool]] = deque()
        self._untold = 0
        self._busy = False
        self._stopped = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, deliver: Callable[[], Any], mustKeep: bool = False) -> None:
        """
        Queue an event.

        @param deliver: calls the callback.
        @param mustKeep: it is none of those that may be lost.
        """
        if self._stopped:
            return
        if len(self._waiting) >= self.limit and not mustKeep:
            self.dropped += 1
            self._untold += 1
            if self._untold == 1:
                _log.warn(
                    "More than {limit} events wait for callbacks; policy: {policy}",
                    limit=self.limit,
                    policy=self.overflow.value,
                )
            if self.overflow is EventOverflow.CLOSE:
                self._giveUp()
                return
            if self.overflow is EventOverflow.DROP_NEWEST:
                return
            if not self._forgetOldest():
                return
        self._waiting.append((deliver, mustKeep))
        if not self._busy:
            self._busy = True
            self._clock.callLater(0, self._deliver)

    def _forgetOldest(self) -> bool:
        """Forget the oldest of those that may be lost; return whether there is one."""
        for number, (_, kept) in enumerate(self._waiting):
            if not kept:
                del self._waiting[number]
                return True
        return False

    def stop(self) -> None:
        """Deliver nothing any more."""
        self._stopped = True
        self._waiting.clear()

    def _deliver(self) -> None:
        for _ in range(BURST):
            if not self._waiting:
                self._busy = False
                return
            if self._untold:
                lost, self._untold = self._untold, 0
                _log.warn("{lost} events were lost", lost=lost)
                told = self.onOverflow
                if told is not None:
                    self._call(lambda told=told, lost=lost: told(lost))  # type: ignore[misc]
            answer = self._call(self._waiting.popleft()[0])
            if answer is not None and not answer.called:
                answer.addBoth(self._deliverLater)
                return
        self._clock.callLater(0, self._deliver)

    def _deliverLater(self, result: Any) -> None:
        self._clock.callLater(0, self._deliver)

    def _call(self, deliver: Callable[[], Any]) -> Deferred[Any] | None:
        """Call a callback; what it raises is its own fault, and logged."""
        try:
            answer = deliver()
        except Exception:
            _log.failure("An event callback failed")
            return None
        if iscoroutine(answer):
            answer = Deferred.fromCoroutine(answer)
        if isinstance(answer, Deferred):
            # A copy to wait on: the callback's own Deferred may be waited on elsewhere too.
            done: Deferred[Any] = Deferred()

            def failed(failure: Any) -> None:
                _log.failure("An event callback failed", failure)
                done.callback(None)

            def succeeded(result: Any) -> Any:
                done.callback(None)
                return result

            answer.addCallbacks(succeeded, failed)
            return done
        return None
