"""
Which devices of the host guests may open: what definitions need, and the rules that the kernel is given.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import parseDomain
from pyvirt.drivers.qemu.blocks.bitmaps import removeBitmaps
from pyvirt.drivers.qemu.blocks.chain import chain
from pyvirt.drivers.qemu.cgroups import Cgroups, GuestGroup
from pyvirt.drivers.qemu.deviceaccess import DeviceAccess
from pyvirt.drivers.qemu.devicefilters import filterOf
from pyvirt.drivers.qemu.devicerules import Rules, rulesOf
from pyvirt.drivers.qemu.refusals import systemFailure
from tests.qemu.scriptedqemu import PluggedGuest, ScriptedQEMU

#: What the kernel calls devices that are on every host.
NULL, ZERO, FULL, RANDOM, URANDOM = "c 1:3", "c 1:5", "c 1:7", "c 1:8", "c 1:9"


def needed(devices: str, more: str = "") -> Rules:
    """Return the rules of a guest with devices."""
    return rulesOf(
        parseDomain(
            "<domain type='qemu'><name>g</name><memory>1024</memory><os><type>hvm</type></os>"
            f"{more}<devices>{devices}</devices></domain>"
        )
    )


class RuleTests(SynchronousTestCase):
    """What definitions need."""

    def test_kinds(self) -> None:
        """Ports, generators of numbers, disks: what they open of the host, and how."""
        for devices, rules in (
            ("", {}),
            ("<serial type='dev'><source path='/dev/null'/></serial>", {NULL: "rw"}),
            ("<serial type='pty'><log file='/dev/zero'/></serial>", {ZERO: "rw"}),
            ("<parallel type='file'><source path='/dev/full'/></parallel>", {FULL: "rw"}),
            (
                "<channel type='dev'><source path='/dev/zero'/><target type='virtio'/></channel>",
                {ZERO: "rw"},
            ),
            ("<rng model='virtio'><backend model='random'/></rng>", {RANDOM: "rw"}),
            (
                "<rng model='virtio'><backend model='random'>/dev/random</backend></rng>",
                {RANDOM: "rw"},
            ),
            ("<rng model='virtio'><backend model='builtin'/></rng>", {}),
            (
                "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/null'/></backend></tpm>",
                {NULL: "rw"},
            ),
            ("<input type='evdev'><source dev='/dev/full'/></input>", {FULL: "rw"}),
            ("<graphics type='egl-headless'><gl rendernode='/dev/zero'/></graphics>", {ZERO: "rw"}),
            # Disks are such devices in no real guest; but what is there on every host is.
            (
                "<disk type='block'><source dev='/dev/null'/><target dev='vda'/></disk>",
                {NULL: "rw"},
            ),
            (
                "<disk type='block' device='cdrom'><source dev='/dev/null'/><target dev='hda'/></disk>",
                {NULL: "r"},
            ),
            (
                "<disk type='block'><source dev='/dev/null'/><target dev='vda'/><readonly/></disk>",
                {NULL: "r"},
            ),
            (
                "<disk type='block'><source dev='/dev/null'/><backingStore type='block'>"
                "<format type='raw'/><source dev='/dev/zero'/></backingStore><target dev='vda'/></disk>",
                {NULL: "rw", ZERO: "r"},
            ),
            (
                "<disk type='block'><source dev='/dev/null'/><target dev='vda'/><readonly/></disk>"
                "<disk type='block'><source dev='/dev/null'/><target dev='vdb'/></disk>"
                "<disk type='block'><source dev='/dev/null'/><target dev='vdc'/><readonly/></disk>",
                {NULL: "rw"},
            ),
        ):
            self.assertEqual(needed(devices), rules, devices)

    def test_nothing(self) -> None:
        """What is no device of this host, or is not there, needs no rule."""
        for path in ("/etc/passwd", "/nowhere/at/all", "/", "/dev/null/x", "/" + "x" * 5000):
            devices = f"<serial type='dev'><source path='{path}'/></serial>"
            self.assertEqual(needed(devices), {}, path)
        self.assertEqual(
            needed(
                "<hostdev mode='subsystem' type='pci'><source><address bus='0xfe' slot='0x1f'/></source></hostdev>"
                "<hostdev mode='subsystem' type='mdev' model='vfio-pci'>"
                "<source><address uuid='11111111-1111-4111-8111-111111111111'/></source></hostdev>"
                "<hostdev mode='subsystem' type='usb'><source><vendor id='1'/><product id='2'/></source></hostdev>"
                "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host99'/>"
                "<address bus='0' target='0' unit='0'/></source></hostdev>"
            ),
            {},
        )


class Group(GuestGroup):
    """A group whose files are those of a kernel in memory."""

    def __init__(self, *, obeys: bool = True) -> None:
        super().__init__(Cgroups(), "g")
        self.listed: Rules = {"a *:*": "rwm"}
        self._obeys = obeys

    def read(self, controller: str, name: str, inner: str = "") -> str:
        assert (controller, name) == ("devices", "devices.list")
        return "\n".join(f"{device} {access}" for device, access in self.listed.items())

    def write(self, controller: str, name: str, value: object, inner: str = "") -> None:
        if not self._obeys:
            raise systemFailure(PermissionError(1, "no"), f"Unable to write to '{name}'")
        assert controller == "devices"
        text = str(value)
        if text == "a":
            self.listed = {} if name == "devices.deny" else {"a *:*": "rwm"}
            return
        device, _, access = text.rpartition(" ")
        had = set(self.listed.pop(device, ""))
        have = had | set(access) if name == "devices.allow" else had - set(access)
        if have:
            self.listed[device] = "".join(each for each in "rwm" if each in have)


class AccessTests(SynchronousTestCase):
    """The rules of a guest that runs."""

    def setUp(self) -> None:
        self.needs: Rules = {}
        self.group = Group()

    def access(self, always: Any = (), group: Group | None = None) -> DeviceAccess:
        return DeviceAccess(filterOf(group or self.group), always, lambda: dict(self.needs))

    def test_always(self) -> None:
        """Where qemu.conf says nothing, guests may open what every guest needs; else what it says, and terminals."""
        self.assertTrue(self.access(None).begin())
        listed = self.group.listed
        self.assertEqual(
            {NULL, ZERO, FULL, RANDOM, URANDOM, "c 5:2", "c 136:*"} - set(listed), set()
        )
        self.assertEqual(set(listed.values()), {"rw"})
        self.needs = {"b 7:1": "r", NULL: "r"}
        self.access(["/dev/null", "null", "/dev/nope", "/etc/passwd"]).begin()
        self.assertEqual(self.group.listed, {"c 136:*": "rw", NULL: "rw", "b 7:1": "r"})

    def test_comingAndGoing(self) -> None:
        """What comes is allowed, what goes is not; what something else needs stays as that needs it."""
        self.needs = {"b 7:0": "rw", "b 7:1": "r"}
        access = self.access(["/dev/null"])
        access.begin()
        access.allow({"b 7:2": "rw", "b 7:1": "rw"})
        self.assertEqual(self.group.listed["b 7:1"], "rw")
        access.revoke({"b 7:2": "rw", "b 7:1": "rw", "b 7:0": "rw", NULL: "rw", "b 9:9": "r"})
        self.assertEqual(
            self.group.listed, {"c 136:*": "rw", NULL: "rw", "b 7:0": "rw", "b 7:1": "r"}
        )

    def test_found(self) -> None:
        """A daemon that starts again sees whether a guest is confined, and lets those be that are not."""
        self.assertFalse(self.access().isThere())
        self.access().begin()
        self.assertTrue(self.access().isThere())

    def test_refused(self) -> None:
        """Where nobody lets us make rules, guests run without."""
        self.assertFalse(self.access(group=Group(obeys=False)).begin())
        self.access(group=Group(obeys=False)).allow({"b 7:0": "rw"})
        self.access(group=Group(obeys=False)).revoke({"b 7:0": "rw"})
        gone = GuestGroup(Cgroups(mounts={"devices": "/nowhere"}), "g")
        self.assertFalse(DeviceAccess(filterOf(gone), None, dict).begin())
        self.assertFalse(DeviceAccess(filterOf(gone), None, dict).isThere())


class PluggingTests(SynchronousTestCase):
    """Devices that are plugged into a guest which is confined."""

    RNG = "<rng model='virtio'><backend model='random'>/dev/random</backend></rng>"

    def setUp(self) -> None:
        folder = self.mktemp()
        os.mkdir(folder)
        text = "<domain type='qemu'><name>g</name><memory>1024</memory><os><type machine='pc'>hvm</type></os></domain>"
        self.plugged = PluggedGuest(folder, text, (os.getuid(), os.getgid()))
        self.group = Group()
        domain = self.plugged.domain
        access = DeviceAccess(filterOf(self.group), (), lambda: rulesOf(domain.definition))
        access.begin()
        self.plugged.guest.access = access

    def test_plugged(self) -> None:
        """It may be opened from before QEMU is told of it until it is gone."""
        self.successResultOf(self.plugged.attach(self.RNG))
        self.assertEqual(self.group.listed, {"c 136:*": "rw", RANDOM: "rw"})
        self.plugged.qemu.unplug = "later"
        gone = self.plugged.detach(self.RNG)
        self.assertIn(RANDOM, self.group.listed)
        self.plugged.qemu.gone("rng0")
        self.successResultOf(gone)
        self.assertEqual(self.group.listed, {"c 136:*": "rw"})

    def test_refused(self) -> None:
        """What QEMU refuses may not be opened any more, unless the guest has had it before."""
        for refused, left in ((1, {}), (2, {}), (None, {RANDOM: "rw"}), (2, {RANDOM: "rw"})):
            self.plugged.qemu.refuse = refused
            done = self.plugged.attach(self.RNG)
            if refused is None:
                self.successResultOf(done)
            else:
                self.failureResultOf(done)
            self.assertEqual(self.group.listed, {"c 136:*": "rw", **left})


class CountingQEMU(ScriptedQEMU):
    """A QEMU whose images have a bitmap; C{reopened} is told of each image that is opened anew."""

    reopened: Any = None

    def do(self, name: str, arguments: dict[str, Any]) -> Any:
        if name == "query-named-block-nodes":
            return [
                {"node-name": f"libvirt-{number}-format", "dirty-bitmaps": [{"name": "c"}]}
                for number in (1, 2)
            ]
        if name == "blockdev-reopen":
            (options,) = arguments["options"]
            self.reopened(options["read-only"])
        return super().do(name, arguments)


class CountingGuest(PluggedGuest):
    """A guest on it."""

    qemuClass = CountingQEMU


class BitmapTests(SynchronousTestCase):
    """Bitmaps of checkpoints in images that are otherwise only read."""

    def test_removed(self) -> None:
        """An image below others may be written while its bitmap goes, and not any more afterwards."""
        folder = self.mktemp()
        os.mkdir(folder)
        plugged = CountingGuest(
            folder,
            "<domain type='qemu'><name>g</name><memory>1024</memory><os><type machine='pc'>hvm</type></os>"
            "<devices><disk type='block'><driver name='qemu' type='qcow2'/><source dev='/dev/zero'/>"
            "<backingStore type='block'><format type='raw'/><source dev='/dev/null'/><backingStore/>"
            "</backingStore><target dev='vda'/></disk></devices></domain>",
            (os.getuid(), os.getgid()),
        )
        group, domain, guest = Group(), plugged.domain, plugged.guest
        guest.access = DeviceAccess(filterOf(group), (), lambda: rulesOf(domain.definition))
        guest.access.begin()
        before = {"c 136:*": "rw", ZERO: "rw", NULL: "r"}
        self.assertEqual(group.listed, before)
        seen: list[tuple[bool, str]] = []
        plugged.qemu.reopened = lambda readOnly: seen.append((readOnly, group.listed[NULL]))
        (disk,) = domain.definition.devices.disks
        removing = removeBitmaps(guest, [(disk, chain(disk))], "c")
        self.successResultOf(Deferred.fromCoroutine(removing))
        self.assertEqual(seen, [(False, "rw"), (True, "rw")])
        self.assertEqual(group.listed, before)
