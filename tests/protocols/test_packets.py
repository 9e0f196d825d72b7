"""
Packets between transport and protocol: batches, backlogs, peers that do not read, ends in the middle.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.protocols.keepalive import PING, PONG
from pyvirt.protocols.message import FDS_MAX, PAYLOAD, pack, unpackHeader
from pyvirt.protocols.packets import PacketProtocol
from tests.protocols.support import HIGH, PipeTransport


class Recorder(PacketProtocol):
    """Remembers serials; answers as the test says."""

    def __init__(self, clock: Clock, answer: Callable[[int], bytes | None] | None = None) -> None:
        super().__init__(clock)
        self.seen: list[int] = []
        self.fds: list[list[int]] = []
        self.urgent: list[bytes] = []
        self.broken: list[str] = []
        self.unclogs = 0
        self.answer = answer

    def packetReceived(self, packet: bytes, fds: list[int]) -> None:
        serial = unpackHeader(packet)[5]
        self.seen.append(serial)
        self.fds.append(fds)
        if self.answer is not None:
            answer = self.answer(serial)
            if answer is not None:
                self.send(answer)

    def urgentReceived(self, packet: bytes) -> bool:
        if packet != PING:
            return False
        self.urgent.append(packet)
        self.send(PONG)
        return True

    def unclogged(self) -> None:
        self.unclogs += 1

    def brokenBy(self, reason: str) -> None:
        self.broken.append(reason)
        super().brokenBy(reason)


class Server(Recorder):
    """Reads no further when its answers are not read."""

    stopsReadingWhenClogged = True


def packet(serial: int, payload: bytes = b"", type: int = 0) -> bytes:
    """Make a packet."""
    return pack(1, 1, 1, type, serial, 0, payload)


def packets(first: int, last: int) -> bytes:
    """Make several."""
    return b"".join(packet(each) for each in range(first, last + 1))


class Base(SynchronousTestCase):
    """One protocol on a transport whose other side is the test."""

    def make(
        self,
        factory: type[Recorder] = Recorder,
        answer: Callable[[int], bytes | None] | None = None,
    ) -> Recorder:
        """Make a protocol that is connected."""
        self.clock = Clock()
        self.transport = PipeTransport()
        protocol = factory(self.clock, answer)
        protocol.makeConnection(self.transport)
        return protocol


class PacketTests(Base):
    """Packets in, answers out."""

    def test_batch(self) -> None:
        """All answers of one read leave in one write, in order."""
        protocol = self.make(answer=packet)
        protocol.dataReceived(packets(1, 50))
        self.assertEqual(self.transport.writes, 1)
        self.assertEqual(bytes(self.transport.out), packets(1, 50))

    def test_outsideARead(self) -> None:
        """What is sent by itself is written at once."""
        protocol = self.make()
        protocol.send(packet(1))
        protocol.send(packet(2))
        self.assertEqual(self.transport.writes, 2)

    def test_largeAnswers(self) -> None:
        """A large answer does not wait for the others of its turn, and keeps its place."""
        protocol = self.make(answer=lambda serial: packet(serial, bytes(100000 * (serial == 2))))
        protocol.dataReceived(packets(1, 3))
        self.assertEqual(self.transport.writes, 2)
        self.assertEqual(
            bytes(self.transport.out), packet(1) + packet(2, bytes(100000)) + packet(3)
        )

    def test_burst(self) -> None:
        """After a burst others get their turn; then it goes on, in order, and reads again."""
        protocol = self.make()
        protocol.dataReceived(packets(1, 300))
        self.assertEqual(protocol.seen, list(range(1, protocol.burst + 1)))
        self.assertFalse(self.transport.reading)
        protocol.dataReceived(packets(301, 310))
        others: list[int] = []
        self.clock.callLater(0, lambda: others.append(len(protocol.seen)))
        self.clock.advance(0)
        self.assertEqual(others, [2 * protocol.burst])
        self.assertEqual(protocol.seen, list(range(1, 311)))
        self.assertTrue(self.transport.reading)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_time(self) -> None:
        """A burst also ends when it has taken long."""
        protocol = self.make()

        def slow(serial: int) -> None:
            self.clock.rightNow += 0.001

        protocol.answer = slow
        protocol.dataReceived(packets(1, 100))
        self.assertLess(len(protocol.seen), 100)
        while protocol.seen[-1] < 100:
            before = len(protocol.seen)
            self.clock.advance(0)
            self.assertGreater(len(protocol.seen), before)
        self.assertEqual(protocol.seen, list(range(1, 101)))

    def test_hold(self) -> None:
        """Held in the middle of a read, the rest waits, and order is kept."""
        protocol = self.make()
        protocol.answer = lambda serial: protocol.hold() if serial == 3 else None
        protocol.dataReceived(packets(1, 5))
        self.assertEqual(protocol.seen, [1, 2, 3])
        self.assertTrue(self.transport.reading)
        protocol.dataReceived(packets(6, 7))
        self.clock.advance(1)
        self.assertEqual(protocol.seen, [1, 2, 3])
        protocol.release()
        self.assertEqual(protocol.seen, [1, 2, 3])
        self.clock.advance(0)
        self.assertEqual(protocol.seen, [1, 2, 3, 4, 5, 6, 7])
        self.assertTrue(self.transport.reading)

    def test_heldForLong(self) -> None:
        """While held, some more is read, for the urgent packets in it; not without bound."""
        for size in (0, 10000):
            protocol = self.make()
            protocol.hold()
            last = 0
            while self.transport.reading:
                last += 1
                protocol.dataReceived(packet(last, bytes(size)))
                self.assertLess(last * (28 + size), 300000)
            self.assertGreater(last, 20)
            self.assertEqual(protocol.seen, [])
            protocol.release()
            protocol.release()
            self.clock.advance(0)
            self.assertEqual(protocol.seen, list(range(1, last + 1)))
            self.assertTrue(self.transport.reading)

    def test_heldAgain(self) -> None:
        """Each packet from the backlog may hold again."""
        protocol = self.make()
        protocol.answer = lambda serial: protocol.hold()
        protocol.dataReceived(packets(1, 4))
        for expected in range(1, 5):
            self.assertEqual(len(protocol.seen), expected)
            protocol.release()
            self.clock.advance(0)
        self.assertEqual(protocol.seen, [1, 2, 3, 4])

    def test_urgent(self) -> None:
        """A ping is answered while others wait, and once only."""
        protocol = self.make()
        protocol.hold()
        protocol.dataReceived(packet(1) + PING + packet(2))
        protocol.dataReceived(PING + packet(3))
        self.assertEqual((len(protocol.urgent), protocol.seen), (2, []))
        self.assertEqual(bytes(self.transport.out), PONG * 2)
        protocol.release()
        self.clock.advance(0)
        self.assertEqual(protocol.seen, [1, 2, 3])
        self.assertEqual(len(protocol.urgent), 2)

    def test_abortInABatch(self) -> None:
        """A protocol that aborts in the middle handles nothing more once the connection is lost."""
        protocol = self.make()

        def lose(serial: int) -> bytes:
            if serial == 2:
                from twisted.internet.protocol import connectionDone

                protocol.transport.abortConnection()
                protocol.connectionLost(connectionDone)
            return packet(serial)

        protocol.answer = lose
        protocol.dataReceived(packets(1, 300))
        self.assertEqual(protocol.seen, [1, 2])
        self.assertEqual(bytes(self.transport.out), b"")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_handlerFails(self) -> None:
        """An exception leaves no batch behind: what was answered before is written."""
        protocol = self.make()

        def fail(serial: int) -> bytes:
            if serial == 2:
                raise RuntimeError("a bug")
            return packet(serial)

        protocol.answer = fail
        self.assertRaises(RuntimeError, protocol.dataReceived, packets(1, 3))
        self.assertEqual(bytes(self.transport.out), packet(1))
        protocol.send(packet(9))
        self.assertEqual(bytes(self.transport.out), packet(1) + packet(9))

    def test_lostWithBacklog(self) -> None:
        """The end of the connection drops what waits and its timer."""
        from twisted.internet.protocol import connectionDone

        protocol = self.make()
        protocol.dataReceived(packets(1, 300))
        protocol.connectionLost(connectionDone)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        protocol.release()
        protocol.send(packet(1))
        self.assertEqual(self.transport.writes, 0)

    def test_brokenFrames(self) -> None:
        """What came whole before garbage is handled, held or not; then the connection is broken."""
        for held in (False, True):
            protocol = self.make()
            if held:
                protocol.hold()
                protocol.dataReceived(packet(1))
            protocol.dataReceived(packets(2, 3) + b"\0\0\0\0")
            self.assertEqual(protocol.seen, [1, 2, 3] if held else [2, 3])
            self.assertEqual(len(protocol.broken), 1)
            self.assertTrue(self.transport.aborted)

    def test_close(self) -> None:
        """Closing lets out what was sent."""
        protocol = self.make()
        protocol.send(packet(1))
        protocol.close()
        self.assertTrue(self.transport.disconnecting)
        self.assertIsNone(self.transport.producer)
        self.assertEqual(bytes(self.transport.out), packet(1))


class CloggedTests(Base):
    """The peer does not read."""

    def test_server(self) -> None:
        """A server answers until the transport has enough, and goes on when it wants more."""
        protocol = self.make(Server, lambda serial: packet(serial, bytes(20000)))
        protocol.dataReceived(packets(1, 20))
        protocol.dataReceived(packets(21, 40))
        self.assertTrue(protocol.clogged)
        self.assertFalse(self.transport.reading)
        most = len(protocol.seen)
        self.clock.advance(1)
        self.assertEqual(len(protocol.seen), most)
        for _ in range(40):
            self.transport.out.clear()
            self.transport.drained()
            self.clock.advance(0)
        self.assertEqual(protocol.seen, list(range(1, 41)))
        self.assertTrue(self.transport.reading)
        self.assertFalse(protocol.clogged)

    def test_noGrowth(self) -> None:
        """However large the answers, little more than one waits beyond what the transport likes."""
        size = 300000
        protocol = self.make(Server, lambda serial: packet(serial, bytes(size)))
        protocol.dataReceived(packets(1, 2000))
        self.clock.advance(1)
        self.assertLess(len(self.transport.out), HIGH + size + PAYLOAD)
        self.assertEqual(protocol.seen, [1])

    def test_client(self) -> None:
        """A client goes on reading: both would wait for each other."""
        protocol = self.make(answer=lambda serial: packet(serial, bytes(20000)))
        protocol.dataReceived(packets(1, 20))
        self.assertTrue(protocol.clogged)
        self.assertEqual(len(protocol.seen), 20)
        self.assertTrue(self.transport.reading)

    def test_streamsDoNotStopCalls(self) -> None:
        """When streams have filled the transport, calls are answered beside them, so much and no more."""
        protocol = self.make(Server, lambda serial: packet(serial, bytes(1000)))
        protocol.sendStream(packet(0, bytes(HIGH)))
        self.assertTrue(protocol.clogged)
        protocol.dataReceived(packets(1, 10))
        self.assertEqual(len(protocol.seen), 10)
        self.assertTrue(self.transport.reading)
        for _ in range(9):
            protocol.dataReceived(packets(11, 110))
        self.assertFalse(self.transport.reading)
        self.assertLess(len(self.transport.out), 2 * HIGH + 130 * 1028)
        self.transport.out.clear()
        self.transport.drained()
        self.clock.pump([0] * 20)
        self.assertGreater(len(protocol.seen), 200)

    def test_stopReading(self) -> None:
        """Reading that a subclass has stopped stays so, whatever else would start it."""
        protocol = self.make(Server, lambda serial: packet(serial, bytes(HIGH)))
        protocol.stopReading()
        self.assertFalse(self.transport.reading)
        protocol.dataReceived(packets(1, 2))
        for _ in range(4):
            self.transport.out.clear()
            self.transport.drained()
            self.clock.advance(0)
        self.assertEqual(protocol.seen, [1, 2])
        self.assertFalse(self.transport.reading)
        protocol.startReading()
        self.assertTrue(self.transport.reading)

    def test_startReadingWhileHeld(self) -> None:
        """Nor does its end start what others have stopped."""
        protocol = self.make()
        protocol.hold()
        protocol.stopReading()
        protocol.dataReceived(packets(1, 100))
        protocol.startReading()
        self.assertFalse(self.transport.reading)
        protocol.release()
        self.clock.advance(0)
        self.assertTrue(self.transport.reading)


class AnnouncedTests(Base):
    """Descriptors that come in, without a socket: the transport's part is played by the test."""

    def setUp(self) -> None:
        self.mine: list[int] = []
        self.addCleanup(self.closeMine)

    def closeMine(self) -> None:
        """Close what is left."""
        for each in self.mine:
            if isOpen(each):
                os.close(each)

    def descriptor(self) -> int:
        """Open something."""
        self.mine.append(os.open(os.devnull, os.O_RDONLY))
        return self.mine[-1]

    def announcing(self, serial: int, count: int) -> bytes:
        """Make a packet with the bytes that carry its descriptors."""
        return packet(serial, struct.pack(">I", count), 4) + bytes(count)

    def test_whoseTheyAre(self) -> None:
        """Each packet gets its own, also among streams' holes and packets that came in one read."""
        protocol = self.make()
        fds = [self.descriptor() for _ in range(3)]
        for each in fds:
            protocol.fileDescriptorReceived(each)
        protocol.dataReceived(
            packet(1, b"", 6)
            + packet(2, b"", 7)
            + self.announcing(3, 1)
            + packet(4, b"", 0x104)
            + packet(5)
            + self.announcing(6, 0)
            + self.announcing(7, 2)
        )
        self.assertEqual(protocol.seen, [1, 2, 3, 4, 5, 6, 7])
        self.assertEqual(protocol.fds, [[], [], fds[:1], [], [], [], fds[1:]])
        self.assertEqual(protocol.broken, [])

    def test_fewer(self) -> None:
        """Fewer than announced break the protocol; nothing behind is handled; all are closed."""
        protocol = self.make()
        fd = self.descriptor()
        protocol.fileDescriptorReceived(fd)
        protocol.dataReceived(packet(1) + self.announcing(2, 2) + packet(3))
        self.clock.advance(1)
        self.assertEqual(protocol.seen, [1])
        self.assertIn("fewer came", protocol.broken[0])
        from twisted.internet.protocol import connectionDone

        protocol.connectionLost(connectionDone)
        self.assertFalse(isOpen(fd))

    def test_unannounced(self) -> None:
        """More than could be on their way break it too."""
        protocol = self.make()
        for _ in range(2 * FDS_MAX + 1):
            self.assertEqual(protocol.broken, [])
            protocol.fileDescriptorReceived(self.descriptor())
        self.assertEqual(len(protocol.broken), 1)

    def test_manyAnnounced(self) -> None:
        """Those that wait with packets which are held back do not count as such."""
        protocol = self.make()
        protocol.hold()
        for serial in range(1, 5):
            for _ in range(FDS_MAX):
                protocol.fileDescriptorReceived(self.descriptor())
            protocol.dataReceived(self.announcing(serial, FDS_MAX))
        self.assertEqual(protocol.broken, [])
        protocol.release()
        self.clock.advance(0)
        self.assertEqual([len(each) for each in protocol.fds], [FDS_MAX] * 4)
        self.assertEqual([each for some in protocol.fds for each in some], self.mine)


def isOpen(fd: int) -> bool:
    """Whether a descriptor is open."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
