"""
Hearing of what happens in the test driver.
"""

from __future__ import annotations

from zope.interface import implementer

from pyvirt.drivers.interfaces.events import (
    EventKind,
    IDomainEvents,
    INetworkEvents,
    INodeDeviceEvents,
    ISecretEvents,
    IStoragePoolEvents,
    ISubscription,
    Listener,
)
from pyvirt.drivers.interfaces.values import (
    DomainRef,
    NetworkRef,
    NodeDeviceRef,
    SecretRef,
    StoragePoolRef,
)
from pyvirt.drivers.test.world import World

__all__ = ["Events"]


@implementer(IDomainEvents, INetworkEvents, IStoragePoolEvents, INodeDeviceEvents, ISecretEvents)
class Events:
    """Subscribes to what a world tells."""

    def __init__(self, world: World) -> None:
        self._hub = world.hub

    def domainEventSubscribe(
        self, eventID: int, dom: DomainRef | None, listener: Listener
    ) -> ISubscription:
        """Hear of domains."""
        return self._hub.subscribe(EventKind.DOMAIN, eventID, dom and dom.uuid, listener)

    def networkEventSubscribe(
        self, eventID: int, net: NetworkRef | None, listener: Listener
    ) -> ISubscription:
        """Hear of networks."""
        return self._hub.subscribe(EventKind.NETWORK, eventID, net and net.uuid, listener)

    def storagePoolEventSubscribe(
        self, eventID: int, pool: StoragePoolRef | None, listener: Listener
    ) -> ISubscription:
        """Hear of storage pools."""
        return self._hub.subscribe(EventKind.STORAGE_POOL, eventID, pool and pool.uuid, listener)

    def nodeDeviceEventSubscribe(
        self, eventID: int, dev: NodeDeviceRef | None, listener: Listener
    ) -> ISubscription:
        """Hear of devices of the host."""
        return self._hub.subscribe(EventKind.NODE_DEVICE, eventID, dev and dev.name, listener)

    def secretEventSubscribe(
        self, eventID: int, secret: SecretRef | None, listener: Listener
    ) -> ISubscription:
        """Hear of secrets."""
        return self._hub.subscribe(EventKind.SECRET, eventID, secret and secret.uuid, listener)
