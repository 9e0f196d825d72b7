"""
What libvirt's test driver adds to the devices of a definition when it is defined.

Loaded when the first domain with devices comes.  The steps follow the order in which the driver takes them,
because the first thing wrong decides the error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from pyvirt.definitions.domain._address import CCIDAddress, DriveAddress, VirtioSerialAddress
from pyvirt.definitions.domain._chardev import Console, Serial, Target
from pyvirt.definitions.domain._controller import Controller, indexed, insertController
from pyvirt.definitions.domain._disk import Disk, guessBus
from pyvirt.definitions.domain._display import Video
from pyvirt.definitions.domain._hostdev import HostDev
from pyvirt.definitions.domain._net import MAC, Interface, NetTarget
from pyvirt.definitions.domain._smartcard import Smartcard
from pyvirt.definitions.domain._top import Devices, DomainDefinition
from pyvirt.definitions.domain._vsock import CID
from pyvirt.definitions.kinds import unsupported, xmlError
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.uuids import Random, formatUUID, randomUUID

__all__ = [
    "completedDevices",
    "consoles",
    "diskIndex",
    "hostdevs",
    "namedControllers",
    "nextPower",
    "numbered",
    "onBus",
    "placed",
    "randomMAC",
    "smartcards",
    "sortedDisks",
    "virtualPort",
]


def randomMAC(random: Random, prefix: str = "52:54:00") -> str:
    """Make up a hardware address with the prefix of virtual machines."""
    return prefix + "".join(f":{byte:02x}" for byte in random(3))


def completedDevices(definition: DomainDefinition, random: Random) -> Devices:
    """Complete each kind of device, and add those that others need."""
    devices = definition.devices
    changes: dict[str, Any] = {}
    # Disks are in the order of their names, but only among those that named the same bus.
    changes["disks"] = tuple(placed(onBus(disk)) for disk in sortedDisks(devices.disks))
    changes["serials"], changes["consoles"] = consoles(definition)
    changes["parallels"] = numbered(devices.parallels)
    changes["interfaces"] = _interfaces(devices.interfaces, random)
    changes["videos"] = _videos(_withVideo(devices), definition)
    changes["smartcards"] = smartcards(devices)
    if devices.vsock is not None and (devices.vsock.cid is None or devices.vsock.cid == CID()):
        changes["vsock"] = replaced(devices.vsock, cid=CID(auto=True))
    elif devices.vsock is not None and devices.vsock.cid is not None:
        cid = devices.vsock.cid
        if cid.auto is None:
            changes["vsock"] = replaced(devices.vsock, cid=replaced(cid, auto=False))
    if devices.hostdevs:
        changes["hostdevs"] = hostdevs(replaced(devices, disks=changes["disks"]))
    devices = replaced(devices, **changes)
    return replaced(devices, controllers=_controllers(devices))


_DISK_NAME = re.compile(r"(?:fd|hd|sd|vd|xvd|ubd)([a-z]+)(\d*)\Z").match


@lru_cache(1024)
def diskIndex(name: str) -> int:
    """Return the number of the disk that a name such as C{vdb} stands for, or -1."""
    found = _DISK_NAME(name)
    if not found:
        return -1
    index = 0
    for letter in found[1]:
        index = index * 26 + ord(letter) - ord("a") + 1
    return index - 1


def onBus(disk: Disk) -> Disk:
    """Give a disk that names no bus the one that its name is usual on."""
    if disk.type == "vhostuser" and disk.snapshot is None:
        disk = replaced(disk, snapshot="no")
    target = disk.target
    if target is None or target.bus is not None or target.dev is None:
        return disk
    return replaced(disk, target=replaced(target, bus=guessBus(target.dev, disk.device)))


def placed(disk: Disk) -> Disk:
    """Give a disk on a bus of drives its address."""
    target = disk.target
    if disk.address is not None or target is None or target.dev is None:
        return disk
    index = diskIndex(target.dev)
    if index < 0:
        raise xmlError(f"Unknown disk name '{target.dev}' and no address specified")
    bus = target.bus
    if bus == "ide":
        address = DriveAddress(controller=index // 4, bus=index % 4 // 2, unit=index % 2)
    elif bus == "scsi":
        address = DriveAddress(controller=index // 7, unit=index % 7)
    elif bus == "sata":
        address = DriveAddress(controller=index // 6, unit=index % 6)
    elif bus == "fdc":
        address = DriveAddress(controller=index // 2, unit=index % 2)
    else:
        return disk
    return replaced(disk, address=address)


def sortedDisks(disks: Iterable[Disk]) -> tuple[Disk, ...]:
    """Keep the disks of one bus in the order of their names."""
    done: list[Disk] = []
    places: list[tuple[str | None, int]] = []
    for disk in disks:
        target = disk.target
        assert target is not None and target.dev is not None
        place = -1
        bus, index = mine = (target.bus, diskIndex(target.dev))
        for position in range(len(done) - 1, -1, -1):
            other = places[position]
            if other[0] != bus:
                continue
            if other[1] > index:
                place = position
            elif place == -1:
                place = position + 1
        if place == -1:
            place = len(done)
        done.insert(place, disk)
        places.insert(place, mine)
    return tuple(done)


def numbered(ports: tuple[Any, ...] | list[Any]) -> tuple[Any, ...]:
    """Give each port without a number the one after the highest."""
    if not ports:
        return ()
    done: list[Any] = []
    highest = max(
        (-1 if port.target.port is None else port.target.port for port in ports), default=-1
    )
    for port in ports:
        if port.target.port is None:
            highest += 1
            port = replaced(port, target=replaced(port.target, port=highest))
        done.append(port)
    return tuple(done)


def _consolePorts(consoles: Iterable[Console]) -> list[Console]:
    """Number the consoles; only a serial one may ask for a number."""
    done: list[Console] = []
    for position, console in enumerate(consoles):
        if console.target.port is None or console.target.type not in (None, "serial"):
            console = replaced(console, target=replaced(console.target, port=position))
        done.append(console)
    return done


_CONSOLE_SERIALS = (
    None,
    "isa-serial",
    "spapr-vio-serial",
    "system-serial",
    "sclp-serial",
)


def consoles(definition: DomainDefinition) -> tuple[tuple[Serial, ...], tuple[Console, ...]]:
    """The first console of a full guest is its first serial port, seen again."""
    devices = definition.devices
    serials, consoles = list(numbered(devices.serials)), _consolePorts(devices.consoles)
    if definition.os.type.name == "hvm":
        if consoles and consoles[0].target.type in (None, "serial"):
            if not serials:
                first = consoles[0]
                serials = [
                    Serial(
                        source=first.source,
                        target=Target(port=0),
                        alias=first.alias,
                        acpiIndex=first.acpiIndex,
                        address=first.address,
                    )
                ]
            consoles[0] = replaced(
                consoles[0],
                source=serials[0].source,
                target=Target(
                    type="serial",
                    port=0 if serials[0].target.port is None else serials[0].target.port,
                ),
                alias=serials[0].alias,
                acpiIndex=serials[0].acpiIndex,
                address=serials[0].address,
            )
        elif serials and serials[0].target.type in _CONSOLE_SERIALS:
            port = serials[0]
            seen = Console(
                source=port.source,
                target=Target(type="serial", port=port.target.port or 0),
                alias=port.alias,
                acpiIndex=port.acpiIndex,
                address=port.address,
            )
            consoles.insert(0, seen)
    done: list[Console] = []
    for position, console in enumerate(consoles):
        target = console.target
        if position and target.type in (None, "serial") and definition.os.type.name == "hvm":
            raise unsupported("Only the first console can be a serial port")("", None, "")
        if target.type is None:
            target = replaced(target, type="serial")
        done.append(replaced(console, target=target))
    return numbered(serials), tuple(done)


def _interfaces(interfaces: tuple[Interface, ...], random: Random) -> tuple[Interface, ...]:
    """Give hardware addresses and names to those without."""
    done = []
    taken = {nic.target.dev for nic in interfaces if nic.target is not None}
    number = 0
    for nic in interfaces:
        changes: dict[str, Any] = {}
        if nic.mac is None or nic.mac.address is None:
            changes["mac"] = replaced(nic.mac or MAC(), address=randomMAC(random))
        if nic.target is None or nic.target.dev is None:
            while f"testnet{number}" in taken:
                number += 1
            name = f"testnet{number}"
            taken.add(name)
            changes["target"] = replaced(nic.target or NetTarget(), dev=name)
        port = nic.virtualport
        if port is not None:
            changes["virtualport"] = virtualPort(port, random)
        done.append(replaced(nic, **changes) if changes else nic)
    return tuple(done)


def virtualPort(port: Any, random: Random) -> Any:
    """Make up the identifiers that a virtual port needs."""
    from pyvirt.definitions.netbits import PortParameters

    parameters = port.parameters or PortParameters()
    changes: dict[str, Any] = {}
    if port.type in ("802.1Qbg", None) and parameters.instanceid is None:
        changes["instanceid"] = formatUUID(randomUUID(random))
    if port.type in ("openvswitch", "midonet", None) and parameters.interfaceid is None:
        changes["interfaceid"] = formatUUID(randomUUID(random))
    if not changes:
        return port
    return replaced(port, parameters=replaced(parameters, **changes))


def smartcards(devices: Devices) -> tuple[Smartcard, ...]:
    """Put each card into a slot of the card reader."""
    taken = {
        (card.address.controller, card.address.slot)
        for card in devices.smartcards
        if isinstance(card.address, CCIDAddress)
    }
    done = []
    for card in devices.smartcards:
        if card.address is None:
            slot = max([slot + 1 for reader, slot in taken if reader == 0], default=0)
            taken.add((0, slot))
            card = replaced(card, address=CCIDAddress(slot=slot))
        done.append(card)
    return tuple(done)


def _withVideo(devices: Devices) -> tuple[Video, ...]:
    """Where there is a display, there is a graphics adapter."""
    if devices.graphics and not devices.videos:
        return (Video(),)
    return devices.videos


def nextPower(memory: int) -> int:
    """Return the next power of two."""
    return 1 << (memory - 1).bit_length()


def _usualVideo(definition: DomainDefinition) -> str:
    """Return the chip of those who do not say which."""
    kind = definition.os.type
    if kind.name in ("xen", "linux"):
        return "xen"
    return "vga" if (kind.arch or "").startswith("ppc64") else "cirrus"


def _videos(videos: tuple[Video, ...], definition: DomainDefinition) -> tuple[Video, ...]:
    """Choose the chip and its memory; one is the primary one."""
    done = []
    for position, video in enumerate(videos):
        model = video.model
        changes: dict[str, Any] = {}
        kind = model.type
        if kind == "default":
            kind = changes["type"] = _usualVideo(definition)
        if kind != "none":
            if model.vram is None:
                memory = {
                    "vga": 16384,
                    "bochs": 16384,
                    "cirrus": 16384,
                    "vmvga": 16384,
                    "xen": 4096,
                    "qxl": 65536,
                }
                changes["vram"] = memory.get(kind)
            else:
                changes["vram"] = nextPower(model.vram)
            if kind == "qxl":
                changes["ram"] = nextPower(model.ram or 65536)
            if model.heads is None and not model.headsGiven:
                changes["heads"] = 1
        if kind != "none" and position == 0 and not any(other.model.primary for other in videos):
            changes["primary"] = True
        done.append(replaced(video, model=replaced(model, **changes)))
    first = [video for video in done if video.model.primary]
    return tuple(first + [video for video in done if not video.model.primary])


def hostdevs(devices: Devices) -> tuple[HostDev, ...]:
    """Give SCSI devices of the host a free unit."""
    placed: tuple[Any, ...] = (*devices.disks, *devices.hostdevs)
    taken = {
        (device.address.controller, device.address.unit)
        for device in placed
        if isinstance(device.address, DriveAddress)
        and (isinstance(device, HostDev) or (device.target and device.target.bus == "scsi"))
    }
    done = []
    for device in devices.hostdevs:
        if device.mode == "subsystem" and device.type == "scsi" and device.address is None:
            controller = unit = 0
            while (controller, unit) in taken:
                unit += 1
                if unit == 7:
                    controller, unit = controller + 1, 0
            taken.add((controller, unit))
            device = replaced(device, address=DriveAddress(controller=controller, unit=unit))
        done.append(device)
    return tuple(done)


def _controllers(devices: Devices) -> tuple[Controller, ...]:
    """Number the controllers and add those that addresses of other devices name."""
    given: list[Controller] = []
    for controller in devices.controllers:
        insertController(given, controller)
    # SCSI devices of the host are plugged in before numbers are given, so theirs come first.
    for device in devices.hostdevs:
        if device.type == "scsi" and isinstance(device.address, DriveAddress):
            _supply(given, "scsi", device.address.controller)
    done = indexed(given)
    highest: dict[str, int] = {}

    def need(kind: str, index: int) -> None:
        highest[kind] = max(highest.get(kind, -1), index)

    for disk in devices.disks:
        if isinstance(disk.address, DriveAddress) and disk.target is not None:
            kind = {"ide": "ide", "scsi": "scsi", "sata": "sata", "fdc": "fdc"}.get(
                disk.target.bus or ""
            )
            if kind:
                need(kind, disk.address.controller)
    for kind in ("scsi", "fdc", "ide", "sata"):
        if kind in highest:
            _supply(done, kind, highest[kind])
    return tuple(done + namedControllers(devices, done))


def namedControllers(devices: Devices, there: Iterable[Controller]) -> list[Controller]:
    """Return the controllers of virtio ports and card readers that are missing: of these only the one that is named."""
    seen = {(each.type, each.index) for each in there}
    added: list[Controller] = []

    def need(kind: str, index: int) -> None:
        if (kind, index) not in seen:
            seen.add((kind, index))
            added.append(Controller(type=kind, index=index))

    ports: tuple[Any, ...] = (*devices.channels, *devices.consoles)
    for port in ports:
        if port.target.type == "virtio":
            at = port.address
            need("virtio-serial", at.controller if isinstance(at, VirtioSerialAddress) else 0)
    for card in devices.smartcards:
        need("ccid", card.address.controller if isinstance(card.address, CCIDAddress) else 0)
    return added


#: More controllers than these are never made up.
_MOST = 1024


def _supply(controllers: list[Controller], kind: str, highest: int) -> None:
    """Add the controllers of a type that are missing up to an index."""
    there = {other.index for other in controllers if other.type == kind}
    controllers.extend(
        Controller(type=kind, index=index)
        for index in range(min(highest, _MOST) + 1)
        if index not in there
    )
