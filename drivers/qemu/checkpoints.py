"""
Checkpoints: points that changes of disks are counted from, by bitmaps in their images.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.checkpoint import (
    CheckpointDefinition,
    aligned,
    formatCheckpoint,
    parseCheckpoint,
)
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.validation import validate
from pyvirt.drivers.checkpoints import Checkpoint, CheckpointLookups, checked, redefine
from pyvirt.drivers.interfaces.values import DomainCheckpointRef, DomainRef
from pyvirt.drivers.moments import Moments
from pyvirt.drivers.qemu.blocks.beginning import checkLasting
from pyvirt.drivers.qemu.blocks.bitmaps import Bitmaps, adding, merging, removeBitmaps
from pyvirt.drivers.qemu.blocks.chain import chain, diskNamed
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.momentfiles import removeMoment, saveMoments
from pyvirt.drivers.qemu.refusals import REFUSALS, checkFlags, unsupportedConfig
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["DomainCheckpoints", "begun", "prepared", "read", "remember"]

log = Logger()

_TEMPORARY = "libvirt-tmp-size-xml"


def impossible(detail: str) -> VirtError:
    """Make the error of what cannot be done with a domain as it is."""
    return virtError(ErrorCode.OPERATION_UNSUPPORTED, detail, ErrorDomain.QEMU)


async def read(hypervisor: Hypervisor, domain: Domain, xml: str, now: int) -> CheckpointDefinition:
    """
    Read a checkpoint that is to be made of a running domain.

    @raise VirtError: it is none.
    """
    definition = parseCheckpoint(xml, now=now)
    asked = None if domain.guest is None else domain.guest.askedCPU
    copied = await hypervisor.copied(domain.definition, asked)
    return replaced(definition, domain=copied)


def prepared(domain: Domain, definition: CheckpointDefinition) -> Checkpoint:
    """
    Say of each disk what becomes of it for a checkpoint.

    @raise VirtError: it cannot be made.
    """
    definition = aligned(definition, domain.definition)
    for each in definition.disks:
        if each.checkpoint != "bitmap":
            continue
        if each.bitmap != definition.name:
            raise unsupportedConfig(
                f"bitmap for disk '{each.name}' must match checkpoint name '{definition.name}'"
            )
        disk = diskNamed(domain.definition, each.name)
        if disk is not None and domain.active:
            checkLasting(disk)
        form = chain(disk)[0].format if disk is not None and chain(disk) else "raw"
        if form != "qcow2":
            raise unsupportedConfig(
                f"checkpoint for disk {each.name} unsupported for storage type {form}"
            )
    if domain.checkpoints.get(definition.name) is not None:
        raise virtError(
            ErrorCode.OPERATION_FAILED,
            f"domain moment {definition.name} already exists",
            ErrorDomain.DOMAIN,
        )
    parent = domain.checkpoints.current
    return Checkpoint(definition.name, parent, definition.creationTime, definition)


def begun(domain: Domain, checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """Return the actions that begin to count."""
    actions = []
    for each in checkpoint.definition.disks:
        if each.checkpoint == "bitmap":
            top = chain(diskNamed(domain.definition, each.name))[0]
            actions.append(
                adding(top.formatName, str(each.bitmap), persistent=True, disabled=False)
            )
    return actions


def remember(hypervisor: Hypervisor, domain: Domain, checkpoint: Checkpoint) -> None:
    """Write a checkpoint down, as the current one."""
    domain.checkpoints.add(checkpoint)
    domain.checkpoints.current = checkpoint.name
    try:
        saveMoments(hypervisor, domain, "checkpoints", checkpoint)
    except VirtError as error:
        # It has been made, and was written down before that.
        log.error(
            "{name} is not told to be the current one: {error}", name=checkpoint.name, error=error
        )


class DomainCheckpoints(CheckpointLookups[Domain]):
    """Makes, tells of and forgets checkpoints."""

    driver = "qemu"
    refusals = REFUSALS

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor

    def domainOf(self, dom: DomainRef) -> Domain:
        """Find a domain."""
        return self._hypervisor.domains.find(dom)

    def momentsOf(self, domain: Domain) -> Moments[Checkpoint]:
        """Return the checkpoints of a domain."""
        return domain.checkpoints

    async def domainCheckpointCreateXML(
        self, dom: DomainRef, xmlDesc: str, flags: int
    ) -> DomainCheckpointRef:
        """Make a checkpoint of a running domain, or write down one that was made."""
        redefines = c.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE
        validates = c.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE
        checkFlags("qemuCheckpointCreateXML", flags, redefines | validates)
        hypervisor = self._hypervisor
        domain = self.domainOf(dom)
        if not flags & redefines and not domain.active:
            raise impossible("cannot create checkpoint for inactive domain")
        validate("checkpoint", xmlDesc)
        now = int(hypervisor.clock.seconds())
        if flags & redefines:
            found = parseCheckpoint(xmlDesc, redefine=True)
            if found.domain is not None:
                found = replaced(found, domain=await hypervisor.completed(found.domain))
            made = Checkpoint.of(found)
            async with domain.jobs.change("remoteDispatchDomainCheckpointCreateXML"):
                await self._redefine(domain, made, bool(flags & validates))
            return DomainCheckpointRef(made.name, domain.ref)
        async with domain.jobs.change("remoteDispatchDomainCheckpointCreateXML"):
            guest = domain.checkActive()
            checkpoint = prepared(domain, await read(hypervisor, domain, xmlDesc, now))
            actions = begun(domain, checkpoint)
            saveMoments(hypervisor, domain, "checkpoints", checkpoint)
            try:
                await guest.execute("transaction", {"actions": actions})
            except BaseException:
                removeMoment(hypervisor, domain, "checkpoints", checkpoint.name)
                raise
            remember(hypervisor, domain, checkpoint)
        return DomainCheckpointRef(checkpoint.name, domain.ref)

    async def _redefine(self, domain: Domain, made: Checkpoint, validates: bool) -> None:
        """
        Write down a checkpoint that was made.

        @param validates: look whether its bitmaps are there.
        @raise VirtError: it contradicts what is there.
        """
        moments = domain.checkpoints
        checked(moments, made)
        if validates:
            known = await Bitmaps.of(domain.checkActive())
            for each in made.definition.disks:
                disk = diskNamed(domain.definition, each.name)
                if each.checkpoint != "bitmap" or disk is None:
                    continue
                if not known.sources(chain(disk), str(each.bitmap)):
                    raise virtError(
                        ErrorCode.CHECKPOINT_INCONSISTENT,
                        f"missing or broken bitmap '{each.bitmap}' for disk '{each.name}'",
                        ErrorDomain.QEMU,
                    )
        redefine(moments, made)
        saveMoments(self._hypervisor, domain, "checkpoints", made)

    async def domainCheckpointGetXMLDesc(self, checkpoint: DomainCheckpointRef, flags: int) -> str:
        """Write a checkpoint, with what the domain was unless that is not wanted."""
        sizes = c.VIR_DOMAIN_CHECKPOINT_XML_SIZE
        checkFlags(
            "qemuCheckpointGetXMLDesc",
            flags,
            c.VIR_DOMAIN_CHECKPOINT_XML_SECURE | c.VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN | sizes,
        )
        domain, own = self.checkpointOf(checkpoint)
        definition = own.whole()
        if flags & sizes:
            async with domain.jobs.change("remoteDispatchDomainCheckpointGetXMLDesc"):
                definition = await self._sized(domain, domain.checkActive(), definition)
        return formatCheckpoint(
            definition,
            secure=bool(flags & c.VIR_DOMAIN_CHECKPOINT_XML_SECURE),
            domain=not flags & c.VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN,
        )

    @staticmethod
    async def _sized(
        domain: Domain, guest: Guest, definition: CheckpointDefinition
    ) -> CheckpointDefinition:
        """Ask how much has changed since a checkpoint."""
        known = await Bitmaps.of(guest)
        tops: dict[str, Any] = {}
        actions: list[dict[str, Any]] = []
        for each in definition.disks:
            disk = diskNamed(domain.definition, each.name)
            if each.checkpoint != "bitmap" or disk is None:
                continue
            images = chain(disk)
            sources = known.sources(images, str(each.bitmap))
            if sources:
                tops[each.name] = images[0]
                actions += merging(images[0].formatName, _TEMPORARY, sources)
        if not actions:
            return definition
        await guest.execute("transaction", {"actions": actions})
        try:
            known = await Bitmaps.of(guest)
        finally:
            gone = [
                {
                    "type": "block-dirty-bitmap-remove",
                    "data": {"node": top.formatName, "name": _TEMPORARY},
                }
                for top in tops.values()
            ]
            await guest.execute("transaction", {"actions": gone})
        disks = []
        for each in definition.disks:
            if each.name in tops:
                count = known.on(tops[each.name]).get(_TEMPORARY, {}).get("count", 0)
                each = replaced(each, size=count if type(count) is int else 0)
            disks.append(each)
        return replaced(definition, disks=tuple(disks))

    async def domainCheckpointDelete(self, checkpoint: DomainCheckpointRef, flags: int) -> None:
        """Forget a checkpoint, with what comes after it, or only what comes after it."""
        children = c.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN
        only = c.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY
        metadata = c.VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY
        checkFlags("qemuCheckpointDelete", flags, children | only | metadata)
        hypervisor = self._hypervisor
        domain = self.domainOf(checkpoint.dom)
        async with domain.jobs.change("remoteDispatchDomainCheckpointDelete"):
            if not flags & metadata and not domain.active:
                raise impossible("cannot delete checkpoint for inactive domain")
            own, moments = self.named(domain, checkpoint.name), domain.checkpoints
            gone = list(moments.below(own.name)) if flags & (children | only) else []
            gone.reverse()
            if not flags & only:
                gone.append(own)
            for each in gone:
                if not flags & metadata:
                    await self._uncount(domain, each)
                heirs = moments.children(each.name)
                moments.remove(each)
                removeMoment(hypervisor, domain, "checkpoints", each.name)
                saveMoments(hypervisor, domain, "checkpoints", *heirs)

    @staticmethod
    async def _uncount(domain: Domain, checkpoint: Checkpoint) -> None:
        disks = []
        for each in checkpoint.definition.disks:
            disk = diskNamed(domain.definition, each.name)
            if each.checkpoint == "bitmap" and disk is not None:
                disks.append((disk, chain(disk)))
        await removeBitmaps(domain.checkActive(), disks, checkpoint.name)
