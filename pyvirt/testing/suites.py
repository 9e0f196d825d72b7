"""
What every driver must do, as test cases: one class per family of operations, for authors of drivers to mix in.

    class MyLifecycleTests(DomainLifecycleContract, SynchronousTestCase):
        def makeConnection(self):
            return MyDriver().open(parseURI("mine:///system"), OpenContext(reactor=Clock()))

        def domainXML(self, name):
            return f"<domain type='mine'><name>{name}</name>...</domain>"

They hold what C{pyvirt.drivers.interfaces} says against a driver that runs, through its connection's components.  An
operation that the driver leaves out is no failure: its tests pass over it, and L{Suite.required} names what must be
there.  Drivers whose answers wait give a L{Suite.pump} that lets something happen.
"""

from __future__ import annotations

from inspect import iscoroutine
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface.interface import InterfaceClass

from pyvirt import constants as c
from pyvirt.drivers.interfaces.definition import IDomainDefinition
from pyvirt.drivers.interfaces.driver import IConnection
from pyvirt.drivers.interfaces.events import IDomainEvents, INetworkEvents, IStoragePoolEvents
from pyvirt.drivers.interfaces.host import IHost
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.interfaces.networks import INetworks
from pyvirt.drivers.interfaces.storage import IStorage
from pyvirt.drivers.interfaces.values import DomainRef, NetworkRef, StoragePoolRef, StorageVolRef
from pyvirt.errors import ErrorCode, VirtError
from pyvirt.testing.contracts import assertContract

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Case
else:
    _Case = object

__all__ = [
    "ConnectionContract",
    "DomainDefinitionContract",
    "DomainEventsContract",
    "DomainLifecycleContract",
    "HostContract",
    "NetworksContract",
    "StorageContract",
    "Suite",
]

NOBODY = b"\xff" * 16
UNKNOWN_FLAG = 1 << 30


class Suite(_Case):
    """
    What the suites have in common.

    @cvar contract: what the suite is about.
    @cvar required: operations that the driver says it has, by name; a test fails if one is absent.
    """

    contract: InterfaceClass
    required: tuple[str, ...] = ()

    def makeConnection(self) -> Any:
        """Return a new connection of the driver under test, or a promise of it."""
        raise NotImplementedError("a suite needs makeConnection")

    def pump(self) -> None:
        """Let something happen, where answers wait; called until one has come."""

    def setUp(self) -> None:
        super().setUp()
        self.connection: Any = self.wait(self.makeConnection())
        self.addCleanup(lambda: self.wait(self.connection.close()))

    def wait(self, answer: Any) -> Any:
        """Return what a driver's answer is in the end, or raise what it fails with."""
        if iscoroutine(answer):
            answer = Deferred.fromCoroutine(answer)
        if not isinstance(answer, Deferred):
            return answer
        settled: list[Any] = []
        answer.addBoth(settled.append)
        for _ in range(10_000):
            if settled:
                break
            self.pump()
        else:
            self.fail("the driver does not answer; does the suite need a pump?")
        if isinstance(settled[0], Failure):
            settled[0].raiseException()
        return settled[0]

    def has(self, *names: str, interface: InterfaceClass | None = None) -> bool:
        """Whether the driver has all of some operations."""
        component = self.connection.component(interface or self.contract)
        return all(hasattr(component, name) for name in names)

    def ask(self, name: str, *arguments: Any, interface: InterfaceClass | None = None) -> Any:
        """Do an operation."""
        component = self.connection.component(interface or self.contract)
        return self.wait(getattr(component, name)(*arguments))

    def refuses(self, code: int | None, name: str, *arguments: Any) -> None:
        """Check that an operation fails, with an error's code unless None."""
        try:
            answer = self.ask(name, *arguments)
        except VirtError as error:
            if code is not None:
                self.assertEqual(error.code, code, f"{name}: {error!r}")
        else:
            self.fail(f"{name}{arguments!r} answers {answer!r}")

    def test_contract(self) -> None:
        """What provides the operations takes exactly what the contract says, and has what was promised."""
        component = self.connection.component(self.contract)
        if component is None:
            self.fail(f"the connection does not provide {self.contract.__name__}")
        assertContract(self.contract, type(component))
        self.assertEqual([name for name in self.required if not hasattr(component, name)], [])


class ConnectionContract(Suite):
    """A connection as such: L{IConnection}."""

    contract = IConnection

    def test_contract(self) -> None:
        """A connection leaves nothing out."""
        assertContract(IConnection, type(self.connection), complete=True)

    def test_alive(self) -> None:
        """A connection that was just opened is alive and knows its URI."""
        self.assertTrue(self.connection.isAlive())
        self.assertIn(":", self.connection.uri)
        self.assertIsInstance(self.connection.isSecure(), bool)
        self.assertIsInstance(self.connection.isEncrypted(), bool)

    def test_closeTwice(self) -> None:
        """Closing again changes nothing."""
        self.wait(self.connection.close())
        self.wait(self.connection.close())

    def test_unknownContract(self) -> None:
        """A contract that nobody has ever heard of is not provided."""
        self.assertIsNone(self.connection.component(InterfaceClass("IUnheardOf")))


class HostContract(Suite):
    """The host: L{IHost}."""

    contract = IHost

    def test_identity(self) -> None:
        """Type and versions are what clients can show."""
        if self.has("connectGetType"):
            self.assertRegex(self.ask("connectGetType"), r"^\S+$")
        if self.has("connectGetVersion"):
            self.assertGreater(self.ask("connectGetVersion"), 0)

    def test_node(self) -> None:
        """A host has memory and processors, as many as its parts make."""
        if self.has("nodeGetInfo"):
            info = self.ask("nodeGetInfo")
            self.assertGreater(info.memory, 0)
            self.assertGreater(info.cpus, 0)
            for each in (info.nodes, info.sockets, info.cores, info.threads):
                self.assertGreater(each, 0)
            self.assertLessEqual(len(info.model.encode()), 31)

    def test_capabilities(self) -> None:
        """Capabilities are a document of that name."""
        if self.has("connectGetCapabilities"):
            self.assertTrue(
                self.ask("connectGetCapabilities").lstrip().startswith("<capabilities>")
            )


class _Domains(Suite):
    """What suites about domains have in common."""

    def domainXML(self, name: str) -> str:
        """Return the definition of a domain that the driver can define and run."""
        raise NotImplementedError("a suite about domains needs domainXML")

    def define(self, name: str) -> DomainRef:
        """Define a domain that is gone after the test."""
        ref: DomainRef = self.ask(
            "domainDefineXMLFlags", self.domainXML(name), 0, interface=IDomainDefinition
        )
        self.addCleanup(self._remove, ref)
        return ref

    def _remove(self, ref: DomainRef) -> None:
        for name, interface in (
            ("domainDestroyFlags", IDomainLifecycle),
            ("domainUndefineFlags", IDomainDefinition),
        ):
            try:
                self.ask(name, ref, 0, interface=interface)
            except (VirtError, AttributeError):
                pass

    def nobody(self) -> DomainRef:
        """Return a reference to a domain that is not there."""
        return DomainRef("nobody", NOBODY, -1)


class DomainDefinitionContract(_Domains):
    """Domains as definitions: L{IDomainDefinition}."""

    contract = IDomainDefinition
    required = (
        "connectListAllDomains",
        "domainDefineXMLFlags",
        "domainGetXMLDesc",
        "domainLookupByName",
        "domainLookupByUUID",
        "domainUndefineFlags",
    )

    def test_define(self) -> None:
        """A domain that was defined is found by name and UUID, listed, and described by what it was defined with."""
        ref = self.define("suite-one")
        self.assertEqual((ref.name, ref.id, len(ref.uuid)), ("suite-one", -1, 16))
        self.assertEqual(self.ask("domainLookupByName", "suite-one"), ref)
        self.assertEqual(self.ask("domainLookupByUUID", ref.uuid), ref)
        self.assertIn(ref, self.ask("connectListAllDomains", 0))
        self.assertIn("<name>suite-one</name>", self.ask("domainGetXMLDesc", ref, 0))

    def test_roundTrip(self) -> None:
        """What a domain is described by defines it again, and nothing changes."""
        ref = self.define("suite-one")
        xml = self.ask("domainGetXMLDesc", ref, c.VIR_DOMAIN_XML_INACTIVE)
        self.assertEqual(self.ask("domainDefineXMLFlags", xml, 0), ref)
        self.assertEqual(self.ask("domainGetXMLDesc", ref, c.VIR_DOMAIN_XML_INACTIVE), xml)

    def test_undefine(self) -> None:
        """A domain that was undefined is gone."""
        ref = self.define("suite-one")
        self.ask("domainUndefineFlags", ref, 0)
        self.refuses(ErrorCode.NO_DOMAIN, "domainLookupByName", "suite-one")
        self.refuses(ErrorCode.NO_DOMAIN, "domainGetXMLDesc", ref, 0)
        self.assertNotIn(ref, self.ask("connectListAllDomains", 0))

    def test_filters(self) -> None:
        """A list holds what its flags ask for."""
        ref = self.define("suite-one")
        self.assertIn(ref, self.ask("connectListAllDomains", c.VIR_CONNECT_LIST_DOMAINS_INACTIVE))
        self.assertNotIn(ref, self.ask("connectListAllDomains", c.VIR_CONNECT_LIST_DOMAINS_ACTIVE))
        both = c.VIR_CONNECT_LIST_DOMAINS_ACTIVE | c.VIR_CONNECT_LIST_DOMAINS_INACTIVE
        self.assertIn(ref, self.ask("connectListAllDomains", both))

    def test_nobody(self) -> None:
        """A domain that is not there is refused as such."""
        nobody = self.nobody()
        for name, arguments in (
            ("domainLookupByName", ("nobody",)),
            ("domainLookupByUUID", (NOBODY,)),
            ("domainLookupByID", (2**31 - 1,)),
            ("domainGetXMLDesc", (nobody, 0)),
            ("domainGetAutostart", (nobody,)),
            ("domainIsPersistent", (nobody,)),
            ("domainUndefineFlags", (nobody, 0)),
        ):
            if self.has(name):
                self.refuses(ErrorCode.NO_DOMAIN, name, *arguments)

    def test_badXML(self) -> None:
        """What is no definition is refused, and defines nothing."""
        before = len(self.ask("connectListAllDomains", 0))
        for xml in ("", "<", "<domain/>", "<network><name>n</name></network>", "no xml"):
            self.refuses(None, "domainDefineXMLFlags", xml, 0)
        self.assertEqual(len(self.ask("connectListAllDomains", 0)), before)

    def test_unknownFlags(self) -> None:
        """Flags that mean nothing are refused."""
        ref = self.define("suite-one")
        self.refuses(None, "domainDefineXMLFlags", self.domainXML("suite-two"), UNKNOWN_FLAG)
        self.refuses(None, "domainUndefineFlags", ref, UNKNOWN_FLAG)
        self.assertEqual(self.ask("domainLookupByName", "suite-one"), ref)

    def test_autostart(self) -> None:
        """Whether a domain starts with the host is remembered."""
        if self.has("domainSetAutostart", "domainGetAutostart"):
            ref = self.define("suite-one")
            self.assertFalse(self.ask("domainGetAutostart", ref))
            self.ask("domainSetAutostart", ref, True)
            self.assertTrue(self.ask("domainGetAutostart", ref))


class DomainLifecycleContract(_Domains):
    """Domains that run: L{IDomainLifecycle}."""

    contract = IDomainLifecycle
    required = ("domainCreateWithFlags", "domainDestroyFlags", "domainGetState", "domainIsActive")

    def state(self, ref: DomainRef) -> int:
        """Return a domain's state."""
        state: int = self.ask("domainGetState", ref, 0).state
        return state

    def start(self, name: str = "suite-one") -> DomainRef:
        """Define and start a domain."""
        ref: DomainRef = self.ask("domainCreateWithFlags", self.define(name), 0, [])
        return ref

    def test_start(self) -> None:
        """A domain that was started runs, under a number of its own."""
        defined = self.define("suite-one")
        self.assertFalse(self.ask("domainIsActive", defined))
        self.assertEqual(self.state(defined), c.VIR_DOMAIN_SHUTOFF)
        ref = self.ask("domainCreateWithFlags", defined, 0, [])
        self.assertEqual((ref.name, ref.uuid), (defined.name, defined.uuid))
        self.assertGreater(ref.id, 0)
        self.assertTrue(self.ask("domainIsActive", ref))
        self.assertEqual(self.state(ref), c.VIR_DOMAIN_RUNNING)
        other = self.start("suite-two")
        self.assertNotEqual(other.id, ref.id)

    def test_startTwice(self) -> None:
        """A domain that runs is not started again, and goes on."""
        ref = self.start()
        self.refuses(None, "domainCreateWithFlags", ref, 0, [])
        self.assertEqual(self.state(ref), c.VIR_DOMAIN_RUNNING)

    def test_destroy(self) -> None:
        """A domain that was destroyed does not run, and is still defined."""
        ref = self.start()
        self.ask("domainDestroyFlags", ref, 0)
        self.assertFalse(self.ask("domainIsActive", ref))
        self.assertEqual(self.state(ref), c.VIR_DOMAIN_SHUTOFF)
        found = self.ask("domainLookupByName", ref.name, interface=IDomainDefinition)
        self.assertEqual((found.uuid, found.id), (ref.uuid, -1))
        self.refuses(ErrorCode.OPERATION_INVALID, "domainDestroyFlags", ref, 0)

    def test_again(self) -> None:
        """A domain can be started again, by a reference from before."""
        ref = self.start()
        self.ask("domainDestroyFlags", ref, 0)
        again = self.ask("domainCreateWithFlags", ref, 0, [])
        self.assertEqual(self.state(again), c.VIR_DOMAIN_RUNNING)

    def test_pause(self) -> None:
        """A domain that was suspended is paused until it is resumed."""
        if self.has("domainSuspend", "domainResume"):
            ref = self.start()
            self.ask("domainSuspend", ref)
            self.assertEqual(self.state(ref), c.VIR_DOMAIN_PAUSED)
            self.assertTrue(self.ask("domainIsActive", ref))
            self.ask("domainResume", ref)
            self.assertEqual(self.state(ref), c.VIR_DOMAIN_RUNNING)

    def test_notRunning(self) -> None:
        """What only a running domain takes is refused while it does not run."""
        ref = self.define("suite-one")
        for name, arguments in (
            ("domainDestroyFlags", (0,)),
            ("domainSuspend", ()),
            ("domainResume", ()),
            ("domainReboot", (0,)),
            ("domainReset", (0,)),
            ("domainShutdownFlags", (0,)),
        ):
            if self.has(name):
                self.refuses(None, name, ref, *arguments)

    def test_transient(self) -> None:
        """A domain that was created without being defined is gone when it stops."""
        if self.has("domainCreateXML"):
            ref = self.ask("domainCreateXML", self.domainXML("suite-one"), 0, [])
            self.addCleanup(self._remove, ref)
            self.assertGreater(ref.id, 0)
            self.ask("domainDestroyFlags", ref, 0)
            self.refuses(ErrorCode.NO_DOMAIN, "domainGetState", ref, 0)

    def test_info(self) -> None:
        """What is told of a domain agrees with its state."""
        if self.has("domainGetInfo"):
            ref = self.start()
            info = self.ask("domainGetInfo", ref)
            self.assertEqual(info.state, c.VIR_DOMAIN_RUNNING)
            self.assertGreater(info.maxMem, 0)
            self.assertGreater(info.nrVirtCpu, 0)

    def test_nobody(self) -> None:
        """A domain that is not there is refused as such."""
        for name, arguments in (
            ("domainCreateWithFlags", (0, [])),
            ("domainDestroyFlags", (0,)),
            ("domainGetInfo", ()),
            ("domainGetState", (0,)),
            ("domainIsActive", ()),
            ("domainSuspend", ()),
            ("domainResume", ()),
            ("domainReboot", (0,)),
            ("domainShutdownFlags", (0,)),
        ):
            if self.has(name):
                self.refuses(ErrorCode.NO_DOMAIN, name, self.nobody(), *arguments)

    def test_unknownFlags(self) -> None:
        """Flags that mean nothing are refused, and nothing happens."""
        ref = self.define("suite-one")
        self.refuses(None, "domainCreateWithFlags", ref, UNKNOWN_FLAG, [])
        self.assertFalse(self.ask("domainIsActive", ref))
        ref = self.ask("domainCreateWithFlags", ref, 0, [])
        self.refuses(None, "domainDestroyFlags", ref, UNKNOWN_FLAG)
        self.assertTrue(self.ask("domainIsActive", ref))


class DomainEventsContract(_Domains):
    """Being told of domains: L{IDomainEvents}; the driver can define, start and destroy them."""

    contract = IDomainEvents
    required = ("domainEventSubscribe",)

    def hear(self, dom: DomainRef | None = None) -> tuple[list[tuple[str, int]], Any]:
        """Subscribe to lifecycles; return what fills with names and events, and the subscription."""
        heard: list[tuple[str, int]] = []
        subscription = self.ask(
            "domainEventSubscribe",
            c.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
            dom,
            lambda event: heard.append((event.ref.name, event.details[0])),
        )
        return heard, subscription

    def live(self, ref: DomainRef) -> None:
        """Let a domain start and end."""
        ref = self.ask("domainCreateWithFlags", ref, 0, [], interface=IDomainLifecycle)
        self.ask("domainDestroyFlags", ref, 0, interface=IDomainLifecycle)

    def test_order(self) -> None:
        """A domain's life is told in its order."""
        heard, subscription = self.hear()
        ref = self.define("suite-one")
        self.live(ref)
        self.ask("domainUndefineFlags", ref, 0, interface=IDomainDefinition)
        told = [event for name, event in heard if name == "suite-one"]
        # Between them a driver may tell more: that a guest runs, that it is shutting down.
        order = [
            c.VIR_DOMAIN_EVENT_DEFINED,
            c.VIR_DOMAIN_EVENT_STARTED,
            c.VIR_DOMAIN_EVENT_STOPPED,
            c.VIR_DOMAIN_EVENT_UNDEFINED,
        ]
        self.assertEqual([event for event in told if event in order], order)
        self.wait(subscription.cancel())

    def test_oneDomain(self) -> None:
        """Who asks about one domain hears of no other."""
        one, other = self.define("suite-one"), self.define("suite-two")
        heard, _ = self.hear(one)
        self.live(other)
        self.assertEqual(heard, [])
        self.live(one)
        self.assertNotEqual(heard, [])

    def test_cancel(self) -> None:
        """After it was cancelled a subscription is silent; cancelling again changes nothing."""
        ref = self.define("suite-one")
        heard, subscription = self.hear()
        self.wait(subscription.cancel())
        self.wait(subscription.cancel())
        self.live(ref)
        self.assertEqual(heard, [])


class NetworksContract(Suite):
    """Networks: L{INetworks}, and L{INetworkEvents} where there are any."""

    contract = INetworks
    required = (
        "connectListAllNetworks",
        "networkCreate",
        "networkDefineXMLFlags",
        "networkDestroy",
        "networkIsActive",
        "networkLookupByName",
        "networkUndefine",
    )

    def networkXML(self, name: str) -> str:
        """Return the definition of a network."""
        return f"<network><name>{name}</name></network>"

    def define(self, name: str) -> NetworkRef:
        """Define a network that is gone after the test."""
        ref: NetworkRef = self.ask("networkDefineXMLFlags", self.networkXML(name), 0)

        def remove() -> None:
            for each in ("networkDestroy", "networkUndefine"):
                try:
                    self.ask(each, ref)
                except VirtError:
                    pass

        self.addCleanup(remove)
        return ref

    def test_life(self) -> None:
        """A network is defined, started, stopped and undefined, and told of where events are."""
        heard: list[int] = []
        if self.has("networkEventSubscribe", interface=INetworkEvents):
            self.ask(
                "networkEventSubscribe",
                c.VIR_NETWORK_EVENT_ID_LIFECYCLE,
                None,
                lambda event: heard.append(event.details[0]),
                interface=INetworkEvents,
            )
        ref = self.define("suite-net")
        self.assertEqual(self.ask("networkLookupByName", "suite-net"), ref)
        self.assertFalse(self.ask("networkIsActive", ref))
        self.ask("networkCreate", ref)
        self.assertTrue(self.ask("networkIsActive", ref))
        self.refuses(None, "networkCreate", ref)
        self.ask("networkDestroy", ref)
        self.assertFalse(self.ask("networkIsActive", ref))
        self.assertIn(ref, self.ask("connectListAllNetworks", 0))
        self.ask("networkUndefine", ref)
        self.refuses(ErrorCode.NO_NETWORK, "networkLookupByName", "suite-net")
        if self.connection.component(INetworkEvents) is not None:
            self.assertEqual(
                heard,
                [
                    c.VIR_NETWORK_EVENT_DEFINED,
                    c.VIR_NETWORK_EVENT_STARTED,
                    c.VIR_NETWORK_EVENT_STOPPED,
                    c.VIR_NETWORK_EVENT_UNDEFINED,
                ],
            )

    def test_nobody(self) -> None:
        """A network that is not there is refused as such."""
        nobody = NetworkRef("nobody", NOBODY)
        for name in ("networkCreate", "networkDestroy", "networkIsActive", "networkUndefine"):
            self.refuses(ErrorCode.NO_NETWORK, name, nobody)


class StorageContract(Suite):
    """Pools and volumes: L{IStorage}, and L{IStoragePoolEvents} where there are any."""

    contract = IStorage
    required = (
        "connectListAllStoragePools",
        "storagePoolCreate",
        "storagePoolDefineXML",
        "storagePoolDestroy",
        "storagePoolListAllVolumes",
        "storagePoolLookupByName",
        "storagePoolUndefine",
        "storageVolCreateXML",
        "storageVolDelete",
        "storageVolLookupByName",
    )

    def poolXML(self, name: str) -> str:
        """Return the definition of a pool."""
        raise NotImplementedError("a suite about storage needs poolXML")

    def volumeXML(self, name: str) -> str:
        """Return the definition of a volume of 1 MiB."""
        return f"<volume><name>{name}</name><capacity>1048576</capacity></volume>"

    def define(self, name: str) -> StoragePoolRef:
        """Define a pool that is gone after the test."""
        ref: StoragePoolRef = self.ask("storagePoolDefineXML", self.poolXML(name), 0)

        def remove() -> None:
            for each in ("storagePoolDestroy", "storagePoolUndefine"):
                try:
                    self.ask(each, ref)
                except VirtError:
                    pass

        self.addCleanup(remove)
        return ref

    def test_pools(self) -> None:
        """A pool is defined, started, stopped and undefined."""
        ref = self.define("suite-pool")
        self.assertEqual(self.ask("storagePoolLookupByName", "suite-pool"), ref)
        self.ask("storagePoolCreate", ref, 0)
        self.refuses(None, "storagePoolCreate", ref, 0)
        self.refuses(None, "storagePoolUndefine", ref)
        self.ask("storagePoolDestroy", ref)
        self.assertIn(ref, self.ask("connectListAllStoragePools", 0))
        self.ask("storagePoolUndefine", ref)
        self.refuses(ErrorCode.NO_STORAGE_POOL, "storagePoolLookupByName", "suite-pool")

    def test_volumes(self) -> None:
        """A volume is made, found, measured and deleted; its name is taken meanwhile."""
        pool = self.define("suite-pool")
        self.refuses(None, "storageVolCreateXML", pool, self.volumeXML("suite-vol"), 0)
        self.ask("storagePoolCreate", pool, 0)
        ref = self.ask("storageVolCreateXML", pool, self.volumeXML("suite-vol"), 0)
        self.assertEqual((ref.pool, ref.name), ("suite-pool", "suite-vol"))
        self.assertEqual(self.ask("storageVolLookupByName", pool, "suite-vol"), ref)
        self.assertEqual(self.ask("storagePoolListAllVolumes", pool, 0), [ref])
        if self.has("storageVolGetInfo"):
            self.assertEqual(self.ask("storageVolGetInfo", ref).capacity, 1 << 20)
        self.refuses(None, "storageVolCreateXML", pool, self.volumeXML("suite-vol"), 0)
        self.ask("storageVolDelete", ref, 0)
        self.refuses(ErrorCode.NO_STORAGE_VOL, "storageVolLookupByName", pool, "suite-vol")
        self.assertEqual(self.ask("storagePoolListAllVolumes", pool, 0), [])

    def test_nobody(self) -> None:
        """A pool or volume that is not there is refused as such."""
        nobody = StoragePoolRef("nobody", NOBODY)
        self.refuses(ErrorCode.NO_STORAGE_POOL, "storagePoolCreate", nobody, 0)
        self.refuses(ErrorCode.NO_STORAGE_POOL, "storagePoolUndefine", nobody)
        pool = self.define("suite-pool")
        self.ask("storagePoolCreate", pool, 0)
        gone = StorageVolRef("suite-pool", "nobody", "/nobody")
        self.refuses(ErrorCode.NO_STORAGE_VOL, "storageVolDelete", gone, 0)

    def test_events(self) -> None:
        """What becomes of a pool is told."""
        if self.connection.component(IStoragePoolEvents) is None:
            return
        heard: list[int] = []
        self.ask(
            "storagePoolEventSubscribe",
            c.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE,
            None,
            lambda event: heard.append(event.details[0]),
            interface=IStoragePoolEvents,
        )
        ref = self.define("suite-pool")
        self.ask("storagePoolCreate", ref, 0)
        self.ask("storagePoolDestroy", ref)
        order = [
            c.VIR_STORAGE_POOL_EVENT_DEFINED,
            c.VIR_STORAGE_POOL_EVENT_STARTED,
            c.VIR_STORAGE_POOL_EVENT_STOPPED,
        ]
        self.assertEqual([each for each in heard if each in order], order)
