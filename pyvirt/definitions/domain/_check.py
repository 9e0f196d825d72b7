"""
What makes a well-read definition impossible: the checks that libvirt makes after completing one.

The order is libvirt's: first each device, then the domain, because the first thing wrong decides the error.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain._chardev import CharSource
from pyvirt.definitions.domain._controller import Controller
from pyvirt.definitions.domain._disk import Disk
from pyvirt.definitions.domain._display import Input
from pyvirt.definitions.domain._hostdev import HostDev
from pyvirt.definitions.domain._net import Interface
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


def detail(text: str) -> VirtError:
    """Make an error that is only its text."""
    return virtError(ErrorCode.XML_DETAIL, text, ErrorDomain.DOMAIN)


def check(definition: DomainDefinition) -> None:
    """
    Complain of a definition whose parts contradict each other.

    @raise VirtError: with the first thing wrong.
    """
    devices = definition.devices
    for disk in devices.disks:
        checkDisk(disk)
    for filesystem in devices.filesystems:
        source = filesystem.source
        if source is None or not any(
            (
                source.dir,
                source.file,
                source.dev,
                source.name,
                source.socket,
                source.usage,
                source.pool,
            )
        ):
            raise virtError(ErrorCode.NO_SOURCE, filesystem.target or None, ErrorDomain.DOMAIN)
        if filesystem.target is None:
            where = None
            if source is not None:
                where = source.dir or source.file or source.dev or source.name or source.socket
            raise virtError(ErrorCode.NO_TARGET, where, ErrorDomain.DOMAIN)
    for nic in devices.interfaces:
        checkInterface(nic)
    ports: tuple[Any, ...] = (*devices.serials, *devices.parallels, *devices.consoles)
    for port in ports:
        checkEnd(port.source)
    for channel in devices.channels:
        checkEnd(channel.source, channel.target.type == "virtio")
    for smartcard in devices.smartcards:
        checkEnd(smartcard.source)
    for redirdev in devices.redirdevs:
        checkEnd(redirdev.source)
    for rng in devices.rngs:
        checkEnd(rng.backend.source if rng.backend is not None else None)
    for shmem in devices.shmems:
        if "/" in shmem.name:
            raise refuse("shmem name cannot include '/' character")
        if shmem.name in (".", ".."):
            raise refuse(f"shmem name cannot be equal to '{shmem.name}'")
    for controller in devices.controllers:
        checkController(controller)
    iommu = devices.iommu
    if iommu is not None:
        if iommu.model in ("smmuv3", "virtio") and iommu.driver is not None:
            raise xmlError(f"iommu model '{iommu.model}' doesn't support additional attributes")
        if iommu.model != "virtio" and iommu.address is not None:
            raise xmlError(f"iommu model '{iommu.model}' can't have address")
        if iommu.driver is not None:
            features = definition.features
            if iommu.driver.intremap and (
                features is None or features.ioapic is None or features.ioapic.driver != "qemu"
            ):
                raise refuse(
                    "IOMMU interrupt remapping requires split I/O APIC (ioapic driver='qemu')"
                )
            if iommu.driver.eim and not iommu.driver.intremap:
                raise refuse("IOMMU eim requires interrupt remapping to be enabled")
    for card in devices.smartcards:
        if card.address is not None and card.address.type != "ccid":
            raise refuse("Controllers must use the 'ccid' address type")
    for memory in devices.memories:
        path = memory.source.path if memory.source is not None else None
        if memory.model == "nvdimm" and path is None:
            raise detail("path is required for model 'nvdimm'")
        arch = definition.os.type.arch or ""
        if memory.model == "nvdimm" and memory.uuid is not None and not arch.startswith("ppc64"):
            raise refuse("UUID is not supported for NVDIMM device")
        if memory.model == "virtio-pmem" and path is None:
            raise detail("path is required for model 'virtio-pmem'")
    for tpm in devices.tpms:
        if tpm.backend.banks and tpm.backend.version != "2.0":
            raise xmlError("<active_pcr_banks/> requires TPM version '2.0'")
    for host in devices.hostdevs:
        if host.mode != "subsystem":
            continue
        kind = host.address.type if host.address is not None else None
        if kind is None:
            continue
        if host.type == "pci" and kind not in ("pci", "unassigned"):
            raise internal("PCI host devices must use 'pci' or 'unassigned' address type")
        if host.type == "scsi" and kind != "drive":
            raise internal("SCSI host device must use 'drive' address type")
        if host.type == "usb" and kind != "usb":
            raise refuse("USB host device must use 'usb' address type")
        if host.type == "scsi_host" and kind not in ("pci", "ccw"):
            raise refuse("SCSI_host host device must use 'pci' or 'ccw' address type")
    if len(devices.videos) > 1 and any(v.model.type == "none" for v in devices.videos):
        raise refuse("a 'none' video type must be the only video device defined for the domain")
    for video in devices.videos:
        if (
            video.driver is not None
            and video.driver.name == "vhostuser"
            and video.model.type != "virtio"
        ):
            raise refuse("'vhostuser' driver is only supported with 'virtio' device")
        virtioOptions(video.driver, video.model.type == "virtio")
    for item in devices.inputs:
        checkInput(item)
    audios = {audio.id for audio in devices.audios}
    for sound in devices.sounds:
        if sound.audio is not None and sound.audio not in audios:
            raise xmlError(f"no audio device with ID {sound.audio}")
    checkDomain(definition)


def checkDomain(definition: DomainDefinition) -> None:
    """Check what concerns the domain as a whole."""
    devices, os = definition.devices, definition.os
    if devices.vsock is not None and devices.vsock.cid is not None:
        address = devices.vsock.cid.address
        if address is not None and address < 3:
            raise refuse("guest CIDs must be >= 3")
    usb = any(c.type == "usb" and c.model != "none" for c in devices.controllers)
    if devices.redirdevs and not usb:
        raise refuse("cannot add redirected USB device: USB is disabled for this domain")
    cells = 0
    if definition.cpu is not None and definition.cpu.numa is not None:
        cells = len(definition.cpu.numa.cells)
    for memory in devices.memories:
        node = memory.target.node if memory.target is not None else None
        if memory.model in ("dimm", "nvdimm", "virtio-mem") and node is not None:
            if not cells:
                raise detail("can't add memory backend as guest has no NUMA nodes configured")
            if node >= cells:
                raise detail(
                    f"can't add memory backend for guest node '{node}' as the guest has only "
                    f"'{cells}' NUMA nodes configured"
                )
    for position, host in enumerate(devices.hostdevs):
        if any(sameDevice(other, host) for other in devices.hostdevs[:position]):
            raise xmlError("Hostdev already exists in the domain configuration")
    targets: dict[str | None, Disk] = {}
    for disk in devices.disks:
        name = disk.target.dev if disk.target is not None else None
        other = targets.setdefault(name, disk)
        if other is not disk:
            raise xmlError(
                f"target '{name}' duplicated for disk sources '{_where(other)}' and "
                f"'{_where(disk)}'"
            )
    seen: set[tuple[str, int | None]] = set()
    for controller in devices.controllers:
        if controller.type == "usb":
            continue
        place = (controller.type, controller.index)
        if place in seen:
            raise xmlError(
                f"Multiple '{controller.type}' controllers with index '{controller.index}'"
            )
        seen.add(place)
    checkAliases(definition)
    backing = definition.memoryBacking
    if backing is not None and backing.hugepages is not None:
        for page in backing.hugepages.pages:
            for number in sorted(page.nodeset or ()):
                if number >= cells:
                    raise detail(f"hugepages: node {number} not found")
    checkTimers(definition)
    cpu = definition.cpu
    if cpu is not None and cpu.check is not None and cpu.mode is None:
        raise refuse("check attribute specified for CPU with no model")
    tune = definition.cputune
    if tune is not None:
        checkTune(definition)
    if os.type.name == "exe" and os.init is None:
        raise xmlError("init binary must be specified")
    if "/" in definition.name:
        raise xmlError(f"name {definition.name} cannot contain '/'")
    menu = os.bootmenu
    if menu is not None and menu.timeout is not None and menu.timeout > 65535:
        raise refuse("invalid value for boot menu timeout, must be in range [0,65535]")
    timeout = os.bios.rebootTimeout if os.bios is not None else None
    if timeout is not None and not -1 <= timeout <= 65535:
        raise refuse("invalid value for rebootTimeout, must be in range [-1,65535]")
    loader = os.loader
    if loader is not None and os.firmware is None:
        if loader.path is None:
            raise detail("no loader path specified and firmware auto selection disabled")
        if loader.stateless and os.nvram is not None:
            raise detail("NVRAM is not permitted when loader is stateless")
    if definition.iothreadids is not None:
        for thread in definition.iothreadids.threads:
            checkPool(thread)
    if definition.defaultiothread is not None:
        checkPool(definition.defaultiothread)


def sameDevice(one: HostDev, other: HostDev) -> bool:
    """Return whether two devices of the host are one."""
    if (one.mode, one.type) != (other.mode, other.type):
        return False
    if one.type == "usb":
        if one.source.bus and one.source.device:
            return (one.source.bus, one.source.device) == (other.source.bus, other.source.device)
        return (one.source.vendor, one.source.product) == (
            other.source.vendor,
            other.source.product,
        )
    if one.type == "pci":
        return one.source.pci == other.source.pci
    return one.source == other.source


def checkTimers(definition: DomainDefinition) -> None:
    """Each timer has some options and not others."""
    for timer in definition.clock.timers:
        name = timer.name
        if name in ("kvmclock", "hypervclock", "armvtimer") and timer.tickpolicy is not None:
            raise refuse(f"timer {name} doesn't support setting of timer tickpolicy")
        if timer.tickpolicy != "catchup" and timer.catchup is not None:
            raise xmlError(
                "setting of timer catchup policies is only supported with tickpolicy='catchup'"
            )
        if name != "tsc" and timer.frequency is not None:
            raise refuse(f"timer {name} doesn't support setting of timer frequency")
        if name != "tsc" and timer.mode is not None:
            raise refuse(f"timer {name} doesn't support setting of timer mode")
        if name not in ("platform", "rtc") and timer.track is not None:
            raise refuse(f"timer {name} doesn't support setting of timer track")


_QUOTA = 17592186044415


def checkTune(definition: DomainDefinition) -> None:
    """Shares, periods and quotas have bounds; pins are of threads that are there."""
    tune = definition.cputune
    assert tune is not None
    threads = (
        {each.id for each in definition.iothreadids.threads} if definition.iothreadids else set()
    )
    if not threads:
        threads = set(range(1, (definition.iothreads or 0) + 1))
    if tune.shares is not None and not 2 <= tune.shares <= 262144:
        raise refuse("Value of cputune 'shares' must be in range [2, 262144]")
    for name in ("", "global_", "emulator_", "iothread_"):
        word = name.rstrip("_")
        period = getattr(tune, f"{word}Period" if word else "period")
        quota = getattr(tune, f"{word}Quota" if word else "quota")
        if period is not None and not 1000 <= period <= 1000000:
            raise refuse(f"Value of cputune '{name}period' must be in range [1000, 1000000]")
        if quota is not None and quota >= 0 and not 1000 <= quota <= _QUOTA:
            raise refuse(f"Value of cputune '{name}quota' must be in range [1000, {_QUOTA}]")


def checkPool(pool: Any) -> None:
    """Check the bounds of a pool of threads."""
    if pool.threadPoolMax == 0:
        raise refuse("thread_pool_max must be a positive integer")
    if pool.threadPoolMin is not None and pool.threadPoolMin > (
        -1 if pool.threadPoolMax is None else pool.threadPoolMax
    ):
        raise refuse("thread_pool_min must be smaller or equal to thread_pool_max")


def _where(disk: Disk) -> str:
    source = disk.source
    for name in ("file", "dev", "dir", "path", "name"):
        text = getattr(source, name, None)
        if text:
            return str(text)
    return "<null>"


def checkAliases(definition: DomainDefinition) -> None:
    """An alias names one device."""
    devices = definition.devices
    seen: set[str] = set()
    for group in (
        devices.disks,
        devices.interfaces,
        devices.filesystems,
        devices.sounds,
        devices.hostdevs,
        devices.videos,
        devices.controllers,
        devices.smartcards,
        devices.serials,
        devices.parallels,
        devices.channels,
        devices.inputs,
        devices.shmems,
        devices.hubs,
        devices.watchdogs,
        devices.rngs,
        devices.panics,
        devices.tpms,
        devices.memories,
        devices.redirdevs,
    ):
        for device in group:
            alias = device.alias
            if alias is not None:
                if alias in seen:
                    raise refuse(f"non unique alias detected: {alias}")
                seen.add(alias)


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
    empty = source is None or source.isEmpty
    if empty and disk.device not in ("cdrom", "floppy") and disk.type != "block":
        raise virtError(ErrorCode.NO_SOURCE, target.dev, ErrorDomain.DOMAIN)
    if target.tray is not None and disk.device not in ("cdrom", "floppy"):
        raise refuse("tray is only valid for cdrom and floppy")


def checkInterface(nic: Interface) -> None:
    """Check one interface."""
    kind = nic.type or "user"
    name = nic.mac.address if nic.mac is not None else ""
    virtio = (nic.model or "").startswith("virtio")
    if nic.address is not None and nic.address.type == "unassigned":
        raise refuse("address of type 'unassigned' is supported only for hostdevs")
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
            if teaming.persistent is None:
                raise refuse(
                    "teaming persistent attribute must be set if teaming type is 'transient'"
                )
        elif teaming.type is None:
            raise refuse("unknown teaming type '(null)'")
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
        if source is not None and source.mode == "server" and source.reconnect is not None:
            raise refuse(
                "'reconnect' attribute unsupported 'server' mode for <interface type='vhostuser'>"
            )


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
    if (
        kind in ("tcp", "unix")
        and source.mode == "bind"
        and source.reconnect is not None
        and source.reconnect.enabled
    ):
        raise internal("chardev reconnect is possible only for connect mode")


def checkInput(item: Input) -> None:
    """Check one input."""
    if item.type == "evdev":
        if item.bus is not None:
            raise refuse("input evdev doesn't support bus element")
        if item.model is None and (item.source is None or item.source.dev is None):
            raise xmlError("Missing evdev path for input device")
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
