"""
What the first processor of this host answers to CPUID, where Linux lets us ask.

C{/proc/cpuinfo} names what Linux itself uses or shows; a hypervisor passes on more than that.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable

from pyvirt.drivers.cpus.cpumap import Bits

__all__ = ["DEVICE", "answers"]

#: Made by the kernel's module C{cpuid}; only root may read it.
DEVICE = "/dev/cpu/0/cpuid"

_REGISTERS = ("eax", "ebx", "ecx", "edx")

#: The leaf that tells the greatest leaf of its range.
_BASIC, _EXTENDED = 0, 0x80000000


def answers(leaves: Iterable[tuple[int, int]], device: str = DEVICE) -> Bits:
    """
    Ask the processor.

    @param leaves: leaf and index of each question; a leaf that the processor does not have is passed over.
    @return: as tables of processors have it; empty where nobody may ask.
    """
    found: Bits = {}
    try:
        descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return found
    try:
        greatest = {start: _ask(descriptor, start, 0)[0] for start in (_BASIC, _EXTENDED)}
        for leaf, index in leaves:
            if leaf <= greatest[_EXTENDED if leaf >= _EXTENDED else _BASIC]:
                for register, value in zip(_REGISTERS, _ask(descriptor, leaf, index), strict=True):
                    found[leaf, index, register] = value
    except (OSError, struct.error):
        return {}
    finally:
        os.close(descriptor)
    return found


def _ask(descriptor: int, leaf: int, index: int) -> tuple[int, ...]:
    # The place to read from is the question.
    return struct.unpack("=4I", os.pread(descriptor, 16, leaf | index << 32))
