"""
A guest's life by stock tools, from virt-install to undefine, on both daemons.
"""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Callable

from twisted.trial.unittest import SkipTest

from tests.interop.qemusessions import IMAGES, SessionCase
from tests.interop.qemuworld import World, guestFiles
from tests.interop.support import found, requireVirsh

#: How long a guest may take to do something: emulated, on a busy machine.
DEADLINE = 120.0

INSTALL = (
    "!env -u PYTHONWARNINGS -u PYTHONPATH virt-install --connect qemu:///system --name g --memory 128 "
    "--vcpus 1 --virt-type qemu --machine pc --import "
    "--disk none --network none --graphics vnc --serial pty --osinfo detect=off,require=off "
    "--boot kernel=KERNEL,initrd=INITRD,kernel_args='console=ttyS0 quiet' --noautoconsole"
)

SESSION = """
list
INSTALL
domstate g --reason
dominfo g
dumpxml g
dumpxml g --inactive
CONSOLE guest is up
attach-disk g IMAGES/a.qcow2 vda --driver qemu --subdriver qcow2 --persistent
SEES vda
list --all
domstats g
domblklist g --details
domblkinfo g vda
domblkstat g vda
dommemstat g
domdisplay g
domid g
vcpuinfo g
screenshot g FOLDER/shot
!head -c 15 FOLDER/shot
suspend g
suspend g
domstate g --reason
COUNT
snapshot-create-as g s1 paused
LATER
snapshot-revert g s1
domstate g --reason
BEFORE
dumpxml g
save g FOLDER/saved
list --all
domstate g --reason
save-image-dumpxml FOLDER/saved
restore FOLDER/nope
restore FOLDER/saved --paused
domstate g --reason
ON
managedsave g --running
managedsave g
list --all --managed-save
dominfo g
start g --paused
domstate g --reason
ON
start g
reset g
domstate g --reason
resume g
CONSOLE guest is up
shutdown g
STATE shut off
domstate g --reason
shutdown g
suspend g
save g FOLDER/saved
domid g
undefine g
undefine g --snapshots-metadata
list --all
dominfo g
!ls /var/lib/libvirt/qemu /run/libvirt/qemu | grep -v -e '^autostarted$' -e '^dbus$' -e '^slirp$'
!rm FOLDER/saved
"""


def squeezed(command: str, text: str) -> str:
    """Take out what differs from run to run."""
    for pattern, replacement in (
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
        (r"/dev/pts/\d+", "PTY"),
        (r"(?m)^(CPU time:|CPU Affinity:|CPU: ) .*$", r"\1 N"),
        (r"(?m)^(Allocation:) .*$", r"\1 N"),
        (r"(?m)^(  (?:cpu|vcpu|block|balloon|dirtyrate)\..*)=\d+$", r"\1=N"),
        (
            r"(?m)^((?:vda|rss|actual|last_update|unused|usable|available|swap|disk|major|minor)\S*) .*$",
            r"\1 N",
        ),
    ):
        text = re.sub(pattern, replacement, text)
    return text


class Console:
    """What virsh shows of a guest's console, in a terminal."""

    def __init__(self, world: World, name: str = "g") -> None:
        self._far, near = pty.openpty()
        self.text = ""
        self._process = subprocess.Popen(
            world.inside([requireVirsh(), "-c", "qemu:///system", "console", name, "--force"]),
            stdin=near,
            stdout=near,
            stderr=near,
            start_new_session=True,
        )
        os.close(near)

    def read(self, pattern: str) -> re.Match[str]:
        """Wait for something to be shown."""
        end = time.monotonic() + DEADLINE
        while (match := re.search(pattern, self.text)) is None:
            if time.monotonic() > end:
                raise AssertionError(f"no {pattern} on the console: {self.text}")
            if select.select([self._far], [], [], 1.0)[0]:
                try:
                    data = os.read(self._far, 65536)
                except OSError:
                    raise AssertionError(f"the console ended: {self.text}") from None
                self.text += data.decode(errors="replace")
        return match

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._far, text.encode())

    def leave(self) -> str:
        """Type what ends it, and return what was shown before the guest said anything."""
        os.write(self._far, b"\x1d")
        end = time.monotonic() + DEADLINE
        while self._process.poll() is None and time.monotonic() < end:
            if select.select([self._far], [], [], 0.2)[0]:
                try:
                    os.read(self._far, 65536)
                except OSError:
                    break
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._far)
        return "".join(self.text.splitlines(keepends=True)[:2])


class GuestSession(SessionCase):
    """A session in which guests are talked to on their consoles."""

    squeezed = staticmethod(squeezed)

    def prepare(self, world: World) -> None:
        if found("virt-install") is None:
            raise SkipTest("virt-install is not installed (virtinst)")
        os.makedirs(world.folder + "/run/lock", exist_ok=True)  # where virsh locks terminals
        kernel, initrd = guestFiles()
        command = ["qemu-img", "create", "-q", "-f", "qcow2", f"{IMAGES}/a.qcow2", "8M"]
        self.assertEqual(world.run(command).status, 0)
        self.files = (kernel, initrd)
        self.count: dict[World, int] = {}

    def _said(self, world: World, line: str) -> str:
        word, _, rest = line.partition(" ")
        if word == "CONSOLE":
            console = Console(world)
            console.read(re.escape(rest))
            console.read(r"tick \d+\r")
            return console.leave()
        if word == "SEES":
            console = Console(world)
            console.read(r"tick \d+\r")
            console.type(
                f"until [ -b /dev/{rest} ]; do sleep 1; done; cat /sys/block/{rest}/size\n"
            )
            size = console.read(r"\n(\d+)\r\n(?:tick.*\n)?done 0")[1]
            console.leave()
            return f"{rest} has {size} sectors"
        if word in ("COUNT", "ON"):
            return self._runs(world, lambda tick: tick > self.count.get(world, 0))
        if word == "LATER":
            return self._runs(world, lambda tick: tick > self.count[world], more=4)
        if word == "BEFORE":
            return self._runs(world, lambda tick: tick < self.count[world])
        if word == "STATE":
            world._wait(lambda: world.virsh("domstate", "g").stdout.strip() == rest, rest, DEADLINE)
            return ""
        return super()._said(world, line)

    def _runs(self, world: World, right: Callable[[int], bool], more: int = 0) -> str:
        """Let a paused guest run until it has counted on, and pause it again."""
        console = Console(world)
        try:
            console.read("Escape character")
            self.assertEqual(world.virsh("resume", "g").status, 0)
            tick = int(console.read(r"tick (\d+)\r")[1])
            self.assertTrue(right(tick), f"{world.label}: {tick} after {self.count}")
            if more:
                tick += more
                console.read(rf"tick {tick}\r")
            self.assertEqual(world.virsh("suspend", "g").status, 0)
        finally:
            console.leave()
        self.count[world] = tick
        return ""


class SessionTests(GuestSession):
    """A whole life, the same on both daemons."""

    def test_stockTools(self) -> None:
        """virt-install, virsh and its console see the same of both daemons, and the same happens."""
        script = SESSION.replace("INSTALL", INSTALL)
        kernel, initrd = self.files
        self.compare(script.replace("KERNEL", kernel).replace("INITRD", initrd))
