"""
What a definition is put together from while a command line is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from pyvirt.drivers.qemu.native.words import isOn

__all__ = ["Parts", "add", "virtioOptions", "word"]

_BUS = re.compile(r"(?:pci|pcie)\.(\d+)\Z")
_PLACE = re.compile(r"(?:0x)?([0-9a-fA-F]+)(?:\.(?:0x)?([0-7]))?\Z")


def word(value: Any) -> str:
    """Write a value as definitions have it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def add(parent: Element, tag: str, text: Any = None, **values: Any) -> Element:
    """Add an element; attributes that are None are left out."""
    told = {name: word(value) for name, value in values.items() if value is not None}
    made = SubElement(parent, tag, told)
    if text is not None:
        made.text = str(text)
    return made


class Parts:
    """
    What is known of a guest, and what the command line has said of things that are used elsewhere.

    @ivar root: the definition; C{devices}: its devices.
    @ivar objects, nodes, drives, chardevs, netdevs, fsdevs, tpmdevs, audiodevs: by name, what the command line says.
    @ivar texts: the same as it is written, by option and name.
    @ivar left: arguments that a definition has no words for, which QEMU gets as they are.
    @ivar aliases: names that devices have.
    """

    def __init__(self) -> None:
        self.root = Element("domain", {"type": "qemu"})
        self.devices = Element("devices")
        self.objects: dict[str, dict[str, Any]] = {}
        self.nodes: dict[str, dict[str, Any]] = {}
        self.drives: dict[str, dict[str, Any]] = {}
        self.chardevs: dict[str, dict[str, Any]] = {}
        self.netdevs: dict[str, dict[str, Any]] = {}
        self.fsdevs: dict[str, dict[str, Any]] = {}
        self.tpmdevs: dict[str, dict[str, Any]] = {}
        self.audiodevs: dict[str, dict[str, Any]] = {}
        self.texts: dict[tuple[str, str], str] = {}
        self.left: list[str] = []
        self.used: set[str] = set()
        self.targets: set[str] = set()

    def section(self, tag: str) -> Element:
        """Return a part of the definition that is there once."""
        found = self.root.find(tag)
        return found if found is not None else SubElement(self.root, tag)

    def bios(self) -> Element:
        """Return how the firmware behaves."""
        system = self.section("os")
        found = system.find("bios")
        return found if found is not None else add(system, "bios")

    def feature(self, name: str, **values: Any) -> Element:
        """Switch a feature of the machine on."""
        features = self.section("features")
        found = features.find(name)
        return found if found is not None else add(features, name, **values)

    def device(self, tag: str, props: Mapping[str, Any] | None = None, **values: Any) -> Element:
        """Add a device, with the address that its properties name."""
        made = add(self.devices, tag, **values)
        if props is not None:
            self.address(made, props)
            virtioOptions(made, props)
        return made

    def address(self, device: Element, props: Mapping[str, Any]) -> None:
        """Say where a device is, and what it is called if that is the user's name."""
        name = str(props.get("id", ""))
        if name.startswith("ua-"):
            add(device, "alias", name=name)
        if props.get("bootindex") is not None:
            add(device, "boot", order=props["bootindex"])
        if "acpi-index" in props:
            add(device, "acpi", index=props["acpi-index"])
        if "romfile" in props or "rombar" in props:
            file, bar = props.get("romfile"), props.get("rombar")
            shown = None if bar is None else "off" if str(bar) == "0" else "on"
            if file == "":
                add(device, "rom", enabled="no")
            else:
                add(device, "rom", bar=shown, file=file)
        bus, place = str(props.get("bus", "")), props.get("addr")
        if place is not None and (found := _PLACE.match(str(place))) is not None:
            number = _BUS.match(bus)
            values: dict[str, Any] = {"type": "pci", "domain": "0x0000"}
            values["bus"] = f"{int(number[1]) if number is not None else 0:#04x}"
            values["slot"] = f"0x{int(found[1], 16):02x}"
            values["function"] = f"0x{found[2] or 0}"
            if isOn(props.get("multifunction", False)):
                values["multifunction"] = "on"
            add(device, "address", **values)
        elif bus.startswith("usb") and props.get("port") is not None:
            number = re.match(r"usb(\d*)\.0\Z", bus)
            index = int(number[1] or 0) if number is not None else 0
            add(device, "address", type="usb", bus=index, port=props["port"])


def virtioOptions(device: Element, props: Mapping[str, Any]) -> None:
    """Say how a virtio device talks to its driver."""
    found = {
        name: word(isOn(props[key]))
        for key, name in (
            ("iommu_platform", "iommu"),
            ("ats", "ats"),
            ("packed", "packed"),
            ("page-per-vq", "page_per_vq"),
        )
        if key in props
    }
    if found:
        driver = device.find("driver")
        if driver is None:
            driver = add(device, "driver")
        for name, value in found.items():
            driver.set(name, value)
