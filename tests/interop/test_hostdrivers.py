"""
The drivers beside QEMU's, secrets, storage and so on, compared with those of libvirtd: the same sessions of virsh in
two worlds, events included.
"""

from __future__ import annotations

import os
import re

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.interop.hostsessions import HostSessions
from tests.interop.networkpools import FUNCTIONS, POOLED
from tests.interop.networkservers import SERVERS
from tests.interop.passing import EMULATOR, KERNEL, MACHINE, PASSED
from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, requireQEMU
from tests.interop.reloadsession import RELOADED
from tests.interop.support import found
from tests.interop.switchsession import SCRIPT, SWITCHED

_ID = "11111111-2222-3333-4444-55555555555"

SECRETS = f"""
secret-list
<s1.xml <secret ephemeral='no' private='yes'><uuid>{_ID}1</uuid><description>one</description><usage type='volume'><volume>/a/b</volume></usage></secret>
<s2.xml <secret ephemeral='yes'><uuid>{_ID}2</uuid><usage type='ceph'><name>c</name></usage></secret>
<s3.xml <secret><uuid>{_ID}3</uuid></secret>
<s4.xml <secret><uuid>{_ID}4</uuid><usage type='ceph'><name>c</name></usage></secret>
<s5.xml <secret private='no'><uuid>{_ID}1</uuid><usage type='volume'><volume>/a/b</volume></usage></secret>
<s6.xml <secret><uuid>{_ID}5</uuid><usage type='tls'><name>t</name></usage></secret>
<s7.xml <secret><uuid>{_ID}3</uuid><usage type='tls'><name>t</name></usage></secret>
<s8.xml <secret><uuid>nonsense</uuid></secret>
<s9.xml <secret><usage type='nonsense'/></secret>
<s10.xml <secret><usage type='volume'/></secret>
<s11.xml <secrets/>
<s12.xml <secret ephemeral='maybe'/>
<s13.xml <secret extra='x'/>
secret-define FOLDER/s1.xml
secret-define FOLDER/s2.xml
secret-define FOLDER/s3.xml
secret-define FOLDER/s3.xml --validate
secret-define FOLDER/s4.xml
secret-define FOLDER/s5.xml
secret-define FOLDER/s6.xml
secret-define FOLDER/s7.xml
secret-define FOLDER/s8.xml
secret-define FOLDER/s9.xml
secret-define FOLDER/s10.xml
secret-define FOLDER/s11.xml
secret-define FOLDER/s12.xml
secret-define FOLDER/s13.xml --validate
secret-list
secret-list --ephemeral
secret-list --private
secret-list --no-private --no-ephemeral
secret-dumpxml {_ID}1
secret-dumpxml {_ID}9
secret-get-value {_ID}1
secret-set-value {_ID}1 aGVsbG8=
secret-set-value {_ID}5 --file FOLDER/s3.xml
secret-get-value {_ID}1
secret-get-value {_ID}2
secret-set-value {_ID}2 aGVsbG8=
secret-set-value {_ID}2 nonsense!
secret-get-value {_ID}2
secret-get-value {_ID}3
secret-get-value {_ID}5 --plain
secret-set-value {_ID}9 aGVsbG8=
secret-undefine {_ID}9
secret-undefine nope
!cd /etc/libvirt/secrets; stat -c '%n %a %s' . *; cat *
RESTART
secret-list
secret-get-value {_ID}1
secret-get-value {_ID}5
secret-set-value {_ID}5 d29ybGQ=
secret-get-value {_ID}5
secret-undefine {_ID}5
secret-define FOLDER/s4.xml
!cd /etc/libvirt/secrets; stat -c '%n %a %s' . *
!virsh -c secret:///system secret-list
!virsh -c secret:///system list
!virsh -c secret:///system uri
!virsh -c secret:///nope uri
!virsh -r -c qemu:///system secret-list
!virsh -r -c qemu:///system secret-get-value {_ID}3
"""

POOLS = r"""
pool-list --all
<p1.xml <pool type='dir'><name>p1</name><uuid>11111111-2222-3333-4444-5555555555a1</uuid><target><path>/var/lib/libvirt/pool1</path></target></pool>
<p2.xml <pool type='dir'><name>p2</name><uuid>11111111-2222-3333-4444-5555555555a2</uuid><target><path>/var/lib/libvirt/pool2</path><permissions><mode>0700</mode><owner>1</owner><group>1</group></permissions></target></pool>
<p3.xml <pool type='dir'><name>p3</name><uuid>11111111-2222-3333-4444-5555555555a3</uuid><target><path>/var/lib/libvirt/pool1</path></target></pool>
pool-define FOLDER/p1.xml
pool-list --all
pool-dumpxml p1
pool-start p1
pool-build p1 --overwrite
pool-build p1
pool-build p1
!stat -c '%n %a %u' /var/lib/libvirt/pool1
pool-start p1
pool-start p1
pool-dumpxml p1
pool-dumpxml p1 --inactive
pool-autostart p1
!cd /etc/libvirt/storage; stat -c '%n %a' *.xml; readlink autostart/*; cd /run/libvirt/storage; stat -c '%n %a' *.xml autostarted
!cat /etc/libvirt/storage/p1.xml /run/libvirt/storage/p1.xml
pool-define FOLDER/p3.xml
pool-create FOLDER/p2.xml
pool-create FOLDER/p2.xml --build
pool-create FOLDER/p2.xml
!stat -c '%n %a %u %g' /var/lib/libvirt/pool2
vol-create-as p1 v1 1M
vol-create-as p1 v1 1M
vol-create-as p1 v2.qcow2 1M --format qcow2
vol-create-as p1 v3.qcow2 2M --format qcow2 --backing-vol v2.qcow2 --backing-vol-format qcow2
vol-create-as p1 v4.raw 5M --allocation 0
vol-create-as p1 v5.raw 5M --allocation 2M
<size0.xml <volume><name>size0</name><capacity>1</capacity><allocation>50000</allocation><target><format type='raw'/></target></volume>
vol-create p1 FOLDER/size0.xml
vol-info size0 p1 --bytes
vol-delete size0 p1
<size1.xml <volume><name>size1</name><capacity>0</capacity><allocation>5000</allocation><target><format type='raw'/></target></volume>
vol-create p1 FOLDER/size1.xml
vol-info size1 p1 --bytes
vol-delete size1 p1
<size2.xml <volume><name>size2</name><capacity>0</capacity><allocation>0</allocation><target><format type='qcow2'/></target></volume>
vol-create p1 FOLDER/size2.xml
vol-info size2 p1 --bytes
vol-delete size2 p1
<size3.xml <volume><name>size3</name><capacity>5</capacity><allocation>0</allocation><target><format type='vmdk'/><clusterSize>65536</clusterSize></target></volume>
vol-create p1 FOLDER/size3.xml
vol-info size3 p1 --bytes
<size4.xml <volume><name>size4</name><capacity>5</capacity><allocation>0</allocation><target><format type='qcow2'/><compat>0.10</compat><features><extended_l2/></features></target></volume>
vol-create p1 FOLDER/size4.xml
vol-info size4 p1 --bytes
<size5.xml <volume><name>size5</name><capacity>5</capacity><allocation>0</allocation><target><format type='raw'/><nocow/></target></volume>
vol-create p1 FOLDER/size5.xml
vol-info size5 p1 --bytes
vol-create p1 FOLDER/size0.xml --validate
!touch /var/lib/libvirt/pool1/there
vol-create-as p1 there 5
!rm /var/lib/libvirt/pool1/there
vol-create-as p1 size9 1048576 --allocation 1048576
vol-resize size9 100 --pool p1 --shrink
vol-info size9 p1 --bytes
vol-resize size9 0 --pool p1 --allocate --shrink
vol-info size9 p1 --bytes
vol-resize size9 524288 --pool p1 --shrink --allocate
vol-info size9 p1 --bytes
vol-resize size9 524288 --pool p1 --allocate
vol-info size9 p1 --bytes
vol-resize size9 1048576 --pool p1 --allocate
vol-info size9 p1 --bytes
vol-resize size9 1M --pool p1 --delta --shrink
vol-info size9 p1 --bytes
vol-delete size9 p1
vol-create-as p1 size9 1048576 --allocation 0
vol-resize size9 100 --pool p1 --shrink
vol-info size9 p1 --bytes
vol-resize size9 0 --pool p1 --allocate --shrink
vol-info size9 p1 --bytes
vol-resize size9 524288 --pool p1 --shrink --allocate
vol-info size9 p1 --bytes
vol-resize size9 524288 --pool p1 --allocate
vol-info size9 p1 --bytes
vol-resize size9 1048576 --pool p1 --allocate
vol-info size9 p1 --bytes
vol-resize size9 1M --pool p1 --delta --shrink
vol-info size9 p1 --bytes
vol-delete size9 p1
vol-create-as p1 v6 5M --format vmdk
vol-create-as p1 v7 5M --format qcow2 --prealloc-metadata
vol-create-as p1 v8 5M --format nonsense
vol-create-as p1 a/b 5M
vol-create-as p1 d1 1M --format dir
vol-create-as p1 v9 1M --format iso
vol-create-as p1 v10 1M --format luks
vol-create-as p1 v11 1M --format qed
vol-create-as p1 v12 1M --format vpc
vol-create-as p1 v13 1M --format vdi
vol-create-as p1 v14 1000 --format bochs
vol-create-as p1 v15 1000 --format raw
vol-create-as p1 v16 1000 --format qcow2
vol-create-as p1 v18 1000T --format raw
vol-create-as p1 v19 1M --format raw --prealloc-metadata
vol-create-as p1 v20 1M --format qcow2 --backing-vol nope --backing-vol-format qcow2
vol-create-as p1 v21 1M --format raw --backing-vol v1 --backing-vol-format raw
vol-list p1 --details
vol-info v1 --pool p1
vol-info v2.qcow2 p1 --physical
vol-dumpxml v1 p1
vol-dumpxml v2.qcow2 p1
vol-dumpxml v3.qcow2 p1
vol-dumpxml v4.raw p1
vol-dumpxml v6 p1
vol-dumpxml d1 p1
vol-dumpxml v11 p1
vol-dumpxml v12 p1
vol-dumpxml v13 p1
vol-key v1 p1
vol-path v1 p1
vol-name /var/lib/libvirt/pool1/v1
vol-pool /var/lib/libvirt/pool1/v1
vol-path nope p1
vol-name /nope
vol-resize v1 2M p1
vol-resize v1 1M p1
vol-resize v1 1M p1 --shrink
vol-resize v1 +1M p1 --delta
vol-resize v2.qcow2 3M p1
vol-resize v2.qcow2 3M p1 --allocate
vol-resize v4.raw 6M p1 --allocate
vol-resize v6 6M p1
vol-resize v2.qcow2 1M p1 --shrink
vol-resize v1 0 p1
vol-resize d1 1M p1
vol-list p1 --details
vol-clone v1 c1 p1
vol-clone v2.qcow2 c2 p1
vol-clone v2.qcow2 c2 p1
vol-clone nope c3 p1
vol-dumpxml c2 p1
vol-wipe v1 p1
vol-wipe v1 p1 --algorithm dod
vol-wipe v1 p1 --algorithm trim
vol-wipe v1 p1 --algorithm nonsense
vol-wipe v2.qcow2 p1
vol-wipe d1 p1
!printf hello > FOLDER/hello
vol-upload v1 FOLDER/hello p1
vol-upload v1 FOLDER/hello p1 --offset 10M
vol-download v1 FOLDER/out p1 --length 5
!cat FOLDER/out
vol-download v1 FOLDER/out p1 --offset 10M
vol-download v4.raw FOLDER/out p1 --sparse
!stat -c '%s' FOLDER/out
RESTART
pool-list --all
vol-list p1
pool-dumpxml p2
vol-delete c1 p1
vol-delete c1 p1
vol-delete d1 p1
pool-delete p1
pool-destroy p1
pool-delete p1
vol-list p1
vol-path v1 p1
pool-undefine p2
pool-destroy p2
pool-destroy p2
pool-list --all
pool-refresh p1
pool-undefine p1
pool-undefine p1
find-storage-pool-sources dir
find-storage-pool-sources netfs
find-storage-pool-sources nonsense
find-storage-pool-sources-as netfs localhost
"""

KINDS = r"""
<f1.xml <pool type='fs'><name>f1</name><uuid>11111111-2222-3333-4444-5555555555b1</uuid><source><device path='/dev/nope'/></source><target><path>/var/lib/libvirt/f1</path></target></pool>
<f2.xml <pool type='netfs'><name>f2</name><source><host name='127.0.0.1'/><dir path='/x'/></source><target><path>/var/lib/libvirt/f2</path></target></pool>
<f3.xml <pool type='netfs'><name>f3</name><source><host name='127.0.0.1'/><dir path='/x'/><format type='nfs'/><protocol ver='4'/></source><target><path>/var/lib/libvirt/f2</path></target></pool>
<f8.xml <pool type='rbd'><name>f8</name><source><host name='127.0.0.1'/><name>x</name></source></pool>
<f9.xml <pool type='zfs'><name>f9</name><source><name>z</name><device path='/dev/z'/></source></pool>
<f10.xml <pool type='gluster'><name>f10</name><source><host name='127.0.0.1'/><name>x</name></source></pool>
<f11.xml <pool type='iscsi-direct'><name>f11</name><source><host name='127.0.0.1'/><device path='iqn.x:y'/><initiator><iqn name='i'/></initiator></source></pool>
<f12.xml <pool type='vstorage'><name>f12</name><source><name>z</name></source><target><path>/mnt</path></target></pool>
<f13.xml <pool type='dir'><name>f13</name><target><path>/var/lib/libvirt/p1/</path></target></pool>
<f14.xml <pool type='nope'><name>f14</name><target><path>/var/lib/libvirt/p1/</path></target></pool>
<f15.xml <pool type='dir'><name>f15</name><target><path>relative</path></target></pool>
<f16.xml <pool type='sheepdog'><name>f16</name><source><host name='127.0.0.1'/><name>x</name></source></pool>
pool-define FOLDER/f1.xml
pool-start f1
pool-build f1
pool-build f1 --no-overwrite
pool-build f1 --overwrite
!ls -ld /var/lib/libvirt/f1
pool-start f1
pool-start f1 --build
pool-delete f1
pool-define FOLDER/f2.xml
pool-start f2
pool-build f2
pool-start f2
pool-define FOLDER/f3.xml
pool-start f3
pool-define FOLDER/f8.xml
pool-start f8
pool-define FOLDER/f9.xml
pool-define FOLDER/f10.xml
pool-define FOLDER/f11.xml
pool-define FOLDER/f12.xml
pool-define FOLDER/f13.xml
pool-define FOLDER/f14.xml
pool-define FOLDER/f15.xml
pool-define FOLDER/f16.xml
pool-build f15
pool-start f15
pool-list --all --type dir,fs
pool-list --inactive --persistent
pool-list --transient
pool-define-as f1 dir --target /tmp/zz
pool-autostart f1 --disable
pool-create FOLDER/f1.xml --no-overwrite
pool-create FOLDER/f1.xml --build --overwrite --no-overwrite
pool-build f1 --overwrite --no-overwrite
pool-build f13
pool-start f13
pool-autostart f13
!mkdir /var/lib/libvirt/p1/sub; echo x > /var/lib/libvirt/p1/.hidden; mkfifo /var/lib/libvirt/p1/fifo; ln -s /nowhere /var/lib/libvirt/p1/dangling; qemu-img create -q -f qcow2 -b /nope/base -F raw -u /var/lib/libvirt/p1/over 1M; until qemu-img create -q -f qcow2 --object secret,id=s,data=x -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 /var/lib/libvirt/p1/enc 1M 2>/dev/null; do rm -f /var/lib/libvirt/p1/enc; done; until qemu-img create -q -f luks --object secret,id=s,data=x -o key-secret=s,iter-time=10 /var/lib/libvirt/p1/luks 1M 2>/dev/null; do rm -f /var/lib/libvirt/p1/luks; done; qemu-img create -q -f qcow2 -o compat=0.10,cluster_size=4096 /var/lib/libvirt/p1/old 1M; qemu-img create -q -f qcow2 -o lazy_refcounts=on /var/lib/libvirt/p1/lazy 1M; ln -s /var/lib/libvirt/p1/old /var/lib/libvirt/p1/link
pool-refresh f13
vol-list f13 --details
vol-dumpxml sub f13
vol-dumpxml over f13
vol-dumpxml enc f13
vol-dumpxml luks f13
vol-dumpxml old f13
vol-dumpxml lazy f13
vol-dumpxml link f13
vol-dumpxml fifo f13
vol-dumpxml .hidden f13
vol-delete sub f13
vol-wipe luks f13
<e1.xml <volume><name>e1</name><capacity unit='M'>1</capacity><target><format type='qcow2'/><encryption format='luks'><secret type='passphrase' uuid='11111111-2222-3333-4444-555555555561'/></encryption></target></volume>
<e2.xml <volume><name>e2</name><capacity unit='M'>1</capacity><target><format type='raw'/><encryption format='luks'><secret type='passphrase' uuid='11111111-2222-3333-4444-555555555561'/></encryption></target></volume>
<e3.xml <volume><name>e3</name><capacity unit='M'>1</capacity><target><format type='raw'/><encryption format='luks'/></target></volume>
<e4.xml <volume><name>e4</name><capacity unit='M'>1</capacity><target><format type='vdi'/><encryption format='luks'><secret type='passphrase' uuid='11111111-2222-3333-4444-555555555561'/></encryption></target></volume>
<e5.xml <volume><name>e5</name><capacity unit='M'>1</capacity><target><format type='qcow2'/><encryption format='qcow'/></target></volume>
<e6.xml <volume><name>e6</name><capacity unit='M'>2</capacity><allocation>0</allocation><target><format type='qcow2'/><compat>0.10</compat><clusterSize>4096</clusterSize><permissions><mode>0644</mode><owner>1</owner><group>2</group></permissions></target></volume>
<e7.xml <volume><name>e7</name><capacity unit='M'>2</capacity><target><format type='raw'/></target></volume>
<e8.xml <volume><name>e8</name><target><format type='qcow2'/></target><backingStore><path>/var/lib/libvirt/p1/e6</path><format type='qcow2'/></backingStore></volume>
<e9.xml <volume><name>e9</name><capacity>1</capacity><target><format type='qcow2'/></target><backingStore><path>/nowhere</path><format type='qcow2'/></backingStore></volume>
<e10.xml <volume><name>e10</name></volume>
<e12.xml <volume><name>e12</name><capacity unit='M'>1</capacity><target><format type='vmdk'/><compat>1.1</compat></target><backingStore><path>/nowhere</path><format type='raw'/></backingStore></volume>
<e11.xml <volume><name>e11</name><capacity unit='M'>1</capacity><target><format type='qcow2'/><compat>1.1</compat><features><lazy_refcounts/></features></target></volume>
<l1.xml <secret><uuid>11111111-2222-3333-4444-555555555561</uuid><usage type='volume'><volume>/v</volume></usage></secret>
vol-create f13 FOLDER/e1.xml
secret-define FOLDER/l1.xml
vol-create f13 FOLDER/e1.xml
secret-set-value 11111111-2222-3333-4444-555555555561 aGVsbG8=
vol-create f13 FOLDER/e3.xml
vol-create f13 FOLDER/e4.xml
vol-create f13 FOLDER/e5.xml
vol-create f13 FOLDER/e6.xml
vol-create f13 FOLDER/e8.xml
vol-create f13 FOLDER/e9.xml
vol-create f13 FOLDER/e10.xml
vol-create f13 FOLDER/e11.xml
vol-create f13 FOLDER/e12.xml
vol-create f13 FOLDER/e6.xml --prealloc-metadata
vol-create-from f13 FOLDER/e7.xml lazy --inputpool f13
vol-dumpxml e7 f13
vol-dumpxml e6 f13
vol-dumpxml e8 f13
vol-list f13 --details
pool-refresh f13
vol-dumpxml e11 f13
vol-dumpxml e6 f13
!qemu-img info /var/lib/libvirt/p1/e6
!printf 'a%.0s' $(seq 1 100000) > FOLDER/many; truncate -s 1M FOLDER/many
vol-upload e7 FOLDER/many f13 --sparse
vol-upload e7 FOLDER/many f13 --length 100
vol-download e7 FOLDER/out f13 --sparse --length 500000
!sha1sum < FOLDER/out
vol-download nope FOLDER/out f13
vol-upload nope FOLDER/out f13
!rm -r /var/lib/libvirt/p1
pool-refresh f13
pool-list --all
!virsh -c storage:///system pool-list --all
!virsh -r -c qemu:///system pool-start f1
"""

NETWORKS = r"""
net-list --all
<n1.xml <network><name>n1</name><uuid>11111111-2222-3333-4444-5555555555d1</uuid><bridge name='vbr1'/><mac address='52:54:00:11:22:33'/><ip address='192.168.150.1' netmask='255.255.255.0'><dhcp><range start='192.168.150.2' end='192.168.150.254'/><host mac='52:54:00:00:00:01' name='h1' ip='192.168.150.10'/></dhcp></ip></network>
<n2.xml <network><name>n2</name><uuid>11111111-2222-3333-4444-5555555555d2</uuid><forward mode='nat'/><mac address='52:54:00:11:22:34'/><domain name='x.local' localOnly='yes'/><ip address='192.168.151.1' prefix='24'/></network>
<n3.xml <network><name>n3</name><uuid>11111111-2222-3333-4444-5555555555d3</uuid><forward mode='bridge'/><bridge name='lo'/></network>
<n4.xml <network><name>n4</name><uuid>11111111-2222-3333-4444-5555555555d4</uuid><mac address='52:54:00:11:22:35'/></network>
<n5.xml <network><name>n5</name><uuid>11111111-2222-3333-4444-5555555555d5</uuid><bridge name='vbr1'/></network>
<n6.xml <network><name>n6</name><ip address='192.168.150.5' prefix='24'/></network>
<n7.xml <network><name>n7</name><uuid>11111111-2222-3333-4444-5555555555d7</uuid><forward mode='route'/><bridge name='vbr7' stp='off' delay='2'/><mac address='52:54:00:11:22:36'/><mtu size='1400'/><dns><host ip='192.168.152.2'><hostname>a</hostname></host><txt name='t' value='v'/><srv service='s' protocol='tcp' domain='d' target='.' port='1' priority='2' weight='3'/><forwarder addr='8.8.8.8'/></dns><ip address='192.168.152.1' prefix='24'><tftp root='/tmp'/><dhcp><range start='192.168.152.2' end='192.168.152.9'><lease expiry='1' unit='hours'/></range><bootp file='p.0' server='192.168.152.1'/></dhcp></ip><ip family='ipv6' address='2001:db8::1' prefix='64'><dhcp><range start='2001:db8::100' end='2001:db8::1ff'/></dhcp></ip></network>
<n8.xml <network><name>n1</name><uuid>11111111-2222-3333-4444-5555555555d8</uuid></network>
<n9.xml <network><name>n9</name><uuid>11111111-2222-3333-4444-5555555555d1</uuid></network>
<n10.xml <network><name>n10</name><ip address='1.2.3.4' prefix='24'><dhcp><range start='1.2.3.5' end='1.2.3.6'/></dhcp></ip><ip address='1.2.4.4' prefix='24'><dhcp><range start='1.2.4.5' end='1.2.4.6'/></dhcp></ip></network>
<n11.xml <network><name>n11</name><uuid>11111111-2222-3333-4444-5555555555e1</uuid><forward mode='nat'><nat><address start='10.9.0.5' end='10.9.0.9'/><port start='500' end='1000'/></nat></forward><bridge name='vbr11'/><mac address='52:54:00:11:22:37'/><dns enable='no'/><ip address='10.8.0.1' prefix='16'/><ip family='ipv6' address='2001:db9::1' prefix='64'/><route address='10.7.0.0' prefix='16' gateway='10.8.0.9'/></network>
<n12.xml <network><name>n12</name><uuid>11111111-2222-3333-4444-5555555555e2</uuid><forward mode='open'/><bridge name='vbr12'/><mac address='52:54:00:11:22:38'/><dns forwardPlainNames='no'/><ip address='10.6.0.1' prefix='16'><dhcp><host mac='52:54:00:00:00:09' ip='10.6.0.9'/></dhcp></ip></network>
net-define FOLDER/n1.xml
net-info n1
net-start n1
net-start n1
net-info n1
net-dumpxml n1
net-dumpxml n1 --inactive
!stat -c '%n %a' /etc/libvirt/qemu/networks/*.xml /run/libvirt/network/*.xml /var/lib/libvirt/dnsmasq/n1.[ach]*; cat /etc/libvirt/qemu/networks/n1.xml
!grep -v leasefile /var/lib/libvirt/dnsmasq/n1.conf; cat /var/lib/libvirt/dnsmasq/n1.*hosts*
!ip -br addr; ip link show vbr1; cat /sys/class/net/vbr1/bridge/stp_state /sys/class/net/vbr1/bridge/forward_delay
!iptables-save | grep -- -[AI] ; ip6tables-save | grep -- ^-A.*LIBVIRT_ | grep -v -- '-j LIBVIRT'
!cat /proc/sys/net/ipv6/conf/vbr1/disable_ipv6 /proc/sys/net/ipv4/ip_forward
net-autostart n1
net-autostart n1 --disable
net-autostart n1
net-define FOLDER/n2.xml
net-dumpxml n2
net-start n2
net-dumpxml n2
net-dumpxml n2 --inactive
!iptables-save | grep -- -[AI] ; ip6tables-save | grep -- ^-A.*LIBVIRT_ | grep -v -- '-j LIBVIRT'; ip -br addr; grep -v leasefile /var/lib/libvirt/dnsmasq/n2.conf
net-define FOLDER/n3.xml
net-start n3
net-info n3
net-create FOLDER/n4.xml
net-autostart n4
net-undefine n4
net-dumpxml n4
!cat /var/lib/libvirt/dnsmasq/n4.conf
net-define FOLDER/n5.xml
net-start n5
net-create FOLDER/n6.xml
net-define FOLDER/n8.xml
net-define FOLDER/n9.xml
net-define FOLDER/n10.xml
net-define FOLDER/n7.xml
net-start n7
!grep -v leasefile /var/lib/libvirt/dnsmasq/n7.conf; cat /var/lib/libvirt/dnsmasq/n7.*hosts*; ip link show vbr7; ip -br addr show vbr7; cd /proc/sys/net; cat ipv6/conf/vbr7/disable_ipv6 ipv4/ip_forward ipv6/conf/vbr7/accept_ra ipv6/conf/vbr7/autoconf
!iptables-save | grep -- -[AI] ; ip6tables-save | grep -- ^-A.*LIBVIRT_ | grep -v -- '-j LIBVIRT'
net-destroy n7
net-create FOLDER/n11.xml
net-create FOLDER/n12.xml
net-dumpxml n12
!iptables-save | grep -- -[AI] ; ip6tables-save | grep -- ^-A.*LIBVIRT_ | grep -v -- '-j LIBVIRT'
!ip route | sort; cat /var/lib/libvirt/dnsmasq/n11.conf; grep -v leasefile /var/lib/libvirt/dnsmasq/n12.conf; cat /var/lib/libvirt/dnsmasq/n12.*hosts*
net-destroy n11
net-destroy n12
net-dhcp-leases n1
net-dhcp-leases n1 52:54:00:00:00:01
net-update n1 add ip-dhcp-host "<host mac='52:54:00:00:00:02' ip='192.168.150.11'/>" --live --config
net-update n1 add ip-dhcp-host "<host mac='52:54:00:00:00:02' ip='192.168.150.11'/>" --live
net-update n1 add ip-dhcp-range "<range start='192.168.150.2' end='192.168.150.9'/>"
net-update n1 delete ip-dhcp-range "<range start='192.168.150.2' end='192.168.150.254'/>"
net-update n1 add dns-host "<host ip='192.168.150.77'><hostname>b</hostname></host>"
net-update n1 modify bridge "<bridge name='x'/>"
net-update n4 add dns-host "<host ip='192.168.150.77'><hostname>b</hostname></host>" --config
net-update n7 add dns-host "<host ip='192.168.150.77'><hostname>b</hostname></host>" --live
!cat /var/lib/libvirt/dnsmasq/n1.hostsfile /var/lib/libvirt/dnsmasq/n1.addnhosts
net-dumpxml n1
net-dumpxml n1 --inactive
net-list --all
net-list --autostart
net-list --transient
RESTART
net-list --all
net-dumpxml n1
net-destroy n1
net-destroy n1
net-dumpxml n1
net-destroy n4
net-undefine n1
net-undefine n2
net-list --all
net-info n2
net-destroy n2
net-destroy n3
net-undefine n3
net-undefine n7
net-list --all
!ls /etc/libvirt/qemu/networks /var/lib/libvirt/dnsmasq | grep -v status; ls /run/libvirt/network/ | grep 'n.*xml'; ip -br link; pgrep -a dnsmasq
!iptables-save | grep -- -[AI] ; ip6tables-save | grep -- ^-A.*LIBVIRT_ | grep -v -- '-j LIBVIRT'
!virsh -c network:///system net-list --all
!virsh -r -c qemu:///system net-create FOLDER/n4.xml
"""

PORTS = r"""
<n1.xml <network><name>n1</name><uuid>11111111-2222-3333-4444-5555555555d1</uuid><bridge name='vbr1'/><mac address='52:54:00:11:22:33'/><portgroup name='pg' default='yes'><bandwidth><inbound average='100'/></bandwidth></portgroup></network>
<n2.xml <network><name>n2</name><uuid>11111111-2222-3333-4444-5555555555d2</uuid><forward mode='bridge'><interface dev='lo'/><interface dev='dummy9'/></forward></network>
<n3.xml <network><name>n3</name><uuid>11111111-2222-3333-4444-5555555555d3</uuid><forward mode='bridge'/><bridge name='lo'/></network>
<p1.xml <networkport><uuid>11111111-2222-3333-4444-5555555555e1</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:00:01'/></networkport>
<p2.xml <networkport><uuid>11111111-2222-3333-4444-5555555555e2</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><group>nope</group><mac address='52:54:00:00:00:02'/><plug type='network' bridge='x'/></networkport>
<p3.xml <networkport><uuid>11111111-2222-3333-4444-5555555555e3</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:00:03'/><vlan><tag id='4'/></vlan></networkport>
<p4.xml <networkport><uuid>11111111-2222-3333-4444-5555555555e4</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:00:04'/><bandwidth><outbound average='5' burst='6'/></bandwidth></networkport>
<p5.xml <networkport><uuid>11111111-2222-3333-4444-5555555555e5</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><group>nope</group><mac address='52:54:00:00:00:05'/></networkport>
<p6.xml <networkport/>
<p7.xml <networkport><uuid>11111111-2222-3333-4444-5555555555e7</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:00:07'/></networkport>
net-define FOLDER/n1.xml
net-port-create n1 FOLDER/p1.xml
net-port-list n1
net-start n1
net-port-create n1 FOLDER/p1.xml
net-port-create n1 FOLDER/p1.xml
net-port-create n1 FOLDER/p2.xml
net-port-create n1 FOLDER/p3.xml
net-port-create n1 FOLDER/p4.xml
net-port-create n1 FOLDER/p5.xml
net-port-create n1 FOLDER/p6.xml
net-port-list n1
net-port-dumpxml n1 11111111-2222-3333-4444-5555555555e1
net-port-dumpxml n1 11111111-2222-3333-4444-5555555555e4
net-port-dumpxml n1 11111111-2222-3333-4444-5555555555e9
net-dumpxml n1
net-dumpxml n1 --inactive
!find /run/libvirt/network/n1 -type f | sort
RESTART
net-port-list n1
net-dumpxml n1
net-port-delete n1 11111111-2222-3333-4444-5555555555e1
net-port-delete n1 11111111-2222-3333-4444-5555555555e1
net-create FOLDER/n2.xml
net-port-create n2 FOLDER/p1.xml
net-port-dumpxml n2 11111111-2222-3333-4444-5555555555e1
net-port-create n2 FOLDER/p7.xml
net-port-dumpxml n2 11111111-2222-3333-4444-5555555555e7
net-create FOLDER/n3.xml
net-port-create n3 FOLDER/p1.xml
net-port-dumpxml n3 11111111-2222-3333-4444-5555555555e1
net-destroy n1
net-port-list n1
net-start n1
net-port-list n1
net-destroy n1
"""

DEVICES = r"""
!ip link add br9 address 52:54:00:99:99:99 type bridge forward_delay 300; ip link add br8 address 52:54:00:99:99:98 type bridge stp_state 1; ip link add br7 address 52:54:00:99:99:98 type bridge; ip link add v0 address 52:54:00:99:99:96 type veth peer name v1 address 52:54:00:99:99:97; ip link set v0 master br9; ip link set v1 up; ip link set v0 up; ip link set br9 up; for each in br9 v0 v1; do until grep -q up /sys/class/net/$each/operstate; do sleep 0.1; done; done
iface-list --all
iface-list
iface-list --inactive
iface-dumpxml lo
iface-dumpxml br9
iface-dumpxml br9 --inactive
iface-dumpxml br8
iface-dumpxml v1
iface-mac lo
iface-name 00:00:00:00:00:00
iface-name 52:54:00:99:99:98
iface-name 52:54:00:99:99:11
iface-dumpxml nope
iface-start lo
iface-define FOLDER/f1.xml
iface-begin
iface-undefine lo
iface-destroy lo
nwfilter-list
<f1.xml <filter name='f1' chain='root'><uuid>11111111-2222-3333-4444-5555555555f1</uuid><rule action='drop' direction='inout' priority='500'><mac match='no' srcmacaddr='$MAC'/></rule></filter>
<f2.xml <filter name='f2' chain='root'><uuid>11111111-2222-3333-4444-5555555555f2</uuid><filterref filter='f1'/><filterref filter='nope'/></filter>
<f3.xml <filter name='f3'><uuid>11111111-2222-3333-4444-5555555555f3</uuid><filterref filter='f1'/></filter>
<f4.xml <filter name='f1'><uuid>11111111-2222-3333-4444-5555555555f4</uuid><filterref filter='f1'/></filter>
<f5.xml <filter name='f1'><uuid>11111111-2222-3333-4444-5555555555f1</uuid><filterref filter='f3'/></filter>
<f6.xml <filter name='f6'><uuid>11111111-2222-3333-4444-5555555555f1</uuid></filter>
<f7.xml <filter name='f7'><rule action='nope'/></filter>
nwfilter-define FOLDER/f1.xml
nwfilter-define FOLDER/f2.xml
nwfilter-define FOLDER/f3.xml
nwfilter-define FOLDER/f4.xml
nwfilter-define FOLDER/f5.xml
nwfilter-define FOLDER/f6.xml
nwfilter-define FOLDER/f7.xml
nwfilter-define FOLDER/f1.xml --validate
nwfilter-list
nwfilter-dumpxml f1
nwfilter-dumpxml f2
nwfilter-dumpxml nope
!cd /etc/libvirt/nwfilter; stat -c '%n %a' *; cat *
RESTART
nwfilter-list
nwfilter-undefine f1
nwfilter-undefine f3
nwfilter-undefine f1
nwfilter-undefine nope
nwfilter-binding-list
nwfilter-binding-dumpxml x
nwfilter-list
nodedev-list --cap pci
nodedev-list --cap net
nodedev-list --cap system
nodedev-list --cap nope
nodedev-list --inactive
nodedev-info computer
<d1.xml <device><parent>computer</parent><capability type='mdev'><type id='x'/></capability></device>
<d2.xml <device><parent>scsi_host1</parent><capability type='scsi_host'><capability type='fc_host'><wwnn>2001001b32a9da4e</wwnn><wwpn>2101001b32a90002</wwpn></capability></capability></device>
<d3.xml <device><parent>computer</parent><capability type='scsi_host'><capability type='fc_host'><wwnn>2001001b32a9da4e</wwnn><wwpn>2101001b32a90002</wwpn></capability></capability></device>
<d4.xml <device><name>x</name><capability type='net'><interface>e</interface></capability></device>
<d5.xml <device><capability type='mdev'/></device>
<d6.xml <device><parent>nope</parent><capability type='mdev'><type id='x'/></capability></device>
<d7.xml <device><capability type='scsi_host'><capability type='fc_host'><wwnn>2001001b32a9da4e</wwnn><wwpn>2101001b32a90002</wwpn></capability></capability></device>
!for each in 1 2 3 4 5 6 7; do for what in create define; do virsh nodedev-$what FOLDER/d$each.xml 2>&1; done; done
!for each in computer nope net_lo_00_00_00_00_00_00; do for what in destroy undefine start autostart detach reattach reset "detach --driver vfio" "detach --driver kvm" "detach --driver xen" "autostart --disable"; do virsh nodedev-$what $each 2>&1; done; done
nodedev-dumpxml nope
nodedev-dumpxml net_lo_00_00_00_00_00_00
nodedev-dumpxml net_br9_52_54_00_99_99_99
!for d in $(virsh -q nodedev-list --cap pci); do virsh nodedev-info $d; virsh nodedev-dumpxml $d | grep -E '<(name|path|parent|class|domain|bus|slot|function|product|vendor|driver)'; done
freepages --all --pagesize 9
freepages 0 99
freepages 9 4
allocpages 4 10
allocpages 9 1
allocpages 2M 1 --cellno 5
!virsh node-memory-tune | sed 's/[0-9]*$//'
node-memory-tune --shm-merge-across-nodes 5
nodememstats --cell 9
!for s in interface nodedev nwfilter; do virsh -c $s:///system uri; done
"""


def requireNetworks() -> None:
    """Skip where a program is missing that networks are made with."""
    for program, package in (
        ("ip", "iproute2"),
        ("dnsmasq", "dnsmasq-base"),
        ("iptables-restore", "iptables"),
        ("busybox", "busybox-static"),
    ):
        if found(program) is None:
            raise SkipTest(f"{program} is not installed ({package})")


class SecretTests(HostSessions):
    """Secrets of the host."""

    def test_session(self) -> None:
        """Secrets are defined, changed, kept over a restart and forgotten, each with its event."""
        self.compare(SECRETS)


class StorageTests(HostSessions):
    """Pools of folders and file systems, and their volumes."""

    pools = (0, 1)

    def squeezed(self, line: str, text: str) -> str:
        """Take out times, and sizes that depend on what else lies on the disk."""
        text = re.sub(r"<(.time)>[0-9.]+<", r"<\1>N<", text)
        if line.startswith(("pool-dumpxml", "!cat")):
            text = re.sub(r"<(allocation|available) unit='bytes'>[1-9]\d*<", r"<\1>N<", text)
        return text

    def test_pools(self) -> None:
        """Pools and volumes of all formats from beginning to end."""
        self.compare(POOLS)

    def test_kinds(self) -> None:
        """Pools of every type, files of every sort in them, streams."""
        self.compare(KINDS)


class NetworkTests(HostSessions):
    """Networks of the host, each daemon in a network namespace of its own."""

    networks = (0,)

    def setUp(self) -> None:
        requireNetworks()
        super().setUp()

    def squeezed(self, line: str, text: str) -> str:
        """Take out what depends on how long a bridge is there."""
        # What a bridge without ports calls its state depends on when it is asked.
        text = re.sub(r"(?m)^(\w+) +(UNKNOWN|DOWN|UP) +", r"\1 STATE ", text)
        text = re.sub(r"(instance|interface)id='(?!1111)[-0-9a-f]+'", r"\1id='MADE UP'", text)
        return re.sub(
            r"(valid_lft|preferred_lft) \w+|tentative|,LOWER_UP|state \w+| linkdown", "", text
        )

    def test_session(self) -> None:
        """Networks of every mode are defined, started, changed, found again after a restart and removed."""
        self.compare(NETWORKS + SERVERS)

    def test_ports(self) -> None:
        """What is plugged into networks of every mode, over a restart."""
        for world in self.worlds:
            world.write("functions.sh", FUNCTIONS)
        self.compare(PORTS + POOLED)


class _LibvirtWorld(LibvirtWorld):
    """One whose udev takes files for the system's."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "SYSTEMD_DEVICE_VERIFY_SYSFS": "0"}


class DeviceTests(HostSessions):
    """Interfaces and devices of the host, network filters, and devices that guests get."""

    kinds = (_LibvirtWorld, PyvirtWorld)

    def squeezed(self, line: str, text: str) -> str:
        """Take out which process could not lock memory."""
        text = re.sub(r"of process \d+ to", "of process N to", text)
        return re.sub(r"vhostfd\W+\w+", "vhostfd", text)

    def test_session(self) -> None:
        """What the host has is described alike; guests get it alike; filters are kept, and refused where they make no sense."""
        for world in self.worlds:
            world.write("machine.py", MACHINE)
            world.write("kernel.py", KERNEL)
            emulator = world.write("emulator", EMULATOR.replace("FOLDER", world.folder))
            os.chmod(emulator, 0o755)
        self.compare(DEVICES + PASSED)


class ReloadTests(HostSessions):
    """What others write into the folders of all drivers while the daemon runs, and what it cannot write there itself."""

    pools = (0, 1)
    networks = (0,)

    def squeezed(self, line: str, text: str) -> str:
        text = re.sub(r"(?<=<mac address=')52:54:00[0-9a-f:]+", "MAC", text)
        sizes = r"(Capacity|Allocation|Available):.*|<(capacity|allocation|available).*>"
        return re.sub(sizes, "", text) if line.startswith("pool-") else text

    def test_session(self) -> None:
        """A hangup has each driver read what is new and changed, and start what is marked; what was removed stays."""
        self.compare(RELOADED)


class SwitchTests(HostSessions):
    """Cards of guests that are plugged into Open vSwitch, in place of which there is a script."""

    def setUp(self) -> None:
        super().setUp()
        for world in self.worlds:
            folder = f"{world.folder}/bin"
            os.mkdir(folder)
            path = world.write("bin/ovs-vsctl", SCRIPT.replace("FOLDER", world.folder))
            os.chmod(path, 0o755)
            mounted = world.run(["mount", "--bind", folder, "/usr/local/bin"])
            self.assertEqual(mounted.status, 0, mounted.stderr)

    def squeezed(self, line: str, text: str) -> str:
        """
        Take out what identifies a card that nobody named, and that limits are taken from ports of guests that end, which
        libvirtd leaves in the switch's tables for ever.
        """
        call = "ovs-vsctl --timeout=5"
        found = f"{call} --no-heading --columns=_uuid find \\w+ .*\n"
        freed = f"({found}){{2}}{call} set Interface (\\w+) ingress_policing_rate=0 ingress_policing_burst=0\n"
        text = re.sub(rf"{freed}(?={call} -- --if-exists del-port \2\n)", "", text)
        return re.sub(r"""(?<=ceid=["']|e-id=["']|rtid=["'])(?!9999)[0-9a-f-]{36}""", "ID", text)

    def test_session(self) -> None:
        """Switches hear the same of cards that come, are found again, get limits and go."""
        self.compare(SWITCHED)


class GuestTests(SynchronousTestCase):
    """What guests get of the drivers beside QEMU's."""

    def setUp(self) -> None:
        requireQEMU()
        requireNetworks()
        self.world = PyvirtWorld()
        self.addCleanup(self.world.stop)
        os.makedirs(f"{self.world.folder}/pool")
        network = self.world.write(
            "n.xml",
            "<network><name>n</name><bridge name='vbr1'/><ip address='192.168.150.1' prefix='24'/></network>",
        )
        self.virsh("pool-define-as", "p", "dir", "--target", f"{self.world.folder}/pool")
        self.virsh("pool-start", "p")
        self.virsh("vol-create-as", "p", "v", "8M")
        self.virsh("net-create", network)

    def virsh(self, *arguments: str, status: int = 0) -> str:
        """Run virsh, and return what it prints."""
        outcome = self.world.virsh(*arguments)
        self.assertEqual(outcome.status, status, outcome.stdout + outcome.stderr)
        return outcome.stdout + outcome.stderr

    def test_volumes(self) -> None:
        """A disk that names a volume is that while the guest runs, over a restart too; one that is not there is refused."""
        for name, volume in (("g", "v"), ("h", "nope")):
            xml = (
                f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>"
                "<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>"
                f"<disk type='volume' device='disk'><source pool='p' volume='{volume}'/>"
                "<target dev='vda' bus='virtio'/></disk></devices></domain>"
            )
            self.virsh("define", self.world.write(f"{name}.xml", xml))
        self.virsh("start", "g", "--paused")
        self.assertIn("<source pool='p' volume='v' index='1'/>", self.virsh("dumpxml", "g"))
        self.assertIn(" v\n", self.virsh("domblklist", "g"))
        self.world.stopDaemon(9)
        self.world.startDaemon()
        self.assertIn("<source pool='p' volume='v' index='1'/>", self.virsh("dumpxml", "g"))
        inactive = self.virsh("dumpxml", "g", "--inactive")
        self.assertIn("<source pool='p' volume='v'/>", inactive)
        self.virsh("vol-create-as", "p", "w", "1M")
        for volume, status in (("w", 0), ("nope", 1)):
            plugged = self.world.write(
                "d.xml",
                f"<disk type='volume' device='disk'><source pool='p' volume='{volume}'/>"
                "<target dev='vdb' bus='virtio'/></disk>",
            )
            self.virsh("attach-device", "g", plugged, status=status)
            self.assertIn("<source pool='p' volume='w' index='2'/>", self.virsh("dumpxml", "g"))
        self.virsh("destroy", "g")
        refused = self.virsh("start", "h", status=1)
        self.assertIn("no storage vol with matching name 'nope'", refused)
        self.virsh("pool-destroy", "p")
        self.assertIn("is not active", self.virsh("start", "g", status=1))

    def test_install(self) -> None:
        """virt-install makes a disk in a pool, and a guest whose card is in a network as long as it runs."""
        program = found("virt-install")
        if program is None:
            raise SkipTest("virt-install is not installed (virtinst)")
        words = (
            "--connect qemu:///system --virt-type qemu --name vi --memory 64 --disk size=0.01,pool=p "
            "--network network=n --import --noautoconsole --osinfo detect=off,require=off "
            "--graphics none"
        )
        # It is Debian's Python that runs it, which warns of what Debian's libraries do.
        plain = ("env", "-u", "PYTHONWARNINGS", "-u", "PYTHONPATH")
        outcome = self.world.run([*plain, program, *words.split()])
        self.assertEqual(outcome.status, 0, outcome.stdout + outcome.stderr)
        self.assertIn("vi.qcow2", self.virsh("vol-list", "p"))
        self.assertIn("/pool/vi.qcow2", self.virsh("domblklist", "vi"))
        self.assertEqual(len(self.virsh("-q", "net-port-list", "n").split()), 1)
        self.virsh("destroy", "vi")
        self.assertEqual(self.virsh("-q", "net-port-list", "n").split(), [])
