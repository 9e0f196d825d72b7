"""Drivers of other distributions are found, and looking for them costs little."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.distributions import mayOffer

_GROUP = "pyvirt.drivers"

_LOOK = """
import sys
from pyvirt.drivertable import loadFactories
found = [type(each).__name__ for each in loadFactories()]
print("importlib.metadata" in sys.modules, *found)
"""


class OfferTests(SynchronousTestCase):
    """What is on the path decides."""

    def setUp(self) -> None:
        self.folder = os.path.realpath(self.mktemp())
        os.mkdir(self.folder)

    def _add(self, name: str, text: bytes | None) -> None:
        place = os.path.join(self.folder, name)
        os.mkdir(place)
        if text is not None:
            with open(os.path.join(place, "entry_points.txt"), "wb") as file:
                file.write(text)

    def test_nobody(self) -> None:
        """Distributions without entry points, with others, our own, and what is none offer nothing."""
        self._add("plain-1.dist-info", None)
        self._add("scripts-1.dist-info", b"[console_scripts]\nrun = scripts:run\n\xff\xfe")
        self._add("pyvirt-1.0.dist-info", b"[pyvirt.drivers]\ntest = pyvirt.drivers.test:factory\n")
        self._add("pyvirt.drivers", b"[pyvirt.drivers]\n")
        with open(os.path.join(self.folder, "old.egg-info"), "w") as file:
            file.write("[pyvirt.drivers]")
        self.assertFalse(mayOffer(_GROUP, [self.folder, os.path.join(self.folder, "absent")]))

    def test_somebody(self) -> None:
        """One that names the group, or one too large to look at, may offer something."""
        self._add(
            "other-1.egg-info", b"[console_scripts]\n\n[pyvirt.drivers]\nmine = other:factory\n"
        )
        self.assertTrue(mayOffer(_GROUP, [self.folder]))
        self.assertFalse(mayOffer("pyvirt.lockmanagers", [self.folder]))
        egg = os.path.join(self.folder, "eggs-1.egg")
        os.mkdir(egg)
        self._add("eggs-1.egg/EGG-INFO", b"[eggs]\nmine = eggs:factory\n")
        self.assertTrue(mayOffer("eggs", [egg]))
        self._add("large-1.dist-info", b"#" * (1 << 20))
        self.assertTrue(mayOffer("pyvirt.lockmanagers", [self.folder]))

    def test_archive(self) -> None:
        """An archive on the path is for others to look into."""
        archive = os.path.join(self.folder, "modules.zip")
        with open(archive, "wb"):
            pass
        self.assertTrue(mayOffer(_GROUP, [archive]))

    def _look(self) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", _LOOK],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
            env={
                **os.environ,
                "PYVIRT_WITHOUT_DRIVERS": "host qemu remote",
                "PYTHONPATH": os.pathsep.join([self.folder, *sys.path]),
            },
        )
        return done.stdout.split()

    def test_loaded(self) -> None:
        """A driver of another distribution is loaded beside ours; without one, what reads entry points is not."""
        self.assertEqual(self._look(), ["False", "TestDriver"])
        self._add("other-1.dist-info", b"[pyvirt.drivers]\nmine = othersdriver:Mine\n")
        with open(os.path.join(self.folder, "other-1.dist-info", "METADATA"), "w") as file:
            file.write("Metadata-Version: 2.1\nName: other\nVersion: 1\n")
        with open(os.path.join(self.folder, "othersdriver.py"), "w") as file:
            file.write("class Mine:\n    pass\n")
        self.assertEqual(self._look(), ["True", "Mine", "TestDriver"])
