"""
Virtual networks: XML to frozen values and back.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import ClassVar

from pyvirt.definitions.kinds import (
    BOOLEAN,
    Kind,
    escape,
    number,
)
from pyvirt.definitions.metadata import metadataText
from pyvirt.definitions.netbits import (
    Bandwidth,
    Route,
    VirtualPort,
    Vlan,
    addressOf,
    checkRoute,
    parseMAC,
)
from pyvirt.definitions.neterrors import bad, nameOf, refused
from pyvirt.definitions.netforward import Bridge, Forward, ForwardInterface
from pyvirt.definitions.netips import DHCP, IP, Bootp, DHCPHost, DHCPRange, prefixLength
from pyvirt.definitions.netnames import DNS, SRV, TXT, DNSDomain, DNSHost, Forwarder
from pyvirt.definitions.reader import Node, parseDocument, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    reader,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.uuids import formatUUID, parseUUID, randomUUID
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = [
    "DHCP",
    "DNS",
    "IP",
    "SRV",
    "TXT",
    "Bootp",
    "Bridge",
    "DHCPHost",
    "DHCPRange",
    "DNSDomain",
    "DNSHost",
    "Forward",
    "ForwardInterface",
    "Forwarder",
    "NetworkDefinition",
    "NetworkRoute",
    "PortGroup",
    "completed",
    "formatNetwork",
    "parseNetwork",
]

_DOMAIN = ErrorDomain.NETWORK


#: The namespace of what the user says to the name server itself.
DNSMASQ_NAMESPACE = "http://libvirt.org/schemas/network/dnsmasq/1.0"


def _readOptions(node: Node) -> tuple[str, ...]:
    """Read what the name server is told besides, of all groups that there are."""
    found = []
    for group in node.iterchildren(f"{{{DNSMASQ_NAMESPACE}}}options"):
        for each in group.iterchildren(f"{{{DNSMASQ_NAMESPACE}}}option"):
            value = each.get("value")
            if value is None:
                raise virtError(
                    ErrorCode.INTERNAL_ERROR, "No dnsmasq options value specified", _DOMAIN
                )
            found.append(value)
    return tuple(found)


def _writeOptions(options: tuple[str, ...], out: list[str], indent: str) -> None:
    out.append(f"{indent}<dnsmasq:options>\n")
    out += [f"{indent}  <dnsmasq:option value='{escape(value)}'/>\n" for value in options]
    out.append(f"{indent}</dnsmasq:options>\n")


def _groupName(value: str) -> str:
    if not value:
        raise bad("Missing required name attribute in portgroup")
    return value


@definition
class PortGroup:
    """Settings that interfaces of guests name together."""

    xmlOpen: ClassVar[bool] = True
    xmlReadOrder: ClassVar[str] = "name default trustGuestRxFilters virtualport bandwidth vlan"

    name: str | None = attribute(
        Kind(lambda value, node, name: _groupName(value), escape),
        required=True,
        missing=lambda node: bad("Missing required name attribute in portgroup"),
    )
    default: bool | None = attribute(
        Kind(lambda value, node, name: True if value == "yes" else None, lambda value: "yes")
    )
    trustGuestRxFilters: bool | None = attribute(BOOLEAN)
    vlan: Vlan | None = element(Vlan)
    virtualport: VirtualPort | None = element(VirtualPort)
    bandwidth: Bandwidth | None = element(Bandwidth)


@definition
class NetworkRoute(Route):
    """A route that the host adds for the network."""

    def settle(self, node: Node, context: Context) -> Route:
        """A route has a goal and a way."""
        where = nameOf(node)
        for name in ("address", "gateway"):
            if getattr(self, name) is None:
                raise bad(f"{where}: Missing required {name} attribute in route definition")
        return checkRoute(self, where)


def _readName(node: Node, kids: dict[str, list[Node]], context: Context) -> str:
    found = kids.get("name")
    name = xmlText(found[0]) if found else ""
    if not name:
        raise virtError(ErrorCode.NO_NAME, None, _DOMAIN)
    if "/" in name:
        raise virtError(ErrorCode.XML_DETAIL, "invalid char in name: /", ErrorDomain.XML)
    return name


def _readUUID(node: Node, kids: dict[str, list[Node]], context: Context) -> bytes | None:
    found = kids.get("uuid")
    value = xmlText(found[0]) if found else ""
    if not value:
        return None
    uuid = parseUUID(value)
    if uuid is None:
        raise virtError(ErrorCode.INTERNAL_ERROR, "malformed uuid element", _DOMAIN)
    return uuid


@definition
class NetworkDefinition:
    """
    A network.

    @ivar uuid: 16 bytes, or None before one is made up.
    @ivar options: what the name server is told besides, in its own words.
    """

    xmlReadOrder: ClassVar[str] = (
        "name uuid domain bridge mac bandwidth vlan mtu dns virtualport portgroups ips routes forward"
    )

    ipv6: bool | None = attribute(
        Kind(lambda value, node, name: _ipv6(value, node), lambda value: "yes")
    )
    trustGuestRxFilters: bool | None = attribute(BOOLEAN)
    name: str = special(
        tags="name",
        read=_readName,
        write=lambda value, out, indent, context: out.append(
            f"{indent}<name>{escape(value)}</name>\n"
        ),
    )
    uuid: bytes | None = special(
        tags="uuid",
        read=_readUUID,
        write=lambda value, out, indent, context: out.append(
            f"{indent}<uuid>{formatUUID(value)}</uuid>\n"
        ),
    )
    metadata: str | None = special(
        tags="metadata",
        read=lambda node, kids, context: (
            metadataText(kids["metadata"][0]) if "metadata" in kids else None
        ),
        write=lambda value, out, indent, context: out.append(f"{indent}{value}\n"),
    )
    forward: Forward | None = element(Forward)
    bridge: Bridge | None = element(Bridge)
    mtu: int | None = elementAttribute(
        "mtu",
        "size",
        Kind(lambda value, node, name: _mtu(value, node)),
    )
    mac: str | None = elementAttribute(
        "mac", "address", Kind(lambda value, node, name: _bridgeMAC(value, node))
    )
    domain: DNSDomain | None = element(DNSDomain)
    dns: DNS | None = element(DNS)
    vlan: Vlan | None = element(Vlan)
    bandwidth: Bandwidth | None = element(Bandwidth)
    portIsolated: bool | None = elementAttribute("port", "isolated", BOOLEAN)
    ips: tuple[IP, ...] = elements(IP, "ip")
    routes: tuple[NetworkRoute, ...] = elements(NetworkRoute, "route")
    virtualport: VirtualPort | None = element(VirtualPort)
    portgroups: tuple[PortGroup, ...] = elements(PortGroup, "portgroup")
    options: tuple[str, ...] = special(
        read=lambda node, kids, context: _readOptions(node),
        write=lambda value, out, indent, context: _writeOptions(value, out, indent),
        default=(),
    )

    def settle(self, node: Node, context: Context) -> NetworkDefinition:
        """Check what belongs together, and say what is implied."""
        mode = self.forward.mode if self.forward is not None else "none"
        where = self.name
        _checkGateways(self.routes, self.ips, where)
        if mode in ("nat", "route", "open") and not self.ips:
            raise bad(
                f"{mode} forwarding requested, but no IP address provided for network '{where}'"
            )
        bridge, forward = self.bridge, self.forward
        hosted = mode in ("none", "nat", "route", "open")
        if not hosted:
            if bridge is not None and mode != "bridge":
                for name in ("name", "zone"):
                    if getattr(bridge, name) is not None:
                        raise bad(f"bridge {name} not allowed in {mode} mode (network '{where}')")
            if bridge is not None and (bridge.delay or bridge.stp is not None or bridge.zone):
                raise bad(
                    "bridge delay/stp/zone options only allowed in route, nat, and isolated mode, "
                    f"not in {mode} (network '{where}')"
                )
            devices = forward is not None and (
                forward.pf or forward.interfaces or forward.addresses
            )
            if bridge is not None and bridge.name and devices:
                raise bad(
                    f"A network with forward mode='{mode}' can specify a bridge name or a forward "
                    f"dev, but not both (network '{where}')"
                )
            if self.mtu is not None:
                raise bad(
                    "mtu size only allowed in open, route, nat, and isolated mode, not in "
                    f"{mode} (network '{where}')"
                )
        if mode == "open" and forward is not None and forward.dev is not None:
            raise bad(f"forward dev not allowed for network '{where}' with forward mode='open'")
        if (
            mode in ("nat", "route", "open")
            and len(self.forward.interfaces if self.forward else ()) > 1
        ):
            raise bad(
                f"multiple forwarding interfaces specified for network '{where}', only one is "
                "supported"
            )
        if hosted:
            bridge = bridge or Bridge()
            bridge = replaced(bridge, stp=bridge.stp or "on", delay=bridge.delay or 0)
        elif bridge is not None:
            bridge = replaced(bridge, stp=None, delay=None, zone=None)
        if forward is not None and mode == "none":
            forward = None
        return replaced(self, bridge=bridge, forward=forward)


def _mtu(value: str, node: Node) -> int | None:
    found = number(value or "0")
    if found is None:
        raise bad(f"Invalid mtu size '{value}' in network '{nameOf(node)}'")
    return found or None


def _checkGateways(routes: tuple[NetworkRoute, ...], ips: tuple[IP, ...], where: str) -> None:
    """Complain of a route whose gateway is in none of the network's own addresses."""
    for route in routes:
        gateway = addressOf(route.gateway or "")
        for ip in ips:
            if ip.address is None or addressOf(ip.address).version != gateway.version:
                continue
            prefix = prefixLength(ip.address, ip.netmask, ip.prefix)
            if prefix is not None and gateway in ipaddress.ip_network(
                f"{ip.address}/{prefix}", strict=False
            ):
                break
        else:
            raise refused(
                f"unreachable static route gateway '{route.gateway}' specified for network "
                f"'{where}'"
            )


def _ipv6(value: str, node: Node) -> bool | None:
    if value not in ("yes", "no"):
        raise bad(f"Invalid ipv6 setting '{value}' in network '{nameOf(node)}'")
    return value == "yes" or None


def _bridgeMAC(value: str, node: Node) -> str | None:
    if not value:
        return None
    mac = parseMAC(value)
    if mac is None:
        raise bad(f"Invalid bridge mac address '{value}' in network '{nameOf(node)}'")
    if int(mac[:2], 16) & 1:
        raise bad(f"Invalid multicast bridge mac address '{value}' in network '{nameOf(node)}'")
    return mac


def parseNetwork(xml: str) -> NetworkDefinition:
    """
    Parse a definition.

    @raise VirtError: as libvirt says it.
    """
    node = parseDocument("network", xml)
    found: NetworkDefinition = reader(NetworkDefinition)(node, Context())
    return found


def completed(
    definition: NetworkDefinition, *, random: Callable[[int], bytes]
) -> NetworkDefinition:
    """
    Make up what identifies the network where the definition does not say.

    @param random: C{(count)} to that many random bytes.
    """
    if definition.uuid is not None:
        return definition
    return replaced(definition, uuid=randomUUID(random))


def formatNetwork(
    definition: NetworkDefinition,
    *,
    connections: int = 0,
    uses: Mapping[str, int] | None = None,
) -> str:
    """
    Write a definition in libvirt's canonical form.

    @param connections: how many guests are plugged in; 0 is not written.
    @param uses: how many guests share each interface of the host.
    """
    out: list[str] = []
    forward = definition.forward
    if uses and forward is not None:
        interfaces = tuple(
            replaced(each, connections=count)
            if (count := uses.get(each.dev or "", 0)) > 0
            else each
            for each in forward.interfaces
        )
        definition = replaced(definition, forward=replaced(forward, interfaces=interfaces))
    writer(NetworkDefinition)(definition, out, "", "network", Context())
    if connections > 0:
        out[0] = out[0].replace("<network", f"<network connections='{connections}'", 1)
    if definition.options:
        named = f"<network xmlns:dnsmasq='{DNSMASQ_NAMESPACE}'"
        out[0] = out[0].replace("<network", named, 1)
    return "".join(out)
