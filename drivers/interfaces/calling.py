"""
The other way to be a driver's connection: one that takes procedures as they are.

The client speaks in procedures.  A connection that provides L{ICaller} passes them on; any other is asked
through the contracts of its operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import Interface

from pyvirt.drivers.interfaces.events import EventKind, ISubscription, Listener
from pyvirt.drivers.interfaces.values import Answer

if TYPE_CHECKING:
    from pyvirt.protocols.procedures import Procedure, Program


class ICaller(Interface):
    """Passes calls on to whoever answers them."""

    def call(
        program: Program,
        procedure: Procedure,
        arguments: tuple[Any, ...],
        fds: Sequence[int] = (),
    ) -> Answer[Any]:
        """
        Call a procedure without a stream.

        @param fds: descriptors that go with it; they stay the caller's.
        @return: its result; C{(result, fds)} if the reply carries descriptors, then the caller's to close.
        @raise VirtError: it is refused or failed.
        """

    def openStream(
        program: Program, procedure: Procedure, arguments: tuple[Any, ...]
    ) -> Answer[Any]:
        """
        Call a procedure with a stream.

        @return: its result and the far end of the stream, an C{IStreamSource}, C{IStreamSink} or both.
        """

    def subscribe(
        kind: EventKind, eventID: int, ref: Any, listener: Listener
    ) -> Answer[ISubscription]:
        """
        Call C{listener} for each event C{eventID} of C{ref}, None: of all objects of the kind.

        @return: the subscription; its C{cancel} may answer a Deferred, for the far side may refuse.
        """

    def subscribeMonitor(
        dom: Any, event: str | None, flags: int, listener: Listener
    ) -> Answer[ISubscription]:
        """As L{subscribe}, for events of the hypervisor's monitor."""

    def whenLost(listener: Callable[[int], None]) -> None:
        """Call C{listener} with a C{VIR_CONNECT_CLOSE_REASON_*} when the connection ends."""

    def setKeepAlive(interval: int, count: int) -> int:
        """
        Watch the peer from now on.

        @param interval: seconds; 0 or less: stop watching.
        @return: 0; 1 if the peer cannot be watched.
        """
