"""
Leading a migration as the source's daemon, which is a client of the destination's: L{Leader}, for any driver.

Whoever asked for it may leave: it goes on.  When the destination is lost while it is told to let the guest run, it is
asked, as soon as it answers again, whether it does; a guest of which that cannot be learnt stays paused.

A driver does its own steps, as a L{Departure}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.drivers.interfaces.driver import IConnection, OpenContext
from pyvirt.drivers.interfaces.peers import IMigrationPeer
from pyvirt.drivers.interfaces.streams import IStreamSink
from pyvirt.drivers.interfaces.values import (
    DomainRef,
    MigrationBegun,
    MigrationFinished,
    TypedParam,
)
from pyvirt.drivers.refusals import Refusals, internal
from pyvirt.drivertable import DriverTable, loadFactories
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.uri import parseURI

__all__ = ["Departure", "Leader", "checkPeerURI"]

log = Logger()

FEATURE_P2P = 4
FEATURE_V3 = 6
FEATURE_OFFLINE = 12
FEATURE_PARAMS = 13

#: Seconds for which a lost destination is asked what became of the guest, and between two attempts.
ASKING = 60.0
AGAIN = 1.0

_RUNNING = (c.VIR_DOMAIN_RUNNING, c.VIR_DOMAIN_BLOCKED)
_WAITING = (c.VIR_DOMAIN_PAUSED_MIGRATION, c.VIR_DOMAIN_PAUSED_STARTING_UP)
#: What a URI may say only for those who have the rights of the daemon: it would run a program, or read a file.
_TRUSTED = frozenset(
    (
        "authfile",
        "command",
        "netcat",
        "keyfile",
        "pkipath",
        "knownhosts",
        "known_hosts",
        "sshauth",
        "proxy",
    )
)
_TRANSPORT = (ErrorDomain.RPC, ErrorDomain.STREAMS)
#: What is about the source's way of sending.
_OURS = c.VIR_MIGRATE_ABORT_ON_ERROR | c.VIR_MIGRATE_AUTO_CONVERGE


class Departure(Protocol):
    """
    A guest on its way out, as its driver moves it.

    @ivar ref: the domain.
    @ivar paused: whether it stands still, and is to at its destination.
    """

    @property
    def ref(self) -> DomainRef: ...

    @property
    def paused(self) -> bool: ...

    async def begin(self, flags: int) -> MigrationBegun:
        """
        Describe it to the destination.

        @raise VirtError: it cannot move.
        """

    def goesOn(self) -> None:
        """
        See whether it is still wanted.

        @raise VirtError: it is not.
        """

    async def perform(self, cookie: bytes, where: str | IStreamSink | None) -> bytes:
        """
        Send it; nothing is sent of one that does not run.

        @param where: a URI, what takes the memory, or None if it does not run and the destination named no URI.
        @return: the cookie for the destination.
        @raise VirtError: it does not get there.
        """

    async def giveUp(self) -> bool:
        """
        Let it go on here, for it was not sent.

        @return: whether it is still here, as it was.
        """

    async def confirm(self, cookie: bytes, flags: int, cancelled: bool) -> None:
        """Let it go, or, though it was sent, go on here."""

    def lost(self, error: VirtError) -> None:
        """The destination is gone: stop sending, for that reason."""


def checkPeerURI(text: str, domain: int) -> None:
    """
    Refuse what only those may name who have the rights of the daemon.

    @param domain: C{ErrorDomain} of the driver.
    """
    uri = parseURI(text)
    named = {name.lower() for name, _ in uri.parameters}
    if named & _TRUSTED or "+ext" in uri.scheme:
        raise virtError(
            ErrorCode.OPERATION_DENIED,
            f"only a client with the rights of the daemon may have it use '{text}'",
            domain,
        )


@attrs.define
class Leader:
    """
    Leads migrations.

    @ivar reactor: time and network.
    @ivar refusals: the driver's.
    @ivar keepalive: seconds between two questions whether the destination is there, and how many may be open.
    @ivar stopping: whether there is no use in waiting any longer.
    @ivar asking: seconds for which a lost destination is asked what became of the guest.
    """

    reactor: Any
    refusals: Refusals
    keepalive: tuple[int, int] = (5, 5)
    stopping: Callable[[], bool] = lambda: False
    asking: float = ASKING

    async def lead(
        self, departure: Departure, uri: str, params: list[TypedParam], flags: int
    ) -> None:
        """
        Move a guest.

        @param uri: where the destination's daemon is reached from here.
        @raise VirtError: it goes on here, if it went on; or nobody knows where, and it stays paused.
        """
        connection = await self._open(uri)
        refuse = self.refusals
        try:
            peer: Any = connection.component(IMigrationPeer)
            peer.watch(*self.keepalive, lambda: departure.lost(_closed()))
            if not await peer.hasFeature(FEATURE_P2P):
                raise refuse.failed(
                    "Destination libvirt does not support peer-to-peer migration protocol"
                )
            if not await peer.hasFeature(FEATURE_V3) or not await peer.hasFeature(FEATURE_PARAMS):
                raise refuse.unsupportedArgument(
                    "Migration APIs with extensible parameters are not supported but extended "
                    "parameters were passed"
                )
            if flags & c.VIR_MIGRATE_OFFLINE and not await peer.hasFeature(FEATURE_OFFLINE):
                raise refuse.unsupportedArgument(
                    "offline migration is not supported by the destination host"
                )
            if departure.paused:
                flags |= c.VIR_MIGRATE_PAUSED
            await self._steps(departure, peer, uri, params, flags)
        except VirtError as error:
            gone = error.domain in _TRANSPORT and not connection.isAlive()
            raise _closed() if gone else error from None
        finally:
            await _close(connection)

    async def _open(self, uri: str) -> IConnection:
        table = DriverTable(self.reactor, [each for each in loadFactories() if not each.local])
        return await table.open(uri, OpenContext(reactor=self.reactor, inDaemon=True))

    async def _steps(
        self, departure: Departure, peer: Any, uri: str, params: list[TypedParam], flags: int
    ) -> None:
        theirFlags = flags & ~_OURS
        begun = await departure.begin(flags)
        departure.goesOn()
        told = _with(params, c.VIR_MIGRATE_PARAM_DEST_XML, begun.xml)
        where: str | IStreamSink | None
        if flags & c.VIR_MIGRATE_TUNNELLED:
            theirs, where = await peer.prepareTunnel(told, begun.cookie, theirFlags)
        else:
            theirs, where = await peer.prepare(told, begun.cookie, theirFlags)
            where = where or _value(params, c.VIR_MIGRATE_PARAM_URI)
        name = _value(params, c.VIR_MIGRATE_PARAM_DEST_NAME) or departure.ref.name
        last = _with(params, c.VIR_MIGRATE_PARAM_DEST_NAME, name)
        if isinstance(where, str):
            last = _with(last, c.VIR_MIGRATE_PARAM_URI, where)
        try:
            departure.goesOn()
            if where is None and not flags & c.VIR_MIGRATE_OFFLINE:
                raise self.refusals.internal("domainMigratePrepare3 did not set uri")
            sent = await departure.perform(theirs, where)
        except VirtError as error:
            here = await departure.giveUp()
            theirError = await self._cancel(peer, last, theirFlags, error)
            raise (theirError if here else error) from None
        try:
            found = await peer.finish(last, sent, theirFlags, False)
        except VirtError as error:
            found = await self._doubtful(departure, uri, flags, error)
        await departure.confirm(found.cookie, flags, False)

    async def _cancel(
        self, peer: Any, last: list[TypedParam], flags: int, error: VirtError
    ) -> VirtError:
        """Tell the destination that the guest does not come; return what went wrong, which it may know better."""
        try:
            await peer.finish(last, b"", flags, True)
        except VirtError as theirs:
            if (
                theirs.code not in (ErrorCode.MIGRATE_FINISH_OK, ErrorCode.NO_DOMAIN)
                and theirs.domain not in (ErrorDomain.RPC, ErrorDomain.STREAMS)
                and (error.code == ErrorCode.OPERATION_FAILED or error.domain in _TRANSPORT)
            ):
                return theirs
        return error

    async def _doubtful(
        self, departure: Departure, uri: str, flags: int, error: VirtError
    ) -> MigrationFinished:
        """
        The guest was not let go on over there, or nobody answered.

        @return: as if there had been an answer, when it turns out that it runs there.
        @raise VirtError: it does not, and goes on here; or nobody knows, and it does not go on here.
        """
        ref = departure.ref
        runs: bool | None = False
        if flags & c.VIR_MIGRATE_OFFLINE:
            raise error
        if error.domain == ErrorDomain.RPC:
            runs = await self.ask(ref.uuid, uri)
        if runs:
            return MigrationFinished(ref, b"")
        if runs is None:
            log.error(
                "{name} was sent to {uri}, which does not answer: it stays paused here",
                name=ref.name,
                uri=uri,
            )
        else:
            await departure.confirm(b"", flags, True)
        raise error

    async def ask(self, uuid: bytes, uri: str) -> bool | None:
        """
        Ask the destination whether a guest runs there.

        @return: None: it does not answer.
        """
        clock = self.reactor
        end = clock.seconds() + self.asking
        while clock.seconds() < end and not self.stopping():
            try:
                connection = await self._open(uri)
                try:
                    peer: Any = connection.component(IMigrationPeer)
                    state = await peer.stateOf(uuid)
                finally:
                    await _close(connection)
            except VirtError as problem:
                log.debug("{uri} does not answer: {problem}", uri=uri, problem=problem)
            else:
                if state is None or state[0] not in (*_RUNNING, c.VIR_DOMAIN_PAUSED):
                    return False
                if state[0] in _RUNNING or state[1] not in _WAITING:
                    return True
                # It waits there, and goes with the connection that has been lost.
            pause: Deferred[None] = Deferred()
            clock.callLater(AGAIN, pause.callback, None)
            await pause
        return None


async def _close(connection: IConnection) -> None:
    closing = connection.close()
    if isinstance(closing, Awaitable):
        await closing


def _closed() -> VirtError:
    """Make the error that the destination's daemon is gone."""
    return internal("client socket is closed", ErrorDomain.RPC)


def _value(params: list[TypedParam], name: str) -> Any:
    return next((each.value for each in params if each.field == name), None)


def _with(params: list[TypedParam], name: str, value: str) -> list[TypedParam]:
    others = [each for each in params if each.field != name]
    return [*others, TypedParam(name, c.VIR_TYPED_PARAM_STRING, value)]
