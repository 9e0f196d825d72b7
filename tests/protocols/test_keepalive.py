"""
Keepalive: when pings go out, who answers, and when a peer is given up.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.errors import OutcomeUnknown
from pyvirt.protocols.keepalive import PING, PONG, Keepalive
from pyvirt.protocols.message import pack
from pyvirt.protocols.programs import REMOTE
from tests.protocols.support import Client, EchoServer, Pipe

HOSTNAME = REMOTE.byName["connectGetHostname"]


class WatchTests(SynchronousTestCase):
    """The watch alone."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.sent: list[float] = []
        self.deaths: list[float] = []

    def watch(self, interval: float = 5, count: int = 5) -> Keepalive:
        """Watch from now on."""
        watch = Keepalive(
            self.clock,
            interval,
            count,
            lambda data: self.sent.append(self.clock.seconds()),
            lambda: self.deaths.append(self.clock.seconds()),
        )
        watch.start()
        return watch

    def pass_(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)

    def test_silence(self) -> None:
        """Pings at 5, 10, 15, 20 and 25 seconds; given up at 30."""
        self.watch()
        self.pass_(60)
        self.assertEqual((self.sent, self.deaths), ([5, 10, 15, 20, 25], [30]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lifeSigns(self) -> None:
        """Anything heard starts the count anew, from when it was heard."""
        watch = self.watch()
        self.pass_(12)
        watch.heard = self.clock.seconds()
        self.pass_(60)
        self.assertEqual(self.sent, [5, 10, 17, 22, 27, 32, 37])
        self.assertEqual(self.deaths, [42])

    def test_busyPeer(self) -> None:
        """A peer that talks is never asked."""
        watch = self.watch()
        for _ in range(200):
            self.clock.advance(0.5)
            watch.heard = self.clock.seconds()
        self.assertEqual((self.sent, self.deaths), ([], []))

    def test_noPings(self) -> None:
        """With a count of 0 silence alone is enough."""
        self.watch(count=0)
        self.pass_(10)
        self.assertEqual((self.sent, self.deaths), ([], [5]))

    def test_peerThatPings(self) -> None:
        """A peer that pings by itself is not asked, and looked at seldom; silent, it is given up no later."""
        for count, sent, dead, looked in (
            (5, [39, 44], [49], [5, 24, 39]),
            (3, [29, 34], [39], [5, 14, 19, 24, 29]),
            (2, [29], [34], [5, 14, 19, 24, 29]),
            (1, [9.5, 14.5, 19.5, 24.5], [29.5], [5, 9.5, 14.5, 19.5, 24.5]),
        ):
            self.clock = Clock()
            self.sent, self.deaths = [], []
            watch = self.watch(count=count)
            looks = []
            for turn in range(1, 200):
                if turn % 10 == 0 and turn < 50:
                    watch.pinged = watch.heard = self.clock.seconds()
                (look,) = (each.getTime() for each in self.clock.getDelayedCalls())
                if look not in looks and turn < 50:
                    looks.append(look)
                self.clock.advance(0.5)
                if self.deaths:
                    break
            self.assertEqual((self.sent, self.deaths), (sent, dead))
            self.assertEqual(looks, looked)

    def test_peerThatPingsNoMore(self) -> None:
        """One that goes on in other ways is asked like others."""
        watch = self.watch()
        watch.pinged = watch.heard = 4.0
        self.pass_(14)
        watch.heard = self.clock.seconds()
        self.pass_(60)
        # Silent since 14: the ping that would have been due at 19 is left out.
        self.assertEqual((self.sent, self.deaths), ([23.5, 28.5, 33.5, 38.5], [43.5]))

    def test_stop(self) -> None:
        """Stopped, it asks and gives up no more; started again it begins anew."""
        watch = self.watch()
        self.assertTrue(watch.running)
        self.pass_(12)
        watch.stop()
        watch.stop()
        self.assertFalse(watch.running)
        self.pass_(60)
        self.assertEqual((self.sent, self.deaths), ([5, 10], []))
        watch.start()
        watch.start()
        self.pass_(40)
        self.assertEqual(self.sent[2:], [77, 82, 87, 92, 97])
        self.assertEqual(self.deaths, [102])


class ConnectionTests(SynchronousTestCase):
    """Pings on a connection."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.client = Client(self.clock)
        self.server = EchoServer(self.clock, REMOTE)
        self.pipe = Pipe(self.client, self.server, self.clock)
        self.transports = [transport for _, transport in self.pipe.ends]

    def pass_(self, seconds: float) -> None:
        """Let time pass, with everything delivered."""
        for _ in range(round(seconds * 2)):
            self.clock.advance(0.5)
            self.pipe.flush()

    def test_bytes(self) -> None:
        """A ping and a pong are messages of their own program, without serial."""
        self.assertEqual(PING.hex(), "0000001c6b65657000000001" + "0000000100000002" + "0" * 16)
        self.assertEqual(PONG.hex(), "0000001c6b65657000000001" + "0000000200000002" + "0" * 16)

    def test_answered(self) -> None:
        """Both sides answer, whether they watch or not."""
        self.client.startKeepalive(5, 2)
        self.server.startKeepalive(3, 2)
        self.pass_(100)
        self.assertFalse(self.pipe.lost)
        self.client.stopKeepalive()
        self.pass_(100)
        self.assertFalse(self.pipe.lost)

    def test_silentPeer(self) -> None:
        """Calls fail once the peer is given up."""
        self.client.startKeepalive(5, 5)
        call = self.client.call(REMOTE, HOSTNAME, ())
        self.transports[1].reading = False
        self.pass_(29.5)
        self.assertNoResult(call)
        self.assertEqual(bytes(self.transports[0].out).count(PING), 5)
        self.pass_(1)
        self.failureResultOf(call, OutcomeUnknown)
        self.assertTrue(self.transports[0].aborted)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_anyBytes(self) -> None:
        """Half a packet is a sign of life too."""
        self.client.startKeepalive(5, 1)
        for _ in range(10):
            self.pass_(4)
            self.client.dataReceived(b"\0" if not self.client.frames.buffered else b"")
        self.pass_(4)
        self.assertEqual(self.transports[0].writes, 0)

    def test_offAndOn(self) -> None:
        """An interval of 0 or less stops the watch; a new one replaces the old."""
        self.client.startKeepalive(5, 5)
        self.client.startKeepalive(7, 5)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for interval in (0, -1):
            self.client.startKeepalive(interval, 5)
            self.assertIsNone(self.client.keepalive)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_alone(self) -> None:
        """A ping that comes alone is answered at once, but not if it is in the middle of another packet."""
        self.server.startKeepalive(5, 5)
        self.server.dataReceived(PING)
        self.assertEqual(bytes(self.transports[1].out), PONG)
        assert self.server.keepalive is not None
        self.assertEqual(self.server.keepalive.pinged, self.clock.seconds())
        call = pack(REMOTE.number, 1, 1, 0, 1, 0, PING)
        self.server.dataReceived(call[:28])
        self.server.dataReceived(PING)
        self.assertEqual(bytes(self.transports[1].out), PONG)
        self.assertEqual(self.server.calls, [(1, 1)])

    def test_behindBacklog(self) -> None:
        """A ping is answered while calls are held back, and what is no ping is not."""
        self.server.hold()
        odd = pack(0x6B656570, 1, 3, 2, 0, 0)
        self.client.send(pack(REMOTE.number, 1, 1, 0, 1, 0) + odd + PING)
        self.pipe.flush()
        self.assertEqual(self.server.calls, [])
        self.assertEqual(self.client.events, [])
        self.assertEqual(self.transports[1].writes, 1)
        self.server.release()
        self.pipe.flush()
        self.assertEqual(self.server.calls, [(1, 1)])
        self.assertEqual(self.transports[1].writes, 1)
