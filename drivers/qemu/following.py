"""
Guests whose memory follows after them (post-copy), at the source: waiting for the rest, and what there is to do when it
stops coming.

Then neither half of the guest is whole.  Both are kept, and nothing else may be done with them but to end them, until a
client takes the migration up again (C{VIR_MIGRATE_POSTCOPY_RESUME}).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import MigrationBegun
from pyvirt.drivers.qemu import ending
from pyvirt.drivers.qemu.migratable import formatMigratable
from pyvirt.drivers.qemu.migrationdata import Address
from pyvirt.drivers.qemu.refusals import failed, operationInvalid
from pyvirt.drivers.qemu.sending import connected, statisticsOf
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.domain import Domain
    from pyvirt.drivers.qemu.guest import Guest
    from pyvirt.drivers.qemu.hypervisor import Hypervisor
    from pyvirt.drivers.qemu.leaving import Leaver

__all__ = ["BROKEN", "FOLLOWING", "Following", "rest"]

#: What QEMU says of a migration while memory follows, and when it has stopped coming.
FOLLOWING = frozenset(("active", "device", "pre-switchover", "postcopy-active", "postcopy-recover"))
BROKEN = frozenset(("postcopy-paused",))


async def rest(guest: Guest) -> str:
    """
    Wait while memory follows.

    @return: C{completed}; C{ended}: the guest's process is gone; all else: it has stopped coming.
    """
    while True:
        waiting: Deferred[str] = Deferred()
        guest.migrated = waiting
        if guest.process is not None:
            guest.process.whenEnded().addCallback(_ended, waiting)
        word = await wordOf(guest)
        if word in FOLLOWING or waiting.called:
            word = await waiting
        elif guest.migrated is waiting:
            guest.migrated = None
        if word not in FOLLOWING:
            return word


def _ended(status: Any, waiting: Deferred[str]) -> None:
    if not waiting.called:
        waiting.callback("ended")


async def wordOf(guest: Guest) -> str:
    """Return what QEMU says of its migration; empty: nothing."""
    try:
        status = await guest.execute("query-migrate")
    except VirtError:
        return ""
    return str(status.get("status", "")) if isinstance(status, dict) else ""


class Following:
    """What L{Leaving} does about guests that run elsewhere already."""

    _hypervisor: Hypervisor

    def _cookie(self, domain: Domain, **more: Any) -> Any:
        raise NotImplementedError

    async def _forget(self, leaver: Leaver) -> None:
        raise NotImplementedError

    async def _follows(self, leaver: Leaver) -> None:
        """
        Wait for memory that follows a guest which runs elsewhere already.

        @raise VirtError: it does not follow; then neither half of the guest is whole.
        """
        guest, domain = leaver.guest, leaver.domain
        word = await rest(guest)
        if word == "completed":
            await self._counted(leaver)
        if word in ("completed", "ended") or domain.guest is not guest:
            return
        self._halfGone(leaver)
        raise failed("job 'migration out' failed in post-copy phase")

    async def _counted(self, leaver: Leaver) -> None:
        """Count what has followed."""
        if leaver.job is None or leaver.statistics is None or leaver.guest.monitor is None:
            return
        try:
            status = await leaver.guest.execute("query-migrate")
        except VirtError:
            return
        if isinstance(status, dict):
            leaver.job.statistics = {**leaver.job.statistics, **status}
            numbers = (await statisticsOf(self._hypervisor, leaver)).numbers
            # It stood still until it ran there, not until all had followed.
            name = c.VIR_DOMAIN_JOB_DOWNTIME
            numbers[name] = leaver.statistics.numbers.get(name, 0)
            leaver.statistics = attrs.evolve(leaver.statistics, numbers=numbers)

    def _halfGone(self, leaver: Leaver) -> None:
        """What is here is not the whole guest any more, and must not go on; it is kept from changes until it ends."""
        hypervisor, domain, guest = self._hypervisor, leaver.domain, leaver.guest
        if leaver.half or domain.guest is not guest:
            return
        leaver.half = True
        leaver.busy = False
        leaver.connection = None
        hypervisor.setState(domain, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED)
        hypervisor.tell(
            domain, c.VIR_DOMAIN_EVENT_SUSPENDED, c.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED
        )
        self._keep(leaver)

    def _keep(self, leaver: Leaver) -> None:
        """Keep what is here until it ends, and end it if all of it gets there though nobody asks any more."""
        hypervisor = self._hypervisor
        if leaver.guest.process is not None and not leaver.kept:
            leaver.kept = True
            leaver.guest.process.whenEnded().addCallback(
                lambda _: hypervisor.later(self._forget(leaver))
            )
        hypervisor.later(self._unattended(leaver))

    async def _unattended(self, leaver: Leaver) -> None:
        hypervisor, domain, guest = self._hypervisor, leaver.domain, leaver.guest
        word = await rest(guest)
        if leaver.busy or domain.guest is not guest or word == "ended":
            return  # somebody has taken it up again and follows it, or it is over
        if word != "completed":
            if not leaver.half:
                self._halfGone(leaver)
            return
        await self._counted(leaver)
        await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_MIGRATED)
        hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_MIGRATED)
        await self._forget(leaver)
        ending.forget(hypervisor, domain)

    # Taking it up again

    def _broken(self, domain: Domain) -> Leaver:
        """
        Find the migration that is to be taken up again.

        @raise VirtError: there is none, or nothing is wrong with it.
        """
        leaver = self._hypervisor.leaving.get(domain.uuid)
        if leaver is None or leaver.job is None:
            raise operationInvalid(f"domain '{domain.name}' is not being migrated")
        if leaver.busy and leaver.connection is None:
            raise operationInvalid(
                f"migration of domain {domain.name} is being actively monitored by another thread"
            )
        if not leaver.follows:
            raise operationInvalid(f"migration of domain {domain.name} is not in post-copy phase")
        if leaver.busy and leaver.half:
            raise operationInvalid(
                f"resuming failed post-copy migration of domain {domain.name} already in progress"
            )
        if not leaver.half:
            raise operationInvalid(f"post-copy migration of domain {domain.name} has not failed")
        return leaver

    def _beginAgain(self, domain: Domain) -> MigrationBegun:
        leaver = self._broken(domain)
        xml = formatMigratable(domain.definition, leaver.guest.askedCPU)
        return MigrationBegun(self._cookie(domain).encode(), xml)

    async def _performAgain(self, leaver: Leaver, address: Address) -> None:
        """
        Send the rest.

        @raise VirtError: the destination does not take it; nothing has changed.
        """
        hypervisor, domain, guest = self._hypervisor, leaver.domain, leaver.guest
        reactor: Any = hypervisor.clock
        fd = await deferToThreadPool(reactor, reactor.getThreadPool(), connected, address)
        try:
            await guest.execute("getfd", {"fdname": "migrate"}, fds=[fd])
            waiting: Deferred[str] = Deferred()
            guest.migrated = waiting
            assert guest.process is not None
            guest.process.whenEnded().addCallback(_ended, waiting)
            await guest.execute("migrate", {"uri": "fd:migrate", "detach": True, "resume": True})
        finally:
            os.close(fd)
        while True:
            word = await wordOf(guest)
            if word != "postcopy-recover" or domain.guest is not guest:
                break
            waiting = guest.migrated = Deferred()
            guest.process.whenEnded().addCallback(_ended, waiting)
            if await wordOf(guest) == "postcopy-recover":
                await waiting
        if domain.guest is not guest:
            raise failed("domain is not running")
        if word not in ("postcopy-active", "completed"):
            raise failed("job 'migration out' failed in post-copy phase")
        leaver.half = False
        hypervisor.setState(domain, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_POSTCOPY)
        hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_SUSPENDED, c.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY)
