"""
Storage pools of the test driver: sizes without storage.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.definitions.storage import (
    PoolDefinition,
    VolumeDefinition,
    completedPool,
    formatPool,
    parsePool,
)
from pyvirt.definitions.uuids import formatUUID
from pyvirt.definitions.validation import validate
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.drivers.interfaces.values import StoragePoolInfo, StoragePoolRef, StorageVolRef
from pyvirt.drivers.poolmatch import LIST_FLAGS, conflicting, passes
from pyvirt.drivers.test.poolsources import discovered
from pyvirt.drivers.test.refusals import checkFlags, invalidArgument, operationInvalid
from pyvirt.drivers.test.volumedata import VolumeData
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["CAPACITY", "Pool", "Pools", "Volume"]

#: What every pool holds, in bytes.
CAPACITY = 100 * 1024**3


class Volume:
    """A volume: its definition, sizes included, what it is known by, and what was written to it if anything was."""

    __slots__ = ("data", "definition", "ref")

    def __init__(self, definition: VolumeDefinition, ref: StorageVolRef) -> None:
        self.definition = definition
        self.ref = ref
        self.data: VolumeData | None = None

    @property
    def written(self) -> VolumeData:
        """What was written to it."""
        if self.data is None:
            self.data = VolumeData()
        return self.data


class Pool:
    """
    A pool.

    @ivar definition: what it is; redefining an active one changes only C{pending}.
    @ivar allocation: bytes that its volumes take.
    @ivar volumes: by name.
    """

    __slots__ = (
        "active",
        "allocation",
        "autostart",
        "definition",
        "pending",
        "persistent",
        "ref",
        "volumes",
    )

    def __init__(self, definition: PoolDefinition) -> None:
        assert definition.uuid is not None and definition.name is not None
        self.definition = definition
        self.pending: PoolDefinition | None = None
        self.active = False
        self.persistent = False
        self.autostart = False
        self.allocation = 0
        self.volumes: dict[str, Volume] = {}
        self.ref = StoragePoolRef(definition.name, definition.uuid)

    @property
    def available(self) -> int:
        """Bytes that are left; what a file says of volumes may be more than there is, and counts around."""
        return CAPACITY - self.allocation & 0xFFFFFFFFFFFFFFFF

    @property
    def path(self) -> str:
        """Where its volumes are, in words."""
        target = self.definition.target
        return "(null)" if target is None or target.path is None else target.path

    def checkActive(self) -> None:
        """
        Refuse what only an active pool takes.

        @raise VirtError: it is not active.
        """
        if not self.active:
            raise operationInvalid(f"storage pool '{self.ref.name}' is not active")

    def checkInactive(self) -> None:
        """
        Refuse what only an inactive pool takes.

        @raise VirtError: it is active.
        """
        if self.active:
            raise operationInvalid(f"storage pool '{self.ref.name}' is active")


def _missing(detail: str) -> VirtError:
    return virtError(ErrorCode.NO_STORAGE_POOL, detail, ErrorDomain.TEST)


class Pools:
    """Defines, starts and stops pools."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._names = world.pools

    def find(self, name: str) -> Pool:
        """
        Find a pool.

        @raise NoSuchStoragePool: there is none.
        """
        pool = self._names.get(name)
        if pool is None:
            raise _missing(f"no storage pool with matching name '{name}'")
        return pool

    def _find(self, ref: StoragePoolRef) -> Pool:
        return self.find(ref.name)

    def identified(self, uuid: bytes) -> Pool:
        """As L{find}."""
        for pool in self._names.values():
            if pool.ref.uuid == uuid:
                return pool
        raise _missing(f"no storage pool with matching uuid '{formatUUID(uuid)}'")

    def _tell(self, pool: Pool, event: int) -> None:
        self._emit(pool, c.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, (event, 0))

    def _emit(self, pool: Pool, eventID: int, details: tuple[int, ...]) -> None:
        self._world.hub.emit(
            Event(EventKind.STORAGE_POOL, eventID, pool.ref, details), pool.ref.uuid
        )

    def add(self, xml: str, *, live: bool = False) -> Pool:
        """
        Add a pool, or give one that is there another definition.

        @param live: it is about to be started, so it must not be active.
        @raise VirtError: the definition is wrong, does not fit what is there or names what another pool has.
        """
        return self.place(completedPool(parsePool(xml), random=self._world.random), live=live)

    def place(self, definition: PoolDefinition, *, live: bool = False) -> Pool:
        """As L{add}, with a definition that has been read and completed."""
        assert definition.uuid is not None and definition.name is not None
        for pool in self._names.values():
            if pool.ref.uuid != definition.uuid and conflicting(pool.definition, definition):
                if pool.ref.name == definition.name:
                    break
                raise virtError(
                    ErrorCode.OPERATION_FAILED,
                    f"Storage source conflict with pool: '{pool.ref.name}'",
                    ErrorDomain.STORAGE,
                )
        for pool in self._names.values():
            if pool.ref.uuid == definition.uuid:
                if pool.ref.name != definition.name:
                    raise virtError(
                        ErrorCode.OPERATION_FAILED,
                        f"pool '{pool.ref.name}' is already defined with uuid "
                        f"{formatUUID(definition.uuid)}",
                        ErrorDomain.STORAGE,
                    )
                if pool.active:
                    if live:
                        raise operationInvalid(
                            f"pool is already active as '{pool.ref.name}'", ErrorDomain.STORAGE
                        )
                    pool.pending = definition
                else:
                    pool.definition = definition
                return pool
        taken = self._names.get(definition.name)
        if taken is not None:
            raise virtError(
                ErrorCode.OPERATION_FAILED,
                f"pool '{definition.name}' already exists with uuid {formatUUID(taken.ref.uuid)}",
                ErrorDomain.STORAGE,
            )
        pool = self._names[definition.name] = Pool(definition)
        return pool

    def connectListAllStoragePools(self, flags: int) -> list[StoragePoolRef]:
        """List the pools that pass the filters."""
        checkFlags("testConnectListAllStoragePools", flags, LIST_FLAGS)
        return [pool.ref for pool in self._names.values() if passes(pool, flags)]

    def connectFindStoragePoolSources(self, type: str, srcSpec: str | None, flags: int) -> str:
        """Tell what pools could be made of: always the same."""
        checkFlags("testConnectFindStoragePoolSources", flags)
        return discovered(type, srcSpec)

    def storagePoolLookupByName(self, name: str) -> StoragePoolRef:
        """Find a pool."""
        return self.find(name).ref

    def storagePoolLookupByUUID(self, uuid: bytes) -> StoragePoolRef:
        """Find a pool."""
        return self.identified(uuid).ref

    def storagePoolLookupByVolume(self, vol: StorageVolRef) -> StoragePoolRef:
        """Find the pool that a volume says it is in."""
        return self.find(vol.pool).ref

    def storagePoolDefineXML(self, xml: str, flags: int) -> StoragePoolRef:
        """Define a pool."""
        checkFlags("testStoragePoolDefineXML", flags, c.VIR_STORAGE_POOL_DEFINE_VALIDATE)
        if flags & c.VIR_STORAGE_POOL_DEFINE_VALIDATE:
            validate("pool", xml)
        pool = self.add(xml)
        pool.persistent = True
        self._tell(pool, c.VIR_STORAGE_POOL_EVENT_DEFINED)
        return pool.ref

    def storagePoolCreateXML(self, xml: str, flags: int) -> StoragePoolRef:
        """Start a pool that is gone when it stops, even if it was defined before."""
        checkFlags("testStoragePoolCreateXML", flags)
        pool = self.add(xml, live=True)
        pool.active = True
        pool.persistent = False
        self._tell(pool, c.VIR_STORAGE_POOL_EVENT_STARTED)
        return pool.ref

    def storagePoolCreate(self, pool: StoragePoolRef, flags: int) -> None:
        """Start a pool."""
        checkFlags("testStoragePoolCreate", flags)
        found = self._find(pool)
        found.checkInactive()
        found.active = True
        self._tell(found, c.VIR_STORAGE_POOL_EVENT_STARTED)

    def storagePoolBuild(self, pool: StoragePoolRef, flags: int) -> None:
        """Build an inactive pool of nothing."""
        checkFlags("testStoragePoolBuild", flags)
        found = self._find(pool)
        found.checkInactive()
        self._tell(found, c.VIR_STORAGE_POOL_EVENT_CREATED)

    def storagePoolDelete(self, pool: StoragePoolRef, flags: int) -> None:
        """Delete what an inactive pool was made of."""
        checkFlags("testStoragePoolDelete", flags)
        found = self._find(pool)
        found.checkInactive()
        self._tell(found, c.VIR_STORAGE_POOL_EVENT_DELETED)

    def storagePoolDestroy(self, pool: StoragePoolRef) -> None:
        """Stop a pool."""
        found = self._find(pool)
        found.checkActive()
        found.active = False
        self._tell(found, c.VIR_STORAGE_POOL_EVENT_STOPPED)
        if not found.persistent:
            del self._names[found.ref.name]
        elif found.pending is not None:
            found.definition, found.pending = found.pending, None

    def storagePoolUndefine(self, pool: StoragePoolRef) -> None:
        """Forget an inactive pool."""
        found = self._find(pool)
        found.checkInactive()
        self._tell(found, c.VIR_STORAGE_POOL_EVENT_UNDEFINED)
        del self._names[found.ref.name]

    def storagePoolRefresh(self, pool: StoragePoolRef, flags: int) -> None:
        """Look for volumes again, and find the same."""
        checkFlags("testStoragePoolRefresh", flags)
        found = self._find(pool)
        found.checkActive()
        self._emit(found, c.VIR_STORAGE_POOL_EVENT_ID_REFRESH, ())

    def storagePoolGetInfo(self, pool: StoragePoolRef) -> StoragePoolInfo:
        """Tell the state and the sizes."""
        found = self._find(pool)
        return StoragePoolInfo(
            c.VIR_STORAGE_POOL_RUNNING if found.active else c.VIR_STORAGE_POOL_INACTIVE,
            CAPACITY,
            found.allocation,
            found.available,
        )

    def storagePoolGetXMLDesc(self, pool: StoragePoolRef, flags: int) -> str:
        """Write a pool's definition with its sizes."""
        checkFlags("testStoragePoolGetXMLDesc", flags)
        found = self._find(pool)
        return formatPool(
            found.definition,
            capacity=CAPACITY,
            allocation=found.allocation,
            available=found.available,
        )

    def storagePoolGetAutostart(self, pool: StoragePoolRef) -> bool:
        """Whether the pool is started with the host."""
        return self._find(pool).autostart

    def storagePoolSetAutostart(self, pool: StoragePoolRef, autostart: bool) -> None:
        """Say whether a pool that is defined is started with the host."""
        found = self._find(pool)
        if not found.persistent:
            raise invalidArgument("pool has no config file")
        found.autostart = bool(autostart)

    def storagePoolIsActive(self, pool: StoragePoolRef) -> bool:
        """Whether it is started."""
        return self.identified(pool.uuid).active

    def storagePoolIsPersistent(self, pool: StoragePoolRef) -> bool:
        """Whether it stays when it stops."""
        return self.identified(pool.uuid).persistent
