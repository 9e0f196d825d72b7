"""
Where a device sits: its address on a bus, and what else any device may say about itself.

Every device class inherits L{Device}, whose elements libvirt writes last.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import attrs

from pyvirt.definitions.kinds import (
    BOOLEAN,
    FILLED,
    SWITCH,
    TEXT,
    UINT,
    Kind,
    integer,
    internal,
    unsupported,
    xmlError,
)
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    plainReader,
    plainWriter,
    reader,
    replaced,
    writer,
)
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = [
    "Address",
    "Boot",
    "BootDevice",
    "Device",
    "PCIAddress",
    "RomDevice",
    "readInfoLast",
    "writeInfo",
]


def hexadecimal(form: str, bits: int = 32, **more: Any) -> Kind:
    """Make a kind of numbers in any base that are written as C{form}."""
    return integer(base=0, bits=bits, form=form, **more)


@definition
class ZPCI:
    """The identifiers of a PCI device on s390."""

    xmlOmitEmpty: ClassVar[bool] = True

    uid: int | None = attribute(hexadecimal("#06x", keepZero=False))
    fid: int | None = attribute(hexadecimal("#010x", keepZero=False))

    def settle(self, node: Node, context: Context) -> ZPCI:
        """Where one is given, both are written."""
        if node.get("uid") is None and node.get("fid") is None:
            return self
        return ZPCI(uid=self.uid or 0, fid=self.fid or 0)


class Address:
    """An address of any type; C{type} says which."""

    type: str

    @classmethod
    def readElement(cls, node: Node, context: Context) -> Address | None:
        """Read an address of the type that the element names."""
        kind = node.get("type")
        if kind is None:
            raise internal("No type specified for device address")("", node, "type")
        known = _TYPES.get(kind)
        if kind == "virtio-s390":
            raise xmlError("virtio-s390 bus doesn't have an address")
        if known is None:
            raise _badType(kind, node)
        found: Address = plainReader(known)(node, context)
        return found

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write an address of whatever type it is."""
        plainWriter(type(value))(value, out, indent, tag, context)


def filled(address: Any) -> Any:
    """Return a PCI address with the zeros that nothing was said of."""
    if not isinstance(address, PCIAddress) or address.slot is not None:
        return address
    return replaced(address, domain=0, bus=0, slot=0, function=0)


def _badType(text: str, node: Node) -> Exception:
    return unsupported("unknown address type '{text}'")(text, node, "type")


@definition
class PCIAddress(Address):
    """A slot of a PCI bus."""

    type: str = attribute(default="pci")
    domain: int | None = attribute(hexadecimal("#06x"))
    bus: int | None = attribute(hexadecimal("#04x"))
    slot: int | None = attribute(hexadecimal("#04x"))
    function: int | None = attribute(hexadecimal("#x"))
    multifunction: bool | None = attribute(SWITCH)
    zpci: ZPCI | None = element(ZPCI)

    def settle(self, node: Node, context: Context) -> PCIAddress:
        """Complain of numbers that no PCI address has; fill in the zeros of one that has any."""
        domain, bus, slot, function = (
            number or 0 for number in (self.domain, self.bus, self.slot, self.function)
        )
        if not (domain or bus or slot):
            return replaced(self, domain=None, bus=None, slot=None, function=None)
        if bus > 0xFF:
            raise xmlError(f"Invalid PCI address bus='0x{bus:x}', must be <= 0xFF", 0)
        if slot > 0x1F:
            raise xmlError(f"Invalid PCI address slot='0x{slot:x}', must be <= 0x1F", 0)
        if function > 7:
            raise xmlError(f"Invalid PCI address function=0x{function:x}, must be <= 7", 0)
        return replaced(self, domain=domain, bus=bus, slot=slot, function=function)


@definition
class DriveAddress(Address):
    """A unit of a disk controller."""

    type: str = attribute(default="drive")
    controller: int = attribute(UINT, default=0)
    bus: int = attribute(UINT, default=0)
    target: int = attribute(UINT, default=0)
    unit: int = attribute(UINT, default=0)


@definition
class VirtioSerialAddress(Address):
    """A port of a virtio serial controller."""

    type: str = attribute(default="virtio-serial")
    controller: int = attribute(UINT, default=0)
    bus: int = attribute(UINT, default=0)
    port: int = attribute(UINT, default=0)


@definition
class CCIDAddress(Address):
    """A slot of a smart card controller."""

    type: str = attribute(default="ccid")
    controller: int = attribute(UINT, default=0)
    slot: int = attribute(UINT, default=0)


def _readPort(text: str, node: Node, name: str) -> str:
    parts = text.split(".")
    if len(parts) > 4 or not all(part.isascii() and part.isdigit() for part in parts):
        raise virtError(
            ErrorCode.INTERNAL_ERROR,
            "Cannot parse <address> 'port' attribute",
            ErrorDomain.DEVICE,
        )
    return text


@definition
class USBAddress(Address):
    """A port of a USB bus."""

    type: str = attribute(default="usb")
    xmlReadOrder: ClassVar[str] = "port"

    bus: int = attribute(UINT, default=0)
    port: str | None = attribute(Kind(_readPort))


@definition
class SpaprVIOAddress(Address):
    """A register of the POWER virtual bus."""

    type: str = attribute(default="spapr-vio")
    reg: int | None = attribute(integer(base=16, bits=64, form="#010x"))


@definition
class CCWAddress(Address):
    """A channel device of s390."""

    type: str = attribute(default="ccw")
    cssid: int = attribute(hexadecimal("#x"), default=0)
    ssid: int = attribute(hexadecimal("#x"), default=0)
    devno: int = attribute(hexadecimal("#06x"), default=0)

    def settle(self, node: Node, context: Context) -> CCWAddress:
        """Check the numbers, of which all are given or none."""
        if 0 < sum(node.get(name) is not None for name in ("cssid", "ssid", "devno")) < 3:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                "Invalid partial specification for virtio ccw address",
                ErrorDomain.DEVICE,
            )
        if self.cssid > 0xFE or self.ssid > 3 or self.devno > 0xFFFF:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                "Invalid specification for virtio ccw address: "
                f"cssid='{self.cssid:#x}' ssid='{self.ssid:#x}' devno='{self.devno:#06x}'",
                ErrorDomain.DEVICE,
            )
        return self


@definition
class ISAAddress(Address):
    """Ports of the ISA bus."""

    type: str = attribute(default="isa")
    iobase: int | None = attribute(integer(base=16, form="#x", keepZero=False))
    irq: int | None = attribute(integer(base=16, form="#x", keepZero=False))


@definition
class DIMMAddress(Address):
    """A slot of memory, and where it starts."""

    type: str = attribute(default="dimm")
    slot: int = attribute(UINT, required=True)
    base: int | None = attribute(integer(base=16, bits=64, form="#x", keepZero=False))


@definition
class PlainAddress(Address):
    """An address that is only a type."""

    type: str = attribute()


_TYPES: dict[str, type[Address]] = {
    "pci": PCIAddress,
    "drive": DriveAddress,
    "virtio-serial": VirtioSerialAddress,
    "ccid": CCIDAddress,
    "usb": USBAddress,
    "spapr-vio": SpaprVIOAddress,
    "ccw": CCWAddress,
    "virtio-mmio": PlainAddress,
    "isa": ISAAddress,
    "dimm": DIMMAddress,
    "unassigned": PlainAddress,
}


_LOADPARM = re.compile(r"[A-Z0-9. ]*\Z").match


def _readLoadparm(text: str, node: Node, name: str) -> str:
    """Check the parameter of an s390 loader, which is of capitals."""
    text = "".join(letter.upper() if letter.isascii() else letter for letter in text)
    if not 1 <= len(text) <= 8:
        raise internal(f"loadparm value '{text}' must be between 1 and 8 characters")("", node, "")
    if not _LOADPARM(text):
        raise internal(
            f"invalid loadparm value '{text}', expecting chars in set of [a-zA-Z0-9.] and blank "
            "spaces"
        )("", node, "")
    return text


@definition
class Boot:
    """The place of a device in the order of booting."""

    order: int | None = attribute(integer(zero=False), required=True)
    loadparm: str | None = attribute(Kind(_readLoadparm, TEXT.write))


@definition
class Rom:
    """The option ROM of a PCI device."""

    xmlOmitEmpty: ClassVar[bool] = True

    enabled: bool | None = attribute(BOOLEAN)
    bar: bool | None = attribute(SWITCH)
    file: str | None = attribute(FILLED)

    def settle(self, node: Node, context: Context) -> Rom:
        """A ROM that is off has nothing to tune."""
        if self.enabled is False and (self.bar is not None or self.file is not None):
            raise unsupported("ROM tuning is not supported when ROM is disabled")("", node, "")
        return self


_USER_ALIAS = re.compile(r"ua-[a-zA-Z0-9_-]*\Z").match


def _readAlias(text: str, node: Node, name: str) -> str | None:
    """Keep only the aliases that users may choose."""
    return text if _USER_ALIAS(text) else None


ALIAS = Kind(_readAlias, TEXT.write)


@definition
class Device:
    """What any device may have."""

    alias: str | None = elementAttribute("alias", "name", ALIAS)
    acpiIndex: int | None = elementAttribute("acpi", "index", integer(zero=False))
    address: Any = element(Address)


@definition
class BootDevice(Device):
    """What a device that can be booted from may have."""

    boot: Boot | None = element(Boot)


@definition
class RomDevice(Device):
    """What a PCI device with an option ROM may have."""

    boot: Boot | None = element(Boot)
    rom: Rom | None = element(Rom)


_INFO_TAGS = frozenset(["boot", "alias", "rom", "acpi", "address"])


def writeInfo(value: Any, out: list[str], indent: str, context: Context) -> None:
    """Write what any device may have, without an element around it."""
    inside: list[str] = []
    cls = BootDevice if isinstance(value, BootDevice) else Device
    writer(cls)(value, inside, indent[2:], "x", context)
    if len(inside) > 1:
        out += inside[1:-1]


def readInfoLast(cls: type, info: type, node: Node, context: Context) -> Any:
    """
    Read a device, with what any device may have after all else, settled.

    Complaints come in the order of reading, and this is libvirt's order for some devices.

    @param info: the class of what is read last.
    """
    rest = [child for child in node if child.tag in _INFO_TAGS]
    for child in rest:
        node.remove(child)
    device = plainReader(cls)(node, context)
    node.extend(rest)
    if not rest:
        return device
    found = reader(info)(node, context)
    names = [field.name for field in attrs.fields(info)]
    return replaced(device, **{name: getattr(found, name) for name in names})


INFO = " boot alias rom acpiIndex address"
