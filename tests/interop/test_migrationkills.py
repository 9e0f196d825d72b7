"""
Daemons and guests are killed at moments that nobody chose, in the middle of migrations of every kind.

Afterwards the guest runs once; nothing of it is lost, and nothing is left of what did not come.  How often something
is killed is in C{PYVIRT_KILLS}, what the moments are in C{PYVIRT_SEED}.
"""

from __future__ import annotations

import os
import random
import signal
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.migrationpairs import Pair
from tests.interop.qemuworld import PyvirtWorld, World

KILLS = int(os.environ.get("PYVIRT_KILLS", "8")) // 8

#: How the guest is moved.
WAYS = {
    "direct": "",
    "peer": "--p2p",
    "tunnel": "--p2p --tunnelled",
    "copy": "--copy-storage-all --migrate-disks vdb",
    "peer copy": "--p2p --copy-storage-all --migrate-disks vdb",
    "post-copy": "--postcopy --timeout 1 --timeout-postcopy",
    "peer post-copy": "--p2p --postcopy --timeout 1 --timeout-postcopy",
}
VICTIMS = ("source's daemon", "destination's daemon", "source's guest", "destination's guest")

#: What may be done with a guest of which neither half is whole, where, and what is said of it.
_HALF = (
    ("here", "domjobabort guest", "cannot abort migration in post-copy mode"),
    ("here", "domjobabort guest --postcopy", "only supported during postcopy-active state"),
    ("there", "domjobinfo guest", "migration statistics are available only on the source host"),
    ("here", "migrate guest URI --live", "another migration job is already running for domain"),
)


class MigrationKillTests(SynchronousTestCase):
    """One guest, two hosts, and somebody who kills."""

    kind: type[World] = PyvirtWorld

    def test_kills(self) -> None:
        """Whoever is killed, and whenever: one guest, its definition, its lease; and post-copy is taken up again."""
        pair = self.pair = Pair(self, self.kind, locks=True)
        with open(pair.path("disk.img"), "wb") as file:
            file.truncate(1 << 20)
        chance = random.Random(int(os.environ.get("PYVIRT_SEED", "7")))
        for number in range(KILLS):
            way, victim = chance.choice(list(WAYS)), chance.choice(VICTIMS)
            moment, keep = chance.random() * 3, chance.random() < 0.5
            what = f"{number}: {victim} by {way} after {moment:.2f}, {keep}"
            self.one(what, way, victim, keep, moment)
        self.takenUp()

    def begin(self, *options: str, speed: str = "2") -> tuple[str, ...]:
        """Have the guest run, and return what moves it, slowly."""
        pair = self.pair
        for world in pair.worlds:
            own = os.path.join(world.folder, "var/lib/libvirt/images/own.raw")
            with open(own, "wb") as file:
                file.truncate(1 << 20)
        pair.begin(pair.here, pair.document(self.disks()))
        pair.done("migrate-setspeed", "guest", speed)
        pair.done("migrate-setspeed", "guest", "1", "--postcopy")
        return ("migrate", "guest", pair.uri(), "--live", "--unsafe", *options)

    def disks(self) -> str:
        """A disk that both hosts see, and one of each host's own."""
        own = "/var/lib/libvirt/images/own.raw"
        return "".join(
            f"<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
            f"<source file='{path}'/><target dev='{name}' bus='virtio'/></disk>"
            for name, path in (("vda", self.pair.path("disk.img")), ("vdb", own))
        )

    def one(self, what: str, way: str, victim: str, keep: bool, moment: float) -> None:
        """Move the guest, kill somebody, and look at what there is."""
        options = [*WAYS[way].split(), "--persistent"]
        if not keep:
            options.append("--undefinesource")
        process = self.pair.popen(*self.begin(*options))
        # The moment is what this is about; nothing waits for it.
        time.sleep(moment)
        self.kill(victim)
        try:
            output, _ = process.communicate(timeout=150)
        finally:
            process.kill()
            process.communicate()
        said = f"{what}: {process.returncode} {output.decode().strip()}"
        self.settled(said, victim.endswith("daemon") and "post-copy" not in way)
        self.end(said)

    def kill(self, victim: str) -> None:
        """Kill somebody; a daemon starts again at once."""
        pair = self.pair
        world = pair.here if victim.startswith("source") else pair.there
        if victim.endswith("daemon"):
            world.stopDaemon(signal.SIGKILL)
            world.startDaemon()
        else:
            pair.killGuest(world)

    def running(self) -> int:
        """At how many ends the guest runs."""
        return sum(each.startswith("running") for each in self.pair.states())

    def wrong(self, runs: bool) -> list[str]:
        """
        What is not as it should be once nothing happens any more.

        @param runs: whether the guest must run.
        """
        pair, found = self.pair, []
        for world in pair.worlds:
            active = world.virsh("list", "--uuid").stdout.split()
            if active != pair.processes(world):
                found.append(f"{active} is told, {pair.processes(world)} runs")
            # Halves are kept as they are, and their migration with them.
            half = "post-copy failed" in pair.state(world)
            if active and not half and "None" not in world.virsh("domjobinfo", "guest").stdout:
                found.append("a job is left")
            if not active:
                found += pair.left(world)
        if self.running() > 1 or (runs and self.running() != 1):
            found.append("it does not run once")
        if pair.locked(pair.path("disk.img")) != self.running():
            found.append("its leases are not what they should be")
        defined = [each.virsh("list", "--all", "--persistent", "--name") for each in pair.worlds]
        if not any(each.stdout.split() for each in defined):
            found.append("it is not defined any more")
        return found

    def settled(self, what: str, runs: bool) -> None:
        """Wait until nothing happens any more and all is well."""
        self.pair.until(
            lambda: not self.wrong(runs),
            lambda: f"{what}: a good end ({self.pair.states()} {self.wrong(runs)})",
        )

    def end(self, what: str) -> None:
        """Have no guest any more, and nothing of it."""
        pair = self.pair
        for world in pair.worlds:
            world.virsh("destroy", "guest")
            world.virsh("undefine", "guest")
        pair.until(
            lambda: not any(pair.left(each) for each in pair.worlds),
            lambda: f"{what}: an end of {[pair.left(each) for each in pair.worlds]}",
        )
        self.assertEqual(pair.locked(pair.path("disk.img")), 0, what)

    def takenUp(self) -> None:
        """Memory that follows stops coming; daemons that are killed then know of it; it is taken up again."""
        pair = self.pair
        move = self.begin("--postcopy", "--persistent", "--undefinesource", speed="1")
        process = pair.popen(*move)
        pair.until(
            lambda: "Data processed" in pair.virsh("domjobinfo", "guest").stdout,
            lambda: "the beginning",
        )
        again = pair.virsh(*move, "--postcopy-resume")
        self.assertIn("is not in post-copy phase", again.stderr)
        pair.done("migrate-postcopy", "guest")
        # If it is over before it can be stopped, this machine has other things to do, and all is well anyway.
        stopped = pair.virsh("domjobabort", "guest", "--postcopy").status == 0
        output, _ = process.communicate(timeout=150)
        if not stopped:
            self.assertEqual(process.returncode, 0, output)
        else:
            self.assertIn(b"job 'migration in' failed in post-copy phase", output)
            half = ("paused (post-copy failed)", "running (post-copy failed)")
            pair.until(lambda: pair.states() == half, lambda: f"two halves: {pair.states()}")
            for world in pair.worlds:
                world.stopDaemon(signal.SIGKILL)
                world.startDaemon()
            pair.until(lambda: pair.states() == half, lambda: f"two halves: {pair.states()}")
            for where, command, words in _HALF:
                outcome = pair.virsh(
                    *command.replace("URI", pair.uri()).split(), world=getattr(pair, where)
                )
                self.assertIn(words, outcome.stderr, command)
            options = ("--live", "--postcopy", "--postcopy-resume", "--persistent")
            outcome = pair.virsh("migrate", "guest", pair.uri(), *options, "--undefinesource")
            self.assertEqual(outcome.status, 0, str(outcome))
        self.settled("taken up again", True)
        self.assertEqual(pair.states(), ("", "running (migrated)"))
        self.end("taken up again")
