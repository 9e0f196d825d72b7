"""
Tests for L{pyvirt.drivers.host.storage}: pools in folders of the tests' own, images made by the real C{qemu-img}.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, TestCase
from zope.interface import implementer

from pyvirt import constants as c
from pyvirt.drivers.host.host import Host
from pyvirt.drivers.host.storage.volumes import Storage
from pyvirt.drivers.interfaces.events import EventKind
from pyvirt.drivers.interfaces.inside import ISecretValues
from pyvirt.drivers.interfaces.secrets import ISecrets
from pyvirt.drivers.interfaces.storage import IStorage
from pyvirt.drivers.interfaces.streams import IStreamSink
from pyvirt.drivers.interfaces.values import StoragePoolRef, StorageVolRef
from pyvirt.errors import VirtError
from pyvirt.process import Processes
from tests.host.support import makeHost

_SECRET = "11111111-2222-3333-4444-555555555551"


@implementer(IStreamSink)
class Collector:
    """Takes what a volume is read into."""

    def __init__(self) -> None:
        self.said: list[bytes | int] = []
        self.done: Deferred[None] = Deferred()

    def write(self, data: bytes) -> None:
        self.said.append(data)

    def writeHole(self, length: int) -> None:
        self.said.append(length)

    def finish(self) -> None:
        self.done.callback(None)

    def abort(self, error: VirtError) -> None:
        self.done.errback(error)


class StorageTests(TestCase):
    """One pool, C{p}, in a folder."""

    timeout = 300

    def setUp(self) -> Deferred[None]:
        self.root = os.path.abspath(self.mktemp())
        self.path = os.path.join(self.root, "pool")
        os.makedirs(self.path)
        self.told: list[tuple[int, tuple[int, ...]]] = []
        return ensureDeferred(self.begin())

    async def begin(self) -> None:
        """Be a daemon that starts."""
        self.host: Host = makeHost(self.root, Processes(reactor), reactor)
        storage: Any = self.host.component(IStorage)
        self.storage: Storage = storage
        for kind in (0, 1):
            self.host.hub.subscribe(
                EventKind.STORAGE_POOL, kind, None, lambda event: self.told.append(event[1::2])
            )
        await self.storage.load()

    async def pool(self) -> StoragePoolRef:
        """Define and start the pool."""
        xml = f"<pool type='dir'><name>p</name><target><path>{self.path}</path></target></pool>"
        ref = self.storage.storagePoolDefineXML(xml, 0)
        await self.storage.storagePoolCreate(ref, 0)
        return ref

    async def volume(self, ref: StoragePoolRef, inner: str, name: str = "v") -> StorageVolRef:
        """Make a volume."""
        xml = f"<volume><name>{name}</name>{inner}</volume>"
        return await self.storage.storageVolCreateXML(ref, xml, 0)

    async def refused(self, work: Any, *words: str) -> None:
        """Something is refused, and the error has these words."""
        try:
            result = work()
            if hasattr(result, "__await__"):
                await result
        except VirtError as error:
            for word in words:
                self.assertIn(word, str(error))
        else:
            self.fail("it is not refused")

    async def test_again(self) -> None:
        """
        A restarted daemon finds a pool active whose folder is there, with its volumes, as libvirtd does; one whose folder
        is not there stays inactive, even one that is to start with the host.
        """
        ref = await self.pool()
        await self.volume(ref, "<capacity>1000</capacity>")
        self.storage.storagePoolSetAutostart(ref, True)
        await self.begin()
        self.assertTrue(self.storage.storagePoolIsActive(ref))
        self.assertEqual(len(self.storage.storagePoolListAllVolumes(ref, 0)), 1)
        await self.storage.storagePoolDestroy(ref)
        path = self.storage.find(ref.name).path
        os.rename(path, f"{path}.away")
        await self.begin()
        self.assertFalse(self.storage.storagePoolIsActive(ref))
        os.rename(f"{path}.away", path)
        await self.begin()
        self.assertTrue(self.storage.storagePoolIsActive(ref))
        self.assertEqual(len(self.storage.storagePoolListAllVolumes(ref, 0)), 1)
        os.unlink(os.path.join(self.host.layout.storageState, "autostarted"))
        await self.begin()
        self.assertTrue(self.storage.storagePoolIsActive(ref))

    async def test_damaged(self) -> None:
        """
        Files that make no sense are left alone, and those who claim to be of others.
        """
        ref = await self.pool()
        for folder in (self.host.layout.storage, self.host.layout.storageState):
            for name, text in (("a", "<pool"), ("b", "<poolstate/>"), ("c", "")):
                with open(os.path.join(folder, f"{name}.xml"), "w") as file:
                    file.write(text)
        shutil.copy(
            os.path.join(self.host.layout.storage, "p.xml"),
            os.path.join(self.host.layout.storage, "q.xml"),
        )
        await self.begin()
        self.assertEqual(self.storage.connectListAllStoragePools(0), [ref])
        self.flushLoggedErrors()

    async def test_events(self) -> None:
        """
        Each step in the life of a pool is told once, in order; what is refused tells nothing.
        """
        ref = await self.pool()
        await self.refused(lambda: self.storage.storagePoolCreate(ref, 0), "already active")
        await self.storage.storagePoolRefresh(ref, 0)
        await self.storage.storagePoolDestroy(ref)
        await self.storage.storagePoolDelete(ref, 0)
        await self.storage.storagePoolBuild(ref, 0)
        self.storage.storagePoolUndefine(ref)
        lifecycle = [0, 2, None, 3, 5, 4, 1]
        expected = [(1, ()) if each is None else (0, (each, 0)) for each in lifecycle]
        self.assertEqual(self.told, expected)

    async def test_goneMeanwhile(self) -> None:
        """
        A pool whose folder is gone is active no more when it is refreshed, and that is told.
        """
        ref = await self.pool()
        shutil.rmtree(self.path)
        await self.refused(lambda: self.storage.storagePoolRefresh(ref, 0), "cannot open directory")
        self.assertFalse(self.storage.storagePoolIsActive(ref))
        self.assertEqual(self.told[-1], (0, (c.VIR_STORAGE_POOL_EVENT_STOPPED, 0)))

    async def test_names(self) -> None:
        """
        No volume gets out of its pool, or takes the place of what is there.
        """
        ref = await self.pool()
        with open(os.path.join(self.path, "there"), "w") as file:
            file.write("kept")
        os.symlink(os.path.join(self.root, "outside"), os.path.join(self.path, "link"))
        for name in ("../x", "/x", "a/b", ".", "..", "there", "link"):
            await self.refused(lambda n=name: self.volume(ref, "<capacity>1</capacity>", n))
        with open(os.path.join(self.path, "there")) as file:
            self.assertEqual(file.read(), "kept")
        self.assertEqual(sorted(os.listdir(self.path)), ["link", "there"])
        self.assertFalse(os.path.exists(os.path.join(self.root, "outside")))

    async def test_hugeVolume(self) -> None:
        """
        A volume larger than any file is refused, and nothing of it is left.
        """
        ref = await self.pool()
        inner = f"<capacity>{(1 << 63) - 1}</capacity><allocation>0</allocation>"
        await self.refused(lambda: self.volume(ref, inner))
        self.assertEqual(os.listdir(self.path), [])
        self.assertEqual(self.storage.storagePoolListAllVolumes(ref, 0), [])
        vol = await self.volume(ref, "<capacity>1000</capacity>")
        await self.refused(lambda: self.storage.storageVolResize(vol, 1 << 63, 0))
        info = await self.storage.storageVolGetInfo(vol)
        self.assertEqual(info.capacity, 1000)

    async def test_streams(self) -> None:
        """
        What is written is read again, holes as holes; no more is taken than was said, and the pool is refreshed.
        """
        ref = await self.pool()
        vol = await self.volume(ref, "<capacity unit='M'>4</capacity><allocation>0</allocation>")
        writer = self.storage.storageVolUpload(vol, 1 << 20, 0, 1)
        for _ in range(8):
            writer.write(b"x" * 65536)
        writer.writeHole(1 << 20)
        writer.write(b"end")
        await writer.finish()
        await self.host.idle()
        self.assertEqual(self.told[-1], (c.VIR_STORAGE_POOL_EVENT_ID_REFRESH, ()))
        for sparse in (0, 1):
            sink = Collector()
            self.storage.storageVolDownload(vol, 0, 0, sparse).start(sink)
            await sink.done
            data = b"".join(bytes(each) if isinstance(each, int) else each for each in sink.said)
            self.assertEqual(len(data), 4 << 20)
            self.assertEqual(data[1 << 20 : 3 << 19], b"x" * (1 << 19))
            self.assertEqual(data[5 << 19 :][:3], b"end")
            self.assertEqual(data.count(0), len(data) - (1 << 19) - 3)
            self.assertEqual(any(isinstance(each, int) for each in sink.said), bool(sparse))
        writer = self.storage.storageVolUpload(vol, 0, 10, 0)
        writer.write(b"0123456789")
        await self.refused(lambda: writer.write(b"!"), "No space left")
        while self.storage.find("p").volume("v").users:
            await deferLater(reactor, 0.01)
        await self.host.idle()
        await self.storage.storageVolDelete(vol, 0)
        self.assertEqual(os.listdir(self.path), [])

    async def test_streamsOff(self) -> None:
        """
        A stream that is given up lets go of its volume.
        """
        ref = await self.pool()
        vol = await self.volume(ref, "<capacity unit='M'>1</capacity>")
        self.storage.storageVolUpload(vol, 0, 0, 0).abort(VirtError("gone"))
        reader = self.storage.storageVolDownload(vol, 0, 0, 0)
        reader.stopProducing()
        await self.host.idle()
        await self.storage.storageVolDelete(vol, 0)

    async def test_encrypted(self) -> None:
        """
        Volumes are encrypted with a secret, whose value is on no command line, and are found to be encrypted.
        """
        if shutil.which("qemu-img") is None:
            raise SkipTest("qemu-img is not installed (qemu-utils)")
        ref = await self.pool()
        secrets: Any = self.host.component(ISecrets)
        self.assertIs(secrets, self.host.component(ISecretValues))
        secret = secrets.secretDefineXML(
            f"<secret private='yes'><uuid>{_SECRET}</uuid></secret>", 0
        )
        secrets.secretSetValue(secret, b"pass,phrase", 0)
        inner = (
            "<capacity unit='M'>1</capacity><target><format type='{}'/><encryption format='luks'>"
            f"<secret type='passphrase' uuid='{_SECRET}'/></encryption></target>"
        )
        for format in ("raw", "qcow2"):
            vol = await self.volume(ref, inner.format(format), format)
            info = await self.storage.storageVolGetInfo(vol)
            self.assertEqual(info.capacity, 1 << 20)
        raw = self.storage.storageVolLookupByName(ref, "raw")
        await self.storage.storageVolResize(raw, 2 << 20, 0)
        await self.storage.storagePoolRefresh(ref, 0)
        for name in ("raw", "qcow2"):
            vol = self.storage.storageVolLookupByName(ref, name)
            xml = await self.storage.storageVolGetXMLDesc(vol, 0)
            self.assertIn("<encryption format='luks'>", xml)
            self.assertIn(f"<format type='{name}'/>", xml)

    async def test_hostileImages(self) -> None:
        """
        Headers that are cut off or lie neither break a refresh nor are believed beyond what is shown.
        """
        ref = await self.pool()
        for name, data in (
            ("a", b"QFI\xfb"),
            ("b", b"QFI\xfb\0\0\0\3" + b"\xff" * 200),
            ("c", b"LUKS\xba\xbe\0\1" + b"\xff" * 200),
            ("d", b"QED\0" + b"\xff" * 100),
            ("e", b"KDMV" + b"\xff" * 30),
            ("f", b"conectix"),
            ("g", b""),
        ):
            with open(os.path.join(self.path, name), "wb") as file:
                file.write(data)
        os.mkfifo(os.path.join(self.path, "pipe"))
        with open(os.path.join(os.fsencode(self.path), b"\xff"), "w"):
            pass
        await self.storage.storagePoolRefresh(ref, 0)
        names = [each.name for each in self.storage.storagePoolListAllVolumes(ref, 0)]
        self.assertEqual(sorted(names), list("abcdefg"))
        for name in names:
            vol = self.storage.storageVolLookupByName(ref, name)
            self.assertIn("<volume", await self.storage.storageVolGetXMLDesc(vol, 0))
            info = await self.storage.storageVolGetInfo(vol)
            self.assertLess(info.capacity, 1 << 64)
