"""
A real polkitd, with rules of the test's own: who may come in and who may do what, at libvirtd and at pyvirt.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.interop import polkitscript
from tests.interop.support import CHECKOUT, found, requireBinding, requireLibvirtd, requireVirsh

POLKITD = "/usr/lib/polkit-1/polkitd"


class PolkitTests(SynchronousTestCase):
    """Users whom the rules let in, turn away, or would ask for a password."""

    def setUp(self) -> None:
        requireLibvirtd()
        requireVirsh()
        requireBinding()
        if not os.path.exists(POLKITD) or found("pkcheck") is None or found("dbus-daemon") is None:
            raise SkipTest("polkitd and dbus-daemon are not installed (polkitd, dbus)")
        self.around = ["unshare", "-m", "-p", "-f", "--kill-child", "--mount-proc"]
        self.around += ["--propagation", "private"]
        if os.geteuid() or subprocess.run([*self.around, "true"], capture_output=True).returncode:
            raise SkipTest("only root has namespaces of its own, and users to be")

    def outcomes(self) -> dict[str, list[Any]]:
        folder = tempfile.mkdtemp(prefix="pv-polkit-", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        done = subprocess.run(
            [*self.around, sys.executable, polkitscript.__file__, folder],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "PYTHONPATH": CHECKOUT},
        )
        if done.returncode:
            self.fail(done.stderr)
        answer: dict[str, list[Any]] = json.loads(done.stdout)
        return answer

    def test_same(self) -> None:
        """
        Both daemons let the same users in, with the same errors for the others, and both let them do the same.
        """
        outcomes = self.outcomes()
        libvirtd, ours = outcomes["login"]
        self.assertEqual(ours, libvirtd)
        self.assertEqual(ours["client"], ours["binding"])
        # The rules were asked at all.
        root, nobody, daemon, bin = (ours["client"][str(each)] for each in (0, 65534, 1, 2))
        self.assertEqual([*root, *nobody, daemon[1]], ["['test']"] * 5)
        self.assertIn("no polkit agent available", daemon[0])
        self.assertEqual([each.partition(" ")[0] for each in bin], ["45", "45"])
        (access,) = outcomes["access"]
        denied = "access denied: 'Test' denied access"
        # Polkit asks no rule about root.
        self.assertIn("Domain 'test' destroyed", access["root"][0])
        self.assertIn("Domain 'test' suspended", access["nobody"][0])
        self.assertNotIn("destroyed", access["nobody"][0])
        self.assertIn(denied, access["nobody"][1])
        self.assertIn("Domain 'test' destroyed", access["daemon"][0])
        for user in ("nobody", "daemon"):
            self.assertIn("default-pool", access[user][0])
            self.assertNotIn(" default ", access[user][0])
