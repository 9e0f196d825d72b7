"""
Options of migrations between two libvirtds and between two of our daemons: what is said, done and told is the same.

The guest stands still, so each takes little time; it goes, is looked for at both ends, and is forgotten again.
"""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.interop.qemusessions import LISTENER
from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World
from tests.interop.support import requireBinding
from tests.interop.test_qemupeertopeer import PeerCase

#: What is typed: C{DST} is the other daemon, C{MEM} where memory goes, C{@} a command at the other end.
_CASES = (
    "migrate guest DST --live --persistent --undefinesource MEM",
    "migrate guest DST --live MEM --dname neu --persistent --persistent-xml FOLDER/more.xml;"
    " @dumpxml neu --inactive; @dumpxml neu",
    "migrate guest DST --live MEM --compressed; domjobinfo guest --completed",
    "migrate guest DST --live MEM --compressed --comp-methods mt --comp-mt-level 30;"
    " migrate guest DST --live MEM --comp-mt-level 3;"
    " migrate guest DST --live MEM --auto-converge-initial 30;"
    " migrate guest DST --live MEM --parallel --parallel-connections 0;"
    " migrate guest DST --live MEM --persistent --persistent-xml FOLDER/broken.xml;"
    " migrate guest DST --live MEM --xml FOLDER/more.xml;"
    " migrate guest DST --live MEM --zerocopy --parallel",
    "migrate-getspeed guest; migrate-setspeed guest 9; destroy guest; migrate-getspeed guest;"
    " migrate-setspeed guest 8; migrate-setspeed guest 7 --postcopy; start guest; migrate-getspeed guest;"
    " migrate-compcache guest --size 1; migrate-compcache guest",
    "destroy guest; migrate guest DST --offline --persistent --undefinesource"
    " --persistent-xml FOLDER/more.xml; @dumpxml guest",
)


_MARK = (
    "<domain type='qemu'><name>mark</name><memory>1024</memory><os><type>hvm</type></os></domain>"
)


class OptionTests(PeerCase):
    """Both pairs are asked the same."""

    def test_alike(self) -> None:
        """Outputs, states and what is told of the guest's life, at both ends."""
        pairs = [
            [_Host(self, self.world(kind)) for _ in range(2)]
            for kind in (LibvirtWorld, PyvirtWorld)
        ]
        with ThreadPoolExecutor(2) as pool:
            waiting = [
                pool.submit(lambda hosts: [self.seen(*hosts, each) for each in _CASES], hosts)
                for hosts in pairs
            ]
            found = [each.result() for each in waiting]
        for case, expected, actual in zip(_CASES, *found, strict=True):
            self.assertEqual(actual, expected, case)

    def seen(self, here: _Host, there: _Host, case: str) -> list[Any]:
        """Do what a case says with a guest that runs, and return what was to be seen."""
        self.define(here.world)
        with open(os.path.join(here.world.folder, "guest.xml")) as file:
            text = file.read()
        rng = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
        here.world.write("more.xml", text.replace("<devices>", f"<devices>{rng}"))
        here.world.write("broken.xml", "<domain")
        out: list[Any] = []
        for line in case.split(";"):
            words = line.strip().removeprefix("@")
            words = words.replace("DST", self.uri(self.socketOf(there.world)))
            words = words.replace("MEM", f"--migrateuri unix://{self.path(here.world.label)}")
            world = (there if line.strip().startswith("@") else here).world
            done = world.virsh(*words.replace("FOLDER", here.world.folder).split())
            out.append((line, done.status, plain(done.stdout), plain(done.stderr)))
        for host in (here, there):
            out.append(self.state(host.world))
            out.append(sorted(host.world.virsh("list", "--all", "--name").stdout.split()))
        out += [host.told() for host in (here, there)]
        for host in (here, there):
            for name in ("guest", "neu"):
                host.world.virsh("destroy", name)
                host.world.virsh("undefine", name)
            host.told()
        return out


def plain(text: str) -> str:
    """What does not differ from time to time."""
    lines = []
    for line in text.splitlines():
        if re.match(r"[A-Z][\w /]*: +[\d.]+ ", line):  # a number of a job
            line = line.split(":")[0]
            if line in ("Dirty rate", "Memory bandwidth", "Time elapsed w/o network"):
                continue
        lines.append(re.sub(r"/tmp/pv-\w+-\w+|process \d+| id='\d+'", "", line))
    return "\n".join(lines)


class _Host:
    """A host, and what it tells of its guests."""

    def __init__(self, test: OptionTests, world: World) -> None:
        self.test, self.world = test, world
        self._seen = self._marks = 0
        self._path = os.path.join(world.folder, "events")
        with open(self._path, "wb") as file:
            listener = subprocess.Popen(
                world.inside([requireBinding(), "-c", LISTENER.replace("KINDS", "(0,)")]),
                stdout=file,
                stderr=subprocess.DEVNULL,
            )
        test.addCleanup(listener.wait)
        test.addCleanup(listener.kill)
        test.until(lambda: "ready" in self._lines(), lambda: f"listening to {world.label}")
        self.told()

    def _lines(self) -> list[str]:
        with open(self._path) as file:
            return file.read().splitlines()

    def told(self) -> list[str]:
        """Return what it has told since this was asked last."""
        path = self.world.write("mark.xml", _MARK)
        self.world.virsh("define", path)
        self.world.virsh("undefine", "mark")
        self._marks += 1

        def marked() -> bool:
            return sum(line.startswith("0 mark") for line in self._lines()) >= 2 * self._marks

        self.test.until(marked, lambda: f"an event of {self.world.label}")
        lines = self._lines()
        new, self._seen = lines[self._seen :], len(lines)
        return [line for line in new if not line.startswith(("0 mark", "ready"))]
