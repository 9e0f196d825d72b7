"""
Changing network interfaces of a running guest: limits of traffic, filters, the state of the link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain._net import withBandwidth
from pyvirt.definitions.netbits import Bandwidth
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicechanges import checkInterface, withDevice
from pyvirt.drivers.devicematch import findInterface
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.netfilters import bindFilter, unbindFilter
from pyvirt.drivers.qemu.networking import isDirect
from pyvirt.drivers.qemu.networkports import promise
from pyvirt.drivers.qemu.passed import isPassed
from pyvirt.drivers.qemu.refusals import operationUnsupported
from pyvirt.drivers.traffic import limitTraffic, plainQueue, unlimited
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["updateInterface"]


async def updateInterface(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, device: Any
) -> None:
    """
    Change an interface of a running guest.

    @param device: what it is to be; its hardware address says which.
    @raise VirtError: it cannot become that; it stays as it was.
    """
    random = hypervisor.random
    _checkChangeable(domain, device)
    place, old = checkInterface(domain.definition, device, random, ErrorDomain.QEMU)
    if device.type != old.type or (device.tune is not None and device.tune != old.tune):
        raise operationUnsupported(f"unable to change config on '{device.type}' network type")
    if (device.bandwidth or _UNLIMITED) != (old.bandwidth or _UNLIMITED):
        old = withBandwidth(old, await _limit(hypervisor, old, device.bandwidth))
        domain.definition = withDevice(domain.definition, "interfaces", place, old)
    if device.filterref != old.filterref:
        old = _became(domain, place, filterref=await _filter(hypervisor, domain, old, device))
    if device.linkState != old.linkState:
        await guest.execute("set_link", {"name": old.alias, "up": device.linkState != "down"})
        _became(domain, place, linkState=device.linkState)


def _checkChangeable(domain: Domain, device: Any) -> None:
    """
    Refuse to change a card that is a device of the host.

    @raise VirtError: OPERATION_UNSUPPORTED.
    """
    interfaces: Any = domain.definition.devices.interfaces
    if isPassed(interfaces[findInterface(interfaces, device)]):
        raise operationUnsupported("cannot change config of 'hostdev' network interface type")


def _became(domain: Domain, place: int, **changes: Any) -> Any:
    """Change what is known of an interface, and return it."""
    interfaces: Any = domain.definition.devices.interfaces
    changed = replaced(interfaces[place], **changes)
    domain.definition = withDevice(domain.definition, "interfaces", place, changed)
    return changed


async def _limit(hypervisor: Hypervisor, old: Any, limits: Any) -> Any:
    """
    Limit the traffic of an interface, or limit it no more.

    @return: the limits.
    """
    name = _part(old.target, "dev")
    if name is None:
        if limits is None:
            return None
        raise operationUnsupported(
            "Unable to set bandwidth for interface because device name is unknown"
        )
    if limits is None:
        await unlimited(hypervisor.processes, name)
        await plainQueue(hypervisor.processes, name)
        await promise(hypervisor, old, _UNLIMITED)
        return None
    await promise(hypervisor, old, limits)
    await limitTraffic(hypervisor.processes, name, limits, swapped=isDirect(old))
    return limits


async def _filter(hypervisor: Hypervisor, domain: Domain, old: Any, device: Any) -> Any:
    """
    Have another filter in force for an interface.

    @return: its reference.
    @raise VirtError: OPERATION_FAILED: the old one is in force.
    """
    new = replaced(old, filterref=device.filterref)
    await unbindFilter(hypervisor, old)
    try:
        await bindFilter(hypervisor, domain.definition, new)
    except VirtError:
        await bindFilter(hypervisor, domain.definition, old)
        raise virtError(
            ErrorCode.OPERATION_FAILED,
            f"failed to add new filter rules to '{_part(old.target, 'dev')}' - attempting to "
            "restore old rules",
            ErrorDomain.QEMU,
        ) from None
    return device.filterref


def _part(value: Any, name: str) -> Any:
    return None if value is None else getattr(value, name)


_UNLIMITED = Bandwidth()
