"""
A call that waits for a connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["Waiting"]


class Waiting:
    """
    A call that has not been made yet.

    @ivar answer: fires with its answer.  Cancelling it forgets the call, or its answer if it was made.
    """

    def __init__(self, act: Callable[[], Any], forget: Callable[[Waiting], Any]) -> None:
        """
        @param act: makes the call.
        @param forget: called when nobody waits for it any more.
        """
        self.answer: Deferred[Any] = Deferred(self._cancel)
        self._act = act
        self._forget = forget
        self._made: Deferred[Any] | None = None

    def _cancel(self, answer: Deferred[Any]) -> None:
        self._forget(self)
        if self._made is not None:
            self._made.cancel()

    def release(self) -> None:
        """Make the call."""
        if self.answer.called:
            return
        try:
            made = self._act()
        except Exception:
            self.answer.errback()
            return
        if isinstance(made, Deferred):
            self._made = made
            made.addBoth(self._answered)
        else:
            self.answer.callback(made)

    def fail(self, error: Exception) -> None:
        """The call will never be made."""
        if not self.answer.called:
            self.answer.errback(error)

    def _answered(self, result: Any) -> None:
        if self.answer.called:
            return
        if isinstance(result, Failure):
            self.answer.errback(result)
        else:
            self.answer.callback(result)
