"""
The daemon is killed at moments that nobody chose, in the middle of what it does to guests, and started again.

Nothing may be lost by that: no guest, no definition, no lease; and nothing may be there twice.  How often it is killed
is in C{PYVIRT_KILLS}.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time

from tests.interop.qemuworld import PyvirtWorld, World
from tests.interop.support import _clientEnvironment, requireVirsh
from tests.interop.test_qemulocks import LeaseCase

KILLS = int(os.environ.get("PYVIRT_KILLS", "8"))

#: What is done to the guests; C{FOLDER} is the world's.
COMMANDS = """
start one
start one
start one --paused
start two
suspend one
resume one
reset one
destroy one
destroy two
save one FOLDER/saved
restore FOLDER/saved
managedsave one
setmem one 40000
attach-disk one FOLDER/extra.img vdb --live
detach-disk one vdb --live
define FOLDER/three.xml
undefine three
desc one --title something
"""

#: What may be there or not, as it is defined and undefined.
_COMING_AND_GOING = {"three"}


class KillTests(LeaseCase):
    """Guests that want one disk, under a daemon that does not live long."""

    def test_kills(self) -> None:
        """After each restart every process is one guest that is listed, defined and leased as it should be."""
        world = self.world(PyvirtWorld)
        world.write("extra.img", "\0" * (1 << 20))
        with open(f"{world.folder}/one.xml") as file:
            world.write("three.xml", file.read().replace("<name>one<", "<name>three<"))
        chance = random.Random(4)
        commands = COMMANDS.strip().splitlines()
        for number in range(KILLS):
            command = chance.choice(commands).replace("FOLDER", world.folder)
            client = subprocess.Popen(
                world.inside([requireVirsh(), "-c", "qemu:///system", *command.split()]),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_clientEnvironment(),
            )
            # The moment is what this is about; nothing waits for it.
            time.sleep(chance.random() * 0.4)
            world.stopDaemon(signal.SIGKILL)
            client.wait(120)
            world.startDaemon()
            self.check(world, f"{number}: {command}")

    def test_unwritten(self) -> None:
        """A guest of which nothing was written before the daemon died is ended; one that is known goes on."""
        world = self.world(PyvirtWorld)
        self.done(world, "start", "one", "--paused")
        world.stopDaemon(signal.SIGKILL)
        world.startDaemon()
        self.assertEqual(len(self.running(world)), 1)
        world.stopDaemon(signal.SIGKILL)
        os.unlink(f"{world.folder}/run/libvirt/qemu/one.xml")
        world.startDaemon()
        world._wait(lambda: not self.running(world), "the end of the guest", 60.0)
        self.done(world, "start", "two")

    def check(self, world: World, what: str) -> None:
        """Compare what runs with what is listed, defined and leased."""
        try:
            # A guest that was being started is ended, which takes a moment.
            world._wait(lambda: self.listed(world) == self.running(world), what, 30.0)
        except AssertionError:
            self.assertEqual(self.listed(world), self.running(world), f"{what}\n{world.log()}")
        defined = set(world.virsh("list", "--all", "--persistent", "--name").stdout.split())
        self.assertEqual(defined - _COMING_AND_GOING, {"one", "two"}, what)
        active = world.virsh("list", "--name").stdout.split()
        self.assertLess(len(active), 2, what)
        states = [world.virsh("domstate", name).stdout.strip() for name in active]
        if states == ["running"]:
            self.assertTrue(self.leased(world), what)
        if not active:
            self.assertFalse(self.leased(world), what)
        for folder in ("/etc/libvirt/qemu", "/run/libvirt/qemu"):
            left = [name for name in os.listdir(world.folder + folder) if name.endswith(".new")]
            self.assertEqual(left, [], what)

    def listed(self, world: World) -> list[str]:
        """The guests that the daemon lists as running."""
        return sorted(world.virsh("list", "--uuid").stdout.split())

    def running(self, world: World) -> list[str]:
        """The guests that there are processes of."""
        lines = world.run(["pgrep", "-a", "qemu-system"]).stdout.splitlines()
        return sorted(found[1] for line in lines if (found := re.search(r" -uuid (\S+)", line)))
