"""
Devices of the host: XML to frozen values and back.  What they can be is in L{pyvirt.definitions.nodecaps}.
"""

from __future__ import annotations

from collections.abc import Callable

from pyvirt.definitions.kinds import choice, escape, missingAttribute, xmlError
from pyvirt.definitions.nodebase import Capability, NewDevice, internal
from pyvirt.definitions.nodecaps import CAPABILITIES, SCSIHost
from pyvirt.definitions.nodepci import MissingNuma
from pyvirt.definitions.reader import Node, parseDocument, xmlText
from pyvirt.definitions.schema import Context, reader, writer
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = [
    "NodeDeviceDefinition",
    "deviceFlags",
    "formatNodeDevice",
    "hostOf",
    "parseNodeDevice",
    "readNodeDevice",
]

_DOMAIN = ErrorDomain.NODEDEV

#: All words of libvirt for what a device can be, in its order; not all can be written in XML.
TYPES = [
    "system",
    "pci",
    "usb_device",
    "usb",
    "net",
    "scsi_host",
    "scsi_target",
    "scsi",
    "storage",
    "fc_host",
    "vports",
    "scsi_generic",
    "drm",
    "mdev_types",
    "mdev",
    "ccw",
    "css",
    "vdpa",
    "ap_card",
    "ap_queue",
    "ap_matrix",
    "vpd",
]

_TYPE = choice(TYPES)
_DEVNODE = choice("dev link")


@definition
class NodeDeviceDefinition:
    """
    A device.

    @ivar path: where the system describes it.
    @ivar devnode: its file.
    @ivar links: other names of that file.
    @ivar parent: the name of the device that it is part of, or plugged into.
    @ivar driver: the name of the system's driver of it; never read, only found.
    """

    name: str
    path: str | None = None
    devnode: str | None = None
    links: tuple[str, ...] = ()
    parent: str | None = None
    parentNames: tuple[str | None, str | None, str | None] = (None, None, None)
    driver: str | None = None
    capabilities: tuple[Capability, ...] = ()


def readNodeDevice(
    node: Node, *, new: bool = False, worldWideName: Callable[[], str] | None = None
) -> NodeDeviceDefinition:
    """
    Read an element that describes a device.

    @param new: whether it is one to be made: it has no name yet.
    @param worldWideName: makes up names of a port to be made that does not say them.
    @raise VirtError: as libvirt says it.
    """
    first: dict[str, Node] = {}
    for child in node:
        first.setdefault(child.tag, child)

    def text(tag: str) -> str | None:
        return (xmlText(first[tag]) or None) if tag in first else None

    name = text("name")
    if new:
        name = NewDevice("new device")
        name.worldWideName = worldWideName
    if name is None:
        raise virtError(ErrorCode.NO_NAME, None, _DOMAIN)
    devnode: str | None = None
    links: list[str] = []
    for child in node:
        if child.tag != "devnode":
            continue
        word = child.get("type")
        if word is None:
            raise missingAttribute(child, "type")
        if _DEVNODE.read(word, child, "type") == "dev":
            devnode = xmlText(child)
        else:
            links.append(xmlText(child))
    parent = first.get("parent")
    get = (lambda _: None) if parent is None else parent.get
    wwnn, wwpn = get("wwnn") or None, get("wwpn") or None
    for one, value, other, missing in (("wwnn", wwnn, "wwpn", wwpn), ("wwpn", wwpn, "wwnn", wwnn)):
        if value and not missing:
            raise xmlError(
                f"when providing parent {one}='{value}', the {other} must also be provided", _DOMAIN
            )
    capabilities = [_readCapability(child, name) for child in node if child.tag == "capability"]
    if not capabilities:
        raise internal(f"no device capabilities for '{name}'")
    return NodeDeviceDefinition(
        name=name,
        path=text("path"),
        devnode=devnode,
        links=tuple(links),
        parent=text("parent"),
        parentNames=(wwnn, wwpn, get("fabric_wwn") or None),
        capabilities=tuple(capabilities),
    )


def _readCapability(node: Node, name: str) -> Capability:
    word = node.get("type")
    if word is None:
        raise missingAttribute(node, "type")
    kind = _TYPE.read(word, node, "type")
    cls = CAPABILITIES.get(kind)
    if cls is None:
        raise internal(f"unknown capability type '{TYPES.index(kind)}' for '{name}'")
    try:
        found: Capability = reader(cls)(node, Context(extra=name))
    except MissingNuma:
        raise internal(f"invalid NUMA node ID supplied for '{name}'") from None
    return found


def parseNodeDevice(
    xml: str, *, new: bool = False, worldWideName: Callable[[], str] | None = None
) -> NodeDeviceDefinition:
    """
    Parse a definition.

    @param new: whether it is one to be made: it has no name yet.
    @param worldWideName: makes up names of a port to be made that does not say them.
    @raise VirtError: as libvirt says it.
    """
    return readNodeDevice(parseDocument("nodedev", xml), new=new, worldWideName=worldWideName)


def formatNodeDevice(definition: NodeDeviceDefinition) -> str:
    """Write a definition in libvirt's canonical form."""
    out = [f"<device>\n  <name>{escape(definition.name)}</name>\n"]
    if definition.path is not None:
        out.append(f"  <path>{escape(definition.path)}</path>\n")
    if definition.devnode is not None:
        out.append(f"  <devnode type='dev'>{escape(definition.devnode)}</devnode>\n")
    out.extend(f"  <devnode type='link'>{escape(link)}</devnode>\n" for link in definition.links)
    if definition.parent is not None:
        out.append(f"  <parent>{escape(definition.parent)}</parent>\n")
    if definition.driver is not None:
        out.append(f"  <driver>\n    <name>{escape(definition.driver)}</name>\n  </driver>\n")
    for capability in definition.capabilities:
        writer(type(capability))(capability, out, "  ", "capability", Context())
    out.append("</device>\n")
    return "".join(out)


def deviceFlags(device: NodeDeviceDefinition) -> int:
    """Tell what lists may ask for to find a device."""
    kinds: set[str] = set()
    for capability in device.capabilities:
        kinds.add(capability.kind)
        kinds.update(inner.type for inner in getattr(capability, "inner", ()))
        if isinstance(capability, SCSIHost):
            if capability.fc is not None:
                kinds.add("fc_host")
            if capability.ports:
                kinds.add("vports")
    return sum(1 << TYPES.index(kind) for kind in kinds if kind in TYPES)


def hostOf(device: NodeDeviceDefinition) -> SCSIHost | None:
    """Return what a device is as a SCSI host, None if it is none."""
    for capability in device.capabilities:
        if isinstance(capability, SCSIHost):
            return capability
    return None
