"""
Forms of arguments: comma-separated options, JSON, addresses.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from pyvirt.definitions.domain._address import (
    CCWAddress,
    DIMMAddress,
    DriveAddress,
    ISAAddress,
    PCIAddress,
    SpaprVIOAddress,
    USBAddress,
    VirtioSerialAddress,
)
from pyvirt.drivers.qemu.command.values import HostSettings, OpenFile, Secret
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

if TYPE_CHECKING:
    from pyvirt.definitions.domain import DomainDefinition
    from pyvirt.drivers.qemu.capabilities import BinaryCapabilities

__all__ = ["Builder", "escaped", "jsonText"]

#: What drivers of virtio devices end in, by the kind of their address.
_SUFFIXES = {
    "none": "-pci",
    "pci": "-pci",
    "ccw": "-ccw",
    "virtio-mmio": "-device",
    "unassigned": "",
}


def escaped(text: str) -> str:
    """Return a value as it stands in comma-separated options."""
    return text.replace(",", ",,")


def jsonText(value: Any) -> str:
    """Return JSON without blanks."""
    # Places of descriptors are between zero bytes, which stand for themselves.
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("\\u0000", "\0")


@attrs.define(kw_only=True)
class Builder:
    """
    A command line in the making.

    @ivar sets: how many sets of descriptors have been given a number.
    @ivar overrides: by alias, properties of devices that the user changes: C{(name, type, value)}.
    """

    definition: DomainDefinition
    capabilities: BinaryCapabilities
    host: HostSettings
    argv: list[str] = attrs.Factory(list)
    environment: dict[str, str] = attrs.Factory(dict)
    files: list[OpenFile] = attrs.Factory(list)
    secrets: list[Secret] = attrs.Factory(list)
    folders: list[str] = attrs.Factory(list)
    overrides: dict[str, tuple[tuple[str, str | None, str | None], ...]] = attrs.Factory(dict)
    bootIndexes: dict[tuple[str, int], int] = attrs.Factory(dict)
    sets: int = 0

    @property
    def devices(self) -> Any:
        """The devices, which are complete: what every one of a kind has is there."""
        return self.definition.devices

    @property
    def machine(self) -> str:
        """The type of machine."""
        return self.definition.os.type.machine or ""

    @property
    def arch(self) -> str | None:
        """The architecture."""
        return self.definition.os.type.arch

    def newSet(self) -> int:
        """Give a number to a set of descriptors."""
        self.sets += 1
        return self.host.firstSet + self.sets - 1

    def apart(self, *parts: Callable[[Builder], None]) -> list[str]:
        """Return arguments that stand at a later place."""
        before, self.argv = self.argv, []
        for part in parts:
            part(self)
        found, self.argv = self.argv, before
        return found

    def add(self, *words: str) -> None:
        """Add arguments."""
        self.argv += words

    def option(self, name: str, *parts: str | None) -> None:
        """Add an option whose value is comma-separated parts; None is left out."""
        self.add(name, ",".join(part for part in parts if part))

    def object(self, kind: str, name: str, **values: Any) -> None:
        """Add an object; properties that are None are left out."""
        made: dict[str, Any] = {"qom-type": kind, "id": name}
        made |= {key.replace("_", "-"): each for key, each in values.items() if each is not None}
        self.add("-object", jsonText(made))

    def device(self, values: dict[str, Any]) -> None:
        """Add a device; properties that are None are left out."""
        made = {key: each for key, each in values.items() if each is not None}
        for name, kind, value in self.overrides.get(str(made.get("id")), ()):
            if kind == "remove":
                made.pop(name, None)
            elif kind == "bool":
                made[name] = value == "true"
            elif kind in ("signed", "unsigned"):
                made[name] = int(value or "0")
            else:
                made[name] = value
        self.add("-device", jsonText(made))

    def address(self, device: Any) -> dict[str, Any]:
        """Return the properties that say where a device sits."""
        address = device.address
        if isinstance(address, PCIAddress):
            return self._pci(address, device)
        if isinstance(address, USBAddress):
            self.known("usb", address.bus)
            found: dict[str, Any] = {"bus": f"{self.usbBus(address.bus)}.0"}
            if address.port is not None:
                found["port"] = address.port
            return found
        if isinstance(address, CCWAddress):
            return {"devno": f"{address.cssid:x}.{address.ssid:x}.{address.devno:04x}"}
        if isinstance(address, SpaprVIOAddress):
            return {"reg": address.reg} if address.reg is not None else {}
        if isinstance(address, DriveAddress):
            return self._drive(address)
        if isinstance(address, VirtioSerialAddress):
            name = self.known("virtio-serial", address.controller).alias
            return {"bus": f"{name}.{address.bus}", "nr": address.port or 0}
        if isinstance(address, ISAAddress):
            ports: dict[str, Any] = {"iobase": address.iobase or 0}
            return ports | ({"irq": address.irq} if address.irq else {})
        if isinstance(address, DIMMAddress):
            values: dict[str, Any] = {"slot": address.slot}
            if address.base is not None:
                values["addr"] = address.base
            return values
        return {}

    def _drive(self, address: DriveAddress) -> dict[str, Any]:
        controller = self.controller("scsi", address.controller)
        if controller is None:
            raise internal(f"unable to find a SCSI controller for idx={address.controller}")
        found = {"bus": f"{controller.alias}.0"}
        if controller.model in ("lsilogic", "am53c974", "dc390", "ncr53c90"):
            return found | {"scsi-id": address.unit}
        return found | {"channel": 0, "scsi-id": address.target, "lun": address.unit}

    def _pci(self, address: PCIAddress, device: Any) -> dict[str, Any]:
        bus = self.pciBus(address.bus or 0)
        place = f"0x{address.slot or 0:x}"
        if address.function:
            place += f".0x{address.function:x}"
        values: dict[str, Any] = {"bus": bus}
        if address.multifunction is not None:
            values["multifunction"] = address.multifunction
        values["addr"] = place
        if device.acpiIndex is not None:
            values["acpi-index"] = device.acpiIndex
        return values

    def controller(self, kind: str, index: int) -> Any:
        """Return a controller, or None."""
        for each in self.definition.devices.controllers:
            if each.type == kind and each.index == index:
                return each
        return None

    def known(self, kind: str, index: int) -> Any:
        """
        Return a controller that there has to be.

        @raise VirtError: there is none.
        """
        found = self.controller(kind, index)
        if found is None:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                f"Could not find {kind} controller with index {index} required for device",
                ErrorDomain.DOMAIN,
            )
        return found

    def pciBus(self, index: int) -> str:
        """Return what QEMU calls a PCI bus."""
        found = self.controller("pci", index)
        return str(found.alias) if found is not None else f"pci.{index}"

    def usbBus(self, index: int) -> str:
        """Return the name of a USB controller, which its bus has too."""
        found = self.controller("usb", index)
        return str(found.alias) if found is not None else ("usb" if not index else f"usb{index}")

    def bootIndex(self, group: str, number: int, device: Any) -> int | None:
        """Return the place of a device in the order of booting."""
        boot = getattr(device, "boot", None)
        if boot is not None:
            return int(boot.order)
        return self.bootIndexes.get((group, number))

    def virtio(self, base: str, device: Any, *, model: str | None = None) -> dict[str, Any]:
        """Return the driver of a virtio device, and the options that all of them have."""
        kind = device.model if model is None else model
        place = device.address.type if device.address is not None else "none"
        suffix = _SUFFIXES.get(place)
        if suffix is None:
            raise internal(f"Unexpected address type for '{base}'")
        if kind in ("virtio-transitional", "virtio-non-transitional"):
            suffix += kind.removeprefix("virtio")
        values: dict[str, Any] = {"driver": base + suffix}
        options = getattr(device, "driver", None)
        if options is not None:
            for name, key in (
                ("iommu", "iommu_platform"),
                ("ats", "ats"),
                ("packed", "packed"),
                ("page_per_vq", "page-per-vq"),
            ):
                value = getattr(options, name, None)
                if value is not None:
                    values[key] = value
        return values
