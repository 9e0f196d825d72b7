"""
What a command accepts: its options, in the order in which virsh's help lists them.

The order matters twice: it is the order of the help, and bare words of a command line fill the options that can
stand without their name in this order.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

__all__ = ["DOMAIN", "FILE", "Kind", "Option", "alias", "data", "flag", "number", "rest", "string"]


class Kind(enum.Enum):
    """The form of an option."""

    FLAG = enum.auto()
    NUMBER = enum.auto()
    STRING = enum.auto()
    DATA = enum.auto()
    REST = enum.auto()
    ALIAS = enum.auto()


class Option(NamedTuple):
    """
    One option of a command.

    @ivar help: the line in the help; for an alias the name it stands for, or C{name=value}.
    @ivar required: the command line is refused without it.
    @ivar named: it is only taken with its name, never from a bare word.
    @ivar emptyAllowed: an empty value is a value.
    @ivar showName: for L{Kind.REST}: the help shows that the name may be given.
    """

    name: str
    kind: Kind
    help: str
    required: bool = False
    named: bool = False
    emptyAllowed: bool = False
    showName: bool = True


def flag(name: str, help: str) -> Option:
    """Describe an option that is there or not."""
    return Option(name, Kind.FLAG, help)


def number(name: str, help: str, *, required: bool = False, named: bool = False) -> Option:
    """Describe an option with a number; a required one usually stands without its name."""
    return Option(name, Kind.NUMBER, help, required, named)


def string(
    name: str, help: str, *, required: bool = False, named: bool = False, emptyAllowed: bool = False
) -> Option:
    """Describe an optional text."""
    return Option(name, Kind.STRING, help, required, named, emptyAllowed)


def data(name: str, help: str, *, required: bool = True, emptyAllowed: bool = False) -> Option:
    """Describe a text that usually stands without its name."""
    return Option(name, Kind.DATA, help, required, False, emptyAllowed)


def rest(name: str, help: str, *, required: bool = False, showName: bool = True) -> Option:
    """Describe an option that takes every bare word that is left."""
    return Option(name, Kind.REST, help, required, False, True, showName)


def alias(name: str, target: str) -> Option:
    """Describe an old name of another option, or (C{target=value}) of a value of it; helps do not show it."""
    return Option(name, Kind.ALIAS, target)


DOMAIN = data("domain", "domain name, id or uuid")


def FILE(help: str) -> Option:
    """Describe the file that a definition is read from."""
    return data("file", help)
