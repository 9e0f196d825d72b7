"""
Storage pools and volumes.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail

from pyvirt.client.connectbase import ConnectBase
from pyvirt.client.deferring import deferred
from pyvirt.client.shapes import making, makingAll
from pyvirt.client.storage import StoragePool, StorageVol
from pyvirt.client.uuids import uuidArgument, uuidBytes
from pyvirt.errors import ErrorDomain, VirtError

__all__ = ["ConnectStorage"]


class ConnectStorage(ConnectBase):
    """What a connection does with storage."""

    def storagePoolLookupByName(self, name: str) -> Deferred[StoragePool]:
        """Fire with the storage pool of this name."""
        return self._remote.storagePoolLookupByName(name).addCallback(
            making(StoragePool, self._connect)
        )

    def storagePoolLookupByTargetPath(self, path: str) -> Deferred[StoragePool]:
        """Fire with the storage pool whose target is this path."""
        return self._remote.storagePoolLookupByTargetPath(path).addCallback(
            making(StoragePool, self._connect)
        )

    def storagePoolLookupByUUID(self, uuid: bytes) -> Deferred[StoragePool]:
        """Fire with the one that has this UUID of 16 bytes."""
        try:
            data = uuidBytes(uuid, "virStoragePoolLookupByUUID")
        except VirtError:
            return fail()
        return self._remote.storagePoolLookupByUUID(data).addCallback(
            making(StoragePool, self._connect)
        )

    def storagePoolLookupByUUIDString(self, uuidstr: str) -> Deferred[StoragePool]:
        """Fire with the one that has this UUID."""
        try:
            data = uuidArgument(uuidstr, "virStoragePoolLookupByUUIDString", ErrorDomain.STORAGE)
        except VirtError:
            return fail()
        return self._remote.storagePoolLookupByUUID(data).addCallback(
            making(StoragePool, self._connect)
        )

    def storagePoolCreateXML(self, xmlDesc: str, flags: int = 0) -> Deferred[StoragePool]:
        """Start a storage pool that is gone once it stops: C{VIR_STORAGE_POOL_CREATE_*}.  Fires with it."""
        return self._remote.storagePoolCreateXML(xmlDesc, flags).addCallback(
            making(StoragePool, self._connect)
        )

    def storagePoolDefineXML(self, xml: str, flags: int = 0) -> Deferred[StoragePool]:
        """Define a storage pool: C{VIR_STORAGE_POOL_DEFINE_*}.  Fires with it."""
        return self._remote.storagePoolDefineXML(xml, flags).addCallback(
            making(StoragePool, self._connect)
        )

    def findStoragePoolSources(
        self, type: str, srcSpec: str | None, flags: int = 0
    ) -> Deferred[str]:
        """Fire with the XML of what pools of a type could be made from."""
        return self._remote.connectFindStoragePoolSources(type, srcSpec, flags)

    def listAllStoragePools(self, flags: int = 0) -> Deferred[list[StoragePool]]:
        """Fire with the storage pools that C{flags} (C{VIR_CONNECT_LIST_STORAGE_POOLS_*}) select."""
        return self._remote.connectListAllStoragePools(1, flags).addCallback(
            makingAll(StoragePool, self._connect)
        )

    def numOfStoragePools(self) -> Deferred[int]:
        """Fire with how many storage pools are started."""
        return self._remote.connectNumOfStoragePools()

    def numOfDefinedStoragePools(self) -> Deferred[int]:
        """Fire with how many storage pools are defined and not started."""
        return self._remote.connectNumOfDefinedStoragePools()

    @deferred
    async def listStoragePools(self) -> list[str]:
        """Fire with the names of the storage pools that are started."""
        count = await self._remote.connectNumOfStoragePools()
        return list(await self._remote.connectListStoragePools(count)) if count else []

    @deferred
    async def listDefinedStoragePools(self) -> list[str]:
        """Fire with the names of the storage pools that are defined and not started."""
        count = await self._remote.connectNumOfDefinedStoragePools()
        return list(await self._remote.connectListDefinedStoragePools(count)) if count else []

    def storageVolLookupByKey(self, key: str) -> Deferred[StorageVol]:
        """Fire with the volume that has this key."""
        return self._remote.storageVolLookupByKey(key).addCallback(
            making(StorageVol, self._connect)
        )

    def storageVolLookupByPath(self, path: str) -> Deferred[StorageVol]:
        """Fire with the volume at this path of the host."""
        return self._remote.storageVolLookupByPath(path).addCallback(
            making(StorageVol, self._connect)
        )
