"""
The daemon is killed at moments that nobody chose, in the middle of what it does to guests, and started again.

Nothing may be lost by that: no guest, no definition, no lease; and nothing may be there twice.  How often it is killed
is in C{PYVIRT_KILLS}; what chance does, in C{PYVIRT_SEED}.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time

from tests.interop.qemuworld import PyvirtWorld, World, guestFiles
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

#: What is done to a guest whose disk has a history; C{TURN} is another number each time.
HISTORY = """
snapshot-create-as more inside-TURN
snapshot-create-as more outside-TURN --disk-only --diskspec vda,file=FOLDER/over-TURN.qcow2
snapshot-revert more inside-LAST --force
snapshot-delete more inside-LAST
snapshot-delete more outside-LAST --metadata
blockcommit more vda --active --pivot --wait
blockcommit more vda --active
blockjob more vda --abort
blockjob more vda --pivot
blockcopy more vda FOLDER/copy-TURN.qcow2 --wait --pivot --transient-job
blockcopy more vda FOLDER/copy-TURN.qcow2 --transient-job
blockpull more vda --wait
checkpoint-create-as more check-TURN
checkpoint-delete more check-LAST
backup-begin more
domjobabort more
save more FOLDER/saved-more
restore FOLDER/saved-more
managedsave more
start more
destroy more
suspend more
resume more
attach-device more FOLDER/rng.xml
detach-device more FOLDER/rng.xml
attach-device more FOLDER/rng.xml --config
attach-disk more FOLDER/extra.img vdb --live
detach-disk more vdb --live
setvcpus more 2 --live
dump more FOLDER/core-TURN
dump more FOLDER/core-TURN --live --memory-only
screenshot more FOLDER/shot
"""

#: What tells of a guest's disks.
_TOLD = ("domblklist more", "dumpxml more", "dumpxml more --inactive")

_MORE = """
<domain type='qemu'><name>more</name><uuid>5f4c1d0a-8a7e-4b5c-9d55-6a7c1e0b9d11</uuid>
<memory>65536</memory><vcpu current='1'>2</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type><kernel>{kernel}</kernel><initrd>{initrd}</initrd>
<cmdline>console=ttyS0</cmdline></os>
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{folder}/more.qcow2'/>
<target dev='vda' bus='virtio'/></disk></devices></domain>"""

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
        chance = random.Random(int(os.environ.get("PYVIRT_SEED", "4")))
        commands = COMMANDS.strip().splitlines()
        for number in range(KILLS):
            command = chance.choice(commands).replace("FOLDER", world.folder)
            self.kill(world, command, chance.random() * 0.4)
            self.check(world, f"{number}: {command}")

    def kill(self, world: World, command: str, moment: float) -> None:
        """Have virsh do something, and kill the daemon so many seconds later."""
        client = subprocess.Popen(
            world.inside([requireVirsh(), "-c", "qemu:///system", *command.split()]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_clientEnvironment(),
        )
        # The moment is what this is about; nothing waits for it.
        time.sleep(moment)
        world.stopDaemon(signal.SIGKILL)
        client.wait(120)
        world.startDaemon()

    def test_history(self) -> None:
        """Whatever was being done to the disk of a guest, it is still whole: what is defined of it can be started."""
        world = self.more()
        chance = random.Random(int(os.environ.get("PYVIRT_SEED", "5")))
        commands = HISTORY.strip().splitlines()
        done: list[str] = []
        for number in range(max(KILLS // 4, 1)):
            if not world.virsh("list", "--name").stdout.strip():
                self.done(world, "start", "more")
            # Something to begin with, and then that in whose middle the daemon dies.
            for last in (False, True):
                command = chance.choice(commands).replace("FOLDER", world.folder)
                command = command.replace("TURN", f"{number}{'b' if last else 'a'}")
                command = command.replace("LAST", str(chance.randrange(number + 1)) + "a")
                done.append(command)
                if last:
                    self.kill(world, command, chance.random() * 0.6)
                else:
                    done.append(str(world.virsh(*command.split())))
            self.whole(world, "\n".join(done[-30:]))

    def test_unwrittenImages(self) -> None:
        """
        What a guest's disk has become is found out if the daemon died before it was written down.

        That is a moment too short to be met, so what was written is taken back.
        """
        world = self.more()
        self.done(world, "start", "more", "--paused")
        for command in (
            f"snapshot-create-as more s --disk-only --diskspec vda,file={world.folder}/over.qcow2",
            "blockcommit more vda --active --pivot --wait",
        ):
            written = {}
            for path in ("/run/libvirt/qemu/more.xml", "/etc/libvirt/qemu/more.xml"):
                with open(world.folder + path) as file:
                    written[world.folder + path] = file.read()
            self.done(world, *command.split())
            told = [world.virsh(*each.split()).stdout for each in _TOLD]
            world.stopDaemon(signal.SIGKILL)
            for path, text in written.items():
                with open(path, "w") as file:
                    file.write(text)
            world.startDaemon()
            self.assertEqual([world.virsh(*each.split()).stdout for each in _TOLD], told, command)
            self.whole(world, command)
        world.write("over.qcow2", "nobody needs it")
        self.done(world, "destroy", "more")
        self.whole(world, "started again")

    def more(self) -> World:
        """Make a world that has a guest whose disk can have a history."""
        world = self.world(PyvirtWorld)
        kernel, initrd = guestFiles()
        image = f"{world.folder}/more.qcow2"
        command = ["qemu-img", "create", "-q", "-f", "qcow2", image, "4M"]
        self.assertEqual(world.run(command).status, 0)
        world.write("extra.img", "\0" * (1 << 20))
        world.write(
            "rng.xml",
            "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
        )
        text = _MORE.format(kernel=kernel, initrd=initrd, folder=world.folder)
        self.done(world, "define", world.write("more.xml", text))
        return world

    def whole(self, world: World, what: str) -> None:
        """Look at the guest, and start it if it does not run."""
        try:
            world._wait(lambda: self.listed(world) == self.running(world), what, 30.0)
        except AssertionError:
            self.assertEqual(self.listed(world), self.running(world), f"{what}\n{world.log()}")
        defined = set(world.virsh("list", "--all", "--persistent", "--name").stdout.split())
        self.assertEqual(defined, {"one", "two", "more"}, what)
        for command in ("domblklist more", "snapshot-list more", "checkpoint-list more"):
            outcome = world.virsh(*command.split())
            self.assertEqual(outcome.status, 0, f"{what}\n{outcome}")
        if not self.listed(world):
            self.assertEqual(self.leases(world), [], what)
            outcome = world.virsh("start", "more", "--force-boot")
            self.assertEqual(outcome.status, 0, f"{what}\n{outcome}\n{world.log()}")
        elif world.virsh("domstate", "more").stdout.strip() == "running":
            self.assertNotEqual(self.leases(world), [], what)
        # What the daemon says the guest writes to is what it writes to.
        question = '{"execute":"query-block"}'
        reply = json.loads(world.virsh("qemu-monitor-command", "more", question).stdout)
        used = [each["inserted"]["image"]["filename"] for each in reply["return"]]
        rows = world.virsh("domblklist", "more").stdout.splitlines()[2:]
        told = [row.split()[1] for row in rows if row.strip()]
        self.assertEqual(sorted(used), sorted(told), f"{what}\n{world.log()}")
        self.finished(world, what)
        self.assertNotIn("Traceback", world.log(), what)

    def finished(self, world: World, what: str) -> None:
        """Wait until nothing is half written: not for long, for the daemon writes on."""
        places = ("/etc/libvirt/qemu", "/run/libvirt/qemu", "/var/lib/libvirt/qemu")

        def left() -> list[str]:
            found = [path for each in places for path in os.walk(world.folder + each)]
            return [name for _, _, names in found for name in names if name.endswith(".new")]

        world._wait(lambda: not left(), f"{what}: the end of {left()}", 30.0)

    def leases(self, world: World) -> list[str]:
        """The images on which somebody has the lock that a lease is."""
        with open("/proc/locks") as file:
            rows = file.read().splitlines()
        locked = {row.split()[5].rpartition(":")[2] for row in rows if row.endswith(" 0 0")}
        names = [each for each in os.listdir(world.folder) if each.endswith((".qcow2", ".img"))]
        return [n for n in names if str(os.stat(f"{world.folder}/{n}").st_ino) in locked]

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

    def test_halfStarted(self) -> None:
        """
        Of a network that was being started when the daemon died nothing is left, and it can be started.

        That is a moment too short to be met, so what is written in it is written again.
        """
        world = self.world(PyvirtWorld)
        xml = "<network><name>n</name><bridge name='vb0'/><ip address='192.168.77.1'/></network>"
        self.done(world, "net-define", world.write("n.xml", xml))
        self.done(world, "net-start", "n")
        world.stopDaemon(signal.SIGKILL)
        path = f"{world.folder}/run/libvirt/network/n.xml"
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace("<networkstatus>", "<networkstatus starting='yes'>"))
        world.startDaemon()
        self.assertEqual(world.virsh("net-list", "--name").stdout.strip(), "")
        self.assertNotIn("vb0", world.run(["ls", "/sys/class/net"]).stdout)
        self.assertFalse(os.path.exists(path))
        self.done(world, "net-start", "n")
        self.assertIn("vb0", world.run(["ls", "/sys/class/net"]).stdout)

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
        self.finished(world, what)

    def listed(self, world: World) -> list[str]:
        """The guests that the daemon lists as running."""
        return sorted(world.virsh("list", "--uuid").stdout.split())

    def running(self, world: World) -> list[str]:
        """The guests that there are processes of."""
        lines = world.run(["pgrep", "-a", "qemu-system"]).stdout.splitlines()
        return sorted(found[1] for line in lines if (found := re.search(r" -uuid (\S+)", line)))
