"""Named tuples that share what is the same in all."""

from __future__ import annotations

import copy
import pickle
from collections import namedtuple
from typing import get_type_hints

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.protocols.structs import DomainRef, NetworkPortRef, NetworkRef

_UUID = bytes(range(16))
_Plain = namedtuple("_Plain", ["name", "uuid", "id"])


class SharedTests(SynchronousTestCase):
    """They work as those that C{collections.namedtuple} makes."""

    def setUp(self) -> None:
        self.ours = DomainRef("vm", _UUID, 3)
        self.plain = _Plain("vm", _UUID, 3)

    def test_alike(self) -> None:
        """Each method answers as a plain one's does."""
        self.assertEqual(repr(self.ours), repr(self.plain).replace("_Plain", "DomainRef"))
        self.assertEqual(self.ours._asdict(), self.plain._asdict())
        self.assertEqual(self.ours._replace(id=-1), self.plain._replace(id=-1))
        self.assertIs(type(self.ours._replace(id=-1)), DomainRef)
        self.assertIs(type(DomainRef._make(["vm", _UUID, 3])), DomainRef)
        for made in (pickle.loads(pickle.dumps(self.ours)), copy.deepcopy(self.ours)):
            self.assertEqual(made, self.ours)
            self.assertIs(type(made), DomainRef)

    def test_refusals(self) -> None:
        """What a plain one refuses is refused with the same words."""
        for wrong in (
            lambda kind, value: kind._make(["vm", _UUID]),
            lambda kind, value: kind._make(["vm", _UUID, 3, 4]),
            lambda kind, value: value._replace(memory=3),
        ):
            problems = []
            for kind, value in ((DomainRef, self.ours), (_Plain, self.plain)):
                with self.assertRaises((TypeError, ValueError)) as caught:
                    wrong(kind, value)
                problems.append((type(caught.exception), str(caught.exception)))
            self.assertEqual(problems[0], problems[1])

    def test_shared(self) -> None:
        """The methods are one for all classes of a module."""
        for name in ("_replace", "_asdict", "__repr__", "__getnewargs__"):
            self.assertIs(vars(DomainRef)[name], vars(NetworkRef)[name])

    def test_hints(self) -> None:
        """What fields are of is still known."""
        self.assertIs(get_type_hints(NetworkPortRef)["net"], NetworkRef)
