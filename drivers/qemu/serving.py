"""
All processes that serve one guest: started in order before it, ended with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.qemu import busdisplays, gpuservers, tpms, virtiofs
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.guestlogs import GuestLog
from pyvirt.drivers.qemu.helpers import Helper, endHelper, number

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["endServers", "helpersOf", "placeServers", "startServers"]


def helpersOf(hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest) -> list[Helper]:
    """Return what serves a guest."""
    found = virtiofs.shareHelpers(hypervisor, definition, guest)
    found += gpuservers.gpuHelpers(hypervisor, definition, guest).values()
    if tpms.emulated(definition) is not None:
        found.append(tpms.tpmHelper(hypervisor, definition, guest.id))
    if busdisplays.onBus(definition) is not None:
        found.append(busdisplays.busHelper(hypervisor, definition, guest.id))
    return found


async def startServers(
    hypervisor: Hypervisor,
    definition: DomainDefinition,
    guest: Guest,
    guestLog: GuestLog,
    programs: gpuservers.GPUPrograms,
    *,
    incoming: bool,
) -> dict[str, int]:
    """
    Start what serves a guest.

    @param guestLog: gets how each was started.
    @param programs: who draws its displays.
    @param incoming: the guest comes with its state, from another host or a file.
    @return: descriptors for QEMU, by the places where its command names them; they are the caller's.
    @raise VirtError: something cannot be started.  The caller ends the rest.
    """
    await busdisplays.startBus(hypervisor, definition, guest, guestLog)
    await tpms.startTPM(hypervisor, definition, guest, guestLog, incoming=incoming)
    virtiofs.startShares(hypervisor, definition, guest, guestLog)
    return gpuservers.startGPUs(hypervisor, definition, guest, guestLog, programs)


def placeServers(hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest) -> None:
    """Count what serves a guest with its emulator, and limit it as that."""
    if guest.group is None:
        return
    for helper in helpersOf(hypervisor, definition, guest):
        found = number(helper)
        if found is not None:
            guest.group.addProcess("emulator", found[0])


async def endServers(hypervisor: Hypervisor, definition: DomainDefinition, guest: Guest) -> None:
    """End what serves a guest that is gone."""
    for helper in helpersOf(hypervisor, definition, guest):
        await endHelper(hypervisor, helper)
