"""
Tests for L{pyvirt.drivers.host.sysfs}, L{pyvirt.drivers.host.interfaces} and L{pyvirt.drivers.host.nwfilters}: on
descriptions of hosts that tests write.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.nodedev import formatNodeDevice
from pyvirt.drivers.host.interfaces import HostInterfaces
from pyvirt.drivers.host.mediated import MediatedDevices
from pyvirt.drivers.host.nodedevices import NodeDevices
from pyvirt.drivers.host.nwfilters import NWFilters
from pyvirt.drivers.host.sysfs import Devices
from pyvirt.drivers.host.uevents import DeviceWatcher
from pyvirt.errors import VirtError
from pyvirt.process import Finished
from tests.host.support import makeHost


class Described(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())

    def write(self, path: str, **files: Any) -> str:
        """Describe a device."""
        place = os.path.join(self.root, path)
        os.makedirs(place, exist_ok=True)
        for name, value in files.items():
            mode = "wb" if isinstance(value, bytes) else "w"
            with open(os.path.join(place, name), mode) as file:
                file.write(value)
        return place

    def link(self, kind: str, place: str) -> None:
        """Put a device into a class."""
        folder = os.path.join(self.root, kind)
        os.makedirs(folder, exist_ok=True)
        os.symlink(place, os.path.join(folder, os.path.basename(place)))


class DeviceTests(Described):
    def scan(self) -> Any:
        return Devices(root=self.root, udev=os.path.join(self.root, "udev")).scan()

    def test_empty(self) -> None:
        """
        Where nothing is described there is a computer.
        """
        self.assertEqual(list(self.scan()), ["computer"])

    def test_tree(self) -> None:
        """
        A disk is found below the device that it is plugged into, with what udev knows of it.
        """
        config = bytearray(4096)
        config[6] = 0x10
        config[0x34] = 0x40
        config[0x40:0x54] = struct.pack("<BBHIIIHH", 0x10, 0, 0x10, 0, 0, 0x5000083, 0, 0x43)
        pci = self.write(
            "devices/0000:00:1f.2", vendor="0x8086\n", device="0x1\n", config=bytes(config)
        )
        self.link("bus/pci/devices", pci)
        disk = self.write(
            "devices/0000:00:1f.2/block/sda", size="2048\n", uevent="MAJOR=8\nMINOR=0\n"
        )
        os.symlink("block", os.path.join(disk, "subsystem"))
        self.write("devices/0000:00:1f.2/block/sda/queue", logical_block_size="512\n")
        self.write("udev", **{"b8:0": "S:disk/by-id/x\nE:ID_SERIAL=A-1\nE:ID_TYPE=disk\nE:junk\n"})
        self.link("class/block", disk)
        found = self.scan()
        self.assertEqual(list(found), ["computer", "pci_0000_00_1f_2", "block_sda_A_1"])
        self.assertEqual(found["block_sda_A_1"].parent, "pci_0000_00_1f_2")
        xml = formatNodeDevice(found["block_sda_A_1"])
        for words in ("<size>1048576</size>", "<drive_type>disk</drive_type>", "/dev/disk/by-id/x"):
            self.assertIn(words, xml)
        self.assertIn(
            "<link validity='cap' port='5' speed='8' width='8'/>",
            formatNodeDevice(found["pci_0000_00_1f_2"]),
        )

    def test_nonsense(self) -> None:
        """
        What makes no sense is left out, and does not stop the search; a list of capabilities may go in circles.
        """
        config = bytearray(64)
        config[6] = 0x10
        config[0x34] = 0x34
        for name, files in (
            ("devices/0000:00:01.0", {"vendor": "x", "device": ""}),
            ("devices/nonsense", {"vendor": "0x1", "device": "0x1"}),
            ("devices/0000:00:02.0", {"vendor": "0x1", "device": "0x2", "config": bytes(config)}),
            ("devices/0000:00:03.0", {"vendor": "0x1", "device": "0x2", "config": b""}),
        ):
            self.link("bus/pci/devices", self.write(name, **files))
        self.link("class/block", self.write("devices/vdb", size="many"))
        self.link("class/net", self.write("devices/eth9"))
        self.link("bus/usb/devices", self.write("devices/1-1", idVendor="z"))
        for kind, name in (
            ("scsi", "host"),
            ("scsi", "1:2"),
            ("mdev", "x"),
            ("css", "0.0"),
            ("ccw", "0.0.x"),
            ("ap", "cardx"),
        ):
            self.link(f"bus/{kind}/devices", self.write(f"devices/{kind}/{name}", online="1\n"))
        for data in (b"", b"\x82", b"\x82\1\0x\x90\3\0RV\1", b"\x90\0\0", b"\x82\1\0\xff"):
            place = self.write("devices/0000:00:02.0", vpd=data)
            self.assertNotIn("vpd", formatNodeDevice(self.scan()["pci_0000_00_02_0"]), place)
        names = ["computer", "pci_0000_00_02_0", "pci_0000_00_03_0", "block_vdb"]
        self.assertEqual(list(self.scan()), names)
        for device in self.scan().values():
            formatNodeDevice(device)


class _Mdevctl:
    """
    Stands for a C{mdevctl} that remembers one device, or none.

    @ivar slow: fires when it is to go on; None: it does at once.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.calls: list[tuple[str, ...]] = []
        self.slow: Deferred[None] | None = None

    async def run(self, command: Any) -> Finished:
        """Remember, forget or list."""
        verb, *rest = command.argv[1:]
        self.calls.append((verb, *rest))
        if self.slow is not None:
            await self.slow
        path = os.path.join(self.folder, "kept")
        if verb == "define":
            with open(path, "wb") as file:
                file.write(command.input)
        elif verb == "undefine":
            os.unlink(path)
        elif verb == "list" and os.path.exists(path):
            with open(path) as kept:
                listed = {"0000:00:02.0": [{_UUID: json.load(kept)}]}
            return Finished(0, json.dumps([listed]).encode(), b"")
        return Finished(1 if verb == "stop" else 0, b"", b"busy")


_UUID = "11111111-2222-3333-4444-555555555555"
_PART = f"""<device><parent>pci_0000_00_02_0</parent><capability type='mdev'><type id='t'/>
<uuid>{_UUID}</uuid></capability></device>"""


class MediatedTests(Described):
    def setUp(self) -> None:
        super().setUp()
        programs = os.path.abspath(self.mktemp())
        os.makedirs(programs)
        with open(os.path.join(programs, "mdevctl"), "w") as file:
            os.fchmod(file.fileno(), 0o755)
        self.patch(os, "environ", {**os.environ, "PATH": programs})

    def test_meanwhile(self) -> None:
        """
        Whoever asks while C{mdevctl} is asked hears of the same, also if who asked first has gone away.
        """
        folder = self.write("mdevctl.d", kept='{"mdev_type": "t"}')
        mdevctl = _Mdevctl(folder)
        host = makeHost(self.mktemp(), mdevctl)
        self.patch(host, "thread", lambda work, *arguments: succeed(work(*arguments)))
        mediated = MediatedDevices(host, folder)
        slow: Deferred[None] = Deferred()
        mdevctl.slow = slow
        first = Deferred.fromCoroutine(mediated.defined({}))
        mdevctl.slow = None
        second = Deferred.fromCoroutine(mediated.defined({}))
        self.assertEqual(len(self.successResultOf(second)), 1)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(len(self.successResultOf(Deferred.fromCoroutine(mediated.defined({})))), 1)

    def test_remembered(self) -> None:
        """
        A mediated device that is remembered is told of, listed as inactive, and forgotten.
        """
        self.link("bus/pci/devices", self.write("0000:00:02.0", vendor="0x1\n", device="0x2\n"))
        folder = self.write("mdevctl.d")
        mdevctl = _Mdevctl(folder)
        host = makeHost(self.mktemp(), mdevctl)
        self.patch(host, "thread", lambda work, *arguments: succeed(work(*arguments)))
        told = []
        self.patch(host, "tell", lambda kind, number, ref, name, *said: told.append((name, *said)))
        devices = NodeDevices(host, Devices(root=self.root), MediatedDevices(host, folder))
        devices._watcher = DeviceWatcher(host.clock, devices._changed)

        def ask(call: Any) -> Any:
            return self.successResultOf(Deferred.fromCoroutine(call))

        ask(devices._begin(_Unwatched()))
        name = ask(devices.nodeDeviceDefineXML(_PART, 0)).name
        self.assertEqual(name, "mdev_11111111_2222_3333_4444_555555555555_0000_00_02_0")
        self.assertFalse(ask(devices.nodeDeviceIsActive(name)))
        self.assertTrue(ask(devices.nodeDeviceIsPersistent(name)))
        self.assertEqual(
            [each.name for each in ask(devices.connectListAllNodeDevices(1 << 30))], [name]
        )
        refused = Deferred.fromCoroutine(devices.nodeDeviceDestroy(name))
        self.failureResultOf(refused, VirtError)
        ask(devices.nodeDeviceUndefine(name, 0))
        self.assertEqual(ask(devices.connectListAllNodeDevices(1 << 30)), [])
        self.assertEqual(told, [(name, 2, 0), (name, 3, 0)])


class _Unwatched:
    """Stands for what the kernel tells: nothing."""

    def start(self) -> None:
        """Begin."""


class InterfaceTests(Described):
    def test_kinds(self) -> None:
        """
        A bridge is described with what is plugged into it, which is not listed by itself.
        """
        self.write("br0", address="52:54:00:00:00:01\n", operstate="up\n", mtu="1500\n")
        self.write("br0/bridge", stp_state="1\n", forward_delay="1500\n")
        self.write("br0/brif/eth0")
        self.write("eth0", address="52:54:00:00:00:02\n", operstate="up\n", speed="1000\n")
        self.write("eth0/brport")
        self.write("odd", mtu="x", speed="-1")
        interfaces = HostInterfaces(makeHost(self.mktemp()), self.root)
        self.assertEqual(
            [each.name for each in interfaces.connectListAllInterfaces(0)], ["br0", "odd"]
        )
        xml = interfaces.interfaceGetXMLDesc(interfaces.interfaceLookupByName("br0"), 0)
        self.assertIn("<bridge stp='on' delay='1500'>", xml)
        self.assertIn("<link speed='1000' state='up'/>", xml)
        for name in ("../br0", "", ".", "nope"):
            self.assertRaises(VirtError, interfaces.interfaceLookupByName, name)


class FilterTests(SynchronousTestCase):
    def test_kept(self) -> None:
        """
        Filters are found again; those of the distribution, without a UUID, get one for good.
        """
        root = self.mktemp()
        filters = NWFilters(makeHost(root))
        self.successResultOf(Deferred.fromCoroutine(filters.load()))
        folder = makeHost(root).layout.filters
        with open(os.path.join(folder, "given.xml"), "w") as file:
            file.write("<filter name='given'/>")
        with open(os.path.join(folder, "bad.xml"), "w") as file:
            file.write("<filter")

        def define(xml: str) -> Deferred[Any]:
            return Deferred.fromCoroutine(filters.nwfilterDefineXMLFlags(xml, 0))

        ref = self.successResultOf(define("<filter name='mine'/>"))
        found = []
        for _ in range(2):
            again = NWFilters(makeHost(root))
            self.successResultOf(Deferred.fromCoroutine(again.load()))
            found.append(again.connectListAllNWFilters(0))
        self.assertEqual(found[0], found[1])
        self.assertIn(ref, found[0])
        self.assertEqual(len(found[0]), 2)
        for name in ("a/b", ".."):
            xml = f"<filter name='{name}'/>"
            self.failureResultOf(define(xml), VirtError)
        filters.nwfilterUndefine(ref)
        self.assertEqual(sorted(os.listdir(folder)), ["bad.xml", "given.xml"])
        self.flushLoggedErrors()
