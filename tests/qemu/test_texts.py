"""
Definitions that are asked for again and again.
"""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import formatDomain, parseDomain
from pyvirt.drivers.qemu.texts import Texts

XML = """<domain type='qemu'><name>{}</name><memory>65536</memory><os><type>hvm</type></os>
<devices><graphics type='vnc' port='-1' passwd='hidden'/></devices></domain>"""


class TextTests(SynchronousTestCase):
    """The text is what it would be if nothing was kept."""

    def test_equal(self) -> None:
        """Each of its forms, asked for twice."""
        kept, definition = Texts(), parseDomain(XML.format("one"))
        for _ in range(2):
            for id in (None, 3, 4):
                for secure in (False, True):
                    for inactive in (False, True):
                        self.assertEqual(
                            kept.of(definition, id=id, secure=secure, inactive=inactive),
                            formatDomain(definition, id=id, secure=secure, inactive=inactive),
                        )

    def test_changed(self) -> None:
        """A definition that took another's place has its own text."""
        kept, definition = Texts(), parseDomain(XML.format("one"))
        before = kept.of(definition)
        definition = attrs.evolve(definition, title="other")
        self.assertIn("<title>other</title>", kept.of(definition))
        self.assertNotIn("<title>", before)

    def test_written(self) -> None:
        """It is written once; as soon as too many others were asked for it is written again."""
        kept, definition = Texts(2), parseDomain(XML.format("one"))
        others = [parseDomain(XML.format(f"other-{number}")) for number in range(2)]
        text = kept.of(definition)
        kept.of(others[0])
        self.assertIs(kept.of(definition), text)
        kept.of(others[1])
        self.assertIs(kept.of(definition), text)
        kept.of(others[0])
        kept.of(others[1])
        again = kept.of(definition)
        self.assertEqual(again, text)
        self.assertIsNot(again, text)

    def test_secrets(self) -> None:
        """What has secrets in it is not kept."""
        kept, definition = Texts(), parseDomain(XML.format("one"))
        self.assertIn("hidden", kept.of(definition, secure=True))
        self.assertEqual(len(kept._texts), 0)
