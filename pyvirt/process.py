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

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import attrs
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import Interface, implementer

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = [
    "Command",
    "Finished",
    "IProcesses",
    "IRunning",
    "Processes",
    "commandError",
    "startTime",
]

log = Logger()

#: What commands inherit of our environment, where it is set.
INHERITED = ("LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR")


@attrs.frozen(kw_only=True)
class Command:
    """
    What is run.

    @ivar argv: the program, looked up in C{PATH} if it has no slash, and its arguments.
    @ivar prefix: a program that becomes it in the end, with all rights that we have.
    @ivar environment: what is set besides C{LC_ALL=C} and what everything inherits (L{INHERITED}).
    @ivar folder: where it runs.
    @ivar input: what it can read, of any size.
    @ivar source: a descriptor of ours that it reads instead.
    @ivar sink: a descriptor of ours that gets what it prints, of one that is waited for; its errors come as usual.
    @ivar descriptors: of ours that it gets, under their own numbers.
    @ivar user, group: numbers; None: ours.  C{groups}: further ones.
    @ivar dropCapabilities: take all capabilities away, even from root.
    @ivar noNewPrivileges: it and what it runs can never gain rights.
    @ivar limits: C{prlimit}'s options, such as C{("--nofile=8192",)}.
    @ivar umask: of its files; None: ours.
    @ivar outputLimit: the most that it may say on each of both streams, in bytes.
    @ivar deadline: seconds after which it is killed; None: never.
    @ivar statuses: those that mean success; None: any.
    @ivar pidFile: where its number is written, of one that is left running.
    @ivar hidden: words that are not shown to anybody who reads logs.
    @ivar log: a descriptor of ours that gets what one that is left running says; None: nothing does.
    """

    argv: tuple[str, ...]
    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] = attrs.Factory(dict)
    folder: str = "/"
    input: bytes = b""
    source: int | None = None
    sink: int | None = None
    descriptors: tuple[int, ...] = ()
    user: int | None = None
    group: int | None = None
    groups: tuple[int, ...] = ()
    dropCapabilities: bool = False
    noNewPrivileges: bool = False
    limits: tuple[str, ...] = ()
    umask: int | None = None
    outputLimit: int = 4 << 20
    deadline: float | None = 60.0
    statuses: frozenset[int] | None = frozenset([0])
    pidFile: str | None = None
    log: int | None = None
    hidden: frozenset[str] = frozenset()

    def wrapped(self) -> tuple[str, ...]:
        """Return the whole command line, with what gives rights away before the program."""
        argv = self.argv
        if self.limits:
            argv = ("prlimit", *self.limits, "--", *argv)
        options: list[str] = []
        if self.user is not None:
            options += ["--reuid", str(self.user)]
        if self.group is not None:
            options += ["--regid", str(self.group)]
        if self.groups:
            options += ["--groups", ",".join(map(str, self.groups))]
        elif self.user is not None or self.group is not None:
            options.append("--clear-groups")
        if self.dropCapabilities:
            options += ["--inh-caps=-all", "--bounding-set=-all"]
        if self.noNewPrivileges:
            options.append("--no-new-privs")
        if options:
            argv = ("setpriv", *options, "--", *argv)
        return self.prefix + argv

    def wholeEnvironment(self, ours: Mapping[str, str]) -> dict[str, str]:
        """Return the environment it runs in."""
        found = {"LC_ALL": "C"}
        found.update((name, ours[name]) for name in INHERITED if name in ours)
        found.update(self.environment)
        return found

    def shown(self) -> str:
        """Write it as one would type it in a shell."""
        words = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        words += ["***" if word in self.hidden else shlex.quote(word) for word in self.wrapped()]
        text = " ".join(words)
        return f"(cd {shlex.quote(self.folder)}; {text})" if self.folder != "/" else text

    def named(self) -> str:
        """Write it as errors name it."""
        return " ".join(
            ["LC_ALL=C", *(f"{n}={v}" for n, v in self.environment.items()), *self.argv]
        )


class Finished(NamedTuple):
    """How a command ended: its exit status, or minus the signal that ended it; what it said on both streams."""

    status: int
    output: bytes
    errors: bytes


def commandError(command: Command, finished: Finished, domain: int = ErrorDomain.NONE) -> VirtError:
    """Make the error of a command that ended as it should not."""
    if finished.status < 0:
        how = f"fatal signal {-finished.status}"
    else:
        how = f"exit status {finished.status}"
    said = finished.errors.decode(errors="replace").strip()
    return virtError(
        ErrorCode.INTERNAL_ERROR,
        f"Child process ({' '.join(command.argv)}) unexpected {how}"
        + (f": {said}" if said else ""),
        domain,
    )


class IRunning(Interface):
    """A process that was left running."""

    def whenEnded() -> Deferred[int | None]:
        """Fire once it is gone: with its status as in L{Finished}, None if it is not our child."""

    def kill(number: int) -> None:
        """Send it a signal; nothing happens if it is gone."""

    def isRunning() -> bool:
        """Whether it is still there."""

    def forget() -> None:
        """Watch it no more; it goes on."""


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
        """


def startTime(pid: int) -> int | None:
    """Return when a process started, in ticks since the machine did, or None: there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
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
        # The other end is closed and nothing is left to be read: whoever reads has to see that.
        if self._fd >= 0:
            self._readable()
        self.close()

    def close(self) -> None:
        """Stop reading and close the descriptor."""
        if self._fd >= 0:
            self.stopReading()
            fd, self._fd = self._fd, -1
            os.close(fd)


@implementer(IRunning)
class _Running:
    """
    A process.

    @ivar pid: its number.
    """

    def __init__(self, reactor: Any, pid: int, ours: subprocess.Popen[bytes] | None) -> None:
        self.pid = pid
        self._reactor = reactor
        self._ours = ours
        self._ended: list[Deferred[int | None]] = []
        self._over = False
        self._status: int | None = None
        self._watcher: _Watcher | None = None
        self._poll: Any = None
        try:
            self._watcher = _Watcher(reactor, os.pidfd_open(pid), self._gone)
        except ProcessLookupError:
            self._gone()
        except OSError:
            self._look()  # a system without pidfd

    def _look(self) -> None:
        alive = self._ours.poll() is None if self._ours else startTime(self.pid) is not None
        if alive:
            self._poll = self._reactor.callLater(0.2, self._look)
        else:
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

    def isRunning(self) -> bool:
        return not self._over

    def forget(self) -> None:
        if self._poll is not None and self._poll.active():
            self._poll.cancel()
        if self._watcher is not None:
            watcher, self._watcher = self._watcher, None
            watcher.close()
        if self._ours is not None and self._ours.returncode is None:
            # It outlives us; that it was our child is no reason to complain.
            self._ours.returncode = 0


class _Run:
    """A command that is waited for."""

    def __init__(self, reactor: Any, command: Command, child: subprocess.Popen[bytes]) -> None:
        self.answer: Deferred[Finished] = Deferred(lambda _: self._kill())
        self._command = command
        self._running = _Running(reactor, child.pid, child)
        self._error: VirtError | None = None
        self._said: list[bytearray] = []
        self._open = 0
        self._status: int | None = None
        self._timer: Any = None
        for stream in (child.stdout, child.stderr):
            if stream is None:
                self._said.append(bytearray())
                continue
            fd = os.dup(stream.fileno())
            stream.close()
            os.set_blocking(fd, False)
            self._read(reactor, fd)
        if command.deadline is not None:
            self._timer = reactor.callLater(command.deadline, self._late)
        self._running.whenEnded().addCallback(self._ended)

    def _read(self, reactor: Any, fd: int) -> None:
        said = bytearray()
        self._said.append(said)
        self._open += 1

        def readable() -> None:
            try:
                data = os.read(fd, 65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data:
                said.extend(data)
                if len(said) > self._command.outputLimit:
                    self._refuse(
                        virtError(
                            ErrorCode.INTERNAL_ERROR,
                            f"Child process ({self._command.argv[0]}) says more than "
                            f"{self._command.outputLimit} bytes",
                        )
                    )
            if not data or self._error is not None:
                watcher.close()
                self._open -= 1
                self._finish()

        watcher = _Watcher(reactor, fd, readable)
        self._watchers = [*getattr(self, "_watchers", []), watcher]

    def _late(self) -> None:
        self._refuse(
            virtError(
                ErrorCode.OPERATION_TIMEOUT,
                f"Child process ({' '.join(self._command.argv)}) did not end in "
                f"{self._command.deadline:g} seconds",
            )
        )

    def _refuse(self, error: VirtError) -> None:
        self._error = self._error or error
        self._kill()

    def _kill(self) -> None:
        # It leads a session of its own, so what it has started ends with it.
        try:
            os.killpg(self._running.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._running.kill(signal.SIGKILL)

    def _ended(self, status: int | None) -> None:
        self._status = status
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._error is not None:
            for watcher in self._watchers:
                watcher.close()
            self._open = 0
        self._finish()

    def _finish(self) -> None:
        if self._status is None or self._open > 0 or self.answer.called:
            return
        finished = Finished(self._status, bytes(self._said[0]), bytes(self._said[1]))
        if self._error is not None:
            self.answer.errback(self._error)
        elif self._command.statuses is not None and self._status not in self._command.statuses:
            self.answer.errback(commandError(self._command, finished))
        else:
            self.answer.callback(finished)


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
        output = subprocess.PIPE if command.sink is None else command.sink
        try:
            child = self._spawn(command, output, subprocess.PIPE)
        except VirtError as error:
            failed: Deferred[Finished] = Deferred()
            failed.errback(error)
            return failed
        return _Run(self._reactor, command, child).answer

    def start(self, command: Command) -> _Running:
        """Start a command and leave it running."""
        said = subprocess.DEVNULL if command.log is None else command.log
        child = self._spawn(command, said, said)
        running = _Running(self._reactor, child.pid, child)
        if command.pidFile is not None:
            try:
                writePid(command.pidFile, child.pid)
            except OSError as problem:
                running.kill(signal.SIGKILL)
                raise systemError(
                    problem, f"Failed to write pid file '{command.pidFile}'"
                ) from None
        return running

    def adopt(self, pid: int, started: int | None) -> _Running | None:
        """Watch a process that another life of ours left running."""
        now = startTime(pid)
        if now is None or (started is not None and now != started):
            return None
        found = _Running(self._reactor, pid, None)
        # Its number may have changed hands between the look and the grasp.
        if not found.isRunning() or startTime(pid) != now:
            found.forget()
            return None
        return found

    def _spawn(self, command: Command, output: int, errors: int) -> subprocess.Popen[bytes]:
        log.debug("running {command}", command=command.shown())
        environment = command.wholeEnvironment(self._environment)
        stdin: int = subprocess.DEVNULL
        opened = -1
        if command.source is not None:
            stdin = command.source
        elif command.input:
            opened = stdin = _memoryFile(command.input)
        began = time.monotonic()
        try:
            return subprocess.Popen(
                command.wrapped(),
                stdin=stdin,
                stdout=output,
                stderr=errors,
                cwd=command.folder,
                env=environment,
                pass_fds=command.descriptors,
                start_new_session=True,
                umask=-1 if command.umask is None else command.umask,
            )
        except (OSError, ValueError) as problem:
            raise systemError(problem, f"cannot execute binary {command.argv[0]}") from None
        finally:
            if opened >= 0:
                os.close(opened)
            took = time.monotonic() - began
            if took > 0.1:
                log.info("starting {program} took {took:.1f} s", program=command.argv[0], took=took)


def _memoryFile(data: bytes) -> int:
    """Return a descriptor from which C{data} can be read; it never blocks whoever writes."""
    fd = os.memfd_create("input", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def writePid(path: str, pid: int) -> None:
    """Write a pid file, whole or not at all."""
    temporary = f"{path}.new"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    try:
        os.write(fd, b"%d" % pid)
    finally:
        os.close(fd)
    os.rename(temporary, path)


def systemError(problem: BaseException, detail: str, domain: int = ErrorDomain.NONE) -> VirtError:
    """Make the error of something that the system refused."""
    number = getattr(problem, "errno", None)
    why = os.strerror(number) if isinstance(number, int) else str(problem)
    return virtError(
        ErrorCode.SYSTEM_ERROR,
        f"{detail}: {why}",
        domain,
        int1=number if isinstance(number, int) else -1,
    )
