"""
Addresses of the host in a network, and how those of guests are given.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, ClassVar

from pyvirt.definitions.kinds import (
    BOOLEAN,
    FILLED,
    Kind,
    choice,
    integer,
    number,
)
from pyvirt.definitions.netbits import (
    addressOf,
    canonical,
    familyOf,
    parseMAC,
)
from pyvirt.definitions.neterrors import bad, nameOf, refused, unknownAddress
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    replaced,
)
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["DHCP", "IP", "Bootp", "DHCPHost", "DHCPRange", "prefixLength"]


@definition
class Lease:
    """For how long an address is given."""

    expiry: int | None = attribute(integer(bits=64))
    unit: str | None = attribute(choice("seconds minutes hours"))

    def settle(self, node: Node, context: Context) -> Lease:
        """An address is given for two minutes at least, or for ever."""
        seconds = {"seconds": 1, "hours": 3600}.get(self.unit or "", 60)
        if self.expiry and self.expiry * seconds < 120:
            raise refused("The minimum lease time should be greater than 2 minutes")
        return self

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the time; where it has no end there is no unit."""
        if value.expiry == 0:
            out.append(f"{indent}<{tag} expiry='0'/>\n")
        elif value.expiry is not None:
            out.append(
                f"{indent}<{tag} expiry='{value.expiry}' unit='{value.unit or 'minutes'}'/>\n"
            )


@definition
class DHCPRange:
    """Addresses that are given to guests."""

    start: str | None = attribute()
    end: str | None = attribute()
    lease: Lease | None = element(Lease)

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Both ends are there, in order, and inside of the network: looked at before for how long."""
        where = nameOf(node)
        ends = []
        for name in ("start", "end"):
            value = node.get(name)
            if value is None:
                raise bad(f"Missing '{name}' attribute in dhcp range for network '{where}'")
            if familyOf(value) is None:
                raise unknownAddress(value)
            ends.append(canonical(value))
        checkRange(ends[0], ends[1], node.getparent().getparent())

    def settle(self, node: Node, context: Context) -> DHCPRange:
        """Write the ends as the system does."""
        return replaced(self, start=canonical(str(self.start)), end=canonical(str(self.end)))


def prefixOf(ip: Node) -> int | None:
    """Return the length of the network part that an C{ip} element gives, or None."""
    prefix = ip.get("prefix")
    return prefixLength(
        ip.get("address") or "", ip.get("netmask"), None if prefix is None else number(prefix)
    )


def prefixLength(address: str, netmask: str | None, prefix: int | None) -> int | None:
    """Return the length of the network part of an address, or None."""
    if prefix is not None:
        return prefix
    if netmask and familyOf(netmask) is not None:
        bits = f"{int(addressOf(netmask)):032b}"
        return None if "01" in bits else bits.count("1")
    if familyOf(address) == "ipv6":
        return 64
    first = int(canonical(address).split(".")[0])
    return 8 if first < 128 else 16 if first < 192 else 24 if first < 224 else None


def checkRange(start: str, end: str, ip: Node) -> None:
    """Complain of a range that is not one of this network."""

    def wrong(problem: str) -> VirtError:
        return virtError(
            ErrorCode.INTERNAL_ERROR, f"range {start} - {end} {problem}", ErrorDomain.NONE
        )

    low, high = addressOf(start), addressOf(end)
    if low.version != high.version:
        raise virtError(
            ErrorCode.INTERNAL_ERROR,
            f"mismatch of address family in range {start} - {end}",
            ErrorDomain.NONE,
        )
    address = ip.get("address")
    if address and familyOf(address) is not None:
        address = canonical(address)
    if address is not None and familyOf(address) is not None:
        if addressOf(address).version != low.version:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                f"mismatch of address family in range {start} - {end} for network {address}",
                ErrorDomain.NONE,
            )
        prefix = prefixOf(ip)
        if prefix is None:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                f"bad prefix -1 for network {address} when  checking range {start} - {end}",
                ErrorDomain.NONE,
            )
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
    checkSpan(start, end)


def checkSpan(start: str, end: str) -> None:
    """
    Complain of a range that is not of 65536 addresses at most.

    @raise VirtError: INTERNAL_ERROR.
    """
    low, high = addressOf(start), addressOf(end)
    problem = None
    if int(low) >> 16 != int(high) >> 16:
        problem = "is too large (> 65535)"
    elif int(low) > int(high):
        problem = "is reversed " if low.version == 4 else "start larger than end"
    if problem is not None:
        raise virtError(
            ErrorCode.INTERNAL_ERROR, f"range {start} - {end} {problem}", ErrorDomain.NONE
        )


@definition
class DHCPHost:
    """An address that is kept for one guest."""

    mac: str | None = attribute()
    id: str | None = attribute()
    name: str | None = attribute()
    ip: str | None = attribute()
    lease: Lease | None = element(Lease)

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """The guest is known by something, and has an address: looked at before for how long."""
        where = nameOf(node)
        address = node.getparent().getparent().get("address") or ""
        six = familyOf(address) == "ipv6"
        own, key, name, ip = (node.get(each) for each in ("mac", "id", "name", "ip"))
        if own is not None:
            if six:
                raise bad(
                    f"Invalid to specify MAC address '{own}' in network '{where}' IPv6 static "
                    "host definition"
                )
            mac = parseMAC(own)
            if mac is None:
                raise bad(f"Cannot parse MAC address '{own}' in network '{where}'")
            if int(mac[:2], 16) & 1:
                raise bad(
                    f"expected unicast mac address, found multicast '{own}' in network '{where}'"
                )
        if name is not None and not _NAMED(name):
            raise bad(f"Cannot use host name '{name}' in network '{where}'")
        if key is not None and six:
            for char in key:
                if char not in "0123456789abcdefABCDEF:":
                    raise bad(f"Invalid character '{char}' in id '{key}' of network '{where}'")
        if six:
            if key is None and name is None:
                raise bad(
                    f"Static host definition in IPv6 network '{where}' must have id or name "
                    "attribute"
                )
        elif own is None and name is None:
            raise bad(
                f"Static host definition in IPv4 network '{where}' must have mac or name attribute"
            )
        if ip is None:
            raise bad(f"Missing IP address in static host definition for network '{where}'")
        if familyOf(ip) is None:
            raise bad(f"Invalid IP address in static host definition for network '{where}'")

    def settle(self, node: Node, context: Context) -> DHCPHost:
        """Write the address as the system does."""
        return replaced(self, ip=canonical(self.ip or ""))


_NAMED = re.compile("[A-Za-z0-9]").match


def _readServer(text: str, node: Node, name: str) -> str:
    if familyOf(text) is None:
        raise unknownAddress(text)
    return canonical(text)


@definition
class Bootp:
    """What guests boot from the network."""

    file: str | None = attribute()
    server: str | None = attribute(Kind(_readServer))


@definition
class DHCP:
    """Who gives addresses to guests."""

    xmlOmitEmpty: ClassVar[bool] = True

    ranges: tuple[DHCPRange, ...] = elements(DHCPRange, "range")
    hosts: tuple[DHCPHost, ...] = elements(DHCPHost, "host")
    bootp: Bootp | None = element(Bootp)

    def settle(self, node: Node, context: Context) -> DHCP:
        """Only who is given an address can boot, and that by IPv4."""
        if not self.ranges and not self.hosts:
            return DHCP()
        if self.bootp is not None and node.getparent().get("family") == "ipv6":
            return replaced(self, bootp=None)
        return self


_ADDRESS = Kind(lambda text, node, name: canonical(text) if text else None)


@definition
class IP:
    """An address of the host in the network."""

    xmlOpen: ClassVar[bool] = True

    family: str | None = attribute(FILLED)
    address: str | None = attribute(_ADDRESS)
    netmask: str | None = attribute(_ADDRESS)
    prefix: int | None = attribute(integer(keepZero=False))
    localPtr: bool | None = attribute(BOOLEAN)
    tftp: str | None = elementAttribute("tftp", "root", FILLED)
    dhcp: DHCP | None = element(DHCP)

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Check the address before what depends on it."""
        where = nameOf(node)
        prefix = node.get("prefix")
        address, netmask = node.get("address") or None, node.get("netmask") or None
        family = node.get("family") or None
        if address is None:
            raise bad(f"Missing required address attribute in network '{where}'")
        kind = familyOf(address)
        if kind is None:
            raise bad(f"Invalid address '{address}' in network '{where}'")
        if netmask is not None and familyOf(netmask) is None:
            raise bad(f"Invalid netmask '{netmask}' in network '{where}'")
        if prefix is not None:
            integer().read(prefix, node, "prefix")
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

    def settle(self, node: Node, context: Context) -> IP:
        """Files are for those who boot by IPv4."""
        if self.family == "ipv6" and any(child.tag == "tftp" for child in node):
            raise refused(
                f"Unsupported <tftp> element in an IPv6 element in network '{nameOf(node)}'"
            )
        return self
