"""
Observations of libvirtd 9.0.0's test driver: what it was given, and what it wrote back or complained of.

Each case of a domain is a piece of XML and where it goes (C{D}: devices, C{V}: a domain of eight
processors, C{O}: in place of the os element, C{M}: in place of the memory element, a whole document, or at
the top).  An answer is either C{(common lines at the start, at the end, lines between)} against the plain
domain, or C{(code, domain, message)}.  What is made up at random reads C{UUID} and C{MAC}.
"""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

HERE = pathlib.Path(__file__).parent

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MAC = re.compile(r"52:54:00:[0-9a-f:]{8}")


def document(piece: str) -> str:
    """Return the whole document that a piece stands for."""
    top = devices = vcpu = ""
    memory, os = "<memory>8388608</memory>", "<os><type>hvm</type></os>"
    if piece.startswith("<domain"):
        return piece
    kind, rest = piece[:2], piece[2:]
    if kind == "D ":
        devices = rest
    elif kind == "V ":
        vcpu, top = "<vcpu>8</vcpu>", rest
    elif kind == "O ":
        os = rest
    elif kind == "M ":
        memory = rest
    else:
        top = piece
    return (
        f"<domain type='test'><name>a</name>{memory}{vcpu}{os}{top}"
        f"<devices>{devices}</devices></domain>"
    )


def masked(text: str, given: str) -> str:
    """Replace what was made up at random."""
    text = _UUID.sub(lambda found: found[0] if found[0] in given.lower() else "UUID", text)
    return _MAC.sub(lambda found: found[0] if found[0] in given.lower() else "MAC", text)


def domainCases() -> list[tuple[str, str | tuple[int, int, str]]]:
    """Return documents with what libvirtd answers: text, or C{(code, domain, message)}."""
    loaded: dict[str, Any] = json.loads((HERE / "domains.json").read_text("utf-8"))
    base: list[str] = loaded["base"]
    found: list[tuple[str, str | tuple[int, int, str]]] = []
    for piece, first, second, third in loaded["cases"]:
        if isinstance(third, list):
            end = base[len(base) - second :] if second else []
            found.append((document(piece), "\n".join([*base[:first], *third, *end])))
        else:
            found.append((document(piece), (first, second, third)))
    return found


def otherCases(kind: str) -> list[tuple[str, str | tuple[int, int, str]]]:
    """Return the same for networks, pools, volumes and interfaces."""
    return [
        (xml, answer[0] if len(answer) == 1 else tuple(answer))
        for name, xml, *answer in json.loads((HERE / "others.json").read_text("utf-8"))
        if name == kind
    ]
