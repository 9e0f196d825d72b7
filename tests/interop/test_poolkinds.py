"""
Compare pools of devices with libvirtd's: where programs and devices are missing, and where programs that we script
write down how they are called and answer what we let them.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import SkipTest

from tests.interop.hostsessions import HostSessions
from tests.interop.support import found

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

#: Disks are files, whose partitions are files beside them that C{parted} makes as a kernel makes devices.
DISKS = r"""set -e
F=$1
mkdir -p $F/b $F/by
cp /usr/sbin/parted $F/parted.real
cat > $F/parted <<END
#!/bin/sh
case "\$*" in *print*) ;; *) echo "parted \$*" >> $F/said;; esac
[ -f $F/parted.do ] && . $F/parted.do
$F/parted.real "\$@"
status=\$?
case "\$*" in *print*) exit \$status;; esac
rm -f $F/by/*
for d in fda fdb; do
[ -f $F/b/\$d ] || continue
/usr/lib/libvirt/libvirt_parthelper $F/b/\$d | tr '\0' '\n' | while read path; do read type; read what; read start; read end; read size; [ "\$path" = - ] && continue; [ -f $F/keep ] && [ -f \$path ] && continue; truncate -s \$size \$path; ln -s ../b/\${path##*/} $F/by/link-\${path##*/}; touch -d @1000000000 \$path; done
done
exit \$status
END
chmod 755 $F/parted
mount --bind $F/parted /usr/sbin/parted
truncate -s 64M $F/b/fda $F/b/fdb
"""

MISSING = r"""
<l.xml <pool type='logical'><name>vg0</name><uuid>11111111-2222-3333-4444-5555555555a1</uuid><source><device path='/dev/fa'/><device path='/dev/fb'/><name>vg0</name><format type='lvm2'/></source></pool>
<l2.xml <pool type='logical'><name>vg1</name><uuid>11111111-2222-3333-4444-5555555555a2</uuid></pool>
<s1.xml <pool type='scsi'><name>s1</name><uuid>11111111-2222-3333-4444-5555555555a3</uuid><source><adapter type='scsi_host' name='host7'/></source><target><path>/dev/disk/by-path</path></target></pool>
<i0.xml <pool type='iscsi'><name>i0</name><uuid>11111111-2222-3333-4444-5555555555a9</uuid><source><host name='1.2.3.4'/><device path='iqn.z:t'/></source><target><path>/dev/q2</path></target></pool>
<m1.xml <pool type='mpath'><name>m1</name><uuid>11111111-2222-3333-4444-5555555555a6</uuid><target><path>/dev/mapper</path></target></pool>
find-storage-pool-sources logical
find-storage-pool-sources-as logical
find-storage-pool-sources scsi
find-storage-pool-sources disk
find-storage-pool-sources-as iscsi 127.0.0.1
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
pool-define FOLDER/i0.xml
pool-dumpxml i0
pool-build i0
pool-start i0
pool-delete i0
pool-undefine i0
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
!sh FOLDER/setup.sh FOLDER; for t in vgs lvs pvs vgscan lvcreate lvremove lvchange vgchange vgcreate vgremove pvcreate pvremove; do rm -f /usr/sbin/$t; cp FOLDER/fake/tool /usr/sbin/$t; done; truncate -s 4M FOLDER/fa FOLDER/fb; ln -s FOLDER/fa /dev/fa; ln -s FOLDER/fb /dev/fb; : > FOLDER/said
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

DISK = r"""
!sh FOLDER/disks.sh FOLDER; : > FOLDER/said
<d1.xml <pool type='disk'><name>d1</name><uuid>11111111-2222-3333-4444-5555555555a4</uuid><source><device path='FOLDER/b/fda'/><format type='gpt'/></source><target><path>/dev</path></target></pool>
<d2.xml <pool type='disk'><name>d2</name><uuid>11111111-2222-3333-4444-5555555555a5</uuid><source><device path='FOLDER/b/fdb'/><format type='dos'/></source><target><path>FOLDER/by</path></target></pool>
<d3.xml <pool type='disk'><name>d3</name><uuid>11111111-2222-3333-4444-5555555555a6</uuid><source><device path='FOLDER/b/fdc'/></source><target><path>FOLDER/by</path></target></pool>
<d4.xml <pool type='disk'><name>d4</name><uuid>11111111-2222-3333-4444-5555555555a7</uuid><source><device path='FOLDER/b/fdd' part_separator='yes'/><device path='FOLDER/b/fdc'/></source><target><path>FOLDER/by</path></target></pool>
pool-define FOLDER/d1.xml
pool-define FOLDER/d2.xml
pool-define FOLDER/d3.xml
pool-define FOLDER/d4.xml
pool-dumpxml d3
pool-dumpxml d4
pool-build d3
pool-start d3
pool-delete d3
pool-build d1
pool-start d1
pool-dumpxml d1
vol-create-as d1 a 8M
pool-dumpxml d1
!cat FOLDER/said; : > FOLDER/said;
vol-create-as d1 fda1 8M
vol-dumpxml fda1 d1
vol-info fda1 d1 --bytes
pool-dumpxml d1
pool-info d1 --bytes
vol-create-as d1 fda2 8M --format linux-swap
vol-create-as d1 fda3 8M --format ext4
vol-create-as d1 fda3 8M --format linux
vol-create-as d1 fda4 800M
vol-create-as d1 fda4 1000000
vol-list d1 --details
!cat FOLDER/said; : > FOLDER/said;
vol-dumpxml fda3 d1
vol-delete fda2 d1
pool-dumpxml d1
vol-create-as d1 fda2 3M --allocation 0
vol-create-as d1 fda5 4M --allocation 1M
vol-list d1 --details
!cat FOLDER/said; : > FOLDER/said;
vol-resize fda2 4M --pool d1
vol-wipe fda2 --pool d1
vol-wipe fda2 --pool d1 --algorithm trim
vol-clone fda5 fda6 --pool d1
!cat FOLDER/said; : > FOLDER/said;
pool-build d2
pool-start d2
pool-dumpxml d2
vol-create-as d2 fdb1 8M
vol-dumpxml fdb1 d2
vol-create-as d2 fdb2 16M --format extended
vol-create-as d2 fdb5 4M --format fat32
vol-create-as d2 fdb6 1M
vol-create-as d2 fdb3 1M
vol-create-as d2 fdb9 1M
!cat FOLDER/said; : > FOLDER/said
vol-list d2 --details
vol-dumpxml fdb2 d2
vol-dumpxml fdb5 d2
pool-dumpxml d2
vol-create-as d2 fdb4 2M --format extended
vol-delete fdb2 d2
vol-list d2 --details
vol-delete fdb5 d2
vol-wipe fdb2 d2
!cat FOLDER/said; : > FOLDER/said
vol-create-as d2 fdb3 2M --format linux
vol-create-as d2 fdb4 2M --format linux-raid
vol-create-as d2 fdb5 2M --format linux-lvm
vol-create-as d2 fdb6 2M --format extended
vol-list d2 --details
!cat FOLDER/said; : > FOLDER/said
<v1.xml <volume><name>fdb6</name><capacity>1048576</capacity><target><encryption format='luks'/></target></volume>
<v2.xml <volume><name>fdb6</name><capacity>1048576</capacity><target><encryption format='qcow'/></target></volume>
<v3.xml <volume><name>fdb6</name><target/></volume>
<v4.xml <volume><name>fdb6</name><capacity>1048576</capacity><target><permissions><mode>0640</mode><owner>1</owner><group>2</group></permissions></target></volume>
vol-create d2 FOLDER/v1.xml
vol-create d2 FOLDER/v2.xml
vol-create d2 FOLDER/v3.xml
vol-create d2 FOLDER/v4.xml
vol-create-from d2 FOLDER/v4.xml fda1 --inputpool d1
vol-dumpxml fdb6 d2
!cat FOLDER/said; : > FOLDER/said; cat /run/libvirt/storage/d2.xml
pool-refresh d2
pool-dumpxml d2
"""

#: The disks of before are there after the restart in it.
ISCSI = r"""
!mkdir FOLDER/bin0; mount --bind /usr/bin FOLDER/bin0; mount -t tmpfs none /usr/bin; for f in FOLDER/bin0/*; do FOLDER/bin0/ln -s $f /usr/bin/; done; rm -f /usr/bin/iscsiadm; cp FOLDER/fake/tool /usr/bin/iscsiadm; : > FOLDER/said
!virsh -q -c qemu:///system pool-undefine s1; for p in s2 s3 s4 s5; do virsh -q -c qemu:///system pool-undefine $p; done
!mkdir /sys/bus/scsi/devices; cd /sys/bus/scsi/devices; for d in 7:0:0:1:sda 7:0:0:4:sdb 3:0:0:1:sdc; do mkdir -p ${d%:*}/block/${d##*:}; echo 0 > ${d%:*}/type; done
<i1.xml <pool type='iscsi'><name>i1</name><uuid>11111111-2222-3333-4444-5555555555b5</uuid><source><host name='127.0.0.1'/><device path='iqn.x:y'/></source><target><path>/dev/disk/by-path</path></target></pool>
<i2.xml <pool type='iscsi'><name>i2</name><uuid>11111111-2222-3333-4444-5555555555b6</uuid><source><host name='::1' port='99'/><device path='iqn.x:z'/><initiator><iqn name='iqn.me:a'/></initiator></source><target><path>/dev/disk/by-path</path></target></pool>
<i3.xml <pool type='iscsi'><name>i3</name><uuid>11111111-2222-3333-4444-5555555555b7</uuid><source><host name='127.0.0.1'/><device path='iqn.x:u'/><auth type='chap' username='me'><secret usage='libvirtiscsi'/></auth></source><target><path>/dev/disk/by-path</path></target></pool>
<i4.xml <pool type='iscsi'><name>i4</name><uuid>11111111-2222-3333-4444-5555555555b8</uuid><source><host name='127.0.0.1'/></source><target><path>/dev/disk/by-path</path></target></pool>
<i5.xml <pool type='iscsi'><name>i5</name><uuid>11111111-2222-3333-4444-5555555555b9</uuid><source><host name='127.0.0.1'/><host name='127.0.0.2'/><device path='iqn.x:uu'/></source><target><path>/dev/disk/by-path</path></target></pool>
pool-define FOLDER/i1.xml
pool-define FOLDER/i2.xml
pool-define FOLDER/i3.xml
<i6.xml <pool type='iscsi'><name>i6</name><uuid>11111111-2222-3333-4444-5555555555d9</uuid><source><host name='127.0.0.1' port='0'/><device path='iqn.x:y'/></source><target><path>/dev/disk/by-path</path></target></pool>
<i7.xml <pool type='iscsi'><name>i7</name><uuid>11111111-2222-3333-4444-5555555555d8</uuid><source><host name='127.0.0.1' port='3260'/><device path='iqn.x:y'/></source><target><path>/dev/disk/by-path</path></target></pool>
<i8.xml <pool type='iscsi'><name>i8</name><uuid>11111111-2222-3333-4444-5555555555d7</uuid><source><host name='nohost.invalid'/><device path='iqn.x:yy'/></source><target><path>/dev</path></target></pool>
<i9.xml <pool type='iscsi'><name>i9</name><uuid>11111111-2222-3333-4444-5555555555d6</uuid><source><host name='127.0.0.1'/><device path='iqn.x:u9'/><auth type='ceph' username='me'><secret uuid='11111111-2222-3333-4444-5555555555d6'/></auth></source><target><path>/dev</path></target></pool>
<ia.xml <pool type='iscsi'><name>ia</name><uuid>11111111-2222-3333-4444-5555555555d5</uuid><source><host name='127.0.0.1'/><device path='-iqn'/></source><target><path>/dev</path></target></pool>
pool-define FOLDER/i6.xml
pool-define FOLDER/i7.xml
pool-define FOLDER/i8.xml
pool-define FOLDER/i9.xml
pool-define FOLDER/ia.xml
pool-start i9
pool-start ia
!cat FOLDER/said; : > FOLDER/said
!printf 'case "$*" in *"discovery"*) echo "127.0.0.1:3260,1 iqn.x:y";; "--mode iface") echo "default tcp,<empty>,<empty>,<empty>,<empty>"; echo "iser iser,<empty>,<empty>,<empty>,<empty>"; echo "iface0 tcp,<empty>,<empty>,<empty>,iqn.me:a";; esac' > FOLDER/fake/iscsiadm.do
find-storage-pool-sources-as iscsi 127.0.0.1 --initiator iqn.me:a
find-storage-pool-sources-as iscsi 127.0.0.1 --initiator iqn.me:b
find-storage-pool-sources-as iscsi nohost.invalid
find-storage-pool-sources-as iscsi
find-storage-pool-sources iscsi
!cat FOLDER/said; : > FOLDER/said
<f1.xml <source><host name='127.0.0.1' port='7'/><host name='::1'/></source>
<f2.xml <source><host name='127.0.0.1' port='7'/><auth type='chap' username='me'><secret usage='x'/></auth></source>
<f3.xml <source/>
<f4.xml <pool/>
<f5.xml <source><host port='7'/></source>
<f6.xml <source><host name='127.0.0.1'/><initiator><iqn name='iqn.me:a'/></initiator></source>
find-storage-pool-sources iscsi FOLDER/f1.xml
find-storage-pool-sources iscsi FOLDER/f2.xml
find-storage-pool-sources iscsi FOLDER/f3.xml
find-storage-pool-sources iscsi FOLDER/f4.xml
find-storage-pool-sources iscsi FOLDER/f5.xml
find-storage-pool-sources iscsi FOLDER/f6.xml
!cat FOLDER/said; : > FOLDER/said
pool-start i2
!cat FOLDER/said; : > FOLDER/said
!printf 'case "$*" in "--mode session") [ -f FOLDER/in ] && cat FOLDER/in;; *--login*) touch FOLDER/in; echo "tcp: [4] 127.0.0.1:3260,1 iqn.x:y (non-flash)" > FOLDER/in; echo "tcp: [6] [::1]:99,1 iqn.x:z" >> FOLDER/in; echo "junk" >> FOLDER/in;; "--mode iface") echo "iface0 tcp,<empty>,<empty>,<empty>,iqn.me:a";; esac' > FOLDER/fake/iscsiadm.do; mkdir -p /sys/class/iscsi_session/session6/device/target7:0:0 /sys/class/iscsi_session/session4/device/target3:0:0
pool-start i2
pool-dumpxml i2
vol-list i2 --details
!cat FOLDER/said; : > FOLDER/said
pool-refresh i2
!cat FOLDER/said; : > FOLDER/said
pool-destroy i2
!cat FOLDER/said; : > FOLDER/said
!rm FOLDER/in
pool-start i1
!cat FOLDER/said; : > FOLDER/said
vol-wipe unit:0:0:1 i1
vol-create-as i1 x 1M
vol-delete unit:0:0:1 i1
vol-clone unit:0:0:1 x --pool i1
vol-resize unit:0:0:1 8M --pool i1
pool-build i1
!sed -i '/iqn.x:z/d' FOLDER/in
RESTART
pool-dumpxml d2
!sort FOLDER/said; : > FOLDER/said
pool-list --all
!rm FOLDER/in
pool-refresh i1
!cat FOLDER/said; : > FOLDER/said
pool-list --all
pool-start i1
!cat FOLDER/said; : > FOLDER/said
pool-destroy i1
pool-build i1
pool-delete i1
pool-start i1
pool-destroy i1
!rm FOLDER/in; rm -r /sys/class/iscsi_session/session4/device/target3:0:0; mkdir /sys/class/iscsi_session/session4/device/targetx:0
pool-start i1
pool-list --all
!rmdir /sys/class/iscsi_session/session4/device/targetx:0
pool-start i1
!cat FOLDER/said; : > FOLDER/said
!printf 'case "$*" in *--login*|*new*) echo bad >&2; exit 5;; esac' > FOLDER/fake/iscsiadm.do; rm -f FOLDER/in
pool-start i1
!cat FOLDER/said; : > FOLDER/said
!printf 'case "$*" in "--mode session") echo bad >&2; exit 6;; esac' > FOLDER/fake/iscsiadm.do; rm -f FOLDER/in
pool-start i1
!cat FOLDER/said; : > FOLDER/said
!printf 'case "$*" in *discovery*) echo bad >&2; exit 6;; "--mode iface") exit 7;; esac' > FOLDER/fake/iscsiadm.do
find-storage-pool-sources-as iscsi 127.0.0.1
find-storage-pool-sources-as iscsi 127.0.0.1 --initiator iqn.me:a
pool-start i2
!cat FOLDER/said; : > FOLDER/said
!printf 'case "$*" in *"--op new") exit 7;; esac' > FOLDER/fake/iscsiadm.do
find-storage-pool-sources-as iscsi 127.0.0.1 --initiator iqn.me:a
pool-start i2
!cat FOLDER/said; : > FOLDER/said
!printf 'case "$*" in *"--op update"*) exit 7;; esac' > FOLDER/fake/iscsiadm.do
find-storage-pool-sources-as iscsi 127.0.0.1 --initiator iqn.me:a
!cat FOLDER/said; : > FOLDER/said
<sec.xml <secret ephemeral='no' private='yes'><uuid>11111111-2222-3333-4444-5555555555c1</uuid><usage type='iscsi'><target>libvirtiscsi</target></usage></secret>
secret-define FOLDER/sec.xml
secret-set-value 11111111-2222-3333-4444-5555555555c1 MTIz
pool-start i3
!cat FOLDER/said; : > FOLDER/said
!rm -f FOLDER/in FOLDER/fake/iscsiadm.do; virsh -q -c qemu:///system pool-undefine i3; virsh -q -c qemu:///system secret-undefine 11111111-2222-3333-4444-5555555555c1
!printf 'case "$*" in "--mode session") [ -f FOLDER/in ] && cat FOLDER/in;; *--login*) echo "tcp: [4] 127.0.0.1:3260,1 iqn.x:y (non-flash)" > FOLDER/in; echo "tcp: [6] [::1]:99,1 iqn.x:z" >> FOLDER/in;; *"--op new"*libvirt*|*libvirt*"--op new"*) touch FOLDER/made; echo $4 > FOLDER/made;; "--mode iface") [ -f FOLDER/made ] && echo "$(cat FOLDER/made) tcp,<empty>,<empty>,<empty>,iqn.me:a";; esac' > FOLDER/fake/iscsiadm.do; mkdir -p /sys/class/iscsi_session/session6/device/target7:0:0 /sys/class/iscsi_session/session4/device/target3:0:0
pool-start i2
!cat FOLDER/said; : > FOLDER/said
pool-list --all
pool-destroy i2
!cat FOLDER/said; : > FOLDER/said; rm FOLDER/in FOLDER/made; cp FOLDER/fake/iscsiadm.do FOLDER/do; printf 'case "$*" in *"--op new") exit 7;; esac' > FOLDER/fake/iscsiadm.do
!printf 'case "$*" in *iface*"--op new") exit 7;; esac' > FOLDER/fake/iscsiadm.do
pool-start i2
!printf 'case "$*" in *iface*"--op update"*) echo oh >&2; exit 7;; esac' > FOLDER/fake/iscsiadm.do
pool-start i2
!cat FOLDER/said; : > FOLDER/said;
!printf 'case "$*" in *login*) echo oh >&2; exit 7;; esac' > FOLDER/fake/iscsiadm.do
pool-start i1
!printf 'case "$*" in *session) cat FOLDER/in;; *-R) echo oh >&2; exit 7;; *--login) echo "tcp: [4] 127.0.0.1:3260,1 iqn.x:y (non-flash)" > FOLDER/in;; *--logout) echo loo; exit 2;; esac' > FOLDER/fake/iscsiadm.do
pool-start i1
!printf 'case "$*" in *session) cat FOLDER/in;;  *--login) echo "tcp: [4] 127.0.0.1:3260,1 iqn.x:y (non-flash)" > FOLDER/in;; *--logout) echo loo; exit 2;; esac' > FOLDER/fake/iscsiadm.do
pool-start i1
pool-destroy i1
pool-list --all
!cat FOLDER/said; : > FOLDER/said; rm FOLDER/in
!printf 'case "$*" in *auth*) echo oh >&2; exit 7;; esac' > FOLDER/fake/iscsiadm.do
<i3.xml <pool type='iscsi'><name>i3</name><uuid>11111111-2222-3333-4444-5555555555b7</uuid><source><host name='127.0.0.1'/><device path='iqn.x:u'/><auth type='chap' username='me'><secret uuid='11111111-2222-3333-4444-5555555555c1'/></auth></source><target><path>/dev/disk/by-path</path></target></pool>
pool-define FOLDER/i3.xml
pool-start i3
<sec.xml <secret ephemeral='no' private='yes'><uuid>11111111-2222-3333-4444-5555555555c1</uuid></secret>
secret-define FOLDER/sec.xml
secret-set-value 11111111-2222-3333-4444-5555555555c1 MTIz
pool-start i3
<sec2.xml <secret ephemeral='no' private='yes'><uuid>11111111-2222-3333-4444-5555555555c2</uuid><usage type='iscsi'><target>libvirtiscsi</target></usage></secret>
secret-define FOLDER/sec2.xml
<i3.xml <pool type='iscsi'><name>i3</name><uuid>11111111-2222-3333-4444-5555555555b7</uuid><source><host name='127.0.0.1'/><device path='iqn.x:u'/><auth type='chap' username='me'><secret uuid='11111111-2222-3333-4444-5555555555c2'/></auth></source><target><path>/dev/disk/by-path</path></target></pool>
pool-define FOLDER/i3.xml
secret-set-value 11111111-2222-3333-4444-5555555555c2 AAEKAA==
pool-start i3
!cat -v FOLDER/said; : > FOLDER/said; printf 'case "$*" in *auth.password*) echo oh >&2; exit 7;; esac' > FOLDER/fake/iscsiadm.do
pool-start i3
!cat -v FOLDER/said; : > FOLDER/said
"""

LABELS = r"""
!printf 'echo bad >&2; exit 3' > FOLDER/parted.do
vol-create-as d1 fda6 1M
vol-delete fda1 d1
pool-destroy d1
pool-delete d1
pool-build d1
!cat FOLDER/said; : > FOLDER/said; echo > FOLDER/parted.do; blkid -p FOLDER/b/fda
pool-start d1
pool-start d1 --build
vol-list d1
!dd if=/dev/zero of=FOLDER/b/fda bs=1M count=1 conv=notrunc status=none; dd if=/dev/zero of=FOLDER/b/fda bs=1M seek=63 count=1 conv=notrunc status=none; mkswap FOLDER/b/fda >/dev/null
pool-refresh d1
pool-list --all
pool-start d1
pool-build d1
pool-destroy d1
pool-destroy d2
pool-undefine d1
pool-undefine d2
pool-undefine d3
!rm FOLDER/b/*; truncate -s 64M FOLDER/b/fda FOLDER/b/fdb; : > FOLDER/said
<d1.xml <pool type='disk'><name>d1</name><uuid>11111111-2222-3333-4444-5555555555a4</uuid><source><device path='FOLDER/b/fda' part_separator='yes'/><format type='dos'/></source><target><path>/dev</path></target></pool>
<d2.xml <pool type='disk'><name>d2</name><uuid>11111111-2222-3333-4444-5555555555a5</uuid><source><device path='FOLDER/b/fdb' part_separator='no'/><format type='gpt'/></source><target><path>/dev</path></target></pool>
pool-define FOLDER/d1.xml
pool-define FOLDER/d2.xml
pool-build d1
pool-start d1
vol-create-as d1 fda1 1M --format fat16
vol-create-as d1 fdap1 1M --format fat16
vol-create-as d1 fda2 1M --format fat32
vol-create-as d1 fda3 1M --format linux-swap
vol-create-as d1 fda4 1M --format linux-lvm
vol-create-as d1 fda5 1M --format linux-raid
vol-create-as d1 fda5 1M --format extended
vol-list d1
pool-dumpxml d1
!cat FOLDER/said; : > FOLDER/said
pool-destroy d1
pool-build d1 --overwrite
pool-start d1
vol-list d1
vol-create-as d1 fda1 1M --format extended
vol-create-as d1 fda2 1M
vol-create-as d1 fda3 1M
vol-create-as d1 fda4 1M
vol-create-as d1 fda5 300K
vol-create-as d1 fda6 300K
vol-create-as d1 fda7 1M
vol-list d1
pool-dumpxml d1
vol-wipe fda1 d1
vol-wipe fda5 d1
vol-clone fda5 fda8 --pool d1
vol-dumpxml fda5 d1
pool-refresh d1
vol-dumpxml fda1 d1
vol-dumpxml fda2 d1
vol-delete fda3 d1
vol-delete fda6 d1
vol-create-as d1 fda3 1M --format linux-raid
vol-create-as d1 fda6 100K
vol-create-as d1 fda7 100K --format fat16
vol-list d1 --details
pool-dumpxml d1
vol-delete fda1 d1
vol-list d1 --details
!cat FOLDER/said; : > FOLDER/said
pool-build d2
pool-start d2
vol-create-as d2 fdb1 20M
vol-create-as d2 fdb2 4M
vol-create-as d2 fdb3 4M
vol-create-as d2 fdb4 10M
vol-delete fdb1 d2
vol-delete fdb3 d2
vol-create-as d2 fdb1 2M
vol-create-as d2 fdb3 2M
vol-create-as d2 fdb5 2M
vol-create-as d2 fdb6 20M
vol-create-as d2 fdb7 1M --format extended
vol-create-as d2 fdb8 0
vol-create-as d2 fdb8 511
vol-create-as d2 fdb9 513
vol-list d2 --details
pool-dumpxml d2
vol-resize fdb2 1M --pool d2 --shrink
!cat FOLDER/said; : > FOLDER/said
pool-destroy d1
pool-destroy d2
!python3 -c "for n in 'ab': f = open('FOLDER/b/fd' + n, 'r+b'); [f.seek(m * 1048576 + o) and f.write(b'XXXX') for m in (0, 1, 2, 30, 62, 63) for o in (5000, 1048500)]"; fallocate -l 64M FOLDER/b/fda
pool-delete d2
pool-build d1 --overwrite
!python3 -c "for n in 'ab': d = open('FOLDER/b/fd' + n, 'rb').read(); print(n, [at for at in range(65536, len(d) - 65536) if d[at:at + 1] == b'X' and d[at:at + 4] == b'XXXX'])"
pool-undefine d1
pool-undefine d2
!for f in mac bsd pc98 sun dvh lvm2; do echo "<pool type='disk'><name>x$f</name><uuid>11111111-2222-3333-4444-5555555555e1</uuid><source><device path='FOLDER/b/fdb'/><format type='$f'/></source><target><path>/dev</path></target></pool>" > FOLDER/x.xml; virsh -c qemu:///system "pool-define FOLDER/x.xml; pool-build x$f; pool-start x$f; vol-create-as x$f fdb1 2M; vol-create-as x$f fdb2 2M --format linux-swap; vol-create-as x$f fdb3 2M --format extended; vol-list x$f --details; pool-dumpxml x$f; vol-delete fdb2 x$f; pool-destroy x$f; pool-build x$f; pool-delete x$f; pool-undefine x$f" 2>&1; cat FOLDER/said; : > FOLDER/said; done
!rm -f FOLDER/b/*; truncate -s 64M FOLDER/b/fda FOLDER/b/fdb; : > FOLDER/said; mkdir FOLDER/lk; ln -s ../b/fda FOLDER/lk/x
!parted -s FOLDER/b/fda mklabel msdos mkpart primary 1MiB 2MiB mkpart extended 3MiB 60MiB mkpart logical 4MiB 5MiB; rm FOLDER/b/fda2
<d1.xml <pool type='disk'><name>d1</name><uuid>11111111-2222-3333-4444-5555555555a4</uuid><source><device path='FOLDER/lk/x'/><format type='unknown'/></source><target><path>FOLDER/by</path></target></pool>
pool-define FOLDER/d1.xml
pool-start d1
!cat /run/libvirt/storage/d1.xml /etc/libvirt/storage/d1.xml
pool-dumpxml d1
pool-dumpxml d1 --inactive
vol-list d1 --details
vol-dumpxml fda2 d1
vol-dumpxml fda5 d1
vol-wipe fda2 d1
vol-create-as d1 fda3 1M
vol-create-as d1 fda4 1M
vol-create-as d1 fda6 1M
vol-create-as d1 fda7 1M
<v4.xml <volume><name>fda7</name><capacity>1048576</capacity><target><permissions><mode>0640</mode><owner>1</owner><group>2</group></permissions></target></volume>
<v5.xml <volume><name>fda8</name><capacity>2048576</capacity><allocation>1</allocation><backingStore><path>/nope</path></backingStore><target><compat>1.1</compat><features><lazy_refcounts/></features></target></volume>
vol-create d1 FOLDER/v4.xml
vol-dumpxml fda7 d1
vol-create d1 FOLDER/v5.xml
vol-dumpxml fda8 d1
vol-create-as d1 fda9 1M --prealloc-metadata
pool-destroy d1
pool-dumpxml d1
pool-undefine d1
!for f in unknown gpt bsd lvm2; do echo "<pool type='disk'><name>m$f</name><source><device path='FOLDER/m$f'/><format type='$f'/></source><target><path>/dev</path></target></pool>" > FOLDER/m$f.xml; virsh -q -c qemu:///system pool-define FOLDER/m$f.xml; done
!for k in msdos gpt sun bsd dvh swap; do rm -f FOLDER/mm; truncate -s 64M FOLDER/mm; case $k in swap) mkswap -q FOLDER/mm >/dev/null 2>&1;; *) FOLDER/parted.real -s FOLDER/mm mklabel $k;; esac; d=; for f in unknown gpt bsd lvm2; do cp --sparse=always FOLDER/mm FOLDER/m$f; d="$d pool-start m$f; pool-destroy m$f; pool-build m$f;"; done; echo $k; virsh -q -c qemu:///system "$d" 2>&1 | grep -v "fd[ab]"; done
"""


class DevicePoolTests(HostSessions):
    """Pools whose volumes are devices."""

    pools = (0, 1)

    def setUp(self) -> None:
        if found("parted") is None:
            raise SkipTest("parted is not installed (parted)")
        super().setUp()
        for world in self.worlds:
            world.write("setup.sh", SETUP)
            world.write("disks.sh", DISKS)

    def squeezed(self, line: str, text: str) -> str:
        """Take out times and made up names."""
        text = re.sub(r"<(.time)>[0-9.]+<", r"<\1>N<", text)
        return re.sub(r"libvirt-iface-[0-9a-f]+", "libvirt-iface-N", text)

    def test_session(self) -> None:
        """
        Pools are defined wherever they are, and what is missing is in the errors.  Groups are made, started, filled
        and removed by LVM's programs, which fail and talk nonsense too; the disks of SCSI hosts are found
        below /sys, those of iSCSI targets where C{iscsiadm} logs in; disks have partitions by the real C{parted}.
        """
        parts = (MISSING, LOGICAL, SCSI, DISK, ISCSI, LABELS)
        # libvirtd's drivers tell their events each by itself: which of two tells first is not promised.
        self.compare(
            "".join(each.lstrip() for each in parts),
            lambda told: sorted(told, key=lambda line: line.split(" ", 1)[0]),
        )
