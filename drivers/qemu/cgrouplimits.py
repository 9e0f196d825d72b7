"""
Limits of a guest's group, in libvirt's units, whichever form the kernel's interface has.
"""

from __future__ import annotations

import mmap
import os
import stat

from pyvirt.drivers.qemu.cgroups import GuestGroup
from pyvirt.drivers.qemu.refusals import invalidArgument, systemFailure
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = [
    "BLOCK_LIMITS",
    "MEMORY_LIMITS",
    "bandwidth",
    "blockWeight",
    "cpuShares",
    "memoryLimit",
    "setBandwidth",
    "setBlockLimit",
    "setBlockWeight",
    "setCPUShares",
    "setCPUs",
    "setMemoryLimit",
    "setNodes",
]

#: A limit of memory that is none, in KiB.
UNLIMITED = 9007199254740991
#: The same as the kernel counts, in whole pages.
_COUNTED = ((1 << 63) - 1) // mmap.PAGESIZE * mmap.PAGESIZE >> 10
#: The longest and shortest time of a period or of a share of it, in microseconds.
_LEAST, _MOST = 1000, (1 << 64) // 1000
_LONGEST_PERIOD = 1000000
#: The longest time that can be written, which is all of a period.
_ALL = (1 << 64) - 1 >> 20

#: Limits of memory: libvirt's word, the file of version 1, that of version 2.
MEMORY_LIMITS = {
    "hard_limit": ("memory.limit_in_bytes", "memory.max"),
    "soft_limit": ("memory.soft_limit_in_bytes", "memory.high"),
    "swap_hard_limit": ("memory.memsw.limit_in_bytes", "memory.swap.max"),
}
#: Limits of a block device: the field of a definition, the file of version 1, the key of version 2.
BLOCK_LIMITS = {
    "readIops": ("blkio.throttle.read_iops_device", "riops"),
    "writeIops": ("blkio.throttle.write_iops_device", "wiops"),
    "readBytes": ("blkio.throttle.read_bps_device", "rbps"),
    "writeBytes": ("blkio.throttle.write_bps_device", "wbps"),
}


def _range(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise invalidArgument(
            f"{what} '{value}' must be in range [{least}, {most}]", ErrorDomain.CGROUP
        )


# Processors


def cpuShares(group: GuestGroup) -> int:
    """Return the weight of a guest among others."""
    return _number(group.read("cpu", "cpu.weight" if group.isUnified("cpu") else "cpu.shares"))


def setCPUShares(group: GuestGroup, shares: int) -> int:
    """
    Set the weight of a guest among others.

    @return: what it is now.
    @raise VirtError: the kernel knows no such weight.
    """
    # Version 2 knows no more than 10000; that is for the kernel to say.
    _range("shares", shares, 2, 262144)
    group.write("cpu", "cpu.weight" if group.isUnified("cpu") else "cpu.shares", shares)
    return cpuShares(group)


def bandwidth(group: GuestGroup, inner: str = "") -> tuple[int, int]:
    """
    Return the period and what may be used of each, in microseconds; for all, -1, or what libvirt calls all under
    version 2.
    """
    if group.isUnified("cpu"):
        quota, _, period = group.read("cpu", "cpu.max", inner).partition(" ")
        return _number(period), _ALL if quota == "max" else _number(quota)
    return (
        _number(group.read("cpu", "cpu.cfs_period_us", inner)),
        int(group.read("cpu", "cpu.cfs_quota_us", inner)),
    )


def setBandwidth(group: GuestGroup, period: int, quota: int, inner: str = "") -> None:
    """
    Set the period and what may be used of each; 0 leaves one as it is.

    @raise VirtError: the kernel knows no such times; then all is as it was.
    """
    if not period and not quota:
        return
    if period:
        _checkPeriod(period)
    before = bandwidth(group, inner)
    if group.isUnified("cpu"):
        _checkQuota(quota)
        share = quota or before[1]
        word = "max" if share < 0 or share == _ALL else share
        group.write("cpu", "cpu.max", f"{word} {period or before[0]}", inner)
        return
    if period:
        group.write("cpu", "cpu.cfs_period_us", period, inner)
    try:
        if quota:
            _checkQuota(quota)
            group.write("cpu", "cpu.cfs_quota_us", quota, inner)
    except BaseException:
        if period:
            group.write("cpu", "cpu.cfs_period_us", before[0], inner)
        raise


def _checkPeriod(period: int) -> None:
    if not _LEAST <= period <= _LONGEST_PERIOD:
        raise invalidArgument(
            f"cfs_period '{period}' must be in range ({_LEAST}, {_LONGEST_PERIOD})",
            ErrorDomain.CGROUP,
        )


def _checkQuota(quota: int) -> None:
    if quota > 0 and not _LEAST <= quota <= _MOST:
        raise invalidArgument(
            f"cfs_quota '{quota}' must be in range ({_LEAST}, {_MOST})", ErrorDomain.CGROUP
        )


def setCPUs(group: GuestGroup, cpus: str, inner: str = "") -> None:
    """Say on which CPUs threads may run, written as ranges."""
    group.write("cpuset", "cpuset.cpus", cpus, inner)


def setNodes(group: GuestGroup, nodes: str, inner: str = "") -> None:
    """Say from which nodes memory may come, written as ranges."""
    group.write("cpuset", "cpuset.mems", nodes, inner)


# Memory


def memoryLimit(group: GuestGroup, name: str) -> int:
    """Return a limit in KiB, C{UNLIMITED} for none."""
    text = _memory(group, name)
    if text == "max":
        return UNLIMITED
    kib = _number(text) >> 10
    return UNLIMITED if kib >= _COUNTED else kib


def _memory(group: GuestGroup, name: str) -> str:
    old, new = MEMORY_LIMITS[name]
    return group.read("memory", new if group.isUnified("memory") else old)


def setMemoryLimit(group: GuestGroup, name: str, kib: int) -> None:
    """
    Set a limit of C{MEMORY_LIMITS}, in KiB.

    @raise VirtError: it is above what is no limit, or the kernel does not want it.
    """
    if kib > UNLIMITED:
        raise invalidArgument(f"Memory '{kib}' must be less than {UNLIMITED}", ErrorDomain.CGROUP)
    old, new = MEMORY_LIMITS[name]
    if not group.isUnified("memory"):
        group.write("memory", old, -1 if kib == UNLIMITED else kib << 10)
        return
    if kib == UNLIMITED:
        group.write("memory", new, "max")
        return
    # That version 2 counts what is swapped apart is not heeded, as it is not by libvirt.
    group.write("memory", new, kib << 10)


# Block devices


def _weightFile(group: GuestGroup) -> str | None:
    names = ("io.bfq.weight", "io.weight") if group.isUnified("blkio") else (
        "blkio.bfq.weight",
        "blkio.weight",
    )  # fmt: skip
    for name in names:
        if group.exists("blkio", name):
            return name
    return None


def _noWeight() -> Exception:
    return virtError(
        ErrorCode.OPERATION_INVALID,
        "blkio weight is valid only for bfq or cfq scheduler",
        ErrorDomain.CGROUP,
    )


def blockWeight(group: GuestGroup) -> int:
    """Return the weight of a guest at disks; 0 where there are no weights."""
    name = _weightFile(group)
    if name is None:
        raise _noWeight()
    return _number(group.read("blkio", name).removeprefix("default").strip())


def setBlockWeight(group: GuestGroup, weight: int) -> int:
    """Set the weight of a guest at disks, and return what it is now."""
    name = _weightFile(group)
    if name is None:
        raise _noWeight()
    group.write("blkio", name, weight)
    return blockWeight(group)


def _deviceNumber(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError as problem:
        raise systemFailure(
            problem, f"Path '{path}' is not accessible", ErrorDomain.CGROUP
        ) from None
    if not stat.S_ISBLK(found.st_mode):
        raise systemFailure(
            OSError(22, os.strerror(22)),
            f"Path '{path}' must be a block device",
            ErrorDomain.CGROUP,
        )
    return f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"


def setBlockLimit(group: GuestGroup, field: str, path: str, value: int) -> int:
    """
    Limit what a guest does with one device; 0 for no limit.

    @param field: one of C{BLOCK_LIMITS}, or C{weight}.
    @return: what the kernel has made of it.
    @raise VirtError: it is no device, or the kernel does not want that.
    """
    unified = group.isUnified("blkio")
    if field == "weight":
        name = "io.weight" if unified else "blkio.weight_device"
        if not group.exists("blkio", name):
            raise virtError(
                ErrorCode.OPERATION_INVALID,
                "blkio device weight is valid only for cfq scheduler",
                ErrorDomain.CGROUP,
            )
        number = _deviceNumber(path)
        group.write("blkio", name, f"{number} {value}")
        return _told(group.read("blkio", name), number, None)
    number = _deviceNumber(path)
    old, key = BLOCK_LIMITS[field]
    if unified:
        group.write("blkio", "io.max", f"{number} {key}={value or 'max'}")
        return _told(group.read("blkio", "io.max"), number, key)
    group.write("blkio", old, f"{number} {value}")
    return _told(group.read("blkio", old), number, None)


def _told(text: str, number: str, key: str | None) -> int:
    """Find the value of one device among lines of all."""
    for line in text.splitlines():
        head, _, rest = line.partition(" ")
        if head != number:
            continue
        if key is None:
            return _number(rest)
        for word in rest.split():
            name, _, value = word.partition("=")
            if name == key and value != "max":
                return _number(value)
    return 0


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0
