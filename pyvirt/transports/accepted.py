"""
The server's end of a UNIX connection, on the shortest way between the kernel and the protocol.

Twisted's own passes each read and each write through three calls more, which is a tenth of what a call costs the
daemon.  What is not the usual case (descriptors on their way, a full socket, an error) goes Twisted's way.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet import main, unix
from twisted.internet.address import UNIXAddress
from twisted.internet.protocol import Factory

__all__ = ["UNIXConnection", "adopt"]

#: Room for the descriptors that one read may bring, as Twisted has it.
_ANCILLARY = socket.CMSG_LEN(4096)


class UNIXConnection(unix.Server):
    """A connected UNIX socket of a client."""

    socket: socket.socket

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


def adopt(accepted: socket.socket, factory: Factory, reactor: Any) -> UNIXConnection | None:
    """
    Give an accepted, non-blocking connection to a protocol of C{factory}.

    @return: its transport, which owns the socket; None when the factory refuses it: the socket is closed then.
    """
    address = UNIXAddress(accepted.getsockname())
    protocol = factory.buildProtocol(address)
    if protocol is None:
        accepted.close()
        return None
    transport = UNIXConnection(accepted, protocol, accepted.getpeername(), None, 0, reactor)
    protocol.makeConnection(transport)
    return transport
