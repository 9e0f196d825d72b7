"""
What the text of an attribute or element may be: strings, choices, numbers, each with libvirt's words for a bad one.

A kind turns text into a value (C{read}) and a value into text that is ready to be written (C{write}).  What
is read gets the name it stands under, because the messages quote it.  A kind whose value is None is not
written: that is how defaults and absences disappear from the canonical form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyvirt.definitions.reader import Node
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = [
    "BOOLEAN",
    "SWITCH",
    "TEXT",
    "Kind",
    "choice",
    "escape",
    "integer",
    "number",
    "xmlError",
]

#: C{(text, element, name)} to value; C{name} is the attribute's, or the element's for its text.
Reader = Callable[[str, Node, str], Any]

_SPECIAL = re.compile("[<>&'\"\x00-\x08\x0b\x0c\x0e-\x1f]").search
_TABLE: dict[int, str | None] = {
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord("&"): "&amp;",
    ord("'"): "&apos;",
    ord('"'): "&quot;",
    **{code: None for code in range(32) if code not in (9, 10, 13)},
}


def escape(text: str) -> str:
    """Return C{text} as it stands between tags or quotes: specials as entities, control codes dropped."""
    return text.translate(_TABLE) if _SPECIAL(text) else text


def xmlError(detail: str, domain: int = ErrorDomain.DOMAIN) -> VirtError:
    """Make the error of a definition that says something impossible."""
    return virtError(ErrorCode.XML_ERROR, detail, domain)


class Kind:
    """
    One way of reading and writing a piece of text.

    @ivar read: see L{Reader}.
    @ivar write: value to escaped text; None writes C{str(value)}.
    @ivar escaped: whether what C{write} gives still needs escaping.
    """

    __slots__ = ("escaped", "read", "write")

    def __init__(
        self, read: Reader, write: Callable[[Any], str] | None = None, escaped: bool = False
    ) -> None:
        self.read = read
        self.write = write
        self.escaped = escaped


def _readText(text: str, node: Node, name: str) -> str:
    return text


def _readFilled(text: str, node: Node, name: str) -> str | None:
    return text or None


#: Any text, as it is.
TEXT = Kind(_readText, escape)
#: Any text; an empty one is no value.
FILLED = Kind(_readFilled, escape)


def invalidAttribute(text: str, node: Node, name: str, expected: str = "") -> VirtError:
    """Make the error of an attribute whose text is not one of its values."""
    tail = f"'{text}'." + (f" Expected {expected}" if expected else "")
    return xmlError(
        f"Invalid value for attribute '{name}' in element '{localName(node)}': {tail}",
        ErrorDomain.XML,
    )


def localName(node: Node) -> str:
    """Return the name of an element without its namespace."""
    return str(node.tag).rpartition("}")[2]


def missingAttribute(node: Node, name: str) -> VirtError:
    """Make the error of an attribute that must be there and is not."""
    return xmlError(
        f"Missing required attribute '{name}' in element '{localName(node)}'", ErrorDomain.XML
    )


def custom(
    message: str, code: int = ErrorCode.XML_ERROR, domain: int = ErrorDomain.DOMAIN
) -> Callable[[str, Node, str], VirtError]:
    """
    Make an error of one's own for a bad value.

    @param message: the detail, with C{{text}} where the value belongs.
    """

    def make(text: str, node: Node, name: str) -> VirtError:
        return virtError(code, message.replace("{text}", text), domain)

    return make


def unsupported(message: str) -> Callable[[str, Node, str], VirtError]:
    """Make a L{custom} error of an unsupported configuration."""
    return custom(message, ErrorCode.CONFIG_UNSUPPORTED)


def internal(message: str) -> Callable[[str, Node, str], VirtError]:
    """Make a L{custom} internal error, as older checks of libvirt give."""
    return custom(message, ErrorCode.INTERNAL_ERROR)


Complaint = Callable[[str, Node, str], VirtError]


def choice(
    values: Iterable[str] | str | Mapping[str, str | None],
    *,
    error: Complaint = invalidAttribute,
    absent: str = "",
    empty: bool = False,
) -> Kind:
    """
    One word of several.

    @param values: the words, or the words in one string, or words with what they mean.
    @param absent: words, separated by blanks, that mean the same as no attribute.
    @param empty: whether no word at all means that too.
    """
    if isinstance(values, str):
        values = values.split()
    table: dict[str, str | None] = (
        dict(values) if isinstance(values, Mapping) else {value: value for value in values}
    )
    for word in absent.split():
        table[word] = None
    if empty:
        table[""] = None

    def read(text: str, node: Node, name: str) -> str | None:
        try:
            return table[text]
        except KeyError:
            raise error(text, node, name) from None

    return Kind(read)


def boolean(error: Complaint = invalidAttribute, *, true: str = "yes", false: str = "no") -> Kind:
    """Make a kind of two words that are kept as a truth value."""
    table = {true: True, false: False}

    def read(text: str, node: Node, name: str) -> bool:
        try:
            return table[text]
        except KeyError:
            raise error(text, node, name) from None

    return Kind(read, lambda value: true if value else false)


#: C{yes}; any other word is as good as C{no}.
YES = Kind(lambda text, node, name: text == "yes", lambda value: "yes" if value else "no")
#: C{yes} or C{no}.
BOOLEAN = boolean()
#: C{on} or C{off}.
SWITCH = boolean(true="on", false="off")

_DECIMAL = re.compile(r"[ \t\n\v\f\r]*([+-]?)(\d+)\Z", re.ASCII).match
_HEX = re.compile(r"[ \t\n\v\f\r]*([+-]?)(?:0[xX])?([0-9a-fA-F]+)\Z", re.ASCII).match
_OCTAL = re.compile(r"[ \t\n\v\f\r]*([+-]?)([0-7]+)\Z", re.ASCII).match
_ANY = re.compile(
    r"[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|0([0-7]+)|(0|[1-9]\d*))\Z", re.ASCII
).match


def number(text: str, base: int = 10, *, bits: int = 32, signed: bool = False) -> int | None:
    """
    Read a number as C's C{strtol} family does: leading blanks and a sign are fine, rests are not.

    @param base: 10, 16, 8, or 0 for a base that the text names.
    @param bits: the width of the type; numbers outside of it are refused.
    @param signed: whether the type is signed; in an unsigned one a negative number is refused.
    @return: the number, or None if the text is none.
    """
    if base == 0:
        found = _ANY(text)
        if found is None:
            return None
        sign, sixteen, eight, ten = found.groups()
        if len(text) > 60:
            return None
        value = int(sixteen, 16) if sixteen else int(eight, 8) if eight else int(ten)
    else:
        found = (_DECIMAL if base == 10 else _HEX if base == 16 else _OCTAL)(text)
        if found is None:
            return None
        sign, digits = found.groups()
        if len(digits) > 40:
            return None
        value = int(digits, base)
    if sign == "-":
        value = -value
    if signed:
        return value if -(1 << (bits - 1)) <= value < 1 << (bits - 1) else None
    return value if 0 <= value < 1 << bits else None


def integer(
    *,
    signed: bool = False,
    bits: int = 32,
    base: int = 10,
    zero: bool = True,
    keepZero: bool = True,
    minimum: int | None = None,
    maximum: int | None = None,
    error: Complaint | None = None,
    expected: str | None = None,
    form: str | None = None,
) -> Kind:
    """
    A number.

    @param zero: whether zero is allowed.
    @param keepZero: whether zero is a value, or means the same as no attribute.
    @param error: the complaint, unless the usual one.
    @param form: a format specification for writing, such as C{"#06x"}.
    """
    if expected is None:
        if not signed:
            expected = "non-negative integer value"
        elif bits == 64:
            expected = "long long integer value"
        else:
            expected = "integer value"

    def read(text: str, node: Node, name: str) -> int | None:
        value = number(text, base, bits=bits, signed=signed)
        if (
            value is None
            or (minimum is not None and value < minimum)
            or (maximum is not None and value > maximum)
        ):
            if error is not None:
                raise error(text, node, name)
            if value is not None and minimum == 0:
                raise invalidAttribute(text, node, name, "non-negative value")
            raise invalidAttribute(text, node, name, expected)
        if value == 0:
            if not zero:
                raise xmlError(
                    f"Invalid value for attribute '{name}' in element '{localName(node)}': "
                    "Zero is not permitted",
                    ErrorDomain.XML,
                )
            if not keepZero:
                return None
        return value

    return Kind(read, None if form is None else lambda value: format(value, form))


#: A 32-bit number of no sign.
UINT = integer()
#: The same, where zero means nothing.
UINT_NZ = integer(keepZero=False)
#: A 64-bit number of no sign.
ULONG = integer(bits=64)
ULONG_NZ = integer(bits=64, keepZero=False)
#: A 32-bit number with a sign.
INT = integer(signed=True)
