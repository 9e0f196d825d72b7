"""
Tuning, statistics and guests of our test driver beside libvirtd's: chosen scripts, and many that are made up.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from .test_testdriver import daemon
from .testdriverpeers import OurPeer, Script, Transcript, WirePeer, differences
from .testdriverscripts import KEPT
from .tuningscripts import directed, mixture

#: How many scripts are made up.
_MIXTURES = 60


class TuningTests(SynchronousTestCase):
    """
    Each script on a libvirtd, and on our driver.
    """

    def compare(self, script: Script) -> None:
        """Run a script on both sides and fail with the first differences."""
        theirs = Transcript(WirePeer(daemon().connect(), "test:///default"), KEPT)
        ours = Transcript(OurPeer("test:///default"), KEPT)
        try:
            script(theirs)
            script(ours)
            found = differences(theirs, ours)
        finally:
            theirs.peer.close()
            ours.peer.close()
        self.assertEqual(found, [], f"{script.__name__}\n" + "\n".join(found[:3]))

    def test_chosen(self) -> None:
        """
        What libvirtd does in odd cases of limits, devices, threads, polling, clocks and restarts is done here.
        """
        for script in directed:
            self.compare(script)

    def test_madeUp(self) -> None:
        """
        Sequences of right and wrong calls are answered alike and leave the same definitions.
        """
        for seed in range(_MIXTURES):
            self.compare(mixture(seed))
