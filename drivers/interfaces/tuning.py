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
        """virDomainGetSchedulerType."""

    def domainGetSecurityLabel(dom: DomainRef) -> Answer[SecurityLabel]:
        """virDomainGetSecurityLabel."""

    def domainSetMemoryParameters(
        dom: DomainRef, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """virDomainSetMemoryParameters."""

    def domainGetMemoryParameters(dom: DomainRef, flags: int) -> Answer[list[TypedParam]]:
        """virDomainGetMemoryParameters."""

    def domainSetBlkioParameters(
        dom: DomainRef, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """virDomainSetBlkioParameters."""

    def domainGetBlkioParameters(dom: DomainRef, flags: int) -> Answer[list[TypedParam]]:
        """virDomainGetBlkioParameters."""

    def domainSetSchedulerParametersFlags(
        dom: DomainRef, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """virDomainSetSchedulerParametersFlags."""

    def domainGetSchedulerParametersFlags(dom: DomainRef, flags: int) -> Answer[list[TypedParam]]:
        """virDomainGetSchedulerParametersFlags."""

    def domainSetBlockIoTune(
        dom: DomainRef, disk: str, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """virDomainSetBlockIoTune."""

    def domainGetBlockIoTune(
        dom: DomainRef, disk: str | None, flags: int
    ) -> Answer[list[TypedParam]]:
        """virDomainGetBlockIoTune."""

    def domainSetNumaParameters(
        dom: DomainRef, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """virDomainSetNumaParameters."""

    def domainGetNumaParameters(dom: DomainRef, flags: int) -> Answer[list[TypedParam]]:
        """virDomainGetNumaParameters."""

    def domainSetInterfaceParameters(
        dom: DomainRef, device: str, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """virDomainSetInterfaceParameters."""

    def domainGetInterfaceParameters(
        dom: DomainRef, device: str, flags: int
    ) -> Answer[list[TypedParam]]:
        """virDomainGetInterfaceParameters."""

    def domainGetSecurityLabelList(dom: DomainRef) -> Answer[list[SecurityLabel]]:
        """virDomainGetSecurityLabelList."""

    def domainGetLaunchSecurityInfo(dom: DomainRef, flags: int) -> Answer[list[TypedParam]]:
        """virDomainGetLaunchSecurityInfo."""

    def domainSetLaunchSecurityState(
        dom: DomainRef, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """virDomainSetLaunchSecurityState."""

    def domainSetThrottleGroup(
        dom: DomainRef, group: str, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """domainSetThrottleGroup."""

    def domainDelThrottleGroup(dom: DomainRef, group: str | None, flags: int) -> Answer[None]:
        """domainDelThrottleGroup."""
