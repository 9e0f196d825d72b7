"""
What guests use and do.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain._source import FileSource
from pyvirt.drivers.imageheaders import luksOffset, readHeader
from pyvirt.drivers.interfaces.values import (
    BlockInfo,
    BlockStats,
    DomainDiskError,
    DomainMemoryStat,
    DomainRef,
    InterfaceStats,
    TypedParam,
)
from pyvirt.drivers.qemu.blockfacts import BlockFacts, fileSizes, pathOf
from pyvirt.drivers.qemu.blocks.chain import Image, chain, readStart
from pyvirt.drivers.qemu.bulkstatistics import BulkStatistics
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.memoryfacts import memoryStatistics
from pyvirt.drivers.qemu.netfacts import interfaceCounters, passedCounters
from pyvirt.drivers.qemu.passed import hostDevice, isPassed
from pyvirt.drivers.qemu.perfevents import PerfEvents
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    internal,
    invalidArgument,
    operationUnsupported,
    systemFailure,
)
from pyvirt.drivers.qemu.usedtimes import timesByCPU, usedTimes
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["DomainStatistics"]

_ULLONG, _LLONG = c.VIR_TYPED_PARAM_ULLONG, c.VIR_TYPED_PARAM_LLONG


class DomainStatistics(PerfEvents, BulkStatistics):
    """Answers what guests use."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._find = hypervisor.domains.find
        self._running = hypervisor.domains.running

    # Disks

    @staticmethod
    def _disk(domain: Domain, path: str) -> Any:
        for disk in domain.definition.devices.disks:
            if disk.target is not None and disk.target.dev == path:
                return disk
            if pathOf(disk) == path:
                return disk
        return None

    async def domainBlockStats(self, dom: DomainRef, path: str) -> BlockStats:
        """Tell what was read from and written to a disk, or to all of them."""
        counters = await self._counters(dom, path)
        return BlockStats(
            counters.get("rd_operations", 0),
            counters.get("rd_bytes", 0),
            counters.get("wr_operations", 0),
            counters.get("wr_bytes", 0),
            -1,
        )

    async def _counters(self, dom: DomainRef, path: str) -> dict[str, int]:
        domain, guest = self._running(dom)
        disk = None
        if path:
            disk = self._disk(domain, path)
            if disk is None:
                raise invalidArgument(f"invalid path: {path}")
        facts = await BlockFacts.ask(guest, blocks=False)
        if disk is not None:
            return facts.counters(disk.alias or "")
        total: dict[str, int] = {}
        for each in domain.definition.devices.disks:
            for name, value in facts.counters(each.alias or "").items():
                total[name] = total.get(name, 0) + value
        return total

    async def domainBlockStatsFlags(
        self, dom: DomainRef, path: str, flags: int
    ) -> list[TypedParam]:
        """Tell all that is known of a disk."""
        checkFlags("qemuDomainBlockStatsFlags", flags, c.VIR_TYPED_PARAM_STRING_OKAY)
        counters = await self._counters(dom, path)
        names = [
            "wr_bytes",
            "wr_operations",
            "rd_bytes",
            "rd_operations",
            "flush_operations",
            "wr_total_times",
            "rd_total_times",
            "flush_total_times",
        ]
        return [TypedParam(name, _LLONG, counters[name]) for name in names if name in counters]

    async def domainGetBlockInfo(self, dom: DomainRef, path: str, flags: int) -> BlockInfo:
        """Tell the sizes of a disk."""
        checkFlags("qemuDomainGetBlockInfo", flags)
        domain = self._find(dom)
        disk = self._disk(domain, path)
        if disk is None:
            raise invalidArgument(f"invalid path {path} not assigned to domain")
        if disk.source is None or disk.source.isEmpty:
            raise invalidArgument(f"disk '{path}' does not currently have a source assigned")
        if getattr(disk.source, "fdgroup", None) is not None:
            raise operationUnsupported("block info is not supported for FD passed disk image")
        source = pathOf(disk)
        guest = domain.guest
        if guest is not None and guest.monitor is not None:
            facts = await BlockFacts.ask(guest)
            alias = disk.alias or ""
            actual = facts.actual(alias)
            highest, top = facts.highest(alias), chain(disk)[0]
            if highest and (top.format == "raw" or not isinstance(top.source, FileSource)):
                return BlockInfo(highest, facts.capacity(alias) or 0, actual)
            # How far a guest has written into a format says nothing: the file system knows better.
            try:
                physical = fileSizes(source).physical if source else actual
            except VirtError:
                physical = actual
            return BlockInfo(actual, facts.capacity(alias) or 0, physical)
        if not source:
            protocol = getattr(disk.source, "protocol", None) or disk.type
            raise internal(
                f"missing storage backend for network files using {protocol} protocol",
                ErrorDomain.STORAGE,
            )
        sizes = fileSizes(source)
        return BlockInfo(
            sizes.allocation, _capacity(chain(disk)[0], sizes.physical), sizes.physical
        )

    async def domainGetDiskErrors(self, dom: DomainRef, flags: int) -> list[DomainDiskError]:
        """List the disks that fail."""
        checkFlags("qemuDomainGetDiskErrors", flags)
        domain, guest = self._running(dom)
        facts = await BlockFacts.ask(guest, stats=False)
        kinds = {
            "failed": c.VIR_DOMAIN_DISK_ERROR_UNSPEC,
            "nospace": c.VIR_DOMAIN_DISK_ERROR_NO_SPACE,
        }
        found = []
        for disk in domain.definition.devices.disks:
            word = facts.ioStatus(disk.alias or "")
            if word in kinds and disk.target is not None:
                found.append(DomainDiskError(disk.target.dev or "", kinds[word]))
        return found

    # Interfaces, memory, processors

    def domainInterfaceStats(self, dom: DomainRef, device: str) -> InterfaceStats:
        """Tell the traffic of an interface."""
        domain, _ = self._running(dom)
        for interface in domain.definition.devices.interfaces:
            name = interface.target.dev if interface.target is not None else None
            mac = interface.mac.address if interface.mac is not None else None
            if device not in (name, mac):
                continue
            if isPassed(interface) and hostDevice(interface).type == "pci":
                return passedCounters(self._hypervisor, interface)
            if name is None:
                raise internal("Interface name not provided", ErrorDomain.NONE)
            return interfaceCounters(name)
        raise invalidArgument(f"'{device}' is not a known interface", ErrorDomain.DOMAIN)

    async def domainMemoryStats(self, dom: DomainRef, flags: int) -> list[DomainMemoryStat]:
        """Tell how the guest uses its memory."""
        checkFlags("qemuDomainMemoryStats", flags)
        domain, guest = self._running(dom)
        found = await memoryStatistics(domain, guest)
        return [DomainMemoryStat(tag, value) for tag, value in found.items()]

    async def domainSetMemoryStatsPeriod(self, dom: DomainRef, period: int, flags: int) -> None:
        """Say how often the balloon reports."""
        from pyvirt.definitions.schema import replaced
        from pyvirt.drivers.qemu.balloon import setPeriod

        checkFlags(
            "qemuDomainSetMemoryStatsPeriod",
            flags,
            c.VIR_DOMAIN_AFFECT_LIVE | c.VIR_DOMAIN_AFFECT_CONFIG,
        )
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainSetMemoryStatsPeriod"):
            live, config = domain.impact(flags)

            def changed(definition: Any) -> Any:
                balloon = definition.devices.memballoon
                if balloon is None or balloon.model == "none":
                    raise virtError(
                        ErrorCode.OPERATION_INVALID,
                        "Memory balloon model must be virtio to set the collection period",
                        ErrorDomain.QEMU,
                    )
                balloon = replaced(balloon, stats=period or None)
                return replaced(
                    definition, devices=replaced(definition.devices, memballoon=balloon)
                )

            pending = changed(domain.persistentDefinition) if config else None
            if live:
                definition = changed(domain.definition)
                if not await setPeriod(domain.checkActive(), period):
                    raise internal("Unable to set balloon driver collection period")
                domain.definition = definition
                self._hypervisor.saveStatus(domain)
            if pending is not None:
                self._hypervisor.store.saveDefinition(pending)
                if domain.pending is not None:
                    domain.pending = pending
                else:
                    domain.definition = pending

    def domainGetCPUStats(
        self, dom: DomainRef, startCPU: int, ncpus: int, flags: int
    ) -> list[list[TypedParam]]:
        """Tell how much CPU time a guest uses."""
        checkFlags("qemuDomainGetCPUStats", flags, c.VIR_TYPED_PARAM_STRING_OKAY)
        _, guest = self._running(dom)
        if startCPU != -1:
            inner = [f"vcpu{number}" for number in sorted(guest.vcpuThreads)]
            return [
                [TypedParam("cpu_time", _ULLONG, whole), TypedParam("vcpu_time", _ULLONG, part)]
                for whole, part in timesByCPU(guest.group, inner, startCPU, ncpus)
            ]
        used = usedTimes(guest)
        return [
            [
                TypedParam("cpu_time", _ULLONG, used.total),
                TypedParam("user_time", _ULLONG, used.user),
                TypedParam("system_time", _ULLONG, used.system),
            ]
        ]


def _capacity(image: Image, physical: int) -> int:
    """
    Tell the size of an image that nobody uses as a guest would see it.

    @param physical: the length of its file.
    @raise VirtError: it cannot be read.
    """
    try:
        data = readStart(image.source)
    except OSError as problem:
        raise systemFailure(problem, f"cannot open file '{image.path}'") from None
    if image.format == "raw":
        return max(physical - (luksOffset(data) if image.encrypted else 0), 0)
    capacity = readHeader(data, image.format).capacity
    return capacity or physical
