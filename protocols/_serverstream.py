"""
The daemon's end of a stream.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from pyvirt.drivers.interfaces.streams import IPacedSink, IStreamSink, IStreamSource
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.protocols._wirestream import (
    CONTINUE,
    ERROR,
    FINISH,
    OK,
    STREAM,
    WireStream,
    sinkError,
    streamError,
    takesHoles,
)
from pyvirt.protocols.message import encodeError
from pyvirt.protocols.procedures import Procedure, Program
from pyvirt.protocols.rpc import RPCPeer

__all__ = ["ServerStream", "serveStream"]


class ServerStream(WireStream):
    """
    The daemon's end, between the wire and a driver's end.

    It is open until the client finishes or aborts it, the driver fails or the connection goes; that the
    driver has no more data does not end it.
    """

    _finishing = False
    _exhausted = False

    def join(self, end: Any) -> None:
        """
        Connect a driver's end, once the call's reply is on its way.

        @param end: provides C{IStreamSource} if the client reads, C{IStreamSink} if it writes, both if it
            does both.
        """
        # Not by the procedure's direction: consoles, which go both ways, are written down as read.
        if IStreamSource.providedBy(end):
            self.attach(end)
        if IStreamSink.providedBy(end):
            if IPacedSink.providedBy(end):
                end.attach(self)
            self.start(end)
        if self._source is not None and not self.closed:
            self._source.start(self)

    # From the driver

    def mayWrite(self) -> bool:
        return not (self.closed or self._finishing or self._exhausted)

    def finish(self) -> None:
        """The driver has no more data.  The client hears so, and finishes the stream when it likes."""
        if self.mayWrite():
            self._exhausted = True
            self._put(STREAM, CONTINUE)
            self._source = None

    def abort(self, error: VirtError) -> None:
        """The driver failed."""
        self._source = self._sink = None
        self._fail(error)

    def stopProducing(self) -> None:
        """The driver wants no more data, while the client may have some."""
        self._sink = None
        self._fail(streamError("stream had unexpected termination"))

    def sinkFailed(self, error: VirtError) -> None:
        self._sink = None
        self._fail(error)

    def sinkFinishes(self, result: Any) -> None:
        if isinstance(result, Coroutine):
            result = Deferred.fromCoroutine(result)
        if isinstance(result, Deferred):
            self._sink = None
            result.addCallbacks(lambda _: self._finished(), self._finishFailed)
        else:
            self._finished()

    # From the client

    def emptyReceived(self) -> None:
        """Nothing is nothing."""

    def arrived(self, item: Any, size: int) -> None:
        if self._finishing:
            return
        if self._sink is None:
            self._fail(streamError("stream had unexpected termination"))
        else:
            super().arrived(item, size)

    def okReceived(self) -> None:
        if self._finishing:
            return
        if self._sink is None:
            self._finished()
        else:
            self.arrived(FINISH, 0)
            self._finishing = True

    def errorReceived(self, packet: bytes) -> None:
        self._over(
            virtError(
                ErrorCode.OPERATION_ABORTED, "stream aborted at client request", ErrorDomain.STREAMS
            ),
            OK,
        )

    def broken(self, reason: str) -> None:
        self._fail(streamError(reason))

    def connectionLost(self, reason: Failure) -> None:
        self._over(
            virtError(
                ErrorCode.OPERATION_ABORTED, "the client has disconnected", ErrorDomain.STREAMS
            ),
            None,
        )

    # Ends

    def _finished(self) -> None:
        """The client wanted to finish, and the driver has."""
        self._sink = None
        self._over(None, OK)

    def _finishFailed(self, failure: Failure) -> None:
        error = failure.value
        if not isinstance(error, VirtError):
            self.log.failure("the sink of {stream} failed to finish", failure, stream=self)
            error = sinkError()
        self._fail(error)

    def _fail(self, error: VirtError) -> None:
        self.error = self.error or error
        self._over(error, ERROR, encodeError(error))

    def _over(self, error: VirtError | None, status: int | None, payload: bytes = b"") -> None:
        """
        End: tell what is left of the driver's end, then the client.

        @param error: what a sink that has not finished is told.
        @param status: that of the last packet, which overtakes data that still waits; None: send none.
        """
        if self.closed:
            return
        self.close()
        if error is not None:
            self.abortSink(error)
        self._stopSource()
        if status is not None:
            self.peer.send(self._packet(STREAM, status, payload))


def serveStream(
    peer: RPCPeer,
    program: Program,
    procedure: Procedure,
    serial: int,
    arguments: Sequence[Any],
    end: Any,
) -> ServerStream:
    """
    Connect a driver's end of a stream to a client, just after the reply to the call was sent.

    @param serial: the call's.  A client that gives it to a second stream loses the first.
    @param arguments: the call's; they say whether holes may travel.
    @param end: what the driver answered: C{IStreamSource}, C{IStreamSink} or C{IStreamDuplex}.
    """
    former = peer.streams.get(serial)
    if former is not None:
        former.connectionLost(Failure(streamError("serial used again")))
    stream = ServerStream(peer, program, procedure, serial, takesHoles(procedure, arguments))
    stream.join(end)
    return stream
