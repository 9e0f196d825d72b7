"""
Checkpoints: points that changes of disks are counted from.  Nothing is counted here; they are written down.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.definitions.checkpoint import aligned, formatCheckpoint, parseCheckpoint
from pyvirt.definitions.domain import completed
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.checkpoints import Checkpoint, CheckpointLookups, redefine
from pyvirt.drivers.interfaces.values import DomainCheckpointRef, DomainRef
from pyvirt.drivers.moments import Moments
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.refusals import REFUSALS, checkFlags
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["DomainCheckpoints"]


def _parse(xml: str, world: World, redefine: bool) -> Checkpoint:
    """
    Read a checkpoint that is to be made, or one that was made.

    @raise VirtError: the document is wrong.
    """
    definition = parseCheckpoint(xml, redefine=redefine, now=world.now() // 1000000)
    if definition.domain is not None:
        domain = completed(definition.domain, random=world.random)
        definition = replaced(definition, domain=domain)
    return Checkpoint.of(definition)


class DomainCheckpoints(CheckpointLookups[Domain]):
    """Makes, tells of and forgets checkpoints."""

    driver = "test"
    refusals = REFUSALS

    def __init__(self, world: World) -> None:
        self._world = world

    def domainOf(self, dom: DomainRef) -> Domain:
        """Find a domain."""
        return self._world.domains.find(dom)

    def momentsOf(self, domain: Domain) -> Moments[Checkpoint]:
        """Return the checkpoints of a domain."""
        return domain.extra.checkpoints

    def domainCheckpointCreateXML(
        self, dom: DomainRef, xmlDesc: str, flags: int
    ) -> DomainCheckpointRef:
        """Make a checkpoint of a running domain, or write down one that was made."""
        checkFlags(
            "testDomainCheckpointCreateXML",
            flags,
            c.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE | c.VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE,
        )
        domain = self.domainOf(dom)
        if domain.snapshotCount:
            raise _impossible("cannot create checkpoint while snapshot exists")
        if not domain.active:
            raise _impossible("cannot create checkpoint for inactive domain")
        made = bool(flags & c.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE)
        moments = self.momentsOf(domain)
        checkpoint = _parse(xmlDesc, self._world, made)
        if made:
            redefine(moments, checkpoint)
        else:
            was = self._world.written(domain.definition)
            definition = replaced(checkpoint.definition, domain=was)
            checkpoint.definition = aligned(definition, was)
            checkpoint.parent = moments.current
            moments.add(checkpoint)
            moments.current = checkpoint.name
        return DomainCheckpointRef(checkpoint.name, dom)

    def domainCheckpointGetXMLDesc(self, checkpoint: DomainCheckpointRef, flags: int) -> str:
        """Write a checkpoint, with what the domain was unless that is not wanted."""
        checkFlags(
            "testDomainCheckpointGetXMLDesc",
            flags,
            c.VIR_DOMAIN_CHECKPOINT_XML_SECURE
            | c.VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN
            | c.VIR_DOMAIN_CHECKPOINT_XML_SIZE,
        )
        _, own = self.checkpointOf(checkpoint)
        return formatCheckpoint(
            own.whole(),
            secure=bool(flags & c.VIR_DOMAIN_CHECKPOINT_XML_SECURE),
            domain=not flags & c.VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN,
        )

    def domainCheckpointDelete(self, checkpoint: DomainCheckpointRef, flags: int) -> None:
        """Forget a checkpoint, with what comes after it, or only what comes after it."""
        checkFlags(
            "testDomainCheckpointDelete",
            flags,
            c.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN
            | c.VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY
            | c.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY,
        )
        domain, own = self.checkpointOf(checkpoint)
        moments = self.momentsOf(domain)
        only = c.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY
        if flags & (only | c.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN):
            moments.removeBelow(own)
        if not flags & only:
            moments.remove(own)


def _impossible(detail: str) -> VirtError:
    return virtError(ErrorCode.OPERATION_UNSUPPORTED, detail, ErrorDomain.TEST)
