"""
What all handles of objects have in common.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyvirt.client.connect import Connect
    from pyvirt.protocols.programs.remote import Remote

__all__ = ["Handle", "absolutePath"]


def absolutePath(path: Any) -> Any:
    """A path as the daemon, which is in another folder, understands it; anything else as it is."""
    return os.path.join(os.getcwd(), path) if isinstance(path, str) else path


class Handle:
    """
    An object on a connection: cheap, freed by nobody, valid as long as the connection is open.

    @ivar _conn: the connection.
    @ivar _ref: what names the object on the wire.
    """

    __slots__ = ("__weakref__", "_conn", "_ref", "_remote")

    def __init__(self, conn: Connect, _obj: Any = None) -> None:
        self._conn = conn
        self._ref = _obj
        self._remote: Remote = conn._remote

    def connect(self) -> Connect:
        """Return the connection."""
        return self._conn

    def c_pointer(self) -> int:
        """Return a number that tells this handle from others."""
        return id(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._ref!r}>"
