"""
The arguments of the process that come before the command: C{-c URI}, C{--quiet} and their like.

They are read by the rules of C{getopt_long}: reading stops at the first word that is no option, C{-qt} is C{-q -t},
a long name may be shortened while only one fits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pyvirt.shell.parsing import Syntax

__all__ = ["Ending", "Settings", "readArguments"]

#: The least important kind of debug message that is shown by default: errors only.
DEBUG_ERROR = 4


class _Long(NamedTuple):
    name: str
    letter: str
    argument: str


_LONG = (
    _Long("connect", "c", "required"),
    _Long("debug", "d", "required"),
    _Long("escape", "e", "required"),
    _Long("help", "h", "none"),
    _Long("keepalive-interval", "k", "required"),
    _Long("keepalive-count", "K", "required"),
    _Long("log", "l", "required"),
    _Long("quiet", "q", "none"),
    _Long("readonly", "r", "none"),
    _Long("timing", "t", "none"),
    _Long("version", "v", "optional"),
)
_SHORT = {option.letter: option for option in _LONG}

_NUMBER = re.compile(r"\s*[+-]?\d+\Z", re.ASCII)


@dataclass
class Settings:
    """
    What the arguments and the environment ask for.

    @ivar uri: the connection, or None for the default one.
    @ivar debug: debug messages of this level and above are shown: 0 all, 4 none.
    @ivar keepaliveInterval: seconds between probes, 0 for none, -1 if not given.
    @ivar keepaliveCount: how many probes may stay unanswered, -1 if not given.
    @ivar words: the command, as words; none for the interactive shell.
    @ivar warnings: what to report before anything else.
    """

    program: str
    uri: str | None = None
    readOnly: bool = False
    quiet: bool = False
    timing: bool = False
    debug: int = DEBUG_ERROR
    logFile: str | None = None
    escape: str = "^]"
    keepaliveInterval: int = -1
    keepaliveCount: int = -1
    words: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Ending(Exception):
    """
    The arguments ask for a text and nothing more.

    @ivar topic: C{usage}, C{version} or C{details}.
    """

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.topic = topic


def readArguments(program: str, words: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """
    Read what stands before the command.

    @param program: the name under which we were started.
    @raise Syntax: an option is unknown or has a wrong value.
    @raise Ending: only a text is asked for.
    """
    settings = Settings(program)
    _readEnvironment(settings, environment)
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            at += 1
            break
        if len(word) < 2 or word[0] != "-":
            break
        at += 1
        if word.startswith("--"):
            at = _long(settings, words, at, word)
        else:
            at = _letters(settings, words, at, word[1:])
    settings.words = list(words[at:])
    return settings


def _readEnvironment(settings: Settings, environment: Mapping[str, str]) -> None:
    debug = environment.get("VIRSH_DEBUG")
    if debug:
        level = int(debug) if _NUMBER.match(debug) else -1
        if 0 <= level <= DEBUG_ERROR:
            settings.debug = level
        else:
            settings.warnings.append("VIRSH_DEBUG not set with a valid numeric value")
    settings.logFile = environment.get("VIRSH_LOG_FILE") or None
    settings.uri = environment.get("VIRSH_DEFAULT_CONNECT_URI") or None


def _long(settings: Settings, words: Sequence[str], at: int, word: str) -> int:
    name, equals, value = word[2:].partition("=")
    fitting = [option for option in _LONG if option.name.startswith(name)]
    exact = [option for option in fitting if option.name == name]
    fitting = exact or fitting
    if len(fitting) != 1:
        raise Syntax(f"unsupported option '{word}'. See --help.")
    option = fitting[0]
    if option.argument == "none":
        if equals:
            raise Syntax(f"unsupported option '-{option.letter}'. See --help.")
        _apply(settings, option.letter, "")
    elif equals or option.argument == "optional":
        _apply(settings, option.letter, value)
    elif at < len(words):
        _apply(settings, option.letter, words[at])
        at += 1
    else:
        raise _missing(option)
    return at


def _letters(settings: Settings, words: Sequence[str], at: int, letters: str) -> int:
    for position, letter in enumerate(letters):
        if letter == "V":
            raise Ending("details")
        option = _SHORT.get(letter)
        if option is None:
            raise Syntax(f"unsupported option '-{letter}'. See --help.")
        if option.argument != "required":
            _apply(settings, letter, "")
            continue
        value = letters[position + 1 :]
        if not value:
            if at >= len(words):
                raise _missing(option)
            value = words[at]
            at += 1
        _apply(settings, letter, value)
        break
    return at


def _missing(option: _Long) -> Syntax:
    return Syntax(f"option '-{option.letter}'/'--{option.name}' requires an argument")


def _apply(settings: Settings, letter: str, value: str) -> None:
    match letter:
        case "c":
            settings.uri = value
        case "d":
            _applyDebug(settings, value)
        case "e":
            if not (len(value) == 1 or (len(value) == 2 and value[0] == "^")) or value == "^":
                raise Syntax(f"Invalid string '{value}' for escape sequence")
            settings.escape = value
        case "h":
            raise Ending("usage")
        case "k":
            settings.keepaliveInterval = _count(letter, value)
        case "K":
            settings.keepaliveCount = _count(letter, value)
        case "l":
            settings.logFile = value
        case "q":
            settings.quiet = True
        case "r":
            settings.readOnly = True
        case "t":
            settings.timing = True
        case "v":
            raise Ending("details" if value == "long" else "version")


def _applyDebug(settings: Settings, value: str) -> None:
    if not _NUMBER.match(value) or abs(int(value)) >= 1 << 31:
        raise Syntax("option -d takes a numeric argument")
    level = int(value)
    if 0 <= level <= DEBUG_ERROR:
        settings.debug = level
    else:
        settings.warnings.append(f"ignoring debug level {level} out of range [0-4]")


def _count(letter: str, value: str) -> int:
    if not _NUMBER.match(value) or abs(int(value)) >= 1 << 31:
        raise Syntax(f"Invalid value for option -{letter}")
    number = int(value)
    if number < 0:
        raise Syntax(f"option -{letter} requires a positive integer argument")
    return number
