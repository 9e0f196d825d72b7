"""
The classes that definitions are made of.
"""

import copy
import pickle

import attrs
from attrs.exceptions import FrozenInstanceError
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain._address import DriveAddress, PCIAddress
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.values import definition


@definition
class Point:
    """A field that must be given, and one that need not."""

    x: int
    y: int = 2


@definition
class Place(Point):
    """Another default, another field."""

    y: int = 3
    z: tuple[int, ...] = ()


@definition
class Notes:
    """A default that is made anew for each."""

    lines: dict[str, int] = attrs.Factory(dict)


class ValueTests(SynchronousTestCase):
    """What L{definition} makes of a class."""

    def test_constructor(self) -> None:
        """Fields are given by name; what is missing or unknown is refused."""
        self.assertEqual((Point(x=1).x, Point(x=1).y), (1, 2))
        place = Place(x=1, z=(4,))
        self.assertEqual((place.x, place.y, place.z), (1, 3, (4,)))
        for wrong in ({}, {"x": 1, "w": 2}):
            for cls in (Point, Place):
                self.assertRaises(TypeError, cls, **wrong)
        self.assertRaises(TypeError, Point, 1)

    def test_madeDefault(self) -> None:
        """A default may be made for each that is not given one."""
        first, second = Notes(), Notes()
        self.assertEqual((first.lines, first), ({}, second))
        self.assertIsNot(first.lines, second.lines)
        self.assertEqual(Notes(lines={"a": 1}).lines, {"a": 1})

    def test_frozen(self) -> None:
        """Nothing of it can be set, added or taken away, not even after its class has been replaced in copies."""
        for value in (Point(x=1), replaced(Point(x=1), x=2)):
            self.assertIs(type(value), Point)
            self.assertRaises(FrozenInstanceError, setattr, value, "x", 3)
            self.assertRaises(FrozenInstanceError, setattr, value, "new", 3)
            self.assertRaises(FrozenInstanceError, delattr, value, "x")
            self.assertFalse(hasattr(value, "__dict__"))

    def test_equality(self) -> None:
        """Two are equal if all fields and the class are."""
        self.assertEqual(Point(x=1), Point(x=1))
        self.assertEqual(hash(Point(x=1)), hash(Point(x=1)))
        self.assertNotEqual(Point(x=1), Point(x=1, y=3))
        self.assertNotEqual(Point(x=1, y=3), Place(x=1, y=3))
        self.assertNotEqual(Point(x=1), 1)
        self.assertEqual(len({DriveAddress(unit=1), DriveAddress(unit=1), PCIAddress()}), 2)

    def test_copies(self) -> None:
        """Copies and pickles are equal to the original; a copy with nothing changed is the original."""
        place = Place(x=1)
        for other in (copy.copy(place), copy.deepcopy(place), pickle.loads(pickle.dumps(place))):
            self.assertEqual(other, place)
        self.assertIs(replaced(place, x=1), place)
        self.assertEqual(replaced(place, x=5), Place(x=5))
        self.assertRaises(AttributeError, replaced, place, w=5)

    def test_attrs(self) -> None:
        """C{attrs} takes them for its own."""
        self.assertEqual([each.name for each in attrs.fields(Place)], ["x", "y", "z"])
        self.assertEqual(attrs.evolve(Place(x=1), y=4), Place(x=1, y=4))
        self.assertEqual(repr(Place(x=1)), "Place(x=1, y=3, z=())")
