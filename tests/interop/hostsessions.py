"""
Sessions of virsh on the drivers beside QEMU's: the same lines in two worlds, and all that is told meanwhile.

A line is a command of virsh; C{!} before it makes it one of a shell, C{<NAME TEXT} writes a file in the folder that
C{FOLDER} stands for, C{RESTART} ends the daemon hard and starts it again, and C{RELOAD} has it read again what is on
disk.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World, requireQEMU
from tests.interop.support import requireBinding, requireVirsh

__all__ = ["HostSessions"]

LISTENER = """
import libvirt
libvirt.virEventRegisterDefaultImpl()
connection = libvirt.open("qemu:///system")
def hearer(kind, name):
    def hear(connection, thing, *details):
        print(kind, name(thing), *details[:-1], flush=True)
    return hear
named = lambda thing: thing.name()
for kind in (0, 1):
    connection.secretEventRegisterAny(None, kind, hearer(f"secret {kind}", lambda each: each.UUIDString()), None)
for kind in POOLS:
    connection.storagePoolEventRegisterAny(None, kind, hearer(f"pool {kind}", named), None)
for kind in NETWORKS:
    connection.networkEventRegisterAny(None, kind, hearer(f"network {kind}", named), None)
print("ready", flush=True)
while connection.isAlive():
    libvirt.virEventRunDefaultImpl()
"""

#: Between what lines of a session print.
MARK = "=-=-="

#: What everybody hears of last.
LAST = "99999999-9999-4999-8999-999999999999"


class HostSessions(SynchronousTestCase):
    """
    Compares sessions on libvirtd and ours.

    @cvar pools, networks: which events of these kinds are heard.
    @cvar kinds: what the worlds are.
    """

    pools: tuple[int, ...] = ()
    networks: tuple[int, ...] = ()
    kinds: tuple[type[World], ...] = (LibvirtWorld, PyvirtWorld)

    def setUp(self) -> None:
        requireQEMU()
        self.worlds: list[World] = []
        # In this thread: what makes a world ends with the thread that started it.
        for kind in self.kinds:
            world = kind()
            self.addCleanup(world.stop)
            self.worlds.append(world)

    def squeezed(self, line: str, text: str) -> str:
        """Take out what differs from run to run."""
        return text

    def session(self, world: World, script: str) -> tuple[list[str], list[str]]:
        """Return what each line prints, and the events that were told."""
        path = f"{world.folder}/events"
        listeners: list[subprocess.Popen[Any]] = []

        def told() -> list[str]:
            with open(path) as found:
                return found.read().splitlines()

        def listen() -> None:
            file = open(path, "ab")  # noqa: SIM115
            self.addCleanup(file.close)
            program = LISTENER.replace("POOLS", repr(self.pools))
            program = program.replace("NETWORKS", repr(self.networks))
            listener = subprocess.Popen(
                world.inside([requireBinding(), "-c", program]),
                stdout=file,
                stderr=subprocess.DEVNULL,
            )
            self.addCleanup(listener.wait)
            self.addCleanup(listener.kill)
            listeners.append(listener)
            world._wait(lambda: told().count("ready") == len(listeners), "the listener")

        def settle() -> None:
            """
            Wait until all is told that was to be: something of each kind, for libvirtd's drivers tell their events each
            by itself.
            """
            marks = {"secret": (f"<secret ephemeral='yes'><uuid>{LAST}</uuid></secret>", LAST)}
            if 0 in self.pools:
                marks["pool"] = (
                    "<pool type='dir'><name>last</name><target><path>/nowhere</path></target></pool>",
                    "last",
                )
            if 0 in self.networks:
                marks["net"] = (
                    "<network><name>last</name><bridge name='last0'/></network>",
                    "last",
                )
            seen = told()
            for kind, (xml, name) in marks.items():
                world.write("last.xml", xml)
                for words in (("define", f"{world.folder}/last.xml"), ("undefine", name)):
                    self.assertEqual(world.virsh(f"{kind}-{words[0]}", words[1]).status, 0)
            lines = [
                f"{'network' if kind == 'net' else kind} 0 {name} 1 0"
                for kind, (_, name) in marks.items()
            ]
            for line in lines:
                world._wait(lambda line=line: told().count(line) > seen.count(line), line)

        said: list[str] = []
        waiting: list[str] = []

        def say(line: str, text: str, status: int | str) -> None:
            text = self.squeezed(line, text)
            said.append(f"$ {line}\n{text}[{status}]".replace(world.folder, "FOLDER"))

        def together() -> None:
            """Let one virsh do all lines that wait: starting it is what takes the time."""
            if not waiting:
                return
            words = "; ".join(f"echo {MARK}; {line}" for line in waiting)
            virsh = f"stdbuf -o0 {requireVirsh()} -c qemu:///system {shlex.quote(words)} 2>&1"
            outcome = world.run(["sh", "-c", virsh])
            parts = outcome.stdout.split(f"{MARK}\n")[1:]
            self.assertEqual(len(parts), len(waiting), outcome.stdout)
            for line, text in zip(waiting, parts, strict=True):
                say(line, text, outcome.status if line is waiting[-1] else "")
            waiting.clear()

        listen()
        for line in script.strip().splitlines():
            line = line.replace("FOLDER", world.folder)
            if line[0] not in "<!" and line not in ("RESTART", "RELOAD"):
                waiting.append(line)
                continue
            if line.startswith("<"):
                # Nobody has looked at it yet.
                name, text = line[1:].split(" ", 1)
                world.write(name, text)
                continue
            together()
            if line == "RELOAD":
                world.reload()
            elif line == "RESTART":
                settle()
                world.stopDaemon(9)
                listeners[-1].kill()
                listeners[-1].wait()
                world.startDaemon()
                listen()
            else:
                outcome = world.run(["sh", "-c", line[1:]])
                say(line, outcome.stdout + outcome.stderr, outcome.status)
        together()
        settle()
        return said, [each.replace(world.folder, "FOLDER") for each in told()]

    def compare(self, script: str, told: Callable[[list[str]], list[str]] = list) -> None:
        """
        Run a session on both, side by side, and compare.

        @param told: what of the events is compared.
        """
        with ThreadPoolExecutor(2) as threads:
            waiting = [threads.submit(self.session, world, script) for world in self.worlds]
            (theirs, heard), (ours, heardOurs) = (each.result() for each in waiting)
        differing = [
            "\n".join(["libvirtd:", one, "pyvirt:", other])
            for one, other in zip(theirs, ours, strict=True)
            if re.sub(r"[ \t]+\n", "\n", one) != re.sub(r"[ \t]+\n", "\n", other)
        ]
        self.assertEqual(differing, [], "\n\n".join(differing))
        self.assertEqual(told(heardOurs), told(heard))
