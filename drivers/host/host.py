"""
What the host's drivers share: L{Host}.

It knows nothing of connections.  Operations are grouped in components, one object per contract, which serve every
connection.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface.interface import InterfaceClass

from pyvirt.drivers.background import Background
from pyvirt.drivers.events import EventHub
from pyvirt.drivers.host.components import componentClass
from pyvirt.drivers.host.layout import HostLayout
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.hooks import Hooks
from pyvirt.process import IProcesses

__all__ = ["Host"]

log = Logger()


class Host(Background):
    """
    One host, seen by the system or by a user.

    @ivar clock: the reactor: time, threads and connections.
    @ivar privileged: whether we may change what belongs to the machine.
    @ivar random: makes up UUIDs and hardware addresses.
    """

    def __init__(
        self,
        *,
        reactor: Any,
        processes: IProcesses,
        layout: HostLayout,
        privileged: bool,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.clock = reactor
        self.processes = processes
        self.layout = layout
        self.privileged = privileged
        self.random = random
        self.hub = EventHub()
        self.hooks = Hooks(processes, layout.hooks)
        self.stopping = False
        self._made: dict[Any, object] = {}
        self._loading: dict[Any, Deferred[None]] = {}
        super().__init__()

    def component(self, interface: InterfaceClass) -> object | None:
        """
        Return what does the operations of a contract, None if nothing does.

        What it has on disk is read when it is made.
        """
        found = componentClass(interface)
        if found is None:
            return None
        made = self._made.get(found)
        if made is None:
            made = self._made[found] = found(self)
            load = getattr(made, "load", None)
            if load is not None:
                self._loading[found] = Deferred.fromCoroutine(
                    _answered(load, "{family} cannot start", found.__name__)
                )
        return made

    async def start(self, interface: InterfaceClass) -> None:
        """Make what does the operations of a contract, and wait until it has read what it has on disk."""
        self.component(interface)
        loading = self._loading.pop(componentClass(interface), None)
        if loading is not None:
            await loading

    async def reload(self) -> None:
        """Have what there is read again what it has on disk."""
        for found, component in list(self._made.items()):
            loading = self._loading.pop(found, None)
            if loading is not None:
                await loading
            reload = getattr(component, "reload", None)
            if reload is not None:
                await _answered(reload, "{family} did not reload", found.__name__)

    def made(self) -> list[Any]:
        """What there is, in the order in which it was made."""
        return list(self._made.values())

    def tell(self, kind: EventKind, eventID: int, ref: Any, key: Any, *details: Any) -> None:
        """Tell an event about what is known by C{key}."""
        self.hub.emit(Event(kind, eventID, ref, details), key)

    def thread(self, work: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Do in a thread what may wait for a disk."""
        from twisted.internet.threads import deferToThreadPool

        return deferToThreadPool(self.clock, self.clock.getThreadPool(), work, *arguments)


async def _answered(work: Callable[[], Any], complaint: str, name: str) -> None:
    # One that cannot leaves the others alone, as in libvirt each has a daemon of its own.
    try:
        answer = work()
        if answer is not None:
            await answer
    except Exception:
        log.failure(complaint, family=name)
