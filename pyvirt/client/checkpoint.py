"""
A domain's checkpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from pyvirt.client.handle import Handle
from pyvirt.client.shapes import making, makingAll, zero

if TYPE_CHECKING:
    from pyvirt.client.connect import Connect
    from pyvirt.client.domain import Domain

__all__ = ["DomainCheckpoint"]


class DomainCheckpoint(Handle):
    """
    A checkpoint of a domain.

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
        """Fire with its definition: C{VIR_DOMAIN_CHECKPOINT_XML_*}."""
        return self._remote.domainCheckpointGetXMLDesc(self._ref, flags)

    def getParent(self, flags: int = 0) -> Deferred[DomainCheckpoint]:
        """Fire with the checkpoint it builds on."""
        return self._remote.domainCheckpointGetParent(self._ref, flags).addCallback(
            making(DomainCheckpoint, self._dom)
        )

    def delete(self, flags: int = 0) -> Deferred[int]:
        """Delete it: C{VIR_DOMAIN_CHECKPOINT_DELETE_*}.  Fires with 0."""
        return self._remote.domainCheckpointDelete(self._ref, flags).addCallback(zero)

    def listAllChildren(self, flags: int = 0) -> Deferred[list[DomainCheckpoint]]:
        """Fire with the checkpoints that build on it."""
        return self._remote.domainCheckpointListAllChildren(self._ref, 1, flags).addCallback(
            makingAll(DomainCheckpoint, self._dom)
        )
