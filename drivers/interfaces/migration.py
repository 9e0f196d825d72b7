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
        """
        Say how long the guest may stand still at the end of a migration.

        @param downtime: milliseconds.
        @param flags: none yet.
        """

    def domainMigrateSetMaxSpeed(dom: DomainRef, bandwidth: int, flags: int) -> Answer[None]:
        """
        Limit the speed of migrations.

        @param bandwidth: MiB a second.
        @param flags: C{VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY}: of the part after the guest has
            moved.
        """

    def domainMigrateGetMaxSpeed(dom: DomainRef, flags: int) -> Answer[int]:
        """
        Tell the limit of the speed of migrations, in MiB a second; parameters are as in
        L{domainMigrateSetMaxSpeed}.
        """

    def domainMigrateGetCompressionCache(dom: DomainRef, flags: int) -> Answer[int]:
        """
        Tell how much memory migrations use to find repeated pages, in bytes.

        @param flags: none yet.
        """

    def domainMigrateSetCompressionCache(
        dom: DomainRef, cacheSize: int, flags: int
    ) -> Answer[None]:
        """
        Say how much memory migrations use to find repeated pages.

        @param cacheSize: bytes.
        @param flags: none yet.
        """

    def domainMigrateBegin3Params(
        dom: DomainRef, params: list[TypedParam], flags: int
    ) -> Answer[MigrationBegun]:
        """
        First step, at the source: describe the guest to the destination.

        @param params: C{VIR_MIGRATE_PARAM_*}, at most 64; the same in every step.
        @param flags: bitwise-OR of C{VIR_MIGRATE_*}; the same in every step.
        """

    def domainMigratePrepare3Params(
        params: list[TypedParam], cookieIn: bytes, flags: int
    ) -> Answer[MigrationPrepared]:
        """
        Second step, at the destination: get ready to receive the guest.

        @param params: with the definition that the first step gave.
        @param cookieIn: what the step before handed on, at most 4194304 bytes; empty: nothing.
        """

    def domainMigratePrepareTunnel3Params(
        params: list[TypedParam], cookieIn: bytes, flags: int
    ) -> Answer[tuple[bytes, IStreamSink]]:
        """
        As L{domainMigratePrepare3Params}, where the guest comes through the daemon's own
        connection.

        @return: the cookie to hand on, and where the guest's data goes.
        """

    def domainMigratePerform3Params(
        dom: DomainRef, dconnuri: str | None, params: list[TypedParam], cookieIn: bytes, flags: int
    ) -> Answer[bytes]:
        """
        Third step, at the source: send the guest.

        @param dconnuri: how the source's daemon reaches the destination's, which then makes the
            other steps itself; None: the caller makes them.
        @return: the cookie to hand on, when the guest has been sent.
        """

    def domainMigrateFinish3Params(
        params: list[TypedParam], cookieIn: bytes, flags: int, cancelled: bool
    ) -> Answer[MigrationFinished]:
        """
        Fourth step, at the destination: let the guest run there, or forget it.

        @param cancelled: the step before failed.
        """

    def domainMigrateConfirm3Params(
        dom: DomainRef, params: list[TypedParam], cookieIn: bytes, flags: int, cancelled: bool
    ) -> Answer[None]:
        """
        Last step, at the source: let the guest go, or let it run on here.

        @param cancelled: it does not run at the destination.
        """

    def domainMigrateStartPostCopy(dom: DomainRef, flags: int) -> Answer[None]:
        """
        Let a guest that is being migrated run at the destination now, and fetch the rest of its
        memory from there.

        @param flags: none yet.
        @raise OperationInvalid: it is not being migrated, or not in a way that allows this.
        """

    def domainMigrateGetMaxDowntime(dom: DomainRef, flags: int) -> Answer[int]:
        """
        Tell how long the guest may stand still at the end of a migration, in milliseconds.

        @param flags: none yet.
        """
