"""
Which class does the operations of which contract: add a line for a new family.

Each is imported when it is first asked for.  It is made with the hypervisor and the connection that asks.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from zope.interface import classImplements
from zope.interface.interface import InterfaceClass

from pyvirt.drivers.interfaces.backup import IDomainBackup
from pyvirt.drivers.interfaces.blockjobs import IDomainBlockJobs
from pyvirt.drivers.interfaces.checkpoints import IDomainCheckpoints
from pyvirt.drivers.interfaces.consoles import IDomainConsoles
from pyvirt.drivers.interfaces.definition import IDomainDefinition
from pyvirt.drivers.interfaces.devices import IDomainDevices
from pyvirt.drivers.interfaces.driver import IClientWatch
from pyvirt.drivers.interfaces.events import IDomainEvents, IMonitorEvents
from pyvirt.drivers.interfaces.guestagent import IDomainGuestAgent
from pyvirt.drivers.interfaces.host import IHost
from pyvirt.drivers.interfaces.hypervisors import IHypervisorCommands
from pyvirt.drivers.interfaces.jobs import IDomainJobs
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.interfaces.migration import IDomainMigration
from pyvirt.drivers.interfaces.older import IOlderCalls
from pyvirt.drivers.interfaces.resources import IDomainResources
from pyvirt.drivers.interfaces.snapshots import IDomainSnapshots
from pyvirt.drivers.interfaces.statistics import IDomainStatistics
from pyvirt.drivers.interfaces.tuning import IDomainTuning

__all__ = ["COMPONENTS", "componentClass"]


def _later(module: str, name: str) -> Callable[[], Any]:
    return lambda: getattr(import_module(f"pyvirt.drivers.qemu.{module}"), name)


#: For each contract, what returns the class.
COMPONENTS: dict[InterfaceClass, Callable[[], Any]] = {
    IHost: _later("host", "Host"),
    IDomainDefinition: _later("definitions", "DomainDefinitions"),
    IDomainLifecycle: _later("saving", "DomainLifecycleAndFiles"),
    IDomainResources: _later("resources", "DomainResources"),
    IDomainTuning: _later("tuning", "DomainTuning"),
    IDomainStatistics: _later("statistics", "DomainStatistics"),
    IDomainConsoles: _later("consoles", "DomainConsoles"),
    IDomainGuestAgent: _later("guestagent", "DomainGuestAgent"),
    IDomainJobs: _later("domainjobs", "DomainJobs"),
    IClientWatch: _later("watching", "ClientWatch"),
    IDomainMigration: _later("migration", "DomainMigration"),
    IHypervisorCommands: _later("passthrough", "HypervisorCommands"),
    IDomainDevices: _later("plugging.devices", "DomainDevices"),
    IDomainBlockJobs: _later("blocks.blockjobs", "DomainBlockJobs"),
    IDomainSnapshots: _later("snapshots", "DomainSnapshots"),
    IDomainCheckpoints: _later("checkpoints", "DomainCheckpoints"),
    IDomainBackup: _later("blocks.backups", "DomainBackup"),
    IOlderCalls: _later("older", "OlderCalls"),
    IDomainEvents: _later("monitorevents", "Events"),
    IMonitorEvents: _later("monitorevents", "Events"),
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
