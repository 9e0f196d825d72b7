"""
How a network is connected: to the outside, and to the host by a bridge.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.domain._address import PCIAddress
from pyvirt.definitions.kinds import (
    BOOLEAN,
    FILLED,
    UINT,
    YES,
    Kind,
    choice,
    custom,
    number,
)
from pyvirt.definitions.netbits import (
    canonical,
    familyOf,
)
from pyvirt.definitions.neterrors import bad, detail, nameOf, refused
from pyvirt.definitions.netips import checkSpan
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    plainReader,
    replaced,
    special,
)
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain

__all__ = ["Bridge", "Forward", "ForwardInterface"]


@definition
class AddressRange:
    """Addresses that guests are seen with."""

    start: str | None = attribute()
    end: str | None = attribute()

    def settle(self, node: Node, context: Context) -> AddressRange:
        """Both ends are there."""
        where = nameOf(node)
        ends = {"start": self.start, "end": self.end}
        found: dict[str, Any] = {}
        for name, value in ends.items():
            if value is None:
                raise bad(
                    f"missing '{name}' attribute in <address> element in <nat> in <forward> in "
                    f"network {where}"
                )
        for name, value in ends.items():
            if value is None or familyOf(value) != "ipv4":
                raise bad(
                    f"Bad ipv4 {name} address '{value}' in <nat> in <forward> in network '{where}'"
                )
            found[name] = canonical(value)
        checkSpan(found["start"], found["end"])
        return replaced(self, **found)


@definition
class PortRange:
    """Ports that guests are seen with."""

    start: int = attribute(UINT)
    end: int = attribute(UINT)

    @classmethod
    def readElement(cls, node: Node, context: Context) -> PortRange:
        """Read both ends, which must be there."""
        found: dict[str, int] = {}
        for name in ("start", "end"):
            value = number(node.get(name) or "")
            if value is None or value > 65535 or value < found.get("start", 0):
                raise detail(
                    f"Missing or invalid '{name}' attribute in <port> in <nat> in <forward> in "
                    f"network {nameOf(node)}"
                )
            found[name] = value
        return cls(**found)


@definition
class NAT:
    """How addresses of guests are translated."""

    xmlOmitEmpty: ClassVar[bool] = True

    ipv6: bool | None = attribute(BOOLEAN)
    address: AddressRange | None = element(AddressRange)
    port: PortRange | None = element(PortRange)

    def settle(self, node: Node, context: Context) -> NAT:
        """Each element inside is there once."""
        for tag in ("address", "port"):
            if sum(child.tag == tag for child in node) > 1:
                raise bad(
                    f"Only one <{tag}> element is allowed in <nat> in <forward> in network "
                    f"{nameOf(node)}"
                )
        return self


@definition
class ForwardInterface:
    """
    An interface of the host that traffic goes through.

    @ivar connections: how many guests of an active network share it, None: none, or nobody counts; never read.
    """

    dev: str | None = attribute(
        required=True,
        missing=lambda node: bad(
            "Missing required dev attribute in <forward> <interface> element of network "
            f"{nameOf(node)}"
        ),
    )
    connections: int | None = attribute(Kind(lambda text, node, name: None))


MODES = "none nat route open bridge private vepa passthrough hostdev"


@definition
class Forward:
    """How the network is connected to the outside."""

    xmlOrder: ClassVar[str] = "dev mode managed driver nat pf interfaces addresses"

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Only where addresses are translated there is something to say of that."""
        mode = node.get("mode") or "nat"
        if mode in MODES.split() and mode != "nat" and any(child.tag == "nat" for child in node):
            raise bad(
                "The <nat> element can only be used when <forward> 'mode' is 'nat' in network "
                f"{nameOf(node)}"
            )

    mode: str | None = attribute(
        choice(
            MODES,
            error=custom(
                "unknown forwarding type '{text}'",
                ErrorCode.CONFIG_UNSUPPORTED,
                ErrorDomain.NETWORK,
            ),
            empty=True,
        ),
        default="nat",
    )
    dev: str | None = attribute()
    managed: bool | None = attribute(YES)
    driver: str | None = elementAttribute(
        "driver",
        "name",
        choice(
            "kvm vfio",
            error=lambda value, node, name: refused(
                f"Unknown forward <driver name='{value}'/> in network {nameOf(node)}"
            ),
        ),
    )
    nat: NAT | None = element(NAT)
    pf: str | None = elementAttribute("pf", "dev")
    interfaces: tuple[ForwardInterface, ...] = elements(ForwardInterface, "interface")
    addresses: tuple[PCIAddress, ...] = special(
        tags="address",
        read=lambda node, kids, context: tuple(
            _readAddress(child, context) for child in kids.get("address", ())
        ),
        write=lambda value, out, indent, context: _writeAddresses(value, out, indent, context),
        default=(),
    )

    def settle(self, node: Node, context: Context) -> Forward:
        """The device and the first interface are the same; of devices one sort is kept."""
        where = nameOf(node)
        kids = [child.tag for child in node]
        if self.dev is not None and ("pf" in kids or "address" in kids):
            # What stands for the name of the network is libvirt's own.
            raise bad(
                "the <forward> 'dev' attribute cannot be used when <address> or <pf> sub-elements "
                "are present in network %s"
            )
        for tag in ("pf", "nat"):
            if kids.count(tag) > 1:
                raise bad(f"Only one <{tag}> element is allowed in <forward> of network {where}")
        if "pf" in kids and self.pf is None:
            raise bad(f"Missing required dev attribute in <pf> element of network '{where}'")
        mode = self.mode or "nat"
        names = [each.dev for each in self.interfaces]
        if self.dev is not None and names and names[0] != self.dev:
            raise bad(
                f"<forward dev='{self.dev}'> must match first <interface dev='{names[0]}'/> in "
                f"network {where}"
            )
        for position, name in enumerate(names):
            if name in names[:position]:
                raise bad(f"interface '{name}' can only be listed once in network {where}")
        for position, address in enumerate(self.addresses):
            if address in self.addresses[:position]:
                text = f"{address.domain:04x}:{address.bus:02x}:{address.slot:02x}"
                raise bad(
                    f"PCI device '{text}.{address.function or 0}' can only be listed once in "
                    f"network {where}"
                )
        interfaces = self.interfaces
        dev = self.dev or (interfaces[0].dev if interfaces else None)
        if dev is not None and not interfaces:
            interfaces = (ForwardInterface(dev=dev),)
        return replaced(
            self,
            mode=mode,
            dev=dev,
            interfaces=interfaces,
            managed=bool(self.managed) if mode == "hostdev" else None,
            addresses=() if interfaces else self.addresses,
            pf=None if interfaces or self.addresses else self.pf,
        )


def _readAddress(node: Node, context: Context) -> PCIAddress:
    """Read the address of a device of the host; all of its numbers are written."""
    kind = node.get("type")
    if kind is None:
        raise bad(f"missing address type in network {nameOf(node)}")
    if kind != "pci":
        raise refused(f"unknown address type '{kind}' in network {nameOf(node)}")
    found: PCIAddress = replaced(plainReader(PCIAddress)(node, context), multifunction=None)
    if found.domain is not None:
        return found
    function = number(node.get("function") or "0", 0) or 0
    return replaced(found, domain=0, bus=0, slot=0, function=function)


def _writeAddresses(value: Any, out: list[str], indent: str, context: Context) -> None:
    for address in value:
        address.writeElement(address, out, indent, "address", context)


@definition
class Bridge:
    """The bridge of the host that guests are plugged into."""

    xmlOmitEmpty: ClassVar[bool] = True

    name: str | None = attribute(FILLED)
    zone: str | None = attribute(FILLED)
    stp: str | None = attribute(Kind(lambda value, node, name: "off" if value == "off" else "on"))
    delay: int | None = attribute(Kind(lambda value, node, name: _delay(value, node)))
    macTableManager: str | None = attribute(
        choice(
            "kernel libvirt",
            error=lambda value, node, name: bad(
                f"Invalid macTableManager setting '{value}' in network '{nameOf(node)}'"
            ),
            empty=True,
        )
    )


def _delay(value: str, node: Node) -> int | None:
    if not value:
        return None
    found = number(value, bits=64)
    if found is None:
        raise bad(f"Invalid delay value in network '{nameOf(node)}'")
    return found
