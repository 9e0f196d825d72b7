"""
Networks, storage, host interfaces and devices of the test driver, asked by the stock binding.
"""

from __future__ import annotations

from .secondaryscript import SCRIPT
from .support import ComparisonCase


class SecondaryTests(ComparisonCase):
    """
    Objects beside the domains.
    """

    def test_oddities(self) -> None:
        """
        What is odd is accepted, completed or refused in the same words.
        """
        outcome = self.compareScript(SCRIPT)
        self.assertEqual(outcome.status, 0)
