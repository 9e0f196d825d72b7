"""
Devices of the host.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, NodeDeviceRef


class INodeDevices(Interface):
    """Devices of the host."""

    def nodeDeviceLookupByName(name: str) -> Answer[NodeDeviceRef]:
        """virNodeDeviceLookupByName."""

    def nodeDeviceGetXMLDesc(name: str, flags: int) -> Answer[str]:
        """virNodeDeviceGetXMLDesc."""

    def nodeDeviceGetParent(name: str) -> Answer[str | None]:
        """virNodeDeviceGetParent."""

    def nodeDeviceListCaps(name: str) -> Answer[list[str]]:
        """virNodeDeviceListCaps."""

    def nodeDeviceReAttach(name: str) -> Answer[None]:
        """virNodeDeviceReAttach."""

    def nodeDeviceReset(name: str) -> Answer[None]:
        """virNodeDeviceReset."""

    def nodeDeviceCreateXML(xmlDesc: str, flags: int) -> Answer[NodeDeviceRef]:
        """virNodeDeviceCreateXML."""

    def nodeDeviceDestroy(name: str) -> Answer[None]:
        """virNodeDeviceDestroy."""

    def connectListAllNodeDevices(flags: int) -> Answer[list[NodeDeviceRef]]:
        """virConnectListAllNodeDevices."""

    def nodeDeviceLookupSCSIHostByWWN(wwnn: str, wwpn: str, flags: int) -> Answer[NodeDeviceRef]:
        """virNodeDeviceLookupSCSIHostByWWN."""

    def nodeDeviceDetachFlags(name: str, driverName: str | None, flags: int) -> Answer[None]:
        """virNodeDeviceDetachFlags."""

    def nodeDeviceDefineXML(xmlDesc: str, flags: int) -> Answer[NodeDeviceRef]:
        """virNodeDeviceDefineXML."""

    def nodeDeviceUndefine(name: str, flags: int) -> Answer[None]:
        """virNodeDeviceUndefine."""

    def nodeDeviceCreate(name: str, flags: int) -> Answer[None]:
        """virNodeDeviceCreate."""

    def nodeDeviceGetAutostart(name: str) -> Answer[bool]:
        """virNodeDeviceGetAutostart."""

    def nodeDeviceSetAutostart(name: str, autostart: bool) -> Answer[None]:
        """virNodeDeviceSetAutostart."""

    def nodeDeviceIsPersistent(name: str) -> Answer[bool]:
        """virNodeDeviceIsPersistent."""

    def nodeDeviceIsActive(name: str) -> Answer[bool]:
        """virNodeDeviceIsActive."""

    def nodeDeviceUpdate(name: str, xmlDesc: str, flags: int) -> Answer[None]:
        """nodeDeviceUpdate."""
