"""
Names of devices: which may be shared.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import check, parseDomain
from pyvirt.definitions.schema import replaced
from pyvirt.errors import VirtError

_USB = """<domain type='qemu' id='1'><name>g</name><memory>65536</memory><os><type>hvm</type></os><devices>
<controller type='usb' index='0' model='ich9-ehci1'><alias name='{name}'/></controller>
<controller type='usb' index='0' model='ich9-uhci1'><alias name='{name}'/><master startport='0'/></controller>
<controller type='usb' index='0' model='ich9-uhci2'><alias name='{name}'/><master startport='2'/></controller>
</devices></domain>"""


class AliasTests(SynchronousTestCase):
    """Names are looked at where people chose them."""

    def test_given(self) -> None:
        """A running guest whose USB controllers share the name that its driver gave them is as it should be."""
        definition = parseDomain(_USB.format(name="usb"))
        devices = definition.devices
        named = tuple(replaced(each, alias="usb") for each in devices.controllers)
        self.assertEqual(len(named), 3)
        check(replaced(definition, devices=replaced(devices, controllers=named)))

    def test_chosen(self) -> None:
        """A name that somebody chose names one device, as libvirtd has it."""
        definition = parseDomain(_USB.format(name="ua-usb"), inactive=False, status=True)
        error = self.assertRaises(VirtError, check, definition)
        self.assertEqual(
            error.message, "unsupported configuration: non unique alias detected: ua-usb"
        )
