"""
The admin program: what C{virt-admin} asks of a daemon, on a socket that only the daemon's own user may use.

It is a server beside that of the drivers' clients, with limits of its own, so that administrators get in when
nobody else does.  Texts and codes are those of libvirtd 9.0.0.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from pyvirt import constants as c
from pyvirt.daemon.calls import Answer
from pyvirt.daemon.identity import groupName, userName
from pyvirt.daemon.server import Server
from pyvirt.daemon.session import Session
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.params import validateParams
from pyvirt.protocols.procedures import Procedure
from pyvirt.protocols.programs.admin import (
    PROGRAM,
    ConnectGetLoggingFiltersResult,
    ConnectGetLoggingOutputsResult,
    ConnectListServersResult,
    ServerListClientsResult,
)
from pyvirt.protocols.structs import AdminClient, AdminServer

if TYPE_CHECKING:
    from pyvirt.daemon.administration import Administration, IAdministered, IClient

__all__ = ["AdminServerSide", "AdminSession"]

_UINT = c.VIR_TYPED_PARAM_UINT
_VERSION = 9000000
"""Of the libvirt whose administration this is."""
_PATIENCE = 1.0
"""Seconds that a stranger's connection stays, unless something comes by it."""
_TRANSPORTS = {"unix": 0, "tcp": 1, "tls": 2}

log = Logger()


class AdminSession(Session):
    """A connection of an administrator."""

    _refused: IDelayedCall | None = None

    def connectionMade(self) -> None:
        super().connectionMade()
        user = self.identity.userID
        if user is not None and user not in (0, os.geteuid()):
            log.error(
                "operation forbidden: Disallowing client {pid} with uid {user}",
                pid=self.identity.processID,
                user=user,
            )
            self.server.counters.refused += 1
            # virt-admin dies of a signal, without a word, if it is gone before the first call is sent.
            self._refused = self.clock.callLater(_PATIENCE, self.transport.abortConnection)

    def dataReceived(self, data: bytes) -> None:
        if self._refused is not None:
            self.transport.abortConnection()
        else:
            super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._refused is not None and self._refused.active():
            self._refused.cancel()
        super().connectionLost(reason)


class AdminServerSide(Server):
    """
    What the sessions of administrators share.

    @ivar administration: what they may see and change.
    """

    name = "admin"
    programs = {PROGRAM.number: PROGRAM}
    session = AdminSession
    administration: Administration


def _administration(session: Session) -> Administration:
    assert isinstance(session.server, AdminServerSide)
    return session.server.administration


def _server(session: Session, ref: AdminServer) -> IAdministered:
    return _administration(session).server(ref.name)


def _findClient(server: IAdministered, number: int) -> IClient:
    for each in server.sessions:
        if each.number == number:
            return each
    raise virtError(ErrorCode.NO_CLIENT, f"No client with matching ID '{number}'", ErrorDomain.RPC)


def _ref(server: IAdministered, client: IClient) -> AdminClient:
    return AdminClient(
        AdminServer(server.name),
        client.number,
        int(client.since),
        _TRANSPORTS.get(client.identity.transport, 0),
    )


# What each procedure answers


def _nothing(session: Session, arguments: tuple[Any, ...]) -> None:
    """There is nothing to do."""


def _close(session: Session, arguments: tuple[Any, ...]) -> None:
    session.closeWhenAnswered()


def _version(session: Session, arguments: tuple[Any, ...]) -> int:
    return _VERSION


def _listServers(session: Session, arguments: tuple[Any, ...]) -> ConnectListServersResult:
    names = sorted(_administration(session).servers)
    wanted = [AdminServer(each) for each in names] if arguments[0] else []
    return ConnectListServersResult(wanted, len(names))


def _lookupServer(session: Session, arguments: tuple[Any, ...]) -> AdminServer:
    return AdminServer(_administration(session).server(arguments[0]).name)


def _uints(**values: int) -> list[TypedParam]:
    return [TypedParam(name, _UINT, min(value, 0xFFFFFFFF)) for name, value in values.items()]


def _threadPool(session: Session, arguments: tuple[Any, ...]) -> list[TypedParam]:
    server = _server(session, arguments[0])
    workers = server.workers
    # Whoever answers this is at work, too.
    busy = workers.busy + (server is session.server)
    return _uints(
        minWorkers=workers.minimum,
        maxWorkers=workers.maximum,
        nWorkers=workers.workers,
        freeWorkers=max(workers.workers - busy, 0),
        prioWorkers=workers.priority,
        jobQueueDepth=workers.queued,
    )


def _setThreadPool(session: Session, arguments: tuple[Any, ...]) -> None:
    server = _known(session, arguments[0])
    given = validateParams(
        arguments[1], dict.fromkeys(("minWorkers", "maxWorkers", "prioWorkers"), _UINT)
    )
    server.workers.configure(
        given.get("minWorkers"), given.get("maxWorkers"), given.get("prioWorkers")
    )
    _told(session, "the workers", server, given)


def _known(session: Session, ref: AdminServer) -> IAdministered:
    """Find a server for a change, which libvirtd does with words of its own."""
    found = _administration(session).servers.get(ref.name)
    if found is None:
        raise virtError(
            ErrorCode.NO_SERVER,
            f"no server with matching name '{ref.name}' found",
            ErrorDomain.ADMIN,
        )
    return found


def _told(session: Session, what: str, server: IAdministered, given: Mapping[str, Any]) -> None:
    log.info(
        "{who} set {what} of server '{server}': {values}",
        who=session.peer,
        what=what,
        server=server.name,
        values=", ".join(f"{name}={value}" for name, value in given.items()),
    )


def _listClients(session: Session, arguments: tuple[Any, ...]) -> ServerListClientsResult:
    server = _server(session, arguments[0])
    found = sorted(server.sessions, key=lambda each: each.number)
    if len(found) > 16384:
        raise virtError(
            ErrorCode.INTERNAL_ERROR,
            f"Too many clients '{len(found)}' for limit '16384'",
            ErrorDomain.ADMIN,
        )
    wanted = [_ref(server, each) for each in found] if arguments[1] else []
    return ServerListClientsResult(wanted, len(found))


def _lookupClient(session: Session, arguments: tuple[Any, ...]) -> AdminClient:
    server = _server(session, arguments[0])
    return _ref(server, _findClient(server, arguments[1]))


def _clientInfo(session: Session, arguments: tuple[Any, ...]) -> list[TypedParam]:
    server = _server(session, arguments[0].srv)
    try:
        client = _findClient(server, arguments[0].id)
    except VirtError:
        raise virtError(
            ErrorCode.NO_CLIENT,
            f"no client with matching id '{arguments[0].id}' found",
            ErrorDomain.ADMIN,
        ) from None
    return _describe(client)


def _describe(client: IClient) -> list[TypedParam]:
    who = client.identity
    found: list[tuple[str, int, Any]] = [("readonly", c.VIR_TYPED_PARAM_BOOLEAN, client.readOnly)]

    def add(name: str, kind: int, value: Any) -> None:
        if value is not None:
            found.append((name, kind, value))

    text, number = c.VIR_TYPED_PARAM_STRING, c.VIR_TYPED_PARAM_INT
    add("sasl_user_name", text, who.saslName)
    if who.address is not None:
        add("sock_addr", text, who.address)
        add("tls_x509_dname", text, who.x509Name)
    elif who.userID is not None:
        add("unix_user_id", number, _signed(who.userID))
        add("unix_user_name", text, userName(who.userID))
        if who.groupID is not None:
            add("unix_group_id", number, _signed(who.groupID))
            add("unix_group_name", text, groupName(who.groupID))
        add("unix_process_id", number, who.processID)
    add("selinux_context", text, who.selinuxContext)
    return [TypedParam(*each) for each in found]


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number


def _closeClient(session: Session, arguments: tuple[Any, ...]) -> None:
    client = _findClient(_server(session, arguments[0].srv), arguments[0].id)
    who, whom = session.peer, client.identity.describe()
    log.info("{who} disconnects {client}", who=who, client=whom)
    if client is session:
        client.closeWhenAnswered()
    else:
        client.closeConnection()
        client.close()


def _clientLimits(session: Session, arguments: tuple[Any, ...]) -> list[TypedParam]:
    server = _server(session, arguments[0])
    return _uints(
        nclients_max=server.limits.clients,
        nclients=len(server.sessions),
        nclients_unauth_max=server.limits.anonymousClients,
        nclients_unauth=server.anonymous,
    )


def _setClientLimits(session: Session, arguments: tuple[Any, ...]) -> None:
    server = _known(session, arguments[0])
    given = validateParams(
        arguments[1], dict.fromkeys(("nclients_max", "nclients_unauth_max"), _UINT)
    )
    limits = server.limits
    clients = given.get("nclients_max", limits.clients)
    anonymous = given.get("nclients_unauth_max", limits.anonymousClients)
    if clients < anonymous:
        raise virtError(
            ErrorCode.INVALID_ARG,
            "The overall maximum number of clients waiting for authentication must not be less"
            " than the overall maximum number of clients",
            ErrorDomain.RPC,
        )
    server.setLimits(attrs.evolve(limits, clients=clients, anonymousClients=anonymous))
    _told(session, "the limits", server, given)


def _filters(session: Session, arguments: tuple[Any, ...]) -> ConnectGetLoggingFiltersResult:
    found = _administration(session).log
    return ConnectGetLoggingFiltersResult(found.describeFilters(), len(found.filters))


def _outputs(session: Session, arguments: tuple[Any, ...]) -> ConnectGetLoggingOutputsResult:
    found = _administration(session).log
    return ConnectGetLoggingOutputsResult(found.describeOutputs(), len(found.outputs))


def _setFilters(session: Session, arguments: tuple[Any, ...]) -> None:
    _administration(session).setLogFilters(arguments[0])


def _setOutputs(session: Session, arguments: tuple[Any, ...]) -> None:
    _administration(session).setLogOutputs(arguments[0])


def _updateTLS(session: Session, arguments: tuple[Any, ...]) -> None:
    _administration(session).updateTLS(_server(session, arguments[0]))


def _timeout(session: Session, arguments: tuple[Any, ...]) -> None:
    _administration(session).setTimeout(arguments[0])


def _flagged(name: str, answer: Answer) -> Answer:
    """Refuse any flag, the last argument, before all else."""

    def checked(session: Session, arguments: tuple[Any, ...]) -> Any:
        flags = arguments[-1]
        if flags:
            raise VirtError(
                f"unsupported flags (0x{flags:x}) in function {name}",
                code=ErrorCode.INVALID_ARG,
                domain=ErrorDomain.ADMIN,
                str1=name,
                str2="flags",
                int1=0,
                int2=0,
            )
        return answer(session, arguments)

    return checked


def _table() -> dict[Procedure, Answer]:
    answers: dict[str, tuple[str | None, Callable[[Any, tuple[Any, ...]], Any]]] = {
        "connectOpen": ("adminDispatchConnectOpen", _nothing),
        "connectClose": (None, _close),
        "connectGetLibVersion": (None, _version),
        "connectListServers": ("adminConnectListServers", _listServers),
        "connectLookupServer": (None, _lookupServer),
        "serverGetThreadpoolParameters": ("adminServerGetThreadPoolParameters", _threadPool),
        "serverSetThreadpoolParameters": ("adminServerSetThreadPoolParameters", _setThreadPool),
        "serverListClients": ("adminServerListClients", _listClients),
        "serverLookupClient": ("adminServerLookupClient", _lookupClient),
        "clientGetInfo": ("adminClientGetInfo", _clientInfo),
        "clientClose": ("adminClientClose", _closeClient),
        "serverGetClientLimits": ("adminServerGetClientLimits", _clientLimits),
        "serverSetClientLimits": ("adminServerSetClientLimits", _setClientLimits),
        "connectGetLoggingOutputs": ("adminConnectGetLoggingOutputs", _outputs),
        "connectGetLoggingFilters": ("adminConnectGetLoggingFilters", _filters),
        "connectSetLoggingOutputs": ("adminConnectSetLoggingOutputs", _setOutputs),
        "connectSetLoggingFilters": ("adminConnectSetLoggingFilters", _setFilters),
        "serverUpdateTLSFiles": ("adminServerUpdateTlsFiles", _updateTLS),
        "connectSetDaemonTimeout": ("adminConnectSetDaemonTimeout", _timeout),
    }
    return {
        PROGRAM.byName[name]: answer if function is None else _flagged(function, answer)
        for name, (function, answer) in answers.items()
    }


AdminServerSide.own = _table()
