"""
Sizes with units, as libvirt scales them, and sets of processors or nodes written as ranges.
"""

from __future__ import annotations

from pyvirt.definitions.kinds import number, xmlError
from pyvirt.definitions.reader import Node, xmlText
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["formatSet", "parseSet", "scaled", "scaledKiB", "scaledText"]

_ULONG = (1 << 64) - 1
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4, "p": 5, "e": 6}


def scale(value: int, suffix: str | None, default: int, limit: int = _ULONG) -> int:
    """
    Multiply a number by its unit.

    @param suffix: C{KiB}, C{k}, C{MB}, C{bytes} ..., in any case; None or empty for C{default}.
    @param limit: the largest result.
    @raise VirtError: INVALID_ARG for an unknown unit, OVERFLOW for too large a result.
    """
    if not suffix:
        factor = default
    else:
        word = suffix.lower()
        if word in ("b", "byte", "bytes"):
            factor = 1
        else:
            power = _POWERS.get(word[0])
            rest = word[1:]
            if power is None or rest not in ("", "b", "ib"):
                raise virtError(
                    ErrorCode.INVALID_ARG, f"unknown suffix '{suffix}'", ErrorDomain.NONE
                )
            factor = 1000**power if rest == "b" else 1024**power
    if value and value > limit // factor:
        raise virtError(
            ErrorCode.OVERFLOW, f"value too large: {value}{suffix or ''}", ErrorDomain.NONE
        )
    return value * factor


def _invalid(text: str, path: str) -> VirtError:
    return xmlError(f"Invalid value '{text}' for element or attribute '{path}'", ErrorDomain.XML)


def scaledText(
    text: str, unit: str | None, path: str, *, default: int = 1024, limit: int = _ULONG
) -> int:
    """
    Read a size in bytes.

    @param path: how messages call the place it stands at.
    """
    value = number(text, bits=64)
    if value is None:
        raise _invalid(text, path)
    return scale(value, unit, default, limit)


def scaled(node: Node, path: str, *, default: int = 1024, limit: int = _ULONG) -> int | None:
    """Read the size in bytes that is the text of an element, with the unit it names; None if empty."""
    text = xmlText(node)
    if not text:
        return None
    return scaledText(text, node.get("unit"), path, default=default, limit=limit)


def scaledKiB(node: Node, path: str, *, limit: int = _ULONG) -> int | None:
    """Read the size that is the text of an element in KiB, rounded up."""
    value = scaled(node, path, limit=limit)
    return None if value is None else -(-value // 1024)


def parseSet(text: str, *, size: int = 65536) -> frozenset[int] | None:
    """
    Read ranges such as C{0-3,^2,7}.

    @param size: one more than the largest number allowed.
    @return: the numbers, or None where the text is no such set.
    """
    text = text.strip(" \t\n\r\v\f")
    if not text:
        return None
    found: set[int] = set()
    for part in text.split(","):
        part = part.strip(" \t\n\r\v\f")
        exclude = part.startswith("^")
        if exclude:
            part = part[1:].strip(" \t\n\r\v\f")
        first, dash, last = part.partition("-")
        first, last = first.strip(" \t"), last.strip(" \t")
        if not (first.isascii() and first.isdigit()) or len(first) > 9:
            return None
        low = int(first)
        if exclude:
            if dash:
                return None
            found.discard(low)
            continue
        high = low
        if dash:
            if not (last.isascii() and last.isdigit()) or len(last) > 9:
                return None
            high = int(last)
        if high < low or high >= size:
            return None
        found.update(range(low, high + 1))
    return frozenset(found)


def formatSet(numbers: frozenset[int]) -> str:
    """Write a set as ranges."""
    parts: list[str] = []
    start = previous = -2
    for current in sorted(numbers):
        if current != previous + 1:
            if start >= 0:
                parts.append(str(start) if start == previous else f"{start}-{previous}")
            start = current
        previous = current
    if start >= 0:
        parts.append(str(start) if start == previous else f"{start}-{previous}")
    return ",".join(parts)
