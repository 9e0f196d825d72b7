"""
Who hears which events: callback ids of our own, and one registration with the driver for all that share it.

Source: libvirt's own client: ids count up over all kinds of events and are not given again; an event and
object already heard costs nothing on the wire; the same callback twice is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pyvirt.client.events import EventQueue
from pyvirt.drivers.interfaces.calling import ICaller
from pyvirt.drivers.interfaces.events import Event, EventKind, ISubscription
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["EventRegistry"]

_log = Logger()


class _Listening(NamedTuple):
    """One callback."""

    id: int
    channel: _Channel
    callback: Any
    deliver: Callable[[Event], Any]


class _Channel:
    """One registration with the driver, and the callbacks that share it, in order of registration."""

    def __init__(self, key: tuple[Any, ...]) -> None:
        self.key = key
        self.listening: dict[int, _Listening] = {}
        self.subscription: ISubscription | None = None
        self.pending: Deferred[None] | None = None


class EventRegistry:
    """The callbacks of one connection."""

    def __init__(self, caller: ICaller, queue: EventQueue, unknown: str) -> None:
        """
        @param unknown: how to say that there is no callback C{{}}; libvirt's drivers differ in it.
        """
        self._caller = caller
        self._queue = queue
        self._unknown = unknown
        self._nextID = 0
        self._channels: dict[tuple[Any, ...], _Channel] = {}
        self._callbacks: dict[int, _Listening] = {}

    async def register(
        self,
        kind: EventKind,
        eventID: int,
        ref: Any,
        target: Any,
        callback: Any,
        deliver: Callable[[Event], Any],
    ) -> int:
        """
        Have C{deliver} called for each event.

        @param target: what tells the object from others: its UUID, or name; None: all objects.
        @param callback: the user's, for telling whether it is there twice.
        @return: the callback's id.
        @raise VirtError: this callback is there already (C{INVALID_ARG}); or the driver refuses.
        """
        return await self._register(
            (kind, eventID, target),
            callback,
            deliver,
            lambda listener: self._caller.subscribe(kind, eventID, ref, listener),
        )

    async def registerMonitor(
        self,
        ref: Any,
        target: Any,
        event: str | None,
        flags: int,
        callback: Any,
        deliver: Callable[[Event], Any],
    ) -> int:
        """As L{register}, for events of the monitor."""
        return await self._register(
            (EventKind.MONITOR, 0, target, event, flags),
            callback,
            deliver,
            lambda listener: self._caller.subscribeMonitor(ref, event, flags, listener),
        )

    async def _register(
        self,
        key: tuple[Any, ...],
        callback: Any,
        deliver: Callable[[Event], Any],
        subscribe: Callable[[Callable[[Event], None]], Any],
    ) -> int:
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = _Channel(key)
        elif any(each.callback == callback for each in channel.listening.values()):
            raise virtError(
                ErrorCode.INVALID_ARG, "event callback already tracked", ErrorDomain.NONE
            )
        number = self._nextID
        self._nextID += 1
        listening = _Listening(number, channel, callback, deliver)
        channel.listening[number] = self._callbacks[number] = listening
        try:
            if channel.pending is not None:
                await _after(channel.pending)
            known: Any = channel.subscription
            if known is None:
                await self._subscribe(channel, subscribe)
            elif getattr(known, "silent", False):
                # A connection that healed itself was refused it; whoever asks now is told why.
                await self._subscribe(channel, lambda listener: known.renew())
        except BaseException:
            self._drop(listening)
            raise
        return number

    async def _subscribe(self, channel: _Channel, subscribe: Callable[..., Any]) -> None:
        channel.pending = Deferred()
        try:
            answer = subscribe(lambda event: self._heard(channel, event))
            if hasattr(answer, "__await__"):
                answer = await answer
            channel.subscription = answer
        finally:
            pending, channel.pending = channel.pending, None
            pending.callback(None)

    def _heard(self, channel: _Channel, event: Event) -> None:
        for listening in channel.listening.values():
            self._queue.put(lambda listening=listening: self._deliver(listening, event))  # type: ignore[misc]

    def _deliver(self, listening: _Listening, event: Event) -> Any:
        if listening.id in self._callbacks:
            return listening.deliver(event)
        return None

    def _drop(self, listening: _Listening) -> bool:
        """Forget a callback; return whether it was the last of its registration."""
        channel = listening.channel
        self._callbacks.pop(listening.id, None)
        channel.listening.pop(listening.id, None)
        if channel.listening:
            return False
        if self._channels.get(channel.key) is channel:
            del self._channels[channel.key]
        return True

    async def deregister(self, number: int, kind: EventKind) -> None:
        """
        Call a callback no more, not even for events that wait.

        @raise VirtError: there is no such callback (C{INVALID_ARG}); or the driver refuses.
        """
        listening = self._callbacks.get(number)
        if listening is None or listening.channel.key[0] is not kind:
            raise virtError(
                ErrorCode.INVALID_ARG,
                self._unknown.format(number),
                ErrorDomain.NONE,
            )
        if self._drop(listening):
            channel = listening.channel
            if channel.pending is not None:
                await _after(channel.pending)
            if channel.subscription is not None and not channel.listening:
                answer: Any = channel.subscription.cancel()
                if hasattr(answer, "__await__"):
                    await answer

    def forget(self) -> None:
        """Forget everything; the connection is closed."""
        self._callbacks.clear()
        self._channels.clear()


def _after(pending: Deferred[None]) -> Deferred[None]:
    """Return a Deferred of its own that fires with C{pending}, which may have many who wait."""
    waiting: Deferred[None] = Deferred()

    def fired(result: None) -> None:
        waiting.callback(None)

    pending.addCallback(fired)
    return waiting
