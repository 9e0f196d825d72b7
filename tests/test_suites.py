"""
The suites for authors of drivers, run on the test driver; and that they find what is wrong.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.test import TestDriver
from pyvirt.testing import suites
from pyvirt.uri import parseURI

DOMAIN = (
    "<domain type='test'><name>{}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
)


GUEST = """<domain type='test'><name>{}</name><memory unit='KiB'>1048576</memory><os><type>hvm</type></os>
<vcpu>1</vcpu><devices><disk type='file'><driver type='qcow2'/><source file='/disk'/><target dev='vda' bus='virtio'/>
</disk><console type='pty'/></devices></domain>"""


class OnTheTestDriver:
    """How the suites reach the test driver."""

    uri = "test:///default"

    def makeConnection(self) -> Any:
        self.clock = Clock()
        return self.another()

    def another(self) -> Any:
        return TestDriver().open(parseURI(self.uri), OpenContext(reactor=self.clock))

    def pump(self) -> None:
        self.clock.advance(1)

    def domainXML(self, name: str) -> str:
        return DOMAIN.format(name)

    def poolXML(self, name: str) -> str:
        return f"<pool type='dir'><name>{name}</name><target><path>/{name}</path></target></pool>"


class ConnectionTests(OnTheTestDriver, suites.ConnectionContract, SynchronousTestCase):
    """Connections."""


class HostTests(OnTheTestDriver, suites.HostContract, SynchronousTestCase):
    """Hosts."""

    required = ("connectGetType", "connectGetVersion", "nodeGetInfo", "connectGetCapabilities")


class DomainDefinitionTests(OnTheTestDriver, suites.DomainDefinitionContract, SynchronousTestCase):
    """Definitions."""


class DomainLifecycleTests(OnTheTestDriver, suites.DomainLifecycleContract, SynchronousTestCase):
    """Lifecycles."""

    required = (
        *suites.DomainLifecycleContract.required,
        "domainCreateXML",
        "domainGetInfo",
        "domainReboot",
        "domainReset",
        "domainResume",
        "domainShutdownFlags",
        "domainSuspend",
    )


class DomainEventsTests(OnTheTestDriver, suites.DomainEventsContract, SynchronousTestCase):
    """Events."""


class OnAGuest(OnTheTestDriver):
    """A domain with a disk and a console."""

    def domainXML(self, name: str) -> str:
        return GUEST.format(name)


class DevicesTests(OnAGuest, suites.DomainDevicesContract, SynchronousTestCase):
    """Devices."""


class ResourcesTests(OnAGuest, suites.DomainResourcesContract, SynchronousTestCase):
    """Resources."""


class TuningTests(OnAGuest, suites.DomainTuningContract, SynchronousTestCase):
    """Tuning."""

    settings = tuple(
        each for each in suites.DomainTuningContract.settings if "Scheduler" not in each[0]
    )


class StatisticsTests(OnAGuest, suites.DomainStatisticsContract, SynchronousTestCase):
    """Statistics."""

    disk = "vda"


class SnapshotsTests(OnAGuest, suites.DomainSnapshotsContract, SynchronousTestCase):
    """Snapshots."""


class CheckpointsTests(OnAGuest, suites.DomainCheckpointsContract, SynchronousTestCase):
    """Checkpoints."""


class BackupTests(OnAGuest, suites.DomainBackupContract, SynchronousTestCase):
    """Backups."""


class BlockJobsTests(OnAGuest, suites.DomainBlockJobsContract, SynchronousTestCase):
    """Block jobs."""

    def copyXML(self) -> str:
        return "<disk type='file'><source file='/copy'/><driver type='qcow2'/></disk>"


class JobsTests(OnAGuest, suites.DomainJobsContract, SynchronousTestCase):
    """Jobs."""


class MigrationTests(OnAGuest, suites.DomainMigrationContract, SynchronousTestCase):
    """Migration."""

    def makeOther(self) -> Any:
        return self.another()


class AgentTests(OnAGuest, suites.DomainGuestAgentContract, SynchronousTestCase):
    """Agents."""


class ConsolesTests(OnAGuest, suites.DomainConsolesContract, SynchronousTestCase):
    """Consoles."""

    # As libvirt's own test driver, which shows the same picture whatever is asked for.
    lenient = ("domainScreenshot",)


class NetworksTests(OnTheTestDriver, suites.NetworksContract, SynchronousTestCase):
    """Networks."""

    # As libvirt's own test driver.
    lenient = ("networkDestroy", "networkSetAutostart")


class StorageTests(OnTheTestDriver, suites.StorageContract, SynchronousTestCase):
    """Storage."""


class VolumesTests(OnTheTestDriver, suites.VolumesContract, SynchronousTestCase):
    """Volumes."""


class VolumeDataTests(OnTheTestDriver, suites.VolumeDataContract, SynchronousTestCase):
    """What is in volumes."""


class SecretsTests(OnTheTestDriver, suites.SecretsContract, SynchronousTestCase):
    """Secrets."""


class NodeDevicesTests(OnTheTestDriver, suites.NodeDevicesContract, SynchronousTestCase):
    """Devices of the host."""

    def deviceXML(self) -> str:
        return (
            "<device><parent>scsi_host1</parent><capability type='scsi_host'>"
            "<capability type='fc_host'><wwnn>1000000023452345</wwnn><wwpn>1001001023452345</wwpn></capability>"
            "</capability></device>"
        )


class HostInterfacesTests(OnTheTestDriver, suites.HostInterfacesContract, SynchronousTestCase):
    """Interfaces of the host."""


class NWFilterBindingsTests(OnTheTestDriver, suites.NWFilterBindingsContract, SynchronousTestCase):
    """Filters and what they are bound to."""


class ScenarioLifecycleTests(DomainLifecycleTests):
    """Lifecycles in a scenario, as another hypervisor's and late."""

    uri = "test:///default?domains=3"


class Late:
    """A lifecycle whose answers wait until they are pumped."""

    def __init__(self, inner: Any, clock: Clock) -> None:
        self._inner, self._clock = inner, clock

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def later(*arguments: Any) -> Any:
            waiting: Deferred[None] = Deferred()
            self._clock.callLater(1, waiting.callback, None)
            return waiting.addCallback(lambda _: method(*arguments))

        return later


class LateLifecycleTests(DomainLifecycleTests):
    """Lifecycles of a driver that answers later."""

    def makeConnection(self) -> Any:
        connection = super().makeConnection()
        inner = connection.component

        def component(interface: Any) -> Any:
            found = inner(interface)
            return Late(found, self.clock) if interface is IDomainLifecycle else found

        connection.component = component
        return connection

    def test_contract(self) -> None:
        """Its class is a test's own; whether it keeps the contract is no question here."""
