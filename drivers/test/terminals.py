"""
Consoles and channels of running guests as streams: one client at a time, until it leaves or the guest ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from pyvirt import constants as c
from pyvirt.drivers.interfaces.streams import IPacedSink, IStreamDuplex, IStreamSink
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.test.aliases import aliasOf
from pyvirt.drivers.test.consoles import DomainConsoles
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.guestscript import Guest
from pyvirt.drivers.test.lifecycle import DomainLifecycle
from pyvirt.drivers.test.refusals import checkFlags, failed, internal
from pyvirt.drivers.test.world import World
from pyvirt.errors import VirtError

__all__ = ["DomainTerminals", "Line"]


@implementer(IStreamDuplex)
class Line:
    """
    A line between a client and a program in the guest.

    What the program says while the client is paused waits; nothing is taken from the client meanwhile, so it
    cannot grow.
    """

    def __init__(self, answer: Callable[[bytes], bytes], left: Callable[[], None]) -> None:
        """
        @param answer: what the program says to what it hears; an empty string greets it.
        @param left: called when the line is over, once.
        """
        self._answer = answer
        self._left: Callable[[], None] | None = left
        self._sink: IStreamSink | None = None
        self._paused = False
        self._heard = bytearray()

    def start(self, sink: IStreamSink) -> None:
        """The client listens."""
        self._sink = sink
        if IPacedSink.providedBy(sink):
            sink.attach(self)
        self._say(self._answer(b""))

    def _say(self, data: bytes) -> None:
        if data and self._sink is not None:
            self._sink.write(data)

    def write(self, data: bytes) -> None:
        """Hear what the client says."""
        self._heard += data
        self._think()

    def _think(self) -> None:
        while self._heard and not self._paused and self._left is not None:
            piece = bytes(self._heard[:4096])
            del self._heard[:4096]
            self._say(self._answer(piece))

    def writeHole(self, length: int) -> None:
        """A hole is no keys."""

    def finish(self) -> None:
        """The client is done: the line is over."""
        self.hangUp()

    def abort(self, error: VirtError) -> None:
        """The client is gone."""
        self._sink = None
        self.hangUp()

    def pauseProducing(self) -> None:
        """Say nothing for now."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        self._think()

    def stopProducing(self) -> None:
        """The client does not listen any more."""
        self._sink = None
        self.hangUp()

    def hangUp(self) -> None:
        """End it, for both."""
        left, self._left = self._left, None
        sink, self._sink = self._sink, None
        self._heard.clear()
        if left is not None:
            left()
        if sink is not None:
            sink.finish()


class DomainTerminals(DomainConsoles):
    """The screens, consoles and channels of guests."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._world = world

    def _connect(
        self, domain: Domain, alias: str, answer: Callable[[bytes], bytes], force: bool, what: str
    ) -> Line:
        """
        Open a line to a device.

        @raise VirtError: somebody has it, and it is not to be taken from him.
        """
        closing = domain.extra.closing
        key = ("line", alias)
        if key in closing:
            if not force:
                raise failed(f"Active {what} exists for this domain")
            closing[key]()
        line = Line(answer, lambda: closing.pop(key, None) and None)
        closing[key] = line.hangUp
        return line

    def domainOpenConsole(self, dom: DomainRef, devName: str | None, flags: int) -> Line:
        """Connect to a console: a guest that lets anybody log in."""
        force = c.VIR_DOMAIN_CONSOLE_FORCE
        checkFlags("testDomainOpenConsole", flags, force | c.VIR_DOMAIN_CONSOLE_SAFE)
        domain = self._find(dom)
        domain.checkActive()
        devices = domain.definition.devices
        found: tuple[str, Any] | None = None
        for kind in ("consoles", "serials", "parallels"):
            for place, device in enumerate(getattr(devices, kind)):
                alias = aliasOf(kind, place, device)
                if found is None and devName in (None, alias):
                    found = alias, device
        if found is None:
            raise internal(f"cannot find character device {devName or '<null>'}")
        alias, device = found
        if device.source.type not in ("pty", "unix"):
            raise internal(f"character device {alias} is not using a PTY or UNIX socket")
        # The first console and the first serial port are one and the same.
        if alias == "console0" and devices.serials:
            alias = "serial0"
        guest = Guest(domain.name)

        def answer(data: bytes) -> bytes:
            said = guest.typed(data) if data else guest.greeting()
            wish, guest.wish = guest.wish, None
            if wish is not None:
                self._world.later(0, lambda: self._wished(domain, wish))
            return said

        return self._connect(domain, alias, answer, bool(flags & force), "console session")

    def _wished(self, domain: Domain, wish: str) -> None:
        """The guest does to itself what somebody told it to."""
        lifecycle = DomainLifecycle(self._world)
        if domain.active and wish == "poweroff":
            lifecycle.domainShutdownFlags(domain.ref, 0)
        elif domain.active:
            lifecycle.domainReboot(domain.ref, 0)

    def domainOpenChannel(self, dom: DomainRef, name: str | None, flags: int) -> Line:
        """Connect to a channel: what listens there says everything again."""
        force = c.VIR_DOMAIN_CHANNEL_FORCE
        checkFlags("testDomainOpenChannel", flags, force)
        domain = self._find(dom)
        domain.checkActive()
        for place, channel in enumerate(domain.definition.devices.channels):
            alias = aliasOf("channels", place, channel)
            if name in (None, alias, channel.target.name):
                if channel.source.type != "unix":
                    raise internal(f"channel {name or alias} is not using a UNIX socket")
                return self._connect(
                    domain, alias, lambda data: data, bool(flags & force), "channel stream"
                )
        raise internal(f"cannot find channel {name or '<null>'}")
