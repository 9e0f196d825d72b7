"""
The metadata that applications keep in a definition, written back as libvirt does.
"""

from __future__ import annotations

from lxml import etree

from pyvirt.definitions.reader import Node

__all__ = ["metadataText"]


def metadataText(node: Node, indent: str = "  ", *, unique: bool = True) -> str:
    """
    Return the metadata element as it is written: only elements of a namespace, each namespace once if C{unique}.

    Text and comments between them are dropped; what is inside of them stays, in the way of the XML
    library, which quotes with double quotes.
    """
    seen: set[str] = set()
    kept = []
    for child in node:
        if not isinstance(child.tag, str) or not child.tag.startswith("{"):
            continue
        space = child.tag[1:].partition("}")[0]
        if space not in seen or not unique:
            seen.add(space)
            kept.append(child)
    if not kept:
        return "<metadata/>"
    parts = ["<metadata>"]
    for child in kept:
        text = etree.tostring(child, encoding="unicode", with_tail=False)
        clean = etree.fromstring(text, _METADATA)
        dumped = etree.tostring(clean, encoding="unicode", pretty_print=True).rstrip("\n")
        if _hasText(clean):
            parts.append(f"{indent}  {dumped}")
        else:
            parts.append(_indented(clean, dumped, indent + "  "))
    parts.append(f"{indent}</metadata>")
    return "\n".join(parts)


_METADATA = etree.XMLParser(
    remove_blank_text=True,
    resolve_entities=False,
    no_network=True,
    strip_cdata=False,
    recover=True,
)


def _hasText(node: Node) -> bool:
    """Return whether there is text that indentation would change."""
    return bool(len(node) and (node.text or any(child.tail for child in node)))


def _indented(node: Node, dumped: str, indent: str) -> str:
    """Indent what the XML library wrote, but not the lines that belong to text."""
    if "\n" not in dumped:
        return indent + dumped
    plain = etree.tostring(node, encoding="unicode")
    if "\n" in plain:
        return indent + dumped
    return "\n".join(indent + line for line in dumped.split("\n"))
