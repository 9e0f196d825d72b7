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

CONF = _QEMU_CONF + 'lock_manager = "lockd"\n'
BUSY = "resource busy: Lockspace resource '<folder>/disk.img' is locked"


class LeaseCase(SynchronousTestCase):
    """A world with two guests that want one disk."""

    def world(self, make: type[World]) -> World:
        """Start a daemon and the lock daemon in a world, and define two guests with the same disk."""
        kernel, initrd = guestFiles()
        world = make(CONF)
        self.addCleanup(world.stop)
        with open(os.path.join(world.folder, "lockd.log"), "wb") as log:
            lockd = subprocess.Popen(
                world.inside(
                    [
                        *(sys.executable, "-c", "from twisted.scripts.twistd import run; run()"),
                        *("--nodaemon", "--pidfile=", "pyvirt-lockd"),
                    ]
                ),
                env={**os.environ, "PYTHONPATH": CHECKOUT},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

        def end() -> None:
            lockd.terminate()
            lockd.wait()

        self.addCleanup(end)
        socket = os.path.join(world.folder, "run/libvirt/virtlockd-sock")
        world._wait(lambda: os.path.exists(socket), "the lock daemon")
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

    def done(self, world: World, *command: str) -> None:
        """Have virsh do something that succeeds."""
        outcome = world.virsh(*command)
        self.assertEqual(outcome.status, 0, f"{command} {outcome} {world.log()}")

    def busy(self, world: World, *command: str) -> None:
        """Have virsh do something that fails for want of a lease."""
        outcome = world.virsh(*command)
        self.assertEqual(outcome.status, 1, f"{command} {outcome}")
        self.assertIn(BUSY, outcome.stderr.replace(world.folder, "<folder>"))

    def leased(self, world: World) -> bool:
        """Whether somebody has the lock that a lease on the disk is."""
        inode = f":{os.stat(os.path.join(world.folder, 'disk.img')).st_ino} 0 0"
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

    def test_libvirts(self) -> None:
        """Libvirt's QEMU driver uses our lock daemon in virtlockd's place, whenever the guest's CPUs run."""
        world = self.world(LibvirtWorld)
        for command, leased in (
            ("start", True),
            ("suspend", False),
            ("resume", True),
            ("destroy", False),
        ):
            self.done(world, command, "one")
            self.assertEqual(self.leased(world), leased, command)
