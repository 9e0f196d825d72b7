"""
Who writes to files: L{FileWatch} tells when one is written to next, and costs nothing until then.

Source: inotify(7).
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

__all__ = ["FileWatch"]

log = Logger()

_MODIFY, _ONCE, _NO_LINKS = 0x2, 0x80000000, 0x2000000
_OVERFLOW = 0x4000
#: The number of the watch, what happened, a cookie, the length of a name that follows.
_EVENT = struct.Struct("iIII")


@implementer(IReadDescriptor)
class FileWatch:
    """
    Tells of files that are written to, of each once until it is asked for again.
    """

    def __init__(self, reactor: Any, opened: int, written: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._opened = opened
        self._written = written
        self._paths: dict[int, str] = {}

    @classmethod
    def open(cls, reactor: Any, written: Callable[[str], None]) -> FileWatch | None:
        """
        Make one.

        @param written: is told the path of a file that has been written to.
        @return: None if the system has none for us.
        """
        opened = _libc().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if opened < 0:
            reason = os.strerror(ctypes.get_errno())
            log.warn("nobody tells of files that are written to: {reason}", reason=reason)
            return None
        made = cls(reactor, opened, written)
        reactor.addReader(made)
        return made

    def add(self, path: str) -> bool:
        """Tell when a file is written to next; return False if it cannot be watched."""
        mask = _MODIFY | _ONCE | _NO_LINKS
        number = _libc().inotify_add_watch(self._opened, os.fsencode(path), ctypes.c_uint32(mask))
        if number < 0:
            return False
        self._paths[number] = path
        return True

    def close(self) -> None:
        """Tell of nothing any more."""
        if self._opened >= 0:
            self._reactor.removeReader(self)
            os.close(self._opened)
            self._opened = -1
            self._paths.clear()

    def doRead(self) -> None:
        """Read what the system tells."""
        try:
            data = os.read(self._opened, 1 << 16)
        except BlockingIOError:
            return
        at = 0
        while at + _EVENT.size <= len(data):
            number, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size + length
            if mask & _OVERFLOW:
                # So much has happened that some of it is lost.
                told, self._paths = list(self._paths.values()), {}
            else:
                # That a watch has ended is told too, as something without a path.
                path = self._paths.pop(number, None)
                told = [] if path is None else [path]
            for each in told:
                self._written(each)

    def fileno(self) -> int:
        """Return what the reactor looks at."""
        return self._opened

    def connectionLost(self, reason: Any) -> None:
        """The reactor ends."""
        self.close()

    def logPrefix(self) -> str:
        """Name it in logs."""
        return "files"


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
