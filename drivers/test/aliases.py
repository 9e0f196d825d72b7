"""
What the devices of a running domain are called.

libvirt names them when a guest starts; the test driver's do not have their names in their XML until one is
plugged in, but each has the one that it would have with QEMU.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._completedevices import diskIndex
from pyvirt.drivers.devicekinds import KINDS, everyDevice

__all__ = ["aliasOf", "newAlias"]


def _diskAlias(disk: Any) -> str:
    target = disk.target
    bus = target.bus if target is not None else None
    address = disk.address
    if getattr(address, "type", None) == "drive":
        unit = f"{address.controller}-{address.bus}-{address.unit}"
        if bus == "scsi":
            unit = f"{address.controller}-{address.bus}-{address.target}-{address.unit}"
        return f"{bus}{unit}"
    return f"{bus or 'virtio'}-disk{max(diskIndex((target and target.dev) or ''), 0)}"


def _controllerAlias(controller: Any) -> str:
    if controller.type == "pci":
        return f"pci.{controller.index or 0}" if controller.index else "pci.0"
    if controller.type in ("usb", "ide") and not controller.index:
        return str(controller.type)
    return f"{controller.type}{controller.index or 0}"


def aliasOf(kind: str, place: int, device: Any) -> str:
    """
    Return what a device is called: its own name if it has one.

    @param kind: the attribute that keeps such devices.
    @param place: which of them it is.
    """
    own: str | None = getattr(device, "alias", None)
    if own is not None:
        return own
    if kind == "disks":
        return _diskAlias(device)
    if kind == "controllers":
        return _controllerAlias(device)
    if kind in ("serials", "parallels") and device.target.port is not None:
        place = device.target.port
    return f"{KINDS[kind][1]}{place}"


def newAlias(definition: DomainDefinition, kind: str, device: Any) -> str:
    """Choose a name for a device that has just been added: the next number that is free."""
    if kind in ("disks", "controllers"):
        return aliasOf(kind, 0, device)
    prefix = KINDS[kind][1]
    highest = -1
    for other, place, each in everyDevice(definition):
        if other == kind and each is not device:
            name = aliasOf(other, place, each)
            if name.startswith(prefix) and name[len(prefix) :].isdigit():
                highest = max(highest, int(name[len(prefix) :]))
    return f"{prefix}{highest + 1}"
