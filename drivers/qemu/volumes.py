"""
Disks that name a volume of a pool: where it is, the driver of storage is asked when a guest starts.

A running guest has the volume's file, and is shown with the volume as long as the disk is that file.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, NamedTuple

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._source import BlockSource, DirSource, FileSource, VolumeSource
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.storage import IStorage
from pyvirt.drivers.qemu.aliases import withAliases
from pyvirt.drivers.qemu.refusals import unsupportedConfig
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.guest import Guest
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["Volume", "mayBeMissing", "placed", "remember", "shown", "volumesOf", "withVolumes"]

#: What every source has, whatever it is of.
_COMMON = ("startupPolicy", "index", "labels", "slice", "encryption", "reservations", "auth")


class Volume(NamedTuple):
    """A volume that a disk is, and its file."""

    path: str
    pool: str
    volume: str
    mode: str | None


def mayBeMissing(disk: Any, boots: bool) -> bool:
    """
    Return whether a guest may start without the source of a disk.

    @param boots: it starts from nothing; else its memory comes from elsewhere.
    """
    policy = disk.source.startupPolicy
    return policy == "optional" or (policy == "requisite" and not boots)


async def _settled(answer: Any) -> Any:
    return await answer if isawaitable(answer) else answer


async def withVolumes(
    hypervisor: Hypervisor,
    definition: DomainDefinition,
    *,
    boots: bool = True,
    left: list[Any] | None = None,
) -> DomainDefinition:
    """
    Give disks that name volumes the files that these are.

    @param boots: it starts from nothing; else its memory comes from elsewhere, and more media may be missing.
    @param left: gets the disks, with their names, whose volumes may be missing and are: a drive is empty then, a disk is
        left out.
    @return: what runs; what the domain is defined as still names volumes.
    @raise VirtError: there is no such pool or volume, or the pool is not active.
    """
    if not any(isinstance(disk.source, VolumeSource) for disk in definition.devices.disks):
        return definition
    left = [] if left is None else left
    # The last one is looked for first, as libvirt does: that is the one which is complained of.
    aliased = withAliases(definition).devices.disks
    disks = []
    for disk, known in zip(reversed(definition.devices.disks), reversed(aliased), strict=True):
        disks.append(await _found(hypervisor, disk, known, boots, left))
    disks.reverse()
    kept = tuple(disk for disk in disks if disk is not None)
    return replaced(definition, devices=replaced(definition.devices, disks=kept))


async def _found(
    hypervisor: Hypervisor, disk: Any, known: Any, boots: bool, left: list[Any]
) -> Any:
    """
    Give a disk the file that its volume is.

    @param known: the disk with its name.
    @return: None for a disk that may be missing, and is; a drive is empty then.
    """
    try:
        return await placed(hypervisor, disk)
    except VirtError:
        if not mayBeMissing(disk, boots):
            raise
        left.append(known)
        if disk.device in ("cdrom", "floppy"):
            driver = disk.driver and replaced(disk.driver, type=None)
            return replaced(disk, type="file", source=None, backingStore=None, driver=driver)
        return None


async def placed(hypervisor: Hypervisor, disk: Any) -> Any:
    """
    Give a disk that names a volume the file that this is.

    @raise VirtError: there is no such pool or volume, or the pool is not active.
    """
    source = disk.source
    if not isinstance(source, VolumeSource) or source.isEmpty:
        return disk
    storage: Any = hypervisor.companion(IStorage)
    if storage is None:
        # Where nobody keeps pools there is none.
        raise virtError(
            ErrorCode.NO_STORAGE_POOL,
            f"no storage pool with matching name '{source.pool}'",
            ErrorDomain.STORAGE,
        )
    pool = await _settled(storage.storagePoolLookupByName(source.pool))
    if not await _settled(storage.storagePoolIsActive(pool)):
        raise unsupportedConfig(
            f"storage pool '{source.pool}' containing volume '{source.volume}' is not active",
            ErrorDomain.NONE,
        )
    volume = await _settled(storage.storageVolLookupByName(pool, source.volume))
    info = await _settled(storage.storageVolGetInfoFlags(volume, 0))
    path = await _settled(storage.storageVolGetPath(volume))
    made: Any
    common = {name: getattr(source, name) for name in _COMMON}
    if info.type == c.VIR_STORAGE_VOL_BLOCK:
        kind, made = "block", BlockSource(dev=path, **common)
    elif info.type == c.VIR_STORAGE_VOL_DIR:
        kind, made = "dir", DirSource(dir=path, **common)
    else:
        kind, made = "file", FileSource(file=path, **common)
    # Headers are the guest's to write: what is not said to be another format is raw.
    driver = disk.driver
    if driver is not None and driver.type is None:
        driver = replaced(driver, type="raw")
    return replaced(disk, type=kind, source=made, driver=driver)


def remember(guest: Guest, asked: Any, made: Any) -> None:
    """
    Remember which volume a disk of a running guest is, if it is one.

    @param made: what L{placed} has made of C{asked}.
    """
    name = asked.target.dev or "" if asked.target is not None else ""
    guest.volumes.pop(name, None)
    if made is not asked:
        source = asked.source
        path = _path(made.source) or ""
        guest.volumes[name] = Volume(path, source.pool, source.volume, source.mode)


def volumesOf(asked: DomainDefinition, placed: DomainDefinition) -> dict[str, Volume]:
    """
    Return which disks are volumes, by what the guest calls them.

    @param placed: what L{withVolumes} has made of C{asked}.
    """
    found: dict[str, Volume] = {}
    files = {disk.target: disk for disk in placed.devices.disks}
    for disk in asked.devices.disks:
        source: Any = disk.source
        # Those that may be missing, and are, are not there.
        made = files.get(disk.target, disk)
        if made is not disk and isinstance(source, VolumeSource) and disk.target is not None:
            path = _path(made.source)
            found[disk.target.dev or ""] = Volume(
                path or "", source.pool or "", source.volume or "", source.mode
            )
    return found


def _path(source: Any) -> str | None:
    for name in ("file", "dev", "dir"):
        found = getattr(source, name, None)
        if found is not None:
            return str(found)
    return None


def shown(definition: DomainDefinition, volumes: Mapping[str, Volume]) -> DomainDefinition:
    """Have disks that still are their volumes name these."""
    if not volumes:
        return definition
    disks = []
    for disk in definition.devices.disks:
        volume = volumes.get(disk.target.dev or "") if disk.target is not None else None
        source = disk.source
        if volume is not None and source is not None and _path(source) == volume.path:
            common = {name: getattr(source, name) for name in _COMMON}
            named = VolumeSource(pool=volume.pool, volume=volume.volume, mode=volume.mode, **common)
            disk = replaced(disk, type="volume", source=named)
        disks.append(disk)
    return replaced(definition, devices=replaced(definition.devices, disks=tuple(disks)))
