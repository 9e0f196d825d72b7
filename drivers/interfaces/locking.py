"""
Lock managers: leases on what a guest writes to, held from before the guest opens it until it is gone.

A lock manager is a plugin, found through the entry-point group C{pyvirt.lockmanagers}; the configuration of a
hypervisor driver names the one to use.  The driver's part: what it spawns as a guest it spawns through what
L{ILockManager.launch} returns; it releases when a guest pauses, and acquires before it resumes; in a migration the
source releases once it is paused, and the destination acquires before the guest's CPUs run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from zope.interface import Attribute, Interface

from pyvirt.drivers.interfaces.values import Answer

__all__ = ["Guest", "ILockManager", "ILockManagerFactory", "Launch", "Lockable"]


class Guest(NamedTuple):
    """
    Who holds leases.

    @ivar uuid: the domain's, as text.
    @ivar pid: of its process; 0: it is not started yet.
    """

    uuid: str
    name: str
    id: int
    pid: int = 0


class Lockable(NamedTuple):
    """
    What a lease is for: a disk, or a lease that the definition names.

    @ivar path: of the disk's image or device; for a named lease, its target.
    @ivar shared: other guests may write to it too.
    @ivar key: of a named lease; None: this is a disk.
    @ivar offset: of a named lease in its target, bytes.
    @ivar space: of a named lease, the lock space that its definition names, empty for none.
    """

    path: str
    shared: bool = False
    key: str | None = None
    offset: int = 0
    space: str = ""


class Launch(NamedTuple):
    """
    How to spawn a guest so that its leases live as long as it.

    @ivar prefix: what comes before the guest's own argument list; it becomes the guest's process, with the same
        number, once the leases are there.
    @ivar environment: variables that it needs besides the guest's own.
    """

    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}


class ILockManager(Interface):
    """Leases for the guests of one driver."""

    def launch(guest: Guest, resources: Sequence[Lockable]) -> Answer[Launch]:
        """
        Tell how to spawn a guest that holds leases before its program runs.

        If they cannot be had, what was spawned ends with status 71 and tells why, in a line that L{explain}
        reads, on standard error.

        @param resources: none: the guest holds nothing yet, and acquires later.
        """

    def explain(output: bytes) -> Exception | None:
        """
        Find in what a guest's process has printed why its leases were not to be had.

        @return: a C{VirtError}, or None: this was not the reason for its end.
        """

    def acquire(guest: Guest, resources: Sequence[Lockable]) -> Answer[None]:
        """
        Give leases to a guest that runs: before it resumes, or opens one disk more.  All or none.

        @raise ResourceBusy: somebody else holds one.
        """

    def release(guest: Guest, resources: Sequence[Lockable]) -> Answer[None]:
        """Take leases back: a guest is paused, or has closed a disk.  What it does not hold is no error."""

    def adopt(guest: Guest) -> Answer[None]:
        """A driver that was started anew has found a guest that runs: see to it that its leases live on."""


class ILockManagerFactory(Interface):
    """What an entry point of the group C{pyvirt.lockmanagers} names."""

    name = Attribute("The plugin's name, as configurations have it.")

    def make(reactor: object, root: str, privileged: bool, driver: str) -> ILockManager:
        """
        Make the lock manager of a driver.

        @param root: the folder that stands for C{/}.
        @param driver: its configuration is C{/etc/libvirt/<driver>-<name>.conf}.
        @raise ConfigError: that file is wrong.
        """
