"""
Leases of guests: taken before a guest opens its disks, let go while it is paused, had again before it goes on.

Which lock manager gives them C{lock_manager} in qemu.conf says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.interfaces.locking import Guest as Holder
from pyvirt.drivers.interfaces.locking import Launch, Lockable
from pyvirt.drivers.qemu.blocks.chain import chain
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.errors import ErrorCode, VirtError

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
    "settle",
    "take",
    "wanted",
]

log = Logger()


def lockable(definition: DomainDefinition) -> list[Lockable]:
    """Say what a guest writes to: disks that are not read-only, and the leases that it names."""
    found = []
    for disk in definition.devices.disks:
        source: Any = disk.source
        path = getattr(source, "file", None) or getattr(source, "dev", None)
        if path and not disk.readonly and disk.device in (None, "disk", "lun"):
            # Of an image that others share nobody writes anything but what is laid over it.
            sharing = disk.transient is not None and bool(disk.transient.shareBacking)
            found.append(Lockable(path, shared=bool(disk.shareable) or sharing))
    found += [
        Lockable(
            each.target.path,
            key=each.key,
            offset=each.target.offset or 0,
            space=each.lockspace or "",
        )
        for each in definition.devices.leases
        if each.target is not None and each.target.path is not None
    ]
    return found


def wanted(domain: Domain, guest: Guest) -> list[Lockable]:
    """Say what a guest that runs writes to just now: also where data of its disks is copied or merged to."""
    found = lockable(domain.definition)
    for disk in domain.definition.devices.disks:
        if disk.mirror is not None:
            found += images(disk, disk.mirror.source)
        target = None if disk.target is None else disk.target.dev
        job = guest.blockJobs.get(target or "")
        if job is not None and job.kind == "commit":
            found += [
                each
                for image in chain(disk)
                if image.index == job.base
                for each in images(disk, image.source)
            ]
    return found


def images(disk: Any, source: Any) -> list[Lockable]:
    """Say what a lease is for on an image that belongs to a disk."""
    path = getattr(source, "file", None) or getattr(source, "dev", None)
    return [Lockable(path, shared=bool(disk.shareable))] if path else []


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
    guest.holds = list(resources)
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
        if guest.owed:
            # The lock manager did not hear of it, and may think that the guest holds them.
            await _settled(hypervisor.locks.release(_holder(domain, guest), guest.owed))
            guest.owed = []
        resources = wanted(domain, guest)
        await _settled(hypervisor.locks.acquire(_holder(domain, guest), resources))
        guest.leased = True
        guest.holds = resources


async def release(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """Let the leases of a guest go that is paused."""
    async with guest.leasing:
        if not guest.leased or guest.dying:
            return
        try:
            guest.owed += guest.holds
            await _settled(hypervisor.locks.release(_holder(domain, guest), guest.owed))
            guest.owed = []
        except VirtError as error:
            # It may keep them, which does no harm but to those who wait; or they are lost with the lock manager.
            log.warn("leases of {name} were not released: {error}", name=domain.name, error=error)
        guest.leased = False
        guest.holds = []


async def _acquire(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, more: list[Lockable]
) -> None:
    """
    Get leases besides those that a guest has.

    @raise VirtError: somebody else has one, or the lock manager does not say; the guest has none of them.
    """
    holder = _holder(domain, guest)
    try:
        await _settled(hypervisor.locks.acquire(holder, more))
    except VirtError as error:
        if error.code != ErrorCode.RESOURCE_BUSY and domain.guest is guest:
            # It may have given them, and its answer may have been lost.
            unsure = [each for each in more if each not in guest.holds]
            try:
                await _settled(hypervisor.locks.release(holder, unsure))
            except VirtError:
                guest.owed += unsure
        raise
    guest.holds += more


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
        await _acquire(hypervisor, domain, guest, resources)
        return True


async def releaseSome(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, some: DomainDefinition
) -> None:
    """Let the leases of something go that a guest has no more."""
    async with guest.leasing:
        resources = lockable(some)
        if not guest.leased or not resources:
            return
        guest.holds = list((Counter(guest.holds) - Counter(resources)).elements())
        try:
            await _settled(hypervisor.locks.release(_holder(domain, guest), resources))
        except VirtError as error:
            log.warn("leases of {name} were not released: {error}", name=domain.name, error=error)


async def take(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, disk: Any, source: Any
) -> None:
    """
    Get the lease of an image that a disk's data is about to go to; L{settle} sees to what is held in the end.

    @raise VirtError: somebody else has it.
    """
    async with guest.leasing:
        more = [each for each in images(disk, source) if each not in guest.holds]
        if not hypervisor.hasLocks or not guest.leased or disk.readonly or not more:
            return
        await _acquire(hypervisor, domain, guest, more)


async def settle(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """Disks have become others: hold the leases of what is written to now, and no others."""
    async with guest.leasing:
        if not hypervisor.hasLocks or not guest.leased or guest.dying:
            return
        now, held = Counter(wanted(domain, guest)), Counter(guest.holds)
        missing, surplus = list((now - held).elements()), list((held - now).elements())
        holder = _holder(domain, guest)
        try:
            if missing:
                await _acquire(hypervisor, domain, guest, missing)
            if surplus:
                await _settled(hypervisor.locks.release(holder, surplus))
                guest.holds = list((Counter(guest.holds) - Counter(surplus)).elements())
        except VirtError as error:
            log.error("leases of {name} are in danger: {error}", name=domain.name, error=error)


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
    guest.holds = wanted(domain, guest)
    try:
        await _settled(hypervisor.locks.adopt(_holder(domain, guest)))
    except VirtError as error:
        log.error("leases of {name} are in danger: {error}", name=domain.name, error=error)
    if not running:
        await release(hypervisor, domain, guest)
