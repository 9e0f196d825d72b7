"""
Changing devices that are there: media, links, passwords; what else differs is refused by its name.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicechanges import (
    checkDisk,
    checkGraphics,
    checkInterface,
    findDisk,
    withDevice,
)
from pyvirt.drivers.devicekinds import label
from pyvirt.drivers.test.aliases import aliasOf
from pyvirt.drivers.test.checks import check
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["changeMedia", "updatedLive"]


def updatedLive(world: World, domain: Domain, kind: str, device: Any, force: bool) -> None:
    """
    Change a device of a running guest, and tell of it.

    @param force: whether the guest may hold the medium for itself.
    @raise VirtError: it is not there, or what differs cannot be changed while the guest runs.
    """
    if kind == "disks":
        _updateDisk(world, domain, device, force)
    elif kind == "interfaces":
        _updateInterface(world, domain, device)
    elif kind == "graphics":
        _updateGraphics(domain, device)
    else:
        raise virtError(
            ErrorCode.CONFIG_UNSUPPORTED,
            f"live update of device '{label(kind)}' is not supported",
            ErrorDomain.TEST,
        )


def _updateDisk(world: World, domain: Domain, device: Any, force: bool) -> None:
    place, old = checkDisk(domain.definition, device, ErrorDomain.TEST)
    if old.device in ("cdrom", "floppy"):
        changeMedia(world, domain, device, force)
        return
    domain.definition = withDevice(
        domain.definition, "disks", place, replaced(old, startup=device.startup)
    )


def changeMedia(world: World, domain: Domain, device: Any, force: bool) -> None:
    """
    Put another medium into a drive of a running guest, or take out the one that is in it.

    @raise VirtError: the drive is not there, or does not take media.
    """
    found = findDisk(domain.definition, device)
    assert found is not None
    place, old = found
    if device.device != old.device:
        raise virtError(
            ErrorCode.OPERATION_UNSUPPORTED,
            "cannot modify field 'device' of the disk",
            ErrorDomain.TEST,
        )
    alias = aliasOf("disks", place, old)
    empty = device.source is None or device.source.isEmpty
    changed = replaced(
        old,
        type=device.type,
        source=device.source,
        driver=device.driver if device.driver is not None else old.driver,
        startup=device.startup,
        target=replaced(old.target, tray="open" if empty else None),
    )
    definition = withDevice(domain.definition, "disks", place, changed)
    check(definition)
    domain.definition = definition
    event = c.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE
    if old.target.tray != "open":
        world.tellDomain(domain, event, alias, c.VIR_DOMAIN_EVENT_TRAY_CHANGE_OPEN)
    if not empty:
        world.tellDomain(domain, event, alias, c.VIR_DOMAIN_EVENT_TRAY_CHANGE_CLOSE)


def _updateInterface(world: World, domain: Domain, device: Any) -> None:
    place, old = checkInterface(domain.definition, device, world.random, ErrorDomain.TEST)
    changed = replaced(
        old,
        type=device.type,
        source=device.source if device.source is not None else old.source,
        virtualport=device.virtualport,
        vlan=device.vlan,
        bandwidth=device.bandwidth,
        filterref=device.filterref,
        linkState=device.linkState,
        coalesce=device.coalesce,
        trustGuestRxFilters=device.trustGuestRxFilters,
        portIsolated=device.portIsolated,
    )
    definition = withDevice(domain.definition, "interfaces", place, changed)
    check(definition)
    domain.definition = definition


def _updateGraphics(domain: Domain, device: Any) -> None:
    place, old = checkGraphics(domain.definition, device, ErrorDomain.TEST)
    changed = replaced(
        old,
        passwd=device.passwd,
        passwdValidTo=device.passwdValidTo,
        connected=device.connected if device.connected is not None else old.connected,
    )
    domain.definition = withDevice(domain.definition, "graphics", place, changed)
