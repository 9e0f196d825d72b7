"""
Looking at block devices: what they are as volumes, and whether something else lies on them already.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from pyvirt.definitions.storage import VolumeDefinition, VolumeTarget
from pyvirt.drivers.host.running import found, run
from pyvirt.drivers.host.storage.pool import noVolume
from pyvirt.drivers.host.storage.volumefiles import permissionsOf, timesOf
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.process import systemError

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["blank", "checkEmpty", "deviceVolume", "readable", "settled", "stable"]

_DOMAIN = ErrorDomain.STORAGE


async def settled(host: Host) -> None:
    """Wait until C{udev} has made the nodes of all devices that there are, where it runs."""
    udevadm = found("/sbin/udevadm", "/usr/bin/udevadm")
    if os.path.exists("/run/udev/control") and os.access(udevadm, os.X_OK):
        await run(host, udevadm, "settle", failing=False)


def deviceVolume(path: str, name: str) -> VolumeDefinition:
    """
    In a thread: describe a device as a volume.

    @raise VirtError: it is not there, or cannot be read.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise noVolume(f"no storage vol with matching path '{path}'") from None
    except OSError as problem:
        raise systemError(problem, f"cannot stat file '{path}'", _DOMAIN) from None
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise noVolume(f"Volume path '{path}' is no device")
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as problem:
        raise systemError(problem, f"cannot open volume '{path}'", _DOMAIN) from None
    try:
        status = os.fstat(fd)
        size = os.lseek(fd, 0, os.SEEK_END)
    except OSError as problem:
        raise systemError(problem, f"cannot seek to end of file '{path}'", _DOMAIN) from None
    finally:
        os.close(fd)
    return VolumeDefinition(
        name=name,
        key=path,
        capacity=size,
        allocation=status.st_blocks * 512 if stat.S_ISREG(status.st_mode) else size,
        physical=size or None,
        target=VolumeTarget(
            path=path, permissions=permissionsOf(status), timestamps=timesOf(status)
        ),
    )


def stable(folder: str, device: str) -> str | None:
    """
    In a thread: return what a device is called in the folder of a pool, where its name is the same after a restart.

    @return: None if it is called nothing there.
    """
    if folder == "/dev" or not folder.startswith("/dev"):
        return device
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return None
    for name in names:
        path = os.path.join(folder, name)
        try:
            if os.path.islink(path) and os.path.samefile(path, device):
                return path
        except OSError:
            continue
    return None


def readable(device: str) -> bool:
    """In a thread: whether a device is there and can be read."""
    try:
        fd = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        mode = os.fstat(fd).st_mode
        return stat.S_ISREG(mode) or stat.S_ISBLK(mode)
    finally:
        os.close(fd)


async def checkEmpty(host: Host, device: str, format: str) -> None:
    """
    Refuse a device on which something lies.

    @param format: what is to lie on it, as C{blkid} calls it.
    @raise VirtError: something does, or nobody can say.
    """
    if not device.startswith("/") or not await host.thread(readable, device):
        raise virtError(
            ErrorCode.STORAGE_PROBE_FAILED,
            f"Failed to create filesystem probe for device {device}",
            _DOMAIN,
        )
    blkid = found("/sbin/blkid", "/usr/sbin/blkid")
    words = (blkid, "-p", "-o", "value", "-s", "TYPE", device)
    looked = await run(host, *words, failing=False)
    if looked.status not in (0, 2):
        detail = f"Failed to probe for format type '{format}'"
        raise virtError(ErrorCode.STORAGE_PROBE_FAILED, detail, _DOMAIN)
    present = looked.output.decode(errors="replace").strip()
    if not present:
        return
    if present == format:
        detail = f"Device '{device}' already formatted using '{format}'"
    else:
        detail = (
            f"Format of device '{device}' does not match the expected format '{format}', "
            "forced overwrite is necessary"
        )
    raise virtError(ErrorCode.STORAGE_POOL_BUILT, detail, _DOMAIN)


def blank(path: str, size: int, sparse: bool = False) -> None:
    """
    In a thread: let the first and the last bytes of a device be zeros.

    @param size: how many of each.
    @param sparse: let a file that has holes have nothing else.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as problem:
        detail = f"Failed to open storage volume with path '{path}'"
        raise systemError(problem, detail, _DOMAIN) from None
    try:
        status = os.fstat(fd)
        end = os.lseek(fd, 0, os.SEEK_END)
        if sparse and stat.S_ISREG(status.st_mode) and status.st_blocks < -(-end // 512):
            os.ftruncate(fd, 0)
            os.ftruncate(fd, end)
        for at in (0, max(end - size, 0)):
            os.pwrite(fd, bytes(min(size, end)), at)
        os.fsync(fd)
    except OSError as problem:
        detail = f"Failed to wipe storage volume with path '{path}'"
        raise systemError(problem, detail, _DOMAIN) from None
    finally:
        os.close(fd)
