"""
What administrators see and change of the lock daemon: C{virt-admin -c virtlockd:///system} has the answers that
virtlockd gives.  It has no workers and asks nobody who he is.
"""

from __future__ import annotations

from typing import Any

import attrs

from pyvirt.daemon.admin import AdminServerSide
from pyvirt.daemon.administration import Administration, AutoShutdown
from pyvirt.daemon.config import Config
from pyvirt.daemon.identity import Identity
from pyvirt.daemon.logsetup import Log
from pyvirt.daemon.server import Limits
from pyvirt.daemon.workers import Workers
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.locking.server import LockServer, LockSession

__all__ = ["AdministeredLocks", "LockAdministrators"]


@attrs.frozen
class _Client:
    """A client of the lock daemon, as administrators see it."""

    session: LockSession
    readOnly = False

    @property
    def number(self) -> int:
        return self.session.number

    @property
    def since(self) -> float:
        return self.session.since

    @property
    def identity(self) -> Identity:
        return Identity.of(self.session.transport)

    def closeWhenAnswered(self) -> None:
        """It is no administrator, so it is not answered now."""
        self.close()

    def closeConnection(self) -> None:
        """What it has hangs on its connection."""

    def close(self) -> None:
        self.session.transport.abortConnection()


class AdministeredLocks:
    """The lock daemon's own server."""

    name = "virtlockd"
    anonymous = 0

    def __init__(self, server: LockServer) -> None:
        self._server = server
        self.workers = Workers(0, 0, 0)
        self.limits = Limits(clients=server.maxClients, anonymousClients=server.maxClients)

    @property
    def sessions(self) -> list[_Client]:
        return [_Client(each) for each in self._server.sessions]

    def setLimits(self, limits: Limits) -> None:
        self.limits = limits
        self._server.setMaximum(limits.clients)


class _NothingToOpen:
    """Administrators open no drivers."""

    def open(self, name: str | None, context: Any) -> Any:
        raise virtError(ErrorCode.OPERATION_INVALID, "no drivers are here", ErrorDomain.RPC)


class LockAdministrators(AdminServerSide):
    """What the sessions of administrators share."""

    def __init__(self, reactor: Any, server: LockServer, config: Config, log: Log) -> None:
        """
        @param log: where messages go.
        """
        limits = Limits.ofAdmin(config)
        super().__init__(
            reactor, _NothingToOpen(), attrs.evolve(limits, anonymousClients=limits.clients)
        )
        self.workers = Workers(0, 0, 0)
        self.administration = Administration(log)
        self.administration.servers = {
            each.name: each for each in (AdministeredLocks(server), self)
        }

        def idle() -> bool:
            return not self.sessions and not server.sessions and not server.owners.known

        # It ends as it does by a signal.
        shutdown = AutoShutdown(reactor, idle, reactor.stop)
        self.administration.shutdown = shutdown
        self.changed = server.changed = shutdown.check
