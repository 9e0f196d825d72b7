"""
What a command line is, and what it depends on besides the guest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

__all__ = ["CommandLine", "HostSettings", "OpenFile", "place"]


def place(name: str) -> str:
    """
    Return what stands in an argument for the number of a descriptor, until that is known.

    @param name: C{monitor} for the listening socket of the monitor, else that of an L{OpenFile}.
    """
    return f"\0{name}\0"


_PLACE = re.compile("\0([^\0]*)\0")


@attrs.frozen(kw_only=True)
class OpenFile:
    """
    A file that is opened for the guest before it starts, so that it needs no right to open it itself.

    @ivar name: what L{place} calls it.
    @ivar flags: C{os.O_*}.
    @ivar mode: of the file, if it is created.
    """

    name: str
    path: str
    flags: int
    mode: int = 0o600


@attrs.frozen(kw_only=True)
class CommandLine:
    """
    How a guest is started.

    @ivar argv: the program and its arguments; L{place} stands for numbers of descriptors.
    @ivar environment: what is set besides what every command gets.
    @ivar files: what is to be opened.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = attrs.Factory(dict)
    files: tuple[OpenFile, ...] = ()

    def placed(self, numbers: Mapping[str, int]) -> tuple[str, ...]:
        """
        Return the arguments with the numbers of descriptors in them.

        @raise KeyError: one is not there.
        """
        return tuple(_PLACE.sub(lambda match: str(numbers[match[1]]), each) for each in self.argv)


@attrs.frozen(kw_only=True)
class HostSettings:
    """
    What a command line depends on besides the guest and its binary.

    @ivar id: the number that the guest runs by.
    @ivar privileged: whether this is the system's driver.
    @ivar guestFolder: the private folder of this run (C{/var/lib/libvirt/qemu/domain-1-NAME}): master key, sockets.
    @ivar channelFolder: where sockets of channels lie that name no path.
    @ivar runFolder: C{/run/libvirt/qemu}.
    @ivar incoming: what C{-incoming} gets; None: the guest boots.
    @ivar freezeCPU: start with the CPUs stopped (C{-S}), as is always done unless the command line is only shown.
    @ivar sandbox: whether QEMU's own sandbox is on.
    @ivar settings: keys of qemu.conf with their values, defaults included (C{vnc_listen} and so on).
    """

    id: int = -1
    privileged: bool = True
    guestFolder: str = ""
    channelFolder: str = ""
    runFolder: str = "/run/libvirt/qemu"
    incoming: str | None = None
    freezeCPU: bool = True
    sandbox: bool = True
    settings: Mapping[str, object] = attrs.Factory(dict)
