"""
Wire types: what annotations say about how a value travels.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin, get_type_hints


class XDRError(ValueError):
    """Bytes are not the value they should be, or a value does not fit its type."""


class Type:
    """A wire type.  C{minimum} is the fewest bytes that a value of it takes."""

    minimum: int = 4
    fixed: ClassVar[bool] = False
    """Whether encoding it is a single expression, without branches or loops."""


class Scalar(Type):
    """
    A number of fixed size.

    @ivar code: its letter for C{struct}.
    @ivar wrap: an expression over C{%s} that maps the 4 bytes read to a narrower C type, as C readers do.
    """

    fixed = True

    def __init__(self, name: str, code: str, size: int, wrap: str | None = None) -> None:
        self.name = name
        self.code = code
        self.minimum = size
        self.wrap = wrap


class String(Type):
    """Text of at most C{limit} bytes."""

    fixed = True

    def __init__(self, limit: int) -> None:
        self.limit = limit


class Opaque(Type):
    """Bytes: at most C{limit} of them after a count, or exactly C{limit} without one."""

    fixed = True

    def __init__(self, limit: int, exact: bool = False) -> None:
        self.limit = limit
        self.exact = exact
        if exact:
            self.minimum = (limit + 3) & -4


class Chars(Type):
    """C{char} arrays, which spend 4 bytes on each character; seen as C{bytes} here."""

    fixed = True

    def __init__(self, limit: int, exact: bool = False) -> None:
        self.limit = limit
        self.exact = exact
        if exact:
            self.minimum = limit * 4


class Max:
    """Marks a list as an array of at most C{limit} items after a count."""

    def __init__(self, limit: int) -> None:
        self.limit = limit


class Array(Type):
    """What a list marked with L{Max} becomes."""

    def __init__(self, element: Type, limit: int) -> None:
        self.element = element
        self.limit = limit


class Maybe(Type):
    """What C{X | None} becomes."""

    def __init__(self, element: Type) -> None:
        self.element = element


class Arms(Type):
    """
    The value of a union whose discriminant is the item just before it.

    @ivar arms: discriminant to type, the likeliest first.
    """

    def __init__(self, name: str, arms: dict[int, Any]) -> None:
        self.name = name
        self.annotations = arms

    @property
    def arms(self) -> dict[int, Type]:
        """The same with types instead of annotations."""
        return {number: resolve(annotation) for number, annotation in self.annotations.items()}


class Struct(Type):
    """What a C{NamedTuple} class becomes."""

    def __init__(self, cls: type, fields: Sequence[tuple[str, Type]]) -> None:
        self.cls = cls
        self.fields = fields
        self.minimum = sum(kind.minimum for _, kind in fields)


int32 = Scalar("int", "i", 4)
uint32 = Scalar("uint", "I", 4)
hyper = Scalar("hyper", "q", 8)
uhyper = Scalar("uhyper", "Q", 8)
double = Scalar("double", "d", 8)
boolean = Scalar("bool", "i", 4)
truth = Scalar("truth", "i", 4, "%s != 0")
char = Scalar("char", "i", 4, "(%s + 128 & 255) - 128")
uchar = Scalar("uchar", "I", 4, "%s & 255")
ushort = Scalar("ushort", "I", 4, "%s & 65535")

STRING_MAX = 4194304
"""The limit of a string where the protocol names no other, in bytes."""

Int32 = Annotated[int, int32]
UInt32 = Annotated[int, uint32]
Hyper = Annotated[int, hyper]
UHyper = Annotated[int, uhyper]
Double = Annotated[float, double]
Bool = Annotated[int, boolean]
"""An C{int} that carries 0 or 1; other values are passed on as they are, as C peers do."""
Truth = Annotated[bool, truth]
Char = Annotated[int, char]
UChar = Annotated[int, uchar]
UShort = Annotated[int, ushort]
UUID = Annotated[bytes, Opaque(16, exact=True)]
WireString = Annotated[str, String(STRING_MAX)]


@cache
def resolve(annotation: Any) -> Type:
    """
    Turn an annotation into a L{Type}.

    @raise TypeError: it does not say how it travels.
    """
    origin = get_origin(annotation)
    if origin is Annotated:
        base, marker = get_args(annotation)
        if isinstance(marker, Max):
            (element,) = get_args(base)
            return Array(resolve(element), marker.limit)
        if isinstance(marker, Type):
            return marker
    elif origin in (Union, types.UnionType):
        members = [each for each in get_args(annotation) if each is not type(None)]
        if len(members) == 1:
            return Maybe(resolve(members[0]))
    elif isinstance(annotation, type) and hasattr(annotation, "_fields"):
        return _structOf(annotation)
    raise TypeError(f"{annotation!r} is not a wire type")


@cache
def _structOf(cls: type) -> Struct:
    hints = get_type_hints(cls, include_extras=True)
    return Struct(cls, [(name, resolve(hints[name])) for name in cls._fields])  # type: ignore[attr-defined]


def describe(kind: Type) -> str:
    """Spell a type as the golden listing does: C{uint}, C{string<100>}, C{domain<16384>}, C{opt domain}."""
    match kind:
        case Scalar():
            return kind.name
        case String():
            return f"string({kind.limit})"
        case Opaque(exact=True):
            return "uuid" if kind.limit == 16 else f"opaque[{kind.limit}]"
        case Opaque():
            return f"opaque<{kind.limit}>"
        case Chars(exact=True):
            return f"char[{kind.limit}]"
        case Chars():
            return f"char<{kind.limit}>"
        case Array():
            return f"{describe(kind.element)}<{kind.limit}>"
        case Maybe():
            return f"opt {describe(kind.element)}"
        case Struct():
            return kind.cls.__name__
        case Arms():
            return kind.name
    raise TypeError(f"{kind!r} has no description")
