"""
Made-up sessions of stock virsh print the same on our daemon and on libvirtd 9.0.0, command by command.
"""

from __future__ import annotations

import os
import shutil

from tests.interop.support import DATA, ComparisonCase, servers, virsh
from tests.interop.virshsessions import marked, session, split

#: How many sessions of fifty command lines each; another range of seeds is another corpus.
SEEDS = range(60)


class MadeUpSessionTests(ComparisonCase):
    """Any commands with any options."""

    def setUp(self) -> None:
        """Sessions write to files, also to those that other tests find in the daemons' folders."""
        before = {daemon.folder: set(os.listdir(daemon.folder)) for daemon in servers()}
        self.addCleanup(self.restore, before)

    def restore(self, before: dict[str, set[str]]) -> None:
        """Make the folders what they were."""
        for folder, names in before.items():
            for name in set(os.listdir(folder)) - names:
                os.unlink(os.path.join(folder, name))
            shutil.copytree(DATA, folder, dirs_exist_ok=True)

    def test_sessions(self) -> None:
        """Each command line of each session has the same output, error output and effect on what follows."""
        differences = []
        for seed in SEEDS:
            lines = session(seed)
            text = marked(lines)
            theirs, ours = self.bothSides(
                lambda daemon, text=text: virsh(daemon.uri(), input=text, cwd=daemon.folder)
            )
            self.assertEqual(theirs.status, ours.status)
            outputs = [split(each) for each in (theirs.stdout, ours.stdout)]
            errors = [split(each) for each in (theirs.stderr, ours.stderr)]
            self.assertEqual(len(outputs[0]), len(lines))
            for number, line in enumerate(lines):
                pairs = [[each.get(number) for each in both] for both in (outputs, errors)]
                if any(one != other for one, other in pairs):
                    # What follows may differ for this reason alone.
                    differences.append(f"session {seed}, virsh # {line}\n{pairs}")
                    break
        self.assertEqual(differences, [], "\n\n".join(differences))
