"""
The test driver by itself: worlds and how long they last, many domains, events, and what a picture is.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pyvirt import constants as c
from pyvirt.drivers.events import EventHub
from pyvirt.drivers.interfaces.definition import IDomainDefinition
from pyvirt.drivers.interfaces.driver import IConnection, IDriverFactory, OpenContext
from pyvirt.drivers.interfaces.events import Event, EventKind, IDomainEvents
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.interfaces.snapshots import IDomainSnapshots
from pyvirt.drivers.test import TestConnection, TestDriver
from pyvirt.drivers.test.components import COMPONENTS, componentClass
from pyvirt.drivers.test.consoles import BytesSource, picture
from pyvirt.errors import (
    AuthenticationFailed,
    InvalidArgument,
    NoSuchDomain,
    OperationInvalid,
    VirtError,
    XMLError,
)
from pyvirt.testing.contracts import assertContract
from pyvirt.uri import parseURI

DOMAIN = (
    "<domain type='test'><name>{}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
)


class DriverCase(SynchronousTestCase):
    """A driver with a clock of its own."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000000000.25)
        self.driver = TestDriver()

    def open(self, uri: str = "test:///default") -> TestConnection:
        """Open a URI."""
        connection = self.driver.open(parseURI(uri), OpenContext(reactor=self.clock))
        assert isinstance(connection, TestConnection)
        return connection

    def definitions(self, connection: TestConnection) -> Any:
        """What is known of domains."""
        return connection.component(IDomainDefinition)

    def lifecycle(self, connection: TestConnection) -> Any:
        """What domains do."""
        return connection.component(IDomainLifecycle)


class OpeningTests(DriverCase):
    """
    Which worlds there are, who shares them and for how long.
    """

    def test_interfaces(self) -> None:
        """
        The driver and its connections provide what drivers provide.
        """
        self.assertTrue(IDriverFactory.providedBy(self.driver))
        self.assertTrue(IConnection.providedBy(self.open()))

    def test_accepts(self) -> None:
        """
        Only URIs of the scheme without host and transport are this driver's.
        """
        for uri, expected in (
            ("test:///default", True),
            ("test:///some/file.xml", True),
            ("test+unix:///default", False),
            ("test://host/default", False),
            ("qemu:///system", False),
        ):
            self.assertEqual(self.driver.accepts(parseURI(uri)), expected, uri)
        self.assertFalse(self.driver.accepts(None))

    def test_shared(self) -> None:
        """
        Connections to the default world see the same domains.
        """
        one, other = self.open(), self.open()
        ref = self.definitions(one).domainDefineXMLFlags(DOMAIN.format("web"), 0)
        self.assertEqual(self.definitions(other).domainLookupByName("web"), ref)

    def test_lastsWhileUsed(self) -> None:
        """
        The default world is gone with its last connection, closed once or more often, and not before.
        """
        one, other = self.open(), self.open()
        self.definitions(one).domainDefineXMLFlags(DOMAIN.format("web"), 0)
        one.close()
        one.close()
        self.definitions(other).domainLookupByName("web")
        other.close()
        names = [ref.name for ref in self.definitions(self.open()).connectListAllDomains(0)]
        self.assertEqual(names, ["test"])

    def test_driversAreApart(self) -> None:
        """
        Two drivers in one process have a default world each.
        """
        self.definitions(self.open()).domainDefineXMLFlags(DOMAIN.format("web"), 0)
        self.driver = TestDriver()
        self.assertRaises(NoSuchDomain, self.definitions(self.open()).domainLookupByName, "web")

    def test_filesArePrivate(self) -> None:
        """
        Each connection to a file has a world of its own.
        """
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write(f"<node>{DOMAIN.format('web')}</node>")
        one, other = self.open(f"test://{path}"), self.open(f"test://{path}")
        ref = self.definitions(one).domainLookupByName("web")
        self.lifecycle(one).domainDestroyFlags(ref, 0)
        self.assertFalse(self.lifecycle(one).domainIsActive(ref))
        ref = self.definitions(other).domainLookupByName("web")
        self.assertTrue(self.lifecycle(other).domainIsActive(ref))

    def test_login(self) -> None:
        """
        A file that names users lets them in, asks for the password of those who have one, and nobody else.
        """
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write("<node><auth><user password='x'>bob</user><user>eve</user></auth></node>")
        asked: list[int] = []

        def attempt(*answers: str, types: tuple[int, ...] = (2, 5), status: int = 0) -> Any:
            def answer(credentials: list[Any], data: Any) -> int:
                for credential in credentials:
                    asked.append(credential[0])
                    credential[4] = answers[len(asked) - 1]
                return status

            asked.clear()
            context = OpenContext(reactor=self.clock, auth=[types, answer, None])
            opening: Any = self.driver.open(parseURI(f"test://{path}"), context)
            return ensureDeferred(opening)

        self.assertIsInstance(self.successResultOf(attempt("bob", "x")), TestConnection)
        self.assertEqual(asked, [2, 5])
        self.assertIsInstance(self.successResultOf(attempt("eve")), TestConnection)
        self.assertEqual(asked, [2])
        for refused in (
            attempt("bob", "y"),
            attempt("zed", "x"),
            attempt("bob", "x", types=(2,)),
            attempt("bob", "x", types=(5,)),
            attempt("bob", "x", status=-1),
        ):
            self.failureResultOf(refused, AuthenticationFailed)
        nobody: Any = self.driver.open(parseURI(f"test://{path}"), OpenContext(reactor=self.clock))
        self.failureResultOf(ensureDeferred(nobody), InvalidArgument)

    def test_refusals(self) -> None:
        """
        No path, no file and a file of something else are refused, each in its way.
        """
        self.assertRaises(InvalidArgument, self.open, "test:///")
        self.assertRaises(XMLError, self.open, "test:///there/is/none")
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write("<nodes/>")
        self.assertRaises(XMLError, self.open, f"test://{path}")

    def test_everyComponent(self) -> None:
        """
        Every class keeps its contract, as far as it has the operations.
        """
        for interface in COMPONENTS:
            assertContract(interface, componentClass(interface))


class DomainTests(DriverCase):
    """
    Domains: their numbers, their time, and many of them.
    """

    def test_numbers(self) -> None:
        """
        Each start gives the next number, which nobody has had before.
        """
        connection = self.open()
        lifecycle = self.lifecycle(connection)
        ref = self.definitions(connection).domainLookupByName("test")
        numbers = [ref.id]
        for _ in range(3):
            lifecycle.domainDestroyFlags(ref, 0)
            numbers.append(lifecycle.domainCreateWithFlags(ref, 0, []).id)
        self.assertEqual(numbers, [1, 2, 3, 4])
        self.assertRaises(NoSuchDomain, self.definitions(connection).domainLookupByID, 1)

    def test_time(self) -> None:
        """
        The time a guest has used is that of the clock, in nanoseconds.
        """
        connection = self.open()
        ref = self.definitions(connection).domainLookupByName("test")
        lifecycle = self.lifecycle(connection)
        self.assertEqual(lifecycle.domainGetInfo(ref).cpuTime, 1000000000250000000)
        self.clock.advance(2)
        self.assertEqual(lifecycle.domainGetInfo(ref).cpuTime, 1000000002250000000)

    def test_nothingLeft(self) -> None:
        """
        A domain that is forgotten leaves nothing in any table.
        """
        connection = self.open()
        domains = connection.world.domains
        lifecycle = self.lifecycle(connection)
        ref = lifecycle.domainCreateXML(DOMAIN.format("web"), 0, [])
        lifecycle.domainDestroyFlags(ref, 0)
        self.assertEqual(len(domains), 1)
        self.assertRaises(NoSuchDomain, domains.byName, "web")
        self.assertRaises(NoSuchDomain, domains.byUUID, ref.uuid)
        self.assertRaises(NoSuchDomain, domains.byID, ref.id)

    def test_manyShareDefinitions(self) -> None:
        """
        A running domain and its definition are one value until either is changed.
        """
        connection = self.open()
        domain = connection.world.domains.byName("test")
        self.assertIs(domain.definition, domain.pending)

    def test_refusedChangeChangesNothing(self) -> None:
        """
        A change of both definitions that the second refuses is not made to the first.
        """
        domain = self.open().world.domains.byName("test")
        before = domain.definition
        calls: list[object] = []

        def change(definition: Any) -> Any:
            calls.append(definition)
            if len(calls) == 2:
                raise OperationInvalid("no")
            return None

        self.assertRaises(OperationInvalid, domain.change, 3, change)
        self.assertIs(domain.definition, before)
        self.assertIs(domain.pending, before)

    def test_snapshotsOfTheClock(self) -> None:
        """
        A snapshot without a name is called after the second in which it is taken.
        """
        connection = self.open()
        ref = self.definitions(connection).domainLookupByName("test")
        snapshots: Any = connection.component(IDomainSnapshots)
        taken = snapshots.domainSnapshotCreateXML(ref, "<domainsnapshot/>", 0)
        self.assertEqual(taken.name, "1000000000")
        self.assertRaises(VirtError, snapshots.domainSnapshotCreateXML, ref, "<domainsnapshot/>", 0)
        self.clock.advance(1)
        taken = snapshots.domainSnapshotCreateXML(ref, "<domainsnapshot/>", 0)
        self.assertEqual(taken.name, "1000000001")


class EventTests(DriverCase):
    """
    Who hears what, and in which order.
    """

    def test_lifecycle(self) -> None:
        """
        A listener hears of all domains in the order of what happens, with what they are known by then.
        """
        connection = self.open()
        heard: list[tuple[str, int, tuple[int, ...]]] = []
        events: Any = connection.component(IDomainEvents)
        events.domainEventSubscribe(
            c.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
            None,
            lambda event: heard.append((event.ref.name, event.ref.id, event.details)),
        )
        lifecycle = self.lifecycle(connection)
        ref = self.definitions(connection).domainDefineXMLFlags(DOMAIN.format("web"), 0)
        lifecycle.domainCreateWithFlags(ref, 0, [])
        lifecycle.domainDestroyFlags(ref, 0)
        self.definitions(connection).domainUndefineFlags(ref, 0)
        self.assertEqual(
            heard,
            [("web", -1, (0, 0)), ("web", 2, (2, 0)), ("web", -1, (5, 1)), ("web", -1, (1, 0))],
        )

    def test_ofOneDomain(self) -> None:
        """
        A listener for one domain hears of no other, and of none once it has cancelled.
        """
        connection = self.open()
        lifecycle, definitions = self.lifecycle(connection), self.definitions(connection)
        test = definitions.domainLookupByName("test")
        heard: list[Event] = []
        events: Any = connection.component(IDomainEvents)
        subscription = events.domainEventSubscribe(0, test, heard.append)
        definitions.domainDefineXMLFlags(DOMAIN.format("web"), 0)
        lifecycle.domainSuspend(test)
        subscription.cancel()
        lifecycle.domainResume(test)
        self.assertEqual([event.details for event in heard], [(3, 0)])
        self.assertEqual(len(connection.world.hub), 0)


class HubTests(SynchronousTestCase):
    """
    L{EventHub}: order, cancelling while an event is told, and listeners that fail.
    """

    def setUp(self) -> None:
        self.hub = EventHub()
        self.heard: list[str] = []
        self.event = Event(EventKind.DOMAIN, 0, "ref", ())

    def hear(self, name: str, key: str | None = None) -> Any:
        """Subscribe under a name."""
        return self.hub.subscribe(EventKind.DOMAIN, 0, key, lambda event: self.heard.append(name))

    def test_order(self) -> None:
        """
        Those who listen to one object and those who listen to all hear in the order of subscribing.
        """
        for name, key in (("a", None), ("b", "x"), ("c", None), ("d", "y"), ("e", "x")):
            self.hear(name, key)
        self.hub.emit(self.event, "x")
        self.assertEqual(self.heard, ["a", "b", "c", "e"])

    def test_cancelWhileTold(self) -> None:
        """
        A listener that another cancels does not hear even of the event that is being told.
        """
        self.hub.subscribe(EventKind.DOMAIN, 0, None, lambda event: other.cancel())
        other = self.hear("other")
        self.hear("last")
        self.hub.emit(self.event, "x")
        self.assertEqual(self.heard, ["last"])
        self.assertFalse(other.active)

    def test_subscribeWhileTold(self) -> None:
        """
        A listener that comes while an event is told hears from the next one on.
        """
        subscription = self.hub.subscribe(
            EventKind.DOMAIN, 0, None, lambda event: self.hear("new") and None
        )
        self.hub.emit(self.event, "x")
        self.assertEqual(self.heard, [])
        subscription.cancel()
        self.hub.emit(self.event, "x")
        self.assertEqual(self.heard, ["new"])

    def test_cancelTwice(self) -> None:
        """
        Cancelling again changes nothing, and nothing is left of who has cancelled.
        """
        one, other = self.hear("one"), self.hear("other")
        one.cancel()
        one.cancel()
        self.assertEqual(len(self.hub), 1)
        other.cancel()
        self.assertEqual(len(self.hub), 0)
        self.assertFalse(self.hub.wanted(EventKind.DOMAIN, 0, "x"))
        self.assertEqual(self.hub._slots, {})

    def test_failure(self) -> None:
        """
        A listener that fails is logged, and the others hear.
        """

        def fail(event: Event) -> None:
            raise ZeroDivisionError

        self.hub.subscribe(EventKind.DOMAIN, 0, None, fail)
        self.hear("other")
        self.hub.emit(self.event, "x")
        self.assertEqual(self.heard, ["other"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_kindsAreApart(self) -> None:
        """
        Events of another kind or number are not heard.
        """
        self.hear("domain")
        self.hub.emit(Event(EventKind.NETWORK, 0, "ref", ()), "x")
        self.hub.emit(Event(EventKind.DOMAIN, 1, "ref", ()), "x")
        self.assertEqual(self.heard, [])


class _Sink:
    """Takes what a source pushes; pauses it after each piece if asked to."""

    def __init__(self, source: BytesSource, pausing: bool) -> None:
        self.source = source
        self.pausing = pausing
        self.pieces: list[bytes] = []
        self.finished = 0

    def write(self, data: bytes) -> None:
        self.pieces.append(data)
        if self.pausing:
            self.source.pauseProducing()

    def finish(self) -> None:
        self.finished += 1


class ScreenTests(SynchronousTestCase):
    """
    The picture of a screen, and how it is pushed.
    """

    def test_picture(self) -> None:
        """
        It is a picture.
        """
        self.assertTrue(picture().startswith(b"\x89PNG\r\n\x1a\n"))

    def test_pushed(self) -> None:
        """
        All of it comes, in pieces, and then the end.
        """
        data = bytes(range(256)) * 1000
        source = BytesSource(data)
        sink = _Sink(source, pausing=False)
        source.start(sink)  # type: ignore[arg-type]
        self.assertEqual((b"".join(sink.pieces), sink.finished), (data, 1))
        self.assertTrue(len(sink.pieces) > 1)

    def test_paced(self) -> None:
        """
        A source that is paused goes on only when it is resumed, and then where it was.
        """
        data = bytes(range(256)) * 1000
        source = BytesSource(data)
        sink = _Sink(source, pausing=True)
        source.start(sink)  # type: ignore[arg-type]
        for expected in range(1, 5):
            self.assertEqual((len(sink.pieces), sink.finished), (expected, 0))
            source.resumeProducing()
        self.assertEqual((b"".join(sink.pieces), sink.finished), (data, 1))

    def test_stopped(self) -> None:
        """
        A source that is stopped says nothing more.
        """
        source = BytesSource(b"x" * 200000)
        sink = _Sink(source, pausing=True)
        source.start(sink)  # type: ignore[arg-type]
        source.stopProducing()
        source.resumeProducing()
        self.assertEqual((len(sink.pieces), sink.finished), (1, 0))
