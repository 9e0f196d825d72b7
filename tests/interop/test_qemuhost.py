"""
Questions about the host and its emulators, good ones and bad ones: our daemon answers as libvirtd does.
"""

from __future__ import annotations

import itertools
import os
import shlex

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World, requireQEMU
from tests.interop.support import Outcome

_DMIDECODE = "/usr/sbin/dmidecode"
_KINDS = [
    "",
    "--arch i686",
    "--arch aarch64",
    "--arch nonsense",
    "--virttype kvm",
    "--virttype xen",
    "--virttype nonsense",
    "--virttype nonsense --arch nonsense",
    "--machine q35",
    "--machine nonsense",
    "--machine nonsense --virttype kvm",
]

QUESTIONS = [
    *(
        f"{command} {kind}"
        for command, kind in itertools.product(
            ("hypervisor-cpu-compare cpu.xml", "hypervisor-cpu-baseline cpu.xml"), _KINDS
        )
    ),
    *(f"domcapabilities {kind}" for kind in _KINDS),
    "domcapabilities --emulatorbin QEMU --arch aarch64",
    "domcapabilities --emulatorbin QEMU --arch nonsense",
    "domcapabilities --emulatorbin /absent/emulator",
    "domcapabilities --emulatorbin /absent/emulator --virttype nonsense",
    "domcapabilities --emulatorbin /usr",
    "domcapabilities --emulatorbin cpu.xml",
    "hypervisor-cpu-compare cpu.xml --error",
    "hypervisor-cpu-baseline cpu.xml --features",
    "hypervisor-cpu-baseline cpu.xml --migratable",
    "hypervisor-cpu-baseline /dev/null",
    "cpu-compare cpu.xml",
    "cpu-baseline cpu.xml --features",
    *(f"maxvcpus {kind}" for kind in ("", "qemu", "Qemu", "kvm", "xen", "nonsense")),
    *(f"cpu-models {arch}" for arch in ("x86_64", "i686", "aarch64", "nonsense")),
    "nodecpumap",
    "sysinfo",
]

_CPU = "<cpu mode='custom' match='exact'><model>Nehalem</model></cpu>"

#: What firmware may say: keys that only a later structure has, boards without a name, slots without a module.
_FIRMWARES = (
    """BIOS Information
	Vendor: A <vendor> & more
	Release Date: 01/02/2003
	BIOS Revision: 1.2

System Information
	Manufacturer:   Somebody
	Serial Number: Not Specified
	UUID: 6c2b8b5e-2f0c-4b6f-8a3c-0d6f0c5a9b11

Base Board Information
	Manufacturer: First
	Asset Tag: T1
	Location In Chassis: Left

Base Board Information
	Product Name:
	Manufacturer: Second

Chassis Information
	Version: V
	SKU Number: 'quoted' "twice"

Processor Information
	Socket Designation: CPU 0
	Type: Central Processor
	Max Speed:   2000 MHz

Processor Information
	Socket Designation: CPU 1
	Signature: Type 0, Family 6

OEM Strings
	String 1: one
	String 2: dots.
	String 4: <four>

Memory Device
	Size:  4 GB
	Locator: DIMM 0
	Bank Locator: Bank 0
	Type: RAM

Memory Device
	Size: No Module Installed
	Locator: DIMM 1
""",
    "OEM Strings\n\tString x: what\n",
    "BIOS Information\n",
    "",
)


class HostQuestionTests(SynchronousTestCase):
    """Each question is put to both."""

    maxDiff = None

    def test_questions(self) -> None:
        """Outputs, errors and exit statuses are the same."""
        emulator = requireQEMU()
        answers: list[list[str]] = []
        kind: type[World]
        for kind in (LibvirtWorld, PyvirtWorld):
            world = kind()
            self.addCleanup(world.stop)
            world.write("cpu.xml", _CPU)
            said = []
            for question in QUESTIONS:
                outcome = world.virsh(*shlex.split(question.replace("QEMU", emulator)))
                text = f"$ {question}\n{outcome.stdout}{outcome.stderr}[{outcome.status}]"
                said.append(text.replace(world.folder, "FOLDER"))
            answers.append(said)
        for theirs, ours in zip(*answers, strict=True):
            self.assertEqual(theirs, ours)

    def test_firmware(self) -> None:
        """What dmidecode says is told alike, whatever it says."""
        requireQEMU()
        if not os.path.exists(_DMIDECODE):
            raise SkipTest("dmidecode is not installed")
        answers: list[list[Outcome]] = []
        kind: type[World]
        for kind in (LibvirtWorld, PyvirtWorld):
            world = kind()
            self.addCleanup(world.stop)
            text = os.path.join(world.folder, "firmware")
            program = world.write(
                "dmidecode", f"#!/bin/sh\nif [ $1 = --dump ]; then echo $*; else cat {text}; fi\n"
            )
            os.chmod(program, 0o755)
            self.assertEqual(world.run(["mount", "--bind", program, _DMIDECODE]).status, 0)
            said = []
            for firmware in _FIRMWARES:
                world.write("firmware", firmware)
                world.stopDaemon()
                world.startDaemon()
                said.append(world.virsh("sysinfo"))
            answers.append(said)
        self.assertEqual(*answers)
