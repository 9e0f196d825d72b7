"""
Network filters and their bindings.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, NWFilterBindingRef, NWFilterRef


class INWFilters(Interface):
    """Network filters and their bindings."""

    def nwfilterLookupByName(name: str) -> Answer[NWFilterRef]:
        """virNWFilterLookupByName."""

    def nwfilterLookupByUUID(uuid: bytes) -> Answer[NWFilterRef]:
        """virNWFilterLookupByUUID."""

    def nwfilterGetXMLDesc(nwfilter: NWFilterRef, flags: int) -> Answer[str]:
        """virNWFilterGetXMLDesc."""

    def nwfilterUndefine(nwfilter: NWFilterRef) -> Answer[None]:
        """virNWFilterUndefine."""

    def connectListAllNWFilters(flags: int) -> Answer[list[NWFilterRef]]:
        """virConnectListAllNWFilters."""

    def nwfilterBindingLookupByPortDev(name: str) -> Answer[NWFilterBindingRef]:
        """virNWFilterBindingLookupByPortDev."""

    def nwfilterBindingGetXMLDesc(nwfilter: NWFilterBindingRef, flags: int) -> Answer[str]:
        """virNWFilterBindingGetXMLDesc."""

    def nwfilterBindingCreateXML(xml: str, flags: int) -> Answer[NWFilterBindingRef]:
        """virNWFilterBindingCreateXML."""

    def nwfilterBindingDelete(nwfilter: NWFilterBindingRef) -> Answer[None]:
        """virNWFilterBindingDelete."""

    def connectListAllNWFilterBindings(flags: int) -> Answer[list[NWFilterBindingRef]]:
        """virConnectListAllNWFilterBindings."""

    def nwfilterDefineXMLFlags(xml: str, flags: int) -> Answer[NWFilterRef]:
        """virNWFilterDefineXMLFlags."""
