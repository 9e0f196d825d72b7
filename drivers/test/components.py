"""
Which class does the operations of which contract.

Each is imported when it is first asked for, so that a connection costs what is done with it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from pyvirt.drivers.interfaces.backup import IDomainBackup
from pyvirt.drivers.interfaces.blockjobs import IDomainBlockJobs
from pyvirt.drivers.interfaces.checkpoints import IDomainCheckpoints
from pyvirt.drivers.interfaces.consoles import IDomainConsoles
from pyvirt.drivers.interfaces.definition import IDomainDefinition
from pyvirt.drivers.interfaces.devices import IDomainDevices
from pyvirt.drivers.interfaces.events import (
    IDomainEvents,
    INetworkEvents,
    INodeDeviceEvents,
    ISecretEvents,
    IStoragePoolEvents,
)
from pyvirt.drivers.interfaces.guestagent import IDomainGuestAgent
from pyvirt.drivers.interfaces.host import IHost
from pyvirt.drivers.interfaces.hostinterfaces import IHostInterfaces
from pyvirt.drivers.interfaces.jobs import IDomainJobs
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.interfaces.migration import IDomainMigration
from pyvirt.drivers.interfaces.networks import INetworks
from pyvirt.drivers.interfaces.nodedevices import INodeDevices
from pyvirt.drivers.interfaces.nwfilters import INWFilters
from pyvirt.drivers.interfaces.older import IOlderCalls
from pyvirt.drivers.interfaces.resources import IDomainResources
from pyvirt.drivers.interfaces.secrets import ISecrets
from pyvirt.drivers.interfaces.snapshots import IDomainSnapshots
from pyvirt.drivers.interfaces.statistics import IDomainStatistics
from pyvirt.drivers.interfaces.storage import IStorage
from pyvirt.drivers.interfaces.tuning import IDomainTuning

__all__ = ["COMPONENTS", "componentClass"]


def _later(module: str, name: str) -> Callable[[], Any]:
    return lambda: getattr(import_module(f"pyvirt.drivers.test.{module}"), name)


def componentClass(interface: InterfaceClass) -> Any:
    """
    Return the class whose instances do the operations of a contract, None if nothing does.

    The class says that it implements the contract; operations that libvirt's test driver does not have are
    absent from it, so that asking for them answers that they are not supported.
    """
    made = COMPONENTS.get(interface)
    if made is None:
        return None
    found: type = made()
    if not interface.implementedBy(found):
        implementer(interface)(found)
    return found


_EVENTS = _later("events", "Events")

#: For each contract, what returns the class: it is called with the world.
COMPONENTS: dict[InterfaceClass, Callable[[], Any]] = {
    IHost: _later("host", "Host"),
    IDomainDefinition: _later("metadata", "DomainDefinitionsAndMetadata"),
    IDomainLifecycle: _later("saving", "DomainLifecycleAndFiles"),
    IDomainResources: _later("resources", "DomainResources"),
    IDomainStatistics: _later("statistics", "DomainStatistics"),
    IDomainTuning: _later("tuning", "DomainTuning"),
    IDomainConsoles: _later("terminals", "DomainTerminals"),
    IDomainDevices: _later("attaching", "AttachableDevices"),
    IOlderCalls: _later("older", "OlderCalls"),
    IDomainGuestAgent: _later("guest", "DomainGuestAgent"),
    IDomainCheckpoints: _later("checkpoints", "DomainCheckpoints"),
    IDomainSnapshots: _later("snapshots", "DomainSnapshots"),
    INetworks: _later("networks", "Networks"),
    IHostInterfaces: _later("hostinterfaces", "HostInterfaces"),
    INodeDevices: _later("nodedevices", "NodeDevices"),
    IStorage: _later("volumes", "Storage"),
    IDomainJobs: _later("jobs", "DomainJobs"),
    IDomainBlockJobs: _later("blockjobs", "DomainBlockJobs"),
    IDomainBackup: _later("backups", "DomainBackup"),
    IDomainMigration: _later("migration", "DomainMigration"),
    ISecrets: _later("secrets", "Secrets"),
    INWFilters: _later("nwfilters", "NWFilters"),
    IDomainEvents: _EVENTS,
    INetworkEvents: _EVENTS,
    IStoragePoolEvents: _EVENTS,
    INodeDeviceEvents: _EVENTS,
    ISecretEvents: _EVENTS,
}
