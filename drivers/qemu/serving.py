"""
All processes that serve one guest: started in order before it, ended with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.qemu import busdisplays, tpms, virtiofs
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.helpers import Helper, endHelper

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["endServers", "helpersOf", "startServers"]


def helpersOf(hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest) -> list[Helper]:
    """Return what serves a guest."""
    found = virtiofs.shareHelpers(hypervisor, definition, guest)
    if tpms.emulated(definition) is not None:
        found.append(tpms.tpmHelper(hypervisor, definition, guest.id))
    if busdisplays.onBus(definition) is not None:
        found.append(busdisplays.busHelper(hypervisor, definition, guest.id))
    return found


async def startServers(
    hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest, *, incoming: bool
) -> None:
    """
    Start what serves a guest.

    @param incoming: the guest comes with its state, from another host or a file.
    @raise VirtError: something cannot be started.  The caller ends the rest.
    """
    await busdisplays.startBus(hypervisor, definition, guest)
    await tpms.startTPM(hypervisor, definition, guest, incoming=incoming)
    virtiofs.startShares(hypervisor, definition, guest)


async def endServers(hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest) -> None:
    """End what serves a guest that is gone."""
    for helper in helpersOf(hypervisor, definition, guest):
        await endHelper(hypervisor, helper)
