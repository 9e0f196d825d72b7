"""
The test driver on its own: what disks and guests are busy with, by a clock of the test.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.backup import IDomainBackup
from pyvirt.drivers.interfaces.blockjobs import IDomainBlockJobs
from pyvirt.drivers.interfaces.events import Event, IDomainEvents
from pyvirt.drivers.interfaces.jobs import IDomainJobs
from pyvirt.drivers.interfaces.statistics import IDomainStatistics
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.drivers.test.blockjob import TIB
from pyvirt.errors import ErrorCode, VirtError

from .test_testdriver_tuning import DriverCase, ullong, values

_COPY = c.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY
_TO = "<disk type='file'><source file='/copy'/><driver type='qcow2'/></disk>"
_TRANSIENT = c.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB
_CHAIN = """<domain type='test'><name>chained</name><memory>1024</memory><os><type>hvm</type></os>
<devices><disk type='file'><driver type='qcow2'/><source file='/top'/>
<backingStore type='file'><format type='qcow2'/><source file='/middle'/>
<backingStore type='file'><format type='raw'/><source file='/base'/><backingStore/></backingStore>
</backingStore><target dev='vda'/></disk></devices></domain>"""


class JobCase(DriverCase):
    """A running guest, and what is told of its jobs."""

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.clock = self.connection.world.clock
        self.blocks = self.part(IDomainBlockJobs)
        self.jobs = self.part(IDomainJobs)
        self.heard: list[tuple[Any, ...]] = []
        events = self.part(IDomainEvents)
        for number in (
            c.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2,
            c.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
        ):
            events.domainEventSubscribe(number, None, self.hear)

    def hear(self, event: Event) -> None:
        if event.id == c.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2:
            self.heard.append(event.details)
        else:
            self.heard.append(("job", values(event.details[0])["success"]))

    def copy(self, flags: int = _TRANSIENT, **params: int) -> None:
        given = [ullong(name, value) for name, value in params.items()]
        self.blocks.domainBlockCopy(self.dom, "vda", _TO, given, flags)


class BlockJobTests(JobCase):
    """Copying, pulling, committing."""

    def test_copyAndPivot(self) -> None:
        """
        A copy progresses with the clock, is ready, and is what the guest uses after the pivot.
        """
        self.copy()
        self.clock.advance(0.25)
        info = self.blocks.domainGetBlockJobInfo(self.dom, "vda", 0)
        self.assertEqual(tuple(info), (1, _COPY, 0, TIB // 4, TIB))
        pivot = c.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT
        error = self.assertRaises(
            VirtError, self.blocks.domainBlockJobAbort, self.dom, "vda", pivot
        )
        self.assertEqual(error.code, ErrorCode.BLOCK_COPY_ACTIVE)
        self.clock.advance(1)
        self.assertIn("ready='yes'", self.xml())
        self.assertNotIn("mirror", self.xml(c.VIR_DOMAIN_XML_INACTIVE))
        info = self.blocks.domainGetBlockJobInfo(self.dom, "vda", 0)
        self.assertEqual((info.cur, info.end), (TIB, TIB))
        self.blocks.domainBlockJobAbort(self.dom, "vda", pivot)
        self.assertIn("<source file='/copy'/>", self.xml())
        self.assertNotIn("mirror", self.xml())
        self.assertEqual(
            self.heard,
            [
                ("vda", _COPY, c.VIR_DOMAIN_BLOCK_JOB_READY),
                ("vda", _COPY, c.VIR_DOMAIN_BLOCK_JOB_COMPLETED),
            ],
        )

    def test_cancelled(self) -> None:
        """
        A copy that is given up leaves the guest where it was.
        """
        self.copy()
        self.blocks.domainBlockJobAbort(self.dom, "vda", 0)
        self.clock.advance(10)
        self.assertNotIn("mirror", self.xml())
        self.assertEqual(self.heard, [("vda", _COPY, c.VIR_DOMAIN_BLOCK_JOB_CANCELED)])

    def test_speed(self) -> None:
        """
        A limit makes a job slower from then on, and faster again.
        """
        self.copy(bandwidth=1 << 20)
        self.clock.advance(4)
        info = self.blocks.domainGetBlockJobInfo(self.dom, "vda", 0)
        self.assertEqual((info.bandwidth, info.cur), (1, 4 << 20))
        self.blocks.domainBlockJobSetSpeed(self.dom, "vda", 0, 0)
        self.clock.advance(1)
        self.assertEqual(self.heard, [("vda", _COPY, c.VIR_DOMAIN_BLOCK_JOB_READY)])
        for bandwidth, flags in ((1 << 60, 0), (1, 4)):
            self.assertRaises(
                VirtError,
                self.blocks.domainBlockJobSetSpeed,
                self.dom,
                "vda",
                bandwidth,
                flags,
            )

    def test_oneAtATime(self) -> None:
        """
        A busy disk does nothing else; when the guest ends its job is forgotten without a word.
        """
        self.copy()
        self.assertRaises(VirtError, self.copy)
        self.assertRaises(VirtError, self.blocks.domainBlockPull, self.dom, "vda", 0, 0)
        self.lifecycle.domainDestroyFlags(self.dom, 0)
        self.clock.advance(10)
        self.assertEqual(self.heard, [])
        self.start()
        self.assertEqual(self.blocks.domainGetBlockJobInfo(self.dom, "vda", 0).found, 0)

    def test_refused(self) -> None:
        """
        Wrong disks, flags, documents and parameters are refused, and so is a copy of what is defined to stay.
        """
        copy = self.blocks.domainBlockCopy
        for path, xml, params, flags in (
            ("vdz", _TO, [], _TRANSIENT),
            ("vda", _TO, [], 0),
            ("vda", _TO, [], 1 << 20),
            ("vda", "<x/>", [], _TRANSIENT),
            ("vda", "<disk/>", [], _TRANSIENT),
            ("vda", "<disk type='x'/>", [], _TRANSIENT),
            ("vda", _TO, [ullong("nonsense", 1)], _TRANSIENT),
            ("vda", _TO, [TypedParam("granularity", c.VIR_TYPED_PARAM_UINT, 3)], _TRANSIENT),
        ):
            self.assertRaises(VirtError, copy, self.dom, path, xml, params, flags)
        self.assertEqual(self.blocks.domainGetBlockJobInfo(self.dom, "vda", 0).found, 0)

    def chained(self) -> None:
        self.dom = self.lifecycle.domainCreateXML(_CHAIN, 0, [])

    def test_pull(self) -> None:
        """
        Pulling leaves the image in use alone, or with those below the one that was named.
        """
        self.chained()
        self.blocks.domainBlockRebase(self.dom, "vda", "/base", 0, 0)
        self.clock.advance(1)
        self.assertNotIn("/middle", self.xml())
        self.assertIn("/base", self.xml())
        self.blocks.domainBlockPull(self.dom, "vda", 0, 0)
        self.clock.advance(1)
        self.assertNotIn("/base", self.xml())
        self.assertIn("<backingStore/>", self.xml())

    def test_commit(self) -> None:
        """
        Committing takes images out of the middle, or the one in use once it is pivoted from.
        """
        self.chained()
        commit = self.blocks.domainBlockCommit
        commit(self.dom, "vda", None, "/middle", 0, 0)
        self.clock.advance(1)
        self.assertNotIn("/middle", self.xml())
        self.assertRaises(VirtError, commit, self.dom, "vda", None, None, 0, 0)
        self.assertRaises(VirtError, commit, self.dom, "vda", "/x", None, 0, 4)
        commit(self.dom, "vda", None, None, 0, c.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE)
        self.assertIn("job='active-commit'", self.xml())
        self.clock.advance(1)
        self.blocks.domainBlockJobAbort(self.dom, "vda", c.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
        self.assertNotIn("/top", self.xml())
        self.assertIn("/base", self.xml())


class BackupTests(JobCase):
    """Backups, and jobs of whole guests."""

    def setUp(self) -> None:
        super().setUp()
        self.backup = self.part(IDomainBackup)

    def test_push(self) -> None:
        """
        A pushed backup is a job that ends by itself, and is told of once afterwards.
        """
        self.backup.domainBackupBegin(self.dom, "<domainbackup/>", None, 0)
        self.clock.advance(0.5)
        info = self.jobs.domainGetJobInfo(self.dom)
        self.assertEqual((info.timeElapsed, info.fileProcessed * 2), (500, info.fileTotal))
        self.assertIn(
            "<disk name='vda' backup='yes'", self.backup.domainBackupGetXMLDesc(self.dom, 0)
        )
        self.assertRaises(
            VirtError, self.backup.domainBackupBegin, self.dom, "<domainbackup/>", None, 0
        )
        self.clock.advance(0.5)
        kind = c.VIR_DOMAIN_BLOCK_JOB_TYPE_BACKUP
        self.assertEqual(self.heard, [("vda", kind, 0), ("job", True)])
        completed = c.VIR_DOMAIN_JOB_STATS_COMPLETED
        stats = self.jobs.domainGetJobStats(self.dom, completed)
        self.assertEqual(values(stats.params)["disk_remaining"], 0)
        self.assertEqual(self.jobs.domainGetJobStats(self.dom, completed).params, [])
        self.assertRaises(VirtError, self.backup.domainBackupGetXMLDesc, self.dom, 0)

    def test_pull(self) -> None:
        """
        A backup that is fetched lasts until it is ended.
        """
        xml = (
            "<domainbackup mode='pull'><server transport='unix' socket='/s'/><disks>"
            "<disk name='vda' type='file'><scratch file='/t'/></disk></disks></domainbackup>"
        )
        self.backup.domainBackupBegin(self.dom, xml, None, 0)
        self.clock.advance(1000)
        self.assertIn("exportname='vda'", self.backup.domainBackupGetXMLDesc(self.dom, 0))
        self.jobs.domainAbortJobFlags(self.dom, 0)
        self.assertEqual(self.heard[0][2], c.VIR_DOMAIN_BLOCK_JOB_CANCELED)
        self.assertRaises(VirtError, self.jobs.domainAbortJobFlags, self.dom, 0)

    def test_refused(self) -> None:
        """
        What names disks that are not there, nothing to save or checkpoints that were not made is refused.
        """
        disk = "<disk name='{}' type='file'><target file='/t'/></disk>".format
        for xml in (
            "<x/>",
            f"<domainbackup><disks>{disk('vdz')}</disks></domainbackup>",
            f"<domainbackup><disks>{disk('vda') * 2}</disks></domainbackup>",
            "<domainbackup><disks><disk name='vda' backup='no'/></disks></domainbackup>",
            "<domainbackup><incremental>none</incremental></domainbackup>",
        ):
            self.assertRaises(VirtError, self.backup.domainBackupBegin, self.dom, xml, None, 0)
        self.assertEqual(self.jobs.domainGetJobInfo(self.dom).type, c.VIR_DOMAIN_JOB_NONE)

    def test_dirtyRate(self) -> None:
        """
        The rate at which memory changes is measured for as long as was asked, then told.
        """
        for seconds in (0, 61, -1):
            self.assertRaises(VirtError, self.jobs.domainStartDirtyRateCalc, self.dom, seconds, 0)
        self.jobs.domainStartDirtyRateCalc(self.dom, 2, 0)
        statistics = self.part(IDomainStatistics)

        def told() -> dict[str, Any]:
            wanted = c.VIR_DOMAIN_STATS_DIRTYRATE
            (record,) = statistics.connectGetAllDomainStats([self.dom], wanted, 0)
            return values(record.params)

        self.assertNotIn("dirtyrate.megabytes_per_second", told())
        self.clock.advance(2)
        self.assertEqual(told()["dirtyrate.megabytes_per_second"], 0)
