"""
What a QEMU binary can do, read from what it answers when it is probed.
"""

from __future__ import annotations

from pyvirt.drivers.qemu.capabilities.binary import (
    BinaryCapabilities,
    CPUDefinition,
    Machine,
)
from pyvirt.drivers.qemu.capabilities.probing import PROBES, readCapabilities

__all__ = ["PROBES", "BinaryCapabilities", "CPUDefinition", "Machine", "readCapabilities"]
