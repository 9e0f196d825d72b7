"""
Where the bytes of a disk are: a file, a block device, a pool's volume, a place on the network.

The type stands on the element around (C{<disk type='file'>}), so the reader of that element calls
L{readSource} with it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.domain._address import PCIAddress
from pyvirt.definitions.domain._chardev import Reconnect
from pyvirt.definitions.domain._common import DeviceLabel
from pyvirt.definitions.kinds import (
    BOOLEAN,
    FILLED,
    TEXT,
    UINT,
    Kind,
    choice,
    custom,
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
    elements,
    plainReader,
    plainWriter,
    reader,
    replaced,
    special,
    text,
    writer,
)
from pyvirt.definitions.uuids import formatUUID, parseUUID
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Auth", "DiskSource", "Encryption", "Secret", "readSource"]

SOURCE_TYPES = "file block dir network volume nvme vhostuser"
PROTOCOLS = "nbd rbd sheepdog gluster iscsi http https ftp ftps tftp ssh vxhs nfs"


@definition
class Secret:
    """A secret, by usage or by UUID."""

    type: str | None = attribute(FILLED)
    usage: str | None = attribute()
    uuid: str | None = attribute()

    def settle(self, node: Node, context: Context) -> Secret:
        """One of the two names it."""
        if self.uuid is None and self.usage is None:
            raise xmlError("missing secret uuid or usage attribute", ErrorDomain.NONE)
        if self.uuid is not None:
            if self.usage is not None:
                raise xmlError("either secret uuid or usage expected", ErrorDomain.NONE)
            value = parseUUID(self.uuid)
            if value is None:
                raise xmlError(f"invalid secret uuid '{self.uuid}'", ErrorDomain.NONE)
            return replaced(self, uuid=formatUUID(value))
        return self


@definition
class Auth:
    """Who opens a source on the network."""

    username: str | None = attribute()
    secret: Secret | None = element(Secret)

    def settle(self, node: Node, context: Context) -> Auth:
        """Complain where the user or the secret is missing."""
        if not self.username:
            raise xmlError("missing username for auth", ErrorDomain.STORAGE)
        secret = self.secret
        if secret is None:
            raise xmlError("Missing <secret> element in auth", ErrorDomain.STORAGE)
        return self


@definition
class Cipher:
    """The cipher of an encrypted volume."""

    name: str = attribute(required=True)
    size: int | None = attribute(UINT, required=True)
    mode: str | None = attribute()
    hash: str | None = attribute()


@definition
class IVGen:
    """The generator of initial vectors of an encrypted volume."""

    name: str = attribute(
        FILLED,
        required=True,
        missing=lambda node: xmlError("missing ivgen info name string", ErrorDomain.STORAGE),
    )
    hash: str | None = attribute()

    def settle(self, node: Node, context: Context) -> IVGen:
        """It has a name."""
        if self.name is None:
            raise xmlError("missing ivgen info name string", ErrorDomain.STORAGE)
        return self


def _noFormat(node: Node) -> VirtError:
    return xmlError("unknown volume encryption format", ErrorDomain.STORAGE)


@definition
class EncryptionSecret(Secret):
    """A secret that opens a volume."""

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Complain of its type before anything else."""
        kind = node.get("type")
        if not kind:
            raise xmlError("unknown volume encryption secret type", ErrorDomain.STORAGE)
        if kind != "passphrase":
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                f"unknown volume encryption secret type {kind}",
                ErrorDomain.STORAGE,
            )


@definition
class Encryption:
    """How a volume is encrypted and which secret opens it."""

    format: str | None = attribute(
        choice(
            "default qcow luks luks2",
            error=lambda text, node, name: (
                virtError(
                    ErrorCode.CONFIG_UNSUPPORTED,
                    f"unknown volume encryption format type {text}",
                    ErrorDomain.STORAGE,
                )
                if text
                else _noFormat(node)
            ),
        ),
        required=True,
        missing=lambda node: _noFormat(node),
    )
    engine: str | None = attribute(choice("qemu librbd"))
    secrets: tuple[EncryptionSecret, ...] = elements(EncryptionSecret, "secret")
    cipher: Cipher | None = element(Cipher)
    ivgen: IVGen | None = element(IVGen)

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Initial vectors are those of a cipher, and a cipher has a name."""
        cipher = node.find("cipher")
        if cipher is None:
            if node.find("ivgen") is not None and node.get("format"):
                raise xmlError("ivgen element found, but cipher is missing", ErrorDomain.STORAGE)
        elif not cipher.get("name") and node.get("format"):
            raise xmlError("cipher info missing 'name' attribute", ErrorDomain.STORAGE)

    def settle(self, node: Node, context: Context) -> Encryption:
        """Older formats have but one cipher."""
        if self.format == "luks":
            return self
        return replaced(self, cipher=None, ivgen=None)

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the element; it has two tags even where it is empty."""
        mark = len(out)
        plainWriter(Encryption)(value, out, indent, tag, context)
        if out[mark].endswith("/>\n"):
            out[mark] = out[mark][:-3] + f">\n{indent}</{tag}>\n"


def _readHostPort(text: str, node: Node, name: str) -> str:
    """Read a port as a number; it may also be that of no port."""
    value = number(text)
    if value is None:
        raise virtError(
            ErrorCode.INVALID_ARG, f"failed to parse port number '{text}'", ErrorDomain.NONE
        )
    if value > 65535:
        raise virtError(ErrorCode.INVALID_ARG, f"port '{value}' out of range", ErrorDomain.NONE)
    return str(value)


@definition
class Host:
    """A server that holds a source."""

    xmlOrder: ClassVar[str] = "name port transport socket"

    transport: str | None = attribute(
        choice(
            "tcp unix rdma",
            error=unsupported("unknown protocol transport type '{text}'"),
            absent="tcp",
        )
    )
    socket: str | None = attribute()
    name: str | None = attribute()
    port: str | None = attribute(Kind(_readHostPort))

    def settle(self, node: Node, context: Context) -> Host:
        """A socket goes with its transport, a name with the others."""
        if self.transport == "unix":
            if self.socket is None:
                raise xmlError("missing socket for unix transport")
            return replaced(self, name=None, port=None)
        if self.socket is not None:
            raise xmlError(
                f"transport '{self.transport or 'tcp'}' does not support socket attribute"
            )
        if self.name is None:
            raise xmlError("missing name for host")
        return self


@definition
class ReservationsSource:
    """The socket of the process that reserves."""

    type: str | None = attribute()
    path: str | None = attribute()
    mode: str | None = attribute()


@definition
class Reservations:
    """Persistent reservations of a SCSI disk."""

    managed: bool | None = attribute(BOOLEAN, required=True)
    source: ReservationsSource | None = element(ReservationsSource)

    def settle(self, node: Node, context: Context) -> Reservations:
        """Where they are not managed, somebody else's socket is named."""
        source = self.source
        if self.managed:
            return self
        for name, what in (
            ("type", "connection type"),
            ("path", "path"),
            ("mode", "connection mode"),
        ):
            if source is None or getattr(source, name) is None:
                raise xmlError(f"missing {what} for <reservations/>", ErrorDomain.STORAGE)
        assert source is not None
        if source.type != "unix":
            raise xmlError(
                f"unsupported connection type for <reservations/>: {source.type}",
                ErrorDomain.STORAGE,
            )
        if source.mode != "client":
            raise xmlError(
                f"unsupported connection mode for <reservations/>: {source.mode}",
                ErrorDomain.STORAGE,
            )
        return self


@definition
class Initiator:
    """Who connects to an iSCSI target."""

    name: str | None = elementAttribute("iqn", "name")


@definition
class Slice:
    """A part of a source."""

    type: str | None = attribute(TEXT)
    offset: int | None = attribute(
        integer(bits=64, error=custom("malformed value '{text}' of 'offset' attribute of slice"))
    )
    size: int | None = attribute(
        integer(bits=64, error=custom("malformed value '{text}' of 'size' attribute of slice"))
    )

    def settle(self, node: Node, context: Context) -> Slice:
        """Complain of a slice without its ends."""
        if self.offset is None or self.size is None:
            raise xmlError("missing offset or size attribute of slice")
        return self


def _readSlices(node: Node, kids: dict[str, list[Node]], context: Context) -> Slice | None:
    for group in kids.get("slices", ()):
        for child in group:
            if child.tag == "slice" and child.get("type") == "storage":
                found: Slice = reader(Slice)(child, context)
                return found
    return None


def _writeSlices(value: Slice, out: list[str], indent: str, context: Context) -> None:
    out.append(f"{indent}<slices>\n")
    writer(Slice)(value, out, indent + "  ", "slice", context)
    out.append(f"{indent}</slices>\n")


@definition
class Cookie:
    """A cookie sent to a web server; a password of sorts."""

    name: str | None = attribute()
    value: str | None = text()

    def settle(self, node: Node, context: Context) -> Cookie:
        """Complain of a cookie without name or value."""
        if self.name is None:
            raise xmlError("missing cookie name")
        if not self.value:
            raise xmlError(f"missing value for cookie '{self.name}'")
        if any(char in self.value for char in ';," \t\\'):
            raise xmlError(
                f"value of cookie '{self.name}' contains invalid characters", ErrorDomain.STORAGE
            )
        return self


@definition
class Cookies:
    """The cookies of a source."""

    cookies: tuple[Cookie, ...] = elements(Cookie, "cookie")


@definition
class Identity:
    """The user and group of an NFS source."""

    xmlOmitEmpty: ClassVar[bool] = True

    user: str | None = attribute()
    group: str | None = attribute()


_TIMES = integer(bits=64, keepZero=False, error=custom("invalid readahead size or timeout"))

#: The policy is read with the disk; the index belongs to a running one.
_IGNORED = Kind(lambda text, node, name: None)
_INDEX = Kind(lambda text, node, name: None)


@definition
class DiskSource:
    """
    What every type of source may have.

    @ivar index: the number of the source in a running domain's chain, or None.
    @ivar startupPolicy: what to do where the source is missing, or None for the usual refusal.
    """

    sourceType: ClassVar[str]

    startupPolicy: str | None = attribute(_IGNORED)
    index: int | None = attribute(_INDEX)
    slice: Slice | None = special(tags="slices", read=_readSlices, write=_writeSlices)
    labels: tuple[DeviceLabel, ...] = elements(DeviceLabel, "seclabel")
    auth: Auth | None = element(Auth)
    encryption: Encryption | None = element(Encryption)
    reservations: Reservations | None = element(Reservations)

    @property
    def isEmpty(self) -> bool:
        """Whether there is no medium."""
        return False


@definition
class FileSource(DiskSource):
    """A file of the host."""

    sourceType: ClassVar[str] = "file"
    xmlOrder: ClassVar[str] = "file fdgroup"

    file: str | None = attribute(FILLED)
    fdgroup: str | None = attribute()

    @property
    def isEmpty(self) -> bool:
        return self.file is None


@definition
class BlockSource(DiskSource):
    """A block device of the host."""

    sourceType: ClassVar[str] = "block"
    xmlOrder: ClassVar[str] = "dev"

    dev: str | None = attribute(FILLED)

    @property
    def isEmpty(self) -> bool:
        return self.dev is None


@definition
class DirSource(DiskSource):
    """A folder of the host, shown as a FAT disk."""

    sourceType: ClassVar[str] = "dir"
    xmlOrder: ClassVar[str] = "dir"

    dir: str | None = attribute(FILLED)

    @property
    def isEmpty(self) -> bool:
        return self.dir is None


@definition
class VolumeSource(DiskSource):
    """A volume of a storage pool."""

    sourceType: ClassVar[str] = "volume"
    xmlOrder: ClassVar[str] = "pool volume mode"

    pool: str | None = attribute()
    volume: str | None = attribute()
    mode: str | None = attribute(
        choice(
            "host direct", error=unsupported("unknown source mode '{text}' for volume type disk")
        )
    )

    def settle(self, node: Node, context: Context) -> VolumeSource:
        """Complain where only one of pool and volume is named."""
        if (self.pool is None) != (self.volume is None):
            raise xmlError("'pool' and 'volume' must be specified together for 'pool' type source")
        return self

    @staticmethod
    def writeElement(
        value: VolumeSource, out: list[str], indent: str, tag: str, context: Context
    ) -> None:
        """Write it; who opens a volume is the pool's business."""
        plainWriter(VolumeSource)(replaced(value, auth=None), out, indent, tag, context)

    @property
    def isEmpty(self) -> bool:
        return self.pool is None


def _nvmeAddress(node: Node, kids: dict[str, list[Node]], context: Context) -> Any:
    found = kids.get("address")
    if not found:
        raise xmlError("NVMe disk source is missing address")
    return plainReader(PCIAddress)(found[0], context)


def _writeNVMeAddress(value: Any, out: list[str], indent: str, context: Context) -> None:
    plainWriter(PCIAddress)(replaced(value, type=None), out, indent, "address", context)


@definition
class NVMeSource(DiskSource):
    """A namespace of an NVMe controller."""

    sourceType: ClassVar[str] = "nvme"
    xmlOrder: ClassVar[str] = "type managed namespace startupPolicy index address"

    type: str | None = attribute(
        choice("pci", error=custom("unsupported source type '{text}'")),
        required=True,
        missing=lambda node: xmlError("missing 'type' attribute to disk source"),
    )
    managed: bool | None = attribute(BOOLEAN)
    namespace: int | None = attribute(
        integer(bits=64, error=custom("malformed namespace '{text}'")),
        required=True,
        missing=lambda node: xmlError("missing 'namespace' attribute to disk source"),
    )
    address: Any = special(tags="address", read=_nvmeAddress, write=_writeNVMeAddress)


@definition
class VhostUserSource(DiskSource):
    """A disk served by another process through a socket."""

    sourceType: ClassVar[str] = "vhostuser"
    xmlOrder: ClassVar[str] = "type path startupPolicy index reconnect"

    type: str | None = attribute(
        choice("unix", error=custom("invalid 'type' attribute for vhostuser disk source")),
        required=True,
        missing=lambda node: xmlError("missing 'type' attribute for vhostuser disk source"),
    )
    path: str | None = attribute(
        required=True,
        missing=lambda node: xmlError("missing 'path' attribute for vhostuser disk source"),
    )
    reconnect: Reconnect | None = element(Reconnect)


def _readVerify(text: str, node: Node, name: str) -> bool | None:
    """Read whether certificates are checked, for protocols that have some."""
    if node.getparent().get("protocol") not in ("https", "ftps"):
        return None
    value: bool = BOOLEAN.read(text, node, name)
    return value


@definition
class NetworkSource(DiskSource):
    """An image or device served over the network."""

    sourceType: ClassVar[str] = "network"
    xmlOrder: ClassVar[str] = (
        "protocol name query tls tlsHostname startupPolicy index hosts snapshot config initiator "
        "ssl cookies readahead timeout identity slice auth encryption reservations"
    )

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Take out what the protocol does not have."""
        for child in list(node):
            own = _OWN.get(child.tag)
            if own is not None and node.get("protocol") not in own:
                node.remove(child)

    protocol: str | None = attribute(choice(PROTOCOLS), required=True)
    name: str | None = attribute()
    query: str | None = attribute()
    tls: bool | None = attribute(BOOLEAN)
    tlsHostname: str | None = attribute()
    hosts: tuple[Host, ...] = elements(Host, "host")
    snapshot: str | None = elementAttribute("snapshot", "name")
    config: str | None = elementAttribute("config", "file")
    initiator: Initiator | None = element(Initiator)
    ssl: bool | None = elementAttribute("ssl", "verify", Kind(_readVerify, BOOLEAN.write))
    cookies: Cookies | None = element(Cookies, when="secure")
    readahead: int | None = elementAttribute("readahead", "size", _TIMES)
    timeout: int | None = elementAttribute("timeout", "seconds", _TIMES)
    identity: Identity | None = element(Identity)
    sshUser: str | None = None

    def settle(self, node: Node, context: Context) -> NetworkSource:
        """Check the name that the protocol needs."""
        kind = self.protocol
        name = self.name
        if name is None and kind != "nbd":
            raise xmlError("missing name for disk source")
        if kind in ("gluster", "rbd"):
            if "/" not in (name or "") or (name or "").startswith("/"):
                raise xmlError(f"can't split path '{name}' into pool name and image name")
            if (name or "").endswith("/"):
                # What is after the slash is nothing, and written as such.
                name = f"{name}(null)"
        port = PORTS.get(kind or "")
        hosts = tuple(
            replaced(each, port=None) if each.port == "0" else each for each in self.hosts
        )
        if port is not None and any(each.port is None for each in hosts):
            hosts = tuple(
                replaced(each, port=port) if each.port is None and each.transport is None else each
                for each in hosts
            )
        query = self.query if kind in ("http", "https") else None
        return replaced(self, name=name or None, hosts=hosts, query=query)


#: What only some protocols have; with others it is overlooked.
_OWN: dict[str, tuple[str, ...]] = {
    "ssl": ("https", "ftps"),
    "cookies": ("http", "https"),
    "readahead": ("http", "https", "ftp", "ftps"),
    "timeout": ("http", "https", "ftp", "ftps"),
    "identity": ("nfs",),
    "seclabel": (),
}


PORTS = {
    "http": "80",
    "https": "443",
    "ftp": "21",
    "ftps": "990",
    "tftp": "69",
    "ssh": "22",
    "iscsi": "3260",
    "nbd": "10809",
    "sheepdog": "7000",
    "gluster": "24007",
    "vxhs": "9999",
}


SOURCES: dict[str, type[DiskSource]] = {
    cls.sourceType: cls
    for cls in (
        FileSource,
        BlockSource,
        DirSource,
        NetworkSource,
        VolumeSource,
        NVMeSource,
        VhostUserSource,
    )
}


def readSource(kind: str, node: Node, context: Context) -> DiskSource:
    """Read a source whose type the element around told."""
    found: DiskSource = reader(SOURCES[kind])(node, context)
    return found


def writeSource(value: DiskSource, out: list[str], indent: str, tag: str, context: Context) -> None:
    """Write a source of whatever type it is; an empty one is not written."""
    writer(type(value))(value, out, indent, tag, context)
    if out[-1] == f"{indent}<{tag}/>\n":
        out.pop()
