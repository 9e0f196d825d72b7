"""
What is refused of a single device, whatever the rest of the domain is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pyvirt.definitions.domain._chardev import CharSource
from pyvirt.definitions.domain._checkdisks import checkDisk, virtioOptions
from pyvirt.definitions.domain._controller import Controller
from pyvirt.definitions.domain._display import Input, Video
from pyvirt.definitions.domain._filesystem import Filesystem
from pyvirt.definitions.domain._hostdev import HostDev
from pyvirt.definitions.domain._iommu import IOMMUDriver
from pyvirt.definitions.domain._memory import MemoryDevice
from pyvirt.definitions.domain._net import Interface
from pyvirt.definitions.domain._refusals import detail, internal, refuse
from pyvirt.definitions.domain._top import DomainDefinition
from pyvirt.definitions.kinds import xmlError
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["checkDevice", "checkDevices"]


#: What C{check} of a driver is called with: the kind of the device, as in L{Devices}, and the device.
Each = Callable[[str, Any], None]


def checkDevices(definition: DomainDefinition, also: Each | None = None) -> None:
    """
    Check every device by itself, in libvirt's order.

    @param also: what else is looked at of each, as a driver does.
    @raise VirtError: with the first thing wrong.
    """
    devices = definition.devices
    for kind in _ORDER:
        found = getattr(devices, kind)
        for device in found if isinstance(found, tuple) else (found,):
            if device is not None:
                checkDevice(kind, device, definition, also)
        if kind == "sounds":
            for nic in devices.interfaces:
                checkPassedThrough(nic)


def checkDevice(
    kind: str, device: Any, definition: DomainDefinition, also: Each | None = None
) -> None:
    """
    Check one device of a domain, or one that it is to have.

    @param also: as in L{checkDevices}.
    @raise VirtError: with the first thing wrong.
    """
    if kind != "hostdevs":
        checkPlaces(device)
    test = _CHECKS.get(kind)
    if test is not None:
        test(device, definition)
    if also is not None:
        also(kind, device)


#: Kinds of devices, in the order in which they are looked at.
_ORDER = (
    "disks",
    "interfaces",
    "sounds",
    "hostdevs",
    "videos",
    "controllers",
    "smartcards",
    "serials",
    "parallels",
    "channels",
    "consoles",
    "inputs",
    "filesystems",
    "watchdogs",
    "memballoon",
    "rngs",
    "nvram",
    "hubs",
    "shmems",
    "tpms",
    "panics",
    "memories",
    "redirdevs",
    "iommu",
    "vsock",
    "graphics",
    "audios",
)


def _sound(sound: Any, definition: DomainDefinition) -> None:
    audios = {audio.id for audio in definition.devices.audios}
    if sound.audio is not None and sound.audio not in audios:
        raise xmlError(f"no audio device with ID {sound.audio}")


def _smartcard(card: Any, definition: DomainDefinition) -> None:
    if card.address is not None and card.address.type != "ccid":
        raise refuse("Controllers must use the 'ccid' address type")
    checkEnd(card.source)


def _serial(port: Any, definition: DomainDefinition) -> None:
    checkEnd(port.source)
    if port.target.type == "usb-serial" and port.address is not None and port.address.type != "usb":
        raise refuse("usb-serial requires address of usb type")


def _shmem(shmem: Any, definition: DomainDefinition) -> None:
    if "/" in shmem.name:
        raise refuse("shmem name cannot include '/' character")
    if shmem.name in (".", ".."):
        raise refuse(f"shmem name cannot be equal to '{shmem.name}'")


def _tpm(tpm: Any, definition: DomainDefinition) -> None:
    source = tpm.backend.source
    if tpm.backend.type == "external" and source is not None:
        if source.type != "unix":
            raise xmlError("only source type 'unix' is supported for external TPM device")
        if source.mode == "bind":
            raise xmlError("only 'client' mode is supported for external TPM device")
    if tpm.backend.banks and tpm.backend.version != "2.0":
        raise xmlError("<active_pcr_banks/> requires TPM version '2.0'")


def _redirdev(redirdev: Any, definition: DomainDefinition) -> None:
    controllers = definition.devices.controllers
    if not any(each.type == "usb" and each.model != "none" for each in controllers):
        raise refuse("cannot add redirected USB device: USB is disabled for this domain")
    checkEnd(redirdev.source)


def _vsock(vsock: Any, definition: DomainDefinition) -> None:
    if vsock.cid is not None and vsock.cid.address is not None and vsock.cid.address < 3:
        raise refuse("guest CIDs must be >= 3")
    virtioOptions(vsock.driver, (vsock.model or "").startswith("virtio"))


def _graphics(graphics: Any, definition: DomainDefinition) -> None:
    if graphics.type == "dbus" and graphics.p2p and graphics.address is not None:
        raise xmlError("D-Bus p2p with an address is not supported")
    for listen in graphics.listens:
        if listen.type == "network" and listen.network is None:
            raise xmlError("'network' attribute is required for listen type 'network'")
    if graphics.type == "vnc":
        _sound(graphics, definition)


def _audio(audio: Any, definition: DomainDefinition) -> None:
    if any(each.id == audio.id and each is not audio for each in definition.devices.audios):
        raise xmlError(f"audio ID {audio.id} is used multiple times")


def checkPlaces(device: Any) -> None:
    """Only devices of the host may have no place in the guest."""
    if getattr(getattr(device, "address", None), "type", None) == "unassigned":
        raise refuse("address of type 'unassigned' is supported only for hostdevs")


def checkVideo(video: Video, definition: DomainDefinition) -> None:
    """Check one video device; where there is to be no screen there is none."""
    driver, model = video.driver, video.model
    if model.type == "none":
        if len(definition.devices.videos) > 1:
            raise refuse("a 'none' video type must be the only video device defined for the domain")
        return
    if model.type == "ramfb" and video.address is not None:
        raise refuse("address not supported for video type ramfb")
    outside = driver is not None and driver.name == "vhostuser"
    if outside and model.type != "virtio":
        raise refuse("'vhostuser' driver is only supported with 'virtio' device")
    if not outside and model.acceleration is not None and model.acceleration.rendernode:
        raise refuse("unsupported rendernode accel attribute without 'vhostuser'")
    for name in ("ram", "vram64", "vgamem"):
        if getattr(model, name) is not None and model.type != "qxl":
            raise refuse(f"{name} attribute only supported for video type qxl")
    virtioOptions(driver, model.type == "virtio")


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
    """Check one device of the host: its address first."""
    _checkHostDevAddress(host)
    if host.sgio == "unfiltered":
        raise refuse("unfiltered sgio is no longer supported")


def _checkHostDevAddress(host: HostDev) -> None:
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


def _iommu(iommu: Any, definition: DomainDefinition) -> None:
    if iommu.model in ("smmuv3", "virtio") and iommu.driver not in (None, IOMMUDriver()):
        raise xmlError(f"iommu model '{iommu.model}' doesn't support additional attributes")
    if iommu.model != "virtio" and iommu.address is not None:
        raise xmlError(f"iommu model '{iommu.model}' can't have address")


#: The smallest piece by which memory is given and taken, in KiB: a large page of the host's.
_LEAST_BLOCK = 2048


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
        if block < _LEAST_BLOCK:
            raise detail(f"block size too small, must be at least {_LEAST_BLOCK}KiB")
        if requested % block:
            raise detail("requested size must be an integer multiple of block size")
    elif model == "sgx-epc" and memory.address is not None:
        raise refuse("memory device address is not supported for model 'sgx-epc'")


def checkInterface(nic: Interface) -> None:
    """Check one interface."""
    kind = nic.type or "user"
    name = nic.mac.address if nic.mac is not None else ""
    virtio = (nic.model or "").startswith("virtio")
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


def checkInput(item: Input, guest: str = "hvm") -> None:
    """Check one input of a guest of a kind: each bus knows some types."""
    plain = item.type in ("mouse", "keyboard")
    if guest == "hvm":
        if item.bus == "ps2" and not plain:
            raise internal(f"ps2 bus does not support {item.type} input device")
        if item.bus == "xen":
            raise internal("unsupported input bus xen")
    elif guest in ("xen", "xenpvh"):
        if item.bus != "xen":
            raise internal(f"unsupported input bus {item.bus}")
        if not plain:
            raise internal(f"xen bus does not support {item.type} input device")
    else:
        raise internal("Input devices are not supported by this virtualization driver.")
    if item.type == "evdev" and item.bus not in (None, "none"):
        raise refuse("input evdev doesn't support bus element")
    if item.bus != "virtio":
        if item.model is not None:
            raise refuse(f"only bus 'virtio' is supported for input model '{item.model}'")
        if item.type == "passthrough":
            raise refuse("only bus 'virtio' is supported for 'passthrough' input devices")


def checkController(controller: Controller) -> None:
    """Check one controller."""
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
    if (controller.index or 0) > 255:
        raise refuse(f"PCI controller index {controller.index} too high, maximum is 255")
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


_CHECKS: dict[str, Callable[[Any, DomainDefinition], None]] = {
    "disks": lambda disk, definition: checkDisk(disk),
    "interfaces": lambda nic, definition: checkInterface(nic),
    "sounds": _sound,
    "hostdevs": lambda host, definition: checkHostDev(host),
    "videos": checkVideo,
    "controllers": lambda controller, definition: checkController(controller),
    "smartcards": _smartcard,
    "serials": _serial,
    "parallels": lambda port, definition: checkEnd(port.source),
    "channels": lambda port, definition: checkEnd(
        port.source, port.target.type in ("virtio", "xen")
    ),
    "consoles": lambda port, definition: checkEnd(port.source),
    "inputs": lambda item, definition: checkInput(item, definition.os.type.name or ""),
    "filesystems": lambda filesystem, definition: checkFilesystem(filesystem),
    "rngs": lambda rng, definition: checkEnd(
        rng.backend.source if rng.backend is not None else None
    ),
    "shmems": _shmem,
    "tpms": _tpm,
    "memories": lambda memory, definition: checkMemory(memory, definition),
    "redirdevs": _redirdev,
    "vsock": _vsock,
    "graphics": _graphics,
    "audios": _audio,
    "iommu": _iommu,
}
