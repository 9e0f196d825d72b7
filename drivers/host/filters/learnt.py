"""
Addresses that DHCP servers gave to guests, kept for a daemon that is started again.

The file is libvirt's: a line for each, with when it ends, in seconds since 1970, whose it is (the guest's UUID and the
card's hardware address), the address and the server.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import NamedTuple

from twisted.logger import Logger

from pyvirt.drivers.filestore import writeWhole
from pyvirt.errors import VirtError

__all__ = ["FOREVER", "Learnt", "LearntLease"]

log = Logger()

#: The end of what has none.
FOREVER = 0xFFFFFFFF
#: The most of the file that is read, in bytes.
_MOST = 4 << 20


class LearntLease(NamedTuple):
    """What a guest was given, and until when."""

    until: int
    address: str
    server: str


def _isAddress(text: str) -> bool:
    try:
        return socket.inet_ntoa(socket.inet_aton(text)) == text
    except (OSError, UnicodeError):
        return False


class Learnt:
    """The file, and what is in it that has not ended."""

    def __init__(self, path: str, seconds: Callable[[], float]) -> None:
        """
        @param seconds: tells the time since 1970.
        """
        self._path = path
        self._seconds = seconds
        self._known: dict[str, LearntLease] | None = None

    def _leases(self) -> dict[str, LearntLease]:
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> dict[str, LearntLease]:
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                lines = file.read(_MOST).splitlines()
        except FileNotFoundError:
            return {}
        except OSError as problem:
            log.warn("{path}: {problem}", path=self._path, problem=problem)
            return {}
        found: dict[str, LearntLease] = {}
        for line in lines:
            words = line.split()
            if len(words) != 4 or not words[0].isascii() or not words[0].isdigit():
                continue
            if len(words[0]) > 10 or not _isAddress(words[2]) or not _isAddress(words[3]):
                continue
            # The last line about somebody counts; one that has ended takes back what was said before.
            found[words[1]] = LearntLease(int(words[0]), words[2], words[3])
        return found

    def of(self, whose: str) -> LearntLease | None:
        """Return what somebody has still, None: nothing."""
        lease = self._leases().get(whose)
        return lease if lease is not None and lease.until > self._seconds() else None

    def note(self, whose: str, lease: LearntLease | None) -> None:
        """
        Write down what somebody has now; that it cannot be is logged.

        @param lease: None: nothing.
        """
        known = self._leases()
        if known.get(whose) == lease:
            return
        if lease is None:
            del known[whose]
        else:
            known[whose] = lease
        now = self._seconds()
        text = "".join(
            f"{each.until} {key} {each.address} {each.server}\n"
            for key, each in known.items()
            if each.until > now
        )
        try:
            writeWhole(self._path, text.encode(), 0o644)
        except VirtError as problem:
            log.warn("{path}: {problem}", path=self._path, problem=problem)
