"""
How the kernel is told which devices the processes of a group may open: L{FileFilter} (version 1, files of the
controller C{devices}) and L{ProgramFilter} (version 2, a program with a map of rules).

Either stands in the kernel for as long as the group does, whatever becomes of the daemon.  A map has libvirtd's keys and
values, so that either daemon finds the other's.

Source: the kernel's documentation, "Device Whitelist Controller" and "Control Group v2"; C{linux/bpf.h}; maps of
guests of libvirtd 9.0.0.
"""

from __future__ import annotations

import errno
import itertools
import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

from pyvirt.drivers.qemu.bpf import Map, Program, instruction, programs
from pyvirt.drivers.qemu.cgroups import GuestGroup
from pyvirt.drivers.qemu.refusals import systemFailure
from pyvirt.errors import ErrorDomain, VirtError

__all__ = ["Filter", "ProgramFilter", "filterOf"]


class Filter(Protocol):
    """
    What a group may open.  A device is written as C{c 1:3} or C{b 7:*}, access as letters of C{rwm}.
    """

    def begin(self) -> None:
        """
        Let nothing be opened.

        @raise VirtError: the kernel does not do that.
        """

    def isThere(self) -> bool:
        """Whether anything is kept from being opened."""

    def allow(self, device: str, access: str) -> None:
        """
        Let a device be opened.

        @raise VirtError: the kernel does not do that.
        """

    def deny(self, device: str, access: str) -> None:
        """
        Do not let a device be opened any more.

        @raise VirtError: the kernel does not do that.
        """


def filterOf(group: GuestGroup) -> Filter:
    """Return what keeps a group from devices."""
    if group.isUnified("devices"):
        return ProgramFilter(group.file("devices", ""))
    return FileFilter(group)


class FileFilter:
    """Rules in files of a group of version 1."""

    def __init__(self, group: GuestGroup) -> None:
        self._group = group

    def begin(self) -> None:
        self._group.write("devices", "devices.deny", "a")

    def isThere(self) -> bool:
        try:
            listed = self._group.read("devices", "devices.list")
        except VirtError:
            return False
        return not any(line.startswith("a") for line in listed.splitlines())

    def allow(self, device: str, access: str) -> None:
        self._group.write("devices", "devices.allow", f"{device} {access}")

    def deny(self, device: str, access: str) -> None:
        self._group.write("devices", "devices.deny", f"{device} {access}")


#: A rule in a map: the device's numbers, larger half the major one; then, also by halves, access and kind.
_KEY, _RULE = struct.Struct("=Q"), struct.Struct("=I")
_ANY = 0xFFFFFFFF
_KINDS = {"b": 1, "c": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}
#: How many rules a map has room for at first.
_ROOM = 64


class ProgramFilter:
    """
    Rules in a map, which a program reads when a process of the group opens a device.
    """

    def __init__(self, place: str) -> None:
        """
        @param place: the folder of the group.
        """
        self._place = place

    def begin(self) -> None:
        try:
            with ExitStack() as opened:
                self._obey(self._open(opened), opened.enter_context(_newMap(_ROOM)))
        except OSError as problem:
            raise self._failure(problem) from None

    def isThere(self) -> bool:
        try:
            with self._rules():
                return True
        except VirtError:
            return False

    def allow(self, device: str, access: str) -> None:
        key, kind = _keyOf(device)
        with self._rules() as (group, rules):
            old = rules.get(key)
            value = _number(old) | _bits(access) << 16 | kind
            try:
                rules.set(key, _RULE.pack(value))
            except OSError as problem:
                if problem.errno != errno.E2BIG:
                    raise
                self._grow(group, rules, {key: _RULE.pack(value)})

    def deny(self, device: str, access: str) -> None:
        key, kind = _keyOf(device)
        with self._rules() as (_, rules):
            old = _number(rules.get(key))
            left = old & ~(_bits(access) << 16)
            if not left >> 16 and old & 3 != kind:
                # Another device has these numbers, of the other kind; how it may be opened is not kept apart.
                left = old & ~kind
            if left >> 16:
                rules.set(key, _RULE.pack(left))
            else:
                rules.remove(key)

    @contextmanager
    def _rules(self) -> Iterator[tuple[int, Map]]:
        """
        Open the group and its rules.

        @raise VirtError: it has none, or the kernel does not do what is tried meanwhile.
        """
        try:
            with ExitStack() as opened:
                group = self._open(opened)
                found = [opened.enter_context(each) for each in programs(group)]
                maps = [opened.enter_context(rules) for each in found for rules in each.maps()]
                if len(maps) != 1 or maps[0].sizes()[:2] != (_KEY.size, _RULE.size):
                    raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
                yield group, maps[0]
        except OSError as problem:
            raise self._failure(problem) from None

    def _open(self, opened: ExitStack) -> int:
        group = os.open(self._place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        opened.callback(os.close, group)
        return group

    def _obey(self, group: int, rules: Map) -> None:
        with Program.load(deviceProgram(rules)) as program:
            program.attach(group)

    def _grow(self, group: int, rules: Map, more: dict[bytes, bytes]) -> None:
        """Have the group obey a larger map with the same rules and more."""
        with _newMap(rules.sizes()[2] * 2) as larger:
            for key, value in (rules.items() | more).items():
                larger.set(key, value)
            self._obey(group, larger)

    def _failure(self, problem: OSError) -> VirtError:
        return systemFailure(
            problem, f"cannot tell which devices '{self._place}' opens", ErrorDomain.CGROUP
        )


def _newMap(room: int) -> Map:
    return Map.make(_KEY.size, _RULE.size, room)


def _keyOf(device: str) -> tuple[bytes, int]:
    """Return where the rule of a device stands, and its kind."""
    kind, _, numbers = device.partition(" ")
    major, minor = (_ANY if each == "*" else int(each) for each in numbers.split(":"))
    return _KEY.pack(major << 32 | minor), _KINDS[kind]


def _bits(access: str) -> int:
    return sum(_ACCESS[each] for each in set(access))


def _number(value: bytes | None) -> int:
    return 0 if value is None else int(_RULE.unpack(value)[0])


# Codes of instructions, and what the registers hold: what is asked is a kind with how it is opened, as rules are.
_LOAD_WORD, _LOAD_MAP, _STORE = 0x61, 0x18, 0x7B
_MOVE, _MOVE_NUMBER, _MOVE_HALF = 0xBF, 0xB7, 0xB4
_ADD_NUMBER, _SHIFT, _OR, _AND = 0x07, 0x67, 0x4F, 0x5F
_IF_NUMBER, _IF_SAME, _CALL, _EXIT = 0x15, 0x1D, 0x85, 0x95
_RESULT, _FIRST, _SECOND, _THIRD, _ASKED, _MAJOR, _MINOR, _STACK = 0, 1, 2, 3, 7, 8, 9, 10
_LOOKUP = 1


def deviceProgram(rules: Map) -> list[bytes]:
    """
    Make the program that looks for a rule: of the device, else of all with one of its numbers, else of all.
    """
    asks = []
    for major, minor in itertools.product((_MAJOR, None), (_MINOR, None)):
        asks.append(
            [
                _half(_SECOND, major),
                instruction(_SHIFT, _SECOND, value=32),
                _half(_THIRD, minor),
                instruction(_OR, _SECOND, _THIRD),
                instruction(_STORE, _STACK, _SECOND, -8),
                # A map is named by its descriptor, in an instruction as long as two.
                instruction(_LOAD_MAP, _FIRST, 1, value=rules.fd),
                instruction(0),
                instruction(_MOVE, _SECOND, _STACK),
                instruction(_ADD_NUMBER, _SECOND, value=-8),
                instruction(_CALL, value=_LOOKUP),
                instruction(_IF_NUMBER, _RESULT, offset=3, value=0),
                instruction(_LOAD_WORD, _FIRST, _RESULT),
                instruction(_AND, _FIRST, _ASKED),
            ]
        )
    text = [
        instruction(_LOAD_WORD, _ASKED, _FIRST, 0),
        instruction(_LOAD_WORD, _MAJOR, _FIRST, 4),
        instruction(_LOAD_WORD, _MINOR, _FIRST, 8),
    ]
    for number, ask in enumerate(asks):
        # From behind the jump, over all that is asked later and the two that say no.
        later = sum(len(each) + 1 for each in asks[number + 1 :]) + 2
        text += [*ask, instruction(_IF_SAME, _FIRST, _ASKED, later)]
    for answer in (0, 1):
        text += [instruction(_MOVE_NUMBER, _RESULT, value=answer), instruction(_EXIT)]
    return text


def _half(to: int, of: int | None) -> bytes:
    """Move a number of the device, or the one that stands for any, with nothing above it."""
    if of is None:
        return instruction(_MOVE_HALF, to, value=-1)
    return instruction(_MOVE, to, of)
