"""
Snapshots of domains: XML to frozen values and back, and the rules of what becomes of which disk.

The rules are libvirt's own, the same for every driver; what a driver cannot do it refuses itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from lxml import etree

from pyvirt.definitions.domain import DomainDefinition, diskOf, formatDomain, parseDomain
from pyvirt.definitions.domain._disk import FORMATS
from pyvirt.definitions.domain._source import (
    SOURCES,
    BlockSource,
    DiskSource,
    FileSource,
    readSource,
    writeSource,
)
from pyvirt.definitions.kinds import escape, number, xmlError
from pyvirt.definitions.reader import Node, parseDocument, xmlText
from pyvirt.definitions.schema import Context, replaced
from pyvirt.definitions.uuids import formatUUID
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = [
    "OFFLINE",
    "STATES",
    "SnapshotDefinition",
    "SnapshotDisk",
    "SnapshotMemory",
    "aligned",
    "formatSnapshot",
    "parseSnapshot",
]

_DOMAIN = ErrorDomain.DOMAIN_SNAPSHOT
_PLACES = ("no", "internal", "external", "manual")
_FORMATS = tuple(FORMATS.split()[1:])
#: Where an image beside the disk's own may be.
_SOURCES = ("file", "block", "network")

#: The words for the states of a domain, by number, and the one for a snapshot of disks alone.
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
#: Those that have no memory.
OFFLINE = ("shutoff", "disk-snapshot")


@definition
class SnapshotMemory:
    """
    Where the memory of the guest is kept.

    @ivar snapshot: C{no}, C{internal} or C{external}; the last has a C{file}.
    """

    snapshot: str = "no"
    file: str | None = None


@definition
class SnapshotDisk:
    """
    What becomes of one disk.

    @ivar name: its name or path as given, its name once L{aligned}.
    @ivar snapshot: C{no}, C{internal}, C{external} or C{manual}; C{default} before it is known.
    @ivar type: that of the source, which the document tells even where it has none.
    @ivar source: where an external one goes on.
    """

    name: str
    snapshot: str = "default"
    type: str = "file"
    format: str | None = None
    source: DiskSource | None = None


@definition
class SnapshotDefinition:
    """
    A snapshot.

    @ivar state: that of the domain then, one of L{STATES}; None before it is known.
    @ivar parent: the name of the snapshot before, or None.
    @ivar creationTime: seconds since 1970.
    @ivar memory: None before it is known.
    @ivar domain: what the domain was; C{inactive}: what it would have been when it ran again.
    @ivar cookie: what else the guest depended on, as text.
    @ivar active: whether a document of the driver's own says that it is the current one.
    """

    name: str
    description: str | None = None
    state: str | None = None
    parent: str | None = None
    creationTime: int = 0
    memory: SnapshotMemory | None = None
    disks: tuple[SnapshotDisk, ...] = ()
    domain: DomainDefinition | None = None
    inactive: DomainDefinition | None = None
    cookie: str | None = None
    active: bool = False

    @property
    def external(self) -> bool:
        """Whether any of it is kept in files of its own."""
        beside = self.memory is not None and self.memory.snapshot == "external"
        return beside or any(disk.snapshot == "external" for disk in self.disks)


def _refused(detail: str) -> VirtError:
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, _DOMAIN)


def _internal(detail: str) -> VirtError:
    return virtError(ErrorCode.INTERNAL_ERROR, detail, _DOMAIN)


def _text(root: Node, tag: str) -> str | None:
    found = root.find(tag)
    return None if found is None else xmlText(found) or None


def _word(node: Node, name: str, words: tuple[str, ...], otherwise: str) -> str:
    value: str | None = node.get(name)
    if value is None:
        return otherwise
    if value not in words:
        raise xmlError(
            f"Invalid value for attribute '{name}' in element '{node.tag}': '{value}'.",
            ErrorDomain.XML,
        )
    return value


# Reading


def parseSnapshot(
    xml: str,
    *,
    redefine: bool = False,
    offline: bool = False,
    now: int = 0,
    domain: Callable[[str], DomainDefinition] = parseDomain,
) -> SnapshotDefinition:
    """
    Parse a snapshot that is to be taken, or one that was taken.

    @param redefine: it was taken: the document says of what and when.
    @param offline: no memory can be kept in one that is to be taken.
    @param now: the time, in seconds since 1970.
    @param domain: makes what the domain was of its document.
    @raise VirtError: as libvirt says it.
    """
    root = parseDocument("snapshot", xml)
    name = _text(root, "name")
    if name is None:
        if redefine:
            raise xmlError("a redefined snapshot must have a name", _DOMAIN)
        name = str(now)
    snapshot = SnapshotDefinition(
        name=name, description=_text(root, "description"), creationTime=now
    )
    if redefine:
        snapshot = _taken(root, snapshot, domain)
        offline = snapshot.state in OFFLINE
    disks = root.find("disks")
    return replaced(
        snapshot,
        memory=_readMemory(root, redefine, offline),
        disks=() if disks is None else tuple(_readDisk(node) for node in disks.findall("disk")),
    )


def _taken(
    root: Node, snapshot: SnapshotDefinition, read: Callable[[str], DomainDefinition]
) -> SnapshotDefinition:
    """Add what is only said of a snapshot that was taken."""
    created = number(_text(root, "creationTime") or "", bits=64, signed=True)
    if created is None:
        raise _internal("missing creationTime from existing snapshot")
    state = _text(root, "state")
    if state is None:
        raise xmlError("missing state from existing snapshot", _DOMAIN)
    if state not in STATES or state == STATES[0]:
        raise _refused(f"Invalid state '{state}' in domain snapshot XML")
    parent, domain, inactive, cookie = (
        root.find(tag) for tag in ("parent", "domain", "inactiveDomain", "cookie")
    )
    if domain is not None and domain.get("type") is None:
        # Very old ones tell no more than which domain it was.
        domain = None
    return replaced(
        snapshot,
        creationTime=created,
        state=state,
        parent=None if parent is None else _text(parent, "name"),
        domain=None if domain is None else read(_asDomain(domain)),
        inactive=None if inactive is None else read(_asDomain(inactive)),
        cookie=None if cookie is None else _readCookie(cookie),
        active=_text(root, "active") == "1",
    )


def _asDomain(node: Node) -> str:
    """Return the document of a domain, whatever its element is called here."""
    copied = etree.fromstring(etree.tostring(node, with_tail=False))
    copied.tag = "domain"
    return etree.tostring(copied, encoding="unicode")


def _readCookie(node: Node) -> str:
    """Return what is inside, written as it was: the reader keeps no blanks."""
    out: list[str] = []
    for child in _own(node):
        _write(child, out, "")
    return "".join(out)


def _own(node: Node) -> list[Node]:
    """Return the elements in one that are libvirt's: those of other namespaces say nothing."""
    return [each for each in node.iterchildren(tag=etree.Element) if not each.tag.startswith("{")]


def _write(node: Node, out: list[str], indent: str) -> None:
    told = [(name, value) for name, value in node.attrib.items() if not name.startswith("{")]
    given = "".join(f" {name}='{escape(value)}'" for name, value in told)
    inner = _own(node)
    if inner:
        out.append(f"{indent}<{node.tag}{given}>\n")
        for child in inner:
            _write(child, out, indent + "  ")
        out.append(f"{indent}</{node.tag}>\n")
    elif node.text:
        out.append(f"{indent}<{node.tag}{given}>{escape(node.text)}</{node.tag}>\n")
    else:
        out.append(f"{indent}<{node.tag}{given}/>\n")


def _readMemory(root: Node, redefine: bool, offline: bool) -> SnapshotMemory | None:
    node = root.find("memory")
    place = "default" if node is None else _word(node, "snapshot", _PLACES, "default")
    file = None if node is None else node.get("file")
    if place == "manual":
        raise xmlError("'manual' memory snapshot mode not supported", _DOMAIN)
    if file is not None:
        if place == "default":
            place = "external"
        elif place != "external":
            raise xmlError(f"memory filename '{file}' requires external snapshot", _DOMAIN)
    elif place == "external":
        raise xmlError("external memory snapshots require a filename", _DOMAIN)
    if redefine and place == "default":
        place = "no" if offline else "internal"
    elif offline and place in ("internal", "external"):
        raise xmlError("memory state cannot be saved with offline or disk-only snapshot", _DOMAIN)
    if file is not None and not file.startswith("/"):
        raise xmlError(f"memory snapshot file path ({file}) must be absolute", _DOMAIN)
    return None if place == "default" else SnapshotMemory(snapshot=place, file=file)


def _readDisk(node: Node) -> SnapshotDisk:
    name = node.get("name")
    if name is None:
        raise _internal("missing name from disk snapshot element")
    place = _word(node, "snapshot", _PLACES, "default")
    kind = _word(node, "type", tuple(SOURCES), "file")
    if kind not in _SOURCES:
        raise xmlError(f"unsupported disk snapshot type '{kind}'", _DOMAIN)
    given, driver = node.find("source"), node.find("driver")
    source = None if given is None else readSource(kind, given, Context())
    path = _pathOf(source)
    form = None if driver is None else driver.get("type")
    if form is not None and form not in _FORMATS:
        raise _refused(f"unknown disk snapshot driver '{form}'")
    if place == "default" and (path is not None or form is not None):
        place = "external"
    if isinstance(source, FileSource | BlockSource) and path and not path.startswith("/"):
        raise xmlError(f"disk snapshot image path '{path}' must be absolute", _DOMAIN)
    return SnapshotDisk(
        name=name,
        snapshot=place,
        type=kind,
        format=form,
        source=None if path is None else source,
    )


def _pathOf(source: Any) -> str | None:
    """Return what libvirt calls the path of a source, None if it has none."""
    for name in ("file", "dev", "dir", "name"):
        found: str | None = getattr(source, name, None)
        if found:
            return found
    return None


# Completing


def aligned(
    snapshot: SnapshotDefinition, domain: DomainDefinition, location: str
) -> SnapshotDefinition:
    """
    Say of each disk of the domain what becomes of it.

    @param location: where a disk is kept of which nothing is said, C{external}, or C{internal}, where then all
        have to be.
    @raise VirtError: something else is asked for than what can be done.
    """
    disks = domain.devices.disks
    if len(snapshot.disks) > len(disks):
        raise _refused("too many disk snapshot requests for domain")
    asked: dict[str, SnapshotDisk] = {}
    for wish in snapshot.disks:
        disk = diskOf(domain, wish.name)
        if disk is None:
            raise _refused(f"no disk named '{wish.name}'")
        name = disk.target.dev
        if name in asked:
            raise _refused(f"disk '{name}' specified twice")
        asked[name] = replaced(wish, name=name, snapshot=_settled(wish, disk, location))
    done: list[SnapshotDisk] = []
    for disk in disks:
        name = (disk.target.dev if disk.target is not None else None) or ""
        found = asked.get(name)
        if found is None:
            empty = disk.source is None or disk.source.isEmpty
            place = "no" if empty else _usual(disk) or location
            found = SnapshotDisk(name=name, snapshot=place)
        done.append(found)
    there = {disk.target.dev: disk for disk in disks if disk.target is not None}
    for index, found in enumerate(done):
        if found.snapshot == "external" and found.source is None:
            source = _madeUp(snapshot.name, found, there.get(found.name), done)
            done[index] = replaced(found, source=source)
    return replaced(snapshot, disks=tuple(done))


def _usual(disk: Any) -> str | None:
    """Return what becomes of a disk by its own definition, None if it does not say."""
    place: str | None = getattr(disk, "snapshot", None)
    return place or ("no" if disk.readonly else None)


def _settled(wish: SnapshotDisk, disk: Any, location: str) -> str:
    usual, match = _usual(disk), location == "internal"
    place = wish.snapshot
    if place == "default":
        place = usual if usual is not None and (not match or usual == "no") else location
    elif match and place != location and not (place == "no" and usual == "no"):
        raise _refused(f"disk '{wish.name}' must use snapshot mode '{location}'")
    if wish.source is not None and place != "external":
        raise _refused(
            f"file '{_pathOf(wish.source)}' for disk '{wish.name}' requires use of external "
            "snapshot mode"
        )
    return place


def _madeUp(name: str, wish: SnapshotDisk, disk: Any, others: list[SnapshotDisk]) -> DiskSource:
    """Make up the file that a disk goes on in, beside the one that it is in."""
    what = f"cannot generate external snapshot name for disk '{wish.name}'"
    if wish.type != "file":
        raise _refused(f"{what} on a '{wish.type}' device")
    path = _pathOf(None if disk is None else disk.source)
    if path is None:
        raise _refused(f"{what} without source")
    if not os.path.isfile(path):
        raise _refused(
            f"source for disk '{wish.name}' is not a regular file; "
            "refusing to generate external snapshot name"
        )
    folder, base = os.path.split(path)
    stem = base.rpartition(".")[0] if "." in base else base
    made = os.path.join(folder, f"{stem}.{name}")
    for other in others:
        if other.name != wish.name and other.source is not None and _pathOf(other.source) == made:
            raise _refused(f"{what}: collision with disk '{other.name}'")
    return FileSource(file=made)


# Writing


def formatSnapshot(
    snapshot: SnapshotDefinition,
    domain: DomainDefinition | None = None,
    *,
    secure: bool = False,
    uuid: bytes | None = None,
    current: bool | None = None,
) -> str:
    """
    Write a snapshot in libvirt's canonical form.

    @param domain: what the domain was, where the snapshot does not tell.
    @param secure: whether passwords are written.
    @param uuid: that of the domain, which is all that is written of one that is not known.
    @param current: for the driver's own file: whether it is the current one.
    """
    out = [f"<domainsnapshot>\n  <name>{escape(snapshot.name)}</name>\n"]
    if snapshot.description is not None:
        out.append(f"  <description>{escape(snapshot.description)}</description>\n")
    if snapshot.state is not None:
        out.append(f"  <state>{snapshot.state}</state>\n")
    if snapshot.parent is not None:
        out.append(f"  <parent>\n    <name>{escape(snapshot.parent)}</name>\n  </parent>\n")
    out.append(f"  <creationTime>{snapshot.creationTime}</creationTime>\n")
    memory = snapshot.memory
    if memory is not None:
        file = "" if memory.file is None else f" file='{escape(memory.file)}'"
        out.append(f"  <memory snapshot='{memory.snapshot}'{file}/>\n")
    if snapshot.disks:
        out.append("  <disks>\n")
        for disk in snapshot.disks:
            _writeDisk(disk, out)
        out.append("  </disks>\n")
    domain = snapshot.domain or domain
    if domain is not None:
        out.append(_indented(domain, "domain", secure))
        if snapshot.inactive is not None:
            out.append(_indented(snapshot.inactive, "inactiveDomain", secure))
    elif uuid is not None:
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
    if disk.snapshot != "default":
        head += f" snapshot='{disk.snapshot}'"
    if disk.source is None and disk.format is None:
        out.append(f"{head}/>\n")
        return
    kind = disk.type if disk.source is None else disk.source.sourceType
    out.append(f"{head} type='{kind}'>\n")
    if disk.format is not None:
        out.append(f"      <driver type='{disk.format}'/>\n")
    if disk.source is not None:
        writeSource(replaced(disk.source, index=None), out, "      ", "source", Context())
    out.append("    </disk>\n")


def _indented(domain: DomainDefinition, tag: str, secure: bool) -> str:
    text = formatDomain(domain, secure=secure, inactive=True).rstrip("\n")
    if tag != "domain":
        text = f"<{tag}" + text.removeprefix("<domain").removesuffix("</domain>") + f"</{tag}>"
    return "".join(f"  {line}\n" for line in text.split("\n"))
