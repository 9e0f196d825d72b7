"""
What a header says an image is laid over: a path, an address, or QEMU's JSON.

Headers are the guest's to write.  What libvirt does not understand is refused in its words; what it understands and
cannot describe (whoever opens it is named in the address) is left to QEMU.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

from pyvirt.definitions.domain._address import PCIAddress
from pyvirt.definitions.domain._source import (
    PORTS,
    BlockSource,
    Cookie,
    Cookies,
    DirSource,
    DiskSource,
    FileSource,
    Host,
    Identity,
    NetworkSource,
    NVMeSource,
    Slice,
)
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.command.blockdevs import sourceProps
from pyvirt.drivers.qemu.jsontexts import readJSON
from pyvirt.drivers.qemu.refusals import internal, invalidArgument, unsupportedConfig
from pyvirt.errors import ErrorDomain, VirtError

__all__ = ["backingSource", "backingString", "localSource"]

_PROTOCOLS = frozenset((*PORTS, "rbd", "nfs"))
_TRANSPORTS = ("tcp", "unix", "rdma")
#: An address as RFC 3986 has it, in its parts: scheme, user, host, port, path, query.
_ADDRESS = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:([^@/?#\[\]]*)@)?(\[[0-9A-Fa-f:.]*\]|[^:/?#\[\]]*)(?::(\d*))?"
    r"(/[^?#]*)?(?:\?([^#]*))?(?:#.*)?"
).fullmatch
_CLEAN = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*").fullmatch
_DEVICE = re.compile(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-7])").fullmatch


def _wrong(detail: str) -> VirtError:
    return internal(detail, ErrorDomain.STORAGE)


def _invalid(detail: str) -> VirtError:
    return invalidArgument(detail, ErrorDomain.STORAGE)


def _unsaid() -> VirtError:
    return VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)


def backingSource(text: str, above: str) -> DiskSource | None:
    """
    Make out what a header says an image is laid over.

    @param above: the path of that image, to which another may be relative.
    @return: None: QEMU will know.
    @raise VirtError: it makes no sense.
    """
    scheme, colon, rest = text.partition(":")
    if not colon or "/" in scheme:
        return localSource(os.path.join(os.path.dirname(above), text))
    if scheme == "json":
        return _fromJSON(rest)
    if scheme == "fat":
        return DirSource(dir=rest)
    if "://" in text:
        return _fromAddress(text)
    return _fromColons(text)


def localSource(path: str) -> DiskSource:
    """Return a file, a block device or a folder of this host as a source."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        mode = 0
    if stat.S_ISBLK(mode):
        return BlockSource(dev=path)
    return DirSource(dir=path) if stat.S_ISDIR(mode) else FileSource(file=path)


def _served(protocol: str, name: str | None, hosts: tuple[Host, ...], **more: Any) -> NetworkSource:
    """Return a source that servers have, at the protocol's own port where none is said."""
    port = PORTS.get(protocol)
    hosts = tuple(
        replaced(host, port=port) if host.transport != "unix" and not host.port else host
        for host in hosts
    )
    return NetworkSource(protocol=protocol, name=name, hosts=hosts, **more)


def _port(text: str | None) -> str | None:
    """
    Read the number of a port; 0 is none.

    @raise VirtError: it is no number, or none of a port.
    """
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise invalidArgument(f"failed to parse port number '{text}'", ErrorDomain.NONE)
    digits = text.lstrip("0")
    if len(digits) > 5 or int(digits or "0") > 65535:
        raise invalidArgument(f"port '{text}' out of range", ErrorDomain.NONE)
    return digits or None


# Addresses


def _fromAddress(text: str) -> NetworkSource | None:
    found = _ADDRESS(text)
    if found is None or not _CLEAN(text):
        raise _wrong(f"failed to parse backing file location '{text}'")
    scheme, user, name, port, path, query = found.groups()
    protocol, plus, transport = scheme.partition("+")
    if protocol not in _PROTOCOLS:
        raise _wrong(f"invalid backing protocol '{protocol}'")
    if plus and transport not in _TRANSPORTS:
        raise _wrong(f"invalid protocol transport type '{transport}'")
    path = unquote((path or "").removeprefix("/"))
    if transport == "unix":
        socket = query[7:] if query is not None and query.startswith("socket=") else None
        host = Host(transport="unix", socket=socket)
    else:
        host = Host(
            transport=transport if transport == "rdma" else None,
            name=name.strip("[]") or None,
            port=_port(port or None),
        )
    if user is not None:
        # Nothing here says what a user is to be let in with.
        return None
    if protocol == "gluster" and "/" not in path:
        raise unsupportedConfig(
            f"missing volume name or file name in gluster source path '{path}'",
            ErrorDomain.STORAGE,
        )
    if protocol == "iscsi" and "/" not in path:
        path += "/0"
    if protocol not in ("http", "https") or not query:
        query = None
    return _served(protocol, path or ("" if protocol != "nbd" else None), (host,), query=query)


# Words between colons


def _fromColons(text: str) -> NetworkSource:
    protocol = text.partition(":")[0]
    if protocol == "nbd":
        return _fromNBD(text)
    if protocol == "rbd":
        return _fromRBD(text[4:])
    if protocol in _PROTOCOLS:
        raise _wrong(f"backing store parser is not implemented for protocol {protocol}")
    raise _wrong(f"invalid backing protocol '{protocol}'")


def _fromNBD(text: str) -> NetworkSource:
    place, named, name = text[4:].partition(":exportname=")
    kind, _, rest = place.partition(":")
    if place.startswith("["):
        kind, _, rest = place[1:].partition("]:")
    if not kind or ":" not in place or (kind == "unix" and not rest):
        raise _wrong(f"malformed nbd string '{text}'")
    if kind == "unix":
        host = Host(transport="unix", socket=rest)
    else:
        host = Host(name=kind, port=_port(rest))
    return _served("nbd", name if named else None, (host,))


def _fromRBD(text: str) -> NetworkSource:
    path, _, options = text.partition(":")
    path, _, snapshot = path.partition("@")
    config = None
    hosts: list[Host] = []
    for option in re.split(r"(?<!\\):", options):
        key, _, value = option.partition("=")
        value = re.sub(r"\\(.)", r"\1", value)
        if key == "conf":
            config = value
        elif key == "mon_host":
            hosts += [_monitor(each.strip()) for each in value.split(";") if each.strip()]
    return _served("rbd", path, tuple(hosts), snapshot=snapshot or None, config=config)


def _monitor(text: str) -> Host:
    name, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        name, port = text, ""
    return Host(name=name.strip("[]"), port=port or None)


# QEMU's JSON


def _fromJSON(text: str) -> DiskSource | None:
    found = readJSON(text)
    if not isinstance(found, dict):
        raise _unsaid()
    found = _nested(found)
    if not isinstance(found.get("driver"), str) and isinstance(found.get("file"), dict):
        found = found["file"]
    return _driven(found, text, True)


#: Objects inside each other that are looked into; no source has more than a few.
_DEEPEST = 100


def _nested(found: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """
    Let keys as C{file.driver} be objects in each other.

    @raise VirtError: keys contradict each other, or objects stand in each other without end.
    """
    if depth > _DEEPEST:
        raise _unsaid()
    made: dict[str, Any] = {}
    for key, value in found.items():
        if isinstance(value, dict):
            value = _nested(value, depth + 1)
        *outer, last = key.split(".")
        place = made
        for each in outer:
            place = place.setdefault(each, {})
            if not isinstance(place, dict):
                raise invalidArgument(
                    "mixing nested objects and values is forbidden in JSON deflattening",
                    ErrorDomain.NONE,
                )
        if last in place:
            raise invalidArgument(f"can't deflatten colliding key '{last}'", ErrorDomain.NONE)
        place[last] = value
    return made


def _driven(found: dict[str, Any], text: str, formats: bool) -> DiskSource | None:
    """
    Read what names a driver.

    @param text: all of it, for errors.
    @param formats: it may be one that knows a format.
    """
    driver = _word(found, "driver")
    if driver is None:
        raise _invalid(f"JSON backing volume definition '{text}' lacks driver name")
    if driver == "raw":
        if not formats:
            raise _invalid(
                f"JSON backing volume definition '{text}' must not have nested format drivers"
            )
        return _raw(found, text)
    read = _DRIVERS.get(driver)
    if read is None:
        raise _wrong(f"missing parser implementation for JSON backing volume driver '{driver}'")
    return read(found, text)


def _word(found: dict[str, Any], key: str) -> str | None:
    value = found.get(key)
    return value if isinstance(value, str) else None


def _number(found: dict[str, Any], key: str) -> int | None:
    value = found.get(key)
    return value if type(value) is int else None


def _list(value: Any) -> list[Any] | None:
    """Return a list, which may be an object whose keys are numbers."""
    if isinstance(value, dict):
        made = [value[str(place)] for place in range(len(value)) if str(place) in value]
        return made if len(made) == len(value) else None
    return value if isinstance(value, list) else None


def _raw(found: dict[str, Any], text: str) -> DiskSource | None:
    slice = None
    if "offset" in found or "size" in found:
        for key in ("offset", "size"):
            if key in found and _number(found, key) is None:
                raise _invalid(f"malformed '{key}' property of 'raw' driver")
        offset, size = (max(_number(found, key) or 0, 0) for key in ("offset", "size"))
        slice = Slice(type="storage", offset=offset, size=size)
    file = found.get("file")
    if not isinstance(file, dict):
        raise _invalid(f"JSON backing volume definition '{text}' lacks 'file' object")
    source = _driven(file, text, False)
    return source if source is None or slice is None else replaced(source, slice=slice)


def _file(found: dict[str, Any], text: str) -> DiskSource:
    name = _word(found, "filename")
    if name is None:
        raise _invalid("missing 'filename' field in JSON backing volume definition")
    return FileSource(file=name) if found["driver"] == "file" else BlockSource(dev=name)


def _inet(found: Any) -> Host:
    name = _word(found, "host") if isinstance(found, dict) else None
    if name is None:
        raise _invalid("missing hostname for tcp backing server in JSON backing volume definition")
    return Host(name=name, port=_port(_word(found, "port")))


def _socket(found: Any) -> Host:
    kind = _word(found, "type") if isinstance(found, dict) else None
    if kind is None:
        raise _invalid("missing socket address type in JSON backing volume definition")
    if kind in ("tcp", "inet"):
        return _inet(found)
    if kind != "unix":
        raise _wrong(f"backing store protocol '{kind}' is not yet supported")
    path = _word(found, "path")
    path = _word(found, "socket") if path is None else path
    if path is None:
        raise _invalid(
            "missing socket path for udp backing server in JSON backing volume definition"
        )
    return Host(transport="unix", socket=path)


def _nbd(found: dict[str, Any], text: str) -> DiskSource:
    path, server = _word(found, "path"), found.get("server")
    if path is not None:
        host = Host(transport="unix", socket=path)
    elif isinstance(server, dict):
        host = _socket(server)
    elif _word(found, "host") is not None:
        host = _inet(found)
    else:
        raise _invalid("missing host specification of NBD server in JSON backing volume definition")
    return _served("nbd", _word(found, "export"), (host,))


def _web(found: dict[str, Any], text: str) -> DiskSource | None:
    protocol, address = str(found["driver"]), _word(found, "url")
    if address is None:
        raise _invalid("missing 'url' in JSON backing volume definition")
    where = f"in backing store definition '{text}'"
    verify = found.get("sslverify")
    if protocol not in ("https", "ftps"):
        verify = None
    elif verify == "off":
        verify = False
    elif verify is not None and not isinstance(verify, bool):
        raise _invalid(f"malformed 'sslverify' field {where}")
    cookies = []
    if protocol in ("http", "https"):
        for each in (_word(found, "cookie") or "").split(";"):
            name, equals, value = each.strip().partition("=")
            if equals:
                cookies.append(Cookie(name=name, value=value))
            elif name:
                raise _invalid(f"malformed http cookie '{name}' {where}")
    for key in ("readahead", "timeout"):
        if key in found and _number(found, key) is None:
            raise _invalid(f"malformed '{key}' field {where}")
    if "://" not in address:
        raise _unsaid()
    source = _fromAddress(address)
    if source is None:
        return None
    if source.protocol != protocol:
        raise _invalid(
            f"expected protocol '{protocol}' but got '{source.protocol}' in URI JSON volume "
            "definition"
        )
    return replaced(
        source,
        ssl=verify,
        cookies=Cookies(cookies=tuple(cookies)) if cookies else None,
        readahead=_number(found, "readahead"),
        timeout=_number(found, "timeout"),
    )


def _ssh(found: dict[str, Any], text: str) -> DiskSource:
    server, path = found.get("server"), _word(found, "path")
    if path is None or not (isinstance(server, dict) or _word(found, "host") is not None):
        raise _invalid("missing host/server or path of SSH JSON backing volume definition")
    host = _inet(server if isinstance(server, dict) else found)
    return _served("ssh", path, (host,), sshUser=_word(found, "user"))


def _iscsi(found: dict[str, Any], text: str) -> DiskSource | None:
    if _word(found, "transport") != "tcp":
        raise _invalid("only TCP transport is supported for iSCSI volumes")
    if _word(found, "user") is not None:
        return None
    portal, target = _word(found, "portal"), _word(found, "target")
    if portal is None or target is None:
        raise _invalid("missing 'portal' or 'target' address in JSON backing volume definition")
    name, colon, port = portal.rpartition(":")
    if not colon or "]" in port:
        name, port = portal, ""
    host = Host(name=name, port=_port(port or None))
    return _served("iscsi", f"{target}/{found.get('lun', 0)}", (host,))


def _rbd(found: dict[str, Any], text: str) -> DiskSource:
    name = _word(found, "filename")
    if name is not None:
        return _fromRBD(name.removeprefix("rbd:"))
    pool, image = _word(found, "pool"), _word(found, "image")
    if pool is None or image is None:
        raise _invalid("missing pool or image name in ceph backing volume JSON specification")
    hosts = tuple(_inet(each) for each in _list(found.get("server")) or ())
    return _served(
        "rbd",
        f"{pool}/{image}",
        hosts,
        snapshot=_word(found, "snapshot"),
        config=_word(found, "conf"),
    )


def _gluster(found: dict[str, Any], text: str) -> DiskSource:
    volume, path, servers = _word(found, "volume"), _word(found, "path"), _list(found.get("server"))
    if volume is None or path is None or servers is None:
        raise _invalid(
            "missing 'volume', 'path' or 'server' attribute in JSON backing definition for "
            "gluster volume"
        )
    if not servers:
        raise _invalid(
            "at least 1 server is necessary in JSON backing definition for gluster volume"
        )
    return _served("gluster", f"{volume}/{path}", tuple(_socket(each) for each in servers))


def _sheepdog(found: dict[str, Any], text: str) -> DiskSource | None:
    name, image, server = _word(found, "filename"), _word(found, "vdi"), found.get("server")
    if name is not None:
        if "://" not in name:
            raise _invalid("missing sheepdog URI in JSON backing volume definition")
        return _fromAddress(name)
    if image is None:
        raise _invalid("missing sheepdog vdi name")
    if not isinstance(server, dict):
        raise _invalid("missing remote server specification in JSON backing volume definition")
    return _served("sheepdog", image, (_socket(server),))


def _vxhs(found: dict[str, Any], text: str) -> DiskSource:
    image, server = _word(found, "vdisk-id"), found.get("server")
    if image is None or not isinstance(server, dict):
        raise _invalid(
            "missing 'vdisk-id' or 'server' attribute in JSON backing definition for VxHS volume"
        )
    return _served("vxhs", image, (_inet(server),))


def _nfs(found: dict[str, Any], text: str) -> DiskSource:
    server, path = found.get("server"), _word(found, "path")
    if not isinstance(server, dict):
        raise _invalid("missing 'server' attribute in JSON backing definition for NFS volume")
    user, group = _number(found, "user"), _number(found, "group")
    if user is None or group is None:
        raise _invalid(
            "missing 'user' or 'group' attribute in JSON backing definition for NFS volume"
        )
    if path is None:
        raise _invalid("missing 'path' attribute in JSON backing definition for NFS volume")
    identity = Identity(user=f"+{user}", group=f"+{group}")
    return _served("nfs", path, (_socket(server),), identity=identity)


def _nvme(found: dict[str, Any], text: str) -> DiskSource:
    place = _DEVICE(_word(found, "device") or "")
    if place is None:
        raise _invalid("missing or malformed 'device' field of 'nvme' storage")
    namespace = _number(found, "namespace")
    if namespace is None:
        raise _invalid("missing or malformed 'namespace' field of 'nvme' storage")
    domain, bus, slot, function = (int(each, 16) for each in place.groups())
    address = PCIAddress(domain=domain, bus=bus, slot=slot, function=function)
    return NVMeSource(type="pci", managed=False, namespace=namespace, address=address)


_DRIVERS: dict[str, Callable[[dict[str, Any], str], DiskSource | None]] = {
    "file": _file,
    "host_device": _file,
    "host_cdrom": _file,
    "http": _web,
    "https": _web,
    "ftp": _web,
    "ftps": _web,
    "tftp": _web,
    "gluster": _gluster,
    "iscsi": _iscsi,
    "nbd": _nbd,
    "sheepdog": _sheepdog,
    "ssh": _ssh,
    "rbd": _rbd,
    "nfs": _nfs,
    "nvme": _nvme,
    "vxhs": _vxhs,
}


#: Protocols whose addresses are written as such.
_ADDRESSED = frozenset(
    ("nbd", "http", "https", "ftp", "ftps", "tftp", "iscsi", "gluster"),
)


def backingString(source: Any) -> str:
    """
    Say for a header what an image is laid over: a path, an address, or QEMU's JSON where neither says it all.

    @raise VirtError: QEMU has no such protocol.
    """
    if not isinstance(source, NetworkSource):
        path = str(getattr(source, "file", None) or getattr(source, "dev", None) or "")
        if source.slice is None:
            return path
    elif (
        source.protocol in _ADDRESSED
        and len(source.hosts) == 1
        and source.hosts[0].transport in (None, "tcp")
        and source.slice is None
        and not source.timeout
        and source.cookies is None
        and source.ssl is None
    ):
        host = source.hosts[0]
        name = f"[{host.name}]" if ":" in (host.name or "") else host.name
        port = f":{host.port}" if host.port else ""
        path = quote(source.name or "", safe="/:@!$&'()*+,;=~").removeprefix("/")
        query = f"?{source.query}" if source.query else ""
        return f"{source.protocol}://{name}{port}/{path}{query}"
    props: dict[str, Any] = sourceProps(source, {})
    if source.slice is not None:
        part = {"driver": "raw", "offset": source.slice.offset, "size": source.slice.size}
        props = {**part, "file": props}
    return "json:" + json.dumps({"file": props}, separators=(",", ":"))
