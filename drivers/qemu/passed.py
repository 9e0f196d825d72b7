"""
Devices of the host that a guest gets, whatever their element is: network cards may be some of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._address import PCIAddress
from pyvirt.definitions.domain._hostdev import HostDev, HostDriver, HostSource
from pyvirt.definitions.domain._source import NVMeSource
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.blocks.chain import chain

__all__ = [
    "Passed",
    "hostDevice",
    "isPassed",
    "nvmeSources",
    "passedDevices",
    "scsiName",
    "usesVFIO",
    "withPassed",
]


class Passed(NamedTuple):
    """
    A device of the host that a guest gets.

    @ivar kind, place: the attribute that keeps it, and where there.
    @ivar device: as C{<hostdev>} would have it.
    @ivar card: the network card that it is, or None.
    """

    kind: str
    place: int
    device: Any
    card: Any


def isPassed(nic: Any) -> bool:
    """Return whether a network card is a device of the host."""
    if nic.type == "hostdev":
        return True
    return bool(nic.type == "network" and nic.source is not None and nic.source.pci is not None)


def hostDevice(nic: Any) -> Any:
    """Return what a network card that is a device of the host is as one."""
    found = nic.source.pci
    if isinstance(found, PCIAddress):
        source = HostSource(pci=replaced(found, type=None, multifunction=None))
        kind = "pci"
    else:
        source = HostSource(
            vendor=found.vendor, product=found.product, bus=found.bus, device=found.device
        )
        kind = "usb"
    managed = nic.managed
    driver = nic.hostDriver.name if nic.hostDriver is not None else None
    if nic.type == "network":
        managed, driver = nic.defined is not None and nic.defined.managed, "vfio"
    return HostDev(
        mode="subsystem",
        type=kind,
        managed=bool(managed),
        driver=None if driver is None else HostDriver(name=driver),
        source=source,
        teaming=nic.teaming,
        boot=nic.boot,
        alias=nic.alias,
        rom=nic.rom,
        acpiIndex=nic.acpiIndex,
        address=nic.address,
    )


def passedDevices(definition: DomainDefinition) -> list[Passed]:
    """Return all devices of the host that a guest gets, in their order for QEMU: those that networks have chosen last."""
    devices: Any = definition.devices
    cards = [
        Passed("interfaces", place, hostDevice(nic), nic)
        for place, nic in enumerate(devices.interfaces)
        if isPassed(nic)
    ]
    others = [
        Passed("hostdevs", place, each, None)
        for place, each in enumerate(devices.hostdevs)
        if each.mode == "subsystem"
    ]
    named = [each for each in cards if each.card.type == "hostdev"]
    chosen = [each for each in cards if each.card.type != "hostdev"]
    return [*named, *others, *chosen]


def withPassed(definition: DomainDefinition, passed: Passed, device: Any) -> DomainDefinition:
    """Return a definition in which a device of the host is what was found out about it: its driver and where it is."""
    devices: Any = definition.devices
    kept = list(getattr(devices, passed.kind))
    if passed.card is None:
        kept[passed.place] = device
    else:
        card, source = passed.card, passed.card.source
        if device.type == "usb":
            found = replaced(source.pci, bus=device.source.bus, device=device.source.device)
            card = replaced(card, source=replaced(source, pci=found))
        elif card.type == "hostdev":
            from pyvirt.definitions.domain._net import HostDriver as CardDriver

            card = replaced(card, hostDriver=CardDriver(name=device.driver.name))
        kept[passed.place] = card
    return replaced(definition, devices=replaced(devices, **{passed.kind: tuple(kept)}))


def nvmeSources(definition: DomainDefinition) -> list[Any]:
    """Return the images of disks that are namespaces of NVMe devices."""
    return [
        image.source
        for disk in definition.devices.disks
        for image in chain(disk)
        if isinstance(image.source, NVMeSource)
    ]


def scsiName(source: Any) -> str:
    """Return what the kernel calls a SCSI device: C{2:0:0:1}."""
    unit = source.scsi
    host = (source.adapter or "").removeprefix("scsi_host")
    return f"{host}:{unit.bus or 0}:{unit.target or 0}:{unit.unit or 0}"


def usesVFIO(passed: Passed) -> bool:
    """Return whether a guest gets at a device through VFIO."""
    device = passed.device
    return bool(device.type == "pci" or (device.type == "mdev" and device.model == "vfio-pci"))
