"""
Moving a domain to another host.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from pyvirt.client.domainresources import DomainResources
from pyvirt.client.shapes import zero

__all__ = ["DomainMigration"]


class DomainMigration(DomainResources):
    """Migration, and its settings."""

    __slots__ = ()

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
