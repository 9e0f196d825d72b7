"""
The host that a connection sees: its domains and all else, and the clock it lives by.

A L{World} knows nothing of connections.  Operations are grouped in components, one class per contract, which
hold nothing themselves; one of each serves every connection to the world.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface.interface import InterfaceClass

from pyvirt import constants as c
from pyvirt.definitions.domain import (
    DomainDefinition,
    completed,
    formatDomain,
    parseDomain,
)
from pyvirt.definitions.uuids import randomUUID
from pyvirt.drivers.events import EventHub
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.drivers.interfaces.values import DomainRef, NodeInfo
from pyvirt.drivers.test.checks import check
from pyvirt.drivers.test.domain import Domain, DomainTable, Given
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.definitions.filterbinding import FilterBindingDefinition
    from pyvirt.definitions.interface import InterfaceDefinition
    from pyvirt.definitions.nodedev import NodeDeviceDefinition
    from pyvirt.definitions.nwfilter import FilterDefinition
    from pyvirt.drivers.test.hostinterfaces import HostInterface
    from pyvirt.drivers.test.networks import Network
    from pyvirt.drivers.test.pools import Pool
    from pyvirt.drivers.test.secrets import Secret
    from pyvirt.drivers.test.volumedata import VolumeData

__all__ = ["Cell", "World"]

Random = Callable[[int], bytes]

#: What the host is, where a file does not say otherwise.
NODE = NodeInfo("i686", 3145728, 16, 1400, 2, 2, 2, 2)


class Cell(NamedTuple):
    """A node of the host: memory in KiB, sizes of pages in KiB with how many there are, numbers of CPUs."""

    memory: int
    pages: tuple[tuple[int, int], ...]
    cpus: tuple[int, ...]


def _repeats(given: Given) -> bool:
    """Whether a number may be written that can be read but once: of VLANs, the native one."""
    return not callable(given) and any(
        each.vlan is not None and len(each.vlan.tags) > 1 for each in given.devices.interfaces
    )


class World:
    """
    One host with all that is on it.

    @ivar clock: tells the time, in seconds since 1970 where it is the reactor.
    @ivar random: makes up UUIDs and hardware addresses.
    @ivar node: what the host is.
    @ivar interfaceBackup: how the interfaces were when a change to them began, None if none did.
    @ivar secrets: by UUID.
    @ivar filters: network filters, by name.
    @ivar filterBindings: what filters are applied to, by the name of a device of the host.
    @ivar cells: its nodes of memory; none if it is described by a file.
    """

    def __init__(self, clock: IReactorTime, random: Random = os.urandom) -> None:
        self.clock = clock
        self.random = random
        self.hub = EventHub()
        self.node = NODE
        self.cells: tuple[Cell, ...] = ()
        self.domains = DomainTable()
        self.interfaceBackup: list[InterfaceDefinition] | None = None
        self.secrets: dict[bytes, Secret] = {}
        self.filters: dict[str, FilterDefinition] = {}
        self.filterBindings: dict[str, FilterBindingDefinition] = {}
        self._hostUUID: bytes | None = None
        self._waiting: set[IDelayedCall] = set()
        self._lastID = 0
        self._components: dict[InterfaceClass, object | None] = {}
        self._furniture: str | None = None

    def furnish(self, module: str) -> None:
        """
        Let a module put in their place the objects that are there from the beginning, when a family is first looked at.

        @param module: has a function for each family, called as that is here.
        """
        self._furniture = module

    def _placed(self, family: str) -> dict[str, Any]:
        # There from here on: whoever places its objects looks at it.
        found = self.__dict__[family] = {}
        if self._furniture is not None:
            getattr(import_module(self._furniture), family)(self)
        return found

    @cached_property
    def networks(self) -> dict[str, Network]:
        """Networks by name."""
        return self._placed("networks")

    @cached_property
    def pools(self) -> dict[str, Pool]:
        """Storage pools by name."""
        return self._placed("pools")

    @cached_property
    def interfaces(self) -> dict[str, HostInterface]:
        """Interfaces of the host by name."""
        return self._placed("interfaces")

    @cached_property
    def devices(self) -> dict[str, NodeDeviceDefinition]:
        """Devices of the host by name."""
        return self._placed("devices")

    def component(self, interface: InterfaceClass) -> object | None:
        """Return what does the operations of a contract, None if nothing does."""
        try:
            return self._components[interface]
        except KeyError:
            from pyvirt.drivers.test.components import componentClass

            made = componentClass(interface)
            component = self._components[interface] = None if made is None else made(self)
            return component

    def now(self) -> int:
        """Return the time in whole microseconds."""
        return int(self.clock.seconds() * 1000000)

    def later(self, seconds: float, act: Callable[[], None]) -> Callable[[], None]:
        """
        Do something in so many seconds, if this world still is then.

        @return: what calls it off; it may be called at any time.
        """

        def due() -> None:
            self._waiting.discard(call)
            act()

        def callOff() -> None:
            if call.active():
                self._waiting.discard(call)
                call.cancel()

        call = self.clock.callLater(seconds, due)
        self._waiting.add(call)
        return callOff

    def end(self) -> None:
        """Nobody is connected any more: let everything go that is still to happen, and what is open."""
        while self._waiting:
            self._waiting.pop().cancel()
        for domain in list(self.domains):
            domain.stopping()

    @property
    def hostUUID(self) -> bytes:
        """What tells this host from others; made up when it is first asked for."""
        if self._hostUUID is None:
            self._hostUUID = randomUUID(self.random)
        return self._hostUUID

    def volumeData(self, path: str) -> VolumeData | None:
        """Return what is in the volume at a path, None if no active pool has it."""
        for pool in self.pools.values():
            if pool.active:
                for volume in pool.volumes.values():
                    if volume.definition.target.path == path:
                        return volume.data
        return None

    # Domains

    def parse(self, xml: str, checked: bool = True) -> DomainDefinition:
        """
        Read the definition of a domain and complete it.

        @param checked: whether its parts must agree; they need not in what this host has saved.
        @raise VirtError: it is wrong.
        """
        definition = parseDomain(xml)
        if "/" in definition.name:
            raise virtError(
                ErrorCode.XML_ERROR,
                f"name {definition.name} cannot contain '/'",
                ErrorDomain.DOMAIN,
            )
        definition = completed(definition, random=self.random)
        if checked:
            check(definition)
        return definition

    def number(self, domain: Domain) -> None:
        """Give a domain the next number, as one that runs has."""
        self._lastID += 1
        self.domains.identify(domain, self._lastID)

    def start(self, domain: Domain, reason: int) -> None:
        """
        Let a domain run.

        @raise VirtError: what it was changed to is no definition; the number it was to run by is kept, as libvirt
            does.
        """
        self.number(domain)
        read = domain.asRead
        if read is not None and not _repeats(read):
            # It was read, so it can be read again, which need not be done before somebody wants to know.
            if domain.persistent and domain.pending is None:
                domain.pending = partial(self._later, read)
        elif domain.persistent and domain.pending is None:
            try:
                domain.pending = self.written(domain.definition)
            except VirtError:
                domain.state, domain.reason = c.VIR_DOMAIN_SHUTOFF, c.VIR_DOMAIN_SHUTOFF_FAILED
                raise
        domain.state, domain.reason = c.VIR_DOMAIN_RUNNING, reason

    def _later(self, given: Given) -> DomainDefinition:
        """Return what L{written} does, when somebody asks who can do nothing about what cannot be read again."""
        definition = given() if callable(given) else given
        try:
            return self.written(definition)
        except VirtError:
            return definition

    def written(self, definition: DomainDefinition) -> DomainDefinition:
        """
        Return a definition as it comes back when it is written and read.

        Disks whose bus was guessed are then in the order of their names, and limits that are none are gone.
        """
        xml = formatDomain(definition, secure=True, inactive=True)
        copy = completed(parseDomain(xml), random=self.random)
        return definition if copy == definition else copy

    def stop(self, domain: Domain, reason: int) -> DomainRef:
        """
        Let a domain run no more; it is what it was to be, from now on.

        @return: what others are to be told by that it stopped; one that is not defined keeps its number in it.
        """
        domain.stopping()
        told = domain.ref
        if domain.pending is not None:
            domain.definition, domain.pending = domain.pending, None
            told = told._replace(id=-1)
        domain.state = c.VIR_DOMAIN_SHUTOFF
        domain.reason = reason
        self.domains.identify(domain, -1)
        return told

    def tell(self, domain: Domain, event: int, detail: int, ref: DomainRef | None = None) -> None:
        """
        Tell of a domain's life, with C{VIR_DOMAIN_EVENT_*} and its detail.

        @param ref: what it was known by when that happened, if that is not what it is known by now.
        """
        self.hub.emit(
            Event(
                EventKind.DOMAIN,
                c.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                domain.ref if ref is None else ref,
                (event, detail),
            ),
            domain.uuid,
        )

    def tellDomain(self, domain: Domain, eventID: int, *details: Any) -> None:
        """Tell of something else about a domain: C{VIR_DOMAIN_EVENT_ID_*}."""
        self.hub.emit(Event(EventKind.DOMAIN, eventID, domain.ref, details), domain.uuid)
