"""
Parts of a definition, picked by an XPath expression and written the way libxml2 writes nodes.

libxml2 reports a wrong expression on standard error by itself; we do it for it, for the same output.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from pyvirt.shell.command import Command, CommandError

__all__ = ["printXML"]


def printXML(command: Command, text: str, expression: str | None, wrap: bool) -> None:
    """
    Print a definition, or what an expression picks of it.

    @param wrap: put the picked nodes into one element.
    @raise CommandError: the expression picks no nodes but computes a value.
    """
    if expression is None:
        command.session.output(text)
        return
    root = etree.fromstring(text.encode("utf-8", "surrogateescape"), _parser())
    try:
        found = etree.XPath(expression, smart_strings=True)(root.getroottree())
    except etree.XPathError as error:
        _complain(command, expression, str(error))
        return
    if not isinstance(found, list):
        raise CommandError(f"internal error: Incorrect xpath '{expression}'")
    if wrap:
        command.print(_wrapped(found))
        return
    for node in _inOrder(found):
        command.print(_written(node))


def _parser() -> Any:
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


def _complain(command: Command, expression: str, reason: str) -> None:
    """Say what libxml2 says of a wrong expression: the reason, the expression, and the place."""
    command.session.streams.complain(f"XPath error : {reason}\n{expression}\n{' ' * len(expression)}^\n")


def _inOrder(found: list[Any]) -> list[Any]:
    return found


def _written(node: Any) -> str:
    if isinstance(node, str):
        return _writtenString(node)
    if isinstance(node, etree._Element):
        return etree.tostring(node, encoding="unicode", with_tail=False)
    return str(node)


def _writtenString(node: Any) -> str:
    if node.is_attribute:
        return f' {node.attrname}="{_escaped(node).replace(chr(34), "&quot;")}"'
    return _escaped(node)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _wrapped(found: list[Any]) -> str:
    top = etree.Element("nodes")
    for node in found:
        if isinstance(node, etree._Element):
            top.append(node)
            node.tail = None
        elif getattr(node, "is_attribute", False):
            top.set(node.attrname, str(node))
        elif len(top):
            top[-1].tail = (top[-1].tail or "") + str(node)
        else:
            top.text = (top.text or "") + str(node)
    return etree.tostring(top, encoding="unicode")
