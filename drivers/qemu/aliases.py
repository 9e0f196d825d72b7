"""
What QEMU calls the devices of a guest: names that follow from kind and place, unless the user chose one.
"""

from __future__ import annotations

import re
from typing import Any

from pyvirt.definitions.domain._address import DIMMAddress, DriveAddress
from pyvirt.definitions.domain._top import Devices, DomainDefinition
from pyvirt.definitions.domain.steps import diskIndex
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.machine import hasBuiltinIDE, hasPCIeRoot, isQ35
from pyvirt.drivers.qemu.passed import isPassed

__all__ = ["cardsNamedAnew", "withAliases"]

#: Kinds of devices whose names are the kind's with the number of the device.
_NUMBERED = {
    "filesystems": "fs",
    "sounds": "sound",
    "redirdevs": "redir",
    "videos": "video",
    "inputs": "input",
    "parallels": "parallel",
    "serials": "serial",
    "channels": "channel",
    "hubs": "hub",
    "shmems": "shmem",
    "smartcards": "smartcard",
    "watchdogs": "watchdog",
    "rngs": "rng",
    "tpms": "tpm",
}

#: SCSI controllers whose addresses have a target, and show it in names.
_WITH_TARGET = (
    "virtio-scsi",
    "virtio-transitional",
    "virtio-non-transitional",
    "lsisas1068",
    "lsisas1078",
    "am53c974",
    "dc390",
    "vmpvscsi",
    "buslogic",
    "ibmvscsi",
)


def withAliases(definition: DomainDefinition) -> DomainDefinition:
    """Return the definition of a running guest: every device has its name."""
    devices = definition.devices
    machine, arch = definition.os.type.machine or "", definition.os.type.arch
    changes: dict[str, Any] = {
        "controllers": tuple(
            _named(each, controllerAlias(each, machine, arch)) for each in devices.controllers
        ),
        "disks": tuple(_named(each, diskAlias(each, devices)) for each in devices.disks),
    }
    for group, prefix in _NUMBERED.items():
        changes[group] = tuple(
            _named(each, f"{prefix}{number}") for number, each in enumerate(getattr(devices, group))
        )
    changes["interfaces"], changes["hostdevs"] = _cards(devices)
    changes["consoles"] = _consoles(devices, changes["serials"])
    changes["memories"] = _memories(devices)
    if devices.memballoon is not None and devices.memballoon.model != "none":
        changes["memballoon"] = _named(devices.memballoon, "balloon0")
    if devices.vsock is not None:
        changes["vsock"] = _named(devices.vsock, "vsock0")
    if devices.iommu is not None:
        changes["iommu"] = _named(devices.iommu, "iommu0")
    return replaced(definition, devices=replaced(devices, **changes))


def _cards(devices: Devices) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Name network cards and devices of the host; cards that are such devices are numbered with those."""
    cards, passed = [], 0
    for nic in devices.interfaces:
        if isPassed(nic):
            cards.append(_named(nic, f"hostdev{passed}"))
            passed += 1
        else:
            cards.append(_named(nic, f"net{len(cards) - passed}"))
    others = (
        _named(each, f"hostdev{passed + number}") for number, each in enumerate(devices.hostdevs)
    )
    return tuple(cards), tuple(others)


def cardsNamedAnew(definition: DomainDefinition) -> DomainDefinition:
    """Return a definition whose network cards and devices of the host have names by what the cards turned out to be."""
    devices = definition.devices
    changes = {
        group: tuple(
            replaced(each, alias=None) if _MADE_UP.fullmatch(each.alias or "") else each
            for each in getattr(devices, group)
        )
        for group in ("interfaces", "hostdevs")
    }
    return withAliases(replaced(definition, devices=replaced(devices, **changes)))


_MADE_UP = re.compile("(net|hostdev)[0-9]+")


def _named(device: Any, alias: str) -> Any:
    return device if device.alias is not None else replaced(device, alias=alias)


def controllerAlias(controller: Any, machine: str, arch: str | None) -> str:
    """Return the name of a controller: of built-in ones it is QEMU's own."""
    kind, index = controller.type, controller.index or 0
    if kind == "pci":
        if index == 0:
            express = controller.model == "pcie-root" or hasPCIeRoot(machine, arch)
            return "pcie.0" if express else "pci.0"
        return f"pci.{index}"
    if kind == "ide" and index == 0 and hasBuiltinIDE(machine, arch):
        return "ide"
    if kind == "sata" and index == 0 and isQ35(machine, arch):
        return "ide"
    if kind == "usb" and index == 0:
        return "usb"
    return f"{kind}{index}"


def _consoles(devices: Devices, serials: tuple[Any, ...]) -> tuple[Any, ...]:
    """Name consoles; the first one may be a serial port seen again."""
    done = []
    for number, console in enumerate(devices.consoles):
        if number == 0 and console.target.type == "serial" and serials:
            done.append(replaced(console, alias=serials[0].alias))
        else:
            done.append(_named(console, f"console{number}"))
    return tuple(done)


def diskAlias(disk: Any, devices: Devices) -> str:
    """Return the name of a disk: of its place on a bus of drives, or of its own name."""
    target = disk.target
    address = disk.address
    bus = target.bus
    if isinstance(address, DriveAddress):
        if bus == "scsi" and scsiHasTarget(devices, address.controller):
            return f"scsi{address.controller}-{address.bus}-{address.target}-{address.unit}"
        return f"{bus}{address.controller}-{address.bus}-{address.unit}"
    return f"{bus}-disk{diskIndex(target.dev)}"


def scsiHasTarget(devices: Devices, index: int) -> bool:
    """Return whether the addresses of a SCSI controller have targets."""
    for each in devices.controllers:
        if each.type == "scsi" and each.index == index:
            return each.model in _WITH_TARGET
    return False


def _memories(devices: Devices) -> tuple[Any, ...]:
    """Name memory by its slot, or by its number among its kind."""
    counts: dict[str, int] = {}
    done = []
    for memory in devices.memories:
        if memory.model in ("dimm", "nvdimm"):
            slot = memory.address.slot if isinstance(memory.address, DIMMAddress) else 0
            done.append(_named(memory, f"{memory.model}{slot}"))
            continue
        prefix = {"virtio-pmem": "virtiopmem", "virtio-mem": "virtiomem"}.get(
            memory.model, memory.model.replace("-", "")
        )
        number = counts.get(prefix, 0)
        counts[prefix] = number + 1
        done.append(_named(memory, f"{prefix}{number}"))
    return tuple(done)
