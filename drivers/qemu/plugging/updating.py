"""
Changing devices that stay: media, links, passwords; what else differs is refused by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain import DomainDefinition, steps
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicekinds import KINDS
from pyvirt.drivers.devicematch import findInterface
from pyvirt.drivers.qemu.blocks.chain import disksOf, pathOf
from pyvirt.drivers.qemu.connecting import setPassword
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.plugging.fitting import unsupported, withDevice
from pyvirt.drivers.qemu.plugging.media import changeMedia
from pyvirt.drivers.qemu.refusals import internal, invalidArgument, unsupportedConfig
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["updateLive", "updatedConfig"]


def _disk(definition: DomainDefinition, wanted: Any) -> tuple[int, Any] | None:
    for place, each in enumerate(disksOf(definition)):
        if each.target.dev == wanted.target.dev:
            return place, each
    return None


def _graphics(definition: DomainDefinition, wanted: Any) -> tuple[int, Any] | None:
    for place, each in enumerate(definition.devices.graphics):
        if each.type == wanted.type:
            return place, each
    return None


def updatedConfig(definition: DomainDefinition, kind: str, device: Any) -> DomainDefinition:
    """
    Change a device of a definition: it becomes what is given, in its old place.

    @raise VirtError: it is not there, or such devices cannot be changed.
    """
    if kind == "disks":
        found = _disk(definition, device)
        if found is None:
            raise invalidArgument(f"target {device.target.dev} doesn't exist.")
    elif kind == "graphics":
        found = _graphics(definition, device)
        if found is None:
            raise invalidArgument(
                f"cannot find existing graphics type '{device.type}' device to modify"
            )
    elif kind == "interfaces":
        place = findInterface(definition.devices.interfaces, device)
        found = place, definition.devices.interfaces[place]
    elif kind == "memories":
        found = _memory(definition, device)
    else:
        raise unsupported(f"persistent update of device '{KINDS[kind][0]}' is not supported")
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


def _memory(definition: DomainDefinition, device: Any) -> tuple[int, Any]:
    for place, each in enumerate(definition.devices.memories):
        if device.alias is not None and each.alias == device.alias:
            return place, each
        if device.alias is None and (each.model, each.address) == (device.model, device.address):
            return place, each
    raise unsupportedConfig(f"memory '{device.alias or '(null)'}' not found")


async def updateLive(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, kind: str, device: Any, force: bool
) -> None:
    """
    Change a device of a running guest.

    The caller holds the domain's job.

    @param force: take media out even if the guest holds on to them.
    @raise VirtError: it is not there, or what differs cannot be changed while the guest runs.
    """
    if kind == "disks":
        await _updateDisk(hypervisor, domain, guest, device, force)
    elif kind == "interfaces":
        await _updateInterface(domain, guest, device, hypervisor.random)
    elif kind == "graphics":
        await _updateGraphics(domain, guest, device)
    elif kind == "memories":
        await _updateMemory(domain, guest, device)
    else:
        raise unsupportedConfig(f"live update of device '{KINDS[kind][0]}' is not supported")
    hypervisor.saveStatus(domain)


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


def differences(device: Any, old: Any) -> str | None:
    """Return what libvirt calls the first field of a disk that cannot be changed, None if there is none."""
    if device.device != old.device:
        return "device"
    if device.target.bus is not None and device.target.bus != old.target.bus:
        return "bus"
    for name, label in (("cyls", "cylinders"), ("heads", "heads"), ("secs", "sectors")):
        if (_part(device.geometry, name) or 0) != (_part(old.geometry, name) or 0):
            return f"geometry {label}"
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
    for name, label in _DRIVER:
        given = _part(device.driver, name)
        if given is not None and given != _part(old.driver, name):
            return label
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


def _where(source: Any) -> Any:
    """Return where the data of a disk is, without how it is looked after."""
    if source is None or source.isEmpty:
        return None
    return source.sourceType, pathOf(source), getattr(source, "hosts", None)


async def _updateDisk(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, device: Any, force: bool
) -> None:
    found = _disk(domain.definition, device)
    if found is None:
        raise internal(f"disk '{device.target.dev}' not found")
    place, old = found
    checkAlias(device, old)
    field = differences(device, old)
    if field is not None:
        raise unsupported(f"cannot modify field '{field}' of the disk")
    if _where(device.source) != _where(old.source):
        if old.device not in ("cdrom", "floppy"):
            raise unsupportedConfig("disk source can be changed only in removable drives")
        await changeMedia(hypervisor, domain, guest, old, device, force)
        return
    changed = replaced(old, startup=device.startup)
    domain.definition = withDevice(domain.definition, "disks", place, changed)


def checkAlias(device: Any, old: Any) -> None:
    """Refuse to give a device another name."""
    if device.alias is not None and device.alias != old.alias:
        raise virtError(
            ErrorCode.OPERATION_DENIED, "changing device alias is not allowed", ErrorDomain.DOMAIN
        )


# Interfaces


def _text(value: Any) -> str:
    return "(null)" if value is None else str(value)


async def _updateInterface(
    domain: Domain, guest: Guest, device: Any, random: Callable[[int], bytes]
) -> None:
    interfaces: Any = domain.definition.devices.interfaces
    place = findInterface(interfaces, device)
    old = interfaces[place]
    checkAlias(device, old)
    if device.mac is None:
        # Without one it is given one, which is another.
        raise unsupported(
            f"cannot change network interface mac address from {old.mac.address} to "
            f"{steps.randomMAC(random)}"
        )
    model = device.model or "rtl8139"
    if model != old.model:
        raise unsupported(
            f"cannot modify network device model from {_text(old.model)} to {_text(model)}"
        )
    if (device.model or "").startswith("virtio") and (device.driver or _NOTHING) != (
        old.driver or _NOTHING
    ):
        raise unsupported("cannot modify virtio network device driver attributes")
    for field, what in (
        ("script", "script attribute"),
        ("boot", "boot index setting"),
    ):
        given = getattr(device, field)
        if given is not None and given != getattr(old, field):
            raise unsupported(f"cannot modify network device {what}")
    if device.target is not None and device.target.dev not in (None, _part(old.target, "dev")):
        raise unsupported("cannot modify network device tap name")
    rom = device.rom
    if _part(rom, "bar") != _part(old.rom, "bar"):
        raise unsupported("cannot modify network device rom bar setting")
    if _part(rom, "file") != _part(old.rom, "file"):
        raise unsupported("cannot modify network rom file")
    if device.mtu is not None and device.mtu != old.mtu:
        raise unsupported("cannot modify MTU")
    if device.type != old.type or (device.tune is not None and device.tune != old.tune):
        raise unsupported(f"unable to change config on '{device.type}' network type")
    if device.bandwidth is not None and device.bandwidth != old.bandwidth:
        raise unsupported("Unable to set bandwidth for interface because device name is unknown")
    if device.linkState != old.linkState:
        await guest.execute("set_link", {"name": old.alias, "up": device.linkState != "down"})
        domain.definition = withDevice(
            domain.definition, "interfaces", place, replaced(old, linkState=device.linkState)
        )


_NOTHING = object()


# Displays


async def _updateGraphics(domain: Domain, guest: Guest, device: Any) -> None:
    found = _graphics(domain.definition, device)
    if found is None:
        raise virtError(
            ErrorCode.DEVICE_MISSING,
            f"cannot find existing graphics device to modify of type '{device.type}'",
            ErrorDomain.QEMU,
        )
    place, old = found
    kind = device.type
    if kind not in ("vnc", "spice"):
        raise internal(f"unable to change config on '{kind}' graphics type")
    for one, other in zip(device.listens, old.listens, strict=False):
        if one.type != other.type:
            raise unsupported(f"cannot change the type of listen address on '{kind}' graphics")
        if one.type == "address" and one.address != other.address:
            raise unsupported(f"cannot change listen address setting on '{kind}' graphics")
        if one.type == "network" and one.network != other.network:
            raise unsupported(f"cannot change listen address setting on '{kind}' graphics")
        if one.type == "socket" and one.socket is not None and one.socket != other.socket:
            raise unsupported(f"cannot change listen socket setting on '{kind}' graphics")
    if not device.autoport and device.port not in (None, -1, old.port):
        raise unsupported(f"cannot change port settings on {kind} graphics")
    if device.keymap != old.keymap:
        raise unsupported(f"cannot change keymap setting on {kind} graphics")
    fields = ("passwd", "passwdValidTo", "connected")
    if any(getattr(device, name) != getattr(old, name) for name in fields):
        changed = replaced(old, **{name: getattr(device, name) for name in fields})
        if device.passwd is not None:
            await setPassword(guest, changed)
        domain.definition = withDevice(domain.definition, "graphics", place, changed)


# Memory


async def _updateMemory(domain: Domain, guest: Guest, device: Any) -> None:
    place, old = _memory(domain.definition, device)
    if device.model != "virtio-mem":
        raise unsupportedConfig(f"updating of memory model '{device.model}' is not supported")
    size = device.target.requested or 0
    await guest.execute(
        "qom-set",
        {
            "path": f"/machine/peripheral/{old.alias}",
            "property": "requested-size",
            "value": size * 1024,
        },
    )
    changed = replaced(old, target=replaced(old.target, requested=size))
    domain.definition = withDevice(domain.definition, "memories", place, changed)
