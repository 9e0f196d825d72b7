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
        """
        Keep a domain's state.

        @param xmlDesc: a C{<domainsnapshot>} document; what it leaves out is chosen.
        @param flags: bitwise-OR of C{VIR_DOMAIN_SNAPSHOT_CREATE_*}.  C{CURRENT} only with
            C{REDEFINE}, which excludes C{NO_METADATA} and C{HALT}.
        @return: fires when the state is kept.
        """

    def domainSnapshotGetXMLDesc(snap: DomainSnapshotRef, flags: int) -> Answer[str]:
        """
        Describe a snapshot.

        @param flags: C{VIR_DOMAIN_SNAPSHOT_XML_SECURE}: with secrets, which read-only callers may
            not ask for.
        """

    def domainSnapshotLookupByName(
        dom: DomainRef, name: str, flags: int
    ) -> Answer[DomainSnapshotRef]:
        """
        Find a snapshot of a domain.

        @param flags: none yet.
        @raise VirtError: C{NO_DOMAIN_SNAPSHOT}: there is none.
        """

    def domainSnapshotCurrent(dom: DomainRef, flags: int) -> Answer[DomainSnapshotRef]:
        """
        Find the snapshot that a domain's state derives from.

        @param flags: none yet.
        @raise VirtError: C{NO_DOMAIN_SNAPSHOT}: there is none; callers that only ask whether there
            is one are told so.
        """

    def domainRevertToSnapshot(snap: DomainSnapshotRef, flags: int) -> Answer[None]:
        """
        Go back to a state.

        @param flags: bitwise-OR of C{VIR_DOMAIN_SNAPSHOT_REVERT_*}; C{RUNNING} and C{PAUSED}
            exclude each other.
        """

    def domainSnapshotDelete(snap: DomainSnapshotRef, flags: int) -> Answer[None]:
        """
        Forget a state.

        @param flags: bitwise-OR of C{VIR_DOMAIN_SNAPSHOT_DELETE_*}; C{CHILDREN} and
            C{CHILDREN_ONLY} exclude each other.
        """

    def domainSnapshotGetParent(snap: DomainSnapshotRef, flags: int) -> Answer[DomainSnapshotRef]:
        """
        Find the snapshot that one derives from.

        @param flags: none yet.
        @raise VirtError: C{NO_DOMAIN_SNAPSHOT}: it derives from none.
        """

    def domainSnapshotIsCurrent(snap: DomainSnapshotRef, flags: int) -> Answer[bool]:
        """
        Whether the domain's state derives from this one.

        @param flags: none yet.
        """

    def domainSnapshotHasMetadata(snap: DomainSnapshotRef, flags: int) -> Answer[bool]:
        """
        Whether something is kept about the snapshot that undefining the domain would lose.

        @param flags: none yet.
        """

    def domainListAllSnapshots(dom: DomainRef, flags: int) -> Answer[list[DomainSnapshotRef]]:
        """
        List the snapshots of a domain.

        @param flags: bitwise-OR of C{VIR_DOMAIN_SNAPSHOT_LIST_*}; 0: all; C{ROOTS} (1): those that
            derive from none.
        @return: with C{TOPOLOGICAL} parents before children, else in any order; at most 16384.
        """

    def domainSnapshotListAllChildren(
        snapshot: DomainSnapshotRef, flags: int
    ) -> Answer[list[DomainSnapshotRef]]:
        """
        List the snapshots that derive from one.

        @param flags: as L{domainListAllSnapshots}, but 1 is C{DESCENDANTS}: those that derive from
            these, too.
        """
