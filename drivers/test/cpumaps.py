"""
Maps of CPUs: bits in bytes, the lowest bit of the first byte being CPU 0.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["bitmap", "bits"]


def bits(cpumap: bytes) -> frozenset[int]:
    """Return the numbers of the bits that are set."""
    return frozenset(
        index * 8 + bit for index, byte in enumerate(cpumap) for bit in range(8) if byte >> bit & 1
    )


def bitmap(numbers: Iterable[int]) -> bytes:
    """Make a map, as long as needed but at least a byte, of the numbers of its bits."""
    value = 0
    for number in numbers:
        value |= 1 << number
    return value.to_bytes((value.bit_length() + 7) // 8 or 1, "little")
