"""
What could be made into pools.
"""

from __future__ import annotations

from pyvirt.definitions.reader import parseTree
from pyvirt.drivers.test.refusals import internal, invalidArgument
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["discovered"]

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
