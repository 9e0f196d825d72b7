"""
Who hears of what: L{EventHub}, which drivers use to keep the event contracts.

Listeners are kept per event and object, so that telling costs what is listened to and not what is registered;
they hear in the order in which they subscribed, those of one object and those of all objects alike.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from pyvirt.drivers.interfaces.events import Event, EventKind, ISubscription, Listener

__all__ = ["EventHub", "Subscription"]

log = Logger()

_Slot = tuple[EventKind, int, Any]


@implementer(ISubscription)
class Subscription:
    """One listener of one event."""

    __slots__ = ("_hub", "_slot", "listener", "number")

    def __init__(self, hub: EventHub, slot: _Slot, number: int, listener: Listener) -> None:
        self._hub: EventHub | None = hub
        self._slot = slot
        self.number = number
        self.listener = listener

    @property
    def active(self) -> bool:
        """Whether it still hears."""
        return self._hub is not None

    def cancel(self) -> None:
        """Hear no more, not even of an event that is being told; doing it again changes nothing."""
        hub, self._hub = self._hub, None
        if hub is not None:
            hub._remove(self._slot, self)


class EventHub:
    """Tells events to those who asked for them."""

    __slots__ = ("_numbers", "_slots")

    def __init__(self) -> None:
        self._slots: dict[_Slot, dict[Subscription, None]] = {}
        self._numbers = count()

    def __len__(self) -> int:
        """Return how many subscriptions there are."""
        return sum(map(len, self._slots.values()))

    def subscribe(
        self, kind: EventKind, eventID: int, key: Any, listener: Listener
    ) -> Subscription:
        """
        Call C{listener} for each event C{eventID} of the kind, from the next one on.

        @param key: what the object is known by, as L{emit} is told; None: of all objects.
        """
        slot = (kind, eventID, key)
        subscription = Subscription(self, slot, next(self._numbers), listener)
        self._slots.setdefault(slot, {})[subscription] = None
        return subscription

    def wanted(self, kind: EventKind, eventID: int, key: Any) -> bool:
        """Whether anybody would hear of the event: what costs to describe need not be described for nobody."""
        return (kind, eventID, None) in self._slots or (kind, eventID, key) in self._slots

    def emit(self, event: Event, key: Any) -> None:
        """
        Tell an event to all who listen now.

        A listener that fails is logged, and the others hear all the same.

        @param key: what the event's object is known by.
        """
        kind, eventID = event[0], event[1]
        everyone = self._slots.get((kind, eventID, None))
        some = self._slots.get((kind, eventID, key))
        if everyone is None and some is None:
            return
        if everyone is None or some is None:
            listening = list(everyone or some or ())
        else:
            listening = sorted((*everyone, *some), key=_number)
        for subscription in listening:
            if subscription.active:
                try:
                    subscription.listener(event)
                except Exception:
                    log.failure("A listener failed to hear {event}", event=event)

    def _remove(self, slot: _Slot, subscription: Subscription) -> None:
        group = self._slots[slot]
        del group[subscription]
        if not group:
            del self._slots[slot]


def _number(subscription: Subscription) -> int:
    return subscription.number
