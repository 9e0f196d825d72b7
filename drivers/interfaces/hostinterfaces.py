"""
Network interfaces of the host.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, InterfaceRef


class IHostInterfaces(Interface):
    """Network interfaces of the host."""

    def interfaceLookupByName(name: str) -> Answer[InterfaceRef]:
        """
        Find an interface by its name.

        @raise NoSuchInterface: there is none.
        """

    def interfaceLookupByMACString(mac: str) -> Answer[InterfaceRef]:
        """
        Find an interface by its MAC address, whatever the case of its letters.

        @raise NoSuchInterface: there is none.
        @raise VirtError: C{MULTIPLE_INTERFACES}: several have it.
        """

    def interfaceGetXMLDesc(iface: InterfaceRef, flags: int) -> Answer[str]:
        """
        Describe an interface.

        @param flags: C{VIR_INTERFACE_XML_INACTIVE}: as it is configured, not as it is.
        @return: an C{<interface>} document.
        """

    def interfaceDefineXML(xml: str, flags: int) -> Answer[InterfaceRef]:
        """
        Configure an interface, or anew the one with the same name.

        @param flags: C{VIR_INTERFACE_DEFINE_VALIDATE}: against the schema.
        """

    def interfaceUndefine(iface: InterfaceRef) -> Answer[None]:
        """Forget an interface's configuration."""

    def interfaceCreate(iface: InterfaceRef, flags: int) -> Answer[None]:
        """
        Bring an interface up.

        @param flags: none yet.
        @raise OperationInvalid: it is up already.
        """

    def interfaceDestroy(iface: InterfaceRef, flags: int) -> Answer[None]:
        """
        Bring an interface down; its configuration stays.

        @param flags: none yet.
        @raise OperationInvalid: it is down already.
        """

    def interfaceIsActive(iface: InterfaceRef) -> Answer[bool]:
        """Whether the interface is up."""

    def interfaceChangeBegin(flags: int) -> Answer[None]:
        """
        From here on changes can be undone together.

        @param flags: none yet.
        @raise OperationInvalid: that is so already.
        """

    def interfaceChangeCommit(flags: int) -> Answer[None]:
        """
        Keep the changes since L{interfaceChangeBegin}.

        @param flags: none yet.
        @raise OperationInvalid: it was not called.
        """

    def interfaceChangeRollback(flags: int) -> Answer[None]:
        """
        Undo the changes since L{interfaceChangeBegin}.

        @param flags: none yet.
        @raise OperationInvalid: it was not called.
        """

    def connectListAllInterfaces(flags: int) -> Answer[list[InterfaceRef]]:
        """
        List interfaces.

        @param flags: bitwise-OR of C{VIR_CONNECT_LIST_INTERFACES_*}; 0: all.
        @return: in any order; at most 16384.
        """
