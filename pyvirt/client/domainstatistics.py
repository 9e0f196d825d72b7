"""
What a domain has used and seen.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pyvirt import constants
from pyvirt.client.deferring import deferred
from pyvirt.client.domainresources import DomainResources
from pyvirt.client.shapes import characters, dictionary, listOf, pairs, zero
from pyvirt.errors import ErrorCode, VirtError

__all__ = ["DomainStatistics"]

BLOCK_STATS_MAX = 16
DISK_ERRORS_MAX = 256
CPUS_PER_CALL = 128

_MEMORY = {
    constants.VIR_DOMAIN_MEMORY_STAT_SWAP_IN: "swap_in",
    constants.VIR_DOMAIN_MEMORY_STAT_SWAP_OUT: "swap_out",
    constants.VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT: "major_fault",
    constants.VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT: "minor_fault",
    constants.VIR_DOMAIN_MEMORY_STAT_UNUSED: "unused",
    constants.VIR_DOMAIN_MEMORY_STAT_AVAILABLE: "available",
    constants.VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON: "actual",
    constants.VIR_DOMAIN_MEMORY_STAT_RSS: "rss",
    constants.VIR_DOMAIN_MEMORY_STAT_USABLE: "usable",
    constants.VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE: "last_update",
    constants.VIR_DOMAIN_MEMORY_STAT_DISK_CACHES: "disk_caches",
    constants.VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC: "hugetlb_pgalloc",
    constants.VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL: "hugetlb_pgfail",
}


class DomainStatistics(DomainResources):
    """Statistics and other findings."""

    __slots__ = ()

    def memoryStats(self) -> Deferred[dict[str, int]]:
        """Fire with the guest's memory by name, mostly in KiB."""
        return self._remote.domainMemoryStats(self._ref, len(_MEMORY), 0).addCallback(_memoryStats)

    def blockStats(self, path: str) -> Deferred[tuple[int, ...]]:
        """
        Fire with a disk's read requests and bytes, write requests and bytes, and errors; -1: not known.

        @param path: its target, such as C{vda}, or its source.
        """
        return self._remote.domainBlockStats(self._ref, path).addCallback(tuple)

    @deferred
    async def blockStatsFlags(self, path: str, flags: int = 0) -> dict[str, int]:
        """As L{blockStats}, with more of it, by name."""
        flags = await self._withStrings(flags)
        result = await self._remote.domainBlockStatsFlags(self._ref, path, BLOCK_STATS_MAX, flags)
        return dictionary(result[0])

    def interfaceStats(self, path: str) -> Deferred[tuple[int, ...]]:
        """
        Fire with a network interface's received bytes, packets, errors, drops, and the same sent; -1: not known.

        @param path: its target, such as C{vnet0}.
        """
        return self._remote.domainInterfaceStats(self._ref, path).addCallback(tuple)

    @deferred
    async def getCPUStats(self, total: bool, flags: int = 0) -> list[dict[str, Any]]:
        """
        Fire with CPU times in nanoseconds by name: of each host CPU, or with C{total} of all together.
        """
        remote, ref = self._remote, self._ref
        flags = await self._withStrings(flags)
        if total:
            count = (await remote.domainGetCPUStats(ref, 0, -1, 1, flags))[1]
            if not count:
                return []
            return [dictionary((await remote.domainGetCPUStats(ref, count, -1, 1, flags))[0])]
        cpus = (await remote.domainGetCPUStats(ref, 0, 0, 0, flags))[1]
        count = (await remote.domainGetCPUStats(ref, 0, 0, 1, flags))[1]
        found: list[dict[str, Any]] = []
        if not count:
            return found
        for first in range(0, cpus, CPUS_PER_CALL):
            wanted = min(CPUS_PER_CALL, cpus - first)
            params = (await remote.domainGetCPUStats(ref, count, first, wanted, flags))[0]
            found += [
                dictionary(params[start : start + count]) for start in range(0, len(params), count)
            ]
        return found

    @deferred
    async def diskErrors(self, flags: int = 0) -> dict[str, int]:
        """
        Fire with the disks that had errors and which: C{VIR_DOMAIN_DISK_ERROR_*}.

        @param flags: none are defined, and as by the binding none is passed on.
        """
        count = (await self._remote.domainGetDiskErrors(self._ref, 0, 0))[1]
        if not count:
            return {}
        return pairs((await self._remote.domainGetDiskErrors(self._ref, count, 0))[0])

    def jobInfo(self) -> Deferred[list[int]]:
        """
        Fire with what is known of the current job.

        Type (C{VIR_DOMAIN_JOB_*}), elapsed and remaining milliseconds, then bytes in all, done and remaining:
        of everything, of memory, of files.
        """
        return self._remote.domainGetJobInfo(self._ref).addCallback(listOf)

    def jobStats(self, flags: int = 0) -> Deferred[dict[str, Any]]:
        """Fire with what is known of the current or last job by name, and its C{type}."""
        return self._remote.domainGetJobStats(self._ref, flags).addCallback(_jobStats)

    def abortJob(self) -> Deferred[int]:
        """Give up the current job.  Fires with 0."""
        return self._remote.domainAbortJob(self._ref).addCallback(zero)

    def abortJobFlags(self, flags: int = 0) -> Deferred[int]:
        """As L{abortJob}, with C{VIR_DOMAIN_ABORT_JOB_*}."""
        return self._remote.domainAbortJobFlags(self._ref, flags).addCallback(zero)

    def startDirtyRateCalc(self, seconds: int, flags: int = 0) -> Deferred[int]:
        """Begin to measure how fast the guest changes its memory.  Fires with 0."""
        return self._remote.domainStartDirtyRateCalc(self._ref, seconds, flags).addCallback(zero)

    def messages(self, flags: int = 0) -> Deferred[list[str]]:
        """Fire with what the hypervisor has to say of it, such as use of deprecated features."""
        return self._remote.domainGetMessages(self._ref, flags).addCallback(listOf)

    def securityLabel(self) -> Deferred[list[Any]]:
        """Fire with its security label and whether it is enforced."""
        return self._remote.domainGetSecurityLabel(self._ref).addCallback(_label)

    @deferred
    async def securityLabelList(self) -> list[list[Any]]:
        """Fire with its security labels, one for each security model, and whether they are enforced."""
        labels, count = await self._remote.domainGetSecurityLabelList(self._ref)
        if count < 0:
            raise VirtError(
                "An error occurred, but the cause is unknown",
                code=ErrorCode.INTERNAL_ERROR,
                int1=0,
                int2=0,
            )
        return [_label(each) for each in labels]

    @deferred
    async def launchSecurityInfo(self, flags: int = 0) -> dict[str, Any]:
        """Fire with the measurements of a confidential guest, by name."""
        flags = await self._withStrings(flags)
        return dictionary(await self._remote.domainGetLaunchSecurityInfo(self._ref, flags))


def _memoryStats(stats: Any) -> dict[str, int]:
    return {_MEMORY[each[0]]: each[1] for each in stats if each[0] in _MEMORY}


def _jobStats(result: Any) -> dict[str, Any]:
    kind, params = result
    return {"type": kind, **dictionary(params)}


def _label(result: Any) -> list[Any]:
    return [characters(result[0]), bool(result[1])]
