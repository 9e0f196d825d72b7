"""
What a guest would notice: libvirt's answers to one change of a domain at a time.
"""

from __future__ import annotations

import json
import random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import completed, parseDomain
from pyvirt.definitions.domain.stability import checkABIStability
from pyvirt.errors import ErrorCode, VirtError
from tests.definitions.vectors import HERE

LOADED: dict[str, Any] = json.loads((HERE / "stability.json").read_text("utf-8"))


def read(xml: str) -> Any:
    """Return a whole definition."""
    return completed(parseDomain(xml), random=random.Random(1).randbytes)


class StabilityTests(SynchronousTestCase):
    """Pairs of definitions, as libvirt 9.0.0 compared them."""

    def test_changes(self) -> None:
        """
        Of each change is said what libvirt says of it.
        """
        base = read(LOADED["base"])
        self.assertGreater(len(LOADED["changes"]), 60)
        for old, new, answer in LOADED["changes"]:
            changed = read(LOADED["base"].replace(old, new))
            if answer is None:
                checkABIStability(base, changed)
                continue
            error = self.assertRaises(VirtError, checkABIStability, base, changed)
            self.assertEqual(
                (error.code, [error.domain, error.message]),
                (ErrorCode.CONFIG_UNSUPPORTED, answer),
                (old, new),
            )

    def test_volatile(self) -> None:
        """
        The memory in use need not be the same where the guest itself changes it.
        """
        base = read(LOADED["base"])
        changed = read(LOADED["base"].replace("<currentMemory>4194304", "<currentMemory>4194300"))
        self.assertRaises(VirtError, checkABIStability, base, changed)
        checkABIStability(base, changed, volatile=True)
