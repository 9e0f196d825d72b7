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
        """
        Begin to note which blocks of disks change.

        @param xmlDesc: a C{<domaincheckpoint>} document; what it leaves out is chosen.
        @param flags: bitwise-OR of C{VIR_DOMAIN_CHECKPOINT_CREATE_*}.  C{REDEFINE} excludes
            C{QUIESCE}; C{REDEFINE_VALIDATE} only with C{REDEFINE}.
        """

    def domainCheckpointGetXMLDesc(checkpoint: DomainCheckpointRef, flags: int) -> Answer[str]:
        """
        Describe a checkpoint.

        @param flags: bitwise-OR of C{VIR_DOMAIN_CHECKPOINT_XML_*}; read-only callers may not ask
            for secrets.
        """

    def domainListAllCheckpoints(dom: DomainRef, flags: int) -> Answer[list[DomainCheckpointRef]]:
        """
        List the checkpoints of a domain.

        @param flags: bitwise-OR of C{VIR_DOMAIN_CHECKPOINT_LIST_*}; 0: all; C{ROOTS} (1): those
            that derive from none.
        @return: with C{TOPOLOGICAL} parents before children, else in any order; at most 16384.
        """

    def domainCheckpointListAllChildren(
        checkpoint: DomainCheckpointRef, flags: int
    ) -> Answer[list[DomainCheckpointRef]]:
        """
        List the checkpoints that derive from one.

        @param flags: as L{domainListAllCheckpoints}, but 1 is C{DESCENDANTS}: those that derive
            from these, too.
        """

    def domainCheckpointLookupByName(
        dom: DomainRef, name: str, flags: int
    ) -> Answer[DomainCheckpointRef]:
        """
        Find a checkpoint of a domain.

        @param flags: none yet.
        @raise VirtError: C{NO_DOMAIN_CHECKPOINT}: there is none.
        """

    def domainCheckpointGetParent(
        checkpoint: DomainCheckpointRef, flags: int
    ) -> Answer[DomainCheckpointRef]:
        """
        Find the checkpoint that one derives from.

        @param flags: none yet.
        @raise VirtError: C{NO_DOMAIN_CHECKPOINT}: it derives from none.
        """

    def domainCheckpointDelete(checkpoint: DomainCheckpointRef, flags: int) -> Answer[None]:
        """
        Forget a checkpoint; what it noted goes to its parent.

        @param flags: bitwise-OR of C{VIR_DOMAIN_CHECKPOINT_DELETE_*}; C{CHILDREN} and
            C{CHILDREN_ONLY} exclude each other.
        """
