"""
Network filters, and where they are bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from pyvirt.client.handle import Handle
from pyvirt.client.shapes import nameUUID, zero

if TYPE_CHECKING:
    from pyvirt.protocols.structs import NWFilterBindingRef, NWFilterRef

__all__ = ["NWFilter", "NWFilterBinding"]


class NWFilter(Handle):
    """A network filter."""

    __slots__ = ()

    _ref: NWFilterRef

    def name(self) -> str:
        """Return the name."""
        return self._ref[0]

    def UUID(self) -> bytes:
        """Return the UUID, 16 bytes."""
        return self._ref[1]

    def UUIDString(self) -> str:
        """Return the UUID as text, 36 characters, lower case."""
        return nameUUID(self._ref[1])

    def XMLDesc(self, flags: int = 0) -> Deferred[str]:
        """Fire with its definition."""
        return self._remote.nwfilterGetXMLDesc(self._ref, flags)

    def undefine(self) -> Deferred[int]:
        """Forget its definition.  Fires with 0."""
        return self._remote.nwfilterUndefine(self._ref).addCallback(zero)


class NWFilterBinding(Handle):
    """A network filter bound to a device of the host."""

    __slots__ = ()

    _ref: NWFilterBindingRef

    def portDev(self) -> str:
        """Return the name of the device."""
        return self._ref[0]

    def filterName(self) -> str:
        """Return the name of the filter."""
        return self._ref[1]

    def XMLDesc(self, flags: int = 0) -> Deferred[str]:
        """Fire with its definition."""
        return self._remote.nwfilterBindingGetXMLDesc(self._ref, flags)

    def delete(self) -> Deferred[int]:
        """Unbind it.  Fires with 0."""
        return self._remote.nwfilterBindingDelete(self._ref).addCallback(zero)
