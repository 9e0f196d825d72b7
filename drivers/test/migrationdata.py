"""
What travels in a migration: the flags and parameters of its steps, and the cookie that its two ends hand each other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pyvirt import constants as c
from pyvirt.definitions.kinds import escape
from pyvirt.definitions.reader import parseTree
from pyvirt.definitions.uuids import formatUUID, parseUUID
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.drivers.test.refusals import checkFlags, internal
from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.params import validateParams

__all__ = ["FLAGS", "Cookie", "checkMigration", "given", "readCookie"]

#: What is honoured, or makes no difference where there is no memory to move.
FLAGS = (
    c.VIR_MIGRATE_LIVE
    | c.VIR_MIGRATE_PEER2PEER
    | c.VIR_MIGRATE_PERSIST_DEST
    | c.VIR_MIGRATE_UNDEFINE_SOURCE
    | c.VIR_MIGRATE_PAUSED
    | c.VIR_MIGRATE_NON_SHARED_DISK
    | c.VIR_MIGRATE_NON_SHARED_INC
    | c.VIR_MIGRATE_CHANGE_PROTECTION
    | c.VIR_MIGRATE_UNSAFE
    | c.VIR_MIGRATE_OFFLINE
    | c.VIR_MIGRATE_COMPRESSED
    | c.VIR_MIGRATE_ABORT_ON_ERROR
    | c.VIR_MIGRATE_AUTO_CONVERGE
    | c.VIR_MIGRATE_POSTCOPY
    | c.VIR_MIGRATE_TLS
    | c.VIR_MIGRATE_PARALLEL
    | c.VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES
    | c.VIR_MIGRATE_ZEROCOPY
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
    c.VIR_MIGRATE_PARAM_COMPRESSION_ZLIB_LEVEL: _INT,
    c.VIR_MIGRATE_PARAM_COMPRESSION_ZSTD_LEVEL: _INT,
    c.VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL: _INT,
    c.VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT: _INT,
    c.VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY: _ULLONG,
    c.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS: _INT,
    c.VIR_MIGRATE_PARAM_TLS_DESTINATION: _STRING,
}
_MULTIPLE = (c.VIR_MIGRATE_PARAM_MIGRATE_DISKS, c.VIR_MIGRATE_PARAM_COMPRESSION)


def checkMigration(function: str, flags: int, more: int = 0) -> None:
    """
    Refuse flags that no migration here knows: nothing is sent past those who lead it.

    @param more: flags that are refused in other words.
    """
    checkFlags(function, flags, FLAGS | more)


def given(params: list[TypedParam]) -> dict[str, Any]:
    """
    Return the parameters by name.

    @raise VirtError: there are unknown ones, or of a wrong type.
    """
    return validateParams(params, _KNOWN, _MULTIPLE)


class Cookie(NamedTuple):
    """What one end tells the other: the domain, and the host it speaks for."""

    name: str
    uuid: bytes
    host: bytes
    hostname: str

    def encode(self) -> bytes:
        """Write it as it travels."""
        return (
            "<test-migration>\n"
            f"  <name>{escape(self.name)}</name>\n"
            f"  <uuid>{formatUUID(self.uuid)}</uuid>\n"
            f"  <hostname>{escape(self.hostname)}</hostname>\n"
            f"  <hostuuid>{formatUUID(self.host)}</hostuuid>\n"
            "</test-migration>\n"
        ).encode()


def readCookie(data: bytes) -> Cookie | None:
    """
    Read what the other end told, None if it told nothing.

    @raise VirtError: it is no cookie of a migration between two of our hosts.
    """
    text = data.decode("utf-8", "replace").rstrip("\0")
    if not text:
        return None
    try:
        root = parseTree(text, None, label="(migration_cookie)", domain=ErrorDomain.TEST)
    except VirtError as error:
        raise internal(f"malformed migration cookie: {error.message}") from None
    if root.tag != "test-migration":
        raise internal(f"migration cookie of another kind of host: '{root.tag}'")

    def text_(tag: str) -> str:
        found = root.find(tag)
        if found is None or not found.text:
            raise internal(f"missing {tag} element in migration data")
        return str(found.text)

    uuid, host = parseUUID(text_("uuid")), parseUUID(text_("hostuuid"))
    if uuid is None:
        raise internal("malformed uuid element")
    if host is None:
        raise internal("malformed hostuuid element in migration data")
    return Cookie(text_("name"), uuid, host, text_("hostname"))
