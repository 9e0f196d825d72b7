"""
Asking whoever opens a connection for credentials, in the form of the Python binding: C{[types, callback, data]}.

The callback is given a tuple of lists C{[type, prompt, challenge, default, result]}, whose results it fills in, and
C{data}; it returns 0, or less than 0 to give up.  It may return a C{Deferred} or a coroutine for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from inspect import isawaitable
from typing import Any, NamedTuple

from twisted.logger import Logger

__all__ = ["Asked", "Credential", "readAuth"]

_log = Logger()

Credential = list[Any]
"""C{[type, prompt, challenge, default, result]}."""


class Asked(NamedTuple):
    """
    Somebody to ask.

    @ivar types: what can be asked for, C{VIR_CRED_*}, what is preferred first.
    @ivar callback: answers; None: nobody does.
    @ivar data: given to it.
    """

    types: Sequence[int] = ()
    callback: Any = None
    data: Any = None

    async def collect(self, wanted: Sequence[Credential]) -> int:
        """
        Have credentials filled in.

        @return: what the callback said; -1 if it failed, which is logged.
        """
        try:
            answer = self.callback(tuple(wanted), self.data)
            if isawaitable(answer):
                answer = await answer
        except Exception:
            _log.failure("The callback for credentials failed")
            return -1
        if answer is not None and not isinstance(answer, int):
            raise TypeError(f"the callback for credentials returned {answer!r}, which is no number")
        return answer or 0


def readAuth(auth: Any) -> Asked:
    """
    Read what C{openAuth} was given.

    @raise TypeError: it has another form.
    """
    if auth is None:
        return Asked()
    if not isinstance(auth, list | tuple) or len(auth) < 2:
        raise TypeError(f"credentials must be a list of types, callback and data, not {auth!r}")
    types, callback = auth[0], auth[1]
    if not isinstance(types, list | tuple) or not all(isinstance(each, int) for each in types):
        raise TypeError(f"types of credentials must be a list of integers, not {types!r}")
    if callback is not None and not callable(callback):
        raise TypeError(f"the callback for credentials is no callable: {callback!r}")
    return Asked(types, callback, auth[2] if len(auth) > 2 else None)
