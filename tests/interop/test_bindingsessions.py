"""
Made-up sessions of the stock binding see the same on our daemon and on libvirtd 9.0.0, call by call.
"""

from __future__ import annotations

import difflib

from tests.interop.bindingsessions import SCRIPT
from tests.interop.support import ComparisonCase, runScript

#: How many sessions, of how many calls each; another range of seeds is another corpus.
SEEDS = range(24)
LENGTH = 80


class MadeUpSessionTests(ComparisonCase):
    """Any methods with any arguments, on whatever earlier calls have returned."""

    def test_sessions(self) -> None:
        """Results, errors with all their parts, and events are the same; each session ends well."""
        differences = []
        for seed in SEEDS:
            theirs, ours = self.bothSides(
                lambda daemon, seed=seed: runScript(
                    SCRIPT, daemon.uri(), str(seed), str(LENGTH), cwd=daemon.folder
                )
            )
            self.assertEqual((theirs.status, theirs.stderr), (0, ""))
            if ours != theirs:
                diff = difflib.unified_diff(
                    theirs.stdout.splitlines(), ours.stdout.splitlines(), "libvirtd", "pyvirt", n=1
                )
                # What follows the first difference may differ for that reason alone.
                differences.append(f"session {seed}: {ours.stderr}" + "\n".join([*diff][:12]))
        self.assertEqual(differences, [], "\n\n".join(differences))
