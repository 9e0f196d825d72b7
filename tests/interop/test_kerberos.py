"""
Logging in by Kerberos, with a KDC of the tests' own: stock clients and ours, on libvirtd and on pyvirt.
"""

from __future__ import annotations

import glob
import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

import pyvirt
from pyvirt.daemon.identity import Identity
from pyvirt.daemon.passwords import PasswordFile
from pyvirt.daemon.sasl import SASL
from pyvirt.errors import VirtError
from pyvirt.protocols import message
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from pyvirt.sasl.kerberos import Acceptor, Initiator, KerberosError
from pyvirt.sasl.layer import LayerError, SecurityLayer
from tests.certificates import Pki, writePlaces
from tests.daemonfixture import Peer, World
from tests.interop.kdc import KDC, requireGSSAPI
from tests.interop.support import (
    LibvirtDaemon,
    PyvirtDaemon,
    requireBinding,
    requireLibvirtd,
    requireVirsh,
    run,
)
from tests.interop.test_sasl import _Doors

IN = "['test']"
NAMES = """
import sys, libvirt
libvirt.registerErrorHandler(lambda context, error: None, None)
for uri in sys.argv[1:]:
    try:
        conn = libvirt.openAuth(uri, [[2, 5], lambda wanted, data: -1, None], 0)
        for _ in range(3):
            conn.getCapabilities()
        print([each.name() for each in conn.listAllDomains()])
        conn.close()
    except libvirt.libvirtError as error:
        print(error.get_error_code(), error.get_error_domain(), " ".join(str(error).split()))
"""

_kdcs: list[KDC] = []


def realm() -> KDC:
    """The realm that the tests of this process share."""
    import atexit

    requireGSSAPI()
    if not _kdcs:
        _kdcs.append(KDC())
        atexit.register(_kdcs[0].stop)
    return _kdcs[0]


class _KerberosLibvirtd(_Doors, LibvirtDaemon):
    def environment(self) -> dict[str, str]:
        folder = os.path.join(self.folder, "sasl")
        os.makedirs(folder)
        with open(os.path.join(folder, "libvirt.conf"), "w") as file:
            file.write(f"mech_list: GSSAPI\nkeytab: {realm().keytab}\n")
        return {**super().environment(), **realm().environment, "SASL_CONF_PATH": folder}


class _KerberosPyvirt(_Doors, PyvirtDaemon):
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in realm().environment.items() if k != "KRB5_KTNAME"}
        return {**super().environment(), **kept}

    def settings(self) -> list[str]:
        return [
            *super().settings(),
            'sasl_mechanisms = ["GSSAPI"]',
            f'sasl_keytab_file = "{realm().keytab}"',
        ]


class DoorTests(TestCase):
    """{unix, tcp, tls} x {virsh, binding, ours} x {libvirtd, pyvirt}."""

    timeout = 300

    def setUp(self) -> None:
        requireLibvirtd()
        requireVirsh()
        requireBinding()
        if not glob.glob("/usr/lib/*/sasl2/libgssapiv2.so"):
            raise SkipTest("Cyrus SASL has no GSSAPI (libsasl2-modules-gssapi-mit)")
        self.kdc = realm()
        folder = os.path.abspath(self.mktemp())
        pki = Pki()
        _Doors.places = writePlaces(folder, ca=pki.ca, server=pki.server, client=pki.client)
        for path in _Doors.places.values():
            os.chmod(path, 0o600)
        self.daemons: list[Any] = []
        for kind in (_KerberosLibvirtd, _KerberosPyvirt):
            daemon = kind()
            self.addCleanup(daemon.stop)
            self.daemons.append(daemon)
        for name, value in self.kdc.environment.items():
            self.patchEnvironment(name, value)

    def patchEnvironment(self, name: str, value: str) -> None:
        before = os.environ.get(name)

        def back() -> None:
            if before is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = before

        self.addCleanup(back)
        os.environ[name] = value

    async def ours(self, uri: str) -> str:
        try:
            conn = await pyvirt.openAuth(uri, [[2, 5], lambda wanted, data: -1, None], 0)
        except VirtError as error:
            return f"{int(error.code)} {int(error.domain)} {' '.join(str(error).split())}"
        try:
            await conn.getCapabilities()
            return str([each.name() for each in await conn.listAllDomains()])
        finally:
            await conn.close()

    def test_matrix(self) -> Deferred[None]:
        """
        A ticket opens each door, TCP included, for everybody who may come in; others are refused in the same words.
        """
        return Deferred.fromCoroutine(self._matrix())

    async def _matrix(self) -> None:
        wrong = []
        for user, works in (("joe", True), ("fred", False), ("nobody", False)):
            self.patchEnvironment("KRB5CCNAME", self.kdc.tickets(user))
            outcomes = []
            for daemon in self.daemons:
                uris = [daemon.door(door) for door in ("unix", "tcp", "tls")]
                uris = [each.replace("127.0.0.1:", "localhost:") for each in uris]
                uris += [daemon.door("tcp"), daemon.door("unix", "&auth=sasl.GSSAPI")]
                if user == "joe":
                    uris.append(daemon.door("unix", "&auth=sasl.PLAIN"))
                stock = run([requireBinding(), "-c", NAMES, *uris])
                theirs = stock.stdout.splitlines()
                mine = [await self.ours(each) for each in uris]
                if theirs != mine:
                    wrong.append(f"{daemon.label} {user}\n  {theirs}\n  {mine}\n{stock.stderr}")
                outcomes.append(theirs)
                if [each == IN for each in theirs] != [*[works] * 3, False, works, False][
                    : len(uris)
                ]:
                    wrong.append(f"{daemon.label} {user}: {theirs}")
            if outcomes[0] != outcomes[1]:
                wrong.append(f"{user}\n  libvirtd: {outcomes[0]}\n  pyvirt:   {outcomes[1]}")
        self.patchEnvironment("KRB5CCNAME", self.kdc.tickets("joe"))
        for door in ("unix", "tcp"):
            uri = self.daemons[1].door(door).replace("127.0.0.1:", "localhost:")
            listed = run([requireVirsh(), "-c", uri, "list", "--name"])
            if listed.stdout.split() != ["test"]:
                wrong.append(f"virsh {door}: {listed}")
        self.assertEqual(wrong, [], "\n".join(wrong))
        log = self.daemons[1].log()
        self.assertIn("SASL client identity 'fred' not allowed by ACL", log)
        self.assertIn("sasl joe", log.replace("'", ""))


class MemoryTests(SynchronousTestCase):
    """Both sides in memory, with real tickets."""

    def setUp(self) -> None:
        kdc = realm()
        for name, value in {**kdc.environment, "KRB5CCNAME": kdc.tickets("joe")}.items():
            before = os.environ.get(name)
            if before is None:
                self.addCleanup(os.environ.pop, name, None)
            else:
                self.addCleanup(os.environ.__setitem__, name, before)
            os.environ[name] = value
        self.kdc = kdc
        self.world = World(anonymousClients=100)
        self.waiting: list[Any] = []
        self.sasl = SASL(
            passwords=PasswordFile("/nonexistent"),
            mechanisms=("GSSAPI",),
            keytab=kdc.keytab,
            inThread=self.inThread,
        )
        self.world.server.logins = lambda: self.sasl

    def inThread(self, function: Any, *arguments: Any) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        self.waiting.append((answer, function, arguments))
        return answer

    def work(self) -> None:
        """Do what was given to threads."""
        while self.waiting:
            answer, function, arguments = self.waiting.pop(0)
            try:
                answer.callback(function(*arguments))
            except Exception:
                answer.errback()

    def peer(self, transport: str = "tcp") -> Peer:
        peer = self.world.peer(auth="sasl")
        peer.session.identity = Identity(transport=transport, address="127.0.0.1:5")
        return peer

    def ask(self, peer: Peer, name: str, *arguments: Any) -> Any:
        """Call; the answer comes from a thread."""
        peer.send(peer.packet(name, *arguments))
        self.work()
        (answer,) = peer.received()
        if answer.status:
            return "refused"
        procedure = REMOTE.byName[name]
        return procedure.resultCodec.decode(answer.packet, message.PAYLOAD)[0][0]

    def start(self, peer: Peer, strength: int) -> tuple[Initiator, Any]:
        peer.call("authSASLInit")
        client = Initiator("localhost", strength)
        return client, self.ask(peer, "authSASLStart", "GSSAPI", 0, client.first())

    def logIn(self, peer: Peer, strength: int, behind: bytes = b"") -> Initiator:
        client, result = self.start(peer, strength)
        while result != "refused" and not result.complete:
            said = client.step(result.data)
            more = behind if client.done else b""
            peer.send(peer.packet("authSASLStep", said is None, said or b"") + more)
            self.work()
            answers = peer.received()
            if not answers or answers[0].status:
                break
            decoded = REMOTE.byName["authSASLStep"].resultCodec
            result = decoded.decode(answers[0].packet, message.PAYLOAD)[0][0]
        return client

    def test_names(self) -> None:
        """The name is without the realm of the host; who the client says it is has to be the same."""
        peer = self.peer("unix")
        client = self.logIn(peer, 0)
        self.assertIsNone(client.cipher)
        self.assertEqual(peer.session.identity.saslName, "joe")
        peer.open()

    def test_layer(self) -> None:
        """On a plain socket all that follows the login is encrypted, both ways, and only then taken."""
        peer = self.peer()
        client = self.logIn(peer, 56)
        layer = SecurityLayer(client.cipher)
        self.assertTrue(peer.session.authenticated)
        call = peer.packet("connectOpen", "fixture:///default", 0)
        for byte in layer.encode(call):
            peer.session.dataReceived(bytes([byte]))
        said = peer.transport.value()
        peer.transport.clear()
        self.assertNotIn(REMOTE.number.to_bytes(4, "big"), said)
        answer = layer.decode(said)
        self.assertEqual(message.unpackHeader(answer)[4:], (1, message.unpackHeader(call)[5], 0))
        self.assertIsNotNone(peer.session.connection)
        large = os.urandom(200_000)
        other = peer.session._layer
        self.assertEqual(layer.decode(other.encode(large)), large)
        self.assertEqual(other.decode(layer.encode(large)), large)
        peer.session.dataReceived(call + call)
        self.assertTrue(peer.isClosed)

    def test_forged(self) -> None:
        """What was changed on its way, said twice or not encrypted ends the connection."""
        for spoil in (
            lambda data: data[:-1] + bytes([data[-1] ^ 1]),
            lambda data: data + data,
            lambda data: b"\0\0\0\0",
            lambda data: b"\xff\xff\xff\xff",
            lambda data: b"\0\0\0\x04abcd",
            lambda data: data[4:],
        ):
            peer = self.peer()
            layer = SecurityLayer(self.logIn(peer, 56).cipher)
            good = layer.encode(peer.packet("connectOpen", "fixture:///default", 0))
            peer.session.dataReceived(spoil(good))
            self.assertTrue(peer.isClosed)
            peer.lose()
        self.assertEqual(len(self.world.server.sessions), 0)

    def test_injected(self) -> None:
        """Nothing that was said before the layer stands is taken for what the client says behind it."""
        whole = self.peer().packet("connectOpen", "fixture:///default", 0)
        for behind in (b"\0", whole[:-1], whole):
            peer = self.peer()
            self.logIn(peer, 56, behind)
            self.assertIsNone(peer.session.connection)
            # A whole one was refused at once, for the login was not over.
            self.assertEqual(peer.isClosed, behind is not whole)
            peer.session.dataReceived(whole + whole)
            self.assertTrue(peer.isClosed)
            self.assertIsNone(peer.session.connection)
            peer.lose()

    def test_unencrypted(self) -> None:
        """Neither side goes on in the clear where nothing else encrypts."""
        peer = self.peer()
        client, result = self.start(peer, 0)
        with self.assertRaises(KerberosError):
            while True:
                result = self.ask(peer, "authSASLStep", 0, client.step(result.data) or b"")
        self.assertFalse(peer.session.authenticated)
        peer = self.peer("unix")
        client, result = self.start(peer, 56)
        with self.assertRaises(KerberosError) as caught:
            while True:
                result = self.ask(peer, "authSASLStep", 0, client.step(result.data) or b"")
        self.assertIn("too weak", str(caught.exception))
        self.sasl.minimumSSF = 512
        peer = self.peer()
        _, result = self.start(peer, 56)
        self.assertEqual(self.ask(peer, "authSASLStep", 1, b""), "refused")

    def test_garbage(self) -> None:
        """Whatever is said in the exchange, the answer is a refusal, and nothing is left behind."""
        for words in (b"", b"\0", b"x" * 5000, os.urandom(300), b"`\x82\xff\xff"):
            peer = self.peer()
            peer.call("authSASLInit")
            self.assertEqual(self.ask(peer, "authSASLStart", "GSSAPI", 0, words), "refused", words)
            peer.lose()
            peer = self.peer()
            self.start(peer, 56)
            self.ask(peer, "authSASLStep", 1, b"")
            self.assertEqual(self.ask(peer, "authSASLStep", 0, words), "refused", words)
            peer.lose()
        self.assertEqual((self.world.server.anonymous, len(self.world.server.sessions)), (0, 0))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_leaving(self) -> None:
        """A client may leave after any part of the login, also while a thread is at work for it."""
        steps = 4
        for stage in range(steps):
            for cut in (0.0, 0.3, 0.9, 1.0):
                peer = self.peer()
                peer.call("authSASLInit")
                client = Initiator("localhost", 56)
                said, name = client.first(), "authSASLStart"
                for number in range(stage + 1):
                    more = ("GSSAPI",) if name == "authSASLStart" else ()
                    packet = peer.packet(name, *more, said is None, said or b"")
                    if number == stage:
                        peer.send(packet[: int(len(packet) * cut)])
                        break
                    peer.send(packet)
                    self.work()
                    (answer,) = peer.received()
                    codec = REMOTE.byName[name].resultCodec
                    result = codec.decode(answer.packet, message.PAYLOAD)[0][0]
                    if result.complete:
                        break
                    said, name = client.step(result.data), "authSASLStep"
                peer.lose()
                self.work()
        self.assertEqual((self.world.server.anonymous, len(self.world.server.sessions)), (0, 0))
        self.world.clock.advance(0)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_offers(self) -> None:
        """Offers that no honest peer makes are refused by both sides."""
        for offer in (b"", b"\x04", b"\x00\0\xff\xff", b"\x02\0\xff\xff", b"\x04\0\0\x01"):
            client, server = Initiator("localhost", 56), Acceptor(self.kdc.keytab, 56)
            said = client.step(server.step(client.first()))
            server.step(said or None)
            with self.assertRaises(KerberosError, msg=offer):
                client.step(server._wrapped(offer))
            client, server = Initiator("localhost", 56), Acceptor(self.kdc.keytab, 56)
            client.step(server.step(client.first()))
            server.step(None)
            with self.assertRaises(KerberosError, msg=offer):
                server.step(client._wrapped(offer))
        for name, fine in ((b"", True), (b"joe", True), (b"fred", False), (b"\xff", False)):
            client, server = Initiator("localhost", 0), Acceptor(self.kdc.keytab, 0)
            client.step(server.step(client.first()))
            server.step(None)
            said = client._wrapped(b"\x01\0\0\0" + name)
            if fine:
                self.assertIsNone(server.step(said))
            else:
                self.assertRaises(KerberosError, server.step, said)

    def test_clientInjected(self) -> None:
        """Nor does our client take what comes in the clear behind the end of the login."""
        from twisted.internet.testing import StringTransport

        from pyvirt.drivers.remote.protocol import RemoteProtocol

        class Cipher:
            room = 100

            def seal(self, data: bytes) -> bytes:
                return data[::-1]

            def open(self, data: bytes) -> bytes:
                if data.startswith(b"!"):
                    raise LayerError("spoilt")
                return data[::-1]

        whole = b"\0\0\0\x1c" + bytes(24)
        for behind in (b"", b"\0", whole, whole[:9]):
            protocol = RemoteProtocol(self.world.clock)
            transport = StringTransport()
            protocol.makeConnection(transport)
            step = REMOTE.byName["authSASLStep"]
            waiting = protocol.call(REMOTE, step, (1, b""))
            waiting.addCallback(lambda _, p=protocol: p.seal(SecurityLayer(Cipher())))
            payload = step.resultCodec.encode(((1, 1, b""),))
            reply = message.pack(REMOTE.number, 1, step.number, 1, 1, 0, payload)
            protocol.dataReceived(reply + behind)
            self.assertEqual(transport.disconnecting or transport.disconnected, bool(behind))
            if not behind:
                self.world.clock.advance(0)
                transport.clear()
                protocol.send(b"abc")
                self.world.clock.advance(0)
                self.assertEqual(transport.value(), b"\0\0\0\x03cba")
