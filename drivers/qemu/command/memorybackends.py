"""
Where the memory of a guest comes from: anonymous, a file, huge pages; shared, locked, bound to nodes of the host.
"""

from __future__ import annotations

import os
from typing import Any

from pyvirt.drivers.qemu.command.arguments import Builder
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["alignedSize", "backend"]

#: Modules come in pieces of so much, in KiB.
MODULE = 2048


def _hugePages(b: Builder, cell: Any, pagesize: int | None) -> int | None:
    """Return the size of huge pages in KiB, 0 for the host's usual one, None for none."""
    if pagesize is not None:
        return pagesize if pagesize > 4 else None
    backing = b.definition.memoryBacking
    if backing is None or backing.hugepages is None:
        return None
    pages = backing.hugepages.pages
    if not pages:
        return 0
    default = None
    for page in pages:
        if page.nodeset is None:
            default = page.size
        elif cell is not None and cell.id in page.nodeset:
            return int(page.size)
    return default


def _policy(b: Builder, cell: Any, nodemask: Any) -> tuple[str | None, Any]:
    """Return which nodes of the host the memory is on and how strictly."""
    tune = b.definition.numatune
    mode, nodes = None, None
    if tune is not None:
        if tune.memory is not None and tune.memory.placement != "auto":
            mode, nodes = tune.memory.mode, tune.memory.nodeset
        if cell is not None:
            for each in tune.memnodes:
                if each.cellid == cell.id:
                    mode, nodes = each.mode, each.nodeset
    if nodemask is not None:
        mode, nodes = mode or "strict", nodemask
    known = b.host.settings.get("host_nodes")
    for node in sorted(nodes or ()):
        if known is not None and node not in known:  # type: ignore[operator]
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED, f"NUMA node {node} is unavailable", ErrorDomain.NONE
            )
    if not nodes or mode == "restrictive":
        return None, None
    word = {"strict": "bind", "preferred": "preferred", "interleave": "interleave"}
    return word.get(mode or "strict", "bind"), nodes


def backend(
    b: Builder,
    name: str,
    size: int,
    *,
    cell: Any = None,
    device: Any = None,
    system: bool = False,
) -> dict[str, Any]:
    """
    Return the object that a piece of memory is.

    @param size: bytes.
    @param cell: the cell of the guest that it belongs to.
    @param device: the memory device that it is for.
    @param system: it is all of the machine's memory.
    """
    backing = b.definition.memoryBacking
    source = device.source if device is not None else None
    path = source.path if source is not None else None
    pagesize = source.pagesize if source is not None else None
    node = device.target.node if device is not None and device.target is not None else None
    if cell is None and node is not None:
        cpu = b.definition.cpu
        if cpu is not None and cpu.numa is not None and node < len(cpu.numa.cells):
            cell = cpu.numa.cells[node]
    access = None
    if device is not None and device.access is not None:
        access = device.access
    elif cell is not None and cell.memAccess is not None:
        access = cell.memAccess
    elif backing is not None:
        access = backing.access
    discard = None
    if device is not None and device.discard is not None:
        discard = device.discard
    elif cell is not None and cell.discard is not None:
        discard = cell.discard
    elif backing is not None and backing.discard:
        discard = True
    huge = _hugePages(b, cell, pagesize)
    kind = backing.source if backing is not None else None
    values: dict[str, Any] = {}
    prealloc = False
    allocation = backing.allocation if backing is not None else None
    if allocation is not None and allocation.mode == "immediate":
        prealloc = True
    virtio = device is not None and device.model == "virtio-mem"
    if kind == "memfd" and path is None:
        qom = "memory-backend-memfd"
        if huge is not None:
            if not huge:
                # Nothing is made there, but which size is usual is known only where there is a folder.
                _hugeFolder(b, huge)
            values["hugetlb"] = True
            if huge:
                values["hugetlbsize"] = huge * 1024
            prealloc = True
    elif huge is not None or path is not None or kind == "file" or access is not None:
        qom = "memory-backend-file"
        alias = device.alias if device is not None else name
        if path is not None:
            values["mem-path"] = path
            plain = source is None or not source.pmem
            prealloc = prealloc or (device is not None and device.model == "nvdimm" and plain)
        elif huge is not None:
            values["mem-path"] = (
                f"{_hugeFolder(b, huge)}/libvirt/qemu/{b.host.id}-{b.definition.name[:20]}"
            )
            prealloc = True
        else:
            values["mem-path"] = f"{memoryFolder(b)}/{alias}"
            b.folders.append(memoryFolder(b))
        if discard is not None:
            values["discard-data"] = discard
    else:
        qom = "memory-backend-ram"
    share = None
    if access is not None:
        share = access == "shared"
    if share is not None:
        values["share"] = share
    if virtio:
        prealloc = False
        values["reserve"] = False
    if system and qom != "memory-backend-ram":
        values["x-use-canonical-path-for-ramblock-id"] = False
    if prealloc:
        values["prealloc"] = True
    if allocation is not None and allocation.threads and not virtio:
        values["prealloc-threads"] = allocation.threads
    values["size"] = size
    if source is not None and source.alignsize:
        values["align"] = source.alignsize * 1024
    if source is not None and source.pmem:
        values["pmem"] = True
    policy, nodes = _policy(b, cell, source.nodemask if source is not None else None)
    if policy is not None:
        values["host-nodes"] = sorted(nodes)
        values["policy"] = policy
    return {"qom-type": qom, "id": name, **values}


def alignedSize(memory: Any) -> int:
    """Return how large a module becomes, in KiB: pages of a guest's largest size fill it."""
    return -(-(memory.target.size or 0) // MODULE) * MODULE


def memoryFolder(b: Builder) -> str:
    """Return where files of memory lie."""
    base = b.host.settings.get("memory_backing_dir") or os.path.join(
        os.path.dirname(b.host.guestFolder), "ram"
    )
    return f"{base}/{shortName(b)}"


def shortName(b: Builder) -> str:
    """Return the number and the name of a guest, as folders are named after it."""
    return f"{b.host.id}-{b.definition.name[:20]}"


def _hugeFolder(b: Builder, size: int) -> str:
    """Return where huge pages of a size are found."""
    mounts = b.host.settings.get("hugetlbfs_mounts")
    if isinstance(mounts, dict) and mounts:
        if size in mounts:
            return str(mounts[size])
        if not size:
            return str(next(iter(mounts.values())))
    if not size or not mounts:
        raise virtError(
            ErrorCode.INTERNAL_ERROR,
            "hugetlbfs filesystem is not mounted or disabled by administrator config",
            ErrorDomain.QEMU,
        )
    raise virtError(
        ErrorCode.INTERNAL_ERROR,
        f"Unable to find any usable hugetlbfs mount for {size} KiB",
        ErrorDomain.QEMU,
    )
