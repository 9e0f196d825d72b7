"""
Memory that travels through the connection between two daemons: L{Inlet} at the destination, L{Outlet} at the source.

QEMU has one end of a pipe, and these the other: nothing goes the other way, nor does QEMU wait for that.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer_only

from pyvirt.drivers.interfaces.streams import IPacedSink, IStreamSink
from pyvirt.drivers.qemu.refusals import failed
from pyvirt.drivers.qemu.terminals import Terminal
from pyvirt.errors import ErrorDomain, VirtError

__all__ = ["Inlet", "Outlet", "startInlet", "startOutlet"]


def _pipe(*, inwards: bool) -> tuple[int, int]:
    """Return the ends of a pipe: ours, which does not block, and QEMU's."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    ours, theirs = (writing, reading) if inwards else (reading, writing)
    os.set_blocking(ours, False)
    return ours, theirs


def _nothing() -> None:
    """Nobody need be told."""


@implementer_only(IPacedSink)
class Inlet(Terminal):
    """
    Takes what comes from the source, and hands it to QEMU at QEMU's pace.

    Nothing is read from QEMU: it closes its end as soon as it has all, which may be before the source has said so.
    """

    def __init__(self, reactor: Any, fd: int) -> None:
        super().__init__(reactor, fd, _nothing)
        self._flushed: Deferred[None] | None = None

    def write(self, data: bytes) -> None:
        """
        Take data.

        @raise VirtError: QEMU does not read any more.
        """
        if self._fd < 0:
            raise failed("the guest that was to come has ended here")
        super().write(data)

    def writeHole(self, length: int) -> None:
        """Memory has no holes."""
        raise failed("a migration has no holes")

    def finish(self) -> Deferred[None]:
        """All has come: fires once QEMU has taken it."""
        done: Deferred[None] = Deferred()
        if self._fd < 0:
            done.callback(None)
            return done
        self._flushed = done
        super().finish()
        self.loseConnection()
        return done

    def abort(self, error: VirtError | None = None) -> None:
        """There is no more, and what came is not all."""
        self._close()
        self._fire()

    def close(self) -> None:
        """Let QEMU's end go, and take no more."""
        source = self.producer
        self._close()
        if source is not None:
            source.stopProducing()
        self._fire()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """All was handed over, or QEMU takes no more."""
        self.close()

    def _fire(self) -> None:
        done, self._flushed = self._flushed, None
        if done is not None:
            done.callback(None)


class Outlet(Terminal):
    """
    Takes what QEMU writes, and sends it to the destination at the destination's pace.

    @ivar over: fires once all of it is there; fails with C{VirtError} if it does not get there.
    """

    def __init__(self, reactor: Any, fd: int) -> None:
        super().__init__(reactor, fd, _nothing)
        self.over: Deferred[None] = Deferred()

    def doRead(self) -> Any:
        """Pass on what there is."""
        try:
            data = os.read(self._fd, 65536)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_LOST
        if self._sink is not None:
            try:
                self._sink.write(data)
            except VirtError as error:
                self._sink = None
                self._fail(error)
        return None

    def connectionLost(self, reason: Failure | None = None) -> None:
        """QEMU has written all of it, or has ended: the end of the migration tells which."""
        sink, self._sink = self._sink, None
        self._close()
        if sink is not None:
            maybeDeferred(sink.finish).addCallbacks(self._done, self._lost)

    def stopProducing(self) -> None:
        """The destination wants no more, or has all."""
        if self._fd < 0:
            return
        self._sink = None
        self._fail(failed("the destination has closed the tunnel", ErrorDomain.STREAMS))

    def giveUp(self, error: VirtError) -> None:
        """Tell the destination that there is no more."""
        sink, self._sink = self._sink, None
        self._close()
        if sink is not None:
            maybeDeferred(sink.abort, error).addErrback(lambda _: None)
        self.over.addErrback(lambda _: None)

    def _done(self, _: Any) -> None:
        if not self.over.called:
            self.over.callback(None)

    def _lost(self, failure: Failure) -> None:
        if not self.over.called:
            self.over.errback(failure)

    def _fail(self, error: VirtError) -> None:
        self._close()
        if not self.over.called:
            self.over.errback(error)


def startInlet(reactor: Any) -> tuple[Inlet, int]:
    """Return what takes memory, and the descriptor that QEMU reads from, which the caller closes."""
    ours, theirs = _pipe(inwards=True)
    return Inlet(reactor, ours), theirs


def startOutlet(reactor: Any, sink: IStreamSink) -> tuple[Outlet, int]:
    """Return what sends into C{sink}, and the descriptor that QEMU writes to, which the caller closes."""
    ours, theirs = _pipe(inwards=False)
    outlet = Outlet(reactor, ours)
    outlet.start(sink)
    return outlet, theirs
