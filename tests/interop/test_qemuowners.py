"""
Whose a guest and its files are: with another user than root, labels of domains and of disks, and after each kind of end.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from twisted.trial.unittest import TestCase

from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World

_CONF = """
stdio_handler = "file"
security_driver = "none"
user = "+1234"
group = "+1235"
namespaces = []
"""

_GUEST = """<domain type='qemu'><name>NAME</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file'><source file='PLACE/a'/><target dev='vda'/></disk>
<disk type='file'><driver type='qcow2'/><source file='PLACE/top'/><target dev='vdb'/></disk>
<disk type='file'><source file='PLACE/c'><seclabel model='dac' relabel='no'/></source><target dev='vdc'/></disk>
<disk type='file'><source file='PLACE/d'><seclabel model='dac'><label>+11:+12</label></seclabel></source><target dev='vdd'/></disk>
<disk type='file'><source file='PLACE/e'/><target dev='vde'/><readonly/></disk>
<serial type='file'><source path='PLACE/new.log'/></serial>
<channel type='unix'><source mode='bind' path='PLACE/sock'/><target type='virtio' name='y'/></channel>
<controller type='usb' model='none'/><memballoon model='none'/></devices>LABEL</domain>"""

_DAC = "<seclabel type='{}' model='dac' relabel='{}'><label>{}</label></seclabel>"

#: Labels of domains.
LABELS = (
    "",
    "<seclabel type='none' model='dac'/>",
    "<seclabel type='dynamic' model='dac' relabel='yes'/>",
    _DAC.format("static", "yes", "+2:+3"),
    _DAC.format("static", "yes", "root:root"),
    _DAC.format("static", "no", "+2:+3"),
    _DAC.format("static", "yes", "2"),
)

_PREPARE = """mkdir PLACE; cd PLACE; truncate -s 1M a b c d e; chown 1:2 a d; chown 5:6 e; chmod 666 c d
qemu-img create -q -f qcow2 base 1M; qemu-img create -q -f qcow2 -b base -F qcow2 top; chmod 600 base; chmod 755 ."""

_FILES = (
    "ls -ln PLACE | awk '{print $1, $3, $4, $9}'; cd PLACE; PYTHON -c '"
    + """
import os
for name in sorted(os.listdir()):
    kept = {each: os.getxattr(name, each) for each in sorted(os.listxattr(name))}
    if kept.pop("trusted.libvirt.security.timestamp_dac", None) is not None:
        print(name, "has the time", *(each.decode() for each in kept.values()))
'""".replace("    ", "\t")
)

_PROCESS = """for p in /proc/[0-9]*; do grep -q ^qemu-system $p/comm && grep -E '^(Uid|Gid|Groups|CapEff)' $p/status
done; ls -lnd /var/lib/libvirt/qemu/domain-* /var/lib/libvirt/qemu/channel/target/domain-* | awk '{print $3, $4}'"""

#: A guest whose disks become others: images of its own, and block devices.
_LATER = """<domain type='qemu'><name>later</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type><kernel>PLACE/c</kernel></os><features><acpi/></features>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file'><source file='PLACE/a'/><target dev='sda' bus='scsi'/></disk>
<disk type='file' device='cdrom'><source file='PLACE/e'/><target dev='sdb' bus='scsi'/></disk>
<disk type='block'><driver type='qcow2'/><source dev='PLACE/top'/><target dev='sdc' bus='scsi'/></disk>
<controller type='scsi' model='virtio-scsi'/><controller type='usb' model='none'/><memballoon model='none'/>
</devices></domain>"""

#: The same kernel, and somebody else.
_OTHER = """<domain type='qemu'><name>other</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type><kernel>PLACE/c</kernel></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices>
<seclabel type='static' model='dac' relabel='yes'><label>+7:+8</label></seclabel></domain>"""

_DISK = "<disk type='{}'><source {}='PLACE/{}'/><target dev='sdd' bus='scsi'/></disk>"

#: Images as block devices, with others' below.
_LOOPS = """for f in loop base.loop top.loop; do truncate -s 4M PLACE/$f; done; cd PLACE; rm -f top base
ln -s $(losetup -f --show PLACE/loop) blk; ln -s $(losetup -f --show PLACE/base.loop) base; chown --reference=/dev/loop-control $(readlink blk) $(readlink base)
qemu-img create -q -f qcow2 -b PLACE/base -F raw q 1M; dd if=q of=top.loop conv=notrunc status=none; rm q
ln -s $(losetup -f --show PLACE/top.loop) top"""

_UNLOOP = (
    "names=$(for f in loop base.loop top.loop; do losetup -n -O NAME -j PLACE/$f; done); "
    "chown --reference=/dev/loop-control $names; losetup -d $names"
)

_RULES = "sort /sys/fs/cgroup/devices/machine/*later*/devices.list 2>/dev/null; readlink PLACE/blk PLACE/base PLACE/top"

_SNAPSHOT = (
    "snapshot-create-as later s --disk-only --no-metadata --diskspec sdc,snapshot=no --diskspec"
)

#: What is done to it; C{<} writes the file C{PLACE/x}.
STEPS = (
    "start later --paused",
    "start other",
    "<" + _DISK.format("file", "file", "d"),
    "attach-device later PLACE/x",
    "detach-device later PLACE/x",
    "<" + _DISK.format("block", "dev", "blk"),
    "attach-device later PLACE/x",
    "detach-device later PLACE/x",
    f"{_SNAPSHOT} sda,file=PLACE/snap",
    "blockcommit later sda --active --pivot --wait",
    "blockcopy later sda PLACE/copy --transient-job --wait",
    "blockjob later sda --abort",
    "blockcopy later sda PLACE/blk --blockdev --format raw --reuse-external --transient-job --wait --pivot",
    "change-media later sdb --eject --force",
    "change-media later sdb PLACE/blk --insert --block",
    "blockpull later sdc --wait",
    f"{_SNAPSHOT} sda,file=PLACE/last",
    "destroy later",
)

_KILL = "for p in /proc/[0-9]*; do grep -q ^qemu-system $p/comm && kill -9 ${p#/proc/}; done; :"


class OwnerTests(TestCase):
    """One user, many labels, both daemons."""

    maxDiff = None

    def shell(self, world: World, command: str) -> str:
        outcome = world.run(
            [
                "sh",
                "-c",
                command.replace("PLACE", f"{world.folder}/i").replace("PYTHON", sys.executable),
            ]
        )
        return outcome.stdout + outcome.stderr

    def seen(self, world: World) -> list[str]:
        """Return what became of everything, in order."""
        self.addCleanup(world.stop)
        self.shell(world, _PREPARE)
        said: list[str] = []

        def virsh(*words: str) -> None:
            outcome = world.virsh(*words)
            said.append(outcome.stdout + outcome.stderr)

        for number, label in enumerate(LABELS):
            name = f"g{number}"
            text = _GUEST.replace("NAME", name).replace("LABEL", label)
            path = world.write(f"{name}.xml", text.replace("PLACE", f"{world.folder}/i"))
            virsh("define", path)
            if "error" in said[-1]:
                continue
            virsh("start", name, "--paused")
            said += [self.shell(world, _FILES), self.shell(world, _PROCESS)]
            virsh("dumpxml", name, "--xpath", "//seclabel")
            if number == 3:
                # Nobody looks when it ends.
                world.stopDaemon(9)
                self.shell(world, _KILL)
                world.startDaemon()
                world._wait(lambda: "shut off" in world.virsh("domstate", "g3").stdout, "its end")
                # libvirtd does not always remember then whose they were.
                files = self.shell(world, _FILES)
                if world.label == "pyvirt":
                    self.assertIn("-rw-r--r-- 1 2 a\n", files)
                    self.assertIn("-rw-rw-rw- 1 2 d\n", files)
                    self.assertNotIn("sock", files)
            else:
                virsh("destroy", name)
                said.append(self.shell(world, _FILES))
            self.shell(world, "cd PLACE; chown 0:0 base e top; chown 1:2 a d; rm -f new.log sock")
        said += self.changed(world)
        # Root's own groups are the daemon's here, and those of /etc/group there: either is root.
        return [
            each.replace(world.folder, "FOLDER").replace("Groups:\t0 \n", "Groups:\t \n")
            for each in said
        ]

    def changed(self, world: World) -> list[str]:
        """Return what becomes of files, and of what a guest may open, while its disks become others."""
        self.shell(world, "rm -rf PLACE; " + _PREPARE)
        try:
            self.assertEqual(self.shell(world, _LOOPS), "")
            return self.stepped(world)
        finally:
            # Not even a failure leaves block devices on the host.
            self.shell(world, _UNLOOP)

    def stepped(self, world: World) -> list[str]:
        """Do the steps, and look after each."""
        said: list[str] = []
        for text in (_LATER, _OTHER):
            path = world.write("x.xml", text.replace("PLACE", f"{world.folder}/i"))
            self.assertEqual(world.virsh("define", path).stderr, "")
        for step in STEPS:
            step = step.replace("PLACE", f"{world.folder}/i")
            if step.startswith("<"):
                world.write("i/x", step[1:])
                continue
            outcome = world.virsh(*step.split())
            said += [step, outcome.stdout + outcome.stderr, self.shell(world, _FILES)]
            *lines, blk, base, top = self.shell(world, _RULES).splitlines()
            for path, word in ((blk, "BLK"), (base, "BASE"), (top, "TOP")):
                lines = [line.replace(f"b 7:{path[9:]} ", f"b {word} ") for line in lines]
            said.append("\n".join(sorted(lines)))
        self.assertIn("b BASE r", "\n".join(said))
        return said

    def test_owners(self) -> None:
        """Processes, folders, images and what lies below them, ports: all are whose they are with libvirtd, and remember whose
        they were; devices of the host may be opened as with libvirtd."""
        with ThreadPoolExecutor(2) as pool:
            worlds = list(pool.map(lambda kind: kind(_CONF), (LibvirtWorld, PyvirtWorld)))
            theirs, ours = pool.map(self.seen, worlds)
        self.assertIn("1234", "".join(theirs))
        self.assertIn("a has the time +1:+2 1\n", "".join(theirs))
        self.assertEqual(ours, theirs)
