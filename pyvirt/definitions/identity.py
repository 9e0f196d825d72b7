"""
The name and UUID of an object, read from the head of its definition without building the rest.

Access checks and look-ups need no more than this, and they come before anything that costs.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from xml.parsers import expat

__all__ = ["Identity", "identify"]

#: Definitions are read in pieces of so many characters until the name and the UUID are found.
_PIECE = 512


class Identity(NamedTuple):
    """
    What names an object; None where the document does not say.

    @ivar root: the name of the root element.
    @ivar uuid: the text of the UUID, unchecked.
    """

    root: str | None
    name: str | None
    uuid: str | None


class _Done(Exception):
    """Raised inside the parser once nothing more is wanted."""


def _refuse(*_: Any) -> None:
    raise _Done


def identify(xml: str) -> Identity:
    """
    Read what names an object.

    Never raises for a bad document: what cannot be read is None, and a full parse will say why.
    """
    parser = expat.ParserCreate(None)
    path: list[str] = []
    found: dict[str, str] = {}
    root: list[str] = []
    buffer: list[str] = []

    def start(name: str, _: Any) -> None:
        path.append(name)
        if len(path) == 1:
            root.append(name)
        buffer.clear()

    def end(name: str) -> None:
        if len(path) == 2 and name in ("name", "uuid") and name not in found:
            found[name] = "".join(buffer)
            if len(found) == 2:
                raise _Done
        path.pop()
        buffer.clear()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = buffer.append
    parser.EntityDeclHandler = _refuse
    try:
        for position in range(0, len(xml), _PIECE):
            parser.Parse(xml[position : position + _PIECE].encode("utf-8", "replace"))
    except (_Done, expat.ExpatError, ValueError):
        pass
    return Identity(root[0] if root else None, found.get("name") or None, found.get("uuid") or None)
