"""
The TLS door: a client comes in once the handshake is over and its certificate is good.

Until then it is no session: it counts as a client that has not authenticated, and has a deadline.  Then it
gets the byte that says so, and a session takes the door's place.  The reason of a refusal is for the log; the
client is not told, as with libvirtd.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import attrs
from twisted.internet.interfaces import IAddress, IDelayedCall, IHandshakeListener
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pyvirt.daemon.config import Config
from pyvirt.daemon.identity import Identity
from pyvirt.daemon.server import Server, SessionFactory
from pyvirt.folders import under
from pyvirt.tls.credentials import Credentials
from pyvirt.tls.places import Places, serverPlaces
from pyvirt.tls.reasons import failureText
from pyvirt.transports.tlsconnection import serverFactory

__all__ = ["ServerKeys", "homeOf", "tlsFactory"]

log = Logger()

_VERDICT = b"\x01"


class ServerKeys:
    """
    The daemon's certificates, which can be read again.

    @ivar credentials: those that new connections use.
    """

    def __init__(self, config: Config, *, root: str = "/", home: str | None = None) -> None:
        """
        Read them.

        @param home: of the user whose own daemon this is, None: it is the system's.
        @raise VirtError: they cannot be used.
        """
        self._config = config
        self._root = root
        self._home = home
        self.credentials = self._load()

    def _places(self) -> Places:
        config = self._config
        if config.caFile is None and config.certFile is None and config.keyFile is None:
            places = serverPlaces(home=self._home, root=self._root)
        else:
            for key, value in (
                ("ca_file", config.caFile),
                ("cert_file", config.certFile),
                ("key_file", config.keyFile),
            ):
                if value is None:
                    config.refuse(
                        key,
                        f"ca_file, cert_file and key_file belong together: {key} is not set",
                    )
            places = Places(
                authority=under(self._root, str(config.caFile)),
                certificate=under(self._root, str(config.certFile)),
                key=under(self._root, str(config.keyFile)),
            )
        if config.crlFile is not None:
            # One that is not there would be no protection, so it has to be.
            places = attrs.evolve(places, revocations=under(self._root, config.crlFile))
        return places

    def _load(self) -> Credentials:
        config = self._config
        credentials = Credentials(
            self._places(),
            "server",
            priority=config.tlsPriority,
            sanity=not config.tlsNoSanityCertificate,
            verify=not config.tlsNoVerifyCertificate,
            allowed=config.tlsAllowedDNList,
        )
        for remark in credentials.remarks:
            log.warn("{remark}", remark=remark)
        return credentials

    def reload(self) -> None:
        """
        Read the files again; connections that are open stay as they are.

        @raise VirtError: they cannot be used; what was read before stays in use.
        """
        self.adopt(self.prepare())

    def prepare(self) -> Credentials:
        """
        Read the files again, and change nothing yet.

        @raise VirtError: they cannot be used.
        """
        return self._load()

    def adopt(self, credentials: Credentials) -> None:
        """Use what L{prepare} has read, for new connections."""
        self.credentials = credentials
        log.info("the TLS certificates were read again")


def tlsFactory(server: Server, keys: ServerKeys, *, auth: str, readOnly: bool = False) -> Any:
    """
    Make the factory of a TLS listener.

    @param auth: how clients have to authenticate besides their certificate.
    """
    sessions = SessionFactory(server, auth=auth, readOnly=readOnly)
    return serverFactory(
        lambda: keys.credentials, TLSDoorFactory(sessions), server.clock, server.turns
    )


class TLSDoorFactory(Factory):
    """Makes the doors of one listener."""

    noisy = False

    def __init__(self, sessions: SessionFactory) -> None:
        self.sessions = sessions

    def buildProtocol(self, addr: IAddress | None) -> TLSDoor | None:
        server = self.sessions.server
        if not server.mayArrive():
            return None
        return TLSDoor(self.sessions)


@implementer(IHandshakeListener)
class TLSDoor(Protocol):
    """What stands behind TLS until the handshake is over."""

    transport: Any

    def __init__(self, sessions: SessionFactory) -> None:
        self.sessions = sessions
        self.server = sessions.server
        self.identity = Identity(transport="tls")
        self._deadline: IDelayedCall | None = None
        self._done = False

    def connectionMade(self) -> None:
        self.identity = attrs.evolve(Identity.of(self.transport), transport="tls")
        self.server.arrived(self)
        self._deadline = self.server.clock.callLater(
            self.server.limits.handshakeDeadline, self._expired
        )

    def _expired(self) -> None:
        self._deadline = None
        if not self._done:
            log.warn("{who} did not finish the TLS handshake in time, dropping it", who=self.who)
            self.server.counters.unauthenticated += 1
        self._done = True
        self.transport.abortConnection()

    @property
    def who(self) -> str:
        """The client, for logs."""
        return self.identity.describe()

    def abort(self) -> None:
        """Close at once: the daemon stops."""
        self._done = True
        self.transport.abortConnection()

    def handshakeCompleted(self) -> None:
        if self._done:
            return
        handle = self.transport.getHandle()
        verdict = self.transport.credentials.verify(handle)
        for remark in verdict.remarks:
            log.warn("{who}: {remark}", who=self.who, remark=remark)
        self._done = True
        if verdict.reason is not None:
            log.warn(
                "{who}: Certificate check failed: {reason} (its name: {name!r})",
                who=self.who,
                reason=verdict.reason,
                name=verdict.name,
            )
            self.server.counters.unverified += 1
            # Without taking leave, as libvirtd does: its clients then say that reading the verdict failed.
            self.transport.hangUp()
            return
        self._cancel()
        self.server.letIn(self)
        session = self.sessions.buildProtocol(None)
        if session is None:
            self.transport.abortConnection()
            return
        transport = self.transport
        transport.write(_VERDICT)
        transport.wrappedProtocol = session
        session.makeConnection(transport)
        session.identity = attrs.evolve(
            session.identity, transport="tls", x509Name=verdict.name, strength=transport.strength
        )

    def dataReceived(self, data: bytes) -> None:
        """Nothing more is taken from who is refused."""

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._cancel()
        self.server.left(self)
        if not self._done:
            self._done = True
            log.info(
                "{who}: TLS handshake failed: {reason}", who=self.who, reason=failureText(reason)
            )
            self.server.counters.broken += 1


def homeOf(environment: Mapping[str, str]) -> str:
    """Return in whose home the certificates of a user's own daemon may lie."""
    return environment.get("HOME") or os.path.expanduser("~")
