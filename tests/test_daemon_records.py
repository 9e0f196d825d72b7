"""
What the daemon writes down, in memory: no secret in any line, no line that a client has made up, every number.
"""

from __future__ import annotations

import os
import socket
import syslog
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from pyvirt.daemon import logoutputs
from pyvirt.daemon.access.guard import REFS
from pyvirt.daemon.audit import Audit, changes
from pyvirt.daemon.config import KEYS, ConfigError, loadConfig, readConfig
from pyvirt.daemon.identity import Identity
from pyvirt.daemon.logsetup import Log, Output, parseFilters, parseOutputs
from pyvirt.daemon.metrics import MeasuredSession, Metrics, metricsSite
from pyvirt.daemon.reloading import _FIXED
from pyvirt.daemon.tlsdoor import ServerKeys
from pyvirt.errors import ErrorCode, VirtError, virtError
from pyvirt.protocols.procedures import Kind
from pyvirt.protocols.programs import ALL
from pyvirt.protocols.programs.admin import PROGRAM as ADMIN
from pyvirt.protocols.structs import AdminClient, AdminServer
from pyvirt.protocols.xdr import Array, Maybe, Opaque, String, Struct
from tests import test_daemon_service
from tests.daemonfixture import DOMAIN, World
from tests.protocols.oracle import example
from tests.test_tls import pki, writePlaces

SECRET = "hunter2"
XML = f"<x><name>n</name><uuid>00010203-0405-4607-8809-0a0b0c0d0e0f</uuid><s p='{SECRET}'>{SECRET}</s></x>"


def secretive(kind: Any, name: str = "") -> Any:
    """A value of a type whose every text is a secret, but for what names the object."""
    match kind:
        case String():
            if name == "name":
                return "object"
            return XML if "xml" in name.lower() else SECRET[: kind.limit]
        case Opaque(exact=False):
            return SECRET.encode()[: kind.limit]
        case Maybe():
            return secretive(kind.element, name)
        case Array():
            return [secretive(kind.element, name)]
        case Struct() if kind.cls in REFS or any(field == "name" for field, _ in kind.fields):
            return example(kind)  # the object itself
        case Struct():
            value = example(kind)
            parts = [part if part.__class__ is not str else SECRET for part in value]
            return kind.cls(*parts)
    return example(kind)


class SecretTests(SynchronousTestCase):
    """Nothing that a client gives appears anywhere but the names of objects."""

    def logged(self) -> list[str]:
        found: list[str] = []

        def observe(event: Any) -> None:
            failure = event.get("log_failure")
            found.append(formatEvent(event) + (failure.getTraceback() if failure else ""))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        return found

    def test_everyProcedure(self) -> None:
        """The line of each change names who, what and the outcome, whatever came of it; and no argument."""
        sent: list[str] = []

        class Kernel:
            def send(self, kind: int, text: str) -> None:
                sent.append(text)

        audit = Audit(True, Kernel())  # type: ignore[arg-type]
        logged = self.logged()
        identity = Identity(transport="tls", address="192.0.2.1:7", x509Name="CN=a", saslName="joe")
        count = 0
        for program in ALL:
            for each in program:
                if each.kind is not Kind.CALL or not changes(each):
                    continue
                arguments = tuple(secretive(kind, name) for name, kind in each.arguments)
                each.argumentCodec.encode(arguments)
                failed = virtError(ErrorCode.INVALID_ARG, f"'{SECRET}' is wrong")
                later: Deferred[Any] = Deferred()

                def fail(error: Exception = failed) -> Any:
                    raise error

                def crash() -> Any:
                    raise ValueError(SECRET)

                audit.watch(identity, each, arguments, lambda: None)
                self.assertRaises(VirtError, audit.watch, identity, each, arguments, fail)
                self.assertRaises(ValueError, audit.watch, identity, each, arguments, crash)
                audit.watch(identity, each, arguments, lambda answer=later: answer)
                later.addErrback(lambda _: None)
                later.errback(ValueError(SECRET))
                count += 1
                ends = [line.partition(" res=")[2] for line in sent[-4:]]
                self.assertEqual(
                    ends, ["success", "failed code=8", "failed code=crash", "failed code=crash"]
                )
                for line in sent[-4:]:
                    self.assertTrue(line.startswith(f"virt=pyvirt op={each.name} "), line)
                    self.assertIn(
                        "who=\"client 192.0.2.1:7 (sasl 'joe', certificate 'CN=a')\"", line
                    )
                    self.assertIn(" from=tls ", line)
                    self.assertNotIn("\n", line)
        self.assertGreater(count, 220)
        self.assertEqual(len(sent), 4 * count)
        text = "\n".join([*sent, *logged])
        self.assertNotIn(SECRET, text)

    def test_wholeDaemon(self) -> None:
        """Nor does anything else of the daemon write them into its log, at any level."""
        world = World()
        world.server.setAudit(Audit(True, None))
        logged = self.logged()
        for program in ALL:
            if program.number not in world.server.programs:
                continue
            for each in program:
                if each.kind is not Kind.CALL or each.name in ("connectClose", "connectOpen"):
                    continue
                peer = world.peer().open()
                arguments = tuple(secretive(kind, name) for name, kind in each.arguments)
                peer.send(peer.packet(each.name, *arguments, program=program))
                for waiting in world.driver.waiting:
                    waiting.errback(virtError(ErrorCode.INVALID_ARG, f"'{SECRET}' is wrong"))
                world.driver.waiting.clear()
                peer.lose()
        self.assertGreater(len(logged), 100)
        wrong = [line for line in logged if SECRET in line]
        self.assertEqual(wrong, [])

    def test_administrators(self) -> None:
        """What administrators change is named: which server, which client."""
        found: list[str] = []

        class Kernel:
            def send(self, kind: int, text: str) -> None:
                found.append(text.partition(" who=")[0])

        audit = Audit(False, Kernel())  # type: ignore[arg-type]
        server = AdminServer("libvirtd")
        for name, arguments in (
            ("serverSetClientLimits", (server, [], 0)),
            ("clientClose", (AdminClient(server, 7, 0, 0), 0)),
            ("connectSetLoggingFilters", ("1:a", 0)),
        ):
            audit.record(Identity(), ADMIN.byName[name], arguments, None)
        self.assertEqual(
            found,
            [
                'virt=pyvirt op=serverSetClientLimits server="libvirtd"',
                'virt=pyvirt op=clientClose server="libvirtd" client=7',
                "virt=pyvirt op=connectSetLoggingFilters",
            ],
        )


class LogTests(SynchronousTestCase):
    """Where entries go, and what clients can make of them."""

    def entry(self, log: Log, text: str, level: Any = LogLevel.warn, **more: Any) -> None:
        log({"log_level": level, "log_namespace": "a.b", "log_format": "{t}", "t": text, **more})

    def test_forged(self) -> None:
        """No text makes an entry that looks like two, or that moves a terminal's cursor; tracebacks stand apart."""
        path = os.path.abspath(self.mktemp())
        log = Log(lambda: 0.0)
        self.addCleanup(log.close)
        log.setOutputs([Output(1, "file", path)])
        forged = "x\n1970-01-01 00:00:00.000+0000: 1: error : root : forged\r\x1b[2J"
        self.entry(log, forged)
        try:
            raise ValueError(forged)
        except ValueError:
            self.entry(log, "failed", log_failure=Failure())
        with open(path, newline="") as file:
            text = file.read()
        lines = text.split("\n")
        self.assertIn("\\x0a1970", lines[0])
        self.assertFalse(any(each in text for each in "\r\x1b"))
        self.assertEqual(sum(line.startswith("1970-01-01") for line in lines), 2)
        self.assertIn("    builtins.ValueError: x", lines)

    def test_syslog(self) -> None:
        """Syslog gets one entry for each line, with libvirt's priorities as its own."""
        told: list[Any] = []
        self.patch(syslog, "openlog", lambda *given: told.append(given))
        self.patch(syslog, "syslog", lambda *given: told.append(given))
        log = Log(lambda: 0.0)
        log.setOutputs(parseOutputs("2:syslog:vms"))
        for level in (LogLevel.debug, LogLevel.info, LogLevel.warn, LogLevel.error):
            log.setFilters(parseFilters("1:a"))
            self.entry(log, "text", level)
        self.assertEqual(
            told,
            [
                ("vms", syslog.LOG_PID, syslog.LOG_DAEMON),
                (syslog.LOG_INFO, "a.b : text"),
                (syslog.LOG_WARNING, "a.b : text"),
                (syslog.LOG_ERR, "a.b : text"),
            ],
        )

    def test_journal(self) -> None:
        """The journal gets fields, of which the text cannot make further ones; without a journal nothing happens."""
        folder = self.mktemp()
        os.makedirs(folder)
        path = os.path.relpath(os.path.join(folder, "j"))
        self.patch(logoutputs, "_JOURNAL", path)
        log = Log(lambda: 0.0)
        self.addCleanup(log.close)
        log.setOutputs(parseOutputs("1:journald"))
        self.entry(log, "nobody listens")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
            journal.bind(path)
            self.entry(log, "x\nPRIORITY=0")
            said = journal.recv(1 << 16)
        text = b"x\\x0aPRIORITY=0"
        self.assertEqual(
            said,
            b"MESSAGE\n"
            + len(text).to_bytes(8, "little")
            + text
            + b"\nPRIORITY=4\nLIBVIRT_SOURCE=a.b\n"
            b"SYSLOG_IDENTIFIER=pyvirt\n",
        )

    def test_fullDisk(self) -> None:
        """A file that takes nothing more costs entries, not the daemon."""
        log = Log(lambda: 0.0)
        self.addCleanup(log.close)
        log.setOutputs(parseOutputs("1:file:/dev/full"))
        self.entry(log, "lost")

    def test_priorities(self) -> None:
        """Priorities are numbers as libvirtd reads them."""
        self.assertEqual([each.priority for each in parseFilters("+1:a 02:b 0004:c")], [1, 2, 4])
        self.assertEqual(parseOutputs("+03:stderr"), [Output(3, "stderr")])
        for wrong in ("-1", "0", "5", "++1", "1x", "0x1", "", "99999999999999999999", "\u0661"):
            self.assertRaises(VirtError, parseFilters, f"{wrong}:a")
            self.assertRaises(VirtError, parseOutputs, f"{wrong}:stderr")

    def test_hostile(self) -> None:
        """Long and many filters cost what they are, not more."""
        self.assertEqual(len(parseFilters(" ".join(["1:" + "x" * 5000] * 500))), 500)
        log = Log(lambda: 0.0)
        log.setFilters(parseFilters("4:[a 1:a*b"))
        self.assertEqual(log.describeFilters(), "4:*[a* 1:*a*b* ")
        self.assertEqual(log._leastOf("a.b"), 1)


class NumberTests(SynchronousTestCase):
    """Every number of the metrics moves with what it counts."""

    def test_everyFamily(self) -> None:
        """
        Each family has a number, clients are counted by what they have reached, refusals by their reason.
        """
        world = World(anonymousClients=3)
        server: Any = world.server
        metrics = server.metrics = Metrics((server,))
        server.session = MeasuredSession
        peer = world.peer().open()
        anonymous = world.peer(auth="sasl")
        anonymous.error("authSASLInit")

        class Arrival:
            identity = Identity(transport="ssh")

            def abort(self) -> None: ...

        server.arrived(Arrival())
        peer.send(peer.packet("domainSuspend", DOMAIN))
        peer.send(peer.packet("connectDomainEventRegister"))
        peer.session.sendEvent(b"x" * 28)
        other = world.peer()
        other.send(b"\0\0\0\1")
        metrics.errors[int(ErrorCode.ACCESS_DENIED)] += 1
        found: dict[tuple[str, ...], float] = {}
        families = {}
        for family in text_string_to_metric_families(scrape(metricsSite(metrics))):
            families[family.name] = len(family.samples)
            for sample in family.samples:
                found[(sample.name, *sorted(sample.labels.values()))] = sample.value
        self.assertEqual(
            sorted(families),
            sorted(
                f"pyvirt_{each}"
                for each in (
                    *("call_seconds", "errors", "refusals", "events", "received_bytes"),
                    *("sent_bytes", "clients", "handshakes_waiting", "calls_in_progress"),
                    *("calls_queued", "limit", "sessions"),
                )
            ),
        )
        self.assertTrue(all(families.values()), families)
        for key, value in (
            (("pyvirt_clients", "authenticated", "libvirtd", "tcp"), 2),
            (("pyvirt_clients", "anonymous", "libvirtd", "tcp"), 1),
            (("pyvirt_clients", "libvirtd", "shaking hands", "ssh"), 1),
            (("pyvirt_refusals_total", "broken protocol"), 1),
            (("pyvirt_refusals_total", "authentication failed"), 1),
            (("pyvirt_refusals_total", "access denied"), 1),
            (("pyvirt_calls_in_progress", "libvirtd"), 1),
            (("pyvirt_calls_queued", "libvirtd"), 0),
            (("pyvirt_events_total",), 1),
            (("pyvirt_limit", "anonymous clients", "libvirtd"), 3),
            (("pyvirt_sessions_total", "accepted", "libvirtd"), 3),
        ):
            self.assertEqual(found.get(key), value, key)


def scrape(site: Any) -> str:
    """The page."""
    transport = StringTransport()
    protocol = site.buildProtocol(None)
    protocol.makeConnection(transport)
    protocol.dataReceived(b"GET /metrics HTTP/1.0\r\n\r\n")
    body: bytes = transport.value().partition(b"\r\n\r\n")[2]
    return body.decode()


class _Reader(Protocol):
    """Asks for the page and remembers the answer."""

    def __init__(self) -> None:
        self.data = b""
        self.done: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"GET /metrics HTTP/1.0\r\n\r\n")

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.done.callback(self.data)


class ServedTests(TestCase):
    """A whole daemon in this process."""

    timeout = 300
    setUp = test_daemon_service.ServiceTests.setUp
    make = test_daemon_service.ServiceTests.make
    mode = test_daemon_service.ServiceTests.mode

    async def page(self, endpoint: Any) -> bytes:
        reader = _Reader()
        await endpoint.connect(Factory.forProtocol(lambda: reader))
        return await reader.done

    async def test_metrics(self) -> None:
        """The page is served on a UNIX socket, for its owner alone, and on a loopback address; nowhere else."""
        service = self.make('metrics_socket = "/metrics"\nmetrics_address = "127.0.0.1:0"\n')
        service.startService()
        await service.started
        path = f"{self.folder}/metrics"
        self.assertEqual(self.mode(path) & 0o007, 0)
        for endpoint in [
            UNIXClientEndpoint(reactor, path),
            *(
                TCP4ClientEndpoint(reactor, "127.0.0.1", each.socket.getsockname()[1])
                for each in service.listeners
                if each.socket.family == socket.AF_INET
            ),
        ]:
            said = await self.page(endpoint)
            self.assertIn(b" 200 OK", said.splitlines()[0])
            self.assertIn(b"pyvirt_limit", said)
        await service.stopService()
        self.assertFalse(os.path.exists(path))
        for address in ("0.0.0.0:1", "192.0.2.1:1", "[::]:1", "localhost.example:1", "127.0.0.1"):
            self.assertRaises(ConfigError, readConfig, f'metrics_address = "{address}"\n', "f")

    async def test_allOrNothing(self) -> None:
        """A reload in which one thing is wrong changes nothing, certificates included."""
        folder = self.mktemp()
        places = writePlaces(folder, ca=pki().ca, server=pki().server, crl=pki().crl)
        conf = os.path.join(self.folder, "conf")
        tls = "".join(
            f'{key}_file = "{os.path.abspath(places[name])}"\n'
            for key, name in (("ca", "cacert"), ("cert", "servercert"), ("key", "serverkey"))
        )

        def write(text: str) -> None:
            with open(conf, "w") as file:
                file.write(tls + text)

        write("")
        service = self.make()
        service.config = loadConfig(conf, required=True)
        service.startService()
        await service.started
        service.tls = ServerKeys(service.config)
        before = service.tls.credentials
        write('log_outputs = "1:file:/no/such/place"\nmax_clients = 50\n')
        self.assertFalse(service.reload())
        self.assertIs(service.tls.credentials, before)
        self.assertEqual(service.server.limits.clients, 5000)
        write("max_clients = 50\n")
        with open(places["servercert"], "ab") as file:
            file.truncate(10)
        self.assertFalse(service.reload())
        self.assertIs(service.tls.credentials, before)
        self.assertEqual(service.server.limits.clients, 5000)

    def test_everyKey(self) -> None:
        """Each key of the configuration takes a restart, or acts when the configuration is read again."""
        atOnce = {
            *("sasl_allowed_username_list", "sasl_passwd_file", "sasl_keytab_file"),
            *("sasl_mechanisms", "tcp_min_ssf", "access_drivers", "access_policy_file"),
            *("min_workers", "max_workers", "prio_workers", "admin_min_workers"),
            *("admin_max_workers", "max_clients", "max_anonymous_clients", "max_client_requests"),
            *("admin_max_clients", "admin_max_client_requests", "keepalive_interval"),
            *("keepalive_count", "admin_keepalive_interval", "admin_keepalive_count"),
            *("log_level", "log_filters", "log_outputs", "audit_level", "audit_logging"),
        }
        idle = {name for name, field in KEYS.items() if field.metadata["idle"]}
        self.assertEqual(atOnce & _FIXED, set())
        self.assertEqual(sorted(set(KEYS) - atOnce - _FIXED - idle), [])
