"""
Guests of QEMU and their leases: ours and libvirt's own QEMU driver, with the lock daemon of this project.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.qemuworld import _QEMU_CONF, LibvirtWorld, PyvirtWorld, World, guestFiles
from tests.interop.support import CHECKOUT
from tests.interop.test_locking import connectable

CONF = _QEMU_CONF + 'lock_manager = "lockd"\n'
BUSY = "resource busy: Lockspace resource '<folder>/disk.img' is locked"


class LeaseCase(SynchronousTestCase):
    """A world with two guests that want one disk."""

    def world(self, make: type[World]) -> World:
        """Start a daemon and the lock daemon in a world, and define two guests with the same disk."""
        kernel, initrd = guestFiles()
        world = make(CONF)
        self.addCleanup(world.stop)
        self.startLockd(world)
        disk = world.write("disk.img", "\0" * (1 << 20))
        for name in ("one", "two"):
            path = world.write(
                f"{name}.xml",
                f"""
                <domain type='qemu'>
                  <name>{name}</name><memory>65536</memory>
                  <os>
                    <type arch='x86_64' machine='pc'>hvm</type>
                    <kernel>{kernel}</kernel><initrd>{initrd}</initrd><cmdline>console=ttyS0</cmdline>
                  </os>
                  <devices>
                    <disk type='file' device='disk'>
                      <driver name='qemu' type='raw'/><source file='{disk}'/><target dev='vda' bus='virtio'/>
                    </disk>
                  </devices>
                </domain>""",
            )
            self.done(world, "define", path)
        return world

    def startLockd(self, world: World) -> None:
        """Start the lock daemon of a world."""
        with open(os.path.join(world.folder, "lockd.log"), "ab") as log:
            command = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
            lockd = self.lockd = subprocess.Popen(
                world.inside([*command, "--nodaemon", "--pidfile=", "pyvirt-lockd"]),
                env={**os.environ, "PYTHONPATH": CHECKOUT},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

        def end() -> None:
            lockd.terminate()
            lockd.wait()

        self.addCleanup(end)
        path = os.path.join(world.folder, "run/libvirt/virtlockd-sock")
        world._wait(lambda: connectable(path), "the lock daemon")

    def done(self, world: World, *command: str) -> None:
        """Have virsh do something that succeeds."""
        outcome = world.virsh(*command)
        self.assertEqual(outcome.status, 0, f"{command} {outcome} {world.log()}")

    def busy(self, world: World, *command: str) -> None:
        """Have virsh do something that fails for want of a lease."""
        outcome = world.virsh(*command)
        self.assertEqual(outcome.status, 1, f"{command} {outcome}")
        self.assertIn(BUSY, outcome.stderr.replace(world.folder, "<folder>"))

    def leased(self, world: World, name: str = "disk.img") -> bool:
        """Whether somebody has the lock that a lease on an image is."""
        path = os.path.join(world.folder, name)
        if not os.path.exists(path):
            return False
        inode = f":{os.stat(path).st_ino} 0 0"
        with open("/proc/locks") as file:
            return any("WRITE" in line and line.rstrip().endswith(inode) for line in file)


class LeaseTests(LeaseCase):
    """Two guests that want one disk."""

    def exclude(self, world: World) -> None:
        """The second guest starts when the first has ended, and not before."""
        self.done(world, "start", "one")
        self.busy(world, "start", "two")
        self.done(world, "suspend", "one")
        self.done(world, "resume", "one")
        self.busy(world, "start", "two")
        self.done(world, "destroy", "one")
        self.done(world, "start", "two")

    def test_ours(self) -> None:
        """Our guests exclude each other, and go on to when the daemon was killed and started again."""
        world = self.world(PyvirtWorld)
        self.exclude(world)
        world.stopDaemon(signal.SIGKILL)
        world.startDaemon()
        self.busy(world, "start", "one")
        self.done(world, "destroy", "two")
        self.done(world, "start", "one")
        self.images(world)
        self.lostManager(world)

    def images(self, world: World) -> None:
        """What a disk's data goes to is leased as long as it does, and what it went to before is not."""
        over, copy = (os.path.join(world.folder, name) for name in ("over.qcow2", "copy.img"))
        snapshot = f"snapshot-create-as one s --disk-only --no-metadata --diskspec vda,file={over}"
        for command, leased in (
            (snapshot, {over}),
            ("blockcommit one vda --active --wait", {over, "disk"}),
            ("blockjob one vda --abort", {over}),
            ("blockcommit one vda --active --wait --pivot", {"disk"}),
            (f"blockcopy one vda {copy} --transient-job --wait", {copy, "disk"}),
            ("blockjob one vda --abort", {"disk"}),
            (f"blockcopy one vda {copy} --transient-job --wait --pivot --reuse-external", {copy}),
            ("suspend one", set()),
            ("resume one", {copy}),
        ):
            self.done(world, *command.split())
            # Leases are let go when QEMU has told that it is over, or has stopped.
            world._wait(
                lambda leased=leased: self.all(world, over, copy) == leased,
                f"{leased} after {command}: {self.all(world, over, copy)}",
                60.0,
            )

    def all(self, world: World, *paths: str) -> set[str]:
        """Which images there are leases on."""
        found = {each for each in paths if self.leased(world, os.path.basename(each))}
        return found | ({"disk"} if self.leased(world) else set())

    def lostManager(self, world: World) -> None:
        """A guest that was paused does not go on without the lock manager, and does once that is there again."""
        self.killLockd()
        self.done(world, "suspend", "one")
        outcome = world.virsh("resume", "one")
        self.assertIn("Failed to connect socket to '/run/libvirt/virtlockd-sock'", outcome.stderr)
        self.startLockd(world)
        self.done(world, "resume", "one")
        self.assertTrue(self.leased(world, "copy.img"))
        self.done(world, "destroy", "one")

    def killLockd(self) -> None:
        """End the lock daemon at once."""
        # What was started is the way into the world; the daemon is its child.
        with open(f"/proc/{self.lockd.pid}/task/{self.lockd.pid}/children") as file:
            os.kill(int(file.read()), signal.SIGKILL)
        self.lockd.wait()

    def test_libvirts(self) -> None:
        """
        Libvirt's QEMU driver uses our lock daemon in virtlockd's place, whenever the guest's CPUs run; what it could not
        let go, because the lock daemon was gone, it has again.
        """
        world = self.world(LibvirtWorld)
        for command, leased in (
            ("start", True),
            ("suspend", False),
            ("resume", True),
            ("kill", False),
            ("suspend", False),
            ("start again", True),
            ("resume", True),
            ("destroy", False),
        ):
            if command == "kill":
                self.killLockd()
            elif command == "start again":
                self.startLockd(world)
            else:
                self.done(world, command, "one")
            self.assertEqual(self.leased(world), leased, command)
