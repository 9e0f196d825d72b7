"""
What a guest's card is really connected to: where it names a virtual network, the driver of networks is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

import attrs
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._net import NetDefined
from pyvirt.definitions.network import parseNetwork
from pyvirt.definitions.networkport import (
    NetworkPortDefinition,
    Owner,
    Plug,
    formatNetworkPort,
    parseNetworkPort,
)
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.uuids import formatUUID, parseUUID
from pyvirt.definitions.values import definition
from pyvirt.drivers.interfaces.networks import INetworks
from pyvirt.drivers.interfaces.values import NetworkDHCPLease
from pyvirt.drivers.qemu.refusals import internal, operationInvalid, unsupportedConfig
from pyvirt.drivers.traffic import bandwidthParams
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = [
    "Actual",
    "findActual",
    "handingNetworks",
    "leased",
    "listenOnNetworks",
    "promise",
    "reclaimPort",
    "releasePort",
    "settled",
]

log = Logger()


@definition
class Actual:
    """
    What a card is connected to.

    @ivar type: C{bridge}, C{direct}, C{ethernet} or C{hostdev}.
    @ivar device: the bridge, or the device of the host that is shared.
    @ivar mode: how it is shared.
    @ivar source: what the running definition says instead of what was defined, None: the same.
    @ivar changes: further fields of the running definition, which the network sets.
    """

    type: str
    device: str = ""
    mode: str | None = None
    source: Any = None
    changes: Mapping[str, Any] = attrs.Factory(dict)


async def settled(answer: Any) -> Any:
    """Return what a driver answers, now or later."""
    return await answer if isawaitable(answer) else answer


async def findActual(hypervisor: Hypervisor, definition: DomainDefinition, nic: Any) -> Actual:
    """
    Find out what a card is connected to; a network gets a port for it.

    @raise VirtError: there is no such network, it is not active, or it is of a kind that is not supported.
    """
    source = nic.source
    if nic.type == "bridge":
        return Actual(type="bridge", device=source.bridge or "")
    if nic.type == "direct":
        return Actual(type="direct", device=source.dev or "", mode=source.mode)
    if nic.type == "ethernet":
        return Actual(type="ethernet")
    name = source.network or ""
    networks, network = await _find(hypervisor, name)
    if not await settled(networks.networkIsActive(network)):
        raise operationInvalid(f"network '{name}' is not active", ErrorDomain.NETWORK)
    bare = replaced(nic, source=replaced(source, portid=None))
    port = _portOf(hypervisor, definition, bare, None)
    ref = await settled(networks.networkPortCreateXML(network, formatNetworkPort(port), 0))
    try:
        made = parseNetworkPort(await settled(networks.networkPortGetXMLDesc(ref, 0)))
        plug = made.plug
        source = replaced(source, portid=formatUUID(made.uuid))
        limits = made.bandwidth
        changes: dict[str, Any] = {
            # Its class is the network's affair.
            "bandwidth": None if limits is None else replaced(limits, classId=None),
            "vlan": made.vlan,
            "virtualport": made.virtualport,
            "portIsolated": made.isolated,
            "trustGuestRxFilters": made.trustGuestRxFilters,
        }
        kept = {field: getattr(nic, field) for field in changes}
        actual = None if plug is None else plug.type
        handed = plug is not None and plug.type == "hostdev-pci"
        changes["defined"] = NetDefined(
            actual="hostdev" if handed else actual,
            managed=plug.managed if plug is not None and handed else None,
            **kept,
        )
        if plug is not None and plug.type in ("network", "bridge"):
            return Actual(
                type="bridge",
                device=plug.bridge or "",
                source=replaced(source, bridge=plug.bridge),
                changes=changes,
            )
        if plug is not None and plug.type == "direct":
            return Actual(
                type="direct",
                device=plug.dev or "",
                mode=plug.mode,
                source=replaced(source, dev=plug.dev, mode=plug.mode),
                changes=changes,
            )
        if plug is not None and plug.driver == "kvm":
            raise unsupportedConfig("host doesn't support legacy PCI passthrough")
        device = None if plug is None else plug.address
        return Actual(type="hostdev", source=replaced(source, pci=device), changes=changes)
    except BaseException:
        await _delete(networks, ref)
        raise


async def _find(hypervisor: Hypervisor, name: str) -> tuple[Any, Any]:
    """
    Find a network.

    @return: who keeps it, and what it is known by.
    @raise VirtError: NO_NETWORK.
    """
    networks = _networks(hypervisor)
    if networks is None:
        # Where nobody keeps networks there is none.
        raise virtError(
            ErrorCode.NO_NETWORK, f"no network with matching name '{name}'", ErrorDomain.NETWORK
        )
    return networks, await settled(networks.networkLookupByName(name))


async def handingNetworks(hypervisor: Hypervisor, definition: DomainDefinition) -> frozenset[str]:
    """Return the networks of cards without a make that give guests devices of the host."""
    names = {
        nic.source.network or ""
        for nic in definition.devices.interfaces
        if nic.type == "network" and nic.model is None and nic.source is not None
    }
    found = set()
    for name in names:
        try:
            networks, network = await _find(hypervisor, name)
            text = await settled(networks.networkGetXMLDesc(network, 0))
            forward = parseNetwork(text).forward
        except VirtError:
            continue
        if forward is not None and forward.mode == "hostdev":
            found.add(name)
    return frozenset(found)


async def listenOnNetworks(
    hypervisor: Hypervisor, definition: DomainDefinition
) -> DomainDefinition:
    """
    Say at which address displays listen that name a network.

    @raise VirtError: there is no such network, or it has no address.
    """
    displays = []
    for display in definition.devices.graphics:
        listens = []
        for each in display.listens:
            if each.type == "network" and each.network is not None:
                each = replaced(each, address=await _addressOn(hypervisor, each.network))
            listens.append(each)
        displays.append(replaced(display, listens=tuple(listens)) if listens else display)
    devices = replaced(definition.devices, graphics=tuple(displays))
    return replaced(definition, devices=devices)


async def _addressOn(hypervisor: Hypervisor, name: str) -> str:
    networks, network = await _find(hypervisor, name)
    found = parseNetwork(await settled(networks.networkGetXMLDesc(network, 0)))
    for ip in found.ips:
        if ip.address:
            return str(ip.address)
    raise internal(f"network '{name}' doesn't have an IP address", ErrorDomain.NETWORK)


def newUUID(hypervisor: Hypervisor) -> bytes:
    """Make up a UUID."""
    raw = bytearray(hypervisor.random(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return bytes(raw)


def _networks(hypervisor: Hypervisor) -> Any:
    return hypervisor.companion(INetworks)


async def promise(hypervisor: Hypervisor, nic: Any, limits: Any) -> None:
    """
    Tell a network what a card that is plugged into it is to get and may send.

    @param limits: a C{Bandwidth}.
    @raise VirtError: the network does not have that much.
    """
    if nic.type != "network" or nic.source is None or nic.source.portid is None:
        return
    uuid = parseUUID(nic.source.portid)
    networks = _networks(hypervisor)
    if networks is None or uuid is None:
        return
    network = await settled(networks.networkLookupByName(nic.source.network))
    ref = await settled(networks.networkPortLookupByUUID(network, uuid))
    params = bandwidthParams(limits, c.VIR_TYPED_PARAM_UINT)
    await settled(networks.networkPortSetParameters(ref, params, 0))


async def reclaimPort(hypervisor: Hypervisor, definition: DomainDefinition, nic: Any) -> Any:
    """
    Have the network of a running guest's card know its port, which it may have forgotten; that it cannot be is logged.

    @return: the card, with the port if it had none.
    """
    source, networks = nic.source, _networks(hypervisor)
    if nic.type != "network" or source is None or networks is None:
        return nic
    if source.bridge is not None:
        kind = nic.defined.actual if nic.defined is not None else None
        plug = Plug(type=kind or "network", bridge=source.bridge)
    elif source.dev is not None:
        plug = Plug(type="direct", dev=source.dev, mode=source.mode)
    elif source.pci is not None:
        managed = nic.defined is not None and nic.defined.managed
        plug = Plug(type="hostdev-pci", managed=bool(managed), address=source.pci)
    else:
        return nic
    port = _portOf(hypervisor, definition, nic, plug)
    try:
        network = await settled(networks.networkLookupByName(source.network))
        flags = c.VIR_NETWORK_PORT_CREATE_RECLAIM
        await settled(networks.networkPortCreateXML(network, formatNetworkPort(port), flags))
    except VirtError as error:
        # Most are known.
        log.debug("{error}", error=error)
        return nic
    return replaced(nic, source=replaced(source, portid=formatUUID(port.uuid)))


def _portOf(
    hypervisor: Hypervisor, definition: DomainDefinition, nic: Any, plug: Plug | None
) -> NetworkPortDefinition:
    """Describe the port of a card: the one that it has, else one that is made up."""
    known = None if nic.source.portid is None else parseUUID(nic.source.portid)
    return NetworkPortDefinition(
        uuid=known or newUUID(hypervisor),
        owner=Owner(name=definition.name, uuid=definition.uuid or bytes(16)),
        group=nic.source.portgroup,
        virtualport=nic.virtualport,
        mac=nic.mac.address,
        bandwidth=nic.bandwidth,
        vlan=nic.vlan,
        isolated=nic.portIsolated,
        trustGuestRxFilters=nic.trustGuestRxFilters,
        plug=plug,
    )


async def releasePort(hypervisor: Hypervisor, nic: Any) -> None:
    """Give back the port of a network that a card had; that it cannot be is logged."""
    source = nic.source
    if nic.type != "network" or source is None or source.portid is None:
        return
    uuid = parseUUID(source.portid)
    networks = _networks(hypervisor)
    if networks is None or uuid is None:
        return
    try:
        network = await settled(networks.networkLookupByName(source.network))
        ref = await settled(networks.networkPortLookupByUUID(network, uuid))
    except VirtError as error:
        log.debug("{error}", error=error)
        return
    await _delete(networks, ref)


async def _delete(networks: Any, ref: Any) -> None:
    try:
        await settled(networks.networkPortDelete(ref, 0))
    except VirtError as error:
        log.warn("a port of a network is left: {error}", error=error)


async def leased(
    hypervisor: Hypervisor, definition: DomainDefinition
) -> list[tuple[Any, list[NetworkDHCPLease]]]:
    """
    Return the cards of a guest that networks have lent addresses to, with these.

    @raise VirtError: a network is not there, or what it has lent makes no sense.
    """
    found = []
    for nic in definition.devices.interfaces:
        if nic.type != "network" or nic.source is None or nic.mac is None:
            continue
        networks, network = await _find(hypervisor, nic.source.network or "")
        leases = await settled(networks.networkGetDHCPLeases(network, nic.mac.address, 0))
        if leases:
            found.append((nic, leases))
    return found
