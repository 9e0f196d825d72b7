"""
Rules for devices under version 2: what the program says to which rules, and that the kernel obeys it.
"""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
from typing import cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from pyvirt.drivers.qemu.bpf import Map, canFilter, programs
from pyvirt.drivers.qemu.devicefilters import ProgramFilter, deviceProgram
from pyvirt.errors import VirtError

_ANY = 0xFFFFFFFF
_MASK = (1 << 64) - 1


class _Rules:
    """A map that no kernel has, by the descriptor that programs name."""

    fd = 77


def answer(rules: dict[int, int], asked: int, major: int, minor: int) -> int:
    """
    Run the program as the kernel's virtual machine does.

    @param rules: by key, the value.
    @param asked: a kind with how it is to be opened.
    """
    code = b"".join(deviceProgram(cast(Map, _Rules())))
    steps = [struct.unpack_from("=BBhi", code, at) for at in range(0, len(code), 8)]
    registers = [0] * 11
    stored = 0
    words = {0: asked, 4: major, 8: minor}
    at = 0
    for _ in range(1000):
        operation, both, offset, value = steps[at]
        to, of = both & 15, both >> 4
        at += 1
        if operation == 0x61:
            # From what is asked, else from the rule that was found.
            registers[to] = words[offset] if of == 1 else registers[of] - 1
        elif operation in (0xB7, 0xBF, 0xB4):
            mask = _MASK if operation != 0xB4 else _ANY
            registers[to] = (registers[of] if operation == 0xBF else value) & mask
        elif operation == 0x67:
            registers[to] = registers[to] << value & _MASK
        elif operation == 0x4F:
            registers[to] |= registers[of]
        elif operation == 0x5F:
            registers[to] &= registers[of]
        elif operation == 0x07:
            registers[to] += value
        elif operation == 0x7B:
            assert (to, offset) == (10, -8)
            stored = registers[of]
        elif operation == 0x18:
            assert (of, value) == (1, _Rules.fd)
            at += 1
        elif operation == 0x85:
            assert value == 1 and registers[2] == -8
            # What is found lies somewhere; the number itself, plus one, is where.
            registers[0] = rules[stored] + 1 if stored in rules else 0
        elif operation == 0x15:
            at += offset if registers[to] == value else 0
        elif operation == 0x1D:
            at += offset if registers[to] == registers[of] else 0
        else:
            assert operation == 0x95
            return registers[0]
    raise AssertionError("the program does not end")


def expected(rules: dict[int, int], asked: int, major: int, minor: int) -> bool:
    return any(
        rules.get(one << 32 | other, 0) & asked == asked
        for one in (major, _ANY)
        for other in (minor, _ANY)
    )


_NUMBERS = st.sampled_from([0, 1, 5, 255, 1 << 19, _ANY])
_VALUES = st.builds(lambda access, kind: access << 16 | kind, st.integers(0, 7), st.integers(1, 3))


class ProgramTests(SynchronousTestCase):
    """What the program says."""

    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.dictionaries(
            st.builds(lambda one, other: one << 32 | other, _NUMBERS, _NUMBERS), _VALUES
        ),
        st.builds(lambda access, kind: access << 16 | kind, st.integers(0, 7), st.integers(1, 2)),
        _NUMBERS.filter(lambda number: number != _ANY),
        _NUMBERS.filter(lambda number: number != _ANY),
    )
    def test_rules(self, rules: dict[int, int], asked: int, major: int, minor: int) -> None:
        """It says yes where one rule of the device, or of any with one of its numbers, has all that is asked."""
        self.assertEqual(
            bool(answer(rules, asked, major, minor)), expected(rules, asked, major, minor)
        )


class KernelTests(SynchronousTestCase):
    """The kernel, where it has version 2 and lets us make rules."""

    def setUp(self) -> None:
        with open("/proc/self/mounts") as file:
            rows = [line.split() for line in file]
        roots = [row[1] for row in rows if row[2] == "cgroup2"]
        if not roots or not canFilter(roots[-1]):
            raise SkipTest("nobody lets us make rules for groups of version 2")
        try:
            self.place = tempfile.mkdtemp(prefix="pv-filter-", dir=roots[-1])
        except OSError as problem:
            raise SkipTest(f"no group can be made here: {problem}") from None
        self.addCleanup(os.rmdir, self.place)
        self.filter = ProgramFilter(self.place)

    def begin(self) -> None:
        try:
            self.filter.begin()
        except VirtError as problem:
            raise SkipTest(f"nobody lets us load programs: {problem}") from None

    def opens(self, path: str, how: str) -> bool:
        """Open a device as a process of the group."""
        command = f"echo 0 >{self.place}/cgroup.procs && exec 3{how}{path}"
        done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE)
        if done.returncode:
            self.assertIn(b"Operation not permitted", done.stderr)
        return done.returncode == 0

    def test_obeyed(self) -> None:
        """Devices are opened as rules say, from the moment that a rule is there."""
        self.assertFalse(self.filter.isThere())
        self.assertRaises(VirtError, self.filter.allow, "c 1:5", "r")
        self.begin()
        self.assertTrue(self.filter.isThere())
        self.assertFalse(self.opens("/dev/zero", "<"))
        self.filter.allow("c 1:5", "r")
        self.assertTrue(self.opens("/dev/zero", "<"))
        self.assertFalse(self.opens("/dev/zero", ">"))
        self.filter.allow("c 1:5", "w")
        self.assertTrue(self.opens("/dev/zero", "<>"))
        self.filter.deny("c 1:5", "w")
        self.assertEqual([self.opens("/dev/zero", how) for how in "<>"], [True, False])
        self.filter.allow("c 1:*", "rw")
        self.assertTrue(self.opens("/dev/full", "<"))
        self.filter.deny("c 1:*", "rwm")
        self.filter.deny("c 1:5", "rwm")
        self.assertEqual(
            [self.opens(f"/dev/{name}", "<") for name in ("zero", "full")], [False] * 2
        )

    def test_kinds(self) -> None:
        """A block device does not take its rule with it from the other device that has its numbers."""
        self.begin()
        self.filter.allow("c 1:5", "r")
        self.filter.allow("b 1:5", "rw")
        self.assertTrue(self.opens("/dev/zero", "<"))
        self.filter.deny("b 1:5", "rwm")
        self.assertTrue(self.opens("/dev/zero", "<"))
        self.filter.deny("c 1:5", "rwm")
        self.assertFalse(self.opens("/dev/zero", "<"))

    def test_many(self) -> None:
        """There is room for any number of rules, in a map that takes the place of the one that is full."""
        self.begin()
        self.filter.allow("c 1:5", "r")
        for minor in range(200):
            self.filter.allow(f"b 7:{minor}", "rw")
        self.assertTrue(self.opens("/dev/zero", "<"))
        group = os.open(self.place, os.O_RDONLY)
        self.addCleanup(os.close, group)
        (program,) = programs(group)
        with program:
            (rules,) = program.maps()
            with rules:
                self.assertEqual(len(rules.items()), 201)
                self.assertEqual(rules.items()[struct.pack("=Q", 7 << 32 | 199)], b"\1\0\6\0")

    def test_gone(self) -> None:
        """A group that is gone has no rules, and can get none."""
        gone = ProgramFilter(self.place + "/gone")
        self.assertFalse(gone.isThere())
        for change in (
            gone.begin,
            lambda: gone.allow("c 1:5", "r"),
            lambda: gone.deny("c 1:5", "r"),
        ):
            error = self.assertRaises(VirtError, change)
            self.assertIn("No such file or directory", str(error))
