"""
What is refused of a single disk, whatever the rest of the domain is.
"""

from __future__ import annotations

import re
from typing import Any

from pyvirt.definitions.domain._disk import Disk
from pyvirt.definitions.domain._source import FileSource, NetworkSource
from pyvirt.definitions.kinds import xmlError
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["checkDisk", "virtioOptions"]


def refuse(detail: str) -> VirtError:
    """Make the error of a configuration that is not supported."""
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, ErrorDomain.DOMAIN)


def internal(detail: str) -> VirtError:
    """Make an internal error, as older checks give."""
    return virtError(ErrorCode.INTERNAL_ERROR, detail, ErrorDomain.DOMAIN)


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


_TUNED = ("bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max")
_WWN = re.compile(r"(?:0x)?[0-9a-fA-F]{16}\Z").match
_HARD = ("hd", "sd", "vd", "xvd", "ubd")


def checkDisk(disk: Disk) -> None:
    """
    Check one disk.

    @raise VirtError: with the first thing wrong.
    """
    target, source = disk.target, disk.source
    assert target is not None
    bus = target.bus
    _source(disk)
    if disk.sgio == "unfiltered":
        raise refuse("unfiltered sgio is no longer supported")
    _unit(disk)
    if disk.sgio is not None and disk.device != "lun":
        raise refuse("sgio can be used only with device='lun'")
    _tune(disk.iotune)
    _bus(disk)
    dev = target.dev or ""
    if disk.device == "floppy" and not dev.startswith("fd"):
        raise internal(f"Invalid floppy device name: {dev}")
    if disk.device in ("disk", "lun") and not dev.startswith(_HARD):
        raise internal(f"Invalid harddisk device name: {dev}")
    if target.tray == "open" and disk.device not in ("cdrom", "floppy"):
        raise refuse("tray is only valid for cdrom and floppy")
    if disk.type == "vhostuser":
        _served(disk)
    _policy(disk)
    if disk.wwn is not None and not _WWN(disk.wwn):
        raise virtError(ErrorCode.INTERNAL_ERROR, f"Malformed wwn: {disk.wwn}", 0)
    for text, what, most in ((disk.vendor, "vendor", 8), (disk.product, "product", 16)):
        if text is not None:
            if not all(" " <= char <= "~" for char in text):
                raise xmlError(f"disk {what} is not printable string")
            if len(text) > most:
                raise refuse(f"disk {what} is more than {most} characters")
    if target.removable is not None and bus != "usb":
        raise xmlError("removable is only valid for usb disks")
    if source is not None and source.sourceType == "nvme" and not getattr(source, "namespace", 1):
        raise refuse("NVMe namespace can't be zero")
    empty = source is None or source.isEmpty
    if empty and disk.device not in ("cdrom", "floppy") and disk.type != "block":
        raise virtError(ErrorCode.NO_SOURCE, target.dev, ErrorDomain.DOMAIN)


def _unit(disk: Disk) -> None:
    """Units of a SCSI host are passed through whole, other disks not at all."""
    source, driver = disk.source, disk.driver
    if disk.device != "lun":
        if source is not None and source.reservations is not None:
            raise refuse("<reservations/> allowed only for lun devices")
        if disk.rawio is not None:
            raise refuse("rawio can be used only with device='lun'")
        return
    if isinstance(source, NetworkSource):
        if source.protocol != "iscsi":
            raise refuse(f"disk device='lun' is not supported for protocol='{source.protocol}'")
    elif disk.type not in ("block", "volume") or source is None:
        raise refuse("disk device='lun' is only valid for block type disk source")
    if driver is not None and driver.type not in (None, "raw", "none"):
        raise refuse("disk device 'lun' must use 'raw' format")
    if source is not None and source.slice is not None:
        raise refuse("disk device 'lun' doesn't support storage slice")
    if disk.encryption is not None or (source is not None and source.encryption is not None):
        raise refuse("disk device 'lun' doesn't support encryption")


def _tune(tune: Any) -> None:
    if tune is None:
        return
    for name in _TUNED:
        kind = name.replace("_max", "")
        tail = "_max" if name.endswith("_max") else ""
        if getattr(tune, f"total_{kind}{tail}") and (
            getattr(tune, f"read_{kind}{tail}") or getattr(tune, f"write_{kind}{tail}")
        ):
            raise xmlError(f"total and read/write {name} cannot be set at the same time")


def _bus(disk: Disk) -> None:
    """What the bus allows."""
    target, driver, address = disk.target, disk.driver, disk.address
    assert target is not None
    bus = target.bus
    if address is not None:
        wanted = "drive" if bus in ("scsi", "ide", "sata", "fdc") else "usb"
        if bus in ("scsi", "ide", "sata", "fdc", "usb") and address.type != wanted:
            raise refuse(
                f"Invalid address type '{address.type}' for the disk '{target.dev}' with the "
                f"bus type '{bus}'"
            )
    if bus != "virtio":
        if disk.model is not None:
            raise refuse(f"disk model '{disk.model}' not supported for bus '{bus}'")
        if driver is not None:
            if driver.queues is not None:
                raise refuse(
                    "queues attribute in disk driver element is only supported by virtio-blk"
                )
            if driver.event_idx is not None:
                raise refuse("disk event_idx mode supported only for virtio bus")
            if driver.ioeventfd is not None:
                raise refuse("disk ioeventfd mode supported only for virtio bus")
            virtioOptions(driver, False)
    if disk.device == "floppy":
        if bus != "fdc":
            raise internal(f"Invalid bus type '{bus}' for floppy disk")
    elif bus == "fdc":
        raise internal("Invalid bus type 'fdc' for disk")


def _policy(disk: Disk) -> None:
    """Only media of some kinds may be missing."""
    source = disk.source
    policy = source.startupPolicy if source is not None else None
    if policy is None:
        return
    if isinstance(source, NetworkSource) or disk.type in ("vhostuser", "nvme"):
        raise xmlError(
            f"disk startupPolicy '{policy}' is not allowed for disk of '{disk.type}' type"
        )
    if policy == "requisite" and disk.device not in ("cdrom", "floppy"):
        raise xmlError("disk startupPolicy 'requisite' is allowed only for cdrom or floppy")


def _served(disk: Disk) -> None:
    """What another process serves is as that process has it."""
    target, source, driver, block = disk.target, disk.source, disk.driver, disk.blockio
    assert target is not None
    if target.bus != "virtio":
        raise refuse("vhostuser disk supports only virtio bus")
    if disk.snapshot not in (None, "no"):
        raise refuse("only snapshot=no is supported with vhostuser disk")
    there: list[tuple[str, bool]] = []
    if driver is not None:
        there = [
            ("cache", driver.cache is not None),
            ("error_policy", driver.error_policy is not None or driver.rerror_policy is not None),
            ("io", driver.io is not None),
            ("ioeventfd", driver.ioeventfd is not None),
            ("copy_on_read", driver.copy_on_read is not None),
            ("discard", driver.discard is not None),
            ("iothread", driver.iothread is not None),
            ("detect_zeroes", driver.detect_zeroes is not None),
            ("metadata_cache", driver.metadata_cache is not None),
        ]
    there += [
        ("readonly", disk.readonly),
        ("backingStore", disk.backingStore is not None),
        (
            "encryption",
            disk.encryption is not None or (source is not None and source.encryption is not None),
        ),
        ("geometry", disk.geometry is not None and disk.geometry.cyls is not None),
        (
            "blockio",
            block is not None
            and (block.logical_block_size is not None or block.physical_block_size is not None),
        ),
        ("iotune", disk.iotune is not None and disk.iotune != type(disk.iotune)()),
        ("shareable", disk.shareable),
        ("transient", disk.transient is not None),
        ("serial", disk.serial is not None),
        ("wwn", disk.wwn is not None),
        ("vendor", disk.vendor is not None),
        ("product", disk.product is not None),
    ]
    for name, given in there:
        if given:
            raise refuse(f"{name} is not supported with vhostuser disk")


def _source(disk: Disk) -> None:
    """Check where the bytes of a disk are."""
    source = disk.source
    if isinstance(source, FileSource) and source.fdgroup is not None:
        assert disk.target is not None
        raise refuse(f"driver does not support FD passing for disk '{disk.target.dev}'")
    auth = disk.auth or (source.auth if source is not None else None)
    if isinstance(source, NetworkSource):
        if auth is not None and source.protocol not in ("iscsi", "rbd"):
            raise refuse(f"authentication is not supported for protocol '{source.protocol}'")
        if source.snapshot is not None and source.protocol != "rbd":
            raise refuse("<snapshot> element is currently supported only with 'rbd' disks")
        if source.config is not None and source.protocol != "rbd":
            raise refuse("<config> element is currently supported only with 'rbd' disks")
    encryption = disk.encryption or (source.encryption if source is not None else None)
    if encryption is not None and encryption.cipher is not None:
        raise refuse("supplying <cipher> for domain disk definition is unnecessary")
