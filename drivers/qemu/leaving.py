"""
The source's side of a migration.

Until the guest has been sent it goes on here, whoever leaves in the middle; once it has been sent it stays paused
until somebody says whether it runs at its destination.
"""

from __future__ import annotations

import socket
from contextlib import AbstractAsyncContextManager
from typing import Any

import attrs
from twisted.internet.defer import succeed

from pyvirt import constants as c
from pyvirt.drivers.interfaces.streams import IStreamSink
from pyvirt.drivers.interfaces.values import DomainRef, MigrationBegun, TypedParam
from pyvirt.drivers.qemu import ending, locks, starting
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.following import Following
from pyvirt.drivers.qemu.guest import Guest, MigrationLimits
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.jobs import LongJob
from pyvirt.drivers.qemu.leavingchecks import checkMovable, checkTogether
from pyvirt.drivers.qemu.migratable import checkStable, formatMigratable
from pyvirt.drivers.qemu.migrationcookie import Cookie, Statistics, readCookie
from pyvirt.drivers.qemu.migrationdata import Address, checkMigration, given, readAddress
from pyvirt.drivers.qemu.migrationparams import reset
from pyvirt.drivers.qemu.refusals import internal, notActive, operationInvalid
from pyvirt.drivers.qemu.sending import looking, send, statisticsOf
from pyvirt.drivers.qemu.storagecopy import Copying, capacities, checkDisksAddress, chosen
from pyvirt.errors import VirtError

__all__ = ["GONE", "SENT", "STAYS", "Leaver", "Leaving"]

#: Seconds after which a source that hears nothing between two steps gives up.
PATIENCE = 60.0

#: How far a migration is, in what is written down of it: sent, it may run there; it runs there; it does not.
SENT, GONE, STAYS = "sent", "gone", "stays"

_PERFORM = "remoteDispatchDomainMigratePerform3Params"
_CONFIRM = "remoteDispatchDomainMigrateConfirm3Params"


@attrs.define(eq=False)
class Leaver:
    """
    A guest on its way out.

    @ivar held: what keeps other changes out, and C{job} what came of it; None until then.
    @ivar busy: it is being sent just now.
    @ivar before: what QEMU was told of migrations before this one, and C{limits}: what we were.
    @ivar begun: QEMU sends memory: what it says of a migration is said of this one.
    @ivar ran: whether it ran when this began, and C{paused}: whether it was paused for this.
    @ivar sent: it has been sent: somebody else may have it.
    @ivar connection: of whoever leads the migration, None: we do.
    @ivar copying: its disks, once they are being copied.
    @ivar statistics: how it was sent.
    @ivar follows: memory was left behind, and follows the guest which runs at its destination.
    @ivar half: that memory does not come: neither half of the guest is whole.
    @ivar kept: what is here is kept, until its end.
    @ivar peer: where the destination's daemon is, if this one leads.
    """

    domain: Domain
    guest: Guest
    flags: int
    connection: Any = None
    held: AbstractAsyncContextManager[LongJob] | None = None
    job: LongJob | None = None
    busy: bool = False
    before: dict[str, Any] = attrs.Factory(dict)
    limits: MigrationLimits = attrs.field(init=False)
    ran: bool = attrs.field(init=False)
    begun: bool = False
    paused: bool = False
    sent: bool = False
    copying: Copying | None = None
    statistics: Statistics | None = None
    follows: bool = False
    half: bool = False
    kept: bool = False
    peer: str = ""
    timer: Any = None

    def __attrs_post_init__(self) -> None:
        self.limits = self.guest.migration
        self.ran = self.domain.state == c.VIR_DOMAIN_RUNNING

    def fail(self, error: VirtError) -> None:
        """Have it given up, for a reason."""
        job = self.job
        if job is None or self.sent or job.problem is not None:
            return
        job.problem = error
        job.aborted = True
        if job.cancel is not None:
            job.cancel().addErrback(lambda _: None)


def _moving(domain: Domain) -> VirtError:
    return operationInvalid(f"another migration job is already running for domain '{domain.name}'")


class Leaving(Following):
    """Sends guests."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._connection = connection

    def _cookie(self, domain: Domain, **more: Any) -> Cookie:
        host = self._hypervisor.hostUUID
        return Cookie(domain.name, domain.uuid, host, socket.gethostname(), **more)

    # The first step

    async def domainMigrateBegin3Params(
        self, dom: DomainRef, params: list[TypedParam], flags: int
    ) -> MigrationBegun:
        """Describe the guest to the destination."""
        function = "qemuDomainMigrateBegin3Params"
        checkMigration(function, flags)
        asked = given(params)
        domain = self._hypervisor.domains.find(dom)
        checkTogether(self._hypervisor, function, flags, asked, destination=None)
        if flags & c.VIR_MIGRATE_POSTCOPY_RESUME:
            return self._beginAgain(domain)
        if domain.uuid in self._hypervisor.leaving:
            raise _moving(domain)
        self._checkComplete(domain)
        if flags & c.VIR_MIGRATE_CHANGE_PROTECTION and not flags & c.VIR_MIGRATE_OFFLINE:
            leaver = await self._hold(domain, domain.checkActive(), flags, self._connection)
            try:
                return await self._begin(domain, asked, flags)
            except BaseException:
                await self._forget(leaver)
                raise
        return await self._begin(domain, asked, flags)

    async def _begin(self, domain: Domain, asked: dict[str, Any], flags: int) -> MigrationBegun:
        guest = None if flags & c.VIR_MIGRATE_OFFLINE else domain.checkActive()
        definition = domain.definition if guest is not None else domain.persistentDefinition
        await checkMovable(domain, definition, flags, asked)
        wanted = asked.get(c.VIR_MIGRATE_PARAM_DEST_XML)
        sent = definition
        if wanted is not None:
            sent = await self._hypervisor.parse(wanted)
            checkStable(definition, sent, None if guest is None else guest.askedCPU)
        nbd = None
        copied = [] if guest is None else chosen(definition, flags, asked)
        if guest is not None and copied:
            nbd = await capacities(guest, copied)
        known = None if guest is None or wanted is not None else guest.askedCPU
        xml = formatMigratable(sent, known)
        return MigrationBegun(self._cookie(domain, nbd=nbd).encode(), xml)

    def _checkComplete(self, domain: Domain) -> None:
        """
        Refuse a guest that has not come here yet.

        @raise VirtError: it has not.
        """
        arrival = self._hypervisor.arriving.get(domain.name)
        if arrival is not None and arrival.guest is not None and arrival.guest is domain.guest:
            raise _moving(domain)

    async def _hold(self, domain: Domain, guest: Guest, flags: int, connection: Any) -> Leaver:
        """Keep other changes out from now on."""
        leaving = self._hypervisor.leaving
        leaver = leaving.get(domain.uuid)
        if leaver is not None and (leaver.busy or leaver.sent or leaver.guest is not guest):
            raise _moving(domain)
        self._checkComplete(domain)
        if leaver is None:
            leaver = leaving[domain.uuid] = Leaver(domain, guest, flags, connection=connection)
            guest.leaving = True
            held = domain.jobs.longer(_PERFORM, c.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT)
            leaver.busy = True
            try:
                job = leaver.job = await held.__aenter__()
                job.cancel = lambda: succeed(None)
                job.look = looking(leaver)
                leaver.held = held
                if domain.guest is not guest:
                    raise notActive()
            except BaseException:
                await self._forget(leaver)
                raise
            leaver.busy = False
        leaver.flags |= flags
        self._wait(leaver)
        return leaver

    def _wait(self, leaver: Leaver) -> None:
        self._callOff(leaver)
        hypervisor = self._hypervisor
        leaver.timer = hypervisor.clock.callLater(
            PATIENCE, lambda: hypervisor.later(self._givenUp(leaver))
        )

    def _callOff(self, leaver: Leaver) -> None:
        if leaver.timer is not None and leaver.timer.active():
            leaver.timer.cancel()
        leaver.timer = None

    async def _forget(self, leaver: Leaver) -> None:
        self._callOff(leaver)
        leaving = self._hypervisor.leaving
        guest = leaver.guest
        if leaving.get(leaver.domain.uuid) is leaver:
            del leaving[leaver.domain.uuid]
            guest.leaving = False
        if leaver.domain.guest is guest and leaver.domain.state == c.VIR_DOMAIN_PAUSED:
            locks.letGo(self._hypervisor, leaver.domain, guest)
        held, leaver.held = leaver.held, None
        if held is not None:
            await held.__aexit__(None, None, None)

    async def _givenUp(self, leaver: Leaver) -> None:
        """Nobody has said anything for long, or it could not be sent."""
        try:
            if leaver.follows:
                self._halfGone(leaver)
            elif not leaver.sent:
                # What has been sent may run at its destination: two of it would be worse than none.
                await self._resume(leaver)
        finally:
            if not leaver.kept:
                await self._forget(leaver)

    async def _resume(self, leaver: Leaver) -> None:
        """Let it go on here, if it went on when it was to go."""
        domain, guest = leaver.domain, leaver.guest
        guest.pausedReason = c.VIR_DOMAIN_PAUSED_UNKNOWN
        if domain.guest is not guest or guest.monitor is None:
            return
        if leaver.copying is not None:
            await leaver.copying.giveUp()
        await reset(guest, leaver.before)
        guest.migration = leaver.limits
        # Somebody else may have paused it for this, too.
        paused = leaver.paused or (leaver.ran and domain.reason == c.VIR_DOMAIN_PAUSED_MIGRATION)
        if paused and domain.guest is guest and domain.state == c.VIR_DOMAIN_PAUSED:
            leaver.paused = False
            await starting.goOn(
                self._hypervisor, domain, guest, c.VIR_DOMAIN_RUNNING_MIGRATION_CANCELED
            )

    # The third step

    async def domainMigratePerform3Params(
        self,
        dom: DomainRef,
        dconnuri: str | None,
        params: list[TypedParam],
        cookieIn: bytes,
        flags: int,
    ) -> bytes:
        """Send the guest, or, peer to peer, do all of it."""
        function = "qemuDomainMigratePerform3Params"
        checkMigration(function, flags)
        hypervisor = self._hypervisor
        if flags & (c.VIR_MIGRATE_PEER2PEER | c.VIR_MIGRATE_TUNNELLED):
            if cookieIn:
                raise operationInvalid("received unexpected cookie with P2P migration")
            from pyvirt.drivers.qemu.peertopeer import PeerToPeer

            asked = given(params)
            domain = hypervisor.domains.find(dom)
            checkTogether(self._hypervisor, function, flags, asked)
            await PeerToPeer(hypervisor, self._connection).migrate(domain, dconnuri, asked, flags)
            return b""
        domain = hypervisor.domains.find(dom)
        if dconnuri:
            raise internal("Unexpected dconnuri parameter with non-peer2peer migration")
        if flags & c.VIR_MIGRATE_OFFLINE:
            return self._cookie(domain).encode()
        again = bool(flags & c.VIR_MIGRATE_POSTCOPY_RESUME)
        if again:
            leaver = self._broken(domain)
        else:
            leaver = await self._hold(domain, domain.checkActive(), flags, self._connection)
        try:
            leaver.busy = True
            self._callOff(leaver)
            asked = given(params)
            checkTogether(self._hypervisor, function, flags, asked)
            cookie = readCookie(cookieIn, uuid=domain.uuid)
            uri = asked.get(c.VIR_MIGRATE_PARAM_URI)
            if not uri:
                raise internal("no migration URI was given")
            address = self._addressOf(uri, flags, asked, leaver)
            if again:
                await self._performAgain(leaver, address)
                out = self._cookie(domain, statistics=leaver.statistics)
            else:
                out = await self._perform(leaver, asked, cookie, address)
        except BaseException:
            # Nobody will say anything more: it goes on here.
            leaver.busy = False
            await self._givenUp(leaver)
            raise
        leaver.busy = False
        self._wait(leaver)
        return out.encode()

    def _addressOf(self, uri: str, flags: int, asked: dict[str, Any], leaver: Leaver) -> Address:
        address = readAddress(uri)
        if address.path is None and not address.port:
            raise internal(f"missing port in migration URI: {uri}")
        if chosen(leaver.domain.definition, flags, asked):
            checkDisksAddress(asked, uri)
        return address

    async def _perform(
        self,
        leaver: Leaver,
        asked: dict[str, Any],
        cookie: Cookie | None,
        where: Address | IStreamSink,
    ) -> Cookie:
        """
        Send the guest.

        @raise VirtError: it does not get there.
        """
        hypervisor, domain, guest = self._hypervisor, leaver.domain, leaver.guest
        persistent = None
        if leaver.flags & c.VIR_MIGRATE_PERSIST_DEST:
            wanted = asked.get(c.VIR_MIGRATE_PARAM_PERSIST_XML)
            if wanted is not None:
                persistent = formatMigratable(await hypervisor.parse(wanted), None)
            elif domain.persistent or domain.lastDefined is not None:
                # What it would have been goes with one that was undefined, too.
                kept = domain.lastDefined or domain.persistentDefinition
                persistent = formatMigratable(kept, None)
        try:
            await send(hypervisor, leaver, asked, cookie, where)
        except BaseException:
            if leaver.ran and domain.state == c.VIR_DOMAIN_PAUSED:
                # QEMU itself goes on when it has not sent its all, but not from everywhere.
                leaver.paused = leaver.paused or (domain.reason == c.VIR_DOMAIN_PAUSED_MIGRATION)
            raise
        leaver.sent = True
        assert leaver.job is not None
        if not leaver.peer:
            leaver.job.what = _CONFIRM
        leaver.job.cancel = None
        self._note(leaver, SENT)
        if leaver.ran:
            leaver.paused = True
        leaver.statistics = await statisticsOf(hypervisor, leaver)
        await locks.release(hypervisor, domain, guest)
        return self._cookie(
            domain,
            paused=not leaver.ran,
            statistics=leaver.statistics,
            persistent=persistent,
        )

    def _note(self, leaver: Leaver, phase: str) -> None:
        """Write down how far it is, for a daemon that starts anew."""
        assert leaver.job is not None
        leaver.job.phase, leaver.job.flags, leaver.job.peer = phase, leaver.flags, leaver.peer
        self._hypervisor.saveStatus(leaver.domain)

    # The last step

    async def domainMigrateConfirm3Params(
        self, dom: DomainRef, params: list[TypedParam], cookieIn: bytes, flags: int, cancelled: bool
    ) -> None:
        """Let the guest go, or go on here."""
        checkMigration("qemuDomainMigrateConfirm3Params", flags)
        hypervisor = self._hypervisor
        domain = hypervisor.domains.find(dom)
        cookie = readCookie(cookieIn, uuid=domain.uuid)
        leaver = hypervisor.leaving.get(domain.uuid)
        if flags & c.VIR_MIGRATE_OFFLINE:
            if not cancelled:
                self._removed(domain, flags)
            return
        if leaver is None and cancelled:
            return  # the step before has failed and seen to it
        if leaver is None:
            if not domain.active:
                raise notActive()
            raise operationInvalid(f"domain '{domain.name}' is not being migrated")
        if leaver.busy:
            raise operationInvalid(f"domain '{domain.name}' is being sent")
        await self._confirm(leaver, cookie, flags, cancelled)

    async def _confirm(
        self, leaver: Leaver, cookie: Cookie | None, flags: int, cancelled: bool
    ) -> None:
        hypervisor, domain = self._hypervisor, leaver.domain
        self._callOff(leaver)
        if cancelled:
            if not leaver.follows:
                self._note(leaver, STAYS)
            await self._stays(leaver)
            return
        if not leaver.sent:
            raise operationInvalid(f"domain '{domain.name}' has not been sent")
        if leaver.follows:
            await self._follows(leaver)
        try:
            guest = domain.guest
            if guest is leaver.guest:
                self._note(leaver, GONE)
                await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_MIGRATED)
                hypervisor.tell(
                    domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_MIGRATED
                )
                self._account(leaver, cookie)
        finally:
            await self._forget(leaver)
        self._removed(domain, flags)

    async def _stays(self, leaver: Leaver) -> None:
        """It was sent but does not run there: it goes on here, if all of it is still here."""
        try:
            if leaver.follows:
                self._halfGone(leaver)
            else:
                await self._resume(leaver)
        finally:
            if not leaver.kept:
                await self._forget(leaver)

    def _account(self, leaver: Leaver, cookie: Cookie | None) -> None:
        """Keep how it went for those who ask, and tell."""
        found = leaver.statistics
        if found is None:
            return
        numbers = dict(found.numbers)
        theirs = cookie.statistics if cookie is not None else None
        delta = None
        if theirs is not None:
            delta = theirs.delta
            numbers.update(
                (name, theirs.numbers[name])
                for name in (c.VIR_DOMAIN_JOB_DOWNTIME,)
                if name in theirs.numbers
            )
        now = int(self._hypervisor.clock.seconds() * 1000)
        numbers[c.VIR_DOMAIN_JOB_TIME_ELAPSED] = max(0, now - found.started)
        done = attrs.evolve(found, numbers=numbers, delta=delta)
        operation = c.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT
        params = done.params(operation)
        leaver.domain.jobs.completed = {"operation": operation, "params": params}
        self._hypervisor.tellDomain(leaver.domain, c.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, params)

    def _removed(self, domain: Domain, flags: int) -> None:
        """Forget a domain that lives elsewhere now, if nothing defines it here; no event tells of that."""
        hypervisor = self._hypervisor
        if flags & c.VIR_MIGRATE_UNDEFINE_SOURCE and domain.persistent and not domain.active:
            try:
                hypervisor.store.removeDefinition(domain.name)
            except VirtError:
                return
            domain.persistent = False
        ending.forget(hypervisor, domain)
