"""
Waiting for several things that are under way at the same time: L{allOf}.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

__all__ = ["allOf"]

_T = TypeVar("_T")


async def allOf(work: Iterable[Coroutine[Deferred[Any], Any, _T]]) -> list[_T]:
    """
    Do several things at the same time.

    @return: what each returned, in their order.  The first that fails fails all: nobody waits for the others then.
    """
    running = [Deferred.fromCoroutine(each) for each in work]
    try:
        return [await each for each in running]
    except BaseException:
        for each in running:
            each.addErrback(lambda _: None)
            each.cancel()
        raise
