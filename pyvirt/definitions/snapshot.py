"""
Snapshots of domains: what is asked for, and how one is written.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain import DomainDefinition, formatDomain
from pyvirt.definitions.kinds import FILLED, choice, xmlError
from pyvirt.definitions.reader import Node, parseDocument
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    reader,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorDomain

__all__ = [
    "SnapshotDefinition",
    "SnapshotDisk",
    "SnapshotMemory",
    "formatSnapshot",
    "parseSnapshot",
]

_DOMAIN = ErrorDomain.DOMAIN_SNAPSHOT
_WHERE = choice("default no internal external manual", absent="default")


@definition
class SnapshotMemory:
    """Where the memory of the guest is kept."""

    snapshot: str | None = attribute(_WHERE)
    file: str | None = attribute()

    def settle(self, node: Node, context: Context) -> SnapshotMemory:
        """A file is where memory lies outside of the disks."""
        if self.file is not None and self.snapshot is None:
            return SnapshotMemory(snapshot="external", file=self.file)
        if self.file is not None and self.snapshot != "external":
            raise xmlError(f"memory filename '{self.file}' requires external snapshot", _DOMAIN)
        if self.snapshot == "external" and self.file is None:
            raise xmlError("external memory snapshots require a filename", _DOMAIN)
        return self


@definition
class SnapshotDisk:
    """What becomes of one disk."""

    name: str | None = attribute(
        required=True,
        missing=lambda node: xmlError("missing name from disk snapshot element", _DOMAIN),
    )
    snapshot: str | None = attribute(_WHERE)
    type: str | None = attribute(FILLED)
    driver: str | None = elementAttribute("driver", "type")
    source: str | None = elementAttribute("source", "file")


def _readDisks(
    node: Node, kids: dict[str, list[Node]], context: Context
) -> tuple[SnapshotDisk, ...]:
    read = reader(SnapshotDisk)
    return tuple(
        read(child, context)
        for group in kids.get("disks", ())[:1]
        for child in group
        if child.tag == "disk"
    )


def _writeDisks(value: Any, out: list[str], indent: str, context: Context) -> None:
    out.append(f"{indent}<disks>\n")
    for disk in value:
        writer(SnapshotDisk)(disk, out, indent + "  ", "disk", context)
    out.append(f"{indent}</disks>\n")


def _writeText(value: Any, out: list[str], indent: str, context: Context) -> None:
    out.append(value)


def _writeParent(value: Any, out: list[str], indent: str, context: Context) -> None:
    from pyvirt.definitions.kinds import escape

    out.append(f"{indent}<parent>\n{indent}  <name>{escape(value)}</name>\n{indent}</parent>\n")


@definition
class SnapshotDefinition:
    """
    A snapshot.

    @ivar state: the state of the domain then, such as C{running}.
    @ivar parent: the name of the snapshot before, or None.
    @ivar creationTime: seconds since 1970, as text.
    @ivar domain: the domain then, as indented text; given when the snapshot is written.
    """

    name: str | None = element(FILLED)
    description: str | None = element(FILLED)
    state: str | None = element(FILLED)
    parent: str | None = special(write=_writeParent)
    creationTime: str | None = element(FILLED)
    memory: SnapshotMemory | None = element(SnapshotMemory)
    disks: tuple[SnapshotDisk, ...] = special(
        tags="disks", read=_readDisks, write=_writeDisks, default=()
    )
    domain: str | None = special(write=_writeText)


def parseSnapshot(xml: str) -> SnapshotDefinition:
    """
    Parse what is asked for.

    @raise VirtError: as libvirt says it.
    """
    node = parseDocument("snapshot", xml)
    found: SnapshotDefinition = reader(SnapshotDefinition)(node, Context())
    return found


def formatSnapshot(
    definition: SnapshotDefinition, domain: DomainDefinition | None, *, secure: bool = False
) -> str:
    """
    Write a snapshot in libvirt's canonical form.

    @param domain: the domain as it was, or None to leave it out.
    @param secure: whether passwords are written.
    """
    out: list[str] = []
    if domain is not None:
        text = formatDomain(domain, inactive=True, secure=secure)
        lines = "".join(f"  {line}\n" for line in text.split("\n")[:-1])
        definition = replaced(definition, domain=lines)
    writer(SnapshotDefinition)(definition, out, "", "domainsnapshot", Context(secure=secure))
    return "".join(out)
