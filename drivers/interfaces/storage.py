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
        """
        Look for what pools could be made of.

        @param type: kind of pool, such as C{logical}.
        @param srcSpec: a C{<source>} element: where to look; None: here.
        @param flags: none yet.
        @return: a C{<sources>} document.
        """

    def storagePoolCreateXML(xml: str, flags: int) -> Answer[StoragePoolRef]:
        """
        Start a transient pool.

        @param xml: a C{<pool>} document.
        @param flags: bitwise-OR of C{VIR_STORAGE_POOL_CREATE_*}.
        """

    def storagePoolDefineXML(xml: str, flags: int) -> Answer[StoragePoolRef]:
        """
        Define a pool, or redefine the one with the same name and UUID.

        @param flags: C{VIR_STORAGE_POOL_DEFINE_VALIDATE}: against the schema.
        """

    def storagePoolCreate(pool: StoragePoolRef, flags: int) -> Answer[None]:
        """
        Start a pool that is defined.

        @param flags: bitwise-OR of C{VIR_STORAGE_POOL_CREATE_*}.
        @raise OperationInvalid: it is active already.
        """

    def storagePoolBuild(pool: StoragePoolRef, flags: int) -> Answer[None]:
        """
        Prepare what a pool lies on.

        @param flags: bitwise-OR of C{VIR_STORAGE_POOL_BUILD_*}.
        @raise OperationInvalid: it is active.
        """

    def storagePoolDestroy(pool: StoragePoolRef) -> Answer[None]:
        """
        Stop a pool; nothing in it is lost.  A transient one is gone then.

        @raise OperationInvalid: it is inactive.
        """

    def storagePoolDelete(pool: StoragePoolRef, flags: int) -> Answer[None]:
        """
        Remove what a pool lies on.

        @param flags: bitwise-OR of C{VIR_STORAGE_POOL_DELETE_*}.
        @raise OperationInvalid: it is active.
        """

    def storagePoolUndefine(pool: StoragePoolRef) -> Answer[None]:
        """
        Forget a pool's definition.

        @raise OperationInvalid: it is active.
        """

    def storagePoolRefresh(pool: StoragePoolRef, flags: int) -> Answer[None]:
        """
        Look again what volumes there are.

        @param flags: none yet.
        @raise OperationInvalid: it is inactive.
        """

    def storagePoolLookupByName(name: str) -> Answer[StoragePoolRef]:
        """
        Find a pool by its name.

        @raise NoSuchStoragePool: there is none.
        """

    def storagePoolLookupByUUID(uuid: bytes) -> Answer[StoragePoolRef]:
        """
        Find a pool by its UUID, 16 bytes.

        @raise NoSuchStoragePool: there is none.
        """

    def storagePoolLookupByVolume(vol: StorageVolRef) -> Answer[StoragePoolRef]:
        """Find the pool that a volume is in."""

    def storagePoolGetInfo(pool: StoragePoolRef) -> Answer[StoragePoolInfo]:
        """Tell a pool's state and sizes."""

    def storagePoolGetXMLDesc(pool: StoragePoolRef, flags: int) -> Answer[str]:
        """
        Describe a pool.

        @param flags: C{VIR_STORAGE_XML_INACTIVE}: as it will be at its next start.
        @return: a C{<pool>} document.
        """

    def storagePoolGetAutostart(pool: StoragePoolRef) -> Answer[bool]:
        """Whether the pool starts with the host."""

    def storagePoolSetAutostart(pool: StoragePoolRef, autostart: bool) -> Answer[None]:
        """
        Say whether the pool starts with the host.

        @param autostart: true or false; numbers other than 0 are true.
        @raise InvalidArgument: it is transient.
        """

    def storageVolCreateXML(pool: StoragePoolRef, xml: str, flags: int) -> Answer[StorageVolRef]:
        """
        Make a volume.

        @param xml: a C{<volume>} document.
        @param flags: bitwise-OR of C{VIR_STORAGE_VOL_CREATE_*}.
        @return: fires when it can be used.
        """

    def storageVolDelete(vol: StorageVolRef, flags: int) -> Answer[None]:
        """
        Remove a volume.

        @param flags: bitwise-OR of C{VIR_STORAGE_VOL_DELETE_*}.
        """

    def storageVolLookupByName(pool: StoragePoolRef, name: str) -> Answer[StorageVolRef]:
        """
        Find a volume of a pool by its name.

        @raise NoSuchStorageVol: there is none.
        """

    def storageVolLookupByKey(key: str) -> Answer[StorageVolRef]:
        """
        Find a volume, in whatever pool, by what no other volume has.

        @raise NoSuchStorageVol: there is none.
        """

    def storageVolLookupByPath(path: str) -> Answer[StorageVolRef]:
        """
        Find a volume, in whatever pool, by its path.

        @raise NoSuchStorageVol: there is none.
        """

    def storageVolGetXMLDesc(vol: StorageVolRef, flags: int) -> Answer[str]:
        """
        Describe a volume.

        @param flags: none yet.
        @return: a C{<volume>} document.
        """

    def storageVolGetPath(vol: StorageVolRef) -> Answer[str]:
        """Tell a volume's path, or what else guests' disks name it by."""

    def storageVolCreateXMLFrom(
        pool: StoragePoolRef, xml: str, clonevol: StorageVolRef, flags: int
    ) -> Answer[StorageVolRef]:
        """
        Make a volume with the contents of another.

        @param pool: where it is made.
        @param clonevol: the other one, of any pool.
        @param flags: bitwise-OR of C{VIR_STORAGE_VOL_CREATE_*}.
        @return: fires when the copy is complete.
        """

    def storagePoolIsActive(pool: StoragePoolRef) -> Answer[bool]:
        """Whether the pool runs."""

    def storagePoolIsPersistent(pool: StoragePoolRef) -> Answer[bool]:
        """Whether the pool stays defined while it is inactive."""

    def storageVolUpload(
        vol: StorageVolRef, offset: int, length: int, flags: int
    ) -> Answer[IStreamSink]:
        """
        Write to a volume.

        @param offset: where to start, in bytes.
        @param length: how many bytes at most; 0: no limit.
        @param flags: C{VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM}: there may be holes.
        @return: where the data goes; the volume is refreshed when it ends.
        """

    def storageVolDownload(
        vol: StorageVolRef, offset: int, length: int, flags: int
    ) -> Answer[IStreamSource]:
        """
        Read from a volume.

        @param offset: where to start, in bytes.
        @param length: how many bytes at most; 0: to the end.
        @param flags: C{VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM}: there may be holes.
        """

    def storageVolWipePattern(vol: StorageVolRef, algorithm: int, flags: int) -> Answer[None]:
        """
        Overwrite a volume so that nothing of it can be read again.

        @param algorithm: C{VIR_STORAGE_VOL_WIPE_ALG_*}; older callers: C{ZERO}.
        @param flags: none yet.
        """

    def storageVolResize(vol: StorageVolRef, capacity: int, flags: int) -> Answer[None]:
        """
        Change a volume's capacity.

        @param capacity: bytes; with C{DELTA} so many more, with C{SHRINK} too so many fewer.  0
            only with one of them.
        @param flags: bitwise-OR of C{VIR_STORAGE_VOL_RESIZE_*}.
        """

    def connectListAllStoragePools(flags: int) -> Answer[list[StoragePoolRef]]:
        """
        List pools.

        @param flags: bitwise-OR of C{VIR_CONNECT_LIST_STORAGE_POOLS_*}, in groups as for domains;
            0: all.
        @return: in any order; at most 16384.
        """

    def storagePoolListAllVolumes(pool: StoragePoolRef, flags: int) -> Answer[list[StorageVolRef]]:
        """
        List the volumes of a pool.

        @param flags: none yet.
        @return: in any order; at most 16384.
        @raise OperationInvalid: the pool is inactive.
        """

    def storageVolGetInfo(vol: StorageVolRef) -> Answer[StorageVolInfo]:
        """Tell a volume's kind and sizes.  A method of its own: there are drivers that have only this one."""

    def storageVolGetInfoFlags(vol: StorageVolRef, flags: int) -> Answer[StorageVolInfo]:
        """
        Tell a volume's kind and sizes.

        @param flags: C{VIR_STORAGE_VOL_GET_PHYSICAL}: the size on the host instead of the
            allocation.
        """

    def storagePoolLookupByTargetPath(path: str) -> Answer[StoragePoolRef]:
        """
        Find a pool by where its volumes are.

        @raise NoSuchStoragePool: there is none.
        """

    def connectGetStoragePoolCapabilities(flags: int) -> Answer[str]:
        """
        Describe what kinds of pools there can be.

        @param flags: none yet.
        @return: a C{<storagepoolCapabilities>} document.
        """
