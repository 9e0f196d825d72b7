"""
Guests coming to life, pausing, saving, ending.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import (
    Answer,
    ControlInfo,
    DomainInfo,
    DomainRef,
    DomainState,
    TypedParam,
)


class IDomainLifecycle(Interface):
    """Guests coming to life, pausing, saving, ending."""

    def domainCreateXML(xmlDesc: str, flags: int, fds: list[int]) -> Answer[DomainRef]:
        """virDomainCreateXML."""

    def domainGetInfo(dom: DomainRef) -> Answer[DomainInfo]:
        """virDomainGetInfo."""

    def domainReboot(dom: DomainRef, flags: int) -> Answer[None]:
        """virDomainReboot."""

    def domainResume(dom: DomainRef) -> Answer[None]:
        """virDomainResume."""

    def domainSuspend(dom: DomainRef) -> Answer[None]:
        """virDomainSuspend."""

    def domainIsActive(dom: DomainRef) -> Answer[bool]:
        """virDomainIsActive."""

    def domainManagedSave(dom: DomainRef, flags: int) -> Answer[None]:
        """virDomainManagedSave."""

    def domainHasManagedSaveImage(dom: DomainRef, flags: int) -> Answer[bool]:
        """virDomainHasManagedSaveImage."""

    def domainManagedSaveRemove(dom: DomainRef, flags: int) -> Answer[None]:
        """virDomainManagedSaveRemove."""

    def domainCreateWithFlags(dom: DomainRef, flags: int, fds: list[int]) -> Answer[DomainRef]:
        """virDomainCreateWithFlags."""

    def domainInjectNMI(dom: DomainRef, flags: int) -> Answer[None]:
        """virDomainInjectNMI."""

    def domainGetState(dom: DomainRef, flags: int) -> Answer[DomainState]:
        """virDomainGetState."""

    def domainSendKey(
        dom: DomainRef, codeset: int, holdtime: int, keycodes: list[int], flags: int
    ) -> Answer[None]:
        """virDomainSendKey."""

    def domainGetControlInfo(dom: DomainRef, flags: int) -> Answer[ControlInfo]:
        """virDomainGetControlInfo."""

    def domainSaveFlags(dom: DomainRef, to: str, dxml: str | None, flags: int) -> Answer[None]:
        """virDomainSaveFlags."""

    def domainRestoreFlags(from_: str, dxml: str | None, flags: int) -> Answer[None]:
        """virDomainRestoreFlags."""

    def domainDestroyFlags(dom: DomainRef, flags: int) -> Answer[None]:
        """virDomainDestroyFlags."""

    def domainSaveImageGetXMLDesc(file: str, flags: int) -> Answer[str]:
        """virDomainSaveImageGetXMLDesc."""

    def domainSaveImageDefineXML(file: str, dxml: str, flags: int) -> Answer[None]:
        """virDomainSaveImageDefineXML."""

    def domainReset(dom: DomainRef, flags: int) -> Answer[None]:
        """virDomainReset."""

    def domainShutdownFlags(dom: DomainRef, flags: int) -> Answer[None]:
        """virDomainShutdownFlags."""

    def domainPMSuspendForDuration(
        dom: DomainRef, target: int, duration: int, flags: int
    ) -> Answer[None]:
        """virDomainPMSuspendForDuration."""

    def domainPMWakeup(dom: DomainRef, flags: int) -> Answer[None]:
        """virDomainPMWakeup."""

    def domainSendProcessSignal(
        dom: DomainRef, pidValue: int, signum: int, flags: int
    ) -> Answer[None]:
        """virDomainSendProcessSignal."""

    def domainCoreDumpWithFormat(
        dom: DomainRef, to: str, dumpformat: int, flags: int
    ) -> Answer[None]:
        """virDomainCoreDumpWithFormat."""

    def domainManagedSaveGetXMLDesc(dom: DomainRef, flags: int) -> Answer[str]:
        """virDomainManagedSaveGetXMLDesc."""

    def domainManagedSaveDefineXML(dom: DomainRef, dxml: str | None, flags: int) -> Answer[None]:
        """virDomainManagedSaveDefineXML."""

    def domainSetLifecycleAction(
        dom: DomainRef, type: int, action: int, flags: int
    ) -> Answer[None]:
        """virDomainSetLifecycleAction."""

    def domainGetMessages(dom: DomainRef, flags: int) -> Answer[list[str]]:
        """virDomainGetMessages."""

    def domainSaveParams(dom: DomainRef, params: list[TypedParam], flags: int) -> Answer[None]:
        """virDomainSaveParams."""

    def domainRestoreParams(params: list[TypedParam], flags: int) -> Answer[None]:
        """virDomainRestoreParams."""
