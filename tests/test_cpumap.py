"""Looking up features of processors in tables."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.drivers.cpus.cpumap import CPUMap, Model


class FeatureTests(SynchronousTestCase):
    """A small table."""

    def setUp(self) -> None:
        self.table = CPUMap(
            features={
                "wide": {("a",): 1, ("b",): 6},
                "first": {("a",): 1},
                "sse4.1": {("b",): 2},
                "nothing": {},
                "pair": {("b",): 6},
            },
            models={"m": Model(name="m", features=frozenset({"first", "sse4.1"}))},
        )

    def test_featuresIn(self) -> None:
        """A feature is there if all its bits are, in whatever leaves; the order is that of the table."""
        for bits, expected in (
            ({}, []),
            ({("b",): 2, ("a",): 1}, ["first", "sse4.1"]),
            ({("b",): 6}, ["sse4.1", "pair"]),
            ({("b",): 15, ("a",): 9}, ["wide", "first", "sse4.1", "pair"]),
            ({("a",): 0, ("c",): 7}, []),
        ):
            self.assertEqual(self.table.featuresIn(bits), expected)

    def test_bitsOfModel(self) -> None:
        """A model's bits are those of its features, however often it is asked."""
        for _ in range(2):
            self.assertEqual(self.table.bitsOfModel("m"), {("a",): 1, ("b",): 2})

    def test_spelled(self) -> None:
        """Names that differ in what joins their parts are of one feature."""
        self.assertEqual(self.table.spelled("sse4_1"), "sse4.1")
        self.assertIsNone(self.table.spelled("sse42"))
