"""
A SASL security layer: what both sides say after the login, encrypted by what the login has agreed on.

Each piece is four bytes of length, then as many of ciphertext.  Source: RFC 4422, section 3.7.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["LARGEST", "Cipher", "LayerError", "SecurityLayer"]

LARGEST = 1 << 16
"""Bytes of ciphertext in one piece that this side takes."""


class LayerError(ValueError):
    """The peer's bytes cannot be decrypted: they are not the peer's."""


class Cipher(Protocol):
    """What encrypts and decrypts a piece."""

    room: int
    """How many bytes a piece may hold, so that the peer takes it."""

    def seal(self, data: bytes) -> bytes:
        """Encrypt."""

    def open(self, data: bytes) -> bytes:
        """
        Decrypt.

        @raise LayerError: the peer has not encrypted it, or not now.
        """


class SecurityLayer:
    """Cuts what is sent into pieces and puts together what comes, whatever pieces the transport makes of it."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher
        self._pending = bytearray()

    def encode(self, data: bytes) -> bytes:
        """Encrypt what is to be sent."""
        room = self._cipher.room
        found = []
        for start in range(0, len(data), room):
            sealed = self._cipher.seal(data[start : start + room])
            found += [len(sealed).to_bytes(4, "big"), sealed]
        return b"".join(found)

    def decode(self, data: bytes) -> bytes:
        """
        Decrypt what has come; often nothing yet.

        @raise LayerError: it is not what the peer has encrypted.
        """
        pending = self._pending
        pending += data
        found = []
        start = 0
        while len(pending) - start >= 4:
            length = int.from_bytes(pending[start : start + 4], "big")
            if not 0 < length <= LARGEST:
                raise LayerError(f"a piece of {length} bytes is outside 1 to {LARGEST}")
            if len(pending) - start < 4 + length:
                break
            found.append(self._cipher.open(bytes(pending[start + 4 : start + 4 + length])))
            start += 4 + length
        del pending[:start]
        return b"".join(found)
