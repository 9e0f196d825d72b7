"""
Network filters on disk, those that the distribution brings among them.

They are kept and described; nothing is bound to devices here, for a binding that filters nothing would be a lie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from pyvirt.definitions.nwfilter import FilterDefinition, completed, formatFilter, parseFilter
from pyvirt.drivers.filestore import DefinitionFolder
from pyvirt.drivers.filterbook import FilterBook
from pyvirt.drivers.interfaces.values import NWFilterBindingRef
from pyvirt.drivers.refusals import checkFlags
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["NWFilters"]

log = Logger()


class NWFilters(FilterBook):
    """Keeps the filters of the host."""

    def __init__(self, host: Host) -> None:
        super().__init__({}, host.random)
        self._folder = DefinitionFolder(host.layout.filters, "nwfilter-edit")

    def load(self) -> None:
        """Read what is on disk; what has no UUID yet gets one, which is written down."""
        self._folder.make()
        for name, definition in self._folder.load(parseFilter):
            if definition.name != name:
                log.error("{path} is of another filter", path=self._folder.file(name))
                continue
            if definition.uuid is None:
                definition = completed(definition, random=self._random)
                self._keep(definition)
            self._filters[name] = definition

    def _keep(self, definition: FilterDefinition) -> None:
        name = definition.name
        if "/" in name or name in (".", "..") or "\n" in name:
            raise virtError(
                ErrorCode.XML_ERROR, f"name {name} cannot contain '/'", ErrorDomain.NWFILTER
            )
        self._folder.save(name, formatFilter(definition))

    def _forget(self, definition: FilterDefinition) -> None:
        self._folder.remove(definition.name)

    def connectListAllNWFilterBindings(self, flags: int) -> list[NWFilterBindingRef]:
        """Nothing is bound to anything."""
        checkFlags("nwfilterConnectListAllNWFilterBindings", flags, 0, ErrorDomain.NWFILTER)
        return []

    def nwfilterBindingLookupByPortDev(self, name: str) -> NWFilterBindingRef:
        """Nothing is bound to anything."""
        raise virtError(
            ErrorCode.NO_NWFILTER_BINDING,
            f"no nwfilter binding for port dev '{name}'",
            ErrorDomain.NWFILTER,
        )
