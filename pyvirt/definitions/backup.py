"""
Backups of disks, as they are asked for: XML to frozen values and back.

Libvirt holds every such document against its schema.  Where its schemas are not installed a document is taken
as far as it can be understood.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._disk import FORMATS
from pyvirt.definitions.domain._source import (
    SOURCES,
    DiskSource,
    FileSource,
    readSource,
    writeSource,
)
from pyvirt.definitions.kinds import BOOLEAN, FILLED, UINT_NZ, choice, custom, xmlError
from pyvirt.definitions.reader import Node, parseDocument
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    plainReader,
    reader,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.validation import validateIfInstalled
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = [
    "BackupDefinition",
    "BackupDisk",
    "BackupServer",
    "aligned",
    "formatBackup",
    "parseBackup",
]

_DOMAIN = ErrorDomain.DOMAIN


@definition
class BackupServer:
    """Where the data is offered to those who come for it."""

    transport: str = attribute(choice("tcp unix"), default="tcp")
    tls: bool | None = attribute(BOOLEAN)
    name: str | None = attribute(FILLED)
    port: int | None = attribute(UINT_NZ)
    socket: str | None = attribute(FILLED)

    def settle(self, node: Node, context: Context) -> BackupServer:
        """A socket is a path, and it is all that there is to one."""
        if self.transport != "unix":
            return replaced(self, socket=None)
        if self.socket is None:
            raise xmlError("missing socket path for unix transport of backup", _DOMAIN)
        if not self.socket.startswith("/"):
            raise xmlError(f"backup socket path '{self.socket}' must be absolute", _DOMAIN)
        return replaced(self, name=None, port=None)


@definition
class BackupDisk:
    """
    What becomes of one disk.

    @ivar backup: whether it is backed up; of one that is not nothing else is said.
    @ivar store: where its data goes (push), or what the guest overwrites is kept (pull); None: made up.
    @ivar mode: C{full} or C{incremental}, None for what fits.
    @ivar incremental: the checkpoint since which changes count.
    """

    xmlOrder: ClassVar[str] = "name backup type mode incremental exportName exportBitmap"

    name: str = attribute(required=True)
    backup: bool = attribute(BOOLEAN, default=True)
    type: str | None = attribute(choice("file block"), default="file")
    mode: str | None = attribute(choice("full incremental"), "backupmode")
    incremental: str | None = attribute()
    exportName: str | None = attribute(FILLED, "exportname")
    exportBitmap: str | None = attribute(FILLED, "exportbitmap")
    format: str | None = elementAttribute(
        "driver",
        "type",
        choice(
            FORMATS.removeprefix("none "), error=custom("unknown storage source format '{text}'")
        ),
    )
    store: DiskSource | None = special(
        read=lambda node, kids, context: None,
        write=lambda value, out, indent, context: writeSource(
            value, out, indent, context.extra, context
        ),
    )

    @classmethod
    def readElement(cls, node: Node, context: Context) -> BackupDisk:
        """Read a disk; the mode of the backup tells what its file is called."""
        disk: BackupDisk = plainReader(cls)(node, context)
        if not disk.backup:
            return cls(name=disk.name, backup=False, type=None)
        place = next((child for child in node if child.tag == context.extra), None)
        if place is None:
            return disk
        return replaced(disk, store=readSource(disk.type or "file", place, context))


def _readDisks(node: Node, kids: dict[str, list[Node]], context: Context) -> tuple[Any, ...]:
    read = reader(BackupDisk)
    place = "scratch" if node.get("mode") == "pull" else "target"
    inner = Context(extra=place)
    return tuple(
        read(child, inner)
        for group in kids.get("disks", ())[:1]
        for child in group
        if child.tag == "disk"
    )


def _writeDisks(value: Any, out: list[str], indent: str, context: Context) -> None:
    out.append(f"{indent}<disks>\n")
    for disk in value:
        writer(BackupDisk)(disk, out, indent + "  ", "disk", context)
    out.append(f"{indent}</disks>\n")


@definition
class BackupDefinition:
    """
    A backup.

    @ivar mode: C{push}: the host writes the data; C{pull}: others fetch it.
    @ivar incremental: the checkpoint since which changes count, None for all data.
    """

    mode: str = attribute(choice("push pull"), default="push")
    incremental: str | None = element(FILLED)
    server: BackupServer | None = element(BackupServer)
    disks: tuple[BackupDisk, ...] = special(
        tags="disks", read=_readDisks, write=_writeDisks, default=()
    )

    def settle(self, node: Node, context: Context) -> BackupDefinition:
        """Only data that is fetched has a server."""
        return replaced(self, server=None) if self.mode == "push" else self


def parseBackup(xml: str) -> BackupDefinition:
    """
    Parse what is asked for.

    @raise VirtError: as libvirt says it.
    """
    node = parseDocument("backup", xml)
    validateIfInstalled("backup", xml)
    found: BackupDefinition = reader(BackupDefinition)(node, Context())
    return found


def _refused(detail: str) -> VirtError:
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, _DOMAIN)


def aligned(backup: BackupDefinition, domain: DomainDefinition, suffix: str) -> BackupDefinition:
    """
    Say of each disk of the domain what becomes of it, which may be nothing for all.

    @param suffix: what names are made up with.
    @raise VirtError: it asks for what cannot be.
    """
    given: dict[str, BackupDisk] = {}
    disks: tuple[Any, ...] = domain.devices.disks
    for wish in backup.disks:
        if not any(disk.target.dev == wish.name for disk in disks):
            raise _refused(f"no disk named '{wish.name}'")
        if wish.name in given:
            raise _refused(f"backup for disk '{wish.name}' specified twice")
        given[wish.name] = wish
    done = []
    for disk in disks:
        name = disk.target.dev
        there = disk.source is not None and not disk.source.isEmpty
        chosen = not given and there and not disk.readonly
        usual = BackupDisk(name=name, backup=chosen, type="file" if chosen else None)
        wish = given.get(name, usual)
        if not wish.backup:
            done.append(BackupDisk(name=name, backup=False, type=None))
            continue
        if not there:
            raise _refused(f"disk '{name}' has no media")
        changes: dict[str, Any] = {"format": wish.format or "qcow2"}
        if name in given and (wish.store is None or wish.store.isEmpty):
            # Names are made up only where nothing is said of the disk.
            changes["store"] = SOURCES[wish.type or "file"]()
        elif wish.store is None or wish.store.isEmpty:
            path = getattr(disk.source, "file", None)
            if not path:
                raise _refused(f"refusing to generate file name for disk '{name}'")
            changes["store"] = FileSource(file=f"{path}.{suffix}")
            changes["type"] = "file"
        since = wish.incremental
        if since is None and wish.mode != "full":
            since = backup.incremental
        if since is None and wish.mode == "incremental":
            raise _refused(
                f"'incremental' backup mode of disk '{name}' requires setting 'incremental' field "
                "for disk or backup"
            )
        changes["incremental"] = since
        changes["mode"] = wish.mode or ("incremental" if since is not None else "full")
        if backup.mode == "pull":
            changes["exportName"] = wish.exportName or name
            if since is not None:
                changes["exportBitmap"] = wish.exportBitmap or f"backup-{name}"
        done.append(replaced(wish, **changes))
    backup = replaced(backup, disks=tuple(done))
    if backup.mode == "pull" and backup.server is None:
        server = BackupServer(transport="tcp", name="localhost", port=10809)
        backup = replaced(backup, server=server)
    return backup


def formatBackup(definition: BackupDefinition) -> str:
    """Write a backup in libvirt's canonical form."""
    out: list[str] = []
    place = "scratch" if definition.mode == "pull" else "target"
    writer(BackupDefinition)(definition, out, "", "domainbackup", Context(extra=place))
    return "".join(out)
