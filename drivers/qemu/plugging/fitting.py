"""
Devices put into definitions, and taken out: whether they fit, and what they become there.

What an existing domain allows is refused in libvirt's words, which differ between a running guest and its definition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain import DomainDefinition, steps
from pyvirt.definitions.domain._address import DIMMAddress, DriveAddress, VirtioSerialAddress
from pyvirt.definitions.domain._chardev import Console, Target
from pyvirt.definitions.domain._check import checkAliases
from pyvirt.definitions.kinds import xmlError
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicechanges import withDevice
from pyvirt.drivers.devicekinds import KINDS, everyDevice, label
from pyvirt.drivers.devicematch import findDevice, sameEnds
from pyvirt.drivers.qemu.addresses import isPlaced
from pyvirt.drivers.qemu.aliases import controllerAlias, diskAlias
from pyvirt.drivers.qemu.complete import complete
from pyvirt.drivers.qemu.defaults import checkPorts
from pyvirt.drivers.qemu.netchecks import checkPort
from pyvirt.drivers.qemu.passed import isPassed
from pyvirt.drivers.qemu.plugging.kinds import CHARDEVS, CONFIG, LIVE
from pyvirt.drivers.qemu.refusals import (
    failed,
    internal,
    operationInvalid,
    operationUnsupported,
    unsupportedConfig,
)
from pyvirt.drivers.qemu.usbaddresses import isOnUSB
from pyvirt.drivers.qemu.validatedevices import checkEnd
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.capabilities import BinaryCapabilities

__all__ = [
    "checkCompatible",
    "checkLive",
    "checkStored",
    "consoleOf",
    "fitted",
    "newAlias",
    "withPorts",
]

_MARK = "ua-<new>"


def there(devices: Any, kind: str, device: Any) -> bool:
    """Return whether such a device is there."""
    try:
        findDevice(devices, kind, device, True)
    except VirtError:
        return False
    return True


def checkCompatible(definition: DomainDefinition, kind: str, device: Any) -> None:
    """
    Refuse what the rest of a domain does not allow, whatever it is done for.

    @raise VirtError: in libvirt's words.
    """
    devices: Any = definition.devices
    boot = getattr(device, "boot", None)
    if boot is not None:
        if definition.os.boot and not steps.bootsByDevice(devices):
            raise unsupportedConfig(
                "per-device boot elements cannot be used together with os/boot elements",
                ErrorDomain.DOMAIN,
            )
        for other, _, each in everyDevice(definition):
            taken = getattr(each, "boot", None)
            if taken is None or taken.order != boot.order:
                continue
            if other == kind == "disks" and each.target.dev == device.target.dev:
                continue
            raise unsupportedConfig(
                f"boot order {boot.order} is already used by another device", ErrorDomain.DOMAIN
            )
    if kind == "redirdevs":
        checkEnd(device.source, definition)
    if kind == "redirdevs" and not _hasUSB(devices):
        raise unsupportedConfig(
            "cannot add redirected USB device: USB is disabled for this domain", ErrorDomain.DOMAIN
        )
    if kind in _USB and isOnUSB(kind, device) and not _hasUSB(devices):
        raise unsupportedConfig(
            "Device configuration is not compatible: Domain has no USB bus support",
            ErrorDomain.DOMAIN,
        )


#: Kinds of devices that are looked at for whether they are on USB.
_USB = ("disks", "inputs", "hostdevs", "hubs")


def checkAdded(definition: DomainDefinition, kind: str, device: Any) -> None:
    """As L{checkCompatible}, of a device that is to be added."""
    if kind == "audios" and any(each.id == device.id for each in definition.devices.audios):
        raise xmlError(f"audio ID {device.id} is used multiple times")
    if kind != "memories":
        return
    cpu = definition.cpu
    cells = len(cpu.numa.cells) if cpu is not None and cpu.numa is not None else 0
    node = device.target.node
    if node is None and cells and device.model != "virtio-pmem":
        raise unsupportedConfig("target NUMA node needs to be specified for memory device")
    if not cells and node is not None:
        raise virtError(
            ErrorCode.XML_DETAIL,
            "can't add memory backend as guest has no NUMA nodes configured",
            ErrorDomain.DOMAIN,
        )
    if node is not None and node >= cells:
        raise virtError(
            ErrorCode.XML_DETAIL,
            f"can't add memory backend for guest node '{node}' as the guest has only '{cells}' "
            "NUMA nodes configured",
            ErrorDomain.DOMAIN,
        )
    if definition.maxMemory is None:
        raise unsupportedConfig(
            "cannot use/hotplug a memory device when domain 'maxMemory' is not defined",
            ErrorDomain.DOMAIN,
        )
    address = device.address
    if isinstance(address, DIMMAddress) and device.model in ("dimm", "nvdimm"):
        if address.slot >= definition.maxMemory[1]:
            raise unsupportedConfig(
                f"memory device slot '{address.slot}' exceeds slots count "
                f"'{definition.maxMemory[1]}'",
                ErrorDomain.DOMAIN,
            )
        for each in definition.devices.memories:
            if isinstance(each.address, DIMMAddress) and each.address.slot == address.slot:
                raise unsupportedConfig(
                    f"memory device slot '{address.slot}' is already being used by another "
                    "memory device",
                    ErrorDomain.DOMAIN,
                )
    size, limit = device.target.size or 0, definition.maxMemory[0]
    if size + definition.memory.amount > limit:
        raise unsupportedConfig(
            f"Attaching memory device with size '{size}' would exceed domain's maxMemory config "
            f"size '{limit}'",
            ErrorDomain.DOMAIN,
        )


def _hasUSB(devices: Any) -> bool:
    return any(each.type == "usb" and each.model != "none" for each in devices.controllers)


def checkStored(definition: DomainDefinition, kind: str, device: Any) -> None:
    """
    Refuse a device that a definition has already, or cannot have.

    @raise VirtError: in libvirt's words.
    """
    if kind not in CONFIG:
        raise operationUnsupported(f"persistent attach of device '{label(kind)}' is not supported")
    devices: Any = definition.devices
    if kind == "disks" and there(devices, kind, device):
        raise operationInvalid(f"target {device.target.dev} already exists")
    if kind == "filesystems" and there(devices, kind, device):
        raise operationInvalid("Target already exists")
    if kind == "controllers" and device.index is not None and there(devices, kind, device):
        raise operationInvalid(f"controller index='{device.index}' already exists")
    if kind in CHARDEVS:
        _checkEnds(devices, kind, device, stored=True)
        if kind == "serials":
            checkPorts((device,))
        if _isSerial(kind, device):
            raise operationUnsupported("attaching serial console is not supported")
    if kind == "leases" and there(devices, kind, device):
        raise _leased(device)
    if kind == "watchdogs" and devices.watchdogs:
        raise operationInvalid("domain already has a watchdog")
    if kind == "vsock" and devices.vsock is not None:
        raise operationInvalid("domain already has a vsock device")
    if kind in ("hostdevs", "shmems") and there(devices, kind, device):
        raise operationInvalid("device is already in the domain configuration")


def _isSerial(kind: str, device: Any) -> bool:
    """Whether a device is a serial port in the form of a console."""
    return kind == "consoles" and device.target.type in (None, "serial")


def _leased(device: Any) -> VirtError:
    where = device.lockspace or "(null)"
    return operationInvalid(
        f"Lease {device.key} in lockspace {where} already exists", ErrorDomain.DOMAIN
    )


def checkLive(definition: DomainDefinition, kind: str, device: Any) -> None:
    """
    Refuse a device that a running guest has already, or cannot get.

    @raise VirtError: in libvirt's words.
    """
    devices: Any = definition.devices
    if kind not in LIVE:
        raise operationUnsupported(f"live attach of device '{label(kind)}' is not supported")
    if kind == "disks":
        for each in devices.disks:
            if each.target.dev == device.target.dev:
                raise _duplicate(each, device)
        if device.device == "floppy":
            raise operationUnsupported("floppy device hotplug isn't supported")
        if device.target.bus == "virtio" and not isPlaced(device):
            raise internal("Unexpected address type for 'virtio-blk'")
        _checkDrive(devices, device)
    elif kind == "controllers":
        if device.type != "scsi":
            raise operationUnsupported(f"'{device.type}' controller cannot be hot plugged.")
        if device.index is not None and there(devices, kind, device):
            raise failed(f"target {device.type}:{device.index} already exists")
    elif kind == "interfaces":
        checkPort(device)
        if device.type not in _NETS:
            raise operationUnsupported(
                f"hotplug of interface type of {device.type} is not implemented yet"
            )
    elif kind == "inputs":
        if device.bus not in ("usb", "virtio") and device.type != "evdev":
            raise operationUnsupported(f"input device on bus '{device.bus}' cannot be hot plugged.")
    elif kind == "filesystems":
        if getattr(device.driver, "type", None) != "virtiofs":
            raise operationUnsupported("only virtiofs filesystems can be hotplugged")
        if there(devices, kind, device):
            raise operationInvalid("Target already exists")
    elif kind in CHARDEVS:
        if device.source.type == "nmdm":
            raise unsupportedConfig("unsupported chardev 'nmdm'")
        _checkEnds(devices, kind, device)
        if _isSerial(kind, device):
            raise unsupportedConfig("unsupported console target type serial")
        if kind == "consoles" and device.target.type not in ("virtio", "sclp", "sclplm"):
            raise unsupportedConfig(f"unsupported console target type {device.target.type}")
        if kind == "serials" and device.target.type == "usb-serial" and not _hasUSB(devices):
            raise internal("No free USB ports", ErrorDomain.DOMAIN)
        if kind == "channels" and device.target.type == "xen":
            raise unsupportedConfig("Unsupported address type for character device")
        place = device.address
        if isinstance(place, VirtioSerialAddress) and not any(
            each.type == "virtio-serial" and each.index == place.controller
            for each in devices.controllers
        ):
            raise xmlError(f"virtio serial controller {place.controller} is missing")
        if (
            kind in ("channels", "consoles")
            and device.target.type == "virtio"
            and not any(each.type == "virtio-serial" for each in devices.controllers)
        ):
            raise internal("no virtio-serial controllers are available", ErrorDomain.DOMAIN)
    elif kind == "watchdogs":
        if devices.watchdogs:
            raise operationInvalid("domain already has a watchdog")
        if device.model != "i6300esb":
            raise operationUnsupported(
                f"hotplug of watchdog of model {device.model} is not supported"
            )
    elif kind == "vsock" and devices.vsock is not None:
        raise operationInvalid("the domain already has a vsock device")
    elif kind == "hostdevs" and device.source.protocol == "iscsi" and there(devices, kind, device):
        # Who has others is looked up on the host.
        raise operationInvalid(f"target {device.type} device already exists")
    elif kind == "leases" and there(devices, kind, device):
        raise _leased(device)


#: Types of interfaces that can be plugged in.
_NETS = ("user", "network", "bridge", "ethernet", "direct", "hostdev", "vhostuser", "vdpa")


def _duplicate(one: Any, other: Any) -> VirtError:
    from pyvirt.drivers.qemu.blocks.chain import pathOf

    return xmlError(
        f"target '{one.target.dev}' duplicated for disk sources "
        f"'{pathOf(one.source) or '<null>'}' and '{pathOf(other.source) or '<null>'}'"
    )


def _checkDrive(devices: Any, device: Any) -> None:
    """Refuse a disk whose place on a bus of drives is taken."""
    address = device.address
    if not isinstance(address, DriveAddress):
        return
    for each in devices.disks:
        if each.target.bus == device.target.bus and each.address == address:
            raise operationInvalid(
                "Domain already contains a disk with that address", ErrorDomain.DOMAIN
            )


def _checkEnds(devices: Any, kind: str, device: Any, stored: bool = False) -> None:
    """Refuse a character device that is there already; consoles of what is stored count from 0."""
    for number, each in enumerate(getattr(devices, kind)):
        if kind == "consoles" and stored:
            each = replaced(each, target=replaced(each.target, port=number))
        if sameEnds(device, each):
            raise operationInvalid("chardev already exists", ErrorDomain.QEMU)


def fitted(
    definition: DomainDefinition,
    kind: str,
    device: Any,
    capabilities: BinaryCapabilities,
    random: Callable[[int], bytes],
    **how: Any,
) -> tuple[DomainDefinition, int]:
    """
    Add a device to a definition, and complete it: the device gets its place.

    @param how: what else L{complete} is told.
    @return: the definition, and the place of the device among its kind.
    @raise VirtError: it does not fit.
    """
    kept = getattr(definition.devices, kind)
    own = getattr(device, "alias", None)
    marked = device
    if own is None and hasattr(device, "alias"):
        marked = replaced(device, alias=_MARK)
    value = (*kept, marked) if isinstance(kept, tuple) else marked
    devices = replaced(definition.devices, **{kind: value})
    if own is not None:
        checkAliases(replaced(definition, devices=devices))
    changed = complete(replaced(definition, devices=devices), capabilities, random, **how)
    found, mark = len(kept) if isinstance(kept, tuple) else 0, own or _MARK
    for other, place, each in everyDevice(changed):
        if other == kind and getattr(each, "alias", None) == mark:
            found = place
            break
    if own is None:
        # The first console may be the device seen again.
        for other, place, each in everyDevice(changed):
            if getattr(each, "alias", None) == _MARK:
                changed = withDevice(changed, other, place, replaced(each, alias=None))
    return changed, found


def withPorts(
    definition: DomainDefinition, kept: Sequence[int | None], device: Any, place: int
) -> DomainDefinition:
    """
    Let consoles have the numbers that they had or ask for; others get the next one.

    @param kept: the numbers of those that were there.
    @param device: the new one as it was asked for, which is now at C{place}.
    """
    ports = list(kept)
    port = device.target.port
    if port is None:
        port = 1 + max((each for each in ports if each is not None), default=-1)
    ports.append(port)
    for number, had in enumerate(ports, place - len(kept)):
        console = definition.devices.consoles[number]
        console = replaced(console, target=replaced(console.target, port=had))
        definition = withDevice(definition, "consoles", number, console)
    return definition


def consoleOf(serial: Any) -> Console:
    """Return a domain's first serial port as its first console."""
    return Console(
        source=serial.source,
        target=Target(type="serial", port=serial.target.port or 0),
        alias=serial.alias,
        address=serial.address,
    )


def newAlias(definition: DomainDefinition, kind: str, device: Any) -> str:
    """Choose a name for a device that is plugged in: of its place, or the next number that is free."""
    devices = definition.devices
    if kind == "disks":
        return diskAlias(device, devices)
    if kind == "controllers":
        kinds = definition.os.type
        return controllerAlias(device, kinds.machine or "", kinds.arch)
    prefix, alike = KINDS[kind][1], {kind}
    if kind == "hostdevs" or (kind == "interfaces" and isPassed(device)):
        prefix, alike = "hostdev", {"hostdevs", "interfaces"}
    if kind == "memories":
        if device.model in ("dimm", "nvdimm"):
            return f"{device.model}{device.address.slot}"
        prefix = {"virtio-pmem": "virtiopmem", "virtio-mem": "virtiomem"}.get(
            device.model, device.model.replace("-", "")
        )
    highest = -1
    for other, _, each in everyDevice(definition):
        if other not in alike:
            continue
        name = getattr(each, "alias", None) or ""
        if kind == "consoles" and name.startswith("serial"):
            # The first console is a serial port seen again, and counts.
            name = prefix + name.removeprefix("serial")
        if name.startswith(prefix) and name[len(prefix) :].isdigit():
            highest = max(highest, int(name[len(prefix) :]))
    return f"{prefix}{highest + 1}"
