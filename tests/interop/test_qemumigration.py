"""
Guests of QEMU that move between two of our daemons, each in a world of its own, by stock virsh.

The guest counts on its console, which both hosts see: one that runs twice, or not at all, would be noticed there.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.qemuworld import _QEMU_CONF, PyvirtWorld, World, guestFiles
from tests.interop.support import Outcome, _clientEnvironment, requireVirsh

DEADLINE = 300.0


class MigrationTests(SynchronousTestCase):
    """Two hosts, one guest."""

    def setUp(self) -> None:
        self.kernel, self.initrd = guestFiles()
        self.shared = tempfile.mkdtemp(prefix="pv-shared-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.shared, ignore_errors=True)
        self.worlds: list[World] = []
        for _ in range(2):
            # What the system allows to those who are trusted alone, post-copy needs.
            world = PyvirtWorld(_QEMU_CONF + "clear_emulator_capabilities = 0\n")
            self.addCleanup(world.stop)
            self.worlds.append(world)
        self.here, self.there = self.worlds
        path = self.here.write(
            "guest.xml",
            f"""
            <domain type='qemu'>
              <name>guest</name><memory>131072</memory>
              <os>
                <type arch='x86_64' machine='pc'>hvm</type>
                <kernel>{self.kernel}</kernel><initrd>{self.initrd}</initrd>
                <cmdline>console=ttyS0 quiet</cmdline>
              </os>
              <devices><serial type='file'><source path='{self.console}' append='on'/></serial></devices>
            </domain>""",
        )
        self.done("define", path)
        self.done("start", "guest")
        self.until(lambda: self.ticks(), "the boot of the guest")

    @property
    def console(self) -> str:
        """Where the guest's console goes."""
        return os.path.join(self.shared, "console")

    def done(self, *command: str, world: World | None = None) -> Outcome:
        """Have virsh do something that succeeds."""
        world = world or self.here
        outcome = world.virsh(*command)
        self.assertEqual(outcome.status, 0, f"{command} {outcome} {world.log()}")
        return outcome

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for what happens elsewhere."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"{what} did not happen: {self.here.log()}{self.there.log()}")

    def ticks(self) -> list[int]:
        """What the guest has counted."""
        try:
            with open(self.console, errors="replace") as file:
                return [int(each) for each in re.findall(r"tick (\d+)\n", file.read())]
        except FileNotFoundError:
            return []

    def goesOn(self) -> None:
        """The guest counts on, every number once."""
        last = self.ticks()[-1]
        self.until(lambda: self.ticks()[-1] >= last + 2, "the guest's going on")
        seen = self.ticks()
        self.assertEqual(seen, list(range(1, len(seen) + 1)))

    def migrating(self, *options: str, address: str | None = None) -> list[str]:
        """The command that moves the guest to the other host."""
        socket = os.path.join(self.there.folder, "run/libvirt/libvirt-sock")
        return [
            *("migrate", "guest", f"qemu+unix:///system?socket={socket}", *options),
            address or f"unix://{self.shared}/memory.sock",
        ]

    def states(self) -> list[str]:
        """The guest's state here and there; empty where it is not known."""
        found = [world.virsh("domstate", "guest", "--reason") for world in self.worlds]
        return [each.stdout.strip() if each.status == 0 else "" for each in found]

    def begin(self, *options: str) -> subprocess.Popen[bytes]:
        """Begin to move the guest so slowly that it does not get there."""
        self.done("migrate-setspeed", "guest", "1")
        process = subprocess.Popen(
            self.here.inside(
                [requireVirsh(), "-c", "qemu:///system", *self.migrating("--live", *options)]
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_clientEnvironment(),
        )

        def end() -> None:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

        self.addCleanup(end)

        def begun() -> bool:
            if process.poll() is not None:
                assert process.stdout is not None
                self.fail(f"virsh ended: {process.stdout.read()!r} {self.states()}")
            return "Data processed" in self.here.virsh("domjobinfo", "guest").stdout

        self.until(begun, "the beginning of the migration")
        return process

    def stays(self) -> None:
        """The guest runs here, and there is nothing of it there."""
        self.until(
            lambda: self.states()[0].startswith("running") and not self.states()[1],
            f"the guest's staying ({self.states()})",
        )
        self.goesOn()

    def test_thereAndBack(self) -> None:
        """Live, with its definition, and back; then through TCP, paused."""
        self.done(*self.migrating("--live", "--persistent", "--undefinesource"))
        self.assertEqual(self.states(), ["", "running (migrated)"])
        self.goesOn()
        self.worlds.reverse()
        self.here, self.there = self.worlds
        self.done(*self.migrating("--persistent"))
        self.assertEqual(self.states(), ["shut off (migrated)", "running (migrated)"])
        self.goesOn()
        self.assertEqual(
            self.done("domjobinfo", "guest", world=self.there).stdout.split()[2], "None"
        )
        self.done("destroy", "guest", world=self.there)
        self.done(*self.migrating("--offline", "--persistent", "--undefinesource"), world=self.here)
        self.assertEqual(self.states(), ["", "shut off (destroyed)"])

    def test_stays(self) -> None:
        """Whatever fails, and whoever is killed in the middle, the guest goes on here and nothing of it is left there."""
        for fault in (
            self.refused,
            self.aborted,
            self.clientKilled,
            self.destinationKilled,
            self.sourceKilled,
            self.postCopy,
        ):
            fault()

    def refused(self) -> None:
        """What cannot be done is refused, and the guest goes on as if nothing had been asked."""
        for options, address, words in (
            (["--live"], "unix:///proc/nothing/socket", "No such file or directory"),
            (["--live"], "nonsense:x", "unsupported scheme nonsense in migration URI nonsense:x"),
            (["--live"], "tcp:", "missing host in migration URI"),
            (["--offline"], None, "offline migration must be specified with the persistent flag"),
            (["--live", "--dname", "a/b"], None, "name a/b cannot contain '/'"),
        ):
            outcome = self.here.virsh(*self.migrating(*options, address=address))
            self.assertEqual(outcome.status, 1, str(outcome))
            self.assertIn(words, outcome.stderr)
            self.assertEqual(self.states()[1], "")
        same = os.path.join(self.here.folder, "run/libvirt/libvirt-sock")
        outcome = self.here.virsh("migrate", "guest", f"qemu+unix:///system?socket={same}")
        self.assertIn("Attempt to migrate guest to the same host", outcome.stderr)
        self.stays()

    def aborted(self) -> None:
        """Given up in the middle, the guest stays; what would change it waits meanwhile."""
        process = self.begin()
        self.assertIn("Outgoing migration", self.done("domjobinfo", "guest").stdout)
        self.done("domjobabort", "guest")
        self.assertEqual(process.wait(DEADLINE), 1)
        assert process.stdout is not None
        self.assertIn(
            b"operation aborted: job 'migration out' canceled by client", process.stdout.read()
        )
        self.stays()

    def clientKilled(self) -> None:
        """Who led the migration is killed: the guest stays."""
        process = self.begin()
        # What we have started is the way into the world; virsh is its child.
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
            os.kill(int(file.read().split()[0]), signal.SIGKILL)
        process.wait(DEADLINE)
        self.stays()

    def destinationKilled(self) -> None:
        """The other host's daemon is killed: the guest stays, and what waited there is ended at its next start."""
        process = self.begin()
        self.there.stopDaemon(signal.SIGKILL)
        self.assertEqual(process.wait(DEADLINE), 1)
        self.there.startDaemon()
        self.stays()

    def sourceKilled(self) -> None:
        """This host's daemon is killed: started again, it finds the guest and lets it stay."""
        process = self.begin()
        self.here.stopDaemon(signal.SIGKILL)
        self.assertEqual(process.wait(DEADLINE), 1)
        self.here.startDaemon()
        self.stays()

    def postCopy(self) -> None:
        """In the middle the guest goes on over there, and the rest of its memory follows, where the system allows that."""
        trial = self.here.virsh(*self.migrating("--live", "--postcopy", address="tcp:127.0.0.1:1"))
        self.assertEqual(trial.status, 1)
        if "Postcopy is not supported" in trial.stderr:
            self.stays()
            return
        process = self.begin("--postcopy")
        self.done("migrate-postcopy", "guest")
        self.done("migrate-setspeed", "guest", "1000")
        self.assertEqual(process.wait(DEADLINE), 0)
        self.assertEqual(self.states(), ["shut off (migrated)", "running (migrated)"])
        self.goesOn()
