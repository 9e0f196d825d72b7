"""
Consoles, channels, screens and displays of guests.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.streams import IStreamDuplex, IStreamSource
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.files import openWritten
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    internal,
    operationInvalid,
    systemFailure,
    unsupportedConfig,
)
from pyvirt.drivers.qemu.terminals import (
    FileSource,
    Terminal,
    connectSocket,
    lockTerminal,
    openTerminal,
)

__all__ = ["DomainConsoles"]


class DomainConsoles:
    """Connects users with guests."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._find = hypervisor.domains.find
        self._running = hypervisor.domains.running

    def domainOpenConsole(self, dom: DomainRef, devName: str | None, flags: int) -> IStreamDuplex:
        """Connect to a console, a serial port or a parallel port."""
        checkFlags(
            "qemuDomainOpenConsole",
            flags,
            c.VIR_DOMAIN_CONSOLE_SAFE | c.VIR_DOMAIN_CONSOLE_FORCE,
        )
        domain, _ = self._running(dom)
        device = self._console(domain, devName)
        if device is None:
            name = devName if devName is not None else "<null>"
            raise internal(f"cannot find character device {name}")
        source = device.source
        if source.type not in ("pty", "unix") or (source.type == "pty" and not source.path):
            name = devName or device.alias
            if devName is None and domain.definition.devices.consoles:
                name = "console0"
            raise internal(f"character device {name} is not using a PTY")
        return self._join(source, bool(flags & c.VIR_DOMAIN_CONSOLE_FORCE), "console")

    @staticmethod
    def _console(domain: Domain, name: str | None) -> Any:
        devices = domain.definition.devices
        every: list[Any] = [*devices.consoles, *devices.serials, *devices.parallels]
        if name is None:
            return every[0] if every else None
        for each in every:
            if each.alias == name:
                return each
        if name == "console0" and devices.consoles:
            # Its name where it is a serial port seen again.
            return devices.consoles[0]
        return None

    def domainOpenChannel(self, dom: DomainRef, name: str | None, flags: int) -> IStreamDuplex:
        """Connect to a channel."""
        checkFlags("qemuDomainOpenChannel", flags, c.VIR_DOMAIN_CHANNEL_FORCE)
        domain, _ = self._running(dom)
        found: Any = None
        for channel in domain.definition.devices.channels:
            if name is None or name in (channel.alias, channel.target.name):
                found = channel
                break
        if found is None:
            raise internal(f"cannot find channel {'<null>' if name is None else name}")
        if found.source.type != "unix":
            raise internal(f"channel {name} is not using a UNIX socket")
        return self._join(found.source, bool(flags & c.VIR_DOMAIN_CHANNEL_FORCE), "channel")

    def _join(self, source: Any, force: bool, what: str) -> IStreamDuplex:
        """Connect to the host's end of a device; one user at a time, unless the newer one takes it."""
        users: dict[str, Terminal] | None = getattr(self._hypervisor, "terminals", None)
        if users is None:
            users = {}
            self._hypervisor.terminals = users  # type: ignore[attr-defined]
        path = source.path
        other = users.get(path)
        if other is not None:
            if not force:
                kind = "stream" if what == "channel" else "session"
                raise operationFailed(f"Active {what} {kind} exists for this domain")
            other.takeAway()
        if source.type == "pty":
            release = lockTerminal(self._hypervisor.layout.locks, path)
            try:
                fd = openTerminal(path)
            except BaseException:
                release()
                raise
        else:
            release, fd = _nothing, connectSocket(path)
        terminal = Terminal(self._hypervisor.clock, fd, lambda: self._left(path, terminal, release))
        users[path] = terminal
        return terminal

    def _left(self, path: str, terminal: Terminal, release: Callable[[], None]) -> None:
        release()
        users = getattr(self._hypervisor, "terminals", {})
        if users.get(path) is terminal:
            del users[path]

    async def domainScreenshot(
        self, dom: DomainRef, screen: int, flags: int
    ) -> tuple[str | None, IStreamSource]:
        """Take a picture of a guest's screen."""
        checkFlags("qemuDomainScreenshot", flags)
        domain, _ = self._running(dom)
        async with domain.jobs.change("remoteDispatchDomainScreenshot"):
            guest = domain.checkActive()
            videos = domain.definition.devices.videos
            if not videos:
                raise internal("no screens to take screenshot from")
            arguments: dict[str, Any] = {}
            heads = 0
            for video in videos:
                here = getattr(getattr(video, "model", None), "heads", None) or 1
                if screen < heads + here:
                    if screen or len(videos) > 1:
                        arguments = {"device": video.alias, "head": screen - heads}
                    break
                heads += here
            else:
                raise operationInvalid("no such screen ID")
            png = guest.capabilities.version >= 7001000
            fd, path = tempfile.mkstemp(prefix="qemu.screendump.", dir=guest.folder)
            try:
                if guest.owner is not None:
                    os.fchown(fd, *guest.owner)
                arguments["filename"] = path
                if png:
                    arguments["format"] = "png"
                await guest.execute("screendump", arguments)
                # QEMU may have written it anew: what is there under the name counts.
                picture = openWritten(path)
            except OSError as problem:
                raise systemFailure(problem, "unable to open stream") from None
            finally:
                os.close(fd)
                try:
                    os.unlink(path)
                except OSError:
                    pass
        return "image/png" if png else "image/x-portable-pixmap", FileSource(picture)

    async def domainOpenGraphics(
        self, dom: DomainRef, idx: int, flags: int, fds: list[int]
    ) -> None:
        """Let a client that is connected to a socket use a display."""
        checkFlags("qemuDomainOpenGraphics", flags, c.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
        fd = os.dup(fds[0])
        try:
            await self._addClient(dom, idx, flags, fd, "remoteDispatchDomainOpenGraphics")
        finally:
            os.close(fd)

    async def domainOpenGraphicsFD(self, dom: DomainRef, idx: int, flags: int) -> int:
        """Connect to a display."""
        import socket

        checkFlags("qemuDomainOpenGraphicsFD", flags, c.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            await self._addClient(
                dom, idx, flags, theirs.fileno(), "remoteDispatchDomainOpenGraphicsFD"
            )
            return ours.detach()

    async def _addClient(self, dom: DomainRef, idx: int, flags: int, fd: int, what: str) -> None:
        domain, _ = self._running(dom)
        displays = domain.definition.devices.graphics
        if idx >= len(displays):
            raise internal(f"No graphics backend with index {idx}")
        kind = displays[idx].type
        if kind not in ("vnc", "spice"):
            raise unsupportedConfig(
                "Can only open VNC, SPICE or D-Bus p2p graphics backends, not " + kind
            )
        async with domain.jobs.change(what):
            guest = domain.checkActive()
            await guest.execute("getfd", {"fdname": "graphicsfd"}, fds=[fd])
            await guest.execute(
                "add_client",
                {
                    "protocol": kind,
                    "fdname": "graphicsfd",
                    "skipauth": bool(flags & c.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH),
                },
            )


def _nothing() -> None:
    """What is not locked is not let go of."""


def operationFailed(detail: str) -> Exception:
    from pyvirt.drivers.qemu.refusals import failed

    return failed(detail)
