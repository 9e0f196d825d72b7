"""
What a command line is, and what it depends on besides the guest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from pyvirt.definitions.values import definition
from pyvirt.drivers.qemu.fdgroups import Groups

__all__ = ["CommandLine", "HostSettings", "OpenFile", "Secret", "place"]


def place(name: str) -> str:
    """
    Return what stands in an argument for the number of a descriptor, until that is known.

    @param name: C{monitor} for the listening socket of the monitor, else that of an L{OpenFile}.
    """
    return f"\0{name}\0"


_PLACE = re.compile("\0([^\0]*)\0")


@definition
class OpenFile:
    """
    A file that is opened for the guest before it starts, so that it needs no right to open it itself.

    @ivar name: what L{place} calls it.
    @ivar flags: C{os.O_*}.
    @ivar mode: of the file, if it is created.
    @ivar listens: it is a socket that is listened on, made anew.
    """

    name: str
    path: str
    flags: int
    mode: int = 0o600
    listens: bool = False


@definition
class Secret:
    """
    Something secret that a guest needs.

    Its places in the arguments are C{place("secret:NAME:data")} and C{place("secret:NAME:iv")}: the value
    encrypted with the guest's master key (AES-256-CBC), and the initial vector, both in base64.

    @ivar name: of the object that holds it.
    @ivar kind: of the stored secret: C{volume}, C{ceph}, C{iscsi}, C{tls}, C{vtpm}.
    @ivar uuid, usage: which stored secret; None for one whose value is in C{value}.
    @ivar encoded: the value is put into base64 before it is encrypted.
    """

    name: str
    kind: str | None = None
    uuid: str | None = None
    usage: str | None = None
    value: str | None = None
    encoded: bool = False


@definition
class CommandLine:
    """
    How a guest is started.

    @ivar argv: the program and its arguments; L{place} stands for numbers of descriptors.
    @ivar environment: what is set besides what every command gets.
    @ivar files: what is to be opened.
    @ivar secrets: what is to be encrypted and put into the arguments.
    @ivar folders: what is to be made before it starts, and removed when it is gone.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = attrs.Factory(dict)
    files: tuple[OpenFile, ...] = ()
    secrets: tuple[Secret, ...] = ()
    folders: tuple[str, ...] = ()

    def placed(self, numbers: Mapping[str, int | str]) -> tuple[str, ...]:
        """
        Return the arguments with the numbers of descriptors, and encrypted secrets, in them.

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
    @ivar shown: the command line is for people to read: sockets are named by their paths.
    @ivar freezeCPU: start with the CPUs stopped (C{-S}), as is always done unless the command line is only shown.
    @ivar opensFiles: what ports write to is opened for the guest; C{opensSockets}: so are sockets that they listen on.
    @ivar sandbox: whether QEMU's own sandbox is on.
    @ivar vhost: aliases of the cards whose packets the host's kernel moves; None: of those that ask, or may.
    @ivar groups: by name, descriptors that are given as images.
    @ivar firstSet: the first number for a set of descriptors.
    @ivar settings: keys of qemu.conf with their values, defaults included (C{vnc_listen} and so on).
    """

    id: int = -1
    privileged: bool = True
    guestFolder: str = ""
    channelFolder: str = ""
    runFolder: str = "/run/libvirt/qemu"
    incoming: str | None = None
    shown: bool = False
    freezeCPU: bool = True
    opensFiles: bool = False
    opensSockets: bool = False
    sandbox: bool = True
    vhost: frozenset[str] | None = None
    groups: Groups = attrs.Factory(dict)
    firstSet: int = 0
    settings: Mapping[str, object] = attrs.Factory(dict)
