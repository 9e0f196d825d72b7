"""
Capabilities of a host and of its guests: XML to frozen values and back.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.hostcpu import HostCPU
from pyvirt.definitions.kinds import BOOLEAN, FILLED, SWITCH, TEXT, UINT, ULONG, escape
from pyvirt.definitions.reader import Node, parseDocument
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    present,
    reader,
    special,
    text,
    writer,
)
from pyvirt.definitions.values import definition

__all__ = [
    "CacheBank",
    "CapabilitiesDefinition",
    "Cell",
    "CellCPU",
    "Guest",
    "GuestArch",
    "GuestDomain",
    "GuestFeatures",
    "HostCapabilities",
    "Machine",
    "SecurityModel",
    "formatCapabilities",
    "parseCapabilities",
]


@definition
class PowerManagement:
    """How the host can sleep."""

    memory: bool = present("suspend_mem")
    disk: bool = present("suspend_disk")
    hybrid: bool = present("suspend_hybrid")


@definition
class Transports:
    """By which schemes guests can come from other hosts."""

    transports: tuple[str, ...] = elements(TEXT, "uri_transport")


@definition
class Migration:
    """How guests can move to other hosts."""

    live: bool = present()
    transports: Transports | None = element(Transports, "uri_transports")


@definition
class CellPages:
    """How many pages of a size a cell has; the size in KiB."""

    unit: str = attribute(default="KiB")
    size: int | None = attribute(ULONG)
    count: int | None = text(ULONG)


@definition
class Amount:
    """An amount of memory."""

    unit: str = attribute(default="KiB")
    amount: int | None = text(ULONG)


@definition
class Sibling:
    """How far it is to another cell."""

    id: int | None = attribute(UINT)
    value: int | None = attribute(UINT)


@definition
class Distances:
    """How far it is to each cell."""

    siblings: tuple[Sibling, ...] = elements(Sibling, "sibling")


@definition
class CellCPU:
    """
    A processor of a cell.

    @ivar siblings: the threads of its core, as a list such as C{0,4}.
    """

    id: int | None = attribute(UINT)
    socket: int | None = attribute(UINT, "socket_id")
    die: int | None = attribute(UINT, "die_id")
    core: int | None = attribute(UINT, "core_id")
    siblings: str | None = attribute()


def _counted(inner: str, cls: Any) -> Any:
    """A list of elements inside one that tells how many there are."""

    def read(node: Node, kids: dict[str, list[Node]], context: Context) -> tuple[Any, ...] | None:
        found = kids.get(f"{inner}s")
        if not found:
            return None
        return tuple(reader(cls())(child, context) for child in found[0] if child.tag == inner)

    def write(value: Any, out: list[str], indent: str, context: Context) -> None:
        out.append(f"{indent}<{inner}s num='{len(value)}'>\n")
        for each in value:
            writer(cls())(each, out, indent + "  ", inner, context)
        out.append(f"{indent}</{inner}s>\n")

    return special(tags=f"{inner}s", read=read, write=write)


@definition
class Cell:
    """A cell of memory and processors."""

    id: int | None = attribute(UINT)
    memory: Amount | None = element(Amount)
    pages: tuple[CellPages, ...] = elements(CellPages, "pages")
    distances: Distances | None = element(Distances)
    cpus: tuple[CellCPU, ...] | None = _counted("cpu", lambda: CellCPU)


@definition
class HostTopology:
    """The cells of the host."""

    cells: tuple[Cell, ...] | None = _counted("cell", lambda: Cell)


@definition
class CacheControl:
    """How a cache can be parted between guests."""

    granularity: int | None = attribute(ULONG)
    min: int | None = attribute(ULONG)
    unit: str | None = attribute()
    type: str | None = attribute()
    maxAllocs: int | None = attribute(UINT)


@definition
class CacheBank:
    """A cache, and the processors that share it."""

    id: int | None = attribute(UINT)
    level: int | None = attribute(UINT)
    type: str | None = attribute()
    size: int | None = attribute(ULONG)
    unit: str | None = attribute()
    cpus: str | None = attribute()
    controls: tuple[CacheControl, ...] = elements(CacheControl, "control")


@definition
class MonitorFeature:
    """Something that is counted."""

    name: str | None = attribute()


@definition
class Monitor:
    """What can be counted of a cache, or of the bandwidth of memory."""

    level: int | None = attribute(UINT)
    reuseThreshold: int | None = attribute(UINT)
    maxMonitors: int | None = attribute(UINT)
    features: tuple[MonitorFeature, ...] = elements(MonitorFeature, "feature")


@definition
class Caches:
    """The caches of the host."""

    banks: tuple[CacheBank, ...] = elements(CacheBank, "bank")
    monitor: Monitor | None = element(Monitor)


@definition
class BandwidthNode:
    """A node whose bandwidth of memory can be parted between guests."""

    id: int | None = attribute(UINT)
    cpus: str | None = attribute()
    controls: tuple[CacheControl, ...] = elements(CacheControl, "control")


@definition
class MemoryBandwidth:
    """The bandwidth of memory of the host."""

    nodes: tuple[BandwidthNode, ...] = elements(BandwidthNode, "node")
    monitor: Monitor | None = element(Monitor)


@definition
class BaseLabel:
    """The label that guests of a type have where nothing else is said."""

    type: str | None = attribute()
    label: str | None = text()


@definition
class SecurityModel:
    """Something that keeps guests apart."""

    model: str | None = element()
    doi: str | None = special(
        tags="doi",
        read=lambda node, kids, context: (kids["doi"][0].text or "") if "doi" in kids else None,
        write=lambda value, out, indent, context: out.append(
            f"{indent}<doi>{escape(value)}</doi>\n"
        ),
    )
    labels: tuple[BaseLabel, ...] = elements(BaseLabel, "baselabel")


@definition
class HostCapabilities:
    """What the host is."""

    uuid: str | None = element(FILLED)
    cpu: HostCPU | None = element(HostCPU)
    power: PowerManagement | None = element(PowerManagement, "power_management")
    iommu: bool | None = elementAttribute("iommu", "support", BOOLEAN)
    migration: Migration | None = element(Migration, "migration_features")
    topology: HostTopology | None = element(HostTopology)
    caches: Caches | None = element(Caches, "cache")
    bandwidth: MemoryBandwidth | None = element(MemoryBandwidth, "memory_bandwidth")
    security: tuple[SecurityModel, ...] = elements(SecurityModel, "secmodel")


@definition
class Machine:
    """
    A type of machine.

    @ivar canonical: what an alias stands for.
    """

    canonical: str | None = attribute()
    maxCpus: int | None = attribute(UINT)
    deprecated: bool | None = attribute(BOOLEAN)
    name: str | None = text()


@definition
class GuestDomain:
    """A type of domain, where it differs in its emulator or machines."""

    type: str | None = attribute()
    emulator: str | None = element()
    loader: str | None = element()
    machines: tuple[Machine, ...] = elements(Machine, "machine")


@definition
class GuestArch:
    """An architecture of guests."""

    name: str | None = attribute()
    wordsize: int | None = element(UINT)
    emulator: str | None = element()
    loader: str | None = element()
    machines: tuple[Machine, ...] = elements(Machine, "machine")
    domains: tuple[GuestDomain, ...] = elements(GuestDomain, "domain")


@definition
class Toggle:
    """A feature that is on or off, and may be the other."""

    default: bool | None = attribute(SWITCH)
    toggle: bool | None = attribute(BOOLEAN)


@definition
class GuestFeatures:
    """What guests can have."""

    pae: bool = present()
    nonpae: bool = present()
    ia64: bool = present("ia64_be")
    acpi: Toggle | None = element(Toggle)
    apic: Toggle | None = element(Toggle)
    cpuselection: bool = present()
    deviceboot: bool = present()
    disksnapshot: Toggle | None = element(Toggle)
    externalSnapshot: bool = present()
    hap: Toggle | None = element(Toggle)


@definition
class Guest:
    """A kind of guest that can run here."""

    osType: str | None = element(FILLED, "os_type")
    arch: GuestArch | None = element(GuestArch)
    features: GuestFeatures | None = element(GuestFeatures)


@definition
class CapabilitiesDefinition:
    """What a host is and which guests it can run."""

    host: HostCapabilities = HostCapabilities()
    guests: tuple[Guest, ...] = ()


def parseCapabilities(xml: str) -> CapabilitiesDefinition:
    """
    Parse capabilities.

    @raise VirtError: the document is wrong.
    """
    node = parseDocument("capabilities", xml)
    hosts = [child for child in node if child.tag == "host"]
    return CapabilitiesDefinition(
        host=reader(HostCapabilities)(hosts[0], Context()) if hosts else HostCapabilities(),
        guests=tuple(reader(Guest)(child, Context()) for child in node if child.tag == "guest"),
    )


def formatCapabilities(definition: CapabilitiesDefinition) -> str:
    """Write capabilities in libvirt's canonical form."""
    out = ["<capabilities>\n\n"]
    writer(HostCapabilities)(definition.host, out, "  ", "host", Context())
    out.append("\n")
    for guest in definition.guests:
        writer(Guest)(guest, out, "  ", "guest", Context())
        out.append("\n")
    out.append("</capabilities>\n")
    return "".join(out)
