"""
What guests and their helpers print, one log for each: L{GuestLog}.
"""

from __future__ import annotations

import os
import platform
import shlex
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.qemu.logrotation import LogLimits, putAside
from pyvirt.drivers.qemu.refusals import systemFailure
from pyvirt.errors import VirtError

__all__ = ["GuestLog", "appendLog", "logsOf"]

log = Logger()


def logsOf(definition: DomainDefinition) -> Iterator[str]:
    """Iterate over the names of the logs of a guest and of its helpers that write to theirs as it does."""
    yield definition.name
    for fs in definition.devices.filesystems:
        if fs.driver is not None and fs.driver.type == "virtiofs":
            yield f"{definition.name}-{fs.alias}-virtiofsd"
    if any(graphics.type == "dbus" for graphics in definition.devices.graphics):
        yield f"{definition.name}-dbus"


class GuestLog:
    """
    The log of one guest: how it was started, what QEMU printed, how it ended.

    @ivar fd: the descriptor that QEMU writes to.
    """

    def __init__(self, path: str, limits: LogLimits | None = None) -> None:
        """
        Open it.

        @param limits: one that has grown larger is put aside; None: somebody may be writing to it.
        @raise VirtError: it cannot be opened.
        """
        self.path = path
        try:
            if limits is not None:
                putAside(path, limits)
        except OSError as problem:
            # No guest stays off for that.
            log.error("{path} grows on: {problem}", path=path, problem=problem)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self.fd = os.open(path, flags, 0o600)
        except OSError as problem:
            raise systemFailure(problem, f"failed to create logfile {path}") from None
        self._mark = 0

    def say(self, text: str) -> None:
        """Write a line with the time."""
        try:
            os.write(self.fd, os.fsencode(f"{stamp()}: {text}\n"))
        except OSError as problem:
            log.warn("{path}: {problem}", path=self.path, problem=problem)

    def header(
        self, version: str, package: str, environment: dict[str, str], argv: tuple[str, ...]
    ) -> None:
        """Write how the guest is started, so that it can be done by hand."""
        qemu = version + package
        self.say(
            f"starting up pyvirt, qemu version: {qemu}, "
            f"kernel: {platform.release()}, hostname: {socket.gethostname()}"
        )
        lines = [f"{name}={shlex.quote(value)}" for name, value in environment.items()]
        lines.append(shlex.quote(argv[0]))
        at = 1
        while at < len(argv):
            if argv[at].startswith("-") and at + 1 < len(argv) and not argv[at + 1].startswith("-"):
                lines.append(f"{argv[at]} {shlex.quote(argv[at + 1])}")
                at += 2
            else:
                lines.append(shlex.quote(argv[at]))
                at += 1
        try:
            os.write(self.fd, os.fsencode(" \\\n".join(lines) + "\n"))
            self._mark = os.stat(self.path).st_size
        except OSError as problem:
            log.warn("{path}: {problem}", path=self.path, problem=problem)

    def said(self, limit: int = 1024) -> str:
        """Return what QEMU has printed since it was started, the last lines of it if that is long."""
        try:
            size = os.fstat(self.fd).st_size
            # It may have been put aside meanwhile.
            mark = self._mark if size >= self._mark else 0
            begin = max(mark, size - limit)
            data = os.pread(self.fd, limit, begin)
            if begin > mark and b"\n" in data[:-1]:
                data = data.partition(b"\n")[2]
            return data.decode(errors="replace").strip()
        except OSError:
            return ""

    def close(self) -> None:
        """Let go of it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def stamp() -> str:
    """Write the time as logs of guests have it."""
    now = datetime.fromtimestamp(time.time(), UTC)
    return f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03d}+0000"


def appendLog(path: str, text: str) -> None:
    """Write one line to a guest's log."""
    try:
        opened = GuestLog(path)
    except VirtError as problem:
        log.warn("{problem}", problem=problem)
        return
    opened.say(text)
    opened.close()
