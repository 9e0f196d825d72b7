"""
States of a domain kept to go back to.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, DomainRef, DomainSnapshotRef


class IDomainSnapshots(Interface):
    """States of a domain kept to go back to."""

    def domainSnapshotCreateXML(
        dom: DomainRef, xmlDesc: str, flags: int
    ) -> Answer[DomainSnapshotRef]:
        """virDomainSnapshotCreateXML."""

    def domainSnapshotGetXMLDesc(snap: DomainSnapshotRef, flags: int) -> Answer[str]:
        """virDomainSnapshotGetXMLDesc."""

    def domainSnapshotLookupByName(
        dom: DomainRef, name: str, flags: int
    ) -> Answer[DomainSnapshotRef]:
        """virDomainSnapshotLookupByName."""

    def domainSnapshotCurrent(dom: DomainRef, flags: int) -> Answer[DomainSnapshotRef]:
        """virDomainSnapshotCurrent."""

    def domainRevertToSnapshot(snap: DomainSnapshotRef, flags: int) -> Answer[None]:
        """virDomainRevertToSnapshot."""

    def domainSnapshotDelete(snap: DomainSnapshotRef, flags: int) -> Answer[None]:
        """virDomainSnapshotDelete."""

    def domainSnapshotGetParent(snap: DomainSnapshotRef, flags: int) -> Answer[DomainSnapshotRef]:
        """virDomainSnapshotGetParent."""

    def domainSnapshotIsCurrent(snap: DomainSnapshotRef, flags: int) -> Answer[bool]:
        """virDomainSnapshotIsCurrent."""

    def domainSnapshotHasMetadata(snap: DomainSnapshotRef, flags: int) -> Answer[bool]:
        """virDomainSnapshotHasMetadata."""

    def domainListAllSnapshots(dom: DomainRef, flags: int) -> Answer[list[DomainSnapshotRef]]:
        """virDomainListAllSnapshots."""

    def domainSnapshotListAllChildren(
        snapshot: DomainSnapshotRef, flags: int
    ) -> Answer[list[DomainSnapshotRef]]:
        """virDomainSnapshotListAllChildren."""
