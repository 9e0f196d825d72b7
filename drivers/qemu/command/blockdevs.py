"""
Block back ends: the nodes that a chain of images is, as C{-blockdev} takes them and as C{blockdev-add} does.
"""

from __future__ import annotations

import grp
import pwd
from typing import Any

import attrs

from pyvirt.definitions.domain._source import (
    BlockSource,
    DirSource,
    DiskSource,
    FileSource,
    NetworkSource,
    NVMeSource,
)
from pyvirt.definitions.kinds import unsupported
from pyvirt.drivers.assigned.pci import pciName
from pyvirt.drivers.qemu.fdgroups import FDGroup
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Node", "Options", "chainOf", "nodesOf", "sourceProps"]


@attrs.frozen(kw_only=True)
class Options:
    """
    What the driver element of a disk says that concerns its images.

    @ivar glusterDebug: how much is said of images on GlusterFS, from 0 to 9.
    """

    cache: str | None = None
    io: str | None = None
    discard: str | None = None
    detectZeroes: str | None = None
    floppy: bool = False
    glusterDebug: int = 4
    alias: str | None = None


@attrs.frozen(kw_only=True)
class Node:
    """
    One image of a chain.

    @ivar format: of the image.
    @ivar cacheSize: of its metadata, in bytes.
    @ivar last: nothing is below it, and QEMU is to take nothing from its header.
    @ivar fdSet: the number of the set in which QEMU has the descriptors that it is; C{group}: those.
    """

    source: DiskSource
    format: str
    number: int
    readOnly: bool
    encryption: Any = None
    auth: Any = None
    cacheSize: int | None = None
    last: bool = False
    fdSet: int | None = None
    group: FDGroup | None = None

    @property
    def storageName(self) -> str:
        """The name of the node that reads and writes."""
        return f"libvirt-{self.number}-storage"

    @property
    def formatName(self) -> str:
        """The name of the node that knows the format."""
        return f"libvirt-{self.number}-format"


def chainOf(disk: Any, take: Any) -> list[Node]:
    """
    Return the images of a disk, the top one first.

    @param take: C{()} to the next number of a node.
    """
    if disk.source is None or disk.source.isEmpty:
        take()
        return []
    stores = []
    store = disk.backingStore
    while store is not None and store.source is not None:
        stores.append(store)
        store = store.backingStore
    terminated = store is not None
    form = disk.driver.type if disk.driver is not None and disk.driver.type else "raw"
    cache = disk.driver.metadata_cache if disk.driver is not None else None
    nodes = [
        Node(
            source=disk.source,
            format=form,
            number=disk.source.index or take(),
            readOnly=disk.readonly,
            encryption=disk.encryption or disk.source.encryption,
            auth=disk.auth or disk.source.auth,
            cacheSize=cache.bytes if cache is not None else None,
            last=terminated and not stores,
        )
    ]
    for position, store in enumerate(stores):
        size = store.format.metadata_cache
        nodes.append(
            Node(
                source=store.source,
                format=store.format.type or "raw",
                number=store.index or take(),
                readOnly=True,
                encryption=store.source.encryption,
                auth=store.source.auth,
                cacheSize=size.bytes if size is not None else None,
                last=terminated and position == len(stores) - 1,
            )
        )
    return nodes


def _url(source: NetworkSource) -> str:
    host = source.hosts[0]
    query = f"?{source.query}" if source.query else ""
    name = f"[{host.name}]" if ":" in (host.name or "") else host.name
    path = source.name or ""
    return (
        f"{source.protocol}://{name}:{host.port}{'' if path.startswith('/') else '/'}{path}{query}"
    )


def _hosts(source: NetworkSource, typed: bool) -> list[dict[str, Any]]:
    """Return the servers as QEMU takes them."""
    found: list[dict[str, Any]] = []
    for host in source.hosts:
        if host.transport == "rdma":
            raise internal("transport protocol 'rdma' is not yet supported")
        if host.transport == "unix":
            required("path", host.socket)
            found.append({"type": "unix", "path": host.socket})
        else:
            required("host", host.name)
            made: dict[str, Any] = {"type": "inet"} if typed else {}
            found.append(made | {"host": host.name, "port": host.port or "0"})
    return found


def required(key: str, value: Any) -> None:
    """
    Refuse an argument without a value.

    @raise VirtError: it has none.
    """
    if value is None:
        raise internal(f"argument key '{key}' must not have null value", ErrorDomain.NONE)


def _oneHost(source: NetworkSource) -> None:
    if len(source.hosts) != 1:
        raise virtError(
            ErrorCode.INTERNAL_ERROR,
            f"{source.protocol} protocol accepts only one host",
            ErrorDomain.QEMU,
        )


def sourceProps(
    source: Any, secrets: dict[str, str], options: Options | None = None, auth: Any = None
) -> dict[str, Any]:
    """
    Return the properties of the node that reads and writes a source.

    @param secrets: by purpose, the object that holds what is secret.
    @raise VirtError: QEMU has no such protocol.
    """
    if isinstance(source, FileSource):
        return {"driver": "file", "filename": source.file}
    if isinstance(source, BlockSource):
        return {"driver": "host_device", "filename": source.dev}
    if isinstance(source, DirSource):
        floppy = options is not None and options.floppy
        return {"driver": "vvfat", "dir": source.dir, "floppy": floppy, "rw": False}
    if isinstance(source, NVMeSource):
        return {
            "driver": "nvme",
            "device": pciName(source.address),
            "namespace": source.namespace,
        }
    if isinstance(source, NetworkSource):
        return _network(source, secrets, auth or source.auth)
    raise virtError(
        ErrorCode.INTERNAL_ERROR,
        f"storage source type '{source.sourceType}' is not supported",
        ErrorDomain.QEMU,
    )


def _network(source: NetworkSource, secrets: dict[str, str], auth: Any) -> dict[str, Any]:
    kind = source.protocol
    name = source.name or ""
    if kind == "nbd":
        _oneHost(source)
        found: dict[str, Any] = {"driver": "nbd", "server": _hosts(source, True)[0]}
        if source.name is not None:
            found["export"] = source.name
        if "tls" in secrets:
            found["tls-creds"] = secrets["tls"]
        if source.tlsHostname is not None:
            found["tls-hostname"] = source.tlsHostname
        return found
    if kind == "rbd":
        pool, slash, image = name.partition("/")
        required("pool", pool if slash else None)
        found = {"driver": "rbd", "pool": pool, "image": image}
        if source.snapshot is not None:
            found["snapshot"] = source.snapshot
        if source.config is not None:
            found["conf"] = source.config
        if source.hosts:
            found["server"] = _hosts(source, False)
        if "encryption-rbd" in secrets:
            found["encrypt"] = {"format": "luks", "key-secret": secrets["encryption-rbd"]}
        if auth is not None:
            found["user"] = auth.username
            found["auth-client-required"] = ["cephx", "none"]
            found["key-secret"] = secrets.get("auth")
        return found
    if kind == "iscsi":
        if not source.hosts:
            _oneHost(source)
        target, _, lun = name.partition("/")
        if lun and not (lun.isascii() and lun.isdigit() and len(lun) < 10):
            raise internal(f"cannot parse target for lunStr '{target}'")
        host = source.hosts[0]
        found = {
            "driver": "iscsi",
            "portal": f"{host.name}:{host.port}",
            "target": target,
            "lun": int(lun) if lun.isdigit() else 0,
            "transport": "tcp",
        }
        if auth is not None:
            found["user"] = auth.username
            found["password-secret"] = secrets.get("auth")
        if source.initiator is not None and source.initiator.name is not None:
            found["initiator-name"] = source.initiator.name
        return found
    if kind in ("http", "https", "ftp", "ftps"):
        _oneHost(source)
        found = {"driver": kind, "url": _url(source)}
        if auth is not None:
            found["username"] = auth.username
            found["password-secret"] = secrets.get("auth")
        if source.ssl is not None:
            found["sslverify"] = source.ssl
        if "httpcookie" in secrets:
            found["cookie-secret"] = secrets["httpcookie"]
        if source.timeout:
            found["timeout"] = source.timeout
        if source.readahead:
            found["readahead"] = source.readahead
        return found
    if kind == "ssh":
        _oneHost(source)
        found = {"driver": "ssh", "path": name, "server": _hosts(source, False)[0]}
        user = source.sshUser if auth is None else auth.username
        if user is not None:
            found["user"] = user
        return found
    if kind == "gluster":
        volume, _, path = name.partition("/")
        return {
            "driver": "gluster",
            "volume": volume,
            "path": path,
            "server": _hosts(source, True),
            "debug": 4,
        }
    if kind == "nfs":
        _oneHost(source)
        found = {
            "driver": "nfs",
            "server": {"host": source.hosts[0].name, "type": "inet"},
            "path": name,
        }
        identity = source.identity
        if identity is not None:
            for key in ("user", "group"):
                value = getattr(identity, key)
                if value is not None:
                    found[key] = _ownerNumber(key, value)
        return found
    if kind == "sheepdog":
        _oneHost(source)
        return {"driver": "sheepdog", "server": _hosts(source, True)[0], "vdi": name}
    raise unavailable(kind or "")


def _ownerNumber(kind: str, name: str) -> int:
    """
    Return the number of a user or a group of the host, which may be named by it.

    @raise VirtError: INVALID_ARG: nobody is called so.
    """
    if name.lstrip("+").isdigit():
        return int(name.lstrip("+"))
    try:
        return pwd.getpwnam(name).pw_uid if kind == "user" else grp.getgrnam(name).gr_gid
    except KeyError:
        raise virtError(
            ErrorCode.INVALID_ARG, f"Failed to parse {kind} '{name}'", ErrorDomain.NONE
        ) from None


def unavailable(kind: str) -> VirtError:
    """Complain of a protocol that QEMU does not have."""
    if kind == "vxhs":
        found = unsupported("VxHS protocol is not supported with this QEMU binary")("", None, "")
    else:
        found = unsupported(f"'{kind}' protocol is not supported with this QEMU binary")(
            "", None, ""
        )
    found.domain = ErrorDomain.QEMU
    return found


_CACHES = {
    "none": (True, False),
    "writethrough": (False, False),
    "writeback": (False, False),
    "directsync": (True, False),
    "unsafe": (False, True),
}

#: Formats whose names in QEMU differ.
_FORMATS = {"fat": "raw", "dir": "raw", "iso": "raw", "none": "raw"}

_LUKS = ("luks", "luks2", "luks-any")


#: Formats of images that are laid over nothing.
_FLAT = frozenset(("raw", "bochs", "cloop", "dmg", "vpc", "vdi", "vhd", "ploop"))


def nodesOf(
    node: Node, below: str | None, options: Options, secrets: dict[str, str]
) -> list[dict[str, Any]]:
    """
    Return the nodes of one image, the one that reads and writes first.

    @param below: the node of the image that it is laid over.
    """
    cache = None
    if options.cache is not None:
        direct, unsafe = _CACHES[options.cache]
        cache = {"direct": direct, "no-flush": unsafe}
    storage = sourceProps(node.source, secrets, options, node.auth)
    wanted = node.source.reservations
    if wanted is not None:
        storage["pr-manager"] = "pr-helper0" if wanted.managed else f"pr-helper-{node.storageName}"
    if storage["driver"] == "gluster":
        storage["debug"] = options.glusterDebug
    if options.io is not None and storage["driver"] in ("file", "host_device"):
        storage["aio"] = options.io
    storage["node-name"] = node.storageName
    if cache is not None:
        storage["cache"] = cache
    storage |= {"auto-read-only": True, "discard": "unmap"}
    if node.fdSet is not None and node.group is not None:
        storage["filename"] = f"/dev/fdset/{node.fdSet}"
        if len(node.group.fds) == 1:
            # QEMU looks for one to read first, and there would be no other.
            del storage["auto-read-only"]
            storage |= {"read-only": node.readOnly and not node.group.writable}
            storage["discard"] = storage.pop("discard")
    found = [storage]
    form: dict[str, Any] = {"node-name": node.formatName, "read-only": node.readOnly}
    if options.discard is not None:
        form["discard"] = options.discard
    if options.detectZeroes is not None:
        zeroes = options.detectZeroes
        if zeroes == "unmap" and options.discard != "unmap":
            zeroes = "on"
        form["detect-zeroes"] = zeroes
    if cache is not None:
        form["cache"] = cache
    encrypted = (
        node.encryption is not None
        and node.encryption.format in _LUKS
        and node.encryption.engine != "librbd"
    )
    kind = _FORMATS.get(node.format, node.format)
    if below is not None and kind in _FLAT:
        raise virtError(
            ErrorCode.CONFIG_UNSUPPORTED,
            f"storage format '{kind}' does not support backing store",
            ErrorDomain.QEMU,
        )
    slice = node.source.slice
    if kind == "raw" and encrypted:
        form["driver"] = "luks"
        form["key-secret"] = secrets.get("encryption")
    else:
        form["driver"] = {"ploop": "parallels", "vhd": "vhdx", "cow": "cow"}.get(kind, kind)
        if kind == "qcow2" and encrypted:
            form["encrypt"] = {"format": "luks", "key-secret": secrets.get("encryption")}
        if (
            kind in ("qcow", "qcow2")
            and node.encryption is not None
            and node.encryption.format in ("qcow", "default")
        ):
            form["encrypt"] = {"format": "aes", "key-secret": secrets.get("encryption")}
        if kind == "qcow2" and node.cacheSize:
            form["cache-size"] = node.cacheSize
    if slice is not None:
        if kind == "raw" and not encrypted:
            form |= {"offset": slice.offset, "size": slice.size}
        else:
            name = f"libvirt-{node.number}-slice-sto"
            found.append(
                {
                    "driver": "raw",
                    "node-name": name,
                    "offset": slice.offset,
                    "size": slice.size,
                    "file": node.storageName,
                    "auto-read-only": True,
                    "discard": "unmap",
                }
            )
    form["file"] = found[-1]["node-name"]
    if kind in ("qcow", "qcow2", "qed", "vmdk", "cow"):
        if below is not None:
            form["backing"] = below
        elif node.last:
            form["backing"] = None
    found.append(form)
    return found
