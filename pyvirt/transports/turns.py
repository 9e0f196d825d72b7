"""
Handshakes and logins share the time of the reactor with everybody else: about one step of one of them is gone on with
in a turn, however many have something to say.

A step of a handshake costs what a signature or an exchange of keys costs, a hundred calls.  Twenty that come at once
would keep all clients waiting for all of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

__all__ = ["HandshakeInput", "Turns"]

log = Logger()

BUDGET = 0.0004
"""Seconds of one turn after which no further step is begun."""


class IWaits(Protocol):
    """Something that has a step to do."""

    def goOn(self) -> None:
        """Do it."""

    def fail(self) -> None:
        """It cannot be gone on with: nobody knows why."""


class _Waiting:
    """A piece of a login."""

    def __init__(self, waiting: Deferred[None]) -> None:
        self._waiting = waiting

    def goOn(self) -> None:
        self._waiting.callback(None)

    def fail(self) -> None:
        """What went wrong is for whom the Deferred was given to."""


class Turns:
    """
    Who is next.

    @ivar longest: seconds that the handshakes of one turn have taken, the most so far.
    """

    def __init__(
        self, clock: Any, *, timer: Callable[[], float] | None = None, budget: float = BUDGET
    ) -> None:
        """
        @param clock: calls what is due in the next turn.
        @param timer: seconds of some clock, for what work costs; None: C{clock} tells.
        """
        self.longest = 0.0
        self._clock = clock
        self._timer: Callable[[], float] = clock.seconds if timer is None else timer
        self._budget = budget
        self._used = 0.0
        self._queue: deque[IWaits] = deque()
        self._turn: Any = None

    @property
    def waiting(self) -> int:
        """How many connections wait for their turn."""
        return len(self._queue)

    def run(self, work: Callable[[], Any]) -> Any:
        """
        Do a piece of a login, in its turn.

        @return: what C{work} returns, or a Deferred of it: it had to wait.
        """
        if self._queue or self._used >= self._budget:
            waiting: Deferred[None] = Deferred()
            done = waiting.addCallback(lambda _: work())
            self.ask(_Waiting(waiting))
            return done
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._next)
        began = self._timer()
        try:
            return work()
        finally:
            self._charge(began)

    def _charge(self, began: float) -> None:
        self._used += max(self._timer() - began, 0.0)
        self.longest = max(self.longest, self._used)

    def ask(self, one: IWaits) -> None:
        """Let C{one} go on: now, if there is time left in this turn, else behind the others."""
        if self._queue or self._used >= self._budget:
            self._queue.append(one)
        else:
            self._work(one)
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._next)

    def _work(self, one: IWaits) -> None:
        began = self._timer()
        try:
            one.goOn()
        except Exception:
            log.failure("a handshake failed unexpectedly")
            one.fail()
        finally:
            self._charge(began)

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
