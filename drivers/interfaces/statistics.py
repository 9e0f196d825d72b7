"""
What guests use and do.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import (
    Answer,
    BlockInfo,
    BlockStats,
    DomainDiskError,
    DomainMemoryStat,
    DomainRef,
    DomainStatsRecord,
    InterfaceStats,
    TypedParam,
)


class IDomainStatistics(Interface):
    """What guests use and do."""

    def domainBlockStats(dom: DomainRef, path: str) -> Answer[BlockStats]:
        """virDomainBlockStats."""

    def domainInterfaceStats(dom: DomainRef, device: str) -> Answer[InterfaceStats]:
        """virDomainInterfaceStats."""

    def domainMemoryStats(dom: DomainRef, flags: int) -> Answer[list[DomainMemoryStat]]:
        """virDomainMemoryStats."""

    def domainGetBlockInfo(dom: DomainRef, path: str, flags: int) -> Answer[BlockInfo]:
        """virDomainGetBlockInfo."""

    def domainBlockStatsFlags(dom: DomainRef, path: str, flags: int) -> Answer[list[TypedParam]]:
        """virDomainBlockStatsFlags."""

    def domainGetCPUStats(
        dom: DomainRef, startCPU: int, ncpus: int, flags: int
    ) -> Answer[list[list[TypedParam]]]:
        """
        Tell how much host CPU time a guest uses.

        @param startCPU: the first host CPU to tell about; -1: one item with the totals (C{ncpus} is 1).
        @param ncpus: for how many host CPUs at most; 0: for all there are.
        @return: one list of parameters per host CPU, in order: C{VIR_DOMAIN_CPU_STATS_*}, nanoseconds.
        """

    def domainGetDiskErrors(dom: DomainRef, flags: int) -> Answer[list[DomainDiskError]]:
        """virDomainGetDiskErrors."""

    def domainSetMemoryStatsPeriod(dom: DomainRef, period: int, flags: int) -> Answer[None]:
        """virDomainSetMemoryStatsPeriod."""

    def connectGetAllDomainStats(
        doms: list[DomainRef], stats: int, flags: int
    ) -> Answer[list[DomainStatsRecord]]:
        """virConnectGetAllDomainStats."""

    def domainGetPerfEvents(dom: DomainRef, flags: int) -> Answer[list[TypedParam]]:
        """virDomainGetPerfEvents."""

    def domainSetPerfEvents(dom: DomainRef, params: list[TypedParam], flags: int) -> Answer[None]:
        """virDomainSetPerfEvents."""
