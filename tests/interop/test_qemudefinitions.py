"""
Definitions, command lines and capabilities of our QEMU driver beside libvirtd's, each in a world of its own.
"""

from __future__ import annotations

import os
import re
import shlex

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World, requireQEMU
from tests.interop.support import requireVirsh
from tests.qemu.observations import cases, masked

#: One crashes libvirtd 9.0.0 as it writes the command line; one is of a file of the machine.
_LEFT_OUT = re.compile(r"if12$|emulator")

#: Every so many cases are compared here; all of them are in memory, against what was observed.
_STEP = 9


def words(text: str) -> list[str]:
    """Return the arguments in a command line, without what is particular to a world."""
    found = shlex.split(text)
    while found and "=" in found[0] and not found[0].startswith("/"):
        found.pop(0)
    return masked(found)


class QEMUDefinitionTests(SynchronousTestCase):
    """Both daemons say the same of what is defined."""

    def setUp(self) -> None:
        requireQEMU()
        self.worlds: list[World] = []
        for kind in (LibvirtWorld, PyvirtWorld):
            world = kind()
            self.addCleanup(world.stop)
            self.worlds.append(world)

    def both(self, *arguments: str) -> list[str]:
        """Return what virsh prints on either daemon, errors included."""
        found = []
        for world in self.worlds:
            outcome = world.virsh(*arguments)
            found.append(outcome.stdout + outcome.stderr)
        return found

    def test_sample(self) -> None:
        """A sample of documents is completed alike, refused alike, and gives the same arguments."""
        sample = [case for case in cases() if not _LEFT_OUT.search(case.name)][::_STEP]
        answers: list[list[str]] = []
        for world in self.worlds:
            script = []
            for number, case in enumerate(sample):
                path = world.write(f"case{number}.xml", case.xml)
                name = re.search("<name>(.*)</name>", case.xml)
                assert name is not None
                script += [
                    f"echo @CASE{number}@",
                    f"define {path}",
                    f"echo @XML{number}@",
                    f"dumpxml {name[1]} --security-info",
                    f"undefine {name[1]} --nvram",
                    f"echo @NATIVE{number}@",
                    f"domxml-to-native qemu-argv --xml {path}",
                ]
            command = f"exec {requireVirsh()} -q -c qemu:///system 2>&1"
            outcome = world.run(["sh", "-c", command], input="\n".join(script) + "\n")
            # Where there is no terminal, virsh repeats what it reads behind its prompt.
            text = re.sub(r"virsh # [^\n]*\n", "", outcome.stdout).replace(world.folder, "FOLDER")
            answers.append(re.split(r"@[A-Z]+\d+@", text))
        theirs, ours = answers
        self.assertEqual(len(theirs), len(ours))
        self.assertEqual(len(theirs), 3 * len(sample) + 1)
        for position, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            case = sample[max(position - 1, 0) // 3]
            if position % 3 == 0 and position:
                if case.argv is None or case.name == "cpu0":
                    continue
                one, other = "\n".join(words(one)), "\n".join(words(other))
            self.assertEqual(other, one, case.name)

    def test_capabilities(self) -> None:
        """What guests can be given is told alike, by machine and architecture."""
        for arguments in (
            ("domcapabilities",),
            ("domcapabilities", "--machine", "q35"),
            ("domcapabilities", "--machine", "isapc"),
            ("domcapabilities", "--machine", "nonsuch"),
            ("domcapabilities", "--arch", "ppc64"),
            ("domcapabilities", "--virttype", "xen"),
            ("domcapabilities", "--emulatorbin", "/usr/bin/qemu-system-i386"),
            ("domcapabilities", "--emulatorbin", "/usr/bin/qemu-system-x86_64", "--arch", "i686"),
            ("cpu-models", "x86_64"),
            ("cpu-models", "ppc64"),
            ("cpu-models", "riscv64"),
            ("cpu-models", "nonsuch"),
        ):
            theirs, ours = self.both(*arguments)
            self.assertEqual(ours, theirs, " ".join(arguments))

    def test_leftToTheHost(self) -> None:
        """
        Who leaves a guest's place to the host has it asked; programs and scripts that are named do what they do.
        """
        form = (
            "<domain type='qemu'><name>t</name><uuid>11111111-2222-3333-4444-555555555555</uuid>"
            "<memory>4096</memory>{}<os><type>hvm</type></os>"
            "<devices><emulator>{}</emulator>{}</devices></domain>"
        )
        card = "<interface type='{}'><mac address='52:54:00:00:00:01'/>{}</interface>"
        qemu = requireQEMU()
        auto = "<vcpu placement='auto'>1</vcpu>"
        node = "<numatune><memory mode='strict' {}/></numatune>"
        for head, emulator, nic in (
            (auto, qemu, ""),
            (node.format("placement='auto'"), qemu, ""),
            (auto + node.format("nodeset='0'"), qemu, ""),
            ("", "/bin/true", ""),
            ("", "/bin/false", ""),
            ("", qemu, card.format("ethernet", "<script path='FOLDER/script'/>")),
            ("", qemu, card.format("user", "<script path='FOLDER/script'/>")),
            ("", qemu, card.format("ethernet", "<script path='/bin/false'/>")),
            ("", qemu, card.format("ethernet", "<script path='/proc/nonesuch'/>")),
        ):
            found = []
            for world in self.worlds:
                path = world.write("script", f"#!/bin/sh\nprintf . >> {world.folder}/ran\n")
                os.chmod(path, 0o755)
                text = form.format(head, emulator, nic).replace("FOLDER", world.folder)
                path = world.write("left.xml", text)
                said = []
                for command in ("domxml-to-native qemu-argv", "create"):
                    outcome = world.virsh(*command.split(), path)
                    if outcome.status or command == "create":
                        text = (outcome.stdout + outcome.stderr).replace(world.folder, "FOLDER")
                        text = re.sub(r"qmp-\w+|vnet\d+|PATH=\S+", "N", text)
                        said.append(text)
                    else:
                        said.append(words(outcome.stdout))
                outcome = world.run(["cat", "ran"])
                found.append([*said, outcome.stdout])
                world.virsh("destroy", "t")
            self.assertEqual(found[1], found[0], head + emulator + nic)

    def test_host(self) -> None:
        """The host is described alike, but for features that Linux does not tell and moving amounts."""
        theirs, ours = (self.steady(text) for text in self.both("capabilities"))
        self.assertEqual(ours, theirs)

    def steady(self, text: str) -> str:
        """Leave out what changes from one moment to the next, or what only the processor itself tells."""
        text = re.sub(r"<uuid>.*</uuid>", "<uuid>UUID</uuid>", text)
        text = re.sub(r"      <feature name='(?:la57|xfd|osxsave|invtsc)'/>\n", "", text)
        text = re.sub(r"(<memory unit='KiB'>)\d+", r"\g<1>N", text)
        return re.sub(r"(<pages unit='KiB' size='4'>)\d+", r"\g<1>N", text)

    def test_processors(self) -> None:
        """Processors are compared and joined alike."""
        documents = {
            "nehalem": "<cpu><arch>x86_64</arch><model>Nehalem</model></cpu>",
            "vme": "<cpu><arch>x86_64</arch><model>Westmere</model><feature name='vme'/></cpu>",
            "two": "<cpu><arch>x86_64</arch><model>Nehalem</model><feature name='aes'/></cpu>\n"
            "<cpu><arch>x86_64</arch><model>Westmere</model></cpu>",
            "nonsuch": "<cpu><arch>x86_64</arch><model>nonsuch</model></cpu>",
            "guest": "<cpu mode='custom' match='exact'><model>EPYC</model></cpu>",
            "archless": "<cpu><model>Nehalem</model></cpu>",
            "elsewhere": "<cpu><arch>foo</arch><model>Nehalem</model></cpu>",
            "mixed": "<cpu><arch>x86_64</arch><model>Nehalem</model></cpu>\n"
            "<cpu><arch>i686</arch><model>core2duo</model></cpu>",
            "optional": "<cpu mode='custom' match='exact'><model>Haswell</model>"
            "<feature policy='optional' name='vmx'/></cpu>",
        }
        for name, text in documents.items():
            paths = [world.write(f"{name}.xml", text) for world in self.worlds]
            for command in (
                "hypervisor-cpu-compare",
                "cpu-baseline",
                "cpu-baseline --features",
                "hypervisor-cpu-baseline",
            ):
                found = []
                for world, path in zip(self.worlds, paths, strict=True):
                    outcome = world.virsh(*command.split(), path)
                    found.append((outcome.stdout + outcome.stderr).replace(path, "FILE"))
                self.assertEqual(found[1], found[0], f"{command} {name}")
