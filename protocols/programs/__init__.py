"""One stub table per RPC program; C{ALL} is every one of them."""

from pyvirt.protocols.procedures import Program
from pyvirt.protocols.programs.admin import PROGRAM as ADMIN
from pyvirt.protocols.programs.keepalive import PROGRAM as KEEPALIVE
from pyvirt.protocols.programs.lock import PROGRAM as LOCK
from pyvirt.protocols.programs.log import PROGRAM as LOG
from pyvirt.protocols.programs.lxc import PROGRAM as LXC
from pyvirt.protocols.programs.qemu import PROGRAM as QEMU
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE

__all__ = ["ADMIN", "ALL", "KEEPALIVE", "LOCK", "LOG", "LXC", "QEMU", "REMOTE"]

ALL: tuple[Program, ...] = (REMOTE, QEMU, LXC, ADMIN, KEEPALIVE, LOCK, LOG)
