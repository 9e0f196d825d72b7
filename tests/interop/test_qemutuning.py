"""
How guests share the host, and what is known inside them: our QEMU driver beside libvirtd's.
"""

from __future__ import annotations

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from twisted.trial.unittest import SynchronousTestCase

from .flagscript import SCRIPT as FLAGS
from .qemutuningscripts import DEFINED, GUEST, RUNNING, mixture
from .qemuworld import LibvirtWorld, PyvirtWorld, World, requireQEMU
from .support import requireBinding
from .testdriverpeers import Script, Transcript, WirePeer
from .virshsessions import marked

#: How many scripts are made up, and how many of them for a guest that runs.
_MIXTURES = 6
_DEADLINE = 60.0


class _GuestPeer(WirePeer):
    """A daemon that is asked about guests."""

    guestsOnly = True


def squeezed(text: str, world: World) -> str:
    """Take out what cannot be the same on both sides."""
    text = text.replace(world.folder, "FOLDER")
    text = re.sub(r"qemu-\d+-", "qemu-N-", text)
    return re.sub(r"(CPU time: +|Id: +)[\d.]+s?", r"\1N", text)


def split(output: str) -> dict[int, list[str]]:
    """Take apart what one of virsh's outputs says to each line."""
    parts = re.split(r"(?m)^(?:virsh # |error: )?@@(\d+)\n", output)
    return {
        int(number): [line for line in text.splitlines() if not line.startswith("virsh # ")]
        for number, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def withoutIds(value: object) -> object:
    """Take out numbers of runs, in texts and references."""
    if isinstance(value, list):
        if len(value) == 3 and isinstance(value[0], str) and type(value[2]) is int:
            return [value[0], withoutIds(value[1]), value[2] > 0]
        return [withoutIds(each) for each in value]
    return re.sub(r"qemu-\d+-", "qemu-N-", value) if isinstance(value, str) else value


def _tuned(xml: str) -> str:
    """Leave of a definition what is tuned."""
    head, _, devices = xml.partition("<devices>")
    return head + "\n".join(re.findall(r"(?s)<iotune>.*?</iotune>|<bandwidth>.*?</band", devices))


def _shortened(one: str, other: str) -> list[str]:
    """Leave of two texts the lines in which they differ."""
    lines, others = one.splitlines(), other.splitlines()
    if len(lines) < 2:
        return [one, other]
    return [
        "\n".join(each for each in these if each not in those)
        for these, those in ((lines, others), (others, lines))
    ]


class QEMUTuningTests(SynchronousTestCase):
    """Both daemons answer alike, say the same of what they refuse, and tell the same events."""

    def setUp(self) -> None:
        requireQEMU()
        # What a thread has started ends with that thread.
        self.pool = ThreadPoolExecutor(2)
        self.addCleanup(self.pool.shutdown)
        making = [self.pool.submit(self.world, kind) for kind in (LibvirtWorld, PyvirtWorld)]
        self.worlds = [each.result() for each in making]

    def world(self, kind: type[World]) -> World:
        world = kind()
        self.addCleanup(world.stop)
        for name in ("a", "b"):
            with open(f"{world.folder}/{name}.img", "wb") as file:
                file.truncate(1 << 20)
        xml = world.write("g.xml", GUEST.replace("FOLDER", world.folder))
        self.assertEqual(world.virsh("define", xml).status, 0)
        return world

    def lines(self, lines: list[str]) -> None:
        """Type lines into virsh on both sides, and compare what it says to each."""

        def typed(world: World) -> list[dict[int, list[str]]]:
            text = marked([line.replace("FOLDER", world.folder) for line in lines])
            outcome = world.virsh(input=text, deadline=300.0)
            return [split(squeezed(each, world)) for each in (outcome.stdout, outcome.stderr)]

        theirs, ours = self.pool.map(typed, self.worlds)
        self.assertEqual(len(theirs[0]), len(lines), self.worlds[0].log())
        found = []
        for number, line in enumerate(lines):
            expected = [each.get(number) for each in theirs]
            got = [each.get(number) for each in ours]
            if expected != got:
                found.append(f"virsh # {line}\n  libvirtd: {expected}\n  ours:     {got}")
        self.assertEqual(found, [], "\n".join(found))

    def script(self, script: Script) -> None:
        """Make calls on both sides, and compare answers and events."""

        def made(world: World) -> Transcript:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(f"{world.folder}/run/libvirt/libvirt-sock")
            peer = _GuestPeer(connection, "qemu:///system")
            run = Transcript(peer, {"11111111-2222-3333-4444-555555555555"})
            try:
                script(run)
            except BaseException:
                peer.close()
                raise
            return run

        theirs, ours = self.pool.map(made, self.worlds)
        found = []
        for (asked, expected), (_, got) in zip(theirs.lines, ours.lines, strict=True):
            texts = [
                str(withoutIds(answer)).replace(world.folder, "FOLDER")
                for answer, world in zip((expected, got), self.worlds, strict=True)
            ]
            if "<devices>" in texts[0]:
                texts = [_tuned(text) for text in texts]
            if texts[0] != texts[1]:
                texts = _shortened(*texts)
                found.append(f"{asked}\n  libvirtd: {texts[0]}\n  ours:     {texts[1]}")
        end = time.monotonic() + _DEADLINE
        while len(theirs.peer.events) != len(ours.peer.events) and time.monotonic() < end:
            for one, other in ((theirs, ours), (ours, theirs)):
                one.peer.settle(len(other.peer.events))
        told = [
            [withoutIds(run.plain(list(each))) for each in run.peer.events]
            for run in (theirs, ours)
        ]
        for run in (theirs, ours):
            run.peer.close()
        self.assertEqual(found, [], f"{script.__name__}\n" + "\n".join(found[:40]))
        self.assertEqual(told[1], told[0], script.__name__)

    def unknownFlags(self) -> None:
        """Every method refuses flags that nobody knows, and of those that exclude each other, in the same words."""

        def called(world: World) -> list[str]:
            command = [requireBinding(), "-c", FLAGS, "g", world.folder]
            outcome = world.run(command)
            self.assertEqual((outcome.stderr, outcome.status), ("", 0))
            return outcome.stdout.replace(world.folder, "FOLDER").splitlines()

        theirs, ours = self.pool.map(called, self.worlds)
        self.assertEqual([each for each in ours if each not in theirs], [])
        self.assertEqual(ours, theirs)

    def test_tuning(self) -> None:
        """
        Every command about shares, limits, pins, threads and metadata, with right and wrong values, says the same of
        a domain that does not run and of one that does, and leaves the same definitions; and so do calls with flags
        that there are not.
        """
        self.lines(DEFINED)
        for seed in range(_MIXTURES // 2):
            self.script(mixture(seed))
        self.lines(["undefine g", "define FOLDER/g.xml", "start g --paused"])
        self.lines(RUNNING)
        for seed in range(_MIXTURES // 2, _MIXTURES):
            self.script(mixture(seed))
        for words, status in ((("memtune", "g", "--hard-limit", "x"), 1), (("memtune", "g"), 0)):
            for world in self.worlds:
                self.assertEqual(world.virsh(*words).status, status)
        self.unknownFlags()
        self.lines(["destroy g", "dominfo g"])
        for world in self.worlds:
            # Nothing is left behind of a guest that is gone.
            left = world.run(["find", "/sys/fs/cgroup", "-name", "qemu-*"])
            self.assertEqual(left.stdout, "")
