"""
Metadata of domains: a title, a description, and elements that applications keep, as every driver answers for them.
"""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.metadata import metadataText
from pyvirt.definitions.reader import parseTree
from pyvirt.definitions.schema import replaced
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["checkType", "metadataOf", "withMetadata"]

_PLAIN = etree.XMLParser(remove_blank_text=True, resolve_entities=False, no_network=True)


def _tree(text: str | None) -> Any:
    """Return the metadata element of a definition, an empty one if it has none."""
    if text is None:
        return etree.Element("metadata")
    return etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True))


#: A name as prefixes of namespaces have to be.
_PREFIX = re.compile(r"[^\W\d][\w.\-]*").fullmatch


def _spaceOf(node: Any) -> str | None:
    if not isinstance(node.tag, str) or not node.tag.startswith("{"):
        return None
    space: str = node.tag[1:].partition("}")[0]
    return space


def _moved(node: Any, wanted: str | None, given: str | None, prefix: str | None) -> Any:
    """
    Copy an element, with the names in it that are in one namespace moved to another.

    @param wanted: the namespace they are in, None for none.
    @param given: the namespace they are moved to, None for none.
    """
    if not isinstance(node.tag, str):
        return node
    tag = node.tag
    space = _spaceOf(node)
    nsmap = {key: value for key, value in node.nsmap.items() if value != wanted}
    if space == wanted:
        local = tag.rpartition("}")[2]
        tag = local if given is None else f"{{{given}}}{local}"
        if given is not None:
            nsmap = {**nsmap, prefix: given}
    made = etree.Element(tag, dict(node.attrib), nsmap=nsmap)
    made.text = node.text
    for child in node:
        moved = _moved(child, wanted, given, prefix)
        tail = child.tail
        made.append(moved)
        moved.tail = tail
    return made


def _declared(node: Any, uri: str, key: str) -> Any:
    """Copy an element with the declaration of one more namespace."""
    made = etree.Element(node.tag, dict(node.attrib), nsmap={**node.nsmap, key: uri})
    made.text = node.text
    made.extend(list(node))
    return made


def _missing() -> VirtError:
    return virtError(
        ErrorCode.NO_DOMAIN_METADATA,
        "Requested metadata element is not present",
        ErrorDomain.DOMAIN,
    )


def _namespaceError(what: str) -> VirtError:
    return virtError(
        ErrorCode.INTERNAL_ERROR, f"failed to {what} a new XML namespace", ErrorDomain.XML
    )


def elementText(text: str | None, uri: str) -> str | None:
    """Return an application's element out of a definition's metadata, without its namespace; or None."""
    for child in _tree(text):
        if _spaceOf(child) == uri:
            plain = _moved(child, uri, None, None)
            etree.cleanup_namespaces(plain)
            tight = etree.fromstring(etree.tostring(plain), _PLAIN)
            return etree.tostring(tight, encoding="unicode", pretty_print=True).rstrip("\n")
    return None


def withElement(text: str | None, uri: str, key: str | None, element: str | None) -> str | None:
    """
    Return a definition's metadata with another element of an application, or without it.

    @raise VirtError: it is not well formed.
    """
    tree = _tree(text)
    fresh = None
    if element is not None:
        node = parseTree(element, None, label="(metadata_xml)", domain=ErrorDomain.DOMAIN)
        key = (key or "").strip(" \t\r\n")
        if not _PREFIX(key):
            raise _namespaceError("validate prefix for")
        if node.getprevious() is not None:
            # What libvirt tries to declare the namespace in is whatever comes first.
            raise _namespaceError("create")
        try:
            fresh = _moved(node, None, uri, key)
            if _spaceOf(fresh) != uri:
                # Libvirt leaves an element in its own namespace, and says there which the other one is.
                fresh = _declared(fresh, uri, key)
        except ValueError:
            # Prefixes that XML keeps for itself.
            raise _namespaceError("create") from None
    elif text is None:
        return None
    for child in list(tree):
        if _spaceOf(child) == uri:
            tree.remove(child)
            break
    if fresh is not None:
        tree.append(fresh)
    return metadataText(tree, unique=False)


def withMetadata(
    definition: DomainDefinition,
    type: int,
    metadata: str | None,
    key: str | None,
    uri: str | None,
) -> DomainDefinition:
    """
    Return a definition with other metadata; None takes it away.

    @raise VirtError: it is not well formed.
    """
    if type == c.VIR_DOMAIN_METADATA_DESCRIPTION:
        return replaced(definition, description=metadata or None)
    if type == c.VIR_DOMAIN_METADATA_TITLE:
        return replaced(definition, title=metadata or None)
    if type != c.VIR_DOMAIN_METADATA_ELEMENT:
        return definition
    return replaced(definition, metadata=withElement(definition.metadata, uri or "", key, metadata))


def checkType(type: int) -> None:
    """Refuse kinds of metadata that there are not."""
    if type > c.VIR_DOMAIN_METADATA_ELEMENT:
        raise virtError(
            ErrorCode.INVALID_ARG, f"unknown metadata type '{type}'", ErrorDomain.DOMAIN
        )


def metadataOf(definition: DomainDefinition, type: int, uri: str | None) -> str:
    """
    Return the title, the description, or an application's element.

    @raise VirtError: there is none.
    """
    found: str | None
    if type == c.VIR_DOMAIN_METADATA_DESCRIPTION:
        found = definition.description
    elif type == c.VIR_DOMAIN_METADATA_TITLE:
        found = definition.title
    elif type == c.VIR_DOMAIN_METADATA_ELEMENT:
        found = None if definition.metadata is None else elementText(definition.metadata, uri or "")
    else:
        found = None
    if found is None:
        raise _missing()
    return found
