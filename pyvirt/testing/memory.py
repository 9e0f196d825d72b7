"""
A real client and a real daemon, joined in memory, on a clock that the test moves: L{memoryConnection}.

Nothing happens by itself: L{MemoryConnection.pump} carries bytes to and fro and runs what is due, and
L{MemoryConnection.result} does so until a C{Deferred} fires::

    memory = memoryConnection()
    conn = memory.connect()
    domains = memory.result(conn.listAllDomains())
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from pyvirt.client.connect import Connect
from pyvirt.client.session import Session
from pyvirt.constants import VIR_CONNECT_RO
from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.remote.connection import RemoteConnection
from pyvirt.drivers.remote.opening import openRemote
from pyvirt.drivers.remote.protocol import RemoteProtocol
from pyvirt.drivers.remote.target import Target
from pyvirt.testing.daemon import MemoryDaemon, memoryDaemon
from pyvirt.testing.transport import Pipe
from pyvirt.transports.endpoints import Address

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
    """

    def __init__(self, clock: Clock, daemon: MemoryDaemon, uri: str) -> None:
        self.clock = clock
        self.daemon = daemon
        self.uri = uri
        self.pipes: list[Pipe] = []

    def opening(self, uri: str | None = None, flags: int = 0) -> Deferred[Connect]:
        """
        Connect another client.

        @param uri: None: the one that L{memoryConnection} was given.
        @param flags: C{VIR_CONNECT_*}.
        @return: fires with its connection once it is pumped.
        """
        return Deferred.fromCoroutine(self._open(self.uri if uri is None else uri, flags))

    async def _open(self, uri: str, flags: int) -> Connect:
        readOnly = bool(flags & VIR_CONNECT_RO)
        protocol = RemoteProtocol(self.clock)
        self.pipes.append(Pipe(protocol, self.daemon.protocol(readOnly=readOnly)))
        connection = RemoteConnection(protocol, uri, secure=True, encrypted=False)
        target = Target(address=Address(transport="unix"), name=uri)
        context = OpenContext(reactor=self.clock, readOnly=readOnly, flags=flags)
        await openRemote(connection, target, context)
        return Connect(Session(connection, self.clock, readOnly))

    def connect(self, uri: str | None = None, flags: int = 0) -> Connect:
        """Connect another client and return its connection; see L{opening}."""
        return self.result(self.opening(uri, flags))

    def pump(self, seconds: float = 0.0) -> None:
        """
        Move the clock, then carry bytes and run what is due until nothing moves.

        @raise AssertionError: there is no end of it.
        """
        self.clock.advance(seconds)
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
) -> MemoryConnection:
    """
    Make a daemon in memory that clients can connect to.

    @param uri: what they open unless they say otherwise.
    @param clock: the time of both; None: a new one.
    @param drivers: opens URIs in the daemon, as L{pyvirt.drivertable.DriverTable} does; None: the installed
        local drivers, with a state of their own.
    @param daemon: one that exists already, on the same clock.
    """
    clock = Clock() if clock is None else clock
    return MemoryConnection(clock, daemon or memoryDaemon(clock, drivers), uri)
