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
from twisted.internet.defer import Deferred

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.interfaces.values import DomainRef, MigrationBegun, TypedParam
from pyvirt.drivers.qemu import ending, locks, starting
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.jobs import LongJob
from pyvirt.drivers.qemu.memorystream import follow
from pyvirt.drivers.qemu.migratable import formatMigratable
from pyvirt.drivers.qemu.migrationdata import Cookie, checkMigration, given, readAddress, readCookie
from pyvirt.drivers.qemu.refusals import (
    internal,
    invalidArgument,
    notActive,
    operationInvalid,
)
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["FASTEST", "Leaver", "Leaving", "capabilitiesFor"]

#: MiB a second beyond which a number of bytes does not fit.
FASTEST = ((1 << 63) - 1) >> 20
#: Seconds after which a source that hears nothing between two steps gives up.
PATIENCE = 60.0

_MEMORY_SAFE = ("none", "directsync")


@attrs.define(eq=False)
class Leaver:
    """
    A guest on its way out.

    @ivar held: what keeps other changes out, and C{job} what came of it; None until then.
    @ivar paused: whether it ran when it was paused for this.
    @ivar sent: it has been sent: somebody else may have it.
    @ivar connection: of whoever leads the migration.
    @ivar rest: fires when memory that was left behind has followed, None if none was.
    """

    domain: Domain
    guest: Guest
    flags: int
    connection: Any = None
    held: AbstractAsyncContextManager[LongJob] | None = None
    job: LongJob | None = None
    paused: bool = False
    sent: bool = False
    rest: Deferred[str] | None = None
    timer: Any = None


def capabilitiesFor(flags: int, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Say how QEMU is to migrate; both ends must be told the same."""
    wanted = {
        "events": True,
        "postcopy-ram": bool(flags & c.VIR_MIGRATE_POSTCOPY),
        "auto-converge": bool(flags & c.VIR_MIGRATE_AUTO_CONVERGE),
        "xbzrle": bool(flags & c.VIR_MIGRATE_COMPRESSED),
        "multifd": bool(flags & c.VIR_MIGRATE_PARALLEL),
    }
    return [{"capability": name, "state": state} for name, state in wanted.items()]


def checkSafe(definition: DomainDefinition) -> None:
    """
    Refuse what may corrupt data.

    @raise VirtError: a disk is not seen by the other host, or not as this one leaves it.
    """
    for disk in definition.devices.disks:
        source: Any = disk.source
        if disk.readonly or disk.device not in (None, "disk", "lun") or source is None:
            continue
        if getattr(source, "file", None) is not None:
            text = "Migration without shared storage is unsafe"
        elif getattr(source, "dev", None) is not None and (
            getattr(disk.driver, "cache", None) not in _MEMORY_SAFE
        ):
            text = "Migration may lead to data corruption if disks use cache other than none or directsync"
        else:
            continue
        raise virtError(ErrorCode.MIGRATE_UNSAFE, text, ErrorDomain.QEMU)


class Leaving:
    """Sends guests."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._connection = connection

    def _cookie(self, domain: Domain, paused: bool = False) -> bytes:
        host = self._hypervisor.hostUUID
        return Cookie(domain.name, domain.uuid, host, socket.gethostname(), paused).encode()

    # The first step

    async def domainMigrateBegin3Params(
        self, dom: DomainRef, params: list[TypedParam], flags: int
    ) -> MigrationBegun:
        """Describe the guest to the destination."""
        checkMigration("qemuDomainMigrateBegin3Params", flags)
        asked = given(params)
        hypervisor = self._hypervisor
        domain = hypervisor.domains.find(dom)
        offline = bool(flags & c.VIR_MIGRATE_OFFLINE)
        if offline and not flags & c.VIR_MIGRATE_PERSIST_DEST:
            raise operationInvalid(
                "offline migration must be specified with the persistent flag set"
            )
        if flags & c.VIR_MIGRATE_COMPRESSED and asked.get(c.VIR_MIGRATE_PARAM_COMPRESSION) not in (
            None,
            ["xbzrle"],
        ):
            raise invalidArgument(
                f"unsupported compression methods {asked[c.VIR_MIGRATE_PARAM_COMPRESSION]}"
            )
        guest = None if offline and not domain.active else domain.checkActive()
        definition = domain.definition if guest is not None else domain.persistentDefinition
        for device in definition.devices.hostdevs:
            if device.mode == "subsystem":
                raise operationInvalid(
                    f"cannot migrate a domain with <hostdev mode='subsystem' type='{device.type}'>"
                )
        if not flags & c.VIR_MIGRATE_UNSAFE and not offline:
            checkSafe(definition)
        if domain.uuid in hypervisor.leaving:
            raise operationInvalid(
                f"another migration job is already running for domain '{domain.name}'"
            )
        wanted = asked.get(c.VIR_MIGRATE_PARAM_DEST_XML)
        if wanted is not None:
            from pyvirt.drivers.qemu.saving import compatible

            definition = compatible(definition, await hypervisor.parse(wanted))
        if guest is not None and flags & c.VIR_MIGRATE_CHANGE_PROTECTION:
            await self._hold(domain, guest, flags)
        known = None if guest is None or wanted is not None else guest.askedCPU
        xml = formatMigratable(definition, known)
        return MigrationBegun(self._cookie(domain), xml)

    async def _hold(self, domain: Domain, guest: Guest, flags: int) -> Leaver:
        """Keep other changes out from now on."""
        leaver = self._hypervisor.leaving.get(domain.uuid)
        if leaver is None:
            leaver = self._hypervisor.leaving[domain.uuid] = Leaver(
                domain, guest, flags, connection=self._connection
            )
            held = domain.jobs.longer(
                "remoteDispatchDomainMigratePerform3Params",
                c.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT,
            )
            try:
                leaver.job = await held.__aenter__()
            except BaseException:
                del self._hypervisor.leaving[domain.uuid]
                raise
            leaver.held = held
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
        if leaving.get(leaver.domain.uuid) is leaver:
            del leaving[leaver.domain.uuid]
        held, leaver.held = leaver.held, None
        if held is not None:
            await held.__aexit__(None, None, None)

    async def _givenUp(self, leaver: Leaver) -> None:
        """Nobody has said anything for long."""
        await self._forget(leaver)
        if not leaver.sent:
            # What has been sent may run at its destination: two of it would be worse than none.
            await self._resume(leaver)

    async def _resume(self, leaver: Leaver) -> None:
        domain, guest = leaver.domain, leaver.guest
        if domain.guest is guest and leaver.paused and domain.state == c.VIR_DOMAIN_PAUSED:
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
        """Send the guest."""
        checkMigration("qemuDomainMigratePerform3Params", flags)
        asked = given(params)
        readCookie(cookieIn)
        hypervisor = self._hypervisor
        domain = hypervisor.domains.find(dom)
        if flags & c.VIR_MIGRATE_OFFLINE and not domain.active:
            return self._cookie(domain)
        guest = domain.checkActive()
        uri = asked.get(c.VIR_MIGRATE_PARAM_URI)
        if not uri:
            raise internal("no migration URI was given")
        address = readAddress(uri)
        if address.path is None and address.port is None:
            raise invalidArgument(f"missing port in migration URI: {uri}")
        speed = asked.get(c.VIR_MIGRATE_PARAM_BANDWIDTH) or guest.migration.speed
        if speed > FASTEST:
            raise virtError(
                ErrorCode.OVERFLOW, f"bandwidth must be less than {FASTEST + 1}", ErrorDomain.QEMU
            )
        leaver = await self._hold(domain, guest, flags)
        self._callOff(leaver)
        was = domain.state
        try:
            await self._send(leaver, address.qemu, speed, asked)
        except BaseException:
            if guest.pausedReason == c.VIR_DOMAIN_PAUSED_MIGRATION:
                guest.pausedReason = c.VIR_DOMAIN_PAUSED_UNKNOWN
            # Nobody need say anything more: it goes on here.
            await self._givenUp(leaver)
            raise
        leaver.sent = True
        assert leaver.job is not None
        leaver.job.what = "remoteDispatchDomainMigrateConfirm3Params"
        hypervisor.saveStatus(domain)
        if was == c.VIR_DOMAIN_RUNNING:
            leaver.paused = True
        await locks.release(hypervisor, domain, guest)
        self._wait(leaver)
        return self._cookie(domain, paused=was != c.VIR_DOMAIN_RUNNING)

    async def _send(self, leaver: Leaver, uri: str, speed: int, asked: dict[str, Any]) -> None:
        hypervisor, domain, guest, job = self._hypervisor, leaver.domain, leaver.guest, leaver.job
        assert job is not None
        flags = leaver.flags
        hypervisor.saveStatus(domain)
        capabilities = capabilitiesFor(flags, asked)
        await guest.execute("migrate-set-capabilities", {"capabilities": capabilities})
        values: dict[str, Any] = {
            "max-bandwidth": speed << 20,
            "downtime-limit": guest.migration.downtime,
            "xbzrle-cache-size": asked.get(c.VIR_MIGRATE_PARAM_COMPRESSION_XBZRLE_CACHE)
            or guest.migration.cache,
        }
        for name, key in (
            (c.VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL, "cpu-throttle-initial"),
            (c.VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT, "cpu-throttle-increment"),
            (c.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, "multifd-channels"),
        ):
            if name in asked:
                values[key] = asked[name]
        postcopy = asked.get(c.VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY) or (
            guest.migration.postcopySpeed
        )
        if postcopy:
            values["max-postcopy-bandwidth"] = postcopy << 20
        await guest.execute("migrate-set-parameters", values)
        guest.pausedReason = c.VIR_DOMAIN_PAUSED_MIGRATION
        if not flags & c.VIR_MIGRATE_LIVE and domain.state == c.VIR_DOMAIN_RUNNING:
            leaver.paused = True
            await guest.execute("stop")
            guest.pausedReason = c.VIR_DOMAIN_PAUSED_MIGRATION
        finished: Deferred[str] = Deferred()
        guest.migrated = finished
        await guest.execute("migrate", {"uri": uri, "detach": True})
        word = await follow(hypervisor, domain, guest, job, finished, "migration out job")
        if word == "postcopy-active":
            guest.migrated = leaver.rest = Deferred()

    # The last step

    async def domainMigrateConfirm3Params(
        self, dom: DomainRef, params: list[TypedParam], cookieIn: bytes, flags: int, cancelled: bool
    ) -> None:
        """Let the guest go, or go on here."""
        checkMigration("qemuDomainMigrateConfirm3Params", flags)
        readCookie(cookieIn)
        hypervisor = self._hypervisor
        domain = hypervisor.domains.find(dom)
        leaver = hypervisor.leaving.get(domain.uuid)
        if flags & c.VIR_MIGRATE_OFFLINE and not domain.active:
            if not cancelled:
                self._removed(domain, flags)
            return
        if leaver is None and cancelled:
            return  # the step before has failed and seen to it
        if leaver is None:
            if not domain.active:
                raise notActive()
            raise operationInvalid(f"domain '{domain.name}' is not being migrated")
        if cancelled:
            await self._forget(leaver)
            await self._resume(leaver)
            return
        if not leaver.sent:
            raise operationInvalid(f"domain '{domain.name}' has not been sent")
        self._callOff(leaver)
        if leaver.rest is not None:
            # It runs there already, and needs what is still here.
            await leaver.rest
        try:
            guest = domain.guest
            if guest is leaver.guest:
                await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_MIGRATED)
                hypervisor.tell(
                    domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_MIGRATED
                )
        finally:
            await self._forget(leaver)
        self._removed(domain, flags)

    def _removed(self, domain: Domain, flags: int) -> None:
        """Forget a domain that lives elsewhere now, if nothing defines it here."""
        hypervisor = self._hypervisor
        if flags & c.VIR_MIGRATE_UNDEFINE_SOURCE and domain.persistent:
            try:
                hypervisor.store.removeDefinition(domain.name)
            except VirtError:
                return
            domain.persistent = False
            hypervisor.tell(
                domain, c.VIR_DOMAIN_EVENT_UNDEFINED, c.VIR_DOMAIN_EVENT_UNDEFINED_REMOVED
            )
        ending.forget(hypervisor, domain)
