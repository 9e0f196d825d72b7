"""
Administration in memory: limits and workers that act at once, the log, the audit trail, metrics, the timeout.
"""

from __future__ import annotations

import io
import os
from typing import Any

import attrs
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel, globalLogPublisher, textFileLogObserver
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.daemon.administration import AutoShutdown
from pyvirt.daemon.audit import Audit, AuditError, changes, describeObject, makeAudit
from pyvirt.daemon.identity import Identity, startTime
from pyvirt.daemon.logsetup import Filter, Log, Output, checkText, parseFilters, parseOutputs
from pyvirt.daemon.metrics import MeasuredSession, Metrics, metricsSite
from pyvirt.drivers.interfaces.values import SecretRef
from pyvirt.errors import VirtError
from pyvirt.protocols.procedures import Kind
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from tests.daemonfixture import DOMAIN, World


class WorkerTests(SynchronousTestCase):
    """How many calls may be in progress."""

    def test_limit(self) -> None:
        """Once it is set the limit holds, for all clients together; calls of high priority go on."""
        world = World()
        workers = world.server.workers
        peers = [world.peer().open() for _ in range(3)]
        peers[0].call("domainLookupByName", "test")
        workers.configure(1, 2)
        for peer in peers:
            peer.send(peer.packet("domainSuspend", DOMAIN))
        self.assertEqual((workers.busy, workers.queued, len(world.driver.waiting)), (2, 1, 2))
        self.assertEqual(peers[2].call("connectGetHostname"), "host")  # of high priority
        peers[2].send(peers[2].packet("domainLookupByName", "test"))
        low = REMOTE.byName["domainLookupByName"].priority
        self.assertEqual(workers.queued, 1 if low else 2)
        world.driver.waiting.pop(0).callback(None)
        self.assertEqual(len(world.driver.waiting), 2)
        workers.configure(None, 5)
        self.assertEqual((workers.busy, workers.queued), (2, 0))
        while world.driver.waiting:
            world.driver.waiting.pop().callback(None)
        self.assertEqual(workers.busy, 0)
        for peer in peers:
            self.assertTrue(all(each.status == 0 for each in peer.received()))

    def test_leaving(self) -> None:
        """What waits for a client that has left is not done, and its place is free."""
        world = World()
        workers = world.server.workers
        workers.configure(0, 1)
        first, second, third = (world.peer().open() for _ in range(3))
        for peer in (first, second, third):
            peer.send(peer.packet("domainSuspend", DOMAIN))
        second.lose()
        world.driver.waiting.pop().callback(None)
        self.assertEqual(len(world.driver.waiting), 1)
        world.driver.waiting.pop().callback(None)
        self.assertEqual(third.received()[0].status, 0)
        self.assertEqual((workers.busy, workers.queued), (0, 0))

    def test_unlimited(self) -> None:
        """Until somebody sets a limit none holds."""
        world = World()
        peers = [world.peer().open() for _ in range(30)]
        for peer in peers:
            peer.send(peer.packet("domainSuspend", DOMAIN))
        self.assertEqual(len(world.driver.waiting), 30)
        self.assertEqual((world.server.workers.workers, world.server.workers.queued), (20, 0))


class LimitTests(SynchronousTestCase):
    """Limits of clients."""

    def test_atOnce(self) -> None:
        """A limit that is set while clients are there lets none more in, and lets them in once it is raised."""
        world = World(clients=10)
        gates: list[str] = []

        class Gate:
            def suspend(self) -> None:
                gates.append("suspended")

            def resume(self) -> None:
                gates.append("resumed")

        server = world.server
        server.gates.append(Gate())
        for _ in range(3):
            world.peer()
        server.setLimits(attrs.evolve(server.limits, clients=2))
        self.assertEqual((gates, server.room), (["suspended"], 0))
        self.assertRaises(RuntimeError, world.peer)
        server.setLimits(attrs.evolve(server.limits, clients=4))
        self.assertEqual((gates, server.room), (["suspended", "resumed"], 1))
        server.setLimits(attrs.evolve(server.limits, clients=0, anonymousClients=0))
        self.assertEqual(server.room, 0)


class ShutdownTests(SynchronousTestCase):
    """The timeout of an idle daemon."""

    def test_timeout(self) -> None:
        """It ends after so much idleness, counted anew when somebody comes; 0 is never."""
        clock, ended, idle = Clock(), [], [True]
        shutdown = AutoShutdown(clock, lambda: idle[0], lambda: ended.append(clock.seconds()))
        shutdown.set(10)
        clock.advance(9)
        idle[0] = False
        shutdown.check()
        clock.advance(100)
        idle[0] = True
        shutdown.check()
        clock.advance(9)
        self.assertEqual(ended, [])
        clock.advance(1)
        self.assertEqual(ended, [119])
        shutdown.set(0)
        clock.advance(1000)
        self.assertEqual(clock.getDelayedCalls(), [])


class LogTests(SynchronousTestCase):
    """The log, changed while it is written."""

    def event(self, log: Log, text: str, level: Any = LogLevel.info, source: str = "a.b") -> None:
        log({"log_level": level, "log_namespace": source, "log_format": "{t}", "t": text})

    def test_changes(self) -> None:
        """Filters and outputs act at once; a mistake changes nothing."""
        folder = self.mktemp()
        os.makedirs(folder)
        one, two = (os.path.abspath(os.path.join(folder, each)) for each in ("one", "two"))
        log = Log(lambda: 0.0)
        self.addCleanup(log.close)
        log.setOutputs([Output(1, "file", one)])
        self.event(log, "first")
        log.setFilters(parseFilters("2:a 4:a.b"))
        self.event(log, "second")
        log.setOutputs([Output(1, "file", two), Output(3, "file", one)])
        self.event(log, "third")
        self.event(log, "fourth", LogLevel.error)
        with self.assertRaises(VirtError) as caught:
            log.setOutputs([Output(1, "file", two), Output(1, "file", "/no/such/place")])
        self.assertEqual(caught.exception.code, 38)
        self.event(log, "fifth", LogLevel.warn)
        os.rename(two, two + ".1")
        log.setOutputs(log.outputs, reopen=True)
        self.event(log, "sixth", LogLevel.warn)

        def words(path: str) -> list[str]:
            with open(path) as file:
                return [line.split()[-1] for line in file]

        self.assertEqual(words(one), ["second", "fourth", "fifth", "sixth"])
        self.assertEqual(words(two + ".1"), ["third", "fourth", "fifth"])
        self.assertEqual(words(two), ["sixth"])
        self.assertEqual(log.describeFilters(), "2:*a* 4:*a.b* ")

    def test_parsing(self) -> None:
        """Malformed filters and outputs are refused, whatever they are."""
        for text in ("x", "0:x", "1:", ":x", "1:+", "1", "99:y"):
            self.assertRaises(VirtError, parseFilters, text)
        for text in ("x", "0:stderr", "1:file", "1:syslog", "1:stderr:x", "1:", "1:file:a:b"):
            self.assertRaises(VirtError, parseOutputs, text)
        self.assertEqual(parseFilters(" 1:a  2:b"), [Filter(1, "*a*"), Filter(2, "*b*")])
        self.assertEqual(parseOutputs("1:stderr 2:stderr"), [Output(2, "stderr")])
        self.assertEqual(checkText("a\nb\x7f"), "a\\x0ab\\x7f")

    def test_noText(self) -> None:
        """Entries with what is no text, such as names of files, are written, by twistd's own observers too."""
        name, said = b"d\xffe".decode(errors="surrogateescape"), "d\\xffe \\ud834"
        try:
            raise ValueError(name)
        except ValueError:
            failure = Failure()
        text, binary, narrow = io.StringIO(), io.BytesIO(), io.BytesIO()
        observers = (textFileLogObserver(text), textFileLogObserver(binary))
        for observer in observers:
            log = Log(lambda: 0.0)
            log.passTo(lambda observer=observer: observer)
            log.begin()
            self.event(log, f"{name} \ud834")
            log(
                {"log_level": LogLevel.critical, "log_namespace": "a.b", "log_failure": failure}
                | {"log_format": "{t}", "t": "failed:\n"}
            )
        for found in (text.getvalue(), binary.getvalue().decode()):
            self.assertIn(f"[a.b#info] {said}\n", found)
            self.assertIn("[a.b#critical] failed:", found)
            self.assertIn("ValueError: d\\xffe", found)
        log = Log(lambda: 0.0, stderr=io.TextIOWrapper(narrow, "ascii"))
        log.setOutputs([Output(1, "stderr")])
        self.event(log, f"{name} \ud834 \xe9", LogLevel.error)
        self.assertTrue(narrow.getvalue().endswith(f"{said} \\xe9\n".encode()))


class AuditTests(SynchronousTestCase):
    """The audit trail."""

    def lines(self) -> list[str]:
        found: list[str] = []

        def observe(event: Any) -> None:
            if event.get("log_namespace") == "pyvirt.audit":
                found.append(event["line"])

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        return found

    def test_lines(self) -> None:
        """Each change is one line with who, from where, what and how it ended, at once or later; looking is none."""
        world = World()
        peer = world.peer().open()
        peer.call("domainLookupByName", "test")
        peer.call("connectGetHostname")
        found = self.lines()
        world.server.setAudit(Audit(True, None))
        peer.session.identity = Identity(transport="unix", userID=0, processID=7, saslName="j\noe")
        peer.call("domainLookupByName", "test")
        peer.send(peer.packet("domainSuspend", DOMAIN))
        self.assertEqual(found, [])
        world.driver.waiting.pop().callback(None)
        self.assertEqual(peer.received()[0].status, 0)
        peer.error("domainDestroy", DOMAIN)
        peer.error("secretSetValue", SecretRef(bytes(16), 0, ""), b"hunter2", 0)
        peer.error("domainSetUserPassword", DOMAIN, "root", "hunter2", 0)
        peer.error("domainDefineXML", "<domain><name>a b</name><x>hunter2</x></domain>")
        readOnly = world.peer(readOnly=True).open()
        readOnly.error("domainDestroy", DOMAIN)
        who = "who=\"local client (pid 7, user root, sasl 'j\\x5cnoe')\" from=unix"
        self.assertEqual(
            found[:4],
            [
                'op=domainSuspend domain="test" uuid=00010203-0405-0607-0809-0a0b0c0d0e0f'
                f" {who} res=success",
                'op=domainDestroy domain="test" uuid=00010203-0405-0607-0809-0a0b0c0d0e0f'
                f" {who} res=failed code=3",
                f"op=secretSetValue uuid=00000000-0000-0000-0000-000000000000 {who} res=failed code=3",
                'op=domainSetUserPassword domain="test" uuid=00010203-0405-0607-0809-0a0b0c0d0e0f'
                f" {who} res=failed code=3",
            ],
        )
        self.assertTrue(found[4].startswith('op=domainDefineXML name="a b" who='), found[4])
        self.assertIn("op=domainDestroy", found[5])
        self.assertIn("res=failed code=29", found[5])
        self.assertNotIn("hunter2", "".join(found))
        world.server.setAudit(None)
        peer.error("domainDestroy", DOMAIN)
        self.assertEqual(len(found), 6)

    def test_everyChange(self) -> None:
        """Whatever a read-only connection may not do is a change, and can be named."""
        for each in REMOTE:
            if each.kind is Kind.CALL and each.needsAuthentication and not each.readOnly.allowed:
                self.assertEqual(changes(each), each.name not in ("connectOpen", "connectClose"))
                describeObject(each, tuple("" for _ in each.parameters))

    def test_kernel(self) -> None:
        """The kernel is told if it listens; if it must and does not, the daemon does not start."""
        sent: list[Any] = []

        class Kernel:
            def send(self, kind: int, text: str) -> None:
                sent.append((kind, text))

        def missing() -> Any:
            raise OSError(93, "Protocol not supported")

        kernel: Any = Kernel
        self.assertIsNone(makeAudit(0, False, privileged=True, openKernel=kernel))
        self.assertIsNone(makeAudit(1, False, privileged=False, openKernel=kernel))
        self.assertIsNone(makeAudit(1, False, privileged=True, openKernel=missing))
        self.assertRaises(AuditError, makeAudit, 2, False, privileged=True, openKernel=missing)
        audit = makeAudit(1, False, privileged=True, openKernel=kernel)
        assert audit is not None
        for name in ("domainDestroy", "domainSetMemory"):
            audit.record(Identity(), REMOTE.byName[name], (DOMAIN,), None)
        self.assertEqual([kind for kind, _ in sent], [2500, 2501])


class MetricsTests(SynchronousTestCase):
    """Numbers for Prometheus."""

    def test_page(self) -> None:
        """The page tells calls, errors, refusals, clients, events and bytes, and only what exists."""
        world = World()
        server: Any = world.server
        metrics = server.metrics = Metrics((server,))
        server.session = MeasuredSession
        peer = world.peer().open()
        peer.call("connectGetHostname")
        peer.call("connectGetHostname")
        peer.error("domainLookupByName", "nope")
        peer.send(peer.packet("domainSuspend", DOMAIN))
        peer.send(peer.raw(99999))
        readOnly = world.peer(readOnly=True).open()
        readOnly.error("domainDestroy", DOMAIN)
        world.driver.waiting.pop().callback(None)
        values = self.scrape(metricsSite(metrics))
        calls = {
            labels["procedure"]: value
            for name, labels, value in values
            if name == "pyvirt_call_seconds_count"
        }
        self.assertEqual(
            calls,
            {
                "connectOpen": 2,
                "connectGetHostname": 2,
                "domainLookupByName": 1,
                "domainSuspend": 1,
                "domainDestroy": 1,
            },
        )
        flat = {(name, *sorted(labels.values())): value for name, labels, value in values}
        self.assertEqual(flat["pyvirt_errors_total", "42"], 1)
        self.assertEqual(flat["pyvirt_refusals_total", "read-only connection"], 1)
        self.assertEqual(flat["pyvirt_clients", "authenticated", "libvirtd", "tcp"], 2)
        self.assertGreater(flat["pyvirt_received_bytes_total",], 100)
        self.assertGreater(flat["pyvirt_sent_bytes_total",], 100)

    def scrape(self, site: Any) -> list[tuple[str, dict[str, str], float]]:
        transport = StringTransport()
        protocol = site.buildProtocol(None)
        protocol.makeConnection(transport)
        protocol.dataReceived(b"GET /metrics HTTP/1.0\r\n\r\n")
        head, _, body = transport.value().partition(b"\r\n\r\n")
        self.assertIn(b" 200 ", head.splitlines()[0])
        return [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        ]

    def test_otherPages(self) -> None:
        """There is nothing else."""
        transport = StringTransport()
        protocol = metricsSite(Metrics(())).buildProtocol(None)
        protocol.makeConnection(transport)
        protocol.dataReceived(b"GET / HTTP/1.0\r\n\r\n")
        self.assertIn(b" 404 ", transport.value().splitlines()[0])


class IdentityTests(SynchronousTestCase):
    """Who is at the other end of a UNIX socket."""

    def test_startTime(self) -> None:
        """A process is told from a later one by when it started."""
        self.assertIsInstance(startTime(os.getpid()), int)
        self.assertIsNone(startTime(1 << 30))
