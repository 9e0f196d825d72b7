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

from pyvirt.protocols._xdrcodec import Codec, compileCodec
from pyvirt.protocols._xdrtypes import (
    STRING_MAX,
    UUID,
    Arms,
    Array,
    Bool,
    Char,
    Chars,
    Double,
    Hyper,
    Int32,
    Max,
    Maybe,
    Opaque,
    Scalar,
    String,
    Struct,
    Truth,
    Type,
    UChar,
    UHyper,
    UInt32,
    UShort,
    WireString,
    XDRError,
    describe,
    resolve,
)

__all__ = [
    "STRING_MAX",
    "UUID",
    "Arms",
    "Array",
    "Bool",
    "Char",
    "Chars",
    "Codec",
    "Double",
    "Hyper",
    "Int32",
    "Max",
    "Maybe",
    "Opaque",
    "Scalar",
    "String",
    "Struct",
    "Truth",
    "Type",
    "UChar",
    "UHyper",
    "UInt32",
    "UShort",
    "WireString",
    "XDRError",
    "compileCodec",
    "describe",
    "resolve",
]
