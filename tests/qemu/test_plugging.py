"""
Tests for L{pyvirt.drivers.qemu.plugging}, on a QEMU in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pyvirt import constants as c
from pyvirt.definitions.domain import formatDomain, parseDomain
from pyvirt.definitions.domain._net import NetTarget
from pyvirt.definitions.domain._top import formatDevice
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.assigned.keeper import AssignedDevices, Holder, Wanted
from pyvirt.drivers.assigned.netconfig import FunctionKeeper
from pyvirt.drivers.assigned.pci import PCIBus
from pyvirt.drivers.qemu import assigning
from pyvirt.drivers.qemu.command.values import HostSettings
from pyvirt.drivers.qemu.ending import endByItself
from pyvirt.drivers.qemu.locks import release
from pyvirt.drivers.qemu.ownership import giveAllBack
from pyvirt.drivers.qemu.plugging.attaching import access
from pyvirt.drivers.qemu.plugging.commands import Step, chardevOf, plugSteps, unplugSteps
from pyvirt.drivers.qemu.plugging.detaching import PATIENCE
from pyvirt.drivers.qemu.qmp import MonitorLost
from pyvirt.drivers.qemu.store import readStatus
from pyvirt.drivers.qemu.volumes import volumesOf, withVolumes
from pyvirt.errors import ErrorCode, VirtError
from pyvirt.process import Command, Finished
from tests.qemu.observations import capabilities
from tests.qemu.scriptedqemu import PluggedGuest
from tests.test_assigned import Machine

ADDED, REMOVED = c.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, c.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED
FAILED = c.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED
SIZE = c.VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE
TRAY = c.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE

DOMAIN = """<domain type='qemu'><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid>
<maxMemory slots='4' unit='MiB'>512</maxMemory><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os><features><acpi/></features>
<cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='cdrom'><target dev='sdc' bus='sata'/><readonly/></disk>
<controller type='sata' index='0'/><controller type='usb' model='qemu-xhci'/>
<controller type='scsi' index='0' model='virtio-scsi'/><controller type='virtio-serial' index='0'/>
<memballoon model='none'/></devices></domain>"""

DISK = "<disk type='file' device='disk'><source file='{}'/><target dev='{}' bus='{}'/></disk>"
CHANNEL = "<channel type='unix'><target type='virtio' name='one'/></channel>"
NET = "<interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/></interface>"
DIMM = "<memory model='dimm'><target><size unit='MiB'>64</size><node>0</node></target></memory>"
REDIR = "<redirdev bus='usb' type='tcp'><source mode='connect' host='::1' service='4'/></redirdev>"
CARD = (
    "<interface type='bridge'><mac address='52:54:00:00:00:07'/><source bridge='nobridge'/>"
    "<model type='virtio'/>{}</interface>"
)
EGD = (
    "<rng model='virtio'><backend model='egd' type='tcp'>"
    "<source mode='connect' host='::1' service='1'/></backend></rng>"
)
SHMEM = "<shmem name='s'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>"


class Case(SynchronousTestCase):
    """What tests with a guest need."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.makedirs(self.folder)
        # Only root can give files away.
        self.owner = (12345, 12345) if os.geteuid() == 0 else (os.getuid(), os.getgid())
        self.world = PluggedGuest(self.folder, DOMAIN, self.owner)
        self.qemu = self.world.qemu

    def image(self, name: str = "a.raw") -> str:
        """Make an image, and return its path."""
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.truncate(1 << 20)
        return path

    def ownerOf(self, path: str) -> tuple[int, int]:
        """Return whose a file is."""
        found = os.stat(path)
        return found.st_uid, found.st_gid

    def plugged(self, xml: str) -> str:
        """Plug a device in, and return its name."""
        self.bare = self.world.state()
        self.successResultOf(self.world.attach(xml))
        alias: str = self.world.told[-1][1]
        self.world.told.clear()
        self.qemu.said.clear()
        return alias

    def refused(self, xml: str) -> VirtError:
        """Plug in a device that is refused, and return the error."""
        failure = self.failureResultOf(self.world.attach(xml), VirtError)
        found: VirtError = failure.value
        return found


class FaultTests(Case):
    """Whatever QEMU refuses on the way, nothing is left behind."""

    def everyStep(self, xml: str) -> int:
        """Have each command refused in turn until the device is plugged in; return how many there are."""
        before = self.world.state()
        for number in range(1, 30):
            self.qemu.refuse = number
            self.qemu.said.clear()
            outcome: list[object] = []
            self.world.attach(xml).addBoth(outcome.append)
            self.qemu.refuse = None
            self.assertEqual(len(outcome), 1)
            if outcome[0] is None:
                # What is said once it is there may fail.
                self.assertEqual(self.world.told[-1][0], ADDED)
                return self.qemu.said.index("device_add") + 1
            self.assertEqual(outcome[0].value.description, "no")  # type: ignore[attr-defined]
            self.assertEqual(self.world.state(), before)
            self.assertEqual(self.world.told, [])
        raise AssertionError("it is never plugged in")

    def test_disk(self) -> None:
        """A disk has two nodes and a device; its lease goes, and its file is whose it was."""
        path = self.image()
        mine = self.ownerOf(path)
        self.assertEqual(self.everyStep(DISK.format(path, "vdb", "virtio")), 3)
        self.assertEqual(self.world.locks.held, {path})
        self.assertEqual(self.ownerOf(path), self.owner)
        self.qemu.refuse = 1
        other = self.image("b.raw")
        self.refused(DISK.format(other, "vdc", "virtio"))
        self.assertEqual(self.ownerOf(other), mine)

    def test_withControllers(self) -> None:
        """A SCSI disk far out brings controllers, which go again too."""
        steps = self.everyStep(DISK.format(self.image(), "sdq", "scsi"))
        self.assertEqual(steps, self.qemu.said.index("device_add") + 1)
        self.assertEqual(self.qemu.said.count("device_add"), 3)

    def test_others(self) -> None:
        """Devices with other back ends."""
        for xml, count in (
            (CHANNEL, 2),
            (NET, 2),
            (DIMM, 2),
            (REDIR, 2),
            (EGD, 3),
            (SHMEM, 2),
            ("<input type='tablet' bus='usb'/>", 1),
            ("<watchdog model='i6300esb' action='reset'/>", 2),
            ("<controller type='scsi' model='virtio-scsi'/>", 1),
        ):
            self.world = PluggedGuest(self.folder, DOMAIN, self.owner)
            self.qemu = self.world.qemu
            self.assertEqual(self.everyStep(xml), count, xml)

    def test_leased(self) -> None:
        """A disk that somebody else has is not even opened."""
        path = self.world.locks.taken = self.image()
        before = self.world.state()
        mine = self.ownerOf(path)
        error = self.refused(DISK.format(path, "vdb", "virtio"))
        self.assertEqual(error.code, ErrorCode.RESOURCE_BUSY)
        self.assertEqual((self.world.state(), self.qemu.said), (before, []))
        self.assertEqual(self.ownerOf(path), mine)

    def test_lostAnswers(self) -> None:
        """A lease that was given unheard is given back: at once, or when the guest is paused."""
        locks, world = self.world.locks, self.world
        path = self.image()
        disk = DISK.format(path, "vdb", "virtio")
        for lost, held in ((1, set()), (2, {path})):
            locks.lost = lost
            self.assertEqual(self.refused(disk).code, ErrorCode.OPERATION_FAILED)
            self.assertEqual((locks.held, self.qemu.said), (held, []))
        self.successResultOf(
            Deferred.fromCoroutine(release(world.hypervisor, world.domain, world.guest))
        )
        self.assertEqual((locks.held, world.guest.owed), (set(), []))

    def test_paused(self) -> None:
        """A guest without leases gets none for one disk more."""
        self.world.guest.leased = False
        self.successResultOf(self.world.attach(DISK.format(self.image(), "vdb", "virtio")))
        self.assertEqual(self.world.locks.held, set())

    def test_goneMeanwhile(self) -> None:
        """A guest that ends while something is plugged in."""
        waiting = self.world.attach(DISK.format(self.image(), "vdb", "virtio"))
        self.successResultOf(waiting)
        self.world.guest.monitor = None
        failure = self.failureResultOf(self.world.attach(NET), VirtError)
        self.assertIn("not running", str(failure.value))

    def test_goneWhileLimited(self) -> None:
        """A guest that ends while the host changes its card: what it will be next is not touched."""
        waiting: list[Deferred[Finished]] = []

        class Slow:
            def run(self, command: Command) -> Deferred[Finished]:
                waiting.append(Deferred())
                return waiting[-1]

        domain, card = self.world.domain, CARD.format("")
        devices = f"<devices>{card}</devices>"
        (nic,) = parseDomain(
            f"<domain type='qemu'><name>g</name><memory>1</memory><os><type>hvm</type></os>{devices}</domain>"
        ).devices.interfaces
        nic = replaced(nic, alias="net0", target=NetTarget(dev="vnet9"))
        kept = replaced(domain.definition.devices, interfaces=(nic,))
        domain.definition = replaced(domain.definition, devices=kept)
        self.world.hypervisor.processes = Slow()  # type: ignore[assignment]
        limit = "<bandwidth><outbound average='9'/></bandwidth>"
        updating = self.world.update(CARD.format(limit))
        self.assertNoResult(updating)
        domain.guest, next_ = None, replaced(domain.definition, title="next")
        domain.definition = next_
        self.world.guest.monitor = None
        while waiting:
            waiting.pop(0).callback(Finished(0, b"", b""))
        self.failureResultOf(updating, MonitorLost)
        self.assertIs(domain.definition, next_)

    def test_goneWhileLeased(self) -> None:
        """Files of a guest that ended while a disk was plugged in are given back once, not twice."""
        path, guest = self.image(), self.world.guest
        wait: Deferred[None] = Deferred()
        refuse = access(self.world.hypervisor, self.world.domain, guest, "disks", self.disk(path))

        async def plugging() -> None:
            async with refuse:
                await wait

        done = Deferred.fromCoroutine(plugging())
        self.assertEqual([each.path for each in guest.taken], [path])
        giveAllBack(guest, self.world.domain.definition)
        # Another one has it by now, and nobody remembers more.
        os.chown(path, *self.owner)
        wait.errback(MonitorLost())
        self.failureResultOf(done, MonitorLost)
        self.assertEqual(self.ownerOf(path), self.owner)

    def disk(self, path: str) -> Any:
        """Return a disk as it is plugged in."""
        xml = DISK.format(path, "vdb", "virtio")
        (found,) = parseDomain(DOMAIN.replace("<memballoon", f"{xml}<memballoon")).devices.disks[1:]
        return found

    def test_hostile(self) -> None:
        """Documents that make no sense do not reach QEMU."""
        for xml in (
            "",
            "<disk",
            "<disk/>",
            "<disk type='file'><target dev='vdx' bus='virtio'/></disk>",
            "<nonsense/>",
            "<controller type='scsi' index='-1'/>",
            "<controller type='scsi' index='99999999999'/>",
            DISK.format(os.path.join(self.folder, "nope"), "vdb", "virtio"),
            DIMM.replace("64", "99999999"),
            DIMM.replace("<node>0", "<node>7"),
            DISK.format(self.image(), "vdb", "virtio").replace(
                "</disk>", "<address type='pci' bus='0x99' slot='1'/></disk>"
            ),
        ):
            before = self.world.state()
            self.refused(xml)
            self.assertEqual((self.world.state(), self.qemu.said), (before, []), xml)


class LeavingTests(Case):
    """Devices that are taken away."""

    def check(self, alias: str) -> None:
        """All is as it was before it was plugged in, and that it is gone has been told."""
        kept, *rest, definition = self.world.state()
        self.assertEqual((kept, *rest), self.bare[:-1])
        self.assertNotIn(alias, formatDomain(definition))
        self.assertEqual(self.world.told, [(REMOVED, alias)])

    def test_atOnce(self) -> None:
        """Gone after the answer or before it, all goes, and the file is given back."""
        for how in ("now", "first"):
            path = self.image()
            mine = self.ownerOf(path)
            self.qemu.unplug = how
            xml = DISK.format(path, "vdb", "virtio")
            alias = self.plugged(xml)
            self.successResultOf(self.world.detach(xml))
            self.check(alias)
            self.assertEqual(self.ownerOf(path), mine)
            self.assertEqual(self.qemu.said, ["device_del", "blockdev-del", "blockdev-del"])

    def test_late(self) -> None:
        """Who asks waits a while, and is told later what became of it."""
        self.qemu.unplug = "later"
        alias = self.plugged(NET)
        waiting = self.world.detach(NET)
        self.assertNoResult(waiting)
        self.world.clock.advance(PATIENCE)
        self.successResultOf(waiting)
        self.assertEqual(self.world.told, [])
        self.assertIn(alias, formatDomain(self.world.domain.definition))
        self.qemu.gone(alias)
        self.check(alias)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_refused(self) -> None:
        """A guest that says no keeps its device."""
        self.qemu.unplug = "never"
        alias = self.plugged(NET)
        before = self.world.state()
        failure = self.failureResultOf(self.world.detach(NET), VirtError)
        self.assertIn("rejected by the guest", str(failure.value))
        self.assertEqual(self.world.state(), before)
        self.assertEqual(self.world.told, [(FAILED, alias)])

    def test_unknownToQEMU(self) -> None:
        """A device that QEMU does not have any more is as good as gone."""
        alias = self.plugged(CHANNEL)
        self.qemu.kept["devices"].clear()
        self.successResultOf(self.world.devices.domainDetachDeviceAlias(self.ref(), alias, 1))
        self.check(alias)

    def ref(self) -> object:
        return self.world.domain.ref

    def test_sharedFile(self) -> None:
        """What another device still uses stays leased and owned."""
        path = self.image()
        share = "<shareable/></disk>"
        one = DISK.format(path, "vdb", "virtio").replace("</disk>", share)
        two = DISK.format(path, "vdc", "virtio").replace("</disk>", share)
        self.successResultOf(self.world.attach(one))
        self.successResultOf(self.world.attach(two))
        self.successResultOf(self.world.detach(one))
        self.assertEqual(self.world.locks.held, {path})
        self.assertEqual(self.ownerOf(path), self.owner)
        self.successResultOf(self.world.detach(two))
        self.assertEqual(self.world.locks.held, set())

    def test_memory(self) -> None:
        """Memory that goes is not counted any more."""
        before = self.world.domain.definition.memory.amount
        self.successResultOf(self.world.attach(DIMM))
        self.assertEqual(self.world.domain.definition.memory.amount, before + 65536)
        self.successResultOf(self.world.detach(DIMM))
        self.assertEqual(self.world.domain.definition.memory.amount, before)
        self.assertEqual(self.qemu.kept["objects"], set())

    def test_nonsense(self) -> None:
        """Events that name nothing, or nothing that is there, change nothing."""
        self.plugged(NET)
        before = self.world.state()
        for data in ({}, {"device": None}, {"device": 7}, {"device": "nope"}, {"device": "vcpuX"}):
            for name in ("DEVICE_DELETED", "DEVICE_TRAY_MOVED"):
                self.qemu.tell({"event": name, "data": data})
        self.assertEqual(self.world.state(), before)
        self.assertNotIn(REMOVED, [each[0] for each in self.world.told])


class HandedTests(Case):
    """
    A guest that has a device of a host whose kernel takes its time.

    @ivar waiting: what threads of the host are to do; None: they do it at once.
    """

    PCI = (
        "<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/><source>"
        "<address domain='0' bus='10' slot='0' function='0'/></source></hostdev>"
    )
    WANTED = Wanted(name="0000:0a:00.0", managed=True)

    def setUp(self) -> None:
        super().setUp()
        self.machine = Machine(f"{self.folder}/sys")
        self.machine.device("0000:0a:00.0", "nvme", 1)
        self.waiting: list[Callable[[], None]] | None = None
        bus = PCIBus(self.machine.sys)
        self.keeper = AssignedDevices(
            processes=None,
            thread=self.thread,
            functions=FunctionKeeper(bus, f"{self.folder}/kept"),
            bus=bus,
        )
        self.world.hypervisor.companion = lambda contract: self.keeper

    def thread(self, work: Any, *arguments: Any) -> Deferred[Any]:
        if self.waiting is None:
            return self.machine.thread(work, *arguments)
        found: Deferred[Any] = Deferred()
        self.waiting.append(lambda: self.machine.thread(work, *arguments).chainDeferred(found))
        return found

    def goOn(self) -> None:
        """Do what waits to be done."""
        while self.waiting:
            self.waiting.pop(0)()

    def end(self) -> None:
        """The guest ends by itself."""
        endByItself(self.world.hypervisor, self.world.domain, self.world.guest)

    def test_endsMeanwhile(self) -> None:
        """A device that is taken for a guest that is gone by then goes back."""
        self.patch(assigning, "hasVFIO", lambda: True)
        self.waiting = []
        attaching = self.world.attach(self.PCI)
        self.assertNoResult(attaching)
        self.end()
        self.goOn()
        self.failureResultOf(attaching, VirtError)
        self.assertEqual(
            self.machine.moves, ["0000:0a:00.0 nvme vfio-pci", "0000:0a:00.0 vfio-pci nvme"]
        )
        self.waiting = None
        self.take()

    def take(self) -> None:
        """Have the guest take the device."""
        taking = self.keeper.take(Holder("QEMU", "g"), [self.WANTED], ())
        self.successResultOf(Deferred.fromCoroutine(taking))

    def test_nextRun(self) -> None:
        """Whoever would start a domain again waits until nothing is left of the run before."""
        self.take()
        hypervisor, domain = self.world.hypervisor, self.world.domain
        device = parseDomain(DOMAIN.replace("<memballoon", f"{self.PCI}<memballoon"))
        domain.definition = replaced(
            domain.definition,
            devices=replaced(domain.definition.devices, hostdevs=device.devices.hostdevs),
        )
        domain.persistent = True
        hypervisor.saveStatus(domain)
        self.assertEqual(hypervisor.store.statusNames(), ["g"])
        self.waiting = []
        self.end()
        seen: list[list[str]] = []

        async def begin() -> None:
            async with domain.jobs.change("start"):
                seen.append(hypervisor.store.statusNames())

        starting = Deferred.fromCoroutine(begin())
        self.assertEqual((seen, domain.active), ([], False))
        self.goOn()
        self.successResultOf(starting)
        self.assertEqual(seen, [[]])


class MemoryTests(Case):
    """Modules of which the guest takes as much as it is asked to."""

    VIRTIO = (
        "<memory model='virtio-mem'><target><size unit='MiB'>16</size><node>0</node>"
        "<block unit='MiB'>2</block><requested unit='MiB'>{}</requested></target></memory>"
    )

    def taken(self) -> list[tuple[int | None, int | None]]:
        """How much is asked for, and taken, as the daemon will find it again."""
        with open(self.world.hypervisor.layout.status("g"), encoding="utf-8") as file:
            kept = readStatus(file.read())
        return [(m.target.requested, m.target.current) for m in kept.definition.devices.memories]

    def test_taken(self) -> None:
        """It is told how much a guest has taken, and written down; what makes no sense changes nothing."""
        self.plugged(self.VIRTIO.format(4))
        for size, current in ((4 << 20, 4096), ((2 << 20) + 1, 2049), (0, 0)):
            data = {"id": "virtiomem0", "size": size, "qom-path": "/machine/peripheral/virtiomem0"}
            self.qemu.tell({"event": "MEMORY_DEVICE_SIZE_CHANGE", "data": data})
            self.assertEqual(self.world.told.pop(), (SIZE, "virtiomem0", current))
            self.assertEqual(self.taken(), [(4096, current)])
        before = self.world.domain.definition
        for data in (
            {},
            {"id": "virtiomem0"},
            {"id": 7, "size": 1},
            {"id": "nope", "size": 1},
            *({"id": "virtiomem0", "size": each} for each in (-1, True, "1", 1 << 64)),
        ):
            self.qemu.tell({"event": "MEMORY_DEVICE_SIZE_CHANGE", "data": data})
        self.assertEqual(self.world.told, [])
        self.assertIs(self.world.domain.definition, before)

    def test_withBalloon(self) -> None:
        """What a guest has now is what its balloon leaves and what it has taken."""
        self.plugged(self.VIRTIO.format(4))
        for event, data, current in (
            ("BALLOON_CHANGE", {"actual": 60 << 20}, 60),
            ("MEMORY_DEVICE_SIZE_CHANGE", {"id": "virtiomem0", "size": 4 << 20}, 64),
            ("BALLOON_CHANGE", {"actual": 50 << 20}, 54),
            ("MEMORY_DEVICE_SIZE_CHANGE", {"id": "virtiomem0", "size": 2 << 20}, 52),
        ):
            self.qemu.tell({"event": event, "data": data})
            self.assertEqual(self.world.domain.definition.currentMemory, current << 10, event)

    def test_whileChanged(self) -> None:
        """What a guest takes while it is asked to is kept beside what it is asked to take."""
        self.plugged(self.VIRTIO.format(4))
        do = self.qemu.do

        def taking(name: str, arguments: dict[str, Any]) -> Any:
            if name == "qom-set":
                data = {"id": "virtiomem0", "size": arguments["value"]}
                self.qemu.tell({"event": "MEMORY_DEVICE_SIZE_CHANGE", "data": data})
            return do(name, arguments)

        self.qemu.do = taking
        (device,) = self.world.domain.definition.devices.memories
        more = replaced(device, target=replaced(device.target, requested=6144))
        self.successResultOf(self.world.update(formatDevice("memories", more)))
        self.assertEqual(self.taken(), [(6144, 6144)])


class VolumeTests(Case):
    """Disks that are volumes of pools."""

    def test_mayBeMissing(self) -> None:
        """
        A volume that may be missing, in a pool that is not there, leaves its disk out and its drive empty; others are
        complained of.
        """
        volume = "<source pool='nope' volume='v' startupPolicy='optional'/>"
        disks = (
            f"<disk type='volume'>{volume}<target dev='vda' bus='virtio'/></disk>"
            f"<disk type='volume' device='cdrom'>{volume}<target dev='sda' bus='sata'/>"
            "<address type='drive' controller='0' bus='0' target='0' unit='0'/></disk>"
        )
        asked = parseDomain(DOMAIN.replace("<memballoon", f"{disks}<memballoon"))
        left: list[Any] = []
        made = self.made(asked, left=left)
        self.assertEqual(
            [(disk.target.dev, disk.type, disk.source) for disk in made.devices.disks],
            [("sdc", "file", asked.devices.disks[0].source), ("sda", "file", None)],
        )
        self.assertEqual([disk.alias for disk in left], ["sata0-0-0", "virtio-disk0"])
        self.assertNotIn("vda", volumesOf(asked, made))
        strict = parseDomain(
            DOMAIN.replace("<memballoon", f"{disks.replace('optional', 'requisite')}<memballoon")
        )
        error = self.failureResultOf(
            Deferred.fromCoroutine(withVolumes(self.world.hypervisor, strict)), VirtError
        ).value
        self.assertEqual(error.get_error_code(), ErrorCode.NO_STORAGE_POOL)
        # A guest whose memory is there already goes on without what was in its drives.
        self.assertEqual(len(self.made(strict, boots=False).devices.disks), 2)

    def made(self, asked: Any, **how: Any) -> Any:
        """Return what a guest starts with."""
        hypervisor = self.world.hypervisor
        return self.successResultOf(Deferred.fromCoroutine(withVolumes(hypervisor, asked, **how)))


class OutputTests(Case):
    """Files that ports write to."""

    def test_given(self) -> None:
        """
        QEMU gets a file of a port, and of its log, opened, for it may lie where QEMU may not come; its sets of descriptors go
        with the port, and none is left of what does not succeed.
        """
        path, log = (os.path.join(self.folder, name) for name in ("out", "log"))
        xml = (
            f"<channel type='file'><source path='{path}'/><log file='{log}' append='on'/>"
            "<target type='virtio' name='one'/></channel>"
        )
        self.qemu.sets = {3: ["somebody's"]}
        for number in range(1, 20):
            self.qemu.refuse = number
            outcome: list[Any] = []
            self.world.attach(xml).addBoth(outcome.append)
            if outcome == [None]:
                break
            self.assertEqual(self.qemu.sets, {3: ["somebody's"]})
        self.assertGreater(number, 4)
        self.qemu.refuse = None
        self.assertEqual(
            self.qemu.sets,
            {3: ["somebody's"], 4: ["channel0-source"], 5: ["channel0-log"]},
        )
        backend = self.qemu.given["charchannel0"]["backend"]["data"]
        self.assertEqual((backend["out"], backend["logfile"]), ("/dev/fdset/4", "/dev/fdset/5"))
        self.successResultOf(self.world.detach(xml))
        self.assertEqual(self.qemu.sets, {3: ["somebody's"]})

    def test_twin(self) -> None:
        """A channel is refused whose like is there, before QEMU hears of it."""
        self.successResultOf(self.world.attach(CHANNEL))
        self.qemu.said.clear()
        error = self.failureResultOf(self.world.attach(CHANNEL), VirtError).value
        self.assertEqual(
            (str(error).split(": ")[-1], self.qemu.said), ("chardev already exists", [])
        )

    def test_missing(self) -> None:
        """A file that cannot be made is told of before QEMU hears of anything."""
        xml = "<channel type='file'><source path='{}/no/where'/><target type='virtio' name='a'/></channel>"
        error = self.failureResultOf(self.world.attach(xml.format(self.folder)), VirtError).value
        self.assertEqual(error.code, ErrorCode.SYSTEM_ERROR)
        self.assertEqual(self.qemu.kept["chardevs"], set())


class MediaTests(Case):
    """Media of drives."""

    CD = "<disk type='file' device='cdrom'>{}<target dev='sdc' bus='sata'/><readonly/></disk>"

    def setUp(self) -> None:
        super().setUp()
        self.qemu.trays["sata0-0-2"] = False

    def with_(self, path: str) -> str:
        """Return the drive with a medium."""
        return self.CD.format(f"<source file='{path}'/>")

    def test_inAndOut(self) -> None:
        """The tray opens, the medium is changed, the tray closes; what was in it is closed."""
        one, two = self.image("one"), self.image("two")
        self.successResultOf(self.world.update(self.with_(one)))
        self.assertEqual(self.world.told, [(TRAY, "sata0-0-2", 0), (TRAY, "sata0-0-2", 1)])
        first = set(self.qemu.kept["nodes"])
        self.successResultOf(self.world.attach(self.with_(two)))
        self.assertEqual(len(self.qemu.kept["nodes"]), 2)
        self.assertFalse(first & self.qemu.kept["nodes"])
        self.successResultOf(self.world.update(self.CD.format("")))
        self.assertEqual(self.qemu.kept["nodes"], set())
        self.assertEqual(self.world.guest.taken, [])

    def test_faults(self) -> None:
        """A medium that QEMU refuses leaves no node behind."""
        path = self.image()
        for number in range(1, 20):
            self.qemu.refuse = number
            outcome: list[object] = []
            self.world.update(self.with_(path)).addBoth(outcome.append)
            self.qemu.refuse = None
            if outcome[0] is None:
                break
            self.assertEqual(self.qemu.kept["nodes"], set(), number)
            drive = self.world.domain.definition.devices.disks[0]
            self.assertTrue(drive.source is None or drive.source.isEmpty)
        else:
            self.fail("it never goes in")
        self.assertEqual(self.qemu.media["sata0-0-2"], *self.tops())

    def tops(self) -> list[str]:
        """Return the nodes that know formats."""
        return [each for each in self.qemu.kept["nodes"] if each.endswith("-format")]


class CommandTests(Case):
    """What QEMU is told."""

    def test_chardevs(self) -> None:
        """Every end on the host, as the monitor takes it."""
        inet = {"type": "inet", "data": {"host": "::1", "port": "5"}}
        for text, kind, data in (
            ("null,id=a", "null", {}),
            ("pty,id=a", "pty", {}),
            ("file,id=a,path=/x,,y,append=on", "file", {"out": "/x,y", "append": True}),
            ("serial,id=a,path=/dev/x", "serial", {"device": "/dev/x"}),
            ("parallel,id=a,path=/dev/x", "serial", {"device": "/dev/x"}),
            (
                "socket,id=a,path=/x,server=on,wait=off",
                "socket",
                {
                    "addr": {"type": "unix", "data": {"path": "/x"}},
                    "server": True,
                    "wait": False,
                },
            ),
            (
                "socket,id=a,host=::1,port=5,telnet=on,reconnect=3,tls-creds=t",
                "socket",
                {
                    "addr": inet,
                    "telnet": True,
                    "server": False,
                    "reconnect": 3,
                    "tls-creds": "t",
                },
            ),
            (
                "udp,id=a,host=::1,port=5,localaddr=,localport=0",
                "udp",
                {"remote": inet},
            ),
            (
                "pty,id=a,logfile=/l,logappend=off",
                "pty",
                {"logfile": "/l", "logappend": False},
            ),
            ("spicevmc,id=a,name=vdagent", "spicevmc", {"type": "vdagent"}),
            ("spiceport,id=a,name=x.y", "spiceport", {"fqdn": "x.y"}),
            (
                "qemu-vdagent,id=a,name=vdagent,clipboard=on",
                "qemu-vdagent",
                {"clipboard": True},
            ),
        ):
            backend = {"type": kind, "data": data}
            self.assertEqual(chardevOf(text), {"id": "a", "backend": backend}, text)
        for text in ("stdio,id=a", "pipe,id=a,path=/x"):
            with self.assertRaises(VirtError):
                chardevOf(text)

    def test_order(self) -> None:
        """Back ends come first and go last, whatever order the command line has."""
        definition = self.world.domain.definition
        xml = "<shmem name='s'><model type='ivshmem-doorbell'/><server path='/x'/></shmem>"
        self.successResultOf(self.world.attach(xml))
        device = self.world.domain.definition.devices.shmems[0]
        steps = plugSteps(definition, "shmems", device, capabilities(), HostSettings())
        self.assertEqual([step.command for step in steps], ["chardev-add", "device_add"])
        self.assertEqual(unplugSteps(steps), [("chardev-remove", {"id": "charshmem0"})])
        self.assertIsInstance(steps[0], Step)

    def test_names(self) -> None:
        """Names and numbers of devices outlive the daemon, in any order that they came and went."""
        nets = [NET.replace(":02'", f":1{number}'") for number in range(3)]
        for xml in nets:
            self.successResultOf(self.world.attach(xml))
        self.successResultOf(self.world.detach(nets[0]))
        path = self.image()
        self.successResultOf(self.world.attach(DISK.format(path, "vdb", "virtio")))
        with open(self.world.hypervisor.layout.status("g"), encoding="utf-8") as file:
            status = readStatus(file.read())
        devices = status.definition.devices
        self.assertEqual([each.alias for each in devices.interfaces], ["net1", "net2"])
        live = self.world.domain.definition.devices
        self.assertEqual(
            [(each.alias, getattr(each.source, "index", None)) for each in devices.disks],
            [(each.alias, getattr(each.source, "index", None)) for each in live.disks],
        )
        self.assertEqual(status.lastNode, self.world.guest.lastNode)
