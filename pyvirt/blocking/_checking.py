"""
Arguments checked and converted as the C binding's argument parser does, before anything else happens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["checked", "converter", "suspicion"]

INT_MAX = (1 << 31) - 1
LONG_MAX = (1 << 63) - 1

_FITS = {
    "i": f"-{INT_MAX + 1} <= {{0}} <= {INT_MAX}",
    "I": f"0 <= {{0}} <= {(1 << 32) - 1}",
    "l": f"-{LONG_MAX + 1} <= {{0}} <= {LONG_MAX}",
    "k": f"0 <= {{0}} <= {(1 << 64) - 1}",
    "L": f"-{LONG_MAX + 1} <= {{0}} <= {LONG_MAX}",
}


def suspicion(letter: str, name: str) -> str:
    """Return Python code that tells whether the value of a variable needs its L{converter}."""
    if letter in "sz":
        nothing = f"{name} is not None and " if letter == "z" else ""
        return f"{nothing}({name}.__class__ is not str or '\\0' in {name} or not {name}.isascii())"
    return f"{name}.__class__ is not int or not {_FITS[letter].format(name)}"


def converter(letter: str, function: str, position: int) -> Callable[[Any], Any]:
    """
    Return what checks and converts the argument at a position of a C function.

    What it returns may raise C{TypeError}, C{OverflowError}, C{ValueError} or C{UnicodeEncodeError}.
    """

    def wrong(wanted: str, value: Any) -> TypeError:
        kind = "None" if value is None else type(value).__name__
        return TypeError(f"{function}() argument {position} must be {wanted}, not {kind}")

    def text(value: Any) -> str | None:
        if value is None and letter == "z":
            return None
        if not isinstance(value, str):
            raise wrong("str or None" if letter == "z" else "str", value)
        value.encode()
        if "\0" in value:
            raise ValueError("embedded null character")
        return value

    def number(value: Any) -> int:
        if letter == "k" and not isinstance(value, int):
            raise wrong("int", value)
        found = _index(value)
        if letter == "I":
            return found & ((1 << 32) - 1)
        if letter == "k":
            return found & ((1 << 64) - 1)
        if not -LONG_MAX - 1 <= found <= LONG_MAX:
            if letter == "L":
                raise OverflowError("int too big to convert")
            raise OverflowError("Python int too large to convert to C long")
        if letter == "i" and found > INT_MAX:
            raise OverflowError("signed integer is greater than maximum")
        if letter == "i" and found < -INT_MAX - 1:
            raise OverflowError("signed integer is less than minimum")
        return found

    return text if letter in "sz" else number


def _index(value: Any) -> int:
    if not hasattr(type(value), "__index__"):
        raise TypeError(f"'{type(value).__name__}' object cannot be interpreted as an integer")
    found: int = value.__index__()
    return int(found)


def checked(function: str, letters: str, *values: Any) -> tuple[Any, ...]:
    """Check the arguments of a C function that takes no object first."""
    return tuple(
        value if letter == "O" else converter(letter, function, position)(value)
        for position, (letter, value) in enumerate(zip(letters, values, strict=True), 1)
    )
