"""
Checkpoints: points that changes of disks are counted from.  Nothing is counted here; they are written down.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from pyvirt import constants as c
from pyvirt.definitions.checkpoint import (
    CheckpointDefinition,
    aligned,
    formatCheckpoint,
    parseCheckpoint,
)
from pyvirt.definitions.domain import completed
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.values import DomainCheckpointRef, DomainRef
from pyvirt.drivers.moments import Moment, Moments
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.refusals import checkFlags, invalidArgument
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Checkpoint", "DomainCheckpoints"]

_DOMAIN = ErrorDomain.DOMAIN_CHECKPOINT
_LIST_FLAGS = 0xF


@attrs.define
class Checkpoint(Moment):
    """
    A checkpoint.

    @ivar definition: all of it but its place among others, which changes.
    """

    definition: CheckpointDefinition


def _missing(detail: str) -> VirtError:
    return virtError(ErrorCode.NO_DOMAIN_CHECKPOINT, detail, ErrorDomain.TEST)


def _parse(xml: str, world: World, redefine: bool) -> Checkpoint:
    """
    Read a checkpoint that is to be made, or one that was made.

    @raise VirtError: the document is wrong.
    """
    definition = parseCheckpoint(xml, redefine=redefine, now=world.now() // 1000000)
    if definition.domain is not None:
        domain = completed(definition.domain, random=world.random)
        definition = replaced(definition, domain=domain)
    return Checkpoint(definition.name, definition.parent, definition.creationTime, definition)


class DomainCheckpoints:
    """Makes, tells of and forgets checkpoints."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._find = world.domains.find

    def _moments(self, dom: DomainRef) -> tuple[Domain, Moments[Checkpoint]]:
        domain = self._find(dom)
        return domain, domain.extra.checkpoints

    @staticmethod
    def _named(moments: Moments[Checkpoint], name: str) -> Checkpoint:
        found = moments.get(name)
        if found is None:
            raise _missing(f"no domain checkpoint with matching name '{name}'")
        return found

    def domainCheckpointCreateXML(
        self, dom: DomainRef, xmlDesc: str, flags: int
    ) -> DomainCheckpointRef:
        """Make a checkpoint of a running domain, or write down one that was made."""
        checkFlags(
            "testDomainCheckpointCreateXML",
            flags,
            c.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE | c.VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE,
        )
        domain, moments = self._moments(dom)
        if domain.snapshotCount:
            raise _impossible("cannot create checkpoint while snapshot exists")
        if not domain.active:
            raise _impossible("cannot create checkpoint for inactive domain")
        redefine = bool(flags & c.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE)
        checkpoint = _parse(xmlDesc, self._world, redefine)
        if redefine:
            self._redefine(domain, moments, checkpoint)
        else:
            definition = replaced(checkpoint.definition, domain=domain.definition)
            checkpoint.definition = aligned(definition, domain.definition)
            checkpoint.parent = moments.current
            moments.add(checkpoint)
            moments.current = checkpoint.name
        return DomainCheckpointRef(checkpoint.name, dom)

    def _redefine(
        self, domain: Domain, moments: Moments[Checkpoint], checkpoint: Checkpoint
    ) -> None:
        name, parent = checkpoint.name, checkpoint.parent
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
        if checkpoint.definition.domain is not None:
            checkpoint.definition = aligned(checkpoint.definition, checkpoint.definition.domain)
        if moments.current is None or parent == moments.current:
            moments.current = name
        moments.replace(checkpoint)

    def domainCheckpointGetXMLDesc(self, checkpoint: DomainCheckpointRef, flags: int) -> str:
        """Write a checkpoint, with what the domain was unless that is not wanted."""
        checkFlags(
            "testDomainCheckpointGetXMLDesc",
            flags,
            c.VIR_DOMAIN_CHECKPOINT_XML_SECURE
            | c.VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN
            | c.VIR_DOMAIN_CHECKPOINT_XML_SIZE,
        )
        _, moments = self._moments(checkpoint.dom)
        own = self._named(moments, checkpoint.name)
        return formatCheckpoint(
            replaced(own.definition, name=own.name, parent=own.parent),
            secure=bool(flags & c.VIR_DOMAIN_CHECKPOINT_XML_SECURE),
            domain=not flags & c.VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN,
        )

    @staticmethod
    def _passing(
        moments: Moments[Checkpoint], found: Iterable[Checkpoint], flags: int
    ) -> Iterable[Checkpoint]:
        if flags & c.VIR_DOMAIN_CHECKPOINT_LIST_LEAVES:
            found = [each for each in found if moments.isLeaf(each)]
        if flags & c.VIR_DOMAIN_CHECKPOINT_LIST_NO_LEAVES:
            found = [each for each in found if not moments.isLeaf(each)]
        return found

    def domainListAllCheckpoints(self, dom: DomainRef, flags: int) -> list[DomainCheckpointRef]:
        """List the checkpoints that pass the filters; with C{ROOTS} only those that come after none."""
        checkFlags("testDomainListAllCheckpoints", flags, _LIST_FLAGS)
        _, moments = self._moments(dom)
        found: Iterable[Checkpoint] = moments
        if flags & c.VIR_DOMAIN_CHECKPOINT_LIST_ROOTS:
            found = moments.children(None)
        return [
            DomainCheckpointRef(each.name, dom) for each in self._passing(moments, found, flags)
        ]

    def domainCheckpointListAllChildren(
        self, checkpoint: DomainCheckpointRef, flags: int
    ) -> list[DomainCheckpointRef]:
        """List what comes right after a checkpoint; with C{DESCENDANTS} all that comes after it."""
        checkFlags("testDomainCheckpointListAllChildren", flags, _LIST_FLAGS)
        _, moments = self._moments(checkpoint.dom)
        own = self._named(moments, checkpoint.name)
        found: Iterable[Checkpoint] = moments.children(own.name)
        if flags & c.VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS:
            found = moments.below(own.name)
        return [
            DomainCheckpointRef(each.name, checkpoint.dom)
            for each in self._passing(moments, found, flags)
        ]

    def domainCheckpointLookupByName(
        self, dom: DomainRef, name: str, flags: int
    ) -> DomainCheckpointRef:
        """Find a checkpoint."""
        checkFlags("testDomainCheckpointLookupByName", flags)
        _, moments = self._moments(dom)
        return DomainCheckpointRef(self._named(moments, name).name, dom)

    def domainCheckpointGetParent(
        self, checkpoint: DomainCheckpointRef, flags: int
    ) -> DomainCheckpointRef:
        """Find what a checkpoint comes after."""
        checkFlags("testDomainCheckpointGetParent", flags)
        _, moments = self._moments(checkpoint.dom)
        own = self._named(moments, checkpoint.name)
        if own.parent is None:
            raise _missing(f"checkpoint '{own.name}' does not have a parent")
        return DomainCheckpointRef(own.parent, checkpoint.dom)

    def domainCheckpointDelete(self, checkpoint: DomainCheckpointRef, flags: int) -> None:
        """Forget a checkpoint, with what comes after it, or only what comes after it."""
        checkFlags(
            "testDomainCheckpointDelete",
            flags,
            c.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN
            | c.VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY
            | c.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY,
        )
        _, moments = self._moments(checkpoint.dom)
        own = self._named(moments, checkpoint.name)
        only = c.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY
        if flags & (only | c.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN):
            moments.removeBelow(own)
        if not flags & only:
            moments.remove(own)


def _impossible(detail: str) -> VirtError:
    return virtError(ErrorCode.OPERATION_UNSUPPORTED, detail, ErrorDomain.TEST)
