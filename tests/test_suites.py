"""
The suites for authors of drivers, run on the test driver; and that they find what is wrong.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.reporter import TestResult
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.test import TestDriver
from pyvirt.testing import suites
from pyvirt.uri import parseURI

DOMAIN = (
    "<domain type='test'><name>{}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
)


class OnTheTestDriver:
    """How the suites reach the test driver."""

    uri = "test:///default"

    def makeConnection(self) -> Any:
        return TestDriver().open(parseURI(self.uri), OpenContext(reactor=Clock()))

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


class NetworksTests(OnTheTestDriver, suites.NetworksContract, SynchronousTestCase):
    """Networks."""


class StorageTests(OnTheTestDriver, suites.StorageContract, SynchronousTestCase):
    """Storage."""


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
        self.clock = Clock()
        connection = super().makeConnection()
        inner = connection.component

        def component(interface: Any) -> Any:
            found = inner(interface)
            return Late(found, self.clock) if interface is IDomainLifecycle else found

        connection.component = component
        return connection

    def pump(self) -> None:
        self.clock.advance(1)

    def test_contract(self) -> None:
        """Its class is a test's own; whether it keeps the contract is no question here."""


class FindingTests(SynchronousTestCase):
    """A suite that cannot fail is none."""

    def outcome(self, **wrong: Any) -> list[str]:
        """Run the suite of lifecycles on a driver with some methods replaced; return which tests fail."""

        class Broken(DomainLifecycleTests):
            def makeConnection(self) -> Any:
                connection = super().makeConnection()
                component = connection.component(IDomainLifecycle)
                for name, method in wrong.items():
                    setattr(component, name, method)
                return connection

        failed = []
        for name in sorted(vars(suites.DomainLifecycleContract)):
            if name.startswith("test_"):
                result = TestResult()
                Broken(name).run(result)
                if not result.wasSuccessful():
                    failed.append(name)
        return failed

    def test_nothingWrong(self) -> None:
        """A driver that keeps the contract passes."""
        self.assertEqual(self.outcome(), [])

    def test_wrong(self) -> None:
        """Each of some mistakes is found by the test that is about it."""
        self.assertIn("test_destroy", self.outcome(domainDestroyFlags=lambda dom, flags: None))
        self.assertIn("test_notRunning", self.outcome(domainSuspend=lambda dom: None))
        self.assertIn("test_pause", self.outcome(domainSuspend=lambda dom: None))
        self.assertIn("test_nobody", self.outcome(domainIsActive=lambda dom: False))
        self.assertIn("test_start", self.outcome(domainIsActive=lambda dom: False))

    def test_noAnswer(self) -> None:
        """A driver that never answers fails, and does not hang."""
        self.assertIn("test_info", self.outcome(domainGetInfo=lambda dom: Deferred()))
