"""
From a definition to QEMU's command line: L{commandLine}, a pure function.

One module for each family of options; L{building} has the order in which they stand.
"""

from __future__ import annotations

from pyvirt.drivers.qemu.command.building import commandLine
from pyvirt.drivers.qemu.command.values import CommandLine, HostSettings, OpenFile, place

__all__ = ["CommandLine", "HostSettings", "OpenFile", "commandLine", "place"]
