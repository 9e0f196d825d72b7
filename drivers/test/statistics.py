"""
What guests are said to use: numbers that follow from the clock, so that they grow as those of guests do.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._security import Perf, PerfEvent
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicenames import diskOf, interfaceOf
from pyvirt.drivers.interfaces.values import (
    BlockInfo,
    BlockStats,
    DomainDiskError,
    DomainMemoryStat,
    DomainRef,
    DomainStatsRecord,
    InterfaceStats,
    TypedParam,
)
from pyvirt.drivers.test.definition import domainFilter
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.refusals import (
    IMPACT,
    READING,
    checkFlags,
    internal,
    invalidArgument,
    unsupportedArgument,
)
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.params import validateParams

__all__ = ["DomainStatistics"]

_TIB = 1024**4
_CLUSTERS = 1099506450432
_LAST_UPDATE = 627319920

_CPU_TIME = 48772617035
_USER_TIME = 5540000000
_SYSTEM_TIME = 6460000000
_VCPU_TIME = 46303481255

_STATS_FLAGS = (
    0xFF
    | c.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
    | c.VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING
    | c.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS
)
_FILTERS = 0xFF

#: Performance events in the order in which they are told.
PERF_EVENTS = [
    "cmt",
    "mbmt",
    "mbml",
    "cpu_cycles",
    "instructions",
    "cache_references",
    "cache_misses",
    "branch_instructions",
    "branch_misses",
    "bus_cycles",
    "stalled_cycles_frontend",
    "stalled_cycles_backend",
    "ref_cpu_cycles",
    "cpu_clock",
    "task_clock",
    "page_faults",
    "context_switches",
    "cpu_migrations",
    "page_faults_min",
    "page_faults_maj",
    "alignment_faults",
    "emulation_faults",
]


#: The few states that domains are in, ready to be told: bulk statistics repeat them for every domain.
_STATES: dict[tuple[int, int], list[TypedParam]] = {}


def _state(domain: Domain) -> DomainStatsRecord:
    key = (domain.state, domain.reason)
    params = _STATES.get(key)
    if params is None:
        params = _STATES[key] = [
            TypedParam("state.state", c.VIR_TYPED_PARAM_INT, domain.state),
            TypedParam("state.reason", c.VIR_TYPED_PARAM_INT, domain.reason),
        ]
    return DomainStatsRecord(domain.ref, params)


def _threads(domain: Domain) -> Iterator[TypedParam]:
    threads = domain.threads
    yield TypedParam("iothread.count", c.VIR_TYPED_PARAM_UINT, len(threads))
    for each in threads:
        prefix = f"iothread.{each.thread}.poll-"
        yield TypedParam(f"{prefix}max-ns", c.VIR_TYPED_PARAM_ULLONG, each.longest)
        yield TypedParam(f"{prefix}grow", c.VIR_TYPED_PARAM_UINT, each.grow)
        yield TypedParam(f"{prefix}shrink", c.VIR_TYPED_PARAM_UINT, each.shrink)


class DomainStatistics:
    """Answers what guests use."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._find = world.domains.find

    def connectGetAllDomainStats(
        self, doms: list[DomainRef], stats: int, flags: int
    ) -> list[DomainStatsRecord]:
        """Tell the state of some domains or of all, and how the IO threads poll that were added to them."""
        checkFlags("testConnectGetAllDomainStats", flags, _STATS_FLAGS)
        unknown = stats & ~(c.VIR_DOMAIN_STATS_STATE | c.VIR_DOMAIN_STATS_IOTHREAD)
        if unknown and flags & c.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS:
            raise unsupportedArgument(
                f"Stats types bits 0x{unknown:x} are not supported by this daemon"
            )
        test = domainFilter(flags & _FILTERS)
        domains = self._world.domains
        if doms:
            known = map(domains.identified, [ref.uuid for ref in doms])
            found = [domain for domain in known if domain is not None]
        else:
            found = list(domains)
        if test is not None:
            found = [domain for domain in found if test(domain)]
        if stats and not stats & c.VIR_DOMAIN_STATS_STATE:
            records = [DomainStatsRecord(domain.ref, []) for domain in found]
        else:
            records = [_state(domain) for domain in found]
        if not stats or stats & c.VIR_DOMAIN_STATS_IOTHREAD:
            for place, domain in enumerate(found):
                if domain.threads and domain.active:
                    params = [*records[place].params, *_threads(domain)]
                    records[place] = DomainStatsRecord(domain.ref, params)
        if not stats or stats & c.VIR_DOMAIN_STATS_DIRTYRATE:
            for place, domain in enumerate(found):
                if domain.dirtying is not None:
                    rate = domain.dirtying.parameters(self._world.clock.seconds())
                    records[place] = DomainStatsRecord(domain.ref, [*records[place].params, *rate])
        return records

    def domainBlockStats(self, dom: DomainRef, path: str) -> BlockStats:
        """Tell requests and bytes of one disk."""
        if not path:
            raise virtError(
                ErrorCode.OPERATION_UNSUPPORTED,
                "summary statistics are not supported yet",
                ErrorDomain.TEST,
            )
        domain = self._find(dom)
        domain.checkActive()
        if diskOf(domain.definition, path) is None:
            raise invalidArgument(f"invalid path: {path}")
        now = self._world.now()
        return BlockStats(now // 10, now // 20, now // 30, now // 40, now // 1000000 // 2)

    def domainInterfaceStats(self, dom: DomainRef, device: str) -> InterfaceStats:
        """Tell the traffic of one interface."""
        domain = self._find(dom)
        domain.checkActive()
        interfaceOf(domain.definition, device)
        now = self._world.now()
        seconds = now // 1000000
        return InterfaceStats(
            now // 10,
            now // 100,
            seconds,
            seconds // 2,
            now // 20,
            now // 110,
            seconds // 3,
            seconds // 4,
        )

    def domainMemoryStats(self, dom: DomainRef, flags: int) -> list[DomainMemoryStat]:
        """Tell the use of memory in KiB; nothing is known of a guest without a balloon."""
        checkFlags("testDomainMemoryStats", flags)
        domain = self._find(dom)
        domain.checkActive()
        definition = domain.definition
        if not _hasBalloon(definition):
            return []
        memory = definition.currentMemory or 0
        half = memory // 2
        return [
            DomainMemoryStat(tag, value)
            for tag, value in (
                (c.VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON, memory),
                (c.VIR_DOMAIN_MEMORY_STAT_SWAP_IN, 0),
                (c.VIR_DOMAIN_MEMORY_STAT_SWAP_OUT, 0),
                (c.VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT, 0),
                (c.VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT, 0),
                (c.VIR_DOMAIN_MEMORY_STAT_UNUSED, half),
                (c.VIR_DOMAIN_MEMORY_STAT_AVAILABLE, memory),
                (c.VIR_DOMAIN_MEMORY_STAT_USABLE, half),
                (c.VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE, _LAST_UPDATE),
                (c.VIR_DOMAIN_MEMORY_STAT_DISK_CACHES, memory // 8),
                (c.VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC, 0),
                (c.VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL, 0),
                (c.VIR_DOMAIN_MEMORY_STAT_RSS, half),
            )
        ]

    def domainSetMemoryStatsPeriod(self, dom: DomainRef, period: int, flags: int) -> None:
        """Say how often memory is measured, in seconds; 0: never."""
        checkFlags("testDomainSetMemoryStatsPeriod", flags, IMPACT)

        def changed(definition: DomainDefinition) -> DomainDefinition:
            if not _hasBalloon(definition):
                raise internal(
                    "No memory balloon device configured, can not set the collection period"
                )
            balloon = replaced(definition.devices.memballoon, stats=period or None)
            return replaced(definition, devices=replaced(definition.devices, memballoon=balloon))

        domain = self._find(dom)
        domain.changeBoth(*domain.impactOfOne(flags), changed)

    def domainGetBlockInfo(self, dom: DomainRef, path: str, flags: int) -> BlockInfo:
        """Tell the sizes of one disk."""
        checkFlags("testDomainGetBlockInfo", flags)
        domain = self._find(dom)
        disk = diskOf(domain.definition, path)
        if disk is None:
            raise invalidArgument(f"invalid path {path} not assigned to domain")
        if disk.source is None or disk.source.isEmpty:
            raise invalidArgument(f"disk '{path}' does not currently have a source assigned")
        size = domain.diskSize(disk.target.dev, _TIB)
        return BlockInfo(size, min(size, _CLUSTERS), size)

    def domainGetDiskErrors(self, dom: DomainRef, flags: int) -> list[DomainDiskError]:
        """Tell an error of each disk: no space and others in turn."""
        checkFlags("testDomainGetDiskErrors", flags)
        domain = self._find(dom)
        domain.checkActive()
        return [
            DomainDiskError(disk.target.dev, number % 2 + 1)
            for number, disk in enumerate(domain.definition.devices.disks)
            if disk.target is not None and disk.target.dev is not None
        ]

    def domainGetCPUStats(
        self, dom: DomainRef, startCPU: int, ncpus: int, flags: int
    ) -> list[list[TypedParam]]:
        """Tell the CPU time used, of as many CPUs as the host has cores in a socket, or in total."""
        checkFlags("testDomainGetCPUStats", flags, c.VIR_TYPED_PARAM_STRING_OKAY)
        domain = self._find(dom)
        domain.checkActive()
        if startCPU == -1:
            return [
                [
                    _time(c.VIR_DOMAIN_CPU_STATS_CPUTIME, _CPU_TIME),
                    _time(c.VIR_DOMAIN_CPU_STATS_USERTIME, _USER_TIME),
                    _time(c.VIR_DOMAIN_CPU_STATS_SYSTEMTIME, _SYSTEM_TIME),
                ]
            ]
        cpus = self._world.node.cores
        if startCPU >= cpus:
            raise invalidArgument(f"start_cpu {startCPU} larger than maximum of {cpus - 1}")
        count = cpus - startCPU
        if ncpus:
            count = min(count, ncpus)
        return [
            [
                _time(c.VIR_DOMAIN_CPU_STATS_CPUTIME, _CPU_TIME // cpus + number),
                _time(c.VIR_DOMAIN_CPU_STATS_VCPUTIME, _VCPU_TIME // cpus + number),
            ]
            for number in range(startCPU, startCPU + count)
        ]

    def domainGetPerfEvents(self, dom: DomainRef, flags: int) -> list[TypedParam]:
        """Tell which performance events are counted."""
        checkFlags("testDomainGetPerfEvents", flags, READING)
        perf = self._find(dom).one(flags).perf
        enabled = {event.name for event in perf.events if event.enabled} if perf else ()
        return [
            TypedParam(name, c.VIR_TYPED_PARAM_BOOLEAN, name in enabled) for name in PERF_EVENTS
        ]

    def domainSetPerfEvents(self, dom: DomainRef, params: list[TypedParam], flags: int) -> None:
        """Say which performance events are counted."""
        checkFlags("testDomainSetPerfEvents", flags, IMPACT)
        given = validateParams(params, dict.fromkeys(PERF_EVENTS, c.VIR_TYPED_PARAM_BOOLEAN))
        wanted = {name: bool(value) for name, value in given.items()}

        def changed(definition: DomainDefinition) -> DomainDefinition:
            now = (
                {event.name: event.enabled for event in definition.perf.events}
                if (definition.perf is not None)
                else {}
            )
            now.update(wanted)
            events = tuple(
                PerfEvent(name=name, enabled=now[name]) for name in PERF_EVENTS if name in now
            )
            return replaced(definition, perf=Perf(events=events))

        domain = self._find(dom)
        domain.changeBoth(*domain.impactOfOne(flags), changed)


def _time(name: str, value: int) -> TypedParam:
    return TypedParam(name, c.VIR_TYPED_PARAM_ULLONG, value)


def _hasBalloon(definition: DomainDefinition) -> bool:
    balloon = definition.devices.memballoon
    return balloon is not None and balloon.model != "none"
