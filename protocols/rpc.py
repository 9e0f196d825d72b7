"""
The RPC protocol of both sides: calls matched with replies, events, streams and keepalive on one connection.

L{RPCPeer} is what both have in common, L{RPCClient} makes calls, L{RPCServer} is asked.  Nothing here knows
what a procedure means.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from pyvirt.errors import ErrorDomain, OutcomeUnknown, RPCError, VirtError
from pyvirt.protocols import keepalive, message
from pyvirt.protocols.inflow import Inflow
from pyvirt.protocols.keepalive import Keepalive
from pyvirt.protocols.message import PAYLOAD, MessageType, Status, unpackHeader
from pyvirt.protocols.packets import PacketProtocol
from pyvirt.protocols.procedures import Procedure, Program
from pyvirt.protocols.xdr import XDRError

__all__ = ["IncomingStream", "RPCClient", "RPCPeer", "RPCServer"]

_STREAMS = (MessageType.STREAM, MessageType.STREAM_HOLE)


class IncomingStream(Protocol):
    """
    What L{RPCPeer.streams} holds: it is given each packet of its serial.

    @ivar waiting: bytes that nobody has taken from it yet, as L{Inflow} counts them.
    @ivar moved: something was taken since this was last set to False.
    """

    waiting: int
    moved: bool

    def packetReceived(self, type: int, status: int, packet: bytes) -> None:
        """Take a packet of type C{STREAM} or C{STREAM_HOLE}."""

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone; nothing more comes."""

    def unclogged(self) -> None:
        """The transport takes data again."""

    def stalled(self) -> None:
        """Others have waited too long for what nobody takes from this stream."""

    def callFailed(self) -> None:
        """The call that was to open the stream has failed."""

    def callForgotten(self) -> None:
        """The call has opened the stream, after whoever made it had cancelled it."""


class RPCPeer(PacketProtocol):
    """
    What both sides do.

    @ivar streams: open streams by serial.
    @ivar keepalive: watches the peer once started, or None.
    @ivar streamLimit: bytes of stream data that are remembered before reading stops; see L{Inflow}.
    @ivar streamPatience: seconds that reading stays stopped while a stream takes nothing.
    @ivar givesStreamsUp: whether a stream that takes nothing for so long is ended.
    """

    keepalive: Keepalive | None = None
    streamLimit = 1 << 20
    streamPatience = 10.0
    givesStreamsUp = True
    _inflow: Inflow | None = None

    def __init__(self, clock: IReactorTime) -> None:
        super().__init__(clock)
        self.streams: dict[int, IncomingStream] = {}

    def startKeepalive(self, interval: float, count: int) -> None:
        """
        Watch the peer from now on.

        @param interval: seconds; 0 or less stops watching.
        @param count: unanswered pings after which L{keepaliveFailed} is called.
        """
        self.stopKeepalive()
        if interval > 0:
            self.keepalive = Keepalive(self.clock, interval, count, self.send, self.keepaliveFailed)
            self.keepalive.start()

    def stopKeepalive(self) -> None:
        """Watch no more; pings are still answered."""
        if self.keepalive is not None:
            self.keepalive.stop()
            self.keepalive = None

    def keepaliveFailed(self) -> None:
        """The peer is silent.  Closes; subclasses tell why."""
        self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        if self.keepalive is not None:
            self.keepalive.heard = self.clock.seconds()
        if data == keepalive.PING and self.isAtRest:
            # Whoever rests says nothing else, and what wakes a process that rests should be short.
            self._pingReceived()
            return
        super().dataReceived(data)

    def urgentReceived(self, packet: bytes) -> bool:
        if unpackHeader(packet)[1] == keepalive.NUMBER:
            return self.keepaliveReceived(packet)
        return False

    def keepaliveReceived(self, packet: bytes) -> bool:
        """Answer a ping, take a pong; return False for what is neither."""
        _, _, version, procedure, type, _, _ = unpackHeader(packet)
        if type != MessageType.MESSAGE or version != 1 or procedure not in (1, 2):
            return False
        if procedure == 1:
            self._pingReceived()
        return True

    def _pingReceived(self) -> None:
        if self.keepalive is not None:
            self.keepalive.pinged = self.keepalive.heard
        self.send(keepalive.PONG)

    def streamPacketReceived(self, serial: int, type: int, status: int, packet: bytes) -> None:
        """Pass a packet on to its stream; one without a stream is ignored, as libvirt does."""
        stream = self.streams.get(serial)
        if stream is not None:
            stream.packetReceived(type, status, packet)

    def unclogged(self) -> None:
        streams = self.streams
        for serial in list(streams):
            if self.clogged or self.connectionIsLost:
                break
            stream = streams.pop(serial, None)
            if stream is not None:
                # The next time another one is the first.
                streams[serial] = stream
                stream.unclogged()

    @property
    def answersDue(self) -> bool:
        """Whether the peer owes an answer, so that reading must not stop."""
        return False

    @property
    def inflow(self) -> Inflow:
        """The count of stream data that waits here; made when the first stream asks for it."""
        inflow = self._inflow
        if inflow is None:
            inflow = self._inflow = Inflow(self)
        return inflow

    def inflowStopped(self) -> None:
        """Too much stream data waits here: read no further."""
        self.stopReading()

    def inflowResumed(self) -> None:
        """Read again."""
        self.startReading()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.stopKeepalive()
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            stream.connectionLost(reason)
        if self._inflow is not None:
            self._inflow.stop()


class RPCClient(RPCPeer):
    """
    The side that calls.

    Calls pipeline: any number may be outstanding, replies match by serial.  Calls made in one turn of the
    reactor leave in one write.
    """

    streamLimit = 16 << 20
    streamPatience = 5.0
    givesStreamsUp = False

    def __init__(self, clock: IReactorTime) -> None:
        super().__init__(clock)
        # A cancelled call stays, so that its serial is not given again before its late reply has come.
        self._calls: dict[int, tuple[Procedure, Deferred[Any]]] = {}
        self._serial = 0
        self._outgoing: list[bytes] = []
        self._lost: Failure | None = None
        self.closeReason: VirtError | None = None

    def call(
        self,
        program: Program,
        procedure: Procedure,
        arguments: Sequence[Any],
        *,
        fds: Sequence[int] = (),
        stream: Callable[[int], IncomingStream] | None = None,
    ) -> Deferred[Any]:
        """
        Call a procedure.

        @param arguments: in the order of the stub's parameters.
        @param fds: descriptors that go with the call; duplicated, the caller keeps its own.
        @param stream: for calls with a stream: is given the call's serial and returns what takes the stream's
            packets.  It is registered before the call leaves.
        @return: fires with the result: None, a value, or a named tuple of several; for calls whose reply
            carries descriptors with C{(result, fds)}, the descriptors then being the caller's to close.
            Fails with the peer's L{VirtError}; with L{RPCError} when the arguments do not fit or the answer
            is garbled; with L{OutcomeUnknown} when the connection is lost first.  Cancelling forgets the
            call, not its serial: the operation may still happen.
        """
        try:
            payload = procedure.argumentCodec.encode(arguments)
        except (XDRError, TypeError) as problem:
            return fail(_rpcError(f"cannot send {procedure.name}: {problem}"))
        return self.callEncoded(program, procedure, payload, fds=fds, stream=stream)

    def callEncoded(
        self,
        program: Program,
        procedure: Procedure,
        payload: bytes,
        *,
        fds: Sequence[int] = (),
        stream: Callable[[int], IncomingStream] | None = None,
    ) -> Deferred[Any]:
        """Call a procedure, as L{call}, with arguments that its codec has encoded."""
        if self._lost is not None:
            return fail(self.closedError(self._lost))
        try:
            type = MessageType.CALL
            if fds:
                type = MessageType.CALL_WITH_FDS
                payload = len(fds).to_bytes(4, "big") + payload
            serial = self._nextSerial()
            packet = message.pack(
                program.number, program.version, procedure.number, type, serial, Status.OK, payload
            )
            if stream is not None:
                self.streams[serial] = stream(serial)
            if fds:
                self._flush()
                self.sendWithDescriptors(packet, list(fds))
            else:
                self.send(packet)
        except (XDRError, TypeError) as problem:
            return fail(_rpcError(f"cannot send {procedure.name}: {problem}"))
        deferred: Deferred[Any] = Deferred()
        self._calls[serial] = procedure, deferred
        if self._inflow is not None:
            self._inflow.resume()
        return deferred

    @property
    def answersDue(self) -> bool:
        """Whether a call waits for its answer."""
        return bool(self._calls)

    def _nextSerial(self) -> int:
        serial = self._serial
        while True:
            serial = (serial + 1 & 0xFFFFFFFF) or 1  # 0 is what messages bear
            if serial not in self._calls and serial not in self.streams:
                self._serial = serial
                return serial

    def send(self, packet: bytes) -> None:
        if self._batch is not None or self.connectionIsLost:
            super().send(packet)
            return
        if not self._outgoing:
            self.clock.callLater(0, self._flush)
        self._outgoing.append(packet)

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if outgoing and not self.connectionIsLost:
            self._write(outgoing[0] if len(outgoing) == 1 else b"".join(outgoing))

    def writeNow(self, packet: bytes) -> None:
        self._flush()
        super().writeNow(packet)

    def close(self) -> None:
        self._flush()
        super().close()

    def dataReceived(self, data: bytes) -> None:
        if self._outgoing:
            self._flush()
        super().dataReceived(data)

    def packetReceived(self, packet: bytes, fds: list[int]) -> None:
        _, program, version, number, type, serial, status = unpackHeader(packet)
        if type == MessageType.REPLY or type == MessageType.REPLY_WITH_FDS:
            self._replyReceived(packet, serial, number, type, status, fds)
        elif type in _STREAMS:
            self.streamPacketReceived(serial, type, status, packet)
        elif type == MessageType.MESSAGE:
            if program == keepalive.NUMBER:
                self.keepaliveReceived(packet)
            else:
                self.eventReceived(program, version, number, packet)
        else:
            _closeAll(fds)
            self.brokenBy(f"message of type {type} from a server")

    def _replyReceived(
        self, packet: bytes, serial: int, number: int, type: int, status: int, fds: list[int]
    ) -> None:
        call = self._calls.get(serial)
        if call is None or call[0].number != number:
            self.brokenBy(f"reply to procedure {number} with serial {serial}, which nobody called")
            _closeAll(fds)
            return
        del self._calls[serial]
        procedure, deferred = call
        cancelled = deferred.called
        result: Any = None
        error: VirtError | None = None
        try:
            if status:
                error = message.decodeError(packet)
            elif not cancelled:
                offset = PAYLOAD + 4 if type == MessageType.REPLY_WITH_FDS else PAYLOAD
                values, _ = procedure.resultCodec.decode(packet, offset)
                if values:
                    result = values[0]
        except XDRError as problem:
            error = _rpcError(f"cannot read the reply to {procedure.name}: {problem}")
        if self.streams:
            stream = self.streams.get(serial)
            if stream is not None:
                if status:
                    stream.callFailed()
                elif cancelled or error is not None:
                    stream.callForgotten()
        if "reply" in procedure.fds and error is None and not cancelled:
            result = (result, fds)
        elif fds:
            _closeAll(fds)
        if cancelled:
            return
        if error is not None:
            deferred.errback(error)
        else:
            deferred.callback(result)

    def eventReceived(self, program: int, version: int, number: int, packet: bytes) -> None:
        """Take a message that the server sent on its own.  The default ignores it."""

    def brokenBy(self, reason: str) -> None:
        if self.closeReason is None:
            self.closeReason = _rpcError(f"the server broke the protocol: {reason}")
        super().brokenBy(reason)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = reason
        super().connectionLost(reason)
        calls, self._calls = self._calls, {}
        for _, deferred in calls.values():
            if not deferred.called:
                deferred.errback(self.lostError(reason))

    def closedError(self, reason: Failure) -> VirtError:
        """Make the error of a call that was never sent, the connection being lost."""
        return self.lostError(reason)

    def lostError(self, reason: Failure) -> VirtError:
        """Make the error of a call whose answer did not come before the connection was lost."""
        detail = str(self.closeReason) if self.closeReason else reason.getErrorMessage()
        return OutcomeUnknown(
            f"the connection to the server was lost: {detail}",
            domain=ErrorDomain.RPC,
            str1="%s",
            str2=detail,
        )


def _closeAll(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


def _rpcError(text: str) -> VirtError:
    return RPCError(text, domain=ErrorDomain.RPC, str1="%s", str2=text)


class RPCServer(RPCPeer):
    """The side that is called.  Subclasses answer L{callReceived}."""

    stopsReadingWhenClogged = True

    def packetReceived(self, packet: bytes, fds: list[int]) -> None:
        _, program, version, number, type, serial, status = unpackHeader(packet)
        if type == MessageType.CALL or type == MessageType.CALL_WITH_FDS:
            self.callReceived(program, version, number, serial, status, packet, fds)
        elif type in _STREAMS:
            self.streamPacketReceived(serial, type, status, packet)
        elif type == MessageType.MESSAGE and program == keepalive.NUMBER:
            self.keepaliveReceived(packet)
        else:
            # Replies, events and unknown types from a client mean nothing and cost nothing, as with libvirt.
            _closeAll(fds)

    def callReceived(
        self,
        program: int,
        version: int,
        number: int,
        serial: int,
        status: int,
        packet: bytes,
        fds: list[int],
    ) -> None:
        """
        Answer a call, now or later, through L{reply} or L{replyError}.

        @param fds: descriptors that came with it, this side's to close.  A payload with descriptors starts
            4 bytes later.
        """
        raise NotImplementedError(type(self))

    def reply(
        self, program: int, version: int, number: int, serial: int, payload: bytes = b""
    ) -> None:
        """Answer a call with success."""
        self.send(
            message.pack(program, version, number, MessageType.REPLY, serial, Status.OK, payload)
        )

    def replyError(
        self, program: int, version: int, number: int, serial: int, error: VirtError
    ) -> None:
        """Answer a call with an error."""
        self.send(
            message.pack(
                program,
                version,
                number,
                MessageType.REPLY,
                serial,
                Status.ERROR,
                message.encodeError(error),
            )
        )
