"""
Our wire against real peers: descriptors and streams, our client on both daemons, the stock binding on our streams.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import UNIXClientEndpoint, UNIXServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from pyvirt.drivers.interfaces.streams import IStreamSink, IStreamSource
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.protocols.message import PAYLOAD, pack
from pyvirt.protocols.programs import REMOTE
from pyvirt.protocols.rpc import RPCClient, RPCServer
from pyvirt.protocols.streams import openStream, serveStream
from tests.interop.support import Daemon, requireBinding, requireLibvirtd, servers

BY_NAME = REMOTE.byName


class Collector:
    """A sink that tells when it has heard the end."""

    def __init__(self) -> None:
        self.data = b""
        self.ended: Deferred[None] = Deferred()

    def write(self, data: bytes) -> None:
        self.data += data

    def writeHole(self, length: int) -> None:
        raise AssertionError("nobody asked for holes")

    def finish(self) -> None:
        self.ended.callback(None)

    def abort(self, error: VirtError) -> None:
        self.ended.errback(error)


class WireTests(TestCase):
    """A client without any layer above the protocol, on libvirtd and on our daemon."""

    timeout = 300

    def setUp(self) -> None:
        requireLibvirtd()
        both = servers()
        self.daemons: list[Daemon] = [both.libvirtd, both.pyvirt]

    async def connected(self, daemon: Daemon) -> tuple[RPCClient, Any]:
        """Connect, open the test driver; return the client and the domain."""
        client = RPCClient(reactor)
        await connectProtocol(UNIXClientEndpoint(reactor, daemon.socketPath), client)
        self.addCleanup(self.disconnect, client)
        await self.call(client, "authList")
        await self.call(client, "connectOpen", "test:///default", 0)
        return client, await self.call(client, "domainLookupByName", "test")

    def call(self, client: RPCClient, name: str, *arguments: Any, **options: Any) -> Deferred[Any]:
        """Call a procedure by name."""
        return client.call(REMOTE, BY_NAME[name], arguments, **options)

    def disconnect(self, client: RPCClient) -> Deferred[None]:
        """End a connection, and wait until it has."""
        lost: Deferred[None] = Deferred()
        original = client.connectionLost

        def connectionLost(reason: Any) -> None:
            original(reason)
            lost.callback(None)

        if client.connectionIsLost:
            lost.callback(None)
        else:
            client.connectionLost = connectionLost  # type: ignore[method-assign,assignment]
            client.transport.loseConnection()
        return lost

    async def test_descriptors(self) -> None:
        """A descriptor arrives: what is no socket is refused as such, what is one by the driver."""
        told = []
        for daemon in self.daemons:
            client, domain = await self.connected(daemon)
            texts = []
            with tempfile.TemporaryFile() as file:
                left, right = socket.socketpair()
                for fds in ([file.fileno()], [left.fileno()], [], [left.fileno()] * 2):
                    try:
                        await self.call(client, "domainOpenGraphics", domain, 0, 0, fds=fds)
                    except VirtError as error:
                        text = re.sub(r"\bfd \d+", "fd N", str(error))
                        texts.append((int(error.code), int(error.domain), text))
                left.close()
                right.close()
            self.assertEqual(await self.call(client, "connectGetType"), "TEST")
            told.append(texts)
        self.assertIn("fd N must be a socket", told[0][0][2])
        self.assertEqual(told[0], told[1])

    async def test_screenshot(self) -> None:
        """A stream from the daemon is the same from both, to the last byte, and is finished."""
        pictures = []
        for daemon in self.daemons:
            client, domain = await self.connected(daemon)
            mime, stream = await openStream(
                client, REMOTE, BY_NAME["domainScreenshot"], (domain, 0, 0)
            )
            sink = Collector()
            stream.start(sink)
            await sink.ended
            await stream.finish()
            self.assertEqual(client.streams, {})
            pictures.append((mime, sink.data))
        self.assertGreater(len(pictures[0][1]), 1000)
        self.assertEqual(pictures[0], pictures[1])

    async def test_streamsGivenUp(self) -> None:
        """One is given up, one finished unread, one answered by nonsense; calls go on beside them."""
        told = []
        for daemon in self.daemons:
            client, domain = await self.connected(daemon)
            procedure = BY_NAME["domainScreenshot"]
            streams = []
            for _ in range(4):
                _, stream = await openStream(client, REMOTE, procedure, (domain, 0, 0))
                streams.append(stream)
            aborted, finished = streams[0].abort(), streams[1].finish()
            client.send(pack(REMOTE.number, 1, procedure.number, 3, streams[2].serial, 7))
            self.assertEqual(await self.call(client, "connectGetType"), "TEST")
            await aborted
            await finished
            errors: list[Any] = []
            for stream in streams[2:]:
                try:
                    if stream is streams[3]:
                        stream.write(b"nobody wants this")
                    sink = Collector()
                    stream.start(sink)
                    await sink.ended
                    await stream.finish()
                    errors.append(None)
                except VirtError as error:
                    errors.append((int(error.code), int(error.domain), str(error)))
            told.append(errors)
            self.assertEqual(client.streams, {})
        self.assertEqual(told[0][0][0], ErrorCode.RPC)
        self.assertEqual(told[0][0], told[1][0])

    async def test_pipelined(self) -> None:
        """A thousand calls at once, with a stream among them."""
        for daemon in self.daemons:
            client, domain = await self.connected(daemon)
            calls = [self.call(client, "domainGetInfo", domain) for _ in range(500)]
            opening = openStream(client, REMOTE, BY_NAME["domainScreenshot"], (domain, 0, 0))
            calls += [self.call(client, "connectGetHostname") for _ in range(500)]
            for each in calls[:500]:
                self.assertEqual((await each).state, 1)
            for each in calls[500:]:
                self.assertEqual(await each, os.uname().nodename)
            _, stream = await opening
            await stream.abort()


SCRIPT = """
import libvirt, os, sys, tempfile
libvirt.registerErrorHandler(lambda *_: None, None)
conn = libvirt.open(sys.argv[1])
vol = conn.storageVolLookupByPath("/volume")
data = bytes(range(256)) * 12000

def upload(data, piece, flags=0):
    stream = conn.newStream(0)
    vol.upload(stream, 0, len(data), flags)
    for offset in range(0, len(data), piece):
        assert stream.send(data[offset:offset + piece]) == len(data[offset:offset + piece])
    stream.finish()

def download():
    stream = conn.newStream(0)
    vol.download(stream, 0, 0, 0)
    got = []
    stream.recvAll(lambda stream, piece, got: got.append(piece), got)
    stream.finish()
    return b"".join(got)

upload(data, 262120)
print("back", download() == data)
upload(data[:300000], 300000)
print("large piece", download() == data[:300000])
upload(b"", 1)
print("nothing", download())
stream = conn.newStream(0)
vol.upload(stream, 0, 0, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
stream.send(b"ab")
stream.sendHole(1 << 20)
stream.send(b"cd")
stream.finish()
print("hole", download() == b"ab" + bytes(1 << 20) + b"cd")
stream = conn.newStream(0)
vol.download(stream, 0, 0, libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM)
parts = []
stream.sparseRecvAll(lambda s, piece, o: parts.append(piece), lambda s, n, o: parts.append(n), None)
stream.finish()
print("parts", parts)
stream = conn.newStream(0)
vol.upload(stream, 0, 0, 0)
stream.send(b"given up")
stream.abort()
print("aborted", conn.getType())
stream = conn.newStream(0)
vol.download(stream, 0, 0, 0)
print("unread", conn.getType(), stream.recv(1), stream.finish(), conn.getType())
stream = conn.newStream(0)
vol.upload(stream, 5, 0, 0)
try:
    for _ in range(100):
        stream.send(b"x" * 100000)
    stream.finish()
except libvirt.libvirtError as error:
    print("refused", error.get_error_code(), error.get_error_domain(), error)
stream = conn.newStream(0)
vol.upload(stream, 6, 0, 0)
stream.send(b"x")
try:
    stream.finish()
except libvirt.libvirtError as error:
    print("at last", error.get_error_code(), error)
stream = conn.newStream(0)
vol.download(stream, 7, 0, 0)
try:
    stream.recv(10)
except libvirt.libvirtError as error:
    print("failed", error)
print(conn.getType())
"""

WANTED = """back True
large piece True
nothing b''
hole True
parts [b'ab', 1048576, b'cd']
aborted FAKE
unread FAKE b'a' 0 FAKE
refused 38 38 cannot write: No space left
at last 55 Requested operation is not valid: too late
failed cannot read: Input/output error
FAKE
"""


@implementer(IStreamSink)
class Writing:
    """Keeps what is written to a volume; some volumes fail, now or at the end."""

    def __init__(self, store: list[Any], offset: int) -> None:
        self.store = store
        self.offset = offset
        self.pieces: list[Any] = []

    def write(self, data: bytes) -> None:
        if self.offset == 5:
            raise virtError(
                ErrorCode.SYSTEM_ERROR, "cannot write: No space left", ErrorDomain.STREAMS
            )
        self.pieces.append(data)

    def writeHole(self, length: int) -> None:
        self.pieces.append(length)

    def finish(self) -> Any:
        if self.offset == 6:
            return fail(virtError(ErrorCode.OPERATION_INVALID, "too late", ErrorDomain.STREAMS))
        self.store[:] = self.pieces
        return None

    def abort(self, error: VirtError) -> None:
        self.pieces.clear()


@implementer(IStreamSource)
class Reading:
    """Pushes what a volume has."""

    def __init__(self, store: list[Any], sparse: bool, offset: int) -> None:
        self.pieces = list(store)
        self.sparse = sparse
        self.offset = offset
        self.paused = False
        self.sink: Any = None

    def start(self, sink: Any) -> None:
        self.sink = sink
        self.push()

    def push(self) -> None:
        """Push until paused."""
        if self.offset == 7:
            self.sink.abort(
                virtError(
                    ErrorCode.SYSTEM_ERROR,
                    "cannot read: Input/output error",
                    ErrorDomain.STREAMS,
                )
            )
            return
        while self.pieces and not self.paused:
            piece = self.pieces.pop(0)
            if isinstance(piece, bytes):
                self.sink.write(piece)
            elif self.sparse:
                self.sink.writeHole(piece)
            else:
                self.sink.write(bytes(piece))
        if not (self.pieces or self.paused):
            self.sink.finish()

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False
        self.push()

    def stopProducing(self) -> None:
        self.pieces.clear()
        self.paused = True


class VolumeServer(RPCServer):
    """As much of a daemon as a volume with streams needs."""

    stopsReadingWhenClogged = True

    def __init__(self, store: list[Any]) -> None:
        super().__init__(reactor)
        self.store = store
        self.gone: Deferred[None] = Deferred()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.gone.callback(None)

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
        procedure = REMOTE.procedures[number]
        arguments, _ = procedure.argumentCodec.decode(packet, PAYLOAD)
        results: dict[str, Any] = {
            "authList": [0],
            "connectSupportsFeature": 1,
            "connectGetType": "FAKE",
            "storageVolLookupByPath": ("pool", "volume", "/volume"),
        }
        values = () if procedure.result is None else (results[procedure.name],)
        self.reply(program, version, number, serial, procedure.resultCodec.encode(values))
        if procedure.stream is not None:
            _, offset, _, flags = arguments
            end: Any = Writing(self.store, offset)
            if procedure.name == "storageVolDownload":
                end = Reading(self.store, bool(flags), offset)
            serveStream(self, REMOTE, procedure, serial, arguments, end)


class BindingTests(TestCase):
    """The stock binding on our end of streams."""

    timeout = 300

    async def test_volumes(self) -> None:
        """Uploads and downloads, whole, with holes, given up, unread and failing."""
        python = requireBinding()
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "socket")
        store: list[Any] = []
        served: list[VolumeServer] = []

        class Listening(Factory):
            def buildProtocol(self, address: Any) -> VolumeServer:
                served.append(VolumeServer(store))
                return served[-1]

        port = await UNIXServerEndpoint(reactor, path).listen(Listening())
        self.addCleanup(port.stopListening)
        out, err, status = await getProcessOutputAndValue(
            python,
            ["-c", SCRIPT, f"storage+unix:///system?socket={path}"],
            {"HOME": folder, "PATH": os.environ["PATH"]},
        )
        self.assertEqual((err.decode(), out.decode(), status), ("", WANTED, 0))
        (server,) = served
        await server.gone
        self.assertEqual(server.streams, {})
