"""
What the system knows of a guest's process: the time it has used, its memory, its threads.
"""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["CPUTimes", "ThreadTimes", "cpuTimes", "residentKiB", "threadTimes"]

_TICK = 10**9 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE") // 1024


class CPUTimes(NamedTuple):
    """Nanoseconds that a process has used, in its own code and in the system's."""

    user: int
    system: int

    @property
    def total(self) -> int:
        return self.user + self.system


class ThreadTimes(NamedTuple):
    """
    What a thread has used, in nanoseconds.

    @ivar cpu: the CPU of the host it runs on.
    @ivar delay: the time it was ready and did not run.
    """

    total: int
    cpu: int
    delay: int
    running: bool


def _stat(path: str) -> list[bytes] | None:
    try:
        with open(path, "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return None


def cpuTimes(pid: int) -> CPUTimes:
    """Tell the time a process has used; zeros if it is gone."""
    fields = _stat(f"/proc/{pid}/stat")
    if fields is None:
        return CPUTimes(0, 0)
    return CPUTimes(int(fields[11]) * _TICK, int(fields[12]) * _TICK)


def residentKiB(pid: int) -> int:
    """Tell the memory that a process has in use, in KiB; 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def threadTimes(pid: int, thread: int) -> ThreadTimes | None:
    """Tell what a thread of a process has used, or None: it is gone."""
    fields = _stat(f"/proc/{pid}/task/{thread}/stat")
    if fields is None:
        return None
    delay = 0
    try:
        with open(f"/proc/{pid}/task/{thread}/schedstat", "rb") as file:
            delay = int(file.read().split()[1])
    except (OSError, IndexError, ValueError):
        pass
    used = (int(fields[11]) + int(fields[12])) * _TICK
    return ThreadTimes(used, int(fields[36]), delay, fields[0] == b"R")
