"""
C{make run} as a new user meets it: start it, paste what it prints.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.support import CHECKOUT, CLIENT_DEADLINE, requireVirsh, run

LISTED = " Id   Name   State\n----------------------\n 1    test   running\n\n"


class RunTests(SynchronousTestCase):
    """The program behind C{make run}, with a state folder of the test's own."""

    def start(self, state: str) -> dict[str, str]:
        """
        Start it, and wait until it says that the daemon answers.

        @return: the lines to paste, by their first word's last part.
        """
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(CHECKOUT, "tools", "run.py"), state],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(self.end)
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith("Control-C"):
                break
        else:
            self.fail("".join(lines))
        text = "".join(lines)
        found = re.findall(r"(?m)^    ((?:\S*/)?(\w+) -c .*)$", text)
        return {name: command for command, name in found}

    def end(self) -> int:
        """Press Control-C, as the terminal does: on the whole group."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        self.process.communicate(timeout=CLIENT_DEADLINE)
        return self.process.returncode

    def assertReachable(self, lines: dict[str, str]) -> None:
        """What it printed works when pasted."""
        requireVirsh()
        self.assertEqual(run(["sh", "-c", lines["virsh"]], cwd=CHECKOUT), (LISTED, "", 0))
        # The command is on the path of an installed environment; here its module will do.
        own = lines["pyvirsh"].replace(
            ".venv/bin/pyvirsh", f"{sys.executable} -c 'from pyvirt.shell.main import main; main()'"
        )
        self.assertEqual(run(["sh", "-c", own], cwd=CHECKOUT), (LISTED, "", 0))

    def folder(self) -> str:
        """A temporary folder with a short path."""
        folder = tempfile.mkdtemp(prefix="pv-", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def test_paste(self) -> None:
        """Both lines list the domain; Control-C ends everything in order and the sockets are gone."""
        state = os.path.join(self.folder(), "state with 'quotes' & more")
        self.assertReachable(self.start(state))
        self.assertEqual(self.end(), 0)
        self.assertEqual([name for name in os.listdir(state) if "sock" in name], [])
        self.assertReachable(self.start(state))

    def test_twice(self) -> None:
        """A second one says that the first is running, and how to reach it."""
        state = self.folder()
        lines = self.start(state)
        second = run([sys.executable, os.path.join(CHECKOUT, "tools", "run.py"), state])
        self.assertEqual(second.status, 1)
        self.assertIn("running already", second.stdout)
        self.assertIn(lines["virsh"], second.stdout)

    def test_deepFolder(self) -> None:
        """Where a path is too long for a socket the daemon is reached all the same."""
        state = os.path.join(self.folder(), *["a-rather-long-name"] * 7)
        lines = self.start(state)
        found = re.search(r"socket=([^']*)/libvirt-sock", lines["virsh"])
        assert found is not None
        self.addCleanup(shutil.rmtree, found[1], ignore_errors=True)
        self.assertFalse(found[1].startswith(state))
        self.assertReachable(lines)
