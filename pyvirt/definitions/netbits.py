"""
What interfaces of guests, networks and their ports share: bandwidth, VLANs, virtual ports, MAC addresses.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from typing import Any, ClassVar

from pyvirt.definitions.kinds import (
    BOOLEAN,
    UINT,
    Kind,
    choice,
    custom,
    integer,
    number,
    xmlError,
)
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import Context, attribute, element, elements, plainWriter, replaced
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = [
    "PORT_PARAMETERS",
    "Bandwidth",
    "Limits",
    "PortParameters",
    "Tag",
    "VirtualPort",
    "Vlan",
    "parseMAC",
]

_MAC = re.compile(r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}\Z").match


def parseMAC(text: str) -> str | None:
    """Return a MAC address in its usual form, or None if the text is none."""
    if not _MAC(text):
        return None
    return ":".join(f"{int(part, 16):02x}" for part in text.split(":"))


def _rate(name: str) -> Kind:
    def read(text: str, node: Node, attr: str) -> int | None:
        value = number(text, bits=64)
        if value is None:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                f"could not convert bandwidth {attr} value '{text}'",
                ErrorDomain.NONE,
            )
        return value or None

    return Kind(read)


@definition
class Limits:
    """Bounds of one direction: KiB each second, and KiB at once for C{burst}."""

    xmlOmitEmpty: ClassVar[bool] = True

    average: int | None = attribute(_rate("average"))
    peak: int | None = attribute(_rate("peak"))
    floor: int | None = attribute(_rate("floor"))
    burst: int | None = attribute(_rate("burst"))

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Either an average or a floor is there; peaks and bursts need an average."""
        get = node.get
        if get("average") is None and get("floor") is None:
            raise virtError(
                ErrorCode.XML_DETAIL, "Missing mandatory average or floor attributes", 0
            )
        if get("average") is None and (get("peak") is not None or get("burst") is not None):
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED, "'peak' and 'burst' require 'average' attribute", 0
            )
        if node.tag == "outbound" and (get("floor") or "0").strip("0"):
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                "'floor' attribute allowed only in <inbound> element",
                0,
            )

    def settle(self, node: Node, context: Context) -> Limits:
        """A floor is for interfaces that are plugged into a network."""
        owner = node.getparent().getparent()
        plugged = owner is None or (owner.tag == "interface" and owner.get("type") == "network")
        if self.floor is not None and not plugged and owner.tag not in ("networkport", "defined"):
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED, "floor attribute is not supported for this config", 0
            )
        return self


def _readClass(text: str, node: Node, name: str) -> int | None:
    """Read a class, which only bandwidth of networks' ports has."""
    if node.getparent().tag in ("interface", "network", "portgroup", "defined"):
        raise virtError(
            ErrorCode.XML_DETAIL,
            "classID attribute not supported on <bandwidth> in this usage context",
            0,
        )
    value = number(text)
    if value is None:
        raise virtError(ErrorCode.CONFIG_UNSUPPORTED, f"Unable to parse class id '{text}'", 0)
    return value or None


_CLASS = Kind(_readClass)


@definition
class Bandwidth:
    """Quality of service."""

    classId: int | None = attribute(_CLASS, "classID")
    inbound: Limits | None = element(Limits)
    outbound: Limits | None = element(Limits)

    def settle(self, node: Node, context: Context) -> Bandwidth | None:
        """A class is only for networks; an element without limits says nothing."""
        for tag in ("inbound", "outbound"):
            if sum(child.tag == tag for child in node) > 1:
                raise virtError(
                    ErrorCode.XML_DETAIL,
                    f"Only one child <{tag}> element allowed",
                    ErrorDomain.NONE,
                )
        return None if self.inbound is None and self.outbound is None else self

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the element; it has two tags even where it is empty."""
        mark = len(out)
        # Peaks and bursts of nothing are nothing.
        for name in ("inbound", "outbound"):
            limits = getattr(value, name)
            if limits is not None and limits.average is None and limits.floor is None:
                value = replaced(value, **{name: Limits()})
        plainWriter(Bandwidth)(value, out, indent, tag, context)
        if out[mark].endswith("/>\n"):
            out[mark] = f"{indent}<{tag}>\n{indent}</{tag}>\n"


@definition
class Tag:
    """One VLAN."""

    id: int = attribute(UINT, required=True)
    nativeMode: str | None = attribute(choice("tagged untagged"))


@definition
class Vlan:
    """The VLANs of a port."""

    xmlReadOrder: ClassVar[str] = "tags"

    trunk: bool | None = attribute(Kind(lambda text, node, name: text, BOOLEAN.write))
    tags: tuple[Tag, ...] = elements(Tag, "tag")

    def settle(self, node: Node, context: Context) -> Vlan:
        """Several VLANs make a trunk."""
        if not self.tags:
            raise xmlError(
                "missing tag id - each <vlan> must have at least one <tag id='n'/> subelement", 0
            )
        for tag in self.tags:
            if tag.id > 4095:
                raise xmlError(f"vlan tag id {tag.id} too large (maximum 4095)", 0)
        modes = {tag.id: tag.nativeMode for tag in self.tags if tag.nativeMode is not None}
        if sum(tag.nativeMode is not None for tag in self.tags) > 1:
            raise xmlError("duplicate native vlan setting", 0)
        several = len(self.tags) > 1
        trunk = _isTrunk(str(self.trunk), several, bool(modes)) if self.trunk is not None else None
        # Which one is native is known by its number.
        tags = tuple(replaced(tag, nativeMode=modes.get(tag.id)) for tag in self.tags)
        return replaced(self, trunk=trunk or several or None, tags=tags)


def _isTrunk(text: str, several: bool, native: bool) -> bool:
    """Read whether there is a trunk; for several VLANs, and for a native one, there must be one."""
    if text.lower() == "yes":
        return True
    if several:
        raise xmlError(
            f"invalid \"trunk='{text}'\" in <vlan> - trunk='yes' is required for more than one "
            "vlan tag",
            0,
        )
    if native:
        raise xmlError(
            "invalid configuration in <vlan> - \"trunk='no'\" is not allowed with a native vlan id",
            0,
        )
    if text.lower() != "no":
        raise xmlError(f"invalid \"trunk='{text}'\" in <vlan> - must be yes or no", 0)
    return False


def _portNumber(name: str, most: int, phrase: str) -> Kind:
    def read(text: str, node: Node, attr: str) -> int:
        value = number(text, 0)
        if value is None:
            raise xmlError(f"cannot parse value of {name} parameter", 0)
        if value > most:
            raise xmlError(f"value {phrase} {name} out of range", 0)
        return value

    return Kind(read)


def _portUUID(name: str) -> Kind:
    def read(text: str, node: Node, attr: str) -> str:
        from pyvirt.definitions.uuids import formatUUID, parseUUID

        value = parseUUID(text)
        if value is None:
            raise xmlError(f"cannot parse {name} parameter as a uuid", 0)
        return formatUUID(value)

    return Kind(read)


@definition
class PortParameters:
    """The parameters of a virtual port; which of them count depends on its type."""

    xmlOmitEmpty: ClassVar[bool] = True

    managerid: int | None = attribute(_portNumber("managerid", 0xFF, "of"))
    typeid: int | None = attribute(_portNumber("typeid", 0xFFFFFF, "for"))
    typeidversion: int | None = attribute(_portNumber("typeidversion", 0xFF, "of"))
    instanceid: str | None = attribute(_portUUID("instanceid"))
    interfaceid: str | None = attribute(_portUUID("interfaceid"))
    profileid: str | None = attribute()


#: What each type of virtual port must have, and what it may have.
PORT_PARAMETERS = {
    "802.1Qbg": (("managerid", "typeid", "typeidversion"), ("instanceid",)),
    "802.1Qbh": (("profileid",), ()),
    "openvswitch": ((), ("interfaceid", "profileid")),
    "midonet": (("interfaceid",), ()),
}


_NAMES = ("managerid", "typeid", "typeidversion", "instanceid", "profileid", "interfaceid")


@definition
class VirtualPort:
    """A virtual port of a switch."""

    xmlOmitEmpty: ClassVar[bool] = True

    type: str | None = attribute(
        choice(
            "802.1Qbg 802.1Qbh openvswitch midonet",
            error=custom("unknown virtualport type {text}", ErrorCode.CONFIG_UNSUPPORTED, 0),
        )
    )
    parameters: PortParameters | None = element(PortParameters)

    def settle(self, node: Node, context: Context) -> VirtualPort | None:
        """The type says which parameters there are."""
        parent = node.getparent()
        network = parent.tag != "interface" or parent.get("type") == "network"
        if self.type is None:
            if parent.tag == "network" or (parent.tag == "interface" and not network):
                raise xmlError("missing required virtualport type", 0)
            if parent.tag not in ("interface", "networkport") and self.parameters in (
                None,
                PortParameters(),
            ):
                return None
            return self
        needed, allowed = PORT_PARAMETERS[self.type]
        parameters = self.parameters or PortParameters()
        given = {name: getattr(parameters, name) is not None for name in _NAMES}
        for name, there in given.items():
            if not there and name in needed and (not network or name == "interfaceid"):
                raise xmlError(f"missing {name} in <virtualport type='{self.type}'>", 11)
        for name, there in given.items():
            if there and name not in needed and name not in allowed:
                raise xmlError(f"extra {name} unsupported in <virtualport type='{self.type}'>", 11)
        return self


@definition
class IPAddress:
    """An address of an interface."""

    address: str | None = attribute()
    family: str | None = attribute()
    prefix: int | None = attribute(
        integer(keepZero=False, error=custom("Invalid prefix value '{text}' in <ip>"))
    )
    peer: str | None = attribute()

    def settle(self, node: Node, context: Context) -> IPAddress:
        """Check the address and say its family."""
        if self.address is None:
            raise xmlError("Missing required address in <ip>")
        family = familyOf(self.address)
        if family is None or (self.family in ("ipv4", "ipv6") and self.family != family):
            raise xmlError(f"Invalid address '{self.address}' in <ip>")
        if self.prefix is not None and self.prefix > (32 if family == "ipv4" else 128):
            raise xmlError(f"Invalid prefix value '{self.prefix}' in <ip>")
        peer = self.peer
        if peer is not None:
            if familyOf(peer) != family:
                raise virtError(
                    ErrorCode.INVALID_ARG, f"Invalid peer '{peer}' in <ip>", ErrorDomain.DOMAIN
                )
            peer = canonical(peer)
        return replaced(self, family=family, address=canonical(self.address), peer=peer)


def checkRoute(route: Route, where: str) -> Route:
    """Complain of a route that leads nowhere; C{where} begins the messages."""
    address, gateway = route.address or "", route.gateway or ""

    def bad(detail: str) -> Exception:
        return xmlError(f"{where}: {detail}", ErrorDomain.NETWORK)

    if familyOf(address) is None:
        raise bad(f"Bad network address '{address}' in route definition")
    if familyOf(gateway) is None:
        raise bad(f"Bad gateway address '{gateway}' in route definition")
    if route.netmask is not None and familyOf(route.netmask) is None:
        raise bad(f"Bad netmask address '{route.netmask}' in route definition")
    family = route.family
    if family is None:
        if familyOf(address) != "ipv4":
            raise bad(f"No family specified for non-IPv4 address '{address}' in route definition")
        if familyOf(gateway) != "ipv4":
            raise bad(f"No family specified for non-IPv4 gateway '{address}' in route definition")
        version = "ipv4"
    elif family in ("ipv4", "ipv6"):
        version = family
        label = "IPv4" if family == "ipv4" else "IPv6"
        if familyOf(address) != family:
            raise bad(
                f"{label if family == 'ipv4' else 'ipv6'} family specified for non-{label} address "
                f"'{address}' in route definition"
            )
        if family == "ipv6" and route.netmask is not None:
            raise bad(
                f"Specifying netmask invalid for IPv6 address '{address}' in route definition"
            )
        if familyOf(gateway) != family:
            if family == "ipv4":
                raise bad(
                    f"IPv4 family specified for non-IPv4 gateway '{address}' in route definition"
                )
            raise bad(
                f"ipv6 specified for non-IPv6 gateway address '{gateway}' in route definition"
            )
    else:
        raise bad(f"Unrecognized family '{family}' in route definition")
    _checkMask(route, version, bad)
    return route


def _checkMask(route: Route, version: str, bad: Callable[[str], Exception]) -> None:
    """Complain of a mask or prefix that cannot be, and of an address that has more than it covers."""
    address, netmask = route.address or "", route.netmask
    if netmask is not None:
        if version == "ipv4" and familyOf(netmask) != "ipv4":
            raise bad(f"Invalid netmask '{netmask}' for address '{address}' (both must be IPv4)")
        if route.prefix is not None:
            raise bad("Route definition cannot have both a prefix and a netmask")
    bits = 32 if version == "ipv4" else 128
    # Nothing said is a prefix of nothing, whatever the class of the address is.
    prefix = route.prefix or 0
    if prefix > bits:
        raise bad(f"Invalid prefix {prefix} specified in route definition, must be 0 - {bits}")
    mask = (1 << bits) - (1 << (bits - prefix)) if netmask is None else int(addressOf(netmask))
    if int(addressOf(address)) & ~mask:
        raise bad(f"Address '{address}' in route definition is not a network address")


def canonical(text: str) -> str:
    """Write an address as the system does."""
    if ":" in text:
        return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text))
    return socket.inet_ntoa(socket.inet_aton(text))


def familyOf(text: str) -> str | None:
    """Return C{ipv4}, C{ipv6}, or None for what is no address."""
    if _SHORT(text):
        # The system takes addresses of fewer numbers, and numbers of other bases.
        try:
            socket.inet_aton(text)
        except OSError:
            return None
        return "ipv4"
    try:
        return f"ipv{ipaddress.ip_address(text).version}" if "%" not in text else None
    except ValueError:
        return None


def addressOf(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the value of an address that L{familyOf} knows."""
    return ipaddress.ip_address(canonical(text))


_SHORT = re.compile(r"[0-9][0-9a-fA-FxX.]*\Z").match


@definition
class Route:
    """A route of an interface or a network."""

    family: str | None = attribute()
    address: str | None = attribute()
    netmask: str | None = attribute()
    prefix: int | None = attribute(UINT)
    gateway: str | None = attribute()
    metric: int | None = attribute(integer(zero=False))

    def settle(self, node: Node, context: Context) -> Route:
        """A route has a goal and a way."""
        parent = node.getparent()
        where = {"source": "interface host IP", "hostdev": "Domain hostdev device"}.get(
            parent.tag, "guest interface"
        )
        for name in ("address", "gateway"):
            if getattr(self, name) is None:
                raise xmlError(
                    f"{where}: Missing required {name} attribute in route definition",
                    ErrorDomain.NETWORK,
                )
        return checkRoute(self, where)
