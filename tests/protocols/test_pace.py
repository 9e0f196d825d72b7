"""
Pace: nobody remembers without bound, and a stream that stands still does not keep calls from going on.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pyvirt.errors import ErrorCode, OutcomeUnknown, VirtError
from pyvirt.protocols.message import STREAM_CHUNK
from pyvirt.protocols.programs import REMOTE
from tests.protocols.support import HIGH, Duplex, Sink, Source
from tests.protocols.test_streams import CONSOLE, DOWNLOAD, UPLOAD, PairTests

TYPE = REMOTE.byName["connectGetType"]
MIB = 1 << 20


class Endless(Source):
    """Has data for ever, and counts what it pushed."""

    def __init__(self, size: int = 100000) -> None:
        super().__init__(endless=True)
        self.size = size
        self.pushed = 0

    def push(self) -> None:
        while not self.paused and not self.stopped:
            self.pushed += self.size
            self.sink.write(bytes(self.size))


class SlowSink(Sink):
    """Takes so many pieces and then none until told."""

    def __init__(self, most: int = 0) -> None:
        super().__init__()
        self.most = most
        self.taken = 0

    def attach(self, source: Any) -> None:
        super().attach(source)
        if not self.most:
            source.pauseProducing()

    def write(self, data: bytes) -> None:
        self.taken += len(data)
        self.most -= 1
        if self.most <= 0:
            self.source.pauseProducing()

    def take(self, pieces: int) -> None:
        """Take some more."""
        self.most = pieces
        self.source.resumeProducing()


class OutTests(PairTests):
    """The transport has enough."""

    def test_unreadDownload(self) -> None:
        """A source is paused when the client does not read, and goes on where it stopped."""
        source = Endless()
        stream = self.open(DOWNLOAD, source)
        sink = SlowSink()
        sink.attach(stream)
        stream.start(sink)
        self.clientTransport.reading = False
        self.pipe.flush()
        pushed = source.pushed
        self.assertTrue(source.paused)
        self.assertLess(len(self.daemonTransport.out), HIGH + 2 * source.size)
        self.pipe.flush()
        self.assertEqual(source.pushed, pushed)
        self.clientTransport.reading = True
        self.pipe.flush()
        self.assertGreater(source.pushed, pushed)
        stream.abort()
        self.pipe.flush()
        self.nothingLeft()

    def test_oneLargePiece(self) -> None:
        """A piece of any size leaves in packets; replies go between them."""
        source = Source(endless=True)
        stream = self.open(DOWNLOAD, source)
        sink = Sink()
        stream.start(sink)
        source.sink.write(bytes(40 * STREAM_CHUNK))
        self.assertTrue(source.paused)
        self.assertLess(len(self.daemonTransport.out), HIGH + 2 * STREAM_CHUNK)
        call = self.client.call(REMOTE, TYPE, ())
        self.pipe.flush(rounds=12)
        self.assertEqual(self.successResultOf(call), "type")
        self.assertLess(len(sink.data), 20 * STREAM_CHUNK)
        self.pipe.flush()
        self.assertEqual(len(sink.data), 40 * STREAM_CHUNK)
        self.assertFalse(source.paused)
        self.finish(stream)

    def test_endBehindData(self) -> None:
        """The end of the data waits its turn behind the data."""
        stream = self.open(DOWNLOAD, Source([bytes(5 * STREAM_CHUNK)]))
        sink = Sink()
        stream.start(sink)
        self.pipe.flush()
        self.assertEqual((len(sink.data), sink.seen[-1]), (5 * STREAM_CHUNK, "finish"))
        self.finish(stream)

    def test_errorBeforeData(self) -> None:
        """A failure does not: what waits is dropped."""
        source = Source(endless=True)
        stream = self.open(DOWNLOAD, source)
        sink = Sink()
        stream.start(sink)
        source.sink.write(bytes(20 * STREAM_CHUNK))
        source.sink.abort(OutcomeUnknown("gone"))
        self.pipe.flush()
        self.assertLess(len(sink.data), 3 * STREAM_CHUNK)
        self.assertEqual(len(sink.ends), 1)
        self.nothingLeft()

    def test_upload(self) -> None:
        """The application's source is paused by the transport too."""
        sink = Sink()
        stream = self.open(UPLOAD, sink)
        source = Endless()
        stream.attach(source)
        source.start(stream)
        self.assertTrue(source.paused)
        self.assertTrue(stream.clogged)
        pushed = source.pushed
        self.assertLess(pushed, 4 * source.size)
        self.pipe.flush(rounds=20)
        self.assertGreater(source.pushed, pushed)
        source.stopped = 1
        self.finish(stream)
        self.assertEqual(len(sink.data), source.pushed)

    def test_attachedWhileClogged(self) -> None:
        """A source that comes while the transport has enough is paused at once."""
        stream = self.open(UPLOAD, Sink())
        other = self.open(UPLOAD, Sink())
        other.write(bytes(STREAM_CHUNK))
        source = Source(endless=True)
        stream.attach(source)
        self.assertTrue(source.paused)
        self.pipe.flush()
        self.assertFalse(source.paused)

    def test_takingTurns(self) -> None:
        """Streams that always have more get the same share."""
        self.client.streamLimit = MIB
        sources = [Endless(STREAM_CHUNK) for _ in range(3)]
        for stream in [self.open(DOWNLOAD, source) for source in sources]:
            stream.start(Sink())
        before = [each.pushed for each in sources]
        self.pipe.flush(rounds=60)
        shares = [
            (each.pushed - was) // STREAM_CHUNK for each, was in zip(sources, before, strict=True)
        ]
        self.assertGreater(min(shares), 2)
        self.assertLessEqual(max(shares) - min(shares), 2)


class InTests(PairTests):
    """The sink has enough."""

    def upload(self, sink: Sink, size: int = 100000) -> tuple[Any, Endless]:
        """Send for ever to a driver's sink."""
        stream = self.open(UPLOAD, sink)
        source = Endless(size)
        stream.attach(source)
        source.start(stream)
        self.pipe.flush()
        return stream, source

    def call(self) -> Deferred[Any]:
        """Ask for something small."""
        call: Deferred[Any] = self.client.call(REMOTE, TYPE, ())
        self.pipe.flush()
        return call

    def test_slowDriver(self) -> None:
        """Beyond the limit the daemon reads no further; the client's source feels it, and nothing is lost."""
        sink = SlowSink(1)
        stream, source = self.upload(sink)
        self.assertFalse(self.daemonTransport.reading)
        self.assertTrue(source.paused)
        self.assertLess(self.daemon.inflow.waiting, MIB + 2 * HIGH)
        pushed = source.pushed
        for _ in range(30):
            self.clock.advance(5)
            sink.take(3)
            self.pipe.flush()
            self.assertLess(self.daemon.inflow.waiting, MIB + 2 * HIGH)
        self.assertGreater(source.pushed, pushed + MIB)
        source.stopped = 1
        sink.take(1 << 30)
        self.finish(stream)
        self.assertEqual(sink.taken, source.pushed)
        self.assertEqual(sink.ends, ["finish"])

    def test_callsBeside(self) -> None:
        """Below the limit a sink that takes nothing delays nobody."""
        stream = self.open(UPLOAD, SlowSink())
        stream.write(bytes(MIB // 2))
        self.pipe.flush()
        self.assertEqual(self.successResultOf(self.call()), "type")
        self.assertTrue(self.daemonTransport.reading)

    def test_stalledDriver(self) -> None:
        """A sink that takes nothing while calls wait behind it loses its stream, and calls go on."""
        sink = SlowSink()
        stream, source = self.upload(sink)
        call = self.call()
        self.clock.advance(9.9)
        self.pipe.flush()
        self.assertNoResult(call)
        self.clock.advance(0.2)
        self.pipe.flush()
        self.assertEqual(self.successResultOf(call), "type")
        self.failed(
            stream.finish(), ErrorCode.RPC, "stream stalled: its data was not taken in time"
        )
        self.assertIn("stalled", str(sink.ends[0]))
        self.assertEqual(source.stopped, 1)
        self.nothingLeft()

    def test_theGuiltyOne(self) -> None:
        """Of two streams the one that stands still is given up, not the one that moves."""
        slow, still = SlowSink(1), SlowSink()
        console = self.open(UPLOAD, still)
        console.write(b"x" * 1000)
        stream, source = self.upload(slow)
        for _ in range(4):
            self.clock.advance(4)
            slow.take(2)
            self.pipe.flush()
        self.assertIn("stalled", str(still.ends[0]))
        self.failureResultOf(console.finish(), VirtError)
        self.assertFalse(stream.closed)
        source.stopped = 1
        slow.take(1 << 30)
        self.finish(stream)

    def test_smallPackets(self) -> None:
        """Packets are counted with what it costs to remember them."""
        stream = self.open(CONSOLE, Duplex())
        server = self.daemon.opened[0]
        server.pauseProducing()
        for _ in range(20000):
            stream.write(b"x")
        self.pipe.flush()
        self.assertFalse(self.daemonTransport.reading)
        self.assertLess(len(server._incoming), 12000)
        server.resumeProducing()
        self.pipe.flush()
        self.assertTrue(self.daemonTransport.reading)
        self.finish(stream)

    def test_abortWhileStopped(self) -> None:
        """The loss of the client ends the watch."""
        self.upload(SlowSink())
        self.pipe.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_driverFailsWhileStopped(self) -> None:
        """A driver that fails while nothing is read gets its error out, and reading goes on."""
        sink = SlowSink()
        stream, _ = self.upload(sink)
        sink.source.stopProducing()
        self.pipe.flush()
        self.assertTrue(self.daemonTransport.reading)
        self.failureResultOf(stream.finish(), VirtError)
        self.nothingLeft()

    def test_pausedInTheMiddle(self) -> None:
        """A sink that pauses while it is given what waits gets no more."""
        sink = SlowSink()
        stream = self.open(UPLOAD, sink)
        for _ in range(6):
            stream.write(bytes(10))
        self.pipe.flush()
        self.assertEqual(sink.taken, 0)
        sink.take(2)
        self.assertEqual(sink.taken, 20)
        sink.take(9)
        self.assertEqual(sink.taken, 60)
        self.finish(stream)

    def test_finishBehindData(self) -> None:
        """A finish that comes while data waits is told behind it."""
        sink = SlowSink()
        stream = self.open(UPLOAD, sink)
        stream.write(bytes(10))
        finished = stream.finish()
        self.pipe.flush()
        self.assertEqual((sink.taken, sink.seen), (0, []))
        self.assertNoResult(finished)
        sink.take(5)
        self.pipe.flush()
        self.assertEqual((sink.taken, sink.seen), (10, ["finish"]))
        self.successResultOf(finished)
        self.nothingLeft()

    def test_abortBeforeData(self) -> None:
        """An abort is not: what waits is dropped."""
        sink = SlowSink()
        stream = self.open(UPLOAD, sink)
        stream.write(bytes(10))
        aborted = stream.abort()
        self.pipe.flush()
        self.successResultOf(aborted)
        self.assertEqual(sink.taken, 0)
        self.assertEqual(len(sink.ends), 1)
        self.nothingLeft()


class ClientInTests(PairTests):
    """The application does not take what the daemon sends."""

    def setUp(self) -> None:
        super().setUp()
        self.client.streamLimit = 2 * MIB

    def download(self, procedure: Any = DOWNLOAD) -> tuple[Any, Endless]:
        """Open a stream that nobody reads."""
        source = Endless()
        stream = self.open(procedure, source)
        self.pipe.flush()
        return stream, source

    def test_bounded(self) -> None:
        """Beyond its limit a client reads no further, and so the daemon's source pauses."""
        stream, source = self.download()
        self.assertFalse(self.clientTransport.reading)
        self.assertTrue(source.paused)
        self.assertLess(self.client.inflow.waiting, 3 * MIB)
        sink = Sink()
        stream.start(sink)
        self.pipe.flush(rounds=50)
        self.assertGreater(len(sink.data), 3 * MIB)
        stream.abort()
        self.pipe.flush()
        self.nothingLeft()

    def test_calls(self) -> None:
        """A call is answered at once all the same; then reading stops again."""
        self.download()
        for _ in range(3):
            call = self.client.call(REMOTE, TYPE, ())
            self.pipe.flush()
            self.assertEqual(self.successResultOf(call), "type")
            self.assertFalse(self.clientTransport.reading)
        self.assertLess(self.client.inflow.waiting, 4 * MIB)

    def test_ends(self) -> None:
        """The end of another stream comes through too."""
        self.download()
        other = self.open(UPLOAD, Sink())
        other.write(b"x")
        finished = other.finish()
        self.pipe.flush()
        self.successResultOf(finished)

    def test_abort(self) -> None:
        """The stream itself can be given up while reading is stopped."""
        stream, source = self.download()
        aborted = stream.abort()
        self.pipe.flush()
        self.successResultOf(aborted)
        self.assertEqual(source.stopped, 1)
        self.nothingLeft()

    def test_littleByLittle(self) -> None:
        """With nothing due, the client reads a little on now and then, so that messages come through."""
        self.download()
        waiting = self.client.inflow.waiting
        self.daemon.send(self.event())
        for _ in range(3):
            self.clock.advance(5)
            self.pipe.flush()
        self.assertEqual(len(self.client.events), 1)
        self.assertLess(self.client.inflow.waiting, waiting + 4 * MIB)
        self.assertFalse(self.clientTransport.reading)

    def event(self) -> bytes:
        """Make a message of the daemon."""
        from pyvirt.protocols.message import pack

        return pack(REMOTE.number, 1, 107, 2, 0, 0)

    def test_movingSink(self) -> None:
        """A sink that is slow but moves is given time: nothing more is read than before."""
        stream, _ = self.download()
        sink = SlowSink()
        sink.attach(stream)
        stream.start(sink)
        for _ in range(10):
            sink.take(1)
            self.clock.advance(5)
            self.pipe.flush()
        self.assertLess(self.client.inflow.waiting, 3 * MIB)
        self.assertFalse(self.clientTransport.reading)
