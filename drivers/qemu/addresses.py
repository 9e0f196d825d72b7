"""
Addresses of all kinds, given exactly as libvirt gives them, so that guests find their devices again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import attrs

from pyvirt.definitions.domain._address import (
    CCWAddress,
    DIMMAddress,
    SpaprVIOAddress,
    VirtioSerialAddress,
)
from pyvirt.definitions.domain._controller import Controller
from pyvirt.definitions.domain._top import Devices, DomainDefinition
from pyvirt.definitions.kinds import xmlError
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.implicit import checkUSB
from pyvirt.drivers.qemu.pciaddresses import assignPCI
from pyvirt.drivers.qemu.refusals import internal, unsupportedConfig
from pyvirt.drivers.qemu.usbaddresses import assignUSB

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.capabilities import BinaryCapabilities

__all__ = ["assignAddresses", "isPlaced"]


def assignAddresses(
    definition: DomainDefinition, capabilities: BinaryCapabilities
) -> DomainDefinition:
    """
    Give every device that has none its address.

    @raise VirtError: where addresses that were asked for cannot be.
    """
    for disk in definition.devices.disks:
        if disk.target is not None and disk.target.bus == "virtio" and not isPlaced(disk):
            assert disk.address is not None
            raise unsupportedConfig(
                f"virtio disk cannot have an address of type '{disk.address.type}'"
            )
    devices = _virtioSerial(definition.devices)
    devices = _memories(devices, definition.maxMemory)
    machine, arch = definition.os.type.machine or "", definition.os.type.arch
    if arch in ("s390x", "s390"):
        devices = _ccw(devices)
    devices = _spapr(devices)
    devices = assignPCI(devices, machine, arch, bridges=capabilities.has("pcie-pci-bridge"))
    checkUSB(devices)
    devices = assignUSB(devices)
    return replaced(definition, devices=devices)


def isPlaced(disk: Any) -> bool:
    """Return whether a virtio disk has a place that such disks can have, or none yet."""
    return disk.address is None or disk.address.type in ("pci", "ccw", "virtio-mmio")


_PORTS = 31


def _virtioSerial(devices: Devices) -> Devices:
    """Give channels their ports; the first one is left to consoles."""
    ports: dict[int, list[bool]] = {}
    for controller in devices.controllers:
        if controller.type == "virtio-serial":
            count = _PORTS if controller.ports is None else controller.ports
            ports[controller.index or 0] = [False] * count

    def concerned(device: Any) -> bool:
        return bool(device.target.type == "virtio")

    # Whatever says that it is at a port has it, be it something that ports are not for.
    for group in (each.name for each in attrs.fields(cast(Any, Devices))):
        for device in _listed(getattr(devices, group)):
            address = getattr(device, "address", None)
            if group == "consoles" and device.target.type == "serial":
                continue
            if isinstance(address, VirtioSerialAddress) and address.port:
                bus = ports.get(address.controller)
                if bus is None:
                    raise xmlError(f"virtio serial controller {address.controller} is missing")
                if address.port >= len(bus):
                    raise xmlError(
                        f"virtio serial controller {address.controller} does not have port "
                        f"{address.port}"
                    )
                if bus[address.port]:
                    raise xmlError(
                        f"virtio serial port {address.port} on controller {address.controller} is "
                        "already occupied"
                    )
                bus[address.port] = True
    added: list[Controller] = []

    def free(first: int, only: int | None) -> VirtioSerialAddress:
        for index in sorted(ports):
            if only is not None and index != only:
                continue
            for port in range(first, len(ports[index])):
                if not ports[index][port]:
                    ports[index][port] = True
                    return VirtioSerialAddress(controller=index, port=port)
        if only is not None:
            raise xmlError(f"Unable to find a free virtio-serial port on controller {only}")
        index = 0
        while index in ports:
            index += 1
        ports[index] = [False] * _PORTS
        added.append(Controller(type="virtio-serial", index=index))
        return free(first, index)

    changes: dict[str, Any] = {}
    for group in ("channels",):
        done = []
        for device in getattr(devices, group):
            address = device.address
            given = isinstance(address, VirtioSerialAddress)
            if concerned(device) and (not given or not address.port):
                only = address.controller if given else None
                device = replaced(device, address=free(1, only))
            done.append(device)
        changes[group] = tuple(done)
    if added:
        controllers = list(devices.controllers)
        controllers += added
        changes["controllers"] = tuple(controllers)
    return replaced(devices, **changes)


def _memories(devices: Devices, most: tuple[int, int] | None) -> Devices:
    """Give memory that is plugged in its slots, of which there are so many."""
    taken = {
        each.address.slot for each in devices.memories if isinstance(each.address, DIMMAddress)
    }
    done = []
    for memory in devices.memories:
        if memory.address is None and memory.model in ("dimm", "nvdimm"):
            slot = 0
            while slot in taken:
                slot += 1
            if most is not None and slot >= most[1]:
                raise internal("failed to find an empty memory slot")
            taken.add(slot)
            memory = replaced(memory, address=DIMMAddress(slot=slot))
        done.append(memory)
    return replaced(devices, memories=tuple(done))


def _ccw(devices: Devices) -> Devices:
    """Give virtio devices of a mainframe their numbers."""
    groups = "disks interfaces hostdevs memballoon rngs videos inputs filesystems vsock controllers"
    taken = set()
    for group in groups.split():
        for device in _listed(getattr(devices, group)):
            if isinstance(device.address, CCWAddress):
                taken.add(device.address.devno)
    number = 0
    changes: dict[str, Any] = {}
    for group in groups.split():
        found = getattr(devices, group)
        done = []
        for device in _listed(found):
            if device.address is None and _onCCW(group, device):
                while number in taken:
                    number += 1
                taken.add(number)
                device = replaced(device, address=CCWAddress(cssid=0xFE, ssid=0, devno=number))
            done.append(device)
        if done:
            changes[group] = tuple(done) if isinstance(found, tuple) else done[0]
    return replaced(devices, **changes)


def _listed(found: Any) -> tuple[Any, ...]:
    if found is None:
        return ()
    return found if isinstance(found, tuple) else (found,)


def _onCCW(group: str, device: Any) -> bool:
    """Return whether a device is a virtio one, which a mainframe finds on its channels."""
    if group == "disks":
        return bool(device.target is not None and device.target.bus == "virtio")
    if group == "interfaces":
        return bool(device.model in (None, "virtio"))
    if group == "hostdevs":
        return bool(
            device.type == "scsi_host" or (device.type == "mdev" and device.model == "vfio-ccw")
        )
    if group == "memballoon":
        return bool(device.model == "virtio")
    if group == "videos":
        return bool(device.model.type == "virtio")
    if group == "inputs":
        return bool(device.bus == "virtio")
    if group == "controllers":
        return bool(
            device.type == "virtio-serial"
            or (device.type == "scsi" and device.model == "virtio-scsi")
        )
    return True


def _spapr(devices: Devices) -> Devices:
    """Give devices of the POWER bus their registers."""
    taken = set()
    for group in ("interfaces", "controllers", "serials", "tpms"):
        for device in getattr(devices, group):
            if isinstance(device.address, SpaprVIOAddress) and device.address.reg is not None:
                taken.add(device.address.reg)
    changes: dict[str, Any] = {}
    for group, first, test in (
        ("interfaces", 0x1000, lambda each: each.model == "spapr-vlan"),
        ("controllers", 0x2000, lambda each: each.type == "scsi" and each.model == "ibmvscsi"),
        ("serials", 0x30000000, lambda each: each.target.model == "spapr-vty"),
        ("tpms", 0x4000, lambda each: False),
    ):
        done = []
        for device in getattr(devices, group):
            address = device.address
            if (address is None and test(device)) or (
                isinstance(address, SpaprVIOAddress) and address.reg is None
            ):
                register = first
                while register in taken:
                    register += 0x1000
                taken.add(register)
                device = replaced(device, address=SpaprVIOAddress(reg=register))
            done.append(device)
        changes[group] = tuple(done)
    return replaced(devices, **changes)
