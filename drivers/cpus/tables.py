"""
Libvirt's tables of processors, where a libvirt is installed.
"""

from __future__ import annotations

import functools
import os

from pyvirt.drivers.cpus.cpumap import CPUMap, readMap

__all__ = ["cpuMap"]

_FOLDER = "/usr/share/libvirt/cpu_map"


@functools.cache
def cpuMap(arch: str = "x86") -> CPUMap:
    """Return the tables of an architecture's processors; empty ones where they are not installed."""

    def read(name: str) -> bytes | None:
        try:
            with open(os.path.join(_FOLDER, os.path.basename(name)), "rb") as file:
                return file.read()
        except OSError:
            return None

    return readMap(read, arch)
