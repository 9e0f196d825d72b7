"""
Hearing from the kernel, or from udev where that runs, that devices come, go and change.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

__all__ = ["DeviceWatcher", "changedPath"]

log = Logger()

_UEVENT = 15  # NETLINK_KOBJECT_UEVENT
_KERNEL, _UDEV = 1, 2
#: How many messages are taken together.
_BURST = 256
_PREFIX = b"libudev\0"


def changedPath(message: bytes) -> str | None:
    """Return the place in C{/sys} of a device that has changed and stays, None: it is new, gone, or nonsense."""
    if message.startswith(_PREFIX):
        offset = int.from_bytes(message[16:20], "little") if len(message) >= 20 else 0
        message = message[offset:] if offset else b""
    fields = dict(part.split(b"=", 1) for part in message.split(b"\0") if b"=" in part)
    path = fields.get(b"DEVPATH")
    if fields.get(b"ACTION") not in (b"change", b"move") or not path:
        return None
    return "/sys" + path.decode(errors="replace")


@implementer(IReadDescriptor)
class DeviceWatcher:
    """Tells that something has happened to devices; what, one looks up oneself."""

    def __init__(
        self,
        reactor: Any,
        changed: Callable[[frozenset[str]], Coroutine[Deferred[Any], Any, Any]],
    ) -> None:
        """
        @param changed: is called with the places of those that stay but are others, one call at a time.
        """
        self._reactor = reactor
        self._changed = changed
        self._socket: socket.socket | None = None
        self._paths: set[str] = set()
        self._busy = self._again = self._stopped = False

    def start(self) -> None:
        """Begin; that it cannot be done is logged."""
        if self._stopped:
            return
        # Where udev runs it says when devices have the names that they keep.
        group = _UDEV if os.path.exists("/run/udev/control") else _KERNEL
        try:
            opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _UEVENT)
            opened.setblocking(False)
            opened.bind((0, group))
        except OSError as problem:
            log.error("devices cannot be watched: {problem}", problem=problem)
            return
        self._socket = opened
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Watch no more."""
        self._stopped = True
        opened, self._socket = self._socket, None
        if opened is not None:
            self._reactor.removeReader(self)
            opened.close()

    def fileno(self) -> int:
        """What the reactor watches."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """What it is called in logs."""
        return "devices"

    def connectionLost(self, reason: Any) -> None:
        """The reactor ends."""
        self.stop()

    def doRead(self) -> None:
        """Take what there is."""
        for _ in range(_BURST):
            if self._socket is None:
                return
            try:
                message, (sender, _) = self._socket.recvfrom(65536)
            except BlockingIOError:
                break
            except OSError as problem:
                # More has happened than fitted: what is there is looked up anyway.
                log.debug("devices: {problem}", problem=problem)
                break
            if sender and not message.startswith(_PREFIX):
                continue
            path = changedPath(message)
            if path is not None:
                self._paths.add(path)
        self._again = True
        if not self._busy:
            self._busy = True
            Deferred.fromCoroutine(self._tell()).addErrback(
                lambda failure: log.failure("Devices cannot be looked at", failure)
            )

    async def _tell(self) -> None:
        try:
            while self._again and not self._stopped:
                self._again = False
                paths, self._paths = self._paths, set()
                await self._changed(frozenset(paths))
        finally:
            self._busy = False
