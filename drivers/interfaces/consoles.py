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
        """
        Connect to a console.

        @param devName: alias of a serial port, console or parallel port; None: the first.
        @param flags: C{VIR_DOMAIN_CONSOLE_FORCE}: take it from who has it; C{SAFE}: only if nobody
            can.
        @return: both directions; it ends when the guest does.
        @raise OperationInvalid: the guest is inactive.
        """

    def domainScreenshot(
        dom: DomainRef, screen: int, flags: int
    ) -> Answer[tuple[str | None, IStreamSource]]:
        """
        Take a picture of a guest's screen.

        @param screen: which one, 0 or more.
        @param flags: none yet.
        @return: the picture's MIME type and its bytes.
        """

    def domainOpenGraphics(dom: DomainRef, idx: int, flags: int, fds: list[int]) -> Answer[None]:
        """
        Let a client that is connected to C{fds[0]} use a display.

        @param idx: which display, 0 or more.
        @param flags: C{VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH}: without its password.
        @param fds: the first is a socket; it stays the caller's, and is duplicated.
        """

    def domainOpenChannel(dom: DomainRef, name: str | None, flags: int) -> Answer[IStreamDuplex]:
        """
        Connect to a channel, which a program inside the guest listens on.

        @param name: its target name or alias; None: the first.
        @param flags: C{VIR_DOMAIN_CHANNEL_FORCE}: take it from who has it.
        @return: as L{domainOpenConsole}.
        """

    def domainOpenGraphicsFD(dom: DomainRef, idx: int, flags: int) -> Answer[int]:
        """
        Connect to a display.

        @param idx: which display, 0 or more.
        @param flags: as L{domainOpenGraphics}.
        @return: a connected socket, for the caller to close.
        """
