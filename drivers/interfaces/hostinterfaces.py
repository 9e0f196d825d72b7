"""
Network interfaces of the host.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, InterfaceRef


class IHostInterfaces(Interface):
    """Network interfaces of the host."""

    def interfaceLookupByName(name: str) -> Answer[InterfaceRef]:
        """virInterfaceLookupByName."""

    def interfaceLookupByMACString(mac: str) -> Answer[InterfaceRef]:
        """virInterfaceLookupByMACString."""

    def interfaceGetXMLDesc(iface: InterfaceRef, flags: int) -> Answer[str]:
        """virInterfaceGetXMLDesc."""

    def interfaceDefineXML(xml: str, flags: int) -> Answer[InterfaceRef]:
        """virInterfaceDefineXML."""

    def interfaceUndefine(iface: InterfaceRef) -> Answer[None]:
        """virInterfaceUndefine."""

    def interfaceCreate(iface: InterfaceRef, flags: int) -> Answer[None]:
        """virInterfaceCreate."""

    def interfaceDestroy(iface: InterfaceRef, flags: int) -> Answer[None]:
        """virInterfaceDestroy."""

    def interfaceIsActive(iface: InterfaceRef) -> Answer[bool]:
        """virInterfaceIsActive."""

    def interfaceChangeBegin(flags: int) -> Answer[None]:
        """virInterfaceChangeBegin."""

    def interfaceChangeCommit(flags: int) -> Answer[None]:
        """virInterfaceChangeCommit."""

    def interfaceChangeRollback(flags: int) -> Answer[None]:
        """virInterfaceChangeRollback."""

    def connectListAllInterfaces(flags: int) -> Answer[list[InterfaceRef]]:
        """virConnectListAllInterfaces."""
