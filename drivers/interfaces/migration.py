"""
Moving a running guest to another host: the steps that the two hosts take.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.streams import IStreamSink
from pyvirt.drivers.interfaces.values import (
    Answer,
    DomainRef,
    MigrationBegun,
    MigrationFinished,
    MigrationPrepared,
    TypedParam,
)


class IDomainMigration(Interface):
    """Moving a running guest to another host: the steps that the two hosts take."""

    def domainMigrateSetMaxDowntime(dom: DomainRef, downtime: int, flags: int) -> Answer[None]:
        """virDomainMigrateSetMaxDowntime."""

    def domainMigrateSetMaxSpeed(dom: DomainRef, bandwidth: int, flags: int) -> Answer[None]:
        """virDomainMigrateSetMaxSpeed."""

    def domainMigrateGetMaxSpeed(dom: DomainRef, flags: int) -> Answer[int]:
        """virDomainMigrateGetMaxSpeed."""

    def domainMigrateGetCompressionCache(dom: DomainRef, flags: int) -> Answer[int]:
        """virDomainMigrateGetCompressionCache."""

    def domainMigrateSetCompressionCache(
        dom: DomainRef, cacheSize: int, flags: int
    ) -> Answer[None]:
        """virDomainMigrateSetCompressionCache."""

    def domainMigrateBegin3Params(
        dom: DomainRef, params: list[TypedParam], flags: int
    ) -> Answer[MigrationBegun]:
        """domainMigrateBegin3Params."""

    def domainMigratePrepare3Params(
        params: list[TypedParam], cookieIn: bytes, flags: int
    ) -> Answer[MigrationPrepared]:
        """domainMigratePrepare3Params."""

    def domainMigratePrepareTunnel3Params(
        params: list[TypedParam], cookieIn: bytes, flags: int
    ) -> Answer[tuple[bytes, IStreamSink]]:
        """domainMigratePrepareTunnel3Params."""

    def domainMigratePerform3Params(
        dom: DomainRef, dconnuri: str | None, params: list[TypedParam], cookieIn: bytes, flags: int
    ) -> Answer[bytes]:
        """domainMigratePerform3Params."""

    def domainMigrateFinish3Params(
        params: list[TypedParam], cookieIn: bytes, flags: int, cancelled: bool
    ) -> Answer[MigrationFinished]:
        """domainMigrateFinish3Params."""

    def domainMigrateConfirm3Params(
        dom: DomainRef, params: list[TypedParam], cookieIn: bytes, flags: int, cancelled: bool
    ) -> Answer[None]:
        """domainMigrateConfirm3Params."""

    def domainMigrateStartPostCopy(dom: DomainRef, flags: int) -> Answer[None]:
        """virDomainMigrateStartPostCopy."""

    def domainMigrateGetMaxDowntime(dom: DomainRef, flags: int) -> Answer[int]:
        """virDomainMigrateGetMaxDowntime."""
