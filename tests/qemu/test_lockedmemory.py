"""
How much memory guests may lock: by definition, when they start, and while devices come and go.
"""

from __future__ import annotations

import os
import resource
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import parseDomain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.lockedmemory import checkLockLimit, lockLimit, moveLockLimit, setLockLimit
from pyvirt.errors import VirtError
from tests.qemu.observations import capabilities

_HARD = "<memtune><hard_limit>100</hard_limit></memtune>"
_LOCKED = "<memoryBacking><locked/></memoryBacking>"
_VDPA = "<interface type='vdpa'><source dev='/dev/null'/></interface>"
_PCI = (
    "<hostdev mode='subsystem' type='pci'><source>"
    "<address domain='0' bus='{}' slot='0' function='0'/></source></hostdev>"
)
_NVME = (
    "<disk type='nvme'><source type='pci' namespace='1'>"
    "<address domain='0' bus='9' slot='0' function='0'/></source><target dev='vda'/></disk>"
)
_IOMMU = "<iommu model='intel'/>"
_GIB = 1 << 30


def definition(head: str = "", devices: str = ""):  # type: ignore[no-untyped-def]
    return parseDomain(
        f"<domain type='qemu'><name>g</name>{head}<memory>40960</memory><os><type>hvm</type></os>"
        f"<devices>{devices}</devices></domain>"
    )


class LimitTests(SynchronousTestCase):
    """Guests and what they may lock."""

    def setUp(self) -> None:
        self.process = subprocess.Popen(["sleep", "600"])
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.guest = Guest(1, self.mktemp(), self.mktemp(), capabilities())
        self.guest.pid = self.process.pid

    def limit(self) -> int:
        return resource.prlimit(self.process.pid, resource.RLIMIT_MEMLOCK)[0]

    def test_amounts(self) -> None:
        """What is asked for, else all of it; else what devices of the host reach, and a GiB."""
        one = 40960 << 10
        for head, devices, expected in (
            ("", "", None),
            (_HARD, _VDPA, 100 << 10),
            (_LOCKED, "", 9007199254740991),
            (_HARD + _LOCKED, "", 100 << 10),
            ("", _VDPA, _GIB + one),
            ("", _VDPA * 3, _GIB + 3 * one),
            ("", _PCI.format(1), _GIB + one),
            ("", _PCI.format(1) + _PCI.format(2) + _NVME, _GIB + one),
            ("", _PCI.format(1) + _PCI.format(2) + _IOMMU, _GIB + 2 * one),
            ("", _NVME + _VDPA, _GIB + 2 * one),
        ):
            self.assertEqual(lockLimit(definition(head, devices)), expected, head + devices)

    def test_moved(self) -> None:
        """A guest may lock more when a device comes, and what it might before when that goes."""
        before = self.limit()
        plain, less = definition(), definition("<memtune><hard_limit>5</hard_limit></memtune>")
        moveLockLimit(self.guest, plain)
        self.assertEqual(self.limit(), before)
        # What any user may set: less than there was.  The upper limit does not come back for everybody.
        resource.prlimit(self.process.pid, resource.RLIMIT_MEMLOCK, (4096, before))
        moveLockLimit(self.guest, less)
        self.assertEqual(self.limit(), 5 << 10)
        moveLockLimit(self.guest, less)
        self.assertEqual(self.guest.lockedBefore, 4096)
        moveLockLimit(self.guest, plain)
        self.assertEqual((self.limit(), self.guest.lockedBefore), (4096, None))

    def test_refused(self) -> None:
        """Where the system does not let us, that is told; a guest that is gone has no limits."""
        self.process.kill()
        self.process.wait()
        self.assertRaises(VirtError, setLockLimit, self.process.pid, 4096)
        moveLockLimit(self.guest, definition(_HARD))

    def test_start(self) -> None:
        """A guest that asks for less than anybody may have can start, and our own limits stay as they are."""
        ours = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        small = definition("<memtune><hard_limit>4</hard_limit></memtune>")
        checkLockLimit(small)
        # What a guest starts with it keeps, as with libvirtd.
        self.assertIsNone(self.guest.lockedBefore)
        try:
            checkLockLimit(definition(_LOCKED))
        except VirtError as error:
            self.assertEqual(
                str(error),
                "internal error: Process exited prior to exec: libvirt:  error : cannot limit locked "
                f"memory of process {os.getpid()} to 9007199254740991: Operation not permitted",
            )
        self.assertEqual(resource.getrlimit(resource.RLIMIT_MEMLOCK), ours)
