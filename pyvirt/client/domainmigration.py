"""
Moving a domain to another host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from pyvirt import constants
from pyvirt.client.arguments import index
from pyvirt.client.deferring import deferred
from pyvirt.client.domainresources import DomainResources
from pyvirt.client.migration import Migration
from pyvirt.client.params import HINTS, byHints
from pyvirt.client.shapes import zero
from pyvirt.errors import ErrorCode, ErrorDomain, argumentError, virtError

if TYPE_CHECKING:
    from pyvirt.client.connect import Connect
    from pyvirt.client.domain import Domain

__all__ = ["DomainMigration"]


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _unsigned(bandwidth: int) -> int | None:
    """Take a long for an unsigned one, as C does; 0 is none."""
    return index(bandwidth) & ((1 << 64) - 1) or None


class DomainMigration(DomainResources):
    """Migration, and its settings."""

    __slots__ = ()

    def _migration(
        self,
        function: str,
        flags: int,
        params: Any,
    ) -> Migration:
        if self._conn._session.readOnly:
            raise virtError(
                ErrorCode.OPERATION_DENIED,
                f"read only access prevents {function}",
                ErrorDomain.DOMAIN,
            )
        if not isinstance(params, dict):
            raise TypeError("migration params must be a dictionary")
        domain: Any = self
        return Migration(domain, byHints(params, HINTS["domainMigrate"]), flags, function)

    @deferred
    async def migrate(
        self,
        dconn: Connect,
        flags: int = 0,
        dname: str | None = None,
        uri: str | None = None,
        bandwidth: int = 0,
    ) -> Domain:
        """
        Move it to where C{dconn} leads.

        @param flags: C{VIR_MIGRATE_*}.
        @param dname: its name there; None: as here.
        @param uri: where the hypervisor there is reached; None: it says so itself.
        @param bandwidth: MiB/s; 0: as much as there is.
        @return: fires with the domain there.
        """
        params = _given(
            {
                "destination_name": dname,
                constants.VIR_MIGRATE_PARAM_URI: uri,
                "bandwidth": _unsigned(bandwidth),
            }
        )
        return await self._migration("virDomainMigrate", flags, params).toConnection(dconn)

    @deferred
    async def migrate2(
        self,
        dconn: Connect,
        dxml: str | None = None,
        flags: int = 0,
        dname: str | None = None,
        uri: str | None = None,
        bandwidth: int = 0,
    ) -> Domain:
        """As L{migrate}, with another definition there."""
        params = _given(
            {
                "destination_name": dname,
                constants.VIR_MIGRATE_PARAM_URI: uri,
                "bandwidth": _unsigned(bandwidth),
                "destination_xml": dxml,
            }
        )
        return await self._migration("virDomainMigrate2", flags, params).toConnection(dconn)

    @deferred
    async def migrate3(self, dconn: Connect, params: dict[str, Any], flags: int = 0) -> Domain:
        """As L{migrate}, with parameters C{VIR_MIGRATE_PARAM_*}."""
        return await self._migration("virDomainMigrate3", flags, params).toConnection(dconn)

    @deferred
    async def migrateToURI(
        self, duri: str, flags: int = 0, dname: str | None = None, bandwidth: int = 0
    ) -> int:
        """Have the daemon here move it: to the daemon C{duri} peer to peer, else to that hypervisor.  Fires with 0."""
        params = _given({"destination_name": dname, "bandwidth": _unsigned(bandwidth)})
        if duri is None and not self._conn._session.readOnly:
            raise argumentError(
                "virDomainMigrateToURI", "duri", "must not be NULL", ErrorDomain.DOMAIN
            )
        await self._migration("virDomainMigrateToURI", flags, params).toURI(duri)
        return 0

    @deferred
    async def migrateToURI2(
        self,
        dconnuri: str | None = None,
        miguri: str | None = None,
        dxml: str | None = None,
        flags: int = 0,
        dname: str | None = None,
        bandwidth: int = 0,
    ) -> int:
        """As L{migrateToURI}, with the hypervisor's own URI and another definition.  Fires with 0."""
        params = _given(
            {
                "destination_name": dname,
                constants.VIR_MIGRATE_PARAM_URI: miguri,
                "bandwidth": _unsigned(bandwidth),
                "destination_xml": dxml,
            }
        )
        await self._migration("virDomainMigrateToURI2", flags, params).toURI(dconnuri)
        return 0

    @deferred
    async def migrateToURI3(
        self, dconnuri: str | None, params: dict[str, Any], flags: int = 0
    ) -> int:
        """As L{migrateToURI}, with parameters C{VIR_MIGRATE_PARAM_*}.  Fires with 0."""
        await self._migration("virDomainMigrateToURI3", flags, params).toURI(dconnuri)
        return 0

    def migrateGetMaxSpeed(self, flags: int = 0) -> Deferred[int]:
        """Fire with the most bandwidth that a migration uses, in MiB/s."""
        return self._remote.domainMigrateGetMaxSpeed(self._ref, flags)

    def migrateSetMaxSpeed(self, bandwidth: int, flags: int = 0) -> Deferred[int]:
        """Limit a migration's bandwidth, in MiB/s.  Fires with 0."""
        return self._remote.domainMigrateSetMaxSpeed(self._ref, bandwidth, flags).addCallback(zero)

    def migrateGetMaxDowntime(self, flags: int = 0) -> Deferred[int]:
        """Fire with how long a migration may stop the guest, in milliseconds."""
        return self._remote.domainMigrateGetMaxDowntime(self._ref, flags)

    def migrateSetMaxDowntime(self, downtime: int, flags: int = 0) -> Deferred[int]:
        """Limit how long a migration may stop the guest, in milliseconds.  Fires with 0."""
        return self._remote.domainMigrateSetMaxDowntime(self._ref, downtime, flags).addCallback(
            zero
        )

    def migrateGetCompressionCache(self, flags: int = 0) -> Deferred[int]:
        """Fire with the size of the cache for compressed migration, in bytes."""
        return self._remote.domainMigrateGetCompressionCache(self._ref, flags)

    def migrateSetCompressionCache(self, cacheSize: int, flags: int = 0) -> Deferred[int]:
        """Change the size of the cache for compressed migration, in bytes.  Fires with 0."""
        return self._remote.domainMigrateSetCompressionCache(
            self._ref, cacheSize, flags
        ).addCallback(zero)

    def migrateStartPostCopy(self, flags: int = 0) -> Deferred[int]:
        """Have the current migration let the guest run at its destination before all memory is there.  Fires with 0."""
        return self._remote.domainMigrateStartPostCopy(self._ref, flags).addCallback(zero)
