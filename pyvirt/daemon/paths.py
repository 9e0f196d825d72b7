"""
Where the daemon keeps its files: libvirt's own places, so that stock clients find it with no option.

The system's daemon serves under /run/libvirt, a user's own under that user's runtime folder.  With a root
folder every path lies beneath it, those in the configuration included.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from pyvirt.daemon.config import Config
from pyvirt.definitions.values import definition
from pyvirt.folders import configFolder, dataFolder, runFolder, under

__all__ = ["Paths", "defaultConfigFile"]


def defaultConfigFile(root: str, session: bool, environment: Mapping[str, str]) -> str:
    """Return the file that is read when none is named; it need not exist."""
    folder = configFolder(environment) if session else "/etc/libvirt"
    return under(root, os.path.join(folder, "libvirtd.conf"))


@definition
class Paths:
    """
    The daemon's files.

    @ivar root: the folder that stands for C{/}.
    @ivar configFolder: where the configuration and what belongs to it lies unless something else is said.
    @ivar readOnlySocket: None for a user's own daemon: whoever reaches it may do anything.
    """

    root: str
    configFolder: str
    socketFolder: str
    socket: str
    readOnlySocket: str | None
    adminSocket: str
    ownersFile: str
    pidFile: str

    @classmethod
    def of(
        cls,
        config: Config,
        *,
        root: str = "/",
        session: bool = False,
        pidFile: str | None = None,
        environment: Mapping[str, str],
    ) -> Paths:
        """
        Work the paths out.

        @param pidFile: as the user named it, None: C{libvirtd.pid} beside the sockets if the configuration
            moves those, else where libvirtd has it, so that the two refuse to run side by side.
        """
        if config.unixSockDir is not None:
            folder = under(root, config.unixSockDir)
            found = os.path.join(folder, "libvirtd.pid")
        elif session:
            folder = under(root, runFolder(environment))
            found = os.path.join(folder, "libvirtd.pid")
        else:
            folder = under(root, "/run/libvirt")
            found = under(root, "/run/libvirtd.pid")
        state = under(root, dataFolder(environment)) if session else under(root, "/var/lib/libvirt")
        return cls(
            root=root,
            configFolder=os.path.dirname(defaultConfigFile(root, session, environment)),
            ownersFile=os.path.join(state, "pyvirt", "owners.json"),
            socketFolder=folder,
            socket=os.path.join(folder, "libvirt-sock"),
            adminSocket=os.path.join(folder, "libvirt-admin-sock"),
            readOnlySocket=None if session else os.path.join(folder, "libvirt-sock-ro"),
            pidFile=under(root, os.path.abspath(pidFile)) if pidFile else found,
        )
