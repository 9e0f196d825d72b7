"""
Hostile and unlucky clients on real sockets: crowds, floods, clients that never read, garbage.

What is measured each time is how a well-behaved client fares meanwhile, and what is left behind.
"""

from __future__ import annotations

import random
import resource
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from pyvirt.protocols.message import MessageType, pack
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from pyvirt.protocols.structs import DomainRef
from tests.interop.prober import Prober
from tests.interop.support import PyvirtDaemon

CROWD = 5000

#: Seconds that a well-behaved client may wait for one answer while others misbehave.  A fair daemon needs a few
#: milliseconds; the rest is for busy test machines.
PATIENCE = 0.5

#: KiB that a daemon may have kept once everybody is gone.
LEFTOVER = 20 * 1024

_FLOOD = """
import socket, sys
path, packet, size = sys.argv[1], bytes.fromhex(sys.argv[2]), int(sys.argv[3])
hello = bytes.fromhex(sys.argv[4])
link = socket.socket(socket.AF_UNIX)
link.connect(path)
link.sendall(hello)
print("flooding", flush=True)
link.setblocking(False)
blob, offset, drop = packet * 2000, 0, bytearray(1 << 20)
import select
while True:
    readable, writable, _ = select.select([link], [link], [])
    if writable:
        offset = (offset + link.send(blob[offset:])) % len(blob)
    if readable and not link.recv_into(drop):
        break
"""


def call(name: str, *arguments: object, serial: int = 1) -> bytes:
    """The packet of a call."""
    procedure = REMOTE.byName[name]
    payload = procedure.argumentCodec.encode(arguments)
    return pack(
        REMOTE.number, REMOTE.version, procedure.number, MessageType.CALL, serial, 0, payload
    )


HELLO = call("authList") + call("connectOpen", "test:///default", 0, serial=2)


class HostileClientTests(SynchronousTestCase):
    """Each test has a daemon of its own, so that memory can be compared."""

    def setUp(self) -> None:
        self.daemon = PyvirtDaemon(["max_clients = 6000", "max_anonymous_clients = 6000"])
        self.addCleanup(self.daemon.stop)
        self.client = Prober(self.daemon.connect())
        self.addCleanup(self.client.close)
        self.domain: DomainRef = self.ask("domainLookupByName", "test")
        self.connections: list[socket.socket] = []
        self.addCleanup(self.hangUp)

    def ask(self, name: str, *arguments: object) -> object:
        """One call of the well-behaved client."""
        answer = self.client.call(REMOTE, REMOTE.byName[name], arguments)
        if answer.error is not None:
            raise answer.error
        return answer.result

    def connect(self, greet: bool = True) -> socket.socket:
        """Open a connection for mischief."""
        connection = self.daemon.connect()
        self.connections.append(connection)
        if greet:
            connection.sendall(HELLO)
        return connection

    def hangUp(self) -> None:
        """Close all connections of mischief."""
        for connection in self.connections:
            connection.close()
        self.connections.clear()

    def latency(self, calls: int = 200) -> float:
        """The longest of many waits of the well-behaved client, in seconds."""
        longest = 0.0
        for _ in range(calls):
            started = time.perf_counter()
            self.ask("domainGetInfo", self.domain)
            longest = max(longest, time.perf_counter() - started)
        return longest

    def assertServed(self) -> None:
        """The well-behaved client waits no longer than its patience allows."""
        self.assertLess(self.latency(), PATIENCE)
        self.assertTrue(self.daemon.isRunning(), self.daemon.log())

    def assertRecovers(self, measure: Callable[[], int], wanted: int, what: str) -> None:
        """A figure of the daemon falls to what it should be once it has seen that everybody is gone."""
        deadline = time.monotonic() + 10
        while measure() > wanted:
            if time.monotonic() > deadline:
                self.fail(f"{what}: {measure()}, wanted at most {wanted}")
            self.ask("connectGetLibVersion")
        self.assertTrue(self.daemon.isRunning(), self.daemon.log())

    def fill(self, connection: socket.socket, packet: bytes, most: int = 1 << 26) -> int:
        """Send a packet over and over without reading, until the daemon takes no more; return the bytes it took."""
        blob = packet * (1 + 65536 // len(packet))
        connection.settimeout(0.3)
        taken = 0
        try:
            while taken < most:
                taken += connection.send(blob[taken % len(packet) :])
        except TimeoutError:
            pass
        return taken

    def test_crowd(self) -> None:
        """5,000 open connections are held, serve a call each, and leave nothing behind."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < CROWD + 500:
            raise SkipTest(f"only {hard} descriptors are allowed, {CROWD + 500} are needed")
        if soft < CROWD + 500:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
            self.daemon.stop()
            self.daemon = PyvirtDaemon(["max_clients = 6000", "max_anonymous_clients = 6000"])
            self.addCleanup(self.daemon.stop)
            self.client = Prober(self.daemon.connect())
        memory, descriptors = self.daemon.memory(), self.daemon.descriptors()
        crowd = [Prober(self.daemon.connect()) for _ in range(CROWD)]
        try:
            held = self.daemon.memory() - memory
            self.assertGreaterEqual(self.daemon.descriptors(), descriptors + CROWD)
            for each in crowd:
                answer = each.call(REMOTE, REMOTE.byName["domainGetInfo"], (self.domain,))
                self.assertIsNone(answer.error)
            self.assertServed()
        finally:
            for each in crowd:
                each.close()
        self.assertLess(held / CROWD, 40, "KiB for each connection")
        self.assertRecovers(self.daemon.descriptors, descriptors, "descriptors")
        # The allocator keeps pages for the next crowd, which may cost nothing more.
        after = self.daemon.memory()
        crowd = [Prober(self.daemon.connect()) for _ in range(CROWD)]
        for each in crowd:
            each.close()
        self.assertRecovers(self.daemon.descriptors, descriptors, "descriptors")
        self.assertLess(self.daemon.memory() - after, LEFTOVER)

    def test_neverReads(self) -> None:
        """A client that calls and never reads is stopped by its own backlog, and others are served."""
        memory = self.daemon.memory()
        packets = call("domainGetXMLDesc", self.domain, 0, serial=3)
        for _ in range(10):
            taken = self.fill(self.connect(), packets)
            self.assertLess(taken, 1 << 26, "the daemon reads on and on from who never reads")
        self.assertServed()
        self.assertLess(self.daemon.memory() - memory, 10 * 4 * 1024)
        descriptors = self.daemon.descriptors()
        self.hangUp()
        self.assertRecovers(self.daemon.descriptors, descriptors - 10, "descriptors")

    def test_stalledStreams(self) -> None:
        """Streams that nobody reads hold up neither calls nor other clients."""
        reader = Prober(self.daemon.connect())
        self.addCleanup(reader.close)
        started = reader.call(REMOTE, REMOTE.byName["domainScreenshot"], (self.domain, 0, 0))
        self.assertEqual((started.error, started.result), (None, "image/png"))
        memory = self.daemon.memory()
        for _ in range(10):
            connection = self.connect()
            for serial in range(3, 40):
                connection.sendall(call("domainScreenshot", self.domain, 0, 0, serial=serial))
        self.assertServed()
        self.assertLess(self.daemon.memory() - memory, 10 * 4 * 1024)
        descriptors = self.daemon.descriptors()
        self.hangUp()
        self.assertRecovers(self.daemon.descriptors, descriptors - 10, "descriptors")

    def test_flood(self) -> None:
        """A client that calls as fast as it can does not delay another."""
        packet = call("domainGetInfo", self.domain, serial=3)
        memory = self.daemon.memory()
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _FLOOD,
                self.daemon.socketPath,
                packet.hex(),
                str(len(packet)),
                HELLO.hex(),
            ],
            stdout=subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            self.assertEqual(process.stdout.readline(), b"flooding\n")
            self.assertServed()
            self.assertIsNone(process.poll(), "the flood was cut off before it was measured")
        finally:
            process.kill()
            process.communicate()
        self.assertServed()
        self.assertLess(self.daemon.memory() - memory, LEFTOVER)

    def test_garbage(self) -> None:
        """Bytes that are no packets end their own connection and nothing else."""
        chance = random.Random(7)
        descriptors = self.daemon.descriptors()
        memory = self.daemon.memory()
        lengths = [0, 1, 4, 27, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 33554437]
        openings = [struct.pack(">I", length) + chance.randbytes(64) for length in lengths]
        openings += [chance.randbytes(chance.randrange(1, 2000)) for _ in range(300)]
        for opening in openings:
            connection = self.connect(greet=chance.random() < 0.5)
            connection.sendall(opening)
        self.assertServed()
        self.hangUp()
        self.assertRecovers(self.daemon.descriptors, descriptors, "descriptors")
        self.assertLess(self.daemon.memory() - memory, LEFTOVER)

    def test_garbageInsidePackets(self) -> None:
        """Well-formed packets of nonsense are answered or end their connection; the daemon goes on."""
        chance = random.Random(11)
        descriptors = self.daemon.descriptors()
        for _ in range(300):
            connection = self.connect()
            for serial in range(3, 8):
                connection.sendall(
                    pack(
                        chance.choice(
                            [REMOTE.number, REMOTE.number, 0x20008087, chance.getrandbits(32)]
                        ),
                        chance.choice([1, 1, 1, 2, 0]),
                        chance.randrange(-2, 500),
                        chance.choice([0, 0, 0, 1, 2, 3, 4, 5, 6, 7, chance.getrandbits(32)]),
                        serial,
                        chance.choice([0, 0, 1, 2, 3]),
                        chance.randbytes(4 * chance.randrange(0, 30)),
                    )
                )
                if chance.random() < 0.2:
                    break
            connection.setblocking(False)
        self.assertServed()
        self.hangUp()
        self.assertRecovers(self.daemon.descriptors, descriptors, "descriptors")

    def test_hangUpsAnywhere(self) -> None:
        """Clients that vanish after any number of bytes leave nothing behind."""
        session = HELLO + call("domainGetXMLDesc", self.domain, 0, serial=3)
        session += call("domainScreenshot", self.domain, 0, 0, serial=4)
        descriptors = self.daemon.descriptors()
        for size in range(0, len(session) + 1, 3):
            connection = self.connect(greet=False)
            connection.sendall(session[:size])
            connection.close()
        self.connections.clear()
        self.assertServed()
        self.assertRecovers(self.daemon.descriptors, descriptors, "descriptors")

    def test_oneByteAtATime(self) -> None:
        """A session that dribbles in byte by byte is served like any other, and delays nobody."""
        connection = self.connect(greet=False)
        for byte in HELLO:
            connection.sendall(bytes([byte]))
            if byte == 0:
                continue
            self.ask("connectGetLibVersion")
        self.assertEqual(len(self._read(connection, 32 + 4 + 28)), 64)
        self.assertServed()

    def _read(self, connection: socket.socket, size: int) -> bytes:
        received = b""
        while len(received) < size:
            data = connection.recv(size - len(received))
            if not data:
                raise EOFError(f"{len(received)} of {size} bytes came")
            received += data
        return received
