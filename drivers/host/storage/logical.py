"""
Volume groups of LVM: pools of type C{logical}.

All is done by LVM's own programs, with the command lines that libvirtd runs.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.storage import VolumeBacking, VolumeDefinition
from pyvirt.drivers.host.running import found, run
from pyvirt.drivers.host.storage import making
from pyvirt.drivers.host.storage.backends import Backend, Listing, unsupported
from pyvirt.drivers.host.storage.devices import blank, checkEmpty, deviceVolume, settled
from pyvirt.drivers.host.storage.pool import Pool, Volume
from pyvirt.drivers.host.storage.volumefiles import Found, permissionsOf, timesOf
from pyvirt.drivers.refusals import checkFlags, exclusiveFlags, internal
from pyvirt.drivers.refusals import operationInvalid as invalid
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import Finished, systemError

__all__ = ["Logical"]

log = Logger()

_DOMAIN = ErrorDomain.STORAGE
_OVERWRITE = ("VIR_STORAGE_POOL_BUILD_OVERWRITE", c.VIR_STORAGE_POOL_BUILD_OVERWRITE)
_KEEP = ("VIR_STORAGE_POOL_BUILD_NO_OVERWRITE", c.VIR_STORAGE_POOL_BUILD_NO_OVERWRITE)

#: How much of a device is emptied at both its ends before LVM takes it.
_BLANK = 4096

_COLUMNS = "lv_name,origin,uuid,devices,segtype,stripes,seg_size,vg_extent_size,size,lv_attr"
_UNITS = ("--noheadings", "--units", "b", "--unbuffered", "--nosuffix", "--options")

_EXTENT = r"(\S+)\(([0-9]+)\)"


class _Segment(NamedTuple):
    """
    A line of C{lvs}.

    @ivar extents: devices, each with start and end in bytes.
    @ivar sparse: it is a snapshot, which takes room as it is written to.
    """

    name: str
    origin: str
    uuid: str
    size: int
    extents: tuple[tuple[str, int, int], ...]
    sparse: bool


def _unsupported(detail: str) -> VirtError:
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, _DOMAIN)


def _segment(line: str) -> _Segment | None:
    """
    Read a line of C{lvs}.

    @return: None if it is none, or of what is no volume: inactive, or room for others.
    """
    fields = line.strip().split("#")
    if len(fields) == 11 and not fields[10]:
        fields.pop()
    if len(fields) != 10 or any(not each or " " in each for each in fields[:1] + fields[2:]):
        return None
    name, origin, uuid, devices, kind, stripes, length, unit, size, attributes = fields
    if not (stripes.isdigit() and unit.isdigit() and size.isdigit()):
        return None
    if attributes[4:5] != "a" or attributes[0] == "t":
        return None
    if not length.isdigit():
        raise internal("malformed volume extent length value", _DOMAIN)
    spread = kind == "striped" or kind.startswith(("mirror", "raid"))
    count = int(stripes) if spread else 1
    matched = None
    if 0 < count <= devices.count(",") + 1:
        matched = re.search(",".join([_EXTENT] * count), devices, re.ASCII)
    if matched is None:
        raise internal("malformed volume extent devices value", _DOMAIN)
    extents = []
    for device, offset in zip(matched.groups()[::2], matched.groups()[1::2], strict=True):
        start = int(offset) * int(unit)
        extents.append((device, start, start + int(length)))
    return _Segment(name, origin, uuid, int(size), tuple(extents), attributes[0] == "s")


def _backing(path: str) -> VolumeBacking:
    try:
        status = os.stat(path)
    except OSError:
        return VolumeBacking(path=path, format=None)
    return VolumeBacking(
        path=path, format=None, permissions=permissionsOf(status), timestamps=timesOf(status)
    )


def _volumes(folder: str, lines: list[str], only: str | None) -> list[Found]:
    """In a thread: describe the volumes of C{lvs}'s lines."""
    made: dict[str, VolumeDefinition] = {}
    for line in lines:
        segment = _segment(line)
        if segment is None or (only is not None and segment.name != only):
            continue
        name, before = segment.name, made.get(segment.name)
        backing = None
        if segment.origin and not segment.origin.startswith("["):
            backing = _backing(f"{folder}/{segment.origin}")
        made[name] = replaced(
            deviceVolume(f"{folder}/{name}", name),
            key=segment.uuid,
            allocation=segment.size,
            extents=(() if before is None else before.extents) + segment.extents,
            sparse=segment.sparse,
            backingStore=backing,
        )
    return [("block", definition) for definition in made.values()]


def _rights(definition: VolumeDefinition) -> None:
    """In a thread: give a new volume to whom its definition says."""
    path, wanted = definition.target.path or "", definition.target.permissions
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as problem:
        raise systemError(problem, f"cannot open volume '{path}'", _DOMAIN) from None
    try:
        owner = -1 if wanted is None or wanted.owner is None else wanted.owner
        group = -1 if wanted is None or wanted.group is None else wanted.group
        detail = f"cannot set file owner '{path}'"
        if owner != -1 or group != -1:
            os.fchown(fd, owner, group)
        detail = f"cannot set file mode '{path}'"
        os.fchmod(fd, 0o600 if wanted is None or wanted.mode is None else wanted.mode)
    except OSError as problem:
        raise systemError(problem, detail, _DOMAIN) from None
    finally:
        os.close(fd)


class Logical(Backend):
    """Volume groups."""

    files = False
    formats = ""

    async def _lvm(self, name: str, *words: str, failing: bool = True) -> Finished:
        return await run(self._host, found(f"/sbin/{name}"), *words, failing=failing)

    def _group(self, pool: Pool) -> str:
        name = pool.definition.source.name or ""
        if not name or name.startswith("-"):
            raise _unsupported(f"cannot find logical volume group name '{name}'")
        return name

    async def groups(self) -> dict[str, list[str]]:
        """Return the devices of all groups that there are."""
        if (await self._lvm("vgscan", failing=False)).status:
            log.warn("vgscan failed")
        said = await self._lvm("pvs", "--noheadings", "-o", "pv_name,vg_name")
        groups: dict[str, list[str]] = {}
        for line in said.output.decode(errors="replace").splitlines():
            words = line.split()
            if len(words) == 2:
                groups.setdefault(words[1], []).append(words[0])
        return groups

    async def _match(self, pool: Pool) -> None:
        """Refuse a group that is not there, or lies on none of the devices that it is to lie on."""
        name = self._group(pool)
        devices = (await self.groups()).get(name)
        if devices is None:
            raise _unsupported(f"cannot find logical volume group name '{name}'")
        wanted = [device.path for device in pool.definition.source.devices]
        if not wanted:
            return
        if not any(device in wanted for device in devices):
            raise _unsupported(
                f"cannot find any matching source devices for logical volume group '{name}'"
            )
        if sorted(map(str, wanted)) != sorted(devices):
            log.warn("pool {name} lies on other devices than it says", name=pool.ref.name)

    async def build(self, pool: Pool, flags: int) -> None:
        """Make the group, of devices on which nothing lies or shall remain."""
        function = "virStorageBackendLogicalBuildPool"
        checkFlags(function, flags, _OVERWRITE[1] | _KEEP[1], _DOMAIN)
        exclusiveFlags(function, flags, _OVERWRITE, _KEEP, _DOMAIN)
        name = self._group(pool)
        devices = [device.path or "" for device in pool.definition.source.devices]
        taken: list[str] = []
        try:
            for device in devices:
                if not flags & _OVERWRITE[1]:
                    await checkEmpty(self._host, device, "LVM2_member")
                await self._host.thread(blank, device, _BLANK)
                await self._lvm("pvcreate", device)
                taken.append(device)
            await self._lvm("vgcreate", name, *devices)
        except BaseException:
            await self._released(taken)
            raise

    async def _released(self, devices: list[str]) -> None:
        for device in devices:
            if device.startswith("/"):
                ended = await self._lvm("pvremove", device, failing=False)
                if ended.status:
                    log.warn("Failed to pvremove logical device '{device}'", device=device)

    async def running(self, pool: Pool) -> bool:
        """Whether its volumes can be seen."""
        if not os.path.exists(pool.path):
            return False
        await self._match(pool)
        return True

    async def start(self, pool: Pool) -> None:
        """Let its volumes be seen."""
        await self._match(pool)
        await self._lvm("vgchange", "-aly", self._group(pool))

    async def stop(self, pool: Pool) -> None:
        """Let its volumes be seen no more."""
        await self._lvm("vgchange", "-aln", self._group(pool))

    async def delete(self, pool: Pool, flags: int) -> None:
        """Remove the group, and give its devices back."""
        checkFlags("virStorageBackendLogicalDeletePool", flags, 0, _DOMAIN)
        await self._lvm("vgremove", "-f", self._group(pool))
        await self._released([device.path or "" for device in pool.definition.source.devices])

    # Volumes

    async def _look(self, pool: Pool, only: str | None = None) -> list[Found]:
        name = self._group(pool)
        said = await self._lvm("lvs", "--separator", "#", *_UNITS, _COLUMNS, name)
        lines = said.output.decode(errors="replace").splitlines()
        found: list[Found] = await self._host.thread(_volumes, pool.path, lines, only)
        return found

    async def listing(self, pool: Pool) -> Listing:
        """Look what volumes there are."""
        await settled(self._host)
        volumes = await self._look(pool)
        said = await self._lvm(
            "vgs", "--separator", ":", *_UNITS, "vg_size,vg_free", pool.definition.source.name or ""
        )
        sizes = None
        for line in said.output.decode(errors="replace").splitlines():
            matched = re.fullmatch(r"\s*([0-9]+):([0-9]+):?\s*", line)
            if matched is not None:
                capacity, free = (min(int(each), (1 << 64) - 1) for each in matched.groups())
                sizes = [capacity, max(capacity - free, 0), free]
        return Listing(volumes, sizes, None)

    def _checked(self, pool: Pool, definition: VolumeDefinition) -> VolumeDefinition:
        encryption = definition.target.encryption
        if encryption is not None and encryption.format != "luks":
            raise _unsupported("storage pool only supports LUKS encrypted volumes")
        name = definition.name
        if "/" in name or name in (".", "..") or name.startswith("-"):
            raise invalid(f"volume name '{name}' cannot be that of a logical volume", _DOMAIN)
        backing = definition.backingStore
        if backing is not None:
            if not (backing.path or "").startswith("/"):
                raise invalid(f"path '{backing.path}' of the origin is not absolute", _DOMAIN)
            definition = replaced(definition, backingStore=replaced(backing, format=None))
        target = replaced(definition.target, path=f"{pool.path}/{name}")
        return replaced(definition, target=target)

    async def _make(self, pool: Pool, definition: VolumeDefinition) -> None:
        capacity, allocation = definition.capacity or 0, definition.allocation or 0
        whole = -(-capacity // 1024)
        if definition.target.encryption is not None:
            whole += 2048  # the header, with some room
        words = ["--name", definition.name, "-L"]
        if capacity != allocation:
            words += [f"{-(-(allocation or 1) // 1024)}K", "--type", "snapshot", "--virtualsize"]
        words.append(f"{whole}K")
        backing = definition.backingStore
        if backing is not None:
            words += ["-s", backing.path or ""]
        else:
            words.append(self._group(pool))
        await self._lvm("lvcreate", *words, "--yes")

    async def createVolume(self, pool: Pool, definition: VolumeDefinition) -> VolumeDefinition:
        """Make a logical volume."""
        definition = self._checked(pool, definition)
        await self._make(pool, definition)
        return await self._complete(pool, definition, None, 0)

    async def createVolumeFrom(
        self, pool: Pool, definition: VolumeDefinition, source: Volume, flags: int
    ) -> VolumeDefinition:
        """Make a logical volume, and copy another into it."""
        definition = self._checked(pool, definition)
        await self._make(pool, definition)
        return await self._complete(pool, definition, source, flags)

    async def _complete(
        self, pool: Pool, definition: VolumeDefinition, source: Volume | None, flags: int
    ) -> VolumeDefinition:
        """Fill what was made; on failure it is removed."""
        name = definition.name
        try:
            # Nothing is waited for that is not there: whoever makes a node has done so before lvcreate ends.
            await self._host.thread(deviceVolume, definition.target.path, name)
            await making.fill(self._host, definition, flags, source)
            await self._host.thread(_rights, definition)
            made = await self._look(pool, name)
            if not made:
                raise internal(f"cannot find newly created volume '{name}'", _DOMAIN)
        except BaseException:
            await self._lvm("lvremove", "-f", definition.target.path or "", failing=False)
            raise
        complete = made[0][1]
        backing = definition.backingStore
        if backing is not None and complete.backingStore is None:
            below = await self._host.thread(_backing, backing.path)
            complete = replaced(complete, backingStore=below)
        return complete

    async def deleteVolume(self, pool: Pool, volume: Volume, flags: int) -> None:
        """Remove a logical volume, which is made inactive if that is in the way."""
        checkFlags("virStorageBackendLogicalDeleteVol", flags, 0, _DOMAIN)
        await settled(self._host)
        ended = await self._lvm("lvremove", "-f", volume.path, failing=False)
        if ended.status:
            await self._lvm("lvchange", "-aln", volume.path)
            await self._lvm("lvremove", "-f", volume.path)

    def checkWipe(self, volume: Volume) -> None:
        """Snapshots are not overwritten: they have not the room."""
        if volume.definition.sparse:
            raise unsupported(
                f"logical volume '{volume.path}' is sparse, volume wipe not supported"
            )
