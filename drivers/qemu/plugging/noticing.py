"""
Devices that went while no daemon listened.  What takes them away is loaded when one has gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.plugging.kinds import BUSES, LIVE

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["noticeGone"]


async def noticeGone(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """
    Find out which devices of a guest have gone while nobody listened.

    @raise VirtError: the guest does not answer.
    """
    reply = await guest.execute("qom-list", {"path": "/machine/peripheral"})
    there = {str(each.get("name")) for each in (reply if isinstance(reply, list) else ()) if each}
    for kind in sorted(LIVE - {"leases", "controllers", "consoles", "filesystems"}):
        kept = getattr(domain.definition.devices, kind)
        for device in kept if isinstance(kept, tuple) else (kept,):
            if device is None or device.alias is None or device.alias in there:
                continue
            if _pluggable(kind, device):
                from pyvirt.drivers.qemu.plugging.detaching import removed

                await removed(hypervisor, domain, guest, device.alias)


def _pluggable(kind: str, device: Any) -> bool:
    """Whether a device is known to QEMU by its name, and may have gone."""
    if kind == "disks":
        return device.target.bus in BUSES
    if kind == "inputs":
        return device.bus in ("usb", "virtio") and device.type != "evdev"
    if kind == "channels":
        return bool(device.target.type == "virtio")
    if kind in ("serials", "parallels"):
        return device.target.type in ("usb-serial", "pci-serial")
    if kind == "watchdogs":
        return bool(device.model == "i6300esb")
    return kind != "hostdevs" or device.mode == "subsystem"
