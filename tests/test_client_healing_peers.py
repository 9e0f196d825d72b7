"""
Tests for connections that heal themselves where what comes back is not what was lost: other releases and hosts, at every
moment.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, execute

import pyvirt
from pyvirt import (
    ChangeKind,
    ConnectionGivenUp,
    ConnectionLost,
    ConnectionRestored,
    ConnectionRetried,
    Healing,
    OutcomeUnknown,
    VirtError,
)
from pyvirt.client.opening import connectBy
from pyvirt.daemon.passwords import PasswordFile
from pyvirt.daemon.sasl import SASL
from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.remote.connection import RemoteConnection
from pyvirt.drivers.remote.opening import openRemote
from pyvirt.drivers.remote.protocol import RemoteProtocol
from pyvirt.drivers.remote.target import Target
from pyvirt.drivers.test import TestDriver
from pyvirt.drivers.test.scenario.reading import readScenario
from pyvirt.drivertable import DriverTable
from pyvirt.errors import ErrorCode
from pyvirt.protocols.programs import REMOTE
from pyvirt.testing import memoryDaemon
from pyvirt.testing.older import FEATURES, release
from pyvirt.testing.transport import Pipe
from pyvirt.transports.endpoints import Address
from tests.test_client_healing import HealingCase
from tests.test_sasl import makeFile

LIFECYCLE = pyvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE
NETWORK = pyvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE
CEPH = pyvirt.VIR_SECRET_EVENT_ID_LIFECYCLE
P2P = pyvirt.VIR_MIGRATE_PEER2PEER | pyvirt.VIR_MIGRATE_LIVE


class PeerCase(HealingCase):
    """A daemon in whose place another comes."""

    def become(self, **less: Any) -> None:
        """Lose the connection, and find a daemon that offers less in its place."""
        self.told.clear()
        self.lose()
        self.memory.daemon.offerLess(**less)
        self.back()
        self.assertIsInstance(self.told[-1], ConnectionRestored, self.told)

    def code(self, waiting: Deferred[Any]) -> int:
        """Return the code of the error that a call fails with."""
        try:
            answer = self.result(waiting)
        except VirtError as error:
            return error.code
        self.fail(f"it answers {answer!r}")

    def suspend(self) -> None:
        """Let something happen to a domain."""
        dom = self.result(self.other.lookupByName("test"))
        self.result(dom.suspend())
        self.result(dom.resume())


class LessTests(PeerCase):
    """A daemon of another release."""

    def test_features(self) -> None:
        """
        What the daemon can do is asked anew of each, for it may be more or less.
        """
        conn = self.open()
        dom = self.result(conn.lookupByName("test"))
        for lacking, code in (
            ((), ErrorCode.INVALID_ARG),
            ((4,), ErrorCode.ARGUMENT_UNSUPPORTED),
            ((), ErrorCode.INVALID_ARG),
        ):
            self.become(lacking=lacking)
            self.assertEqual(self.code(dom.migrateToURI3("nonsense://", {}, P2P)), code)

    def test_older(self) -> None:
        """
        An old release is no reason to give up: what it does not know is told by the call that needs it.
        """
        conn = self.open()
        heard: list[Any] = []
        numbers = [
            self.result(
                conn.domainEventRegisterAny(None, LIFECYCLE, lambda *a: heard.append(a), 1)
            ),
            self.result(conn.networkEventRegisterAny(None, NETWORK, lambda *a: heard.append(a), 2)),
        ]
        for version, events, compared in (
            ("0.9.12", 2, ()),
            ("1.0.6", 2, ("domain", "network", "pool")),
            ("9.0.0", 2, ("domain", "network", "pool")),
            ("0.9.12", 2, ()),
        ):
            self.become(version=version)
            restored = self.told[-1]
            self.assertEqual(restored.changes, ())
            self.assertLessEqual(restored.compared, set(compared), version)
            # Networks told nothing then.
            old = release(version) < (1, 2, 1)
            self.assertEqual([each.code for each in restored.silenced], [ErrorCode.RPC] * old)
            heard.clear()
            self.suspend()
            self.assertEqual([each[-1] for each in heard], [1] * events, version)
            self.assertEqual(
                self.result(conn.getLibVersion()) // 1000,
                int(version.split(".")[0]) * 1000 + int(version.split(".")[1]),
            )
        self.assertEqual(self.code(conn.listAllDomains()), ErrorCode.RPC)
        self.assertEqual(self.result(conn.numOfDomains()), 1)
        self.result(conn.domainEventDeregisterAny(numbers[0]))
        heard.clear()
        self.suspend()
        self.assertEqual(heard, [])
        self.become()
        self.result(conn.networkEventDeregisterAny(numbers[1]))

    def test_everyRelease(self) -> None:
        """
        Whatever the release is, the connection comes back.
        """
        conn = self.open()
        for version in sorted({*FEATURES.values()}, key=release):
            self.become(version=version)
            self.assertEqual(self.result(conn.getType()), "TEST")

    def test_oldEvents(self) -> None:
        """
        Of a daemon that knows no numbers of callbacks each hears what it asked for, once, until it is taken away.
        """
        self.result(self.result(self.other.defineXML(OTHER)).create())
        self.memory.daemon.offerLess(version="1.0.0")
        conn = self.open(compare=False)
        dom = self.result(conn.lookupByName("test"))
        heard: list[Any] = []
        asked = [
            conn.domainEventRegisterAny(about, event, lambda *a: heard.append(a[-1]), opaque)
            for about, event, opaque in (
                (None, LIFECYCLE, "all"),
                (dom, LIFECYCLE, "one"),
                (self.result(conn.lookupByName("other")), LIFECYCLE, "other"),
                (None, pyvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, "removed"),
            )
        ]
        numbers = [self.result(each) for each in asked]
        self.suspend()
        self.assertEqual(heard, ["all", "one"] * 2)
        heard.clear()
        device = "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>"
        self.result(dom.attachDeviceFlags(device, pyvirt.VIR_DOMAIN_AFFECT_LIVE))
        self.result(dom.detachDeviceFlags(device, pyvirt.VIR_DOMAIN_AFFECT_LIVE))
        self.assertEqual(heard, ["removed"])
        self.result(conn.domainEventDeregisterAny(numbers[0]))
        heard.clear()
        self.suspend()
        self.assertEqual(heard, ["one"] * 2)
        for number in numbers[1:]:
            self.result(conn.domainEventDeregisterAny(number))
        heard.clear()
        self.suspend()
        self.assertEqual(heard, [])
        # It can be asked for again, and what the daemon does not have is refused.
        self.result(conn.domainEventRegisterAny(None, LIFECYCLE, lambda *a: heard.append("new"), 0))
        self.suspend()
        self.assertEqual(heard, ["new"] * 2)
        tunable = pyvirt.VIR_DOMAIN_EVENT_ID_TUNABLE
        self.code(conn.domainEventRegisterAny(None, tunable, lambda *a: None, 0))

    def test_silenced(self) -> None:
        """
        Who asks for what the daemon refused at its coming is told so; and hears, with those before, once one tells it.
        """
        conn = self.open()
        heard: list[Any] = []
        self.result(conn.secretEventRegisterAny(None, CEPH, lambda *a: heard.append("first"), 0))
        self.become(without=("connectSecretEventRegisterAny",))
        self.assertEqual([each.code for each in self.told[-1].silenced], [ErrorCode.RPC])
        second = lambda *a: heard.append("second")  # noqa: E731
        for _ in range(2):
            waiting = conn.secretEventRegisterAny(None, CEPH, second, 0)
            self.assertEqual(self.code(waiting), ErrorCode.RPC)
        # The same daemon learns it without the connection being lost.
        self.memory.daemon.offerLess()
        self.result(conn.secretEventRegisterAny(None, CEPH, second, 0))
        self.secret("one")
        self.assertEqual(heard, ["first", "second"])
        heard.clear()
        self.become()
        self.secret("two")
        self.assertEqual(heard, ["first", "second"])

    def secret(self, name: str) -> None:
        """Define a secret."""
        self.result(
            self.other.secretDefineXML(
                f"<secret><usage type='ceph'><name>{name}</name></usage></secret>"
            )
        )

    def test_otherHost(self) -> None:
        """
        Where another host answers in its place, all that was there is gone, and what is there has appeared.
        """
        conn = self.open()
        self.result(self.other.defineXML(OTHER))
        dom = self.result(conn.lookupByName("other"))
        scenario = readScenario({"domains": [{"name": "web", "count": 1}]})
        drivers = DriverTable(self.memory.clock, [TestDriver(scenario=scenario)], remote=False)
        self.told.clear()
        self.lose()
        self.memory.daemon = memoryDaemon(self.memory.clock, drivers)
        self.back()
        changes = {each.object.name(): each.kind for each in self.told[-1].changes}
        self.assertEqual(changes["other"], ChangeKind.GONE)
        self.assertEqual(changes["web"], ChangeKind.APPEARED)
        self.assertEqual(self.code(dom.info()), ErrorCode.NO_DOMAIN)
        found = [each.name() for each in self.result(conn.listAllDomains())]
        self.assertEqual(sorted(found), ["test", "web"])


OTHER = (
    "<domain type='test'><name>other</name><memory>8192</memory><os><type>hvm</type></os></domain>"
)


class MomentTests(PeerCase):
    """Losing it in the middle of something."""

    def test_calls(self) -> None:
        """
        A call is answered or its outcome is unknown, whenever the connection breaks; later ones are answered.
        """
        outcomes = set()
        for moments in range(8):
            conn = self.open()
            waiting = conn.getHostname()
            for _ in range(moments):
                self.memory.pipes[-1].deliver()
                self.memory.clock.advance(0)
            outcomes.add(bool(waiting.called))
            self.lose()
            later = conn.getHostname()
            if waiting.called:
                waiting.addErrback(lambda failure: failure.trap(OutcomeUnknown))
            self.assertTrue(waiting.called)
            self.back()
            self.assertNotEqual(self.successResultOf(later), "")
            self.result(conn.close())
        self.assertEqual(outcomes, {True, False})
        self.nothingLeft()

    def test_registering(self) -> None:
        """
        A callback whose registration was on its way is not there, and can be registered again.
        """
        for moments in range(4):
            conn = self.open(compare=False)
            heard: list[Any] = []
            callback = lambda *a, heard=heard: heard.append(a)  # type: ignore[misc]  # noqa: E731
            waiting = conn.domainEventRegisterAny(None, LIFECYCLE, callback, None)
            for _ in range(moments):
                self.memory.pipes[-1].deliver()
            answered = bool(waiting.called)
            self.lose()
            if not answered:
                self.failureResultOf(waiting, OutcomeUnknown)
            self.back()
            self.suspend()
            self.assertEqual(len(heard), 2 * answered)
            if not answered:
                self.result(conn.domainEventRegisterAny(None, LIFECYCLE, callback, None))
                self.suspend()
                self.assertEqual(len(heard), 2)
            self.result(conn.close())
        self.nothingLeft()

    def test_lostWhileHealing(self) -> None:
        """
        It may be lost at any moment of its coming back: it is tried again, and nobody waits for ever.
        """
        for moments in range(1, 12):
            conn = self.open()
            self.result(conn.domainEventRegisterAny(None, LIFECYCLE, lambda *a: None, None))
            self.lose()
            waiting = conn.getHostname()
            self.memory.clock.advance(0.5)
            for _ in range(moments):
                self.memory.pipes[-1].deliver()
            self.memory.disconnect()
            for _ in range(4):
                self.back(1.0)
            self.assertEqual(conn.isAlive(), 1, moments)
            waiting.addErrback(lambda failure: failure.trap(OutcomeUnknown))
            self.assertTrue(waiting.called)
            self.result(conn.close())
            self.assertEqual(len(self.memory.daemon.server.sessions), 1)
        self.nothingLeft()

    def test_cancelledWhileHealing(self) -> None:
        """
        A call that is given up while the connection comes back is not made, whatever the moment.
        """
        for moments in range(10):
            conn = self.open()
            self.lose()
            waiting = conn.lookupByName("test")
            self.memory.clock.advance(0.5)
            for _ in range(moments):
                self.memory.pipes[-1].deliver()
            if not waiting.called:
                waiting.cancel()
                self.failureResultOf(waiting, CancelledError)
            self.back()
            self.assertEqual(self.result(conn.getType()), "TEST")
            self.result(conn.close())
        self.nothingLeft()

    def test_stream(self) -> None:
        """
        A stream ends with its connection, for who waits and who does not; another is opened on the one that comes.
        """
        for flags in (0, pyvirt.VIR_STREAM_NONBLOCK):
            conn = self.open()
            dom = self.result(conn.lookupByName("test"))
            stream = conn.newStream(flags)
            self.result(dom.screenshot(stream, 0))
            first = self.result(stream.recv(10))
            self.assertEqual(len(first), 10)
            self.lose()
            error = self.until(stream)
            self.assertEqual(error.code, ErrorCode.SYSTEM_ERROR)
            self.failureResultOf(stream.recv(10), VirtError)
            waiting = conn.newStream(flags)
            opened = dom.screenshot(waiting, 0)
            self.back()
            self.assertEqual(self.successResultOf(opened), "image/png")
            self.assertEqual(self.result(waiting.recv(10)), first)
            self.result(waiting.abort())
            self.result(conn.close())
        self.nothingLeft()

    def until(self, stream: Any) -> VirtError:
        """Read until it fails."""
        for _ in range(1000):
            try:
                data = self.result(stream.recv(65536))
            except VirtError as error:
                return error
            if data in (-2, b""):
                self.fail(f"the stream says {data!r}")
        self.fail("the stream does not end")

    def test_keepaliveMeanwhile(self) -> None:
        """
        What is said about keepalive while the connection is away is what watches the next.
        """
        conn = self.open(keepalive=None)
        self.memory.reachable = False
        self.lose()
        self.assertEqual(self.result(conn.setKeepAlive(3, 2)), 0)
        self.back()
        self.memory.reachable = True
        self.back(1.0)
        self.assertIsInstance(self.told[-1], ConnectionRestored)
        self.memory.pipes[-1].client.pauseProducing()
        for _ in range(3):
            self.back(3.0)
        self.assertEqual(self.told[-2], ConnectionLost(pyvirt.VIR_CONNECT_CLOSE_REASON_KEEPALIVE))
        self.result(conn.close())
        self.nothingLeft()

    def test_hypervisorLost(self) -> None:
        """
        A daemon that tells of its hypervisor's loss before the connection is ready is left again.
        """
        errors: set[str] = set()
        closed = REMOTE.byName["connectEventConnectionClosed"]
        for moments in range(1, 12):
            conn = self.open()
            self.lose()
            self.memory.clock.advance(0.5)
            for _ in range(moments):
                self.memory.pipes[-1].deliver()
            if not conn.isAlive():
                client: Any = self.memory.pipes[-1].client.protocol
                body = closed.argumentCodec.encode((pyvirt.VIR_CONNECT_CLOSE_REASON_EOF,))
                client.onMessage(REMOTE.number, closed.number, bytes(28) + body)
            for _ in range(3):
                self.back(1.0)
            self.assertEqual(conn.isAlive(), 1)
            errors.update(
                str(each.error) for each in self.told if isinstance(each, ConnectionRetried)
            )
            self.result(conn.close())
        self.assertEqual(errors, {"None", "internal error: the connection was lost again at once"})
        self.nothingLeft()


class CredentialTests(PeerCase):
    """Daemons that ask who is there."""

    def setUp(self) -> None:
        super().setUp()
        self.asked = 0
        self.password: str | None = "secret"
        sasl = SASL(
            passwords=PasswordFile(makeFile(self)),
            inThread=lambda function, *arguments: execute(function, *arguments),
        )
        self.memory.daemon.server.logins = lambda: sasl

    def answer(self, wanted: list[list[Any]], opaque: Any) -> int:
        self.asked += 1
        if self.password is None:
            return -1
        for each in wanted:
            each[4] = self.password if each[0] == pyvirt.VIR_CRED_PASSPHRASE else "joe"
        return 0

    def opening(self) -> Any:
        clock = self.memory.clock
        kinds = [pyvirt.VIR_CRED_AUTHNAME, pyvirt.VIR_CRED_PASSPHRASE]

        async def reach() -> Any:
            protocol = RemoteProtocol(clock)
            server = self.memory.daemon.protocol(auth="sasl")
            self.memory.pipes.append(Pipe(protocol, server))
            connection = RemoteConnection(protocol, "test:///default", secure=True, encrypted=False)
            target = Target(address=Address(transport="unix"), name="test:///default")
            context = OpenContext(reactor=clock, auth=[kinds, self.answer, None])
            return await openRemote(connection, target, context, {"HOME": "/no/such/place"})

        heal = Healing(random=lambda: 0.0, onChange=self.heard)
        return Deferred.fromCoroutine(
            connectBy(lambda: Deferred.fromCoroutine(reach()), clock, False, heal)
        )

    def test_askedAgain(self) -> None:
        """
        Each connection asks again, for a password may have changed; one that is wrong ends it, and so does giving none.
        """
        for password in ("wrong", None):
            self.password = "secret"
            self.conn = self.result(self.opening())
            before = self.asked
            self.told.clear()
            self.lose()
            self.back()
            self.assertIsInstance(self.told[-1], ConnectionRestored)
            self.assertEqual(self.asked, before + 1)
            self.password = password
            self.lose()
            waiting = self.conn.getHostname()
            self.back()
            self.assertIsInstance(self.told[-1], ConnectionGivenUp)
            self.failureResultOf(waiting, VirtError)
            self.back(300.0)
            self.assertEqual(self.asked, before + 2)
            self.result(self.conn.close())
        self.nothingLeft()
