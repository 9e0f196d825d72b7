"""
Changing a device that stays: which it is, what of it may change while the guest runs, and how the rest is refused.

The refusals are libvirt's driver for QEMU's; a driver that can change more than these rules tell asks after them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt.definitions.domain import DomainDefinition, steps
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicekinds import label
from pyvirt.drivers.devicematch import findInterface
from pyvirt.drivers.refusals import internal, invalidArgument
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = [
    "checkDisk",
    "checkGraphics",
    "checkInterface",
    "findDisk",
    "findMemory",
    "sameMedium",
    "updatedConfig",
    "withDevice",
]


def _unsupported(detail: str, domain: int) -> VirtError:
    return virtError(ErrorCode.OPERATION_UNSUPPORTED, detail, domain)


def withDevice(
    definition: DomainDefinition, kind: str, place: int, device: Any
) -> DomainDefinition:
    """Put a device where another of its kind is; None takes that away."""
    devices = definition.devices
    kept = getattr(devices, kind)
    value: Any = device
    if isinstance(kept, tuple):
        value = (*kept[:place], *(() if device is None else (device,)), *kept[place + 1 :])
    return replaced(definition, devices=replaced(devices, **{kind: value}))


def findDisk(definition: DomainDefinition, wanted: Any) -> tuple[int, Any] | None:
    """Return the place of the disk of the same target, and the disk."""
    for place, each in enumerate(definition.devices.disks):
        if each.target is not None and each.target.dev == wanted.target.dev:
            return place, each
    return None


def _graphics(definition: DomainDefinition, wanted: Any) -> tuple[int, Any] | None:
    for place, each in enumerate(definition.devices.graphics):
        if each.type == wanted.type:
            return place, each
    return None


def findMemory(
    definition: DomainDefinition, wanted: Any, domain: int, live: bool = True
) -> tuple[int, Any]:
    """Return the place of the memory device of that name, or else of that model and address, and the device."""
    for place, each in enumerate(definition.devices.memories):
        if wanted.alias is not None and each.alias == wanted.alias:
            return place, each
        if wanted.alias is None and (each.model, each.address) == (wanted.model, wanted.address):
            return place, each
    if not live:
        raise invalidArgument("memory not found", domain)
    raise virtError(
        ErrorCode.CONFIG_UNSUPPORTED, f"memory '{wanted.alias or '(null)'}' not found", domain
    )


def updatedConfig(
    definition: DomainDefinition, kind: str, device: Any, domain: int
) -> DomainDefinition:
    """
    Change a device of a definition: it becomes what is given, in its old place.

    @param domain: whose refusals these are.
    @raise VirtError: it is not there, or such devices cannot be changed.
    """
    if kind == "disks":
        found = findDisk(definition, device)
        if found is None:
            raise invalidArgument(f"target {device.target.dev} doesn't exist.", domain)
    elif kind == "graphics":
        found = _graphics(definition, device)
        if found is None:
            raise invalidArgument(
                f"cannot find existing graphics type '{device.type}' device to modify", domain
            )
    elif kind == "interfaces":
        place = findInterface(definition.devices.interfaces, device)
        found = place, definition.devices.interfaces[place]
    elif kind == "memories":
        found = findMemory(definition, device, domain, live=False)
    else:
        raise _unsupported(f"persistent update of device '{label(kind)}' is not supported", domain)
    place, old = found
    changes: dict[str, Any] = {}
    if device.address is None and kind != "graphics":
        changes["address"] = old.address
    if kind != "graphics" and device.alias is None:
        changes["alias"] = old.alias
    if kind == "interfaces":
        if device.mac is None:
            changes["mac"] = old.mac
        if device.target is None:
            changes["target"] = old.target
    return withDevice(definition, kind, place, replaced(device, **changes) if changes else device)


# Disks

_LIMITS = (
    "total_bytes_sec",
    "read_bytes_sec",
    "write_bytes_sec",
    "total_iops_sec",
    "read_iops_sec",
    "write_iops_sec",
    "total_bytes_sec_max",
    "read_bytes_sec_max",
    "write_bytes_sec_max",
    "total_iops_sec_max",
    "read_iops_sec_max",
    "write_iops_sec_max",
    "size_iops_sec",
    "total_bytes_sec_max_length",
    "read_bytes_sec_max_length",
    "write_bytes_sec_max_length",
    "total_iops_sec_max_length",
    "read_iops_sec_max_length",
    "write_iops_sec_max_length",
)
_DRIVER = (
    ("cache", "cache"),
    ("error_policy", "error_policy"),
    ("rerror_policy", "rerror_policy"),
    ("io", "io"),
    ("ioeventfd", "ioeventfd"),
    ("event_idx", "event_idx"),
    ("copy_on_read", "copy_on_read"),
    ("discard", "discard"),
    ("iothread", "iothread"),
)


def _part(whole: Any, name: str) -> Any:
    return None if whole is None else getattr(whole, name)


def _difference(device: Any, old: Any) -> str | None:
    """Return what libvirt calls the first field of a disk that cannot be changed, None if there is none."""
    if device.device != old.device:
        return "device"
    if device.target.bus is not None and device.target.bus != old.target.bus:
        return "bus"
    for name, words in (("cyls", "cylinders"), ("heads", "heads"), ("secs", "sectors")):
        if (_part(device.geometry, name) or 0) != (_part(old.geometry, name) or 0):
            return f"geometry {words}"
    if _part(device.geometry, "trans") != _part(old.geometry, "trans"):
        return "BIOS-translation-modus"
    for name in ("logical_block_size", "physical_block_size"):
        if (_part(device.blockio, name) or 0) != (_part(old.blockio, name) or 0):
            return f"blockio {name}"
    for name in _LIMITS:
        given = _part(device.iotune, name)
        if given and given != _part(old.iotune, name):
            return f"blkdeviotune {name}"
    group = _part(device.iotune, "group_name")
    if group is not None and group != _part(old.iotune, "group_name"):
        return "blkdeviotune group name"
    for name in ("serial", "wwn", "vendor", "product"):
        given = getattr(device, name)
        if given is not None and given != getattr(old, name):
            return name
    for name, words in _DRIVER:
        given = _part(device.driver, name)
        if given is not None and given != _part(old.driver, name):
            return words
    # A CD is read-only whether that is said or not.
    if device.readonly != old.readonly and old.device != "cdrom":
        return "readonly"
    if device.shareable != old.shareable:
        return "shared"
    if (device.transient is None) != (old.transient is None):
        return "transient"
    if device.boot is not None and device.boot != old.boot:
        return "boot order"
    if device.rawio is not None and device.rawio != old.rawio:
        return "rawio"
    if device.sgio is not None and device.sgio != old.sgio:
        return "sgio"
    if device.backenddomain is not None and device.backenddomain != old.backenddomain:
        return "backenddomain"
    if device.address is not None and device.address != old.address:
        return "address"
    return None


#: What of a source says where its data are.
_PLACES = ("pool", "volume", "protocol", "hosts", "name", "dir", "dev", "file")


def sameMedium(one: Any, other: Any) -> bool:
    """Return whether two sources hold the same data, however they are looked after."""
    return bool(_where(one) == _where(other))


def _where(source: Any) -> Any:
    if source is None or source.isEmpty:
        return None
    return source.sourceType, *(getattr(source, name, None) for name in _PLACES)


def checkDisk(definition: DomainDefinition, device: Any, domain: int) -> tuple[int, Any]:
    """
    Check that a disk may become what is given while the guest runs.

    @return: the place of the disk, and the disk as it is.
    @raise VirtError: it is not there, or something other than its medium or its start differs.
    """
    found = findDisk(definition, device)
    if found is None:
        raise internal(f"disk '{device.target.dev}' not found", domain)
    _place, old = found
    _checkAlias(device, old)
    field = _difference(device, old)
    if field is not None:
        raise _unsupported(f"cannot modify field '{field}' of the disk", domain)
    if old.device not in ("cdrom", "floppy") and not sameMedium(device.source, old.source):
        raise virtError(
            ErrorCode.CONFIG_UNSUPPORTED,
            "disk source can be changed only in removable drives",
            domain,
        )
    return found


def _checkAlias(device: Any, old: Any) -> None:
    if device.alias is not None and device.alias != old.alias:
        raise virtError(
            ErrorCode.OPERATION_DENIED, "changing device alias is not allowed", ErrorDomain.DOMAIN
        )


# Interfaces

_NOTHING = object()


def _text(value: Any) -> str:
    return "(null)" if value is None else str(value)


def checkInterface(
    definition: DomainDefinition, device: Any, random: Callable[[int], bytes], domain: int
) -> tuple[int, Any]:
    """
    Check that an interface may become what is given while the guest runs, but for where it is plugged in.

    @return: the place of the interface, and the interface as it is.
    @raise VirtError: it is not there, or what the guest sees of it differs.
    """
    interfaces: Any = definition.devices.interfaces
    place = findInterface(interfaces, device)
    old = interfaces[place]
    _checkAlias(device, old)
    if device.mac is None:
        # Without one it is given one, which is another.
        raise _unsupported(
            f"cannot change network interface mac address from {old.mac.address} to "
            f"{steps.randomMAC(random)}",
            domain,
        )
    # A driver that gives its interfaces a model has given this one too, before it is compared.
    model = device.model or (None if old.model is None else "rtl8139")
    if model != old.model:
        raise _unsupported(
            f"cannot modify network device model from {_text(old.model)} to {_text(model)}", domain
        )
    if (device.model or "").startswith("virtio") and (device.driver or _NOTHING) != (
        old.driver or _NOTHING
    ):
        raise _unsupported("cannot modify virtio network device driver attributes", domain)
    for field, what in (
        ("script", "script attribute"),
        ("boot", "boot index setting"),
    ):
        given = getattr(device, field)
        if given is not None and given != getattr(old, field):
            raise _unsupported(f"cannot modify network device {what}", domain)
    if device.target is not None and device.target.dev not in (None, _part(old.target, "dev")):
        raise _unsupported("cannot modify network device tap name", domain)
    if _part(device.rom, "bar") != _part(old.rom, "bar"):
        raise _unsupported("cannot modify network device rom bar setting", domain)
    if _part(device.rom, "file") != _part(old.rom, "file"):
        raise _unsupported("cannot modify network rom file", domain)
    if device.mtu is not None and device.mtu != old.mtu:
        raise _unsupported("cannot modify MTU", domain)
    return place, old


# Displays


def checkGraphics(definition: DomainDefinition, device: Any, domain: int) -> tuple[int, Any]:
    """
    Check that a display may become what is given while the guest runs.

    @return: the place of the display, and the display as it is.
    @raise VirtError: it is not there, or something other than its password differs.
    """
    found = _graphics(definition, device)
    if found is None:
        raise virtError(
            ErrorCode.DEVICE_MISSING,
            f"cannot find existing graphics device to modify of type '{device.type}'",
            domain,
        )
    _place, old = found
    kind = device.type
    if kind not in ("vnc", "spice"):
        raise internal(f"unable to change config on '{kind}' graphics type", domain)
    for one, other in zip(device.listens, old.listens, strict=False):
        if one.type != other.type:
            raise _unsupported(
                f"cannot change the type of listen address on '{kind}' graphics", domain
            )
        for what in ("address", "network", "socket"):
            given = getattr(one, what)
            if one.type != what or given == getattr(other, what):
                continue
            if what == "socket" and given is None:
                continue
            setting = "socket" if what == "socket" else "address"
            raise _unsupported(
                f"cannot change listen {setting} setting on '{kind}' graphics", domain
            )
    if not device.autoport and device.port not in (None, -1, old.port):
        raise _unsupported(f"cannot change port settings on {kind} graphics", domain)
    if device.keymap != old.keymap:
        raise _unsupported(f"cannot change keymap setting on {kind} graphics", domain)
    return found
