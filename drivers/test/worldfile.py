"""
A world described by a file: the host and everything on it.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.reader import parseTree
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["worldFromFile"]


def bad(detail: str) -> VirtError:
    """Make the error of a file that says something impossible."""
    return virtError(ErrorCode.XML_ERROR, detail, ErrorDomain.TEST)


def readDocument(path: str) -> Any:
    """
    Read a file of XML.

    @return: its root element.
    @raise VirtError: it cannot be read, or it is not well formed.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except IsADirectoryError:
        text = ""
    except OSError:
        raise bad(f"failed to parse xml document '{path}'") from None
    return parseTree(text, None, label=path, domain=ErrorDomain.TEST)


def worldFromFile(world: World, path: str) -> None:
    """
    Make a world what a file says.

    @raise VirtError: the file cannot be read, or says something impossible.
    """
    root = readDocument(path)
    if root.tag != "node":
        raise bad("Root element is not 'node'")
