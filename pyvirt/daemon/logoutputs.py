"""
The places that log entries can go to: standard error, files, syslog, the systemd journal.
"""

from __future__ import annotations

import os
import socket
import syslog
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

__all__ = ["Write", "formatLine", "openOutput"]

_NAMES = {1: "debug", 2: "info", 3: "warning", 4: "error"}
_SYSLOG = {
    1: syslog.LOG_DEBUG,
    2: syslog.LOG_INFO,
    3: syslog.LOG_WARNING,
    4: syslog.LOG_ERR,
}
_JOURNAL = "/run/systemd/journal/socket"

Write = Callable[[int, str, str], None]
"""Takes the priority, the source and the text of one entry."""


def formatLine(seconds: float, pid: int, priority: int, source: str, text: str) -> str:
    """Format an entry as one line, or several if the text has them."""
    time = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return f"{time}+0000: {pid}: {_NAMES[priority]} : {source} : {text}\n"


def openOutput(
    kind: str, argument: str, stderr: Any, clock: Callable[[], float]
) -> tuple[Write, Callable[[], None]]:
    """
    Open a place for entries.

    @param argument: name for syslog, path of a file.
    @param clock: the time, in seconds since 1970.
    @return: what writes an entry, and what closes the place.
    @raise OSError: it cannot be opened.
    """
    if kind == "stderr":
        return _toStream(stderr, clock), _nothing
    if kind == "file":
        return _toFile(argument, clock)
    if kind == "syslog":
        syslog.openlog(argument, syslog.LOG_PID, syslog.LOG_DAEMON)
        return _toSyslog, _nothing
    return _toJournal()


def _nothing() -> None:
    """Nothing is to be closed."""


def _toStream(stream: Any, clock: Callable[[], float]) -> Write:
    # Not every stream has every character.
    encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(priority: int, source: str, text: str) -> None:
        line = formatLine(clock(), os.getpid(), priority, source, text)
        stream.write(line.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()

    return write


def _toFile(path: str, clock: Callable[[], float]) -> tuple[Write, Callable[[], None]]:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(priority: int, source: str, text: str) -> None:
        # At once and whole: what is said before a crash is what is looked for after it.
        line = formatLine(clock(), os.getpid(), priority, source, text)
        os.write(fd, line.encode(errors="replace"))

    return write, lambda: os.close(fd)


def _toSyslog(priority: int, source: str, text: str) -> None:
    for line in text.splitlines() or [""]:
        syslog.syslog(_SYSLOG[priority], f"{source} : {line}")


def _toJournal() -> tuple[Write, Callable[[], None]]:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    channel.setblocking(False)

    def write(priority: int, source: str, text: str) -> None:
        data = text.encode(errors="replace")
        entry = (
            b"MESSAGE\n%s%s\n" % (len(data).to_bytes(8, "little"), data)
            + f"PRIORITY={_SYSLOG[priority]}\nLIBVIRT_SOURCE={source}\n".encode()
            + b"SYSLOG_IDENTIFIER=pyvirt\n"
        )
        try:
            channel.sendto(entry, _JOURNAL)
        except OSError:
            pass  # a log that cannot be written has nowhere to say so

    return write, channel.close
