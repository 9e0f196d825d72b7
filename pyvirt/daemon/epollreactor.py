"""
The daemon's reactor: Twisted's on epoll, on the shortest way from an event to who waits for it.

Twisted makes a logging context for each event, which only its older way to log ever looks at: a tenth of what a call
of a client costs, and more of what a ping costs that wakes a daemon at rest.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor

__all__ = ["DaemonReactor", "install"]


class DaemonReactor(EPollReactor):
    """
    Waits for events, and hands each on.

    What fails while an event is handled is logged and ends the connection, as ever.  What fails while that is ended is
    logged by the reactor's loop; events that are left of this turn come again in the next.
    """

    _poller: Any
    _selectables: dict[int, Any]

    def doPoll(self, timeout: float | None) -> None:
        happened = self._poller.poll(-1 if timeout is None else timeout, len(self._selectables))
        for fd, event in happened:
            # An earlier one may have closed it.
            waiting = self._selectables.get(fd)
            if waiting is not None:
                self._doReadOrWrite(waiting, fd, event)

    doIteration = doPoll


def install() -> None:
    """Make it the reactor of this process."""
    installReactor(DaemonReactor())
