"""
A real client and a real daemon, joined in memory, on a clock that the test moves: L{memoryConnection}.

Nothing happens by itself: L{MemoryConnection.pump} carries bytes to and fro and runs what is due, and
L{MemoryConnection.result} does so until a C{Deferred} fires::

    memory = memoryConnection()
    conn = memory.connect()
    domains = memory.result(conn.listAllDomains())

With a scenario the host is what the test needs, and fails as the test says::

    memory = memoryConnection(scenario={"domains": [{"name": "web-{n}", "count": 1000}]})
    memory.scenario.inject(calls="domainCreate*", objects="web-7", code="OPERATION_FAILED")
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from pyvirt.client.connect import Connect
from pyvirt.client.healing import Healing
from pyvirt.client.opening import connectBy
from pyvirt.constants import VIR_CONNECT_RO
from pyvirt.drivers.interfaces.driver import IConnection, OpenContext
from pyvirt.drivers.remote.connection import RemoteConnection
from pyvirt.drivers.remote.opening import openRemote
from pyvirt.drivers.remote.protocol import RemoteProtocol
from pyvirt.drivers.remote.target import Target
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.testing.daemon import MemoryDaemon, memoryDaemon
from pyvirt.testing.transport import Pipe
from pyvirt.transports.endpoints import Address

if TYPE_CHECKING:
    from pyvirt.drivers.test import TestDriver
    from pyvirt.drivers.test.scenario.model import Scenario
    from pyvirt.drivers.test.scenario.running import Running

__all__ = ["MemoryConnection", "memoryConnection"]

_T = TypeVar("_T")

ROUNDS = 10_000
"""How often L{MemoryConnection.pump} goes round before it says that there is no end."""


class MemoryConnection:
    """
    Clients of one daemon.

    @ivar clock: the time of both.
    @ivar daemon: the daemon.
    @ivar pipes: what joins them, one for each client, in order of connection.
    @ivar reachable: whether new connections are accepted; else they are refused, as if no daemon ran.
    """

    def __init__(
        self, clock: Clock, daemon: MemoryDaemon, uri: str, driver: TestDriver | None = None
    ) -> None:
        self.clock = clock
        self.daemon = daemon
        self.uri = uri
        self.pipes: list[Pipe] = []
        self.reachable = True
        self._driver = driver

    @property
    def scenario(self) -> Running:
        """
        What happens in the world of L{uri}: faults are injected here, storms begun, virtual time moved.

        @raise LookupError: no scenario was given, or nobody has opened its world.
        """
        if self._driver is None:
            raise LookupError("drivers were given, so the scenario is theirs")
        return self._driver.running(self.uri)

    def disconnect(self, client: int = -1) -> None:
        """
        Break the connection of a client; what is on its way is lost.

        @param client: in order of connection; the last by default.
        """
        self.pipes[client].cut()

    def opening(
        self, uri: str | None = None, flags: int = 0, heal: Healing | None = None
    ) -> Deferred[Connect]:
        """
        Connect another client.

        @param uri: None: the one that L{memoryConnection} was given.
        @param flags: C{VIR_CONNECT_*}.
        @param heal: how the connection heals itself; None: it does not.
        @return: fires with its connection once it is pumped.
        """
        name, readOnly = self.uri if uri is None else uri, bool(flags & VIR_CONNECT_RO)

        def opener() -> Deferred[IConnection]:
            return Deferred.fromCoroutine(self._open(name, flags, readOnly))

        return Deferred.fromCoroutine(connectBy(opener, self.clock, readOnly, heal))

    async def _open(self, uri: str, flags: int, readOnly: bool) -> IConnection:
        if not self.reachable:
            raise virtError(ErrorCode.SYSTEM_ERROR, "Connection refused", ErrorDomain.RPC)
        protocol = RemoteProtocol(self.clock)
        self.pipes.append(Pipe(protocol, self.daemon.protocol(readOnly=readOnly)))
        connection = RemoteConnection(protocol, uri, secure=True, encrypted=False)
        target = Target(address=Address(transport="unix"), name=uri)
        context = OpenContext(reactor=self.clock, readOnly=readOnly, flags=flags)
        await openRemote(connection, target, context)
        return connection

    def connect(
        self, uri: str | None = None, flags: int = 0, heal: Healing | None = None
    ) -> Connect:
        """Connect another client and return its connection; see L{opening}."""
        return self.result(self.opening(uri, flags, heal))

    def pump(self, seconds: float = 0.0) -> None:
        """
        Carry bytes and run what is due until nothing moves; then let time pass, and do so again.

        @param seconds: that pass at once; what is due meanwhile finds it at its end.
        @raise AssertionError: there is no end of it.
        """
        self._settle()
        if seconds:
            self.clock.advance(seconds)
            self._settle()

    def _settle(self) -> None:
        for _ in range(ROUNDS):
            moved = [pipe.deliver() for pipe in self.pipes]
            due = any(
                call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()
            )
            if due:
                self.clock.advance(0)
            elif not any(moved):
                return
        raise AssertionError("client and daemon keep each other busy")

    def result(self, waiting: Deferred[_T]) -> _T:
        """
        Pump until C{waiting} fires and return its result, or raise its failure.

        @raise AssertionError: it does not fire, unless time passes.
        """
        fired: list[Any] = []
        waiting.addBoth(fired.append)
        self.pump()
        if not fired:
            raise AssertionError(f"{waiting!r} does not fire")
        if isinstance(fired[0], Failure):
            fired[0].raiseException()
        result: _T = fired[0]
        return result


def memoryConnection(
    uri: str = "test:///default",
    *,
    clock: Clock | None = None,
    drivers: Any = None,
    daemon: MemoryDaemon | None = None,
    scenario: Scenario | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    testDriverFor: Sequence[str] = (),
) -> MemoryConnection:
    """
    Make a daemon in memory that clients can connect to.

    @param uri: what they open unless they say otherwise.
    @param clock: the time of both; None: a new one.
    @param drivers: opens URIs in the daemon, as L{pyvirt.drivertable.DriverTable} does; None: the installed
        local drivers, with a state of their own.
    @param daemon: one that exists already, on the same clock.
    @param scenario: what C{test:///default} is: a dictionary, TOML text, or the path of a file.
    @param testDriverFor: other drivers that the test driver answers for: C{["qemu"]}, to open C{qemu:///system}.
    @raise VirtError: the scenario says something impossible.
    """
    clock = Clock() if clock is None else clock
    driver: TestDriver | None = None
    if daemon is None and drivers is None:
        from pyvirt.drivers.test import TestDriver
        from pyvirt.drivertable import DriverTable, loadFactories

        driver = TestDriver(
            scenario=None if scenario is None else _scenario(scenario), schemes=testDriverFor
        )
        others = [each for each in loadFactories() if each.name not in ("test", *testDriverFor)]
        drivers = DriverTable(clock, [driver, *others], remote=False)
    elif scenario is not None or testDriverFor:
        raise TypeError("drivers that are given have scenarios of their own")
    memory = MemoryConnection(clock, daemon or memoryDaemon(clock, drivers), uri, driver)
    if scenario is not None:
        # Its world is there from the beginning, so that faults can be injected before anybody connects.
        memory.result(memory.result(memory.opening()).close())
        memory.pipes.clear()
    return memory


def _scenario(given: Scenario | Mapping[str, Any] | str | os.PathLike[str]) -> Scenario:
    from pyvirt.drivers.test.scenario.model import Scenario
    from pyvirt.drivers.test.scenario.reading import readFile, readScenario, readText
    from pyvirt.routes.names import callNames

    if isinstance(given, Scenario):
        return given
    if isinstance(given, Mapping):
        return readScenario(given, callNames=callNames)
    text = os.fspath(given)
    if "\n" in text or "=" in text:
        return readText(text, callNames=callNames)
    return readFile(text, callNames)
