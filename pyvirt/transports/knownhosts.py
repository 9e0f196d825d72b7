"""
The keys of SSH hosts that are known, in OpenSSH's file form: plain and hashed names, patterns, ports, revoked keys.

Conch reads such files too, but knows neither patterns nor C{@revoked}, and a key that was revoked must not pass.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import os
from collections.abc import Iterator, Sequence

__all__ = ["Known", "KnownHosts"]

_LARGEST = 8 << 20


class Known:
    """What a file says of a host's key."""

    GOOD = "good"
    CHANGED = "changed"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


class KnownHosts:
    """
    Files of known keys.

    @ivar path: the one that new keys are added to.
    """

    def __init__(self, path: str, others: Sequence[str] = ()) -> None:
        self.path = path
        self._others = others

    def _entries(self) -> Iterator[tuple[str, int, list[str]]]:
        for path in (self.path, *self._others):
            try:
                with open(path, "rb") as file:
                    text = file.read(_LARGEST).decode(errors="replace")
            except OSError:
                continue
            for number, line in enumerate(text.splitlines(), 1):
                words = line.split()
                if words and not words[0].startswith("#"):
                    yield path, number, words

    def check(self, host: str, port: int, blob: bytes) -> tuple[str, str]:
        """
        Look a key up.

        @param blob: the key that the host showed.
        @return: one of L{Known}, and where it is said: C{path:line}.
        """
        name = hostName(host, port)
        kind = int.from_bytes(blob[:4], "big")
        kindName = blob[4 : 4 + kind].decode(errors="replace")
        answer = Known.UNKNOWN, ""
        for path, number, words in self._entries():
            marker = words.pop(0) if words[0].startswith("@") else ""
            if len(words) < 3 or not _matches(words[0], name):
                continue
            try:
                key = base64.b64decode(words[2], validate=True)
            except binascii.Error:
                continue
            where = f"{path}:{number}"
            if marker == "@revoked" and key == blob:
                return Known.REVOKED, where
            if marker:
                continue  # authorities of host certificates, which are not asked for
            if key == blob:
                answer = Known.GOOD, where
            elif words[1] == kindName and answer[0] == Known.UNKNOWN:
                answer = Known.CHANGED, where
        return answer

    def kinds(self, host: str, port: int) -> list[str]:
        """Return the types of the keys that are known of a host, so that it is asked for one of those."""
        name = hostName(host, port)
        return [
            words[1]
            for _, _, words in self._entries()
            if not words[0].startswith("@") and len(words) > 2 and _matches(words[0], name)
        ]

    def add(self, host: str, port: int, blob: bytes) -> None:
        """
        Remember a key.

        @raise OSError: the file cannot be written.
        """
        os.makedirs(os.path.dirname(self.path) or ".", mode=0o700, exist_ok=True)
        kind = blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode()
        line = f"{hostName(host, port)} {kind} {base64.b64encode(blob).decode()}\n"
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "r+b") as file:
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    line = "\n" + line
            file.write(line.encode())


def hostName(host: str, port: int) -> str:
    """Return how a host is called in such a file."""
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"


def _matches(patterns: str, name: str) -> bool:
    if patterns.startswith("|1|"):
        try:
            salt, digest = (base64.b64decode(each) for each in patterns[3:].split("|", 1))
        except (ValueError, binascii.Error):
            return False
        found = hmac.new(salt, name.encode(), hashlib.sha1).digest()
        return hmac.compare_digest(found, digest)
    matched = False
    for pattern in patterns.lower().split(","):
        negated, pattern = pattern.startswith("!"), pattern.removeprefix("!")
        if pattern == name or fnmatch.fnmatchcase(name, pattern.replace("[", "[[]")):
            if negated:
                return False
            matched = True
    return matched
