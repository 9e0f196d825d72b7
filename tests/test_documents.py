"""
The documents keep their word: the README's examples run, and links lead somewhere.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EXAMPLE = re.compile(r"(?ms)^```python\n(.*?)^```$")
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def documents() -> list[str]:
    """The README and all of C{docs}."""
    folder = os.path.join(CHECKOUT, "docs")
    return [
        os.path.join(CHECKOUT, "README.md"),
        *(
            os.path.join(folder, name)
            for name in sorted(os.listdir(folder))
            if name.endswith(".md")
        ),
    ]


class DocumentTests(SynchronousTestCase):
    """What is written down is so."""

    def test_examples(self) -> None:
        """Each example of the README runs as it stands and shows the test driver's domain."""
        with open(os.path.join(CHECKOUT, "README.md")) as file:
            examples = EXAMPLE.findall(file.read())
        self.assertEqual(len(examples), 2)
        for example in examples:
            done = subprocess.run(
                [sys.executable, "-c", example],
                cwd=CHECKOUT,
                capture_output=True,
                text=True,
                timeout=180,
            )
            self.assertEqual((done.returncode, done.stderr), (0, ""), example)
            self.assertRegex(done.stdout, r"\btest\b")

    def test_links(self) -> None:
        """A link to a file of the tree leads to one, from wherever it stands."""
        lost = []
        for document in documents():
            with open(document) as file:
                for target in LINK.findall(file.read()):
                    path = os.path.join(os.path.dirname(document), target)
                    if "://" not in target and not os.path.exists(path):
                        lost.append(f"{os.path.relpath(document, CHECKOUT)}: {target}")
        self.assertEqual(lost, [])

    def test_indexIsWhole(self) -> None:
        """The index leads to every document."""
        with open(os.path.join(CHECKOUT, "docs", "index.md")) as file:
            linked = set(LINK.findall(file.read()))
        self.assertEqual(
            [
                name
                for name in map(os.path.basename, documents()[1:])
                if name != "index.md" and name not in linked
            ],
            [],
        )


class QEMUSettingsTests(SynchronousTestCase):
    """What is said of qemu.conf is complete."""

    def test_everySetting(self) -> None:
        """Each key that is read is said to be heeded, or to make no difference; no other is named."""
        from pyvirt.drivers.qemu import conf

        with open(os.path.join(CHECKOUT, "docs", "qemu.md")) as file:
            _, _, after = file.read().partition("\n## qemu.conf\n")
        section = after.partition("\n## ")[0]
        named = re.findall(r"`([a-z][a-z0-9]*_[a-z0-9_]+|user|group|nvram|namespaces)`", section)
        groups = (
            *(conf._STRINGS, conf._SWITCHES, conf._NUMBERS),
            *(conf._SIGNED, conf._LISTS, conf._MIXED),
        )
        self.assertEqual(sorted(named), sorted(key for group in groups for key in group))
