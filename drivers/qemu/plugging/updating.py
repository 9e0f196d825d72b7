"""
Changing devices that stay: media, links, passwords; what else differs is refused by its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicechanges import (
    checkDisk,
    checkGraphics,
    findMemory,
    sameMedium,
    withDevice,
)
from pyvirt.drivers.devicekinds import label
from pyvirt.drivers.qemu.connecting import setPassword
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.plugging.interfaces import updateInterface
from pyvirt.drivers.qemu.plugging.media import changeMedia
from pyvirt.drivers.qemu.refusals import (
    unsupportedConfig,
)
from pyvirt.drivers.qemu.volumes import placed, remember
from pyvirt.errors import ErrorDomain

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["checkUpdatable", "updateLive"]


def checkUpdatable(kind: str) -> None:
    """
    Refuse kinds of devices of which nothing changes while the guest runs.

    @raise VirtError: it is one.
    """
    if kind not in ("disks", "interfaces", "graphics", "memories"):
        raise unsupportedConfig(f"live update of device '{label(kind)}' is not supported")


async def updateLive(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, kind: str, device: Any, force: bool
) -> None:
    """
    Change a device of a running guest, of a kind that can.

    The caller holds the domain's job.

    @param force: take media out even if the guest holds on to them.
    @raise VirtError: it is not there, or what differs cannot be changed while the guest runs.
    """
    if kind == "disks":
        await _updateDisk(hypervisor, domain, guest, device, force)
    elif kind == "interfaces":
        await updateInterface(hypervisor, domain, guest, device)
    elif kind == "graphics":
        await _updateGraphics(hypervisor, domain, guest, device)
    else:
        await _updateMemory(domain, guest, device)
    hypervisor.saveStatus(domain)


# Disks


async def _updateDisk(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, device: Any, force: bool
) -> None:
    place, old = checkDisk(domain.definition, device, ErrorDomain.QEMU)
    asked, device = device, await placed(hypervisor, device)
    if not sameMedium(device.source, old.source):
        await changeMedia(hypervisor, domain, guest, old, device, force)
        remember(guest, asked, device)
        return
    changed = replaced(old, startup=device.startup)
    domain.definition = withDevice(domain.definition, "disks", place, changed)


# Displays


async def _updateGraphics(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, device: Any
) -> None:
    place, old = checkGraphics(domain.definition, device, ErrorDomain.QEMU)
    fields = ("passwd", "passwdValidTo", "connected")
    if any(getattr(device, name) != getattr(old, name) for name in fields):
        changed = replaced(old, **{name: getattr(device, name) for name in fields})
        password = device.passwd
        if password is None:
            password = hypervisor.config[f"{device.type}_password"]
        if password is not None:
            await setPassword(guest, replaced(changed, passwd=password))
        domain.definition = withDevice(domain.definition, "graphics", place, changed)


# Memory


async def _updateMemory(domain: Domain, guest: Guest, device: Any) -> None:
    place, old = findMemory(domain.definition, device, ErrorDomain.QEMU)
    if device.model != "virtio-mem":
        raise unsupportedConfig(f"updating of memory model '{device.model}' is not supported")
    size = device.target.requested or 0
    await guest.execute(
        "qom-set",
        {
            "path": f"/machine/peripheral/{old.alias}",
            "property": "requested-size",
            "value": size * 1024,
        },
    )
    changed = replaced(old, target=replaced(old.target, requested=size))
    domain.definition = withDevice(domain.definition, "memories", place, changed)
