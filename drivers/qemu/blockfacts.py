"""
What QEMU tells of a guest's disks, and the system of their files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.qmp import CommandFailed
from pyvirt.drivers.qemu.refusals import systemFailure

__all__ = ["BlockFacts", "FileSizes", "fileSizes", "pathOf"]


def pathOf(disk: Any) -> str | None:
    """Return where a disk's source is on this host, None if it is elsewhere."""
    return getattr(disk.source, "file", None) or getattr(disk.source, "dev", None)


class FileSizes(NamedTuple):
    """Bytes that a file takes on its file system, and its length."""

    allocation: int
    physical: int


def fileSizes(path: str) -> FileSizes:
    """
    Tell the sizes of a file or a block device.

    @raise VirtError: it is not there.
    """
    try:
        found = os.stat(path)
        if not os.path.isfile(path):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                size = os.lseek(fd, 0, os.SEEK_END)
            finally:
                os.close(fd)
            return FileSizes(size, size)
    except OSError as problem:
        raise systemFailure(problem, f"cannot stat file '{path}'") from None
    return FileSizes(found.st_blocks * 512, found.st_size)


def _number(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0


class BlockFacts:
    """The disks of one guest, by the names that QEMU calls them by."""

    def __init__(self, stats: Any, blocks: Any) -> None:
        """
        @param stats: the reply to C{query-blockstats}.
        @param blocks: the reply to C{query-block}.
        """
        self._stats = self._byName(stats)
        self._blocks = self._byName(blocks)

    @classmethod
    async def ask(cls, guest: Guest, *, stats: bool = True, blocks: bool = True) -> BlockFacts:
        """
        Ask a guest.

        @param stats: what was read and written; C{blocks}: what there is and how it is.
        """
        questions = (("query-blockstats", stats), ("query-block", blocks))
        replies = await guest.askAll(*[(name, None) for name, wanted in questions if wanted])
        for each in replies:
            if isinstance(each, CommandFailed):
                raise each
        return cls(replies[0] if stats else None, replies[-1] if blocks else None)

    @staticmethod
    def _byName(reply: Any) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for each in reply if isinstance(reply, list) else ():
            if not isinstance(each, dict):
                continue
            name = str(each.get("qdev") or each.get("device") or "")
            # "/machine/peripheral/virtio-disk0/virtio-backend" is the disk's back end, "virtio-disk0" the disk.
            parts = [part for part in name.split("/") if part]
            if len(parts) > 1 and parts[-1] == "virtio-backend":
                parts.pop()
            if parts:
                found[parts[-1].removeprefix("drive-")] = each
        return found

    def counters(self, alias: str) -> dict[str, int]:
        """Tell what was read and written; empty for a disk that QEMU does not know."""
        each = self._stats.get(alias)
        stats = each.get("stats") if each is not None else None
        if not isinstance(stats, dict):
            return {}
        return {
            "rd_bytes": _number(stats.get("rd_bytes")),
            "rd_operations": _number(stats.get("rd_operations")),
            "rd_total_times": _number(stats.get("rd_total_time_ns")),
            "wr_bytes": _number(stats.get("wr_bytes")),
            "wr_operations": _number(stats.get("wr_operations")),
            "wr_total_times": _number(stats.get("wr_total_time_ns")),
            "flush_operations": _number(stats.get("flush_operations")),
            "flush_total_times": _number(stats.get("flush_total_time_ns")),
        }

    def highest(self, alias: str) -> int:
        """Tell how far into the file was written since the guest started."""
        each = self._stats.get(alias) or {}
        for stats in (each.get("parent"), each):
            inner = stats.get("stats") if isinstance(stats, dict) else None
            if isinstance(inner, dict) and "wr_highest_offset" in inner:
                return _number(inner["wr_highest_offset"])
        return 0

    def _image(self, alias: str) -> Mapping[str, Any]:
        each = self._blocks.get(alias) or {}
        inserted = each.get("inserted")
        image = inserted.get("image") if isinstance(inserted, dict) else None
        return image if isinstance(image, dict) else {}

    def capacity(self, alias: str) -> int | None:
        """Tell the size that the guest sees, None if it is not known."""
        size = self._image(alias).get("virtual-size")
        return None if size is None else _number(size)

    def actual(self, alias: str) -> int:
        """Tell the bytes that the file takes, 0 if it is not known."""
        return _number(self._image(alias).get("actual-size"))

    def ioStatus(self, alias: str) -> str:
        """Tell whether it fails: C{ok}, C{failed} or C{nospace}."""
        each = self._blocks.get(alias) or {}
        return str(each.get("io-status", "ok"))
