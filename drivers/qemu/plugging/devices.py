"""
The operations on devices of domains: each is tried on the definition first, then on the running guest; what the
definition becomes is kept only when both have worked.
"""

from __future__ import annotations

import os
from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicechanges import updatedConfig, withDevice
from pyvirt.drivers.devicematch import findDevice
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.qemu.blocks.chain import disksOf
from pyvirt.drivers.qemu.capabilities import BinaryCapabilities
from pyvirt.drivers.qemu.complete import complete
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.peeking import DomainPeeking
from pyvirt.drivers.qemu.plugging.alone import checkAlone, completedAlone, parsed
from pyvirt.drivers.qemu.plugging.attaching import attachLive, placeOf
from pyvirt.drivers.qemu.plugging.detaching import checkDetachable, detachLive, gone
from pyvirt.drivers.qemu.plugging.fitting import (
    checkAdded,
    checkCompatible,
    checkStored,
    consoleOf,
    fitted,
    withPorts,
)
from pyvirt.drivers.qemu.plugging.kinds import CHARDEVS, CONFIG
from pyvirt.drivers.qemu.plugging.media import changeMedia
from pyvirt.drivers.qemu.plugging.updating import checkUpdatable, updateLive
from pyvirt.drivers.qemu.refusals import checkFlags
from pyvirt.errors import ErrorDomain, VirtError

__all__ = ["DomainDevices"]

_IMPACT = c.VIR_DOMAIN_AFFECT_LIVE | c.VIR_DOMAIN_AFFECT_CONFIG


class DomainDevices(DomainPeeking):
    """Plugs devices into domains, takes them away, and changes them."""

    def __init__(self, hypervisor: Any, connection: Any) -> None:
        super().__init__(hypervisor, connection)
        self._connection = connection

    def domainFDAssociate(self, dom: DomainRef, name: str, flags: int, fds: list[int]) -> None:
        """Keep descriptors for a domain, until its client goes or it is gone."""
        from pyvirt.drivers.qemu.fdgroups import associate

        associate(self._find(dom), self._connection, name, fds, flags)

    async def domainAttachDeviceFlags(self, dom: DomainRef, xml: str, flags: int) -> None:
        """Give a domain one more device."""
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainAttachDeviceFlags"):
            live, config = domain.impact(flags)
            checkFlags("qemuDomainAttachDeviceLiveAndConfig", flags, _IMPACT)
            pending = None
            if config:
                kind, device = parsed(xml)
                pending = await self._stored(domain, kind, device)
            if live:
                guest = domain.checkActive()
                kind, device = parsed(xml)
                self._checkAlone(domain.definition, kind, device, guest.capabilities)
                drive = _drive(domain.definition, kind, device)
                if drive is not None:
                    await changeMedia(self._hypervisor, domain, guest, drive, device, False)
                else:
                    await attachLive(self._hypervisor, domain, guest, kind, device)
            self._keep(domain, pending)

    async def _stored(self, domain: Domain, kind: str, device: Any) -> DomainDefinition:
        """Return what a domain will be with one more device."""
        definition = domain.persistentDefinition
        capabilities = await self._hypervisor.capabilities(definition)
        self._checkAlone(definition, kind, device, capabilities)
        checkCompatible(definition, kind, device)
        checkAdded(definition, kind, device)
        try:
            changed, place = fitted(
                definition,
                kind,
                device,
                capabilities,
                self._hypervisor.random,
                nvramFolder=self._nvram,
            )
        except VirtError:
            if kind in CONFIG:
                # That it is there already is said before that it does not fit.
                checkStored(definition, kind, device)
            raise
        checkStored(definition, kind, device)
        if kind == "consoles":
            # Of a stored definition they are counted anew.
            changed = withPorts(changed, range(place), device, place)
        if kind == "serials" and not definition.devices.serials and not changed.devices.consoles:
            # Whatever port came first.
            consoles = (consoleOf(changed.devices.serials[0]),)
            changed = replaced(changed, devices=replaced(changed.devices, consoles=consoles))
        if kind == "memories":
            current = definition.currentMemory
            if current is not None:
                size = device.target.size or 0
                changed = replaced(changed, currentMemory=current + size)
        return changed

    def _checkAlone(
        self,
        definition: DomainDefinition,
        kind: str,
        device: Any,
        capabilities: BinaryCapabilities,
    ) -> None:
        hypervisor = self._hypervisor
        settings = hypervisor.config.values
        checkAlone(definition, kind, device, capabilities, hypervisor.random, settings)

    async def _described(self, domain: Domain, kind: str, device: Any) -> Any:
        """
        Fill in what tells a device from others; hardware addresses and numbers that nobody gave do not.

        @raise VirtError: such a device cannot be.
        """
        definition, guest = domain.definition, domain.guest
        if guest is not None:
            capabilities = guest.capabilities
        else:
            capabilities = await self._hypervisor.capabilities(definition)
        random = self._hypervisor.random
        completed = completedAlone(definition, kind, device, capabilities, random)
        return device if kind == "interfaces" or kind in CHARDEVS else completed

    def _completed(
        self, definition: DomainDefinition, capabilities: BinaryCapabilities
    ) -> DomainDefinition:
        """Fill in what a changed definition leaves open; what a machine always has comes back."""
        return complete(definition, capabilities, self._hypervisor.random, nvramFolder=self._nvram)

    @property
    def _nvram(self) -> str:
        return os.path.join(self._hypervisor.layout.lib, "nvram")

    def _keep(self, domain: Domain, pending: DomainDefinition | None) -> None:
        """Keep what a domain will be, on disk first."""
        if pending is None:
            return
        self._hypervisor.store.saveDefinition(pending)
        if domain.pending is not None:
            domain.pending = pending
        else:
            domain.definition = pending

    async def domainDetachDeviceFlags(self, dom: DomainRef, xml: str, flags: int) -> None:
        """Take a device away; the running guest may hold it for longer than this takes."""
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainDetachDeviceFlags"):
            live, config = domain.impact(flags)
            checkFlags("qemuDomainDetachDeviceLiveAndConfig", flags, _IMPACT)
            kind, device = parsed(xml)
            device = await self._described(domain, kind, device)
            pending = None
            if config:
                checkDetachable(kind, False)
                definition = domain.persistentDefinition
                place, found = findDevice(
                    definition.devices, kind, device, False, ErrorDomain.QEMU, strict=True
                )
                pending = _storedWithout(definition, kind, place, found)
                pending = self._completed(pending, await self._hypervisor.capabilities(definition))
            if live:
                await detachLive(self._hypervisor, domain, domain.checkActive(), kind, device)
            self._keep(domain, pending)

    async def domainDetachDeviceAlias(self, dom: DomainRef, alias: str, flags: int) -> None:
        """As L{domainDetachDeviceFlags}, of the device of that name."""
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainDetachDeviceAlias"):
            live, config = domain.impact(flags)
            checkFlags("qemuDomainDetachDeviceAliasLiveAndConfig", flags, _IMPACT)
            pending = None
            if config:
                definition = domain.persistentDefinition
                place = placeOf(definition, alias)
                if place is None:
                    raise gone(alias)
                checkDetachable(place[0], False)
                pending = _storedWithout(definition, *place)
                pending = self._completed(pending, await self._hypervisor.capabilities(definition))
            if live:
                guest = domain.checkActive()
                place = placeOf(domain.definition, alias)
                if place is None:
                    raise gone(alias)
                await detachLive(self._hypervisor, domain, guest, place[0], place[2], known=True)
            self._keep(domain, pending)

    async def domainUpdateDeviceFlags(self, dom: DomainRef, xml: str, flags: int) -> None:
        """Change what can be changed of a device."""
        force = c.VIR_DOMAIN_DEVICE_MODIFY_FORCE
        checkFlags("qemuDomainUpdateDeviceFlags", flags, _IMPACT | force)
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainUpdateDeviceFlags"):
            live, config = domain.impact(flags)
            kind, device = parsed(xml)
            pending = None
            if config:
                definition = domain.persistentDefinition
                capabilities = await self._hypervisor.capabilities(definition)
                self._checkAlone(definition, kind, device, capabilities)
                pending = updatedConfig(definition, kind, device, ErrorDomain.QEMU)
                checkCompatible(definition, kind, device)
                pending = self._completed(pending, capabilities)
            if live:
                guest = domain.checkActive()
                self._checkAlone(domain.definition, kind, device, guest.capabilities)
                checkUpdatable(kind)
                checkCompatible(domain.definition, kind, device)
                await updateLive(self._hypervisor, domain, guest, kind, device, bool(flags & force))
            self._keep(domain, pending)


def _drive(definition: DomainDefinition, kind: str, device: Any) -> Any:
    """Return the drive that a medium is meant for, None if it is a new device."""
    if kind == "disks" and device.target is not None and device.device in ("cdrom", "floppy"):
        for each in disksOf(definition):
            if each.target.dev == device.target.dev:
                return each
    return None


def _storedWithout(
    definition: DomainDefinition, kind: str, place: int, device: Any
) -> DomainDefinition:
    """Return what a domain will be without a device."""
    changed = withDevice(definition, kind, place, None)
    if kind == "memories":
        size = device.target.size or 0
        amount = max(changed.memory.amount - size, 0)
        current = changed.currentMemory
        changed = replaced(
            changed,
            memory=replaced(changed.memory, amount=amount),
            currentMemory=None if current is None else min(current, amount),
        )
    consoles = changed.devices.consoles
    if kind == "serials" and place == 0 and consoles and consoles[0].target.type == "serial":
        changed = withDevice(changed, "consoles", 0, None)
    return changed
