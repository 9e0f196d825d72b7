"""
What some processors of a guest may use of the host's caches and of its memory's bandwidth.

Processors that the guest does not have count for nothing: what is said of them alone is not even read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pyvirt.definitions.domain._cpu import domainOf, processorsOf
from pyvirt.definitions.kinds import UINT, Kind, choice, integer, xmlError
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import Context, attribute, elements, plainReader, replaced
from pyvirt.definitions.units import formatSet, parseSet, scaledText
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["CacheTune", "MemoryTune", "together"]


@definition
class CacheShare:
    """A share of the host's cache."""

    id: int | None = attribute(UINT, required=True)
    level: int | None = attribute(integer(zero=False), required=True)
    type: str | None = attribute(choice("both code data"), required=True)
    size: int | None = attribute(
        Kind(lambda text, node, name: scaledText(text, node.get("unit"), "./@size")),
        required=True,
        missing=lambda node: xmlError("missing element or attribute './@size'", ErrorDomain.XML),
    )
    unit: str | None = attribute()

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the size with the largest unit that fits."""
        from pyvirt.definitions.domain._features import pretty

        size, unit = pretty(value.size or 0)
        out.append(
            f"{indent}<{tag} id='{value.id}' level='{value.level}' type='{value.type}' "
            f"size='{size}' unit='{unit}'/>\n"
        )


def _tuneSet(tag: str) -> Kind:
    """Make a kind of sets of processors, of which those count that are there."""

    def read(text: str, node: Node, name: str) -> frozenset[int]:
        found = parseSet(text, size=16384)
        if found is None:
            raise xmlError(f"Invalid {tag} attribute 'vcpus' value '{text}'")
        count = processorsOf(domainOf(node))
        return frozenset(each for each in found if each < count)

    return Kind(read, formatSet)


def _noVCPUs(tag: str) -> Any:
    return lambda node: xmlError(f"Missing {tag} attribute 'vcpus'")


@definition
class CacheMonitor:
    """A watch on the use of the host's cache."""

    level: int | None = attribute(UINT, required=True)
    vcpus: frozenset[int] | None = attribute(
        _tuneSet("monitor"), required=True, missing=_noVCPUs("monitor")
    )


def checkMonitors(vcpus: frozenset[int], monitors: Sequence[Any]) -> None:
    """Check that monitors watch all of the processors, or some of them that no other watches."""
    seen: list[frozenset[int]] = []
    for monitor in monitors:
        watched: frozenset[int] = monitor.vcpus or frozenset()
        if not watched:
            detail = "vcpus is empty"
        elif watched in seen:
            detail = "Identical vcpus found in same type monitors"
        elif not watched <= vcpus or any(
            watched & other for other in seen if watched != vcpus and other != vcpus
        ):
            detail = "Monitor vcpus conflicts with allocation"
        else:
            seen.append(watched)
            continue
        raise virtError(ErrorCode.INVALID_ARG, detail, ErrorDomain.DOMAIN)


class _Shared:
    """What some processors may use of something; of processors that are not there nothing is read."""

    _vcpus: ClassVar[Kind]

    @classmethod
    def readElement(cls, node: Node, context: Context) -> Any:
        """Read it."""
        text = node.get("vcpus")
        if text is not None and not cls._vcpus.read(text, node, "vcpus"):
            return None
        return plainReader(cls)(node, context)


@definition
class CacheTune(_Shared):
    """What some processors may use of the host's cache."""

    _vcpus: ClassVar[Kind] = _tuneSet("cachetune")

    vcpus: frozenset[int] = attribute(_vcpus, required=True, missing=_noVCPUs("cachetune"))
    caches: tuple[CacheShare, ...] = elements(CacheShare, "cache")
    monitors: tuple[CacheMonitor, ...] = elements(CacheMonitor, "monitor")

    def settle(self, node: Node, context: Context) -> CacheTune:
        """A cache is shared out once; monitors watch some of the processors, each set once."""
        shares: set[tuple[int | None, int | None]] = set()
        for cache in self.caches:
            if (cache.level, cache.id) in shares:
                raise xmlError(
                    f"Colliding cache allocations for cache level '{cache.level}' "
                    f"id '{cache.id}', type '{cache.type}'",
                    ErrorDomain.RESCTRL,
                )
            shares.add((cache.level, cache.id))
        checkMonitors(self.vcpus, self.monitors)
        return self


@definition
class MemoryShare:
    """A share of a node's memory bandwidth, in percent."""

    id: int | None = attribute(UINT, required=True)
    bandwidth: int | None = attribute(integer(zero=False), required=True)


@definition
class MemoryMonitor:
    """A watch on the use of memory bandwidth."""

    vcpus: frozenset[int] | None = attribute(
        _tuneSet("monitor"), required=True, missing=_noVCPUs("monitor")
    )


@definition
class MemoryTune(_Shared):
    """What some processors may use of memory bandwidth."""

    _vcpus: ClassVar[Kind] = _tuneSet("memorytune")

    vcpus: frozenset[int] = attribute(_vcpus, required=True, missing=_noVCPUs("memorytune"))
    nodes: tuple[MemoryShare, ...] = elements(MemoryShare, "node")
    monitors: tuple[MemoryMonitor, ...] = elements(MemoryMonitor, "monitor")

    def settle(self, node: Node, context: Context) -> MemoryTune:
        """A node is shared out once; monitors watch some of the processors, each set once."""
        shares: set[int | None] = set()
        for share in self.nodes:
            if share.id in shares:
                raise _sharedTwice(share)
            shares.add(share.id)
        checkMonitors(self.vcpus, self.monitors)
        return self


def _sharedTwice(share: MemoryShare) -> VirtError:
    return xmlError(f"Memory Bandwidth already defined for node {share.id}", ErrorDomain.RESCTRL)


def together(
    caches: Sequence[CacheTune], memories: Sequence[MemoryTune]
) -> tuple[tuple[CacheTune, ...], tuple[MemoryTune, ...]]:
    """
    Put together what is said of the same processors; leave out what says nothing.

    @raise VirtError: sets of processors overlap, or something is shared out twice.
    """
    known: list[frozenset[int]] = []

    def add(vcpus: frozenset[int], says: bool) -> bool:
        """Return whether these processors had something said of them."""
        if any(vcpus & other and vcpus != other for other in known):
            raise xmlError("Overlapping vcpus in resctrls")
        if vcpus in known:
            return True
        if says:
            known.append(vcpus)
        return False

    for tune in caches:
        if add(tune.vcpus, bool(tune.caches or tune.monitors)):
            raise xmlError("Identical vcpus in cachetunes found")
    done: dict[frozenset[int], MemoryTune] = {}
    for memory in memories:
        if not memory.nodes and not memory.monitors:
            continue
        add(memory.vcpus, True)
        before = done.setdefault(memory.vcpus, memory)
        if before is not memory:
            for share in memory.nodes:
                if any(share.id == other.id for other in before.nodes):
                    raise _sharedTwice(share)
            done[memory.vcpus] = replaced(
                before,
                nodes=before.nodes + memory.nodes,
                monitors=before.monitors + memory.monitors,
            )
    return tuple(each for each in caches if each.caches or each.monitors), tuple(done.values())
