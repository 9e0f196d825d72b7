"""
The wire's client end, with libvirt's words for the ways in which a connection is lost.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from pyvirt.constants import (
    VIR_CONNECT_CLOSE_REASON_EOF,
    VIR_CONNECT_CLOSE_REASON_ERROR,
    VIR_CONNECT_CLOSE_REASON_KEEPALIVE,
)
from pyvirt.errors import ErrorCode, ErrorDomain, OutcomeUnknown, VirtError, virtError
from pyvirt.protocols.rpc import RPCClient

__all__ = ["RemoteProtocol"]

MessageListener = Callable[[int, int, bytes], None]
LossListener = Callable[[int], None]


class RemoteProtocol(RPCClient):
    """
    The connection to a daemon.

    @ivar onMessage: called with program, number and packet of each message from the daemon.
    @ivar onLost: called with a C{VIR_CONNECT_CLOSE_REASON_*} when the connection ends, whoever ended it.
    """

    def __init__(self, clock: IReactorTime) -> None:
        super().__init__(clock)
        self.onMessage: MessageListener = _ignore
        self.onLost: LossListener = _ignoreLoss
        self._silent = False

    def keepaliveFailed(self) -> None:
        self._silent = True
        super().keepaliveFailed()

    def eventReceived(self, program: int, version: int, number: int, packet: bytes) -> None:
        self.onMessage(program, number, packet)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._silent:
            why = VIR_CONNECT_CLOSE_REASON_KEEPALIVE
        elif self.closeReason is None and reason.check(ConnectionDone):
            why = VIR_CONNECT_CLOSE_REASON_EOF
        else:
            why = VIR_CONNECT_CLOSE_REASON_ERROR
        super().connectionLost(reason)
        self.onLost(why)

    def closedError(self, reason: Failure) -> VirtError:
        complaint = getattr(self.transport, "complaint", None)
        if complaint is not None and complaint():
            return self.lostError(reason)
        return virtError(ErrorCode.INTERNAL_ERROR, "client socket is closed", ErrorDomain.RPC)

    def lostError(self, reason: Failure) -> VirtError:
        if self._silent:
            text = "connection closed due to keepalive timeout"
            return OutcomeUnknown(
                f"internal error: {text}",
                code=ErrorCode.INTERNAL_ERROR,
                domain=ErrorDomain.RPC,
                str1="internal error: %s",
                str2=text,
            )
        if self.closeReason is not None:
            return super().lostError(reason)
        number, text = errno.EIO, "End of file while reading data: "
        if not reason.check(ConnectionDone):
            number = getattr(self.transport, "lostNumber", errno.ECONNRESET)
            text = "Cannot recv data: "
        # Transports that are programs, here or at the far end, may have said why they ended.
        complaint = getattr(self.transport, "complaint", None)
        if complaint is not None:
            text += f"{complaint()}: "
        text += os.strerror(number)
        return OutcomeUnknown(
            text,
            code=ErrorCode.SYSTEM_ERROR,
            domain=ErrorDomain.RPC,
            str1="%s",
            str2=text,
            int1=number,
        )


def _ignore(program: int, number: int, packet: bytes) -> None:
    """Nobody listens yet."""


def _ignoreLoss(reason: int) -> None:
    """Nobody listens yet."""
