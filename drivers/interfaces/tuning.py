"""
Limits, weights, labels: how much of the host a guest may have.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import (
    Answer,
    DomainRef,
    SchedulerType,
    SecurityLabel,
    TypedParam,
)


class IDomainTuning(Interface):
    """Limits, weights, labels: how much of the host a guest may have."""

    def domainGetSchedulerType(dom: DomainRef) -> Answer[SchedulerType]:
        """Name the scheduler of a domain, and tell how many parameters it has."""

    def domainGetSecurityLabel(dom: DomainRef) -> Answer[SecurityLabel]:
        """Tell under which label a guest runs: bytes without a NUL, at most 4096; empty if none."""

    def domainSetMemoryParameters(
        dom: DomainRef, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """
        Limit a domain's memory.

        @param params: one or more of C{VIR_DOMAIN_MEMORY_*}, in KiB.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """

    def domainGetMemoryParameters(dom: DomainRef, flags: int) -> Answer[list[TypedParam]]:
        """
        Tell the limits of a domain's memory (C{VIR_DOMAIN_MEMORY_*}), in KiB;
        9007199254740991: none.

        @param flags: one of C{VIR_DOMAIN_AFFECT_*}, and C{VIR_TYPED_PARAM_STRING_OKAY}.
        @return: at most 16 parameters.
        """

    def domainSetBlkioParameters(
        dom: DomainRef, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """
        Share the host's disks among domains.

        @param params: one or more of C{VIR_DOMAIN_BLKIO_*}; those for devices are strings of path,
            comma, value.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """

    def domainGetBlkioParameters(dom: DomainRef, flags: int) -> Answer[list[TypedParam]]:
        """
        Tell how the host's disks are shared (C{VIR_DOMAIN_BLKIO_*}).

        @param flags: one of C{VIR_DOMAIN_AFFECT_*}, and C{VIR_TYPED_PARAM_STRING_OKAY}.
        @return: at most 16 parameters.
        """

    def domainSetSchedulerParametersFlags(
        dom: DomainRef, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """
        Share the host's CPUs among domains.

        @param params: one or more of C{VIR_DOMAIN_SCHEDULER_*}.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}; older callers: 0.
        """

    def domainGetSchedulerParametersFlags(dom: DomainRef, flags: int) -> Answer[list[TypedParam]]:
        """
        Tell how the host's CPUs are shared (C{VIR_DOMAIN_SCHEDULER_*}).

        @param flags: one of C{VIR_DOMAIN_AFFECT_*}, and C{VIR_TYPED_PARAM_STRING_OKAY}; older
            callers: 0.
        @return: at most 16 parameters, in an order that does not change; callers may take the
            first ones only.
        """

    def domainSetBlockIoTune(
        dom: DomainRef, disk: str, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """
        Limit the traffic of a disk.

        @param disk: its target or the path of its source.
        @param params: one or more of C{VIR_DOMAIN_BLOCK_IOTUNE_*}; bytes or requests a second,
            seconds; 0: no limit.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """

    def domainGetBlockIoTune(
        dom: DomainRef, disk: str | None, flags: int
    ) -> Answer[list[TypedParam]]:
        """
        Tell the limits of a disk's traffic (C{VIR_DOMAIN_BLOCK_IOTUNE_*}).

        @param disk: its target or the path of its source; None: the caller only wants to know how
            many there are.
        @param flags: one of C{VIR_DOMAIN_AFFECT_*}, and C{VIR_TYPED_PARAM_STRING_OKAY}.
        @return: at most 32 parameters.
        """

    def domainSetNumaParameters(
        dom: DomainRef, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """
        Say on which cells a domain's memory lies.

        @param params: one or more of C{VIR_DOMAIN_NUMA_*}.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """

    def domainGetNumaParameters(dom: DomainRef, flags: int) -> Answer[list[TypedParam]]:
        """
        Tell on which cells a domain's memory lies (C{VIR_DOMAIN_NUMA_*}).

        @param flags: one of C{VIR_DOMAIN_AFFECT_*}, and C{VIR_TYPED_PARAM_STRING_OKAY}.
        @return: at most 16 parameters.
        """

    def domainSetInterfaceParameters(
        dom: DomainRef, device: str, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """
        Limit the traffic of an interface.

        @param device: its name on the host, or its MAC address.
        @param params: one or more of C{VIR_DOMAIN_BANDWIDTH_*}; KiB a second, KiB.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """

    def domainGetInterfaceParameters(
        dom: DomainRef, device: str, flags: int
    ) -> Answer[list[TypedParam]]:
        """
        Tell the limits of an interface's traffic (C{VIR_DOMAIN_BANDWIDTH_*}).

        @param device: its name on the host, or its MAC address.
        @param flags: one of C{VIR_DOMAIN_AFFECT_*}, and C{VIR_TYPED_PARAM_STRING_OKAY}.
        @return: at most 16 parameters.
        """

    def domainGetSecurityLabelList(dom: DomainRef) -> Answer[list[SecurityLabel]]:
        """
        Tell under which labels a guest runs, one of each security model that there is, at most 64.
        """

    def domainGetLaunchSecurityInfo(dom: DomainRef, flags: int) -> Answer[list[TypedParam]]:
        """
        Tell what the owner of a guest with encrypted memory needs to trust it
        (C{VIR_DOMAIN_LAUNCH_SECURITY_*}).

        @param flags: C{VIR_TYPED_PARAM_STRING_OKAY}.
        @return: at most 64 parameters.
        """

    def domainSetLaunchSecurityState(
        dom: DomainRef, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """
        Hand a secret to a guest with encrypted memory before it runs.

        @param params: one or more of C{VIR_DOMAIN_LAUNCH_SECURITY_*}.
        @param flags: none yet.
        """

    def domainSetThrottleGroup(
        dom: DomainRef, group: str, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """
        Define limits that several disks share, or change them.

        @param group: its name.
        @param params: as L{domainSetBlockIoTune}.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """

    def domainDelThrottleGroup(dom: DomainRef, group: str | None, flags: int) -> Answer[None]:
        """
        Remove limits that no disk uses any more.

        @param group: its name, not None.
        @param flags: bitwise-OR of C{VIR_DOMAIN_AFFECT_*}.
        """
