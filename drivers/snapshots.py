"""
Snapshots as every driver keeps them: finding, listing, describing, and putting in those that were taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import attrs

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain.stability import checkABIStability
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.snapshot import (
    OFFLINE,
    SnapshotDefinition,
    SnapshotDisk,
    SnapshotMemory,
    aligned,
    formatSnapshot,
)
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.interfaces.values import DomainRef, DomainSnapshotRef
from pyvirt.drivers.moments import Moment, MomentLookups, Moments
from pyvirt.drivers.refusals import internal, invalidArgument
from pyvirt.errors import ErrorCode, ErrorDomain

__all__ = ["Snapshot", "SnapshotLookups", "redefine"]

_LIST_FLAGS = 0x7FF


@attrs.define
class Snapshot(Moment):
    """
    A snapshot.

    @ivar definition: all of it but its place among others, which changes.
    """

    definition: SnapshotDefinition

    @classmethod
    def of(cls, definition: SnapshotDefinition) -> Snapshot:
        """Make one of what a document says."""
        return cls(definition.name, definition.parent, definition.creationTime, definition)

    def change(self, **changes: Any) -> None:
        """Change fields of its definition."""
        self.definition = replaced(self.definition, **changes)

    def align(self, location: str) -> None:
        """
        Say of each disk of its domain what becomes of it.

        @param location: C{internal} or C{external}, as for L{aligned}.
        @raise VirtError: something else is asked for than what can be done.
        """
        assert self.domain is not None
        self.definition = aligned(self.definition, self.domain, location)

    def written(self, uuid: bytes, *, secure: bool, current: bool | None = None) -> str:
        """Write it out, as L{formatSnapshot} does."""
        definition = replaced(self.definition, parent=self.parent)
        return formatSnapshot(definition, secure=secure, uuid=uuid, current=current)

    @property
    def state(self) -> str | None:
        """The state of the domain then, as a word; None before it is known."""
        return self.definition.state

    @property
    def memory(self) -> str:
        """Where the memory is kept, C{default} before it is known."""
        memory = self.definition.memory
        return "default" if memory is None else memory.snapshot

    @property
    def memoryFile(self) -> str | None:
        """The file of memory that is kept outside."""
        memory = self.definition.memory
        return None if memory is None else memory.file

    def keepMemory(self, place: str, file: str | None = None) -> None:
        """Say where the memory is kept."""
        self.change(memory=SnapshotMemory(snapshot=place, file=file))

    @property
    def disks(self) -> tuple[SnapshotDisk, ...]:
        """What becomes of each disk."""
        return self.definition.disks

    @property
    def domain(self) -> DomainDefinition | None:
        """What the domain was."""
        return self.definition.domain

    @property
    def inactive(self) -> DomainDefinition | None:
        """What the domain would have been when it ran again."""
        return self.definition.inactive

    @property
    def external(self) -> bool:
        """Whether any of it is kept in files of its own."""
        return self.definition.external


def redefine(
    moments: Moments[Snapshot], snapshot: Snapshot, uuid: bytes, *, stable: bool = False
) -> None:
    """
    Put in a snapshot that was taken, in the place of one of that name if there is one.

    @param uuid: that of the domain.
    @param stable: look whether the guest would see the same hardware as with the one before.
    @raise VirtError: it contradicts what is there.
    """
    name = snapshot.name
    moments.checkPlace(name, snapshot.parent)
    if snapshot.domain is not None and snapshot.domain.uuid != uuid:
        raise invalidArgument(
            f"definition for snapshot {name} must use uuid {formatUUID(uuid)}",
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
            snapshot.change(domain=old.domain, inactive=old.inactive)
        elif stable and old.domain is not None:
            checkABIStability(old.domain, snapshot.domain)
    if snapshot.domain is None:
        raise internal("missing domain in snapshot", ErrorDomain.DOMAIN_SNAPSHOT)
    beside = snapshot.external or snapshot.state == "disk-snapshot"
    snapshot.align("external" if beside else "internal")
    moments.replace(snapshot)


#: Groups of filters: what passes any that is given of each group passes.
_FILTERS: tuple[dict[int, Callable[[Snapshot], bool]], ...] = (
    {
        c.VIR_DOMAIN_SNAPSHOT_LIST_METADATA: lambda each: True,
        c.VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA: lambda each: False,
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


def _passing(found: list[Snapshot], flags: int) -> list[Snapshot]:
    for group in _FILTERS:
        given = [test for flag, test in group.items() if flags & flag]
        if given:
            found = [each for each in found if any(test(each) for test in given)]
    return found


class _Domain(Protocol):
    @property
    def uuid(self) -> bytes: ...


D = TypeVar("D", bound=_Domain)


class SnapshotLookups(MomentLookups[D, Snapshot]):
    """Finds, lists and describes snapshots."""

    kind = "snapshot"
    missing = ErrorCode.NO_DOMAIN_SNAPSHOT

    def snapshotOf(self, snap: DomainSnapshotRef) -> tuple[D, Snapshot]:
        """
        Find a snapshot with its domain.

        @raise VirtError: one of them is not there.
        """
        domain = self.domainOf(snap.dom)
        return domain, self.named(domain, snap.name)

    def domainListAllSnapshots(self, dom: DomainRef, flags: int) -> list[DomainSnapshotRef]:
        """List the snapshots that pass the filters; with C{ROOTS} only those that come after none."""
        self._check("ListAllSnapshots", flags, _LIST_FLAGS)
        found = self.momentsOf(self.domainOf(dom)).listed(
            roots=bool(flags & c.VIR_DOMAIN_SNAPSHOT_LIST_ROOTS), **_leaves(flags)
        )
        return [DomainSnapshotRef(each.name, dom) for each in _passing(found, flags)]

    def domainSnapshotListAllChildren(
        self, snapshot: DomainSnapshotRef, flags: int
    ) -> list[DomainSnapshotRef]:
        """List what comes right after a snapshot; with C{DESCENDANTS} all that comes after it."""
        self._check("SnapshotListAllChildren", flags, _LIST_FLAGS)
        domain, own = self.snapshotOf(snapshot)
        found = self.momentsOf(domain).listedBelow(
            own.name,
            deep=bool(flags & c.VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS),
            **_leaves(flags),
        )
        return [DomainSnapshotRef(each.name, snapshot.dom) for each in _passing(found, flags)]

    def domainSnapshotLookupByName(
        self, dom: DomainRef, name: str, flags: int
    ) -> DomainSnapshotRef:
        """Find a snapshot."""
        self._check("SnapshotLookupByName", flags)
        return DomainSnapshotRef(self.named(self.domainOf(dom), name).name, dom)

    def domainSnapshotCurrent(self, dom: DomainRef, flags: int) -> DomainSnapshotRef:
        """Find the snapshot that was taken or gone back to last."""
        self._check("SnapshotCurrent", flags)
        current = self.momentsOf(self.domainOf(dom)).current
        if current is None:
            raise self._missing("the domain does not have a current snapshot")
        return DomainSnapshotRef(current, dom)

    def domainSnapshotGetParent(self, snap: DomainSnapshotRef, flags: int) -> DomainSnapshotRef:
        """Find what a snapshot comes after."""
        self._check("SnapshotGetParent", flags)
        _, own = self.snapshotOf(snap)
        if own.parent is None:
            raise self._missing(f"snapshot '{own.name}' does not have a parent")
        return DomainSnapshotRef(own.parent, snap.dom)

    def domainSnapshotIsCurrent(self, snap: DomainSnapshotRef, flags: int) -> bool:
        """Whether it was taken or gone back to last."""
        self._check("SnapshotIsCurrent", flags)
        domain, own = self.snapshotOf(snap)
        return self.momentsOf(domain).current == own.name

    def domainSnapshotHasMetadata(self, snap: DomainSnapshotRef, flags: int) -> bool:
        """Every snapshot that is known is known by its metadata."""
        self._check("SnapshotHasMetadata", flags)
        self.snapshotOf(snap)
        return True

    def domainSnapshotGetXMLDesc(self, snap: DomainSnapshotRef, flags: int) -> str:
        """Write a snapshot."""
        self._check("SnapshotGetXMLDesc", flags, c.VIR_DOMAIN_SNAPSHOT_XML_SECURE)
        domain, own = self.snapshotOf(snap)
        return own.written(domain.uuid, secure=bool(flags & c.VIR_DOMAIN_SNAPSHOT_XML_SECURE))


def _leaves(flags: int) -> dict[str, bool]:
    return {
        "leaves": bool(flags & c.VIR_DOMAIN_SNAPSHOT_LIST_LEAVES),
        "others": bool(flags & c.VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES),
    }
