"""
What must hold of domains as definitions, while they run, and of what is told about them.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.definition import IDomainDefinition
from pyvirt.drivers.interfaces.events import IDomainEvents
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.errors import ErrorCode
from pyvirt.testing.suites._suite import NOBODY, UNKNOWN_FLAG, Suite

__all__ = [
    "DomainDefinitionContract",
    "DomainEventsContract",
    "DomainLifecycleContract",
    "DomainSuite",
]


class DomainSuite(Suite):
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
        self.tries(("domainDestroyFlags", ref, 0), interface=IDomainLifecycle)
        everything = (
            c.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
            | c.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            | c.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
        )
        self.tries(
            ("domainUndefineFlags", ref, 0),
            ("domainUndefineFlags", ref, everything),
            interface=IDomainDefinition,
        )

    def nobody(self) -> DomainRef:
        """Return a reference to a domain that is not there."""
        return DomainRef("nobody", NOBODY, -1)

    def state(self, ref: DomainRef) -> int:
        """Return a domain's state."""
        state: int = self.ask("domainGetState", ref, 0, interface=IDomainLifecycle).state
        return state

    def start(self, name: str = "suite-one") -> DomainRef:
        """Define and start a domain."""
        ref: DomainRef = self.ask(
            "domainCreateWithFlags", self.define(name), 0, [], interface=IDomainLifecycle
        )
        return ref


class DomainDefinitionContract(DomainSuite):
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


class DomainLifecycleContract(DomainSuite):
    """Domains that run: L{IDomainLifecycle}."""

    contract = IDomainLifecycle
    required = ("domainCreateWithFlags", "domainDestroyFlags", "domainGetState", "domainIsActive")

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


class DomainEventsContract(DomainSuite):
    """Being told of domains: L{IDomainEvents}; the driver can define, start and destroy them."""

    contract = IDomainEvents
    required = ("domainEventSubscribe",)

    def lives(self, dom: DomainRef | None = None) -> tuple[list[tuple[str, int]], Any]:
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
        heard, subscription = self.lives()
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
        heard, _ = self.lives(one)
        self.live(other)
        self.assertEqual(heard, [])
        self.live(one)
        self.assertNotEqual(heard, [])

    def test_cancel(self) -> None:
        """After it was cancelled a subscription is silent; cancelling again changes nothing."""
        ref = self.define("suite-one")
        heard, subscription = self.lives()
        self.wait(subscription.cancel())
        self.wait(subscription.cancel())
        self.live(ref)
        self.assertEqual(heard, [])
