"""
What an agent inside the guest can tell or do.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import (
    Answer,
    DomainFSInfo,
    DomainInterface,
    DomainRef,
    DomainTime,
    TypedParam,
)


class IDomainGuestAgent(Interface):
    """What an agent inside the guest can tell or do."""

    def domainGetHostname(dom: DomainRef, flags: int) -> Answer[str]:
        """virDomainGetHostname."""

    def domainFSTrim(
        dom: DomainRef, mountPoint: str | None, minimum: int, flags: int
    ) -> Answer[None]:
        """virDomainFSTrim."""

    def domainFSFreeze(dom: DomainRef, mountpoints: list[str], flags: int) -> Answer[int]:
        """virDomainFSFreeze."""

    def domainFSThaw(dom: DomainRef, mountpoints: list[str], flags: int) -> Answer[int]:
        """virDomainFSThaw."""

    def domainGetTime(dom: DomainRef, flags: int) -> Answer[DomainTime]:
        """virDomainGetTime."""

    def domainSetTime(dom: DomainRef, seconds: int, nseconds: int, flags: int) -> Answer[None]:
        """virDomainSetTime."""

    def domainGetFSInfo(dom: DomainRef, flags: int) -> Answer[list[DomainFSInfo]]:
        """virDomainGetFSInfo."""

    def domainInterfaceAddresses(
        dom: DomainRef, source: int, flags: int
    ) -> Answer[list[DomainInterface]]:
        """virDomainInterfaceAddresses."""

    def domainSetUserPassword(
        dom: DomainRef, user: str | None, password: str | None, flags: int
    ) -> Answer[None]:
        """virDomainSetUserPassword."""

    def domainGetGuestVcpus(dom: DomainRef, flags: int) -> Answer[list[TypedParam]]:
        """virDomainGetGuestVcpus."""

    def domainSetGuestVcpus(dom: DomainRef, cpumap: str, state: int, flags: int) -> Answer[None]:
        """virDomainSetGuestVcpus."""

    def domainGetGuestInfo(dom: DomainRef, types: int, flags: int) -> Answer[list[TypedParam]]:
        """virDomainGetGuestInfo."""

    def domainAgentSetResponseTimeout(dom: DomainRef, timeout: int, flags: int) -> Answer[int]:
        """virDomainAgentSetResponseTimeout."""

    def domainAuthorizedSSHKeysGet(dom: DomainRef, user: str, flags: int) -> Answer[list[str]]:
        """virDomainAuthorizedSSHKeysGet."""

    def domainAuthorizedSSHKeysSet(
        dom: DomainRef, user: str, keys: list[str], flags: int
    ) -> Answer[None]:
        """virDomainAuthorizedSSHKeysSet."""

    def domainQemuAgentCommand(
        dom: DomainRef, cmd: str, timeout: int, flags: int
    ) -> Answer[str | None]:
        """virDomainQemuAgentCommand."""
