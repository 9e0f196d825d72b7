"""
Backups of the disks of running guests: a job that ends by itself, or one that lasts while a client fetches.

Nothing is written anywhere; a pushed backup takes a second.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.backup import aligned, formatBackup, parseBackup
from pyvirt.drivers.devicenames import pathOf
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.test.blockjob import SECONDS, TIB
from pyvirt.drivers.test.checkpoints import DomainCheckpoints
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.jobs import Job, checkFree
from pyvirt.drivers.test.refusals import checkFlags, internal, unsupportedConfig
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["DomainBackup"]


class DomainBackup:
    """Backs domains up."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._find = world.domains.find

    def domainBackupBegin(
        self, dom: DomainRef, backupXML: str, checkpointXML: str | None, flags: int
    ) -> None:
        """Start to back up disks of a running guest."""
        checkFlags("testDomainBackupBegin", flags, c.VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL)
        world = self._world
        domain = self._find(dom)
        if not domain.active:
            raise virtError(
                ErrorCode.OPERATION_UNSUPPORTED,
                "cannot perform disk backup for inactive domain",
                ErrorDomain.TEST,
            )
        suffix = str(int(world.clock.seconds()))
        backup = aligned(parseBackup(backupXML), domain.definition, suffix)
        checkFree(domain, "remoteDispatchDomainBackupBegin")
        chosen = [disk for disk in backup.disks if disk.backup]
        if not chosen:
            raise unsupportedConfig("no disks selected for backup")
        for disk in chosen:
            since = disk.incremental
            if since is not None and since not in {each.name for each in domain.extra.checkpoints}:
                raise virtError(
                    ErrorCode.NO_DOMAIN_CHECKPOINT,
                    f"Checkpoint '{since}' for incremental backup of disk '{disk.name}' not found",
                    ErrorDomain.TEST,
                )
            if disk.name in domain.jobs:
                raise internal(f"disk '{disk.name}' has a blockjob assigned")
        if checkpointXML is not None:
            DomainCheckpoints(world).domainCheckpointCreateXML(dom, checkpointXML, 0)
        names = [disk.name for disk in chosen]
        total = sum(domain.diskSize(name, TIB) for name in names)
        pushed = backup.mode == "push"

        def done() -> None:
            self._ended(domain, names, c.VIR_DOMAIN_BLOCK_JOB_COMPLETED, None)

        def abort() -> None:
            self._ended(domain, names, c.VIR_DOMAIN_BLOCK_JOB_CANCELED, "Operation canceled")

        Job(
            world,
            domain,
            c.VIR_DOMAIN_JOB_OPERATION_BACKUP,
            total,
            "disk" if pushed else "temp",
            SECONDS if pushed else None,
            done,
            abort,
        )
        domain.extra.backup = backup
        domain.extra.closing["backup"] = lambda: setattr(domain.extra, "backup", None)

    def _ended(self, domain: Domain, names: list[str], status: int, error: str | None) -> None:
        """Tell of each disk that its part is over, then of the whole."""
        extra = domain.extra
        job, extra.backup = extra.job, None
        extra.closing.pop("backup", None)
        there: tuple[Any, ...] = domain.definition.devices.disks
        disks = {disk.target.dev: disk for disk in there}
        kind = c.VIR_DOMAIN_BLOCK_JOB_TYPE_BACKUP
        for name in names:
            path = (pathOf(disks[name]) if name in disks else None) or ""
            for event, subject in (
                (c.VIR_DOMAIN_EVENT_ID_BLOCK_JOB, path),
                (c.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, name),
            ):
                self._world.tellDomain(domain, event, subject, kind, status)
        job.end(error)

    def domainBackupGetXMLDesc(self, dom: DomainRef, flags: int) -> str:
        """Describe the backup that is under way."""
        checkFlags("testDomainBackupGetXMLDesc", flags)
        backup = self._find(dom).extra.backup
        if backup is None:
            raise virtError(
                ErrorCode.NO_DOMAIN_BACKUP, "no domain backup job present", ErrorDomain.TEST
            )
        return formatBackup(backup)
