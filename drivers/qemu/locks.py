"""
Leases of guests: taken before a guest opens its disks, let go while it is paused, had again before it goes on.

Which lock manager gives them C{lock_manager} in qemu.conf says.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.interfaces.locking import Guest as Holder
from pyvirt.drivers.interfaces.locking import Launch, Lockable
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = [
    "acquireMore",
    "adopt",
    "launch",
    "lease",
    "letGo",
    "lockable",
    "regain",
    "release",
    "releaseSome",
]

log = Logger()


def lockable(definition: DomainDefinition) -> list[Lockable]:
    """Say what a guest writes to: disks that are not read-only, and the leases that it names."""
    found = []
    for disk in definition.devices.disks:
        source: Any = disk.source
        path = getattr(source, "file", None) or getattr(source, "dev", None)
        if path and not disk.readonly and disk.device in (None, "disk", "lun"):
            found.append(Lockable(path, shared=bool(disk.shareable)))
    found += [
        Lockable(each.target.path, key=each.key, offset=each.target.offset or 0)
        for each in definition.devices.leases
        if each.target is not None and each.target.path is not None
    ]
    return found


def _holder(domain: Domain, guest: Guest) -> Holder:
    return Holder(formatUUID(domain.uuid), domain.name, guest.id, guest.pid)


async def _settled(answer: Any) -> Any:
    return await answer if isinstance(answer, Awaitable) else answer


async def launch(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, definition: DomainDefinition, now: bool
) -> Launch:
    """
    Tell how to spawn a guest.

    @param now: with its leases; else it gets them before its CPUs run.
    """
    resources = lockable(definition) if now else []
    guest.leased = now
    made: Launch = await _settled(hypervisor.locks.launch(_holder(domain, guest), resources))
    return made


async def lease(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """
    Get the leases of a guest that is about to go on.

    @raise VirtError: somebody else has one: it stays paused.
    """
    async with guest.leasing:
        if guest.leased:
            return
        resources = lockable(domain.definition)
        await _settled(hypervisor.locks.acquire(_holder(domain, guest), resources))
        guest.leased = True


async def release(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """Let the leases of a guest go that is paused."""
    async with guest.leasing:
        if not guest.leased or guest.dying:
            return
        resources = lockable(domain.definition)
        try:
            await _settled(hypervisor.locks.release(_holder(domain, guest), resources))
        except VirtError as error:
            # It keeps them, which does no harm but to those who wait.
            log.warn("leases of {name} were not released: {error}", name=domain.name, error=error)
            return
        guest.leased = False


async def acquireMore(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, more: DomainDefinition
) -> bool:
    """
    Get the leases of what is plugged into a guest; one that is paused gets them when it goes on.

    @param more: has only what is plugged in.
    @return: whether there was anything to get.
    @raise VirtError: somebody else has one.
    """
    async with guest.leasing:
        resources = lockable(more)
        if not guest.leased or not resources:
            return False
        await _settled(hypervisor.locks.acquire(_holder(domain, guest), resources))
        return True


async def releaseSome(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, some: DomainDefinition
) -> None:
    """Let the leases of something go that a guest has no more."""
    async with guest.leasing:
        resources = lockable(some)
        if not guest.leased or not resources:
            return
        try:
            await _settled(hypervisor.locks.release(_holder(domain, guest), resources))
        except VirtError as error:
            log.warn("leases of {name} were not released: {error}", name=domain.name, error=error)


def letGo(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """
    A guest has been paused: let its leases go, unless nothing has any.

    One that is being moved keeps them until all of it has been sent: if it is not, QEMU lets it go on by itself.
    """
    if hypervisor.hasLocks and not guest.starting and not guest.leaving:
        hypervisor.later(release(hypervisor, domain, guest))


def regain(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """A guest goes on by itself, or because somebody told QEMU: see to it that it has its leases, or stands still."""
    if hypervisor.hasLocks and not guest.starting and not guest.leased and not guest.dying:
        hypervisor.later(_regain(hypervisor, domain, guest))


async def _regain(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    try:
        await lease(hypervisor, domain, guest)
    except VirtError as error:
        if domain.guest is not guest:
            return
        log.error("{name} went on without its leases: {error}", name=domain.name, error=error)
        await guest.execute("stop")


async def adopt(hypervisor: Hypervisor, domain: Domain, guest: Guest, running: bool) -> None:
    """A guest was found again: see to it that what it has it keeps; paused, it is to have nothing."""
    guest.leased = True
    try:
        await _settled(hypervisor.locks.adopt(_holder(domain, guest)))
    except VirtError as error:
        log.error("leases of {name} are in danger: {error}", name=domain.name, error=error)
    if not running:
        await release(hypervisor, domain, guest)
