"""
Checkpoints: points that changes of disks are counted from.  Nothing is counted here; they are written down.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import attrs
from lxml import etree

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition, completed, formatDomain, parseDomain
from pyvirt.definitions.kinds import escape, number, xmlError
from pyvirt.definitions.reader import parseTree, xmlText
from pyvirt.definitions.validation import FOLDER, validate
from pyvirt.drivers.interfaces.values import DomainCheckpointRef, DomainRef
from pyvirt.drivers.test.devices import diskOf
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.moments import Moment, Moments
from pyvirt.drivers.test.refusals import checkFlags, internal, invalidArgument
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Checkpoint", "DomainCheckpoints"]

_DOMAIN = ErrorDomain.DOMAIN_CHECKPOINT
_LIST_FLAGS = 0xF


@attrs.define
class Checkpoint(Moment):
    """
    A checkpoint.

    @ivar disks: name, C{no} or C{bitmap}, and the name of the bit map; in the end of every disk.
    @ivar domain: what the domain was; None where that was not said.
    """

    description: str | None = None
    disks: tuple[tuple[str, str, str | None], ...] = ()
    domain: DomainDefinition | None = None


def _refused(detail: str) -> VirtError:
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, _DOMAIN)


def _missing(detail: str) -> VirtError:
    return virtError(ErrorCode.NO_DOMAIN_CHECKPOINT, detail, ErrorDomain.TEST)


def _text(root: Any, tag: str) -> str | None:
    found = root.find(tag)
    return (xmlText(found) or None) if found is not None else None


def _parse(xml: str, world: World, redefine: bool) -> Checkpoint:
    """
    Read a checkpoint that is to be made, or one that was made.

    @raise VirtError: the document is wrong.
    """
    root = parseTree(xml, "domaincheckpoint", label="(domain_checkpoint)", domain=_DOMAIN)
    if os.path.isdir(FOLDER):
        # Libvirt holds every checkpoint against its schema; without libvirt's schemas it is taken as it is.
        validate("checkpoint", xml)
    now = world.now() // 1000000
    name = _text(root, "name")
    if name is None:
        if redefine:
            raise xmlError("a redefined checkpoint must have a name", _DOMAIN)
        name = str(now)
    checkpoint = Checkpoint(name, None, now, _text(root, "description"))
    if redefine:
        created = number(_text(root, "creationTime") or "", bits=64, signed=True)
        if created is None:
            raise internal("missing creationTime from existing checkpoint", _DOMAIN)
        checkpoint.created = created
        parent = root.find("parent")
        checkpoint.parent = None if parent is None else _text(parent, "name")
        node = root.find("domain")
        if node is not None:
            text = etree.tostring(node, encoding="unicode", with_tail=False)
            checkpoint.domain = completed(parseDomain(text), random=world.random)
    disks = root.find("disks")
    if disks is not None:
        checkpoint.disks = tuple(
            (
                node.get("name") or "",
                node.get("checkpoint") or "bitmap",
                node.get("bitmap"),
            )
            for node in disks.findall("disk")
        )
    return checkpoint


def _fit(checkpoint: Checkpoint, definition: DomainDefinition) -> None:
    """
    Say of each disk of the domain what becomes of it: if some are named, of the others nothing.

    @raise VirtError: something else is asked for than what can be done.
    """
    disks = definition.devices.disks
    if len(checkpoint.disks) > len(disks):
        raise _refused("too many disk checkpoint requests for domain")
    asked: dict[str, tuple[str, str, str | None]] = {}
    for path, kind, bitmap in checkpoint.disks:
        disk = diskOf(definition, path)
        if disk is None:
            raise _refused(f"no disk named '{path}'")
        name = disk.target.dev
        if name in asked:
            raise _refused(f"disk '{name}' specified twice")
        if kind != "no" and _useless(disk):
            raise _refused(f"disk '{name}' is empty or readonly")
        asked[name] = (name, kind, None if kind == "no" else bitmap or checkpoint.name)
    done = []
    for disk in disks:
        name = (disk.target.dev if disk.target is not None else None) or ""
        plain = (name, "no", None) if asked or _useless(disk) else (name, "bitmap", checkpoint.name)
        done.append(asked.get(name, plain))
    checkpoint.disks = tuple(done)


def _useless(disk: Any) -> bool:
    return disk.source is None or bool(disk.readonly)


class DomainCheckpoints:
    """Makes, tells of and forgets checkpoints."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._find = world.domains.find

    def _moments(self, dom: DomainRef) -> tuple[Domain, Moments[Checkpoint]]:
        domain = self._find(dom)
        return domain, domain.extra.checkpoints

    @staticmethod
    def _named(moments: Moments[Checkpoint], name: str) -> Checkpoint:
        found = moments.get(name)
        if found is None:
            raise _missing(f"no domain checkpoint with matching name '{name}'")
        return found

    def domainCheckpointCreateXML(
        self, dom: DomainRef, xmlDesc: str, flags: int
    ) -> DomainCheckpointRef:
        """Make a checkpoint of a running domain, or write down one that was made."""
        checkFlags(
            "testDomainCheckpointCreateXML",
            flags,
            c.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE | c.VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE,
        )
        domain, moments = self._moments(dom)
        if domain.snapshotCount:
            raise _impossible("cannot create checkpoint while snapshot exists")
        if not domain.active:
            raise _impossible("cannot create checkpoint for inactive domain")
        redefine = bool(flags & c.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE)
        checkpoint = _parse(xmlDesc, self._world, redefine)
        if redefine:
            self._redefine(domain, moments, checkpoint)
        else:
            checkpoint.domain = domain.definition
            _fit(checkpoint, domain.definition)
            checkpoint.parent = moments.current
            moments.add(checkpoint)
            moments.current = checkpoint.name
        return DomainCheckpointRef(checkpoint.name, dom)

    def _redefine(
        self, domain: Domain, moments: Moments[Checkpoint], checkpoint: Checkpoint
    ) -> None:
        name, parent = checkpoint.name, checkpoint.parent
        if parent is not None:
            if parent == name:
                raise invalidArgument(
                    f"cannot set moment {name} as its own parent", ErrorDomain.DOMAIN
                )
            if moments.get(parent) is None:
                raise invalidArgument(
                    f"parent {parent} for moment {name} not found", ErrorDomain.DOMAIN
                )
            if any(each.name == parent for each in moments.below(name)):
                raise invalidArgument(
                    f"parent {parent} would create cycle to {name}", ErrorDomain.DOMAIN
                )
        if checkpoint.domain is not None:
            _fit(checkpoint, checkpoint.domain)
        if moments.current is None or parent == moments.current:
            moments.current = name
        moments.replace(checkpoint)

    def domainCheckpointGetXMLDesc(self, checkpoint: DomainCheckpointRef, flags: int) -> str:
        """Write a checkpoint, with what the domain was unless that is not wanted."""
        checkFlags(
            "testDomainCheckpointGetXMLDesc",
            flags,
            c.VIR_DOMAIN_CHECKPOINT_XML_SECURE
            | c.VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN
            | c.VIR_DOMAIN_CHECKPOINT_XML_SIZE,
        )
        _, moments = self._moments(checkpoint.dom)
        own = self._named(moments, checkpoint.name)
        out = [f"<domaincheckpoint>\n  <name>{escape(own.name)}</name>\n"]
        if own.description is not None:
            out.append(f"  <description>{escape(own.description)}</description>\n")
        if own.parent is not None:
            out.append(f"  <parent>\n    <name>{escape(own.parent)}</name>\n  </parent>\n")
        out.append(f"  <creationTime>{own.created}</creationTime>\n")
        if own.disks:
            out.append("  <disks>\n")
            for name, kind, bitmap in own.disks:
                last = "" if bitmap is None else f" bitmap='{escape(bitmap)}'"
                out.append(f"    <disk name='{escape(name)}' checkpoint='{kind}'{last}/>\n")
            out.append("  </disks>\n")
        if own.domain is not None and not flags & c.VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN:
            secure = bool(flags & c.VIR_DOMAIN_CHECKPOINT_XML_SECURE)
            text = formatDomain(own.domain, secure=secure, inactive=True)
            out.append("".join(f"  {line}\n" for line in text.splitlines()))
        out.append("</domaincheckpoint>\n")
        return "".join(out)

    @staticmethod
    def _passing(
        moments: Moments[Checkpoint], found: Iterable[Checkpoint], flags: int
    ) -> Iterable[Checkpoint]:
        if flags & c.VIR_DOMAIN_CHECKPOINT_LIST_LEAVES:
            found = [each for each in found if moments.isLeaf(each)]
        if flags & c.VIR_DOMAIN_CHECKPOINT_LIST_NO_LEAVES:
            found = [each for each in found if not moments.isLeaf(each)]
        return found

    def domainListAllCheckpoints(self, dom: DomainRef, flags: int) -> list[DomainCheckpointRef]:
        """List the checkpoints that pass the filters; with C{ROOTS} only those that come after none."""
        checkFlags("testDomainListAllCheckpoints", flags, _LIST_FLAGS)
        _, moments = self._moments(dom)
        found: Iterable[Checkpoint] = moments
        if flags & c.VIR_DOMAIN_CHECKPOINT_LIST_ROOTS:
            found = moments.children(None)
        return [
            DomainCheckpointRef(each.name, dom) for each in self._passing(moments, found, flags)
        ]

    def domainCheckpointListAllChildren(
        self, checkpoint: DomainCheckpointRef, flags: int
    ) -> list[DomainCheckpointRef]:
        """List what comes right after a checkpoint; with C{DESCENDANTS} all that comes after it."""
        checkFlags("testDomainCheckpointListAllChildren", flags, _LIST_FLAGS)
        _, moments = self._moments(checkpoint.dom)
        own = self._named(moments, checkpoint.name)
        found: Iterable[Checkpoint] = moments.children(own.name)
        if flags & c.VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS:
            found = moments.below(own.name)
        return [
            DomainCheckpointRef(each.name, checkpoint.dom)
            for each in self._passing(moments, found, flags)
        ]

    def domainCheckpointLookupByName(
        self, dom: DomainRef, name: str, flags: int
    ) -> DomainCheckpointRef:
        """Find a checkpoint."""
        checkFlags("testDomainCheckpointLookupByName", flags)
        _, moments = self._moments(dom)
        return DomainCheckpointRef(self._named(moments, name).name, dom)

    def domainCheckpointGetParent(
        self, checkpoint: DomainCheckpointRef, flags: int
    ) -> DomainCheckpointRef:
        """Find what a checkpoint comes after."""
        checkFlags("testDomainCheckpointGetParent", flags)
        _, moments = self._moments(checkpoint.dom)
        own = self._named(moments, checkpoint.name)
        if own.parent is None:
            raise _missing(f"checkpoint '{own.name}' does not have a parent")
        return DomainCheckpointRef(own.parent, checkpoint.dom)

    def domainCheckpointDelete(self, checkpoint: DomainCheckpointRef, flags: int) -> None:
        """Forget a checkpoint, with what comes after it, or only what comes after it."""
        checkFlags(
            "testDomainCheckpointDelete",
            flags,
            c.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN
            | c.VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY
            | c.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY,
        )
        _, moments = self._moments(checkpoint.dom)
        own = self._named(moments, checkpoint.name)
        only = c.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN_ONLY
        if flags & (only | c.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN):
            moments.removeBelow(own)
        if not flags & only:
            moments.remove(own)


def _impossible(detail: str) -> VirtError:
    return virtError(ErrorCode.OPERATION_UNSUPPORTED, detail, ErrorDomain.TEST)
