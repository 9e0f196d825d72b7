"""
Which pools are meant by filters, and when two pools would lie on the same storage: for all drivers that have some.
"""

from __future__ import annotations

from typing import Protocol

from pyvirt import constants as c
from pyvirt.definitions.storage import PoolDefinition

__all__ = ["LIST_FLAGS", "IListedPool", "conflicting", "passes"]


class IListedPool(Protocol):
    """What is known of a pool that may be listed."""

    active: bool
    persistent: bool
    autostart: bool
    definition: PoolDefinition


_TYPES = {
    "dir": c.VIR_CONNECT_LIST_STORAGE_POOLS_DIR,
    "fs": c.VIR_CONNECT_LIST_STORAGE_POOLS_FS,
    "netfs": c.VIR_CONNECT_LIST_STORAGE_POOLS_NETFS,
    "logical": c.VIR_CONNECT_LIST_STORAGE_POOLS_LOGICAL,
    "disk": c.VIR_CONNECT_LIST_STORAGE_POOLS_DISK,
    "iscsi": c.VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI,
    "scsi": c.VIR_CONNECT_LIST_STORAGE_POOLS_SCSI,
    "mpath": c.VIR_CONNECT_LIST_STORAGE_POOLS_MPATH,
    "rbd": c.VIR_CONNECT_LIST_STORAGE_POOLS_RBD,
    "sheepdog": c.VIR_CONNECT_LIST_STORAGE_POOLS_SHEEPDOG,
    "gluster": c.VIR_CONNECT_LIST_STORAGE_POOLS_GLUSTER,
    "zfs": c.VIR_CONNECT_LIST_STORAGE_POOLS_ZFS,
    "vstorage": c.VIR_CONNECT_LIST_STORAGE_POOLS_VSTORAGE,
    "iscsi-direct": c.VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI_DIRECT,
}
_ALL_TYPES = sum(_TYPES.values())
LIST_FLAGS = 0x3F | _ALL_TYPES


def passes(pool: IListedPool, flags: int) -> bool:
    """Whether a pool passes the filters of C{VIR_CONNECT_LIST_STORAGE_POOLS_*}."""
    for value, yes, no in (
        (
            pool.active,
            c.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE,
            c.VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE,
        ),
        (
            pool.persistent,
            c.VIR_CONNECT_LIST_STORAGE_POOLS_PERSISTENT,
            c.VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT,
        ),
        (
            pool.autostart,
            c.VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART,
            c.VIR_CONNECT_LIST_STORAGE_POOLS_NO_AUTOSTART,
        ),
    ):
        if flags & (yes | no) and not flags & (yes if value else no):
            return False
    wanted = flags & _ALL_TYPES
    return not wanted or bool(wanted & _TYPES.get(pool.definition.type, 0))


def _devices(pool: PoolDefinition) -> set[str | None]:
    return {device.path for device in pool.source.devices}


def _sameHosts(one: PoolDefinition, other: PoolDefinition) -> bool:
    """
    Whether a pool that is there and another are served by the same host, at any port where the other names none.

    Only pools with one host each are compared.
    """
    hosts, others = one.source.hosts, other.source.hosts
    if len(hosts) != 1 or len(others) != 1 or hosts[0].name != others[0].name:
        return False
    return not others[0].port or hosts[0].port == others[0].port


def _path(pool: PoolDefinition) -> str | None:
    return None if pool.target is None else pool.target.path


def conflicting(one: PoolDefinition, other: PoolDefinition) -> bool:
    """
    Whether two pools would lie on the same storage.

    @param one: what is there.
    @param other: what is to be.
    """
    kind = one.type
    if other.type != kind:
        return (
            kind in ("fs", "disk", "logical")
            and other.type in ("fs", "disk", "logical")
            and bool(_devices(one) & _devices(other))
        )
    if kind == "dir":
        return _path(one) == _path(other)
    if kind == "gluster":
        return (
            one.source.name == other.source.name
            and one.source.dir == other.source.dir
            and _sameHosts(one, other)
        )
    if kind == "netfs":
        return one.source.dir == other.source.dir and _sameHosts(one, other)
    if kind == "scsi":
        return one.source.adapter == other.source.adapter
    if kind == "iscsi":
        return (
            bool(_devices(one) & _devices(other)) and one.source.initiator == other.source.initiator
        )
    if kind == "iscsi-direct":
        return bool(_devices(one) & _devices(other)) and _sameHosts(one, other)
    if kind == "vstorage":
        return one.source.name == other.source.name
    if kind in ("fs", "logical", "disk", "zfs"):
        return bool(_devices(one) & _devices(other))
    return kind == "mpath"
