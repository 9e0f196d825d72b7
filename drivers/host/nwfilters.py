"""
Network filters on disk, those that the distribution brings among them, and what they are in force for.

A binding says which filter a device of a guest has; it is kept in C{/run}, so that a restarted daemon has the same
rules again.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.filterbinding import (
    FilterBindingDefinition,
    formatFilterBinding,
    parseFilterBinding,
)
from pyvirt.definitions.filterbinding import completed as completedBinding
from pyvirt.definitions.nwfilter import FilterDefinition, completed, formatFilter, parseFilter
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.uuids import formatUUID
from pyvirt.definitions.validation import validate
from pyvirt.drivers.filestore import DefinitionFolder, wrapped
from pyvirt.drivers.filterbook import FilterBook, included
from pyvirt.drivers.host.filters.instances import (
    instances,
    internal,
    missing,
    parametersOf,
    unresolved,
)
from pyvirt.drivers.host.filters.kernel import enforce, forget
from pyvirt.drivers.host.filters.learning import Learner
from pyvirt.drivers.host.filters.learnt import Learnt
from pyvirt.drivers.host.filters.plan import Plan, basicPlan, dhcpPlan, planOf
from pyvirt.drivers.interfaces.values import NWFilterBindingRef, NWFilterRef
from pyvirt.drivers.refusals import checkFlags, failed
from pyvirt.drivers.refusals import operationInvalid as invalid
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["NWFilters"]

log = Logger()

_DOMAIN = ErrorDomain.NWFILTER
#: The variables that say how the address of a guest is found out, and whose word counts.
_LEARNING, _SERVER, _ADDRESS = "CTRL_IP_LEARNING", "DHCPSERVER", "IP"


class Binding:
    """
    A device that has a filter.

    @ivar plan: what is in force, None: nothing.
    @ivar learner: finds out the guest's address, None: nobody does.
    @ivar addresses: those that were found out.
    """

    def __init__(self, definition: FilterBindingDefinition) -> None:
        self.definition = definition
        self.plan: Plan | None = None
        self.learner: Learner | None = None
        self.addresses: tuple[str, ...] = ()

    @property
    def ref(self) -> NWFilterBindingRef:
        """What it is known by."""
        return NWFilterBindingRef(self.definition.port, self.definition.filterref.filter or "")

    @property
    def whose(self) -> str:
        """By what it is known whose address was found out."""
        return f"{formatUUID(self.definition.owner.uuid)}-{self.definition.mac}"

    def stopLearning(self) -> None:
        """Its address is known, or matters no more."""
        learner, self.learner = self.learner, None
        if learner is not None:
            learner.stop()


def _readBinding(xml: str) -> FilterBindingDefinition:
    """Read what was written of a binding."""
    return parseFilterBinding(wrapped(xml, "filterbindingstatus", "filterbinding"))


class NWFilters(FilterBook):
    """Keeps the filters of the host, and has them filter."""

    def __init__(self, host: Host) -> None:
        super().__init__({}, host.random)
        self._host = host
        self._folder = DefinitionFolder(host.layout.filters, "nwfilter-edit")
        self._state = DefinitionFolder(host.layout.filterBindings, "nwfilter-binding-create")
        self._bindings: dict[str, Binding] = {}
        self._lock = DeferredLock()
        path = os.path.join(host.layout.networkState, "nwfilter.leases")
        self._learntLeases = Learnt(path, host.clock.seconds)

    async def load(self) -> None:
        """Read what is on disk, and have in force what was."""
        self._folder.make()
        self._read()
        self._state.make()
        for name, found in self._state.load(_readBinding):
            if found.port != name:
                log.error("{path} is of another device", path=self._state.file(name))
                continue
            binding = self._bindings[name] = Binding(found)
            try:
                async with self._locked():
                    await self._again(binding)
            except VirtError as error:
                log.error("the filter of {name}: {error}", name=name, error=error)

    def _read(self) -> None:
        """Read definitions; what has no UUID yet gets one, which is written down."""
        for name, definition in self._folder.load(parseFilter):
            path = self._folder.file(name)
            if definition.name != name:
                log.error("{path} is of another filter", path=path)
                continue
            try:
                if definition.uuid is None:
                    known = self._filters.get(name)
                    if known is not None:
                        definition = replaced(definition, uuid=known.uuid)
                    definition = completed(definition, random=self._random)
                    self._keep(definition)
                self._checkFits(definition)
            except VirtError as error:
                log.error("{path} is left out: {error}", path=path, error=error)
                continue
            self._filters[name] = definition

    async def reload(self) -> None:
        """Read what others have written, and have that in force; what they have removed stays."""
        async with self._locked():
            self._read()
            for binding in list(self._bindings.values()):
                try:
                    await self._apply(binding)
                except VirtError as error:
                    log.error(
                        "the filter of {name}: {error}", name=binding.ref.portdev, error=error
                    )

    async def unload(self) -> None:
        """Let go of everything; what is in force stays so."""
        for binding in self._bindings.values():
            binding.stopLearning()

    def _keep(self, definition: FilterDefinition) -> None:
        name = definition.name
        if "/" in name or name in (".", "..") or "\n" in name:
            raise virtError(ErrorCode.XML_ERROR, f"name {name} cannot contain '/'", _DOMAIN)
        self._folder.save(name, formatFilter(definition))

    def _forget(self, definition: FilterDefinition) -> None:
        try:
            self._folder.erase(definition.name)
        except OSError:
            raise internal(f"cannot remove config for {definition.name}") from None

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[None]:
        """One changes what is in force at a time."""
        await self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    # What is in force

    def _uses(self, binding: Binding, name: str) -> bool:
        """Whether what is bound to a device is a filter or includes it."""
        waiting, seen = [binding.definition.filterref.filter or ""], set[str]()
        while waiting:
            each = waiting.pop()
            if each == name:
                return True
            if each not in seen and each in self._filters:
                waiting += included(self._filters[each])
            seen.add(each)
        return False

    def _checkUnused(self, definition: FilterDefinition) -> None:
        if any(self._uses(each, definition.name) for each in self._bindings.values()):
            raise invalid("nwfilter is in use", _DOMAIN)

    def _planOf(self, binding: Binding) -> tuple[Plan, str]:
        """
        Work out what is to be in force.

        @return: that, and how the guest's address is to be found out, empty: it is known or does not matter.
        @raise VirtError: the filter makes no sense.
        """
        definition = binding.definition
        name = definition.filterref.filter or ""
        device = definition.port
        found = self._filters.get(name)
        if found is None:
            raise internal(f"referenced filter '{name}' is missing")
        values = parametersOf(definition.filterref)
        if binding.addresses:
            values.setdefault(_ADDRESS, binding.addresses)
        absent = missing(found, values, self._filters.get)
        if not absent:
            return planOf(device, instances(found, values, self._filters.get)), ""
        how = values.get(_LEARNING, ("any",))[0].lower()
        if absent != [_ADDRESS] or how == "none":
            raise unresolved(absent)
        if how == "dhcp":
            return dhcpPlan(device, definition.mac, values.get(_SERVER, ())), how
        if how != "any":
            raise virtError(
                ErrorCode.PARSE_FAILED,
                f"filter '{name}' learning value '{values[_LEARNING][0]}' invalid.",
                _DOMAIN,
            )
        return basicPlan(device, definition.mac), how

    async def _apply(self, binding: Binding) -> None:
        """
        Have the kernel filter as it should for a device, if that is there.

        @raise VirtError: it cannot; it filters as it did.
        """
        device = binding.definition.port
        if not os.path.exists(f"/sys/class/net/{device}"):
            return
        binding.definition = completedBinding(binding.definition)
        plan, how = self._planOf(binding)
        await enforce(self._host, plan, binding.plan)
        binding.plan = plan
        if not how:
            binding.stopLearning()
        elif binding.learner is None or binding.learner.how != how:
            self._learn(binding, how)

    def _learn(self, binding: Binding, how: str) -> Learner:
        """Have the address of a guest found out, from now on."""
        binding.stopLearning()
        learner = binding.learner = Learner(
            self._host.clock,
            binding.definition.port,
            binding.definition.mac,
            how,
            parametersOf(binding.definition.filterref).get(_SERVER, ()),
            lambda addresses: self._host.later(self._learnt(binding, addresses)),
        )
        learner.start()
        return learner

    async def _again(self, binding: Binding) -> None:
        """
        Filter for a device that an earlier life has bound; what a server gave the guest is its still.

        @raise VirtError: the kernel cannot.
        """
        values = parametersOf(binding.definition.filterref)
        how = values.get(_LEARNING, ("any",))[0].lower()
        lease = None
        if how == "dhcp" and _ADDRESS not in values:
            lease = self._learntLeases.of(binding.whose)
        if lease is not None:
            binding.addresses = (lease.address,)
        await self._apply(binding)
        if lease is not None and binding.plan is not None:
            self._learn(binding, how).resume(lease)

    async def _learnt(self, binding: Binding, addresses: tuple[str, ...]) -> None:
        """The address of a guest was found out, or is its no more."""
        async with self._locked():
            if self._bindings.get(binding.definition.port) is not binding:
                return
            learner = binding.learner
            if binding.addresses != addresses:
                binding.addresses = addresses
                binding.learner = None
                try:
                    await self._apply(binding)
                except VirtError as error:
                    log.error("{port}: {error}", port=binding.definition.port, error=error)
                if learner is not None and learner.how == "dhcp" and binding.learner is None:
                    # Leases end, and others are given.
                    binding.learner = learner
                elif learner is not None:
                    learner.stop()
            if learner is not None and learner.how == "dhcp":
                # Once it is in force: a daemon that is started again is to find no more than there is.
                self._learntLeases.note(binding.whose, learner.lease)

    async def nwfilterDefineXMLFlags(self, xml: str, flags: int) -> NWFilterRef:
        """Define a filter, or change one; what it is in force for changes with it, or nothing does."""
        definition = self._checked(xml, flags)
        async with self._locked():
            old = self._filters.get(definition.name)
            self._filters[definition.name] = definition
            users = [each for each in self._bindings.values() if self._uses(each, definition.name)]
            done = []
            try:
                for each in users:
                    done.append(each)
                    await self._apply(each)
                self._keep(definition)
            except BaseException:
                if old is None:
                    del self._filters[definition.name]
                else:
                    self._filters[definition.name] = old
                for each in done:
                    try:
                        await self._apply(each)
                    except VirtError as error:
                        log.error("{port}: {error}", port=each.definition.port, error=error)
                raise
        return self.nwfilterLookupByName(definition.name)

    # Bindings

    def _binding(self, port: str) -> Binding:
        found = self._bindings.get(port)
        if found is None:
            raise virtError(
                ErrorCode.NO_NWFILTER_BINDING,
                f"no nwfilter binding for port dev '{port}'",
                _DOMAIN,
            )
        return found

    def connectListAllNWFilterBindings(self, flags: int) -> list[NWFilterBindingRef]:
        """List the devices that have filters."""
        checkFlags("nwfilterConnectListAllNWFilterBindings", flags, 0, _DOMAIN)
        return [each.ref for each in self._bindings.values()]

    def nwfilterBindingLookupByPortDev(self, name: str) -> NWFilterBindingRef:
        """Find the filter of a device."""
        return self._binding(name).ref

    def nwfilterBindingGetXMLDesc(self, nwfilter: NWFilterBindingRef, flags: int) -> str:
        """Describe a binding."""
        checkFlags("nwfilterBindingGetXMLDesc", flags, 0, _DOMAIN)
        return formatFilterBinding(self._binding(nwfilter.portdev).definition)

    async def nwfilterBindingCreateXML(self, xml: str, flags: int) -> NWFilterBindingRef:
        """Have a filter in force for a device."""
        checkFlags(
            "nwfilterBindingCreateXML", flags, c.VIR_NWFILTER_BINDING_CREATE_VALIDATE, _DOMAIN
        )
        if flags & c.VIR_NWFILTER_BINDING_CREATE_VALIDATE:
            validate("nwfilterbinding", xml)
        definition = parseFilterBinding(xml)
        port = definition.port
        if "/" in port or "\n" in port or port in (".", "..") or len(port.encode()) > 15:
            raise virtError(ErrorCode.XML_ERROR, f"port dev '{port}' is not valid", _DOMAIN)
        async with self._locked():
            if port in self._bindings:
                raise failed(f"binding '{port}' already exists", _DOMAIN)
            binding = Binding(definition)
            await self._apply(binding)
            self._bindings[port] = binding
            try:
                self._save(binding)
            except BaseException:
                await self._release(binding)
                raise
        return binding.ref

    def _save(self, binding: Binding) -> None:
        text = formatFilterBinding(binding.definition)
        inner = "".join(f"  {line}\n" for line in text.splitlines())
        document = f"<filterbindingstatus>\n{inner}</filterbindingstatus>\n"
        self._state.save(binding.definition.port, document)

    async def _release(self, binding: Binding) -> None:
        port = binding.definition.port
        self._bindings.pop(port, None)
        binding.stopLearning()
        self._learntLeases.note(binding.whose, None)
        self._state.remove(port)
        await forget(self._host, port)

    async def nwfilterBindingDelete(self, nwfilter: NWFilterBindingRef) -> None:
        """Have no filter in force for a device."""
        async with self._locked():
            await self._release(self._binding(nwfilter.portdev))
