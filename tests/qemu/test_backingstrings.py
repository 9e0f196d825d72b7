"""
What headers say images are laid over, beside what libvirtd makes of the same words: C{backingstrings.txt} has them, each
with what QEMU was told, C{?} where it was told nothing, or the error's code, domain and first line.
"""

from __future__ import annotations

import json
import os

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain._source import DirSource, FileSource, NetworkSource, Slice
from pyvirt.drivers.qemu.blocks.backingstrings import backingSource, backingString
from pyvirt.drivers.qemu.command.blockdevs import sourceProps
from pyvirt.errors import VirtError

_COOKIES = {"httpcookie": "libvirt-2-storage-httpcookie-secret0"}


class BackingStringTests(SynchronousTestCase):
    """Words in headers."""

    def test_observed(self) -> None:
        """QEMU is told the same as by libvirtd, and what is refused is refused in the same words."""
        with open(os.path.join(os.path.dirname(__file__), "backingstrings.txt")) as file:
            lines = file.read().splitlines()
        self.assertGreater(len(lines), 400)
        for text, expected in zip(lines[::2], lines[1::2], strict=True):
            try:
                source = backingSource(text, "/i/x.qcow2")
                if source is None:
                    found = "?"
                else:
                    secrets = _COOKIES if getattr(source, "cookies", None) else {}
                    found = json.dumps(sourceProps(source, secrets), separators=(",", ":"))
            except VirtError as error:
                found = f"{error.code} {error.domain} {str(error).splitlines()[0]}"
            self.assertEqual(found, expected.strip(), text)

    def test_files(self) -> None:
        """Paths are seen from the image above; a folder is no file, and a part of a file stays one."""
        self.assertEqual(backingSource("x", "/a/top"), FileSource(file="/a/x"))
        self.assertEqual(backingSource("/x", "/a/top"), FileSource(file="/x"))
        self.assertEqual(backingSource("./a:b", "/a/top"), FileSource(file="/a/./a:b"))
        self.assertEqual(backingSource("/", "/a/top"), DirSource(dir="/"))
        self.assertEqual(backingSource("fat:/x", "/a/top"), DirSource(dir="/x"))
        text = 'json:{"driver":"raw","offset":512,"file":{"driver":"file","filename":"/x"}}'
        part = Slice(type="storage", offset=512, size=0)
        self.assertEqual(backingSource(text, "/a/top"), FileSource(file="/x", slice=part))

    def test_user(self) -> None:
        """Whom QEMU's JSON names for SSH is told to QEMU, and is no part of the definition."""
        text = 'json:{"driver":"ssh","host":"h","path":"/a","user":"u"}'
        source = backingSource(text, "/a/top")
        assert isinstance(source, NetworkSource)
        self.assertEqual(sourceProps(source, {})["user"], "u")
        self.assertIsNone(source.auth)

    def test_written(self) -> None:
        """What is written into headers is read again as the same source; a path is written as such."""
        for text in (
            "/x",
            "nbd://localhost:10900/a%20b",
            "https://h:443/x?a=b",
            "iscsi://h:3260/t/1",
            "gluster://h:24007/v/p",
            'json:{"file":{"driver":"nbd","server":{"type":"unix","path":"/s"},"export":"e"}}',
            'json:{"file":{"driver":"ssh","path":"/a","server":{"host":"h","port":"22"},"user":"u"}}',
            'json:{"file":{"driver":"raw","offset":0,"size":512,"file":{"driver":"file","filename":"/x"}}}',
        ):
            source = backingSource(text, "/a/top")
            self.assertEqual(backingString(source), text)

    def test_hostile(self) -> None:
        """Whatever stands in a header is a source, QEMU's business, or an error in libvirt's words."""
        for text in (
            "json:" + "[" * 50000,
            "json:" + '{"file":' * 3000 + "1" + "}" * 3000,
            "json:" + '{"a.' * 10 + "b.c" + '":1}',
            'json:{"driver":"raw","size":' + "9" * 5000 + "}",
            'json:{"driver":"nbd","server":{"type":"inet","host":"h","port":"' + "9" * 5000 + '"}}',
            "nbd:" + ":" * 1000,
            "nbd://[",
            "nbd://h:" + "9" * 100,
            "iscsi://h/t/" + "9" * 5000,
            "rbd:" + "\\" * 999,
            "\udcff://x",
            "nbd://\udcff",
            "",
        ):
            try:
                backingSource(text, "/a/top")
            except VirtError as error:
                self.assertTrue(str(error))
