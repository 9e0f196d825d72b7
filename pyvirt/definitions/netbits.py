"""
What interfaces of guests, networks and their ports share: bandwidth, VLANs, virtual ports, MAC addresses.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, ClassVar

import attrs

from pyvirt.definitions.kinds import (
    BOOLEAN,
    UINT,
    UINT_NZ,
    Kind,
    choice,
    integer,
    number,
    xmlError,
)
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import Context, attribute, element, elements
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["Bandwidth", "Limits", "Tag", "VirtualPort", "Vlan", "parseMAC"]

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


@attrs.frozen(kw_only=True)
class Limits:
    """Bounds of one direction: KiB each second, and KiB at once for C{burst}."""

    average: int | None = attribute(_rate("average"))
    peak: int | None = attribute(_rate("peak"))
    floor: int | None = attribute(_rate("floor"))
    burst: int | None = attribute(_rate("burst"))

    def settle(self, node: Node, context: Context) -> Limits:
        """Either an average or a floor is there; peaks and bursts need an average."""
        get = node.get
        if node.tag == "outbound" and get("floor") is not None:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                "'floor' attribute allowed only in <inbound> element",
                ErrorDomain.NONE,
            )
        if get("average") is None and get("floor") is None:
            raise virtError(
                ErrorCode.XML_DETAIL, "Missing mandatory average or floor attributes", 0
            )
        if get("average") is None and (get("peak") is not None or get("burst") is not None):
            raise virtError(
                ErrorCode.XML_DETAIL,
                "'peak' and 'burst' require 'average' attribute",
                0,
            )
        return self


@attrs.frozen(kw_only=True)
class Bandwidth:
    """Quality of service."""

    xmlOmitEmpty: ClassVar[bool] = True

    classId: int | None = attribute(UINT_NZ, "classID")
    inbound: Limits | None = element(Limits)
    outbound: Limits | None = element(Limits)


@attrs.frozen(kw_only=True)
class Tag:
    """One VLAN."""

    id: int = attribute(integer(bits=64), required=True)
    nativeMode: str | None = attribute(choice("default tagged untagged", absent="default"))


@attrs.frozen(kw_only=True)
class Vlan:
    """The VLANs of a port."""

    trunk: bool | None = attribute(BOOLEAN)
    tags: tuple[Tag, ...] = elements(Tag, "tag")

    def settle(self, node: Node, context: Context) -> Vlan:
        """Several VLANs make a trunk."""
        if not self.tags:
            raise xmlError("missing tag id - each <vlan> must have at least one <tag id='n'/> subelement", 0)
        for tag in self.tags:
            if tag.id > 4095:
                raise xmlError(f"vlan tag id {tag.id} too large (maximum 4095)", 0)
        if len(self.tags) > 1 or any(tag.nativeMode for tag in self.tags):
            if self.trunk is False:
                raise xmlError(
                    "invalid \"trunk='no'\" in <vlan> - trunk='yes' is required for more than one "
                    "vlan tag",
                    0,
                )
            return attrs.evolve(self, trunk=True)
        return attrs.evolve(self, trunk=self.trunk or None)


@attrs.frozen(kw_only=True)
class PortParameters:
    """The parameters of a virtual port; which of them count depends on its type."""

    xmlOmitEmpty: ClassVar[bool] = True

    managerid: int | None = attribute(integer(base=0))
    typeid: int | None = attribute(integer(base=0))
    typeidversion: int | None = attribute(integer(base=0))
    instanceid: str | None = attribute()
    interfaceid: str | None = attribute()
    profileid: str | None = attribute()


@attrs.frozen(kw_only=True)
class VirtualPort:
    """A virtual port of a switch."""

    type: str | None = attribute(
        choice("none 802.1Qbg 802.1Qbh openvswitch midonet", absent="none")
    )
    parameters: PortParameters | None = element(PortParameters)


@attrs.frozen(kw_only=True)
class IPAddress:
    """An address of an interface."""

    address: str | None = attribute()
    family: str | None = attribute()
    prefix: int | None = attribute(UINT_NZ)
    peer: str | None = attribute()

    def settle(self, node: Node, context: Context) -> IPAddress:
        """Check the address and say its family."""
        if self.address is None:
            raise xmlError("Missing required address in <ip>")
        family = familyOf(self.address)
        if family is None or (self.family is not None and self.family != family):
            raise xmlError(f"Invalid address '{self.address}' in <ip>")
        if self.prefix is not None and self.prefix > (32 if family == "ipv4" else 128):
            raise xmlError(f"Invalid prefix value '{self.prefix}' in <ip>")
        if self.peer is not None and familyOf(self.peer) is None:
            raise xmlError(f"Invalid peer '{self.peer}' in <ip>")
        return attrs.evolve(self, family=family)


def familyOf(text: str) -> str | None:
    """Return C{ipv4}, C{ipv6}, or None for what is no address."""
    try:
        return f"ipv{ipaddress.ip_address(text).version}"
    except ValueError:
        return None


@attrs.frozen(kw_only=True)
class Route:
    """A route of an interface or a network."""

    family: str | None = attribute()
    address: str | None = attribute()
    netmask: str | None = attribute()
    prefix: int | None = attribute(UINT)
    gateway: str | None = attribute()
    metric: int | None = attribute(UINT_NZ)
