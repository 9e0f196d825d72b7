"""
Tests for L{pyvirt.routes.matrix}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from pyvirt.drivers.interfaces.secrets import ISecrets
from pyvirt.routes.matrix import PATH, drivers, matrix

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class MatrixTests(SynchronousTestCase):
    def test_upToDate(self) -> None:
        """
        The page in the documentation is what the drivers' classes say now.
        """
        with open(os.path.join(CHECKOUT, PATH), encoding="utf-8") as file:
            written = file.read()
        if written != matrix(drivers()):
            self.fail(f"{PATH} is out of date: run python -m pyvirt.routes.matrix")

    def test_testDriver(self) -> None:
        """
        The test driver is among the drivers that are found.
        """
        self.assertIn("test", drivers())

    def test_fields(self) -> None:
        """
        A field says yes for an operation that a class declares and has, under each function that asks for it.
        """

        class Secrets:
            def connectListAllSecrets(self, flags: int) -> list[Any]:
                """List none."""
                return []

        implementer(ISecrets)(Secrets)

        def classes(interface: InterfaceClass) -> Any:
            return Secrets if interface is ISecrets else None

        page = matrix({"some": classes, "none": lambda interface: None})
        for name in ("ListAllSecrets", "NumOfSecrets", "ListSecrets"):
            self.assertIn(f"| `virConnect{name}` | `connectListAllSecrets` | yes |  |\n", page)
        self.assertIn("| `virSecretGetValue` | `secretGetValue` |  |  |\n", page)
        self.assertIn("| all |  | 3 of ", page)
