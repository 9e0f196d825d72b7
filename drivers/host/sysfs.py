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
from functools import partial
from typing import Any

import attrs

from pyvirt.definitions.nodecaps import Firmware, Hardware, Net, System
from pyvirt.definitions.nodecaps import Link as NetLink
from pyvirt.definitions.nodedev import NodeDeviceDefinition
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.uuids import formatUUID, parseUUID
from pyvirt.drivers.host.sysfsfiles import linked, number, read, safe
from pyvirt.drivers.host.sysfskinds import KINDS
from pyvirt.drivers.host.sysfspci import PCIDevices

__all__ = ["Devices"]

_STATES = ["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"]


@attrs.define
class Devices:
    """
    What there is.

    @ivar root: where the system describes devices.
    @ivar udev: where C{udev} keeps what it knows of them.
    """

    root: str = "/sys"
    udev: str = "/run/udev/data"
    _pci: PCIDevices = attrs.Factory(PCIDevices)

    def scan(self) -> dict[str, NodeDeviceDefinition]:
        """Return all devices by name, the computer first."""
        found: list[tuple[str, NodeDeviceDefinition]] = []
        looks: dict[str, Any] = {"bus/pci/devices": self._pci.look, "class/net": self._net}
        looks |= {kind: partial(look, udev=self.udev) for kind, look in KINDS.items()}
        for kind, look in looks.items():
            for place in self._places(kind):
                device = look(place)
                if device is not None:
                    found.append((place, device))
        paths = {place: device.name for place, device in found}
        out = {"computer": self._system()}
        for place, device in found:
            out[device.name] = replaced(
                device,
                path=place,
                parent=self._parent(place, paths),
                driver=linked(place, "driver"),
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

    def _system(self) -> NodeDeviceDefinition:
        folder = os.path.join(self.root, "class/dmi/id")
        uuid = parseUUID(read(folder, "product_uuid") or "") or bytes(16)
        system = System(
            type="system",
            product=read(folder, "product_name") or None,
            hardware=Hardware(
                vendor=read(folder, "sys_vendor") or None,
                version=read(folder, "product_version") or None,
                serial=read(folder, "product_serial") or None,
                uuid=formatUUID(uuid),
            ),
            firmware=Firmware(
                vendor=read(folder, "bios_vendor") or None,
                version=read(folder, "bios_version") or None,
                releaseDate=read(folder, "bios_date") or None,
            ),
        )
        return NodeDeviceDefinition(name="computer", capabilities=(system,))

    @staticmethod
    def _net(place: str) -> NodeDeviceDefinition | None:
        name = os.path.basename(place)
        address = read(place, "address")
        kind = re.search(r"(?m)^DEVTYPE=(.*)$", read(place, "uevent") or "")
        if address is None or (kind is not None and kind[1] != "wlan"):
            return None  # made by software: bridges, VLANs and the like are no devices
        state = read(place, "operstate")
        speed = number(place, "speed", base=10) if state == "up" else None
        net = Net(
            type="net",
            interface=name,
            address=address,
            link=NetLink(
                state=state if state in _STATES else None,
                speed=speed if speed and speed > 0 else None,
            ),
            features=_features(name),
            medium="80203" if kind is None else "80211",
        )
        return NodeDeviceDefinition(name=f"net_{safe(name)}_{safe(address)}", capabilities=(net,))


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
