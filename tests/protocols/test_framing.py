"""
Framing: packets out of bytes, however these are cut, and what is no packet at all.
"""

from __future__ import annotations

import struct
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.errors import ErrorCode, ErrorDomain, NoSuchDomain, VirtError
from pyvirt.protocols.framing import FrameError, FrameReader
from pyvirt.protocols.message import (
    FDS_MAX,
    LENGTH_MAX,
    LENGTH_MIN,
    PAYLOAD,
    Header,
    decodeError,
    encodeError,
    pack,
    unpackHeader,
)
from pyvirt.protocols.xdr import XDRError

PROGRAM = 0x20008086


def packet(payload: bytes = b"", type: int = 0, serial: int = 1) -> bytes:
    """Make a packet."""
    return pack(PROGRAM, 1, 5, type, serial, 0, payload)


def withDescriptors(count: int, payload: bytes = b"", type: int = 4) -> bytes:
    """Make a packet that announces descriptors, followed by the bytes that carry them."""
    return packet(struct.pack(">I", count) + payload, type) + bytes(count)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut data."""
    edges = [0, *sorted(cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


class SplitTests(SynchronousTestCase):
    """Every way of cutting a stream gives the same packets."""

    stream = (
        packet()
        + packet(b"a" * 100)
        + withDescriptors(2, b"fds1")
        + packet(b"bcde")
        + withDescriptors(0, type=5)
        + withDescriptors(1, b"", type=5)
        + packet(b"x" * 13, type=3)
    )

    def setUp(self) -> None:
        reader = FrameReader()
        self.packets = reader.receive(self.stream)
        self.counts = reader.descriptors

    def test_whole(self) -> None:
        """All at once."""
        self.assertEqual(
            self.packets,
            [
                packet(),
                packet(b"a" * 100),
                withDescriptors(2, b"fds1")[:-2],
                packet(b"bcde"),
                withDescriptors(0, type=5),
                withDescriptors(1, type=5)[:-1],
                packet(b"x" * 13, type=3),
            ],
        )
        self.assertEqual(self.counts, [2, 0, 1])

    def check(self, parts: list[bytes]) -> None:
        """Read the stream in parts."""
        reader = FrameReader()
        packets: list[bytes] = []
        for each in parts:
            packets += reader.receive(each)
        self.assertEqual(packets, self.packets)
        self.assertEqual(reader.descriptors, self.counts)
        self.assertIsNone(reader.error)
        self.assertEqual(reader.buffered, 0)
        self.assertTrue(all(type(each) is bytes for each in packets))

    def test_everyTwoCuts(self) -> None:
        """In three parts, cut anywhere."""
        size = len(self.stream)
        for first in range(size + 1):
            self.check(pieces(self.stream, [first]))
        for first in range(0, size + 1, 7):
            for second in range(first, size + 1, 5):
                self.check(pieces(self.stream, [first, second]))

    def test_byteByByte(self) -> None:
        """One byte at a time."""
        self.check([bytes([each]) for each in self.stream])

    @settings(
        max_examples=100,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.lists(st.integers(0, 10000), max_size=30))
    def test_anyCuts(self, cuts: list[int]) -> None:
        """Cut at random."""
        self.check(pieces(self.stream, [each % (len(self.stream) + 1) for each in cuts]))

    def test_buffered(self) -> None:
        """What waits for its rest is known."""
        reader = FrameReader()
        self.assertEqual(reader.buffered, 0)
        reader.receive(packet(b"abcd")[:30])
        self.assertEqual(reader.buffered, 30)
        reader.receive(packet(b"abcd")[30:] + b"\0\0")
        self.assertEqual(reader.buffered, 2)

    def test_linear(self) -> None:
        """A large packet in small parts is gathered without copying it again and again."""
        whole = packet(bytes(8 << 20))
        reader = FrameReader()
        packets: list[bytes] = []
        for offset in range(0, len(whole), 4096):
            packets += reader.receive(whole[offset : offset + 4096])
        self.assertEqual(len(packets), 1)
        self.assertEqual(len(packets[0]), len(whole))


class LengthTests(SynchronousTestCase):
    """The length word."""

    @settings(
        max_examples=300,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(
        st.integers(0, 2**32 - 1)
        | st.integers(0, 64)
        | st.integers(LENGTH_MAX - 8, LENGTH_MAX + 8)
        | st.integers(2**31 - 2, 2**31 + 2)
    )
    def test_anyLength(self, length: int) -> None:
        """Any length is waited for or refused at once, with what came before still delivered."""
        reader = FrameReader()
        good = packet(b"good")
        header = struct.pack(">I", length) + good[4:PAYLOAD]
        found = reader.receive(good + header)
        self.assertEqual(found[0], good)
        if length == LENGTH_MIN:
            self.assertEqual(len(found), 2)
            self.assertIsNone(reader.error)
        elif LENGTH_MIN < length <= LENGTH_MAX:
            self.assertEqual((len(found), reader.error, reader.buffered), (1, None, PAYLOAD))
        else:
            self.assertEqual(len(found), 1)
            self.assertIsInstance(reader.error, FrameError)
            self.assertIn(str(length), str(reader.error))
            self.assertEqual(reader.receive(good), [])

    def test_refusedEarly(self) -> None:
        """Four bytes are enough to see that no packet follows."""
        for length in (0, 1, 27, LENGTH_MAX + 1, 2**32 - 1):
            reader = FrameReader()
            self.assertEqual(reader.receive(struct.pack(">I", length)), [])
            self.assertIsNotNone(reader.error)

    def test_ownMaximum(self) -> None:
        """A reader may accept less."""
        reader = FrameReader(maximum=100)
        self.assertEqual(len(reader.receive(packet(bytes(72)))), 1)
        self.assertEqual(reader.receive(packet(bytes(76))), [])
        self.assertIsNotNone(reader.error)

    def test_ownMaximumWhole(self) -> None:
        """The limit holds for a packet that arrives whole and alone."""
        reader = FrameReader(maximum=100)
        self.assertEqual(reader.receive(packet(bytes(76))), [])
        self.assertIsNotNone(reader.error)

    def test_largest(self) -> None:
        """The largest packet passes."""
        whole = packet(bytes(LENGTH_MAX - PAYLOAD))
        self.assertEqual(len(whole), LENGTH_MAX)
        reader = FrameReader()
        self.assertEqual(reader.receive(whole[:-1]), [])
        self.assertEqual(len(reader.receive(whole[-1:])[0]), LENGTH_MAX)
        self.assertRaises(XDRError, packet, bytes(LENGTH_MAX - PAYLOAD + 1))


class DescriptorTests(SynchronousTestCase):
    """Announced descriptors."""

    def test_most(self) -> None:
        """As many as may go with one message."""
        reader = FrameReader()
        self.assertEqual(len(reader.receive(withDescriptors(FDS_MAX) + packet())), 2)
        self.assertEqual(reader.descriptors, [FDS_MAX])

    def test_tooMany(self) -> None:
        """One more, or absurdly many, break the stream."""
        for count in (FDS_MAX + 1, 2**31, 2**32 - 1):
            reader = FrameReader()
            whole = packet(struct.pack(">I", count), type=4)
            self.assertEqual(reader.receive(packet() + whole), [packet()])
            self.assertIn(str(count), str(reader.error))

    def test_noCount(self) -> None:
        """A message of this type without room for the count breaks the stream."""
        for payload in (b"", b"\0\0"):
            reader = FrameReader()
            self.assertEqual(reader.receive(packet(payload, type=5) + bytes(9)), [])
            self.assertIsNotNone(reader.error)

    def test_otherTypes(self) -> None:
        """Other types carry none, whatever their payload starts with."""
        for type in (0, 1, 2, 3, 6, 7, 256 + 4, 2**32 - 1):
            reader = FrameReader()
            data = packet(struct.pack(">I", 3), type=type)
            self.assertEqual(reader.receive(data), [data], type)
            self.assertEqual(reader.descriptors, [])


class MessageTests(SynchronousTestCase):
    """Headers and errors."""

    def test_header(self) -> None:
        """Seven words, of which the procedure has a sign."""
        data = pack(0x6B656570, 1, -5, 2, 2**32 - 1, 2, b"abcd")
        self.assertEqual(
            data.hex(" ", 4),
            "00000020 6b656570 00000001 fffffffb 00000002 ffffffff 00000002 61626364",
        )
        self.assertEqual(Header(*unpackHeader(data)), (32, 0x6B656570, 1, -5, 2, 2**32 - 1, 2))

    def test_errors(self) -> None:
        """All that an error has arrives, in a class of its own."""
        error = VirtError(
            "Domain not found: x",
            code=ErrorCode.NO_DOMAIN,
            domain=ErrorDomain.TEST,
            level=1,
            str1="Domain not found: %s",
            str2="x",
            str3="y",
            int1=3,
            int2=-4,
            dom=("d", bytes(16), 7),
            net=("n", bytes(range(16))),
        )
        read = decodeError(bytes(PAYLOAD) + encodeError(error))
        self.assertIs(type(read), NoSuchDomain)
        for name in [
            "message",
            "domain",
            "level",
            "str1",
            "str2",
            "str3",
            "int1",
            "int2",
            "dom",
            "net",
        ]:
            self.assertEqual(getattr(read, name), getattr(error, name), name)
        self.assertIs(read.code, ErrorCode.NO_DOMAIN)

    def test_unknownNumbers(self) -> None:
        """Codes and domains that nobody knows yet keep their numbers."""
        read = decodeError(bytes(PAYLOAD) + encodeError(VirtError("x", code=9999, domain=8888)))
        self.assertEqual((type(read), read.code, read.domain), (VirtError, 9999, 8888))

    def test_noText(self) -> None:
        """An error without a text is one."""
        read = decodeError(bytes(PAYLOAD) + encodeError(VirtError(None, code=1)))
        self.assertIsNone(read.message)
        self.assertEqual(str(read), "")

    def test_textsThatDoNotFit(self) -> None:
        """Long texts are cut, also where a character takes many bytes, and NULs are left out."""
        for text in ("x" * 10_000_000, "\U0001f600" * 3_000_000, "a\0b", "\ud800"):
            read = decodeError(bytes(PAYLOAD) + encodeError(VirtError(text, code=1, str1=text)))
            assert read.message is not None
            self.assertLessEqual(len(read.message), 65536)
            self.assertEqual(read.message, read.str1)
