"""
Taps as ports of bridges and switches: plugged in when a guest starts, and once more by a daemon that finds it again.

Meanwhile a network may have been stopped and started, which leaves its guests' cards connected to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu import openvswitch, taps
from pyvirt.drivers.qemu.networkports import reclaimPort
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["plugAgain", "plugTap"]

log = Logger()


async def plugTap(
    hypervisor: Hypervisor, definition: DomainDefinition, nic: Any, bridge: str, name: str
) -> None:
    """
    Make a device a port of a bridge, or of a switch if the card says so.

    @raise VirtError: it cannot be.
    """
    port = nic.virtualport
    taps.setMTU(name, nic.mtu or taps.mtuOf(bridge))
    if port is not None and port.type == "openvswitch":
        await openvswitch.addPort(hypervisor.processes, definition, bridge, name, nic, port)
    elif port is None or port.type is None:
        # Ports of other kinds of switches are the business of who manages those.
        taps.addPort(bridge, name)
        if nic.portIsolated:
            taps.isolatePort(bridge, name)


async def plugAgain(hypervisor: Hypervisor, definition: DomainDefinition) -> DomainDefinition:
    """
    Tell networks of the cards of a guest that was found again, and connect these to their bridges, if they are not; that
    it cannot be done is logged, and the guest goes on.

    @return: the definition, where cards may have got ports.
    """
    nics = []
    for nic in definition.devices.interfaces:
        nic = await reclaimPort(hypervisor, definition, nic)
        nics.append(nic)
        bridge = getattr(nic.source, "bridge", None) if nic.type in ("network", "bridge") else None
        name = nic.target.dev if nic.target is not None else None
        if bridge is None or name is None:
            continue
        try:
            await _move(hypervisor, definition, nic, bridge, name)
        except VirtError as error:
            log.warn(
                "{name} is not connected to {bridge}: {error}",
                name=name,
                bridge=bridge,
                error=error,
            )
    return replaced(definition, devices=replaced(definition.devices, interfaces=tuple(nics)))


async def _move(
    hypervisor: Hypervisor, definition: DomainDefinition, nic: Any, bridge: str, name: str
) -> None:
    if openvswitch.isSwitched(nic):
        # It is asked to see to all of it, as switches may have lost what they knew.
        await openvswitch.addPort(
            hypervisor.processes, definition, bridge, name, nic, nic.virtualport
        )
        return
    master = taps.masterOf(name)
    if master == bridge:
        return
    if master is not None:
        taps.removePort(master, name)
    log.info("{name} is connected to {bridge} again", name=name, bridge=bridge)
    await plugTap(hypervisor, definition, nic, bridge, name)
