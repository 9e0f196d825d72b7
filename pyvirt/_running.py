"""
Processes that run: watching them, waiting for what they say and for their end; see L{pyvirt.process}.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from zope.interface import Interface, implementer

from pyvirt._command import Command, Finished, commandError
from pyvirt.errors import ErrorCode, VirtError, virtError

__all__ = ["IRunning", "Run", "Running", "startTime"]


class IRunning(Interface):
    """A process that was left running."""

    def whenEnded() -> Deferred[int | None]:
        """Fire once it is gone: with its status as in L{Finished}, None if it is not our child."""

    def kill(number: int) -> None:
        """Send it a signal; nothing happens if it is gone."""

    def isRunning() -> bool:
        """Whether it is still there."""

    def proceed() -> None:
        """Let one that waits for a handshake become its program; nothing happens if it does not, or is gone."""

    def forget() -> None:
        """Watch it no more; it goes on."""


def startTime(pid: int) -> int | None:
    """
    Return when a process started, in ticks since the machine did, or None: there is none.

    @raise OSError: it cannot be looked at now, for want of descriptors, say.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


@implementer(IReadDescriptor)
class _Watcher(FileDescriptor):
    """Reads what a process says, or waits for its end."""

    def __init__(self, reactor: Any, fd: int, readable: Callable[[], None]) -> None:
        super().__init__(reactor)
        self._fd = fd
        self._readable = readable
        self.startReading()

    def fileno(self) -> int:
        return self._fd

    def doRead(self) -> None:
        self._readable()

    def connectionLost(self, reason: Any = None) -> None:
        # The other end is closed and nothing is left to be read: whoever reads has to see that, and closes.  Or this
        # was told of one that was closed a moment ago and had the same number; then it is to go on.
        if self._fd >= 0:
            self._readable()
        if self._fd >= 0:
            self.startReading()

    def close(self) -> None:
        """Stop reading and close the descriptor."""
        if self._fd >= 0:
            self.stopReading()
            fd, self._fd = self._fd, -1
            os.close(fd)


@implementer(IRunning)
class Running:
    """
    A process.

    @ivar pid: its number.
    """

    def __init__(
        self,
        reactor: Any,
        pid: int,
        ours: subprocess.Popen[bytes] | None,
        handshake: int = -1,
    ) -> None:
        """
        @param ours: it as our child; None: another life of ours left it running.
        @param handshake: the end of a pipe by which it is told to become its program; -1: it is that.
        """
        self.pid = pid
        self._handshake = handshake
        self._reactor = reactor
        self._ours = ours
        self._ended: list[Deferred[int | None]] = []
        self._over = False
        self._status: int | None = None
        self._watcher: _Watcher | None = None
        self._poll: Any = None
        try:
            self._watcher = _Watcher(reactor, os.pidfd_open(pid), self._ending)
        except ProcessLookupError:
            self._gone()
        except OSError:
            self._look()  # a system without pidfd

    def _look(self) -> None:
        try:
            alive = self._ours.poll() is None if self._ours else startTime(self.pid) is not None
        except OSError:
            alive = True  # as far as is known
        if alive:
            self._poll = self._reactor.callLater(0.2, self._look)
        else:
            self._gone()

    def _ending(self) -> None:
        """Something is told of it; that may be of one that was watched before by the same number."""
        if self._ours is not None:
            if self._ours.poll() is None:
                return
        elif self._watcher is not None:
            poll = select.poll()
            poll.register(self._watcher.fileno(), select.POLLIN)
            if not poll.poll(0):
                return
        self._gone()

    def _gone(self) -> None:
        if self._ours is not None:
            self._status = self._ours.wait()  # it has ended, so there is nothing to wait for
        self.forget()
        self._over = True
        waiting, self._ended = self._ended, []
        for each in waiting:
            each.callback(self._status)

    def whenEnded(self) -> Deferred[int | None]:
        answer: Deferred[int | None] = Deferred(self._ended_cancel)
        if self._over:
            answer.callback(self._status)
        else:
            self._ended.append(answer)
        return answer

    def _ended_cancel(self, answer: Deferred[int | None]) -> None:
        if answer in self._ended:
            self._ended.remove(answer)

    def kill(self, number: int) -> None:
        if self._over:
            return
        watcher = self._watcher
        try:
            if watcher is not None:
                signal.pidfd_send_signal(watcher.fileno(), number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def proceed(self) -> None:
        if self._handshake >= 0:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._handshake, b"\n")
            self._closeHandshake()

    def _closeHandshake(self) -> None:
        if self._handshake >= 0:
            os.close(self._handshake)
            self._handshake = -1

    def isRunning(self) -> bool:
        return not self._over

    def forget(self) -> None:
        self._closeHandshake()
        if self._poll is not None and self._poll.active():
            self._poll.cancel()
        if self._watcher is not None:
            watcher, self._watcher = self._watcher, None
            watcher.close()
        if self._ours is not None and self._ours.returncode is None:
            # It outlives us; that it was our child is no reason to complain.
            self._ours.returncode = 0


class Run:
    """
    A command that is waited for.

    @ivar answer: fires with L{Finished} once it has ended and nobody has the pipes open any more that it spoke
        through; of those that it left running with them that is waited for no longer than its deadline.
    """

    def __init__(
        self,
        reactor: Any,
        command: Command,
        child: subprocess.Popen[bytes],
        pipes: Sequence[int],
    ) -> None:
        """
        @param pipes: by which it says something on its two streams, of which the second may be missing; -1: goes elsewhere.
        """
        self.answer: Deferred[Finished] = Deferred(lambda _: self._abandon())
        self._command = command
        self._running = Running(reactor, child.pid, child)
        self._error: VirtError | None = None
        self._abandoned = False
        self._said = (bytearray(), bytearray())
        self._open: list[_Watcher] = []
        self._status: int | None = None
        self._timer: Any = None
        for fd, said in zip(pipes, self._said, strict=False):
            if fd >= 0:
                os.set_blocking(fd, False)
                self._read(reactor, fd, said)
        if command.deadline is not None:
            self._timer = reactor.callLater(command.deadline, self._late)
        self._running.whenEnded().addCallback(self._ended)

    def _read(self, reactor: Any, fd: int, said: bytearray) -> None:
        def readable() -> None:
            try:
                data = os.read(fd, 65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            command = self._command
            if not data:
                self._closed(watcher)
            elif len(said) + len(data) <= command.outputLimit:
                said.extend(data)
            elif command.clipped:
                said.extend(data[: command.outputLimit - len(said)])
            else:
                self._refuse(
                    virtError(
                        ErrorCode.INTERNAL_ERROR,
                        f"Child process ({command.argv[0]}) says more than "
                        f"{command.outputLimit} bytes",
                    )
                )
                self._closed(watcher)

        watcher = _Watcher(reactor, fd, readable)
        self._open.append(watcher)

    def _closed(self, watcher: _Watcher) -> None:
        watcher.close()
        if watcher in self._open:
            self._open.remove(watcher)
        self._finish()

    def _late(self) -> None:
        if self._status is not None:
            # What it left running does not concern us, and is not ended.
            self._hangUp()
            self._finish()
            return
        self._refuse(
            virtError(
                ErrorCode.OPERATION_TIMEOUT,
                f"Child process ({' '.join(self._command.argv)}) did not end in "
                f"{self._command.deadline:g} seconds",
            )
        )

    def _refuse(self, error: VirtError) -> None:
        self._error = self._error or error
        if self._status is not None:
            # What it left running does not concern us, whatever that goes on saying.
            self._hangUp()
        self._kill()

    def _abandon(self) -> None:
        """Nobody waits any more."""
        self._abandoned = True
        self._kill()
        self._hangUp()
        self._finish()

    def _hangUp(self) -> None:
        while self._open:
            self._open.pop().close()

    def _kill(self) -> None:
        if self._status is not None:
            return  # its number may be another's by now
        # It leads a session of its own, so what it has started ends with it.
        try:
            os.killpg(self._running.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._running.kill(signal.SIGKILL)

    def _ended(self, status: int | None) -> None:
        self._status = status
        if self._error is not None:
            self._hangUp()
        self._finish()

    def _finish(self) -> None:
        if self._status is None or self._open:
            return
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._abandoned or self.answer.called:
            return
        finished = Finished(self._status, bytes(self._said[0]), bytes(self._said[1]))
        if self._error is not None:
            self.answer.errback(self._error)
        elif self._command.statuses is not None and self._status not in self._command.statuses:
            self.answer.errback(commandError(self._command, finished))
        else:
            self.answer.callback(finished)
