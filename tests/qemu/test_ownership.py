"""
Whose files were before guests got them: what files remember, and who has them in the end.
"""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from pyvirt.definitions.domain import DomainDefinition, parseDomain
from pyvirt.definitions.domain._source import NetworkSource
from pyvirt.drivers.qemu import ownermemory
from pyvirt.drivers.qemu.blocks.chain import Image, chain
from pyvirt.drivers.qemu.blocks.nodes import NewImage, addImage, dropImages
from pyvirt.drivers.qemu.ownermemory import Recalled, bootTime, forget, moveMemory, recall, remember
from pyvirt.drivers.qemu.ownership import (
    Taken,
    completed,
    disown,
    giveAllBack,
    giveBack,
    letFileGo,
    moveOwner,
    takeOver,
)
from pyvirt.drivers.qemu.sharedfiles import isShared
from pyvirt.errors import ErrorCode, VirtError
from tests.qemu.scriptedqemu import PluggedGuest

OURS = (os.getuid(), os.getgid())


class FileCase(SynchronousTestCase):
    """Files with attributes: those that only root has, or else those that everybody has."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        path = self.made("probe")
        for prefix in ("trusted.libvirt.security.", "user.libvirt.security."):
            try:
                os.setxattr(path, prefix + "dac", b"")
            except OSError:
                continue
            break
        else:
            raise SkipTest("files here have no attributes")
        os.unlink(path)
        self.prefix = prefix
        for name, word in (("_OWNER", "dac"), ("_COUNT", "ref_dac"), ("_BOOT", "timestamp_dac")):
            self.patch(ownermemory, name, prefix + word)
        self.patch(ownermemory, "_ALL", (ownermemory._OWNER, ownermemory._COUNT, ownermemory._BOOT))

    def made(self, name: str) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "wb"):
            pass
        return path

    def known(self, path: str) -> dict[str, str]:
        """Return what a file remembers."""
        return {
            name.removeprefix(self.prefix): os.getxattr(path, name).decode()
            for name in os.listxattr(path)
            if name.startswith(self.prefix)
        }

    def teach(self, path: str, **values: str) -> None:
        for name, value in values.items():
            os.setxattr(path, self.prefix + name, value.encode())


class MemoryTests(FileCase):
    """What files remember."""

    def test_counted(self) -> None:
        """The first owner is kept until the last user is done."""
        path = self.made("a")
        self.assertIsNone(recall(path))
        self.assertEqual(remember(path, (1, 2)), 1)
        stamp = str(bootTime())
        self.assertEqual(self.known(path), {"dac": "+1:+2", "ref_dac": "1", "timestamp_dac": stamp})
        self.assertEqual(remember(path, (3, 4)), 2)
        self.assertEqual(self.known(path), {"dac": "+1:+2", "ref_dac": "2", "timestamp_dac": stamp})
        self.assertEqual(recall(path), Recalled(1, None))
        self.assertEqual(recall(path), Recalled(0, (1, 2)))
        self.assertEqual(self.known(path), {})
        self.assertIsNone(recall(path))

    def test_old(self) -> None:
        """What is from before the host booted counts for nothing; clocks may differ a little."""
        path = self.made("a")
        for stamp, recent in (
            (str(bootTime() + 1), True),
            (str(bootTime() - 1), True),
            ("1", False),
            ("", False),
            ("-1", False),
            ("9" * 400, False),
            ("²", False),
            ("x", False),
        ):
            self.teach(path, dac="+5:+6", ref_dac="1", timestamp_dac=stamp)
            self.assertEqual(remember(path, (1, 2)), 2 if recent else 1, stamp)
            self.teach(path, dac="+5:+6", ref_dac="1", timestamp_dac=stamp)
            self.assertEqual(recall(path), Recalled(0, (5, 6)) if recent else None, stamp)
            self.assertEqual(self.known(path), {})
        self.teach(path, dac="+5:+6", ref_dac="1")
        self.assertIsNone(recall(path))

    def test_nonsense(self) -> None:
        """What makes no sense is refused, and named; an owner that makes none is nobody."""
        path = self.made("a")
        stamp = str(bootTime())
        for count in ("", "abc", "-1", "99999999999", str(1 << 32), "1.5", "9" * 300, "²"):
            self.teach(path, dac="+5:+6", ref_dac=count, timestamp_dac=stamp)
            for act in (lambda: remember(path, (1, 2)), lambda: recall(path)):
                error = self.assertRaises(VirtError, act)
                self.assertEqual(error.code, ErrorCode.INTERNAL_ERROR)
                self.assertIn(f"malformed refcount {count} on {path}", str(error))
        for owner in ("", "nonsense", "+5", "+99999999999:+1", "nobody-at-all:root"):
            self.teach(path, dac=owner, ref_dac="1", timestamp_dac=stamp)
            self.assertEqual(recall(path), Recalled(0, None))
        self.teach(path, dac="root:+3", ref_dac="1", timestamp_dac=stamp)
        self.assertEqual(recall(path), Recalled(0, (0, 3)))
        # None that use it is as good as nothing.
        self.teach(path, dac="+5:+6", ref_dac="0", timestamp_dac=stamp)
        self.assertIsNone(recall(path))
        self.assertEqual(remember(path, (1, 2)), 1)

    def test_moved(self) -> None:
        """Another file gets what one knows."""
        one, two = self.made("a"), self.made("b")
        self.assertFalse(moveMemory(one, two))
        remember(one, (1, 2))
        remember(two, (3, 4))
        self.assertTrue(moveMemory(one, two))
        self.assertEqual(self.known(one), {})
        self.assertEqual(recall(two), Recalled(0, (1, 2)))

    def test_nowhere(self) -> None:
        """Where nothing can be kept nothing is, and that is no error."""
        for path in ("/proc/self/status", os.path.join(self.folder, "nothing")):
            self.assertIsNone(remember(path, (1, 2)))
            self.assertIsNone(recall(path))
            self.assertFalse(moveMemory(path, path))
            forget(path)


class OwnershipTests(FileCase):
    """Files that guests get, and give back; without rights all of them stay ours."""

    GUEST = (12345, 12346) if os.geteuid() == 0 else OURS

    def owner(self, path: str) -> tuple[int, int]:
        found = os.stat(path)
        return found.st_uid, found.st_gid

    def defined(self, *paths: str) -> DomainDefinition:
        disks = "".join(
            f"<disk type='file'><source file='{path}'/><target dev='vd{chr(97 + number)}'/></disk>"
            for number, path in enumerate(paths)
        )
        return parseDomain(
            "<domain type='qemu'><name>g</name><memory>1024</memory><os><type machine='pc'>hvm</type></os>"
            f"<devices>{disks}</devices></domain>"
        )

    def test_shared(self) -> None:
        """A file of two guests is given back when both have ended, whichever ends first."""
        path = self.made("a")
        taken: list[list[Taken]] = [[], []]
        for each in taken:
            takeOver(self.defined(path), self.GUEST, True, each)
        self.assertEqual(self.owner(path), self.GUEST)
        giveBack(taken[0], self.GUEST)
        self.assertEqual((self.owner(path), self.known(path)["ref_dac"]), (self.GUEST, "1"))
        giveBack(taken[1], self.GUEST)
        self.assertEqual((self.owner(path), self.known(path)), (OURS, {}))

    def test_somebodyElse(self) -> None:
        """Who runs as somebody else does not get what another guest has."""
        path = self.made("a")
        first: list[Taken] = []
        takeOver(self.defined(path), self.GUEST, True, first)
        second: list[Taken] = []
        error = self.assertRaises(VirtError, takeOver, self.defined(path), (7, 8), True, second)
        self.assertEqual(error.code, ErrorCode.OPERATION_INVALID)
        self.assertIn(f"Setting different DAC user or group on {path} which is", str(error))
        self.assertEqual(second, [])
        self.assertEqual((self.owner(path), self.known(path)["ref_dac"]), (self.GUEST, "1"))

    def test_forgotten(self) -> None:
        """Where files remember nothing, or no more, whoever had them has them again; or root, if that is wanted."""
        path = self.made("a")
        for remembers, lost in ((True, True), (False, False)):
            taken: list[Taken] = []
            takeOver(self.defined(path), self.GUEST, remembers, taken)
            self.assertEqual(bool(self.known(path)), remembers)
            if lost:
                forget(path)
            giveBack(taken, self.GUEST)
            self.assertEqual(self.owner(path), OURS)
        (each,) = [Taken(path, (0, 0), self.GUEST)]
        taken = []
        takeOver(self.defined(path), self.GUEST, False, taken)
        self.assertEqual(taken, [each])

    def test_images(self) -> None:
        """A snapshot's image takes the memory along, and brings it back; images that go are given back."""
        lower, upper = self.made("a"), self.made("b")
        definition = self.defined(lower)
        guest = PluggedGuest(self.folder, "<domain type='qemu'><name>g</name><memory>1024</memory>"
            "<os><type machine='pc'>hvm</type></os></domain>", self.GUEST).guest  # fmt: skip
        takeOver(definition, self.GUEST, True, guest.taken)
        takeOver(self.defined(upper), self.GUEST, True, guest.taken)
        (bottom,) = chain(definition.devices.disks[0])
        (top,) = chain(self.defined(upper).devices.disks[0])
        moveOwner(guest, bottom, top)
        self.assertEqual([each.path for each in guest.taken], [upper])
        self.assertEqual(
            (self.known(lower), self.known(upper)["dac"]), ({}, f"+{OURS[0]}:+{OURS[1]}")
        )
        moveOwner(guest, top, bottom)
        self.assertEqual([each.path for each in guest.taken], [lower])
        letFileGo(guest, upper)
        self.assertEqual(self.owner(lower), self.GUEST)
        letFileGo(guest, lower)
        self.assertEqual((self.owner(lower), self.known(lower)), (OURS, {}))

    def test_left(self) -> None:
        """What is left of guests whose end nobody saw is forgotten with the next one, and goes back to whose it was."""
        path = self.made("a")
        remember(path, (5, 6))
        guest = PluggedGuest(self.folder, "<domain type='qemu'><name>g</name><memory>1024</memory>"
            "<os><type machine='pc'>hvm</type></os></domain>", self.GUEST).guest  # fmt: skip
        definition = self.defined(path)
        os.chown(path, *self.GUEST)
        takeOver(definition, self.GUEST, True, guest.taken)
        giveAllBack(guest, definition)
        self.assertEqual(self.known(path), {})
        self.assertEqual(self.owner(path), (5, 6))

    def test_moved(self) -> None:
        """A guest that goes on elsewhere keeps what is seen from there."""
        here, there = self.made("here"), self.made("there")
        guest = PluggedGuest(self.folder, "<domain type='qemu'><name>g</name><memory>1024</memory>"
            "<os><type machine='pc'>hvm</type></os></domain>", self.GUEST).guest  # fmt: skip
        for path in (here, there):
            takeOver(self.defined(path), self.GUEST, True, guest.taken)
        giveAllBack(guest, self.defined(here), moved=True, isShared=lambda path: path == there)
        self.assertEqual((self.owner(here), self.owner(there)), (OURS, self.GUEST))

    def test_seenElsewhere(self) -> None:
        """Which files others see is known by what is mounted where, the last and innermost of it."""
        mounts = self.made("mounts")
        with open(mounts, "w") as file:
            file.write(
                "1 0 0:1 / / rw - ext4 /dev/a rw\n"
                "2 1 0:2 / /pool\\040a rw shared:1 - nfs4 server:/x rw\n"
                "3 2 0:3 / /pool\\040a/local rw - ext4 /dev/b rw\n"
                "4 1 0:2 / /twice rw - ext4 /dev/a rw\n4 1 0:2 / /twice rw - ceph a rw\n"
            )
        for path, shared in (
            ("/a", False),
            ("/pool a/disk", True),
            ("/pool a/local/disk", False),
            ("/pool ab/disk", False),
            ("/twice/disk", True),
        ):
            self.assertIs(isShared(path, mounts), shared, path)
        self.assertFalse(isShared("/a", "/nonexistent"))

    def test_older(self) -> None:
        """What older daemons wrote down says only whose files were: labels say who has them."""
        path, other = self.made("a"), self.made("b")
        label = "<seclabel model='dac' relabel='yes'><label>+7:+8</label></seclabel>"
        definition = parseDomain(
            "<domain type='qemu'><name>g</name><memory>1024</memory><os><type machine='pc'>hvm</type></os>"
            f"<devices><disk type='file'><source file='{path}'>{label}</source><target dev='vda'/></disk>"
            f"<disk type='file'><source file='{other}'/><target dev='vdb'/></disk></devices></domain>"
        )
        old = [
            Taken(path, OURS),
            Taken(other, OURS),
            Taken("/gone", OURS),
            Taken(other, OURS, (1, 2)),
        ]
        found = completed(old, definition)
        self.assertEqual([each.given for each in found], [(7, 8), None, None, (1, 2)])
        self.assertEqual([each._replace(given=None) for each in found[:3]], old[:3])
        nonsense = parseDomain(
            "<domain type='qemu'><name>g</name><memory>1024</memory><os><type machine='pc'>hvm</type></os>"
            f"<devices><disk type='file'><source file='{path}'>"
            f"{label.replace('+7', 'nobody-at-all')}</source><target dev='vda'/></disk></devices></domain>"
        )
        self.assertEqual(completed(old, nonsense), old)
        if os.geteuid() == 0:
            os.chown(path, 7, 8)
            giveBack(found[:1], self.GUEST)
            self.assertEqual(self.owner(path), OURS)

    def test_disowned(self) -> None:
        """What was committed into another image is root's, where files are given away at all, and on this host."""
        guest = PluggedGuest(self.folder, "<domain type='qemu'><name>g</name><memory>1024</memory>"
            "<os><type machine='pc'>hvm</type></os></domain>", self.GUEST).guest  # fmt: skip
        path = self.made("a")
        (image,) = chain(self.defined(path).devices.disks[0])
        guest.recipient = None
        disown(guest, image)
        self.assertEqual(guest.taken, [])
        guest.recipient = self.GUEST
        disown(guest, image)
        disown(guest, Image(NetworkSource(protocol="nbd", name="export"), "raw"))
        self.assertEqual(guest.taken, [Taken(path, (0, 0))])

    def test_twice(self) -> None:
        """
        A file that something else of the guest uses stays with the guest when another use of it ends or fails, whether
        files can remember whose they were or not.
        """
        xml = (
            "<domain type='qemu'><name>g</name><memory>1024</memory><os><type machine='pc'>hvm</type></os>"
            "<devices><disk type='file'><driver type='raw'/><source file='{}'/><target dev='vda'/><backingStore/></disk>"
            "</devices></domain>"
        )
        for remembers in (True, False):
            if not remembers:
                self.patch(ownermemory, "_COUNT", "nonsense.ref_dac")
                self.patch(ownermemory, "_ALL", ())
            path = self.made(f"a{remembers}")
            world = PluggedGuest(self.folder, xml.format(path), self.GUEST)
            guest, hypervisor = world.guest, world.hypervisor
            takeOver(self.defined(path), self.GUEST, True, guest.taken)
            (image,) = chain(self.defined(path).devices.disks[0])
            held = len(guest.taken)  # none without rights
            again = Image(image.source, "raw", index=7)
            for number in (1, 2):
                world.qemu.refuse = number
                opening = addImage(hypervisor, guest, again, None, readOnly=False, last=True)
                self.failureResultOf(Deferred.fromCoroutine(opening), VirtError)
                self.assertEqual((self.owner(path), len(guest.taken)), (self.GUEST, held))
                world.qemu.refuse = number
                making = NewImage(hypervisor, guest, again).make(None, 0, reuse=True)
                self.failureResultOf(Deferred.fromCoroutine(making), VirtError)
                self.assertEqual((self.owner(path), len(guest.taken)), (self.GUEST, held))

            async def leaseRefused() -> None:
                raise VirtError("no")

            making = NewImage(hypervisor, guest, again).make(
                None, 0, reuse=True, lease=leaseRefused
            )
            self.failureResultOf(Deferred.fromCoroutine(making), VirtError)
            self.assertEqual((self.owner(path), len(guest.taken)), (self.GUEST, held))
            world.qemu.refuse = None
            self.successResultOf(
                Deferred.fromCoroutine(
                    addImage(hypervisor, guest, again, None, readOnly=False, last=True)
                )
            )
            self.assertEqual(len(guest.taken), 2 * held)
            self.successResultOf(Deferred.fromCoroutine(dropImages(hypervisor, guest, again)))
            self.assertEqual((self.owner(path), len(guest.taken)), (self.GUEST, held))
            letFileGo(guest, path)
            self.assertEqual((self.owner(path), guest.taken), (OURS, []))
