"""
Work that nobody waits for: L{Background}.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

__all__ = ["Background"]

log = Logger()


class Background:
    """What was begun and is not over."""

    def __init__(self) -> None:
        self._running: set[Deferred[Any]] = set()

    def later(self, work: Coroutine[Deferred[Any], Any, Any]) -> None:
        """Do something that nobody waits for; if it fails that is logged."""
        running = Deferred.fromCoroutine(work)
        self._running.add(running)

        def over(result: Any) -> Any:
            self._running.discard(running)
            return result

        running.addBoth(over)
        running.addErrback(lambda failure: log.failure("Work in the background failed", failure))

    async def idle(self) -> None:
        """Wait until what was begun with L{later} is over."""
        while self._running:
            waiting: Deferred[None] = Deferred()
            next(iter(self._running)).addBoth(_pass, waiting)
            await waiting


def _pass(result: Any, waiting: Deferred[None]) -> Any:
    waiting.callback(None)
    return result
