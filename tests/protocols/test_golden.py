"""
The wire tables against the golden listing.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pyvirt import constants
from pyvirt.protocols.procedures import Direction, Kind, Program, event, procedure
from pyvirt.protocols.programs import ALL
from pyvirt.protocols.xdr import Int32
from tests.protocols import golden


class GoldenTests(SynchronousTestCase):
    """Nothing of the wire changes unseen."""

    maxDiff = None

    def test_listing(self) -> None:
        """All numbers, types, limits, priorities, rules, streams and descriptors are as listed."""
        with open(golden.PATH, encoding="ascii") as file:
            listed = file.read().splitlines()
        now = list(golden.lines())
        changed = [f"- {each}" for each in listed if each not in set(now)]
        changed += [f"+ {each}" for each in now if each not in set(listed)]
        self.assertEqual(changed, [], "see tests/protocols/golden.py if this was meant")
        self.assertEqual(listed, now)

    def test_counts(self) -> None:
        """Seven programs, as many procedures as libvirt's."""
        self.assertEqual(
            {program.name: len(program.procedures) for program in ALL},
            {"remote": 453, "qemu": 7, "lxc": 1, "admin": 19, "keepalive": 2, "lock": 8, "log": 4},
        )

    def test_everythingNamedExists(self) -> None:
        """Flags, values and arguments that rules and streams name are there."""
        for program in ALL:
            for each in program:
                names = [each.sparse] if each.sparse else []
                for rule in (*each.access, *each.filters):
                    names += rule.flags
                    if rule.flags:
                        self.assertIn("flags", each.parameters, each)
                    if rule.argument is not None:
                        self.assertIn(rule.argument, each.parameters, each)
                        names.append(str(rule.value))
                for name in names:
                    self.assertTrue(hasattr(constants, name), f"{each}: {name}")
                if each.readOnly.deniedFlags:
                    self.assertIn("flags", each.parameters, each)
                for name in each.readOnly.deniedArguments:
                    self.assertIn(name, each.parameters, each)

    def test_kinds(self) -> None:
        """Events have no result, only calls have streams and descriptors."""
        for program in ALL:
            for each in program:
                if each.kind is not Kind.CALL:
                    self.assertIsNone(each.result, each)
                    self.assertEqual((each.stream, each.fds, each.access), (None, "", ()), each)
                if each.sparse:
                    self.assertIn(each.stream, (Direction.READ, Direction.WRITE), each)

    def test_numberTwice(self) -> None:
        """Two stubs of one number are no program."""

        class Stubs:
            @procedure(1)
            def one(self, x: Int32) -> None: ...

            @event(1)
            def other(self, x: Int32) -> None: ...

        self.assertRaises(TypeError, Program, "x", 1, 1, Stubs)
