"""
Tests for the client's events.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import pyvirt
from pyvirt.client.events import EventOverflow, EventQueue
from pyvirt.client.eventshapes import SHAPES
from pyvirt.constants import VIR_DOMAIN_EVENT_ID_GRAPHICS, VIR_DOMAIN_EVENT_ID_TUNABLE
from pyvirt.drivers.interfaces.events import EventKind
from pyvirt.drivers.remote.messages import MESSAGES
from pyvirt.errors import VirtError
from pyvirt.protocols.framing import FrameReader
from pyvirt.protocols.message import unpackHeader
from pyvirt.protocols.programs import REMOTE
from pyvirt.protocols.structs import TypedParam
from pyvirt.testing import memoryConnection

LIFECYCLE = pyvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE


class RegistrationTests(SynchronousTestCase):
    """Who hears what."""

    def setUp(self) -> None:
        self.memory = memoryConnection()
        self.conn = self.memory.connect()
        self.dom = self.memory.result(self.conn.lookupByName("test"))
        self.seen: list[Any] = []
        self.calls: list[str] = []
        client = self.memory.pipes[0].client
        write, reader = client.write, FrameReader()

        def spy(data: bytes) -> None:
            for packet in reader.receive(data):
                self.calls.append(REMOTE.procedures[unpackHeader(packet)[3]].name)
            write(data)

        client.write = spy  # type: ignore[method-assign]

    def register(self, dom: pyvirt.Domain | None = None, name: str = "x") -> int:
        def heard(conn: Any, dom: Any, *details: Any) -> None:
            self.seen.append((name, dom.name(), *details))

        return self.memory.result(self.conn.domainEventRegisterAny(dom, LIFECYCLE, heard, "o"))

    def test_shared(self) -> None:
        """
        Callbacks for the same event share one registration with the daemon, and hear it in their order.
        """
        numbers = [self.register(name="a"), self.register(name="b"), self.register(self.dom, "c")]
        self.assertEqual(numbers, [0, 1, 2])
        self.assertEqual(self.calls, ["connectDomainEventCallbackRegisterAny"] * 2)
        self.memory.result(self.dom.suspend())
        self.assertEqual([each[0] for each in self.seen], ["a", "b", "c"])
        self.assertEqual(self.seen[0], ("a", "test", 3, 0, "o"))

    def test_lastLeaves(self) -> None:
        """
        The registration with the daemon ends with the last callback.
        """
        first, second = self.register(name="a"), self.register(name="b")
        self.calls.clear()
        self.memory.result(self.conn.domainEventDeregisterAny(first))
        self.assertEqual(self.calls, [])
        self.memory.result(self.conn.domainEventDeregisterAny(second))
        self.assertEqual(self.calls, ["connectDomainEventCallbackDeregisterAny"])
        self.memory.result(self.dom.suspend())
        self.assertEqual(self.seen, [])

    def test_twice(self) -> None:
        """
        The same callback for the same event is refused, as by libvirt.
        """

        def heard(*arguments: Any) -> None:
            self.fail("nothing happens")

        register = self.conn.domainEventRegisterAny
        self.memory.result(register(None, LIFECYCLE, heard, 1))
        error = self.assertRaises(
            VirtError, self.memory.result, register(None, LIFECYCLE, heard, 2)
        )
        self.assertEqual(str(error), "invalid argument: event callback already tracked")

    def test_together(self) -> None:
        """
        Registrations made at the same time share one call; a refusal reaches all of them.
        """
        several = [
            self.conn.domainEventRegisterAny(None, LIFECYCLE, lambda *heard: None, each)
            for each in range(3)
        ]
        self.memory.pump()
        self.assertEqual([self.successResultOf(each) for each in several], [0, 1, 2])
        self.assertEqual(self.calls, ["connectDomainEventCallbackRegisterAny"])

    def test_unknown(self) -> None:
        """
        Callbacks that are not there cannot be deregistered, whatever their kind.
        """
        number = self.register()
        for waiting, text in (
            (self.conn.domainEventDeregisterAny(77), "event callback id 77 not registered"),
            (self.conn.networkEventDeregisterAny(number), f"event callback id {number} not"),
            (
                self.conn.domainEventDeregisterAny(-1),
                "callbackID in virConnectDomainEventDeregisterAny must be zero or greater",
            ),
            (
                self.conn.domainEventRegisterAny(None, 99, lambda *heard: None, None),
                "virConnectDomainEventRegisterAny() failed",
            ),
        ):
            error = self.assertRaises(VirtError, self.memory.result, waiting)
            self.assertIn(text, str(error))

    def test_oldest(self) -> None:
        """
        The oldest style shares the registration too; registering again changes the opaque value.
        """

        def heard(conn: Any, dom: Any, event: int, detail: int, opaque: Any) -> None:
            self.seen.append((event, opaque))

        self.register()
        self.calls.clear()
        for opaque in ("old", "new"):
            self.memory.result(self.conn.domainEventRegister(heard, opaque))
        self.memory.result(self.dom.suspend())
        self.assertEqual(self.seen[1:], [(3, "new")])
        self.memory.result(self.conn.domainEventDeregister(heard))
        self.memory.result(self.dom.resume())
        self.assertEqual(self.seen[2:], [("x", "test", 4, 0, "o")])
        self.assertEqual(self.calls, ["domainSuspend", "domainResume"])

    def test_closed(self) -> None:
        """
        Nothing is told after the connection is closed.
        """
        self.register()
        self.dom.suspend()
        closing = self.conn.close()
        self.memory.result(closing)
        self.memory.pump()
        self.assertEqual(self.seen, [])

    def test_behindReplies(self) -> None:
        """
        A callback that takes its time holds up later events, not answers.
        """
        waiting: Deferred[None] = Deferred()
        order: list[str] = []

        def heard(conn: Any, dom: Any, event: int, detail: int, opaque: Any) -> Any:
            order.append(f"event {event}")
            return waiting

        self.memory.result(self.conn.domainEventRegisterAny(None, LIFECYCLE, heard, None))
        self.memory.result(self.dom.suspend())
        self.memory.result(self.dom.resume())
        self.assertEqual(order, ["event 3"])
        self.assertEqual(self.memory.result(self.conn.getType()), "TEST")
        waiting.callback(None)
        self.memory.pump()
        self.assertEqual(order, ["event 3", "event 4"])

    def test_callbackFails(self) -> None:
        """
        What a callback raises is logged, and does not keep the others from hearing.
        """

        def broken(*arguments: Any) -> None:
            raise RuntimeError("on purpose")

        self.memory.result(self.conn.domainEventRegisterAny(None, LIFECYCLE, broken, None))
        self.register()
        self.memory.result(self.dom.suspend())
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(len(self.seen), 1)


class QueueTests(SynchronousTestCase):
    """L{EventQueue}: bounded, in order, never silent."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.given = 0
        self.queue = EventQueue(self.clock, self.giveUp)
        self.queue.limit = 3
        self.seen: list[Any] = []
        self.told: list[int] = []
        self.queue.onOverflow = self.told.append

    def giveUp(self) -> None:
        self.given += 1

    def fill(self, count: int = 5) -> None:
        for each in range(count):
            self.queue.put(lambda each=each: self.seen.append(each))  # type: ignore[misc]
        self.assertEqual(self.seen, [])
        self.clock.advance(0)

    def test_oldest(self) -> None:
        """
        The oldest are dropped, and how many is told before the rest.
        """
        self.fill()
        self.assertEqual((self.seen, self.told, self.queue.dropped), ([2, 3, 4], [2], 2))

    def test_newest(self) -> None:
        """
        The newest are dropped.
        """
        self.queue.overflow = EventOverflow.DROP_NEWEST
        self.fill()
        self.assertEqual((self.seen, self.told, self.queue.dropped), ([0, 1, 2], [2], 2))

    def test_close(self) -> None:
        """
        The connection is given up; what waits is still delivered.
        """
        self.queue.overflow = EventOverflow.CLOSE
        self.fill(4)
        self.assertEqual((self.seen, self.given), ([0, 1, 2], 1))

    def test_turns(self) -> None:
        """
        Many events are delivered in several turns, so that the reactor does other work too.
        """
        self.queue.limit = 1000
        progress: list[int] = []
        self.queue.put(
            lambda: self.clock.callLater(0, lambda: progress.append(len(self.seen))) and None
        )
        self.fill(200)
        self.assertEqual(self.seen, list(range(200)))
        (between,) = progress
        self.assertTrue(0 < between < 200, between)

    def test_again(self) -> None:
        """
        Each time events are lost it is told anew.
        """
        self.fill()
        self.fill_again()
        self.assertEqual(self.told, [2, 1])

    def fill_again(self) -> None:
        for each in range(4):
            self.queue.put(lambda each=each: self.seen.append(each))  # type: ignore[misc]
        self.clock.advance(0)


class ShapeTests(SynchronousTestCase):
    """What callbacks are called with."""

    def test_everyMessage(self) -> None:
        """
        There is a shape for every event that the wire knows, and the other way round.
        """
        wire = {(kind, number) for kind, number, _, _ in MESSAGES.values()}
        wire = {each for each in wire if each[0] is not EventKind.MONITOR}
        self.assertEqual(wire, set(SHAPES))

    def test_graphics(self) -> None:
        """
        Addresses are dictionaries, identities pairs.
        """
        shape = SHAPES[EventKind.DOMAIN, VIR_DOMAIN_EVENT_ID_GRAPHICS]
        self.assertEqual(
            shape((1, (0, "a", "1"), (1, "b", "2"), "vnc", [("x509dname", "CN")])),
            (
                1,
                {"family": 0, "node": "a", "service": "1"},
                {"family": 1, "node": "b", "service": "2"},
                "vnc",
                [("x509dname", "CN")],
            ),
        )

    def test_params(self) -> None:
        """
        Typed parameters are a dictionary.
        """
        shape = SHAPES[EventKind.DOMAIN, VIR_DOMAIN_EVENT_ID_TUNABLE]
        self.assertEqual(shape(([TypedParam("a", 1, 5)],)), ({"a": 5},))
