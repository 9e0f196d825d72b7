"""
Guests under version 2 of the kernel's groups and nothing else: our QEMU driver beside libvirtd's.
"""

from __future__ import annotations

import glob
import os
import re
import signal
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from pyvirt.drivers.qemu.bpf import canFilter, programs

from .qemuworld import LibvirtWorld, PyvirtWorld, World, requireQEMU

_GUEST = """\
<domain type='qemu'><name>NAME</name><uuid>11111111-2222-3333-4444-555555555556</uuid><memory>16384</memory><vcpu current='1'>2</vcpu>{}
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='block'><driver name='qemu' type='raw'/><source dev='LOOP0'/><target dev='vda' bus='virtio'/></disk>
<disk type='block' device='cdrom'><target dev='hdc' bus='ide'/></disk>
<controller type='scsi' model='virtio-scsi'/><memballoon model='none'/></devices></domain>
"""

_COMMANDS = """\
attach-disk NAME LOOP1 sda
attach-disk NAME LOOP2 sdb --mode readonly
detach-disk NAME sda
change-media NAME hdc LOOP1 --insert --block
change-media NAME hdc --eject --force
blockcopy NAME vda LOOP1 --blockdev --wait --transient-job
blockjob NAME vda --abort
KILL
attach-disk NAME LOOP1 sdc
detach-disk NAME sdb
cpu-stats NAME
schedinfo NAME
memtune NAME
memtune NAME 100000 --live
blkiotune NAME
numatune NAME --nodeset 0 --live
vcpupin NAME 0 0
emulatorpin NAME 0
setvcpus NAME 2
iothreadadd NAME 1
destroy NAME"""

#: Of definitions that cannot have what they ask for.
_REFUSED = (
    "<cputune><shares>300</shares></cputune>",
    "<cputune><quota>20000</quota></cputune>",
    "<cputune><global_quota>20000</global_quota></cputune>",
    "<blkiotune><weight>300</weight></blkiotune>",
    "<resource><partition>/nowhere</partition></resource>",
    "<resource><partition>/nowhere/deeper</partition></resource>",
)


class _UnifiedLibvirt(LibvirtWorld):
    unified = True


class _UnifiedPyvirt(PyvirtWorld):
    unified = True


def _loops(world: World) -> list[str]:
    """Make devices to be disks of."""
    found = []
    for number in range(3):
        path = os.path.join(world.folder, f"{number}.img")
        with open(path, "wb") as file:
            file.truncate(1 << 20)
        done = subprocess.run(["losetup", "-f", "--show", path], capture_output=True, text=True)
        if done.returncode:
            raise SkipTest(f"no loop device can be made: {done.stderr}")
        found.append(done.stdout.strip())
    return found


def _removed(place: str) -> None:
    """Remove a group, unless it is gone or somebody else is in it."""
    try:
        os.rmdir(place)
    except OSError:
        pass


class QEMUUnifiedTests(SynchronousTestCase):
    """Both daemons let guests open the same devices, and say the same of limits that are not there."""

    def setUp(self) -> None:
        requireQEMU()
        self.pool = ThreadPoolExecutor(2)
        self.addCleanup(self.pool.shutdown)

    def group(self, world: World) -> str | None:
        found = glob.glob(f"{world.groups}/machine/qemu-*-{self.name(world)}.libvirt-qemu")
        return found[0] if found else None

    @staticmethod
    def name(world: World) -> str:
        # Worlds share a group; what is made at random tells their guests apart.
        return os.path.basename(world.folder).removeprefix("pv-world-").replace("_", "")

    def rules(self, place: str, loops: dict[str, str]) -> list[str]:
        """Return what a group may open, and how."""
        group = os.open(place, os.O_RDONLY)
        try:
            found = []
            for program in programs(group):
                with program:
                    for rules in program.maps():
                        with rules:
                            for key, value in rules.items().items():
                                minor, major = struct.unpack("=ii", key)
                                number = f"{major}:{minor}"
                                found.append(f"{loops.get(number, number)} {value.hex()}")
            return sorted(found)
        finally:
            os.close(group)

    def opened(self, place: str, paths: list[str]) -> list[bool]:
        """Tell which devices processes of a group can open for reading, and for writing."""
        found = []
        for path in paths:
            for how in ("<", ">>"):
                command = f"echo 0 >{place}/cgroup.procs && exec 3{how}{path}"
                done = subprocess.run(["sh", "-c", command], stderr=subprocess.DEVNULL)
                found.append(done.returncode == 0)
        return found

    def session(self, kind: type[World]) -> list[object]:
        world = kind()
        try:
            if not canFilter(world.groups):
                raise SkipTest("nobody lets us make rules for groups of version 2")
            # Of two daemons that make it at once one would go without, and say nothing.
            os.makedirs(f"{world.groups}/machine", exist_ok=True)
            self.addCleanup(_removed, f"{world.groups}/machine")
            return self.inside(world, _loops(world))
        finally:
            world.stop()
            for each in glob.glob(f"{world.groups}/machine/qemu-*-{self.name(world)}.*"):
                os.rmdir(each)

    def inside(self, world: World, loops: list[str]) -> list[object]:
        for each in loops:
            self.addCleanup(subprocess.run, ["losetup", "-d", each])
        devices = {
            f"{os.major(each)}:{os.minor(each)}": f"LOOP{number}"
            for number, each in enumerate(os.stat(path).st_rdev for path in loops)
        }
        name = self.name(world)

        def placed(text: str) -> str:
            text = text.replace("NAME", name)
            return re.sub(r"LOOP(\d)", lambda match: loops[int(match[1])], text)

        def said(command: str) -> tuple[str, int, str, str]:
            outcome = world.virsh(*placed(command).split())
            texts = []
            for text in (outcome.stdout, outcome.stderr):
                for number, path in enumerate(loops):
                    text = text.replace(path, f"LOOP{number}")
                text = text.replace(world.folder, "FOLDER").replace(name, "NAME")
                texts.append(re.sub(r"qemu-\d+-", "qemu-N-", text))
            return command, outcome.status, texts[0], texts[1]

        xml = world.write("g.xml", placed(_GUEST.format("")))
        found: list[object] = [said(f"define {xml}")[1:], said("start NAME")]
        for command in _COMMANDS.splitlines():
            if command == "KILL":
                world.stopDaemon(signal.SIGKILL)
                world.startDaemon()
            else:
                found.append(said(command))
            place = self.group(world)
            if place is not None:
                found += [
                    self.rules(place, devices),
                    self.opened(place, ["/dev/zero", "/dev/kmsg", *loops]),
                    sorted(os.path.basename(each) for each in glob.glob(f"{place}/*/")),
                ]
        for asked in _REFUSED:
            world.write("g.xml", placed(_GUEST.format(asked)))
            found += [said(f"define {xml}")[1:], said("start NAME")]
        return found

    def test_unified(self) -> None:
        """
        Disks come, go, change and are copied; the daemon is killed and finds the rules again; nothing can be limited.
        """
        theirs, ours = self.pool.map(self.session, (_UnifiedLibvirt, _UnifiedPyvirt))
        for one, other in zip(theirs, ours, strict=False):
            self.assertEqual(one, other)
        self.assertEqual(len(theirs), len(ours))
        confined = [each for each in ours if isinstance(each, list) and each[:1] == [True]]
        self.assertTrue(confined)
        self.assertEqual([each[2:4] for each in confined], [[False, False]] * len(confined))
