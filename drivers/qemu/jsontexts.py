"""
JSON that a client has written, and what is said of it when it is none: in the words of the parser that libvirt uses.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorDomain

__all__ = ["readJSON"]

_TOKEN = re.compile(r'[{}\[\],:]|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[tfn]')
_BETWEEN = re.compile(rf"\s*(?:true|false|null|{_TOKEN.pattern})\s*")
_WORDS = ("true", "false", "null")
#: What the parser wants, as Python's says it and as libvirt's does.
_WANTED = {
    "Expecting property name": "invalid object key (must be a string)",
    "Illegal trailing comma before end of object": "invalid object key (must be a string)",
    "Expecting ':'": "object key and value must be separated by a colon (':')",
}
_IN_ARRAY = "after array element, I expect ',' or ']'"
_IN_OBJECT = "after key and value, inside map, I expect ',' or '}'"
_UNALLOWED = "unallowed token at this point in JSON text"


def readJSON(text: str) -> Any:
    """
    Read what a client has written.

    @raise VirtError: it is no JSON.
    """
    try:
        return json.loads(text, parse_constant=_noConstant)
    except json.JSONDecodeError as error:
        problem, offset = _problem(text, error.msg, error.pos)
    except (ValueError, RecursionError):
        # What Python takes for a number, but nobody else.
        place = 0
        while found := _BETWEEN.match(text, place):
            place = found.end()
        problem, offset = "lexical error: invalid char in json text.", place + 1
    start = max(0, offset - 30)
    around = text[start : offset + 30].replace("\n", " ").replace("\r", " ")
    spaces = " " * (10 if offset >= 30 else 40 - offset)
    raise internal(
        f"cannot parse json {text}: {problem}\n{spaces}{around}\n{'(right here) ------^':>41}\n",
        ErrorDomain.NONE,
    )


def _noConstant(_: str) -> NoReturn:
    raise ValueError


def _problem(text: str, message: str, place: int) -> tuple[str, int]:
    """Say what is wrong, and how much was read until that was seen."""
    if message.startswith("Extra data"):
        return "parse error: trailing garbage", place + 1
    if message.startswith("Unterminated string"):
        return "parse error: premature EOF", 1
    if message.startswith("Invalid control"):
        return "lexical error: invalid character inside string.", place
    if message.startswith("Invalid"):
        words = "inside a string, '\\' occurs before a character which it may not."
        return f"lexical error: {words}", place + 1
    if message.startswith("Illegal trailing"):
        place += 1
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    if place >= len(text):
        return "parse error: premature EOF", 1
    token = _TOKEN.match(text, place)
    if token is None:
        return "lexical error: invalid char in json text.", place + 1
    end = token.end()
    if token.group() in "tfn":
        word = next(each for each in _WORDS if each[0] == token.group())
        for letter in word[1:]:
            if end >= len(text):
                return "parse error: premature EOF", 1
            if text[end] != letter:
                return "lexical error: invalid string in json text.", end
            end += 1
    for start, words in _WANTED.items():
        if message.startswith(start):
            return f"parse error: {words}", end
    if message.startswith("Expecting ','"):
        if _inObject(text[:place]):
            return f"parse error: {_IN_OBJECT}", end - len(token.group().strip('"'))
        return f"parse error: {_IN_ARRAY}", end
    return f"parse error: {_UNALLOWED}", end


def _inObject(text: str) -> bool:
    """Whether the innermost thing that is still open is an object."""
    opened: list[str] = []
    for token in _TOKEN.findall(text):
        if token in ("{", "["):
            opened.append(token)
        elif token in ("}", "]") and opened:
            opened.pop()
    return bool(opened) and opened[-1] == "{"
