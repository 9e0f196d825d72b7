"""
A connection that makes itself anew when it is lost, behind the same handles and callback ids.

To its session it is one driver's connection.  Calls go to whichever real one there is; between two of them they wait
or fail.  What was registered for events is registered again with each new one before any waiting call is let go.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from pyvirt.client.domain import Domain
from pyvirt.client.healing import (
    Change,
    ConnectionGivenUp,
    ConnectionLost,
    ConnectionRestored,
    ConnectionRetried,
    Happening,
    Healing,
    WhileAway,
)
from pyvirt.client.inventory import KINDS, Difference, Inventory, answered
from pyvirt.client.local import LocalCaller
from pyvirt.client.network import Network
from pyvirt.client.storage import StoragePool
from pyvirt.client.waiting import Waiting
from pyvirt.drivers.interfaces.calling import ICaller
from pyvirt.drivers.interfaces.driver import IConnection
from pyvirt.drivers.interfaces.events import Event, EventKind, ISubscription, Listener
from pyvirt.errors import ErrorCode, ErrorDomain, NotConnected, OutcomeUnknown, VirtError
from pyvirt.protocols.procedures import Procedure, Program
from pyvirt.protocols.programs import REMOTE

if TYPE_CHECKING:
    from pyvirt.client.connect import Connect

__all__ = ["Healer"]

FEATURE_CLOSE_CALLBACK = 15

_OURS = frozenset(("connectRegisterCloseCallback", "connectUnregisterCloseCallback"))
"""What is asked for at each new connection, whoever else asks."""

_FINAL = frozenset((ErrorCode.AUTH_FAILED, ErrorCode.AUTH_CANCELLED, ErrorCode.AUTH_UNAVAILABLE))
"""Errors of attempts that no further attempt could mend."""

_CLASSES: dict[EventKind, Any] = {
    EventKind.DOMAIN: Domain,
    EventKind.NETWORK: Network,
    EventKind.STORAGE_POOL: StoragePool,
}


def _notConnected(detail: str) -> NotConnected:
    return NotConnected(
        f"internal error: {detail}",
        code=ErrorCode.INTERNAL_ERROR,
        domain=ErrorDomain.RPC,
        str1="internal error: %s",
        str2=detail,
    )


class _Channel:
    """One registration, made again with each connection, and who hears it."""

    def __init__(self, subscribe: Callable[[ICaller, Listener], Any]) -> None:
        self.subscribe = subscribe
        self.listeners: list[Listener] = []
        self.registration: ISubscription | None = None

    def heard(self, event: Event) -> None:
        for listener in tuple(self.listeners):
            listener(event)


@implementer(ISubscription)
class _Share:
    """
    One listener's part of a channel.

    @ivar silent: nothing is heard: the daemon that there is now refused to tell.
    """

    def __init__(self, healer: Healer, key: tuple[Any, ...], listener: Listener) -> None:
        self._healer = healer
        self._key = key
        self._listener = listener

    @property
    def silent(self) -> bool:
        return self._healer.isSilent(self._key)

    def renew(self) -> Any:
        """Ask again to be told."""
        return Deferred.fromCoroutine(self._healer.renew(self._key)).addCallback(lambda _: self)

    def cancel(self) -> Any:
        """Hear no more."""
        return self._healer.leave(self._key, self._listener)


@implementer(IConnection, ICaller)
class Healer:
    """
    A connection that heals itself.

    @ivar connection: the real one there is, or was.
    @ivar checksHere: whether arguments are checked before they come here, as the remote driver needs it.
    """

    def __init__(
        self,
        connection: IConnection,
        reopen: Callable[[], Any],
        healing: Healing,
        clock: IReactorTime,
        readOnly: bool,
    ) -> None:
        """
        @param connection: the first one.
        @param reopen: makes another.
        """
        self.connection = connection
        self.checksHere = ICaller.providedBy(connection)
        self._healing = healing
        self._reopen = reopen
        self._clock = clock
        self._readOnly = readOnly
        self._caller = self._callerOf(connection)
        self._ready = False
        self._ended: VirtError | None = None
        self._channels: dict[tuple[Any, ...], _Channel] = {}
        self._inventory = Inventory() if healing.compare else None
        self._keepalive = healing.keepalive
        self._lossListeners: list[Callable[[int], None]] = []
        self._waiting: dict[Waiting, None] = {}
        self._attempt: Deferred[Any] | None = None
        self._timers: list[IDelayedCall] = []
        self._attempts = 0
        self._delay = 0.0
        self._lostAt = 0.0
        self._reason = 0
        self._user: Connect | None = None

    async def begin(self, user: Connect) -> None:
        """
        Take care of the first connection.

        @param user: what C{onChange} is called with.
        @raise VirtError: it was lost already, or the host does not say what is on it.
        """
        self._user = user
        if self._inventory is not None:
            for kind in KINDS:
                self._channel(
                    (kind, 0, None),
                    lambda caller, heard, kind=kind: caller.subscribe(kind, 0, None, heard),
                ).listeners.append(self._inventory.listener(kind))
        await self._prepare(self.connection, self._caller)
        self._adopt(self.connection, self._caller)

    # What there is

    @property
    def uri(self) -> str:
        """The URI that was opened."""
        return self.connection.uri

    @property
    def features(self) -> Iterable[int]:
        """What the daemon said it has."""
        features: Iterable[int] = getattr(self.connection, "features", ())
        return features

    def component(self, interface: InterfaceClass) -> object | None:
        """Nothing: this connection takes procedures."""
        return None

    def isAlive(self) -> bool:
        """Whether it is there now."""
        return self._ready and self.connection.isAlive()

    def isSecure(self) -> bool:
        """As the real one."""
        return self.connection.isSecure()

    def isEncrypted(self) -> bool:
        """As the real one."""
        return self.connection.isEncrypted()

    def abort(self) -> None:
        """Give the real connection up at once; another will be made."""
        abort = getattr(self.connection, "abort", None)
        if abort is not None:
            abort()

    # Calls

    def call(
        self,
        program: Program,
        procedure: Procedure,
        arguments: tuple[Any, ...],
        fds: Sequence[int] = (),
    ) -> Any:
        """Call, now or when the connection is back; see L{ICaller.call}."""
        if procedure.name in _OURS:
            return None
        if self._ready and self.connection.isAlive():
            return self._caller.call(program, procedure, arguments, fds)
        if self.checksHere:
            # What does not fit is told at once, not when the connection is back.
            procedure.argumentCodec.encode(arguments)
        if not fds:
            return self._later(lambda: self.call(program, procedure, arguments))
        # The descriptors are the caller's, who may close them before that.
        kept = [os.dup(fd) for fd in fds]

        def closed(result: Any) -> Any:
            while kept:
                os.close(kept.pop())
            return result

        try:
            answer = self._later(lambda: self.call(program, procedure, arguments, kept))
        except BaseException:
            closed(None)
            raise
        return answer.addBoth(closed)

    def openStream(self, program: Program, procedure: Procedure, arguments: tuple[Any, ...]) -> Any:
        """Open a stream, now or when the connection is back; one that is open ends with its connection."""
        if self._ready and self.connection.isAlive():
            return self._caller.openStream(program, procedure, arguments)
        return self._later(lambda: self.openStream(program, procedure, arguments))

    def _later(self, act: Callable[[], Any]) -> Deferred[Any]:
        """
        Keep a call until the connection is back.

        @raise NotConnected: it must not wait.
        """
        if self._ended is not None:
            raise self._ended
        if self._healing.whileAway is WhileAway.FAIL:
            raise _notConnected(f"the connection to '{self.uri}' is lost and not back yet")
        if len(self._waiting) >= self._healing.waitingLimit:
            raise _notConnected(
                f"{len(self._waiting)} calls wait for the connection to '{self.uri}' already"
            )
        waiting = Waiting(act, lambda which: self._waiting.pop(which, None))
        self._waiting[waiting] = None
        return waiting.answer

    # Events

    def subscribe(self, kind: EventKind, eventID: int, ref: Any, listener: Listener) -> Any:
        """Hear events of this connection and those after it; see L{ICaller.subscribe}."""
        return Deferred.fromCoroutine(
            self._subscribe(
                (kind, eventID, ref),
                lambda caller, heard: caller.subscribe(kind, eventID, ref, heard),
                listener,
            )
        )

    def subscribeMonitor(self, dom: Any, event: str | None, flags: int, listener: Listener) -> Any:
        """Hear the monitor's events of this connection and those after it."""
        return Deferred.fromCoroutine(
            self._subscribe(
                (EventKind.MONITOR, 0, dom, event, flags),
                lambda caller, heard: caller.subscribeMonitor(dom, event, flags, heard),
                listener,
            )
        )

    def _channel(self, key: tuple[Any, ...], subscribe: Callable[..., Any]) -> _Channel:
        return self._channels.setdefault(key, _Channel(subscribe))

    async def _subscribe(
        self, key: tuple[Any, ...], subscribe: Callable[..., Any], listener: Listener
    ) -> ISubscription:
        while True:
            channel = self._channels.get(key)
            if channel is not None and channel.registration is not None:
                channel.listeners.append(listener)
                return _Share(self, key, listener)
            if self._ready and self.connection.isAlive():
                break
            await self._later(lambda: None)
        made = _Channel(subscribe)
        made.listeners.append(listener)
        made.registration = await answered(subscribe(self._caller, made.heard))
        # Those whom a daemon before did not tell hear this one.
        silent = self._channels.get(key)
        if silent is not None:
            made.listeners[:0] = silent.listeners
        self._channels[key] = made
        return _Share(self, key, listener)

    def isSilent(self, key: tuple[Any, ...]) -> bool:
        """Whether there is a connection and a channel that the daemon did not make again."""
        channel = self._channels.get(key)
        return self._ready and channel is not None and channel.registration is None

    async def renew(self, key: tuple[Any, ...]) -> None:
        """Make a channel again that the daemon refused when the connection came back."""
        channel = self._channels.get(key)
        if channel is not None and channel.registration is None:
            registration = await answered(channel.subscribe(self._caller, channel.heard))
            channel.registration = registration

    def leave(self, key: tuple[Any, ...], listener: Listener) -> Any:
        """Forget a listener; with the last one its registration."""
        channel = self._channels.get(key)
        if channel is None or listener not in channel.listeners:
            return None
        channel.listeners.remove(listener)
        if channel.listeners:
            return None
        del self._channels[key]
        registration, channel.registration = channel.registration, None
        # One that a lost connection had is gone with it.
        return registration.cancel() if registration is not None else None

    def whenLost(self, listener: Callable[[int], None]) -> None:
        """Call C{listener} when the connection is given up."""
        self._lossListeners.append(listener)

    def setKeepAlive(self, interval: int, count: int) -> int:
        """Watch this connection and those after it; see L{ICaller.setKeepAlive}."""
        self._keepalive = (interval, count)
        if not self._ready:
            return 0
        return self._caller.setKeepAlive(interval, count)

    # Healing

    def _callerOf(self, connection: IConnection) -> ICaller:
        if ICaller.providedBy(connection):
            return cast(ICaller, connection)
        return LocalCaller(connection, self._readOnly)

    async def _prepare(
        self, connection: IConnection, caller: ICaller
    ) -> tuple[list[Difference], frozenset[str], list[VirtError]]:
        """
        Make a connection what the user takes it for.

        @return: what differs from before, which kinds were compared, and registrations that were refused.
        """
        if self.checksHere:
            if self._keepalive is not None:
                caller.setKeepAlive(*self._keepalive)
            if FEATURE_CLOSE_CALLBACK in getattr(connection, "features", ()):
                procedure = REMOTE.byName["connectRegisterCloseCallback"]
                try:
                    await answered(caller.call(REMOTE, procedure, ()))
                except OutcomeUnknown:
                    raise
                except VirtError:
                    pass  # then the hypervisor's own loss stays untold
        if self._inventory is not None:
            self._inventory.expect()
        refused = await self._registerAgain(caller)
        if self._inventory is None:
            return [], frozenset(), refused
        return *await self._inventory.take(caller), refused

    async def _registerAgain(self, caller: ICaller) -> list[VirtError]:
        channels = list(self._channels.items())
        answers: list[Any] = await DeferredList(
            [maybeDeferred(each.subscribe, caller, each.heard) for _, each in channels],
            consumeErrors=True,
        )
        refused = []
        for (key, channel), (well, answer) in zip(channels, answers, strict=True):
            if well and self._channels.get(key) is channel:
                channel.registration = answer
            elif well:
                # It was cancelled meanwhile.
                cancelled: Deferred[Any] = maybeDeferred(answer.cancel)
                cancelled.addErrback(lambda failure: None)
            elif answer.check(OutcomeUnknown) or not answer.check(VirtError):
                answer.raiseException()
            elif self._asked(key, channel):
                refused.append(answer.value)
        return refused

    def _asked(self, key: tuple[Any, ...], channel: _Channel) -> bool:
        """Whether the user hears a channel, not just the inventory."""
        own = self._inventory is not None and key[1:] == (0, None) and key[0] in KINDS
        return self._channels.get(key) is channel and len(channel.listeners) > own

    def _adopt(self, connection: IConnection, caller: ICaller) -> None:
        self.connection, self._caller = connection, caller
        self._ready = True
        if self._user is not None:
            self._user._session.renewed()
        caller.whenLost(lambda reason: self._lost(caller, reason))
        waiting, self._waiting = self._waiting, {}
        for each in waiting:
            each.release()

    def _lost(self, caller: ICaller, reason: int) -> None:
        if caller is not self._caller or not self._ready or self._ended is not None:
            return
        self._ready = False
        # Where only the hypervisor's side was lost the connection itself is still there.
        maybeDeferred(self.connection.close)
        for channel in self._channels.values():
            channel.registration = None
        self._lostAt = self._clock.seconds()
        self._reason = reason
        self._attempts, self._delay = 0, self._healing.firstDelay
        self._tell(ConnectionLost(reason))
        if self._healing.patience is not None:
            self._timers.append(self._clock.callLater(self._healing.patience, self._giveUp, None))
        self._schedule(None)

    def _schedule(self, error: Exception | None) -> None:
        healing = self._healing
        if healing.attempts is not None and self._attempts >= healing.attempts:
            self._giveUp(error)
            return
        self._attempts += 1
        longest = min(self._delay, healing.longestDelay)
        self._delay = longest * healing.factor
        delay = longest * (1 - healing.jitter * healing.random())
        self._tell(ConnectionRetried(self._attempts, delay, error))
        self._timers.append(self._clock.callLater(delay, self._try))

    def _try(self) -> None:
        attempt: Deferred[Any] = Deferred.fromCoroutine(self._reconnect())
        if not attempt.called:
            self._attempt = attempt
        attempt.addTimeout(self._healing.attemptTimeout, self._clock)
        attempt.addErrback(self._failed)

    async def _reconnect(self) -> None:
        connection = await answered(self._reopen())
        caller = self._callerOf(connection)
        gone: list[int] = []
        caller.whenLost(gone.append)
        # Events of the new connection wait behind what is told of its coming back.
        told: Deferred[Happening | None] = Deferred()
        self._queue(lambda: told.addCallback(self._toldNow))
        try:
            found, compared, refused = await self._prepare(connection, caller)
            # Its own connection to the hypervisor may have broken while it is still there itself.
            if gone or not connection.isAlive():
                raise _notConnected("the connection was lost again at once")
        except BaseException:
            maybeDeferred(connection.close)
            for channel in self._channels.values():
                channel.registration = None
            told.callback(None)
            raise
        self._attempt = None
        self._stopTimers()
        away = self._clock.seconds() - self._lostAt
        changes = tuple(self._change(each) for each in found)
        told.callback(ConnectionRestored(self._attempts, away, changes, compared, tuple(refused)))
        self._adopt(connection, caller)

    def _change(self, found: Difference) -> Change:
        handle = _CLASSES[found.eventKind](self._user, found.ref)
        return Change(found.kind, handle, found.before, found.now)

    def _failed(self, failure: Failure) -> None:
        self._attempt = None
        if self._ended is not None:
            return
        error = cast(Exception, failure.value)
        if isinstance(error, VirtError) and error.code in _FINAL:
            self._giveUp(error)
        else:
            self._schedule(error)

    def _giveUp(self, error: Exception | None) -> None:
        detail = f"the connection to '{self.uri}' was given up"
        self._end(_notConnected(f"{detail}: {error}" if error is not None else detail))
        self._tell(ConnectionGivenUp(error))
        listeners, self._lossListeners = self._lossListeners, []
        for listener in listeners:
            listener(self._reason)

    def _stopTimers(self) -> None:
        timers, self._timers = self._timers, []
        for each in timers:
            if each.active():
                each.cancel()

    def _end(self, error: VirtError) -> None:
        """Nothing happens here any more."""
        self._ended, self._ready = error, False
        self._stopTimers()
        if self._attempt is not None:
            self._attempt.cancel()
        waiting, self._waiting = self._waiting, {}
        for each in waiting:
            each.fail(error)

    def close(self) -> Any:
        """Close for good."""
        if self._ended is None:
            self._end(_notConnected("client socket is closed"))
        return self.connection.close()

    # What is told

    def _queue(self, deliver: Callable[[], Any]) -> None:
        if self._user is not None:
            self._user._session.queue.put(deliver, mustKeep=True)

    def _tell(self, happening: Happening) -> None:
        if self._healing.onChange is not None:
            self._queue(lambda: self._toldNow(happening))

    def _toldNow(self, happening: Happening | None) -> Any:
        told = self._healing.onChange
        if told is None or happening is None:
            return None
        answer = told(self._user, happening)  # type: ignore[arg-type]
        return Deferred.fromCoroutine(answer) if iscoroutine(answer) else answer
