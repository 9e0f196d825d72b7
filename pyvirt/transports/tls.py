"""
The client's end of TLS: connect, shake hands, decide about the server, wait for its verdict about us.

Behind the handshake a libvirt daemon sends one byte, encrypted: 1, we may go on.  One that does not want us
closes instead.
"""

from __future__ import annotations

import errno
import ipaddress
import os
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.tls.checks import systemError
from pyvirt.tls.credentials import Credentials, handshakeFailed
from pyvirt.tls.places import clientPlaces
from pyvirt.tls.reasons import failureText
from pyvirt.transports.tlsconnection import clientFactory

__all__ = ["TLSEndpoint", "clientCredentials", "shakeHands"]

HANDSHAKE_TIMEOUT = 30.0
"""Seconds that the server may take from the connection to its verdict."""

_VERDICT = b"\x01"

log = Logger()


def _flag(parameters: Mapping[str, str], name: str) -> bool:
    """Read a parameter that is a number, 0 or not."""
    text = parameters.get(name, "0")
    try:
        return int(text) != 0
    except ValueError:
        raise virtError(
            ErrorCode.INVALID_ARG,
            f"Failed to parse value of URI component {name}",
            ErrorDomain.REMOTE,
        ) from None


def clientCredentials(
    parameters: Mapping[str, str], environment: Mapping[str, str], userID: int
) -> Credentials:
    """
    Read the certificates that a URI's parameters lead to: C{pkipath}, C{no_verify}, C{no_sanity},
    C{tls_priority}.

    @raise VirtError: they cannot be used.
    """
    home = environment.get("HOME") or os.path.expanduser("~") if userID else None
    credentials = Credentials(
        clientPlaces(parameters.get("pkipath"), home=home),
        "client",
        priority=parameters.get("tls_priority"),
        sanity=not _flag(parameters, "no_sanity"),
        verify=not _flag(parameters, "no_verify"),
    )
    for remark in credentials.remarks:
        log.warn("{remark}", remark=remark)
    return credentials


@implementer(IStreamClientEndpoint)
class TLSEndpoint:
    """Connects by another endpoint and speaks TLS there."""

    def __init__(
        self, reactor: Any, inner: IStreamClientEndpoint, host: str, credentials: Credentials
    ) -> None:
        """
        @param host: the name or address that the server's certificate must be for.
        """
        self._reactor = reactor
        self._inner = inner
        self._host = host
        self._credentials = credentials

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; fires when the server has taken us.  Fails with L{VirtError}."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, protocolFactory: IProtocolFactory) -> IProtocol:
        factory, done = shakeHands(self._reactor, self._host, self._credentials, protocolFactory)
        outer: Any = await self._inner.connect(factory)
        try:
            return await done
        except BaseException:
            outer.abortConnection()
            raise


def shakeHands(
    clock: Any, host: str, credentials: Credentials, wrapped: IProtocolFactory
) -> tuple[IProtocolFactory, Deferred[IProtocol]]:
    """
    Prepare for one connection.

    @param wrapped: makes the protocol that goes on behind the verdict.
    @return: a factory for the transport's end, and what fires with the wrapped protocol.
    """
    done: Deferred[IProtocol] = Deferred()
    factory = Factory.forProtocol(lambda: _Greeting(clock, host, credentials, wrapped, done))
    factory.noisy = False
    try:
        ipaddress.ip_address(host)
        name = None
    except ValueError:
        name = host
    return clientFactory(credentials, name, factory, clock), done


@implementer(IHandshakeListener)
class _Greeting(Protocol):
    """What stands behind TLS until the server's verdict is there."""

    transport: Any

    def __init__(
        self,
        clock: Any,
        host: str,
        credentials: Credentials,
        wrapped: IProtocolFactory,
        done: Deferred[IProtocol],
    ) -> None:
        self._clock = clock
        self._host = host
        self._credentials = credentials
        self._wrapped = wrapped
        self._done: Deferred[IProtocol] | None = done
        self._shaken = False
        self._deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._deadline = self._clock.callLater(HANDSHAKE_TIMEOUT, self._expired)

    def _expired(self) -> None:
        self._deadline = None
        what = "its verdict on our certificate" if self._shaken else "the TLS handshake"
        self._fail(
            systemError(
                f"the server '{self._host}' did not finish {what} within"
                f" {HANDSHAKE_TIMEOUT:.0f} seconds",
                errno.ETIMEDOUT,
            )
        )

    def _finish(self) -> Deferred[IProtocol] | None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        done, self._done = self._done, None
        return done

    def _fail(self, error: VirtError) -> None:
        done = self._finish()
        if done is not None:
            self.transport.abortConnection()
            if not done.called:
                done.errback(error)

    def handshakeCompleted(self) -> None:
        self._shaken = True
        verdict = self._credentials.verify(self.transport.getHandle(), self._host)
        for remark in verdict.remarks:
            log.warn("server {host}: {remark}", host=self._host, remark=remark)
        if verdict.reason is not None:
            log.warn(
                "server {host}: certificate check failed: {reason} (it is '{name}')",
                host=self._host,
                reason=verdict.reason,
                name=verdict.name,
            )
            self._fail(
                virtError(
                    ErrorCode.AUTH_FAILED, "Failed to verify peer's certificate", ErrorDomain.RPC
                )
            )

    def dataReceived(self, data: bytes) -> None:
        if self._done is None:
            return
        if data[:1] != _VERDICT:
            self._fail(
                virtError(
                    ErrorCode.RPC,
                    "server verification (of our certificate or IP address) failed",
                    ErrorDomain.RPC,
                )
            )
            return
        done = self._finish()
        protocol: Any = self._wrapped.buildProtocol(self.transport.getPeer())
        if protocol is None or done is None or done.called:
            self.transport.abortConnection()
            return
        self.transport.wrappedProtocol = protocol
        protocol.makeConnection(self.transport)
        if data[1:]:
            protocol.dataReceived(data[1:])
        done.callback(protocol)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        done = self._finish()
        if done is None or done.called:
            return
        if self._shaken:
            # Also how TLS 1.3 shows that the server did not like our certificate.
            number = errno.EIO
            done.errback(
                systemError(f"Unable to read TLS confirmation: {os.strerror(number)}", number)
            )
        else:
            done.errback(handshakeFailed(failureText(reason)))
