"""
What every driver must do, as test cases: one class per family of operations, for authors of drivers to mix in.

    class MyLifecycleTests(DomainLifecycleContract, SynchronousTestCase):
        def makeConnection(self):
            return MyDriver().open(parseURI("mine:///system"), OpenContext(reactor=Clock()))

        def domainXML(self, name):
            return f"<domain type='mine'><name>{name}</name>...</domain>"

They hold what C{pyvirt.drivers.interfaces} says against a driver that runs, through its connection's components.  An
operation that the driver leaves out is no failure: its tests pass over it, and L{Suite.required} names what must be
there.  Drivers whose answers wait, or whose work takes time, give a L{Suite.pump} that lets something happen.
"""

from pyvirt.testing.suites._connection import ConnectionContract, HostContract
from pyvirt.testing.suites._consoles import DomainConsolesContract
from pyvirt.testing.suites._domains import (
    DomainDefinitionContract,
    DomainEventsContract,
    DomainLifecycleContract,
    DomainSuite,
)
from pyvirt.testing.suites._guests import (
    DomainDevicesContract,
    DomainResourcesContract,
    DomainStatisticsContract,
    DomainTuningContract,
)
from pyvirt.testing.suites._host import (
    HostInterfacesContract,
    NodeDevicesContract,
    NWFilterBindingsContract,
    NWFiltersContract,
)
from pyvirt.testing.suites._hypervisors import (
    ClientWatchContract,
    HypervisorCommandsContract,
    MonitorEventsContract,
)
from pyvirt.testing.suites._locking import LockManagerContract
from pyvirt.testing.suites._moments import (
    DomainBackupContract,
    DomainCheckpointsContract,
    DomainSnapshotsContract,
)
from pyvirt.testing.suites._networks import NetworkPortsContract, NetworksContract
from pyvirt.testing.suites._secrets import SecretsContract, SecretValuesContract
from pyvirt.testing.suites._storage import StorageContract, VolumeDataContract, VolumesContract
from pyvirt.testing.suites._streams import Collected
from pyvirt.testing.suites._suite import Suite
from pyvirt.testing.suites._works import (
    DomainBlockJobsContract,
    DomainGuestAgentContract,
    DomainJobsContract,
    DomainMigrationContract,
)

__all__ = [
    "ClientWatchContract",
    "Collected",
    "ConnectionContract",
    "DomainBackupContract",
    "DomainBlockJobsContract",
    "DomainCheckpointsContract",
    "DomainConsolesContract",
    "DomainDefinitionContract",
    "DomainDevicesContract",
    "DomainEventsContract",
    "DomainGuestAgentContract",
    "DomainJobsContract",
    "DomainLifecycleContract",
    "DomainMigrationContract",
    "DomainResourcesContract",
    "DomainSnapshotsContract",
    "DomainStatisticsContract",
    "DomainSuite",
    "DomainTuningContract",
    "HostContract",
    "HostInterfacesContract",
    "HypervisorCommandsContract",
    "LockManagerContract",
    "MonitorEventsContract",
    "NWFilterBindingsContract",
    "NWFiltersContract",
    "NetworkPortsContract",
    "NetworksContract",
    "NodeDevicesContract",
    "SecretValuesContract",
    "SecretsContract",
    "StorageContract",
    "Suite",
    "VolumeDataContract",
    "VolumesContract",
]
