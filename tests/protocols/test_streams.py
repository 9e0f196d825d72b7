"""
Streams: what a driver and an application see of each other, in which order, at which pace, and every end.
"""

from __future__ import annotations

import struct
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pyvirt.constants import VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM
from pyvirt.drivers.interfaces.streams import IPacedSink, IStreamDuplex
from pyvirt.errors import ErrorCode, ErrorDomain, OutcomeUnknown, VirtError, virtError
from pyvirt.protocols.message import PAYLOAD, STREAM_CHUNK, decodeError, pack, unpackHeader
from pyvirt.protocols.procedures import Procedure
from pyvirt.protocols.programs import REMOTE
from pyvirt.protocols.streams import ClientStream, openStream, serveStream, takesHoles
from tests.protocols.support import Client, Duplex, EchoServer, Pipe, Sink, Source

VOLUME = ("pool", "volume", "key")
DOMAIN = ("test", bytes(16), 1)
SPARSE = VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM
UPLOAD = REMOTE.byName["storageVolUpload"]
DOWNLOAD = REMOTE.byName["storageVolDownload"]
CONSOLE = REMOTE.byName["domainOpenConsole"]
STREAM, HOLE = 3, 6
OK, ERROR, CONTINUE = 0, 1, 2
FAILURE = virtError(ErrorCode.SYSTEM_ERROR, "cannot write: No space left", ErrorDomain.STREAMS)


class Daemon(EchoServer):
    """Answers each call with a stream, unless it is told to wait; other calls with nothing."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, REMOTE)
        self.ends: list[Any] = []
        self.waits = False
        self.arguments: list[Any] = []
        self.opened: list[Any] = []

    def callReceived(self, *details: Any) -> None:
        *_, packet, _ = details
        number = unpackHeader(packet)[3]
        self.arguments.append(REMOTE.procedures[number].argumentCodec.decode(packet, PAYLOAD)[0])
        super().callReceived(*details)

    def called(self, number: int, serial: int) -> None:
        if not self.waits:
            self.answer(number, serial)

    def answer(self, number: int, serial: int) -> None:
        """Answer a call."""
        procedure = REMOTE.procedures[number]
        payload = procedure.resultCodec.encode(("type",)) if procedure.result else b""
        self.reply(REMOTE.number, 1, number, serial, payload)
        if procedure.stream is not None:
            arguments = self.arguments[-1]
            end = self.ends.pop(0)
            self.opened.append(serveStream(self, REMOTE, procedure, serial, arguments, end))


class PairTests(SynchronousTestCase):
    """A client and a daemon."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.client = Client(self.clock)
        self.daemon = Daemon(self.clock)
        self.pipe = Pipe(self.client, self.daemon, self.clock)
        self.clientTransport = self.pipe.ends[0][1]
        self.daemonTransport = self.pipe.ends[1][1]

    def open(self, procedure: Procedure, end: Any, flags: int = 0) -> ClientStream:
        """Open a stream whose far end is C{end}."""
        self.daemon.ends.append(end)
        arguments = (DOMAIN, None, 0) if procedure is CONSOLE else (VOLUME, 0, 0, flags)
        opening = openStream(self.client, REMOTE, procedure, arguments)
        self.pipe.flush()
        value, stream = self.successResultOf(opening)
        self.assertIsNone(value)
        return stream

    def nothingLeft(self) -> None:
        """No stream is known, nothing waits, and the connection is as good as new."""
        for protocol, transport in self.pipe.ends:
            assert isinstance(protocol, Client | Daemon)
            self.assertEqual(protocol.streams, {})
            self.assertEqual(protocol.inflow.waiting, 0)
            self.assertFalse(protocol.inflow.stopped)
            self.assertTrue(transport.reading)
        self.assertFalse(self.client.inflow._mustRead())
        call = self.client.call(REMOTE, REMOTE.byName["connectGetType"], ())
        self.pipe.flush()
        self.assertEqual(self.successResultOf(call), "type")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def finish(self, stream: ClientStream) -> None:
        """Finish a stream, successfully."""
        finished = stream.finish()
        self.assertNoResult(finished)
        self.pipe.flush()
        self.assertIsNone(self.successResultOf(finished))
        self.nothingLeft()

    def failed(self, waiting: Deferred[Any], code: int, text: str) -> VirtError:
        """Return what a Deferred failed with."""
        error = self.failureResultOf(waiting, VirtError).value
        assert isinstance(error, VirtError)
        self.assertEqual((error.code, error.message), (code, text))
        return error


class DownloadTests(PairTests):
    """Data from the daemon."""

    def test_toTheEnd(self) -> None:
        """Everything arrives in order, then the end; then the client finishes."""
        source = Source([b"a" * 10, b"b" * (3 * STREAM_CHUNK + 5), b"c"])
        stream = self.open(DOWNLOAD, source)
        sink = Sink()
        stream.start(sink)
        self.pipe.flush()
        self.assertEqual(sink.data, b"a" * 10 + b"b" * (3 * STREAM_CHUNK + 5) + b"c")
        self.assertEqual([len(each) for each in sink.seen[:5]], [10, *[STREAM_CHUNK] * 3, 5])
        self.assertEqual(sink.ends, ["finish"])
        self.finish(stream)
        self.assertEqual(source.stopped, 0)

    def test_whatCameBefore(self) -> None:
        """What arrives before anybody wants it waits."""
        stream = self.open(DOWNLOAD, Source([b"early"]))
        sink = Sink()
        stream.start(sink)
        self.assertEqual(sink.seen, [b"early", "finish"])
        self.finish(stream)

    def test_nothing(self) -> None:
        """A source without data ends at once."""
        stream = self.open(DOWNLOAD, Source())
        sink = Sink()
        stream.start(sink)
        self.assertEqual(sink.seen, ["finish"])
        self.finish(stream)

    def test_finishedEarly(self) -> None:
        """A client may finish when it has seen enough; the source is stopped."""
        source = Source([b"x" * 100], endless=True)
        stream = self.open(DOWNLOAD, source)
        self.finish(stream)
        self.assertEqual(source.stopped, 1)
        source.sink.write(b"late")
        source.sink.finish()
        self.pipe.flush()
        self.nothingLeft()

    def test_aborted(self) -> None:
        """A client may give up."""
        source = Source([b"x" * 100], endless=True)
        stream = self.open(DOWNLOAD, source)
        sink = Sink()
        stream.start(sink)
        aborted = stream.abort(FAILURE)
        self.pipe.flush()
        self.successResultOf(aborted)
        self.assertEqual(sink.ends, [])
        self.assertEqual(source.stopped, 1)
        self.nothingLeft()

    def test_driverFails(self) -> None:
        """The driver's error reaches the sink, and whatever is done with the stream later."""
        source = Source([b"some"], endless=True)
        stream = self.open(DOWNLOAD, source)
        sink = Sink()
        stream.start(sink)
        source.sink.abort(FAILURE)
        self.pipe.flush()
        data, error = sink.seen
        self.assertEqual(data, b"some")
        self.assertEqual((error.code, error.domain), (ErrorCode.SYSTEM_ERROR, ErrorDomain.STREAMS))
        self.assertEqual(error.message, FAILURE.message)
        self.failed(stream.finish(), ErrorCode.SYSTEM_ERROR, str(FAILURE))
        self.failed(stream.abort(), ErrorCode.SYSTEM_ERROR, str(FAILURE))
        self.assertIs(self.assertRaises(VirtError, stream.write, b"x"), error)
        self.nothingLeft()

    def test_failedBefore(self) -> None:
        """A sink that comes after the failure hears of it at once."""
        source = Source([b"some"], endless=True)
        stream = self.open(DOWNLOAD, source)
        source.sink.abort(FAILURE)
        self.pipe.flush()
        sink = Sink()
        stream.start(sink)
        self.assertEqual([str(each) for each in sink.seen], [str(FAILURE)])
        self.nothingLeft()

    def test_sinkFails(self) -> None:
        """An application's sink that raises gives the stream up."""
        for failure in (FAILURE, RuntimeError("a bug")):
            source = Source([b"x"], endless=True)
            stream = self.open(DOWNLOAD, source)
            sink = Sink()
            sink.fails = failure
            stream.start(sink)
            self.pipe.flush()
            self.assertEqual(sink.seen, [])
            self.assertEqual(source.stopped, 1)
            self.failureResultOf(stream.finish(), VirtError)
            self.nothingLeft()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_sinkStops(self) -> None:
        """A sink that wants no more gives the stream up."""
        source = Source([b"x"], endless=True)
        stream = self.open(DOWNLOAD, source)
        stream.start(Sink())
        stream.stopProducing()
        self.pipe.flush()
        self.assertEqual(source.stopped, 1)
        self.nothingLeft()

    def test_dataFromTheClient(self) -> None:
        """Data to a source ends the stream, as with libvirtd."""
        source = Source([b"x"], endless=True)
        stream = self.open(DOWNLOAD, source)
        sink = Sink()
        stream.start(sink)
        stream.write(b"nonsense")
        self.pipe.flush()
        error = sink.ends[0]
        self.assertEqual(error.message, "stream had unexpected termination")
        self.assertEqual((error.code, error.domain), (ErrorCode.RPC, ErrorDomain.STREAMS))
        self.assertEqual(source.stopped, 1)
        self.nothingLeft()

    def test_holes(self) -> None:
        """Holes stay where they are between data."""
        stream = self.open(DOWNLOAD, Source([b"ab", 1 << 40, b"cd", 7]), SPARSE)
        sink = Sink()
        stream.start(sink)
        self.assertEqual(sink.seen, [b"ab", 1 << 40, b"cd", 7, "finish"])
        self.finish(stream)

    def test_holesUnasked(self) -> None:
        """A driver's hole in a stream without holes is the driver's mistake, and does not travel."""
        source = Source(endless=True)
        self.open(DOWNLOAD, source)
        for length in (5, 0, -1):
            self.assertRaises(VirtError, source.sink.writeHole, length)
        sparse = Source(endless=True)
        self.open(DOWNLOAD, sparse, SPARSE)
        for length in (0, -1, 1 << 63):
            self.assertRaises(VirtError, sparse.sink.writeHole, length)

    def test_takesHoles(self) -> None:
        """Whether holes may travel depends on the call's flags."""
        self.assertTrue(takesHoles(DOWNLOAD, (VOLUME, 0, 0, SPARSE)))
        self.assertFalse(takesHoles(DOWNLOAD, (VOLUME, 0, 0, 0)))
        self.assertFalse(takesHoles(CONSOLE, (DOMAIN, None, 0xFFFFFFFF)))


class UploadTests(PairTests):
    """Data to the daemon."""

    def test_toTheEnd(self) -> None:
        """Everything arrives in order; finishing waits for the driver's word."""
        sink = Sink()
        stream = self.open(UPLOAD, sink, SPARSE)
        stream.write(b"a")
        stream.write(b"b" * (2 * STREAM_CHUNK))
        stream.writeHole(9)
        stream.write(b"c")
        self.pipe.flush()
        self.assertEqual(sink.seen, [b"a", b"b" * STREAM_CHUNK, b"b" * STREAM_CHUNK, 9, b"c"])
        self.finish(stream)
        self.assertEqual(sink.ends, ["finish"])

    def test_nothingWritten(self) -> None:
        """Writing no bytes sends nothing."""
        sink = Sink()
        stream = self.open(UPLOAD, sink)
        stream.write(b"")
        self.pipe.flush()
        self.assertEqual(self.clientTransport.writes, 1)
        self.finish(stream)
        self.assertEqual(sink.seen, ["finish"])

    def test_slowFinish(self) -> None:
        """A driver that takes its time to finish is waited for, a coroutine's too."""
        for asCoroutine in (False, True):
            sink = Sink()
            done: Deferred[None] = Deferred()

            async def wait(done: Deferred[None] = done) -> None:
                await done

            sink.answer = wait() if asCoroutine else done
            stream = self.open(UPLOAD, sink)
            stream.write(b"x")
            finished = stream.finish()
            self.pipe.flush()
            self.assertEqual(sink.seen, [b"x", "finish"])
            self.assertNoResult(finished)
            done.callback(None)
            self.pipe.flush()
            self.successResultOf(finished)
            self.nothingLeft()

    def test_finishFails(self) -> None:
        """A driver that cannot finish says why; a bug is logged and not told."""
        for failure, text in (
            (FAILURE, str(FAILURE)),
            (RuntimeError("a bug"), "internal error: stream sink failed"),
        ):
            sink = Sink()
            done: Deferred[None] = Deferred()
            sink.answer = done
            stream = self.open(UPLOAD, sink)
            finished = stream.finish()
            self.pipe.flush()
            done.errback(failure)
            self.pipe.flush()
            error = self.failureResultOf(finished, VirtError).value
            self.assertEqual(str(error), text)
            self.assertEqual(sink.seen, ["finish"])
            self.nothingLeft()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_finishRaises(self) -> None:
        """The same at once."""
        sink = Sink()
        sink.finish = lambda: self.fails(FAILURE)  # type: ignore[method-assign]
        stream = self.open(UPLOAD, sink)
        finished = stream.finish()
        self.pipe.flush()
        self.failed(finished, ErrorCode.SYSTEM_ERROR, str(FAILURE))
        self.nothingLeft()

    def fails(self, error: Exception) -> None:
        """Raise."""
        raise error

    def test_driverFails(self) -> None:
        """An error while writing ends the stream; later packets of it are passed over."""
        for failure, text in (
            (FAILURE, str(FAILURE)),
            (RuntimeError("a bug"), "internal error: stream sink failed"),
        ):
            sink = Sink()
            sink.fails = failure
            stream = self.open(UPLOAD, sink)
            own = Source(endless=True)
            stream.attach(own)
            stream.write(b"x")
            stream.write(b"y")
            finished = stream.finish()
            self.pipe.flush()
            error = self.failureResultOf(finished, VirtError).value
            self.assertEqual(str(error), text)
            self.assertEqual(sink.seen, [])
            self.nothingLeft()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_sourceIsStopped(self) -> None:
        """When the driver fails, the application's source hears that it may stop."""
        sink = Sink()
        sink.fails = FAILURE
        stream = self.open(UPLOAD, sink)
        own = Source([b"x"], endless=True)
        stream.attach(own)
        own.start(stream)
        self.pipe.flush()
        self.assertEqual(own.stopped, 1)
        self.nothingLeft()

    def test_driverWantsNoMore(self) -> None:
        """A driver's sink may end the stream by stopping its source."""
        sink = Sink()
        stream = self.open(UPLOAD, sink)
        sink.source.stopProducing()
        self.pipe.flush()
        self.failed(stream.finish(), ErrorCode.RPC, "stream had unexpected termination")
        self.assertEqual(sink.seen, [])
        self.nothingLeft()

    def test_aborted(self) -> None:
        """Giving up drops what was not sent and aborts the driver's sink."""
        sink = Sink()
        stream = self.open(UPLOAD, sink)
        own = Source(endless=True)
        stream.attach(own)
        for _ in range(4):
            stream.write(b"x" * STREAM_CHUNK)
        aborted = stream.abort()
        self.assertEqual(own.stopped, 1)
        self.pipe.flush()
        self.successResultOf(aborted)
        self.assertEqual(len(sink.data), STREAM_CHUNK)
        (error,) = sink.ends
        self.assertEqual(error.code, ErrorCode.OPERATION_ABORTED)
        self.nothingLeft()

    def test_abortOvertakesFinish(self) -> None:
        """Giving up while the finish still waits behind data sends the abort alone."""
        sink = Sink()
        stream = self.open(UPLOAD, sink)
        for _ in range(4):
            stream.write(b"x" * STREAM_CHUNK)
        finished = stream.finish()
        aborted = stream.abort()
        self.pipe.flush()
        self.successResultOf(finished)
        self.successResultOf(aborted)
        self.assertEqual(len(sink.ends), 1)
        self.assertEqual(sink.ends[0].code, ErrorCode.OPERATION_ABORTED)
        self.nothingLeft()

    def test_endedTwice(self) -> None:
        """Once ended, a stream takes nothing more; to end it again changes nothing."""
        sink = Sink()
        stream = self.open(UPLOAD, sink)
        first, second = stream.finish(), stream.finish()
        error = self.assertRaises(VirtError, stream.write, b"x")
        self.assertEqual(error.code, ErrorCode.OPERATION_INVALID)
        self.assertRaises(VirtError, stream.writeHole, 1)
        self.pipe.flush()
        for each in (first, second, stream.finish(), stream.abort()):
            self.assertIsNone(self.successResultOf(each))
        self.assertRaises(VirtError, stream.write, b"x")
        self.assertEqual(sink.seen, ["finish"])
        self.nothingLeft()

    def test_cancelledWait(self) -> None:
        """Who stops waiting for the end does not disturb others who do."""
        stream = self.open(UPLOAD, Sink())
        first, second = stream.finish(), stream.finish()
        first.addErrback(lambda _: None)
        first.cancel()
        self.pipe.flush()
        self.successResultOf(second)
        self.nothingLeft()

    def test_plainSink(self) -> None:
        """A driver's sink without pacing is never told of its source."""
        seen: list[Any] = []

        from zope.interface import implementer

        from pyvirt.drivers.interfaces.streams import IStreamSink

        @implementer(IStreamSink)
        class Plain:
            def write(self, data: bytes) -> None:
                seen.append(data)

            def writeHole(self, length: int) -> None:
                seen.append(length)

            def finish(self) -> None:
                seen.append("finish")

            def abort(self, error: VirtError) -> None:
                seen.append(error)

        stream = self.open(UPLOAD, Plain())
        stream.write(b"x")
        self.finish(stream)
        self.assertEqual(seen, [b"x", "finish"])


class DuplexTests(PairTests):
    """Both ways: a console."""

    def test_conversation(self) -> None:
        """Each way goes by itself; the end of the driver's output does not end its input."""
        console = Duplex()
        stream = self.open(CONSOLE, console)
        sink = Sink()
        stream.start(sink)
        stream.write(b"login")
        self.pipe.flush()
        console.sink.write(b"password")
        self.pipe.flush()
        self.assertEqual((console.seen, sink.seen), ([b"login"], [b"password"]))
        console.sink.finish()
        console.sink.finish()
        console.sink.write(b"late")
        stream.write(b"more")
        self.pipe.flush()
        self.assertEqual((console.seen[1:], sink.seen[1:]), ([b"more"], ["finish"]))
        self.finish(stream)
        self.assertEqual(console.ends, ["finish"])

    def test_finished(self) -> None:
        """The client's finish ends both ways."""
        console = Duplex()
        stream = self.open(CONSOLE, console)
        self.finish(stream)
        self.assertEqual((console.seen, console.stopped), (["finish"], 1))

    def test_aborted(self) -> None:
        """So does its abort."""
        console = Duplex()
        stream = self.open(CONSOLE, console)
        stream.abort()
        self.pipe.flush()
        self.assertEqual(console.ends[0].code, ErrorCode.OPERATION_ABORTED)
        self.assertEqual(console.stopped, 1)
        self.nothingLeft()

    def test_driverFails(self) -> None:
        """A driver that fails one way is not told of the other."""
        console = Duplex()
        stream = self.open(CONSOLE, console)
        console.sink.abort(FAILURE)
        self.pipe.flush()
        self.assertEqual((console.seen, console.stopped), ([], 0))
        self.failed(stream.finish(), ErrorCode.SYSTEM_ERROR, str(FAILURE))
        self.nothingLeft()

    def test_contract(self) -> None:
        """Both ends of the wire are what drivers know as streams."""
        stream = self.open(CONSOLE, Duplex())
        for each in (stream, self.daemon.opened[0]):
            verifyObject(IStreamDuplex, each)
            verifyObject(IPacedSink, each)
            self.assertIn("domainOpenConsole", repr(each))


class LossTests(PairTests):
    """The connection goes."""

    def test_everywhere(self) -> None:
        """Both ends of every stream hear of it, in any state."""
        source, sink, console = Source([b"x"], endless=True), Sink(), Duplex()
        reading = self.open(DOWNLOAD, source)
        writing = self.open(UPLOAD, sink)
        both = self.open(CONSOLE, console)
        ends = [Sink(), Sink()]
        reading.start(ends[0])
        both.start(ends[1])
        finishing = writing.finish()
        aborting = both.abort()
        own = Source(endless=True)
        reading.attach(own)
        self.pipe.lose(ConnectionLost())
        self.assertIsInstance(ends[0].ends[0], OutcomeUnknown)
        self.assertEqual(ends[1].seen, [])
        self.failureResultOf(finishing, OutcomeUnknown)
        self.failureResultOf(aborting, OutcomeUnknown)
        self.failureResultOf(reading.finish(), OutcomeUnknown)
        self.assertEqual((source.stopped, own.stopped, console.stopped), (1, 1, 1))
        for each in (sink, console):
            self.assertEqual(each.ends[0].code, ErrorCode.OPERATION_ABORTED)
        self.assertEqual((self.client.streams, self.daemon.streams), ({}, {}))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whileFinishing(self) -> None:
        """A driver that is finishing is left alone: it has all that it needs."""
        sink = Sink()
        done: Deferred[None] = Deferred()
        sink.answer = done
        stream = self.open(UPLOAD, sink)
        finished = stream.finish()
        self.pipe.flush()
        self.pipe.lose()
        self.failureResultOf(finished, OutcomeUnknown)
        self.assertEqual(sink.seen, ["finish"])
        done.callback(None)
        self.assertEqual(self.daemonTransport.out, b"")

    def test_whileOpening(self) -> None:
        """A call that never was answered opens no stream."""
        self.daemon.waits = True
        opening = openStream(self.client, REMOTE, DOWNLOAD, (VOLUME, 0, 0, 0))
        self.pipe.flush()
        self.pipe.lose()
        self.failureResultOf(opening, OutcomeUnknown)
        self.assertEqual(self.client.streams, {})
        again = openStream(self.client, REMOTE, DOWNLOAD, (VOLUME, 0, 0, 0))
        self.failureResultOf(again, VirtError)
        self.assertEqual(self.client.streams, {})

    def test_driversThatRaise(self) -> None:
        """A driver that cannot even be told of the end harms nobody."""

        def broken(*_: Any) -> float:
            return 1 / 0

        console = Duplex()
        console.abort = broken  # type: ignore[method-assign,assignment]
        console.stopProducing = broken  # type: ignore[method-assign,assignment]
        self.open(CONSOLE, console)
        other = Sink()
        self.open(UPLOAD, other)
        self.pipe.lose()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertEqual(len(other.ends), 1)


class OpeningTests(PairTests):
    """Before a stream is open."""

    def test_refused(self) -> None:
        """A call that fails leaves no stream behind."""
        self.daemon.waits = True
        opening = openStream(self.client, REMOTE, DOWNLOAD, (VOLUME, 0, 0, 0))
        self.pipe.flush()
        self.assertEqual(list(self.client.streams), [1])
        self.daemon.replyError(REMOTE.number, 1, DOWNLOAD.number, 1, FAILURE)
        self.pipe.flush()
        self.failed(opening, ErrorCode.SYSTEM_ERROR, str(FAILURE))
        self.daemon.waits = False
        self.nothingLeft()

    def test_badArguments(self) -> None:
        """Arguments that do not fit are found before anything is sent."""
        opening = openStream(self.client, REMOTE, DOWNLOAD, (VOLUME, -1, 0, 0))
        self.failureResultOf(opening, VirtError)
        self.assertEqual((self.client.streams, self.clientTransport.out), ({}, b""))

    def test_cancelled(self) -> None:
        """A stream that opens after its call was cancelled is given up."""
        self.daemon.waits = True
        source = Source([b"x" * 100000], endless=True)
        self.daemon.ends.append(source)
        opening = openStream(self.client, REMOTE, DOWNLOAD, (VOLUME, 0, 0, 0))
        self.pipe.flush()
        opening.cancel()
        self.failureResultOf(opening)
        self.daemon.answer(*self.daemon.calls[0])
        self.pipe.flush()
        self.assertEqual(source.stopped, 1)
        self.daemon.waits = False
        self.nothingLeft()

    def test_cancelledAndRefused(self) -> None:
        """One that does not open needs no giving up."""
        self.daemon.waits = True
        opening = openStream(self.client, REMOTE, DOWNLOAD, (VOLUME, 0, 0, 0))
        self.pipe.flush()
        opening.cancel()
        self.failureResultOf(opening)
        self.daemon.replyError(REMOTE.number, 1, DOWNLOAD.number, 1, FAILURE)
        self.pipe.flush()
        self.daemon.waits = False
        self.nothingLeft()

    def test_serialsOfStreams(self) -> None:
        """The serial of an open stream is not given to a call."""
        stream = self.open(UPLOAD, Sink())
        self.client._serial = stream.serial - 1
        call = self.client.call(REMOTE, REMOTE.byName["connectGetType"], ())
        self.pipe.flush()
        self.successResultOf(call)
        self.assertEqual(self.daemon.calls[-1][1], stream.serial + 1)

    def test_serialTwice(self) -> None:
        """A client that opens a second stream by the serial of the first loses the first."""
        first, second = Sink(), Sink()
        for end in (first, second):
            self.daemon.opened.append(
                serveStream(self.daemon, REMOTE, UPLOAD, 7, (VOLUME, 0, 0, 0), end)
            )
        self.assertEqual(first.ends[0].code, ErrorCode.OPERATION_ABORTED)
        self.daemon.streamPacketReceived(7, STREAM, CONTINUE, bytes(PAYLOAD) + b"x")
        self.assertEqual(second.seen, [b"x"])


class OddPacketTests(PairTests):
    """What a peer sends that makes no sense."""

    def say(self, stream: Any, status: int, data: bytes = b"", type: int = STREAM) -> None:
        """Send a packet as the daemon, or as the client if the stream is the daemon's end."""
        sender = self.daemon if isinstance(stream, ClientStream) else self.client
        number = stream.procedure.number
        sender.send(pack(REMOTE.number, 1, number, type, stream.serial, status, data))
        self.pipe.flush()

    def hole(self, length: int, flags: int = 0) -> bytes:
        """Encode a hole."""
        return struct.pack(">qI", length, flags)

    def test_toTheDaemon(self) -> None:
        """Each ends the stream with an error at both sides, and harms nothing else."""
        for flags, type, status, data, text in (
            (0, STREAM, 7, b"x", "stream aborted with unexpected status 7"),
            (0, STREAM, 3, b"", "stream aborted with unexpected status 3"),
            (0, HOLE, CONTINUE, self.hole(5), "Unexpected stream hole"),
            (SPARSE, HOLE, OK, self.hole(5), "stream hole with unexpected status 0"),
            (SPARSE, HOLE, CONTINUE, self.hole(-5), "stream hole of -5 bytes with flags 0"),
            (SPARSE, HOLE, CONTINUE, self.hole(0), "stream hole of 0 bytes with flags 0"),
            (SPARSE, HOLE, CONTINUE, self.hole(5, 1), "stream hole of 5 bytes with flags 1"),
            (SPARSE, HOLE, CONTINUE, b"1234", "stream hole cannot be read"),
        ):
            sink = Sink()
            stream = self.open(UPLOAD, sink, flags)
            self.say(self.daemon.opened[-1], status, data, type)
            (error,) = sink.seen
            self.assertIn(text, str(error))
            failure = self.failureResultOf(stream.finish(), VirtError).value
            assert isinstance(failure, VirtError)
            self.assertIn(text, str(failure))
            self.assertEqual((failure.code, failure.domain), (ErrorCode.RPC, ErrorDomain.STREAMS))
            self.nothingLeft()

    def test_toTheClient(self) -> None:
        """The client gives such a stream up, tells the daemon, and says why."""
        for flags, type, status, data, text in (
            (0, STREAM, 7, b"x", "stream aborted with unexpected status 7"),
            (0, HOLE, CONTINUE, self.hole(5), "Unexpected stream hole"),
            (SPARSE, HOLE, ERROR, self.hole(5), "stream hole with unexpected status 1"),
            (SPARSE, HOLE, CONTINUE, b"", "stream hole cannot be read"),
        ):
            source = Source(endless=True)
            stream = self.open(DOWNLOAD, source, flags)
            sink = Sink()
            stream.start(sink)
            own = Source(endless=True)
            stream.attach(own)
            self.say(stream, status, data, type)
            self.assertIn(text, str(sink.seen[0]))
            self.assertEqual(len(sink.seen), 1)
            self.assertIn(text, str(self.failureResultOf(stream.finish()).value))
            self.assertEqual((source.stopped, own.stopped), (1, 1))
            self.nothingLeft()

    def test_unaskedEnd(self) -> None:
        """A daemon that ends a stream which the client has not ended."""
        stream = self.open(UPLOAD, Sink())
        self.say(stream, OK)
        self.failed(stream.finish(), ErrorCode.RPC, "stream had unexpected termination")
        self.assertEqual(self.client.streams, {})

    def test_errorWithoutError(self) -> None:
        """A failure whose error cannot be read is a failure all the same."""
        stream = self.open(UPLOAD, Sink())
        self.say(stream, ERROR)
        self.failed(stream.finish(), ErrorCode.RPC, "stream aborted by the server")

    def test_afterTheEnd(self) -> None:
        """What comes late is passed over, by either side."""
        sink = Sink()
        stream = self.open(UPLOAD, sink)
        server = self.daemon.opened[-1]
        self.finish(stream)
        for status in (CONTINUE, OK, ERROR, 9):
            self.say(stream, status, b"late")
            self.say(server, status, b"late")
        self.assertEqual(sink.seen, ["finish"])
        self.nothingLeft()

    def test_whileEnding(self) -> None:
        """Between the client's last packet and the daemon's, data means nothing, whatever it is."""
        stream = self.open(DOWNLOAD, Source(endless=True), SPARSE)
        sink = Sink()
        stream.start(sink)
        stream.finish()
        for type, status, data in (
            (STREAM, CONTINUE, b"late"),
            (STREAM, CONTINUE, b""),
            (HOLE, CONTINUE, self.hole(5)),
            (HOLE, CONTINUE, b""),
            (STREAM, 9, b""),
        ):
            packet = bytes(PAYLOAD) + data
            stream.packetReceived(type, status, packet)
        self.assertEqual(sink.seen, [])
        self.pipe.flush()
        self.nothingLeft()

    def test_whileDriverFinishes(self) -> None:
        """Nor does it to a daemon whose driver is finishing."""
        sink = Sink()
        done: Deferred[None] = Deferred()
        sink.answer = done
        stream = self.open(UPLOAD, sink)
        finished = stream.finish()
        self.pipe.flush()
        server = self.daemon.opened[-1]
        self.say(server, CONTINUE, b"late")
        self.say(server, OK)
        self.assertEqual(sink.seen, ["finish"])
        done.callback(None)
        self.pipe.flush()
        self.successResultOf(finished)
        self.nothingLeft()

    def test_dataAfterTheEndOfData(self) -> None:
        """A daemon that goes on after its end of data is not listened to."""
        stream = self.open(DOWNLOAD, Source([b"all"]))
        self.say(stream, CONTINUE, b"more")
        self.say(stream, CONTINUE)
        sink = Sink()
        stream.start(sink)
        self.assertEqual(sink.seen, [b"all", "finish"])
        self.finish(stream)

    def test_emptyFromTheClient(self) -> None:
        """No data is no data, not an end."""
        sink = Sink()
        stream = self.open(UPLOAD, sink)
        self.say(self.daemon.opened[-1], CONTINUE)
        stream.write(b"x")
        self.finish(stream)
        self.assertEqual(sink.seen, [b"x", "finish"])

    def test_unknownStream(self) -> None:
        """Packets of no stream are passed over."""
        for type in (STREAM, HOLE):
            for status in (OK, ERROR, CONTINUE, 9):
                for sender in (self.client, self.daemon):
                    sender.send(pack(REMOTE.number, 1, 1, type, 99, status, b"data"))
        self.pipe.flush()
        self.assertEqual(self.daemon.broken, [])
        self.nothingLeft()

    def test_wireOrder(self) -> None:
        """The packets of a download are those that libvirtd sends."""
        self.daemon.ends.append(Source([b"data"]))
        seen: list[tuple[int, int, int, int]] = []
        original = self.client.packetReceived

        def packetReceived(packet: bytes, fds: list[int]) -> None:
            _, _, _, number, type, _, status = unpackHeader(packet)
            seen.append((number, type, status, len(packet) - PAYLOAD))
            original(packet, fds)

        self.client.packetReceived = packetReceived  # type: ignore[method-assign]
        opening = openStream(self.client, REMOTE, DOWNLOAD, (VOLUME, 0, 0, 0))
        self.pipe.flush()
        self.successResultOf(opening)[1].finish()
        self.pipe.flush()
        number = DOWNLOAD.number
        self.assertEqual(
            seen,
            [
                (number, 1, OK, 0),
                (number, STREAM, CONTINUE, 4),
                (number, STREAM, CONTINUE, 0),
                (number, STREAM, OK, 0),
            ],
        )

    def test_errorsOnTheWire(self) -> None:
        """A stream's error bears the call's numbers and a whole error."""
        source = Source(endless=True)
        stream = self.open(DOWNLOAD, source)
        source.sink.abort(FAILURE)
        packet = bytes(self.daemonTransport.out)
        header = unpackHeader(packet)
        self.assertEqual(
            header,
            (len(packet), REMOTE.number, 1, DOWNLOAD.number, STREAM, stream.serial, ERROR),
        )
        self.assertEqual(str(decodeError(packet)), str(FAILURE))
