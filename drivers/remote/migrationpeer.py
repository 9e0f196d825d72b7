"""
The destination of a migration, for a driver that leads one itself: L{MigrationPeer}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from pyvirt.drivers.interfaces.peers import IMigrationPeer
from pyvirt.drivers.interfaces.streams import IStreamSink
from pyvirt.drivers.interfaces.values import (
    MigrationFinished,
    MigrationPrepared,
    TypedParam,
)
from pyvirt.errors import ErrorCode, VirtError
from pyvirt.protocols.programs import REMOTE

if TYPE_CHECKING:
    from pyvirt.drivers.remote.connection import RemoteConnection

__all__ = ["MigrationPeer"]


@implementer(IMigrationPeer)
class MigrationPeer:
    """Says the steps of a migration to a daemon as procedures."""

    def __init__(self, connection: RemoteConnection) -> None:
        self._connection = connection

    async def _call(self, name: str, *arguments: Any) -> Any:
        return await self._connection.call(REMOTE, REMOTE.byName[name], arguments)

    async def hasFeature(self, feature: int) -> bool:
        """Whether its driver has a feature."""
        return bool(await self._call("connectSupportsFeature", feature))

    async def prepare(
        self, params: list[TypedParam], cookie: bytes, flags: int
    ) -> MigrationPrepared:
        """Have it get ready."""
        answer = await self._call("domainMigratePrepare3Params", params, cookie, flags)
        return MigrationPrepared(*answer)

    async def prepareTunnel(
        self, params: list[TypedParam], cookie: bytes, flags: int
    ) -> tuple[bytes, IStreamSink]:
        """Have it get ready for data that comes through this connection."""
        procedure = REMOTE.byName["domainMigratePrepareTunnel3Params"]
        answer, sink = await self._connection.openStream(REMOTE, procedure, (params, cookie, flags))
        return answer, sink

    async def finish(
        self, params: list[TypedParam], cookie: bytes, flags: int, cancelled: bool
    ) -> MigrationFinished:
        """Have the guest run there, or forgotten there."""
        answer = await self._call(
            "domainMigrateFinish3Params", params, cookie, flags, int(cancelled)
        )
        return MigrationFinished(*answer)

    async def stateOf(self, uuid: bytes) -> tuple[int, int] | None:
        """Tell the state of a domain there and its reason, None if there is no such domain."""
        try:
            ref = await self._call("domainLookupByUUID", uuid)
            answer = await self._call("domainGetState", ref, 0)
        except VirtError as error:
            if error.code == ErrorCode.NO_DOMAIN:
                return None
            raise
        return answer[0], answer[1]

    def watch(self, interval: int, count: int, lost: Callable[[], None]) -> None:
        """Ask it now and then whether it is there, and call C{lost} once when it is not."""
        self._connection.whenLost(lambda reason: lost())
        if interval > 0:
            self._connection.setKeepAlive(interval, count)
