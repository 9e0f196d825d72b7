"""
Compare pools of devices with libvirtd's: where programs and devices are missing, and where programs that we script
write down how they are called and answer what we let them.
"""

from __future__ import annotations

import re

from tests.interop.hostsessions import HostSessions

#: Programs and devices of a world's own: what is called is in C{said}; C{fake/NAME.out} is what C{NAME} says, and
#: C{fake/NAME.do} what it does before.
SETUP = r"""set -e
F=$1
mkdir -p $F/sbin0 $F/dev0 $F/fake
mount --bind /usr/sbin $F/sbin0
mount -t tmpfs none /usr/sbin
for f in $F/sbin0/*; do ln -s $f /usr/sbin/; done
mount --rbind /dev $F/dev0
mount -t tmpfs none /dev
for f in $F/dev0/*; do ln -s $f /dev/; done
rm -f /dev/mapper; mkdir /dev/mapper
cat > $F/fake/tool <<END
#!/bin/sh
me=\${0##*/}
echo "\$me \$*" >> $F/said
if [ -f $F/fake/\$me.do ]; then . $F/fake/\$me.do; fi
[ -f $F/fake/\$me.out ] && cat $F/fake/\$me.out
exit 0
END
chmod 755 $F/fake/tool
"""

MISSING = r"""
<l.xml <pool type='logical'><name>vg0</name><uuid>11111111-2222-3333-4444-5555555555a1</uuid><source><device path='/dev/fa'/><device path='/dev/fb'/><name>vg0</name><format type='lvm2'/></source></pool>
<l2.xml <pool type='logical'><name>vg1</name><uuid>11111111-2222-3333-4444-5555555555a2</uuid></pool>
<s1.xml <pool type='scsi'><name>s1</name><uuid>11111111-2222-3333-4444-5555555555a3</uuid><source><adapter type='scsi_host' name='host7'/></source><target><path>/dev/disk/by-path</path></target></pool>
<m1.xml <pool type='mpath'><name>m1</name><uuid>11111111-2222-3333-4444-5555555555a6</uuid><target><path>/dev/mapper</path></target></pool>
find-storage-pool-sources logical
find-storage-pool-sources-as logical
find-storage-pool-sources scsi
find-storage-pool-sources mpath
pool-define FOLDER/l.xml
pool-define FOLDER/l2.xml
pool-define FOLDER/s1.xml
pool-define FOLDER/m1.xml
pool-dumpxml vg0
pool-dumpxml vg1
pool-dumpxml s1
pool-dumpxml m1
pool-build vg0
pool-build vg0 --overwrite
pool-build vg0 --no-overwrite
pool-build vg1
pool-build vg1 --overwrite --no-overwrite
pool-build s1
pool-build m1
pool-start vg0
pool-start vg1
pool-start s1
pool-start m1
pool-start vg0 --build
vol-list m1
pool-dumpxml m1
pool-refresh m1
vol-create-as m1 x 1M
pool-destroy m1
pool-delete vg0
pool-delete vg1
pool-delete s1
pool-delete m1
pool-list --all
!truncate -s 8M FOLDER/x
pool-create FOLDER/l.xml
pool-create FOLDER/m1.xml
pool-define-as q logical --source-name vgq
pool-define-as q4 scsi --adapter-name host3 --target /dev/q4
pool-define-as q5 scsi --adapter-wwnn 20000000c9831b4b --adapter-wwpn 10000000c9831b4b --target /dev/q4
pool-define-as q6 mpath --target /dev/mapper
pool-start q
pool-start q4
pool-start q5
pool-define-as m1 mpath --target /dev/mapper
pool-destroy m1
pool-undefine m1
pool-undefine q
pool-undefine q4
pool-undefine q5
pool-undefine vg0
pool-undefine vg1
pool-undefine s1
pool-list --all
"""

LOGICAL = r"""
!sh FOLDER/setup.sh FOLDER; for t in vgs lvs pvs vgscan lvcreate lvremove lvchange vgchange vgcreate vgremove pvcreate pvremove; do cp FOLDER/fake/tool /usr/sbin/$t; done; truncate -s 4M FOLDER/fa FOLDER/fb; ln -s FOLDER/fa /dev/fa; ln -s FOLDER/fb /dev/fb; : > FOLDER/said
<l.xml <pool type='logical'><name>vg0</name><uuid>11111111-2222-3333-4444-5555555555a1</uuid><source><device path='/dev/fa'/><device path='/dev/fb'/><name>vg0</name><format type='lvm2'/></source></pool>
<l2.xml <pool type='logical'><name>vg1</name><uuid>11111111-2222-3333-4444-5555555555a2</uuid></pool>
pool-define FOLDER/l.xml
pool-define FOLDER/l2.xml
find-storage-pool-sources-as logical
!cat FOLDER/said; : > FOLDER/said; printf '  /dev/fa vg0\n  /dev/fb vg0\n  /dev/fc vg1\n  /dev/fz\n /dev/fq vg2 x\n' > FOLDER/fake/pvs.out
find-storage-pool-sources-as logical
find-storage-pool-sources logical
!cat FOLDER/said; : > FOLDER/said
pool-build vg0
!cat FOLDER/said; : > FOLDER/said
pool-build vg0 --no-overwrite
pool-build vg0 --overwrite
!cat FOLDER/said; : > FOLDER/said
pool-build vg1
!cat FOLDER/said; : > FOLDER/said
!mkswap FOLDER/fa > /dev/null; mkswap FOLDER/fb > /dev/null
pool-build vg0
pool-build vg0 --overwrite
!blkid -p FOLDER/fa; cat FOLDER/said; : > FOLDER/said
!echo 'case $* in *fb*) echo bad >&2; exit 5;; esac' > FOLDER/fake/pvcreate.do
pool-build vg0
!cat FOLDER/said; : > FOLDER/said
pool-build vg0
!cat FOLDER/said; : > FOLDER/said
!rm FOLDER/fake/pvcreate.do; echo 'echo bad >&2; exit 5' > FOLDER/fake/vgcreate.do
pool-build vg0 --overwrite
!cat FOLDER/said; : > FOLDER/said
!rm FOLDER/fake/vgcreate.do; printf '  /dev/fa vg0\n  /dev/fb vg0\n  /dev/fc vg1\n' > FOLDER/fake/pvs.out
!mkdir /dev/vg0 /dev/vg1; truncate -s 4M FOLDER/lvnew; ln -s FOLDER/lvnew /dev/vg1/new; for i in a b c d e f g h i j; do truncate -s 8M FOLDER/lv$i; touch -d @1000000000 FOLDER/lv$i; ln -s FOLDER/lv$i /dev/vg0/$i; done; echo '1000000000:400000000' > FOLDER/fake/vgs.out; { echo '  a##U1-aaa#/dev/fa(0)#linear#1#4194304#4194304#8388608#-wi-a-'; echo '  b##U2#/dev/fb(3),/dev/fa(7)#striped#2#8388608#4194304#8388608#-wi-a-'; echo '  c#a#U3#/dev/fa(9)#linear#1#4194304#4194304#4194304#swi-a-'; echo '  d##U4##thin-pool#1#4194304#4194304#4194304#twi-a-'; echo '  e##U5#/dev/fa(1)#linear#1#4194304#4194304#4194304#-wi---';  echo '  f#[g_vorigin]#U6#/dev/fa(1)#linear#1#4194304#4194304#4194304#swi-a-'; echo '  h##U8#/dev/fa(1)#linear#1#4194304#4194304#4194304#Vwi-a-'; echo 'nonsense';  echo '  i##U9#i_0(0),i_1(0)#mirror#2#4194304#4194304#4194304#mwi-a-#'; } > FOLDER/fake/lvs.out
pool-start vg0
pool-dumpxml vg0
pool-info vg0 --bytes
vol-list vg0
vol-dumpxml a vg0
vol-dumpxml b vg0
vol-dumpxml c vg0
vol-dumpxml d vg0
vol-dumpxml e vg0
vol-dumpxml f vg0
vol-dumpxml h vg0
vol-dumpxml i vg0
vol-info a vg0 --bytes
vol-path a vg0
vol-key a vg0
vol-pool /dev/vg0/a
!cat FOLDER/said; : > FOLDER/said; cat /run/libvirt/storage/vg0.xml
pool-refresh vg0
!cat FOLDER/said; : > FOLDER/said
vol-create-as vg0 new 1M
!cat FOLDER/said; : > FOLDER/said
!truncate -s 4M FOLDER/lvnew; echo 'ln -s FOLDER/lvnew /dev/vg0/new' > FOLDER/fake/lvcreate.do; echo 'rm -f /dev/vg0/new' > FOLDER/fake/lvremove.do
!echo '  new##U10#/dev/fa(1)#linear#1#4194304#4194304#4194304#-wi-a-' > FOLDER/fake/more; cp FOLDER/fake/lvs.out FOLDER/fake/lvs.was; echo 'echo "  new##U10#/dev/fa(1)#linear#1#4194304#4194304#4194304#-wi-a-"; ' > FOLDER/fake/lvs.do
vol-create-as vg0 new 1M
vol-dumpxml new vg0
pool-info vg0 --bytes
!cat FOLDER/said; : > FOLDER/said; ls -lL FOLDER/lvnew | cut -c1-20
vol-create-as vg0 new 1M
vol-create-as vg0 new2 10G
vol-resize new 2M --pool vg0
vol-wipe new vg0
vol-wipe c vg0
vol-delete new vg0
!cat FOLDER/said; : > FOLDER/said
pool-info vg0 --bytes
vol-create-as vg0 new 1M --allocation 512K
!cat FOLDER/said; : > FOLDER/said
vol-delete new vg0
vol-create-as vg0 new 1M --backing-vol a
vol-dumpxml new vg0
vol-delete new vg0
vol-delete a vg0
!cat FOLDER/said; : > FOLDER/said
vol-create-as vg0 new 1M --format qcow2
vol-delete new vg0
vol-clone b new --pool vg0
vol-delete new vg0
!cat FOLDER/said; : > FOLDER/said
!echo 'echo bad >&2; exit 5' > FOLDER/fake/lvremove.do
vol-delete b vg0
!cat FOLDER/said; : > FOLDER/said
!echo 'echo bad >&2; exit 5' > FOLDER/fake/lvcreate.do
vol-create-as vg0 new 1M
!cat FOLDER/said; : > FOLDER/said
!printf "<volume><name>enc</name><capacity>1048576</capacity><target><encryption format='luks'/></target></volume>" > FOLDER/v1; printf "<volume><name>enc</name><capacity>1048576</capacity><target><encryption format='qcow'/></target></volume>" > FOLDER/v2;  printf "<volume><name>a/b</name><capacity>1048576</capacity><target></target></volume>" > FOLDER/v3
vol-create vg0 FOLDER/v1
vol-create vg0 FOLDER/v2
vol-create-as vg0 p 1M --prealloc-metadata
!cat FOLDER/said; : > FOLDER/said
vol-download c FOLDER/down --pool vg0 --length 10
!rm FOLDER/fake/*.do
vol-upload c FOLDER/setup.sh --pool vg0
!until grep -q vgs FOLDER/said; do sleep 0.1; done; cat FOLDER/said; : > FOLDER/said
!head -c 10 FOLDER/down; true
!rm -r /dev/vg1
pool-refresh vg0
RESTART
!cat FOLDER/said; : > FOLDER/said
pool-list --all
vol-list vg0
pool-destroy vg0
!cat FOLDER/said; : > FOLDER/said; cp FOLDER/fake/lvs.out FOLDER/lvs.good; echo '  a##U#/dev/fa(1)#raid1#2#4194304#4194304#4194304#rwi-a-' > FOLDER/fake/lvs.out
pool-start vg0
!echo '  a##U#/dev/fa#linear#1#4194304#4194304#4194304#-wi-a-' > FOLDER/fake/lvs.out
pool-start vg0
!echo '  gone##U#/dev/fa(0)#linear#1#4194304#4194304#4194304#-wi-a-' > FOLDER/fake/lvs.out
pool-start vg0
!printf 'nonsense\n a#b\n##########\n a##U#/dev/fa(0)#linear#x#4194304#4194304#4194304#-wi-a-\n a##U#/dev/fa(0)#linear#1#4194304#4194304#4194304#-w\n' > FOLDER/fake/lvs.out
pool-start vg0
vol-list vg0
pool-destroy vg0
!cp FOLDER/lvs.good FOLDER/fake/lvs.out; echo junk > FOLDER/fake/vgs.out
pool-start vg0
pool-info vg0 --bytes
!echo 'echo bad >&2; exit 5' > FOLDER/fake/vgs.do
pool-refresh vg0
pool-list --all
!rm FOLDER/fake/vgs.do; echo 'echo bad >&2; exit 5' > FOLDER/fake/lvs.do
pool-start vg0
!rm FOLDER/fake/lvs.do; echo 'echo bad >&2; exit 5' > FOLDER/fake/vgchange.do
pool-start vg0
!rm FOLDER/fake/vgchange.do
pool-start vg0
!echo 'echo bad >&2; exit 5' > FOLDER/fake/vgchange.do
pool-destroy vg0
!rm FOLDER/fake/vgchange.do
pool-destroy vg0
!cat FOLDER/said; : > FOLDER/said; echo '  /dev/fa vg0' > FOLDER/fake/pvs.out
pool-start vg0
pool-start vg1
pool-destroy vg0
!cat FOLDER/said; : > FOLDER/said; echo '  /dev/fa vg9' > FOLDER/fake/pvs.out
pool-start vg0
!echo '  /dev/fz vg0' > FOLDER/fake/pvs.out
pool-start vg0
pool-delete vg0
!cat FOLDER/said; : > FOLDER/said; echo 'echo bad >&2; exit 5' > FOLDER/fake/pvremove.do
pool-delete vg0
!cat FOLDER/said; : > FOLDER/said; echo 'echo bad >&2; exit 5' > FOLDER/fake/vgremove.do
pool-delete vg0
pool-delete vg1
!cat FOLDER/said; : > FOLDER/said
"""

SCSI = r"""
!for p in vg0 vg1; do virsh -q -c qemu:///system pool-undefine $p; done
!mkdir FOLDER/sys0; mount --rbind /sys FOLDER/sys0; mount -t tmpfs none /sys; for f in FOLDER/sys0/*; do ln -s $f /sys/; done; rm -f /sys/class /sys/bus; mkdir /sys/class /sys/bus; for f in FOLDER/sys0/class/*; do ln -s $f /sys/class/; done; for f in FOLDER/sys0/bus/*; do ln -s $f /sys/bus/; done
!rm -f /sys/bus/scsi; mkdir -p /sys/class/scsi_host/host7 /sys/class/scsi_host/host3 /sys/bus/scsi/devices; : > /sys/class/scsi_host/host7/scan; : > /sys/class/scsi_host/host3/scan; cd /sys/bus/scsi/devices; n=0; for d in 7:0:0:1 7:0:0:2 7:0:0:3 7:0:0:4 7:0:1:0 3:0:0:1 7:0:0:9; do mkdir $d; echo 0 > $d/type; done; mkdir host7 target7:0:0; echo 5 > 7:0:0:2/type; echo 1 > 7:0:0:3/type; mkdir -p 7:0:0:1/block/sda; mkdir -p 7:0:0:2/block/sr0; mkdir 7:0:0:4/block:sdb; mkdir -p 3:0:0:1/block/sdc
!truncate -s 4M FOLDER/sda FOLDER/sdb FOLDER/sdc; ln -s FOLDER/sda /dev/sda; ln -s FOLDER/sdb /dev/sdb; ln -s FOLDER/sdc /dev/sdc; mkdir -p /dev/disk/by-path; rm -rf /dev/disk; mkdir -p /dev/disk/by-path /dev/disk/by-id; ln -s ../../sda /dev/disk/by-path/pci-a; ln -s ../../sdb /dev/disk/by-path/pci-b; ln -s ../../sdc /dev/disk/by-path/pci-c
<s1.xml <pool type='scsi'><name>s1</name><uuid>11111111-2222-3333-4444-5555555555a3</uuid><source><adapter type='scsi_host' name='host7'/></source><target><path>/dev/disk/by-path</path></target></pool>
<s2.xml <pool type='scsi'><name>s2</name><uuid>11111111-2222-3333-4444-5555555555a4</uuid><source><adapter type='scsi_host' name='host3'/></source><target><path>/dev</path></target></pool>
<s3.xml <pool type='scsi'><name>s3</name><uuid>11111111-2222-3333-4444-5555555555a5</uuid><source><adapter type='scsi_host' name='scsi_host9'/></source><target><path>/dev/disk/none</path></target></pool>
<s4.xml <pool type='scsi'><name>s4</name><uuid>11111111-2222-3333-4444-5555555555a6</uuid><source><adapter type='scsi_host' name='odd'/></source><target><path>/dev/disk/none</path></target></pool>
<s5.xml <pool type='scsi'><name>s5</name><uuid>11111111-2222-3333-4444-5555555555a7</uuid><source><adapter type='scsi_host'><parentaddr unique_id='1'><address domain='0x0000' bus='0x00' slot='0x1f' addr='0x2'/></parentaddr></adapter></source><target><path>/dev/disk/none</path></target></pool>
pool-define FOLDER/s1.xml
pool-define FOLDER/s2.xml
pool-define FOLDER/s3.xml
pool-define FOLDER/s4.xml
pool-define FOLDER/s5.xml
pool-start s1
!tr -d '\0' < /sys/class/scsi_host/host7/scan
pool-dumpxml s1
vol-list s1 --details
vol-dumpxml unit:0:0:1 s1
vol-dumpxml unit:0:0:4 s1
vol-info unit:0:0:1 s1
vol-key unit:0:0:1 s1
vol-path unit:0:0:1 s1
pool-start s2
vol-list s2
pool-start s3
pool-start s4
pool-start s5
pool-refresh s1
vol-create-as s1 x 1M
vol-delete unit:0:0:1 s1
vol-resize unit:0:0:1 8M --pool s1
vol-wipe unit:0:0:1 s1
vol-clone unit:0:0:1 x --pool s1
vol-upload unit:0:0:1 FOLDER/setup.sh --pool s1
vol-download unit:0:0:1 FOLDER/down --length 10 --pool s1
!cat FOLDER/said; : > FOLDER/said
RESTART
pool-list --all
vol-list s1
!rm -r /sys/bus/scsi/devices
pool-refresh s1
pool-list --all
pool-destroy s2
pool-delete s2
"""


class DevicePoolTests(HostSessions):
    """Pools whose volumes are devices."""

    pools = (0, 1)

    def setUp(self) -> None:
        super().setUp()
        for world in self.worlds:
            world.write("setup.sh", SETUP)

    def squeezed(self, line: str, text: str) -> str:
        """Take out times and made up names."""
        text = re.sub(r"<(.time)>[0-9.]+<", r"<\1>N<", text)
        return re.sub(r"libvirt-iface-[0-9a-f]+", "libvirt-iface-N", text)

    def test_session(self) -> None:
        """
        Pools are defined wherever they are, and what is missing is in the errors.  Groups are made, started, filled
        and removed by LVM's programs, which fail and talk nonsense too; the disks of SCSI hosts are found
        below /sys.
        """
        self.compare(MISSING + LOGICAL.lstrip() + SCSI.lstrip())
