"""
Virtual time: it stands still until somebody moves it.
"""

from __future__ import annotations

from twisted.internet.task import Clock

from pyvirt.drivers.test.scenario.values import LONGEST, wrong

__all__ = ["VirtualClock"]

MOST = 200_000
"""How many calls become due in one movement of the clock, at most: the reactor waits meanwhile."""


class VirtualClock(Clock):
    """
    Time that is moved, each call finding the time that it was for.

    @ivar rightNow: seconds since 1970.
    """

    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self.rightNow = start

    def advance(self, amount: float) -> None:
        """
        Move the time, and do what is due on the way, in order.

        @raise VirtError: the time is none, or too much would happen; then the clock stands where it came to.
        """
        if not 0 <= amount <= LONGEST:
            raise wrong("advance", f"the time must be in range 0:{int(LONGEST)} seconds")
        end = self.rightNow + amount
        done = 0
        while self.calls and self.calls[0].getTime() <= end:
            if done == MOST:
                raise wrong("advance", f"more than {MOST} things happen in so much time")
            done += 1
            call = self.calls.pop(0)
            self.rightNow = max(self.rightNow, call.getTime())
            call.called = 1
            call.func(*call.args, **call.kw)
        self.rightNow = max(self.rightNow, end)
