"""
Long operations on disks as clients see them: starting them, asking how far they are, speed, ending them; the threshold of writing.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain._source import BlockSource, FileSource
from pyvirt.drivers.interfaces.values import BlockJobInfo, DomainRef, TypedParam
from pyvirt.drivers.qemu.blocks.beginning import (
    MIB,
    busy,
    checkLasting,
    checkTop,
    commit,
    copy,
    destination,
    diskFor,
    pull,
    speedOf,
)
from pyvirt.drivers.qemu.blocks.bitmaps import countWrites
from pyvirt.drivers.qemu.blocks.chain import (
    Image,
    below,
    chain,
    disksOf,
    find,
    split,
)
from pyvirt.drivers.qemu.blocks.jobs import (
    TYPES,
    BlockJob,
    concluded,
    whenEnded,
)
from pyvirt.drivers.qemu.blocks.nodes import addChain
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.happenings import handles
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.qmp import MonitorEvent
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    failed,
    invalidArgument,
    operationInvalid,
)
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.params import validateParams

__all__ = ["DomainBlockJobs", "endJob"]


def _jobOf(guest: Guest, disk: Any) -> BlockJob:
    job = guest.blockJobs.get(disk.target.dev)
    if job is None:
        raise invalidArgument(f"disk {disk.target.dev} does not have an active block job")
    return job


class DomainBlockJobs:
    """Starts, watches and ends long operations on disks."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._find = hypervisor.domains.find

    async def domainBlockPull(self, dom: DomainRef, path: str, bandwidth: int, flags: int) -> None:
        """Start to copy what lies below into the first image."""
        checkFlags("qemuDomainBlockPull", flags, c.VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES)
        speed = speedOf(bandwidth, bool(flags & c.VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES))
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainBlockPull"):
            await pull(self._hypervisor, domain, path, None, speed)

    async def domainBlockRebase(
        self, dom: DomainRef, path: str, base: str | None, bandwidth: int, flags: int
    ) -> None:
        """Start to copy what lies below into the first image, or the disk somewhere else."""
        rebase = c.VIR_DOMAIN_BLOCK_REBASE_COPY
        checkFlags(
            "qemuDomainBlockRebase",
            flags,
            c.VIR_DOMAIN_BLOCK_REBASE_SHALLOW
            | c.VIR_DOMAIN_BLOCK_REBASE_REUSE_EXT
            | rebase
            | c.VIR_DOMAIN_BLOCK_REBASE_COPY_RAW
            | c.VIR_DOMAIN_BLOCK_REBASE_RELATIVE
            | c.VIR_DOMAIN_BLOCK_REBASE_COPY_DEV
            | c.VIR_DOMAIN_BLOCK_REBASE_BANDWIDTH_BYTES,
        )
        domain = self._find(dom)
        speed = speedOf(bandwidth, bool(flags & c.VIR_DOMAIN_BLOCK_REBASE_BANDWIDTH_BYTES))
        if not flags & rebase:
            relative = bool(flags & c.VIR_DOMAIN_BLOCK_REBASE_RELATIVE)
            if relative and base is None:
                raise invalidArgument(
                    "flag VIR_DOMAIN_BLOCK_REBASE_RELATIVE is valid only with non-null base"
                )
            async with domain.jobs.change("remoteDispatchDomainBlockRebase"):
                await pull(self._hypervisor, domain, path, base, speed, relative)
            return
        if flags & c.VIR_DOMAIN_BLOCK_REBASE_RELATIVE:
            detail = "Relative backing during copy not supported yet"
            raise virtError(ErrorCode.ARGUMENT_UNSUPPORTED, detail, ErrorDomain.QEMU)
        where = base or ""
        source: Any = FileSource(file=where)
        if flags & c.VIR_DOMAIN_BLOCK_REBASE_COPY_DEV:
            source = BlockSource(dev=where)
        raw = "raw" if flags & c.VIR_DOMAIN_BLOCK_REBASE_COPY_RAW else None
        wanted = c.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB if not domain.persistent else 0
        if flags & c.VIR_DOMAIN_BLOCK_REBASE_SHALLOW:
            wanted |= c.VIR_DOMAIN_BLOCK_COPY_SHALLOW
        if flags & c.VIR_DOMAIN_BLOCK_REBASE_REUSE_EXT:
            wanted |= c.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT
        async with domain.jobs.change("remoteDispatchDomainBlockRebase"):
            await copy(self._hypervisor, domain, path, source, raw, wanted, speed=speed)

    async def domainBlockCopy(
        self, dom: DomainRef, path: str, destxml: str, params: list[TypedParam], flags: int
    ) -> None:
        """Start to copy a disk somewhere else."""
        checkFlags(
            "qemuDomainBlockCopy",
            flags,
            c.VIR_DOMAIN_BLOCK_COPY_SHALLOW
            | c.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT
            | c.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB
            | c.VIR_DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES,
        )
        values = validateParams(
            params,
            {
                c.VIR_DOMAIN_BLOCK_COPY_BANDWIDTH: c.VIR_TYPED_PARAM_ULLONG,
                c.VIR_DOMAIN_BLOCK_COPY_GRANULARITY: c.VIR_TYPED_PARAM_UINT,
                c.VIR_DOMAIN_BLOCK_COPY_BUF_SIZE: c.VIR_TYPED_PARAM_ULLONG,
            },
        )
        granularity = values.get(c.VIR_DOMAIN_BLOCK_COPY_GRANULARITY, 0)
        if granularity & (granularity - 1):
            raise invalidArgument("granularity must be power of 2")
        domain = self._find(dom)
        speed = values.get(c.VIR_DOMAIN_BLOCK_COPY_BANDWIDTH, 0)
        if speed > (1 << 63) - 1:
            raise virtError(
                ErrorCode.OVERFLOW,
                f"bandwidth must be less than {(1 << 63) - 1}",
                ErrorDomain.QEMU,
            )
        source, form, store = destination(destxml)
        async with domain.jobs.change("remoteDispatchDomainBlockCopy"):
            await copy(
                self._hypervisor,
                domain,
                path,
                source,
                form,
                flags,
                speed=speed,
                granularity=granularity,
                buffer=values.get(c.VIR_DOMAIN_BLOCK_COPY_BUF_SIZE, 0),
                given=store,
            )

    async def domainBlockCommit(
        self,
        dom: DomainRef,
        disk: str,
        base: str | None,
        top: str | None,
        bandwidth: int,
        flags: int,
    ) -> None:
        """Start to write the data of upper images into a lower one."""
        shallow = c.VIR_DOMAIN_BLOCK_COMMIT_SHALLOW
        checkFlags(
            "qemuDomainBlockCommit",
            flags,
            shallow
            | c.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE
            | c.VIR_DOMAIN_BLOCK_COMMIT_RELATIVE
            | c.VIR_DOMAIN_BLOCK_COMMIT_DELETE
            | c.VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES,
        )
        domain = self._find(dom)
        speed = speedOf(bandwidth, bool(flags & c.VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES))
        async with domain.jobs.change("remoteDispatchDomainBlockCommit", within=True):
            found = diskFor(domain, disk)
            images, target = chain(found), found.target.dev
            upper = 0 if top is None or top == target else find(images, top, target)
            if base is None:
                lower = upper + 1 if flags & shallow else len(images) - 1
                if lower <= upper and not flags & shallow:
                    raise invalidArgument(
                        f"could not find base image in chain for '{target}'", ErrorDomain.STORAGE
                    )
            else:
                lower = find(images, base, target, upper)
            guest = domain.checkActive()
            if images:
                checkLasting(found)
                busy(guest, found)
            checkTop(found, upper, bool(flags & c.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE))
            await commit(self._hypervisor, domain, found, lower, upper, speed, flags)

    async def domainBlockJobAbort(self, dom: DomainRef, path: str, flags: int) -> None:
        """Give a job up, or go over to the copy."""
        pivot = bool(flags & c.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
        asynchronous = bool(flags & c.VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC)
        checkFlags(
            "qemuDomainBlockJobAbort",
            flags,
            c.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT | c.VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC,
        )
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainBlockJobAbort", within=True):
            await endJob(self._hypervisor, domain, path, pivot, asynchronous)

    async def domainGetBlockJobInfo(self, dom: DomainRef, path: str, flags: int) -> BlockJobInfo:
        """Tell what a disk is busy with and how far that is."""
        inBytes = c.VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES
        checkFlags("qemuDomainGetBlockJobInfo", flags, inBytes)
        domain = self._find(dom)
        guest = domain.checkActive()
        disk = diskFor(domain, path)
        job = guest.blockJobs.get(disk.target.dev)
        if job is None:
            return BlockJobInfo(0, 0, 0, 0, 0)
        for each in await guest.execute("query-block-jobs"):
            if isinstance(each, dict) and each.get("device") == job.name:
                return _info(job, each, bool(flags & inBytes))
        return BlockJobInfo(0, 0, 0, 0, 0)

    async def domainBlockJobSetSpeed(
        self, dom: DomainRef, path: str, bandwidth: int, flags: int
    ) -> None:
        """Limit how fast a job is."""
        inBytes = c.VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES
        checkFlags("qemuDomainBlockJobSetSpeed", flags, inBytes)
        domain = self._find(dom)
        speed = speedOf(bandwidth, bool(flags & inBytes))
        async with domain.jobs.change("remoteDispatchDomainBlockJobSetSpeed", within=True):
            guest = domain.checkActive()
            job = _jobOf(guest, diskFor(domain, path))
            await guest.execute("block-job-set-speed", {"device": job.name, "speed": speed})

    async def domainSetBlockThreshold(
        self, dom: DomainRef, dev: str, threshold: int, flags: int
    ) -> None:
        """Ask for an event once an image has been written so far."""
        checkFlags("qemuDomainSetBlockThreshold", flags)
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainSetBlockThreshold"):
            guest = domain.checkActive()
            target, number = split(dev)
            missing = target
            for disk in disksOf(domain.definition):
                if disk.target.dev != target:
                    continue
                missing = dev
                for image in chain(disk):
                    if number is None or image.index == number:
                        guest.thresholds = True
                        await guest.execute(
                            "block-set-write-threshold",
                            {"node-name": image.storageName, "write-threshold": threshold},
                        )
                        return
            raise invalidArgument(f"failed to find disk '{missing}'")


async def endJob(
    hypervisor: Hypervisor, domain: Domain, path: str, pivot: bool, asynchronous: bool
) -> None:
    """
    End a job of a disk; the caller holds the domain.

    @param asynchronous: do not wait until it is gone.
    @raise VirtError: there is none, or it cannot be ended so.
    """
    guest = domain.checkActive()
    disk = diskFor(domain, path)
    job, target = _jobOf(guest, disk), disk.target.dev
    if job.state in ("pivoting", "aborting"):
        raise operationInvalid(f"block job on disk '{target}' is still being ended")
    before = job.state
    if pivot:
        if job.kind not in ("copy", "active-commit"):
            raise operationInvalid(f"job type '{job.kind}' does not support pivot")
        if job.state != "ready":
            raise virtError(
                ErrorCode.BLOCK_COPY_ACTIVE,
                f"block job '{job.name}' not ready for pivot yet",
                ErrorDomain.QEMU,
            )
        mirror = disk.mirror
        if mirror is not None:
            top = Image(mirror.source, mirror.format, mirror.source.index)
            lower = below(mirror.backingStore)
            if job.kind == "copy" and not job.shallow and lower:
                await addChain(hypervisor, guest, top, lower, disk)
            if len(domain.checkpoints) and top.format == "qcow2":
                await countWrites(guest, top)
    waiting = None if asynchronous else whenEnded(job)
    job.state = "pivoting" if pivot else "aborting"
    hypervisor.saveStatus(domain)
    try:
        if pivot:
            await guest.execute("job-complete", {"id": job.name})
        else:
            arguments: dict[str, Any] = {"device": job.name}
            if job.kind == "backup":
                arguments["force"] = True
            await guest.execute("block-job-cancel", arguments)
    except VirtError:
        job.state, job.waiting = before, None
        hypervisor.saveStatus(domain)
        raise
    if waiting is None:
        return
    guest.process.whenEnded().addCallback(_gone, job)  # type: ignore[union-attr]
    await waiting
    if domain.guest is not guest or guest.monitor is None:
        domain.checkActive()
    problem = await concluded(hypervisor, domain, guest, job)
    if pivot and problem is not None:
        raise failed(f"block job '{job.name}' failed while pivoting: {problem}")


def _gone(status: Any, job: BlockJob) -> None:
    """The guest is gone, and its jobs with it."""
    waiting, job.waiting = job.waiting, None
    if waiting is not None:
        waiting.callback(None)


def _info(job: BlockJob, found: dict[str, Any], inBytes: bool) -> BlockJobInfo:
    done, end, speed = (
        value if type(value := found.get(name)) is int and value >= 0 else 0
        for name in ("offset", "len", "speed")
    )
    ready = bool(found.get("ready"))
    if done == end:
        # Equal numbers are how clients know that a job is ready.
        if ready and end == 0:
            done = end = 1
        elif not ready and done > 0:
            done -= 1
        elif not ready:
            end += 1
    bandwidth = speed if inBytes else -(-speed // MIB)
    return BlockJobInfo(1, TYPES[job.kind], bandwidth, done, end)


@handles("BLOCK_WRITE_THRESHOLD")
def _exceeded(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    data = event.data
    name, limit, excess = (
        data.get(each) for each in ("node-name", "write-threshold", "amount-exceeded")
    )
    if type(limit) is not int or type(excess) is not int:
        return
    kind = c.VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD
    for disk in disksOf(domain.definition):
        for place, image in enumerate(chain(disk)):
            if name in (image.storageName, image.formatName):
                path = image.path if image.path.startswith("/") else None
                target = disk.target.dev
                if place == 0:
                    hypervisor.tellDomain(domain, kind, target, path, limit, excess)
                hypervisor.tellDomain(domain, kind, f"{target}[{image.index}]", path, limit, excess)
