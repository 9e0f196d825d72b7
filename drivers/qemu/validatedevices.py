"""
Devices that QEMU cannot have, or not so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain._address import ZPCI, Rom
from pyvirt.definitions.domain._net import CARDS
from pyvirt.definitions.domain._top import DomainDefinition
from pyvirt.definitions.kinds import unsupported
from pyvirt.drivers.qemu.machine import hasBuiltinIDE, isQ35, isVirt, isX86
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.drivers.qemu.validatedisks import checkDisk, checkPlace, knowsThread, sharesMemory
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.capabilities import BinaryCapabilities

__all__ = ["checkEnd", "checkModule", "checkNumbers", "checkPanics", "deviceCheck"]


def refuse(detail: str) -> VirtError:
    """Make the complaint of something that is not supported."""
    error = unsupported(detail)("", None, "")
    error.domain = ErrorDomain.QEMU
    return error


def _xml(detail: str) -> VirtError:
    return virtError(ErrorCode.XML_ERROR, detail, ErrorDomain.QEMU)


def deviceCheck(
    definition: DomainDefinition, capabilities: BinaryCapabilities, settings: Any
) -> Callable[[str, Any], None]:
    """Return what complains of a device, told its kind and itself, that QEMU cannot have in a domain."""

    def test(kind: str, device: Any) -> None:
        checkPlace(kind, device, definition)
        _place(device, definition)
        if kind == "disks":
            checkDisk(device, definition)
        elif kind in ("tpms", "graphics", "videos"):
            {"tpms": _tpm, "graphics": _graphics, "videos": _video}[kind](
                device, definition, capabilities, settings
            )
        elif kind in _TESTS:
            _TESTS[kind](device, definition)

    return test


def _place(device: Any, definition: DomainDefinition) -> None:
    """What has a place on a bus that the machine has not, or is called so by a firmware that does not know it."""
    address = getattr(device, "address", None)
    kind = getattr(address, "type", None)
    if getattr(device, "acpiIndex", None) is not None and kind not in (None, "pci"):
        raise refuse("ACPI index is only supported for PCI devices")
    if getattr(address, "zpci", None) not in (None, ZPCI()):
        raise refuse("This QEMU binary doesn't support zPCI")
    if kind == "ccw" and definition.os.type.arch not in ("s390", "s390x"):
        raise refuse(
            f"cannot use CCW address type for device '{device.alias or '<null>'}' using machine "
            f"type '{definition.os.type.machine}'"
        )


_VIRTIO_SCSI = ("virtio-scsi", "virtio-transitional", "virtio-non-transitional")


def _controller(controller: Any, definition: DomainDefinition) -> None:
    machine, arch = definition.os.type.machine or "", definition.os.type.arch
    kind, model, driver = controller.type, controller.model, controller.driver
    virtio = kind == "scsi" and model in _VIRTIO_SCSI
    if driver is not None and not virtio:
        for name in ("queues", "cmd_per_lun", "max_sectors", "ioeventfd"):
            if getattr(driver, name) is not None:
                raise refuse(f"'{name}' is only supported by virtio-scsi controller")
    if kind == "ide":
        if not hasBuiltinIDE(machine, arch):
            raise refuse("IDE controllers are unsupported for this QEMU binary or machine type")
        if controller.index:
            raise refuse("Only a single IDE controller is supported for this machine type")
    elif kind == "scsi":
        if model == "buslogic":
            raise refuse(f"Unsupported controller model: {model}")
        if model == "ncr53c90":
            if controller.index:
                raise refuse("ncr53c90 can only be used as first SCSI controller")
            raise refuse("ncr53c90 SCSI controller is not a built-in for this machine")
        thread = driver.iothread if driver is not None else None
        if thread is not None and virtio and not knowsThread(definition, thread):
            raise refuse(f"controller iothread '{thread}' not defined in iothreadid")
    elif kind == "usb":
        if model in ("nec-xhci", "qemu-xhci") and (controller.ports or 0) > 15:
            raise refuse(f"'{model}' controller only supports up to '15' ports")
    elif kind == "pci":
        _pci(controller, definition)


_NAMES = {
    "pci-bridge": ("pci-bridge",),
    "dmi-to-pci-bridge": ("i82801b11-bridge",),
    "pcie-to-pci-bridge": ("pcie-pci-bridge",),
    "pcie-root-port": ("pcie-root-port", "ioh3420"),
    "pcie-switch-upstream-port": ("x3130-upstream",),
    "pcie-switch-downstream-port": ("xio3130-downstream",),
    "pci-expander-bus": ("pxb",),
    "pcie-expander-bus": ("pxb-pcie",),
}


def _pci(controller: Any, definition: DomainDefinition) -> None:
    model, index, target = controller.model, controller.index or 0, controller.target
    if model in ("pci-root", "pcie-root"):
        return
    bus = getattr(controller.address, "bus", None)
    if bus is not None and bus >= index:
        raise refuse(
            f"PCI controller at index {index} (0x{index:02x}) has bus='0x{bus:02x}', but index must "
            "be larger than bus"
        )
    if controller.modelName is None:
        raise virtError(
            ErrorCode.INTERNAL_ERROR,
            "Required option 'modelName' is not set for PCI controller with index "
            f"'{-1 if controller.index is None else index}', model '{model}' and modelName 'none'",
            ErrorDomain.QEMU,
        )
    if controller.modelName not in _NAMES.get(model, (controller.modelName,)):
        raise refuse(
            f"Option 'modelName' has invalid value for PCI controller with index '{index}', "
            f"model '{model}' and modelName '{controller.modelName}'"
        )
    if target is not None and target.node is not None:
        cells = 0
        if definition.cpu is not None and definition.cpu.numa is not None:
            cells = len(definition.cpu.numa.cells)
        if target.node >= cells:
            raise _xml(
                f"{model} with index {index} is configured for a NUMA node ({target.node}) not "
                f"present in the domain's <cpu><numa> array ({cells})"
            )


def _filesystem(fs: Any, definition: DomainDefinition) -> None:
    if fs.type != "mount":
        raise refuse("only supports mount filesystem type")
    if (fs.fmode is not None or fs.dmode is not None) and fs.accessmode != "mapped":
        raise refuse("fmode and dmode must be used with accessmode=mapped")
    if fs.driver is not None and fs.driver.type == "virtiofs":
        if fs.readonly:
            raise refuse("virtiofs does not yet support read-only mode")
        if fs.model is not None:
            raise refuse("virtiofs does not support model")
        if fs.accessmode not in (None, "passthrough"):
            raise refuse("virtiofs only supports passthrough accessmode")
        if fs.driver.wrpolicy is not None:
            raise refuse("virtiofs does not support wrpolicy")
        if fs.multidevs is not None:
            raise refuse("virtiofs does not support multidevs")
        if not sharesMemory(definition):
            raise refuse("'virtiofs' requires shared memory")


_BRIDGED = ("network", "bridge")
_MTU = ("network", "bridge", "ethernet", "vhostuser")


def _interface(nic: Any, definition: DomainDefinition) -> None:
    virtio = (nic.model or "").startswith("virtio")
    if nic.type == "user":
        families: set[str] = set()
        for ip in nic.ips:
            if ip.peer is not None:
                raise refuse("Invalid attempt to set peer IP for guest")
            family = "ipv6" if ":" in (ip.address or "") else "ipv4"
            if family in families:
                name = "IPv6" if family == "ipv6" else "IPv4"
                raise refuse(f"Only one {name} address per interface is allowed")
            families.add(family)
            if family == "ipv4" and ip.prefix and not 4 <= ip.prefix <= 27:
                raise _xml("invalid prefix, must be in range of 4-27")
    elif nic.ips or nic.routes:
        raise refuse(
            "Invalid attempt to set network interface guest-side IP route and/or address info, "
            "not supported by QEMU"
        )
    if nic.type == "vdpa" and nic.model != "virtio":
        model = nic.model if nic.model in CARDS.values() else "unknown"
        raise refuse(f"invalid model for interface of type 'vdpa': '{model}'")
    teaming = nic.teaming
    if teaming is not None:
        if teaming.type == "persistent" and not virtio:
            raise refuse(
                "virtio-net teaming persistent interface must be <model type='virtio'/>, not "
                f"'{nic.model or '(null)'}'"
            )
        if teaming.type == "transient" and nic.type not in ("hostdev", "network"):
            raise refuse(
                f"virtio-net teaming transient interface must be type='hostdev', not '{nic.type}'"
            )
    if virtio and nic.driver is not None:
        for name in ("rx_queue_size", "tx_queue_size"):
            size = getattr(nic.driver, name)
            if size is not None and size & (size - 1):
                raise refuse(f"{name} has to be a power of two")
    if nic.mtu is not None and nic.type not in _MTU:
        raise refuse(f"setting MTU on interface type {nic.type} is not supported yet")
    coalesced = nic.coalesce is not None and nic.coalesce.frames is not None
    if coalesced and nic.type not in _BRIDGED:
        raise refuse(f"coalesce settings on interface type {nic.type} are not supported")
    given = nic.rom is not None and nic.rom != Rom()
    if given and nic.address is not None and nic.address.type != "pci":
        raise refuse("ROM tuning is only supported for PCI devices")


_TYPES = {
    "isa-serial": "isa-serial",
    "isa-debugcon": "isa-debug",
    "usb-serial": "usb-serial",
    "pci-serial": "pci-serial",
    "spapr-vty": "spapr-vio-serial",
    "pl011": "system-serial",
    "16550a": "system-serial",
    "sclpconsole": "sclp-serial",
    "sclplmconsole": "sclp-serial",
}
_ADDRESSES = {
    "isa-serial": "isa",
    "isa-debug": "isa",
    "usb-serial": "usb",
    "pci-serial": "pci",
    "spapr-vio-serial": "spapr-vio",
}


def _serial(serial: Any, definition: DomainDefinition) -> None:
    checkEnd(serial.source, definition)
    kind, model = serial.target.type, serial.target.model
    wanted = _TYPES.get(model)
    if wanted is not None and wanted != kind:
        raise refuse(f"Target model '{model}' requires target type '{wanted}'")
    place = _ADDRESSES.get(kind)
    if serial.address is not None and place is not None and serial.address.type != place:
        raise refuse(f"Target type '{kind}' requires address type '{place}'")
    if isX86(definition.os.type.arch) and kind in ("sclp-serial", "spapr-vio-serial"):
        raise refuse(
            f"Serial device with target type '{kind}' and target model '{model}' not compatible "
            "with guest architecture or machine type"
        )


def checkNumbers(definition: DomainDefinition) -> None:
    """
    Check of what there may be one.

    @raise VirtError: CONFIG_UNSUPPORTED.
    """
    plain = [each for each in definition.devices.tpms if each.model != "spapr-tpm-proxy"]
    if len(plain) > 1:
        raise refuse("only a single TPM non-proxy device is supported")


def checkEnd(source: Any, definition: DomainDefinition) -> None:
    """
    Check the host's end of a character device.

    @raise VirtError: the guest has no display that it is a channel of.
    """
    if source.type in ("spicevmc", "spiceport") and all(
        each.type != "spice" for each in definition.devices.graphics
    ):
        raise refuse(f"chardev '{source.type}' not supported without spice graphics")


def _tpm(
    tpm: Any, definition: DomainDefinition, capabilities: BinaryCapabilities, settings: Any
) -> None:
    if tpm.model == "tpm-crb" and tpm.backend is not None and tpm.backend.version == "1.2":
        raise refuse("Unsupported interface 'tpm-crb' for TPM 1.2")
    if tpm.model not in capabilities.tpmModels:
        raise refuse(
            f"The QEMU executable {definition.devices.emulator} does not support TPM model "
            f"{tpm.model}"
        )


def _graphics(
    graphics: Any, definition: DomainDefinition, capabilities: BinaryCapabilities, settings: Any
) -> None:
    kind = graphics.type
    if kind == "egl-headless" and any(
        each.type not in ("vnc", "spice", "egl-headless") for each in definition.devices.graphics
    ):
        raise refuse(
            "graphics type 'egl-headless' is only supported with one of: 'vnc', 'spice' graphics "
            "types"
        )
    headless = any(each.type == "egl-headless" for each in definition.devices.graphics)
    if headless and kind == "spice" and graphics.gl is not None and graphics.gl.enable:
        raise refuse("multiple OpenGL displays are not supported by QEMU")
    if kind == "dbus" and graphics.audio is not None:
        for each in definition.devices.audios:
            if each.id == graphics.audio and each.type != "dbus":
                raise refuse("The associated audio is not of 'dbus' kind.")
    if kind in ("rdp", "desktop"):
        raise refuse(f"{kind} graphics are not supported with this QEMU")
    if kind == "vnc" and graphics.passwd is not None and len(graphics.passwd.encode()) > 8:
        raise refuse(
            f"VNC password is {len(graphics.passwd.encode())} characters long, only 8 permitted"
        )
    wantsTLS = kind == "spice" and graphics.tlsPort and graphics.tlsPort > 0
    if wantsTLS and not settings.get("spice_tls"):
        raise refuse("spice TLS port set in XML configuration, but TLS is disabled in qemu.conf")


_PRIMARY_ONLY = ("cirrus", "vga", "vmvga", "ramfb", "bochs")
_MOST = 4194303


def _video(
    video: Any, definition: DomainDefinition, capabilities: BinaryCapabilities, settings: Any
) -> None:
    videos = definition.devices.videos
    # One that is to be plugged in is never the first.
    position = next((n for n, each in enumerate(videos) if each is video), len(videos) + 1)
    model = video.model
    kind = model.type
    if kind in ("xen", "vbox", "parallels", "gop", "default"):
        raise refuse(f"domain configuration does not support video model '{kind}'")
    if position and not model.primary and kind in _PRIMARY_ONLY:
        raise refuse(f"video type '{kind}' is only valid as primary video device")
    if model.acceleration is not None and model.acceleration.accel2d:
        raise refuse("qemu does not support the accel2d setting")
    accelerated = model.acceleration is not None and model.acceleration.accel3d
    if accelerated and kind != "virtio":
        raise refuse("3d acceleration is supported only with 'virtio' video device")
    if kind == "qxl":
        for name in ("ram", "vram"):
            if (getattr(model, name) or 0) > _MOST:
                raise virtError(
                    ErrorCode.OVERFLOW,
                    f"value for '{name}' must be less than '{_MOST}'",
                    ErrorDomain.QEMU,
                )
        if model.vgamem and model.vgamem < 1024:
            raise refuse("value for 'vgamem' must be at least 1 MiB (1024 KiB)")
    if kind in ("vga", "vmvga", "bochs") and model.vram and model.vram < 1024:
        raise refuse("value for 'vram' must be at least 1 MiB (1024 KiB)")
    if kind not in ("qxl", "virtio") and (model.heads or 1) > 1:
        raise refuse(f"video type '{kind}' doesn't support multiple 'heads'")
    if model.resolution is not None and kind not in ("vga", "qxl", "virtio", "bochs"):
        raise _xml("model resolution is not supported")


def _host(host: Any, definition: DomainDefinition) -> None:
    if host.mode == "capabilities":
        raise refuse("hostdev mode 'capabilities' is not supported in qemu")
    if host.type == "scsi" and host.address is not None and getattr(host.address, "bus", 0):
        raise virtError(
            ErrorCode.INTERNAL_ERROR, "SCSI controller only supports 1 bus", ErrorDomain.QEMU
        )
    if host.type == "pci" and host.source.writeFiltering is not None:
        raise refuse("Write filtering of PCI device configuration space is not supported by qemu")
    if host.type == "scsi_host" and host.boot is not None:
        raise refuse("booting from assigned devices is not supported by vhost SCSI devices")
    if host.type != "mdev":
        return
    if host.model == "vfio-ccw":
        raise refuse("VFIO CCW device assignment is not supported by this version of QEMU")
    if host.model == "vfio-ap":
        raise refuse("VFIO AP device assignment is not supported by this version of QEMU")
    if host.boot is not None:
        raise refuse(
            "booting from assigned devices is not supported by mediated devices of model "
            f"{host.model}"
        )
    if host.display and not definition.devices.graphics:
        raise refuse("graphics device is needed for attribute value 'display=on' in <hostdev>")


def checkPanics(definition: DomainDefinition) -> None:
    """
    Check what tells the host of panics.

    @raise VirtError: it is of another machine, or somewhere else.
    """
    arch = definition.os.type.arch
    for panic in definition.devices.panics:
        if panic.model == "s390" and arch not in ("s390", "s390x"):
            raise refuse("only S390 guests support panic device of model 's390'")
        if panic.model == "pseries" and arch not in ("ppc64", "ppc64le"):
            raise refuse("only pSeries guests support panic device of model 'pseries'")
        if panic.model == "isa" and panic.address is not None and panic.address.type != "isa":
            raise refuse("panic is supported only with ISA address type")
        if panic.model == "hyperv" and panic.address is not None:
            raise refuse("setting the panic device address is not supported for model 'hyperv'")


def _shmem(shmem: Any, definition: DomainDefinition) -> None:
    if shmem.model == "ivshmem":
        raise refuse("ivshmem device is not supported with this QEMU binary")


def _iommu(iommu: Any, definition: DomainDefinition) -> None:
    if iommu is None:
        return
    machine, arch = definition.os.type.machine or "", definition.os.type.arch
    if iommu.model == "intel" and not isQ35(machine, arch):
        raise refuse("IOMMU device: 'intel' is only supported with Q35 machines")
    if iommu.model == "virtio" and not (isQ35(machine, arch) or isVirt(machine, arch)):
        raise refuse("IOMMU device: 'virtio' is only supported with Q35 and ARM Virt machines")
    features = definition.features
    if iommu.model == "virtio" and isX86(arch) and (features is None or not features.acpi):
        raise refuse("IOMMU device: 'virtio' requires ACPI")
    place = iommu.address.type if iommu.address is not None else None
    if iommu.model == "virtio" and place not in (None, "pci"):
        raise refuse("IOMMU device: 'virtio' needs a PCI address")
    if iommu.model == "smmuv3" and isX86(arch):
        raise refuse("IOMMU device: 'smmuv3' is only supported with ARM Virt machines")


def _smartcard(card: Any, definition: DomainDefinition) -> None:
    place = card.address
    if len(definition.devices.smartcards) > 1 or not place or place.controller or place.slot:
        raise refuse("this QEMU binary lacks multiple smartcard support")
    if card.source is not None:
        checkEnd(card.source, definition)


def _input(item: Any, definition: DomainDefinition) -> None:
    if item.model in ("virtio-transitional", "virtio-non-transitional"):
        raise refuse(
            f"virtio (non-)transitional models are not supported for input type={item.type}"
        )


def _audio(audio: Any, definition: DomainDefinition) -> None:
    if audio.type == "spice" and all(each.type != "spice" for each in definition.devices.graphics):
        raise refuse("Spice audio is not supported without spice graphics")


def _watchdog(watchdog: Any, definition: DomainDefinition) -> None:
    if (
        watchdog.model == "i6300esb"
        and watchdog.address is not None
        and watchdog.address.type != "pci"
    ):
        raise refuse("i6300esb model of watchdog can go only on PCI bus")
    if watchdog.model == "ib700" and watchdog.address is not None:
        raise refuse("ib700 model of watchdog does not support configuring the address")
    if watchdog.model == "diag288":
        if watchdog.address is not None:
            raise refuse("diag288 model of watchdog is virtual and cannot go on any bus.")
        raise refuse("diag288 model of watchdog is allowed for s390 and s390x only")


def _nvram(nvram: Any, definition: DomainDefinition) -> None:
    if definition.os.type.arch not in ("ppc64", "ppc64le"):
        raise refuse("nvram device is only supported for PPC64")


def _balloon(balloon: Any, definition: DomainDefinition) -> None:
    if balloon.model == "xen":
        raise refuse("Memory balloon device type 'xen' is not supported by this version of qemu")


def _port(port: Any, definition: DomainDefinition) -> None:
    checkEnd(port.source, definition)


def checkModule(memory: Any, definition: DomainDefinition) -> None:
    """
    Refuse memory that QEMU cannot have.

    @raise VirtError: CONFIG_UNSUPPORTED.
    """
    if memory.model == "sgx-epc":
        raise refuse("sgx epc isn't supported by this QEMU binary")


def _rng(rng: Any, definition: DomainDefinition) -> None:
    if rng.backend is not None and rng.backend.source is not None:
        checkEnd(rng.backend.source, definition)


def _sound(sound: Any, definition: DomainDefinition) -> None:
    if sound.model == "ich7":
        raise internal("sound card model 'ich7' is not supported by qemu")


_TESTS: dict[str, Callable[[Any, DomainDefinition], None]] = {
    "controllers": _controller,
    "filesystems": _filesystem,
    "interfaces": _interface,
    "smartcards": _smartcard,
    "sounds": _sound,
    "serials": _serial,
    "parallels": _port,
    "channels": _port,
    "consoles": _port,
    "redirdevs": _port,
    "memories": checkModule,
    "rngs": _rng,
    "inputs": _input,
    "audios": _audio,
    "hostdevs": _host,
    "watchdogs": _watchdog,
    "memballoon": _balloon,
    "nvram": _nvram,
    "shmems": _shmem,
    "iommu": _iommu,
}
