"""
Calls and their answers: who is told what, also when answers come late, wrongly, twice or never.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.test.iosim import connectedServerAndClient
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.errors import ErrorCode, ErrorDomain, OutcomeUnknown, RPCError, VirtError, virtError
from pyvirt.protocols.message import PAYLOAD, pack, unpackHeader
from pyvirt.protocols.procedures import Procedure
from pyvirt.protocols.programs import KEEPALIVE, QEMU, REMOTE
from pyvirt.protocols.rpc import RPCClient, RPCServer
from tests.protocols.support import Client, EchoServer, Pipe

HOSTNAME = REMOTE.byName["connectGetHostname"]
LOOKUP = REMOTE.byName["domainLookupByName"]
CLOSE = REMOTE.byName["connectClose"]
INFO = REMOTE.byName["domainGetInfo"]
DOMAIN = ("test", bytes(16), 1)


class CallTests(SynchronousTestCase):
    """A client and a server that answers when the test says so."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.client = Client(self.clock)
        self.server = EchoServer(self.clock, REMOTE)
        self.pipe = Pipe(self.client, self.server, self.clock)
        self.transport = self.pipe.ends[0][1]

    def call(self, procedure: Procedure = HOSTNAME, *arguments: Any) -> Deferred[Any]:
        """Call, and let it arrive."""
        made: Deferred[Any] = self.client.call(REMOTE, procedure, arguments)
        self.pipe.flush()
        return made

    def answer(self, index: int, *values: Any) -> None:
        """Answer the call that came as number C{index}."""
        number, serial = self.server.calls[index]
        payload = REMOTE.procedures[number].resultCodec.encode(values)
        self.server.reply(REMOTE.number, 1, number, serial, payload)
        self.pipe.flush()

    def raw(self, number: int, serial: int, payload: bytes = b"", **other: int) -> None:
        """Send a packet to the client."""
        fields = {"program": REMOTE.number, "version": 1, "type": 1, "status": 0} | other
        self.server.send(
            pack(
                fields["program"],
                fields["version"],
                number,
                fields["type"],
                serial,
                fields["status"],
                payload,
            )
        )
        self.pipe.flush()

    def test_outOfOrder(self) -> None:
        """Answers find their calls by serial, in any order."""
        calls = [self.call() for _ in range(5)]
        self.assertEqual([serial for _, serial in self.server.calls], [1, 2, 3, 4, 5])
        for index in (3, 0, 4, 2, 1):
            self.answer(index, f"host{index}")
        self.assertEqual(
            [self.successResultOf(each) for each in calls], [f"host{n}" for n in range(5)]
        )

    def test_results(self) -> None:
        """Nothing, a value, or several by name."""
        nothing, value, several = self.call(CLOSE), self.call(), self.call(INFO, DOMAIN)
        self.answer(0)
        self.answer(1, "h")
        self.answer(2, (1, 2, 3, 4, 5))
        self.assertIsNone(self.successResultOf(nothing))
        self.assertEqual(self.successResultOf(value), "h")
        info = self.successResultOf(several)
        self.assertEqual((info.state, info.maxMem, info.cpuTime), (1, 2, 5))

    def test_oneWrite(self) -> None:
        """Calls made in one turn leave together."""
        for _ in range(100):
            self.client.call(REMOTE, HOSTNAME, ())
        self.assertEqual(self.transport.writes, 0)
        self.clock.advance(0)
        self.assertEqual(self.transport.writes, 1)
        self.pipe.flush()
        self.assertEqual(len(self.server.calls), 100)

    def test_cancel(self) -> None:
        """A cancelled call is forgotten, but not its serial: the late answer is passed over."""
        call, other = self.call(), self.call()
        call.cancel()
        self.failureResultOf(call, CancelledError)
        self.client._serial = 0
        third = self.call()
        self.assertEqual([serial for _, serial in self.server.calls], [1, 2, 3])
        self.answer(0, "late")
        self.assertNoResult(other)
        self.answer(1, "b")
        self.answer(2, "c")
        self.assertEqual((self.successResultOf(other), self.successResultOf(third)), ("b", "c"))
        self.assertEqual(self.client._calls, {})
        self.client._serial = 0
        self.call()
        self.assertEqual(self.server.calls[-1][1], 1)

    def test_cancelledErrors(self) -> None:
        """The late answer may be an error, or garbage, or never come."""
        for late in ("error", "garbage", "loss"):
            call = self.call()
            call.cancel()
            self.failureResultOf(call, CancelledError)
            number, serial = self.server.calls[-1]
            if late == "error":
                self.server.replyError(REMOTE.number, 1, number, serial, VirtError("x"))
            elif late == "garbage":
                self.raw(number, serial, b"\xff")
            else:
                self.pipe.lose()
            self.pipe.flush()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_lost(self) -> None:
        """Whatever waits fails when the connection is lost, and so does what is asked later."""
        calls = [self.call(), self.call(CLOSE)]
        self.pipe.lose(ConnectionLost("cut"))
        for call in calls:
            error = self.failureResultOf(call, OutcomeUnknown).value
            assert isinstance(error, VirtError)
            self.assertEqual((error.code, error.domain), (ErrorCode.RPC, ErrorDomain.RPC))
            self.assertIn("lost", str(error))
        self.failureResultOf(self.client.call(REMOTE, HOSTNAME, ()), VirtError)

    def test_lostBeforeItLeft(self) -> None:
        """A call that has not left yet when the connection goes fails too."""
        call = self.client.call(REMOTE, HOSTNAME, ())
        self.pipe.lose()
        self.failureResultOf(call, OutcomeUnknown)
        self.clock.advance(1)
        self.assertEqual(self.transport.writes, 0)

    def test_everyError(self) -> None:
        """An error is of the class of its code, or keeps its number."""
        codes = [*ErrorCode, 9999]
        for code in codes:
            call = self.call()
            number, serial = self.server.calls[-1]
            error = VirtError("text", code=code, domain=ErrorDomain.QEMU, str1="%s", int1=4)
            self.server.replyError(REMOTE.number, 1, number, serial, error)
            self.pipe.flush()
            found = self.failureResultOf(call).value
            assert isinstance(found, VirtError)
            self.assertIs(type(found), VirtError.byCode.get(code, VirtError))
            self.assertEqual((found.code, found.domain, found.int1), (code, ErrorDomain.QEMU, 4))
        self.assertGreater(len(VirtError.byCode), 10)

    def test_badArguments(self) -> None:
        """Arguments that do not fit fail the call; nothing is sent and no serial is spent."""
        for arguments in ((), (5,), ("x", "y"), ("a\0b",), ("x" * 4194305,)):
            call = self.client.call(REMOTE, LOOKUP, arguments)
            self.failureResultOf(call, RPCError)
        self.pipe.flush()
        self.assertEqual((self.server.calls, self.client._calls), ([], {}))
        self.call()
        self.assertEqual(self.server.calls[0][1], 1)

    def test_descriptorsOnTCP(self) -> None:
        """A transport that carries no descriptors fails the call, and nothing else."""
        call = self.client.call(REMOTE, CLOSE, (), fds=[0])
        self.failureResultOf(call, RPCError)
        self.assertEqual(self.client._calls, {})
        other = self.call()
        self.answer(0, "h")
        self.assertEqual(self.successResultOf(other), "h")

    def test_garbledAnswer(self) -> None:
        """An answer that cannot be read fails its call and no other."""
        call, error, other = self.call(), self.call(), self.call()
        self.raw(HOSTNAME.number, 1, b"\0\0\0\x09abc")
        self.raw(HOSTNAME.number, 2, b"\0", status=1)
        self.answer(2, "h")
        self.assertIn("cannot read", str(self.failureResultOf(call, RPCError).value))
        self.failureResultOf(error, RPCError)
        self.assertEqual(self.successResultOf(other), "h")

    def test_unaskedAnswers(self) -> None:
        """An answer that nobody waits for, or to another procedure, ends the connection."""
        for number, serial in ((HOSTNAME.number, 99), (CLOSE.number, 1), (HOSTNAME.number, 0)):
            self.setUp()
            call = self.call()
            self.raw(number, serial)
            self.assertTrue(self.transport.aborted)
            self.assertIn("nobody called", str(self.failureResultOf(call, OutcomeUnknown).value))

    def test_answeredTwice(self) -> None:
        """So does a second answer."""
        call = self.call()
        self.answer(0, "h")
        self.answer(0, "h")
        self.assertEqual(self.successResultOf(call), "h")
        self.assertTrue(self.transport.aborted)

    def test_callsFromServer(self) -> None:
        """So does a call, or a type that does not exist."""
        for type in (0, 4, 7, 99):
            self.setUp()
            payload = bytes(4)
            self.raw(1, 1, payload, type=type)
            self.assertTrue(self.transport.aborted, type)
            self.assertIn(f"type {type}", str(self.client.closeReason))

    def test_brokenFrames(self) -> None:
        """Bytes that are no packets end the connection; what came before them counts."""
        call, other = self.call(), self.call()
        payload = HOSTNAME.resultCodec.encode(("h",))
        self.server.send(
            pack(REMOTE.number, 1, HOSTNAME.number, 1, 1, 0, payload) + b"\0\0\0\3garbage"
        )
        self.pipe.flush()
        self.assertEqual(self.successResultOf(call), "h")
        self.assertIn("length 3", str(self.failureResultOf(other, OutcomeUnknown).value))

    def test_messages(self) -> None:
        """Messages of any program are events."""
        self.raw(107, 0, b"body", type=2)
        self.raw(6, 0, b"", type=2, program=QEMU.number)
        self.assertEqual([unpackHeader(each)[3] for each in self.client.events], [107, 6])
        self.assertEqual(self.client.events[0][PAYLOAD:], b"body")

    def test_serialsWrap(self) -> None:
        """Serials begin anew after the largest, leaving out 0 and those that are in use."""
        first = self.call()
        self.client._serial = 2**32 - 3
        calls = [self.call() for _ in range(4)]
        self.assertEqual(
            [serial for _, serial in self.server.calls], [1, 2**32 - 2, 2**32 - 1, 2, 3]
        )
        for index, each in enumerate([first, *calls]):
            self.answer(index, str(index))
            self.assertEqual(self.successResultOf(each), str(index))

    def test_callsInCallbacks(self) -> None:
        """An answer may lead to the next call, which leaves with the same turn."""
        done: list[str] = []

        def again(name: str) -> Any:
            done.append(name)
            if len(done) < 4:
                return self.client.call(REMOTE, HOSTNAME, ()).addCallback(again)
            return None

        chain = self.client.call(REMOTE, HOSTNAME, ()).addCallback(again)
        self.pipe.flush()
        for index in range(4):
            self.assertNoResult(chain)
            self.answer(index, str(index))
        self.successResultOf(chain)
        self.assertEqual(done, ["0", "1", "2", "3"])

    def test_callbacksThatFail(self) -> None:
        """A callback that raises harms no other call of the same read."""
        first = self.client.call(REMOTE, HOSTNAME, ()).addCallback(lambda _: 1 // 0)
        second = self.call()
        for index in (0, 1):
            number, serial = self.server.calls[index]
            self.server.reply(REMOTE.number, 1, number, serial, HOSTNAME.resultCodec.encode(("h",)))
        self.pipe.flush()
        self.failureResultOf(first, ZeroDivisionError)
        self.assertEqual(self.successResultOf(second), "h")

    def test_closeInCallback(self) -> None:
        """An answer may lead to the end of the connection in the middle of a read."""
        first = self.client.call(REMOTE, HOSTNAME, ()).addCallback(lambda _: self.pipe.lose())
        second = self.call()
        payload = HOSTNAME.resultCodec.encode(("h",))
        for _, serial in list(self.server.calls):
            self.server.reply(REMOTE.number, 1, HOSTNAME.number, serial, payload)
        self.pipe.flush()
        self.successResultOf(first)
        self.failureResultOf(second, OutcomeUnknown)

    def test_closing(self) -> None:
        """Closing sends first what was called."""
        self.client.call(REMOTE, CLOSE, ())
        self.client.close()
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(unpackHeader(bytes(self.transport.out))[3], CLOSE.number)


class ServerTests(SynchronousTestCase):
    """The side that is called, over the simulated network of Twisted."""

    def test_roundTrip(self) -> None:
        """A call, its answer, an error and a ping over a connected pair."""
        clock = Clock()

        class Server(RPCServer):
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
                if number == LOOKUP.number:
                    (name,), _ = LOOKUP.argumentCodec.decode(packet, PAYLOAD)
                    error = virtError(ErrorCode.NO_DOMAIN, name, ErrorDomain.TEST)
                    self.replyError(program, version, number, serial, error)
                else:
                    payload = HOSTNAME.resultCodec.encode(("here",))
                    self.reply(program, version, number, serial, payload)

        client, server, pump = connectedServerAndClient(
            lambda: Server(clock), lambda: RPCClient(clock)
        )
        good = client.call(REMOTE, HOSTNAME, ())
        bad = client.call(REMOTE, LOOKUP, ("x",))
        client.startKeepalive(5, 5)
        clock.advance(5)
        pump.flush()
        self.assertEqual(self.successResultOf(good), "here")
        self.assertEqual(str(self.failureResultOf(bad, VirtError).value), "Domain not found: x")
        client.stopKeepalive()
        self.assertEqual(clock.getDelayedCalls(), [])
        self.assertEqual(server.streams, {})

    def test_whatClientsDoNotSay(self) -> None:
        """Replies, events and unknown types from a client are passed over."""
        clock = Clock()
        client, server = Client(clock), EchoServer(clock, REMOTE)
        pipe = Pipe(client, server, clock)
        for type in (1, 2, 5, 7, 99, 2**32 - 1):
            client.send(pack(REMOTE.number, 1, 1, type, 1, 0, bytes(4)))
        client.send(pack(KEEPALIVE.number, 1, 3, 2, 0, 0))
        client.send(pack(KEEPALIVE.number, 2, 1, 2, 0, 0))
        pipe.flush()
        self.assertEqual((server.calls, server.broken, client.events), ([], [], []))
        client.send(pack(REMOTE.number, 1, 1, 0, 1, 0))
        pipe.flush()
        self.assertEqual(len(server.calls), 1)
