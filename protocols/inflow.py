"""
What the streams of a connection have received and nobody has taken yet, and what is done about it.

All streams and all calls of a connection share one byte stream, and the protocol has no window for one of
them.  A receiver whose sink is slow can remember, stop reading, or give the stream up:

 - up to C{limit} bytes are remembered; calls and other streams notice nothing;
 - beyond, reading stops: the sender feels it as a full pipe, as it should when a disk is slower than a socket,
   and goes on as soon as half of it is taken;
 - a daemon gives up the stream that has taken nothing for C{patience} seconds while others waited behind it;
 - a client, whose application alone knows why it does not read, never gives up: it does not stop reading
   while an answer is due, and else reads a little on every C{patience} seconds, so that keepalives,
   events and other streams come through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall

if TYPE_CHECKING:
    from pyvirt.protocols.rpc import RPCPeer

__all__ = ["Inflow"]


class Inflow:
    """
    Count one connection's waiting stream data.

    @ivar waiting: bytes that no sink has taken, with what remembering them costs.
    @ivar stopped: reading is stopped because of them.
    """

    def __init__(self, peer: RPCPeer) -> None:
        self.peer = peer
        self.waiting = 0
        self.stopped = False
        self._allowed = peer.streamLimit
        self._answersDue = 0
        self._timer: IDelayedCall | None = None

    def count(self, change: int) -> None:
        """Take note that C{change} more bytes wait, or fewer if it is negative."""
        self.waiting += change
        if change > 0:
            if self.waiting > self._allowed and not self.stopped and not self._mustRead():
                self.stopped = True
                self._watch()
                self.peer.inflowStopped()
        elif self.waiting <= self.peer.streamLimit // 2:
            self._allowed = self.peer.streamLimit
            self.resume()

    def expect(self, change: int) -> None:
        """Take note that the end of a stream is due from the peer, or, with -1, no longer."""
        self._answersDue += change
        if change > 0:
            self.resume()

    def resume(self) -> None:
        """Read again, if it was stopped here."""
        if self.stopped:
            self.stopped = False
            self.stop()
            self.peer.inflowResumed()

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _mustRead(self) -> bool:
        return self._answersDue > 0 or self.peer.answersDue

    def _watch(self) -> None:
        for stream in self.peer.streams.values():
            stream.moved = False
        self._timer = self.peer.clock.callLater(self.peer.streamPatience, self._impatient)

    def _impatient(self) -> None:
        self._timer = None
        idle = [each for each in self.peer.streams.values() if each.waiting and not each.moved]
        moving = any(each.waiting and each.moved for each in self.peer.streams.values())
        if self.peer.givesStreamsUp:
            if idle:
                max(idle, key=lambda each: each.waiting).stalled()
        elif not moving:
            self._allowed = self.waiting + self.peer.streamLimit // 16
            self.resume()
        if self.stopped:
            self._watch()
