"""
Descriptors that clients give to domains, and what becomes of images that are given so.
"""

from __future__ import annotations

import os
import resource
from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain import parseDomain
from pyvirt.definitions.domain._tune import MemTune
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.blocks.chain import chainsDetected
from pyvirt.drivers.qemu.command.building import commandLine
from pyvirt.drivers.qemu.command.values import HostSettings
from pyvirt.drivers.qemu.complete import complete
from pyvirt.drivers.qemu.driver import QEMUConnection
from pyvirt.drivers.qemu.fdgroups import MOST, FDGroup, associate, drop, duplicates
from pyvirt.drivers.qemu.ownership import ownedFiles
from pyvirt.errors import ErrorCode, VirtError
from tests.qemu.observations import capabilities
from tests.qemu.test_plugging import DISK, DOMAIN, Case

WRITABLE = c.VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_WRITABLE


def _open() -> set[str]:
    """Return the descriptors that are open."""
    return {each for each in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{each}")}


def _disk(group: str, extra: str = "", path: str = "/nowhere", dev: str = "vdb") -> str:
    xml = DISK.format(path, dev, "virtio").replace("'/><target", f"' fdgroup='{group}'/><target")
    return xml.replace("</disk>", f"{extra}</disk>").replace(
        "<source", "<driver name='qemu' type='qcow2'/><source", 1
    )


class GroupCase(Case):
    """A domain, and a descriptor for it."""

    def setUp(self) -> None:
        super().setUp()
        self.domain = self.world.domain
        self.file = os.open(self.image(), os.O_RDWR)
        self.addCleanup(os.close, self.file)
        self.addCleanup(drop, self.domain)

    def associate(self, name: str, *fds: int, connection: Any = None, flags: int = 0) -> None:
        """Give descriptors to the domain."""
        associate(self.domain, connection, name, list(fds), flags)


class GroupTests(GroupCase):
    """Descriptors are kept, bounded, and gone with whoever gave them."""

    def test_kept(self) -> None:
        """They are duplicates; others under the same name take their place, and the last go with the domain."""
        before = _open()
        self.associate("one", self.file, self.file)
        self.assertEqual(len(_open() - before), 2)
        self.assertNotIn(self.file, self.domain.fdGroups["one"].fds)
        self.assertFalse(any(os.get_inheritable(fd) for fd in self.domain.fdGroups["one"].fds))
        self.associate("one", self.file, flags=WRITABLE)
        self.associate("", self.file)
        self.assertEqual(len(_open() - before), 2)
        self.assertTrue(self.domain.fdGroups["one"].writable)
        self.world.hypervisor.domains.remove(self.domain)
        self.assertEqual(_open(), before)

    def test_connection(self) -> None:
        """With a connection go those that came over it last."""
        mine = QEMUConnection("qemu:///system", self.world.hypervisor, True)
        other = QEMUConnection("qemu:///system", self.world.hypervisor, True)
        before = _open()
        for name, connection in (("a", mine), ("b", other), ("c", other), ("c", mine)):
            self.associate(name, self.file, connection=connection)
        mine.close()
        self.assertEqual(list(self.domain.fdGroups), ["b"])
        other.close()
        self.assertEqual(_open(), before)

    def test_refused(self) -> None:
        """Flags that nobody knows, descriptors that are none, and more than a domain may have; nothing is left of them."""
        before = _open()
        with self.assertRaises(VirtError) as caught:
            self.associate("x", self.file, flags=4)
        self.assertIn(
            "unsupported flags (0x4) in function qemuDomainFDAssociate", str(caught.exception)
        )
        self.assertRaises(VirtError, self.associate, "x", self.file, 99999)
        self.assertEqual(_open(), before)
        self.associate("many", *[self.file] * MOST)
        with self.assertRaises(VirtError) as caught:
            self.associate("more", self.file)
        self.assertIn(str(MOST + 1), str(caught.exception))
        # The same name is another's place.
        self.associate("many", *[self.file] * MOST)
        self.assertEqual(len(_open() - before), MOST)

    def test_chain(self) -> None:
        """Headers are read from descriptors; a name that nobody gave is refused, and nobody gets the file."""
        os.pwrite(self.file, b"QFI\xfb\0\0\0\3" + bytes(24) + b"\0\0\0\0\0\1\0\0" + bytes(80), 0)
        xml = DOMAIN.replace("<controller type='sata'", f"{_disk('q')}<controller type='sata'")
        definition = parseDomain(xml)
        self.assertEqual(self.refusedChain(definition).code, ErrorCode.INVALID_ARG)
        group = FDGroup((self.file,))
        found = chainsDetected(definition, self.world.guest.takeNode, groups={"q": group})
        self.assertIsNone(found.devices.disks[1].backingStore.source)
        self.assertEqual([each.path for each in ownedFiles(found)], [])

    def refusedChain(self, definition: Any) -> VirtError:
        """Return why no chain is found."""
        with self.assertRaises(VirtError) as caught:
            chainsDetected(definition, self.world.guest.takeNode)
        self.assertIn(
            "file descriptor group 'q' was not associated with the domain", str(caught.exception)
        )
        return caught.exception


class CommandTests(Case):
    """What QEMU is told of images that are descriptors."""

    def line(self, disk: str, *fds: int, writable: bool = False) -> list[str]:
        """Return the arguments that name descriptors, and nodes that read and write."""
        xml = DOMAIN.replace("<controller type='sata'", f"{disk}<controller type='sata'")
        definition = complete(parseDomain(xml), capabilities(), lambda count: b"\1" * count)
        host = HostSettings(groups={"q": FDGroup(fds, writable)}, opensFiles=True)
        argv = commandLine(definition, capabilities(), host).argv
        return [word.replace("\0", "'") for word in argv if "set=" in word or '"/dev/fdset' in word]

    def test_one(self) -> None:
        """A single descriptor is opened as the disk says, unless it is said to be writable."""
        node = (
            '{"driver":"file","filename":"/dev/fdset/0","node-name":"libvirt-1-storage",'
            '"read-only":%s,"discard":"unmap"}'
        )
        given = "set=0,fd='fd:q:0',opaque=libvirt-1-storage0"
        self.assertEqual(self.line(_disk("q"), 5), [given, node % "false"])
        self.assertEqual(self.line(_disk("q", "<readonly/>"), 5), [given, node % "true"])
        found = self.line(_disk("q", "<readonly/>"), 5, writable=True)
        self.assertEqual(found, [given, node % "false"])

    def test_several(self) -> None:
        """Of several QEMU takes the one that it needs."""
        found = self.line(_disk("q"), 5, 6)
        self.assertEqual(
            found,
            [
                "set=0,fd='fd:q:0',opaque=libvirt-1-storage0",
                "set=0,fd='fd:q:1',opaque=libvirt-1-storage1",
                '{"driver":"file","filename":"/dev/fdset/0","node-name":"libvirt-1-storage",'
                '"auto-read-only":true,"discard":"unmap"}',
            ],
        )

    def test_numbers(self) -> None:
        """Images have the first numbers, then files of ports, then cards, wherever each is named."""
        found = self.line(
            _disk("q") + "<interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>"
            "<channel type='file'><source path='/c'/><target type='virtio' name='x'/></channel>"
            "<serial type='pty'><log file='/l'/></serial><serial type='file'><source path='/s'/></serial>",
            5,
        )
        self.assertEqual(
            [word for word in found if word.startswith("set=")],
            [
                "set=0,fd='fd:q:0',opaque=libvirt-1-storage0",
                "set=4,fd='vdpa-net0',opaque=net0-vdpa",
                "set=1,fd='log-charserial0',opaque=serial0-log",
                "set=2,fd='source-charserial1',opaque=serial1-source",
                "set=3,fd='source-charchannel0',opaque=channel0-source",
            ],
        )
        self.assertIn('{"type":"vhost-vdpa","vhostdev":"/dev/fdset/4","id":"hostnet0"}', found)

    def test_boot(self) -> None:
        """A card whose set is not the first one is still the one that boots from a network."""
        xml = DOMAIN.replace("</type></os>", "</type><boot dev='network'/></os>").replace(
            "<controller type='sata'",
            "<channel type='file'><source path='/c'/><target type='virtio' name='x'/></channel>"
            "<interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>"
            "<controller type='sata'",
        )
        definition = complete(parseDomain(xml), capabilities(), lambda count: b"\1" * count)
        argv = commandLine(definition, capabilities(), HostSettings(opensFiles=True)).argv
        (card,) = [word for word in argv if '"id":"net0"' in word]
        self.assertIn('"bootindex":1', card)

    def test_missing(self) -> None:
        """Without descriptors there is no command line."""
        self.assertRaises(VirtError, self.line, _disk("other"), 5)


class PluggingTests(GroupCase):
    """Disks that are descriptors come and go."""

    def test_plugged(self) -> None:
        """QEMU has a set of its own, which goes with the disk; whatever it refuses, nothing is left."""
        self.associate("q", self.file, self.file)
        self.qemu.sets = {3: ["somebody's"]}
        before, state = _open(), self.world.state()
        xml = _disk("q", "<backingStore/>")
        for number in range(1, 20):
            self.qemu.refuse = number
            self.qemu.said.clear()
            outcome: list[Any] = []
            self.world.attach(xml).addBoth(outcome.append)
            self.assertEqual(_open(), before)
            if outcome == [None]:
                break
            self.assertEqual(self.world.state(), state)
            self.assertEqual(list(self.qemu.sets), [3])
        self.qemu.refuse = None
        self.assertEqual(number, 7)
        self.assertEqual(
            self.qemu.sets[4], [f"libvirt-{self.world.guest.lastNode}-storage{n}" for n in (0, 1)]
        )
        drop(self.domain)
        self.successResultOf(self.world.detach(DISK.format("/nowhere", "vdb", "virtio")))
        self.assertEqual(list(self.qemu.sets), [3])
        self.assertEqual(self.qemu.kept["nodes"], set())

    def test_media(self) -> None:
        """A medium may be descriptors; QEMU's set goes when it is taken out."""
        self.associate("q", self.file)
        self.qemu.trays["sata0-0-0"] = True
        before = _open()
        drive = (
            "<disk type='file' device='cdrom'>{}<target dev='sdc' bus='sata'/><readonly/></disk>"
        )
        medium = "<driver name='qemu' type='raw'/><source file='/nowhere' fdgroup='{}'/>"
        failed = self.world.update(drive.format(medium.format("none")))
        self.assertEqual(self.failureResultOf(failed, VirtError).value.code, ErrorCode.INVALID_ARG)
        self.successResultOf(self.world.update(drive.format(medium.format("q"))))
        self.assertEqual(len(self.qemu.sets), 1)
        self.assertEqual(_open(), before)
        self.successResultOf(self.world.update(drive.format("")))
        self.assertEqual(self.qemu.sets, {})
        self.assertEqual(self.qemu.kept["nodes"], set())

    def test_unknown(self) -> None:
        """A name that nobody gave is refused before QEMU hears of anything."""
        error = self.refused(_disk("none"))
        self.assertEqual(error.code, ErrorCode.INVALID_ARG)
        self.assertEqual(self.qemu.said, [])

    def test_duplicates(self) -> None:
        """What is passed is the guest's own."""
        self.associate("q", self.file)
        definition = parseDomain(
            DOMAIN.replace("<controller type='sata'", f"{_disk('q')}<controller type='sata'")
        )
        found = duplicates(self.domain.fdGroups, definition)
        self.assertEqual(list(found), ["fd:q:0"])
        self.assertNotIn(found["fd:q:0"], (self.file, *self.domain.fdGroups["q"].fds))
        os.close(found["fd:q:0"])

    def test_card(self) -> None:
        """A vDPA device is given to QEMU as it is opened, in a set that goes with the card."""
        # What this process could lock anyway needs no rights.
        soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        size = max(1, (soft if soft != resource.RLIM_INFINITY else 1 << 20) >> 10)
        tune = replaced(self.domain.definition.memtune or MemTune(), hardLimit=size)
        self.domain.definition = replaced(self.domain.definition, memtune=tune)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_MEMLOCK, (soft, hard))
        before, state = _open(), self.world.state()
        xml = (
            "<interface type='vdpa'><mac address='52:54:00:00:00:07'/><source dev='{}'/>"
            "<model type='virtio'/></interface>"
        )
        error = self.refused(xml.format("/proc/nonesuch"))
        self.assertIn("Unable to open '/proc/nonesuch' for vdpa device", str(error))
        self.qemu.sets = {3: ["somebody's"]}
        self.qemu.refuse = 2
        self.refused(xml.format("/dev/null"))
        self.assertEqual((list(self.qemu.sets), _open()), ([3], before))
        self.assertEqual(self.world.state(), state)
        self.qemu.refuse = 0
        self.successResultOf(self.world.attach(xml.format("/dev/null")))
        self.assertEqual(self.qemu.sets[4], ["net0-vdpa"])
        self.assertEqual(_open(), before)
        self.successResultOf(self.world.detach(xml.format("/dev/null")))
        self.assertEqual(list(self.qemu.sets), [3])
