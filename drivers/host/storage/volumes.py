"""
Volumes of the host's pools.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from pyvirt import constants as c
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.storage import VolumeDefinition, formatVolume, parseVolume
from pyvirt.definitions.validation import validate
from pyvirt.drivers.filestreams import FileReader, FileWriter
from pyvirt.drivers.host.running import found as program
from pyvirt.drivers.host.running import run
from pyvirt.drivers.host.storage import making
from pyvirt.drivers.host.storage.backends import unsupported
from pyvirt.drivers.host.storage.pool import Pool, Volume, noVolume
from pyvirt.drivers.host.storage.pools import Pools
from pyvirt.drivers.host.storage.volumefiles import measured
from pyvirt.drivers.interfaces.values import StoragePoolRef, StorageVolInfo, StorageVolRef
from pyvirt.drivers.refusals import checkFlags, failed, internal, invalidArgument
from pyvirt.drivers.refusals import operationInvalid as invalid
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import systemError

__all__ = ["Storage"]

_DOMAIN = ErrorDomain.STORAGE
_MAKING = c.VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA | c.VIR_STORAGE_VOL_CREATE_VALIDATE

_TYPES = {
    "file": c.VIR_STORAGE_VOL_FILE,
    "block": c.VIR_STORAGE_VOL_BLOCK,
    "dir": c.VIR_STORAGE_VOL_DIR,
}

#: What each way of wiping is called by C{scrub}.
_SCRUB = {
    c.VIR_STORAGE_VOL_WIPE_ALG_NNSA: "nnsa",
    c.VIR_STORAGE_VOL_WIPE_ALG_DOD: "dod",
    c.VIR_STORAGE_VOL_WIPE_ALG_BSI: "bsi",
    c.VIR_STORAGE_VOL_WIPE_ALG_GUTMANN: "gutmann",
    c.VIR_STORAGE_VOL_WIPE_ALG_SCHNEIER: "schneier",
    c.VIR_STORAGE_VOL_WIPE_ALG_PFITZNER7: "pfitzner7",
    c.VIR_STORAGE_VOL_WIPE_ALG_PFITZNER33: "pfitzner33",
    c.VIR_STORAGE_VOL_WIPE_ALG_RANDOM: "random",
}


class Storage(Pools):
    """Pools, and the volumes in them."""

    def _volume(self, vol: StorageVolRef) -> tuple[Pool, Volume]:
        """
        Find a volume of an active pool.

        @raise VirtError: there is none, or its pool is not active.
        """
        pool = self.find(vol.pool)
        pool.checkActive()
        return pool, pool.volume(vol.name)

    def _search(self, matches: Callable[[Volume], bool], complaint: str) -> StorageVolRef:
        for pool in self._names.values():
            if pool.active:
                for volume in pool.volumes.values():
                    if matches(volume):
                        return volume.ref
        raise noVolume(complaint)

    # Finding

    def storagePoolListAllVolumes(self, pool: StoragePoolRef, flags: int) -> list[StorageVolRef]:
        """List the volumes of an active pool."""
        checkFlags("storagePoolListAllVolumes", flags, 0, _DOMAIN)
        found = self.identified(pool)
        found.checkActive()
        return [volume.ref for volume in found.volumes.values()]

    def storageVolLookupByName(self, pool: StoragePoolRef, name: str) -> StorageVolRef:
        """Find a volume of an active pool."""
        found = self.identified(pool)
        found.checkActive()
        return found.volume(name).ref

    def storageVolLookupByKey(self, key: str) -> StorageVolRef:
        """Find a volume in the active pools."""
        return self._search(
            lambda volume: volume.ref.key == key, f"no storage vol with matching key {key}"
        )

    def storageVolLookupByPath(self, path: str) -> StorageVolRef:
        """Find a volume in the active pools."""
        clean = os.path.normpath(path) if path.startswith("/") else path
        return self._search(
            lambda volume: volume.path == clean,
            f"no storage vol with matching path '{path}'",
        )

    # Telling

    async def _measured(self, vol: StorageVolRef) -> Volume:
        pool, volume = self._volume(vol)
        if not volume.building and self._backend(pool).files:
            definition = await self._host.thread(measured, volume.definition)
            if pool.volumes.get(vol.name) is volume:
                volume.definition = definition
        return volume

    async def storageVolGetInfo(self, vol: StorageVolRef) -> StorageVolInfo:
        """Tell the sizes."""
        return await self.storageVolGetInfoFlags(vol, 0)

    async def storageVolGetInfoFlags(self, vol: StorageVolRef, flags: int) -> StorageVolInfo:
        """Tell the sizes, as they are now."""
        physical = c.VIR_STORAGE_VOL_GET_PHYSICAL
        checkFlags("storageVolGetInfoFlags", flags, physical, _DOMAIN)
        volume = await self._measured(vol)
        definition = volume.definition
        taken = definition.physical if flags & physical else definition.allocation
        return StorageVolInfo(_TYPES[volume.type], definition.capacity or 0, taken or 0)

    async def storageVolGetXMLDesc(self, vol: StorageVolRef, flags: int) -> str:
        """Write a volume's definition."""
        checkFlags("storageVolGetXMLDesc", flags, 0, _DOMAIN)
        volume = await self._measured(vol)
        return formatVolume(replaced(volume.definition, type=None), type=volume.type)

    def storageVolGetPath(self, vol: StorageVolRef) -> str:
        """Tell where a volume is."""
        return self._volume(vol)[1].path

    # Making

    async def storageVolCreateXML(
        self, pool: StoragePoolRef, xml: str, flags: int
    ) -> StorageVolRef:
        """Make a volume."""
        checkFlags("storageVolCreateXML", flags, _MAKING, _DOMAIN)
        found = self.identified(pool)
        found.checkActive()
        self._checkValid(xml, flags)
        backend = self._backend(found)
        definition = parseVolume(xml, capacityOptional=True, formats=backend.formats)
        if not definition.capacity and not backend.files:
            raise unsupported("volume capacity required for this storage pool")
        if definition.name in found.volumes:
            raise virtError(ErrorCode.STORAGE_VOL_EXIST, f"'{definition.name}'", _DOMAIN)
        return await self._make(found, definition, flags, None)

    @staticmethod
    def _checkValid(xml: str, flags: int) -> None:
        """Validate a document if that is asked for; as with libvirtd, those that are valid are refused afterwards."""
        if flags & c.VIR_STORAGE_VOL_CREATE_VALIDATE:
            validate("volume", xml)
            known = ~c.VIR_STORAGE_VOL_CREATE_VALIDATE
            checkFlags("virStorageVolDefParseXML", flags, known, ErrorDomain.STORAGE)

    async def storageVolCreateXMLFrom(
        self, pool: StoragePoolRef, xml: str, clonevol: StorageVolRef, flags: int
    ) -> StorageVolRef:
        """Make a volume from another."""
        reflink = c.VIR_STORAGE_VOL_CREATE_REFLINK
        checkFlags("storageVolCreateXMLFrom", flags, _MAKING | reflink, _DOMAIN)
        found = self.identified(pool)
        origin = self.find(clonevol.pool)
        found.checkActive()
        origin.checkActive()
        source = origin.volume(clonevol.name)
        self._checkValid(xml, flags)
        definition = parseVolume(xml, capacityOptional=True, formats=self._backend(found).formats)
        if definition.name in found.volumes:
            raise internal(f"storage volume name '{definition.name}' already in use.", _DOMAIN)
        capacity = max(definition.capacity or 0, source.definition.capacity or 0)
        given = definition.allocation
        definition = replaced(
            definition, capacity=capacity, allocation=capacity if given is None else given
        )
        source.checkBuilt()
        return await self._make(found, definition, flags, source, origin)

    async def _make(
        self,
        pool: Pool,
        definition: VolumeDefinition,
        flags: int,
        source: Volume | None,
        origin: Pool | None = None,
    ) -> StorageVolRef:
        name = definition.name
        if not self._backend(pool).files:
            return await self._makeElsewhere(pool, definition, flags, source, origin)
        if "/" in name:
            raise invalid(f"volume name '{name}' cannot contain '/'", _DOMAIN)
        path = f"{pool.path}/{name}"
        if name in (".", "..") or os.path.lexists(path):
            raise invalid(f"volume target path '{path}' already exists", _DOMAIN)
        target = replaced(definition.target, path=path, format=definition.target.format or "raw")
        definition = replaced(definition, key=path, target=target)
        kind = "dir" if target.format == "dir" else "file"
        ref = StorageVolRef(pool.ref.name, name, path)
        volume = pool.volumes[name] = Volume(definition, ref, kind)
        volume.building = True
        pool.jobs += 1
        if source is not None:
            source.users += 1
        if origin is not None and origin is not pool:
            origin.jobs += 1
        try:
            if definition.capacity is None:
                await self._sizeOfBacking(volume)
            await making.make(self._host, volume, flags, source)
            volume.definition = await self._host.thread(measured, volume.definition)
        except BaseException:
            pool.volumes.pop(name, None)
            await self._host.thread(_discard, path, kind)
            raise
        finally:
            volume.building = False
            pool.jobs -= 1
            if source is not None:
                source.users -= 1
            if origin is not None and origin is not pool:
                origin.jobs -= 1
        pool.take(volume.definition.allocation or 0)
        return ref

    async def _makeElsewhere(
        self,
        pool: Pool,
        definition: VolumeDefinition,
        flags: int,
        source: Volume | None,
        origin: Pool | None,
    ) -> StorageVolRef:
        """Make a volume that is no file."""
        backend = self._backend(pool)
        if source is not None:
            source.users += 1
        if origin is not None and origin is not pool:
            origin.jobs += 1
        try:
            async with self.locked(pool):
                pool.checkActive()
                if definition.name in pool.volumes:
                    raise virtError(ErrorCode.STORAGE_VOL_EXIST, f"'{definition.name}'", _DOMAIN)
                if source is None:
                    made = await backend.createVolume(pool, definition)
                else:
                    made = await backend.createVolumeFrom(pool, definition, source, flags)
                ref = StorageVolRef(pool.ref.name, made.name, made.key or "")
                pool.volumes[made.name] = Volume(made, ref, "block")
                if not backend.measures:
                    pool.take(made.allocation or 0)
                return ref
        finally:
            if source is not None:
                source.users -= 1
            if origin is not None and origin is not pool:
                origin.jobs -= 1

    async def _sizeOfBacking(self, volume: Volume) -> None:
        """Give a volume whose definition has no size that of the image below."""
        backing = volume.definition.backingStore
        assert backing is not None and backing.path is not None
        below = replaced(
            volume.definition,
            backingStore=None,
            target=replaced(
                volume.definition.target,
                path=os.path.join(os.path.dirname(volume.path), backing.path),
                format=backing.format,
            ),
        )
        found = await self._host.thread(measured, below)
        volume.change(capacity=found.capacity, allocation=0)

    async def storageVolDelete(self, vol: StorageVolRef, flags: int) -> None:
        """Delete a volume."""
        pool, volume = self._volume(vol)
        volume.checkIdle()
        backend = self._backend(pool)
        if not backend.files:
            await self._deleteElsewhere(pool, volume, flags)
            return
        checkFlags("virStorageBackendVolDeleteLocal", flags, 0, _DOMAIN)
        if volume.type == "block":
            raise virtError(
                ErrorCode.NO_SUPPORT,
                f"removing block or network volumes is not supported: {volume.path}",
                _DOMAIN,
            )
        await self._host.thread(_remove, volume.path, volume.type)
        if pool.volumes.get(vol.name) is volume:
            del pool.volumes[vol.name]
            pool.take(-(volume.definition.allocation or 0))

    async def _deleteElsewhere(self, pool: Pool, volume: Volume, flags: int) -> None:
        """Delete a volume that is no file."""
        backend = self._backend(pool)
        async with self.locked(pool):
            pool.checkActive()
            if pool.volumes.get(volume.ref.name) is not volume:
                raise noVolume(f"no storage vol with matching name '{volume.ref.name}'")
            volume.checkIdle()
            volume.users += 1
            try:
                await backend.deleteVolume(pool, volume, flags)
            finally:
                volume.users -= 1
            if backend.measures:
                await self.refreshed(pool)
            else:
                del pool.volumes[volume.ref.name]
                pool.take(-(volume.definition.allocation or 0))

    # Changing

    async def storageVolResize(self, vol: StorageVolRef, capacity: int, flags: int) -> None:
        """Give a volume another size."""
        allocate = c.VIR_STORAGE_VOL_RESIZE_ALLOCATE
        delta = c.VIR_STORAGE_VOL_RESIZE_DELTA
        shrink = c.VIR_STORAGE_VOL_RESIZE_SHRINK
        checkFlags("storageVolResize", flags, allocate | delta | shrink, _DOMAIN)
        pool, volume = self._volume(vol)
        volume.checkIdle()
        size, taken = volume.definition.capacity or 0, volume.definition.allocation or 0
        wanted = capacity
        if flags & delta:
            wanted = size - min(size, capacity) if flags & shrink else size + capacity
        if wanted < taken:
            raise invalidArgument("can't shrink capacity below existing allocation", _DOMAIN)
        if wanted < size and not flags & shrink:
            raise invalidArgument(
                "Can't shrink capacity below current capacity unless shrink flag explicitly specified",
                _DOMAIN,
            )
        if flags & allocate and wanted - taken > pool.sizes[2]:
            raise failed("Not enough space left in storage pool", _DOMAIN)
        if not self._backend(pool).files:
            raise unsupported("storage pool does not support changing of volume capacity")
        if wanted >= 1 << 63:
            raise invalidArgument(f"capacity {wanted} is too large", _DOMAIN)
        volume.users += 1
        try:
            shrinking = bool(flags & shrink)
            await making.resize(self._host, volume, wanted, bool(flags & allocate), shrinking)
        finally:
            volume.users -= 1
        volume.change(capacity=wanted)
        if flags & allocate:
            volume.change(allocation=wanted)
            pool.take(wanted - taken)

    async def storageVolWipePattern(self, vol: StorageVolRef, algorithm: int, flags: int) -> None:
        """Overwrite a volume."""
        checkFlags("storageVolWipePattern", flags, 0, _DOMAIN)
        if not 0 <= algorithm <= c.VIR_STORAGE_VOL_WIPE_ALG_TRIM:
            shown = algorithm - (1 << 32) if algorithm >= 1 << 31 else algorithm
            raise invalidArgument(f"wiping algorithm {shown} not supported", _DOMAIN)
        pool, volume = self._volume(vol)
        volume.checkIdle()
        backend = self._backend(pool)
        backend.checkWipe(volume)
        volume.users += 1
        try:
            if algorithm == c.VIR_STORAGE_VOL_WIPE_ALG_TRIM:
                raise virtError(
                    ErrorCode.ARGUMENT_UNSUPPORTED, "'trim' algorithm not supported", _DOMAIN
                )
            if algorithm == c.VIR_STORAGE_VOL_WIPE_ALG_ZERO:
                await self._host.thread(_zero, volume.path, volume.definition.allocation or 0)
            else:
                await self._scrub(volume.path, _SCRUB[algorithm])
            if backend.files:
                volume.definition = await self._host.thread(measured, volume.definition)
        finally:
            volume.users -= 1

    async def _scrub(self, path: str, algorithm: str) -> None:
        place = program("/usr/bin/scrub")
        if not os.access(place, os.X_OK):
            raise virtError(
                ErrorCode.SYSTEM_ERROR,
                "Cannot find 'scrub' in path: No such file or directory",
                ErrorDomain.NONE,
                int1=2,
            )
        await run(self._host, place, "-f", "-p", algorithm, path)

    # Streams

    def _opened(self, volume: Volume, flags: int, offset: int) -> int:
        path = volume.path
        try:
            fd = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as problem:
            raise systemError(
                problem, f"Unable to open stream for '{path}'", ErrorDomain.STREAMS
            ) from None
        mode = os.fstat(fd).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)) or offset >= 1 << 63:
            os.close(fd)
            number = 21 if stat.S_ISDIR(mode) else 22
            detail = f"Unable to seek {path} to {offset}"
            raise systemError(OSError(number, ""), detail, ErrorDomain.STREAMS)
        return fd

    def storageVolUpload(
        self, vol: StorageVolRef, offset: int, length: int, flags: int
    ) -> FileWriter:
        """Write to a volume, which may go meanwhile; its pool is refreshed afterwards."""
        sparse = c.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM
        checkFlags("storageVolUpload", flags, sparse, _DOMAIN)
        pool, volume = self._volume(vol)
        volume.checkIdle()
        fd = self._opened(volume, os.O_WRONLY, offset)

        def over() -> None:
            self._host.later(self._uploaded(pool))

        return FileWriter(self._host.thread, fd, offset, length, over)

    async def _uploaded(self, pool: Pool) -> None:
        await pool.lock.acquire()
        try:
            if pool.gone or not pool.active or pool.jobs:
                return
            try:
                await self.refreshed(pool)
            except VirtError:
                return
            self.tellRefreshed(pool)
        finally:
            pool.lock.release()

    def storageVolDownload(
        self, vol: StorageVolRef, offset: int, length: int, flags: int
    ) -> FileReader:
        """Read from a volume, which may go meanwhile."""
        sparse = c.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM
        checkFlags("storageVolDownload", flags, sparse, _DOMAIN)
        _, volume = self._volume(vol)
        volume.checkBuilt()
        fd = self._opened(volume, os.O_RDONLY, offset)
        return FileReader(self._host.thread, fd, offset, length, bool(flags & sparse))


# In threads


def _remove(path: str, kind: str) -> None:
    try:
        if kind == "dir":
            os.rmdir(path)
        else:
            os.unlink(path)
    except OSError as problem:
        if kind != "dir" and isinstance(problem, FileNotFoundError):
            return
        what = "cannot remove directory" if kind == "dir" else "cannot unlink file"
        raise systemError(problem, f"{what} '{path}'", _DOMAIN) from None


def _discard(path: str, kind: str) -> None:
    """Remove what is left of a volume that could not be made."""
    try:
        os.rmdir(path) if kind == "dir" else os.unlink(path)
    except OSError:
        pass


def _zero(path: str, allocation: int) -> None:
    """Let every byte of a file be 0: one with holes is emptied, of others each byte is written."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as problem:
        raise systemError(
            problem, f"Failed to open storage volume with path '{path}'", _DOMAIN
        ) from None
    try:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and status.st_blocks < -(-status.st_size // 512):
            os.ftruncate(fd, 0)
            os.ftruncate(fd, status.st_size)
        else:
            zeros, at = bytes(1 << 20), 0
            end = status.st_size if stat.S_ISREG(status.st_mode) else allocation
            while at < end:
                at += os.pwrite(fd, zeros[: end - at], at)
        os.fsync(fd)
    except OSError as problem:
        raise systemError(
            problem, f"Failed to wipe storage volume with path '{path}'", _DOMAIN
        ) from None
    finally:
        os.close(fd)
