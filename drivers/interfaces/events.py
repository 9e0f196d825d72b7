"""
Events: what a driver tells about objects that changed, and how to hear of it.

An event is a tuple of the kind of object, the number of the event, the object and its details in wire
order.  Listeners are called in the order of events, while the change that caused them is being made; they
must not block and must not fail.  One interface per kind of object, because a driver may tell about some only.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import (
    Answer,
    DomainRef,
    NetworkRef,
    NodeDeviceRef,
    SecretRef,
    StoragePoolRef,
)


class EventKind(Enum):
    """The kinds of objects that events are about; each numbers its events from 0."""

    DOMAIN = "domain"
    NETWORK = "network"
    STORAGE_POOL = "storage pool"
    NODE_DEVICE = "node device"
    SECRET = "secret"
    MONITOR = "monitor"


class Event(NamedTuple):
    """
    Something happened.

    @ivar id: C{VIR_DOMAIN_EVENT_ID_*}, C{VIR_NETWORK_EVENT_ID_*} and so on; 0 for monitor events.
    @ivar ref: the reference of the object.
    @ivar details: the rest, in wire order: for a domain's lifecycle C{(event, detail)}.
    """

    kind: EventKind
    id: int
    ref: Any
    details: tuple[Any, ...]


Listener = Callable[[Event], None]


class ISubscription(Interface):
    """What a subscription returns."""

    def cancel() -> Answer[None]:
        """Hear no more.  The listener is not called again, not even for events already under way."""


class IDomainEvents(Interface):
    """Tells what happens to domains."""

    def domainEventSubscribe(
        eventID: int, dom: DomainRef | None, listener: Listener
    ) -> Answer[ISubscription]:
        """
        Call C{listener} for each event C{eventID} (C{VIR_DOMAIN_EVENT_ID_*}).

        @param dom: of this domain only, known by its UUID; None: of all.
        """


class INetworkEvents(Interface):
    """Tells what happens to networks."""

    def networkEventSubscribe(
        eventID: int, net: NetworkRef | None, listener: Listener
    ) -> Answer[ISubscription]:
        """As L{IDomainEvents.domainEventSubscribe}, for C{VIR_NETWORK_EVENT_ID_*}."""


class IStoragePoolEvents(Interface):
    """Tells what happens to storage pools."""

    def storagePoolEventSubscribe(
        eventID: int, pool: StoragePoolRef | None, listener: Listener
    ) -> Answer[ISubscription]:
        """As L{IDomainEvents.domainEventSubscribe}, for C{VIR_STORAGE_POOL_EVENT_ID_*}."""


class INodeDeviceEvents(Interface):
    """Tells what happens to devices of the host."""

    def nodeDeviceEventSubscribe(
        eventID: int, dev: NodeDeviceRef | None, listener: Listener
    ) -> Answer[ISubscription]:
        """As L{IDomainEvents.domainEventSubscribe}, for C{VIR_NODE_DEVICE_EVENT_ID_*}."""


class ISecretEvents(Interface):
    """Tells what happens to secrets."""

    def secretEventSubscribe(
        eventID: int, secret: SecretRef | None, listener: Listener
    ) -> Answer[ISubscription]:
        """As L{IDomainEvents.domainEventSubscribe}, for C{VIR_SECRET_EVENT_ID_*}."""


class IMonitorEvents(Interface):
    """Passes on events of the hypervisor's own monitor."""

    def monitorEventSubscribe(
        dom: DomainRef | None, event: str | None, flags: int, listener: Listener
    ) -> Answer[ISubscription]:
        """
        Call C{listener} for the monitor's events; details are C{(event, seconds, micros, details)}.

        @param event: this one only; with C{VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX} in
            C{flags} a pattern, with C{..._NOCASE} whatever its case.
        """
