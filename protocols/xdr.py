"""
XDR (RFC 4506) as annotations: a type says how it travels, a codec is compiled from it on first use.

A wire type is an ordinary annotation: C{Annotated[int, uint32]}, a C{NamedTuple} whose fields are wire
types, C{X | None} for an optional item, C{Annotated[list[X], Max(n)]} for a counted array.  L{resolve}
turns annotations into a small tree of L{Type}; L{compileCodec} turns a sequence of them into two
straight-line functions (source text run through C{exec}, over precompiled C{struct.Struct}s).  Nested
structs are flattened, neighbouring fixed-size items are read by one C{unpack}.

Encoding takes tuples by position, so any tuple of the right shape will do.  Decoding is exact about limits
and lengths and, like libvirt, forgiving about what C code never looked at: padding bytes, optional markers
other than 1, bytes after the last item, text that is not UTF-8 (it round-trips by C{surrogateescape}).  Text
ends at its first NUL, as it does for every C peer; encoding refuses a NUL instead of losing what follows.
"""

from __future__ import annotations

import struct
import types
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin, get_type_hints

__all__ = [
    "STRING_MAX",
    "UUID",
    "Arms",
    "Bool",
    "Chars",
    "Codec",
    "Double",
    "Hyper",
    "Int32",
    "Max",
    "Opaque",
    "String",
    "Type",
    "UHyper",
    "UInt32",
    "WireString",
    "XDRError",
    "compileCodec",
    "describe",
    "resolve",
]


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


class Codec:
    """
    Both directions of a sequence of values.

    @ivar encode: C{(values) -> bytes}; values in order, one tuple.
    @ivar decode: C{(data, offset) -> (values, end)}; C{end} may be short of C{len(data)}.
    """

    __slots__ = ("decode", "encode")

    def __init__(
        self,
        encode: Callable[[Sequence[Any]], bytes],
        decode: Callable[[bytes, int], tuple[tuple[Any, ...], int]],
    ) -> None:
        self.encode = encode
        self.decode = decode


def compileCodec(kinds: Iterable[Type], label: str = "codec") -> Codec:
    """
    Compile the codec of C{kinds}, in order.

    @param label: names it in tracebacks.
    """
    kinds = list(kinds)
    if not kinds:
        return Codec(_encodeNothing, _decodeNothing)
    scope: dict[str, Any] = {
        "XDRError": XDRError,
        "PAD": _PAD,
        "new": tuple.__new__,
        "pack": struct.pack,
        "unpack": struct.unpack_from,
        "text": _text,
        "tooMany": _tooMany,
        "encodeName": _encodeName,
        "failures": (struct.error, AttributeError, TypeError, ValueError, OverflowError),
    }
    source = _Encoder(scope).function(kinds) + _Decoder(scope).function(kinds)
    exec(compile(source, f"<xdr {label}>", "exec"), scope)
    return Codec(scope["encode"], scope["decode"])


_PAD = (b"", b"\0\0\0", b"\0\0", b"\0")
_NAME_LIMIT = 4096
_names: dict[str, bytes] = {}


def _encodeNothing(values: Sequence[Any]) -> bytes:
    if values:
        raise XDRError(f"{len(values)} values where none travel")
    return b""


def _decodeNothing(data: bytes, offset: int) -> tuple[tuple[Any, ...], int]:
    return (), offset


def _text(data: bytes) -> str:
    """Decode the rare text that has a NUL inside."""
    return data[: data.index(b"\0")].decode("utf-8", "surrogateescape")


def _exactly(size: int) -> str:
    """Return the C{struct} code of C{size} bytes and their padding."""
    return f"{size}s" + "x" * (-size % 4)


def _tooMany(count: int, limit: int) -> XDRError:
    return XDRError(f"count {count} is above the limit of {limit}")


def _encodeName(name: str, limit: int) -> bytes:
    """
    Encode a typed parameter's name, length and padding included, remembering the last few thousand.

    Statistics repeat the same names for every object, so this is what bulk replies spend their time on.
    """
    data = name.encode("utf-8", "surrogateescape")
    size = len(data)
    if size > limit or b"\0" in data:
        raise XDRError(f"text of {size} bytes is above the limit of {limit} or contains a NUL")
    whole = struct.pack(">I", size) + data + _PAD[size & 3]
    if size <= 80:
        if len(_names) >= _NAME_LIMIT:
            _names.clear()
        _names[name] = whole
    return whole


class _Writer:
    """What both directions need: fresh names, indentation, and C{struct} formats put in the scope."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self.scope = scope
        self.lines: list[str] = []
        self.depth = 2
        self.counter = 0

    def fresh(self, prefix: str = "v") -> str:
        self.counter += 1
        return f"{prefix}{self.counter}"

    def emit(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def structure(self, codes: str, attribute: str) -> tuple[str, int]:
        form = struct.Struct(">" + codes)
        name = f"{attribute}_{codes}"
        self.scope[name] = getattr(form, attribute)
        return name, form.size

    def constant(self, value: Any, prefix: str) -> str:
        name = self.fresh(prefix)
        self.scope[name] = value
        return name


class _Encoder(_Writer):
    """
    Write C{encode}.

    Fixed-size items gather in C{run} until something of variable size comes; what is ready is a list of
    C{expressions}, joined at the end of a block (the function, an array's item, an optional's body).
    """

    def __init__(self, scope: dict[str, Any]) -> None:
        super().__init__(scope)
        self.run: list[tuple[str, str]] = []
        self.expressions: list[str] = []

    def function(self, kinds: list[Type]) -> str:
        self.depth = 2
        self.emit("out = []")
        names = [self.fresh() for _ in kinds]
        self.emit(f"({', '.join(names)},) = values")
        dynamic = any(not self.isStraight(kind) for kind in kinds)
        for name, kind in zip(names, kinds, strict=True):
            self.value(name, kind)
        if dynamic:
            self.spill()
            self.emit("return b''.join(out)")
        else:
            del self.lines[0]
            self.emit(f"return {self.joined()}")
        body = "\n".join(self.lines)
        return (
            "def encode(values):\n    try:\n"
            + body
            + "\n    except XDRError:\n        raise\n    except failures as problem:\n"
            "        raise XDRError(f'value does not fit its type: {problem}') from problem\n"
        )

    def isStraight(self, kind: Type) -> bool:
        if isinstance(kind, Struct):
            return all(self.isStraight(each) for _, each in kind.fields)
        return kind.fixed

    def flush(self) -> None:
        if self.run:
            codes = "".join(code for code, _ in self.run)
            name, _ = self.structure(codes, "pack")
            self.expressions.append(f"{name}({', '.join(each for _, each in self.run)})")
            self.run.clear()

    def joined(self) -> str:
        self.flush()
        ready, self.expressions = self.expressions, []
        if len(ready) > 6:
            return f"b''.join(({', '.join(ready)}))"
        return " + ".join(ready) or "b''"

    def spill(self) -> None:
        self.flush()
        if self.expressions:
            self.emit(f"out.append({self.joined()})")

    def value(self, name: str, kind: Type) -> None:
        match kind:
            case Scalar():
                self.run.append((kind.code, name))
            case String():
                data = self.fresh("s")
                self.emit(f"{data} = {name}.encode('utf-8', 'surrogateescape')")
                self.counted(data, kind.limit, " or b'\\0' in " + data)
            case Opaque(exact=True):
                self.emit(f"if len({name}) != {kind.limit}:")
                self.emit(f"    raise XDRError(f'{{len({name})}} bytes where {kind.limit} travel')")
                self.run.append((_exactly(kind.limit), name))
            case Opaque():
                data = self.fresh("s")
                self.emit(f"{data} = bytes({name}) if type({name}) is not bytes else {name}")
                self.counted(data, kind.limit, "")
            case Chars():
                self.chars(name, kind)
            case Struct():
                names = [self.fresh() for _ in kind.fields]
                self.emit(f"({', '.join(names)},) = {name}")
                self.fields(names, [each for _, each in kind.fields])
            case Maybe():
                self.spill()
                self.emit(f"if {name} is None:")
                self.emit("    out.append(b'\\0\\0\\0\\0')")
                self.emit("else:")
                self.depth += 1
                self.run.append(("I", "1"))
                self.value(name, kind.element)
                self.spill()
                self.depth -= 1
            case Array():
                self.array(name, kind)
            case _:
                raise TypeError(f"{kind!r} cannot stand alone")

    def fields(self, names: list[str], kinds: list[Type]) -> None:
        """Encode a struct's fields; an L{Arms} field uses the name before it as its discriminant."""
        for position, (name, kind) in enumerate(zip(names, kinds, strict=True)):
            if isinstance(kind, Arms):
                self.union(names[position - 1], name, kind)
            else:
                following = kinds[position + 1 : position + 2]
                if not (following and isinstance(following[0], Arms)):
                    isName = isinstance(kind, String) and any(isinstance(k, Arms) for k in kinds)
                    if isName and isinstance(kind, String):
                        self.flush()
                        known = self.constant(_names.get, "known")
                        self.expressions.append(
                            f"({known}({name}) or encodeName({name}, {kind.limit}))"
                        )
                    else:
                        self.value(name, kind)

    def union(self, discriminant: str, name: str, kind: Arms) -> None:
        self.spill()
        word = "if"
        for number, arm in kind.arms.items():
            self.emit(f"{word} {discriminant} == {number}:")
            self.depth += 1
            self.run.append(("i", str(number)))
            self.value(name, arm)
            self.spill()
            self.depth -= 1
            word = "elif"
        self.emit("else:")
        self.emit(f"    raise XDRError(f'{kind.name} has no arm {{{discriminant}!r}}')")

    def counted(self, data: str, limit: int, extra: str) -> None:
        size = self.fresh("n")
        self.emit(f"{size} = len({data})")
        self.emit(f"if {size} > {limit}{extra}:")
        self.emit(
            f"    raise XDRError(f'text of {{{size}}} bytes is above the limit of {limit} or contains a NUL')"
        )
        self.run.append(("I", size))
        self.flush()
        self.expressions += [data, f"PAD[{size} & 3]"]

    def chars(self, name: str, kind: Chars) -> None:
        size = self.fresh("n")
        self.emit(f"{size} = len({name})")
        if kind.exact:
            self.emit(f"if {size} != {kind.limit}:")
            self.emit(f"    raise XDRError(f'{{{size}}} characters where {kind.limit} travel')")
        else:
            self.emit(f"if {size} > {kind.limit}:")
            self.emit(f"    raise tooMany({size}, {kind.limit})")
            self.run.append(("I", size))
        self.flush()
        self.expressions.append(f"pack('>%di' % {size}, *((c + 128 & 255) - 128 for c in {name}))")

    def array(self, name: str, kind: Array) -> None:
        size = self.fresh("n")
        self.emit(f"{size} = len({name})")
        self.emit(f"if {size} > {kind.limit}:")
        self.emit(f"    raise tooMany({size}, {kind.limit})")
        self.run.append(("I", size))
        element = kind.element
        if isinstance(element, Scalar):
            self.flush()
            self.expressions.append(f"pack('>%d{element.code}' % {size}, *{name})")
            return
        self.spill()
        item = self.fresh("i")
        self.emit(f"for {item} in {name}:")
        self.depth += 1
        self.value(item, element)
        self.spill()
        self.depth -= 1


class _Decoder(_Writer):
    """
    Write C{decode}.

    Fixed-size items gather in C{run} and are read by one C{unpack_from}; a count ends a run, as what
    follows depends on it.  C{unpack_from} refuses to read past the end, slices do not, so the last line
    compares the end with the length once for all of them.
    """

    def __init__(self, scope: dict[str, Any]) -> None:
        super().__init__(scope)
        self.run: list[tuple[str, str]] = []

    def function(self, kinds: list[Type]) -> str:
        results = [self.value(kind) for kind in kinds]
        self.flush()
        self.emit("if o > len(data):")
        self.emit("    raise XDRError(f'data ends {o - len(data)} bytes early')")
        self.emit(f"return ({', '.join(results)},), o")
        return (
            "def decode(data, o):\n    try:\n"
            + "\n".join(self.lines)
            + "\n    except XDRError:\n        raise\n    except failures as problem:\n"
            "        raise XDRError(f'data does not fit its type: {problem}') from problem\n"
        )

    def take(self, code: str) -> str:
        name = self.fresh()
        self.run.append((code, name))
        return name

    def flush(self) -> None:
        if self.run:
            codes = "".join(code for code, _ in self.run)
            name, size = self.structure(codes, "unpack_from")
            self.emit(f"{', '.join(each for _, each in self.run)}, = {name}(data, o)")
            self.emit(f"o += {size}")
            self.run.clear()

    def value(self, kind: Type) -> str:
        """Emit what reads a value; return the expression for it, good after the next flush."""
        match kind:
            case Scalar():
                name = self.take(kind.code)
                return f"({kind.wrap % name})" if kind.wrap else name
            case String():
                size = self.count(kind.limit)
                name = self.fresh()
                self.emit(f"{name} = data[o:o + {size}].decode('utf-8', 'surrogateescape')")
                self.emit(f"if '\\0' in {name}:")
                self.emit(f"    {name} = text(data[o:o + {size}])")
                self.emit(f"o += {size} + 3 & -4")
                return name
            case Opaque(exact=True):
                return self.take(_exactly(kind.limit))
            case Opaque():
                size = self.count(kind.limit)
                name = self.fresh()
                self.emit(f"{name} = data[o:o + {size}]")
                self.emit(f"o += {size} + 3 & -4")
                return name
            case Chars():
                if kind.exact:
                    self.flush()
                    size = str(kind.limit)
                else:
                    size = self.count(kind.limit)
                name = self.fresh()
                self.emit(f"{name} = bytes([c & 255 for c in unpack('>%di' % {size}, data, o)])")
                self.emit(f"o += {size} * 4")
                return name
            case Struct():
                return self.structValue(kind)
            case Maybe():
                present = self.take("I")
                self.flush()
                name = self.fresh()
                self.emit(f"if {present}:")
                self.depth += 1
                inner = self.value(kind.element)
                self.flush()
                self.emit(f"{name} = {inner}")
                self.depth -= 1
                self.emit("else:")
                self.emit(f"    {name} = None")
                return name
            case Array():
                return self.arrayValue(kind)
        raise TypeError(f"{kind!r} cannot stand alone")

    def structValue(self, kind: Struct) -> str:
        parts: list[str] = []
        for _, each in kind.fields:
            parts.append(
                self.union(parts[-1], each) if isinstance(each, Arms) else self.value(each)
            )
        cls = self.constant(kind.cls, "C")
        return f"new({cls}, ({', '.join(parts)},))"

    def union(self, discriminant: str, kind: Arms) -> str:
        self.flush()
        name = self.fresh()
        word = "if"
        for number, arm in kind.arms.items():
            self.emit(f"{word} {discriminant} == {number}:")
            self.depth += 1
            inner = self.value(arm)
            self.flush()
            self.emit(f"{name} = {inner}")
            self.depth -= 1
            word = "elif"
        self.emit("else:")
        self.emit(f"    raise XDRError(f'{kind.name} has no arm {{{discriminant}}}')")
        return name

    def count(self, limit: int) -> str:
        size = self.take("I")
        self.flush()
        self.emit(f"if {size} > {limit}:")
        self.emit(f"    raise tooMany({size}, {limit})")
        return size

    def arrayValue(self, kind: Array) -> str:
        size = self.count(kind.limit)
        name = self.fresh()
        element = kind.element
        if isinstance(element, Scalar):
            self.emit(f"{name} = list(unpack('>%d{element.code}' % {size}, data, o))")
            self.emit(f"o += {size} * {element.minimum}")
            if element.wrap:
                self.emit(f"{name} = [{element.wrap % 'c'} for c in {name}]")
            return name
        # A hostile count must not make us loop: every item takes some bytes.
        self.emit(f"if {size} * {element.minimum} > len(data) - o:")
        self.emit(f"    raise XDRError(f'data ends before {{{size}}} items')")
        self.emit(f"{name} = []")
        self.emit(f"for _ in range({size}):")
        self.depth += 1
        inner = self.value(element)
        self.flush()
        self.emit(f"{name}.append({inner})")
        self.depth -= 1
        return name
