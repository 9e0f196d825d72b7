"""
Network interfaces of the guest.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from pyvirt.definitions.domain._address import PCIAddress, RomDevice, filled
from pyvirt.definitions.domain._chardev import Reconnect
from pyvirt.definitions.domain._coalesce import Coalesce
from pyvirt.definitions.domain._common import VirtioOptions
from pyvirt.definitions.kinds import (
    BOOLEAN,
    FILLED,
    SWITCH,
    UINT_NZ,
    YES,
    Kind,
    choice,
    custom,
    integer,
    invalidAttribute,
    missingAttribute,
    unsupported,
    xmlError,
)
from pyvirt.definitions.netbits import (
    Bandwidth,
    IPAddress,
    Route,
    VirtualPort,
    Vlan,
    canonical,
    familyOf,
    parseMAC,
)
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    plainWriter,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.uuids import formatUUID, parseUUID
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["CARDS", "MAC", "Interface", "NetDefined", "NetTarget", "withBandwidth"]

TYPES = (
    "user ethernet vhostuser server client mcast network bridge internal direct hostdev udp vdpa "
    "null vds"
)
NEED_SOURCE = [
    "vhostuser",
    "server",
    "client",
    "mcast",
    "network",
    "bridge",
    "internal",
    "direct",
    "hostdev",
    "udp",
    "vdpa",
    "vds",
]


def _readMAC(text: str, node: Node, name: str) -> str:
    address = parseMAC(text)
    if address is None:
        raise xmlError(f"unable to parse mac address '{text}'")
    if int(address[:2], 16) & 1:
        raise xmlError(f"expected unicast mac address, found multicast '{text}'")
    return address


@definition
class MAC:
    """The hardware address of an interface."""

    address: str | None = attribute(Kind(_readMAC))
    type: str | None = attribute(choice("generated static"))
    check: bool | None = attribute(BOOLEAN)


@definition
class Local:
    """The local end of a UDP tunnel."""

    address: str | None = attribute()
    port: int | None = attribute(integer(signed=True))


@definition
class NetSource:
    """Where an interface is connected to; which attributes count depends on the interface's type."""

    xmlOmitEmpty: ClassVar[bool] = True

    type: str | None = attribute()
    path: str | None = attribute()
    network: str | None = attribute()
    portgroup: str | None = attribute(FILLED)
    switchid: str | None = attribute()
    portid: str | None = attribute()
    bridge: str | None = attribute()
    dev: str | None = attribute()
    name: str | None = attribute(FILLED)
    mode: str | None = attribute()
    address: str | None = attribute(FILLED)
    port: str | None = attribute()
    portgroupid: str | None = attribute()
    connectionid: str | None = attribute()
    local: Local | None = element(Local)
    reconnect: Reconnect | None = element(Reconnect)
    pci: PCIAddress | HostUSB | None = special(
        tags="address vendor product",
        read=lambda node, kids, context: _readDevice(node, kids, context),
        write=lambda value, out, indent, context: writer(type(value))(
            value, out, indent, "address", context
        ),
    )
    ips: tuple[IPAddress, ...] = elements(IPAddress, "ip")
    routes: tuple[Route, ...] = elements(Route, "route")


def _readDevice(node: Node, kids: dict[str, list[Node]], context: Context) -> Any:
    """Read which device of the host it is."""
    from pyvirt.definitions.domain._address import Address
    from pyvirt.definitions.domain._hostdev import readHostSource

    parent = node.getparent().get("type")
    if parent != "hostdev" and not (parent == "network" and context.status):
        return None
    found = kids.get("address")
    if deviceKind(node) == "usb":
        said = readHostSource("subsystem", "usb", node, context)
        return HostUSB(vendor=said.vendor, product=said.product, bus=said.bus, device=said.device)
    return Address.readElement(found[0], context) if found else None


def deviceKind(source: Node) -> str | None:
    """Return the type of a device of the host; one that has a vendor is of USB where nothing else is said."""
    address = [child for child in source if child.tag == "address"]
    kind = source.get("type") or (address[0].get("type") if address else None)
    if not kind and any(child.tag == "vendor" for child in source):
        return "usb"
    return kind


@definition
class HostUSB:
    """A USB device of the host: which one, or of which make, or both."""

    type: str = "usb"
    vendor: int | None = None
    product: int | None = None
    bus: int | None = None
    device: int | None = None

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the elements that say which it is."""
        if value.vendor is not None:
            out.append(f"{indent}<vendor id='{value.vendor:#06x}'/>\n")
            out.append(f"{indent}<product id='{value.product or 0:#06x}'/>\n")
        if value.bus or value.device:
            out.append(
                f"{indent}<address type='usb' bus='{value.bus or 0}' device='{value.device or 0}'/>\n"
            )


@definition
class NetDefined:
    """
    What was defined of an interface where its network has set something else: only a driver's own status has it.

    @ivar actual: what the network makes of it: the type that a running interface says.
    @ivar managed: whether the host takes the device of a network from its driver.
    """

    actual: str | None = attribute()
    managed: bool | None = attribute(YES)
    trustGuestRxFilters: bool | None = attribute(BOOLEAN)
    portIsolated: bool | None = attribute(BOOLEAN)
    vlan: Vlan | None = element(Vlan)
    virtualport: VirtualPort | None = element(VirtualPort)
    bandwidth: Bandwidth | None = element(Bandwidth)


#: What counts of a source, by the type of interface.
_COUNTS: dict[str, tuple[str, ...]] = {
    "user": (),
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


@definition
class NetTarget:
    """The host's end of an interface."""

    xmlOmitEmpty: ClassVar[bool] = True

    dev: str | None = attribute()
    managed: bool | None = attribute(BOOLEAN)


@definition
class GuestEnd:
    """The guest's end of an interface of a container."""

    xmlOmitEmpty: ClassVar[bool] = True

    dev: str | None = attribute(FILLED)
    actual: str | None = attribute(FILLED)


@definition
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


@definition
class NetDriver(VirtioOptions):
    """How the hypervisor handles an interface."""

    xmlOmitEmpty: ClassVar[bool] = True
    xmlOrder: ClassVar[str] = (
        "name txmode ioeventfd event_idx queues rx_queue_size tx_queue_size rss rss_hash_report"
    )

    name: str | None = attribute(Kind(lambda text, node, name: _readDriver(text, node, name)))
    txmode: str | None = attribute(choice("iothread timer"))
    ioeventfd: bool | None = attribute(SWITCH)
    event_idx: bool | None = attribute(SWITCH)
    queues: int | None = attribute(UINT_NZ)
    rx_queue_size: int | None = attribute(UINT_NZ)
    tx_queue_size: int | None = attribute(UINT_NZ)
    rss: bool | None = attribute(SWITCH)
    rss_hash_report: bool | None = attribute(SWITCH)
    host: Offloads | None = element(Offloads)
    guest: Offloads | None = element(Offloads)


def _readBackend(text: str, node: Node, name: str) -> None:
    """Complain: this version knows of one type, and no driver of it."""
    raise xmlError(
        f"Invalid value for attribute 'type' in element 'backend': '{text}'.",
        ErrorDomain.DOMAIN if text == "passt" else ErrorDomain.XML,
    )


@definition
class NetBackend:
    """Who moves the packets."""

    xmlOmitEmpty: ClassVar[bool] = True
    xmlOrder: ClassVar[str] = "type tap vhost logFile"

    type: str | None = attribute(Kind(_readBackend))
    tap: str | None = attribute()
    vhost: str | None = attribute()
    logFile: str | None = attribute()


_PARAMETER_NAME = re.compile("[A-Za-z0-9_]*\\Z").match
_PARAMETER_VALUE = re.compile("[A-Za-z0-9_.:]+\\Z").match


@definition
class Parameter:
    """A parameter of a network filter."""

    name: str | None = attribute()
    value: str | None = attribute()


@definition
class FilterRef:
    """The network filter of an interface."""

    filter: str | None = attribute()
    parameters: tuple[Parameter, ...] = elements(Parameter, "parameter")

    def settle(self, node: Node, context: Context) -> FilterRef:
        """Parameters are written by name; those that a filter could not use are dropped."""
        usable = [
            each
            for each in self.parameters
            if each.name is not None
            and _PARAMETER_NAME(each.name)
            and each.value is not None
            and _PARAMETER_VALUE(each.value)
        ]
        usable.sort(key=lambda each: each.name or "")
        return replaced(self, parameters=tuple(usable))


@definition
class Tune:
    """Sizes of buffers."""

    xmlOmitEmpty: ClassVar[bool] = True

    sndbuf: int | None = element(
        integer(bits=64, error=custom("sndbuf must be a positive integer"))
    )


_MTU = integer(keepZero=False, error=custom("malformed mtu size"))


@definition
class Teaming:
    """Two interfaces that stand in for each other."""

    xmlOmitEmpty: ClassVar[bool] = True

    type: str | None = attribute(
        choice(
            "persistent transient",
            error=unsupported("unknown teaming type '{text}'"),
            empty=True,
        )
    )
    persistent: str | None = attribute()


def _readAddress(text: str, node: Node, name: str) -> str:
    if familyOf(text) is None:
        raise xmlError(f"Invalid address '{text}' in <portForward>")
    return canonical(text)


@definition
class PortRange:
    """Ports that are forwarded, or kept from it."""

    start: int | None = attribute(integer(zero=False))
    end: int | None = attribute(integer(zero=False))
    to: int | None = attribute(integer(zero=False))
    exclude: bool | None = attribute(BOOLEAN)

    xmlOmitEmpty: ClassVar[bool] = True


@definition
class PortForward:
    """Ports of the host that lead into the guest."""

    proto: str = attribute(choice("tcp udp"), required=True)
    address: str | None = attribute(Kind(_readAddress))
    dev: str | None = attribute()
    ranges: tuple[PortRange, ...] = elements(PortRange, "range")


_HOST_DRIVERS = choice("kvm vfio xen")
_NET_DRIVERS = choice("qemu vhost")


def _readHostDriver(text: str, node: Node, name: str) -> str | None:
    """Read the driver of a passed through device; others have other names."""
    if node.getparent().get("type") != "hostdev":
        return None
    found: str | None = _HOST_DRIVERS.read(text, node, name)
    return found


def _readDriver(text: str, node: Node, name: str) -> str | None:
    """Read the driver of a virtio interface; of others it does not count."""
    parent = node.getparent()
    for child in parent:
        if child.tag == "model":
            if (child.get("type") or "").startswith("virtio"):
                found: str | None = _NET_DRIVERS.read(text, node, name)
                return found
            break
    return None


@definition
class HostDriver:
    """Who passes a PCI device through."""

    xmlOmitEmpty: ClassVar[bool] = True

    name: str | None = attribute(Kind(_readHostDriver))


#: The attributes that the source of a type must have.
_NEEDS = {
    "network": ("network",),
    "bridge": ("bridge",),
    "direct": ("dev",),
    "internal": ("name",),
    "vdpa": ("dev",),
    "vds": ("switchid", "portid", "portgroupid", "connectionid"),
    "client": ("port", "address"),
    "server": ("port",),
    "mcast": ("address", "port"),
    "udp": ("address", "port"),
    "vhostuser": ("type", "path", "mode"),
}
_PORTED = ("network", "bridge", "direct", "hostdev", "ethernet")


def checkNetSource(node: Node, kids: dict[str, list[Node]]) -> None:
    """Complain where a source lacks what the type of the interface needs, and of ports of switches it is not at."""
    _checkSource(node, kids)
    kind = node.get("type") or "user"
    if "virtualport" in kids and kind not in ("network", "bridge", "direct", "hostdev"):
        raise unsupported(f"<virtualport> element unsupported for <interface type='{kind}'>")(
            "", node, ""
        )


def _checkSource(node: Node, kids: dict[str, list[Node]]) -> None:
    """Complain where a source lacks what the type of the interface needs."""
    kind = node.get("type") or "user"
    if kind == "hostdev" and "source" not in kids:
        raise xmlError("missing source address type")
    if "source" not in kids:
        if kind in NEED_SOURCE:
            raise xmlError(f"interface type='{kind}' requires a 'source' element")
        return
    source = kids["source"][0]
    needs = _NEEDS.get(kind, ())
    if kind == "vds":
        text = source.get("switchid")
        if text is None:
            raise missingAttribute(source, "switchid")
        if parseUUID(text) is None:
            raise invalidAttribute(text, source, "switchid", "UUID")
        for name in ("portid", "portgroupid", "connectionid"):
            text = source.get(name)
            if text is None:
                raise missingAttribute(source, name)
            if name != "portgroupid":
                integer(signed=True, bits=64).read(text, source, name)
    if kind in ("client", "mcast", "udp"):
        needs = ("address", "port")
    for name in needs:
        text = source.get(name)
        if text is None:
            raise missingAttribute(source, name)
        if name == "port":
            integer(signed=True).read(text, source, name)
        elif kind == "vhostuser" and name == "type" and text != "unix":
            raise unsupported(f"Type='{text}' unsupported for <interface type='vhostuser'>")(
                "", node, ""
            )
        elif kind == "vhostuser" and name == "mode":
            choice("server client").read(text, source, name)
        elif name == "switchid" and parseUUID(text) is None:
            raise invalidAttribute(text, source, name, "UUID")
    if kind == "direct" and source.get("mode") is not None:
        choice("vepa private bridge passthrough").read(source.get("mode"), source, "mode")
    if kind == "udp":
        local = [child for child in source if child.tag == "local"]
        if not local:
            raise xmlError("'<local>' element missing for 'udp' socket interface")
        for name in ("address", "port"):
            if local[0].get(name) is None:
                raise missingAttribute(local[0], name)
    if kind == "hostdev":
        word = deviceKind(source)
        if not word:
            raise xmlError("missing source address type")
        if word not in ("pci", "usb"):
            raise unsupported(f"unknown host device source address type '{word}'")("", node, "")


_FILTERED = ("ethernet", "network", "bridge")
_MODEL = re.compile(r"[a-zA-Z0-9_-]*\Z").match


def withBandwidth(nic: Any, limits: Bandwidth | None) -> Any:
    """Return an interface with other limits, also for what it was defined with."""
    defined = nic.defined
    if defined is not None:
        defined = replaced(defined, bandwidth=limits)
    return replaced(nic, bandwidth=limits, defined=defined)


def _readModel(text: str, node: Node, name: str) -> str | None:
    if not _MODEL(text):
        raise virtError(
            ErrorCode.INVALID_ARG, "Model name contains invalid characters", ErrorDomain.DOMAIN
        )
    return CARDS.get(text.lower(), text) or None


#: Cards whose names are known, and may be written in letters of any size.
CARDS = {
    name.lower(): name
    for name in [
        "netfront",
        "rtl8139",
        "virtio",
        "e1000",
        "e1000e",
        "virtio-transitional",
        "virtio-non-transitional",
        "usb-net",
        "spapr-vlan",
        "lan9118",
        "scm91c111",
        "vlance",
        "vmxnet",
        "vmxnet2",
        "vmxnet3",
        "Am79C970A",
        "Am79C973",
        "82540EM",
        "82545EM",
        "82543GC",
    ]
}


@definition
class Interface(RomDevice):
    """A network interface."""

    xmlReadOrder: ClassVar[str] = (
        "type trustGuestRxFilters model sourceCheck source virtualport target bandwidth vlan mac boot rom "
        "acpiIndex alias address ips routes portForwards driver backend linkState teaming tune mtu "
        "coalesce portIsolated defined"
    )

    xmlOrder: ClassVar[str] = (
        "type managed trustGuestRxFilters mac hostDriver source vlan virtualport bandwidth ips "
        "routes portIsolated portForwards script downscript backenddomain target guest model "
        "driver backend filterref tune teaming linkState mtu coalesce boot alias rom acpiIndex "
        "address defined"
    )

    type: str | None = attribute(choice(TYPES), default="user")
    managed: bool | None = attribute(YES)
    trustGuestRxFilters: bool | None = attribute(BOOLEAN)
    mac: MAC | None = element(MAC)
    hostDriver: HostDriver | None = element(HostDriver, "driver")
    sourceCheck: None = special(
        tags="source virtualport", read=lambda node, kids, context: checkNetSource(node, kids)
    )
    source: NetSource | None = element(NetSource)
    vlan: Vlan | None = element(Vlan)
    virtualport: VirtualPort | None = element(VirtualPort)
    bandwidth: Bandwidth | None = element(Bandwidth)
    ips: tuple[IPAddress, ...] = elements(IPAddress, "ip")
    routes: tuple[Route, ...] = elements(Route, "route")
    script: str | None = elementAttribute("script", "path", FILLED)
    downscript: str | None = elementAttribute("downscript", "path", FILLED)
    portForwards: tuple[PortForward, ...] = elements(PortForward, "portForward")
    portIsolated: bool | None = elementAttribute("port", "isolated", BOOLEAN)
    backenddomain: str | None = elementAttribute("backenddomain", "name", FILLED)
    target: NetTarget | None = element(NetTarget)
    guest: GuestEnd | None = element(GuestEnd)
    model: str | None = elementAttribute("model", "type", Kind(_readModel))
    driver: NetDriver | None = element(NetDriver)
    backend: NetBackend | None = element(NetBackend)
    filterref: FilterRef | None = element(FilterRef)
    tune: Tune | None = element(Tune)
    linkState: str | None = elementAttribute(
        "link",
        "state",
        choice(
            "up down",
            error=unsupported("unknown interface link state '{text}'"),
            empty=True,
        ),
    )
    mtu: int | None = elementAttribute(
        "mtu", "size", Kind(lambda text, node, name: _MTU.read(text, node, name) if text else None)
    )
    coalesce: Coalesce | None = element(Coalesce)
    teaming: Teaming | None = element(Teaming)
    defined: NetDefined | None = element(NetDefined, when="status")

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write what the network has made of it, or for another run what was defined."""
        defined = value.defined
        if defined is not None and context.inactive:
            value = replaced(
                value,
                trustGuestRxFilters=defined.trustGuestRxFilters,
                portIsolated=defined.portIsolated,
                vlan=defined.vlan,
                virtualport=defined.virtualport,
                bandwidth=defined.bandwidth,
                source=value.source and replaced(value.source, pci=None),
            )
        elif defined is not None and not context.status:
            value = replaced(value, type=defined.actual or value.type)
            if value.type == "hostdev" and value.source is not None:
                value = replaced(
                    value,
                    managed=defined.managed,
                    hostDriver=HostDriver(name="vfio"),
                    driver=None,
                    model=None,
                    source=NetSource(pci=value.source.pci),
                )
        plainWriter(Interface)(value, out, indent, tag, context)

    def settle(self, node: Node, context: Context) -> Interface:
        """Keep of everything what the type and the model have."""
        source = self.source
        kind = self.type or "user"
        changes: dict[str, Any] = {"driver" if kind == "hostdev" else "hostDriver": None}
        if not context.status:
            changes["defined"] = None
        if kind != "hostdev" or not self.managed:
            changes["managed"] = None
        if not (self.model or "").startswith("virtio"):
            if self.backend is not None and self.backend.vhost is not None:
                changes["backend"] = replaced(self.backend, vhost=None)
            driver = self.driver
            if driver is not None and kind != "hostdev":
                kept = {
                    name: getattr(driver, name)
                    for name in ("iommu", "ats", "packed", "page_per_vq")
                }
                changes["driver"] = NetDriver(**kept)
        if source is not None:
            counts = _COUNTS[kind]
            if kind == "network" and not context.inactive:
                counts += ("portid", "bridge", "dev", "mode", "pci")
            source = NetSource(**{name: getattr(source, name) for name in counts})
            if kind == "direct" and source.mode is None:
                source = replaced(source, mode="vepa")
            if isinstance(source.pci, PCIAddress):
                source = replaced(source, pci=filled(source.pci))
            if source.switchid is not None:
                raw = parseUUID(source.switchid)
                source = replaced(source, switchid=formatUUID(raw) if raw else None)
            changes["source"] = source
        if self.filterref is not None and (self.filterref.filter is None or kind not in _FILTERED):
            changes["filterref"] = None
        target = self.target
        if target is not None and target.dev is not None and context.inactive:
            for prefix in ("vnet", "macvtap", "macvlan"):
                if target.dev.startswith(prefix):
                    changes["target"] = replaced(target, dev=None)
        return replaced(self, **changes) if changes else self
