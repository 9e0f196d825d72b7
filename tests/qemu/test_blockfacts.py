"""
Tests for L{pyvirt.drivers.qemu.blockfacts}: what QEMU says of disks, be it nonsense.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.drivers.qemu.blockfacts import BlockFacts


class BlockFactsTests(SynchronousTestCase):
    """Replies as QEMU gives them, and others."""

    def test_below(self) -> None:
        """Images below the one in use are known by their nodes."""
        below = {"parent": {"node-name": "libvirt-2-storage", "stats": {"wr_highest_offset": 9}}}
        stats = [{"qdev": "/machine/peripheral/virtio-disk0/virtio-backend", "backing": below}]
        nodes = [
            {"node-name": "libvirt-2-format", "image": {"virtual-size": 77}},
            {"node-name": "libvirt-2-storage", "write_threshold": 5},
        ]
        facts = BlockFacts(stats, None, nodes)
        self.assertEqual(facts.highestOf("libvirt-2-storage"), 9)
        self.assertEqual(facts.capacityOf("libvirt-2-format"), 77)
        self.assertEqual(facts.threshold("libvirt-2-storage"), 5)
        self.assertEqual(facts.threshold("libvirt-1-storage"), 0)

    def test_nonsense(self) -> None:
        """What makes no sense counts as nothing."""
        endless: dict[str, Any] = {"parent": 3}
        endless["backing"] = endless
        negative = {"parent": {"node-name": "n", "stats": {"wr_highest_offset": -1}}}
        for reply in (
            None,
            3,
            {},
            [None],
            [{"backing": 4}],
            [endless],
            [{"parent": {}}],
            [negative],
        ):
            facts = BlockFacts(reply, reply, reply)
            self.assertEqual(facts.highestOf("n"), 0)
            self.assertEqual(facts.capacityOf("n"), 0)
            self.assertEqual(facts.threshold("n"), 0)
        for value in (None, "7", -7, 1.5, True, []):
            node = {"node-name": "n", "image": value, "write_threshold": value}
            facts = BlockFacts(None, None, [node])
            self.assertEqual((facts.capacityOf("n"), facts.threshold("n")), (0, 0))
