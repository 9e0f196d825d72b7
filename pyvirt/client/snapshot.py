"""
A domain's snapshots.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from pyvirt.client.deferring import deferred
from pyvirt.client.handle import Handle
from pyvirt.client.shapes import making, makingAll, number, zero

if TYPE_CHECKING:
    from pyvirt.client.connect import Connect
    from pyvirt.client.domain import Domain

__all__ = ["DomainSnapshot"]


class DomainSnapshot(Handle):
    """
    A snapshot of a domain.

    @ivar _dom: the domain.
    """

    __slots__ = ("_dom",)

    def __init__(self, dom: Domain, _obj: Any = None) -> None:
        super().__init__(dom._conn, _obj)
        self._dom = dom

    def domain(self) -> Domain:
        """Return the domain."""
        return self._dom

    def getDomain(self) -> Domain:
        """Return the domain."""
        return self._dom

    def getConnect(self) -> Connect:
        """Return the connection."""
        return self._conn

    def getName(self) -> str:
        """Return the name."""
        name: str = self._ref[0]
        return name

    def getXMLDesc(self, flags: int = 0) -> Deferred[str]:
        """Fire with its definition: C{VIR_DOMAIN_SNAPSHOT_XML_*}."""
        return self._remote.domainSnapshotGetXMLDesc(self._ref, flags)

    def getParent(self, flags: int = 0) -> Deferred[DomainSnapshot]:
        """Fire with the snapshot it builds on."""
        return self._remote.domainSnapshotGetParent(self._ref, flags).addCallback(
            making(DomainSnapshot, self._dom)
        )

    def delete(self, flags: int = 0) -> Deferred[int]:
        """Delete it: C{VIR_DOMAIN_SNAPSHOT_DELETE_*}.  Fires with 0."""
        return self._remote.domainSnapshotDelete(self._ref, flags).addCallback(zero)

    def listAllChildren(self, flags: int = 0) -> Deferred[list[DomainSnapshot]]:
        """Fire with the snapshots that build on it."""
        return self._remote.domainSnapshotListAllChildren(self._ref, 1, flags).addCallback(
            makingAll(DomainSnapshot, self._dom)
        )

    def isCurrent(self, flags: int = 0) -> Deferred[int]:
        """Fire with 1 if it is the current snapshot, else 0."""
        return self._remote.domainSnapshotIsCurrent(self._ref, flags).addCallback(number)

    def hasMetadata(self, flags: int = 0) -> Deferred[int]:
        """Fire with 1 if the daemon keeps a definition of it, else 0."""
        return self._remote.domainSnapshotHasMetadata(self._ref, flags).addCallback(number)

    def numChildren(self, flags: int = 0) -> Deferred[int]:
        """Fire with how many snapshots build on it."""
        return self._remote.domainSnapshotNumChildren(self._ref, flags)

    @deferred
    async def listChildrenNames(self, flags: int = 0) -> list[str]:
        """Fire with the names of the snapshots that build on it."""
        count = await self._remote.domainSnapshotNumChildren(self._ref, flags)
        if not count:
            return []
        return list(await self._remote.domainSnapshotListChildrenNames(self._ref, count, flags))
