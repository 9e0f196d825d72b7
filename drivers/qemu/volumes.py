"""
Disks that name a volume of a pool: where it is, the driver of storage is asked when a guest starts.
"""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._source import BlockSource, DirSource, FileSource, VolumeSource
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.storage import IStorage
from pyvirt.drivers.qemu.refusals import unsupportedConfig
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["withVolumes"]


async def _settled(answer: Any) -> Any:
    return await answer if isawaitable(answer) else answer


async def withVolumes(hypervisor: Hypervisor, definition: DomainDefinition) -> DomainDefinition:
    """
    Give disks that name volumes the files that these are.

    @return: what runs; what the domain is defined as still names volumes.
    @raise VirtError: there is no such pool or volume, or the pool is not active.
    """
    if not any(isinstance(disk.source, VolumeSource) for disk in definition.devices.disks):
        return definition
    disks = [await _placed(hypervisor, disk) for disk in definition.devices.disks]
    return replaced(definition, devices=replaced(definition.devices, disks=tuple(disks)))


async def _placed(hypervisor: Hypervisor, disk: Any) -> Any:
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
    if info.type == c.VIR_STORAGE_VOL_BLOCK:
        kind, made = "block", BlockSource(dev=path)
    elif info.type == c.VIR_STORAGE_VOL_DIR:
        kind, made = "dir", DirSource(dir=path)
    else:
        kind, made = "file", FileSource(file=path)
    # Headers are the guest's to write: what is not said to be another format is raw.
    driver = disk.driver
    if driver is not None and driver.type is None:
        driver = replaced(driver, type="raw")
    return replaced(disk, type=kind, source=made, driver=driver)
