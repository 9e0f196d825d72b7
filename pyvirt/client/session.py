"""
What all handles of one connection share: who answers calls, who hears events, how it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pyvirt.client.calls import Calls
from pyvirt.client.events import EventQueue
from pyvirt.client.local import LocalCaller
from pyvirt.client.registry import EventRegistry
from pyvirt.drivers.interfaces.calling import ICaller
from pyvirt.drivers.interfaces.driver import IConnection
from pyvirt.errors import ErrorCode, ErrorDomain, RPCError, virtError
from pyvirt.protocols.programs import LXC, QEMU, REMOTE

if TYPE_CHECKING:
    from pyvirt.protocols.programs.lxc import LXC as LXCStubs
    from pyvirt.protocols.programs.qemu import QEMU as QEMUStubs
    from pyvirt.protocols.programs.remote import Remote

__all__ = ["Session", "Stubs"]

_log = Logger()

FEATURE_TYPED_STRINGS = 9
FEATURE_CLOSE_CALLBACK = 15

CloseCallback = Callable[[int], object]


class Stubs:
    """
    The procedures as one view of a connection calls them.

    @ivar remote: the main program.
    @ivar qemu: what only QEMU has.
    @ivar lxc: what only LXC has.
    @ivar calls: the main program, with the ways to call that stubs cannot describe.
    """

    __slots__ = ("calls", "lxc", "lxcCalls", "qemu", "qemuCalls", "remote")

    def __init__(
        self,
        caller: ICaller,
        clock: IReactorTime,
        readOnly: bool | None,
        deadline: float | None = None,
    ) -> None:
        self.calls = Calls(caller, REMOTE, clock, readOnly, deadline)
        self.remote = cast("Remote", self.calls)
        self.qemuCalls = Calls(caller, QEMU, clock, readOnly, deadline)
        self.qemu = cast("QEMUStubs", self.qemuCalls)
        self.lxcCalls = Calls(caller, LXC, clock, readOnly, deadline)
        self.lxc = cast("LXCStubs", self.lxcCalls)


PEEK_MAX = 4 * 1024 * 1024
"""Bytes of a guest's disk or memory that an answer holds."""


class Session:
    """
    One open connection.

    @ivar connection: the driver's.
    @ivar caller: who answers calls.
    @ivar queue: events on their way to callbacks.
    @ivar events: who hears which events.
    @ivar closed: the user closed it.
    @ivar lifecycleCallbacks: callbacks registered in the oldest style, to their ids and opaque values.
    """

    def __init__(self, connection: IConnection, clock: IReactorTime, readOnly: bool) -> None:
        self.connection = connection
        self.clock = clock
        self.readOnly = readOnly
        self.closed = False
        self.caller = (
            cast(ICaller, connection)
            if ICaller.providedBy(connection)
            else LocalCaller(connection, readOnly)
        )
        # A driver in this process is asked through a router, which checks.
        remote: bool = getattr(connection, "checksHere", ICaller.providedBy(connection))
        self._checks = readOnly if remote else None
        unknown = (
            "event callback id {} not registered"
            if remote
            else "could not find event callback {} for deletion"
        )
        self.queue = EventQueue(clock, self.overflowed)
        self.events = EventRegistry(self.caller, self.queue, unknown)
        self._closeCallback: CloseCallback | None = None
        self._features: dict[int, bool] = {}
        self.renewed()
        self.lifecycleCallbacks: dict[Any, tuple[int, Any]] = {}
        self.caller.whenLost(self._lost)

    def stubs(self, deadline: float | None = None) -> Stubs:
        """Make the procedures, with a deadline or without."""
        return Stubs(self.caller, self.clock, self._checks, deadline)

    def renewed(self) -> None:
        """There is another far side: forget what was true of the one before."""
        # What was asked when the connection was opened is not asked again.
        self._features = dict.fromkeys(getattr(self.connection, "features", ()), True)

    async def feature(self, remote: Any, number: int) -> bool:
        """Whether the far side has a feature; asked once of each."""
        features = self._features
        known = features.get(number)
        if known is None:
            known = features[number] = bool(await remote.connectSupportsFeature(number))
            if features is not self._features:
                # The answer is of a far side that is no more, or of the one that came in its place.
                return await self.feature(remote, number)
        return known

    def checkPeek(self, what: str, size: int) -> None:
        """
        Refuse to look at more than one answer holds.

        @param what: C{block} or C{memory}.
        @raise VirtError: C{RPC}.
        """
        if self._checks is False and size > PEEK_MAX:
            raise RPCError(
                text := f"{what} peek request too large for remote protocol, {size} > {PEEK_MAX}",
                domain=ErrorDomain.REMOTE,
                str1="%s",
                str2=text,
            )

    def setCloseCallback(self, callback: CloseCallback) -> None:
        """
        Have C{callback} called with the reason when the connection is lost.

        @raise VirtError: there is one already (C{OPERATION_INVALID}).
        """
        if self._closeCallback is not None:
            raise virtError(
                ErrorCode.OPERATION_INVALID,
                "A close callback is already registered",
                ErrorDomain.REMOTE,
            )
        self._closeCallback = callback

    def dropCloseCallback(self) -> None:
        """
        Forget the callback.

        @raise VirtError: there is none (C{OPERATION_INVALID}).
        """
        if self._closeCallback is None:
            raise virtError(
                ErrorCode.OPERATION_INVALID,
                "A different callback was requested",
                ErrorDomain.REMOTE,
            )
        self._closeCallback = None

    def forgetCloseCallback(self) -> None:
        """Forget the callback, if there is one."""
        self._closeCallback = None

    def _lost(self, reason: int) -> None:
        callback, self._closeCallback = self._closeCallback, None
        if callback is not None:
            # Behind the events that came before it.
            self.queue.put(lambda: callback(reason), mustKeep=True)

    def overflowed(self) -> None:
        """The queue's policy is to give the connection up."""
        abort = getattr(self.connection, "abort", None)
        if abort is not None:
            abort()

    async def close(self) -> None:
        """Close for good: no callback is called any more."""
        if self.closed:
            return
        self.closed = True
        self._closeCallback = None
        self.events.forget()
        self.queue.stop()
        answer = self.connection.close()
        if answer is not None:
            await answer
