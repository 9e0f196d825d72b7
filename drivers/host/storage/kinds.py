"""
The types of pools that there are here.

Others are refused as libvirt refuses those whose part is not installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvirt.definitions.storage import TYPES
from pyvirt.drivers.host.storage.backends import Backend, Mounted
from pyvirt.drivers.host.storage.disk import Disk
from pyvirt.drivers.host.storage.iscsi import ISCSI
from pyvirt.drivers.host.storage.logical import Logical
from pyvirt.drivers.host.storage.scsi import SCSI, Multipath
from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorDomain

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["BACKENDS", "backendFor"]

BACKENDS: dict[str, type[Backend]] = {
    "dir": Backend,
    "fs": Mounted,
    "netfs": Mounted,
    "logical": Logical,
    "disk": Disk,
    "iscsi": ISCSI,
    "scsi": SCSI,
    "mpath": Multipath,
}


def backendFor(host: Host, type: str) -> Backend:
    """
    Return what does the work for pools of a type.

    @raise VirtError: there is nothing.
    """
    made = BACKENDS.get(type)
    if made is None:
        raise internal(
            f"missing backend for pool type {TYPES.split().index(type)} ({type})",
            ErrorDomain.STORAGE,
        )
    return made(host)
