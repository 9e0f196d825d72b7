"""
The end of a guest, whoever wants it: L{stop}, and what happens when it ends by itself.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.qemu.assigning import giveDevicesBack
from pyvirt.drivers.qemu.cgroups import GuestGroup
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.files import removeFolder, removeSockets
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.guestlogs import appendLog
from pyvirt.drivers.qemu.hookscripts import ended
from pyvirt.drivers.qemu.labels import unlabelled
from pyvirt.drivers.qemu.live import releasePorts
from pyvirt.drivers.qemu.networking import disconnectAll
from pyvirt.drivers.qemu.ownership import giveAllBack
from pyvirt.drivers.qemu.perfevents import closeEvents
from pyvirt.drivers.qemu.qmp import MonitorLost
from pyvirt.drivers.qemu.refusals import failed
from pyvirt.drivers.qemu.serving import endServers
from pyvirt.drivers.qemu.statewords import reasonWord
from pyvirt.drivers.qemu.tpms import removeState
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["endByItself", "kill", "monitorLost", "processEnded", "stop", "stopQuietly", "undo"]

log = Logger()

#: How often a group is tried to be removed that still has processes, and seconds in between: as libvirt does.
_TRIES, _PAUSE = 6, 0.2

#: Seconds that a guest has to end when it is told to, before it is killed; and that killing may take.
GRACE = 10.0
KILLING = 30.0


async def kill(hypervisor: Hypervisor, guest: Guest, *, graceful: bool = False) -> None:
    """
    End a guest's process: ask, and if it does not go, do not ask.

    @param graceful: only ask.
    @raise VirtError: it does not go.
    """
    process = guest.process
    if process is None or not process.isRunning():
        return
    process.kill(signal.SIGTERM)
    if await _goneWithin(hypervisor, guest, GRACE):
        return
    if graceful:
        raise failed(
            f"Failed to terminate process {guest.pid} with SIGTERM: Device or resource busy"
        )
    process.kill(signal.SIGKILL)
    if not await _goneWithin(hypervisor, guest, KILLING):
        raise failed(
            f"Failed to terminate process {guest.pid} with SIGKILL: Device or resource busy"
        )


async def _goneWithin(hypervisor: Hypervisor, guest: Guest, seconds: float) -> bool:
    process = guest.process
    assert process is not None
    ended: Deferred[int | None] = process.whenEnded()
    timer = hypervisor.clock.callLater(seconds, ended.cancel)
    try:
        await ended
    except Exception:
        return False
    finally:
        if timer.active():
            timer.cancel()
    return True


async def stop(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, reason: int, *, graceful: bool = False
) -> None:
    """
    End a guest and forget its run; its definition is what it will be, from now on.

    Whoever calls tells of it, and forgets the domain if it is transient (L{forget}).

    @param reason: C{VIR_DOMAIN_SHUTOFF_*}.
    @raise VirtError: it does not go; then it goes on.
    """
    guest.dying = True
    if reason != c.VIR_DOMAIN_SHUTOFF_DESTROYED and guest.monitor is not None:
        # That QEMU ends is no news then, and told to nobody.
        monitor, guest.monitor = guest.monitor, None
        monitor.close()
    try:
        await kill(hypervisor, guest, graceful=graceful)
    except VirtError:
        guest.dying = False
        raise
    if domain.guest is guest:
        await _clear(hypervisor, domain, guest, reason)


async def _clear(hypervisor: Hypervisor, domain: Domain, guest: Guest, reason: int) -> None:
    """Remove all that belongs to a run whose process is gone."""
    live = domain.definition
    domain.guest = None
    if guest.backup is not None:
        from pyvirt.drivers.qemu.blocks.backups import dropScratch

        dropScratch(guest.backup)
        if guest.backup.job is not None:
            domain.jobs.finish(guest.backup.job)
    waits: list[Deferred[Any]] = [*guest.jobWaits.values(), *guest.unplugging.values()]
    guest.jobWaits, guest.unplugging = {}, {}
    for waiting in waits:
        waiting.errback(MonitorLost())
    if guest.monitor is not None:
        guest.monitor.close()
        guest.monitor = None
    if guest.agent is not None:
        guest.agent.close()
        guest.agent = None
    if guest.process is not None:
        guest.process.forget()
    word = reasonWord(c.VIR_DOMAIN_SHUTOFF, reason)
    appendLog(hypervisor.layout.log(domain.name), f"shutting down, reason={word}")
    hypervisor.domains.identify(domain, -1)
    domain.state, domain.reason = c.VIR_DOMAIN_SHUTOFF, reason
    domain.updated = False
    if domain.pending is not None:
        domain.definition, domain.pending = domain.pending, None
    if domain.unwritten and domain.persistent:
        hypervisor.keepDefinition(domain)
    releasePorts(hypervisor, guest)
    await ended(hypervisor, domain, "stopped", live)
    await endServers(hypervisor, live, guest)
    if not domain.persistent:
        removeState(hypervisor, live)
    giveAllBack(guest, live, moved=reason == c.VIR_DOMAIN_SHUTOFF_MIGRATED)
    guest.dropOverlays(guest.overlays)
    await giveDevicesBack(hypervisor, live, guest)
    await disconnectAll(hypervisor, live)
    removeSockets(live)
    closeEvents(guest)
    if guest.group is not None:
        await _removeGroup(hypervisor, guest.group)
    removeFolder(guest.folder)
    removeFolder(guest.channels)
    base = hypervisor.config.values.get("memory_backing_dir")
    ram = str(base or os.path.join(os.path.dirname(guest.folder), "ram"))
    removeFolder(os.path.join(ram, os.path.basename(guest.folder).removeprefix("domain-")))
    hypervisor.store.removeStatus(domain.name)
    await ended(hypervisor, domain, "release", unlabelled(live))


async def _removeGroup(hypervisor: Hypervisor, group: GuestGroup) -> None:
    """Remove the group of a guest; what served it may have started processes, which take a moment to end too."""
    for _ in range(_TRIES):
        if not group.remove():
            return
        waiting: Deferred[None] = deferLater(hypervisor.clock, _PAUSE)
        await waiting
    log.warn("processes are still in the group {group}", group=group.path)


async def stopQuietly(hypervisor: Hypervisor, domain: Domain, guest: Guest, reason: int) -> None:
    """As L{stop}, of a guest whose own words about its end nobody is to hear."""
    guest.dying = True
    if guest.monitor is not None:
        guest.monitor.close()
        guest.monitor = None
    await stop(hypervisor, domain, guest, reason)


def forget(hypervisor: Hypervisor, domain: Domain) -> None:
    """Forget a domain that does not run, if nothing defines it."""
    if not domain.persistent and not domain.active:
        from pyvirt.drivers.qemu.momentfiles import removeMoments

        removeMoments(hypervisor, domain)
        hypervisor.domains.remove(domain)


async def undo(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, definition: DomainDefinition
) -> None:
    """Take back a start that has failed."""
    guest.dying = True
    try:
        if guest.process is not None and guest.process.isRunning():
            guest.process.kill(signal.SIGKILL)
            await _goneWithin(hypervisor, guest, KILLING)
    finally:
        if domain.guest is guest:
            known = domain.pending is not None
            await _clear(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_FAILED)
            if not known:
                domain.definition = definition


# What happens by itself


def monitorLost(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, error: VirtError | None
) -> None:
    """The conversation is over: QEMU is gone, or makes no sense."""
    if domain.guest is not guest:
        return
    guest.monitor = None if not guest.starting else guest.monitor
    if guest.dying or guest.starting:
        return
    if error is not None:
        # The guest runs on, and whoever wants can end it; nothing else can be done with it.
        log.error("the monitor of {name} failed: {error}", name=domain.name, error=error)
        hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_CONTROL_ERROR)
        return
    process = guest.process
    if process is None or not process.isRunning():
        endByItself(hypervisor, domain, guest)
    # Else its process is about to end, and that is when all of it is gone.


def processEnded(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """A guest's process has ended."""
    if domain.guest is guest and not guest.dying and not guest.starting:
        endByItself(hypervisor, domain, guest)


def endByItself(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """A guest is gone that nobody here has ended."""
    if guest.dying:
        return
    guest.dying = guest.fell = True
    hypervisor.later(_endByItself(hypervisor, domain, guest))


async def _endByItself(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    if domain.guest is not guest:
        return
    if domain.state == c.VIR_DOMAIN_SHUTDOWN or guest.wasShutDown:
        reason, detail = c.VIR_DOMAIN_SHUTOFF_SHUTDOWN, c.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN
    elif domain.state == c.VIR_DOMAIN_CRASHED:
        reason, detail = c.VIR_DOMAIN_SHUTOFF_CRASHED, c.VIR_DOMAIN_EVENT_STOPPED_CRASHED
    else:
        reason, detail = c.VIR_DOMAIN_SHUTOFF_CRASHED, c.VIR_DOMAIN_EVENT_STOPPED_FAILED
    ref = domain.ref
    with domain.jobs.ending():
        await _clear(hypervisor, domain, guest, reason)
        forget(hypervisor, domain)
        hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_STOPPED, detail, ref)
