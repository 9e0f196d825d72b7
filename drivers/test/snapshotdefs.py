"""
Snapshots as they are written down: reading what is asked for, fitting it to the domain, writing it out.
"""

from __future__ import annotations

import os
from typing import Any

import attrs

from pyvirt.definitions.domain import DomainDefinition, completed, formatDomain, parseDomain
from pyvirt.definitions.kinds import escape, number, xmlError
from pyvirt.definitions.reader import parseTree, xmlText
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.devicenames import diskOf, pathOf
from pyvirt.drivers.moments import Moment
from pyvirt.drivers.test.refusals import internal
from pyvirt.drivers.test.world import Random
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Snapshot", "SnapshotDisk", "fitted", "formatSnapshot", "parseSnapshot"]

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


@attrs.frozen
class SnapshotDisk:
    """
    What becomes of a disk.

    @ivar location: C{default}, C{no}, C{internal}, C{external} or C{manual}.
    @ivar file: the file of an external one.
    """

    name: str
    location: str
    file: str | None = None
    format: str | None = None


@attrs.define
class Snapshot(Moment):
    """
    A snapshot.

    @ivar state: that of the domain, as a word; None before it is known.
    @ivar memory: where the memory is kept, C{default} before it is known.
    @ivar domain: what the domain was.
    """

    description: str | None = None
    state: str | None = None
    memory: str = "default"
    memoryFile: str | None = None
    disks: tuple[SnapshotDisk, ...] = ()
    domain: DomainDefinition | None = None

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
    source = node.find("source")
    driver = node.find("driver")
    file = None if source is None else source.get("file")
    if location == "default" and file is not None:
        location = "external"
    if file is not None and not file.startswith("/"):
        raise xmlError(f"disk snapshot image path '{file}' must be absolute", _DOMAIN)
    return SnapshotDisk(name, location, file, None if driver is None else driver.get("type"))


def parseSnapshot(xml: str, *, redefine: bool, now: int, random: Random) -> Snapshot:
    """
    Read a snapshot that is to be taken, or one that was taken.

    @param redefine: it was taken: the document says of what and when.
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
        domain = root.find("domain")
        if domain is not None:
            from lxml import etree

            text = etree.tostring(domain, encoding="unicode", with_tail=False)
            snapshot.domain = completed(parseDomain(text), random=random)
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
        if not snapshot.memoryFile.startswith("/"):
            raise xmlError(
                f"memory snapshot file path ({snapshot.memoryFile}) must be absolute", _DOMAIN
            )
    elif snapshot.memory == "external":
        raise xmlError("external memory snapshots require a filename", _DOMAIN)
    if snapshot.memory == "default" and redefine:
        snapshot.memory = "no" if snapshot.state in ("shutoff", "disk-snapshot") else "internal"
    disks = root.find("disks")
    if disks is not None:
        snapshot.disks = tuple(_disk(node) for node in disks.findall("disk"))
    return snapshot


def _externalName(disk: Any, name: str) -> str:
    """Make up the file that a disk goes on in, beside the one that it is in."""
    path = pathOf(disk)
    if path is None:
        raise refused(
            f"cannot generate external snapshot name for disk '{disk.target.dev}' without source"
        )
    if not os.path.isfile(path):
        raise refused(
            f"source for disk '{disk.target.dev}' is not a regular file; "
            "refusing to generate external snapshot name"
        )
    folder, base = os.path.split(path)
    return os.path.join(folder, base.partition(".")[0] + "." + name)


def fitted(snapshot: Snapshot, definition: DomainDefinition, location: str) -> None:
    """
    Say of each disk of the domain what becomes of it.

    @param location: where a disk is kept of which nothing is said, C{internal} or C{external}.
    @raise VirtError: something else is asked for than what can be done.
    """
    disks = definition.devices.disks
    if len(snapshot.disks) > len(disks):
        raise refused("too many disk snapshot requests for domain")
    asked: dict[str, SnapshotDisk] = {}
    for wish in snapshot.disks:
        disk = diskOf(definition, wish.name)
        if disk is None:
            raise refused(f"no disk named '{wish.name}'")
        name = disk.target.dev
        if name in asked:
            raise refused(f"disk '{name}' specified twice")
        empty = disk.source is None or getattr(disk, "snapshot", None) == "no"
        kind = wish.location
        if kind == "default":
            kind = "no" if empty else (getattr(disk, "snapshot", None) or location)
        if location == "internal" and kind != "internal" and not (kind == "no" and empty):
            raise refused(f"disk '{name}' must use snapshot mode 'internal'")
        asked[name] = attrs.evolve(wish, name=name, location=kind)
    done = []
    for disk in disks:
        name = disk.target.dev if disk.target is not None else ""
        found = asked.get(name or "")
        if found is None:
            kind = getattr(disk, "snapshot", None) or location
            if disk.source is None:
                kind = "no"
            found = SnapshotDisk(name or "", kind)
        if found.location == "external" and found.file is None:
            found = attrs.evolve(found, file=_externalName(disk, snapshot.name))
        done.append(found)
    snapshot.disks = tuple(done)


def formatSnapshot(snapshot: Snapshot, uuid: bytes, *, secure: bool) -> str:
    """
    Write a snapshot out.

    @param uuid: that of its domain, which is all that is written of one that is not known.
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
            head = f"    <disk name='{escape(disk.name)}'"
            if disk.location != "default":
                head += f" snapshot='{disk.location}'"
            if disk.file is None:
                out.append(f"{head}/>\n")
                continue
            out.append(f"{head} type='file'>\n")
            if disk.format is not None:
                out.append(f"      <driver type='{disk.format}'/>\n")
            out.append(f"      <source file='{escape(disk.file)}'/>\n    </disk>\n")
        out.append("  </disks>\n")
    if snapshot.domain is not None:
        text = formatDomain(snapshot.domain, secure=secure, inactive=True)
        out.append("".join(f"  {line}\n" for line in text.splitlines()))
    else:
        out.append(f"  <domain>\n    <uuid>{formatUUID(uuid)}</uuid>\n  </domain>\n")
    out.append("</domainsnapshot>\n")
    return "".join(out)
