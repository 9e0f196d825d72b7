"""
Codecs: every procedure of every program against a second implementation, limits, what is forgiven and what not.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.protocols._xdrcodec import _NAME_LIMIT, _heads, _names
from pyvirt.protocols.message import LENGTH_MAX
from pyvirt.protocols.programs import ALL, REMOTE
from pyvirt.protocols.structs import DomainRef, TypedParam
from pyvirt.protocols.xdr import (
    STRING_MAX,
    Arms,
    Array,
    Bool,
    Char,
    Chars,
    Codec,
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
    compileCodec,
    resolve,
)
from tests.protocols.oracle import Reader, Short, encode, example, values

LIMITED = settings(
    max_examples=6,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def codecs() -> Iterator[tuple[str, list[Type], Codec]]:
    """Name, types and codec of the arguments and the result of every procedure."""
    for program in ALL:
        for each in program:
            kinds = [kind for _, kind in each.arguments]
            yield f"{program.name} {each.name}", kinds, each.argumentCodec
            result = [] if each.result is None else [each.result]
            yield f"{program.name} {each.name} result", result, each.resultCodec


Check = Callable[[list[Type], Codec, Any], None]


def tuples(kinds: list[Type]) -> st.SearchStrategy[Any]:
    """Values of some types, as codecs take them."""
    return st.tuples(*(values(kind) for kind in kinds))


def normal(value: Any) -> Any:
    """Make values comparable by type too: a named tuple equals any tuple otherwise."""
    if isinstance(value, tuple):
        return (type(value).__name__, *(normal(each) for each in value))
    if isinstance(value, list):
        return [normal(each) for each in value]
    return value


class EveryProcedureTests(SynchronousTestCase):
    """What is true of each codec."""

    def each(self, strategy: Callable[[list[Type]], Any], check: Check) -> int:
        """Check every codec with what a strategy makes of its types; return how many there were."""
        number = 0
        for name, kinds, codec in codecs():
            number += 1
            try:
                self.one(strategy, check, kinds, codec)
            except BaseException as error:
                error.add_note(f"codec: {name}")
                raise
        return number

    def one(
        self, strategy: Callable[[list[Type]], Any], check: Check, kinds: list[Type], codec: Codec
    ) -> None:
        """Check one codec."""

        @LIMITED
        @given(strategy(kinds))
        def run(chosen: Any) -> None:
            check(kinds, codec, chosen)

        run()

    def test_againstTheOracle(self) -> None:
        """Both implementations encode and decode every procedure of every program alike."""

        def check(kinds: list[Type], codec: Codec, chosen: Any) -> None:
            data = b"".join(encode(kind, each) for kind, each in zip(kinds, chosen, strict=True))
            self.assertEqual(codec.encode(chosen), data)
            decoded, end = codec.decode(b"junk" + data, 4)
            self.assertEqual(end, len(data) + 4)
            self.assertEqual(normal(decoded), normal(chosen))

        self.assertEqual(self.each(tuples, check), 2 * 494)

    def test_truncated(self) -> None:
        """Each encoded value, cut at any byte, is refused as such."""
        for name, kinds, codec in codecs():
            data = codec.encode(tuple(example(kind) for kind in kinds))
            for size in range(len(data)):
                try:
                    codec.decode(data[:size], 0)
                except XDRError:
                    continue
                self.fail(f"{name}: {size} of {len(data)} bytes were enough")

    def test_randomBytes(self) -> None:
        """Whatever the bytes, decoding says what is there, as the oracle, or that nothing sensible is."""

        def check(kinds: list[Type], codec: Codec, data: bytes) -> None:
            try:
                decoded, end = codec.decode(data, 0)
            except XDRError:
                return
            reader = Reader(data)
            plain = tuple(reader.value(kind) for kind in kinds)
            # By text, for NaN is not equal to itself.
            self.assertEqual(repr(normal(decoded)), repr(normal(plain)))
            self.assertEqual(end, reader.offset)

        words = st.sampled_from([b"\0\0\0\0", b"\0\0\0\1", b"\0\0\0\2", b"\xff" * 4, b"abc\0"])
        data = st.binary(max_size=160) | st.lists(words, max_size=60).map(b"".join)
        self.each(lambda kinds: data, check)

    def test_wrongValues(self) -> None:
        """A value of the wrong shape is refused by XDRError and nothing else."""
        wrong = [None, (), ("x",), object(), 1.5, "text", b"bytes", -1, 2**70, [None], {}]
        for name, kinds, codec in codecs():
            good = tuple(example(kind) for kind in kinds)
            for position in range(len(kinds)):
                for each in wrong:
                    changed = (*good[:position], each, *good[position + 1 :])
                    try:
                        data = codec.encode(changed)
                        codec.decode(data, 0)
                    except XDRError:
                        pass
                    except Exception as error:
                        self.fail(f"{name}, argument {position} as {each!r}: {error!r}")
            for short in (good[:-1], (*good, 0)):
                if len(short) != len(good):
                    self.assertRaises(XDRError, codec.encode, short)


def limits(kind: Type, found: dict[tuple[str, int], Type]) -> None:
    """Collect every limited type, one of each sort and limit."""
    match kind:
        case String() | Opaque(exact=False) | Chars(exact=False):
            found.setdefault((type(kind).__name__, kind.limit), kind)
        case Array():
            name = f"array of {type(kind.element).__name__}"
            found.setdefault((name, kind.limit), kind)
            limits(kind.element, found)
        case Maybe():
            limits(kind.element, found)
        case Struct():
            for _, each in kind.fields:
                limits(each, found)
        case Arms():
            for arm in kind.arms.values():
                limits(arm, found)


class LimitTests(SynchronousTestCase):
    """N is accepted, N + 1 is not: to write and to read."""

    def sized(self, kind: Any, size: int) -> Any:
        """A value of C{size} characters, bytes or items."""
        match kind:
            case String():
                return "x" * size
            case Opaque() | Chars():
                return b"x" * size
            case Array():
                return [example(kind.element)] * size
        raise AssertionError(kind)

    def test_everyLimit(self) -> None:
        """Every limit that any procedure has, by sort of type."""
        found: dict[tuple[str, int], Type] = {}
        for _, kinds, _ in codecs():
            for kind in kinds:
                limits(kind, found)
        self.assertEqual(len(found), 28)
        for (name, limit), kind in found.items():
            codec = compileCodec([kind])
            fits = self.sized(kind, limit)
            data = codec.encode((fits,))
            self.assertEqual(codec.decode(data, 0), ((fits,), len(data)), (name, limit))
            error = self.assertRaises(XDRError, codec.encode, (self.sized(kind, limit + 1),))
            self.assertIn(str(limit), str(error))
            more = struct.pack(">I", limit + 1) + data[4:] + bytes(8)
            error = self.assertRaises(XDRError, codec.decode, more, 0)
            self.assertIn(f"above the limit of {limit}", str(error))

    def test_bytesNotCharacters(self) -> None:
        """The limit of text is one of bytes."""
        codec = compileCodec([String(4)])
        self.assertEqual(codec.encode(("éé",)), b"\0\0\0\4\xc3\xa9\xc3\xa9")
        self.assertRaises(XDRError, codec.encode, ("ééé",))

    def test_namesOfParameters(self) -> None:
        """Names of typed parameters are limited too, though they take a faster way."""
        codec = compileCodec([resolve(TypedParam)])
        fits = TypedParam("x" * STRING_MAX, 1, 1)
        self.assertEqual(codec.decode(codec.encode((fits,)), 0)[0], (fits,))
        self.assertRaises(XDRError, codec.encode, (TypedParam("x" * (STRING_MAX + 1), 1, 1),))
        self.assertRaises(XDRError, codec.encode, (TypedParam("a\0b", 1, 1),))

    def test_hostileCounts(self) -> None:
        """A count that the bytes cannot hold is refused before anything is made of it."""
        for kind in (
            resolve(Annotated[list[DomainRef], Max(1 << 30)]),
            resolve(Annotated[list[Int32], Max(1 << 30)]),
            Opaque(1 << 30),
            Chars(1 << 30),
            String(1 << 30),
        ):
            codec = compileCodec([kind])
            for count in (1 << 29, 1 << 30):
                self.assertRaises(XDRError, codec.decode, struct.pack(">I", count) + bytes(64), 0)


class ForgivenTests(SynchronousTestCase):
    """What C peers never look at."""

    def test_padding(self) -> None:
        """Padding may be anything."""
        codec = compileCodec([String(9), Opaque(9), resolve(Int32)])
        self.assertEqual(
            codec.decode(b"\0\0\0\1aXYZ\0\0\0\2bcXY\0\0\0\7", 0), (("a", b"bc", 7), 20)
        )

    def test_optionalMarker(self) -> None:
        """Any marker but 0 says that the value is there."""
        codec = compileCodec([resolve(WireString | None)])
        for marker in (1, 2, 0xFFFFFFFF):
            data = struct.pack(">I", marker) + b"\0\0\0\1a\0\0\0"
            self.assertEqual(codec.decode(data, 0), (("a",), 12))
        self.assertEqual(codec.decode(bytes(4), 0), ((None,), 4))

    def test_trailingBytes(self) -> None:
        """What follows the last item stays where it is."""
        self.assertEqual(compileCodec([resolve(Int32)]).decode(b"\0\0\0\5more", 0), ((5,), 4))
        self.assertEqual(compileCodec([]).decode(b"more", 2), ((), 2))

    def test_notUTF8(self) -> None:
        """Text that is not UTF-8 comes back as the bytes it was."""
        codec = compileCodec([String(99)])
        data = b"\0\0\0\4a\xff\xfe\x80"
        (text,), _ = codec.decode(data, 0)
        self.assertEqual(text, "a\udcff\udcfe\udc80")
        self.assertEqual(codec.encode((text,)), data)

    def test_innerNUL(self) -> None:
        """Text ends at its first NUL, wherever it comes; to write one is refused."""
        codec = compileCodec([String(99), resolve(Int32)])
        for data, text in (
            (b"\0\0\0\3a\0b\0", "a"),
            (b"\0\0\0\2a\0\0\0", "a"),
            (b"\0\0\0\1\0\0\0\0", ""),
            (b"\0\0\0\4\xc3\0\xa9x", "\udcc3"),
        ):
            self.assertEqual(codec.decode(data + b"\0\0\0\x09", 0), ((text, 9), 12))
        self.assertRaises(XDRError, codec.encode, ("a\0b", 1))

    def test_surrogates(self) -> None:
        """Text that stands for no bytes at all is refused."""
        self.assertRaises(XDRError, compileCodec([String(99)]).encode, ("\ud800",))

    def test_unknownArm(self) -> None:
        """A typed parameter of a type that does not exist is an error both ways."""
        codec = compileCodec([resolve(TypedParam)])
        for number in (0, 8, -1):
            self.assertRaises(XDRError, codec.encode, (TypedParam("a", number, 1),))
            data = b"\0\0\0\1a\0\0\0" + struct.pack(">iQ", number, 1)
            self.assertRaises(XDRError, codec.decode, data, 0)

    def test_rememberedNames(self) -> None:
        """Names of parameters are remembered, but neither too many nor more than their bytes say."""
        codec = compileCodec([resolve(TypedParam)])
        for number in range(2 * _NAME_LIMIT + 10):
            param = TypedParam(f"name{number}", 1, number)
            self.assertEqual(codec.decode(codec.encode((param,)), 0)[0], (param,))
        self.assertLessEqual(len(_names), _NAME_LIMIT)
        self.assertLessEqual(len(_heads), _NAME_LIMIT)
        value = struct.pack(">ii", 1, 9)
        for size, raw, name in (
            (2, b"ab\0\0", "ab"),
            (3, b"ab\0\0", "ab"),
            (2, b"abXY", "ab"),
            (4, b"abXY", "abXY"),
            (4, b"a\xff\0b", "a\udcff"),
        ):
            for _ in range(2):
                data = struct.pack(">I", size) + raw + value
                self.assertEqual(codec.decode(data, 0), ((TypedParam(name, 1, 9),), 16))
                for end in range(len(data)):
                    self.assertRaises(XDRError, codec.decode, data[:end], 0)

    def test_everyArm(self) -> None:
        """Each type of a typed parameter, at its edges."""
        codec = compileCodec([resolve(TypedParam)])
        for number, value, data in (
            (1, -1, b"\xff\xff\xff\xff"),
            (2, 2**32 - 1, b"\xff\xff\xff\xff"),
            (3, -2, b"\xff" * 7 + b"\xfe"),
            (4, 2**64 - 1, b"\xff" * 8),
            (5, 1.5, b"\x3f\xf8" + bytes(6)),
            (6, True, b"\0\0\0\1"),
            (7, "abcde", b"\0\0\0\5abcde\0\0\0"),
        ):
            whole = b"\0\0\0\1a\0\0\0" + struct.pack(">i", number) + data
            self.assertEqual(codec.encode((TypedParam("a", number, value),)), whole)
            (param,), end = codec.decode(whole, 0)
            self.assertEqual((param, end), (TypedParam("a", number, value), len(whole)))
            self.assertIs(type(param.value), type(value))
        whole = b"\0\0\0\1a\0\0\0" + struct.pack(">ii", 6, 7)
        self.assertIs(codec.decode(whole, 0)[0][0].value, True)


class Everything(NamedTuple):
    """One field of each sort."""

    a: Int32
    b: UInt32
    c: Hyper
    d: UHyper
    e: Double
    f: Bool
    g: Char
    h: UChar
    i: UShort
    j: Truth
    k: Annotated[bytes, Chars(3, exact=True)]
    ll: Annotated[bytes, Chars(3)]
    m: Annotated[bytes, Opaque(3, exact=True)]
    n: Annotated[bytes, Opaque(3)]
    o: Annotated[list[Char], Max(4)]
    p: Annotated[list[UHyper], Max(4)]
    q: Annotated[list[WireString], Max(4)] | None
    r: DomainRef | None


class VectorTests(SynchronousTestCase):
    """Bytes written by hand."""

    def test_everything(self) -> None:
        """Each sort of type has the bytes that RFC 4506 and C peers give it."""
        value = Everything(
            *(-2, 4294967295, -3, 2**64 - 1, -0.5, 1, -5, 250, 65535, True),
            *(
                b"\x80ab",
                b"c",
                b"xyz",
                b"w",
                [-1, 2],
                [5],
                ["q", ""],
                DomainRef("d", bytes(16), -1),
            ),
        )
        data = bytes.fromhex(
            "fffffffe ffffffff fffffffffffffffd ffffffffffffffff bfe0000000000000 00000001"
            "fffffffb 000000fa 0000ffff 00000001"
            "ffffff80 00000061 00000062 00000001 00000063 78797a00 00000001 77000000"
            "00000002 ffffffff 00000002 00000001 0000000000000005"
            "00000001 00000002 00000001 71000000 00000000"
            "00000001 00000001 64000000 00000000000000000000000000000000 ffffffff"
        )
        codec = compileCodec([resolve(Everything)])
        self.assertEqual(codec.encode((value,)), data)
        self.assertEqual(normal(codec.decode(data, 0)), normal(((value,), len(data))))
        self.assertEqual(normal(Reader(data).value(resolve(Everything))), normal(value))

    def test_narrowTypes(self) -> None:
        """C{char}, C{uchar} and C{ushort} keep the low bits of their word, as C readers do."""
        codec = compileCodec([resolve(Char), resolve(UChar), resolve(UShort)])
        data = bytes.fromhex("000000ff 00000105 00010002")
        self.assertEqual(codec.decode(data, 0)[0], (-1, 5, 2))

    def test_anyTuple(self) -> None:
        """Encoding takes any tuple of the right length where a struct is meant."""
        codec = compileCodec([resolve(DomainRef)])
        self.assertEqual(
            codec.encode((("d", bytes(16), 3),)), codec.encode((DomainRef("d", bytes(16), 3),))
        )
        self.assertRaises(XDRError, codec.encode, (("d", bytes(16)),))
        self.assertRaises(XDRError, codec.encode, (("d", bytes(15), 3),))

    def test_noType(self) -> None:
        """What does not say how it travels is no wire type."""
        for annotation in (int, list[int], str, Annotated[int, "x"], int | str):
            self.assertRaises(TypeError, resolve, annotation)
        self.assertRaises(TypeError, compileCodec, [Arms("x", {})])

    def test_largest(self) -> None:
        """No array can make a packet that is read item by item beyond the largest packet."""
        self.assertLess(STRING_MAX * 8, LENGTH_MAX)
        ref = REMOTE.byName["connectListAllDomains"].resultCodec
        self.assertRaises(XDRError, ref.decode, b"\0\0\x40\x01" + bytes(20 * 16385), 0)

    def test_oracleRefusesToo(self) -> None:
        """The oracle is no rubber stamp: it sees that bytes are missing."""
        for kind in (resolve(Int32), String(9), resolve(DomainRef), Maybe(Scalar("hyper", "q", 8))):
            whole = encode(kind, example(kind))
            for size in range(len(whole)):
                self.assertRaises(Short, Reader(whole[:size]).value, kind)
