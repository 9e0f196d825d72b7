"""
Logging in by SASL, in memory: the exchange, and everything that can go wrong with it.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from typing import Any

from scramp import ScramClient
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.authfile import findAuthFile, readCredentials
from pyvirt.client.opening import connectTable
from pyvirt.daemon.config import ConfigError, readConfig
from pyvirt.daemon.identity import Identity
from pyvirt.daemon.passwordcommand import main
from pyvirt.daemon.passwords import PasswordFile, PasswordFileError, Verifier, makeVerifier
from pyvirt.daemon.sasl import SASL, Login
from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.remote.login import logIn
from pyvirt.drivers.remote.target import Target
from pyvirt.errors import VirtError
from pyvirt.protocols.programs.remote import AuthSASLStartResult
from pyvirt.sasl import OFFERED
from pyvirt.sasl.client import MechanismError, Plain, Scram, chooseMechanism
from pyvirt.sasl.kerberos import isAvailable
from pyvirt.sasl.layer import LayerError, SecurityLayer
from pyvirt.transports.endpoints import Address
from pyvirt.transports.turns import Turns
from tests.daemonfixture import Peer, World, error

FAILED = error(
    45,
    7,
    "authentication failed: authentication failed",
    "authentication failed: %s",
    "authentication failed",
)
UNIX = Identity(transport="unix", userID=7, processID=8, processTime=9)
TLS = Identity(transport="tls", strength=256, x509Name="CN=alice")


def makeFile(case: SynchronousTestCase) -> str:
    path: str = case.mktemp()
    file = PasswordFile(path)
    file.write(
        {
            user: {
                each: makeVerifier(each, password, 4096, b"0123456789abcdef")
                for each in OFFERED[:2]
            }
            for user, password in (("joe", "secret"), ("bob", "pass,=word"))
        }
    )
    return path


class Base(SynchronousTestCase):
    """A daemon whose clients log in."""

    def setUp(self) -> None:
        self.file = makeFile(self)
        self.world = World(anonymousClients=100)
        self.sasl = SASL(
            passwords=PasswordFile(self.file), inThread=lambda function, *a: execute(function, *a)
        )
        self.world.server.logins = lambda: self.sasl

    def peer(self, identity: Identity = UNIX) -> Peer:
        peer = self.world.peer(auth="sasl")
        peer.session.identity = identity
        return peer

    def exchange(
        self, peer: Peer, user: str, password: str, mechanism: str = "SCRAM-SHA-256"
    ) -> Any:
        """Log in; return the client's side, or the error."""
        peer.call("authSASLInit")
        client = Scram(mechanism, user, password, None)
        try:
            result = peer.call("authSASLStart", mechanism, 0, client.first())
            while not result.complete:
                said = client.step(None if result.nil else result.data)
                result = peer.call("authSASLStep", said is None, said or b"")
        except VirtError as problem:
            return problem
        client.step(result.data)
        return client


class ServerTests(Base):
    """The daemon's side."""

    def test_scram(self) -> None:
        """Who knows the password comes in under the name, and the server shows that it knows a verifier."""
        for mechanism in OFFERED[:2]:
            for user, password in (("joe", "secret"), ("bob", "pass,=word")):
                peer = self.peer()
                self.assertEqual(peer.call("authList"), [1])
                client = self.exchange(peer, user, password, mechanism)
                self.assertTrue(client.done)
                self.assertTrue(peer.session.authenticated)
                self.assertEqual(peer.session.identity.saslName, user)
                self.assertEqual(peer.session.identity.userID, 7)
                self.assertEqual(peer.call("authList"), [0])
                self.assertEqual(peer.error("authSASLInit"), FAILED)
                peer.open()
        self.assertEqual(self.world.server.anonymous, 0)

    def test_refused(self) -> None:
        """A wrong password, an unknown user, one who may not come in: all are told the same."""
        self.sasl.allowed = ("jo*", "x")
        for user, password in (
            ("joe", "wrong"),
            ("nobody", "secret"),
            ("bob", "pass,=word"),
            ("joe", "Secret"),
        ):
            peer = self.peer()
            problem = self.exchange(peer, user, password)
            self.assertEqual((problem.code, str(problem)), (45, FAILED["message"]))
            self.assertFalse(peer.session.authenticated)
            self.assertEqual(peer.error("connectOpen", "fixture:///default", 0)["code"], 39)
            peer.lose()
        self.assertTrue(self.exchange(self.peer(), "joe", "secret").done)
        self.assertEqual(self.world.server.counters.failedLogins, 4)

    def test_doors(self) -> None:
        """What is offered depends on the door; nothing on a TCP socket."""
        for identity, expected in (
            (UNIX, "SCRAM-SHA-256,SCRAM-SHA-512"),
            (TLS, "SCRAM-SHA-256,SCRAM-SHA-512,EXTERNAL,PLAIN"),
            (Identity(transport="tls"), "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN"),
            (Identity(transport="ssh"), "SCRAM-SHA-256,SCRAM-SHA-512"),
        ):
            self.assertEqual(self.peer(identity).call("authSASLInit"), expected)
        peer = self.peer(Identity(transport="tcp", address="1.2.3.4:5"))
        self.assertEqual(peer.error("authSASLInit"), FAILED)
        self.assertEqual(
            self.sasl.offered(TLS, ("tls-server-end-point", b"x"))[0], "SCRAM-SHA-256-PLUS"
        )

    def test_plainAndExternal(self) -> None:
        """Inside TLS a password may be sent, and a certificate speaks for itself."""
        for data, name in (
            (b"\0joe\0secret", "joe"),
            (b"joe\0joe\0secret", "joe"),
            (b"\0joe\0wrong", None),
            (b"bob\0joe\0secret", None),
            (b"\0nobody\0secret", None),
            (b"\0joe\0secret\0", None),
            (b"joe", None),
            (b"\0\xff\0x", None),
        ):
            peer = self.peer(TLS)
            peer.call("authSASLInit")
            if name is None:
                self.assertEqual(peer.error("authSASLStart", "PLAIN", 0, data), FAILED)
            else:
                result = peer.call("authSASLStart", "PLAIN", 0, data)
                self.assertEqual(result, AuthSASLStartResult(True, True, b""))
            self.assertEqual(peer.session.identity.saslName, name)
            peer.lose()
        for data, fine in ((b"", True), (b"CN=alice", True), (b"CN=bob", False)):
            peer = self.peer(TLS)
            peer.call("authSASLInit")
            answer = peer.ask(peer.packet("authSASLStart", "EXTERNAL", 0, data))
            self.assertEqual(bool(answer.status), not fine)
            self.assertEqual(peer.session.identity.saslName, "CN=alice" if fine else None)
            peer.lose()

    def test_slowPassword(self) -> None:
        """While a password is checked nothing else is; who leaves meanwhile leaves nothing behind."""
        waiting: list[Deferred[Any]] = []

        def later(function: Any, *arguments: Any) -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        self.sasl.inThread = later
        peer = self.peer(TLS)
        peer.call("authSASLInit")
        peer.send(peer.packet("authSASLStart", "PLAIN", 0, b"\0joe\0secret"))
        self.assertEqual(peer.received(), [])
        self.assertEqual(peer.error("authSASLStep", 0, b"x"), FAILED)
        peer.lose()
        waiting.pop().callback(True)
        self.assertEqual((self.world.server.anonymous, len(self.world.server.sessions)), (0, 0))

    def test_onePasswordAtATime(self) -> None:
        """Passwords are hashed one after the other; who leaves while it waits gives up its place, and no more."""
        working: list[Deferred[Any]] = []

        def later(function: Any, *arguments: Any) -> Deferred[Any]:
            working.append(Deferred())
            return working[-1]

        self.sasl.inThread = later
        peers = [self.peer(TLS) for _ in range(4)]
        for peer in peers:
            peer.call("authSASLInit")
            peer.send(peer.packet("authSASLStart", "PLAIN", 0, b"\0joe\0secret"))
        first, second, third, fourth = peers
        self.assertEqual(len(working), 1)
        third.lose()
        # What is under way for one that left is gone on with: nobody may have two hashed by leaving.
        first.lose()
        self.assertEqual(len(working), 1)
        working[0].callback(True)
        self.assertEqual(len(working), 2)
        working[1].callback(False)
        (answer,) = second.received()
        self.assertEqual(answer.error, FAILED)
        self.assertEqual(len(working), 3)
        working[2].callback(True)
        (answer,) = fourth.received()
        self.assertTrue(answer.result.complete)
        self.assertEqual((len(working), self.world.server.anonymous), (3, 1))
        self.assertEqual(self.world.server.counters.failedLogins, 1)

    def test_floodOfLogins(self) -> None:
        """Of the steps of many logins that come at once one or two are taken in a turn, and each is answered."""
        now = [0.0]
        pending = Clock()
        turns = self.world.server.turns = Turns(pending, timer=lambda: now[0])
        peers = [self.peer() for _ in range(10)]
        passwords = self.sasl.passwords
        find = passwords.find

        def slow(user: str, mechanism: str) -> Any:
            now[0] += 0.0003
            return find(user, mechanism)

        passwords.find = slow  # type: ignore[method-assign]
        clients = [Scram("SCRAM-SHA-256", "joe", "secret", None) for _ in peers]
        for peer, client in zip(peers, clients, strict=True):
            peer.call("authSASLInit")
            peer.send(peer.packet("authSASLStart", "SCRAM-SHA-256", 0, client.first()))
        self.assertEqual([len(peer.received()) for peer in peers], [1, 1] + [0] * 8)
        self.assertEqual(turns.waiting, 8)
        peers[3].lose()
        while turns.waiting:
            (call,) = pending.getDelayedCalls()
            call.cancel()
            began = now[0]
            turns._next()
            self.assertLess(now[0] - began, 0.0007)
        self.assertEqual([len(peer.received()) for peer in peers], [0, 0, 1, 0, 1, 1, 1, 1, 1, 1])

    def test_outOfTurn(self) -> None:
        """Every call out of turn is refused, and too many of them end the connection."""
        peer = self.peer()
        self.assertEqual(peer.error("authSASLStep", 0, b"x"), FAILED)
        self.assertEqual(peer.error("authSASLStart", "SCRAM-SHA-256", 1, b""), FAILED)
        peer.call("authSASLInit")
        self.assertEqual(peer.error("authSASLInit"), FAILED)
        peer.call("authSASLInit")
        self.assertEqual(peer.error("authSASLStart", "GSSAPI", 1, b""), FAILED)
        self.assertFalse(peer.isClosed)
        peer.call("authSASLInit")
        self.assertEqual(peer.error("authSASLStart", "SCRAM-SHA-256", 0, b"garbage"), FAILED)
        self.world.clock.advance(0)
        self.assertTrue(peer.isClosed)

    def test_garbage(self) -> None:
        """Whatever is said in the exchange, the answer is a refusal."""
        for data in (
            b"n,,n=joe",
            b"n,,",
            b",,",
            b"p=tls-unique,,n=joe,r=abc",
            b"y,,n=joe",
            b"n,a=bob,n=joe,r=abc",
            b"n,,n=,r=abc",
            b"\xff\xfe",
            b"n,,m=x,n=joe,r=abc",
            b"x" * 9000,
            b"\0",
        ):
            peer = self.peer()
            peer.call("authSASLInit")
            self.assertEqual(peer.error("authSASLStart", "SCRAM-SHA-256", 0, data), FAILED, data)
            peer.lose()
        for data in (b"c=biws", b"", b"c=biws,r=x,p=AAAA", b"c=AAAA,r=x,p=!!", b"\xff"):
            peer = self.peer()
            peer.call("authSASLInit")
            peer.call("authSASLStart", "SCRAM-SHA-256", 0, b"n,,n=joe,r=abcdefgh")
            self.assertEqual(peer.error("authSASLStep", 0, data), FAILED, data)
            peer.lose()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_actingAsOneself(self) -> None:
        """Who names whom to act as, as some clients do, may name itself."""
        peer = self.peer()
        peer.call("authSASLInit")
        client = ScramClient(["SCRAM-SHA-256"], "joe", "secret")
        said = client.get_client_first().replace("n,,", "n,a=joe,")
        result = peer.call("authSASLStart", "SCRAM-SHA-256", 0, said.encode())
        client.set_server_first(result.data.decode())
        # What is bound, and so proven, begins with the header as it was sent.
        self.assertEqual(peer.error("authSASLStep", 0, client.get_client_final().encode()), FAILED)

    def test_everyByte(self) -> None:
        """A client may leave after any byte of the exchange; nothing of it stays."""
        script: list[bytes] = []
        peer = self.peer()
        original = peer.send

        def record(data: bytes) -> None:
            script.append(data)
            original(data)

        peer.send = record  # type: ignore[method-assign]
        self.assertTrue(self.exchange(peer, "joe", "secret").done)
        peer.lose()
        whole = b"".join(script)
        for end in range(len(whole) + 1):
            peer = self.peer()
            peer.send(whole[:end])
            peer.lose()
            self.assertEqual(len(self.world.server.sessions), 0)
        self.assertEqual(self.world.server.anonymous, 0)
        self.world.clock.advance(0)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_aThousandFailures(self) -> None:
        """A thousand failed logins are counted and logged, and leave nothing behind."""
        gc.collect()
        before = sum(isinstance(each, Login) for each in gc.get_objects())
        for number in range(200):
            peer = self.peer()
            for _ in range(5):
                self.assertIsInstance(self.exchange(peer, f"user{number}", "x"), VirtError)
            self.world.clock.advance(0)
            self.assertTrue(peer.isClosed)
            peer.lose()
        self.assertEqual(self.world.server.counters.failedLogins, 1000)
        self.assertEqual(self.world.server.anonymous, 0)
        del peer
        gc.collect()
        self.assertEqual(sum(isinstance(each, Login) for each in gc.get_objects()), before)
        self.assertTrue(self.exchange(self.peer(), "joe", "secret").done)


class ClientTests(Base):
    """Our client, against the daemon and against liars."""

    def logIn(
        self, auth: Any, protocol: Any = None, extra: Any = None, environment: Any = None
    ) -> Any:
        target = Target(
            address=Address(transport="unix"), name="", parameters=extra or {}, authFile=None
        )
        context = OpenContext(reactor=self.world.clock, auth=auth)
        environment = {"HOME": "/no/such/place"} if environment is None else environment
        return Deferred.fromCoroutine(
            logIn(protocol or _Calls(self.peer()), target, context, environment, 1)
        )

    def answers(self, **values: Any) -> Any:
        asked: list[list[Any]] = []

        def callback(wanted: list[list[Any]], opaque: Any) -> int:
            asked.extend([list(each) for each in wanted])
            for each in wanted:
                each[4] = {
                    2: "joe",
                    5: "secret",
                    1: "joe",
                    **{int(k[1:]): v for k, v in values.items()},
                }.get(each[0])
            return 0

        return asked, callback

    def test_callback(self) -> None:
        """What is needed is asked for, in libvirt's words."""
        asked, callback = self.answers()
        self.successResultOf(self.logIn([[1, 2, 5], callback, "opaque"]))
        self.assertEqual(
            asked,
            [
                [1, "Please enter your authorization name", "Authorization Name", None, None],
                [2, "Please enter your authentication name", "Authentication Name", None, None],
                [5, "Please enter your password", "Password", None, None],
            ],
        )

    def test_refusals(self) -> None:
        """Without somebody to ask, or an answer, there is no login."""
        _, callback = self.answers()
        _, silent = self.answers(_2=None)
        _, wordless = self.answers(_5=None)
        start = "authentication failed: Failed to start SASL negotiation: "
        for auth, extra, domain, text in (
            (None, {}, 7, f"{start}-4 (SASL(-4): no mechanism available: No worthy mechs found)"),
            (
                [[2], callback, None],
                {},
                7,
                f"{start}-4 (SASL(-4): no mechanism available: No worthy mechs found)",
            ),
            (
                [[2, 5], lambda *_: -1, None],
                {},
                13,
                "authentication failed: Failed to collect auth credentials",
            ),
            (
                [[2, 5], silent, None],
                {},
                7,
                f"{start}-7 (SASL(-7): invalid parameter supplied: Unexpectedly missing a prompt result in _plug_get_simple)",
            ),
            (
                [[2, 5], wordless, None],
                {},
                7,
                f"{start}-7 (SASL(-7): invalid parameter supplied: Unexpectedly missing a prompt result in _plug_get_password)",
            ),
            (
                [[2, 5], callback, None],
                {"auth": "sasl.X"},
                13,
                "authentication failed: SASL mechanism X not supported by server",
            ),
            (
                [[2, 5], callback, None],
                {"auth": "polkit"},
                13,
                "authentication failed: requested authentication type polkit rejected",
            ),
            (
                [[2, 5], callback, None],
                {"auth": "none"},
                13,
                "authentication failed: unknown authentication type none",
            ),
        ):
            problem = self.failureResultOf(self.logIn(auth, extra=extra), VirtError).value
            self.assertEqual((problem.code, problem.domain, str(problem)), (45, domain, text))

    def test_file(self) -> None:
        """A file of credentials answers instead."""
        path = self.mktemp()
        environment = {"LIBVIRT_AUTH_FILE": path, "HOME": "/no/such/place"}

        def write(text: str) -> None:
            with open(path, "w") as file:
                file.write(text)

        write(
            "# mine\n[credentials-a]\nauthname =joe\npassword=secret\n[auth-libvirt-default]\ncredentials=a\n"
        )
        self.successResultOf(self.logIn(None, environment=environment))
        self.assertEqual(readCredentials(path, "libvirt", "x")["password"], "secret")
        self.assertEqual(readCredentials(path, "other", "x"), {})
        write("[credentials-a]\nauthname=joe\n[auth-libvirt-localhost]\ncredentials=a\n")
        asked, callback = self.answers()
        self.successResultOf(self.logIn([[2, 5], callback, None], environment=environment))
        self.assertEqual([each[0] for each in asked], [5])
        write("[auth-libvirt-default]\ncredentials=d\n")
        problem = self.failureResultOf(self.logIn(None, environment=environment), VirtError).value
        self.assertEqual(
            str(problem),
            "configuration file syntax error: Missing group 'credentials-d' referenced from group"
            f" 'auth-libvirt-default' in '{path}'",
        )
        self.assertIsNone(findAuthFile(None, {"HOME": "/no/such/place"}))

    def test_liars(self) -> None:
        """A daemon that says a login is complete without having shown that it knows the password is not believed."""
        _, callback = self.answers()
        for start in (
            AuthSASLStartResult(True, True, b""),
            AuthSASLStartResult(True, False, b"v=AAAA"),
        ):
            problem = self.failureResultOf(
                self.logIn([[2, 5], callback, None], _Liar(start)), VirtError
            ).value
            self.assertEqual(problem.code, 45)
        for start in (
            AuthSASLStartResult(False, False, b"\xff"),
            AuthSASLStartResult(False, True, b""),
        ):
            self.failureResultOf(self.logIn([[2, 5], callback, None], _Liar(start)), VirtError)

    def test_choice(self) -> None:
        """The best mechanism is chosen; no password where others can listen."""
        every = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "EXTERNAL", "GSSAPI"]

        def choose(offered: list[str], **how: bool) -> str | None:
            return chooseMechanism(
                offered, **{"bound": False, "encrypted": True, "external": False, **how}
            )

        self.assertEqual(choose(every), "SCRAM-SHA-256")
        self.assertEqual(choose(every, bound=True), "SCRAM-SHA-256-PLUS")
        self.assertEqual(choose(every, external=True), "EXTERNAL")
        self.assertEqual(choose(["PLAIN"]), "PLAIN")
        self.assertIsNone(choose(["PLAIN"], encrypted=False))
        self.assertIsNone(choose(["GSSAPI"]))
        self.assertEqual(Plain("joe", "x").first(), b"\0joe\0x")
        self.assertTrue(connectTable)


class _Calls:
    """Calls a session in memory as the client's protocol would."""

    transport = None

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    async def call(self, program: Any, procedure: Any, arguments: Any) -> Any:
        return self.peer.call(procedure.name, *arguments)


class _Liar:
    """A daemon that answers as it likes."""

    transport = None

    def __init__(self, start: Any) -> None:
        self.start = start

    async def call(self, program: Any, procedure: Any, arguments: Any) -> Any:
        if procedure.name == "authList":
            return [1]
        return "SCRAM-SHA-256" if procedure.name == "authSASLInit" else self.start


class FileTests(SynchronousTestCase):
    """The file of verifiers, and the command that keeps it."""

    def test_command(self) -> None:
        """Users are set, listed, checked and removed; no password is in the file."""
        path = self.mktemp()

        def run(*arguments: str, input: str = "", prompts: tuple[str, ...] = ()) -> tuple[int, str]:
            output = io.StringIO()
            given = iter(prompts)
            status = main(
                ["--file", path, *arguments],
                input=io.StringIO(input),
                output=output,
                prompt=lambda text: next(given),
            )
            return status, output.getvalue()

        self.assertEqual(
            run("set", "joe", "--stdin", "--iterations", "4096", input="se cret\n"), (0, "")
        )
        self.assertEqual(run("set", "ann", "--iterations", "4096", prompts=("a", "b"))[0], 2)
        self.assertEqual(run("set", "ann", "--iterations", "4096", prompts=("a", "a"))[0], 0)
        self.assertEqual(run("list"), (0, "ann\njoe\n"))
        self.assertEqual(run("check", "joe", "--stdin", input="se cret\n"), (0, "right\n"))
        self.assertEqual(run("check", "joe", "--stdin", input="secret\n"), (1, "wrong\n"))
        self.assertEqual(run("remove", "ann"), (0, ""))
        self.assertEqual(run("remove", "ann")[0], 2)
        for name in ("", "a:b", "a\nb"):
            self.assertEqual(run("set", name, "--stdin", input="x\n")[0], 2)
        self.assertEqual(run("set", "low", "--stdin", "--iterations", "5", input="x\n")[0], 2)
        with open(path) as file:
            self.assertNotIn("se cret", file.read())
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_mistakes(self) -> None:
        """A file that others can read, that is none, or that is malformed lets nobody in."""
        path = makeFile(self)
        file = PasswordFile(path)
        self.assertEqual(set(file.users()), {"joe", "bob"})
        os.chmod(path, 0o604)
        self.assertRaises(PasswordFileError, file.users)
        os.chmod(path, 0o600)
        link = self.mktemp()
        os.symlink(os.path.abspath(path), link)
        self.assertRaises(PasswordFileError, PasswordFile(link).users)
        self.assertRaises(PasswordFileError, PasswordFile("/dev/null").users)
        self.assertEqual(PasswordFile("/no/such/place").users(), {})
        for text in (
            "joe\n",
            "joe:MD5$1:a$b:c\n",
            "joe:SCRAM-SHA-256$4096:!$AAAA:AAAA\n",
            "joe:SCRAM-SHA-256$1:AAAA$AAAA:AAAA\n",
            "joe:SCRAM-SHA-256$99999999999:AAAA$AAAA:AAAA\n",
        ):
            bad = self.mktemp()
            with open(bad, "w") as out:
                out.write(text)
            os.chmod(bad, 0o600)
            self.assertRaises(PasswordFileError, PasswordFile(bad).users)

    def test_changes(self) -> None:
        """A change acts at once; an unknown user looks like a known one."""
        path = makeFile(self)
        file = PasswordFile(path)
        self.assertEqual(file.find("ann", "SCRAM-SHA-256")[1], False)
        first, second = (file.find("ann", "SCRAM-SHA-256")[0] for _ in range(2))
        self.assertEqual(first.salt, second.salt)
        self.assertIsInstance(first, Verifier)
        PasswordFile(path).write(
            {"ann": {"SCRAM-SHA-256": makeVerifier("SCRAM-SHA-256", "x", 4096)}}
        )
        self.assertEqual(file.find("ann", "SCRAM-SHA-256")[1], True)
        self.assertEqual(file.find("joe", "SCRAM-SHA-256")[1], False)


class LayerTests(SynchronousTestCase):
    """What encrypts a connection from the end of a login on."""

    def test_pieces(self) -> None:
        """Whatever pieces the transport makes, the same comes out; and no piece is longer than the peer takes."""

        class Cipher:
            room = 5

            def seal(self, data: bytes) -> bytes:
                return b"<" + data[::-1]

            def open(self, data: bytes) -> bytes:
                if data[:1] != b"<":
                    raise LayerError("spoilt")
                return data[:0:-1]

        said = bytes(range(23))
        sealed = SecurityLayer(Cipher()).encode(said)
        self.assertEqual(len(sealed), 23 + 5 * 5)
        for size in range(1, len(sealed) + 1):
            layer = SecurityLayer(Cipher())
            parts = [sealed[i : i + size] for i in range(0, len(sealed), size)]
            self.assertEqual(b"".join(map(layer.decode, parts)), said)
        self.assertEqual(SecurityLayer(Cipher()).encode(b""), b"")
        for wrong in (b"\0\0\0\0", b"\0\1\0\1", b"\xff\xff\xff\xff", b"\0\0\0\1x"):
            self.assertRaises(LayerError, SecurityLayer(Cipher()).decode, wrong)
        patient = SecurityLayer(Cipher())
        self.assertEqual(patient.decode(b"\0\1\0\0" + bytes(65535)), b"")


class KerberosTests(Base):
    """GSSAPI where the package that it needs is absent; with it, see the interoperation tests."""

    def setUp(self) -> None:
        super().setUp()
        before = {name: sys.modules[name] for name in ("gssapi",) if name in sys.modules}
        self.addCleanup(sys.modules.update, before)
        self.addCleanup(sys.modules.pop, "gssapi", None)
        sys.modules["gssapi"] = None  # type: ignore[assignment]

    def test_configuration(self) -> None:
        """A configuration that asks for it is refused, and told what to do; others are not."""
        self.assertFalse(isAvailable())
        with self.assertRaises(ConfigError) as caught:
            readConfig('\nsasl_mechanisms = ["SCRAM-SHA-256", "gssapi"]\n', "f")
        self.assertIn(
            "f:2: sasl_mechanisms: GSSAPI needs the Python package 'gssapi'", str(caught.exception)
        )
        config = readConfig('sasl_keytab_file = "/k"\n', "f")
        self.assertNotIn("GSSAPI", config.saslMechanisms)
        self.assertIn("sasl_keytab_file cannot take effect", "".join(config.remarks))

    def test_client(self) -> None:
        """A client takes another mechanism, or says what it needs."""
        self.sasl.mechanisms = ("GSSAPI", "SCRAM-SHA-256")
        for auth, extra, expected in (
            ([[2, 5], self.answer, None], {}, None),
            ([[2, 5], self.answer, None], {"auth": "sasl.GSSAPI"}, "'pyvirt[gssapi]'"),
        ):
            outcome = ClientTests.logIn(self, auth, extra=extra)  # type: ignore[arg-type]
            if expected is None:
                self.successResultOf(outcome)
            else:
                self.assertIn(expected, str(self.failureResultOf(outcome, VirtError).value))

    def answer(self, wanted: Any, data: Any) -> int:
        for each in wanted:
            each[4] = {2: "joe", 5: "secret"}[each[0]]
        return 0

    def test_iterations(self) -> None:
        """A server cannot have a client hash for ever."""
        for count in ("10000001", "9" * 30):
            client = Scram("SCRAM-SHA-256", "joe", "secret", None)
            said = client.first() or b""
            nonce = said.decode().rpartition("r=")[2]
            with self.assertRaises(MechanismError):
                client.step(f"r={nonce}x,s=AAAA,i={count}".encode())
