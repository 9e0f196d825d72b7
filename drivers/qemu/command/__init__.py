"""
From a definition to QEMU's command line: L{commandLine}, a pure function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvirt.drivers.qemu.command.values import CommandLine, HostSettings, OpenFile, place

if TYPE_CHECKING:
    from pyvirt.definitions.domain import DomainDefinition
    from pyvirt.drivers.qemu.capabilities import BinaryCapabilities

__all__ = ["CommandLine", "HostSettings", "OpenFile", "commandLine", "place"]


def commandLine(
    definition: DomainDefinition, capabilities: BinaryCapabilities, host: HostSettings
) -> CommandLine:
    """
    Write the command line of a guest.

    @param definition: completed: every device has its alias and its address.
    @raise VirtError: what the binary cannot do.
    """
    from pyvirt.drivers.qemu.command.minimal import minimalCommandLine

    return minimalCommandLine(definition, capabilities, host)
