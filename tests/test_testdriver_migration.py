"""
The test driver on its own: guests that move from one host to another, and those that stay after all.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from pyvirt import constants as c
from pyvirt.drivers.interfaces.definition import IDomainDefinition
from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.interfaces.events import Event, IDomainEvents
from pyvirt.drivers.interfaces.jobs import IDomainJobs
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.interfaces.migration import IDomainMigration
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.drivers.test import TestDriver
from pyvirt.errors import ErrorCode, VirtError
from pyvirt.uri import parseURI

from .test_testdriver_tuning import DriverCase

_LIVE = c.VIR_MIGRATE_LIVE


def text(name: str, value: str) -> TypedParam:
    return TypedParam(name, c.VIR_TYPED_PARAM_STRING, value)


class MigrationTests(DriverCase):
    """Two hosts with one clock."""

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.clock: Clock = self.connection.world.clock
        other: Any = TestDriver().open(parseURI("test:///default"), OpenContext(reactor=self.clock))
        self.addCleanup(other.close)
        self.other = other
        self.source = self.part(IDomainMigration)
        self.target = other.component(IDomainMigration)
        self.told: list[tuple[Any, ...]] = []
        for name, connection in (("source", self.connection), ("target", other)):
            connection.component(IDomainEvents).domainEventSubscribe(
                c.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                None,
                lambda event, name=name: self.hear(name, event),
            )

    def hear(self, name: str, event: Event) -> None:
        self.told.append((name, *event.details))

    def prepare(self, flags: int) -> bytes:
        begun = self.source.domainMigrateBegin3Params(self.dom, [], flags)
        params = [text("destination_xml", begun.xml), text("destination_name", "web")]
        prepared = self.target.domainMigratePrepare3Params(params, begun.cookie, flags)
        self.assertIn("tcp:", prepared.uri)
        cookie: bytes = prepared.cookie
        return cookie

    def migrate(self, flags: int) -> Any:
        cookie = self.prepare(flags)
        sending = self.source.domainMigratePerform3Params(self.dom, None, [], cookie, flags)
        if not flags & c.VIR_MIGRATE_OFFLINE:
            self.assertNoResult(sending)
            self.clock.advance(1)
        name = [text("destination_name", "web")]
        finished = self.target.domainMigrateFinish3Params(
            name, self.successResultOf(sending), flags, False
        )
        self.source.domainMigrateConfirm3Params(self.dom, [], finished.cookie, flags, False)
        return finished.domain

    def running(self) -> list[str]:
        """Say where the guest runs."""
        return [
            name
            for name, connection in (("source", self.connection), ("target", self.other))
            if (found := connection.world.domains.named("web")) is not None
            and found.state == c.VIR_DOMAIN_RUNNING
        ]

    def test_live(self) -> None:
        """
        The guest runs here until it runs there, and is told of at both ends in libvirt's order.
        """
        flags = _LIVE | c.VIR_MIGRATE_PERSIST_DEST | c.VIR_MIGRATE_UNDEFINE_SOURCE
        moved = self.migrate(flags)
        self.assertEqual(self.running(), ["target"])
        self.assertGreater(moved.id, 0)
        self.assertIsNone(self.connection.world.domains.named("web"))
        self.assertTrue(self.other.component(IDomainDefinition).domainIsPersistent(moved))
        self.assertEqual(
            self.told,
            [
                ("target", 2, 1),
                ("source", 3, 1),
                ("target", 0, 0),
                ("target", 4, 1),
                ("source", 5, 3),
                ("source", 1, 0),
            ],
        )

    def test_offline(self) -> None:
        """
        A guest that does not run moves as a definition, and only to stay.
        """
        self.part(IDomainLifecycle).domainDestroyFlags(self.dom, 0)
        flags = c.VIR_MIGRATE_OFFLINE
        error = self.assertRaises(
            VirtError, self.source.domainMigrateBegin3Params, self.dom, [], flags
        )
        self.assertEqual(error.code, ErrorCode.OPERATION_INVALID)
        moved = self.migrate(flags | c.VIR_MIGRATE_PERSIST_DEST)
        self.assertEqual((moved.id, self.running()), (-1, []))
        self.assertIsNotNone(self.connection.world.domains.named("web"))

    def test_paused(self) -> None:
        """
        A guest may be left paused where it arrives.
        """
        self.migrate(c.VIR_MIGRATE_PAUSED)
        self.assertEqual(self.running(), [])
        self.assertEqual(self.told[-2:], [("target", 3, 0), ("source", 5, 3)])

    def test_cancelled(self) -> None:
        """
        A migration that is aborted leaves the guest running at the source alone, even if it was paused for it.
        """
        cookie = self.prepare(0)
        sending = self.source.domainMigratePerform3Params(self.dom, None, [], cookie, 0)
        self.assertEqual(self.running(), [])
        jobs = self.part(IDomainJobs)
        self.clock.advance(0.5)
        info = jobs.domainGetJobInfo(self.dom)
        self.assertEqual(info.memProcessed * 2, info.memTotal)
        jobs.domainAbortJobFlags(self.dom, 0)
        error = self.failureResultOf(sending, VirtError).value
        self.assertEqual(error.code, ErrorCode.OPERATION_ABORTED)
        name = [text("destination_name", "web")]
        finish = self.target.domainMigrateFinish3Params
        self.assertRaises(VirtError, finish, name, b"", 0, True)
        self.source.domainMigrateConfirm3Params(self.dom, [], b"", 0, True)
        self.assertEqual(self.running(), ["source"])
        self.assertIsNone(self.other.world.domains.named("web"))

    def test_clientLeaves(self) -> None:
        """
        If nobody goes on with what was begun, the guest runs at the source alone after a while.
        """
        cookie = self.prepare(0)
        sending = self.source.domainMigratePerform3Params(self.dom, None, [], cookie, 0)
        self.clock.advance(1)
        self.successResultOf(sending)
        self.assertEqual(self.running(), [])
        self.clock.advance(61)
        self.assertEqual(self.running(), ["source"])
        self.assertIsNone(self.other.world.domains.named("web"))
        name = [text("destination_name", "web")]
        self.assertRaises(VirtError, self.target.domainMigrateFinish3Params, name, b"", 0, False)
        self.assertRaises(
            VirtError, self.source.domainMigrateConfirm3Params, self.dom, [], b"", 0, False
        )
        self.assertEqual(self.running(), ["source"])

    def test_guestEnds(self) -> None:
        """
        A guest that ends on its way does not arrive.
        """
        cookie = self.prepare(_LIVE)
        sending = self.source.domainMigratePerform3Params(self.dom, None, [], cookie, _LIVE)
        self.part(IDomainLifecycle).domainDestroyFlags(self.dom, 0)
        self.failureResultOf(sending, VirtError)
        self.clock.advance(100)
        self.assertEqual(self.running(), [])
        self.start()
        self.assertEqual(self.running(), ["source"])

    def test_hostile(self) -> None:
        """
        Cookies, parameters, definitions and flags that make no sense are refused, and leave nothing behind.
        """
        begun = self.source.domainMigrateBegin3Params(self.dom, [], 0)
        xml = text("destination_xml", begun.xml)
        prepare = self.target.domainMigratePrepare3Params
        for params, cookie, flags in (
            ([], b"", 0),
            ([xml], b"<", 0),
            ([xml], b"<x/>", 0),
            ([xml], b"<test-migration/>", 0),
            ([xml], begun.cookie[:-30], 0),
            ([xml, xml], b"", 0),
            ([text("nonsense", "x")], b"", 0),
            ([text("destination_xml", "<x/>")], b"", 0),
            ([xml, text("destination_name", "a/b")], b"", 0),
            ([xml], b"", 1 << 30),
            ([xml, text("destination_name", "test")], b"", 0),
        ):
            self.assertRaises(VirtError, prepare, params, cookie, flags)
        error = self.assertRaises(
            VirtError, self.source.domainMigratePrepare3Params, [xml], begun.cookie, 0
        )
        self.assertIn("to the same host", error.message or "")
        self.assertEqual(len(self.other.world.domains), 1)
        self.assertEqual(self.running(), ["source"])

    def test_postcopy(self) -> None:
        """
        A slow migration is over at once when it may be, and the others are not hurried.
        """
        self.source.domainMigrateSetMaxSpeed(self.dom, 1, 0)
        flags = _LIVE | c.VIR_MIGRATE_POSTCOPY
        cookie = self.prepare(flags)
        sending = self.source.domainMigratePerform3Params(self.dom, None, [], cookie, flags)
        self.clock.advance(2)
        self.assertNoResult(sending)
        self.source.domainMigrateStartPostCopy(self.dom, 0)
        self.successResultOf(sending)
        self.assertRaises(VirtError, self.source.domainMigrateStartPostCopy, self.dom, 0)
