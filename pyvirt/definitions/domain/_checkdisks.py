"""
What is refused of a single disk, whatever the rest of the domain is.
"""

from __future__ import annotations

import re
from typing import Any

from pyvirt.definitions.domain._disk import Disk, checkSecret
from pyvirt.definitions.domain._refusals import internal, refuse
from pyvirt.definitions.domain._source import Encryption, NetworkSource, NVMeSource
from pyvirt.definitions.kinds import xmlError
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["checkDisk", "virtioOptions"]


def virtioOptions(options: Any, virtio: bool) -> None:
    """Options of virtio devices are for those alone."""
    if options is None or virtio:
        return
    if options.iommu is not None:
        raise refuse("iommu driver option is only supported for virtio devices")
    if options.ats is not None:
        raise refuse("ats driver option is only supported for virtio devices")
    if options.packed is not None:
        raise refuse("packed driver option is only supported for virtio devices")
    if options.page_per_vq is not None:
        raise refuse("page_per_vq option is only supported for virtio devices")


_WWN = re.compile(r"(?:0x)?[0-9a-fA-F]{16}\Z").match
_HARD = ("hd", "sd", "vd", "xvd", "ubd")
#: Protocols that know nobody.
_OPEN = frozenset(("nbd", "gluster", "sheepdog", "tftp", "nfs", "vxhs"))


def checkDisk(disk: Disk) -> None:
    """
    Check one disk, in libvirt's order.

    @raise VirtError: with the first thing wrong.
    """
    source, target = disk.source, disk.target
    assert target is not None
    _checkSource(disk)
    _checkUnit(disk)
    _checkTune(disk.iotune)
    _checkAddress(disk)
    if target.bus != "virtio":
        _checkElsewhere(disk)
    if disk.type == "vhostuser":
        _checkOutside(disk)
    if isinstance(source, NVMeSource) and not source.namespace:
        raise refuse("NVMe namespace can't be zero")
    if target.tray == "open" and disk.device not in ("cdrom", "floppy"):
        raise refuse("tray is only valid for cdrom and floppy")
    if disk.wwn is not None and not _WWN(disk.wwn):
        raise virtError(ErrorCode.INTERNAL_ERROR, f"Malformed wwn: {disk.wwn}", 0)
    _checkMaker(disk)
    _checkFloppy(disk)
    if target.removable is not None and target.bus != "usb":
        raise xmlError("removable is only valid for usb disks")
    if disk.device == "floppy" and not (target.dev or "").startswith("fd"):
        raise internal(f"Invalid floppy device name: {target.dev}")
    if disk.device in ("disk", "lun") and not (target.dev or "").startswith(_HARD):
        raise internal(f"Invalid harddisk device name: {target.dev}")
    _checkPolicy(disk)
    empty = source is None or source.isEmpty
    if empty and disk.device not in ("cdrom", "floppy") and disk.type != "block":
        raise virtError(ErrorCode.NO_SOURCE, target.dev, ErrorDomain.DOMAIN)


def _checkSource(disk: Disk) -> None:
    """Check who opens the source of a disk, and how what is in it is read."""
    source = disk.source
    auth = disk.auth or (source.auth if source is not None else None)
    if isinstance(source, NetworkSource):
        if auth is not None and source.protocol in _OPEN:
            raise refuse(f"authentication is not supported for protocol '{source.protocol}'")
        checkSecret(source.protocol, auth)
    encryption = _encryption(disk)
    if encryption is not None and encryption.cipher is not None:
        raise refuse("supplying <cipher> for domain disk definition is unnecessary")


def _encryption(disk: Disk) -> Encryption | None:
    return disk.encryption or (disk.source.encryption if disk.source is not None else None)


def _checkAddress(disk: Disk) -> None:
    """On a bus of drives a disk has the address of a drive."""
    assert disk.target is not None
    bus = disk.target.bus
    if disk.address is None or bus not in ("scsi", "ide", "sata", "fdc"):
        return
    if disk.address.type != "drive":
        raise refuse(
            f"Invalid address type '{disk.address.type}' for the disk '{disk.target.dev}' with the "
            f"bus type '{bus}'"
        )


def _checkUnit(disk: Disk) -> None:
    """What is for logical units is for those alone, and they are plain block devices."""
    source, driver = disk.source, disk.driver
    if disk.sgio == "unfiltered":
        raise refuse("unfiltered sgio is no longer supported")
    if disk.device == "lun":
        if isinstance(source, NetworkSource):
            if source.protocol != "iscsi":
                raise refuse(f"disk device='lun' is not supported for protocol='{source.protocol}'")
        elif disk.type not in ("block", "volume") or source is None:
            raise refuse("disk device='lun' is only valid for block type disk source")
        if driver is not None and driver.type not in (None, "raw", "none"):
            raise refuse("disk device 'lun' must use 'raw' format")
        if source is not None and source.slice is not None:
            raise refuse("disk device 'lun' doesn't support storage slice")
        encryption = _encryption(disk)
        if encryption is not None and encryption.format != "default":
            raise refuse("disk device 'lun' doesn't support encryption")
    else:
        if source is not None and source.reservations is not None:
            raise refuse("<reservations/> allowed only for lun devices")
        if disk.rawio is not None:
            raise refuse("rawio can be used only with device='lun'")
    if disk.sgio is not None and disk.device != "lun":
        raise refuse("sgio can be used only with device='lun'")


_TUNED = ("bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max")


def _checkTune(tune: Any) -> None:
    """A limit of all that is done, and one of what is read or written, exclude each other."""
    if tune is None:
        return
    for name in _TUNED:
        if getattr(tune, f"total_{name}") and (
            getattr(tune, f"read_{name}") or getattr(tune, f"write_{name}")
        ):
            raise xmlError(f"total and read/write {name} cannot be set at the same time")


def _checkElsewhere(disk: Disk) -> None:
    """What is for virtio is for that alone."""
    driver = disk.driver
    if disk.model is not None:
        assert disk.target is not None
        raise refuse(f"disk model '{disk.model}' not supported for bus '{disk.target.bus}'")
    if driver is None:
        return
    if driver.queues is not None:
        raise refuse("queues attribute in disk driver element is only supported by virtio-blk")
    if driver.event_idx is not None:
        raise refuse("disk event_idx mode supported only for virtio bus")
    if driver.ioeventfd is not None:
        raise refuse("disk ioeventfd mode supported only for virtio bus")
    virtioOptions(driver, False)


#: What the driver of a disk that another program serves cannot do.
_DRIVER = (
    ("cache", "cache"),
    ("error_policy", "error_policy"),
    ("rerror_policy", "error_policy"),
    ("io", "io"),
    ("ioeventfd", "ioeventfd"),
    ("copy_on_read", "copy_on_read"),
    ("discard", "discard"),
    ("iothread", "iothread"),
    ("detect_zeroes", "detect_zeroes"),
    ("metadata_cache", "metadata_cache"),
)
#: What else such a disk cannot have.
_PARTS = [
    "iotune",
    "backingStore",
    "encryption",
    "readonly",
    "shareable",
    "transient",
    "serial",
    "wwn",
    "vendor",
    "product",
    "auth",
    "geometry",
    "blockio",
]


def _checkOutside(disk: Disk) -> None:
    """Of a disk that another program serves little is decided here."""
    assert disk.target is not None
    if disk.target.bus != "virtio":
        raise refuse("vhostuser disk supports only virtio bus")
    if disk.snapshot != "no":
        raise refuse("only snapshot=no is supported with vhostuser disk")
    for name, label in _DRIVER:
        if disk.driver is not None and getattr(disk.driver, name) is not None:
            raise refuse(f"{label} is not supported with vhostuser disk")
    for name in _PARTS:
        found = getattr(disk, name)
        if name in ("encryption", "auth") and disk.source is not None:
            found = found or getattr(disk.source, name)
        if found not in (None, False):
            raise refuse(f"{name} is not supported with vhostuser disk")


def _checkMaker(disk: Disk) -> None:
    for text, what, most in ((disk.vendor, "vendor", 8), (disk.product, "product", 16)):
        if text is not None:
            if not all(" " <= char <= "~" for char in text):
                raise xmlError(f"disk {what} is not printable string")
            if len(text) > most:
                raise refuse(f"disk {what} is more than {most} characters")


def _checkFloppy(disk: Disk) -> None:
    """Floppy disks are on a bus of their own."""
    assert disk.target is not None
    bus = disk.target.bus
    if disk.device == "floppy":
        if bus != "fdc":
            raise internal(f"Invalid bus type '{bus}' for floppy disk")
    elif bus == "fdc":
        raise internal("Invalid bus type 'fdc' for disk")


def _checkPolicy(disk: Disk) -> None:
    """Only what may be missing at the start of a guest has a rule for that."""
    source = disk.source
    policy = source.startupPolicy if source is not None else None
    if policy is None:
        return
    if disk.type in ("network", "nvme", "vhostuser"):
        raise xmlError(
            f"disk startupPolicy '{policy}' is not allowed for disk of '{disk.type}' type"
        )
    if policy == "requisite" and disk.device not in ("cdrom", "floppy"):
        raise xmlError("disk startupPolicy 'requisite' is allowed only for cdrom or floppy")
