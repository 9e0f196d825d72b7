"""
What the daemon answers to calls of every kind, as libvirtd 9.0.0 was seen to do.
"""

from __future__ import annotations

import os
import struct

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.daemon.identity import Identity
from pyvirt.errors import VirtError
from pyvirt.protocols.programs.keepalive import PROGRAM as KEEPALIVE
from pyvirt.protocols.programs.qemu import PROGRAM as QEMU
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from tests.daemonfixture import DOMAIN, NOT_OPEN, URI, World, error, internal, rpc

LOOKUP = REMOTE.byName["domainLookupByName"].number


def text(data: bytes, length: int | None = None) -> bytes:
    """Encode a string as XDR, with C{length} as its length word whatever it is."""
    size = len(data) if length is None else length
    return struct.pack(">I", size) + data + b"\0" * (-len(data) % 4)


class LookupTests(SynchronousTestCase):
    """Which calls exist."""

    def setUp(self) -> None:
        self.world = World()
        self.peer = self.world.peer().open()

    def refused(self, problem: str, number: int, **how: int) -> None:
        """Assert that a call is refused with C{problem}, and that its header comes back."""
        answer = self.peer.ask(self.peer.raw(number, serial=77, **how))
        self.assertEqual(answer.error, rpc(problem))
        self.assertEqual((answer.type, answer.status, answer.serial), (1, 1, 77))
        self.assertEqual(answer.number, number)
        self.assertEqual(answer.program, how.get("program", REMOTE.number))
        self.assertEqual(answer.version, how.get("version", 1))
        self.assertEqual(self.peer.call("connectGetType"), "FIXTURE")

    def test_unknownProgram(self) -> None:
        """A program that is not spoken is named in the refusal."""
        self.refused("Cannot find program 305419896 version 1", 1, program=0x12345678)

    def test_wrongVersion(self) -> None:
        """So is another version of one that is."""
        self.refused("Cannot find program 536903814 version 2", 1, version=2)

    def test_keepaliveAsCall(self) -> None:
        """A ping that comes as a call is for no program."""
        self.refused("Cannot find program 1801807216 version 1", 1, program=KEEPALIVE.number)

    def test_unknownProcedures(self) -> None:
        """Numbers without a procedure are refused: high, zero, negative, those of events."""
        for number in (9999, 0, -1, 107, 454, -(2**31), 2**31 - 1):
            self.refused(f"unknown procedure: {number}", number)

    def test_everyEvent(self) -> None:
        """No message that only the daemon sends can be called."""
        for program in (REMOTE, QEMU):
            for procedure in program:
                if procedure.kind.value != "call":
                    self.refused(
                        f"unknown procedure: {procedure.number}",
                        procedure.number,
                        program=program.number,
                    )

    def test_statusOfCalls(self) -> None:
        """A call whose status is not "ok" is refused, one of an unknown procedure too."""
        self.refused("Unexpected message status 1", 3, status=1)
        self.refused("Unexpected message status 2", 3, status=2)
        self.refused("Unexpected message status 77", 9999, status=77)

    def test_otherMessages(self) -> None:
        """Replies, messages, unknown types and data of no stream are passed over in silence."""
        for kind in (1, 2, 3, 5, 6, 7, 2**32 - 1):
            payload = struct.pack(">I", 0) if kind == 5 else b""
            self.peer.send(self.peer.raw(3, payload, type=kind))
            self.assertEqual(self.peer.received(), [])
        self.assertEqual(self.peer.call("connectGetType"), "FIXTURE")

    def test_serials(self) -> None:
        """Serials are the client's business: any will do, twice the same too."""
        serials = [0, 4294967295, 5, 5]
        answers = [self.peer.ask(self.peer.raw(3, serial=each)).serial for each in serials]
        self.assertEqual(answers, serials)

    def test_manyAtOnce(self) -> None:
        """Calls of one read are answered in order by one write."""
        self.peer.send(b"".join(self.peer.raw(3, serial=each) for each in range(20)))
        self.assertEqual([each.serial for each in self.peer.received()], list(range(20)))


class PayloadTests(SynchronousTestCase):
    """Arguments that are not what they should be."""

    def setUp(self) -> None:
        self.peer = World().peer().open()

    def lookup(self, payload: bytes) -> object:
        """Call C{domainLookupByName} with C{payload}; return the domain or the error."""
        answer = self.peer.ask(self.peer.raw(LOOKUP, payload))
        return answer.error if answer.status else answer.result

    def test_undecodable(self) -> None:
        """Arguments that are short, or longer than their limit, cannot be decoded."""
        wrong = rpc("Unable to decode message payload")
        whole = text(b"test")
        for size in range(len(whole)):
            self.assertEqual(self.lookup(whole[:size]), wrong)
        self.assertEqual(self.lookup(text(b"x" * 4194305)), wrong)
        self.assertEqual(self.lookup(text(b"test", 2**32 - 1)), wrong)

    def test_forgiven(self) -> None:
        """What C code never looks at does no harm: bytes that follow, padding, an inner NUL."""
        notFound = error(42, 12, "Domain not found", "Domain not found")
        self.assertEqual(self.lookup(text(b"test") + b"more"), DOMAIN)
        self.assertEqual(self.lookup(text(b"x" * 4194304)), notFound)
        self.assertEqual(self.lookup(text(b"\xff\xfe")), notFound)
        self.assertEqual(self.lookup(struct.pack(">I", 1) + b"abcd"), notFound)
        self.assertEqual(self.lookup(text(b"other\0")), notFound)
        answer = self.peer.ask(self.peer.raw(3, b"superfluous!"))
        self.assertEqual(answer.result, "FIXTURE")

    def test_tooManyItems(self) -> None:
        """A count above its limit cannot be decoded, whatever it promises."""
        number = REMOTE.byName["domainSetSchedulerParameters"].number
        domain = text(b"test") + DOMAIN.uuid + struct.pack(">i", 1)
        for count in (17, 2**31, 2**32 - 1):
            answer = self.peer.ask(self.peer.raw(number, domain + struct.pack(">I", count)))
            self.assertEqual(answer.error, rpc("Unable to decode message payload"))


class BeforeOpenTests(SynchronousTestCase):
    """Calls of a client that has not opened a URI."""

    def setUp(self) -> None:
        self.world = World()
        self.peer = self.world.peer()

    def test_needOpen(self) -> None:
        """Most calls need an open connection."""
        for name, *arguments in (
            ("connectGetType",),
            ("nodeGetInfo",),
            ("domainLookupByName", "test"),
            ("connectDomainEventRegister",),
            ("connectDomainEventRegisterAny", 99),
            ("connectGetURI",),
            ("connectIsSecure",),
            ("connectGetLibVersion",),
            ("connectListAllDomains", 1, 0),
            ("connectDomainEventCallbackRegisterAny", 0, None),
            ("connectDomainEventCallbackDeregisterAny", 0),
            ("connectRegisterCloseCallback",),
            ("connectUnregisterCloseCallback",),
            ("connectSetIdentity", [], 0),
            ("connectSupportsFeature", 14),
        ):
            self.assertEqual(self.peer.error(name, *arguments), NOT_OPEN, name)

    def test_authentication(self) -> None:
        """Where none is needed the list says so, and each attempt fails in its own words."""
        self.assertEqual(self.peer.call("authList"), [0])
        failed = error(
            45,
            7,
            "authentication failed: authentication failed",
            "authentication failed: %s",
            "authentication failed",
        )
        self.assertEqual(self.peer.error("authSASLInit"), failed)
        self.assertEqual(self.peer.error("authSASLStart", "PLAIN", 1, b""), failed)
        self.assertEqual(self.peer.error("authSASLStep", 1, b""), failed)
        self.assertEqual(
            self.peer.error("authPolkit"),
            error(1, 7, "Library function returned error but did not set virError", numbers=0),
        )

    def test_keepaliveFeature(self) -> None:
        """The one feature that can be asked for before is the keepalive."""
        self.assertEqual(self.peer.call("connectSupportsFeature", 10), 1)

    def test_close(self) -> None:
        """Closing what was never opened is answered, and the connection ends."""
        self.assertIsNone(self.peer.call("connectClose"))
        self.world.clock.advance(0)
        self.assertTrue(self.peer.isClosed)


class OpenTests(SynchronousTestCase):
    """Opening and closing."""

    def setUp(self) -> None:
        self.world = World()
        self.peer = self.world.peer()

    def test_uri(self) -> None:
        """The URI of an open connection can be asked for."""
        self.peer.open()
        self.assertEqual(self.peer.call("connectGetURI"), URI)

    def test_refusals(self) -> None:
        """A URI that is none, that no driver takes or that is missing; another can be tried then."""
        self.assertEqual(
            self.peer.error("connectOpen", "foo:///x", 0),
            error(
                5,
                0,
                "no connection driver available for foo:///x",
                "no connection driver available for %s",
                "foo:///x",
            ),
        )
        self.assertEqual(
            self.peer.error("connectOpen", "%%%", 0), internal("Unable to parse URI %%%", 45)
        )
        self.assertEqual(self.peer.error("connectOpen", None, 0), internal("connection not open"))
        self.assertEqual(self.peer.error("connectGetType"), NOT_OPEN)
        self.assertEqual(self.peer.open().call("connectGetType"), "FIXTURE")

    def test_twice(self) -> None:
        """A second attempt is refused and costs the first connection; a third succeeds."""
        self.peer.open()
        self.assertEqual(
            self.peer.error("connectOpen", URI, 0), internal("connection already open")
        )
        self.assertEqual(self.peer.error("connectGetType"), NOT_OPEN)
        self.assertEqual(self.world.driver.connections, [])
        self.peer.open()
        self.assertEqual(len(self.world.driver.connections), 1)

    def test_flags(self) -> None:
        """Unknown flags are accepted; the first bit makes the connection read-only."""
        for flags, readOnly in ((0, False), (1, True), (2, False), (255, True), (2**31, False)):
            peer = self.world.peer().open(URI, flags)
            context = self.world.driver.contexts[-1]
            self.assertEqual((context.readOnly, context.flags), (readOnly, flags))
            self.assertTrue(context.inDaemon)
            if readOnly:
                self.assertEqual(
                    peer.error("domainSuspend", DOMAIN),
                    error(
                        29,
                        20,
                        "operation forbidden: read only access prevents virDomainSuspend",
                        "operation forbidden: %s",
                        "read only access prevents virDomainSuspend",
                    ),
                )

    def test_readOnlySocket(self) -> None:
        """Whoever comes by the read-only socket may only look, whatever the flags."""
        peer = self.world.peer(readOnly=True).open()
        self.assertTrue(self.world.driver.contexts[-1].readOnly)
        self.assertEqual(peer.error("domainSuspend", DOMAIN)["code"], 29)
        self.assertEqual(self.world.driver.waiting, [])
        self.assertEqual(peer.call("connectGetType"), "FIXTURE")
        self.assertEqual(peer.call("connectDomainEventCallbackRegisterAny", 0, None), 0)

    def test_closing(self) -> None:
        """Closing lets go of the driver's side, is answered, and is the last that is done."""
        self.peer.open()
        self.peer.send(self.peer.packet("connectClose") + self.peer.packet("connectGetType"))
        (answer,) = self.peer.received()
        self.assertIsNone(answer.result)
        self.assertEqual(self.world.driver.connections, [])
        self.world.clock.advance(0)
        self.assertTrue(self.peer.isClosed)

    def test_slowOpening(self) -> None:
        """Calls sent behind an open wait for it."""
        self.world.driver.opening = []
        self.peer.send(self.peer.packet("connectOpen", URI, 0) + self.peer.packet("connectGetType"))
        self.assertEqual(self.peer.received(), [])
        self.world.driver.opening[0]()
        self.world.clock.advance(0)
        first, second = self.peer.received()
        self.assertIsNone(first.result)
        self.assertEqual(second.result, "FIXTURE")

    def test_lostWhileOpening(self) -> None:
        """A client that leaves while its URI is being opened leaves nothing behind."""
        self.world.driver.opening = []
        self.peer.send(self.peer.packet("connectOpen", URI, 0))
        self.peer.lose()
        self.world.driver.opening[0]()
        self.world.clock.advance(0)
        self.assertEqual(self.world.driver.connections, [])
        self.assertEqual(self.world.server.sessions, set())


JOE = Identity(transport="tcp", address="192.168.1.1:54321", userName="joe", claimed=True)


class FeatureTests(SynchronousTestCase):
    """What the daemon supports."""

    def test_features(self) -> None:
        """The daemon answers for the protocol, the driver for itself."""
        peer = World().peer().open()
        asked = [*range(24), 99, -1]
        answers = {each: peer.call("connectSupportsFeature", each) for each in asked}
        supported = sorted(each for each, answer in answers.items() if answer)
        self.assertEqual(supported, [5, 8, 9, 10, 14, 15, 16])

    def test_closeCallback(self) -> None:
        """Registering for the end of the connection can be done and undone any number of times."""
        peer = World().peer().open()
        for name in ("connectRegisterCloseCallback", "connectUnregisterCloseCallback"):
            self.assertIsNone(peer.call(name))
            self.assertIsNone(peer.call(name))

    def test_identity(self) -> None:
        """An identity is checked by name and type, then kept."""
        peer = World().peer().open()
        self.assertIsNone(peer.call("connectSetIdentity", [("user-name", 7, "joe")], 7))
        self.assertEqual(peer.session.identity, JOE)
        for parameters, code, detail in (
            ([("bogus", 7, "x")], 74, "parameter 'bogus' not supported"),
            (
                [("unix-user-id", 7, "x")],
                8,
                "invalid type 'string' for parameter 'unix-user-id', expected 'ullong'",
            ),
            ([("user-name", 7, "x")] * 2, 8, "parameter 'user-name' occurs multiple times"),
        ):
            found = peer.error("connectSetIdentity", parameters, 0)
            self.assertEqual((found["code"], found["domain"], found["str2"]), (code, 0, detail))
        self.assertEqual(peer.session.identity, JOE)


class AuthenticationTests(SynchronousTestCase):
    """A listener whose clients have to authenticate."""

    def test_onlyFiveCalls(self) -> None:
        """Before it, every call but the five of authentication is refused; unknown ones as ever."""
        peer = World().peer(auth="sasl")
        self.assertEqual(peer.call("authList"), [1])
        needed = rpc("authentication required")
        free = {"authList", "authSASLInit", "authSASLStart", "authSASLStep", "authPolkit"}
        for procedure in REMOTE:
            if procedure.kind.value == "call" and procedure.name not in free:
                # Refused before the payload is looked at.
                self.assertEqual(peer.ask(peer.raw(procedure.number)).error, needed)
        self.assertEqual(peer.ask(peer.raw(99999)).error, rpc("unknown procedure: 99999"))
        self.assertEqual(peer.error("authSASLInit")["code"], 45)
        peer.send(peer.raw(1, type=2, program=KEEPALIVE.number))
        (pong,) = peer.received()
        self.assertEqual((pong.type, pong.number), (2, 2))

    def test_afterwards(self) -> None:
        """Once authenticated a client may call, and is anonymous no more."""
        world = World(anonymousClients=1)
        peer = world.peer(auth="polkit")
        self.assertEqual(peer.call("authList"), [2])
        self.assertEqual(world.server.room, 0)
        peer.session.authenticationSucceeded()
        self.assertEqual(world.server.anonymous, 0)
        self.assertNotEqual(world.server.room, 0)
        self.assertEqual(peer.open().call("connectGetType"), "FIXTURE")
        world.clock.advance(1000)
        self.assertFalse(peer.isClosed)

    def test_packetSize(self) -> None:
        """Before it a packet has at most a mebibyte, then as much as anybody's."""
        world = World()
        for done in (False, True):
            peer = world.peer(auth="sasl")
            if done:
                peer.session.authenticationSucceeded()
            peer.send((2 << 20).to_bytes(4, "big"))
            self.assertEqual(peer.transport.aborted, not done)

    def test_deadline(self) -> None:
        """A client that never authenticates is dropped after a while, logged and counted."""
        world = World(authenticationDeadline=30.0)
        peer = world.peer(auth="sasl")
        world.clock.advance(29.9)
        self.assertFalse(peer.isClosed)
        world.clock.advance(0.2)
        self.assertTrue(peer.transport.aborted)
        self.assertEqual(world.server.counters.unauthenticated, 1)
        peer.lose()
        self.assertEqual((world.server.anonymous, world.clock.getDelayedCalls()), (0, []))


class DriverTests(SynchronousTestCase):
    """What drivers answer, and how they fail."""

    def setUp(self) -> None:
        self.world = World()
        self.peer = self.world.peer().open()

    def test_later(self) -> None:
        """Answers leave in the order in which they are ready, whatever the order of the calls."""
        suspend = self.peer.packet("domainSuspend", DOMAIN)
        self.peer.send(suspend + self.peer.packet("connectGetType"))
        (quick,) = self.peer.received()
        self.assertEqual(quick.result, "FIXTURE")
        self.world.driver.waiting[0].callback(None)
        (slow,) = self.peer.received()
        self.assertIsNone(slow.result)
        self.assertEqual(slow.serial + 1, quick.serial)

    def test_failing(self) -> None:
        """A driver's error travels as it is, at once or later."""
        self.peer.send(self.peer.packet("domainSuspend", DOMAIN))
        self.world.driver.waiting[0].errback(VirtError("no", code=55, domain=12, str1="no"))
        (answer,) = self.peer.received()
        self.assertEqual(answer.error, error(55, 12, "no", "no"))

    def unexpected(self) -> None:
        """Assert that the driver's failure was logged and that the client is told no details."""
        (answer,) = self.peer.received()
        self.assertEqual(answer.error["code"], 1)
        self.assertNotIn("secret", str(answer.error))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.world.driver.hostname = lambda: "host"
        self.assertEqual(self.peer.call("connectGetHostname"), "host")

    def test_crashing(self) -> None:
        """Any other exception is logged; the client is told of an internal error, without details."""

        def crash() -> str:
            raise ZeroDivisionError("secret")

        self.world.driver.hostname = crash
        self.peer.send(self.peer.packet("connectGetHostname"))
        self.unexpected()

    def test_crashingLater(self) -> None:
        """So it is when the driver fails later."""
        self.world.driver.hostname = lambda: fail(ZeroDivisionError("secret"))
        self.peer.send(self.peer.packet("connectGetHostname"))
        self.unexpected()

    def test_coroutine(self) -> None:
        """A driver's method may be a coroutine."""
        ready: Deferred[str] = Deferred()

        async def hostname() -> str:
            return await ready + "!"

        self.world.driver.hostname = hostname
        self.peer.send(self.peer.packet("connectGetHostname"))
        ready.callback("later")
        self.assertEqual(self.peer.received()[0].result, "later!")

    def test_unencodable(self) -> None:
        """A result that does not fit the wire is an error of the RPC layer."""
        for value in (None, 5, "x" * 4194305, "nul\0inside"):
            self.world.driver.type = value
            self.assertEqual(
                self.peer.error("connectGetType"), rpc("Unable to encode message payload")
            )
        self.world.driver.hostname = lambda: Deferred()
        self.peer.send(self.peer.packet("connectGetHostname"))

    def test_notSupported(self) -> None:
        """What the driver does not have is refused in the name of the C function."""
        self.assertEqual(
            self.peer.error("connectNumOfNetworks"),
            error(
                3,
                19,
                "this function is not supported by the connection driver: virConnectNumOfNetworks",
                "this function is not supported by the connection driver: %s",
                "virConnectNumOfNetworks",
            ),
        )

    def test_descriptorsAbsent(self) -> None:
        """A call that needs a descriptor and has none is refused."""
        procedure = REMOTE.byName["domainOpenGraphics"]
        payload = procedure.argumentCodec.encode((DOMAIN, 0, 0))
        missing = internal("No FD available at slot 0")
        for kind, data in ((0, payload), (4, b"\0\0\0\0" + payload)):
            answer = self.peer.ask(self.peer.raw(procedure.number, data, type=kind))
            self.assertEqual(answer.error, missing)

    def test_descriptorsUnannounced(self) -> None:
        """A call that announces descriptors which never came ends the connection."""
        payload = REMOTE.byName["domainOpenGraphics"].argumentCodec.encode((DOMAIN, 0, 0))
        packet = self.peer.raw(249, b"\0\0\0\2" + payload, type=4) + b"\0\0"
        self.peer.send(packet)
        self.assertTrue(self.peer.transport.aborted)

    def test_tooManyDescriptors(self) -> None:
        """So does one that announces more than 32."""
        self.peer.send(self.peer.raw(249, b"\0\0\0\x21" + b"\0" * 60, type=4))
        self.assertTrue(self.peer.transport.aborted)

    def test_descriptorsElsewhere(self) -> None:
        """Over what is no UNIX socket a descriptor cannot be sent: an error, and it is closed."""
        self.assertEqual(
            self.peer.error("domainOpenGraphicsFD", DOMAIN, 0, 0),
            internal("Sending file descriptors is not supported on this socket"),
        )
        self.assertRaises(OSError, os.fstat, self.world.driver.opened)

    def test_everyProcedure(self) -> None:
        """Every procedure, called with nothing, is answered once and never crashes the daemon."""
        for program in (REMOTE, QEMU):
            for procedure in program:
                if procedure.kind.value != "call" or procedure.name == "connectClose":
                    continue
                peer = self.world.peer().open()
                peer.send(peer.raw(procedure.number, program=program.number))
                waiting = self.world.driver.waiting
                self.assertEqual(len(peer.received()) + len(waiting), 1, procedure.name)
                waiting.clear()
        self.assertEqual(self.world.server.counters.crashed, 0)
