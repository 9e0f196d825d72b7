"""
Calls with streams: the reply, what follows it, and every way in which a stream ends.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.drivers.interfaces.values import StorageVolRef
from pyvirt.errors import ErrorCode, virtError
from pyvirt.protocols.message import STREAM_CHUNK
from tests.daemonfixture import DOMAIN, Message, Peer, Sink, Source, World

VOLUME = StorageVolRef("pool", "volume", "/pool/volume")
CALL, REPLY, STREAM = 0, 1, 3
OK, ERROR, CONTINUE = 0, 1, 2


class StreamTests(SynchronousTestCase):
    """A client with one stream."""

    def setUp(self) -> None:
        self.world = World()
        self.peer = self.world.peer().open()

    def download(self, source: Source) -> int:
        """Open a stream from the daemon; return its serial."""
        self.world.driver.stream = lambda: source
        answer = self.peer.ask(self.peer.packet("storageVolDownload", VOLUME, 0, 0, 0))
        self.assertIsNone(answer.result)
        return answer.serial

    def upload(self, sink: Sink) -> int:
        """Open a stream to the daemon; return its serial."""
        self.world.driver.stream = lambda: sink
        answer = self.peer.ask(self.peer.packet("storageVolUpload", VOLUME, 0, 0, 0))
        self.assertIsNone(answer.result)
        return answer.serial

    def say(self, serial: int, status: int, data: bytes = b"", number: int = 208) -> None:
        """Send a packet of the stream."""
        self.peer.send(self.peer.raw(number, data, type=STREAM, serial=serial, status=status))

    def heard(self) -> list[tuple[int, int, bytes]]:
        """Return type, status and data of what came."""
        return [(each.type, each.status, each.packet[28:]) for each in self.peer.received()]

    def test_download(self) -> None:
        """Data, an empty packet at the end, and success when the client says so."""
        source = Source()
        serial = self.download(source)
        self.assertEqual(source.history, ["started"])
        source.sink.write(b"abc")
        source.sink.write(b"x" * (STREAM_CHUNK + 24))
        source.sink.finish()
        first, second, third, end = self.heard()
        self.assertEqual(first, (STREAM, CONTINUE, b"abc"))
        self.assertEqual((len(second[2]), len(third[2])), (STREAM_CHUNK, 24))
        self.assertEqual(end, (STREAM, CONTINUE, b""))
        self.say(serial, OK)
        self.assertEqual(self.heard(), [(STREAM, OK, b"")])
        self.assertEqual(self.peer.session.streams, {})

    def test_upload(self) -> None:
        """What the client writes comes to the driver in order; success is answered by success."""
        sink = Sink()
        serial = self.upload(sink)
        self.say(serial, CONTINUE, b"one")
        self.say(serial, CONTINUE, b"two")
        self.say(serial, OK)
        self.assertEqual(sink.history, [b"one", b"two", "finished"])
        self.assertEqual(self.heard(), [(STREAM, OK, b"")])

    def test_resultBefore(self) -> None:
        """A result comes before the data, also when the driver answers later and writes at once."""
        source = Source()
        waiting: Deferred[Source] = Deferred()
        self.world.driver.stream = lambda: source
        screenshot = self.peer.packet("domainScreenshot", DOMAIN, 0, 0)

        def start(sink: object) -> None:
            Source.start(source, sink)
            source.sink.write(b"png")

        source.start = start  # type: ignore[method-assign]
        self.peer.send(screenshot)
        reply, data = self.peer.received()
        self.assertEqual((reply.type, reply.result), (REPLY, "image/png"))
        self.assertEqual((data.type, data.packet[28:]), (STREAM, b"png"))
        self.assertEqual(data.serial, reply.serial)
        self.world.driver.stream = lambda: waiting
        self.peer.send(self.peer.packet("storageVolDownload", VOLUME, 0, 0, 0))
        self.assertEqual(self.peer.received(), [])
        waiting.callback(source)
        self.assertEqual([each[0] for each in self.heard()], [REPLY, STREAM])

    def test_driverFails(self) -> None:
        """A driver that fails ends the stream with its error."""
        source = Source()
        serial = self.download(source)
        source.sink.abort(virtError(ErrorCode.OPERATION_FAILED, "disk is gone"))
        (end,) = self.peer.received()
        self.assertEqual((end.type, end.status, end.serial), (STREAM, ERROR, serial))
        self.assertEqual(end.error["message"], "operation failed: disk is gone")
        self.say(serial, CONTINUE, b"late")
        self.assertEqual(self.heard(), [])

    def test_clientGivesUp(self) -> None:
        """A client that aborts is told that it is done; the driver lets go."""
        source, sink = Source(), Sink()
        for serial in (self.download(source), self.upload(sink)):
            self.say(serial, ERROR)
            self.assertEqual(self.heard(), [(STREAM, OK, b"")])
        self.assertEqual(source.history[-1], "stopped")
        self.assertEqual(sink.history, ["aborted"])

    def test_connectionLost(self) -> None:
        """Streams end with the connection."""
        source, sink = Source(), Sink()
        self.download(source)
        self.upload(sink)
        self.peer.lose()
        self.assertEqual((source.history[-1], sink.history), ("stopped", ["aborted"]))
        self.assertEqual(self.world.driver.connections, [])

    def test_lostBeforeItBegan(self) -> None:
        """A stream that the driver opens for a client that has left is let go."""
        for end, name in ((Source(), "storageVolDownload"), (Sink(), "storageVolUpload")):
            peer: Peer = self.world.peer().open()
            waiting: Deferred[object] = Deferred()
            self.world.driver.stream = lambda waiting=waiting: waiting
            peer.send(peer.packet(name, VOLUME, 0, 0, 0))
            peer.lose()
            waiting.callback(end)
            self.assertIn(end.history, (["stopped"], ["aborted"]))

    def test_serialUsedAgain(self) -> None:
        """A client that gives a serial to a second stream loses the first."""
        first, second = Source(), Source()
        packet = self.peer.packet("storageVolDownload", VOLUME, 0, 0, 0)
        for source in (first, second):
            self.world.driver.stream = lambda source=source: source
            self.assertIsNone(self.peer.ask(packet).result)
        self.assertEqual((first.history[-1], second.history), ("stopped", ["started"]))
        first.sink.write(b"nothing")
        second.sink.write(b"data")
        self.assertEqual(self.heard(), [(STREAM, CONTINUE, b"data")])

    def test_slowReader(self) -> None:
        """Of a client that does not read the source is paused; replies overtake what waits."""
        source = Source()
        self.download(source)
        self.peer.transport.fill()
        source.sink.write(b"1")
        source.sink.write(b"2")
        self.assertEqual((source.history[-1], self.heard()), ("paused", []))
        other = self.world.peer().open()
        self.assertEqual(other.call("connectGetType"), "FIXTURE")
        self.peer.transport.drain()
        self.world.clock.advance(0)
        self.assertEqual([each[2] for each in self.heard()], [b"1", b"2"])
        self.assertEqual(source.history[-1], "resumed")

    def test_refused(self) -> None:
        """A call that fails opens no stream."""

        def fail() -> Source:
            raise virtError(ErrorCode.NO_STORAGE_VOL, "no such volume")

        self.world.driver.stream = fail
        answer: Message = self.peer.ask(self.peer.packet("storageVolDownload", VOLUME, 0, 0, 0))
        self.assertEqual(answer.error["code"], 50)
        self.assertEqual(self.peer.session.streams, {})
