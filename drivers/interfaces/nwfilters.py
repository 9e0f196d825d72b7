"""
Network filters and their bindings.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, NWFilterBindingRef, NWFilterRef


class INWFilters(Interface):
    """Network filters and their bindings."""

    def nwfilterLookupByName(name: str) -> Answer[NWFilterRef]:
        """
        Find a filter by its name.

        @raise VirtError: C{NO_NWFILTER}: there is none.
        """

    def nwfilterLookupByUUID(uuid: bytes) -> Answer[NWFilterRef]:
        """
        Find a filter by its UUID, 16 bytes.

        @raise VirtError: C{NO_NWFILTER}: there is none.
        """

    def nwfilterGetXMLDesc(nwfilter: NWFilterRef, flags: int) -> Answer[str]:
        """
        Describe a filter.

        @param flags: none yet.
        @return: a C{<filter>} document.
        """

    def nwfilterUndefine(nwfilter: NWFilterRef) -> Answer[None]:
        """
        Forget a filter.

        @raise OperationInvalid: something uses it.
        """

    def connectListAllNWFilters(flags: int) -> Answer[list[NWFilterRef]]:
        """
        List filters.

        @param flags: none yet.
        @return: in any order; at most 16384.
        """

    def nwfilterBindingLookupByPortDev(name: str) -> Answer[NWFilterBindingRef]:
        """
        Find what is bound to a network device of the host.

        @raise VirtError: C{NO_NWFILTER_BINDING}: nothing is.
        """

    def nwfilterBindingGetXMLDesc(nwfilter: NWFilterBindingRef, flags: int) -> Answer[str]:
        """
        Describe a binding.

        @param flags: none yet.
        @return: a C{<filterbinding>} document.
        """

    def nwfilterBindingCreateXML(xml: str, flags: int) -> Answer[NWFilterBindingRef]:
        """
        Apply a filter to a network device of the host.

        @param xml: a C{<filterbinding>} document.
        @param flags: C{VIR_NWFILTER_BINDING_CREATE_VALIDATE}: against the schema.
        """

    def nwfilterBindingDelete(nwfilter: NWFilterBindingRef) -> Answer[None]:
        """Apply a filter no more."""

    def connectListAllNWFilterBindings(flags: int) -> Answer[list[NWFilterBindingRef]]:
        """
        List bindings.

        @param flags: none yet.
        @return: in any order; at most 16384.
        """

    def nwfilterDefineXMLFlags(xml: str, flags: int) -> Answer[NWFilterRef]:
        """
        Define a filter, or redefine the one with the same name; guests that use it are filtered
        anew.

        @param xml: a C{<filter>} document.
        @param flags: C{VIR_NWFILTER_DEFINE_VALIDATE}: against the schema.
        """
