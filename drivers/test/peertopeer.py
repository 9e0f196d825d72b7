"""
Guests that leave for a daemon of which this one is the client: the test driver's side of L{pyvirt.drivers.peertopeer}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.interfaces.streams import IStreamSink
from pyvirt.drivers.interfaces.values import DomainRef, MigrationBegun, TypedParam
from pyvirt.drivers.peertopeer import Leader, checkPeerURI
from pyvirt.drivers.refusals import Refusals
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.jobs import checkFree
from pyvirt.drivers.test.migration import PATIENCE, Leaving
from pyvirt.drivers.test.migrationdata import given, readCookie
from pyvirt.drivers.test.refusals import failed, invalidArgument, operationInvalid
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.uri import parseURI

if TYPE_CHECKING:
    from pyvirt.drivers.test.migration import DomainMigration

__all__ = ["migrate"]

#: A destination that was lost lets a guest go that nobody speaks of; it is asked for longer than that.
_ASKING = PATIENCE + 30.0
#: What of a URI is about the way to a daemon, and harmless.
_WAY = frozenset(("auth", "mode", "no_sanity", "no_tty", "no_verify", "socket", "tls_priority"))


def _checkURI(text: str) -> None:
    """
    Refuse what a client without the daemon's rights must not have it do over there.

    The other daemon takes this one for a client with its rights: with other hosts' guests, and files to be read.
    """
    checkPeerURI(text, ErrorDomain.TEST)
    uri = parseURI(text)
    known = all(name.lower() in _WAY for name, _ in uri.parameters)
    if uri.scheme.partition("+")[0] != "test" or uri.path != "/default" or not known:
        raise virtError(
            ErrorCode.OPERATION_DENIED,
            f"only a client with the rights of the daemon may have it use '{text}'; others name the host "
            "test:///default of another daemon",
            ErrorDomain.TEST,
        )


async def migrate(
    migration: DomainMigration,
    context: OpenContext,
    domain: Domain,
    dconnuri: str | None,
    params: list[TypedParam],
    flags: int,
) -> bytes:
    """
    Move a guest, leading its migration.

    @param context: how the destination is reached, and for whom.
    @param dconnuri: where its daemon is, seen from here.
    @return: nothing to tell anybody.
    @raise VirtError: it goes on here, if it went on; or nobody knows whether it runs at the destination, and it stays
        paused.
    """
    if not dconnuri:
        raise invalidArgument("no URI of the destination was given")
    if not context.trusted:
        _checkURI(dconnuri)
    asked = given(params)
    going = _Going(migration, domain, asked)
    leader = Leader(
        context.reactor,
        Refusals(ErrorDomain.TEST),
        stopping=lambda: not going.here,
        asking=_ASKING,
    )
    if flags & c.VIR_MIGRATE_OFFLINE:
        await leader.lead(going, dconnuri, params, flags)
        return b""
    domain.checkActive()
    checkFree(domain, "remoteDispatchDomainMigratePerform3Params")
    migration._begin(domain, asked, flags, None)
    speed = migration._speed(domain, asked)
    if speed and c.VIR_MIGRATE_PARAM_BANDWIDTH not in asked and domain.extra.migration is not None:
        # The destination waits as long as it must know that this takes.
        limit = TypedParam(c.VIR_MIGRATE_PARAM_BANDWIDTH, c.VIR_TYPED_PARAM_ULLONG, speed)
        params = [*params, limit]
    going.hold()
    try:
        await leader.lead(going, dconnuri, params, flags)
    finally:
        going.over()
    return b""


class _Going:
    """
    One migration's steps.

    @ivar leaving: what is known of the guest on its way, None of a domain that is moved without running.
    @ivar sent: it is not certain that it should go on here.
    """

    def __init__(self, migration: DomainMigration, domain: Domain, asked: dict[str, Any]) -> None:
        self._migration = migration
        self._domain = domain
        self._asked = asked
        self._flags = 0
        self.leaving: Leaving | None = None
        self.sent = False

    def hold(self) -> None:
        """Keep others from moving it."""
        self.leaving = self._migration._leave(self._domain)
        self.leaving.led = True
        self.leaving.callOff()

    def over(self) -> None:
        """However it went, others may move what is here."""
        if self.leaving is not None and self.here:
            if self.sent:
                self._migration._forget(self._domain)
            else:
                self._migration._stays(self._domain)

    @property
    def here(self) -> bool:
        """Whether the guest that was to leave still has not left, nor ended."""
        found = self._migration._leaving.get(self._domain.uuid)
        return self.leaving is None or found is self.leaving

    @property
    def ref(self) -> DomainRef:
        """The domain."""
        return self._domain.ref

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._domain.state == c.VIR_DOMAIN_PAUSED

    async def begin(self, flags: int) -> MigrationBegun:
        """Describe it to the destination."""
        self._flags = flags
        return self._migration._begin(self._domain, self._asked, flags, self.leaving)

    def goesOn(self) -> None:
        """
        See whether it is still there.

        @raise VirtError: it is not.
        """
        if not self.here:
            self._domain.checkActive()
            raise failed("domain is not running")

    async def perform(self, cookie: bytes, where: str | IStreamSink | None) -> bytes:
        """Send it."""
        readCookie(cookie)
        if self.leaving is None:
            return self._migration._cookie(self._domain).encode()
        checkFree(self._domain, "remoteDispatchDomainMigratePerform3Params")
        sent = await self._migration._send(self._domain, self.leaving, self._asked, self._flags)
        self.sent = True
        return sent

    async def giveUp(self) -> bool:
        """Let it go on here, for it was not sent."""
        here = self.here
        if here and self.leaving is not None:
            self._migration._stays(self._domain)
        return here

    async def confirm(self, cookie: bytes, flags: int, cancelled: bool) -> None:
        """Let it go, or go on here."""
        migration, domain = self._migration, self._domain
        if self.leaving is None:
            if not cancelled and not domain.active:
                migration._moved(domain, flags)
            return
        if cancelled:
            if self.here:
                migration._stays(domain)
        elif not self.here and domain.active:
            raise operationInvalid(f"domain '{domain.name}' is not being migrated")
        elif self.here or domain.persistent:
            migration._moved(domain, flags)

    def lost(self, error: VirtError) -> None:
        """The destination is gone."""
        leaving = self.leaving
        if leaving is not None and leaving.fail is not None:
            leaving.fail(error)
