"""
What storage pools, their volumes and the volumes' contents must do.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pyvirt import constants as c
from pyvirt.drivers.interfaces.events import Event, IStoragePoolEvents
from pyvirt.drivers.interfaces.storage import IStorage
from pyvirt.drivers.interfaces.values import StoragePoolRef, StorageVolRef
from pyvirt.errors import ErrorCode, VirtError
from pyvirt.testing.suites._streams import Collected
from pyvirt.testing.suites._suite import NOBODY, UNKNOWN_FLAG, Suite

__all__ = ["StorageContract", "VolumeDataContract", "VolumesContract"]

_MIB = 1 << 20


class _Storage(Suite):
    """What the suites about storage have in common."""

    contract = IStorage

    def poolXML(self, name: str) -> str:
        """Return the definition of a pool."""
        raise NotImplementedError("a suite about storage needs poolXML")

    def volumeXML(self, name: str) -> str:
        """Return the definition of a volume of 1 MiB."""
        return f"<volume><name>{name}</name><capacity>1048576</capacity></volume>"

    def define(self, name: str = "suite-pool") -> StoragePoolRef:
        """Define a pool that is gone after the test."""
        ref: StoragePoolRef = self.ask("storagePoolDefineXML", self.poolXML(name), 0)
        self.addCleanup(self._remove, ref)
        return ref

    def _remove(self, ref: StoragePoolRef) -> None:
        self.tries(("storagePoolDestroy", ref), ("storagePoolUndefine", ref))

    def started(self, name: str = "suite-pool") -> StoragePoolRef:
        """Define and start a pool."""
        ref = self.define(name)
        self.ask("storagePoolCreate", ref, 0)
        return ref

    def volume(self, pool: StoragePoolRef, name: str = "suite-vol") -> StorageVolRef:
        """Make a volume that is gone after the test."""
        ref: StorageVolRef = self.ask("storageVolCreateXML", pool, self.volumeXML(name), 0)
        self.addCleanup(self.tries, ("storageVolDelete", ref, 0))
        return ref


class StorageContract(_Storage):
    """Pools and volumes: L{IStorage}, and L{IStoragePoolEvents} where there are any."""

    required = (
        "connectListAllStoragePools",
        "storagePoolCreate",
        "storagePoolDefineXML",
        "storagePoolDestroy",
        "storagePoolListAllVolumes",
        "storagePoolLookupByName",
        "storagePoolUndefine",
        "storageVolCreateXML",
        "storageVolDelete",
        "storageVolLookupByName",
    )

    def test_pools(self) -> None:
        """A pool is defined, started, stopped and undefined."""
        ref = self.define()
        self.assertEqual(self.ask("storagePoolLookupByName", "suite-pool"), ref)
        if self.has("storagePoolLookupByUUID"):
            self.assertEqual(self.ask("storagePoolLookupByUUID", ref.uuid), ref)
        self.refuses(ErrorCode.OPERATION_INVALID, "storagePoolDestroy", ref)
        self.ask("storagePoolCreate", ref, 0)
        self.refuses(ErrorCode.OPERATION_INVALID, "storagePoolCreate", ref, 0)
        self.refuses(ErrorCode.OPERATION_INVALID, "storagePoolUndefine", ref)
        self.ask("storagePoolDestroy", ref)
        self.assertIn(ref, self.ask("connectListAllStoragePools", 0))
        self.ask("storagePoolUndefine", ref)
        self.refuses(ErrorCode.NO_STORAGE_POOL, "storagePoolLookupByName", "suite-pool")
        self.assertNotIn(ref, self.ask("connectListAllStoragePools", 0))

    def test_state(self) -> None:
        """What is told of a pool agrees with its state."""
        ref = self.define()
        for active in (False, True, False):
            if self.has("storagePoolIsActive"):
                self.assertEqual(bool(self.ask("storagePoolIsActive", ref)), active)
            if self.has("storagePoolGetInfo"):
                info = self.ask("storagePoolGetInfo", ref)
                running = info.state == c.VIR_STORAGE_POOL_RUNNING
                self.assertEqual(running, active)
                if active:
                    self.assertGreater(info.capacity, 0)
            wanted = (
                c.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE,
                c.VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE,
            )[:: 1 if active else -1]
            self.assertIn(ref, self.ask("connectListAllStoragePools", wanted[0]))
            self.assertNotIn(ref, self.ask("connectListAllStoragePools", wanted[1]))
            if not active:
                self.refuses(ErrorCode.OPERATION_INVALID, "storagePoolRefresh", ref, 0)
                self.tries(("storagePoolCreate", ref, 0))
            else:
                self.tries(("storagePoolDestroy", ref))
        if self.has("storagePoolIsPersistent"):
            self.assertTrue(self.ask("storagePoolIsPersistent", ref))

    def test_roundTrip(self) -> None:
        """What a pool is described by defines it again, and nothing changes."""
        if self.has("storagePoolGetXMLDesc"):
            ref = self.define()
            xml = self.ask("storagePoolGetXMLDesc", ref, 0)
            self.assertIn("<name>suite-pool</name>", xml)
            self.assertIn(str(UUID(bytes=ref.uuid)), xml)
            self.assertEqual(self.ask("storagePoolDefineXML", xml, 0), ref)
            told = self.ask("storagePoolGetXMLDesc", ref, 0)
            self.assertEqual(told, xml)

    def test_transient(self) -> None:
        """A pool that was created without being defined is gone when it stops."""
        if self.has("storagePoolCreateXML"):
            self.define()
            xml = self.poolXML("suite-pool")
            self.ask("storagePoolUndefine", self.ask("storagePoolLookupByName", "suite-pool"))
            ref = self.ask("storagePoolCreateXML", xml, 0)
            self.addCleanup(self._remove, ref)
            if self.has("storagePoolIsPersistent"):
                self.assertFalse(self.ask("storagePoolIsPersistent", ref))
            self.refuses(None, "storagePoolSetAutostart", ref, True)
            self.ask("storagePoolDestroy", ref)
            self.refuses(ErrorCode.NO_STORAGE_POOL, "storagePoolLookupByName", "suite-pool")

    def test_autostart(self) -> None:
        """Whether a pool starts with the host is remembered."""
        if self.has("storagePoolSetAutostart", "storagePoolGetAutostart"):
            ref = self.define()
            self.assertFalse(self.ask("storagePoolGetAutostart", ref))
            self.ask("storagePoolSetAutostart", ref, True)
            self.assertTrue(self.ask("storagePoolGetAutostart", ref))

    def test_badXML(self) -> None:
        """What is no definition is refused, and defines nothing."""
        before = len(self.ask("connectListAllStoragePools", 0))
        for xml in ("", "<", "<pool/>", "<pool type='unheard'><name>n</name></pool>", "no xml"):
            self.refuses(None, "storagePoolDefineXML", xml, 0)
            self.refuses(None, "storagePoolCreateXML", xml, 0)
        self.refuses(None, "storagePoolDefineXML", self.poolXML("suite-two"), UNKNOWN_FLAG)
        self.assertEqual(len(self.ask("connectListAllStoragePools", 0)), before)

    def test_volumes(self) -> None:
        """A volume is made, found, measured and deleted; its name is taken meanwhile."""
        pool = self.define()
        self.refuses(None, "storageVolCreateXML", pool, self.volumeXML("suite-vol"), 0)
        self.ask("storagePoolCreate", pool, 0)
        ref = self.volume(pool)
        self.assertEqual((ref.pool, ref.name), ("suite-pool", "suite-vol"))
        self.assertEqual(self.ask("storageVolLookupByName", pool, "suite-vol"), ref)
        self.assertEqual(self.ask("storagePoolListAllVolumes", pool, 0), [ref])
        if self.has("storageVolGetInfo"):
            self.assertEqual(self.ask("storageVolGetInfo", ref).capacity, _MIB)
        self.refuses(None, "storageVolCreateXML", pool, self.volumeXML("suite-vol"), 0)
        self.ask("storageVolDelete", ref, 0)
        self.refuses(ErrorCode.NO_STORAGE_VOL, "storageVolLookupByName", pool, "suite-vol")
        self.refuses(ErrorCode.NO_STORAGE_VOL, "storageVolDelete", ref, 0)
        self.assertEqual(self.ask("storagePoolListAllVolumes", pool, 0), [])

    def test_nobody(self) -> None:
        """A pool or volume that is not there is refused as such."""
        nobody = StoragePoolRef("nobody", NOBODY)
        for name, *arguments in (
            ("storagePoolCreate", 0),
            ("storagePoolDestroy",),
            ("storagePoolGetAutostart",),
            ("storagePoolGetInfo",),
            ("storagePoolGetXMLDesc", 0),
            ("storagePoolIsActive",),
            ("storagePoolIsPersistent",),
            ("storagePoolListAllVolumes", 0),
            ("storagePoolRefresh", 0),
            ("storagePoolUndefine",),
            ("storageVolCreateXML", self.volumeXML("suite-vol"), 0),
        ):
            self.refuses(ErrorCode.NO_STORAGE_POOL, name, nobody, *arguments)
        self.refuses(ErrorCode.NO_STORAGE_POOL, "storagePoolLookupByName", "nobody")
        self.refuses(ErrorCode.NO_STORAGE_POOL, "storagePoolLookupByUUID", NOBODY)
        self.started()
        gone = StorageVolRef("suite-pool", "nobody", "/nobody")
        for name, *arguments in (
            ("storageVolDelete", 0),
            ("storageVolGetInfo",),
            ("storageVolGetPath",),
            ("storageVolGetXMLDesc", 0),
            ("storageVolResize", _MIB, 0),
            ("storageVolWipePattern", 0, 0),
        ):
            self.refuses(ErrorCode.NO_STORAGE_VOL, name, gone, *arguments)

    def lives(self, eventID: int = c.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE) -> list[Event] | None:
        """Subscribe to events of pools."""
        return self.hear(IStoragePoolEvents, "storagePoolEventSubscribe", eventID)

    def test_events(self) -> None:
        """What becomes of a pool is told, in its order."""
        heard = self.lives()
        refreshed = self.lives(c.VIR_STORAGE_POOL_EVENT_ID_REFRESH)
        if heard is None or refreshed is None:
            return
        ref = self.define()
        self.ask("storagePoolCreate", ref, 0)
        if self.has("storagePoolRefresh"):
            count = len(refreshed)
            self.ask("storagePoolRefresh", ref, 0)
            self.assertEqual([each.ref for each in refreshed[count:]], [ref])
        self.ask("storagePoolDestroy", ref)
        self.ask("storagePoolUndefine", ref)
        order = [
            c.VIR_STORAGE_POOL_EVENT_DEFINED,
            c.VIR_STORAGE_POOL_EVENT_STARTED,
            c.VIR_STORAGE_POOL_EVENT_STOPPED,
            c.VIR_STORAGE_POOL_EVENT_UNDEFINED,
        ]
        self.assertOrder([each.details[0] for each in heard if each.ref == ref], order)


class VolumesContract(_Storage):
    """What else is done with volumes, part of L{IStorage}."""

    required = (
        "storageVolGetInfo",
        "storageVolGetPath",
        "storageVolGetXMLDesc",
        "storageVolLookupByKey",
        "storageVolLookupByPath",
    )

    def test_lookups(self) -> None:
        """A volume is found by its key and path, and its pool by the volume."""
        pool = self.started()
        ref = self.volume(pool)
        path = self.ask("storageVolGetPath", ref)
        self.assertEqual(self.ask("storageVolLookupByPath", path), ref)
        self.assertEqual(self.ask("storageVolLookupByKey", ref.key), ref)
        if self.has("storagePoolLookupByVolume"):
            self.assertEqual(self.ask("storagePoolLookupByVolume", ref), pool)
        xml = self.ask("storageVolGetXMLDesc", ref, 0)
        for part in ("<name>suite-vol</name>", f"<key>{ref.key}</key>", path):
            self.assertIn(part, xml)
        self.ask("storageVolDelete", ref, 0)
        self.refuses(ErrorCode.NO_STORAGE_VOL, "storageVolLookupByPath", path)
        self.refuses(ErrorCode.NO_STORAGE_VOL, "storageVolLookupByKey", ref.key)

    def test_resize(self) -> None:
        """A volume is as large as it was made; it shrinks only where that is asked for."""
        if self.has("storageVolResize"):
            ref = self.volume(self.started())
            self.ask("storageVolResize", ref, 2 * _MIB, 0)
            self.assertEqual(self.ask("storageVolGetInfo", ref).capacity, 2 * _MIB)
            self.refuses(None, "storageVolResize", ref, _MIB, 0)
            self.assertEqual(self.ask("storageVolGetInfo", ref).capacity, 2 * _MIB)
            self.refuses(None, "storageVolResize", ref, 3 * _MIB, UNKNOWN_FLAG)

    def test_clone(self) -> None:
        """A volume made after another is one of its own."""
        if self.has("storageVolCreateXMLFrom"):
            pool = self.started()
            ref = self.volume(pool)
            xml = self.volumeXML("suite-copy")
            copy = self.ask("storageVolCreateXMLFrom", pool, xml, ref, 0)
            self.addCleanup(self.tries, ("storageVolDelete", copy, 0))
            self.assertNotEqual(copy.key, ref.key)
            self.assertEqual(self.ask("storageVolGetInfo", copy).capacity, _MIB)
            self.ask("storageVolDelete", ref, 0)
            self.assertEqual(self.ask("storageVolLookupByName", pool, "suite-copy"), copy)
            gone = StorageVolRef("suite-pool", "nobody", "/nobody")
            more = self.volumeXML("suite-third")
            self.refuses(ErrorCode.NO_STORAGE_VOL, "storageVolCreateXMLFrom", pool, more, gone, 0)

    def test_stopped(self) -> None:
        """While a pool does not run nothing is done with its volumes."""
        pool = self.started()
        ref = self.volume(pool)
        self.ask("storagePoolDestroy", pool)
        self.refuses(None, "storagePoolListAllVolumes", pool, 0)
        self.refuses(None, "storageVolLookupByName", pool, "suite-vol")
        self.refuses(None, "storageVolGetInfo", ref)
        self.refuses(None, "storageVolDelete", ref, 0)
        self.tries(("storagePoolCreate", pool, 0))

    def test_badXML(self) -> None:
        """What is no volume is refused, and makes nothing."""
        pool = self.started()
        for xml in ("", "<volume", "<volume/>", "<pool/>", "no xml"):
            self.refuses(None, "storageVolCreateXML", pool, xml, 0)
        xml = self.volumeXML("suite-vol")
        self.refuses(None, "storageVolCreateXML", pool, xml, UNKNOWN_FLAG)
        self.assertEqual(self.ask("storagePoolListAllVolumes", pool, 0), [])


class VolumeDataContract(_Storage):
    """The contents of volumes as streams, part of L{IStorage}."""

    required = ("storageVolDownload", "storageVolUpload")

    def upload(self, ref: StorageVolRef, data: bytes, offset: int = 0) -> None:
        """Write into a volume."""
        sink = self.ask("storageVolUpload", ref, offset, len(data), 0)
        collected = Collected()
        if hasattr(sink, "attach"):
            sink.attach(collected)
        for start in range(0, len(data), 65536):
            self.happens(lambda: not collected.paused, "the volume takes data")
            sink.write(data[start : start + 65536])
        self.wait(sink.finish())

    def download(self, ref: StorageVolRef, offset: int, length: int, flags: int = 0) -> Collected:
        """Read from a volume."""
        source = self.ask("storageVolDownload", ref, offset, length, flags)
        collected = Collected()
        source.start(collected)
        self.happens(lambda: collected.ended, "the volume's data ends")
        return collected

    def test_data(self) -> None:
        """What was written is read again, from where it was written; the rest is zeroes."""
        ref = self.volume(self.started())
        data = bytes(range(256)) * 1024
        self.upload(ref, data, 4096)
        told = self.download(ref, 0, 4096 + len(data) + 512)
        self.assertIsNone(told.error)
        self.assertTrue(told.data == bytes(4096) + data + bytes(512), "other data came back")
        self.assertTrue(self.download(ref, 4096, 512).data == data[:512])

    def test_wipe(self) -> None:
        """What was wiped reads as zeroes."""
        if self.has("storageVolWipePattern"):
            ref = self.volume(self.started())
            self.upload(ref, b"secret" * 100)
            self.ask("storageVolWipePattern", ref, c.VIR_STORAGE_VOL_WIPE_ALG_ZERO, 0)
            self.assertEqual(self.download(ref, 0, 600).data.strip(b"\0"), b"")

    def test_pace(self) -> None:
        """Nothing comes while the reader pauses, and nothing is lost."""
        ref = self.volume(self.started())
        data = bytes(range(256)) * 2048
        self.upload(ref, data)
        source = self.ask("storageVolDownload", ref, 0, len(data), 0)
        collected = Collected(source)
        source.start(collected)
        self.happens(lambda: collected.ended, "the volume's data ends though its reader pauses")
        self.assertTrue(collected.data == data, "other data came back")
        self.assertEqual(collected.unasked, 0)

    def test_abandoned(self) -> None:
        """A reader or writer that gives up leaves the volume as usable as it was."""
        ref = self.volume(self.started())
        source: Any = self.ask("storageVolDownload", ref, 0, 0, 0)
        source.stopProducing()
        sink = self.ask("storageVolUpload", ref, 0, 4096, 0)
        sink.abort(VirtError("the client is gone"))
        self.upload(ref, b"again")
        self.assertEqual(self.download(ref, 0, 5).data, b"again")

    def test_refused(self) -> None:
        """What is not there has no contents, and unknown flags are refused."""
        pool = self.started()
        gone = StorageVolRef("suite-pool", "nobody", "/nobody")
        ref = self.volume(pool)
        for name in ("storageVolDownload", "storageVolUpload"):
            self.refuses(ErrorCode.NO_STORAGE_VOL, name, gone, 0, 0, 0)
            self.refuses(None, name, ref, 0, 0, UNKNOWN_FLAG)
