"""
Events of a connection: registering callbacks in the shapes of the Python binding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from twisted.internet.defer import Deferred

from pyvirt.client.connectbase import ConnectBase
from pyvirt.client.deferring import deferred
from pyvirt.client.domain import Domain
from pyvirt.client.events import EventOverflow
from pyvirt.client.eventshapes import SHAPES, VariedCallback
from pyvirt.client.handle import Handle
from pyvirt.client.network import Network
from pyvirt.client.nodedevice import NodeDevice
from pyvirt.client.secret import Secret
from pyvirt.client.session import FEATURE_CLOSE_CALLBACK
from pyvirt.client.storage import StoragePool
from pyvirt.client.uuids import failed
from pyvirt.constants import VIR_DOMAIN_EVENT_ID_LIFECYCLE
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.errors import ErrorCode, ErrorDomain, argumentError, virtError

if TYPE_CHECKING:
    from pyvirt.client.connect import Connect

__all__ = ["ConnectEvents"]

_T = TypeVar("_T")

Callback = Callable[..., Any]

_CLASSES: dict[EventKind, type[Handle]] = {
    EventKind.DOMAIN: Domain,
    EventKind.NETWORK: Network,
    EventKind.STORAGE_POOL: StoragePool,
    EventKind.NODE_DEVICE: NodeDevice,
    EventKind.SECRET: Secret,
}
_NAMES = {
    EventKind.DOMAIN: ("virConnectDomainEvent", ErrorDomain.DOMAIN),
    EventKind.NETWORK: ("virConnectNetworkEvent", ErrorDomain.NETWORK),
    EventKind.STORAGE_POOL: ("virConnectStoragePoolEvent", ErrorDomain.STORAGE),
    EventKind.NODE_DEVICE: ("virConnectNodeDeviceEvent", ErrorDomain.NODEDEV),
    EventKind.SECRET: ("virConnectSecretEvent", ErrorDomain.SECRET),
}

_INVALID = {
    EventKind.DOMAIN: (ErrorCode.INVALID_DOMAIN, ErrorDomain.DOM),
    EventKind.NETWORK: (ErrorCode.INVALID_NETWORK, ErrorDomain.NETWORK),
    EventKind.STORAGE_POOL: (ErrorCode.INVALID_STORAGE_POOL, ErrorDomain.STORAGE),
    EventKind.NODE_DEVICE: (ErrorCode.INVALID_NODE_DEVICE, ErrorDomain.NODEDEV),
    EventKind.SECRET: (ErrorCode.INVALID_SECRET, ErrorDomain.SECRET),
}
"""What another kind of object in the place of the one that is meant is refused with."""


def _target(kind: EventKind, ref: Any) -> Any:
    """What tells an object from others: the UUID, or of devices the name."""
    if ref is None:
        return None
    return ref[0] if kind in (EventKind.NODE_DEVICE, EventKind.SECRET) else ref[1]


class ConnectEvents(ConnectBase):
    """
    What a connection tells on its own.

    Callbacks are called with the connection, the object, what happened, and C{opaque}; for the shapes see
    L{pyvirt.client.eventshapes}.  They are called in the order of events, after the answers that came with
    them.  A callback may return a C{Deferred} or a coroutine; the next is then called after it.
    """

    def eventQueue(
        self,
        limit: int | None = None,
        overflow: EventOverflow | None = None,
        onOverflow: Callable[[int], Any] | None = None,
    ) -> None:
        """
        Choose how many events may wait for callbacks, and what happens when there are more.

        @param limit: how many; None: as it was (10000 at first).
        @param overflow: what then happens; None: as it was (L{EventOverflow.DROP_OLDEST} at first).
        @param onOverflow: called with how many events were lost; losses are logged too.
        """
        queue = self._session.queue
        if limit is not None:
            if limit < 1:
                raise ValueError("at least one event must be able to wait")
            queue.limit = limit
        if overflow is not None:
            queue.overflow = overflow
        if onOverflow is not None:
            queue.onOverflow = onOverflow

    @property
    def droppedEvents(self) -> int:
        """How many events were lost because the queue was full."""
        return self._session.queue.dropped

    def _checkRegistration(self, kind: EventKind, handle: Handle | None, eventID: int) -> None:
        """Refuse what no callback can be registered for, before anything is asked of anybody."""
        prefix, _ = _NAMES[kind]
        if (kind, eventID) not in SHAPES:
            raise failed(f"{prefix}RegisterAny")
        if handle is not None and not isinstance(handle, _CLASSES[kind]):
            raise virtError(_INVALID[kind][0], f"{prefix}RegisterAny", _INVALID[kind][1])

    async def _register(
        self, kind: EventKind, handle: Handle | None, eventID: int, cb: Callback, opaque: Any
    ) -> int:
        if not callable(cb):
            raise TypeError(f"the callback is no callable: {cb!r}")
        self._checkRegistration(kind, handle, eventID)
        shape = SHAPES[kind, eventID]
        cls = _CLASSES[kind]
        ref = None if handle is None else handle._ref
        connect = self._connect

        def deliver(event: Event) -> Any:
            return cb(connect, cls(connect, event.ref), *shape(event.details), opaque)

        return await self._session.events.register(
            kind, eventID, ref, _target(kind, ref), cb, deliver
        )

    async def _deregister(self, kind: EventKind, callbackID: int) -> None:
        if callbackID < 0:
            prefix, domain = _NAMES[kind]
            raise argumentError(
                f"{prefix}DeregisterAny", "callbackID", "must be zero or greater", domain
            )
        await self._session.events.deregister(callbackID, kind)

    @overload
    def domainEventRegisterAny(
        self,
        dom: Domain | None,
        eventID: Literal[0, 18],
        cb: Callable[[Connect, Domain, int, int, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def domainEventRegisterAny(
        self,
        dom: Domain | None,
        eventID: Literal[1, 7],
        cb: Callable[[Connect, Domain, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def domainEventRegisterAny(
        self,
        dom: Domain | None,
        eventID: Literal[2, 3, 11, 12, 13, 14, 20],
        cb: Callable[[Connect, Domain, int, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def domainEventRegisterAny(
        self,
        dom: Domain | None,
        eventID: Literal[4],
        cb: Callable[[Connect, Domain, str, str, int, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def domainEventRegisterAny(
        self,
        dom: Domain | None,
        eventID: Literal[6],
        cb: Callable[[Connect, Domain, str, str, int, str, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def domainEventRegisterAny(
        self,
        dom: Domain | None,
        eventID: Literal[5],
        cb: Callable[
            [Connect, Domain, int, dict[str, Any], dict[str, Any], str, list[tuple[str, str]], _T],
            object,
        ],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def domainEventRegisterAny(
        self,
        dom: Domain | None,
        eventID: Literal[8, 16],
        cb: Callable[[Connect, Domain, str, int, int, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def domainEventRegisterAny(
        self,
        dom: Domain | None,
        eventID: Literal[9],
        cb: Callable[[Connect, Domain, str | None, str | None, str, int, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def domainEventRegisterAny(
        self,
        dom: Domain | None,
        eventID: Literal[10, 26],
        cb: Callable[[Connect, Domain, str, int, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def domainEventRegisterAny(
        self,
        dom: Domain | None,
        eventID: Literal[15, 19, 22],
        cb: Callable[[Connect, Domain, str, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def domainEventRegisterAny(
        self,
        dom: Domain | None,
        eventID: Literal[17, 21],
        cb: Callable[[Connect, Domain, dict[str, Any], _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def domainEventRegisterAny(
        self,
        dom: Domain | None,
        eventID: Literal[23],
        cb: Callable[[Connect, Domain, int, str | None, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def domainEventRegisterAny(
        self,
        dom: Domain | None,
        eventID: Literal[24],
        cb: Callable[[Connect, Domain, str, str | None, int, int, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def domainEventRegisterAny(
        self,
        dom: Domain | None,
        eventID: Literal[25],
        cb: Callable[[Connect, Domain, int, int, int, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def domainEventRegisterAny(
        self,
        dom: Domain | None,
        eventID: Literal[27],
        cb: Callable[[Connect, Domain, str, str, str, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def domainEventRegisterAny(
        self, dom: Domain | None, eventID: int, cb: VariedCallback[Connect, Domain], opaque: Any
    ) -> Deferred[int]: ...

    @deferred
    async def domainEventRegisterAny(
        self, dom: Domain | None, eventID: int, cb: Callback, opaque: Any
    ) -> int:
        """
        Have C{cb} called for events C{VIR_DOMAIN_EVENT_ID_*} of a domain; None: of all.

        @return: fires with an id for L{domainEventDeregisterAny}.
        """
        return await self._register(EventKind.DOMAIN, dom, eventID, cb, opaque)

    @deferred
    async def domainEventDeregisterAny(self, callbackID: int) -> None:
        """Call a callback no more, not even for events that wait."""
        await self._deregister(EventKind.DOMAIN, callbackID)

    @deferred
    async def domainEventRegister(
        self, cb: Callable[[Connect, Domain, int, int, _T], object], opaque: _T
    ) -> None:
        """Have C{cb(conn, dom, event, detail, opaque)} called for the life of all domains."""
        known = self._session.lifecycleCallbacks
        if cb in known:
            # As with the binding: the callback gets the new opaque.
            known[cb] = (known[cb][0], opaque)
            return
        connect = self._connect

        def deliver(event: Event) -> Any:
            current = known.get(cb)
            if current is None:
                return None
            happened, detail = event.details
            return cb(connect, Domain(connect, event.ref), happened, detail, current[1])

        known[cb] = (-1, opaque)
        try:
            number = await self._session.events.register(
                EventKind.DOMAIN, VIR_DOMAIN_EVENT_ID_LIFECYCLE, None, None, deliver, deliver
            )
        except BaseException:
            known.pop(cb, None)
            raise
        if cb in known:
            known[cb] = (number, known[cb][1])
        else:
            await self._session.events.deregister(number, EventKind.DOMAIN)

    @deferred
    async def domainEventDeregister(self, cb: Callback) -> None:
        """Undo L{domainEventRegister}."""
        number, _ = self._session.lifecycleCallbacks.pop(cb, (-1, None))
        if number >= 0:
            await self._session.events.deregister(number, EventKind.DOMAIN)

    @overload
    def networkEventRegisterAny(
        self,
        net: Network | None,
        eventID: Literal[0],
        cb: Callable[[Connect, Network, int, int, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def networkEventRegisterAny(
        self,
        net: Network | None,
        eventID: Literal[1],
        cb: Callable[[Connect, Network, int, str | None, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def networkEventRegisterAny(
        self, net: Network | None, eventID: int, cb: VariedCallback[Connect, Network], opaque: Any
    ) -> Deferred[int]: ...

    @deferred
    async def networkEventRegisterAny(
        self, net: Network | None, eventID: int, cb: Callback, opaque: Any
    ) -> int:
        """As L{domainEventRegisterAny}, for C{VIR_NETWORK_EVENT_ID_*}."""
        return await self._register(EventKind.NETWORK, net, eventID, cb, opaque)

    @deferred
    async def networkEventDeregisterAny(self, callbackID: int) -> None:
        """Undo L{networkEventRegisterAny}."""
        await self._deregister(EventKind.NETWORK, callbackID)

    @overload
    def storagePoolEventRegisterAny(
        self,
        pool: StoragePool | None,
        eventID: Literal[0],
        cb: Callable[[Connect, StoragePool, int, int, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def storagePoolEventRegisterAny(
        self,
        pool: StoragePool | None,
        eventID: Literal[1],
        cb: Callable[[Connect, StoragePool, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def storagePoolEventRegisterAny(
        self,
        pool: StoragePool | None,
        eventID: int,
        cb: VariedCallback[Connect, StoragePool],
        opaque: Any,
    ) -> Deferred[int]: ...

    @deferred
    async def storagePoolEventRegisterAny(
        self, pool: StoragePool | None, eventID: int, cb: Callback, opaque: Any
    ) -> int:
        """As L{domainEventRegisterAny}, for C{VIR_STORAGE_POOL_EVENT_ID_*}."""
        return await self._register(EventKind.STORAGE_POOL, pool, eventID, cb, opaque)

    @deferred
    async def storagePoolEventDeregisterAny(self, callbackID: int) -> None:
        """Undo L{storagePoolEventRegisterAny}."""
        await self._deregister(EventKind.STORAGE_POOL, callbackID)

    @overload
    def nodeDeviceEventRegisterAny(
        self,
        dev: NodeDevice | None,
        eventID: Literal[0],
        cb: Callable[[Connect, NodeDevice, int, int, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def nodeDeviceEventRegisterAny(
        self,
        dev: NodeDevice | None,
        eventID: Literal[1],
        cb: Callable[[Connect, NodeDevice, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def nodeDeviceEventRegisterAny(
        self,
        dev: NodeDevice | None,
        eventID: int,
        cb: VariedCallback[Connect, NodeDevice],
        opaque: Any,
    ) -> Deferred[int]: ...

    @deferred
    async def nodeDeviceEventRegisterAny(
        self, dev: NodeDevice | None, eventID: int, cb: Callback, opaque: Any
    ) -> int:
        """As L{domainEventRegisterAny}, for C{VIR_NODE_DEVICE_EVENT_ID_*}."""
        return await self._register(EventKind.NODE_DEVICE, dev, eventID, cb, opaque)

    @deferred
    async def nodeDeviceEventDeregisterAny(self, callbackID: int) -> None:
        """Undo L{nodeDeviceEventRegisterAny}."""
        await self._deregister(EventKind.NODE_DEVICE, callbackID)

    @overload
    def secretEventRegisterAny(
        self,
        secret: Secret | None,
        eventID: Literal[0],
        cb: Callable[[Connect, Secret, int, int, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def secretEventRegisterAny(
        self,
        secret: Secret | None,
        eventID: Literal[1],
        cb: Callable[[Connect, Secret, _T], object],
        opaque: _T,
    ) -> Deferred[int]: ...

    @overload
    def secretEventRegisterAny(
        self, secret: Secret | None, eventID: int, cb: VariedCallback[Connect, Secret], opaque: Any
    ) -> Deferred[int]: ...

    @deferred
    async def secretEventRegisterAny(
        self, secret: Secret | None, eventID: int, cb: Callback, opaque: Any
    ) -> int:
        """As L{domainEventRegisterAny}, for C{VIR_SECRET_EVENT_ID_*}."""
        return await self._register(EventKind.SECRET, secret, eventID, cb, opaque)

    @deferred
    async def secretEventDeregisterAny(self, callbackID: int) -> None:
        """Undo L{secretEventRegisterAny}."""
        await self._deregister(EventKind.SECRET, callbackID)

    @deferred
    async def registerCloseCallback(
        self, cb: Callable[[Connect, int, _T], object], opaque: _T
    ) -> int:
        """
        Have C{cb(conn, reason, opaque)} called once when the connection is lost: C{VIR_CONNECT_CLOSE_REASON_*}.

        Closing it oneself is no loss.  Fires with 0.

        @raise OperationInvalid: there is a callback already.
        """
        connect = self._connect
        self._session.setCloseCallback(lambda reason: cb(connect, reason, opaque))
        try:
            if await self._session.feature(self._remote, FEATURE_CLOSE_CALLBACK):
                await self._remote.connectRegisterCloseCallback()
        except BaseException:
            self._session.forgetCloseCallback()
            raise
        return 0

    @deferred
    async def unregisterCloseCallback(self) -> None:
        """
        Undo L{registerCloseCallback}.

        @raise OperationInvalid: there is no callback.
        """
        self._session.dropCloseCallback()
        if await self._session.feature(self._remote, FEATURE_CLOSE_CALLBACK):
            await self._remote.connectUnregisterCloseCallback()
