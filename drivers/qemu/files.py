"""
Files that guests need: their private folders, who owns their disks, what they print.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.qemu.refusals import systemFailure
from pyvirt.drivers.qemu.variables import variablesPath
from pyvirt.errors import ErrorDomain

__all__ = [
    "GuestLog",
    "appendLog",
    "giveBack",
    "listenAt",
    "makeFolder",
    "ownedFiles",
    "removeFolder",
    "takeOver",
]

log = Logger()

#: When the log of a guest is put aside, in bytes, and how many of those are kept.
LOG_SIZE = 2 << 20
LOG_KEPT = 3

Owner = tuple[int, int]


def makeFolder(path: str, owner: Owner | None, mode: int = 0o700) -> None:
    """
    Make a private folder, empty whatever was there.

    @raise VirtError: it cannot be made.
    """
    try:
        removeFolder(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.mkdir(path, mode)
        if owner is not None:
            os.chown(path, *owner)
    except OSError as problem:
        raise systemFailure(problem, f"cannot create directory '{path}'") from None


def removeFolder(path: str) -> None:
    """Remove a folder with all that is in it, if it is there."""
    shutil.rmtree(path, ignore_errors=True)


def listenAt(path: str, owner: Owner | None) -> socket.socket:
    """
    Open a UNIX socket that a guest will listen on, however long its path is.

    @raise VirtError: it cannot be opened.
    """
    opened = socket.socket(socket.AF_UNIX)
    try:
        folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
        try:
            opened.bind(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        finally:
            os.close(folder)
        if owner is not None:
            os.chown(path, *owner)
        opened.listen(1)
    except OSError as problem:
        opened.close()
        raise systemFailure(problem, f"Unable to bind to UNIX socket path '{path}'") from None
    return opened


def ownedFiles(definition: DomainDefinition) -> Iterator[tuple[str, bool]]:
    """Iterate over files of the host that a guest opens; with each whether its old owner gets it back."""
    for disk in definition.devices.disks:
        path = getattr(disk.source, "file", None) or getattr(disk.source, "dev", None)
        if path:
            shared = bool(getattr(disk, "readonly", None) or getattr(disk, "shareable", None))
            yield path, not shared
    os_ = definition.os
    for path in (os_.kernel, os_.initrd, os_.dtb):
        if path:
            yield path, True
    path = variablesPath(definition)
    if path and os.path.exists(path):
        yield path, True
    ports: list[Any] = [*definition.devices.serials, *definition.devices.parallels]
    for port in ports:
        source = port.source
        if source.type in ("file", "dev") and source.path and os.path.exists(source.path):
            yield source.path, True


def takeOver(
    definition: DomainDefinition, owner: Owner, restored: list[tuple[str, int, int]]
) -> None:
    """
    Give the files of a guest to the user it runs as.

    @param restored: gets those that go back, with whose they were.
    @raise VirtError: one is not there, or cannot be given.
    """
    for path, back in ownedFiles(definition):
        try:
            found = os.stat(path)
        except OSError as problem:
            raise systemFailure(problem, f"unable to stat: {path}", ErrorDomain.SECURITY) from None
        if (found.st_uid, found.st_gid) == owner:
            continue
        try:
            os.chown(path, *owner)
        except OSError as problem:
            detail = f"unable to set user and group to '{owner[0]}:{owner[1]}' on '{path}'"
            raise systemFailure(problem, detail, ErrorDomain.SECURITY) from None
        if back:
            restored.append((path, found.st_uid, found.st_gid))


def giveBack(restored: list[tuple[str, int, int]], owner: Owner) -> None:
    """Give files back to those whose they were, unless somebody else has them by now."""
    for path, user, group in restored:
        try:
            found = os.stat(path)
            if (found.st_uid, found.st_gid) == owner:
                os.chown(path, user, group)
        except OSError as problem:
            log.warn("{path} cannot be given back: {problem}", path=path, problem=problem)
    restored.clear()


class GuestLog:
    """
    The log of one guest: how it was started, what QEMU printed, how it ended.

    @ivar fd: the descriptor that QEMU writes to.
    """

    def __init__(self, path: str) -> None:
        """
        Open it; one that has grown large is put aside.

        @raise VirtError: it cannot be opened.
        """
        self.path = path
        try:
            self._rotate()
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self.fd = os.open(path, flags, 0o600)
        except OSError as problem:
            raise systemFailure(problem, f"failed to create logfile {path}") from None
        self._mark = 0

    def _rotate(self) -> None:
        try:
            if os.stat(self.path).st_size < LOG_SIZE:
                return
        except FileNotFoundError:
            return
        for number in reversed(range(LOG_KEPT)):
            old = f"{self.path}.{number - 1}" if number else self.path
            if os.path.exists(old):
                os.rename(old, f"{self.path}.{number}")

    def say(self, text: str) -> None:
        """Write a line with the time."""
        try:
            os.write(self.fd, f"{stamp()}: {text}\n".encode())
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
            os.write(self.fd, (" \\\n".join(lines) + "\n").encode())
            self._mark = os.stat(self.path).st_size
        except OSError as problem:
            log.warn("{path}: {problem}", path=self.path, problem=problem)

    def said(self, limit: int = 1024) -> str:
        """Return what QEMU has printed since it was started, the last lines of it if that is long."""
        try:
            size = os.fstat(self.fd).st_size
            begin = max(self._mark, size - limit)
            data = os.pread(self.fd, limit, begin)
            if begin > self._mark and b"\n" in data[:-1]:
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
    except Exception as problem:
        log.warn("{problem}", problem=problem)
        return
    opened.say(text)
    opened.close()
