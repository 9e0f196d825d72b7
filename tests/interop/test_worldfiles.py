"""
Hosts in files: read or refused as by libvirtd's test driver.
"""

from __future__ import annotations

import os

from .support import ComparisonCase, Daemon, Outcome, virsh
from .worldfiles import CHANGES, COMMANDS, DOCUMENT


class WorldFileTests(ComparisonCase):
    """
    One file, and others that differ from it in one place.
    """

    def test_files(self) -> None:
        """
        Every file is read to the same host, or refused in the same words.
        """
        for number, (old, new) in enumerate(CHANGES):
            self.assertIn(old, DOCUMENT)

            def act(
                daemon: Daemon, number: int = number, old: str = old, new: str = new
            ) -> Outcome:
                path = os.path.join(daemon.folder, f"world{number}.xml")
                with open(path, "w") as file:
                    file.write(DOCUMENT.replace(old, new, 1) if old else DOCUMENT)
                return virsh(daemon.uri(path), input=COMMANDS)

            self.assertSame(f"{old!r} is {new!r}", act)
