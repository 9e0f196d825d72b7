"""
C{undefine}: forget a domain, and what belongs to it if asked to.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pyvirt.errors import ErrorCode, VirtError
from pyvirt.shell.command import Command, CommandError, DomainCommand
from pyvirt.shell.commands.builtin import splitList
from pyvirt.shell.options import DOMAIN, flag, string

__all__ = ["COMMANDS"]

MANAGED_SAVE, SNAPSHOTS_METADATA, NVRAM = 1, 2, 4
ONLY_METADATA = 2
DELETE_WITH_SNAPSHOTS = 2

#: Answers of a peer that does not know what we asked for.
_UNKNOWN = (ErrorCode.NO_SUPPORT, ErrorCode.INVALID_ARG)

_SOURCE = "string(./source/@file|./source/@dir|./source/@name|./source/@dev|./source/@volume)"


class _Volume(NamedTuple):
    """A volume to delete: its handle, and how the definition calls it."""

    volume: Any
    target: str
    source: str


class _Belongings(NamedTuple):
    """
    What an inactive domain has that outlives it.

    @ivar sure: the peer is known to handle all flags of C{undefineFlags}.
    """

    saved: bool
    snapshots: int
    sure: bool


class Undefine(DomainCommand):
    """C{undefine}: remove the definition of a domain."""

    name = "undefine"
    brief = "undefine a domain"
    description = "Undefine an inactive domain, or convert persistent to transient."
    options = (
        DOMAIN,
        flag("managed-save", "remove domain managed state file"),
        string(
            "storage",
            "remove associated storage volumes (comma separated list of targets or source paths)"
            " (see domblklist)",
        ),
        flag("remove-all-storage", "remove all associated storage volumes (use with caution)"),
        flag(
            "delete-storage-volume-snapshots",
            "delete snapshots associated with volume(s), requires --remove-all-storage"
            " (must be supported by storage driver)",
        ),
        flag("wipe-storage", "wipe data on the removed volumes"),
        flag("snapshots-metadata", "remove all domain snapshot metadata (vm must be inactive)"),
        flag("checkpoints-metadata", "remove all domain checkpoint metadata (vm must be inactive)"),
        flag("nvram", "remove nvram file"),
        flag("keep-nvram", "keep nvram file"),
        flag("tpm", "remove TPM state"),
        flag("keep-tpm", "keep TPM state"),
    )

    async def run(self) -> None:
        self.require("delete-storage-volume-snapshots", "remove-all-storage")
        self.exclude("nvram", "keep-nvram")
        self.exclude("tpm", "keep-tpm")
        try:
            chosen = self.text("storage")
        except CommandError:
            chosen = None
        every = self.given("remove-all-storage")
        if self.given("wipe-storage") and chosen is None and not every:
            raise CommandError(
                "'--wipe-storage' requires '--storage <string>' or '--remove-all-storage'"
            )
        domain = await self.domain()
        running = await domain.isActive()
        belongings = await self._belongings(domain, bool(running))
        volumes: list[_Volume] = []
        if chosen is not None or every:
            if running:
                raise CommandError("Storage volume deletion is supported only on stopped domains")
            if chosen is not None and every:
                raise CommandError("Specified both --storage and --remove-all-storage")
            volumes = await self._volumes(domain, chosen)
        try:
            await self._undefine(domain, belongings)
        except VirtError as error:
            raise CommandError(f"Failed to undefine domain '{self.typed}'") from error
        self.tell(f"Domain '{self.typed}' has been undefined")
        await self._deleteVolumes(volumes)

    async def _belongings(self, domain: Any, running: bool) -> _Belongings:
        if running:
            return _Belongings(False, 0, True)
        saved = await self._count(domain.hasManagedSaveImage(0))
        snapshots = await self._count(domain.snapshotNum(0))
        sure = not saved and not snapshots
        if snapshots:
            try:
                snapshots = await domain.snapshotNum(ONLY_METADATA)
                sure = True
            except VirtError:
                # A peer too old to tell which snapshots it keeps itself: count all.
                pass
        return _Belongings(bool(saved), snapshots, sure)

    async def _count(self, answer: Any) -> int:
        try:
            return int(await answer)
        except VirtError as error:
            if error.code in _UNKNOWN:
                return 0
            raise

    async def _undefine(self, domain: Any, belongings: _Belongings) -> None:
        flags = self.flags(
            managed_save=MANAGED_SAVE,
            snapshots_metadata=SNAPSHOTS_METADATA,
            nvram=NVRAM,
            keep_nvram=8,
            checkpoints_metadata=16,
            tpm=32,
            keep_tpm=64,
        )
        if not belongings.saved:
            flags &= ~MANAGED_SAVE
        if not belongings.snapshots:
            flags &= ~SNAPSHOTS_METADATA
        if belongings.sure or flags & NVRAM:
            try:
                await domain.undefineFlags(flags)
                return
            except VirtError as error:
                if flags & NVRAM or error.code not in _UNKNOWN:
                    raise
        await self._undefineByParts(domain, belongings)

    async def _undefineByParts(self, domain: Any, belongings: _Belongings) -> None:
        """Do what flags would have done, for a peer that does not know them."""
        if belongings.saved:
            if not self.given("managed-save"):
                raise CommandError("Refusing to undefine while domain managed save image exists")
            try:
                await domain.managedSaveRemove(0)
            except VirtError as error:
                raise CommandError from error
        if belongings.snapshots:
            form = (
                "Unable to remove metadata of {} snapshots"
                if self.given("snapshots-metadata")
                else "Refusing to undefine while {} snapshots exist"
            )
            raise CommandError(form.format(belongings.snapshots))
        await domain.undefine()

    async def _volumes(self, domain: Any, chosen: str | None) -> list[_Volume]:
        """
        Find the volumes that the domain uses, all or those chosen by target or source.

        @raise CommandError: one that was chosen is not in the definition.
        """
        from pyvirt.shell.xmltree import readTree

        try:
            text = await domain.XMLDesc(0)
        except VirtError as error:
            raise CommandError("Could not retrieve domain XML description") from error
        root = readTree(text)
        wanted = None if chosen is None else splitList(chosen)
        volumes: list[_Volume] = []
        for disk in root.findall("./devices/disk"):
            target, source = disk.xpath("string(./target/@dev)"), disk.xpath(_SOURCE)
            if not source:
                continue
            if wanted is not None:
                name = next((word for word in wanted if word in (target, source)), None)
                if name is None:
                    continue
                wanted.remove(name)
            found = await self._volume(disk.xpath("string(./source/@pool)"), target, source)
            if found is not None:
                volumes.append(_Volume(found, target, source))
        if wanted:
            raise CommandError(
                *(f"Volume '{word}' was not found in domain's definition.\n" for word in wanted)
            )
        return volumes

    async def _volume(self, pool: str, target: str, source: str) -> Any:
        try:
            if pool:
                try:
                    holder = await self.connection.storagePoolLookupByName(pool)
                except VirtError:
                    self.session.output(f"Storage pool '{pool}' for volume '{target}' not found.")
                    return None
                return await holder.storageVolLookupByName(source)
            return await self.connection.storageVolLookupByPath(source)
        except VirtError:
            self.session.report(
                f"Storage volume '{target}'({source}) is not managed by libvirt."
                " Remove it manually.\n"
            )
            return None

    async def _deleteVolumes(self, volumes: list[_Volume]) -> None:
        flags = self.flags(delete_storage_volume_snapshots=DELETE_WITH_SNAPSHOTS)
        failure: VirtError | None = None
        for volume, target, source in volumes:
            if self.given("wipe-storage"):
                self.session.output(f"Wiping volume '{target}'({source}) ... ")
                try:
                    await volume.wipe(0)
                except VirtError as error:
                    self.session.report("Failed! Volume not removed.")
                    failure = error
                    continue
                self.session.output("Done.\n")
            try:
                await volume.delete(flags)
            except VirtError as error:
                self.session.report(f"Failed to remove storage volume '{target}'({source})")
                failure = error
                continue
            self.tell(f"Volume '{target}'({source}) removed.")
        if failure is not None:
            raise CommandError from failure


COMMANDS: tuple[type[Command], ...] = (Undefine,)
