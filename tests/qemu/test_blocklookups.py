"""
Images of chains by the names that lead to them, their numbers when a guest starts, and bitmaps that go where data goes.
"""

from __future__ import annotations

import itertools
import os

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import parseDomain
from pyvirt.definitions.domain._source import FileSource
from pyvirt.drivers.qemu.blocks.bitmaps import Bitmaps, carrying
from pyvirt.drivers.qemu.blocks.chain import Image, chain, chainsDetected, find, relativeName
from pyvirt.errors import VirtError
from tests.qemu.test_blockchains import qcow2


class NameTests(SynchronousTestCase):
    """Three images over each other."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.makedirs(f"{self.folder}/sub")
        self.images = []
        names = ("top", "sub/mid", "base")
        for number, (name, below) in enumerate(
            zip(names, ("sub/mid", "../base", None), strict=True)
        ):
            path = f"{self.folder}/{name}"
            with open(path, "wb") as file:
                file.write(qcow2(below, "qcow2"))
            self.images.append(Image(FileSource(file=path), "qcow2", number + 1))

    def test_found(self) -> None:
        """An image is found by its number, its path, a link to it, and as the image above sees it."""
        os.symlink(f"{self.folder}/base", f"{self.folder}/link")
        for name, place in (
            ("vda[2]", 1),
            (f"{self.folder}/base", 2),
            (f"{self.folder}/link", 2),
            ("sub/mid", 1),
            ("../base", 2),
        ):
            self.assertEqual(find(self.images, name, "vda"), place, name)

    def test_refused(self) -> None:
        """What is not in the chain, or is of another disk, or not below, is an error that names it."""
        for name, above, words in (
            ("vdb[2]", None, "requested target 'vdb' does not match target 'vda'"),
            ("vda[9]", None, "index '9'"),
            ("base", None, "could not find image 'base' in chain for 'vda'"),
            ("vda[1]", 0, "index '1'"),
            ("nope\0", 1, "beneath"),
        ):
            error = self.assertRaises(VirtError, find, self.images, name, "vda", above)
            self.assertIn(words, error.message)
        error = self.assertRaises(VirtError, find, [], "x", "sda", 0)
        self.assertIn("beneath '<null>'", error.message)

    def test_relativeNames(self) -> None:
        """The name of an image two below is made of the names between; absolute ones are not kept."""
        self.assertEqual(relativeName(self.images, 1, 2), "sub/../base")
        self.assertEqual(relativeName(self.images, 2, 2), "../base")
        with open(f"{self.folder}/top", "wb") as file:
            file.write(qcow2(f"{self.folder}/sub/mid", "qcow2"))
        error = self.assertRaises(VirtError, relativeName, self.images, 1, 2)
        self.assertIn("can't keep relative backing relationship", error.message)

    def test_numbers(self) -> None:
        """What the definition names is numbered first, of all disks, the last one first."""
        disks = "".join(
            f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{self.folder}/top'/>"
            f"<target dev='{name}'/></disk>"
            for name in ("vda", "vdb")
        )
        definition = parseDomain(
            "<domain type='qemu'><name>g</name><memory>1024</memory><os><type>hvm</type></os>"
            f"<devices>{disks}</devices></domain>"
        )
        numbers = itertools.count(1)
        found = chainsDetected(definition, lambda: next(numbers))
        self.assertEqual(
            [[image.index for image in chain(disk)] for disk in found.devices.disks],
            [[2, 5, 6], [1, 3, 4]],
        )


class BitmapTests(SynchronousTestCase):
    """Bitmaps follow data."""

    def test_carried(self) -> None:
        """Those of a whole chain are merged, with what was written meanwhile; broken ones are not."""
        top, base, target = (Image(FileSource(file=f"/{n}"), "qcow2", n) for n in (1, 2, 3))

        def bitmap(name: str, **more: bool) -> dict[str, object]:
            return {"name": name, "persistent": True, "recording": True, "granularity": 512, **more}

        known = Bitmaps(
            [
                {
                    "node-name": "libvirt-1-format",
                    "dirty-bitmaps": [
                        bitmap("c1"),
                        bitmap("c2", inconsistent=True),
                        bitmap("c3", persistent=False),
                    ],
                },
                {"node-name": "libvirt-2-format", "dirty-bitmaps": [bitmap("c1"), bitmap("c0")]},
                {
                    "node-name": "libvirt-3-format",
                    "dirty-bitmaps": [{"name": "libvirt-tmp-activewrite"}],
                },
            ]
        )
        add, merge, remove = carrying(known, [top, base], target, True)
        self.assertEqual(add["data"]["name"], "c1")
        self.assertEqual((add["data"]["granularity"], add["data"]["disabled"]), (512, False))
        self.assertEqual(
            merge["data"]["bitmaps"],
            [
                {"node": "libvirt-1-format", "name": "c1"},
                {"node": "libvirt-2-format", "name": "c1"},
                "libvirt-tmp-activewrite",
            ],
        )
        self.assertEqual(remove["type"], "block-dirty-bitmap-remove")
        self.assertEqual(carrying(known, [], target, False), [])
