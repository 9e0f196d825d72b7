"""
One connection of a client: bytes in, a call found, its answer out.

A synchronous answer takes the straight way through L{Session.packetReceived}; everything else leaves it.  A
session holds little until it is used, for most of thousands of connections are idle.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from pyvirt.daemon.access.guard import Guard, denied
from pyvirt.daemon.access.objects import driverName
from pyvirt.daemon.answers import Streaming, closeAll, discard, letGo, streaming
from pyvirt.daemon.audit import changes
from pyvirt.daemon.calls import Call, lookup, notOpen, rpcError
from pyvirt.daemon.identity import Identity
from pyvirt.daemon.subscriptions import Subscriptions
from pyvirt.drivers.interfaces.driver import IClientWatch, IConnection
from pyvirt.drivers.interfaces.faults import BrokenReply, interceptorOf
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, shortage, virtError
from pyvirt.protocols.message import (
    LENGTH_MAX,
    PAYLOAD,
    MessageType,
    Status,
    pack,
    packHeader,
    unpackHeader,
)
from pyvirt.protocols.procedures import Procedure, Program
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from pyvirt.protocols.rpc import RPCServer
from pyvirt.protocols.xdr import XDRError
from pyvirt.routes import DescriptorAnswer

if TYPE_CHECKING:
    from pyvirt.daemon.sasl import Login
    from pyvirt.daemon.server import Server
    from pyvirt.routes import Router

__all__ = ["Session"]

_CALL = int(MessageType.CALL)
_CALL_WITH_FDS = int(MessageType.CALL_WITH_FDS)
_REPLY = int(MessageType.REPLY)
_REPLY_WITH_FDS = int(MessageType.REPLY_WITH_FDS)
_REMOTE = REMOTE.number
_CONNECT_RO = 1
_CLOSING = 30.0
"""Seconds that a client has to read what was sent before the connection was closed."""
_ANONYMOUS_MAX = 1 << 20
"""The longest packet from a client that has not authenticated: room for any credentials."""

log = Logger()


class Session(RPCServer):
    """
    A client's connection.

    @ivar server: what all sessions share.
    @ivar auth: how its client has to authenticate: C{"none"}, C{"sasl"} or C{"polkit"}.
    @ivar authenticated: whether it may call anything but the calls of authentication.
    @ivar readOnly: whether it came by a read-only socket.
    @ivar number: tells it from others of its server, for administrators.
    @ivar since: when it was accepted, in seconds since 1970.
    @ivar identity: who its client is, as far as is known by now.
    @ivar connection: the driver's side once a URI is open.
    @ivar guard: checks every call, where access is controlled and a URI is open.
    @ivar inFlight: how many calls wait for their answer.
    """

    connection: IConnection | None = None
    router: Router | None = None
    guard: Guard | None = None
    login: Login | None = None
    identity: Identity = Identity()
    number = 0
    since = 0.0
    wantsCloseEvent = False
    inFlight = 0
    closing = False
    _opening: Deferred[Any] | None = None
    _closed: list[IConnection] | None = None
    _subscriptions: Subscriptions | None = None
    _deadline: IDelayedCall | None = None
    _eventBytes = 0
    _late: list[bytes] | None = None

    def __init__(self, server: Server, auth: str, readOnly: bool) -> None:
        super().__init__(server.clock)
        self.server = server
        self.auth = auth
        self.authenticated = auth == "none"
        if not self.authenticated:
            self.frames.maximum = _ANONYMOUS_MAX
        self.readOnly = readOnly
        self.calls = server.calls

    @property
    def peer(self) -> str:
        """The other end, for logs."""
        return self.identity.describe()

    # Coming and going

    def connectionMade(self) -> None:
        super().connectionMade()
        self.identity = Identity.of(self.transport)
        self.server.sessionStarted(self)
        if not self.authenticated:
            self._deadline = self.clock.callLater(
                self.server.limits.authenticationDeadline, self._authenticationExpired
            )

    def _authenticationExpired(self) -> None:
        self._deadline = None
        log.warn("{peer} did not authenticate in time, dropping it", peer=self.peer)
        self.server.counters.unauthenticated += 1
        self.transport.abortConnection()

    def authenticationSucceeded(self) -> None:
        """The client has shown who it is; it may call anything now."""
        if not self.authenticated and not self.connectionIsLost:
            self.authenticated = True
            self.frames.maximum = LENGTH_MAX
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
            self.server.sessionAuthenticated(self)

    def polkitSucceeded(self) -> int:
        """Polkit lets the client in; return what it is told."""
        self.authenticationSucceeded()
        return 1

    def authenticationFailed(self, failure: Failure) -> Failure:
        """The client could not show who it is."""
        self.loginFailed(failure.getErrorMessage())
        return failure

    def loginFailed(self, reason: str) -> None:
        """The client could not show who it is."""
        log.warn("{peer} is not let in: {reason}", peer=self.peer, reason=reason)
        self.server.counters.failedLogins += 1

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._opening is not None:
            self._opening.cancel()
        if self.login is not None:
            self.login.forget()
        self.closeConnection()
        self.server.sessionEnded(self)

    def brokenBy(self, reason: str) -> None:
        log.warn("{peer} broke the protocol: {reason}", peer=self.peer, reason=reason)
        self.server.counters.broken += 1
        super().brokenBy(reason)

    def keepaliveFailed(self) -> None:
        log.info("{peer} does not answer keepalives, dropping it", peer=self.peer)
        self.server.counters.silent += 1
        super().keepaliveFailed()

    def askedForKeepalive(self) -> None:
        """The client understands keepalives: watch it from now on, once."""
        if self.keepalive is None:
            limits = self.server.limits
            self.startKeepalive(limits.keepaliveInterval, limits.keepaliveCount)

    def closeWhenAnswered(self) -> None:
        """Take no further call, close when the answer to this one is on its way."""
        self.closing = True
        self.closeConnection()
        self.clock.callLater(0, self.close)

    def close(self) -> None:
        if not self.connectionIsLost:
            super().close()
            if self.clogged and self._deadline is None:
                self._deadline = self.clock.callLater(_CLOSING, self._closingExpired)

    def _closingExpired(self) -> None:
        self._deadline = None
        log.warn("{peer} does not read the end of its connection, cutting it", peer=self.peer)
        self.server.counters.slow += 1
        self.transport.abortConnection()

    # The driver's side

    def openConnection(self, name: str | None, flags: int) -> Any:
        """Open a URI; answers with None, or fails with L{VirtError}."""
        readOnly = self.readOnly or bool(flags & _CONNECT_RO)
        answer = self.server.open(name, flags, readOnly, self.server.trusts(self))
        if not isinstance(answer, Deferred):
            return self._opened(answer, readOnly)
        self._opening = answer
        # What the client sends next is for the connection that is not there yet.
        self.hold()
        answer.addBoth(self._openingDone, readOnly)
        return answer

    def _openingDone(self, result: Any, readOnly: bool) -> Any:
        self._opening = None
        self.release()
        return result if isinstance(result, Failure) else self._opened(result, readOnly)

    def _opened(self, connection: Any, readOnly: bool) -> Any:
        if connection.__class__ is BrokenReply:
            return succeed(connection)
        self.connection = connection
        if self.connectionIsLost or self.closing:
            self.closeConnection()
            return None
        policy = self.server.access
        if policy is None:
            self.router = self.server.makeRouter(connection, readOnly)
            return None
        # Every call is checked from now on, so none goes the short way.
        self.calls = {}
        router = self.router = self.server.makeRouter(connection, readOnly, self._permits)
        self.guard = Guard(policy, lambda: self.identity, driverName(connection), router.call)
        answer = self.guard.ask("getattr", self.guard.connection)
        if isinstance(answer, Deferred):
            return answer.addCallback(self._mayOpen)
        return self._mayOpen(answer)

    def _mayOpen(self, allowed: bool) -> None:
        guard = self.guard
        if not allowed and guard is not None:
            self.closeConnection()
            raise denied(guard.driver)

    def _permits(self, procedure: Procedure, item: Any) -> Any:
        return self.guard is not None and self.guard.permits(procedure, item)

    def closeConnection(self) -> None:
        """
        Let go of the driver's side, registrations first.

        Operations that are under way go on, as they do when a client of libvirtd leaves; the connection is
        closed behind the last of them.
        """
        if self._subscriptions is not None:
            self._subscriptions.clear()
            self._subscriptions = None
        connection, self.connection, self.router = self.connection, None, None
        self.guard = None
        if connection is None:
            return
        if self.inFlight:
            interceptor = interceptorOf(connection)
            if interceptor is not None:
                interceptor.abandoned()
            watch = connection.component(IClientWatch)
            if IClientWatch.providedBy(watch):
                watch.clientGone()
        if not self.inFlight:
            self.server.closeConnection(connection)
        elif self._closed is None:
            self._closed = [connection]
        else:
            self._closed.append(connection)

    def subscriptions(self) -> Subscriptions:
        """
        The registrations for events.

        @raise VirtError: no URI is open.
        """
        found = self._subscriptions
        if found is None:
            if self.connection is None:
                raise notOpen()
            found = self._subscriptions = Subscriptions(self)
        return found

    def sendEvent(self, packet: bytes) -> None:
        """
        Send a message that the client did not ask for now.

        What its own call caused follows the answer.  A client that does not read is dropped rather than
        remembered for.
        """
        if self.connectionIsLost or self.closing:
            return
        if self.clogged:
            self._eventBytes += len(packet)
            if self._eventBytes > self.server.limits.eventBacklog:
                log.warn("{peer} does not read its events, dropping it", peer=self.peer)
                self.server.counters.slow += 1
                self.closing = True
                self.transport.abortConnection()
                return
        if self._late is not None:
            self._late.append(packet)
        elif self._batch is not None:
            self._late = [packet]
            self.clock.callLater(0, self._sendLate)
        else:
            self.send(packet)

    def _sendLate(self) -> None:
        late, self._late = self._late, None
        if late:
            self.send(late[0] if len(late) == 1 else b"".join(late))

    def unclogged(self) -> None:
        self._eventBytes = 0
        super().unclogged()

    # Calls

    def packetReceived(self, packet: bytes, fds: list[int]) -> None:
        _, program, version, number, type, serial, status = unpackHeader(packet)
        if type == _CALL and status == 0 and program == _REMOTE and version == 1:
            call = self.calls.get(number)
            if call is not None and call.plain and self.authenticated and not self.closing:
                try:
                    arguments, _ = call.decode(packet, PAYLOAD)
                except XDRError:
                    self._undecodable(REMOTE, number, serial)
                    return
                try:
                    if call.run is not None:
                        result = call.run(self, arguments)
                    elif self.router is not None:
                        result = self.router.call(call.procedure, arguments)
                    else:
                        raise notOpen()
                except VirtError as error:
                    self.replyError(_REMOTE, 1, number, serial, error)
                    return
                except Exception:
                    self._driverFailed(REMOTE, call, serial, Failure())
                    return
                if result.__class__ is Deferred:
                    self._wait(REMOTE, call, serial, result, fds)
                    return
                try:
                    payload = call.encode((result,)) if call.hasResult else b""
                    self.send(
                        packHeader(28 + len(payload), _REMOTE, 1, number, _REPLY, serial, 0)
                        + payload
                    )
                except XDRError as problem:
                    self._unencodable(REMOTE, call, serial, problem)
                return
        if type in (_CALL, _CALL_WITH_FDS):
            self.callReceived(program, version, number, serial, status, packet, fds)
            return
        for fd in fds:
            os.close(fd)
        super().packetReceived(packet, [])

    def callReceived(
        self,
        program: int,
        version: int,
        number: int,
        serial: int,
        status: int,
        packet: bytes,
        fds: list[int],
    ) -> None:
        """Answer a call that is not plain, not known yet or not welcome."""
        if self.closing:
            closeAll(fds)
            return
        try:
            self._dispatch(program, version, number, serial, status, packet, fds)
        except VirtError as error:
            closeAll(fds)
            self.replyError(program, version, number, serial, error)

    def _dispatch(
        self,
        program: int,
        version: int,
        number: int,
        serial: int,
        status: int,
        packet: bytes,
        fds: list[int],
    ) -> None:
        programs = self.server.programs
        found = programs.get(program)
        if found is not None and version == found.version and status != Status.OK:
            raise rpcError(f"Unexpected message status {status}")
        found, procedure = lookup(programs, program, version, number)
        if procedure.needsAuthentication and not self.authenticated:
            raise rpcError("authentication required")
        call = self.server.call(procedure)
        offset = PAYLOAD + 4 if unpackHeader(packet)[4] == _CALL_WITH_FDS else PAYLOAD
        try:
            arguments, _ = call.decode(packet, offset)
        except XDRError:
            self._undecodable(found, number, serial)
            closeAll(fds)
            return
        try:
            queued = self.server.workers.full and not procedure.priority and call.run is None
            if queued:
                result = self._queue(call, arguments, serial, fds)
            else:
                result = self._run(call, arguments, serial, fds)
            if isinstance(result, Deferred):
                if call.procedure.stream is not None:
                    result.addCallback(streaming, arguments)
                self._wait(found, call, serial, result, fds, queued)
                return
        except VirtError:
            raise
        except Exception:
            self._driverFailed(found, call, serial, Failure())
            closeAll(fds)
            return
        if call.procedure.stream is not None:
            result = streaming(result, arguments)
        self._answer(found, call, serial, result)
        closeAll(fds)

    def _queue(
        self, call: Call, arguments: tuple[Any, ...], serial: int, fds: list[int]
    ) -> Deferred[Any]:
        """Run a call when there is room for it."""
        turn: Deferred[Any] = Deferred()
        workers = self.server.workers

        def start() -> None:
            workers.began()
            turn.callback(None)

        def run(_: None) -> Any:
            if self.connectionIsLost:
                raise CancelledError()
            return self._run(call, arguments, serial, fds)

        turn.addCallback(run)
        workers.wait(start)
        return turn

    def _run(self, call: Call, arguments: tuple[Any, ...], serial: int, fds: list[int]) -> Any:
        audit = self.server.audit
        if audit is None or not changes(call.procedure):
            return self._runGuarded(call, arguments, fds)
        return audit.watch(
            self.identity,
            call.procedure,
            arguments,
            lambda: self._runGuarded(call, arguments, fds),
        )

    def _runGuarded(self, call: Call, arguments: tuple[Any, ...], fds: list[int]) -> Any:
        guard = self.guard
        if guard is None:
            return self._runAllowed(call, arguments, fds)
        if call.run is None and self.router is not None:
            self.router.check(call.procedure, arguments, fds)
        return guard.run(call.procedure, arguments, lambda: self._runAllowed(call, arguments, fds))

    def _runAllowed(self, call: Call, arguments: tuple[Any, ...], fds: list[int]) -> Any:
        if call.run is not None:
            return call.run(self, arguments)
        router = self.router
        if router is None:
            raise notOpen()
        return router.call(call.procedure, arguments, fds)

    def _answer(self, program: Program, call: Call, serial: int, result: Any) -> None:
        fds: list[int] | None = None
        end: Any = None
        arguments: tuple[Any, ...] = ()
        if result.__class__ is DescriptorAnswer:
            result, fds = result.value, list(result.fds)
        elif result.__class__ is Streaming:
            result, end, arguments = result
        elif result.__class__ is BrokenReply:
            from pyvirt.daemon.breaking import (
                breakReply,
            )  # only drivers that test others ask for it

            breakReply(self, program, call, serial, result)
            return
        try:
            payload = call.encode((result,)) if call.hasResult else b""
            type = _REPLY
            if fds is not None:
                type = _REPLY_WITH_FDS
                payload = len(fds).to_bytes(4, "big") + payload
            packet = pack(
                program.number, program.version, call.procedure.number, type, serial, 0, payload
            )
        except XDRError as problem:
            closeAll(fds or [])
            letGo(end)
            self._unencodable(program, call, serial, problem)
            return
        if not fds:
            self.send(packet)
            if end is not None:
                from pyvirt.protocols.streams import serveStream  # most sessions have none

                serveStream(self, program, call.procedure, serial, arguments, end)
            return
        try:
            self.sendWithDescriptors(packet, fds)
        except TypeError:
            error = virtError(
                ErrorCode.INTERNAL_ERROR,
                "Sending file descriptors is not supported on this socket",
                ErrorDomain.RPC,
            )
            self.replyError(program.number, program.version, call.procedure.number, serial, error)
        finally:
            closeAll(fds)

    def _wait(
        self,
        program: Program,
        call: Call,
        serial: int,
        result: Deferred[Any],
        fds: list[int],
        queued: bool = False,
    ) -> None:
        """Answer when C{result} fires; beyond the limit of calls in flight, read no further ones."""
        self.inFlight += 1
        if not queued:
            self.server.workers.began()
        if self.inFlight >= self.server.limits.clientRequests:
            self.server.counters.held += 1
            self.hold()

        def done(outcome: Any) -> None:
            self.inFlight -= 1
            self.server.workers.ended()
            closeAll(fds)
            if not self.inFlight and self._closed is not None:
                closed, self._closed = self._closed, None
                for connection in closed:
                    self.server.closeConnection(connection)
            if self.connectionIsLost:
                discard(outcome)
                if isinstance(outcome, Failure) and not outcome.check(VirtError, CancelledError):
                    log.failure("{call} failed after its client left", outcome, call=call.procedure)
                return
            if not isinstance(outcome, Failure):
                self._answer(program, call, serial, outcome)
            elif isinstance(outcome.value, VirtError):
                self.replyError(
                    program.number, program.version, call.procedure.number, serial, outcome.value
                )
            else:
                self._driverFailed(program, call, serial, outcome)
            if self.held and self._opening is None:
                self.release()

        result.addBoth(done)

    def replyError(
        self, program: int, version: int, number: int, serial: int, error: VirtError
    ) -> None:
        if error.code == ErrorCode.ACCESS_DENIED:
            self.server.counters.denied += 1
        super().replyError(program, version, number, serial, error)

    def _undecodable(self, program: Program, number: int, serial: int) -> None:
        self.replyError(
            program.number,
            program.version,
            number,
            serial,
            rpcError("Unable to decode message payload"),
        )

    def _unencodable(self, program: Program, call: Call, serial: int, problem: XDRError) -> None:
        log.error(
            "the result of {call} does not fit: {problem}", call=call.procedure, problem=problem
        )
        self.replyError(
            program.number,
            program.version,
            call.procedure.number,
            serial,
            rpcError("Unable to encode message payload"),
        )

    def _driverFailed(self, program: Program, call: Call, serial: int, failure: Failure) -> None:
        error = shortage(failure.value)
        if error is not None:
            log.error("{call}: {error}", call=call.procedure, error=error)
        else:
            log.failure("{call} failed unexpectedly", failure, call=call.procedure)
            self.server.counters.crashed += 1
            error = virtError(
                ErrorCode.INTERNAL_ERROR,
                "the driver failed unexpectedly, the daemon's log tells how",
                ErrorDomain.RPC,
            )
        self.replyError(program.number, program.version, call.procedure.number, serial, error)
