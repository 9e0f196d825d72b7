"""
Ports of USB controllers and hubs, given as libvirt gives them.

Every controller and hub has a fixed number of ports; devices take the first free one.  Where the ports do not
suffice and no hub was asked for, hubs are added.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from pyvirt.definitions.domain._address import USBAddress
from pyvirt.definitions.domain._controller import Controller
from pyvirt.definitions.domain._small import Hub
from pyvirt.definitions.domain._top import Devices
from pyvirt.definitions.kinds import xmlError
from pyvirt.definitions.schema import replaced
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["assignUSB", "portsOf"]

#: How many ports a controller has.
_PORTS = {
    "piix3-uhci": 2,
    "piix4-uhci": 2,
    "ehci": 6,
    "ich9-ehci1": 6,
    "vt82c686b-uhci": 2,
    "pci-ohci": 3,
    "ich9-uhci1": 2,
    "ich9-uhci2": 2,
    "ich9-uhci3": 2,
}
_HUB = 8

#: The groups that may have devices on USB, in the order in which they get their ports.
_GROUPS = (
    "hostdevs",
    "disks",
    "interfaces",
    "controllers",
    "inputs",
    "serials",
    "sounds",
    "hubs",
    "redirdevs",
)


def portsOf(controller: Controller) -> int:
    """Return how many ports a controller has."""
    if controller.model in ("nec-xhci", "qemu-xhci"):
        return controller.ports or 4
    return _PORTS.get(controller.model or "", 0)


def isUSBInterface(nic: Any) -> bool:
    """Return whether a network interface is a USB device of the host."""
    return bool(nic.type == "hostdev" and nic.source is not None and nic.source.pci.type == "usb")


def isOnUSB(group: str, device: Any) -> bool:
    """Return whether a device is plugged into USB."""
    if group == "disks":
        return bool(device.target is not None and device.target.bus == "usb")
    if group == "inputs":
        return bool(device.bus == "usb")
    if group == "hostdevs":
        return bool(device.type == "usb")
    if group == "sounds":
        return bool(device.model == "usb")
    if group == "interfaces":
        return bool(device.model == "usb-net") or isUSBInterface(device)
    if group == "serials":
        return bool(device.target.type == "usb-serial")
    if group == "controllers":
        return bool(device.type == "ccid")
    return group in ("hubs", "redirdevs")


@attrs.define
class _Tree:
    """A controller or hub: its ports, each free, taken, or a hub."""

    ports: list[Any]


class _Ports:
    """All ports of all buses."""

    def __init__(self, controllers: Iterable[Controller]) -> None:
        self.buses: dict[int, _Tree] = {}
        for controller in controllers:
            if controller.type != "usb" or controller.model == "none":
                continue
            count = portsOf(controller)
            if controller.model in ("ich9-uhci1", "ich9-uhci2", "ich9-uhci3"):
                continue
            if controller.model == "ehci" and controller.master is not None:
                continue
            self.buses[controller.index or 0] = _Tree([None] * count)

    def reserve(self, address: USBAddress, hub: bool) -> None:
        """Take a port that was asked for."""
        tree = self.buses.get(address.bus)
        if tree is None:
            raise xmlError(f"Missing USB bus {address.bus}")
        assert address.port is not None
        parts = [int(part) for part in address.port.split(".")]
        for part in parts[:-1]:
            if not 1 <= part <= len(tree.ports):
                raise _badPort(address)
            inner = tree.ports[part - 1]
            if not isinstance(inner, _Tree):
                raise xmlError(
                    f"there is no hub at port {parts[0]} in USB address bus: {address.bus} port: {address.port}"
                )
            tree = inner
        last = parts[-1]
        if not 1 <= last <= len(tree.ports):
            raise _badPort(address)
        if tree.ports[last - 1] is not None:
            raise xmlError(f"Duplicate USB address bus {address.bus} port {address.port}")
        tree.ports[last - 1] = _Tree([None] * _HUB) if hub else True

    def free(self, bus: int | None, hub: bool) -> USBAddress | None:
        """Take the first free port."""
        for number, tree in sorted(self.buses.items()):
            if bus is not None and number != bus:
                continue
            found = self._free(tree, hub, "")
            if found is not None:
                return USBAddress(bus=number, port=found)
        return None

    def _free(self, tree: _Tree, hub: bool, prefix: str) -> str | None:
        for position, port in enumerate(tree.ports):
            if port is None:
                tree.ports[position] = _Tree([None] * _HUB) if hub else True
                return f"{prefix}{position + 1}"
        for position, port in enumerate(tree.ports):
            if isinstance(port, _Tree) and prefix.count(".") < 3:
                found = self._free(port, hub, f"{prefix}{position + 1}.")
                if found is not None:
                    return found
        return None


def _badPort(address: USBAddress) -> VirtError:
    return xmlError(f"requested USB port {address.port} not present on USB bus {address.bus}")


def assignUSB(devices: Devices) -> Devices:
    """Give every device on USB its port."""
    wanting = 0
    for group in _GROUPS:
        if group == "hubs":
            continue
        for device in getattr(devices, group):
            if isOnUSB(group, device) and _wants(device):
                wanting += 1
    available = sum(
        portsOf(each) for each in devices.controllers if each.type == "usb" and each.model != "none"
    )
    if not devices.hubs and wanting > available and available:
        count = -(-(wanting - available + 1) // (_HUB - 1))
        devices = replaced(devices, hubs=tuple([Hub(type="usb")] * count))
    if not any(isOnUSB(group, device) for group in _GROUPS for device in getattr(devices, group)):
        return devices
    ports = _Ports(devices.controllers)
    for group in ("hubs", *(each for each in _GROUPS if each != "hubs")):
        for device in getattr(devices, group):
            address = device.address
            if isOnUSB(group, device) and isinstance(address, USBAddress) and address.port:
                ports.reserve(address, group == "hubs")
    changes: dict[str, Any] = {}
    for group in ("hubs", *(each for each in _GROUPS if each != "hubs")):
        done = []
        for device in getattr(devices, group):
            if isOnUSB(group, device) and _wants(device, group):
                bus = device.address.bus if isinstance(device.address, USBAddress) else None
                if bus is not None and bus not in ports.buses:
                    raise xmlError(
                        f"USB bus {bus} requested but no controller with that index is present"
                    )
                address = ports.free(bus, group == "hubs")
                if address is None:
                    raise virtError(
                        ErrorCode.INTERNAL_ERROR, "No free USB ports", ErrorDomain.DOMAIN
                    )
                device = replaced(device, address=address)
            done.append(device)
        changes[group] = tuple(done)
    return replaced(devices, **changes)


def _wants(device: Any, group: str = "") -> bool:
    """Return whether a device still needs a port; hubs do wherever else they were put."""
    address = device.address
    if isinstance(address, USBAddress):
        return address.port is None
    return address is None or group == "hubs"
