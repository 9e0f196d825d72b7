"""
Moving guests between two test connections, by the steps of libvirt's third protocol.

Who leads is a client, or the source's daemon: L{peertopeer<pyvirt.drivers.test.peertopeer>}.  Whatever fails, and whoever leaves in the middle, one guest goes on running: the destination's waits, paused, until
the client says that the source's has been sent, and is given up if nobody says anything for a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition, formatDomain
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.interfaces.values import (
    DomainRef,
    MigrationBegun,
    MigrationFinished,
    MigrationPrepared,
    TypedParam,
)
from pyvirt.drivers.test.blockjob import SECONDS, checkNoBlockJobs
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.jobs import Job, checkFree
from pyvirt.drivers.test.migrationdata import Cookie, checkMigration, given, readCookie
from pyvirt.drivers.test.refusals import (
    checkFlags,
    failed,
    internal,
    invalidArgument,
    operationInvalid,
    unsupportedArgument,
)
from pyvirt.drivers.test.world import World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["PATIENCE", "DomainMigration", "Leaving"]

_FASTEST = (1 << 63) // (1 << 20)
#: Seconds after which an end that hears nothing gives up.
PATIENCE = 60.0


@attrs.define
class Settings:
    """Limits of the migrations of a domain: milliseconds, MiB a second, bytes."""

    downtime: int = 300
    speed: int = _FASTEST - 1
    postcopySpeed: int = 0
    cache: int = 64 << 20


@attrs.define
class Leaving:
    """
    A guest on its way out.

    @ivar paused: whether it ran when it was paused for this.
    @ivar job: how far it is, once it is being sent.
    @ivar callOff: ends the waiting for whoever moves it.
    @ivar hurry: lets it arrive at once, None when it cannot.
    @ivar fail: ends the sending for a reason, None when it is not being sent.
    @ivar led: it is moved by this daemon, so that no client has a say, and nobody need be waited for.
    """

    paused: bool = False
    job: Job | None = None
    callOff: Callable[[], None] = lambda: None
    hurry: Callable[[], None] | None = None
    fail: Callable[[VirtError], None] | None = None
    led: bool = False


class DomainMigration:
    """Sends and receives guests."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._find = world.domains.find
        self._leaving: dict[bytes, Leaving] = {}
        self._coming: dict[bytes, Callable[[], None]] = {}
        self._context: OpenContext | None = None

    def through(self, context: OpenContext) -> DomainMigration:
        """Return the same for one connection, whose context says how other daemons are reached."""
        made = copy(self)
        made._context = context
        return made

    def _cookie(self, domain: Domain) -> Cookie:
        import socket

        return Cookie(domain.name, domain.uuid, self._world.hostUUID, socket.gethostname())

    # The source

    def domainMigrateBegin3Params(
        self, dom: DomainRef, params: list[TypedParam], flags: int
    ) -> MigrationBegun:
        """Describe the guest to the destination."""
        checkMigration("testDomainMigrateBegin3Params", flags)
        asked = given(params)
        domain = self._find(dom)
        begun = self._begin(domain, asked, flags, None)
        if flags & c.VIR_MIGRATE_CHANGE_PROTECTION and domain.active:
            self._leave(domain)
        return begun

    def _begin(
        self, domain: Domain, asked: dict[str, Any], flags: int, mine: Leaving | None
    ) -> MigrationBegun:
        """
        Describe a guest.

        @param mine: what is known of it on its way out; somebody else must not be moving it.
        """
        offline = bool(flags & c.VIR_MIGRATE_OFFLINE)
        if offline and flags & (c.VIR_MIGRATE_NON_SHARED_DISK | c.VIR_MIGRATE_NON_SHARED_INC):
            raise operationInvalid("offline migration cannot handle non-shared storage")
        if offline and not flags & c.VIR_MIGRATE_PERSIST_DEST:
            raise operationInvalid(
                "offline migration must be specified with the persistent flag set"
            )
        if not offline:
            domain.checkActive()
        checkFree(domain, "remoteDispatchDomainMigrateBegin3Params")
        checkNoBlockJobs(domain)
        if self._leaving.get(domain.uuid) is not mine:
            raise _another(domain)
        definition = domain.definition
        if domain.checkpointCount:
            raise operationInvalid(
                f"cannot migrate domain with {domain.checkpointCount} checkpoints"
            )
        if domain.snapshotCount:
            raise operationInvalid(f"cannot migrate domain with {domain.snapshotCount} snapshots")
        wanted = asked.get(c.VIR_MIGRATE_PARAM_DEST_XML)
        if wanted is not None:
            definition = self._replacement(definition, wanted)
        xml = formatDomain(definition, id=domain.id, secure=True, migratable=True)
        return MigrationBegun(self._cookie(domain).encode(), xml)

    def _replacement(self, definition: DomainDefinition, xml: str) -> DomainDefinition:
        """Read what the guest is to be at the destination: the same guest, elsewhere."""
        wanted = self._world.parse(xml)
        for name in ("uuid", "name"):
            if getattr(wanted, name) != getattr(definition, name):
                raise virtError(
                    ErrorCode.CONFIG_UNSUPPORTED,
                    f"Target domain {name} {getattr(wanted, name)} does not match source "
                    f"{getattr(definition, name)}",
                    ErrorDomain.TEST,
                )
        if wanted.memory.amount != definition.memory.amount:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                f"Target domain max memory {wanted.memory.amount} does not match source "
                f"{definition.memory.amount}",
                ErrorDomain.TEST,
            )
        if wanted.vcpu.maximum != definition.vcpu.maximum:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                f"Target domain vCPU max {wanted.vcpu.maximum} does not match source "
                f"{definition.vcpu.maximum}",
                ErrorDomain.TEST,
            )
        return wanted

    def _leave(self, domain: Domain) -> Leaving:
        """Note that a guest is on its way out, for as long as somebody moves it."""
        found = self._leaving.get(domain.uuid)
        if found is None:
            found = self._leaving[domain.uuid] = Leaving()
            domain.extra.closing["leaving"] = lambda: (self._forget(domain), None)[1]
        self._wait(domain, found)
        return found

    def _wait(self, domain: Domain, leaving: Leaving) -> None:
        leaving.callOff()
        if leaving.led:
            return
        leaving.callOff = self._world.later(PATIENCE, lambda: self._stays(domain))

    def _forget(self, domain: Domain) -> Leaving | None:
        domain.extra.closing.pop("leaving", None)
        leaving = self._leaving.pop(domain.uuid, None)
        if leaving is not None:
            leaving.callOff()
            if leaving.job is not None and leaving.job.ended is None:
                leaving.job.forget()
        return leaving

    def _stays(self, domain: Domain) -> None:
        """The guest goes on here after all."""
        leaving = self._forget(domain)
        if leaving is not None and leaving.paused and domain.state == c.VIR_DOMAIN_PAUSED:
            domain.state, domain.reason = (
                c.VIR_DOMAIN_RUNNING,
                c.VIR_DOMAIN_RUNNING_MIGRATION_CANCELED,
            )
            self._world.tell(
                domain, c.VIR_DOMAIN_EVENT_RESUMED, c.VIR_DOMAIN_EVENT_RESUMED_MIGRATED
            )

    def _pause(self, domain: Domain, leaving: Leaving) -> None:
        if domain.state == c.VIR_DOMAIN_RUNNING:
            leaving.paused = True
            domain.state, domain.reason = c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_MIGRATION
            self._world.tell(
                domain, c.VIR_DOMAIN_EVENT_SUSPENDED, c.VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED
            )

    def domainMigratePerform3Params(
        self,
        dom: DomainRef,
        dconnuri: str | None,
        params: list[TypedParam],
        cookieIn: bytes,
        flags: int,
    ) -> Deferred[bytes]:
        """Send the guest, which takes a second or as long as its speed lets it; or, peer to peer, do all of it."""
        checkMigration("testDomainMigratePerform3Params", flags, c.VIR_MIGRATE_TUNNELLED)
        asked = given(params)
        if flags & (c.VIR_MIGRATE_PEER2PEER | c.VIR_MIGRATE_TUNNELLED):
            if cookieIn:
                raise operationInvalid("received unexpected cookie with P2P migration")
            if flags & c.VIR_MIGRATE_TUNNELLED:
                raise unsupportedArgument(
                    "tunnelled migration is not supported: this guest has no memory to send"
                )
            from pyvirt.drivers.test.peertopeer import migrate

            domain = self._find(dom)
            context = self._context or OpenContext(reactor=self._world.clock)
            return Deferred.fromCoroutine(migrate(self, context, domain, dconnuri, params, flags))
        if dconnuri:
            raise internal("Unexpected dconnuri parameter with non-peer2peer migration")
        if readCookie(cookieIn) is None:
            raise unsupportedArgument("direct migration is not supported by the source host")
        domain = self._find(dom)
        if flags & c.VIR_MIGRATE_OFFLINE and not domain.active:
            return succeed(self._cookie(domain).encode())
        domain.checkActive()
        checkFree(domain, "remoteDispatchDomainMigratePerform3Params")
        self._checkOthers(domain)
        self._speed(domain, asked)
        return self._send(domain, self._leave(domain), asked, flags)

    def _checkOthers(self, domain: Domain) -> None:
        """
        Refuse a client's say in what this daemon does by itself.

        @raise VirtError: it is moving the guest.
        """
        leaving = self._leaving.get(domain.uuid)
        if leaving is not None and leaving.led:
            raise _another(domain)

    def _speed(self, domain: Domain, asked: dict[str, Any]) -> int:
        """
        Return how fast it is sent, in MiB a second.

        @raise VirtError: that is too fast for libvirt.
        """
        settings: Settings = domain.extra.migration or Settings()
        speed: int = asked.get(c.VIR_MIGRATE_PARAM_BANDWIDTH) or settings.speed or _FASTEST - 1
        if speed >= _FASTEST:
            raise virtError(
                ErrorCode.OVERFLOW, f"bandwidth must be less than {_FASTEST}", ErrorDomain.TEST
            )
        return speed

    def _send(
        self, domain: Domain, leaving: Leaving, asked: dict[str, Any], flags: int
    ) -> Deferred[bytes]:
        """Send a guest that runs; answer with the cookie for its destination."""
        speed = self._speed(domain, asked)
        leaving.callOff()
        if not flags & c.VIR_MIGRATE_LIVE:
            self._pause(domain, leaving)
        total = domain.definition.memory.amount * 1024
        limited = speed < _FASTEST - 1
        seconds = total / (speed << 20) if limited else SECONDS
        waiting: Deferred[bytes] = Deferred()

        def over() -> None:
            domain.extra.closing.pop("sending", None)
            leaving.hurry = leaving.fail = None

        def sent() -> None:
            over()
            job.forget()
            self._pause(domain, leaving)
            self._wait(domain, leaving)
            waiting.callback(self._cookie(domain).encode())

        def fail(error: VirtError) -> None:
            over()
            job.forget()
            leaving.job = None
            self._wait(domain, leaving)
            waiting.errback(error)

        def abort() -> None:
            fail(
                virtError(
                    ErrorCode.OPERATION_ABORTED,
                    "migration out job: canceled by client",
                    ErrorDomain.TEST,
                )
            )

        def ended() -> None:
            if leaving.led:
                self._forget(domain)
            fail(failed("domain is not running"))

        operation = c.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT
        job = Job(self._world, domain, operation, total, "memory", seconds, sent, abort)
        leaving.job = job
        leaving.fail = fail
        if flags & c.VIR_MIGRATE_POSTCOPY:
            leaving.hurry = sent
        domain.extra.closing["sending"] = ended
        return waiting

    def domainMigrateConfirm3Params(
        self,
        dom: DomainRef,
        params: list[TypedParam],
        cookieIn: bytes,
        flags: int,
        cancelled: bool,
    ) -> None:
        """Let the guest go, or go on here."""
        checkMigration("testDomainMigrateConfirm3Params", flags)
        readCookie(cookieIn)
        domain = self._find(dom)
        self._checkOthers(domain)
        if cancelled:
            self._stays(domain)
        else:
            self._moved(domain, flags)

    def _moved(self, domain: Domain, flags: int) -> None:
        """A guest runs elsewhere."""
        world = self._world
        if domain.active:
            leaving = self._leaving.get(domain.uuid)
            if leaving is None or leaving.job is None:
                raise operationInvalid(f"domain '{domain.name}' is not being migrated")
            job = leaving.job
            self._forget(domain)
            job.end()
            ref = world.stop(domain, c.VIR_DOMAIN_SHUTOFF_MIGRATED)
            world.tell(domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_MIGRATED, ref)
        if flags & c.VIR_MIGRATE_UNDEFINE_SOURCE and domain.persistent:
            domain.persistent = False
            world.tell(domain, c.VIR_DOMAIN_EVENT_UNDEFINED, c.VIR_DOMAIN_EVENT_UNDEFINED_REMOVED)
        if not domain.persistent:
            world.domains.remove(domain)

    # The destination

    def domainMigratePrepare3Params(
        self, params: list[TypedParam], cookieIn: bytes, flags: int
    ) -> MigrationPrepared:
        """Get ready: the guest waits here, paused."""
        checkMigration("testDomainMigratePrepare3Params", flags)
        import socket

        world = self._world
        asked = given(params)
        xml = asked.get(c.VIR_MIGRATE_PARAM_DEST_XML)
        if not xml:
            raise internal("no domain XML passed")
        cookie = readCookie(cookieIn)
        if cookie is not None and cookie.host == world.hostUUID:
            from pyvirt.definitions.uuids import formatUUID

            raise internal(
                f"Attempt to migrate guest to the same host {formatUUID(world.hostUUID)}"
            )
        definition = world.parse(xml)
        name = asked.get(c.VIR_MIGRATE_PARAM_DEST_NAME)
        if name:
            if "/" in name:
                raise virtError(
                    ErrorCode.XML_ERROR, f"name {name} cannot contain '/'", ErrorDomain.TEST
                )
            definition = replaced(definition, name=name)
        persistent = asked.get(c.VIR_MIGRATE_PARAM_PERSIST_XML)
        later = None if persistent is None else world.parse(persistent)
        domain, _ = world.domains.add(
            definition, live=not flags & c.VIR_MIGRATE_OFFLINE, mustBeInactive=True
        )
        uri = asked.get(c.VIR_MIGRATE_PARAM_URI)
        answer = MigrationPrepared(
            self._cookie(domain).encode(), None if uri else f"tcp:{socket.gethostname()}:49152"
        )
        known = domain.persistent

        def givenUp() -> None:
            self._coming.pop(domain.uuid, None)
            self._gone(domain, known)

        if flags & c.VIR_MIGRATE_OFFLINE:
            self._coming[domain.uuid] = world.later(PATIENCE, givenUp)
            return answer
        world.start(domain, c.VIR_DOMAIN_RUNNING_MIGRATED)
        domain.state, domain.reason = c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_MIGRATION
        if later is not None:
            domain.extra.arriving = later
        speed = asked.get(c.VIR_MIGRATE_PARAM_BANDWIDTH) or 0
        wait = definition.memory.amount / 1024 / speed if speed else 0.0
        callOff = self._coming[domain.uuid] = world.later(PATIENCE + wait, givenUp)
        domain.extra.closing["coming"] = lambda: (
            callOff(),
            self._coming.pop(domain.uuid, None),
            None,
        )[-1]
        world.tell(domain, c.VIR_DOMAIN_EVENT_STARTED, c.VIR_DOMAIN_EVENT_STARTED_MIGRATED)
        return answer

    def _gone(self, domain: Domain, known: bool) -> None:
        """A guest does not come after all."""
        world = self._world
        if domain.active:
            ref = world.stop(domain, c.VIR_DOMAIN_SHUTOFF_FAILED)
            world.tell(domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_FAILED, ref)
        if not domain.persistent and not known:
            world.domains.remove(domain)

    def domainMigrateFinish3Params(
        self, params: list[TypedParam], cookieIn: bytes, flags: int, cancelled: bool
    ) -> MigrationFinished:
        """Let the guest run here, or forget it."""
        checkMigration("testDomainMigrateFinish3Params", flags)
        world = self._world
        asked = given(params)
        name = asked.get(c.VIR_MIGRATE_PARAM_DEST_NAME)
        if not name:
            raise internal("No domain name passed to Finish")
        readCookie(cookieIn)
        domain = world.domains.named(name)
        if domain is None or domain.uuid not in self._coming:
            raise virtError(
                ErrorCode.NO_DOMAIN, f"no domain with matching name '{name}'", ErrorDomain.TEST
            )
        self._coming.pop(domain.uuid)()
        domain.extra.closing.pop("coming", None)
        if cancelled:
            self._gone(domain, domain.persistent)
            raise failed("migration was cancelled")
        if flags & c.VIR_MIGRATE_PERSIST_DEST:
            old = domain.persistent
            domain.persistent = True
            later: DomainDefinition | None = domain.extra.arriving
            if domain.active:
                domain.pending = later or domain.definition
            world.tell(
                domain,
                c.VIR_DOMAIN_EVENT_DEFINED,
                c.VIR_DOMAIN_EVENT_DEFINED_UPDATED if old else c.VIR_DOMAIN_EVENT_DEFINED_ADDED,
            )
        domain.extra.arriving = None
        if domain.active and flags & c.VIR_MIGRATE_PAUSED:
            domain.reason = c.VIR_DOMAIN_PAUSED_USER
            world.tell(domain, c.VIR_DOMAIN_EVENT_SUSPENDED, c.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED)
        elif domain.active:
            domain.state, domain.reason = c.VIR_DOMAIN_RUNNING, c.VIR_DOMAIN_RUNNING_MIGRATED
            world.tell(domain, c.VIR_DOMAIN_EVENT_RESUMED, c.VIR_DOMAIN_EVENT_RESUMED_MIGRATED)
        return MigrationFinished(domain.ref, self._cookie(domain).encode())

    # Settings

    def _settings(self, domain: Domain) -> Settings:
        found: Settings | None = domain.extra.migration
        if found is None:
            found = domain.extra.migration = Settings()
        return found

    def domainMigrateGetMaxDowntime(self, dom: DomainRef, flags: int) -> int:
        """Tell how long a guest may stand still."""
        checkFlags("testDomainMigrateGetMaxDowntime", flags)
        domain = self._find(dom)
        domain.checkActive()
        return self._settings(domain).downtime

    def domainMigrateSetMaxDowntime(self, dom: DomainRef, downtime: int, flags: int) -> None:
        """Say how long a guest may stand still."""
        checkFlags("testDomainMigrateSetMaxDowntime", flags)
        domain = self._find(dom)
        domain.checkActive()
        self._settings(domain).downtime = downtime

    def domainMigrateGetMaxSpeed(self, dom: DomainRef, flags: int) -> int:
        """Tell how fast guests are sent."""
        postcopy = c.VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY
        checkFlags("testDomainMigrateGetMaxSpeed", flags, postcopy)
        settings = self._settings(self._find(dom))
        return settings.postcopySpeed if flags & postcopy else settings.speed

    def domainMigrateSetMaxSpeed(self, dom: DomainRef, bandwidth: int, flags: int) -> None:
        """Say how fast guests are sent; one that is on its way is not slowed down."""
        postcopy = c.VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY
        checkFlags("testDomainMigrateSetMaxSpeed", flags, postcopy)
        if bandwidth >= _FASTEST:
            raise virtError(
                ErrorCode.OVERFLOW, f"bandwidth must be less than {_FASTEST}", ErrorDomain.TEST
            )
        settings = self._settings(self._find(dom))
        if flags & postcopy:
            settings.postcopySpeed = bandwidth
        else:
            settings.speed = bandwidth

    def domainMigrateGetCompressionCache(self, dom: DomainRef, flags: int) -> int:
        """Tell how much memory is used to find repeated pages."""
        checkFlags("testDomainMigrateGetCompressionCache", flags)
        domain = self._find(dom)
        domain.checkActive()
        return self._settings(domain).cache

    def domainMigrateSetCompressionCache(self, dom: DomainRef, cacheSize: int, flags: int) -> None:
        """Say how much memory is used to find repeated pages."""
        checkFlags("testDomainMigrateSetCompressionCache", flags)
        domain = self._find(dom)
        domain.checkActive()
        if cacheSize == 0:
            raise invalidArgument("cache size must not be zero")
        self._settings(domain).cache = cacheSize

    def domainMigrateStartPostCopy(self, dom: DomainRef, flags: int) -> None:
        """Let a guest that is on its way arrive now."""
        checkFlags("testDomainMigrateStartPostCopy", flags)
        domain = self._find(dom)
        domain.checkActive()
        leaving = self._leaving.get(domain.uuid)
        if leaving is None or leaving.job is None:
            raise operationInvalid(
                "post-copy can only be started while outgoing migration is in progress"
            )
        if leaving.hurry is None:
            raise operationInvalid(
                "switching to post-copy requires migration to be started with "
                "VIR_MIGRATE_POSTCOPY flag"
            )
        leaving.hurry()


def _another(domain: Domain) -> VirtError:
    """Make the error that a guest is being moved already."""
    return operationInvalid(f"another migration job is already running for domain '{domain.name}'")
