"""
The client's end of a stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.protocols._wirestream import EOF, ERROR, OK, STREAM, WireStream, streamError, takesHoles
from pyvirt.protocols.message import decodeError
from pyvirt.protocols.procedures import Procedure, Program
from pyvirt.protocols.rpc import RPCClient
from pyvirt.protocols.xdr import XDRError

__all__ = ["ClientStream", "openStream"]


class ClientStream(WireStream):
    """
    The client's end: what an application reads from and writes to.

    What comes from the daemon waits until L{start} names a sink, which then hears C{finish} when the daemon
    has no more, and C{abort} when it fails.  The daemon keeps its end until L{finish} or L{abort}.
    """

    peer: RPCClient
    _waiters: list[Deferred[None]] | None = None
    _ending = False
    _exhausted = False

    # From the application

    def mayWrite(self) -> bool:
        if self.error is not None:
            raise self.error
        if self.closed or self._ending:
            raise virtError(ErrorCode.OPERATION_INVALID, "stream is not open", ErrorDomain.STREAMS)
        return True

    def start(self, sink: Any) -> None:
        """Push what came and what comes into C{sink}; it is aborted at once if the stream has failed."""
        if self.error is None:
            super().start(sink)
        else:
            sink.abort(self.error)

    def finish(self) -> Deferred[None]:
        """
        End the stream well: all that was written counts, what was not read does not.

        @return: fires when the daemon agrees; fails with the L{VirtError} that it failed with.  Cancelling
            stops waiting, no more.
        """
        return self._end(OK)

    def abort(self, error: VirtError | None = None) -> Deferred[None]:
        """
        Give the stream up; what still waits to be sent is dropped.

        @param error: why; it does not travel.
        @return: fires when the daemon agrees, as that of L{finish}.
        """
        return self._end(ERROR)

    def stopProducing(self) -> None:
        """The sink wants no more: give the stream up, unless it is ended already."""
        if not (self.closed or self._ending):
            self._leave(ERROR)

    def _end(self, status: int) -> Deferred[None]:
        if self.error is not None:
            return fail(self.error)
        if self.closed:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        # One last packet is all that the daemon expects; an abort overtakes a finish that still waits.
        if not self._ending or (status == ERROR and self._outgoing):
            self._leave(status)
        return waiter

    def _leave(self, status: int) -> None:
        """Send the last packet; from now on only the daemon's answer to it counts."""
        self._sink = None
        self.forget()
        if not self._ending:
            self._ending = True
            self.peer.inflow.expect(1)
        if status == ERROR:
            self._outgoing.clear()
            self._stopSource()
        self._source = None
        self._put(STREAM, status)

    # From the daemon

    def arrived(self, item: Any, size: int) -> None:
        if not (self._ending or self._exhausted):
            super().arrived(item, size)

    def emptyReceived(self) -> None:
        self.arrived(EOF, 0)
        self._exhausted = True

    def okReceived(self) -> None:
        if self._ending:
            self._over(None)
        else:
            self._over(streamError("stream had unexpected termination"))

    def errorReceived(self, packet: bytes) -> None:
        try:
            error = decodeError(packet)
        except XDRError:
            error = streamError("stream aborted by the server")
        self._over(error)

    def broken(self, reason: str) -> None:
        if not self._ending:
            self.error = error = streamError(reason)
            sink = self._sink
            self._leave(ERROR)
            self._sink = sink
            self.abortSink(error)

    def sinkFailed(self, error: VirtError) -> None:
        if not (self._ending or self.closed):
            self.error = error
            self._leave(ERROR)

    def connectionLost(self, reason: Failure) -> None:
        self._over(self.peer.lostError(reason))

    def _over(self, error: VirtError | None) -> None:
        """The daemon, or the loss of the connection, has ended the stream."""
        if self.closed:
            return
        self.error = self.error or error
        self.close()
        if error is not None:
            self.abortSink(error)
            self._stopSource()
        waiters, self._waiters = self._waiters or (), None
        for waiter in waiters:
            if not waiter.called:  # it was cancelled
                if error is None:
                    waiter.callback(None)
                else:
                    waiter.errback(error)

    def close(self) -> None:
        if self._ending and not self.closed:
            self.peer.inflow.expect(-1)
        super().close()


def openStream(
    client: RPCClient, program: Program, procedure: Procedure, arguments: Sequence[Any]
) -> Deferred[tuple[Any, ClientStream]]:
    """
    Call a procedure that opens a stream.

    @return: fires with the call's result and the stream; fails as L{RPCClient.call}.  Cancelling gives the
        stream up once it is open.
    """
    opened: list[ClientStream] = []

    def open(serial: int) -> ClientStream:
        stream = ClientStream(client, program, procedure, serial, takesHoles(procedure, arguments))
        opened.append(stream)
        return stream

    return client.call(program, procedure, arguments, stream=open).addCallback(
        lambda result: (result, opened[0])
    )
