"""
Devices of the test driver's host: a computer, and SCSI hosts that virtual ports can be made on.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import attrs

from pyvirt import constants as c
from pyvirt.definitions.kinds import escape, number
from pyvirt.definitions.reader import parseTree, xmlText
from pyvirt.definitions.validation import validate
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.drivers.interfaces.values import NodeDeviceRef
from pyvirt.drivers.test.refusals import checkFlags
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["FCHost", "NodeDevice", "NodeDevices", "SCSIHost", "System", "readDevice"]


@attrs.frozen
class System:
    """
    What a computer says of itself.

    @cvar name: what the capability is called.
    @cvar flags: what lists may ask for to find it.
    """

    hardware: tuple[tuple[str, str], ...]
    firmware: tuple[tuple[str, str], ...]

    name: ClassVar[str] = "system"
    flags: ClassVar[int] = c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SYSTEM

    def write(self, out: list[str]) -> None:
        """Write the capability."""
        out.append("  <capability type='system'>\n")
        for tag, values in (("hardware", self.hardware), ("firmware", self.firmware)):
            out.append(f"    <{tag}>\n")
            out += [f"      <{name}>{escape(value)}</{name}>\n" for name, value in values]
            out.append(f"    </{tag}>\n")
        out.append("  </capability>\n")


class FCHost(NamedTuple):
    """The names of a port of a fibre channel."""

    wwnn: str
    wwpn: str
    fabric: str


@attrs.frozen
class SCSIHost:
    """
    A SCSI host.

    @ivar ports: the most virtual ports that can be made on it, None if none can.
    """

    host: int
    uniqueID: int | None
    fc: FCHost | None = None
    ports: int | None = None

    name: ClassVar[str] = "scsi_host"

    @property
    def flags(self) -> int:
        """What lists may ask for to find it."""
        flags: int = c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SCSI_HOST
        if self.fc is not None:
            flags |= c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_FC_HOST
        if self.ports is not None:
            flags |= c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_VPORTS
        return flags

    def write(self, out: list[str]) -> None:
        """Write the capability."""
        out.append(f"  <capability type='scsi_host'>\n    <host>{self.host}</host>\n")
        if self.uniqueID is not None:
            out.append(f"    <unique_id>{self.uniqueID}</unique_id>\n")
        if self.fc is not None:
            out.append("    <capability type='fc_host'>\n")
            out.append(f"      <wwnn>{escape(self.fc.wwnn)}</wwnn>\n")
            out.append(f"      <wwpn>{escape(self.fc.wwpn)}</wwpn>\n")
            out.append(f"      <fabric_wwn>{escape(self.fc.fabric)}</fabric_wwn>\n")
            out.append("    </capability>\n")
        if self.ports is not None:
            out.append("    <capability type='vport_ops'>\n")
            out.append(f"      <max_vports>{self.ports}</max_vports>\n")
            out.append("      <vports>0</vports>\n    </capability>\n")
        out.append("  </capability>\n")


class NodeDevice(NamedTuple):
    """A device of the host."""

    name: str
    parent: str | None
    capability: System | SCSIHost

    def xml(self) -> str:
        """Write the device."""
        out = [f"<device>\n  <name>{escape(self.name)}</name>\n"]
        if self.parent is not None:
            out.append(f"  <parent>{escape(self.parent)}</parent>\n")
        self.capability.write(out)
        out.append("</device>\n")
        return "".join(out)


def readDevice(root: Any) -> NodeDevice:
    """
    Read a device that is there, a computer or a SCSI host.

    @raise VirtError: it is something else, or wrong.
    """
    found = root.find("name")
    name = xmlText(found) if found is not None else ""
    if not name:
        raise virtError(ErrorCode.NO_NAME, None, ErrorDomain.NODEDEV)
    found = root.find("parent")
    parent = (xmlText(found) or None) if found is not None else None
    capability = root.find("capability")
    if capability is None:
        raise internal(f"no device capabilities for '{name}'")
    kind = capability.get("type")
    if kind == "system":
        return NodeDevice(name, parent, _readSystem(capability, name))
    if kind == "scsi_host":
        return NodeDevice(name, parent, _readSCSIHost(capability, name))
    raise virtError(
        ErrorCode.CONFIG_UNSUPPORTED,
        f"devices of the type '{kind}' cannot be read",
        ErrorDomain.NODEDEV,
    )


def _readSystem(node: Any, name: str) -> System:
    groups = []
    for tag, names in (
        ("hardware", ("vendor", "version", "serial", "uuid")),
        ("firmware", ("vendor", "version", "release_date")),
    ):
        group = node.find(tag)
        texts = {each: "" if group is None else group.findtext(each) or "" for each in names}
        groups.append(tuple((each, text) for each, text in texts.items() if text))
    if "uuid" not in dict(groups[0]):
        raise internal(f"no system UUID supplied for '{name}'")
    return System(groups[0], groups[1])


def _readSCSIHost(node: Any, name: str) -> SCSIHost:
    host = number(node.findtext("host") or "")
    if host is None:
        raise internal(f"no SCSI host ID supplied for '{name}'")
    fc, ports = None, None
    for inner in node.findall("capability"):
        kind = inner.get("type")
        if kind == "vport_ops":
            ports = number(inner.findtext("max_vports") or "") or 0
        elif kind == "fc_host":
            fc = FCHost(*(inner.findtext(tag) or "" for tag in ("wwnn", "wwpn", "fabric_wwn")))
        else:
            raise internal(f"unknown SCSI host capability type '{kind}' for '{name}'")
    return SCSIHost(host, number(node.findtext("unique_id") or ""), fc, ports)


_LIST_FLAGS = 0x3FFFFF

#: What a virtual port made here is called, and what it is made after.
_MADE = "scsi_host12"
_PATTERN = "scsi_host11"


def internal(detail: str) -> VirtError:
    """Make an internal error about devices."""
    return virtError(ErrorCode.INTERNAL_ERROR, detail, ErrorDomain.NODEDEV)


class NodeDevices:
    """Lists devices, and makes virtual ports."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._names = world.devices

    def _find(self, name: str) -> NodeDevice:
        device = self._names.get(name)
        if device is None:
            raise virtError(
                ErrorCode.NO_NODE_DEVICE,
                f"no node device with matching name '{name}'",
                ErrorDomain.TEST,
            )
        return device

    def connectListAllNodeDevices(self, flags: int) -> list[NodeDeviceRef]:
        """List the devices that have any of the capabilities asked for."""
        checkFlags("testConnectListAllNodeDevices", flags, _LIST_FLAGS)
        return [
            NodeDeviceRef(device.name)
            for device in self._names.values()
            if not flags or flags & device.capability.flags
        ]

    def nodeDeviceLookupByName(self, name: str) -> NodeDeviceRef:
        """Find a device."""
        return NodeDeviceRef(self._find(name).name)

    def nodeDeviceGetXMLDesc(self, name: str, flags: int) -> str:
        """Write a device."""
        checkFlags("testNodeDeviceGetXMLDesc", flags)
        return self._find(name).xml()

    def nodeDeviceGetParent(self, name: str) -> str | None:
        """Tell what a device is part of, None for the computer itself."""
        return self._find(name).parent

    def nodeDeviceListCaps(self, name: str) -> list[str]:
        """Tell what a device is."""
        return [self._find(name).capability.name]

    def nodeDeviceCreateXML(self, xmlDesc: str, flags: int) -> NodeDeviceRef:
        """
        Make a virtual port on a SCSI host.

        Whatever is asked for, it looks like one that is there, but for its names.
        """
        checkFlags("testNodeDeviceCreateXML", flags, c.VIR_NODE_DEVICE_CREATE_XML_VALIDATE)
        if flags & c.VIR_NODE_DEVICE_CREATE_XML_VALIDATE:
            validate("nodedev", xmlDesc)
        wwnn, wwpn = self._port(xmlDesc)
        pattern = self._names.get(_PATTERN)
        if pattern is None or not isinstance(pattern.capability, SCSIHost):
            raise VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)
        fc = pattern.capability.fc or FCHost("", "", "")
        device = NodeDevice(
            _MADE,
            pattern.parent,
            attrs.evolve(pattern.capability, fc=fc._replace(wwnn=wwnn, wwpn=wwpn)),
        )
        self._names[_MADE] = device
        self._tell(device, c.VIR_NODE_DEVICE_EVENT_CREATED)
        return NodeDeviceRef(_MADE)

    def nodeDeviceDestroy(self, name: str) -> None:
        """Remove a port; of a device that is part of nothing nothing is told or removed."""
        device = self._find(name)
        if device.parent is None:
            return
        del self._names[name]
        self._tell(device, c.VIR_NODE_DEVICE_EVENT_DELETED)

    def _tell(self, device: NodeDevice, event: int) -> None:
        self._world.hub.emit(
            Event(
                EventKind.NODE_DEVICE,
                c.VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE,
                NodeDeviceRef(device.name),
                (event, 0),
            ),
            device.name,
        )

    def _port(self, xml: str) -> tuple[str, str]:
        """
        Read the names of a port that is to be made, and look whether its parent can have one.

        @raise VirtError: the document is wrong, or there is no such parent.
        """
        root = parseTree(
            xml, "device", label="(node_device_definition)", domain=ErrorDomain.NODEDEV
        )
        capability = root.find("capability")
        if capability is None:
            raise internal("no device capabilities for 'new device'")
        kind = capability.get("type")
        if kind is None:
            raise virtError(
                ErrorCode.XML_ERROR,
                "Missing required attribute 'type' in element 'capability'",
                ErrorDomain.XML,
            )
        if kind not in _KINDS:
            raise virtError(
                ErrorCode.XML_ERROR,
                f"Invalid value for attribute 'type' in element 'capability': '{kind}'.",
                ErrorDomain.XML,
            )
        if kind == "system":
            raise internal("no system UUID supplied for 'new device'")
        fc = None
        if kind == "scsi_host":
            for inner in capability.findall("capability"):
                name = inner.get("type")
                if name == "fc_host":
                    fc = inner
                elif name != "vport_ops":
                    raise internal(f"unknown SCSI host capability type '{name}' for 'new device'")
        names = [self._wwn(fc, tag) for tag in ("wwnn", "wwpn")] if fc is not None else []
        if not names:
            raise internal("Device is not a fibre channel HBA")
        self._checkParent(root.find("parent"))
        return names[0], names[1]

    @staticmethod
    def _wwn(node: Any, tag: str) -> str:
        found = node.find(tag)
        text = xmlText(found) if found is not None else ""
        if not text:
            raise internal(
                f"no {tag.upper()} supplied for 'new device', and auto-generation failed"
            )
        return text

    def _checkParent(self, node: Any) -> None:
        """Find the SCSI host that a parent element means, by its name or those of its port."""
        name = "" if node is None else xmlText(node).strip()
        if name:
            device = self._names.get(name)
            if device is None:
                raise internal("Could not find parent device for 'new device'")
            if not isinstance(device.capability, SCSIHost) or device.capability.ports is None:
                raise internal(f"Parent device {name} is not capable of vport operations")
            return
        wanted = {} if node is None else dict(node.attrib)
        for device in self._names.values():
            host = device.capability
            if isinstance(host, SCSIHost) and host.ports is not None and host.fc is not None:
                own = {
                    "wwnn": host.fc.wwnn,
                    "wwpn": host.fc.wwpn,
                    "fabric_wwn": host.fc.fabric,
                }
                if all(own.get(key) == value for key, value in wanted.items()):
                    return
        raise internal("Could not find parent device for 'new device'")


_KINDS = frozenset(
    [
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
)
