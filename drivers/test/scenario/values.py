"""
The values that scenarios are written with: durations, patterns, tables whose every key is known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from random import Random
from typing import Any, NoReturn, TypeVar

import attrs

from pyvirt.drivers.interfaces.faults import CallNames
from pyvirt.drivers.test.refusals import invalidArgument
from pyvirt.errors import VirtError

__all__ = ["Duration", "Patterns", "Table", "duration", "near", "numbered", "wrong"]

_T = TypeVar("_T")

LONGEST = 10 * 366 * 86400.0
"""The longest time that a scenario may speak of, in seconds."""

_UNITS = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_TIME = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(us|ms|s|min|m|h|d|)\s*")
_SHAPES = {"uniform": 2, "normal": 2, "exponential": 1}


def wrong(where: str, problem: str) -> VirtError:
    """Make the error of a scenario that says something impossible."""
    return invalidArgument(f"scenario: {where}: {problem}")


@attrs.frozen
class Duration:
    """
    A time, or how times are distributed; seconds.

    @ivar shape: C{constant}, C{uniform} (from C{first} to C{second}), C{normal} (mean C{first}, deviation
        C{second}, never below 0) or C{exponential} (mean C{first}).
    """

    shape: str
    first: float
    second: float = 0.0

    @property
    def constant(self) -> bool:
        """Whether it is always the same."""
        return self.shape == "constant"

    def draw(self, random: Random) -> float:
        """Return one of its times, 0 to L{LONGEST}."""
        if self.shape == "constant":
            return self.first
        if self.shape == "uniform":
            drawn = random.uniform(self.first, self.second)
        elif self.shape == "normal":
            drawn = random.gauss(self.first, self.second)
        else:
            drawn = random.expovariate(1 / self.first) if self.first else 0.0
        return min(max(drawn, 0.0), LONGEST)


def _seconds(where: str, value: Any) -> float:
    if isinstance(value, str):
        match = _TIME.fullmatch(value)
        if match is None:
            raise wrong(where, f"'{value}' is no time; write 2, '50ms', '2s', '5m' or '1h'")
        seconds = float(match[1]) * _UNITS[match[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int) and abs(value) > LONGEST:
            raise wrong(where, "the time is out of range")
        seconds = float(value)
    else:
        raise wrong(where, f"{value!r} is no time")
    if not math.isfinite(seconds) or not 0 <= seconds <= LONGEST:
        raise wrong(where, f"the time must be in range 0:{int(LONGEST)} seconds")
    return seconds


def duration(where: str, value: Any) -> Duration:
    """
    Read a duration: seconds as a number, a time with its unit, or C{SHAPE:TIME[,TIME]}.

    @raise VirtError: it is none.
    """
    if isinstance(value, str) and ":" in value:
        shape, _, rest = value.partition(":")
        shape = shape.strip()
        if shape not in _SHAPES:
            raise wrong(where, f"'{shape}' is no distribution; there are {', '.join(_SHAPES)}")
        times = [_seconds(where, each) for each in rest.split(",")]
        if len(times) != _SHAPES[shape]:
            raise wrong(where, f"{shape} takes {_SHAPES[shape]} times, not {len(times)}")
        if shape == "uniform" and times[0] > times[1]:
            raise wrong(where, "the shorter time of uniform comes first")
        return Duration(shape, *times)
    return Duration("constant", _seconds(where, value))


_NUMBER = re.compile(r"\{n(?::0?([0-9]{1,2}))?\}")


def numbered(pattern: str, n: int) -> str:
    """Put a number where a pattern has C{{n}}, or C{{n:04}} for four digits at least."""
    return _NUMBER.sub(lambda match: str(n).zfill(int(match[1] or 0)), pattern)


class Patterns:
    """
    Which names are meant: shell patterns, any of which may fit; C{!} before one excludes.

    @ivar texts: the patterns.
    """

    __slots__ = ("_folded", "texts")

    def __init__(self, texts: tuple[str, ...], fold: bool = False) -> None:
        """@param fold: whether case makes no difference."""
        self.texts = texts
        self._folded = tuple(each.lower() for each in texts) if fold else None

    def __repr__(self) -> str:
        return f"Patterns{self.texts!r}"

    def names(self, *names: str) -> bool:
        """Whether one of the names is written out, without any pattern."""
        texts = self.texts if self._folded is None else self._folded
        return any((name if self._folded is None else name.lower()) in texts for name in names)

    def match(self, *names: str) -> bool:
        """Whether any of the names that one thing goes by is meant."""
        texts = self.texts
        if self._folded is not None:
            texts, names = self._folded, tuple(each.lower() for each in names)
        found = all(text.startswith("!") for text in texts)
        for text in texts:
            if text.startswith("!"):
                if any(fnmatchcase(name, text[1:]) for name in names):
                    return False
            elif not found:
                found = any(fnmatchcase(name, text) for name in names)
        return found


class Table:
    """
    A table of a scenario, read key by key; a key that nobody asks for is refused by L{end}.

    @ivar where: what it is called in errors.
    """

    def __init__(self, where: str, value: Any, callNames: CallNames | None = None) -> None:
        """@param callNames: what patterns of calls may mean; None: anything."""
        if not isinstance(value, Mapping):
            raise wrong(where, "a table is expected")
        self.where = where
        self.callNames = callNames
        self._rest = dict(value)
        self._known: list[str] = []

    def refuse(self, key: str, problem: str) -> NoReturn:
        """Complain about a value."""
        raise wrong(self._path(key), problem)

    def _path(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def take(self, key: str, read: Callable[[str, Any], _T], default: _T) -> _T:
        """Read a value, or return the default if it is not there."""
        self._known.append(key)
        if key not in self._rest:
            return default
        return read(self._path(key), self._rest.pop(key))

    def has(self, key: str) -> bool:
        """Whether a value is there and was not read yet."""
        return key in self._rest

    def text(self, key: str, default: str | None = None) -> Any:
        """Read text."""
        return self.take(key, _text, default)

    def one(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """Read one of some words."""
        value: str = self.text(key, default)
        if value not in choices:
            self.refuse(key, f"'{value}' is none of {', '.join(choices)}")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """Read true or false."""
        return self.take(key, _flag, default)

    def count(self, key: str, default: Any, lowest: int = 0, highest: int = 1 << 31) -> Any:
        """Read a whole number."""

        def read(where: str, value: Any) -> int:
            if isinstance(value, bool) or not isinstance(value, int):
                raise wrong(where, f"{value!r} is no whole number")
            if not lowest <= value <= highest:
                raise wrong(where, f"{value} is not in range {lowest}:{highest}")
            return value

        return self.take(key, read, default)

    def number(self, key: str, default: float, lowest: float, highest: float) -> float:
        """Read a number."""

        def read(where: str, value: Any) -> float:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise wrong(where, f"{value!r} is no number")
            if not lowest <= value <= highest:
                raise wrong(where, f"{value} is not in range {lowest:g}:{highest:g}")
            return float(value)

        return self.take(key, read, default)

    def time(self, key: str, default: Duration | None = None) -> Any:
        """Read a L{Duration}."""
        return self.take(key, duration, default)

    def patterns(self, key: str, fold: bool = False) -> Patterns | None:
        """Read a pattern or a list of them; None: not said."""

        def read(where: str, value: Any) -> Patterns:
            values = [value] if isinstance(value, str) else value
            if not isinstance(values, list | tuple) or not values:
                raise wrong(where, "a pattern or a list of patterns is expected")
            for each in values:
                if _text(where, each).strip() in ("", "!"):
                    raise wrong(where, f"'{each}' is no pattern")
            return Patterns(tuple(values), fold)

        return self.take(key, read, None)

    def calls(self, key: str) -> Patterns | None:
        """
        Read patterns of names of calls; case makes no difference.

        @raise VirtError: one fits no call that there is.
        """
        found = self.patterns(key, fold=True)
        if found is not None and self.callNames is not None:
            names = {each.lower(): each for each in self.callNames()}
            for text in found.texts:
                pattern = text.removeprefix("!").lower()
                if pattern not in names and not any(fnmatchcase(each, pattern) for each in names):
                    self.refuse(
                        key,
                        f"there is no call '{text.removeprefix('!')}'{near(text, names.values())}",
                    )
        return found

    def tables(self, key: str) -> list[Table]:
        """Read a list of tables."""

        def read(where: str, value: Any) -> list[Table]:
            if not isinstance(value, list | tuple):
                raise wrong(where, f"a list of tables is expected, [[{key}]]")
            return [
                Table(f"{where}[{number}]", each, self.callNames)
                for number, each in enumerate(value)
            ]

        return self.take(key, read, [])

    def end(self) -> None:
        """
        Refuse what nobody read.

        @raise VirtError: there is a key that means nothing.
        """
        for key in self._rest:
            name = key if isinstance(key, str) and key.isprintable() and key else repr(key)
            self.refuse(
                name[:64], f"there is no such key; there are {', '.join(sorted(self._known))}"
            )


def near(text: str, names: Iterable[str]) -> str:
    """Return what to add to a complaint that nothing is called C{text}: what was perhaps meant, or nothing."""
    from difflib import get_close_matches  # only for those who have made a mistake

    plain = {each.lower(): each for each in names}
    core = re.sub(r"\[[^]]*\]|[*?!]", "", text).lower()
    found = get_close_matches(core, plain, 3, 0.75)
    if not found and len(core) > 3:
        found = sorted(each for each in plain if core in each)[:3]
    return f"; is it {' or '.join(plain[each] for each in found)}?" if found else ""


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise wrong(where, f"{value!r} is no text")
    if "\0" in value:
        raise wrong(where, "the text has a zero byte")
    return value


def _flag(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise wrong(where, f"{value!r} is neither true nor false")
    return value
