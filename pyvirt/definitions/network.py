"""
Virtual networks: XML to frozen values and back.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, ClassVar

import attrs

from pyvirt.definitions.domain._address import PCIAddress
from pyvirt.definitions.kinds import (
    BOOLEAN,
    UINT_NZ,
    Kind,
    choice,
    custom,
    escape,
    integer,
    number,
    xmlError,
)
from pyvirt.definitions.metadata import metadataText
from pyvirt.definitions.netbits import (
    Bandwidth,
    Route,
    VirtualPort,
    Vlan,
    addressOf,
    canonical,
    checkRoute,
    familyOf,
    parseMAC,
)
from pyvirt.definitions.reader import Node, parseDocument, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    plainReader,
    reader,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.uuids import formatUUID, parseUUID
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["NetworkDefinition", "completed", "formatNetwork", "parseNetwork"]

_DOMAIN = ErrorDomain.NETWORK


def bad(detail: str) -> VirtError:
    """Make the error of a network that says something impossible."""
    return xmlError(detail, _DOMAIN)


def detail(message: str) -> VirtError:
    """Make an error that is only its text."""
    return virtError(ErrorCode.XML_DETAIL, message, _DOMAIN)


def refused(message: str) -> VirtError:
    """Make the error of a configuration that is not supported."""
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, message, _DOMAIN)


def nameOf(node: Node) -> str:
    """Return the name of the network that an element belongs to."""
    for child in node.getroottree().getroot():
        if child.tag == "name":
            return xmlText(child)
    return ""


@attrs.frozen(kw_only=True)
class AddressRange:
    """Addresses that guests are seen with."""

    start: str | None = attribute()
    end: str | None = attribute()


@attrs.frozen(kw_only=True)
class PortRange:
    """Ports that guests are seen with."""

    start: int | None = attribute(integer())
    end: int | None = attribute(integer())


@attrs.frozen(kw_only=True)
class NAT:
    """How addresses of guests are translated."""

    xmlOmitEmpty: ClassVar[bool] = True

    ipv6: bool | None = attribute(BOOLEAN)
    address: AddressRange | None = element(AddressRange)
    port: PortRange | None = element(PortRange)

    def settle(self, node: Node, context: Context) -> NAT:
        """Where nothing is said of ports, all above 1023 are used, and that is not written."""
        return self


@attrs.frozen(kw_only=True)
class ForwardInterface:
    """An interface of the host that traffic goes through."""

    dev: str | None = attribute(
        required=True,
        missing=lambda node: bad(
            "Missing required dev attribute in <forward> <interface> element of network "
            f"{nameOf(node)}"
        ),
    )


MODES = "none nat route open bridge private vepa passthrough hostdev"


@attrs.frozen(kw_only=True)
class Forward:
    """How the network is connected to the outside."""

    xmlOrder: ClassVar[str] = "dev mode managed driver nat pf interfaces addresses"

    mode: str | None = attribute(
        choice(
            MODES,
            error=custom("unknown forwarding type '{text}'", ErrorCode.CONFIG_UNSUPPORTED, _DOMAIN),
        ),
        default="nat",
    )
    dev: str | None = attribute()
    managed: bool | None = attribute(
        Kind(lambda value, node, name: True if value == "yes" else None, lambda value: "yes")
    )
    driver: str | None = elementAttribute(
        "driver", "name", choice("default kvm vfio", absent="default")
    )
    nat: NAT | None = element(NAT)
    pf: str | None = elementAttribute("pf", "dev", required=True)
    interfaces: tuple[ForwardInterface, ...] = elements(ForwardInterface, "interface")
    addresses: tuple[PCIAddress, ...] = special(
        tags="address",
        read=lambda node, kids, context: tuple(
            plainReader(PCIAddress)(child, context) for child in kids.get("address", ())
        ),
        write=lambda value, out, indent, context: _writeAddresses(value, out, indent, context),
        default=(),
    )

    def settle(self, node: Node, context: Context) -> Forward:
        """The device and the first interface are the same."""
        interfaces = self.interfaces
        dev = self.dev or (interfaces[0].dev if interfaces else None)
        if dev is not None and not interfaces:
            interfaces = (ForwardInterface(dev=dev),)
        return replaced(self, dev=dev, interfaces=interfaces)


def _writeAddresses(value: Any, out: list[str], indent: str, context: Context) -> None:
    for address in value:
        address.writeElement(address, out, indent, "address", context)


@attrs.frozen(kw_only=True)
class Bridge:
    """The bridge of the host that guests are plugged into."""

    xmlOmitEmpty: ClassVar[bool] = True

    name: str | None = attribute()
    zone: str | None = attribute()
    stp: str | None = attribute(Kind(lambda value, node, name: "off" if value == "off" else "on"))
    delay: int | None = attribute(Kind(lambda value, node, name: _delay(value, node)))
    macTableManager: str | None = attribute(
        choice(
            "default kernel libvirt",
            error=lambda value, node, name: bad(
                f"Invalid macTableManager setting '{value}' in network '{nameOf(node)}'"
            ),
            absent="default",
        )
    )


def _delay(value: str, node: Node) -> int:
    found = number(value, bits=64)
    if found is None:
        raise bad(f"Invalid delay value in network '{nameOf(node)}'")
    return found


@attrs.frozen(kw_only=True)
class DNSDomain:
    """The domain of the names of guests."""

    xmlOmitEmpty: ClassVar[bool] = True

    name: str | None = attribute()
    localOnly: bool | None = attribute(BOOLEAN)


@attrs.frozen(kw_only=True)
class Forwarder:
    """A server that questions are passed on to."""

    xmlOrder: ClassVar[str] = "domain addr"

    addr: str | None = attribute()
    domain: str | None = attribute()

    def settle(self, node: Node, context: Context) -> Forwarder:
        """One of the two is there."""
        if self.addr is None and self.domain is None:
            raise bad("Invalid forwarder element, must contain at least one of addr or domain")
        if self.addr is not None and familyOf(self.addr) is None:
            raise bad(f"Invalid forwarder IP address '{self.addr}' in network '{nameOf(node)}'")
        return self


@attrs.frozen(kw_only=True)
class TXT:
    """A text record."""

    name: str | None = attribute()
    value: str | None = attribute()

    def settle(self, node: Node, context: Context) -> TXT:
        """A record has a name without blanks, and a value."""
        where = nameOf(node)
        if self.name is None:
            raise detail(f"missing required name attribute in DNS TXT record of network {where}")
        if " " in self.name:
            raise detail(
                f"prohibited character in DNS TXT record name '{self.name}' of network {where}"
            )
        if self.value is None:
            raise detail(
                f"missing required value attribute in DNS TXT record named '{self.name}' of "
                f"network {where}"
            )
        return self


@attrs.frozen(kw_only=True)
class SRV:
    """A record of a service."""

    service: str | None = attribute()
    protocol: str | None = attribute()
    domain: str | None = attribute()
    target: str | None = attribute()
    port: int | None = attribute(UINT_NZ)
    priority: int | None = attribute(UINT_NZ)
    weight: int | None = attribute(UINT_NZ)

    def settle(self, node: Node, context: Context) -> SRV:
        """A service has a name and a protocol."""
        where = nameOf(node)
        if self.service is None:
            raise detail(
                f"missing required service attribute in DNS SRV record of network '{where}'"
            )
        if self.protocol is None:
            raise detail(
                f"missing required protocol attribute in DNS SRV record '{self.service}' of "
                f"network '{where}'"
            )
        return self


def _hostnames(node: Node, kids: dict[str, list[Node]], context: Context) -> tuple[str, ...]:
    names = tuple(xmlText(child) for child in kids.get("hostname", ()))
    return names


@attrs.frozen(kw_only=True)
class DNSHost:
    """Names of an address."""

    ip: str | None = attribute()
    hostnames: tuple[str, ...] = special(
        tags="hostname",
        read=_hostnames,
        write=lambda value, out, indent, context: out.extend(
            f"{indent}<hostname>{escape(name)}</hostname>\n" for name in value
        ),
        default=(),
    )

    def settle(self, node: Node, context: Context) -> DNSHost:
        """An address and a name are there."""
        where = nameOf(node)
        if self.ip is None:
            raise detail(f"Missing IP address in network '{where}' DNS HOST record")
        if familyOf(self.ip) is None:
            raise detail(f"Invalid IP address in network '{where}' DNS HOST record")
        if not self.hostnames:
            raise detail(f"Missing hostname in network '{where}' DNS HOST record")
        return self


@attrs.frozen(kw_only=True)
class DNS:
    """The name server of the network."""

    xmlOmitEmpty: ClassVar[bool] = True

    enable: bool | None = attribute(BOOLEAN)
    forwardPlainNames: bool | None = attribute(BOOLEAN)
    forwarders: tuple[Forwarder, ...] = elements(Forwarder, "forwarder")
    txts: tuple[TXT, ...] = elements(TXT, "txt")
    srvs: tuple[SRV, ...] = elements(SRV, "srv")
    hosts: tuple[DNSHost, ...] = elements(DNSHost, "host")

    def settle(self, node: Node, context: Context) -> DNS:
        """A server that is off has nothing to serve."""
        if self.enable is False and (self.forwarders or self.txts or self.srvs or self.hosts):
            raise bad(f"Extra data in disabled network '{nameOf(node)}'")
        return self


@attrs.frozen(kw_only=True)
class Lease:
    """For how long an address is given."""

    expiry: int | None = attribute(integer(bits=64))
    unit: str | None = attribute(choice("seconds minutes hours"))

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the time; where it has no end there is no unit."""
        if value.expiry == 0:
            out.append(f"{indent}<{tag} expiry='0'/>\n")
        elif value.expiry is not None:
            out.append(
                f"{indent}<{tag} expiry='{value.expiry}' unit='{value.unit or 'minutes'}'/>\n"
            )


@attrs.frozen(kw_only=True)
class DHCPRange:
    """Addresses that are given to guests."""

    start: str | None = attribute()
    end: str | None = attribute()
    lease: Lease | None = element(Lease)

    def settle(self, node: Node, context: Context) -> DHCPRange:
        """Both ends are there, in order, and inside of the network."""
        where = nameOf(node)
        for name in ("start", "end"):
            value = getattr(self, name)
            if value is None:
                raise bad(f"Missing '{name}' attribute in dhcp range for network '{where}'")
            if familyOf(value) is None:
                raise bad(f"Invalid dhcp range {name} address '{value}' in network '{where}'")
        parent = node.getparent().getparent()
        checkRange(str(self.start), str(self.end), parent)
        return self


def prefixOf(ip: Node) -> int | None:
    """Return the length of the network part that an C{ip} element gives, or None."""
    netmask, prefix = ip.get("netmask"), ip.get("prefix")
    if prefix is not None:
        return number(prefix)
    if netmask is not None and familyOf(netmask) is not None:
        return bin(int(addressOf(netmask))).count("1")
    address = ip.get("address") or ""
    if familyOf(address) == "ipv6":
        return 64
    first = int(address.split(".")[0] or 0)
    return 8 if first < 128 else 16 if first < 192 else 24 if first < 224 else None


def checkRange(start: str, end: str, ip: Node) -> None:
    """Complain of a range that is not one of this network."""

    def wrong(problem: str) -> VirtError:
        return virtError(
            ErrorCode.INTERNAL_ERROR, f"range {start} - {end} {problem}", ErrorDomain.NONE
        )

    low, high = addressOf(start), addressOf(end)
    if low.version != high.version:
        raise (
            wrong("has mismatched address families")
            if False
            else virtError(
                ErrorCode.INTERNAL_ERROR,
                f"mismatch of address family in range {start} - {end}",
                ErrorDomain.NONE,
            )
        )
    address = ip.get("address")
    if address is not None and familyOf(address) is not None:
        if addressOf(address).version != low.version:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                f"mismatch of address family in range {start} - {end} for network {address}",
                ErrorDomain.NONE,
            )
        prefix = prefixOf(ip)
        if prefix is not None:
            network = ipaddress.ip_network(f"{canonical(address)}/{prefix}", strict=False)
            if low.version == network.version and (low not in network or high not in network):
                raise wrong(f"is not entirely within network {address}/{prefix}")
            if network.version == 4 and prefix < 31:
                if low == network.network_address:
                    raise virtError(
                        ErrorCode.INTERNAL_ERROR,
                        f"start of range {start} - {end} in network {address}/{prefix} is the "
                        "network address",
                        ErrorDomain.NONE,
                    )
                if high == network.broadcast_address:
                    raise virtError(
                        ErrorCode.INTERNAL_ERROR,
                        f"end of range {start} - {end} in network {address}/{prefix} is the "
                        "broadcast address",
                        ErrorDomain.NONE,
                    )
    if int(low) > int(high):
        raise wrong("is reversed ")


@attrs.frozen(kw_only=True)
class DHCPHost:
    """An address that is kept for one guest."""

    id: str | None = attribute()
    mac: str | None = attribute()
    name: str | None = attribute()
    ip: str | None = attribute()
    lease: Lease | None = element(Lease)

    def settle(self, node: Node, context: Context) -> DHCPHost:
        """The guest is known by something, and has an address."""
        where = nameOf(node)
        address = node.getparent().getparent().get("address") or ""
        six = familyOf(address) == "ipv6"
        if self.mac is not None:
            if six:
                raise bad(
                    f"Invalid to specify MAC address '{self.mac}' in network '{where}' IPv6 static "
                    "host definition"
                )
            mac = parseMAC(self.mac)
            if mac is None:
                raise bad(f"Cannot parse MAC address '{self.mac}' in network '{where}'")
            if int(mac[:2], 16) & 1:
                raise bad(
                    f"expected unicast mac address, found multicast '{self.mac}' in network "
                    f"'{where}'"
                )
        if self.name is not None and self.name and not self.name[0].isalpha():
            raise bad(f"Cannot use host name '{self.name}' in network '{where}'")
        if six:
            if self.id is None and self.name is None:
                raise bad(
                    f"Static host definition in IPv6 network '{where}' must have id or name "
                    "attribute"
                )
        elif self.mac is None and self.name is None:
            raise bad(
                f"Static host definition in IPv4 network '{where}' must have mac or name attribute"
            )
        if self.ip is None:
            raise bad(f"Missing IP address in static host definition for network '{where}'")
        if familyOf(self.ip) is None:
            raise bad(f"Invalid IP address in static host definition for network '{where}'")
        return self


@attrs.frozen(kw_only=True)
class Bootp:
    """What guests boot from the network."""

    file: str | None = attribute()
    server: str | None = attribute()


@attrs.frozen(kw_only=True)
class DHCP:
    """Who gives addresses to guests."""

    xmlOmitEmpty: ClassVar[bool] = True

    ranges: tuple[DHCPRange, ...] = elements(DHCPRange, "range")
    hosts: tuple[DHCPHost, ...] = elements(DHCPHost, "host")
    bootp: Bootp | None = element(Bootp)


@attrs.frozen(kw_only=True)
class IP:
    """An address of the host in the network."""

    xmlOpen: ClassVar[bool] = True

    family: str | None = attribute()
    address: str | None = attribute()
    netmask: str | None = attribute()
    prefix: int | None = attribute(integer(keepZero=False))
    localPtr: bool | None = attribute(BOOLEAN)
    tftp: str | None = elementAttribute("tftp", "root")
    dhcp: DHCP | None = element(DHCP)

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Check the address before what depends on it."""
        where = nameOf(node)
        prefix = node.get("prefix")
        if prefix is not None:
            integer().read(prefix, node, "prefix")
        address, netmask, family = node.get("address"), node.get("netmask"), node.get("family")
        if address is None:
            raise bad(f"Missing required address attribute in network '{where}'")
        kind = familyOf(address)
        if kind is None:
            raise bad(f"Invalid address '{address}' in network '{where}'")
        if netmask is not None and familyOf(netmask) is None:
            raise bad(f"Invalid netmask '{netmask}' in network '{where}'")
        if family is None or family == "ipv4":
            if kind != "ipv4":
                raise refused(
                    f"{family or 'no'} family specified for non-IPv4 address '{address}' in "
                    f"network '{where}'"
                )
            if netmask is not None:
                if familyOf(netmask) != "ipv4":
                    raise refused(
                        f"Invalid netmask '{netmask}' for address '{address}' in network "
                        f"'{where}' (both must be IPv4)"
                    )
                if prefix is not None and prefix.strip("0"):
                    raise refused(
                        f"Network '{where}' IP address cannot have both a prefix and a netmask"
                    )
            elif prefix is not None and (number(prefix) or 0) > 32:
                raise refused(f"Invalid IPv4 prefix '{number(prefix)}' in network '{where}'")
        elif family == "ipv6":
            if kind != "ipv6":
                raise refused(
                    f"Family 'ipv6' specified for non-IPv6 address '{address}' in network '{where}'"
                )
            if netmask is not None:
                raise refused(
                    f"netmask not allowed for IPv6 address '{address}' in network '{where}'"
                )
            if prefix is not None and (number(prefix) or 0) > 128:
                raise refused(f"Invalid IPv6 prefix '{number(prefix)}' in network '{where}'")
        else:
            raise bad(f"Unrecognized family '{family}' in network '{where}'")


@attrs.frozen(kw_only=True)
class PortGroup:
    """Settings that interfaces of guests name together."""

    xmlOpen: ClassVar[bool] = True

    name: str | None = attribute(
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


@attrs.frozen(kw_only=True)
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


@attrs.frozen(kw_only=True)
class NetworkDefinition:
    """
    A network.

    @ivar uuid: 16 bytes, or None before one is made up.
    """

    xmlReadOrder: ClassVar[str] = (
        "name uuid domain bridge mac bandwidth vlan dns virtualport portgroups ips routes forward"
    )

    ipv6: bool | None = attribute(
        Kind(lambda value, node, name: True if value == "yes" else None, lambda value: "yes")
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
        integer(
            keepZero=False,
            error=lambda value, node, name: bad(
                f"Invalid mtu size '{value}' in network '{nameOf(node)}'"
            ),
        ),
    )
    mac: str | None = elementAttribute(
        "mac", "address", Kind(lambda value, node, name: _bridgeMAC(value, node))
    )
    domain: DNSDomain | None = element(DNSDomain)
    dns: DNS | None = element(DNS)
    vlan: Vlan | None = element(Vlan)
    portIsolated: bool | None = elementAttribute("port", "isolated", BOOLEAN)
    bandwidth: Bandwidth | None = element(Bandwidth)
    ips: tuple[IP, ...] = elements(IP, "ip")
    routes: tuple[NetworkRoute, ...] = elements(NetworkRoute, "route")
    virtualport: VirtualPort | None = element(VirtualPort)
    portgroups: tuple[PortGroup, ...] = elements(PortGroup, "portgroup")

    def settle(self, node: Node, context: Context) -> NetworkDefinition:
        """Check what belongs together, and say what is implied."""
        mode = self.forward.mode if self.forward is not None else "none"
        where = self.name
        if mode in ("nat", "route", "open") and not self.ips:
            raise bad(
                f"{mode} forwarding requested, but no IP address provided for network '{where}'"
            )
        if (
            mode in ("nat", "route", "open")
            and len(self.forward.interfaces if self.forward else ()) > 1
        ):
            raise bad(
                f"multiple forwarding interfaces specified for network '{where}', only one is "
                "supported"
            )
        bridge = self.bridge
        if mode in ("none", "nat", "route", "open"):
            bridge = bridge or Bridge()
            bridge = replaced(bridge, stp=bridge.stp or "on", delay=bridge.delay or 0)
        elif bridge is not None:
            bridge = replaced(bridge, stp=None, delay=None, zone=None)
        forward = self.forward
        if forward is not None and mode == "none":
            forward = None
        return replaced(self, bridge=bridge, forward=forward)


def _bridgeMAC(value: str, node: Node) -> str:
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
    value = bytearray(random(16))
    value[6] = value[6] & 0x0F | 0x40
    value[8] = value[8] & 0x3F | 0x80
    return replaced(definition, uuid=bytes(value))


def formatNetwork(definition: NetworkDefinition, *, connections: int = 0) -> str:
    """
    Write a definition in libvirt's canonical form.

    @param connections: how many guests are plugged in; 0 is not written.
    """
    out: list[str] = []
    writer(NetworkDefinition)(definition, out, "", "network", Context())
    if connections > 0:
        out[0] = out[0].replace("<network", f"<network connections='{connections}'", 1)
    return "".join(out)
