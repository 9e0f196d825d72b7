"""
Which class does the operations of which contract: add a line for a new family.

Each is imported when it is first asked for, and made once, with the host.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from zope.interface import classImplements
from zope.interface.interface import InterfaceClass

from pyvirt.drivers.interfaces.events import (
    INetworkEvents,
    INodeDeviceEvents,
    ISecretEvents,
    IStoragePoolEvents,
)
from pyvirt.drivers.interfaces.hostinterfaces import IHostInterfaces
from pyvirt.drivers.interfaces.inside import IAssignedDevices, ISecretValues
from pyvirt.drivers.interfaces.networks import INetworks
from pyvirt.drivers.interfaces.nodedevices import INodeDevices
from pyvirt.drivers.interfaces.nwfilters import INWFilters
from pyvirt.drivers.interfaces.secrets import ISecrets
from pyvirt.drivers.interfaces.storage import IStorage

__all__ = ["COMPONENTS", "FAMILIES", "componentClass"]


def _later(module: str, name: str) -> Callable[[], Any]:
    return lambda: getattr(import_module(f"pyvirt.drivers.host.{module}"), name)


_EVENTS = _later("events", "Events")
_SECRETS = _later("secrets", "Secrets")

#: For each contract, what returns the class.
COMPONENTS: dict[InterfaceClass, Callable[[], Any]] = {
    ISecrets: _SECRETS,
    ISecretValues: _SECRETS,
    ISecretEvents: _EVENTS,
    IStorage: _later("storage.volumes", "Storage"),
    IStoragePoolEvents: _EVENTS,
    INetworks: _later("networks.ports", "NetworksWithPorts"),
    INetworkEvents: _EVENTS,
    IHostInterfaces: _later("interfaces", "HostInterfaces"),
    INodeDeviceEvents: _EVENTS,
    INodeDevices: _later("nodedevices", "NodeDevices"),
    INWFilters: _later("nwfilters", "NWFilters"),
    IAssignedDevices: _later("assigning", "HostAssignedDevices"),
}

#: The contracts on a connection of each driver alone, by the scheme of its URI; in the order in which they start.
FAMILIES: dict[str, tuple[InterfaceClass, ...]] = {
    "secret": (ISecrets, ISecretEvents),
    "storage": (IStorage, IStoragePoolEvents),
    "network": (INetworks, INetworkEvents),
    "interface": (IHostInterfaces,),
    "nodedev": (INodeDevices, INodeDeviceEvents),
    "nwfilter": (INWFilters,),
}


def componentClass(interface: InterfaceClass) -> Any:
    """Return the class whose instances do the operations of a contract, None if nothing does."""
    made = COMPONENTS.get(interface)
    if made is None:
        return None
    found: Any = made()
    if not interface.implementedBy(found):
        # It leaves out what the driver cannot do, which type checkers would take for a mistake.
        classImplements(found, interface)  # type: ignore[misc]
    return found
