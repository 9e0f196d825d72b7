"""
Devices of the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from pyvirt.client.deferring import deferred
from pyvirt.client.handle import Handle
from pyvirt.client.shapes import number, zero

if TYPE_CHECKING:
    from pyvirt.protocols.structs import NodeDeviceRef

__all__ = ["NodeDevice"]


class NodeDevice(Handle):
    """A device of the host."""

    __slots__ = ()

    _ref: NodeDeviceRef

    def name(self) -> str:
        """Return the name."""
        return self._ref[0]

    def XMLDesc(self, flags: int = 0) -> Deferred[str]:
        """Fire with its description."""
        return self._remote.nodeDeviceGetXMLDesc(self._ref[0], flags)

    def parent(self) -> Deferred[str | None]:
        """Fire with the name of the device it is on, None if there is none."""
        return self._remote.nodeDeviceGetParent(self._ref[0])

    def numOfCaps(self) -> Deferred[int]:
        """Fire with how many capabilities it has."""
        return self._remote.nodeDeviceNumOfCaps(self._ref[0])

    def isActive(self) -> Deferred[int]:
        """Fire with 1 if it is there, else 0."""
        return self._remote.nodeDeviceIsActive(self._ref[0]).addCallback(number)

    def isPersistent(self) -> Deferred[int]:
        """Fire with 1 if it is defined, else 0."""
        return self._remote.nodeDeviceIsPersistent(self._ref[0]).addCallback(number)

    def autostart(self) -> Deferred[int]:
        """Fire with 1 if it is created with the host, else 0."""
        return self._remote.nodeDeviceGetAutostart(self._ref[0]).addCallback(number)

    def setAutostart(self, autostart: int) -> Deferred[int]:
        """Have it created with the host, or not.  Fires with 0."""
        return self._remote.nodeDeviceSetAutostart(self._ref[0], autostart).addCallback(zero)

    def create(self, flags: int = 0) -> Deferred[int]:
        """Create a defined device.  Fires with 0."""
        return self._remote.nodeDeviceCreate(self._ref[0], flags).addCallback(zero)

    def destroy(self) -> Deferred[int]:
        """Take it away.  Fires with 0."""
        return self._remote.nodeDeviceDestroy(self._ref[0]).addCallback(zero)

    def undefine(self, flags: int = 0) -> Deferred[int]:
        """Forget its definition.  Fires with 0."""
        return self._remote.nodeDeviceUndefine(self._ref[0], flags).addCallback(zero)

    def update(self, xmlDesc: str, flags: int = 0) -> Deferred[int]:
        """Change it: C{VIR_NODE_DEVICE_UPDATE_*}.  Fires with 0."""
        return self._remote.nodeDeviceUpdate(self._ref[0], xmlDesc, flags).addCallback(zero)

    def dettach(self) -> Deferred[int]:
        """Take it from the host's driver, for a guest.  Fires with 0."""
        return self._remote.nodeDeviceDettach(self._ref[0]).addCallback(zero)

    def detachFlags(self, driverName: str | None, flags: int = 0) -> Deferred[int]:
        """As L{dettach}, for another driver than the default."""
        return self._remote.nodeDeviceDetachFlags(self._ref[0], driverName, flags).addCallback(zero)

    def reAttach(self) -> Deferred[int]:
        """Give it back to the host's driver.  Fires with 0."""
        return self._remote.nodeDeviceReAttach(self._ref[0]).addCallback(zero)

    def reset(self) -> Deferred[int]:
        """Reset it.  Fires with 0."""
        return self._remote.nodeDeviceReset(self._ref[0]).addCallback(zero)

    @deferred
    async def listCaps(self) -> list[str]:
        """Fire with the names of its capabilities."""
        name = self._ref[0]
        count = await self._remote.nodeDeviceNumOfCaps(name)
        return list(await self._remote.nodeDeviceListCaps(name, count)) if count else []
