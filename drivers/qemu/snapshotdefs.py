"""
Snapshots as they are written down: reading what is asked for, fitting it to the domain, writing it out.
"""

from __future__ import annotations

import os
import stat
from typing import Any

import attrs
from lxml import etree

from pyvirt.definitions.domain import DomainDefinition, formatDomain, parseDomain
from pyvirt.definitions.domain._source import (
    SOURCES,
    BlockSource,
    FileSource,
    readSource,
    writeSource,
)
from pyvirt.definitions.kinds import escape, number, xmlError
from pyvirt.definitions.reader import parseTree, xmlText
from pyvirt.definitions.schema import Context, replaced
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.moments import Moment
from pyvirt.drivers.qemu.blocks.chain import diskNamed, disksOf, pathOf
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Snapshot", "SnapshotDisk", "fitted", "formatSnapshot", "parseSnapshot", "refused"]

_DOMAIN = ErrorDomain.DOMAIN_SNAPSHOT
_LOCATIONS = ("default", "no", "internal", "external", "manual")
STATES = (
    "nostate",
    "running",
    "blocked",
    "paused",
    "shutdown",
    "shutoff",
    "crashed",
    "pmsuspended",
    "disk-snapshot",
)
OFFLINE = ("shutoff", "disk-snapshot")


@attrs.frozen(kw_only=True)
class SnapshotDisk:
    """
    What becomes of a disk.

    @ivar location: C{default}, C{no}, C{internal}, C{external} or C{manual}.
    @ivar source: where an external one goes on.
    """

    name: str
    location: str
    source: Any = None
    format: str | None = None


@attrs.define
class Snapshot(Moment):
    """
    A snapshot.

    @ivar state: that of the domain, as a word; None before it is known.
    @ivar memory: where the memory is kept, C{default} before it is known.
    @ivar domain: what the domain was; C{inactive}: what it would have been, if it ran.
    @ivar cookie: what else the guest depended on, as text.
    """

    description: str | None = None
    state: str | None = None
    memory: str = "default"
    memoryFile: str | None = None
    disks: tuple[SnapshotDisk, ...] = ()
    domain: DomainDefinition | None = None
    inactive: DomainDefinition | None = None
    cookie: str | None = None
    active: bool = False

    @property
    def external(self) -> bool:
        """Whether any of it is kept in files of its own."""
        return self.memory == "external" or any(disk.location == "external" for disk in self.disks)


def refused(detail: str) -> VirtError:
    """Make the error of a snapshot that cannot be taken."""
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, _DOMAIN)


def _text(root: Any, tag: str) -> str | None:
    found = root.find(tag)
    return (xmlText(found) or None) if found is not None else None


def _location(node: Any) -> str:
    value: str | None = node.get("snapshot")
    if value is None:
        return "default"
    if value not in _LOCATIONS[1:]:
        raise xmlError(
            f"Invalid value for attribute 'snapshot' in element '{node.tag}': '{value}'.",
            ErrorDomain.XML,
        )
    return value


def _disk(node: Any) -> SnapshotDisk:
    name = node.get("name")
    if not name:
        raise internal("missing name from disk snapshot element", _DOMAIN)
    location = _location(node)
    place, driver = node.find("source"), node.find("driver")
    kind = node.get("type") or "file"
    if kind not in SOURCES:
        raise xmlError(f"unknown disk snapshot type '{kind}'", _DOMAIN)
    source = None if place is None else readSource(kind, place, Context())
    if source is not None and (source.isEmpty or not pathOf(source)):
        source = None
    form = None if driver is None else driver.get("type")
    if location == "default" and (source is not None or form is not None):
        location = "external"
    path = "" if source is None else pathOf(source)
    if isinstance(source, FileSource | BlockSource) and not path.startswith("/"):
        raise xmlError(f"disk snapshot image path '{path}' must be absolute", _DOMAIN)
    return SnapshotDisk(name=name, location=location, source=source, format=form)


def _domain(node: Any) -> DomainDefinition:
    """Read what a domain was, whatever its element is called here."""
    copied = etree.fromstring(etree.tostring(node, with_tail=False))
    copied.tag = "domain"
    return parseDomain(etree.tostring(copied, encoding="unicode"))


def parseSnapshot(xml: str, *, redefine: bool, offline: bool, now: int) -> Snapshot:
    """
    Read a snapshot that is to be taken, or one that was taken.

    @param redefine: it was taken: the document says of what and when.
    @param offline: no memory can be kept.
    @param now: the time, in seconds since 1970.
    @raise VirtError: the document is wrong.
    """
    root = parseTree(xml, "domainsnapshot", label="(domain_snapshot)", domain=_DOMAIN)
    name = _text(root, "name")
    if name is None:
        if redefine:
            raise xmlError("a redefined snapshot must have a name", _DOMAIN)
        name = str(now)
    snapshot = Snapshot(name, None, now, _text(root, "description"))
    if redefine:
        _redefined(root, snapshot)
    memory = root.find("memory")
    if memory is not None:
        snapshot.memory = _location(memory)
        snapshot.memoryFile = memory.get("file")
    if snapshot.memoryFile is not None:
        if snapshot.memory == "default":
            snapshot.memory = "external"
        elif snapshot.memory != "external":
            raise xmlError(
                f"memory filename '{snapshot.memoryFile}' requires external snapshot", _DOMAIN
            )
    elif snapshot.memory == "external":
        raise xmlError("external memory snapshots require a filename", _DOMAIN)
    if redefine and snapshot.memory == "default":
        snapshot.memory = "no" if snapshot.state in OFFLINE else "internal"
    elif snapshot.memory in ("internal", "external") and (
        offline if not redefine else snapshot.state in OFFLINE
    ):
        raise xmlError("memory state cannot be saved with offline or disk-only snapshot", _DOMAIN)
    if snapshot.memoryFile is not None and not snapshot.memoryFile.startswith("/"):
        raise xmlError(
            f"memory snapshot file path ({snapshot.memoryFile}) must be absolute", _DOMAIN
        )
    disks = root.find("disks")
    if disks is not None:
        snapshot.disks = tuple(_disk(node) for node in disks.findall("disk"))
    return snapshot


def _redefined(root: Any, snapshot: Snapshot) -> None:
    created = number(_text(root, "creationTime") or "", bits=64, signed=True)
    if created is None:
        raise internal("missing creationTime from existing snapshot", _DOMAIN)
    snapshot.created = created
    parent = root.find("parent")
    snapshot.parent = None if parent is None else _text(parent, "name")
    state = _text(root, "state")
    if state is None:
        raise xmlError("missing state from existing snapshot", _DOMAIN)
    if state not in STATES:
        raise refused(f"Invalid state '{state}' in domain snapshot XML")
    snapshot.state = state
    domain, inactive, cookie = (root.find(tag) for tag in ("domain", "inactiveDomain", "cookie"))
    if domain is not None and domain.find("name") is not None:
        snapshot.domain = _domain(domain)
    if inactive is not None:
        snapshot.inactive = _domain(inactive)
    if cookie is not None:
        text = etree.tostring(cookie, encoding="unicode", with_tail=False)
        snapshot.cookie = "".join(
            f"{line[4:] if line.startswith('    ') else line.strip()}\n"
            for line in text.splitlines()[1:-1]
        )
    snapshot.active = _text(root, "active") == "1"


def _externalName(disk: Any, name: str) -> Any:
    """Make up the file that a disk goes on in, beside the one that it is in."""
    path, target = pathOf(disk.source), disk.target.dev
    if not path:
        raise refused(f"cannot generate external snapshot name for disk '{target}' without source")
    if not isinstance(disk.source, FileSource):
        kind = disk.source.sourceType
        raise refused(
            f"cannot generate external snapshot name for disk '{target}' on a '{kind}' device"
        )
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        regular = True
    if not regular:
        raise refused(
            f"source for disk '{target}' is not a regular file; "
            "refusing to generate external snapshot name"
        )
    folder, base = os.path.split(path)
    stem = base.rpartition(".")[0] or base
    if "/" in name:
        raise refused(f"snapshot name '{name}' cannot be part of a file name")
    return FileSource(file=os.path.join(folder, f"{stem}.{name}"))


def fitted(snapshot: Snapshot, definition: DomainDefinition, location: str, match: bool) -> None:
    """
    Say of each disk of the domain what becomes of it.

    @param location: where a disk is kept of which nothing is said, C{internal} or C{external}.
    @param match: every disk has to be kept there.
    @raise VirtError: something else is asked for than what can be done.
    """
    disks = disksOf(definition)
    if len(snapshot.disks) > len(disks):
        raise refused("too many disk snapshot requests for domain")
    asked: dict[str, SnapshotDisk] = {}
    for wish in snapshot.disks:
        disk = diskNamed(definition, wish.name)
        if disk is None:
            raise refused(f"no disk named '{wish.name}'")
        name = disk.target.dev
        if name in asked:
            raise refused(f"disk '{name}' specified twice")
        kind = wish.location
        empty = disk.source is None or disk.source.isEmpty
        if kind == "default":
            usual = disk.snapshot or ("no" if disk.readonly else location)
            kind = "no" if empty else usual
            if match and not empty and disk.snapshot is None and not disk.readonly:
                kind = location
        elif match and kind != location and not (kind == "no" and disk.snapshot == "no"):
            if not empty:
                raise refused(f"disk '{name}' must use snapshot mode '{location}'")
            kind = "no"
        if empty and kind != "no":
            kind = "no"
        asked[name] = attrs.evolve(wish, name=name, location=kind)
    done = []
    for disk in disks:
        name = disk.target.dev or ""
        found = asked.get(name)
        if found is None:
            kind = disk.snapshot or ("no" if disk.readonly else location)
            if disk.source is None or disk.source.isEmpty:
                kind = "no"
            found = SnapshotDisk(name=name, location=kind)
        if found.location == "external" and found.source is None:
            found = attrs.evolve(found, source=_externalName(disk, snapshot.name))
        done.append(found)
    snapshot.disks = tuple(done)


def _indented(definition: DomainDefinition, tag: str, secure: bool) -> str:
    text = formatDomain(definition, secure=secure, inactive=True).rstrip("\n")
    if tag != "domain":
        text = f"<{tag}" + text.removeprefix("<domain").removesuffix("</domain>") + f"</{tag}>"
    return "".join(f"  {line}\n" for line in text.split("\n"))


def formatSnapshot(
    snapshot: Snapshot, uuid: bytes, *, secure: bool, current: bool | None = None
) -> str:
    """
    Write a snapshot out.

    @param uuid: that of its domain, which is all that is written of one that is not known.
    @param current: for the driver's own file: whether it is the current one.
    """
    out = [f"<domainsnapshot>\n  <name>{escape(snapshot.name)}</name>\n"]
    if snapshot.description is not None:
        out.append(f"  <description>{escape(snapshot.description)}</description>\n")
    if snapshot.state is not None:
        out.append(f"  <state>{snapshot.state}</state>\n")
    if snapshot.parent is not None:
        out.append(f"  <parent>\n    <name>{escape(snapshot.parent)}</name>\n  </parent>\n")
    out.append(f"  <creationTime>{snapshot.created}</creationTime>\n")
    if snapshot.memory != "default":
        file = "" if snapshot.memoryFile is None else f" file='{escape(snapshot.memoryFile)}'"
        out.append(f"  <memory snapshot='{snapshot.memory}'{file}/>\n")
    if snapshot.disks:
        out.append("  <disks>\n")
        for disk in snapshot.disks:
            _writeDisk(disk, out)
        out.append("  </disks>\n")
    if snapshot.domain is not None:
        out.append(_indented(snapshot.domain, "domain", secure))
        if snapshot.inactive is not None:
            out.append(_indented(snapshot.inactive, "inactiveDomain", secure))
    else:
        out.append(f"  <domain>\n    <uuid>{formatUUID(uuid)}</uuid>\n  </domain>\n")
    if snapshot.cookie is not None:
        lines = "".join(f"    {line}\n" for line in snapshot.cookie.splitlines())
        out.append(f"  <cookie>\n{lines}  </cookie>\n")
    if current is not None:
        out.append(f"  <active>{int(current)}</active>\n")
    out.append("</domainsnapshot>\n")
    return "".join(out)


def _writeDisk(disk: SnapshotDisk, out: list[str]) -> None:
    head = f"    <disk name='{escape(disk.name)}'"
    if disk.location != "default":
        head += f" snapshot='{disk.location}'"
    if disk.location != "external" or disk.source is None:
        out.append(f"{head}/>\n")
        return
    out.append(f"{head} type='{disk.source.sourceType}'>\n")
    if disk.format is not None:
        out.append(f"      <driver type='{disk.format}'/>\n")
    writeSource(replaced(disk.source, index=None), out, "      ", "source", Context())
    out.append("    </disk>\n")
