"""
Points in time that backups count changes from.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, DomainCheckpointRef, DomainRef


class IDomainCheckpoints(Interface):
    """Points in time that backups count changes from."""

    def domainCheckpointCreateXML(
        dom: DomainRef, xmlDesc: str, flags: int
    ) -> Answer[DomainCheckpointRef]:
        """virDomainCheckpointCreateXML."""

    def domainCheckpointGetXMLDesc(checkpoint: DomainCheckpointRef, flags: int) -> Answer[str]:
        """virDomainCheckpointGetXMLDesc."""

    def domainListAllCheckpoints(dom: DomainRef, flags: int) -> Answer[list[DomainCheckpointRef]]:
        """virDomainListAllCheckpoints."""

    def domainCheckpointListAllChildren(
        checkpoint: DomainCheckpointRef, flags: int
    ) -> Answer[list[DomainCheckpointRef]]:
        """virDomainCheckpointListAllChildren."""

    def domainCheckpointLookupByName(
        dom: DomainRef, name: str, flags: int
    ) -> Answer[DomainCheckpointRef]:
        """virDomainCheckpointLookupByName."""

    def domainCheckpointGetParent(
        checkpoint: DomainCheckpointRef, flags: int
    ) -> Answer[DomainCheckpointRef]:
        """virDomainCheckpointGetParent."""

    def domainCheckpointDelete(checkpoint: DomainCheckpointRef, flags: int) -> Answer[None]:
        """virDomainCheckpointDelete."""
