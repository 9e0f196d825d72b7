"""
Ports: what guests' cards are plugged into, one for each, as long as the network is active.

A port is written down in C{NAME/ports} beside the state of its network, so that a restarted daemon knows it.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.networkport import (
    NetworkPortDefinition,
    formatNetworkPort,
    parseNetworkPort,
)
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.uuids import formatUUID
from pyvirt.definitions.validation import validate
from pyvirt.drivers.filestore import DefinitionFolder
from pyvirt.drivers.host.networks import shares
from pyvirt.drivers.host.networks.devices import deviceOf
from pyvirt.drivers.host.networks.network import Network
from pyvirt.drivers.host.networks.networks import Networks
from pyvirt.drivers.host.networks.plugging import plugged
from pyvirt.drivers.interfaces.values import NetworkPortRef, NetworkRef, TypedParam
from pyvirt.drivers.refusals import checkFlags, invalidArgument
from pyvirt.drivers.refusals import operationInvalid as invalid
from pyvirt.drivers.traffic import BANDWIDTH, bandwidthOf
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.params import validateParams

__all__ = ["NetworksWithPorts"]

log = Logger()

_DOMAIN = ErrorDomain.NETWORK
_RECLAIM = c.VIR_NETWORK_PORT_CREATE_RECLAIM
_VALIDATE = c.VIR_NETWORK_PORT_CREATE_VALIDATE


class NetworksWithPorts(Networks):
    """Networks, and what is plugged into them."""

    def _ports(self, network: Network) -> DefinitionFolder:
        return DefinitionFolder(
            os.path.join(self._state.path, network.ref.name, "ports"), "net-port-create"
        )

    def _loadPorts(self, network: Network) -> None:
        for name, port in self._ports(network).load(parseNetworkPort):
            if formatUUID(port.uuid) == name:
                network.ports[port.uuid] = port
                network.count(deviceOf(port), 1)

    def _dropPorts(self, network: Network) -> None:
        network.ports.clear()
        network.countAnew()
        shutil.rmtree(os.path.join(self._state.path, network.ref.name), ignore_errors=True)

    def _active(self, ref: NetworkRef) -> Network:
        network = self._find(ref)
        if not network.active:
            raise invalid(f"network '{network.ref.name}' is not active", _DOMAIN)
        return network

    def _port(self, ref: NetworkPortRef) -> tuple[Network, NetworkPortDefinition]:
        network = self._active(ref.net)
        port = network.ports.get(ref.uuid)
        if port is None:
            raise virtError(
                ErrorCode.NO_NETWORK_PORT,
                f"Network port with UUID {formatUUID(ref.uuid)} does not exist",
                _DOMAIN,
            )
        return network, port

    def networkListAllPorts(self, network: NetworkRef, flags: int) -> list[NetworkPortRef]:
        """List what is plugged into a network."""
        checkFlags("networkListAllPorts", flags, 0, _DOMAIN)
        found = self._active(network)
        return [NetworkPortRef(found.ref, uuid) for uuid in found.ports]

    def networkPortLookupByUUID(self, network: NetworkRef, uuid: bytes) -> NetworkPortRef:
        """Find a port."""
        found, _ = self._port(NetworkPortRef(network, uuid))
        return NetworkPortRef(found.ref, uuid)

    def networkPortGetXMLDesc(self, port: NetworkPortRef, flags: int) -> str:
        """Describe a port."""
        checkFlags("networkPortGetXMLDesc", flags, 0, _DOMAIN)
        return formatNetworkPort(self._port(port)[1])

    async def networkPortCreateXML(
        self, network: NetworkRef, xml: str, flags: int
    ) -> NetworkPortRef:
        """Plug something in; what it is plugged into follows from the network."""
        checkFlags("networkPortCreateXML", flags, _RECLAIM | _VALIDATE, _DOMAIN)
        found = self._find(network)
        if flags & _VALIDATE:
            validate("networkport", xml)
        port = parseNetworkPort(xml)
        if not found.active:
            raise invalid(f"network '{found.ref.name}' is not active", _DOMAIN)
        if port.plug is None and flags & _RECLAIM:
            raise invalidArgument("Port reclaim requested but plug type is none", _DOMAIN)
        if port.plug is not None and not flags & _RECLAIM:
            raise invalidArgument("Port reclaim not requested but plug type is not none", _DOMAIN)
        if port.uuid in found.ports:
            raise virtError(
                ErrorCode.NETWORK_PORT_EXIST,
                f"Network port with UUID {formatUUID(port.uuid)} already exists",
                _DOMAIN,
            )
        if port.plug is None:
            port = plugged(found, port, self._host.random)
        name = formatUUID(port.uuid)
        port = await shares.plug(self._host, found, port)
        found.ports[port.uuid] = port
        found.count(deviceOf(port), 1)
        try:
            self._ports(found).save(name, formatNetworkPort(port))
            self._runner.note(found, port.owner.name, port.mac, True)
            await self._hook(found, "port-created", "begin", formatNetworkPort(port))
            if shares.classed(port):
                self._saveState(found)
        except BaseException:
            if found.ports.pop(port.uuid, None) is not None:
                found.count(deviceOf(port), -1)
                self._runner.note(found, port.owner.name, port.mac, False)
            self._ports(found).remove(name)
            await shares.unplug(self._host, found, port)
            raise
        return NetworkPortRef(found.ref, port.uuid)

    async def networkPortDelete(self, port: NetworkPortRef, flags: int) -> None:
        """Unplug something."""
        checkFlags("networkPortDelete", flags, 0, _DOMAIN)
        found, gone = self._port(port)
        del found.ports[gone.uuid]
        found.count(deviceOf(gone), -1)
        self._runner.note(found, gone.owner.name, gone.mac, False)
        self._ports(found).remove(formatUUID(gone.uuid))
        await self._hook(found, "port-deleted", "begin", formatNetworkPort(gone))
        if found.active and shares.classed(gone):
            await shares.unplug(self._host, found, gone)
            self._saveState(found)

    def networkPortGetParameters(self, port: NetworkPortRef, flags: int) -> list[TypedParam]:
        """Tell what a port gets and may send."""
        checkFlags("networkPortGetParameters", flags, c.VIR_TYPED_PARAM_STRING_OKAY, _DOMAIN)
        _, found = self._port(port)
        params = []
        for direction in ("inbound", "outbound"):
            limits = getattr(found.bandwidth, direction, None)
            for name in ("average", "peak", "floor", "burst") if limits is not None else ():
                if (direction, name) != ("outbound", "floor"):
                    value = getattr(limits, name) or 0
                    full = f"{direction}.{name}"
                    params.append(TypedParam(full, c.VIR_TYPED_PARAM_UINT, value))
        return params

    async def networkPortSetParameters(
        self, port: NetworkPortRef, params: list[TypedParam], flags: int
    ) -> None:
        """Change what a port gets and may send."""
        checkFlags("networkPortSetParameters", flags, 0, _DOMAIN)
        found, there = self._port(port)
        validateParams(params, dict.fromkeys(BANDWIDTH, c.VIR_TYPED_PARAM_UINT))
        given = {param.field: param.value for param in params}
        limits: Any = replaced(bandwidthOf(there.bandwidth, given), classId=None)
        if limits.inbound is None and limits.outbound is None:
            limits = None
        made = await shares.change(self._host, found, there, limits)
        found.ports[made.uuid] = made
        self._ports(found).save(formatUUID(made.uuid), formatNetworkPort(made))
        if shares.classed(there) or shares.classed(made):
            self._saveState(found)
