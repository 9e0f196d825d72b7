"""
What our client does where a daemon offers less, beside libvirt's own client: ways to migrate, and to hear of events.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from tests.interop import fallbackscripts
from tests.interop.support import CHECKOUT, requireBinding, run
from tests.interop.test_blocking import INSTEAD


class FallbackTests(SynchronousTestCase):
    """Both clients, each with a daemon that does nothing but note what it is asked."""

    maxDiff = None

    def setUp(self) -> None:
        requireBinding()
        self.folder = tempfile.mkdtemp(prefix="pv-less-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.daemons: list[tuple[str, subprocess.Popen[str]]] = []
        for name in ("binding", "ours"):
            path = os.path.join(self.folder, name)
            daemon = subprocess.Popen(
                [sys.executable, "-m", "tests.interop.lesserdaemon", path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=CHECKOUT,
            )
            self.addCleanup(self.end, daemon)
            self.daemons.append((path, daemon))
        for _, daemon in self.daemons:
            assert daemon.stdout is not None
            self.assertEqual(daemon.stdout.readline(), "ready\n")

    def end(self, daemon: subprocess.Popen[str]) -> None:
        """End a daemon by the end of what it reads."""
        assert daemon.stdin is not None and daemon.stdout is not None
        daemon.stdin.close()
        daemon.wait(60)
        daemon.stdout.close()

    def compare(self, script: str) -> str:
        """Run a script by both; return what it prints by libvirt's client."""
        told = []
        for (path, _), interpreter, first in zip(
            self.daemons, (requireBinding(), sys.executable), ("", INSTEAD % CHECKOUT), strict=True
        ):
            done = run([interpreter, "-c", f"{first}import libvirt, sys\n{script}", path])
            self.assertEqual(done.status, 0, done.stderr)
            # Of the two calls that end the same, libvirt's client takes that of who was last.
            text = done.stdout.replace("EventDeregister []", "EventDeregisterAny [0]")
            told.append(text.replace(path, "SOCKET"))
        self.assertEqual(told[1].splitlines(), told[0].splitlines())
        return told[0]

    def test_migration(self) -> None:
        """
        Whatever the daemons know of migration, the same is asked of both in the same order, and told.
        """
        told = self.compare(fallbackscripts.MIGRATION)
        for name in ("Prepare", "Prepare2", "Prepare3", "Prepare3Params"):
            self.assertIn(f"there domainMigrate{name} ", told)

    def test_events(self) -> None:
        """
        Events are heard of daemons that know no numbers of callbacks, each once, and no longer than asked for.
        """
        told = self.compare(fallbackscripts.EVENTS)
        self.assertIn("connectDomainEventRegisterAny [15]", told)
