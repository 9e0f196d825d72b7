"""
The destination's side of a migration.

The guest waits here, paused, until it has come and somebody says that it is to run; with the connection that it
comes for it goes, until then.
"""

from __future__ import annotations

import os
import socket
from contextlib import AbstractAsyncContextManager
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.interfaces.streams import IStreamSink
from pyvirt.drivers.interfaces.values import (
    MigrationFinished,
    MigrationPrepared,
    TypedParam,
)
from pyvirt.drivers.qemu import ending, starting
from pyvirt.drivers.qemu.blocks.chain import disksOf
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.following import rest
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.hookscripts import rewritten
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.jobs import LongJob
from pyvirt.drivers.qemu.leavingchecks import checkTogether
from pyvirt.drivers.qemu.migratable import formatMigratable
from pyvirt.drivers.qemu.migrationcookie import NBD, Cookie, Statistics, readCookie
from pyvirt.drivers.qemu.migrationdata import (
    Address,
    checkMigration,
    freePort,
    given,
    readAddress,
    withPort,
)
from pyvirt.drivers.qemu.migrationparams import remembered, reset, tuningOf
from pyvirt.drivers.qemu.migrationtls import Encryption, checkForced, receiveEncrypted
from pyvirt.drivers.qemu.refusals import failed, internal, operationInvalid
from pyvirt.drivers.qemu.storagecopy import (
    COPIES,
    capacities,
    checkChosen,
    checkDisksAddress,
    chosen,
    precreate,
    removePrecreated,
    serve,
)
from pyvirt.drivers.qemu.tunnel import Inlet, startInlet
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["COMING", "FOLLOWED", "Arrival", "Arriving"]

#: Seconds that the end of a migration may take to be noticed here, once it was noticed there.
LATE = 30.0
#: What is written down of a guest that is expected, for a daemon that starts anew; and of one whose memory follows.
COMING, FOLLOWED = "coming", "followed"

_FINISH = "remoteDispatchDomainMigrateFinish3Params"


@attrs.define(eq=False)
class Arrival:
    """
    A guest that is expected.

    @ivar guest: its run, None if it does not run.
    @ivar known: whether it was defined here before.
    @ivar sent: what the source says that it is.
    @ivar origin: its name at the source.
    @ivar before: what QEMU was told of migrations before this one.
    @ivar ports: those that are taken for it.
    @ivar come: fires when it has come, or its process has ended.
    @ivar made: images that were made for it.
    @ivar copies: disks are written over the network.
    @ivar inlet: where its memory comes in through the daemon, None if it comes straight.
    @ivar finishing: somebody has said that it is to run.
    @ivar defined: it was defined for the first time, for this.
    @ivar told: an event has told of it.
    @ivar over: it does not come.
    @ivar follows: it runs here, and memory follows it.
    @ivar half: that memory does not come: neither half of the guest is whole.
    """

    domain: Domain
    guest: Guest | None
    known: bool
    sent: DomainDefinition
    origin: str
    flags: int
    held: AbstractAsyncContextManager[LongJob] | None = None
    job: LongJob | None = None
    before: dict[str, Any] = attrs.Factory(dict)
    ports: set[int] = attrs.Factory(set)
    come: Deferred[str] | None = None
    made: list[str] = attrs.Factory(list)
    copies: bool = False
    inlet: Inlet | None = None
    finishing: bool = False
    defined: bool = False
    told: bool = False
    over: bool = False
    follows: bool = False
    half: bool = False


def _allRight(arrival: Arrival) -> VirtError:
    return virtError(ErrorCode.MIGRATE_FINISH_OK, arrival.domain.name, ErrorDomain.QEMU)


class Arriving:
    """Receives guests."""

    _hypervisor: Hypervisor
    _connection: Any

    def _cookie(self, domain: Domain, **more: Any) -> Cookie:
        raise NotImplementedError

    def _answer(self, arrival: Arrival, **more: Any) -> bytes:
        cookie = self._cookie(arrival.domain, **more)
        return attrs.evolve(cookie, name=arrival.origin).encode()

    def _address(self, asked: dict[str, Any]) -> str:
        config = self._hypervisor.config
        listen: str = asked.get(c.VIR_MIGRATE_PARAM_LISTEN_ADDRESS) or config["migration_address"]
        return f"[{listen}]" if ":" in listen and not listen.startswith("[") else listen

    def _listen(self, asked: dict[str, Any]) -> tuple[Address, str | None, int | None]:
        """
        Choose where memory is to come in.

        @return: where QEMU listens, what the source is told to use (None: what the caller said), and the port that
            is taken for it.
        """
        hypervisor = self._hypervisor
        config = hypervisor.config
        uri = asked.get(c.VIR_MIGRATE_PARAM_URI)
        listen = self._address(asked)
        ports = range(config["migration_port_min"], config["migration_port_max"] + 1)
        taken = hypervisor.migrationPorts
        if uri is None:
            host = config["migration_host"] or socket.gethostname()
            if host.startswith("localhost"):
                raise internal(
                    "hostname on destination resolved to localhost, but migration requires an FQDN"
                )
            port = freePort(listen, ports, taken)
            return Address(host=listen, port=port), f"tcp:{host}:{port}", port
        address = readAddress(uri)
        if address.path is not None:
            return address, None, None
        if address.port:
            return Address(host=listen, port=address.port), None, None
        port = freePort(listen, ports, taken)
        return Address(host=listen, port=port), withPort(uri, port), port

    async def domainMigratePrepare3Params(
        self, params: list[TypedParam], cookieIn: bytes, flags: int
    ) -> MigrationPrepared:
        """Get ready: the guest waits here, paused."""
        function = "qemuDomainMigratePrepare3Params"
        checkMigration(function, flags)
        asked = given(params)
        checkTogether(self._hypervisor, function, flags, asked, destination=True)
        if flags & c.VIR_MIGRATE_POSTCOPY_RESUME:
            return await self._prepareAgain(asked, cookieIn)
        _, told = await self._prepare(asked, cookieIn, flags, tunnel=False)
        return MigrationPrepared(told[0], told[1])

    async def domainMigratePrepareTunnel3Params(
        self, params: list[TypedParam], cookieIn: bytes, flags: int
    ) -> tuple[bytes, IStreamSink]:
        """Get ready for a guest that comes through the daemon's connection."""
        function = "qemuDomainMigratePrepareTunnel3Params"
        checkMigration(function, flags)
        asked = given(params)
        checkTogether(self._hypervisor, function, flags, asked, destination=True)
        arrival, told = await self._prepare(asked, cookieIn, flags, tunnel=True)
        assert arrival.inlet is not None
        return told[0], arrival.inlet

    async def _prepare(
        self, asked: dict[str, Any], cookieIn: bytes, flags: int, *, tunnel: bool
    ) -> tuple[Arrival, tuple[bytes, str | None]]:
        hypervisor = self._hypervisor
        xml = asked.get(c.VIR_MIGRATE_PARAM_DEST_XML)
        if not xml:
            raise internal("no domain XML passed")
        definition = await hypervisor.parse(xml)
        origin = definition.name
        if not tunnel and asked.get(c.VIR_MIGRATE_PARAM_URI) is not None:
            readAddress(asked[c.VIR_MIGRATE_PARAM_URI])
        checkForced(hypervisor, flags)
        cookie = readCookie(cookieIn, origin, definition.uuid)
        if cookie is not None and cookie.host == hypervisor.hostUUID:
            raise internal(f"Attempt to migrate guest to the same host {formatUUID(cookie.host)}")
        name = asked.get(c.VIR_MIGRATE_PARAM_DEST_NAME)
        if name:
            if "/" in name or name in (".", ".."):
                raise virtError(
                    ErrorCode.XML_ERROR, f"name {name} cannot contain '/'", ErrorDomain.DOMAIN
                )
            definition = replaced(definition, name=name)
        changed = await rewritten(hypervisor, "migrate", definition, formatMigratable(definition))
        definition = changed or definition
        checkChosen(definition, flags, asked)
        disks = chosen(definition, flags, asked)
        if disks:
            checkDisksAddress(asked, asked.get(c.VIR_MIGRATE_PARAM_URI))
        where = None
        if flags & c.VIR_MIGRATE_OFFLINE:
            _, where, _ = self._listen(asked)
        if definition.name in hypervisor.arriving:
            raise failed(f"domain '{definition.name}' is already being migrated here")
        domains = hypervisor.domains
        domain = domains.check(definition, mustBeInactive=True)
        known = domain is not None
        if domain is None:
            domain = domains.add(definition)
        hypervisor.migrationErrors.pop(definition.name, None)
        arrival = Arrival(domain, None, known, definition, origin, flags)
        hypervisor.arriving[domain.name] = arrival
        if flags & c.VIR_MIGRATE_OFFLINE:
            self._expire(arrival)
            # Nothing comes there, but clients want to be told where to.
            return arrival, (self._answer(arrival), where)
        try:
            sizes = cookie.nbd.disks if cookie is not None and cookie.nbd is not None else {}
            arrival.made = await precreate(hypervisor, disks, sizes, flags)
            told, nbd = await self._start(arrival, definition, asked, tunnel)
        except BaseException:
            await self._gone(arrival)
            raise
        hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_STARTED, c.VIR_DOMAIN_EVENT_STARTED_MIGRATED)
        arrival.told = True
        return arrival, (self._answer(arrival, nbd=nbd), told)

    async def _prepareAgain(self, asked: dict[str, Any], cookieIn: bytes) -> MigrationPrepared:
        """Listen once more for memory that has stopped coming."""
        hypervisor = self._hypervisor
        xml = asked.get(c.VIR_MIGRATE_PARAM_DEST_XML)
        if not xml:
            raise internal("no domain XML passed")
        definition = await hypervisor.parse(xml)
        name = asked.get(c.VIR_MIGRATE_PARAM_DEST_NAME) or definition.name
        if hypervisor.domains.named(name) is None:
            raise virtError(
                ErrorCode.NO_DOMAIN, f"no domain with matching name '{name}'", ErrorDomain.QEMU
            )
        arrival = self._halfCome(name)
        guest = arrival.guest
        assert guest is not None
        readCookie(cookieIn, arrival.origin, arrival.domain.uuid)
        address, told, port = self._listen(asked)
        self._take(arrival, port)
        await guest.execute("migrate-recover", {"uri": address.qemu}, timeout=60.0)
        return MigrationPrepared(self._answer(arrival), told)

    def _halfCome(self, name: str) -> Arrival:
        """
        Find the guest whose memory has stopped coming.

        @raise VirtError: there is none, or nothing is wrong with it.
        """
        arrival = self._hypervisor.arriving.get(name)
        if arrival is None or arrival.guest is None:
            raise operationInvalid(f"domain '{name}' is not processing incoming migration")
        if not arrival.follows:
            raise operationInvalid(f"migration of domain {name} is not in post-copy phase")
        if not arrival.half:
            raise operationInvalid(f"post-copy migration of domain {name} has not failed")
        return arrival

    async def _start(
        self, arrival: Arrival, definition: DomainDefinition, asked: dict[str, Any], tunnel: bool
    ) -> tuple[str | None, NBD | None]:
        """
        Start the guest's process, and have it listen.

        @return: where the source is told to send memory to, and disks.
        """
        hypervisor, domain, flags = self._hypervisor, arrival.domain, arrival.flags
        address, told = None, None
        if not tunnel:
            address, told, port = self._listen(asked)
            self._take(arrival, port)
        held = domain.jobs.longer(
            "remoteDispatchDomainMigratePrepare3Params", c.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN
        )
        job = arrival.job = await held.__aenter__()
        arrival.held = held
        job.phase, job.flags = COMING, flags
        guest = await starting.start(
            hypervisor,
            domain,
            definition=definition,
            incomingURI="defer",
            autodestroy=self._connection,
        )
        arrival.guest = guest
        tuning = tuningOf(flags, asked, destination=True)
        arrival.before = await remembered(guest)
        await tuning.apply(guest)
        encryption: Encryption | None = None
        if flags & c.VIR_MIGRATE_TLS:
            encryption = await receiveEncrypted(hypervisor, guest)
        if tuning.parameters:
            await guest.execute("migrate-set-parameters", tuning.parameters)
        nbd: NBD | None = None
        if flags & COPIES:
            # With the names that the running guest knows its disks by.
            targets = {disk.target.dev for disk in chosen(definition, flags, asked)}
            disks = [each for each in disksOf(domain.definition) if each.target.dev in targets]
            if disks:
                listen = self._address(asked)
                port, taken = await serve(hypervisor, guest, disks, asked, listen, encryption)
                if taken is not None:
                    arrival.ports.add(taken)
                arrival.copies = True
                nbd = attrs.evolve(await capacities(guest, disks), port=port)
        come = arrival.come = guest.migrated = Deferred()
        come.addCallback(self._turned, arrival)
        assert guest.process is not None
        guest.process.whenEnded().addCallback(lambda _: self._ended(arrival, come))
        if address is not None:
            await guest.execute("migrate-incoming", {"uri": address.qemu}, timeout=60.0)
        else:
            await self._tunnel(arrival, guest)
        hypervisor.setState(domain, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_MIGRATION)
        return told, nbd

    async def _tunnel(self, arrival: Arrival, guest: Guest) -> None:
        arrival.inlet, theirs = startInlet(self._hypervisor.clock)
        try:
            await guest.execute("getfd", {"fdname": "migrate"}, fds=[theirs])
        finally:
            os.close(theirs)
        await guest.execute("migrate-incoming", {"uri": "fd:migrate"}, timeout=60.0)

    def _take(self, arrival: Arrival, port: int | None) -> None:
        if port is not None:
            self._hypervisor.migrationPorts.add(port)
            arrival.ports.add(port)

    def _turned(self, word: str, arrival: Arrival) -> str:
        """Note that from now on the guest cannot go on where it came from."""
        if word.startswith("postcopy") and arrival.job is not None:
            arrival.job.phase = FOLLOWED
            self._hypervisor.saveStatus(arrival.domain)
        return word

    def _ended(self, arrival: Arrival, come: Deferred[str]) -> None:
        """The guest's process is gone, before it has come or long after."""
        if not come.called:
            come.callback("ended")
        if self._hypervisor.arriving.get(arrival.domain.name) is arrival:
            guest = arrival.guest
            if guest is not None and guest.dying and not guest.fell and not arrival.over:
                # Somebody has ended it, and tells of that: nothing is wrong with it.
                arrival.told = False
                self._hypervisor.migrationErrors[arrival.domain.name] = _allRight(arrival)
            elif not arrival.finishing:
                self._hypervisor.migrationErrors[arrival.domain.name] = self._unexpected(arrival)
            self._hypervisor.later(self._late(arrival))

    def _expire(self, arrival: Arrival) -> None:
        """Forget one that does not run and that nobody asks for."""
        hypervisor = self._hypervisor
        hypervisor.clock.callLater(60.0, lambda: hypervisor.later(self._late(arrival)))

    async def _late(self, arrival: Arrival) -> None:
        if self._hypervisor.arriving.get(arrival.domain.name) is arrival:
            await self._gone(arrival)

    async def _release(self, arrival: Arrival) -> None:
        hypervisor = self._hypervisor
        if hypervisor.arriving.get(arrival.domain.name) is arrival:
            del hypervisor.arriving[arrival.domain.name]
        hypervisor.migrationPorts -= arrival.ports
        held, arrival.held = arrival.held, None
        if held is not None:
            await held.__aexit__(None, None, None)
            # From now on a daemon that starts anew keeps it.
            hypervisor.saveStatus(arrival.domain)

    async def _gone(self, arrival: Arrival) -> None:
        """It does not come after all."""
        hypervisor, domain, guest = self._hypervisor, arrival.domain, arrival.guest
        if arrival.over:
            return
        arrival.over = True
        if arrival.inlet is not None:
            arrival.inlet.close()
        try:
            if guest is not None and domain.guest is guest:
                ref = domain.ref
                await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_FAILED)
                if arrival.told:
                    hypervisor.tell(
                        domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_FAILED, ref
                    )
        finally:
            removePrecreated(arrival.made)
            self._undefine(arrival)
            await self._release(arrival)
        ending.forget(hypervisor, domain)

    async def domainMigrateFinish3Params(
        self, params: list[TypedParam], cookieIn: bytes, flags: int, cancelled: bool
    ) -> MigrationFinished:
        """Let the guest run here, or forget it."""
        checkMigration("qemuDomainMigrateFinish3Params", flags)
        hypervisor = self._hypervisor
        asked = given(params)
        name = asked.get(c.VIR_MIGRATE_PARAM_DEST_NAME)
        if not name:
            raise internal("No domain name passed to Finish")
        arrival = hypervisor.arriving.get(name)
        if arrival is None:
            known = hypervisor.migrationErrors.pop(name, None)
            if known is not None and (cancelled or known.code != ErrorCode.MIGRATE_FINISH_OK):
                raise known
            raise virtError(
                ErrorCode.NO_DOMAIN, f"no domain with matching name '{name}'", ErrorDomain.QEMU
            )
        if flags & c.VIR_MIGRATE_POSTCOPY_RESUME:
            return await self._finishAgain(self._halfCome(name), cookieIn, cancelled)
        if arrival.finishing:
            raise failed(f"domain '{name}' is being let go on already")
        arrival.finishing = True
        if arrival.job is not None:
            arrival.job.what = _FINISH
        domain, guest = arrival.domain, arrival.guest
        try:
            cookie = readCookie(cookieIn, arrival.origin, domain.uuid)
            if cancelled:
                raise self._cancelled(arrival)
            if guest is not None:
                await self._arrived(arrival, guest)
                if arrival.copies:
                    await guest.execute("nbd-server-stop")
            if flags & c.VIR_MIGRATE_PERSIST_DEST:
                await self._persist(arrival, cookie)
            done = await self._goOn(arrival, cookie, flags)
        except BaseException:
            if arrival.half:
                raise
            # It does not go on here, so it must go on there.
            await self._gone(arrival)
            raise
        arrival.made.clear()
        if guest is not None:
            await reset(guest, arrival.before)
        answer = self._answer(arrival, statistics=done)
        await self._release(arrival)
        return MigrationFinished(domain.ref, answer)

    async def _finishAgain(
        self, arrival: Arrival, cookieIn: bytes, cancelled: bool
    ) -> MigrationFinished:
        """Wait for the memory that comes again."""
        hypervisor, domain, guest = self._hypervisor, arrival.domain, arrival.guest
        assert guest is not None
        readCookie(cookieIn, arrival.origin, domain.uuid)
        if cancelled:
            raise self._cancelled(arrival)
        arrival.half = False
        hypervisor.setState(domain, domain.state, c.VIR_DOMAIN_RUNNING_POSTCOPY)
        hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_RESUMED, c.VIR_DOMAIN_EVENT_RESUMED_POSTCOPY)
        await self._restFollows(arrival, guest)
        await reset(guest, arrival.before)
        answer = self._answer(arrival)
        await self._release(arrival)
        return MigrationFinished(domain.ref, answer)

    def _cancelled(self, arrival: Arrival) -> VirtError:
        """Make the answer to somebody who has given a guest up: nothing is wrong, or why it had to be."""
        come = arrival.come
        if come is not None and come.called and come.result == "ended":
            return self._unexpected(arrival)
        return _allRight(arrival)

    def _unexpected(self, arrival: Arrival) -> VirtError:
        said = starting.said(self._hypervisor, arrival.domain)
        detail = "qemu unexpectedly closed the monitor"
        return internal(f"{detail}: {said}" if said else detail)

    async def _goOn(self, arrival: Arrival, cookie: Cookie | None, flags: int) -> Statistics | None:
        """Let the guest run, unless it is to stay paused; return how it came."""
        hypervisor, domain, guest = self._hypervisor, arrival.domain, arrival.guest
        if guest is None:
            return None
        paused = bool(flags & c.VIR_MIGRATE_PAUSED) or (cookie is not None and cookie.paused)
        if paused:
            hypervisor.setState(domain, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_USER)
            if flags & c.VIR_MIGRATE_PAUSED:
                hypervisor.tell(
                    domain, c.VIR_DOMAIN_EVENT_SUSPENDED, c.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED
                )
        else:
            status = await guest.execute("query-migrate")
            word = status.get("status") if isinstance(status, dict) else None
            following = str(word).startswith("postcopy")
            reason = c.VIR_DOMAIN_RUNNING_POSTCOPY if following else c.VIR_DOMAIN_RUNNING_MIGRATED
            await starting.goOn(hypervisor, domain, guest, reason)
            if following:
                guest.autodestroy = None
                await self._restFollows(arrival, guest)
        guest.autodestroy = None
        hypervisor.saveStatus(domain)
        done = self._accountIn(arrival, cookie)
        if not paused and following:
            domain.jobs.completed = None  # it tells of the time before the guest ran here
        return done

    async def _restFollows(self, arrival: Arrival, guest: Guest) -> None:
        """
        Wait for memory that follows.

        @raise VirtError: it does not come, which is the guest's state from now on; or the guest has ended.
        """
        hypervisor, domain = self._hypervisor, arrival.domain
        arrival.follows = True
        word = await rest(guest)
        if domain.guest is not guest or word == "ended":
            raise self._unexpected(arrival)
        if word == "completed":
            hypervisor.setState(domain, domain.state, c.VIR_DOMAIN_RUNNING_MIGRATED)
            hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_RESUMED, c.VIR_DOMAIN_EVENT_RESUMED_MIGRATED)
            return
        arrival.half = True
        hypervisor.setState(domain, domain.state, c.VIR_DOMAIN_RUNNING_POSTCOPY_FAILED)
        hypervisor.tell(
            domain, c.VIR_DOMAIN_EVENT_RESUMED, c.VIR_DOMAIN_EVENT_RESUMED_POSTCOPY_FAILED
        )
        raise failed("job 'migration in' failed in post-copy phase")

    def _accountIn(self, arrival: Arrival, cookie: Cookie | None) -> Statistics | None:
        """Keep how it came for those who ask, and for the source."""
        found = cookie.statistics if cookie is not None else None
        if found is None:
            return None
        now = int(self._hypervisor.clock.seconds() * 1000)
        numbers = dict(found.numbers)
        numbers[c.VIR_DOMAIN_JOB_TIME_ELAPSED] = max(0, now - found.started)
        numbers[c.VIR_DOMAIN_JOB_DOWNTIME] = max(0, now - found.stopped)
        done = attrs.evolve(found, numbers=numbers, delta=max(0, now - found.sent))
        operation = c.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN
        arrival.domain.jobs.completed = {"operation": operation, "params": done.params(operation)}
        return done

    async def _arrived(self, arrival: Arrival, guest: Guest) -> None:
        """
        Wait until all of the guest is here, or will follow while it runs.

        @raise VirtError: it is not, and will not be.
        """
        come = arrival.come
        assert come is not None
        end = self._hypervisor.clock.seconds() + LATE
        while True:
            if come.called and come.result == "ended":
                raise self._unexpected(arrival)
            if guest.monitor is None:
                await come
                continue
            status = await guest.execute("query-migrate")
            word = status.get("status") if isinstance(status, dict) else None
            if word == "completed" or str(word).startswith("postcopy"):
                return
            if word in ("failed", "cancelled"):
                raise failed(f"migration failed: {status.get('error-desc', word)}")
            if self._hypervisor.clock.seconds() > end:
                raise failed("migration failed: the memory of the guest did not come")
            pause: Deferred[None] = Deferred()
            self._hypervisor.clock.callLater(0.02, pause.callback, None)
            await pause

    async def _persist(self, arrival: Arrival, cookie: Cookie | None) -> None:
        """Define the domain here."""
        hypervisor, domain = self._hypervisor, arrival.domain
        definition = arrival.sent if arrival.guest is None else domain.persistentDefinition
        if arrival.guest is not None and domain.pending is None:
            # Nothing of it that only a running guest has.
            definition = await hypervisor.copied(definition)
        if arrival.guest is not None and cookie is not None and cookie.persistent is not None:
            # Whatever else it says that the domain is to be, it is this one.
            definition = await hypervisor.parse(cookie.persistent)
            definition = replaced(definition, name=domain.name, uuid=domain.uuid)
        hypervisor.store.saveDefinition(definition)
        old, domain.persistent = domain.persistent, True
        arrival.defined = not old
        if arrival.guest is not None:
            domain.pending = definition
        else:
            domain.definition = definition
        hypervisor.tell(
            domain,
            c.VIR_DOMAIN_EVENT_DEFINED,
            c.VIR_DOMAIN_EVENT_DEFINED_UPDATED if old else c.VIR_DOMAIN_EVENT_DEFINED_ADDED,
        )

    def _undefine(self, arrival: Arrival) -> None:
        """Take back that a domain was defined which does not go on here."""
        if not arrival.defined:
            return
        arrival.defined = False
        hypervisor, domain = self._hypervisor, arrival.domain
        try:
            hypervisor.store.removeDefinition(domain.name)
        except VirtError:
            return
        domain.persistent = False
        hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_UNDEFINED, c.VIR_DOMAIN_EVENT_UNDEFINED_REMOVED)
