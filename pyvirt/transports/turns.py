"""
Handshakes share the time of the reactor with everybody else: no more of them are gone on with in one turn than take
a few milliseconds, however many have something to say.

A step of a handshake costs what a signature or an exchange of keys costs, a hundred calls.  Twenty that come at once
would keep all clients waiting for all of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

from twisted.logger import Logger

__all__ = ["HandshakeInput", "Turns"]

log = Logger()

BUDGET = 0.0004
"""Seconds of one turn after which no further step is begun."""


class Turns:
    """
    Who is next.

    @ivar longest: seconds that the handshakes of one turn have taken, the most so far.
    """

    def __init__(
        self, clock: Any, *, timer: Callable[[], float] = perf_counter, budget: float = BUDGET
    ) -> None:
        """
        @param clock: calls what is due in the next turn.
        @param timer: seconds of some clock, for what work costs.
        """
        self.longest = 0.0
        self._clock = clock
        self._timer = timer
        self._budget = budget
        self._used = 0.0
        self._queue: deque[HandshakeInput] = deque()
        self._turn: Any = None

    @property
    def waiting(self) -> int:
        """How many connections wait for their turn."""
        return len(self._queue)

    def ask(self, one: HandshakeInput) -> None:
        """Let C{one} go on: now, if there is time left in this turn, else behind the others."""
        if self._queue or self._used >= self._budget:
            self._queue.append(one)
        else:
            self._work(one)
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._next)

    def _work(self, one: HandshakeInput) -> None:
        began = self._timer()
        try:
            one.goOn()
        except Exception:
            log.failure("a handshake failed unexpectedly")
            one.fail()
        finally:
            self._used += self._timer() - began
            self.longest = max(self.longest, self._used)

    def _next(self) -> None:
        self._turn = None
        self._used = 0.0
        try:
            while self._queue and self._used < self._budget:
                self._work(self._queue.popleft())
        finally:
            if self._queue:
                self._turn = self._clock.callLater(0, self._next)


class HandshakeInput:
    """What has come for one connection while its handshake goes on; it is not read further until that was looked at."""

    def __init__(self, turns: Turns, transport: Any, take: Callable[[bytes], object]) -> None:
        """
        @param transport: what it comes from.
        @param take: what it is for.
        """
        self._turns = turns
        self._transport = transport
        self._take = take
        self._pending: bytes | None = None
        self._paused = False
        self._leave: Callable[[], object] | None = None

    @property
    def isWaiting(self) -> bool:
        """Whether something has come that was not looked at."""
        return self._pending is not None

    def received(self, data: bytes) -> None:
        """Something has come."""
        if self._pending is not None:
            self._pending += data
            return
        self._pending = data
        self._turns.ask(self)
        if self._pending is not None:
            self._paused = True
            self._transport.pauseProducing()

    def goOn(self) -> None:
        """Its turn has come."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()
            return
        data, self._pending = self._pending, None
        if data is not None:
            if self._paused:
                self._paused = False
                self._transport.resumeProducing()
            self._take(data)

    def fail(self) -> None:
        """End the connection: nobody knows what is the matter."""
        self._transport.abortConnection()

    def lost(self, leave: Callable[[], object]) -> None:
        """The connection is gone: what is left to do about it, C{leave}, has its turn as well."""
        queued, self._pending = self._pending is not None, None
        self._leave = leave
        if not queued:
            self._turns.ask(self)
