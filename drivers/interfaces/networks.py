"""
Virtual networks and their ports.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import (
    Answer,
    NetworkDHCPLease,
    NetworkPortRef,
    NetworkRef,
    TypedParam,
)


class INetworks(Interface):
    """Virtual networks and their ports."""

    def networkCreate(net: NetworkRef) -> Answer[None]:
        """
        Start a network that is defined.

        @raise OperationInvalid: it is active already.
        """

    def networkDestroy(net: NetworkRef) -> Answer[None]:
        """
        Stop a network; a transient one is gone then.

        @raise OperationInvalid: it is inactive.
        """

    def networkGetXMLDesc(net: NetworkRef, flags: int) -> Answer[str]:
        """
        Describe a network.

        @param flags: C{VIR_NETWORK_XML_INACTIVE}: as it will be at its next start.
        @return: a C{<network>} document.
        """

    def networkGetAutostart(net: NetworkRef) -> Answer[bool]:
        """Whether the network starts with the host."""

    def networkGetBridgeName(net: NetworkRef) -> Answer[str]:
        """
        Tell the bridge that guests connect to.

        @raise InternalError: it has none.
        """

    def networkLookupByName(name: str) -> Answer[NetworkRef]:
        """
        Find a network by its name.

        @raise NoSuchNetwork: there is none.
        """

    def networkLookupByUUID(uuid: bytes) -> Answer[NetworkRef]:
        """
        Find a network by its UUID, 16 bytes.

        @raise NoSuchNetwork: there is none.
        """

    def networkSetAutostart(net: NetworkRef, autostart: bool) -> Answer[None]:
        """
        Say whether the network starts with the host.

        @param autostart: true or false; numbers other than 0 are true.
        @raise OperationInvalid: it is transient.
        """

    def networkUndefine(net: NetworkRef) -> Answer[None]:
        """
        Forget a network's definition.

        @raise OperationInvalid: it is transient, or the driver does not allow it while active.
        """

    def networkIsActive(net: NetworkRef) -> Answer[bool]:
        """Whether the network runs."""

    def networkIsPersistent(net: NetworkRef) -> Answer[bool]:
        """Whether the network stays defined while it is inactive."""

    def connectListAllNetworks(flags: int) -> Answer[list[NetworkRef]]:
        """
        List networks.

        @param flags: bitwise-OR of C{VIR_CONNECT_LIST_NETWORKS_*}, in groups as for domains; 0:
            all.
        @return: in any order; at most 16384.
        """

    def networkUpdate(
        net: NetworkRef, command: int, section: int, parentIndex: int, xml: str, flags: int
    ) -> Answer[None]:
        """
        Change a part of a network without defining it anew.

        @param command: C{VIR_NETWORK_UPDATE_COMMAND_*}.
        @param section: C{VIR_NETWORK_SECTION_*}: which part.
        @param parentIndex: which of several parents of the part, -1: the only or any one.
        @param xml: the part's element.
        @param flags: bitwise-OR of C{VIR_NETWORK_UPDATE_AFFECT_*}; 0: running if it is, else
            defined.
        """

    def networkGetDHCPLeases(
        net: NetworkRef, mac: str | None, flags: int
    ) -> Answer[list[NetworkDHCPLease]]:
        """
        List the addresses that a network has lent.

        @param mac: to this address only; None: to all.
        @param flags: none yet.
        @return: at most 65536.
        """

    def networkListAllPorts(network: NetworkRef, flags: int) -> Answer[list[NetworkPortRef]]:
        """
        List the ports of a network.

        @param flags: none yet.
        @return: at most 16384.
        """

    def networkPortLookupByUUID(network: NetworkRef, uuid: bytes) -> Answer[NetworkPortRef]:
        """
        Find a port by its UUID, 16 bytes.

        @raise VirtError: C{NO_NETWORK_PORT}: there is none.
        """

    def networkPortCreateXML(network: NetworkRef, xml: str, flags: int) -> Answer[NetworkPortRef]:
        """
        Plug something in.

        @param xml: a C{<networkport>} document.
        @param flags: bitwise-OR of C{VIR_NETWORK_PORT_CREATE_*}.
        """

    def networkPortGetParameters(port: NetworkPortRef, flags: int) -> Answer[list[TypedParam]]:
        """
        Tell the limits of a port's traffic (C{VIR_NETWORK_PORT_BANDWIDTH_*}).

        @param flags: C{VIR_TYPED_PARAM_STRING_OKAY}.
        @return: at most 16 parameters.
        """

    def networkPortSetParameters(
        port: NetworkPortRef, params: list[TypedParam], flags: int
    ) -> Answer[None]:
        """
        Limit a port's traffic.

        @param params: C{VIR_NETWORK_PORT_BANDWIDTH_*}; KiB a second, KiB.
        @param flags: none yet.
        """

    def networkPortGetXMLDesc(port: NetworkPortRef, flags: int) -> Answer[str]:
        """
        Describe a port.

        @param flags: none yet.
        @return: a C{<networkport>} document.
        """

    def networkPortDelete(port: NetworkPortRef, flags: int) -> Answer[None]:
        """
        Unplug a port.

        @param flags: none yet.
        """

    def networkDefineXMLFlags(xml: str, flags: int) -> Answer[NetworkRef]:
        """
        Define a network, or redefine the one with the same name and UUID.

        @param xml: a C{<network>} document.
        @param flags: C{VIR_NETWORK_DEFINE_VALIDATE}: against the schema.
        """

    def networkCreateXMLFlags(xml: str, flags: int) -> Answer[NetworkRef]:
        """
        Start a transient network.

        @param xml: a C{<network>} document.
        @param flags: C{VIR_NETWORK_CREATE_VALIDATE}: against the schema.
        """

    def networkSetMetadata(
        network: NetworkRef,
        type: int,
        metadata: str | None,
        key: str | None,
        uri: str | None,
        flags: int,
    ) -> Answer[None]:
        """
        Change what people and programs note about a network.

        @param type: C{VIR_NETWORK_METADATA_*}.
        @param metadata: the text, or for C{ELEMENT} an XML element; None removes it.  A title has
            no line breaks.
        @param key: prefix of the element's namespace; None except for C{ELEMENT}.
        @param uri: the element's namespace; None except for C{ELEMENT}.
        @param flags: bitwise-OR of C{VIR_NETWORK_UPDATE_AFFECT_*}.
        """

    def networkGetMetadata(
        network: NetworkRef, type: int, uri: str | None, flags: int
    ) -> Answer[str]:
        """
        Tell what is noted about a network; parameters are as in L{networkSetMetadata}.

        @raise VirtError: C{NO_NETWORK_METADATA}: nothing is.
        """
