"""
The daemon's log as libvirt's administrators know it: a level, filters by source, and outputs, all of which may
be changed while the daemon runs.

Lines look as libvirtd's do: time in UTC, process, level, source and text; priorities are libvirt's (1 debug,
2 info, 3 warning, 4 error).  Texts of errors are those of libvirtd 9.0.0.
"""

from __future__ import annotations

import fnmatch
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from zope.interface import implementer

from pyvirt.daemon.logoutputs import Write, openOutput
from pyvirt.errors import ErrorCode, VirtError, virtError

__all__ = ["Filter", "Log", "Output", "parseFilters", "parseOutputs"]

DEBUG, INFO, WARNING, ERROR = 1, 2, 3, 4
_PRIORITIES = {
    LogLevel.debug: DEBUG,
    LogLevel.info: INFO,
    LogLevel.warn: WARNING,
    LogLevel.error: ERROR,
    LogLevel.critical: ERROR,
}
_DESTINATIONS = {"stderr": 2, "syslog": 3, "file": 3, "journald": 2}
"""How many parts an output to each has."""


_PRIORITY = re.compile(r"\s*\+?0*[1-4]")
"""A priority, in each form that libvirtd reads."""


class Filter(NamedTuple):
    """The least priority of what comes from sources whose name matches C{pattern}."""

    priority: int
    pattern: str

    def __str__(self) -> str:
        return f"{self.priority}:{self.pattern}"


class Output(NamedTuple):
    """
    Where entries go.

    @ivar kind: C{stderr}, C{syslog}, C{file} or C{journald}.
    @ivar argument: name for syslog, path of the file, else empty.
    """

    priority: int
    kind: str
    argument: str = ""

    def __str__(self) -> str:
        parts = [str(self.priority), self.kind]
        if _DESTINATIONS[self.kind] == 3:
            parts.append(self.argument)
        return ":".join(parts)


def _invalid(detail: str) -> VirtError:
    return virtError(ErrorCode.INVALID_ARG, detail)


def parseFilters(text: str | None) -> list[Filter]:
    """
    Read filters, C{PRIORITY:NAME} separated by blanks.

    @raise VirtError: they are malformed (C{INVALID_ARG}).
    """
    found: list[Filter] = []
    for each in (text or "").split(" "):
        if not each:
            continue
        priority, *rest = each.split(":")
        if not rest:
            raise _invalid(f"Malformed format for filter '{each}'")
        if not _PRIORITY.fullmatch(priority):
            raise _invalid(f"Invalid priority '{priority}' for filter '{each}'")
        name = rest[0].removeprefix("+")
        if not name:
            raise _invalid(f"Invalid match string '{rest[0]}'")
        found.append(Filter(int(priority), f"*{name}*"))
    return found


def parseOutputs(text: str | None) -> list[Output]:
    """
    Read outputs, C{PRIORITY:DESTINATION} or C{PRIORITY:DESTINATION:ARGUMENT} separated by blanks.

    Of several for the same place the last one counts.

    @raise VirtError: they are malformed (C{INVALID_ARG}).
    """
    found: list[Output] = []
    for each in (text or "").split(" "):
        if not each:
            continue
        priority, *rest = each.split(":")
        if not rest:
            raise _invalid(f"Malformed format for log output '{each}'")
        if not _PRIORITY.fullmatch(priority):
            raise _invalid(f"Invalid log priority '{priority}' for log output '{each}'")
        parts = _DESTINATIONS.get(rest[0])
        if parts is None:
            raise _invalid(f"Invalid log destination '{rest[0]}' for log output '{each}'")
        if parts != len(rest) + 1:
            raise _invalid(
                f"Log output '{each}' does not meet the format requirements for destination"
                f" type '{rest[0]}'"
            )
        argument = rest[1] if parts == 3 else ""
        if rest[0] == "file":
            argument = os.path.abspath(argument)
        output = Output(int(priority), rest[0], argument)
        same = [other for other in found if (other.kind, other.argument) == output[1:]]
        for other in same:
            found.remove(other)
        found.append(output)
    return found


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONE = re.compile("[\ud800-\udfff]")
"""Halves of characters: what stands for bytes that are no text, as in names of files."""


def checkText(text: str) -> str:
    """Make one line of what may come from outside, so that no entry can pretend to be another."""
    return _whole(_CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text))


def _whole(text: str) -> str:
    """Make text that can be written in every encoding of Unicode."""

    def escaped(match: re.Match[str]) -> str:
        number = ord(match[0])
        return f"\\x{number - 0xDC00:02x}" if 0xDC80 <= number <= 0xDCFF else f"\\u{number:04x}"

    return _LONE.sub(escaped, text)


def _writable(event: LogEvent) -> LogEvent:
    """Make of an entry one that twistd's observers write: they drop those whose text cannot be encoded."""
    failure = event.get("log_failure")
    lines = [formatEvent(event)]
    if failure is not None:
        lines.append(failure.getTraceback())
    text = "\n".join(lines)
    if not _LONE.search(text):
        return event
    made = {**event, "log_format": "{log_text}", "log_text": _whole(text)}
    for name in ("log_failure", "log_flattened"):
        made.pop(name, None)
    return made


def _text(event: LogEvent) -> str:
    """Format an entry; whatever is in it, no further line of it looks like the beginning of another."""
    text = checkText(formatEvent(event))
    failure = event.get("log_failure")
    if failure is not None:
        lines = failure.getTraceback().rstrip().split("\n")
        text = "\n    ".join([text, *map(checkText, lines)])
    return text


class _Open(NamedTuple):
    output: Output
    write: Write
    close: Callable[[], None]


@implementer(ILogObserver)
class Log:
    """
    The log: takes every entry and passes on what is wanted.

    @ivar priority: the least that is passed on, unless a filter says otherwise for its source.
    @ivar filters: the first that matches a source counts.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        resolve: Callable[[str], str] = lambda path: path,
        stderr: Any = None,
        priority: int = WARNING,
        default: Output | None = None,
    ) -> None:
        """
        @param clock: the time, in seconds since 1970.
        @param resolve: tells where a file of the configuration really is.
        @param stderr: where C{stderr} is; None: what C{sys.stderr} is when an output is opened.
        @param default: where entries go if no output is set.
        """
        self.priority = priority
        self.filters: list[Filter] = []
        self._clock = clock
        self._resolve = resolve
        self._stderr = stderr
        self._default = default or Output(WARNING, "stderr")
        self._outputs: list[_Open] = []
        self._least: dict[str, int] = {}
        self._elsewhere: ILogObserver | None = None
        self._make: Callable[[], ILogObserver] | None = None

    @property
    def outputs(self) -> list[Output]:
        """Where entries go."""
        if self._elsewhere is not None:
            return [Output(INFO, "stderr")]
        return [each.output for each in self._outputs]

    def passTo(self, make: Callable[[], ILogObserver]) -> None:
        """Pass what is wanted as it is to what C{make} makes, from information upwards, until outputs are set."""
        self._make = make
        self.setPriority(INFO)

    def begin(self) -> None:
        """Entries come from now on."""
        if self._make is not None:
            self._elsewhere = self._make()

    def setPriority(self, priority: int) -> None:
        """Pass on what has this priority or a higher one."""
        self.priority = priority
        self._least.clear()

    def setFilters(self, filters: Sequence[Filter]) -> None:
        """Replace the filters."""
        self.filters = list(filters)
        self._least.clear()

    def setOutputs(self, outputs: Sequence[Output], *, reopen: bool = False) -> None:
        """
        Replace the outputs; none: the default one.

        @param reopen: also open those anew that are open already, for files that were moved away.
        @raise VirtError: one cannot be opened (C{SYSTEM_ERROR}); nothing is changed then.
        """
        wanted = list(outputs) or [self._default]
        kept = {} if reopen else {each.output[1:]: each for each in self._outputs}
        opened: list[_Open] = []
        new: list[_Open] = []
        try:
            for each in wanted:
                old = kept.get(each[1:])
                if old is not None:
                    opened.append(_Open(each, old.write, old.close))
                    continue
                stream = self._stderr or sys.__stderr__ or sys.stderr
                write, close = openOutput(
                    each.kind,
                    self._resolve(each.argument) if each.kind == "file" else each.argument,
                    stream,
                    self._clock,
                )
                new.append(_Open(each, write, close))
                opened.append(new[-1])
        except OSError as problem:
            for one in new:
                one.close()
            text = f"failed to open {problem.filename or each.argument}: {problem.strerror}"
            raise VirtError(
                text,
                code=ErrorCode.SYSTEM_ERROR,
                str1="%s",
                str2=text,
                int1=problem.errno or -1,
            ) from None
        remaining = {each.output[1:] for each in opened} if not reopen else set()
        closing = [each for each in self._outputs if each.output[1:] not in remaining]
        self._outputs = opened
        if self._elsewhere is not None:
            self._elsewhere = None
            self.setPriority(WARNING)
        for one in closing:
            one.close()

    def describeFilters(self) -> str | None:
        """The filters as text, as libvirt prints them, None: there are none."""
        return "".join(f"{each} " for each in self.filters) or None

    def describeOutputs(self) -> str:
        """The outputs as text."""
        return " ".join(map(str, self.outputs))

    def close(self) -> None:
        """Let go of every output."""
        closing, self._outputs = self._outputs, []
        for each in closing:
            each.close()

    def __call__(self, event: LogEvent) -> None:
        priority = _PRIORITIES.get(event.get("log_level", LogLevel.info), INFO)
        source = str(event.get("log_namespace") or event.get("log_system") or "-")
        least = self._least.get(source)
        if least is None:
            least = self._leastOf(source)
        if priority < least:
            return
        if self._elsewhere is not None:
            self._elsewhere(_writable(event))
            return
        text: str | None = None
        for each in self._outputs:
            if priority >= each.output.priority:
                if text is None:
                    text = _text(event)
                try:
                    each.write(priority, source, text)
                except (OSError, ValueError):
                    pass  # a full disk costs entries, not what is being logged, nor the other outputs

    def _leastOf(self, source: str) -> int:
        # Who asks for an audit trail asks for all of it.
        least = min(self.priority, INFO) if source == "pyvirt.audit" else self.priority
        for each in self.filters:
            if fnmatch.fnmatchcase(source, each.pattern):
                least = each.priority
                break
        if len(self._least) > 1000:
            self._least.clear()
        self._least[source] = least
        return least
