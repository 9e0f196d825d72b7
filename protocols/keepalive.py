"""
Keepalive: is the peer still there, though it says nothing?

Any bytes from the peer prove it.  After C{interval} seconds of silence a ping goes out; after C{count} of
them without a sign of life the connection is given up.  Pings are answered always, by anyone.

A peer that pings by itself is looked at seldom, for its pings prove as much: each look wakes a process that rests.
If it falls silent the first pings are left out; two are sent, where C{count} has room for them, and it is given up no
later than others.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from pyvirt.protocols.message import MessageType, Status, pack
from pyvirt.protocols.programs.keepalive import PROGRAM

__all__ = ["NUMBER", "PING", "PONG", "Keepalive"]

NUMBER = PROGRAM.number
PING = pack(NUMBER, PROGRAM.version, 1, MessageType.MESSAGE, 0, Status.OK)
PONG = pack(NUMBER, PROGRAM.version, 2, MessageType.MESSAGE, 0, Status.OK)


class Keepalive:
    """
    Watch one connection.

    @ivar interval: seconds of silence before a ping, and between pings.
    @ivar count: how many pings may stay unanswered.
    @ivar heard: when the peer last sent anything; whoever reads from it sets this.
    @ivar pinged: when the peer last pinged by itself, None if it has not; whoever reads from it sets this.
    """

    def __init__(
        self,
        clock: IReactorTime,
        interval: float,
        count: int,
        send: Callable[[bytes], None],
        dead: Callable[[], None],
    ) -> None:
        self.clock = clock
        self.interval = interval
        self.count = count
        self.heard = clock.seconds()
        self.pinged: float | None = None
        self._send = send
        self._dead = dead
        self._pings = 0
        self._skipped = 0
        self._mayBeSkipped = max(count - 2, min(count - 1, 1), 0)
        self._lastPing = 0.0
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to watch; a no-op when already watching."""
        if self._call is None:
            self.heard = self.clock.seconds()
            self._pings = 0
            self._skipped = 0
            self._call = self.clock.callLater(self.interval, self._tick)

    def stop(self) -> None:
        """Stop watching."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    @property
    def running(self) -> bool:
        """Whether the connection is watched."""
        return self._call is not None

    def _tick(self) -> None:
        self._call = None
        now = self.clock.seconds()
        if self._pings and self.heard >= self._lastPing:
            self._pings = 0
        silence = now - self.heard
        # The clock's resolution must not turn "exactly the interval" into a wait for the next one.
        if not self._pings and silence < self.interval - 0.001:
            pinged = self.pinged is not None and now - self.pinged < self.interval
            self._skipped = self._mayBeSkipped if pinged else 0
            # A little before the peer's own ping would come, so as not to cross that.
            wait = self.interval * (self._skipped + 0.9 if self._skipped else 1)
            self._call = self.clock.callLater(wait - silence, self._tick)
            return
        # Those that would have gone out, had there been looks.
        self._pings += min(self._skipped, int(silence / self.interval - 0.5))
        self._skipped = 0
        if self._pings >= self.count:
            self._dead()
            return
        self._pings += 1
        self._lastPing = now
        self._call = self.clock.callLater(self.interval, self._tick)
        self._send(PING)
