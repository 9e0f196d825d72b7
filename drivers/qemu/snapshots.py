"""
Snapshots as clients see them: finding, describing, and where the work of taking, reverting and deleting begins.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.snapshot import parseSnapshot
from pyvirt.definitions.validation import validate
from pyvirt.drivers.interfaces.values import DomainRef, DomainSnapshotRef
from pyvirt.drivers.moments import Moments
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.momentfiles import saveMoments
from pyvirt.drivers.qemu.refusals import (
    REFUSALS,
    checkFlags,
    exclusiveFlags,
    internal,
    operationInvalid,
    operationUnsupported,
)
from pyvirt.drivers.snapshots import Snapshot, SnapshotLookups, redefine
from pyvirt.errors import ErrorCode, ErrorDomain, InvalidArgument, VirtError, virtError

__all__ = ["DomainSnapshots"]

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


class DomainSnapshots(SnapshotLookups[Domain]):
    """Takes, tells of, goes back to and deletes snapshots."""

    driver = "qemu"
    refusals = REFUSALS

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor

    def domainOf(self, dom: DomainRef) -> Domain:
        """Find a domain."""
        return self._hypervisor.domains.find(dom)

    def momentsOf(self, domain: Domain) -> Moments[Snapshot]:
        """Return the snapshots of a domain."""
        return domain.snapshots

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
        domain = self.domainOf(dom)
        taken = bool(flags & _REDEFINE)
        if not domain.active and len(domain.checkpoints):
            raise operationUnsupported("cannot perform block operations while checkpoint exists")
        if flags & c.VIR_DOMAIN_SNAPSHOT_CREATE_HALT and not domain.persistent:
            raise operationInvalid("cannot halt after transient domain snapshot")
        if flags & c.VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE:
            validate("snapshot", xmlDesc)
        hypervisor = self._hypervisor
        offline = bool(flags & _DISK_ONLY) or not domain.active
        now = int(hypervisor.clock.seconds())
        found = parseSnapshot(xmlDesc, redefine=taken, offline=offline, now=now)
        for each in ("domain", "inactive") if taken else ():
            definition = getattr(found, each)
            if definition is not None:
                found = replaced(found, **{each: await hypervisor.completed(definition)})
        snapshot = Snapshot.of(found)
        name = snapshot.name
        if "/" in name:
            raise _badName(name, "name can't contain '/'")
        if name.startswith("."):
            raise _badName(name, "name can't start with '.'")
        if taken:
            if found.state == "pmsuspended":
                raise operationUnsupported(
                    "qemu doesn't support taking snapshots of PMSUSPENDED guests"
                )
            if found.state == "blocked":
                raise internal(f"Invalid domain state {found.state}")
            async with domain.jobs.change("remoteDispatchDomainSnapshotCreateXML", alone=True):
                self._redefine(domain, snapshot, flags)
        else:
            await take(hypervisor, domain, snapshot, flags)
        return DomainSnapshotRef(name, domain.ref)

    def _redefine(self, domain: Domain, snapshot: Snapshot, flags: int) -> None:
        """Put in a snapshot that was taken, in the place of one of that name if there is one."""
        moments = domain.snapshots
        name, before = snapshot.name, moments.current
        redefine(moments, snapshot, domain.uuid)
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
        domain, own = self.snapshotOf(snap)
        async with domain.jobs.change("remoteDispatchDomainRevertToSnapshot", alone=True):
            await revert(self._hypervisor, domain, self.named(domain, own.name), flags)

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
        domain, own = self.snapshotOf(snap)
        async with domain.jobs.change("remoteDispatchDomainSnapshotDelete", alone=True):
            await delete(self._hypervisor, domain, self.named(domain, own.name), flags)


def _badName(name: str, why: str) -> VirtError:
    return virtError(
        ErrorCode.XML_DETAIL, f"invalid snapshot name '{name}': {why}", ErrorDomain.QEMU
    )
