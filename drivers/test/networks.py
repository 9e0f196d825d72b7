"""
Virtual networks of the test driver: definitions that can be active or not.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.definitions.network import NetworkDefinition, completed, formatNetwork, parseNetwork
from pyvirt.definitions.uuids import formatUUID
from pyvirt.definitions.validation import validate
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.drivers.interfaces.values import NetworkRef
from pyvirt.drivers.networkupdate import updated
from pyvirt.drivers.test.refusals import checkFlags, internal, operationInvalid
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Network", "Networks"]


class Network:
    """
    A network.

    @ivar definition: what it is.
    @ivar pending: what it was told to be while it was active, or None.
    """

    __slots__ = ("active", "autostart", "definition", "pending", "persistent", "ref")

    def __init__(self, definition: NetworkDefinition) -> None:
        assert definition.uuid is not None
        self.definition = definition
        self.pending: NetworkDefinition | None = None
        self.active = False
        self.persistent = False
        self.autostart = False
        self.ref = NetworkRef(definition.name, definition.uuid)


_LIST_FLAGS = 0x3F


def _passes(network: Network, flags: int) -> bool:
    for value, yes, no in (
        (
            network.active,
            c.VIR_CONNECT_LIST_NETWORKS_ACTIVE,
            c.VIR_CONNECT_LIST_NETWORKS_INACTIVE,
        ),
        (
            network.persistent,
            c.VIR_CONNECT_LIST_NETWORKS_PERSISTENT,
            c.VIR_CONNECT_LIST_NETWORKS_TRANSIENT,
        ),
        (
            network.autostart,
            c.VIR_CONNECT_LIST_NETWORKS_AUTOSTART,
            c.VIR_CONNECT_LIST_NETWORKS_NO_AUTOSTART,
        ),
    ):
        if flags & (yes | no) and not flags & (yes if value else no):
            return False
    return True


def _missing(detail: str) -> VirtError:
    return virtError(ErrorCode.NO_NETWORK, detail, ErrorDomain.TEST)


class Networks:
    """Defines, starts and stops networks."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._names = world.networks

    def _find(self, ref: NetworkRef) -> Network:
        return self.named(ref.name)

    def named(self, name: str) -> Network:
        """
        Find a network.

        @raise NoSuchNetwork: there is none.
        """
        network = self._names.get(name)
        if network is None:
            raise _missing(f"no network with matching name '{name}'")
        return network

    def _identified(self, uuid: bytes) -> Network:
        for network in self._names.values():
            if network.ref.uuid == uuid:
                return network
        raise _missing(f"no network with matching uuid '{formatUUID(uuid)}'")

    def _tell(self, network: Network, event: int) -> None:
        self._world.hub.emit(
            Event(EventKind.NETWORK, c.VIR_NETWORK_EVENT_ID_LIFECYCLE, network.ref, (event, 0)),
            network.ref.uuid,
        )

    def add(self, xml: str, *, live: bool = False) -> Network:
        """
        Add a network, or give one that is there another definition.

        @param live: it is about to be started, so it must not be active.
        @raise VirtError: the definition is wrong or does not fit what is there.
        """
        return self.place(completed(parseNetwork(xml), random=self._world.random), live=live)

    def place(self, definition: NetworkDefinition, *, live: bool = False) -> Network:
        """As L{add}, with a definition that has been read and completed."""
        assert definition.uuid is not None
        for network in self._names.values():
            if network.ref.uuid == definition.uuid:
                if network.ref.name != definition.name:
                    raise virtError(
                        ErrorCode.OPERATION_FAILED,
                        f"network '{network.ref.name}' is already defined with uuid "
                        f"{formatUUID(definition.uuid)}",
                        ErrorDomain.NETWORK,
                    )
                if live and network.active:
                    raise operationInvalid(
                        f"network is already active as '{network.ref.name}'", ErrorDomain.NETWORK
                    )
                if network.active:
                    network.pending = definition
                else:
                    if live and network.pending is None:
                        network.pending = network.definition
                    network.definition = definition
                return network
        taken = self._names.get(definition.name)
        if taken is not None:
            raise virtError(
                ErrorCode.OPERATION_FAILED,
                f"network '{definition.name}' already exists with uuid "
                f"{formatUUID(taken.ref.uuid)}",
                ErrorDomain.NETWORK,
            )
        network = self._names[definition.name] = Network(definition)
        return network

    def connectListAllNetworks(self, flags: int) -> list[NetworkRef]:
        """List the networks that pass the filters."""
        checkFlags("testConnectListAllNetworks", flags, _LIST_FLAGS)
        return [network.ref for network in self._names.values() if _passes(network, flags)]

    def networkLookupByName(self, name: str) -> NetworkRef:
        """Find a network."""
        return self.named(name).ref

    def networkLookupByUUID(self, uuid: bytes) -> NetworkRef:
        """Find a network."""
        return self._identified(uuid).ref

    def networkDefineXMLFlags(self, xml: str, flags: int) -> NetworkRef:
        """Define a network."""
        checkFlags("testNetworkDefineXMLFlags", flags, c.VIR_NETWORK_DEFINE_VALIDATE)
        if flags & c.VIR_NETWORK_DEFINE_VALIDATE:
            validate("network", xml)
        network = self.add(xml)
        network.persistent = True
        self._tell(network, c.VIR_NETWORK_EVENT_DEFINED)
        return network.ref

    def networkCreateXMLFlags(self, xml: str, flags: int) -> NetworkRef:
        """Start a network that is gone when it stops, unless it is defined too."""
        checkFlags("testNetworkCreateXMLFlags", flags, c.VIR_NETWORK_CREATE_VALIDATE)
        if flags & c.VIR_NETWORK_CREATE_VALIDATE:
            validate("network", xml)
        network = self.add(xml, live=True)
        network.active = True
        self._tell(network, c.VIR_NETWORK_EVENT_STARTED)
        return network.ref

    def networkUndefine(self, net: NetworkRef) -> None:
        """Forget an inactive network."""
        network = self._find(net)
        if network.active:
            raise operationInvalid(f"Network '{network.ref.name}' is still running")
        self._tell(network, c.VIR_NETWORK_EVENT_UNDEFINED)
        del self._names[network.ref.name]

    def networkCreate(self, net: NetworkRef) -> None:
        """Start a network."""
        network = self._find(net)
        if network.active:
            raise operationInvalid(f"Network '{network.ref.name}' is already running")
        network.active = True
        self._tell(network, c.VIR_NETWORK_EVENT_STARTED)

    def networkDestroy(self, net: NetworkRef) -> None:
        """Stop a network; stopping one that is not active is told of all the same."""
        network = self._find(net)
        network.active = False
        self._tell(network, c.VIR_NETWORK_EVENT_STOPPED)
        if not network.persistent:
            del self._names[network.ref.name]

    def networkGetXMLDesc(self, net: NetworkRef, flags: int) -> str:
        """Write a network's definition."""
        checkFlags("testNetworkGetXMLDesc", flags)
        return formatNetwork(self._find(net).definition)

    def networkUpdate(
        self,
        net: NetworkRef,
        command: int,
        section: int,
        parentIndex: int,
        xml: str,
        flags: int,
    ) -> None:
        """Change one part of what a network is, of what it was told to be, or of both."""
        live, config = (
            c.VIR_NETWORK_UPDATE_AFFECT_LIVE,
            c.VIR_NETWORK_UPDATE_AFFECT_CONFIG,
        )
        checkFlags("testNetworkUpdate", flags, live | config)
        network = self._identified(net.uuid)
        if not flags:
            flags = live if network.active else config
        if flags & live and not network.active:
            raise operationInvalid("network is not running", ErrorDomain.NETWORK)
        if flags & config and not network.persistent:
            raise operationInvalid(
                "cannot change persistent config of a transient network", ErrorDomain.NETWORK
            )
        if flags & config and network.active and network.pending is None:
            # From now on, even if this fails, it is one thing what it is and another what it was told to be.
            network.pending = network.definition
        definition, pending = network.definition, network.pending
        if flags & config:
            # Of an active network it is what it was told to be that changes, which is shown nowhere.
            changed = updated(pending or definition, command, section, parentIndex, xml)
            if network.active:
                network.pending = changed
            else:
                network.definition = changed
        if flags & live:
            network.definition = updated(definition, command, section, parentIndex, xml)

    def networkGetBridgeName(self, net: NetworkRef) -> str:
        """Tell the bridge that guests are plugged into."""
        network = self._find(net)
        bridge = network.definition.bridge
        if bridge is None or bridge.name is None:
            raise internal(f"network '{network.ref.name}' does not have a bridge name.")
        return bridge.name

    def networkGetAutostart(self, net: NetworkRef) -> bool:
        """Whether the network is started with the host."""
        return self._find(net).autostart

    def networkSetAutostart(self, net: NetworkRef, autostart: bool) -> None:
        """Say whether the network is started with the host."""
        self._find(net).autostart = bool(autostart)

    def networkIsActive(self, net: NetworkRef) -> bool:
        """Whether it is started."""
        return self._identified(net.uuid).active

    def networkIsPersistent(self, net: NetworkRef) -> bool:
        """Whether it stays when it stops."""
        return self._identified(net.uuid).persistent
