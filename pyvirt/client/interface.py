"""
Network interfaces of the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from pyvirt.client.handle import Handle
from pyvirt.client.shapes import number, zero

if TYPE_CHECKING:
    from pyvirt.protocols.structs import InterfaceRef

__all__ = ["Interface"]


class Interface(Handle):
    """A network interface of the host."""

    __slots__ = ()

    _ref: InterfaceRef

    def name(self) -> str:
        """Return the name."""
        return self._ref[0]

    def MACString(self) -> str:
        """Return the address, empty if it has none."""
        return self._ref[1]

    def XMLDesc(self, flags: int = 0) -> Deferred[str]:
        """Fire with its definition; C{flags}: C{VIR_INTERFACE_XML_*}."""
        return self._remote.interfaceGetXMLDesc(self._ref, flags)

    def isActive(self) -> Deferred[int]:
        """Fire with 1 if it is up, else 0."""
        return self._remote.interfaceIsActive(self._ref).addCallback(number)

    def create(self, flags: int = 0) -> Deferred[int]:
        """Bring it up.  Fires with 0."""
        return self._remote.interfaceCreate(self._ref, flags).addCallback(zero)

    def destroy(self, flags: int = 0) -> Deferred[int]:
        """Bring it down.  Fires with 0."""
        return self._remote.interfaceDestroy(self._ref, flags).addCallback(zero)

    def undefine(self) -> Deferred[int]:
        """Forget its definition.  Fires with 0."""
        return self._remote.interfaceUndefine(self._ref).addCallback(zero)
