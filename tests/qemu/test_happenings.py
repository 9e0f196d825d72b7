"""
What QEMU tells reaches those who know what to do, whatever was loaded before.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

import pyvirt.drivers.qemu as driver
from pyvirt.drivers.qemu.happenings import ELSEWHERE

_FOLDER = os.path.dirname(driver.__file__)


class TableTests(SynchronousTestCase):
    """The table of events that are dealt with elsewhere."""

    def test_whole(self) -> None:
        """Each event that another module than the table's deals with is found there."""
        found = {}
        for folder, _, names in os.walk(_FOLDER):
            for name in names:
                path = os.path.join(folder, name)
                if name.endswith(".py") and name != "happenings.py":
                    with open(path, encoding="utf-8") as file:
                        for event in re.findall(r'\bhandles\("(\w+)"\)', file.read()):
                            module = os.path.relpath(path, _FOLDER).removesuffix(".py")
                            found[event] = module.replace(os.sep, ".")
        self.assertEqual(found, ELSEWHERE)

    def test_loaded(self) -> None:
        """They are loaded when the first one comes, by a daemon that has only found its guests again."""
        program = (
            "import sys\n"
            "from types import SimpleNamespace as Thing\n"
            "import pyvirt.drivers.qemu.reconnecting\n"
            "from pyvirt.drivers.qemu import happenings\n"
            "from pyvirt.drivers.qemu.qmp import MonitorEvent\n"
            "early = set(happenings.HANDLERS)\n"
            "guest = object()\n"
            "domain = Thing(guest=guest)\n"
            "import pyvirt.drivers.qemu.monitorevents as events\n"
            "events.passOn = lambda *_: None\n"
            "for name in ('BLOCK_WRITE_THRESHOLD', 'DEVICE_DELETED'):\n"
            "    happenings.happened(None, domain, guest, MonitorEvent(name, {}, 0, 0))\n"
            "print(sorted(set(happenings.HANDLERS) - early))\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        self.assertIn("'BLOCK_WRITE_THRESHOLD'", done.stdout)
        self.assertIn("'DEVICE_DELETED'", done.stdout)
