"""
Deleting snapshots: from inside of images, and by merging the images beside.
"""

from __future__ import annotations

import os

import attrs
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.blocks.beginning import commit
from pyvirt.drivers.qemu.blocks.blockjobs import endJob
from pyvirt.drivers.qemu.blocks.chain import (
    Image,
    chain,
    detectBelow,
    diskNamed,
    disksOf,
    pathOf,
    withChain,
    withDisk,
)
from pyvirt.drivers.qemu.blocks.jobs import (
    COMPLETED,
    READY,
    TYPES,
    BlockJob,
    concluded,
    tellDisk,
    whenEnded,
    whenReady,
)
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.imagetool import imageTool
from pyvirt.drivers.qemu.momentfiles import removeMoment, saveMoments
from pyvirt.drivers.qemu.refusals import (
    failed,
    invalidArgument,
    operationUnsupported,
    unsupportedConfig,
)
from pyvirt.drivers.snapshots import Snapshot
from pyvirt.errors import VirtError

__all__ = ["delete"]

log = Logger()

_METADATA = c.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY
_ONLY = c.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY
_CHILDREN = c.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN | _ONLY


async def delete(hypervisor: Hypervisor, domain: Domain, snapshot: Snapshot, flags: int) -> None:
    """
    Delete a snapshot, or what comes after it, or both; the caller holds the domain.

    @param flags: C{VIR_DOMAIN_SNAPSHOT_DELETE_*}.
    @raise VirtError: something was not deleted; what was before that is.
    """
    moments = domain.snapshots
    metadata = bool(flags & _METADATA)
    below = list(moments.below(snapshot.name)) if flags & _CHILDREN else []
    if not metadata:
        _validate(domain, snapshot, below, flags)
    current = moments.current
    for each in [*reversed(below), *([] if flags & _ONLY else [snapshot])]:
        if not metadata:
            if each.external:
                await _merge(hypervisor, domain, each)
            else:
                await _erase(hypervisor, domain, each)
        children = moments.children(each.name)
        moments.remove(each)
        removeMoment(hypervisor, domain, "snapshots", each.name)
        saveMoments(hypervisor, domain, "snapshots", *children)
    if moments.current != current:
        if moments.current is None and flags & _ONLY and below:
            moments.current = snapshot.name
        now = moments.get(moments.current) if moments.current is not None else None
        if now is not None:
            saveMoments(hypervisor, domain, "snapshots", now)


def _validate(domain: Domain, snapshot: Snapshot, below: list[Snapshot], flags: int) -> None:
    if domain.guest is not None and not snapshot.external:
        _checkImages(domain, snapshot)
    if flags & _CHILDREN:
        beside = [each.external for each in below]
        if any(beside) and not all(beside):
            raise unsupportedConfig(
                "deletion of external and internal children disk snapshots not supported"
            )
        if any(beside):
            raise unsupportedConfig("deletion of external children disk snapshots not supported")
    if not snapshot.external or flags & _ONLY:
        return
    if domain.guest is not None and domain.guest.blockJobs:
        raise operationUnsupported(
            "cannot delete external snapshots when there is another active block job"
        )
    if flags & _CHILDREN:
        raise unsupportedConfig("deletion of external disk snapshots with children not supported")


def _checkImages(domain: Domain, snapshot: Snapshot) -> None:
    """
    Look whether a guest has those images on top that a snapshot is in: QEMU finds it in no others.

    @raise VirtError: it has not.
    """
    for wish in snapshot.disks:
        if wish.snapshot != "internal" or snapshot.domain is None:
            continue
        disk, then = (diskNamed(each, wish.name) for each in (domain.definition, snapshot.domain))
        if disk is not None and then is not None and pathOf(disk.source) != pathOf(then.source):
            raise operationUnsupported(
                f"disk image '{wish.name}' for internal snapshot '{snapshot.name}' is not the same "
                "as disk image currently used by VM"
            )


async def _erase(hypervisor: Hypervisor, domain: Domain, snapshot: Snapshot) -> None:
    """Delete what is inside of images; of images that have lost it, nothing is said."""
    if domain.active:
        said = str(await domain.checkActive().hmp(f'delvm "{snapshot.name}"', timeout=None))
        if said.startswith("Error") and "not find" not in said and "does not" not in said:
            raise failed(said.strip())
        return
    source = snapshot.domain or domain.definition
    wanted = {disk.name for disk in snapshot.disks if disk.snapshot == "internal"}
    for disk in disksOf(source):
        if disk.target.dev in wanted and disk.source is not None:
            try:
                await imageTool(hypervisor, "snapshot", "-d", snapshot.name, pathOf(disk.source))
            except VirtError as error:
                log.warn("{error}", error=error)


async def _merge(hypervisor: Hypervisor, domain: Domain, snapshot: Snapshot) -> None:
    """
    Write what came after a snapshot into the images that it has kept, and go on there.

    @raise VirtError: the images are no part of what the domain has now.
    """
    work: list[tuple[str, str, str]] = []
    for wish in snapshot.disks:
        if wish.snapshot == "no":
            continue
        disk = diskNamed(domain.definition, wish.name)
        then = None if snapshot.domain is None else diskNamed(snapshot.domain, wish.name)
        if disk is None:
            raise invalidArgument(f"disk '{wish.name}' not found in domain")
        images = chain(disk)
        if images and not domain.active:
            detectBelow(images)
        top = pathOf(wish.source)
        paths = [image.path for image in images] or [""]
        if top not in paths:
            raise invalidArgument("could not find base disk source in disk source chain")
        place = paths.index(top)
        if then is None:
            raise failed(f"failed to find disk '{wish.name}' in snapshot VM XML")
        _checkAbove(domain, snapshot, wish.name)
        base = pathOf(then.source)
        if place + 1 >= len(images):
            raise failed("failed to find parent disk source in backing chain")
        if images[place + 1].path != base:
            raise failed("snapshot VM disk source and parent disk source are not the same")
        work.append((wish.name, top, base))
    if domain.active:
        jobs = [await _mergeRunning(hypervisor, domain, *each) for each in work]
        for job in jobs:
            if job.kind == "active-commit":
                await whenReady(job)
        for job in jobs:
            await _merged(hypervisor, domain, job)
    else:
        for name, top, base in work:
            await _mergeOffline(hypervisor, domain, name, top, base)
        _tellMerged(hypervisor, domain, work)
    heirs = list(domain.snapshots.below(snapshot.name))
    for each in heirs:
        _rewrite(each, work)
    saveMoments(hypervisor, domain, "snapshots", *heirs)
    if snapshot.memoryFile is not None:
        try:
            os.unlink(snapshot.memoryFile)
        except OSError as error:
            log.warn("{error}", error=error)


def _checkAbove(domain: Domain, snapshot: Snapshot, name: str) -> None:
    """
    Refuse to merge a disk into an image which the snapshot before is inside of: it would lose that.

    @raise VirtError: it is.
    """
    above = snapshot.parent
    while above is not None and (found := domain.snapshots.get(above)) is not None:
        place = next((disk.snapshot for disk in found.disks if disk.name == name), "no")
        if place != "no":
            if not found.external:
                raise operationUnsupported(
                    "deleting external snapshot that has internal snapshot as parent not supported"
                )
            return
        above = found.parent


def _tellMerged(hypervisor: Hypervisor, domain: Domain, work: list[tuple[str, str, str]]) -> None:
    """Tell of merged images in the words for those of guests that run."""
    tops = [(name, top) for name, top, base in work if _topOf(domain, name) == base]
    for name, top in tops:
        tellDisk(hypervisor, domain, top, name, TYPES["active-commit"], READY)
    for name, _, _ in work:
        kind = "active-commit" if any(name == each for each, _ in tops) else "commit"
        tellDisk(hypervisor, domain, _topOf(domain, name), name, TYPES[kind], COMPLETED)


def _topOf(domain: Domain, name: str) -> str:
    return pathOf(diskNamed(domain.definition, name).source)


async def _mergeRunning(
    hypervisor: Hypervisor, domain: Domain, name: str, top: str, base: str
) -> BlockJob:
    """Have QEMU begin to write one image into another."""
    disk = diskNamed(domain.definition, name)
    paths = [image.path for image in chain(disk)]
    upper, lower = paths.index(top), paths.index(base)
    flags = c.VIR_DOMAIN_BLOCK_COMMIT_DELETE
    if upper == 0:
        flags |= c.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE
    job = await commit(hypervisor, domain, disk, lower, upper, 0, flags)
    if upper:
        whenEnded(job)
    return job


async def _merged(hypervisor: Hypervisor, domain: Domain, job: BlockJob) -> None:
    """Let a disk go on in the image that was written."""
    guest = domain.checkActive()
    if job.kind == "active-commit":
        await endJob(hypervisor, domain, job.disk, True, False)
        return
    waiting = job.waiting
    if waiting is not None:
        await waiting
    problem = await concluded(hypervisor, domain, guest, job)
    if problem is not None:
        raise failed(f"block commit failed: {problem}")


async def _mergeOffline(
    hypervisor: Hypervisor, domain: Domain, name: str, top: str, base: str
) -> None:
    disk = diskNamed(domain.definition, name)
    images = chain(disk)
    detectBelow(images)
    paths = [image.path for image in images]
    upper, lower = paths.index(top), paths.index(base)
    await imageTool(hypervisor, "commit", "-f", images[upper].format, "-b", base, top)
    if upper > 0:
        over = images[upper - 1]
        await imageTool(
            hypervisor,
            *("rebase", "-u", "-f", over.format, "-F", images[lower].format, "-b", base),
            over.path,
        )
    else:
        changed = withChain(disk, [Image(images[lower].source, images[lower].format)])
        definition = withDisk(domain.definition, replaced(changed, backingStore=None))
        hypervisor.store.saveDefinition(definition)
        domain.definition = definition
    try:
        os.unlink(top)
    except OSError as error:
        log.warn("{error}", error=error)


def _rewrite(child: Snapshot, work: list[tuple[str, str, str]]) -> None:
    """Say in a snapshot that its disk is in another image now."""
    for which in ("domain", "inactive"):
        definition = getattr(child, which)
        if definition is None:
            continue
        for name, top, base in work:
            disk = diskNamed(definition, name)
            if disk is None or disk.source is None or pathOf(disk.source) != top:
                continue
            images = chain(disk)
            below = next((image for image in images if image.path == base), None)
            if below is None:
                below = attrs.evolve(images[0], source=type(disk.source)(file=base))
            changed = replaced(withChain(disk, [below]), backingStore=None)
            definition = withDisk(definition, changed)
        child.change(**{which: definition})
