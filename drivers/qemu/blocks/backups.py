"""
Backups of the disks of running guests: pushed to files, or kept for a client to fetch over NBD.

A backup is the domain's long operation until it ends; it is on disk meanwhile, so that a restarted daemon goes on.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import attrs
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.backup import (
    BackupDefinition,
    BackupDisk,
    BackupServer,
    aligned,
    formatBackup,
    parseBackup,
)
from pyvirt.definitions.domain._source import FileSource
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam
from pyvirt.drivers.qemu.blocks.beginning import busy, capacityOf, checkLasting
from pyvirt.drivers.qemu.blocks.bitmaps import Bitmaps, merging
from pyvirt.drivers.qemu.blocks.chain import Image, chain, diskNamed, localPath, pathOf
from pyvirt.drivers.qemu.blocks.chain import prepared as preparedSource
from pyvirt.drivers.qemu.blocks.jobs import (
    COMPLETED,
    FAILED,
    BlockJob,
    forgetJob,
    tellJob,
)
from pyvirt.drivers.qemu.blocks.nodes import NewImage, addImage, askSecrets, dropImages
from pyvirt.drivers.qemu.certificates import addCertificates, removeCertificates
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.jobs import LongJob
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    internal,
    invalidArgument,
    systemFailure,
    unsupportedConfig,
)
from pyvirt.drivers.qemu.validatedisks import checkFormat, checkSource
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["Backup", "DomainBackup", "diskDone"]

log = Logger()

_BEGIN = "remoteDispatchDomainBackupBegin"


@attrs.define(eq=False)
class Backup:
    """
    A backup under way.

    @ivar definition: with all that was chosen.
    @ivar indexes: by disk, the number of the image that is written.
    @ivar status: the worst that a disk has ended with.
    @ivar pushed: C{(done, all)} of disks that are done, in bytes.
    @ivar reuse: images were there before, and stay.
    """

    definition: BackupDefinition
    indexes: dict[str, int]
    began: float
    job: LongJob | None = None
    status: int = COMPLETED
    problem: str | None = None
    pushed: tuple[int, int] = (0, 0)
    reuse: bool = False

    @property
    def pull(self) -> bool:
        """Whether a client fetches it."""
        return self.definition.mode == "pull"

    def image(self, name: str) -> Image | None:
        """Return the image that is written for a disk."""
        for disk in self.definition.disks:
            if disk.name == name and disk.store is not None:
                return Image(disk.store, disk.format or "qcow2", self.indexes.get(name))
        return None

    def disk(self, name: str) -> BackupDisk | None:
        """Find what becomes of a disk."""
        return next((disk for disk in self.definition.disks if disk.name == name), None)

    def xml(self) -> str:
        """Describe it to clients."""
        text = formatBackup(self.definition)
        for name, index in self.indexes.items():
            begin = text.find(f"<disk name='{name}' backup='yes'")
            end = text.find(">", begin)
            if begin >= 0 and end >= 0:
                text = f"{text[:end]} index='{index}'{text[end:]}"
        return text

    def written(self) -> str:
        """Write it down for a restarted daemon."""
        return json.dumps(
            {
                "xml": formatBackup(self.definition),
                "indexes": self.indexes,
                "began": self.began,
                "status": self.status,
                "problem": self.problem,
                "pushed": self.pushed,
                "reuse": self.reuse,
            }
        )

    @classmethod
    def read(cls, text: str) -> Backup:
        """
        Read what L{written} wrote.

        @raise ValueError: it makes no sense.
        """
        found = json.loads(text)
        done, whole = found["pushed"]
        return cls(
            definition=parseBackup(found["xml"]),
            indexes={str(name): int(index) for name, index in found["indexes"].items()},
            began=float(found["began"]),
            status=int(found["status"]),
            problem=found["problem"],
            pushed=(int(done), int(whole)),
            reuse=bool(found.get("reuse")),
        )


def _address(server: BackupServer) -> dict[str, Any]:
    if server.transport == "unix":
        return {"type": "unix", "data": {"path": server.socket}}
    return {
        "type": "inet",
        "data": {"host": server.name or "localhost", "port": str(server.port or 10809)},
    }


class DomainBackup:
    """Backs domains up."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._find = hypervisor.domains.find

    async def domainBackupBegin(
        self, dom: DomainRef, backupXML: str, checkpointXML: str | None, flags: int
    ) -> None:
        """Start to back up disks of a running guest, and begin to count changes at that moment."""
        from pyvirt.drivers.qemu.checkpoints import impossible, prepared, read

        checkFlags("qemuBackupBegin", flags, c.VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL)
        hypervisor = self._hypervisor
        domain = self._find(dom)
        reuse = bool(flags & c.VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL)
        definition = parseBackup(backupXML)
        if not domain.active:
            raise impossible("cannot perform disk backup for inactive domain")
        now = hypervisor.clock.seconds()
        given = None
        if checkpointXML is not None:
            given = await read(hypervisor, domain, checkpointXML, int(now))
        long = await domain.jobs.begin(_BEGIN, c.VIR_DOMAIN_JOB_OPERATION_BACKUP)
        begun = False
        try:
            guest = domain.checkActive()
            suffix = given.name if given is not None else str(int(now))
            definition = aligned(definition, domain.definition, suffix)
            checkpoint = None if given is None else prepared(domain, given)
            if not any(disk.backup for disk in definition.disks):
                raise unsupportedConfig("no disks selected for backup")
            stores = tuple(
                disk if disk.store is None else replaced(disk, store=preparedSource(disk.store))
                for disk in definition.disks
            )
            definition = replaced(definition, disks=stores)
            backup = Backup(definition=definition, indexes={}, began=now, job=long, reuse=reuse)
            await _begin(hypervisor, domain, guest, backup, checkpoint, reuse)
            watch(hypervisor, domain, guest, backup, long)
            begun = True
        finally:
            if not begun:
                # Numbers of images that were taken are not given again.
                hypervisor.saveStatus(domain)
                domain.jobs.finish(long)

    def domainBackupGetXMLDesc(self, dom: DomainRef, flags: int) -> str:
        """Describe the backup that is under way."""
        checkFlags("qemuBackupGetXMLDesc", flags)
        domain = self._find(dom)
        guest = domain.guest
        if guest is None or guest.backup is None:
            raise virtError(
                ErrorCode.NO_DOMAIN_BACKUP, "no domain backup job present", ErrorDomain.QEMU
            )
        return guest.backup.xml()


def watch(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, backup: Backup, long: LongJob
) -> None:
    """Let those who ask see how far a backup is, give it up, and change the domain meanwhile."""
    backup.job = long

    async def cancel() -> None:
        await cancelAll(guest, backup)

    async def look() -> dict[str, Any]:
        return await progress(guest, backup)

    long.cancel, long.look = cancel, look
    domain.jobs.open(long)


async def progress(guest: Guest, backup: Backup) -> dict[str, Any]:
    """Ask how far a backup is."""
    done, whole = backup.pushed
    names = {job.name for job in guest.blockJobs.values() if job.kind == "backup"}
    for each in await guest.execute("query-jobs"):
        if isinstance(each, dict) and each.get("id") in names:
            done += int(each.get("current-progress", 0))
            whole += int(each.get("total-progress", 0))
    return {"backup": {"pull": backup.pull, "done": done, "whole": whole}}


async def cancelAll(guest: Guest, backup: Backup) -> None:
    """Give up what is not done of a backup."""
    for job in list(guest.blockJobs.values()):
        if job.kind == "backup" and job.state != "aborting":
            job.state = "aborting"
            try:
                await guest.execute("block-job-cancel", {"device": job.name, "force": True})
            except VirtError as error:
                log.debug("{error}", error=error)


def _checkStore(disk: BackupDisk, reuse: bool) -> None:
    path = pathOf(disk.store)
    if reuse and localPath(disk.store):
        try:
            os.stat(path)
        except OSError as problem:
            raise systemFailure(problem, f"unable to stat: {path}", ErrorDomain.SECURITY) from None
    if isinstance(disk.store, FileSource) and path and not reuse:
        try:
            if os.stat(path).st_size:
                raise invalidArgument(f"store '{path}' for backup of '{disk.name}' exists")
        except OSError:
            pass


async def _checkDisk(
    hypervisor: Hypervisor,
    domain: Domain,
    guest: Guest,
    backup: Backup,
    wish: BackupDisk,
    known: Bitmaps,
    checkpoint: Any,
) -> None:
    """
    Look whether a disk can be backed up as it is wished, before anything is made for any of them.

    @param checkpoint: what is made together with the backup, or None.
    @raise VirtError: it cannot.
    """
    disk = diskNamed(domain.definition, wish.name)
    store = backup.image(wish.name)
    assert store is not None
    checkFormat(wish.format, store.source.sourceType)
    checkSource(store.source, wish.format, store.source.encryption)
    if not store.source.isEmpty:
        await askSecrets(hypervisor, guest, store)
    since = wish.incremental
    if since is not None:
        begins = checkpoint is not None and checkpoint.name == since
        if not begins and domain.checkpoints.get(since) is None:
            raise virtError(
                ErrorCode.NO_DOMAIN_CHECKPOINT,
                f"Checkpoint '{since}' for incremental backup of disk '{wish.name}' not found",
                ErrorDomain.QEMU,
            )
        if not known.sources(chain(disk), since):
            raise virtError(
                ErrorCode.CHECKPOINT_INCONSISTENT,
                f"missing or broken bitmap '{since}' for disk '{wish.name}'",
                ErrorDomain.QEMU,
            )
    checkLasting(disk)
    if wish.name in guest.blockJobs:
        raise internal(f"disk '{wish.name}' has a blockjob assigned")
    busy(guest, disk)
    if store.source.isEmpty:
        raise internal("argument key 'filename' must not have null value", ErrorDomain.NONE)


async def _begin(
    hypervisor: Hypervisor,
    domain: Domain,
    guest: Guest,
    backup: Backup,
    checkpoint: Any,
    reuse: bool,
) -> None:
    """
    Have QEMU begin a backup.

    @raise VirtError: it does not; nothing is left of what was made for it.
    """
    from pyvirt.drivers.qemu.checkpoints import begun, remember
    from pyvirt.drivers.qemu.momentfiles import removeMoment, saveMoments

    chosen = [disk for disk in backup.definition.disks if disk.backup]
    known = await Bitmaps.of(guest)
    for wish in chosen:
        backup.indexes[wish.name] = guest.takeNode()
    for wish in chosen:
        await _checkDisk(hypervisor, domain, guest, backup, wish, known, checkpoint)
    made: list[NewImage] = []
    opened: list[Image] = []
    jobs: list[BlockJob] = []
    actions: list[dict[str, Any]] = []
    serving = False
    exports: list[dict[str, Any]] = []
    try:
        for wish in chosen:
            disk = diskNamed(domain.definition, wish.name)
            images = chain(disk)
            top = images[0]
            store = backup.image(wish.name)
            assert store is not None
            _checkStore(wish, reuse)
            over = top if backup.pull or wish.incremental is not None else None
            if store.format not in ("qcow2", "qed"):
                if backup.pull:
                    raise unsupportedConfig(
                        f"scratch of format '{store.format}' is not supported for disk '{wish.name}'"
                    )
                over = None
            below = None if over is None else top.formatName
            if reuse:
                await addImage(
                    hypervisor,
                    guest,
                    store,
                    None,
                    readOnly=False,
                    below=below,
                    last=below is None,
                )
                opened.append(store)
            else:
                image = NewImage(hypervisor, guest, store)
                await image.make(None, await capacityOf(guest, top), over=over, below=below)
                made.append(image)
            job = BlockJob(
                name=f"backup-{wish.name}-{top.formatName}", kind="backup", disk=wish.name
            )
            jobs.append(job)
            data: dict[str, Any] = {
                "device": top.formatName,
                "job-id": job.name,
                "target": store.formatName,
                "sync": "none" if backup.pull else "full",
            }
            if wish.incremental is not None:
                sources = known.sources(images, wish.incremental)
                name = wish.exportBitmap or f"backup-{wish.name}"
                node = store.formatName if backup.pull else top.formatName
                actions += merging(node, name, sources)
                if not backup.pull:
                    data |= {"sync": "incremental", "bitmap": name}
            actions.append(
                {
                    "type": "blockdev-backup",
                    "data": {**data, "auto-finalize": True, "auto-dismiss": False},
                }
            )
            if backup.pull:
                export = {
                    "type": "nbd",
                    "id": f"libvirt-nbd-{store.formatName}",
                    "node-name": store.formatName,
                    "writable": False,
                    "name": wish.exportName or wish.name,
                }
                if wish.incremental is not None:
                    export["bitmaps"] = [wish.exportBitmap]
                exports.append(export)
        if checkpoint is not None:
            actions = begun(domain, checkpoint) + actions
            saveMoments(hypervisor, domain, "checkpoints", checkpoint)
        if backup.pull:
            serving = True
            await _serve(hypervisor, guest, backup)
        guest.backup = backup
        for job in jobs:
            guest.blockJobs[job.disk] = job
        hypervisor.saveStatus(domain)
        await guest.execute("transaction", {"actions": actions}, timeout=None)
    except BaseException:
        guest.backup = None
        for job in jobs:
            forgetJob(guest, job)
        if guest.monitor is not None:
            if serving:
                await _stopServing(guest, backup)
            await dropImages(hypervisor, guest, *opened)
        for image in made:
            await image.undo()
        if checkpoint is not None:
            removeMoment(hypervisor, domain, "checkpoints", checkpoint.name)
        hypervisor.saveStatus(domain)
        raise
    if checkpoint is not None:
        remember(hypervisor, domain, checkpoint)
    try:
        for export in exports:
            await guest.execute("block-export-add", export)
    except VirtError:
        # Jobs are running: giving them up cleans all of it away.
        await cancelAll(guest, backup)
        raise


async def _serve(hypervisor: Hypervisor, guest: Guest, backup: Backup) -> None:
    """
    Have QEMU listen for those who fetch a backup.

    @raise VirtError: it does not.
    """
    server = backup.definition.server
    assert server is not None
    arguments: dict[str, Any] = {"addr": _address(server)}
    if server.tls:
        arguments["tls-creds"] = await addCertificates(hypervisor, guest, "backup", server=True)
    await guest.execute("nbd-server-start", arguments)


async def _stopServing(guest: Guest, backup: Backup) -> None:
    await _quietly(guest, "nbd-server-stop", {})
    if backup.definition.server is not None and backup.definition.server.tls:
        await removeCertificates(guest, "backup")


async def _quietly(guest: Guest, command: str, arguments: dict[str, Any]) -> None:
    try:
        await guest.execute(command, arguments)
    except VirtError as error:
        log.debug("{error}", error=error)


async def diskDone(
    hypervisor: Hypervisor,
    domain: Domain,
    guest: Guest,
    job: BlockJob,
    status: int,
    problem: str | None,
) -> None:
    """A disk of a backup is done, well or not; the last one ends the backup."""
    backup = guest.backup
    if backup is None:
        forgetJob(guest, job)
        tellJob(hypervisor, domain, job, status)
        return
    if status != COMPLETED and backup.status == COMPLETED:
        backup.status, backup.problem = status, problem
    done, whole = backup.pushed
    backup.pushed = (done + job.done, whole + job.whole)
    forgetJob(guest, job)
    last = not any(each.kind == "backup" for each in guest.blockJobs.values())
    if status == FAILED and not last:
        await cancelAll(guest, backup)
    store, wish = backup.image(job.disk), backup.disk(job.disk)
    if last and backup.pull:
        await _stopServing(guest, backup)
    if store is not None:
        if not backup.pull:
            await dropImages(hypervisor, guest, store)
        if wish is not None and wish.incremental is not None and not backup.pull:
            disk = diskNamed(domain.definition, job.disk)
            if disk is not None:
                await _quietly(
                    guest,
                    "block-dirty-bitmap-remove",
                    {"node": chain(disk)[0].formatName, "name": f"backup-{job.disk}"},
                )
    if last:
        await _end(hypervisor, domain, guest, backup)
    hypervisor.saveStatus(domain)
    tellJob(hypervisor, domain, job, status)


def dropScratch(backup: Backup) -> None:
    """Remove the files that QEMU wrote what changed meanwhile to: with the backup they are of no use."""
    if not backup.pull or backup.reuse:
        return
    for disk in backup.definition.disks:
        store = backup.image(disk.name)
        if store is not None and disk.backup and isinstance(store.source, FileSource):
            try:
                os.unlink(store.path)
            except OSError as error:
                log.warn("{error}", error=error)


async def _end(hypervisor: Hypervisor, domain: Domain, guest: Guest, backup: Backup) -> None:
    """Tell that a backup is over, and let go of the domain."""
    if backup.pull:
        # Only now does nobody read them any more.
        for disk in backup.definition.disks:
            store = backup.image(disk.name)
            if store is not None and disk.backup:
                await dropImages(hypervisor, guest, store)
        dropScratch(backup)
    guest.backup = None
    long = backup.job
    started = long.started if long is not None else backup.began
    elapsed = int((hypervisor.clock.seconds() - started) * 1000)
    done, whole = backup.pushed
    statistics: dict[str, Any] = {
        "backup": {
            "pull": backup.pull,
            "done": done,
            "whole": whole,
            "success": backup.status != FAILED,
            "problem": backup.problem,
        }
    }
    operation = c.VIR_DOMAIN_JOB_OPERATION_BACKUP
    domain.jobs.completed = {
        "operation": operation,
        "elapsed": elapsed,
        "statistics": statistics,
    }
    from pyvirt.drivers.qemu.jobstatistics import jobParams

    params: list[TypedParam] = jobParams(
        LongJob("", operation, 0.0), statistics, elapsed, event=True
    )
    hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, params)
    if long is not None:
        domain.jobs.finish(long)
