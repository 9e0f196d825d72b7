"""
Descriptors over real UNIX sockets: they arrive with their message, in order, whatever else is on its way.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import UNIXClientEndpoint, UNIXServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

from pyvirt.errors import VirtError
from pyvirt.protocols.message import PAYLOAD, MessageType, Status, pack
from pyvirt.protocols.programs import REMOTE
from pyvirt.protocols.rpc import RPCClient, RPCServer

OPEN_GRAPHICS = REMOTE.byName["domainOpenGraphics"]
OPEN_FD = REMOTE.byName["domainOpenGraphicsFD"]
HOSTNAME = REMOTE.byName["connectGetHostname"]
DOMAIN = ("test", bytes(16), 1)


class Server(RPCServer):
    """
    Keeps the descriptors of C{domainOpenGraphics}; answers C{domainOpenGraphicsFD} with one that reads as its
    index, and other calls by a text as long as C{size}.
    """

    stopsReadingWhenClogged = True

    def __init__(self) -> None:
        super().__init__(reactor)
        self.got: list[list[int]] = []
        self.size = 5
        self.calls = 0
        self.reason: list[str] = []

    def callReceived(
        self,
        program: int,
        version: int,
        number: int,
        serial: int,
        status: int,
        packet: bytes,
        fds: list[int],
    ) -> None:
        self.calls += 1
        if number == OPEN_GRAPHICS.number:
            self.got.append(fds)
            self.reply(program, version, number, serial)
        elif number == OPEN_FD.number:
            (_, index, _), _ = OPEN_FD.argumentCodec.decode(packet, PAYLOAD)
            ends = [readable(f"{index}.{each}") for each in range(index % 4)]
            payload = struct.pack(">I", len(ends))
            reply = pack(
                program, version, number, MessageType.REPLY_WITH_FDS, serial, Status.OK, payload
            )
            self.sendWithDescriptors(reply, ends)
            for end in ends:
                os.close(end)
        else:
            payload = HOSTNAME.resultCodec.encode(("x" * self.size,))
            self.reply(program, version, number, serial, payload)

    def brokenBy(self, reason: str) -> None:
        self.reason.append(reason)
        super().brokenBy(reason)


def readable(text: str) -> int:
    """Make a descriptor from which a text can be read."""
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    return reading


def contents(fd: int) -> str:
    """Read a descriptor to its end and close it."""
    with os.fdopen(fd, "rb") as file:
        return file.read().decode()


def opened() -> int:
    """Count this process's descriptors."""
    return len(os.listdir("/proc/self/fd"))


class DescriptorTests(TestCase):
    """A client and a server, each with a UNIX transport of the reactor."""

    timeout = 30

    async def connected(self) -> tuple[RPCClient, Server]:
        """Connect the two."""
        path = f"/tmp/{os.path.basename(self.mktemp())}-{os.getpid()}"
        servers: Deferred[Server] = Deferred()

        class Listening(Factory):
            def buildProtocol(self, address: Any) -> Server:
                server = Server()
                reactor.callLater(0, servers.callback, server)
                return server

        port = await UNIXServerEndpoint(reactor, path).listen(Listening())
        client = RPCClient(reactor)
        await connectProtocol(UNIXClientEndpoint(reactor, path), client)
        server = await servers
        await port.stopListening()
        self.addCleanup(self.disconnect, client, server)
        return client, server

    async def counted(self) -> int:
        """Count this process's descriptors, those left out that the reactor keeps from its first connection on."""
        await self.disconnect(*await self.connected())
        return opened()

    def disconnect(self, *protocols: Any) -> Any:
        """Break the connection, and wait until it is."""
        waiting = []
        for each in protocols:
            if not each.connectionIsLost:
                lost: Deferred[None] = Deferred()
                original = each.connectionLost

                def connectionLost(reason: Any, original: Any = original, lost: Any = lost) -> None:
                    original(reason)
                    lost.callback(None)

                each.connectionLost = connectionLost
                each.transport.abortConnection()
                waiting.append(lost)
        return gatherResults(waiting)

    async def test_toTheServer(self) -> None:
        """As many as may go with one call, each where it was in the list; the caller keeps its own."""
        client, server = await self.connected()
        before = opened()
        for count in (1, 2, 32):
            mine = [readable(str(each)) for each in range(count)]
            await client.call(REMOTE, OPEN_GRAPHICS, (DOMAIN, 0, 0), fds=mine)
            (got,) = server.got
            server.got.clear()
            self.assertEqual([contents(each) for each in got], [str(n) for n in range(count)])
            for each in mine:
                os.close(each)
        self.assertEqual(opened(), before)

    async def test_fromTheServer(self) -> None:
        """Replies carry them too, to the caller that asked."""
        client, _ = await self.connected()
        before = opened()
        for index in range(5):
            _, fds = await client.call(REMOTE, OPEN_FD, (DOMAIN, index, 0))
            self.assertEqual(
                [contents(each) for each in fds], [f"{index}.{n}" for n in range(index % 4)]
            )
        self.assertEqual(opened(), before)

    async def test_pipelined(self) -> None:
        """Many at once, both ways, between large answers: each arrives with its own message."""
        client, server = await self.connected()
        server.size = 300000
        before = opened()
        waiting: list[Deferred[Any]] = []
        for index in range(40):
            mine = readable(f"to {index}")
            waiting.append(client.call(REMOTE, OPEN_GRAPHICS, (DOMAIN, index, 0), fds=[mine]))
            os.close(mine)
            waiting.append(client.call(REMOTE, HOSTNAME, ()))
            waiting.append(client.call(REMOTE, OPEN_FD, (DOMAIN, index, 0)))
        answers = await gatherResults(waiting)
        self.assertEqual(
            [[contents(each) for each in got] for got in server.got],
            [[f"to {index}"] for index in range(40)],
        )
        for index in range(40):
            self.assertEqual(len(answers[3 * index + 1]), 300000)
            _, fds = answers[3 * index + 2]
            self.assertEqual(
                [contents(each) for each in fds], [f"{index}.{n}" for n in range(index % 4)]
            )
        self.assertEqual(opened(), before)
        self.assertEqual(server.reason, [])
        self.assertFalse(server.clogged)

    async def test_behindLargeOutput(self) -> None:
        """Sent while megabytes are on their way, they wait; what follows waits for them."""
        client, server = await self.connected()
        large = [
            client.call(REMOTE, REMOTE.byName["domainLookupByName"], ("x" * 4000000,))
            for _ in range(3)
        ]
        mine = readable("patient")
        small = client.call(REMOTE, OPEN_GRAPHICS, (DOMAIN, 0, 0), fds=[mine])
        other = client.call(REMOTE, OPEN_GRAPHICS, (DOMAIN, 0, 0), fds=[mine, mine])
        after = client.call(REMOTE, HOSTNAME, ())
        os.close(mine)
        for call in large:
            await call.addErrback(lambda failure: failure.trap(VirtError))
        await small
        await other
        self.assertEqual(await after, "xxxxx")
        self.assertEqual([len(each) for each in server.got], [1, 2])
        self.assertEqual(contents(server.got[0][0]), "patient")
        for each in server.got[1]:
            os.close(each)
        self.assertEqual(server.calls, 6)
        self.assertFalse(client.clogged)

    async def test_cloggedBefore(self) -> None:
        """A server that was clogged when it sent descriptors reads on afterwards."""
        client, server = await self.connected()
        server.size = 1 << 20
        client.transport.pauseProducing()
        first = client.call(REMOTE, HOSTNAME, ())
        second = client.call(REMOTE, OPEN_FD, (DOMAIN, 0, 0))
        while not server.clogged:
            await self.turn()
        fd = readable("direct")
        server.sendWithDescriptors(
            pack(REMOTE.number, 1, 6, MessageType.REPLY_WITH_FDS, 99, 0, struct.pack(">I", 0)), []
        )
        os.close(fd)
        client._calls[99] = (HOSTNAME, Deferred())
        client._calls[99][1].addBoth(lambda _: None)
        client._calls[99] = (REMOTE.procedures[6], client._calls[99][1])
        client.transport.resumeProducing()
        self.assertEqual(len(await first), 1 << 20)
        _, fds = await second
        for each in fds:
            os.close(each)
        server.size = 5
        self.assertEqual(await client.call(REMOTE, HOSTNAME, ()), "xxxxx")
        self.assertFalse(server.clogged)

    def turn(self) -> Deferred[None]:
        """Let the reactor turn once."""
        waiting: Deferred[None] = Deferred()
        reactor.callLater(0, waiting.callback, None)
        return waiting

    async def test_lostMeanwhile(self) -> None:
        """A connection that is lost while descriptors wait closes our copies."""
        before = await self.counted()
        client, server = await self.connected()
        server.transport.pauseProducing()
        mine = readable("lost")
        calls = [
            client.call(REMOTE, REMOTE.byName["domainLookupByName"], ("x" * 4000000,)),
            client.call(REMOTE, OPEN_GRAPHICS, (DOMAIN, 0, 0), fds=[mine, mine]),
            client.call(REMOTE, OPEN_GRAPHICS, (DOMAIN, 0, 0), fds=[mine]),
        ]
        os.close(mine)
        self.assertGreater(opened(), before + 2)
        await self.disconnect(client, server)
        for call in calls:
            self.failureResultOf(call, VirtError)
        self.assertEqual(opened(), before)

    async def test_closingMeanwhile(self) -> None:
        """Closing waits until descriptors are on their way."""
        client, server = await self.connected()
        mine = readable("last")
        call = client.call(REMOTE, OPEN_GRAPHICS, (DOMAIN, 0, 0), fds=[mine])
        client.close()
        os.close(mine)
        call.addErrback(lambda _: None)
        while not server.got:
            await self.turn()
        self.assertEqual(contents(server.got[0][0]), "last")

    async def test_nobodyTakesThem(self) -> None:
        """Descriptors that come with an answer which nobody wants, or to a call without, are closed."""
        client, server = await self.connected()
        before = opened()
        call = client.call(REMOTE, OPEN_FD, (DOMAIN, 3, 0))
        call.cancel()
        await call.addErrback(lambda _: None)
        await client.call(REMOTE, HOSTNAME, ())
        self.assertEqual(opened(), before)
        serial = client._serial + 1
        waiting = client.call(REMOTE, REMOTE.byName["connectClose"], ())
        server.callReceived = lambda *_: None  # type: ignore[method-assign]
        fd = readable("unwanted")
        reply = pack(
            REMOTE.number, 1, 2, MessageType.REPLY_WITH_FDS, serial, 0, struct.pack(">I", 1)
        )
        await self.turn()
        server.sendWithDescriptors(reply, [fd])
        os.close(fd)
        self.assertIsNone(await waiting)
        self.assertEqual(opened(), before)

    async def test_announcedInVain(self) -> None:
        """A message that announces more than come ends the connection, and closes what came."""
        before = await self.counted()
        client, server = await self.connected()
        ours = client.transport
        ours.sendFileDescriptor(0)
        ours.write(
            pack(REMOTE.number, 1, OPEN_GRAPHICS.number, 4, 1, 0, struct.pack(">I", 2)) + b"\0\0"
        )
        while not client.connectionIsLost:
            await self.turn()
        self.assertIn("fewer came", server.reason[0])
        self.assertEqual(server.got, [])
        while not server.connectionIsLost:
            await self.turn()
        self.assertEqual(opened(), before)


class RawTests(TestCase):
    """What stands on the wire, seen by a plain socket."""

    timeout = 30

    async def test_bytes(self) -> None:
        """The count before the payload, and a byte for each descriptor behind the packet."""
        path = f"/tmp/{os.path.basename(self.mktemp())}-{os.getpid()}"
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(path)
        self.addCleanup(os.unlink, path)
        listener.listen()
        client = RPCClient(reactor)
        await connectProtocol(UNIXClientEndpoint(reactor, path), client)
        peer, _ = listener.accept()
        self.addCleanup(peer.close)
        mine = [readable("a"), readable("b")]
        call = client.call(REMOTE, OPEN_GRAPHICS, (DOMAIN, 7, 0), fds=mine)
        call.addErrback(lambda _: None)
        for each in mine:
            os.close(each)
        peer.setblocking(False)
        data = b""
        came: list[int] = []
        while len(came) < 2:
            waiting: Deferred[None] = Deferred()
            reactor.callLater(0, waiting.callback, None)
            await waiting
            try:
                piece, fds, _, _ = socket.recv_fds(peer, 65536, 8)
            except BlockingIOError:
                continue
            data += piece
            came += fds
        payload = OPEN_GRAPHICS.argumentCodec.encode((DOMAIN, 7, 0))
        size = PAYLOAD + 4 + len(payload)
        self.assertEqual(
            data,
            pack(REMOTE.number, 1, 249, 4, 1, 0, struct.pack(">I", 2) + payload) + b"\0\0",
        )
        self.assertEqual(struct.unpack_from(">I", data)[0], size)
        self.assertEqual([contents(each) for each in came], ["a", "b"])
        client.transport.abortConnection()
        while not client.connectionIsLost:
            waiting = Deferred()
            reactor.callLater(0, waiting.callback, None)
            await waiting
