"""
The guest agent's protocol: L{AgentProtocol}.

The agent runs in the guest, which is not ours: it may be absent, slow, or hostile.  So each command has a deadline,
and before each one that follows a silence both sides agree where they are (C{guest-sync-delimited}): what the agent
says before the answer to that belongs to an earlier conversation.

Source: QEMU's documentation, "QEMU Guest Agent Protocol Reference".
"""

from __future__ import annotations

import errno
import json
import os
from collections import deque
from collections.abc import Callable, Mapping
from random import SystemRandom
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from pyvirt.drivers.qemu.jsonlines import LineReader, Nonsense, encode
from pyvirt.drivers.qemu.jsontexts import readJSON
from pyvirt.drivers.qemu.refusals import systemFailure
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["AgentFailed", "AgentLate", "AgentProtocol", "unresponsive"]

log = Logger()

#: What is said of an agent that has made no sense.
BROKEN = "QEMU guest agent is not available due to an error"
#: The longest message that an agent may say, in bytes.
MAXIMUM = 10 << 20
#: Seconds that it may take to agree where we are.
SYNC_TIMEOUT = 5.0


def unresponsive(detail: str) -> VirtError:
    """Make the error of an agent that does not answer."""
    return virtError(ErrorCode.AGENT_UNRESPONSIVE, detail, ErrorDomain.QEMU)


class AgentLate(VirtError):
    """The agent was there, but has not answered a command in time."""

    def __init__(self) -> None:
        error = unresponsive("Guest agent not available for now")
        super().__init__(
            error.message,
            code=error.code,
            domain=error.domain,
            str1=error.str1,
            str2=error.str2,
        )


class AgentFailed(VirtError):
    """
    The agent refused a command.

    @ivar kind: the agent's own class.
    @ivar description: its own words.
    """

    def __init__(self, command: str, error: object) -> None:
        known = error if isinstance(error, dict) else {}
        words = [each for name in ("desc", "class") if isinstance(each := known.get(name), str)]
        description = (words[0] if words else "unknown QEMU command error")[:4096]
        detail = f"unable to execute QEMU agent command '{command}': {description}"
        super().__init__(
            f"internal error: {detail}",
            domain=ErrorDomain.QEMU,
            str1="internal error: %s",
            str2=detail,
        )
        self.kind = str(known.get("class", ""))
        self.description = description


def _complaint(problem: Nonsense) -> VirtError:
    """Say in libvirt's words what is wrong with a line."""
    if problem.line is None:
        text = f"No complete agent response found in {MAXIMUM} bytes"
        return systemFailure(OSError(errno.ERANGE, os.strerror(errno.ERANGE)), text)
    text = problem.line.decode("utf-8", "replace")
    try:
        readJSON(text)
    except VirtError as error:
        return error
    return virtError(
        ErrorCode.INTERNAL_ERROR, f"Parsed JSON reply '{text}' isn't an object", ErrorDomain.QEMU
    )


class _Call:
    __slots__ = ("answer", "awaits", "command", "message", "raw", "timeout")

    def __init__(
        self,
        command: str,
        message: bytes,
        timeout: float | None,
        raw: bool,
        awaits: str | None = None,
    ) -> None:
        self.command = command
        self.message = message
        self.timeout = timeout
        self.raw = raw
        self.awaits = awaits
        self.answer: Deferred[Any] | None = Deferred(self._cancelled)

    def _cancelled(self, _: Deferred[Any]) -> None:
        self.answer = None

    def succeed(self, value: Any) -> None:
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.callback(value)

    def fail(self, error: VirtError) -> None:
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.errback(error)


class AgentProtocol(Protocol):
    """
    A conversation with one guest's agent.

    @ivar broken: it has said what makes no sense, and nothing more is said to it.
    """

    def __init__(
        self,
        clock: IReactorTime,
        *,
        lost: Callable[[], None] = lambda: None,
        random: Callable[[], int] = lambda: SystemRandom().getrandbits(31),
    ) -> None:
        """
        @param lost: told once that the conversation is over.
        @param random: numbers by which both sides agree where they are.
        """
        self._clock = clock
        self._lost = lost
        self._random = random
        self._reader = LineReader(MAXIMUM)
        self._waiting: deque[_Call] = deque()
        self._current: _Call | None = None
        self._sync: int | None = None
        self._synced = False
        self._timer: Any = None
        self._over = False
        self.broken = False

    def execute(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = SYNC_TIMEOUT,
        awaits: str | None = None,
    ) -> Deferred[Any]:
        """
        Have the agent do something.

        @param awaits: what happens to the guest once the agent has done it, which answers the command as well: an
            agent whose guest goes has no time to answer.

        @param timeout: seconds that it may take once both sides agree where they are; None: as long as it likes;
            0: say that it was late at once.
        @return: fires with what the command returns.  Fails with L{AgentFailed}
            or C{AGENT_UNRESPONSIVE}.
        """
        message: dict[str, Any] = {"execute": command}
        if arguments:
            message["arguments"] = arguments
        return self._submit(_Call(command, encode(message), timeout, False, awaits))

    def pass_(self, message: Any, *, timeout: float | None) -> Deferred[Any]:
        """Say what somebody else has written; fires with the whole reply."""
        command = message.get("execute") if isinstance(message, dict) else None
        name = command if isinstance(command, str) else "<unknown>"
        return self._submit(_Call(name, encode(message), timeout, True))

    def _submit(self, call: _Call) -> Deferred[Any]:
        answer = call.answer
        assert answer is not None
        if self._over:
            call.fail(unresponsive("QEMU guest agent is not connected"))
        elif self.broken:
            call.fail(unresponsive(BROKEN))
        elif len(self._waiting) >= 256:
            call.fail(unresponsive("too many commands wait for the QEMU guest agent"))
        else:
            self._waiting.append(call)
            self._next()
        return answer

    def _next(self) -> None:
        while self._current is None and self._waiting:
            call = self._waiting.popleft()
            if call.answer is None:
                continue
            self._current = call
            if self._synced:
                self._say()
            else:
                self._synchronise()

    def _synchronise(self) -> None:
        self._sync = self._random()
        transport: Any = self.transport
        self._timer = self._clock.callLater(SYNC_TIMEOUT, self._late)
        # The byte that no JSON has makes the agent forget a command that was cut off.
        transport.write(
            b"\xff" + encode({"execute": "guest-sync-delimited", "arguments": {"id": self._sync}})
        )

    def _say(self) -> None:
        call = self._current
        assert call is not None
        transport: Any = self.transport
        if call.timeout:
            self._timer = self._clock.callLater(call.timeout, self._late)
        transport.write(call.message)
        if call.timeout == 0:
            # Its answer, if one comes, is met by the next synchronisation.
            self._late()

    def _late(self) -> None:
        self._timer = None
        call, self._current = self._current, None
        asked = self._synced
        self._synced, self._sync = False, None
        assert call is not None
        call.fail(AgentLate() if asked else unresponsive("Guest agent not available for now"))
        self._next()

    def dataReceived(self, data: bytes) -> None:
        """Read what came."""
        if self._over or self.broken:
            return
        if b"\xff" in data:
            # What came before belongs to another conversation.
            self._reader.clear()
            data = data[data.rindex(b"\xff") + 1 :]
        try:
            for message in self._reader.receive(data):
                self._received(message)
        except Nonsense as problem:
            if self._sync is not None:
                # Half of a message to somebody else; we have not begun to listen.
                self._reader.clear()
                return
            self._break(_complaint(problem))

    def _break(self, error: VirtError) -> None:
        """An agent that makes no sense is not asked any more until the guest opens its channel again."""
        log.warn("The guest agent makes no sense: {problem}", problem=error.message)
        self.broken = True
        self._reader.clear()
        calls = [*([self._current] if self._current else ()), *self._waiting]
        self._stopTimer()
        self._current = None
        self._waiting.clear()
        for call in calls:
            call.fail(error)

    def _received(self, message: dict[str, Any]) -> None:
        if self._current is None:
            return
        if self._sync is not None:
            told = message.get("return")
            if type(told) is int and told == self._sync:
                self._sync, self._synced = None, True
                self._stopTimer()
                self._say()
            return
        if "error" in message:
            error = message["error"]
            self._settle(lambda call: call.fail(AgentFailed(call.command, error)))
        elif "return" in message:
            value = message if self._current.raw else message["return"]
            self._settle(lambda call: call.succeed(value))
        elif "event" not in message and "QMP" not in message:
            text = json.dumps(message)
            self._break(
                virtError(
                    ErrorCode.INTERNAL_ERROR, f"Unknown JSON reply '{text}'", ErrorDomain.QEMU
                )
            )

    def _settle(self, how: Callable[[_Call], None]) -> None:
        self._stopTimer()
        call, self._current = self._current, None
        if call is not None:
            how(call)
        self._next()

    def _stopTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def happened(self, what: str) -> None:
        """Be told what has happened to the guest, which somebody may wait for."""
        call = self._current
        if call is not None and call.awaits == what:
            # If the agent does answer, that is met by the next synchronisation.
            self._synced, self._sync = False, None
            self._settle(lambda call: call.succeed(None))

    def close(self) -> None:
        """Hang up: whoever waited for the guest to go has what was waited for."""
        call = self._current
        if call is not None and call.awaits is not None and not self._over:
            call.succeed(None)
        self._end(unresponsive("Guest agent disappeared while executing command"))
        if self.transport is not None:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The guest's end is gone."""
        self._end(
            virtError(ErrorCode.INTERNAL_ERROR, "End of file from agent socket", ErrorDomain.QEMU)
        )
        lost, self._lost = self._lost, lambda: None
        lost()

    def _end(self, error: VirtError) -> None:
        if self._over:
            return
        self._over = True
        self._stopTimer()
        calls = [*([self._current] if self._current else ()), *self._waiting]
        self._current = None
        self._waiting.clear()
        for call in calls:
            call.fail(error)
