"""
Jobs of disks: what QEMU does to a chain of images by itself, and what follows once it has done it.

A job is known from before QEMU is told of it until what it changed is written down; it is on disk meanwhile, so that
a restarted daemon finds it again.  QEMU keeps what has ended until it is dismissed, so nothing is missed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu import locks
from pyvirt.drivers.qemu.blocks.bitmaps import carryOver
from pyvirt.drivers.qemu.blocks.chain import (
    Image,
    below,
    chain,
    diskNamed,
    ends,
    goingOn,
    localPath,
    opened,
    pathOf,
    withChain,
    withDisk,
)
from pyvirt.drivers.qemu.blocks.nodes import removeImages
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.happenings import handles
from pyvirt.drivers.qemu.ownership import disown, letFileGo, moveOwner
from pyvirt.drivers.qemu.qmp import MonitorEvent, MonitorLost
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.definitions.domain import DomainDefinition
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["BlockJob", "forgetJob", "refreshJobs", "tellDisk", "tellJob", "whenEnded", "whenReady"]

log = Logger()

COMPLETED, FAILED, CANCELED, READY = (
    c.VIR_DOMAIN_BLOCK_JOB_COMPLETED,
    c.VIR_DOMAIN_BLOCK_JOB_FAILED,
    c.VIR_DOMAIN_BLOCK_JOB_CANCELED,
    c.VIR_DOMAIN_BLOCK_JOB_READY,
)

TYPES = {
    "pull": c.VIR_DOMAIN_BLOCK_JOB_TYPE_PULL,
    "copy": c.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY,
    "commit": c.VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT,
    "active-commit": c.VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT,
    "backup": c.VIR_DOMAIN_BLOCK_JOB_TYPE_BACKUP,
    # A disk on its way to another host: nothing changes here.
    "migration": c.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY,
}


@attrs.define(eq=False)
class BlockJob:
    """
    A job of one disk.

    @ivar name: as QEMU knows it.
    @ivar kind: C{pull}, C{copy}, C{commit}, C{active-commit}, C{backup} or C{migration}.
    @ivar disk: the target of the disk.
    @ivar state: C{running}, C{ready}, C{pivoting} or C{aborting}.
    @ivar top, base: numbers of images, as far as the kind has them.
    @ivar shallow: a copy that is laid over what the disk is laid over.
    @ivar delete: remove files whose data is elsewhere now.
    @ivar done, whole: how far it came, in bytes, once it is over.
    @ivar ready: fires once it is ready, or over.
    @ivar problem: what QEMU complained of in the end.
    @ivar waiting: fires once QEMU is done, for somebody who then calls L{concluded}.
    """

    name: str
    kind: str
    disk: str
    state: str = "running"
    top: int | None = None
    base: int | None = None
    shallow: bool = False
    delete: bool = False
    waiting: Deferred[None] | None = None
    over: bool = False
    done: int = 0
    whole: int = 0
    ready: Deferred[None] | None = None
    problem: str | None = None

    def attributes(self) -> dict[str, str]:
        """Write down what a restarted daemon must know."""
        found = {"name": self.name, "type": self.kind, "disk": self.disk, "state": self.state}
        for name in ("top", "base"):
            value = getattr(self, name)
            if value is not None:
                found[name] = str(value)
        for name in ("shallow", "delete"):
            if getattr(self, name):
                found[name] = "yes"
        return found

    @classmethod
    def read(cls, found: Mapping[str, str]) -> BlockJob:
        """
        Read what L{attributes} wrote.

        @raise ValueError: it makes no sense.
        """
        if found.get("type") not in TYPES or not found.get("name"):
            raise ValueError("it is no job of a disk")
        return cls(
            name=found["name"],
            kind=found["type"],
            disk=found.get("disk", ""),
            state=found.get("state", "running"),
            top=int(found["top"]) if "top" in found else None,
            base=int(found["base"]) if "base" in found else None,
            shallow=found.get("shallow") == "yes",
            delete=found.get("delete") == "yes",
        )


def tellJob(hypervisor: Hypervisor, domain: Domain, job: BlockJob, status: int) -> None:
    """Tell those who listen what became of a job: by the path of the disk, and by its target."""
    disk = diskNamed(domain.definition, job.disk)
    # Images elsewhere have no path.
    path = localPath(disk.source) if disk is not None else None
    tellDisk(hypervisor, domain, path, job.disk, TYPES[job.kind], status)


def tellDisk(
    hypervisor: Hypervisor, domain: Domain, path: str | None, target: str, kind: int, status: int
) -> None:
    """As L{tellJob}, in numbers."""
    if path is not None:
        hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_BLOCK_JOB, path, kind, status)
    hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, target, kind, status)


def forgetJob(guest: Guest, job: BlockJob) -> None:
    """Forget a job that QEMU has not begun, or that is over."""
    job.over = True
    if guest.blockJobs.get(job.disk) is job:
        del guest.blockJobs[job.disk]


def whenEnded(job: BlockJob) -> Deferred[None]:
    """Return a Deferred that fires once QEMU is done with a job; its caller then calls L{concluded}."""
    if job.waiting is None:
        job.waiting = Deferred()
    return job.waiting


def whenReady(job: BlockJob) -> Deferred[None]:
    """Return a Deferred that fires once a job is ready, or over."""
    waiting: Deferred[None] = Deferred()
    if job.state != "running" or job.over:
        waiting.callback(None)
    else:
        job.ready = waiting
    return waiting


def _fireReady(job: BlockJob) -> None:
    waiting, job.ready = job.ready, None
    if waiting is not None and not waiting.called:  # whoever waited may have been interrupted
        waiting.callback(None)


@handles("JOB_STATUS_CHANGE")
def _changed(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    name, status = event.data.get("id"), event.data.get("status")
    if not isinstance(name, str):
        return
    if status == "concluded" and name in guest.jobWaits:
        guest.jobWaits.pop(name).callback(None)
        return
    for job in list(guest.blockJobs.values()):
        if job.name == name:
            statusChanged(hypervisor, domain, guest, job, str(status))


def statusChanged(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, job: BlockJob, status: str
) -> None:
    """Do what follows from what QEMU says of a job."""
    if status == "ready":
        if job.state == "running":
            job.state = "ready"
            disk = diskNamed(domain.definition, job.disk)
            if disk is not None and disk.mirror is not None:
                changed = replaced(disk, mirror=attrs.evolve(disk.mirror, ready=True))
                domain.definition = withDisk(domain.definition, changed)
            hypervisor.saveStatus(domain)
            tellJob(hypervisor, domain, job, READY)
            _fireReady(job)
    elif status == "concluded" and not job.over:
        _fireReady(job)
        waiting, job.waiting = job.waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(None)
        else:
            hypervisor.later(_conclude(hypervisor, domain, guest, job))


async def _conclude(hypervisor: Hypervisor, domain: Domain, guest: Guest, job: BlockJob) -> None:
    async with domain.jobs.change("blockjob", within=True, wait=600.0):
        if domain.guest is guest and guest.monitor is not None:
            try:
                await concluded(hypervisor, domain, guest, job)
            except MonitorLost:
                pass  # The guest ends, and its jobs with it.


async def concluded(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, job: BlockJob
) -> str | None:
    """
    Take note of what a job has done that QEMU is done with; the caller holds the domain.

    @return: what QEMU complains of, None if it does not.
    """
    if job.over:
        return None
    job.over = True
    problem: str | None = None
    found = False
    for each in await guest.execute("query-jobs"):
        if isinstance(each, dict) and each.get("id") == job.name:
            found = True
            done, whole = each.get("current-progress"), each.get("total-progress")
            if type(done) is int and type(whole) is int:
                job.done, job.whole = done, whole
            if each.get("error") is not None:
                problem = str(each["error"])
    if found:
        await guest.execute("job-dismiss", {"id": job.name})
    else:
        problem = "it is gone"
    status = COMPLETED
    job.problem = problem
    if job.kind == "migration":
        # That somebody gives it up is not told in other words.
        status = COMPLETED if problem is None else FAILED
    elif job.state == "aborting" or problem == "Operation canceled":
        status = CANCELED
    elif problem is not None:
        status = FAILED
        log.warn("{name} failed: {problem}", name=job.name, problem=problem)
    if job.kind == "backup":
        from pyvirt.drivers.qemu.blocks.backups import diskDone

        await diskDone(hypervisor, domain, guest, job, status, problem)
        return problem
    disk = diskNamed(domain.definition, job.disk)
    if disk is not None:
        if status == COMPLETED and len(domain.checkpoints):
            await _carryBitmaps(guest, disk, job)
        gone = _settled(hypervisor, domain, disk, job, status)
        forgetJob(guest, job)
        hypervisor.saveStatus(domain)
        if job.kind == "active-commit" and gone:
            moveOwner(guest, gone[0], chain(diskNamed(domain.definition, job.disk))[0])
            disown(guest, gone[0])
        await removeImages(hypervisor, guest, *gone)
        if job.kind in ("copy", "active-commit") and gone:
            # The others were only read.
            letFileGo(guest, localPath(gone[0].source))
        await locks.settle(hypervisor, domain, guest)
        if job.delete and status == COMPLETED:
            _deleteFiles(gone)
    forgetJob(guest, job)
    hypervisor.saveStatus(domain)
    tellJob(hypervisor, domain, job, status)
    return problem


async def _carryBitmaps(guest: Guest, disk: Any, job: BlockJob) -> None:
    """Let the bitmaps of checkpoints go where the data went; that they could not is logged."""
    images = chain(disk)
    place = {image.index: number for number, image in enumerate(images)}
    base = len(images) if job.base is None else place.get(job.base, 0)
    mirror, pivots = disk.mirror, job.state == "pivoting"
    try:
        if job.kind == "pull":
            await carryOver(guest, disk, images[:base], images[0])
        elif job.kind == "commit":
            top = place.get(job.top, 0)
            # Whoever was above it is now next to it.
            within = [*images[:top], *images[base:]]
            await carryOver(guest, disk, images[top:base], images[base], within=within)
        elif job.kind == "active-commit" and pivots:
            await carryOver(guest, disk, images[:base], images[base], written=True)
        elif job.kind == "copy" and pivots and mirror is not None:
            sources = images[:1] if job.shallow else images
            target = Image(mirror.source, mirror.format, mirror.source.index)
            await carryOver(guest, disk, sources, target, written=True)
    except VirtError as error:
        log.warn("bitmaps of {disk} are lost: {error}", disk=job.disk, error=error)


def _deleteFiles(images: list[Image]) -> None:
    for image in images:
        path = getattr(image.source, "file", None)
        if path:
            try:
                os.unlink(path)
            except OSError as error:
                log.warn("{path} cannot be removed: {error}", path=path, error=error)


def after(disk: Any, job: BlockJob, status: int) -> tuple[Any, list[Image]]:
    """
    Say what a disk is once a job is done with it.

    @return: the disk, and the images that it is made of no more, the upper ones first.
    """
    if job.kind == "migration":
        return disk, []
    images = chain(disk)
    mirror = disk.mirror
    if mirror is not None:
        disk = replaced(disk, mirror=None)
    place = {image.index: number for number, image in enumerate(images)}
    if job.kind == "copy":
        copied = []
        if mirror is not None:
            copied.append(Image(mirror.source, mirror.format, mirror.source.index))
            if not job.shallow:
                copied += below(mirror.backingStore)
        if mirror is None or status != COMPLETED or job.state != "pivoting":
            return disk, copied
        if job.shallow:
            return goingOn(disk, [*copied, *images[1:]]), images[:1]
        done = withChain(disk, copied)
        if not ends(mirror.backingStore):
            done = replaced(done, backingStore=opened(done.backingStore))
        return done, images
    if status != COMPLETED:
        return disk, []
    if job.kind == "pull":
        bottom = len(images)
        end = place.get(job.base, bottom) if job.base is not None else bottom
        return goingOn(disk, [images[0], *images[end:]]), images[1:end]
    end = place.get(job.base, -1)
    if end < 0:
        return disk, []
    if job.kind == "active-commit":
        if job.state != "pivoting":
            return disk, []
        lower = [attrs.evolve(images[end], detected=False), *images[end + 1 :]]
        return goingOn(disk, lower), images[:end]
    top = place.get(job.top, 0)
    return goingOn(disk, [*images[:top], *images[end:]]), images[top:end]


def _settled(
    hypervisor: Hypervisor, domain: Domain, disk: Any, job: BlockJob, status: int
) -> list[Image]:
    """Put what a job has made of a disk into the definitions, and return the images that are to go."""
    done, gone = after(disk, job, status)
    domain.definition = withDisk(domain.definition, done)
    if gone and status == COMPLETED and job.kind != "backup":
        changed = persisted(domain.pending, disk, done, job.kind, job.base)
        if changed is not None and changed is not domain.pending:
            domain.pending = changed
            hypervisor.keepDefinition(domain)
    return gone


def persisted(
    pending: DomainDefinition | None,
    before: Any,
    after: Any,
    kind: str = "",
    base: int | None = None,
) -> DomainDefinition | None:
    """
    Put what a job has made of a disk into what the domain will be, if it would be the same disk there.

    That nothing lies below the last image is said of a copy as far as it is known; else as far as it was said of that image before.

    @param kind: what kind of job it was.
    @param base: the number of the image that was written into, or that was left below.
    """
    if pending is None:
        return None
    mine = diskNamed(pending, before.target.dev)
    if mine is None or mine.source is None or pathOf(mine.source) != pathOf(before.source):
        return pending
    if kind in ("pull", "commit") and base is not None and not _reaches(mine, before, base):
        # What is below its image may be something else by now.
        return withDisk(pending, replaced(mine, backingStore=None))
    images = [attrs.evolve(each, index=None) for each in chain(after)]
    if base is not None and _reaches(mine, before, base):
        # What it names further down is all that it will name.
        kept = {each.index for each in chain(after)}
        numbers = [each.index for each in chain(before)]
        own = chain(mine)
        images = [
            each
            for place, each in enumerate(own)
            if place >= len(numbers) or numbers[place] in kept
        ]
    changed = withChain(mine, images)
    # Where all was pulled the end that a chain has is that of its last image.
    last = chain(mine)[-1].path if kind == "pull" and len(images) == 1 else images[-1].path
    if not (ends(after.backingStore) if kind == "copy" else _terminated(mine, last)):
        changed = replaced(changed, backingStore=opened(changed.backingStore))
    return withDisk(pending, changed)


def _reaches(mine: Any, before: Any, base: int) -> bool:
    """Whether what a disk will be is made of the same images down to one of those of the running guest."""
    for image, other in zip(chain(before), chain(mine), strict=False):
        if image.path != other.path:
            return False
        if image.index == base:
            return True
    return False


def _terminated(disk: Any, path: str) -> bool:
    """Whether a definition does not leave it open what lies below an image."""
    images, store = chain(disk), disk.backingStore
    for image in images:
        if image.path == path:
            return store is not None and store.source is None
        store = None if store is None else store.backingStore
    return True


async def refreshJobs(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """Find out what became of jobs while nobody looked."""
    if not guest.blockJobs:
        return
    there = {
        each.get("id"): each.get("status")
        for each in await guest.execute("query-jobs")
        if isinstance(each, dict)
    }
    for job in list(guest.blockJobs.values()):
        status = there.get(job.name, "concluded")
        statusChanged(hypervisor, domain, guest, job, str(status))
