"""
Text tables in virsh's layout: a header, a line of dashes, columns as wide as their widest cell.

Widths are columns of a terminal, not characters: wide East Asian characters count twice and combining ones not at
all; what cannot be printed is shown as C{\\xNN} of its bytes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

__all__ = ["Table", "displayed"]


def displayed(text: str) -> tuple[str, int]:
    """
    Make a text fit to print.

    @return: the text with what cannot be printed replaced, and how many columns it takes.
    """
    if text.isascii() and text.isprintable():
        return text, len(text)
    shown: list[str] = []
    width = 0
    for character in text:
        category = unicodedata.category(character)
        if category[0] == "C" and category not in ("Cf", "Co"):
            escaped = "".join(f"\\x{b:02x}" for b in character.encode("utf-8", "surrogateescape"))
            shown.append(escaped)
            width += len(escaped)
            continue
        shown.append(character)
        if unicodedata.combining(character) or category in ("Mn", "Me", "Cf"):
            continue
        width += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return "".join(shown), width


class Table:
    """Rows of equal length under a header."""

    def __init__(self, *header: str) -> None:
        self._rows: list[Sequence[str]] = [header]

    def add(self, *cells: str) -> None:
        """Add a row; it must be as long as the header."""
        if len(cells) != len(self._rows[0]):
            raise ValueError("a row is as long as the header")
        self._rows.append(cells)

    def text(self, header: bool = True) -> str:
        """
        Lay the table out.

        @param header: whether the header and the dashes are printed; without them, the header does not widen
            the columns.
        """
        rows = [[displayed(cell) for cell in row] for row in self._rows[0 if header else 1 :]]
        if not rows:
            return ""
        widths = [max(row[at][1] for row in rows) for at in range(len(rows[0]))]
        lines = []
        for row in rows:
            cells = [
                f" {shown}" + " " * (widths[at] - width + 2)
                for at, (shown, width) in enumerate(row[:-1])
            ]
            lines.append("".join(cells) + f" {row[-1][0]}\n")
        if not header:
            return "".join(lines)
        return lines[0] + "-" * sum(width + 3 for width in widths) + "\n" + "".join(lines[1:])
