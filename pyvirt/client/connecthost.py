"""
The host: what it is, what it has, what its hypervisor can do.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail

from pyvirt.client.arguments import fitting, texts
from pyvirt.client.connectbase import ConnectBase
from pyvirt.client.deferring import deferred
from pyvirt.client.params import HINTS, byHints, byTypes, needSome
from pyvirt.client.session import FEATURE_TYPED_STRINGS
from pyvirt.client.shapes import characters, dictionary, listOf, pairs, zero
from pyvirt.constants import VIR_TYPED_PARAM_STRING_OKAY
from pyvirt.errors import CallFailed

CELLS_MAX = 10_000
"""NUMA cells that the binding asks for."""

__all__ = ["ConnectHost"]

NODE_PARAMETERS_MAX = 64
NODE_STATS_MAX = 1024


class ConnectHost(ConnectBase):
    """What a connection tells about its host."""

    def getType(self) -> Deferred[str]:
        """Fire with the name of the hypervisor, such as C{QEMU} or C{TEST}."""
        return self._remote.connectGetType()

    def getVersion(self) -> Deferred[int]:
        """Fire with the hypervisor's version: major * 1000000 + minor * 1000 + release."""
        return self._remote.connectGetVersion()

    def getLibVersion(self) -> Deferred[int]:
        """Fire with the version of the library that serves the connection, in the form of L{getVersion}."""
        return self._remote.connectGetLibVersion()

    def getHostname(self) -> Deferred[str]:
        """Fire with the host's name."""
        return self._remote.connectGetHostname()

    def getMaxVcpus(self, type: str | None) -> Deferred[int]:
        """Fire with the most vcpus that a guest of C{type} may have; None: of the default type."""
        return self._remote.connectGetMaxVcpus(type)

    def getCapabilities(self) -> Deferred[str]:
        """Fire with the XML of what host and hypervisor can do."""
        return self._remote.connectGetCapabilities()

    def getSysinfo(self, flags: int = 0) -> Deferred[str]:
        """Fire with the XML of the host's SMBIOS information."""
        return self._remote.connectGetSysinfo(flags)

    def getFreeMemory(self) -> Deferred[int]:
        """Fire with the host's free memory in bytes."""
        return self._remote.nodeGetFreeMemory()

    def getCellsFreeMemory(self, startCell: int, maxCells: int) -> Deferred[list[int]]:
        """Fire with the free memory of NUMA cells in bytes, C{maxCells} at most, from C{startCell} on."""
        if startCell < 0 or maxCells <= 0 or startCell + maxCells > CELLS_MAX:
            return fail(CallFailed("virNodeGetCellsFreeMemory() failed"))
        return self._remote.nodeGetCellsFreeMemory(startCell, maxCells).addCallback(listOf)

    def getDomainCapabilities(
        self,
        emulatorbin: str | None = None,
        arch: str | None = None,
        machine: str | None = None,
        virttype: str | None = None,
        flags: int = 0,
    ) -> Deferred[str]:
        """Fire with the XML of what guests of this kind can have; None leaves a choice to the driver."""
        return self._remote.connectGetDomainCapabilities(
            emulatorbin, arch, machine, virttype, flags
        )

    def getStoragePoolCapabilities(self, flags: int = 0) -> Deferred[str]:
        """Fire with the XML of what storage pools can be."""
        return self._remote.connectGetStoragePoolCapabilities(flags)

    def compareCPU(self, xmlDesc: str, flags: int = 0) -> Deferred[int]:
        """Fire with how the host's CPU compares with a description: a C{VIR_CPU_COMPARE_*}."""
        return self._remote.connectCompareCPU(xmlDesc, flags)

    def compareHypervisorCPU(
        self,
        emulator: str | None,
        arch: str | None,
        machine: str | None,
        virttype: str | None,
        xmlCPU: str,
        flags: int = 0,
    ) -> Deferred[int]:
        """As L{compareCPU}, with the CPU that the hypervisor can give to guests."""
        return self._remote.connectCompareHypervisorCPU(
            emulator, arch, machine, virttype, xmlCPU, flags
        )

    def suspendForDuration(self, target: int, duration: int, flags: int = 0) -> Deferred[int]:
        """Suspend the host (C{VIR_NODE_SUSPEND_TARGET_*}) for C{duration} seconds.  Fires with 0."""
        return self._remote.nodeSuspendForDuration(target, duration, flags).addCallback(zero)

    def getInfo(self) -> Deferred[list[Any]]:
        """
        Fire with what the host is: CPU model, memory in MiB, CPUs, MHz, NUMA cells, sockets per cell, cores
        per socket, threads per core.
        """
        return self._remote.nodeGetInfo().addCallback(_hostInfo)

    def getSecurityModel(self) -> Deferred[list[str]]:
        """Fire with the name and the domain of interpretation of the security model."""
        return self._remote.nodeGetSecurityModel().addCallback(_securityModel)

    def getCPUMap(self, flags: int = 0) -> Deferred[tuple[int, list[bool], int]]:
        """Fire with how many CPUs there are, which of them are online, and how many those are."""
        return self._remote.nodeGetCPUMap(1, 1, flags).addCallback(_hostCPUs)

    @deferred
    async def getCPUModelNames(self, arch: str, flags: int = 0) -> list[str]:
        """Fire with the CPU models known for an architecture."""
        return list((await self._remote.connectGetCPUModelNames(arch, 1, flags))[0])

    @deferred
    async def getCPUStats(self, cpuNum: int, flags: int = 0) -> dict[str, int]:
        """Fire with times in nanoseconds by name, of one CPU; -1: of all together."""
        remote = self._remote
        count = (await remote.nodeGetCPUStats(cpuNum, 0, flags))[1]
        if not count:
            return {}
        return pairs((await remote.nodeGetCPUStats(cpuNum, count, flags))[0])

    @deferred
    async def getMemoryStats(self, cellNum: int, flags: int = 0) -> dict[str, int]:
        """Fire with sizes in KiB by name, of one NUMA cell; -1: of all together."""
        remote = self._remote
        count = (await remote.nodeGetMemoryStats(0, cellNum, flags))[1]
        if not count:
            return {}
        return pairs((await remote.nodeGetMemoryStats(count, cellNum, flags))[0])

    async def _memoryParameters(self, flags: int) -> list[Any]:
        flags = await self._withStrings(flags)
        return list((await self._remote.nodeGetMemoryParameters(NODE_PARAMETERS_MAX, flags))[0])

    @deferred
    async def getMemoryParameters(self, flags: int = 0) -> dict[str, Any]:
        """Fire with the host's memory parameters by name."""
        return dictionary(await self._memoryParameters(flags))

    @deferred
    async def setMemoryParameters(self, params: dict[str, Any], flags: int = 0) -> int:
        """
        Change the host's memory parameters.  Fires with 0.

        @raise LookupError: there are none, or a name is not known.
        """
        needSome(params)
        known = await self._memoryParameters(flags)
        await self._remote.nodeSetMemoryParameters(byTypes(params, known), flags)
        return 0

    @deferred
    async def getSEVInfo(self, flags: int = 0) -> dict[str, Any]:
        """Fire with what the host can do for guests with AMD SEV, by name."""
        flags = await self._withStrings(flags)
        return dictionary((await self._remote.nodeGetSEVInfo(NODE_PARAMETERS_MAX, flags))[0])

    @deferred
    async def getFreePages(
        self, pages: list[int], startCell: int, maxCells: int, flags: int = 0
    ) -> dict[int, dict[int, int]]:
        """
        Fire with how many memory pages of each size are free in each NUMA cell: cell to size to number.

        @param pages: sizes in KiB.
        """
        if not isinstance(pages, list):
            raise TypeError("pagesize must be list")
        if not maxCells:
            raise LookupError("cellCount must not be zero")
        for each in pages:
            fitting(each, "I")
        counts = await self._remote.nodeGetFreePages(list(pages), startCell, maxCells, flags)
        wide = len(pages)
        return {
            startCell + cell: dict(
                zip(pages, counts[cell * wide : (cell + 1) * wide], strict=False)
            )
            for cell in range(len(counts) // wide)
        }

    @deferred
    async def allocPages(
        self, pages: dict[int, int], startCell: int = 0, cellCount: int = 0, flags: int = 0
    ) -> int:
        """
        Reserve memory pages; fires with how many sizes were served.

        @param pages: size in KiB to number.
        @raise LookupError: there are none.
        """
        if not isinstance(pages, dict):
            raise TypeError("pages must be a dictionary")
        if not pages:
            raise LookupError("Need non-empty dictionary to pages attribute")
        sizes, counts = [], []
        for size, count in pages.items():
            sizes.append(fitting(size, "I"))
            counts.append(fitting(count, "Q"))
        return await self._remote.nodeAllocPages(
            sizes,
            counts,
            startCell,
            cellCount,
            flags,
        )

    def baselineCPU(self, xmlCPUs: list[str], flags: int = 0) -> Deferred[str]:
        """Fire with the XML of the best CPU that all the described ones can be."""
        return self._remote.connectBaselineCPU(texts(xmlCPUs), flags)

    def baselineHypervisorCPU(
        self,
        emulator: str | None,
        arch: str | None,
        machine: str | None,
        virttype: str | None,
        xmlCPUs: list[str],
        flags: int = 0,
    ) -> Deferred[str]:
        """As L{baselineCPU}, of what the hypervisor can give to guests."""
        return self._remote.connectBaselineHypervisorCPU(
            emulator, arch, machine, virttype, texts(xmlCPUs), flags
        )

    @deferred
    async def setIdentity(self, params: dict[str, Any], flags: int = 0) -> int:
        """Tell the daemon on whose behalf this connection acts, C{VIR_CONNECT_IDENTITY_*}.  Fires with 0."""
        known = byHints(params, HINTS["connectSetIdentity"], "migration params")
        await self._remote.connectSetIdentity(known, flags)
        return 0

    async def _withStrings(self, flags: int) -> int:
        """Return C{flags} with the leave to answer strings, if the far side knows it."""
        if await self._session.feature(self._remote, FEATURE_TYPED_STRINGS):
            return flags | VIR_TYPED_PARAM_STRING_OKAY
        return flags


def _hostInfo(result: Any) -> list[Any]:
    model, memory, *rest = result
    return [characters(model), memory >> 10, *rest]


def _securityModel(result: Any) -> list[str]:
    return [characters(result[0]), characters(result[1])]


def _hostCPUs(result: Any) -> tuple[int, list[bool], int]:
    bits, online, cpus = result
    return cpus, [bool(bits[cpu >> 3] >> (cpu & 7) & 1) for cpu in range(cpus)], online
