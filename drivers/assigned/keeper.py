"""
Who has which device of the host: L{AssignedDevices}.

A PCI device that is kept for guests is I{inactive}: bound to C{vfio-pci}, whoever asked for that.  While a guest has it,
it is I{active}.  Devices that are managed go to the driver for guests when one starts, and back to their own afterwards;
others are left where they are.  Several devices are taken together, or none of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import attrs
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from zope.interface import implementer

from pyvirt.drivers.assigned.netconfig import Card, FunctionKeeper
from pyvirt.drivers.assigned.pci import PCIBus
from pyvirt.drivers.interfaces.inside import IAssignedDevices
from pyvirt.drivers.refusals import internal, operationInvalid
from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.process import Command

__all__ = ["STUB", "AssignedDevices", "Holder", "Wanted"]

log = Logger()

_DOMAIN = ErrorDomain.NONE

STUB = "vfio-pci"


@attrs.frozen
class Holder:
    """Who has devices: a driver, and one of its domains."""

    driver: str
    domain: str

    def __str__(self) -> str:
        return f"driver {self.driver}, domain {self.domain}"


@attrs.frozen(kw_only=True)
class Wanted:
    """
    A PCI device that a guest is to have.

    @ivar name: as the kernel calls it.
    @ivar managed: it is taken from its driver, and given back.
    @ivar stub: the driver for guests.
    @ivar unbind: of one that a guest has already: it goes back to its driver once it is managed.
    """

    name: str
    managed: bool
    stub: str = STUB
    unbind: bool = False


@attrs.define
class _Device:
    managed: bool
    unbind: bool
    holder: Holder | None = None


@implementer(IAssignedDevices)
class AssignedDevices:
    """
    The devices of one host that guests have, or that are kept for them.

    @ivar others: devices that are not of PCI and that guests have, by their kind and what they are called; of those that
        may be shared there are several holders.
    """

    def __init__(
        self,
        *,
        processes: Any,
        thread: Callable[..., Deferred[Any]],
        functions: FunctionKeeper,
        bus: PCIBus,
    ) -> None:
        """
        @param processes: runs commands.
        @param thread: does in a thread what may wait.
        """
        self._processes = processes
        self._thread = thread
        self._functions = functions
        self.bus = bus
        self._lock = DeferredLock()
        self._active: dict[str, _Device] = {}
        self._inactive: dict[str, _Device] = {}
        self.others: dict[tuple[str, str], dict[Holder, bool]] = {}

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        await self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    # PCI devices of guests

    async def take(
        self, holder: Holder, wanted: Iterable[Wanted], cards: Iterable[Card]
    ) -> dict[str, bool]:
        """
        Take devices for a guest; those that there are not are passed over.

        @param cards: what those are given that are network cards.
        @return: the names of those that go back to their drivers once they are managed.
        @raise VirtError: one cannot be had; all are as they were.
        """
        async with self._alone():
            there = [each for each in wanted if self.bus.exists(each.name)]
            names = set[str]()
            for each in there:
                if each.name in names:
                    raise internal(f"Device {each.name} is already in use", _DOMAIN)
                names.add(each.name)
            given = [each for each in cards if each.name in names]
            for each in there:
                if await self._thread(self.bus.headerType, each.name):
                    raise internal("Non-endpoint PCI devices cannot be assigned to guests", _DOMAIN)
                self._checkFree(each.name)
                for other in self.bus.members(each.name):
                    self._checkFree(other, holder)
            for card in given:
                await self._thread(self._functions.save, card)
            done: list[Card] = []
            try:
                for each in there:
                    await self._bring(each)
                for each in there:
                    await self._thread(self._reset, each.name)
                for card in given:
                    await self._thread(self._functions.set, card)
                    done.append(card)
            except BaseException:
                for card in done:
                    await self._quietly(self._functions.restore, card)
                for each in there:
                    await self._handBack(each.name)
                raise
            for each in there:
                device = self._inactive.pop(each.name)
                device.holder = holder
                self._active[each.name] = device
            return {each.name: self._active[each.name].unbind for each in there}

    def _checkFree(self, name: str, holder: Holder | None = None) -> None:
        """
        Complain of a device that a guest has.

        @param holder: who may have it; None: nobody.
        """
        found = self._active.get(name)
        if found is None or (holder is not None and found.holder == holder):
            return
        raise operationInvalid(f"PCI device {name} is in use by {found.holder}", _DOMAIN)

    async def _bring(self, wanted: Wanted) -> None:
        """Have a device where a guest can take it from."""
        name = wanted.name
        if wanted.managed:
            await self._detach(name, wanted.stub, managed=True)
            return
        if self.bus.driver(name) != STUB:
            raise operationInvalid(
                f"Unmanaged PCI device {name} must be manually detached from the host", _DOMAIN
            )
        self._inactive.setdefault(name, _Device(managed=False, unbind=False))

    async def _detach(self, name: str, stub: str, *, managed: bool) -> None:
        await self._load(stub)
        moved = self.bus.driver(name) != stub
        if moved:
            await self._thread(self.bus.override, name, stub)
        self._inactive.setdefault(name, _Device(managed=managed, unbind=moved))

    async def _load(self, stub: str) -> None:
        if self.bus.hasDriver(stub):
            return
        try:
            await self._processes.run(Command(argv=("modprobe", "-b", stub)))
        except VirtError as error:
            log.debug("{error}", error=error)
        if not self.bus.hasDriver(stub):
            raise internal(f"Failed to load PCI stub module {stub}", _DOMAIN)

    def _reset(self, name: str) -> None:
        self.bus.reset(name, frozenset(self._inactive))

    async def _handBack(self, name: str) -> None:
        """Let a device go that is kept, if that is what is to become of it; that it cannot be is logged."""
        device = self._inactive.get(name)
        if device is None or not device.managed:
            return
        if device.unbind:
            await self._quietly(self.bus.override, name, "\n")
        self._inactive.pop(name, None)

    async def _quietly(self, work: Callable[..., Any], *arguments: Any) -> None:
        try:
            await self._thread(work, *arguments)
        except VirtError as error:
            log.error("{error}", error=error)

    def adopt(self, holder: Holder, devices: Iterable[Wanted]) -> None:
        """Remember what a guest has that an earlier life of the daemon has started."""
        for each in devices:
            if self.bus.exists(each.name):
                self._inactive.pop(each.name, None)
                self._active[each.name] = _Device(each.managed, each.unbind, holder)

    async def release(self, holder: Holder, names: Iterable[str], cards: Iterable[Card]) -> None:
        """Take devices back from a guest that has them no more; what fails is logged."""
        async with self._alone():
            back = []
            for name in names:
                device = self._active.get(name)
                if device is None or device.holder != holder:
                    continue
                del self._active[name]
                device.holder = None
                self._inactive[name] = device
                back.append(name)
            for card in cards:
                if card.name in back:
                    await self._quietly(self._functions.restore, card)
            for name in back:
                if self.bus.exists(name):
                    await self._quietly(self._reset, name)
            for name in back:
                await self._handBack(name)

    # PCI devices that the administrator moves

    async def detach(self, name: str) -> None:
        """
        Take a device from its driver, for guests to come.

        @raise VirtError: a guest has it, or its driver does not let go of it.
        """
        async with self._alone():
            self.bus.check(name)
            self._checkFree(name)
            await self._detach(name, STUB, managed=False)

    async def reattach(self, name: str) -> None:
        """
        Give a device back to its driver.

        @raise VirtError: a guest has it, or it cannot be given back.
        """
        async with self._alone():
            self.bus.check(name)
            self._checkFree(name)
            await self._thread(self.bus.override, name, "\n")
            self._inactive.pop(name, None)

    async def reset(self, name: str) -> None:
        """
        Reset a device.

        @raise VirtError: it cannot be reset, or a guest has it.
        """
        async with self._alone():
            self.bus.check(name)
            if await self._thread(self.bus.headerType, name):
                raise internal(
                    f"Invalid attempt to reset PCI device {name}. Only PCI endpoint devices can be "
                    "reset",
                    _DOMAIN,
                )
            if name in self._active:
                raise internal(f"Not resetting active device {name}", _DOMAIN)
            await self._thread(self._reset, name)

    def statistics(self, name: str) -> dict[str, int]:
        """
        Return what a virtual function has sent and got, by the names of libvirt's statistics.

        @raise VirtError: nobody says.
        """
        return self._functions.statistics(name)

    # Others

    def hold(self, kind: str, name: str, holder: Holder, shared: bool = False) -> None:
        """Remember that a guest has a device."""
        self.others.setdefault((kind, name), {})[holder] = shared

    def holders(self, kind: str, name: str) -> dict[Holder, bool]:
        """Return who has a device, and whether they would share it."""
        return self.others.get((kind, name), {})

    def drop(self, kind: str, name: str, holder: Holder) -> None:
        """Remember that a guest has a device no more."""
        found = self.others.get((kind, name), {})
        found.pop(holder, None)
        if not found:
            self.others.pop((kind, name), None)
