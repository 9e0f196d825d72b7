"""
Tests for L{pyvirt.params}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.constants import (
    VIR_TYPED_PARAM_INT,
    VIR_TYPED_PARAM_STRING,
    VIR_TYPED_PARAM_UINT,
    VIR_TYPED_PARAM_ULLONG,
)
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.errors import VirtError
from pyvirt.params import validateParams

KNOWN = {"weight": VIR_TYPED_PARAM_UINT, "device_weight": VIR_TYPED_PARAM_STRING}


def weight(value: int, type: int = VIR_TYPED_PARAM_UINT) -> TypedParam:
    return TypedParam("weight", type, value)


class ValidateTests(SynchronousTestCase):
    def refusal(self, *params: TypedParam) -> tuple[int, int, str]:
        error = self.assertRaises(VirtError, validateParams, params, KNOWN)
        return int(error.code), int(error.domain), str(error)

    def test_values(self) -> None:
        """
        Known parameters come back by name, in the order given.
        """
        params = [weight(500), TypedParam("device_weight", VIR_TYPED_PARAM_STRING, "/dev/a,1")]
        self.assertEqual(
            [("weight", 500), ("device_weight", "/dev/a,1")],
            list(validateParams(params, KNOWN).items()),
        )

    def test_none(self) -> None:
        """
        No parameters are no mistake here.
        """
        self.assertEqual({}, validateParams([], KNOWN))

    def test_unknown(self) -> None:
        """
        An unknown name is refused, and names are told apart by case.
        """
        self.assertEqual(
            (74, 0, "argument unsupported: parameter 'Weight' not supported"),
            self.refusal(TypedParam("Weight", VIR_TYPED_PARAM_UINT, 1)),
        )

    def test_wrongType(self) -> None:
        """
        A wrong type is refused; both types are named.
        """
        self.assertEqual(
            (
                8,
                0,
                "invalid argument: invalid type 'ullong' for parameter 'weight', expected 'uint'",
            ),
            self.refusal(weight(1, VIR_TYPED_PARAM_ULLONG)),
        )

    def test_twice(self) -> None:
        """
        A repetition is refused, whatever its type, unless the first one has a wrong type.
        """
        twice = (8, 0, "invalid argument: parameter 'weight' occurs multiple times")
        self.assertEqual(twice, self.refusal(weight(1), weight(2)))
        self.assertEqual(twice, self.refusal(weight(1), weight(2, VIR_TYPED_PARAM_INT)))
        wrong = self.refusal(weight(1, VIR_TYPED_PARAM_INT), weight(2))
        self.assertIn("invalid type 'int'", wrong[2])

    def test_multiple(self) -> None:
        """
        What may be repeated comes back as a list, even if given once.
        """
        self.assertEqual(
            {"weight": [1, 2]}, validateParams([weight(1), weight(2)], KNOWN, multiple={"weight"})
        )
        self.assertEqual({"weight": [1]}, validateParams([weight(1)], KNOWN, multiple={"weight"}))

    def test_firstByName(self) -> None:
        """
        Of several mistakes the one of the lowest name is reported.
        """
        bad = weight(1, VIR_TYPED_PARAM_INT)
        early = TypedParam("aaa", VIR_TYPED_PARAM_INT, 1)
        late = TypedParam("zzz", VIR_TYPED_PARAM_INT, 1)
        self.assertIn("'aaa' not supported", self.refusal(bad, early)[2])
        self.assertIn("invalid type", self.refusal(late, bad)[2])
