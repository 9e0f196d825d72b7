"""
Passing events of QEMU's monitor on to those who listen to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from pyvirt import constants as c
from pyvirt.drivers.interfaces.events import (
    Event,
    EventKind,
    IDomainEvents,
    IMonitorEvents,
    ISubscription,
    Listener,
)
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.qemu.qmp import MonitorEvent
from pyvirt.drivers.qemu.refusals import checkFlags, invalidArgument

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.domain import Domain
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["Events", "passOn"]

_REGEX = c.VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX
_NOCASE = c.VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_NOCASE


def passOn(hypervisor: Hypervisor, domain: Domain, event: MonitorEvent) -> None:
    """Tell those who listen."""
    if not hypervisor.hub.wanted(EventKind.MONITOR, 0, domain.uuid):
        return
    details = json.dumps(event.data, separators=(",", ":")) if event.data else None
    told = (event.name, event.seconds, event.micros, details)
    hypervisor.hub.emit(Event(EventKind.MONITOR, 0, domain.ref, told), domain.uuid)


@implementer(IDomainEvents, IMonitorEvents)
class Events:
    """Subscribes to what the driver tells."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hub = hypervisor.hub

    def domainEventSubscribe(
        self, eventID: int, dom: DomainRef | None, listener: Listener
    ) -> ISubscription:
        """Hear of domains."""
        return self._hub.subscribe(EventKind.DOMAIN, eventID, dom and dom.uuid, listener)

    def monitorEventSubscribe(
        self, dom: DomainRef | None, event: str | None, flags: int, listener: Listener
    ) -> ISubscription:
        """Hear of what QEMU's monitors tell."""
        checkFlags("qemuConnectDomainQemuMonitorEventRegister", flags, _REGEX | _NOCASE)
        matches = _matcher(event, flags)

        def hear(told: Event) -> None:
            if matches(told.details[0]):
                listener(told)

        return self._hub.subscribe(EventKind.MONITOR, 0, dom and dom.uuid, hear)


def _matcher(event: str | None, flags: int) -> Callable[[str], bool]:
    if event is None:
        return lambda name: True
    if flags & _REGEX:
        if len(event) > 4096:
            raise invalidArgument("the pattern is too long")
        try:
            pattern = re.compile(event, re.IGNORECASE if flags & _NOCASE else 0)
        except (re.error, RecursionError) as problem:
            raise invalidArgument(f"failed to compile regex '{event}': {problem}") from None
        return lambda name: pattern.search(name) is not None
    if flags & _NOCASE:
        folded = event.lower()
        return lambda name: name.lower() == folded
    return lambda name: name == event
