"""
SSH in memory: our client and our listener, logins, what may be asked for, and what half of a handshake costs.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import hmac
import os
import struct
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from twisted.conch.ssh import common
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.keys import Key
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from pyvirt import constants as c
from pyvirt.daemon.authorizedkeys import AuthorizedKeys
from pyvirt.daemon.sshcommands import CommandRefused, understand
from pyvirt.daemon.sshdoor import SSHDoor, SSHDoorFactory, hostKey
from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.remote.connection import RemoteConnection
from pyvirt.drivers.remote.opening import openRemote
from pyvirt.drivers.remote.protocol import RemoteProtocol
from pyvirt.drivers.remote.target import Target
from pyvirt.errors import VirtError
from pyvirt.testing.transport import Pipe
from pyvirt.transports import ssh
from pyvirt.transports.asking import Asker
from pyvirt.transports.endpoints import Address
from pyvirt.transports.knownhosts import Known, KnownHosts
from pyvirt.transports.listeners import ListenError
from pyvirt.transports.ssh import SSHEndpoint
from pyvirt.transports.sshscript import classicScript, helperScript, netcatScript
from tests.daemonfixture import URI, World

SOCKETS = ("/run/x/libvirt-sock", "/run/x/libvirt-sock-ro")
_keys: dict[str, Key] = {}


def key(kind: str) -> Key:
    """A key that tests share."""
    if kind not in _keys:
        if kind == "rsa":
            made: Any = rsa.generate_private_key(65537, 2048)
        elif kind == "ecdsa":
            made = ec.generate_private_key(ec.SECP256R1())
        else:
            made = ed25519.Ed25519PrivateKey.generate()
        _keys[kind] = Key(made)
    return _keys[kind]


def public(one: Key) -> str:
    """A key as a line of a file."""
    text: str = one.public().toString("OPENSSH").decode()
    return text


def private(path: str, one: Key, passphrase: bytes | None = None) -> str:
    """Write a private key."""
    with open(path, "wb") as file:
        file.write(one.toString("OPENSSH", passphrase=passphrase))
    os.chmod(path, 0o600)
    return path


class AddressedPipe(Pipe):
    """A pipe whose ends have addresses."""

    def __init__(self, client: Any, server: Any) -> None:
        from pyvirt.testing import transport

        class Named(transport.MemoryTransport):
            def getPeer(self) -> Any:
                return IPv4Address("TCP", "192.0.2.1", 1)

        plain, transport.MemoryTransport = transport.MemoryTransport, Named
        try:
            super().__init__(client, server)
        finally:
            transport.MemoryTransport = plain


class Doors(World):
    """A daemon with an SSH door, and clients of it."""

    def __init__(self, case: SynchronousTestCase, lines: str | None = None, **limits: Any) -> None:
        super().__init__(**limits)
        self.folder = case.mktemp()
        os.makedirs(self.folder)
        self.authorized = os.path.join(self.folder, "keys")
        with open(self.authorized, "w") as file:
            file.write(f"{public(key('good'))}\n" if lines is None else lines)
        os.chmod(self.authorized, 0o600)
        self.factory = SSHDoorFactory(
            self.server, key("host"), AuthorizedKeys(self.authorized, "root"), SOCKETS
        )
        self.known = os.path.join(self.folder, "known")
        KnownHosts(self.known).add("host", 22, key("host").blob())
        self.pipes: list[Pipe] = []
        self.said: list[str] = []

    def connect(self, factory: Any) -> Deferred[Any]:
        """Stand where a TCP endpoint does."""
        client = factory.buildProtocol(None)
        self.pipes.append(AddressedPipe(client, self.factory.buildProtocol(None)))
        return succeed(client)

    def join(
        self, kind: str = "good", auth: Any = None, flags: int = 0, **parameters: str
    ) -> list[Any]:
        """Connect a client; return what comes of it, once that is."""
        if "keyfile" not in parameters:
            path = os.path.join(self.folder, kind)
            parameters["keyfile"] = private(path, key(kind))
        parameters.setdefault("known_hosts", self.known)
        address = Address(
            transport="ssh",
            host="host",
            user=parameters.pop("user", "root"),
            name="test:///default",
            readOnly=bool(flags & c.VIR_CONNECT_RO),
            parameters=parameters,
        )
        outcome: list[Any] = []
        try:
            endpoint = SSHEndpoint(self.clock, self, address, {"HOME": self.folder}, Asker(auth))
        except VirtError as problem:
            return [problem]
        endpoint.connect(Factory.forProtocol(lambda: RemoteProtocol(self.clock))).addBoth(
            outcome.append
        )
        return outcome

    def settle(self) -> None:
        """Let every handshake that has something to go on with have its turn."""
        self.clock.advance(0)
        while self.server.turns.waiting:
            self.clock.advance(0)

    def run(self) -> None:
        """Carry bytes and do what is due until nothing moves."""
        for _ in range(1000):
            moved = [pipe.deliver() for pipe in self.pipes]
            due = [
                each
                for each in self.clock.getDelayedCalls()
                if each.getTime() <= self.clock.seconds()
            ]
            self.clock.advance(0)
            if not any(moved) and not due:
                return
        raise AssertionError("no end of it")

    def open(self, protocol: Any) -> Any:
        """Open the fixture's URI on a connection."""
        connection = RemoteConnection(protocol, URI, secure=True, encrypted=True)
        target = Target(address=Address(transport="ssh"), name=URI)
        found: list[Any] = []
        context = OpenContext(reactor=self.clock)
        Deferred.fromCoroutine(openRemote(connection, target, context)).addBoth(found.append)
        self.run()
        return found[0] if found else None


class LoginTests(SynchronousTestCase):
    """Who comes in, and who does not."""

    def error(self, outcome: list[Any]) -> str:
        self.assertEqual(len(outcome), 1)
        found = outcome[0]
        return str(found if isinstance(found, VirtError) else found.value)

    def test_welcome(self) -> None:
        """
        A key of the file opens a session that knows user and key; keys of each kind do.
        """
        for kind in ("good", "rsa", "ecdsa"):
            world = Doors(self, f"# comment\n\n{public(key(kind))} somebody\n")
            outcome = world.join(kind)
            world.run()
            self.assertIsInstance(outcome[0], RemoteProtocol, outcome)
            connection = world.open(outcome[0])
            self.assertIsInstance(connection, RemoteConnection)
            (session,) = world.server.sessions
            digest = base64.b64encode(hashlib.sha256(key(kind).blob()).digest()).decode()
            self.assertEqual(session.identity.sshUser, "root")
            self.assertEqual(session.identity.sshKey, "SHA256:" + digest.rstrip("="))
            self.assertEqual(session.identity.transport, "ssh")
            self.assertEqual(session.identity.address, "192.0.2.1:1")
            self.assertFalse(session.readOnly)
            connection.close()
            world.run()
            self.assertEqual((len(world.server.sessions), len(world.server.arrivals)), (0, 0))
            self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_readOnly(self) -> None:
        """
        A line may allow looking only, and a client may ask for no more.
        """
        world = Doors(self, f"restrict,read-only {public(key('good'))}\n")
        world.join()
        world.run()
        self.assertEqual([each.readOnly for each in world.server.sessions], [True])
        world = Doors(self)
        for proxy in ("auto", "native", "netcat"):
            world.join(flags=c.VIR_CONNECT_RO, proxy=proxy)
        world.run()
        self.assertEqual([each.readOnly for each in world.server.sessions], [True] * 3)

    def test_refused(self) -> None:
        """
        A key that is not in the file, another user's, or out of its limits does not come in; the error says what
        was tried.
        """
        line = public(key("good"))
        for lines, user in (
            ("", "root"),
            (f"{public(key('rsa'))}\n", "root"),
            (f"{line}\n", "alice"),
            (f"{line}\n", "../root"),
            (f'user="alice" {line}\n', "root"),
            (f'from="10.0.0.0/8,!192.0.2.*" {line}\n', "root"),
            (f'expiry-time="20200101" {line}\n', "root"),
            (f'command="/bin/sh" {line}\n', "root"),
            (f"unknown-option {line}\n", "root"),
            (f'from="* {line}\n', "root"),
        ):
            world = Doors(self, lines)
            outcome = world.join(user=user)
            world.run()
            text = self.error(outcome)
            self.assertIn(f"does not let '{user}' in: it offers publickey; tried key", text)
            self.assertEqual((len(world.server.sessions), len(world.server.arrivals)), (0, 0))
            self.assertGreaterEqual(world.server.counters.unverified, 1)
        for lines, user in (
            (f'user="alice,bob" {line}\n', "bob"),
            (f'no-pty,from="192.0.2.0/24" {line}\n', "root"),
            (f'expiry-time="29990101" {line}\n', "root"),
        ):
            world = Doors(self, lines)
            world.join(user=user)
            world.run()
            self.assertEqual(len(world.server.sessions), 1, lines)

    def test_manyFailures(self) -> None:
        """
        Hundreds of keys that may not come in are counted and leave nothing behind; one that may comes in after them.
        """
        world = Doors(self, f"{public(key('good'))}\n")
        os.makedirs(os.path.join(world.folder, ".ssh"))
        for name, kind in (("id_ed25519", "other"), ("id_ecdsa", "ecdsa"), ("id_rsa", "rsa")):
            private(os.path.join(world.folder, ".ssh", name), key(kind))
        gc.collect()
        before = sum(isinstance(each, SSHDoor) for each in gc.get_objects())
        for _ in range(50):
            outcome = world.join(keyfile="")
            world.run()
            self.assertIn("does not let 'root' in", self.error(outcome))
            world.pipes.clear()
        # Each key, and that of RSA by both of its algorithms.
        self.assertEqual(world.server.counters.unverified, 200)
        self.assertEqual((len(world.server.sessions), len(world.server.arrivals)), (0, 0))
        self.assertEqual((world.server.anonymous, world.clock.getDelayedCalls()), (0, []))
        del outcome
        gc.collect()
        self.assertEqual(sum(isinstance(each, SSHDoor) for each in gc.get_objects()), before)
        outcome = world.join()
        world.run()
        self.assertIsInstance(outcome[0], RemoteProtocol)

    def test_attempts(self) -> None:
        """
        Nobody tries more than a few keys on one connection.
        """
        world = Doors(self, "")
        names = [os.path.join(world.folder, str(number)) for number in range(9)]
        for each in names:
            private(each, Key(ed25519.Ed25519PrivateKey.generate()))
        self.patch(ssh, "keyFiles", lambda given, home: names)
        outcome = world.join()
        world.run()
        self.assertIn("too many attempts", self.error(outcome))
        self.assertLessEqual(world.server.counters.unverified, 7)
        self.assertFalse(world.pipes[0].server.connected)

    def test_writableFile(self) -> None:
        """
        A file that others may write grants nothing.
        """
        world = Doors(self)
        os.chmod(world.authorized, 0o666)
        outcome = world.join()
        world.run()
        self.assertIn("does not let 'root' in", self.error(outcome))

    def test_perUser(self) -> None:
        """
        With %u in its name there is a file for each user.
        """
        folder = self.mktemp()
        os.makedirs(folder)
        with open(os.path.join(folder, "alice"), "w") as file:
            file.write(public(key("good")))
        keys = AuthorizedKeys(os.path.join(folder, "%u"), "root")
        blob = key("good").blob()
        self.assertIsNotNone(keys.find("alice", blob, ""))
        for user in ("root", "bob", "", ".", "../alice", "a/b", "x" * 100):
            self.assertIsNone(keys.find(user, blob, ""), user)

    def test_hostKeys(self) -> None:
        """
        A host that is not known is refused unless somebody says yes; one whose key has changed or was revoked
        always is.
        """
        asked: list[Any] = []

        def answer(credentials: Any, opaque: Any) -> int:
            asked.append(credentials[0][1])
            credentials[0][4] = opaque
            return 0

        world = Doors(self)
        new = os.path.join(world.folder, "new")
        outcome = world.join(known_hosts=new)
        world.run()
        self.assertIn(f"is not known in {new}: check it", self.error(outcome))
        kinds = [c.VIR_CRED_ECHOPROMPT]
        outcome = world.join(known_hosts=new, auth=[kinds, answer, "n"])
        world.run()
        self.assertIn("is not known", self.error(outcome))
        self.assertFalse(os.path.exists(new))
        outcome = world.join(known_hosts=new, auth=[kinds, answer, "y"])
        world.run()
        self.assertIsInstance(outcome[0], RemoteProtocol)
        self.assertEqual(len(asked), 2)
        self.assertIn("Accept SSH host key with hash 'SHA256:", asked[0])
        outcome = world.join(known_hosts=new)
        world.run()
        self.assertIsInstance(outcome[0], RemoteProtocol)
        auto = os.path.join(world.folder, "auto")
        for options in ({"known_hosts_verify": "auto"}, {"no_verify": "1"}):
            outcome = world.join(known_hosts=auto, **options)
            world.run()
            self.assertIsInstance(outcome[0], RemoteProtocol)
            os.unlink(auto)
        changed = os.path.join(world.folder, "changed")
        KnownHosts(changed).add("host", 22, key("other").blob())
        for how in ("normal", "auto"):
            outcome = world.join(known_hosts=changed, known_hosts_verify=how)
            world.run()
            self.assertIn(f"has changed ({changed}:1)", self.error(outcome))
        with open(changed, "w") as file:
            file.write(f"@revoked * {public(key('host'))}\n")
        outcome = world.join(known_hosts=changed, known_hosts_verify="auto")
        world.run()
        self.assertIn("was revoked", self.error(outcome))
        outcome = world.join(known_hosts=changed, known_hosts_verify="ignore")
        world.run()
        self.assertIsInstance(outcome[0], RemoteProtocol)

    def test_passphrase(self) -> None:
        """
        A key that is encrypted needs its passphrase, which is asked for.
        """
        world = Doors(self)
        path = private(os.path.join(world.folder, "locked"), key("good"), b"open sesame")

        def answer(credentials: Any, opaque: Any) -> int:
            self.assertIn(path, credentials[0][1])
            credentials[0][4] = opaque
            return 0

        for auth, problem in (
            (None, "its passphrase is not known"),
            ([[c.VIR_CRED_NOECHOPROMPT], answer, "wrong"], "its passphrase is wrong"),
            ([[c.VIR_CRED_NOECHOPROMPT], lambda credentials, opaque: -1, ""], "is not known"),
        ):
            outcome = world.join(keyfile=path, auth=auth)
            world.run()
            self.assertIn(problem, self.error(outcome))
        outcome = world.join(keyfile=path, auth=[[c.VIR_CRED_NOECHOPROMPT], answer, "open sesame"])
        world.run()
        self.assertIsInstance(outcome[0], RemoteProtocol)

    def test_parameters(self) -> None:
        """
        Parameters with unknown values are errors before anything is sent.
        """
        world = Doors(self)
        for said, problem in (
            ("agent,foo", "Invalid authentication method: 'foo'"),
            ("agent,Foo", "Invalid authentication method: 'Foo'"),
            ("agent,", "Invalid authentication method: ''"),
            ("", "SSH transport error: No authentication methods and credentials provided"),
        ):
            self.assertIn(problem, self.error(world.join(sshauth=said)))
        self.assertIn("'Xy'", self.error(world.join(known_hosts_verify="Xy")))
        self.assertEqual(world.pipes, [])
        outcome = world.join(sshauth="PassWord", known_hosts_verify="Ignore")
        world.run()
        self.assertIn("tried nothing", self.error(outcome))

    def test_wrongSocket(self) -> None:
        """
        A socket that is not the daemon's is refused, and the client hears so.
        """
        world = Doors(self)
        outcome = world.join(socket="/etc/passwd")
        world.run()
        error = world.open(outcome[0])
        self.assertIn("'/etc/passwd' is no socket of this daemon", str(error.value))

    def test_full(self) -> None:
        """
        A daemon that takes no more clients says so.
        """
        world = Doors(self, clients=1, anonymousClients=0)
        outcome = world.join()
        world.run()
        self.assertIsInstance(outcome[0], RemoteProtocol)
        self.assertIsNone(world.factory.buildProtocol(None))


class HandshakeTests(SynchronousTestCase):
    """What half of a handshake costs."""

    def test_cutEverywhere(self) -> None:
        """
        Whatever byte the connection breaks behind, nothing is left on either side, and the client has an error.
        """
        world = Doors(self)
        behind = 0
        while True:
            outcome = world.join()
            (pipe,) = world.pipes
            left = behind
            for _ in range(200):
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
            world.pipes.clear()
            self.assertEqual(len(outcome), 1, behind)
            if not isinstance(outcome[0], RemoteProtocol):
                outcome[0].trap(VirtError)
            self.assertEqual(
                (len(world.server.sessions), len(world.server.arrivals)), (0, 0), behind
            )
            world.clock.advance(0)
            self.assertEqual(world.clock.getDelayedCalls(), [], behind)
            if finished:
                break
            behind += 1
        self.assertGreater(behind, 2000)
        self.flushLoggedErrors()

    def test_halfOpenFlood(self) -> None:
        """
        Connections that go nowhere take the places of clients that have not authenticated, and lose them in time.
        """
        world = Doors(self, anonymousClients=3)
        pipes = [Pipe(Protocol(), world.factory.buildProtocol(None)) for _ in range(3)]
        self.assertIsNone(world.factory.buildProtocol(None))
        world.clock.advance(31)
        for pipe in pipes:
            pipe.deliver()
            self.assertFalse(pipe.server.connected)
        self.assertEqual(world.server.counters.unauthenticated, 3)
        outcome = world.join()
        world.run()
        self.assertIsInstance(outcome[0], RemoteProtocol)

    def test_garbage(self) -> None:
        """
        What is no SSH ends the connection.
        """
        for data in (b"GET / HTTP/1.0\r\n\r\n", b"\0" * 100_000, b"SSH-2.0-x\r\n" + b"\xff" * 64):
            world = Doors(self)
            pipe = Pipe(Protocol(), world.factory.buildProtocol(None))
            pipe.client.write(data)
            world.run()
            pipe.deliver()
            world.clock.advance(31)
            pipe.deliver()
            self.assertFalse(pipe.server.connected)
            self.assertEqual(len(world.server.arrivals), 0)
            self.flushLoggedErrors()

    def test_slowServer(self) -> None:
        """
        A server that says nothing is given up after 30 seconds.
        """
        world = Doors(self)
        world.factory.buildProtocol = lambda address: Protocol()  # type: ignore[method-assign]
        outcome = world.join()
        world.clock.advance(29)
        self.assertEqual(outcome, [])
        world.clock.advance(2)
        world.run()
        self.assertIn("did not finish the key exchange", str(outcome[0].value))


class HostileTests(SynchronousTestCase):
    """What a client that has logged in asks for in vain."""

    def setUp(self) -> None:
        self.world = Doors(self)
        self.outcome = self.world.join()
        self.world.run()
        (self.pipe,) = self.world.pipes
        self.client: Any = self.pipe.client.protocol
        self.connection = self.client.service

    def ask(self, kind: bytes, extra: bytes = b"") -> Any:
        """Open a channel; return it."""
        results: list[str] = []

        class Asking(SSHChannel):
            name = kind

            def channelOpen(self, data: bytes) -> None:
                results.append("open")

            def openFailed(self, reason: Any) -> None:
                results.append("refused")

        channel: Any = Asking(conn=self.connection)
        channel.results = results
        self.connection.openChannel(channel, extra)
        self.world.run()
        return channel

    def test_channels(self) -> None:
        """
        Forwarding of any kind and channels of any other type are refused.
        """
        before = self.world.server.counters.accepted
        for kind in (
            b"direct-tcpip",
            b"direct-streamlocal@openssh.com",
            b"x11",
            b"auth-agent@openssh.com",
            b"tun@openssh.com",
            b"forwarded-tcpip",
            b"",
            b"s" * 1000,
        ):
            extra = common.NS(b"localhost") + struct.pack(">L", 22) + common.NS(b"") + b"\0" * 4
            self.assertEqual(self.ask(kind, extra).results, ["refused"], kind)
        for request in (b"tcpip-forward", b"streamlocal-forward@openssh.com", b"x"):
            answer = self.connection.sendGlobalRequest(request, common.NS(b"") + b"\0" * 4, True)
            self.world.run()
            self.failureResultOf(answer)
        self.assertEqual(self.world.server.counters.accepted, before)
        self.assertTrue(self.pipe.server.connected)

    def test_requests(self) -> None:
        """
        Shells, terminals, subsystems and environments are refused, and so is every command but those of clients.
        """
        channel = self.ask(b"session")
        self.assertEqual(channel.results, ["open"])
        for request, data in (
            (b"shell", b""),
            (b"pty-req", common.NS(b"xterm") + b"\0" * 16 + common.NS(b"")),
            (b"subsystem", common.NS(b"sftp")),
            (b"env", common.NS(b"LD_PRELOAD") + common.NS(b"/x")),
            (b"x11-req", b"\0" * 20),
            (b"auth-agent-req@openssh.com", b""),
            (b"window-change", b"\0" * 16),
            (b"signal", common.NS(b"KILL")),
            (b"y" * 500, b""),
        ):
            answer = self.connection.sendRequest(channel, request, data, wantReply=1)
            self.world.run()
            self.failureResultOf(answer)
        for command in (b"id", b"sh -c 'virt-ssh-helper x; id'", b"", b"\xff", b"x" * 20_000):
            channel = self.ask(b"session")
            answer = self.connection.sendRequest(channel, b"exec", common.NS(command), wantReply=1)
            self.world.run()
            self.successResultOf(answer)
        self.assertEqual(len(self.world.server.sessions), 1)
        self.assertTrue(self.pipe.server.connected)

    def test_manyChannels(self) -> None:
        """
        A connection has ten channels at a time.
        """
        found = [self.ask(b"session").results[0] for _ in range(12)]
        self.assertEqual(found, ["open"] * 9 + ["refused"] * 3)

    def test_oversized(self) -> None:
        """
        Data beyond the window closes the channel; broken messages end the connection and nothing else.
        """
        (session,) = self.world.server.sessions
        way = next(iter(self.connection.channels.values()))
        way.conn.sendData(way, b"\0" * ((1 << 15) + 1))
        self.world.run()
        self.assertEqual(len(self.world.server.sessions), 0)
        del session
        world = Doors(self)
        for number, payload in (
            (94, struct.pack(">L", 99) + common.NS(b"x")),
            (94, b"\0"),
            (93, struct.pack(">2L", 7, 1)),
            (98, b""),
            (90, common.NS(b"session")),
            (80, b"\xff\xff\xff\xff"),
        ):
            outcome = world.join()
            world.run()
            self.assertIsInstance(outcome[0], RemoteProtocol)
            pipe = world.pipes.pop()
            client: Any = pipe.client.protocol
            client.sendPacket(number, payload)
            world.pipes.append(pipe)
            world.run()
            world.pipes.clear()
            self.assertFalse(pipe.server.connected, number)
            self.assertEqual((len(world.server.sessions), len(world.server.arrivals)), (0, 0))
        self.assertEqual(world.server.counters.broken, 6)

    def test_idle(self) -> None:
        """
        A connection whose channels are closed is an arrival again, and has to become more in time.
        """
        self.pipe.client.protocol.service.sendClose(next(iter(self.connection.channels.values())))
        other = self.pipe
        self.world.run()
        if other.server.connected:
            self.assertEqual(len(self.world.server.arrivals), 1)
            self.world.clock.advance(31)
            self.world.run()
        self.assertFalse(other.server.connected)
        self.assertEqual((len(self.world.server.sessions), len(self.world.server.arrivals)), (0, 0))

    def test_backPressure(self) -> None:
        """
        A session that reads no more lets its client send a window and not more.
        """
        (session,) = self.world.server.sessions
        session.stopReading()
        way = next(iter(self.connection.channels.values()))
        # A packet that never is complete, so that nothing else happens.
        way.write(struct.pack(">L", 30 << 20) + b"\0" * (3 << 20))
        self.world.run()
        self.assertGreater(len(way.buf), 1 << 20)
        session.startReading()
        self.world.run()
        self.assertEqual(len(way.buf), 0)


class CommandTests(SynchronousTestCase):
    """The commands of clients."""

    def test_understood(self) -> None:
        """
        The lines that libvirt's clients and ours send are understood, for each way and mode.
        """
        for readOnly in (False, True):
            for name in ("test:///default", "", "qemu:///system?x=it's", "a b"):
                for parameters in ({}, {"proxy": "native"}, {"proxy": "netcat"}, {"netcat": "n'c"}):
                    address = Address(
                        transport="ssh", name=name, readOnly=readOnly, parameters=parameters
                    )
                    for script in (
                        classicScript(address),
                        helperScript(address),
                        netcatScript(address),
                    ):
                        found = understand(script.encode(), SOCKETS)
                        self.assertEqual(found.readOnly, readOnly, script)
        for command, readOnly in (
            ("sh -c 'virt-ssh-helper 'test:///default''", False),
            ("sh -c 'virt-ssh-helper -r 'test:///default''", True),
            ("virt-ssh-helper -r qemu:///system", True),
            ("/usr/bin/pyvirt-ssh-helper qemu:///system", False),
            ("nc -U /run/x/libvirt-sock-ro", True),
            ("nc -U /run/libvirt/libvirt-sock", False),
        ):
            self.assertEqual(understand(command.encode(), SOCKETS).readOnly, readOnly, command)

    def test_refused(self) -> None:
        """
        Everything else is refused.
        """
        for command in (
            "",
            "id",
            "sh",
            "sh -c id",
            "sh -c 'virt-ssh-helper x; id'",
            "sh -c 'virt-ssh-helper $(id)'",
            "sh -c 'virt-ssh-helper `id`'",
            "virt-ssh-helper --verbose x",
            "virt-ssh-helper a b",
            "nc -U /etc/passwd",
            "nc -U /run/x/../x/libvirt-sock",
            "nc -l 22",
            "nc localhost 22",
            "scp -t /",
            "'",
            "internal-sftp",
        ):
            self.assertRaises(CommandRefused, understand, command.encode(), SOCKETS)


class FileTests(SynchronousTestCase):
    """Files of keys."""

    def test_hostKey(self) -> None:
        """
        The host's key is made when it is not there, for its owner alone, and stays the same.
        """
        path = os.path.join(self.mktemp(), "etc", "key")
        made = hostKey(path)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(hostKey(path).blob(), made.blob())
        os.chmod(path, 0o644)
        self.assertRaises(ListenError, hostKey, path)
        os.chmod(path, 0o600)
        for content in ("", "garbage", public(key("good"))):
            with open(path, "w") as file:
                file.write(content)
            self.assertRaises(ListenError, hostKey, path)

    def test_knownHosts(self) -> None:
        """
        Names are found plain, hashed, by pattern and with ports.
        """
        path = self.mktemp()
        one = public(key("good"))
        salt = os.urandom(20)
        digest = hmac.new(salt, b"hashed", hashlib.sha1).digest()
        hashed = f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"
        with open(path, "w") as file:
            file.write(
                f"# comment\nplain,192.0.2.1 {one}\n{hashed} {one}\n[ported]:17 {one}\n"
                f"*.example,!bad.example {one}\ngarbage\n|1|x {one}\n@cert-authority ca {one}\n"
            )
        hosts = KnownHosts(path)
        blob = key("good").blob()
        for host, port, verdict in (
            ("plain", 22, Known.GOOD),
            ("PLAIN", 22, Known.GOOD),
            ("192.0.2.1", 22, Known.GOOD),
            ("hashed", 22, Known.GOOD),
            ("ported", 17, Known.GOOD),
            ("a.example", 22, Known.GOOD),
            ("ported", 22, Known.UNKNOWN),
            ("plain", 17, Known.UNKNOWN),
            ("bad.example", 22, Known.UNKNOWN),
            ("ca", 22, Known.UNKNOWN),
            ("other", 22, Known.UNKNOWN),
        ):
            self.assertEqual(hosts.check(host, port, blob)[0], verdict, host)
        self.assertEqual(hosts.check("plain", 22, key("other").blob())[0], Known.CHANGED)
        self.assertEqual(hosts.check("plain", 22, key("rsa").blob())[0], Known.UNKNOWN)
        self.assertEqual(KnownHosts("/nonexistent").check("x", 22, blob)[0], Known.UNKNOWN)
