"""
Interfaces of the host: XML to frozen values and back.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.kinds import (
    FILLED,
    UINT_NZ,
    Kind,
    choice,
    custom,
    integer,
    number,
    xmlError,
)
from pyvirt.definitions.reader import Node, parseDocument
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    present,
    reader,
    replaced,
    writer,
)
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError

__all__ = ["InterfaceDefinition", "formatInterface", "parseInterface"]

_DOMAIN = ErrorDomain.INTERFACE


def bad(detail: str) -> VirtError:
    """Make the error of an interface that says something impossible."""
    return xmlError(detail, _DOMAIN)


def complaint(message: str) -> Any:
    """Make the complaint about a bad word."""
    return custom(message, ErrorCode.XML_ERROR, _DOMAIN)


@definition
class DHCP:
    """The address comes from a server."""

    peerdns: str | None = attribute(choice("yes no"))


@definition
class IP:
    """An address."""

    address: str | None = attribute()
    prefix: int | None = attribute(integer(signed=True, keepZero=False))


@definition
class Protocol:
    """Addresses of one family."""

    xmlOpen: ClassVar[bool] = True

    family: str = attribute(
        choice("ipv4 ipv6", error=complaint("unsupported protocol family '{text}'")),
        required=True,
        missing=lambda node: bad("protocol misses the family attribute"),
    )
    autoconf: bool = present()
    dhcp: DHCP | None = element(DHCP)
    ips: tuple[IP, ...] = elements(IP, "ip")
    gateway: str | None = elementAttribute("route", "gateway")

    def settle(self, node: Node, context: Context) -> Protocol:
        """Addresses without an address are none; only IPv6 configures itself."""
        return replaced(
            self,
            ips=tuple(ip for ip in self.ips if ip.address is not None),
            autoconf=self.autoconf and self.family == "ipv6",
        )


@definition
class MIIMon:
    """How a bond watches its links, in milliseconds."""

    freq: int | None = attribute(
        integer(error=complaint("bond interface miimon freq missing or invalid")),
        required=True,
        missing=lambda node: bad("bond interface miimon freq missing or invalid"),
    )
    downdelay: int | None = attribute(
        integer(keepZero=False, error=complaint("bond interface miimon downdelay invalid"))
    )
    updelay: int | None = attribute(
        integer(keepZero=False, error=complaint("bond interface miimon updelay invalid"))
    )
    carrier: str | None = attribute(
        choice("netif ioctl", error=complaint("unknown mii bonding carrier {text}"), empty=True)
    )


@definition
class ARPMon:
    """How a bond asks for its neighbours, in milliseconds."""

    interval: int | None = attribute(
        integer(error=complaint("bond interface arpmon interval missing or invalid")),
        required=True,
        missing=lambda node: bad("bond interface arpmon interval missing or invalid"),
    )
    target: str | None = attribute(
        required=True, missing=lambda node: bad("bond interface arpmon target missing")
    )
    validate: str | None = attribute(
        choice(
            "active backup all",
            error=complaint("unknown arp bonding validate {text}"),
            empty=True,
        )
    )


MODES = "balance-rr active-backup balance-xor broadcast 802.3ad balance-tlb balance-alb"


@definition
class Bond:
    """Interfaces that act as one."""

    xmlOpen: ClassVar[bool] = True

    mode: str | None = attribute(
        choice(MODES, error=complaint("unknown bonding mode {text}"), empty=True)
    )
    miimon: MIIMon | None = element(MIIMon)
    arpmon: ARPMon | None = element(ARPMon)
    interfaces: tuple[InterfaceDefinition, ...] = elements(lambda: InterfaceDefinition, "interface")


@definition
class Bridge:
    """A switch that interfaces are plugged into."""

    xmlOpen: ClassVar[bool] = True

    stp: str | None = attribute(
        Kind(lambda text, node, name: text if text in ("on", "off") else None)
    )
    delay: str | None = attribute()
    interfaces: tuple[InterfaceDefinition, ...] = elements(lambda: InterfaceDefinition, "interface")

    def settle(self, node: Node, context: Context) -> Bridge:
        """Behind a word that libvirt does not know it reads nothing more."""
        if node.get("stp") not in (None, "on", "off"):
            return Bridge()
        return self


@definition
class VLAN:
    """A tagged part of another interface."""

    tag: str | None = attribute(FILLED)
    device: str | None = elementAttribute("interface", "name")

    def settle(self, node: Node, context: Context) -> VLAN:
        """It has a tag, and the other interface has a name."""
        if self.tag is None:
            raise bad("vlan interface misses the tag attribute")
        if self.device is None:
            raise bad("vlan interface misses name attribute")
        return self


TYPES = "ethernet bridge bond vlan"


#: What an interface may be that is part of another.
_INNER = {"bridge": ("ethernet", "bond", "vlan"), "bond": ("ethernet",)}


def _readMTU(text: str, node: Node, name: str) -> int | None:
    """Read a size; of a bad one libvirt says nothing more."""
    if not text:
        return None
    value = number(text)
    if value is None:
        raise VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)
    return value or None


@definition
class Link:
    """How fast a link is, in Mbit/s, and whether it is up."""

    xmlOmitEmpty: ClassVar[bool] = True
    xmlReadOrder: ClassVar[str] = "state"

    speed: int | None = attribute(UINT_NZ)
    state: str | None = attribute(
        choice("unknown notpresent down lowerlayerdown testing dormant up")
    )


@definition
class InterfaceDefinition:
    """An interface of the host, or a part of one."""

    xmlOpen: ClassVar[bool] = True
    xmlReadOrder: ClassVar[str] = "type name start mtu protocols link"

    type: str | None = attribute(choice(TYPES), required=True)
    name: str | None = attribute(required=True, missing=lambda node: bad("interface has no name"))
    start: str | None = elementAttribute(
        "start",
        "mode",
        choice(
            "none onboot hotplug", error=complaint("unknown interface startmode {text}"), empty=True
        ),
    )
    mtu: int | None = elementAttribute("mtu", "size", Kind(_readMTU))
    protocols: tuple[Protocol, ...] = elements(Protocol, "protocol")
    link: Link | None = element(Link)
    mac: str | None = elementAttribute("mac", "address", FILLED)
    bridge: Bridge | None = element(Bridge)
    bond: Bond | None = element(Bond)
    vlan: VLAN | None = element(VLAN)

    def settle(self, node: Node, context: Context) -> InterfaceDefinition:
        """Each type has an element of its own."""
        kind = self.type or ""
        inner = node.getparent() is not None
        if inner and kind not in _INNER.get(node.getparent().tag, (kind,)):
            raise bad(f"interface has unsupported type '{kind}'")
        if kind in ("bridge", "bond", "vlan") and getattr(self, kind) is None:
            raise bad(f"{kind} interface misses the {kind} element")
        changes: dict[str, Any] = {
            name: None for name in ("bridge", "bond", "vlan") if name != kind
        }
        if inner:
            changes.update(start=None, mtu=None)
        if kind != "ethernet":
            changes["mac"] = None
        if kind == "bridge":
            changes["link"] = None
        return replaced(self, **changes)


def parseInterface(xml: str) -> InterfaceDefinition:
    """
    Parse a definition.

    @raise VirtError: as libvirt says it.
    """
    node = parseDocument("interface", xml)
    found: InterfaceDefinition = reader(InterfaceDefinition)(node, Context())
    return found


def formatInterface(definition: InterfaceDefinition) -> str:
    """Write a definition in libvirt's canonical form."""
    out: list[str] = []
    writer(InterfaceDefinition)(definition, out, "", "interface", Context())
    return "".join(out)
