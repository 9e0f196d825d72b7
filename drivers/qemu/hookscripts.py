"""
What scripts of the administrator are told of guests, and what they may change of those that come from elsewhere.

Source: libvirt's documentation, "Hooks for specific system management".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition, formatDomain
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.migratable import checkStable
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["announce", "ended", "rewritten"]

log = Logger()

#: What names begin with that the driver makes up.
GENERATED = ("vnet", "macvtap", "macvlan")


async def announce(
    hypervisor: Hypervisor, domain: Domain, operation: str, definition: DomainDefinition
) -> None:
    """
    Ask scripts what they think of something that begins.

    @raise VirtError: one does not want it.
    """
    if hypervisor.hooks.present("qemu"):
        xml = formatDomain(definition, id=domain.id, secure=True)
        await hypervisor.hooks.call("qemu", domain.name, operation, input=xml)


async def ended(
    hypervisor: Hypervisor, domain: Domain, operation: str, definition: DomainDefinition
) -> None:
    """Tell scripts of a guest that is gone; what has ended has ended, whatever they think of it."""
    if not hypervisor.hooks.present("qemu"):
        return
    devices = definition.devices
    told = replaced(devices, interfaces=tuple(map(_unplugged, devices.interfaces)))
    xml = formatDomain(replaced(definition, devices=told), secure=True)
    try:
        await hypervisor.hooks.call("qemu", domain.name, operation, "end", input=xml)
    except VirtError as error:
        log.warn("{error}", error=error)


def _unplugged(card: Any) -> Any:
    """Leave out of a card what it was given for this one run."""
    source, target = card.source, card.target
    if card.type == "network" and source is not None:
        card = replaced(card, source=replaced(source, portid=None, bridge=None))
    if target is not None and str(target.dev or "").startswith(GENERATED):
        card = replaced(card, target=None)
    return card


async def rewritten(
    hypervisor: Hypervisor, operation: str, definition: DomainDefinition, xml: str
) -> DomainDefinition | None:
    """
    Let scripts change the definition of a guest that comes from a file or another host.

    @param xml: what they get.
    @return: what they make of it; None: it is as it was.
    @raise VirtError: one does not want the guest, or has changed what the guest would notice.
    """
    if not hypervisor.hooks.present("qemu"):
        return None
    printed = await hypervisor.hooks.call("qemu", definition.name, operation, input=xml)
    if printed is None:
        return None
    changed = await hypervisor.parse(printed)
    checkStable(definition, changed)
    return changed
