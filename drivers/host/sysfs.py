"""
Devices of the host as the system describes them in C{/sys}.

Reading there waits for little but adds up, and names of PCI devices come from a long file: all of it is for threads.
"""

from __future__ import annotations

import array
import fcntl
import os
import re
import socket
import struct
from collections.abc import Iterator
from typing import Any

import attrs

from pyvirt.definitions.nodebase import Identity
from pyvirt.definitions.nodecaps import Firmware, Hardware, Net, Storage, System
from pyvirt.definitions.nodecaps import Link as NetLink
from pyvirt.definitions.nodedev import NodeDeviceDefinition
from pyvirt.definitions.nodepci import (
    PCI,
    Inner,
    IOMMUGroup,
    PCIExpress,
    PCILink,
    USBDevice,
    USBInterface,
)
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.uuids import formatUUID, parseUUID

__all__ = ["Devices"]

_IDS = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")
_STATES = ["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"]
_SPEEDS = {1: "2.5", 2: "5", 3: "8", 4: "16"}
_DISK = re.compile(r"(vd[a-z]+|sd[a-z]+|nvme\d+n\d+|mmcblk\d+|sr\d+)\Z").match


def _read(*path: str) -> str | None:
    try:
        with open(os.path.join(*path), encoding="utf-8", errors="replace") as file:
            return file.read(4096).strip()
    except OSError:
        return None


def _number(*path: str, base: int = 16) -> int | None:
    try:
        return int(_read(*path) or "", base)
    except ValueError:
        return None


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", name)


@attrs.define
class Devices:
    """
    What there is.

    @ivar root: where the system describes devices.
    @ivar udev: where C{udev} keeps what it knows of them.
    """

    root: str = "/sys"
    udev: str = "/run/udev/data"
    _vendors: dict[int, str] = attrs.Factory(dict)
    _products: dict[tuple[int, int], str] = attrs.Factory(dict)
    _named: bool = False

    def scan(self) -> dict[str, NodeDeviceDefinition]:
        """Return all devices by name, the computer first."""
        found: list[tuple[str, NodeDeviceDefinition]] = []
        for kind, look in (
            ("bus/pci/devices", self._pci),
            ("bus/usb/devices", self._usb),
            ("class/net", self._net),
            ("class/block", self._block),
        ):
            for place in self._places(kind):
                device = look(place)
                if device is not None:
                    found.append((place, device))
        paths = {place: device.name for place, device in found}
        out = {"computer": self._system()}
        for place, device in found:
            out[device.name] = replaced(
                device, path=place, parent=self._parent(place, paths), driver=self._driver(place)
            )
        return out

    def _places(self, kind: str) -> Iterator[str]:
        folder = os.path.join(self.root, kind)
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return
        for name in names:
            place = os.path.realpath(os.path.join(folder, name))
            if os.path.isdir(place):
                yield place

    @staticmethod
    def _parent(place: str, paths: dict[str, str]) -> str:
        while len(place) > 1:
            place = os.path.dirname(place)
            if place in paths:
                return paths[place]
        return "computer"

    @staticmethod
    def _driver(place: str) -> str | None:
        link = os.path.join(place, "driver")
        return os.path.basename(os.path.realpath(link)) if os.path.islink(link) else None

    def _system(self) -> NodeDeviceDefinition:
        folder = os.path.join(self.root, "class/dmi/id")
        uuid = parseUUID(_read(folder, "product_uuid") or "") or bytes(16)
        system = System(
            type="system",
            product=_read(folder, "product_name") or None,
            hardware=Hardware(
                vendor=_read(folder, "sys_vendor") or None,
                version=_read(folder, "product_version") or None,
                serial=_read(folder, "product_serial") or None,
                uuid=formatUUID(uuid),
            ),
            firmware=Firmware(
                vendor=_read(folder, "bios_vendor") or None,
                version=_read(folder, "bios_version") or None,
                releaseDate=_read(folder, "bios_date") or None,
            ),
        )
        return NodeDeviceDefinition(name="computer", capabilities=(system,))

    # PCI

    def _pci(self, place: str) -> NodeDeviceDefinition | None:
        name = os.path.basename(place)
        match = re.match(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])\Z", name)
        vendor, product = _number(place, "vendor"), _number(place, "device")
        if match is None or vendor is None or product is None:
            return None
        domain, bus, slot, function = (int(each, 16) for each in match.groups())
        self._names()
        group = os.path.realpath(os.path.join(place, "iommu_group"))
        numa = _number(place, "numa_node", base=10)
        inner, express = _configured(os.path.join(place, "config"))
        pci = PCI(
            type="pci",
            pciClass=_number(place, "class"),
            domain=domain,
            bus=bus,
            slot=slot,
            function=function,
            vendor=Identity(id=vendor, name=self._vendors.get(vendor)),
            product=Identity(id=product, name=self._products.get((vendor, product))),
            inner=inner,
            iommuGroup=self._group(group) if os.path.isdir(group) else None,
            numa=numa if numa is not None and numa >= 0 else None,
            express=express,
        )
        return NodeDeviceDefinition(name=f"pci_{_safe(name)}", capabilities=(pci,))

    @staticmethod
    def _group(place: str) -> IOMMUGroup | None:
        from pyvirt.definitions.domain._address import PCIAddress

        number = os.path.basename(place)
        addresses = []
        try:
            members = sorted(os.listdir(os.path.join(place, "devices")))
        except OSError:
            return None
        for each in members:
            match = re.match(r"([0-9a-f]+):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])\Z", each)
            if match is not None:
                domain, bus, slot, function = (int(part, 16) for part in match.groups())
                addresses.append(PCIAddress(domain=domain, bus=bus, slot=slot, function=function))
        if not number.isdigit():
            return None
        return IOMMUGroup(number=int(number), addresses=tuple(addresses))

    def _names(self) -> None:
        """Read the names of vendors and products, once."""
        if self._named:
            return
        self._named = True
        for path in _IDS:
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    vendor = -1
                    for line in file:
                        if line.startswith("C "):
                            break
                        match = re.match(r"(\t?)([0-9a-f]{4})  (.*)", line)
                        if match is None:
                            continue
                        number, name = int(match[2], 16), match[3].strip()
                        if match[1]:
                            self._products[vendor, number] = name
                        else:
                            vendor = number
                            self._vendors[vendor] = name
                return
            except OSError:
                continue

    # Others

    @staticmethod
    def _usb(place: str) -> NodeDeviceDefinition | None:
        name = os.path.basename(place)
        if ":" in name:
            part = USBInterface(
                type="usb",
                number=_number(place, "bInterfaceNumber") or 0,
                usbClass=_number(place, "bInterfaceClass") or 0,
                subclass=_number(place, "bInterfaceSubClass") or 0,
                protocol=_number(place, "bInterfaceProtocol") or 0,
                description=_read(place, "interface") or None,
            )
            return NodeDeviceDefinition(name=f"usb_{_safe(name)}", capabilities=(part,))
        vendor, product = _number(place, "idVendor"), _number(place, "idProduct")
        bus, device = (_number(place, each, base=10) for each in ("busnum", "devnum"))
        if vendor is None or product is None or bus is None or device is None:
            return None
        whole = USBDevice(
            type="usb_device",
            bus=bus,
            device=device,
            vendor=Identity(id=vendor, name=_read(place, "manufacturer") or None),
            product=Identity(id=product, name=_read(place, "product") or None),
        )
        node = f"/dev/bus/usb/{bus:03}/{device:03}"
        return NodeDeviceDefinition(name=f"usb_{_safe(name)}", devnode=node, capabilities=(whole,))

    @staticmethod
    def _net(place: str) -> NodeDeviceDefinition | None:
        name = os.path.basename(place)
        address = _read(place, "address")
        kind = re.search(r"(?m)^DEVTYPE=(.*)$", _read(place, "uevent") or "")
        if address is None or (kind is not None and kind[1] != "wlan"):
            return None  # made by software: bridges, VLANs and the like are no devices
        state = _read(place, "operstate")
        speed = _number(place, "speed", base=10) if state == "up" else None
        wireless = any(
            os.path.exists(os.path.join(place, each)) for each in ("wireless", "phy80211")
        )
        net = Net(
            type="net",
            interface=name,
            address=address,
            link=NetLink(
                state=state if state in _STATES else None,
                speed=speed if speed and speed > 0 else None,
            ),
            features=_features(name),
            medium="80211" if wireless else "80203",
        )
        return NodeDeviceDefinition(name=f"net_{_safe(name)}_{_safe(address)}", capabilities=(net,))

    def _udev(self, place: str) -> tuple[dict[str, str], tuple[str, ...]]:
        """Return what C{udev} knows of a block device, and its other names."""
        text = _read(self.udev, f"b{_read(place, 'dev')}") or ""
        found, links = {}, []
        for line in text.splitlines():
            if line.startswith("E:") and "=" in line:
                key, _, value = line[2:].partition("=")
                found[key] = value
            elif line.startswith("S:"):
                links.append(f"/dev/{line[2:]}")
        return found, tuple(sorted(links))

    def _block(self, place: str) -> NodeDeviceDefinition | None:
        name = os.path.basename(place)
        if not _DISK(name) or os.path.exists(os.path.join(place, "partition")):
            return None
        sectors = _number(place, "size", base=10)
        size = _number(place, "queue", "logical_block_size", base=10)
        length = None if sectors is None else sectors * 512
        known, links = self._udev(place)
        disk = Storage(
            type="storage",
            block=f"/dev/{name}",
            driveType="cdrom" if name.startswith("sr") else "disk",
            model=_read(place, "device", "model") or None,
            vendor=_read(place, "device", "vendor") or None,
            serial=known.get("ID_SERIAL") or None,
            bus=known.get("ID_BUS") or None,
            size=length,
            blockSize=size,
            blocks=length // size if length is not None and size else None,
        )
        serial = f"_{_safe(disk.serial)}" if disk.serial else ""
        return NodeDeviceDefinition(
            name=f"block_{_safe(name)}{serial}",
            devnode=f"/dev/{name}",
            links=links,
            capabilities=(disk,),
        )


def _configured(path: str) -> tuple[tuple[Inner, ...], PCIExpress | None]:
    """Read from the configuration of a PCI device which bridge it is, and which links it has."""
    try:
        with open(path, "rb") as file:
            # Those of the newer kind have room for more, whether they have a link or not.
            express = PCIExpress() if os.fstat(file.fileno()).st_size >= 4096 else None
            data = file.read(256)
    except OSError:
        return (), None
    if len(data) < 64:
        return (), express
    header = data[14] & 0x7F
    bridge = {1: "pci-bridge", 2: "cardbus-bridge"}.get(header)
    inner = () if bridge is None else (Inner(type=bridge),)
    at = data[0x34] & 0xFC if data[6] & 0x10 else 0
    seen = set[int]()
    while at and at not in seen and at + 0x14 <= len(data):
        seen.add(at)
        if data[at] == 0x10:
            return inner, _express(data, at)
        at = data[at + 1] & 0xFC
    return inner, express


def _express(data: bytes, at: int) -> PCIExpress:
    kind = data[at + 2] >> 4
    if kind in (9, 10):  # a part of the root, without a link
        return PCIExpress()
    (can,) = struct.unpack_from("<I", data, at + 12)
    (does,) = struct.unpack_from("<H", data, at + 18)

    def link(validity: str, word: int, port: int | None) -> PCILink:
        speed = _SPEEDS.get(word & 15)
        return PCILink(validity=validity, port=port, speed=speed, width=word >> 4 & 63)

    return PCIExpress(cap=link("cap", can, can >> 24), sta=link("sta", does, None))


def _features(name: str) -> tuple[str, ...]:
    """Ask an interface what its hardware can do."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for feature, command in (
            ("rx", 0x14),
            ("tx", 0x16),
            ("sg", 0x18),
            ("tso", 0x1E),
            ("gso", 0x23),
            ("gro", 0x2B),
        ):
            if _ethtool(asking, name, command):
                found.append(feature)
        flags = _ethtool(asking, name, 0x25)
        for feature, bit in (
            ("lro", 15),
            ("rxvlan", 8),
            ("txvlan", 7),
            ("ntuple", 27),
            ("rxhash", 28),
        ):
            if flags >> bit & 1:
                found.append(feature)
    return tuple(found)


def _ethtool(asking: socket.socket, name: str, command: int) -> int:
    value = array.array("I", [command, 0])
    request: Any = struct.pack("16sP16x", name.encode()[:15], value.buffer_info()[0])
    try:
        fcntl.ioctl(asking, 0x8946, request)
    except OSError:
        return 0
    return value[1]
