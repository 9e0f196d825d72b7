"""
How a domain shares the host: memory, block IO, processors, NUMA nodes, IO threads.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

from pyvirt.definitions.domain._cpu import domainOf, processorsOf, setKind, someKind
from pyvirt.definitions.domain._resctrl import CacheTune, MemoryTune, together
from pyvirt.definitions.kinds import (
    UINT,
    Kind,
    choice,
    custom,
    integer,
    internal,
    missingAttribute,
    number,
    unsupported,
    xmlError,
)
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    plainReader,
    plainWriter,
    present,
    replaced,
    special,
)
from pyvirt.definitions.units import parseSet, scaledKiB, scaledText
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = [
    "BlkioTune",
    "CPUTune",
    "DefaultIOThread",
    "IOThreadIds",
    "MemTune",
    "MemoryBacking",
]

UNLIMITED = 9007199254740991


def _kib(tag: str, path: str) -> Any:
    """A field of an element whose text is a size, kept and written in KiB."""
    return special(
        tags=tag,
        read=lambda node, kids, context: scaledKiB(kids[tag][0], path) if tag in kids else None,
        write=lambda value, out, indent, context: out.append(
            f"{indent}<{tag} unit='KiB'>{value}</{tag}>\n"
        ),
    )


def _limit(tag: str) -> Any:
    def read(node: Node, kids: dict[str, list[Node]], context: Context) -> int | None:
        if tag not in kids:
            return None
        value = scaledKiB(kids[tag][0], f"./memtune/{tag}[1]")
        unlimited = value is None or value >= UNLIMITED
        # What is guaranteed is told only where it is anything.
        return None if unlimited or (tag == "min_guarantee" and not value) else value

    def write(value: int, out: list[str], indent: str, context: Context) -> None:
        # A limit that was set while the domain is known may be larger than none.
        if value < UNLIMITED:
            out.append(f"{indent}<{tag} unit='KiB'>{value}</{tag}>\n")

    return special(tags=tag, read=read, write=write)


@definition
class MemTune:
    """Limits of memory, in KiB; None for no limit."""

    xmlOmitEmpty: ClassVar[bool] = True

    hardLimit: int | None = _limit("hard_limit")
    softLimit: int | None = _limit("soft_limit")
    minGuarantee: int | None = _limit("min_guarantee")
    swapHardLimit: int | None = _limit("swap_hard_limit")


@definition
class Page:
    """Huge pages of one size, in KiB, for some of the guest's nodes."""

    size: int = attribute(
        Kind(lambda text, node, name: -(-scaledText(text, node.get("unit"), "./@size") // 1024)),
        required=True,
        missing=lambda node: xmlError("missing element or attribute './@size'", ErrorDomain.XML),
    )
    unit: str | None = attribute(Kind(lambda text, node, name: "KiB"), default="KiB")
    nodeset: frozenset[int] | None = attribute(setKind())

    def settle(self, node: Node, context: Context) -> Page:
        """A page has a size."""
        if not self.size:
            raise virtError(ErrorCode.XML_DETAIL, "hugepage size can't be zero", ErrorDomain.DOMAIN)
        return self


@definition
class HugePages:
    """Sizes of huge pages; none for the host's default."""

    pages: tuple[Page, ...] = elements(Page, "page")

    def check(self, cells: int) -> None:
        """Complain where a node has pages of two sizes, or is not among so many cells."""
        master: Page | None = None
        for position, page in enumerate(self.pages):
            if page.nodeset:
                for number in sorted(page.nodeset):
                    if number >= cells:
                        raise _plain(f"hugepages: node {number} not found")
                for other in self.pages[:position]:
                    if other.nodeset and other.nodeset & page.nodeset:
                        raise _plain(
                            f"nodeset attribute of hugepages of sizes {page.size} and "
                            f"{other.size} intersect"
                        )
            elif master is not None:
                raise _plain(f"two master hugepages detected: {page.size} and {master.size}")
            else:
                master = page


def _plain(text: str) -> VirtError:
    return virtError(ErrorCode.XML_DETAIL, text, ErrorDomain.DOMAIN)


@definition
class Allocation:
    """When memory is taken from the host, and by how many threads."""

    xmlOmitEmpty: ClassVar[bool] = True

    mode: str | None = attribute(
        choice(
            "none immediate ondemand",
            error=unsupported("unknown memoryBacking/allocation/mode '{text}'"),
            absent="none",
        )
    )
    threads: int | None = attribute(
        integer(keepZero=False, error=custom("Failed to parse memory allocation threads"))
    )


@definition
class MemoryBacking:
    """What the guest's memory is made of."""

    xmlOmitEmpty: ClassVar[bool] = True
    xmlReadOrder: ClassVar[str] = "source access allocation discard nosharepages locked hugepages"

    hugepages: HugePages | None = element(HugePages)
    nosharepages: bool = present()
    locked: bool = present()
    source: str | None = elementAttribute(
        "source",
        "type",
        choice(
            "none file anonymous memfd",
            error=unsupported("unknown memoryBacking/source/type '{text}'"),
            absent="none",
        ),
    )
    access: str | None = elementAttribute(
        "access",
        "mode",
        choice(
            "shared private",
            error=unsupported("unknown memoryBacking/access/mode '{text}'"),
            empty=True,
        ),
    )
    allocation: Allocation | None = element(Allocation)
    discard: bool = present()


def _bound(tag: str, bits: int = 32) -> Any:
    return element(
        integer(
            bits=bits,
            keepZero=False,
            error=lambda text, node, name: unsupported(
                f"could not parse {name.replace('_', ' ')} {{text}}"
            )(text, node, name),
        ),
        tag,
    )


@definition
class BlkioDevice:
    """Limits of one block device of the host."""

    path: str | None = element()
    weight: int | None = _bound("weight")
    readIops: int | None = _bound("read_iops_sec")
    writeIops: int | None = _bound("write_iops_sec")
    readBytes: int | None = _bound("read_bytes_sec", 64)
    writeBytes: int | None = _bound("write_bytes_sec", 64)

    def settle(self, node: Node, context: Context) -> BlkioDevice:
        """A device has a path."""
        if self.path is None:
            raise unsupported("missing per-device path")("", node, "")
        return self

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write a device that has a limit; one that has none any more is known but not written."""
        if value != BlkioDevice(path=value.path):
            plainWriter(BlkioDevice)(value, out, indent, tag, context)


@definition
class BlkioTune:
    """Shares of block IO."""

    xmlOmitEmpty: ClassVar[bool] = True

    weight: int | None = element(Kind(lambda text, node, name: number(text) or None))
    devices: tuple[BlkioDevice, ...] = elements(BlkioDevice, "device")

    def settle(self, node: Node, context: Context) -> BlkioTune:
        """A device is named once."""
        seen: set[str | None] = set()
        for device in self.devices:
            if device.path in seen:
                raise unsupported(f"duplicate blkio device path '{device.path}'")("", node, "")
            seen.add(device.path)
        return self


@definition
class IOThread:
    """
    A thread that does IO.

    @ivar counted: nobody gave it its number: where that is so of all threads, none is written.
    """

    id: int = attribute(integer(zero=False), required=True)
    threadPoolMin: int | None = attribute(integer(signed=True, minimum=0), "thread_pool_min")
    threadPoolMax: int | None = attribute(integer(signed=True, minimum=0), "thread_pool_max")
    counted: bool = False


@definition
class IOThreadIds:
    """The numbers of the threads that do IO."""

    threads: tuple[IOThread, ...] = elements(IOThread, "iothread")

    def settle(self, node: Node, context: Context) -> IOThreadIds:
        """Each number is of one thread."""
        seen: set[int] = set()
        for thread in self.threads:
            if thread.id in seen:
                raise xmlError(f"duplicate iothread id '{thread.id}' found")
            seen.add(thread.id)
        return self

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write all numbers if any was given, or has a pool."""
        if not all(
            thread.counted and thread.threadPoolMin is None and thread.threadPoolMax is None
            for thread in value.threads
        ):
            plainWriter(IOThreadIds)(value, out, indent, tag, context)


@definition
class DefaultIOThread:
    """The pool of the main loop's threads."""

    xmlOmitEmpty: ClassVar[bool] = True

    threadPoolMin: int | None = attribute(integer(signed=True, minimum=0), "thread_pool_min")
    threadPoolMax: int | None = attribute(integer(signed=True, minimum=0), "thread_pool_max")


def _time(tag: str, signed: bool = False) -> Any:
    words = tag.replace("_", " ")
    return element(
        integer(
            bits=64,
            signed=signed,
            keepZero=False,
            error=custom(f"can't parse cputune {words} value"),
        ),
        tag,
    )


@definition
class VCPUPin:
    """Where a processor of the guest may run."""

    @classmethod
    def readElement(cls, node: Node, context: Context) -> VCPUPin | None:
        """Read a pin; of a processor that is not there nothing but the number counts."""
        text = node.get("vcpu")
        if text is not None:
            vcpu = UINT.read(text, node, "vcpu")
            if vcpu >= (number(node.getparent().getparent().findtext("vcpu") or "1") or 1):
                return None
        found: VCPUPin = plainReader(VCPUPin)(node, context)
        return found

    vcpu: int = attribute(UINT, required=True)
    cpuset: frozenset[int] | None = attribute(
        someKind("cpuset"), required=True, missing=lambda node: _noSet("vcpupin")
    )


@definition
class IOThreadPin:
    """Where a thread that does IO may run."""

    @classmethod
    def readElement(cls, node: Node, context: Context) -> IOThreadPin:
        """Read a pin, which is of a thread that is there."""
        text = node.get("iothread")
        if text is not None:
            thread = integer(zero=False).read(text, node, "iothread")
            if thread not in _threadsOf(node.getparent().getparent()):
                raise unsupported(f"Cannot find 'iothread' : {thread}")("", node, "")
        found: IOThreadPin = plainReader(IOThreadPin)(node, context)
        return found

    iothread: int = attribute(integer(zero=False), required=True)
    cpuset: frozenset[int] | None = attribute(
        someKind("cpuset"), required=True, missing=lambda node: _noSet("iothreadpin")
    )


def _noSet(tag: str) -> Exception:
    return virtError(ErrorCode.INTERNAL_ERROR, f"missing cpuset for {tag}", ErrorDomain.DOMAIN)


@definition
class EmulatorPin:
    """Where the emulator may run."""

    cpuset: frozenset[int] | None = attribute(
        someKind("cpuset"), required=True, missing=lambda node: _noSet("emulatorpin")
    )


_POLICY = choice("batch idle fifo rr")


@definition
class Sched:
    """How some threads are scheduled."""

    vcpus: frozenset[int] | None = attribute(setKind())
    iothreads: frozenset[int] | None = attribute(setKind())
    scheduler: str = attribute(_POLICY, required=True)
    priority: int | None = attribute(integer(signed=True))

    def settle(self, node: Node, context: Context) -> Sched:
        """
        Check that the threads are there.

        A priority counts only for real-time scheduling, and must be there for it.
        """
        for tag, name in (("vcpusched", "vcpus"), ("iothreadsched", "iothreads")):
            if node.tag == tag and not getattr(self, name):
                if node.get(name) is None:
                    raise xmlError(f"Missing attribute '{name}' in element '{tag}'")
                raise unsupported(f"'{name}' scheduler bitmap '{node.get(name)}' is empty")(
                    "", node, ""
                )
        timely = self.scheduler in ("fifo", "rr")
        if timely and self.priority is None:
            raise missingAttribute(node, "priority")
        _checkThere(self, domainOf(node))
        return self if timely else replaced(self, priority=None)


def _checkThere(sched: Sched, domain: Node) -> None:
    """Threads that are scheduled are there."""
    count = processorsOf(domain) if sched.vcpus else 0
    for vcpu in sorted(sched.vcpus or ()):
        if vcpu >= count:
            raise unsupported(f"vCPU '{vcpu}' is not present in domain definition")("", domain, "")
    known = _threadsOf(domain) if sched.iothreads else []
    for thread in sorted(sched.iothreads or ()):
        if thread not in known:
            raise unsupported(f"Cannot find 'iothread' : {thread}")("", domain, "")


def _checkPins(node: Node) -> None:
    """A processor that there is is pinned once, and so is the emulator."""
    seen: set[int] = set()
    counts = [child.text for child in node.getparent() if child.tag == "vcpu"]
    most = int(counts[0]) if counts and (counts[0] or "").isdigit() else 1
    for child in node:
        if child.tag == "vcpupin" and (number := (child.get("vcpu") or "").strip()).isdigit():
            if int(number) in seen and int(number) < most:
                raise virtError(
                    ErrorCode.INTERNAL_ERROR,
                    f"duplicate vcpupin for vcpu '{int(number)}'",
                    ErrorDomain.DOMAIN,
                )
            seen.add(int(number))
    if sum(child.tag == "emulatorpin" for child in node) > 1:
        raise xmlError("only one emulatorpin is supported")


def _checkScheds(node: Node) -> None:
    """A thread is scheduled in one way."""
    for tag, name in (("vcpusched", "vcpus"), ("iothreadsched", "iothreads")):
        seen: frozenset[int] = frozenset()
        for child in node.iterfind(tag):
            numbers = parseSet(child.get(name) or "", size=16384) or frozenset()
            if numbers & seen:
                raise virtError(
                    ErrorCode.XML_DETAIL,
                    f"'{tag}' attributes '{name}' must not overlap",
                    ErrorDomain.DOMAIN,
                )
            seen |= numbers
    if len(node.findall("emulatorsched")) > 1:
        raise xmlError("only one emulatorsched is supported")


@definition
class CPUTune:
    """Shares and places of processors, threads and the emulator; times in microseconds."""

    xmlOmitEmpty: ClassVar[bool] = True

    shares: int | None = element(integer(bits=64, error=custom("can't parse cputune shares value")))
    period: int | None = _time("period")
    quota: int | None = _time("quota", True)
    globalPeriod: int | None = _time("global_period")
    globalQuota: int | None = _time("global_quota", True)
    emulatorPeriod: int | None = _time("emulator_period")
    emulatorQuota: int | None = _time("emulator_quota", True)
    iothreadPeriod: int | None = _time("iothread_period")
    iothreadQuota: int | None = _time("iothread_quota", True)
    vcpupins: tuple[VCPUPin, ...] = elements(VCPUPin, "vcpupin")
    pinned: None = special(read=lambda node, kids, context: _checkPins(node))
    emulatorpin: EmulatorPin | None = element(EmulatorPin)
    iothreadpins: tuple[IOThreadPin, ...] = elements(IOThreadPin, "iothreadpin")
    emulatorsched: Sched | None = element(Sched)
    vcpuscheds: tuple[Sched, ...] = elements(Sched, "vcpusched")
    iothreadscheds: tuple[Sched, ...] = elements(Sched, "iothreadsched")
    scheduled: None = special(read=lambda node, kids, context: _checkScheds(node))
    cachetunes: tuple[CacheTune, ...] = elements(CacheTune, "cachetune")
    memorytunes: tuple[MemoryTune, ...] = elements(MemoryTune, "memorytune")

    def settle(self, node: Node, context: Context) -> CPUTune:
        """Sort pins; write one scheduler for each processor or thread."""
        threads = _threadsOf(node.getparent())
        pinned: set[int] = set()
        for thread in self.iothreadpins:
            if thread.iothread in pinned:
                raise internal(f"duplicate iothreadpin for same iothread '{thread.iothread}'")(
                    "", node, ""
                )
            pinned.add(thread.iothread)
        if sum(child.tag == "emulatorpin" for child in node) > 1:
            raise xmlError("only one emulatorpin is supported")
        cachetunes, memorytunes = together(
            [tune for tune in self.cachetunes if tune is not None],
            [tune for tune in self.memorytunes if tune is not None],
        )
        pins = sorted((pin for pin in self.vcpupins if pin), key=lambda pin: pin.vcpu)
        for pin, after in itertools.pairwise(pins):
            if pin.vcpu == after.vcpu:
                raise virtError(
                    ErrorCode.INTERNAL_ERROR,
                    f"duplicate vcpupin for vcpu '{pin.vcpu}'",
                    ErrorDomain.DOMAIN,
                )
        return replaced(
            self,
            vcpupins=tuple(pins),
            iothreadpins=tuple(
                sorted(self.iothreadpins, key=lambda pin: threads.index(pin.iothread))
            ),
            cachetunes=cachetunes,
            memorytunes=memorytunes,
            vcpuscheds=_spread(self.vcpuscheds, "vcpus"),
            iothreadscheds=_spread(self.iothreadscheds, "iothreads", threads),
        )


def _threadsOf(domain: Node) -> list[int]:
    """Return the numbers of the IO threads of a domain: those it names, then the lowest that are free."""
    count = number(xmlText(found)) if (found := domain.find("iothreads")) is not None else 0
    numbers = (number(each.get("id") or "") for each in domain.findall("iothreadids/iothread"))
    known = dict.fromkeys(each for each in numbers if each is not None)
    free = 1
    while len(known) < min(count or 0, 65536):
        known.setdefault(free)
        free += 1
    return list(known)


def _spread(scheds: tuple[Sched, ...], name: str, order: Sequence[int] = ()) -> tuple[Sched, ...]:
    """
    Give each processor or thread a scheduler of its own.

    @param order: how they are ordered, where that is not by their numbers.
    """
    found: dict[int, Sched] = {}
    for sched in scheds:
        for thread in getattr(sched, name):
            change: dict[str, Any] = {name: frozenset([thread])}
            found[thread] = replaced(sched, **change)
    numbered = [found[number] for number in sorted(found)]
    if order:
        ranks = {thread: rank for rank, thread in enumerate(order)}
        numbered.sort(key=lambda sched: ranks.get(min(getattr(sched, name)), len(ranks)))
    return tuple(numbered)
