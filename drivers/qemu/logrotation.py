"""
Logs that do not grow without end: L{LogKeeper} looks after those of running guests.

Guests write to their logs themselves, always at the end, and cannot be told to open another file.  So what has been
written is copied into another file, and the log made empty: what is printed in the instant between the two is lost.

Source: virtlogd(8), and what virtlogd 9.0.0 leaves: C{NAME.log.0} is the newest of the old ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from typing import Protocol

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import CooperativeTask, Cooperator, TaskStopped
from twisted.logger import Logger
from twisted.python.failure import Failure

from pyvirt.confsyntax import ConfigError, parse

__all__ = ["INTERVAL", "LogKeeper", "LogLimits", "loadLimits", "putAside", "rotation"]

log = Logger()

#: Seconds between that a log is written to, and that it is looked at; and between two looks.
INTERVAL = 5.0
#: Bytes that are copied in one turn of the reactor, and that may have come meanwhile to be kept too.
_STEP = 1 << 20
#: How far before the limit a line may end for the log to be cut there.
_LINE = 4096
#: Keys of virtlogd.conf that are about the process virtlogd.
_OTHERS = ("log_level", "log_filters", "log_outputs", "max_clients", "admin_max_clients")


@attrs.frozen
class LogLimits:
    """
    How much of what guests print is kept.

    @ivar size: bytes of one file, 1 or more.
    @ivar kept: how many old ones are kept.
    """

    size: int = 2 << 20
    kept: int = 3


def loadLimits(path: str) -> LogLimits:
    """
    Read the limits from virtlogd's configuration; one that is not there says nothing.

    Guests run whatever another program's file says: what is wrong in it is logged, and passed over.
    """
    try:
        with open(path, encoding="utf-8") as file:
            entries = parse(file.read(), path)
    except FileNotFoundError:
        return LogLimits()
    except (OSError, UnicodeDecodeError, ConfigError) as problem:
        log.error(
            "logs are limited as if there were no {path}: {problem}", path=path, problem=problem
        )
        return LogLimits()
    found: dict[str, int] = {}
    for entry in entries:
        least = {"max_size": 1, "max_backups": 0}.get(entry.name)
        place = f"{path}:{entry.line}"
        if least is None:
            if entry.name not in _OTHERS:
                log.warn("{place}: unknown key '{key}' is passed over", place=place, key=entry.name)
        elif not isinstance(entry.value, int) or not least <= entry.value < 1 << 63:
            log.error(
                "{place}: {key} has to be {least} or more, not {value!r}: it is passed over",
                place=place,
                key=entry.name,
                least=least,
                value=entry.value,
            )
        else:
            found.setdefault(entry.name, entry.value)
    default = LogLimits()
    return LogLimits(found.get("max_size", default.size), found.get("max_backups", default.kept))


def putAside(path: str, limits: LogLimits) -> None:
    """
    Put a log aside to which nobody writes, if it has grown too large.

    @raise OSError: it cannot be.
    """
    try:
        if os.stat(path, follow_symlinks=False).st_size <= limits.size:
            return
    except FileNotFoundError:
        return
    if limits.kept:
        _makeRoom(path, limits.kept)
        os.rename(path, f"{path}.0")
    else:
        os.unlink(path)


def _makeRoom(path: str, kept: int) -> None:
    """Give each old log the next number; the last one goes."""
    # Those between which one is missing stay where they are.
    there = next((each for each in range(kept) if not os.path.lexists(f"{path}.{each}")), kept - 1)
    for number in range(there, 0, -1):
        os.rename(f"{path}.{number - 1}", f"{path}.{number}")


def rotation(path: str, limits: LogLimits) -> Generator[None, None, None]:
    """
    Put aside what has been written to a log that somebody goes on writing to, a part in each step.

    What is more than all old logs may have together is dropped, the oldest first.

    @raise OSError: it cannot be; then it is as it was, or some of it is there twice.
    """
    opened = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        end = os.fstat(opened).st_size
        at = max(0, end - limits.size * limits.kept) if limits.kept else end
        if 0 < at < end:
            at = _cut(opened, at - 1, at + _LINE, -1)
        while at < end:
            upTo = min(end, at + limits.size)
            if upTo < end:
                upTo = _cut(opened, max(at, upTo - _LINE), upTo, 1)
            copy = os.open(
                f"{path}.new",
                os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW,
                0o600,
            )
            try:
                while at < upTo:
                    at += _copied(copy, opened, at, min(_STEP, upTo - at))
                    yield
                if upTo == end:
                    # What came meanwhile, without letting more come.
                    more = min(os.fstat(opened).st_size - end, _STEP)
                    while more > 0:
                        done = _copied(copy, opened, at, more)
                        at, more = at + done, more - done
                _makeRoom(path, limits.kept)
                os.rename(f"{path}.new", f"{path}.0")
            finally:
                os.close(copy)
                if os.path.exists(f"{path}.new"):
                    os.unlink(f"{path}.new")
        os.ftruncate(opened, 0)
    finally:
        os.close(opened)


def _copied(target: int, source: int, at: int, count: int) -> int:
    done = os.sendfile(target, source, at, count)
    if not done:
        raise OSError("the log has become shorter")
    return done


def _cut(opened: int, begin: int, end: int, towards: int) -> int:
    """
    Return where a line ends between two places.

    @param towards: 1: the last such place, or C{end}; -1: the first, or C{begin}.
    """
    text = os.pread(opened, end - begin, begin)
    found = text.rfind(b"\n") if towards > 0 else text.find(b"\n")
    if found < 0:
        return end if towards > 0 else begin
    return begin + found + 1


class IWatch(Protocol):
    """Tells of files that are written to: L{pyvirt.drivers.qemu.filewatch.FileWatch}."""

    def add(self, path: str) -> bool:
        """Tell when a file is written to next; return False if it cannot be watched, now at least."""

    def close(self) -> None:
        """Tell of nothing any more."""


class LogKeeper:
    """
    Keeps the logs of running guests from growing beyond their limits.

    A log is looked at some seconds after somebody has written to it, so that guests which say nothing cost nothing.
    Where the system does not tell of that, all are looked at again and again, and so is one that cannot be watched.

    @ivar limits: what they are.
    """

    def __init__(
        self,
        clock: IReactorTime,
        limits: LogLimits,
        logs: Callable[[], Iterable[str]],
        watch: Callable[[Callable[[str], None]], IWatch | None] = lambda written: None,
    ) -> None:
        """
        @param logs: returns the paths of logs that somebody writes to, always at their ends.
        @param watch: makes what calls its argument with the path of a file that was written to; or returns None.
        """
        self.limits = limits
        self._clock = clock
        self._logs = logs
        self._makeWatch = watch
        self._watch: IWatch | None = None
        self._running = False
        self._written: set[str] = set()
        self._unwatched: set[str] = set()
        self._later: IDelayedCall | None = None
        self._cooperator = Cooperator(
            terminationPredicateFactory=lambda: lambda: True,
            scheduler=lambda step: clock.callLater(0, step),
        )
        self._task: CooperativeTask[Generator[None, None, None]] | None = None

    def start(self) -> None:
        """Look after logs from now on."""
        self._running = True
        self._watch = self._makeWatch(self._isWritten)
        if self._watch is None:
            self._lookLater()
            return
        for path in self._logs():
            self.follow(path)

    def follow(self, path: str) -> None:
        """Look after a log to which somebody begins to write, for as long as it is one of those."""
        if self._watch is None:
            return
        if not self._watch.add(path):
            # The system may watch no more files than so many.
            if path not in self._unwatched:
                self._unwatched.add(path)
                log.warn("{path} is looked at again and again: nobody tells of it", path=path)
            self._isWritten(path)
            return
        self._unwatched.discard(path)
        if self._isLarge(path):
            self._isWritten(path)

    def stop(self) -> None:
        """Look no more; what is being put aside is left as it was."""
        self._running = False
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()
        later, self._later = self._later, None
        if later is not None:
            later.cancel()
        task, self._task = self._task, None
        if task is not None:
            task.stop()

    def _isWritten(self, path: str) -> None:
        self._written.add(path)
        self._lookLater()

    def _lookLater(self) -> None:
        if self._later is None and self._running:
            self._later = self._clock.callLater(INTERVAL, self._look)

    def _look(self) -> None:
        self._later = None
        if self._task is not None:
            # One thing after the other.
            self._lookLater()
            return
        open_ = set(self._logs())
        self._unwatched &= open_
        if self._watch is not None:
            open_ &= self._written
            self._written.clear()
            for path in open_:
                # What comes while they are looked at is told.
                self.follow(path)
        else:
            self._lookLater()
        large = sorted(path for path in open_ if self._isLarge(path))
        if large:
            work = self._rotate(large)
            self._task = self._cooperator.cooperate(work)

            def over(outcome: object) -> None:
                self._task = None
                # What was begun and will not be ended leaves no file.
                work.close()
                if isinstance(outcome, Failure) and not outcome.check(TaskStopped):
                    log.failure("logs grow on", failure=outcome)

            self._task.whenDone().addBoth(over)

    def _isLarge(self, path: str) -> bool:
        try:
            return os.stat(path, follow_symlinks=False).st_size > self.limits.size
        except OSError:
            return False

    def _rotate(self, paths: Iterable[str]) -> Generator[None, None, None]:
        for path in paths:
            try:
                yield from rotation(path, self.limits)
            except OSError as problem:
                log.error("{path} grows on: {problem}", path=path, problem=problem)
