"""
Which SSH keys may come in, and as whom: a file in OpenSSH's form, with options of ours.

A line is read as a whole or not at all: one with an option that is not understood grants nothing, for the option
was meant to restrict.  So does a file that others than its owner and root could have written.
"""

from __future__ import annotations

import datetime
import fnmatch
import os
import re
import stat
from collections.abc import Iterator

import attrs
from twisted.logger import Logger

__all__ = ["AuthorizedKeys", "Grant"]

log = Logger()

_LARGEST = 1 << 20
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_KINDS = re.compile(r"(?:ssh-|ecdsa-sha2-|sk-)\S+")
_OPTION = re.compile(r'([A-Za-z-]+)(?:="((?:[^"\\]|\\.)*)")?(?:,|$)')
_HARMLESS = frozenset(
    ("restrict", "no-pty", "no-port-forwarding", "no-agent-forwarding", "no-x11-forwarding")
) | {"no-user-rc", "no-touch-required"}
"""What never is to be had here."""


@attrs.frozen(kw_only=True)
class Grant:
    """
    What a line allows.

    @ivar readOnly: to look only.
    """

    readOnly: bool = False


class AuthorizedKeys:
    """The file; it is read at each login, so that a change counts at once."""

    def __init__(self, path: str, user: str) -> None:
        """
        @param path: C{%u} in it stands for the name that a client logs in as; every line of such a file is for
            that user.
        @param user: whom lines of a file for all are for, unless they say C{user="..."}.
        """
        self.path = path
        self.user = user

    def find(self, user: str, blob: bytes, address: str) -> Grant | None:
        """
        Look a key up.

        @param user: whom a client wants to be.
        @param blob: its public key.
        @param address: where it comes from.
        @return: None: it may not come in.
        """
        if not _USER.fullmatch(user):
            return None
        path = self.path.replace("%u", user)
        owner = user if path != self.path else self.user
        for number, line in enumerate(self._lines(path), 1):
            try:
                grant = _grant(line, blob, user, owner, address)
            except ValueError as problem:
                log.warn(
                    "{path}:{number}: the line grants nothing: {problem}",
                    path=path,
                    number=number,
                    problem=problem,
                )
                continue
            if grant is not None:
                return grant
        return None

    def _lines(self, path: str) -> Iterator[str]:
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or (
                    status.st_uid not in (0, os.geteuid())
                ):
                    log.error(
                        "{path} is not used: only its owner, we or root, may be able to write it",
                        path=path,
                    )
                    return
                content = file.read(_LARGEST + 1)
        except OSError as problem:
            log.warn("{path}: {problem}", path=path, problem=problem.strerror)
            return
        if len(content) > _LARGEST:
            log.error("{path} is not used: it is larger than a MiB", path=path)
            return
        yield from content.decode(errors="replace").splitlines()


def _grant(line: str, blob: bytes, user: str, owner: str, address: str) -> Grant | None:
    import base64
    import binascii

    line = line.strip()
    if not line or line.startswith("#"):
        return None
    options: list[tuple[str, str | None]] = []
    if not _KINDS.match(line):
        options, line = _options(line)
    parts = line.split(None, 2)
    if len(parts) < 2 or not _KINDS.fullmatch(parts[0]):
        raise ValueError("it has no key")
    try:
        if base64.b64decode(parts[1], validate=True) != blob:
            return None
    except binascii.Error:
        raise ValueError("its key is not base64") from None
    users = [owner]
    readOnly = False
    for name, value in options:
        if name in _HARMLESS:
            continue
        if name == "read-only" and value is None:
            readOnly = True
        elif name == "user" and value:
            users = value.split(",")
        elif name == "from" and value:
            if not _from(value, address):
                return None
        elif name == "expiry-time" and value:
            if _expired(value):
                return None
        else:
            raise ValueError(f"option '{name}' is not understood")
    return Grant(readOnly=readOnly) if user in users else None


def _options(line: str) -> tuple[list[tuple[str, str | None]], str]:
    found: list[tuple[str, str | None]] = []
    position = 0
    while True:
        match = _OPTION.match(line, position)
        if match is None:
            # The last option ends at a space.
            match = re.compile(r'([A-Za-z-]+)(?:="((?:[^"\\]|\\.)*)")?(?=\s)').match(line, position)
            if match is None:
                raise ValueError("its options cannot be read")
            found.append((match[1].lower(), match[2]))
            return found, line[match.end() :].strip()
        found.append((match[1].lower(), match[2]))
        position = match.end()
        if position >= len(line):
            raise ValueError("it has no key")


def _from(patterns: str, address: str) -> bool:
    import ipaddress

    allowed = False
    for pattern in patterns.split(","):
        negated, pattern = pattern.startswith("!"), pattern.removeprefix("!")
        try:
            matches = ipaddress.ip_address(address) in ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            matches = fnmatch.fnmatchcase(address, pattern)
        if matches and negated:
            return False
        allowed = allowed or matches
    return allowed


def _expired(text: str) -> bool:
    zone = datetime.UTC if text.endswith("Z") else None
    digits = text.removesuffix("Z")
    for form in ("%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S"):
        if len(digits) == len(datetime.datetime(2000, 1, 1).strftime(form)):
            try:
                end = datetime.datetime.strptime(digits, form)
            except ValueError:
                break
            return datetime.datetime.now(zone) >= end.replace(tzinfo=zone)
    raise ValueError(f"expiry-time '{text}' is no time")
