"""
Virtual networks, network filters and the host's own interfaces.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail

from pyvirt.client.connectbase import ConnectBase
from pyvirt.client.deferring import deferred
from pyvirt.client.interface import Interface
from pyvirt.client.network import Network
from pyvirt.client.nwfilter import NWFilter, NWFilterBinding
from pyvirt.client.shapes import making, makingAll, zero
from pyvirt.client.uuids import uuidArgument, uuidBytes
from pyvirt.errors import ErrorDomain, VirtError

__all__ = ["ConnectNetworks"]


class ConnectNetworks(ConnectBase):
    """What a connection does with networks, filters and host interfaces."""

    def networkLookupByName(self, name: str) -> Deferred[Network]:
        """Fire with the network of this name."""
        return self._remote.networkLookupByName(name).addCallback(making(Network, self._connect))

    def networkLookupByUUID(self, uuid: bytes) -> Deferred[Network]:
        """Fire with the one that has this UUID of 16 bytes."""
        try:
            data = uuidBytes(uuid, "virNetworkLookupByUUID")
        except VirtError:
            return fail()
        return self._remote.networkLookupByUUID(data).addCallback(making(Network, self._connect))

    def networkLookupByUUIDString(self, uuidstr: str) -> Deferred[Network]:
        """Fire with the one that has this UUID."""
        try:
            data = uuidArgument(uuidstr, "virNetworkLookupByUUIDString", ErrorDomain.NETWORK)
        except VirtError:
            return fail()
        return self._remote.networkLookupByUUID(data).addCallback(making(Network, self._connect))

    def networkCreateXML(self, xmlDesc: str) -> Deferred[Network]:
        """Start a network that is gone once it stops.  Fires with it."""
        return self._remote.networkCreateXML(xmlDesc).addCallback(making(Network, self._connect))

    def networkCreateXMLFlags(self, xmlDesc: str, flags: int = 0) -> Deferred[Network]:
        """As L{networkCreateXML}, with C{VIR_NETWORK_CREATE_*}."""
        return self._remote.networkCreateXMLFlags(xmlDesc, flags).addCallback(
            making(Network, self._connect)
        )

    def networkDefineXML(self, xml: str) -> Deferred[Network]:
        """Define a network.  Fires with it."""
        return self._remote.networkDefineXML(xml).addCallback(making(Network, self._connect))

    def networkDefineXMLFlags(self, xml: str, flags: int = 0) -> Deferred[Network]:
        """As L{networkDefineXML}, with C{VIR_NETWORK_DEFINE_*}."""
        return self._remote.networkDefineXMLFlags(xml, flags).addCallback(
            making(Network, self._connect)
        )

    def listAllNetworks(self, flags: int = 0) -> Deferred[list[Network]]:
        """Fire with the networks that C{flags} (C{VIR_CONNECT_LIST_NETWORKS_*}) select."""
        return self._remote.connectListAllNetworks(1, flags).addCallback(
            makingAll(Network, self._connect)
        )

    def numOfNetworks(self) -> Deferred[int]:
        """Fire with how many networks are started."""
        return self._remote.connectNumOfNetworks()

    def numOfDefinedNetworks(self) -> Deferred[int]:
        """Fire with how many networks are defined and not started."""
        return self._remote.connectNumOfDefinedNetworks()

    @deferred
    async def listNetworks(self) -> list[str]:
        """Fire with the names of the networks that are started."""
        count = await self._remote.connectNumOfNetworks()
        return list(await self._remote.connectListNetworks(count)) if count else []

    @deferred
    async def listDefinedNetworks(self) -> list[str]:
        """Fire with the names of the networks that are defined and not started."""
        count = await self._remote.connectNumOfDefinedNetworks()
        return list(await self._remote.connectListDefinedNetworks(count)) if count else []

    def nwfilterLookupByName(self, name: str) -> Deferred[NWFilter]:
        """Fire with the network filter of this name."""
        return self._remote.nwfilterLookupByName(name).addCallback(making(NWFilter, self._connect))

    def nwfilterLookupByUUID(self, uuid: bytes) -> Deferred[NWFilter]:
        """Fire with the one that has this UUID of 16 bytes."""
        try:
            data = uuidBytes(uuid, "virNWFilterLookupByUUID")
        except VirtError:
            return fail()
        return self._remote.nwfilterLookupByUUID(data).addCallback(making(NWFilter, self._connect))

    def nwfilterLookupByUUIDString(self, uuidstr: str) -> Deferred[NWFilter]:
        """Fire with the one that has this UUID."""
        try:
            data = uuidArgument(uuidstr, "virNWFilterLookupByUUIDString", ErrorDomain.NWFILTER)
        except VirtError:
            return fail()
        return self._remote.nwfilterLookupByUUID(data).addCallback(making(NWFilter, self._connect))

    def nwfilterDefineXML(self, xmlDesc: str) -> Deferred[NWFilter]:
        """Define a network filter.  Fires with it."""
        return self._remote.nwfilterDefineXML(xmlDesc).addCallback(making(NWFilter, self._connect))

    def nwfilterDefineXMLFlags(self, xmlDesc: str, flags: int = 0) -> Deferred[NWFilter]:
        """As L{nwfilterDefineXML}, with C{VIR_NWFILTER_DEFINE_*}."""
        return self._remote.nwfilterDefineXMLFlags(xmlDesc, flags).addCallback(
            making(NWFilter, self._connect)
        )

    def listAllNWFilters(self, flags: int = 0) -> Deferred[list[NWFilter]]:
        """Fire with all network filters."""
        return self._remote.connectListAllNWFilters(1, flags).addCallback(
            makingAll(NWFilter, self._connect)
        )

    def numOfNWFilters(self) -> Deferred[int]:
        """Fire with how many network filters there are."""
        return self._remote.connectNumOfNWFilters()

    @deferred
    async def listNWFilters(self) -> list[str]:
        """Fire with the names of the network filters."""
        count = await self._remote.connectNumOfNWFilters()
        return list(await self._remote.connectListNWFilters(count)) if count else []

    def nwfilterBindingLookupByPortDev(self, portdev: str) -> Deferred[NWFilterBinding]:
        """Fire with what is bound to a device of the host."""
        return self._remote.nwfilterBindingLookupByPortDev(portdev).addCallback(
            making(NWFilterBinding, self._connect)
        )

    def nwfilterBindingCreateXML(self, xml: str, flags: int = 0) -> Deferred[NWFilterBinding]:
        """Bind a filter to a device of the host: C{VIR_NWFILTER_BINDING_CREATE_*}.  Fires with the binding."""
        return self._remote.nwfilterBindingCreateXML(xml, flags).addCallback(
            making(NWFilterBinding, self._connect)
        )

    def listAllNWFilterBindings(self, flags: int = 0) -> Deferred[list[NWFilterBinding]]:
        """Fire with all bindings of network filters."""
        return self._remote.connectListAllNWFilterBindings(1, flags).addCallback(
            makingAll(NWFilterBinding, self._connect)
        )

    def interfaceLookupByName(self, name: str) -> Deferred[Interface]:
        """Fire with the host's interface of this name."""
        return self._remote.interfaceLookupByName(name).addCallback(
            making(Interface, self._connect)
        )

    def interfaceLookupByMACString(self, macstr: str) -> Deferred[Interface]:
        """Fire with the host's interface that has this address."""
        return self._remote.interfaceLookupByMACString(macstr).addCallback(
            making(Interface, self._connect)
        )

    def interfaceDefineXML(self, xml: str, flags: int = 0) -> Deferred[Interface]:
        """Define an interface of the host: C{VIR_INTERFACE_DEFINE_*}.  Fires with it."""
        return self._remote.interfaceDefineXML(xml, flags).addCallback(
            making(Interface, self._connect)
        )

    def changeBegin(self, flags: int = 0) -> Deferred[int]:
        """Begin changes to the host's interfaces that can be taken back.  Fires with 0."""
        return self._remote.interfaceChangeBegin(flags).addCallback(zero)

    def changeCommit(self, flags: int = 0) -> Deferred[int]:
        """Keep the changes since L{changeBegin}.  Fires with 0."""
        return self._remote.interfaceChangeCommit(flags).addCallback(zero)

    def changeRollback(self, flags: int = 0) -> Deferred[int]:
        """Take back the changes since L{changeBegin}.  Fires with 0."""
        return self._remote.interfaceChangeRollback(flags).addCallback(zero)

    def listAllInterfaces(self, flags: int = 0) -> Deferred[list[Interface]]:
        """Fire with the host's interfaces that C{flags} (C{VIR_CONNECT_LIST_INTERFACES_*}) select."""
        return self._remote.connectListAllInterfaces(1, flags).addCallback(
            makingAll(Interface, self._connect)
        )

    def numOfInterfaces(self) -> Deferred[int]:
        """Fire with how many of the host's interfaces are up."""
        return self._remote.connectNumOfInterfaces()

    def numOfDefinedInterfaces(self) -> Deferred[int]:
        """Fire with how many of the host's interfaces are defined and not up."""
        return self._remote.connectNumOfDefinedInterfaces()

    @deferred
    async def listInterfaces(self) -> list[str]:
        """Fire with the names of the host's interfaces that are up."""
        count = await self._remote.connectNumOfInterfaces()
        return list(await self._remote.connectListInterfaces(count)) if count else []

    @deferred
    async def listDefinedInterfaces(self) -> list[str]:
        """Fire with the names of the host's interfaces that are defined and not up."""
        count = await self._remote.connectNumOfDefinedInterfaces()
        return list(await self._remote.connectListDefinedInterfaces(count)) if count else []
