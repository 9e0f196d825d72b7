"""
PCI devices as C{/sys} describes them: names, what they are configured as, and what they can be split into.
"""

from __future__ import annotations

import os
import re
import struct

import attrs

from pyvirt.definitions.domain._address import PCIAddress
from pyvirt.definitions.nodebase import Identity
from pyvirt.definitions.nodedev import NodeDeviceDefinition
from pyvirt.definitions.nodepci import (
    PCI,
    Inner,
    IOMMUGroup,
    MdevType,
    PCIExpress,
    PCILink,
    VPDFields,
)
from pyvirt.drivers.host.sysfsfiles import linked, number, read, safe

__all__ = ["PCIDevices", "mdevTypes"]

_IDS = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")
_SPEEDS = {1: "2.5", 2: "5", 3: "8", 4: "16"}
_ADDRESS = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])").fullmatch

#: What the keywords of a maker's data are called, by whether they can be written to.
_KEYWORDS = {
    ("readonly", "EC"): "change_level",
    ("readonly", "MN"): "manufacture_id",
    ("readonly", "PN"): "part_number",
    ("readonly", "SN"): "serial_number",
    ("readwrite", "YA"): "asset_tag",
}
#: The most that is read of a maker's data, which the standard limits.
_VPD_LIMIT = 32768


@attrs.define
class PCIDevices:
    """
    Describes PCI devices.

    Names of vendors and products come from a long file that is read once.
    """

    _vendors: dict[int, str] = attrs.Factory(dict)
    _products: dict[tuple[int, int], str] = attrs.Factory(dict)
    _named: bool = False

    def look(self, place: str) -> NodeDeviceDefinition | None:
        """Describe the device at a place, None: it is none, or says of itself what cannot be."""
        name = os.path.basename(place)
        numbers = _numbers(name)
        vendor, product = number(place, "vendor"), number(place, "device")
        if numbers is None or vendor is None or product is None:
            return None
        domain, bus, slot, function = numbers
        kinds = mdevTypes(place)
        if kinds is None:
            return None
        self._names()
        group = os.path.realpath(os.path.join(place, "iommu_group"))
        numa = number(place, "numa_node", base=10)
        bridges, express = _configured(os.path.join(place, "config"))
        pci = PCI(
            type="pci",
            pciClass=number(place, "class"),
            domain=domain,
            bus=bus,
            slot=slot,
            function=function,
            vendor=Identity(id=vendor, name=self._vendors.get(vendor)),
            product=Identity(id=product, name=self._products.get((vendor, product))),
            inner=(*_functions(place), *bridges, *kinds, *_makersData(place)),
            iommuGroup=_group(group) if os.path.isdir(group) else None,
            numa=numa if numa is not None and numa >= 0 else None,
            express=express,
        )
        return NodeDeviceDefinition(name=f"pci_{safe(name)}", capabilities=(pci,))

    def _names(self) -> None:
        """Read the names of vendors and products, once."""
        if self._named:
            return
        self._named = True
        for path in _IDS:
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    vendor = -1
                    for line in file:
                        if line.startswith("C "):
                            break
                        match = re.match(r"(\t?)([0-9a-f]{4})  (.*)", line)
                        if match is None:
                            continue
                        number, name = int(match[2], 16), match[3].strip()
                        if match[1]:
                            self._products[vendor, number] = name
                        else:
                            vendor = number
                            self._vendors[vendor] = name
                return
            except OSError:
                continue


def _numbers(name: str | None) -> list[int] | None:
    match = _ADDRESS(name or "")
    return None if match is None else [int(each, 16) for each in match.groups()]


def _address(name: str | None) -> PCIAddress | None:
    found = _numbers(name)
    if found is None:
        return None
    domain, bus, slot, function = found
    return PCIAddress(domain=domain, bus=bus, slot=slot, function=function)


def _group(place: str) -> IOMMUGroup | None:
    group = os.path.basename(place)
    try:
        members = os.listdir(os.path.join(place, "devices"))
    except OSError:
        return None
    if not group.isdigit():
        return None
    # In the system's order, as libvirtd has them.
    addresses = [each for each in map(_address, members) if each is not None]
    return IOMMUGroup(number=int(group), addresses=tuple(addresses))


def _functions(place: str) -> list[Inner]:
    """Tell of the device that a virtual function is of, and of those that a device has."""
    found = []
    physical = _address(linked(place, "physfn"))
    if physical is not None:
        found.append(Inner(type="phys_function", addresses=(physical,)))
    most = number(place, "sriov_totalvfs", base=10)
    virtual: list[PCIAddress] = []
    while (one := _address(linked(place, f"virtfn{len(virtual)}"))) is not None:
        virtual.append(one)
    if virtual or most:
        found.append(Inner(type="virt_functions", maxCount=most or None, addresses=tuple(virtual)))
    return found


def mdevTypes(place: str) -> tuple[Inner, ...] | None:
    """
    Tell what mediated devices a device can be shared as.

    @return: None: it says so of itself, and not enough.
    """
    folder = os.path.join(place, "mdev_supported_types")
    try:
        names = os.listdir(folder)
    except OSError:
        return ()
    types = []
    for name in names:
        api = read(folder, name, "device_api")
        instances = number(folder, name, "available_instances", base=10)
        if api is None or instances is None:
            return None
        types.append(
            MdevType(
                id=name,
                name=read(folder, name, "name") or None,
                deviceAPI=api,
                availableInstances=instances,
            )
        )
    return (Inner(type="mdev_types", types=tuple(types)),) if types else ()


def _configured(path: str) -> tuple[tuple[Inner, ...], PCIExpress | None]:
    """Read from the configuration of a PCI device which bridge it is, and which links it has."""
    try:
        with open(path, "rb") as file:
            # Those of the newer kind have room for more, whether they have a link or not.
            express = PCIExpress() if os.fstat(file.fileno()).st_size >= 4096 else None
            data = file.read(256)
    except OSError:
        return (), None
    if len(data) < 64:
        return (), express
    header = data[14] & 0x7F
    bridge = {1: "pci-bridge", 2: "cardbus-bridge"}.get(header)
    inner = () if bridge is None else (Inner(type=bridge),)
    at = data[0x34] & 0xFC if data[6] & 0x10 else 0
    seen = set[int]()
    while at and at not in seen and at + 0x14 <= len(data):
        seen.add(at)
        if data[at] == 0x10:
            return inner, _express(data, at)
        at = data[at + 1] & 0xFC
    return inner, express


def _express(data: bytes, at: int) -> PCIExpress:
    kind = data[at + 2] >> 4
    if kind in (9, 10):  # a part of the root, without a link
        return PCIExpress()
    (can,) = struct.unpack_from("<I", data, at + 12)
    (does,) = struct.unpack_from("<H", data, at + 18)

    def link(validity: str, word: int, port: int | None) -> PCILink:
        speed = _SPEEDS.get(word & 15)
        return PCILink(validity=validity, port=port, speed=speed, width=word >> 4 & 63)

    return PCIExpress(cap=link("cap", can, can >> 24), sta=link("sta", does, None))


# What the maker wrote into it


def _makersData(place: str) -> list[Inner]:
    try:
        with open(os.path.join(place, "vpd"), "rb") as file:
            data = file.read(_VPD_LIMIT)
    except OSError:
        return []
    found = _readVPD(data)
    return [] if found is None else [found]


def _readVPD(data: bytes) -> Inner | None:
    """Read a maker's data (PCI local bus specification, appendix I), None: it is not as it should be."""
    name: str | None = None
    groups: dict[str, VPDFields] = {}
    at = 0
    while at < len(data):
        tag = data[at]
        if tag == 0x78:  # the end
            break
        if tag & 0x80:
            if at + 3 > len(data):
                return None
            begin, size = at + 3, int.from_bytes(data[at + 1 : at + 3], "little")
        else:
            begin, size = at + 1, tag & 7
        part = data[begin : begin + size]
        if len(part) < size:
            return None
        if tag == 0x82:
            name = _text(part)
            if name is None:
                return None
        elif tag in (0x90, 0x91):
            access = "readonly" if tag == 0x90 else "readwrite"
            if name is None or access in groups:
                return None
            fields = _readFields(access, part, sum(data[:begin]))
            if fields is None:
                return None
            groups[access] = VPDFields(access=access, fields=fields)
        at = begin + size
    if name is None or not groups:
        return None
    ordered = tuple(groups[each] for each in ("readonly", "readwrite") if each in groups)
    return Inner(type="vpd", name=name, fields=ordered)


def _text(part: bytes) -> str | None:
    """Return what a field says, None: it is nothing that can be printed."""
    text = part.rstrip(b" \0").lstrip(b" ")
    return text.decode("ascii") if all(0x20 <= byte < 0x7F for byte in text) else None


def _readFields(
    access: str, part: bytes, before: int
) -> tuple[tuple[str, str | None, str], ...] | None:
    """
    Read the fields of a group.

    @param before: the sum of all bytes before it, which a checksum counts.
    """
    single: dict[str, str] = {}
    numbered: dict[str, list[tuple[str, str]]] = {"vendor_field": [], "system_field": []}
    closed = False
    at = 0
    while at + 3 <= len(part) and not closed:
        keyword = part[at : at + 2].decode("latin-1")
        size, begin = part[at + 2], at + 3
        value = part[begin : begin + size]
        if len(value) < size:
            return None
        at = begin + size
        if keyword == "RV" and access == "readonly":
            if not value or (before + sum(part[: begin + 1])) & 0xFF:
                return None
            closed = True
            continue
        if keyword == "RW" and access == "readwrite":
            closed = True
            continue
        text = _text(value)
        if text is None or keyword in ("RV", "RW"):
            continue
        tag = _KEYWORDS.get((access, keyword))
        if tag is not None:
            single[tag] = text
        elif keyword[0] == "V":
            numbered["vendor_field"].append((keyword[1], text))
        elif keyword[0] == "Y" and access == "readwrite":
            numbered["system_field"].append((keyword[1], text))
    if not closed:
        return None
    ordered: list[tuple[str, str | None, str]] = [
        (tag, None, single[tag]) for (_, _), tag in sorted(_KEYWORDS.items()) if tag in single
    ]
    for tag, values in numbered.items():
        ordered += [(tag, index, text) for index, text in values]
    return tuple(ordered)
