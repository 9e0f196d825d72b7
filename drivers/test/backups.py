"""
Backups of the disks of running guests: a job that ends by itself, or one that lasts while a client fetches.

Nothing is written anywhere; a pushed backup takes a second.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from pyvirt import constants as c
from pyvirt.definitions.domain._source import DiskSource, readSource, writeSource
from pyvirt.definitions.kinds import escape
from pyvirt.definitions.reader import Node, parseDocument
from pyvirt.definitions.schema import Context
from pyvirt.definitions.validation import FOLDER, validate
from pyvirt.drivers.devicenames import pathOf
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.test.blockjob import SECONDS, TIB
from pyvirt.drivers.test.checkpoints import DomainCheckpoints
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.jobs import Job, checkFree
from pyvirt.drivers.test.refusals import checkFlags, internal
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["DomainBackup"]


class BackupDisk(NamedTuple):
    """A disk that is saved (C{source} is where to) or not (None)."""

    name: str
    source: DiskSource | None = None
    format: str = "qcow2"
    mode: str = "full"
    incremental: str | None = None


class Backup(NamedTuple):
    """A backup: pushed somewhere, or pulled from a server, whose attributes these are."""

    mode: str
    server: tuple[tuple[str, str], ...]
    incremental: str | None
    disks: tuple[BackupDisk, ...]


def _badConfig(detail: str, domain: int = ErrorDomain.TEST) -> VirtError:
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, domain)


def _readDisk(node: Node, mode: str) -> BackupDisk | None:
    if node.get("backup") == "no":
        return None
    kind = node.get("type") or "file"
    given = node.find("target" if mode == "push" else "scratch")
    source = None if given is None else readSource(kind, given, Context())
    driver = node.find("driver")
    form = (None if driver is None else driver.get("type")) or "qcow2"
    incremental = node.get("incremental")
    return BackupDisk(
        node.get("name") or "",
        source,
        form,
        node.get("backupmode") or ("incremental" if incremental else "full"),
        incremental,
    )


def _read(xml: str, domain: Domain, suffix: str) -> Backup:
    """
    Read a backup, and say of each disk of the domain what becomes of it.

    @param suffix: what names are made up with.
    @raise VirtError: it is no such document, or asks for what cannot be.
    """
    if os.path.exists(os.path.join(FOLDER, "domainbackup.rng")):
        validate("backup", xml)
    root = parseDocument("backup", xml)
    mode = root.get("mode") or "push"
    server = root.find("server")
    found = root.find("incremental")
    incremental = None if found is None else (found.text or "").strip() or None
    given: dict[str, BackupDisk | None] = {}
    disks = root.find("disks")
    named = [] if disks is None else list(disks.iterfind("disk"))
    there: tuple[Any, ...] = domain.definition.devices.disks
    targets = [disk.target.dev for disk in there]
    for node in named:
        name = node.get("name") or ""
        if name not in targets:
            raise _badConfig(f"no disk named '{name}'", ErrorDomain.DOMAIN)
        if name in given:
            raise _badConfig(f"backup for disk '{name}' specified twice", ErrorDomain.DOMAIN)
        given[name] = _readDisk(node, mode)
    done = []
    for disk in there:
        name = disk.target.dev
        usable = disk.source is not None and not disk.source.isEmpty and not disk.readonly
        asked: BackupDisk | None = None
        if name in given:
            asked = given[name]
            if asked is not None and not usable:
                raise _badConfig(f"disk '{name}' has no media", ErrorDomain.DOMAIN)
        elif disks is None and usable:
            asked = BackupDisk(name, incremental=incremental)
        if asked is None:
            done.append(BackupDisk(name))
            continue
        if asked.source is None:
            path = f"{pathOf(disk) or name}.{suffix}"
            asked = asked._replace(source=readSource("file", _sourceNode(path), Context()))
        if incremental is not None and asked.incremental is None:
            asked = asked._replace(incremental=incremental, mode="incremental")
        done.append(asked)
    attributes = () if server is None else tuple((str(k), str(v)) for k, v in server.items())
    return Backup(mode, attributes, incremental, tuple(done))


def _sourceNode(path: str) -> Node:
    from lxml import etree

    return etree.Element("source", file=path)


def _write(backup: Backup) -> str:
    out = [f"<domainbackup mode='{backup.mode}'>\n"]
    if backup.incremental is not None:
        out.append(f"  <incremental>{escape(backup.incremental)}</incremental>\n")
    if backup.server:
        words = "".join(f" {name}='{escape(value)}'" for name, value in backup.server)
        out.append(f"  <server{words}/>\n")
    out.append("  <disks>\n")
    for disk in backup.disks:
        name = escape(disk.name)
        if disk.source is None:
            out.append(f"    <disk name='{name}' backup='no'/>\n")
            continue
        words = f" name='{name}' backup='yes' type='{disk.source.sourceType}'"
        words += f" backupmode='{disk.mode}'"
        if disk.incremental is not None:
            words += f" incremental='{escape(disk.incremental)}'"
        if backup.mode == "pull":
            words += f" exportname='{name}'"
        out.append(f"    <disk{words}>\n      <driver type='{disk.format}'/>\n")
        tag = "target" if backup.mode == "push" else "scratch"
        writeSource(disk.source, out, "      ", tag, Context())
        out.append("    </disk>\n")
    out.append("  </disks>\n</domainbackup>\n")
    return "".join(out)


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
        backup = _read(backupXML, domain, str(int(world.clock.seconds())))
        checkFree(domain, "remoteDispatchDomainBackupBegin")
        chosen = [disk for disk in backup.disks if disk.source is not None]
        if not chosen:
            raise _badConfig("no disks selected for backup")
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
        return _write(backup)
