"""
Codecs: encoders and decoders written as source text from wire types, and run.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pyvirt.protocols._xdrtypes import (
    Arms,
    Array,
    Chars,
    Maybe,
    Opaque,
    Scalar,
    String,
    Struct,
    Type,
    XDRError,
    int32,
)

__all__ = ["Codec", "compileCodec"]


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
        "bytesOf": _bytesOf,
        "encodeName": _encodeName,
        "readHead": _readHead,
        "failures": (struct.error, AttributeError, TypeError, ValueError, OverflowError),
    }
    source = _Encoder(scope).function(kinds) + _Decoder(scope).function(kinds)
    exec(compile(source, f"<xdr {label}>", "exec"), scope)
    return Codec(scope["encode"], scope["decode"])


_PAD = (b"", b"\0\0\0", b"\0\0", b"\0")
_NAME_LIMIT = 4096
_names: dict[str, bytes] = {}
_heads: dict[bytes, tuple[str, int]] = {}


def _encodeNothing(values: Sequence[Any]) -> bytes:
    if values:
        raise XDRError(f"{len(values)} values where none travel")
    return b""


def _decodeNothing(data: bytes, offset: int) -> tuple[tuple[Any, ...], int]:
    return (), offset


def _text(data: bytes) -> str:
    """Decode the rare text that has a NUL inside, or is not UTF-8."""
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _bytesOf(text: str) -> bytes:
    """Encode the rare text that was not UTF-8 when it was decoded."""
    return text.encode("utf-8", "surrogateescape")


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


def _readHead(data: bytes, size: int) -> tuple[str, int]:
    """
    Decode a typed parameter's name and type, remembering the last few thousand, as L{_encodeName} does.

    @param data: from the length of the name, which is C{size}, to the end of the type.
    """
    if len(data) != (size + 11 & -4):
        raise XDRError("data ends inside a typed parameter")
    head = _text(data[4 : 4 + size]), int.from_bytes(data[-4:], "big", signed=True)
    if size <= 80:
        if len(_heads) >= _NAME_LIMIT:
            _heads.clear()
        _heads[data] = head
    return head


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
                self.emit("try:")
                self.emit(f"    {data} = {name}.encode()")
                self.emit("except UnicodeEncodeError:")
                self.emit(f"    {data} = bytesOf({name})")
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
                self.emit("try:")
                self.emit(f"    {name} = data[o:o + {size}].decode()")
                self.emit("except UnicodeDecodeError:")
                self.emit(f"    {name} = text(data[o:o + {size}])")
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
        kinds = [each for _, each in kind.fields]
        first, *others = kinds
        if isinstance(first, String) and others[:1] == [int32] and isinstance(others[-1], Arms):
            parts += self.head(first)
        for each in kinds[len(parts) :]:
            parts.append(
                self.union(parts[-1], each) if isinstance(each, Arms) else self.value(each)
            )
        cls = self.constant(kind.cls, "C")
        return f"new({cls}, ({', '.join(parts)},))"

    def head(self, kind: String) -> tuple[str, str]:
        """Emit what reads the name and the type of a typed parameter at once; see L{_readHead}."""
        size = self.count(kind.limit)
        name, number, end, data = (self.fresh() for _ in range(4))
        known = self.constant(_heads.get, "known")
        self.emit(f"{end} = o + ({size} + 3 & -4) + 4")
        self.emit(f"{data} = data[o - 4:{end}]")
        self.emit(f"{name}, {number} = {known}({data}) or readHead({data}, {size})")
        self.emit(f"o = {end}")
        return name, number

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
