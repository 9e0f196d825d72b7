"""
Taking snapshots: inside of images or beside them, with the guest's memory or without, of guests that run or do not.

Whatever fails on the way, chains are as they were, no file is left that was made for it, and the guest goes on.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from functools import partial
from typing import Any

import attrs
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.domain._disk import BackingFormat, BackingStore
from pyvirt.definitions.domain._source import BlockSource, FileSource
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.snapshot import STATES, SnapshotDisk
from pyvirt.drivers.qemu import ending, locks, starting
from pyvirt.drivers.qemu.blocks.beginning import busy, capacityOf, checkLasting
from pyvirt.drivers.qemu.blocks.bitmaps import Bitmaps, overlayActions
from pyvirt.drivers.qemu.blocks.chain import (
    Image,
    chain,
    diskNamed,
    goingOn,
    pathOf,
    prepared,
    withChain,
    withDisk,
)
from pyvirt.drivers.qemu.blocks.nodes import NewImage
from pyvirt.drivers.qemu.command.arguments import escaped
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.imagetool import imageTool
from pyvirt.drivers.qemu.jobs import LongJob
from pyvirt.drivers.qemu.leavingchecks import checkLeaving
from pyvirt.drivers.qemu.memoryfiles import (
    MemoryFile,
    compressionFor,
    createFile,
    finish,
    writeHead,
)
from pyvirt.drivers.qemu.memorystream import writeMemory
from pyvirt.drivers.qemu.migratable import formatMigratable
from pyvirt.drivers.qemu.momentfiles import removeMoment, saveMoments
from pyvirt.drivers.qemu.ownership import moveOwner
from pyvirt.drivers.qemu.refusals import (
    failed,
    internal,
    operationInvalid,
    operationUnsupported,
    systemFailure,
    unsupportedConfig,
)
from pyvirt.drivers.qemu.saveimage import FIXED, SaveImage, runtimeFacts
from pyvirt.drivers.qemu.validatedisks import checkSource
from pyvirt.drivers.snapshots import Snapshot
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["take"]

log = Logger()

_DISK_ONLY = c.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
_REUSE = c.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT
_QUIESCE = c.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE
_LIVE = c.VIR_DOMAIN_SNAPSHOT_CREATE_LIVE
_HALT = c.VIR_DOMAIN_SNAPSHOT_CREATE_HALT
_NO_METADATA = c.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA

#: Formats that keep snapshots inside.
_KEEPING = ("qcow2",)


async def take(hypervisor: Hypervisor, domain: Domain, snapshot: Snapshot, flags: int) -> None:
    """
    Take a snapshot.

    @param flags: C{VIR_DOMAIN_SNAPSHOT_CREATE_*}.
    @raise VirtError: it was not taken.
    """
    if flags & _LIVE and (not domain.active or snapshot.memory != "external"):
        raise virtError(
            ErrorCode.OPERATION_UNSUPPORTED,
            "live snapshot creation is supported only during full system snapshots",
            ErrorDomain.QEMU,
        )
    if domain.state == c.VIR_DOMAIN_PMSUSPENDED:
        raise virtError(
            ErrorCode.OPERATION_UNSUPPORTED,
            "qemu doesn't support taking snapshots of PMSUSPENDED guests",
            ErrorDomain.QEMU,
        )
    operation = c.VIR_DOMAIN_JOB_OPERATION_SNAPSHOT
    async with domain.jobs.longer("remoteDispatchDomainSnapshotCreateXML", operation) as job:
        metadata = not flags & _NO_METADATA
        await _prepare(hypervisor, domain, snapshot, flags)
        if metadata and domain.snapshots.get(snapshot.name) is not None:
            raise failed(f"domain moment {snapshot.name} already exists", ErrorDomain.DOMAIN)
        snapshot.parent = domain.snapshots.current
        if metadata:
            # Where it cannot be written down it is not taken.
            saveMoments(hypervisor, domain, "snapshots", snapshot)
        try:
            if domain.active:
                guest = domain.checkActive()
                if snapshot.memory == "internal":
                    await _inside(hypervisor, domain, guest, snapshot, flags)
                else:
                    await _beside(hypervisor, domain, guest, snapshot, flags, job)
            elif snapshot.external:
                await _besideOffline(hypervisor, domain, snapshot, flags)
            else:
                await _insideOffline(hypervisor, domain, snapshot)
        except BaseException:
            if metadata:
                removeMoment(hypervisor, domain, "snapshots", snapshot.name)
            raise
        if metadata:
            _remember(hypervisor, domain, snapshot)


def _remember(hypervisor: Hypervisor, domain: Domain, snapshot: Snapshot) -> None:
    moments = domain.snapshots
    before = moments.get(moments.current) if moments.current is not None else None
    moments.add(snapshot)
    moments.current = snapshot.name
    changed = [snapshot] if before is None else [snapshot, before]
    try:
        saveMoments(hypervisor, domain, "snapshots", *changed)
    except VirtError as error:
        # It has been taken, and was written down before that.
        log.error(
            "{name} is not told to be the current one: {error}", name=snapshot.name, error=error
        )


async def _prepare(hypervisor: Hypervisor, domain: Domain, snapshot: Snapshot, flags: int) -> None:
    """
    Say what becomes of each disk and what the domain is.

    @raise VirtError: it cannot be done.
    """
    definition = domain.definition
    if domain.guest is not None and domain.guest.askedCPU is not None:
        # It is started again with what was asked for, not with what became of it.
        definition = replaced(definition, cpu=domain.guest.askedCPU)
    snapshot.change(domain=await hypervisor.copied(definition), inactive=domain.pending)
    if flags & _DISK_ONLY:
        snapshot.change(state="disk-snapshot" if domain.active else "shutoff")
        snapshot.keepMemory("no")
        snapshot.align("external")
    elif snapshot.memory == "external":
        snapshot.change(state=STATES[domain.state])
        snapshot.align("external")
    else:
        if domain.active and snapshot.memory == "no":
            raise operationUnsupported(
                "internal snapshot of a running VM must include the memory state"
            )
        snapshot.change(state=STATES[domain.state])
        snapshot.keepMemory("internal" if domain.active else "no")
        snapshot.align("internal")
    if domain.active and snapshot.memory in ("internal", "external"):
        snapshot.change(cookie=runtimeFacts(domain))
    _checkDisks(domain, snapshot, flags)


def _checkDisks(domain: Domain, snapshot: Snapshot, flags: int) -> None:
    inside = beside = False
    done: list[SnapshotDisk] = []
    for wish in snapshot.disks:
        disk = diskNamed(domain.definition, wish.name)
        name = wish.name
        if domain.guest is not None and wish.snapshot in ("internal", "external", "manual"):
            busy(domain.guest, disk)
        if wish.snapshot == "internal":
            inside = True
            if domain.active and snapshot.state == "disk-snapshot":
                raise unsupportedConfig(
                    "active qemu domains require external disk snapshots; "
                    f"disk {name} requested internal"
                )
            if not domain.active:
                _checkInactive(disk.source, "internal")
            form = disk.driver.type if disk.driver is not None else None
            if form not in _KEEPING:
                raise unsupportedConfig(
                    f"internal snapshot for disk {name} unsupported for storage type {form or 'raw'}"
                )
        elif wish.snapshot == "external":
            beside = True
            if domain.active:
                checkLasting(disk)
            if disk.source is None or disk.source.isEmpty:
                raise unsupportedConfig(
                    f"external snapshot for disk {name} is unsupported without a medium"
                )
            form = wish.format or "qcow2"
            if form not in ("qcow2", "qed"):
                raise unsupportedConfig(
                    f"external snapshot format for disk {name} is unsupported: {form}"
                )
            if not domain.active:
                _checkInactive(disk.source, "external")
                _checkInactive(wish.source, "external")
            if disk.shareable and not disk.readonly:
                # Of what is laid over others only one guest may write.
                raise unsupportedConfig(
                    f"shared access for disk '{name}' requires use of supported storage format"
                )
            wish = replaced(wish, format=form)
            _checkTarget(wish, bool(flags & _REUSE))
        done.append(wish)
    if snapshot.memory == "internal" and not inside and not beside:
        raise unsupportedConfig(
            "internal and full system snapshots require all disks to be selected for snapshot"
        )
    if not inside and not beside and snapshot.memory == "no":
        raise unsupportedConfig("nothing selected for snapshot")
    if inside and beside:
        raise unsupportedConfig(
            "mixing internal and external targets for a snapshot is not yet supported"
        )
    if inside and snapshot.memory == "external":
        raise unsupportedConfig(
            "mixing internal and external targets for a snapshot is not yet supported"
        )
    snapshot.change(disks=tuple(done))


def _checkInactive(source: Any, place: str) -> None:
    """
    Refuse images of guests that do not run which are neither files nor devices of this host.

    @param place: C{internal} or C{external}, where the snapshot is to be.
    @raise VirtError: it is such a one.
    """
    if source is None or isinstance(source, (FileSource, BlockSource)):
        return
    protocol = getattr(source, "protocol", None)
    using = f" using '{protocol}' protocol" if protocol is not None else ""
    raise internal(
        f"{place} inactive snapshots are not supported on '{source.sourceType}' disks{using}"
    )


def _checkTarget(wish: SnapshotDisk, reuse: bool) -> None:
    """
    Look whether an image can be made, or is there.

    @raise VirtError: it cannot, or is not.
    """
    path = pathOf(wish.source)
    if not path.startswith("/"):
        return
    try:
        found = os.stat(path)
    except FileNotFoundError as problem:
        if reuse:
            detail = f"missing existing file for disk {wish.name}: {path}"
            raise systemFailure(problem, detail) from None
        return
    except OSError as problem:
        raise systemFailure(problem, f"unable to stat for disk {wish.name}: {path}") from None
    kind = stat.S_IFMT(found.st_mode)
    allowed = (
        (stat.S_IFREG, stat.S_IFBLK) if isinstance(wish.source, FileSource) else (stat.S_IFBLK,)
    )
    if kind not in allowed:
        raise unsupportedConfig(
            f"mismatch between configured type for snapshot disk '{wish.name}' and the type of "
            f"existing file '{path}'"
        )
    if isinstance(wish.source, FileSource) and found.st_size and not reuse:
        raise unsupportedConfig(
            f"external snapshot file for disk {wish.name} already exists and is not "
            f"a block device: {path}"
        )


# Inside of images


async def _inside(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, snapshot: Snapshot, flags: int
) -> None:
    """Have QEMU keep disks and memory inside of the images."""
    await checkLeaving(domain)
    ran = domain.state == c.VIR_DOMAIN_RUNNING
    if ran:
        guest.pausedReason = c.VIR_DOMAIN_PAUSED_SNAPSHOT
        await guest.execute("stop")
    halted = False
    try:
        said = str(await guest.hmp(f'savevm "{snapshot.name}"', timeout=None))
        _checkSaid(said)
        if flags & _HALT:
            await _halt(hypervisor, domain, guest)
            halted = True
    finally:
        if ran and not halted and domain.guest is guest and guest.monitor is not None:
            await starting.goOn(hypervisor, domain, guest, c.VIR_DOMAIN_RUNNING_UNPAUSED)


def _checkSaid(said: str) -> None:
    """
    Understand what the monitor for people says of C{savevm}.

    @raise VirtError: it was not done.
    """
    if "Error while creating snapshot" in said:
        raise failed(f"Failed to take snapshot: {said}")
    if "No block device can accept snapshots" in said:
        raise operationInvalid("this domain does not have a device to take snapshots")
    if "Could not open VM state file" in said or ("Error" in said and "while writing VM" in said):
        raise failed(said)
    if said.startswith("Error"):
        raise failed(f"Failed to take snapshot: {said}")


async def _halt(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    await ending.stopQuietly(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT)
    hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT)


async def _insideOffline(hypervisor: Hypervisor, domain: Domain, snapshot: Snapshot) -> None:
    """Keep the disks of a guest that does not run inside of their images."""
    done: list[str] = []
    try:
        for wish in snapshot.disks:
            if wish.snapshot != "internal":
                continue
            path = pathOf(diskNamed(domain.definition, wish.name).source)
            await imageTool(hypervisor, "snapshot", "-c", snapshot.name, path)
            done.append(path)
    except BaseException:
        for path in done:
            try:
                await imageTool(hypervisor, "snapshot", "-d", snapshot.name, path)
            except VirtError as error:
                log.warn("{error}", error=error)
        raise


# Beside images


async def _beside(
    hypervisor: Hypervisor,
    domain: Domain,
    guest: Guest,
    snapshot: Snapshot,
    flags: int,
    job: LongJob,
) -> None:
    """Let disks go on in other images, and keep the memory in a file of its own."""
    frozen = False
    ran = domain.state == c.VIR_DOMAIN_RUNNING
    stopped = False
    memory: MemoryFile | None = None
    known: Bitmaps | None = None
    try:
        if flags & _QUIESCE:
            if domain.state != c.VIR_DOMAIN_RUNNING:
                raise operationInvalid("domain is not running")
            from pyvirt.drivers.qemu.guestagent import ask

            await ask(domain, "guest-fsfreeze-freeze")
            frozen = True
        # What somebody else copies is not to change until he is done and lets the guest go on.
        manual = any(wish.snapshot == "manual" for wish in snapshot.disks)
        still = (snapshot.memory == "external" and not flags & _LIVE) or manual
        if ran and still:
            guest.pausedReason = c.VIR_DOMAIN_PAUSED_SNAPSHOT
            await guest.execute("stop")
            stopped = True
        if snapshot.memory == "external":
            await checkLeaving(domain)
            guest.pausedReason = c.VIR_DOMAIN_PAUSED_SNAPSHOT
            stopped = ran
            # Once it is written QEMU lets the images go for a moment, and their bitmaps with them.
            known = await Bitmaps.of(guest) if len(domain.checkpoints) else None
            memory = await _saveMemory(hypervisor, domain, guest, snapshot, job)
        reuse = bool(flags & _REUSE)
        await addOverlays(hypervisor, domain, guest, snapshot.disks, reuse=reuse, known=known)
        memory = None
        stopped = stopped and not manual
        if flags & _HALT:
            stopped = False
            await _halt(hypervisor, domain, guest)
    except BaseException:
        if memory is not None:
            memory.discard()
        raise
    finally:
        if domain.guest is guest and guest.monitor is not None:
            if stopped:
                await starting.goOn(hypervisor, domain, guest, c.VIR_DOMAIN_RUNNING_UNPAUSED)
            if frozen:
                from pyvirt.drivers.qemu.guestagent import ask

                await ask(domain, "guest-fsfreeze-thaw")


async def _saveMemory(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, snapshot: Snapshot, job: LongJob
) -> MemoryFile:
    path = snapshot.memoryFile
    assert path is not None
    compression = compressionFor(hypervisor, "snapshot")
    xml = formatMigratable(domain.definition, guest.askedCPU)
    file = await createFile(hypervisor, path, job, "snapshot job")
    fd = file.fd
    try:
        image = SaveImage(xml=xml, ran=True, compression=compression, length=0)
        try:
            what = "snapshot job"
            begin = await writeHead(hypervisor, fd, image, job, what, whole=False)
            await writeMemory(hypervisor, domain, guest, job, fd, compression, "snapshot job")
            image = attrs.evolve(image, length=begin - FIXED)
            await writeHead(hypervisor, fd, image, job, what, whole=True)
            await finish(hypervisor, fd, False)
        except OSError as problem:
            raise systemFailure(
                problem, f"failed to write header to domain save file '{path}'"
            ) from None
    except BaseException:
        file.discard()
        raise
    finally:
        os.close(fd)
    return file


async def addOverlays(
    hypervisor: Hypervisor,
    domain: Domain,
    guest: Guest,
    wishes: Iterable[SnapshotDisk],
    *,
    reuse: bool = False,
    known: Bitmaps | None = None,
    stored: bool = True,
) -> None:
    """
    Let disks of a running guest go on in other images, all at the same moment.

    @param stored: and when it is started again too.
    @param known: the bitmaps of its images, where they were asked for already.
    @raise VirtError: none of them does; nothing is left of what was made.
    """
    made: list[NewImage] = []
    moved: list[tuple[Image, Image]] = []
    actions: list[dict[str, Any]] = []
    live, pending = domain.definition, domain.pending if stored else None
    try:
        for wish in wishes:
            if wish.snapshot != "external" or wish.source is None:
                continue
            disk = diskNamed(domain.definition, wish.name)
            busy(guest, disk)
            images = chain(disk)
            new = Image(prepared(wish.source), wish.format or "qcow2")
            checkSource(new.source, new.format, new.source.encryption)
            overlay = NewImage(hypervisor, guest, new)
            size = 0 if reuse else await capacityOf(guest, images[0])
            lease = partial(locks.take, hypervisor, domain, guest, disk, wish.source)
            await overlay.make(disk, size, over=images[0], reuse=reuse, lease=lease)
            made.append(overlay)
            new = overlay.image
            moved.append((images[0], new))
            if known is None and len(domain.checkpoints):
                known = await Bitmaps.of(guest)
            actions += overlayActions(known, images[0], new)
            actions.append(
                {
                    "type": "blockdev-snapshot",
                    "data": {"node": images[0].formatName, "overlay": new.formatName},
                }
            )
            live = withDisk(live, goingOn(disk, [new, *images]))
            if pending is not None:
                pending = overlaid(pending, disk, attrs.evolve(new, source=wish.source))
        if actions:
            await guest.execute("transaction", {"actions": actions}, timeout=None)
    except BaseException:
        for overlay in reversed(made):
            await overlay.undo()
        await locks.settle(hypervisor, domain, guest)
        hypervisor.saveStatus(domain)
        raise
    domain.definition = live
    for lower, upper in moved:
        moveOwner(guest, lower, upper)
    hypervisor.saveStatus(domain)
    await locks.settle(hypervisor, domain, guest)
    if pending is not None and pending is not domain.pending:
        domain.pending = pending
        hypervisor.keepDefinition(domain)


def overlaid(definition: Any, before: Any, new: Image) -> Any:
    """Let a disk of a definition go on in another image, if it is in the same one as C{before}."""
    mine = diskNamed(definition, before.target.dev)
    if mine is None or mine.source is None or pathOf(mine.source) != pathOf(before.source):
        return definition
    form = (mine.driver.type if mine.driver is not None else None) or "raw"
    below = BackingStore(
        source=replaced(chain(mine)[0].source, index=None),
        format=BackingFormat(type=form),
        backingStore=mine.backingStore,
    )
    changed = withChain(mine, [attrs.evolve(new, index=None)])
    return withDisk(definition, replaced(changed, backingStore=below))


async def _besideOffline(
    hypervisor: Hypervisor, domain: Domain, snapshot: Snapshot, flags: int
) -> None:
    """Let disks of a guest that does not run go on in other images."""
    made: list[str] = []
    definition = domain.definition
    try:
        for wish in snapshot.disks:
            if wish.snapshot != "external" or wish.source is None:
                continue
            disk = diskNamed(domain.definition, wish.name)
            source, form = disk.source, disk.driver.type if disk.driver is not None else None
            path = pathOf(wish.source)
            new = wish.format or "qcow2"
            if not form:
                raise internal(
                    f"unknown image format of '{pathOf(source)}' and format probing is disabled"
                )
            if not flags & _REUSE:
                existed = os.path.exists(path)
                await imageTool(
                    hypervisor,
                    *("create", "-f", new, "-o"),
                    f"backing_fmt={form},backing_file={escaped(pathOf(source))}",
                    path,
                )
                if not existed:
                    made.append(path)
            changed = withChain(disk, [Image(wish.source, new)])
            definition = withDisk(definition, replaced(changed, backingStore=None))
        hypervisor.store.saveDefinition(definition)
    except BaseException:
        for path in made:
            try:
                os.unlink(path)
            except OSError:
                pass
        raise
    domain.definition = definition
