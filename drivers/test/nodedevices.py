"""
Devices of the test driver's host; virtual ports can be made on those that are SCSI hosts.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.definitions.nodecaps import FCHost, SCSIHost
from pyvirt.definitions.nodedev import (
    NodeDeviceDefinition,
    deviceFlags,
    formatNodeDevice,
    hostOf,
    parseNodeDevice,
)
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.validation import validate
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.drivers.interfaces.values import NodeDeviceRef
from pyvirt.drivers.test.refusals import checkFlags
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["NodeDevices"]

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

    def _find(self, name: str) -> NodeDeviceDefinition:
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
            if not flags or flags & deviceFlags(device)
        ]

    def nodeDeviceLookupByName(self, name: str) -> NodeDeviceRef:
        """Find a device."""
        return NodeDeviceRef(self._find(name).name)

    def nodeDeviceGetXMLDesc(self, name: str, flags: int) -> str:
        """Write a device."""
        checkFlags("testNodeDeviceGetXMLDesc", flags)
        return formatNodeDevice(self._find(name))

    def nodeDeviceGetParent(self, name: str) -> str | None:
        """Tell what a device is part of, None for the computer itself."""
        return self._find(name).parent

    def nodeDeviceListCaps(self, name: str) -> list[str]:
        """Tell what a device is."""
        return [each.kind for each in self._find(name).capabilities]

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
        host = None if pattern is None else hostOf(pattern)
        if pattern is None or host is None:
            raise VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)
        made = replaced(host, fc=replaced(host.fc or FCHost(), wwnn=wwnn, wwpn=wwpn))
        device = replaced(
            pattern,
            name=_MADE,
            capabilities=tuple(made if each is host else each for each in pattern.capabilities),
        )
        self._names[_MADE] = device
        self._tell(device, c.VIR_NODE_DEVICE_EVENT_CREATED)
        return NodeDeviceRef(_MADE)

    def nodeDeviceDestroy(self, name: str) -> None:
        """Remove a port of a device that there is; of anything else nothing is told or removed."""
        device = self._find(name)
        host = hostOf(device)
        if host is None or host.fc is None or device.parent not in self._names:
            return
        del self._names[name]
        self._tell(device, c.VIR_NODE_DEVICE_EVENT_DELETED)

    def _tell(self, device: NodeDeviceDefinition, event: int) -> None:
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
        asked = parseNodeDevice(xml, new=True)
        for capability in asked.capabilities:
            if isinstance(capability, SCSIHost) and capability.fc is not None:
                self._checkParent(asked)
                return capability.fc.wwnn or "", capability.fc.wwpn or ""
        raise internal("Device is not a fibre channel HBA")

    def _checkParent(self, asked: NodeDeviceDefinition) -> None:
        """Find the SCSI host that a parent element means, by its name or those of its port."""
        if asked.parent is not None:
            device = self._names.get(asked.parent)
            if device is None:
                raise internal("Could not find parent device for 'new device'")
            host = hostOf(device)
            if host is None or not host.ports:
                raise internal(f"Parent device {asked.parent} is not capable of vport operations")
            return
        for device in self._names.values():
            host = hostOf(device)
            if host is not None and host.ports:
                fc = host.fc or FCHost()
                own = (fc.wwnn, fc.wwpn, fc.fabric)
                if all(
                    wanted is None or wanted == value
                    for wanted, value in zip(asked.parentNames, own, strict=True)
                ):
                    return
        raise internal("Could not find parent device for 'new device'")
