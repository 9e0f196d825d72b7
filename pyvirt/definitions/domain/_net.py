"""
Network interfaces of the guest.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from pyvirt.definitions.domain._address import RomDevice
from pyvirt.definitions.domain._chardev import Reconnect
from pyvirt.definitions.domain._common import VirtioOptions
from pyvirt.definitions.kinds import (
    BOOLEAN,
    FILLED,
    SWITCH,
    UINT,
    UINT_NZ,
    Kind,
    choice,
    escape,
    integer,
    invalidAttribute,
    unsupported,
    xmlError,
)
from pyvirt.definitions.netbits import Bandwidth, VirtualPort, Vlan, parseMAC
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    present,
)

__all__ = ["Interface"]

TYPES = (
    "user ethernet vhostuser server client mcast network bridge internal direct hostdev udp vdpa "
    "null vds"
)


def _readMAC(text: str, node: Node, name: str) -> str:
    address = parseMAC(text)
    if address is None:
        raise xmlError(f"unable to parse mac address '{text}'")
    if int(address[:2], 16) & 1:
        raise xmlError(f"expected unicast mac address, found multicast '{text}'")
    return address


@attrs.frozen(kw_only=True)
class MAC:
    """The hardware address of an interface."""

    address: str | None = attribute(Kind(_readMAC))
    type: str | None = attribute(choice("generated static"))
    check: bool | None = attribute(BOOLEAN)


@attrs.frozen(kw_only=True)
class NetSource:
    """Where an interface is connected to; which attributes count depends on the interface's type."""

    type: str | None = attribute()
    network: str | None = attribute(FILLED)
    portgroup: str | None = attribute(FILLED)
    portid: str | None = attribute()
    bridge: str | None = attribute(FILLED)
    dev: str | None = attribute(FILLED)
    path: str | None = attribute()
    mode: str | None = attribute()
    address: str | None = attribute()
    port: int | None = attribute(UINT)
    name: str | None = attribute()
    switchid: str | None = attribute()
    portgroupid: str | None = attribute()
    connectionid: str | None = attribute()


@attrs.frozen(kw_only=True)
class NetTarget:
    """The host's end of an interface."""

    xmlOmitEmpty: ClassVar[bool] = True

    dev: str | None = attribute(FILLED)
    managed: bool | None = attribute(BOOLEAN)


@attrs.frozen(kw_only=True)
class Link:
    """Whether the cable is plugged in."""

    state: str | None = attribute(
        choice(
            "default up down",
            error=unsupported("unknown interface link state '{text}'"),
            absent="default",
        )
    )


@attrs.frozen(kw_only=True)
class Interface(RomDevice):
    """A network interface."""

    xmlOrder: ClassVar[str] = (
        "type trustGuestRxFilters mac source vlan virtualport bandwidth script downscript "
        "target model linkState mtu"
    )

    type: str | None = attribute(choice(TYPES), default="user")
    trustGuestRxFilters: bool | None = attribute(BOOLEAN)
    mac: MAC | None = element(MAC)
    source: NetSource | None = element(NetSource)
    virtualport: VirtualPort | None = element(VirtualPort)
    vlan: Vlan | None = element(Vlan)
    bandwidth: Bandwidth | None = element(Bandwidth)
    script: str | None = elementAttribute("script", "path", FILLED)
    downscript: str | None = elementAttribute("downscript", "path", FILLED)
    target: NetTarget | None = element(NetTarget)
    model: str | None = elementAttribute("model", "type", FILLED)
    linkState: Link | None = element(Link, "link")
    mtu: int | None = elementAttribute("mtu", "size", UINT_NZ)
