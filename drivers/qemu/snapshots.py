"""
Snapshots as clients see them: finding, describing, and where the work of taking, reverting and deleting begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.uuids import formatUUID
from pyvirt.definitions.validation import validate
from pyvirt.drivers.interfaces.values import DomainRef, DomainSnapshotRef
from pyvirt.drivers.moments import Moments
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.momentfiles import saveMoments
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    exclusiveFlags,
    internal,
    invalidArgument,
    operationInvalid,
)
from pyvirt.drivers.qemu.snapshotdefs import (
    OFFLINE,
    Snapshot,
    fitted,
    formatSnapshot,
    parseSnapshot,
)
from pyvirt.errors import ErrorCode, ErrorDomain, InvalidArgument, VirtError, virtError

__all__ = ["DomainSnapshots"]

_LIST_FLAGS = 0x7FF
_REDEFINE = c.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
_DISK_ONLY = c.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
_CREATE_FLAGS = (
    _REDEFINE
    | c.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
    | c.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
    | c.VIR_DOMAIN_SNAPSHOT_CREATE_HALT
    | _DISK_ONLY
    | c.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT
    | c.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE
    | c.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
    | c.VIR_DOMAIN_SNAPSHOT_CREATE_LIVE
    | c.VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE
)


def missing(detail: str) -> VirtError:
    """Make the error of a snapshot that is not there."""
    return virtError(ErrorCode.NO_DOMAIN_SNAPSHOT, detail, ErrorDomain.QEMU)


def _passing(
    moments: Moments[Snapshot], found: Iterable[Snapshot], flags: int
) -> Iterable[Snapshot]:
    """Let those pass that any flag of each group of filters lets."""
    groups: tuple[dict[int, Callable[[Snapshot], bool]], ...] = (
        {
            c.VIR_DOMAIN_SNAPSHOT_LIST_METADATA: lambda each: True,
            c.VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA: lambda each: False,
        },
        {
            c.VIR_DOMAIN_SNAPSHOT_LIST_LEAVES: moments.isLeaf,
            c.VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES: lambda each: not moments.isLeaf(each),
        },
        {
            c.VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE: lambda each: each.state == "shutoff",
            c.VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE: lambda each: each.state not in OFFLINE,
            c.VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY: lambda each: each.state == "disk-snapshot",
        },
        {
            c.VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL: lambda each: not each.external,
            c.VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL: lambda each: each.external,
        },
    )
    leaves = c.VIR_DOMAIN_SNAPSHOT_LIST_LEAVES | c.VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES
    if flags & leaves == leaves:
        return []
    for group in groups:
        given = [test for flag, test in group.items() if flags & flag]
        if given:
            found = [each for each in found if any(test(each) for test in given)]
    return found


def required(flags: int, one: tuple[str, int], other: tuple[str, int]) -> None:
    """Refuse a flag that is nothing without another."""
    if flags & one[1] and not flags & other[1]:
        raise InvalidArgument(
            f"Flag '{other[0]}' is required by flag '{one[0]}'",
            domain=ErrorDomain.QEMU,
            str1="qemuSnapshotCreateXML",
            str2="flags",
            int1=0,
            int2=0,
        )


class DomainSnapshots:
    """Takes, tells of, goes back to and deletes snapshots."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._find = hypervisor.domains.find

    def _snapshot(self, snap: DomainSnapshotRef) -> tuple[Domain, Snapshot]:
        domain = self._find(snap.dom)
        return domain, self._named(domain, snap.name)

    @staticmethod
    def _named(domain: Domain, name: str) -> Snapshot:
        found = domain.snapshots.get(name)
        if found is None:
            raise missing(f"no domain snapshot with matching name '{name}'")
        return found

    def domainListAllSnapshots(self, dom: DomainRef, flags: int) -> list[DomainSnapshotRef]:
        """List the snapshots that pass the filters; with C{ROOTS} only those that come after none."""
        checkFlags("qemuDomainListAllSnapshots", flags, _LIST_FLAGS)
        moments = self._find(dom).snapshots
        found: Iterable[Snapshot] = moments
        if flags & c.VIR_DOMAIN_SNAPSHOT_LIST_ROOTS:
            found = moments.children(None)
        return [DomainSnapshotRef(each.name, dom) for each in _passing(moments, found, flags)]

    def domainSnapshotListAllChildren(
        self, snapshot: DomainSnapshotRef, flags: int
    ) -> list[DomainSnapshotRef]:
        """List what comes right after a snapshot; with C{DESCENDANTS} all that comes after it."""
        checkFlags("qemuDomainSnapshotListAllChildren", flags, _LIST_FLAGS)
        domain, own = self._snapshot(snapshot)
        moments = domain.snapshots
        found: Iterable[Snapshot] = moments.children(own.name)
        if flags & c.VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS:
            found = moments.below(own.name)
        return [
            DomainSnapshotRef(each.name, snapshot.dom) for each in _passing(moments, found, flags)
        ]

    def domainSnapshotLookupByName(
        self, dom: DomainRef, name: str, flags: int
    ) -> DomainSnapshotRef:
        """Find a snapshot."""
        checkFlags("qemuDomainSnapshotLookupByName", flags)
        return DomainSnapshotRef(self._named(self._find(dom), name).name, dom)

    def domainSnapshotCurrent(self, dom: DomainRef, flags: int) -> DomainSnapshotRef:
        """Find the snapshot that was taken or gone back to last."""
        checkFlags("qemuDomainSnapshotCurrent", flags)
        current = self._find(dom).snapshots.current
        if current is None:
            raise missing("the domain does not have a current snapshot")
        return DomainSnapshotRef(current, dom)

    def domainSnapshotGetParent(self, snap: DomainSnapshotRef, flags: int) -> DomainSnapshotRef:
        """Find what a snapshot comes after."""
        checkFlags("qemuDomainSnapshotGetParent", flags)
        _, own = self._snapshot(snap)
        if own.parent is None:
            raise missing(f"snapshot '{own.name}' does not have a parent")
        return DomainSnapshotRef(own.parent, snap.dom)

    def domainSnapshotIsCurrent(self, snap: DomainSnapshotRef, flags: int) -> bool:
        """Whether it was taken or gone back to last."""
        checkFlags("qemuDomainSnapshotIsCurrent", flags)
        domain, own = self._snapshot(snap)
        return domain.snapshots.current == own.name

    def domainSnapshotHasMetadata(self, snap: DomainSnapshotRef, flags: int) -> bool:
        """Every snapshot that is known is known by its metadata."""
        checkFlags("qemuDomainSnapshotHasMetadata", flags)
        self._snapshot(snap)
        return True

    def domainSnapshotGetXMLDesc(self, snap: DomainSnapshotRef, flags: int) -> str:
        """Write a snapshot."""
        checkFlags("qemuDomainSnapshotGetXMLDesc", flags, c.VIR_DOMAIN_SNAPSHOT_XML_SECURE)
        domain, own = self._snapshot(snap)
        secure = bool(flags & c.VIR_DOMAIN_SNAPSHOT_XML_SECURE)
        return formatSnapshot(own, domain.uuid, secure=secure)

    async def domainSnapshotCreateXML(
        self, dom: DomainRef, xmlDesc: str, flags: int
    ) -> DomainSnapshotRef:
        """Take a snapshot, or write down one that was taken."""
        from pyvirt.drivers.qemu.snapshottaking import take

        checkFlags("qemuSnapshotCreateXML", flags, _CREATE_FLAGS)
        required(
            flags,
            (
                "VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE",
                c.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE,
            ),
            ("VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY", _DISK_ONLY),
        )
        exclusiveFlags(
            "qemuSnapshotCreateXML",
            flags,
            ("VIR_DOMAIN_SNAPSHOT_CREATE_LIVE", c.VIR_DOMAIN_SNAPSHOT_CREATE_LIVE),
            ("VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE", _REDEFINE),
        )
        domain = self._find(dom)
        redefine = bool(flags & _REDEFINE)
        if flags & c.VIR_DOMAIN_SNAPSHOT_CREATE_HALT and not domain.persistent:
            raise operationInvalid("cannot halt after transient domain snapshot")
        if flags & c.VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE:
            validate("snapshot", xmlDesc)
        hypervisor = self._hypervisor
        offline = bool(flags & _DISK_ONLY) or not domain.active
        now = int(hypervisor.clock.seconds())
        snapshot = parseSnapshot(xmlDesc, redefine=redefine, offline=offline, now=now)
        name = snapshot.name
        if "/" in name:
            raise _badName(name, "name can't contain '/'")
        if name.startswith("."):
            raise _badName(name, "name can't start with '.'")
        if redefine:
            async with domain.jobs.change("remoteDispatchDomainSnapshotCreateXML"):
                self._redefine(domain, snapshot, flags)
        else:
            await take(hypervisor, domain, snapshot, flags)
        return DomainSnapshotRef(name, domain.ref)

    def _redefine(self, domain: Domain, snapshot: Snapshot, flags: int) -> None:
        """Put in a snapshot that was taken, in the place of one of that name if there is one."""
        moments = domain.snapshots
        name, parent = snapshot.name, snapshot.parent
        if parent is not None:
            if parent == name:
                raise invalidArgument(
                    f"cannot set moment {name} as its own parent", ErrorDomain.DOMAIN
                )
            if moments.get(parent) is None:
                raise invalidArgument(
                    f"parent {parent} for moment {name} not found", ErrorDomain.DOMAIN
                )
            if any(each.name == parent for each in moments.below(name)):
                raise invalidArgument(
                    f"parent {parent} would create cycle to {name}", ErrorDomain.DOMAIN
                )
        if snapshot.domain is not None and snapshot.domain.uuid != domain.uuid:
            raise invalidArgument(
                f"definition for snapshot {name} must use uuid {formatUUID(domain.uuid)}",
                ErrorDomain.DOMAIN_SNAPSHOT,
            )
        old = moments.get(name)
        if old is not None:
            if (old.state in OFFLINE) != (snapshot.state in OFFLINE):
                raise invalidArgument(
                    f"cannot change between online and offline snapshot state in snapshot {name}",
                    ErrorDomain.DOMAIN_SNAPSHOT,
                )
            if snapshot.domain is None:
                snapshot.domain, snapshot.inactive = old.domain, old.inactive
        if snapshot.domain is None:
            raise internal("missing domain in snapshot", ErrorDomain.DOMAIN_SNAPSHOT)
        location = (
            "external" if snapshot.external or snapshot.state == "disk-snapshot" else "internal"
        )
        fitted(snapshot, snapshot.domain, location, location == "internal")
        before = moments.current
        moments.replace(snapshot)
        changed = [snapshot]
        if flags & c.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT and before != name:
            moments.current = name
            last = moments.get(before) if before is not None else None
            if last is not None:
                changed.append(last)
        saveMoments(self._hypervisor, domain, "snapshots", *changed)

    async def domainRevertToSnapshot(self, snap: DomainSnapshotRef, flags: int) -> None:
        """Go back to a snapshot: what the domain was, and whether it ran, or what flags say of that."""
        from pyvirt.drivers.qemu.snapshotreverting import revert

        checkFlags(
            "qemuSnapshotRevert",
            flags,
            c.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING
            | c.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED
            | c.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE
            | 8,  # C{RESET_NVRAM}
        )
        domain, own = self._snapshot(snap)
        async with domain.jobs.change("remoteDispatchDomainRevertToSnapshot"):
            await revert(self._hypervisor, domain, self._named(domain, own.name), flags)

    async def domainSnapshotDelete(self, snap: DomainSnapshotRef, flags: int) -> None:
        """Delete a snapshot, with what comes after it, or only what comes after it."""
        from pyvirt.drivers.qemu.snapshotdeleting import delete

        checkFlags(
            "qemuSnapshotDelete",
            flags,
            c.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN
            | c.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY
            | c.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY,
        )
        domain, own = self._snapshot(snap)
        async with domain.jobs.change("remoteDispatchDomainSnapshotDelete"):
            await delete(self._hypervisor, domain, self._named(domain, own.name), flags)


def _badName(name: str, why: str) -> VirtError:
    return virtError(
        ErrorCode.XML_DETAIL, f"invalid snapshot name '{name}': {why}", ErrorDomain.QEMU
    )
