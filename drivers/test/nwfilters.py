"""
Network filters of the test driver, and what they are bound to: kept as libvirt keeps them, but nothing is filtered.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.definitions import filterbinding
from pyvirt.definitions.filterbinding import formatFilterBinding, parseFilterBinding
from pyvirt.definitions.nwfilter import FilterDefinition
from pyvirt.definitions.validation import validate
from pyvirt.drivers.filterbook import FilterBook, included
from pyvirt.drivers.interfaces.values import NWFilterBindingRef
from pyvirt.drivers.test.refusals import checkFlags, failed, internal, operationInvalid
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["NWFilters"]

_DOMAIN = ErrorDomain.NWFILTER


class NWFilters(FilterBook):
    """Keeps filters and bindings."""

    def __init__(self, world: World) -> None:
        super().__init__(world.filters, world.random)
        self._bindings = world.filterBindings

    def _checkUnused(self, definition: FilterDefinition) -> None:
        for binding in self._bindings.values():
            name = binding.filterref.filter or ""
            there = self._filters.get(name)
            if name == definition.name or (
                there is not None and self._reaches(there, definition.name)
            ):
                raise operationInvalid("nwfilter is in use", _DOMAIN)

    def nwfilterBindingLookupByPortDev(self, name: str) -> NWFilterBindingRef:
        """Find a binding."""
        found = self._bindings.get(name)
        if found is None:
            raise virtError(
                ErrorCode.NO_NWFILTER_BINDING,
                f"no nwfilter binding for port dev '{name}'",
                _DOMAIN,
            )
        return NWFilterBindingRef(name, found.filterref.filter or "")

    def nwfilterBindingGetXMLDesc(self, nwfilter: NWFilterBindingRef, flags: int) -> str:
        """Describe a binding."""
        checkFlags("nwfilterBindingGetXMLDesc", flags, 0, _DOMAIN)
        self.nwfilterBindingLookupByPortDev(nwfilter.portdev)
        return formatFilterBinding(self._bindings[nwfilter.portdev])

    def nwfilterBindingCreateXML(self, xml: str, flags: int) -> NWFilterBindingRef:
        """Bind a filter to a device, real or not."""
        checkFlags(
            "nwfilterBindingCreateXML", flags, c.VIR_NWFILTER_BINDING_CREATE_VALIDATE, _DOMAIN
        )
        if flags & c.VIR_NWFILTER_BINDING_CREATE_VALIDATE:
            validate("nwfilterbinding", xml)
        definition = parseFilterBinding(xml)
        if definition.port in self._bindings:
            raise failed("binding for this port already exists", _DOMAIN)
        waiting = [definition.filterref.filter or ""]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            there = self._filters.get(name)
            if there is None:
                raise internal(f"referenced filter '{name}' is missing", _DOMAIN)
            if name not in seen:
                seen.add(name)
                waiting += included(there)
        self._bindings[definition.port] = filterbinding.completed(definition)
        return NWFilterBindingRef(definition.port, definition.filterref.filter or "")

    def nwfilterBindingDelete(self, nwfilter: NWFilterBindingRef) -> None:
        """Let a device go unfiltered."""
        self.nwfilterBindingLookupByPortDev(nwfilter.portdev)
        del self._bindings[nwfilter.portdev]

    def connectListAllNWFilterBindings(self, flags: int) -> list[NWFilterBindingRef]:
        """List bindings."""
        checkFlags("nwfilterConnectListAllNWFilterBindings", flags, 0, _DOMAIN)
        return [
            NWFilterBindingRef(each.port, each.filterref.filter or "")
            for each in self._bindings.values()
        ]
