"""
What systemd and a service tell each other: sockets it opened for us, readiness we announce.

Follows sd_listen_fds(3) and sd_notify(3).
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping

__all__ = ["adoptSockets", "notify"]

_FIRST = 3


def adoptSockets(environment: MutableMapping[str, str], pid: int) -> list[socket.socket]:
    """
    Take the listening sockets that were passed to process C{pid}; often none.

    The variables are removed, so that no child takes the sockets for its own.

    @raise ValueError: the variables or the descriptors are not what they should be.
    """
    for_, count = environment.pop("LISTEN_PID", None), environment.pop("LISTEN_FDS", None)
    environment.pop("LISTEN_FDNAMES", None)
    if for_ is None or count is None or for_ != str(pid):
        return []
    if not count.isdigit() or not 0 <= int(count) <= 64:
        raise ValueError(f"LISTEN_FDS is {count!r}")
    found = []
    for fd in range(_FIRST, _FIRST + int(count)):
        os.set_inheritable(fd, False)
        each = socket.socket(fileno=fd)
        each.setblocking(False)
        if not each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ValueError(f"descriptor {fd} that was passed in is no listening socket")
        found.append(each)
    return found


def notify(environment: MutableMapping[str, str], state: str) -> bool:
    """
    Tell the service manager C{state}, such as C{READY=1}; without one this does nothing.

    @return: whether it was told.
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto(state.encode(), address)
    except OSError:
        return False
    return True
