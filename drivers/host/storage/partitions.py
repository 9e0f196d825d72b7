"""
The table of partitions of a disk, as C{parted} tells it.

Where a new partition goes is decided as libvirtd decides it: in the smallest gap with more room than it takes, on
labels of DOS up to the end of a cylinder.
"""

from __future__ import annotations

import os
import re
import stat
from typing import NamedTuple

from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorDomain

__all__ = ["Gap", "Partition", "Table", "partitionPath", "readTable"]

_DOMAIN = ErrorDomain.STORAGE

#: What a cylinder is counted in, whatever the disk counts in.
_SECTOR = 512

_LINE = re.compile(r" *(\d+)? +(\d+)B +(\d+)B +(\d+)B *(.*)", re.ASCII)
_GEOMETRY = re.compile(r"BIOS cylinder,head,sector geometry: (\d+),(\d+),(\d+)\.", re.ASCII)


class Partition(NamedTuple):
    """
    A partition.

    @ivar kind: C{primary}, C{extended} or C{logical}.
    @ivar end: the first byte behind it.
    """

    number: int
    kind: str
    start: int
    end: int


class Gap(NamedTuple):
    """
    Room for partitions.

    @ivar logical: it is inside the extended one.
    """

    start: int
    end: int
    logical: bool


class Table(NamedTuple):
    """
    What is on a disk.

    @ivar cylinder: how many bytes each takes.
    """

    partitions: tuple[Partition, ...] = ()
    gaps: tuple[Gap, ...] = ()
    cylinder: int = 0

    def room(self, size: int, logical: bool, cylinders: bool) -> tuple[int, int]:
        """
        Find where a partition goes.

        @param logical: into the extended one.
        @param cylinders: it ends where a cylinder does.
        @return: its first and its last byte.
        @raise VirtError: there is no place for it.
        """
        best: tuple[int, Gap, int] | None = None
        for gap in self.gaps:
            wanted = size
            if cylinders and self.cylinder:
                wanted += self.cylinder - (gap.start + size) % self.cylinder
            length = gap.end - gap.start
            if gap.logical == logical and length > wanted and (best is None or length < best[0]):
                best = (length, gap, wanted)
        if best is None:
            raise internal("no large enough free extent", _DOMAIN)
        _, gap, wanted = best
        # Before each logical partition is a sector that tells of it.
        return gap.start + (_SECTOR if logical else 0), gap.start + wanted - 1


def readTable(text: str) -> Table:
    """
    Read what C{parted} prints of a disk in bytes, gaps included, and of its geometry.

    What is in no order that a table can have is left out: names of partitions are anybody's words.
    """
    partitions: list[Partition] = []
    gaps: list[Gap] = []
    typed = False
    last, extended = 0, (0, 0)
    for line in text.splitlines():
        if line.startswith("Number "):
            typed = "Type" in line.split()
            continue
        matched = _LINE.fullmatch(line)
        if matched is None:
            continue
        number, start, end = matched[1], int(matched[2]), int(matched[3]) + 1
        inside = extended[0] <= start and end <= extended[1]
        if end <= start or end >= 1 << 63 or start < (last if not inside else extended[0]):
            continue
        words = matched[5].split(" ", 1)
        if number is None:
            # The first sector is the label's, whatever it leaves free of it.
            gaps.append(Gap(max(start, _SECTOR), end, inside))
        else:
            kind = words[0] if typed and words[0] in ("extended", "logical") else "primary"
            partitions.append(Partition(int(number), kind, start, end))
            if kind == "extended":
                extended = (start, end)
        last = max(last, end)
    geometry = _GEOMETRY.search(text)
    cylinder = 0
    if geometry is not None:
        cylinder = int(geometry[2]) * int(geometry[3]) * _SECTOR
    return Table(tuple(partitions), tuple(gaps), cylinder)


def _mapped(path: str) -> bool:
    """Whether a device is one of the device mapper's."""
    try:
        status = os.stat(path)
        if not stat.S_ISBLK(status.st_mode):
            return False
        with open("/proc/devices", encoding="ascii", errors="replace") as file:
            major = str(os.major(status.st_rdev))
            return [major, "device-mapper"] in [line.split() for line in file]
    except OSError:
        return False


def partitionPath(device: str, number: int, separated: bool) -> str:
    """
    In a thread: return where a partition is found.

    @param separated: whether a C{p} is wanted before its number, where the device could do without.
    """
    if _mapped(device):
        separator = "p" if separated or device[-1:].isdigit() else ""
        return f"{device}{separator}{number}"
    device = os.path.realpath(device)
    return f"{device}{'p' if device[-1:].isdigit() else ''}{number}"
