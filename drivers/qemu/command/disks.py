"""
Disks: the guest's end of a chain of images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from pyvirt.definitions.domain._address import DriveAddress
from pyvirt.definitions.domain.steps import diskIndex
from pyvirt.drivers.qemu.aliases import scsiHasTarget
from pyvirt.drivers.qemu.command.arguments import Builder, escaped, jsonText
from pyvirt.drivers.qemu.command.blockdevs import Node, Options, chainOf, nodesOf
from pyvirt.drivers.qemu.command.secretobjects import SecretObjects
from pyvirt.drivers.qemu.command.values import place
from pyvirt.drivers.qemu.fdgroups import groupOf
from pyvirt.drivers.qemu.machine import isQ35
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = [
    "addDisks",
    "addFloppyController",
    "addReservations",
    "deviceProps",
    "optionsOf",
    "topNode",
]


def optionsOf(disk: Any) -> Options:
    """Return what a disk says about all of its images."""
    driver = disk.driver
    return Options(
        cache=driver.cache if driver is not None else None,
        io=driver.io if driver is not None else None,
        discard=driver.discard if driver is not None else None,
        detectZeroes=driver.detect_zeroes if driver is not None else None,
        floppy=disk.device == "floppy",
        alias=disk.alias,
    )


def topNode(disk: Any, chain: list[Node]) -> str | None:
    """Return the name of the node that the device reads and writes."""
    if not chain:
        return None
    if disk.driver is not None and disk.driver.copy_on_read:
        return f"libvirt-CoR-{disk.target.dev}"
    return chain[0].formatName


def numbered(disks: tuple[Any, ...]) -> list[list[Node]]:
    """
    Return the chains of all disks.

    Nodes are numbered from the last disk to the first, and in a chain from the top.
    """
    count = 0

    def take() -> int:
        nonlocal count
        count += 1
        return count

    chains: list[list[Node]] = []
    for disk in reversed(disks):
        chains.insert(0, chainOf(disk, take))
    return chains


def addFloppyController(b: Builder) -> None:
    """Add the controller of floppy disks, where it is no part of the machine, and what boots from it."""
    boots: dict[str, int] = {}
    there = False
    for number, disk in enumerate(b.devices.disks):
        if disk.target.bus != "fdc":
            continue
        there = True
        index = b.bootIndex("disks", number, disk)
        if index is not None:
            unit = disk.address.unit if isinstance(disk.address, DriveAddress) else 0
            boots[f"bootindex{'AB'[unit % 2]}"] = index
    if there and isQ35(b.machine, b.arch) and not _hasFloppy(b.machine):
        b.device({"driver": "isa-fdc"} | boots)
        return
    for name, index in boots.items():
        b.add("-global", f"isa-fdc.{name}={index}")


def _hasFloppy(machine: str) -> bool:
    """Return whether a machine of the newer kind still has the controller: those up to 2.3 do."""
    version = machine.removeprefix("pc-q35-")
    return version in ("1.4", "1.5", "1.6", "1.7", "2.0", "2.1", "2.2", "2.3")


def addReservations(b: Builder) -> None:
    """Add the process that makes persistent reservations for disks which leave that to the driver."""
    for disk in b.devices.disks:
        source = disk.source
        wanted = source.reservations if source is not None else None
        if wanted is not None and wanted.managed:
            path = f"{b.host.guestFolder}/pr-helper0.sock"
            b.object("pr-manager-helper", "pr-helper0", path=path)
            return


def _ownReservations(b: Builder, disk: Any, chain: list[Node]) -> None:
    """Add the process that the user named for reservations of one disk."""
    wanted = disk.source.reservations if disk.source is not None else None
    if wanted is not None and not wanted.managed and wanted.source is not None:
        b.object("pr-manager-helper", f"pr-helper-{chain[0].storageName}", path=wanted.source.path)


def _addCard(b: Builder, disk: Any, chain: list[Node]) -> None:
    """Add a memory card, which is no device of its own."""
    path = str(getattr(chain[0].source, "file", None) or getattr(chain[0].source, "dev", ""))
    index = diskIndex(disk.target.dev)
    b.option(
        "-drive",
        f"file={escaped(path)}",
        f"format={chain[0].format}",
        "if=sd",
        f"index={index}",
        "readonly=on" if disk.readonly else None,
    )


def addDisks(b: Builder) -> None:
    """Add every disk with its images."""
    disks = b.devices.disks
    chains = _withSets(b, numbered(disks))
    for number, (disk, chain) in enumerate(zip(disks, chains, strict=True)):
        if disk.target.bus == "sd" and chain:
            _addCard(b, disk, chain)
            continue
        if disk.target.bus in ("xen", "uml", "sd"):
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                f"unsupported disk bus '{disk.target.bus}' with device setup",
                ErrorDomain.QEMU,
            )
        if disk.transient is not None and disk.transient.shareBacking:
            # It is plugged in once its overlay is there.
            continue
        if disk.type == "vhostuser":
            _addVhostUser(b, number, disk)
            continue
        debug = b.host.settings.get("gluster_debug_level", 4)
        options = attrs.evolve(optionsOf(disk), glusterDebug=int(str(debug)))
        _ownReservations(b, disk, chain)
        for node in chain:
            _addDescriptors(b, node)
        secrets = SecretObjects(b)
        below: str | None = None
        found: list[dict[str, Any]] = []
        for node in reversed(chain):
            found += nodesOf(node, below, options, secrets.of(node))
            below = node.formatName
        for each in found:
            b.add("-blockdev", jsonText(each))
        if chain and disk.driver is not None and disk.driver.copy_on_read:
            b.add(
                "-blockdev",
                jsonText(
                    {
                        "driver": "copy-on-read",
                        "node-name": topNode(disk, chain),
                        "file": chain[0].formatName,
                        "discard": "unmap",
                    }
                ),
            )
        b.device(deviceProps(b, disk, topNode(disk, chain), b.bootIndex("disks", number, disk)))


def _withSets(b: Builder, chains: list[list[Node]]) -> list[list[Node]]:
    """
    Give a number to each set of descriptors that is an image.

    @raise VirtError: nobody has given the descriptors.
    """
    found: list[list[Node]] = []
    for chain in reversed(chains):
        done = []
        for node in chain:
            group = groupOf(node.source, b.host.groups)
            if group is not None:
                node = attrs.evolve(node, fdSet=b.newSet(), group=group)
            done.append(node)
        found.insert(0, done)
    return found


def _addDescriptors(b: Builder, node: Node) -> None:
    """Add the descriptors that an image is."""
    if node.group is None:
        return
    name = node.source.fdgroup  # type: ignore[attr-defined]
    for number in range(len(node.group.fds)):
        fd = place(f"fd:{name}:{number}")
        b.add("-add-fd", f"set={node.fdSet},fd={fd},opaque={node.storageName}{number}")


def _addVhostUser(b: Builder, number: int, disk: Any) -> None:
    """Add a disk that another process serves through a socket."""
    name = f"chr-vu-{disk.alias}"
    reconnect = None
    wait = disk.source.reconnect
    if wait is not None and wait.enabled:
        reconnect = f"reconnect={wait.timeout}"
    b.option("-chardev", "socket", f"id={name}", f"path={escaped(disk.source.path)}", reconnect)
    b.device(deviceProps(b, disk, None, b.bootIndex("disks", number, disk), chardev=name))


def deviceProps(
    b: Builder, disk: Any, drive: str | None, boot: int | None, chardev: str | None = None
) -> dict[str, Any]:
    """
    Return the properties of a disk as the guest sees it.

    @param drive: the node that it reads and writes; None for an empty drive.
    """
    target = disk.target
    driver = disk.driver
    values: dict[str, Any] = _PLACES[target.bus](b, disk)
    if drive is not None:
        if disk.shareable and target.bus != "fdc":
            values["share-rw"] = True
        values["drive"] = drive
    if chardev is not None:
        values["chardev"] = chardev
    values["id"] = disk.alias
    if boot is not None and target.bus != "fdc":
        values["bootindex"] = boot
    blockio = disk.blockio
    if blockio is not None:
        if blockio.logical_block_size:
            values["logical_block_size"] = blockio.logical_block_size
        if blockio.physical_block_size:
            values["physical_block_size"] = blockio.physical_block_size
    if disk.wwn is not None:
        text = disk.wwn if disk.wwn.startswith("0x") else f"0x{disk.wwn}"
        values["wwn"] = int(text, 16)
    if target.rotation_rate:
        values["rotation_rate"] = target.rotation_rate
    if disk.vendor is not None:
        values["vendor"] = disk.vendor
    if disk.product is not None:
        values["product"] = disk.product
    if target.bus == "usb":
        values["removable"] = bool(target.removable)
    cache = driver.cache if driver is not None else None
    if cache is not None and disk.device != "lun" and drive is not None:
        writeback = cache in ("none", "writeback", "unsafe")
        values["write-cache"] = "on" if writeback else "off"
    geometry = disk.geometry
    if geometry is not None and geometry.cyls and geometry.heads and geometry.secs:
        values |= {"cyls": geometry.cyls, "heads": geometry.heads, "secs": geometry.secs}
        if geometry.trans is not None:
            values["bios-chs-trans"] = geometry.trans
    if disk.serial is not None:
        values["serial"] = disk.serial.replace("\\", "\\\\").replace(" ", "\\ ")
    if driver is not None and driver.error_policy is not None:
        word = "enospc" if driver.error_policy == "enospace" else driver.error_policy
        values["werror"] = word
        reads = driver.rerror_policy
        if reads is None and driver.error_policy != "enospace":
            reads = driver.error_policy
        if reads is not None:
            values["rerror"] = reads
    elif driver is not None and driver.rerror_policy is not None:
        values["rerror"] = driver.rerror_policy
    return values


def _kind(disk: Any) -> str:
    return "cd" if disk.device == "cdrom" else "hd"


def _ide(b: Builder, disk: Any) -> dict[str, Any]:
    address = disk.address
    controller = b.controller("ide", address.controller)
    name = controller.alias if controller is not None else "ide"
    return {
        "driver": f"ide-{_kind(disk)}",
        "bus": f"{name}.{address.bus}",
        "unit": address.unit,
    }


def _sata(b: Builder, disk: Any) -> dict[str, Any]:
    address = disk.address
    controller = b.controller("sata", address.controller)
    name = controller.alias if controller is not None else f"sata{address.controller}"
    return {"driver": f"ide-{_kind(disk)}", "bus": f"{name}.{address.unit}"}


def _scsi(b: Builder, disk: Any) -> dict[str, Any]:
    address = disk.address
    controller = b.controller("scsi", address.controller)
    name = controller.alias if controller is not None else f"scsi{address.controller}"
    model = controller.model if controller is not None else None
    driver = "scsi-block" if disk.device == "lun" else f"scsi-{_kind(disk)}"
    values: dict[str, Any] = {"driver": driver, "bus": f"{name}.0"}
    if model in ("lsilogic", "ncr53c90", "dc390", "am53c974"):
        values["scsi-id"] = address.unit
    else:
        values |= {"channel": address.bus, "scsi-id": address.target, "lun": address.unit}
    if driver != "scsi-block":
        place = (
            f"{address.controller}-{address.bus}-{address.target}-{address.unit}"
            if scsiHasTarget(b.definition.devices, address.controller)
            else f"{address.controller}-{address.bus}-{address.unit}"
        )
        values["device_id"] = f"drive-scsi{place}"
        if disk.serial is not None:
            # What stands here would hide the serial number from the guest.
            values["device_id"] = disk.serial
    return values


def _virtio(b: Builder, disk: Any) -> dict[str, Any]:
    base = "vhost-user-blk" if disk.type == "vhostuser" else "virtio-blk"
    values = b.virtio(base, disk)
    head = values
    driver = disk.driver
    if driver is not None:
        if driver.iothread is not None:
            head["iothread"] = f"iothread{driver.iothread}"
        if driver.ioeventfd is not None:
            head["ioeventfd"] = driver.ioeventfd
        if driver.event_idx is not None:
            head["event_idx"] = driver.event_idx
        if driver.queues is not None:
            head["num-queues"] = driver.queues
        if driver.queue_size is not None:
            head["queue-size"] = driver.queue_size
    if disk.device == "lun":
        head["scsi"] = True
    return head | b.address(disk)


def _usb(b: Builder, disk: Any) -> dict[str, Any]:
    return {"driver": "usb-storage"} | b.address(disk)


def _fdc(b: Builder, disk: Any) -> dict[str, Any]:
    return {"driver": "floppy", "unit": disk.address.unit}


_PLACES: dict[str | None, Callable[[Builder, Any], dict[str, Any]]] = {
    "ide": _ide,
    "sata": _sata,
    "scsi": _scsi,
    "virtio": _virtio,
    "usb": _usb,
    "fdc": _fdc,
}
