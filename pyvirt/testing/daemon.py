"""
A daemon in memory: real sessions on whatever transport a test gives them, on a clock that the test moves.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from twisted.internet.interfaces import IReactorTime

from pyvirt.daemon.server import Limits, Server, SessionFactory
from pyvirt.daemon.session import Session

__all__ = ["MemoryDaemon", "memoryDaemon"]


class MemoryDaemon:
    """
    A daemon without sockets.

    @ivar server: what its sessions share: counters, limits, who is connected.
    """

    def __init__(self, server: Server) -> None:
        self.server = server

    def offerLess(
        self,
        version: str | None = None,
        without: Collection[str] = (),
        lacking: Collection[int] = (),
    ) -> None:
        """
        Be a daemon of an older release, or one without certain procedures, for all who call from now on.

        @param version: the release, such as C{1.0.5}; None: today's, so that nothing is left out.
        @param without: names of procedures that are unknown.
        @param lacking: numbers of features that it does not have, C{VIR_DRV_FEATURE_*}.
        @raise ValueError: there is no such procedure, or the release has no number.
        """
        from pyvirt.testing.older import offerLess

        offerLess(self.server, version, without, lacking)

    def protocol(self, *, readOnly: bool = False, auth: str = "none") -> Session:
        """
        Return the daemon's side of a new connection: a protocol to give a transport to.

        @param readOnly: as if its client had come by the read-only socket.
        @param auth: how its client has to authenticate.
        @raise RuntimeError: the daemon takes no more clients.
        """
        session = SessionFactory(self.server, auth=auth, readOnly=readOnly).buildProtocol(None)
        if session is None:
            raise RuntimeError("the daemon takes no more clients")
        return session


def memoryDaemon(
    clock: IReactorTime, drivers: Any = None, limits: Limits | None = None
) -> MemoryDaemon:
    """
    Make a daemon in memory.  Its clients are this program's own: they may name any scenario file.

    @param clock: its time; nothing happens later unless it moves.
    @param drivers: opens URIs, as L{pyvirt.drivertable.DriverTable} does; None: the installed local drivers,
        with a state of their own.
    @param limits: what clients may take, None: the defaults.
    """
    if drivers is None:
        from pyvirt.drivertable import DriverTable

        drivers = DriverTable(clock, remote=False)
    server = Server(clock, drivers, limits)
    server.trusting = True
    return MemoryDaemon(server)
