"""
QEMU's monitor protocol: L{QMPProtocol}.

QEMU does commands in order and hands descriptors to whichever runs: a command that changes something is under way
alone, while up to eight questions may be asked in one breath; what else there is waits its turn.  A command with a
deadline that passes fails alone: its late reply is recognised and dropped, and until it comes nothing is changed.  What QEMU says is bounded and never trusted: a message that makes no sense ends
the conversation, and with it every command that waits.

Source: QEMU's documentation, "QEMU Machine Protocol Specification".
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from pyvirt.drivers.qemu.jsonlines import LineReader, Nonsense, encode
from pyvirt.drivers.qemu.refusals import systemFailure
from pyvirt.errors import ErrorCode, ErrorDomain, InternalError, VirtError, virtError

__all__ = ["CommandFailed", "MonitorEvent", "MonitorLost", "QMPProtocol"]

log = Logger()

#: The longest message that QEMU may say, in bytes; its own schema, the longest known, has 0.3 MB.
MAXIMUM = 16 << 20
#: How many commands may wait; a caller that has more is out of its mind.
BACKLOG = 4096
#: How many questions may be asked at once: as many as QEMU queues.
QUESTIONS = 8
#: What questions are called.
_QUESTION = ("query-", "qom-get", "qom-list")

#: Commands that return lists of objects.
_LISTS = frozenset(
    (
        "qom-list",
        "query-block",
        "query-block-jobs",
        "query-blockstats",
        "query-chardev",
        "query-cpus-fast",
        "query-hotpluggable-cpus",
        "query-iothreads",
        "query-jobs",
        "query-memory-devices",
        "query-migrate-capabilities",
        "query-named-block-nodes",
    )
)


class MonitorEvent(NamedTuple):
    """
    Something happened in QEMU.

    @ivar data: what belongs to it, {} if nothing does.
    @ivar seconds, micros: when, since 1970.
    """

    name: str
    data: Mapping[str, Any]
    seconds: int
    micros: int


class CommandFailed(InternalError):
    """
    QEMU refused a command.

    @ivar kind: QEMU's own class, such as C{GenericError} or C{CommandNotFound}.
    @ivar description: QEMU's own words.
    """

    def __init__(self, command: str, kind: str, description: str) -> None:
        detail = f"unable to execute QEMU command '{command}': {description}"
        super().__init__(
            f"internal error: {detail}",
            domain=ErrorDomain.QEMU,
            str1="internal error: %s",
            str2=detail,
        )
        self.kind = kind
        self.description = description


class MonitorLost(InternalError):
    """
    The conversation ended before the answer came; the command may or may not have been done.

    @ivar nonsense: it ended because of what QEMU said, or did not say; its process may still be there.
    """

    def __init__(
        self, detail: str = "End of file from qemu monitor", *, nonsense: bool = False
    ) -> None:
        super().__init__(
            f"internal error: {detail}",
            domain=ErrorDomain.QEMU,
            str1="internal error: %s",
            str2=detail,
        )
        self.nonsense = nonsense


class _Call:
    """A command that waits for its turn or its reply."""

    __slots__ = ("answer", "asks", "command", "deadline", "fds", "id", "message", "raw")

    def __init__(self, id: str, command: str, message: bytes, fds: Sequence[int]) -> None:
        self.id = id
        self.command = command
        self.message = message
        self.fds = fds
        self.answer: Deferred[Any] | None = Deferred(self._cancelled)
        self.deadline: Any = None
        self.raw = False
        self.asks = not fds and command.startswith(_QUESTION)

    def _cancelled(self, _: Deferred[Any]) -> None:
        self.answer = None
        self.settled()

    def settled(self) -> None:
        """It is over, one way or another: nothing of it is kept but its number."""
        if self.deadline is not None and self.deadline.active():
            self.deadline.cancel()
        self.deadline = None
        for fd in self.fds:
            os.close(fd)
        self.fds = ()

    def succeed(self, value: Any) -> None:
        self.settled()
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.callback(value)

    def fail(self, error: VirtError) -> None:
        self.settled()
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.errback(error)


class QMPProtocol(Protocol):
    """
    A conversation with one QEMU.

    @ivar version: what the greeting says of QEMU: C{(major, minor, micro)}; zeros before it came.
    @ivar outOfBand: whether urgent commands can overtake.
    """

    def __init__(
        self,
        clock: IReactorTime,
        *,
        event: Callable[[MonitorEvent], None] = lambda event: None,
        lost: Callable[[VirtError | None], None] = lambda error: None,
        maximum: int = MAXIMUM,
    ) -> None:
        """
        @param event: told of each event, in order.
        @param lost: told once that the conversation is over: None, QEMU hung up; else what it did wrong.
        @param maximum: the longest message accepted, in bytes.
        """
        self.version = (0, 0, 0)
        self.outOfBand = False
        self._clock = clock
        self._event = event
        self._lost = lost
        self._reader = LineReader(maximum)
        self._greeting: Deferred[None] | None = Deferred()
        self._greeted = False
        self._offered: frozenset[str] = frozenset()
        self._lastID = 0
        self._waiting: deque[_Call] = deque()
        self._current: deque[_Call] = deque()
        self._urgent: dict[str, _Call] = {}
        self._direct = False
        self._over: VirtError | None = None
        self._problem: VirtError | None = None

    def makeConnection(self, transport: Any) -> None:
        """Look at how to speak to QEMU."""
        self._direct = (
            hasattr(transport, "writeSomeData")
            and hasattr(transport, "dataBuffer")
            and hasattr(transport, "_tempDataBuffer")
        )
        super().makeConnection(transport)

    # What we say

    async def negotiate(self, timeout: float = 30.0) -> None:
        """
        Wait for the greeting and enter command mode, with out-of-band execution where it is offered.

        @raise VirtError: QEMU does not greet in time, is gone, or talks nonsense.
        """
        greeting = self._greeting
        if greeting is not None:
            timer = self._clock.callLater(timeout, self._silent)
            try:
                await greeting
            finally:
                if timer.active():
                    timer.cancel()
        if self._over is not None:
            raise self._over
        enable = ["oob"] if "oob" in self._offered else []
        await self.execute(
            "qmp_capabilities", {"enable": enable} if enable else None, timeout=timeout
        )
        self.outOfBand = bool(enable)

    def _silent(self) -> None:
        self._abort("QEMU's monitor does not answer")

    def execute(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = 30.0,
        fds: Sequence[int] = (),
        urgent: bool = False,
    ) -> Deferred[Any]:
        """
        Have QEMU do something.

        @param timeout: seconds within which it must have been done, waiting for its turn included; None: no limit.
        @param fds: descriptors that go with it (C{getfd}, C{add-fd}); duplicated, so they stay the caller's.
        @param urgent: overtake what is under way, where QEMU can.
        @return: fires with what the command returns.  Fails with L{CommandFailed}, L{MonitorLost} or
            C{OPERATION_TIMEOUT}.  Cancelling gives up waiting; QEMU may do it all the same.
        """
        message: dict[str, Any] = {"execute": command}
        if arguments:
            message["arguments"] = arguments
        return self._submit(command, message, timeout, fds, urgent and self.outOfBand, raw=False)

    def pass_(
        self, message: dict[str, Any], *, timeout: float | None = None, fds: Sequence[int] = ()
    ) -> Deferred[Any]:
        """
        Say what somebody else has written, and give the whole reply back.

        @param message: a command as QMP has it; its C{id} is replaced.
        @return: fires with the reply, be it an error.
        """
        command = message.get("execute")
        return self._submit(
            command if isinstance(command, str) else "?",
            dict(message),
            timeout,
            fds,
            False,
            raw=True,
        )

    def _submit(
        self,
        command: str,
        message: dict[str, Any],
        timeout: float | None,
        fds: Sequence[int],
        urgent: bool,
        raw: bool,
    ) -> Deferred[Any]:
        self._lastID += 1
        id = f"libvirt-{self._lastID}"
        message["id"] = id
        if urgent:
            message["exec-oob"] = message.pop("execute")
        if self._over is not None:
            return _failed(self._over)
        if len(self._waiting) >= BACKLOG:
            return _failed(
                virtError(
                    ErrorCode.RESOURCE_BUSY,
                    "too many monitor commands are waiting",
                    ErrorDomain.QEMU,
                )
            )
        given: list[int] = []
        try:
            given.extend(os.dup(fd) for fd in fds)
        except OSError as problem:
            for fd in given:
                os.close(fd)
            return _failed(systemFailure(problem, "Unable to duplicate descriptor"))
        call = _Call(id, command, encode(message), given)
        call.raw = raw
        answer = call.answer
        assert answer is not None
        if timeout is not None:
            call.deadline = self._clock.callLater(timeout, self._late, call)
        if urgent:
            self._urgent[id] = call
            self._send(call)
        else:
            self._waiting.append(call)
            self._next()
        return answer

    def _late(self, call: _Call) -> None:
        log.warn("QEMU did not answer {command} in time", command=call.command)
        call.fail(
            virtError(
                ErrorCode.OPERATION_TIMEOUT,
                f"QEMU did not answer command '{call.command}' in time",
                ErrorDomain.QEMU,
            )
        )

    def _next(self) -> None:
        current, waiting = self._current, self._waiting
        while waiting:
            call = waiting[0]
            if call.answer is None:
                waiting.popleft()  # nobody waits for it any more, and QEMU has not heard of it
                continue
            if current and not (call.asks and current[-1].asks and len(current) < QUESTIONS):
                return
            current.append(waiting.popleft())
            self._send(call)

    def _send(self, call: _Call) -> None:
        transport: Any = self.transport
        if call.fds:
            for fd in call.fds:
                transport.sendFileDescriptor(fd)
        elif (
            self._direct
            and not transport.dataBuffer
            and not transport._tempDataBuffer
            and transport.connected
            and not transport.disconnecting
        ):
            # Now, and not in the reactor's next turn: whoever asks waits.
            sent = transport.writeSomeData(call.message)
            if sent == len(call.message):
                return
            transport.write(call.message[sent:] if sent.__class__ is int else call.message)
            return
        transport.write(call.message)

    # What QEMU says

    def dataReceived(self, data: bytes) -> None:
        """Read what came."""
        if self._over is not None:
            return
        try:
            for message in self._reader.receive(data):
                self._received(message)
                if self._over is not None:
                    return
        except Nonsense as problem:
            self._abort(f"QEMU's monitor makes no sense: {problem}")

    def _received(self, message: dict[str, Any]) -> None:
        if "event" in message:
            self._happened(message)
        elif "return" in message or "error" in message:
            self._answered(message)
        elif "QMP" in message:
            self._greet(message["QMP"])
        else:
            raise Nonsense(f"it has no kind: {str(message)[:200]}")

    def _greet(self, greeting: Any) -> None:
        if self._greeted:
            raise Nonsense("a second greeting")
        self._greeted = True
        try:
            qemu = greeting["version"]["qemu"]
            self.version = (int(qemu["major"]), int(qemu["minor"]), int(qemu["micro"]))
            self._offered = frozenset(
                each for each in greeting.get("capabilities", ()) if isinstance(each, str)
            )
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise Nonsense("the greeting has no version") from problem
        waiting, self._greeting = self._greeting, None
        if waiting is not None:
            waiting.callback(None)

    def _happened(self, message: dict[str, Any]) -> None:
        name, data, stamp = message["event"], message.get("data"), message.get("timestamp")
        if not isinstance(name, str):
            raise Nonsense("an event has no name")
        if not isinstance(data, dict):
            data = {}
        seconds = micros = 0
        if isinstance(stamp, dict):
            told = stamp.get("seconds"), stamp.get("microseconds")
            if type(told[0]) is int and type(told[1]) is int and told[0] >= 0:
                seconds, micros = told[0], told[1]
        try:
            self._event(MonitorEvent(name, data, seconds, micros))
        except Exception:
            log.failure("An event of QEMU was not understood: {name}", name=name)

    def _answered(self, message: dict[str, Any]) -> None:
        id = message.get("id")
        current = self._current
        call: _Call | None
        if current and (id == current[0].id or (id is None and "error" in message)):
            # A command that could not be read is refused without its number.
            call = current.popleft()
        else:
            call = self._urgent.pop(id, None) if isinstance(id, str) else None
        if call is None:
            log.warn("QEMU answers what nobody asked: {id}", id=str(id)[:100])
            return
        if call.raw:
            call.succeed(message)
        elif "return" in message:
            value = message["return"]
            if call.command in _LISTS:
                # What is no list of objects has none of those that are looked for.
                found = value if isinstance(value, list) else ()
                value = [each for each in found if isinstance(each, dict)]
            call.succeed(value)
        else:
            error = message["error"]
            if not isinstance(error, dict):
                error = {}
            call.fail(
                CommandFailed(
                    call.command,
                    str(error.get("class", "")),
                    str(error.get("desc", "unknown error")),
                )
            )
        self._next()

    # The end

    def _abort(self, detail: str) -> None:
        self._problem = MonitorLost(detail, nonsense=True)
        log.error("{detail}", detail=detail)
        self._end(self._problem)
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def close(self) -> None:
        """Hang up; commands that wait fail, and nobody is told that the conversation is over."""
        self._lost = lambda error: None
        self._end(MonitorLost())
        if self.transport is not None:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """QEMU is gone, or we have hung up."""
        detail = "End of file from qemu monitor"
        if not reason.check(ConnectionDone):
            detail += f": {reason.getErrorMessage()}"
        self._end(MonitorLost(detail))
        lost, self._lost = self._lost, lambda error: None
        lost(self._problem)

    def _end(self, error: VirtError) -> None:
        if self._over is not None:
            return
        self._over = error
        calls = [
            *self._current,
            *self._waiting,
            *self._urgent.values(),
        ]
        self._current.clear()
        self._waiting.clear()
        self._urgent.clear()
        waiting, self._greeting = self._greeting, None
        for call in calls:
            call.fail(error)
        if waiting is not None:
            waiting.callback(None)


def _failed(error: VirtError) -> Deferred[Any]:
    answer: Deferred[Any] = Deferred()
    answer.errback(error)
    return answer
