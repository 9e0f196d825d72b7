"""
A domain's disks: sizes, limits, jobs on their images.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pyvirt.client.deferring import deferred
from pyvirt.client.domainresources import DomainResources
from pyvirt.client.params import HINTS, byHints, byTypes, needSome
from pyvirt.client.shapes import dictionary, zero

__all__ = ["DomainBlock"]

IO_TUNE_MAX = 32


class DomainBlock(DomainResources):
    """Disks."""

    __slots__ = ()

    def blockInfo(self, path: str, flags: int = 0) -> Deferred[list[int]]:
        """Fire with a disk's sizes in bytes: as the guest sees it, allocated, on the host."""
        return self._remote.domainGetBlockInfo(self._ref, path, flags).addCallback(_blockInfo)

    def blockResize(self, disk: str, size: int, flags: int = 0) -> Deferred[int]:
        """Change a disk's size in KiB, or in bytes with C{VIR_DOMAIN_BLOCK_RESIZE_BYTES}.  Fires with 0."""
        return self._remote.domainBlockResize(self._ref, disk, size, flags).addCallback(zero)

    @deferred
    async def blockPeek(self, disk: str, offset: int, size: int, flags: int = 0) -> bytes:
        """Fire with bytes of a disk."""
        self._conn._session.checkPeek("block", size)
        return await self._remote.domainBlockPeek(self._ref, disk, offset, size, flags)

    async def _ioTune(self, disk: str, flags: int) -> list[Any]:
        flags = await self._withStrings(flags)
        return list(
            (await self._remote.domainGetBlockIoTune(self._ref, disk, IO_TUNE_MAX, flags))[0]
        )

    @deferred
    async def blockIoTune(self, disk: str, flags: int = 0) -> dict[str, Any]:
        """Fire with the limits of a disk's traffic by name."""
        return dictionary(await self._ioTune(disk, flags))

    @deferred
    async def setBlockIoTune(self, disk: str, params: dict[str, Any], flags: int = 0) -> int:
        """
        Change the limits of a disk's traffic.  Fires with 0.

        @raise LookupError: there are none, or a name is not known.
        """
        needSome(params)
        known = byTypes(params, await self._ioTune(disk, flags))
        await self._remote.domainSetBlockIoTune(self._ref, disk, known, flags)
        return 0

    def setBlockThreshold(self, dev: str, threshold: int, flags: int = 0) -> Deferred[int]:
        """Have an event sent once so many bytes of an image are written.  Fires with 0."""
        return self._remote.domainSetBlockThreshold(self._ref, dev, threshold, flags).addCallback(
            zero
        )

    def blockJobInfo(self, path: str, flags: int = 0) -> Deferred[dict[str, int]]:
        """Fire with a disk's job: C{type}, C{bandwidth}, C{cur} of C{end}; empty if there is none."""
        return self._remote.domainGetBlockJobInfo(self._ref, path, flags).addCallback(_blockJob)

    def blockJobAbort(self, disk: str, flags: int = 0) -> Deferred[int]:
        """End a disk's job: C{VIR_DOMAIN_BLOCK_JOB_ABORT_*}.  Fires with 0."""
        return self._remote.domainBlockJobAbort(self._ref, disk, flags).addCallback(zero)

    def blockJobSetSpeed(self, disk: str, bandwidth: int, flags: int = 0) -> Deferred[int]:
        """Limit a disk's job, in MiB/s or with a flag bytes/s; 0: no limit.  Fires with 0."""
        return self._remote.domainBlockJobSetSpeed(self._ref, disk, bandwidth, flags).addCallback(
            zero
        )

    def blockPull(self, disk: str, bandwidth: int = 0, flags: int = 0) -> Deferred[int]:
        """Begin to copy what a disk's backing files hold into it.  Fires with 0."""
        return self._remote.domainBlockPull(self._ref, disk, bandwidth, flags).addCallback(zero)

    def blockRebase(
        self, disk: str, base: str | None, bandwidth: int = 0, flags: int = 0
    ) -> Deferred[int]:
        """Begin to copy backing files down to C{base} into a disk, or a disk elsewhere: C{VIR_DOMAIN_BLOCK_REBASE_*}.  Fires with 0."""
        return self._remote.domainBlockRebase(self._ref, disk, base, bandwidth, flags).addCallback(
            zero
        )

    def blockCommit(
        self, disk: str, base: str | None, top: str | None, bandwidth: int = 0, flags: int = 0
    ) -> Deferred[int]:
        """Begin to write what changed from C{base} to C{top} into C{base}.  Fires with 0."""
        return self._remote.domainBlockCommit(
            self._ref, disk, base, top, bandwidth, flags
        ).addCallback(zero)

    @deferred
    async def blockCopy(
        self, disk: str, destxml: str, params: dict[str, Any] | None = None, flags: int = 0
    ) -> int:
        """Begin to copy a disk to what C{destxml} describes: C{VIR_DOMAIN_BLOCK_COPY_*}.  Fires with 0."""
        known = [] if params is None else byHints(params, HINTS["domainBlockCopy"], "block params")
        await self._remote.domainBlockCopy(self._ref, disk, destxml, known, flags)
        return 0

    def backupBegin(
        self, backupXML: str, checkpointXML: str | None, flags: int = 0
    ) -> Deferred[int]:
        """Begin a backup, with a checkpoint at the same moment if one is described.  Fires with 0."""
        return self._remote.domainBackupBegin(
            self._ref, backupXML, checkpointXML, flags
        ).addCallback(zero)

    def backupGetXMLDesc(self, flags: int = 0) -> Deferred[str]:
        """Fire with the definition of the current backup."""
        return self._remote.domainBackupGetXMLDesc(self._ref, flags)


def _blockInfo(result: Any) -> list[int]:
    allocation, capacity, physical = result
    return [capacity, allocation, physical]


def _blockJob(result: Any) -> dict[str, int]:
    found, kind, bandwidth, cur, end = result
    if not found:
        return {}
    return {"type": kind, "bandwidth": bandwidth, "cur": cur, "end": end}
