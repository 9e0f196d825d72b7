"""
Changing devices that are there: media, links, passwords; what else differs is refused by its name.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition, check
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicekinds import KINDS
from pyvirt.drivers.devicematch import findInterface
from pyvirt.drivers.test.aliases import aliasOf
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.refusals import internal, invalidArgument
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["changeMedia", "updatedConfig", "updatedLive"]


def _unsupported(detail: str) -> VirtError:
    return virtError(ErrorCode.OPERATION_UNSUPPORTED, detail, ErrorDomain.TEST)


def _badConfig(detail: str) -> VirtError:
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, ErrorDomain.TEST)


def _swap(definition: DomainDefinition, kind: str, place: int, device: Any) -> DomainDefinition:
    devices = definition.devices
    kept = getattr(devices, kind)
    return replaced(
        definition,
        devices=replaced(devices, **{kind: (*kept[:place], device, *kept[place + 1 :])}),
    )


def _disk(definition: DomainDefinition, wanted: Any) -> tuple[int, Any] | None:
    for place, each in enumerate(definition.devices.disks):
        if each.target is not None and each.target.dev == wanted.target.dev:
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
    else:
        raise _unsupported(f"persistent update of device '{KINDS[kind][0]}' is not supported")
    place, old = found
    changes: dict[str, Any] = {}
    if device.address is None and kind != "graphics":
        changes["address"] = old.address
    if device.alias is None:
        changes["alias"] = old.alias
    if kind == "interfaces" and device.mac is None:
        changes["mac"] = old.mac
    if kind == "interfaces" and device.target is None:
        changes["target"] = old.target
    return _swap(definition, kind, place, replaced(device, **changes) if changes else device)


def updatedLive(world: World, domain: Domain, kind: str, device: Any, force: bool) -> None:
    """
    Change a device of a running guest, and tell of it.

    @param force: whether the guest may hold the medium for itself.
    @raise VirtError: it is not there, or what differs cannot be changed while the guest runs.
    """
    if kind == "disks":
        _updateDisk(world, domain, device, force)
    elif kind == "interfaces":
        _updateInterface(domain, device)
    elif kind == "graphics":
        _updateGraphics(domain, device)
    else:
        raise _badConfig(f"live update of device '{KINDS[kind][0]}' is not supported")


#: Fields of a disk that are fixed while it is plugged in, and how refusals call them.
_FIXED = (
    ("device", "device"),
    ("geometry", "geometry cylinders"),
    ("blockio", "blockio logical_block_size"),
    ("backenddomain", "backenddomain"),
    ("readonly", "readonly"),
    ("shareable", "shareable"),
    ("transient", "transient"),
)


def _updateDisk(world: World, domain: Domain, device: Any, force: bool) -> None:
    found = _disk(domain.definition, device)
    if found is None:
        raise internal(f"disk '{device.target.dev}' not found")
    place, old = found
    if device.target.bus is not None and device.target.bus != old.target.bus:
        raise _unsupported("cannot modify field 'bus' of the disk")
    for name, label in _FIXED:
        given = getattr(device, name)
        # A CD is read-only whether that is said or not.
        if name == "readonly" and old.device == "cdrom":
            continue
        if given != getattr(old, name):
            raise _unsupported(f"cannot modify field '{label}' of the disk")
    if old.device in ("cdrom", "floppy"):
        changeMedia(world, domain, device, force)
        return
    if _place(device.source) != _place(old.source):
        raise _badConfig("disk source can be changed only in removable drives")
    definition = _swap(
        domain.definition,
        "disks",
        place,
        replaced(old, iotune=device.iotune, startup=device.startup, boot=device.boot),
    )
    domain.definition = definition


def _place(source: Any) -> Any:
    """Return where the data of a disk is, without how it is looked after."""
    if source is None:
        return None
    return replaced(source, index=None, labels=())


def changeMedia(world: World, domain: Domain, device: Any, force: bool) -> None:
    """
    Put another medium into a drive of a running guest, or take out the one that is in it.

    @raise VirtError: the drive is not there, or does not take media.
    """
    found = _disk(domain.definition, device)
    assert found is not None
    place, old = found
    if device.device != old.device:
        raise _unsupported("cannot modify field 'device' of the disk")
    alias = aliasOf("disks", place, old)
    empty = device.source is None or device.source.isEmpty
    changed = replaced(
        old,
        type=device.type,
        source=device.source,
        driver=device.driver if device.driver is not None else old.driver,
        startup=device.startup,
        target=replaced(old.target, tray="open" if empty else None),
    )
    definition = _swap(domain.definition, "disks", place, changed)
    check(definition)
    domain.definition = definition
    event = c.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE
    if old.target.tray != "open":
        world.tellDomain(domain, event, alias, c.VIR_DOMAIN_EVENT_TRAY_CHANGE_OPEN)
    if not empty:
        world.tellDomain(domain, event, alias, c.VIR_DOMAIN_EVENT_TRAY_CHANGE_CLOSE)


def _text(value: Any) -> str:
    return "(null)" if value is None else str(value)


def _updateInterface(domain: Domain, device: Any) -> None:
    interfaces = domain.definition.devices.interfaces
    place = findInterface(interfaces, device)
    old = interfaces[place]
    if device.model is not None and device.model != old.model:
        raise _unsupported(
            f"cannot modify network device model from {_text(old.model)} to {device.model}"
        )
    if device.driver is not None and device.driver != old.driver:
        raise _unsupported("cannot modify virtio network device driver options")
    if device.target is not None and device.target.dev not in (None, old.target and old.target.dev):
        raise _unsupported("cannot modify network device tap name")
    if device.tune is not None and device.tune != old.tune:
        raise _unsupported("cannot modify network device tap tuning")
    if device.rom is not None and device.rom != old.rom:
        raise _unsupported("cannot modify network device rom bar/rom file options")
    if device.boot is not None and device.boot != old.boot:
        raise _unsupported("cannot modify network device boot index setting")
    if device.mtu is not None and device.mtu != old.mtu:
        raise _unsupported("cannot modify MTU")
    if device.script is not None and device.script != old.script:
        raise _unsupported("cannot modify network device script attribute")
    changed = replaced(
        old,
        type=device.type,
        source=device.source if device.source is not None else old.source,
        virtualport=device.virtualport,
        vlan=device.vlan,
        bandwidth=device.bandwidth,
        filterref=device.filterref,
        linkState=device.linkState,
        coalesce=device.coalesce,
        trustGuestRxFilters=device.trustGuestRxFilters,
        portIsolated=device.portIsolated,
    )
    definition = _swap(domain.definition, "interfaces", place, changed)
    check(definition)
    domain.definition = definition


def _updateGraphics(domain: Domain, device: Any) -> None:
    found = _graphics(domain.definition, device)
    if found is None:
        raise virtError(
            ErrorCode.DEVICE_MISSING,
            f"cannot find existing graphics device to modify of type '{device.type}'",
            ErrorDomain.TEST,
        )
    place, old = found
    kind = device.type
    if kind not in ("vnc", "spice"):
        raise internal(f"unable to change config on '{kind}' graphics type")
    if not device.autoport and device.port not in (None, -1, old.port):
        raise _unsupported(f"cannot change port settings on {kind} graphics")
    if device.keymap != old.keymap:
        raise _unsupported(f"cannot change keymap setting on {kind} graphics")
    if device.listens and device.listens != old.listens:
        raise _unsupported(f"cannot change listen address setting on '{kind}' graphics")
    changed = replaced(
        old,
        passwd=device.passwd,
        passwdValidTo=device.passwdValidTo,
        connected=device.connected if device.connected is not None else old.connected,
    )
    domain.definition = _swap(domain.definition, "graphics", place, changed)
