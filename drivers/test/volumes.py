"""
Volumes of the test driver: names and sizes in a pool.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from pyvirt import constants as c
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.storage import (
    PARTITION_FORMATS,
    VOLUME_FORMATS,
    VolumeTarget,
    formatVolume,
    parseVolume,
)
from pyvirt.definitions.validation import validate
from pyvirt.drivers.interfaces.values import StoragePoolRef, StorageVolInfo, StorageVolRef
from pyvirt.drivers.test.pools import CAPACITY, Pool, Pools, Volume
from pyvirt.drivers.test.refusals import checkFlags, failed, internal, operationInvalid, signed
from pyvirt.drivers.test.volumedata import VolumeData, VolumeReader, VolumeWriter
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Storage"]

#: What the volumes of a pool are told to be, if not devices.
_TYPES = {
    **dict.fromkeys(("dir", "fs", "netfs", "vstorage"), c.VIR_STORAGE_VOL_FILE),
    **dict.fromkeys(("rbd", "gluster", "sheepdog", "iscsi-direct"), c.VIR_STORAGE_VOL_NETWORK),
}
#: The formats of volumes by the kind of their pool, where they are not those of files; empty: they have none.
_FORMATS = {
    "disk": PARTITION_FORMATS,
    **dict.fromkeys(("logical", "iscsi", "iscsi-direct", "scsi", "mpath", "zfs", "sheepdog"), ""),
}


def _doubled() -> VirtError:
    # Libvirt finds it out, and says nothing.
    return VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)


def _missing(detail: str) -> VirtError:
    return virtError(ErrorCode.NO_STORAGE_VOL, detail, ErrorDomain.TEST)


class Storage(Pools):
    """Pools, and the volumes in them."""

    def _volume(self, vol: StorageVolRef) -> tuple[Pool, Volume]:
        """
        Find a volume of an active pool.

        @raise VirtError: there is none, or its pool is not active.
        """
        pool = self.find(vol.pool)
        pool.checkActive()
        return pool, self._inPool(pool, vol.name)

    @staticmethod
    def _inPool(pool: Pool, name: str) -> Volume:
        volume = pool.volumes.get(name)
        if volume is None:
            raise _missing(f"no storage vol with matching name '{name}'")
        return volume

    def _search(self, found: Callable[[Volume], bool], complaint: str) -> StorageVolRef:
        for pool in self._names.values():
            if pool.active:
                for volume in pool.volumes.values():
                    if found(volume):
                        return volume.ref
        raise _missing(complaint)

    def storagePoolListAllVolumes(self, pool: StoragePoolRef, flags: int) -> list[StorageVolRef]:
        """List the volumes of an active pool."""
        checkFlags("testStoragePoolListAllVolumes", flags)
        found = self.identified(pool.uuid)
        if not found.active:
            raise operationInvalid("storage pool is not active")
        return [volume.ref for volume in found.volumes.values()]

    def storageVolLookupByName(self, pool: StoragePoolRef, name: str) -> StorageVolRef:
        """Find a volume of an active pool."""
        found = self.find(pool.name)
        found.checkActive()
        return self._inPool(found, name).ref

    def storageVolLookupByKey(self, key: str) -> StorageVolRef:
        """Find a volume in the active pools."""
        return self._search(
            lambda volume: volume.ref.key == key, f"no storage vol with matching key '{key}'"
        )

    def storageVolLookupByPath(self, path: str) -> StorageVolRef:
        """Find a volume in the active pools."""
        return self._search(
            lambda volume: volume.definition.target.path == path,
            f"no storage vol with matching path '{path}'",
        )

    def storageVolCreateXML(self, pool: StoragePoolRef, xml: str, flags: int) -> StorageVolRef:
        """Make a volume."""
        checkFlags("testStorageVolCreateXML", flags, c.VIR_STORAGE_VOL_CREATE_VALIDATE)
        found = self.find(pool.name)
        found.checkActive()
        if flags & c.VIR_STORAGE_VOL_CREATE_VALIDATE:
            validate("volume", xml)
        return self.make(found, xml)

    def storageVolCreateXMLFrom(
        self, pool: StoragePoolRef, xml: str, clonevol: StorageVolRef, flags: int
    ) -> StorageVolRef:
        """Make a volume from another of the pool."""
        checkFlags("testStorageVolCreateXMLFrom", flags, c.VIR_STORAGE_VOL_CREATE_VALIDATE)
        found = self.find(pool.name)
        found.checkActive()
        if flags & c.VIR_STORAGE_VOL_CREATE_VALIDATE:
            validate("volume", xml)
        ref = self.make(found, xml, clonevol)
        source = found.volumes[clonevol.name]
        if source.data is not None:
            made = found.volumes[ref.name]
            made.data = source.data.copy()
            made.data.cut(made.definition.capacity or 0)
        return ref

    def make(
        self,
        pool: Pool,
        xml: str,
        clone: StorageVolRef | None = None,
        *,
        found: bool = False,
        key: str | None = None,
    ) -> StorageVolRef:
        """
        Make a volume in a pool, active or not.

        @param clone: another volume of the pool that it is made from.
        @param found: it was there already, and is where it says.
        @param key: what it is known by; None for its path.
        @raise VirtError: the definition is wrong, the name is taken or there is no room.
        """
        definition = parseVolume(xml, formats=_FORMATS.get(pool.definition.type, VOLUME_FORMATS))
        if definition.name in pool.volumes:
            if found:
                raise _doubled()
            raise failed("storage vol already exists")
        if clone is not None and clone.name not in pool.volumes:
            raise _missing(f"no storage vol with matching name '{clone.name}'")
        allocation = definition.allocation or 0
        if not found and pool.allocation + allocation > CAPACITY:
            raise internal(f"Not enough free space in pool for volume '{definition.name}'")
        path = f"{pool.path}/{definition.name}"
        if found:
            path = definition.target.path or path
        key = key or path
        if found and any(
            other.ref.key == key or other.definition.target.path == path
            for other in pool.volumes.values()
        ):
            raise _doubled()
        target: VolumeTarget = replaced(definition.target, path=path)
        definition = replaced(definition, key=key, target=target)
        ref = StorageVolRef(pool.ref.name, definition.name, key)
        pool.volumes[definition.name] = Volume(definition, ref)
        pool.allocation += allocation
        return ref

    def storageVolDelete(self, vol: StorageVolRef, flags: int) -> None:
        """Delete a volume."""
        checkFlags("testStorageVolDelete", flags)
        pool, volume = self._volume(vol)
        pool.allocation -= volume.definition.allocation or 0
        del pool.volumes[vol.name]

    def storageVolGetInfo(self, vol: StorageVolRef) -> StorageVolInfo:
        """Tell the sizes; libvirt's test driver lacks the newer call, with flags."""
        pool, volume = self._volume(vol)
        return StorageVolInfo(
            _TYPES.get(pool.definition.type, c.VIR_STORAGE_VOL_BLOCK),
            volume.definition.capacity or 0,
            volume.definition.allocation or 0,
        )

    def storageVolGetXMLDesc(self, vol: StorageVolRef, flags: int) -> str:
        """Write a volume's definition."""
        checkFlags("testStorageVolGetXMLDesc", flags)
        return formatVolume(self._volume(vol)[1].definition)

    def storageVolGetPath(self, vol: StorageVolRef) -> str:
        """Tell where a volume is."""
        return self._volume(vol)[1].definition.target.path or ""

    def storageVolUpload(
        self, vol: StorageVolRef, offset: int, length: int, flags: int
    ) -> VolumeWriter:
        """Write to a volume, as much as it holds."""
        checkFlags("testStorageVolUpload", flags, c.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
        volume = self._volume(vol)[1]
        end = self._end(volume, offset, length)
        return VolumeWriter(volume.written, offset, end)

    def storageVolDownload(
        self, vol: StorageVolRef, offset: int, length: int, flags: int
    ) -> VolumeReader:
        """Read from a volume; nothing was written where it is 0."""
        sparse = c.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM
        checkFlags("testStorageVolDownload", flags, sparse)
        volume = self._volume(vol)[1]
        end = self._end(volume, offset, length)
        data = volume.data if volume.data is not None else VolumeData()
        return VolumeReader(data, offset, end - offset, bool(flags & sparse))

    @staticmethod
    def _end(volume: Volume, offset: int, length: int) -> int:
        """
        Return where a part of a volume ends.

        @raise VirtError: it begins behind the end.
        """
        size = volume.definition.capacity or 0
        if offset > size:
            path = volume.definition.target.path
            raise virtError(
                ErrorCode.SYSTEM_ERROR,
                f"Unable to seek {path} to {offset}: {os.strerror(errno.EINVAL)}",
                ErrorDomain.TEST,
                int1=errno.EINVAL,
            )
        return min(size, offset + length) if length else size

    def storageVolWipePattern(self, vol: StorageVolRef, algorithm: int, flags: int) -> None:
        """Let everything in a volume be 0, whatever the algorithm."""
        checkFlags("testStorageVolWipePattern", flags)
        if not 0 <= algorithm <= c.VIR_STORAGE_VOL_WIPE_ALG_TRIM:
            raise virtError(
                ErrorCode.INVALID_ARG,
                f"wiping algorithm {signed(algorithm)} not supported",
                ErrorDomain.TEST,
            )
        self._volume(vol)[1].data = None

    def storageVolResize(self, vol: StorageVolRef, capacity: int, flags: int) -> None:
        """Give a volume another size."""
        allocate = c.VIR_STORAGE_VOL_RESIZE_ALLOCATE
        delta = c.VIR_STORAGE_VOL_RESIZE_DELTA
        shrink = c.VIR_STORAGE_VOL_RESIZE_SHRINK
        checkFlags("testStorageVolResize", flags, allocate | delta | shrink)
        pool, volume = self._volume(vol)
        old = volume.definition
        size, taken = old.capacity or 0, old.allocation or 0
        if flags & delta:
            capacity = size - capacity if flags & shrink else size + capacity
        if not flags & shrink and capacity < size:
            raise _refused(
                "Can't shrink capacity below current capacity unless shrink flag explicitly specified"
            )
        if capacity < taken:
            raise _refused("can't shrink capacity below existing allocation")
        if capacity - taken > CAPACITY - pool.allocation:
            raise failed("Not enough space left in storage pool")
        changes = {"capacity": capacity}
        if flags & allocate:
            changes["allocation"] = capacity
            pool.allocation += capacity - taken
        volume.definition = replaced(old, **changes)
        if volume.data is not None:
            volume.data.cut(capacity)


def _refused(detail: str) -> VirtError:
    return virtError(ErrorCode.INVALID_ARG, detail, ErrorDomain.TEST)
