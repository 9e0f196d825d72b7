"""
A command line as the shell has it: its environment, its program, its options and what each says.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from pyvirt.drivers.qemu.refusals import invalidArgument

__all__ = ["Told", "Words", "isOn", "parts", "properties", "split"]

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)\Z", re.S)

#: Words that are taken at most: no guest has so many devices.
_MOST = 20000
#: Options that nothing follows.
_ALONE = (
    "-S -daemonize -enable-kvm -full-screen -no-acpi -no-fd-bootchk -no-hpet -no-reboot -no-shutdown "
    "-no-user-config -nodefaults -nodefconfig -nographic -only-migratable -preconfig -singlestep "
    "-snapshot -usb -win2k-hack"
)


@attrs.frozen
class Words:
    """
    A command line.

    @ivar environment: what is set for it, in order.
    @ivar program: what is run.
    @ivar options: each with what follows it, or None.
    """

    environment: tuple[tuple[str, str], ...]
    program: str
    options: tuple[tuple[str, str | None], ...]


def split(text: str) -> Words:
    """
    Take a command line apart.

    @raise VirtError: INVALID_ARG: a quote is not closed, there is no program, or what an option needs is missing.
    """
    try:
        # A line that ends with this goes on in the next.
        words = shlex.split(text.replace("\\\n", " "), comments=False)
    except ValueError as problem:
        raise invalidArgument(f"the command line makes no sense: {problem}") from None
    environment = []
    while words and (found := _ASSIGNMENT.match(words[0])) is not None:
        environment.append((found[1], found[2]))
        del words[0]
    if not words:
        raise invalidArgument("no emulator command found")
    program, *rest = words
    if len(rest) > _MOST:
        raise invalidArgument(f"the command line has {len(rest)} words, more than {_MOST}")
    options: list[tuple[str, str | None]] = []
    following = iter(rest)
    for word in following:
        if not word.startswith("-"):
            # QEMU takes it for the image of the first disk.
            options.append(("-hda", word))
            continue
        name = word[1:] if word.startswith("--") else word
        value = None
        if name not in _ALONE.split():
            value = next(following, None)
            if value is None:
                raise invalidArgument(f"missing value for option '{word}'")
        options.append((name, value))
    return Words(tuple(environment), program, tuple(options))


class Told(dict[str, Any]):
    """
    Properties, which know who has asked for them: what nobody has asked for would be lost.

    @ivar seen: names that were asked for.
    @ivar lost: names of what is not kept all the same, such as all but the last value of what stands there more than once.
    """

    def __init__(self, values: Mapping[str, Any] = MappingProxyType({})) -> None:
        super().__init__(values)
        self.seen: set[str] = set()
        self.lost: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.seen.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.seen.add(str(name))
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.seen.add(name)
        return super().get(name, default)

    def unread(self, *known: str) -> set[str]:
        """Return the names of what is not heeded, but for C{known}, which need not be."""
        return (set(self) - self.seen - set(known)) | self.lost


def parts(text: str) -> list[str]:
    """Take what commas separate apart; a comma that belongs to a value stands there twice."""
    return [part.replace("\0", ",") for part in text.replace(",,", "\0").split(",")]


def properties(text: str, first: str | None = None) -> Told:
    """
    Read properties, which are JSON or C{name=value} with commas between.

    @param first: the property that the first part is if it names none.
    @raise VirtError: INVALID_ARG: it is JSON and makes no sense.
    """
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise invalidArgument(f"'{text[:200]}' makes no sense: {problem}") from None
        if not isinstance(found, dict):
            raise invalidArgument(f"'{text[:200]}' makes no sense: it is no object")
        return Told(found)
    told = Told()
    for number, part in enumerate(parts(text)):
        name, equals, value = part.partition("=")
        if equals:
            if dict.__contains__(told, name):
                told.lost.add(name)
            told[name] = value
        elif number == 0 and first is not None:
            told[first] = part
        elif part:
            # A property alone is switched on, and off with this before it.
            off = part.startswith("no")
            told[part[2:] if off and len(part) > 2 else part] = "off" if off else "on"
    return told


def isOn(value: Any) -> bool:
    """Return whether a property is switched on."""
    return value is True or value in ("on", "yes", "true", "y")
