"""
Processes that own leases, told apart from later ones with the same number, and watched until they end.
"""

from __future__ import annotations

import errno
import os
import select
import signal
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IReactorFDSet
from twisted.logger import Logger

from pyvirt.process import startTime

__all__ = ["Owners"]

log = Logger()


class _Watch(FileDescriptor):
    """A descriptor that becomes readable when its process ends."""

    def __init__(self, reactor: Any, fd: int, ended: Callable[[], None]) -> None:
        super().__init__(reactor)
        self._fd = fd
        self._ended = ended
        self.connected = 1
        self.startReading()

    def fileno(self) -> int:
        return self._fd

    def doRead(self) -> None:
        self.stop()
        self._ended()

    def stop(self) -> None:
        if self._fd >= 0:
            self.stopReading()
            fd, self._fd = self._fd, -1
            os.close(fd)

    def ended(self) -> bool:
        """Whether the process has ended, though nobody has been told."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(0))

    def kill(self, number: int) -> None:
        signal.pidfd_send_signal(self._fd, number)


class Owners:
    """
    Watches processes.

    @ivar known: the owners that live, each with the time it started.
    """

    def __init__(self, reactor: IReactorFDSet, ended: Callable[[int], None]) -> None:
        """
        @param ended: called with the number of a process that has ended.
        """
        self.known: dict[int, int] = {}
        self._reactor = reactor
        self._ended = ended
        self._watches: dict[int, _Watch] = {}

    def watch(self, pid: int) -> bool:
        """
        Watch a process from now on; return False when it does not live.

        @raise OSError: it cannot be looked at now, for want of descriptors, say.
        """
        started = startTime(pid)
        if pid in self.known and self.known[pid] == started:
            return True
        try:
            fd = os.pidfd_open(pid)
        except OverflowError:
            return False
        except OSError as problem:
            if problem.errno in (errno.ESRCH, errno.EINVAL):
                return False
            raise
        try:
            same = started is not None and startTime(pid) == started
        except OSError:
            os.close(fd)
            raise
        if started is None or not same:
            os.close(fd)
            return False
        self.forget(pid)
        self.known[pid] = started
        self._watches[pid] = _Watch(self._reactor, fd, lambda: self._end(pid))
        return True

    def _end(self, pid: int) -> None:
        del self._watches[pid]
        del self.known[pid]
        self._ended(pid)

    def forget(self, pid: int) -> None:
        """Watch a process no longer."""
        self.known.pop(pid, None)
        watch = self._watches.pop(pid, None)
        if watch is not None:
            watch.stop()

    def lives(self, pid: int, started: int | None) -> bool:
        """Whether a process that is watched lives, and started then."""
        watch = self._watches.get(pid)
        return watch is not None and self.known[pid] == started and not watch.ended()

    def kill(self, pid: int) -> None:
        """End a process that is watched, at once and for sure that one."""
        watch = self._watches.get(pid)
        if watch is not None:
            try:
                watch.kill(signal.SIGKILL)
            except ProcessLookupError:
                pass

    def stop(self) -> None:
        """Watch nothing any more."""
        for pid in list(self._watches):
            self.forget(pid)
