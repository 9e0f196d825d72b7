"""
Administration of the daemon itself, on a socket of its own.

Each stub is a procedure: its annotations are what travels, its decorator what else the protocol fixes.
A wire table only grows: lines are added at the end, never edited.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple, Protocol

from twisted.internet.defer import Deferred

from pyvirt.protocols.procedures import Program, procedure
from pyvirt.protocols.structs import AdminClient, AdminServer, TypedParam
from pyvirt.protocols.xdr import Max, UHyper, UInt32, WireString
from pyvirt.sharedtuples import lighten


class ConnectListServersResult(NamedTuple):
    """What L{Admin.connectListServers} answers."""

    servers: Annotated[list[AdminServer], Max(16384)]
    ret: UInt32


class ServerListClientsResult(NamedTuple):
    """What L{Admin.serverListClients} answers."""

    clients: Annotated[list[AdminClient], Max(16384)]
    ret: UInt32


class ConnectGetLoggingOutputsResult(NamedTuple):
    """What L{Admin.connectGetLoggingOutputs} answers."""

    outputs: WireString
    noutputs: UInt32


class ConnectGetLoggingFiltersResult(NamedTuple):
    """What L{Admin.connectGetLoggingFilters} answers."""

    filters: WireString | None
    nfilters: UInt32


class Admin(Protocol):
    """Program 0x06900690, version 1.  Numbers are never reused; new ones go last."""

    @procedure(1, api="virAdmConnectOpen", since="2.0.0")
    def connectOpen(self, flags: UInt32) -> Deferred[None]:
        """virAdmConnectOpen."""

    @procedure(2, api="virAdmConnectClose", since="2.0.0")
    def connectClose(self) -> Deferred[None]:
        """virAdmConnectClose."""

    @procedure(3, api="virAdmConnectGetLibVersion", since="2.0.0")
    def connectGetLibVersion(self) -> Deferred[UHyper]:
        """virAdmConnectGetLibVersion."""

    @procedure(4, api="virAdmConnectListServers", since="2.0.0")
    def connectListServers(
        self, needResults: UInt32, flags: UInt32
    ) -> Deferred[ConnectListServersResult]:
        """virAdmConnectListServers."""

    @procedure(5, api="virAdmConnectLookupServer", since="2.0.0")
    def connectLookupServer(self, name: WireString, flags: UInt32) -> Deferred[AdminServer]:
        """virAdmConnectLookupServer."""

    @procedure(6, api="virAdmServerGetThreadPoolParameters", since="2.0.0")
    def serverGetThreadpoolParameters(
        self, srv: AdminServer, flags: UInt32
    ) -> Deferred[Annotated[list[TypedParam], Max(32)]]:
        """virAdmServerGetThreadPoolParameters."""

    @procedure(7, api="virAdmServerSetThreadPoolParameters", since="2.0.0")
    def serverSetThreadpoolParameters(
        self, srv: AdminServer, params: Annotated[list[TypedParam], Max(32)], flags: UInt32
    ) -> Deferred[None]:
        """virAdmServerSetThreadPoolParameters."""

    @procedure(8, api="virAdmServerListClients", since="2.0.0")
    def serverListClients(
        self, srv: AdminServer, needResults: UInt32, flags: UInt32
    ) -> Deferred[ServerListClientsResult]:
        """virAdmServerListClients."""

    @procedure(9, api="virAdmServerLookupClient", since="2.0.0")
    def serverLookupClient(
        self, srv: AdminServer, id: UHyper, flags: UInt32
    ) -> Deferred[AdminClient]:
        """virAdmServerLookupClient."""

    @procedure(10, api="virAdmClientGetInfo", since="2.0.0")
    def clientGetInfo(
        self, clnt: AdminClient, flags: UInt32
    ) -> Deferred[Annotated[list[TypedParam], Max(64)]]:
        """virAdmClientGetInfo."""

    @procedure(11, api="virAdmClientClose", since="2.0.0")
    def clientClose(self, clnt: AdminClient, flags: UInt32) -> Deferred[None]:
        """virAdmClientClose."""

    @procedure(12, api="virAdmServerGetClientLimits", since="2.0.0")
    def serverGetClientLimits(
        self, srv: AdminServer, flags: UInt32
    ) -> Deferred[Annotated[list[TypedParam], Max(32)]]:
        """virAdmServerGetClientLimits."""

    @procedure(13, api="virAdmServerSetClientLimits", since="2.0.0")
    def serverSetClientLimits(
        self, srv: AdminServer, params: Annotated[list[TypedParam], Max(32)], flags: UInt32
    ) -> Deferred[None]:
        """virAdmServerSetClientLimits."""

    @procedure(14, api="virAdmConnectGetLoggingOutputs", since="3.0.0")
    def connectGetLoggingOutputs(self, flags: UInt32) -> Deferred[ConnectGetLoggingOutputsResult]:
        """virAdmConnectGetLoggingOutputs."""

    @procedure(15, api="virAdmConnectGetLoggingFilters", since="3.0.0")
    def connectGetLoggingFilters(self, flags: UInt32) -> Deferred[ConnectGetLoggingFiltersResult]:
        """virAdmConnectGetLoggingFilters."""

    @procedure(16, api="virAdmConnectSetLoggingOutputs", since="3.0.0")
    def connectSetLoggingOutputs(self, outputs: WireString | None, flags: UInt32) -> Deferred[None]:
        """virAdmConnectSetLoggingOutputs."""

    @procedure(17, api="virAdmConnectSetLoggingFilters", since="3.0.0")
    def connectSetLoggingFilters(self, filters: WireString | None, flags: UInt32) -> Deferred[None]:
        """virAdmConnectSetLoggingFilters."""

    @procedure(18, api="virAdmServerUpdateTlsFiles", since="2.0.0")
    def serverUpdateTLSFiles(self, srv: AdminServer, flags: UInt32) -> Deferred[None]:
        """virAdmServerUpdateTlsFiles."""

    @procedure(19, api="virAdmConnectSetDaemonTimeout", since="8.6.0")
    def connectSetDaemonTimeout(self, timeout: UInt32, flags: UInt32) -> Deferred[None]:
        """virAdmConnectSetDaemonTimeout."""


PROGRAM = Program("admin", 0x06900690, 1, Admin)


lighten(globals())
