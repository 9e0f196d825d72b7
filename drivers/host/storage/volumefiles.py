"""
Looking at the files of volumes: what they are, how large, what their headers say.

Everything here may wait for a disk, and is done in threads.  Bytes of images are not trusted: they say what is shown
and nothing else.
"""

from __future__ import annotations

import os
import stat

from twisted.logger import Logger

from pyvirt.definitions.domain._source import Encryption
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.storage import (
    Permissions,
    VolumeBacking,
    VolumeDefinition,
    VolumeFeatures,
    VolumeTarget,
)
from pyvirt.drivers.imageheaders import HEADER, ImageHeader, luksOffset, probedFormat, readHeader
from pyvirt.errors import ErrorDomain
from pyvirt.process import systemError

__all__ = ["Found", "examined", "listed", "measured", "permissionsOf", "poolSizes", "timesOf"]

log = Logger()

Found = tuple[str, VolumeDefinition]
"""A volume's type, C{file}, C{dir} or C{block}, and its definition."""


def permissionsOf(status: os.stat_result) -> Permissions:
    """Return who may use a file."""
    return Permissions(
        mode=stat.S_IMODE(status.st_mode) & 0o777, owner=status.st_uid, group=status.st_gid
    )


def timesOf(status: os.stat_result) -> tuple[int, int, int, int]:
    """Return when a file was read, written, changed and made, in nanoseconds."""
    return (status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns, 0)


def _open(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def _size(fd: int, status: os.stat_result) -> int:
    if stat.S_ISBLK(status.st_mode):
        return os.lseek(fd, 0, os.SEEK_END)
    return status.st_size


def _backing(header: ImageHeader, path: str) -> VolumeBacking | None:
    """Describe what an image is laid over: what cannot be looked at is shown as it is named."""
    name = header.backing
    if name is None:
        return None
    if ":" in name.partition("/")[0]:  # a protocol, or a description in JSON
        return VolumeBacking(path=name, format=header.backingFormat or "raw")
    below = os.path.join(os.path.dirname(path), name)
    found = VolumeBacking(path=below, format=header.backingFormat or "raw")
    try:
        fd = _open(below)
    except OSError:
        return found
    try:
        status = os.fstat(fd)
        if header.backingFormat is None and stat.S_ISREG(status.st_mode):
            found = replaced(found, format=probedFormat(os.pread(fd, HEADER, 0)))
    except OSError:
        return found
    finally:
        os.close(fd)
    return replaced(found, permissions=permissionsOf(status), timestamps=timesOf(status))


def examined(path: str, name: str) -> Found | None:
    """
    Look at a file that may be a volume.

    @return: None if it is none: a pipe, a link to nowhere, something that cannot be read.
    """
    try:
        status = os.stat(path)
        kind = status.st_mode
        if stat.S_ISDIR(kind):
            if name == "lost+found":
                return None
            target = VolumeTarget(
                path=path,
                format="dir",
                permissions=permissionsOf(status),
                timestamps=timesOf(status),
            )
            return "dir", VolumeDefinition(
                name=name, key=path, capacity=0, allocation=0, target=target
            )
        if not (stat.S_ISREG(kind) or stat.S_ISBLK(kind)):
            return None
        fd = _open(path)
    except OSError as problem:
        log.info("{path} is no volume: {problem}", path=path, problem=problem)
        return None
    try:
        status = os.fstat(fd)
        size = _size(fd, status)
        data = os.pread(fd, HEADER, 0)
    except OSError as problem:
        log.info("{path} is no volume: {problem}", path=path, problem=problem)
        return None
    finally:
        os.close(fd)
    header = readHeader(data, probedFormat(data))
    features = None
    if header.version == "1.1":
        features = VolumeFeatures(lazyRefcounts=header.lazyRefcounts, extendedL2=header.extendedL2)
    target = VolumeTarget(
        path=path,
        format=header.format,
        permissions=permissionsOf(status),
        timestamps=timesOf(status),
        encryption=None if header.encryption is None else Encryption(format=header.encryption),
        compat="1.1" if features is not None else None,
        clusterSize=header.clusterSize,
        features=features,
    )
    return "block" if stat.S_ISBLK(kind) else "file", VolumeDefinition(
        name=name,
        key=path,
        capacity=_capacity(header, data, size),
        allocation=status.st_blocks * 512 if stat.S_ISREG(kind) else size,
        physical=size or None,
        target=target,
        backingStore=_backing(header, path),
    )


def _capacity(header: ImageHeader, data: bytes, size: int) -> int:
    if header.capacity:
        # As the wire carries it, whatever a header says.
        return min(header.capacity, (1 << 64) - 1)
    return max(size - luksOffset(data), 0)


def measured(definition: VolumeDefinition) -> VolumeDefinition:
    """
    Look again how large a volume is, which format it is being known.

    @raise VirtError: it cannot be looked at.
    """
    target = definition.target
    assert target.path is not None
    try:
        fd = _open(target.path)
    except OSError as problem:
        raise systemError(
            problem, f"cannot open volume '{target.path}'", ErrorDomain.STORAGE
        ) from None
    try:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            sizes: dict[str, int | None] = {"capacity": 0, "allocation": 0}
        else:
            size = _size(fd, status)
            data = os.pread(fd, HEADER, 0)
            header = readHeader(data, target.format or "raw")
            allocation = status.st_blocks * 512 if stat.S_ISREG(status.st_mode) else size
            sizes = {
                "capacity": _capacity(header, data, size),
                "allocation": allocation,
                "physical": size or None,
            }
    except OSError as problem:
        raise systemError(
            problem, f"cannot read header '{target.path}'", ErrorDomain.STORAGE
        ) from None
    finally:
        os.close(fd)
    backing = definition.backingStore
    if backing is not None and backing.path is not None:
        try:
            below = os.stat(os.path.join(os.path.dirname(target.path), backing.path))
            backing = replaced(backing, permissions=permissionsOf(below), timestamps=timesOf(below))
        except OSError:
            pass
    return replaced(
        definition,
        backingStore=backing,
        target=replaced(target, permissions=permissionsOf(status), timestamps=timesOf(status)),
        **sizes,
    )


def poolSizes(path: str) -> tuple[list[int], Permissions]:
    """
    Return what a file system holds (capacity, allocation, available in bytes), and who may enter a folder of it.

    @raise VirtError: the folder is not there.
    """
    try:
        system, status = os.statvfs(path), os.stat(path)
    except OSError as problem:
        raise systemError(problem, f"cannot statvfs path '{path}'", ErrorDomain.STORAGE) from None
    capacity = system.f_frsize * system.f_blocks
    available = system.f_frsize * system.f_bfree
    return [capacity, capacity - available, available], permissionsOf(status)


def listed(path: str) -> tuple[list[Found], list[int], Permissions]:
    """
    Look at all volumes in a folder.

    @return: those, and what L{poolSizes} returns.
    @raise VirtError: the folder cannot be read.
    """
    try:
        names = sorted(os.listdir(path))
    except OSError as problem:
        raise systemError(problem, f"cannot open directory '{path}'", ErrorDomain.STORAGE) from None
    found = []
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            log.warn("the name {name!r} is left out", name=name)
            continue
        if any(ord(letter) < 32 for letter in name):
            log.warn("the name {name!r} with control characters is left out", name=name)
            continue
        volume = examined(os.path.join(path, name), name)
        if volume is not None:
            found.append(volume)
    return found, *poolSizes(path)
