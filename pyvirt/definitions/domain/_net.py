"""
Network interfaces of the guest.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from pyvirt.definitions.domain._address import PCIAddress, RomDevice
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
    custom,
    escape,
    integer,
    invalidAttribute,
    unsupported,
    xmlError,
)
from pyvirt.definitions.netbits import Bandwidth, IPAddress, Route, VirtualPort, Vlan, parseMAC
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    present,
    special,
)

__all__ = ["MAC", "Interface", "NetTarget"]

TYPES = (
    "user ethernet vhostuser server client mcast network bridge internal direct hostdev udp vdpa "
    "null vds"
)
NEED_SOURCE = (
    "vhostuser server client mcast network bridge internal direct hostdev udp vdpa vds"
).split()


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
class Local:
    """The local end of a UDP tunnel."""

    address: str | None = attribute()
    port: int | None = attribute(UINT)


@attrs.frozen(kw_only=True)
class NetSource:
    """Where an interface is connected to; which attributes count depends on the interface's type."""

    xmlOmitEmpty: ClassVar[bool] = True

    type: str | None = attribute()
    path: str | None = attribute()
    network: str | None = attribute(FILLED)
    bridge: str | None = attribute(FILLED)
    dev: str | None = attribute(FILLED)
    name: str | None = attribute(FILLED)
    portgroup: str | None = attribute(FILLED)
    mode: str | None = attribute()
    address: str | None = attribute(FILLED)
    port: str | None = attribute()
    switchid: str | None = attribute()
    portid: str | None = attribute()
    portgroupid: str | None = attribute()
    connectionid: str | None = attribute()
    local: Local | None = element(Local)
    reconnect: Reconnect | None = element(Reconnect)
    pci: PCIAddress | None = special(
        tags="address",
        read=lambda node, kids, context: _readPCI(kids, context),
        write=lambda value, out, indent, context: value.writeElement(
            value, out, indent, "address", context
        ),
    )
    ips: tuple[IPAddress, ...] = elements(IPAddress, "ip")
    routes: tuple[Route, ...] = elements(Route, "route")


def _readPCI(kids: dict[str, list[Node]], context: Context) -> Any:
    from pyvirt.definitions.domain._address import Address

    found = kids.get("address")
    return Address.readElement(found[0], context) if found else None


#: What counts of a source, by the type of interface.
_COUNTS = {
    "user": ("dev",),
    "ethernet": ("ips", "routes"),
    "vhostuser": ("type", "path", "mode", "reconnect"),
    "server": ("address", "port"),
    "client": ("address", "port"),
    "mcast": ("address", "port"),
    "udp": ("address", "port", "local"),
    "network": ("network", "portgroup"),
    "bridge": ("bridge",),
    "internal": ("name",),
    "direct": ("dev", "mode"),
    "hostdev": ("pci",),
    "vdpa": ("dev",),
    "null": (),
    "vds": ("switchid", "portid", "portgroupid", "connectionid"),
}


@attrs.frozen(kw_only=True)
class NetTarget:
    """The host's end of an interface."""

    xmlOmitEmpty: ClassVar[bool] = True

    dev: str | None = attribute(FILLED)
    managed: bool | None = attribute(BOOLEAN)


@attrs.frozen(kw_only=True)
class GuestEnd:
    """The guest's end of an interface of a container."""

    xmlOmitEmpty: ClassVar[bool] = True

    dev: str | None = attribute(FILLED)
    actual: str | None = attribute(FILLED)


@attrs.frozen(kw_only=True)
class Offloads:
    """What the host or the guest leaves to the hardware."""

    xmlOmitEmpty: ClassVar[bool] = True

    csum: bool | None = attribute(SWITCH)
    gso: bool | None = attribute(SWITCH)
    tso4: bool | None = attribute(SWITCH)
    tso6: bool | None = attribute(SWITCH)
    ecn: bool | None = attribute(SWITCH)
    ufo: bool | None = attribute(SWITCH)
    mrg_rxbuf: bool | None = attribute(SWITCH)


@attrs.frozen(kw_only=True)
class NetDriver(VirtioOptions):
    """How the hypervisor handles an interface."""

    xmlOmitEmpty: ClassVar[bool] = True
    xmlOrder: ClassVar[str] = (
        "name txmode ioeventfd event_idx queues rx_queue_size tx_queue_size rss rss_hash_report"
    )

    name: str | None = attribute()
    txmode: str | None = attribute(choice("default iothread timer", absent="default"))
    ioeventfd: bool | None = attribute(SWITCH)
    event_idx: bool | None = attribute(SWITCH)
    queues: int | None = attribute(UINT_NZ)
    rx_queue_size: int | None = attribute(UINT_NZ)
    tx_queue_size: int | None = attribute(UINT_NZ)
    rss: bool | None = attribute(SWITCH)
    rss_hash_report: bool | None = attribute(SWITCH)
    host: Offloads | None = element(Offloads)
    guest: Offloads | None = element(Offloads)


@attrs.frozen(kw_only=True)
class NetBackend:
    """Who moves the packets."""

    xmlOmitEmpty: ClassVar[bool] = True
    xmlOrder: ClassVar[str] = "type tap vhost"

    type: str | None = attribute(
        choice(
            "default",
            error=lambda text, node, name: xmlError(
                f"Invalid value for attribute 'type' in element 'backend': '{text}'."
            ),
            absent="default",
        )
    )
    tap: str | None = attribute()
    vhost: str | None = attribute()



@attrs.frozen(kw_only=True)
class Parameter:
    """A parameter of a network filter."""

    name: str | None = attribute()
    value: str | None = attribute()


@attrs.frozen(kw_only=True)
class FilterRef:
    """The network filter of an interface."""

    filter: str | None = attribute()
    parameters: tuple[Parameter, ...] = elements(Parameter, "parameter")

    def settle(self, node: Node, context: Context) -> FilterRef:
        """Parameters are written by name."""
        return attrs.evolve(
            self, parameters=tuple(sorted(self.parameters, key=lambda p: (p.name or "")))
        )


@attrs.frozen(kw_only=True)
class Tune:
    """Sizes of buffers."""

    xmlOmitEmpty: ClassVar[bool] = True

    sndbuf: int | None = element(
        integer(bits=64, error=custom("sndbuf must be a positive integer"))
    )


@attrs.frozen(kw_only=True)
class Teaming:
    """Two interfaces that stand in for each other."""

    type: str | None = attribute(
        choice("persistent transient", error=unsupported("unknown teaming type '{text}'")),
        required=True,
    )
    persistent: str | None = attribute()


@attrs.frozen(kw_only=True)
class Coalesce:
    """How interrupts are put together."""

    frames: int | None = None

    @classmethod
    def readElement(cls, node: Node, context: Context) -> Coalesce | None:
        """Read the one number there is."""
        for rx in node:
            if rx.tag != "rx":
                continue
            for frames in rx:
                if frames.tag == "frames" and frames.get("max") is not None:
                    text = frames.get("max")
                    from pyvirt.definitions.kinds import number

                    value = number(text, bits=64)
                    if value is None:
                        raise xmlError(f"cannot parse value '{text}' for coalesce parameter")
                    if value > 0xFFFFFFFF:
                        raise xmlError(
                            f"value '{value}' is too big for coalesce parameter, maximum is "
                            "'4294967295'"
                        )
                    return cls(frames=value or None)
        return cls()

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write it back."""
        if value.frames is not None:
            out.append(
                f"{indent}<{tag}>\n{indent}  <rx>\n{indent}    <frames max='{value.frames}'/>\n"
                f"{indent}  </rx>\n{indent}</{tag}>\n"
            )


@attrs.frozen(kw_only=True)
class HostDriver:
    """Who passes a PCI device through."""

    xmlOmitEmpty: ClassVar[bool] = True

    name: str | None = attribute()


@attrs.frozen(kw_only=True)
class Interface(RomDevice):
    """A network interface."""

    xmlOrder: ClassVar[str] = (
        "type managed trustGuestRxFilters mac hostDriver source vlan virtualport bandwidth ips routes script "
        "downscript portIsolated backenddomain target guest model driver backend filterref "
        "tune linkState mtu coalesce teaming boot alias rom acpiIndex address"
    )

    type: str | None = attribute(choice(TYPES), default="user")
    managed: bool | None = attribute(BOOLEAN)
    trustGuestRxFilters: bool | None = attribute(BOOLEAN)
    mac: MAC | None = element(MAC)
    hostDriver: HostDriver | None = element(HostDriver, "driver")
    source: NetSource | None = element(NetSource)
    vlan: Vlan | None = element(Vlan)
    virtualport: VirtualPort | None = element(VirtualPort)
    bandwidth: Bandwidth | None = element(Bandwidth)
    ips: tuple[IPAddress, ...] = elements(IPAddress, "ip")
    routes: tuple[Route, ...] = elements(Route, "route")
    script: str | None = elementAttribute("script", "path", FILLED)
    downscript: str | None = elementAttribute("downscript", "path", FILLED)
    portIsolated: bool | None = elementAttribute("port", "isolated", BOOLEAN)
    backenddomain: str | None = elementAttribute("backenddomain", "name", FILLED)
    target: NetTarget | None = element(NetTarget)
    guest: GuestEnd | None = element(GuestEnd)
    model: str | None = elementAttribute("model", "type", FILLED)
    driver: NetDriver | None = element(NetDriver)
    backend: NetBackend | None = element(NetBackend)
    filterref: FilterRef | None = element(FilterRef)
    tune: Tune | None = element(Tune)
    linkState: str | None = elementAttribute(
        "link",
        "state",
        choice(
            "default up down",
            error=unsupported("unknown interface link state '{text}'"),
            absent="default",
        ),
    )
    mtu: int | None = elementAttribute("mtu", "size", integer(error=custom("malformed mtu size")))
    coalesce: Coalesce | None = element(Coalesce)
    teaming: Teaming | None = element(Teaming)

    def settle(self, node: Node, context: Context) -> Interface:
        """Keep of the source what the type has."""
        source = self.source
        kind = self.type or "user"
        changes: dict[str, Any] = {"driver" if kind == "hostdev" else "hostDriver": None}
        if source is None:
            if kind in NEED_SOURCE:
                raise xmlError(f"interface type='{kind}' requires a 'source' element")
        else:
            source = NetSource(**{name: getattr(source, name) for name in _COUNTS[kind]})
            if kind == "direct" and source.mode is None:
                source = attrs.evolve(source, mode="vepa")
            changes["source"] = source
        target = self.target
        if target is not None and target.dev is not None and context.inactive:
            for prefix in ("vnet", "macvtap", "macvlan"):
                if target.dev.startswith(prefix):
                    changes["target"] = attrs.evolve(target, dev=None)
        return attrs.evolve(self, **changes) if changes else self
