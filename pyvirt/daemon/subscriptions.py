"""
A session's registrations for events: the three styles in which clients of different ages ask for them.

Rules are libvirtd's: one registration per event and object on a connection, whatever the style; numbers are
given in order of registration and never again; deregistering in the older style takes whatever registration
there is for the event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface.interface import InterfaceClass

from pyvirt.daemon.eventwire import byKind, legacyEvents
from pyvirt.drivers.interfaces.events import (
    Event,
    EventKind,
    IDomainEvents,
    IMonitorEvents,
    INetworkEvents,
    INodeDeviceEvents,
    ISecretEvents,
    IStoragePoolEvents,
    ISubscription,
)
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.protocols.xdr import XDRError

if TYPE_CHECKING:
    from pyvirt.daemon.session import Session

__all__ = ["Registration", "Subscriptions"]

_CONTRACTS: dict[EventKind, tuple[InterfaceClass, str]] = {
    EventKind.DOMAIN: (IDomainEvents, "domainEventSubscribe"),
    EventKind.NETWORK: (INetworkEvents, "networkEventSubscribe"),
    EventKind.STORAGE_POOL: (IStoragePoolEvents, "storagePoolEventSubscribe"),
    EventKind.NODE_DEVICE: (INodeDeviceEvents, "nodeDeviceEventSubscribe"),
    EventKind.SECRET: (ISecretEvents, "secretEventSubscribe"),
    EventKind.MONITOR: (IMonitorEvents, "monitorEventSubscribe"),
}

_PENDING = 4096
"""Events that may wait for it."""

log = Logger()


def _refusal(text: str) -> VirtError:
    return virtError(ErrorCode.INTERNAL_ERROR, text, ErrorDomain.RPC)


class Registration:
    """
    One registration; it is the listener that the driver calls.

    @ivar legacy: the client knows no callback ids.
    @ivar target: what it is for: the event's number and the object's UUID or name, or None: all objects.
    """

    __slots__ = ("kind", "legacy", "number", "session", "subscription", "target")

    def __init__(
        self, session: Session, kind: EventKind, number: int, target: Any, legacy: bool
    ) -> None:
        self.session = session
        self.kind = kind
        self.number = number
        self.target = target
        self.legacy = legacy
        self.subscription: ISubscription | None = None

    def __call__(self, event: Event) -> None:
        guard = self.session.guard
        if guard is None:
            self._tell(event)
        else:
            self.session.subscriptions().pending.add(guard.sees(event), self._tell, event)

    def _tell(self, event: Event) -> None:
        session = self.session
        encoder = session.server.encoder
        try:
            if self.legacy:
                packet = encoder.legacyPacket(event)
            else:
                packet = encoder.packet(event, self.number)
        except (XDRError, IndexError) as problem:
            log.error("{event} does not fit its message: {problem}", event=event, problem=problem)
        else:
            session.sendEvent(packet)


class Pending:
    """Events in order, while it is asked whether the client may hear of them."""

    __slots__ = ("_queue", "_session")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._queue: deque[list[Any]] = deque()

    def add(self, answer: Any, tell: Callable[[Event], None], event: Event) -> None:
        """Tell C{event}, after those before it, if C{answer}, perhaps a Deferred, is true."""
        if not isinstance(answer, Deferred):
            if self._queue:
                self._queue.append([answer, tell, event])
            elif answer:
                tell(event)
            return
        if len(self._queue) >= _PENDING:
            log.warn("too many events of {peer} wait for answers", peer=self._session.peer)
            self._session.server.counters.slow += 1
            self._session.transport.abortConnection()
            return
        entry: list[Any] = [None, tell, event]
        self._queue.append(entry)

        def answered(allowed: Any) -> None:
            entry[0] = allowed is True
            self._flush()

        answer.addBoth(answered)

    def _flush(self) -> None:
        queue = self._queue
        while queue and queue[0][0] is not None:
            allowed, tell, event = queue.popleft()
            if allowed and self._session.connection is not None:
                tell(event)


class Subscriptions:
    """The registrations of one session."""

    __slots__ = ("_numbers", "_registrations", "_session", "pending")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._numbers = count()
        self._registrations: list[Registration] = []
        self.pending = Pending(session)

    def register(
        self, kind: EventKind, eventID: int, ref: Any, legacy: bool = False
    ) -> int | Deferred[int]:
        """
        Register for an event.

        @param ref: of this object only, None: of all.
        @return: the number of the registration.
        @raise VirtError: there is no such event, the driver does not tell about it, or it is registered.
        """
        family = byKind[kind]
        if not 0 <= eventID < len(legacyEvents if legacy else family.procedures):
            raise _refusal(f"unsupported {family.label}event ID {eventID}")

        def subscribe(method: Any, listener: Registration) -> Any:
            return method(eventID, ref, listener)

        return self._subscribe(kind, (eventID, _identity(ref)), legacy, subscribe)

    def registerMonitor(self, ref: Any, event: str | None, flags: int) -> int | Deferred[int]:
        """
        Register for events of the hypervisor's monitor.

        @raise VirtError: as L{register}.
        """

        def subscribe(method: Any, listener: Registration) -> Any:
            return method(ref, event, flags, listener)

        return self._subscribe(EventKind.MONITOR, (event, flags, _identity(ref)), False, subscribe)

    def _subscribe(
        self,
        kind: EventKind,
        target: Any,
        legacy: bool,
        subscribe: Callable[[Any, Registration], Any],
    ) -> int | Deferred[int]:
        session = self._session
        contract, method = _CONTRACTS[kind]
        connection = session.connection
        assert connection is not None
        provider = connection.component(contract)
        function = getattr(provider, method, None)
        if function is None:
            family = byKind[kind]
            raise virtError(ErrorCode.NO_SUPPORT, family.api, family.domain)
        for each in self._registrations:
            if each.target == target and each.kind is kind:
                raise virtError(ErrorCode.INVALID_ARG, "event callback already tracked")
        registration = Registration(session, kind, -1, target, legacy)
        self._registrations.append(registration)
        try:
            answer = subscribe(function, registration)
            if not hasattr(answer, "cancel") or isinstance(answer, Deferred):
                return Deferred.fromCoroutine(self._finish(registration, answer))
        except BaseException:
            self._registrations.remove(registration)
            raise
        return self._done(registration, answer)

    async def _finish(self, registration: Registration, answer: Any) -> int:
        try:
            subscription = await answer
        except BaseException:
            if registration in self._registrations:
                self._registrations.remove(registration)
            raise
        return self._done(registration, subscription)

    def _done(self, registration: Registration, subscription: ISubscription) -> int:
        if registration not in self._registrations:  # the client went away meanwhile
            subscription.cancel()
            return -1
        registration.subscription = subscription
        # Drivers that number their subscriptions do so for all their connections, as libvirt's do.
        number = getattr(subscription, "number", None)
        registration.number = next(self._numbers) if number is None else number
        return registration.number

    def deregister(self, kind: EventKind, number: int) -> None:
        """
        Undo the registration C{number}.

        @raise VirtError: there is none.
        """
        for each in self._registrations:
            if each.number == number and each.kind is kind and each.subscription is not None:
                self._drop(each)
                return
        raise _refusal(f"{byKind[kind].unknown} callback {number} not registered")

    def deregisterEvent(self, eventID: int) -> None:
        """
        Undo a registration for C{eventID}, in the older style.

        @raise VirtError: there is no such event, or no registration.
        """
        if not 0 <= eventID < len(legacyEvents):
            raise _refusal(f"unsupported event ID {eventID}")
        for each in self._registrations:
            if (
                each.kind is EventKind.DOMAIN
                and each.target[0] == eventID
                and each.subscription is not None
            ):
                self._drop(each)
                return
        raise _refusal(f"domain event {eventID} not registered")

    def _drop(self, registration: Registration) -> None:
        self._registrations.remove(registration)
        subscription, registration.subscription = registration.subscription, None
        if subscription is not None:
            subscription.cancel()

    def clear(self) -> None:
        """Undo every registration."""
        while self._registrations:
            self._drop(self._registrations[-1])


def _identity(ref: Any) -> Any:
    """What tells objects of one kind apart: the UUID, or the name of those that have none."""
    return None if ref is None else getattr(ref, "uuid", None) or ref.name
