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
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
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


def _belowOf(reply: Any) -> dict[str, int]:
    """By node, how far images were written that are below those in use."""
    found: dict[str, int] = {}
    for each in reply if isinstance(reply, list) else ():
        depth = 0
        while isinstance(each, dict) and depth < 400:
            parent = each.get("parent")
            if isinstance(parent, dict) and isinstance(parent.get("stats"), dict):
                name = str(parent.get("node-name", ""))
                found[name] = _number(parent["stats"].get("wr_highest_offset"))
            each, depth = each.get("backing"), depth + 1
    return found


class BlockFacts:
    """The disks of one guest, by the names that QEMU calls them by."""

    def __init__(self, stats: Any, blocks: Any, nodes: Any = None) -> None:
        """
        @param stats: the reply to C{query-blockstats}.
        @param blocks: the reply to C{query-block}.
        @param nodes: the reply to C{query-named-block-nodes}.
        """
        self._below = _belowOf(stats)
        self._nodes = {
            str(each.get("node-name")): each
            for each in (nodes if isinstance(nodes, list) else ())
            if isinstance(each, dict)
        }
        self._stats = self._byName(stats)
        self._blocks = self._byName(blocks)

    @classmethod
    async def ask(
        cls, guest: Guest, *, stats: bool = True, blocks: bool = True, nodes: bool = False
    ) -> BlockFacts:
        """
        Ask a guest.

        @param stats: what was read and written; C{blocks}: what there is and how it is;
            C{nodes}: the images of which disks are made.
        """
        questions: list[tuple[str, dict[str, Any] | None]] = []
        if stats:
            questions.append(("query-blockstats", None))
        if blocks:
            questions.append(("query-block", None))
        if nodes:
            questions.append(("query-named-block-nodes", {"flat": True}))
        replies = await guest.askAll(*questions)
        for each in replies:
            if isinstance(each, CommandFailed):
                raise each
        told = iter(replies)
        return cls(*(next(told) if asked else None for asked in (stats, blocks, nodes)))

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
        """Tell the bytes that the file takes: all that it has, if it is not known; 0 of an empty drive."""
        image = self._image(alias)
        return _number(image.get("actual-size", image.get("virtual-size")))

    # Of images by the names of their nodes

    def highestOf(self, node: str) -> int:
        """Tell how far into an image below another was written since the guest started."""
        return self._below.get(node, 0)

    def capacityOf(self, node: str) -> int:
        """Tell the size that a node has for whoever reads it, 0 if it is not known."""
        image = self._nodes.get(node, {}).get("image")
        return _number(image.get("virtual-size")) if isinstance(image, dict) else 0

    def actualOf(self, node: str) -> int:
        """Tell the bytes that a node takes: all that it has, if it is not known."""
        image = self._nodes.get(node, {}).get("image")
        if not isinstance(image, dict):
            return 0
        return _number(image.get("actual-size", image.get("virtual-size")))

    def threshold(self, node: str) -> int:
        """Tell how far a node must be written for an event, 0 if there is to be none."""
        return _number(self._nodes.get(node, {}).get("write_threshold"))

    def ioStatus(self, alias: str) -> str:
        """Tell whether it fails: C{ok}, C{failed} or C{nospace}."""
        each = self._blocks.get(alias) or {}
        return str(each.get("io-status", "ok"))
