"""
Virtual networks and their ports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail

from pyvirt.client.deferring import deferred
from pyvirt.client.handle import Handle
from pyvirt.client.params import HINTS, byHints
from pyvirt.client.shapes import dictionary, making, makingAll, nameUUID, number, zero
from pyvirt.client.uuids import uuidArgument, uuidBytes
from pyvirt.errors import ErrorDomain, VirtError

if TYPE_CHECKING:
    from pyvirt.protocols.structs import NetworkPortRef, NetworkRef

__all__ = ["Network", "NetworkPort"]

FEATURE_UPDATE_ORDER = 16
PARAMETERS_MAX = 16


class Network(Handle):
    """A virtual network."""

    __slots__ = ()

    _ref: NetworkRef

    def name(self) -> str:
        """Return the name."""
        return self._ref[0]

    def UUID(self) -> bytes:
        """Return the UUID, 16 bytes."""
        return self._ref[1]

    def UUIDString(self) -> str:
        """Return the UUID as text, 36 characters, lower case."""
        return nameUUID(self._ref[1])

    def XMLDesc(self, flags: int = 0) -> Deferred[str]:
        """Fire with its definition; C{flags}: C{VIR_NETWORK_XML_*}."""
        return self._remote.networkGetXMLDesc(self._ref, flags)

    def bridgeName(self) -> Deferred[str]:
        """Fire with the name of its bridge on the host."""
        return self._remote.networkGetBridgeName(self._ref)

    def isActive(self) -> Deferred[int]:
        """Fire with 1 if it is started, else 0."""
        return self._remote.networkIsActive(self._ref).addCallback(number)

    def isPersistent(self) -> Deferred[int]:
        """Fire with 1 if it is defined, 0 if it is gone once it stops."""
        return self._remote.networkIsPersistent(self._ref).addCallback(number)

    def autostart(self) -> Deferred[int]:
        """Fire with 1 if it is started with the host, else 0."""
        return self._remote.networkGetAutostart(self._ref).addCallback(number)

    def setAutostart(self, autostart: int) -> Deferred[int]:
        """Have it started with the host, or not.  Fires with 0."""
        return self._remote.networkSetAutostart(self._ref, autostart).addCallback(zero)

    def create(self) -> Deferred[int]:
        """Start it.  Fires with 0."""
        return self._remote.networkCreate(self._ref).addCallback(zero)

    def destroy(self) -> Deferred[int]:
        """Stop it.  Fires with 0."""
        return self._remote.networkDestroy(self._ref).addCallback(zero)

    def undefine(self) -> Deferred[int]:
        """Forget its definition.  Fires with 0."""
        return self._remote.networkUndefine(self._ref).addCallback(zero)

    def metadata(self, type: int, uri: str | None, flags: int = 0) -> Deferred[str]:
        """Fire with metadata: C{VIR_NETWORK_METADATA_*}; C{uri} names the namespace of an element."""
        return self._remote.networkGetMetadata(self._ref, type, uri, flags)

    def setMetadata(
        self, type: int, metadata: str | None, key: str | None, uri: str | None, flags: int = 0
    ) -> Deferred[int]:
        """Change metadata, or with None remove it.  Fires with 0."""
        return self._remote.networkSetMetadata(
            self._ref, type, metadata, key, uri, flags
        ).addCallback(zero)

    @deferred
    async def update(
        self, command: int, section: int, parentIndex: int, xml: str, flags: int = 0
    ) -> int:
        """
        Change a part of it: C{VIR_NETWORK_UPDATE_*} and C{VIR_NETWORK_SECTION_*}.  Fires with 0.

        @param parentIndex: which of several parents of the same kind is meant; -1: the only one.
        """
        if not await self._conn._session.feature(self._remote, FEATURE_UPDATE_ORDER):
            # Older daemons take the two in the other order.
            command, section = section, command
        await self._remote.networkUpdate(self._ref, command, section, parentIndex, xml, flags)
        return 0

    @deferred
    async def DHCPLeases(self, mac: str | None = None, flags: int = 0) -> list[dict[str, Any]]:
        """Fire with the addresses that its DHCP server gave out, to one interface or to all."""
        leases = (await self._remote.networkGetDHCPLeases(self._ref, mac, 1, flags))[0]
        return [_lease(each) for each in leases]

    def portCreateXML(self, xmldesc: str, flags: int = 0) -> Deferred[NetworkPort]:
        """Create a port: C{VIR_NETWORK_PORT_CREATE_*}.  Fires with it."""
        return self._remote.networkPortCreateXML(self._ref, xmldesc, flags).addCallback(
            making(NetworkPort, self)
        )

    def listAllPorts(self, flags: int = 0) -> Deferred[list[NetworkPort]]:
        """Fire with its ports."""
        return self._remote.networkListAllPorts(self._ref, 1, flags).addCallback(
            makingAll(NetworkPort, self)
        )

    def portLookupByUUID(self, uuid: bytes) -> Deferred[NetworkPort]:
        """Fire with the port that has this UUID of 16 bytes."""
        try:
            data = uuidBytes(uuid, "virNetworkPortLookupByUUID")
        except VirtError:
            return fail()
        return self._remote.networkPortLookupByUUID(self._ref, data).addCallback(
            making(NetworkPort, self)
        )

    def portLookupByUUIDString(self, uuidstr: str) -> Deferred[NetworkPort]:
        """Fire with the port that has this UUID."""
        try:
            data = uuidArgument(uuidstr, "virNetworkPortLookupByUUIDString", ErrorDomain.NETWORK)
        except VirtError:
            return fail()
        return self._remote.networkPortLookupByUUID(self._ref, data).addCallback(
            making(NetworkPort, self)
        )


class NetworkPort(Handle):
    """
    A port of a network.

    @ivar _net: the network.
    """

    __slots__ = ("_net",)

    _ref: NetworkPortRef

    def __init__(self, net: Network, _obj: Any = None) -> None:
        super().__init__(net._conn, _obj)
        self._net = net

    def network(self) -> Network:
        """Return the network."""
        return self._net

    def UUID(self) -> bytes:
        """Return the UUID, 16 bytes."""
        return self._ref[1]

    def UUIDString(self) -> str:
        """Return the UUID as text, 36 characters, lower case."""
        return nameUUID(self._ref[1])

    def XMLDesc(self, flags: int = 0) -> Deferred[str]:
        """Fire with its definition."""
        return self._remote.networkPortGetXMLDesc(self._ref, flags)

    def delete(self, flags: int = 0) -> Deferred[int]:
        """Delete it.  Fires with 0."""
        return self._remote.networkPortDelete(self._ref, flags).addCallback(zero)

    @deferred
    async def parameters(self, flags: int = 0) -> dict[str, Any]:
        """Fire with the limits of its traffic by name."""
        flags = await self._conn._withStrings(flags)
        result = await self._remote.networkPortGetParameters(self._ref, PARAMETERS_MAX, flags)
        return dictionary(result[0])

    @deferred
    async def setParameters(self, params: dict[str, Any], flags: int = 0) -> int:
        """Change the limits of its traffic: C{VIR_NETWORK_PORT_BANDWIDTH_*}.  Fires with 0."""
        known = byHints(params, HINTS["networkPortSetParameters"])
        await self._remote.networkPortSetParameters(self._ref, known, flags)
        return 0


_LEASE = (
    "iface",
    "expirytime",
    "type",
    "mac",
    "iaid",
    "ipaddr",
    "prefix",
    "hostname",
    "clientid",
)


def _lease(lease: Any) -> dict[str, Any]:
    return dict(zip(_LEASE, lease, strict=True))
