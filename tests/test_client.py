"""
Tests for the client: a real one and a real daemon in memory.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import pyvirt
from pyvirt.errors import (
    ErrorCode,
    ErrorDomain,
    NoSuchDomain,
    OperationDenied,
    OutcomeUnknown,
    VirtError,
)
from pyvirt.testing import memoryConnection
from pyvirt.testing.memory import MemoryConnection


class ClientCase(SynchronousTestCase):
    """A client of a daemon in memory, on the test driver."""

    def setUp(self) -> None:
        self.memory: MemoryConnection = memoryConnection()
        self.conn = self.memory.connect()

    def failing(self, waiting: Any) -> VirtError:
        """Pump and return the failure."""
        error: VirtError = self.assertRaises(VirtError, self.memory.result, waiting)
        return error

    def domain(self) -> pyvirt.Domain:
        """The test driver's only domain."""
        return self.memory.result(self.conn.lookupByName("test"))


class ConnectTests(ClientCase):
    """Connections."""

    def test_URI(self) -> None:
        """
        The URI is the one that was opened.
        """
        self.assertEqual(self.memory.result(self.conn.getURI()), "test:///default")

    def test_shared(self) -> None:
        """
        Two clients of one daemon see the same domains.
        """
        other = self.memory.connect()
        self.memory.result(self.domain().suspend())
        dom = self.memory.result(other.lookupByName("test"))
        self.assertEqual(self.memory.result(dom.state()), [pyvirt.VIR_DOMAIN_PAUSED, 1])

    def test_refusedURI(self) -> None:
        """
        What the daemon cannot open fails as it says, and the connection is closed.
        """
        error = self.failing(self.memory.opening("foo:///x"))
        self.assertEqual(str(error), "no connection driver available for foo:///x")
        self.assertEqual((error.code, error.domain), (ErrorCode.NO_CONNECT, ErrorDomain.NONE))
        self.assertFalse(self.memory.pipes[-1].client.connected)

    def test_close(self) -> None:
        """
        A closed connection is not alive, and says what libvirt says when it is used.
        """
        self.assertEqual(self.conn.isAlive(), 1)
        self.assertEqual(self.memory.result(self.conn.close()), 0)
        self.assertEqual(self.conn.isAlive(), 0)
        self.assertEqual(self.memory.result(self.conn.close()), 0)
        error = self.failing(self.conn.getHostname())
        self.assertEqual(str(error), "internal error: client socket is closed")

    def test_pipelining(self) -> None:
        """
        Many calls may be outstanding; each gets its own answer.
        """
        found: list[Any] = []
        self.conn.getType().addCallback(found.append)
        self.conn.lookupByName("nope").addBoth(found.append)
        self.conn.numOfDomains().addCallback(found.append)
        self.memory.pump()
        kind, failure, count = found
        self.assertEqual((kind, count), ("TEST", 1))
        self.assertIsInstance(failure.value, NoSuchDomain)

    def test_lost(self) -> None:
        """
        When the connection breaks, every pending call fails and says that its outcome is unknown.
        """
        waiting = [self.conn.getType(), self.domain_later()]
        self.memory.pipes[0].cut()
        for each in waiting:
            error = self.failureResultOf(each, OutcomeUnknown).value
            self.assertEqual(str(error), "End of file while reading data: Input/output error")
            self.assertEqual((error.code, error.domain, error.int1), (38, 7, 5))
        self.assertEqual(self.conn.isAlive(), 0)

    def domain_later(self) -> Any:
        """A lookup that is not pumped."""
        return self.conn.lookupByName("test")

    def test_cancelled(self) -> None:
        """
        A cancelled call is forgotten; its late answer disturbs nobody.
        """
        waiting = self.conn.getType()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.memory.result(self.conn.numOfDomains()), 1)

    def test_deadline(self) -> None:
        """
        A call on a connection with a deadline fails when it passes; others go on.
        """
        hurried = self.conn.deadline(5).lookupByName("test")
        patient = self.conn.lookupByName("test")
        self.memory.clock.advance(5)
        error = self.failureResultOf(hurried, VirtError).value
        self.assertEqual(error.code, ErrorCode.OPERATION_TIMEOUT)
        self.assertIn("no answer to virDomainLookupByName within 5 seconds", str(error))
        self.assertEqual(self.memory.result(patient).name(), "test")

    def test_deadlineIsInherited(self) -> None:
        """
        What is looked up on a connection with a deadline has it too, and can lose it.
        """
        dom = self.memory.result(self.conn.deadline(5).lookupByName("test"))
        hurried, patient = dom.info(), dom.deadline(None).info()
        self.memory.clock.advance(5)
        self.failureResultOf(hurried, VirtError)
        self.assertEqual(self.memory.result(patient)[0], pyvirt.VIR_DOMAIN_RUNNING)

    def test_keepalive(self) -> None:
        """
        A daemon that falls silent ends the connection, with its own reason for the close callback.
        """
        reasons: list[Any] = []
        self.memory.result(
            self.conn.registerCloseCallback(
                lambda conn, reason, opaque: reasons.append((reason, opaque)), 7
            )
        )
        self.assertEqual(self.memory.result(self.conn.setKeepAlive(5, 2)), 0)
        waiting = self.conn.getType()
        self.memory.clock.pump([5.0] * 4)
        # The silence is on the wire: nothing is delivered, the client alone gives up.
        self.memory.pump()
        self.memory.clock.advance(0)
        error = self.failureResultOf(waiting, OutcomeUnknown).value
        self.assertEqual(str(error), "internal error: connection closed due to keepalive timeout")
        self.assertEqual(reasons, [(pyvirt.VIR_CONNECT_CLOSE_REASON_KEEPALIVE, 7)])

    def test_closeCallback(self) -> None:
        """
        There is one close callback at a time; it hears that the daemon hung up, and nothing when we do.
        """
        reasons: list[Any] = []

        def lost(conn: pyvirt.Connect, reason: int, opaque: Any) -> None:
            reasons.append((conn, reason, opaque))

        self.assertEqual(self.memory.result(self.conn.registerCloseCallback(lost, "x")), 0)
        error = self.failing(self.conn.registerCloseCallback(lost, "y"))
        self.assertIn("A close callback is already registered", str(error))
        other = self.memory.connect()
        self.memory.result(other.registerCloseCallback(lost, "z"))
        self.memory.result(other.close())
        self.memory.pipes[0].cut()
        self.memory.pump()
        self.assertEqual(reasons, [(self.conn, pyvirt.VIR_CONNECT_CLOSE_REASON_EOF, "x")])

    def test_noCloseCallback(self) -> None:
        """
        There is nothing to unregister where nothing is registered.
        """
        error = self.failing(self.conn.unregisterCloseCallback())
        self.assertEqual(
            str(error), "Requested operation is not valid: A different callback was requested"
        )


class ArgumentTests(ClientCase):
    """What happens to arguments before they are sent."""

    def sent(self) -> int:
        """How many packets wait on the client's side of the wire."""
        self.memory.clock.advance(0)
        return len(self.memory.pipes[0].client.outgoing)

    def test_absent(self) -> None:
        """
        Absent text is refused here, by the name that the C function has for it.
        """
        error = self.failureResultOf(self.conn.lookupByName(None), VirtError).value  # type: ignore[arg-type]
        self.assertEqual(str(error), "name in virDomainLookupByName must not be NULL")
        self.assertEqual((error.code, error.str1, error.str2), (8, "virDomainLookupByName", "name"))
        self.assertEqual(self.sent(), 0)

    def test_wrongTypes(self) -> None:
        """
        Arguments of wrong types are refused at once, as mistakes of the program.
        """
        self.assertRaises(TypeError, self.conn.lookupByName, 5)
        self.assertRaises(TypeError, self.conn.lookupByID, "x")
        self.assertRaises(OverflowError, self.conn.lookupByID, 1 << 40)
        self.assertEqual(self.sent(), 0)

    def test_flagsWrap(self) -> None:
        """
        Unsigned arguments keep their lowest bits.
        """
        error = self.failing(self.domain().XMLDesc(-1))
        self.assertEqual(
            str(error), "unsupported flags (0xfffffff4) in function testDomainGetXMLDesc"
        )

    def test_readOnly(self) -> None:
        """
        A read-only connection refuses changes itself; nothing is sent.
        """
        conn = self.memory.connect(flags=pyvirt.VIR_CONNECT_RO)
        dom = self.memory.result(conn.lookupByName("test"))
        error = self.failureResultOf(dom.destroy(), OperationDenied).value
        self.assertEqual(
            str(error), "operation forbidden: read only access prevents virDomainDestroy"
        )
        self.memory.clock.advance(0)
        self.assertEqual(len(self.memory.pipes[1].client.outgoing), 0)

    def test_UUIDs(self) -> None:
        """
        UUIDs are read as libvirt reads them.
        """
        text = "6695eb01-f6a4-8304-79aa-97f2502e193f"
        for each in (text, text.replace("-", ""), f" {text.upper()} ", text.replace("-", "--")):
            dom = self.memory.result(self.conn.lookupByUUIDString(each))
            self.assertEqual(dom.UUIDString(), text)
        for wrong in ("x", text[:-1], text + "-", "6-6" + text[2:]):
            error = self.failureResultOf(self.conn.lookupByUUIDString(wrong), VirtError).value
            self.assertEqual(str(error), "Invalid UUID")

    def test_surrogates(self) -> None:
        """
        Text that is no UTF-8 on the way travels as it came.
        """
        error = self.failing(self.conn.lookupByName("\udcff"))
        self.assertIsInstance(error, NoSuchDomain)


class DomainTests(ClientCase):
    """Domains."""

    def test_life(self) -> None:
        """
        A domain is stopped and started, and its handle follows its id.
        """
        dom = self.domain()
        self.assertEqual((dom.name(), dom.ID()), ("test", 1))
        self.assertEqual(self.memory.result(dom.destroy()), 0)
        self.assertEqual(dom.ID(), -1)
        self.assertEqual(self.memory.result(dom.create()), 0)
        self.assertEqual(dom.ID(), 2)
        self.assertEqual(self.memory.result(dom.isActive()), 1)
        self.assertIn("already running", str(self.failing(dom.create())))

    def test_lists(self) -> None:
        """
        The ways to list domains agree.
        """
        result = self.memory.result
        self.assertEqual([each.name() for each in result(self.conn.listAllDomains())], ["test"])
        self.assertEqual(result(self.conn.listDomainsID()), [1])
        self.assertEqual(result(self.conn.numOfDomains()), 1)
        self.assertEqual(result(self.conn.listDefinedDomains()), [])
        result(self.domain().destroy())
        self.assertEqual(result(self.conn.listDomainsID()), [])
        self.assertEqual(result(self.conn.listDefinedDomains()), ["test"])

    def test_withoutAwait(self) -> None:
        """
        A call runs without anybody waiting for it.
        """
        self.domain().setAutostart(1)
        self.memory.pump()
        self.assertEqual(self.memory.result(self.domain().autostart()), 1)

    def test_autostartOnce(self) -> None:
        """
        What a domain does at the next boot alone is kept apart from what it does at each, and with the
        domain; read-only connections may ask, not say.
        """
        result = self.memory.result
        domain = self.domain()
        self.assertEqual(result(domain.autostartOnce()), 0)
        self.assertEqual(result(domain.setAutostartOnce(1)), 0)
        self.assertEqual(result(self.domain().autostartOnce()), 1)
        self.assertEqual(result(domain.autostart()), 0)
        self.assertEqual(result(domain.setAutostartOnce(0)), 0)
        self.assertEqual(result(domain.autostartOnce()), 0)
        reader = result(self.memory.connect(flags=pyvirt.VIR_CONNECT_RO).lookupByName("test"))
        self.assertEqual(result(reader.autostartOnce()), 0)
        error = self.failing(reader.setAutostartOnce(1))
        self.assertEqual(error.code, ErrorCode.OPERATION_DENIED)


class LocalTests(SynchronousTestCase):
    """Drivers in this process, without a daemon."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.table = pyvirt.DriverTable(self.clock)

    def open(self, uri: str = "test:///default") -> pyvirt.Connect:
        return self.successResultOf(pyvirt.open(uri, table=self.table))

    def test_atOnce(self) -> None:
        """
        What the test driver answers at once, the client does too.
        """
        conn = self.open()
        dom = self.successResultOf(conn.lookupByName("test"))
        self.assertEqual(self.successResultOf(dom.state()), [1, 0])
        self.assertEqual(self.successResultOf(conn.getType()), "TEST")
        self.assertEqual(self.successResultOf(conn.isSecure()), 1)
        self.assertEqual(self.successResultOf(conn.isEncrypted()), 0)

    def test_shared(self) -> None:
        """
        C{test:///default} is the same for all connections of a table while one is open.
        """
        first, second = self.open(), self.open()
        self.successResultOf(self.successResultOf(first.lookupByName("test")).destroy())
        self.assertEqual(self.successResultOf(second.numOfDomains()), 0)
        self.successResultOf(first.close())
        self.successResultOf(second.close())
        self.assertEqual(self.successResultOf(self.open().numOfDomains()), 1)

    def test_errors(self) -> None:
        """
        Failures are those that the wire brings.
        """
        conn = self.open()
        error = self.failureResultOf(conn.lookupByName("nope"), NoSuchDomain).value
        self.assertEqual((str(error), error.domain), ("Domain not found", ErrorDomain.TEST))
        error = self.failureResultOf(conn.setKeepAlive(1, 1), VirtError).value
        self.assertEqual(error.code, ErrorCode.NO_SUPPORT)

    def test_events(self) -> None:
        """
        Events come in reactor turns of their own.
        """
        conn = self.open()
        seen: list[Any] = []
        dom = self.successResultOf(conn.lookupByName("test"))
        self.successResultOf(
            conn.domainEventRegisterAny(
                None, pyvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda *heard: seen.append(heard), "x"
            )
        )
        self.successResultOf(dom.suspend())
        self.assertEqual(seen, [])
        self.clock.advance(0)
        ((heardConn, heardDom, event, detail, opaque),) = seen
        self.assertIs(heardConn, conn)
        self.assertEqual((heardDom.name(), event, detail, opaque), ("test", 3, 0, "x"))
