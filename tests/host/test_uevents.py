"""
What the kernel and udev say of devices.
"""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.drivers.host.uevents import changedPath

BODY = b"ACTION=change\0DEVPATH=/devices/virtual/net/d0\0SUBSYSTEM=net\0"


class MessageTests(SynchronousTestCase):
    def test_change(self) -> None:
        """Devices that stay are named by either, new ones are not."""
        kernel = b"change@/devices/virtual/net/d0\0" + BODY
        head = b"libudev\0\xfe\xed\xca\xfe" + struct.pack("<5I", 40, 40, len(BODY), 0, 0) + bytes(8)
        for message in (kernel, head + BODY):
            self.assertEqual(changedPath(message), "/sys/devices/virtual/net/d0")
        self.assertIsNone(changedPath(kernel.replace(b"ACTION=change", b"ACTION=add")))
        self.assertIsNone(changedPath(b"ACTION=change\0"))

    @given(st.binary(max_size=80))
    def test_hostile(self, tail: bytes) -> None:
        """Nonsense hurts nothing."""
        for message in (tail, b"libudev\0" + tail, b"ACTION=change\0" + tail):
            changedPath(message)
