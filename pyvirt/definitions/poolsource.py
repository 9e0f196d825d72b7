"""
What storage pools lie on: XML to frozen values and back.
"""

from __future__ import annotations

from typing import Any, ClassVar

from lxml import etree

from pyvirt.definitions.domain._source import Secret
from pyvirt.definitions.kinds import BOOLEAN, FILLED, escape, integer, xmlError
from pyvirt.definitions.pooladapter import Adapter
from pyvirt.definitions.reader import Node, parseTree, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    reader,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["FORMATS", "PoolDevice", "PoolSource", "bad", "parseSource", "refused"]

_DOMAIN = ErrorDomain.STORAGE


def bad(detail: str) -> VirtError:
    """Make the error of a pool or volume that says something impossible."""
    return xmlError(detail, _DOMAIN)


def refused(detail: str) -> VirtError:
    """Make the error of a configuration that is not supported."""
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, _DOMAIN)


@definition
class PoolHost:
    """A server of a pool."""

    name: str | None = attribute(
        required=True, missing=lambda node: bad("missing storage pool host name")
    )
    port: int | None = attribute(integer(signed=True, keepZero=False))


@definition
class PoolDevice:
    """
    A device that a pool lies on.

    @ivar free: starts and ends of what is free of it, in bytes; found out, never read from a document.
    """

    path: str | None = attribute(
        required=True, missing=lambda node: bad("missing storage pool source device path")
    )
    partSeparator: bool | None = attribute(BOOLEAN, "part_separator")
    free: tuple[tuple[int, int], ...] = special(default=())

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the device."""
        more = ""
        if value.partSeparator is not None:
            more = f" part_separator='{'yes' if value.partSeparator else 'no'}'"
        opening = f"{indent}<{tag} path='{escape(value.path or '')}'{more}"
        if not value.free:
            out.append(f"{opening}/>\n")
            return
        out.append(f"{opening}>\n")
        out += [f"{indent}  <freeExtent start='{low}' end='{high}'/>\n" for low, high in value.free]
        out.append(f"{indent}</{tag}>\n")


@definition
class PoolSecret(Secret):
    """The secret of a pool's authentication."""


@definition
class PoolAuth:
    """Who opens a pool."""

    type: str | None = attribute()
    username: str | None = attribute()
    secret: PoolSecret | None = element(PoolSecret)

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Complain of what is missing."""
        if not node.get("username"):
            raise bad("missing username for auth")
        kind = node.get("type")
        if kind and kind not in ("none", "chap", "ceph"):
            raise refused(f"unknown auth type '{kind}'")
        if not any(child.tag == "secret" for child in node):
            raise bad("Missing <secret> element in auth")

    def settle(self, node: Node, context: Context) -> PoolAuth:
        """It is of some type."""
        if self.type in (None, "", "none"):
            raise refused("storage pool missing auth type")
        return self


@definition
class Initiator:
    """Who connects to an iSCSI target."""

    iqn: str | None = elementAttribute("iqn", "name")


#: The formats that sources of types of pools have, and the usual one.
FORMATS = {
    "fs": ("auto ext2 ext3 ext4 ufs iso9660 udf gfs gfs2 vfat hfs+ xfs ocfs2 vmfs", "auto"),
    "netfs": ("auto nfs glusterfs cifs", "auto"),
    "disk": ("unknown dos dvh gpt mac bsd pc98 sun lvm2", "unknown"),
    "logical": ("unknown lvm2", "lvm2"),
}


def _untyped(kids: dict[str, list[Node]]) -> None:
    """Look at an adapter that does not count, as libvirt does."""
    if "adapter" in kids:
        reader(Adapter)(kids["adapter"][0], Context())


@definition
class PoolSource:
    """What a pool lies on."""

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """What a RADOS device is called is asked for before anything else."""
        if node.getparent().get("type") == "rbd":
            name = next((child for child in node if child.tag == "name"), None)
            if name is None or not xmlText(name):
                raise bad("element 'name' is mandatory for RBD pool")

    xmlOpen: ClassVar[bool] = True

    hosts: tuple[PoolHost, ...] = elements(PoolHost, "host")
    devices: tuple[PoolDevice, ...] = elements(PoolDevice, "device")
    dir: str | None = elementAttribute("dir", "path", FILLED)
    adapter: Adapter | None = special(
        tags="adapter",
        read=lambda node, kids, context: (
            reader(Adapter)(kids["adapter"][0], context)
            if "adapter" in kids and node.getparent().get("type") == "scsi"
            else _untyped(kids)
        ),
        write=lambda value, out, indent, context: writer(Adapter)(
            value, out, indent, "adapter", context
        ),
    )
    name: str | None = element(FILLED)
    initiator: Initiator | None = element(Initiator)
    auth: PoolAuth | None = element(PoolAuth)
    format: str | None = elementAttribute("format", "type")
    protocol: str | None = elementAttribute("protocol", "ver")
    vendor: str | None = elementAttribute("vendor", "name")
    product: str | None = elementAttribute("product", "name")

    def settle(self, node: Node, context: Context) -> PoolSource:
        """A format is one that the type of pool knows."""
        kind = node.getparent().get("type")
        dropped: dict[str, Any] = {
            name: () if name in ("hosts", "devices") else None
            for name in ("hosts", "devices", "dir", "adapter", "name", "initiator")
            if name not in _PARTS.get(kind, ())
        }
        known = FORMATS.get(kind)
        if known is None:
            return replaced(self, format=None, **dropped)
        words, default = known
        if self.format and self.format not in words.split():
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED, f"unknown pool format type {self.format}", _DOMAIN
            )
        if self.protocol is not None:
            # Formats of all kinds of pools are told by their numbers, and called what those are of netfs.
            number = words.split().index(self.format or default)
            if number > 1:
                word = ("auto", "nfs", "glusterfs", "cifs")[number] if number < 4 else "(null)"
                raise refused(f"storage pool protocol ver unsupported for pool type '{word}'")
        return replaced(self, format=self.format or default, **dropped)


#: What the source of each type of pool is described by.
_PARTS: dict[str, tuple[str, ...]] = {
    "logical": ("devices", "name"),
    "fs": ("devices",),
    "disk": ("devices",),
    "zfs": ("devices", "name"),
    "netfs": ("hosts", "dir"),
    "iscsi": ("hosts", "devices", "initiator"),
    "iscsi-direct": ("hosts", "devices", "initiator"),
    "scsi": ("adapter",),
    "rbd": ("hosts", "name"),
    "sheepdog": ("hosts", "name"),
    "gluster": ("hosts", "dir", "name"),
    "vstorage": ("name",),
}


def parseSource(type: str, xml: str) -> PoolSource:
    """
    Parse what a pool lies on alone, as it is given to those who look for pools.

    @param type: what kind of pool.
    @raise VirtError: as libvirt says it.
    """
    node = parseTree(xml, "source", label="(storage_source_specification)", domain=_DOMAIN)
    etree.Element("pool", type=type).append(node)
    found: PoolSource = reader(PoolSource)(node, Context())
    return found
