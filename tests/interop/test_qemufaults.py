"""
What keeps guests from starting, and what goes wrong while they run: our QEMU driver says what libvirtd's says, and leaves
as little behind.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from tests.interop.qemusessions import IMAGES, SessionCase
from tests.interop.qemuworld import World

_GUEST = """<domain type='qemu'><name>NAME</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>"""

#: What a guest has that keeps it from starting.
DEVICES = """
<disk type='file'><source file='IMAGES/nope.raw'/><target dev='vda'/></disk>
<disk type='file'><driver type='qcow2'/><source file='IMAGES/nope.raw'/><target dev='vda'/></disk>
<disk type='file'><driver type='qcow2'/><source file='IMAGES/empty'/><target dev='vda'/></disk>
<disk type='file'><driver type='qcow2'/><source file='IMAGES/broken.qcow2'/><target dev='vda'/></disk>
<disk type='file'><driver type='qcow2'/><source file='IMAGES/deep.qcow2'/><target dev='vda'/></disk>
<disk type='file'><driver type='qcow2'/><source file='IMAGES/nope.qcow2'/><backingStore/><target dev='vda'/></disk>
<disk type='file'><source file='IMAGES/nope.raw'/><backingStore/><target dev='vda'/></disk>
<disk type='file'><source file='IMAGES/dir'/><target dev='vda'/></disk>
<disk type='file'><driver type='qcow2'/><source file='IMAGES/dir'/><target dev='vda'/></disk>
<disk type='file'><source file='IMAGES/loop'/><target dev='vda'/></disk>
<disk type='file'><source file='IMAGES/a.raw/x'/><target dev='vda'/></disk>
<disk type='file'><source file='relative.img'/><target dev='vda'/></disk>
<disk type='block'><source dev='/dev/nope'/><target dev='vda'/></disk>
<disk type='dir'><source dir='IMAGES/dir'/><target dev='vda'/></disk>
<disk type='dir'><driver type='fat'/><source dir='IMAGES/nodir'/><target dev='vda'/><readonly/></disk>
<disk type='file' device='cdrom'><source file='IMAGES/nope.iso'/><target dev='hdc'/></disk>
<disk type='file' device='cdrom'><source file='IMAGES/nope.iso' startupPolicy='requisite'/><target dev='hdc'/></disk>
<disk type='file' device='cdrom'><source file='IMAGES/nope.iso' startupPolicy='mandatory'/><target dev='hdc'/></disk>
<disk type='file' device='floppy'><source file='IMAGES/nope.iso'/><target dev='fda'/></disk>
<disk type='nvme'><source type='pci' namespace='1' managed='no'><address domain='0' bus='1' slot='0' function='0'/></source><target dev='vda'/></disk>
<disk type='file'><source file='IMAGES/a.raw'/><target dev='vda'/></disk><disk type='file'><source file='IMAGES/a.raw'/><target dev='vdb'/></disk>
<disk type='file'><driver type='qcow2'/><source file='IMAGES/q.qcow2'><encryption format='luks'><secret type='passphrase' usage='/nope'/></encryption></source><target dev='vda'/></disk>
<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='nobr'/></interface>
<interface type='bridge'><source bridge='nobr'/><virtualport type='openvswitch'/></interface>
<interface type='network'><source network='nonet'/></interface>
<interface type='direct'><source dev='nodev' mode='bridge'/></interface>
<interface type='ethernet'><target dev='mytap' managed='no'/></interface>
<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><driver queues='4'/></interface>
<interface type='user'><mac address='52:54:00:00:00:01'/><model type='nonsense'/></interface>
<graphics type='vnc' listen='203.0.113.9'/>
<graphics type='vnc'><listen type='socket' socket='/nope/dir/vnc.sock'/></graphics>
<graphics type='spice'><gl enable='yes' rendernode='/dev/dri/nope'/><listen type='none'/></graphics>
<serial type='file'><source path='IMAGES/dir'/></serial>
<serial type='file'><source path='/nope/serial.log'/></serial>
<serial type='pipe'><source path='/nope/pipe'/></serial>
<serial type='unix'><source mode='connect' path='/nope/sock'/></serial>
<serial type='unix'><source mode='bind' path='/nope/dir/sock'/></serial>
<serial type='unix'><source mode='bind' path='/LONG'/></serial>
<serial type='pty'><log file='/nope/log'/></serial>
<channel type='unix'><source mode='connect' path='/nope/sock'/><target type='virtio' name='x'/></channel>
<rng model='virtio'><backend model='random'>/dev/nope</backend></rng>
<hub type='usb'/>
"""

#: Other changes of the definition: what is replaced, and by what.
CHANGES = """
<os>.*</os> => <os><type machine='pc'>hvm</type><kernel>/nope/vmlinuz</kernel></os>
<os>.*</os> => <os><type machine='pc'>hvm</type><kernel>IMAGES/empty</kernel></os>
<os>.*</os> => <os><type machine='pc'>hvm</type><kernel>IMAGES/a.raw</kernel><initrd>/nope/initrd</initrd></os>
<os>.*</os> => <os><type machine='pc'>hvm</type><loader>/nope/bios</loader></os>
<os>.*</os> => <os><type machine='pc'>hvm</type><loader>IMAGES/empty</loader></os>
<os>.*</os> => <os><type machine='q35'>hvm</type><loader readonly='yes' type='pflash'>/nope/code</loader><nvram>IMAGES/nv1</nvram></os>
<os>.*</os> => <os><type machine='q35'>hvm</type><loader readonly='yes' type='pflash'>IMAGES/a.raw</loader><nvram template='/nope/t'>IMAGES/nv1</nvram></os>
<os>.*</os> => <os><type machine='q35'>hvm</type><loader readonly='yes' type='pflash'>IMAGES/a.raw</loader><nvram template='IMAGES/dir'>IMAGES/nv1</nvram></os>
<os>.*</os> => <os><type machine='q35'>hvm</type><loader readonly='yes' type='pflash'>IMAGES/a.raw</loader><nvram template='IMAGES/a.raw'>IMAGES/nodir/nv1</nvram></os>
<os>.*</features> => <os><type machine='q35'>hvm</type><loader readonly='yes' type='pflash'>IMAGES/a.raw</loader></os>
<os> => <os firmware='bios'>
machine='pc' => machine='nonsense'
machine='pc' => machine='none'
arch='x86_64' => arch='aarch64'
hvm => xen
type='qemu' => type='kvm'
/usr/bin/qemu-system-x86_64 => /nope/qemu
/usr/bin/qemu-system-x86_64 => IMAGES/dir
/usr/bin/qemu-system-x86_64 => IMAGES/exits
<devices> => <cpu mode='custom' match='exact'><model fallback='allow'>nonsense</model></cpu><devices>
<devices> => <numatune><memory mode='strict' nodeset='7'/></numatune><devices>
<devices> => <memoryBacking><source type='memfd'/><access mode='shared'/><hugepages/></memoryBacking><devices>
<devices> => <resource><partition>nope</partition></resource><devices>
<devices> => <resource><partition>/nope</partition></resource><devices>
<devices> => <seclabel type='static' model='selinux'><label>x</label></seclabel><devices>
<devices> => <seclabel type='static' model='dac' relabel='yes'><label>nouser:nogroup</label></seclabel><devices>
<devices> => <sysinfo type='fwcfg'><entry name='opt/com.x/y' file='/nope/file'/></sysinfo><devices>
"""

_PREPARE = """cd IMAGES; truncate -s 1M a.raw b.raw c.raw; : > empty; mkdir dir; ln -s loop loop
qemu-img create -q -f qcow2 q.qcow2 1M; qemu-img create -q -f qcow2 -u -b IMAGES/nobase -F raw broken.qcow2 1M
qemu-img create -q -f qcow2 -u -b IMAGES/broken.qcow2 -F qcow2 deep.qcow2 1M
printf '#!/bin/sh\necho bad luck >&2; exit 3\n' > exits; chmod 755 exits"""

#: What a guest might leave: processes, files, groups, network devices.
_LEFT = """cat /proc/[0-9]*/comm | grep -E '^(qemu|swtpm|virtiofsd)'
find /run/libvirt/qemu /var/lib/libvirt/qemu IMAGES ! -type d ! -name '*.pid' ! -name autostarted | sort
find /var/lib/libvirt/qemu -name 'domain-*'; find /sys/fs/cgroup -path '*/machine/qemu-*' -type d
ls /sys/class/net; find IMAGES ! -user root"""


def _plain(text: str) -> str:
    """Take out what differs from run to run, and which of two texts libvirt chooses by how fast QEMU ends."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\S+Z", "<time>", text)
    text = text.replace(
        "process exited while connecting to monitor", "qemu unexpectedly closed the monitor"
    )
    return re.sub(r"vnet\d+|macvtap\d+", "<device>", text)


class FaultCase(SessionCase):
    """Two worlds with images, good and bad."""

    def prepare(self, world: World) -> None:
        outcome = world.run(["sh", "-ec", _PREPARE.replace("IMAGES", IMAGES)])
        self.assertEqual(outcome.status, 0, outcome.stderr)

    def left(self, world: World) -> str:
        """What there is besides what was there from the beginning."""
        return world.run(["sh", "-c", _LEFT.replace("IMAGES", IMAGES)]).stdout


class StartFaultTests(FaultCase):
    """Guests that do not start."""

    maxDiff = None

    def documents(self) -> list[str]:
        """Return definitions of guests, each with something wrong."""
        found = [
            _GUEST.replace("</devices>", f"{line}</devices>")
            for line in DEVICES.strip().splitlines()
        ]
        for line in CHANGES.strip().splitlines():
            old, new = line.split(" => ")
            found.append(re.sub(old, lambda _, new=new: new, _GUEST, count=1, flags=re.DOTALL))  # type: ignore[misc]
        return [each.replace("IMAGES", IMAGES).replace("LONG", "x" * 120) for each in found]

    def refused(self, world: World) -> list[str]:
        """Return what is said of each of them."""
        before = self.left(world)
        commands = []
        for number, text in enumerate(self.documents()):
            path = world.write(f"{number}.xml", text.replace("NAME", f"g{number}"))
            commands.append(f"echo --err case {number}\ncreate {path}")
        outcome = world.virsh(input="\n".join(commands) + "\n")
        text = _plain(outcome.stderr.replace(world.folder, "FOLDER"))
        # What a binary prints when it is asked what it can do ends with an empty line there.
        text = text.replace("bad luck\n\n", "bad luck\n")
        said = re.split(r"case \d+\n", text)[1:]
        self.assertEqual(world.virsh("list", "--all", "--name").stdout.strip(), "")
        self.assertEqual(self.left(world), before, world.label)
        return said

    def test_start(self) -> None:
        """Each is refused in the same words, and nothing is left of it."""
        with ThreadPoolExecutor(2) as pool:
            theirs, ours = pool.map(self.refused, self.worlds)
        self.assertEqual(len(theirs), len(self.documents()))
        for number, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            self.assertIn("error: ", one)
            self.assertEqual(one, other, self.documents()[number])


OPTIONAL = """
define FOLDER/optional.xml
start optional --paused
dumpxml optional
dumpxml optional --inactive
destroy optional
domstate --reason optional
+attach-device optional --config <disk type='file'><source file='IMAGES/nope.raw'/><target dev='vdc'/></disk>
start optional
domstate --reason optional
!ls IMAGES
undefine optional
define FOLDER/flash.xml
start flash --paused
destroy flash
!ls -l IMAGES/nv | cut -c1-20
undefine flash
undefine flash --keep-nvram
!ls IMAGES
define FOLDER/flash.xml
undefine flash --nvram
!ls IMAGES
"""


class MissingTests(FaultCase):
    """Images that may be missing, and variables of firmware."""

    kinds = (0, 9)

    def prepare(self, world: World) -> None:
        super().prepare(world)
        disks = """
            <disk type='file' device='cdrom'><source file='IMAGES/nope.iso' startupPolicy='optional'/><target dev='hda'/></disk>
            <disk type='file'><driver type='qcow2'/><source file='IMAGES/nope.raw' startupPolicy='optional'/><target dev='vda'/></disk>
            <disk type='file'><driver type='qcow2'/><source file='IMAGES/broken.qcow2' startupPolicy='optional'/><target dev='vdb'/></disk>
            <disk type='file' device='floppy'><source file='IMAGES/nope.img' startupPolicy='optional'/><target dev='fda'/></disk>
            """
        uuid = "<uuid>11111111-2222-3333-4444-55555555555{}</uuid></name>"
        text = _GUEST.replace("</devices>", f"{disks}</devices>").replace("IMAGES", IMAGES)
        text = text.replace("</name>", "</name>" + uuid.format(1).removesuffix("</name>"))
        world.write("optional.xml", text.replace("NAME", "optional"))
        text = _GUEST.replace(
            "machine='pc'>hvm</type>",
            "machine='q35'>hvm</type><loader readonly='yes' type='pflash'>IMAGES/a.raw</loader>"
            "<nvram template='IMAGES/b.raw'>IMAGES/nv</nvram>",
        ).replace("IMAGES", IMAGES)
        world.write("flash.xml", text.replace("NAME", "flash"))

    def test_optional(self) -> None:
        """Drives whose media are missing are empty, disks are left out; variables stay and go as is asked."""
        self.compare(OPTIONAL)
