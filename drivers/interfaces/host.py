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
        """
        Name the kind of hypervisor, as C{QEMU} or C{Test}: what users see, not the scheme of the
        URI.
        """

    def connectGetVersion() -> Answer[int]:
        """
        Tell the hypervisor's version: C{major * 1000000 + minor * 1000 + release}; 0 if it has
        none.
        """

    def connectGetMaxVcpus(type: str | None) -> Answer[int]:
        """
        Tell how many virtual CPUs one guest may have at most.

        @param type: kind of domain, such as C{kvm}; None: the hypervisor's usual one.
        """

    def nodeGetInfo() -> Answer[NodeInfo]:
        """
        Describe the host's memory and CPUs.  C{model} is cut to 31 bytes on the way to the client.
        """

    def connectGetCapabilities() -> Answer[str]:
        """
        Describe the host and the guests it can run.

        @return: a C{<capabilities>} document.  Source: capabilities XML reference.
        """

    def connectGetHostname() -> Answer[str]:
        """Tell the host's name, as the host itself knows it."""

    def connectSupportsFeature(feature: int) -> Answer[bool]:
        """
        Tell whether the driver has a feature that peers ask for by number before they rely on it.

        @param feature: one of the internal numbers; 9: strings among typed parameters, 16: network
            updates whose arguments are in the right order, 1 to 3, 6, 11 and 13: protocols of
            migration.  What concerns the conversation itself (keepalive, descriptors, callbacks)
            is answered before drivers are asked.
        """

    def nodeGetCellsFreeMemory(startCell: int, maxcells: int) -> Answer[list[int]]:
        """
        Tell the free memory of NUMA cells, in bytes.

        @param startCell: the first cell, 0 or more.
        @param maxcells: how many at most, 1 to 1024.
        @return: one number per cell, in order; fewer than asked for if there are fewer.
        @raise InvalidArgument: there is no cell C{startCell}.
        """

    def nodeGetFreeMemory() -> Answer[int]:
        """Tell the host's free memory, in bytes."""

    def nodeGetSecurityModel() -> Answer[SecurityModel]:
        """
        Tell which security model confines guests; both fields are empty if none does.  At most 256
        bytes each.
        """

    def connectGetLibVersion() -> Answer[int]:
        """
        Tell the version of the library whose interface this is: C{major * 1000000 + minor * 1000 +
        release}.
        """

    def connectCompareCPU(xml: str, flags: int) -> Answer[int]:
        """
        Compare a CPU with the host's.

        @param xml: a C{<cpu>} element, or the capabilities of another host.
        @param flags: bitwise-OR of C{VIR_CONNECT_COMPARE_CPU_*}.
        @return: C{VIR_CPU_COMPARE_*}: 0 incompatible, 1 identical, 2 the host can do more.
        """

    def connectBaselineCPU(xmlCPUs: list[str], flags: int) -> Answer[str]:
        """
        Make the CPU that all of some hosts can provide.

        @param xmlCPUs: one C{<cpu>} element or capabilities document per host, at least one, at
            most 256.
        @param flags: bitwise-OR of C{VIR_CONNECT_BASELINE_CPU_*}.
        @return: a C{<cpu>} element.
        """

    def connectGetSysinfo(flags: int) -> Answer[str]:
        """
        Describe the host's firmware, board and memory modules.

        @param flags: none yet.
        @return: a C{<sysinfo>} document.
        """

    def nodeGetCPUStats(cpuNum: int, flags: int) -> Answer[list[NodeCPUStat]]:
        """
        Tell what the host's CPUs spent their time on, in nanoseconds.

        @param cpuNum: a CPU, or C{VIR_NODE_CPU_STATS_ALL_CPUS} (-1): all together; never below -1.
        @param flags: none yet.
        @return: C{VIR_NODE_CPU_STATS_*} by name, at most 16.
        """

    def nodeGetMemoryStats(cellNum: int, flags: int) -> Answer[list[NodeMemoryStat]]:
        """
        Tell how the host's memory is used, in KiB.

        @param cellNum: a NUMA cell, or C{VIR_NODE_MEMORY_STATS_ALL_CELLS} (-1): the host; never
            below -1.
        @param flags: none yet.
        @return: C{VIR_NODE_MEMORY_STATS_*} by name, at most 16.
        """

    def nodeSuspendForDuration(target: int, duration: int, flags: int) -> Answer[None]:
        """
        Let the host sleep.  It answers once the host is about to.

        @param target: C{VIR_NODE_SUSPEND_TARGET_*}.
        @param duration: seconds after which it wakes; at least 60, or 0: a default.
        @param flags: none yet.
        """

    def nodeSetMemoryParameters(params: list[TypedParam], flags: int) -> Answer[None]:
        """
        Tune how the host merges equal pages (C{VIR_NODE_MEMORY_SHARED_*}).

        @param params: one or more.
        @param flags: none yet.
        """

    def nodeGetMemoryParameters(flags: int) -> Answer[list[TypedParam]]:
        """
        Tell how the host merges equal pages and how well it does (C{VIR_NODE_MEMORY_SHARED_*}).

        @param flags: C{VIR_TYPED_PARAM_STRING_OKAY}.
        @return: at most 64 parameters.
        """

    def nodeGetCPUMap(flags: int) -> Answer[NodeCPUMap]:
        """
        Tell which host CPUs there are and which are online.

        @param flags: none yet.
        """

    def connectGetCPUModelNames(arch: str, flags: int) -> Answer[list[str]]:
        """
        List the names of the CPU models known for an architecture.

        @param arch: an architecture, such as C{x86_64}.
        @param flags: none yet.
        @return: empty: any name is passed on to the hypervisor.
        @raise InvalidArgument: the architecture is unknown.
        """

    def nodeGetFreePages(
        pages: list[int], startCell: int, cellCount: int, flags: int
    ) -> Answer[list[int]]:
        """
        Tell how many pages are free, by size and NUMA cell.

        @param pages: page sizes in KiB, one or more.
        @param startCell: the first cell; -1: the host as a whole.
        @param cellCount: how many cells, 1 or more; times the number of sizes at most 1024.
        @param flags: none yet.
        @return: for each cell, a number for each size.
        """

    def connectGetDomainCapabilities(
        emulatorbin: str | None,
        arch: str | None,
        machine: str | None,
        virttype: str | None,
        flags: int,
    ) -> Answer[str]:
        """
        Describe what one kind of guest can be given.

        @param emulatorbin: path of the emulator; None: the usual one for C{arch}.
        @param arch: the guest's architecture; None: the host's, or what the emulator emulates.
        @param machine: a machine type; None: the default one.
        @param virttype: kind of domain, such as C{kvm}; None: the best there is.
        @param flags: bitwise-OR of C{VIR_CONNECT_GET_DOMAIN_CAPABILITIES_*}.
        @return: a C{<domainCapabilities>} document.
        """

    def nodeAllocPages(
        pageSizes: list[int], pageCounts: list[int], startCell: int, cellCount: int, flags: int
    ) -> Answer[int]:
        """
        Reserve or give back huge pages.

        @param pageSizes: sizes in KiB, one or more.
        @param pageCounts: how many of each, as long as C{pageSizes}.
        @param startCell: the first cell; -1: the host as a whole.
        @param cellCount: how many cells, 1 or more.
        @param flags: C{VIR_NODE_ALLOC_PAGES_ADD} (0): so many more; C{VIR_NODE_ALLOC_PAGES_SET}:
            so many in all.
        @return: for how many pairs of cell and size it succeeded.
        """

    def connectCompareHypervisorCPU(
        emulator: str | None,
        arch: str | None,
        machine: str | None,
        virttype: str | None,
        xmlcpu: str,
        flags: int,
    ) -> Answer[int]:
        """
        Compare a CPU with what the hypervisor can provide on this host; parameters select it as in
        L{connectGetDomainCapabilities}.

        @param xmlcpu: a C{<cpu>} element or a capabilities document.
        @param flags: bitwise-OR of C{VIR_CONNECT_COMPARE_CPU_*}.
        @return: as L{connectCompareCPU}.
        """

    def connectBaselineHypervisorCPU(
        emulator: str | None,
        arch: str | None,
        machine: str | None,
        virttype: str | None,
        xmlCPUs: list[str],
        flags: int,
    ) -> Answer[str]:
        """
        Make the CPU that a hypervisor can provide on all of some hosts; parameters select it as in
        L{connectGetDomainCapabilities}.

        @param xmlCPUs: as L{connectBaselineCPU}.
        @param flags: bitwise-OR of C{VIR_CONNECT_BASELINE_CPU_*}.
        @return: a C{<cpu>} element.
        """

    def nodeGetSEVInfo(flags: int) -> Answer[list[TypedParam]]:
        """
        Tell what the host offers to guests with encrypted memory (C{VIR_NODE_SEV_*}).

        @param flags: C{VIR_TYPED_PARAM_STRING_OKAY}.
        @return: at most 64 parameters.
        """
