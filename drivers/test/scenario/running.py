"""
A scenario in its world: what is armed, what was struck, what is still to happen.

L{Running} is also what tests hold: it moves virtual time, arms faults, begins storms and tells what has happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from pyvirt import constants as c
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.drivers.interfaces.values import NodeDeviceRef
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.lifecycle import DomainLifecycle
from pyvirt.drivers.test.networks import Networks
from pyvirt.drivers.test.scenario.clock import VirtualClock
from pyvirt.drivers.test.scenario.model import Change, Fault, Job, Scenario, Storm
from pyvirt.drivers.test.scenario.reading import readFault, readStorm
from pyvirt.drivers.test.scenario.values import Patterns, Table, wrong
from pyvirt.drivers.test.volumes import Storage
from pyvirt.drivers.test.world import World
from pyvirt.errors import VirtError

__all__ = ["FaultState", "Running"]


class FaultState:
    """
    A fault and what came of it.

    @ivar armed: whether it strikes.
    @ivar seen: calls that it fits, since it was armed.
    @ivar struck: how often it struck.
    """

    __slots__ = ("armed", "fault", "seen", "struck")

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.armed = fault.armed
        self.seen = 0
        self.struck = 0

    def strikes(self, names: tuple[str, ...], random: Random) -> bool:
        """Whether it strikes a call about some objects, which is counted."""
        fault = self.fault
        if not self.armed or (fault.objects is not None and not fault.objects.match(*names)):
            return False
        self.seen += 1
        if self.seen <= fault.skip or (fault.times is not None and self.struck >= fault.times):
            return False
        if fault.probability < 1 and random.random() >= fault.probability:
            return False
        self.struck += 1
        return True


class Running:
    """
    What happens in a world.

    @ivar world: the world.
    @ivar scenario: what was said.
    @ivar faults: by name, in the order in which they are asked.
    @ivar version: changes when faults are added.
    @ivar jobs: what domains are busy with, by UUID.
    """

    def __init__(self, world: World, scenario: Scenario) -> None:
        self.world = world
        self.scenario = scenario
        self.random = Random(f"{scenario.seed}/faults")
        self.faults: dict[str, FaultState] = {
            each.name: FaultState(each) for each in scenario.faults
        }
        self.storms: dict[str, Storm] = {each.name: each for each in scenario.storms}
        self.version = 0
        self.jobs: dict[bytes, Any] = {}
        self.told = 0
        self._timers: dict[IDelayedCall, None] = {}
        self._drawn = Random(f"{scenario.seed}/changes")
        self._stopped = False

    # Time

    @property
    def time(self) -> float:
        """The world's time, in seconds since 1970 where it is real."""
        return float(self.world.clock.seconds())

    def advance(self, seconds: float) -> None:
        """
        Move virtual time; what is due happens on the way.

        @raise VirtError: the world's time is real.
        """
        clock = self.world.clock
        if not isinstance(clock, VirtualClock):
            raise wrong("advance", "the time of this world is real")
        clock.advance(seconds)

    def _later(self, seconds: float, function: Any, *arguments: Any) -> None:
        def due() -> None:
            del self._timers[timer]
            function(*arguments)

        if not self._stopped:
            timer = self.world.clock.callLater(seconds, due)
            self._timers[timer] = None

    def start(self) -> None:
        """Begin with what happens by itself."""
        for change in self.scenario.changes:
            self._schedule(change)
        for storm in self.scenario.storms:
            if storm.at is not None:
                self._later(storm.at.draw(self._drawn), self._storm, storm, 0)

    def stop(self) -> None:
        """Let nothing happen any more."""
        self._stopped = True
        timers, self._timers = self._timers, {}
        for timer in timers:
            timer.cancel()

    # Faults

    def arm(self, name: str, armed: bool = True) -> None:
        """
        Let a fault strike from now on, counting from 0 again; or let it not.

        @raise VirtError: there is no such fault.
        """
        state = self.faults.get(name)
        if state is None:
            raise wrong("arm" if armed else "disarm", f"there is no fault called '{name}'")
        state.armed = armed
        if armed:
            state.seen = state.struck = 0

    def inject(self, **fault: Any) -> FaultState:
        """
        Add a fault, in the words of a scenario's C{[[faults]]}; it is asked after those that are there.

        @return: what it has done so far.
        @raise VirtError: it says something impossible, or its name is taken.
        """
        read = readFault(
            Table("inject", fault, self.scenario.callNames), f"fault{len(self.faults) + 1}"
        )
        if read.name in self.faults:
            raise wrong("inject.name", f"there is a fault called '{read.name}' already")
        state = self.faults[read.name] = FaultState(read)
        self.version += 1
        return state

    # Storms

    def storm(self, name: str | None = None, **storm: Any) -> None:
        """
        Begin a storm of events now: one that the scenario names, or one described in its words.

        @raise VirtError: there is no such storm.
        """
        if name is not None and not storm:
            found = self.storms.get(name)
            if found is None:
                raise wrong("storm", f"there is no storm called '{name}'")
        else:
            found = readStorm(Table("storm", storm, self.scenario.callNames), name or "storm")
        self._storm(found, 0)

    def _storm(self, storm: Storm, sent: int) -> None:
        subjects = list(self._subjects(storm))
        burst = min(storm.burst, storm.count - sent)
        for number in range(sent, sent + burst) if subjects else ():
            kind, eventID, details = storm.events[number % len(storm.events)]
            ref, key = subjects[number % len(subjects)]
            self.world.hub.emit(Event(kind, eventID, ref, details), key)
            self.told += 1
        if sent + burst < storm.count:
            self._later(burst / storm.rate, self._storm, storm, sent + burst)

    def _subjects(self, storm: Storm) -> Iterator[tuple[Any, Any]]:
        """Go over the objects that a storm is about: the reference of each, and what listeners know it by."""
        world, kind = self.world, storm.events[0].kind
        if kind is EventKind.DOMAIN:
            for domain in world.domains:
                if _meant(storm.objects, domain.name):
                    yield domain.ref, domain.uuid
        elif kind is EventKind.NODE_DEVICE:
            for device in world.devices.values():
                if _meant(storm.objects, device.name):
                    yield NodeDeviceRef(device.name), device.name
        else:
            table: Mapping[str, Any] = world.networks if kind is EventKind.NETWORK else world.pools
            for each in table.values():
                if _meant(storm.objects, each.ref.name):
                    yield each.ref, each.ref.uuid

    # Changes

    def _schedule(self, change: Change) -> None:
        if change.target is not None or change.at.constant:
            self._later(change.at.draw(self._drawn), self._change, change, None, 1)
            return
        for name in list(self._named(change)):
            self._later(change.at.draw(self._drawn), self._change, change, name, 1)

    def _named(self, change: Change) -> Iterator[str]:
        world = self.world
        if change.kind == "domain":
            names: Any = (domain.name for domain in world.domains)
        else:
            names = world.networks if change.kind == "network" else world.pools
        return (name for name in list(names) if _meant(change.objects, name))

    def _change(self, change: Change, name: str | None, number: int) -> None:
        """Let something happen: to one object, or to all that are meant."""
        if change.target is not None:
            if change.action == "storm":
                self.storm(change.target)
            else:
                self.arm(change.target, change.action == "arm")
        else:
            for each in [name] if name is not None else list(self._named(change)):
                try:
                    _DO[change.kind](self.world, change.action, each)
                except VirtError:
                    pass  # it is gone, or in a state in which this cannot happen to it
        if change.every is not None and (change.times is None or number < change.times):
            again = max(change.every.draw(self._drawn), 1e-3)
            self._later(again, self._change, change, name, number + 1)

    # What has happened

    def status(self) -> dict[str, Any]:
        """Tell the time, how often each fault struck, and how many events storms told."""
        return {
            "time": self.time,
            "events": self.told,
            "faults": {
                name: {"armed": state.armed, "seen": state.seen, "struck": state.struck}
                for name, state in self.faults.items()
            },
        }

    def firstJob(self, names: tuple[str, ...], objects: tuple[str, ...]) -> Job | None:
        """Find what makes a call a long operation, or None."""
        for job in self.scenario.jobs:
            if job.calls.match(*names) and (job.objects is None or job.objects.match(*objects)):
                return job
        return None


def _meant(patterns: Patterns | None, name: str) -> bool:
    return patterns is None or patterns.match(name)


def _crash(world: World, domain: Domain) -> None:
    """A guest that crashes ends as its definition says."""
    domain.checkActive()
    action = domain.definition.onCrash
    if action == "preserve":
        domain.state, domain.reason = c.VIR_DOMAIN_CRASHED, c.VIR_DOMAIN_CRASHED_PANICKED
        world.tell(domain, c.VIR_DOMAIN_EVENT_CRASHED, c.VIR_DOMAIN_EVENT_CRASHED_PANICKED)
    elif action in ("restart", "rename-restart", "coredump-restart"):
        domain.state, domain.reason = c.VIR_DOMAIN_RUNNING, c.VIR_DOMAIN_RUNNING_CRASHED
        world.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_REBOOT)
    else:
        DomainLifecycle(world).ended(
            domain, c.VIR_DOMAIN_SHUTOFF_CRASHED, c.VIR_DOMAIN_EVENT_STOPPED_CRASHED
        )


def _doDomain(world: World, action: str, name: str) -> None:
    from pyvirt.drivers.test.metadata import DomainDefinitionsAndMetadata

    domain = world.domains.byName(name)
    life = DomainLifecycle(world)
    if action == "crash":
        _crash(world, domain)
    elif action == "start":
        life.domainCreateWithFlags(domain.ref, 0, [])
    elif action == "destroy":
        life.domainDestroyFlags(domain.ref, 0)
    elif action == "shutdown":
        life.domainShutdownFlags(domain.ref, 0)
    elif action == "suspend":
        life.domainSuspend(domain.ref)
    elif action == "resume":
        life.domainResume(domain.ref)
    elif action == "reboot":
        life.domainReboot(domain.ref, 0)
        world.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_REBOOT)
    else:
        DomainDefinitionsAndMetadata(world).domainUndefineFlags(domain.ref, 0)


def _doNetwork(world: World, action: str, name: str) -> None:
    networks = Networks(world)
    ref = networks.named(name).ref
    if action == "start":
        networks.networkCreate(ref)
    elif action == "destroy":
        networks.networkDestroy(ref)
    else:
        networks.networkUndefine(ref)


def _doPool(world: World, action: str, name: str) -> None:
    pools = Storage(world)
    ref = pools.find(name).ref
    if action == "start":
        pools.storagePoolCreate(ref, 0)
    elif action == "destroy":
        pools.storagePoolDestroy(ref)
    else:
        pools.storagePoolUndefine(ref)


_DO = {"domain": _doDomain, "network": _doNetwork, "pool": _doPool}
