"""
Reading what the host is and has: its processors, cells, firmwares, and libvirt's tables of processors.

All of it is in small files of the kernel or of packages; what packages install is read once.
"""

from __future__ import annotations

import glob
import json
import os
import platform
import uuid
from collections.abc import Sequence

from pyvirt.drivers.cpus.tables import cpuMap
from pyvirt.drivers.qemu.capabilities.hostdoc import (
    CacheBank,
    HostCell,
    HostFacts,
    HostProcessor,
)
from pyvirt.drivers.qemu.cpuid import answers
from pyvirt.drivers.qemu.firmware import FOLDERS, Descriptor, ordered, readDescriptor

__all__ = ["firmwares", "hostFacts", "hostTopology", "physicalBits"]

_SYSTEM = "/sys/devices/system"


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None


def _number(path: str, default: int = 0) -> int:
    text = _text(path)
    try:
        return int(text or "")
    except ValueError:
        return default


def firmwares() -> list[Descriptor]:
    """Return the firmwares of the host, in the order in which they are tried."""
    names = [
        (folder, os.path.basename(path))
        for folder in FOLDERS
        for path in glob.glob(os.path.join(folder, "*.json"))
    ]
    found = []
    for path in ordered(names):
        text = _text(path)
        try:
            descriptor = readDescriptor(json.loads(text or ""))
        except ValueError:
            continue
        if descriptor is not None:
            found.append(descriptor)
    return found


def _set(text: str | None) -> frozenset[int]:
    """Read ranges of numbers."""
    found: set[int] = set()
    for part in (text or "").split(","):
        first, _, last = part.partition("-")
        if first.isdigit():
            found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)


def _processor(number: int) -> HostProcessor:
    base = f"{_SYSTEM}/cpu/cpu{number}/topology"
    return HostProcessor(
        id=number,
        socket=max(_number(f"{base}/physical_package_id"), 0),
        die=max(_number(f"{base}/die_id"), 0),
        core=max(_number(f"{base}/core_id"), 0),
        siblings=_set(_text(f"{base}/thread_siblings_list")) or frozenset({number}),
    )


def _nodes() -> list[int]:
    return sorted(_set(_text(f"{_SYSTEM}/node/online")))


def _processors(node: int) -> tuple[HostProcessor, ...]:
    numbers = _set(_text(f"{_SYSTEM}/node/node{node}/cpulist"))
    return tuple(_processor(each) for each in sorted(numbers))


def _topology(cells: Sequence[Sequence[HostProcessor]]) -> tuple[int, int, int, int]:
    processors = [each for cell in cells for each in cell]
    sockets = len({each.socket for each in processors}) or 1
    dies = len({(each.socket, each.die) for each in processors}) // sockets or 1
    cores = len({(each.socket, each.die, each.core) for each in processors}) // sockets // dies or 1
    threads = max((len(each.siblings) for each in processors), default=1)
    # Where sockets differ from cell to cell, libvirt tells those of one cell.
    return sockets // max(len(cells), 1) or 1, dies, cores, threads


def hostTopology() -> tuple[int, int, int, int]:
    """Read how many sockets of a cell, dies of a socket, cores of a die and threads of a core the host has."""
    return _topology([_processors(each) for each in _nodes()])


def _cells(sizes: tuple[int, ...]) -> tuple[HostCell, ...]:
    nodes = _nodes()
    found = []
    for node in nodes:
        base = f"{_SYSTEM}/node/node{node}"
        memory = 0
        for line in (_text(f"{base}/meminfo") or "").splitlines():
            if "MemTotal" in line:
                memory = int(line.split()[-2])
        pages = []
        huge = 0
        for size in sizes[1:]:
            count = _number(f"{base}/hugepages/hugepages-{size}kB/nr_hugepages")
            huge += count * size
            pages.append((size, count))
        distances = (_text(f"{base}/distance") or "").split()
        found.append(
            HostCell(
                id=node,
                memory=memory,
                pages=((sizes[0], (memory - huge) // sizes[0]), *pages),
                distances=tuple(zip(nodes, map(int, distances), strict=False)),
                processors=_processors(node),
            )
        )
    return tuple(found)


def _caches() -> tuple[CacheBank, ...]:
    """Return the outermost caches of processors."""
    found: dict[tuple[int, int, str], CacheBank] = {}
    for path in glob.glob(f"{_SYSTEM}/cpu/cpu[0-9]*/cache/index*"):
        level = _number(f"{path}/level")
        if level < 3:
            continue
        kind = {"Unified": "both", "Data": "data", "Instruction": "code"}.get(
            _text(f"{path}/type") or ""
        )
        size = _text(f"{path}/size") or ""
        cpus = _text(f"{path}/shared_cpu_list") or ""
        if kind is None or not size.endswith("K"):
            continue
        identity = _number(f"{path}/id")
        found[(level, identity, kind)] = CacheBank(
            id=identity, level=level, type=kind, size=int(size[:-1]), cpus=cpus
        )
    return tuple(found[key] for key in sorted(found))


def _cpuinfo() -> dict[str, str]:
    """Return what is said of the first processor."""
    found: dict[str, str] = {}
    for line in (_text("/proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        if not name.strip():
            break
        found[name.strip()] = value.strip()
    return found


def _identity() -> str:
    """Return what the firmware calls the host, or what the installation is called."""
    for path in ("/sys/class/dmi/id/product_uuid", "/etc/machine-id"):
        text = _text(path)
        try:
            return str(uuid.UUID(text or ""))
        except ValueError:
            continue
    return str(uuid.UUID(int=0))


def _asked() -> frozenset[str]:
    """The features that the processor itself tells of."""
    table = cpuMap()
    leaves = {leaf[:2] for bits in table.features.values() for leaf in bits if leaf[0] != "msr"}
    return frozenset(table.featuresIn(answers(sorted(leaves))))


def _bits(info: dict[str, str]) -> int | None:
    bits = (info.get("address sizes") or "0").split()[0]
    return int(bits) if bits.isdigit() else None


def physicalBits() -> int | None:
    """Return how many bits physical addresses have, or None where that is not known."""
    return _bits(_cpuinfo())


def hostFacts(security: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]) -> HostFacts:
    """
    Read what the host is.

    @param security: as L{HostFacts.security}.
    """
    info = _cpuinfo()
    page = os.sysconf("SC_PAGE_SIZE") // 1024
    huge = sorted(
        int(os.path.basename(path).removeprefix("hugepages-").removesuffix("kB"))
        for path in glob.glob("/sys/kernel/mm/hugepages/hugepages-*kB")
    )
    sizes = (page, *huge)
    cells = _cells(sizes)
    states = (_text("/sys/power/state") or "").split()
    disk = _text("/sys/power/disk") or ""
    suspend = []
    if "mem" in states:
        suspend.append("suspend_mem")
    if "disk" in states and "disabled" not in disk:
        suspend.append("suspend_disk")
    microcode = info.get("microcode", "0")
    return HostFacts(
        uuid=_identity(),
        arch=platform.machine(),
        vendor=cpuMap().vendors.get(info.get("vendor_id", "")),
        signature=(
            int(info.get("cpu family") or 0),
            int(info.get("model") or 0),
            int(info.get("stepping") or 0) if info.get("stepping", "0").isdigit() else 0,
        ),
        features=frozenset(info.get("flags", "").split()) | _asked(),
        microcode=int(microcode, 0) if microcode.startswith("0x") else None,
        topology=_topology([each.processors for each in cells]),
        physicalBits=_bits(info),
        pageSizes=sizes,
        suspend=tuple(suspend),
        iommu=bool(glob.glob("/sys/kernel/iommu_groups/*")),
        cells=cells,
        caches=_caches(),
        security=security,
    )
