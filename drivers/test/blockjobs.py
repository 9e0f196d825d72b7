"""
Copying, pulling and committing the disks of running guests, as libvirt's driver for QEMU does it.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain._disk import BackingStore, Mirror
from pyvirt.definitions.domain._source import (
    SOURCE_TYPES,
    BlockSource,
    DiskSource,
    FileSource,
    readSource,
)
from pyvirt.definitions.kinds import xmlError
from pyvirt.definitions.reader import parseTree
from pyvirt.definitions.schema import Context, replaced
from pyvirt.drivers.devicenames import diskOf
from pyvirt.drivers.interfaces.values import BlockJobInfo, DomainRef, TypedParam
from pyvirt.drivers.test.blockchain import Image, chain, find, withChain
from pyvirt.drivers.test.blockjob import BlockJob, checkIdle
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.refusals import checkFlags, invalidArgument, operationInvalid
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.params import validateParams

__all__ = ["DomainBlockJobs"]

_MIB = 1 << 20
_COPY_PARAMS = {
    "bandwidth": c.VIR_TYPED_PARAM_ULLONG,
    "granularity": c.VIR_TYPED_PARAM_UINT,
    "buf-size": c.VIR_TYPED_PARAM_ULLONG,
}
_TYPE = {
    c.VIR_DOMAIN_BLOCK_JOB_TYPE_PULL: "pull",
    c.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY: "copy",
    c.VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT: "commit",
    c.VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT: "active-commit",
    c.VIR_DOMAIN_BLOCK_JOB_TYPE_BACKUP: "backup",
}


def _overflow(detail: str) -> VirtError:
    return virtError(ErrorCode.OVERFLOW, detail, ErrorDomain.TEST)


def _bytes(bandwidth: int, inBytes: bool) -> int:
    """Return a limit in bytes a second."""
    if inBytes:
        return bandwidth
    if bandwidth > (1 << 63) // _MIB:
        raise _overflow(f"bandwidth must be less than {(1 << 63) // _MIB}")
    return bandwidth * _MIB


def _destination(xml: str) -> Image:
    """Read where a copy goes: a disk's element, of which only source and format matter."""
    node = parseTree(xml, "disk", label="(disk_definition)", domain=ErrorDomain.DOMAIN)
    kind = node.get("type") or "file"
    if kind not in SOURCE_TYPES.split():
        raise xmlError(f"unknown disk type '{kind}'")
    given = node.find("source")
    source: DiskSource | None = None
    if given is not None:
        source = readSource(kind, given, Context())
    if source is None or source.isEmpty:
        raise virtError(ErrorCode.NO_SOURCE, None, ErrorDomain.DOMAIN)
    driver = node.find("driver")
    form = None if driver is None else driver.get("type")
    return Image(source, form or "raw")


class DomainBlockJobs:
    """Starts and ends jobs of disks."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._find = world.domains.find

    def _disk(self, dom: DomainRef, path: str) -> tuple[Domain, Any, str]:
        """Find a disk of a running guest, and its target."""
        domain = self._find(dom)
        domain.checkActive()
        disk = diskOf(domain.definition, path)
        if disk is None:
            raise invalidArgument(f"disk '{path}' not found in domain")
        return domain, disk, disk.target.dev

    def _job(self, dom: DomainRef, path: str) -> tuple[Domain, Any, BlockJob]:
        domain, disk, name = self._disk(dom, path)
        job = domain.jobs.get(name)
        if job is None:
            raise invalidArgument(f"disk {name} does not have an active block job")
        return domain, disk, job

    @staticmethod
    def _swap(domain: Domain, name: str, change: Any) -> None:
        """Change a disk of the running guest, and that of its definition if it is the same one."""
        old = diskOf(domain.definition, name)
        for attribute in ("definition", "pending"):
            definition = getattr(domain, attribute)
            if definition is None:
                continue
            devices = definition.devices
            disks = tuple(
                change(disk)
                if disk.target is not None
                and disk.target.dev == name
                and (attribute == "definition" or disk.source == getattr(old, "source", None))
                else disk
                for disk in devices.disks
            )
            setattr(domain, attribute, replaced(definition, devices=replaced(devices, disks=disks)))

    def _mirror(self, domain: Domain, name: str, mirror: Mirror | None) -> None:
        devices = domain.definition.devices
        disks = tuple(
            replaced(disk, mirror=mirror)
            if disk.target is not None and disk.target.dev == name
            else disk
            for disk in devices.disks
        )
        domain.definition = replaced(domain.definition, devices=replaced(devices, disks=disks))

    def domainGetBlockJobInfo(self, dom: DomainRef, path: str, flags: int) -> BlockJobInfo:
        """Tell what a disk is busy with, and how far that is."""
        checkFlags("testDomainGetBlockJobInfo", flags, c.VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES)
        domain, _, name = self._disk(dom, path)
        job = domain.jobs.get(name)
        if job is None:
            return BlockJobInfo(0, 0, 0, 0, 0)
        bandwidth = job.bandwidth
        if not flags & c.VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES:
            bandwidth = -(-bandwidth // _MIB)
        return BlockJobInfo(1, job.kind, bandwidth, job.processed, job.total)

    def domainBlockJobSetSpeed(self, dom: DomainRef, path: str, bandwidth: int, flags: int) -> None:
        """Limit the speed of a job."""
        inBytes = c.VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES
        checkFlags("testDomainBlockJobSetSpeed", flags, inBytes)
        limit = _bytes(bandwidth, bool(flags & inBytes))
        self._job(dom, path)[2].limit(limit)

    def domainBlockJobAbort(self, dom: DomainRef, path: str, flags: int) -> None:
        """Give a job up, or go over to the copy that it made."""
        checkFlags(
            "testDomainBlockJobAbort",
            flags,
            c.VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC | c.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT,
        )
        domain, disk, job = self._job(dom, path)
        if not flags & c.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT:
            job.forget()
            self._mirror(domain, job.name, None)
            job.tell(c.VIR_DOMAIN_BLOCK_JOB_CANCELED)
            return
        mirror = disk.mirror
        if mirror is None:
            raise operationInvalid(f"job type '{_TYPE[job.kind]}' does not support pivot")
        if not job.ready:
            raise virtError(
                ErrorCode.BLOCK_COPY_ACTIVE,
                f"block job '{mirror.job}-{job.name}' not ready for pivot yet",
                ErrorDomain.TEST,
            )
        job.forget()
        images = chain(disk)
        top = Image(mirror.source, mirror.format)
        if mirror.job == "copy":
            below = images[1:] if job.shallow else []
        else:
            below = images[find(images, top.path, disk) + 1 :]

        def pivoted(each: Any) -> Any:
            return replaced(withChain(each, [top, *below]), mirror=None)

        self._swap(domain, job.name, pivoted)
        job.tell(c.VIR_DOMAIN_BLOCK_JOB_COMPLETED)

    def _start(
        self,
        domain: Domain,
        kind: int,
        name: str,
        bandwidth: int,
        *,
        keeps: bool = False,
        done: Any = None,
    ) -> BlockJob:
        return BlockJob(
            self._world,
            domain,
            kind,
            name,
            bandwidth,
            keeps=keeps,
            done=done or (lambda: None),
        )

    # Pulling

    def domainBlockPull(self, dom: DomainRef, path: str, bandwidth: int, flags: int) -> None:
        """Start to pull all that is below into the image in use."""
        inBytes = c.VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES
        checkFlags("testDomainBlockPull", flags, inBytes)
        self._pull(dom, path, None, _bytes(bandwidth, bool(flags & inBytes)))

    def _pull(self, dom: DomainRef, path: str, base: str | None, limit: int) -> None:
        domain, disk, name = self._disk(dom, path)
        checkIdle(domain, name)
        images = chain(disk)
        if not images:
            raise operationInvalid(f"disk '{name}' does not have a source")
        keep = len(images) if base is None else find(images, base, disk, below=True)

        def pulled() -> None:
            self._swap(domain, name, lambda each: withChain(each, [images[0], *images[keep:]]))

        self._start(domain, c.VIR_DOMAIN_BLOCK_JOB_TYPE_PULL, name, limit, done=pulled)

    def domainBlockRebase(
        self, dom: DomainRef, path: str, base: str | None, bandwidth: int, flags: int
    ) -> None:
        """Start to pull what is above an image, or to copy the disk to one."""
        checkFlags(
            "testDomainBlockRebase",
            flags,
            c.VIR_DOMAIN_BLOCK_REBASE_SHALLOW
            | c.VIR_DOMAIN_BLOCK_REBASE_REUSE_EXT
            | c.VIR_DOMAIN_BLOCK_REBASE_COPY
            | c.VIR_DOMAIN_BLOCK_REBASE_COPY_RAW
            | c.VIR_DOMAIN_BLOCK_REBASE_RELATIVE
            | c.VIR_DOMAIN_BLOCK_REBASE_COPY_DEV
            | c.VIR_DOMAIN_BLOCK_REBASE_BANDWIDTH_BYTES,
        )
        limit = _bytes(bandwidth, bool(flags & c.VIR_DOMAIN_BLOCK_REBASE_BANDWIDTH_BYTES))
        if not flags & c.VIR_DOMAIN_BLOCK_REBASE_COPY:
            self._pull(dom, path, base, limit)
            return
        source: DiskSource = FileSource(file=base)
        if flags & c.VIR_DOMAIN_BLOCK_REBASE_COPY_DEV:
            source = BlockSource(dev=base)
        form = "raw" if flags & c.VIR_DOMAIN_BLOCK_REBASE_COPY_RAW else None
        self._copy(dom, path, source, form, limit, flags, transient=False)

    # Copying

    def domainBlockCopy(
        self, dom: DomainRef, path: str, destxml: str, params: list[TypedParam], flags: int
    ) -> None:
        """Start to copy a disk, and to keep the copy like it."""
        checkFlags(
            "testDomainBlockCopy",
            flags,
            c.VIR_DOMAIN_BLOCK_COPY_SHALLOW
            | c.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT
            | c.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB
            | c.VIR_DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES,
        )
        given = validateParams(params, _COPY_PARAMS)
        granularity = given.get("granularity", 0)
        if granularity & (granularity - 1):
            raise invalidArgument("granularity must be power of 2")
        to = _destination(destxml)
        self._copy(
            dom,
            path,
            to.source,
            to.format,
            given.get("bandwidth", 0),
            flags,
            transient=bool(flags & c.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB),
        )

    def _copy(
        self,
        dom: DomainRef,
        path: str,
        source: DiskSource,
        form: str | None,
        limit: int,
        flags: int,
        *,
        transient: bool,
    ) -> None:
        domain, disk, name = self._disk(dom, path)
        checkIdle(domain, name)
        if domain.persistent and not transient and domain.pending is not None:
            raise operationInvalid("domain is not transient")
        images = chain(disk)
        if not images:
            raise operationInvalid(f"disk '{name}' does not have a source")
        end = BackingStore()
        mirror = Mirror(
            source=source, format=form or images[0].format, job="copy", backingStore=end
        )
        self._mirror(domain, name, mirror)

        def complete() -> None:
            self._mirror(domain, name, replaced(mirror, ready=True))

        kind = c.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY
        job = self._start(domain, kind, name, limit, keeps=True, done=complete)
        job.shallow = bool(flags & c.VIR_DOMAIN_BLOCK_COPY_SHALLOW)

    # Committing

    def domainBlockCommit(
        self,
        dom: DomainRef,
        disk: str,
        base: str | None,
        top: str | None,
        bandwidth: int,
        flags: int,
    ) -> None:
        """Start to write what is in upper images into a lower one."""
        checkFlags(
            "testDomainBlockCommit",
            flags,
            c.VIR_DOMAIN_BLOCK_COMMIT_SHALLOW
            | c.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE
            | c.VIR_DOMAIN_BLOCK_COMMIT_RELATIVE
            | c.VIR_DOMAIN_BLOCK_COMMIT_DELETE
            | c.VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES,
        )
        limit = _bytes(bandwidth, bool(flags & c.VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES))
        domain, found, name = self._disk(dom, disk)
        checkIdle(domain, name)
        images = chain(found)
        if not images:
            raise invalidArgument(f"disk {name} has no source file to be committed")
        first = 0 if top is None else find(images, top, found)
        active = bool(flags & c.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE)
        if first == 0 and not active:
            raise invalidArgument(f"commit of '{name}' active layer requires active flag")
        if first != 0 and active:
            raise invalidArgument(f"active commit requested but '{top}' is not active")
        if first + 1 >= len(images):
            if base is not None:
                find(images[first:], base, found, below=True)
            raise invalidArgument(
                f"could not find base image in chain for '{name}'", ErrorDomain.STORAGE
            )
        if base is not None:
            last = first + find(images[first:], base, found, below=True)
        elif flags & c.VIR_DOMAIN_BLOCK_COMMIT_SHALLOW:
            last = first + 1
        else:
            last = len(images) - 1
        if flags & c.VIR_DOMAIN_BLOCK_COMMIT_SHALLOW and last != first + 1:
            raise invalidArgument(
                f"base '{base}' is not immediately below '{images[first].path}' in chain for "
                f"'{name}'"
            )
        if active:
            mirror = Mirror(
                source=images[last].source, format=images[last].format, job="active-commit"
            )
            self._mirror(domain, name, mirror)
            self._start(
                domain,
                c.VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT,
                name,
                limit,
                keeps=True,
                done=lambda: self._mirror(domain, name, replaced(mirror, ready=True)),
            )
            return

        def committed() -> None:
            self._swap(
                domain,
                name,
                lambda each: withChain(each, [*images[:first], *images[last:]]),
            )

        kind = c.VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT
        self._start(domain, kind, name, limit, done=committed)

    def domainSetBlockThreshold(self, dom: DomainRef, dev: str, threshold: int, flags: int) -> None:
        """Ask for an event that no disk here will cause, for none is written to."""
        checkFlags("testDomainSetBlockThreshold", flags)
        domain = self._find(dom)
        domain.checkActive()
        name = dev.partition("[")[0]
        disk = diskOf(domain.definition, name)
        if disk is None or name.startswith("/"):
            raise invalidArgument(f"failed to find disk '{dev}'")
        if name != dev:
            find(chain(disk), dev, disk)
