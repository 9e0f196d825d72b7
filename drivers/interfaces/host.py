"""
The host and its capabilities: what the machine is, and what guests it can run.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import (
    Answer,
    NodeCPUMap,
    NodeCPUStat,
    NodeInfo,
    NodeMemoryStat,
    SecurityModel,
    TypedParam,
)


class IHost(Interface):
    """The host and its capabilities: what the machine is, and what guests it can run."""

    def connectGetType() -> Answer[str]:
        """virConnectGetType."""

    def connectGetVersion() -> Answer[int]:
        """virConnectGetVersion."""

    def connectGetMaxVcpus(type: str | None) -> Answer[int]:
        """virConnectGetMaxVcpus."""

    def nodeGetInfo() -> Answer[NodeInfo]:
        """virNodeGetInfo."""

    def connectGetCapabilities() -> Answer[str]:
        """virConnectGetCapabilities."""

    def connectGetHostname() -> Answer[str]:
        """virConnectGetHostname."""

    def connectSupportsFeature(feature: int) -> Answer[bool]:
        """connectSupportsFeature."""

    def nodeGetCellsFreeMemory(startCell: int, maxcells: int) -> Answer[list[int]]:
        """virNodeGetCellsFreeMemory."""

    def nodeGetFreeMemory() -> Answer[int]:
        """virNodeGetFreeMemory."""

    def nodeGetSecurityModel() -> Answer[SecurityModel]:
        """virNodeGetSecurityModel."""

    def connectGetLibVersion() -> Answer[int]:
        """virConnectGetLibVersion."""

    def connectCompareCPU(xml: str, flags: int) -> Answer[int]:
        """virConnectCompareCPU."""

    def connectBaselineCPU(xmlCPUs: list[str], flags: int) -> Answer[str]:
        """virConnectBaselineCPU."""

    def connectGetSysinfo(flags: int) -> Answer[str]:
        """virConnectGetSysinfo."""

    def nodeGetCPUStats(cpuNum: int, flags: int) -> Answer[list[NodeCPUStat]]:
        """virNodeGetCPUStats."""

    def nodeGetMemoryStats(cellNum: int, flags: int) -> Answer[list[NodeMemoryStat]]:
        """virNodeGetMemoryStats."""

    def nodeSuspendForDuration(target: int, duration: int, flags: int) -> Answer[None]:
        """virNodeSuspendForDuration."""

    def nodeSetMemoryParameters(params: list[TypedParam], flags: int) -> Answer[None]:
        """virNodeSetMemoryParameters."""

    def nodeGetMemoryParameters(flags: int) -> Answer[list[TypedParam]]:
        """virNodeGetMemoryParameters."""

    def nodeGetCPUMap(flags: int) -> Answer[NodeCPUMap]:
        """virNodeGetCPUMap."""

    def connectGetCPUModelNames(arch: str, flags: int) -> Answer[list[str]]:
        """virConnectGetCPUModelNames."""

    def nodeGetFreePages(
        pages: list[int], startCell: int, cellCount: int, flags: int
    ) -> Answer[list[int]]:
        """virNodeGetFreePages."""

    def connectGetDomainCapabilities(
        emulatorbin: str | None,
        arch: str | None,
        machine: str | None,
        virttype: str | None,
        flags: int,
    ) -> Answer[str]:
        """virConnectGetDomainCapabilities."""

    def nodeAllocPages(
        pageSizes: list[int], pageCounts: list[int], startCell: int, cellCount: int, flags: int
    ) -> Answer[int]:
        """virNodeAllocPages."""

    def connectCompareHypervisorCPU(
        emulator: str | None,
        arch: str | None,
        machine: str | None,
        virttype: str | None,
        xmlcpu: str,
        flags: int,
    ) -> Answer[int]:
        """virConnectCompareHypervisorCPU."""

    def connectBaselineHypervisorCPU(
        emulator: str | None,
        arch: str | None,
        machine: str | None,
        virttype: str | None,
        xmlCPUs: list[str],
        flags: int,
    ) -> Answer[str]:
        """virConnectBaselineHypervisorCPU."""

    def nodeGetSEVInfo(flags: int) -> Answer[list[TypedParam]]:
        """virNodeGetSEVInfo."""
