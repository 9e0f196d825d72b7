"""
Scenarios of the test driver, through the real client and the real daemon in memory.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis.strategies import (
    DataObject,
    booleans,
    data,
    dictionaries,
    floats,
    integers,
    lists,
    none,
    one_of,
    sampled_from,
    text,
)
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from pyvirt import constants as c
from pyvirt.client.opening import connectTable
from pyvirt.confsyntax import ConfigError
from pyvirt.daemon.testmode import testFactories
from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.test import TestDriver
from pyvirt.drivers.test.scenario.reading import readScenario, readText
from pyvirt.drivertable import DriverTable
from pyvirt.errors import ErrorCode, ErrorDomain, OutcomeUnknown, VirtError
from pyvirt.routes.names import callNames
from pyvirt.testing import memoryConnection


def events(memory: Any, conn: Any, eventID: int = 0) -> list[Any]:
    """Hear of domains; return the list that fills with what is told."""
    heard: list[Any] = []

    def hear(conn: Any, dom: Any, *details: Any) -> None:
        heard.append((dom.name(), *details[:-1]))

    memory.result(conn.domainEventRegisterAny(None, eventID, hear, None))
    return heard


class WorldTests(SynchronousTestCase):
    """What there is."""

    def test_domains(self) -> None:
        """Templates make domains by the thousand, each with a name, a UUID, a disk and an address of its own."""
        memory = memoryConnection(
            scenario={
                "seed": 1,
                "base": "empty",
                "domains": [
                    {
                        "name": "web-{n:04}",
                        "count": 1000,
                        "state": {"running": 2, "shutoff": 1},
                        "memory": "1 GiB",
                        "vcpus": 2,
                    },
                    {"name": "db", "state": "paused", "autostart": True},
                ],
            }
        )
        conn = memory.connect()
        domains = memory.result(conn.listAllDomains())
        self.assertEqual(len(domains), 1001)
        self.assertEqual(len({each.name() for each in domains}), 1001)
        self.assertEqual(len({each.UUID() for each in domains}), 1001)
        running = memory.result(conn.listAllDomains(c.VIR_CONNECT_LIST_DOMAINS_RUNNING))
        self.assertTrue(500 < len(running) < 800, len(running))
        one = memory.result(conn.lookupByName("web-0042"))
        self.assertEqual(memory.result(one.info())[1:4], [1048576, 1048576, 2])
        xml = memory.result(one.XMLDesc())
        self.assertIn("<source file='/guest/web-0042.img'/>", xml)
        self.assertIn("52:54:00:00:00:2a", xml)
        database = memory.result(conn.lookupByName("db"))
        self.assertEqual(memory.result(database.state())[0], c.VIR_DOMAIN_PAUSED)
        self.assertEqual(memory.result(database.autostart()), 1)

    def test_seed(self) -> None:
        """The same seed makes the same world, another one another."""

        def world(seed: int) -> list[Any]:
            memory = memoryConnection(f"test:///default?domains=20&seed={seed}")
            return [each.UUIDString() for each in memory.result(memory.connect().listAllDomains())]

        self.assertEqual(world(1), world(1))
        self.assertNotEqual(world(1), world(2))

    def test_aPopulatedDomainIsLikeAnyOther(self) -> None:
        """A domain from a template stops, starts and is written as one that was defined."""
        memory = memoryConnection("test:///default?domains=1")
        conn = memory.connect()
        made = memory.result(conn.lookupByName("vm-1"))
        before = memory.result(made.XMLDesc(c.VIR_DOMAIN_XML_INACTIVE))
        memory.result(made.destroy())
        self.assertEqual(memory.result(made.XMLDesc(c.VIR_DOMAIN_XML_INACTIVE)), before)
        memory.result(made.undefine())
        again = memory.result(conn.defineXML(before))
        self.assertEqual(memory.result(again.XMLDesc()), before)

    def test_xml(self) -> None:
        """A definition of one's own is filled in for each object."""
        memory = memoryConnection(
            scenario={
                "domains": [
                    {
                        "name": "a{n}",
                        "count": 2,
                        "xml": "<domain type='test'><name>{name}</name><title>number {n}</title>"
                        "<memory>1024</memory><os><type>hvm</type></os></domain>",
                    }
                ]
            }
        )
        conn = memory.connect()
        xml = memory.result(memory.result(conn.lookupByName("a2")).XMLDesc())
        self.assertIn("<title>number 2</title>", xml)

    def test_networksAndStorage(self) -> None:
        """Networks, pools and volumes are made alike."""
        memory = memoryConnection("test:///default?networks=3&pools=2&volumes=5")
        conn = memory.connect()
        self.assertEqual(len(memory.result(conn.listAllNetworks())), 4)
        pools = memory.result(conn.listAllStoragePools())
        self.assertEqual(len(pools), 3)
        pool = memory.result(conn.storagePoolLookupByName("pool-2"))
        self.assertEqual(len(memory.result(pool.listVolumes())), 5)

    def test_sharing(self) -> None:
        """Connections that say the same share a world, which is gone with the last of them unless it is kept."""
        memory = memoryConnection()
        for keep in (0, 1):
            uri = f"test:///default?domains=2&keep={keep}"
            first, second = memory.connect(uri), memory.connect(uri)
            memory.result(memory.result(first.lookupByName("vm-1")).destroy())
            again = memory.result(second.lookupByName("vm-1"))
            self.assertEqual(memory.result(again.isActive()), 0)
            memory.result(first.close())
            memory.result(second.close())
            third = memory.connect(uri)
            again = memory.result(third.lookupByName("vm-1"))
            self.assertEqual(memory.result(again.isActive()), 0 if keep else 1)
            memory.result(third.close())
        memory.result(memory.connect(f"{uri}&forget=1").close())
        fourth = memory.connect(uri)
        again = memory.result(fourth.lookupByName("vm-1"))
        self.assertEqual(memory.result(again.isActive()), 1)

    def test_otherSchemes(self) -> None:
        """The test driver answers for another: type, URI, capabilities and domains are the other's."""
        memory = memoryConnection("qemu:///system", testDriverFor=["qemu"])
        conn = memory.connect()
        self.assertEqual(memory.result(conn.getType()), "QEMU")
        self.assertEqual(memory.result(conn.getURI()), "qemu:///system")
        self.assertIn("<domain type='kvm'/>", memory.result(conn.getCapabilities()))
        domain = memory.result(conn.lookupByName("test"))
        xml = memory.result(domain.XMLDesc())
        self.assertIn("<domain type='qemu'", xml)
        memory.result(domain.destroy())
        self.assertIn("<domain type='qemu'>", memory.result(domain.XMLDesc()))
        kvm = "<domain type='kvm'><name>k</name><memory>1024</memory><os><type arch='x86_64'>hvm</type></os></domain>"
        self.assertIn("type='kvm'", memory.result(memory.result(conn.defineXML(kvm)).XMLDesc()))
        other = memory.connect("test:///default")
        self.assertEqual(memory.result(other.getType()), "TEST")
        memory.result(conn.close())
        again = memory.connect("qemu:///system")
        self.assertEqual(memory.result(again.numOfDefinedDomains()), 2)
        with self.assertRaises(VirtError) as caught:
            memory.connect("qemu:///elsewhere")
        self.assertEqual(
            str(caught.exception),
            "internal error: unexpected qemu URI path '/elsewhere', try qemu:///system",
        )


class FaultTests(SynchronousTestCase):
    """What goes wrong."""

    def setUp(self) -> None:
        self.memory = memoryConnection(
            scenario={"domains": [{"name": "web-{n}", "count": 9, "state": "shutoff"}]}
        )

    def fails(self, waiting: Deferred[Any]) -> VirtError:
        """Return what a call fails with."""
        with self.assertRaises(VirtError) as caught:
            self.memory.result(waiting)
        return caught.exception

    def test_error(self) -> None:
        """An error has the code, the part and the text that were asked for, and nothing was done."""
        self.memory.scenario.inject(
            calls="virDomainCreate",
            objects="web-[12]",
            code="VIR_ERR_OPERATION_FAILED",
            domain="VIR_FROM_QEMU",
            text="no room",
        )
        conn = self.memory.connect()
        domain = self.memory.result(conn.lookupByName("web-1"))
        error = self.fails(domain.create())
        self.assertEqual(
            (error.code, error.domain, error.message, error.level),
            (ErrorCode.OPERATION_FAILED, ErrorDomain.QEMU, "no room", 2),
        )
        self.assertEqual(self.memory.result(domain.isActive()), 0)
        self.memory.result(self.memory.result(conn.lookupByName("web-3")).create())

    def test_times(self) -> None:
        """A fault lets some calls pass, strikes some times, and can be armed again."""
        fault = self.memory.scenario.inject(
            name="later", calls="domainGetInfo", skip=1, times=2, code="RPC", armed=False
        )
        conn = self.memory.connect()
        domain = self.memory.result(conn.lookupByName("web-1"))

        def outcomes() -> list[bool]:
            found = []
            for _ in range(4):
                try:
                    self.memory.result(domain.info())
                    found.append(True)
                except VirtError:
                    found.append(False)
            return found

        self.assertEqual(outcomes(), [True] * 4)
        self.memory.scenario.arm("later")
        self.assertEqual(outcomes(), [True, False, False, True])
        self.assertEqual((fault.seen, fault.struck), (4, 2))
        self.memory.scenario.arm("later")
        self.assertEqual(outcomes(), [True, False, False, True])

    def test_probability(self) -> None:
        """Calls are struck by chance, and the same ones with the same seed."""

        def outcomes() -> list[int]:
            memory = memoryConnection(
                scenario={"seed": 5, "faults": [{"calls": "nodeGetInfo", "probability": 0.3}]}
            )
            conn = memory.connect()
            found = []
            for number in range(60):
                try:
                    memory.result(conn.getInfo())
                except VirtError:
                    found.append(number)
            return found

        first = outcomes()
        self.assertTrue(5 < len(first) < 35, first)
        self.assertEqual(outcomes(), first)

    def test_after(self) -> None:
        """A fault that strikes afterwards leaves what was asked for done."""
        self.memory.scenario.inject(calls="domainCreate*", when="after", code="RPC", times=1)
        conn = self.memory.connect()
        domain = self.memory.result(conn.lookupByName("web-1"))
        self.fails(domain.create())
        self.assertEqual(self.memory.result(domain.isActive()), 1)

    def test_brokenConnections(self) -> None:
        """A connection can end before the reply, in its middle or in noise; the next one is whole."""
        for action in ("disconnect", "cut", "noise"):
            self.memory.scenario.inject(
                name=action, calls="domainGetXMLDesc", action=action, times=1
            )
            conn = self.memory.connect()
            domain = self.memory.result(conn.lookupByName("web-1"))
            error = self.fails(domain.XMLDesc())
            self.assertIsInstance(error, OutcomeUnknown, action)
            self.assertEqual(conn.isAlive(), 0)
        conn = self.memory.connect()
        self.memory.result(self.memory.result(conn.lookupByName("web-1")).XMLDesc())
        self.assertEqual(self.memory.scenario.status()["faults"]["cut"]["struck"], 1)

    def test_garbled(self) -> None:
        """A reply whose content is wrong fails its call only."""
        self.memory.scenario.inject(calls="domainGetXMLDesc", action="garble", times=1)
        conn = self.memory.connect()
        domain = self.memory.result(conn.lookupByName("web-1"))
        error = self.fails(domain.XMLDesc())
        self.assertEqual(error.code, ErrorCode.RPC)
        self.memory.result(domain.XMLDesc())

    def test_cutStreams(self) -> None:
        """A call with a stream can be cut as well; its stream is let go."""
        self.memory.scenario.inject(calls="domainScreenshot", action="cut", times=1)
        conn = self.memory.connect()
        domain = self.memory.result(conn.lookupByName("test"))
        self.fails(domain.screenshot(conn.newStream(), 0))

    def test_hang(self) -> None:
        """A call that hangs leaves others alone, and ends with its client."""
        self.memory.scenario.inject(calls="domainGetInfo", objects="web-2", action="hang")
        conn = self.memory.connect()
        domain = self.memory.result(conn.lookupByName("web-2"))
        waiting = domain.info()
        self.memory.pump(1000)
        self.assertNoResult(waiting)
        self.memory.result(self.memory.result(conn.lookupByName("web-1")).info())
        (session,) = self.memory.daemon.server.sessions
        self.assertEqual(session.inFlight, 1)
        self.memory.disconnect()
        self.failureResultOf(waiting, OutcomeUnknown)
        self.memory.pump()
        self.assertEqual(session.inFlight, 0)
        self.assertEqual(self.memory.daemon.server.sessions, set())

    def test_freeze(self) -> None:
        """A connection that falls silent answers no keepalive either, and the client gives up."""
        self.memory.scenario.inject(calls="domainGetInfo", action="freeze")
        conn = self.memory.connect()
        domain = self.memory.result(conn.lookupByName("web-2"))
        self.memory.result(conn.setKeepAlive(5, 2))
        waiting = domain.info()
        for _ in range(4):
            self.memory.pump(5)
        error = self.failureResultOf(waiting, VirtError).value
        self.assertIn("keepalive timeout", str(error))
        self.assertEqual(self.memory.daemon.server.sessions, set())

    def test_delayAndLatency(self) -> None:
        """Calls take the time that they are said to take, on the test's clock."""
        memory = memoryConnection("test:///default?latency=50ms")
        conn = memory.connect()
        waiting = conn.getInfo()
        memory.pump(0.04)
        self.assertNoResult(waiting)
        memory.pump(0.02)
        self.successResultOf(waiting)
        self.memory.scenario.inject(calls="nodeGetInfo", action="delay", time="uniform:1s,2s")
        conn = self.memory.connect()
        waiting = conn.getInfo()
        self.memory.pump(0.9)
        self.assertNoResult(waiting)
        self.memory.pump(1.1)
        self.successResultOf(waiting)

    def test_report(self) -> None:
        """A connection that is opened for it tells what has happened; others show the host as ever."""
        self.memory.scenario.inject(name="<x>'", calls="nodeGetInfo", times=1, code="RPC")
        conn = self.memory.connect()
        self.fails(conn.getInfo())
        self.memory.result(conn.getInfo())
        told = self.memory.connect("test:///default?report=1")
        xml = self.memory.result(told.getCapabilities())
        self.assertIn("<fault name='&lt;x&gt;&apos;' armed='yes' seen='2' struck='1'/>", xml)
        self.assertEqual(self.memory.result(told.getType()), "TEST")
        self.assertIn("<guest>", self.memory.result(conn.getCapabilities()))

    def test_opening(self) -> None:
        """Opening fails if that is named, by any of the ways."""
        for action in ("error", "disconnect", "cut"):
            memory = memoryConnection(
                scenario={
                    "faults": [
                        {"name": "x", "calls": "connectOpen", "action": action, "armed": False}
                    ]
                }
            )
            memory.scenario.arm("x")
            with self.assertRaises(VirtError):
                memory.connect()
            memory.scenario.arm("x", False)
            memory.connect()

    def test_registering(self) -> None:
        """Registering for events fails and is late like any call; what would break the connection does not strike."""
        scenario = self.memory.scenario
        scenario.inject(calls="virConnectDomainEventRegisterAny", code="NO_MEMORY", times=1)
        scenario.inject(calls="connectNetworkEventRegisterAny", action="cut")
        scenario.inject(calls="connectStoragePoolEventRegisterAny", action="delay", time=5)
        conn = self.memory.connect()
        error = self.fails(conn.domainEventRegisterAny(None, 0, lambda *_: None, None))
        self.assertEqual(error.code, ErrorCode.NO_MEMORY)
        self.memory.result(conn.domainEventRegisterAny(None, 0, lambda *_: None, None))
        self.memory.result(conn.networkEventRegisterAny(None, 0, lambda *_: None, None))
        waiting = conn.storagePoolEventRegisterAny(None, 0, lambda *_: None, None)
        self.memory.pump(4)
        self.assertNoResult(waiting)
        self.memory.pump(1)
        self.successResultOf(waiting)

    def test_refusedFirst(self) -> None:
        """What a read-only connection may not do is refused whatever faults there are, and counts as no call."""
        fault = self.memory.scenario.inject(calls="domainDestroy*", code="RPC")
        conn = self.memory.connect(flags=c.VIR_CONNECT_RO)
        domain = self.memory.result(conn.lookupByName("test"))
        error = self.fails(domain.destroy())
        self.assertEqual(error.code, ErrorCode.OPERATION_DENIED)
        self.assertEqual(fault.seen, 0)

    def test_withoutADaemon(self) -> None:
        """A driver in the program's own process fails in the same ways."""
        clock = Clock()
        driver = TestDriver(
            scenario=readScenario(
                {
                    "faults": [
                        {"calls": "nodeGetInfo", "code": "NO_MEMORY"},
                        {"calls": "domainGetInfo", "action": "cut"},
                    ]
                }
            )
        )
        opened = Deferred.fromCoroutine(
            connectTable(DriverTable(clock, [driver]), "test:///default")
        )
        conn: Any = self.successResultOf(opened)
        self.assertEqual(self.failureResultOf(conn.getInfo()).value.code, ErrorCode.NO_MEMORY)
        domain = self.successResultOf(conn.lookupByName("test"))
        self.failureResultOf(domain.info(), OutcomeUnknown)
        error = self.failureResultOf(domain.isActive()).value
        self.assertEqual(str(error), "internal error: client socket is closed")


class JobTests(SynchronousTestCase):
    """Operations that take time."""

    def setUp(self) -> None:
        self.memory = memoryConnection(
            scenario={
                "jobs": [
                    {"objects": "bad", "time": "10s", "fail_at": 0.5, "text": "disk full"},
                    {"time": "10s", "total": "1 GiB"},
                ],
                "domains": [{"name": "bad"}],
            }
        )
        self.conn = self.memory.connect()

    def test_progress(self) -> None:
        """A job is seen on its way, and does its work at the end."""
        domain = self.memory.result(self.conn.lookupByName("test"))
        waiting = domain.managedSave()
        self.memory.pump(2.5)
        info = self.memory.result(domain.jobInfo())
        self.assertEqual(
            info[:6], [c.VIR_DOMAIN_JOB_BOUNDED, 2500, 7500, 1 << 30, 1 << 28, 3 << 28]
        )
        stats = self.memory.result(domain.jobStats())
        self.assertEqual(stats["data_processed"], 1 << 28)
        self.assertEqual(stats["operation"], c.VIR_DOMAIN_JOB_OPERATION_SAVE)
        self.memory.pump(7.5)
        self.successResultOf(waiting)
        self.assertEqual(self.memory.result(domain.isActive()), 0)
        error = self.assertRaises(VirtError, self.memory.result, domain.jobInfo())
        self.assertEqual(error.code, ErrorCode.OPERATION_INVALID)

    def test_abort(self) -> None:
        """A job can be aborted, and whoever began it is told so."""
        domain = self.memory.result(self.conn.lookupByName("test"))
        waiting = domain.managedSave()
        self.memory.pump(1)
        self.memory.result(domain.abortJob())
        self.memory.pump()
        error = self.failureResultOf(waiting, VirtError).value
        self.assertEqual(error.code, ErrorCode.OPERATION_ABORTED)
        self.assertEqual(self.memory.result(domain.isActive()), 1)
        with self.assertRaises(VirtError):
            self.memory.result(domain.abortJob())

    def test_itsClientLeaves(self) -> None:
        """A job goes on without the client that began it."""
        domain = self.memory.result(self.conn.lookupByName("test"))
        domain.managedSave().addErrback(lambda _: None)
        self.memory.pump(1)
        self.memory.disconnect()
        conn = self.memory.connect()
        domain = self.memory.result(conn.lookupByName("test"))
        self.assertEqual(self.memory.result(domain.jobInfo())[0], c.VIR_DOMAIN_JOB_BOUNDED)
        self.memory.pump(9)
        self.assertEqual(self.memory.result(domain.isActive()), 0)

    def test_failure(self) -> None:
        """A job fails where it is said to fail."""
        domain = self.memory.result(self.conn.lookupByName("bad"))
        waiting = domain.managedSave()
        self.memory.pump(4.9)
        self.assertNoResult(waiting)
        self.memory.pump(0.2)
        error = self.failureResultOf(waiting, VirtError).value
        self.assertEqual((error.code, str(error)), (ErrorCode.OPERATION_FAILED, "disk full"))

    def test_oneAtATime(self) -> None:
        """A domain is busy with one job."""
        domain = self.memory.result(self.conn.lookupByName("test"))
        domain.managedSave().addErrback(lambda _: None)
        self.memory.pump(1)
        with self.assertRaises(VirtError) as caught:
            self.memory.result(domain.managedSave())
        self.assertEqual(caught.exception.code, ErrorCode.OPERATION_TIMEOUT)


class HappeningTests(SynchronousTestCase):
    """What happens by itself."""

    def test_changes(self) -> None:
        """Domains crash, start and stop when they are said to, and tell of it."""
        memory = memoryConnection(
            scenario={
                "domains": [{"name": "web-{n}", "count": 3}],
                "changes": [
                    {"at": "30s", "action": "crash", "objects": "web-1"},
                    {"at": "40s", "action": "start", "objects": "web-1"},
                    {
                        "at": "1m",
                        "every": "10s",
                        "times": 3,
                        "action": "reboot",
                        "objects": "web-2",
                    },
                    {"at": 5, "kind": "network", "action": "destroy"},
                ],
            }
        )
        conn = memory.connect()
        heard = events(memory, conn)
        reboots = events(memory, conn, c.VIR_DOMAIN_EVENT_ID_REBOOT)
        memory.pump(29)
        self.assertEqual(heard, [])
        self.assertEqual(memory.result(conn.numOfNetworks()), 0)
        memory.pump(2)
        self.assertEqual(
            heard, [("web-1", c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_CRASHED)]
        )
        domain = memory.result(conn.lookupByName("web-1"))
        self.assertEqual(
            memory.result(domain.state()), [c.VIR_DOMAIN_SHUTOFF, c.VIR_DOMAIN_SHUTOFF_CRASHED]
        )
        memory.pump(10)
        self.assertEqual(memory.result(domain.isActive()), 1)
        for _ in range(10):
            memory.pump(10)
        self.assertEqual(reboots, [("web-2",)] * 3)

    def test_changesByChance(self) -> None:
        """Where times are distributed each object has its own."""
        memory = memoryConnection(
            scenario={
                "domains": [{"name": "web-{n}", "count": 50}],
                "changes": [{"at": "uniform:10s,20s", "action": "crash", "objects": "web-*"}],
            }
        )
        conn = memory.connect()
        left = []
        for _ in range(5):
            memory.pump(5)
            left.append(memory.result(conn.numOfDomains()))
        self.assertEqual(left[0], 51)
        self.assertEqual(left[1:4][-1], 1)
        self.assertTrue(1 < left[2] < 51, left)

    def test_storm(self) -> None:
        """A storm tells its events at its rate, about its objects in turn, and changes nothing."""
        memory = memoryConnection(
            scenario={
                "domains": [{"name": "web-{n}", "count": 2}],
                "storms": [
                    {
                        "name": "flap",
                        "events": ["lifecycle:stopped:crashed", "lifecycle:started"],
                        "objects": "web-*",
                        "rate": 100,
                        "burst": 10,
                        "count": 1000,
                        "at": 1,
                    }
                ],
            }
        )
        conn = memory.connect()
        heard = events(memory, conn)
        memory.pump(1)
        self.assertEqual(len(heard), 10)
        for _ in range(120):
            memory.pump(0.1)
        self.assertEqual(len(heard), 1000)
        self.assertEqual(heard[:2], [("web-1", 5, 2), ("web-2", 2, 0)])
        self.assertEqual(memory.result(conn.numOfDomains()), 3)
        memory.scenario.storm("flap", count=5, burst=5, events="lifecycle:resumed")
        memory.pump()
        self.assertEqual(
            heard[1000:], [(name, 4, 0) for name in ("test", "web-1", "web-2", "test", "web-1")]
        )
        self.assertEqual(memory.scenario.status()["events"], 1005)

    def test_everyEvent(self) -> None:
        """Every event that can be named reaches a client."""
        from pyvirt.drivers.test.scenario.telling import _DOMAIN

        memory = memoryConnection(scenario={"base": "default"})
        conn = memory.connect()
        for name, (constant, _) in _DOMAIN.items():
            heard = events(memory, conn, getattr(c, f"VIR_DOMAIN_EVENT_ID_{constant}"))
            memory.scenario.storm(events=name, count=1)
            memory.pump()
            self.assertEqual(len(heard), 1, name)
            self.assertEqual(heard[0][0], "test", name)
        heard = []
        memory.result(
            conn.networkEventRegisterAny(None, 0, lambda *told: heard.append(told[2:4]), None)
        )
        memory.result(
            conn.storagePoolEventRegisterAny(None, 0, lambda *told: heard.append(told[2:4]), None)
        )
        memory.result(
            conn.nodeDeviceEventRegisterAny(None, 0, lambda *told: heard.append(told[2:4]), None)
        )
        memory.scenario.storm(events="network-lifecycle:started", count=1)
        memory.scenario.storm(events="pool-lifecycle:deleted", count=1)
        memory.scenario.storm(events="device-lifecycle:created", count=1)
        memory.pump()
        self.assertEqual(heard, [(2, 0), (5, 0), (0, 0)])

    def test_virtualTime(self) -> None:
        """Virtual time stands still until it is moved, from here or by a URI."""
        memory = memoryConnection(
            scenario=(
                "[time]\nmode = 'virtual'\nstart = 2030-01-01T00:00:00Z\n"
                "[[changes]]\nat = '1h'\naction = 'crash'\n"
                "[[latency]]\ncalls = 'nodeGetInfo'\ntime = '2s'\n"
            )
        )
        conn = memory.connect()
        memory.pump(7200)
        self.assertEqual(memory.result(conn.numOfDomains()), 1)
        self.assertEqual(memory.scenario.time, 1893456000)
        waiting = conn.getInfo()
        memory.pump(10)
        self.assertNoResult(waiting)
        memory.result(memory.connect("test:///default?advance=2").close())
        memory.pump()
        self.successResultOf(waiting)
        memory.scenario.advance(3600)
        self.assertEqual(memory.result(conn.numOfDomains()), 0)

    def test_armedByTime(self) -> None:
        """A fault is armed, a storm begun, when their time has come."""
        memory = memoryConnection(
            scenario={
                "faults": [{"name": "broken", "calls": "nodeGetInfo", "armed": False}],
                "storms": [{"name": "s", "events": "reboot", "count": 3, "burst": 3}],
                "changes": [
                    {"at": 5, "action": "arm", "target": "broken"},
                    {"at": 10, "action": "disarm", "target": "broken"},
                    {"at": 7, "action": "storm", "target": "s"},
                ],
            }
        )
        conn = memory.connect()
        heard = events(memory, conn, c.VIR_DOMAIN_EVENT_ID_REBOOT)
        memory.result(conn.getInfo())
        memory.pump(6)
        with self.assertRaises(VirtError):
            memory.result(conn.getInfo())
        memory.pump(6)
        memory.result(conn.getInfo())
        self.assertEqual(len(heard), 3)


_EVERYTHING: dict[str, Any] = {
    "seed": 5,
    "base": "empty",
    "keep": True,
    "time": {"mode": "virtual", "start": 1893456000},
    "domains": [
        {
            "name": "web-{n:03}",
            "count": 3,
            "first": 7,
            "state": {"running": 2, "paused": 0.5},
            "autostart": True,
            "transient": True,
            "memory": "512 MiB",
            "vcpus": 2,
        }
    ],
    "networks": [{"name": "net-{n}", "count": 2, "state": "inactive"}],
    "pools": [{"name": "p", "volumes": [{"name": "v-{n}", "count": 4, "capacity": "1 GiB"}]}],
    "latency": [
        {"calls": "virDomain*", "objects": ["web-*", "!web-007"], "time": "normal:50ms,10ms"}
    ],
    "faults": [
        {
            "name": "a",
            "calls": ["virDomainCreate*"],
            "code": "VIR_ERR_NO_MEMORY",
            "domain": "VIR_FROM_QEMU",
        },
        {
            "name": "b",
            "action": "cut",
            "share": 0.1,
            "skip": 2,
            "times": 3,
            "probability": 0.5,
            "armed": False,
        },
        {"name": "c", "action": "delay", "time": "exponential:2s", "when": "after"},
    ],
    "jobs": [
        {
            "calls": "virDomainSave*",
            "time": "10s",
            "total": "1 GiB",
            "fail_at": 0.5,
            "code": 9,
            "text": "x",
        }
    ],
    "storms": [
        {"name": "s", "events": ["reboot"], "at": 5, "rate": 100.0, "count": 10, "burst": 2}
    ],
    "changes": [
        {"at": "30s", "action": "crash", "objects": "web-*", "every": "5s", "times": 2},
        {"action": "arm", "target": "b"},
    ],
}
"""A scenario that says everything that can be said."""

_ANYTHING = one_of(
    none(),
    booleans(),
    integers(),
    floats(),
    text(max_size=12),
    lists(text(max_size=4), max_size=3),
    dictionaries(text(max_size=4), integers(), max_size=2),
    sampled_from(
        [
            "!",
            "*",
            "",
            "\0",
            "virDomainCreate",
            "1e9",
            "-1",
            "9" * 40,
            "uniform:1,2",
            1 << 64,
            -(1 << 64),
        ]
    ),
)


class MistakeTests(SynchronousTestCase):
    """What no scenario can say."""

    def complaint(self, value: Any) -> str:
        """Return what is said of a scenario."""
        with self.assertRaises(VirtError) as caught:
            readText(value) if isinstance(value, str) else readScenario(value)
        self.assertEqual(caught.exception.code, ErrorCode.INVALID_ARG)
        return str(caught.exception.str2)

    def test_mistakes(self) -> None:
        """Each mistake is named with where it stands."""
        for value, expected in (
            ({"sed": 1}, "sed: there is no such key"),
            ({"seed": "x"}, "seed: 'x' is no whole number"),
            ({"seed": True}, "seed: True is no whole number"),
            ({"seed": 1 << 70}, "is not in range"),
            ({"domains": 5}, "domains: a list of tables is expected"),
            ({"domains": [5]}, "domains[0]: a table is expected"),
            ({"domains": [{"count": -1}]}, "domains[0].count: -1 is not in range"),
            ({"domains": [{"count": 10**9}]}, "is not in range"),
            ({"domains": [{"name": "a", "count": 2}]}, "is the same name 2 times"),
            ({"domains": [{"name": "a{n.__class__}", "count": 2}]}, "is no pattern"),
            ({"domains": [{"name": "a{n:999999999}", "count": 2}]}, "is no pattern"),
            ({"domains": [{"name": "a/b"}]}, "is no name"),
            ({"domains": [{"state": "flying"}]}, "domains[0].state.flying: there is no such key"),
            ({"domains": [{"state": {"running": -1}}]}, "is not in range"),
            ({"domains": [{"state": {"running": 0}}]}, "no state has a weight"),
            ({"domains": [{"memory": "much"}]}, "is no size"),
            ({"domains": [{"memory": "9999999999999999999 EiB"}]}, "is no size"),
            ({"domains": [{"transient": True, "state": "shutoff"}]}, "cannot be transient"),
            ({"faults": [{"action": "explode"}]}, "faults[0].action: 'explode' is none of"),
            ({"faults": [{"code": "VIR_ERR_NONSENSE"}]}, "is no code of an error"),
            ({"faults": [{"domain": "MARS"}]}, "is no reporting part"),
            ({"faults": [{"probability": 2}]}, "is not in range 0:1"),
            ({"faults": [{"probability": float("nan")}]}, "is not in range 0:1"),
            ({"faults": [{"action": "delay"}]}, "a delay takes some time"),
            ({"faults": [{"action": "hang", "code": "RPC"}]}, "code: there is no such key"),
            ({"faults": [{"name": "a"}, {"name": "a"}]}, "the name 'a' is given twice"),
            ({"faults": [{"calls": []}]}, "a pattern or a list of patterns"),
            ({"latency": [{"time": "fast"}]}, "'fast' is no time"),
            ({"latency": [{"time": -1}]}, "must be in range"),
            ({"latency": [{"time": float("inf")}]}, "must be in range"),
            ({"latency": [{"time": 10**400}]}, "out of range"),
            ({"latency": [{"time": "zipf:1,2"}]}, "is no distribution"),
            ({"latency": [{"time": "normal:1"}]}, "normal takes 2 times"),
            ({"latency": [{"time": "uniform:2,1"}]}, "the shorter time"),
            ({"storms": [{"events": "earthquake"}]}, "there is no event 'earthquake'"),
            ({"storms": [{"events": "lifecycle"}]}, "write lifecycle:STAGE"),
            ({"storms": [{"events": "lifecycle:started:sideways"}]}, "there is no VIR_DOMAIN"),
            ({"storms": [{"events": ["reboot", "pool-refresh"]}]}, "about one kind of objects"),
            ({"storms": [{"rate": 0}]}, "is not in range"),
            ({"changes": [{"action": "explode"}]}, "changes[0].action: 'explode' is none of"),
            ({"changes": [{"action": "arm"}]}, "needs the name"),
            ({"changes": [{"action": "arm", "target": "x"}]}, "there is nothing called 'x'"),
            ({"changes": [{"action": "crash", "every": 0}]}, "at least 1ms"),
            ({"time": {"mode": "sideways"}}, "time.mode: 'sideways' is none of"),
            ({"time": {"start": -5}}, "must be in range"),
            ({"base": "here.xml"}, "base: write 'default'"),
            ("x = ", "the text: "),
            ("[" * 5000, "the text: "),
        ):
            self.assertIn(expected, self.complaint(value), value)

    def test_calls(self) -> None:
        """A pattern that fits no call is refused, wherever it stands, and what is nearly called so is named."""
        for calls in (
            "virDomainCrate",
            ["virDomainCreate", "virDomainCrate"],
            "!virDomainCrate",
            "VIRDOMAINCRATE*",
        ):
            for kind in ("faults", "latency", "jobs"):
                with self.assertRaises(VirtError) as caught:
                    memoryConnection(scenario={kind: [{"calls": calls, "time": 1}]})
                said = str(caught.exception)
                self.assertIn(f"{kind}[0].calls: there is no call '", said)
                self.assertIn("is it virDomainCreate", said)
        for calls in (
            "domainLookupById",
            "virDomainXX*",
            "[a-",
            "virStreamSend",
            "authList",
            "domainEventLifecycle",
        ):
            with self.assertRaises(VirtError) as caught:
                memoryConnection(scenario={"faults": [{"calls": calls + "?"}]})
            self.assertIn(f"there is no call '{calls}?'", str(caught.exception))
        memory = memoryConnection(scenario={})
        with self.assertRaises(VirtError) as caught:
            memory.scenario.inject(calls="virDomainShutdwn")
        self.assertIn(
            "inject.calls: there is no call 'virDomainShutdwn'; is it virDomainShutdown",
            str(caught.exception),
        )
        path = os.path.abspath(self.mktemp()) + ".toml"
        with open(path, "w") as file:
            file.write("[[faults]]\ncalls = 'virDomainCreat'\n")
        with self.assertRaises(VirtError) as caught:
            memoryConnection().connect(f"test://{path}")
        self.assertIn("is it virDomainCreate", str(caught.exception))
        with self.assertRaises(ConfigError) as wrong:
            testFactories(None, path, None)
        self.assertIn("there is no call 'virDomainCreat'", str(wrong.exception))

    def test_knownCalls(self) -> None:
        """Calls may be called as the wire, the contract or the C library calls them, in any case."""
        memory = memoryConnection(
            scenario={
                "faults": [
                    {
                        "calls": [
                            "virDomainCreate",
                            "DOMAINRESUME",
                            "domainGetXMLDesc",
                            "!virDomain*Info",
                        ]
                    },
                    {"calls": "connectOpen", "armed": False},
                    {
                        "calls": ["domainEventSubscribe", "virConnectDomainEventRegisterAny"],
                        "armed": False,
                    },
                    {"calls": "*[Mm]igrate*", "armed": False},
                ]
            }
        )
        domain = memory.result(memory.connect().lookupByName("test"))
        with self.assertRaises(VirtError):
            memory.result(domain.XMLDesc())
        memory.result(domain.info())

    @given(data())
    @settings(max_examples=60, deadline=None)
    def test_anything(self, source: DataObject) -> None:
        """Whatever is changed in a good scenario, it is read or refused with the place of the mistake."""
        scenario: Any = copy.deepcopy(_EVERYTHING)
        for _ in range(source.draw(integers(1, 3))):
            place = scenario
            while True:
                keys = list(place) if isinstance(place, dict) else list(range(len(place)))
                if not keys:
                    break
                key = source.draw(sampled_from(keys))
                if isinstance(place[key], dict | list) and source.draw(booleans()):
                    place = place[key]
                    continue
                if source.draw(booleans()):
                    place[key] = source.draw(_ANYTHING)
                elif isinstance(place, dict):
                    place[source.draw(text(max_size=8))] = place.pop(key)
                else:
                    del place[key]
                break
        try:
            readScenario(scenario, callNames=callNames)
        except VirtError as error:
            self.assertEqual(error.code, ErrorCode.INVALID_ARG)
            self.assertRegex(str(error.str2), "^scenario: .+: .+")

    def test_unknownKeys(self) -> None:
        """No table takes a key that it does not know."""
        readScenario(_EVERYTHING, callNames=callNames)

        def tables(value: Any, path: str) -> Iterator[tuple[dict[str, Any], str]]:
            if isinstance(value, dict):
                yield value, path
                for key, each in value.items():
                    yield from tables(each, f"{path}.{key}" if path else key)
            elif isinstance(value, list):
                for number, each in enumerate(value):
                    yield from tables(each, f"{path}[{number}]")

        scenario = copy.deepcopy(_EVERYTHING)
        for table, path in tables(scenario, ""):
            table["colour"] = "red"
            self.assertIn(
                f"{path}.colour".lstrip(".") + ": there is no such key", self.complaint(scenario)
            )
            del table["colour"]

    def test_noError(self) -> None:
        """An error has a code above 0."""
        for code in (0, "VIR_ERR_OK", "OK", -1, 1 << 31):
            self.assertIn("is no code of an error", self.complaint({"faults": [{"code": code}]}))
        self.assertIn(
            "is it OPERATION_FAILED",
            self.complaint({"faults": [{"code": "VIR_ERR_OPERATION_FAILD"}]}),
        )

    def test_mistakesInDefinitions(self) -> None:
        """A definition that is wrong says which template it came from."""
        for scenario, expected in (
            ({"domains": [{"name": "a", "xml": "<domain/>"}]}, "domains 'a' (1)"),
            ({"domains": [{"name": "test"}]}, "there is more than one 'test'"),
            ({"networks": [{"name": "n", "xml": "<x>"}]}, "networks 'n' (1)"),
        ):
            with self.assertRaises(VirtError) as caught:
                memoryConnection(scenario=scenario)
            self.assertIn(expected, str(caught.exception))

    def test_others(self) -> None:
        """Parameters of which none is known are ignored with a warning, however many; the world is the usual one."""
        memory = memoryConnection()
        first = memory.connect("test:///default")
        memory.result(memory.result(first.lookupByName("test")).destroy())
        for query in ("foo=bar", "foo=bar&foo=&domain=5", "&".join(["x=y"] * 100)):
            with capturedLogs() as events:
                other = memory.connect(f"test:///default?{query}")
                self.assertEqual(memory.result(other.lookupByName("test")).ID(), -1)
            said = [formatEvent(each) for each in events]
            self.assertEqual(len([each for each in said if each and "not known" in each]), 1, said)

    def test_parameters(self) -> None:
        """Parameters of a URI are checked one by one."""
        memory = memoryConnection()
        for query, expected in (
            (
                "seed=1&domain=5",
                "domain: there is no such parameter; is it domains?; there are seed, domains",
            ),
            ("domains=", "domains: '' is no whole number"),
            ("domains=-1", "is not in range"),
            ("domains=1000000000", "is not in range"),
            ("domains=20001", "is not in range 0:20000"),
            ("networks=1001", "is not in range 0:1000"),
            ("pools=1000&volumes=1000", "5000 in all pools together"),
            ("domains=1e3", "is no whole number"),
            ("domains=%D9%A3", "is no whole number"),
            ("domains=1&domains=2", "given twice"),
            ("domains=1&running=2", "2 of 1 domains cannot run"),
            ("latency=never", "is no time"),
            ("time=later", "is none of real, virtual"),
            ("keep=yes", "is neither 0 nor 1"),
            ("scenario=here.toml", "is no absolute path"),
            ("scenario=/a&scenario=/b", "named twice"),
            ("scenario=/nowhere/at/all", "No such file"),
            ("scenario=/dev/zero", "no regular file"),
            ("scenario=/", "Is a directory"),
            ("advance=5", "the time of this world is real"),
            ("time=virtual&advance=-1", "is no time"),
            ("time=virtual&advance=uniform:1,2", "is no time"),
            ("arm=x", "no fault called 'x'"),
            ("storm=x", "no storm called 'x'"),
            ("forget=x", "is not 1"),
            ("report=0", "is not 1"),
            ("&".join(["arm=x"] * 100), "more than 64 parameters"),
        ):
            with self.assertRaises(VirtError) as caught:
                memory.connect(f"test:///default?{query}")
            self.assertIn(expected, str(caught.exception), query)
        self.assertEqual(memory.daemon.server.drivers.factories[0]._worlds, {})

    def test_keptWorldsAreBounded(self) -> None:
        """A client cannot fill the daemon with worlds that are kept."""
        memory = memoryConnection()
        for seed in range(64):
            memory.result(memory.connect(f"test:///default?keep=1&seed={seed}").close())
        with self.assertRaises(VirtError) as caught:
            memory.connect("test:///default?keep=1&seed=64")
        self.assertEqual(caught.exception.code, ErrorCode.RESOURCE_BUSY)

    def test_tooMuchTime(self) -> None:
        """A step of time in which too much would happen ends with an error, not with a daemon that hangs."""
        memory = memoryConnection(
            scenario={
                "time": {"mode": "virtual"},
                "changes": [{"action": "suspend", "every": "1ms", "objects": "none"}],
            }
        )
        with self.assertRaises(VirtError) as caught:
            memory.scenario.advance(86400)
        self.assertIn("things happen in so much time", str(caught.exception))


class RightsTests(SynchronousTestCase):
    """Who may begin and direct a scenario, and whose files are read."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.inside = os.path.join(self.folder, "inside.toml")
        with open(self.inside, "w") as file:
            file.write("[[domains]]\nname = 'x'\n[[faults]]\nname = 'f'\n")
        self.driver = TestDriver(folder=self.folder)
        self.table = DriverTable(Clock(), [self.driver], remote=False)

    def open(self, uri: str, **how: Any) -> Any:
        """Open a URI as a client of the daemon."""
        context = OpenContext(reactor=Clock(), inDaemon=True, **how)
        return self.successResultOf(self.table.open(uri, context))

    def refused(self, uri: str, **how: Any) -> None:
        """Check that it is refused."""
        context = OpenContext(reactor=Clock(), inDaemon=True, **how)
        error = self.failureResultOf(self.table.open(uri, context), VirtError).value
        self.assertEqual(error.code, ErrorCode.OPERATION_DENIED, uri)

    def test_files(self) -> None:
        """A trusted client may name any file, another only those below the folder, whatever the path looks like."""
        outside = os.path.abspath(self.mktemp()) + ".toml"
        with open(outside, "w") as file:
            file.write("seed = 1\n")
        link = os.path.join(self.folder, "link.toml")
        os.symlink(outside, link)
        self.open(outside and f"test://{outside}", trusted=True)
        self.open(f"test://{self.inside}", trusted=False)
        self.open(f"test:///default?scenario={self.inside}", trusted=False)
        fresh = TestDriver(folder=self.folder)
        self.table = DriverTable(Clock(), [fresh], remote=False)
        for path in (outside, link, f"{self.folder}/../{os.path.basename(outside)}"):
            self.refused(f"test:///default?scenario={path}", trusted=False)
        self.refused(f"test://{outside}", trusted=False)

    def test_withoutAFolder(self) -> None:
        """Without a folder nobody but the trusted names files."""
        self.table = DriverTable(Clock(), [TestDriver()], remote=False)
        self.refused(f"test://{self.inside}", trusted=False)
        self.open(f"test://{self.inside}", trusted=True)

    def test_readOnly(self) -> None:
        """A read-only connection joins a scenario, and neither begins nor directs one."""
        uri = f"test:///default?scenario={self.inside}"
        self.refused(uri, trusted=True, readOnly=True)
        self.refused("test:///default?domains=5", trusted=True, readOnly=True)
        held = self.open(uri, trusted=True)
        self.open(uri, trusted=False, readOnly=True)
        self.refused(f"{uri}&arm=f", trusted=True, readOnly=True)
        held.close()

    def test_xmlFilesHaveNoParameters(self) -> None:
        """A host that a file of XML describes takes none."""
        answer = self.table.open("test:///host.xml?domains=5")
        error = self.failureResultOf(answer, VirtError).value
        self.assertIn("has no parameters", str(error))


class ContractTests(SynchronousTestCase):
    """What a scenario puts before a driver keeps the contracts of what it stands for."""

    def test_contracts(self) -> None:
        """Each class takes exactly what the contracts say."""
        from pyvirt.drivers.interfaces import events, faults, host, jobs
        from pyvirt.drivers.interfaces.driver import IConnection
        from pyvirt.drivers.test.disguise import DisguisedHost
        from pyvirt.drivers.test.scenario.calls import Interceptor, ScenarioEvents, ScenarioJobs
        from pyvirt.drivers.test.scenario.making import ScenarioConnection
        from pyvirt.testing import assertContract

        assertContract(IConnection, ScenarioConnection, complete=True)
        assertContract(faults.IInterceptor, Interceptor, complete=True)
        memory = memoryConnection("qemu:///system?keep=0", testDriverFor=["qemu"])
        memory.connect()
        memoryConnection(scenario={"jobs": [{}]})
        assertContract(jobs.IDomainJobs, ScenarioJobs)
        assertContract(host.IHost, DisguisedHost)
        for interface in (
            events.IDomainEvents,
            events.INetworkEvents,
            events.IStoragePoolEvents,
            events.INodeDeviceEvents,
        ):
            assertContract(interface, ScenarioEvents, complete=True)
