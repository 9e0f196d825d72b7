"""
Network filters of the test driver, and what they are bound to: kept as libvirt keeps them, but nothing is filtered.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.definitions import filterbinding
from pyvirt.definitions.domain._net import FilterRef
from pyvirt.definitions.filterbinding import formatFilterBinding, parseFilterBinding
from pyvirt.definitions.nwfilter import FilterDefinition, completed, formatFilter, parseFilter
from pyvirt.definitions.uuids import formatUUID
from pyvirt.definitions.validation import validate
from pyvirt.drivers.interfaces.values import NWFilterBindingRef, NWFilterRef
from pyvirt.drivers.test.refusals import checkFlags, failed, internal, operationInvalid
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["NWFilters"]

_DOMAIN = ErrorDomain.NWFILTER


def _missing(detail: str) -> VirtError:
    return virtError(ErrorCode.NO_NWFILTER, detail, _DOMAIN)


def _ref(definition: FilterDefinition) -> NWFilterRef:
    assert definition.uuid is not None
    return NWFilterRef(definition.name, definition.uuid)


def _included(definition: FilterDefinition) -> list[str]:
    return [each.filter or "" for each in definition.entries if isinstance(each, FilterRef)]


class NWFilters:
    """Keeps filters and bindings."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._filters = world.filters
        self._bindings = world.filterBindings

    def _byUUID(self, uuid: bytes) -> FilterDefinition:
        for each in self._filters.values():
            if each.uuid == uuid:
                return each
        raise _missing(f"no nwfilter with matching uuid '{formatUUID(uuid)}'")

    def nwfilterLookupByName(self, name: str) -> NWFilterRef:
        """Find a filter."""
        found = self._filters.get(name)
        if found is None:
            raise _missing(f"no nwfilter with matching name '{name}'")
        return _ref(found)

    def nwfilterLookupByUUID(self, uuid: bytes) -> NWFilterRef:
        """Find a filter."""
        return _ref(self._byUUID(uuid))

    def nwfilterGetXMLDesc(self, nwfilter: NWFilterRef, flags: int) -> str:
        """Describe a filter."""
        checkFlags("nwfilterGetXMLDesc", flags, 0, _DOMAIN)
        return formatFilter(self._byUUID(nwfilter.uuid))

    def nwfilterDefineXMLFlags(self, xml: str, flags: int) -> NWFilterRef:
        """Define a filter, or change one."""
        checkFlags("nwfilterDefineXMLFlags", flags, c.VIR_NWFILTER_DEFINE_VALIDATE, _DOMAIN)
        if flags & c.VIR_NWFILTER_DEFINE_VALIDATE:
            validate("nwfilter", xml)
        definition = completed(parseFilter(xml), random=self._world.random)
        for each in self._filters.values():
            if each.uuid == definition.uuid and each.name != definition.name:
                raise failed(
                    f"filter with same UUID but different name ('{each.name}') already exists",
                    _DOMAIN,
                )
        there = self._filters.get(definition.name)
        if there is not None and there.uuid != definition.uuid:
            assert there.uuid is not None
            raise failed(
                f"filter '{definition.name}' already exists with uuid {formatUUID(there.uuid)}",
                _DOMAIN,
            )
        if self._reaches(definition, definition.name):
            raise failed("filter would introduce a loop", _DOMAIN)
        self._filters[definition.name] = definition
        return _ref(definition)

    def _reaches(self, definition: FilterDefinition, name: str) -> bool:
        """Whether a filter includes one of that name, however far below."""
        waiting, seen = _included(definition), set[str]()
        while waiting:
            each = waiting.pop()
            if each == name:
                return True
            if each not in seen and each in self._filters:
                waiting += _included(self._filters[each])
            seen.add(each)
        return False

    def nwfilterUndefine(self, nwfilter: NWFilterRef) -> None:
        """Forget a filter that nothing is bound to."""
        found = self._byUUID(nwfilter.uuid)
        for binding in self._bindings.values():
            name = binding.filterref.filter or ""
            there = self._filters.get(name)
            if name == found.name or (there is not None and self._reaches(there, found.name)):
                raise operationInvalid("nwfilter is in use", _DOMAIN)
        del self._filters[found.name]

    def connectListAllNWFilters(self, flags: int) -> list[NWFilterRef]:
        """List filters."""
        checkFlags("nwfilterConnectListAllNWFilters", flags, 0, _DOMAIN)
        return [_ref(each) for each in self._filters.values()]

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
                waiting += _included(there)
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
