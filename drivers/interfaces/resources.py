"""
Memory and virtual CPUs: how many, how much, where.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, DomainIOThreadInfo, DomainRef, VcpuPlacement


class IDomainResources(Interface):
    """Memory and virtual CPUs: how many, how much, where."""

    def domainGetMaxMemory(dom: DomainRef) -> Answer[int]:
        """virDomainGetMaxMemory."""

    def domainGetVcpus(dom: DomainRef) -> Answer[VcpuPlacement]:
        """virDomainGetVcpus."""

    def domainSetVcpusFlags(dom: DomainRef, nvcpus: int, flags: int) -> Answer[None]:
        """virDomainSetVcpusFlags."""

    def domainGetVcpusFlags(dom: DomainRef, flags: int) -> Answer[int]:
        """virDomainGetVcpusFlags."""

    def domainSetMemoryFlags(dom: DomainRef, memory: int, flags: int) -> Answer[None]:
        """virDomainSetMemoryFlags."""

    def domainPinVcpuFlags(dom: DomainRef, vcpu: int, cpumap: bytes, flags: int) -> Answer[None]:
        """virDomainPinVcpuFlags."""

    def domainGetVcpuPinInfo(dom: DomainRef, flags: int) -> Answer[list[bytes]]:
        """virDomainGetVcpuPinInfo."""

    def domainPinEmulator(dom: DomainRef, cpumap: bytes, flags: int) -> Answer[None]:
        """virDomainPinEmulator."""

    def domainGetEmulatorPinInfo(dom: DomainRef, flags: int) -> Answer[bytes]:
        """virDomainGetEmulatorPinInfo."""

    def domainGetIOThreadInfo(dom: DomainRef, flags: int) -> Answer[list[DomainIOThreadInfo]]:
        """virDomainGetIOThreadInfo."""

    def domainSetVcpu(dom: DomainRef, cpumap: str, state: int, flags: int) -> Answer[None]:
        """virDomainSetVcpu."""
