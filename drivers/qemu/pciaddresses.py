"""
Which PCI slot each device gets.

Slots are given twice.  First to find out how many buses are needed, where each device that no bus has room for
adds one; then, with the controllers of those buses among the devices, for good.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from pyvirt.definitions.domain._address import PCIAddress
from pyvirt.definitions.domain._controller import Controller, PCITarget
from pyvirt.definitions.domain._top import Devices
from pyvirt.definitions.kinds import xmlError
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.machine import hasPCIeRoot, isI440FX, isQ35
from pyvirt.drivers.qemu.pcibuses import NEEDS, Bus, Buses, Connect, Place
from pyvirt.drivers.qemu.usbaddresses import isUSBInterface
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["assignPCI", "needsOf"]

_TRANSITIONAL = ("virtio-transitional",)
_USB2 = ("ich9-ehci1", "ich9-uhci1", "ich9-uhci2", "ich9-uhci3")
_USB2_FUNCTION = {"ich9-ehci1": 7, "ich9-uhci1": 0, "ich9-uhci2": 1, "ich9-uhci3": 2}

Key = tuple[str, int]


#: Network cards that sit on conventional PCI; what is not known of is taken for a newer one.
_CONVENTIONAL = frozenset(
    [
        "rtl8139",
        "e1000",
        "netfront",
        "spapr-vlan",
        "lan9118",
        "scm91c111",
        "vlance",
        "vmxnet",
        "vmxnet2",
        "vmxnet3",
        "Am79C970A",
        "Am79C973",
        "82540EM",
        "82545EM",
        "82543GC",
    ]
)


def needsOf(group: str, device: Any, express: bool) -> Connect:
    """
    Return what a device asks of a bus.

    @return: nothing for one that is not on PCI.
    """
    pci = Connect.HOTPLUG | Connect.PCI
    pcie = Connect.HOTPLUG | Connect.PCIE if express else pci
    none = Connect(0)

    def virtio(model: str | None) -> Connect:
        return pci if model in _TRANSITIONAL else pcie

    if group == "controllers":
        kind, model = device.type, device.model
        if kind == "pci":
            return NEEDS.get(model, none)
        if kind == "usb":
            if model in ("nec-xhci", "qemu-xhci"):
                return pcie
            return none if model in ("none", "qusb1", "qusb2") else pci
        if kind in ("ide", "sata"):
            return pci
        if kind == "scsi":
            if model in ("virtio-scsi", "virtio-transitional", "virtio-non-transitional"):
                return virtio(model)
            return none if model == "ibmvscsi" else pci
        if kind == "virtio-serial":
            return virtio(model)
        return none
    if group == "filesystems":
        known = device.driver is None or device.driver.type in (None, "path", "handle", "virtiofs")
        return virtio(device.model) if known else none
    if group == "interfaces":
        if device.type == "hostdev":
            return none if isUSBInterface(device) else pcie
        if device.type == "network" and device.model is None:
            # Its network gives guests devices of the host.
            return pcie
        if device.model == "usb-net":
            return none
        if device.model == "e1000e":
            return pcie
        if (device.model or "").startswith("virtio"):
            return virtio(device.model)
        return pci if device.model in _CONVENTIONAL else pcie
    if group == "sounds":
        return pci if device.model in ("ich6", "ich9", "es1370", "ac97") else none
    if group == "disks":
        if device.target is None or device.target.bus != "virtio":
            return none
        return virtio(device.model)
    if group == "hostdevs":
        if device.mode != "subsystem":
            return none
        if device.type in ("pci", "mdev"):
            return pcie
        if device.type == "scsi_host":
            return virtio(device.model)
        return none
    if group == "memballoon":
        return none if device.model in ("none", "xen") else virtio(device.model)
    if group == "rngs":
        return virtio(device.model)
    if group == "watchdogs":
        return pci if device.model == "i6300esb" else none
    if group == "videos":
        kind = device.model.type
        if kind == "virtio":
            return pcie
        if kind == "bochs":
            return pcie
        return pci if kind in ("vga", "cirrus", "vmvga", "qxl") else none
    if group == "shmems":
        return pci
    if group == "inputs":
        return virtio(device.model) if device.bus == "virtio" else none
    if group == "serials":
        return pci if device.target.type == "pci-serial" else none
    if group == "memories":
        return pcie if device.model in ("virtio-pmem", "virtio-mem") else none
    if group == "iommu":
        return pcie & ~Connect.HOTPLUG if device.model == "virtio" else none
    if group == "vsock":
        return virtio(device.model)
    return none


#: Kinds of devices that are never on PCI, but take the place there that somebody says they have.
_ASTRAY = ("hubs", "smartcards", "parallels", "channels", "consoles", "redirdevs", "tpms", "panics")

#: The kinds of devices in the order in which those without an address get one.
_ORDER = (
    "filesystems",
    "interfaces",
    "sounds",
    "controllers",
    "disks",
    "hostdevs",
    "memballoon",
    "rngs",
    "watchdogs",
    "videos",
    "shmems",
    "inputs",
    "serials",
    "vsock",
    "memories",
    "iommu",
)


def wanted(device: Any) -> bool:
    """Return whether a device may still be given a PCI address."""
    address = device.address
    return address is None or (isinstance(address, PCIAddress) and address.slot is None)


#: The bridge to ISA, disks and the bus of system management of newer machines are one chip.
_ICH9 = tuple(Place(0, 0x1F, function) for function in (0, 2, 3))


@attrs.define
class _Plan:
    """One round of giving slots."""

    machine: str
    arch: str | None
    devices: Devices
    buses: Buses
    places: dict[Key, Place] = attrs.Factory(dict)

    @property
    def express(self) -> bool:
        return self.buses.express

    def each(self, group: str) -> Iterator[tuple[Key, Any]]:
        """Yield the devices of a group."""
        found = getattr(self.devices, group)
        if isinstance(found, tuple):
            for position, device in enumerate(found):
                yield (group, position), device
        elif found is not None:
            yield (group, 0), found

    def needs(self, key: Key, device: Any) -> Connect:
        return needsOf(key[0], device, self.express)

    def open(self, key: Key, device: Any) -> bool:
        """Return whether a device still has no place."""
        return key not in self.places and wanted(device)

    def put(self, key: Key, place: Place) -> None:
        self.places[key] = place

    def collect(self) -> None:
        """Take the places that were asked for."""
        for group in (*_ORDER, *_ASTRAY):
            for key, device in self.each(group):
                address = device.address
                if not isinstance(address, PCIAddress) or address.slot is None:
                    continue
                if group == "consoles" and device.target.type == "serial":
                    # It is the serial port, which has the place.
                    continue
                needs = self.needs(key, device)
                place = Place(
                    address.bus or 0, address.slot or 0, address.function or 0, address.domain or 0
                )
                if self._builtin(group, device, place):
                    continue
                if group == "iommu" and place.bus and self.buses.buses:
                    raise xmlError(
                        f"The device at PCI address {place} needs to be an integrated device (bus=0)"
                    )
                self.buses.reserve(place, needs or Connect.PCI | Connect.HOTPLUG)
                if isI440FX(self.machine, self.arch) and (place.bus, place.slot) == (0, 1):
                    # Everything there is one chip of the machine.
                    raise xmlError(f"Attempted double use of PCI Address {place}")
                if isQ35(self.machine, self.arch) and place in _ICH9:
                    raise xmlError(f"Attempted double use of PCI Address {place}")

    def _builtin(self, group: str, device: Any, place: Place) -> bool:
        """Return whether a device sits in a slot that is part of the machine."""
        if group != "controllers" or place.domain or place.bus or (device.index or 0):
            return False
        if isI440FX(self.machine, self.arch):
            return place.slot == 1 and (
                (device.type == "ide" and place.function == 1)
                or (device.type == "usb" and place.function == 2 and device.model == "piix3-uhci")
            )
        return (
            isQ35(self.machine, self.arch)
            and device.type == "sata"
            and place.slot == 0x1F
            and place.function == 2
        )

    def chipset(self) -> None:
        """Take the slots of what is part of the machine."""
        if isI440FX(self.machine, self.arch):
            self._piix3()
        elif isQ35(self.machine, self.arch):
            self._q35()

    def _piix3(self) -> None:
        ides = [device for _, device in self.each("controllers") if device.type == "ide"]
        if len(ides) > 1:
            raise virtError(
                ErrorCode.INTERNAL_ERROR, "Only 1 IDE controller is supported", ErrorDomain.QEMU
            )
        for key, device in self.each("controllers"):
            if device.index:
                continue
            if device.type == "ide":
                self._fixed(key, device, Place(0, 1, 1), "Primary IDE controller", "0:0:1.1")
            elif device.type == "usb" and device.model == "piix3-uhci":
                self._fixed(
                    key, device, Place(0, 1, 2), "PIIX3 USB controller at index 0", "0:0:1.2"
                )
        self.buses.reserve(Place(0, 1, 0), Connect.PCI | Connect.HOTPLUG, given=False)
        bus = self.buses.buses[0]
        if bus is not None:
            bus.used[1] = set(range(8)) if not bus.used.get(1, set()) - {0} else bus.used[1]
        self._primaryVideo(Place(0, 2))

    def _fixed(self, key: Key, device: Any, place: Place, what: str, where: str) -> None:
        address = device.address
        if isinstance(address, PCIAddress) and address.slot is not None:
            if (address.domain or 0, address.bus or 0, address.slot, address.function or 0) != (
                place.domain,
                place.bus,
                place.slot,
                place.function,
            ):
                raise virtError(
                    ErrorCode.INTERNAL_ERROR,
                    f"{what} must have PCI address {where}",
                    ErrorDomain.QEMU,
                )
        else:
            self.put(key, place)

    def _primaryVideo(self, place: Place) -> None:
        videos = self.devices.videos
        if not videos or videos[0].model.type in ("none", "ramfb"):
            return
        key = ("videos", 0)
        if not self.open(key, videos[0]):
            return
        needs = self.needs(key, videos[0])
        if not self.buses.inUse(place):
            self.buses.reserve(place, Connect.PCI | Connect.HOTPLUG, given=True)
            self.put(key, place)
        else:
            self.put(key, self.buses.reserveNext(needs))

    def _q35(self) -> None:
        for key, device in self.each("controllers"):
            if device.type == "sata" and not device.index:
                self._fixed(key, device, Place(0, 0x1F, 2), "Primary SATA controller", "0:0:1f.2")
            elif device.type == "usb" and device.model == "ich9-uhci1" and self.open(key, device):
                for slot in (0x1D, 0x1A):
                    place = Place(0, slot, 0)
                    if not self.buses.inUse(place):
                        self.buses.reserve(place, Connect.PCI, given=True)
                        self.put(key, place)
                        break
            elif (
                device.type == "pci"
                and device.model == "dmi-to-pci-bridge"
                and self.open(key, device)
                and not self.buses.inUse(Place(0, 0x1E))
            ):
                self.buses.reserve(Place(0, 0x1E), NEEDS["dmi-to-pci-bridge"])
                self.put(key, Place(0, 0x1E))
        # The bridge to ISA, disks and the bus of system management are one chip.
        bus = self.buses.buses[0]
        if bus is not None:
            for function in (0, 2, 3):
                bus.used.setdefault(0x1F, set()).add(function)
        self._primaryVideo(Place(0, 1))
        for key, sound in self.each("sounds"):
            if sound.model == "ich9" and self.open(key, sound):
                place = Place(0, 0x1B)
                if not self.buses.inUse(place):
                    self.buses.reserve(place, Connect.PCI, given=True)
                    self.put(key, place)
                break

    def assign(self) -> None:
        """Give every device without an address the next one."""
        for key, device in self.each("controllers"):
            if device.type != "pci" or device.model in ("pci-root", "pcie-root"):
                continue
            if self.open(key, device):
                self.put(key, self.buses.reserveNext(NEEDS.get(device.model, Connect(0))))
        for group in _ORDER:
            # Cards that are devices of the host are placed like these, and before them.
            passed = [*self._cards(host=True), *self.each(group)] if group == "hostdevs" else None
            found = self._cards(host=False) if group == "interfaces" else self.each(group)
            for key, device in passed if passed is not None else found:
                if not self.open(key, device) or self._elsewhere(key[0], device):
                    continue
                needs = self.needs(key, device)
                if group == "controllers" and device.type == "usb" and device.model in _USB2:
                    self._companion(key, device, needs)
                    continue
                self.put(key, self.buses.reserveNext(needs))

    def _cards(self, *, host: bool) -> list[tuple[Key, Any]]:
        """Return the network cards that are devices of the host, or the others."""
        return [each for each in self.each("interfaces") if (each[1].type == "hostdev") == host]

    def _elsewhere(self, group: str, device: Any) -> bool:
        """Return whether a device is on no PCI bus at all."""
        if group == "controllers":
            return bool(
                device.type in ("fdc", "ccid", "pci", "ide")
                or device.model == "none"
                or (device.type == "scsi" and device.model == "ibmvscsi")
            )
        if group == "sounds":
            return bool(device.model in ("sb16", "pcspk", "usb"))
        if group == "disks":
            return bool(device.target is None or device.target.bus != "virtio")
        if group == "interfaces":
            return isUSBInterface(device)
        if group == "hostdevs":
            return not (
                device.mode == "subsystem" and device.type in ("pci", "scsi_host", "mdev")
            ) or (device.type == "mdev" and device.model != "vfio-pci")
        if group == "memballoon":
            return bool(device.model == "none")
        if group == "watchdogs":
            return bool(device.model != "i6300esb")
        if group == "videos":
            return bool(device.model.type in ("none", "ramfb"))
        if group == "inputs":
            return bool(device.bus != "virtio")
        if group == "serials":
            return bool(device.target.type != "pci-serial")
        if group == "memories":
            return bool(device.model not in ("virtio-pmem", "virtio-mem"))
        if group == "iommu":
            return bool(device.model != "virtio")
        return False

    def _companion(self, key: Key, device: Any, needs: Connect) -> None:
        """Put USB 2 controllers of one index into one slot."""
        function = _USB2_FUNCTION[device.model]
        for other, sibling in self.each("controllers"):
            if other == key or sibling.type != "usb" or sibling.model not in _USB2:
                continue
            if sibling.index != device.index:
                continue
            place = self.places.get(other)
            if place is None and isinstance(sibling.address, PCIAddress) and not wanted(sibling):
                address = sibling.address
                place = Place(address.bus or 0, address.slot or 0)
            if place is not None:
                mine = attrs.evolve(place, function=function)
                self.buses.reserve(mine, needs, given=True)
                self.put(key, mine)
                return
        self.put(key, self.buses.reserveNext(needs, function))


def _makeBuses(devices: Devices, count: int, express: bool, bridges: bool, dry: bool) -> Buses:
    """Make the buses of the controllers that are there."""
    found: list[Bus | None] = [None] * count
    for controller in devices.controllers:
        if controller.type != "pci":
            continue
        index = controller.index or 0
        if index >= count:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                "Inappropriate new pci controller index 0x%zx not in addrs",
                ErrorDomain.QEMU,
            )
        found[index] = Bus.of(controller.model or "pci-root")
    if found and found[0] is None:
        found[0] = Bus.of("pcie-root" if express else "pci-root")
    filler = "pcie-root-port" if express else "pci-bridge"
    return Buses(
        [Bus.of(filler) if bus is None else bus for bus in found],
        express=express,
        bridges=bridges,
        dry=dry,
    )


def assignPCI(devices: Devices, machine: str, arch: str | None, *, bridges: bool) -> Devices:
    """
    Give every PCI device its address, and add the controllers that takes.

    @param bridges: whether conventional PCI can hang below a PCI Express port.
    @raise VirtError: where addresses that were asked for cannot be.
    """
    controllers = [each for each in devices.controllers if each.type == "pci"]
    # What a machine has not by itself it may be given.
    roots = [each.model for each in controllers if not each.index]
    express = "pcie-root" in roots or (not roots and hasPCIeRoot(machine, arch))
    highest = max((each.index or 0 for each in controllers), default=-1)
    count = highest + 1
    if count > 0:
        plan = _Plan(machine, arch, devices, _makeBuses(devices, count, express, bridges, True))
        plan.collect()
        plan.chipset()
        if not express and not all(bus is not None and bus.full for bus in plan.buses.buses):
            # One slot is kept for the bridge that may become necessary.
            plan.buses.reserveNext(Connect.HOTPLUG | Connect.PCI)
        plan.assign()
        if highest <= 0 and len(plan.buses.buses) > highest + 1 and express:
            plan.buses.reserveNext(Connect.HOTPLUG | Connect.PCIE)
        position = 1
        there = {each.index for each in controllers}
        grown = list(devices.controllers)
        while position < len(plan.buses.buses):
            bus = plan.buses.buses[position]
            if position not in there and bus is not None:
                grown.append(Controller(type="pci", index=position, model=bus.model))
                plan.buses.reserveNext(NEEDS[bus.model])
            position += 1
        devices = replaced(devices, controllers=tuple(grown))
        count = len(plan.buses.buses)
    plan = _Plan(machine, arch, devices, _makeBuses(devices, count, express, bridges, False))
    plan.collect()
    if count:
        plan.chipset()
    plan.assign()
    return _finished(devices, plan)


def _finished(devices: Devices, plan: _Plan) -> Devices:
    """Write the places into the devices; mark first functions of slots that have several."""
    shared = {
        (number, slot)
        for number, bus in enumerate(plan.buses.buses)
        if bus is not None
        for slot, used in bus.used.items()
        if len(used) > 1
    }
    if isI440FX(plan.machine, plan.arch) or isQ35(plan.machine, plan.arch):
        shared.discard((0, 1) if isI440FX(plan.machine, plan.arch) else (0, 0x1F))
    changes: dict[str, Any] = {}
    for group in _ORDER:
        found = getattr(devices, group)
        if found is None:
            continue
        done = []
        for key, device in plan.each(group):
            place = plan.places.get(key)
            if place is not None:
                device = replaced(device, address=place.address)
            address = device.address
            if (
                isinstance(address, PCIAddress)
                and address.slot is not None
                and not address.function
                and address.multifunction is None
                and (address.bus or 0, address.slot) in shared
            ):
                device = replaced(device, address=replaced(address, multifunction=True))
            done.append(device)
        changes[group] = tuple(done) if isinstance(found, tuple) else done[0]
    return _targets(replaced(devices, **changes), plan.express)


_NAMES = {
    "pci-bridge": "pci-bridge",
    "dmi-to-pci-bridge": "i82801b11-bridge",
    "pcie-to-pci-bridge": "pcie-pci-bridge",
    "pcie-switch-upstream-port": "x3130-upstream",
    "pcie-switch-downstream-port": "xio3130-downstream",
    "pci-expander-bus": "pxb",
    "pcie-expander-bus": "pxb-pcie",
    "pcie-root-port": "pcie-root-port",
}


def _targets(devices: Devices, express: bool) -> Devices:
    """Fill in how PCI controllers show themselves."""
    done: list[Controller] = []
    numbers = [
        each.target.busNr
        for each in devices.controllers
        if each.type == "pci" and each.target is not None and each.target.busNr is not None
    ]
    for controller in devices.controllers:
        if controller.type != "pci" or controller.model in ("pci-root", "pcie-root"):
            done.append(controller)
            continue
        model = controller.model or ""
        target = controller.target or PCITarget()
        index = controller.index or 0
        if model == "pci-bridge" and target.chassisNr is None:
            target = replaced(target, chassisNr=index)
        elif model in ("pcie-root-port", "pcie-switch-downstream-port"):
            if target.chassis is None:
                target = replaced(target, chassis=index)
            address = controller.address
            if target.port is None and isinstance(address, PCIAddress):
                port = ((address.slot or 0) << 3) + (address.function or 0)
                target = replaced(target, port=port)
        elif model in ("pci-expander-bus", "pcie-expander-bus") and target.busNr is None:
            number = _busNumber(controller, devices, numbers)
            numbers.append(number)
            target = replaced(target, busNr=number)
        done.append(
            replaced(
                controller,
                modelName=controller.modelName or _NAMES.get(model),
                target=None if target == PCITarget() else target,
            )
        )
    return replaced(devices, controllers=tuple(done))


def _busNumber(controller: Controller, devices: Devices, numbers: list[int]) -> int:
    """Choose the number of an expander's bus: below the others, with room for what hangs below."""
    lowest = min(numbers, default=256)
    below = 1
    pending = {controller.index}
    changed = True
    counted = {controller.index}
    while changed:
        changed = False
        for each in devices.controllers:
            address = each.address
            if (
                each.type == "pci"
                and each.index not in counted
                and isinstance(address, PCIAddress)
                and address.bus in pending
            ):
                counted.add(each.index)
                pending.add(each.index)
                below += 1
                changed = True
    number = lowest - below - (1 if below == 1 else 0)
    if number < 1:
        raise xmlError(
            "No free busNr lower than current lowest busNr is available to auto-assign to bus. Must be manually assigned"
        )
    return number
