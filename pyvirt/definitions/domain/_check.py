"""
What makes a well-read definition impossible: the checks that libvirt makes after completing one.

The order is libvirt's: first each device, then the domain, because the first thing wrong decides the error.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain._address import DriveAddress, PlainAddress
from pyvirt.definitions.domain._disk import Disk
from pyvirt.definitions.domain._source import FileSource, NetworkSource
from pyvirt.definitions.domain._top import DomainDefinition
from pyvirt.definitions.kinds import xmlError
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["check"]


def refuse(detail: str) -> VirtError:
    """Make the error of a configuration that is not supported."""
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, ErrorDomain.DOMAIN)


def internal(detail: str) -> VirtError:
    """Make an internal error, as older checks give."""
    return virtError(ErrorCode.INTERNAL_ERROR, detail, ErrorDomain.DOMAIN)


def check(definition: DomainDefinition) -> None:
    """
    Complain of a definition whose parts contradict each other.

    @raise VirtError: with the first thing wrong.
    """
    devices = definition.devices
    for disk in devices.disks:
        checkDisk(disk)
    for rng in devices.rngs:
        virtioOptions(rng.driver, True)


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


def checkDisk(disk: Disk) -> None:
    """Check one disk."""
    target, source, driver = disk.target, disk.source, disk.driver
    assert target is not None
    bus = target.bus
    if disk.address is not None and disk.address.type == "unassigned":
        raise refuse("address of type 'unassigned' is supported only for hostdevs")
    checkSource(disk)
    if disk.device == "lun":
        if isinstance(source, NetworkSource):
            if source.protocol != "iscsi":
                raise refuse(f"disk device='lun' is not supported for protocol='{source.protocol}'")
        elif disk.type not in ("block", "volume"):
            raise refuse("disk device='lun' is only valid for block type disk source")
        if driver is not None and driver.type not in (None, "raw", "none"):
            raise refuse("disk device 'lun' must use 'raw' format")
        if source is not None and source.slice is not None:
            raise refuse("disk device 'lun' doesn't support storage slice")
        if source is not None and source.encryption is not None:
            raise refuse("disk device 'lun' doesn't support encryption")
    else:
        if source is not None and source.reservations is not None:
            raise refuse("<reservations/> allowed only for lun devices")
        if disk.rawio is not None:
            raise refuse("rawio can be used only with device='lun'")
    if disk.sgio == "unfiltered":
        raise refuse("unfiltered sgio is no longer supported")
    if disk.sgio is not None and disk.device != "lun":
        raise refuse("sgio can be used only with device='lun'")
    tune = disk.iotune
    if tune is not None:
        for name in _TUNED:
            kind = name.replace("_max", "")
            tail = "_max" if name.endswith("_max") else ""
            if getattr(tune, f"total_{kind}{tail}") and (
                getattr(tune, f"read_{kind}{tail}") or getattr(tune, f"write_{kind}{tail}")
            ):
                raise xmlError(f"total and read/write {name} cannot be set at the same time")
    address = disk.address
    if address is not None:
        if bus in ("scsi", "ide", "sata", "fdc"):
            if address.type != "drive":
                raise refuse(
                    f"Invalid address type '{address.type}' for the disk '{target.dev}' with the "
                    f"bus type '{bus}'"
                )
        elif bus == "usb":
            if address.type != "usb":
                raise refuse(
                    f"Invalid address type '{address.type}' for the disk '{target.dev}' with the "
                    f"bus type '{bus}'"
                )
        elif bus == "virtio" and address.type not in ("pci", "ccw", "virtio-mmio", "virtio-s390"):
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
    if target.removable is not None and bus != "usb":
        raise xmlError("removable is only valid for usb disks")
    if disk.startup not in (None,):
        pass
    policy = source.startupPolicy if source is not None else None
    if policy is not None:
        if isinstance(source, NetworkSource):
            raise xmlError(f"disk startupPolicy '{policy}' is not allowed for disk of 'network' type")
        if policy == "requisite" and disk.device not in ("cdrom", "floppy"):
            raise xmlError("disk startupPolicy 'requisite' is allowed only for cdrom or floppy")
    for text, what, most in ((disk.vendor, "vendor", 8), (disk.product, "product", 16)):
        if text is not None:
            if not all(" " <= char <= "~" for char in text):
                raise xmlError(f"disk {what} is not printable string")
            if len(text) > most:
                raise refuse(f"disk {what} is more than {most} characters")
    if target.tray is not None and disk.device not in ("cdrom", "floppy"):
        raise refuse("tray is only valid for cdrom and floppy")
    empty = source is None or source.isEmpty
    if empty and disk.device not in ("cdrom", "floppy"):
        raise virtError(ErrorCode.NO_SOURCE, target.dev, ErrorDomain.DOMAIN)


def checkSource(disk: Disk) -> None:
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
