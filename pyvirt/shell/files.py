"""
Files that commands read definitions from.
"""

from __future__ import annotations

import os

from pyvirt.shell.command import CommandError

__all__ = ["readDefinition"]

#: The longest definition that is read, in bytes.
MAXIMUM = 10 << 20


def readDefinition(path: str) -> str:
    """
    Read a file whole.

    @raise CommandError: it cannot be opened or read, or is longer than 10 MiB.
    """
    try:
        stream = open(os.fsencode(path), "rb", buffering=0)  # noqa: SIM115
    except IsADirectoryError as error:
        raise CommandError(f"Failed to read file '{path}': {error.strerror}") from None
    except OSError as error:
        raise CommandError(f"Failed to open file '{path}': {error.strerror}") from None
    with stream:
        content = bytearray()
        try:
            while piece := stream.read(1 << 20):
                content += piece
                if len(content) > MAXIMUM:
                    raise CommandError(
                        f"Failed to read file '{path}': Value too large for defined data type"
                    )
        except OSError as error:
            raise CommandError(f"Failed to read file '{path}': {error.strerror}") from None
    # What follows a zero byte does not belong to a text.
    return bytes(content).partition(b"\0")[0].decode("utf-8", "surrogateescape")
