"""
What the sessions of a daemon share: drivers, limits, the table of calls, and who is connected.

When as many clients are connected, or as many wait for authentication, as may be, no more are accepted: they
wait in the sockets' queues, as with libvirtd.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from pyvirt.daemon.access.guard import IPolicy
from pyvirt.daemon.audit import Audit
from pyvirt.daemon.calls import OWN, PROGRAMS, Answer, Call
from pyvirt.daemon.config import Config
from pyvirt.daemon.eventwire import EventEncoder
from pyvirt.daemon.identity import Identity
from pyvirt.daemon.session import Session
from pyvirt.daemon.workers import Workers
from pyvirt.drivers.interfaces.driver import IConnection, OpenContext
from pyvirt.protocols.procedures import Procedure, Program
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from pyvirt.routes import Router
from pyvirt.routes.router import Permits
from pyvirt.transports.turns import Turns

__all__ = ["Counters", "Limits", "Server", "SessionFactory"]

if TYPE_CHECKING:
    from pyvirt.daemon.access.polkit import Polkit
    from pyvirt.daemon.metrics import Metrics
    from pyvirt.daemon.sasl import SASL

log = Logger()


def _nobody() -> None:
    """Nobody wants to know."""


class IOpens(Protocol):
    """What opens URIs: the driver table, or a test's."""

    def open(self, uri: str | None, context: OpenContext) -> Any:
        """Return a connection, or a Deferred of one."""


class IGate(Protocol):
    """A listener that can stop accepting for a while."""

    def suspend(self) -> None:
        """Accept no more."""

    def resume(self) -> None:
        """Accept again."""


class IArrival(Protocol):
    """
    A connection that is no session yet.

    @ivar identity: what is known of who it is.
    """

    identity: Identity

    def abort(self) -> None:
        """Close it at once."""


@attrs.frozen(kw_only=True)
class Limits:
    """
    What clients may take.

    @ivar clients: connections at a time.
    @ivar anonymousClients: connections that are not authenticated yet; 0: any number.
    @ivar clientRequests: calls of one client that wait for an answer.
    @ivar keepaliveInterval: seconds; 0 or less: clients are not watched.
    @ivar keepaliveCount: unanswered keepalives after which a client is dropped.
    @ivar authenticationDeadline: seconds that a client has to authenticate.
    @ivar handshakeDeadline: seconds that a client has for the handshake of TLS or SSH.
    @ivar eventBacklog: bytes of events kept for a client that does not read.
    """

    clients: int = 5000
    anonymousClients: int = 20
    clientRequests: int = 5
    keepaliveInterval: int = 5
    keepaliveCount: int = 5
    authenticationDeadline: float = 60.0
    handshakeDeadline: float = 30.0
    eventBacklog: int = 4 << 20

    @classmethod
    def of(cls, config: Config) -> Limits:
        """Take those that a configuration sets for the drivers' clients."""
        return cls(
            clients=config.maxClients,
            anonymousClients=config.maxAnonymousClients,
            clientRequests=config.maxClientRequests,
            keepaliveInterval=config.keepaliveInterval,
            keepaliveCount=config.keepaliveCount,
        )

    @classmethod
    def ofAdmin(cls, config: Config) -> Limits:
        """Take those that a configuration sets for administrators."""
        return cls(
            clients=config.adminMaxClients,
            anonymousClients=0,
            clientRequests=max(config.adminMaxClientRequests, 1),
            keepaliveInterval=config.adminKeepaliveInterval,
            keepaliveCount=config.adminKeepaliveCount,
        )


@attrs.define
class Counters:
    """
    How often what happened since the start.

    @ivar accepted: connections.
    @ivar suspended: times that accepting was suspended because of a limit.
    @ivar refused: connections closed at once because of a limit.
    @ivar unauthenticated: clients dropped because they did not authenticate in time.
    @ivar failedLogins: attempts to authenticate that failed.
    @ivar denied: calls that a policy did not allow.
    @ivar unverified: clients refused because of what they showed in a handshake: certificate or key.
    @ivar broken: clients dropped because of bytes that are no packets.
    @ivar silent: clients dropped because they did not answer keepalives.
    @ivar slow: clients dropped because they did not read their events.
    @ivar held: times that a client had as many calls in flight as it may have.
    @ivar crashed: calls during which a driver failed as it should not.
    """

    accepted: int = 0
    suspended: int = 0
    refused: int = 0
    unauthenticated: int = 0
    failedLogins: int = 0
    denied: int = 0
    unverified: int = 0
    broken: int = 0
    silent: int = 0
    slow: int = 0
    held: int = 0
    crashed: int = 0


class Server:
    """
    What the sessions of a daemon share; one for the drivers' clients, one for administrators.

    @ivar name: as administrators call it.
    @ivar programs: by number, what is spoken on its sockets.
    @ivar sessions: those that are connected.
    @ivar workers: how many calls may be in progress.
    @ivar access: decides who may do what; None: everybody everything.
    @ivar polkit: decides who may come in where C{auth} is C{polkit}.
    @ivar logins: makes, or returns, what lets clients log in where C{auth} is C{sasl}.
    @ivar audit: records changes, or None.
    @ivar metrics: what sessions are measured for, or None.
    @ivar changed: called whenever a client has come or gone.
    @ivar arrivals: connections whose handshake goes on: they count as clients that have not authenticated.
    @ivar calls: number to L{Call} of the main program, filled as procedures are called.
    @ivar turns: how handshakes share the time of the reactor.
    @ivar trusting: whether every client that may change something has the rights of this process.
    """

    trusting = False
    name = "libvirtd"
    programs: Mapping[int, Program] = PROGRAMS
    own: Mapping[Procedure, Answer] = OWN
    session: type[Session] = Session

    def __init__(
        self,
        reactor: Any,
        drivers: IOpens,
        limits: Limits | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """
        @param now: the time of day, in seconds since 1970.
        """
        self.reactor = reactor
        self.now = now
        self.changed: Callable[[], None] = _nobody
        self.access: IPolicy | None = None
        self.polkit: Polkit | None = None
        self.logins: Callable[[], SASL] | None = None
        self.audit: Audit | None = None
        self.metrics: Metrics | None = None
        self.turns = Turns(reactor)
        self.workers = Workers()
        self.workers.switched = self._shortWay
        self.clock: IReactorTime = reactor
        self.drivers = drivers
        self.limits = limits or Limits()
        self.counters = Counters()
        self.encoder = EventEncoder()
        self.sessions: set[Session] = set()
        self.arrivals: set[IArrival] = set()
        self.anonymous = 0
        self.calls: dict[int, Call] = {}
        self.gates: list[IGate] = []
        self.suspended = False
        self.stopping = False
        self._otherCalls: dict[Procedure, Call] = {}
        self._numbers = count(1)

    def call(self, procedure: Procedure) -> Call:
        """Return how to answer C{procedure}, and remember it."""
        found = self._otherCalls.get(procedure)
        if found is None:
            found = self._otherCalls[procedure] = Call(procedure, self.own.get(procedure))
            if self._isShort(procedure):
                self.calls[procedure.number] = found
        return found

    def forgetCalls(self) -> None:
        """Look everything up anew: L{programs} or L{own} have changed."""
        self.calls.clear()
        self._otherCalls.clear()

    def _isShort(self, procedure: Procedure) -> bool:
        """Whether a call may go the sessions' short way now: nothing has to be asked or recorded about it."""
        if REMOTE.procedures.get(procedure.number) is not procedure:
            return False
        if self.workers.full and not procedure.priority:
            return False
        return self.audit is None or procedure.readOnly.allowed

    def _shortWay(self, _: Any = None) -> None:
        """Let all calls that may go the sessions' short way, and no others."""
        for procedure, call in self._otherCalls.items():
            if self._isShort(procedure):
                self.calls[procedure.number] = call
            else:
                self.calls.pop(procedure.number, None)

    def setAudit(self, audit: Audit | None) -> None:
        """Record changes there from now on, None: not at all."""
        self.audit = audit
        self._shortWay()

    # Drivers

    def open(
        self, name: str | None, flags: int, readOnly: bool, trusted: bool | None = None
    ) -> Any:
        """
        Open a URI; a connection, or a Deferred of one.

        @param trusted: whether the client has the rights of this process; None: as all have.
        """
        context = OpenContext(
            reactor=self.reactor,
            readOnly=readOnly,
            flags=flags,
            auth=None,
            inDaemon=True,
            trusted=self.trusting if trusted is None else trusted,
        )
        answer = self.drivers.open(name, context)
        if isinstance(answer, Deferred) and answer.called and not answer.paused:
            settled: list[Any] = []
            answer.addBoth(settled.append)
            if settled:
                if isinstance(settled[0], Failure):
                    settled[0].raiseException()
                return settled[0]
        return answer

    def makeRouter(
        self, connection: IConnection, readOnly: bool, permits: Permits | None = None
    ) -> Router:
        """
        Return what joins calls to the driver behind C{connection}.

        @param permits: tells which listed objects the client may see, None: all.
        """
        return Router(connection, readOnly, permits)

    def closeConnection(self, connection: IConnection) -> None:
        """Close a driver's side; problems are for the log, its client has gone."""
        try:
            answer = connection.close()
            if isinstance(answer, Deferred):
                answer.addErrback(lambda problem: log.failure("closing a connection", problem))
            elif answer is not None:
                Deferred.fromCoroutine(answer).addErrback(
                    lambda problem: log.failure("closing a connection", problem)
                )
        except Exception:
            log.failure("closing a connection")

    # Who is connected

    def trusts(self, session: Session) -> bool:
        """Whether a client has all the rights that the daemon has: it is run by the same user, or by root."""
        if session.readOnly:
            return False
        identity = session.identity
        return self.trusting or (
            identity.transport == "unix"
            and not identity.claimed
            and identity.userID in (0, os.geteuid())
        )

    def sessionStarted(self, session: Session) -> None:
        """Count a client in."""
        self.counters.accepted += 1
        session.number = next(self._numbers)
        session.since = self.now()
        self.sessions.add(session)
        if not session.authenticated:
            self.anonymous += 1
        self._checkLimits()
        self.changed()

    def sessionAuthenticated(self, session: Session) -> None:
        """A client is anonymous no more."""
        self.anonymous -= 1
        self._checkLimits()

    def sessionEnded(self, session: Session) -> None:
        """Count a client out."""
        if session in self.sessions:
            self.sessions.remove(session)
            if not session.authenticated:
                self.anonymous -= 1
            self._checkLimits()
            self.changed()

    def setLimits(self, limits: Limits) -> None:
        """Hold clients to other limits from now on; those that are connected stay."""
        self.limits = limits
        self._checkLimits()

    def mayArrive(self) -> bool:
        """Whether there is room for a client; one that is to be turned away is counted and logged."""
        if self.room and not self.stopping:
            return True
        self.counters.refused += 1
        log.warn("too many active clients, dropping a connection")
        return False

    def arrived(self, arrival: IArrival) -> None:
        """A handshake begins."""
        self.arrivals.add(arrival)
        self._checkLimits()

    def letIn(self, arrival: IArrival) -> None:
        """A handshake has ended well: its place is for the session that follows at once."""
        self.arrivals.discard(arrival)

    def left(self, arrival: IArrival) -> None:
        """A connection is gone, maybe in the middle of its handshake."""
        if arrival in self.arrivals:
            self.arrivals.remove(arrival)
            self._checkLimits()

    @property
    def room(self) -> int:
        """How many more clients may connect now."""
        limits = self.limits
        room = limits.clients - len(self.sessions) - len(self.arrivals)
        if limits.anonymousClients:
            room = min(room, limits.anonymousClients - self.anonymous - len(self.arrivals))
        return max(room, 0)

    def _checkLimits(self) -> None:
        full = self.room == 0
        if full == self.suspended or self.stopping:
            return
        self.suspended = full
        if full:
            self.counters.suspended += 1
            log.warn(
                "{clients} clients are connected, {anonymous} of them not authenticated:"
                " further ones have to wait",
                clients=len(self.sessions) + len(self.arrivals),
                anonymous=self.anonymous + len(self.arrivals),
            )
        else:
            log.info("there is room for clients again")
        for gate in self.gates:
            if full:
                gate.suspend()
            else:
                gate.resume()

    def closeAll(self) -> None:
        """Close every connection: the daemon stops."""
        self.stopping = True
        for arrival in list(self.arrivals):
            arrival.abort()
        for session in list(self.sessions):
            session.close()

    def abortAll(self) -> None:
        """Close every connection that is still there without waiting for its client to read."""
        for session in list(self.sessions):
            session.transport.abortConnection()


class SessionFactory(Factory):
    """Makes the sessions of one listener."""

    noisy = False

    def __init__(self, server: Server, *, auth: str, readOnly: bool) -> None:
        """
        @param auth: how clients have to authenticate.
        @param readOnly: whether they may only look.
        """
        self.server = server
        self.auth = auth
        self.readOnly = readOnly

    def buildProtocol(self, addr: IAddress | None) -> Session | None:
        if not self.server.mayArrive():
            return None
        return self.server.session(self.server, self.auth, self.readOnly)
