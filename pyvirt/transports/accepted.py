"""
The server's end of a connection, on the shortest way between the kernel and the protocol.

Twisted's own passes each read and each write through three calls more, which is a tenth of what a call costs the
daemon, and duplicates each descriptor that it is given.  What is not the usual case (descriptors on their way, a full
socket, an error) goes Twisted's way.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet import main, tcp, unix
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.protocol import Factory

__all__ = ["TCPConnection", "UNIXConnection", "adopt"]

#: Room for the descriptors that one read may bring, as Twisted has it.
_ANCILLARY = socket.CMSG_LEN(4096)


class TCPConnection(tcp.Server):
    """A connected TCP socket of a client."""

    socket: socket.socket

    def __repr__(self) -> str:
        return f"<{self.logstr}>"

    def doRead(self) -> Any:
        try:
            data = self.socket.recv(self.bufferSize)
        except OSError as problem:
            return None if problem.errno == errno.EWOULDBLOCK else main.CONNECTION_LOST
        if not data:
            return main.CONNECTION_DONE
        return self.protocol.dataReceived(data)

    def writeSomeData(self, data: bytes) -> Any:
        if len(data) > self.SEND_LIMIT:
            return super().writeSomeData(data)
        try:
            return self.socket.send(data)
        except OSError:
            return super().writeSomeData(data)


class UNIXConnection(unix.Server):
    """A connected UNIX socket of a client."""

    socket: socket.socket

    def __repr__(self) -> str:
        return f"<{self.logstr}>"

    def doRead(self) -> Any:
        try:
            data, ancillary, _, _ = self.socket.recvmsg(self.bufferSize, _ANCILLARY)
        except InterruptedError:
            return None  # still readable: asked again at once
        except OSError as problem:
            if problem.errno == errno.EWOULDBLOCK:
                return None
            return main.CONNECTION_LOST
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                self._ancillaryLevelSOLSOCKETTypeSCMRIGHTS(content)
        if not data:
            return main.CONNECTION_DONE
        return self.protocol.dataReceived(data)

    def writeSomeData(self, data: bytes) -> Any:
        if self._sendmsgQueue or len(data) > self.SEND_LIMIT:
            return super().writeSomeData(data)
        try:
            return self.socket.send(data)
        except OSError:
            return super().writeSomeData(data)


def adopt(
    accepted: socket.socket, peer: Any, factory: Factory, reactor: Any
) -> TCPConnection | UNIXConnection | None:
    """
    Give an accepted, non-blocking connection to a protocol of C{factory}.

    @param peer: the address of the other end, as it was accepted.
    @return: its transport, which owns the socket; None when the factory refuses it: the socket is closed then.
    """
    port: Any = None  # Twisted's, which nobody listens by
    local = accepted.family == socket.AF_UNIX
    address: Any
    if local:
        address = UNIXAddress(accepted.getsockname())
    else:
        address = (IPv4Address if len(peer) == 2 else IPv6Address)("TCP", *peer)
    protocol = factory.buildProtocol(address)
    if protocol is None:
        accepted.close()
        return None
    transport: TCPConnection | UNIXConnection
    if local:
        transport = UNIXConnection(accepted, protocol, peer, port, 0, reactor)
    else:
        transport = TCPConnection(accepted, protocol, peer, port, peer[1], reactor)
        # Answers are gathered before they are written, so none gains from waiting for the next.
        transport.setTcpNoDelay(True)
    protocol.makeConnection(transport)
    return transport
