"""
The SSH door: public keys from a file, connections to the daemon, and nothing else.

A connection counts as a client that has not authenticated until it asks for its first connection to the daemon,
and has a deadline for that.  There is no shell, terminal, subsystem, forwarding or environment to be had, no
password to be guessed and no compression; whatever else goes wrong below ends the connection.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import struct
from functools import partial
from typing import Any

import attrs
from cryptography.hazmat.primitives.asymmetric import ed25519
from twisted.conch.ssh import common
from twisted.conch.ssh.connection import MSG_CHANNEL_OPEN_CONFIRMATION, MSG_CHANNEL_OPEN_FAILURE
from twisted.conch.ssh.keys import BadKeyError, EncryptedKeyError, Key
from twisted.conch.ssh.service import SSHService
from twisted.conch.ssh.transport import SSHServerTransport
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import provider

from pyvirt.daemon.authorizedkeys import AuthorizedKeys, Grant
from pyvirt.daemon.identity import Identity
from pyvirt.daemon.server import Server, SessionFactory
from pyvirt.daemon.sshcommands import CommandRefused, understand
from pyvirt.tls.issuing import writeFile
from pyvirt.transports.listeners import ListenError
from pyvirt.transports.sshchannel import ChannelTransport, PacedConnection, StreamChannel
from pyvirt.transports.turns import HandshakeInput

__all__ = ["SSHDoor", "SSHDoorFactory", "hostKey"]

log = Logger()

_PROHIBITED = 1
_UNKNOWN_KIND = 3
_CHANNELS = 10
"""Channels that one connection may have at a time."""
_ATTEMPTS = 6
_NO_MORE = 14
_ASKED = object()
MSG_USERAUTH_REQUEST = 50
MSG_USERAUTH_FAILURE = 51
MSG_USERAUTH_SUCCESS = 52
MSG_USERAUTH_PK_OK = 60
_SIGNATURES = (
    b"ssh-ed25519",
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
    b"rsa-sha2-512",
    b"rsa-sha2-256",
    b"sk-ssh-ed25519@openssh.com",
    b"sk-ecdsa-sha2-nistp256@openssh.com",
)
_EXCHANGES = (b"curve25519", b"ecdh-", b"mlkem768x25519")


def hostKey(path: str) -> Key:
    """
    Read the host's key; without one make it.

    @raise ListenError: it cannot be used.
    """
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(1 << 20)
    except FileNotFoundError:
        made = Key(ed25519.Ed25519PrivateKey.generate())
        try:
            writeFile(path, made.toString("OPENSSH"), private=True)
        except OSError as problem:
            raise ListenError(f"cannot write SSH host key '{path}': {problem.strerror}") from None
        log.info("made SSH host key {path}: {key}", path=path, key=_fingerprint(made.blob()))
        return made
    except OSError as problem:
        raise ListenError(f"cannot read SSH host key '{path}': {problem.strerror}") from None
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ListenError(f"SSH host key '{path}' is readable for others: chmod 600 it")
    try:
        key: Key = Key.fromString(content)
        if key.isPublic():
            raise BadKeyError("it is a public key")
    except (BadKeyError, EncryptedKeyError, ValueError) as problem:
        raise ListenError(f"cannot use SSH host key '{path}': {problem}") from None
    return key


def _fingerprint(blob: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


@provider(ILogObserver)
def _important(event: LogEvent) -> None:
    """Pass on what Conch finds important; it tells much else about each connection."""
    if event["log_level"] >= LogLevel.warn:
        globalLogPublisher(event)


class _UserAuth(SSHService):
    """
    The authentication service: public keys, nothing else.

    Conch's own has passwords, portals and a global reactor, none of which is wanted.
    """

    name = b"ssh-userauth"
    protocolMessages = {
        value: key for key, value in globals().items() if key.startswith("MSG_USERAUTH_")
    }
    _log = Logger(observer=_important)
    transport: Any
    _attempts = 0

    def ssh_USERAUTH_REQUEST(self, packet: bytes) -> None:
        user, service, method, rest = common.getNS(packet, 3)
        if service != _Connection.name:
            raise ValueError(f"service {service[:80]!r} is not known")
        door: SSHDoor = self.transport
        if method == b"publickey":
            found = self._check(user, rest, service)
            if found is _ASKED:
                return
            if found is not None:
                door.loggedIn(*found)
                self.transport.sendPacket(MSG_USERAUTH_SUCCESS, b"")
                self.transport.setService(_Connection())
                return
        # Asking what there is costs an attempt as well, but for the first time.
        self._attempts += 1
        if self._attempts > _ATTEMPTS:
            log.warn("{who}: too many attempts to log in by SSH", who=door.who)
            self.transport.sendDisconnect(_NO_MORE, b"too many attempts to log in")
            return
        self.transport.sendPacket(MSG_USERAUTH_FAILURE, common.NS(b"publickey") + b"\x00")

    def _check(self, user: bytes, packet: bytes, service: bytes) -> Any:
        """Return user, fingerprint and grant; None: refused; C{_ASKED}: it only asked for a key."""
        door: SSHDoor = self.transport
        signed = packet[:1] == b"\x01"
        algorithm, blob, rest = common.getNS(packet[1:], 2)
        shown = _fingerprint(blob)
        name = user.decode(errors="replace")
        grant = door.factory.authorized.find(name, blob, door.address)
        if grant is None or algorithm not in _SIGNATURES:
            log.warn(
                "{who}: key {key} may not log in as {user!r}",
                who=door.who,
                key=shown,
                user=name[:80],
            )
            door.server.counters.unverified += 1
            return None
        if not signed:
            self.transport.sendPacket(MSG_USERAUTH_PK_OK, common.NS(algorithm) + common.NS(blob))
            return _ASKED
        signature, _ = common.getNS(rest)
        said = common.NS(self.transport.sessionID) + bytes([MSG_USERAUTH_REQUEST])
        said += common.NS(user) + common.NS(service) + common.NS(b"publickey") + b"\x01"
        said += common.NS(algorithm) + common.NS(blob)
        if not _verified(blob, algorithm, signature, said):
            log.warn("{who}: the signature by {key} is wrong", who=door.who, key=shown)
            door.server.counters.unverified += 1
            return None
        return name, shown, grant


def _verified(blob: bytes, algorithm: bytes, signature: bytes, said: bytes) -> bool:
    try:
        key = Key.fromString(blob)
        if common.getNS(signature)[0] != algorithm:
            return False
        if key.isSecurityKey():
            # What the device signed: the application, flags and a counter from the signature, and all of it.
            trailing = common.getNS(signature, 2)[2]
            if len(trailing) < 5 or not trailing[0] & 1:
                return False
            application = hashlib.sha256(key.application).digest()
            said = application + trailing[:5] + hashlib.sha256(said).digest()
        return bool(key.verify(signature, said))
    except (BadKeyError, ValueError, struct.error, IndexError):
        return False


class _Connection(PacedConnection):
    """The channels of a connection."""

    _log = Logger(observer=_important)
    transport: Any

    def ssh_CHANNEL_OPEN(self, packet: bytes) -> None:
        kind, rest = common.getNS(packet)
        sender, window, largest = struct.unpack(">3L", rest[:12])
        door: SSHDoor = self.transport
        problem = None
        if kind != b"session":
            problem = _PROHIBITED, b"this daemon gives connections to itself and nothing else"
            door.refuse(f"a channel of type {kind[:80]!r}")
        elif len(self.channels) >= _CHANNELS:
            problem = _PROHIBITED, b"too many channels"
        elif not largest >= 1024:
            problem = _UNKNOWN_KIND, b"packets are too small"
        if problem is not None:
            self.transport.sendPacket(
                MSG_CHANNEL_OPEN_FAILURE,
                struct.pack(">2L", sender, problem[0]) + common.NS(problem[1]) + common.NS(b""),
            )
            return
        channel = _Channel(
            remoteWindow=window, remoteMaxPacket=min(largest, 1 << 20), conn=self, avatar=None
        )
        number = channel.id = self.localChannelID
        self.localChannelID += 1
        self.channels[number] = channel
        self.channelsToRemoteChannel[channel] = sender
        self.localToRemoteChannel[number] = sender
        self.transport.sendPacket(
            MSG_CHANNEL_OPEN_CONFIRMATION,
            struct.pack(">4L", sender, number, channel.localWindowSize, channel.localMaxPacket),
        )

    def channelClosed(self, channel: Any) -> None:
        super().channelClosed(channel)
        if not self.channels:
            self.transport.idle()


class _Channel(StreamChannel):
    """A session channel: it takes one command that asks for the daemon."""

    name = b"session"
    asked = False
    _log = Logger(observer=_important)

    def requestReceived(self, requestType: bytes, data: bytes) -> bool:
        door: SSHDoor = self.conn.transport
        if requestType != b"exec":
            if requestType not in (b"env", b"eow@openssh.com", b"auth-agent-req@openssh.com"):
                door.refuse(f"a channel request {requestType[:80]!r}")
            return False
        if self.asked:
            return False
        self.asked = True
        command, _ = common.getNS(data)
        try:
            wanted = understand(command, door.factory.sockets)
        except CommandRefused as problem:
            door.refuse(f"the command {command[:200]!r}")
            self._explain(str(problem), 127)
            return True
        door.server.clock.callLater(0, self._begin, wanted.readOnly)
        return True

    def _explain(self, text: str, status: int) -> None:
        """Tell why not, where a command would have: behind the answer to the request."""
        self.conn.transport.server.clock.callLater(0, self._end, text, status)

    def _end(self, text: str, status: int) -> None:
        if not self.localClosed and self.id in self.conn.channels:
            self.writeExtended(1, f"pyvirt: {text}\r\n".encode())
            self.conn.sendRequest(self, b"exit-status", struct.pack(">L", status))
            self.loseConnection()

    def _begin(self, readOnly: bool) -> None:
        door: SSHDoor = self.conn.transport
        if self.localClosed or self.id not in self.conn.channels or not door.alive:
            return
        session = door.enter(readOnly)
        if session is None:
            self._end("too many clients are connected, try again later", 1)
            return
        transport = ChannelTransport(self, session, door.transport.getPeer())
        session.makeConnection(transport)
        session.identity = attrs.evolve(
            session.identity,
            transport="ssh",
            address=door.identity.address,
            strength=door.strength,
            sshUser=door.user,
            sshKey=door.key,
        )
        self.deliverEarly()


class SSHDoor(SSHServerTransport):
    """
    A connection.

    @ivar user: who has logged in, with C{key}.
    @ivar alive: whether the connection is there.
    """

    supportedCompressions = [b"none"]
    supportedKeyExchanges = [
        each for each in SSHServerTransport.supportedKeyExchanges if each.startswith(_EXCHANGES)
    ]
    _log = Logger(observer=_important)
    factory: Any
    transport: Any
    strength = 128
    alive = False

    def __init__(self, factory: SSHDoorFactory) -> None:
        self.factory = factory
        self.server: Server = factory.server
        self.identity = Identity(transport="ssh")
        self.grant: Grant | None = None
        self.user: str | None = None
        self.key: str | None = None
        self._inside = False
        self._input: HandshakeInput | None = None
        self._deadline: IDelayedCall | None = None

    @property
    def who(self) -> str:
        """The client, for logs."""
        return self.identity.describe()

    @property
    def address(self) -> str:
        """Where it comes from."""
        return str(getattr(self.transport.getPeer(), "host", ""))

    def connectionMade(self) -> None:
        self.identity = attrs.evolve(Identity.of(self.transport), transport="ssh")
        self.alive = True
        self._input = HandshakeInput(self.server.turns, self.transport, self._take)
        self.idle()
        super().connectionMade()

    def idle(self) -> None:
        """No connection to the daemon goes through: it is an arrival, and has to become more in time."""
        self._inside = False
        if self.alive and self._deadline is None:
            self.server.arrived(self)
            self._deadline = self.server.clock.callLater(
                self.server.limits.handshakeDeadline, self._expired
            )

    def _expired(self) -> None:
        self._deadline = None
        step = "ask for a connection" if self.user else "log in by SSH"
        log.warn("{who} did not {step} in time, dropping it", who=self.who, step=step)
        self.server.counters.unauthenticated += 1
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        self.transport.abortConnection()

    def refuse(self, what: str) -> None:
        """Log something that is not to be had."""
        log.warn("{who} asks for {what}, which is refused", who=self.who, what=what)
        self.server.counters.unverified += 1

    def loggedIn(self, user: str, key: str, grant: Grant) -> None:
        """A key has been accepted."""
        self.user, self.key, self.grant = user, key, grant
        self.identity = attrs.evolve(self.identity, sshUser=user, sshKey=key)

    def enter(self, readOnly: bool) -> Any:
        """Make the session of a channel; None: there is no room."""
        if not self._inside:
            self.server.letIn(self)
        grant = self.grant
        readOnly = readOnly or grant is None or grant.readOnly
        session = self.factory.sessions[readOnly].buildProtocol(None)
        if session is None:
            if not self._inside:
                self.server.arrived(self)
            return None
        self._inside = True
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        return session

    def receiveError(self, reasonCode: int, description: bytes) -> None:
        """The client takes leave; the connection ends next."""

    def sendExtInfo(self, extensions: list[tuple[bytes, bytes]]) -> None:
        """Say which signatures of users are taken; Conch lists those of the host."""
        super().sendExtInfo([(b"server-sig-algs", b",".join(_SIGNATURES))])

    def dataReceived(self, data: bytes) -> None:
        """Go on with the handshake in its turn; once a connection to the daemon is open, at once."""
        waiting = self._input
        if waiting is not None:
            if waiting.isWaiting or not self._inside:
                waiting.received(data)
                return
            self._input = None
        self._take(data)

    def _take(self, data: bytes) -> None:
        try:
            super().dataReceived(data)
        except Exception as problem:
            log.warn(
                "{who} broke the SSH protocol: {kind}: {problem}",
                who=self.who,
                kind=type(problem).__name__,
                problem=str(problem)[:200],
            )
            self.server.counters.broken += 1
            self.abort()

    def connectionLost(self, reason: Failure | None = connectionDone) -> None:
        self.alive = False
        waiting, self._input = self._input, None
        if waiting is None or self._inside:
            self._left(reason)
        else:
            waiting.lost(partial(self._left, reason))

    def _left(self, reason: Failure | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if not self._inside and self.user is None:
            log.info("{who}: left before the SSH login was done", who=self.who)
        super().connectionLost(reason)
        self.server.left(self)


class SSHDoorFactory(Factory):
    """
    Makes the doors of one listener.

    @ivar sessions: makes sessions, by whether they are read-only.
    @ivar sockets: the daemon's own, which clients may name.
    """

    noisy = False

    def __init__(
        self,
        server: Server,
        key: Key,
        authorized: AuthorizedKeys,
        sockets: tuple[str, str | None],
    ) -> None:
        self.server = server
        self.authorized = authorized
        self.sockets = sockets
        self.sessions = {
            each: SessionFactory(server, auth="none", readOnly=each) for each in (False, True)
        }
        self.publicKeys = {key.sshType(): key.public()}
        self.privateKeys = {key.sshType(): key}

    def getService(self, transport: SSHDoor, name: bytes) -> Any:
        """Return the service that a client asks for: to log in, as long as it has not."""
        return _UserAuth if name == _UserAuth.name and transport.user is None else None

    def buildProtocol(self, addr: IAddress | None) -> Any:
        if not self.server.mayArrive():
            return None
        door = SSHDoor(self)
        door.supportedPublicKeys = [
            algorithm
            for key in self.privateKeys.values()
            for algorithm in key.supportedSignatureAlgorithms()
        ]
        return door
