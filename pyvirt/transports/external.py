"""
A program that carries the bytes: C{ext} and C{ssh} with C{command=}.

It talks to the daemon by its standard input and output; what it says on standard error explains its end.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, ProcessDone
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.transports.endpoints import Address
from pyvirt.transports.sshscript import classicScript

__all__ = ["ProgramEndpoint", "sshCommand"]

_SAID = 4096
"""Bytes of standard error that are kept."""
_GRACE = 2.0
"""Seconds that the program has to end once its input is closed."""


def sshCommand(address: Address, explicitPort: bool) -> list[str]:
    """Return the command line of an ssh program, as libvirt has it."""
    parameters = address.parameters
    words = [parameters.get("command") or "ssh"]
    if explicitPort:
        words += ["-p", str(address.port)]
    if address.user is not None:
        words += ["-l", address.user]
    if parameters.get("keyfile"):
        words += ["-i", parameters["keyfile"]]
    words += ["-T", "-e", "none"]
    if parameters.get("no_tty", "0") != "0":
        words += ["-o", "BatchMode=yes"]
    if parameters.get("no_verify", "0") != "0":
        words += ["-o", "StrictHostKeyChecking=no"]
    return [*words, "--", address.host, classicScript(address)]


@implementer(IStreamClientEndpoint)
class ProgramEndpoint:
    """Starts a program, without a shell, and connects to it."""

    def __init__(
        self, reactor: Any, command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self._reactor = reactor
        self._command = list(command)
        self._environment = environment

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Start it; fails with L{VirtError} if it cannot be."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, protocolFactory: IProtocolFactory) -> IProtocol:
        name = self._command[0]
        path = shutil.which(name, path=self._environment.get("PATH", os.defpath))
        if path is None:
            number = 13 if os.path.exists(name) else 2
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                f"cannot execute binary {name}: {os.strerror(number)}",
                ErrorDomain.RPC,
            )
        protocol: Any = protocolFactory.buildProtocol(UNIXAddress(None))
        program = _Program(self._reactor, protocol)
        self._reactor.spawnProcess(
            program, path, self._command, env=dict(self._environment), path=None
        )
        return protocol  # type: ignore[no-any-return]


class _Program(ProcessProtocol):
    """The program, as a stream transport for a protocol."""

    transport: Any
    disconnecting = False
    connected = True

    def __init__(self, reactor: Any, protocol: Any) -> None:
        self._reactor = reactor
        self._protocol = protocol
        self._said = b""
        self._ended = False
        self._killing: Any = None

    def complaint(self) -> str:
        """What it said on standard error."""
        return self._said.decode(errors="replace").strip()

    # From the process

    def connectionMade(self) -> None:
        self._protocol.makeConnection(self)

    def outReceived(self, data: bytes) -> None:
        if self.connected:
            self._protocol.dataReceived(data)

    def errReceived(self, data: bytes) -> None:
        self._said = (self._said + data)[-_SAID:]

    def outConnectionLost(self) -> None:
        # It will say no more: let go of it; how it ended is known when its process has.
        self.transport.closeStdin()
        self._killLater()

    def processEnded(self, reason: Failure) -> None:
        if self._killing is not None:
            self._killing.cancel()
            self._killing = None
        self._ended = True
        if self.connected:
            self.connected = False
            good = self.disconnecting or reason.check(ProcessDone)
            self._protocol.connectionLost(
                Failure(ConnectionDone() if good else ConnectionLost(self.complaint()))
            )

    def _killLater(self) -> None:
        if self._killing is None and not self._ended:
            self._killing = self._reactor.callLater(_GRACE, self._kill)

    def _kill(self) -> None:
        self._killing = None
        if not self._ended:
            self.transport.signalProcess("KILL")

    # ITransport

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self.connected and not self.disconnecting:
            self.transport.write(data)

    def writeSequence(self, data: Any) -> None:
        """Send bytes."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close its input when all is sent, and see that it ends."""
        if not self.disconnecting:
            self.disconnecting = True
            self.transport.closeStdin()
            self._killLater()

    def abortConnection(self) -> None:
        """End it."""
        self.disconnecting = True
        if not self._ended:
            self.transport.signalProcess("KILL")

    def getPeer(self) -> IAddress:
        """Return an address that says nothing."""
        return UNIXAddress(None)

    def getHost(self) -> IAddress:
        """Return an address that says nothing."""
        return UNIXAddress(None)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Tell who writes when its input is full."""
        self.transport.pipes[0].registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Forget who writes."""
        if 0 in self.transport.pipes:
            self.transport.pipes[0].unregisterProducer()

    def pauseProducing(self) -> None:
        """Read no more for now."""
        if 1 in self.transport.pipes:
            self.transport.pipes[1].pauseProducing()

    def resumeProducing(self) -> None:
        """Read again."""
        if 1 in self.transport.pipes:
            self.transport.pipes[1].resumeProducing()

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()
