"""
XDR done a second time, slowly and plainly: it walks the types, one item at a time, with nothing compiled.

What it takes and gives is what the compiled codecs take and give, so the two can be compared.
"""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import strategies as st

from pyvirt.protocols.xdr import Arms, Array, Chars, Maybe, Opaque, Scalar, String, Struct, Type

#: Name of a scalar to its letter for C{struct} and the least and largest value that come back unchanged.
SCALARS: dict[str, tuple[str, float, float]] = {
    "int": ("i", -(2**31), 2**31 - 1),
    "bool": ("i", -(2**31), 2**31 - 1),
    "uint": ("I", 0, 2**32 - 1),
    "hyper": ("q", -(2**63), 2**63 - 1),
    "uhyper": ("Q", 0, 2**64 - 1),
    "char": ("i", -128, 127),
    "uchar": ("I", 0, 255),
    "ushort": ("I", 0, 65535),
}


def padded(data: bytes) -> bytes:
    """Fill up to a multiple of four."""
    return data + bytes(-len(data) % 4)


def encode(kind: Type, value: Any) -> bytes:
    """Encode one value that is known to fit."""
    match kind:
        case Scalar(name="double"):
            return struct.pack(">d", value)
        case Scalar(name="truth"):
            return struct.pack(">i", 1 if value else 0)
        case Scalar():
            return struct.pack(">" + SCALARS[kind.name][0], value)
        case String():
            data = value.encode("utf-8", "surrogateescape")
            return struct.pack(">I", len(data)) + padded(data)
        case Opaque(exact=True):
            return padded(value)
        case Opaque():
            return struct.pack(">I", len(value)) + padded(value)
        case Chars():
            data = b"".join(struct.pack(">i", c if c < 128 else c - 256) for c in value)
            return data if kind.exact else struct.pack(">I", len(value)) + data
        case Maybe():
            if value is None:
                return struct.pack(">I", 0)
            return struct.pack(">I", 1) + encode(kind.element, value)
        case Array():
            data = b"".join(encode(kind.element, each) for each in value)
            return struct.pack(">I", len(value)) + data
        case Struct():
            parts = []
            for position, ((_, field), each) in enumerate(zip(kind.fields, value, strict=True)):
                if isinstance(field, Arms):
                    # The field before is the discriminant, and was encoded as the int it is.
                    parts.append(encode(field.arms[value[position - 1]], each))
                else:
                    parts.append(encode(field, each))
            return b"".join(parts)
    raise AssertionError(kind)


class Short(Exception):
    """The bytes end too early."""


class Reader:
    """Reads item by item."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def take(self, size: int) -> bytes:
        """Take C{size} bytes."""
        data = self.data[self.offset : self.offset + size]
        if len(data) < size:
            raise Short(self.offset)
        self.offset += size
        return data

    def number(self, letter: str) -> Any:
        """Take a number."""
        form = struct.Struct(">" + letter)
        return form.unpack(self.take(form.size))[0]

    def value(self, kind: Type, discriminant: Any = None) -> Any:
        """Take a value, as C peers understand it."""
        match kind:
            case Scalar(name="double"):
                return self.number("d")
            case Scalar(name="truth"):
                return self.number("i") != 0
            case Scalar(name="char"):
                return struct.unpack("b", self.take(4)[3:])[0]
            case Scalar(name="uchar"):
                return self.take(4)[3]
            case Scalar(name="ushort"):
                return struct.unpack(">H", self.take(4)[2:])[0]
            case Scalar():
                return self.number(SCALARS[kind.name][0])
            case String():
                size = self.number("I")
                data = self.take(size)
                self.take(-size % 4)
                return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
            case Opaque():
                size = kind.limit if kind.exact else self.number("I")
                data = self.take(size)
                self.take(-size % 4)
                return data
            case Chars():
                size = kind.limit if kind.exact else self.number("I")
                return bytes(self.take(4)[3] for _ in range(size))
            case Maybe():
                return self.value(kind.element) if self.number("I") else None
            case Array():
                return [self.value(kind.element) for _ in range(self.number("I"))]
            case Arms():
                return self.value(kind.arms[discriminant])
            case Struct():
                values: list[Any] = []
                for _, field in kind.fields:
                    values.append(self.value(field, values[-1] if values else None))
                return kind.cls(*values)
        raise AssertionError(kind)


def texts(limit: int, most: int = 12) -> st.SearchStrategy[str]:
    """Texts that travel: no NUL, but anything else, bytes that are no UTF-8 included."""
    most = min(most, limit)
    clean = st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=most // 4
    )
    raw = st.binary(max_size=most).map(
        lambda data: data.replace(b"\0", b"x").decode("utf-8", "surrogateescape")
    )
    return clean | raw


def values(kind: Type) -> st.SearchStrategy[Any]:
    """Values of a type, small where size says nothing new."""
    match kind:
        case Scalar(name="double"):
            return st.floats(allow_nan=False)
        case Scalar(name="truth"):
            return st.booleans()
        case Scalar():
            _, least, largest = SCALARS[kind.name]
            return st.integers(int(least), int(largest))
        case String():
            return texts(kind.limit)
        case Opaque(exact=True) | Chars(exact=True):
            return st.binary(min_size=kind.limit, max_size=kind.limit)
        case Opaque() | Chars():
            return st.binary(max_size=min(kind.limit, 9))
        case Maybe():
            return st.none() | values(kind.element)
        case Array():
            return st.lists(values(kind.element), max_size=min(kind.limit, 3))
        case Struct():
            if any(isinstance(field, Arms) for _, field in kind.fields):
                return unions(kind)
            return st.tuples(*(values(field) for _, field in kind.fields)).map(
                lambda each: kind.cls(*each)
            )
    raise AssertionError(kind)


def unions(kind: Struct) -> st.SearchStrategy[Any]:
    """Structs that end in a discriminant and its arm: typed parameters."""
    *front, (_, _), (_, arms) = kind.fields
    assert isinstance(arms, Arms)
    choices = [
        st.tuples(*(values(field) for _, field in front), st.just(number), values(arm))
        for number, arm in arms.arms.items()
    ]
    return st.one_of(choices).map(lambda each: kind.cls(*each))


def example(kind: Type) -> Any:
    """One value that uses every part of a type: options present, arrays with an item."""
    match kind:
        case Scalar(name="double"):
            return 0.5
        case Scalar(name="truth"):
            return True
        case Scalar():
            return 1
        case String():
            return "ab"[: kind.limit]
        case Opaque(exact=True) | Chars(exact=True):
            return bytes(kind.limit)
        case Opaque() | Chars():
            return b"ab"[: kind.limit]
        case Maybe():
            return example(kind.element)
        case Array():
            return [example(kind.element)]
        case Struct():
            parts: list[Any] = []
            for position, (_, field) in enumerate(kind.fields):
                if isinstance(field, Arms):
                    parts[position - 1] = 7
                    parts.append(example(field.arms[7]))
                else:
                    parts.append(example(field))
            return kind.cls(*parts)
    raise AssertionError(kind)
