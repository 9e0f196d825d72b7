"""
What takes a guest a while: block jobs, jobs, migrations; and what an agent inside it does.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.blockjobs import IDomainBlockJobs
from pyvirt.drivers.interfaces.definition import IDomainDefinition
from pyvirt.drivers.interfaces.events import Event, IDomainEvents
from pyvirt.drivers.interfaces.guestagent import IDomainGuestAgent
from pyvirt.drivers.interfaces.jobs import IDomainJobs
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.interfaces.migration import IDomainMigration
from pyvirt.drivers.interfaces.values import DomainRef, MigrationPrepared, TypedParam
from pyvirt.errors import ErrorCode, VirtError
from pyvirt.testing.suites._domains import DomainSuite
from pyvirt.testing.suites._suite import UNKNOWN_FLAG

__all__ = [
    "DomainBlockJobsContract",
    "DomainGuestAgentContract",
    "DomainJobsContract",
    "DomainMigrationContract",
]

_CANCELED, _COMPLETED, _READY = (
    c.VIR_DOMAIN_BLOCK_JOB_CANCELED,
    c.VIR_DOMAIN_BLOCK_JOB_COMPLETED,
    c.VIR_DOMAIN_BLOCK_JOB_READY,
)


class DomainBlockJobsContract(DomainSuite):
    """
    Long operations on a disk of a running guest: L{IDomainBlockJobs}.

    @cvar disk: the target of a disk that L{domainXML} has.
    """

    contract = IDomainBlockJobs
    required = ("domainBlockCopy", "domainBlockJobAbort", "domainGetBlockJobInfo")
    disk = "vda"

    def copyXML(self) -> str:
        """Return where a copy goes."""
        raise NotImplementedError("a suite about block jobs needs copyXML")

    def copying(self) -> tuple[DomainRef, list[Event] | None]:
        """Start a domain and a copy of its disk."""
        dom = self.start()
        heard = self.hear(
            IDomainEvents, "domainEventSubscribe", c.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, dom
        )
        self.copy(dom)
        return dom, heard

    def copy(self, dom: DomainRef) -> None:
        """Start a copy of the disk."""
        flags = c.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB
        self.ask("domainBlockCopy", dom, self.disk, self.copyXML(), [], flags)

    def info(self, dom: DomainRef) -> Any:
        """Return what the disk is busy with."""
        return self.ask("domainGetBlockJobInfo", dom, self.disk, 0)

    def ready(self, dom: DomainRef) -> None:
        """Let the copy come as far as it can without being told to end."""

        def done() -> bool:
            info = self.info(dom)
            return bool(info.end and info.cur == info.end)

        self.happens(done, "the copy is ready")

    def assertTold(self, heard: list[Event] | None, *statuses: int) -> None:
        """Check what was told of the job: each once, in this order."""
        if heard is not None:
            self.happens(lambda: len(heard) >= len(statuses), "the job's end is told")
            kind = c.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY
            told = [each.details for each in heard]
            self.assertEqual(told, [(self.disk, kind, status) for status in statuses])

    def test_copy(self) -> None:
        """A disk is copied, one job at a time, and told of when the copy is ready; then the guest goes over to it."""
        dom, heard = self.copying()
        info = self.info(dom)
        self.assertEqual((info.found, info.type), (1, c.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY))
        self.refuses(
            None,
            "domainBlockCopy",
            dom,
            self.disk,
            self.copyXML(),
            [],
            c.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB,
        )
        self.ready(dom)
        self.assertTold(heard, _READY)
        pivot = c.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT
        self.ask("domainBlockJobAbort", dom, self.disk, pivot)
        self.assertFalse(self.info(dom).found)
        self.assertTold(heard, _READY, _COMPLETED)
        self.refuses(None, "domainBlockJobAbort", dom, self.disk, 0)

    def test_abort(self) -> None:
        """A job that is given up is gone, is told of, and another can begin."""
        dom, heard = self.copying()
        self.ask("domainBlockJobAbort", dom, self.disk, 0)
        self.assertFalse(self.info(dom).found)
        self.assertTold(heard, _CANCELED)
        self.copy(dom)
        self.assertTrue(self.info(dom).found)

    def test_early(self) -> None:
        """The guest does not go over to a copy that is not ready, and the job goes on."""
        dom, _ = self.copying()
        if self.info(dom).cur < self.info(dom).end:
            pivot = c.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT
            self.refuses(ErrorCode.BLOCK_COPY_ACTIVE, "domainBlockJobAbort", dom, self.disk, pivot)
            self.assertTrue(self.info(dom).found)

    def test_stopped(self) -> None:
        """With the guest its jobs end, and the next guest has none."""
        dom, _ = self.copying()
        self.ask("domainDestroyFlags", dom, 0, interface=IDomainLifecycle)
        self.refuses(ErrorCode.OPERATION_INVALID, "domainGetBlockJobInfo", dom, self.disk, 0)
        dom = self.ask("domainCreateWithFlags", dom, 0, [], interface=IDomainLifecycle)
        self.assertFalse(self.info(dom).found)

    def test_speed(self) -> None:
        """A job's limit is told as it was set, in either unit."""
        if self.has("domainBlockJobSetSpeed"):
            dom, _ = self.copying()
            self.ask("domainBlockJobSetSpeed", dom, self.disk, 5, 0)
            self.assertEqual(self.info(dom).bandwidth, 5)
            inBytes = c.VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES
            told = self.ask("domainGetBlockJobInfo", dom, self.disk, inBytes)
            self.assertEqual(told.bandwidth, 5 << 20)

    def test_refused(self) -> None:
        """There is nothing to be done to disks that are not there, nor while the guest does not run."""
        dom = self.define("suite-one")
        flags = c.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB
        xml = self.copyXML()
        for ref, disk, code in (
            (self.nobody(), self.disk, ErrorCode.NO_DOMAIN),
            (dom, self.disk, ErrorCode.OPERATION_INVALID),
        ):
            self.refuses(code, "domainBlockCopy", ref, disk, xml, [], flags)
            self.refuses(code, "domainBlockJobAbort", ref, disk, 0)
            self.refuses(code, "domainGetBlockJobInfo", ref, disk, 0)
        dom = self.ask("domainCreateWithFlags", dom, 0, [], interface=IDomainLifecycle)
        self.refuses(None, "domainBlockCopy", dom, "nobody", xml, [], flags)
        self.refuses(None, "domainGetBlockJobInfo", dom, "nobody", 0)
        self.refuses(None, "domainBlockCopy", dom, self.disk, "<", [], flags)
        self.refuses(None, "domainBlockCopy", dom, self.disk, xml, [], UNKNOWN_FLAG)
        self.refuses(None, "domainBlockJobAbort", dom, self.disk, 0)
        self.assertFalse(self.info(dom).found)


class DomainJobsContract(DomainSuite):
    """The one long operation that a domain may be busy with: L{IDomainJobs}."""

    contract = IDomainJobs
    required = ("domainGetJobInfo",)

    def test_none(self) -> None:
        """A guest that is not busy says so; there is nothing to give up, and nothing has ended."""
        dom = self.start()
        self.assertEqual(self.ask("domainGetJobInfo", dom).type, c.VIR_DOMAIN_JOB_NONE)
        if self.has("domainGetJobStats"):
            self.assertEqual(self.ask("domainGetJobStats", dom, 0).type, c.VIR_DOMAIN_JOB_NONE)
            self.refuses(None, "domainGetJobStats", dom, UNKNOWN_FLAG)
        self.refuses(ErrorCode.OPERATION_INVALID, "domainAbortJobFlags", dom, 0)

    def test_nobody(self) -> None:
        """A domain that is not there is refused as such."""
        for name, *arguments in (
            ("domainGetJobInfo",),
            ("domainGetJobStats", 0),
            ("domainAbortJobFlags", 0),
        ):
            self.refuses(ErrorCode.NO_DOMAIN, name, self.nobody(), *arguments)


class DomainMigrationContract(DomainSuite):
    """
    Moving guests between two hosts: L{IDomainMigration}.

    @cvar flags: C{VIR_MIGRATE_*} to move a running guest with.
    """

    contract = IDomainMigration
    required = (
        "domainMigrateBegin3Params",
        "domainMigrateConfirm3Params",
        "domainMigrateFinish3Params",
        "domainMigratePerform3Params",
        "domainMigratePrepare3Params",
    )
    flags = c.VIR_MIGRATE_LIVE

    def makeOther(self) -> Any:
        """Return a new connection of another host, or a promise of it."""
        raise NotImplementedError("a suite about migration needs makeOther")

    def setUp(self) -> None:
        super().setUp()
        self.other: Any = self.wait(self.makeOther())
        self.addCleanup(lambda: self.wait(self.other.close()))

    def there(self, name: str, *arguments: Any, interface: Any = None) -> Any:
        """Do an operation on the other host."""
        return self.wait(
            getattr(self.other.component(interface or self.contract), name)(*arguments)
        )

    def isThere(self, ref: DomainRef) -> bool:
        """Whether the other host has a domain, and it runs there."""
        try:
            return bool(self.there("domainIsActive", ref, interface=IDomainLifecycle))
        except VirtError as error:
            self.assertEqual(error.code, ErrorCode.NO_DOMAIN)
            return False

    def params(self, xml: str) -> list[TypedParam]:
        """Return what describes the guest to the other host."""
        return [
            TypedParam(c.VIR_MIGRATE_PARAM_DEST_XML, c.VIR_TYPED_PARAM_STRING, xml),
            TypedParam(c.VIR_MIGRATE_PARAM_DEST_NAME, c.VIR_TYPED_PARAM_STRING, "suite-one"),
        ]

    def prepare(self, dom: DomainRef, flags: int) -> tuple[list[TypedParam], MigrationPrepared]:
        """Do the first two steps."""
        begun = self.ask("domainMigrateBegin3Params", dom, [], flags)
        self.assertIn("<name>suite-one</name>", begun.xml)
        params = self.params(begun.xml)
        prepared = self.there("domainMigratePrepare3Params", params, begun.cookie, flags)
        return params, prepared

    def move(self, dom: DomainRef, flags: int) -> DomainRef:
        """Do all steps."""
        params, prepared = self.prepare(dom, flags)
        if prepared.uri is not None:
            name = c.VIR_MIGRATE_PARAM_URI
            params.append(TypedParam(name, c.VIR_TYPED_PARAM_STRING, prepared.uri))
        cookie = self.ask(
            "domainMigratePerform3Params", dom, None, params[1:], prepared.cookie, flags
        )
        finished = self.there("domainMigrateFinish3Params", params[1:], cookie, flags, False)
        self.ask("domainMigrateConfirm3Params", dom, [], finished.cookie, flags, False)
        ref: DomainRef = finished.domain
        return ref

    def test_move(self) -> None:
        """A guest runs here until it runs there, under the same UUID; here it stays defined."""
        dom = self.start()
        moved = self.move(dom, self.flags)
        self.addCleanup(
            lambda: self.there("domainDestroyFlags", moved, 0, interface=IDomainLifecycle)
        )
        self.assertEqual((moved.name, moved.uuid), (dom.name, dom.uuid))
        self.assertGreater(moved.id, 0)
        self.assertTrue(self.isThere(moved))
        self.assertEqual(self.state(dom), c.VIR_DOMAIN_SHUTOFF)

    def test_whole(self) -> None:
        """A guest moves with its definition where that is asked for, and is told of in order."""
        dom = self.start()
        heard = self.hear(
            IDomainEvents, "domainEventSubscribe", c.VIR_DOMAIN_EVENT_ID_LIFECYCLE, dom
        )
        flags = self.flags | c.VIR_MIGRATE_PERSIST_DEST | c.VIR_MIGRATE_UNDEFINE_SOURCE
        moved = self.move(dom, flags)
        self.addCleanup(
            lambda: (
                self.there("domainDestroyFlags", moved, 0, interface=IDomainLifecycle),
                self.there("domainUndefineFlags", moved, 0, interface=IDomainDefinition),
            )
        )
        self.assertTrue(self.there("domainIsPersistent", moved, interface=IDomainDefinition))
        self.refuses(ErrorCode.NO_DOMAIN, "domainGetXMLDesc", dom, 0, interface=IDomainDefinition)
        if heard is not None:
            order = [c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_UNDEFINED]
            self.assertOrder([each.details[0] for each in heard], order)

    def test_cancelled(self) -> None:
        """Given up after it was prepared a guest runs on here, nothing is left there, and it can move later."""
        dom = self.start()
        params, prepared = self.prepare(dom, self.flags)
        try:
            self.there("domainMigrateFinish3Params", params[1:], prepared.cookie, self.flags, True)
        except VirtError:
            pass  # it may tell that nothing came
        self.ask("domainMigrateConfirm3Params", dom, [], b"", self.flags, True)
        self.assertEqual(self.state(dom), c.VIR_DOMAIN_RUNNING)
        self.assertFalse(self.isThere(dom))
        moved = self.move(dom, self.flags)
        self.addCleanup(
            lambda: self.there("domainDestroyFlags", moved, 0, interface=IDomainLifecycle)
        )
        self.assertTrue(self.isThere(moved))

    def test_taken(self) -> None:
        """A guest that is there already does not come a second time."""
        dom = self.start()
        begun = self.ask("domainMigrateBegin3Params", dom, [], self.flags)
        params = self.params(begun.xml)
        ref = self.there(
            "domainCreateXML",
            self.domainXML("suite-one"),
            0,
            [],
            interface=IDomainLifecycle,
        )
        self.addCleanup(
            lambda: self.there("domainDestroyFlags", ref, 0, interface=IDomainLifecycle)
        )
        with self.assertRaises(VirtError):
            self.there("domainMigratePrepare3Params", params, begun.cookie, self.flags)
        self.ask("domainMigrateConfirm3Params", dom, [], b"", self.flags, True)
        self.assertEqual(self.state(dom), c.VIR_DOMAIN_RUNNING)

    def test_refused(self) -> None:
        """Neither what is not there nor what does not run begins to move."""
        begin = "domainMigrateBegin3Params"
        self.refuses(ErrorCode.NO_DOMAIN, begin, self.nobody(), [], self.flags)
        dom = self.define("suite-one")
        self.refuses(ErrorCode.OPERATION_INVALID, begin, dom, [], self.flags)
        for xml in ("", "<", "<network/>"):
            with self.assertRaises(VirtError):
                self.there("domainMigratePrepare3Params", self.params(xml), b"", self.flags)

    def test_limits(self) -> None:
        """Limits of migrations are told as they were set."""
        dom = self.start()
        for setter, getter, value in (
            ("domainMigrateSetMaxSpeed", "domainMigrateGetMaxSpeed", 7),
            ("domainMigrateSetMaxDowntime", "domainMigrateGetMaxDowntime", 250),
            (
                "domainMigrateSetCompressionCache",
                "domainMigrateGetCompressionCache",
                128 << 20,
            ),
        ):
            if self.has(setter, getter):
                self.ask(setter, dom, value, 0)
                self.assertEqual(self.ask(getter, dom, 0), value, setter)


class DomainGuestAgentContract(DomainSuite):
    """
    What an agent inside the guest does: L{IDomainGuestAgent}.

    @cvar answers: whether the guest of L{domainXML} has an agent that answers.
    """

    contract = IDomainGuestAgent
    answers = True

    def test_freeze(self) -> None:
        """File systems are frozen until they are thawed; the numbers are theirs."""
        if self.answers and self.has("domainFSFreeze", "domainFSThaw"):
            dom = self.start()
            frozen = self.ask("domainFSFreeze", dom, [], 0)
            self.assertGreaterEqual(frozen, 1)
            self.assertEqual(self.ask("domainFSThaw", dom, [], 0), frozen)
            self.assertEqual(self.ask("domainFSThaw", dom, [], 0), 0)

    def test_time(self) -> None:
        """A guest's clock is told, and can be set."""
        if self.answers and self.has("domainGetTime", "domainSetTime"):
            dom = self.start()
            self.ask("domainSetTime", dom, 1_000_000_000, 0, 0)
            time = self.ask("domainGetTime", dom, 0)
            self.assertLess(abs(time.seconds - 1_000_000_000), 600)
            self.assertIn(time.nseconds, range(10**9))

    def test_told(self) -> None:
        """What is known inside the guest has the form that callers are promised."""
        if self.answers:
            dom = self.start()
            if self.has("domainGetHostname"):
                self.assertRegex(self.ask("domainGetHostname", dom, 0), ".")
            if self.has("domainGetFSInfo"):
                for each in self.ask("domainGetFSInfo", dom, 0):
                    self.assertTrue(each.mountpoint)
            if self.has("domainGetGuestInfo"):
                system = c.VIR_DOMAIN_GUEST_INFO_OS
                told = self.ask("domainGetGuestInfo", dom, system, 0)
                self.assertTrue(all(each[0].startswith("os.") for each in told))

    def test_notRunning(self) -> None:
        """A guest that does not run is asked nothing."""
        self.refused(self.define("suite-one"), ErrorCode.OPERATION_INVALID)

    def test_nobody(self) -> None:
        """A domain that is not there is refused as such."""
        self.refused(self.nobody(), ErrorCode.NO_DOMAIN)

    def refused(self, dom: DomainRef, code: int) -> None:
        """Check what is asked of a domain."""
        for name, *arguments in (
            ("domainFSFreeze", [], 0),
            ("domainFSThaw", [], 0),
            ("domainFSTrim", None, 0, 0),
            ("domainGetFSInfo", 0),
            ("domainGetTime", 0),
            ("domainSetTime", 1, 0, 0),
            ("domainSetUserPassword", "root", "x", 0),
            ("domainGetGuestInfo", 0, 0),
        ):
            self.refuses(code, name, dom, *arguments)
