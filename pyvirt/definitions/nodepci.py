"""
Devices of the PCI and USB buses, and what is inside of them.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from pyvirt.definitions.domain._address import PCIAddress
from pyvirt.definitions.kinds import (
    FILLED,
    UINT,
    Kind,
    choice,
    escape,
    integer,
    number,
)
from pyvirt.definitions.nodebase import (
    Capability,
    Identity,
    bad,
    firstElements,
    identityElement,
    numberElement,
)
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    plainReader,
    reader,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.values import definition

__all__ = ["PCI", "Inner", "MissingNuma", "USBDevice", "USBInterface", "innerCapabilities"]


def writeAddress(value: PCIAddress, out: list[str], indent: str) -> None:
    """Write the address of another device."""
    out.append(
        f"{indent}<address domain='{value.domain or 0:#06x}' bus='{value.bus or 0:#04x}' "
        f"slot='{value.slot or 0:#04x}' function='{value.function or 0:#x}'/>\n"
    )


def _readAddresses(node: Node, context: Context) -> tuple[PCIAddress, ...]:
    return tuple(
        plainReader(PCIAddress)(child, context) for child in node if child.tag == "address"
    )


@definition
class MdevType:
    """A kind of mediated devices that a device can be shared as."""

    id: str = attribute()
    name: str | None = element(FILLED)
    deviceAPI: str = element(FILLED)
    availableInstances: int = element(UINT)

    @classmethod
    def readElement(cls, node: Node, context: Context) -> MdevType:
        """Read a kind; only its name may be left out."""
        kids = firstElements(node)
        name = node.get("id")
        if not name:
            raise bad("missing 'id' attribute for mediated device's <type> element")
        api = xmlText(kids["deviceAPI"]) if "deviceAPI" in kids else ""
        if not api:
            raise bad(f"missing device API for mediated device type '{name}'")
        count = kids.get("availableInstances")
        instances = None if count is None else number(xmlText(count))
        if instances is None:
            raise bad(f"missing number of available instances for mediated device type '{name}'")
        return cls(
            id=name,
            name=(xmlText(kids["name"]) or None) if "name" in kids else None,
            deviceAPI=api,
            availableInstances=instances,
        )


#: What a maker's data can be, by whether it can be written to; and those of which there are several.
_VPD_FIELDS = {
    "readonly": ("change_level", "manufacture_id", "part_number", "serial_number"),
    "readwrite": ("asset_tag",),
}
_VPD_NUMBERED = {"readonly": ("vendor_field",), "readwrite": ("vendor_field", "system_field")}
_VPD_INDEX = re.compile("[0-9A-Z]").fullmatch


@definition
class VPDFields:
    """
    Data that the maker put into a device, or that may be put into it.

    @ivar fields: name, index where there are several of it, and text.
    """

    access: str = attribute()
    fields: tuple[tuple[str, str | None, str], ...] = special(
        write=lambda value, out, indent, context: out.extend(
            f"{indent}<{tag}>{escape(text)}</{tag}>\n"
            if index is None
            else f"{indent}<{tag} index='{escape(index)}'>{escape(text)}</{tag}>\n"
            for tag, index, text in value
        ),
        default=(),
    )

    @classmethod
    def readElement(cls, node: Node, context: Context) -> VPDFields:
        """Read a group; what is unknown or not numbered as it should be is dropped."""
        access = node.get("access")
        if access not in _VPD_FIELDS:
            raise bad("VPD fields access type parsing has failed")
        kids = firstElements(node)
        found: list[tuple[str, str | None, str]] = [
            (name, None, xmlText(kids[name]))
            for name in _VPD_FIELDS[access]
            if name in kids and xmlText(kids[name])
        ]
        for name in _VPD_NUMBERED[access]:
            numbered: dict[str, str] = {}
            for child in node:
                if child.tag == name:
                    index, value = child.get("index"), xmlText(child)
                    if index and value and _VPD_INDEX(index):
                        numbered[index] = value
            found += [(name, index, value) for index, value in numbered.items()]
        return cls(access=access, fields=tuple(found))


@definition
class Inner:
    """
    A capability inside of another.

    @ivar maxCount: the most virtual functions, None where not said.
    @ivar name: of C{vpd}, the name of the product.
    """

    type: str
    maxCount: int | None = None
    name: str | None = None
    addresses: tuple[PCIAddress, ...] = ()
    types: tuple[MdevType, ...] = ()
    fields: tuple[VPDFields, ...] = ()

    @staticmethod
    def writeElement(value: Inner, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write it; most have something inside."""
        head = f"{indent}<{tag} type='{value.type}'"
        if value.maxCount is not None:
            head += f" maxCount='{value.maxCount}'"
        mark, inner = len(out), indent + "  "
        out.append(f"{head}>\n")
        if value.name is not None:
            out.append(f"{inner}<name>{escape(value.name)}</name>\n")
        for address in value.addresses:
            writeAddress(address, out, inner)
        for each in value.types:
            writer(MdevType)(each, out, inner, "type", context)
        for group in value.fields:
            writer(VPDFields)(group, out, inner, "fields", context)
        if len(out) == mark + 1:
            out[mark] = f"{head}/>\n"
        else:
            out.append(f"{indent}</{tag}>\n")


_BRIDGES = ("pci-bridge", "cardbus-bridge")


def _readInner(node: Node, wanted: tuple[str, ...], context: Context) -> tuple[Inner, ...]:
    """Read the capabilities inside, in the order in which they are written; others are dropped."""
    found: dict[str, Inner] = {}
    for child in node:
        if child.tag != "capability":
            continue
        kind = child.get("type")
        if kind is None:
            raise bad("Missing capability type")
        if kind not in wanted:
            continue
        before = found.get(kind, Inner(type=kind))
        if kind == "phys_function":
            place = next((each for each in child if each.tag == "address"), None)
            if place is None:
                raise bad("Missing address in 'phys_function' capability")
            before = replaced(before, addresses=(plainReader(PCIAddress)(place, context),))
        elif kind == "virt_functions":
            count = child.get("maxCount")
            most = None if count is None else number(count)
            if count is not None and most is None:
                raise bad("Malformed 'maxCount' parameter")
            before = replaced(
                before,
                maxCount=before.maxCount if count is None else most or None,
                addresses=before.addresses + _readAddresses(child, context),
            )
        elif kind == "mdev_types":
            types = [reader(MdevType)(each, context) for each in child if each.tag == "type"]
            before = replaced(before, types=before.types + tuple(types))
            if not before.types:
                continue
        elif kind == "vpd":
            before = _readVPD(child, context)
        elif kind in _BRIDGES:
            for bridge in _BRIDGES:
                found.pop(bridge, None)
        found[kind] = before
    return tuple(found[kind] for kind in wanted if kind in found)


def _readVPD(node: Node, context: Context) -> Inner:
    """Read the data of a maker; of several groups of one access the last counts."""
    name = next((xmlText(child) for child in node if child.tag == "name"), "")
    if not name:
        raise bad("Could not read a device name from the <name> element")
    groups = {}
    for child in node:
        if child.tag == "fields":
            group = reader(VPDFields)(child, context)
            groups[group.access] = group
    ordered = tuple(groups[access] for access in _VPD_FIELDS if access in groups)
    return Inner(type="vpd", name=name, fields=ordered)


def _writeInner(value: Any, out: list[str], indent: str, context: Context) -> None:
    for each in value:
        Inner.writeElement(each, out, indent, "capability", context)


def innerCapabilities(*wanted: str) -> Any:
    """A field of capabilities inside, of the given types and in their order."""
    return special(
        read=lambda node, kids, context: _readInner(node, wanted, context),
        write=_writeInner,
        default=(),
    )


def _writeAddresses(value: Any, out: list[str], indent: str, context: Context) -> None:
    for address in value:
        writeAddress(address, out, indent)


@definition
class IOMMUGroup:
    """Devices that can only be given away together."""

    number: int | None = attribute(integer(), required=True)
    addresses: tuple[PCIAddress, ...] = special(
        read=lambda node, kids, context: _readAddresses(node, context),
        write=_writeAddresses,
        default=(),
    )

    def settle(self, node: Node, context: Context) -> IOMMUGroup | None:
        """A group of nothing is none."""
        return self if self.addresses else None


def _numa(text: str, node: Node, name: str) -> int | None:
    value = number(text, signed=True)
    if value is None:
        raise MissingNuma
    return value if value >= 0 else None


class MissingNuma(Exception):
    """Raised where the complaint needs the name of the device."""


_SPEED = choice("2.5 5 8 16 32", empty=True)
_PORT = integer(expected="integer value")


@definition
class PCILink:
    """A link of a PCI Express device: what it can do, or does."""

    validity: str = attribute()
    port: int | None = attribute(_PORT)
    speed: str | None = attribute(_SPEED)
    width: int = attribute(UINT, required=True)


@definition
class PCIExpress:
    """The links of a PCI Express device: what it can do at most, and what it does."""

    cap: PCILink | None = None
    sta: PCILink | None = None

    @classmethod
    def readElement(cls, node: Node, context: Context) -> PCIExpress:
        """Read the first link of each kind."""
        found: dict[str, PCILink] = {}
        for child in node:
            kind = child.get("validity") if child.tag == "link" else None
            if kind in ("cap", "sta") and kind not in found:
                found[kind] = reader(PCILink)(child, context)
        return cls(**found)

    @staticmethod
    def writeElement(
        value: PCIExpress, out: list[str], indent: str, tag: str, context: Context
    ) -> None:
        """Write the links; the port of what it does is that of what it can do."""
        links = [link for link in (value.cap, value.sta) if link is not None]
        if not links:
            out.append(f"{indent}<{tag}/>\n")
            return
        out.append(f"{indent}<{tag}>\n")
        for link in links:
            writer(PCILink)(link, out, indent + "  ", "link", context)
        out.append(f"{indent}</{tag}>\n")


@definition
class PCI(Capability):
    """A PCI device."""

    kind: ClassVar[str] = "pci"
    xmlOrder: ClassVar[str] = (
        "type pciClass domain bus slot function product vendor inner iommuGroup numa express"
    )
    xmlReadOrder: ClassVar[str] = "pciClass domain bus slot function vendor product"

    pciClass: int | None = numberElement("PCI class", "class", base=16, optional=True, form="#08x")
    domain: int = numberElement("PCI domain ID", "domain")
    bus: int = numberElement("PCI bus ID", "bus")
    slot: int = numberElement("PCI slot ID", "slot")
    function: int = numberElement("PCI function ID", "function")
    vendor: Identity = identityElement("PCI vendor ID", "vendor")
    product: Identity = identityElement("PCI product ID", "product")
    inner: tuple[Inner, ...] = innerCapabilities(
        "phys_function", "virt_functions", "pci-bridge", "cardbus-bridge", "mdev_types", "vpd"
    )
    iommuGroup: IOMMUGroup | None = element(IOMMUGroup)
    numa: int | None = elementAttribute("numa", "node", Kind(_numa))
    express: PCIExpress | None = element(PCIExpress, "pci-express")


@definition
class USBDevice(Capability):
    """A USB device."""

    kind: ClassVar[str] = "usb_device"
    xmlOrder: ClassVar[str] = "type bus device product vendor"
    xmlReadOrder: ClassVar[str] = "bus device vendor product"

    bus: int = numberElement("USB bus number", "bus")
    device: int = numberElement("USB device number", "device")
    vendor: Identity = identityElement("USB vendor ID", "vendor", " ")
    product: Identity = identityElement("USB product ID", "product", " ")


@definition
class USBInterface(Capability):
    """A part of a USB device."""

    kind: ClassVar[str] = "usb"
    xmlOrder: ClassVar[str] = "type number usbClass subclass protocol description"

    number: int = numberElement("USB interface number", "number")
    usbClass: int = numberElement("USB interface class", "class")
    subclass: int = numberElement("USB interface subclass", "subclass")
    protocol: int = numberElement("USB interface protocol", "protocol")
    description: str | None = element(FILLED)
