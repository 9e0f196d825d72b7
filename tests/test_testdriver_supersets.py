"""
The test driver on its own: secrets, filters, consoles, and what is in volumes.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pyvirt import constants as c
from pyvirt.drivers.interfaces.consoles import IDomainConsoles
from pyvirt.drivers.interfaces.events import Event, ISecretEvents
from pyvirt.drivers.interfaces.nwfilters import INWFilters
from pyvirt.drivers.interfaces.secrets import ISecrets
from pyvirt.drivers.interfaces.storage import IStorage
from pyvirt.drivers.interfaces.streams import IPacedSink
from pyvirt.drivers.test.guestscript import Guest
from pyvirt.drivers.test.volumedata import VolumeData, VolumeWriter
from pyvirt.errors import ErrorCode, VirtError

from .test_testdriver_tuning import DriverCase


@implementer(IPacedSink)
class Sink:
    """Keeps what it is given; a hole is a number."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.ended = False
        self.source: Any = None

    def attach(self, source: Any) -> None:
        self.source = source

    def write(self, data: bytes) -> None:
        if self.got and isinstance(self.got[-1], bytes):
            self.got[-1] += data
        else:
            self.got.append(data)

    def writeHole(self, length: int) -> None:
        self.got.append(length)

    def finish(self) -> None:
        self.ended = True

    def abort(self, error: VirtError) -> None:
        raise error


class SecretTests(DriverCase):
    """Secrets."""

    def setUp(self) -> None:
        super().setUp()
        self.secrets = self.part(ISecrets)
        self.heard: list[tuple[Any, ...]] = []
        for number in (0, 1):
            self.part(ISecretEvents).secretEventSubscribe(number, None, self.hear)

    def hear(self, event: Event) -> None:
        self.heard.append((event.id, *event.details))

    def test_life(self) -> None:
        """
        A secret is defined, gets a value, is found by its use, and is forgotten; each is told.
        """
        usage = "<usage type='ceph'><name>client</name></usage>"
        ref = self.secrets.secretDefineXML(f"<secret>{usage}</secret>", 0)
        self.secrets.secretSetValue(ref, b"\0word", 0)
        self.assertEqual(self.secrets.secretGetValue(ref, 0), b"\0word")
        found = self.secrets.secretLookupByUsage(c.VIR_SECRET_USAGE_TYPE_CEPH, "client")
        self.assertEqual(found, ref)
        self.assertNotIn("word", self.secrets.secretGetXMLDesc(ref, 0))
        error = self.assertRaises(
            VirtError, self.secrets.secretDefineXML, f"<secret>{usage}</secret>", 0
        )
        self.assertIn("already defined for use with client", error.message or "")
        self.secrets.secretUndefine(ref)
        self.assertEqual(self.heard, [(0, 0, 0), (1,), (0, 1, 0)])
        error = self.assertRaises(VirtError, self.secrets.secretGetValue, ref, 0)
        self.assertEqual(error.code, ErrorCode.NO_SECRET)

    def test_private(self) -> None:
        """
        A private value is told to nobody, and does not become public by another definition.
        """
        xml = "<secret private='{}'><uuid>00112233-4455-6677-8899-aabbccddeeff</uuid></secret>"
        ref = self.secrets.secretDefineXML(xml.format("yes"), 0)
        self.secrets.secretSetValue(ref, b"word", 0)
        for call in (
            lambda: self.secrets.secretGetValue(ref, 0),
            lambda: self.secrets.secretDefineXML(xml.format("no"), 0),
        ):
            error = self.assertRaises(VirtError, call)
            self.assertNotIn("word", str(error))
        private = c.VIR_CONNECT_LIST_SECRETS_PRIVATE
        self.assertEqual(self.secrets.connectListAllSecrets(private), [ref])
        self.assertEqual(
            self.secrets.connectListAllSecrets(c.VIR_CONNECT_LIST_SECRETS_NO_PRIVATE), []
        )


class FilterTests(DriverCase):
    """Network filters."""

    def test_bindings(self) -> None:
        """
        A filter that something is bound to stays; loops and filters that are missing are refused.
        """
        filters = self.part(INWFilters)
        one = filters.nwfilterDefineXMLFlags("<filter name='one'/>", 0)
        filters.nwfilterDefineXMLFlags("<filter name='two'><filterref filter='one'/></filter>", 0)
        xml = (
            "<filterbinding><owner><name>web</name><uuid>00112233-4455-6677-8899-aabbccddeeff"
            "</uuid></owner><portdev name='tap0'/><mac address='52:54:00:00:00:01'/>"
            "<filterref filter='{}'/></filterbinding>"
        )
        self.assertRaises(VirtError, filters.nwfilterBindingCreateXML, xml.format("none"), 0)
        loop = (
            f"<filter name='one'><uuid>{_text(one.uuid)}</uuid><filterref filter='two'/></filter>"
        )
        self.assertRaises(VirtError, filters.nwfilterDefineXMLFlags, loop, 0)
        binding = filters.nwfilterBindingCreateXML(xml.format("two"), 0)
        self.assertEqual(filters.connectListAllNWFilterBindings(0), [binding])
        self.assertRaises(VirtError, filters.nwfilterBindingCreateXML, xml.format("two"), 0)
        self.assertRaises(VirtError, filters.nwfilterUndefine, one)
        filters.nwfilterBindingDelete(binding)
        filters.nwfilterUndefine(one)
        self.assertEqual(len(filters.connectListAllNWFilters(0)), 1)


def _text(uuid: bytes) -> str:
    from pyvirt.definitions.uuids import formatUUID

    return formatUUID(uuid)


class ConsoleTests(DriverCase):
    """Consoles and channels."""

    def setUp(self) -> None:
        super().setUp()
        xml = (
            "<domain type='test'><name>talker</name><memory>1024</memory><os><type>hvm</type></os>"
            "<devices><serial type='pty'/><console type='pty'/><channel type='unix'>"
            "<target type='virtio' name='org.example'/></channel></devices></domain>"
        )
        self.dom = self.lifecycle.domainCreateXML(xml, 0, [])
        self.consoles = self.part(IDomainConsoles)

    def test_session(self) -> None:
        """
        Somebody logs in, says something, and turns the guest off, which ends the line.
        """
        sink = Sink()
        line = self.consoles.domainOpenConsole(self.dom, None, 0)
        line.start(sink)
        line.write(b"me\recho hello\r")
        self.assertTrue(sink.got[0].endswith(b"echo hello\r\nhello\r\nme@talkerhost:~$ "))
        line.write(b"poweroff\r")
        self.assertFalse(sink.ended)
        self.connection.world.clock.advance(0)
        self.assertTrue(sink.ended)
        self.assertEqual(self.connection.world.domains.named("talker"), None)

    def test_onlyOne(self) -> None:
        """
        A console is taken from who has it only by force, and then he is told.
        """
        first, second = Sink(), Sink()
        self.consoles.domainOpenConsole(self.dom, None, 0).start(first)
        for name in (None, "serial0"):
            self.assertRaises(VirtError, self.consoles.domainOpenConsole, self.dom, name, 0)
        force = c.VIR_DOMAIN_CONSOLE_FORCE
        line = self.consoles.domainOpenConsole(self.dom, "serial0", force)
        line.start(second)
        self.assertTrue(first.ended)
        line.finish()
        self.consoles.domainOpenConsole(self.dom, None, 0).abort(VirtError("gone"))
        self.assertRaises(VirtError, self.consoles.domainOpenConsole, self.dom, "none", 0)

    def test_paced(self) -> None:
        """
        A channel says nothing while its client is paused, and everything after.
        """
        sink = Sink()
        line = self.consoles.domainOpenChannel(self.dom, "org.example", 0)
        line.start(sink)
        line.write(b"one ")
        sink.source.pauseProducing()
        line.write(b"two ")
        self.assertEqual(sink.got, [b"one "])
        sink.source.resumeProducing()
        self.assertEqual(sink.got, [b"one two "])
        line.stopProducing()
        self.assertRaises(VirtError, self.consoles.domainOpenChannel, self.dom, "other", 0)

    def test_longLine(self) -> None:
        """
        A line that never ends is cut, not kept.
        """
        guest = Guest("g")
        self.assertLess(len(guest.typed(b"x" * 100000)), 5000)


class VolumeTests(DriverCase):
    """What is in volumes."""

    def setUp(self) -> None:
        super().setUp()
        self.storage = self.part(IStorage)
        (self.pool,) = self.storage.connectListAllStoragePools(0)
        xml = (
            "<volume><name>{}</name><allocation>0</allocation><capacity>1048576</capacity></volume>"
        )
        self.xml_ = xml
        self.vol = self.storage.storageVolCreateXML(self.pool, xml.format("v"), 0)

    def read(self, vol: Any, offset: int, length: int, sparse: bool = False) -> list[Any]:
        sink = Sink()
        self.storage.storageVolDownload(vol, offset, length, int(sparse)).start(sink)
        self.assertTrue(sink.ended)
        return sink.got

    def test_kept(self) -> None:
        """
        What is uploaded is downloaded, holes as holes or as zeros, and goes with a clone.
        """
        writer = self.storage.storageVolUpload(self.vol, 100, 0, 1)
        writer.write(b"abc")
        writer.writeHole(200000)
        writer.write(b"def")
        writer.finish()
        self.assertEqual(self.read(self.vol, 100, 4), [b"abc\0"])
        whole = self.read(self.vol, 0, 0)
        self.assertEqual(whole, [bytes(100) + b"abc" + bytes(200000) + b"def" + bytes(848470)])
        sparse = self.read(self.vol, 0, 0, True)
        self.assertEqual(sum(x if isinstance(x, int) else len(x) for x in sparse), 1048576)
        self.assertGreater(len(sparse), 2)
        clone = self.storage.storageVolCreateXMLFrom(self.pool, self.xml_.format("w"), self.vol, 0)
        self.storage.storageVolWipePattern(self.vol, 0, 0)
        self.assertEqual(self.read(self.vol, 100, 4), [bytes(4)])
        self.assertEqual(self.read(clone, 200103, 3), [b"def"])

    def test_bounds(self) -> None:
        """
        Nothing is written or read behind the end, and what a smaller volume loses is gone.
        """
        storage = self.storage
        for offset in (1048577, 1 << 62):
            self.assertRaises(VirtError, storage.storageVolUpload, self.vol, offset, 0, 0)
            self.assertRaises(VirtError, storage.storageVolDownload, self.vol, offset, 0, 0)
        writer = storage.storageVolUpload(self.vol, 1048575, 0, 0)
        error = self.assertRaises(VirtError, writer.write, b"ab")
        self.assertEqual(error.code, ErrorCode.SYSTEM_ERROR)
        self.assertRaises(VirtError, writer.writeHole, 1 << 60)
        storage.storageVolUpload(self.vol, 500, 0, 0).write(b"x" * 100)
        shrink = c.VIR_STORAGE_VOL_RESIZE_SHRINK
        self.assertRaises(VirtError, storage.storageVolResize, self.vol, 550, 0)
        storage.storageVolResize(self.vol, 550, shrink)
        storage.storageVolResize(self.vol, 1000, 0)
        self.assertEqual(self.read(self.vol, 500, 0), [b"x" * 50 + bytes(450)])


class VolumeDataTests(SynchronousTestCase):
    """Sparse bytes."""

    def test_most(self) -> None:
        """
        A volume takes so much memory and no more; holes and zeros take none.
        """
        writer = VolumeWriter(VolumeData(), 0, 1 << 40, most=200000)
        writer.writeHole(1 << 39)
        for _ in range(10):
            writer.write(bytes(65536))
        for _ in range(2):
            writer.write(b"x" * 65536)
        self.assertRaises(VirtError, writer.write, b"x" * 100000)

    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 200000),
                st.one_of(st.binary(min_size=1, max_size=50), st.integers(1, 150000)),
            ),
            max_size=8,
        )
    )
    def test_likeBytes(self, steps: list[tuple[int, Any]]) -> None:
        """
        Writing and clearing are what they would be on plain bytes.
        """
        data, plain = VolumeData(), bytearray(400000)
        for offset, what in steps:
            if isinstance(what, int):
                data.clearRange(offset, what)
                plain[offset : offset + what] = bytes(what)
            else:
                data.write(offset, what)
                plain[offset : offset + len(what)] = what
        self.assertEqual(data.read(0, 400000), bytes(plain))
        found = b"".join(
            data.read(at, length) if filled else bytes(length)
            for at, length, filled in data.extents(3, 399000)
        )
        self.assertEqual(found, bytes(plain[3:399003]))
