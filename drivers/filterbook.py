"""
Network filters as libvirt's driver keeps them: L{FilterBook}, which drivers share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain._net import FilterRef
from pyvirt.definitions.nwfilter import FilterDefinition, completed, formatFilter, parseFilter
from pyvirt.definitions.uuids import formatUUID
from pyvirt.definitions.validation import validate
from pyvirt.drivers.interfaces.values import NWFilterRef
from pyvirt.drivers.refusals import checkFlags, failed
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["FilterBook", "included"]

_DOMAIN = ErrorDomain.NWFILTER


def _missing(detail: str) -> VirtError:
    return virtError(ErrorCode.NO_NWFILTER, detail, _DOMAIN)


def _ref(definition: FilterDefinition) -> NWFilterRef:
    assert definition.uuid is not None
    return NWFilterRef(definition.name, definition.uuid)


def included(definition: FilterDefinition) -> list[str]:
    return [each.filter or "" for each in definition.entries if isinstance(each, FilterRef)]


class FilterBook:
    """Keeps filters in memory; L{_keep} and L{_forget} are for those who keep them elsewhere too."""

    def __init__(
        self, filters: dict[str, FilterDefinition], random: Callable[[int], bytes]
    ) -> None:
        """
        @param filters: by name.
        """
        self._filters = filters
        self._random = random

    def _keep(self, definition: FilterDefinition) -> None:
        """
        A filter is defined: keep it for good.

        @raise VirtError: it cannot be kept.
        """

    def _forget(self, definition: FilterDefinition) -> None:
        """A filter was undefined."""

    def _checkUnused(self, definition: FilterDefinition) -> None:
        """
        Refuse to forget what is in use.

        @raise VirtError: it is.
        """

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

    def _checked(self, xml: str, flags: int) -> FilterDefinition:
        """
        Read a definition.

        @raise VirtError: it is none, or cannot be among the others.
        """
        checkFlags("nwfilterDefineXMLFlags", flags, c.VIR_NWFILTER_DEFINE_VALIDATE, _DOMAIN)
        if flags & c.VIR_NWFILTER_DEFINE_VALIDATE:
            validate("nwfilter", xml)
        definition = completed(parseFilter(xml), random=self._random)
        self._checkFits(definition)
        return definition

    def _checkFits(self, definition: FilterDefinition) -> None:
        """
        Refuse what cannot be among the others.

        @raise VirtError: it cannot.
        """
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

    def nwfilterDefineXMLFlags(self, xml: str, flags: int) -> Any:
        """Define a filter, or change one."""
        definition = self._checked(xml, flags)
        self._keep(definition)
        self._filters[definition.name] = definition
        return _ref(definition)

    def _reaches(self, definition: FilterDefinition, name: str) -> bool:
        """Whether a filter includes one of that name, however far below."""
        waiting, seen = included(definition), set[str]()
        while waiting:
            each = waiting.pop()
            if each == name:
                return True
            if each not in seen and each in self._filters:
                waiting += included(self._filters[each])
            seen.add(each)
        return False

    def nwfilterUndefine(self, nwfilter: NWFilterRef) -> None:
        """Forget a filter that nothing is bound to."""
        found = self._byUUID(nwfilter.uuid)
        self._checkUnused(found)
        self._forget(found)
        del self._filters[found.name]

    def connectListAllNWFilters(self, flags: int) -> list[NWFilterRef]:
        """List filters."""
        checkFlags("nwfilterConnectListAllNWFilters", flags, 0, _DOMAIN)
        return [_ref(each) for each in self._filters.values()]
