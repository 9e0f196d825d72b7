"""
UUIDs as users give them: text or 16 bytes.
"""

from __future__ import annotations

from typing import Any

from pyvirt.client.arguments import parseUUID
from pyvirt.errors import CallFailed, VirtError, argumentError

__all__ = ["failed", "uuidArgument", "uuidBytes"]


def failed(function: str) -> VirtError:
    """Make the error of a failure that has no words of its own."""
    return CallFailed(f"{function}() failed")


def uuidArgument(uuidstr: Any, function: str, domain: int) -> bytes:
    """
    Read the text of a UUID.

    @raise VirtError: it is none (C{INVALID_ARG}).
    """
    if uuidstr is None:
        raise argumentError(function, "uuidstr", "must not be NULL", domain)
    if not isinstance(uuidstr, str):
        raise TypeError(
            f"{function}() argument 2 must be str or None, not {type(uuidstr).__name__}"
        )
    uuid = parseUUID(uuidstr)
    if uuid is None:
        raise argumentError(function, "uuidstr", "must be a valid UUID", domain)
    return uuid


def uuidBytes(uuid: Any, function: str) -> bytes:
    """
    Take 16 bytes for a UUID; text counts by its UTF-8.

    @raise VirtError: there are not 16.
    """
    data = uuid.encode() if isinstance(uuid, str) else uuid
    if data is None:
        raise failed(function)
    if not isinstance(data, bytes | bytearray):
        raise TypeError(f"a bytes-like object is required, not '{type(uuid).__name__}'")
    if len(data) != 16:
        raise failed(function)
    return bytes(data)
