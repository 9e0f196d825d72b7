"""
The client's end of SSH, by Conch: check the host's key, log in, reach the daemon at the far end.

Which way the daemon is reached depends on what is there: a helper program, a forwarded UNIX socket or netcat are
tried in this order unless the URI's C{proxy} says otherwise.  What was sent before the far end said anything is
sent again on the next way, so that nobody above notices.
"""

from __future__ import annotations

import os
import pwd
import struct
from collections.abc import Mapping
from typing import Any

from twisted.conch.error import ConchError
from twisted.conch.ssh import common
from twisted.conch.ssh.transport import SSHClientTransport
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import ILogObserver, LogEvent, Logger
from twisted.python.failure import Failure
from zope.interface import implementer, provider

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.transports.asking import Asker
from pyvirt.transports.endpoints import Address, systemError
from pyvirt.transports.knownhosts import Known, KnownHosts
from pyvirt.transports.sshchannel import ChannelTransport, PacedConnection, StreamChannel
from pyvirt.transports.sshlogin import Login, LoginRefused, keyFiles, methodsOf
from pyvirt.transports.sshscript import helperScript, netcatScript, socketPath

__all__ = ["SSHEndpoint"]

log = Logger()

STEP_TIMEOUT = 30.0
"""Seconds that the server may take for the key exchange, and for opening a channel."""
_SAID = 4096
_RECORDED = 1 << 20
_NOT_FOUND = 127


@provider(ILogObserver)
def _silent(event: LogEvent) -> None:
    """Conch tells every step; what fails is told by the errors here."""


def _failed(text: str) -> VirtError:
    return virtError(ErrorCode.AUTH_FAILED, text, ErrorDomain.RPC)


def _truth(parameters: Mapping[str, str], name: str) -> bool:
    return parameters.get(name, "0") not in ("", "0")


@implementer(IStreamClientEndpoint)
class SSHEndpoint:
    """Connects by another endpoint, logs in there and reaches the daemon behind."""

    def __init__(
        self,
        reactor: Any,
        inner: IStreamClientEndpoint,
        address: Address,
        environment: Mapping[str, str],
        asker: Asker,
    ) -> None:
        """
        Check what the address says.

        @raise VirtError: it says what is not known.
        """
        self._reactor = reactor
        self._inner = inner
        self._address = address
        self._environment = environment
        parameters = address.parameters
        self._asker = Asker(None) if _truth(parameters, "no_tty") else asker
        self._methods = list(methodsOf(parameters.get("sshauth")))
        verify = parameters.get("known_hosts_verify", "normal")
        self._verify = verify.lower()
        if self._verify not in ("normal", "auto", "ignore"):
            raise virtError(
                ErrorCode.INVALID_ARG,
                f"Invalid host key verification method: '{verify}'",
                ErrorDomain.RPC,
            )
        if _truth(parameters, "no_verify") and self._verify == "normal":
            self._verify = "auto"
        self._home = environment.get("HOME") or os.path.expanduser("~")
        self._known = self._knownHosts()

    def _knownHosts(self) -> KnownHosts:
        given = self._address.parameters.get("known_hosts")
        if given:
            return KnownHosts(given)
        own = os.path.join(self._home, ".ssh", "known_hosts")
        if self._address.transport == "ssh":
            return KnownHosts(own, [f"{own}2", "/etc/ssh/ssh_known_hosts"])
        folder = self._environment.get("XDG_CONFIG_HOME") or os.path.join(self._home, ".config")
        # libvirt's own file for these; what the user's ssh knows already is known as well.
        return KnownHosts(os.path.join(folder, "libvirt", "known_hosts"), [own])

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; fires when the daemon is reached.  Fails with L{VirtError} that says at which step."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, protocolFactory: IProtocolFactory) -> IProtocol:
        address = self._address
        user = address.user or self._environment.get("USER") or _ownName()
        client = _Client(self._reactor, address, self._known, self._verify, self._asker)
        await self._inner.connect(Factory.forProtocol(lambda: client))
        try:
            await client.secure
            login = Login(
                self._reactor,
                user,
                address.host,
                self._methods,
                keyFiles(address.parameters.get("keyfile"), self._home),
                self._asker,
                self._environment,
            )
            client.logIn(login)
            try:
                await login.done
            except LoginRefused as problem:
                raise _failed(
                    f"{client.complaint() or problem}; give keyfile=FILE, start an SSH agent with a key"
                    " that the server knows, or answer when asked"
                ) from None
            connection = PacedConnection()
            connection._log = Logger(observer=_silent)
            client.setService(connection)
            far = _FarEnd(self._reactor, client, connection, address)
            await far.reach()
            protocol: Any = protocolFactory.buildProtocol(client.transport.getPeer())
            far.begin(protocol)
            return protocol  # type: ignore[no-any-return]
        except BaseException:
            client.abort()
            raise


def _ownName() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


class _Client(SSHClientTransport):
    """
    The SSH connection.

    @ivar secure: fires when keys are exchanged and the host's is taken.
    """

    supportedCompressions = [b"none"]
    _log = Logger(observer=_silent)
    transport: Any

    def __init__(
        self, reactor: Any, address: Address, known: KnownHosts, verify: str, asker: Asker
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._port = address.port or 22
        self._knownHosts = known
        self._verifyHow = verify
        self._asker = asker
        self._problem: VirtError | None = None
        self._said = ""
        self._alive = False
        self._timer: Any = None
        self._login: Login | None = None
        self.secure: Deferred[None] = Deferred()
        # SHA-1 signatures of hosts prove nothing; keys that are known come first, so that one of them is shown.
        kinds = {each.encode() for each in known.kinds(address.host, self._port)}
        if b"ssh-rsa" in kinds:
            kinds |= {b"rsa-sha2-512", b"rsa-sha2-256"}
        taken = [each for each in self.supportedPublicKeys if each not in (b"ssh-rsa", b"ssh-dss")]
        self.supportedPublicKeys = sorted(taken, key=lambda each: each not in kinds)

    def connectionMade(self) -> None:
        self._alive = True
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
        self._timer = self._reactor.callLater(STEP_TIMEOUT, self._late)
        super().connectionMade()

    def _late(self) -> None:
        self._timer = None
        step = "begin the login" if self.secure.called else "finish the key exchange"
        self._problem = systemError(
            f"the SSH server '{self._address.host}' did not {step} within"
            f" {STEP_TIMEOUT:.0f} seconds",
            110,
        )
        self.abort()

    def _untimed(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def complaint(self) -> str:
        """What the server said when it hung up."""
        return self._said

    def verifyHostKey(self, hostKey: bytes, fingerprint: bytes) -> Deferred[Any]:
        self._untimed()  # somebody may be asked
        return Deferred.fromCoroutine(self._checkHost(hostKey))

    async def _checkHost(self, blob: bytes) -> None:
        if self._verifyHow == "ignore":
            return
        host, port = self._address.host, self._port
        verdict, where = self._knownHosts.check(host, port, blob)
        if verdict == Known.GOOD:
            return
        shown = _fingerprint(blob)
        if verdict == Known.UNKNOWN:
            if self._verifyHow == "normal" and not await self._asker.confirm(
                f"Accept SSH host key with hash '{shown}' for host '{host}:{port}' (y/n)?", host
            ):
                self._problem = _failed(
                    f"SSH host key of '{host}:{port}' ({shown}) is not known in"
                    f" {self._knownHosts.path}: check it and say yes, add it by 'ssh-keyscan -p {port}"
                    f" {host} >> {self._knownHosts.path}', or give known_hosts_verify=auto"
                )
                raise self._problem
            try:
                self._knownHosts.add(host, port, blob)
            except OSError as problem:
                log.warn(
                    "cannot remember the SSH host key in {path}: {problem}",
                    path=self._knownHosts.path,
                    problem=problem.strerror,
                )
            return
        what = "has changed" if verdict == Known.CHANGED else "was revoked"
        self._problem = _failed(
            f"SSH host key of '{host}:{port}' {what} ({where}), it is {shown} now: somebody may be"
            " listening; if the host was really set up anew, remove that line"
        )
        raise self._problem

    def connectionSecure(self) -> None:
        self._untimed()
        if not self.secure.called:
            self.secure.callback(None)

    def logIn(self, login: Login) -> None:
        """Begin to log in; the server has to agree to that in time."""
        self._login = login
        if not self._alive:
            login.serviceStopped()
            return
        self._timer = self._reactor.callLater(STEP_TIMEOUT, self._late)
        self.requestService(login)

    def setService(self, service: Any) -> None:
        self._untimed()
        super().setService(service)

    def receiveError(self, reasonCode: int, description: bytes) -> None:
        self._said = description.decode(errors="replace").strip()

    def dataReceived(self, data: bytes) -> None:
        try:
            super().dataReceived(data)
        except Exception as problem:
            if self._problem is None:
                self._problem = systemError(
                    f"the SSH server '{self._address.host}' broke the protocol:"
                    f" {type(problem).__name__}: {problem}"
                )
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._untimed()
        if self._alive:
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure | None = connectionDone) -> None:
        self._alive = False
        self._untimed()
        super().connectionLost(reason)
        if self._login is not None:
            self._login.serviceStopped()
        if not self.secure.called:
            detail = self._said or "it hung up"
            self.secure.errback(
                self._problem
                or systemError(
                    f"SSH key exchange with '{self._address.host}:{self._port}' failed: {detail}"
                )
            )


def _fingerprint(blob: bytes) -> str:
    import base64
    import hashlib

    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


class _Way(StreamChannel):
    """
    A channel to the daemon.

    @ivar ready: fires when it is open and what it is for goes on; fails with C{ConchError}.
    @ivar status: with which the program ended, None: it has not.
    """

    _log = Logger(observer=_silent)

    def __init__(self, conn: Any, kind: bytes, script: str | None) -> None:
        super().__init__(conn=conn)
        self.name = kind
        self._script = script
        self.status: int | None = None
        self.said = b""
        self.ready: Deferred[None] = Deferred()

    def channelOpen(self, specificData: bytes) -> None:
        if self._script is None:
            self.ready.callback(None)
            return
        asked = self.conn.sendRequest(
            self, b"exec", common.NS(self._script.encode()), wantReply=True
        )
        asked.addCallbacks(lambda _: self._settle(None), self._settle)

    def _settle(self, result: Any) -> None:
        if not self.ready.called:
            if result is None:
                self.ready.callback(None)
            else:
                self.ready.errback(ConchError("the server starts no command"))

    def openFailed(self, reason: Any) -> None:
        text = getattr(reason, "value", reason)
        text = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
        self.ready.errback(ConchError(text or "the server opens no channel"))

    def request_exit_status(self, data: bytes) -> bool:
        (self.status,) = struct.unpack(">L", data[:4])
        return True

    def extReceived(self, dataType: int, data: bytes) -> None:
        self.said = (self.said + data)[-_SAID:]

    def eofReceived(self) -> None:
        """How the program ended comes next, then the channel's end."""

    def closed(self) -> None:
        self._settle(ConchError("the channel was closed"))
        super().closed()


class _FarEnd:
    """
    The stream to the daemon, whichever way it takes.

    It stands between the channel's transport and the protocol until the far end has said something.
    """

    def __init__(
        self, reactor: Any, client: _Client, connection: PacedConnection, address: Address
    ) -> None:
        self._reactor = reactor
        self._client = client
        self._connection = connection
        self._address = address
        self._problems: list[str] = []
        self._protocol: Any = None
        self._inner: Any = None
        self._way: Any = None
        self._producer: Any = None
        self._recorded: list[bytes] | None = []
        self._size = 0
        self._paused = False
        self._closing = False
        self._over = False
        proxy = address.parameters.get("proxy", "auto")
        socket = address.parameters.get("socket")
        if proxy == "netcat":
            self._ways = ["netcat"]
        elif proxy == "native":
            self._ways = ["helper"]
        elif socket:
            self._ways = ["socket", "netcat"]
        else:
            self._ways = ["helper", "socket", "netcat"]

    async def reach(self) -> None:
        """
        Open the first way that opens.

        @raise VirtError: none does.
        """
        while self._ways:
            name = self._ways.pop(0)
            extra = b""
            kind = b"session"
            script: str | None = None
            if name == "socket":
                kind = b"direct-streamlocal@openssh.com"
                extra = common.NS(socketPath(self._address).encode())
                extra += common.NS(b"") + struct.pack(">L", 0)
            else:
                script = (helperScript if name == "helper" else netcatScript)(self._address)
            way = _Way(self._connection, kind, script)
            self._connection.openChannel(way, extra)
            try:
                await way.ready.addTimeout(STEP_TIMEOUT, self._reactor)
            except (ConchError, TimeoutError, CancelledError) as problem:
                self._problems.append(f"{_CALLED[name]}: {_words(problem)}")
                continue
            self._way = way
            self._name = name
            self._inner = ChannelTransport(way, self, self._client.transport.getPeer())
            return
        raise systemError(
            f"logged in to '{self._address.host}', but the daemon there cannot be reached: "
            + self.complaint()
        )

    def begin(self, protocol: Any) -> None:
        """Put a protocol on it."""
        self._protocol = protocol
        protocol.makeConnection(self)
        self._way.deliverEarly()

    def complaint(self) -> str:
        """What the far end said, and the ways that were tried in vain."""
        said = self._way.said.decode(errors="replace").strip() if self._way is not None else ""
        return "; ".join([*self._problems, said] if said else self._problems)

    # From the channel's transport

    def dataReceived(self, data: bytes) -> None:
        """The far end speaks: this way it is."""
        self._recorded = None
        self._protocol.dataReceived(data)

    def connectionLost(self, reason: Failure) -> None:
        """The way has ended; take the next one if nothing was heard on it."""
        way = self._way
        if (
            self._recorded is not None
            and not self._closing
            and self._ways
            and self._client._alive
            and self._protocol is not None
            and way.status == _NOT_FOUND
        ):
            said = way.said.decode(errors="replace").strip()
            way.said = b""
            self._problems.append(f"{_CALLED[self._name]}: {said or 'not there'}")
            Deferred.fromCoroutine(self._again()).addErrback(
                lambda problem: self._end(Failure(ConnectionLost(str(problem.value))))
            )
            return
        good = self._closing or way.status in (None, 0)
        self._end(reason if good else Failure(ConnectionLost(self.complaint())))

    async def _again(self) -> None:
        await self.reach()
        self._way.flowing = not self._paused
        if self._producer is not None:
            self._inner.registerProducer(self._producer, True)
        for data in self._recorded or ():
            self._inner.write(data)
        self._way.deliverEarly()
        if self._closing:
            self._inner.loseConnection()

    def _end(self, reason: Failure) -> None:
        if not self._over:
            self._over = True
            if self._client._alive:
                self._client.loseConnection()
            protocol, self._protocol = self._protocol, None
            if protocol is not None:
                protocol.connectionLost(reason)

    # ITransport

    @property
    def disconnecting(self) -> bool:
        """Whether it is being closed."""
        return self._closing

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self._recorded is not None:
            self._size += len(data)
            if self._size > _RECORDED:
                self._recorded = None
            else:
                self._recorded.append(data)
        self._inner.write(data)

    def writeSequence(self, data: Any) -> None:
        """Send bytes."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close when all is sent."""
        self._closing = True
        self._inner.loseConnection()

    def abortConnection(self) -> None:
        """Close at once."""
        self._closing = True
        self._client.abort()

    def getPeer(self) -> IAddress:
        """Return the server's address."""
        peer: IAddress = self._client.transport.getPeer()
        return peer

    def getHost(self) -> IAddress:
        """Return this end's address."""
        host: IAddress = self._client.transport.getHost()
        return host

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Remember who writes."""
        self._producer = producer
        self._inner.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Forget who writes."""
        self._producer = None
        self._inner.unregisterProducer()

    def pauseProducing(self) -> None:
        """Take no more."""
        self._paused = True
        self._inner.pauseProducing()

    def resumeProducing(self) -> None:
        """Take more."""
        self._paused = False
        self._inner.resumeProducing()

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()


_CALLED = {
    "helper": "virt-ssh-helper or pyvirt-ssh-helper",
    "socket": "forwarding of the daemon's socket",
    "netcat": "netcat",
}


def _words(problem: BaseException) -> str:
    if isinstance(problem, (TimeoutError, CancelledError)):
        return "no answer"
    first = problem.args[0] if problem.args else ""
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)
