"""
Devices coming and going, and what is inside them.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, DomainRef, TypedParam


class IDomainDevices(Interface):
    """Devices coming and going, and what is inside them."""

    def domainBlockPeek(
        dom: DomainRef, path: str, offset: int, size: int, flags: int
    ) -> Answer[bytes]:
        """virDomainBlockPeek."""

    def domainMemoryPeek(dom: DomainRef, offset: int, size: int, flags: int) -> Answer[bytes]:
        """virDomainMemoryPeek."""

    def domainAttachDeviceFlags(dom: DomainRef, xml: str, flags: int) -> Answer[None]:
        """virDomainAttachDeviceFlags."""

    def domainDetachDeviceFlags(dom: DomainRef, xml: str, flags: int) -> Answer[None]:
        """virDomainDetachDeviceFlags."""

    def domainUpdateDeviceFlags(dom: DomainRef, xml: str, flags: int) -> Answer[None]:
        """virDomainUpdateDeviceFlags."""

    def domainBlockResize(dom: DomainRef, disk: str, size: int, flags: int) -> Answer[None]:
        """virDomainBlockResize."""

    def domainPinIOThread(
        dom: DomainRef, iothreadsID: int, cpumap: bytes, flags: int
    ) -> Answer[None]:
        """virDomainPinIOThread."""

    def domainAddIOThread(dom: DomainRef, iothreadID: int, flags: int) -> Answer[None]:
        """virDomainAddIOThread."""

    def domainDelIOThread(dom: DomainRef, iothreadID: int, flags: int) -> Answer[None]:
        """virDomainDelIOThread."""

    def domainDetachDeviceAlias(dom: DomainRef, alias: str, flags: int) -> Answer[None]:
        """virDomainDetachDeviceAlias."""

    def domainSetIOThreadParams(
        dom: DomainRef, iothreadID: int, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """virDomainSetIOThreadParams."""

    def domainFDAssociate(dom: DomainRef, name: str, flags: int, fds: list[int]) -> Answer[None]:
        """virDomainFDAssociate."""

    def domainGraphicsReload(dom: DomainRef, type: int, flags: int) -> Answer[None]:
        """domainGraphicsReload."""

    def domainQemuAttach(pidValue: int, flags: int) -> Answer[DomainRef]:
        """virDomainQemuAttach."""
