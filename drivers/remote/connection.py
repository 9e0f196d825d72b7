"""
An open connection to a daemon: calls go out, events come in, and its end is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock, TimeoutError, maybeDeferred
from twisted.logger import Logger
from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from pyvirt.drivers.interfaces.calling import ICaller
from pyvirt.drivers.interfaces.driver import IConnection
from pyvirt.drivers.interfaces.events import EventKind, ISubscription, Listener
from pyvirt.drivers.interfaces.peers import IMigrationPeer
from pyvirt.drivers.remote import messages
from pyvirt.drivers.remote.messages import REGISTRATION
from pyvirt.drivers.remote.protocol import RemoteProtocol
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.protocols.message import PAYLOAD
from pyvirt.protocols.procedures import Procedure, Program
from pyvirt.protocols.programs import REMOTE
from pyvirt.protocols.streams import openStream
from pyvirt.protocols.xdr import XDRError

__all__ = ["RemoteConnection"]

_log = Logger()

FEATURE_EVENT_CALLBACKS = 14

CLOSE_TIMEOUT = 10.0
"""Seconds that a daemon has to answer that it closed, before the socket is closed all the same."""

_CLOSE = REMOTE.byName["connectClose"]
_CLOSED_EVENT = REMOTE.byName["connectEventConnectionClosed"]


@implementer(IConnection, ICaller)
class RemoteConnection:
    """
    A daemon's connection, used from here.

    @ivar uri: the URI as the user gave it.
    @ivar keepalive: whether the daemon answers keepalive messages.
    @ivar features: numbers of the features that it said it has.
    @ivar secureTransport: nobody on the way can read or change what is said.
    @ivar encryptedTransport: what is said is encrypted on the way.
    """

    def __init__(
        self, protocol: RemoteProtocol, uri: str, *, secure: bool, encrypted: bool
    ) -> None:
        self.protocol = protocol
        self.uri = uri
        self.keepalive = False
        self._watched = False
        self.secureTransport = secure
        self.encryptedTransport = encrypted
        self._listeners: dict[tuple[EventKind, int], Listener] = {}
        self._early: dict[tuple[EventKind, int], list[Any]] = {}
        self._registering = 0
        self._legacy: dict[int, list[LegacyRegistration]] = {}
        self._legacyTurn = DeferredLock()
        self.features: set[int] = set()
        self._lossListeners: list[Callable[[int], None]] = []
        self._closed: Deferred[None] | None = None
        protocol.onMessage = self._messageReceived
        protocol.onLost = self._lost

    # ICaller

    def call(
        self,
        program: Program,
        procedure: Procedure,
        arguments: tuple[Any, ...],
        fds: Sequence[int] = (),
    ) -> Deferred[Any]:
        """Send a call; see L{ICaller.call}."""
        payload = procedure.argumentCodec.encode(arguments)
        return self.protocol.callEncoded(program, procedure, payload, fds=fds)

    def openStream(
        self, program: Program, procedure: Procedure, arguments: tuple[Any, ...]
    ) -> Deferred[Any]:
        """Send a call with a stream; see L{ICaller.openStream}."""
        return openStream(self.protocol, program, procedure, arguments)

    def subscribe(
        self, kind: EventKind, eventID: int, ref: Any, listener: Listener
    ) -> Deferred[ISubscription]:
        """Register with the daemon; see L{ICaller.subscribe}."""
        if kind is EventKind.NODE_DEVICE and ref is not None:
            ref = ref if isinstance(ref, tuple) else (ref,)
        return Deferred.fromCoroutine(self._subscribe(kind, (eventID, ref), listener))

    def subscribeMonitor(
        self, dom: Any, event: str | None, flags: int, listener: Listener
    ) -> Deferred[ISubscription]:
        """Register for events of the monitor; see L{ICaller.subscribeMonitor}."""
        return Deferred.fromCoroutine(
            self._subscribe(EventKind.MONITOR, (dom, event, flags), listener)
        )

    async def _subscribe(
        self, kind: EventKind, arguments: tuple[Any, ...], listener: Listener
    ) -> ISubscription:
        if kind is EventKind.DOMAIN and FEATURE_EVENT_CALLBACKS not in self.features:
            return await self._subscribeLegacy(arguments[0], arguments[1], listener)
        how = REGISTRATION[kind]
        # Events may come in the same read as the answer that tells their number: keep those, until known.
        self._registering += 1
        try:
            number = await self.protocol.call(how.program, how.register, arguments)
        finally:
            self._registering -= 1
        self._listeners[kind, number] = listener
        for event in self._early.pop((kind, number), ()):
            listener(event)
        if not self._registering:
            self._early.clear()
        return Registration(self, kind, number)

    async def _subscribeLegacy(self, eventID: int, ref: Any, listener: Listener) -> ISubscription:
        """
        Register with a daemon that knows no numbers of callbacks, before libvirt 1.2.1.

        It is asked once for each event; whose domain an event is about is looked at here.
        """
        await self._legacyTurn.acquire()
        try:
            found = self._legacy.setdefault(eventID, [])
            made = LegacyRegistration(self, eventID, None if ref is None else ref[1], listener)
            found.append(made)
            if len(found) == 1:
                try:
                    await self.protocol.call(REMOTE, messages.LEGACY_REGISTER, (eventID,))
                except BaseException:
                    found.clear()
                    raise
            return made
        finally:
            self._legacyTurn.release()

    def whenLost(self, listener: Callable[[int], None]) -> None:
        """Tell when the connection ends; see L{ICaller.whenLost}."""
        self._lossListeners.append(listener)

    def setKeepAlive(self, interval: int, count: int) -> int:
        """
        Watch the daemon; see L{ICaller.setKeepAlive}.

        As in the C library that is chosen once: while it watches, another choice changes nothing.

        @raise VirtError: it was stopped, and does not start again.
        """
        if not self.keepalive:
            return 1
        if interval > 0:
            if self.protocol.keepalive is not None:
                return 0
            if self._watched:
                raise virtError(
                    ErrorCode.INTERNAL_ERROR, "keepalive interval already set", ErrorDomain.RPC
                )
            self._watched = True
        self.protocol.startKeepalive(interval, count)
        return 0

    # IConnection

    def component(self, interface: InterfaceClass) -> object | None:
        """What a driver asks that is the client of another daemon; all else is said in procedures."""
        if interface is IMigrationPeer:
            from pyvirt.drivers.remote.migrationpeer import MigrationPeer

            return MigrationPeer(self)
        return None

    def isAlive(self) -> bool:
        """Whether the socket is open, as far as is known."""
        return not self.protocol.connectionIsLost

    def isSecure(self) -> bool:
        """Whether the transport is; the daemon's side is asked by procedure."""
        return self.secureTransport

    def isEncrypted(self) -> bool:
        """Whether the transport is."""
        return self.encryptedTransport

    def abort(self) -> None:
        """Cut the connection at once; it counts as lost."""
        self.protocol.transport.abortConnection()

    def close(self) -> Deferred[None]:
        """Take leave of the daemon and close the socket; fires when it is closed.  Never fails."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        if self.protocol.connectionIsLost:
            return
        self._lossListeners.clear()
        try:
            leaving = self.protocol.call(REMOTE, _CLOSE, ())
            await leaving.addTimeout(CLOSE_TIMEOUT, self.protocol.clock)
        except (VirtError, TimeoutError):
            pass
        if not self.protocol.connectionIsLost:
            self._closed = Deferred()
            self.protocol.stopKeepalive()
            self.protocol.close()
            await self._closed

    # From the protocol

    def _lost(self, reason: int) -> None:
        self._listeners.clear()
        self._legacy.clear()
        listeners, self._lossListeners = self._lossListeners, []
        for listener in listeners:
            listener(reason)
        if self._closed is not None:
            closed, self._closed = self._closed, None
            closed.callback(None)

    def _messageReceived(self, program: int, number: int, packet: bytes) -> None:
        if program == REMOTE.number and number == _CLOSED_EVENT.number:
            (reason,), _ = _CLOSED_EVENT.argumentCodec.decode(packet, PAYLOAD)
            for told in list(self._lossListeners):
                told(reason)
            return
        try:
            found = messages.read(program, number, packet)
            legacy = None if found else messages.readLegacy(program, number, packet)
        except XDRError as problem:
            _log.warn("a message from the daemon cannot be read: {problem}", problem=problem)
            return
        if legacy is not None:
            for each in tuple(self._legacy.get(legacy.id, ())):
                if each.uuid in (None, legacy.ref[1]):
                    each.listener(legacy)
        if found is None:
            return
        callbackID, event = found
        listener = self._listeners.get((event.kind, callbackID))
        if listener is not None:
            listener(event)
        elif self._registering:
            self._early.setdefault((event.kind, callbackID), []).append(event)


@implementer(ISubscription)
class Registration:
    """A registration with the daemon."""

    def __init__(self, connection: RemoteConnection, kind: EventKind, number: int) -> None:
        self.connection = connection
        self.kind = kind
        self.number = number

    def cancel(self) -> Deferred[None]:
        """Hear no more at once, and tell the daemon; fails as it answers."""
        connection = self.connection
        connection._listeners.pop((self.kind, self.number), None)
        how = REGISTRATION[self.kind]
        return maybeDeferred(connection.protocol.call, how.program, how.deregister, (self.number,))


@implementer(ISubscription)
class LegacyRegistration:
    """One listener's part of a registration with a daemon that knows no numbers of callbacks."""

    def __init__(
        self, connection: RemoteConnection, eventID: int, uuid: bytes | None, listener: Listener
    ) -> None:
        self.connection = connection
        self.eventID = eventID
        self.uuid = uuid
        self.listener = listener

    def cancel(self) -> Deferred[None]:
        """Hear no more at once; with the last one tell the daemon."""
        return Deferred.fromCoroutine(self._cancel())

    async def _cancel(self) -> None:
        connection = self.connection
        found = connection._legacy.get(self.eventID, [])
        if self not in found:
            return
        found.remove(self)
        await connection._legacyTurn.acquire()
        try:
            # Somebody may have come meanwhile.
            if not found and connection._legacy.pop(self.eventID, None) is not None:
                await connection.protocol.call(REMOTE, messages.LEGACY_DEREGISTER, (self.eventID,))
        finally:
            connection._legacyTurn.release()
