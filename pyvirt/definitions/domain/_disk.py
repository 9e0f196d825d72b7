"""
Disks: what the guest sees, and what lies between it and the source.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.domain._address import BootDevice
from pyvirt.definitions.domain._common import VirtioOptions
from pyvirt.definitions.domain._source import (
    SOURCE_TYPES,
    Auth,
    DiskSource,
    Encryption,
    NetworkSource,
    readSource,
    writeSource,
)
from pyvirt.definitions.kinds import (
    BOOLEAN,
    FILLED,
    SWITCH,
    UINT_NZ,
    Kind,
    choice,
    custom,
    escape,
    integer,
    number,
    unsupported,
    xmlError,
)
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    present,
    reader,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["BackingStore", "Disk", "guessBus"]

FORMATS = "none raw dir bochs cloop dmg iso vpc vdi fat vhd ploop cow qcow qcow2 qed vmdk"


@definition
class CacheSize:
    """The largest size of a cache, in bytes."""

    bytes: int = 0

    @classmethod
    def readElement(cls, node: Node, context: Context) -> CacheSize:
        """Read the size."""
        from pyvirt.definitions.units import scaled

        for child in node:
            if child.tag == "max_size":
                path = "./metadata_cache/max_size"
                if node.getparent().tag == "format":
                    path = "./format/metadata_cache/max_size"
                return cls(bytes=scaled(child, path, default=1) or 0)
        return cls()

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the size."""
        if value.bytes:
            out.append(
                f"{indent}<{tag}>\n{indent}  <max_size unit='bytes'>{value.bytes}</max_size>\n"
                f"{indent}</{tag}>\n"
            )


def _readPolicy(text: str, node: Node, name: str) -> str:
    """Read what is done when reading fails: that there is no space left is no such case."""
    value: str = choice("stop report ignore enospace").read(text, node, name)
    if value == "enospace":
        raise unsupported("Invalid disk read error policy: '{text}'")(text, node, name)
    return value


@definition
class DiskDriver(VirtioOptions):
    """How the hypervisor handles a disk."""

    xmlOmitEmpty: ClassVar[bool] = True
    xmlOrder: ClassVar[str] = (
        "name type cache error_policy rerror_policy io ioeventfd event_idx copy_on_read discard "
        "iothread detect_zeroes queues queue_size"
    )
    xmlReadOrder: ClassVar[str] = (
        "name cache error_policy rerror_policy io ioeventfd event_idx copy_on_read discard iothread "
        "type detect_zeroes queues queue_size metadata_cache"
    )

    name: str | None = attribute()
    cache: str | None = attribute(
        choice("default none writethrough writeback directsync unsafe", absent="default")
    )
    error_policy: str | None = attribute(choice("stop report ignore enospace"))
    rerror_policy: str | None = attribute(Kind(_readPolicy))
    io: str | None = attribute(choice("native threads io_uring"))
    ioeventfd: bool | None = attribute(SWITCH)
    event_idx: bool | None = attribute(SWITCH)
    copy_on_read: bool | None = attribute(SWITCH)
    discard: str | None = attribute(choice("unmap ignore"))
    iothread: int | None = attribute(integer(zero=False))
    type: str | None = attribute(
        choice(
            FORMATS.removeprefix("none ") + " aio",
            error=unsupported("unknown driver format value '{text}'"),
        )
    )
    detect_zeroes: str | None = attribute(choice("off on unmap"))
    queues: int | None = attribute(UINT_NZ)
    queue_size: int | None = attribute(UINT_NZ)
    metadata_cache: CacheSize | None = element(CacheSize)

    def settle(self, node: Node, context: Context) -> DiskDriver:
        """C{aio} is an old name of C{raw}."""
        if self.type == "aio":
            return replaced(self, type="raw")
        return self


@definition
class BackingFormat:
    """The format of an image further down the chain."""

    type: str | None = attribute(
        choice(
            FORMATS.removeprefix("none "),
            error=custom("unknown storage source format '{text}'"),
        ),
        required=True,
    )
    metadata_cache: CacheSize | None = element(CacheSize)


@definition
class BackingStore:
    """
    The image that an image is laid over.

    @ivar source: its source, or None where this only says that there is none further down.
    @ivar detected: nobody named it: it was found in the header of the image above, so it is no part of what the
        domain will be.
    """

    source: DiskSource | None = None
    format: BackingFormat | None = None
    backingStore: BackingStore | None = None
    index: int | None = None
    detected: bool = False

    @classmethod
    def readElement(cls, node: Node, context: Context) -> BackingStore:
        """Read one image and those below it."""
        kind = node.get("type")
        if kind is None:
            return cls()
        kids: dict[str, Node] = {}
        for child in node:
            kids.setdefault(child.tag, child)
        if "format" not in kids or not kids["format"].get("type"):
            raise xmlError("missing disk backing store format")
        if "source" not in kids:
            raise xmlError("missing disk backing store source")
        if kind not in SOURCE_TYPES.split():
            raise custom("unknown storage source type '{text}'")(kind, node, "")
        form = reader(BackingFormat)(kids["format"], context)
        source = readSource(kind, kids["source"], context)
        below = kids.get("backingStore")
        return cls(
            source=source,
            format=form,
            backingStore=None if below is None else cls.readElement(below, context),
            index=source.index if context.inactive else _index(node),
        )

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write one image and those below it."""
        if context.inactive and value.detected:
            return
        if value.source is None:
            out.append(f"{indent}<{tag}/>\n")
            return
        inner = indent + "  "
        index = "" if value.index is None or not context.numbered else f" index='{value.index}'"
        out.append(f"{indent}<{tag} type='{value.source.sourceType}'{index}>\n")
        writer(BackingFormat)(value.format, out, inner, "format", context)
        writeSource(replaced(value.source, index=None), out, inner, "source", context)
        if value.backingStore is not None:
            value.backingStore.writeElement(value.backingStore, out, inner, tag, context)
        out.append(f"{indent}</{tag}>\n")


def _index(node: Node) -> int | None:
    """Read the number of an image in a running domain."""
    return number(node.get("index") or "")


@definition
class Mirror:
    """
    Where the data of a running guest's disk is copied to.  It is told of, and read of a running guest only.

    @ivar job: C{copy}, or C{active-commit}.
    @ivar ready: whether all is there.
    """

    source: DiskSource
    format: str
    job: str
    ready: bool = False
    backingStore: BackingStore | None = None


def readMirror(node: Node, kids: dict[str, list[Node]], context: Context) -> Mirror | None:
    """Read where the data of a running guest's disk is copied to."""
    found = kids.get("mirror")
    if context.inactive or not found:
        return None
    mirror = found[0]
    place, form = mirror.find("source"), mirror.find("format")
    if place is None or form is None:
        return None
    source = readSource(mirror.get("type") or "file", place, context)
    below = mirror.find("backingStore")
    return Mirror(
        source=replaced(source, index=_index(place)),
        format=form.get("type") or "raw",
        job=mirror.get("job") or "copy",
        ready=mirror.get("ready") == "yes",
        backingStore=None if below is None else BackingStore.readElement(below, context),
    )


def writeMirror(value: Mirror, out: list[str], indent: str, context: Context) -> None:
    """Write where data is copied to, while it is."""
    if context.inactive:
        return
    source = value.source
    path = getattr(source, "file", None)
    old = f" file='{escape(path)}' format='{value.format}'" if path and value.job == "copy" else ""
    ready = " ready='yes'" if value.ready else ""
    out.append(
        f"{indent}<mirror type='{source.sourceType}'{old} job='{value.job}'{ready}>\n"
        f"{indent}  <format type='{value.format}'/>\n"
    )
    writeSource(source, out, indent + "  ", "source", context)
    if value.backingStore is not None:
        BackingStore.writeElement(value.backingStore, out, indent + "  ", "backingStore", context)
    out.append(f"{indent}</mirror>\n")


@definition
class DiskTarget:
    """The name and the bus under which the guest finds a disk."""

    dev: str | None = attribute()
    bus: str | None = attribute(choice("fdc ide scsi virtio xen usb uml sata sd"))
    tray: str | None = attribute(choice("closed open"))
    removable: bool | None = attribute(SWITCH)
    rotation_rate: int | None = attribute(UINT_NZ)


@definition
class Geometry:
    """Cylinders, heads and sectors."""

    cyls: int | None = attribute(UINT_NZ)
    heads: int | None = attribute(UINT_NZ)
    secs: int | None = attribute(UINT_NZ)
    trans: str | None = attribute(choice("default none auto lba", absent="default"))


@definition
class BlockIO:
    """Sizes of blocks shown to the guest."""

    xmlOmitEmpty: ClassVar[bool] = True

    logical_block_size: int | None = attribute(UINT_NZ)
    physical_block_size: int | None = attribute(UINT_NZ)


def _tuned(name: str) -> Any:
    return element(
        integer(
            bits=64,
            keepZero=False,
            error=lambda text, node, tag: xmlError(f"disk iotune field '{tag}' must be an integer"),
        ),
        name,
    )


@definition
class IOTune:
    """Limits of throughput, in bytes and operations each second."""

    xmlOmitEmpty: ClassVar[bool] = True

    total_bytes_sec: int | None = _tuned("total_bytes_sec")
    read_bytes_sec: int | None = _tuned("read_bytes_sec")
    write_bytes_sec: int | None = _tuned("write_bytes_sec")
    total_iops_sec: int | None = _tuned("total_iops_sec")
    read_iops_sec: int | None = _tuned("read_iops_sec")
    write_iops_sec: int | None = _tuned("write_iops_sec")
    total_bytes_sec_max: int | None = _tuned("total_bytes_sec_max")
    read_bytes_sec_max: int | None = _tuned("read_bytes_sec_max")
    write_bytes_sec_max: int | None = _tuned("write_bytes_sec_max")
    total_iops_sec_max: int | None = _tuned("total_iops_sec_max")
    read_iops_sec_max: int | None = _tuned("read_iops_sec_max")
    write_iops_sec_max: int | None = _tuned("write_iops_sec_max")
    size_iops_sec: int | None = _tuned("size_iops_sec")
    group_name: str | None = element()
    total_bytes_sec_max_length: int | None = _tuned("total_bytes_sec_max_length")
    read_bytes_sec_max_length: int | None = _tuned("read_bytes_sec_max_length")
    write_bytes_sec_max_length: int | None = _tuned("write_bytes_sec_max_length")
    total_iops_sec_max_length: int | None = _tuned("total_iops_sec_max_length")
    read_iops_sec_max_length: int | None = _tuned("read_iops_sec_max_length")
    write_iops_sec_max_length: int | None = _tuned("write_iops_sec_max_length")


@definition
class Transient:
    """Changes to the disk are thrown away when the guest ends."""

    shareBacking: bool | None = attribute(BOOLEAN)


@definition
class Disk(BootDevice):
    """
    Anything that looks like a disk to the guest.

    @ivar type: how the source is named: C{file}, C{block}, C{network} ...
    @ivar device: C{disk}, C{cdrom}, C{floppy} or C{lun}.
    """

    xmlOrder: ClassVar[str] = (
        "type device model rawio sgio snapshot driver auth source backingStore backenddomain "
        "geometry blockio mirror target iotune readonly shareable transient serial wwn vendor product "
        "encryption boot alias acpiIndex address"
    )

    xmlReadOrder: ClassVar[str] = (
        "type source auth encryption backingStore device model snapshot rawio sgio startup target "
        "geometry blockio driver mirror transient iotune boot acpiIndex alias address"
    )

    type: str | None = attribute(choice(SOURCE_TYPES), default="file")
    device: str | None = attribute(choice("disk cdrom floppy lun"), default="disk")
    model: str | None = attribute(
        choice("default virtio virtio-transitional virtio-non-transitional", absent="default")
    )
    snapshot: str | None = attribute(choice("no internal external manual"))
    rawio: bool | None = attribute(BOOLEAN)
    sgio: str | None = attribute(choice("filtered unfiltered"))
    source: DiskSource | None = special(
        tags="source",
        read=lambda node, kids, context: _readDiskSource(node, kids, context),
        write=lambda value, out, indent, context: writeSource(
            value if context.numbered else replaced(value, index=None),
            out,
            indent,
            "source",
            context,
        ),
    )
    geometry: Geometry | None = element(Geometry)
    blockio: BlockIO | None = element(BlockIO)
    driver: DiskDriver | None = element(DiskDriver)
    startup: str | None = special(tags="source", read=lambda node, kids, context: _startup(kids))
    target: DiskTarget | None = special(
        tags="target source",
        read=lambda node, kids, context: _readTarget(kids, context),
        write=lambda value, out, indent, context: writer(DiskTarget)(
            value, out, indent, "target", context
        ),
    )
    mirror: Mirror | None = special(tags="mirror", read=readMirror, write=writeMirror)
    backenddomain: str | None = elementAttribute("backenddomain", "name", FILLED)
    auth: Auth | None = special(
        tags="auth source",
        read=lambda node, kids, context: _besideSource("auth", Auth, kids, context),
        write=lambda value, out, indent, context: writer(Auth)(value, out, indent, "auth", context),
    )
    iotune: IOTune | None = element(IOTune)
    readonly: bool = present()
    shareable: bool = present()
    transient: Transient | None = element(Transient)
    encryption: Encryption | None = special(
        tags="encryption source",
        read=lambda node, kids, context: _besideSource("encryption", Encryption, kids, context),
        write=lambda value, out, indent, context: writer(Encryption)(
            value, out, indent, "encryption", context
        ),
    )
    serial: str | None = element()
    wwn: str | None = element()
    vendor: str | None = element()
    product: str | None = element()
    backingStore: BackingStore | None = element(BackingStore)

    def settle(self, node: Node, context: Context) -> Disk:
        """Fill in what the device and the target imply."""
        target = self.target
        assert target is not None and target.dev is not None
        changes: dict[str, Any] = {"startup": None}
        if self.sgio == "unfiltered":
            raise unsupported("unfiltered sgio is no longer supported")("", node, "")
        source = self.source
        if self.startup is not None and source is not None:
            changes["source"] = replaced(source, startupPolicy=self.startup)
        # The unit of an iSCSI target is the first where none is named.
        if (
            isinstance(source, NetworkSource)
            and source.protocol == "iscsi"
            and source.name
            and "/" not in source.name
        ):
            changes["source"] = replaced(changes.get("source", source), name=f"{source.name}/0")
        if self.source is None:
            changes["type"] = "file"
        if self.device == "cdrom":
            changes["readonly"] = True
        elif self.device != "floppy" and target.tray == "closed":
            changes["target"] = replaced(target, tray=None)
        if self.snapshot == "no" and (self.readonly or self.device == "cdrom"):
            changes["snapshot"] = None
        return replaced(self, **changes) if changes else self


def _besideSource(tag: str, cls: type, kids: dict[str, list[Node]], context: Context) -> Any:
    """
    Read what may stand beside a source or in it, but not in both places.

    @raise VirtError: it is in both.
    """
    if tag not in kids:
        return None
    value = reader(cls)(kids[tag][0], context)
    source = kids["source"][0] if "source" in kids else None
    if source is not None and any(child.tag == tag for child in source):
        raise unsupported(f"an <{tag}> definition already found for disk source")("", source, "")
    return value


#: Kinds of secrets, and which of them opens what.
_SECRETS = ("none", "volume", "ceph", "iscsi", "tls", "vtpm")
_OPENS = {"iscsi": "iscsi", "rbd": "ceph"}


def checkSecret(protocol: str | None, auth: Auth | None) -> None:
    """Check the kind of the secret that opens a source on the network."""
    if auth is None or auth.secret is None or protocol not in _OPENS:
        return
    kind = auth.secret.type
    if kind not in _SECRETS:
        raise unsupported(f"unknown secret type '{kind or '<null>'}'")("", None, "")
    if kind != _OPENS[protocol]:
        raise unsupported(f"invalid secret type '{kind}'")("", None, "")


_POLICY = choice("mandatory requisite optional")


def _startup(kids: dict[str, list[Node]]) -> str | None:
    """Read the policy of the source, which is complained of late."""
    if "source" not in kids:
        return None
    node = kids["source"][0]
    text = node.get("startupPolicy")
    return None if text is None else _POLICY.read(text, node, "startupPolicy")


def describeSource(kids: dict[str, list[Node]]) -> str | None:
    """Say where a source is, for messages."""
    if "source" not in kids:
        return None
    get = kids["source"][0].get
    if get("pool") is not None and get("volume") is not None:
        return f"pool = '{get('pool')}', volume = '{get('volume')}'"
    for name in ("file", "dev", "dir", "name"):
        if get(name):
            return imagePath(get("protocol"), str(get(name)))
    return None


def imagePath(protocol: str | None, name: str) -> str | None:
    """Return what messages say of a source: of some protocols the name begins with a pool."""
    if protocol in ("rbd", "gluster"):
        name = name.partition("/")[2]
        return None if name in ("", "(null)") else name
    return f"{name}/0" if protocol == "iscsi" and "/" not in name else name


def _readTarget(kids: dict[str, list[Node]], context: Context) -> DiskTarget:
    """Read the target, which a disk must have."""
    found = kids.get("target")
    if not found or found[0].get("dev") is None:
        error = virtError(ErrorCode.NO_TARGET, describeSource(kids), ErrorDomain.DOMAIN)
        if context.extra is None:
            raise error
        # In a domain this is complained of when all of it is read.
        context.extra.append(error)
        return DiskTarget(dev="")
    target: DiskTarget = reader(DiskTarget)(found[0], context)
    if target.dev is not None and target.dev.startswith("ioemu:"):
        # Xen's domains once had it.
        target = replaced(target, dev=target.dev.removeprefix("ioemu:"))
    return target


def guessBus(dev: str, device: str | None) -> str:
    """Return the bus that the name of a disk is usual on."""
    if device == "floppy":
        return "fdc"
    for prefix, bus in (
        ("hd", "ide"),
        ("sd", "scsi"),
        ("vd", "virtio"),
        ("xvd", "xen"),
        ("ubd", "uml"),
    ):
        if dev.startswith(prefix):
            return bus
    return "ide"


def _readDiskSource(node: Node, kids: dict[str, list[Node]], context: Context) -> DiskSource | None:
    found = kids.get("source")
    if not found:
        return None
    source = readSource(node.get("type") or "file", found[0], context)
    index = None if context.inactive else _index(found[0])
    return source if index is None else replaced(source, index=index)
