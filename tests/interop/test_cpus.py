"""
The processor that hosts have in common, as libvirtd's test driver finds it.
"""

from __future__ import annotations

from .cpuscript import SCRIPT
from .support import ComparisonCase


class BaselineTests(ComparisonCase):
    """
    The stock binding asks both sides for baselines.
    """

    def test_baselines(self) -> None:
        """
        Models alone and in pairs, features, vendors, architectures and what is wrong with documents.
        """
        outcome = self.compareScript(SCRIPT)
        self.assertIn("policy='disable'", outcome.stdout)
