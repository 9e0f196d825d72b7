"""
Files that guests need: their private folders, and who owns their disks.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Iterator
from typing import Any, NamedTuple

from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.qemu.blocks.chain import chain
from pyvirt.drivers.qemu.labels import imageOwner
from pyvirt.drivers.qemu.refusals import systemFailure
from pyvirt.drivers.qemu.variables import variablesPath
from pyvirt.errors import ErrorDomain

__all__ = [
    "giveBack",
    "listenAt",
    "makeFolder",
    "makeOutputs",
    "ownedFiles",
    "removeFolder",
    "removeSockets",
    "takeOver",
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
        os.makedirs(os.path.dirname(path), exist_ok=True)
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


class Owned(NamedTuple):
    """
    A file of the host that a guest opens.

    @ivar back: whether its old owner gets it back.
    @ivar label: whom it is given to; None: whom the guest runs as.
    """

    path: str
    back: bool
    label: Owner | None = None


def ownedFiles(definition: DomainDefinition) -> Iterator[Owned]:
    """Iterate over files of the host that a guest opens and that are given to it."""
    for disk in definition.devices.disks:
        shared = bool(getattr(disk, "readonly", None) or getattr(disk, "shareable", None))
        inherited: tuple[Any, ...] = ()
        for number, image in enumerate(chain(disk)):
            labels = image.source.labels or inherited
            if number == 0:
                inherited = labels
            given, label = imageOwner(labels)
            path = getattr(image.source, "file", None) or getattr(image.source, "dev", None)
            if path and given:
                # What lies below others may be below those of other guests, too.
                yield Owned(path, not shared and number == 0, label)
    os_ = definition.os
    for path in (os_.kernel, os_.initrd, os_.dtb):
        if path:
            yield Owned(path, True)
    path = variablesPath(definition)
    if path and os.path.exists(path):
        yield Owned(path, True)
    for source in _ends(definition):
        given, label = imageOwner(source.labels)
        if given and source.type in ("file", "dev") and os.path.exists(source.path or ""):
            yield Owned(source.path, True, label)


def _ends(definition: DomainDefinition) -> Iterator[Any]:
    """Iterate over the host's ends of a guest's ports."""
    devices = definition.devices
    ports: list[Any] = [*devices.serials, *devices.parallels, *devices.channels, *devices.consoles]
    for port in ports:
        yield port.source


def makeOutputs(definition: DomainDefinition) -> None:
    """
    Make the files that ports write to and that are not there.

    They lie where whom the guest runs as may make none.  Of what cannot be made QEMU says why.
    """
    for source in _ends(definition):
        if source.type == "file" and source.path:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            try:
                os.close(os.open(source.path, flags, 0o600))
            except OSError:
                continue


def takeOver(
    definition: DomainDefinition, owner: Owner, restored: list[tuple[str, int, int]]
) -> None:
    """
    Give the files of a guest to the user it runs as.

    @param restored: gets those that go back, with whose they were.
    @raise VirtError: one is not there, or cannot be given.
    """
    for path, back, label in ownedFiles(definition):
        wanted = label or owner
        try:
            found = os.stat(path)
        except OSError as problem:
            raise systemFailure(problem, f"unable to stat: {path}", ErrorDomain.SECURITY) from None
        if (found.st_uid, found.st_gid) == wanted:
            continue
        try:
            os.chown(path, *wanted)
        except OSError as problem:
            detail = f"unable to set user and group to '{wanted[0]}:{wanted[1]}' on '{path}'"
            raise systemFailure(problem, detail, ErrorDomain.SECURITY) from None
        if back:
            restored.append((path, found.st_uid, found.st_gid))


def giveBack(
    restored: list[tuple[str, int, int]], owner: Owner, definition: DomainDefinition
) -> None:
    """
    Give files back to those whose they were, unless somebody else has them by now.

    @param definition: what they were given away for.
    """
    labels = {each.path: each.label for each in ownedFiles(definition)}
    for path, user, group in restored:
        try:
            found = os.stat(path)
            if (found.st_uid, found.st_gid) == (labels.get(path) or owner):
                os.chown(path, user, group)
        except OSError as problem:
            log.warn("{path} cannot be given back: {problem}", path=path, problem=problem)
    restored.clear()


def removeSockets(definition: DomainDefinition) -> None:
    """Remove the sockets that a guest which was killed has left."""
    for source in _ends(definition):
        if source.type == "unix" and source.mode == "bind" and source.path:
            removeSocket(source.path)


def removeSocket(path: str) -> None:
    """Remove a socket, if one is there."""
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    except OSError:
        pass
