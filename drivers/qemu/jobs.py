"""
One change of a domain at a time: L{Jobs}.

Changes wait for each other, but not for ever: a wedged guest costs those who want to change it a clear error, and
nobody else anything.  A long operation (saving, dumping, migrating) keeps other changes out except those that are
made for it, such as giving it up.  Queries need no job.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from pyvirt.errors import ErrorCode, VirtError, virtError

__all__ = ["Jobs", "LongJob"]

#: Seconds that a change waits for its turn.
WAIT = 30.0


@attrs.define
class LongJob:
    """
    A long operation.

    @ivar operation: C{VIR_DOMAIN_JOB_OPERATION_*}.
    @ivar started: when, in seconds since 1970.
    @ivar statistics: what C{query-migrate} and the like said last.
    @ivar aborted: somebody wants it given up.
    @ivar problem: why that is, None if a client said so.
    @ivar cancel: what gives it up; None: it cannot be.
    @ivar look: what asks how far it is; None: C{query-migrate} does.
    @ivar open: other changes may be made meanwhile (L{Jobs.open}).
    @ivar phase: how far a migration is, C{flags} it was asked with, C{peer} the destination's daemon if this one leads.
    """

    what: str
    operation: int
    started: float
    statistics: dict[str, Any] = attrs.Factory(dict)
    aborted: bool = False
    problem: VirtError | None = None
    cancel: Any = None
    look: Any = None
    open: bool = False
    phase: str = ""
    flags: int = 0
    peer: str = ""


@attrs.define(eq=False)
class _Turn:
    what: str
    within: bool
    ready: Deferred[None]
    alone: bool = False


class Jobs:
    """
    The changes of one domain.

    @ivar holder: what changes it just now, None if nothing does.
    @ivar long: the long operation under way, if any.
    @ivar completed: the statistics of the last one that ended.
    """

    def __init__(self, clock: IReactorTime, most: int = 0) -> None:
        """
        @param most: how many changes there may be, those that wait included (C{max_queued}); 0: any number.
        """
        self._clock = clock
        self._most = most
        self._waiting: deque[_Turn] = deque()
        self.holder: str | None = None
        self.since = 0.0
        self.long: LongJob | None = None
        self.completed: dict[str, Any] | None = None
        self._endings = 0

    @contextmanager
    def ending(self) -> Iterator[None]:
        """
        Keep who comes waiting while a run ends by itself or by force: who holds the domain then goes on, and fails.

        What is left of the run would be taken from the next one otherwise, which has the same name.
        """
        self._endings += 1
        try:
            yield
        finally:
            self._endings -= 1
            self._next()

    @asynccontextmanager
    async def change(
        self, what: str, *, within: bool = False, alone: bool = False, wait: float = WAIT
    ) -> AsyncIterator[None]:
        """
        Hold the domain while a change is made.

        @param what: named to those who wait in vain.
        @param within: it may be made while a long operation is under way; C{alone}: not even if that is open.
        @raise VirtError: C{OPERATION_TIMEOUT}: others hold it for too long; C{OPERATION_FAILED}: too many wait.
        """
        await self._turn(what, within, wait, alone)
        try:
            yield
        finally:
            self.holder = None
            self._next()

    def besides(self, what: str) -> AbstractAsyncContextManager[None]:
        """Hold the domain for a change of how it moves: while that is under way, but not while it is backed up."""
        return self.change(what, within=self.long is None or not self.long.open, alone=True)

    @asynccontextmanager
    async def longer(
        self, what: str, operation: int, *, wait: float = WAIT
    ) -> AsyncIterator[LongJob]:
        """
        Keep other changes out while a long operation is under way.

        @param operation: C{VIR_DOMAIN_JOB_OPERATION_*}.
        @raise VirtError: as L{change}.
        """
        await self._turn(what, False, wait, True)
        job = self.long = LongJob(what, operation, self._clock.seconds())
        self.holder = None
        self._next()
        try:
            yield job
        finally:
            self.long = None
            self._next()

    async def begin(self, what: str, operation: int, *, wait: float = WAIT) -> LongJob:
        """As L{longer}, for an operation that outlives who began it; L{finish} ends it."""
        await self._turn(what, False, wait, True)
        job = self.long = LongJob(what, operation, self._clock.seconds())
        self.holder = None
        self._next()
        return job

    def finish(self, job: LongJob) -> None:
        """End an operation that L{begin} has begun."""
        if self.long is job:
            self.long = None
            self._next()

    def open(self, job: LongJob) -> None:
        """Let changes be made while an operation that has begun is under way, but no other operations."""
        job.open = True
        self._next()

    @property
    def free(self) -> bool:
        """Whether nobody changes the domain."""
        return self._free(False, True)

    def _free(self, within: bool, alone: bool) -> bool:
        if self.holder is not None or self._endings:
            return False
        return within or self.long is None or (self.long.open and not alone)

    async def _turn(self, what: str, within: bool, wait: float, alone: bool) -> None:
        if self._free(within, alone) and (within or not self._ahead(alone)):
            self._take(what)
            return
        others = len(self._waiting) + (self.holder is not None) + (self.long is not None)
        if self._most and others >= self._most:
            detail = "cannot acquire state change lock due to max_queued limit"
            raise virtError(ErrorCode.OPERATION_FAILED, detail)
        turn = _Turn(what, within, Deferred(), alone)
        self._waiting.append(turn)
        timer = self._clock.callLater(wait, self._late, turn)
        try:
            await turn.ready
        except BaseException:
            if turn in self._waiting:
                self._waiting.remove(turn)
            raise
        finally:
            if timer.active():
                timer.cancel()

    def _ahead(self, alone: bool) -> bool:
        """Whether somebody waits who comes first: those who wait for a long operation to end are passed by others."""
        return any(alone or not turn.alone or self.long is None for turn in self._waiting)

    def _take(self, what: str) -> None:
        self.holder = what
        self.since = self._clock.seconds()

    def _next(self) -> None:
        for turn in self._waiting:
            if self._free(turn.within, turn.alone):
                self._waiting.remove(turn)
                self._take(turn.what)
                turn.ready.callback(None)
                return

    def _late(self, turn: _Turn) -> None:
        self._waiting.remove(turn)
        turn.ready.errback(self._refusal())

    def _refusal(self) -> VirtError:
        holder = self.holder or (self.long.what if self.long is not None else None)
        detail = "cannot acquire state change lock"
        if holder is not None:
            detail += f" (held by monitor={holder})"
        return virtError(ErrorCode.OPERATION_TIMEOUT, detail)
