"""
Disks over time in our QEMU driver beside libvirtd's: the same sessions of virsh in two worlds, events included.
"""

from __future__ import annotations

import re

from tests.interop.qemusessions import IMAGES, SessionCase, disksOf
from tests.interop.qemuworld import World

GUEST = f"""<domain type='qemu'><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid>
<memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{IMAGES}/a.qcow2'/>
<target dev='vda' bus='virtio'/></disk>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{IMAGES}/b.qcow2'/>
<target dev='vdb' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='sdc' bus='sata'/><readonly/></disk>
<controller type='sata' index='0'/><controller type='usb' model='none'/><memballoon model='none'/>
</devices></domain>"""

JOBS = """
!virsh -c qemu:///system domstats g --block --backing | grep -e count -e name -e path -e ndex -e capacity -e threshold
domblkthreshold g vda 10000000000
domblkthreshold g vda[2] 20000000000
!virsh -c qemu:///system domstats g --block --backing | grep -e count -e name -e path -e ndex -e capacity -e threshold
nodesevinfo
snapshot-create-as g s1 --disk-only
snapshot-create-as g s2 desc --disk-only --diskspec vda,file=IMAGES/s2.qcow2 --diskspec vdb,snapshot=no
dumpxml g
snapshot-dumpxml g s1
domblkthreshold g vda 1000000
domblkthreshold g vda[3] 100000
domblkthreshold g vda[99] 100000
qemu-monitor-command g --hmp 'qemu-io libvirt-7-format "write -P 3 0 4M"'
blockcommit g vda --active --pivot
dumpxml g
blockcommit g vda --wait
blockjob g vda --bandwidth 5
blockjob g vda --pivot
snapshot-delete g s2
snapshot-delete g s2 --metadata
snapshot-delete g s1 --metadata
snapshot-create-as g s3 --disk-only --no-metadata
dumpxml g --inactive
blockpull g vda --wait
blockpull g vda --base IMAGES/nope
blockpull g nope
blockcopy g vda IMAGES/copy.qcow2 --wait --pivot
blockcopy g vda IMAGES/copy.qcow2 --transient-job --wait --pivot
blockcopy g vda IMAGES/copy2.qcow2 --transient-job
UNTIL ready='yes' | dumpxml g
blockjob g vda --raw
dumpxml g
RESTART
blockjob g vda --raw
blockjob g vda --abort
blockcopy g vda IMAGES/copy4.qcow2 --transient-job --shallow
UNTIL ready='yes' | dumpxml g
dumpxml g
blockcommit g vda --active --shallow --top vda[1]
snapshot-create-as g busy --disk-only --diskspec vda,snapshot=manual
blockjob g vda --abort
<block.xml <disk type='block'><source dev='/dev/null'/></disk>
blockcopy g vda --xml FOLDER/block.xml --transient-job --wait
<qed.xml <disk type='file'><driver type='qed'/><source file='IMAGES/no.qed'><encryption format='luks'><secret type='passphrase' usage='/no'/></encryption></source></disk>
blockcopy g vda --xml FOLDER/qed.xml --transient-job --wait
<dir.xml <disk type='dir'><source dir='/tmp'/></disk>
blockcopy g vda --xml FOLDER/dir.xml --transient-job --wait
<none.xml <disk><source/></disk>
blockcopy g vda --xml FOLDER/none.xml --transient-job --wait
<bochs.xml <disk><driver type='bochs'/><source file='IMAGES/no.bochs'/></disk>
blockcopy g vda --xml FOLDER/bochs.xml --transient-job --wait
<over.xml <disk><driver type='vdi'/><source file='IMAGES/over.vdi'/><backingStore type='file'><format type='qcow2'/><source file='IMAGES/b.qcow2'/></backingStore></disk>
blockcopy g vda --xml FOLDER/over.xml --transient-job --wait
blockcopy g vda --xml FOLDER/over.xml --transient-job --wait --shallow
domblkthreshold g IMAGES/a.qcow2[7] 1000
blockcopy g vda IMAGES/copy3.raw --transient-job --wait --finish --format raw
blockcopy g vda IMAGES/copy3.raw --transient-job --wait --finish --reuse-external --format qcow2
dumpxml g
snapshot-create-as g e1 --disk-only
snapshot-create-as g e2 --disk-only
snapshot-delete g e1
snapshot-list g --tree
snapshot-delete g e2
dumpxml g
snapshot-list g --tree
!ls IMAGES
destroy g
blockpull g vda
domblkthreshold g vda 1000
"""

SNAPSHOTS = """
snapshot-create-as g i1 internal-one
snapshot-info g i1
<enc.xml <domainsnapshot><disks><disk name='vda'><driver type='qcow2'/><source file='IMAGES/no.qcow2'><encryption format='luks' engine='librbd'><secret type='passphrase' usage='/no'/></encryption></source></disk><disk name='vdb' snapshot='no'/></disks></domainsnapshot>
snapshot-create g FOLDER/enc.xml --disk-only --no-metadata
snapshot-create-as g i2 --halt
domstate g --reason
start g
snapshot-create-as g m1 --memspec file=IMAGES/m1.mem,snapshot=external --diskspec vda,file=IMAGES/m1.qcow2 --diskspec vdb,snapshot=no
snapshot-list g --tree
snapshot-info g m1
snapshot-list g --roots --name
snapshot-list g --internal --name
snapshot-list g --external --name
snapshot-list g --leaves --name
snapshot-revert g i1
domstate g --reason
dumpxml g
snapshot-current g --name
snapshot-revert g i2 --paused
domstate g --reason
snapshot-revert g m1
snapshot-revert g nope
snapshot-delete g i1
snapshot-delete g i2 --children
snapshot-delete g m1
snapshot-create-as g i2
destroy g
snapshot-create-as g off1
snapshot-create-as g off2 --disk-only --diskspec vda,file=IMAGES/off2.qcow2 --diskspec vdb,snapshot=no
dumpxml g
RESTART
snapshot-list g --tree
snapshot-current g --name
snapshot-dumpxml g i2
start g
snapshot-create-as g off3 --disk-only --halt --no-metadata --diskspec vdb,snapshot=no
domstate g --reason
snapshot-revert g off1
dumpxml g
snapshot-create-as g x1 --diskspec vda,snapshot=manual
snapshot-create-as g x1 --diskspec nope,snapshot=internal
snapshot-create-as g x1 --diskspec vda,snapshot=external --diskspec vdb,snapshot=internal
snapshot-create-as g x1 --disk-only --diskspec vda,file=relative
snapshot-create-as g x1 --disk-only --diskspec vda,file=IMAGES/a.qcow2
snapshot-create-as g x1 --disk-only --reuse-external
snapshot-create-as g x1 --memspec snapshot=external
snapshot-create-as g x1 --memspec file=relative,snapshot=external
snapshot-create-as g x1 --disk-only --memspec file=/tmp/x,snapshot=external
snapshot-create-as g x1 --disk-only --diskspec vda,snapshot=no --diskspec vdb,snapshot=no
snapshot-create-as g x1 --live
undefine g
undefine g --snapshots-metadata
!ls IMAGES
"""

BACKUPS = """
checkpoint-create-as g c1
checkpoint-dumpxml g c1 --size --no-domain
checkpoint-create-as g c2 desc --diskspec vda,bitmap=other
checkpoint-create-as g c2
checkpoint-list g --tree
snapshot-create-as g sx --disk-only
snapshot-create-as g sy --disk-only --no-metadata --diskspec vda,snapshot=manual
domstate g --reason
resume g
<b1.xml <domainbackup><disks><disk name='vda' type='file'><target file='IMAGES/push.qcow2'/><driver type='qcow2'/></disk></disks></domainbackup>
backup-dumpxml g
backup-begin g FOLDER/b1.xml
UNTIL None | domjobinfo g
domjobinfo g --completed
<b2.xml <domainbackup mode='push'><incremental>c1</incremental><disks><disk name='vda' backup='yes' type='file'><target file='IMAGES/inc.qcow2'/><driver type='qcow2'/></disk></disks></domainbackup>
backup-begin g FOLDER/b2.xml
UNTIL None | domjobinfo g
<b3.xml <domainbackup mode='pull'><incremental>c2</incremental><server transport='unix' socket='/run/libvirt/nbd.sock'/><disks><disk name='vda' type='file' exportname='vda'><scratch file='IMAGES/scratch.qcow2'/></disk></disks></domainbackup>
<cp.xml <domaincheckpoint><name>c4</name></domaincheckpoint>
backup-begin g FOLDER/b3.xml FOLDER/cp.xml
backup-dumpxml g
qemu-monitor-command g '{"execute":"query-name","id":"1"}'
suspend g
resume g
checkpoint-create-as g cx --diskspec vda,checkpoint=no
!qemu-img convert -O raw 'nbd+unix:///vda?socket=/run/libvirt/nbd.sock' IMAGES/pulled.raw && qemu-img compare -U IMAGES/pulled.raw IMAGES/push.qcow2
blockcommit g vda --active
RESTART
backup-dumpxml g
checkpoint-list g --tree
domjobabort g
UNTIL None | domjobinfo g
backup-dumpxml g
<b5.xml <domainbackup mode='pull'><incremental>nope</incremental><server transport='unix' socket='/run/libvirt/nbd.sock'/><disks><disk name='vda'/></disks></domainbackup>
backup-begin g FOLDER/b5.xml
<b8.xml <domainbackup><disks><disk name='vda' backup='no'/></disks></domainbackup>
backup-begin g FOLDER/b8.xml
backup-begin g FOLDER/b1.xml
checkpoint-delete g c1
checkpoint-delete g c2 --children-only
checkpoint-list g --tree
checkpoint-delete g c2
checkpoint-create-as g c5
checkpoint-delete g c5 --metadata
!ls IMAGES
<b7.xml <domainbackup><disks><disk name='vda' type='file'><driver type='qed'/><target file='IMAGES/no.qed'><encryption format='luks'><secret type='passphrase' usage='/no'/></encryption></target></disk></disks></domainbackup>
backup-begin g FOLDER/b7.xml
<b10.xml <domainbackup><disks><disk name='vda' incremental='nope' type='file'><target file='IMAGES/no'><encryption format='luks'><secret type='passphrase' usage='/no'/></encryption></target></disk></disks></domainbackup>
backup-begin g FOLDER/b10.xml
<b11.xml <domainbackup mode='pull'><server transport='unix' socket='/run/libvirt/nbd.sock'/><disks><disk name='vda'/></disks></domainbackup>
backup-begin g FOLDER/b11.xml
<b9.xml <domainbackup mode='pull'><server name='localhost' port='10809' tls='yes'/></domainbackup>
backup-begin g FOLDER/b9.xml
checkpoint-create-as g k1
snapshot-create-as g k2 --memspec file=IMAGES/k2.mem
qemu-monitor-command g --hmp 'qemu-io -d /machine/peripheral/virtio-disk0/virtio-backend "write -P 3 0 128k"'
blockcommit g vda --active --pivot --wait
blockcopy g vdb IMAGES/k.qcow2 --transient-job --wait --pivot
checkpoint-dumpxml g k1 --size --no-domain
destroy g
checkpoint-create-as g c0
snapshot-create-as g c0
<k.xml <domaincheckpoint><name>k3</name><creationTime>5</creationTime><domain type='qemu'><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid><memory>1</memory><os><type>hvm</type></os><devices><disk type='file'><source file='IMAGES/a.qcow2'/><target dev='vda'/></disk></devices></domain></domaincheckpoint>
checkpoint-create g FOLDER/k.xml --redefine
checkpoint-dumpxml g k3 --no-domain
checkpoint-create g FOLDER/k.xml --redefine --redefine-validate
"""


def squeezed(command: str, text: str) -> str:
    """Take out what differs from run to run, and what is no business of disks."""
    if command.startswith("dumpxml"):
        text = disksOf(text)
    text = re.sub(r"(?s)  <(domain|inactiveDomain|cookie)[ >].*?</\1>\n", "", text)
    text = re.sub(r"<creationTime>\d+<", "<creationTime>N<", text)
    text = re.sub(r"Time elapsed: +\d+ +", "Time elapsed: N ", text)
    text = re.sub(r"\d+ ops; \S+ sec.*", "OPS", text)
    return re.sub(r"Block (Copy|Pull|commit): \[.*?\]", "", text)


#: Disks that forget: what is written goes into images that end with the run.
TRANSIENT = """
destroy g
!qemu-img create -q -f qcow2 IMAGES/c.qcow2 4M
!qemu-img create -q -f raw IMAGES/d.raw 4M
!qemu-img create -q -f qcow2 IMAGES/e.qcow2 4M
!sed -e "s|<target dev='vda'|<transient/>&|" -e 's|<devices>|<features><acpi/></features>&|' g.xml >t.xml
define t.xml
!touch IMAGES/a.qcow2.TRANSIENT-g
start g
!rm IMAGES/a.qcow2.TRANSIENT-g
start g
dumpxml g
dumpxml g --inactive
qemu-monitor-command g --hmp 'qemu-io libvirt-3-format "write -P 9 0 1M"'
snapshot-create-as g s1
snapshot-create-as g s1 --disk-only
snapshot-create-as g s1 --disk-only --diskspec vda,snapshot=no --no-metadata
blockcommit g vda --active
blockpull g vda
blockcopy g vda IMAGES/copy
checkpoint-create-as g c1
backup-begin g
save g FOLDER/save
managedsave g
domblklist g
migrate g qemu+unix:///system --live
blockresize g vda 16M
domblklist g
+attach-device g <controller type='scsi' model='virtio-scsi'/>
+attach-device g <disk type='file' device='disk'><driver type='qcow2'/><source file='IMAGES/c.qcow2'/><target dev='sda' bus='scsi'/><transient/></disk>
+attach-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/d.raw'/><target dev='sdd' bus='scsi'/><transient shareBacking='yes'/></disk>
+attach-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/d.raw'/><target dev='sde' bus='scsi'/><transient shareBacking='yes'/></disk>
+attach-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/d.raw'/><target dev='sde' bus='scsi'/><readonly/><transient/></disk>
+attach-device g <disk type='file' device='disk'><driver type='qcow2'/><source file='IMAGES/d.raw'/><target dev='sde' bus='scsi'/><transient/></disk>
+attach-device g <disk type='file' device='disk'><driver type='qcow2'/><source file='IMAGES/nope'/><target dev='sde' bus='scsi'/><transient/></disk>
+attach-device g --config <disk type='file' device='disk'><driver type='qcow2'/><source file='IMAGES/e.qcow2'/><target dev='vdc' bus='virtio'/><transient shareBacking='yes'/></disk>
dumpxml g
!ls IMAGES
detach-disk g sda
!ls IMAGES
RESTART
dumpxml g
!ls IMAGES
destroy g
!ls IMAGES
!qemu-img info IMAGES/a.qcow2 | grep virtual
!qemu-io -r -c 'read -P 7 0 1M' IMAGES/a.qcow2 | grep -v ops
start g
dumpxml g
!sed -e 's/<name>g/<name>h/' -e "s/<uuid>1/<uuid>2/" -e '/[ab].qcow2/,/target/d' t.xml >h.xml
define h.xml
+attach-device h --config <disk type='file' device='disk'><driver type='qcow2'/><source file='IMAGES/e.qcow2'/><target dev='vdc' bus='virtio'/><transient shareBacking='yes'/><boot order='1'/></disk>
+attach-device h --config <disk type='file' device='disk'><driver type='qcow2'/><source file='IMAGES/e.qcow2'/><target dev='vdc' bus='virtio'/><transient shareBacking='yes'/></disk>
start h --paused
domblklist h
!ls IMAGES
!kill -9 $(cat /run/libvirt/qemu/g.pid)
UNTIL shut off | domstate g
!ls IMAGES
domstate g --reason
resume h
destroy h
undefine h
!ls IMAGES
"""


class QEMUBlockTests(SessionCase):
    """Both daemons do the same to disks, say the same of it and tell the same events."""

    kinds = (0, 8, 16, 24)  # lifecycle, block job, block job by target, block threshold
    squeezed = staticmethod(squeezed)

    def prepare(self, world: World) -> None:
        guest = world.write("g.xml", GUEST)
        for command in (
            ["qemu-img", "create", "-q", "-f", "qcow2", f"{IMAGES}/base.qcow2", "8M"],
            ["qemu-io", "-c", "write -P 7 0 2M", f"{IMAGES}/base.qcow2"],
            [
                *("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2"),
                *("-b", f"{IMAGES}/base.qcow2", f"{IMAGES}/a.qcow2"),
            ],
            ["qemu-img", "create", "-q", "-f", "qcow2", f"{IMAGES}/b.qcow2", "8M"],
        ):
            self.assertEqual(world.run(command).status, 0)
        for words in (("define", guest), ("start", "g")):
            self.assertEqual(world.virsh(*words).status, 0)

    def test_jobs(self) -> None:
        """Overlays, commits, pulls and copies, one of them over a restart of the daemon."""
        self.compare(JOBS)

    def test_snapshots(self) -> None:
        """Snapshots inside and beside, with memory and without, of guests that run or do not."""
        self.compare(SNAPSHOTS)

    def test_transient(self) -> None:
        """Disks that forget, from the start and plugged in, one over a restart of the daemon, shared and not."""
        self.compare(TRANSIENT)

    def test_backups(self) -> None:
        """Checkpoints, backups pushed and pulled, one of them over a restart of the daemon."""
        self.compare(BACKUPS)
