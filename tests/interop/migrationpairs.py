"""
Two hosts that see each other and one folder, each with a lock daemon: L{Pair}, and one guest that moves between them.

The guest stands still in a firmware of its own: it takes no time, and has some memory that must be sent.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.interop.qemuworld import _QEMU_CONF, PyvirtWorld, World
from tests.interop.support import CHECKOUT, Outcome, _clientEnvironment, found, requireVirsh

__all__ = ["ADDRESSES", "UUID", "Pair", "connectHosts", "firmware"]

DEADLINE = 180.0
UUID = "8e5fd2a8-9a4b-4b2f-bb0c-0d7c1b3a5f11"
ADDRESSES = ("10.77.0.1", "10.77.0.2")

_CONF = (
    _QEMU_CONF
    # What the system allows to those who are trusted alone, post-copy needs.
    + "clear_emulator_capabilities = 0\n"
)


def firmware(size: int = 4 << 20) -> bytes:
    """Return what a processor begins with and stays in, behind much that does not compress."""
    data = bytearray(random.Random(1).randbytes(size))
    data[-16:] = b"\xfa\xf4\xeb\xfd" + b"\x90" * 12  # cli, hlt, and again
    return bytes(data)


def connectHosts(worlds: Sequence[World]) -> None:
    """Lay a cable between two hosts, whose addresses are then C{ADDRESSES}."""
    first, second = (str(world.pid) for world in worlds)
    cable = ["ip", "link", "add", "v0", "netns", first, "type", "veth"]
    subprocess.run([*cable, "peer", "name", "v0", "netns", second], check=True)
    for world, address in zip(worlds, ADDRESSES, strict=True):
        commands = f"ip addr add {address}/24 dev v0 && ip link set v0 up"
        outcome = world.run(["/bin/sh", "-c", commands])
        assert outcome.status == 0, outcome


class Pair:
    """
    Two daemons of one kind, each in a world of its own; C{here} is the first.

    @ivar shared: a folder that both see under the same name.
    """

    def __init__(
        self,
        test: SynchronousTestCase,
        kind: type[World] = PyvirtWorld,
        conf: str = "",
        locks: bool = False,
    ) -> None:
        self.shared = tempfile.mkdtemp(prefix="pv-pair-", dir="/tmp")
        os.chmod(self.shared, 0o755)
        test.addCleanup(shutil.rmtree, self.shared, ignore_errors=True)
        with open(self.path("firmware"), "wb") as file:
            file.write(firmware())
        self.worlds: list[World] = []
        for address in ADDRESSES:
            more = f'migration_host = "{address}"\n' + conf.replace("SHARED", self.shared)
            if locks:
                more += 'lock_manager = "lockd"\n'
            world = kind(_CONF + more)
            test.addCleanup(world.stop)
            self.worlds.append(world)
            if locks:
                self._lockd(test, world)
        self.here, self.there = self.worlds
        connectHosts(self.worlds)

    def path(self, name: str) -> str:
        """A place in the folder that both see."""
        return os.path.join(self.shared, name)

    def _lockd(self, test: SynchronousTestCase, world: World) -> None:
        ours = isinstance(world, PyvirtWorld)
        command = ["virtlockd", "-f", "/dev/null", "-p", os.path.join(world.folder, "lockd.pid")]
        if ours:
            command = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
            command += ["--nodaemon", "--pidfile=", "pyvirt-lockd"]
        elif found("virtlockd") is None:
            raise SkipTest("virtlockd is not installed (libvirt-daemon)")
        with open(os.path.join(world.folder, "lockd.log"), "wb") as log:
            process = subprocess.Popen(
                world.inside(command),
                env={**os.environ, "PYTHONPATH": CHECKOUT},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

        def end() -> None:
            process.kill()
            process.wait()

        test.addCleanup(end)
        socket = os.path.join(world.folder, "run/libvirt/virtlockd-sock")
        world._wait(lambda: os.path.exists(socket), "the lock daemon")

    def until(self, condition: Callable[[], Any], what: Callable[[], str]) -> Any:
        """Wait for what happens elsewhere."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.05)
        logs = "".join(f"\n--- {each.label}\n{each.log()}" for each in self.worlds)
        raise AssertionError(f"{what()} did not happen{logs}")

    # The guest

    def document(self, disks: str = "", more: str = "") -> str:
        """The guest's definition."""
        return f"""
            <domain type='qemu'>
              <name>guest</name><uuid>{UUID}</uuid><memory>16384</memory>
              <os>
                <type arch='x86_64' machine='pc'>hvm</type>
                <loader type='rom'>{self.path("firmware")}</loader>
              </os>
              <devices>{disks}{more}</devices>
            </domain>"""

    def begin(self, world: World, document: str) -> None:
        """Have the guest run."""
        for command in (("define", world.write("guest.xml", document)), ("start", "guest")):
            outcome = world.virsh(*command)
            assert outcome.status == 0, f"{command} {outcome} {world.log()}"

    def uri(self, world: World | None = None) -> str:
        """Where a daemon is reached from the other host."""
        socket = os.path.join((world or self.there).folder, "run/libvirt/libvirt-sock")
        return f"qemu+unix:///system?socket={socket}"

    def state(self, world: World) -> str:
        """The guest's state and reason; empty where it is not known."""
        outcome = world.virsh("domstate", "guest", "--reason")
        return outcome.stdout.strip() if outcome.status == 0 else ""

    def states(self) -> tuple[str, str]:
        """Its states at both ends."""
        return self.state(self.here), self.state(self.there)

    def popen(self, *arguments: str, world: World | None = None) -> subprocess.Popen[bytes]:
        """Begin a command of virsh's."""
        return subprocess.Popen(
            (world or self.here).inside([requireVirsh(), "-c", "qemu:///system", *arguments]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_clientEnvironment(),
        )

    def virsh(self, *arguments: str, world: World | None = None) -> Outcome:
        """Do something at the source."""
        return (world or self.here).virsh(*arguments)

    def done(self, *arguments: str, world: World | None = None) -> str:
        """Do something that succeeds, and return what was printed."""
        outcome = self.virsh(*arguments, world=world)
        assert outcome.status == 0, f"{arguments} {outcome} {(world or self.here).log()}"
        return outcome.stdout

    def killGuest(self, world: World, how: int = signal.SIGKILL) -> bool:
        """End the guest's process, if there is one."""
        path = os.path.join(world.folder, "run/libvirt/qemu/guest.pid")
        try:
            with open(path) as file:
                number = int(file.read())
        except (FileNotFoundError, ValueError):
            return False
        return world.run(["kill", f"-{int(how)}", str(number)]).status == 0

    # What is to be seen of it

    def processes(self, world: World) -> list[str]:
        """The guests that there are processes of."""
        lines = world.run(["pgrep", "-a", "qemu-system"]).stdout.splitlines()
        return sorted(match[1] for line in lines if (match := re.search(r" -uuid (\S+)", line)))

    def locked(self, path: str) -> int:
        """How many locks there are on the first byte of a file, which leases are."""
        inode = f":{os.stat(path).st_ino} 0 0"
        with open("/proc/locks") as file:
            return sum("WRITE" in line and line.rstrip().endswith(inode) for line in file)

    def left(self, world: World) -> list[str]:
        """What there is of guests in files, groups and ports."""
        seen: list[str] = []
        for folder in ("run/libvirt/qemu", "var/lib/libvirt/qemu", "var/lib/libvirt/qemu/channel"):
            seen += [
                f"{folder}/{name}"
                for name in self._list(os.path.join(world.folder, folder))
                if "guest" in name or name.startswith("domain-")
            ]
        for place in world._groupFolders:
            for name, folders, _ in os.walk(place):
                seen += [os.path.join(name, each) for each in folders if each.startswith("qemu-")]
        ports = world.run(["ss", "-Hltn"]).stdout.split()
        seen += [each for each in ports if re.search(r":(49\d\d\d|59\d\d)$", each)]
        seen += [name for name in self._list(self.shared) if name.endswith(".sock")]
        return seen

    @staticmethod
    def _list(folder: str) -> Sequence[str]:
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []
