"""
Tests for L{pyvirt.drivers.host.sysfs}, L{pyvirt.drivers.host.interfaces} and L{pyvirt.drivers.host.nwfilters}: on
descriptions of hosts that tests write.
"""

from __future__ import annotations

import os
import struct
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.nodedev import formatNodeDevice
from pyvirt.drivers.host.interfaces import HostInterfaces
from pyvirt.drivers.host.nwfilters import NWFilters
from pyvirt.drivers.host.sysfs import Devices
from pyvirt.errors import VirtError
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


class DeviceTests(Described):
    def link(self, kind: str, place: str) -> None:
        """Put a device into a class."""
        folder = os.path.join(self.root, kind)
        os.makedirs(folder, exist_ok=True)
        os.symlink(place, os.path.join(folder, os.path.basename(place)))

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
        disk = self.write("devices/0000:00:1f.2/block/sda", size="2048\n", dev="8:0\n")
        self.write("devices/0000:00:1f.2/block/sda/queue", logical_block_size="512\n")
        self.write("udev", **{"b8:0": "S:disk/by-id/x\nE:ID_SERIAL=A-1\nE:ID_BUS=ata\nE:junk\n"})
        self.link("class/block", disk)
        found = self.scan()
        self.assertEqual(list(found), ["computer", "pci_0000_00_1f_2", "block_sda_A_1"])
        self.assertEqual(found["block_sda_A_1"].parent, "pci_0000_00_1f_2")
        xml = formatNodeDevice(found["block_sda_A_1"])
        for words in ("<size>1048576</size>", "<bus>ata</bus>", "/dev/disk/by-id/x"):
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
        self.link("class/block", self.write("devices/sdb", size="many"))
        self.link("class/net", self.write("devices/eth9"))
        self.link("bus/usb/devices", self.write("devices/1-1", idVendor="z"))
        names = ["computer", "pci_0000_00_02_0", "pci_0000_00_03_0", "block_sdb"]
        self.assertEqual(list(self.scan()), names)
        for device in self.scan().values():
            formatNodeDevice(device)


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
