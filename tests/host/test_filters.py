"""
Rules of network filters for one device: variables, priorities, what programs are told, and addresses that are learnt.
"""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.nwfilter import FilterDefinition, parseFilter
from pyvirt.drivers.host.filters.instances import instances, missing
from pyvirt.drivers.host.filters.learning import Learner, leaseIn, senderIn
from pyvirt.drivers.host.filters.learnt import FOREVER, Learnt, LearntLease
from pyvirt.drivers.host.filters.plan import Plan, isOf, planOf
from pyvirt.errors import VirtError

MAC = bytes.fromhex("5254007b3593")


def made(text: str, **values: tuple[str, ...]) -> Plan:
    """Return what the rules of one filter become."""
    definition = parseFilter(f"<filter name='f' chain='root'>{text}</filter>")
    return planOf("v0", instances(definition, {"MAC": ("52:54:00:7b:35:93",), **values}, {}.get))


def shown(plan: Plan) -> list[str]:
    """Write rules of frames as one reads them."""
    return [f"{chain} {' '.join(words)}" for chain, words in plan.frames]


class InstanceTests(SynchronousTestCase):
    """Filters with variables, and filters that include others."""

    def test_priorities(self) -> None:
        """Chains take their place among the rules of the first chain, wherever they were written."""
        inner = parseFilter(
            "<filter name='g' chain='arp-x' priority='-510'><rule action='drop' direction='out'>"
            "<arp arpsrcipaddr='$IP'/></rule></filter>"
        )
        outer = parseFilter(
            "<filter name='f' chain='root'><rule action='accept' direction='out' priority='-500'>"
            "<mac protocolid='arp'/></rule><filterref filter='g'/>"
            "<rule action='accept' direction='out' priority='-650'><mac protocolid='ipv4'/></rule></filter>"
        )
        plan = planOf("v0", instances(outer, {"IP": ("10.0.0.5",)}, {"g": inner}.get))
        self.assertEqual(
            shown(plan),
            [
                "libvirt-I-v0 -p 0x800 -j ACCEPT",
                "libvirt-I-v0 -p 0x0806 -j I-v0-arp-x",
                "libvirt-I-v0 -p 0x806 -j ACCEPT",
                "I-v0-arp-x -p 0x806 --arp-ip-src 10.0.0.5/32 -j DROP",
            ],
        )

    def test_lists(self) -> None:
        """Lists that are gone through in different ways are combined, others go side by side."""
        rule = (
            "<rule action='drop' direction='in'><ip srcipaddr='$L' protocol='tcp' "
            "srcportstart='$P[@1]' dstportstart='$P[1]'/></rule>"
        )
        plan = made(rule, L=("1.1.1.1", "2.2.2.2", "1.1.1.1"), P=("80", "81"))
        found = [line.split("--ip-source ")[1] for line in shown(plan)]
        self.assertEqual(
            found,
            [
                f"{address} --ip-protocol 6 --ip-source-port {port} --ip-destination-port 81 -j DROP"
                for port in (80, 81)
                for address in ("1.1.1.1", "2.2.2.2")
            ],
        )
        uneven = rule.replace("$P[@1]", "$P")
        error = self.assertRaises(VirtError, made, uneven, L=("1.1.1.1",), P=("80", "81"))
        self.assertIn("Cardinality", str(error))

    def test_missing(self) -> None:
        """Variables without values are named, each once; filters that are not there, or include themselves, are too."""
        definition = parseFilter(
            "<filter name='f'><rule action='drop' direction='in'><ip srcipaddr='$A[3]' "
            "dstipaddr='$B'/></rule><rule action='drop' direction='in'><ip dstipaddr='$B'/></rule></filter>"
        )
        self.assertEqual(missing(definition, {"A": ("1.1.1.1",)}, {}.get), ["A[3]", "B"])
        self.assertRaises(VirtError, instances, definition, {}, {}.get)
        loop = parseFilter("<filter name='f'><filterref filter='f'/></filter>")
        known: dict[str, FilterDefinition] = {}
        self.assertIn("missing", str(self.assertRaises(VirtError, instances, loop, {}, known.get)))
        known["f"] = loop
        self.assertIn("itself", str(self.assertRaises(VirtError, instances, loop, {}, known.get)))

    def test_tooMany(self) -> None:
        """Lists that multiply without end are refused."""
        rule = (
            "<rule action='drop' direction='in'><ip srcipaddr='$L' dstipaddr='$L[@1]' "
            "protocol='tcp' srcportstart='$L[@2]'/></rule>"
        )
        error = self.assertRaises(VirtError, made, rule, L=tuple(map(str, range(99))))
        self.assertIn("more than", str(error))

    def test_names(self) -> None:
        """Chains of one device are not those of another whose name begins alike."""
        for name in ("libvirt-I-v0", "libvirt-P-v0", "J-v0-mac", "O-v0-arp-ip"):
            self.assertTrue(isOf(name, "v0"), name)
        for name in ("libvirt-I-v01", "I-v0", "I-v01-mac", "I-v0-x-mac", "PREROUTING", "X-v0-mac"):
            self.assertFalse(isOf(name, "v0"), name)


def reply(kind: int = 5, *, seconds: bytes = b"\0\0\0\x3c", options: bytes = b"") -> bytes:
    """Return what a DHCP server answers."""
    body = bytes([2, 1, 6, 0]) + bytes(12) + bytes([10, 9, 9, 9]) + bytes(8) + MAC + bytes(202)
    body += b"\x63\x82\x53\x63" + (options or bytes([53, 1, kind, 51, 4]) + seconds + b"\xff")
    packet = b"\x45\0" + bytes(7) + b"\x11" + bytes(2) + bytes([1, 2, 3, 4]) + bytes(4)
    return (
        MAC
        + bytes(6)
        + b"\x08\x00"
        + packet
        + struct.pack("!HHHH", 67, 68, 8 + len(body), 0)
        + body
    )


class LearningTests(SynchronousTestCase):
    """What packets tell of a guest's address."""

    def test_sender(self) -> None:
        """A guest's own packets tell it, those of others and impossible addresses do not."""
        arp = b"\xff" * 6 + MAC + b"\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" + MAC
        tail = bytes(6) + bytes([10, 9, 9, 1])
        self.assertEqual(senderIn(arp + bytes([10, 9, 9, 9]) + tail, MAC), "10.9.9.9")
        for bad in (bytes(4), bytes([224, 0, 0, 1]), b"\xff" * 4, bytes([127, 0, 0, 1])):
            self.assertEqual(senderIn(arp + bad + tail, MAC), "")
        other = arp.replace(MAC, bytes(6))
        self.assertEqual(senderIn(other + bytes([10, 9, 9, 9]) + tail, MAC), "")
        packet = (
            bytes(6) + MAC + b"\x08\x00" + b"\x45" + bytes(11) + bytes([10, 9, 9, 8]) + bytes(4)
        )
        self.assertEqual(senderIn(packet, MAC), "10.9.9.8")

    def test_lease(self) -> None:
        """A server's consent tells the address and for how long, its refusal that there is none."""
        self.assertEqual(leaseIn(reply(), MAC), ("10.9.9.9", 60))
        self.assertEqual(leaseIn(reply(), MAC, ["1.2.3.4"]), ("10.9.9.9", 60))
        self.assertIsNone(leaseIn(reply(), MAC, ["1.2.3.5"]))
        self.assertIsNone(leaseIn(reply(), bytes(6)))
        self.assertEqual(leaseIn(reply(6), MAC), ("", 0))
        self.assertIsNone(leaseIn(reply(2), MAC))
        self.assertEqual(leaseIn(reply(options=b"\x35\x01\x05"), MAC), ("10.9.9.9", 0xFFFFFFFF))

    def test_kept(self) -> None:
        """What a server has given is known to a daemon that is started again, until it ends or is taken back."""
        path, clock = self.mktemp(), Clock()
        clock.advance(1000)
        told: list[tuple[str, ...]] = []
        learner = Learner(clock, "v0", "52:54:00:7b:35:93", "dhcp", (), told.append)
        learner._mac = MAC
        learner._seen(reply())
        self.assertEqual(told, [("10.9.9.9",)])
        Learnt(path, clock.seconds).note("one-mac", learner.lease)
        Learnt(path, clock.seconds).note("two-mac", LearntLease(FOREVER, "10.9.9.8", "1.2.3.4"))
        again = Learnt(path, clock.seconds)
        self.assertEqual(again.of("one-mac"), LearntLease(1060, "10.9.9.9", "1.2.3.4"))
        other = Learner(clock, "v0", "52:54:00:7b:35:93", "dhcp", (), told.append)
        lease = again.of("one-mac")
        assert lease is not None
        other.resume(lease)
        clock.advance(60)
        self.assertEqual(told, [("10.9.9.9",), (), ()])
        self.assertIsNone(other.lease)
        self.assertIsNone(again.of("one-mac"))
        again.note("two-mac", None)
        with open(path) as file:
            self.assertEqual(file.read(), "")
        self.assertIsNone(Learnt(path, clock.seconds).of("two-mac"))

    @given(st.binary(max_size=80))
    def test_hostileFile(self, tail: bytes) -> None:
        """Lines that make no sense are left out."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(
                b"99 a 1.2.3.4 1.2.3.5\n-1 a 1.2.3.4 1.2.3.5\n9 a b c\n" + b"9" * 5000 + b" b x y\n"
                b"99 c 1.2.3.4\n" + tail
            )
        found = Learnt(path, lambda: 5.0)
        self.assertEqual(found.of("a"), LearntLease(99, "1.2.3.4", "1.2.3.5"))
        self.assertIsNone(found.of("b"))

    @given(st.integers(0, 330), st.binary(max_size=40))
    def test_hostile(self, cut: int, tail: bytes) -> None:
        """Packets that are cut off, or end in nonsense, hurt nothing."""
        for frame in (reply()[:cut] + tail, tail):
            leaseIn(frame, MAC)
            senderIn(frame, MAC)
