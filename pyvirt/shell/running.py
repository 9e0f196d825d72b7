"""
Where the shell meets the reactor: running one coroutine to its end, Ctrl-C, and opening connections.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorCore, IReactorFromThreads

    from pyvirt.client.connect import Connect
    from pyvirt.drivertable import DriverTable
    from pyvirt.shell.session import Session

__all__ = ["openConnection", "runInReactor"]

#: What ends a process that Ctrl-C interrupts, as a shell sees it.
INTERRUPTED = 128 + signal.SIGINT


def runInReactor(session: Session, work: Coroutine[Deferred[Any], Any, int]) -> int:
    """
    Run a coroutine in the reactor until it ends.

    @return: what it returned, or 1 after an unexpected error, which is reported.
    """
    from twisted.internet import reactor as running

    reactor = cast("IReactorCore", running)
    results: list[int] = []

    def finished(result: int | Failure) -> None:
        if isinstance(result, Failure):
            session.report(f"internal error: {result.getErrorMessage() or result.type}")
            if session.settings.debug < 4:
                result.printTraceback(sys.stderr)
            results.append(1)
        else:
            results.append(result)
        reactor.stop()

    def start() -> None:
        Deferred.fromCoroutine(work).addBoth(finished)

    def interrupt(number: int, frame: object) -> None:
        handler = session.interrupted
        if handler is None:
            session.streams.flush()
            os._exit(INTERRUPTED)
        session.interrupted = None
        cast("IReactorFromThreads", reactor).callFromThread(handler)

    reactor.callWhenRunning(start)
    reactor.addSystemEventTrigger(
        "after", "startup", lambda: signal.signal(signal.SIGINT, interrupt)
    )
    reactor.run()
    return results[0] if results else 1


def openConnection(uri: str | None, readOnly: bool) -> Deferred[Connect]:
    """Open a connection, asking on the terminal for what authentication needs."""
    from pyvirt.client.opening import openAuth

    flags = READ_ONLY if readOnly else 0
    return openAuth(uri, [_CREDENTIALS, _askForCredentials, None], flags, table=_table(uri))


def _table(uri: str | None) -> DriverTable | None:
    """
    Give a table with the remote driver alone for a URI that names a transport; None means all drivers.

    No local driver takes such a URI, and loading them all would cost half of our time to start.
    """
    if uri is None or "+" not in uri.partition(":")[0]:
        return None
    from twisted.internet import reactor

    from pyvirt.drivers.remote import factory
    from pyvirt.drivertable import DriverTable

    return DriverTable(reactor, [factory()])


READ_ONLY = 1

#: Credential types that a terminal can give: language, name, pass phrase, and prompts of three kinds.
_CREDENTIALS = [2, 3, 4, 5, 6, 7, 8]


def _askForCredentials(credentials: list[list[Any]], user: object) -> int:
    """
    Ask for each credential.

    @return: 0, or -1 when the user will not say.
    """
    import getpass

    for credential in credentials:
        kind, prompt = credential[0], credential[1]
        try:
            if kind in (2, 3, 4, 6, 8):
                answer = input(f"{prompt}: ")
            else:
                answer = getpass.getpass(f"{prompt}: ")
        except EOFError:
            return -1
        credential[4] = answer if answer else (credential[3] or "")
    return 0
