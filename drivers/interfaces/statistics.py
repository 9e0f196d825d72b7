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
        """
        Tell what was read from and written to a disk.

        @param path: its target or the path of its source; empty: all disks together.
        @raise OperationInvalid: the domain is inactive.
        """

    def domainInterfaceStats(dom: DomainRef, device: str) -> Answer[InterfaceStats]:
        """
        Tell the traffic of an interface, seen from the host or the guest as its definition says.

        @param device: its name on the host, or its MAC address.
        @raise InvalidArgument: the guest has none such.
        """

    def domainMemoryStats(dom: DomainRef, flags: int) -> Answer[list[DomainMemoryStat]]:
        """
        Tell how a guest uses its memory, as far as its balloon says.

        @param flags: none yet.
        @return: C{VIR_DOMAIN_MEMORY_STAT_*}, at most one of each; sizes in KiB.
        """

    def domainGetBlockInfo(dom: DomainRef, path: str, flags: int) -> Answer[BlockInfo]:
        """
        Tell the sizes of a disk.

        @param path: its target or the path of its source; not empty.
        @param flags: none yet.
        """

    def domainBlockStatsFlags(dom: DomainRef, path: str, flags: int) -> Answer[list[TypedParam]]:
        """
        As L{domainBlockStats}, with all that is known (C{VIR_DOMAIN_BLOCK_STATS_*}).

        @param flags: C{VIR_TYPED_PARAM_STRING_OKAY}.
        @return: at most 16 parameters.
        """

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
        """
        List the disks that fail.

        @param flags: none yet.
        @return: disks by target with their C{VIR_DOMAIN_DISK_ERROR_*}; those without an error are
            left out.
        """

    def domainSetMemoryStatsPeriod(dom: DomainRef, period: int, flags: int) -> Answer[None]:
        """
        Say how often a guest's balloon reports.

        @param period: seconds, 0 or more; 0: never.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """

    def connectGetAllDomainStats(
        doms: list[DomainRef], stats: int, flags: int
    ) -> Answer[list[DomainStatsRecord]]:
        """
        Tell about many domains at once.

        @param doms: these; empty: all that C{flags} selects.
        @param stats: bitwise-OR of C{VIR_DOMAIN_STATS_*}: groups of statistics; 0: all that the
            driver has.
        @param flags: bitwise-OR of C{VIR_CONNECT_GET_ALL_DOMAINS_STATS_*}.
        @return: one record per domain, at most 16384; domains that are gone meanwhile are left
            out.
        """

    def domainGetPerfEvents(dom: DomainRef, flags: int) -> Answer[list[TypedParam]]:
        """
        Tell which counters of the host's CPUs are on for a guest (C{VIR_PERF_PARAM_*}, true or
        false).

        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}, and C{VIR_TYPED_PARAM_STRING_OKAY}.
        @return: at most 64 parameters.
        """

    def domainSetPerfEvents(dom: DomainRef, params: list[TypedParam], flags: int) -> Answer[None]:
        """
        Turn counters on or off.

        @param params: one or more of C{VIR_PERF_PARAM_*}, true or false.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """
