"""
Statistics of many domains at once.

Each group of them is written by a function of its own; what QEMU must be asked for is asked once per domain, of all
at the same time, and not at all of one that is busy when the caller does not want to wait.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import DomainRef, DomainStatsRecord, TypedParam
from pyvirt.drivers.qemu.blockfacts import BlockFacts, fileSizes
from pyvirt.drivers.qemu.blocks.chain import Image, chain, disksOf, headerOf, localPath
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.listing import LIST_FLAGS, domainFilter
from pyvirt.drivers.qemu.live import takenMemory
from pyvirt.drivers.qemu.memoryfacts import TAGS, memoryStatistics
from pyvirt.drivers.qemu.netfacts import interfaceCounters
from pyvirt.drivers.qemu.perfevents import perfStatistics
from pyvirt.drivers.qemu.procfs import threadTimes
from pyvirt.drivers.qemu.refusals import checkFlags, unsupportedArgument
from pyvirt.drivers.qemu.together import allOf
from pyvirt.drivers.qemu.usedtimes import usedTimes
from pyvirt.errors import VirtError

__all__ = ["BulkStatistics"]

log = Logger()

_NOWAIT = c.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
_ENFORCE = c.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS
_BACKING = c.VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING
# Domains are chosen by fewer filters than they are listed by.
_FILTERS = LIST_FLAGS & 0xFF
_FLAGS = _FILTERS | _NOWAIT | _ENFORCE | _BACKING

_INT, _UINT = c.VIR_TYPED_PARAM_INT, c.VIR_TYPED_PARAM_UINT
_ULLONG, _STRING = c.VIR_TYPED_PARAM_ULLONG, c.VIR_TYPED_PARAM_STRING
_LLONG = c.VIR_TYPED_PARAM_LLONG

Params = Iterator[TypedParam]


def _state(domain: Domain) -> Params:
    yield TypedParam("state.state", _INT, domain.state)
    yield TypedParam("state.reason", _INT, domain.reason)


def _cpu(guest: Guest) -> Params:
    used = usedTimes(guest)
    yield TypedParam("cpu.time", _ULLONG, used.total)
    yield TypedParam("cpu.user", _ULLONG, used.user)
    yield TypedParam("cpu.system", _ULLONG, used.system)
    yield TypedParam("cpu.cache.monitor.count", _UINT, 0)
    yield TypedParam("cpu.haltpoll.success.time", _ULLONG, 0)
    yield TypedParam("cpu.haltpoll.fail.time", _ULLONG, 0)


def _vcpus(domain: Domain, guest: Guest | None) -> Params:
    vcpu = domain.definition.vcpu
    current = vcpu.maximum if vcpu.current is None else vcpu.current
    yield TypedParam("vcpu.current", _UINT, current)
    yield TypedParam("vcpu.maximum", _UINT, vcpu.maximum)
    if guest is None:
        return
    for number, thread in sorted(guest.vcpuThreads.items()):
        used = threadTimes(guest.pid, thread)
        if used is None:
            continue
        yield TypedParam(f"vcpu.{number}.state", _INT, c.VIR_VCPU_RUNNING)
        yield TypedParam(f"vcpu.{number}.time", _ULLONG, used.total)
        yield TypedParam(f"vcpu.{number}.wait", _ULLONG, 0)
        yield TypedParam(f"vcpu.{number}.delay", _ULLONG, used.delay)


def _interfaces(domain: Domain) -> Params:
    interfaces = domain.definition.devices.interfaces
    yield TypedParam("net.count", _UINT, len(interfaces))
    for number, interface in enumerate(interfaces):
        name = interface.target.dev if interface.target is not None else None
        if name is None:
            continue
        yield TypedParam(f"net.{number}.name", _STRING, name)
        try:
            counters = interfaceCounters(name)
        except VirtError:
            continue
        for field, value in zip(
            [
                "rx.bytes",
                "rx.pkts",
                "rx.errs",
                "rx.drop",
                "tx.bytes",
                "tx.pkts",
                "tx.errs",
                "tx.drop",
            ],
            counters,
            strict=True,
        ):
            yield TypedParam(f"net.{number}.{field}", _ULLONG, value)


def _shown(disk: Any, backing: bool) -> list[Image | None]:
    """Return the images of a disk that are told of; of an empty one, that it has none."""
    images: list[Image | None] = [*chain(disk)]
    return (images if backing else images[:1]) or [None]


def _blocks(domain: Domain, facts: BlockFacts | None, backing: bool) -> Params:
    """
    Tell about disks.

    @param facts: what QEMU says of them, None if it was not asked.
    @param backing: and about the images below those in use.
    """
    rows = [(disk, image) for disk in disksOf(domain.definition) for image in _shown(disk, backing)]
    yield TypedParam("block.count", _UINT, len(rows))
    shown: Any = None
    for number, (disk, image) in enumerate(rows):
        head = f"block.{number}"
        yield TypedParam(f"{head}.name", _STRING, (disk.target and disk.target.dev) or "")
        path = None if image is None else localPath(image.source)
        if path:
            yield TypedParam(f"{head}.path", _STRING, path)
        below, shown = shown is disk, disk
        if facts is None:
            if image is not None and path and not domain.active:
                yield from _sizes(head, image, path)
        elif below:
            yield from _below(head, image, facts)
        else:
            yield from _inUse(head, disk, image, path, facts, number)


def _inUse(
    head: str, disk: Any, image: Image | None, path: str | None, facts: BlockFacts, number: int
) -> Params:
    """Tell about the image of a disk that is in use."""
    alias = disk.alias or ""
    # A drive whose medium has been taken out has a number too.
    index = getattr(disk.source, "index", None) if image is None else image.index
    if path or index:
        yield TypedParam(f"{head}.backingIndex", _UINT, index or number + 1)
    counters = facts.counters(alias)
    for field, name in (
        ("rd.reqs", "rd_operations"),
        ("rd.bytes", "rd_bytes"),
        ("rd.times", "rd_total_times"),
        ("wr.reqs", "wr_operations"),
        ("wr.bytes", "wr_bytes"),
        ("wr.times", "wr_total_times"),
        ("fl.reqs", "flush_operations"),
        ("fl.times", "flush_total_times"),
    ):
        if name in counters:
            yield TypedParam(f"{head}.{field}", _ULLONG, counters[name])
    if image is not None:
        yield TypedParam(f"{head}.allocation", _ULLONG, facts.highest(alias))
        capacity = facts.capacity(alias)
        if capacity:
            yield TypedParam(f"{head}.capacity", _ULLONG, capacity)
        physical = facts.actual(alias)
        if not physical and path:
            # QEMU does not tell what takes no room.
            with suppress(VirtError):
                physical = fileSizes(path).physical
        yield TypedParam(f"{head}.physical", _ULLONG, physical)
    yield from _threshold(head, image, facts)


def _below(head: str, image: Any, facts: BlockFacts) -> Params:
    """Tell about an image below the one in use."""
    if image.index is not None:
        yield TypedParam(f"{head}.backingIndex", _UINT, image.index)
    yield TypedParam(f"{head}.allocation", _ULLONG, facts.highestOf(image.storageName))
    capacity = facts.capacityOf(image.formatName)
    if capacity:
        yield TypedParam(f"{head}.capacity", _ULLONG, capacity)
    actual = facts.actualOf(image.formatName)
    if actual:
        yield TypedParam(f"{head}.physical", _ULLONG, actual)
    yield from _threshold(head, image, facts)


def _threshold(head: str, image: Image | None, facts: BlockFacts) -> Params:
    threshold = 0 if image is None else facts.threshold(image.storageName)
    if threshold:
        yield TypedParam(f"{head}.threshold", _ULLONG, threshold)


def _sizes(head: str, image: Image, path: str) -> Params:
    """Tell the sizes of an image that nobody uses, those that are not 0."""
    try:
        sizes = fileSizes(path)
        capacity = headerOf(image.source, image.format).capacity
    except (VirtError, OSError):
        return
    for name, size in (
        ("allocation", sizes.allocation),
        ("capacity", capacity or sizes.physical),
        ("physical", sizes.physical),
    ):
        if size:
            yield TypedParam(f"{head}.{name}", _ULLONG, size)


def _balloon(domain: Domain, told: dict[int, int] | None) -> Params:
    definition = domain.definition
    current = definition.currentMemory
    amount = definition.memory.amount if current is None else current
    if told is not None:
        actual = told.get(c.VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON)
        amount = amount if actual is None else actual + takenMemory(definition)
    yield TypedParam("balloon.current", _ULLONG, amount)
    yield TypedParam("balloon.maximum", _ULLONG, definition.memory.amount)
    for name, tag in TAGS.items():
        if told is not None and tag in told:
            yield TypedParam(f"balloon.{name}", _ULLONG, told[tag])


def _iothreads(threads: Any) -> Params:
    known = (
        [each for each in threads if isinstance(each, dict)] if isinstance(threads, list) else []
    )
    if not known:
        return
    yield TypedParam("iothread.count", _UINT, len(known))
    for each in known:
        number = str(each.get("id", "")).removeprefix("iothread")
        for field, name, kind in (
            ("max-ns", "poll-max-ns", _ULLONG),
            ("grow", "poll-grow", _UINT),
            ("shrink", "poll-shrink", _UINT),
        ):
            value = each.get(name)
            if type(value) is int and value >= 0:
                yield TypedParam(f"iothread.{number}.poll-{field}", kind, value)


_DIRTY = {"unstarted": 0, "measuring": 1, "measured": 2}


def _dirtyRate(reply: Any) -> Params:
    if not isinstance(reply, dict):
        return
    yield TypedParam("dirtyrate.calc_status", _INT, _DIRTY.get(str(reply.get("status")), 0))
    for name, field in (("start-time", "calc_start_time"), ("calc-time", "calc_period")):
        value = reply.get(name)
        if type(value) is int:
            kind = _LLONG if field == "calc_start_time" else _INT
            yield TypedParam(f"dirtyrate.{field}", kind, value)
    yield TypedParam("dirtyrate.calc_mode", _STRING, str(reply.get("mode", "page-sampling")))
    rate = reply.get("dirty-rate")
    if type(rate) is int:
        yield TypedParam("dirtyrate.megabytes_per_second", _LLONG, rate)


_GROUPS = (
    c.VIR_DOMAIN_STATS_STATE
    | c.VIR_DOMAIN_STATS_CPU_TOTAL
    | c.VIR_DOMAIN_STATS_BALLOON
    | c.VIR_DOMAIN_STATS_VCPU
    | c.VIR_DOMAIN_STATS_INTERFACE
    | c.VIR_DOMAIN_STATS_BLOCK
    | c.VIR_DOMAIN_STATS_PERF
    | c.VIR_DOMAIN_STATS_IOTHREAD
    | c.VIR_DOMAIN_STATS_MEMORY
    | c.VIR_DOMAIN_STATS_DIRTYRATE
)


async def _reply(guest: Guest, question: str) -> Any:
    return await guest.execute(question)


class BulkStatistics:
    """Answers for many domains at once."""

    _hypervisor: Hypervisor

    async def connectGetAllDomainStats(
        self, doms: list[DomainRef], stats: int, flags: int
    ) -> list[DomainStatsRecord]:
        """Tell about some domains or all."""
        checkFlags("qemuConnectGetAllDomainStats", flags, _FLAGS)
        unknown = stats & ~_GROUPS
        if unknown and flags & _ENFORCE:
            raise unsupportedArgument(
                f"Stats types bits 0x{unknown & 0xFFFFFFFF:x} are not supported by this daemon or QEMU"
            )
        wanted = stats & _GROUPS if stats else _GROUPS
        domains = self._hypervisor.domains
        if doms:
            known = map(domains.identified, [ref.uuid for ref in doms])
            found = [domain for domain in known if domain is not None]
        else:
            found = list(domains)
        test = domainFilter(flags & _FILTERS)
        if test is not None:
            found = [domain for domain in found if test(domain)]
        # Whoever waits for its QEMU does not keep the others waiting.
        return await allOf(self._record(each, wanted, flags) for each in found)

    async def _record(self, domain: Domain, wanted: int, flags: int) -> DomainStatsRecord:
        guest = domain.guest
        if guest is not None and (guest.starting or not domain.active):
            guest = None
        ask = guest is not None and guest.monitor is not None
        backing = bool(flags & _BACKING)
        if flags & _NOWAIT and (domain.jobs.holder is not None or domain.jobs.long is not None):
            ask = False
        replies: dict[str, Any] = {}
        if guest is not None and ask:
            try:
                replies = await self._ask(domain, guest, wanted, backing)
            except VirtError as error:
                log.debug("{name}: {error}", name=domain.name, error=error)
        params: list[TypedParam] = []
        if wanted & c.VIR_DOMAIN_STATS_STATE:
            params += _state(domain)
        if wanted & c.VIR_DOMAIN_STATS_CPU_TOTAL and guest is not None:
            params += _cpu(guest)
        if wanted & c.VIR_DOMAIN_STATS_BALLOON:
            params += _balloon(domain, replies.get("memory"))
        if wanted & c.VIR_DOMAIN_STATS_VCPU:
            params += _vcpus(domain, guest)
        if wanted & c.VIR_DOMAIN_STATS_INTERFACE and guest is not None:
            params += _interfaces(domain)
        if wanted & c.VIR_DOMAIN_STATS_BLOCK:
            params += _blocks(domain, replies.get("blocks"), backing)
        if wanted & c.VIR_DOMAIN_STATS_PERF and guest is not None:
            params += perfStatistics(guest)
        if wanted & c.VIR_DOMAIN_STATS_IOTHREAD:
            params += _iothreads(replies.get("iothreads"))
        if wanted & c.VIR_DOMAIN_STATS_DIRTYRATE:
            params += _dirtyRate(replies.get("dirtyrate"))
        return DomainStatsRecord(domain.ref, params)

    @staticmethod
    async def _ask(domain: Domain, guest: Guest, wanted: int, backing: bool) -> dict[str, Any]:
        """Ask QEMU for what only it knows."""
        asked: dict[str, Coroutine[Deferred[Any], Any, Any]] = {}
        if wanted & c.VIR_DOMAIN_STATS_BALLOON:
            asked["memory"] = memoryStatistics(domain, guest)
        if wanted & c.VIR_DOMAIN_STATS_BLOCK and domain.definition.devices.disks:
            asked["blocks"] = BlockFacts.ask(guest, nodes=backing or guest.thresholds)
        if wanted & c.VIR_DOMAIN_STATS_IOTHREAD and domain.definition.iothreads:
            asked["iothreads"] = _reply(guest, "query-iothreads")
        if wanted & c.VIR_DOMAIN_STATS_DIRTYRATE:
            asked["dirtyrate"] = _reply(guest, "query-dirty-rate")
        return dict(zip(asked, await allOf(asked.values()), strict=True))
