"""
A domain's definition: its XML, its devices, its metadata.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from pyvirt.client.arguments import descriptors
from pyvirt.client.deferring import deferred
from pyvirt.client.domainlifecycle import DomainLifecycle
from pyvirt.client.shapes import zero
from pyvirt.protocols.programs import REMOTE

__all__ = ["DomainDefinition"]


class DomainDefinition(DomainLifecycle):
    """XML, devices, metadata."""

    __slots__ = ()

    def XMLDesc(self, flags: int = 0) -> Deferred[str]:
        """Fire with its definition; C{flags}: C{VIR_DOMAIN_XML_*}."""
        return self._remote.domainGetXMLDesc(self._ref, flags)

    def attachDevice(self, xml: str) -> Deferred[int]:
        """Plug a device into the running domain.  Fires with 0."""
        return self._remote.domainAttachDevice(self._ref, xml).addCallback(zero)

    def attachDeviceFlags(self, xml: str, flags: int = 0) -> Deferred[int]:
        """Add a device to the running domain or its definition: C{VIR_DOMAIN_AFFECT_*}.  Fires with 0."""
        return self._remote.domainAttachDeviceFlags(self._ref, xml, flags).addCallback(zero)

    def detachDevice(self, xml: str) -> Deferred[int]:
        """Ask the guest to let a device go.  Fires with 0."""
        return self._remote.domainDetachDevice(self._ref, xml).addCallback(zero)

    def detachDeviceFlags(self, xml: str, flags: int = 0) -> Deferred[int]:
        """Take a device from the running domain or its definition.  Fires with 0."""
        return self._remote.domainDetachDeviceFlags(self._ref, xml, flags).addCallback(zero)

    def detachDeviceAlias(self, alias: str, flags: int = 0) -> Deferred[int]:
        """As L{detachDeviceFlags}, by the device's alias."""
        return self._remote.domainDetachDeviceAlias(self._ref, alias, flags).addCallback(zero)

    def updateDeviceFlags(self, xml: str, flags: int = 0) -> Deferred[int]:
        """Change a device: C{VIR_DOMAIN_DEVICE_MODIFY_*}.  Fires with 0."""
        return self._remote.domainUpdateDeviceFlags(self._ref, xml, flags).addCallback(zero)

    def metadata(self, type: int, uri: str | None, flags: int = 0) -> Deferred[str]:
        """Fire with metadata: C{VIR_DOMAIN_METADATA_*}; C{uri} names the namespace of an element."""
        return self._remote.domainGetMetadata(self._ref, type, uri, flags)

    def setMetadata(
        self, type: int, metadata: str | None, key: str | None, uri: str | None, flags: int = 0
    ) -> Deferred[int]:
        """
        Change metadata, or with None remove it.  Fires with 0.

        @param key: the prefix of the namespace C{uri}, for elements.
        """
        return self._remote.domainSetMetadata(
            self._ref, type, metadata, key, uri, flags
        ).addCallback(zero)

    @deferred
    async def rename(self, new_name: str, flags: int = 0) -> int:
        """Give it another name; it must not run.  Fires with 0."""
        result = await self._remote.domainRename(self._ref, new_name, flags)
        self._ref = type(self._ref)(new_name, *self._ref[1:])
        return result

    def FDAssociate(self, name: str, files: Sequence[int], flags: int = 0) -> Deferred[int]:
        """
        Lend open descriptors to the domain under a name that its disks refer to.  Fires with 0.

        They stay associated as long as this connection is open.
        """
        return self._conn._stubs.calls.withDescriptors(
            REMOTE.byName["domainFDAssociate"], (self._ref, name, flags), descriptors(files)
        ).addCallback(zero)
