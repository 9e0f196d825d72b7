"""
Documents made up from a RELAX NG schema: what libvirt's installed schemas allow, walked at random.

The schemas are read where they are installed and say what is well formed; the documents need not make sense.
"""

from __future__ import annotations

import pathlib
import random
import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from typing import Any

from lxml import etree

SCHEMAS = pathlib.Path("/usr/share/libvirt/schemas")
_NS = "{http://relaxng.org/ns/structure/1.0}"

#: Where schemas say only that there is some text.
WORDS = ("a", "name1", "/a/b", "x y", "1", "é&<'", "0")
NUMBERS = (0, 1, 2, 3, 7, 8, 16, 32, 100, 255, 1024, 4096, 65535, 1048576)


class Grammar:
    """
    The definitions of one schema file and all that it includes.

    @param choose: what decides.
    """

    def __init__(self, name: str, choose: random.Random) -> None:
        self.choose = choose
        self.defines: dict[str, list[Any]] = {}
        self._loaded: set[str] = set()
        self._depth: dict[str, int] = {}
        start = self._load(name)
        assert start is not None
        self.start = start

    def _load(self, name: str) -> Any:
        if name in self._loaded:
            return None
        self._loaded.add(name)
        root = etree.parse(str(SCHEMAS / name)).getroot()
        start = None
        for node in root.iter(f"{_NS}include", f"{_NS}start", f"{_NS}define"):
            if node.tag == f"{_NS}include":
                inner = self._load(node.get("href"))
                start = inner if start is None else start
            elif node.tag == f"{_NS}start":
                start = node
            else:
                self.defines.setdefault(node.get("name"), []).append(node)
        return start

    def document(self, size: float = 0.5) -> etree._Element:
        """
        Make up a document.

        @param size: how likely what is optional is there, at the top; deeper it is less so.
        """
        self.size = size
        holder = etree.Element("holder")
        self._children(self.start, holder, 0)
        return holder[0]

    def element(self, define: str, size: float = 0.5) -> etree._Element:
        """Make up what one definition of the schema describes."""
        self.size = size
        holder = etree.Element("holder")
        for node in self.defines[define]:
            self._children(node, holder, 0)
        return holder[0]

    def _children(self, node: Any, into: Any, depth: int) -> None:
        for child in node:
            if isinstance(child.tag, str):
                self._walk(child, into, depth)

    def _likely(self, depth: int) -> bool:
        return self.choose.random() < self.size * (0.82**depth)

    def _walk(self, node: Any, into: Any, depth: int) -> None:
        kind = node.tag.removeprefix(_NS)
        if kind == "element":
            self._element(node, into, depth)
        elif kind == "attribute":
            self._attribute(node, into)
        elif kind == "ref":
            name = node.get("name")
            if self._depth.get(name, 0) > 2 and depth > 8:
                return
            self._depth[name] = self._depth.get(name, 0) + 1
            for define in self.defines.get(name, ()):
                self._children(define, into, depth)
            self._depth[name] -= 1
        elif kind == "optional":
            if self._likely(depth):
                self._children(node, into, depth)
        elif kind in ("zeroOrMore", "oneOrMore"):
            least = 1 if kind == "oneOrMore" else 0
            for _ in range(
                max(least, 0 if not self._likely(depth) else self.choose.choice((1, 1, 2)))
            ):
                self._children(node, into, depth)
        elif kind == "choice":
            found = [child for child in node if isinstance(child.tag, str)]
            self._walk(self.choose.choice(found), into, depth)
        elif kind == "interleave":
            found = [child for child in node if isinstance(child.tag, str)]
            if self.choose.random() < 0.2:
                self.choose.shuffle(found)
            for child in found:
                self._walk(child, into, depth)
        elif kind in ("group", "mixed", "div", "grammar", "start"):
            self._children(node, into, depth)
        elif kind in ("text", "data", "value", "list"):
            self._text(into, self._value(node))

    @staticmethod
    def _text(into: Any, text: str) -> None:
        if len(into):
            return
        into.text = (into.text or "") + text

    def _name(self, node: Any) -> tuple[str | None, list[Any]]:
        """Return what a pattern names and the rest of it."""
        name = node.get("name")
        rest = [child for child in node if isinstance(child.tag, str)]
        if name is None:
            first, *rest = rest
            while first.tag == f"{_NS}choice":
                first = self.choose.choice([child for child in first if isinstance(child.tag, str)])
            name = first.text.strip() if first.tag == f"{_NS}name" else None
        return name, rest

    def _element(self, node: Any, into: Any, depth: int) -> None:
        name, rest = self._name(node)
        space = node.get("ns")
        if name is None or (space and depth):
            return
        made = etree.SubElement(into, name)
        for child in rest:
            self._walk(child, made, depth + 1)

    def _attribute(self, node: Any, into: Any) -> None:
        name, rest = self._name(node)
        if name is None or into.tag == "holder":
            return
        into.set(
            name,
            "".join(self._value(child) for child in rest) if rest else self.choose.choice(WORDS),
        )

    def _value(self, node: Any) -> str:
        """Make up text that a pattern allows."""
        kind = node.tag.removeprefix(_NS)
        if kind == "value":
            return str(node.text or "").strip()
        if kind == "text":
            return self.choose.choice(WORDS)
        if kind == "data":
            return self._data(node)
        if kind == "ref":
            return "".join(
                self._value(child)
                for define in self.defines.get(node.get("name"), ())
                for child in define
                if isinstance(child.tag, str)
            )
        found = [child for child in node if isinstance(child.tag, str)]
        if kind == "choice":
            return self._value(self.choose.choice(found))
        if kind == "list":
            return " ".join(self._value(child) for child in found)
        if kind == "optional" and self.choose.random() < 0.5:
            return ""
        return "".join(self._value(child) for child in found)

    def _data(self, node: Any) -> str:
        params = {child.get("name"): child.text for child in node if isinstance(child.tag, str)}
        if "pattern" in params:
            return example(params["pattern"], self.choose)
        kind = node.get("type", "")
        low, high = 0, 1 << 20
        if "minInclusive" in params:
            low = int(params["minInclusive"])
        if "maxInclusive" in params:
            high = int(params["maxInclusive"])
        if kind in ("string", "NCName", "token"):
            return self.choose.choice(WORDS[:2])
        if kind == "dateTime":
            return "2020-01-01T00:00:00"
        if kind == "double":
            return "1.5"
        fitting = [each for each in NUMBERS if low <= each <= high] or [low]
        return str(self.choose.choice(fitting))


_BROAD = [chr(code) for code in range(33, 127)]


def example(pattern: str, choose: random.Random) -> str:
    """Make up text that a regular expression matches."""
    # XML Schema's classes are a little different from Python's.
    tree = parser.parse(re.sub(r"&#x[0-9a-f]+;", "", pattern))
    return "".join(_part(op, value, choose) for op, value in tree)


def _members(items: Any) -> list[str]:
    """Return the characters of a class that can stand in XML."""
    found: list[str] = []
    negated = False
    for op, value in items:
        if op is sre.NEGATE:
            negated = True
        elif op is sre.LITERAL:
            found.append(chr(value))
        elif op is sre.RANGE:
            low, high = value
            found += [chr(code) for code in range(max(low, 32), min(high, 126) + 1)]
        elif op is sre.CATEGORY:
            found += list("0123456789") if value is sre.CATEGORY_DIGIT else list(_BROAD)
    if negated:
        found = [each for each in _BROAD if each not in found]
    return found or ["a"]


def _part(op: Any, value: Any, choose: random.Random) -> str:
    if op is sre.LITERAL:
        return chr(value)
    if op is sre.NOT_LITERAL:
        return "a"
    if op is sre.ANY:
        return choose.choice("ab1")
    if op is sre.IN:
        return choose.choice(_members(value))
    if op is sre.BRANCH:
        return "".join(_part(o, v, choose) for o, v in choose.choice(value[1]))
    if op is sre.SUBPATTERN:
        return "".join(_part(o, v, choose) for o, v in value[-1])
    if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
        low, high, inner = value
        count = choose.randint(low, min(high, low + 3))
        return "".join("".join(_part(o, v, choose) for o, v in inner) for _ in range(count))
    return ""
