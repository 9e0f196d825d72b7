"""
How a connection to a daemon comes about: the same calls in the same order as libvirt's own client.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from zope.interface import implementer

from pyvirt.constants import VIR_CONNECT_NO_ALIASES
from pyvirt.drivers.interfaces.driver import IConnection, IDriverFactory, OpenContext
from pyvirt.drivers.remote.connection import FEATURE_EVENT_CALLBACKS, RemoteConnection
from pyvirt.drivers.remote.login import logIn
from pyvirt.drivers.remote.protocol import RemoteProtocol
from pyvirt.drivers.remote.target import Target, findTarget
from pyvirt.protocols.programs import REMOTE
from pyvirt.transports.endpoints import clientEndpoint
from pyvirt.uri import URI

__all__ = ["RemoteFactory", "openRemote"]

FEATURE_KEEPALIVE = 10
FEATURE_CLOSE_CALLBACK = 15

_SECURE = frozenset(("unix", "tls", "ssh", "libssh", "libssh2"))
_ENCRYPTED = frozenset(("tls", "ssh", "libssh", "libssh2"))


@implementer(IDriverFactory)
class RemoteFactory:
    """
    Opens what no local driver takes.

    @ivar name: what the driver is called.
    @ivar local: False: asked last.
    """

    name = "remote"
    local = False

    def __init__(
        self, environment: Mapping[str, str] | None = None, userID: int | None = None
    ) -> None:
        """
        @param environment: of the process; None: the real one.
        @param userID: who we are; None: the process's effective user.
        """
        self._environment = environment
        self._userID = userID

    def accepts(self, uri: URI | None) -> bool:
        """Whether there is a driver name, or no URI at all: then the daemon chooses."""
        return uri is None or bool(uri.scheme)

    def open(self, uri: URI | None, context: OpenContext) -> Deferred[IConnection]:
        """Connect to the daemon that C{uri} names, and open the rest of it there."""
        return Deferred.fromCoroutine(self._open(uri, context))

    async def _open(self, uri: URI | None, context: OpenContext) -> IConnection:
        environment = os.environ if self._environment is None else self._environment
        userID = os.geteuid() if self._userID is None else self._userID
        target = findTarget(uri, context.flags, environment, userID)
        endpoint = clientEndpoint(
            context.reactor, target.address, environment, userID, context.auth
        )
        protocol: Any = await endpoint.connect(_factory(context))
        transport = target.address.transport
        connection = RemoteConnection(
            protocol,
            "" if uri is None else uri.text or str(uri),
            secure=transport in _SECURE,
            encrypted=transport in _ENCRYPTED,
        )
        return await openRemote(connection, target, context, environment, userID)


def _factory(context: OpenContext) -> IProtocolFactory:
    factory: IProtocolFactory = Factory.forProtocol(lambda: RemoteProtocol(context.clock))
    return factory


async def openRemote(
    connection: RemoteConnection,
    target: Target,
    context: OpenContext,
    environment: Mapping[str, str] | None = None,
    userID: int | None = None,
) -> RemoteConnection:
    """
    Log in to a daemon and open C{target} there; the socket is closed if that fails.

    @param environment: of the process; None: the real one.
    @param userID: who we are; None: the process's effective user.

    @raise VirtError: as the daemon answers.
    """
    protocol = connection.protocol
    call = REMOTE.byName
    try:
        await logIn(
            protocol,
            target,
            context,
            os.environ if environment is None else environment,
            os.geteuid() if userID is None else userID,
        )
        connection.keepalive = bool(
            await protocol.call(REMOTE, call["connectSupportsFeature"], (FEATURE_KEEPALIVE,))
        )
        flags = context.flags & ~VIR_CONNECT_NO_ALIASES
        await protocol.call(REMOTE, call["connectOpen"], (target.name, flags))
        if not connection.uri:
            connection.uri = await protocol.call(REMOTE, call["connectGetURI"], ())
        for feature in (FEATURE_EVENT_CALLBACKS, FEATURE_CLOSE_CALLBACK):
            if await protocol.call(REMOTE, call["connectSupportsFeature"], (feature,)):
                connection.features.add(feature)
    except BaseException:
        protocol.close()
        raise
    return connection
