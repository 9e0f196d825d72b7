"""
Files that memory goes into: pipes that nobody reads yet, what compresses, and what is left behind.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.drivers.qemu.jobs import LongJob
from pyvirt.drivers.qemu.memoryfiles import MemoryFile, compressionFor, createFile, writeHead
from pyvirt.drivers.qemu.saveimage import FIXED, SaveImage, headOf
from pyvirt.errors import VirtError


def host(**config: str) -> Any:
    """Return what these functions ask of a hypervisor: its clock and its configuration."""
    return SimpleNamespace(clock=Clock(), config=config)


class MemoryFileTests(SynchronousTestCase):
    """Files are opened and removed."""

    def opening(
        self, hypervisor: Any, path: str, job: LongJob | None = None
    ) -> Deferred[MemoryFile]:
        return Deferred.fromCoroutine(
            createFile(hypervisor, path, job or LongJob("dump", 0, 0.0), "domain core dump job")
        )

    def test_pipe(self) -> None:
        """A pipe is opened once somebody reads it, and nothing waits for that."""
        path = self.mktemp()
        os.mkfifo(path)
        hypervisor = host()
        opening = self.opening(hypervisor, path)
        hypervisor.clock.pump([0.2] * 5)
        self.assertNoResult(opening)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        hypervisor.clock.advance(0.2)
        file = self.successResultOf(opening)
        fd = file.fd
        self.addCleanup(os.close, fd)
        self.assertTrue(os.get_blocking(fd))
        os.write(fd, b"memory")
        self.assertEqual(os.read(reader, 10), b"memory")
        file.discard()
        self.assertTrue(os.path.exists(path))

    def test_givenUp(self) -> None:
        """Who waits for somebody to read a pipe can give that up."""
        path = self.mktemp()
        os.mkfifo(path)
        hypervisor, job = host(), LongJob("dump", 0, 0.0)
        opening = self.opening(hypervisor, path, job)
        job.aborted = True
        hypervisor.clock.advance(0.2)
        error = self.failureResultOf(opening, VirtError).value
        self.assertIn("canceled by client", error.message)

    def test_head(self) -> None:
        """
        The head of a file that is a pipe waits for its reader, who gets the beginning again once the memory is there;
        giving up is heard until then.
        """
        image = SaveImage(xml="<domain/>", ran=True, compression="raw", length=1 << 17)
        head = headOf(image, whole=False)
        for aborted in (True, False):
            reader, writer = os.pipe()
            self.addCleanup(os.close, reader)
            self.addCleanup(os.close, writer)
            hypervisor, job = host(), LongJob("save", 0, 0.0)

            def write(whole: bool, fd: int = writer, job: LongJob = job) -> Deferred[int]:
                how = (self.hypervisor, fd, image, job, "domain save job")
                return Deferred.fromCoroutine(writeHead(*how, whole=whole))

            self.hypervisor = hypervisor
            writing = write(False)
            self.assertNoResult(writing)
            assert job.cancel is not None
            self.successResultOf(job.cancel())
            job.aborted = aborted
            if aborted:
                hypervisor.clock.advance(0.2)
                error = self.failureResultOf(writing, VirtError).value
                self.assertIn("canceled by client", error.message)
                continue
            said = b""
            while len(said) < len(head):
                said += os.read(reader, 1 << 16)
                hypervisor.clock.advance(0.2)
            self.assertEqual((said, self.successResultOf(writing)), (head, len(head)))
            self.assertTrue(os.get_blocking(writer))
            self.assertEqual(self.successResultOf(write(True)), len(head))
            self.assertEqual(os.read(reader, 1 << 16), headOf(image, whole=True)[:FIXED])
            self.assertIs(job.cancel, None)

    def test_missingFolder(self) -> None:
        """A file that cannot be made is named."""
        path = os.path.join(self.mktemp(), "file")
        error = self.failureResultOf(self.opening(host(), path), VirtError).value
        self.assertIn(f"Failed to create file '{path}'", error.message)

    def test_removed(self) -> None:
        """Only files are removed: whoever dumps to a device or a pipe keeps it."""
        file, pipe = self.mktemp(), self.mktemp()
        with open(file, "wb"):
            os.mkfifo(pipe)
        for path in (file, pipe, self.mktemp()):
            MemoryFile(-1, path, True).discard()
        self.assertEqual((os.path.exists(file), os.path.exists(pipe)), (False, True))

    def test_wasThere(self) -> None:
        """What somebody else has made is emptied and written, and stays when that fails; ours goes."""
        path = self.mktemp()
        for before, after in (("what was there", True), (None, False)):
            if before is not None:
                with open(path, "w") as old:
                    old.write(before)
            file = self.successResultOf(self.opening(host(), path))
            self.assertEqual(os.path.getsize(path), 0)
            os.close(file.fd)
            file.discard()
            self.assertEqual(os.path.exists(path), after)
            os.path.exists(path) and os.unlink(path)

    def test_compression(self) -> None:
        """What is no format, or has no program, is refused; a dump is made without."""
        self.patch(os, "environ", {**os.environ, "PATH": self.mktemp()})
        for wanted, complaint in (("tar", "Invalid"), ("gzip", "isn't available")):
            hypervisor = host(save_image_format=wanted, dump_image_format=wanted)
            error = self.assertRaises(VirtError, compressionFor, hypervisor, "save")
            self.assertIn(complaint, error.message)
            self.assertEqual(compressionFor(hypervisor, "dump"), "raw")
        self.assertEqual(compressionFor(host(save_image_format="raw"), "save"), "raw")
