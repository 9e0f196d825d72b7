"""
What a new port of a network is plugged into, and what its network and its group of ports say of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt.definitions.networkport import NetworkPortDefinition, Plug
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.host.networks.devices import nextDevice
from pyvirt.drivers.host.networks.network import HOSTED, Network, modeOf
from pyvirt.drivers.host.networks.virtualports import merged
from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["plugged"]

_DOMAIN = ErrorDomain.NETWORK
_SWITCHES = ("802.1Qbg", "802.1Qbh")


def plugged(
    network: Network, port: NetworkPortDefinition, random: Callable[[int], bytes]
) -> NetworkPortDefinition:
    """
    Decide what a port is plugged into.

    @param random: makes up what identifies a virtual port.
    @raise VirtError: there is nothing left, or the network has no such ports.
    """
    definition = network.definition
    groups = definition.portgroups
    group: Any = next((each for each in groups if each.name == port.group), None)
    if port.group is None:
        group = next((each for each in groups if each.default), None)
    changes: dict[str, Any] = {}
    if port.bandwidth is None:
        changes["bandwidth"] = getattr(group, "bandwidth", None)
    if port.vlan is None:
        own = getattr(group, "vlan", None)
        changes["vlan"] = definition.vlan if own is None else own
    if port.isolated is None:
        changes["isolated"] = definition.portIsolated
    if port.trustGuestRxFilters is None:
        rx = getattr(group, "trustGuestRxFilters", None)
        changes["trustGuestRxFilters"] = definition.trustGuestRxFilters if rx is None else rx
    changes["virtualport"] = merged(
        port.virtualport, definition.virtualport, getattr(group, "virtualport", None), random
    )
    port = replaced(port, **changes)
    return replaced(port, plug=_plug(network, port))


def _plug(network: Network, port: NetworkPortDefinition) -> Plug:
    definition = network.definition
    mode, bridge, forward = modeOf(definition), definition.bridge, definition.forward
    manager = None if bridge is None else bridge.macTableManager
    if mode in HOSTED:
        _checkType(network, port, (), "IP forwarding")
        return Plug(type="network", bridge=network.bridge, macTableManager=manager)
    if mode == "bridge" and network.bridge:
        _checkType(network, port, ("openvswitch",), "a bridge device")
        return Plug(type="bridge", bridge=network.bridge, macTableManager=manager)
    if mode == "hostdev":
        address = nextDevice(network, True)
        _checkType(network, port, _SWITCHES, "an SR-IOV Virtual Function via PCI passthrough")
        return Plug(
            type="hostdev-pci",
            managed=bool(forward and forward.managed),
            driver=forward.driver if forward else None,
            address=address,
        )
    _checkType(network, port, _SWITCHES, "a macvtap device")
    if forward is None or not forward.interfaces:
        raise internal(
            f"network '{network.ref.name}' uses a direct mode, but has no forward dev and no "
            "interface pool",
            _DOMAIN,
        )
    # A switch that knows each guest by its device has one for each.
    alone = port.virtualport is not None and port.virtualport.type == "802.1Qbh"
    device = nextDevice(network, mode == "passthrough" or (mode == "private" and alone))
    return Plug(type="direct", dev=device.dev, mode=mode)


def _checkType(
    network: Network, port: NetworkPortDefinition, known: tuple[str, ...], what: str
) -> None:
    """Complain of a virtual port that there is not where a network plugs guests in."""
    virtualport = port.virtualport
    if virtualport is not None and virtualport.type not in known:
        raise virtError(
            ErrorCode.CONFIG_UNSUPPORTED,
            f"<virtualport type='{virtualport.type or 'none'}'> not supported for network "
            f"'{network.ref.name}' which uses {what}",
            _DOMAIN,
        )
