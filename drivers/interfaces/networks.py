"""
Virtual networks and their ports.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import (
    Answer,
    NetworkDHCPLease,
    NetworkPortRef,
    NetworkRef,
    TypedParam,
)


class INetworks(Interface):
    """Virtual networks and their ports."""

    def networkCreate(net: NetworkRef) -> Answer[None]:
        """virNetworkCreate."""

    def networkDestroy(net: NetworkRef) -> Answer[None]:
        """virNetworkDestroy."""

    def networkGetXMLDesc(net: NetworkRef, flags: int) -> Answer[str]:
        """virNetworkGetXMLDesc."""

    def networkGetAutostart(net: NetworkRef) -> Answer[bool]:
        """virNetworkGetAutostart."""

    def networkGetBridgeName(net: NetworkRef) -> Answer[str]:
        """virNetworkGetBridgeName."""

    def networkLookupByName(name: str) -> Answer[NetworkRef]:
        """virNetworkLookupByName."""

    def networkLookupByUUID(uuid: bytes) -> Answer[NetworkRef]:
        """virNetworkLookupByUUID."""

    def networkSetAutostart(net: NetworkRef, autostart: bool) -> Answer[None]:
        """virNetworkSetAutostart."""

    def networkUndefine(net: NetworkRef) -> Answer[None]:
        """virNetworkUndefine."""

    def networkIsActive(net: NetworkRef) -> Answer[bool]:
        """virNetworkIsActive."""

    def networkIsPersistent(net: NetworkRef) -> Answer[bool]:
        """virNetworkIsPersistent."""

    def connectListAllNetworks(flags: int) -> Answer[list[NetworkRef]]:
        """virConnectListAllNetworks."""

    def networkUpdate(
        net: NetworkRef, command: int, section: int, parentIndex: int, xml: str, flags: int
    ) -> Answer[None]:
        """virNetworkUpdate."""

    def networkGetDHCPLeases(
        net: NetworkRef, mac: str | None, flags: int
    ) -> Answer[list[NetworkDHCPLease]]:
        """virNetworkGetDHCPLeases."""

    def networkListAllPorts(network: NetworkRef, flags: int) -> Answer[list[NetworkPortRef]]:
        """virNetworkListAllPorts."""

    def networkPortLookupByUUID(network: NetworkRef, uuid: bytes) -> Answer[NetworkPortRef]:
        """virNetworkPortLookupByUUID."""

    def networkPortCreateXML(network: NetworkRef, xml: str, flags: int) -> Answer[NetworkPortRef]:
        """virNetworkPortCreateXML."""

    def networkPortGetParameters(port: NetworkPortRef, flags: int) -> Answer[list[TypedParam]]:
        """virNetworkPortGetParameters."""

    def networkPortSetParameters(
        port: NetworkPortRef, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """virNetworkPortSetParameters."""

    def networkPortGetXMLDesc(port: NetworkPortRef, flags: int) -> Answer[str]:
        """virNetworkPortGetXMLDesc."""

    def networkPortDelete(port: NetworkPortRef, flags: int) -> Answer[None]:
        """virNetworkPortDelete."""

    def networkDefineXMLFlags(xml: str, flags: int) -> Answer[NetworkRef]:
        """virNetworkDefineXMLFlags."""

    def networkCreateXMLFlags(xml: str, flags: int) -> Answer[NetworkRef]:
        """virNetworkCreateXMLFlags."""

    def networkSetMetadata(
        network: NetworkRef,
        type: int,
        metadata: str | None,
        key: str | None,
        uri: str | None,
        flags: int,
    ) -> Answer[None]:
        """networkSetMetadata."""

    def networkGetMetadata(
        network: NetworkRef, type: int, uri: str | None, flags: int
    ) -> Answer[str]:
        """networkGetMetadata."""
