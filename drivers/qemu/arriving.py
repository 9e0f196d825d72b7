"""
The destination's side of a migration.

The guest waits here, paused, until it has come and somebody says that it is to run; with the connection that it
comes for it goes, until then.
"""

from __future__ import annotations

import socket
from contextlib import AbstractAsyncContextManager
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.uuids import formatUUID
from pyvirt.drivers.interfaces.values import (
    MigrationFinished,
    MigrationPrepared,
    TypedParam,
)
from pyvirt.drivers.qemu import ending, starting
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.leaving import capabilitiesFor
from pyvirt.drivers.qemu.migrationdata import (
    Address,
    checkMigration,
    freePort,
    given,
    readAddress,
    readCookie,
)
from pyvirt.drivers.qemu.refusals import failed, internal
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["Arrival", "Arriving"]

#: Seconds that the end of a migration may take to be noticed here, once it was noticed there.
LATE = 30.0


@attrs.define(eq=False)
class Arrival:
    """
    A guest that is expected.

    @ivar guest: its run, None if it does not run.
    @ivar known: whether it was defined here before.
    @ivar later: what it is to be when it is started again, None: what it is.
    @ivar come: fires when it has come, or its process has ended.
    """

    domain: Domain
    guest: Guest | None
    known: bool
    later: DomainDefinition | None
    held: AbstractAsyncContextManager[Any] | None = None
    port: int | None = None
    come: Deferred[str] | None = None


class Arriving:
    """Receives guests."""

    _hypervisor: Hypervisor
    _connection: Any

    def _cookie(self, domain: Domain, paused: bool = False) -> bytes:
        raise NotImplementedError

    def _listen(self, asked: dict[str, Any]) -> tuple[Address, str | None, int | None]:
        """
        Choose where memory is to come in.

        @return: where QEMU listens, what the source is told to use (None: what the caller said), and the port that
            is taken for it.
        """
        hypervisor = self._hypervisor
        config = hypervisor.config
        uri = asked.get(c.VIR_MIGRATE_PARAM_URI)
        listen = asked.get(c.VIR_MIGRATE_PARAM_LISTEN_ADDRESS) or config["migration_address"]
        ports = range(config["migration_port_min"], config["migration_port_max"] + 1)
        taken = hypervisor.migrationPorts
        if ":" in listen and not listen.startswith("["):
            listen = f"[{listen}]"
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
        if address.port is not None:
            return Address(host=listen, port=address.port), None, None
        port = freePort(listen, ports, taken)
        return Address(host=listen, port=port), f"tcp:{address.host}:{port}", port

    async def domainMigratePrepare3Params(
        self, params: list[TypedParam], cookieIn: bytes, flags: int
    ) -> MigrationPrepared:
        """Get ready: the guest waits here, paused."""
        checkMigration("qemuDomainMigratePrepare3Params", flags)
        hypervisor = self._hypervisor
        asked = given(params)
        xml = asked.get(c.VIR_MIGRATE_PARAM_DEST_XML)
        if not xml:
            raise internal("no domain XML passed")
        cookie = readCookie(cookieIn)
        if cookie is not None and cookie.host == hypervisor.hostUUID:
            raise internal(f"Attempt to migrate guest to the same host {formatUUID(cookie.host)}")
        definition = await hypervisor.parse(xml)
        name = asked.get(c.VIR_MIGRATE_PARAM_DEST_NAME)
        if name:
            if "/" in name or name in (".", ".."):
                raise virtError(
                    ErrorCode.XML_ERROR, f"name {name} cannot contain '/'", ErrorDomain.DOMAIN
                )
            definition = replaced(definition, name=name)
        persistent = asked.get(c.VIR_MIGRATE_PARAM_PERSIST_XML)
        later = None if persistent is None else await hypervisor.parse(persistent)
        if definition.name in hypervisor.arriving:
            raise virtError(
                ErrorCode.OPERATION_FAILED,
                f"domain '{definition.name}' is already being migrated here",
                ErrorDomain.QEMU,
            )
        domains = hypervisor.domains
        domain = domains.check(definition, mustBeInactive=True)
        known = domain is not None
        if domain is None:
            domain = domains.add(definition)
        arrival = Arrival(domain, None, known, later)
        hypervisor.arriving[domain.name] = arrival
        if flags & c.VIR_MIGRATE_OFFLINE:
            self._expire(arrival)
            return MigrationPrepared(self._cookie(domain), None)
        try:
            address, told, arrival.port = self._listen(asked)
            if arrival.port is not None:
                hypervisor.migrationPorts.add(arrival.port)
            held = domain.jobs.longer(
                "remoteDispatchDomainMigratePrepare3Params",
                c.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN,
            )
            await held.__aenter__()
            arrival.held = held
            guest = await starting.start(
                hypervisor,
                domain,
                definition=definition,
                incomingURI="defer",
                autodestroy=self._connection,
            )
            arrival.guest = guest
            await guest.execute(
                "migrate-set-capabilities", {"capabilities": capabilitiesFor(flags, asked)}
            )
            if c.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS in asked:
                channels = asked[c.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS]
                await guest.execute("migrate-set-parameters", {"multifd-channels": channels})
            come = arrival.come = guest.migrated = Deferred()
            assert guest.process is not None
            guest.process.whenEnded().addCallback(lambda _: self._ended(arrival, come))
            await guest.execute("migrate-incoming", {"uri": address.qemu}, timeout=60.0)
            hypervisor.setState(domain, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_MIGRATION)
        except BaseException:
            await self._gone(arrival)
            raise
        hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_STARTED, c.VIR_DOMAIN_EVENT_STARTED_MIGRATED)
        return MigrationPrepared(self._cookie(domain), told)

    def _ended(self, arrival: Arrival, come: Deferred[str]) -> None:
        """The guest's process is gone, before it has come or long after."""
        if not come.called:
            come.callback("ended")
        if self._hypervisor.arriving.get(arrival.domain.name) is arrival:
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
        if arrival.port is not None:
            hypervisor.migrationPorts.discard(arrival.port)
        held, arrival.held = arrival.held, None
        if held is not None:
            await held.__aexit__(None, None, None)

    async def _gone(self, arrival: Arrival) -> None:
        """It does not come after all."""
        hypervisor, domain, guest = self._hypervisor, arrival.domain, arrival.guest
        try:
            if guest is not None and domain.guest is guest:
                ref = domain.ref
                await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_FAILED)
                hypervisor.tell(
                    domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_FAILED, ref
                )
        finally:
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
        cookie = readCookie(cookieIn)
        arrival = hypervisor.arriving.get(name)
        if arrival is None:
            raise virtError(
                ErrorCode.NO_DOMAIN, f"no domain with matching name '{name}'", ErrorDomain.QEMU
            )
        domain, guest = arrival.domain, arrival.guest
        if cancelled:
            await self._gone(arrival)
            raise failed("migration was cancelled")
        if guest is not None:
            try:
                await self._arrived(arrival, guest)
            except BaseException:
                await self._gone(arrival)
                raise
            guest.autodestroy = None
        if flags & c.VIR_MIGRATE_PERSIST_DEST:
            self._persist(arrival)
        try:
            if guest is not None and not flags & c.VIR_MIGRATE_PAUSED:
                if cookie is None or not cookie.paused:
                    await starting.goOn(hypervisor, domain, guest, c.VIR_DOMAIN_RUNNING_MIGRATED)
                else:
                    hypervisor.setState(domain, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_USER)
            elif guest is not None:
                hypervisor.setState(domain, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_USER)
                hypervisor.tell(
                    domain, c.VIR_DOMAIN_EVENT_SUSPENDED, c.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED
                )
        except BaseException:
            # It does not go on here, so it must go on there.
            await self._gone(arrival)
            raise
        await self._release(arrival)
        return MigrationFinished(domain.ref, self._cookie(domain))

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
                said = starting.said(self._hypervisor, arrival.domain)
                raise failed(f"migration failed: {said or 'the guest has ended here'}")
            status = await guest.execute("query-migrate")
            word = status.get("status") if isinstance(status, dict) else None
            if word in ("completed", "postcopy-active"):
                return
            if word in ("failed", "cancelled"):
                raise failed(f"migration failed: {status.get('error-desc', word)}")
            if self._hypervisor.clock.seconds() > end:
                raise failed("migration failed: the memory of the guest did not come")
            pause: Deferred[None] = Deferred()
            self._hypervisor.clock.callLater(0.02, pause.callback, None)
            await pause

    def _persist(self, arrival: Arrival) -> None:
        """Define the domain here."""
        hypervisor, domain = self._hypervisor, arrival.domain
        definition = arrival.later or domain.persistentDefinition
        hypervisor.store.saveDefinition(definition)
        old, domain.persistent = domain.persistent, True
        if arrival.guest is not None:
            domain.pending = definition
        else:
            domain.definition = definition
        hypervisor.tell(
            domain,
            c.VIR_DOMAIN_EVENT_DEFINED,
            c.VIR_DOMAIN_EVENT_DEFINED_UPDATED if old else c.VIR_DOMAIN_EVENT_DEFINED_ADDED,
        )
