"""
UUIDs between their 16 bytes and their text.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Random", "formatUUID", "parseUUID", "randomUUID"]

#: C{(count)} to that many random bytes.
Random = Callable[[int], bytes]

_DIGITS = frozenset("0123456789abcdefABCDEF")


def parseUUID(text: str) -> bytes | None:
    """Return the 16 bytes of a UUID written in any of the ways that libvirt takes, or None."""
    digits = text.strip(" \t\n\r\v\f").replace("-", "")
    if len(digits) != 32 or not _DIGITS.issuperset(digits):
        return None
    return bytes.fromhex(digits)


def formatUUID(value: bytes) -> str:
    """Write a UUID in the usual five groups."""
    text = value.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def randomUUID(random: Random) -> bytes:
    """Make up a UUID of version 4, from as many random bytes as are asked for."""
    value = bytearray(random(16))
    value[6] = value[6] & 0x0F | 0x40
    value[8] = value[8] & 0x3F | 0x80
    return bytes(value)
