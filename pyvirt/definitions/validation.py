"""
Validation against libvirt's schemas, for callers who ask for it with a C{VALIDATE} flag.

The schemas are the RELAX NG files that libvirt installs; nothing of them is kept here.  Each is compiled once,
on first use (40 milliseconds for that of domains, the largest), and then costs well under a millisecond a
document.  Where they are not installed, to validate is an error, as it is for libvirt.

Drivers call L{validate} before they parse::

    if flags & c.VIR_DOMAIN_DEFINE_VALIDATE:
        validate("domain", xml)
"""

from __future__ import annotations

import os

from lxml import etree

from pyvirt.definitions.reader import DOCUMENTS, parseDocument, parseWhole
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["FOLDER", "validate", "validateIfInstalled"]

#: Where libvirt installs its schemas.
FOLDER = "/usr/share/libvirt/schemas"

_schemas: dict[str, etree.RelaxNG] = {}


def validate(kind: str, xml: str, folder: str = FOLDER) -> None:
    """
    Refuse a document that its schema does not allow.

    @param kind: what it describes, one of L{DOCUMENTS}, such as C{"domain"}.
    @param folder: where the schemas are.
    @raise VirtError: XML_INVALID_SCHEMA with all that the schema has against it; INTERNAL_ERROR if there is no
        such schema; as L{parseDocument} does if the document is not even well formed.
    """
    parseDocument(kind, xml)
    path = os.path.join(folder, DOCUMENTS[kind].schema)
    schema = _schema(path)
    # What was parsed above lacks the blanks that a schema may mind.
    if not schema.validate(parseWhole(xml)):
        raise virtError(
            ErrorCode.XML_INVALID_SCHEMA,
            f"Unable to validate doc against {path}\n{_complaints(schema.error_log)}",
            ErrorDomain.XML,
        )


def validateIfInstalled(kind: str, xml: str, folder: str = FOLDER) -> None:
    """
    Refuse a document that its schema does not allow, where libvirt's schemas are installed.

    @raise VirtError: as L{validate} does.
    """
    if os.path.isdir(folder):
        validate(kind, xml, folder)


def _complaints(log: etree._ListErrorLog) -> str:
    """Return what a log holds, a line each."""
    return "".join(f"{entry.message}\n" for entry in log)


def _schema(path: str) -> etree.RelaxNG:
    """Return a compiled schema."""
    found = _schemas.get(path)
    if found is None:
        complaints = f"xmlRelaxNGParse: could not load {path}\n"
        if os.path.isfile(path):
            try:
                found = etree.RelaxNG(file=path)
            except etree.RelaxNGError as failure:
                complaints = _complaints(failure.error_log) or complaints
        if found is None:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                f"Unable to parse RNG {path}: {complaints}",
                ErrorDomain.XML,
            )
        _schemas[path] = found
    return found
