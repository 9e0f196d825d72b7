"""
What states and points in time of domains must do: snapshots, checkpoints, backups.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.backup import IDomainBackup
from pyvirt.drivers.interfaces.checkpoints import IDomainCheckpoints
from pyvirt.drivers.interfaces.events import IDomainEvents
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.interfaces.snapshots import IDomainSnapshots
from pyvirt.drivers.interfaces.values import (
    DomainCheckpointRef,
    DomainRef,
    DomainSnapshotRef,
)
from pyvirt.errors import ErrorCode
from pyvirt.testing.suites._domains import DomainSuite
from pyvirt.testing.suites._suite import UNKNOWN_FLAG

__all__ = ["DomainBackupContract", "DomainCheckpointsContract", "DomainSnapshotsContract"]


class _Moments(DomainSuite):
    """What snapshots and checkpoints have in common."""

    #: Parts of the operations' names, and the root element of a document.
    word = ""
    element = ""
    absent = topological = descendants = leaves = roots = children = 0

    def make(self, dom: DomainRef, name: str, flags: int = 0) -> Any:
        """Keep a moment."""
        xml = f"<{self.element}><name>{name}</name></{self.element}>"
        return self.ask(f"domain{self.word}CreateXML", dom, xml, flags)

    def listed(self, dom: DomainRef, flags: int = 0) -> list[str]:
        """List names, parents first."""
        flags |= self.topological
        return [each.name for each in self.ask(f"domainListAll{self.word}s", dom, flags)]

    def three(self) -> tuple[DomainRef, list[Any]]:
        """Start a domain, and keep three moments, each after the other."""
        dom = self.start()
        return dom, [self.make(dom, name) for name in ("one", "two", "three")]

    def test_life(self) -> None:
        """A moment is kept, found, listed, described, and forgotten."""
        dom, (one, two, three) = self.three()
        self.assertEqual((one.dom.uuid, one.name), (dom.uuid, "one"))
        self.assertEqual(self.listed(dom), ["one", "two", "three"])
        found = self.ask(f"domain{self.word}LookupByName", dom, "two", 0)
        self.assertEqual((found.dom.uuid, found.name), (dom.uuid, "two"))
        xml = self.ask(f"domain{self.word}GetXMLDesc", two, 0)
        self.assertIn("<name>two</name>", xml)
        self.assertIn("<name>one</name>", xml)
        self.ask(f"domain{self.word}Delete", three, 0)
        self.assertEqual(self.listed(dom), ["one", "two"])
        self.refuses(self.absent, f"domain{self.word}LookupByName", dom, "three", 0)
        self.refuses(self.absent, f"domain{self.word}GetXMLDesc", three, 0)
        self.refuses(self.absent, f"domain{self.word}Delete", three, 0)

    def test_family(self) -> None:
        """Each derives from the one before, the first from none; one forgotten hands its children on."""
        dom, (one, two, three) = self.three()
        parent = f"domain{self.word}GetParent"
        if not self.has(parent):
            return
        self.refuses(self.absent, parent, one, 0)
        self.assertEqual(self.ask(parent, three, 0).name, "two")
        self.assertEqual(self.listed(dom, self.roots), ["one"])
        self.assertEqual(self.listed(dom, self.leaves), ["three"])
        children = f"domain{self.word}ListAllChildren"
        if self.has(children):
            self.assertEqual([each.name for each in self.ask(children, one, 0)], ["two"])
            every = self.ask(children, one, self.descendants)
            self.assertEqual(sorted(each.name for each in every), ["three", "two"])
        self.ask(f"domain{self.word}Delete", two, 0)
        self.assertEqual(self.ask(parent, three, 0).name, "one")

    def test_children(self) -> None:
        """A moment is forgotten with those that derive from it, where that is asked for."""
        dom, (_, two, _) = self.three()
        self.ask(f"domain{self.word}Delete", two, self.children)
        self.assertEqual(self.listed(dom), ["one"])

    def test_taken(self) -> None:
        """A name that is taken is refused, and nothing changes; so is what makes no sense."""
        dom, _ = self.three()
        create = f"domain{self.word}CreateXML"
        again = f"<{self.element}><name>two</name></{self.element}>"
        self.refuses(None, create, dom, again, 0)
        for xml in ("", "<", "<network/>", "no xml"):
            self.refuses(None, create, dom, xml, 0)
        self.refuses(None, create, dom, f"<{self.element}/>", UNKNOWN_FLAG)
        self.assertEqual(self.listed(dom), ["one", "two", "three"])

    def test_nobody(self) -> None:
        """Neither a domain nor a moment that is not there is found."""
        self.refuses(
            ErrorCode.NO_DOMAIN,
            f"domain{self.word}CreateXML",
            self.nobody(),
            f"<{self.element}/>",
            0,
        )
        self.refuses(ErrorCode.NO_DOMAIN, f"domainListAll{self.word}s", self.nobody(), 0)
        dom = self.define("suite-one")
        self.assertEqual(self.listed(dom), [])
        self.refuses(self.absent, f"domain{self.word}LookupByName", dom, "nobody", 0)


class DomainSnapshotsContract(_Moments):
    """Snapshots: L{IDomainSnapshots}."""

    contract = IDomainSnapshots
    required = (
        "domainListAllSnapshots",
        "domainRevertToSnapshot",
        "domainSnapshotCreateXML",
        "domainSnapshotDelete",
        "domainSnapshotGetXMLDesc",
        "domainSnapshotLookupByName",
    )
    word, element, absent = "Snapshot", "domainsnapshot", ErrorCode.NO_DOMAIN_SNAPSHOT
    topological = c.VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL
    descendants = c.VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS
    leaves, roots = c.VIR_DOMAIN_SNAPSHOT_LIST_LEAVES, c.VIR_DOMAIN_SNAPSHOT_LIST_ROOTS
    children = c.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN

    def test_current(self) -> None:
        """The domain's state derives from the snapshot kept last, or from the one it went back to."""
        if not self.has("domainSnapshotCurrent", "domainSnapshotIsCurrent"):
            return
        dom = self.start()
        self.refuses(ErrorCode.NO_DOMAIN_SNAPSHOT, "domainSnapshotCurrent", dom, 0)
        one, two = (self.make(dom, name) for name in ("one", "two"))
        self.assertEqual(self.ask("domainSnapshotCurrent", dom, 0).name, "two")
        self.assertFalse(self.ask("domainSnapshotIsCurrent", one, 0))
        self.ask("domainRevertToSnapshot", one, 0)
        self.assertEqual(self.ask("domainSnapshotCurrent", dom, 0).name, "one")
        self.assertTrue(self.ask("domainSnapshotIsCurrent", one, 0))
        self.assertFalse(self.ask("domainSnapshotIsCurrent", two, 0))
        if self.has("domainSnapshotHasMetadata"):
            self.assertTrue(self.ask("domainSnapshotHasMetadata", one, 0))

    def test_revert(self) -> None:
        """A domain goes back to the state that was kept, whatever its own is."""
        dom = self.define("suite-one")
        off = self.make(dom, "off")
        dom = self.ask("domainCreateWithFlags", dom, 0, [], interface=IDomainLifecycle)
        on = self.make(dom, "on")
        for snapshot, state in ((off, c.VIR_DOMAIN_SHUTOFF), (on, c.VIR_DOMAIN_RUNNING)) * 2:
            self.ask("domainRevertToSnapshot", snapshot, 0)
            self.assertEqual(self.state(dom), state)
        self.ask("domainRevertToSnapshot", on, c.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED)
        self.assertEqual(self.state(dom), c.VIR_DOMAIN_PAUSED)
        self.refuses(None, "domainRevertToSnapshot", off, UNKNOWN_FLAG)
        self.assertEqual(self.state(dom), c.VIR_DOMAIN_PAUSED)
        gone = DomainSnapshotRef("nobody", dom)
        self.refuses(ErrorCode.NO_DOMAIN_SNAPSHOT, "domainRevertToSnapshot", gone, 0)


class DomainCheckpointsContract(_Moments):
    """Checkpoints: L{IDomainCheckpoints}; the domain runs and has a disk that can keep some."""

    contract = IDomainCheckpoints
    required = (
        "domainCheckpointCreateXML",
        "domainCheckpointDelete",
        "domainCheckpointGetXMLDesc",
        "domainCheckpointLookupByName",
        "domainListAllCheckpoints",
    )
    word, element, absent = "Checkpoint", "domaincheckpoint", ErrorCode.NO_DOMAIN_CHECKPOINT
    topological = c.VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL
    descendants = c.VIR_DOMAIN_CHECKPOINT_LIST_DESCENDANTS
    leaves, roots = c.VIR_DOMAIN_CHECKPOINT_LIST_LEAVES, c.VIR_DOMAIN_CHECKPOINT_LIST_ROOTS
    children = c.VIR_DOMAIN_CHECKPOINT_DELETE_CHILDREN

    def test_gone(self) -> None:
        """A checkpoint of another name is none."""
        dom, _ = self.three()
        gone = DomainCheckpointRef("nobody", dom)
        self.refuses(self.absent, "domainCheckpointGetXMLDesc", gone, 0)
        self.refuses(self.absent, "domainCheckpointDelete", gone, 0)


class DomainBackupContract(DomainSuite):
    """Backups: L{IDomainBackup}; what the driver can tell of jobs is L{IDomainJobs}'s."""

    contract = IDomainBackup
    required = ("domainBackupBegin", "domainBackupGetXMLDesc")

    def backupXML(self) -> str:
        """Return what asks for a backup of all disks."""
        return "<domainbackup/>"

    def test_backup(self) -> None:
        """A backup is under way until it is told that it has ended; there is one at a time."""
        dom = self.start()
        heard = self.hear(
            IDomainEvents, "domainEventSubscribe", c.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, dom
        )
        self.refuses(ErrorCode.NO_DOMAIN_BACKUP, "domainBackupGetXMLDesc", dom, 0)
        self.ask("domainBackupBegin", dom, self.backupXML(), None, 0)
        self.assertIn("<domainbackup", self.ask("domainBackupGetXMLDesc", dom, 0))
        self.refuses(None, "domainBackupBegin", dom, self.backupXML(), None, 0)
        if heard is not None:
            self.assertEqual(heard, [])
            self.happens(lambda: heard, "the backup's end is told")
            self.assertEqual([each.ref.uuid for each in heard], [dom.uuid])
            self.refuses(ErrorCode.NO_DOMAIN_BACKUP, "domainBackupGetXMLDesc", dom, 0)

    def test_checkpoint(self) -> None:
        """A checkpoint is made at the moment of the backup where that is asked for."""
        if self.connection.component(IDomainCheckpoints) is not None:
            dom = self.start()
            point = "<domaincheckpoint><name>then</name></domaincheckpoint>"
            self.ask("domainBackupBegin", dom, self.backupXML(), point, 0)
            found = self.ask(
                "domainCheckpointLookupByName", dom, "then", 0, interface=IDomainCheckpoints
            )
            self.assertEqual(found.name, "then")

    def test_refused(self) -> None:
        """What is not there, does not run or makes no sense is not backed up."""
        dom = self.define("suite-one")
        begin = "domainBackupBegin"
        self.refuses(ErrorCode.NO_DOMAIN, begin, self.nobody(), self.backupXML(), None, 0)
        self.refuses(None, begin, dom, self.backupXML(), None, 0)
        dom = self.ask("domainCreateWithFlags", dom, 0, [], interface=IDomainLifecycle)
        for xml in ("", "<domainbackup", "<network/>"):
            self.refuses(None, begin, dom, xml, None, 0)
        self.refuses(None, begin, dom, self.backupXML(), None, UNKNOWN_FLAG)
        self.refuses(ErrorCode.NO_DOMAIN_BACKUP, "domainBackupGetXMLDesc", dom, 0)
