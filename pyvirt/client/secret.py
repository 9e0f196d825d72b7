"""
Secrets, such as keys of encrypted disks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from pyvirt.client.handle import Handle
from pyvirt.client.shapes import nameUUID, zero

if TYPE_CHECKING:
    from pyvirt.protocols.structs import SecretRef

__all__ = ["Secret"]


class Secret(Handle):
    """A secret."""

    __slots__ = ()

    _ref: SecretRef

    def UUID(self) -> bytes:
        """Return the UUID, 16 bytes."""
        return self._ref[0]

    def UUIDString(self) -> str:
        """Return the UUID as text, 36 characters, lower case."""
        return nameUUID(self._ref[0])

    def usageType(self) -> int:
        """Return what it is used for: C{VIR_SECRET_USAGE_TYPE_*}."""
        return self._ref[1]

    def usageID(self) -> str:
        """Return who uses it, such as the path of a volume."""
        return self._ref[2]

    def XMLDesc(self, flags: int = 0) -> Deferred[str]:
        """Fire with its definition, without its value."""
        return self._remote.secretGetXMLDesc(self._ref, flags)

    def value(self, flags: int = 0) -> Deferred[bytes]:
        """Fire with its value."""
        return self._remote.secretGetValue(self._ref, flags)

    def setValue(self, value: bytes | str, flags: int = 0) -> Deferred[int]:
        """Change its value; text counts by its UTF-8.  Fires with 0."""
        data = value.encode() if isinstance(value, str) else value
        return self._remote.secretSetValue(self._ref, data, flags).addCallback(zero)

    def undefine(self) -> Deferred[int]:
        """Forget it and its value.  Fires with 0."""
        return self._remote.secretUndefine(self._ref).addCallback(zero)
