"""
Migrations that daemons lead: between two of ours, between ours and libvirtd in both directions, and with harm at every step.

The guest stands still in a firmware of its own: it takes no time, and has some memory that must be sent.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.migrationproxy import (
    CALL,
    FINISH,
    PREPARE,
    PREPARE_TUNNEL,
    REPLY,
    STREAM,
    Proxy,
)
from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World
from tests.interop.support import _clientEnvironment, requireVirsh

DEADLINE = 120.0

_RUNNING = "running"
#: What a client is told when the destination's daemon is lost.
_LOST = "internal error: client socket is closed"


def firmware() -> bytes:
    """Return what a processor begins with and stays in, behind much that does not compress."""
    data = bytearray(random.Random(1).randbytes(4 << 20))
    data[-16:] = b"\xfa\xf4\xeb\xfd" + b"\x90" * 12  # cli, hlt, and again
    return bytes(data)


class PeerCase(SynchronousTestCase):
    """Hosts, and a folder that all of them see."""

    def setUp(self) -> None:
        self.shared = tempfile.mkdtemp(prefix="pv-peers-", dir="/tmp")
        os.chmod(self.shared, 0o755)
        self.addCleanup(shutil.rmtree, self.shared, ignore_errors=True)
        with open(self.path("firmware"), "wb") as file:
            file.write(firmware())

    def path(self, name: str) -> str:
        """A place in the folder."""
        return os.path.join(self.shared, name)

    def world(self, kind: type[World]) -> World:
        """Start a host."""
        world = kind()
        self.addCleanup(world.stop)
        return world

    def define(self, world: World, disks: str = "") -> None:
        """Have a guest run."""
        path = world.write(
            "guest.xml",
            f"""
            <domain type='qemu'>
              <name>guest</name><uuid>8e5fd2a8-9a4b-4b2f-bb0c-0d7c1b3a5f11</uuid><memory>16384</memory>
              <os>
                <type arch='x86_64' machine='pc'>hvm</type>
                <loader type='rom'>{self.path("firmware")}</loader>
              </os>
              <devices>{disks}</devices>
            </domain>""",
        )
        for command in (("define", path), ("start", "guest")):
            outcome = world.virsh(*command)
            self.assertEqual(outcome.status, 0, f"{command} {outcome} {world.log()}")

    def until(self, condition: Callable[[], Any], what: Callable[[], str]) -> Any:
        """Wait for what happens elsewhere."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"{what()} did not happen")

    def state(self, world: World) -> str:
        """The guest's state; empty where it is not known."""
        found = world.virsh("domstate", "guest", "--reason")
        return found.stdout.strip() if found.status == 0 else ""

    def uri(self, socket: str) -> str:
        """The URI of the daemon behind a socket."""
        return f"qemu+unix:///system?socket={socket}"

    def socketOf(self, world: World) -> str:
        """The socket of a host's daemon, as other hosts see it."""
        return os.path.join(world.folder, "run/libvirt/libvirt-sock")


class WayTests(PeerCase):
    """Which way a guest takes, it arrives."""

    def test_everyWay(self) -> None:
        """Peer to peer with its disks, then through a tunnel with its definition: all four pairs of daemons alike."""
        ours = [self.world(PyvirtWorld) for _ in range(2)]
        theirs = [self.world(LibvirtWorld) for _ in range(2)]
        expected: list[Any] | None = None
        for here, there in (theirs, ours, (ours[0], theirs[0]), (theirs[0], ours[0])):
            pair = f"{here.label} to {there.label}"
            found = self.moved(here, there)
            if expected is None:
                expected = found
            self.assertEqual(found, expected, f"{pair} {here.log()} {there.log()}")
            for world in (here, there):
                world.virsh("destroy", "guest")
                world.virsh("undefine", "guest")

    def moved(self, here: World, there: World) -> list[Any]:
        """Move a guest, and return what was to be seen of it."""
        images = {}
        for world in (here, there):
            folder = os.path.join(world.folder, "var/lib/libvirt/images")
            for name in os.listdir(folder):
                os.unlink(os.path.join(folder, name))
            images[world] = os.path.join(folder, "disk.raw")
        with open(images[here], "wb") as file:
            file.write(firmware()[: 1 << 20])
        with open(images[there], "wb") as file:
            file.truncate(1 << 20)
        self.define(
            here,
            """<disk type='file' device='disk'><driver name='qemu' type='raw'/>
               <source file='/var/lib/libvirt/images/disk.raw'/><target dev='vda' bus='virtio'/></disk>""",
        )
        seen: list[Any] = []

        def command(world: World, *words: str) -> None:
            outcome = world.virsh(*words)
            seen.append((outcome.status, outcome.stdout.strip(), outcome.stderr.strip()))

        target = self.uri(self.socketOf(there))
        command(here, "migrate", "guest", "nonsense", "--p2p", "--live")
        move = ("migrate", "guest", target, "--p2p", "--live")
        memory = ("--migrateuri", f"unix://{self.path('memory')}")
        command(here, *move, *memory)
        command(here, *move, "--tunnelled", "--postcopy")
        command(here, *move, "--copy-storage-all", *memory)
        command(here, *move, "--copy-storage-all", "--migrate-disks", "vdz")
        disks = ("--disks-uri", f"unix://{self.path('disks')}")
        seen.append(self.state(here))
        command(here, *move, "--copy-storage-all", *memory, *disks)
        seen += [self.state(here), self.state(there)]
        with open(images[there], "rb") as file:
            seen.append(file.read() == firmware()[: 1 << 20])
        for world in (here, there):
            done = world.virsh("domjobinfo", "guest", "--completed", "--anystats")
            # What was slow enough to be told differs from time to time.
            names = {line.split(":")[0] for line in done.stdout.splitlines() if ":" in line}
            seen.append(names >= {"Job type", "Operation", "Time elapsed", "Memory total"})
            seen.append([line for line in done.stdout.splitlines() if "Operation" in line])
        for world in (there, here):
            world.virsh("destroy", "guest")
        with open(images[there], "rb+") as file:
            file.truncate(0)
        command(here, "start", "guest")
        options = ("--persistent", "--undefinesource", "--unsafe")
        with open(images[there], "rb+") as file:
            file.truncate(1 << 20)
        command(here, *move[:-1], "--tunnelled", *options)
        seen += [self.state(here), self.state(there)]
        command(there, "dominfo", "guest")
        seen[-1] = [line for line in seen[-1][1].splitlines() if line.startswith("Persistent")]
        return seen

    def test_made(self) -> None:
        """Images that are not there are made, and go again when the guest does not come."""
        here, there = self.world(PyvirtWorld), self.world(PyvirtWorld)
        folder = os.path.join(there.folder, "var/lib/libvirt/images")
        images = [
            os.path.join(here.folder, "var/lib/libvirt/images", name)
            for name in ("a.raw", "b.qcow2")
        ]
        subprocess.run(["qemu-img", "create", "-q", "-f", "raw", images[0], "1M"], check=True)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", images[1], "2M"], check=True)
        with open(images[0], "rb+") as file:
            file.write(firmware()[:65536])
        self.define(
            here,
            "".join(
                f"<disk type='file' device='disk'><driver name='qemu' type='{name.split('.')[1]}'/>"
                f"<source file='/var/lib/libvirt/images/{name}'/><target dev='{dev}' bus='virtio'/></disk>"
                for name, dev in (("a.raw", "vda"), ("b.qcow2", "vdb"))
            ),
        )
        target = self.uri(self.socketOf(there))
        move = ("migrate", "guest", target, "--live", "--copy-storage-all")
        addresses = ("--migrateuri", f"unix://{self.path('m')}", "--disks-uri")
        outcome = here.virsh(*move, *addresses, "unix:///nowhere/at/all")
        self.assertIn("Failed to bind socket to /nowhere/at/all", outcome.stderr)
        self.assertEqual(os.listdir(folder), [])
        outcome = here.virsh(*move, *addresses, "tcp://127.0.0.1", "--p2p")
        self.assertIn("Connection refused", outcome.stderr)
        self.assertEqual(os.listdir(folder), [])
        self.assertEqual((self.state(here), self.state(there)), ("running (booted)", ""))
        outcome = here.virsh(*move, *addresses, f"unix://{self.path('d')}")
        self.assertEqual(outcome.status, 0, f"{outcome} {here.log()} {there.log()}")
        self.assertEqual(self.state(there), "running (migrated)")
        self.assertEqual(sorted(os.listdir(folder)), ["a.raw", "b.qcow2"])
        with open(os.path.join(folder, "a.raw"), "rb") as file:
            self.assertEqual(file.read(65536), firmware()[:65536])


class FaultTests(PeerCase):
    """Whatever breaks, and whenever, one guest runs."""

    def setUp(self) -> None:
        super().setUp()
        self.here, self.there = self.world(PyvirtWorld), self.world(PyvirtWorld)

    def test_everyStep(self) -> None:
        """Daemons, guests, clients and connections end at each step, or it is given up."""
        for number, kind, harm, words, where in (
            (PREPARE, CALL, self.cut, _LOST, "here"),
            (PREPARE, REPLY, self.cut, _LOST, "here"),
            (PREPARE, REPLY, self.destinationKilled, _LOST, "here"),
            (PREPARE_TUNNEL, STREAM, self.cut, _LOST, "here"),
            (
                PREPARE_TUNNEL,
                STREAM,
                self.givenUp,
                "operation aborted: job 'migration out' canceled by client",
                "here",
            ),
            (
                PREPARE_TUNNEL,
                STREAM,
                self.guestThereKilled,
                "internal error: qemu unexpectedly closed the monitor",
                "here",
            ),
            (PREPARE_TUNNEL, STREAM, self.clientKilled, None, "there"),
            (PREPARE_TUNNEL, STREAM, self.sourceKilled, None, "here"),
            (FINISH, CALL, self.cut, _LOST, "here"),
            (FINISH, REPLY, self.cut, "", "there"),
            (
                FINISH,
                CALL,
                self.guestThereKilled,
                "internal error: qemu unexpectedly closed the monitor",
                "here",
            ),
            (FINISH, CALL, self.destinationKilled, _LOST, "here"),
            (
                PREPARE_TUNNEL,
                STREAM,
                self.guestHereKilled,
                "operation failed: domain is not running",
                "nowhere",
            ),
        ):
            self.fault(number, kind, harm, words, where)

    def fault(
        self, number: int, kind: int, harm: Callable[..., None], words: str | None, where: str
    ) -> None:
        """Move the guest, do harm at a moment, and see what is told and where the guest is."""
        what = f"{harm.__name__} at {number}.{kind}"
        if not self.state(self.here).startswith(_RUNNING):
            self.define(self.here)
        proxy = Proxy(self.path("proxy"), self.socketOf(self.there), number, kind)
        options = ["--p2p", "--migrateuri", f"unix://{self.path('memory')}"]
        if number == PREPARE_TUNNEL:
            options = ["--p2p", "--tunnelled"]
        command = [requireVirsh(), "-c", "qemu:///system", "migrate", "guest"]
        command += [self.uri(self.path("proxy")), "--live", *options]
        process = subprocess.Popen(
            self.here.inside(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_clientEnvironment(),
        )
        try:
            self.assertTrue(proxy.reached.wait(DEADLINE), f"{what} {self.here.log()}")
            harm(proxy, process)
            _, said = process.communicate(timeout=DEADLINE)
            ends = [self.here, self.there]
            expected = [where == "here", where == "there"]
            self.until(
                lambda: [self.state(each).startswith(_RUNNING) for each in ends] == expected,
                lambda: f"{what}: {[self.state(each) for each in ends]} {self.here.log()}",
            )
        finally:
            process.kill()
            process.communicate()
            proxy.stop()
        if words is not None:
            text = said.decode().strip().removeprefix("error: ")
            self.assertEqual(text.split(": /")[0].splitlines()[:1], words.splitlines()[:1], what)
        if where != "there":
            self.assertEqual(self.state(self.there), "", what)
        self.there.virsh("destroy", "guest")

    def cut(self, proxy: Proxy, process: Any) -> None:
        """The connection of the daemons is cut."""
        proxy.cut()

    def givenUp(self, proxy: Proxy, process: Any) -> None:
        """Somebody gives it up."""
        outcome = self.here.virsh("domjobabort", "guest")
        self.assertEqual(outcome.status, 0, str(outcome))
        proxy.go()

    def clientKilled(self, proxy: Proxy, process: Any) -> None:
        """Whoever has asked for it is killed, which changes nothing."""
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
            os.kill(int(file.read().split()[0]), signal.SIGKILL)
        process.wait(DEADLINE)
        proxy.go()

    def destinationKilled(self, proxy: Proxy, process: Any) -> None:
        """The other host's daemon is killed, and started again."""
        self.there.stopDaemon(signal.SIGKILL)
        proxy.cut()
        self.there.startDaemon()

    def sourceKilled(self, proxy: Proxy, process: Any) -> None:
        """This host's daemon is killed, and started again."""
        self.here.stopDaemon(signal.SIGKILL)
        proxy.go()
        self.here.startDaemon()

    def guestThereKilled(self, proxy: Proxy, process: Any) -> None:
        """What waits for the guest over there is killed."""
        self._killed(self.there)
        proxy.go()

    def guestHereKilled(self, proxy: Proxy, process: Any) -> None:
        """The guest itself is killed here."""
        self._killed(self.here)
        proxy.go()

    def _killed(self, world: World) -> None:
        path = os.path.join(world.folder, "run/libvirt/qemu/guest.pid")
        with open(path) as file:
            number = file.read().strip()
        world.run(["/bin/sh", "-c", f"kill -9 {number}; while kill -0 {number}; do :; done"])
