"""
Coroutines as methods that return a running C{Deferred}.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred

__all__ = ["deferred"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


def deferred(
    function: Callable[_P, Coroutine[Deferred[Any], Any, _T]],
) -> Callable[_P, Deferred[_T]]:
    """Have C{function} start at once and return a C{Deferred}, so that it runs without C{await} too."""

    @wraps(function)
    def start(*args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        return Deferred.fromCoroutine(function(*args, **kwargs))

    return start
