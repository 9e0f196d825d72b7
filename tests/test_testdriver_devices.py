"""
The test driver on its own: devices that come, go and change.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.devices import IDomainDevices
from pyvirt.drivers.interfaces.events import Event, IDomainEvents
from pyvirt.drivers.interfaces.statistics import IDomainStatistics
from pyvirt.errors import ErrorCode, VirtError

from .test_testdriver_tuning import DriverCase

_LIVE, _CONFIG = c.VIR_DOMAIN_AFFECT_LIVE, c.VIR_DOMAIN_AFFECT_CONFIG
DISK = "<disk type='file'><source file='/b'/><target dev='{}' bus='{}'/></disk>"
NET = "<interface type='user'><mac address='{}'/></interface>"
CDROM = "<disk type='file' device='cdrom'>{}<target dev='hdc' bus='ide'/><readonly/></disk>".format


class DeviceCase(DriverCase):
    """Hears of devices."""

    def setUp(self) -> None:
        super().setUp()
        self.devices = self.part(IDomainDevices)
        self.heard: list[tuple[Any, ...]] = []
        events = self.part(IDomainEvents)
        for number in (
            c.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
            c.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
            c.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE,
        ):
            events.domainEventSubscribe(number, None, self.hear)

    def hear(self, event: Event) -> None:
        self.heard.append((event.id, *event.details))


class AttachTests(DeviceCase):
    """Devices come and go."""

    def test_disk(self) -> None:
        """
        A disk comes to the running guest, to its definition or to both, and goes by XML or by its name.
        """
        self.start()
        self.devices.domainAttachDeviceFlags(self.dom, DISK.format("vdb", "virtio"), _LIVE)
        self.assertIn("vdb", self.xml())
        self.assertIn("<alias name='virtio-disk1'/>", self.xml())
        self.assertNotIn("vdb", self.xml(c.VIR_DOMAIN_XML_INACTIVE))
        both = _LIVE | _CONFIG
        self.devices.domainAttachDeviceFlags(self.dom, DISK.format("vdc", "virtio"), both)
        self.assertIn("vdc", self.xml(c.VIR_DOMAIN_XML_INACTIVE))
        self.devices.domainDetachDeviceAlias(self.dom, "virtio-disk1", _LIVE)
        self.devices.domainDetachDeviceFlags(self.dom, DISK.format("vdc", "virtio"), both)
        for flags in (0, c.VIR_DOMAIN_XML_INACTIVE):
            self.assertNotIn("vdb", self.xml(flags))
            self.assertNotIn("vdc", self.xml(flags))
        added, removed = c.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, c.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED
        self.assertEqual(
            self.heard,
            [
                (added, "virtio-disk1"),
                (added, "virtio-disk2"),
                (removed, "virtio-disk1"),
                (removed, "virtio-disk2"),
            ],
        )

    def test_nothingHalf(self) -> None:
        """
        What cannot be done to both the guest and its definition is done to neither.
        """
        self.start()
        self.devices.domainAttachDeviceFlags(self.dom, DISK.format("vdb", "virtio"), _LIVE)
        before = self.xml(), self.xml(c.VIR_DOMAIN_XML_INACTIVE)
        attach = self.devices.domainAttachDeviceFlags
        self.assertRaises(
            VirtError, attach, self.dom, DISK.format("vdb", "virtio"), _LIVE | _CONFIG
        )
        self.assertEqual(before, (self.xml(), self.xml(c.VIR_DOMAIN_XML_INACTIVE)))

    def test_refused(self) -> None:
        """
        What is there, cannot be plugged, is not there or is no device is refused by its name.
        """
        attach = self.devices.domainAttachDeviceFlags
        detach = self.devices.domainDetachDeviceFlags
        invalid, missing = ErrorCode.OPERATION_INVALID, ErrorCode.DEVICE_MISSING
        unsupported = ErrorCode.OPERATION_UNSUPPORTED
        disk = DISK.format("vda", "virtio")
        error = self.assertRaises(VirtError, attach, self.dom, disk, _CONFIG)
        self.assertEqual(error.code, invalid)
        self.assertIn("target vda already exists", error.message or "")
        self.start()
        for code, words, method, xml in (
            (
                unsupported,
                "disk bus 'ide' cannot be hotplugged.",
                attach,
                DISK.format("hda", "ide"),
            ),
            (unsupported, "live attach of device 'sound'", attach, "<sound model='ich6'/>"),
            (missing, "disk vdz not found", detach, DISK.format("vdz", "virtio")),
            (missing, "52:54:00:00:00:77", detach, NET.format("52:54:00:00:00:77")),
            (ErrorCode.CONFIG_UNSUPPORTED, "unknown device type 'x'", attach, "<x/>"),
            (ErrorCode.XML_ERROR, "target 'vda' duplicated", attach, disk),
        ):
            error = self.assertRaises(VirtError, method, self.dom, xml, _LIVE)
            self.assertEqual(error.code, code, error.message)
            self.assertIn(words, error.message or "")
        error = self.assertRaises(
            VirtError, self.devices.domainDetachDeviceAlias, self.dom, "nonsense", _LIVE
        )
        self.assertIn("no device found with alias nonsense", error.message or "")
        self.assertEqual(self.heard, [])

    def test_everyKind(self) -> None:
        """
        Each kind of device that can be plugged in comes and goes, with a name of its own.
        """
        self.start()
        for xml, alias in (
            (NET.format("52:54:00:00:00:02"), "net1"),
            ("<rng model='virtio'><backend model='random'>/dev/random</backend></rng>", "rng0"),
            ("<input type='tablet' bus='usb'/>", "input0"),
            ("<watchdog model='i6300esb'/>", "watchdog0"),
            ("<vsock><cid address='33'/></vsock>", "vsock0"),
            ("<controller type='scsi' index='4'/>", "scsi4"),
            ("<channel type='unix'><target type='virtio' name='a'/></channel>", "channel0"),
            (
                "<shmem name='s'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
                "shmem0",
            ),
        ):
            self.heard.clear()
            self.devices.domainAttachDeviceFlags(self.dom, xml, _LIVE)
            self.assertIn(f"<alias name='{alias}'/>", self.xml())
            self.devices.domainDetachDeviceFlags(self.dom, xml, _LIVE)
            self.assertNotIn(f"<alias name='{alias}'/>", self.xml())
            self.assertEqual([details for _, details in self.heard], [alias, alias])


class UpdateTests(DeviceCase):
    """Devices change."""

    def test_media(self) -> None:
        """
        A drive opens and closes when a medium is changed, and stays open without one.
        """
        self.devices.domainAttachDeviceFlags(self.dom, CDROM("<source file='/one'/>"), _CONFIG)
        self.start()
        update = self.devices.domainUpdateDeviceFlags
        update(self.dom, CDROM("<source file='/two'/>"), _LIVE)
        self.assertIn("/two", self.xml())
        update(self.dom, CDROM(""), _LIVE)
        self.assertIn("tray='open'", self.xml())
        update(self.dom, CDROM("<source file='/three'/>"), _LIVE)
        self.assertNotIn("tray='open'", self.xml())
        self.assertEqual([reason for _, _, reason in self.heard], [0, 1, 0, 1])
        self.assertIn("/one", self.xml(c.VIR_DOMAIN_XML_INACTIVE))

    def test_interface(self) -> None:
        """
        The link of an interface goes down and up; its model stays.
        """
        mac = "52:54:00:00:00:05"
        self.devices.domainAttachDeviceFlags(self.dom, NET.format(mac), _CONFIG)
        self.start()
        down = f"<interface type='user'><mac address='{mac}'/><link state='down'/></interface>"
        self.devices.domainUpdateDeviceFlags(self.dom, down, _LIVE)
        self.assertIn("<link state='down'/>", self.xml())
        other = f"<interface type='user'><mac address='{mac}'/><model type='e1000'/></interface>"
        error = self.assertRaises(
            VirtError, self.devices.domainUpdateDeviceFlags, self.dom, other, _LIVE
        )
        self.assertEqual(error.code, ErrorCode.OPERATION_UNSUPPORTED)

    def test_resize(self) -> None:
        """
        A disk has another size until the guest is gone; an unknown one is refused.
        """
        self.start()
        self.devices.domainBlockResize(self.dom, "vda", 5, 0)
        statistics = self.part(IDomainStatistics)
        self.assertEqual(statistics.domainGetBlockInfo(self.dom, "vda", 0).capacity, 5120)
        for size, flags in ((1 << 63, 0), (1, 8)):
            self.assertRaises(
                VirtError, self.devices.domainBlockResize, self.dom, "vda", size, flags
            )
        self.assertEqual(bytes(8), self.devices.domainBlockPeek(self.dom, "vda", 1 << 50, 8, 0))
