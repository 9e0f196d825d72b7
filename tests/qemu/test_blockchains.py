"""
Chains of images: what headers tell, how chains are found, and how jobs change them.
"""

from __future__ import annotations

import json
import os
import struct
import sys

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pyvirt import process
from pyvirt.definitions.domain import formatDomain, parseDomain
from pyvirt.definitions.domain._source import FileSource
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.imageheaders import probedFormat, readHeader
from pyvirt.drivers.qemu.blocks.backups import Backup
from pyvirt.drivers.qemu.blocks.chain import (
    Image,
    chain,
    chainsDetected,
    diskNamed,
    find,
    split,
    withChain,
    withDisk,
)
from pyvirt.drivers.qemu.blocks.jobs import CANCELED, COMPLETED, FAILED, BlockJob, after, persisted
from pyvirt.errors import VirtError

DOMAIN = """<domain type='qemu'><name>g</name><memory>1024</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='{format}'/>
<source file='{path}'/><target dev='vda' bus='virtio'/></disk></devices></domain>"""


def qcow2(backing: str | None = None, form: str | None = None, size: int = 1 << 20) -> bytes:
    """Write the header of an image."""
    extension = b""
    if form is not None:
        word = form.encode()
        extension = struct.pack(">II", 0xE2792ACA, len(word)) + word + b"\0" * (-len(word) % 8)
    extension += bytes(8)
    name = (backing or "").encode()
    offset = 104 + len(extension) if backing else 0
    head = struct.pack(">4sIQIIQ", b"QFI\xfb", 3, offset, len(name), 16, size)
    head += bytes(100 - len(head)) + struct.pack(">I", 104)
    return head + extension + name


class HeaderTests(SynchronousTestCase):
    """What the first bytes of images say."""

    def test_qcow2(self) -> None:
        """Size, what it is laid over and the format of that come out of the header."""
        header = readHeader(qcow2("/images/base", "raw", 12345), "qcow2")
        self.assertEqual(header.capacity, 12345)
        self.assertEqual((header.backing, header.backingFormat), ("/images/base", "raw"))
        self.assertIsNone(readHeader(qcow2("base"), "qcow2").backingFormat)
        self.assertIsNone(readHeader(qcow2(), "qcow2").backing)

    def test_rawIsNeverLookedInto(self) -> None:
        """What a guest has written into a raw image that looks like another is not believed."""
        header = readHeader(qcow2("/etc/shadow", "raw"), "raw")
        self.assertIsNone(header.backing)
        self.assertEqual(probedFormat(qcow2()), "qcow2")
        self.assertEqual(probedFormat(b""), "raw")

    def test_hostile(self) -> None:
        """Names that lie outside of what was read, and lengths that are too long, are no names."""
        for offset, length in ((1 << 60, 10), (104, 1 << 31), (104, 0), (0, 10), (104, 1024)):
            data = bytearray(qcow2("/base", "raw"))
            struct.pack_into(">QI", data, 8, offset, length)
            self.assertIsNone(readHeader(bytes(data), "qcow2").backing)
        for place in range(140):
            readHeader(qcow2("/base", "raw")[:place], "qcow2")

    @given(st.binary(max_size=400), st.sampled_from(["qcow2", "qcow", "qed", "vmdk", "vdi", "vpc"]))
    def test_anything(self, data: bytes, form: str) -> None:
        """Whatever the bytes are, there is an answer, of the format that was said."""
        for magic in (b"", b"QFI\xfb\0\0\0\3", b"QFI\xfb\0\0\0\1", b"QED\0", b"KDMV"):
            self.assertEqual(readHeader(magic + data, form).format, form)
            probedFormat(magic + data)


class ChainTests(SynchronousTestCase):
    """How chains are found and told."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)

    def image(self, name: str, data: bytes) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def detected(self, path: str, form: str = "qcow2"):  # type: ignore[no-untyped-def]
        count = iter(range(1, 1000))
        return chainsDetected(
            parseDomain(DOMAIN.format(path=path, format=form)), lambda: next(count)
        )

    def test_found(self) -> None:
        """Images below are found, by paths that are whole or beside the one above."""
        base = self.image("base", b"")
        middle = self.image("middle", qcow2("base", "raw"))
        top = self.image("top", qcow2(middle, "qcow2"))
        definition = self.detected(top)
        images = chain(diskNamed(definition, "vda"))
        self.assertEqual([each.path for each in images], [top, middle, base])
        self.assertEqual([each.index for each in images], [1, 2, 3])
        self.assertEqual([each.format for each in images], ["qcow2", "qcow2", "raw"])
        running = formatDomain(definition, id=1)
        self.assertIn("<backingStore type='file' index='2'>", running)
        self.assertNotIn("backingStore", formatDomain(definition, inactive=True))
        self.assertNotIn("index=", formatDomain(definition, inactive=True))
        again = parseDomain(running, inactive=False)
        self.assertEqual(formatDomain(again, id=1), running)

    def test_raw(self) -> None:
        """Nothing is looked for below an image that is said to be raw."""
        path = self.image("top", qcow2("/etc/passwd", "raw"))
        self.assertEqual(len(chain(diskNamed(self.detected(path, "raw"), "vda"))), 1)

    def test_refused(self) -> None:
        """An image below that is missing, says no format or comes round again is refused."""
        top = self.image("top", qcow2("missing", "raw"))
        error = self.assertRaises(VirtError, self.detected, top)
        self.assertIn("Cannot access backing file", str(error))
        self.image("other", qcow2("third", "raw"))
        self.image("third", b"")
        top = self.image("top", qcow2("other"))
        error = self.assertRaises(VirtError, self.detected, top)
        self.assertIn("was not specified in the image metadata", str(error))
        top = self.image("top", qcow2("top", "qcow2"))
        self.assertIn("self-referential", str(self.assertRaises(VirtError, self.detected, top)))

    def test_names(self) -> None:
        """Images are found by number and by path; what makes no sense as a number is a name."""
        self.assertEqual(split("vda[3]"), ("vda", 3))
        for name in ("vda[]", "vda[x]", "[3]", "vda", "vda[-1]", "vda[99999999999]"):
            self.assertEqual(split(name), (name, None))
        images = [Image(FileSource(file=f"/{n}"), "qcow2", n) for n in (4, 7)]
        self.assertEqual(find(images, "vda[7]", "vda"), 1)
        self.assertEqual(find(images, "/4", "vda"), 0)
        self.assertRaises(VirtError, find, images, "vda[9]", "vda")
        self.assertRaises(VirtError, find, images, "/4", "vda", 0)


class OutcomeTests(SynchronousTestCase):
    """What a disk is once a job is done with it."""

    def setUp(self) -> None:
        definition = parseDomain(DOMAIN.format(path="/4", format="qcow2"))
        self.images = [Image(FileSource(file=f"/{n}"), "qcow2", n, n < 4) for n in (4, 3, 2, 1)]
        self.disk = withChain(definition.devices.disks[0], self.images)

    def outcome(self, job: BlockJob, status: int = COMPLETED, disk=None):  # type: ignore[no-untyped-def]
        done, gone = after(disk or self.disk, job, status)
        return [each.index for each in chain(done)], [each.index for each in gone]

    def test_unreached(self) -> None:
        """Where what a domain will be does not name the image that others went into, what is below its own is left open."""
        definition = parseDomain(DOMAIN.format(path="/4", format="qcow2"))
        mine = withDisk(definition, withChain(definition.devices.disks[0], self.images[:2]))
        for base, paths in ((2, ["/4"]), (3, ["/4", "/3"])):
            job = BlockJob("j", "commit", "vda", top=3, base=base)
            done = withChain(self.disk, [self.images[0], self.images[1], self.images[3]])
            changed = persisted(mine, self.disk, done, "commit", job.base)
            assert changed is not None
            disk = changed.devices.disks[0]
            self.assertEqual([each.path for each in chain(disk)], paths)
            self.assertEqual(disk.backingStore is None, len(paths) == 1)

    def test_pull(self) -> None:
        """What was pulled is gone, up to the base if there is one."""
        job = BlockJob(name="p", kind="pull", disk="vda")
        self.assertEqual(self.outcome(job), ([4], [3, 2, 1]))
        job.base = 2
        self.assertEqual(self.outcome(job), ([4, 2, 1], [3]))
        self.assertEqual(self.outcome(job, FAILED), ([4, 3, 2, 1], []))

    def test_commit(self) -> None:
        """What was committed is gone, and what was above lies on the base."""
        job = BlockJob(name="c", kind="commit", disk="vda", top=3, base=1)
        self.assertEqual(self.outcome(job), ([4, 1], [3, 2]))
        self.assertEqual(self.outcome(job, CANCELED), ([4, 3, 2, 1], []))

    def test_activeCommit(self) -> None:
        """Only going over changes anything; then the base is in use, and nobody's discovery."""
        job = BlockJob(name="c", kind="active-commit", disk="vda", top=4, base=2)
        self.assertEqual(self.outcome(job), ([4, 3, 2, 1], []))
        job.state = "pivoting"
        self.assertEqual(self.outcome(job), ([2, 1], [4, 3]))
        self.assertFalse(chain(after(self.disk, job, COMPLETED)[0])[0].detected)

    def test_copy(self) -> None:
        """After going over the copy is the disk, with what it shares; else the copy goes."""
        from pyvirt.definitions.domain._disk import Mirror

        mirror = Mirror(source=FileSource(file="/9", index=9), format="raw", job="copy")
        disk = replaced(self.disk, mirror=mirror)
        job = BlockJob(name="m", kind="copy", disk="vda", state="pivoting")
        self.assertEqual(self.outcome(job, disk=disk), ([9], [4, 3, 2, 1]))
        job.shallow = True
        self.assertEqual(self.outcome(job, disk=disk), ([9, 3, 2, 1], [4]))
        job.state = "aborting"
        self.assertEqual(self.outcome(job, CANCELED, disk), ([4, 3, 2, 1], [9]))

    def test_writtenDown(self) -> None:
        """What a restarted daemon reads is what was written; nonsense is refused."""
        job = BlockJob(name="c", kind="commit", disk="vda", top=3, base=1, delete=True)
        self.assertEqual(BlockJob.read(job.attributes()).attributes(), job.attributes())
        for bad in ({}, {"name": "x", "type": "y"}, {**job.attributes(), "top": "x"}):
            self.assertRaises(ValueError, BlockJob.read, bad)
        self.assertRaises((ValueError, KeyError), Backup.read, "{}")
        self.assertRaises(ValueError, Backup.read, "nonsense")
        self.assertIsNotNone(json.dumps(job.attributes()))

    def test_replaced(self) -> None:
        """One disk of a definition is replaced by its target."""
        definition = parseDomain(DOMAIN.format(path="/4", format="qcow2"))
        self.assertEqual(len(chain(diskNamed(withDisk(definition, self.disk), "vda"))), 4)


class CommandTests(SynchronousTestCase):
    """Commands whose output ends before, or with, themselves."""

    def test_closedStream(self) -> None:
        """That a command closes its streams is noticed where the system tells it as a lost connection."""
        reactor = Clock()
        readers: list[object] = []
        reactor.addReader = readers.append  # type: ignore[attr-defined]
        reactor.removeReader = readers.remove  # type: ignore[attr-defined]
        command = process.Command(argv=(sys.executable, "-c", "print('x')"), deadline=None)
        answer: Deferred[process.Finished] = process.Processes(reactor).run(command)
        import select

        while not answer.called:
            poll = select.poll()
            for reader in readers:
                poll.register(reader.fileno(), select.POLLIN)  # type: ignore[attr-defined]
            ready = dict(poll.poll())
            for reader in readers:
                events = ready.get(reader.fileno(), 0)  # type: ignore[attr-defined]
                if events & select.POLLIN:
                    reader.doRead()  # type: ignore[attr-defined]
                elif events:
                    reader.connectionLost(None)  # type: ignore[attr-defined]
        self.assertEqual(self.successResultOf(answer).output, b"x\n")
