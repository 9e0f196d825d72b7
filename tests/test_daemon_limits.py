"""
What a client may take from the daemon: connections, calls in flight, memory, turns; and what it leaves behind.
"""

from __future__ import annotations

import gc
import random
import struct
import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.daemon.session import Session
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.errors import VirtError
from pyvirt.protocols.keepalive import PING, PONG
from pyvirt.protocols.message import unpackHeader
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from tests.daemonfixture import DOMAIN, URI, MemoryTransport, Peer, World

SUSPENDED = Event(EventKind.DOMAIN, 0, DOMAIN, (3, 0))


class Gate:
    """Stands where a listener does."""

    def __init__(self) -> None:
        self.history: list[str] = []

    def suspend(self) -> None:
        self.history.append("suspend")

    def resume(self) -> None:
        self.history.append("resume")


class ConnectionLimitTests(SynchronousTestCase):
    """How many clients there may be."""

    def test_clients(self) -> None:
        """At the limit listeners stop accepting; they go on as soon as a client leaves."""
        world = World(clients=2)
        gate = Gate()
        world.server.gates.append(gate)
        first = world.peer()
        self.assertEqual((world.server.room, gate.history), (1, []))
        second = world.peer()
        self.assertEqual((world.server.room, gate.history), (0, ["suspend"]))
        self.assertEqual(world.server.counters.suspended, 1)
        self.assertRaises(RuntimeError, world.daemon.protocol)
        self.assertEqual(world.server.counters.refused, 1)
        first.lose()
        self.assertEqual((world.server.room, gate.history), (1, ["suspend", "resume"]))
        second.lose()
        self.assertEqual(world.server.sessions, set())

    def test_anonymousClients(self) -> None:
        """Clients that have not authenticated have a limit of their own."""
        world = World(anonymousClients=2)
        gate = Gate()
        world.server.gates.append(gate)
        peers = [world.peer(auth="sasl") for _ in range(2)]
        self.assertEqual(gate.history, ["suspend"])
        peers[0].session.authenticationSucceeded()
        self.assertEqual(gate.history, ["suspend", "resume"])
        self.assertEqual(world.server.anonymous, 1)
        world.peer(auth="sasl")
        peers[1].lose()
        self.assertEqual(gate.history, ["suspend", "resume"] * 2)

    def test_anonymousUnlimited(self) -> None:
        """A limit of 0 is none."""
        world = World(anonymousClients=0)
        for _ in range(50):
            world.peer(auth="sasl")
        self.assertEqual(world.server.anonymous, 50)


class CallLimitTests(SynchronousTestCase):
    """How many calls of a client may wait for their answers."""

    def test_inFlight(self) -> None:
        """Beyond the limit no call is taken until an answer has left; keepalives are answered still."""
        world = World(clientRequests=3)
        peer = world.peer().open()
        peer.send(b"".join(peer.packet("domainSuspend", DOMAIN) for _ in range(8)))
        self.assertEqual(len(world.driver.waiting), 3)
        peer.session.dataReceived(PING)
        (pong,) = peer.received()
        self.assertEqual(pong.packet, PONG)
        for answered in range(8):
            world.driver.waiting[answered].callback(None)
            world.clock.advance(0)
            self.assertEqual(len(peer.received()), 1)
            self.assertEqual(len(world.driver.waiting), min(8, answered + 4))
        self.assertEqual(peer.session.inFlight, 0)
        self.assertEqual(peer.transport.producerState, "producing")

    def test_heldBytes(self) -> None:
        """What waits behind them is bounded: then nothing is read until they are answered."""
        name = "x" * 40000
        for size, most in ((0, 65), (40000, 7)):
            world = World(clientRequests=1)
            peer = world.peer().open()
            peer.send(peer.packet("domainSuspend", DOMAIN))
            sent = 0
            while peer.transport.producerState == "producing":
                peer.send(peer.packet("domainLookupByName", name[:size]))
                sent += 1
            self.assertEqual(sent, most)
            world.driver.waiting[0].callback(None)
            world.clock.advance(0)
            self.assertEqual(len(peer.received()), 1 + sent)
            self.assertEqual(peer.transport.producerState, "producing")

    def test_slowCallDelaysNobody(self) -> None:
        """While one client's calls wait another's are answered, and its own quick ones too."""
        world = World()
        slow, quick = world.peer().open(), world.peer().open()
        slow.send(slow.packet("domainSuspend", DOMAIN))
        self.assertEqual(slow.call("connectGetType"), "FIXTURE")
        self.assertEqual(quick.call("connectGetType"), "FIXTURE")
        self.assertEqual(len(world.driver.waiting), 1)

    def test_flood(self) -> None:
        """A client that sends thousands of calls at once gets a turn of some, and then others do."""
        world = World()
        loud, quiet = world.peer().open(), world.peer().open()
        loud.send(loud.packet("connectGetType") * 5000)
        burst = len(loud.received())
        self.assertEqual(burst, loud.session.burst)
        self.assertLess(burst, 500)
        self.assertEqual(loud.transport.producerState, "paused")
        self.assertEqual(quiet.call("connectGetType"), "FIXTURE")
        world.clock.advance(0)
        self.assertEqual(burst + len(loud.received()), 5000)
        self.assertEqual(loud.transport.producerState, "producing")

    def test_longTurn(self) -> None:
        """A turn is shorter when its calls take long."""
        world = World()
        peer = world.peer().open()

        def slow() -> str:
            world.clock.rightNow += 0.002  # a blocking driver: nothing else happens meanwhile
            return "host"

        world.driver.hostname = slow
        peer.send(peer.packet("connectGetHostname") * 100)
        self.assertEqual(len(peer.received()), 8)
        self.assertEqual(peer.transport.producerState, "paused")
        world.clock.advance(1)
        self.assertEqual(len(peer.received()), 92)

    def test_lostWithCallsWaiting(self) -> None:
        """What a client that leaves has asked for goes on; the connection is closed behind the last call."""
        world = World()
        for leave in (Peer.lose, lambda peer: peer.call("connectClose")):
            peer = world.peer().open()
            peer.send(peer.packet("domainSuspend", DOMAIN) * 2)
            first, second = world.driver.waiting
            world.driver.waiting.clear()
            leave(peer)
            self.assertEqual(len(world.driver.connections), 1)
            first.callback(None)
            self.assertEqual(len(world.driver.connections), 1)
            second.callback(None)
            self.assertEqual(world.driver.connections, [])


class SlowReaderTests(SynchronousTestCase):
    """Clients that do not read."""

    def test_noFurtherCalls(self) -> None:
        """Of a client that does not read its replies no call is taken until it does."""
        world = World()
        peer = world.peer().open()
        peer.transport.fill()
        self.assertEqual(peer.transport.producerState, "paused")
        peer.send(peer.packet("connectGetType") * 3)
        self.assertEqual(peer.received(), [])
        peer.transport.drain()
        world.clock.advance(0)
        self.assertEqual(len(peer.received()), 3)
        self.assertEqual(peer.transport.producerState, "producing")

    def test_largeReplies(self) -> None:
        """Large replies leave one by one, so that the transport can say when it is full."""
        world = World()
        peer = world.peer().open()
        world.driver.type = "x" * 100000
        write = peer.transport.write
        written: list[int] = []

        def fillsUp(data: bytes) -> None:
            written.append(len(data))
            write(data)
            peer.transport.fill()

        peer.transport.write = fillsUp  # type: ignore[method-assign]
        peer.send(peer.packet("connectGetType") * 50)
        self.assertEqual(len(written), 1)
        peer.transport.drain()
        world.clock.advance(0)
        self.assertEqual(len(written), 2)

    def test_events(self) -> None:
        """A client that does not read its events is dropped once too many bytes have gathered."""
        world = World(eventBacklog=10000)
        slow, good = (world.peer().open() for _ in range(2))
        for peer in (slow, good):
            peer.call("connectDomainEventCallbackRegisterAny", 0, None)
        slow.transport.fill()
        for _ in range(1000):
            world.driver.emit(SUSPENDED)
        self.assertTrue(slow.transport.aborted)
        self.assertLess(len(slow.transport.value()), 11000)
        self.assertEqual(world.server.counters.slow, 1)
        self.assertEqual(len(good.received()), 1000)
        slow.lose()
        self.assertEqual(len(world.driver.listeners), 1)

    def test_eventsInTime(self) -> None:
        """One that reads now and then is not."""
        world = World(eventBacklog=10000)
        peer = world.peer().open()
        peer.call("connectDomainEventCallbackRegisterAny", 0, None)
        for _ in range(20):
            peer.transport.fill()
            for _ in range(100):
                world.driver.emit(SUSPENDED)
            peer.transport.drain()
        self.assertFalse(peer.transport.aborted)
        self.assertEqual(len(peer.received()), 2000)

    def test_neverReadsTheEnd(self) -> None:
        """A client that asks to close and then does not read is cut off after a while."""
        world = World()
        peer = world.peer().open()
        peer.send(peer.packet("connectClose"))
        peer.transport.fill()
        world.clock.advance(0)
        self.assertTrue(peer.transport.disconnecting)
        world.clock.advance(29.9)
        self.assertFalse(peer.transport.aborted)
        world.clock.advance(0.2)
        self.assertTrue(peer.transport.aborted)
        self.assertEqual(world.server.counters.slow, 1)
        peer.lose()
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_partialPacket(self) -> None:
        """What is kept of a packet that never ends is what came of it, no more."""
        peer = World().peer()
        peer.send(struct.pack(">I", 33554436) + b"\0" * 1000)
        self.assertEqual(peer.session.frames.buffered, 1004)


class KeepaliveTests(SynchronousTestCase):
    """Whether a client is still there."""

    def numbers(self, peer: Peer) -> list[int]:
        """Return the numbers of the keepalive messages that came."""
        found = [unpackHeader(each.packet) for each in peer.received()]
        self.assertEqual({each[1] for each in found} - {unpackHeader(PING)[1]}, set())
        return [each[3] for each in found]

    def test_silent(self) -> None:
        """A client that said it understands them is asked, and dropped when it never answers."""
        world = World()
        peer = world.peer()
        peer.call("connectSupportsFeature", 10)
        for second in range(1, 26):
            world.clock.advance(1)
            self.assertEqual(self.numbers(peer), [1] if second % 5 == 0 else [])
        world.clock.advance(4.5)
        self.assertFalse(peer.transport.aborted)
        world.clock.advance(0.5)
        self.assertTrue(peer.transport.aborted)
        self.assertEqual(world.server.counters.silent, 1)
        peer.lose()
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_answering(self) -> None:
        """One that answers stays."""
        world = World()
        peer = world.peer()
        peer.call("connectSupportsFeature", 10)
        peer.call("connectSupportsFeature", 10)
        for _ in range(20):
            world.clock.advance(5)
            if peer.received():
                peer.send(PONG)
        self.assertFalse(peer.transport.aborted)

    def test_notAsked(self) -> None:
        """One that never said so is left alone; so is everyone when the interval is -1."""
        for world, ask in ((World(), False), (World(keepaliveInterval=-1), True)):
            peer = world.peer().open()
            if ask:
                self.assertEqual(peer.call("connectSupportsFeature", 10), 1)
            world.clock.advance(1000)
            self.assertEqual(peer.received(), [])
            self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_pingsAreAnswered(self) -> None:
        """A ping is answered at any time, in any state, whatever its serial and payload."""
        world = World()
        peer = world.peer(auth="sasl")
        odd = peer.raw(1, b"payload", program=unpackHeader(PING)[1], type=2, serial=99)
        for packet in (PING, odd):
            self.assertEqual(peer.ask(packet).packet, PONG)
        unknown = peer.raw(7, program=unpackHeader(PING)[1], type=2)
        peer.send(unknown)
        self.assertEqual(peer.received(), [])


class HostileTests(SynchronousTestCase):
    """Bytes that nobody should send."""

    def setUp(self) -> None:
        self.world = World()

    def conversation(self, peer: Peer) -> bytes:
        """Return all that a client with every kind of message sends."""
        return b"".join(
            (
                peer.packet("authList"),
                peer.packet("connectSupportsFeature", 10),
                peer.packet("connectOpen", URI, 0),
                peer.packet("connectDomainEventCallbackRegisterAny", 0, None),
                peer.packet("domainLookupByName", "test"),
                PING,
                peer.packet("domainSuspend", DOMAIN),
                peer.packet("connectGetType"),
                peer.packet("connectClose"),
            )
        )

    def clean(self) -> None:
        """Assert that nothing is left of any client."""
        server, driver = self.world.server, self.world.driver
        self.assertEqual((server.sessions, server.anonymous), (set(), 0))
        self.assertEqual((driver.connections, driver.listeners), ([], []))
        self.world.clock.advance(0)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def answerAll(self) -> None:
        """Let every call that waits succeed."""
        while self.world.driver.waiting:
            self.world.driver.waiting.pop().callback(None)

    def test_cutAnywhere(self) -> None:
        """A connection may end after any byte: everything is let go."""
        whole = self.conversation(self.world.peer())
        for end in range(len(whole)):
            peer = self.world.peer()
            peer.send(whole[:end])
            peer.lose()
            self.answerAll()
        next(iter(self.world.server.sessions)).connectionLost()
        self.clean()

    def test_byteByByte(self) -> None:
        """The answers are the same however the bytes arrive."""
        one, two = self.world.peer(), self.world.peer()
        whole = self.conversation(one)
        one.send(whole)
        for index in range(len(whole)):
            two.send(whole[index : index + 1])
        self.world.clock.advance(0)
        self.assertEqual(one.transport.value(), two.transport.value())

    def test_lengths(self) -> None:
        """Length words below a header or above the limit end the connection; others wait for the rest."""
        for length, kept in (
            (0, False),
            (4, False),
            (27, False),
            (28, True),
            (262148, True),
            (33554436, True),
            (33554437, False),
            (2**31, False),
            (2**32 - 1, False),
        ):
            peer = self.world.peer()
            peer.send(struct.pack(">I", length))
            self.assertEqual(peer.isClosed, not kept, length)
            peer.lose()
        self.assertEqual(self.world.server.counters.broken, 6)
        self.clean()

    def test_packetsBeforeTheBreach(self) -> None:
        """What came whole before the stream broke is answered."""
        peer = self.world.peer().open()
        peer.send(peer.packet("connectGetType") + b"\xff" * 40)
        self.assertEqual(peer.received()[0].result, "FIXTURE")
        self.assertTrue(peer.transport.aborted)

    def test_randomBytes(self) -> None:
        """Noise never raises, and leaves nothing behind."""
        noise = random.Random(1)
        for _ in range(300):
            peer = self.world.peer()
            for _ in range(noise.randrange(4)):
                peer.send(noise.randbytes(noise.randrange(200)))
                if peer.isClosed:
                    break
            peer.lose()
        self.clean()

    def test_randomPayloads(self) -> None:
        """Well-formed headers with noise behind them are answered, each call exactly once."""
        noise = random.Random(2)
        calls = [each for each in REMOTE if each.kind.value == "call"]
        for _ in range(1500):
            procedure = noise.choice(calls)
            if procedure.name in ("connectClose", "domainSuspend"):
                continue
            peer = self.world.peer().open()
            payload = bytearray(noise.randbytes(noise.randrange(80)))
            for index in range(0, len(payload) - 3, 4):
                if noise.random() < 0.7:  # small numbers get further than noise
                    payload[index : index + 4] = struct.pack(">i", noise.randrange(-2, 5))
            peer.send(peer.raw(procedure.number, bytes(payload)))
            self.world.clock.advance(0)
            replies = [each for each in peer.received() if each.type == 1]
            self.assertEqual(len(replies), 1, procedure.name)
            peer.lose()
        self.clean()
        self.assertEqual(self.world.server.counters.crashed, 0)

    def test_randomHeaders(self) -> None:
        """Headers with any type, status and number do no harm either."""
        noise = random.Random(3)
        peer = self.world.peer().open()
        for _ in range(2000):
            packet = peer.raw(
                noise.choice((1, 3, 23, 105, 107, 9999, -1)),
                noise.randbytes(noise.choice((0, 4, 8))),
                type=noise.choice((0, 1, 2, 3, 6, 7, 255)),
                status=noise.choice((0, 1, 2, 3)),
                serial=noise.randrange(2**32),
            )
            peer.send(packet)
            self.world.clock.advance(0)
            if peer.isClosed:
                break
        self.assertFalse(peer.isClosed)


class LeakTests(SynchronousTestCase):
    """What is left of clients that are gone."""

    def sessions(self) -> int:
        """Count the sessions that exist."""
        gc.collect()
        return sum(1 for each in gc.get_objects() if isinstance(each, Session))

    def test_everyStage(self) -> None:
        """A client leaves nothing behind, whatever it was doing."""
        world = World()
        before = self.sessions()

        def opening(peer: Peer) -> None:
            world.driver.opening = []
            peer.send(peer.packet("connectOpen", URI, 0))
            world.driver.opening = None

        stages = (
            lambda peer: None,
            lambda peer: peer.send(b"\0\0"),
            lambda peer: peer.call("authList"),
            lambda peer: peer.call("connectSupportsFeature", 10),
            opening,
            lambda peer: peer.open(),
            lambda peer: peer.open().call("connectDomainEventCallbackRegisterAny", 0, None),
            lambda peer: peer.open().send(peer.packet("domainSuspend", DOMAIN) * 9),
            lambda peer: peer.open().send(peer.packet("connectGetType") * 999),
            lambda peer: peer.send(b"\xff" * 50),
            lambda peer: peer.open().call("connectClose"),
        )
        for stage in stages:
            for _ in range(3):
                peer = world.peer()
                stage(peer)
                peer.lose()
                world.clock.advance(0)
                while world.driver.waiting:
                    world.driver.waiting.pop().callback(None)
                del peer
        world.driver.contexts.clear()
        self.assertEqual(world.server.sessions, set())
        self.assertEqual(world.clock.getDelayedCalls(), [])
        self.assertEqual(self.sessions(), before)

    def test_thousands(self) -> None:
        """Thousands of clients come, call, hear an event and go; nothing remains."""
        world = World()
        before = self.sessions()
        peers = [world.peer() for _ in range(3000)]
        for peer in peers:
            peer.open()
            peer.call("connectDomainEventCallbackRegisterAny", 0, None)
        world.driver.emit(SUSPENDED)
        for peer in peers:
            self.assertEqual(len(peer.received()), 1)
            peer.lose()
        self.assertEqual((world.driver.connections, world.driver.listeners), ([], []))
        peers.clear()
        del peer
        self.assertEqual(self.sessions(), before)

    def test_idleMemory(self) -> None:
        """An idle session takes little memory, and gives it back."""
        world = World()
        transports = [MemoryTransport() for _ in range(500)]
        world.peer().call("authList")
        gc.collect()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before, _ = tracemalloc.get_traced_memory()
        for each in transports:
            world.daemon.protocol().makeConnection(each)
        gc.collect()
        during, _ = tracemalloc.get_traced_memory()
        self.assertLess((during - before) / len(transports), 1000)
        for session in list(world.server.sessions):
            session.connectionLost()
            session.transport.producer = None
        transports.clear()
        del session, each
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        # What is left is the set's table, which grew with its peak.
        self.assertLess((after - before) / 500, 100)

    def test_answersAfterwards(self) -> None:
        """An answer that comes after its client left is dropped, an unexpected failure logged."""
        world = World()
        peer = world.peer().open()
        peer.send(peer.packet("domainSuspend", DOMAIN) * 3)
        first, second, third = world.driver.waiting
        peer.lose()
        first.callback(None)
        second.errback(VirtError("late", code=55))
        third.errback(ZeroDivisionError("late"))
        self.assertEqual(peer.received(), [])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
