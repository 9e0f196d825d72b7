"""
Made-up sessions of stock virsh print the same on our daemon and on libvirtd 9.0.0, command by command.
"""

from __future__ import annotations

import os
import shutil

from tests.interop.support import DATA, ComparisonCase, Daemon, Outcome, servers, virsh
from tests.interop.virshsessions import marked, session, split

#: Sessions that somebody typed; the first line may name the file of a host.
TYPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "handsessions.txt")

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
        self.compare([(f"session {seed}", "", session(seed)) for seed in SEEDS])

    def test_typed(self) -> None:
        """So has each line of what somebody typed, on the default host or on one in a file."""
        with open(TYPED) as file:
            texts = file.read().split("####\n")
        sessions = []
        for number, text in enumerate(texts):
            host, _, rest = text.partition("\n") if text.startswith("@") else ("", "", text)
            sessions.append((f"typed session {number}", host[1:], rest.splitlines()))
        self.compare(sessions)

    def compare(self, sessions: list[tuple[str, str, list[str]]]) -> None:
        differences = []
        for name, host, lines in sessions:
            text = marked(lines)

            def act(daemon: Daemon, text: str = text, host: str = host) -> Outcome:
                uri = daemon.uri()
                if host:
                    uri = uri.replace("///default", f"//{daemon.folder}/{host}")
                return virsh(uri, input=text, cwd=daemon.folder)

            theirs, ours = self.bothSides(act)
            self.assertEqual(theirs.status, ours.status)
            outputs = [split(each) for each in (theirs.stdout, ours.stdout)]
            errors = [split(each) for each in (theirs.stderr, ours.stderr)]
            self.assertEqual([len(outputs[0]), len(errors[0])], [len(lines)] * 2)
            for number, line in enumerate(lines):
                if "--validate" in line:
                    # What is wrong, in which element, is said by libxml2, and by each of its versions otherwise.
                    for each in errors:
                        each[number] = [text for text in each[number] if text[:6] == "error:"]
                pairs = [[each.get(number) for each in both] for both in (outputs, errors)]
                if any(one != other for one, other in pairs):
                    # What follows may differ for this reason alone.
                    differences.append(f"{name}, virsh # {line}\n{pairs}")
                    break
        self.assertEqual(differences, [], "\n\n".join(differences))
