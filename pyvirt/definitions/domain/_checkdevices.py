"""
What is refused of a single device, whatever the rest of the domain is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pyvirt.definitions.domain._chardev import CharSource
from pyvirt.definitions.domain._controller import Controller
from pyvirt.definitions.domain._disk import Disk
from pyvirt.definitions.domain._display import Input, Video
from pyvirt.definitions.domain._hostdev import HostDev
from pyvirt.definitions.domain._net import Interface
from pyvirt.definitions.domain._small import Filesystem, IOMMUDriver, MemoryDevice
from pyvirt.definitions.domain._source import FileSource, NetworkSource
from pyvirt.definitions.domain._top import DomainDefinition
from pyvirt.definitions.kinds import xmlError
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["checkDevices"]


def refuse(detail: str) -> VirtError:
    """Make the error of a configuration that is not supported."""
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, ErrorDomain.DOMAIN)


def internal(detail: str) -> VirtError:
    """Make an internal error, as older checks give."""
    return virtError(ErrorCode.INTERNAL_ERROR, detail, ErrorDomain.DOMAIN)


def detail(text: str) -> VirtError:
    """Make an error that is only its text."""
    return virtError(ErrorCode.XML_DETAIL, text, ErrorDomain.DOMAIN)


def checkDevices(definition: DomainDefinition) -> None:
    """
    Check every device by itself, in libvirt's order.

    @raise VirtError: with the first thing wrong.
    """
    devices = definition.devices
    for disk in devices.disks:
        checkDisk(disk)
    for nic in devices.interfaces:
        checkInterface(nic)
    checkPlaces(devices.sounds)
    audios = {audio.id for audio in devices.audios}
    for sound in devices.sounds:
        if sound.audio is not None and sound.audio not in audios:
            raise xmlError(f"no audio device with ID {sound.audio}")
    for nic in devices.interfaces:
        checkPassedThrough(nic)
    for host in devices.hostdevs:
        checkHostDev(host)
    for video in devices.videos:
        checkPlaces((video,))
        checkVideo(video)
    for controller in devices.controllers:
        checkPlaces((controller,))
        checkController(controller)
    for card in devices.smartcards:
        checkPlaces((card,))
        if card.address is not None and card.address.type != "ccid":
            raise refuse("Controllers must use the 'ccid' address type")
        checkEnd(card.source)
    ports: tuple[Any, ...] = (*devices.serials, *devices.parallels)
    for port in ports:
        checkPlaces((port,))
        checkEnd(port.source)
    for channel in devices.channels:
        checkPlaces((channel,))
        checkEnd(channel.source, channel.target.type in ("virtio", "xen"))
    for console in devices.consoles:
        checkPlaces((console,))
        checkEnd(console.source)
    for item in devices.inputs:
        checkPlaces((item,))
        checkInput(item)
    for filesystem in devices.filesystems:
        checkPlaces((filesystem,))
        checkFilesystem(filesystem)
    checkPlaces(devices.watchdogs)
    checkPlaces((devices.memballoon,))
    for rng in devices.rngs:
        checkPlaces((rng,))
        checkEnd(rng.backend.source if rng.backend is not None else None)
    checkPlaces((devices.nvram,))
    checkPlaces(devices.hubs)
    for shmem in devices.shmems:
        checkPlaces((shmem,))
        if "/" in shmem.name:
            raise refuse("shmem name cannot include '/' character")
        if shmem.name in (".", ".."):
            raise refuse(f"shmem name cannot be equal to '{shmem.name}'")
    for tpm in devices.tpms:
        checkPlaces((tpm,))
        if tpm.backend.banks and tpm.backend.version != "2.0":
            raise xmlError("<active_pcr_banks/> requires TPM version '2.0'")
    checkPlaces(devices.panics)
    for memory in devices.memories:
        checkPlaces((memory,))
        checkMemory(memory, definition)
    usb = any(each.type == "usb" and each.model != "none" for each in devices.controllers)
    for redirdev in devices.redirdevs:
        checkPlaces((redirdev,))
        if not usb:
            raise refuse("cannot add redirected USB device: USB is disabled for this domain")
        checkEnd(redirdev.source)
    checkPlaces((devices.iommu,))
    checkIOMMU(definition)
    vsock = devices.vsock
    checkPlaces((vsock,))
    if vsock is not None:
        virtioOptions(vsock.driver, (vsock.model or "").startswith("virtio"))
    if vsock is not None and vsock.cid is not None:
        address = vsock.cid.address
        if address is not None and address < 3:
            raise refuse("guest CIDs must be >= 3")


def checkPlaces(group: Iterable[Any]) -> None:
    """Only devices of the host may have no place in the guest."""
    for device in group:
        if (
            device is not None
            and device.address is not None
            and device.address.type == "unassigned"
        ):
            raise refuse("address of type 'unassigned' is supported only for hostdevs")


def checkVideo(video: Video) -> None:
    """Check one video device."""
    driver, model = video.driver, video.model
    if model.type == "none":
        return
    outside = driver is not None and driver.name == "vhostuser"
    if outside and model.type != "virtio":
        raise refuse("'vhostuser' driver is only supported with 'virtio' device")
    if not outside and model.acceleration is not None and model.acceleration.rendernode:
        raise refuse("unsupported rendernode accel attribute without 'vhostuser'")
    virtioOptions(driver, model.type == "virtio")
    for name in ("ram", "vram64", "vgamem"):
        if getattr(model, name) is not None and model.type != "qxl":
            raise refuse(f"{name} attribute only supported for video type qxl")


def checkFilesystem(filesystem: Filesystem) -> None:
    """Check one filesystem."""
    source = filesystem.source
    places = (
        () if source is None else (source.dir, source.file, source.dev, source.name, source.socket)
    )
    if source is None or all(place is None for place in (*places, source.usage, source.pool)):
        raise virtError(ErrorCode.NO_SOURCE, filesystem.target or None, ErrorDomain.DOMAIN)
    if not filesystem.target:
        where = next((place for place in places if place), None)
        raise virtError(ErrorCode.NO_TARGET, where, ErrorDomain.DOMAIN)
    virtiofs = filesystem.driver is not None and filesystem.driver.type == "virtiofs"
    if filesystem.boot is not None and not virtiofs:
        raise refuse("boot order is only supported for virtiofs")


#: Where mediated devices of a model are in the guest.
_MDEV_PLACES = {"vfio-pci": "pci", "vfio-ccw": "ccw"}


def checkHostDev(host: HostDev) -> None:
    """Check the address of one device of the host."""
    kind = host.address.type if host.address is not None else None
    if host.mode != "subsystem" or kind is None:
        return
    if host.type == "mdev" and kind != _MDEV_PLACES.get(host.model or "", kind):
        raise xmlError(
            f"Unsupported address type '{kind}' with mediated device model '{host.model}'"
        )
    if host.type == "pci" and kind not in ("pci", "unassigned"):
        raise internal("PCI host devices must use 'pci' or 'unassigned' address type")
    if host.type == "scsi" and kind != "drive":
        raise refuse("SCSI host device must use 'drive' address type")
    if host.type == "usb" and kind != "usb":
        raise refuse("USB host device must use 'usb' address type")
    if host.type == "scsi_host" and kind not in ("pci", "ccw"):
        raise refuse("SCSI_host host device must use 'pci' or 'ccw' address type")


def checkPassedThrough(nic: Interface) -> None:
    """Check the address of an interface that is a device of the host."""
    if nic.type != "hostdev" or nic.source is None or nic.source.pci is None or nic.address is None:
        return
    kind = nic.address.type
    if nic.source.pci.type == "pci" and kind not in ("pci", "unassigned"):
        raise internal("PCI host devices must use 'pci' or 'unassigned' address type")
    if nic.source.pci.type == "usb" and kind != "usb":
        raise refuse("USB host device must use 'usb' address type")


def checkIOMMU(definition: DomainDefinition) -> None:
    """Check the IOMMU of the guest."""
    iommu, features = definition.devices.iommu, definition.features
    if iommu is None:
        return
    if iommu.model in ("smmuv3", "virtio") and iommu.driver not in (None, IOMMUDriver()):
        raise xmlError(f"iommu model '{iommu.model}' doesn't support additional attributes")
    if iommu.model != "virtio" and iommu.address is not None:
        raise xmlError(f"iommu model '{iommu.model}' can't have address")
    if iommu.driver is not None:
        if iommu.driver.intremap and (
            features is None or features.ioapic is None or features.ioapic.driver != "qemu"
        ):
            raise refuse("IOMMU interrupt remapping requires split I/O APIC (ioapic driver='qemu')")
        if iommu.driver.eim and not iommu.driver.intremap:
            raise refuse("IOMMU eim requires interrupt remapping to be enabled")


def checkMemory(memory: MemoryDevice, definition: DomainDefinition) -> None:
    """Check a memory module."""
    target, model = memory.target, memory.model
    assert target is not None
    cells = 0
    if definition.cpu is not None and definition.cpu.numa is not None:
        cells = len(definition.cpu.numa.cells)
    if target.node is not None:
        if not cells:
            raise detail("can't add memory backend as guest has no NUMA nodes configured")
        if target.node >= cells:
            raise detail(
                f"can't add memory backend for guest node '{target.node}' as the guest has only "
                f"'{cells}' NUMA nodes configured"
            )
    if model in ("nvdimm", "virtio-pmem"):
        if memory.source is None or memory.source.path is None:
            raise detail(f"path is required for model '{model}'")
        if model == "nvdimm":
            if memory.discard:
                raise refuse("discard is not supported for nvdimms")
            if memory.uuid is not None and not (definition.os.type.arch or "").startswith("ppc64"):
                raise refuse("UUID is not supported for NVDIMM device")
        else:
            if memory.discard:
                raise refuse(f"discard is not supported for model '{model}'")
            if memory.access != "shared":
                raise refuse("shared access mode required for virtio-pmem device")
            if target.node is not None:
                raise refuse("virtio-pmem does not support NUMA nodes")
    elif model == "virtio-mem":
        block, requested, size = target.block or 0, target.requested or 0, target.size or 0
        if requested > size:
            raise detail(f"requested size must be smaller than or equal to @size ({size}KiB)")
        if block <= 0 or block & (block - 1):
            raise detail("block size must be a power of two")
        if requested % block:
            raise detail("requested size must be an integer multiple of block size")
    elif model == "sgx-epc" and memory.address is not None:
        raise refuse("memory device address is not supported for model 'sgx-epc'")


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
    checkPlaces((disk,))
    if disk.type == "vhostuser" and bus != "virtio":
        raise refuse("vhostuser disk supports only virtio bus")
    checkSource(disk)
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
        if disk.encryption is not None or (source is not None and source.encryption is not None):
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
        elif bus == "usb" and address.type != "usb":
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
    if disk.startup not in (None,):
        pass
    policy = source.startupPolicy if source is not None else None
    if policy is not None:
        if isinstance(source, NetworkSource):
            raise xmlError(
                f"disk startupPolicy '{policy}' is not allowed for disk of 'network' type"
            )
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
    if empty and disk.device not in ("cdrom", "floppy") and disk.type != "block":
        raise virtError(ErrorCode.NO_SOURCE, target.dev, ErrorDomain.DOMAIN)
    if target.removable is not None and bus != "usb":
        raise xmlError("removable is only valid for usb disks")


def checkInterface(nic: Interface) -> None:
    """Check one interface."""
    kind = nic.type or "user"
    name = nic.mac.address if nic.mac is not None else ""
    virtio = (nic.model or "").startswith("virtio")
    checkPlaces((nic,))
    source = nic.source
    if source is not None and (source.ips or source.routes) and kind != "ethernet":
        raise refuse(
            "Invalid attempt to set network interface host-side IP route and/or address info on "
            f"interface of type '{kind}'. This is only supported on interfaces of type 'ethernet'"
        )
    if nic.target is not None and nic.target.managed is False and kind != "ethernet":
        raise refuse(f"unmanaged target dev is not supported on interfaces of type '{kind}'")
    teaming = nic.teaming
    if teaming is not None:
        if teaming.type == "transient":
            if not teaming.persistent:
                raise refuse(
                    "teaming persistent attribute must be set if teaming type is 'transient'"
                )
        elif teaming.type is None:
            pass
        elif teaming.persistent is not None:
            raise refuse(
                f"teaming persistent attribute not allowed if teaming type is '{teaming.type}'"
            )
    if nic.portIsolated is True and kind not in ("network", "bridge"):
        raise refuse(
            f"interface {name} - <port isolated='yes'/> is not supported for network interfaces "
            f"with type='{kind}'"
        )
    virtioOptions(nic.driver, virtio)
    if kind == "vhostuser":
        if not virtio:
            raise internal(
                "Wrong or no <model> 'type' attribute specified with <interface "
                "type='vhostuser'/>. vhostuser requires the virtio-net* frontend"
            )
        if (
            source is not None
            and source.mode == "server"
            and source.reconnect is not None
            and source.reconnect.enabled
        ):
            raise refuse(
                "'reconnect' attribute unsupported 'server' mode for <interface type='vhostuser'>"
            )


_CHANNEL = re.compile("[A-Za-z0-9_.-]*").fullmatch


def checkEnd(source: CharSource | None, virtioChannel: bool = False) -> None:
    """Check the host's end of a character device."""
    if source is None:
        return
    kind = source.type
    if kind in ("dev", "file", "pipe") or (kind == "unix" and not virtioChannel):
        if not source.path:
            raise internal("Missing source path attribute for char device")
    elif kind == "nmdm":
        if (source.master is None) != (source.slave is None):
            raise internal("Should define both master and slave path attributes for nmdm device")
    elif kind == "tcp":
        if source.host is None:
            raise internal("Missing source host attribute for char device")
        if source.service is None:
            raise internal("Missing source service attribute for char device")
    elif kind == "udp":
        if source.service is None:
            raise internal("Missing source service attribute for char device")
    elif kind in ("spiceport", "dbus") and source.channel is None:
        raise refuse("Missing source channel attribute for char device")
    elif kind in ("spiceport", "dbus") and not _CHANNEL(source.channel or ""):
        raise virtError(
            ErrorCode.INVALID_ARG,
            "Invalid character in source channel for char device",
            ErrorDomain.DOMAIN,
        )
    if (
        kind in ("tcp", "unix")
        and source.mode == "bind"
        and source.reconnect is not None
        and source.reconnect.enabled is not None
    ):
        raise internal("chardev reconnect is possible only for connect mode")


def checkInput(item: Input) -> None:
    """Check one input."""
    if item.type == "evdev" and item.bus is not None:
        raise refuse("input evdev doesn't support bus element")
    if item.bus != "virtio":
        if item.model is not None:
            raise refuse(f"only bus 'virtio' is supported for input model '{item.model}'")
        if item.type == "passthrough":
            raise refuse("only bus 'virtio' is supported for 'passthrough' input devices")


def checkController(controller: Controller) -> None:
    """Check one controller."""
    driver = controller.driver
    scsi = controller.type == "scsi" and (controller.model or "").startswith("virtio")
    if driver is not None and driver.iothread is not None and not scsi:
        raise xmlError("'iothread' attribute only supported for virtio scsi controllers")
    if controller.type == "pci":
        checkPCI(controller)


#: Numbers of a PCI controller, and what they may be.
_RANGES = (
    ("chassisNr", "chassisNr", 1, 255),
    ("chassis", "chassis", 0, 255),
    ("port", "port", 0, 255),
    ("busNr", "busNr", 1, 254),
    ("index", "target index", 0, 30),
)


def checkPCI(controller: Controller) -> None:
    """Check one PCI controller."""
    root = controller.model in ("pci-root", "pcie-root")
    if root and controller.address is not None:
        raise refuse("pci-root and pcie-root controllers should not have an address")
    target = controller.target
    if target is None:
        return
    for name, label, least, most in _RANGES:
        value = getattr(target, name)
        if value is not None and not least <= value <= most:
            raise refuse(f"PCI controller {label} '{value}' out of range - must be {least}-{most}")
    if target.index is not None and (target.index == 0) != (controller.index == 0):
        raise refuse("Only the PCI controller with index 0 can have target index 0, and vice versa")
    if target.node is not None and controller.index == 0:
        raise refuse("The PCI controller with index=0 can't be associated with a NUMA node")


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
