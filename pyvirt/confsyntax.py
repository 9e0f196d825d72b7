"""
The syntax of libvirt's configuration files: C{name = value}, one to a line, C{#} opens a comment.

A value is a number, a string in single or double quotes (no escapes, on one line), a string between triple
double quotes (which may span lines) or a list of values in brackets.  C{;} ends an entry as a line's end does.
Of two entries of the same name the first one counts.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["ConfigError", "Entry", "Value", "parse"]

Value = int | str | list["Value"]


class ConfigError(Exception):
    """
    A configuration file cannot be used.

    @ivar line: where, counted from 1; 0 if it is no single line's fault.
    """

    def __init__(self, file: str, line: int, problem: str) -> None:
        super().__init__(f"{file}:{line}: {problem}" if line else f"{file}: {problem}")
        self.file = file
        self.line = line
        self.problem = problem


class Entry(NamedTuple):
    """One assignment."""

    name: str
    value: Value
    line: int


_BLANKS = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\r\n;]|#[^\n]*)*")
_LIST_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"[-+]?([0-9]*)")
_END = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|;|\Z)")
_DEPTH = 8


class _Parser:
    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.at = 0

    def fail(self, problem: str) -> ConfigError:
        return ConfigError(self.file, self.line(), problem)

    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self.text, self.at)
        if match is None:
            return False
        self.at = match.end()
        return True

    def take(self, literal: str) -> bool:
        if self.text.startswith(literal, self.at):
            self.at += len(literal)
            return True
        return False

    def entries(self) -> list[Entry]:
        found = []
        self.skip(_GAP)
        while self.at < len(self.text):
            line = self.line()
            match = _NAME.match(self.text, self.at)
            if match is None:
                raise self.fail("expecting a name")
            self.at = match.end()
            self.skip(_BLANKS)
            if not self.take("="):
                raise self.fail("expecting an assignment")
            self.skip(_BLANKS)
            value = self.value(0)
            found.append(Entry(match.group(), value, line))
            if not self.skip(_END):
                raise self.fail("expecting a separator")
            self.skip(_GAP)
        return found

    def value(self, depth: int) -> Value:
        text = self.text
        if self.take('"""'):
            end = text.find('"""', self.at)
            if end < 0:
                raise self.fail("unterminated string")
            value, self.at = text[self.at : end], end + 3
            return value
        first = text[self.at : self.at + 1]
        if first in ("'", '"') and first:
            end = text.find(first, self.at + 1)
            if end < 0 or "\n" in text[self.at : end]:
                raise self.fail("unterminated string")
            value, self.at = text[self.at + 1 : end], end + 1
            return value
        if self.take("["):
            if depth >= _DEPTH:
                raise self.fail("lists are nested too deeply")
            return self.list(depth + 1)
        if (first in ("-", "+") and first) or (first.isascii() and first.isdigit()):
            match = _NUMBER.match(text, self.at)
            assert match is not None
            if not match.group(1):
                raise self.fail("unterminated number")
            if len(match.group(1)) > 40:
                raise self.fail("the number is too long")
            self.at = match.end()
            return int(match.group())
        raise self.fail("expecting a value")

    def list(self, depth: int) -> list[Value]:
        values: list[Value] = []
        self.skip(_LIST_GAP)
        while not self.take("]"):
            if self.at >= len(self.text):
                raise self.fail("list is not closed with ]")
            if values:
                if not self.take(","):
                    raise self.fail("expecting a separator in list")
                self.skip(_LIST_GAP)
                if self.take("]"):
                    break
            values.append(self.value(depth))
            self.skip(_LIST_GAP)
        return values


def parse(text: str, file: str) -> list[Entry]:
    """
    Read the entries of a file, in order.

    @param file: its name, for errors.
    @raise ConfigError: it breaks the syntax.
    """
    return _Parser(text, file).entries()
