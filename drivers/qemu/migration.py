"""
Moving guests between two hosts, with libvirt's third protocol and a client in between: the component.

L{leaving} is the source's side, L{arriving} the destination's.
"""

from __future__ import annotations

import attrs

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.qemu.arriving import Arriving
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.leaving import Leaving
from pyvirt.drivers.qemu.migrationdata import FASTEST, FASTEST_FOLLOWING
from pyvirt.drivers.qemu.refusals import checkFlags, invalidArgument, operationInvalid
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["DomainMigration"]


class DomainMigration(Leaving, Arriving):
    """Sends and receives guests, and keeps the limits of both."""

    # Limits

    def domainMigrateGetMaxDowntime(self, dom: DomainRef, flags: int) -> int:
        """Tell how long a guest may stand still."""
        checkFlags("qemuDomainMigrateGetMaxDowntime", flags)
        _, guest = self._hypervisor.domains.running(dom)
        return guest.migration.downtime

    async def domainMigrateSetMaxDowntime(self, dom: DomainRef, downtime: int, flags: int) -> None:
        """Say how long a guest may stand still."""
        checkFlags("qemuDomainMigrateSetMaxDowntime", flags)
        domain, guest = self._hypervisor.domains.running(dom)
        async with domain.jobs.besides("remoteDispatchDomainMigrateSetMaxDowntime"):
            await guest.execute("migrate-set-parameters", {"downtime-limit": downtime})
            guest.migration = attrs.evolve(guest.migration, downtime=downtime)

    def domainMigrateGetMaxSpeed(self, dom: DomainRef, flags: int) -> int:
        """Tell the limit of the speed; only that after the switch of post-copy is the run's."""
        checkFlags("qemuDomainMigrateGetMaxSpeed", flags, c.VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY)
        domain = self._hypervisor.domains.find(dom)
        return domain.checkActive().migration.postcopySpeed if flags else domain.migrationSpeed

    async def domainMigrateSetMaxSpeed(self, dom: DomainRef, bandwidth: int, flags: int) -> None:
        """Limit the speed."""
        checkFlags("qemuDomainMigrateSetMaxSpeed", flags, c.VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY)
        domain = self._hypervisor.domains.find(dom)
        limit = FASTEST_FOLLOWING if flags else FASTEST
        if bandwidth > limit:
            raise virtError(
                ErrorCode.OVERFLOW, f"bandwidth must be less than {limit + 1}", ErrorDomain.QEMU
            )
        if not domain.active and not flags:
            domain.migrationSpeed = bandwidth
            return
        guest = domain.checkActive()
        name = "max-postcopy-bandwidth" if flags else "max-bandwidth"
        async with domain.jobs.besides("remoteDispatchDomainMigrateSetMaxSpeed"):
            await guest.execute("migrate-set-parameters", {name: bandwidth << 20})
            if flags:
                guest.migration = attrs.evolve(guest.migration, postcopySpeed=bandwidth)
            else:
                domain.migrationSpeed = bandwidth

    def domainMigrateGetCompressionCache(self, dom: DomainRef, flags: int) -> int:
        """Tell how much memory is used to find repeated pages."""
        checkFlags("qemuDomainMigrateGetCompressionCache", flags)
        _, guest = self._hypervisor.domains.running(dom)
        return guest.migration.cache

    async def domainMigrateSetCompressionCache(
        self, dom: DomainRef, cacheSize: int, flags: int
    ) -> None:
        """Say how much memory is used to find repeated pages."""
        checkFlags("qemuDomainMigrateSetCompressionCache", flags)
        domain, guest = self._hypervisor.domains.running(dom)
        if cacheSize >= 1 << 63:  # QEMU says of all others what is wrong with them
            raise invalidArgument(f"compression cache of {cacheSize} bytes")
        async with domain.jobs.besides("remoteDispatchDomainMigrateSetCompressionCache"):
            await guest.execute("migrate-set-parameters", {"xbzrle-cache-size": cacheSize})
            guest.migration = attrs.evolve(guest.migration, cache=cacheSize)

    async def domainMigrateStartPostCopy(self, dom: DomainRef, flags: int) -> None:
        """Let the guest run where it goes now, and fetch the rest of its memory from here."""
        checkFlags("qemuDomainMigrateStartPostCopy", flags)
        domain, guest = self._hypervisor.domains.running(dom)
        async with domain.jobs.besides("remoteDispatchDomainMigrateStartPostCopy"):
            self._checkPostCopy(domain)
            await guest.execute("migrate-start-postcopy")

    def _checkPostCopy(self, domain: Domain) -> None:
        leaver = self._hypervisor.leaving.get(domain.uuid)
        if leaver is None or leaver.job is None:
            raise operationInvalid(
                "post-copy can only be started while outgoing migration is in progress"
            )
        if not leaver.flags & c.VIR_MIGRATE_POSTCOPY:
            raise operationInvalid(
                "switching to post-copy requires migration to be started with "
                "VIR_MIGRATE_POSTCOPY flag"
            )
