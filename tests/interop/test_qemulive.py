"""
What the definition of a running guest says: on our daemon what it says on libvirtd, also for another host, also after
the daemon has been started again.
"""

from __future__ import annotations

import re
import signal

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World

#: Processors that are asked for; of some, the emulator has less, or more.
PROCESSORS = [
    "",
    "<cpu mode='host-model'/>",
    "<cpu mode='custom' match='exact'><model>Nehalem</model></cpu>",
    "<cpu mode='custom' match='exact'><model fallback='allow'>Haswell-noTSX</model>"
    "<feature policy='require' name='aes'/><feature policy='disable' name='avx'/></cpu>",
    "<cpu mode='custom' match='minimum'><model>Nehalem</model></cpu>",
    "<cpu mode='custom' match='minimum'><model fallback='forbid'>qemu64</model><feature policy='require' name='sse2'/>"
    "<feature policy='optional' name='aes'/><feature policy='disable' name='sse'/></cpu>",
    "<cpu mode='custom' match='strict'><model>Nehalem</model></cpu>",
    "<cpu mode='custom' check='partial'><model>Nehalem</model></cpu>",
    "<cpu mode='custom' check='partial'><model>Skylake-Server</model></cpu>",
    "<cpu mode='custom' check='full'><model>Nehalem</model></cpu>",
    "<cpu mode='maximum'/>",
    "<cpu><topology sockets='1' cores='2' threads='1'/></cpu>",
]

_DEVICES = """
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <serial type='pty'/><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
    <interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>
    <graphics type='vnc' port='-1'/><graphics type='spice' autoport='yes'/>
    """


def guest(processor: str = "", machine: str = "q35", devices: str = "", more: str = "") -> str:
    """Write a definition."""
    return f"""
        <domain type='qemu'><name>g</name><uuid>a0f0e4ba-6a0c-4a7c-9d4c-3b0a4f4c1a01</uuid>
        <memory>65536</memory><vcpu>2</vcpu><os><type arch='x86_64' machine='{machine}'>hvm</type></os>
        {more}{processor}<devices>{devices}</devices></domain>"""


class LiveDefinitionTests(SynchronousTestCase):
    """Guests are started, without their CPUs running, and described."""

    maxDiff = None

    def setUp(self) -> None:
        self.worlds: list[World] = []
        for kind in (LibvirtWorld, PyvirtWorld):
            world = kind()
            self.addCleanup(world.stop)
            self.worlds.append(world)

    def described(self, world: World) -> str:
        """What is said of the guest, in all ways."""
        out = []
        updated = (
            "--update-cpu",
            "--inactive --update-cpu",
            "--inactive --update-cpu --migratable",
        )
        for flags in ("", "--migratable", "--inactive", "--inactive --migratable", *updated):
            outcome = world.virsh("dumpxml", "g", *flags.split())
            out.append(outcome.stdout + outcome.stderr)
        text = re.sub(r"/dev/pts/\d+", "<terminal>", "".join(out))
        return text.replace(world.folder, "<folder>")

    def begun(self, world: World, xml: str) -> str:
        """Start a guest, and describe it."""
        defined = world.virsh("define", world.write("g.xml", xml))
        started = world.virsh("start", "g", "--paused")
        errors = (defined.stderr + started.stderr).replace(world.folder, "<folder>")
        return errors + self.described(world)

    def test_processors(self) -> None:
        """The features that a guest has are said; a guest that lacks what it insists on does not start."""
        for processor in PROCESSORS:
            outcomes = []
            for world in self.worlds:
                outcomes.append(self.begun(world, guest(processor)))
                world.virsh("destroy", "g")
            self.assertEqual(outcomes[0], outcomes[1], processor)

    def test_found(self) -> None:
        """A daemon that has been started again says the same of a guest as before, and as libvirtd."""
        for machine in ("pc", "q35"):
            outcomes = []
            for world in self.worlds:
                before = self.begun(world, guest(machine=machine, devices=_DEVICES))
                self.assertIn("check='full'", before)
                world.stopDaemon(signal.SIGKILL)
                world.startDaemon()
                outcomes.append((before, self.described(world)))
                world.virsh("destroy", "g")
            for theirs, ours in zip(*outcomes, strict=True):
                self.assertEqual(theirs, ours)

    def test_labels(self) -> None:
        """As whom a guest runs, if its definition says something of it."""
        for more in (
            "<seclabel type='none' model='dac'/>",
            "<seclabel type='dynamic' model='dac' relabel='yes'/>",
            "<seclabel type='static' model='dac' relabel='yes'><label>+0:+0</label></seclabel>",
            "<seclabel type='none'/>",
        ):
            outcomes = []
            for world in self.worlds:
                outcomes.append(self.begun(world, guest(more=more)))
                world.virsh("destroy", "g")
            self.assertEqual(outcomes[0], outcomes[1], more)
