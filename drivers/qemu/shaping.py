"""
Limits of what goes through the cards of running guests: the kernel keeps them, or the switch that a card is plugged into.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.netbits import Bandwidth
from pyvirt.drivers.qemu import openvswitch
from pyvirt.drivers.traffic import limitTraffic, plainQueue, unlimited
from pyvirt.errors import VirtError
from pyvirt.process import IProcesses

__all__ = ["reshape", "shape", "unshape"]

log = Logger()


async def shape(
    processes: IProcesses,
    definition: DomainDefinition,
    nic: Any,
    name: str,
    bandwidth: Bandwidth,
    *,
    swapped: bool,
) -> None:
    """
    Limit what goes through a card's device, in place of any limits that it has.

    @param bandwidth: in KiB a second and KiB; inbound is what the guest gets.
    @param swapped: the device is the guest's own end: what it sends leaves the device.
    @raise VirtError: it cannot be limited.
    """
    if openvswitch.isSwitched(nic):
        await openvswitch.limitPort(processes, definition, name, bandwidth)
    elif bandwidth.inbound is None and bandwidth.outbound is None:
        await unlimited(processes, name)
        await plainQueue(processes, name)
    else:
        await limitTraffic(processes, name, bandwidth, swapped=swapped)


async def reshape(
    processes: IProcesses,
    definition: DomainDefinition,
    nic: Any,
    name: str,
    bandwidth: Bandwidth,
    *,
    swapped: bool,
) -> None:
    """
    As L{shape}, of a card that has limits already, or none.

    @raise VirtError: it cannot be limited so; it has its old limits, if it can have those.
    """
    try:
        await shape(processes, definition, nic, name, bandwidth, swapped=swapped)
    except BaseException:
        before = nic.bandwidth or Bandwidth()
        try:
            await shape(processes, definition, nic, name, before, swapped=swapped)
        except VirtError as error:
            log.warn("{name} has lost its limits: {error}", name=name, error=error)
        raise


async def unshape(processes: IProcesses, definition: DomainDefinition, nic: Any, name: str) -> None:
    """Take all limits away from a card's device that is going."""
    if openvswitch.isSwitched(nic):
        await openvswitch.freePort(processes, definition, name)
    else:
        await unlimited(processes, name)
