"""
The daemon's log where log_level, log_filters or log_outputs of the configuration direct it.

Without these keys twistd's own log is used, with its options.  With them lines look as libvirtd's do: time in
UTC, process, level, source and text; priorities are libvirt's (1 debug, 2 info, 3 warning, 4 error).
"""

from __future__ import annotations

import os
import socket
import sys
import syslog
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    LogPublisher,
    formatEvent,
)
from zope.interface import implementer

from pyvirt.daemon.config import Config, ConfigError
from pyvirt.daemon.paths import under

__all__ = ["PriorityObserver", "configuredObserver", "formatLine"]

_DEBUG, _INFO, _WARNING, _ERROR = 1, 2, 3, 4
_PRIORITIES = {
    LogLevel.debug: _DEBUG,
    LogLevel.info: _INFO,
    LogLevel.warn: _WARNING,
    LogLevel.error: _ERROR,
    LogLevel.critical: _ERROR,
}
_NAMES = {_DEBUG: "debug", _INFO: "info", _WARNING: "warning", _ERROR: "error"}
_SYSLOG = {
    _DEBUG: syslog.LOG_DEBUG,
    _INFO: syslog.LOG_INFO,
    _WARNING: syslog.LOG_WARNING,
    _ERROR: syslog.LOG_ERR,
}
_JOURNAL = "/run/systemd/journal/socket"

Write = Callable[[int, str, str], None]
"""Takes the priority, the source and the text of one entry."""


def _text(event: LogEvent) -> str:
    text = formatEvent(event)
    failure = event.get("log_failure")
    if failure is not None:
        text = f"{text}\n{failure.getTraceback()}".rstrip()
    return text


def formatLine(seconds: float, pid: int, priority: int, source: str, text: str) -> str:
    """Format an entry as one line, or several if the text has them."""
    time = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return f"{time}+0000: {pid}: {_NAMES[priority]} : {source} : {text}\n"


@implementer(ILogObserver)
class PriorityObserver:
    """
    Passes on entries of some priority or above; for some sources another one holds.

    @ivar priority: the least that is passed on.
    @ivar filters: pairs of a priority and a part of the source's name; the first that fits counts.
    """

    def __init__(
        self, priority: int, filters: tuple[tuple[int, str], ...], minimum: int, write: Write
    ) -> None:
        """
        @param minimum: what the destination takes at least, whatever the filters say.
        """
        self.priority = priority
        self.filters = filters
        self.minimum = minimum
        self.write = write

    def __call__(self, event: LogEvent) -> None:
        priority = _PRIORITIES.get(event.get("log_level", LogLevel.info), _INFO)
        source = str(event.get("log_namespace") or event.get("log_system") or "-")
        least = self.priority
        for each, part in self.filters:
            if part in source:
                least = each
                break
        if priority >= max(least, self.minimum):
            self.write(priority, source, _text(event))


def _toStream(stream: Any, clock: Callable[[], float]) -> Write:
    def write(priority: int, source: str, text: str) -> None:
        stream.write(formatLine(clock(), os.getpid(), priority, source, text))
        stream.flush()

    return write


def _toFile(fd: int, clock: Callable[[], float]) -> Write:
    def write(priority: int, source: str, text: str) -> None:
        # At once and whole: what is said before a crash is what is looked for after it.
        os.write(
            fd, formatLine(clock(), os.getpid(), priority, source, text).encode(errors="replace")
        )

    return write


def _toSyslog(identity: str) -> Write:
    syslog.openlog(identity, syslog.LOG_PID, syslog.LOG_DAEMON)

    def write(priority: int, source: str, text: str) -> None:
        for line in text.splitlines() or [""]:
            syslog.syslog(_SYSLOG[priority], f"{source} : {line}")

    return write


def _toJournal() -> Write:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    channel.connect(_JOURNAL)
    channel.setblocking(False)

    def write(priority: int, source: str, text: str) -> None:
        data = text.encode(errors="replace")
        entry = (
            b"MESSAGE\n%s%s\n" % (len(data).to_bytes(8, "little"), data)
            + f"PRIORITY={_SYSLOG[priority]}\nLIBVIRT_SOURCE={source}\n".encode()
            + b"SYSLOG_IDENTIFIER=pyvirt\n"
        )
        try:
            channel.send(entry)
        except OSError:
            pass  # a log that cannot be written has nowhere to say so

    return write


def configuredObserver(
    config: Config, root: str, clock: Callable[[], float]
) -> ILogObserver | None:
    """
    Make what sends the log where C{config} wants it.

    @param root: the folder that stands for C{/}.
    @param clock: the time, in seconds since 1970.
    @return: None if the configuration does not say.
    @raise ConfigError: a destination cannot be opened.
    """
    if config.logLevel is None and not config.logFilters and not config.logOutputs:
        return None
    priority = config.logLevel or _WARNING
    found = []
    for minimum, kind, argument in config.logOutputs or ((_DEBUG, "stderr", ""),):
        try:
            if kind == "stderr":
                write = _toStream(sys.stderr, clock)
            elif kind == "file":
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                fd = os.open(under(root, argument), flags, 0o600)
                write = _toFile(fd, clock)
            elif kind == "syslog":
                write = _toSyslog(argument)
            else:
                write = _toJournal()
        except OSError as problem:
            text = f"log output '{minimum}:{kind}' cannot be opened: {problem.strerror}"
            raise ConfigError(
                config.file or "default configuration", config.lines.get("log_outputs", 0), text
            ) from None
        found.append(PriorityObserver(priority, config.logFilters, minimum, write))
    return LogPublisher(*found)
