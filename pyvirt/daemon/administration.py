"""
What of a daemon can be seen and changed while it runs: its servers, its log, its time to live.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pyvirt.daemon.identity import Identity
from pyvirt.daemon.logsetup import Log, parseFilters, parseOutputs
from pyvirt.daemon.server import Limits
from pyvirt.daemon.workers import Workers
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["Administration", "AutoShutdown", "IAdministered", "IClient"]

log = Logger()


class IClient(Protocol):
    """A client of a server, as administrators see it."""

    @property
    def number(self) -> int:
        """What tells it from others of its server."""

    @property
    def since(self) -> float:
        """When it was accepted, in seconds since 1970."""

    @property
    def readOnly(self) -> bool:
        """Whether it may only look."""

    @property
    def identity(self) -> Identity:
        """Who it is."""

    def closeWhenAnswered(self) -> None:
        """Take no further call of it, and let it go."""

    def closeConnection(self) -> None:
        """Let go of what it has open."""

    def close(self) -> None:
        """Close its connection."""


class IAdministered(Protocol):
    """
    A server, as administrators see it.

    @ivar anonymous: how many clients have not authenticated.
    """

    name: str
    limits: Limits
    workers: Workers
    anonymous: int

    @property
    def sessions(self) -> Collection[IClient]:
        """Those that are connected."""

    def setLimits(self, limits: Limits) -> None:
        """Hold clients to other limits from now on; those that are connected stay."""


class AutoShutdown:
    """
    Ends a daemon that nobody has used for a while.

    @ivar seconds: how long; 0: it stays.
    """

    def __init__(
        self, clock: IReactorTime, idle: Callable[[], bool], end: Callable[[], None]
    ) -> None:
        """
        @param idle: whether nobody is connected and nothing is in use.
        @param end: ends the daemon.
        """
        self.seconds = 0
        self._clock = clock
        self._idle = idle
        self._end = end
        self._call: IDelayedCall | None = None

    def set(self, seconds: int) -> None:
        """End the daemon after so much idleness, 0: never."""
        self.seconds = seconds
        self.stop()
        self.check()

    def check(self) -> None:
        """Somebody may have come or gone."""
        wanted = self.seconds > 0 and self._idle()
        if wanted and self._call is None:
            self._call = self._clock.callLater(self.seconds, self._expired)
        elif not wanted:
            self.stop()

    def stop(self) -> None:
        """End nothing."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _expired(self) -> None:
        self._call = None
        if not self._idle():
            self.check()  # a guest has been started meanwhile, say
            return
        log.info("nobody was here for {seconds} seconds, stopping", seconds=self.seconds)
        self._end()


class Administration:
    """
    What administrators see and change.

    @ivar servers: by name.
    @ivar log: where messages go.
    """

    def __init__(self, log: Log) -> None:
        self.servers: Mapping[str, IAdministered] = {}
        self.log = log
        self.shutdown: AutoShutdown | None = None
        self.tlsUpdater: Callable[[object], bool] | None = None

    def server(self, name: str) -> IAdministered:
        """
        Find a server.

        @raise VirtError: there is none of that name (C{NO_SERVER}).
        """
        found = self.servers.get(name)
        if found is None:
            raise virtError(ErrorCode.NO_SERVER, f"No server named '{name}'", ErrorDomain.RPC)
        return found

    def setLogFilters(self, text: str | None) -> None:
        """
        Replace the filters of the log.

        @raise VirtError: they are malformed.
        """
        filters = parseFilters(text)
        self.log.setFilters(filters)
        log.info("log filters are now '{filters}'", filters=" ".join(map(str, filters)))

    def setLogOutputs(self, text: str | None) -> None:
        """
        Replace the outputs of the log; none: the default one.

        @raise VirtError: they are malformed or cannot be opened.
        """
        self.log.setOutputs(parseOutputs(text))
        log.info("log outputs are now '{outputs}'", outputs=self.log.describeOutputs())

    def updateTLS(self, server: IAdministered) -> None:
        """
        Read the certificates of a server again.

        @raise VirtError: it has none, or they cannot be used.
        """
        if self.tlsUpdater is None or not self.tlsUpdater(server):
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                "no tls service found, unable to update tls files",
                ErrorDomain.RPC,
            )

    def setTimeout(self, seconds: int) -> None:
        """End the daemon after so much idleness; 0: never."""
        if self.shutdown is not None:
            self.shutdown.set(seconds)
            log.info("the daemon's timeout is now {seconds} seconds", seconds=seconds)
