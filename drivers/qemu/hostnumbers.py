"""
The host's processors and memory, in numbers, as the system tells them in /proc and /sys.
"""

from __future__ import annotations

import os
import platform
import re

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import NodeCPUMap, NodeCPUStat, NodeInfo, NodeMemoryStat
from pyvirt.drivers.qemu.hostcapabilities import HostCapabilities
from pyvirt.drivers.qemu.hostfacts import hostTopology
from pyvirt.drivers.qemu.refusals import checkFlags, internal
from pyvirt.errors import ErrorDomain, InvalidArgument

__all__ = ["HostNumbers"]

_NODES = "/sys/devices/system/node"
_CPUS = "/sys/devices/system/cpu"


def _read(path: str) -> str:
    with open(path, errors="replace") as file:
        return file.read()


def _amounts(text: str) -> dict[str, int]:
    """Read C{Name: 123 kB} lines, with or without a node's number before them."""
    return {
        name: int(value) for name, value in re.findall(r"(\w+):\s+(\d+) kB", text, re.MULTILINE)
    }


def _ranges(text: str) -> list[int]:
    found: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdigit():
            found += range(int(first), int(last or first) + 1)
    return found


def _frequency() -> int:
    """MHz of the first processor that says, 0: none does."""
    match = re.search(r"(?m)^cpu MHz\s*:\s*(\d+)", _read("/proc/cpuinfo"))
    return int(match[1]) if match else 0


class HostNumbers(HostCapabilities):
    """Answers for how much the host has of everything."""

    def nodeGetInfo(self) -> NodeInfo:
        """Describe processors and memory."""
        sockets, dies, cores, threads = hostTopology()
        online = self.nodeGetCPUMap(0).online
        nodes = max(1, len(self._cells()))
        if nodes * sockets * dies * cores * threads != online:
            # As where processors are missing: one of everything, and all of them cores of it.
            nodes, sockets, dies, cores, threads = 1, 1, 1, online, 1
        total = self._total("MemTotal")
        return NodeInfo(
            platform.machine(), total, online, _frequency(), nodes, sockets, dies * cores, threads
        )

    def nodeGetCPUMap(self, flags: int) -> NodeCPUMap:
        """Tell which processors there are, and which are online."""
        checkFlags("virHostCPUGetMap", flags, 0, ErrorDomain.NONE)
        online = _ranges(_read(f"{_CPUS}/online"))
        present = _ranges(_read(f"{_CPUS}/present"))
        count = (max(present) if present else 0) + 1
        bits = bytearray((count + 7) // 8)
        for cpu in online:
            bits[cpu // 8] |= 1 << cpu % 8
        return NodeCPUMap(bytes(bits), len(online), count)

    def _cells(self) -> list[int]:
        try:
            return _ranges(_read(f"{_NODES}/online"))
        except OSError:
            return []

    def nodeGetFreeMemory(self) -> int:
        """Free memory, bytes."""
        return self._total("MemFree") * 1024

    def _total(self, name: str) -> int:
        """Add what NUMA cells have up; where there are none, what the host has.  KiB."""
        try:
            cells = self._cells()
            if cells:
                return sum(_amounts(_read(f"{_NODES}/node{each}/meminfo"))[name] for each in cells)
        except (OSError, KeyError):
            pass
        return _amounts(_read("/proc/meminfo")).get(name, 0)

    def nodeGetCellsFreeMemory(self, startCell: int, maxcells: int) -> list[int]:
        """Free memory of NUMA cells, bytes."""
        cells = self._cells()
        last = max(cells, default=0)
        if startCell > last:
            raise internal(f"start cell {startCell} out of range (0-{last})", ErrorDomain.NONE)
        found = []
        for cell in range(startCell, min(last, startCell + maxcells - 1) + 1):
            try:
                found.append(_amounts(_read(f"{_NODES}/node{cell}/meminfo"))["MemFree"] * 1024)
            except (OSError, KeyError):
                found.append(0 if cells else self.nodeGetFreeMemory())  # the whole host is one
        return found

    def nodeGetMemoryStats(self, cellNum: int, flags: int) -> list[NodeMemoryStat]:
        """Tell how memory is used, KiB."""
        checkFlags("virHostMemGetStats", flags, 0, ErrorDomain.NONE)
        if cellNum == c.VIR_NODE_MEMORY_STATS_ALL_CELLS:
            names = {"MemTotal": "total", "MemFree": "free", "Buffers": "buffers"}
            amounts = _amounts(_read("/proc/meminfo"))
            names["Cached"] = "cached"
        else:
            last = max(self._cells(), default=0)
            if not 0 <= cellNum <= last:
                raise InvalidArgument(
                    f"cellNum in virHostMemGetStats must be less than or equal to {last}",
                    str1="virHostMemGetStats",
                    str2="cellNum",
                    int1=0,
                    int2=0,
                )
            names = {"MemTotal": "total", "MemFree": "free"}
            amounts = _amounts(_read(f"{_NODES}/node{cellNum}/meminfo"))
        return [
            NodeMemoryStat(word, amounts[name]) for name, word in names.items() if name in amounts
        ]

    def nodeGetCPUStats(self, cpuNum: int, flags: int) -> list[NodeCPUStat]:
        """Tell what processors spent their time on, nanoseconds."""
        checkFlags("virHostCPUGetStats", flags, 0, ErrorDomain.NONE)
        name = "cpu" if cpuNum == c.VIR_NODE_CPU_STATS_ALL_CPUS else f"cpu{cpuNum}"
        tick = 10**9 // os.sysconf("SC_CLK_TCK")
        for line in _read("/proc/stat").splitlines():
            words = line.split()
            if words and words[0] == name:
                user, nice, system, idle, iowait, irq, softirq, *_ = (*map(int, words[1:]), 0, 0, 0)
                return [
                    NodeCPUStat(c.VIR_NODE_CPU_STATS_KERNEL, (system + irq + softirq) * tick),
                    NodeCPUStat(c.VIR_NODE_CPU_STATS_USER, (user + nice) * tick),
                    NodeCPUStat(c.VIR_NODE_CPU_STATS_IDLE, idle * tick),
                    NodeCPUStat(c.VIR_NODE_CPU_STATS_IOWAIT, iowait * tick),
                ]
        raise InvalidArgument(
            "Invalid cpuNum in virHostCPUGetStatsLinux",
            str1="virHostCPUGetStatsLinux",
            str2="cpuNum",
            int1=0,
            int2=0,
        )
