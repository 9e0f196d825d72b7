"""
What pools lie on: when two of them lie on the same, and what could be made into one.
"""

from __future__ import annotations

from pyvirt.definitions.reader import parseTree
from pyvirt.definitions.storage import PoolDefinition
from pyvirt.drivers.test.refusals import internal, invalidArgument
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["conflicting", "discovered"]

_LOGICAL = """\
<sources>
  <source>
    <device path='/dev/sda20'/>
    <name>testvg1</name>
    <format type='lvm2'/>
  </source>
  <source>
    <device path='/dev/sda21'/>
    <name>testvg2</name>
    <format type='lvm2'/>
  </source>
</sources>
"""

_NETFS = """\
<sources>
  <source>
    <host name='{}'/>
    <dir path='/testshare'/>
    <format type='nfs'/>
  </source>
</sources>
"""


def _devices(pool: PoolDefinition) -> set[str | None]:
    return {device.path for device in pool.source.devices}


def _sameHosts(one: PoolDefinition, other: PoolDefinition) -> bool:
    """Whether both are served by the same host; only pools with one host each are compared."""
    hosts, others = one.source.hosts, other.source.hosts
    return len(hosts) == 1 and len(others) == 1 and hosts[0] == others[0]


def _path(pool: PoolDefinition) -> str | None:
    return None if pool.target is None else pool.target.path


def conflicting(one: PoolDefinition, other: PoolDefinition) -> bool:
    """Whether two pools would lie on the same storage."""
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
            bool(_devices(one) & _devices(other))
            and one.source.initiator == other.source.initiator
            and _sameHosts(one, other)
        )
    if kind == "iscsi-direct":
        return bool(_devices(one) & _devices(other)) and _sameHosts(one, other)
    if kind == "vstorage":
        return one.source.name == other.source.name
    if kind in ("fs", "logical", "disk", "zfs"):
        return bool(_devices(one) & _devices(other))
    return kind == "mpath"


_KNOWN = frozenset(
    [
        "dir",
        "fs",
        "netfs",
        "logical",
        "disk",
        "iscsi",
        "iscsi-direct",
        "scsi",
        "mpath",
        "rbd",
        "sheepdog",
        "gluster",
        "zfs",
        "vstorage",
    ]
)


def discovered(kind: str, specification: str | None) -> str:
    """
    Return what pools of a kind could be made of.

    @param specification: a C{source} element, or None.
    @raise VirtError: nobody looks for such a kind, or does not know where to.
    """
    if kind == "dir":
        raise internal("unknown storage pool type dir")
    host = None
    if specification is not None:
        root = parseTree(
            specification,
            "source",
            label="(storage_source_specification)",
            domain=ErrorDomain.STORAGE,
        )
        if kind not in _KNOWN:
            raise internal("missing backend for pool type -1", ErrorDomain.STORAGE)
        found = root.find("host")
        host = None if found is None else found.get("name")
    if kind == "logical":
        return _LOGICAL
    if kind == "netfs":
        if not host:
            raise invalidArgument("hostname must be specified for netfs sources")
        return _NETFS.format(host)
    raise virtError(
        ErrorCode.NO_SUPPORT,
        f"pool type '{kind}' does not support source discovery",
        ErrorDomain.TEST,
    )
