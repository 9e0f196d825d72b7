"""
Worlds of scenarios, and connections to them.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from random import Random
from typing import Any

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.interfaces.events import (
    IDomainEvents,
    INetworkEvents,
    INodeDeviceEvents,
    ISecretEvents,
    IStoragePoolEvents,
)
from pyvirt.drivers.interfaces.faults import Breakage, BrokenReply, IInterceptor
from pyvirt.drivers.interfaces.host import IHost
from pyvirt.drivers.interfaces.jobs import IDomainJobs
from pyvirt.drivers.test.disguise import DISGUISES, Disguise, DisguisedHost, disguise
from pyvirt.drivers.test.driver import TestConnection
from pyvirt.drivers.test.scenario.calls import Interceptor, ScenarioEvents, ScenarioJobs
from pyvirt.drivers.test.scenario.clock import VirtualClock
from pyvirt.drivers.test.scenario.model import Scenario
from pyvirt.drivers.test.scenario.populating import populate
from pyvirt.drivers.test.scenario.running import Running
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorDomain, OutcomeUnknown

__all__ = ["ScenarioConnection", "ScenarioWorld"]


class ScenarioWorld:
    """
    The world of a scenario, as long as somebody is connected to it or it is kept.

    @ivar running: what happens in it.
    @ivar kept: whether it outlives its last connection.
    """

    def __init__(
        self,
        scenario: Scenario,
        clock: IReactorTime,
        *,
        scheme: str,
        seeded: bool,
        random: Callable[[int], bytes],
        gone: Callable[[], object],
    ) -> None:
        """
        Make the world, and begin with what happens in it.

        @param clock: real time.
        @param scheme: whose it is to be.
        @param seeded: whether what is made up follows from the scenario's seed.
        @param gone: called when it is over.
        @raise VirtError: the scenario says something impossible.
        """
        if scenario.virtual:
            clock = VirtualClock(scenario.start)
        world = World(clock, Random(f"{scenario.seed}/made").randbytes if seeded else random)
        if scenario.base == "default":
            from pyvirt.drivers.test.defaults import furnish

            furnish(world)
        elif scenario.base != "empty":
            from pyvirt.drivers.test.worldfile import worldFromFile

            worldFromFile(world, scenario.base)
        populate(world, scenario, Random(f"{scenario.seed}/states"))
        self.disguise = DISGUISES.get(scheme)
        if self.disguise is not None:
            disguise(world, self.disguise)
        self.world = world
        self.running = Running(world, scenario)
        self.kept = False
        self._gone = gone
        self._users = 0
        self.running.start()

    def connect(self, uri: str, context: OpenContext) -> ScenarioConnection:
        """Connect somebody."""
        self._users += 1
        return ScenarioConnection(uri, self, self._leave, context)

    def _leave(self) -> None:
        self._users -= 1
        if not self._users and not self.kept:
            self.running.stop()
            self._gone()
            self.world.end()


class ScenarioConnection(TestConnection):
    """A connection to the world of a scenario."""

    def __init__(
        self, uri: str, found: ScenarioWorld, closed: Callable[[], None], context: OpenContext
    ) -> None:
        super().__init__(uri, found.world, closed, context)
        self._running = found.running
        self._disguise: Disguise | None = found.disguise
        self._interceptor = Interceptor(found.running)
        self._own: dict[InterfaceClass, object] = {IInterceptor: self._interceptor}
        if self._disguise is not None:
            self._own[IHost] = _declared(IHost, DisguisedHost)(self.world, self._disguise)
        events = found.world.component(IDomainEvents)
        for interface in (
            IDomainEvents,
            INetworkEvents,
            IStoragePoolEvents,
            INodeDeviceEvents,
            ISecretEvents,
        ):
            self._own[interface] = ScenarioEvents(self._interceptor, events)
        if found.running.scenario.jobs:
            self._own[IDomainJobs] = _declared(IDomainJobs, ScenarioJobs)(
                found.running, found.world.component(IDomainJobs)
            )

    def component(self, interface: InterfaceClass) -> object | None:
        """Return what provides a contract: of the scenario's, else of the world's."""
        own = self._own.get(interface)
        return super().component(interface) if own is None else own

    def report(self) -> None:
        """Tell what the scenario has done in the place of the host's capabilities."""
        from pyvirt.drivers.test.scenario.report import Report

        self._own[IHost] = Report(self._running, self.component(IHost))

    def opened(self, inDaemon: bool) -> Any:
        """
        Be opened as the scenario says.

        @return: the connection, or a coroutine of it; in a daemon perhaps of a L{BrokenReply}.
        """
        waiting = self._interceptor.intercept("connectOpen", None, lambda arguments: None)(
            (self.uri,)
        )
        return self._late(waiting, inDaemon) if isawaitable(waiting) else self

    async def _late(self, waiting: Any, inDaemon: bool) -> Any:
        try:
            broken = await waiting
            if broken is None:
                return self
            if not inDaemon:
                raise lost(broken)
        except BaseException:
            self.close()
            raise
        self.close()
        return broken

    def close(self) -> None:
        """Leave the world; nothing of this connection waits any longer."""
        self._interceptor.abandoned()
        super().close()


def _declared(interface: InterfaceClass, cls: Any) -> Any:
    """Have a class say that it has the operations of a contract, some of which it may lack."""
    if not interface.implementedBy(cls):
        implementer(interface)(cls)
    return cls


def lost(broken: BrokenReply) -> OutcomeUnknown:
    """Make the error of a connection that breaks where there is no wire."""
    detail = "client socket is closed"
    if broken.how is Breakage.GARBLED:
        detail = "Unable to decode message payload"
    return OutcomeUnknown(
        f"the connection to the server was lost: {detail}",
        domain=ErrorDomain.RPC,
        str1="%s",
        str2=detail,
    )
