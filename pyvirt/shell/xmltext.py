"""
Parts of a definition, picked by an XPath expression and written the way libxml2 writes nodes.

libxml2 reports a wrong expression on standard error by itself; we do it for it, for the same output.
"""

from __future__ import annotations

import re
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
    except etree.XPathSyntaxError as error:
        _complain(command, expression, str(error))
        return
    except etree.XPathError as error:
        _complainOfUse(command, expression, str(error))
        return
    if not isinstance(found, list):
        raise CommandError(f"internal error: Incorrect xpath '{expression}'")
    if wrap:
        command.print(_wrapped(found))
        return
    counted: Any = etree.XPath(f"count({expression})")(root.getroottree())
    if counted > len(found):
        # lxml leaves the document itself out; it is the first node of all.
        command.print(f'<?xml version="1.0" encoding="UTF-8"?>\n{_serialised(root)}\n')
    for node in found:
        command.print(_written(node))


def _parser() -> Any:
    return etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=True)


def _complain(command: Command, expression: str, reason: str) -> None:
    """Say what libxml2 says of a wrong expression: the reason, the expression, and the place."""
    text = f"XPath error : {reason}\n"
    place = _consumed(expression)
    if place < min(len(expression), 100):
        text += f"{expression}\n{' ' * place}^\n"
    command.session.streams.complain(text)


def _complainOfUse(command: Command, expression: str, reason: str) -> None:
    """Say what libxml2 says of an expression that is well formed but means nothing."""
    text = f"XPath error : {reason}\n"
    if reason == "Unregistered function":
        called = re.search(r"([\w.-]+)\s*\(", expression)
        if called is not None:
            text = f"xmlXPathCompOpEval: function {called[1]} not found\n{text}"
    command.session.streams.complain(text)


def _consumed(expression: str) -> int:
    """
    Find how much of a wrong expression could have been the beginning of a right one.

    libxml2 knows, but lxml does not tell.
    """
    for end in range(len(expression), 0, -1):
        start = expression[:end]
        closing = _closing(start)
        for more in ("", "a", "1", "::a", "(a)"):
            try:
                etree.XPath(start + more + closing)
                return end
            except etree.XPathError:
                continue
    return 0


def _closing(start: str) -> str:
    """Give what closes the brackets that are open at the end of a text."""
    pairs = {"(": ")", "[": "]"}
    stack: list[str] = []
    for character in start:
        if character in pairs:
            stack.append(pairs[character])
        elif stack and character == stack[-1]:
            stack.pop()
    return "".join(reversed(stack))


def _written(node: Any) -> str:
    if isinstance(node, str):
        return _writtenString(node)
    if isinstance(node, etree._Element):
        return _serialised(node)
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
    return _serialised(top)


def _serialised(node: Any) -> str:
    text: str = etree.tostring(node, encoding="unicode", with_tail=False, pretty_print=True)
    return text.removesuffix("\n")
