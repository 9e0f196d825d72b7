"""
What devices of the host are, other than PCI devices and network cards: USB, SCSI, disks, channel devices and so on.

Each function describes the device at a place in C{/sys}; None: it is none, or nothing that can be told.
"""

from __future__ import annotations

import os
import re

from pyvirt.definitions.nodebase import Capability, Identity
from pyvirt.definitions.nodecaps import (
    CCW,
    CSS,
    DRM,
    SCSI,
    VDPA,
    APCard,
    APMatrix,
    APQueue,
    CCWPlace,
    FCHost,
    Mdev,
    Media,
    RemotePort,
    SCSIGeneric,
    SCSIHost,
    SCSITarget,
    Storage,
)
from pyvirt.definitions.nodedev import NodeDeviceDefinition
from pyvirt.definitions.nodepci import USBDevice, USBInterface
from pyvirt.drivers.host.sysfsfiles import linked, number, properties, read, safe
from pyvirt.drivers.host.sysfspci import mdevTypes

__all__ = ["KINDS"]

_SCSI_TYPES = {
    0: "disk",
    1: "tape",
    3: "processor",
    4: "worm",
    5: "cdrom",
    6: "scanner",
    7: "mod",
    8: "changer",
    12: "raid",
    13: "enclosure",
}
_DRM_TYPES = ["primary", "control", "render"]


def _device(prefix: str, name: str, what: Capability, **more: str | None) -> NodeDeviceDefinition:
    full = f"{prefix}_{safe(name)}"
    return NodeDeviceDefinition(name=full, capabilities=(what,), **more)  # type: ignore[arg-type]


# USB


def _usb(place: str, udev: str) -> NodeDeviceDefinition | None:
    """Describe a USB device, or one of its parts; what it is, is known from udev."""
    name = os.path.basename(place)
    if ":" in name:
        part = USBInterface(
            type="usb",
            number=number(place, "bInterfaceNumber") or 0,
            usbClass=number(place, "bInterfaceClass") or 0,
            subclass=number(place, "bInterfaceSubClass") or 0,
            protocol=number(place, "bInterfaceProtocol") or 0,
            description=read(place, "interface") or None,
        )
        return _device("usb", name, part)
    known, links = properties(place, udev)
    bus, device = (number(place, each, base=10) for each in ("busnum", "devnum"))
    try:
        vendor, product = int(known["ID_VENDOR_ID"], 16), int(known["ID_MODEL_ID"], 16)
    except (KeyError, ValueError):
        return None
    if bus is None or device is None:
        return None
    whole = USBDevice(
        type="usb_device",
        bus=bus,
        device=device,
        vendor=Identity(
            id=vendor,
            name=known.get("ID_VENDOR_FROM_DATABASE") or read(place, "manufacturer") or None,
        ),
        product=Identity(
            id=product, name=known.get("ID_MODEL_FROM_DATABASE") or read(place, "product") or None
        ),
    )
    return NodeDeviceDefinition(
        name=f"usb_{safe(name)}",
        devnode=f"/dev/bus/usb/{bus:03}/{device:03}",
        links=links,
        capabilities=(whole,),
    )


# SCSI


def _scsi(place: str, udev: str) -> NodeDeviceDefinition | None:
    """Describe a SCSI host, target or device, which are all on one bus."""
    name = os.path.basename(place)
    if name.startswith("host"):
        return _scsiHost(place, name)
    if name.startswith("target"):
        target = SCSITarget(type="scsi_target", target=name, port=_remotePort(place))
        return NodeDeviceDefinition(name=f"scsi_{safe(name)}", capabilities=(target,))
    match = re.fullmatch(r"(\d+):(\d+):(\d+):(\d+)", name)
    if match is None:
        return None
    host, bus, number_, lun = (int(each) for each in match.groups())
    kind = number(place, "type", base=10)
    device = SCSI(
        type="scsi",
        host=host,
        bus=bus,
        target=number_,
        lun=lun,
        scsiType=None if kind is None else _SCSI_TYPES.get(kind),
    )
    return _device("scsi", name, device)


def _scsiHost(place: str, name: str) -> NodeDeviceDefinition | None:
    digits = name.removeprefix("host")
    if not digits.isdigit():
        return None
    unique = number(place, "scsi_host", name, "unique_id", base=10)
    ports = None
    for folder in ("fc_host", "scsi_host"):
        where = os.path.join(place, folder, name)
        if os.path.exists(os.path.join(where, "vport_create")):
            most = number(where, "max_npiv_vports", base=10)
            used = number(where, "npiv_vports_inuse", base=10)
            if most is not None and used is not None:
                ports = (most, used)
            break
    fc = None
    folder = os.path.join(place, "fc_host", name)
    if os.path.isdir(folder):
        names = {
            field: (read(folder, file) or "").removeprefix("0x") or None
            for field, file in (
                ("wwpn", "port_name"),
                ("wwnn", "node_name"),
                ("fabric", "fabric_name"),
            )
        }
        if names["wwpn"] is None or names["wwnn"] is None:
            return None
        fc = FCHost(**names)
    host = SCSIHost(type="scsi_host", host=int(digits), uniqueID=unique, fc=fc, ports=ports)
    return NodeDeviceDefinition(name=f"scsi_{name}", capabilities=(host,))


def _remotePort(place: str) -> RemotePort | None:
    """Return the end of a fibre channel that a target is behind."""
    port = os.path.dirname(place)
    name = os.path.basename(port)
    if not name.startswith("rport-"):
        return None
    wwpn = read(port, "fc_remote_ports", name, "port_name")
    return None if wwpn is None else RemotePort(rport=name, wwpn=wwpn)


def _scsiGeneric(place: str, udev: str) -> NodeDeviceDefinition | None:
    name = os.path.basename(place)
    _, links = properties(place, udev)
    path = f"/dev/{name}"
    return NodeDeviceDefinition(
        name=f"scsi_generic_{safe(name)}",
        devnode=path,
        links=links,
        capabilities=(SCSIGeneric(type="scsi_generic", char=path),),
    )


# Disks


def _driveType(name: str, known: dict[str, str]) -> str | None:
    """Tell which kind of drive one is, from what udev knows; None: of those that are told, none."""
    kind = known.get("ID_TYPE")
    if kind not in (None, "", "generic"):
        return {"cd": "cdrom"}.get(kind, kind) if kind in _DRIVES else None
    for key, kind in (
        ("ID_DRIVE_FLOPPY", "floppy"),
        ("ID_CDROM", "cdrom"),
        ("ID_DRIVE_FLASH_SD", "sd"),
    ):
        if key in known:
            return kind
    return next((kind for prefix, kind in _GUESSED.items() if name.startswith(prefix)), None)


_DRIVES = ("disk", "cd", "floppy", "sd", "dasd")
#: What disks are that udev says nothing of, by the beginning of their names.
_GUESSED = {"vd": "disk", "nvme": "disk", "dasd": "dasd"}


def _block(place: str, udev: str) -> NodeDeviceDefinition | None:
    name = os.path.basename(place)
    if os.path.exists(os.path.join(place, "partition")):
        return None
    known, links = properties(place, udev)
    kind = _driveType(name, known)
    if kind is None:
        return None
    blocks: int | None = number(place, "size", base=10)
    blockSize: int | None = number(place, "queue", "logical_block_size", base=10)
    # Counted in the device's own blocks, as libvirtd has it, also where the system counts in others.
    size: int | None = (blocks or 0) * (blockSize or 0)
    media = None
    if kind in ("cdrom", "floppy"):
        size = 0
        available = known.get("ID_CDROM_MEDIA") == "1"
        if not available:
            blocks = blockSize = None
        if read(place, "removable") == "1":
            media = Media(
                available=available,
                size=(blocks or 0) * (blockSize or 0),
                label=(known.get("ID_FS_LABEL") or None) if available else None,
                blockSize=blockSize,
                blocks=blocks,
            )
            size = blocks = blockSize = None
    disk = Storage(
        type="storage",
        block=f"/dev/{name}",
        driveType=kind,
        model=read(place, "device", "model") or None,
        vendor=read(place, "device", "vendor") or None,
        serial=known.get("ID_SERIAL") or None,
        bus=known.get("ID_BUS") or None,
        size=size,
        blockSize=blockSize,
        blocks=blocks,
        media=media,
    )
    serial = f"_{safe(disk.serial)}" if disk.serial else ""
    return NodeDeviceDefinition(
        name=f"block_{safe(name)}{serial}",
        devnode=f"/dev/{name}",
        links=links,
        capabilities=(disk,),
    )


# Others


def _drm(place: str, udev: str) -> NodeDeviceDefinition | None:
    """Describe a node of a graphics device, which its minor number tells the kind of."""
    known, links = properties(place, udev)
    minor = known.get("MINOR", "")
    if known.get("DEVTYPE") != "drm_minor" or not minor.isdigit() or int(minor) >= 192:
        return None
    name = os.path.basename(place)
    return NodeDeviceDefinition(
        name=f"drm_{safe(name)}",
        devnode=f"/dev/{known.get('DEVNAME', name)}",
        links=links,
        capabilities=(DRM(type="drm", drmType=_DRM_TYPES[int(minor) // 64]),),
    )


def _mdev(place: str, udev: str) -> NodeDeviceDefinition | None:
    name = os.path.basename(place)
    kind, group = linked(place, "mdev_type"), linked(place, "iommu_group")
    if kind is None or group is None or not group.isdigit():
        return None
    parent = os.path.basename(os.path.dirname(place))
    device = Mdev(type="mdev", typeID=kind, uuid=name, parentAddress=parent, iommuGroup=int(group))
    return _device("mdev", f"{name}_{parent}", device)


def _channel(name: str) -> tuple[int, int, int] | None:
    match = re.fullmatch(r"([0-9a-f]+)\.([0-9a-f]+)\.([0-9a-f]{1,4})", name)
    if match is None:
        return None
    cssid, ssid, devno = (int(each, 16) for each in match.groups())
    return cssid, ssid, devno


def _ccw(place: str, udev: str) -> NodeDeviceDefinition | None:
    """Describe a channel device that is switched on."""
    name = os.path.basename(place)
    where = _channel(name)
    if where is None or read(place, "online") != "1":
        return None
    return _device("ccw", name, CCW(type="ccw", cssid=where[0], ssid=where[1], devno=where[2]))


def _css(place: str, udev: str) -> NodeDeviceDefinition | None:
    """Describe a subchannel that devices are behind; others are for the system itself."""
    name = os.path.basename(place)
    where = _channel(name)
    kinds = mdevTypes(place)
    known, _ = properties(place, udev)
    if where is None or kinds is None or known.get("DRIVER") not in _SUBCHANNELS:
        return None
    behind = _channel(read(place, "dev_busid") or "")
    channel = None
    if behind is not None:
        channel = CCWPlace(cssid=behind[0], ssid=behind[1], devno=behind[2])
    css = CSS(
        type="css", cssid=where[0], ssid=where[1], devno=where[2], channel=channel, inner=kinds
    )
    return _device("css", name, css)


_SUBCHANNELS = ("io_subchannel", "vfio_ccw")


def _ap(place: str, udev: str) -> NodeDeviceDefinition | None:
    """Describe a cryptographic card, or a queue of one."""
    name = os.path.basename(place)
    card = re.fullmatch(r"card([0-9a-f]{2})", name)
    if card is not None:
        return _device("ap", name, APCard(type="ap_card", adapter=int(card[1], 16)))
    queue = re.fullmatch(r"([0-9a-f]{2})\.([0-9a-f]{4})", name)
    if queue is None:
        return None
    adapter, domain = (int(each, 16) for each in queue.groups())
    return _device("ap", name, APQueue(type="ap_queue", adapter=adapter, domain=domain))


def _matrix(place: str, udev: str) -> NodeDeviceDefinition | None:
    kinds = mdevTypes(place)
    if kinds is None:
        return None
    return _device("ap", "matrix", APMatrix(type="ap_matrix", inner=kinds))


def _vdpa(place: str, udev: str) -> NodeDeviceDefinition | None:
    name = os.path.basename(place)
    try:
        inside = os.listdir(place)
    except OSError:
        return None
    chardev = next((f"/dev/{each}" for each in inside if each.startswith("vhost-vdpa-")), None)
    if chardev is not None and not os.path.exists(chardev):
        return None
    return _device("vdpa", name, VDPA(type="vdpa", chardev=chardev))


#: What looks at the devices of a folder of C{/sys}.
KINDS = {
    "bus/usb/devices": _usb,
    "bus/scsi/devices": _scsi,
    "class/scsi_generic": _scsiGeneric,
    "class/block": _block,
    "class/drm": _drm,
    "bus/mdev/devices": _mdev,
    "bus/css/devices": _css,
    "bus/ccw/devices": _ccw,
    "bus/ap/devices": _ap,
    "bus/matrix/devices": _matrix,
    "bus/vdpa/devices": _vdpa,
}
