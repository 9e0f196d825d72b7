"""
Checkpoints as every driver keeps them: finding, listing, and putting in those that were made.
"""

from __future__ import annotations

from typing import TypeVar

import attrs

from pyvirt import constants as c
from pyvirt.definitions.checkpoint import CheckpointDefinition, aligned
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.values import DomainCheckpointRef, DomainRef
from pyvirt.drivers.moments import Moment, MomentLookups, Moments
from pyvirt.errors import ErrorCode

__all__ = ["Checkpoint", "CheckpointLookups", "checked", "redefine"]

_LIST_FLAGS = 0xF


@attrs.define
class Checkpoint(Moment):
    """
    A checkpoint.

    @ivar definition: all of it but its place among others, which changes.
    """

    definition: CheckpointDefinition

    @classmethod
    def of(cls, definition: CheckpointDefinition) -> Checkpoint:
        """Make one of what a document says."""
        return cls(definition.name, definition.parent, definition.creationTime, definition)

    def whole(self) -> CheckpointDefinition:
        """Return the definition with its place."""
        return replaced(self.definition, name=self.name, parent=self.parent)


def checked(moments: Moments[Checkpoint], checkpoint: Checkpoint) -> None:
    """
    Look whether a checkpoint that was made can be put in, and say of each disk what became of it.

    @raise VirtError: it contradicts what is there.
    """
    moments.checkPlace(checkpoint.name, checkpoint.parent)
    definition = checkpoint.definition
    if definition.domain is not None:
        checkpoint.definition = aligned(definition, definition.domain)


def redefine(moments: Moments[Checkpoint], checkpoint: Checkpoint) -> None:
    """
    Put in a checkpoint that was made; it is the current one if it comes after that.

    @raise VirtError: it contradicts what is there.
    """
    name, parent = checkpoint.name, checkpoint.parent
    checked(moments, checkpoint)
    if moments.current is None or parent == moments.current:
        moments.current = name
    moments.replace(checkpoint)


D = TypeVar("D")


class CheckpointLookups(MomentLookups[D, Checkpoint]):
    """Finds and lists checkpoints."""

    kind = "checkpoint"
    missing = ErrorCode.NO_DOMAIN_CHECKPOINT

    def checkpointOf(self, checkpoint: DomainCheckpointRef) -> tuple[D, Checkpoint]:
        """
        Find a checkpoint with its domain.

        @raise VirtError: one of them is not there.
        """
        domain = self.domainOf(checkpoint.dom)
        return domain, self.named(domain, checkpoint.name)

    def domainListAllCheckpoints(self, dom: DomainRef, flags: int) -> list[DomainCheckpointRef]:
        """List the checkpoints that pass the filters; with C{ROOTS} only those that come after none."""
        self._check("ListAllCheckpoints", flags, _LIST_FLAGS)
        found = self.momentsOf(self.domainOf(dom)).listed(
            roots=bool(flags & c.VIR_DOMAIN_CHECKPOINT_LIST_ROOTS), **_leaves(flags)
        )
        return [DomainCheckpointRef(each.name, dom) for each in found]

    def domainCheckpointListAllChildren(
        self, checkpoint: DomainCheckpointRef, flags: int
    ) -> list[DomainCheckpointRef]:
        """List what comes right after a checkpoint; with C{DESCENDANTS} all that comes after it."""
        self._check("CheckpointListAllChildren", flags, _LIST_FLAGS)
        domain, own = self.checkpointOf(checkpoint)
        found = self.momentsOf(domain).listedBelow(
            own.name,
            deep=bool(flags & c.VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS),
            **_leaves(flags),
        )
        return [DomainCheckpointRef(each.name, checkpoint.dom) for each in found]

    def domainCheckpointLookupByName(
        self, dom: DomainRef, name: str, flags: int
    ) -> DomainCheckpointRef:
        """Find a checkpoint."""
        self._check("CheckpointLookupByName", flags)
        return DomainCheckpointRef(self.named(self.domainOf(dom), name).name, dom)

    def domainCheckpointGetParent(
        self, checkpoint: DomainCheckpointRef, flags: int
    ) -> DomainCheckpointRef:
        """Find what a checkpoint comes after."""
        self._check("CheckpointGetParent", flags)
        _, own = self.checkpointOf(checkpoint)
        if own.parent is None:
            raise self._missing(f"checkpoint '{own.name}' does not have a parent")
        return DomainCheckpointRef(own.parent, checkpoint.dom)


def _leaves(flags: int) -> dict[str, bool]:
    return {
        "leaves": bool(flags & c.VIR_DOMAIN_CHECKPOINT_LIST_LEAVES),
        "others": bool(flags & c.VIR_DOMAIN_CHECKPOINT_LIST_NO_LEAVES),
    }
