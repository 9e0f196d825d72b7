"""
What QEMU tells by itself, and what follows from it: L{happened}.

One function per event, found through a table that others add to with L{handles}.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.drivers.qemu import ending, locks
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.networking import switchDirect
from pyvirt.drivers.qemu.qmp import MonitorEvent
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["ELSEWHERE", "HANDLERS", "handles", "happened"]

log = Logger()

Handler = Callable[["Hypervisor", Domain, Guest, MonitorEvent], None]

#: By QEMU's name of an event, what is done about it.
HANDLERS: dict[str, Handler] = {}


#: Events that are dealt with where operations are done, and where: loaded when the first one comes.
ELSEWHERE = {
    "BLOCK_WRITE_THRESHOLD": "blocks.blockjobs",
    "DEVICE_DELETED": "plugging.detaching",
    "DEVICE_UNPLUG_GUEST_ERROR": "plugging.detaching",
    "JOB_STATUS_CHANGE": "blocks.jobs",
    "MEM_UNPLUG_ERROR": "plugging.detaching",
}


def handles(name: str) -> Callable[[Handler], Handler]:
    """Say that a function does what is to be done about an event of QEMU."""

    def keep(handler: Handler) -> Handler:
        HANDLERS[name] = handler
        return handler

    return keep


def happened(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    """Do what is to be done about an event, and pass it on to those who listen to the monitor."""
    if domain.guest is not guest:
        return
    from pyvirt.drivers.qemu.monitorevents import passOn

    passOn(hypervisor, domain, event)
    handler = HANDLERS.get(event.name)
    if handler is None and event.name in ELSEWHERE:
        import_module(f"pyvirt.drivers.qemu.{ELSEWHERE[event.name]}")
        handler = HANDLERS[event.name]
    if handler is not None:
        handler(hypervisor, domain, guest, event)


@handles("STOP")
def _stopped(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    reason, guest.pausedReason = guest.pausedReason, c.VIR_DOMAIN_PAUSED_UNKNOWN
    switchDirect(domain.definition, False)
    guest.stoppedAt = hypervisor.clock.seconds()
    if domain.state != c.VIR_DOMAIN_RUNNING or guest.wasShutDown:
        return
    hypervisor.setState(domain, c.VIR_DOMAIN_PAUSED, reason)
    details = {
        c.VIR_DOMAIN_PAUSED_MIGRATION: c.VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED,
        c.VIR_DOMAIN_PAUSED_IOERROR: c.VIR_DOMAIN_EVENT_SUSPENDED_IOERROR,
        c.VIR_DOMAIN_PAUSED_WATCHDOG: c.VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG,
        c.VIR_DOMAIN_PAUSED_FROM_SNAPSHOT: c.VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT,
        c.VIR_DOMAIN_PAUSED_POSTCOPY: c.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY,
    }
    detail = details.get(reason, c.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED)
    hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_SUSPENDED, detail)
    locks.letGo(hypervisor, domain, guest)


@handles("RESUME")
def _resumed(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    reason, guest.runningReason = guest.runningReason, c.VIR_DOMAIN_RUNNING_UNPAUSED
    switchDirect(domain.definition, True)
    locks.regain(hypervisor, domain, guest)
    if domain.state == c.VIR_DOMAIN_RUNNING:
        return
    hypervisor.setState(domain, c.VIR_DOMAIN_RUNNING, reason)
    details = {
        c.VIR_DOMAIN_RUNNING_MIGRATED: c.VIR_DOMAIN_EVENT_RESUMED_MIGRATED,
        c.VIR_DOMAIN_RUNNING_MIGRATION_CANCELED: c.VIR_DOMAIN_EVENT_RESUMED_MIGRATED,
        c.VIR_DOMAIN_RUNNING_RESTORED: c.VIR_DOMAIN_EVENT_RESUMED_FROM_SNAPSHOT,
        c.VIR_DOMAIN_RUNNING_FROM_SNAPSHOT: c.VIR_DOMAIN_EVENT_RESUMED_FROM_SNAPSHOT,
        c.VIR_DOMAIN_RUNNING_POSTCOPY: c.VIR_DOMAIN_EVENT_RESUMED_POSTCOPY,
    }
    detail = details.get(reason, c.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED)
    hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_RESUMED, detail)


def _tellAgent(guest: Guest, what: str) -> None:
    """An agent that had the guest go away or to sleep has no time to answer."""
    if guest.agent is not None:
        guest.agent.happened(what)


@handles("SHUTDOWN")
def _shutDown(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    _tellAgent(guest, "SHUTDOWN")
    if domain.state == c.VIR_DOMAIN_SHUTDOWN or guest.wasShutDown:
        return
    guest.wasShutDown = True
    reason = event.data.get("reason")
    if guest.fakeReboot or domain.definition.onPoweroff == "restart":
        # It is to start again at once: nobody is told that it has shut down.
        if not guest.dying:
            hypervisor.later(_startAgain(hypervisor, domain, guest))
        return
    hypervisor.setState(domain, c.VIR_DOMAIN_SHUTDOWN, c.VIR_DOMAIN_SHUTDOWN_UNKNOWN)
    detail = c.VIR_DOMAIN_EVENT_SHUTDOWN_FINISHED
    if "guest" in event.data:
        detail = (
            c.VIR_DOMAIN_EVENT_SHUTDOWN_GUEST
            if event.data["guest"]
            else c.VIR_DOMAIN_EVENT_SHUTDOWN_HOST
        )
    log.debug("{name} has shut down: {reason}", name=domain.name, reason=reason)
    hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_SHUTDOWN, detail)
    if guest.dying:
        return
    hypervisor.later(_endQuietly(hypervisor, guest))


async def _endQuietly(hypervisor: Hypervisor, guest: Guest) -> None:
    """QEMU waits to be ended once its guest has shut down; that it is gone is told like any other end."""
    await ending.kill(hypervisor, guest)


async def _startAgain(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """Let a guest that has shut down, or crashed, boot once more."""
    async with domain.jobs.change("reboot", within=True):
        if domain.guest is not guest:
            return
        await guest.execute("system_reset")
        guest.runningReason = (
            c.VIR_DOMAIN_RUNNING_CRASHED
            if domain.state == c.VIR_DOMAIN_CRASHED
            else c.VIR_DOMAIN_RUNNING_BOOTED
        )
        await locks.lease(hypervisor, domain, guest)
        await guest.execute("cont", timeout=60.0)
        guest.wasShutDown = False
        guest.runningReason = c.VIR_DOMAIN_RUNNING_UNPAUSED


@handles("RESET")
def _reset(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    _tellAgent(guest, "RESET")
    if guest.quietResets:
        guest.quietResets -= 1
    else:
        hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_REBOOT)
    if guest.fakeReboot:
        guest.fakeReboot = False
        hypervisor.saveStatus(domain)
    hypervisor.later(_refresh(hypervisor, domain, guest))


async def _refresh(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """Learn what a reset has changed."""
    from pyvirt.drivers.qemu.connecting import refreshDrives

    async with domain.jobs.change("reset", within=True):
        if domain.guest is guest:
            await refreshDrives(hypervisor, domain, guest)


@handles("GUEST_PANICKED")
def _panicked(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    hypervisor.later(_panic(hypervisor, domain, guest))


async def _panic(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """Do what the definition says about a guest that has crashed."""
    async with domain.jobs.change("crash", within=True):
        if domain.guest is not guest or domain.state == c.VIR_DOMAIN_CRASHED:
            return
        try:
            # Once it answers, it has told that its CPUs have stopped.
            await guest.execute("query-status")
        except VirtError as error:
            log.warn("{name} has crashed for good: {error}", name=domain.name, error=error)
            return
        if domain.guest is not guest:
            return
        action = domain.definition.onCrash
        hypervisor.setState(domain, c.VIR_DOMAIN_CRASHED, c.VIR_DOMAIN_CRASHED_PANICKED)
        hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_CRASHED, c.VIR_DOMAIN_EVENT_CRASHED_PANICKED)
        if action.startswith("coredump"):
            from pyvirt.drivers.qemu.dumping import automaticDump

            await automaticDump(hypervisor, domain, guest)
            action = action.partition("-")[2]
        if domain.guest is not guest:
            return
        if action == "destroy":
            ref = domain.ref
            await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_CRASHED)
            ending.forget(hypervisor, domain)
            hypervisor.tell(
                domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_CRASHED, ref
            )
            return
    if action == "restart":
        await _startAgain(hypervisor, domain, guest)


@handles("SUSPEND")
def _asleep(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    _tellAgent(guest, "SUSPEND")
    hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_PMSUSPEND, 0)
    if domain.state == c.VIR_DOMAIN_RUNNING:
        hypervisor.setState(domain, c.VIR_DOMAIN_PMSUSPENDED, 0)
        hypervisor.tell(
            domain, c.VIR_DOMAIN_EVENT_PMSUSPENDED, c.VIR_DOMAIN_EVENT_PMSUSPENDED_MEMORY
        )


@handles("SUSPEND_DISK")
def _asleepOnDisk(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent
) -> None:
    _tellAgent(guest, "SUSPEND")
    hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_PMSUSPEND_DISK, 0)
    if domain.state == c.VIR_DOMAIN_RUNNING:
        hypervisor.setState(domain, c.VIR_DOMAIN_PMSUSPENDED, 0)
        hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_PMSUSPENDED, c.VIR_DOMAIN_EVENT_PMSUSPENDED_DISK)


@handles("WAKEUP")
def _awake(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_PMWAKEUP, 0)
    if domain.state == c.VIR_DOMAIN_PMSUSPENDED:
        hypervisor.setState(domain, c.VIR_DOMAIN_RUNNING, c.VIR_DOMAIN_RUNNING_WAKEUP)
        hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_STARTED, c.VIR_DOMAIN_EVENT_STARTED_WAKEUP)


_WATCHDOG = ["none", "pause", "reset", "poweroff", "shutdown", "debug", "inject-nmi"]


@handles("WATCHDOG")
def _watchdog(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    word = str(event.data.get("action", "none"))
    action = _WATCHDOG.index(word) if word in _WATCHDOG else 0
    if word == "pause":
        guest.pausedReason = c.VIR_DOMAIN_PAUSED_WATCHDOG
    hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_WATCHDOG, action)
    watchdogs = domain.definition.devices.watchdogs
    if word == "pause" and any(each.action == "dump" for each in watchdogs):
        from pyvirt.drivers.qemu.dumping import dumpAndGoOn

        hypervisor.later(dumpAndGoOn(hypervisor, domain, guest))


@handles("BLOCK_IO_ERROR")
def _ioError(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    data = event.data
    action = {"ignore": 0, "stop": 1, "report": 2}.get(str(data.get("action")), 0)
    if action == 1:
        guest.pausedReason = c.VIR_DOMAIN_PAUSED_IOERROR
    reason = "enospc" if data.get("nospace") else ""
    alias, path = str(data.get("device") or data.get("qom-path", "").rpartition("/")[2]), ""
    for disk in domain.definition.devices.disks:
        if disk.alias and disk.alias == alias:
            path = getattr(disk.source, "file", None) or getattr(disk.source, "dev", None) or ""
    hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_IO_ERROR, path, alias, action)
    hypervisor.tellDomain(
        domain, c.VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, path, alias, action, reason
    )


@handles("RTC_CHANGE")
def _clock(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    offset = event.data.get("offset")
    if type(offset) is int:
        hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_RTC_CHANGE, offset)


@handles("BALLOON_CHANGE")
def _balloon(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    from pyvirt.definitions.schema import replaced
    from pyvirt.drivers.qemu.live import takenMemory

    actual = event.data.get("actual")
    if type(actual) is int and actual >= 0:
        # What modules give comes on top of what the balloon leaves.
        current = actual // 1024 + takenMemory(domain.definition)
        domain.definition = replaced(domain.definition, currentMemory=current)
        hypervisor.saveStatus(domain)
        hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, actual // 1024)


@handles("MEMORY_DEVICE_SIZE_CHANGE")
def _memory(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    alias, size = event.data.get("id"), event.data.get("size")
    if isinstance(alias, str) and type(size) is int and 0 <= size < 1 << 64:
        hypervisor.later(_memorySize(hypervisor, domain, guest, alias, size))


async def _memorySize(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, alias: str, size: int
) -> None:
    """Keep how much of a module a guest has taken, once nobody changes the guest, and tell it."""
    from pyvirt.drivers.qemu.live import setMemorySize

    async with domain.jobs.change("memory device size", within=True):
        if domain.guest is not guest:
            return
        domain.definition, known = setMemorySize(domain.definition, alias, size)
        if known:
            hypervisor.saveStatus(domain)
            kind = c.VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE
            hypervisor.tellDomain(domain, kind, alias, -(-size // 1024))


@handles("DEVICE_TRAY_MOVED")
def _tray(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    alias = str(event.data.get("id") or event.data.get("device") or "")
    reason = 0 if event.data.get("tray-open") else 1
    from pyvirt.drivers.qemu.live import setTray

    domain.definition = setTray(domain.definition, alias, not reason)
    hypervisor.saveStatus(domain)
    hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE, alias, reason)


def _display(phase: int) -> Handler:
    """Tell that a client of a display has come so far, or is gone."""

    def tell(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
        server, client = (
            end if isinstance(end := event.data.get(name), dict) else {}
            for name in ("server", "client")
        )
        families = {"ipv4": 0, "ipv6": 1, "unix": 2}
        ends = [
            (
                families.get(str(end.get("family")), 0),
                str(end.get("host", "")),
                str(end.get("service", "")),
            )
            for end in (server, client)
        ]
        who = [
            (kind, str(client[name]))
            for name, kind in (("x509_dname", "x509dname"), ("sasl_username", "saslUsername"))
            if name in client
        ]
        scheme = str(server.get("auth", ""))
        hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_GRAPHICS, phase, *ends, scheme, who)

    return tell


for _kind in ("VNC", "SPICE"):
    handles(f"{_kind}_CONNECTED")(_display(c.VIR_DOMAIN_EVENT_GRAPHICS_CONNECT))
    handles(f"{_kind}_INITIALIZED")(_display(c.VIR_DOMAIN_EVENT_GRAPHICS_INITIALIZE))
    handles(f"{_kind}_DISCONNECTED")(_display(c.VIR_DOMAIN_EVENT_GRAPHICS_DISCONNECT))


@handles("VSERPORT_CHANGE")
def _port(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    from pyvirt.drivers.qemu.live import setChannelState

    alias, open_ = str(event.data.get("id", "")), bool(event.data.get("open"))
    definition, changed, isAgent = setChannelState(domain.definition, alias, open_)
    if changed:
        domain.definition = definition
        hypervisor.saveStatus(domain)
    if isAgent:
        state = 1 if open_ else 2
        reason = c.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_CHANNEL
        hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, state, reason)
        if open_:
            from pyvirt.drivers.qemu.connecting import connectAgent

            hypervisor.later(connectAgent(hypervisor, domain, guest))
        elif guest.agent is not None:
            agent, guest.agent = guest.agent, None
            agent.close()


@handles("MIGRATION_PASS")
def _pass(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    number = event.data.get("pass")
    if type(number) is int:
        hypervisor.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, number)


#: What those who follow a migration want to know at once.
_TURNS = frozenset(
    (
        *("completed", "failed", "cancelled", "pre-switchover"),
        *("postcopy-active", "postcopy-paused", "postcopy-recover"),
    )
)


@handles("DUMP_COMPLETED")
def _dumped(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    problem = event.data.get("error")
    guest.dumpProblem = problem[:4096] if isinstance(problem, str) else None


@handles("MIGRATION")
def _migration(hypervisor: Hypervisor, domain: Domain, guest: Guest, event: MonitorEvent) -> None:
    status = event.data.get("status")
    if status in _TURNS and guest.migrated is not None:
        waiting, guest.migrated = guest.migrated, None
        waiting.callback(str(status))


def monitorEvent(domain: Domain, event: MonitorEvent, details: Any) -> Event:
    """Make what those who listen to the monitor are told."""
    return Event(
        EventKind.MONITOR, 0, domain.ref, (event.name, event.seconds, event.micros, details)
    )
