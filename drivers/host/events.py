"""
Hearing of what happens on the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from pyvirt.drivers.interfaces.events import (
    EventKind,
    INetworkEvents,
    INodeDeviceEvents,
    ISecretEvents,
    IStoragePoolEvents,
    ISubscription,
    Listener,
)
from pyvirt.drivers.interfaces.nodedevices import INodeDevices
from pyvirt.drivers.interfaces.values import NetworkRef, NodeDeviceRef, SecretRef, StoragePoolRef

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["Events"]


@implementer(INetworkEvents, INodeDeviceEvents, ISecretEvents, IStoragePoolEvents)
class Events:
    """Subscribes to what the host's drivers tell."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._hub = host.hub

    def secretEventSubscribe(
        self, eventID: int, secret: SecretRef | None, listener: Listener
    ) -> ISubscription:
        """Hear of secrets."""
        return self._hub.subscribe(EventKind.SECRET, eventID, secret and secret.uuid, listener)

    def storagePoolEventSubscribe(
        self, eventID: int, pool: StoragePoolRef | None, listener: Listener
    ) -> ISubscription:
        """Hear of storage pools."""
        return self._hub.subscribe(EventKind.STORAGE_POOL, eventID, pool and pool.uuid, listener)

    def networkEventSubscribe(
        self, eventID: int, net: NetworkRef | None, listener: Listener
    ) -> ISubscription:
        """Hear of networks."""
        return self._hub.subscribe(EventKind.NETWORK, eventID, net and net.uuid, listener)

    def nodeDeviceEventSubscribe(
        self, eventID: int, dev: NodeDeviceRef | None, listener: Listener
    ) -> ISubscription:
        """Hear of devices, which nobody watches before somebody wants to hear of them."""
        devices: Any = self._host.component(INodeDevices)
        devices.watch()
        return self._hub.subscribe(EventKind.NODE_DEVICE, eventID, dev and dev.name, listener)
