"""
Questions about the host and its emulators, good ones and bad ones: our daemon answers as libvirtd does.
"""

from __future__ import annotations

import itertools
import shlex

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World, requireQEMU

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
    *(f"domcapabilities {kind}" for kind in _KINDS if kind != "--arch i686"),
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
]

_CPU = "<cpu mode='custom' match='exact'><model>Nehalem</model></cpu>"


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
