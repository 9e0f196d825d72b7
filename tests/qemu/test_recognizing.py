"""
Tests for L{pyvirt.drivers.qemu.blocks.recognizing}: what QEMU says a disk is made of, and what is made of that.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.drivers.qemu.blocks.backingstrings import localSource
from pyvirt.drivers.qemu.blocks.chain import (
    Image,
    chain,
    diskNamed,
    withChain,
    withDisk,
)
from pyvirt.drivers.qemu.blocks.recognizing import recognize
from tests.qemu.scriptedqemu import PluggedGuest

XML = """<domain type='qemu'><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid>
<memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{}'/>
<target dev='vda' bus='virtio'/></disk></devices></domain>"""


class RecognizingTests(SynchronousTestCase):
    """A guest with two images above each other, numbers 1 and 2."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.makedirs(self.folder)
        path = os.path.abspath(self.folder) + "/top"
        with open(path, "w"):
            pass
        self.plugged = PluggedGuest(self.folder, XML.format(path), (os.getuid(), os.getgid()))
        domain = self.domain = self.plugged.domain
        disk = diskNamed(domain.definition, "vda")
        self.images = [
            Image(localSource(path), "qcow2", 1),
            Image(localSource("/images/base"), "raw", 2),
        ]
        domain.definition = withDisk(domain.definition, withChain(disk, self.images))
        domain.pending = domain.definition
        self.path = path

    def block(self, node: Any, image: Any = None, drv: Any = "qcow2") -> list[dict[str, Any]]:
        inserted = {"node-name": node, "image": image, "drv": drv}
        qdev = "/machine/peripheral/virtio-disk0/virtio-backend"
        return [{"qdev": qdev, "inserted": inserted}]

    def told(self, reply: Any) -> list[tuple[str, str, int | None]]:
        """What the disk is made of afterwards."""
        recognize(self.plugged.hypervisor, self.domain, self.plugged.guest, reply)
        disk = diskNamed(self.domain.definition, "vda")
        return [(image.path, image.format, image.index) for image in chain(disk)]

    def pending(self) -> list[str]:
        """What it will be made of."""
        return [image.path for image in chain(diskNamed(self.domain.pending, "vda"))]

    def unchanged(self, reply: Any) -> None:
        before, pending = self.domain.definition, self.domain.pending
        self.told(reply)
        self.assertIs(self.domain.definition, before)
        self.assertIs(self.domain.pending, pending)

    def test_same(self) -> None:
        """What is as it is known stays."""
        self.unchanged(self.block("libvirt-1-format", {"filename": self.path}))

    def test_overlay(self) -> None:
        """An image above is taken into both definitions, and no later one gets its number."""
        image = {"filename": "/images/new", "backing-image": {"filename": self.path}}
        self.assertEqual(
            self.told(self.block("libvirt-7-format", image)),
            [("/images/new", "qcow2", 7), (self.path, "qcow2", 1), ("/images/base", "raw", 2)],
        )
        self.assertEqual(self.pending()[:2], ["/images/new", self.path])
        self.assertEqual(self.plugged.guest.takeNode(), 8)

    def test_below(self) -> None:
        """An image that was put into the one below it is left out of both."""
        self.assertEqual(self.told(self.block("libvirt-2-format")), [("/images/base", "raw", 2)])
        self.assertEqual(self.pending(), ["/images/base"])

    def test_copy(self) -> None:
        """An image that has nothing below it replaces all."""
        found = self.told(self.block("libvirt-9-format", {"filename": "/images/copy"}, "raw"))
        self.assertEqual(found, [("/images/copy", "raw", 9)])

    def test_job(self) -> None:
        """A disk that QEMU is doing something to is left alone."""
        self.plugged.guest.blockJobs["vda"] = None  # type: ignore[assignment]
        self.unchanged(self.block("libvirt-2-format"))

    def test_nonsense(self) -> None:
        """What makes no sense changes nothing."""
        for reply in (
            None,
            {},
            [None, 7, {}, {"inserted": 1}, {"qdev": 3, "inserted": {}}],
            self.block(None),
            self.block(7),
            self.block("#block123"),
            self.block("libvirt-CoR-vda"),
            self.block("libvirt-99999999999999-format"),
            self.block("libvirt-7-format"),
            self.block("libvirt-7-format", 3),
            self.block("libvirt-7-format", {}),
            self.block("libvirt-7-format", {"filename": "nbd://host/export"}),
            self.block("libvirt-7-format", {"filename": "/images/new"}, None),
            self.block(
                "libvirt-7-format",
                {"filename": "/images/new", "backing-image": {"filename": "/images/unheard-of"}},
            ),
        ):
            self.unchanged(reply)
