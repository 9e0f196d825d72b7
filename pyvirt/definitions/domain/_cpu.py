"""
The guest's processor: model, features, topology, and the NUMA cells that it makes up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from pyvirt.definitions.kinds import (
    BOOLEAN,
    SWITCH,
    UINT,
    Kind,
    choice,
    custom,
    integer,
    number,
    unsupported,
    xmlError,
)
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elements,
    replaced,
    special,
    text,
)
from pyvirt.definitions.units import formatSet, parseSet, scaledText
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["CPU", "Cell", "setKind"]


def _badBitmap(text: str) -> Exception:
    return virtError(ErrorCode.INVALID_ARG, f"Failed to parse bitmap '{text}'", ErrorDomain.NONE)


def setKind(size: int = 16384, empty: Any = None) -> Kind:
    """Make a kind of sets of numbers written as ranges."""

    def read(text: str, node: Node, name: str) -> frozenset[int]:
        found = parseSet(text, size=size)
        if found is None:
            raise _badBitmap(text)
        return found

    return Kind(read, formatSet)


def someKind(attr: str) -> Kind:
    """Make a kind of sets of numbers that have at least one."""

    def read(text: str, node: Node, name: str) -> frozenset[int]:
        found: frozenset[int] = setKind().read(text, node, name)
        if not found:
            raise unsupported(f"Invalid value of '{attr}': {{text}}")(text, node, name)
        return found

    return Kind(read, formatSet)


def fromCPU(message: str, code: int = ErrorCode.CONFIG_UNSUPPORTED) -> Any:
    """Make a complaint as libvirt's processor code reports it."""
    return custom(message, code, ErrorDomain.CPU)


@definition
class CPUModel:
    """The model, and what happens where the host lacks it."""

    xmlOrder: ClassVar[str] = "fallback vendor_id name"

    name: str | None = text()
    fallback: str | None = attribute(
        choice("allow forbid", error=fromCPU("Invalid fallback attribute"), empty=True)
    )
    vendor_id: str | None = attribute()

    def settle(self, node: Node, context: Context) -> CPUModel:
        """Check the vendor."""
        vendor = self.vendor_id
        if vendor is not None:
            if len(vendor.encode()) != 12:
                raise xmlError("vendor_id must be exactly 12 characters long", ErrorDomain.CPU)
            if "," in vendor:
                raise xmlError("vendor id is invalid", ErrorDomain.CPU)
        return self


@definition
class Topology:
    """How the processors are grouped."""

    sockets: int | None = attribute(integer(zero=False), required=True)
    dies: int | None = attribute(integer(zero=False), default=1)
    cores: int | None = attribute(integer(zero=False), required=True)
    threads: int | None = attribute(integer(zero=False), required=True)


_LEVEL = fromCPU("invalid CPU cache level, must be in range [1,3]", ErrorCode.XML_ERROR)


def _readLevel(text: str, node: Node, name: str) -> int:
    value: int = integer(signed=True).read(text, node, name)
    if not 1 <= value <= 3:
        raise _LEVEL(text, node, name)
    return value


@definition
class CPUCache:
    """The processor's cache as the guest sees it."""

    level: int | None = attribute(Kind(_readLevel))
    mode: str | None = attribute(choice("emulate passthrough disable"), required=True)


@definition
class MaxPhysAddr:
    """The width of physical addresses."""

    mode: str | None = attribute(choice("emulate passthrough"), required=True)
    bits: int | None = attribute(integer(signed=True, minimum=0))


@definition
class CPUFeature:
    """A feature of the processor and what is done about it."""

    policy: str | None = attribute(
        choice(
            "force require optional disable forbid",
            error=fromCPU("Invalid CPU feature policy"),
        ),
        default="require",
    )
    name: str | None = attribute()

    def settle(self, node: Node, context: Context) -> CPUFeature:
        """A feature has a name."""
        if not self.name:
            raise xmlError("Invalid CPU feature name", ErrorDomain.CPU)
        return self


@definition
class Sibling:
    """How far another cell is."""

    id: int | None = attribute(UINT, required=True)
    value: int | None = attribute(UINT, required=True)


@definition
class Distances:
    """How far other cells are."""

    siblings: tuple[Sibling, ...] = elements(Sibling, "sibling")


def _readAmount(path: str) -> Kind:
    """Make a kind of sizes in KiB, whose unit stands in another attribute."""

    def read(text: str, node: Node, name: str) -> int:
        if not text:
            raise _without(path)(node)
        return -(-scaledText(text, node.get("unit"), path) // 1024)

    return Kind(read)


@definition
class Amount:
    """A size of a cache, with its unit."""

    value: int = 0
    unit: str = "B"


_UNIT = Kind(lambda text, node, name: "KiB")


def _plainNumber(path: str) -> Kind:
    """Make a kind of numbers beside which a unit stands that does not count."""

    def read(text: str, node: Node, name: str) -> int:
        if not text:
            raise _without(path)(node)
        return scaledText(text, None, path, default=1)

    return Kind(read)


def _without(path: str) -> Callable[[Node], Exception]:
    return lambda node: xmlError(f"missing element or attribute '{path}'", ErrorDomain.XML)


#: No cell has more caches above each other.
_MOST_LEVELS = 3


def _readCellLevel(text: str, node: Node, name: str) -> int:
    """Read the level of a cache of a cell."""
    value = number(text)
    if value is None:
        cell = node.getparent().get("id") or "0"
        raise xmlError(f"Invalid 'level' attribute in cache element for NUMA node {cell}")
    return value


@definition
class CacheAmount:
    """A size of a cache in KiB."""

    value: int | None = attribute(
        _plainNumber("./size/@value"), required=True, missing=_without("./size/@value")
    )
    unit: str | None = attribute(_UNIT, default="KiB")


@definition
class CacheLine:
    """The length of a cache's line in bytes."""

    value: int | None = attribute(
        _plainNumber("./line/@value"), required=True, missing=_without("./line/@value")
    )
    unit: str | None = attribute(Kind(lambda text, node, name: "B"), default="B")


@definition
class CellCache:
    """A cache of a cell's memory."""

    level: int | None = attribute(Kind(_readCellLevel))
    associativity: str | None = attribute(
        choice(
            "none direct full",
            error=custom("Invalid cache associativity '{text}'"),
            absent="none",
        )
    )
    policy: str | None = attribute(
        choice(
            "none writeback writethrough",
            error=custom("Invalid cache policy '{text}'"),
            absent="none",
        )
    )
    size: CacheAmount | None = element(CacheAmount)
    line: CacheLine | None = element(CacheLine)

    def settle(self, node: Node, context: Context) -> CellCache:
        """The sizes must be there."""
        for name in ("size", "line"):
            if getattr(self, name) is None:
                raise _without(f"./{name}/@value")(node)
        return self


@definition
class Cell:
    """A NUMA cell: processors and memory, in KiB."""

    id: int | None = attribute(integer())
    cpus: frozenset[int] | None = attribute(setKind())
    memory: int = attribute(
        _readAmount("./@memory"),
        required=True,
        missing=lambda node: xmlError("missing element or attribute './@memory'", ErrorDomain.XML),
    )
    unit: str | None = attribute(_UNIT, default="KiB")
    memAccess: str | None = attribute(choice("shared private"))
    discard: bool | None = attribute(BOOLEAN)
    distances: Distances | None = element(Distances)
    caches: tuple[CellCache, ...] = elements(CellCache, "cache")


_KINDS = "access read write"


@definition
class Latency:
    """How long an access takes, in nanoseconds."""

    initiator: int | None = attribute(UINT, required=True)
    target: int | None = attribute(UINT, required=True)
    cache: int | None = attribute(integer(zero=False))
    type: str | None = attribute(choice(_KINDS), required=True)
    value: int | None = attribute(integer(bits=64), required=True)


@definition
class CellBandwidth:
    """How much an access moves, in KiB each second."""

    initiator: int | None = attribute(UINT, required=True)
    target: int | None = attribute(UINT, required=True)
    cache: int | None = attribute(integer(zero=False))
    type: str | None = attribute(choice(_KINDS), required=True)
    value: int | None = attribute(_readAmount("./@value"))
    unit: str | None = attribute(_UNIT, default="KiB")


@definition
class Interconnects:
    """How fast cells reach each other."""

    xmlOmitEmpty: ClassVar[bool] = True

    latencies: tuple[Latency, ...] = elements(Latency, "latency")
    bandwidths: tuple[CellBandwidth, ...] = elements(CellBandwidth, "bandwidth")


@definition
class NUMA:
    """The cells of the guest."""

    cells: tuple[Cell, ...] = elements(Cell, "cell")
    interconnects: Interconnects | None = element(Interconnects)

    def settle(self, node: Node, context: Context) -> NUMA:
        """Give every cell its number, and every distance its way back."""
        if not self.cells:
            raise xmlError("NUMA topology defined without NUMA cells")
        placed: dict[int, Cell] = {}
        for position, cell in enumerate(self.cells):
            number = position if cell.id is None else cell.id
            if number >= len(self.cells):
                raise xmlError(
                    "Exactly one 'cell' element per guest NUMA cell allowed, non-contiguous "
                    "ranges or ranges not starting from 0 are not allowed"
                )
            if number in placed:
                raise xmlError(f"Duplicate NUMA cell info for cell id '{number}'")
            if cell.cpus is not None:
                for other, earlier in sorted(placed.items()):
                    if earlier.cpus is not None and earlier.cpus & cell.cpus:
                        raise unsupported(
                            f"NUMA cells {number} and {other} have overlapping vCPU ids"
                        )("", node, "")
            placed[number] = replaced(cell, id=number)
        cells = [placed[number] for number in range(len(placed))]
        found = replaced(self, cells=_distances(cells))
        domain = next(node.iterancestors("domain"), None)
        if domain is not None:
            _checkCount(found, processorsOf(domain))
        return found


def domainOf(node: Node) -> Node:
    """Return the domain that something is part of."""
    found: Node = next(node.iterancestors("domain", "inactiveDomain"))
    return found


def processorsOf(domain: Node) -> int:
    """Return how many processors a domain may have, whatever of it has been read."""
    found = number((domain.findtext("vcpu") or "1").strip())
    return 1 if found is None else found


def _checkCount(numa: NUMA, maximum: int) -> None:
    """Complain where cells have more processors than there are."""
    cpus: set[int] = set()
    for cell in numa.cells:
        cpus |= cell.cpus or set()
    for wrong, what in (
        (len(cpus) > maximum, "Number of CPUs in <numa> exceeds the <vcpu> count"),
        (max(cpus, default=0) >= maximum, "CPU IDs in <numa> exceed the <vcpu> count"),
    ):
        if wrong:
            raise virtError(ErrorCode.INTERNAL_ERROR, what, ErrorDomain.DOMAIN)


def checkLinks(numa: NUMA) -> None:
    """Check that links are between cells that are there, and that each is described once."""
    links, cells = numa.interconnects, numa.cells
    for cell in cells:
        if any((cache.level or 0) > _MOST_LEVELS for cache in cell.caches):
            raise xmlError("Ain't nobody heard of that much cache level")
    if links is None:
        return
    groups: tuple[tuple[Any, ...], ...] = (links.latencies, links.bandwidths)
    for group in groups:
        seen: set[Any] = set()
        for link in group:
            for name in ("initiator", "target"):
                if getattr(link, name) >= len(cells):
                    raise xmlError(f"'{name}' refers to a non-existent NUMA node")
            if link.cache is not None and all(
                cache.level != link.cache for cache in cells[link.target or 0].caches
            ):
                raise xmlError("'cache' refers to a non-existent NUMA node cache")
            place = (link.initiator, link.target, link.cache, link.type)
            if place in seen:
                raise xmlError("Duplicate info for NUMA latencies")
            seen.add(place)


def _distances(cells: list[Cell]) -> tuple[Cell, ...]:
    """Check the distances between cells and complete them."""
    table: dict[int, dict[int, int]] = {}
    count = len(cells)
    for cell in cells:
        if cell.distances is None:
            continue
        here = cell.id or 0
        if not cell.distances.siblings:
            raise xmlError("NUMA distances defined without siblings")
        for sibling in cell.distances.siblings:
            there, value = sibling.id or 0, sibling.value or 0
            if there >= count:
                raise xmlError(
                    f"'sibling_id {there}' does not refer to a valid cell within NUMA "
                    f"'cell id {here}'"
                )
            if (
                not 10 <= value <= 255
                or (here == there and value != 10)
                or (here != there and value == 10)
            ):
                raise xmlError(
                    f"'value {value}' is invalid for 'sibling id {there}' under NUMA "
                    f"'cell id {here}'"
                )
            table.setdefault(here, {here: 10})[there] = value
            table.setdefault(there, {there: 10}).setdefault(here, value)
    done = []
    for cell in cells:
        row = table.get(cell.id or 0)
        if row:
            siblings = tuple(Sibling(id=key, value=row[key]) for key in sorted(row))
            cell = replaced(cell, distances=Distances(siblings=siblings))
        done.append(cell)
    return tuple(done)


MODES = "custom host-model host-passthrough maximum"


@definition
class CPU:
    """
    The processor.

    @ivar mode: None where nothing is said about the model.
    """

    xmlOmitEmpty: ClassVar[bool] = True
    xmlReadOrder: ClassVar[str] = (
        "mode migratable movable match check model vendorCheck vendor topology cached cache"
    )

    mode: str | None = attribute(choice(MODES, error=fromCPU("Invalid mode attribute '{text}'")))
    match: str | None = attribute(choice("minimum exact strict"))
    check: str | None = attribute(choice("default none partial full", absent="default"))
    migratable: bool | None = attribute(SWITCH)
    movable: None = special(read=lambda node, kids, context: _checkMigratable(node))
    model: CPUModel | None = element(CPUModel)
    vendorCheck: None = special(
        tags="vendor model", read=lambda node, kids, context: _checkVendor(kids)
    )
    vendor: str | None = element()
    topology: Topology | None = element(Topology)
    cached: None = special(tags="cache", read=lambda node, kids, context: checkCaches(kids))
    cache: CPUCache | None = element(CPUCache)
    maxphysaddr: MaxPhysAddr | None = element(MaxPhysAddr)
    features: tuple[CPUFeature, ...] = elements(CPUFeature, "feature")
    checked: None = special(read=lambda node, kids, context: _checkModel(node))
    numa: NUMA | None = element(NUMA)

    def settle(self, node: Node, context: Context) -> CPU:
        """Check what belongs together and give the mode that is implied."""
        mode = self.mode or "custom"
        model = self.model
        if model is not None and not model.name and model.vendor_id is None:
            model = None
        if model is not None and not model.name:
            model = replaced(model, name=None)
        changes: dict[str, Any] = {"model": model}
        if mode == "custom":
            if model is None:
                changes.update(mode=None, match=None)
            else:
                changes.update(mode=mode, match=self.match or "exact")
                changes["model"] = replaced(model, fallback=model.fallback or "allow")
        else:
            changes["match"] = None
            if mode == "host-passthrough" or mode == "maximum":
                changes.update(model=None, vendor=None)
            elif model is not None:
                changes["model"] = replaced(model, fallback=model.fallback or "allow")
        return replaced(self, **changes)


def _checkModel(node: Node) -> None:
    """A vendor and features are of a model; each feature is named once."""
    model, features = node.find("model"), node.findall("feature")
    if node.get("mode", "custom") == "custom":
        named = model is not None and bool(xmlText(model))
        if node.find("vendor") is not None and (
            model is None or not (named or model.get("vendor_id"))
        ):
            raise xmlError("CPU vendor specified without CPU model", ErrorDomain.CPU)
        if features and not named:
            raise xmlError("Non-empty feature list specified without CPU model", ErrorDomain.CPU)
    names: set[str | None] = set()
    for feature in features:
        name = feature.get("name")
        if name in names:
            raise xmlError(f"CPU feature '{name}' specified more than once", ErrorDomain.CPU)
        names.add(name)


def _checkMigratable(node: Node) -> None:
    """Only processors that are the host's could be in the way of moving."""
    if node.get("migratable") is not None and node.get("mode") not in (
        "host-passthrough",
        "maximum",
    ):
        raise virtError(
            ErrorCode.CONFIG_UNSUPPORTED,
            "Attribute migratable is only allowed for 'host-passthrough' / 'maximum' CPU mode",
            ErrorDomain.CPU,
        )


def checkCaches(kids: dict[str, list[Node]]) -> None:
    if len(kids.get("cache", ())) > 1:
        raise xmlError("at most one CPU cache element may be specified", ErrorDomain.CPU)


def _checkVendor(kids: dict[str, list[Node]]) -> None:
    """A vendor goes with a model."""
    if "vendor" in kids and ("model" not in kids or not xmlText(kids["model"][0])):
        raise xmlError("CPU vendor specified without CPU model", ErrorDomain.CPU)
