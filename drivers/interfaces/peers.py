"""
Another daemon as a driver meets it: the destination of a migration that the source's daemon leads.
"""

from __future__ import annotations

from collections.abc import Callable

from zope.interface import Interface

from pyvirt.drivers.interfaces.streams import IStreamSink
from pyvirt.drivers.interfaces.values import (
    Answer,
    MigrationFinished,
    MigrationPrepared,
    TypedParam,
)


class IMigrationPeer(Interface):
    """The destination's daemon, through a connection of our own; each answer may fail with C{VirtError}."""

    def hasFeature(feature: int) -> Answer[bool]:
        """Whether its driver has a C{VIR_DRV_FEATURE_*}."""

    def prepare(params: list[TypedParam], cookie: bytes, flags: int) -> Answer[MigrationPrepared]:
        """Have it get ready; see L{IDomainMigration.domainMigratePrepare3Params}."""

    def prepareTunnel(
        params: list[TypedParam], cookie: bytes, flags: int
    ) -> Answer[tuple[bytes, IStreamSink]]:
        """Have it get ready for data that comes through this connection."""

    def finish(
        params: list[TypedParam], cookie: bytes, flags: int, cancelled: bool
    ) -> Answer[MigrationFinished]:
        """Have the guest run there, or forgotten there."""

    def stateOf(uuid: bytes) -> Answer[tuple[int, int] | None]:
        """Tell the state (C{VIR_DOMAIN_*}) of a domain there and its reason, None if there is no such domain."""

    def watch(interval: int, count: int, lost: Callable[[], None]) -> None:
        """
        Ask it now and then whether it is there, and call C{lost} once when it is not.

        @param interval: seconds; 0 or less: do not ask, only tell of the end of the connection.
        """
