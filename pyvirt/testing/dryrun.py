"""
Commands that are not run: what a driver would have run can be looked at, and answered.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from pyvirt.process import Command, Finished, IProcesses, IRunning, commandError

__all__ = ["DryRun"]


#: The most processes that Linux has numbers for.
_MOST = 1 << 22


def _well(command: Command) -> Finished:
    return Finished(0, b"", b"")


@implementer(IRunning)
class _Pretended:
    """A process that is only said to run, until it is sent a signal."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None
        self._ended: list[Deferred[int | None]] = []

    def whenEnded(self) -> Deferred[int | None]:
        if self._status is not None:
            return succeed(self._status)
        self._ended.append(Deferred(self._ended.remove))
        return self._ended[-1]

    def kill(self, number: int) -> None:
        if self._status is None:
            self._status = -number
            while self._ended:
                self._ended.pop(0).callback(-number)

    def isRunning(self) -> bool:
        return self._status is None

    def proceed(self) -> None:
        pass

    def forget(self) -> None:
        self._ended.clear()


@implementer(IProcesses)
class DryRun:
    """
    Runs nothing.

    @ivar commands: what would have been run, in order.
    """

    def __init__(self, answer: Callable[[Command], Finished] = _well) -> None:
        """
        @param answer: tells how a command that is waited for ends; unless given all end well, and say nothing.
        """
        self.commands: list[Command] = []
        self._answer = answer

    def shown(self) -> list[str]:
        """Return what would have been run, each as one would type it in a shell."""
        return [each.shown() for each in self.commands]

    def run(self, command: Command) -> Deferred[Finished]:
        """Write a command down, and answer it."""
        self.commands.append(command)
        finished = self._answer(command)
        if command.statuses is not None and finished.status not in command.statuses:
            return fail(commandError(command, finished))
        return succeed(finished)

    def start(self, command: Command) -> _Pretended:
        """
        Write a command down; it runs until it is sent a signal.  No pid file is written.

        Its number is above all that processes can have, so that who sends signals by number hits nobody.
        """
        self.commands.append(command)
        return _Pretended(_MOST + len(self.commands))

    def adopt(self, pid: int, started: int | None) -> None:
        """No process is there to be found again."""
        return None
