"""
Finding what a word of the command line means: domains, networks, pools and the others.

A domain is looked up by id if the word is a number, then by UUID if it is as long as one, then by name.  What is
not found is one report and no more, whatever the library said; virsh does the same.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from pyvirt.errors import VirtError
from pyvirt.shell.command import Command, CommandError

if TYPE_CHECKING:
    from pyvirt.client.domain import Domain

__all__ = ["UUID_LENGTH", "findByNameOrUUID", "findDomain"]

_Attempt = tuple[str, Callable[[], Awaitable[Any]]]

#: The length of a UUID as text.
UUID_LENGTH = 36

_ID = re.compile(r"[ \t\n\v\f\r]*\+?([0-9]+)\Z")


async def findDomain(
    command: Command, word: str, byId: bool = True, byUUID: bool = True, byName: bool = True
) -> Domain:
    """
    Find a domain.

    @param byId: whether a number may be an id.
    @param byUUID: whether the word may be a UUID.
    @param byName: whether the word may be a name.
    @raise CommandError: there is none.
    """
    trace = command.session.trace
    trace(1, f"{command.name}: found option <domain>: {word}\n")
    connection = command.connection
    attempts: list[_Attempt] = []
    match = _ID.match(word) if byId else None
    if match is not None and int(match[1]) < 1 << 31:
        number = int(match[1])
        attempts.append(("looks like ID", lambda: connection.lookupByID(number)))
    if byUUID and len(word) == UUID_LENGTH:
        attempts.append(("trying as domain UUID", lambda: connection.lookupByUUIDString(word)))
    if byName:
        attempts.append(("trying as domain NAME", lambda: connection.lookupByName(word)))
    found: Domain | None
    try:
        found = await _first(command, "domain", attempts)
    except VirtError:
        found = None
    if found is None:
        raise CommandError(f"failed to get domain '{word}'")
    return found


async def findByNameOrUUID(
    command: Command,
    option: str,
    kind: str,
    byUUID: Callable[[str], Awaitable[Any]] | None,
    byName: Callable[[str], Awaitable[Any]] | None,
) -> Any:
    """
    Find an object that has a name and a UUID.

    @param option: the option that says which.
    @param kind: what it is, as the report calls it (C{network}).
    @param byUUID: looks it up by UUID; None if that is not meant.
    @param byName: looks it up by name; None if that is not meant.
    @raise CommandError: there is none; what the library said of the name follows the report.
    """
    word = command.requiredText(option)
    command.session.trace(1, f"{command.name}: found option <{option}>: {word}\n")
    attempts: list[_Attempt] = []
    if byUUID is not None and len(word) == UUID_LENGTH:
        attempts.append((f"trying as {kind} UUID", lambda: byUUID(word)))
    if byName is not None:
        attempts.append((f"trying as {kind} NAME", lambda: byName(word)))
    try:
        found = await _first(command, option, attempts)
    except VirtError as error:
        raise CommandError(f"failed to get {kind} '{word}'") from error
    if found is None:
        raise CommandError(f"failed to get {kind} '{word}'")
    return found


async def _first(command: Command, option: str, attempts: list[_Attempt]) -> Any:
    """
    Give what the first attempt to succeed finds; None if there was no attempt.

    @raise VirtError: the last attempt failed, and those before it.
    """
    failure: VirtError | None = None
    for what, attempt in attempts:
        command.session.trace(0, f"{command.name}: <{option}> {what}\n")
        try:
            return await attempt()
        except VirtError as error:
            failure = error
    if failure is not None:
        raise failure
    return None
