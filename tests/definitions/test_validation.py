"""
Validation against schemas: of our own here; L{tests.interop.test_definitions} compares libvirt's with libvirtd.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.reader import DOCUMENTS
from pyvirt.definitions.validation import validate
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError

SCHEMA = """
<element name="domain" xmlns="http://relaxng.org/ns/structure/1.0"
         datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
  <element name="name"><data type="string"><param name="pattern">[a-z]+</param></data></element>
  <element name="memory"><data type="unsignedLong"/></element>
</element>
"""


class ValidationTests(SynchronousTestCase):
    """What L{validate} takes and refuses."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.path = os.path.join(self.folder, "domain.rng")

    def write(self, schema: str) -> None:
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(schema)

    def refused(self, xml: str, code: int, domain: int = ErrorDomain.XML) -> str:
        error = self.assertRaises(VirtError, validate, "domain", xml, self.folder)
        self.assertEqual((error.code, error.domain), (code, domain))
        return str(error.message)

    def test_valid(self) -> None:
        """
        What the schema allows is taken, blanks and comments between elements included.
        """
        self.write(SCHEMA)
        validate(
            "domain",
            "<domain>\n <name>a</name>\n <!-- b --><memory>1</memory></domain>",
            self.folder,
        )

    def test_invalid(self) -> None:
        """
        All that the schema has against a document is told, a line each.
        """
        self.write(SCHEMA)
        self.assertEqual(
            self.refused(
                "<domain><name>a</name><memory>x</memory></domain>", ErrorCode.XML_INVALID_SCHEMA
            ),
            "XML document failed to validate against schema: "
            f"Unable to validate doc against {self.path}\n"
            "Type unsignedLong doesn't allow value 'x'\n"
            "Error validating datatype unsignedLong\n"
            "Element memory failed to validate content\n",
        )

    def test_blanks(self) -> None:
        """
        Blanks that are a value are seen as such.
        """
        self.write(SCHEMA)
        self.refused(
            "<domain><name> </name><memory>1</memory></domain>", ErrorCode.XML_INVALID_SCHEMA
        )

    def test_malformed(self) -> None:
        """
        What is not well formed, or is something else, is refused before the schema is asked for.
        """
        self.assertIn(
            "(domain_definition):1",
            self.refused("<domain", ErrorCode.XML_DETAIL, ErrorDomain.DOMAIN),
        )
        self.assertIn("not 'network'", self.refused("<network/>", ErrorCode.XML_ERROR))

    def test_absent(self) -> None:
        """
        Without the schema nothing can be validated; once it is there, it can.
        """
        self.assertEqual(
            self.refused("<domain/>", ErrorCode.INTERNAL_ERROR),
            f"internal error: Unable to parse RNG {self.path}: "
            f"xmlRelaxNGParse: could not load {self.path}\n",
        )
        self.write(SCHEMA)
        self.refused("<domain/>", ErrorCode.XML_INVALID_SCHEMA)

    def test_broken(self) -> None:
        """
        A schema that is none is an error of its own.
        """
        self.write("<grammar xmlns='http://relaxng.org/ns/structure/1.0'/>")
        self.assertIn(
            f"Unable to parse RNG {self.path}: ",
            self.refused("<domain/>", ErrorCode.INTERNAL_ERROR),
        )

    def test_kinds(self) -> None:
        """
        Every kind of document has a schema of its own.
        """
        schemas = {document.schema for document in DOCUMENTS.values()}
        self.assertEqual(len(schemas), len(DOCUMENTS))
