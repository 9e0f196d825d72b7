"""
Files that guests need: their private folders, sockets, and what their ports write to.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from typing import Any

from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.qemu.command.values import OpenFile
from pyvirt.drivers.qemu.refusals import systemFailure
from pyvirt.folders import makeFolders

__all__ = [
    "listenAt",
    "makeFolder",
    "makeOutputs",
    "openFile",
    "openWritten",
    "portEnds",
    "removeFolder",
    "removeSockets",
]

log = Logger()

Owner = tuple[int, int]


def makeFolder(path: str, owner: Owner | None, mode: int = 0o700) -> None:
    """
    Make a private folder, empty whatever was there.

    @raise VirtError: it cannot be made.
    """
    try:
        removeFolder(path)
        makeFolders(os.path.dirname(path))
        os.mkdir(path, mode)
        if owner is not None:
            os.chown(path, *owner)
    except OSError as problem:
        raise systemFailure(problem, f"cannot create directory '{path}'") from None


def removeFolder(path: str) -> None:
    """Remove a folder with all that is in it, if it is there."""
    shutil.rmtree(path, ignore_errors=True)


def listenAt(path: str, owner: Owner | None, mode: int | None = None) -> socket.socket:
    """
    Open a UNIX socket that a guest will listen on, however long its path is.

    @param mode: of its file; one that a guest has left goes first.  None: as our files are, and there must be none.
    @raise VirtError: it cannot be opened.
    """
    opened = socket.socket(socket.AF_UNIX)
    try:
        folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
        try:
            name = os.path.basename(path)
            if mode is not None:
                removeSocket(path)
            opened.bind(f"/proc/self/fd/{folder}/{name}")
            if mode is not None:
                os.chmod(name, mode, dir_fd=folder)
        finally:
            os.close(folder)
        if owner is not None:
            os.chown(path, *owner)
        opened.listen(1)
    except OSError as problem:
        opened.close()
        raise systemFailure(problem, f"Unable to bind to UNIX socket path '{path}'") from None
    return opened


def portEnds(definition: DomainDefinition) -> Iterator[Any]:
    """Iterate over the host's ends of a guest's ports."""
    devices = definition.devices
    ports: list[Any] = [*devices.serials, *devices.parallels, *devices.channels]
    # A console may be a serial port seen again.
    ports += [each for each in devices.consoles if each.target.type != "serial"]
    for port in ports:
        yield port.source


def makeOutputs(definition: DomainDefinition) -> None:
    """
    Make the files that ports write to and that are not there.

    They lie where whom the guest runs as may make none.  Of what cannot be made QEMU says why.
    """
    for source in portEnds(definition):
        if source.type == "file" and source.path:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            try:
                os.close(os.open(source.path, flags, 0o600))
            except OSError:
                continue


def openFile(file: OpenFile) -> int:
    """
    Open a file for a guest, and return the descriptor.

    @raise VirtError: it cannot be opened.
    """
    try:
        fd = os.open(file.path, file.flags | os.O_CLOEXEC, file.mode)
    except OSError as problem:
        raise systemFailure(problem, f"Unable to open file: {file.path}") from None
    if file.flags & os.O_NONBLOCK:
        os.set_blocking(fd, True)  # only we do not wait for who reads a pipe
    return fd


def openWritten(path: str) -> int:
    """
    Open a file that QEMU has written for us in a folder where it may put whatever it likes, and return the descriptor.

    @raise OSError: it cannot be opened, or is no plain file.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return fd


def removeSockets(definition: DomainDefinition) -> None:
    """Remove the sockets that a guest which was killed has left."""
    for source in portEnds(definition):
        if source.type == "unix" and source.mode == "bind" and source.path:
            removeSocket(source.path)


def removeSocket(path: str) -> None:
    """Remove a socket, if one is there."""
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    except OSError:
        pass
