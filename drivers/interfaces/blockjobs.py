"""
Long operations on a disk of a running guest.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, BlockJobInfo, DomainRef, TypedParam


class IDomainBlockJobs(Interface):
    """Long operations on a disk of a running guest."""

    def domainBlockJobAbort(dom: DomainRef, path: str, flags: int) -> Answer[None]:
        """virDomainBlockJobAbort."""

    def domainGetBlockJobInfo(dom: DomainRef, path: str, flags: int) -> Answer[BlockJobInfo]:
        """virDomainGetBlockJobInfo."""

    def domainBlockJobSetSpeed(
        dom: DomainRef, path: str, bandwidth: int, flags: int
    ) -> Answer[None]:
        """virDomainBlockJobSetSpeed."""

    def domainBlockPull(dom: DomainRef, path: str, bandwidth: int, flags: int) -> Answer[None]:
        """virDomainBlockPull."""

    def domainBlockRebase(
        dom: DomainRef, path: str, base: str | None, bandwidth: int, flags: int
    ) -> Answer[None]:
        """virDomainBlockRebase."""

    def domainBlockCommit(
        dom: DomainRef, disk: str, base: str | None, top: str | None, bandwidth: int, flags: int
    ) -> Answer[None]:
        """virDomainBlockCommit."""

    def domainBlockCopy(
        dom: DomainRef, path: str, destxml: str, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """virDomainBlockCopy."""

    def domainSetBlockThreshold(
        dom: DomainRef, dev: str, threshold: int, flags: int
    ) -> Answer[None]:
        """virDomainSetBlockThreshold."""
