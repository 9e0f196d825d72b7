"""
The name and the UUID, read without building the rest.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions import identify


class IdentifyTests(SynchronousTestCase):
    """What names an object."""

    def test_found(self) -> None:
        """
        The root, the name and the UUID are found wherever they stand.
        """
        xml = "<network><bridge name='b'/><uuid>u</uuid><x><name>no</name></x><name>a&amp;b</name>"
        self.assertEqual(identify(xml), ("network", "a&b", "u"))

    def test_restIsNotRead(self) -> None:
        """
        What follows the name and the UUID need not even be XML.
        """
        self.assertEqual(identify("<d><name>a</name><uuid>u</uuid><<<").name, "a")

    def test_nothing(self) -> None:
        """
        A document that says nothing, or is none, names nothing.
        """
        for xml in ("", "<", "text", "<d/>", "<d><name/></d>"):
            self.assertIsNone(identify(xml).name)

    def test_entities(self) -> None:
        """
        A document that declares entities is not read on.
        """
        xml = "<!DOCTYPE d [<!ENTITY n 'x'>]><d><name>&n;</name></d>"
        self.assertEqual(identify(xml), (None, None, None))
