"""
Questions to polkit, asked through C{pkcheck}: whether a client may come in, and whether it may do something.

A question is about a process with its start time and its user, so that another process which gets the number of
one that has ended is not taken for it.  Each ends by itself: one that takes too long, or that nobody waits for any
more, is a refusal, and its program is killed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pyvirt.daemon.access.objects import Target
from pyvirt.daemon.identity import Identity
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import Command, IProcesses

__all__ = ["Polkit", "PolkitPolicy", "Run", "runner"]

_ACTION = "org.libvirt.unix."
_API = "org.libvirt.api."
_AT_ONCE = 8
"""Questions that are asked at the same time; others wait."""
_REMEMBERED = 1.0
"""Seconds for which the answer to a question about an object stands."""
_DEADLINE = 30.0
"""Seconds that a question about an object may take; nobody is asked for a password."""
_LOGIN_DEADLINE = 120.0
"""Seconds that somebody has to type a password."""
_OUTPUT = 65536

Run = Callable[[Sequence[str], float], "Deferred[tuple[int, bytes]]"]
"""
Runs a command for so many seconds at most: fires with its status (minus a signal) and what it said on standard
error.  Cancelling kills it.
"""

log = Logger()


def runner(processes: IProcesses) -> Run:
    """Make what runs commands out of what runs all of ours."""

    def run(argv: Sequence[str], deadline: float) -> Deferred[tuple[int, bytes]]:
        command = Command(argv=tuple(argv), deadline=deadline, statuses=None, outputLimit=_OUTPUT)
        return processes.run(command).addCallback(lambda done: (done.status, done.errors))

    return run


class Polkit:
    """Asks polkit."""

    def __init__(self, run: Run, program: str = "/usr/bin/pkcheck") -> None:
        self._run = run
        self._program = program
        self._asking = 0
        self._waiting: deque[Deferred[None]] = deque()

    async def check(
        self,
        action: str,
        identity: Identity,
        details: Sequence[tuple[str, str]] = (),
        *,
        interactive: bool = False,
        deadline: float = _DEADLINE,
    ) -> None:
        """
        Ask whether somebody may do something.

        @param interactive: whether somebody may be asked for a password.
        @raise VirtError: C{AUTH_FAILED} no; C{AUTH_UNAVAILABLE} only with a password, which nobody is there to
            ask for; C{AUTH_CANCELLED} nobody typed one; C{INTERNAL_ERROR} polkit cannot say.
        """
        if identity.processID is None or identity.processTime is None or identity.userID is None:
            raise _problem("no UNIX process is known to ask polkit about")
        argv = [
            self._program,
            *("--action-id", action),
            *("--process", f"{identity.processID},{identity.processTime},{identity.userID}"),
        ]
        for name, value in details:
            argv += ["--detail", name, value]
        if interactive:
            argv.append("--allow-user-interaction")
        if self._asking >= _AT_ONCE:
            turn: Deferred[None] = Deferred(self._waiting.remove)
            self._waiting.append(turn)
            await turn
        self._asking += 1
        try:
            status, said = await self._run(argv, deadline)
        except CancelledError:
            raise
        except Exception as problem:
            raise _problem(f"polkit did not answer: {type(problem).__name__}") from None
        finally:
            self._asking -= 1
            if self._waiting:
                self._waiting.popleft().callback(None)
        if status == 0:
            return
        if status == 1:
            raise _failure(ErrorCode.AUTH_FAILED, "access denied by policy")
        if status == 2:
            raise _failure(
                ErrorCode.AUTH_UNAVAILABLE,
                f"no polkit agent available to authenticate action '{action}'",
            )
        if status == 3:
            raise _failure(ErrorCode.AUTH_CANCELLED, "user cancelled authentication process")
        text = said.decode(errors="replace").strip()
        log.error("pkcheck ended with {status}: {text}", status=status, text=text)
        raise _problem("polkit cannot be asked, the daemon's log tells why")

    def logIn(self, identity: Identity, readOnly: bool) -> Deferred[None]:
        """
        Ask whether a client may come in.

        @raise VirtError: as L{check}.
        """
        action = _ACTION + ("monitor" if readOnly else "manage")
        return Deferred.fromCoroutine(
            self.check(action, identity, interactive=True, deadline=_LOGIN_DEADLINE)
        )


def _failure(code: int, text: str) -> VirtError:
    return virtError(code, text, ErrorDomain.POLKIT)


def _problem(text: str) -> VirtError:
    return _failure(ErrorCode.INTERNAL_ERROR, text)


class PolkitPolicy:
    """Answers questions of access as polkit does; a question that was asked a moment ago is not asked again."""

    def __init__(self, polkit: Polkit, clock: IReactorTime) -> None:
        self._polkit = polkit
        self._clock = clock
        self._answers: dict[Any, tuple[float, bool]] = {}
        self._asked: dict[Any, list[Deferred[bool]]] = {}

    def allows(self, identity: Identity, permission: str, target: Target) -> bool | Deferred[bool]:
        """Ask polkit."""
        action = f"{_API}{target.kind}.{permission}".replace("_", "-")
        key = (action, identity, target.driver, target.details)
        known = self._answers.get(key)
        if known is not None and known[0] > self._clock.seconds():
            return known[1]
        answer: Deferred[bool] = Deferred()
        waiting = self._asked.get(key)
        if waiting is not None:
            waiting.append(answer)
            return answer
        self._asked[key] = [answer]
        details = [("connect_driver", target.driver), *target.details]
        Deferred.fromCoroutine(self._ask(key, action, identity, details))
        return answer

    async def _ask(
        self, key: Any, action: str, identity: Identity, details: Sequence[tuple[str, str]]
    ) -> None:
        allowed = False
        try:
            await self._polkit.check(action, identity, details)
            allowed = True
        except VirtError as error:
            if error.code not in (ErrorCode.AUTH_FAILED, ErrorCode.AUTH_UNAVAILABLE):
                log.warn("{who}: {problem}", who=identity.describe(), problem=error)
        except Exception:
            log.failure("asking polkit failed")
        now = self._clock.seconds()
        if len(self._answers) > 5000:
            self._answers.clear()
        self._answers[key] = (now + _REMEMBERED, allowed)
        for each in self._asked.pop(key):
            if not each.called:
                each.callback(allowed)

    def made(self, identity: Identity, target: Target) -> None:
        """Polkit remembers nothing."""

    def removed(self, target: Target) -> None:
        """Polkit remembers nothing."""
