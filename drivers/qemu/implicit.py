"""
Devices that nobody asked for: controllers that are part of the machine or that other devices need, and the
input, audio and video that every guest has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain._address import DriveAddress
from pyvirt.definitions.domain._audio import Audio
from pyvirt.definitions.domain._balloon import MemBalloon
from pyvirt.definitions.domain._controller import Controller
from pyvirt.definitions.domain._display import Input
from pyvirt.definitions.domain._top import Devices, DomainDefinition
from pyvirt.definitions.domain.steps import namedControllers
from pyvirt.definitions.kinds import xmlError
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.defaults import scsiModel
from pyvirt.drivers.qemu.machine import hasPCIeRoot, hasPCIRoot, isQ35, isVirt, isX86
from pyvirt.drivers.qemu.usbaddresses import isOnUSB
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.capabilities import BinaryCapabilities

__all__ = ["builtinControllers", "checkUSB", "impliedDevices"]


def builtinControllers(
    devices: Devices, machine: str, arch: str | None, capabilities: BinaryCapabilities
) -> Devices:
    """
    Add what is part of the machine.

    @raise VirtError: another bus was put where the machine's own is.
    """
    controllers = list(devices.controllers)
    usb = None
    wantsUSB = isX86(arch) or arch in ("ppc64", "ppc64le")
    sata = False
    if machine == "isapc":
        wantsUSB = False
    elif isQ35(machine, arch):
        sata = True
        usb = "qemu-xhci" if capabilities.has("qemu-xhci") else "nec-xhci"
    elif isVirt(machine, arch) or arch in ("s390", "s390x"):
        wantsUSB = False
    if wantsUSB and not any(each.type == "usb" and not each.index for each in controllers):
        controllers.append(Controller(type="usb", index=0, model=usb))
    if sata and not any(each.type == "sata" and each.index == 0 for each in controllers):
        controllers.append(Controller(type="sata", index=0))
    root = None
    if hasPCIeRoot(machine, arch):
        root = "pcie-root"
    elif hasPCIRoot(machine, arch):
        root = "pci-root"
    if root is not None:
        for each in controllers:
            if each.type == "pci" and each.index == 0:
                if each.model != root:
                    raise xmlError(
                        f"The PCI controller with index='0' must be model='{root}' for this "
                        f"machine type, but model='{each.model}' was found instead",
                        ErrorDomain.QEMU,
                    )
                break
        else:
            controllers.append(Controller(type="pci", index=0, model=root))
    balloon = devices.memballoon
    if balloon is None and arch not in ("sparc", "xtensa"):
        balloon = MemBalloon(model="virtio")
    return replaced(devices, controllers=tuple(controllers), memballoon=balloon)


def impliedDevices(
    definition: DomainDefinition, capabilities: BinaryCapabilities
) -> DomainDefinition:
    """Add the controllers that other devices name, and what every guest has."""
    devices = definition.devices
    controllers = list(devices.controllers)
    highest: dict[str, int] = {}

    def need(kind: str, index: int) -> None:
        highest[kind] = max(highest.get(kind, -1), index)

    for disk in devices.disks:
        if isinstance(disk.address, DriveAddress) and disk.target is not None:
            bus = disk.target.bus or ""
            if bus in ("ide", "scsi", "sata", "fdc"):
                need(bus, disk.address.controller)
    for host in devices.hostdevs:
        if host.type == "scsi" and isinstance(host.address, DriveAddress):
            need("scsi", host.address.controller)
    for kind in ("scsi", "fdc", "ide", "sata"):
        there = {each.index for each in controllers if each.type == kind}
        for index in range(min(highest.get(kind, -1), 1024) + 1):
            if index not in there:
                model = None
                if kind == "scsi":
                    model = scsiModel(definition, capabilities)
                controllers.append(Controller(type=kind, index=index, model=model))
    controllers += namedControllers(devices, controllers)
    changes: dict[str, Any] = {"controllers": tuple(controllers)}
    if isX86(definition.os.type.arch):
        changes["inputs"] = _inputs(devices.inputs)
    changes["audios"] = _audios(devices)
    return replaced(definition, devices=replaced(devices, **changes))


def checkUSB(devices: Devices) -> None:
    """
    Complain of devices on USB where there is none, and of two controllers of one number.

    @raise VirtError: CONFIG_UNSUPPORTED, XML_ERROR.
    """
    masters: set[int | None] = set()
    for controller in devices.controllers:
        if controller.type == "usb" and controller.master is None:
            if controller.index in masters:
                raise xmlError(f"Duplicate USB controllers with index {controller.index}")
            masters.add(controller.index)
    if not any(each.type == "usb" and each.model == "none" for each in devices.controllers):
        return
    for group in ("disks", "sounds", "serials", "redirdevs", "smartcards"):
        if any(group == "smartcards" or isOnUSB(group, each) for each in getattr(devices, group)):
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                "USB is disabled for this domain, but USB devices are present in the domain XML",
                ErrorDomain.QEMU,
            )


def _inputs(inputs: tuple[Input, ...]) -> tuple[Input, ...]:
    """A PC has a mouse and a keyboard on PS/2."""
    done = list(inputs)
    done += [
        Input(type=kind, bus="ps2")
        for kind in ("mouse", "keyboard")
        if not any(each.type == kind and each.bus == "ps2" for each in inputs)
    ]
    return tuple(done)


def _audios(devices: Devices) -> tuple[Audio, ...]:
    """Sound goes where the graphics go, or nowhere."""
    if devices.audios:
        return devices.audios
    kinds = [each.type for each in devices.graphics if each.type in ("vnc", "spice", "sdl")]
    if kinds and kinds[-1] != "sdl":
        kind = "spice" if kinds[-1] == "spice" else "none"
    elif devices.graphics:
        return ()
    else:
        kind = "none"
    return (Audio(id=1, type=kind),)
