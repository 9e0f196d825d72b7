"""
Finding what a word of the command line means: domains, networks, pools and the others.

A domain is looked up by id if the word is a number, then by UUID if it is as long as one, then by name.  What is
not found is one report and no more, whatever the library said; virsh does the same.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pyvirt.errors import VirtError
from pyvirt.shell.command import Command, CommandError

if TYPE_CHECKING:
    from pyvirt.client import Domain

__all__ = ["UUID_LENGTH", "findByNameOrUUID", "findDomain"]

T = TypeVar("T")

#: The length of a UUID as text.
UUID_LENGTH = 36

_ID = re.compile(r"[ \t\n\v\f\r]*\+?([0-9]+)\Z")


async def findDomain(command: Command, word: str, byId: bool = True, option: str = "domain") -> Domain:
    """
    Find a domain.

    @param byId: whether a number may be an id.
    @raise CommandError: there is none.
    """
    trace = command.session.trace
    trace(1, f"{command.name}: found option <{option}>: {word}\n")
    connection = command.connection
    attempts: list[tuple[int, str, Callable[[], Awaitable[Domain]]]] = []
    match = _ID.match(word) if byId else None
    if match is not None and int(match[1]) < 1 << 31:
        number = int(match[1])
        attempts.append((0, "looks like ID", lambda: connection.lookupByID(number)))
    if len(word) == UUID_LENGTH:
        attempts.append((0, "trying as domain UUID", lambda: connection.lookupByUUIDString(word)))
    attempts.append((0, "trying as domain NAME", lambda: connection.lookupByName(word)))
    found = await _first(command, option, attempts)
    if found is None:
        raise CommandError(f"failed to get domain '{word}'")
    return found


async def findByNameOrUUID(
    command: Command,
    option: str,
    word: str,
    kind: str,
    byUUID: Callable[[str], Awaitable[Any]],
    byName: Callable[[str], Awaitable[Any]],
) -> Any:
    """
    Find an object that has a name and a UUID.

    @param option: the option that the word came from.
    @param kind: what it is, as the report calls it (C{network}).
    @raise CommandError: there is none.
    """
    command.session.trace(1, f"{command.name}: found option <{option}>: {word}\n")
    attempts: list[tuple[int, str, Callable[[], Awaitable[Any]]]] = []
    if len(word) == UUID_LENGTH:
        attempts.append((0, f"trying as {kind} UUID", lambda: byUUID(word)))
    attempts.append((0, f"trying as {kind} NAME", lambda: byName(word)))
    found = await _first(command, option, attempts)
    if found is None:
        raise CommandError(f"failed to get {kind} '{word}'")
    return found


async def _first(
    command: Command, option: str, attempts: list[tuple[int, str, Callable[[], Awaitable[T]]]]
) -> T | None:
    for level, what, attempt in attempts:
        command.session.trace(level, f"{command.name}: <{option}> {what}\n")
        try:
            return await attempt()
        except VirtError:
            continue
    return None
