"""
The one way to run other programs: L{Command} says what, L{Processes} does it.

A command is a list of arguments, never a shell's text.  It gets a clean environment, no descriptor but the ones
named, and, where wanted, another user, no capabilities, limits, and no way to regain rights.  One that is waited
for has bounded output and a deadline; one that is left running has a session of its own, so that it outlives us,
and may be found again by its number (L{Processes.adopt}).  What is run is logged so that it can be repeated by hand.

Processes are started by C{vfork} in C, so that starting one costs the same however large we are, and are watched
through C{pidfd}s, which work for children and for those that an earlier life of the daemon started.  Rights are
given away by C{setpriv} of util-linux, whose part of the command line shows what was given away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from zope.interface import Interface, implementer

from pyvirt._command import Command, Finished, commandError, systemError
from pyvirt._running import IRunning, Run, Running, startTime
from pyvirt.errors import VirtError

__all__ = [
    "Command",
    "Finished",
    "IProcesses",
    "IRunning",
    "Processes",
    "commandError",
    "startTime",
    "systemError",
]

#: Characters of a command that a log gets.
_SHOWN = 16384
log = Logger()

#: What becomes the command once it can read from a descriptor, and ends if nobody can write there any more.  No shell: the
#: program must not inherit that descriptor, and shells close only the first ten.  Python has changed signals and, in some
#: locales, the environment by then.
_WAITS = """
import os, signal, sys
fd, *argv = sys.argv[1:]
if not os.read(int(fd), 1):
    sys.exit(1)
os.close(int(fd))
with open("/proc/self/environ", "rb") as file:
    given = dict(each.split(b"=", 1) for each in file.read().split(b"\\0") if b"=" in each)
for number in (signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(number, signal.SIG_DFL)
try:
    os.execvpe(argv[0], argv, given)
except OSError as problem:
    sys.exit(f"{argv[0]}: {problem.strerror}")
"""


class IProcesses(Interface):
    """Runs commands."""

    def run(command: Command) -> Deferred[Finished]:
        """
        Run a command to its end.

        @return: fires when it has ended with a status that it may have.  Fails with C{INTERNAL_ERROR} if not, or
            it cannot be run or says too much; with C{OPERATION_TIMEOUT} if it takes too long.  Cancelling kills it.
        """

    def start(command: Command) -> Any:
        """
        Start a command and leave it running, in a session of its own.

        @return: an L{IRunning} with its number as C{pid}.
        @raise VirtError: it cannot be started.
        """

    def adopt(pid: int, started: int | None) -> Any:
        """
        Watch a process that another life of ours left running.

        @param started: its L{startTime}, so that another that got its number is not taken for it; None: not known.
        @return: an L{IRunning}, or None: it is gone.
        @raise VirtError: C{SYSTEM_ERROR}: nobody knows.
        """


@implementer(IProcesses)
class Processes:
    """Runs commands on this machine."""

    def __init__(self, reactor: Any, environment: Mapping[str, str] | None = None) -> None:
        """
        @param environment: ours; None: that of the process.
        """
        self._reactor = reactor
        self._environment = os.environ if environment is None else environment

    def run(self, command: Command) -> Deferred[Finished]:
        """Run a command to its end."""
        pipes: list[tuple[int, int]] = []
        try:
            try:
                # Popen would lose the first one if there is no second.
                count = int(command.sink is None) + int(not command.merged)
                pipes.extend(os.pipe() for _ in range(count))
            except OSError as problem:
                raise systemError(problem, "Unable to create pipe") from None
            output = pipes[0][1] if command.sink is None else command.sink
            errors = subprocess.STDOUT if command.merged else pipes[-1][1]
            child = self._spawn(command, command.wrapped(), output, errors)
        except VirtError as error:
            for reading, _ in pipes:
                os.close(reading)
            return fail(error)
        finally:
            for _, writing in pipes:
                os.close(writing)
        said = [reading for reading, _ in pipes]
        if command.sink is not None:
            said.insert(0, -1)
        return Run(self._reactor, command, child, said).answer

    def start(self, command: Command) -> Running:
        """Start a command and leave it running."""
        said = subprocess.DEVNULL if command.log is None else command.log
        argv = command.wrapped()
        locked = None if command.pidFile is None else _lockedPidFile(command.pidFile)
        handshake: tuple[int, int] | None = None
        try:
            if command.handshake:
                try:
                    handshake = os.pipe()
                except OSError as problem:
                    raise systemError(problem, "Unable to create pipe") from None
                argv = (sys.executable, "-ISc", _WAITS, str(handshake[0]), *argv)
            output = said if command.sink is None else command.sink
            given = [] if locked is None else [locked]
            if handshake is not None:
                given.append(handshake[0])
            child = self._spawn(command, argv, output, said, tuple(given))
            told = -1
            if handshake is not None:
                os.close(handshake[0])
                told, handshake = handshake[1], None
            running = Running(self._reactor, child.pid, child, told)
            if locked is not None:
                try:
                    os.write(locked, b"%d" % child.pid)
                except OSError as problem:
                    running.kill(signal.SIGKILL)
                    detail = f"Failed to write pid file '{command.pidFile}'"
                    raise systemError(problem, detail) from None
        except VirtError:
            if command.pidFile is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(command.pidFile)
            raise
        finally:
            for fd in (*(handshake or ()), *(() if locked is None else (locked,))):
                os.close(fd)
        return running

    def adopt(self, pid: int, started: int | None) -> Running | None:
        """Watch a process that another life of ours left running."""
        try:
            now = startTime(pid)
            if now is None or (started is not None and now != started):
                return None
            found = Running(self._reactor, pid, None)
            # Its number may have changed hands between the look and the grasp.
            if not found.isRunning() or startTime(pid) != now:
                found.forget()
                return None
        except OSError as problem:
            raise systemError(problem, f"Cannot look at process {pid}") from None
        return found

    def _spawn(
        self,
        command: Command,
        argv: tuple[str, ...],
        output: int,
        errors: int,
        given: tuple[int, ...] = (),
    ) -> subprocess.Popen[bytes]:
        log.debug("running {command}", command=command.shown()[:_SHOWN])
        environment = command.wholeEnvironment(self._environment)
        opened: list[int] = []
        began = time.monotonic()
        try:
            if command.source is not None:
                stdin = command.source
            else:
                stdin = _readable(command.input) if command.input else _nothing()
                opened.append(stdin)
            if subprocess.DEVNULL in (output, errors):
                opened.append(_nothing())
                output, errors = (
                    opened[-1] if each == subprocess.DEVNULL else each for each in (output, errors)
                )
            return subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=output,
                stderr=errors,
                cwd=command.folder,
                env=environment,
                pass_fds=command.descriptors + given,
                start_new_session=True,
                preexec_fn=command.hook,
                umask=-1 if command.umask is None else command.umask,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as problem:
            raise systemError(problem, f"cannot execute binary {command.argv[0]}") from None
        finally:
            for each in opened:
                os.close(each)
            took = time.monotonic() - began
            if took > 0.1:
                log.info("starting {program} took {took:.1f} s", program=command.argv[0], took=took)


def _nothing() -> int:
    """Return a descriptor from which nothing comes, and in which anything may vanish."""
    return os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)


def _readable(data: bytes) -> int:
    """
    Return a descriptor from which C{data} can be read: a pipe where that holds all of it, otherwise a file in memory.

    Neither makes anybody wait who writes.
    """
    if len(data) <= 65536:
        fd, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            if os.write(writing, data) == len(data):
                return fd
        finally:
            os.close(writing)
        os.close(fd)
    fd = os.memfd_create("input", os.MFD_CLOEXEC)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _lockedPidFile(path: str) -> int:
    """
    Open a pid file and lock it for whoever has the descriptor, which is inherited.

    @raise VirtError: C{SYSTEM_ERROR}: it cannot be opened, or somebody has it.
    """
    # A lock of the first byte, as libvirt has it, which belongs to the open file and not to a process.
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
    while True:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as problem:
            raise systemError(problem, f"Failed to open pid file '{path}'") from None
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, lock)
            # It may have been removed between our opening and locking it.
            if os.path.samestat(os.stat(path), os.fstat(fd)):
                os.ftruncate(fd, 0)
                return fd
        except FileNotFoundError:
            pass
        except OSError as problem:
            os.close(fd)
            raise systemError(problem, f"Failed to acquire pid file '{path}'") from None
        os.close(fd)
