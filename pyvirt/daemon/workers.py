"""
How many calls may be in progress at a time, in the terms in which libvirtd's administrators set it.

libvirtd serves calls by threads; here a call that waits costs no thread, and without a limit none is kept from
starting.  Once an administrator sets one, by the file or while the daemon runs, it holds: what comes beyond it
waits its turn, and calls of high priority, which cannot block, may always start.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from pyvirt.errors import ErrorCode, virtError

__all__ = ["Workers"]


class Workers:
    """
    The calls in progress of one server.

    @ivar minimum: workers that are counted as there, whether they have something to do or not.
    @ivar maximum: calls that may be in progress.
    @ivar priority: workers kept for calls of high priority, as administrators see them.
    @ivar limited: whether C{maximum} is in force: somebody has set it.
    @ivar busy: calls in progress.
    @ivar switched: is told when there is no more room, and when there is again.
    """

    def __init__(
        self, minimum: int = 5, maximum: int = 20, priority: int = 5, limited: bool = False
    ) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self.priority = priority
        self.limited = limited
        self.busy = 0
        self.switched: Callable[[bool], None] = _nobody
        self._workers = minimum
        self._full = False
        self._starting = False
        self._waiting: deque[Callable[[], None]] = deque()

    @property
    def full(self) -> bool:
        """Whether no call but one of high priority may start now."""
        return self.limited and 0 < self.maximum <= self.busy

    @property
    def workers(self) -> int:
        """How many there are, busy or not."""
        return max(self._workers, min(self.busy, self.maximum) if self.maximum else 0)

    @property
    def queued(self) -> int:
        """How many calls wait for their turn."""
        return len(self._waiting)

    def configure(
        self, minimum: int | None, maximum: int | None, priority: int | None = None
    ) -> None:
        """
        Set some of the numbers, None: leave it.

        @raise VirtError: they contradict each other; nothing is changed then.
        """
        low = self.minimum if minimum is None else minimum
        high = self.maximum if maximum is None else maximum
        if low > high:
            raise virtError(ErrorCode.INVALID_ARG, "minWorkers cannot be larger than maxWorkers")
        if bool(high) != bool(self.maximum):
            raise virtError(
                ErrorCode.INVALID_ARG,
                "maxWorkers must not be switched from zero to non-zero and vice versa",
            )
        if maximum is not None:
            self.limited = True
            self._workers = min(self._workers, maximum)
        self.minimum, self.maximum = low, high
        self._workers = max(self._workers, low)
        if priority is not None:
            self.priority = priority
        self._next()

    def set(self, minimum: int, maximum: int, priority: int, limited: bool) -> None:
        """Set all of the numbers, as a configuration does."""
        self.minimum, self.maximum, self.priority = minimum, maximum, priority
        self.limited = limited
        self._workers = minimum
        self._next()

    def wait(self, start: Callable[[], None]) -> None:
        """Call C{start} when there is room."""
        self._waiting.append(start)

    def began(self) -> None:
        """A call is in progress."""
        self.busy += 1
        if self.limited:
            self._check()

    def ended(self) -> None:
        """A call is over."""
        self.busy -= 1
        if self.limited:
            self._next()

    def _next(self) -> None:
        if self._starting:
            return
        self._starting = True
        try:
            while self._waiting and not self.full:
                self._waiting.popleft()()
        finally:
            self._starting = False
        self._check()

    def _check(self) -> None:
        full = self.full
        if full != self._full:
            self._full = full
            self.switched(full)


def _nobody(full: bool) -> None:
    """Nobody wants to know."""
