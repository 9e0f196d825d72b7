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
        """
        Start to back up disks of a running guest, to files or for a client to fetch.

        @param backupXML: a C{<domainbackup>} document.
        @param checkpointXML: a C{<domaincheckpoint>} to make at the same moment; None: none.
        @param flags: bitwise-OR of C{VIR_DOMAIN_BACKUP_BEGIN_*}.
        @return: fires when the backup has started; an event tells how it ends.
        """

    def domainBackupGetXMLDesc(dom: DomainRef, flags: int) -> Answer[str]:
        """
        Describe the backup that is under way.

        @param flags: none yet.
        @raise VirtError: C{NO_DOMAIN_BACKUP}: none is.
        """
