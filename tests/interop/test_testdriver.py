"""
Our test driver beside libvirtd's: the same scripts, step by step, with the same answers, errors and events.
"""

from __future__ import annotations

import atexit
import functools
import os
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.errors import VirtError

from .support import LibvirtDaemon, requireLibvirtd
from .testdriverpeers import OurPeer, Script, Transcript, WirePeer, differences
from .testdriverscripts import FILES, KEPT, SCRIPTS, everythingOf, survey


@functools.cache
def daemon() -> LibvirtDaemon:
    """The libvirtd of these tests, started when it is first asked for and ended with the process."""
    requireLibvirtd()
    found = LibvirtDaemon()
    atexit.register(found.stop)
    return found


class ScriptTests(SynchronousTestCase):
    """
    Each script on a libvirtd, and on our driver.
    """

    def compare(self, script: Script, uri: str = "test:///default") -> None:
        """Run a script on both sides and fail with every difference."""
        theirs = Transcript(WirePeer(daemon().connect(), uri), KEPT)
        ours = Transcript(OurPeer(uri), KEPT)
        try:
            script(theirs)
            script(ours)
            found = differences(theirs, ours)
        finally:
            theirs.peer.close()
            ours.peer.close()
        self.assertEqual(found, [], "\n" + "\n".join(found[:20]))

    def test_scripts(self) -> None:
        """
        Results, errors with all their parts, and events are those of libvirtd in every script.
        """
        for script in SCRIPTS:
            self.compare(script)

    def test_everyQuery(self) -> None:
        """
        Whatever is asked of a running, paused, transient, inactive or missing domain is answered alike.
        """
        for script in everythingOf:
            self.compare(script)

    def test_files(self) -> None:
        """
        A host described by a file holds the same, or is refused for the same reason.
        """
        folder = tempfile.mkdtemp(prefix="pv-", dir=daemon().folder)
        path = os.path.join(folder, "host.xml")
        for document in FILES:
            with open(path, "w") as file:
                file.write(document)
            expected = got = None
            try:
                WirePeer(daemon().connect(), f"test://{path}").close()
            except VirtError as error:
                expected = (int(error.code), int(error.domain), error.message)
            try:
                OurPeer(f"test://{path}").close()
            except VirtError as error:
                got = (int(error.code), int(error.domain), error.message)
            self.assertEqual(got, expected, document)
            if expected is None:
                self.compare(survey, f"test://{path}")

    def test_openings(self) -> None:
        """
        What cannot be opened is refused in libvirt's words.
        """
        for uri in (
            "test:///",
            "test://",
            "test:///nowhere.xml",
            "test:///default/",
            "test:///etc",
        ):
            with self.assertRaises(VirtError) as expected:
                WirePeer(daemon().connect(), uri)
            with self.assertRaises(VirtError) as got:
                OurPeer(uri)
            for part in ("code", "domain", "message", "str1", "str2", "int1"):
                self.assertEqual(
                    getattr(got.exception, part), getattr(expected.exception, part), uri
                )
