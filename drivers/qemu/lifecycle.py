"""
Domains coming to life, pausing, ending.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition, check
from pyvirt.definitions.validation import validate
from pyvirt.drivers.interfaces.values import ControlInfo, DomainInfo, DomainRef, DomainState
from pyvirt.drivers.qemu import ending, starting
from pyvirt.drivers.qemu.connecting import refreshDrives
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.hookscripts import announce
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.procfs import cpuTimes
from pyvirt.drivers.qemu.qmp import CommandFailed
from pyvirt.drivers.qemu.refusals import (
    alreadyRunning,
    checkFlags,
    operationInvalid,
    unsupportedArgument,
    unsupportedConfig,
)
from pyvirt.drivers.qemu.taints import Messages
from pyvirt.drivers.qemu.validate import checkActions
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["DomainLifecycle", "autodestroy", "startDefined"]

_SHUTDOWN_FLAGS = c.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN | c.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT
_REBOOT_FLAGS = c.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN | c.VIR_DOMAIN_REBOOT_GUEST_AGENT
_PAUSED, _AUTODESTROY = c.VIR_DOMAIN_START_PAUSED, c.VIR_DOMAIN_START_AUTODESTROY
_RESET_NVRAM = 32
_START_FLAGS = (
    _PAUSED
    | _AUTODESTROY
    | c.VIR_DOMAIN_START_BYPASS_CACHE
    | c.VIR_DOMAIN_START_FORCE_BOOT
    | _RESET_NVRAM
)
#: Seconds that an agent may take until its guest goes.
AGENT_SHUTDOWN = 60.0
_LONGEST_NAMES = {
    c.VIR_NODE_SUSPEND_TARGET_MEM: "guest-suspend-ram",
    c.VIR_NODE_SUSPEND_TARGET_DISK: "guest-suspend-disk",
    c.VIR_NODE_SUSPEND_TARGET_HYBRID: "guest-suspend-hybrid",
}

_LIFECYCLES = (("poweroff", "onPoweroff"), ("reboot", "onReboot"), ("crash", "onCrash"))
_ACTIONS = (
    "destroy",
    "restart",
    "rename-restart",
    "preserve",
    "coredump-destroy",
    "coredump-restart",
)


async def boot(hypervisor: Hypervisor, domain: Domain, flags: int, connection: Any = None) -> Guest:
    """
    Start a domain that does not run; the caller holds its job.

    @param flags: of C{VIR_DOMAIN_START_*} those that concern the guest.
    """
    guest = await starting.start(
        hypervisor,
        domain,
        autodestroy=connection if flags & _AUTODESTROY else None,
        resetVariables=bool(flags & _RESET_NVRAM),
        toldLater=True,
    )
    try:
        if not flags & _PAUSED:
            await starting.goOn(hypervisor, domain, guest, c.VIR_DOMAIN_RUNNING_BOOTED)
        await announce(hypervisor, domain, "started", domain.definition)
    except VirtError:
        await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_FAILED)
        raise
    hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_STARTED, c.VIR_DOMAIN_EVENT_STARTED_BOOTED)
    if flags & _PAUSED:
        hypervisor.setState(domain, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_USER)
        hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_SUSPENDED, c.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED)
    return guest


async def startDefined(
    hypervisor: Hypervisor, domain: Domain, flags: int, connection: Any = None
) -> None:
    """
    Start a domain that is defined: restore it if it was saved where the driver keeps it, else boot it.

    @raise VirtError: it runs, or cannot be started.
    """
    from pyvirt.drivers.qemu.restoring import restoreManaged

    async with domain.jobs.change("remoteDispatchDomainCreateWithFlags"):
        if domain.removed:
            hypervisor.domains.find(domain.ref)
        if domain.active:
            raise alreadyRunning()
        if await restoreManaged(hypervisor, domain, flags, connection):
            return
        await boot(hypervisor, domain, flags, connection)


async def autodestroy(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """End a guest whose connection has ended."""
    if domain.guest is not guest or guest.dying:
        return
    with domain.jobs.ending():
        await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_DESTROYED)
        hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_DESTROYED)
        ending.forget(hypervisor, domain)


def _withoutFiles(function: str, fds: list[int]) -> None:
    """Refuse descriptors that a guest's first process is to inherit, which only containers have."""
    if fds:
        raise virtError(ErrorCode.NO_SUPPORT, function, ErrorDomain.DOMAIN)


class DomainLifecycle(Messages):
    """Starts, stops and watches domains."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._connection = connection
        self._find = hypervisor.domains.find
        self._running = hypervisor.domains.running

    # What is

    def domainIsActive(self, dom: DomainRef) -> bool:
        """Whether it runs, paused or not."""
        return self._find(dom).active

    def domainGetInfo(self, dom: DomainRef) -> DomainInfo:
        """Tell state, memory, CPUs and the time they have used."""
        domain = self._find(dom)
        definition = domain.definition
        vcpu = definition.vcpu
        guest = domain.guest
        used = cpuTimes(guest.pid).total if guest is not None and guest.pid else 0
        current = definition.currentMemory
        return DomainInfo(
            domain.state,
            definition.memory.amount,
            definition.memory.amount if current is None else current,
            vcpu.maximum if vcpu.current is None else vcpu.current,
            used,
        )

    def domainGetState(self, dom: DomainRef, flags: int) -> DomainState:
        """Tell the state and the reason for it."""
        checkFlags("qemuDomainGetState", flags)
        domain = self._find(dom)
        return DomainState(domain.state, domain.reason)

    def domainGetControlInfo(self, dom: DomainRef, flags: int) -> ControlInfo:
        """Tell whether the guest's monitor can be talked to."""
        checkFlags("qemuDomainGetControlInfo", flags)
        domain, guest = self._running(dom)
        now = self._hypervisor.clock.seconds()
        if guest.broken:
            return ControlInfo(
                c.VIR_DOMAIN_CONTROL_ERROR, c.VIR_DOMAIN_CONTROL_ERROR_REASON_MONITOR, 0
            )
        jobs = domain.jobs
        if jobs.holder is not None:
            passed = max(0, int((now - jobs.since) * 1000))
            return ControlInfo(c.VIR_DOMAIN_CONTROL_OCCUPIED, 0, passed)
        if jobs.long is not None:
            passed = max(0, int((now - jobs.long.started) * 1000))
            return ControlInfo(c.VIR_DOMAIN_CONTROL_JOB, 0, passed)
        return ControlInfo(c.VIR_DOMAIN_CONTROL_OK, 0, 0)

    # Coming to life

    async def domainCreateXML(self, xmlDesc: str, flags: int, fds: list[int]) -> DomainRef:
        """Start a domain that is gone when it stops, unless one of that name is defined."""
        _withoutFiles("virDomainCreateXMLWithFiles", fds)
        validates = c.VIR_DOMAIN_START_VALIDATE
        checkFlags("qemuDomainCreateXML", flags, _PAUSED | _AUTODESTROY | validates | _RESET_NVRAM)
        hypervisor = self._hypervisor
        if flags & validates:
            validate("domain", xmlDesc)
        definition = await hypervisor.parse(xmlDesc)
        check(definition)
        domains = hypervisor.domains
        while True:
            domain = domains.check(definition, mustBeInactive=True)
            if domain is None:
                domain = domains.add(definition)
            async with domain.jobs.change("remoteDispatchDomainCreateXML"):
                if domain.removed:
                    continue  # while we waited: its last run was just ending
                await self._create(domain, definition, flags)
            return domain.ref

    async def _create(self, domain: Domain, definition: DomainDefinition, flags: int) -> None:
        """Start a domain as it is defined this once; the caller holds its job."""
        if domain.active:
            raise operationInvalid(f"domain '{domain.name}' is already active", ErrorDomain.DOMAIN)
        hypervisor, kept = self._hypervisor, domain.definition
        if domain.persistent:
            domain.pending, domain.definition = kept, definition
        try:
            await boot(hypervisor, domain, flags, self._connection)
        except VirtError:
            domain.definition, domain.pending = kept, None
            ending.forget(hypervisor, domain)
            raise

    async def domainCreateWithFlags(self, dom: DomainRef, flags: int, fds: list[int]) -> DomainRef:
        """Start a domain that is defined."""
        _withoutFiles("virDomainCreateWithFiles", fds)
        checkFlags("qemuDomainCreateWithFlags", flags, _START_FLAGS)
        domain = self._find(dom)
        await startDefined(self._hypervisor, domain, flags, self._connection)
        return domain.ref

    # Pausing

    async def domainSuspend(self, dom: DomainRef) -> None:
        """Pause a running guest."""
        domain, _ = self._running(dom)
        async with domain.jobs.change("remoteDispatchDomainSuspend", within=True):
            guest = domain.checkActive()
            if domain.state == c.VIR_DOMAIN_PMSUSPENDED:
                raise operationInvalid("domain is pmsuspended")
            if domain.state == c.VIR_DOMAIN_PAUSED:
                return
            leaver = self._hypervisor.leaving.get(domain.uuid)
            if leaver is not None and leaver.guest is guest and not leaver.sent:
                # It stands still to get there: it runs there, or here if it does not.
                guest.pausedReason = c.VIR_DOMAIN_PAUSED_MIGRATION
            else:
                guest.pausedReason = c.VIR_DOMAIN_PAUSED_USER
            await guest.execute("stop")

    async def domainResume(self, dom: DomainRef) -> None:
        """Let a paused guest go on."""
        domain, _ = self._running(dom)
        async with domain.jobs.change("remoteDispatchDomainResume"):
            guest = domain.checkActive()
            if domain.state == c.VIR_DOMAIN_PMSUSPENDED:
                raise operationInvalid("domain is pmsuspended")
            if domain.state == c.VIR_DOMAIN_RUNNING:
                raise operationInvalid("domain is already running")
            if (
                domain.state == c.VIR_DOMAIN_CRASHED
                and domain.reason == c.VIR_DOMAIN_CRASHED_PANICKED
            ) or domain.state in (c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_CRASHED):
                await starting.goOn(self._hypervisor, domain, guest, c.VIR_DOMAIN_RUNNING_UNPAUSED)

    # Ending

    async def domainShutdownFlags(self, dom: DomainRef, flags: int) -> None:
        """Ask the guest to end: through its agent where it has one, else by its power button."""
        checkFlags("qemuDomainShutdownFlags", flags, _SHUTDOWN_FLAGS)
        domain = self._find(dom)
        if flags == _SHUTDOWN_FLAGS and not domain.active:
            return  # as if the agent had not answered because the guest was just ending
        if domain.state != c.VIR_DOMAIN_RUNNING:
            raise operationInvalid("domain is not running")
        useAgent, force = self._ways(
            domain,
            flags,
            _SHUTDOWN_FLAGS,
            c.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,
            c.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN,
        )
        again = domain.definition.onPoweroff == "restart"
        if useAgent and (
            await self._askAgent(domain, "reboot" if again else "powerdown", force)
            or not domain.active
        ):
            return
        async with domain.jobs.change("remoteDispatchDomainShutdownFlags"):
            guest = domain.checkActive()
            guest.fakeReboot = again
            self._hypervisor.saveStatus(domain)
            await guest.execute("system_powerdown")

    async def domainReboot(self, dom: DomainRef, flags: int) -> None:
        """Ask the guest to start again: through its agent where it has one, else by its power button."""
        checkFlags("qemuDomainReboot", flags, _REBOOT_FLAGS)
        domain, _ = self._running(dom)
        useAgent, force = self._ways(
            domain,
            flags,
            _REBOOT_FLAGS,
            c.VIR_DOMAIN_REBOOT_GUEST_AGENT,
            c.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN,
        )
        again = domain.definition.onReboot not in ("destroy", "preserve")
        if useAgent and await self._askAgent(domain, "reboot" if again else "powerdown", force):
            return
        async with domain.jobs.change("remoteDispatchDomainReboot"):
            guest = domain.checkActive()
            guest.fakeReboot = again
            self._hypervisor.saveStatus(domain)
            await guest.execute("system_powerdown")

    @staticmethod
    def _ways(domain: Domain, flags: int, known: int, agent: int, button: int) -> tuple[bool, bool]:
        """Say whether to ask the agent, and whether that is the only way."""
        from pyvirt.drivers.qemu.connecting import agentChannel

        guest = domain.guest
        channel = agentChannel(domain.definition)
        available = guest is not None and guest.agent is not None
        available = available and channel is not None and channel.target.state == "connected"
        available = available and domain.state == c.VIR_DOMAIN_RUNNING
        asked = flags & known
        if asked == agent:
            if domain.state != c.VIR_DOMAIN_RUNNING:
                raise operationInvalid("domain is not running")
            if channel is None:
                raise unsupportedArgument("QEMU guest agent is not configured")
            if not available:
                raise virtError(
                    ErrorCode.AGENT_UNRESPONSIVE,
                    "QEMU guest agent is not connected",
                    ErrorDomain.QEMU,
                )
            return True, True
        if asked == button:
            return False, False
        return available, False

    async def _askAgent(self, domain: Domain, mode: str, force: bool) -> bool:
        """Ask the agent; False: it did not take it, and there is another way."""
        guest = domain.guest
        if guest is None or guest.agent is None:
            return False
        guest.fakeReboot = False
        asked = guest.agent.execute(
            "guest-shutdown",
            {"mode": mode},
            timeout=AGENT_SHUTDOWN,
            awaits="RESET" if mode == "reboot" else "SHUTDOWN",
        )
        try:
            await asked
        except VirtError:
            if force:
                raise
            return False
        return True

    async def domainReset(self, dom: DomainRef, flags: int) -> None:
        """Press the reset button."""
        checkFlags("qemuDomainReset", flags)
        domain, _ = self._running(dom)
        async with domain.jobs.change("remoteDispatchDomainReset"):
            guest = domain.checkActive()
            await guest.execute("system_reset")
            guest.fakeReboot = False
            await refreshDrives(self._hypervisor, domain, guest)
            if domain.state == c.VIR_DOMAIN_CRASHED:
                self._hypervisor.setState(domain, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_CRASHED)

    async def domainDestroyFlags(self, dom: DomainRef, flags: int) -> None:
        """End a guest, whatever else is done with it."""
        checkFlags(
            "qemuDomainDestroyFlags",
            flags,
            c.VIR_DOMAIN_DESTROY_GRACEFUL | 2,  # C{REMOVE_LOGS}
        )
        hypervisor = self._hypervisor
        domain, guest = self._running(dom)
        with domain.jobs.ending():
            await ending.stop(
                hypervisor,
                domain,
                guest,
                c.VIR_DOMAIN_SHUTOFF_DESTROYED,
                graceful=bool(flags & c.VIR_DOMAIN_DESTROY_GRACEFUL),
            )
            stopped = c.VIR_DOMAIN_EVENT_STOPPED
            hypervisor.tell(domain, stopped, c.VIR_DOMAIN_EVENT_STOPPED_DESTROYED)
            ending.forget(hypervisor, domain)

    # Interrupting

    async def domainInjectNMI(self, dom: DomainRef, flags: int) -> None:
        """Interrupt the guest."""
        checkFlags("qemuDomainInjectNMI", flags)
        domain, _ = self._running(dom)
        async with domain.jobs.change("remoteDispatchDomainInjectNMI"):
            await domain.checkActive().execute("inject-nmi")

    async def domainSendKey(
        self, dom: DomainRef, codeset: int, holdtime: int, keycodes: list[int], flags: int
    ) -> None:
        """Press keys."""
        from pyvirt.drivers.qemu.keys import qnumCodes

        checkFlags("qemuDomainSendKey", flags)
        domain = self._find(dom)
        codes = qnumCodes(codeset, keycodes)
        domain.checkActive()
        async with domain.jobs.change("remoteDispatchDomainSendKey"):
            arguments: dict[str, Any] = {
                "keys": [{"type": "number", "data": code} for code in codes]
            }
            if holdtime:
                arguments["hold-time"] = holdtime
            await domain.checkActive().execute("send-key", arguments)

    async def domainPMSuspendForDuration(
        self, dom: DomainRef, target: int, duration: int, flags: int
    ) -> None:
        """Ask the guest's agent to let it sleep."""
        from pyvirt.drivers.qemu.guestagent import agentOf, ask

        checkFlags("qemuDomainPMSuspendForDuration", flags)
        if duration:
            raise unsupportedArgument("Duration not supported. Use 0 for now")
        if target not in _LONGEST_NAMES:
            raise unsupportedArgument(f"Unknown suspend target: {target}")
        domain, _ = self._running(dom)
        pm = domain.definition.pm
        for kind, field in (
            (c.VIR_NODE_SUSPEND_TARGET_MEM, "mem"),
            (c.VIR_NODE_SUSPEND_TARGET_DISK, "disk"),
        ):
            setting = getattr(pm, field, None) if pm is not None else None
            enabled = getattr(setting, "enabled", setting)
            if enabled is False and (target == kind or target == c.VIR_NODE_SUSPEND_TARGET_HYBRID):
                word = "S3" if field == "mem" else "S4"
                raise operationInvalid(f"{word} state is disabled for this domain")
        agentOf(domain)
        await ask(domain, _LONGEST_NAMES[target], awaits="SUSPEND")

    async def domainPMWakeup(self, dom: DomainRef, flags: int) -> None:
        """Wake a guest that sleeps."""
        checkFlags("qemuDomainPMWakeup", flags)
        domain, _ = self._running(dom)
        async with domain.jobs.change("remoteDispatchDomainPMWakeup"):
            await domain.checkActive().execute("system_wakeup")

    async def domainSetLifecycleAction(
        self, dom: DomainRef, type: int, action: int, flags: int
    ) -> None:
        """Say what happens when a guest powers off, reboots or crashes."""
        from pyvirt.definitions.schema import replaced

        checkFlags(
            "qemuDomainSetLifecycleAction",
            flags,
            c.VIR_DOMAIN_AFFECT_LIVE | c.VIR_DOMAIN_AFFECT_CONFIG,
        )
        what, field = _LIFECYCLES[type]
        word = _ACTIONS[action]
        if word.startswith("coredump") and what != "crash":
            raise unsupportedConfig(
                f"Lifecycle event '{what}' doesn't support '{word}' action", ErrorDomain.DOMAIN
            )
        hypervisor = self._hypervisor
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainSetLifecycleAction"):
            live, config = domain.impact(flags)
            for definition in (
                *((domain.definition,) if live else ()),
                *((domain.persistentDefinition,) if config else ()),
            ):
                checkActions(replaced(definition, **{field: word}))
            if live:
                if what == "reboot":
                    reboot = "shutdown" if word == "destroy" else "reset"
                    try:
                        await domain.checkActive().execute("set-action", {"reboot": reboot})
                    except CommandFailed:
                        raise operationInvalid(
                            "cannot update lifecycle action because QEMU was started with "
                            "incompatible -no-reboot setting"
                        ) from None
                domain.definition = replaced(domain.definition, **{field: word})
                hypervisor.saveStatus(domain)
            if config:
                pending = replaced(domain.persistentDefinition, **{field: word})
                hypervisor.store.saveDefinition(pending)
                if domain.pending is not None:
                    domain.pending = pending
                else:
                    domain.definition = pending
