"""
Storage pools and their volumes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail

from pyvirt.client.deferring import deferred
from pyvirt.client.handle import Handle
from pyvirt.client.shapes import listOf, making, makingAll, nameUUID, number, zero
from pyvirt.client.stream import Stream
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.protocols.programs import REMOTE

if TYPE_CHECKING:
    from pyvirt.protocols.structs import StoragePoolRef, StorageVolRef

__all__ = ["StoragePool", "StorageVol"]


class StoragePool(Handle):
    """A storage pool."""

    __slots__ = ()

    _ref: StoragePoolRef

    def name(self) -> str:
        """Return the name."""
        return self._ref[0]

    def UUID(self) -> bytes:
        """Return the UUID, 16 bytes."""
        return self._ref[1]

    def UUIDString(self) -> str:
        """Return the UUID as text, 36 characters, lower case."""
        return nameUUID(self._ref[1])

    def info(self) -> Deferred[list[int]]:
        """Fire with the state (C{VIR_STORAGE_POOL_*}), and bytes in all, allocated and free."""
        return self._remote.storagePoolGetInfo(self._ref).addCallback(listOf)

    def XMLDesc(self, flags: int = 0) -> Deferred[str]:
        """Fire with its definition; C{flags}: C{VIR_STORAGE_XML_*}."""
        return self._remote.storagePoolGetXMLDesc(self._ref, flags)

    def isActive(self) -> Deferred[int]:
        """Fire with 1 if it is started, else 0."""
        return self._remote.storagePoolIsActive(self._ref).addCallback(number)

    def isPersistent(self) -> Deferred[int]:
        """Fire with 1 if it is defined, 0 if it is gone once it stops."""
        return self._remote.storagePoolIsPersistent(self._ref).addCallback(number)

    def autostart(self) -> Deferred[int]:
        """Fire with 1 if it is started with the host, else 0."""
        return self._remote.storagePoolGetAutostart(self._ref).addCallback(number)

    def setAutostart(self, autostart: int) -> Deferred[int]:
        """Have it started with the host, or not.  Fires with 0."""
        return self._remote.storagePoolSetAutostart(self._ref, autostart).addCallback(zero)

    def build(self, flags: int = 0) -> Deferred[int]:
        """Make what it is on: C{VIR_STORAGE_POOL_BUILD_*}.  Fires with 0."""
        return self._remote.storagePoolBuild(self._ref, flags).addCallback(zero)

    def create(self, flags: int = 0) -> Deferred[int]:
        """Start it: C{VIR_STORAGE_POOL_CREATE_*}.  Fires with 0."""
        return self._remote.storagePoolCreate(self._ref, flags).addCallback(zero)

    def destroy(self) -> Deferred[int]:
        """Stop it; what it holds stays.  Fires with 0."""
        return self._remote.storagePoolDestroy(self._ref).addCallback(zero)

    def delete(self, flags: int = 0) -> Deferred[int]:
        """Delete what it is on: C{VIR_STORAGE_POOL_DELETE_*}.  Fires with 0."""
        return self._remote.storagePoolDelete(self._ref, flags).addCallback(zero)

    def refresh(self, flags: int = 0) -> Deferred[int]:
        """Look again at what it holds.  Fires with 0."""
        return self._remote.storagePoolRefresh(self._ref, flags).addCallback(zero)

    def undefine(self) -> Deferred[int]:
        """Forget its definition.  Fires with 0."""
        return self._remote.storagePoolUndefine(self._ref).addCallback(zero)

    def numOfVolumes(self) -> Deferred[int]:
        """Fire with how many volumes it holds."""
        return self._remote.storagePoolNumOfVolumes(self._ref)

    def listAllVolumes(self, flags: int = 0) -> Deferred[list[StorageVol]]:
        """Fire with its volumes."""
        return self._remote.storagePoolListAllVolumes(self._ref, 1, flags).addCallback(
            makingAll(StorageVol, self._conn)
        )

    def storageVolLookupByName(self, name: str) -> Deferred[StorageVol]:
        """Fire with the volume of this name."""
        return self._remote.storageVolLookupByName(self._ref, name).addCallback(
            making(StorageVol, self._conn)
        )

    def createXML(self, xmlDesc: str, flags: int = 0) -> Deferred[StorageVol]:
        """Create a volume: C{VIR_STORAGE_VOL_CREATE_*}.  Fires with it."""
        return self._remote.storageVolCreateXML(self._ref, xmlDesc, flags).addCallback(
            making(StorageVol, self._conn)
        )

    @deferred
    async def listVolumes(self) -> list[str]:
        """Fire with the names of its volumes."""
        count = await self._remote.storagePoolNumOfVolumes(self._ref)
        return list(await self._remote.storagePoolListVolumes(self._ref, count)) if count else []

    def createXMLFrom(
        self, xmlDesc: str, clonevol: StorageVol, flags: int = 0
    ) -> Deferred[StorageVol]:
        """Create a volume with the content of another.  Fires with it."""
        if clonevol is None:
            return fail(
                virtError(
                    ErrorCode.INVALID_STORAGE_VOL, "virStorageVolCreateXMLFrom", ErrorDomain.STORAGE
                )
            )
        return self._remote.storageVolCreateXMLFrom(
            self._ref, xmlDesc, clonevol._ref, flags
        ).addCallback(making(StorageVol, self._conn))


class StorageVol(Handle):
    """A volume of a storage pool."""

    __slots__ = ()

    _ref: StorageVolRef

    streamBufSize = 262120
    """How many bytes one step of a stream moves."""

    def name(self) -> str:
        """Return the name."""
        return self._ref[1]

    def key(self) -> str:
        """Return the key, which tells the volume from all others, whatever the pool."""
        return self._ref[2]

    def info(self) -> Deferred[list[int]]:
        """Fire with the type (C{VIR_STORAGE_VOL_*}), and bytes as a guest sees it and allocated."""
        return self._remote.storageVolGetInfo(self._ref).addCallback(listOf)

    def infoFlags(self, flags: int = 0) -> Deferred[list[int]]:
        """As L{info}; with C{VIR_STORAGE_VOL_GET_PHYSICAL} the last is the size on the host."""
        return self._remote.storageVolGetInfoFlags(self._ref, flags).addCallback(listOf)

    def path(self) -> Deferred[str]:
        """Fire with its path on the host."""
        return self._remote.storageVolGetPath(self._ref)

    def XMLDesc(self, flags: int = 0) -> Deferred[str]:
        """Fire with its definition."""
        return self._remote.storageVolGetXMLDesc(self._ref, flags)

    def delete(self, flags: int = 0) -> Deferred[int]:
        """Delete it: C{VIR_STORAGE_VOL_DELETE_*}.  Fires with 0."""
        return self._remote.storageVolDelete(self._ref, flags).addCallback(zero)

    def resize(self, capacity: int, flags: int = 0) -> Deferred[int]:
        """Change its size in bytes: C{VIR_STORAGE_VOL_RESIZE_*}.  Fires with 0."""
        return self._remote.storageVolResize(self._ref, capacity, flags).addCallback(zero)

    def wipe(self, flags: int = 0) -> Deferred[int]:
        """Overwrite it with zeros.  Fires with 0."""
        return self._remote.storageVolWipe(self._ref, flags).addCallback(zero)

    def wipePattern(self, algorithm: int, flags: int = 0) -> Deferred[int]:
        """Overwrite it: C{VIR_STORAGE_VOL_WIPE_ALG_*}.  Fires with 0."""
        return self._remote.storageVolWipePattern(self._ref, algorithm, flags).addCallback(zero)

    def storagePoolLookupByVolume(self) -> Deferred[StoragePool]:
        """Fire with the pool it is in."""
        return self._remote.storagePoolLookupByVolume(self._ref).addCallback(
            making(StoragePool, self._conn)
        )

    def download(self, stream: Stream, offset: int, length: int, flags: int = 0) -> Deferred[int]:
        """
        Have a stream bring its content: C{VIR_STORAGE_VOL_DOWNLOAD_*}.  Fires with 0.

        @param length: in bytes; 0: to the end.
        """
        return self._open("storageVolDownload", stream, offset, length, flags)

    def upload(self, stream: Stream, offset: int, length: int, flags: int = 0) -> Deferred[int]:
        """
        Have a stream change its content: C{VIR_STORAGE_VOL_UPLOAD_*}.  Fires with 0.

        @param length: how many bytes may be sent; 0: any number.
        """
        return self._open("storageVolUpload", stream, offset, length, flags)

    def _open(
        self, name: str, stream: Stream | None, offset: int, length: int, flags: int
    ) -> Deferred[int]:
        procedure = REMOTE.byName[name]
        if stream is None:
            return fail(virtError(ErrorCode.INVALID_STREAM, procedure.api, ErrorDomain.STREAMS))
        arguments: tuple[Any, ...] = (self._ref, offset, length, flags)
        return stream._open(self._conn._stubs.calls, procedure, arguments).addCallback(zero)
