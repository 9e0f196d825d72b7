"""
Disks that QEMU cannot have, or not so.
"""

from __future__ import annotations

from typing import Any

import attrs

from pyvirt.definitions.domain._address import DriveAddress
from pyvirt.definitions.domain._top import DomainDefinition
from pyvirt.definitions.kinds import unsupported
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["checkDisk", "checkFormat", "checkPlace", "checkSource", "knowsThread", "sharesMemory"]

#: The largest limit of throughput that QEMU takes.
_MOST = 1000000000000000


def refuse(detail: str) -> VirtError:
    """Make the complaint of something that is not supported."""
    error = unsupported(detail)("", None, "")
    error.domain = ErrorDomain.QEMU
    return error


def sharesMemory(definition: DomainDefinition) -> bool:
    """Return whether another process can see the guest's memory."""
    backing = definition.memoryBacking
    cpu = definition.cpu
    shared = backing is not None and backing.access == "shared"
    if cpu is not None and cpu.numa is not None:
        return all(
            cell.memAccess == "shared" or (cell.memAccess is None and shared)
            for cell in cpu.numa.cells
        )
    return shared


def knowsThread(definition: DomainDefinition, number: int) -> bool:
    """Return whether there is a thread of that number."""
    if definition.iothreadids is not None:
        if any(each.id == number for each in definition.iothreadids.threads):
            return True
        if len(definition.iothreadids.threads) >= (definition.iothreads or 0):
            return False
    return 1 <= number <= (definition.iothreads or 0)


def checkDisk(disk: Any, definition: DomainDefinition) -> None:
    """
    Check one disk.

    @raise VirtError: with the first thing wrong.
    """
    target, driver, source = disk.target, disk.driver, disk.source
    bus, dev = target.bus, target.dev
    if driver is not None and driver.name != "qemu":
        raise refuse(f"unsupported driver name '{driver.name}' for disk '{dev}'")
    _geometry(disk.geometry, bus)
    if disk.serial is not None and bus == "sd":
        raise internal(f"Serial property not supported for drive bus '{bus}'")
    if disk.device == "lun":
        _unit(disk)
    if driver is not None and driver.copy_on_read:
        if disk.readonly:
            raise refuse(f"copy_on_read is not compatible with read-only disk '{dev}'")
        if disk.device == "lun":
            raise refuse(f"copy_on_read is not compatible with 'lun' disk '{dev}'")
    if disk.device == "cdrom" and bus == "virtio":
        raise refuse(f"disk type of '{dev}' does not support ejectable media")
    if bus == "usb" and disk.address is not None and disk.address.type != "usb":
        raise internal("unexpected address type for usb disk")
    _identity(disk)
    if disk.readonly and disk.device == "disk" and bus in ("ide", "sata"):
        raise refuse(f"readonly {bus} disks are not supported")
    _partition(dev)
    if driver is not None:
        if driver.io == "native" and driver.cache not in ("none", "directsync"):
            raise refuse("io='native' needs either no disk cache or directsync cache mode")
        if driver.iothread is not None:
            if bus != "virtio":
                raise refuse(f"IOThreads not available for bus {bus} target {dev}")
            if not knowsThread(definition, driver.iothread):
                raise refuse(f"Disk iothread '{driver.iothread}' not defined in iothreadid")
    _throttled(disk, definition)
    if disk.shareable and driver is not None and driver.type not in ("raw", None):
        raise refuse(f"shared access for disk '{dev}' requires use of supported storage format")
    if disk.transient is not None:
        _transient(disk)
    if driver is not None and driver.metadata_cache is not None and driver.type != "qcow2":
        raise refuse("metadata cache max size control is supported only with qcow2 images")
    if disk.type == "vhostuser" and not sharesMemory(definition):
        raise refuse("'vhostuser' requires shared memory")
    form = driver.type if driver is not None else None
    checkFormat(form, disk.type, readOnly=disk.readonly)
    if source is not None:
        checkSource(source, form, disk.encryption or source.encryption)
    _checkBelow(disk.backingStore)


def _checkBelow(store: Any) -> None:
    """Check the images that one is laid over, as far as they are told."""
    while store is not None and store.source is not None:
        source, form = store.source, store.format
        kind = form.type if form is not None else None
        if form is not None and form.metadata_cache is not None and kind != "qcow2":
            raise refuse("metadata cache max size control is supported only with qcow2 images")
        checkFormat(kind, source.sourceType, readOnly=True)
        checkSource(source, kind, source.encryption)
        store = store.backingStore


def _geometry(geometry: Any, bus: str) -> None:
    if geometry is None:
        return
    if (geometry.cyls or geometry.heads or geometry.secs) and bus in ("usb", "sd"):
        raise refuse(f"CHS geometry can not be set for '{bus}' bus")
    if geometry.trans is not None and bus != "ide":
        raise refuse(f"CHS translation mode can only be set for 'ide' bus not '{bus}'")


def _unit(disk: Any) -> None:
    """A unit that is passed through tells itself what it is."""
    bus = disk.target.bus
    if bus not in ("scsi", "virtio"):
        raise refuse(f"disk device='lun' is not supported for bus='{bus}'")
    if bus == "scsi" and disk.serial is not None:
        raise refuse("scsi-block 'lun' devices do not support the serial property")
    if disk.wwn is not None and bus == "scsi":
        raise refuse("Setting wwn is not supported for lun device")
    if (disk.vendor is not None or disk.product is not None) and bus == "scsi":
        raise refuse("Setting vendor or product is not supported for lun device")


def _identity(disk: Any) -> None:
    """Names of the world, makers and serial numbers are known on some buses."""
    bus, target = disk.target.bus, disk.target
    if disk.wwn is not None and bus not in ("ide", "scsi", "sata"):
        raise refuse("Only ide and scsi disk support wwn")
    if (disk.vendor is not None or disk.product is not None) and bus != "scsi":
        raise refuse("Only scsi disk supports vendor and product")
    if target.rotation_rate:
        if bus not in ("scsi", "ide", "sata"):
            raise internal("rotation rate is only valid for SCSI/IDE/SATA bus")
        if disk.device != "disk":
            raise internal("rotation rate is only valid for disk device")
    if disk.serial is not None and not all(
        char.isascii() and (char.isalnum() or char in " .+-_") for char in disk.serial
    ):
        raise internal(f"driver serial '{disk.serial}' contains unsafe characters")


def _partition(dev: str) -> None:
    if dev[-1:].isdigit():
        raise refuse(f"invalid disk target '{dev}', partitions can't appear in disk targets")


def _throttled(disk: Any, definition: DomainDefinition) -> None:
    """Limits have a bound; disks of one group have one set of limits."""
    tune = disk.iotune
    if tune is None:
        return
    values = {
        each.name: getattr(tune, each.name)
        for each in attrs.fields(type(tune))
        if each.name != "group_name"
    }
    if tune.group_name is not None:
        if not any(values.values()):
            raise refuse("group_name can be configured only together with settings")
        for other in definition.devices.disks:
            if other is disk:
                break
            theirs = other.iotune
            if theirs is None or theirs.group_name != tune.group_name:
                continue
            if any((getattr(theirs, name) or 0) != (value or 0) for name, value in values.items()):
                name = other.target.dev if other.target is not None else None
                raise refuse(f"different iotunes for disks {name} and {disk.target.dev}")
    if any((value or 0) > _MOST for value in values.values()):
        raise virtError(
            ErrorCode.ARGUMENT_UNSUPPORTED,
            f"block I/O throttle limit must be no more than {_MOST} using QEMU",
            ErrorDomain.QEMU,
        )


def _transient(disk: Any) -> None:
    """Only a file of one's own can be written beside."""
    dev, source = disk.target.dev, disk.source
    if source is None or source.isEmpty:
        raise refuse(f"transient disk '{dev}' must not be empty")
    if source.sourceType != "file":
        raise refuse(f"transient disk supported only with 'file' type ({dev})")
    if disk.readonly:
        raise refuse(f"transient disk '{dev}' must not be read-only")
    if disk.device not in (None, "disk"):
        raise refuse(f"transient disk supported only with 'disk' device ({dev})")
    if disk.transient.shareBacking and disk.target.bus not in ("usb", "virtio", "scsi"):
        raise refuse(
            f"disk bus '{disk.target.bus}' doesn't support transiend disk backing image sharing"
        )


def checkPlace(kind: str, device: Any, definition: DomainDefinition) -> None:
    """
    Check where among drives a device is; what is no disk is taken for one on SCSI.

    @raise VirtError: the bus has no such place.
    """
    address = getattr(device, "address", None)
    if not isinstance(address, DriveAddress):
        return
    bus = device.target.bus if kind == "disks" else "scsi"
    if bus == "scsi":
        if address.bus:
            raise internal("SCSI controller only supports 1 bus")
        model = None
        for each in definition.devices.controllers:
            if each.type == "scsi" and each.index == address.controller:
                model = each.model
        if model in ("lsilogic", "am53c974", "dc390", "ncr53c90") and address.target:
            raise refuse(f"target must be 0 for controller model '{model}'")
    elif bus == "sata":
        if address.bus:
            raise refuse("bus must be 0 for sata controller")
        if address.target:
            raise refuse("target must be 0 for sata controller")
    elif bus == "ide":
        if address.controller:
            raise internal("Only 1 IDE controller is supported")
        if address.target:
            raise refuse("target must be 0 for ide controller")
    elif bus == "fdc":
        if address.controller:
            raise internal("Only 1 fdc controller is supported")
        if address.bus:
            raise refuse("bus must be 0 for fdc controller")
        if address.target:
            raise refuse("target must be 0 for controller fdc")


def checkFormat(form: str | None, kind: str, *, readOnly: bool = False) -> None:
    """
    Refuse a format that QEMU does not have, or not in such a place.

    @param kind: the type of the source.
    @raise VirtError: it is such.
    """
    if form == "iso":
        raise refuse("storage format 'iso' is not directly supported by QEMU, use 'raw' instead")
    if form == "dir":
        raise refuse(
            "'directory' storage format is not directly supported by QEMU, use 'dir' disk type "
            "instead"
        )
    if form == "cow":
        raise refuse("'cow' storage format is not supported")
    if form == "fat" and kind != "dir":
        raise refuse("storage format 'fat' is supported only with 'dir' storage type")
    if kind == "dir" and form != "fat":
        raise refuse("storage type 'dir' requires use of storage format 'fat'")
    if kind == "dir" and not readOnly:
        raise refuse("virtual FAT storage can't be accessed in read-write mode")


def checkSource(source: Any, form: str | None, encryption: Any) -> None:
    """
    Refuse an image that QEMU cannot open as it is described.

    @param form: its format.
    @raise VirtError: it is such.
    """
    protocol = getattr(source, "protocol", None)
    if encryption is not None:
        if encryption.format in ("qcow", "default"):
            raise refuse("old qcow/qcow2 encryption is not supported")
        if encryption.engine == "librbd" and protocol != "rbd":
            raise refuse("librbd encryption is supported only with RBD backed disks")
        if encryption.format == "luks2" and encryption.engine == "qemu":
            raise refuse(
                f"{encryption.format} is currently not supported by the qemu encryption engine"
            )
        if encryption.engine != "librbd" and form not in (None, "raw", "qcow2"):
            raise refuse("encryption is supported only with 'raw' and 'qcow2' image format")
    if protocol == "tftp":
        raise refuse("'tftp' protocol is not supported with this QEMU binary")
    if protocol == "nfs":
        if len(source.hosts) != 1:
            raise refuse("'nfs' protocol requires the usage of exactly one host")
        host = source.hosts[0]
        if host.transport not in (None, "tcp"):
            raise refuse("'nfs' host must use TCP protocol")
        if host.port:
            raise refuse("port cannot be specified in 'nfs' protocol host")
