"""
What depends on the type of a pool, how it is built, started, stopped and deleted: for pools of files.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from pyvirt import constants as c
from pyvirt.definitions.storage import (
    VOLUME_FORMATS,
    Permissions,
    PoolDefinition,
    VolumeDefinition,
)
from pyvirt.drivers.host.running import found, run
from pyvirt.drivers.host.storage.pool import Pool, Volume
from pyvirt.drivers.host.storage.volumefiles import Found, listed
from pyvirt.drivers.refusals import (
    checkFlags,
    exclusiveFlags,
    failed,
    internal,
    invalidArgument,
    operationInvalid,
)
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.folders import makeFolders
from pyvirt.process import systemError

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["Backend", "Listing", "Mounted", "unsupported"]

_DOMAIN = ErrorDomain.STORAGE
_OVERWRITE = ("VIR_STORAGE_POOL_BUILD_OVERWRITE", c.VIR_STORAGE_POOL_BUILD_OVERWRITE)
_KEEP = ("VIR_STORAGE_POOL_BUILD_NO_OVERWRITE", c.VIR_STORAGE_POOL_BUILD_NO_OVERWRITE)
_MODE = 0o711


def unsupported(detail: str) -> VirtError:
    """Make the error of what pools of a type cannot do."""
    return virtError(ErrorCode.NO_SUPPORT, detail, _DOMAIN)


def _makeFolder(pool: Pool) -> None:
    """In a thread: make the folder of a pool, with the rights that its definition gives it."""
    path = pool.path
    if not path.startswith("/"):
        raise invalidArgument(f"path '{path}' is not absolute", _DOMAIN)
    parent = os.path.dirname(path)
    try:
        makeFolders(parent)
    except OSError as problem:
        raise systemError(problem, f"cannot create path '{parent}'", _DOMAIN) from None
    target = pool.definition.target
    wanted = None if target is None else target.permissions
    mode = None if wanted is None else wanted.mode
    there = os.path.isdir(path)
    if mode is None and not there:
        mode = _MODE
    if not there:
        try:
            os.mkdir(path, _MODE if mode is None else mode)
        except OSError as problem:
            raise systemError(problem, f"failed to create directory '{path}'", _DOMAIN) from None
    owner = -1 if wanted is None or wanted.owner is None else wanted.owner
    group = -1 if wanted is None or wanted.group is None else wanted.group
    if owner != -1 or group != -1:
        try:
            os.chown(path, owner, group)
        except OSError as problem:
            detail = f"cannot chown '{path}' to ({owner & 0xFFFFFFFF}, {group & 0xFFFFFFFF})"
            raise systemError(problem, detail, _DOMAIN) from None
    if mode is not None:
        try:
            os.chmod(path, mode)
        except OSError as problem:
            detail = f"cannot set mode of '{path}' to 0{mode:o}"
            raise systemError(problem, detail, _DOMAIN) from None


class Listing(NamedTuple):
    """
    What a pool holds.

    @ivar sizes: capacity, allocation, what is free; None: as before.
    @ivar permissions: of the folder that it is; None: as they were defined.
    @ivar free: starts and ends of what is free of the device that it lies on.
    """

    volumes: list[Found]
    sizes: list[int] | None
    permissions: Permissions | None
    free: tuple[tuple[int, int], ...] = ()


class Backend:
    """
    A folder of files: pools of type C{dir}.

    @cvar files: volumes are files in a folder, made, measured and removed as such; otherwise the backend does it.
    @cvar formats: what volumes can be formatted as; empty: they have no formats.
    @cvar measures: the backend keeps the sizes of the pool as volumes come, and is asked for them as others go.
    """

    files = True
    formats: str = VOLUME_FORMATS
    measures = False

    def __init__(self, host: Host) -> None:
        self._host = host

    async def build(self, pool: Pool, flags: int) -> None:
        """
        Prepare what a pool lies on.

        @param flags: C{VIR_STORAGE_POOL_BUILD_*}.
        """
        checkFlags("virStorageBackendFileSystemBuild", flags, _OVERWRITE[1] | _KEEP[1], _DOMAIN)
        exclusiveFlags("virStorageBackendFileSystemBuild", flags, _OVERWRITE, _KEEP, _DOMAIN)
        await self._host.thread(_makeFolder, pool)
        if flags:
            await self._format(pool, bool(flags & _OVERWRITE[1]))

    async def _format(self, pool: Pool, overwrite: bool) -> None:
        devices = pool.definition.source.devices
        if not devices or not devices[0].path:
            raise operationInvalid(
                f"No source device specified when formatting pool '{pool.ref.name}'", _DOMAIN
            )
        device = devices[0].path
        if not os.path.exists(device):
            raise operationInvalid(
                f"Source device does not exist when formatting pool '{pool.ref.name}'", _DOMAIN
            )
        format = pool.definition.source.format or "auto"
        if not overwrite:
            blkid = found("/sbin/blkid", "/usr/sbin/blkid")
            words = (blkid, "-p", "-o", "value", "-s", "TYPE", device)
            looked = await run(self._host, *words, failing=False)
            if looked.status not in (0, 2):
                detail = f"Failed to probe for format type '{format}'"
                raise virtError(ErrorCode.STORAGE_PROBE_FAILED, detail, _DOMAIN)
            present = looked.output.decode(errors="replace").strip()
            if present:
                if present == format:
                    how = f"Device '{device}' is already formatted using '{format}'"
                else:
                    how = (
                        f"Format of device '{device}' does not match the expected format "
                        f"'{format}', forced overwrite is necessary"
                    )
                raise virtError(ErrorCode.OPERATION_INVALID, how, _DOMAIN)
        mkfs = found("/sbin/mkfs", "/usr/sbin/mkfs")
        force = ("-f",) if format == "xfs" else ("-F",) if format.startswith("ext") else ()
        try:
            await run(self._host, mkfs, "-t", format, *force, device)
        except Exception as problem:
            detail = f"Failed to make filesystem of type '{format}' on device '{device}'"
            raise failed(detail, _DOMAIN) from problem

    async def start(self, pool: Pool) -> None:
        """Make what a pool lies on available."""

    async def stop(self, pool: Pool) -> None:
        """Take back what L{start} did."""

    async def running(self, pool: Pool) -> bool:
        """Whether a pool that was active in an earlier life still is."""
        return os.path.isdir(pool.path)

    async def listing(self, pool: Pool) -> Listing:
        """Look what volumes there are."""
        return Listing(*await self._host.thread(listed, pool.path))

    async def createVolume(self, pool: Pool, definition: VolumeDefinition) -> VolumeDefinition:
        """
        Make a volume of a pool that is no folder.

        @return: what it is.
        """
        raise unsupported("storage pool does not support volume creation")

    async def createVolumeFrom(
        self, pool: Pool, definition: VolumeDefinition, source: Volume, flags: int
    ) -> VolumeDefinition:
        """As L{createVolume}, with what is in another."""
        raise unsupported("storage pool does not support volume creation from an existing volume")

    async def deleteVolume(self, pool: Pool, volume: Volume, flags: int) -> None:
        """Remove a volume of a pool that is no folder."""
        raise unsupported("storage pool does not support vol deletion")

    def checkWipe(self, volume: Volume) -> None:
        """Refuse to overwrite what cannot be."""

    async def delete(self, pool: Pool, flags: int) -> None:
        """Remove what a pool lies on."""
        checkFlags("virStorageBackendDeleteLocal", flags, 0, _DOMAIN)

        def remove() -> None:
            try:
                os.rmdir(pool.path)
            except OSError as problem:
                raise systemError(
                    problem, f"failed to remove pool '{pool.path}'", _DOMAIN
                ) from None

        await self._host.thread(remove)


class Mounted(Backend):
    """A file system that is mounted: pools of type C{fs} and C{netfs}."""

    def _source(self, definition: PoolDefinition) -> str:
        source = definition.source
        if definition.type == "fs":
            if len(source.devices) != 1 or not source.devices[0].path:
                raise internal("missing source device", _DOMAIN)
            return source.devices[0].path
        if len(source.hosts) != 1:
            raise internal("Expected exactly 1 host for the storage pool", _DOMAIN)
        if not source.hosts[0].name:
            raise internal("missing source host", _DOMAIN)
        if not source.dir:
            raise internal("missing source path", _DOMAIN)
        if source.format == "cifs":
            return f"//{source.hosts[0].name}/{source.dir}"
        return f"{source.hosts[0].name}:{source.dir}"

    async def running(self, pool: Pool) -> bool:
        """Whether it is mounted."""
        return self._mounted(pool)

    def _mounted(self, pool: Pool) -> bool:
        source = self._source(pool.definition)
        try:
            with open("/proc/mounts", encoding="utf-8", errors="surrogateescape") as file:
                for line in file:
                    words = [_unescaped(word) for word in line.split(" ")[:2]]
                    if words == [source, pool.path]:
                        return True
        except OSError:
            pass
        return False

    async def start(self, pool: Pool) -> None:
        """Mount it, if it is not."""
        if pool.definition.target is None or not pool.path:
            raise internal("missing target path", _DOMAIN)
        source = self._source(pool.definition)
        if self._mounted(pool):
            return
        definition = pool.definition
        format = definition.source.format
        options = ["nodev", "nosuid", "noexec"]
        if format == "cifs":
            options.append("guest")
        elif format == "glusterfs":
            options.append("direct-io-mode=1")
        if definition.source.protocol is not None and definition.type == "netfs":
            options.append(f"nfsvers={definition.source.protocol}")
        kind: tuple[str, ...] = ()
        if definition.type == "fs" or (format not in (None, "auto") and definition.type == "netfs"):
            kind = ("-t", format or "auto")
        options += definition.mountOptions
        words = ("-o", ",".join(options), *kind)
        await run(self._host, found("/bin/mount"), *words, source, pool.path)

    async def stop(self, pool: Pool) -> None:
        """Unmount it, if it is mounted."""
        if self._mounted(pool):
            await run(self._host, found("/bin/umount"), pool.path)


def _unescaped(word: str) -> str:
    for code, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        word = word.replace(code, letter)
    return word
