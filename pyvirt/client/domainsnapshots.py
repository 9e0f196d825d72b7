"""
A domain's snapshots and checkpoints.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail

from pyvirt.client.checkpoint import DomainCheckpoint
from pyvirt.client.deferring import deferred
from pyvirt.client.domainlifecycle import DomainLifecycle
from pyvirt.client.shapes import making, makingAll, number, zero
from pyvirt.client.snapshot import DomainSnapshot
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["DomainSnapshots"]


class DomainSnapshots(DomainLifecycle):
    """Snapshots and checkpoints."""

    __slots__ = ()

    def snapshotCreateXML(self, xmlDesc: str, flags: int = 0) -> Deferred[DomainSnapshot]:
        """Take a snapshot: C{VIR_DOMAIN_SNAPSHOT_CREATE_*}.  Fires with it."""
        return self._remote.domainSnapshotCreateXML(self._ref, xmlDesc, flags).addCallback(
            making(DomainSnapshot, self._self)
        )

    def snapshotLookupByName(self, name: str, flags: int = 0) -> Deferred[DomainSnapshot]:
        """Fire with the snapshot of this name."""
        return self._remote.domainSnapshotLookupByName(self._ref, name, flags).addCallback(
            making(DomainSnapshot, self._self)
        )

    def snapshotCurrent(self, flags: int = 0) -> Deferred[DomainSnapshot]:
        """Fire with the current snapshot."""
        return self._remote.domainSnapshotCurrent(self._ref, flags).addCallback(
            making(DomainSnapshot, self._self)
        )

    def hasCurrentSnapshot(self, flags: int = 0) -> Deferred[int]:
        """Fire with 1 if there is a current snapshot, else 0."""
        return self._remote.domainHasCurrentSnapshot(self._ref, flags).addCallback(number)

    def snapshotNum(self, flags: int = 0) -> Deferred[int]:
        """Fire with how many snapshots there are: C{VIR_DOMAIN_SNAPSHOT_LIST_*}."""
        return self._remote.domainSnapshotNum(self._ref, flags)

    def listAllSnapshots(self, flags: int = 0) -> Deferred[list[DomainSnapshot]]:
        """Fire with the snapshots that C{flags} (C{VIR_DOMAIN_SNAPSHOT_LIST_*}) select."""
        return self._remote.domainListAllSnapshots(self._ref, 1, flags).addCallback(
            makingAll(DomainSnapshot, self._self)
        )

    @deferred
    async def snapshotListNames(self, flags: int = 0) -> list[str]:
        """Fire with the names of the snapshots: C{VIR_DOMAIN_SNAPSHOT_LIST_*}."""
        count = await self._remote.domainSnapshotNum(self._ref, flags)
        if not count:
            return []
        return list(await self._remote.domainSnapshotListNames(self._ref, count, flags))

    def revertToSnapshot(self, snap: DomainSnapshot, flags: int = 0) -> Deferred[int]:
        """Put the domain into the state that a snapshot holds: C{VIR_DOMAIN_SNAPSHOT_REVERT_*}.  Fires with 0."""
        if snap is None:
            return fail(
                virtError(
                    ErrorCode.INVALID_DOMAIN_SNAPSHOT,
                    "virDomainRevertToSnapshot",
                    ErrorDomain.DOMAIN_SNAPSHOT,
                )
            )
        return self._remote.domainRevertToSnapshot(snap._ref, flags).addCallback(zero)

    def checkpointCreateXML(self, xmlDesc: str, flags: int = 0) -> Deferred[DomainCheckpoint]:
        """Remember from now on which blocks change: C{VIR_DOMAIN_CHECKPOINT_CREATE_*}.  Fires with the checkpoint."""
        return self._remote.domainCheckpointCreateXML(self._ref, xmlDesc, flags).addCallback(
            making(DomainCheckpoint, self._self)
        )

    def checkpointLookupByName(self, name: str, flags: int = 0) -> Deferred[DomainCheckpoint]:
        """Fire with the checkpoint of this name."""
        return self._remote.domainCheckpointLookupByName(self._ref, name, flags).addCallback(
            making(DomainCheckpoint, self._self)
        )

    def listAllCheckpoints(self, flags: int = 0) -> Deferred[list[DomainCheckpoint]]:
        """Fire with the checkpoints that C{flags} (C{VIR_DOMAIN_CHECKPOINT_LIST_*}) select."""
        return self._remote.domainListAllCheckpoints(self._ref, 1, flags).addCallback(
            makingAll(DomainCheckpoint, self._self)
        )

    @property
    def _self(self) -> Any:
        """This domain, by the type that its snapshots know."""
        return self
