"""
Snapshots: taking them, going back to them.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition, completed, parseDomain
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.snapshot import STATES, parseSnapshot
from pyvirt.definitions.validation import validate
from pyvirt.drivers.interfaces.values import DomainRef, DomainSnapshotRef
from pyvirt.drivers.moments import Moments
from pyvirt.drivers.snapshots import Snapshot, SnapshotLookups, redefine
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.refusals import (
    REFUSALS,
    checkFlags,
    operationInvalid,
    operationUnsupported,
)
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["DomainSnapshots", "readSnapshot"]

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


def readSnapshot(world: World, xml: str, *, redefine: bool) -> Snapshot:
    """
    Read a snapshot that is to be taken, or one that was taken.

    @raise VirtError: the document is wrong.
    """

    def whole(text: str) -> DomainDefinition:
        return completed(parseDomain(text), random=world.random)

    now = world.now() // 1000000
    found = parseSnapshot(xml, redefine=redefine, now=now, domain=whole)
    # Guests of this driver depend on nothing else.
    return Snapshot.of(replaced(found, cookie=None))


class DomainSnapshots(SnapshotLookups[Domain]):
    """Takes, tells of and goes back to snapshots."""

    driver = "test"
    refusals = REFUSALS

    def __init__(self, world: World) -> None:
        self._world = world

    def domainOf(self, dom: DomainRef) -> Domain:
        """Find a domain."""
        return self._world.domains.find(dom)

    def momentsOf(self, domain: Domain) -> Moments[Snapshot]:
        """Return the snapshots of a domain."""
        return domain.extra.snapshots

    def domainSnapshotCreateXML(
        self, dom: DomainRef, xmlDesc: str, flags: int
    ) -> DomainSnapshotRef:
        """Take a snapshot, or write down one that was taken."""
        checkFlags("testDomainSnapshotCreateXML", flags, _CREATE_FLAGS)
        domain = self.domainOf(dom)
        moments = self.momentsOf(domain)
        if len(domain.extra.checkpoints):
            raise virtError(
                ErrorCode.OPERATION_UNSUPPORTED,
                "cannot create snapshot while checkpoint exists",
                ErrorDomain.TEST,
            )
        taken = bool(flags & c.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)
        if flags & c.VIR_DOMAIN_SNAPSHOT_CREATE_HALT and not taken and not domain.persistent:
            raise operationInvalid("cannot halt after transient domain snapshot")
        world = self._world
        if flags & c.VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE:
            validate("snapshot", xmlDesc)
        snapshot = readSnapshot(world, xmlDesc, redefine=taken)
        if taken:
            redefine(moments, snapshot, domain.uuid, stable=True)
            if flags & c.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT:
                moments.current = snapshot.name
            return DomainSnapshotRef(snapshot.name, dom)
        if any(disk.snapshot == "manual" for disk in snapshot.disks):
            raise operationUnsupported("'manual' snapshot mode is not supported by the test driver")
        beside = snapshot.memory == "external"
        snapshot.change(
            domain=world.written(domain.definition),
            state=STATES[domain.state] if domain.active or not beside else "shutoff",
        )
        if not beside:
            snapshot.keepMemory("internal" if domain.active else "no")
        snapshot.align("external" if beside else "internal")
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

    def domainSnapshotDelete(self, snap: DomainSnapshotRef, flags: int) -> None:
        """Forget a snapshot, with what comes after it, or only what comes after it."""
        checkFlags(
            "testDomainSnapshotDelete",
            flags,
            c.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN | c.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY,
        )
        domain, own = self.snapshotOf(snap)
        moments = self.momentsOf(domain)
        only = bool(flags & c.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY)
        if flags:
            moments.removeBelow(own)
        if not only:
            moments.remove(own)

    def domainRevertToSnapshot(self, snap: DomainSnapshotRef, flags: int) -> None:
        """Go back to a snapshot: what the domain was, and whether it ran, or what flags say of that."""
        checkFlags("testDomainRevertToSnapshot", flags, _REVERT_FLAGS)
        domain, own = self.snapshotOf(snap)
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
        self.momentsOf(domain).current = own.name
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
