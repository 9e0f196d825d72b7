"""
Tests for L{pyvirt.client.stream}: what a program reads and writes, whatever is at the far end.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

import pyvirt
from pyvirt.client.stream import HIGH
from pyvirt.constants import VIR_STREAM_RECV_STOP_AT_HOLE
from pyvirt.drivers.interfaces.streams import IStreamDuplex
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.protocols.programs import REMOTE


@implementer(IStreamDuplex)
class FarEnd:
    """The far end: remembers what it is told, says what the test says."""

    def __init__(self) -> None:
        self.sink: Any = None
        self.source: Any = None
        self.history: list[Any] = []

    def start(self, sink: Any) -> None:
        self.sink = sink

    def attach(self, source: Any) -> None:
        self.source = source

    def pauseProducing(self) -> None:
        self.history.append("paused")

    def resumeProducing(self) -> None:
        self.history.append("resumed")

    def stopProducing(self) -> None:
        self.history.append("stopped")

    def write(self, data: bytes) -> None:
        self.history.append(data)

    def writeHole(self, length: int) -> None:
        self.history.append(length)

    def finish(self) -> Deferred[None]:
        self.history.append("finished")
        return succeed(None)

    def abort(self, error: VirtError) -> Deferred[None]:  # type: ignore[override]
        self.history.append("aborted")
        return succeed(None)


class Calls:
    """Opens streams without a connection."""

    def __init__(self, far: FarEnd) -> None:
        self.far = far

    def openStream(self, procedure: Any, arguments: Any) -> Deferred[Any]:
        return succeed(("answer", self.far))


class StreamTests(SynchronousTestCase):
    """One stream."""

    def setUp(self) -> None:
        table = pyvirt.DriverTable(Clock())
        self.conn = self.successResultOf(pyvirt.open("test:///default", table=table))
        self.stream = self.conn.newStream()
        self.far = FarEnd()

    def open(self, name: str = "domainOpenConsole") -> None:
        calls: Any = Calls(self.far)
        opening = self.stream._open(calls, REMOTE.byName[name], ())
        self.assertEqual(self.successResultOf(opening), "answer")
        self.stream._sparse = True  # as if the call had asked for holes

    def test_unopened(self) -> None:
        """
        A stream that no call has opened carries nothing; one is opened once.
        """
        error = self.failureResultOf(self.stream.recv(1), VirtError).value
        self.assertEqual((error.code, error.domain), (ErrorCode.NO_SUPPORT, ErrorDomain.STREAMS))
        self.open()
        calls: Any = Calls(self.far)
        self.assertRaises(
            VirtError, self.stream._open, calls, REMOTE.byName["domainOpenConsole"], ()
        )

    def test_recv(self) -> None:
        """
        Bytes come as soon as there are any, never more than asked for, and empty at the end.
        """
        self.open()
        waiting = self.stream.recv(4)
        self.assertNoResult(waiting)
        self.far.sink.write(b"abcdef")
        self.assertEqual(self.successResultOf(waiting), b"abcd")
        self.assertEqual(self.successResultOf(self.stream.recv(4)), b"ef")
        self.far.sink.finish()
        self.assertEqual(self.successResultOf(self.stream.recv(4)), b"")

    def test_pace(self) -> None:
        """
        A far end that sends more than is read is paused, and resumed once it is read.
        """
        self.open()
        self.far.sink.write(b"x" * HIGH)
        self.assertEqual(self.far.history, ["paused"])
        self.successResultOf(self.stream.recv(HIGH))
        self.assertEqual(self.far.history, ["paused", "resumed"])

    def test_failure(self) -> None:
        """
        What came before a failure is read first; then every step fails with it.
        """
        self.open()
        self.far.sink.write(b"ab")
        self.far.sink.abort(virtError(ErrorCode.OPERATION_FAILED, "gone", ErrorDomain.STREAMS))
        self.assertEqual(self.successResultOf(self.stream.recv(9)), b"ab")
        for step in (self.stream.recv(1), self.stream.send(b"x"), self.stream.finish()):
            error = self.failureResultOf(step, VirtError).value
            self.assertEqual(str(error), "operation failed: gone")

    def test_holes(self) -> None:
        """
        Holes are told apart on request, and read as zeros otherwise.
        """
        self.open()
        sink = self.far.sink
        for item in (b"ab", 3, b"c"):
            (sink.write if isinstance(item, bytes) else sink.writeHole)(item)
        sink.finish()
        flags = VIR_STREAM_RECV_STOP_AT_HOLE
        result = self.successResultOf
        self.assertEqual(result(self.stream.recvFlags(9, flags)), b"ab")
        self.assertEqual(result(self.stream.recvFlags(9, flags)), -3)
        self.assertEqual(result(self.stream.recv(2)), b"\0\0")
        self.assertEqual(result(self.stream.recvHole()), 1)
        self.assertEqual(result(self.stream.recvHole()), 0)
        self.assertEqual(result(self.stream.recvFlags(9, flags)), b"c")
        self.assertEqual(result(self.stream.recvFlags(9, flags)), b"")

    def test_send(self) -> None:
        """
        Sending waits for the far end's leave.
        """
        self.open()
        self.assertEqual(self.successResultOf(self.stream.send(b"ab")), 2)
        self.far.source.pauseProducing()
        waiting = self.stream.send(b"cd")
        self.assertNoResult(waiting)
        self.far.source.resumeProducing()
        self.assertEqual(self.successResultOf(waiting), 2)
        self.successResultOf(self.stream.sendHole(7))
        self.assertEqual(self.successResultOf(self.stream.finish()), 0)
        self.assertEqual(self.far.history, [b"ab", b"cd", 7, "finished"])

    def test_recvAll(self) -> None:
        """
        A handler gets everything; one that fails gives the stream up.
        """
        self.open()
        got: list[Any] = []
        done = self.stream.recvAll(lambda stream, data, opaque: got.append((data, opaque)), "o")
        self.far.sink.write(b"ab")
        self.far.sink.finish()
        self.successResultOf(done)
        self.assertEqual(got, [(b"ab", "o")])
        self.stream, self.far = self.conn.newStream(), FarEnd()
        self.open()
        self.far.sink.write(b"ab")
        self.failureResultOf(self.stream.recvAll(lambda *heard: -1, None), RuntimeError)
        self.assertEqual(self.far.history, ["aborted"])

    def test_sendAll(self) -> None:
        """
        What a handler returns is sent, until it returns nothing.
        """
        self.open()
        parts = [b"ab", b"cd", b""]
        self.successResultOf(self.stream.sendAll(lambda stream, size, opaque: parts.pop(0), None))
        self.assertEqual(self.far.history, [b"ab", b"cd"])

    def test_sparse(self) -> None:
        """
        Data and holes are sent and received by their own handlers.
        """
        self.open()
        sections = [(True, 2), (False, 5), (True, 1), (True, 0)]
        data = [b"ab", b"c", b""]
        skipped: list[int] = []
        self.successResultOf(
            self.stream.sparseSendAll(
                lambda stream, size, opaque: data.pop(0),
                lambda stream, opaque: sections.pop(0),
                lambda stream, length, opaque: skipped.append(length),
                None,
            )
        )
        self.assertEqual((self.far.history, skipped), ([b"ab", 5, b"c"], [5]))
        got: list[Any] = []
        self.far.sink.write(b"ab")
        self.far.sink.writeHole(5)
        self.far.sink.finish()
        self.successResultOf(
            self.stream.sparseRecvAll(
                lambda stream, data, opaque: got.append(data),
                lambda stream, length, opaque: got.append(length),
                None,
            )
        )
        self.assertEqual(got, [b"ab", 5])

    def test_again(self) -> None:
        """
        A stream that has ended can be opened by another call, and its callback hears that one too; one that is open not.
        """
        self.open()
        self.far.sink.write(b"one")
        with self.assertRaises(VirtError) as caught:
            self.open()
        self.assertEqual(caught.exception.code, ErrorCode.OPERATION_INVALID)
        for end in (self.stream.finish, self.stream.abort):
            self.far.sink.finish()
            self.successResultOf(end())
            self.failureResultOf(self.stream.recv(10), VirtError)
            self.far = FarEnd()
            self.open()
            self.far.sink.write(b"two")
            self.assertEqual(self.successResultOf(self.stream.recv(10)), b"two")
            self.successResultOf(self.stream.send(b"x"))
            self.assertIn(b"x", self.far.history)

    def test_abort(self) -> None:
        """
        Giving up is told to the far end.
        """
        self.open()
        self.assertEqual(self.successResultOf(self.stream.abort()), 0)
        self.assertEqual(self.far.history, ["aborted"])
