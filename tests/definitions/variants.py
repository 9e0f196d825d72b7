"""
Variations of a document: attributes and elements dropped, repeated, moved, emptied, or given odd values.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator

from lxml import etree

#: Values that some attribute or text does not expect.
ODD = (
    "",
    "x",
    "0",
    "1",
    "-1",
    "+1",
    " 1",
    "1 ",
    "0x1f",
    "4294967296",
    "99999999999999999999",
    "yes",
    "no",
    "on",
    "off",
    "default",
    "none",
    "auto",
    "YES",
    "a b",
    "é",
    "/a/b",
    "1.5",
)


def text(node: etree._Element) -> str:
    """Return a document as text."""
    return etree.tostring(node, encoding="unicode")


def variation(root: etree._Element, choose: random.Random) -> str:
    """Return one variation of a document."""
    made = copy.deepcopy(root)
    nodes = [node for node in made.iter() if isinstance(node.tag, str)]
    for _ in range(20):
        node = choose.choice(nodes)
        if _vary(node, choose):
            break
    return text(made)


def _vary(node: etree._Element, choose: random.Random) -> bool:
    """Change one thing at an element, if it can be."""
    kind = choose.randrange(10)
    parent = node.getparent()
    names = list(node.attrib)
    if kind <= 1 and names:
        del node.attrib[choose.choice(names)]
    elif kind <= 4 and names:
        node.set(choose.choice(names), choose.choice(ODD))
    elif kind == 5 and parent is not None:
        parent.remove(node)
    elif kind == 6 and parent is not None:
        double = copy.deepcopy(node)
        for name in list(double.attrib):
            if choose.random() < 0.3:
                double.set(name, choose.choice(ODD))
        parent.insert(choose.randint(0, len(parent)), double)
    elif kind == 7 and (node.text or "").strip():
        node.text = choose.choice(ODD)
    elif kind == 8 and len(node) > 1:
        inside = list(node)
        choose.shuffle(inside)
        node[:] = inside
    elif kind == 9 and parent is not None and len(parent) > 1:
        other = choose.choice(list(parent))
        if other is node or not isinstance(other.tag, str):
            return False
        for name, value in node.attrib.items():
            other.set(name, value)
    else:
        return False
    return True


def variations(root: etree._Element, choose: random.Random, count: int) -> Iterator[str]:
    """Give a number of variations, some of them of two or three changes."""
    for _ in range(count):
        made = variation(root, choose)
        while choose.random() < 0.25:
            made = variation(etree.fromstring(made), choose)
        yield made
