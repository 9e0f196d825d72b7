"""
What the steps of a migration are told: flags and parameters, and the addresses that memory is sent to.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from typing import Any, NamedTuple

from pyvirt import constants as c
from pyvirt.definitions.uuids import formatUUID, parseUUID
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    internal,
    invalidArgument,
    operationInvalid,
    unsupportedArgument,
)
from pyvirt.errors import ErrorDomain
from pyvirt.params import validateParams

__all__ = [
    "FASTEST",
    "FASTEST_FOLLOWING",
    "Address",
    "asParams",
    "checkMigration",
    "freePort",
    "given",
    "hostUUID",
    "readAddress",
    "withPort",
]

#: MiB a second beyond which a number of bytes does not fit.
FASTEST = ((1 << 63) - 1) >> 20
#: The same of what follows a guest, which QEMU counts without a sign.
FASTEST_FOLLOWING = ((1 << 64) - 1) >> 20

#: Flags of the steps.
FLAGS = (
    c.VIR_MIGRATE_LIVE
    | c.VIR_MIGRATE_PEER2PEER
    | c.VIR_MIGRATE_TUNNELLED
    | c.VIR_MIGRATE_NON_SHARED_DISK
    | c.VIR_MIGRATE_NON_SHARED_INC
    | c.VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES
    | c.VIR_MIGRATE_RDMA_PIN_ALL
    | c.VIR_MIGRATE_TLS
    | c.VIR_MIGRATE_ZEROCOPY
    | c.VIR_MIGRATE_PERSIST_DEST
    | c.VIR_MIGRATE_UNDEFINE_SOURCE
    | c.VIR_MIGRATE_PAUSED
    | c.VIR_MIGRATE_CHANGE_PROTECTION
    | c.VIR_MIGRATE_UNSAFE
    | c.VIR_MIGRATE_OFFLINE
    | c.VIR_MIGRATE_COMPRESSED
    | c.VIR_MIGRATE_ABORT_ON_ERROR
    | c.VIR_MIGRATE_AUTO_CONVERGE
    | c.VIR_MIGRATE_POSTCOPY
    | c.VIR_MIGRATE_POSTCOPY_RESUME
    | c.VIR_MIGRATE_PARALLEL
)

_STRING, _INT, _ULLONG = (
    c.VIR_TYPED_PARAM_STRING,
    c.VIR_TYPED_PARAM_INT,
    c.VIR_TYPED_PARAM_ULLONG,
)
_KNOWN = {
    c.VIR_MIGRATE_PARAM_URI: _STRING,
    c.VIR_MIGRATE_PARAM_DEST_NAME: _STRING,
    c.VIR_MIGRATE_PARAM_DEST_XML: _STRING,
    c.VIR_MIGRATE_PARAM_PERSIST_XML: _STRING,
    c.VIR_MIGRATE_PARAM_BANDWIDTH: _ULLONG,
    c.VIR_MIGRATE_PARAM_GRAPHICS_URI: _STRING,
    c.VIR_MIGRATE_PARAM_LISTEN_ADDRESS: _STRING,
    c.VIR_MIGRATE_PARAM_MIGRATE_DISKS: _STRING,
    c.VIR_MIGRATE_PARAM_DISKS_PORT: _INT,
    c.VIR_MIGRATE_PARAM_DISKS_URI: _STRING,
    c.VIR_MIGRATE_PARAM_COMPRESSION: _STRING,
    c.VIR_MIGRATE_PARAM_COMPRESSION_MT_LEVEL: _INT,
    c.VIR_MIGRATE_PARAM_COMPRESSION_MT_THREADS: _INT,
    c.VIR_MIGRATE_PARAM_COMPRESSION_MT_DTHREADS: _INT,
    c.VIR_MIGRATE_PARAM_COMPRESSION_XBZRLE_CACHE: _ULLONG,
    c.VIR_MIGRATE_PARAM_TLS_DESTINATION: _STRING,
    c.VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL: _INT,
    c.VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT: _INT,
    c.VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY: _ULLONG,
    c.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS: _INT,
}
_MULTIPLE = (c.VIR_MIGRATE_PARAM_MIGRATE_DISKS, c.VIR_MIGRATE_PARAM_COMPRESSION)
_SERVER = re.compile(r"[^/?#]*")
_HOST = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^\[\]:/?#\s]+)(?::(\d{1,10}))?")


def checkMigration(function: str, flags: int) -> None:
    """Refuse flags that are not known here."""
    checkFlags(function, flags, FLAGS)


def given(params: list[TypedParam]) -> dict[str, Any]:
    """
    Return the parameters by name.

    @raise VirtError: there are unknown ones, or of a wrong type.
    """
    return validateParams(params, _KNOWN, _MULTIPLE)


def asParams(asked: dict[str, Any]) -> list[TypedParam]:
    """Write parameters by name as L{given} reads them."""
    return [
        TypedParam(name, _KNOWN[name], each)
        for name, value in asked.items()
        for each in (value if isinstance(value, list) else [value])
    ]


def hostUUID(folder: str, random: Any) -> bytes:
    """
    Tell hosts apart: a number that is made up once and kept in the driver's folder.

    Two daemons on one machine with folders of their own are two hosts.
    """
    path = os.path.join(folder, "host-uuid")
    try:
        with open(path) as file:
            found = parseUUID(file.read().strip())
            if found is not None:
                return found
    except OSError:
        pass
    made = bytearray(random(16))
    made[6] = made[6] & 0x0F | 0x40
    made[8] = made[8] & 0x3F | 0x80
    temporary = f"{path}.new"
    with open(temporary, "w") as file:
        file.write(formatUUID(bytes(made)) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)
    return bytes(made)


class Address(NamedTuple):
    """
    Where memory is sent to.

    @ivar path: of a UNIX socket; None: C{host} and C{port} of TCP, port None: any; of one that is too large the
        system takes the last 16 bits.
    """

    path: str | None = None
    host: str = ""
    port: int | None = None

    @property
    def qemu(self) -> str:
        """As QEMU writes it."""
        return f"unix:{self.path}" if self.path is not None else f"tcp:{self.host}:{self.port}"


def readAddress(uri: str) -> Address:
    """
    Read where memory is to be sent to: C{tcp:HOST[:PORT]}, C{tcp://HOST[:PORT]} or C{unix:///PATH}.

    @raise VirtError: it is nothing of these.
    """
    scheme, colon, rest = uri.partition(":")
    if not colon:
        raise invalidArgument(f"missing scheme in migration URI: {uri}")
    if scheme == "unix":
        path = rest
        if rest.startswith("//"):
            # What stands where a host is named elsewhere says nothing.
            path = "".join(rest[2:].partition("/")[1:])
        if not path or "\0" in path:
            raise invalidArgument(f"malformed migration URI: {uri}")
        return Address(path=path)
    # What has no slashes where a host is named is only understood of TCP.
    whole = uri if scheme != "tcp" or rest.startswith("//") else f"tcp://{rest}"
    server = _SERVER.match(whole.partition("://")[2])[0].rpartition("@")[2]  # type: ignore[index]
    if scheme in ("tcp", "rdma") and not server:
        raise invalidArgument(f"missing host in migration URI: {uri}")
    if scheme == "rdma":
        raise operationInvalid("cannot start RDMA migration with no memory hard limit set")
    if scheme != "tcp":
        raise unsupportedArgument(f"unsupported scheme {scheme} in migration URI {uri}")
    match = _HOST.fullmatch(server)
    port = None if match is None or match[2] is None else int(match[2])
    if match is None:
        raise internal(f"Unable to parse URI {whole}", ErrorDomain.URI)
    if port is not None and port > 0x7FFFFFFF:
        raise invalidArgument(f"invalid port in migration URI: {uri}")
    return Address(host=match[1], port=port)


def withPort(uri: str, port: int) -> str:
    """Say in a URI without a port where memory is to be sent to; at the end where nothing shows where its host ends."""
    scheme, slashes, rest = uri.partition("://")
    if not slashes:
        return f"{uri}:{port}"
    server = _SERVER.match(rest)[0]  # type: ignore[index]
    return f"{scheme}://{server.removesuffix(':0').removesuffix(':')}:{port}{rest[len(server) :]}"


def freePort(host: str, ports: range, taken: set[int]) -> int:
    """
    Find a TCP port to listen at.

    @param host: where; what is not an address of this host is left for QEMU to complain of.
    @raise VirtError: there is none.
    """
    try:
        address = str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        address = ""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in ports:
        if port in taken:
            continue
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as problem:
                if problem.errno in (errno.EADDRINUSE, errno.EACCES):
                    continue
        return port
    raise internal(
        f"Unable to find an unused port in range 'migration' ({ports.start}-{ports.stop - 1})"
    )
