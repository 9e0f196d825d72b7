"""
Devices of the host.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer, NodeDeviceRef


class INodeDevices(Interface):
    """Devices of the host."""

    def nodeDeviceLookupByName(name: str) -> Answer[NodeDeviceRef]:
        """
        Find a device by its name.

        @raise NoSuchNodeDevice: there is none.
        """

    def nodeDeviceGetXMLDesc(name: str, flags: int) -> Answer[str]:
        """
        Describe a device.

        @param flags: C{VIR_NODE_DEVICE_XML_INACTIVE}: as it will be when created.
        @return: a C{<device>} document.
        """

    def nodeDeviceGetParent(name: str) -> Answer[str | None]:
        """Tell the name of the device that one belongs to; None for the computer itself."""

    def nodeDeviceListCaps(name: str) -> Answer[list[str]]:
        """
        List the kinds of capabilities that a device has, such as C{pci} or C{net}; at most 65536.
        """

    def nodeDeviceReAttach(name: str) -> Answer[None]:
        """Give a device back to the host's own driver."""

    def nodeDeviceReset(name: str) -> Answer[None]:
        """Reset a device that guests may be given."""

    def nodeDeviceCreateXML(xmlDesc: str, flags: int) -> Answer[NodeDeviceRef]:
        """
        Make a virtual device that lasts until the host restarts.

        @param xmlDesc: a C{<device>} document.
        @param flags: C{VIR_NODE_DEVICE_CREATE_XML_VALIDATE}: against the schema.
        """

    def nodeDeviceDestroy(name: str) -> Answer[None]:
        """Remove a virtual device from the host; a definition stays."""

    def connectListAllNodeDevices(flags: int) -> Answer[list[NodeDeviceRef]]:
        """
        List devices.

        @param flags: bitwise-OR of C{VIR_CONNECT_LIST_NODE_DEVICES_*}, in groups (capabilities;
            active or not; persistent or not) as for domains.  0: all; older callers give
            capabilities only.
        @return: in any order; at most 65536.
        """

    def nodeDeviceLookupSCSIHostByWWN(wwnn: str, wwpn: str, flags: int) -> Answer[NodeDeviceRef]:
        """
        Find a SCSI host by its world wide names.

        @param wwnn: of the node.
        @param wwpn: of the port.
        @param flags: none yet.
        @raise NoSuchNodeDevice: there is none.
        """

    def nodeDeviceDetachFlags(name: str, driverName: str | None, flags: int) -> Answer[None]:
        """
        Take a device from the host's own driver, so that a guest can have it.

        @param driverName: the driver that guests need, such as C{vfio}; None: the usual one.
        @param flags: none yet.
        """

    def nodeDeviceDefineXML(xmlDesc: str, flags: int) -> Answer[NodeDeviceRef]:
        """
        Define a virtual device.

        @param xmlDesc: a C{<device>} document.
        @param flags: C{VIR_NODE_DEVICE_DEFINE_XML_VALIDATE}: against the schema.
        """

    def nodeDeviceUndefine(name: str, flags: int) -> Answer[None]:
        """
        Forget a virtual device's definition.

        @param flags: none yet.
        """

    def nodeDeviceCreate(name: str, flags: int) -> Answer[None]:
        """
        Make the virtual device that is defined.

        @param flags: none yet.
        @raise OperationInvalid: it is there already.
        """

    def nodeDeviceGetAutostart(name: str) -> Answer[bool]:
        """Whether the virtual device is made when the host starts."""

    def nodeDeviceSetAutostart(name: str, autostart: bool) -> Answer[None]:
        """Say whether the virtual device is made when the host starts."""

    def nodeDeviceIsPersistent(name: str) -> Answer[bool]:
        """Whether the device stays defined while it is inactive."""

    def nodeDeviceIsActive(name: str) -> Answer[bool]:
        """Whether the device is there."""

    def nodeDeviceUpdate(name: str, xmlDesc: str, flags: int) -> Answer[None]:
        """
        Change what can be changed of a virtual device.

        @param xmlDesc: a C{<device>} document.
        @param flags: bitwise-OR of C{VIR_NODE_DEVICE_UPDATE_*}.
        """
