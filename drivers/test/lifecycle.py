"""
Domains coming to life, pausing, ending.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.definitions.validation import validate
from pyvirt.drivers.interfaces.values import ControlInfo, DomainInfo, DomainRef, DomainState
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.refusals import checkFlags, internal
from pyvirt.drivers.test.world import World

__all__ = ["DomainLifecycle"]


_REBOOT_FLAGS = (
    c.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN
    | c.VIR_DOMAIN_REBOOT_GUEST_AGENT
    | c.VIR_DOMAIN_REBOOT_INITCTL
    | c.VIR_DOMAIN_REBOOT_SIGNAL
    | c.VIR_DOMAIN_REBOOT_PARAVIRT
)

#: Times on a guest's clock, in seconds since 1970, by which callers choose what is said of the way to control it.
_CONTROL_STATES = (
    (c.VIR_DOMAIN_CONTROL_OK, 0, 1),
    (c.VIR_DOMAIN_CONTROL_JOB, 0, 10000),
    (c.VIR_DOMAIN_CONTROL_OCCUPIED, 10000, 30000),
    (c.VIR_DOMAIN_CONTROL_ERROR, 30000, 60000),
)
_ERROR_REASONS = 4


class DomainLifecycle:
    """Starts, stops and watches domains."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._find = world.domains.find

    def domainIsActive(self, dom: DomainRef) -> bool:
        """Whether it runs, paused or not."""
        return self._find(dom).active

    def domainGetInfo(self, dom: DomainRef) -> DomainInfo:
        """The time a guest has used is that of the world since 1970."""
        domain = self._find(dom)
        definition = domain.definition
        vcpu = definition.vcpu
        return DomainInfo(
            domain.state,
            definition.memory.amount,
            definition.currentMemory or 0,
            vcpu.maximum if vcpu.current is None else vcpu.current,
            self._world.now() * 1000,
        )

    def domainGetState(self, dom: DomainRef, flags: int) -> DomainState:
        """Tell the state and the reason for it."""
        checkFlags("testDomainGetState", flags)
        domain = self._find(dom)
        return DomainState(domain.state, domain.reason)

    def domainCreateXML(self, xmlDesc: str, flags: int, fds: list[int]) -> DomainRef:
        """Start a domain that is gone when it stops, unless one of that name is defined."""
        checkFlags("testDomainCreateXML", flags, c.VIR_DOMAIN_START_VALIDATE)
        if flags & c.VIR_DOMAIN_START_VALIDATE:
            validate("domain", xmlDesc)
        world = self._world
        domain, _ = world.domains.add(world.parse(xmlDesc), live=True, mustBeInactive=True)
        world.start(domain, c.VIR_DOMAIN_RUNNING_BOOTED)
        world.tell(domain, c.VIR_DOMAIN_EVENT_STARTED, c.VIR_DOMAIN_EVENT_STARTED_BOOTED)
        return domain.ref

    def domainCreateWithFlags(self, dom: DomainRef, flags: int, fds: list[int]) -> DomainRef:
        """Start a domain."""
        checkFlags("testDomainCreateWithFlags", flags)
        world = self._world
        domain = self._find(dom)
        if domain.state != c.VIR_DOMAIN_SHUTOFF:
            raise internal(f"Domain '{dom.name}' is already running")
        world.start(domain, c.VIR_DOMAIN_RUNNING_BOOTED)
        domain.managedSave = False
        world.tell(domain, c.VIR_DOMAIN_EVENT_STARTED, c.VIR_DOMAIN_EVENT_STARTED_BOOTED)
        return domain.ref

    def domainSuspend(self, dom: DomainRef) -> None:
        """Pause a running domain."""
        domain = self._find(dom)
        if domain.state in (c.VIR_DOMAIN_SHUTOFF, c.VIR_DOMAIN_PAUSED):
            raise internal(f"domain '{dom.name}' not running")
        domain.state, domain.reason = c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_USER
        self._world.tell(domain, c.VIR_DOMAIN_EVENT_SUSPENDED, c.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED)

    def domainResume(self, dom: DomainRef) -> None:
        """Let a paused domain go on."""
        domain = self._find(dom)
        if domain.state != c.VIR_DOMAIN_PAUSED:
            raise internal(f"domain '{dom.name}' not paused")
        domain.state, domain.reason = c.VIR_DOMAIN_RUNNING, c.VIR_DOMAIN_RUNNING_UNPAUSED
        self._world.tell(domain, c.VIR_DOMAIN_EVENT_RESUMED, c.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED)

    def domainReboot(self, dom: DomainRef, flags: int) -> None:
        """Let the guest start again, or what its definition says should happen then."""
        checkFlags("testDomainReboot", flags, _REBOOT_FLAGS)
        domain = self._find(dom)
        domain.checkActive()
        self._act(domain, domain.definition.onReboot)

    def domainReset(self, dom: DomainRef, flags: int) -> None:
        """Press the reset button, which no guest here notices."""
        checkFlags("testDomainReset", flags)
        self._find(dom).checkActive()

    def domainShutdownFlags(self, dom: DomainRef, flags: int) -> None:
        """Let the guest shut down, which it does at once."""
        checkFlags("testDomainShutdownFlags", flags)
        domain = self._find(dom)
        if domain.state == c.VIR_DOMAIN_SHUTOFF:
            raise internal(f"domain '{dom.name}' not running")
        self._act(domain, domain.definition.onPoweroff)

    def _act(self, domain: Domain, action: str) -> None:
        """Do what the definition says about the end of a guest that ends itself."""
        if action in ("restart", "rename-restart"):
            domain.state, domain.reason = c.VIR_DOMAIN_RUNNING, c.VIR_DOMAIN_RUNNING_BOOTED
        else:
            self.ended(domain, c.VIR_DOMAIN_SHUTOFF_SHUTDOWN, c.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN)

    def domainDestroyFlags(self, dom: DomainRef, flags: int) -> None:
        """End a guest."""
        checkFlags("testDomainDestroyFlags", flags, c.VIR_DOMAIN_DESTROY_GRACEFUL)
        domain = self._find(dom)
        domain.checkActive()
        self.ended(domain, c.VIR_DOMAIN_SHUTOFF_DESTROYED, c.VIR_DOMAIN_EVENT_STOPPED_DESTROYED)

    def domainGetControlInfo(self, dom: DomainRef, flags: int) -> ControlInfo:
        """The way to control a guest is free, unless its clock was set to one of the first hours of 1970."""
        checkFlags("testDomainGetControlInfo", flags)
        domain = self._find(dom)
        domain.checkActive()
        seconds = domain.guestTime.seconds
        for state, begin, end in _CONTROL_STATES:
            if begin <= seconds < end:
                passed = seconds - begin
                reason = passed % _ERROR_REASONS if state == c.VIR_DOMAIN_CONTROL_ERROR else 0
                return ControlInfo(state, reason, passed)
        return ControlInfo(c.VIR_DOMAIN_CONTROL_OK, 0, 0)

    def ended(self, domain: Domain, reason: int, detail: int) -> None:
        """Let a guest have ended: tell of it, and forget it if it is not defined."""
        world = self._world
        ref = world.stop(domain, reason)
        world.tell(domain, c.VIR_DOMAIN_EVENT_STOPPED, detail, ref)
        if not domain.persistent:
            world.domains.remove(domain)
