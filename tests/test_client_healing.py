"""
Tests for connections that heal themselves.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

import pyvirt
from pyvirt import (
    Change,
    ChangeKind,
    ConnectionGivenUp,
    ConnectionLost,
    ConnectionRestored,
    ConnectionRetried,
    Healing,
    NotConnected,
    OutcomeUnknown,
    VirtError,
    WhileAway,
)
from pyvirt.errors import ErrorCode
from pyvirt.testing import memoryConnection

LIFECYCLE = pyvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE
XML = "<domain type='test'><name>{0}</name><memory>8192</memory><os><type>hvm</type></os></domain>"


class HealingCase(SynchronousTestCase):
    """A client that heals itself, and another that keeps the host there and changes it."""

    def setUp(self) -> None:
        self.memory = memoryConnection()
        self.other = self.memory.connect()
        self.told: list[Any] = []

    def open(self, **settings: Any) -> pyvirt.Connect:
        settings = {"random": lambda: 0.0, "onChange": self.heard, **settings}
        self.conn = self.memory.connect(heal=Healing(**settings))
        return self.conn

    def heard(self, conn: Any, happening: Any) -> None:
        self.assertIs(conn, self.conn)
        self.told.append(happening)

    def lose(self) -> None:
        """Break the connection that heals itself."""
        self.memory.disconnect()
        self.memory.pump()

    def back(self, seconds: float = 0.5) -> None:
        self.memory.pump(seconds)

    def nothingLeft(self) -> None:
        """Assert that nothing is due any more once the other client is gone too."""
        self.result(self.other.close())
        self.assertEqual(self.memory.clock.getDelayedCalls(), [])

    def result(self, waiting: Deferred[Any]) -> Any:
        return self.memory.result(waiting)


class ReturnTests(HealingCase):
    """Losing the connection and having it again."""

    def test_back(self) -> None:
        """
        Handles work on when the connection is back; all that happens is told in order.
        """
        conn = self.open()
        dom = self.result(conn.lookupByName("test"))
        self.lose()
        self.assertEqual(conn.isAlive(), 0)
        self.back()
        self.assertEqual(conn.isAlive(), 1)
        self.assertEqual(self.result(dom.info())[0], pyvirt.VIR_DOMAIN_RUNNING)
        self.assertEqual(
            self.told,
            [
                ConnectionLost(pyvirt.VIR_CONNECT_CLOSE_REASON_EOF),
                ConnectionRetried(1, 0.5, None),
                ConnectionRestored(1, 0.5, (), frozenset(("domain", "network", "pool"))),
            ],
        )
        self.told.clear()
        self.lose()
        self.back()
        self.assertIsInstance(self.told[-1], ConnectionRestored)

    def test_backOff(self) -> None:
        """
        The delay grows from attempt to attempt, up to its limit; each failure is told.
        """
        self.open(longestDelay=3.0)
        self.memory.reachable = False
        self.lose()
        for delay in (0.5, 1.0, 2.0, 3.0, 3.0):
            self.assertEqual(self.told[-1].delay, delay)
            self.back(delay - 0.01)
            self.assertEqual(self.told[-1].delay, delay)
            self.back(0.01)
        self.assertEqual([each.attempt for each in self.told[1:]], [1, 2, 3, 4, 5, 6])
        self.assertIn("Connection refused", str(self.told[-1].error))
        self.memory.reachable = True
        self.back(3.0)
        self.assertEqual(self.told[-1].attempts, 6)
        self.assertEqual(self.told[-1].away, 12.5)

    def test_jitter(self) -> None:
        """
        A part of the delay is left to chance.
        """
        chances = iter((0.0, 0.5, 1.0))
        self.open(jitter=0.4, factor=1.0, firstDelay=10.0, random=lambda: next(chances))
        self.memory.reachable = False
        self.lose()
        self.back(10.0)
        self.back(8.0)
        self.assertEqual([each.delay for each in self.told[1:]], [10.0, 8.0, 6.0])

    def test_keepalive(self) -> None:
        """
        A peer that falls silent is noticed, and the connection made anew is watched again.
        """
        conn = self.open(keepalive=(5, 2))
        for _ in range(2):
            self.memory.pipes[-1].client.pauseProducing()
            waiting = conn.getHostname()
            for _ in range(3):
                self.memory.pump(5.0)
            self.failureResultOf(waiting, OutcomeUnknown)
            self.assertEqual(
                self.told[-2], ConnectionLost(pyvirt.VIR_CONNECT_CLOSE_REASON_KEEPALIVE)
            )
            self.back()
            self.assertIsInstance(self.told[-1], ConnectionRestored)

    def test_attemptTimeout(self) -> None:
        """
        An attempt that gets no answer ends, and the next one begins.
        """
        self.open(attemptTimeout=7.0)
        self.lose()
        self.memory.clock.advance(0.5)
        self.memory.pipes[-1].server.pauseProducing()
        self.back()
        self.back(7.0)
        self.assertEqual(self.told[-1].attempt, 2)
        self.back(1.0)
        self.assertIsInstance(self.told[-1], ConnectionRestored)

    def test_lostAgain(self) -> None:
        """
        A connection that is lost while it is being made what it was counts as an attempt.
        """
        self.open()
        self.lose()
        self.memory.clock.advance(0.5)
        for _ in range(8):
            self.memory.pipes[-1].deliver()
        self.lose()
        self.assertIsInstance(self.told[-1].error, OutcomeUnknown)
        self.back(1.0)
        self.assertEqual(self.told[-1].attempts, 2)


class CallTests(HealingCase):
    """Calls around a loss."""

    def test_inFlight(self) -> None:
        """
        What was on its way when the connection was lost is not repeated: nobody knows whether it happened.
        """
        conn = self.open()
        waiting = conn.getHostname()
        self.memory.clock.advance(0)
        self.lose()
        self.failureResultOf(waiting, OutcomeUnknown)
        self.back()

    def test_waiting(self) -> None:
        """
        Calls made meanwhile wait, and are made in their order once the connection is back.
        """
        conn = self.open()
        self.lose()
        defined = conn.defineXML(XML.format("new"))
        found = conn.lookupByName("new")
        stream = conn.newStream()
        picture = self.result(self.other.lookupByName("test")).screenshot(self.other.newStream(), 0)
        self.memory.pump()
        self.assertNoResult(defined)
        self.back()
        self.assertEqual(self.successResultOf(defined).name(), "new")
        self.assertEqual(self.successResultOf(found).name(), "new")
        self.assertEqual(self.successResultOf(picture), "image/png")
        dom = self.result(conn.lookupByName("test"))
        self.lose()
        waiting = dom.screenshot(stream, 0)
        self.back()
        self.assertEqual(self.successResultOf(waiting), "image/png")

    def test_again(self) -> None:
        """
        A call that is repeated as soon as it fails waits for the next connection.
        """
        conn = self.open()
        waiting = conn.getHostname().addErrback(lambda failure: conn.getHostname())
        self.memory.clock.advance(0)
        self.lose()
        self.assertNoResult(waiting)
        self.back()
        self.successResultOf(waiting)

    def test_deadline(self) -> None:
        """
        A call waits no longer than its deadline, and is not made afterwards.
        """
        conn = self.open()
        self.lose()
        waiting = conn.deadline(0.25).defineXML(XML.format("late"))
        self.back(0.25)
        error = self.failureResultOf(waiting, VirtError).value
        self.assertEqual(error.code, ErrorCode.OPERATION_TIMEOUT)
        self.back()
        self.assertEqual(self.result(conn.listDefinedDomains()), [])

    def test_cancelled(self) -> None:
        """
        So it is with a call that is cancelled.
        """
        conn = self.open()
        self.lose()
        waiting = conn.defineXML(XML.format("late"))
        waiting.cancel()
        self.failureResultOf(waiting)
        self.back()
        self.assertEqual(self.result(conn.listDefinedDomains()), [])

    def test_fail(self) -> None:
        """
        Calls fail at once where that is what the user wants.
        """
        conn = self.open(whileAway=WhileAway.FAIL)
        self.lose()
        error = self.failureResultOf(conn.getHostname(), NotConnected).value
        self.assertEqual(error.code, ErrorCode.INTERNAL_ERROR)
        self.assertIn("'test:///default' is lost and not back yet", str(error))
        self.failureResultOf(
            conn.domainEventRegisterAny(None, LIFECYCLE, lambda *heard: None, None), NotConnected
        )
        self.back()
        self.result(conn.getHostname())

    def test_limit(self) -> None:
        """
        No more calls wait than may.
        """
        conn = self.open(waitingLimit=2)
        self.lose()
        waiting = [conn.getHostname(), conn.getHostname()]
        self.failureResultOf(conn.getHostname(), NotConnected)
        self.back()
        for each in waiting:
            self.successResultOf(each)

    def test_wrongArguments(self) -> None:
        """
        Arguments that cannot be sent are told at once, not later.
        """
        conn = self.open()
        self.lose()
        self.assertRaises(TypeError, conn.lookupByName, 5)
        self.back()


class EventTests(HealingCase):
    """Events of all connections there were."""

    def setUp(self) -> None:
        super().setUp()
        self.seen: list[Any] = []

    def event(self, conn: Any, dom: Any, *details: Any) -> None:
        self.seen.append((dom.name(), *details))

    def test_registeredAgain(self) -> None:
        """
        Callbacks hear the new connection under their old ids, and can be taken away by them.
        """
        conn = self.open()
        dom = self.result(conn.lookupByName("test"))
        numbers = [
            self.result(conn.domainEventRegisterAny(about, LIFECYCLE, self.event, str(about)))
            for about in (None, dom)
        ]
        self.assertEqual(numbers, [0, 1])
        self.lose()
        self.back()
        self.result(dom.suspend())
        self.assertEqual([each[-1] for each in self.seen], ["None", str(dom)])
        self.result(conn.domainEventDeregisterAny(0))
        self.seen.clear()
        self.result(dom.resume())
        self.assertEqual([each[-1] for each in self.seen], [str(dom)])

    def test_deregisteredMeanwhile(self) -> None:
        """
        What is taken away while the connection is away is not registered again.
        """
        for delivered in (0, 9):
            conn = self.open(compare=False)
            number = self.result(conn.domainEventRegisterAny(None, LIFECYCLE, self.event, None))
            self.lose()
            self.memory.clock.advance(0.5)
            for _ in range(delivered):
                self.memory.pipes[-1].deliver()
            gone = conn.domainEventDeregisterAny(number)
            self.back()
            self.successResultOf(gone)
            self.result(self.result(self.other.lookupByName("test")).reset())
            self.assertEqual(self.seen, [])
            self.result(conn.close())

    def test_registeredMeanwhile(self) -> None:
        """
        What is registered while the connection is away is registered when it is back.
        """
        conn = self.open()
        self.lose()
        waiting = conn.domainEventRegisterAny(None, LIFECYCLE, self.event, "o")
        self.back()
        self.assertEqual(self.successResultOf(waiting), 0)
        self.result(self.result(self.other.lookupByName("test")).suspend())
        self.assertEqual(len(self.seen), 1)

    def test_order(self) -> None:
        """
        Events of the new connection are told after its coming back, however early they came.
        """
        order: list[Any] = []
        conn = self.open(onChange=lambda conn, told: order.append(type(told)))
        self.result(
            conn.domainEventRegisterAny(None, LIFECYCLE, lambda *heard: order.append("event"), None)
        )
        dom = self.result(self.other.lookupByName("test"))
        self.lose()
        self.memory.clock.advance(0.5)
        for _ in range(10):
            self.memory.pipes[-1].deliver()
        suspended = dom.suspend()
        self.back()
        self.successResultOf(suspended)
        self.assertEqual(order[2:], [ConnectionRestored, "event"])

    def test_waitsForListener(self) -> None:
        """
        Whoever is told may take time; the next happening waits.
        """
        gate: Deferred[None] = Deferred()
        order: list[Any] = []

        async def told(conn: Any, happening: Any) -> None:
            order.append(type(happening))
            if len(order) == 1:
                await gate

        self.open(onChange=told)
        self.lose()
        self.back()
        self.assertEqual(order, [ConnectionLost])
        gate.callback(None)
        self.memory.pump()
        self.assertEqual(order, [ConnectionLost, ConnectionRetried, ConnectionRestored])


class ChangeTests(HealingCase):
    """What happened to the host meanwhile."""

    def changes(self) -> list[Any]:
        self.lose()
        self.whileAway()
        self.back()
        found = [
            (type(each.object).__name__, each.object.name(), each.kind, each.before, each.now)
            for each in self.told[-1].changes
        ]
        return sorted(found, key=lambda each: each[:2])

    def whileAway(self) -> None:
        ask, other = self.result, self.other
        ask(ask(other.lookupByName("test")).suspend())
        ask(other.createXML(XML.format("new")))
        ask(ask(other.lookupByName("old")).destroy())
        ask(ask(other.networkLookupByName("default")).destroy())
        ask(ask(other.storagePoolLookupByName("default-pool")).destroy())

    def test_changes(self) -> None:
        """
        Domains, networks and pools that appeared, are gone, or are in another state are told.
        """
        self.result(self.other.createXML(XML.format("old")))
        conn = self.open()
        running = pyvirt.VIR_DOMAIN_RUNNING
        self.assertEqual(
            self.changes(),
            [
                ("Domain", "new", ChangeKind.APPEARED, None, running),
                ("Domain", "old", ChangeKind.GONE, running, None),
                ("Domain", "test", ChangeKind.STATE, running, pyvirt.VIR_DOMAIN_PAUSED),
                ("Network", "default", ChangeKind.STATE, 1, 0),
                ("StoragePool", "default-pool", ChangeKind.STATE, 1, 0),
            ],
        )
        change = self.told[-1].changes[0]
        self.assertIsInstance(change, Change)
        self.assertIs(change.object.connect(), conn)

    def test_known(self) -> None:
        """
        What was heard before the loss is no news; nor does the client have to have asked for events.
        """
        self.open()
        ask, other = self.result, self.other
        dom = ask(other.lookupByName("test"))
        ask(dom.suspend())
        gone = ask(other.createXML(XML.format("gone")))
        ask(gone.destroy())
        kept = ask(other.defineXML(XML.format("kept")))
        ask(kept.create())
        ask(kept.destroy())
        ask(kept.create())
        ask(kept.undefine())
        ask(kept.destroy())
        ask(ask(other.networkLookupByName("default")).destroy())
        ask(ask(other.storagePoolLookupByName("default-pool")).destroy())
        self.lose()
        self.back()
        self.assertEqual(self.told[-1].changes, ())

    def test_restarted(self) -> None:
        """
        A domain that was stopped and started is told, though it runs as it did.
        """
        self.open()
        self.lose()
        dom = self.result(self.other.lookupByName("test"))
        self.result(dom.destroy())
        self.result(dom.create())
        self.back()
        (change,) = self.told[-1].changes
        self.assertEqual(
            (change.kind, change.before, change.now),
            (ChangeKind.RESTARTED, pyvirt.VIR_DOMAIN_RUNNING, pyvirt.VIR_DOMAIN_RUNNING),
        )

    def test_renamed(self) -> None:
        """
        So is one with another name.
        """
        self.result(self.other.defineXML(XML.format("old")))
        self.open()
        self.lose()
        self.result(self.result(self.other.lookupByName("old")).rename("new"))
        self.back()
        (change,) = self.told[-1].changes
        self.assertEqual((change.kind, change.object.name()), (ChangeKind.RENAMED, "new"))

    def test_slow(self) -> None:
        """
        Where there are no statistics in bulk, each domain is asked for its state.
        """
        self.memory = memory = memoryConnection(
            scenario={"domains": [{"name": "web-{n}", "count": 20}]}
        )
        self.other = memory.connect()
        memory.scenario.inject(calls="connectGetAllDomainStats", code="NO_SUPPORT")
        self.open()
        self.lose()
        self.result(self.result(self.other.lookupByName("web-3")).suspend())
        self.back()
        (change,) = self.told[-1].changes
        self.assertEqual((change.object.name(), change.now), ("web-3", pyvirt.VIR_DOMAIN_PAUSED))

    def test_notCompared(self) -> None:
        """
        Who does not want to know costs nothing.
        """
        self.open(compare=False)
        self.lose()
        self.result(self.result(self.other.lookupByName("test")).suspend())
        self.back()
        self.assertEqual((self.told[-1].changes, self.told[-1].compared), ((), frozenset()))


class EndTests(HealingCase):
    """The end."""

    def test_attempts(self) -> None:
        """
        After as many attempts as were allowed it is given up: waiting calls fail, the close callback is told.
        """
        closed: list[Any] = []
        conn = self.open(attempts=2)
        self.result(conn.registerCloseCallback(lambda *told: closed.append(told[1:]), "o"))
        self.memory.reachable = False
        self.lose()
        waiting = conn.getHostname()
        self.back(0.5)
        self.back(1.0)
        self.assertIsInstance(self.told[-1], ConnectionGivenUp)
        self.assertIn("Connection refused", str(self.told[-1].error))
        error = self.failureResultOf(waiting, NotConnected).value
        self.assertIn("given up", str(error))
        self.failureResultOf(conn.getHostname(), NotConnected)
        self.assertEqual(closed, [(pyvirt.VIR_CONNECT_CLOSE_REASON_EOF, "o")])
        self.assertEqual(self.result(conn.close()), 0)
        self.nothingLeft()

    def test_patience(self) -> None:
        """
        So it is when the time is over, in the middle of an attempt too.
        """
        conn = self.open(patience=20.0)
        self.lose()
        self.memory.clock.advance(0.5)
        self.memory.pipes[-1].server.pauseProducing()
        self.back(19.5)
        self.assertEqual(self.told[-1], ConnectionGivenUp(None))
        self.assertEqual(conn.isAlive(), 0)
        self.back(60.0)
        self.assertEqual(len(self.told), 3)

    def test_close(self) -> None:
        """
        Closing ends it all, at any time: nothing is tried, told or left behind.
        """
        for moments in range(12):
            conn = self.open()
            self.lose()
            if moments:
                self.memory.clock.advance(0.5)
            for _ in range(moments):
                self.memory.pipes[-1].deliver()
            if conn.isAlive():
                waiting: Any = None
            else:
                waiting = conn.getHostname()
            told = list(self.told)
            self.assertEqual(self.result(conn.close()), 0)
            if waiting is not None:
                self.failureResultOf(waiting, VirtError)
            self.back(100.0)
            self.assertEqual(self.told, told)
            self.assertEqual(conn.isAlive(), 0)
            self.failureResultOf(conn.getHostname(), VirtError)
            self.assertEqual(len(self.memory.daemon.server.sessions), 1, moments)
        self.nothingLeft()

    def test_firstFailure(self) -> None:
        """
        A connection that cannot be opened fails as any other does.
        """
        self.memory.reachable = False
        self.failureResultOf(self.memory.opening(heal=Healing()), VirtError)
        self.nothingLeft()

    def test_settings(self) -> None:
        """
        Settings that make no sense are refused by name.
        """
        for name, value in (
            ("firstDelay", 0.0),
            ("longestDelay", -1.0),
            ("factor", 0.5),
            ("jitter", 1.5),
            ("attempts", 0),
            ("patience", 0.0),
            ("attemptTimeout", float("nan")),
            ("waitingLimit", 0),
        ):
            error = self.assertRaises(ValueError, Healing, **{name: value})
            self.assertIn(name, str(error))

    def test_overflow(self) -> None:
        """
        A flood of events that breaks the connection by the user's choice is healed too.
        """
        conn = self.open()
        conn.eventQueue(limit=1, overflow=pyvirt.EventOverflow.CLOSE)
        self.result(conn.domainEventRegisterAny(None, LIFECYCLE, lambda *heard: None, None))
        dom = self.result(self.other.lookupByName("test"))
        several = [dom.suspend(), dom.resume()]
        self.memory.pump()
        for each in several:
            self.successResultOf(each)
        self.assertIsInstance(self.told[0], ConnectionLost)
        self.back()
        self.assertIsInstance(self.told[-1], ConnectionRestored)
        self.assertEqual(conn.droppedEvents, 1)


class LocalTests(SynchronousTestCase):
    """Drivers in this process."""

    def test_local(self) -> None:
        """
        A driver that breaks its connection because a scenario says so is opened again.
        """
        from twisted.internet.task import Clock

        from pyvirt.client.opening import connectTable
        from pyvirt.drivers.test import TestDriver
        from pyvirt.drivers.test.scenario.reading import readScenario
        from pyvirt.drivertable import DriverTable

        clock = Clock()
        driver = TestDriver(scenario=readScenario({"domains": [{"name": "web", "count": 1}]}))
        table = DriverTable(clock, [driver])
        told: list[Any] = []
        heal = Healing(onChange=lambda conn, each: told.append(each))

        def open(heal: Healing | None) -> Any:
            return self.successResultOf(
                Deferred.fromCoroutine(connectTable(table, "test:///default", heal=heal))
            )

        other, conn = open(None), open(heal)
        driver.running("test:///default").inject(
            calls="connectGetHostname", action="disconnect", times=1
        )
        self.failureResultOf(conn.getHostname(), OutcomeUnknown)
        waiting = conn.getHostname()
        clock.pump([0.5] * 4)
        self.successResultOf(waiting)
        self.assertIsInstance(told[-1], ConnectionRestored)
        for each in (conn, other):
            self.successResultOf(each.close())
