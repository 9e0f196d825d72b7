"""
Copies of disks while the guest runs.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, DomainRef


class IDomainBackup(Interface):
    """Copies of disks while the guest runs."""

    def domainBackupBegin(
        dom: DomainRef, backupXML: str, checkpointXML: str | None, flags: int
    ) -> Answer[None]:
        """virDomainBackupBegin."""

    def domainBackupGetXMLDesc(dom: DomainRef, flags: int) -> Answer[str]:
        """virDomainBackupGetXMLDesc."""
