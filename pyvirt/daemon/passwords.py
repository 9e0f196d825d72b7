"""
The file of those who log in with a password: verifiers that SCRAM checks by, never passwords.

Each line is C{user:MECHANISM$iterations:salt$storedKey:serverKey} in base 64, as other programs keep SCRAM
verifiers.  The file must not be readable by others, and is read again when it has changed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import stat
from collections.abc import Mapping
from typing import NamedTuple

from twisted.logger import Logger

from pyvirt.daemon.access.owners import writeWhole

__all__ = [
    "ITERATIONS",
    "MECHANISMS",
    "PasswordFile",
    "PasswordFileError",
    "Verifier",
    "makeVerifier",
]

MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")
ITERATIONS = 10_000
_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
_SIZE = 16 << 20
_LINE = re.compile(
    r"([^:\x00-\x1f\x7f]+):(SCRAM-SHA-(?:256|512))\$(\d{1,9}):([^$:]+)\$([^:]+):([^:]+)"
)

log = Logger()


class PasswordFileError(Exception):
    """The file cannot be used; the text says why."""


class Verifier(NamedTuple):
    """What a password is checked by, in the order that scramp takes it."""

    salt: bytes
    storedKey: bytes
    serverKey: bytes
    iterations: int


def checkName(name: str) -> str:
    """
    Return C{name} if somebody may have it.

    @raise PasswordFileError: nobody may.
    """
    if not name or not name.isprintable() or ":" in name or len(name.encode()) > 255:
        raise PasswordFileError(f"'{name}' is no name: no colons, no control characters, not empty")
    return name


def makeVerifier(
    mechanism: str, password: str, iterations: int = ITERATIONS, salt: bytes | None = None
) -> Verifier:
    """
    Make what C{password} is checked by.

    @raise PasswordFileError: it is no password, or there are too few iterations.
    """
    from scramp import ScramException, ScramMechanism

    try:
        return Verifier(*ScramMechanism(mechanism).make_auth_info(password, iterations, salt))
    except ScramException as problem:
        raise PasswordFileError(str(problem)) from None


def verify(mechanism: str, verifier: Verifier, password: str) -> bool:
    """Whether C{password} is the one; takes milliseconds, so it is for a thread."""
    from scramp import ScramException, ScramMechanism

    try:
        found = Verifier(
            *ScramMechanism(mechanism).make_auth_info(password, verifier.iterations, verifier.salt)
        )
    except ScramException:
        return False
    return hmac.compare_digest(found.storedKey, verifier.storedKey)


def parse(text: str) -> dict[str, dict[str, Verifier]]:
    """
    Read the lines of a file: by user and mechanism.

    @raise PasswordFileError: a line is malformed.
    """
    found: dict[str, dict[str, Verifier]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        try:
            if match is None:
                raise ValueError
            user, mechanism, iterations, *parts = match.groups()
            salt, stored, server = (base64.b64decode(each, validate=True) for each in parts)
            size = hashlib.new(_HASHES[mechanism]).digest_size
            if len(stored) != size or len(server) != size or not salt or int(iterations) < 4096:
                raise ValueError
        except ValueError:
            raise PasswordFileError(f"line {number} is malformed") from None
        found.setdefault(user, {})[mechanism] = Verifier(salt, stored, server, int(iterations))
    return found


def format(users: Mapping[str, Mapping[str, Verifier]]) -> str:
    """Write the lines of a file."""
    lines = []
    for user in sorted(users):
        for mechanism, each in sorted(users[user].items()):
            parts = [
                base64.b64encode(part).decode()
                for part in (each.salt, each.storedKey, each.serverKey)
            ]
            lines.append(f"{user}:{mechanism}${each.iterations}:{parts[0]}${parts[1]}:{parts[2]}\n")
    return "".join(lines)


class PasswordFile:
    """
    The file.

    @ivar path: where it is.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._stamp: tuple[int, ...] | None = None
        self._users: dict[str, dict[str, Verifier]] = {}
        self._secret = os.urandom(32)

    def users(self) -> dict[str, dict[str, Verifier]]:
        """
        All users.  A file that does not exist has none.

        @raise PasswordFileError: it cannot be used.
        """
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return {}
        except OSError as problem:
            raise PasswordFileError(f"{self.path}: {problem.strerror}") from None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise PasswordFileError(f"{self.path}: it is no file")
        with os.fdopen(fd, "rb") as file:
            found = os.fstat(fd)
            if found.st_mode & 0o007:
                raise PasswordFileError(
                    f"{self.path}: everybody can read or change it (chmod 0600)"
                )
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            if stamp != self._stamp:
                try:
                    self._users = parse(file.read(_SIZE).decode())
                except UnicodeDecodeError:
                    raise PasswordFileError(f"{self.path}: it is no UTF-8 text") from None
                except PasswordFileError as problem:
                    raise PasswordFileError(f"{self.path}: {problem}") from None
                self._stamp = stamp
        return self._users

    def find(self, user: str, mechanism: str) -> tuple[Verifier, bool]:
        """
        Find what somebody's password is checked by.

        @return: the verifier, and whether it is real: nobody can tell from outside whether a user exists.
        @raise PasswordFileError: the file cannot be used.
        """
        found = self.users().get(user, {}).get(mechanism)
        if found is not None:
            return found, True
        seed = hmac.digest(self._secret, f"{mechanism}:{user}".encode(), "sha512")
        size = hashlib.new(_HASHES[mechanism]).digest_size
        return Verifier(seed[:16], os.urandom(size), os.urandom(size), ITERATIONS), False

    def write(self, users: Mapping[str, Mapping[str, Verifier]]) -> None:
        """
        Replace the file.

        @raise OSError: it cannot be written.
        """
        writeWhole(self.path, format(users).encode(), 0o600)
