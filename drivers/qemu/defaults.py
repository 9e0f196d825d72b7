"""
What a device is where its definition does not say: models, buses, chips, amounts of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain import steps
from pyvirt.definitions.domain._controller import Controller
from pyvirt.definitions.domain._disk import BackingStore, Disk, DiskDriver
from pyvirt.definitions.domain._display import Graphics, Input, Video
from pyvirt.definitions.domain._net import MAC, Interface
from pyvirt.definitions.domain._rng import RNG
from pyvirt.definitions.domain._shmem import MSI, Shmem
from pyvirt.definitions.domain._source import NetworkSource
from pyvirt.definitions.domain._top import Devices, DomainDefinition
from pyvirt.definitions.domain._tpm import TPM
from pyvirt.definitions.domain._vsock import CID
from pyvirt.definitions.domain._watching import Panic
from pyvirt.definitions.kinds import unsupported, xmlError
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.machine import isI440FX, isQ35, isVirt, isX86
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorDomain, VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.capabilities import BinaryCapabilities

__all__ = ["ISA_PORTS", "checkPorts", "completeDevices", "scsiModel"]

#: How many ISA serial ports a machine has.
ISA_PORTS = 4


def scsiModel(definition: DomainDefinition, capabilities: BinaryCapabilities) -> str | None:
    """Return the model of a SCSI controller that none is named for."""
    machine, arch = definition.os.type.machine or "", definition.os.type.arch
    if arch in ("ppc64", "ppc64le") and machine.startswith("pseries"):
        return "ibmvscsi"
    if isVirt(machine, arch) or arch in ("s390", "s390x"):
        return "virtio-scsi"
    if capabilities.has("lsi53c895a"):
        return "lsilogic"
    return "virtio-scsi" if capabilities.has("virtio-scsi-pci") else None


def completeDevices(
    definition: DomainDefinition,
    capabilities: BinaryCapabilities,
    random: Callable[[int], bytes],
    handing: Collection[str] = (),
) -> DomainDefinition:
    """
    Complete each kind of device by itself.

    @param random: the source of hardware addresses.
    @param handing: networks that give guests devices of the host: cards there are of no make.
    @raise VirtError: a device cannot be.
    """
    devices = definition.devices
    changes: dict[str, Any] = {}
    changes["disks"] = tuple(
        _disk(steps.placed(steps.onBus(disk)), capabilities)
        for disk in steps.sortedDisks(devices.disks)
    )
    changes["controllers"] = tuple(
        _controller(each, definition, capabilities) for each in devices.controllers
    )
    changes["interfaces"] = tuple(
        _interface(nic, definition, capabilities, random, handing) for nic in devices.interfaces
    )
    changes["serials"], changes["consoles"] = _ports(definition)
    changes["parallels"] = steps.numbered(devices.parallels)
    changes["redirdevs"] = tuple(_redirected(each) for each in devices.redirdevs)
    changes["inputs"] = tuple(_input(each) for each in devices.inputs)
    changes["graphics"] = tuple(_graphics(each) for each in devices.graphics)
    changes["videos"] = _videos(devices, definition, capabilities)
    changes["smartcards"] = steps.smartcards(devices)
    changes["tpms"] = tuple(_tpm(each) for each in devices.tpms)
    changes["panics"] = tuple(_panic(each, definition) for each in devices.panics)
    changes["rngs"] = tuple(_rng(each) for each in devices.rngs)
    changes["shmems"] = tuple(_shmem(each) for each in devices.shmems)
    if devices.vsock is not None:
        cid = devices.vsock.cid
        if cid is None or cid == CID():
            cid = CID(auto=True)
        elif cid.auto is None:
            cid = replaced(cid, auto=False)
        changes["vsock"] = replaced(devices.vsock, cid=cid, model=devices.vsock.model or "virtio")
    changes["hostdevs"] = steps.hostdevs(replaced(devices, disks=changes["disks"]))
    changes["hostdevs"] = tuple(
        replaced(each, display=False)
        if each.type == "mdev" and each.display is None and each.model == "vfio-pci"
        else each
        for each in changes["hostdevs"]
    )
    return replaced(definition, devices=replaced(devices, **changes))


def _refuse(detail: str) -> VirtError:
    error = unsupported(detail)("", None, "")
    error.domain = ErrorDomain.QEMU
    return error


def _engine(encryption: Any) -> Any:
    """QEMU opens what is encrypted, unless the storage does."""
    if encryption is None or encryption.engine is not None:
        return encryption
    return replaced(encryption, engine="qemu")


def _encrypted(source: Any) -> Any:
    if source is None or source.encryption is None:
        return source
    return replaced(source, encryption=_engine(source.encryption))


def _web(source: Any) -> Any:
    """Only web servers know of cookies, reading ahead and patience."""
    if not isinstance(source, NetworkSource) or source.protocol in ("http", "https", "ftp", "ftps"):
        return source
    return replaced(source, cookies=None, readahead=None, timeout=None)


def _chain(store: BackingStore | None) -> BackingStore | None:
    if store is None or store.source is None:
        return store
    return replaced(store, source=_encrypted(store.source), backingStore=_chain(store.backingStore))


def _disk(disk: Disk, capabilities: BinaryCapabilities) -> Disk:
    """Images are raw unless they say otherwise."""
    driver = disk.driver or DiskDriver()
    changes: dict[str, Any] = {}
    if driver.name is None:
        driver = replaced(driver, name="qemu")
    if driver.type is None and disk.type != "volume":
        driver = replaced(driver, type="raw")
    changes["driver"] = driver
    changes["source"] = _web(_encrypted(disk.source))
    changes["encryption"] = _engine(disk.encryption)
    changes["backingStore"] = _chain(disk.backingStore)
    return replaced(disk, **changes)


def _controller(
    controller: Controller, definition: DomainDefinition, capabilities: BinaryCapabilities
) -> Controller:
    """Choose a chip for controllers of which there are several."""
    if controller.type == "scsi":
        if controller.model in (None, "auto"):
            return replaced(controller, model=scsiModel(definition, capabilities))
        return controller
    if controller.type == "pci":
        _bridge(controller, definition)
    if controller.type != "usb":
        return controller
    if controller.model in ("qusb1", "qusb2"):
        raise _refuse("USB controller model type 'qusb1' or 'qusb2' is not supported in qemu")
    if controller.model is not None:
        return controller
    machine, arch = definition.os.type.machine or "", definition.os.type.arch
    if arch in ("s390", "s390x"):
        return replaced(controller, model="none")
    if isVirt(machine, arch):
        return replaced(controller, model="qemu-xhci")
    if arch in ("ppc64", "ppc64le"):
        return replaced(
            controller, model="pci-ohci" if capabilities.has("pci-ohci") else "nec-xhci"
        )
    if capabilities.has("piix3-usb-uhci"):
        return replaced(controller, model="piix3-uhci")
    return controller


def _bridge(controller: Controller, definition: DomainDefinition) -> None:
    """Machines have their own root, and some have others beside it."""
    machine, arch = definition.os.type.machine or "", definition.os.type.arch
    model = controller.model
    if model in ("pci-root", "pcie-root") and controller.index != 0:
        raise xmlError("pci-root and pcie-root controllers should have index 0", ErrorDomain.QEMU)
    if model == "pci-expander-bus" and not isI440FX(machine, arch):
        raise _refuse("pci-expander-bus controllers are only supported on 440fx-based machinetypes")
    if model == "pcie-expander-bus" and not isQ35(machine, arch):
        raise _refuse("pcie-expander-bus controllers are not supported with this machine type")


def _interface(
    nic: Interface,
    definition: DomainDefinition,
    capabilities: BinaryCapabilities,
    random: Callable[[int], bytes],
    handing: Collection[str],
) -> Interface:
    """Give a network card its address and its chip."""
    changes: dict[str, Any] = {}
    if nic.mac is None or nic.mac.address is None:
        changes["mac"] = replaced(nic.mac or MAC(), address=steps.randomMAC(random))
    network = nic.source.network if nic.type == "network" and nic.source is not None else None
    if nic.model is None and nic.type != "hostdev" and network not in handing:
        changes["model"] = "virtio" if nic.type == "vdpa" else _netModel(definition, capabilities)
    if nic.virtualport is not None:
        changes["virtualport"] = steps.virtualPort(nic.virtualport, random)
    return replaced(nic, **changes)


def _netModel(definition: DomainDefinition, capabilities: BinaryCapabilities) -> str | None:
    machine, arch = definition.os.type.machine or "", definition.os.type.arch
    if arch in ("s390", "s390x") or isVirt(machine, arch):
        return "virtio"
    if arch in ("ppc64", "ppc64le") and machine.startswith("pseries"):
        return "rtl8139"
    for model, device in (
        ("rtl8139", "rtl8139"),
        ("e1000", "e1000"),
        ("virtio", "virtio-net-pci"),
    ):
        if capabilities.has(device):
            return model
    return None


#: What a serial port is, and what its chip is, by the type of target.
_SERIAL_MODELS = {
    "isa-serial": "isa-serial",
    "usb-serial": "usb-serial",
    "pci-serial": "pci-serial",
    "spapr-vio-serial": "spapr-vty",
    "system-serial": "pl011",
    "sclp-serial": "sclpconsole",
    "isa-debug": "isa-debugcon",
}


def _ports(definition: DomainDefinition) -> tuple[Any, Any]:
    """Number serial ports and consoles, and name their chips."""
    arch = definition.os.type.arch
    machine = definition.os.type.machine or ""
    serials, consoles = steps.consoles(definition)
    done = []
    for port in serials:
        target = port.target
        kind = target.type
        if kind is None:
            if isX86(arch):
                kind = "isa-serial"
            elif isVirt(machine, arch):
                kind = "system-serial"
            elif arch in ("ppc64", "ppc64le"):
                kind = "spapr-vio-serial"
            elif arch in ("s390", "s390x"):
                kind = "sclp-serial"
        model = target.model
        if model is None and kind is not None:
            model = _SERIAL_MODELS.get(kind)
            if kind == "system-serial":
                if (arch or "").startswith("riscv"):
                    model = "16550a"
                elif not isVirt(machine, arch):
                    model = None
        done.append(replaced(port, target=replaced(target, type=kind, model=model)))
    return tuple(done), consoles


def checkPorts(serials: Iterable[Any]) -> None:
    """
    Refuse ISA serial ports that ask for a number that there is not, or that another has.

    @raise VirtError: INTERNAL_ERROR.
    """
    seen: set[int] = set()
    for each in serials:
        port = each.target.port
        if port is None or each.target.type != "isa-serial":
            continue
        if port in seen:
            raise internal(f"target port '{port}' already allocated", ErrorDomain.DOMAIN)
        if port >= ISA_PORTS:
            raise internal(
                f"Maximum supported number of ISA serial ports is '{ISA_PORTS}'", ErrorDomain.DOMAIN
            )
        seen.add(port)


def _redirected(device: Any) -> Any:
    """USB that comes over D-Bus has a channel of its own."""
    source = device.source
    if source is None or source.type != "dbus" or source.channel is not None:
        return device
    return replaced(device, source=replaced(source, channel="org.qemu.usbredir"))


def _input(item: Input) -> Input:
    """Mice and keyboards are on PS/2, tablets on USB."""
    if item.bus is not None or item.type == "evdev":
        return item
    if item.type in ("mouse", "keyboard"):
        return replaced(item, bus="ps2")
    return replaced(item, bus="virtio" if item.type == "passthrough" else "usb")


def _graphics(graphics: Graphics) -> Graphics:
    """Nothing is left open but where to listen."""
    return graphics


_VIDEO_MEMORY = {"vga": 16384, "cirrus": 16384, "vmvga": 16384, "bochs": 16384, "qxl": 65536}


def _videos(
    devices: Devices, definition: DomainDefinition, capabilities: BinaryCapabilities
) -> tuple[Video, ...]:
    """Where there is a display there is a graphics adapter; one is the primary one."""
    videos = devices.videos
    if devices.graphics and not videos:
        videos = (Video(),)
    done = []
    for position, video in enumerate(videos):
        model = video.model
        kind = model.type
        changes: dict[str, Any] = {}
        if kind == "default":
            kind = changes["type"] = _videoModel(definition, capabilities)
        if kind != "none":
            if model.vram is None:
                changes["vram"] = _VIDEO_MEMORY.get(kind)
            else:
                changes["vram"] = steps.nextPower(model.vram)
            if kind == "qxl":
                changes["ram"] = steps.nextPower(model.ram or 65536)
                changes["vgamem"] = steps.nextPower(model.vgamem or 16384)
            if model.heads is None and not model.headsGiven:
                changes["heads"] = 1
            if position == 0 and not any(other.model.primary for other in videos):
                changes["primary"] = True
        done.append(replaced(video, model=replaced(model, **changes)))
    first = [video for video in done if video.model.primary]
    return tuple(first + [video for video in done if not video.model.primary])


def _videoModel(definition: DomainDefinition, capabilities: BinaryCapabilities) -> str:
    machine, arch = definition.os.type.machine or "", definition.os.type.arch
    if arch in ("ppc64", "ppc64le"):
        return "vga"
    if isVirt(machine, arch) or arch in ("s390", "s390x"):
        return "virtio"
    for kind, device in (
        ("cirrus", "cirrus-vga"),
        ("vga", "VGA"),
        ("virtio", "virtio-gpu-pci"),
    ):
        if capabilities.has(device):
            return kind
    return "vga"


def _tpm(tpm: TPM) -> TPM:
    """A TPM is memory-mapped, its emulator of the first version unless the model is newer."""
    model = tpm.model or "tpm-tis"
    backend = tpm.backend
    if backend is not None and backend.type == "emulator" and backend.version is None:
        newer = model in ("tpm-spapr", "tpm-crb")
        backend = replaced(backend, version="2.0" if newer else "1.2")
    return replaced(tpm, model=model, backend=backend)


def _panic(panic: Panic, definition: DomainDefinition) -> Panic:
    """Panics are told by a port of the ISA bus, or by what the machine has."""
    if panic.model is not None:
        return panic
    arch = definition.os.type.arch
    if arch in ("ppc64", "ppc64le"):
        return replaced(panic, model="pseries")
    return replaced(panic, model="s390" if arch in ("s390", "s390x") else "isa")


def _rng(rng: RNG) -> RNG:
    """Random numbers come from the host's own device."""
    backend = rng.backend
    if backend is not None and backend.model == "random" and backend.path is None:
        return replaced(rng, backend=replaced(backend, path="/dev/random"))
    return rng


def _shmem(shmem: Shmem) -> Shmem:
    """Shared memory without a server has four mebibytes."""
    if shmem.model == "ivshmem-plain" and shmem.server is not None:
        raise _refuse("shmem model 'ivshmem-plain' is supported only with server option disabled")
    if shmem.model == "ivshmem-doorbell" and shmem.server is None:
        raise _refuse("shmem model 'ivshmem-doorbell' is supported only with server option enabled")
    if shmem.model == "ivshmem-doorbell":
        if shmem.size is not None:
            raise _refuse("shmem model 'ivshmem-doorbell' does not support size setting")
        msi = shmem.msi or MSI()
        if msi.ioeventfd is None:
            shmem = replaced(shmem, msi=replaced(msi, ioeventfd=True))
    if shmem.size is None and shmem.model == "ivshmem-plain":
        return replaced(shmem, size=4 << 20)
    return shmem
