"""
Migrations in whose middle the daemon ended, when it starts again: what becomes of the guest here.

A guest that was to come goes, for its source lets it go on, unless it runs here and the rest of its memory follows.  One
that was being sent goes on; once it has been sent, it stays paused until it is known that it does not run elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.drivers.peertopeer import Leader
from pyvirt.drivers.qemu import ending, locks, starting
from pyvirt.drivers.qemu.arriving import COMING, FOLLOWED, Arrival
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.following import BROKEN, FOLLOWING, wordOf
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.leaving import GONE, SENT, STAYS, Leaver
from pyvirt.drivers.qemu.migration import DomainMigration
from pyvirt.drivers.refusals import Refusals
from pyvirt.errors import ErrorDomain, VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor
    from pyvirt.drivers.qemu.store import Status

__all__ = ["doomed", "takeUp"]

log = Logger()

_IN, _OUT = c.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN, c.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT
#: What QEMU says only of migrations whose memory follows the guest.
_POSTCOPY = frozenset(word for word in FOLLOWING | BROKEN if word.startswith("postcopy"))
_AFTER = {
    (c.VIR_DOMAIN_RUNNING, c.VIR_DOMAIN_RUNNING_POSTCOPY),
    (c.VIR_DOMAIN_RUNNING, c.VIR_DOMAIN_RUNNING_POSTCOPY_FAILED),
    (c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_POSTCOPY),
    (c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED),
}


def doomed(status: Status, state: int, reason: int) -> bool:
    """Whether a guest was to come, and nobody was told that it runs; its memory does not follow, as far as is known."""
    return status.phase == COMING and (state, reason) not in _AFTER


async def takeUp(hypervisor: Hypervisor, domain: Domain, guest: Guest, status: Status) -> bool:
    """
    Look at the migration that a guest was in.

    @return: whether that has decided what becomes of the guest; False: go on as with any other.
    @raise VirtError: QEMU does not answer.
    """
    if status.job is None:
        return False
    word = await wordOf(guest)
    after = word in _POSTCOPY or (domain.state, domain.reason) in _AFTER
    if status.phase in (COMING, FOLLOWED):
        if after or status.phase == FOLLOWED:
            await _comes(hypervisor, domain, guest, status)
        elif word == "completed" and status.flags & c.VIR_MIGRATE_POSTCOPY:
            await _mayBeAll(hypervisor, domain, guest)
        else:
            log.warn("{name} was to come from another host: ending it", name=domain.name)
            await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_FAILED)
            ending.forget(hypervisor, domain)
        return True
    if not after and status.phase not in (SENT, GONE, STAYS):
        return False
    steps = DomainMigration(hypervisor, None)
    leaver = Leaver(domain, guest, status.flags, sent=True, peer=status.peer, follows=after)
    if status.phase == GONE:
        await _gone(hypervisor, steps, leaver)
        return True
    held = domain.jobs.longer("remoteDispatchDomainMigrateConfirm3Params", _OUT)
    job = leaver.job = await held.__aenter__()
    leaver.held = held
    job.phase, job.flags, job.peer = status.phase or SENT, status.flags, status.peer
    hypervisor.leaving[domain.uuid] = leaver
    guest.leaving = True
    if after:
        if domain.reason != c.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED:
            domain.state, domain.reason = c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_POSTCOPY
        else:
            leaver.half = True
        steps._keep(leaver)
        return True
    leaver.paused = True
    domain.state, domain.reason = c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_MIGRATION
    if status.phase == STAYS:
        await steps._stays(leaver)
    elif leaver.peer:
        hypervisor.later(_asked(hypervisor, steps, leaver))
    else:
        await steps._forget(leaver)
    return True


async def _mayBeAll(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """
    A guest has come while nobody looked, and nobody knows whether it was meant to run before all of it was here.

    If it was, there is no other any more.  Its leases tell; without any it stays paused.
    """
    if hypervisor.hasLocks and locks.lockable(domain.definition):
        try:
            await starting.goOn(hypervisor, domain, guest, c.VIR_DOMAIN_RUNNING_POSTCOPY)
        except VirtError as error:
            log.warn("{name} goes on where it came from: {error}", name=domain.name, error=error)
            await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_FAILED)
            ending.forget(hypervisor, domain)
            return
        hypervisor.setState(domain, domain.state, c.VIR_DOMAIN_RUNNING_MIGRATED)
        return
    log.error("{name} has come, and may run where it came from: it stays paused", name=domain.name)
    hypervisor.setState(domain, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED)


async def _gone(hypervisor: Hypervisor, steps: DomainMigration, leaver: Leaver) -> None:
    domain = leaver.domain
    await ending.stop(hypervisor, domain, leaver.guest, c.VIR_DOMAIN_SHUTOFF_MIGRATED)
    hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_MIGRATED)
    steps._removed(domain, leaver.flags)


async def _asked(hypervisor: Hypervisor, steps: DomainMigration, leaver: Leaver) -> None:
    """Ask the destination whether the guest runs there: it does, or it goes on here, or nobody knows."""
    domain = leaver.domain
    config = hypervisor.config
    leader = Leader(
        hypervisor.clock,
        Refusals(ErrorDomain.QEMU),
        (config["keepalive_interval"], config["keepalive_count"]),
        lambda: hypervisor.stopping or domain.guest is not leaver.guest,
    )
    runs = await leader.ask(domain.uuid, leaver.peer)
    if domain.guest is not leaver.guest:
        await steps._forget(leaver)
    elif runs is None:
        log.error(
            "{name} was sent to {uri}, which does not answer: it stays paused here",
            name=domain.name,
            uri=leaver.peer,
        )
        await steps._forget(leaver)
    elif runs:
        await steps._forget(leaver)
        await _gone(hypervisor, steps, leaver)
    else:
        await steps._stays(leaver)


async def _comes(hypervisor: Hypervisor, domain: Domain, guest: Guest, status: Status) -> None:
    """The guest's other half has been given up where it came from: it goes on, here or nowhere."""
    steps = DomainMigration(hypervisor, None)
    arrival = Arrival(
        domain, guest, domain.persistent, domain.definition, domain.name, status.flags
    )
    held = domain.jobs.longer("remoteDispatchDomainMigrateFinish3Params", _IN)
    job = arrival.job = await held.__aenter__()
    arrival.held = held
    job.phase, job.flags = COMING, status.flags
    arrival.follows = arrival.finishing = True
    hypervisor.arriving[domain.name] = arrival
    assert guest.process is not None
    guest.process.whenEnded().addCallback(lambda _: hypervisor.later(steps._release(arrival)))
    if domain.state != c.VIR_DOMAIN_RUNNING:
        await starting.goOn(hypervisor, domain, guest, c.VIR_DOMAIN_RUNNING_POSTCOPY)
        hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_RESUMED, c.VIR_DOMAIN_EVENT_RESUMED_POSTCOPY)
    if domain.reason == c.VIR_DOMAIN_RUNNING_POSTCOPY_FAILED:
        arrival.half = True
    else:
        hypervisor.later(_restAlone(steps, arrival, guest))


async def _restAlone(steps: Any, arrival: Arrival, guest: Guest) -> None:
    try:
        await steps._restFollows(arrival, guest)
    except VirtError as error:
        log.error("{name}: {error}", name=arrival.domain.name, error=error)
        return
    await steps._release(arrival)
