"""
The one hook for connections that are meant to fail: faults that no honest driver can cause.

A driver's failure is a C{VirtError}.  A connection that breaks, a reply that stops in the middle or never comes are
not the driver's to cause, so a driver that exists to test others needs a way to ask whoever holds the client's
connection for them.  A connection that has the component L{IInterceptor} is asked once for each procedure that
its client calls; any other costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import Enum
from typing import Any, NamedTuple

from zope.interface import Interface

from pyvirt.drivers.interfaces.driver import IConnection


class Breakage(Enum):
    """
    What becomes of a reply.

     - C{CLOSED}: nothing of it is sent, and the connection is closed.
     - C{CUT}: only its first bytes are sent, and the connection is closed.
     - C{GARBLED}: its header is right, what follows is not what the procedure answers.
     - C{NOISE}: bytes that are no packet are sent in its place, and the connection is closed.
     - C{SILENCE}: nothing is sent on the connection any more, not even answers to keepalives; it stays open.
    """

    CLOSED = "closed"
    CUT = "cut"
    GARBLED = "garbled"
    NOISE = "noise"
    SILENCE = "silence"


class BrokenReply(NamedTuple):
    """
    What an intercepted call answers in place of its result, in a C{Deferred} only.

    @ivar value: the result that would have been sent, for C{CUT}; else None.
    @ivar how: what is sent instead.
    @ivar noise: bytes for C{GARBLED} and C{NOISE}.
    @ivar share: for C{CUT}: how much of the reply is sent, 0 to 1.
    """

    value: Any
    how: Breakage
    noise: bytes = b""
    share: float = 0.5


Handler = Callable[..., Any]
"""Is called with the arguments of a call and the descriptors that came with it; answers or raises as a router's."""


CallNames = Callable[[], Collection[str]]
"""
Returns every name by which L{IInterceptor.intercept} and subscribing may be told of a call, for drivers that are told by
their users which calls are meant; C{OpenContext.callNames} is one.
"""


class IInterceptor(Interface):
    """
    Stands between a client's calls and its connection.

    Only a driver that injects faults on purpose provides it, through C{component} of its connections.
    """

    def intercept(procedure: str, method: str | None, handler: Handler) -> Handler:
        """
        Return what is called in the place of C{handler} from now on.

        What the public functions and read-only connections refuse is refused before it is called.

        @param procedure: the procedure's name (C{domainCreate}).
        @param method: the name of the contract's method that answers it (C{domainCreateWithFlags}), None if the
            connection itself does.
        @return: a function like C{handler}, which may also answer with a C{Deferred} of a L{BrokenReply}.
        """

    def abandoned() -> None:
        """The client is gone: end every call of its that waits."""


def interceptorOf(connection: IConnection) -> Any:
    """Return what stands before a connection's calls, None for all that are honest."""
    found: Any = connection.component(IInterceptor)
    return found if IInterceptor.providedBy(found) else None
