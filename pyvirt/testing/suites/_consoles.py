"""
What consoles, channels and screens of guests must do.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.consoles import IDomainConsoles
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.errors import ErrorCode, VirtError
from pyvirt.testing.suites._domains import DomainSuite
from pyvirt.testing.suites._streams import Collected
from pyvirt.testing.suites._suite import UNKNOWN_FLAG

__all__ = ["DomainConsolesContract"]


class DomainConsolesContract(DomainSuite):
    """
    Consoles and screens: L{IDomainConsoles}; what L{domainXML} describes has a console.

    @cvar says: what the guest is told.
    @cvar answer: what comes back then, among other things; None: the guest is silent.
    """

    contract = IDomainConsoles
    says = b"hello\n"
    answer: bytes | None = b"hello"

    def open(self, dom: DomainRef, flags: int = 0) -> tuple[Any, Collected]:
        """Connect to the console."""
        line = self.ask("domainOpenConsole", dom, None, flags)
        collected = Collected()
        if hasattr(line, "attach"):
            line.attach(collected)
        line.start(collected)
        return line, collected

    def talk(self, line: Any, told: Collected) -> None:
        """Say something, and wait for the answer."""
        line.write(self.says)
        wanted = self.answer
        if wanted is not None:
            self.happens(lambda: wanted in told.data, "the guest answers")

    def leave(self, line: Any) -> None:
        """Hang up."""
        self.wait(line.finish())
        line.stopProducing()

    def test_console(self) -> None:
        """What is said reaches the guest, and its answer comes back; later somebody else can connect."""
        if self.has("domainOpenConsole"):
            dom = self.start()
            for _ in range(2):
                line, told = self.open(dom)
                self.talk(line, told)
                self.leave(line)

    def test_taken(self) -> None:
        """A console that somebody has is given to nobody else, unless it is taken away."""
        if self.has("domainOpenConsole"):
            dom = self.start()
            line, _ = self.open(dom)
            self.refuses(None, "domainOpenConsole", dom, None, 0)
            other, told = self.open(dom, c.VIR_DOMAIN_CONSOLE_FORCE)
            self.talk(other, told)
            self.leave(other)
            line.stopProducing()

    def test_guestEnds(self) -> None:
        """The line ends with the guest."""
        if self.has("domainOpenConsole"):
            dom = self.start()
            _, told = self.open(dom)
            self.ask("domainDestroyFlags", dom, 0, interface=IDomainLifecycle)
            self.happens(lambda: told.ended, "the line ends")
            self.assertEqual(told.ends, 1)

    def test_clientGone(self) -> None:
        """A client that is gone leaves the console to others."""
        if self.has("domainOpenConsole"):
            dom = self.start()
            line, _ = self.open(dom)
            line.abort(VirtError("the client is gone"))
            line.stopProducing()
            other, _ = self.open(dom)
            self.leave(other)

    def test_screenshot(self) -> None:
        """A picture of the screen has a type, some bytes and one end, at the pace of who looks."""
        if self.has("domainScreenshot"):
            dom = self.start()
            mime, source = self.ask("domainScreenshot", dom, 0, 0)
            self.assertRegex(mime, "^image/")
            whole = Collected()
            source.start(whole)
            self.happens(lambda: whole.ended, "the picture ends")
            self.assertIsNone(whole.error)
            self.assertGreater(len(whole.data), 0)
            _, source = self.ask("domainScreenshot", dom, 0, 0)
            slow = Collected(source)
            source.start(slow)
            self.happens(lambda: slow.ended, "the picture ends though its reader pauses")
            self.assertEqual((len(slow.data) > 0, slow.unasked, slow.ends), (True, 0, 1))
            _, source = self.ask("domainScreenshot", dom, 0, 0)
            source.stopProducing()

    def test_refused(self) -> None:
        """What is not there or does not run has no console."""
        nobody, dom = self.nobody(), self.define("suite-one")
        for name in ("domainOpenConsole", "domainOpenChannel"):
            self.refuses(ErrorCode.NO_DOMAIN, name, nobody, None, 0)
            self.refuses(ErrorCode.OPERATION_INVALID, name, dom, None, 0)
        self.refuses(ErrorCode.NO_DOMAIN, "domainScreenshot", nobody, 0, 0)
        dom = self.ask("domainCreateWithFlags", dom, 0, [], interface=IDomainLifecycle)
        self.refuses(None, "domainOpenConsole", dom, "nobody", 0)
        self.refuses(None, "domainOpenConsole", dom, None, UNKNOWN_FLAG)
        self.refuses(None, "domainScreenshot", dom, 0, UNKNOWN_FLAG)
