"""
What keeps guests from starting, and what goes wrong while they run: our QEMU driver says what libvirtd's says, and leaves
as little behind.
"""

from __future__ import annotations

import glob
import os
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
<disk type='file'><driver type='vmdk'/><source file='IMAGES/q.qcow2'><encryption format='luks'><secret type='passphrase' usage='/nope'/></encryption></source><target dev='vda'/></disk>
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
<devices> => <cpu mode='host-model'><feature policy='require' name='nonsense'/></cpu><devices>
<devices> => <cpu mode='host-model'><feature policy='require' name='avx512f'/></cpu><devices>
<devices> => <cpu mode='custom' check='partial'><model>qemu64</model><feature policy='require' name='avx512f'/></cpu><devices>
<devices> => <cpu mode='custom'><model>qemu64</model><feature policy='require' name='invtsc'/></cpu><devices>
<devices> => <cpu mode='maximum' check='full'><feature policy='require' name='avx512f'/></cpu><devices>
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

    maxDiff = None

    def prepare(self, world: World) -> None:
        outcome = world.run(["sh", "-ec", _PREPARE.replace("IMAGES", IMAGES)])
        self.assertEqual(outcome.status, 0, outcome.stderr)

    def _said(self, world: World, line: str) -> str:
        return _plain(super()._said(world, line))

    def left(self, world: World) -> str:
        """What there is besides what was there from the beginning."""
        return world.run(["sh", "-c", _LEFT.replace("IMAGES", IMAGES)]).stdout


class StartFaultTests(FaultCase):
    """Guests that do not start."""

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
pool-create FOLDER/pool.xml
define FOLDER/volumes.xml
vol-create-as p v 1M
start volumes --paused
dumpxml volumes
managedsave volumes
managedsave-dumpxml volumes
vol-delete v p
start volumes
dumpxml volumes
destroy volumes
undefine volumes
pool-destroy p
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
        disks = """
            <disk type='volume' device='cdrom'><driver type='qcow2'/><source pool='p' volume='no' startupPolicy='optional'/><target dev='hda'/></disk>
            <disk type='volume' device='cdrom'><source pool='p' volume='v' startupPolicy='requisite'/><target dev='hdb'/></disk>
            <disk type='volume'><source pool='p' volume='no' startupPolicy='optional'/><target dev='vda'/></disk>
            <disk type='file' device='floppy'><source file='IMAGES/nope.img' startupPolicy='optional'/><target dev='fda'/></disk>
            """
        text = _GUEST.replace("</devices>", f"{disks}</devices>").replace("IMAGES", IMAGES)
        text = text.replace("</name>", "</name>" + uuid.format(2).removesuffix("</name>"))
        world.write("volumes.xml", text.replace("NAME", "volumes"))
        pool = f"<pool type='dir'><name>p</name>{uuid.format(3).removesuffix('</name>')}"
        world.write("pool.xml", f"{pool}<target><path>{IMAGES}/dir</path></target></pool>")
        text = _GUEST.replace(
            "machine='pc'>hvm</type>",
            "machine='q35'>hvm</type><loader readonly='yes' type='pflash'>IMAGES/a.raw</loader>"
            "<nvram template='IMAGES/b.raw'>IMAGES/nv</nvram>",
        ).replace("IMAGES", IMAGES)
        world.write("flash.xml", text.replace("NAME", "flash"))

    def test_optional(self) -> None:
        """Drives whose media are missing are empty, disks are left out; variables stay and go as is asked."""
        self.compare(OPTIONAL)


#: One line that goes wrong after the other, of a guest that runs; and what of it is still so afterwards.
LIVE = r"""
start g --paused
start h
+attach-device g <disk type='file' device='disk'><source file='IMAGES/nope'/><target dev='vdb' bus='virtio'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/nope'/><target dev='vda' bus='virtio'/></disk>
+attach-device g <disk type='file' device='disk'><driver type='qcow2'/><source file='IMAGES/nope'/><target dev='vdb' bus='virtio'/></disk>
+attach-device g <disk type='file' device='disk'><driver type='qcow2'/><source file='IMAGES/empty'/><target dev='vdb' bus='virtio'/></disk>
+attach-device g <disk type='file' device='disk'><driver type='qcow2'/><source file='IMAGES/broken.qcow2'/><target dev='vdb' bus='virtio'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/dir'/><target dev='vdb' bus='virtio'/></disk>
+attach-device g <disk type='file' device='disk'><driver type='qcow2'/><source file='IMAGES/dir'/><target dev='vdb' bus='virtio'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/loop'/><target dev='vdb' bus='virtio'/></disk>
+attach-device g <disk type='file' device='disk'><source file='relative'/><target dev='vdb' bus='virtio'/></disk>
+attach-device g <disk type='network'><source protocol='nbd' name='x'><host name='127.0.0.1' port='1'/></source><target dev='vdb'/></disk>
+attach-device g <interface type='bridge'><source bridge='nobr'/></interface>
+attach-device g <interface type='network'><source network='nonet'/></interface>
+attach-device g <interface type='direct'><source dev='nodev' mode='bridge'/></interface>
+attach-device g <interface type='ethernet'><target dev='mytap' managed='no'/></interface>
+attach-device g <interface type='user'><mac address='52:54:00:00:00:09'/><model type='nonsense'/></interface>
+attach-device g <interface type='user'><mac address='52:54:00:00:00:09'/><model type='virtio'/><driver queues='4'/></interface>
+attach-device g <serial type='unix'><source mode='connect' path='/nope/sock'/></serial>
+attach-device g <channel type='unix'><source mode='connect' path='/nope/sock'/><target type='virtio' name='x'/></channel>
+attach-device g <channel type='file'><source path='/nope/dir/f'/><target type='virtio' name='x'/></channel>
+attach-device g <channel type='pty'><target type='virtio' name='y'/></channel>
+attach-device g <rng model='virtio'><backend model='random'>/dev/nope</backend></rng>
+attach-device g <rng model='virtio'><backend model='egd' type='unix'><source mode='connect' path='/nope/sock'/></backend></rng>
+attach-device g <hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0x5678'/></source></hostdev>
+attach-device g <hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='99' slot='0' function='0'/></source></hostdev>
+attach-device g <vsock model='virtio'><cid auto='yes'/></vsock>
+attach-device g <memory model='dimm'><target><size unit='MiB'>64</size><node>0</node></target></memory>
+attach-device g <tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>
+attach-device g <nonsense/>
+attach-device g <disk
change-media g sdc IMAGES/nope
change-media g sdc IMAGES/dir
change-media g vda IMAGES/a.raw
change-media g hdz IMAGES/a.raw
change-media g sdc --eject
change-media g sdc IMAGES/a.raw
change-media g sdc IMAGES/nope --update
dumpxml g --xpath /domain/devices/disk
snapshot-create-as g s1 --disk-only --diskspec vda,file=/nope/dir/s
snapshot-create-as g s1 --disk-only --diskspec vda,file=IMAGES/dir
snapshot-create-as g s1 --disk-only --diskspec vda,file=IMAGES/a.raw --diskspec sdc,snapshot=no
snapshot-create-as g s1 --disk-only --diskspec vda,file=relative
snapshot-create-as g s1 --disk-only --diskspec vdz,file=IMAGES/s1
snapshot-create-as g s1 --disk-only --diskspec vda,file=IMAGES/s1,snapshot=internal
snapshot-create-as g s1 --disk-only --reuse-external --diskspec vda,file=IMAGES/s1
snapshot-create-as g s1 --memspec /nope/dir/mem --diskspec vda,file=IMAGES/s1
snapshot-create-as g s1 --disk-only --quiesce
snapshot-create-as g s/1
snapshot-list g
blockcopy g vda /nope/dir/c --wait
blockcopy g vda IMAGES/dir --wait
blockcopy g vda relative --wait
blockcopy g vda IMAGES/nope --reuse-external --wait
blockcopy g vdz IMAGES/c
blockcopy g vda IMAGES/empty --wait
blockjob g vda
blockcommit g vda --wait
blockpull g vda --base IMAGES/nope --wait
!virsh -q snapshot-create-as g s1 --memspec FOLDER/full/m --diskspec vda,file=IMAGES/s1 2>/dev/null; echo $?; ls FOLDER/full
!virsh -q save g FOLDER/full/s 2>/dev/null; echo $?; ls FOLDER/full; virsh domstate g --reason
!virsh -q dump g FOLDER/full/d 2>/dev/null; echo $?; ls FOLDER/full; virsh domstate g --reason
!virsh -q dump g FOLDER/full/d --memory-only --crash 2>/dev/null; echo $?; ls FOLDER/full; virsh domstate g --reason
blockcopy g vda FOLDER/full/c --wait
!ls FOLDER/full
resume g
suspend g
save g /nope/dir/save
save g IMAGES/dir
domstate g --reason
save g relative/save
save g IMAGES/save --xml /nope
domstate g --reason
domjobinfo g
screenshot g --screen 7
backup-begin g
UNTIL None | domjobinfo g
domjobabort g
checkpoint-create-as g c1 --diskspec vdz
checkpoint-create-as g c1
checkpoint-create-as g c1
domblkthreshold g vdz 100
qemu-agent-command g '{"execute":"guest-ping"}'
domfsinfo g
shutdown g --mode agent
set-user-password g root x
domfsfreeze g
domtime g
setvcpus g 5
setvcpus g 1 --guest
setmem g 99G
send-key g 999999
domif-setlink g nope down
detach-disk g vdz
detach-interface g bridge
managedsave g
domstate g --reason
!head -c 200 /var/lib/libvirt/qemu/save/g.save > /var/lib/libvirt/qemu/save/t; cp /var/lib/libvirt/qemu/save/t /var/lib/libvirt/qemu/save/g.save; rm /var/lib/libvirt/qemu/save/t
start g
domstate g --reason
managedsave-remove g
start g --paused
save g IMAGES/good.save
!cd IMAGES; head -c 50 good.save > t1; echo garbage > t4; : > t5; cp good.save t8; printf '\143' | dd of=t8 bs=1 seek=28 conv=notrunc 2>/dev/null
restore /nope/x
restore IMAGES/dir
restore IMAGES/t1
restore IMAGES/t4
restore IMAGES/t5
restore IMAGES/t8
save-image-dumpxml IMAGES/t4
domstate g --reason
list --all
!mv IMAGES/q.qcow2 IMAGES/away
restore IMAGES/good.save
list --all
!mv IMAGES/away IMAGES/q.qcow2
restore IMAGES/good.save
restore IMAGES/good.save
!kill -9 $(cat /run/libvirt/qemu/g.pid)
UNTIL crashed | domstate g --reason
domstate g --reason
screenshot g
domjobabort g
domblkstat g vda
send-key g KEY_A
reset g
suspend g
undefine g --checkpoints-metadata --snapshots-metadata
list --all
"""


#: The same for guests of another user: each line that may leave something, and whose everything is then.
OWNED = r"""
start g
dump g IMAGES/locked/core --memory-only
dump g IMAGES/other/core --live
save g IMAGES/locked/s
restore IMAGES/locked/s
save g IMAGES/theirs --xml /nope
save g IMAGES/theirs
restore IMAGES/theirs
managedsave g
!chown 7:8 /var/lib/libvirt/qemu/save/g.save
start g
snapshot-create-as g s1 --memspec IMAGES/mem --diskspec vda,file=IMAGES/s1
snapshot-create-as g s2 --disk-only --diskspec vda,file=IMAGES/other/s2
snapshot-create-as g s3 --disk-only --reuse-external --diskspec vda,file=IMAGES/broken.qcow2
snapshot-create-as g s4 --memspec IMAGES/kept --diskspec vda,file=/nope/s4
blockcopy g vda IMAGES/copy --wait --finish --transient-job
attach-disk g IMAGES/c.raw vdb
detach-disk g vdb
attach-disk g IMAGES/c.raw vdc --targetbus nope
change-media g sdc IMAGES/b.raw
change-media g sdc IMAGES/dir
change-media g sdc IMAGES/c.raw
+attach-device g <serial type='file'><source path='IMAGES/slog'/></serial>
+attach-device g <controller type='virtio-serial' index='0'/>
suspend g
dump g IMAGES/core
dump g IMAGES/kept
resume g
destroy g
start fl
save fl IMAGES/flsave
restore IMAGES/flsave
!kill -SEGV $(cat /run/libvirt/qemu/fl.pid)
UNTIL shut | domstate fl
start bad
"""

_OWNERS = r"""!cd IMAGES; stat -c '%u:%g %a %n' * */* FOLDER/full/* 2>/dev/null | grep -v '^0:0 7'; cd /var/lib/libvirt/qemu
stat -c '%u:%g %a %n' save/* domain-* domain-*/master-key.aes channel/target/* nvram/* 2>/dev/null | sed 's/domain-[0-9]*-/domain-/'
find /run/libvirt/qemu/swtpm /var/lib/libvirt/swtpm -maxdepth 1 -printf '%U:%G %m
' | sort"""


class OwnedFaultTests(FaultCase):
    """Guests that run as another user, of which things are asked that cannot be done."""

    conf = (
        'stdio_handler = "file"\nsecurity_driver = "none"\nuser = "+1234"\ngroup = "+1235"\n'
        "namespaces = []\n"
    )

    def prepare(self, world: World) -> None:
        super().prepare(world)
        made = """cd IMAGES; mkdir locked other; chmod 700 locked other; chown 1:2 other a.raw b.raw q.qcow2
            echo kept > kept; echo theirs > theirs; chown 1:2 theirs; chown 5:6 c.raw broken.qcow2; chmod 600 theirs"""
        world.run(["sh", "-c", made.replace("IMAGES", IMAGES)])
        disks = """<disk type='file'><driver type='qcow2'/><source file='IMAGES/q.qcow2'/><target dev='vda' bus='virtio'/></disk>
            <disk type='file' device='cdrom'><target dev='sdc' bus='sata'/><readonly/></disk></devices>"""
        ports = """<serial type='file'><source path='IMAGES/locked/log'/><log file='IMAGES/locked/log2' append='on'/></serial>
            <serial type='file'><source path='IMAGES/locked/on' append='on'/></serial>
            <channel type='unix'><source mode='bind' path='IMAGES/locked/ss'/><target type='virtio' name='x'/></channel></devices>"""
        flash = (
            "<loader readonly='yes' type='pflash'>IMAGES/a.raw</loader>"
            "<nvram template='IMAGES/b.raw'>IMAGES/nv</nvram></os>"
        )
        bad = """<disk type='file'><source file='IMAGES/c.raw'/><target dev='vda'/></disk>
            <tpm><backend type='emulator' version='2.0'/></tpm>
            <disk type='file'><driver type='qcow2'/><source file='IMAGES/empty'/><target dev='vdb'/></disk></devices>"""
        for name, text in (
            ("g", _GUEST.replace("</devices>", disks)),
            (
                "fl",
                _GUEST.replace("</devices>", ports)
                .replace("</os>", flash)
                .replace("machine='pc'", "machine='q35'"),
            ),
            ("bad", _GUEST.replace("</devices>", bad)),
        ):
            path = world.write(f"{name}.xml", text.replace("NAME", name).replace("IMAGES", IMAGES))
            self.assertEqual(world.virsh("define", path).stderr, "")

    def test_owned(self) -> None:
        """Each is refused in the same words; nothing that was there is lost, and all is whose it was."""
        lines = []
        for line in OWNED.strip().splitlines():
            lines.append(line)
            if line[0] != "!":
                lines.append(_OWNERS.replace("\n", "; "))
        self.compare("\n".join(lines))


class LiveFaultTests(FaultCase):
    """Guests that run, of which things are asked that cannot be done."""

    def prepare(self, world: World) -> None:
        super().prepare(world)
        devices = """
            <disk type='file'><driver type='qcow2'/><source file='IMAGES/q.qcow2'/><target dev='vda' bus='virtio'/></disk>
            <disk type='file' device='cdrom'><target dev='sdc' bus='sata'/><readonly/></disk>
            <controller type='scsi' model='virtio-scsi'/><serial type='pty'/><video><model type='vga'/></video></devices>
            """
        text = _GUEST.replace("</devices>", devices).replace(
            "model='none'/><mem", "model='qemu-xhci'/><mem"
        )
        for name in ("g", "h"):
            path = world.write(f"{name}.xml", text.replace("IMAGES", IMAGES).replace("NAME", name))
            self.assertEqual(world.virsh("define", path).stderr, "")
        full = f"mkdir {world.folder}/full && mount -t tmpfs -o size=64k none {world.folder}/full"
        self.assertEqual(world.run(["sh", "-c", full]).stderr, "")
        self.addCleanup(self.tidy)
        self.tidy()

    @staticmethod
    def tidy() -> None:
        """Remove what names that are no paths have left: in the daemons' own folder, which is that of both worlds."""
        for path in glob.glob("/relative*"):
            os.unlink(path)

    @staticmethod
    def squeezed(command: str, text: str) -> str:
        return "" if command.startswith("undefine") else text

    def test_live(self) -> None:
        """Each is refused in the same words, the guest goes on, and nothing is left."""
        before = [self.left(world) for world in self.worlds]
        self.compare(LIVE)
        for world, files in zip(self.worlds, before, strict=True):
            left = set(self.left(world).split()) - set(files.split())
            self.assertEqual({each for each in left if "/images/" not in each}, set(), world.label)
