"""What definitions on disk rest on: whole files, links, and marks that hold until the host boots."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.drivers.filestore import DefinitionFolder, firstSinceBoot, removeUnfinished, writeWhole
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError
from pyvirt.folders import makeFolders


class FileTests(SynchronousTestCase):
    """Files of one folder."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.makedirs(self.folder)

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def write(self, name: str) -> None:
        with open(self.path(name), "w") as file:
            file.write("whole")

    def test_unfinished(self) -> None:
        """What was being written goes, everything else stays, and nothing minds a folder that is not there."""
        for name in ("a.xml", "a.xml.new", "b.xml.new.xml", "new", "c.txt.new"):
            self.write(name)
        os.makedirs(self.path("d.xml.new"))
        removeUnfinished(self.folder)
        removeUnfinished(self.path("nowhere"))
        self.flushLoggedErrors()
        self.assertEqual(
            sorted(os.listdir(self.folder)),
            ["a.xml", "b.xml.new.xml", "c.txt.new", "d.xml.new", "new"],
        )
        removeUnfinished(self.folder, ".new")
        self.flushLoggedErrors()
        self.assertNotIn("c.txt.new", os.listdir(self.folder))

    def test_whole(self) -> None:
        """A file that cannot take its place leaves nothing behind, and what was there stays."""
        os.makedirs(self.path("a.xml"))
        error = self.assertRaises(VirtError, writeWhole, self.path("a.xml"), b"new")
        self.assertIn("cannot rename file '", str(error))
        self.assertEqual(os.listdir(self.folder), ["a.xml"])

    def test_mode(self) -> None:
        """A file can be read by whom it is for, whatever the umask, and by nobody else."""
        self.addCleanup(os.umask, os.umask(0o077))
        for name, mode in (("a", 0o600), ("b", 0o644), ("c", 0o755)):
            writeWhole(self.path(name), b"new", mode)
            self.assertEqual(os.stat(self.path(name)).st_mode & 0o777, mode)

    def test_folders(self) -> None:
        """What lies above a folder that is made lets others through, whatever the umask; what is there stays as it is."""
        self.addCleanup(os.umask, os.umask(0o077))
        os.mkdir(self.path("there"))
        folder = DefinitionFolder(self.path("there/above/it"), None)
        folder.make()
        modes = {
            name: os.stat(self.path(name)).st_mode & 0o777
            for name in ("there", "there/above", "there/above/it")
        }
        self.assertEqual(modes, {"there": 0o700, "there/above": 0o755, "there/above/it": 0o700})
        self.write("file")
        self.assertRaises(OSError, makeFolders, self.path("file"))
        self.assertRaises(OSError, makeFolders, self.path("file/below"))

    def test_firstSinceBoot(self) -> None:
        """Only the first that asks is the first; where it cannot be remembered nobody is."""
        self.assertEqual([firstSinceBoot(self.folder) for _ in range(3)], [True, False, False])
        self.assertEqual(os.stat(self.path("autostarted")).st_mode & 0o777, 0o600)
        self.assertFalse(firstSinceBoot(self.path("nowhere")))

    def test_autostart(self) -> None:
        """A link that cannot be made is an error of the driver that wants it, in libvirt's words."""
        folder = DefinitionFolder(self.folder, None)
        self.write("autostart")
        error = self.assertRaises(VirtError, folder.setAutostart, "a", True, ErrorDomain.NETWORK)
        self.assertEqual((error.code, error.domain), (ErrorCode.SYSTEM_ERROR, ErrorDomain.NETWORK))
        self.assertIn(f"Failed to create symlink '{self.folder}/autostart/a.xml'", str(error))
        self.assertFalse(folder.autostarts("a"))
