"""
A migration that the source's daemon leads, as a client of the destination's: L{PeerToPeer}.

Whoever asked for it may leave: it goes on.  When the destination is lost while it is told to let the guest run, it is
asked, as soon as it answers again, whether it does; a guest of which that cannot be learnt stays paused.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.drivers.interfaces.driver import IConnection, OpenContext
from pyvirt.drivers.interfaces.peers import IMigrationPeer
from pyvirt.drivers.interfaces.values import MigrationFinished, TypedParam
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.leaving import Leaver, Leaving
from pyvirt.drivers.qemu.leavingchecks import checkMovable
from pyvirt.drivers.qemu.memorystream import canceled
from pyvirt.drivers.qemu.migrationcookie import Cookie, readCookie
from pyvirt.drivers.qemu.migrationdata import asParams
from pyvirt.drivers.qemu.refusals import failed, internal, invalidArgument, unsupportedArgument
from pyvirt.drivertable import DriverTable, loadFactories
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.uri import parseURI

__all__ = ["PeerToPeer"]

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


class PeerToPeer(Leaving):
    """Leads migrations."""

    async def migrate(
        self, domain: Domain, dconnuri: str | None, asked: dict[str, Any], flags: int
    ) -> None:
        """
        Move a guest.

        @param dconnuri: where the destination's daemon is reached from here.
        @raise VirtError: it goes on here, if it went on.
        """
        if not dconnuri:
            raise invalidArgument("no URI of the destination was given")
        self._checkURI(dconnuri)
        if flags & c.VIR_MIGRATE_OFFLINE:
            await self._connected(domain, None, dconnuri, asked, flags)
            return
        leaver = await self._hold(domain, domain.checkActive(), flags, None)
        self._callOff(leaver)
        leaver.busy = True
        try:
            checkMovable(domain, domain.definition, flags, asked)
            await self._connected(domain, leaver, dconnuri, asked, flags)
        finally:
            if leaver.held is not None and not leaver.sent:
                await self._givenUp(leaver)
            await self._forget(leaver)

    def _checkURI(self, text: str) -> None:
        if getattr(self._connection, "trusted", True):
            return
        uri = parseURI(text)
        named = {name.lower() for name, _ in uri.parameters}
        if named & _TRUSTED or "+ext" in uri.scheme:
            raise virtError(
                ErrorCode.OPERATION_DENIED,
                f"only a client with the rights of the daemon may have it use '{text}'",
                ErrorDomain.QEMU,
            )

    async def _open(self, uri: str) -> IConnection:
        reactor = self._hypervisor.clock
        table = DriverTable(reactor, [each for each in loadFactories() if not each.local])
        return await table.open(uri, OpenContext(reactor=reactor, inDaemon=True))

    async def _connected(
        self,
        domain: Domain,
        leaver: Leaver | None,
        uri: str,
        asked: dict[str, Any],
        flags: int,
    ) -> None:
        connection = await self._open(uri)
        try:
            peer: Any = connection.component(IMigrationPeer)
            config = self._hypervisor.config

            def lost() -> None:
                if leaver is not None:
                    leaver.fail(_closed())

            peer.watch(config["keepalive_interval"], config["keepalive_count"], lost)
            if not await peer.hasFeature(FEATURE_P2P):
                raise failed("Destination libvirt does not support peer-to-peer migration protocol")
            if not await peer.hasFeature(FEATURE_V3) or not await peer.hasFeature(FEATURE_PARAMS):
                raise unsupportedArgument(
                    "Migration APIs with extensible parameters are not supported but extended "
                    "parameters were passed"
                )
            if flags & c.VIR_MIGRATE_OFFLINE and not await peer.hasFeature(FEATURE_OFFLINE):
                raise unsupportedArgument(
                    "offline migration is not supported by the destination host"
                )
            if domain.state == c.VIR_DOMAIN_PAUSED and domain.active:
                flags |= c.VIR_MIGRATE_PAUSED
            await self._lead(domain, leaver, peer, uri, asked, flags)
        except VirtError as error:
            gone = error.domain in _TRANSPORT and not connection.isAlive()
            raise _closed() if gone else error from None
        finally:
            closing = connection.close()
            if isinstance(closing, Awaitable):
                await closing

    async def _lead(
        self,
        domain: Domain,
        leaver: Leaver | None,
        peer: Any,
        uri: str,
        asked: dict[str, Any],
        flags: int,
    ) -> None:
        theirFlags = flags & ~_OURS
        cookie, xml = await self._begin(domain, asked, flags)
        _goesOn(leaver)
        told = {**asked, c.VIR_MIGRATE_PARAM_DEST_XML: xml}
        tunnelled = bool(flags & c.VIR_MIGRATE_TUNNELLED)
        sink: Any = None
        where: str | None = None
        if tunnelled:
            theirs, sink = await peer.prepareTunnel(asParams(told), cookie, theirFlags)
        else:
            theirs, where = await peer.prepare(asParams(told), cookie, theirFlags)
        where = where or asked.get(c.VIR_MIGRATE_PARAM_URI)
        name = asked.get(c.VIR_MIGRATE_PARAM_DEST_NAME) or domain.name
        ending = {**asked, c.VIR_MIGRATE_PARAM_DEST_NAME: name}
        if where is not None:
            ending[c.VIR_MIGRATE_PARAM_URI] = where
        last = asParams(ending)
        out: Cookie | None = None
        try:
            if leaver is not None:
                _goesOn(leaver)
                read = readCookie(theirs, uuid=domain.uuid)
                if tunnelled:
                    out = await self._perform(leaver, asked, read, sink)
                elif where is None:
                    raise internal("domainMigratePrepare3 did not set uri")
                else:
                    address = self._addressOf(where, flags, asked, leaver)
                    out = await self._perform(leaver, asked, read, address)
        except VirtError as error:
            if leaver is not None:
                await self._givenUp(leaver)
            here = leaver is None or domain.guest is leaver.guest
            theirError = await self._cancel(peer, last, theirFlags, error)
            raise (theirError if here else error) from None
        sent = b"" if out is None else out.encode()
        try:
            found = await peer.finish(last, sent, theirFlags, False)
        except VirtError as error:
            found = await self._doubtful(domain, leaver, uri, error)
        if leaver is not None:
            answer = readCookie(found.cookie) if found.cookie else None
            await self._confirm(leaver, answer, flags, False)
        else:
            self._removed(domain, flags)

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
        self, domain: Domain, leaver: Leaver | None, uri: str, error: VirtError
    ) -> MigrationFinished:
        """
        The guest was not let go on over there, or nobody answered.

        @return: as if there had been an answer, when it turns out that it runs there.
        @raise VirtError: it does not, and goes on here; or nobody knows, and it does not go on here.
        """
        runs: bool | None = False
        if error.domain == ErrorDomain.RPC and leaver is not None:
            runs = await self._ask(domain.uuid, uri)
        if runs:
            return MigrationFinished(domain.ref, b"")
        if leaver is not None and runs is None:
            log.error(
                "{name} was sent to {uri}, which does not answer: it stays paused here",
                name=domain.name,
                uri=uri,
            )
        elif leaver is not None:
            await self._confirm(leaver, None, leaver.flags, True)
        raise error

    async def _ask(self, uuid: bytes, uri: str) -> bool | None:
        """Ask the destination whether a guest runs there; None: it does not answer."""
        clock = self._hypervisor.clock
        end = clock.seconds() + ASKING
        while clock.seconds() < end and not self._hypervisor.stopping:
            try:
                connection = await self._open(uri)
                try:
                    peer: Any = connection.component(IMigrationPeer)
                    state = await peer.stateOf(uuid)
                finally:
                    closing = connection.close()
                    if isinstance(closing, Awaitable):
                        await closing
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


def _closed() -> VirtError:
    """Make the error that the destination's daemon is gone."""
    return internal("client socket is closed", ErrorDomain.RPC)


def _goesOn(leaver: Leaver | None) -> None:
    """
    See whether it is still wanted.

    @raise VirtError: it is not.
    """
    job = None if leaver is None else leaver.job
    if leaver is None or job is None:
        return
    guest: Guest = leaver.guest
    if leaver.domain.guest is not guest:
        leaver.domain.checkActive()
    if job.aborted:
        raise job.problem or canceled("migration out job")
