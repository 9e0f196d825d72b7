"""
Pools of the host: defined on disk, active while what they lie on is there.

A running pool is written down too, so that a restarted daemon finds it again; a link starts it with the host.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.storage import PoolDefinition, completedPool, formatPool, parsePool
from pyvirt.definitions.uuids import formatUUID
from pyvirt.definitions.validation import validate
from pyvirt.drivers.filestore import DefinitionFolder, firstSinceBoot, wrapped
from pyvirt.drivers.host.storage import capabilities, sources
from pyvirt.drivers.host.storage.backends import Backend
from pyvirt.drivers.host.storage.kinds import backendFor
from pyvirt.drivers.host.storage.pool import Pool, Volume
from pyvirt.drivers.interfaces.events import EventKind
from pyvirt.drivers.interfaces.values import StoragePoolInfo, StoragePoolRef, StorageVolRef
from pyvirt.drivers.poolmatch import LIST_FLAGS, conflicting, passes
from pyvirt.drivers.refusals import checkFlags, exclusiveFlags, failed, internal, invalidArgument
from pyvirt.drivers.refusals import operationInvalid as invalid
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["Pools"]

log = Logger()

_DOMAIN = ErrorDomain.STORAGE
_BUILD = c.VIR_STORAGE_POOL_CREATE_WITH_BUILD
_OVERWRITE = c.VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE
_KEEP = c.VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE


def _missing(detail: str) -> VirtError:
    return virtError(ErrorCode.NO_STORAGE_POOL, detail, _DOMAIN)


def _running(xml: str) -> PoolDefinition:
    """Read what was written of a running pool."""
    return parsePool(wrapped(xml, "poolstate", "pool"), mounted=True)


class Pools:
    """Defines, starts and stops pools."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._names: dict[str, Pool] = {}
        self._folder = DefinitionFolder(host.layout.storage, "pool-edit")
        self._state = DefinitionFolder(host.layout.storageState, "pool-edit")

    # What is on disk

    async def load(self) -> None:
        """Read definitions, find again what is active, start what starts with the host."""
        self._folder.make()
        self._state.make()
        stopped: set[str] = set()
        for _, definition in self._state.load(_running):
            pool = Pool(definition)
            if await self._found(pool):
                self._names[pool.ref.name] = pool
            else:
                self._state.remove(pool.ref.name)
                stopped.add(pool.ref.name)
        self._read()
        for pool in list(self._names.values()):
            if pool.active or (pool.ref.name not in stopped and await self._found(pool)):
                await self._again(pool)
        if firstSinceBoot(self._state.path):
            await self._autostart()

    def _read(self) -> None:
        """Take over what files define; what is wrong there is logged, and what is just being changed stays as it is."""
        for name, definition in self._folder.load(partial(parsePool, mounted=True)):
            path, known = self._folder.file(name), self._names.get(name)
            if definition.name != name:
                log.error("{path} is of another pool", path=path)
                continue
            if known is not None and known.lock.locked:
                continue
            try:
                if definition.uuid is None:
                    # Its file was not written here; what it is known by is made up once.
                    uuid = None if known is None else known.ref.uuid
                    definition = completedPool(
                        replaced(definition, uuid=uuid), random=self._host.random
                    )
                    self._folder.save(name, formatPool(definition))
                pool, _ = self._add(definition, False)
            except VirtError as problem:
                log.error("{path} is left out: {problem}", path=path, problem=problem)
                continue
            if not pool.active:
                pool.definition = definition
            elif pool.definition != definition:
                pool.pending = definition
            pool.persistent = True
            pool.autostart = self._folder.autostarts(name)

    async def reload(self) -> None:
        """Read what others have written, and start what is marked; what they have removed stays."""
        self._read()
        await self._autostart()

    async def _found(self, pool: Pool) -> bool:
        """Whether what a pool that was not active lies on is there: then it is active, as it is for libvirtd."""
        try:
            pool.active = await self._backend(pool).running(pool)
        except VirtError as error:
            log.info("pool {name} is not active: {error}", name=pool.ref.name, error=error)
        if pool.active:
            self._saveState(pool)
        return pool.active

    async def _again(self, pool: Pool) -> None:
        """Look at the volumes of a pool that was active in an earlier life."""
        try:
            await self.refreshed(pool)
        except VirtError as error:
            log.error("pool {name} is not active: {error}", name=pool.ref.name, error=error)
            try:
                await self._backend(pool).stop(pool)
            except VirtError as failure:
                log.warn("{error}", error=failure)
            self._inactive(pool)

    async def _autostart(self) -> None:
        """Start what is marked; nobody is told."""
        for pool in list(self._names.values()):
            if pool.autostart and not pool.active:
                try:
                    async with self.locked(pool):
                        if not pool.active:
                            await self._started(pool)
                except VirtError as error:
                    log.error(
                        "pool {name} does not start: {error}", name=pool.ref.name, error=error
                    )

    # Finding

    def find(self, name: str) -> Pool:
        """
        Find a pool.

        @raise NoSuchStoragePool: there is none.
        """
        pool = self._names.get(name)
        if pool is None:
            raise _missing(f"no storage pool with matching name '{name}'")
        return pool

    def identified(self, ref: StoragePoolRef) -> Pool:
        """As L{find}, for what is known by its UUID."""
        for pool in self._names.values():
            if pool.ref.uuid == ref.uuid:
                return pool
        raise _missing(f"no storage pool with matching uuid '{formatUUID(ref.uuid)}' ({ref.name})")

    @asynccontextmanager
    async def locked(self, pool: Pool) -> AsyncIterator[None]:
        """
        Change a pool as the only one who does.

        @raise NoSuchStoragePool: it is gone meanwhile.
        """
        await pool.lock.acquire()
        try:
            if pool.gone:
                raise _missing(f"no storage pool with matching name '{pool.ref.name}'")
            yield
        finally:
            pool.lock.release()

    def _backend(self, pool: Pool) -> Backend:
        return backendFor(self._host, pool.definition.type)

    def _tell(self, pool: Pool, event: int) -> None:
        lifecycle = c.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE
        self._host.tell(EventKind.STORAGE_POOL, lifecycle, pool.ref, pool.ref.uuid, event, 0)

    def tellRefreshed(self, pool: Pool) -> None:
        """Tell that the volumes of a pool were looked at."""
        refreshed = c.VIR_STORAGE_POOL_EVENT_ID_REFRESH
        self._host.tell(EventKind.STORAGE_POOL, refreshed, pool.ref, pool.ref.uuid)

    # Defining

    def _add(self, definition: PoolDefinition, live: bool) -> tuple[Pool, bool]:
        """
        Add a pool, or give one that is there another definition.

        @param live: it is about to be started, so it must not be active.
        @return: the pool, and whether it is new.
        @raise VirtError: the definition does not fit what is there or names what another pool has.
        """
        assert definition.uuid is not None and definition.name is not None
        for pool in self._names.values():
            if pool.ref.uuid == definition.uuid:
                if pool.ref.name != definition.name:
                    raise failed(
                        f"pool '{pool.ref.name}' is already defined with uuid "
                        f"{formatUUID(definition.uuid)}",
                        _DOMAIN,
                    )
                if live and pool.active:
                    raise invalid(f"pool is already active as '{pool.ref.name}'", _DOMAIN)
                break
        else:
            taken = self._names.get(definition.name)
            if taken is not None:
                raise failed(
                    f"pool '{definition.name}' already exists with uuid "
                    f"{formatUUID(taken.ref.uuid)}",
                    _DOMAIN,
                )
        for pool in self._names.values():
            if pool.ref.uuid != definition.uuid and conflicting(pool.definition, definition):
                raise failed(f"Storage source conflict with pool: '{pool.ref.name}'", _DOMAIN)
        known = self._names.get(definition.name)
        if known is None:
            known = self._names[definition.name] = Pool(definition)
            return known, True
        return known, False

    def _remove(self, pool: Pool) -> None:
        pool.gone = True
        if self._names.get(pool.ref.name) is pool:
            del self._names[pool.ref.name]

    def storagePoolDefineXML(self, xml: str, flags: int) -> StoragePoolRef:
        """Define a pool."""
        checkFlags("storagePoolDefineXML", flags, c.VIR_STORAGE_POOL_DEFINE_VALIDATE, _DOMAIN)
        definition = self._parsed(xml, flags & c.VIR_STORAGE_POOL_DEFINE_VALIDATE)
        pool, new = self._add(definition, False)
        try:
            self._folder.save(pool.ref.name, formatPool(definition))
        except BaseException:
            if new:
                self._remove(pool)
            raise
        pool.persistent = True
        if pool.active:
            pool.pending = definition
        else:
            pool.definition = definition
        self._tell(pool, c.VIR_STORAGE_POOL_EVENT_DEFINED)
        return pool.ref

    def _parsed(self, xml: str, checked: int) -> PoolDefinition:
        if checked:
            validate("pool", xml)
        definition = completedPool(parsePool(xml, mounted=True), random=self._host.random)
        if "\n" in (definition.name or ""):
            raise virtError(
                ErrorCode.XML_ERROR, f"name {definition.name} cannot contain '\n'", _DOMAIN
            )
        if definition.name in (".", ".."):
            raise virtError(ErrorCode.XML_ERROR, f"name {definition.name} is not allowed", _DOMAIN)
        backendFor(self._host, definition.type)
        return definition

    def storagePoolUndefine(self, pool: StoragePoolRef) -> None:
        """Forget an inactive pool."""
        found = self.identified(pool)
        found.checkInactive("still")
        found.checkNoJobs()
        try:
            self._folder.erase(found.ref.name)
        except OSError:
            raise internal(f"cannot remove config for {found.ref.name}", _DOMAIN) from None
        self._remove(found)
        self._tell(found, c.VIR_STORAGE_POOL_EVENT_UNDEFINED)

    def storagePoolSetAutostart(self, pool: StoragePoolRef, autostart: bool) -> None:
        """Say whether a pool that is defined is started with the host."""
        found = self.identified(pool)
        if not found.persistent:
            raise invalidArgument("pool has no config file", _DOMAIN)
        if found.autostart == bool(autostart):
            return
        self._folder.setAutostart(found.ref.name, bool(autostart), _DOMAIN)
        found.autostart = bool(autostart)

    # Starting and stopping

    def _saveState(self, pool: Pool) -> None:
        lines = formatPool(pool.definition).splitlines()
        inner = "".join(f"  {line}\n" for line in lines)
        self._state.save(pool.ref.name, f"<poolstate>\n{inner}</poolstate>\n")

    def _inactive(self, pool: Pool) -> None:
        """A pool is active no more: it is what it was to be, or gone."""
        pool.active = False
        pool.volumes.clear()
        self._state.remove(pool.ref.name)
        if not pool.persistent:
            self._remove(pool)
        elif pool.pending is not None:
            pool.definition, pool.pending = pool.pending, None

    async def _built(self, pool: Pool, function: str, flags: int) -> None:
        if flags & (_BUILD | _OVERWRITE | _KEEP):
            await self._backend(pool).build(pool, _buildFlags(function, flags))

    async def _started(self, pool: Pool) -> None:
        backend = self._backend(pool)
        self._saveState(pool)
        definition = pool.definition
        try:
            await backend.start(pool)
            if pool.definition is not definition:
                self._saveState(pool)
        except BaseException:
            self._state.remove(pool.ref.name)
            raise
        try:
            await self.refreshed(pool)
        except BaseException:
            self._state.remove(pool.ref.name)
            try:
                await backend.stop(pool)
            except VirtError as error:
                log.warn("{error}", error=error)
            raise
        pool.active = True

    async def refreshed(self, pool: Pool) -> None:
        """
        Look what volumes there are.

        @raise VirtError: nobody can.
        """
        found, sizes, permissions, free = await self._backend(pool).listing(pool)
        volumes: dict[str, Volume] = {}
        for type, definition in found:
            name = definition.name
            ref = StorageVolRef(pool.ref.name, name, definition.key or "")
            # Who uses one that was there before goes on using it.
            known = pool.volumes.get(name) or Volume(definition, ref, type)
            known.definition, known.type = definition, type
            volumes[name] = known
        pool.volumes, pool.free = volumes, free
        if sizes is not None:
            pool.sizes = sizes
        if permissions is not None:
            target = replaced(pool.definition.target, permissions=permissions)
            pool.definition = replaced(pool.definition, target=target)

    async def storagePoolCreateXML(self, xml: str, flags: int) -> StoragePoolRef:
        """Start a pool that is gone when it stops."""
        checkFlags(
            "storagePoolCreateXML",
            flags,
            _BUILD | _OVERWRITE | _KEEP,
            _DOMAIN,
        )
        _buildFlags("storagePoolCreateXML", flags)
        definition = self._parsed(xml, 0)
        pool, new = self._add(definition, True)
        try:
            async with self.locked(pool):
                pool.checkInactive()
                pool.definition = definition
                await self._built(pool, "storagePoolCreateXML", flags)
                await self._started(pool)
        except BaseException:
            if new:
                self._remove(pool)
            raise
        self._tell(pool, c.VIR_STORAGE_POOL_EVENT_STARTED)
        return pool.ref

    async def storagePoolCreate(self, pool: StoragePoolRef, flags: int) -> None:
        """Start a pool."""
        checkFlags("storagePoolCreate", flags, _BUILD | _OVERWRITE | _KEEP, _DOMAIN)
        _buildFlags("storagePoolCreate", flags)
        found = self.identified(pool)
        async with self.locked(found):
            found.checkInactive()
            await self._built(found, "storagePoolCreate", flags)
            await self._started(found)
            self._tell(found, c.VIR_STORAGE_POOL_EVENT_STARTED)

    async def storagePoolBuild(self, pool: StoragePoolRef, flags: int) -> None:
        """Prepare what an inactive pool lies on."""
        found = self.identified(pool)
        async with self.locked(found):
            backend = self._backend(found)
            found.checkInactive()
            await backend.build(found, flags)
            self._tell(found, c.VIR_STORAGE_POOL_EVENT_CREATED)

    async def storagePoolDelete(self, pool: StoragePoolRef, flags: int) -> None:
        """Remove what an inactive pool lies on."""
        found = self.identified(pool)
        async with self.locked(found):
            backend = self._backend(found)
            found.checkInactive("still")
            found.checkNoJobs()
            await backend.delete(found, flags)
            self._tell(found, c.VIR_STORAGE_POOL_EVENT_DELETED)

    async def storagePoolDestroy(self, pool: StoragePoolRef) -> None:
        """Stop a pool."""
        found = self.identified(pool)
        async with self.locked(found):
            found.checkActive()
            found.checkNoJobs()
            await self._backend(found).stop(found)
            self._inactive(found)
            self._tell(found, c.VIR_STORAGE_POOL_EVENT_STOPPED)

    async def storagePoolRefresh(self, pool: StoragePoolRef, flags: int) -> None:
        """Look for volumes again; a pool that cannot be looked at is active no more."""
        checkFlags("storagePoolRefresh", flags, 0, _DOMAIN)
        found = self.identified(pool)
        async with self.locked(found):
            found.checkActive()
            found.checkNoJobs()
            try:
                await self.refreshed(found)
            except VirtError:
                try:
                    await self._backend(found).stop(found)
                except VirtError as error:
                    log.warn("{error}", error=error)
                self._inactive(found)
                self._tell(found, c.VIR_STORAGE_POOL_EVENT_STOPPED)
                raise
            self.tellRefreshed(found)

    # Telling

    def connectListAllStoragePools(self, flags: int) -> list[StoragePoolRef]:
        """List the pools that pass the filters."""
        checkFlags("storageConnectListAllStoragePools", flags, LIST_FLAGS, _DOMAIN)
        return [pool.ref for pool in self._names.values() if passes(pool, flags)]

    async def connectFindStoragePoolSources(
        self, type: str, srcSpec: str | None, flags: int
    ) -> str:
        """Look for what pools could be made of."""
        return await sources.discovered(self._host, type, srcSpec, flags)

    def connectGetStoragePoolCapabilities(self, flags: int) -> str:
        """Describe what kinds of pools there can be."""
        checkFlags("storageConnectGetStoragePoolCapabilities", flags, 0, _DOMAIN)
        return capabilities.document()

    def storagePoolLookupByName(self, name: str) -> StoragePoolRef:
        """Find a pool."""
        return self.find(name).ref

    def storagePoolLookupByUUID(self, uuid: bytes) -> StoragePoolRef:
        """Find a pool."""
        for pool in self._names.values():
            if pool.ref.uuid == uuid:
                return pool.ref
        raise _missing(f"no storage pool with matching uuid '{formatUUID(uuid)}'")

    def storagePoolLookupByVolume(self, vol: StorageVolRef) -> StoragePoolRef:
        """Find the pool that a volume says it is in."""
        return self.find(vol.pool).ref

    def storagePoolLookupByTargetPath(self, path: str) -> StoragePoolRef:
        """Find an active pool by where its volumes are."""
        clean = os.path.normpath(path)
        for pool in self._names.values():
            if pool.active and pool.path == clean:
                return pool.ref
        raise _missing(f"no storage pool with matching target path '{path}'")

    def storagePoolGetInfo(self, pool: StoragePoolRef) -> StoragePoolInfo:
        """Tell the state and the sizes."""
        found = self.identified(pool)
        return StoragePoolInfo(
            c.VIR_STORAGE_POOL_RUNNING if found.active else c.VIR_STORAGE_POOL_INACTIVE,
            *(max(each, 0) for each in found.sizes),
        )

    def storagePoolGetXMLDesc(self, pool: StoragePoolRef, flags: int) -> str:
        """Write a pool's definition with its sizes."""
        checkFlags("storagePoolGetXMLDesc", flags, c.VIR_STORAGE_XML_INACTIVE, _DOMAIN)
        found = self.identified(pool)
        definition, sizes, free = found.definition, found.sizes, found.free
        if flags & c.VIR_STORAGE_XML_INACTIVE and found.pending is not None:
            definition, sizes, free = found.pending, [0, 0, 0], ()
        capacity, allocation, available = (max(each, 0) for each in sizes)
        return formatPool(
            definition, capacity=capacity, allocation=allocation, available=available, free=free
        )

    def storagePoolGetAutostart(self, pool: StoragePoolRef) -> bool:
        """Whether the pool is started with the host."""
        return self.identified(pool).autostart

    def storagePoolIsActive(self, pool: StoragePoolRef) -> bool:
        """Whether it is started."""
        return self.identified(pool).active

    def storagePoolIsPersistent(self, pool: StoragePoolRef) -> bool:
        """Whether it stays when it stops."""
        return self.identified(pool).persistent


def _buildFlags(function: str, flags: int) -> int:
    """
    Turn flags of starting into those of building.

    @raise VirtError: they exclude each other.
    """
    exclusiveFlags(
        function,
        flags,
        ("VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE", _OVERWRITE),
        ("VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE", _KEEP),
        _DOMAIN,
    )
    building = 0
    if flags & _OVERWRITE:
        building |= c.VIR_STORAGE_POOL_BUILD_OVERWRITE
    if flags & _KEEP:
        building |= c.VIR_STORAGE_POOL_BUILD_NO_OVERWRITE
    return building
