"""
Snapshots: taking them, going back to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pyvirt import constants as c
from pyvirt.definitions.domain import checkABIStability
from pyvirt.drivers.interfaces.values import DomainRef, DomainSnapshotRef
from pyvirt.drivers.moments import Moments
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.refusals import (
    checkFlags,
    internal,
    invalidArgument,
    operationInvalid,
)
from pyvirt.drivers.test.snapshotdefs import (
    STATES,
    Snapshot,
    fitted,
    formatSnapshot,
    parseSnapshot,
)
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["DomainSnapshots"]

_LIST_FLAGS = 0x7FF
_CREATE_FLAGS = (
    c.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
    | c.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
    | c.VIR_DOMAIN_SNAPSHOT_CREATE_HALT
    | c.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE
    | c.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
    | c.VIR_DOMAIN_SNAPSHOT_CREATE_LIVE
    | c.VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE
)
_REVERT_FLAGS = (
    c.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING
    | c.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED
    | c.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE
)
_BOOT_FLAGS = c.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING | c.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED


def _missing(detail: str) -> VirtError:
    return virtError(ErrorCode.NO_DOMAIN_SNAPSHOT, detail, ErrorDomain.TEST)


def _passing(
    moments: Moments[Snapshot], found: Iterable[Snapshot], flags: int
) -> Iterable[Snapshot]:
    """Let those pass that any flag of each group of filters lets; none is a leaf and not a leaf."""
    leaves = c.VIR_DOMAIN_SNAPSHOT_LIST_LEAVES | c.VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES
    if flags & leaves == leaves:
        return []
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
            c.VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE: lambda each: (
                each.state not in ("shutoff", "disk-snapshot")
            ),
            c.VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY: lambda each: each.state == "disk-snapshot",
        },
        {
            c.VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL: lambda each: not each.external,
            c.VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL: lambda each: each.external,
        },
    )
    for group in groups:
        given = [test for flag, test in group.items() if flags & flag]
        if given:
            found = [each for each in found if any(test(each) for test in given)]
    return found


class DomainSnapshots:
    """Takes, tells of and goes back to snapshots."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._find = world.domains.find

    def _moments(self, dom: DomainRef) -> tuple[Domain, Moments[Snapshot]]:
        domain = self._find(dom)
        return domain, domain.extra.snapshots

    def _snapshot(self, snap: DomainSnapshotRef) -> tuple[Domain, Moments[Snapshot], Snapshot]:
        domain, moments = self._moments(snap.dom)
        return domain, moments, self._named(moments, snap.name)

    @staticmethod
    def _named(moments: Moments[Snapshot], name: str) -> Snapshot:
        found = moments.get(name)
        if found is None:
            raise _missing(f"no domain snapshot with matching name '{name}'")
        return found

    def domainListAllSnapshots(self, dom: DomainRef, flags: int) -> list[DomainSnapshotRef]:
        """List the snapshots that pass the filters; with C{ROOTS} only those that come after none."""
        checkFlags("testDomainListAllSnapshots", flags, _LIST_FLAGS)
        _, moments = self._moments(dom)
        found: Iterable[Snapshot] = moments
        if flags & c.VIR_DOMAIN_SNAPSHOT_LIST_ROOTS:
            found = moments.children(None)
        return [DomainSnapshotRef(each.name, dom) for each in _passing(moments, found, flags)]

    def domainSnapshotListAllChildren(
        self, snapshot: DomainSnapshotRef, flags: int
    ) -> list[DomainSnapshotRef]:
        """List what comes right after a snapshot; with C{DESCENDANTS} all that comes after it."""
        checkFlags("testDomainSnapshotListAllChildren", flags, _LIST_FLAGS)
        _, moments, own = self._snapshot(snapshot)
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
        checkFlags("testDomainSnapshotLookupByName", flags)
        _, moments = self._moments(dom)
        return DomainSnapshotRef(self._named(moments, name).name, dom)

    def domainSnapshotCurrent(self, dom: DomainRef, flags: int) -> DomainSnapshotRef:
        """Find the snapshot that was taken or gone back to last."""
        checkFlags("testDomainSnapshotCurrent", flags)
        _, moments = self._moments(dom)
        if moments.current is None:
            raise _missing("the domain does not have a current snapshot")
        return DomainSnapshotRef(moments.current, dom)

    def domainSnapshotGetParent(self, snap: DomainSnapshotRef, flags: int) -> DomainSnapshotRef:
        """Find what a snapshot comes after."""
        checkFlags("testDomainSnapshotGetParent", flags)
        _, _, own = self._snapshot(snap)
        if own.parent is None:
            raise _missing(f"snapshot '{own.name}' does not have a parent")
        return DomainSnapshotRef(own.parent, snap.dom)

    def domainSnapshotIsCurrent(self, snap: DomainSnapshotRef, flags: int) -> bool:
        """Whether it was taken or gone back to last."""
        checkFlags("testDomainSnapshotIsCurrent", flags)
        _, moments, own = self._snapshot(snap)
        return moments.current == own.name

    def domainSnapshotHasMetadata(self, snap: DomainSnapshotRef, flags: int) -> bool:
        """Every snapshot is known by its metadata."""
        checkFlags("testDomainSnapshotHasMetadata", flags)
        self._snapshot(snap)
        return True

    def domainSnapshotGetXMLDesc(self, snap: DomainSnapshotRef, flags: int) -> str:
        """Write a snapshot."""
        checkFlags("testDomainSnapshotGetXMLDesc", flags, c.VIR_DOMAIN_SNAPSHOT_XML_SECURE)
        domain, _, own = self._snapshot(snap)
        return formatSnapshot(
            own, domain.uuid, secure=bool(flags & c.VIR_DOMAIN_SNAPSHOT_XML_SECURE)
        )

    def domainSnapshotCreateXML(
        self, dom: DomainRef, xmlDesc: str, flags: int
    ) -> DomainSnapshotRef:
        """Take a snapshot, or write down one that was taken."""
        checkFlags("testDomainSnapshotCreateXML", flags, _CREATE_FLAGS)
        domain, moments = self._moments(dom)
        if len(domain.extra.checkpoints):
            raise virtError(
                ErrorCode.OPERATION_UNSUPPORTED,
                "cannot create snapshot while checkpoint exists",
                ErrorDomain.TEST,
            )
        redefine = bool(flags & c.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)
        if flags & c.VIR_DOMAIN_SNAPSHOT_CREATE_HALT and not redefine and not domain.persistent:
            raise operationInvalid("cannot halt after transient domain snapshot")
        world = self._world
        snapshot = parseSnapshot(
            xmlDesc, redefine=redefine, now=world.now() // 1000000, random=world.random
        )
        if redefine:
            self._redefine(domain, moments, snapshot)
            if flags & c.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT:
                moments.current = snapshot.name
            return DomainSnapshotRef(snapshot.name, dom)
        snapshot.domain = domain.definition
        if snapshot.memory == "external":
            snapshot.state = STATES[domain.state] if domain.active else "shutoff"
            fitted(snapshot, domain.definition, "external")
        else:
            snapshot.state = STATES[domain.state]
            snapshot.memory = "internal" if domain.active else "no"
            fitted(snapshot, domain.definition, "internal")
        snapshot.parent = moments.current
        moments.add(snapshot)
        moments.current = snapshot.name
        if flags & c.VIR_DOMAIN_SNAPSHOT_CREATE_HALT and domain.active:
            ref = world.stop(domain, c.VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT)
            world.tell(
                domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT, ref
            )
            dom = dom._replace(id=-1)
        return DomainSnapshotRef(snapshot.name, dom)

    def _redefine(self, domain: Domain, moments: Moments[Snapshot], snapshot: Snapshot) -> None:
        """Put in a snapshot that was taken, in the place of one of that name if there is one."""
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
        old = moments.get(name)
        if snapshot.domain is not None and snapshot.domain.uuid != domain.uuid:
            from pyvirt.definitions.uuids import formatUUID

            raise invalidArgument(
                f"definition for snapshot {name} must use uuid {formatUUID(domain.uuid)}",
                ErrorDomain.DOMAIN_SNAPSHOT,
            )
        if old is not None:
            offline = ("shutoff", "disk-snapshot")
            if (old.state in offline) != (snapshot.state in offline):
                raise invalidArgument(
                    f"cannot change between online and offline snapshot state in snapshot {name}",
                    ErrorDomain.DOMAIN_SNAPSHOT,
                )
            if snapshot.domain is None:
                snapshot.domain = old.domain
            elif old.domain is not None:
                checkABIStability(old.domain, snapshot.domain)
        if snapshot.domain is None:
            raise internal("missing domain in snapshot", ErrorDomain.DOMAIN_SNAPSHOT)
        fitted(snapshot, snapshot.domain, "external" if snapshot.external else "internal")
        moments.replace(snapshot)

    def domainSnapshotDelete(self, snap: DomainSnapshotRef, flags: int) -> None:
        """Forget a snapshot, with what comes after it, or only what comes after it."""
        checkFlags(
            "testDomainSnapshotDelete",
            flags,
            c.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN | c.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY,
        )
        _, moments, own = self._snapshot(snap)
        only = bool(flags & c.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY)
        if flags:
            moments.removeBelow(own)
        if not only:
            moments.remove(own)

    def domainRevertToSnapshot(self, snap: DomainSnapshotRef, flags: int) -> None:
        """Go back to a snapshot: what the domain was, and whether it ran, or what flags say of that."""
        checkFlags("testDomainRevertToSnapshot", flags, _REVERT_FLAGS)
        domain, moments, own = self._snapshot(snap)
        ran = own.state in ("running", "paused")
        if not domain.persistent and not ran and not flags & _BOOT_FLAGS:
            raise operationInvalid(
                "transient domain needs to request run or pause to revert to inactive snapshot"
            )
        if own.domain is None:
            raise virtError(
                ErrorCode.SNAPSHOT_REVERT_RISKY,
                f"snapshot '{own.name}' lacks domain '{domain.ref.name}' rollback info",
                ErrorDomain.TEST,
            )
        world = self._world
        moments.current = own.name
        # One that is not defined goes on as it was; only when it stops it is what it was then.
        wasTransient = domain.active and domain.pending is None
        if domain.active:
            ref = world.stop(domain, c.VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT)
            world.tell(
                domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT, ref
            )
        if wasTransient:
            domain.pending = own.domain
        else:
            domain.definition = own.domain
        if not ran and not flags & _BOOT_FLAGS:
            return
        paused = bool(flags & c.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED) or (
            own.state == "paused" and not flags & c.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING
        )
        if ran:
            world.start(domain, c.VIR_DOMAIN_RUNNING_FROM_SNAPSHOT)
            if paused:
                domain.state = c.VIR_DOMAIN_PAUSED
                domain.reason = c.VIR_DOMAIN_PAUSED_FROM_SNAPSHOT
        # Of a domain that did not run it is only told that it does.
        world.tell(domain, c.VIR_DOMAIN_EVENT_STARTED, c.VIR_DOMAIN_EVENT_STARTED_FROM_SNAPSHOT)
        if paused:
            world.tell(
                domain,
                c.VIR_DOMAIN_EVENT_SUSPENDED,
                c.VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT,
            )
