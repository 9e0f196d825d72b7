"""
Memory and virtual CPUs: how many, how much, where.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, DomainIOThreadInfo, DomainRef, VcpuPlacement


class IDomainResources(Interface):
    """Memory and virtual CPUs: how many, how much, where."""

    def domainGetMaxMemory(dom: DomainRef) -> Answer[int]:
        """Tell how much memory a guest may grow to, in KiB."""

    def domainGetVcpus(dom: DomainRef) -> Answer[VcpuPlacement]:
        """
        Tell about a running guest's virtual CPUs: states, times, where they run and may run.

        @raise OperationInvalid: it is inactive.
        """

    def domainSetVcpusFlags(dom: DomainRef, nvcpus: int, flags: int) -> Answer[None]:
        """
        Say how many virtual CPUs a guest has.

        @param nvcpus: 1 or more.
        @param flags: bitwise-OR of C{VIR_DOMAIN_VCPU_*}; C{MAXIMUM} only with C{CONFIG}, C{GUEST}
            only without.  Older callers: C{LIVE}.
        """

    def domainGetVcpusFlags(dom: DomainRef, flags: int) -> Answer[int]:
        """
        Tell how many virtual CPUs a guest has, or with C{MAXIMUM} may have.

        @param flags: bitwise-OR of C{VIR_DOMAIN_VCPU_*}; read-only callers may not ask the guest.
            Older callers: C{MAXIMUM} and C{LIVE}.
        """

    def domainSetMemoryFlags(dom: DomainRef, memory: int, flags: int) -> Answer[None]:
        """
        Say how much memory a guest has, or with C{MAXIMUM} may have.

        @param memory: KiB, 1 or more.
        @param flags: bitwise-OR of C{VIR_DOMAIN_MEM_*} and C{VIR_DOMAIN_AFFECT_*}.  Older callers:
            C{LIVE}, or C{MAXIMUM} alone.
        """

    def domainPinVcpuFlags(dom: DomainRef, vcpu: int, cpumap: bytes, flags: int) -> Answer[None]:
        """
        Say which host CPUs a virtual CPU may use.

        @param vcpu: its number, 0 or more.
        @param cpumap: a bit for each host CPU, lowest first, 1 to 2048 bytes; CPUs beyond it are
            not allowed.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.  Older callers: 0.
        """

    def domainGetVcpuPinInfo(dom: DomainRef, flags: int) -> Answer[list[bytes]]:
        """
        Tell which host CPUs each virtual CPU may use.

        @param flags: one of C{VIR_DOMAIN_AFFECT_*}.
        @return: a bit map for each, lowest CPU first, as long as needed.
        """

    def domainPinEmulator(dom: DomainRef, cpumap: bytes, flags: int) -> Answer[None]:
        """
        Say which host CPUs a guest's other threads may use.

        @param cpumap: as in L{domainPinVcpuFlags}.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """

    def domainGetEmulatorPinInfo(dom: DomainRef, flags: int) -> Answer[bytes]:
        """
        Tell which host CPUs a guest's other threads may use.

        @param flags: one of C{VIR_DOMAIN_AFFECT_*}.
        @return: a bit map, lowest CPU first, as long as needed.
        """

    def domainGetIOThreadInfo(dom: DomainRef, flags: int) -> Answer[list[DomainIOThreadInfo]]:
        """
        List the IO threads of a guest.

        @param flags: one of C{VIR_DOMAIN_AFFECT_*}.
        """

    def domainSetVcpu(dom: DomainRef, cpumap: str, state: int, flags: int) -> Answer[None]:
        """
        Plug virtual CPUs in or out, by number.

        @param cpumap: numbers and ranges, such as C{1-3,5}.
        @param state: 1: in, 0: out.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """
