"""
Filters of guests' cards: the driver of network filters has them in force for the card's device on the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.filterbinding import FilterBindingDefinition, formatFilterBinding
from pyvirt.definitions.networkport import Owner
from pyvirt.drivers.interfaces.nwfilters import INWFilters
from pyvirt.drivers.qemu.networkports import settled
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["bindFilter", "bindFilters", "unbindFilter"]

log = Logger()


async def bindFilter(
    hypervisor: Hypervisor, definition: DomainDefinition, nic: Any, *, again: bool = False
) -> None:
    """
    Have the filter of a card in force, if it has one.

    @param nic: with the name of its device.
    @param again: it may be in force already.
    @raise VirtError: there is no such filter, or it cannot be in force.
    """
    if nic.filterref is None or nic.target is None or nic.target.dev is None:
        return
    filters = _filters(hypervisor)
    if filters is None:
        raise internal(
            f"referenced filter '{nic.filterref.filter}' is missing", ErrorDomain.NWFILTER
        )
    if again and await _bound(filters, nic.target.dev) is not None:
        return
    binding = FilterBindingDefinition(
        owner=Owner(name=definition.name, uuid=definition.uuid or bytes(16)),
        port=nic.target.dev,
        link=None,
        mac=nic.mac.address,
        filterref=nic.filterref,
    )
    await settled(filters.nwfilterBindingCreateXML(formatFilterBinding(binding), 0))


async def bindFilters(hypervisor: Hypervisor, definition: DomainDefinition) -> None:
    """Have the filters of a guest that was found again in force; that one cannot be is logged."""
    for nic in definition.devices.interfaces:
        try:
            await bindFilter(hypervisor, definition, nic, again=True)
        except VirtError as error:
            log.error("{name}: {error}", name=definition.name, error=error)


async def unbindFilter(hypervisor: Hypervisor, nic: Any) -> None:
    """Have the filter of a card in force no more; that it cannot be taken back is logged."""
    if nic.filterref is None or nic.target is None or nic.target.dev is None:
        return
    filters = _filters(hypervisor)
    if filters is None:
        return
    try:
        found = await _bound(filters, nic.target.dev)
        if found is not None:
            await settled(filters.nwfilterBindingDelete(found))
    except VirtError as error:
        log.warn("{error}", error=error)


async def _bound(filters: Any, device: str) -> Any:
    try:
        return await settled(filters.nwfilterBindingLookupByPortDev(device))
    except VirtError as error:
        if error.code != ErrorCode.NO_NWFILTER_BINDING:
            raise
        return None


def _filters(hypervisor: Hypervisor) -> Any:
    return hypervisor.companion(INWFilters)
