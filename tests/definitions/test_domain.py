"""
Domains: libvirtd's canonical form and words, from observations of it.
"""

from __future__ import annotations

import random

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import check, completed, formatDomain, parseDomain
from pyvirt.errors import ErrorCode, VirtError
from tests.definitions.vectors import document, domainCases, masked

BYTES = random.Random(1).randbytes


def defined(xml: str) -> str | tuple[int, int, str | None]:
    """Return what defining a domain and asking for its inactive XML gives."""
    try:
        definition = completed(parseDomain(xml), random=BYTES)
        check(definition)
    except VirtError as error:
        return (int(error.code), int(error.domain), masked(error.message or "", xml))
    return masked(formatDomain(definition, inactive=True), xml)


class ObservedTests(SynchronousTestCase):
    """What libvirtd was seen to answer."""

    maxDiff = None

    def test_observations(self) -> None:
        """
        Every observed document is answered byte for byte as libvirtd answers it.
        """
        cases = domainCases()
        self.assertGreater(len(cases), 200)
        for xml, expected in cases:
            self.assertEqual(defined(xml), expected, xml)

    def test_canonicalFormIsStable(self) -> None:
        """
        What was written is read and written back unchanged, at the latest the second time.
        """

        def given(text: str) -> str:
            for word, value in (
                (">UUID<", ">6f38d037-739c-4a9c-9da9-ab6155225051<"),
                ("'UUID'", "'6f38d037-739c-4a9c-9da9-ab6155225051'"),
                ("'MAC'", "'52:54:00:00:00:01'"),
                ("interface MAC", "interface 52:54:00:00:00:01"),
            ):
                text = text.replace(word, value)
            return text

        changed = 0
        cases = [expected for _, expected in domainCases() if isinstance(expected, str)]
        for expected in cases:
            text = given(expected)
            again = defined(text)
            # libvirtd itself refuses some of what it writes, such as a USB device without a source.
            if isinstance(again, str):
                self.assertEqual(defined(given(again)), again)
            changed += again != text
        self.assertLess(changed, len(cases) // 20)


class FormatTests(SynchronousTestCase):
    """What the flags of writing change."""

    def setUp(self) -> None:
        xml = document("D <graphics type='vnc' port='5901' passwd='secret'/>")
        self.definition = completed(parseDomain(xml), random=BYTES)

    def test_id(self) -> None:
        """
        A running domain shows its number, a defined one does not.
        """
        self.assertIn("<domain type='test' id='7'>", formatDomain(self.definition, id=7))
        self.assertIn("<domain type='test'>", formatDomain(self.definition))

    def test_secrets(self) -> None:
        """
        Passwords are written only where that is asked for.
        """
        self.assertNotIn("secret", formatDomain(self.definition))
        self.assertIn(" passwd='secret'", formatDomain(self.definition, secure=True))

    def test_change(self) -> None:
        """
        A definition is a value: a changed copy leaves the first as it was.
        """
        other = attrs.evolve(self.definition, name="b")
        self.assertIn("<name>b</name>", formatDomain(other))
        self.assertIn("<name>a</name>", formatDomain(self.definition))


class HostileTests(SynchronousTestCase):
    """Documents that mean harm."""

    def refused(self, xml: str) -> VirtError:
        return self.assertRaises(VirtError, parseDomain, xml)

    def test_entities(self) -> None:
        """
        A document that declares entities is refused, so that none can grow.
        """
        xml = "<!DOCTYPE d [<!ENTITY n 'grown'>]><domain type='test'><name>&n;</name></domain>"
        self.assertEqual(self.refused(xml).code, ErrorCode.XML_DETAIL)

    def test_externalEntities(self) -> None:
        """
        Nothing is fetched, and no other encoding smuggles a declaration in.
        """
        xml = (
            "<!DOCTYPE d [<!ENTITY n SYSTEM 'file:///etc/hostname'>]>"
            "<domain type='test'><name>&n;</name></domain>"
        )
        self.assertEqual(self.refused(xml).code, ErrorCode.XML_DETAIL)

        declared = "<?xml version='1.0' encoding='UTF-7'?>"
        xml = declared + "<domain type='test'><name>+ADw-b/+AD4-</name></domain>"
        self.assertIn("os <type>", self.refused(xml).message or "")

    def test_size(self) -> None:
        """
        A document longer than a string on the wire is refused unread.
        """
        self.assertEqual(self.refused("<" * (5 << 20)).code, ErrorCode.XML_DETAIL)

    def test_depth(self) -> None:
        """
        A document nested very deeply is refused.
        """
        xml = "<a>" * 100000
        self.assertEqual(self.refused(xml).code, ErrorCode.XML_DETAIL)

    def test_chain(self) -> None:
        """
        A chain of images as long as the parser takes does no harm.
        """
        inner = "<backingStore/>"
        for _ in range(60):
            inner = (
                "<backingStore type='file'><format type='raw'/><source file='/x'/>"
                f"{inner}</backingStore>"
            )
        xml = document(f"D <disk type='file'><source file='/x'/>{inner}<target dev='vda'/></disk>")
        self.assertEqual(formatDomain(parseDomain(xml)).count("<backingStore"), 61)

    def test_numbers(self) -> None:
        """
        A number of a million digits is no number.
        """
        digits = "9" * 1000000
        self.assertEqual(
            self.refused(document(f"M <memory>{digits}</memory>")).code, ErrorCode.XML_ERROR
        )
        self.refused(
            document(f"D <controller type='pci'><target chassis='{digits}'/></controller>")
        )
