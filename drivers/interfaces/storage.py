"""
Storage pools and volumes.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.streams import IStreamSink, IStreamSource
from pyvirt.drivers.interfaces.values import (
    Answer,
    StoragePoolInfo,
    StoragePoolRef,
    StorageVolInfo,
    StorageVolRef,
)


class IStorage(Interface):
    """Storage pools and volumes."""

    def connectFindStoragePoolSources(type: str, srcSpec: str | None, flags: int) -> Answer[str]:
        """virConnectFindStoragePoolSources."""

    def storagePoolCreateXML(xml: str, flags: int) -> Answer[StoragePoolRef]:
        """virStoragePoolCreateXML."""

    def storagePoolDefineXML(xml: str, flags: int) -> Answer[StoragePoolRef]:
        """virStoragePoolDefineXML."""

    def storagePoolCreate(pool: StoragePoolRef, flags: int) -> Answer[None]:
        """virStoragePoolCreate."""

    def storagePoolBuild(pool: StoragePoolRef, flags: int) -> Answer[None]:
        """virStoragePoolBuild."""

    def storagePoolDestroy(pool: StoragePoolRef) -> Answer[None]:
        """virStoragePoolDestroy."""

    def storagePoolDelete(pool: StoragePoolRef, flags: int) -> Answer[None]:
        """virStoragePoolDelete."""

    def storagePoolUndefine(pool: StoragePoolRef) -> Answer[None]:
        """virStoragePoolUndefine."""

    def storagePoolRefresh(pool: StoragePoolRef, flags: int) -> Answer[None]:
        """virStoragePoolRefresh."""

    def storagePoolLookupByName(name: str) -> Answer[StoragePoolRef]:
        """virStoragePoolLookupByName."""

    def storagePoolLookupByUUID(uuid: bytes) -> Answer[StoragePoolRef]:
        """virStoragePoolLookupByUUID."""

    def storagePoolLookupByVolume(vol: StorageVolRef) -> Answer[StoragePoolRef]:
        """virStoragePoolLookupByVolume."""

    def storagePoolGetInfo(pool: StoragePoolRef) -> Answer[StoragePoolInfo]:
        """virStoragePoolGetInfo."""

    def storagePoolGetXMLDesc(pool: StoragePoolRef, flags: int) -> Answer[str]:
        """virStoragePoolGetXMLDesc."""

    def storagePoolGetAutostart(pool: StoragePoolRef) -> Answer[bool]:
        """virStoragePoolGetAutostart."""

    def storagePoolSetAutostart(pool: StoragePoolRef, autostart: bool) -> Answer[None]:
        """virStoragePoolSetAutostart."""

    def storageVolCreateXML(pool: StoragePoolRef, xml: str, flags: int) -> Answer[StorageVolRef]:
        """virStorageVolCreateXML."""

    def storageVolDelete(vol: StorageVolRef, flags: int) -> Answer[None]:
        """virStorageVolDelete."""

    def storageVolLookupByName(pool: StoragePoolRef, name: str) -> Answer[StorageVolRef]:
        """virStorageVolLookupByName."""

    def storageVolLookupByKey(key: str) -> Answer[StorageVolRef]:
        """virStorageVolLookupByKey."""

    def storageVolLookupByPath(path: str) -> Answer[StorageVolRef]:
        """virStorageVolLookupByPath."""

    def storageVolGetXMLDesc(vol: StorageVolRef, flags: int) -> Answer[str]:
        """virStorageVolGetXMLDesc."""

    def storageVolGetPath(vol: StorageVolRef) -> Answer[str]:
        """virStorageVolGetPath."""

    def storageVolCreateXMLFrom(
        pool: StoragePoolRef, xml: str, clonevol: StorageVolRef, flags: int
    ) -> Answer[StorageVolRef]:
        """virStorageVolCreateXMLFrom."""

    def storagePoolIsActive(pool: StoragePoolRef) -> Answer[bool]:
        """virStoragePoolIsActive."""

    def storagePoolIsPersistent(pool: StoragePoolRef) -> Answer[bool]:
        """virStoragePoolIsPersistent."""

    def storageVolUpload(
        vol: StorageVolRef, offset: int, length: int, flags: int
    ) -> Answer[IStreamSink]:
        """virStorageVolUpload."""

    def storageVolDownload(
        vol: StorageVolRef, offset: int, length: int, flags: int
    ) -> Answer[IStreamSource]:
        """virStorageVolDownload."""

    def storageVolWipePattern(vol: StorageVolRef, algorithm: int, flags: int) -> Answer[None]:
        """virStorageVolWipePattern."""

    def storageVolResize(vol: StorageVolRef, capacity: int, flags: int) -> Answer[None]:
        """virStorageVolResize."""

    def connectListAllStoragePools(flags: int) -> Answer[list[StoragePoolRef]]:
        """virConnectListAllStoragePools."""

    def storagePoolListAllVolumes(pool: StoragePoolRef, flags: int) -> Answer[list[StorageVolRef]]:
        """virStoragePoolListAllVolumes."""

    def storageVolGetInfoFlags(vol: StorageVolRef, flags: int) -> Answer[StorageVolInfo]:
        """virStorageVolGetInfoFlags."""

    def storagePoolLookupByTargetPath(path: str) -> Answer[StoragePoolRef]:
        """virStoragePoolLookupByTargetPath."""

    def connectGetStoragePoolCapabilities(flags: int) -> Answer[str]:
        """virConnectGetStoragePoolCapabilities."""
