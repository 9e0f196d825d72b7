"""
The processor time that guests have used, as their groups count it, or the system where they have none.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from pyvirt.drivers.qemu.cgroups import GuestGroup
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.procfs import cpuTimes
from pyvirt.drivers.qemu.refusals import invalidArgument
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["UsedTimes", "timesByCPU", "usedTimes"]

_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class UsedTimes(NamedTuple):
    """Nanoseconds in all, for the guest and in the kernel."""

    total: int
    user: int
    system: int


def usedTimes(guest: Guest) -> UsedTimes:
    """Tell what a guest has used."""
    group = guest.group
    if group is not None and group.has("cpuacct"):
        try:
            return _counted(group)
        except (VirtError, KeyError, ValueError):
            pass
    used = cpuTimes(guest.pid)
    return UsedTimes(used.total, used.user, used.system)


def _counted(group: GuestGroup) -> UsedTimes:
    """Read what a group counts; version 2 counts microseconds, in one file."""
    unified = group.isUnified("cpuacct")
    text = group.read("cpuacct", "cpu.stat" if unified else "cpuacct.stat")
    words = dict(line.split(" ", 1) for line in text.splitlines())
    if unified:
        names = ("usage_usec", "user_usec", "system_usec")
        return UsedTimes(*(int(words[name]) * 1000 for name in names))
    return UsedTimes(
        int(group.read("cpuacct", "cpuacct.usage")),
        int(words["user"]) * _TICK,
        int(words["system"]) * _TICK,
    )


def timesByCPU(
    group: GuestGroup | None, vcpus: Sequence[str], first: int, count: int
) -> list[tuple[int, int]]:
    """
    Tell what a guest has used of each of the host's CPUs: all of it, and its own processors.

    @param vcpus: the groups of its processors.
    @param first: the first CPU to tell of; C{count}: of how many at most, 0: of all.
    @raise VirtError: that is not counted here, or there is no such CPU.
    """
    if group is None or not group.has("cpuacct"):
        raise virtError(
            ErrorCode.OPERATION_INVALID,
            "cgroup CPUACCT controller is not mounted",
            ErrorDomain.QEMU,
        )
    if group.isUnified("cpuacct"):
        raise virtError(
            ErrorCode.OPERATION_UNSUPPORTED,
            "operation 'getCpuacctPercpuUsage' not supported for backend 'cgroup V2'",
            ErrorDomain.CGROUP,
        )
    whole = _byCPU(group)
    if first >= len(whole):
        raise invalidArgument(
            f"start_cpu {first} larger than maximum of {len(whole) - 1}", ErrorDomain.CGROUP
        )
    parts = [0] * len(whole)
    for inner in vcpus:
        try:
            found = _byCPU(group, inner)
        except VirtError:
            # It has just been unplugged.
            continue
        parts = [one + other for one, other in zip(parts, found, strict=False)]
    end = len(whole) if not count else min(len(whole), first + count)
    return list(zip(whole, parts, strict=False))[first:end]


def _byCPU(group: GuestGroup, inner: str = "") -> list[int]:
    words = group.read("cpuacct", "cpuacct.usage_percpu", inner).split()
    return [int(word) for word in words if word.isascii() and word.isdigit()]
