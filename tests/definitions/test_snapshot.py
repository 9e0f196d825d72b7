"""
Snapshots and single devices: libvirtd's canonical form, from observations of it.
"""

from __future__ import annotations

import random

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import completed, formatDevice, parseDevice, parseDomain
from pyvirt.definitions.snapshot import SnapshotDisk, SnapshotMemory, formatSnapshot, parseSnapshot
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError
from tests.definitions.vectors import document

EXPECTED = """\
<domainsnapshot>
  <name>s1</name>
  <description>d&lt;</description>
  <state>running</state>
  <parent>
    <name>s0</name>
  </parent>
  <creationTime>1795473443</creationTime>
  <memory snapshot='internal'/>
  <disks>
    <disk name='vda' snapshot='internal'/>
  </disks>
"""


class SnapshotTests(SynchronousTestCase):
    """What is asked for, and what is written."""

    def test_written(self) -> None:
        """
        A snapshot is written in libvirtd's order, the domain last and indented.
        """
        asked = parseSnapshot(
            "<domainsnapshot><name>s1</name><description>d&lt;</description></domainsnapshot>"
        )
        made = attrs.evolve(
            asked,
            state="running",
            parent="s0",
            creationTime="1795473443",
            memory=SnapshotMemory(snapshot="internal"),
            disks=(SnapshotDisk(name="vda", snapshot="internal"),),
        )
        domain = completed(parseDomain(document("")), random=random.Random(1).randbytes)
        text = formatSnapshot(made, domain)
        self.assertEqual(text[: len(EXPECTED)], EXPECTED)
        self.assertIn("\n  <domain type='test'>\n    <name>a</name>\n", text)
        self.assertTrue(text.endswith("\n  </domain>\n</domainsnapshot>\n"))

    def test_cookie(self) -> None:
        """
        What a guest depended on can be read again, whatever else somebody has written into it.
        """
        asked = parseSnapshot(
            "<domainsnapshot xmlns:q='urn:q'><name>s1</name><state>running</state>"
            "<creationTime>1</creationTime><memory snapshot='no'/>"
            "<cookie><cpu mode='custom' q:a='1'><q:b/><model>x</model></cpu><q:c/></cookie>"
            f"{document('')}</domainsnapshot>",
            redefine=True,
        )
        self.assertEqual(asked.cookie, "<cpu mode='custom'>\n  <model>x</model>\n</cpu>\n")

    def test_refused(self) -> None:
        """
        Another root and a bad word are refused as libvirtd refuses them.
        """
        error = self.assertRaises(VirtError, parseSnapshot, "<foo/>")
        self.assertEqual(
            str(error), "XML error: expecting root element of 'domainsnapshot', not 'foo'"
        )
        error = self.assertRaises(
            VirtError,
            parseSnapshot,
            "<domainsnapshot><memory snapshot='x'/></domainsnapshot>",
        )
        self.assertEqual(
            str(error),
            "XML error: Invalid value for attribute 'snapshot' in element 'memory': 'x'.",
        )
        error = self.assertRaises(VirtError, parseSnapshot, "<domainsnapshot")
        self.assertEqual((error.code, error.domain), (ErrorCode.XML_DETAIL, 35))


class DeviceTests(SynchronousTestCase):
    """Devices that are plugged in by themselves."""

    def test_roundTrip(self) -> None:
        """
        A device says where it belongs and is written by itself.
        """
        name, device = parseDevice("<watchdog model='ib700' action='pause'/>")
        self.assertEqual(name, "watchdogs")
        self.assertEqual(formatDevice(name, device), "<watchdog model='ib700' action='pause'/>\n")

    def test_unknown(self) -> None:
        """
        What is no device is refused.
        """
        error = self.assertRaises(VirtError, parseDevice, "<gadget/>")
        self.assertEqual(str(error), "unsupported configuration: unknown device type 'gadget'")
        self.assertEqual(error.domain, ErrorDomain.DOMAIN)

    def test_all(self) -> None:
        """
        Every observed device can be given by itself.
        """
        for xml in ("<interface type='user'/>", "<hub type='usb'/>", "<nvram/>", "<vsock/>"):
            name, device = parseDevice(xml)
            self.assertEqual(parseDevice(formatDevice(name, device)), (name, device))
