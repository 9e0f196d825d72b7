"""
Which device of a domain a caller means who describes it by XML: as much of it as tells it from others.

What is not found is refused in the words that libvirt has for that kind of device, which differ between the
running guest and its definition.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from pyvirt.definitions.domain._chardev import CharSource
from pyvirt.definitions.schema import replaced
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["findDevice", "findInterface", "sameEnds", "sameHostDevice"]

#: What the place of a device in a machine is told by; it does not matter for what the device is.
_PLACE = frozenset(("alias", "address", "acpiIndex", "boot", "rom"))


def _absent(detail: str, domain: int = ErrorDomain.NONE) -> VirtError:
    return virtError(ErrorCode.DEVICE_MISSING, detail, domain)


def _failed(detail: str, domain: int = ErrorDomain.NONE) -> VirtError:
    return virtError(ErrorCode.OPERATION_FAILED, detail, domain)


def _invalid(detail: str) -> VirtError:
    return virtError(ErrorCode.INVALID_ARG, detail, ErrorDomain.NONE)


def _text(kind: str, device: Any, live: bool) -> VirtError:
    """Make the error of a device that is not there; whose error it is, is left open."""
    if kind == "rngs":
        if live:
            return _absent(
                f"model '{_rngModel(device)}' RNG device not present in domain configuration"
            )
        return _absent("no matching RNG device was found")
    if kind == "inputs":
        return _absent("matching input device not found")
    if kind == "watchdogs":
        if live:
            return _absent(
                f"model '{device.model}' watchdog device not present in domain configuration"
            )
        return _absent("domain has no watchdog")
    if kind == "vsock":
        if live:
            return _absent("matching vsock device not found")
        return _failed("matching vsock device not found")
    if kind == "controllers":
        if live:
            index = -1 if device.index is None else device.index
            return _absent(f"controller {device.type}:{index} not found")
        return _absent("device not present in domain configuration")
    if kind in ("serials", "parallels", "consoles", "channels"):
        if live:
            return _absent(f"chr type '{kind[:-1]}' device not present in domain configuration")
        return _invalid("device not present in domain configuration")
    if kind == "filesystems":
        if live:
            return _absent("matching filesystem not found")
        return _absent("no matching filesystem device was found")
    if kind == "memories":
        if live:
            return _absent(
                f"model '{device.model}' memory device not present in the domain configuration"
            )
        return _absent("matching memory device was not found")
    if kind == "shmems":
        if live:
            model = getattr(device.model, "type", None) or device.model or "ivshmem"
            return _absent(f"model '{model}' shmem device not present in domain configuration")
        return _absent("matching shmem device was not found")
    if kind == "redirdevs":
        if live:
            return virtError(
                ErrorCode.OPERATION_INVALID,
                "no matching redirdev was not found",
                ErrorDomain.NONE,
            )
        return _absent("no matching redirdev was not found")
    if kind == "leases":
        detail = f"Lease {device.key} in lockspace {device.lockspace or '(null)'} does not exist"
        return _invalid(detail) if live else _absent(detail)
    if kind == "disks":
        name = device.target.dev
        return _absent(f"disk {name} not found" if live else f"no target device {name}")
    if kind == "hostdevs" and live:
        return _absent(f"{_hostText(device)} not found")
    return _absent("device not present in domain configuration")


def _rngModel(device: Any) -> str:
    return str(getattr(device.backend, "model", None) or "random")


def _hostText(device: Any) -> str:
    source = device.source
    if device.type == "usb":
        if source.vendor is not None:
            return (
                f"host usb device vendor=0x{source.vendor:04x} product=0x{source.product or 0:04x}"
            )
        return f"host usb device {source.bus or 0:03d}.{source.device or 0:03d}"
    if device.type == "pci" and source.pci is not None:
        pci = source.pci
        return (
            f"host pci device {pci.domain or 0:04x}:{pci.bus or 0:02x}:"
            f"{pci.slot or 0:02x}.{pci.function or 0}"
        )
    if device.type == "scsi" and source.scsi is not None:
        scsi = source.scsi
        return f"host scsi device {source.adapter}:{scsi.bus}:{scsi.target}.{scsi.unit}"
    if device.type == "mdev":
        return f"mediated device '{source.uuid}'"
    return "device"


def _settled(value: Any) -> Any:
    """Return the host's end of a device without what is decided when a guest starts; the rest as it is."""
    if isinstance(value, CharSource) and value.tls is False:
        return replaced(value, tls=None)
    return value


def _alike(one: Any, other: Any, ignored: frozenset[str] = _PLACE) -> bool:
    """Whether two devices are the same but for their places; a place that C{one} names must fit."""
    if type(one) is not type(other):
        return False
    for field in attrs.fields(type(one)):
        if field.name in ignored:
            continue
        if _settled(getattr(one, field.name)) != _settled(getattr(other, field.name)):
            return False
    address = getattr(one, "address", None)
    return address is None or address == getattr(other, "address", None)


def _samePort(wanted: Any, there: Any) -> bool:
    """Whether two character devices have the same ends."""
    one, other = wanted.target, there.target
    if one.type not in (None, other.type) or (one.port, other.port)[one.port is None] != other.port:
        return False
    if (one.name, one.address) != (other.name, other.address):
        return False
    source, had = wanted.source, there.source
    if source.type != had.type:
        return False
    if source.type == "pty" or source.path is None:
        return bool(attrs.evolve(source, path=None) == attrs.evolve(had, path=None))
    return bool(source == had)


def _byTarget(wanted: Any, there: Any) -> bool:
    return there.target is not None and wanted.target.dev == there.target.dev


def _cid(vsock: Any) -> int | None:
    address: int | None = None if vsock.cid is None else vsock.cid.address
    return address


def sameHostDevice(wanted: Any, there: Any) -> bool:
    """Whether two devices of the host are one: told by what says which, not by what was found out since."""
    if (wanted.mode, wanted.type) != (there.mode, there.type):
        return False
    one, other = wanted.source, there.source
    if wanted.type == "usb":
        if one.bus or one.device:
            return bool((one.bus, one.device) == (other.bus, other.device))
        return bool((one.vendor, one.product) == (other.vendor, other.product))
    if wanted.type == "pci":
        return bool(one.pci == other.pci)
    return bool(one == attrs.evolve(other, node=one.node, path=one.path))


_SAME: dict[str, Callable[[Any, Any], bool]] = {
    "disks": _byTarget,
    "filesystems": lambda wanted, there: wanted.target == there.target,
    "controllers": lambda wanted, there: (
        (wanted.type, wanted.index) == (there.type, there.index or 0)
    ),
    "sounds": lambda wanted, there: wanted.model == there.model,
    "inputs": lambda wanted, there: (
        (wanted.type, wanted.bus, wanted.source) == (there.type, there.bus, there.source)
    ),
    "leases": lambda wanted, there: (wanted.key, wanted.lockspace) == (there.key, there.lockspace),
    "hostdevs": sameHostDevice,
    "vsock": lambda wanted, there: (wanted.model, _cid(wanted)) == (there.model, _cid(there)),
    "serials": _samePort,
    "parallels": _samePort,
    "consoles": _samePort,
    "channels": _samePort,
}


def sameEnds(wanted: Any, there: Any) -> bool:
    """Whether two character devices have the same ends, in the guest and on the host."""
    if wanted.target.port is None and there.target.port is not None:
        return False
    if not _samePort(attrs.evolve(wanted, source=there.source), there):
        return False
    one, other = wanted.source, there.source
    if one.type == "unix" and one.path is None and one.mode is None:
        one = attrs.evolve(one, mode=other.mode)
    return bool(_settled(one) == _settled(other))


_STRICT: dict[str, Callable[[Any, Any], bool]] = {
    "serials": sameEnds,
    "parallels": sameEnds,
    "consoles": sameEnds,
    "channels": sameEnds,
    "watchdogs": lambda wanted, there: (
        (wanted.model, wanted.action, wanted.address) == (there.model, there.action, there.address)
    ),
}


def findInterface(interfaces: tuple[Any, ...], wanted: Any) -> int:
    """
    Find an interface by what is given of its hardware address, its address and its name.

    @return: its place.
    @raise VirtError: there is none, or there are several.
    """
    mac = wanted.mac.address if wanted.mac is not None else None
    found = []
    for place, each in enumerate(interfaces):
        if mac is not None and (
            each.mac is None or (each.mac.address or "").lower() != mac.lower()
        ):
            continue
        if wanted.address is not None and wanted.address != each.address:
            continue
        if wanted.alias is not None and wanted.alias != each.alias:
            continue
        found.append(place)
    if len(found) > 1:
        if mac is not None:
            detail = f"multiple devices matching MAC address {mac} found"
        else:
            detail = "multiple matching devices found"
        raise _failed(detail, ErrorDomain.DOMAIN)
    if not found:
        raise _absent(
            f"no device found at address '{_addressText(wanted.address)}' matching MAC address "
            f"'{mac or '(<null>)'}' and alias '{wanted.alias or '(<null>)'}'",
            ErrorDomain.DOMAIN,
        )
    return found[0]


def _addressText(address: Any) -> str:
    if getattr(address, "type", None) != "pci":
        return "(<null>)"
    return (
        f"{address.domain or 0:04x}:{address.bus or 0:02x}:"
        f"{address.slot or 0:02x}.{address.function or 0:x}"
    )


def findDevice(
    devices: Any,
    kind: str,
    wanted: Any,
    live: bool,
    domain: int = ErrorDomain.TEST,
    *,
    strict: bool = False,
) -> tuple[int, Any]:
    """
    Find the device that is meant.

    @param devices: the devices of the running guest or of its definition, as C{live} says.
    @param kind: the attribute that keeps such devices.
    @param strict: a real guest's, whose character devices have paths that are part of what tells them.
    @param domain: C{VIR_FROM_*}: the part that reports what is not there.
    @return: its place there, and the device.
    @raise VirtError: there is none.
    """
    kept = getattr(devices, kind)
    if kind == "interfaces":
        place = findInterface(kept, wanted)
        return place, kept[place]
    if not isinstance(kept, tuple):
        kept = () if kept is None else (kept,)
        if kept and not live:  # libvirt does not look which one it is
            return 0, kept[0]
    if kind == "watchdogs" and kept and not live:
        return 0, kept[0]
    same = _SAME.get(kind, _alike)
    if strict and kind in _STRICT:
        same = _STRICT[kind]
    for place, each in enumerate(kept):
        if same(wanted, each):
            return place, each
    if kind == "watchdogs" and live and not kept:
        raise _absent("watchdog device not present in domain configuration", domain)
    error = _text(kind, wanted, live)
    error.domain = domain
    raise error
