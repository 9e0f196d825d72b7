"""
The test driver on its own: guests that the source's daemon moves by itself, and what becomes of them whatever fails.

Two daemons in memory; the source's reaches the other through a network whose cables the tests cut.
"""

from __future__ import annotations

from itertools import count, groupby
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pyvirt import constants as c
from pyvirt.client.connect import Connect
from pyvirt.drivers.interfaces.definition import IDomainDefinition
from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.interfaces.migration import IDomainMigration
from pyvirt.drivers.test import TestDriver, host
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError
from pyvirt.testing import MemoryDaemon, memoryConnection
from pyvirt.testing.transport import Pipe
from pyvirt.uri import parseURI

_P2P = c.VIR_MIGRATE_PEER2PEER
_LIVE = _P2P | c.VIR_MIGRATE_LIVE
_URI = "test+unix:///default?socket=/there"
_XML = """<domain type='test'><name>web</name><memory>65536</memory><os><type>hvm</type></os></domain>"""
_LOST = "internal error: client socket is closed"
_OPENING = "End of file while reading data: Input/output error"


class Cable(Pipe):
    """A pipe that is cut when it has carried so much, in either direction."""

    left = -1
    network: Any = None

    def deliver(self, pieces: int = 0) -> bool:
        """Hand over what waits, and closures."""
        moved = False
        for near, far in ((self.client, self.server), (self.server, self.client)):
            if not self.left:
                self.left = -1
                if self.network.vanishing:
                    self.network.daemons.clear()
                self.cut()
                return True
            if self._forward(near, far, pieces):
                self.left -= 1
                moved = True
        return moved


class Network(Clock):
    """
    Time, and what sockets lead to.

    @ivar daemons: by paths.
    @ivar cables: what joins them, once somebody has connected.
    @ivar left: how much the first cable carries, negative: all.
    @ivar vanishing: whether nobody is reached any more once it is cut.
    """

    def __init__(self, pipes: list[Any]) -> None:
        super().__init__()
        self.daemons: dict[str, MemoryDaemon] = {}
        self.cables: list[Cable] = []
        self.left = -1
        self.vanishing = False
        self._pipes = pipes

    def connectUNIX(self, path: str, factory: Any, timeout: float = 30, checkPID: bool = False):
        """Connect, or be refused."""
        if path not in self.daemons:
            factory.clientConnectionFailed(None, Failure(ConnectError(111)))
            return
        client = factory.buildProtocol(UNIXAddress(path))
        cable = Cable(client, self.daemons[path].protocol())
        cable.network, cable.left, self.left = self, self.left, -1
        self.cables.append(cable)
        self._pipes.append(cable)


class PeerCase(SynchronousTestCase):
    """Two hosts, with somebody connected to each, and a guest at the first."""

    def setUp(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Make both anew."""
        pipes: list[Any] = []
        self.network = Network(pipes)
        self.here = memoryConnection(clock=self.network, scenario={})
        self.there = memoryConnection(clock=self.network, scenario={})
        self.here.pipes = self.there.pipes = pipes
        self.network.daemons["/there"] = self.there.daemon
        self.source = self.here.connect()
        self.target = self.there.connect()
        self.guest = self.here.result(self.source.createXML(_XML, 0))
        self.told: list[tuple[Any, ...]] = []
        for name, conn in (("source", self.source), ("target", self.target)):
            self.here.result(
                conn.domainEventRegisterAny(
                    None,
                    c.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                    lambda _, domain, event, detail, name: self.told.append((name, event, detail)),
                    name,
                )
            )

    def move(self, flags: int = _LIVE, uri: str | None = _URI, **params: Any) -> Deferred[Any]:
        """Begin a migration."""
        return Deferred.fromCoroutine(self._move(uri, params, flags))

    async def _move(self, uri: str | None, params: dict[str, Any], flags: int) -> None:
        await self.guest.migrateToURI3(uri, params, flags)

    def outcome(self, moving: Deferred[Any], most: int = 200) -> VirtError | None:
        """Let time pass until a migration is over; return what went wrong."""
        found: list[Any] = []
        moving.addBoth(found.append)
        for _ in range(most):
            self.here.pump()
            if found:
                break
            self.here.pump(1)
        self.assertEqual(len(found), 1, "it does not end")
        if isinstance(found[0], Failure):
            found[0].trap(VirtError)
            error: VirtError = found[0].value
            return error
        return None

    def state(self, conn: Connect, name: str = "web") -> tuple[int, int] | None:
        """Return the state of the guest at a host, and its reason; None: it is not known there."""
        try:
            domain = self.here.result(conn.lookupByName(name))
        except VirtError as error:
            self.assertEqual(error.code, ErrorCode.NO_DOMAIN)
            return None
        state, reason = self.here.result(domain.state())
        return state, reason

    def stays(self, error: VirtError | None, code: ErrorCode, text: str) -> None:
        """It was refused so, the guest goes on here alone, and can be moved by others."""
        assert error is not None
        self.assertIn(text, str(error))
        self.assertEqual(error.code, code)
        found = self.state(self.source)
        assert found is not None
        self.assertEqual(found[0], c.VIR_DOMAIN_RUNNING)
        self.assertIsNone(self.state(self.target))
        self.assertIsNone(self.outcome(self.move()))
        self.arrived()

    def arrived(self, name: str = "web") -> None:
        """The guest runs there, and not here."""
        self.assertEqual(
            self.state(self.target, name), (c.VIR_DOMAIN_RUNNING, c.VIR_DOMAIN_RUNNING_MIGRATED)
        )
        self.assertIsNone(self.state(self.source))


class MovingTests(PeerCase):
    """Migrations that succeed."""

    def test_live(self) -> None:
        """The events are those of a migration that a client leads, and in their order; the connection is closed."""
        self.here.result(self.source.defineXML(_XML.replace("<memory>", _uuid(self.guest))))
        flags = _LIVE | c.VIR_MIGRATE_PERSIST_DEST | c.VIR_MIGRATE_UNDEFINE_SOURCE
        self.told.clear()
        self.assertIsNone(self.outcome(self.move(flags)))
        self.arrived()
        self.assertEqual(
            [each for each in self.told if each[0] == "source"],
            [("source", 3, 1), ("source", 5, 3), ("source", 1, 0)],
        )
        self.assertEqual(
            [each for each in self.told if each[0] == "target"],
            [("target", 2, 1), ("target", 0, 0), ("target", 4, 1)],
        )
        moved = self.here.result(self.target.lookupByName("web"))
        self.assertEqual(self.here.result(moved.isPersistent()), 1)
        (cable,) = self.network.cables
        self.assertFalse(cable.client.connected)
        job = self.here.result(self.source.listAllDomains())
        self.assertEqual([each.name() for each in job], ["test"])

    def test_ways(self) -> None:
        """Guests arrive under another name, paused if they were or are to be, however fast they are sent."""
        self.assertIsNone(self.outcome(self.move(_P2P, destination_name="other", bandwidth=1)))
        self.assertGreaterEqual(self.network.seconds(), 64)
        self.arrived("other")
        for flags in (_LIVE, _LIVE | c.VIR_MIGRATE_PAUSED):
            self.begin()
            if not flags & c.VIR_MIGRATE_PAUSED:
                self.here.result(self.guest.suspend())
            self.assertIsNone(self.outcome(self.move(flags)))
            self.assertEqual(self.state(self.target), (c.VIR_DOMAIN_PAUSED, 1))

    def test_slow(self) -> None:
        """The destination waits for one that was made slow before; it can be hurried."""
        self.here.result(self.guest.migrateSetMaxSpeed(1))
        flags = _LIVE | c.VIR_MIGRATE_POSTCOPY
        moving = self.move(flags)
        for _ in range(62):
            self.here.pump(1)
        self.assertNoResult(moving)
        self.here.result(self.guest.migrateStartPostCopy())
        self.assertIsNone(self.outcome(moving))
        self.arrived()
        self.begin()
        self.here.result(self.guest.migrateSetMaxSpeed(0))
        self.assertIsNone(self.outcome(self.move(), 3))

    def test_offline(self) -> None:
        """One that does not run moves as a definition, and only to stay."""
        self.here.result(self.source.defineXML(_XML.replace("<memory>", _uuid(self.guest))))
        self.here.result(self.guest.destroy())
        error = self.outcome(self.move())
        assert error is not None
        self.assertEqual(str(error), "Requested operation is not valid: domain is not running")
        flags = _P2P | c.VIR_MIGRATE_OFFLINE
        error = self.outcome(self.move(flags))
        assert error is not None
        self.assertIn("must be specified with the persistent flag set", str(error))
        self.assertIsNone(self.state(self.target))
        self.assertIsNone(self.outcome(self.move(flags | c.VIR_MIGRATE_PERSIST_DEST)))
        self.assertEqual((self.state(self.target) or (0,))[0], c.VIR_DOMAIN_SHUTOFF)
        self.assertEqual((self.state(self.source) or (0,))[0], c.VIR_DOMAIN_SHUTOFF)

    def test_askerLeaves(self) -> None:
        """It goes on when whoever asked for it is gone."""
        kept = self.here.connect()
        moving = self.move()
        moving.addErrback(lambda failure: failure.trap(VirtError) and None)
        self.here.pump()
        self.assertIsNotNone(self.state(self.target))
        self.here.pipes[self._first()].cut()
        self.here.pump()
        self.here.pump(1)
        self.source = kept
        self.arrived()

    def _first(self) -> int:
        return next(
            at
            for at, pipe in enumerate(self.here.pipes)
            if pipe.client.protocol is self.source._session.connection.protocol
        )


class RefusedTests(PeerCase):
    """Migrations that do not begin, and those that fail."""

    def test_destinations(self) -> None:
        """Destinations that cannot be reached, or do not take guests, are refused in libvirt's words."""
        remote: Any = self.source._remote
        for name, code, text in (
            (None, ErrorCode.INVALID_ARG, "no URI of the destination was given"),
            ("nonsense", ErrorCode.NO_CONNECT, "URI 'nonsense' does not include a driver name"),
        ):
            error = self.outcome(
                remote.domainMigratePerform3Params(self.guest._ref, name, [], b"", _LIVE)
            )
            assert error is not None
            self.assertEqual(error.code, code)
            self.assertIn(text, str(error))
        for uri, code, text in (
            ("nonsense", ErrorCode.INVALID_ARG, "Attempt to migrate guest to the same host"),
            (
                "test+unix:///default?socket=/nowhere",
                ErrorCode.SYSTEM_ERROR,
                "Failed to connect socket to '/nowhere': Connection refused",
            ),
            (
                "test+unix:///no/such/file.xml?socket=/there",
                ErrorCode.XML_ERROR,
                "/no/such/file.xml",
            ),
        ):
            self.begin()
            self.stays(self.outcome(self.move(uri=uri)), code, text)
            self.assertIsNone(self.state(self.target, "other"))

    def test_itself(self) -> None:
        """A host does not take its own guests."""
        self.network.daemons["/here"] = self.here.daemon
        error = self.outcome(self.move(uri="test+unix:///default?socket=/here"))
        self.stays(error, ErrorCode.INTERNAL_ERROR, "Attempt to migrate guest to the same host")

    def test_flags(self) -> None:
        """What cannot be honoured is said so, and nothing is begun."""
        tunnelled = c.VIR_MIGRATE_TUNNELLED
        error = self.outcome(self.move(_LIVE | tunnelled))
        self.assertEqual(self.network.cables, [])
        self.stays(error, ErrorCode.ARGUMENT_UNSUPPORTED, "tunnelled migration is not supported")
        self.begin()
        self.stays(
            self.outcome(self.move(_LIVE | 1 << 30)),
            ErrorCode.INVALID_ARG,
            "unsupported flags (0x40000000) in function testDomainMigratePerform3Params",
        )
        self.begin()
        error = self.outcome(self.move(_LIVE, bandwidth=1 << 43))
        self.stays(error, ErrorCode.OVERFLOW, "bandwidth must be less than")
        self.begin()
        self.stays(
            self.outcome(self.move(_LIVE, destination_xml="<x/>")),
            ErrorCode.XML_ERROR,
            "root element",
        )
        self.assertEqual(len(self.network.cables), 1)

    def test_steps(self) -> None:
        """A destination that refuses a step leaves the guest here."""
        for step in ("connectOpen", "domainMigratePrepare3Params", "domainMigrateFinish3Params"):
            for flags in (_P2P, _LIVE):
                self.begin()
                self.there.scenario.inject(
                    calls=step, code="RESOURCE_BUSY", domain="TEST", text="not now", times=1
                )
                error = self.outcome(self.move(flags))
                self.here.pump(100)
                self.stays(error, ErrorCode.RESOURCE_BUSY, "not now")

    def test_without(self) -> None:
        """A destination that moves no guests between daemons is told from others."""
        self.outcome(self.move(uri="nonsense"))  # now the client knows what the source can do
        known = host._FEATURES
        for features, code, text in (
            (
                known - {4},
                ErrorCode.OPERATION_FAILED,
                "Destination libvirt does not support peer-to-peer migration protocol",
            ),
            (
                known - {13},
                ErrorCode.ARGUMENT_UNSUPPORTED,
                "Migration APIs with extensible parameters are not supported",
            ),
        ):
            self.patch(host, "_FEATURES", features)
            error = self.outcome(self.move())
            assert error is not None
            self.assertEqual((error.code, error.domain), (code, ErrorDomain.TEST))
            self.assertIn(text, str(error))
        self.patch(host, "_FEATURES", known)
        self.assertEqual((self.state(self.source) or (0,))[0], c.VIR_DOMAIN_RUNNING)
        self.assertIsNone(self.state(self.target))

    def test_aborted(self) -> None:
        """It can be given up while it is sent."""
        for flags in (_P2P, _LIVE):
            self.begin()
            moving = self.move(flags)
            self.here.pump()
            self.assertIsNotNone(self.state(self.target))
            self.here.result(self.guest.abortJob())
            self.stays(
                self.outcome(moving),
                ErrorCode.OPERATION_ABORTED,
                "migration out job: canceled by client",
            )

    def test_others(self) -> None:
        """Nobody else moves it meanwhile, or says that it was moved."""
        moving = self.move()
        self.here.pump()
        with self.assertRaises(VirtError) as caught:
            self.here.result(self.move())
        self.assertEqual(caught.exception.code, ErrorCode.OPERATION_TIMEOUT)
        remote: Any = self.source._remote
        for cancelled in (0, 1):
            confirming = remote.domainMigrateConfirm3Params(
                self.guest._ref, [], b"", _LIVE, cancelled
            )
            with self.assertRaises(VirtError) as caught:
                self.here.result(confirming)
            self.assertIn("another migration job is already running", str(caught.exception))
        self.assertIsNone(self.outcome(moving))
        self.arrived()

    def test_destroyed(self) -> None:
        """A guest that ends on its way is nowhere."""
        for flags in (_P2P, _LIVE):
            self.begin()
            moving = self.move(flags)
            self.here.pump()
            self.here.result(self.guest.destroy())
            error = self.outcome(moving)
            assert error is not None
            self.assertEqual(str(error), "operation failed: domain is not running")
            self.assertIsNone(self.state(self.source))
            self.assertIsNone(self.state(self.target))
            self.assertNotIn(("source", 4, 1), self.told)


class HarmTests(PeerCase):
    """The destination is lost at every moment."""

    def harmed(self, left: int, again: bool) -> str:
        """
        Move a guest with a cable that is cut.

        @param again: whether the destination can be reached again.
        @return: what became of it; nothing when it was not cut before the end.
        """
        self.begin()
        self.network.left, self.network.vanishing = left, not again
        moving = self.move()
        self.here.pump()
        self.here.pump(1)
        (cable, *_) = self.network.cables
        cut = not cable.client.connected and cable.left < 0
        error = self.outcome(moving)
        self.here.pump(100)
        states = [self.state(conn) for conn in (self.source, self.target)]
        running = [each is not None and each[0] == c.VIR_DOMAIN_RUNNING for each in states]
        if error is None:
            self.arrived()
        elif again or running[0]:
            self.assertEqual((running, states[1]), ([True, False], None), (left, states, error))
        else:
            # Nobody here knows whether it runs there.
            self.assertEqual(states[0], (c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_MIGRATION))
            self.assertEqual(running[1], states[1] is not None)
        if not cut:
            self.assertIsNone(error)
            return ""
        if error is not None:
            self.assertIn(str(error), (_LOST, _OPENING))
        return "moved" if error is None else "stays" if running[0] else "unknown"

    def everywhere(self, again: bool) -> list[str]:
        """Say what becomes of a guest, for each moment of the cut, without repetitions."""
        moments = count(1)
        found = list(iter(lambda: self.harmed(next(moments), again), ""))
        self.assertGreater(len(found), 12)
        return [kind for kind, _ in groupby(found)]

    def test_cut(self) -> None:
        """Exactly one guest runs in the end, wherever the cable is cut."""
        self.assertEqual(self.everywhere(True), ["stays", "moved"])

    def test_lost(self) -> None:
        """Never do two run, though the destination is not seen again."""
        self.assertEqual(self.everywhere(False), ["stays", "unknown", "moved"])


class TrustTests(SynchronousTestCase):
    """Who may say where the daemon connects to."""

    def test_uri(self) -> None:
        """Clients without the daemon's rights name another daemon's small host, and nothing else."""
        context = OpenContext(reactor=Clock(), inDaemon=True, trusted=False)
        opened: Any = TestDriver().open(parseURI("test:///default"), context)
        self.addCleanup(opened.close)
        domain = opened.component(IDomainDefinition).domainLookupByName("test")
        perform = opened.component(IDomainMigration).domainMigratePerform3Params
        for uri in (
            "qemu:///system",
            "qemu+unix:///default?socket=/there",
            "test+ssh://host/default?command=/bin/evil",
            "test+ssh://host/default?keyfile=/root/.ssh/id_rsa",
            "test+ext:///default",
            "test+tcp://host/etc/shadow",
            "test+tcp://host/some.toml",
            "test+tcp://host/default?domains=1000000",
            "test+tcp://host/",
        ):
            waiting = perform(domain, uri, [], b"", _LIVE)
            error = self.failureResultOf(waiting, VirtError).value
            self.assertEqual(
                (error.code, error.domain), (ErrorCode.OPERATION_DENIED, ErrorDomain.TEST), uri
            )


def _uuid(guest: Any) -> str:
    return f"<uuid>{guest.UUIDString()}</uuid><memory>"
