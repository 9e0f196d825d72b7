"""
TLS in memory: both ends, their handshake and verdict, what each refuses, and what half of a handshake costs.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import os
from random import Random
from typing import Any

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.daemon.config import ConfigError, readConfig
from pyvirt.daemon.tlsdoor import ServerKeys, tlsFactory
from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.remote.connection import RemoteConnection
from pyvirt.drivers.remote.opening import openRemote
from pyvirt.drivers.remote.protocol import RemoteProtocol
from pyvirt.drivers.remote.target import Target
from pyvirt.errors import VirtError
from pyvirt.testing.transport import Pipe
from pyvirt.tls.command import main
from pyvirt.tls.credentials import Credentials
from pyvirt.tls.issuing import issue, revocations
from pyvirt.tls.names import distinguishedName, matchesAny, ownedBy
from pyvirt.tls.places import clientPlaces, serverPlaces
from pyvirt.tls.priority import PriorityError, parsePriority
from pyvirt.transports.endpoints import Address
from pyvirt.transports.tls import shakeHands
from pyvirt.transports.tlsconnection import TLSConnection, clientFactory, serverFactory
from tests.certificates import CLIENT, SERVER, Pki, certificate, usage, writePlaces
from tests.daemonfixture import URI, World

_pki: list[Pki] = []


def pki() -> Pki:
    """The authorities and certificates that tests share."""
    if not _pki:
        _pki.append(Pki())
    return _pki[0]


class Collector(Protocol):
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.data: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        self.data.append(data)


class Doors(World):
    """A daemon with a TLS door, and clients of it."""

    def __init__(self, case: SynchronousTestCase, settings: str = "", **limits: Any) -> None:
        super().__init__(**limits)
        self.folder = case.mktemp()
        self.paths = writePlaces(self.folder, ca=pki().ca, server=pki().server, crl=pki().crl)
        self.config = readConfig(
            "listen_tls = 1\n"
            + "".join(
                f'{key}_file = "{os.path.abspath(self.paths[name])}"\n'
                for key, name in (
                    ("ca", "cacert"),
                    ("cert", "servercert"),
                    ("key", "serverkey"),
                    ("crl", "cacrl"),
                )
            )
            + settings,
            "conf",
        )
        self.keys = ServerKeys(self.config)
        self.factory = tlsFactory(self.server, self.keys, auth="none")
        self.count = 0

    def client(self, case: SynchronousTestCase, one: Any, **options: Any) -> Credentials:
        """Make a client's credentials."""
        folder = case.mktemp()
        writePlaces(
            folder, ca=options.pop("ca", pki().ca), client=one, crl=options.pop("crl", None)
        )
        options.setdefault("sanity", False)
        return Credentials(clientPlaces(folder, home=None), "client", **options)

    def join(
        self, credentials: Credentials, host: str = "localhost"
    ) -> tuple[Pipe, Any, list[Any]]:
        """Connect a client; return what joins both, its protocol if any, and what came of it."""
        factory, done = shakeHands(
            self.clock, host, credentials, Factory.forProtocol(lambda: RemoteProtocol(self.clock))
        )
        outcome: list[Any] = []
        done.addBoth(outcome.append)
        pipe = Pipe(factory.buildProtocol(None), self.factory.buildProtocol(None))
        return pipe, done, outcome

    def settle(self) -> None:
        """Let every handshake that has something to go on with have its turn."""
        self.clock.advance(0)
        while self.server.turns.waiting:
            self.clock.advance(0)

    def run(self, pipe: Pipe) -> None:
        """Carry bytes until nothing moves."""
        while True:
            moved = pipe.deliver()
            self.settle()
            if not moved and not pipe.deliver():
                return


class HandshakeTests(SynchronousTestCase):
    """Who comes in, and who does not."""

    def refused(self, world: Doors, one: Any, **how: Any) -> tuple[str, list[str]]:
        """Connect in vain; return the client's error and what was logged."""
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        host = how.pop("host", "localhost")
        pipe, _, outcome = world.join(world.client(self, one, **how), host)
        world.run(pipe)
        self.assertEqual(len(outcome), 1)
        error = outcome[0].trap(VirtError) and outcome[0].value
        self.assertFalse(pipe.server.connected)
        self.assertFalse(pipe.client.connected)
        self.assertEqual((len(world.server.sessions), len(world.server.arrivals)), (0, 0))
        self.assertEqual(world.clock.getDelayedCalls(), [])
        return str(error), [str(each.get("reason")) for each in events if "reason" in each]

    def test_welcome(self) -> None:
        """
        A client whose certificate is good has a session that knows its name, and calls work.
        """
        world = Doors(self, 'tls_allowed_dn_list = ["CN=nobody", "O=Example,*=alice"]\n')
        pipe, _, outcome = world.join(world.client(self, pki().client))
        world.run(pipe)
        (protocol,) = outcome
        connection = RemoteConnection(protocol, URI, secure=True, encrypted=True)
        target = Target(address=Address(transport="tls"), name=URI)
        opened: list[Any] = []
        opening = openRemote(connection, target, OpenContext(reactor=world.clock))
        Deferred.fromCoroutine(opening).addBoth(opened.append)
        world.run(pipe)
        self.assertEqual(opened, [connection])
        (session,) = world.server.sessions
        self.assertEqual(session.identity.x509Name, "O=Example,OU=Users,CN=alice")
        self.assertEqual(session.identity.transport, "tls")
        self.assertGreaterEqual(session.identity.strength, 128)
        self.assertEqual(len(world.server.arrivals), 0)
        connection.close()
        world.run(pipe)
        self.assertEqual(len(world.server.sessions), 0)
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_refusedClients(self) -> None:
        """
        Certificates of every bad kind are refused; the client hears what libvirt's hears, the log has the reason.
        """
        world = Doors(self, 'tls_allowed_dn_list = ["O=Example*", "CN=*"]\n')
        unread = "Unable to read TLS confirmation: Input/output error"
        validation = "Certificate failed validation: "
        critical = certificate(pki().ca, "CN=c", purposes=[SERVER])
        for one, reason in (
            (None, "Unable to verify TLS peer: No certificate was found."),
            (pki().stranger, validation + "The certificate hasn't got a known issuer."),
            (pki().revoked, validation + "The certificate has been revoked."),
            (pki().expired, validation + "The certificate has expired."),
            (pki().early, validation + "The certificate is not yet activated."),
            (
                certificate(None, "CN=self"),
                validation + "The certificate hasn't got a known issuer.",
            ),
            (critical, "Certificate [session] purpose does not allow use for with a TLS client"),
            (
                certificate(pki().ca, "CN=u", keyUsage=usage("key_encipherment")),
                "Certificate [session] usage does not permit digital signature",
            ),
            (
                certificate(pki().ca, "CN=authority", ca=True),
                "The certificate [session] basic constraints show a CA, but we need one for a client",
            ),
        ):
            error, logged = self.refused(world, one)
            self.assertEqual(error, unread)
            self.assertIn(reason, logged)
        error, logged = self.refused(world, issue(pki().ca, "O=Other,CN=bob", purposes=["client"]))
        self.assertEqual(error, unread)
        self.assertIn("tls_allowed_dn_list", logged[0])
        self.assertEqual(world.server.counters.unverified, 10)
        self.flushLoggedErrors()

    def test_refusedServers(self) -> None:
        """
        A server of another authority, with another name, or revoked is refused before anything is said to it.
        """
        world = Doors(self)
        other = "authentication failed: Failed to verify peer's certificate"
        error, logged = self.refused(world, pki().client, ca=pki().otherCA)
        self.assertEqual(error, other)
        self.assertIn("known issuer", logged[0])
        error, logged = self.refused(world, pki().client, host="127.0.0.2")
        self.assertEqual(error, other)
        self.assertIn("owner does not match the hostname 127.0.0.2", logged[0])
        crl = revocations(pki().ca, [pki().server.certificate])
        error, logged = self.refused(world, pki().client, crl=crl)
        self.assertEqual(error, other)
        self.assertIn("revoked", logged[0])

    def test_verificationOff(self) -> None:
        """
        With tls_no_verify_certificate anybody comes in, has no name, and the log says so at start and each time.
        """
        world = Doors(self, "tls_no_verify_certificate = 1\n")
        self.assertIn("over TLS anybody may do anything", "".join(world.config.remarks))
        for one in (None, pki().stranger):
            pipe, _, outcome = world.join(world.client(self, one))
            world.run(pipe)
            self.assertIsInstance(outcome[0], RemoteProtocol)
            (session,) = world.server.sessions
            self.assertIsNone(session.identity.x509Name)
            pipe.cut()

    def test_cutEverywhere(self) -> None:
        """
        Whatever byte the connection breaks behind, nothing is left on either side, and the client has an error.
        """
        world = Doors(self)
        credentials = world.client(self, pki().client)
        sent = 0
        for behind in range(100_000):
            pipe, _, outcome = world.join(credentials)
            left = behind
            finished = True
            while left or not behind:
                moved = False
                for near, far in ((pipe.client, pipe.server), (pipe.server, pipe.client)):
                    while near.outgoing and left:
                        data = near.outgoing.popleft()
                        if len(data) > left:
                            near.outgoing.appendleft(data[left:])
                            data = data[:left]
                        left -= len(data)
                        moved = True
                        far.protocol.dataReceived(data)
                        world.settle()
                if not moved:
                    break
            finished = left > 0
            pipe.cut()
            world.settle()
            if finished:
                sent = behind
                break
            if outcome and isinstance(outcome[0], RemoteProtocol):
                outcome.clear()
            else:
                self.assertEqual(len(outcome), 1, behind)
                outcome[0].trap(VirtError)
            self.assertEqual(
                (len(world.server.sessions), len(world.server.arrivals)), (0, 0), behind
            )
            world.clock.advance(0)
            self.assertEqual(world.clock.getDelayedCalls(), [], behind)
        self.assertGreater(sent, 1000)
        self.flushLoggedErrors()

    def test_anyPieces(self) -> None:
        """
        However the bytes of records are cut or joined on their way, what was written arrives, all of it at once.
        """
        world = Doors(self)
        random = Random(1)
        for size in (1, 2, 5, 6, 1000, 40_000, 0):
            near, far = Collector(), Collector()
            pipe = Pipe(
                clientFactory(
                    world.client(self, pki().client),
                    "localhost",
                    Factory.forProtocol(lambda near=near: near),
                    world.clock,
                ).buildProtocol(None),
                serverFactory(
                    lambda: world.keys.credentials,
                    Factory.forProtocol(lambda far=far: far),
                    world.clock,
                ).buildProtocol(None),
            )
            while pipe.deliver():
                pass
            for sender, transport, receiver, carrier in (
                (near, pipe.client, far, pipe.server),
                (far, pipe.server, near, pipe.client),
            ):
                written = [random.randbytes(random.choice((1, 3, 200, 17_000))) for _ in range(9)]
                for each in written:
                    sender.transport.write(each)
                stream = b"".join(transport.outgoing)
                transport.outgoing.clear()
                while stream:
                    step = size or random.randrange(1, 30_000)
                    carrier.protocol.dataReceived(stream[:step])
                    stream = stream[step:]
                self.assertEqual(b"".join(receiver.data), b"".join(written))
            pipe.cut()

    def test_garbage(self) -> None:
        """
        What is no record ends a connection, as soon as that can be seen and whatever length it claims.
        """
        for said in (
            b"\x17\x03\x03\xff\xff",
            b"\x17\x03\x03\x00\x05wrong",
            b"GET / HTTP/1.1\r\n\r\n",
        ):
            world = Doors(self)
            pipe, _, outcome = world.join(world.client(self, pki().client))
            world.run(pipe)
            self.assertIsInstance(outcome[0], RemoteProtocol)
            pipe.server.protocol.dataReceived(said)
            world.run(pipe)
            self.assertFalse(pipe.server.connected, said)
            self.assertEqual(len(world.server.sessions), 0)

    def meet(self, authority: Any, server: Any, client: Any) -> tuple[Any, ServerKeys]:
        """Have a client meet a server, both with these; return what came of it, and the server's credentials."""
        world = Doors(self)
        writePlaces(world.folder, ca=authority, server=server)
        os.unlink(world.paths["cacrl"])
        keys = ServerKeys(attrs.evolve(world.config, crlFile=None))
        world.factory = tlsFactory(world.server, keys, auth="none")
        pipe, _, outcome = world.join(world.client(self, client, ca=authority))
        world.run(pipe)
        pipe.cut()
        return outcome[0], keys

    def test_kindsOfKeys(self) -> None:
        """
        Keys of every kind and length that libvirt takes are taken; of the weak ones there is a remark.
        """
        for make, remark in (
            (functools.partial(ec.generate_private_key, ec.SECP384R1()), None),
            (functools.partial(ec.generate_private_key, ec.SECP521R1()), None),
            (functools.partial(rsa.generate_private_key, 65537, 2048), None),
            (
                functools.partial(rsa.generate_private_key, 65537, 1024),
                "has 1024 bits, which is weak",
            ),
            (ed25519.Ed25519PrivateKey.generate, "libvirt's clients show no certificates"),
        ):
            ca = certificate(None, "CN=ca", ca=True, key=make())
            server = certificate(ca, "CN=localhost", hosts=("localhost",), key=make())
            outcome, keys = self.meet(ca, server, certificate(ca, "CN=joe", key=make()))
            self.assertIsInstance(outcome, RemoteProtocol)
            remarks = keys.credentials.remarks
            self.assertEqual(bool(remarks), remark is not None, remarks)
            for each in remarks:
                self.assertIn(remark, each)

    def test_middleAuthority(self) -> None:
        """
        Who is named in the file of authorities is one, whether another has signed for it and is there or not.
        """
        root = certificate(None, "CN=root", ca=True)
        middle = certificate(root, "CN=middle", ca=True)
        server = certificate(middle, "CN=localhost", hosts=("localhost",))
        client = certificate(middle, "CN=joe")
        outcome, _ = self.meet(middle, server, client)
        self.assertIsInstance(outcome, RemoteProtocol)
        other = certificate(certificate(root, "CN=middle", ca=True), "CN=joe")
        outcome, _ = self.meet(middle, server, other)
        outcome.trap(VirtError)

    def test_slowServer(self) -> None:
        """
        A server that says nothing is given up after 30 seconds.
        """
        world = Doors(self)
        factory, done = shakeHands(
            world.clock, "localhost", world.client(self, pki().client), Factory()
        )
        pipe = Pipe(factory.buildProtocol(None), Protocol())
        world.clock.advance(29)
        self.assertNoResult(done)
        world.clock.advance(2)
        error = self.failureResultOf(done, VirtError)
        self.assertIn("did not finish the TLS handshake", str(error.value))
        pipe.deliver()
        self.assertFalse(pipe.client.connected)

    def test_halfOpenFlood(self) -> None:
        """
        Handshakes that go nowhere take the places of clients that have not authenticated, and lose them in time.
        """
        world = Doors(self, anonymousClients=3)
        pipes = [Pipe(_Nobody(), world.factory.buildProtocol(None)) for _ in range(3)]
        self.assertEqual(world.server.room, 0)
        self.assertTrue(world.server.suspended)
        self.assertIsNone(world.factory.buildProtocol(None))
        world.clock.advance(31)
        for pipe in pipes:
            pipe.deliver()
            self.assertFalse(pipe.server.connected)
        self.assertEqual(world.server.counters.unauthenticated, 3)
        self.assertFalse(world.server.suspended)
        pipe, _, outcome = world.join(world.client(self, pki().client))
        world.run(pipe)
        self.assertIsInstance(outcome[0], RemoteProtocol)
        pipe.cut()

    def test_othersGoOn(self) -> None:
        """
        Of many handshakes that come at once only a few are gone on with before other clients have their turn.
        """
        world = Doors(self, anonymousClients=50)
        now, pending, turns = [0.0], Clock(), world.server.turns
        turns._timer, turns._clock = lambda: now[0], pending
        credentials = world.client(self, pki().client)
        joined = [world.join(credentials) for _ in range(20)]

        def step(data: bytes, take: Any) -> None:
            now[0] += 0.0009
            take(data)

        for pipe, _, _ in joined:
            waiting = pipe.server.protocol._input
            waiting._take = functools.partial(step, take=waiting._take)
        for pipe, _, _ in joined:
            pipe.deliver()
        # One step of 0.9 ms uses up what a turn has for handshakes; the others are not read meanwhile.
        self.assertEqual((turns.waiting, now[0]), (19, 0.0009))
        self.assertEqual([each[0].server.reading for each in joined], [True] + [False] * 19)
        lost = joined[10][0]
        lost.cut()

        def turn() -> None:
            (call,) = pending.getDelayedCalls()
            call.cancel()
            began = now[0]
            turns._next()
            self.assertLess(now[0] - began, 0.0010)

        count = 0
        while turns.waiting:
            turn()
            count += 1
        self.assertEqual(count, 18)
        while any(not outcome for _, _, outcome in joined):
            for pipe, _, _ in joined:
                pipe.deliver()
            if pending.getDelayedCalls():
                turn()
        for pipe, _, outcome in joined:
            if pipe is not lost:
                self.assertIsInstance(outcome[0], RemoteProtocol)
            pipe.cut()
        lost.deliver()
        self.assertIsInstance(joined[10][2][0].value, VirtError)
        self.assertEqual(len(world.server.sessions), 0)

    def test_crash(self) -> None:
        """
        A handshake that fails in a way that nobody has foreseen ends, and the others go on.
        """
        world = Doors(self)
        credentials = world.client(self, pki().client)
        (one, _, first), (two, _, second) = world.join(credentials), world.join(credentials)

        def fail(data: bytes) -> None:
            raise ValueError("unforeseen")

        one.server.protocol._input._take = fail
        world.run(one)
        world.run(two)
        self.assertIsInstance(first[0].value, VirtError)
        self.assertIsInstance(second[0], RemoteProtocol)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(len(world.server.sessions), 1)
        two.cut()

    def test_manyFailures(self) -> None:
        """
        Many clients whose certificate is no good leave nothing behind but their number.
        """
        world = Doors(self)
        stranger = world.client(self, pki().stranger)
        gc.collect()
        before = sum(isinstance(each, TLSConnection) for each in gc.get_objects())
        for _ in range(50):
            pipe, _, outcome = world.join(stranger)
            world.run(pipe)
            outcome[0].trap(VirtError)
        self.assertEqual(world.server.counters.unverified, 50)
        self.assertEqual((len(world.server.sessions), len(world.server.arrivals)), (0, 0))
        self.assertEqual((world.server.anonymous, world.clock.getDelayedCalls()), (0, []))
        del pipe, outcome
        gc.collect()
        self.assertLessEqual(
            sum(isinstance(each, TLSConnection) for each in gc.get_objects()), before
        )
        pipe, _, outcome = world.join(world.client(self, pki().client))
        world.run(pipe)
        self.assertIsInstance(outcome[0], RemoteProtocol)
        pipe.cut()

    def test_plaintext(self) -> None:
        """
        Packets that come without TLS reach no session.
        """
        world = Doors(self)
        pipe = Pipe(_Nobody(), world.factory.buildProtocol(None))
        pipe.client.write(
            bytes.fromhex("0000001c20008086000000010000004200000000000000010000 0000")
        )
        world.run(pipe)
        self.assertFalse(pipe.server.connected)
        self.assertEqual(world.server.counters.accepted, 0)
        self.assertEqual(len(world.server.arrivals), 0)

    def test_reload(self) -> None:
        """
        New connections use the files as they are since the last reload; bad ones leave the old in use.
        """
        world = Doors(self)
        os.unlink(world.paths["cacrl"])
        self.assertRaises(VirtError, world.keys.reload)
        pipe, _, outcome = world.join(world.client(self, pki().client))
        world.run(pipe)
        self.assertIsInstance(outcome[0], RemoteProtocol)
        with open(world.paths["cacrl"], "wb") as file:
            file.write(revocations(pki().ca, [pki().client.certificate]))
        world.keys.reload()
        later, _, outcome = world.join(world.client(self, pki().client))
        world.run(later)
        self.assertEqual(
            str(outcome[0].value), "Unable to read TLS confirmation: Input/output error"
        )
        outcome.clear()
        self.assertTrue(pipe.server.connected)
        pipe.cut()


class _Nobody(Protocol):
    """A peer that takes what comes and says nothing."""


class OwnCertificateTests(SynchronousTestCase):
    """What an end finds wrong with its own files."""

    def problem(self, **places: Any) -> str:
        folder = self.mktemp()
        paths = writePlaces(folder, **{"ca": pki().ca, "server": pki().server, **places})
        home = self.mktemp()
        os.makedirs(os.path.join(home, ".pki"))
        os.symlink(os.path.abspath(folder), os.path.join(home, ".pki/libvirt"))
        del paths
        error = self.assertRaises(VirtError, Credentials, serverPlaces(home=home), "server")
        return str(error).replace(os.path.join(home, ".pki/libvirt"), "PKI")

    def test_sanity(self) -> None:
        """
        A certificate that cannot do its work is refused at start, in libvirt's words.
        """
        ca = pki().ca
        for server, text in (
            (
                certificate(ca, start=-9, end=-1),
                "The server certificate PKI/servercert.pem has expired",
            ),
            (
                certificate(ca, start=9),
                "The server certificate PKI/servercert.pem is not yet active",
            ),
            (
                certificate(ca, ca=True),
                "The certificate PKI/servercert.pem basic constraints show a CA, but we need one for a server",
            ),
            (
                certificate(ca, purposes=[CLIENT]),
                "Certificate PKI/servercert.pem purpose does not allow use for with a TLS server",
            ),
            (
                certificate(ca, keyUsage=usage("key_encipherment")),
                "Certificate PKI/servercert.pem usage does not permit digital signature",
            ),
            (
                certificate(ca, keyUsage=usage("digital_signature")),
                "Certificate PKI/servercert.pem usage does not permit key encipherment",
            ),
            (
                certificate(pki().otherCA),
                "Our own certificate PKI/servercert.pem failed validation against PKI/cacert.pem:"
                " The certificate hasn't got a known issuer.",
            ),
        ):
            self.assertEqual(self.problem(server=server), text)
        sign = usage("key_cert_sign")
        for authority, text in (
            (
                certificate(None, ca=False),
                "The certificate PKI/cacert.pem basic constraints do not show a CA",
            ),
            (
                certificate(None, ca=None),
                "The certificate PKI/cacert.pem is missing basic constraints for a CA",
            ),
            (
                certificate(None, ca=True, keyUsage=usage("crl_sign")),
                "Certificate PKI/cacert.pem usage does not permit certificate signing",
            ),
            (
                certificate(None, ca=True, keyUsage=sign, start=-9, end=-1),
                "The CA certificate PKI/cacert.pem has expired",
            ),
        ):
            self.assertEqual(self.problem(ca=authority, server=certificate(authority)), text)

    def test_files(self) -> None:
        """
        Files that are absent, empty, huge or of something else are named.
        """
        folder = self.mktemp()
        paths = writePlaces(folder, ca=pki().ca, client=pki().client)
        places = clientPlaces(folder, home=None)

        def problem() -> str:
            return str(self.assertRaises(VirtError, Credentials, places, "client"))

        with open(paths["clientkey"], "wb") as file:
            file.write(pki().server.keyPEM)
        self.assertIn("The certificate and the given key do not match.", problem())
        with open(paths["clientkey"], "w") as text:
            text.write("no key")
        self.assertIn("it is no private key", problem())
        with open(paths["clientcert"], "w") as text:
            text.write("garbage")
        self.assertEqual(problem(), f"Unable to import client certificate {paths['clientcert']}")
        with open(paths["cacert"], "wb") as file:
            file.truncate(5 << 20)
        self.assertIn("larger than", problem())
        os.unlink(paths["cacert"])
        self.assertEqual(
            problem(), f"Cannot read CA certificate '{paths['cacert']}': No such file or directory"
        )

    def test_places(self) -> None:
        """
        A user's own files go before the system's, certificate and key only together; pkipath before both.
        """
        root, home = self.mktemp(), self.mktemp()
        own = os.path.join(home, ".pki/libvirt")
        writePlaces(own, ca=pki().ca, client=pki().client)
        found = clientPlaces(None, home=home, root=root)
        self.assertEqual(found.authority, f"{own}/cacert.pem")
        self.assertEqual(found.key, f"{own}/clientkey.pem")
        os.unlink(f"{own}/clientkey.pem")
        found = clientPlaces(None, home=home, root=root)
        self.assertEqual((found.certificate, found.key), (None, None))
        self.assertEqual(
            clientPlaces(None, home=None, root=root).authority, f"{root}/etc/pki/CA/cacert.pem"
        )
        self.assertEqual(clientPlaces("/p", home=home).authority, "/p/cacert.pem")
        self.assertEqual(clientPlaces("", home=home).authority, "/cacert.pem")
        self.assertEqual(
            serverPlaces(home=None, root="/r").key, "/r/etc/pki/libvirt/private/serverkey.pem"
        )


class NameTests(SynchronousTestCase):
    """Names in certificates."""

    def test_distinguishedNames(self) -> None:
        """
        Names are written as GnuTLS writes them.
        """
        name = NameOID

        def written(*parts: tuple[Any, str]) -> str:
            return distinguishedName(
                x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
            )

        self.assertEqual(
            written(
                (name.COUNTRY_NAME, "GB"),
                (name.STATE_OR_PROVINCE_NAME, "London"),
                (name.ORGANIZATION_NAME, "Foo, Bar"),
                (name.COMMON_NAME, "x"),
            ),
            "C=GB,ST=London,O=Foo\\, Bar,CN=x",
        )
        self.assertEqual(
            written((name.COMMON_NAME, " lead"), (name.EMAIL_ADDRESS, "a@b")),
            "CN=\\ lead,EMAIL=a@b",
        )
        self.assertEqual(
            written((name.COMMON_NAME, "#h"), (name.SERIAL_NUMBER, "12")), "CN=\\#h,serialNumber=12"
        )
        self.assertEqual(written((name.COMMON_NAME, "tr ")), "CN=tr\\ ")
        self.assertEqual(
            written((name.COMMON_NAME, 'a+b"c\\d<e>f;g=h'), (name.USER_ID, "u")),
            'CN=a\\+b\\"c\\\\d\\<e\\>f\\;g=h,UID=u',
        )
        self.assertEqual(
            written((x509.ObjectIdentifier("1.2.3.4.5"), "odd"), (name.COMMON_NAME, "x")),
            "1.2.3.4.5=#0c036f6464,CN=x",
        )

    def test_patterns(self) -> None:
        """
        Stars and question marks are patterns, nothing else is.
        """
        for pattern, matches in (
            ("*", True),
            ("C=GB,CN=alice", True),
            ("C=??,CN=*", True),
            ("C=GB", False),
            ("*CN=alic", False),
            ("C=[G]B,CN=alice", False),
            ("", False),
            ("*" * 5000 + "x", False),
        ):
            self.assertEqual(matchesAny("C=GB,CN=alice", [pattern]), matches, pattern)
        self.assertTrue(matchesAny("O=a\\, b", ["O=a\\, b"]))
        self.assertFalse(matchesAny("CN=x", []))

    def test_owners(self) -> None:
        """
        A certificate is for the names and addresses it lists; for its common name only if it lists none.
        """
        one = certificate(pki().ca, "CN=plain", hosts=("a.example", "*.b.example", "10.0.0.1"))
        for host, owned in (
            ("a.example", True),
            ("A.Example.", True),
            ("x.b.example", True),
            ("x.y.b.example", False),
            ("b.example", False),
            ("10.0.0.1", True),
            ("10.0.0.2", False),
            ("plain", False),
            ("", False),
        ):
            self.assertEqual(ownedBy(one.certificate, host), owned, host)
        plain = certificate(pki().ca, "CN=host.example").certificate
        self.assertTrue(ownedBy(plain, "host.example"))
        self.assertFalse(ownedBy(plain, "example"))
        top = certificate(pki().ca, "CN=x", hosts=("*.example",)).certificate
        self.assertFalse(ownedBy(top, "a.example"))


class PriorityTests(SynchronousTestCase):
    """GnuTLS's priority strings."""

    def test_understood(self) -> None:
        """
        Versions, ciphers, key exchanges and MACs are chosen as the string says.
        """
        both = frozenset(("VERS-TLS1.2", "VERS-TLS1.3"))
        self.assertEqual(parsePriority("NORMAL").versions, both)
        self.assertEqual(parsePriority("@LIBVIRT,SYSTEM"), parsePriority("NORMAL"))
        only = parsePriority("NORMAL:-VERS-ALL:+VERS-TLS1.3")
        self.assertEqual(
            (only.versions, only.ciphers), (frozenset(("VERS-TLS1.3",)), "DEFAULT:@SECLEVEL=1")
        )
        self.assertNotIn("AES128", parsePriority("SECURE256").ciphers)
        self.assertEqual(
            parsePriority("NONE:+VERS-TLS1.2:+AES-128-GCM:+ECDHE-ECDSA:+AEAD").ciphers,
            "ECDHE-ECDSA-AES128-GCM-SHA256",
        )
        self.assertTrue(parsePriority("NORMAL:%SERVER_PRECEDENCE").serverChooses)
        self.assertIn("@SECLEVEL=3", parsePriority("NORMAL:%PROFILE_HIGH").ciphers)
        self.assertEqual(parsePriority("NORMAL:-VERS-TLS1.0:!3DES-CBC"), parsePriority("NORMAL"))

    def test_refused(self) -> None:
        """
        What cannot be had is an error that names it.
        """
        for text, problem in (
            ("BOGUS", "The request is invalid."),
            ("", "The request is invalid."),
            ("NORMAL:BOGUS", "The request is invalid."),
            ("NORMAL:-VERS-ALL", "No or insufficient priorities were set."),
            ("NORMAL:-CIPHER-ALL", "No or insufficient priorities were set."),
            ("NORMAL:+VERS-TLS1.0", "'+VERS-TLS1.0' cannot be had with OpenSSL"),
            ("NORMAL:+ARCFOUR-128", "'+ARCFOUR-128' cannot be had with OpenSSL"),
            ("NORMAL:-GROUP-X25519", "'-GROUP-X25519' cannot be had with OpenSSL"),
            ("NORMAL:%UNSAFE_RENEGOTIATION", "'%UNSAFE_RENEGOTIATION' cannot be had with OpenSSL"),
            ("NORMAL::", "'' cannot be had with OpenSSL"),
        ):
            self.assertEqual(str(self.assertRaises(PriorityError, parsePriority, text)), problem)


class ConfigurationTests(SynchronousTestCase):
    """TLS in the configuration file."""

    def test_offByMistake(self) -> None:
        """
        Certificates without listen_tls, and doors that are wider than they look, are remarked on.
        """
        config = readConfig('key_file = "/k"\ncert_file = "/c"\n', "conf")
        self.assertIn(
            "nothing is served over TLS: key_file, cert_file", "".join(config.remarks) or ""
        )
        config = readConfig('listen_tcp = 1\nauth_tcp = "none"\n', "conf")
        self.assertIn("over TCP anybody may do anything", "".join(config.remarks))
        config = readConfig(
            'listen_tcp = 1\nauth_tcp = "none"\nlisten_addr = "127.0.0.1"\n', "conf"
        )
        self.assertEqual(config.remarks, ())

    def test_refused(self) -> None:
        """
        Half of a configuration is an error at start.
        """
        self.assertRaises(ConfigError, readConfig, 'listen_tls = 1\ntls_priority = "X"\n', "conf")
        config = readConfig('listen_tls = 1\nkey_file = "/k"\n', "conf")
        error = self.assertRaises(ConfigError, ServerKeys, config)
        self.assertIn("ca_file, cert_file and key_file belong together", str(error))


class CommandTests(SynchronousTestCase):
    """pyvirt-pki."""

    def run_(self, *arguments: str) -> int:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return main(["--dir", self.folder, *arguments])

    def test_everything(self) -> None:
        """
        One command makes what both ends take; another takes a client's certificate back.
        """
        self.folder = self.mktemp()
        self.assertEqual(self.run_("setup", "host.example", "192.0.2.1"), 0)
        self.assertEqual(os.stat(os.path.join(self.folder, "cakey.pem")).st_mode & 0o777, 0o600)
        Credentials(clientPlaces(self.folder, home=None), "client")
        home = self.mktemp()
        os.makedirs(os.path.join(home, ".pki"))
        os.symlink(os.path.abspath(self.folder), os.path.join(home, ".pki/libvirt"))
        Credentials(serverPlaces(home=home), "server")
        self.assertEqual(self.run_("setup"), 1)
        other = self.mktemp()
        self.assertEqual(self.run_("client", "O=Example,CN=bob", "--out", other), 0)
        self.assertEqual(self.run_("revoke", os.path.join(other, "clientcert.pem")), 0)
        self.assertEqual(self.run_("revoke", os.path.join(self.folder, "clientcert.pem")), 0)
        with open(os.path.join(self.folder, "cacrl.pem"), "rb") as file:
            self.assertEqual(len(list(x509.load_pem_x509_crl(file.read()))), 2)
        self.assertEqual(self.run_("show", os.path.join(self.folder, "servercert.pem")), 0)
        self.assertEqual(self.run_("client", "X=1"), 1)
