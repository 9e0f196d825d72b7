"""The daemon's reactor hands events on."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.daemon.epollreactor import DaemonReactor


class Reader(FileDescriptor):
    """One end of a pair of sockets, and what happened to it."""

    def __init__(self, reactor: Any, act: Callable[[], Any]) -> None:
        super().__init__(reactor)
        self.act = act
        self.lost: list[type[BaseException]] = []
        self.socket, self.other = socket.socketpair()
        self.socket.setblocking(False)
        self.startReading()

    def fileno(self) -> int:
        return self.socket.fileno()

    def doRead(self) -> Any:
        self.socket.recv(100)
        return self.act()

    def connectionLost(self, reason: Any) -> None:
        self.stopReading()
        self.lost.append(reason.type)

    def close(self) -> None:
        """Close both ends."""
        self.stopReading()
        self.socket.close()
        self.other.close()


class DaemonReactorTests(SynchronousTestCase):
    """Turns of it, one by one."""

    def setUp(self) -> None:
        self.reactor: Any = DaemonReactor()
        self.addCleanup(self.reactor._poller.close)
        self.addCleanup(self.reactor.waker.connectionLost, None)
        self.seen: list[str] = []

    def reader(self, act: Callable[[], Any]) -> Reader:
        """Make a reader that does something when there is something to read, as there is."""
        made = Reader(self.reactor, act)
        self.addCleanup(made.close)
        made.other.send(b"x")
        return made

    def test_turn(self) -> None:
        """All that have something to read read it in one turn, and not again."""
        for name in "abc":
            self.reader(lambda name=name: self.seen.append(name))
        for _ in range(2):
            self.reactor.doIteration(0)
        self.assertEqual(sorted(self.seen), ["a", "b", "c"])

    def test_goneMeanwhile(self) -> None:
        """One that another has taken away in the same turn hears nothing more."""
        both: list[Reader] = []

        def act() -> None:
            self.seen.append("one")
            for each in both:
                each.stopReading()

        both += [self.reader(act), self.reader(act)]
        for _ in range(2):
            self.reactor.doIteration(0)
        self.assertEqual(self.seen, ["one"])

    def test_failure(self) -> None:
        """What fails is logged and ends that connection; the others go on."""
        broken = self.reader(lambda: 1 / 0)
        self.reader(lambda: self.seen.append("other"))
        self.reactor.doIteration(0)
        self.assertEqual(broken.lost, [ZeroDivisionError])
        self.assertEqual(self.seen, ["other"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
