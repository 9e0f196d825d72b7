"""
What could be made into pools.
"""

from __future__ import annotations

from pyvirt.definitions.kinds import escape
from pyvirt.definitions.poolsource import PoolSource
from pyvirt.definitions.poolspec import parsePoolSource
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


def discovered(kind: str, specification: str | None) -> str:
    """
    Return what pools of a kind could be made of.

    @param specification: a C{source} element, or None.
    @raise VirtError: nobody looks for such a kind, or does not know where to.
    """
    if kind == "dir":
        raise internal("unknown storage pool type dir")
    source = PoolSource() if specification is None else parsePoolSource(specification, kind)
    if kind == "logical":
        return _LOGICAL
    if kind == "netfs":
        if not source.hosts or not source.hosts[0].name:
            raise invalidArgument("hostname must be specified for netfs sources")
        return _NETFS.format(escape(source.hosts[0].name))
    raise virtError(
        ErrorCode.NO_SUPPORT,
        f"pool type '{kind}' does not support source discovery",
        ErrorDomain.TEST,
    )
