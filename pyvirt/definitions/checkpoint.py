"""
Checkpoints, points that changes of disks are counted from: XML to frozen values and back.

Libvirt holds every such document against its schema.  Where its schemas are not installed a document is taken
as far as it can be understood.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from pyvirt.definitions.domain import DomainDefinition, diskOf, formatDomain, parseDomain
from pyvirt.definitions.kinds import escape, number, xmlError
from pyvirt.definitions.reader import Node, parseDocument, xmlText
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.validation import validateIfInstalled
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = [
    "CheckpointDefinition",
    "CheckpointDisk",
    "aligned",
    "formatCheckpoint",
    "parseCheckpoint",
]

_DOMAIN = ErrorDomain.DOMAIN_CHECKPOINT


@definition
class CheckpointDisk:
    """
    What becomes of one disk.

    @ivar name: its name or path as given, its name once L{aligned}.
    @ivar checkpoint: C{no} or C{bitmap}.
    @ivar bitmap: the name of the bit map, None before it is known.
    """

    name: str
    checkpoint: str = "bitmap"
    bitmap: str | None = None
    size: int | None = None


@definition
class CheckpointDefinition:
    """
    A checkpoint.

    @ivar parent: the name of the checkpoint before, or None.
    @ivar creationTime: seconds since 1970.
    @ivar domain: what the domain was; None where that was not said.
    """

    name: str
    description: str | None = None
    parent: str | None = None
    creationTime: int = 0
    disks: tuple[CheckpointDisk, ...] = ()
    domain: DomainDefinition | None = None


def _refused(detail: str) -> VirtError:
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, _DOMAIN)


def _text(root: Node, tag: str) -> str | None:
    found = next((child for child in root if child.tag == tag), None)
    return None if found is None else xmlText(found) or None


def _readDisk(node: Node, usual: str | None) -> CheckpointDisk:
    """Read what becomes of a disk; C{usual} is the name of a bitmap that has none."""
    kind, bitmap = node.get("checkpoint") or "bitmap", node.get("bitmap")
    return CheckpointDisk(
        name=node.get("name") or "",
        checkpoint=kind,
        bitmap=usual if bitmap is None and kind == "bitmap" else bitmap,
    )


def parseCheckpoint(xml: str, *, redefine: bool = False, now: int = 0) -> CheckpointDefinition:
    """
    Parse a checkpoint that is to be made, or one that was made.

    @param redefine: it was made: the document says when, after which other and of what.
    @param now: the time, in seconds since 1970.
    @raise VirtError: as libvirt says it.
    """
    root = parseDocument("checkpoint", xml)
    validateIfInstalled("checkpoint", xml)
    name = _text(root, "name")
    if name is None:
        if redefine:
            raise xmlError("a redefined checkpoint must have a name", _DOMAIN)
        name = str(now)
    changes: dict[str, Any] = {"creationTime": now}
    if redefine:
        created = number(_text(root, "creationTime") or "", bits=64, signed=True)
        if created is None:
            raise virtError(
                ErrorCode.INTERNAL_ERROR, "missing creationTime from existing checkpoint", _DOMAIN
            )
        changes["creationTime"] = created
        for child in root:
            if child.tag == "parent":
                changes.setdefault("parent", _text(child, "name"))
            elif child.tag == "domain" and "domain" not in changes:
                text = etree.tostring(child, encoding="unicode", with_tail=False)
                changes["domain"] = parseDomain(text)
    disks = next((child for child in root if child.tag == "disks"), None)
    return CheckpointDefinition(
        name=name,
        description=_text(root, "description"),
        disks=tuple(
            _readDisk(child, name if redefine else None) for child in disks if child.tag == "disk"
        )
        if disks is not None
        else (),
        **changes,
    )


def _useless(disk: Any) -> bool:
    return disk.source is None or bool(disk.readonly)


def aligned(checkpoint: CheckpointDefinition, domain: DomainDefinition) -> CheckpointDefinition:
    """
    Say of each disk of the domain what becomes of it: if some are named, of the others nothing.

    @raise VirtError: something else is asked for than what can be done.
    """
    disks = domain.devices.disks
    if len(checkpoint.disks) > len(disks):
        raise _refused("too many disk checkpoint requests for domain")
    if not disks:
        raise _refused("domain must have at least one disk to perform checkpoints")
    asked: dict[str, CheckpointDisk] = {}
    for wish in checkpoint.disks:
        disk = diskOf(domain, wish.name)
        if disk is None:
            raise _refused(f"no disk named '{wish.name}'")
        name = disk.target.dev
        if name in asked:
            raise _refused(f"disk '{wish.name}' specified twice")
        if wish.checkpoint != "no" and _useless(disk):
            raise _refused(f"disk '{name}' is empty or readonly")
        bitmap = None if wish.checkpoint == "no" else wish.bitmap or checkpoint.name
        asked[name] = CheckpointDisk(name=name, checkpoint=wish.checkpoint, bitmap=bitmap)
    done = []
    for disk in disks:
        name = (disk.target.dev if disk.target is not None else None) or ""
        if name in asked:
            done.append(asked[name])
        elif asked or _useless(disk):
            done.append(CheckpointDisk(name=name, checkpoint="no"))
        else:
            done.append(CheckpointDisk(name=name, bitmap=checkpoint.name))
    return replaced(checkpoint, disks=tuple(done))


def formatCheckpoint(
    checkpoint: CheckpointDefinition, *, secure: bool = False, domain: bool = True
) -> str:
    """
    Write a checkpoint in libvirt's canonical form.

    @param secure: whether passwords are written.
    @param domain: whether what the domain was is written.
    """
    out = [f"<domaincheckpoint>\n  <name>{escape(checkpoint.name)}</name>\n"]
    if checkpoint.description is not None:
        out.append(f"  <description>{escape(checkpoint.description)}</description>\n")
    if checkpoint.parent is not None:
        out.append(f"  <parent>\n    <name>{escape(checkpoint.parent)}</name>\n  </parent>\n")
    if checkpoint.creationTime:
        out.append(f"  <creationTime>{checkpoint.creationTime}</creationTime>\n")
    if checkpoint.disks:
        out.append("  <disks>\n")
        for disk in checkpoint.disks:
            last = "" if disk.bitmap is None else f" bitmap='{escape(disk.bitmap)}'"
            if disk.size is not None:
                last += f" size='{disk.size}'"
            head = f"    <disk name='{escape(disk.name)}' checkpoint='{escape(disk.checkpoint)}'"
            out.append(f"{head}{last}/>\n")
        out.append("  </disks>\n")
    if checkpoint.domain is not None and domain:
        text = formatDomain(checkpoint.domain, secure=secure, inactive=True)
        out.append("".join(f"  {line}\n" for line in text.splitlines()))
    out.append("</domaincheckpoint>\n")
    return "".join(out)
