"""
Consoles, channels, displays: bytes between a guest and whoever looks after it.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.streams import IStreamDuplex, IStreamSource
from pyvirt.drivers.interfaces.values import Answer, DomainRef


class IDomainConsoles(Interface):
    """Consoles, channels, displays: bytes between a guest and whoever looks after it."""

    def domainOpenConsole(dom: DomainRef, devName: str | None, flags: int) -> Answer[IStreamDuplex]:
        """virDomainOpenConsole."""

    def domainScreenshot(
        dom: DomainRef, screen: int, flags: int
    ) -> Answer[tuple[str | None, IStreamSource]]:
        """virDomainScreenshot."""

    def domainOpenGraphics(dom: DomainRef, idx: int, flags: int, fds: list[int]) -> Answer[None]:
        """virDomainOpenGraphics."""

    def domainOpenChannel(dom: DomainRef, name: str | None, flags: int) -> Answer[IStreamDuplex]:
        """virDomainOpenChannel."""

    def domainOpenGraphicsFD(dom: DomainRef, idx: int, flags: int) -> Answer[int]:
        """virDomainOpenGraphicsFD."""
