"""
Where the driver keeps its files: libvirt's own places, so that what either leaves behind the other's tools find.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

from pyvirt.definitions.values import definition
from pyvirt.folders import cacheFolder, configFolder, makeFolders, runFolder, under

__all__ = ["Layout", "shortName"]

#: Folders that only we enter, and those that guests' processes pass through.
_PRIVATE, _OPEN = 0o700, 0o755


def shortName(id: int, name: str) -> str:
    """Name the folders of one run of a guest; long names are cut, for addresses of sockets are short."""
    return f"domain-{id}-{name[:20]}"


@definition
class Layout:
    """
    The driver's folders.

    @ivar config: definitions, C{NAME.xml}.
    @ivar autostart: links to those that start with the host.
    @ivar run: of running guests: C{NAME.xml}, C{NAME.pid}.
    @ivar lib: a private folder for each run, saved guests in C{save}.
    @ivar logs: C{NAME.log}.
    @ivar cache: what binaries can do.
    @ivar conf: qemu.conf.
    @ivar hooks: scripts of the administrator.
    @ivar locks: of terminals that somebody uses.
    """

    config: str
    run: str
    lib: str
    logs: str
    cache: str
    conf: str
    hooks: str
    locks: str = "/var/lock"

    @classmethod
    def of(cls, root: str, privileged: bool, environment: Mapping[str, str]) -> Layout:
        """
        Work the folders out.

        @param root: the folder that stands for C{/}.
        """

        place = partial(under, root)
        if privileged:
            return cls(
                config=place("/etc/libvirt/qemu"),
                run=place("/run/libvirt/qemu"),
                lib=place("/var/lib/libvirt/qemu"),
                logs=place("/var/log/libvirt/qemu"),
                cache=place("/var/cache/libvirt/qemu"),
                conf=place("/etc/libvirt/qemu.conf"),
                hooks=place("/etc/libvirt/hooks"),
                locks=place("/var/lock"),
            )
        config = place(configFolder(environment))
        cache = place(cacheFolder(environment))
        return cls(
            config=os.path.join(config, "qemu"),
            run=os.path.join(place(runFolder(environment)), "qemu", "run"),
            lib=os.path.join(config, "qemu", "lib"),
            logs=os.path.join(cache, "qemu", "log"),
            cache=os.path.join(cache, "qemu"),
            conf=os.path.join(config, "qemu.conf"),
            hooks=os.path.join(config, "hooks"),
            locks=place("/var/lock"),
        )

    @property
    def autostart(self) -> str:
        return os.path.join(self.config, "autostart")

    @property
    def save(self) -> str:
        """Where guests are saved that say no path."""
        return os.path.join(self.lib, "save")

    @property
    def channels(self) -> str:
        """Where sockets of channels lie."""
        return os.path.join(self.lib, "channel", "target")

    @property
    def capabilities(self) -> str:
        return os.path.join(self.cache, "capabilities")

    @property
    def logLimits(self) -> str:
        """Where it is said how large logs may become: beside qemu.conf."""
        return os.path.join(os.path.dirname(self.conf), "virtlogd.conf")

    def make(self, owner: tuple[int, int] | None) -> None:
        """
        Make the folders that are missing.

        @param owner: user and group of guests' processes, who must enter some; None: they are ours.
        @raise OSError: one cannot be made.
        """
        for path, mode, theirs in (
            (self.config, _PRIVATE, False),
            (self.autostart, _PRIVATE, False),
            (self.run, _OPEN, False),
            (os.path.join(self.run, "dbus"), 0o770, True),
            (os.path.join(self.run, "passt"), 0o755, True),
            (os.path.join(self.run, "slirp"), 0o755, True),
            (self.lib, 0o751, True),
            (self.save, _PRIVATE, True),
            (os.path.join(self.lib, "dump"), _PRIVATE, True),
            (os.path.join(self.lib, "nvram"), _PRIVATE, True),
            (os.path.join(self.lib, "snapshot"), _PRIVATE, True),
            (os.path.join(self.lib, "checkpoint"), _PRIVATE, True),
            (os.path.join(self.lib, "ram"), _PRIVATE, True),
            (self.channels, 0o750, True),
            (self.logs, _PRIVATE, False),
            (self.capabilities, _PRIVATE, False),
        ):
            if not os.path.isdir(path):
                makeFolders(path, mode)
                if theirs and owner is not None:
                    os.chown(path, *owner)
        if owner is not None:
            parent = os.path.dirname(self.channels)
            os.chown(parent, *owner)

    def guestFolder(self, id: int, name: str) -> str:
        """The private folder of one run."""
        return os.path.join(self.lib, shortName(id, name))

    def channelFolder(self, id: int, name: str) -> str:
        """Where the sockets of one run's channels lie."""
        return os.path.join(self.channels, shortName(id, name))

    def definition(self, name: str) -> str:
        return os.path.join(self.config, f"{name}.xml")

    def autostartLink(self, name: str) -> str:
        return os.path.join(self.autostart, f"{name}.xml")

    def status(self, name: str) -> str:
        return os.path.join(self.run, f"{name}.xml")

    def pid(self, name: str) -> str:
        return os.path.join(self.run, f"{name}.pid")

    def log(self, name: str) -> str:
        return os.path.join(self.logs, f"{name}.log")

    def managedSave(self, name: str) -> str:
        return os.path.join(self.save, f"{name}.save")
