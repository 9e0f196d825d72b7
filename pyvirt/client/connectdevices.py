"""
Devices of the host, and secrets.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail

from pyvirt.client.connectbase import ConnectBase
from pyvirt.client.deferring import deferred
from pyvirt.client.nodedevice import NodeDevice
from pyvirt.client.secret import Secret
from pyvirt.client.shapes import making, makingAll
from pyvirt.client.uuids import uuidArgument, uuidBytes
from pyvirt.errors import ErrorDomain, VirtError

__all__ = ["ConnectDevices"]


class ConnectDevices(ConnectBase):
    """What a connection does with devices and secrets."""

    def nodeDeviceLookupByName(self, name: str) -> Deferred[NodeDevice]:
        """Fire with the device of this name."""
        return self._remote.nodeDeviceLookupByName(name).addCallback(
            making(NodeDevice, self._connect)
        )

    def nodeDeviceLookupSCSIHostByWWN(
        self, wwnn: str, wwpn: str, flags: int = 0
    ) -> Deferred[NodeDevice]:
        """Fire with the SCSI host that has these names."""
        return self._remote.nodeDeviceLookupSCSIHostByWWN(wwnn, wwpn, flags).addCallback(
            making(NodeDevice, self._connect)
        )

    def nodeDeviceCreateXML(self, xmlDesc: str, flags: int = 0) -> Deferred[NodeDevice]:
        """Create a device.  Fires with it."""
        return self._remote.nodeDeviceCreateXML(xmlDesc, flags).addCallback(
            making(NodeDevice, self._connect)
        )

    def nodeDeviceDefineXML(self, xmlDesc: str, flags: int = 0) -> Deferred[NodeDevice]:
        """Define a device.  Fires with it."""
        return self._remote.nodeDeviceDefineXML(xmlDesc, flags).addCallback(
            making(NodeDevice, self._connect)
        )

    def listAllDevices(self, flags: int = 0) -> Deferred[list[NodeDevice]]:
        """Fire with the devices that C{flags} (C{VIR_CONNECT_LIST_NODE_DEVICES_*}) select."""
        return self._remote.connectListAllNodeDevices(1, flags).addCallback(
            makingAll(NodeDevice, self._connect)
        )

    def numOfDevices(self, cap: str | None, flags: int = 0) -> Deferred[int]:
        """Fire with how many devices have a capability; None: any."""
        return self._remote.nodeNumOfDevices(cap, flags)

    @deferred
    async def listDevices(self, cap: str | None, flags: int = 0) -> list[str]:
        """Fire with the names of the devices that have a capability; None: any."""
        count = await self._remote.nodeNumOfDevices(cap, flags)
        return list(await self._remote.nodeListDevices(cap, count, flags)) if count else []

    def secretLookupByUsage(self, usageType: int, usageID: str) -> Deferred[Secret]:
        """Fire with the secret for a use: C{VIR_SECRET_USAGE_TYPE_*}."""
        return self._remote.secretLookupByUsage(usageType, usageID).addCallback(
            making(Secret, self._connect)
        )

    def secretLookupByUUID(self, uuid: bytes) -> Deferred[Secret]:
        """Fire with the one that has this UUID of 16 bytes."""
        try:
            data = uuidBytes(uuid, "virSecretLookupByUUID")
        except VirtError:
            return fail()
        return self._remote.secretLookupByUUID(data).addCallback(making(Secret, self._connect))

    def secretLookupByUUIDString(self, uuidstr: str) -> Deferred[Secret]:
        """Fire with the one that has this UUID."""
        try:
            data = uuidArgument(uuidstr, "virSecretLookupByUUIDString", ErrorDomain.SECRET)
        except VirtError:
            return fail()
        return self._remote.secretLookupByUUID(data).addCallback(making(Secret, self._connect))

    def secretDefineXML(self, xml: str, flags: int = 0) -> Deferred[Secret]:
        """Define a secret: C{VIR_SECRET_DEFINE_*}.  Fires with it."""
        return self._remote.secretDefineXML(xml, flags).addCallback(making(Secret, self._connect))

    def listAllSecrets(self, flags: int = 0) -> Deferred[list[Secret]]:
        """Fire with the secrets that C{flags} (C{VIR_CONNECT_LIST_SECRETS_*}) select."""
        return self._remote.connectListAllSecrets(1, flags).addCallback(
            makingAll(Secret, self._connect)
        )

    def numOfSecrets(self) -> Deferred[int]:
        """Fire with how many secrets there are."""
        return self._remote.connectNumOfSecrets()

    @deferred
    async def listSecrets(self) -> list[str]:
        """Fire with the UUIDs of the secrets, as text."""
        count = await self._remote.connectNumOfSecrets()
        return list(await self._remote.connectListSecrets(count)) if count else []
