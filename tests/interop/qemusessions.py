"""
Sessions of virsh in two worlds with QEMU, libvirtd's and ours, events included: L{SessionCase}.

A session is lines of text:

  - C{dumpxml g}: a line of virsh;
  - C{!ls IMAGES}: a line of the shell;
  - C{<b.xml <domain...}: a file in the world's folder;
  - C{+attach-device g --live <disk...}: a line of virsh whose file is what follows;
  - C{UNTIL None | domjobinfo g}: repeat a line of virsh until it prints that;
  - C{GONE net0}: wait until no device of the guest C{g} has that name any more;
  - C{RESTART}: kill the daemon and start it again.

C{IMAGES} and C{FOLDER} stand for the folder of images and that of the world.
"""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from difflib import unified_diff

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World, requireQEMU
from tests.interop.support import requireBinding

__all__ = ["IMAGES", "LISTENER", "SessionCase", "plain"]

IMAGES = "/var/lib/libvirt/images"

#: A program that prints events; C{KINDS} stands for their numbers.
LISTENER = """
import libvirt
libvirt.virEventRegisterDefaultImpl()
connection = libvirt.open("qemu:///system")
for kind in KINDS:
    def hear(connection, domain, *details, kind=kind):
        print(kind, domain.name(), *details[:-1], flush=True)
    connection.domainEventRegisterAny(None, kind, hear, None)
print("ready", flush=True)
while connection.isAlive():
    libvirt.virEventRunDefaultImpl()
"""


def plain(command: str, text: str) -> str:
    """Leave what a command printed as it is."""
    return text


class SessionCase(SynchronousTestCase):
    """
    Both daemons print the same in a session, and tell the same events.

    @cvar kinds: numbers of the events that are listened to.
    @cvar conf: C{qemu.conf}; None: that of worlds.
    """

    kinds: tuple[int, ...] = (0,)
    conf: str | None = None

    def setUp(self) -> None:
        requireQEMU()
        self.worlds: list[World] = []
        for kind in (LibvirtWorld, PyvirtWorld):
            world = kind() if self.conf is None else kind(self.conf)
            self.addCleanup(world.stop)
            self.worlds.append(world)
            self.prepare(world)

    def prepare(self, world: World) -> None:
        """Make what a session needs: images, guests."""

    squeezed: Callable[[str, str], str] = staticmethod(plain)
    """What differs from run to run is taken out by this: C{(command, text)} to text."""

    @staticmethod
    def steady(events: list[str]) -> list[str]:
        """Leave out events that libvirtd tells at one time and not at another."""
        return events

    def session(self, world: World, script: str) -> tuple[list[str], Callable[[], list[str]]]:
        """Return what virsh prints for each line, and what returns the events that were told."""
        self._sessions = getattr(self, "_sessions", 0) + 1
        path = f"{world.folder}/events{self._sessions}"
        listeners = 0

        def listen() -> None:
            nonlocal listeners
            listeners += 1
            file = open(path, "ab")  # noqa: SIM115
            self.addCleanup(file.close)
            listener = subprocess.Popen(
                world.inside([requireBinding(), "-c", LISTENER.replace("KINDS", str(self.kinds))]),
                stdout=file,
                stderr=subprocess.DEVNULL,
            )
            self.addCleanup(listener.wait)
            self.addCleanup(listener.kill)
            world._wait(lambda: told().count("ready") == listeners, "the listener")

        def told() -> list[str]:
            with open(path) as found:
                return self.steady(_inOrder(found.read().splitlines()))

        said = []
        listen()
        for line in script.strip().splitlines():
            line = line.replace("IMAGES", IMAGES).replace("FOLDER", world.folder)
            if line == "RESTART":
                world.stopDaemon(9)
                world.startDaemon()
                listen()
            elif line.startswith("GONE "):
                word = f"<alias name='{line[5:]}'/>"

                def isGone(word: str = word) -> bool:
                    return word not in world.virsh("dumpxml", "g").stdout

                world._wait(isGone, f"the end of {line[5:]}")
            elif line.startswith("UNTIL "):
                word, command = line[6:].split(" | ")

                def isSaid(word: str = word, command: str = command) -> bool:
                    return word in world.virsh(*shlex.split(command)).stdout

                world._wait(isSaid, f"{word} of {command}")
            elif line.startswith("<"):
                name, text = line[1:].split(" ", 1)
                world.write(name, text)
            else:
                said.append(self._said(world, line).replace(world.folder, "FOLDER"))
        return said, told

    def _said(self, world: World, line: str) -> str:
        if line.startswith("!"):
            outcome = world.run(["sh", "-c", line[1:]])
        elif line.startswith("+"):
            command, document = line[1:].split(" <", 1)
            words = shlex.split(command)
            path = world.write("device.xml", f"<{document}")
            outcome = world.virsh(*words[:2], path, *words[2:])
        else:
            outcome = world.virsh(*shlex.split(line))
        text = self.squeezed(line, outcome.stdout) + outcome.stderr + f"[{outcome.status}]"
        return f"$ {line}\n{text}"

    def compare(self, script: str) -> None:
        """Run a session on both, side by side, and compare."""
        with ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(self.session, world, script) for world in self.worlds]
            (theirs, told), (ours, heard) = (each.result() for each in waiting)
        differences: list[str] = []
        for one, other in zip(theirs, ours, strict=True):
            if one != other:
                differences += [one.split("\n", 1)[0]]
                differences += unified_diff(one.splitlines(), other.splitlines(), lineterm="", n=1)
        self.assertEqual(differences, [], "\n".join(differences))
        try:
            self.worlds[1]._wait(lambda: heard() == told(), "the events", 30.0)
        except AssertionError:
            pass  # What is missing is shown by the comparison.
        self.assertEqual(heard(), told())
        self.assertIn("ready", heard())


def disksOf(text: str) -> str:
    """Return the disks of a definition."""
    return "".join(re.findall(r"(?s)    <disk .*?</disk>\n", text))


def _together(event: str) -> str:
    """Return what is told in no order with others of its kind: devices gone unheard, stages of jobs side by side."""
    kind, _, rest = event.partition(" ")
    if kind == "15":
        return kind
    if kind in ("8", "16"):
        return "job " + " ".join(rest.split()[-2:])
    return ""


def _inOrder(events: list[str]) -> list[str]:
    """Sort what comes from several sources at once, whose order is left to chance."""
    found: list[str] = []
    for chance, group in itertools.groupby(events, _together):
        some = list(group)
        found += sorted(some) if chance else some
    return found
