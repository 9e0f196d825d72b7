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

_PLAIN = etree.XMLParser(
    remove_blank_text=True,
    resolve_entities=False,
    no_network=True,
    strip_cdata=False,
    recover=True,
)
_XML = "http://www.w3.org/XML/1998/namespace"
# What it reads is well formed; names of namespaces may be no URIs, which libvirt takes.
_KEPT = etree.XMLParser(resolve_entities=False, no_network=True, strip_cdata=False, recover=True)


def _tree(text: str | None) -> Any:
    """Return the metadata element of a definition, an empty one if it has none."""
    if text is None:
        return etree.Element("metadata")
    return etree.fromstring(text, _KEPT)


#: A name as prefixes of namespaces have to be.
_PREFIX = re.compile(r"[^\W\d][\w.\-\u00b7\u0300-\u036f\u203f\u2040]*").fullmatch


def _spaceOf(node: Any) -> str | None:
    if not isinstance(node.tag, str) or not node.tag.startswith("{"):
        return None
    space: str = node.tag[1:].partition("}")[0]
    return space


#: The start tag of an element as the XML library writes it, up to where another declaration goes.
_DECLARATIONS = re.compile(r"<[^\s/>]+(?:\s+xmlns(?::[^\s=]+)?=(?:\"[^\"]*\"|'[^']*'))*")


def _parsed(node: Any) -> Any:
    """Copy an element, with all that is in it."""
    return etree.fromstring(etree.tostring(node, encoding="unicode", with_tail=False), _KEPT)


def _within(node: Any, uri: str, key: str) -> Any:
    """
    Copy an element, with one more namespace, which the names in it that are in none are moved to.

    As text, for libvirt and XML take namespaces that the XML library's own functions do not.

    @raise VirtError: there can be no such namespace.
    """
    from xml.sax.saxutils import quoteattr  # here, for it loads much that nothing else wants

    text = etree.tostring(node, encoding="unicode", with_tail=False)
    found = _DECLARATIONS.match(text)
    if found is None or key in node.nsmap:
        raise _namespaceError("create")
    if key == "xml":
        # That prefix is declared already, for a namespace of its own.
        uri, declaration = _XML, ""
    else:
        declaration = f" xmlns:{key}={quoteattr(uri)}"
    try:
        made = etree.fromstring(f"{found.group()}{declaration}{text[found.end() :]}", _KEPT)
        if declaration and made.nsmap.get(key) != uri:
            raise ValueError("a prefix or namespace that XML keeps for itself")
        for each in made.iter():
            if isinstance(each.tag, str) and not each.tag.startswith("{"):
                each.tag = f"{{{uri}}}{each.tag}"
    except (ValueError, etree.XMLSyntaxError):
        raise _namespaceError("create") from None
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
            plain = _parsed(child)
            for each in plain.iter():
                if _spaceOf(each) == uri:
                    each.tag = each.tag.rpartition("}")[2]
            # Its own declaration goes, others stay, whether they are needed or not.
            prefixes = {prefix for each in plain.iter() for prefix in each.nsmap}
            others = [prefix for prefix in prefixes if prefix not in (None, child.prefix)]
            etree.cleanup_namespaces(plain, keep_ns_prefixes=others)
            tight = etree.fromstring(etree.tostring(plain, encoding="unicode"), _PLAIN)
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
        if node.getprevious() is not None or node.getroottree().docinfo.doctype:
            # What libvirt tries to declare the namespace in is whatever comes first.
            raise _namespaceError("create")
        # Libvirt leaves an element in its own namespace, and says there which the other one is.
        fresh = _within(node, uri, key)
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
