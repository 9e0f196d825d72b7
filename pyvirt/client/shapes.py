"""
From what travels to what the Python binding returns: one small function per shape.

Results of several values are read by position: a driver in this process may give a plain tuple where the wire
gives a named one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from pyvirt.protocols.structs import TypedParam

__all__ = [
    "bitMap",
    "characters",
    "cpuMap",
    "dictionary",
    "listOf",
    "making",
    "makingAll",
    "nameUUID",
    "number",
    "pairs",
    "zero",
]

_T = TypeVar("_T")
_H = TypeVar("_H")
_P = TypeVar("_P")


def zero(nothing: object) -> int:
    """Success of what answers nothing: 0."""
    return 0


def number(value: Any) -> int:
    """A number, truth values included."""
    return int(value)


def listOf(values: Iterable[_T]) -> list[_T]:
    """The values as a list."""
    return list(values)


def making(cls: Callable[[_P, Any], _H], parent: _P) -> Callable[[Any], _H]:
    """What makes a handle of a reference."""
    return lambda ref: cls(parent, ref)


def makingAll(cls: Callable[[_P, Any], _H], parent: _P) -> Callable[[Any], list[_H]]:
    """What makes a handle for each reference in a result's first value."""
    return lambda result: [cls(parent, ref) for ref in result[0]]


def dictionary(params: Iterable[TypedParam]) -> dict[str, Any]:
    """Typed parameters as a dictionary."""
    return {param[0]: param[2] for param in params}


def pairs(values: Iterable[Sequence[Any]]) -> dict[Any, Any]:
    """Pairs as a dictionary."""
    return {each[0]: each[1] for each in values}


def characters(data: Any) -> str:
    """Text from a C array: up to the first NUL."""
    if isinstance(data, str):
        return data
    return bytes(data).split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def nameUUID(uuid: bytes) -> str:
    """A UUID of 16 bytes as text: 36 characters, lower case."""
    text = uuid.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def cpuMap(bits: bytes, cpus: int) -> tuple[bool, ...]:
    """A bit map, lowest CPU first, as one truth value for each of C{cpus}."""
    size = len(bits)
    return tuple(bool(cpu >> 3 < size and bits[cpu >> 3] >> (cpu & 7) & 1) for cpu in range(cpus))


def bitMap(truths: Any, cpus: int) -> bytes:
    """
    The other way round: a tuple of truth values as a bit map for C{cpus} CPUs.

    Values beyond the last CPU are left out; CPUs beyond the last value are off.

    @raise TypeError: it is no tuple.
    """
    if not isinstance(truths, tuple):
        raise TypeError("Unexpected type, tuple is required")
    bits = bytearray((cpus + 7) // 8)
    for cpu, on in enumerate(truths[:cpus]):
        if on:
            bits[cpu >> 3] |= 1 << (cpu & 7)
    return bytes(bits)
