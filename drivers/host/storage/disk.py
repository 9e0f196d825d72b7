"""
Disks with partitions: pools of type C{disk}.

All is done by C{parted}, with the command lines that libvirtd runs.
"""

from __future__ import annotations

import os

from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.poolsource import PoolDevice
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.storage import PARTITION_FORMATS, VolumeDefinition, VolumeTarget
from pyvirt.drivers.host.running import commandFailed, found, run
from pyvirt.drivers.host.storage import making
from pyvirt.drivers.host.storage.backends import Backend, Listing, unsupported
from pyvirt.drivers.host.storage.devices import (
    blank,
    deviceVolume,
    readable,
    settled,
    stable,
)
from pyvirt.drivers.host.storage.partitions import Partition, Table, partitionPath, readTable
from pyvirt.drivers.host.storage.pool import Pool, Volume
from pyvirt.drivers.refusals import checkFlags, exclusiveFlags, failed, internal, invalidArgument
from pyvirt.drivers.refusals import operationInvalid as invalid
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Disk"]

log = Logger()

_DOMAIN = ErrorDomain.STORAGE
_OVERWRITE = ("VIR_STORAGE_POOL_BUILD_OVERWRITE", c.VIR_STORAGE_POOL_BUILD_OVERWRITE)
_KEEP = ("VIR_STORAGE_POOL_BUILD_NO_OVERWRITE", c.VIR_STORAGE_POOL_BUILD_NO_OVERWRITE)

#: How much of a disk is emptied at both its ends, so that no table remains.
_BLANK = 1 << 20

#: How much room the header of LUKS gets, beside what its volume holds.
_HEADER = 2 << 20

#: Labels that C{blkid} does not tell apart from others, but C{parted} does.
_PARTED = ("dvh", "bsd", "pc98")

#: Labels that both know, by the name that C{parted} gives them.
_LABELS = ("msdos", "dvh", "gpt", "mac", "bsd", "pc98", "sun")

#: What a partition is to hold, as C{parted} calls it on labels of DOS: other formats are not told apart there.
_SYSTEMS = {"fat16": "fat16", "fat32": "fat32", "linux-swap": "linux-swap"}


def _overwrite(device: str, format: str) -> str:
    return (
        f"Format of device '{device}' does not match the expected format '{format}', "
        "forced overwrite is necessary"
    )


class Disk(Backend):
    """Disks whose partitions are volumes."""

    files = False
    formats = PARTITION_FORMATS
    measures = True

    def _source(self, pool: Pool) -> PoolDevice:
        return pool.definition.source.devices[0]

    def _device(self, pool: Pool) -> str:
        return self._source(pool).path or ""

    def _label(self, pool: Pool) -> str:
        return pool.definition.source.format or "unknown"

    def _settle(self, pool: Pool) -> None:
        """A disk that may have any label has one of DOS."""
        if self._label(pool) == "unknown":
            source = replaced(pool.definition.source, format="dos")
            pool.definition = replaced(pool.definition, source=source)

    # The disk

    async def _checkLabel(self, pool: Pool, device: str, building: bool) -> None:
        """
        Refuse a disk that has another label than its pool, or, before it gets one, any.

        @raise VirtError: it has, or nobody can say.
        """
        label = self._label(pool)
        if not device.startswith("/") or not await self._host.thread(readable, device):
            raise virtError(
                ErrorCode.STORAGE_PROBE_FAILED,
                f"Failed to create filesystem probe for device {device}",
                _DOMAIN,
            )
        blkid = found("/sbin/blkid", "/usr/sbin/blkid")
        looked = await run(self._host, blkid, "-p", "-o", "export", device, failing=False)
        if looked.status not in (0, 2):
            detail = f"Failed to probe for format type '{label}'"
            raise virtError(ErrorCode.STORAGE_PROBE_FAILED, detail, _DOMAIN)
        lines = looked.output.decode(errors="replace").splitlines()
        told = dict(line.split("=", 1) for line in lines if "=" in line)
        present = told.get("TYPE")
        if present is None:
            if label in _PARTED:
                await self._checkParted(device, label, building)
                return
            present = told.get("PTTYPE")
        if present is None:
            if not building:
                raise virtError(
                    ErrorCode.STORAGE_PROBE_FAILED,
                    f"Device '{device}' is unrecognized, requires build",
                    _DOMAIN,
                )
        elif not building:
            if present != label:
                raise invalid(
                    f"Format of device '{device}' does not match the expected format '{label}'",
                    _DOMAIN,
                )
        elif present == label:
            detail = f"Device '{device}' already formatted using '{label}'"
            raise virtError(ErrorCode.STORAGE_POOL_BUILT, detail, _DOMAIN)
        else:
            raise virtError(ErrorCode.STORAGE_POOL_BUILT, _overwrite(device, label), _DOMAIN)

    async def _checkParted(self, device: str, label: str, building: bool) -> None:
        """As L{_checkLabel}, where only C{parted} knows."""
        said = await run(self._host, "parted", device, "print", "--script", failing=False)
        text = (said.output + said.errors).decode(errors="replace")
        if "unrecognised disk label" in text:
            if not building:
                raise failed("Unrecognized disk label found, requires build", _DOMAIN)
            return
        if said.status:
            raise failed(
                "Error checking for disk label, failed to get disk partition information", _DOMAIN
            )
        present = None
        for line in text.splitlines():
            if line.startswith("Partition Table: "):
                present = line.removeprefix("Partition Table: ")
        if present == label:
            if building:
                raise invalid(f"Disk label already formatted using '{label}'", _DOMAIN)
        elif present in _LABELS:
            raise failed(
                "Known, but different label format present, requires build --overwrite", _DOMAIN
            )
        else:
            raise failed("Unknown Partition Type, requires build --overwrite", _DOMAIN)

    async def build(self, pool: Pool, flags: int) -> None:
        """Give the disk a label, on which nothing lies or shall remain."""
        function = "virStorageBackendDiskBuildPool"
        checkFlags(function, flags, _OVERWRITE[1] | _KEEP[1], _DOMAIN)
        exclusiveFlags(function, flags, _OVERWRITE, _KEEP, _DOMAIN)
        device = self._device(pool)
        if flags & _OVERWRITE[1]:
            await self._host.thread(blank, device, _BLANK, True)
        else:
            await self._checkLabel(pool, device, True)
        if not device.startswith("/"):
            raise invalidArgument(f"device path '{device}' doesn't exist", _DOMAIN)
        self._settle(pool)
        label = self._label(pool)
        label = "msdos" if label == "dos" else label
        await run(self._host, "parted", device, "mklabel", "--script", label)

    async def start(self, pool: Pool) -> None:
        """See that the disk is there, and is the one that was meant."""
        await settled(self._host)
        device = self._device(pool)
        if not device.startswith("/") or not os.path.exists(device):
            raise invalidArgument(f"device path '{device}' doesn't exist", _DOMAIN)
        self._settle(pool)
        await self._checkLabel(pool, device, False)

    async def running(self, pool: Pool) -> bool:
        """Whether the disk is there, and is the one that was meant."""
        if not os.path.exists(self._device(pool)):
            return False
        await self.start(pool)
        return True

    async def delete(self, pool: Pool, flags: int) -> None:
        """Take the label off the disk."""
        checkFlags("virStorageBackendDiskDeletePool", flags, 0, _DOMAIN)
        await self._host.thread(blank, self._device(pool), _BLANK, True)

    async def _table(self, pool: Pool) -> Table:
        """
        Look what is on the disk; without a label there is nothing.

        @raise VirtError: it cannot be read.
        """
        device = self._device(pool)
        words = (
            *("parted", "--script", "--align", "cylinder", device),
            *("unit", "b", "print", "free", "unit", "chs", "print"),
        )
        said = await run(self._host, *words, failing=False)
        if said.status:
            if b"unrecognised disk label" in said.output + said.errors:
                return Table()
            raise commandFailed(words, said)
        return readTable(said.output.decode(errors="replace"))

    # Volumes

    def _described(self, pool: Pool, partition: Partition) -> VolumeDefinition:
        """In a thread: describe a partition as a volume."""
        source = self._source(pool)
        device = source.path or ""
        node = partitionPath(device, partition.number, bool(source.partSeparator))
        path, name = stable(pool.path, node) or node, os.path.basename(node)
        try:
            volume = deviceVolume(path, name)
        except VirtError:
            if partition.kind != "extended":
                raise
            # It holds nothing but others, and is there for those who look at the table only.
            volume = VolumeDefinition(
                name=name, key=path, capacity=0, allocation=0, target=VolumeTarget(path=path)
            )
        return replaced(
            volume,
            capacity=partition.end - partition.start,
            extents=((device, partition.start, partition.end),),
            partition=partition,
            target=replaced(volume.target, format="none"),
        )

    def _summed(self, volumes: list[VolumeDefinition]) -> tuple[list[VolumeDefinition], int]:
        """
        Let the partition that others are in be taken by those.

        @return: the volumes, and what all take of the pool.
        """
        inside = sum(each.allocation or 0 for each in volumes if each.partition.kind == "logical")
        volumes = [
            replaced(each, allocation=inside) if each.partition.kind == "extended" else each
            for each in volumes
        ]
        taken = (each.allocation or 0 for each in volumes if each.partition.kind != "extended")
        return volumes, sum(taken)

    def _sized(self, table: Table, taken: int) -> list[int]:
        ends = [each.end for each in table.partitions] + [each.end for each in table.gaps]
        return [max(ends, default=0), taken, sum(gap.end - gap.start for gap in table.gaps)]

    def _free(self, table: Table) -> tuple[tuple[int, int], ...]:
        return tuple((gap.start, gap.end) for gap in table.gaps)

    async def listing(self, pool: Pool) -> Listing:
        """Look what partitions there are."""
        await settled(self._host)
        table = await self._table(pool)
        volumes = [
            await self._host.thread(self._described, pool, each) for each in table.partitions
        ]
        volumes, taken = self._summed(volumes)
        found = [("block", each) for each in volumes]
        return Listing(found, self._sized(table, taken), None, self._free(table))

    def _words(self, pool: Pool, definition: VolumeDefinition, table: Table) -> list[str]:
        """Decide what kind of partition is made, and say so to C{parted}."""
        if self._label(pool) != "dos":
            return ["primary"]
        format = definition.target.format or "none"
        extended = any(each.kind == "extended" for each in table.partitions)
        if format == "extended":
            if extended:
                raise internal("extended partition already exists", _DOMAIN)
            return ["extended"]
        full = self._full(table)
        if full and not extended:
            raise internal(
                "no extended partition found and no primary partition available", _DOMAIN
            )
        return ["logical" if full else "primary", _SYSTEMS.get(format, "ext2")]

    def _full(self, table: Table) -> bool:
        """Whether a label of DOS holds no more than it does."""
        return sum(each.kind != "logical" for each in table.partitions) >= 4

    async def _make(
        self, pool: Pool, definition: VolumeDefinition, source: Volume | None, flags: int
    ) -> VolumeDefinition:
        encryption = definition.target.encryption
        if encryption is not None and encryption.format != "luks":
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                "storage pool only supports LUKS encrypted volumes",
                _DOMAIN,
            )
        table = await self._table(pool)
        kind = self._words(pool, definition, table)
        dos = self._label(pool) == "dos"
        size = (definition.capacity or 0) + (_HEADER if encryption is not None else 0)
        start, end = table.room(size, dos and self._full(table), dos)
        device = self._device(pool)
        words = (*kind, f"{start}B", f"{end}B")
        await run(self._host, "parted", device, "mkpart", "--script", *words)
        number: int | None = None
        try:
            await settled(self._host)
            known = {each.number for each in table.partitions}
            now = await self._table(pool)
            added = [each for each in now.partitions if each.number not in known]
            if len(added) != 1:
                raise internal(f"cannot find the new partition of '{device}'", _DOMAIN)
            number = added[0].number
            separated = bool(self._source(pool).partSeparator)
            node = await self._host.thread(partitionPath, device, number, separated)
            name = os.path.basename(node)
            if definition.name != name:
                raise invalidArgument(
                    f"invalid partition name '{definition.name}', expected '{name}'", _DOMAIN
                )
            made = await self._host.thread(self._described, pool, added[0])
            target = replaced(definition.target, path=made.target.path)
            definition = replaced(definition, target=target)
            await making.fill(self._host, definition, flags, source)
            made = await self._host.thread(self._described, pool, added[0])
        except BaseException:
            if number is not None:
                await self._removed(device, number, failing=False)
                # All is looked at anew then, which tells no formats.
                for volume in pool.volumes.values():
                    volume.change(target=replaced(volume.definition.target, format="none"))
            raise
        target = replaced(
            definition.target,
            path=made.target.path,
            permissions=made.target.permissions,
            timestamps=made.target.timestamps,
        )
        made = replaced(made, target=target, backingStore=definition.backingStore)
        others = list(pool.volumes.values())
        volumes, taken = self._summed([*(each.definition for each in others), made])
        for volume, described in zip(others, volumes[:-1], strict=True):
            volume.definition = described
        pool.sizes, pool.free = self._sized(now, taken), self._free(now)
        return volumes[-1]

    async def createVolume(self, pool: Pool, definition: VolumeDefinition) -> VolumeDefinition:
        """Make a partition."""
        return await self._make(pool, definition, None, 0)

    async def createVolumeFrom(
        self, pool: Pool, definition: VolumeDefinition, source: Volume, flags: int
    ) -> VolumeDefinition:
        """Make a partition, and copy a volume into it."""
        return await self._make(pool, definition, source, flags)

    async def _removed(self, device: str, number: int, failing: bool = True) -> None:
        words = ("parted", device, "rm", "--script", str(number))
        ended = await run(self._host, *words, failing=failing)
        if ended.status:
            log.warn("partition {number} of {device} remains", number=number, device=device)

    async def deleteVolume(self, pool: Pool, volume: Volume, flags: int) -> None:
        """Remove a partition."""
        checkFlags("virStorageBackendDiskDeleteVol", flags, 0, _DOMAIN)
        partition = volume.definition.partition
        assert partition is not None
        await self._removed(self._device(pool), partition.number)

    def checkWipe(self, volume: Volume) -> None:
        """The partition that others are in is not overwritten: it tells where they are."""
        partition = volume.definition.partition
        if partition is not None and partition.kind == "extended":
            raise unsupported(f"cannot wipe extended partition '{volume.path}'")
