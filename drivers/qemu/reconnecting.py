"""
What a daemon does about guests when it starts: read what is defined, find what runs, start what starts with the host.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.filestore import firstSinceBoot
from pyvirt.drivers.interfaces.inside import IAssignedDevices
from pyvirt.drivers.qemu import ending, happenings, locks
from pyvirt.drivers.qemu.assigning import adoptDevices
from pyvirt.drivers.qemu.blocks.jobs import BlockJob, refreshJobs
from pyvirt.drivers.qemu.blocks.recognizing import recognize
from pyvirt.drivers.qemu.bridging import plugAgain
from pyvirt.drivers.qemu.connecting import (
    connectAgent,
    connectMonitor,
    learnBalloon,
    learnTaken,
)
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.guestlogs import logsOf
from pyvirt.drivers.qemu.hookscripts import announce
from pyvirt.drivers.qemu.jobs import LongJob
from pyvirt.drivers.qemu.labels import ownerOf
from pyvirt.drivers.qemu.live import (
    learnChardevs,
    learnDrives,
    named,
    reclaimPorts,
)
from pyvirt.drivers.qemu.migrationparams import reset
from pyvirt.drivers.qemu.momentfiles import loadMoments
from pyvirt.drivers.qemu.netfilters import bindFilters
from pyvirt.drivers.qemu.networking import reserveNames
from pyvirt.drivers.qemu.ownership import completed, recipient
from pyvirt.drivers.qemu.perfevents import openEvents
from pyvirt.drivers.qemu.placement import adoptGroup
from pyvirt.drivers.qemu.plugging.noticing import noticeGone
from pyvirt.drivers.qemu.qmp import MonitorEvent
from pyvirt.drivers.qemu.statewords import reasonNumber, stateNumber
from pyvirt.drivers.qemu.store import Status
from pyvirt.drivers.qemu.unclaimed import endUnclaimed
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["autostart", "findAgain", "loadDefinitions", "reloadDefinitions"]

log = Logger()

#: Seconds within which QEMU gives up to send memory, and what it says while it has not.
_ENDING = 30.0
_UNDER_WAY = frozenset(("setup", "active", "device", "pre-switchover", "cancelling"))


def loadDefinitions(hypervisor: Hypervisor) -> None:
    """Read what is defined."""
    for _, definition, known in _defined(hypervisor):
        if known is None:
            _added(hypervisor, definition)


def reloadDefinitions(hypervisor: Hypervisor) -> None:
    """Read what others have defined meanwhile; what they have removed stays, as does what is just being changed."""
    for name, definition, known in _defined(hypervisor):
        if known is None:
            domain = _added(hypervisor, definition)
            hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_DEFINED, c.VIR_DOMAIN_EVENT_DEFINED_ADDED)
        elif known.jobs.free and not known.unwritten:
            if known.active:
                known.pending = definition
            else:
                known.definition = definition
            known.persistent = True
            known.autostart = hypervisor.store.autostarts(name)


def _defined(
    hypervisor: Hypervisor,
) -> Iterator[tuple[str, DomainDefinition, Domain | None]]:
    """Iterate over what is defined on disk, and the domains that are known by that name and UUID."""
    for name, definition in hypervisor.store.definitions():
        try:
            yield name, definition, hypervisor.domains.check(definition)
        except VirtError as error:
            log.error("{name} is left out: {error}", name=name, error=error)


def _added(hypervisor: Hypervisor, definition: DomainDefinition) -> Domain:
    domain = hypervisor.domains.add(definition)
    domain.persistent = True
    domain.autostart = hypervisor.store.autostarts(domain.name)
    loadMoments(hypervisor, domain)
    domain.managedSave = os.path.exists(hypervisor.layout.managedSave(domain.name))
    return domain


async def findAgain(hypervisor: Hypervisor) -> None:
    """Find the guests that an earlier life of the daemon left running, and what happened meanwhile."""
    waiting = []
    # Who keeps devices of the host is there before anybody wants one.
    hypervisor.companion(IAssignedDevices)
    if hypervisor.privileged:
        endUnclaimed(hypervisor.layout.lib, hypervisor.store.statusNames())
    for name, status in list(hypervisor.store.statuses()):
        try:
            known = hypervisor.domains.check(status.definition)
        except VirtError as error:
            log.error("{name}, which runs, is left alone: {error}", name=name, error=error)
            continue
        domain = known or hypervisor.domains.add(status.definition)
        if known is None:
            loadMoments(hypervisor, domain)
        if domain.active:
            continue
        hypervisor.lastID = max(hypervisor.lastID, status.id)
        # Who asks before all is known is not to be told that it does not run.
        _setState(domain, status)
        waiting.append(Deferred.fromCoroutine(_findAgain(hypervisor, domain, status)))
    await gatherResults(waiting)


def _setState(domain: Domain, status: Status) -> None:
    state = stateNumber(status.state)
    domain.state, domain.reason = state, reasonNumber(state, status.reason)
    if status.job is None:
        # Most guests are in the middle of nothing, and what moves guests is not loaded for them.
        return
    from pyvirt.drivers.qemu.unfinished import doomed

    if doomed(status, domain.state, domain.reason):
        domain.state, domain.reason = c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_MIGRATION


async def _findAgain(hypervisor: Hypervisor, domain: Domain, status: Status) -> None:
    try:
        await _reconnect(hypervisor, domain, status)
    except Exception:
        log.failure("{name} could not be found again", name=domain.name)


async def _reconnect(hypervisor: Hypervisor, domain: Domain, status: Status) -> None:
    definition = named(status.definition)
    capabilities = await hypervisor.capabilities(definition)
    guest = Guest(status.id, status.folder, status.channels, capabilities)
    guest.pid = status.pid
    guest.vcpuThreads = dict(status.vcpuThreads)
    guest.taints = list(status.taints)
    guest.agentTimeout = domain.agentTimeout = status.agentTimeout
    guest.fakeReboot = status.fakeReboot
    guest.thresholds = True
    guest.taken = completed(status.taken, definition)
    guest.overlays = list(status.overlays)
    guest.unbound = set(status.unbound)
    guest.lockedBefore = status.lockedBefore
    guest.owner = ownerOf(definition, hypervisor.owner)
    guest.recipient = recipient(hypervisor, guest, definition)
    guest.volumes = dict(status.volumes)
    guest.askedCPU = status.askedCPU
    _restoreJobs(hypervisor, domain, guest, status)
    if domain.persistent:
        domain.pending = domain.definition
    domain.definition = definition
    domain.guest = guest
    adoptGroup(hypervisor, domain, guest)
    adoptDevices(hypervisor, definition, guest)
    openEvents(definition, guest, quietly=True)
    hypervisor.domains.identify(domain, status.id)
    _setState(domain, status)
    state = domain.state
    reclaimPorts(hypervisor, definition, guest)
    reserveNames(hypervisor, definition)
    running = hypervisor.processes.adopt(status.pid, status.started or None)
    guest.process = running
    if running is None:
        # It has ended while nobody looked.
        await _ended(hypervisor, domain, guest)
        return
    for each in logsOf(definition):
        hypervisor.logs.follow(hypervisor.layout.log(each))
    running.whenEnded().addCallback(lambda _: ending.processEnded(hypervisor, domain, guest))
    if hypervisor.hasLocks:
        await locks.adopt(hypervisor, domain, guest, state != c.VIR_DOMAIN_PAUSED)
    definition = domain.definition = await plugAgain(hypervisor, definition)
    await bindFilters(hypervisor, definition)
    try:
        await connectMonitor(hypervisor, domain, guest)
        reply = await guest.execute("query-status")
        if state == c.VIR_DOMAIN_PAUSED and domain.reason == c.VIR_DOMAIN_PAUSED_STARTING_UP:
            # The daemon ended while it started this guest: nobody was told that it runs.
            log.warn("{name} was being started: ending it", name=domain.name)
            await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_FAILED)
            ending.forget(hypervisor, domain)
            return
        if not await _takeUp(hypervisor, domain, guest, status):
            await _settle(hypervisor, domain, guest, status, reply)
        elif domain.guest is guest:
            await _learn(hypervisor, domain, guest)
        if domain.guest is guest:
            await _welcome(hypervisor, domain, guest)
        if domain.guest is guest:
            await refreshJobs(hypervisor, domain, guest)
            await noticeGone(hypervisor, domain, guest)
            await locks.settle(hypervisor, domain, guest)
    except VirtError as error:
        log.error("{name} does not answer: {error}", name=domain.name, error=error)
        if not running.isRunning():
            await _ended(hypervisor, domain, guest)
            return
        guest.broken = guest.monitor is None
    guest.starting = False
    if not running.isRunning():
        ending.endByItself(hypervisor, domain, guest)
    elif domain.state == c.VIR_DOMAIN_RUNNING:
        locks.regain(hypervisor, domain, guest)
    hypervisor.saveStatus(domain)


async def _takeUp(hypervisor: Hypervisor, domain: Domain, guest: Guest, status: Status) -> bool:
    if status.job is None:
        return False
    from pyvirt.drivers.qemu.unfinished import takeUp

    return await takeUp(hypervisor, domain, guest, status)


async def _ended(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    guest.starting = False
    ending.endByItself(hypervisor, domain, guest)


async def _settle(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, status: Status, reply: object
) -> None:
    """Bring what is known of a guest up to date with what it says of itself."""
    word = str(reply.get("status", "")) if isinstance(reply, dict) else ""
    if status.job is not None and status.backup is None:
        await _giveUpJob(hypervisor, guest)
    if any(job.kind == "migration" for job in guest.blockJobs.values()):
        from pyvirt.drivers.qemu.storagecopy import abandon

        await abandon(hypervisor, domain, guest)
    if word == "running":
        if domain.state != c.VIR_DOMAIN_RUNNING:
            domain.state, domain.reason = c.VIR_DOMAIN_RUNNING, c.VIR_DOMAIN_RUNNING_UNPAUSED
    elif word == "shutdown":
        guest.starting = False
        happened = MonitorEvent("SHUTDOWN", {"guest": True, "reason": "guest-shutdown"}, 0, 0)
        domain.state = c.VIR_DOMAIN_RUNNING
        happenings.happened(hypervisor, domain, guest, happened)
        return
    elif word == "guest-panicked":
        guest.starting = False
        if domain.state != c.VIR_DOMAIN_CRASHED:
            happenings.happened(hypervisor, domain, guest, MonitorEvent("GUEST_PANICKED", {}, 0, 0))
    elif word == "suspended":
        domain.state, domain.reason = c.VIR_DOMAIN_PMSUSPENDED, 0
    elif (
        status.job is not None
        and domain.state == c.VIR_DOMAIN_PAUSED
        and domain.reason
        in (
            c.VIR_DOMAIN_PAUSED_SAVE,
            c.VIR_DOMAIN_PAUSED_DUMP,
            c.VIR_DOMAIN_PAUSED_MIGRATION,
        )
    ):
        # It was paused for something that is not finished now.
        guest.runningReason = c.VIR_DOMAIN_RUNNING_SAVE_CANCELED
        await locks.lease(hypervisor, domain, guest)
        await guest.execute("cont")
        domain.state, domain.reason = c.VIR_DOMAIN_RUNNING, c.VIR_DOMAIN_RUNNING_SAVE_CANCELED
    elif domain.state == c.VIR_DOMAIN_RUNNING:
        reason = {
            "io-error": c.VIR_DOMAIN_PAUSED_IOERROR,
            "watchdog": c.VIR_DOMAIN_PAUSED_WATCHDOG,
        }.get(word, c.VIR_DOMAIN_PAUSED_UNKNOWN)
        domain.state, domain.reason = c.VIR_DOMAIN_PAUSED, reason
    await _learn(hypervisor, domain, guest)


async def _learn(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """Ask the guest what it has now."""
    domain.definition = learnChardevs(domain.definition, await guest.execute("query-chardev"))
    blocks = await guest.execute("query-block")
    domain.definition = learnDrives(domain.definition, blocks)
    recognize(hypervisor, domain, guest, blocks)
    domain.definition = await learnTaken(guest, domain.definition)
    domain.definition = await learnBalloon(guest, domain.definition)
    await connectAgent(hypervisor, domain, guest)


async def _welcome(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """Let scripts hear of a guest that was found again; one that they do not want ends."""
    try:
        await announce(hypervisor, domain, "reconnect", domain.definition)
    except VirtError as error:
        log.error("{name} is not wanted: {error}", name=domain.name, error=error)
        ref = domain.ref
        await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_DAEMON)
        stopped = c.VIR_DOMAIN_EVENT_STOPPED_FAILED
        hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_STOPPED, stopped, ref)
        ending.forget(hypervisor, domain)


def _restoreJobs(hypervisor: Hypervisor, domain: Domain, guest: Guest, status: Status) -> None:
    """Remember what QEMU was doing to disks."""
    guest.lastNode = status.lastNode
    guest.advice = status.advice
    for each in status.blockJobs:
        try:
            job = BlockJob.read(each)
        except ValueError as problem:
            log.error("a job is left alone: {problem}", problem=problem)
        else:
            guest.blockJobs[job.disk] = job
    if status.backup is not None:
        from pyvirt.drivers.qemu.blocks.backups import Backup, watch

        try:
            backup = guest.backup = Backup.read(status.backup)
        except (ValueError, KeyError, TypeError, VirtError) as problem:
            log.error("a backup is left alone: {problem}", problem=problem)
            return
        long = LongJob(
            "remoteDispatchDomainBackupBegin",
            c.VIR_DOMAIN_JOB_OPERATION_BACKUP,
            backup.began,
        )
        domain.jobs.long = long
        watch(hypervisor, domain, guest, backup, long)


async def _giveUpJob(hypervisor: Hypervisor, guest: Guest) -> None:
    """Give up what an earlier life of the daemon had begun with a guest, and whatever QEMU was told for that."""
    from pyvirt.drivers.qemu.following import wordOf

    clock = hypervisor.clock
    try:
        await guest.execute("migrate_cancel")
        # While it ends nothing can be changed.
        end = clock.seconds() + _ENDING
        while await wordOf(guest) in _UNDER_WAY and clock.seconds() < end:
            pause: Deferred[None] = Deferred()
            clock.callLater(0.02, pause.callback, None)
            await pause
    except VirtError as error:
        log.debug("{error}", error=error)
    await reset(guest, {})


async def autostart(hypervisor: Hypervisor) -> None:
    """
    Start what starts with the host, one after the other, once since the host booted.
    """
    from pyvirt.drivers.qemu.lifecycle import startDefined

    if not firstSinceBoot(hypervisor.layout.run):
        return
    flags = c.VIR_DOMAIN_START_BYPASS_CACHE if hypervisor.config["auto_start_bypass_cache"] else 0
    for domain in hypervisor.domains:
        if domain.autostart and not domain.active and not hypervisor.stopping:
            try:
                await startDefined(hypervisor, domain, flags)
            except VirtError as error:
                log.error("{name} did not start: {error}", name=domain.name, error=error)
            except Exception:
                log.failure("{name} did not start", name=domain.name)
