"""
Beginning long operations on disks: pulling, committing, copying.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

import attrs

from pyvirt import constants as c
from pyvirt.definitions.domain._disk import FORMATS, BackingStore, Mirror
from pyvirt.definitions.domain._source import (
    SOURCE_TYPES,
    BlockSource,
    DirSource,
    FileSource,
    VolumeSource,
    readSource,
)
from pyvirt.definitions.kinds import choice
from pyvirt.definitions.reader import parseTree
from pyvirt.definitions.schema import Context, replaced
from pyvirt.drivers.qemu import locks
from pyvirt.drivers.qemu.blocks.chain import (
    Image,
    below,
    chain,
    detectBelow,
    diskNamed,
    ends,
    find,
    headerOf,
    localPath,
    opened,
    pathOf,
    prepared,
    relativeName,
    stores,
    withDisk,
)
from pyvirt.drivers.qemu.blocks.jobs import (
    BlockJob,
    forgetJob,
)
from pyvirt.drivers.qemu.blocks.nodes import NewImage, addImage, dropImages
from pyvirt.drivers.qemu.devicerules import BOTH, imageRules
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.refusals import (
    failed,
    internal,
    invalidArgument,
    operationInvalid,
    operationUnsupported,
    systemFailure,
    unsupportedConfig,
)
from pyvirt.drivers.qemu.validatedisks import checkFormat, checkSource
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = [
    "MIB",
    "busy",
    "capacityOf",
    "checkTop",
    "commit",
    "copy",
    "destination",
    "diskFor",
    "pull",
    "speedOf",
]

MIB = 1 << 20


def diskFor(domain: Domain, path: str) -> Any:
    """
    Find a disk of a running guest.

    @raise VirtError: there is none.
    """
    disk = diskNamed(domain.definition, path)
    if disk is None:
        raise invalidArgument(f"disk '{path}' not found in domain")
    return disk


def checkLasting(disk: Any) -> None:
    """
    Refuse a disk whose image ends with the run.

    @raise VirtError: OPERATION_UNSUPPORTED: it does.
    """
    if disk.transient is not None:
        raise operationUnsupported(
            f"block jobs are not supported on transient disk '{disk.target.dev}'"
        )


def busy(guest: Guest, disk: Any) -> None:
    """
    Refuse a disk that QEMU is doing something to.

    @raise VirtError: it is.
    """
    if disk.target.dev in guest.blockJobs or disk.mirror is not None:
        raise virtError(
            ErrorCode.OPERATION_UNSUPPORTED if disk.mirror is None else ErrorCode.BLOCK_COPY_ACTIVE,
            f"disk '{disk.target.dev}' already in active block job",
            ErrorDomain.QEMU,
        )


def speedOf(bandwidth: int, inBytes: bool) -> int:
    """
    Return a speed in bytes a second.

    @raise VirtError: it is more than there can be.
    """
    if inBytes:
        if bandwidth > (1 << 63) - 1:
            raise virtError(
                ErrorCode.OVERFLOW,
                f"bandwidth must be less than {(1 << 63) - 1}",
                ErrorDomain.QEMU,
            )
        return bandwidth
    if bandwidth > ((1 << 63) - 1) >> 20:
        raise virtError(
            ErrorCode.OVERFLOW,
            f"bandwidth must be less than {((1 << 63) - 1) >> 20}",
            ErrorDomain.QEMU,
        )
    return bandwidth * MIB


async def capacityOf(guest: Guest, image: Image) -> int:
    """
    Ask how large an image is for the guest, in bytes.

    @raise VirtError: QEMU does not know it.
    """
    for node in await guest.execute("query-named-block-nodes", {"flat": True}):
        if isinstance(node, dict) and node.get("node-name") == image.formatName:
            size = node.get("image", {}).get("virtual-size")
            if type(size) is int:
                return size
    raise failed(f"failed to get the size of image '{image.path}'")


async def start(
    hypervisor: Hypervisor,
    guest: Guest,
    job: BlockJob,
    command: str,
    arguments: dict[str, Any],
) -> None:
    """
    Have QEMU begin a job, which is written down first.

    @raise VirtError: it does not.
    """
    guest.blockJobs[job.disk] = job
    domain = next(each for each in hypervisor.domains if each.guest is guest)
    hypervisor.saveStatus(domain)
    try:
        await guest.execute(command, {**arguments, "auto-finalize": True, "auto-dismiss": False})
    except BaseException:
        forgetJob(guest, job)
        hypervisor.saveStatus(domain)
        raise


async def pull(
    hypervisor: Hypervisor,
    domain: Domain,
    path: str,
    base: str | None,
    speed: int,
    relative: bool = False,
) -> None:
    """
    Have what lies below an image copied into it; the caller holds the domain.

    @raise VirtError: it is not begun.
    """
    guest = domain.checkActive()
    disk = diskFor(domain, path)
    checkLasting(disk)
    busy(guest, disk)
    images = chain(disk)
    target = disk.target.dev
    lower = None if base is None else images[find(images, base, target, 0)]
    if not images:
        raise internal("argument key 'device' must not have null value", ErrorDomain.NONE)
    job = BlockJob(
        name=f"pull-{target}-{images[0].formatName}",
        kind="pull",
        disk=target,
        base=None if lower is None else lower.index,
    )
    arguments: dict[str, Any] = {"device": images[0].formatName, "job-id": job.name}
    if lower is not None:
        arguments["base-node"] = lower.formatName
        if relative:
            arguments["backing-file"] = relativeName(images, 1, images.index(lower))
    if speed:
        arguments["speed"] = speed
    await start(hypervisor, guest, job, "block-stream", arguments)


def checkTop(disk: Any, top: int, active: bool) -> None:
    """
    Look whether images can be committed from a place in a chain on.

    @param active: whether it is asked for that the image in use is one of them.
    @raise VirtError: they cannot.
    """
    images, target = chain(disk), disk.target.dev
    if not images:
        raise unsupportedConfig(f"disk {target} has no source file to be committed")
    if top == 0 and not active:
        raise invalidArgument(f"commit of '{target}' active layer requires active flag")
    if top != 0 and active:
        raise invalidArgument(f"active commit requested but '{images[top].path}' is not active")
    if top + 1 >= len(images):
        upper, first = (images[place].path or "(null)" for place in (top, 0))
        raise invalidArgument(f"top '{upper}' in chain for '{first}' has no backing file")


async def commit(
    hypervisor: Hypervisor,
    domain: Domain,
    disk: Any,
    base: int,
    top: int,
    speed: int,
    flags: int,
) -> BlockJob:
    """
    Have the data of images written into one below; the caller holds the domain.

    @param base, top: places in the chain.
    @param flags: C{VIR_DOMAIN_BLOCK_COMMIT_*}.
    @raise VirtError: it is not begun.
    """
    guest = domain.checkActive()
    checkLasting(disk)
    busy(guest, disk)
    images, target = chain(disk), disk.target.dev
    if flags & c.VIR_DOMAIN_BLOCK_COMMIT_SHALLOW and base != top + 1:
        raise invalidArgument(
            f"base '{images[base].path}' is not immediately below '{images[top].path}' "
            f"in chain for '{target}'"
        )
    job = BlockJob(
        name=f"commit-{target}-{images[top].formatName}",
        kind="active-commit" if top == 0 else "commit",
        disk=target,
        top=images[top].index,
        base=images[base].index,
        delete=bool(flags & c.VIR_DOMAIN_BLOCK_COMMIT_DELETE),
    )
    arguments: dict[str, Any] = {
        "device": images[0].formatName,
        "job-id": job.name,
        "top-node": images[top].formatName,
        "base-node": images[base].formatName,
    }
    if flags & c.VIR_DOMAIN_BLOCK_COMMIT_RELATIVE and top > 0:
        arguments["backing-file"] = relativeName(images, top, base)
    if speed:
        arguments["speed"] = speed
    await locks.take(hypervisor, domain, guest, disk, images[base].source)
    if guest.access is not None:
        guest.access.allow(imageRules(images[base], BOTH))
    if top == 0:
        mirror = Mirror(
            source=replaced(images[base].source, index=images[base].index),
            format=images[base].format,
            job="active-commit",
        )
        domain.definition = withDisk(domain.definition, replaced(disk, mirror=mirror))
    try:
        await start(hypervisor, guest, job, "block-commit", arguments)
    except BaseException:
        if top == 0:
            domain.definition = withDisk(domain.definition, disk)
            hypervisor.saveStatus(domain)
        await locks.settle(hypervisor, domain, guest)
        raise
    return job


def _checkTarget(disk: Any, source: Any, reuse: bool) -> None:
    """
    Look whether an image can be made where a copy is to go, or is there.

    @raise VirtError: it cannot, or is not.
    """
    path = pathOf(source)
    if isinstance(source, VolumeSource):
        raise internal(
            f"storage source pool '{source.pool}' volume '{source.volume}' is not translated"
        )
    if isinstance(source, DirSource):
        problem = OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        raise systemFailure(problem, f"unable to stat block copy target '{path}'")
    if not path.startswith("/"):
        return
    try:
        found = os.stat(path)
    except FileNotFoundError as problem:
        if reuse or isinstance(source, BlockSource):
            detail = f"missing destination file for disk {disk.target.dev}: {path}"
            raise systemFailure(problem, detail) from None
        return
    except OSError as problem:
        raise systemFailure(
            problem, f"unable to stat destination file for disk {disk.target.dev}: {path}"
        ) from None
    if isinstance(source, BlockSource) and not stat.S_ISBLK(found.st_mode):
        raise invalidArgument(
            f"blockdev flag requested for disk {disk.target.dev}, but file '{path}' is not a "
            "block device"
        )
    if isinstance(source, FileSource) and found.st_size and not reuse:
        raise unsupportedConfig(
            f"external destination file for disk {disk.target.dev} already exists and is not "
            f"a block device: {path}"
        )


async def _copyNothing(hypervisor: Hypervisor, guest: Guest, image: Image, reuse: bool) -> NoReturn:
    """
    Copy a drive without a medium, as far as that goes.

    @raise VirtError: always.
    """
    guest.takeNode()
    if not reuse:
        made = NewImage(hypervisor, guest, image, "failed to create copy target")
        made.claim()
        made.forget()
    raise internal("failed to update capacity data for block node '(null)'")


async def copy(
    hypervisor: Hypervisor,
    domain: Domain,
    path: str,
    source: Any,
    format: str | None,
    flags: int,
    *,
    speed: int = 0,
    granularity: int = 0,
    buffer: int = 0,
    given: BackingStore | None = None,
) -> None:
    """
    Have a disk copied while it is written; the caller holds the domain.

    @param source: where to; C{format} of the copy, None: that of the disk, or of what is there.
    @param given: what the copy is laid over, None: what the disk is, or what its header says.
    @param flags: C{VIR_DOMAIN_BLOCK_COPY_*}.
    @raise VirtError: it is not begun; nothing is left behind.
    """
    if isinstance(source, (FileSource, BlockSource)) and not pathOf(source).startswith("/"):
        raise invalidArgument("absolute path must be used as block copy target")
    guest = domain.checkActive()
    disk = diskFor(domain, path)
    checkLasting(disk)
    busy(guest, disk)
    target = disk.target.dev
    if domain.persistent and not flags & c.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB:
        raise operationInvalid("domain is not transient")
    images = chain(disk)
    reuse = bool(flags & c.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT)
    shallow = bool(flags & c.VIR_DOMAIN_BLOCK_COPY_SHALLOW) and len(images) > 1
    if given is not None and given.source is not None and not shallow:
        raise invalidArgument(
            "backingStore of mirror without VIR_DOMAIN_BLOCK_COPY_SHALLOW doesn't make sense"
        )
    _checkTarget(disk, source, reuse)
    if not images:
        await _copyNothing(hypervisor, guest, Image(source, format or "raw"), reuse)
    if shallow and format == "raw":
        raise unsupportedConfig(f"shallow copy of disk '{target}' into a raw file is not possible")
    if format is None:
        format = images[0].format
        if reuse and localPath(source) is None:
            raise unsupportedConfig("reused mirror destination format must be specified")
        if reuse:
            try:
                format = headerOf(source, "auto").format
            except OSError:
                format = images[0].format
    if disk.shareable and format != "raw":
        raise operationUnsupported(
            "can't pivot a shared disk to a storage volume not supporting sharing"
        )
    source = prepared(source)
    mirror = Image(source, format)
    made = NewImage(hypervisor, guest, mirror, "failed to create copy target")
    inherits = shallow and not reuse and given is None
    lower: list[Image] = []
    added: list[Image] = []
    lease = partial(locks.take, hypervisor, domain, guest, disk, source)
    job = BlockJob(
        name=f"copy-{target}-{images[0].formatName}",
        kind="copy",
        disk=target,
        # What is there already may be laid over something else.
        shallow=inherits,
    )
    try:
        if not reuse:
            made.claim()
        made.image = mirror = attrs.evolve(mirror, index=guest.takeNode())
        lower = [attrs.evolve(each, index=guest.takeNode()) for each in below(given)]
        _checkThere(lower)
        checkFormat(format, source.sourceType)
        checkSource(source, format, source.encryption)
        if reuse:
            await lease()
            if shallow and given is None:
                found = [mirror]
                detectBelow(found, hypervisor.owner or (0, 0))
                lower = [attrs.evolve(each, index=guest.takeNode()) for each in found[1:]]
            # What it is laid over is opened when the guest goes over to it.
            await addImage(hypervisor, guest, mirror, disk, readOnly=False, last=True)
            added.append(mirror)
        else:
            await made.make(
                disk,
                await capacityOf(guest, images[0]),
                over=images[1] if inherits else next(iter(lower), None),
                below=images[1].formatName if inherits else None,
                lease=lease,
            )
            mirror = made.image
        arguments: dict[str, Any] = {
            "job-id": job.name,
            "device": images[0].formatName,
            "target": mirror.formatName,
            "sync": "top" if shallow else "full",
        }
        if speed:
            arguments["speed"] = speed
        if granularity:
            arguments["granularity"] = granularity
        if buffer:
            arguments["buf-size"] = buffer
        if flags & c.VIR_DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES:
            arguments["copy-mode"] = "write-blocking"
        shown = None if inherits or (shallow and format == "raw") else stores(lower)
        if given is not None and not ends(given):
            shown = opened(shown)
        mirrored = Mirror(
            source=replaced(source, index=mirror.index),
            format=format,
            job="copy",
            backingStore=shown,
        )
        domain.definition = withDisk(domain.definition, replaced(disk, mirror=mirrored))
        await start(hypervisor, guest, job, "blockdev-mirror", arguments)
    except BaseException:
        domain.definition = withDisk(domain.definition, disk)
        if guest.monitor is not None:
            await dropImages(hypervisor, guest, *added)
        await made.undo()
        await locks.settle(hypervisor, domain, guest)
        hypervisor.saveStatus(domain)
        raise


def _checkThere(images: Sequence[Image]) -> None:
    """
    Look whether images are there that a copy is to be laid over.

    @raise VirtError: one is not.
    """
    for image in images:
        path = localPath(image.source)
        if path is not None:
            try:
                os.stat(path)
            except OSError as problem:
                detail = f"unable to stat: {path}"
                raise systemFailure(problem, detail, ErrorDomain.SECURITY) from None


def destination(xml: str) -> tuple[Any, str | None, BackingStore | None]:
    """
    Read where a copy goes: a C{<disk>} of which nothing but source, format and what it is laid over matter.

    @return: the source, the format or None, and what it is laid over or None.
    @raise VirtError: it is none.
    """
    root = parseTree(xml, "disk", label="(disk_definition)", domain=ErrorDomain.DOMAIN)
    kind: str = choice(SOURCE_TYPES).read(root.get("type") or "file", root, "type")
    place, driver, over = (root.find(each) for each in ("source", "driver", "backingStore"))
    form = None if driver is None else driver.get("type")
    if form is not None and form not in FORMATS.split():
        raise unsupportedConfig(f"unknown driver format value '{form}'", ErrorDomain.DOMAIN)
    context = Context(inactive=True)
    source = None if place is None else readSource(kind, place, context)
    store = None if over is None else BackingStore.readElement(over, context)
    if source is None or source.isEmpty:
        raise virtError(ErrorCode.NO_SOURCE, None, ErrorDomain.DOMAIN)
    return source, form, store
