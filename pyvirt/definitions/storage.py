"""
Storage pools and volumes: XML to frozen values and back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby
from typing import Any, ClassVar, NamedTuple

from pyvirt.definitions.domain._source import Encryption
from pyvirt.definitions.kinds import (
    BOOLEAN,
    FILLED,
    Kind,
    choice,
    escape,
    number,
)
from pyvirt.definitions.poolrefresh import Refresh
from pyvirt.definitions.poolsource import FORMATS, PoolSource, bad, refused
from pyvirt.definitions.reader import Node, parseDocument, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    plainReader,
    present,
    reader,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.units import scale, scaled
from pyvirt.definitions.uuids import formatUUID, parseUUID, randomUUID
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = [
    "PoolDefinition",
    "VolumeDefinition",
    "completedPool",
    "formatPool",
    "formatVolume",
    "parsePool",
    "parseVolume",
]

_DOMAIN = ErrorDomain.STORAGE


def _octal(text: str, node: Node, name: str) -> int:
    value = number(text, 8)
    if value is None or value > 0o777:
        raise bad("malformed octal mode")
    return value


def _identity(what: str) -> Kind:
    def read(text: str, node: Node, name: str) -> int | None:
        value = number(text, bits=32, signed=True) if text.startswith("-") else number(text)
        if value is None or (value < 0 and value != -1):
            raise bad(f"malformed {what} element")
        return value if value >= 0 else None

    return Kind(read)


def _given(tag: str, what: str) -> Any:
    """A field of the number of a user or a group, which is a number even where it is empty."""
    kind = _identity(what)
    return special(
        tags=tag,
        read=lambda node, kids, context: (
            kind.read(xmlText(kids[tag][0]), kids[tag][0], tag) if tag in kids else None
        ),
        write=lambda value, out, indent, context: out.append(f"{indent}<{tag}>{value}</{tag}>\n"),
    )


@definition
class Permissions:
    """Mode and owner of files."""

    xmlOmitEmpty: ClassVar[bool] = True

    mode: int | None = element(Kind(_octal, lambda value: f"0{value:o}"))
    owner: int | None = _given("owner", "owner")
    group: int | None = _given("group", "group")
    label: str | None = element(FILLED)


@definition
class PoolTarget:
    """Where the volumes of a pool are found."""

    path: str | None = element(FILLED)
    # Looked into last, and only where the pool has a place: until then it is the element.
    permissions: Permissions | None = special(
        tags="permissions",
        read=lambda node, kids, context: kids["permissions"][0] if "permissions" in kids else None,
        write=lambda value, out, indent, context: writer(Permissions)(
            value, out, indent, "permissions", context
        ),
    )


@definition
class PoolFeatures:
    """Features of the file system of a pool."""

    xmlOmitEmpty: ClassVar[bool] = True

    cow: bool | None = elementAttribute("cow", "state", BOOLEAN)


TYPES = "dir fs netfs logical disk iscsi iscsi-direct scsi mpath rbd sheepdog gluster zfs vstorage"


def _readUUID(node: Node, kids: dict[str, list[Node]], context: Context) -> bytes | None:
    found = kids.get("uuid")
    text = xmlText(found[0]) if found else ""
    if not text:
        return None
    value = parseUUID(text)
    if value is None:
        raise bad("malformed uuid element")
    return value


#: Pools that are called what their source is called, where nothing else is said.
_NAMED = ("logical", "zfs", "gluster", "rbd", "sheepdog", "vstorage")


def _checkName(node: Node, kids: dict[str, list[Node]]) -> None:
    """A pool has a name, of its own or of its source."""
    found = kids.get("name")
    name = xmlText(found[0]) if found else ""
    if not name and node.get("type") in _NAMED and "source" in kids:
        inner = next((child for child in kids["source"][0] if child.tag == "name"), None)
        name = xmlText(inner) if inner is not None else ""
    if not name:
        raise bad("missing pool source name element")
    if "/" in name:
        raise bad(f"name {name} cannot contain '/'")


def _checkFeatures(node: Node, kids: dict[str, list[Node]]) -> None:
    """Only what lies in a file system copies on writing."""
    for group in kids.get("features", ())[:1]:
        if node.get("type") not in ("fs", "dir") and any(
            child.tag == "cow" and child.get("state") is not None for child in group
        ):
            raise virtError(
                ErrorCode.NO_SUPPORT,
                "cow feature may only be used for 'fs' and 'dir' pools",
                _DOMAIN,
            )


@definition
class PoolDefinition:
    """
    A storage pool.

    @ivar uuid: 16 bytes, or None before one is made up.
    @ivar mountOptions: of its file system, besides those that all have.
    """

    xmlReadOrder: ClassVar[str] = "type source name nameCheck uuid features placed"

    type: str = attribute(choice(TYPES), required=True)
    name: str | None = element(FILLED)
    nameCheck: None = special(
        tags="name source", read=lambda node, kids, context: _checkName(node, kids)
    )
    placed: None = special(
        tags="features", read=lambda node, kids, context: _checkFeatures(node, kids)
    )
    uuid: bytes | None = special(
        tags="uuid",
        read=_readUUID,
        write=lambda value, out, indent, context: out.append(
            f"{indent}<uuid>{formatUUID(value)}</uuid>\n"
        ),
    )
    sizes: Any = special(
        write=lambda value, out, indent, context: out.extend(
            f"{indent}<{name} unit='bytes'>{amount}</{name}>\n" for name, amount in value
        ),
    )
    features: PoolFeatures | None = element(PoolFeatures)
    source: PoolSource = element(PoolSource, default=PoolSource())
    target: PoolTarget | None = element(PoolTarget)
    refresh: Refresh | None = element(Refresh)
    mountOptions: tuple[str, ...] = special(
        write=lambda value, out, indent, context: _writeOptions(value, out, indent), default=()
    )

    def settle(self, node: Node, context: Context) -> PoolDefinition:
        """Check what the type needs, and say where volumes are found."""
        kind, source = self.type, self.source
        if source == PoolSource() and kind in FORMATS:
            source = replaced(source, format=FORMATS[kind][1])
        name = self.name
        if name is None:
            name = source.name
        served = ("netfs", "iscsi", "iscsi-direct", "gluster", "rbd", "sheepdog")
        if kind in served and not source.hosts:
            raise bad("missing storage pool source host name")
        if kind in ("netfs",) and source.dir is None:
            raise bad("missing storage pool source path")
        if kind == "iscsi-direct" and (source.initiator is None or source.initiator.iqn is None):
            raise virtError(ErrorCode.CONFIG_UNSUPPORTED, "missing initiator IQN", _DOMAIN)
        if kind in ("fs", "disk", "iscsi-direct") and not source.devices:
            raise bad("missing storage pool source device name")
        if kind == "scsi":
            if source.adapter is None:
                raise bad("missing storage pool source adapter")
            source.adapter.check()
        if source.name is None and kind in ("logical", "zfs", "gluster", "vstorage"):
            source = replaced(source, name=name)
        target = self.target or PoolTarget()
        if kind == "logical":
            target = replaced(target, path=f"/dev/{source.name}")
        elif kind == "zfs":
            target = replaced(target, path=f"/dev/zvol/{source.name}")
        elif kind in ("rbd", "sheepdog", "gluster", "iscsi-direct"):
            target = None  # type: ignore[assignment]
        elif target.path is None:
            raise bad("missing storage pool target path")
        if target is not None and target.path is not None:
            target = replaced(target, path=cleanPath(target.path))
        if target is not None and target.permissions is not None:
            found: Any = target.permissions
            target = replaced(target, permissions=reader(Permissions)(found, context))
        if source.dir is not None:
            source = replaced(source, dir=cleanPath(source.dir))
        if kind == "gluster" and source.dir is None:
            source = replaced(source, dir="/")
        if kind == "sheepdog" and source.name is None:
            source = replaced(source, name=name)
        return replaced(self, name=name, source=source, target=target)


def cleanPath(path: str) -> str:
    """Remove doubled and trailing slashes."""
    lead = "//" if path.startswith("//") and not path.startswith("///") else ""
    parts = [part for part in path.split("/") if part]
    if not path.startswith("/"):
        return "/".join(parts)
    return (lead or "/") + "/".join(parts)


FS_NAMESPACE = "http://libvirt.org/schemas/storagepool/fs/1.0"


def _readOptions(node: Node) -> tuple[str, ...]:
    """Read what a file system is mounted with besides, of all groups that there are."""
    found = []
    for group in node.iterchildren(f"{{{FS_NAMESPACE}}}mount_opts"):
        for each in group.iterchildren(f"{{{FS_NAMESPACE}}}option"):
            name = each.get("name")
            if name is None:
                raise bad("no fs mount option name specified")
            found.append(name)
    return tuple(found)


def _writeOptions(options: tuple[str, ...], out: list[str], indent: str) -> None:
    out.append(f"{indent}<fs:mount_opts>\n")
    out += [f"{indent}  <fs:option name='{escape(name)}'/>\n" for name in options]
    out.append(f"{indent}</fs:mount_opts>\n")


def parsePool(xml: str, *, mounted: bool = False) -> PoolDefinition:
    """
    Parse a definition of a pool.

    @param mounted: by a driver that heeds options of file systems; else they are ignored.
    @raise VirtError: as libvirt says it.
    """
    node = parseDocument("pool", xml)
    found: PoolDefinition = reader(PoolDefinition)(node, Context())
    if mounted and found.type in ("fs", "netfs"):
        return replaced(found, mountOptions=_readOptions(node))
    return found


def completedPool(definition: PoolDefinition, *, random: Callable[[int], bytes]) -> PoolDefinition:
    """
    Make up what identifies the pool where the definition does not say.

    @param random: C{(count)} to that many random bytes.
    """
    if definition.uuid is not None:
        return definition
    return replaced(definition, uuid=randomUUID(random))


def formatPool(
    definition: PoolDefinition,
    *,
    capacity: int = 0,
    allocation: int = 0,
    available: int = 0,
    free: tuple[tuple[int, int], ...] = (),
) -> str:
    """
    Write a definition in libvirt's canonical form.

    @param capacity: how much the pool holds, in bytes.
    @param allocation: how much of it is taken.
    @param available: how much is free.
    @param free: starts and ends of what is free of the device that it lies on.
    """
    if free:
        first, *more = definition.source.devices
        devices = (replaced(first, free=free), *more)
        definition = replaced(definition, source=replaced(definition.source, devices=devices))
    sizes = (("capacity", capacity), ("allocation", allocation), ("available", available))
    out: list[str] = []
    writer(PoolDefinition)(replaced(definition, sizes=sizes), out, "", "pool", Context())
    if definition.mountOptions:
        head = f"<pool type='{definition.type}'"
        out[0] = out[0].replace(head, f"{head} xmlns:fs='{FS_NAMESPACE}'", 1)
    return "".join(out)


VOLUME_FORMATS = "raw dir bochs cloop dmg iso vpc vdi fat vhd ploop cow qcow qcow2 qed vmdk"
PARTITION_FORMATS = "none linux fat16 fat32 linux-swap linux-lvm linux-raid extended"
VOLUME_TYPES = ("file", "block", "dir", "network", "netdir", "ploop")


def _amount(tag: str) -> Any:
    def read(node: Node, kids: dict[str, list[Node]], context: Context) -> int | None:
        if tag not in kids:
            return None
        found = kids[tag][0]
        text = xmlText(found)
        if not text:
            return None
        value = number(text, bits=64)
        if value is None:
            raise bad("malformed capacity element")
        return scale(value, found.get("unit"), 1, (1 << 63) - 1)

    return special(
        tags=tag,
        read=read,
        write=lambda value, out, indent, context: out.append(
            f"{indent}<{tag} unit='bytes'>{value}</{tag}>\n"
        ),
    )


class _Reading(NamedTuple):
    """
    How a volume's definition is read.

    @ivar capacityOptional: its size may be that of another volume.
    @ivar formats: what it can be formatted as, the first where nothing is said; empty: it has no format.
    """

    capacityOptional: bool
    formats: str


def _readFormat(node: Node, kids: dict[str, list[Node]], context: Context) -> str | None:
    formats: str = context.extra.formats
    if not formats:
        return None  # whatever is said
    text: str | None = kids["format"][0].get("type") if "format" in kids else None
    if not text:
        return formats.split(" ", 1)[0]
    if text not in formats.split():
        raise refused(f"unknown volume format type {text}")
    return text


def _formatField() -> Any:
    return special(
        tags="format",
        read=_readFormat,
        write=lambda value, out, indent, context: out.append(
            f"{indent}<format type='{escape(value)}'/>\n"
        ),
    )


_COMPAT = re.compile(r"[0-9]+\.[0-9]+\Z").match


def _compat(text: str, node: Node, name: str) -> str:
    if not _COMPAT(text):
        raise bad("forbidden characters in 'compat' attribute")
    return text


@definition
class VolumeFeatures:
    """Features of an image."""

    lazyRefcounts: bool = present("lazy_refcounts")
    extendedL2: bool = present("extended_l2")

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Complain of features that nobody knows."""
        for child in node:
            if isinstance(child.tag, str) and child.tag not in ("lazy_refcounts", "extended_l2"):
                raise refused(f"unsupported feature {child.tag}")


def _writeTimes(value: Any, out: list[str], indent: str, context: Context) -> None:
    out.append(f"{indent}<timestamps>\n")
    for name, nanoseconds in zip(("atime", "mtime", "ctime", "btime"), value, strict=True):
        seconds, rest = divmod(nanoseconds, 1000000000)
        text = f"{seconds}.{rest:09}" if rest else str(seconds)
        out.append(f"{indent}  <{name}>{text}</{name}>\n")
    out.append(f"{indent}</timestamps>\n")


@definition
class VolumeTarget:
    """
    What a volume is.

    @ivar timestamps: when it was read, written, changed and made, in nanoseconds since 1970; found out, never read
        from a document.
    @ivar nocow: whether the file system is to write it in place; read, and never written.
    """

    path: str | None = element(FILLED)
    format: str | None = _formatField()
    permissions: Permissions | None = element(Permissions)
    timestamps: tuple[int, int, int, int] | None = special(write=_writeTimes)
    encryption: Encryption | None = element(Encryption)
    compat: str | None = element(Kind(_compat))
    clusterSize: int | None = special(
        tags="clusterSize",
        read=lambda node, kids, context: (
            scaled(kids["clusterSize"][0], "./target/clusterSize", default=1) or None
            if "clusterSize" in kids
            else None
        ),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<clusterSize unit='B'>{value}</clusterSize>\n"
        ),
    )
    nocow: bool = special(
        tags="nocow", read=lambda node, kids, context: "nocow" in kids, default=False
    )
    features: VolumeFeatures | None = element(VolumeFeatures)

    def settle(self, node: Node, context: Context) -> VolumeTarget:
        """Where features are spoken of, the image is of the first version that has some."""
        if self.features is not None and self.compat is None:
            return replaced(self, compat="1.1")
        return self


@definition
class VolumeBacking:
    """The image that a volume is laid over."""

    @classmethod
    def readElement(cls, node: Node, context: Context) -> VolumeBacking | None:
        """Without a path there is none, whatever else is said."""
        path = next((child for child in node if child.tag == "path"), None)
        if path is None or not xmlText(path):
            return None
        found: VolumeBacking = plainReader(cls)(node, context)
        return found

    path: str | None = element(FILLED)
    format: str | None = _formatField()
    permissions: Permissions | None = element(Permissions)
    timestamps: tuple[int, int, int, int] | None = special(write=_writeTimes)


def _volumeType(text: str, node: Node, name: str) -> str | None:
    if not text:
        return None
    if text not in VOLUME_TYPES:
        raise virtError(ErrorCode.CONFIG_UNSUPPORTED, f"unknown volume type '{text}'", _DOMAIN)
    return text


def _writeExtents(value: Any, out: list[str], indent: str, context: Context) -> None:
    out.append(f"{indent}<source>\n")
    for path, group in groupby(value, lambda extent: escape(extent[0])):
        out.append(f"{indent}  <device path='{path}'>\n")
        out += [f"{indent}    <extent start='{low}' end='{high}'/>\n" for _, low, high in group]
        out.append(f"{indent}  </device>\n")
    out.append(f"{indent}</source>\n")


@definition
class VolumeDefinition:
    """
    A storage volume.

    @ivar key: what identifies it on its host; given by the pool.
    @ivar capacity: its size as guests see it, in bytes.
    @ivar allocation: how much of it is taken from the pool, in bytes.
    @ivar physical: how long its file is, in bytes; found out, never read from a document.
    @ivar extents, sparse: devices with start and end in bytes, whether it has less room than it shows; found out.
    @ivar partition: which one it is, to those who know disks.
    """

    xmlReadOrder: ClassVar[str] = "name type backingStore sized capacity allocation target"

    type: str | None = attribute(Kind(_volumeType))
    name: str = special(
        tags="name",
        read=lambda node, kids, context: _volumeName(kids),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<name>{escape(value)}</name>\n"
        ),
    )
    key: str | None = special(
        write=lambda value, out, indent, context: out.append(
            f"{indent}<key>{escape(value)}</key>\n"
        )
    )
    extents: tuple[tuple[str, int, int], ...] = special(write=_writeExtents, default=())
    sparse: bool = special(write=lambda value, out, indent, context: None, default=False)
    partition: Any = special(write=lambda value, out, indent, context: None, default=None)
    sized: None = special(
        tags="capacity backingStore",
        read=lambda node, kids, context: _checkSized(kids, context.extra.capacityOptional),
    )
    capacity: int | None = _amount("capacity")
    allocation: int | None = _amount("allocation")
    physical: int | None = special(
        write=lambda value, out, indent, context: out.append(
            f"{indent}<physical unit='bytes'>{value}</physical>\n"
        )
    )
    target: VolumeTarget = element(VolumeTarget, default=VolumeTarget())
    backingStore: VolumeBacking | None = element(VolumeBacking)

    def settle(self, node: Node, context: Context) -> VolumeDefinition:
        """A size must be there; what is allocated is all of it where nothing else is said."""
        backing = self.backingStore
        if backing is not None and backing.path is None:
            backing = None
        if self.capacity is None:
            if backing is None or not context.extra.capacityOptional:
                raise bad("missing capacity element")
            return replaced(self, backingStore=backing)
        allocation = self.allocation
        if allocation is None:
            allocation = self.capacity
        target = self.target
        if target.format is None:  # nothing at all is said of the target
            target = replaced(target, format=_readFormat(node, {}, context))
        return replaced(self, allocation=allocation, backingStore=backing, target=target)


def _checkSized(kids: dict[str, list[Node]], backed: bool) -> None:
    """A volume has a size, unless one may be that of the image below."""
    found = kids.get("capacity")
    if (not found or not xmlText(found[0])) and not (backed and "backingStore" in kids):
        raise bad("missing capacity element")


def _volumeName(kids: dict[str, list[Node]]) -> str:
    found = kids.get("name")
    name = xmlText(found[0]) if found else ""
    if not name:
        raise bad("missing volume name element")
    return name


def parseVolume(
    xml: str, *, capacityOptional: bool = False, formats: str = VOLUME_FORMATS
) -> VolumeDefinition:
    """
    Parse a definition of a volume.

    @param capacityOptional: whether the size may be that of another volume, as for a clone.
    @param formats: those that volumes of its pool have, the first one where nothing is said; empty: none, and what
        is said of them is ignored.
    @raise VirtError: as libvirt says it.
    """
    context = Context(extra=_Reading(capacityOptional, formats))
    found: VolumeDefinition = reader(VolumeDefinition)(parseDocument("volume", xml), context)
    return found


def formatVolume(definition: VolumeDefinition, *, type: str = "file") -> str:
    """
    Write a definition in libvirt's canonical form.

    @param type: what the volume is for its pool, where the definition does not say.
    """
    out: list[str] = []
    if definition.type is None:
        definition = replaced(definition, type=type)
    writer(VolumeDefinition)(definition, out, "", "volume", Context())
    return "".join(out)
