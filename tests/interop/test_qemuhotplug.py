"""
Devices coming to guests and leaving them, in our QEMU driver beside libvirtd's: the same sessions of virsh in two
worlds, events included.
"""

from __future__ import annotations

import re

from pyvirt import constants as c
from tests.interop.qemusessions import IMAGES, SessionCase
from tests.interop.qemuworld import World

GUEST = f"""<domain type='qemu'><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid>
<maxMemory slots='4' unit='MiB'>512</maxMemory><memory unit='MiB'>64</memory><vcpu current='1'>4</vcpu>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os><features><acpi/></features>
<cpu><numa><cell id='0' cpus='0-3' memory='64' unit='MiB'/></numa></cpu>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{IMAGES}/b.raw'/>
<target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='sdc' bus='sata'/><readonly/></disk>
<disk type='file' device='floppy'><target dev='fda' bus='fdc'/></disk>
<controller type='sata' index='0'/><controller type='usb' model='qemu-xhci'/>
<controller type='scsi' index='0' model='virtio-scsi'/><controller type='virtio-serial' index='0'/>
<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
<graphics type='vnc' port='-1' listen='127.0.0.1' passwd='abc'/><memballoon model='none'/></devices></domain>"""

Q35 = f"""<domain type='qemu'><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid>
<memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><features><acpi/></features>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{IMAGES}/b.raw'/>
<target dev='vda' bus='virtio'/><boot order='1'/></disk>
<disk type='file' device='cdrom'><target dev='sdc' bus='sata'/><readonly/></disk>
<controller type='usb' model='none'/>
<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
<memballoon model='virtio'/></devices></domain>"""

DISKS = """
+attach-device g <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='IMAGES/a2.qcow2'/><target dev='vdp' bus='virtio'/></disk>
+attach-device g <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='IMAGES/a.qcow2'/><target dev='vdb' bus='virtio'/></disk>
+attach-device g --live --config <disk type='file' device='disk'><driver name='qemu' type='raw' cache='none' io='native'/><source file='IMAGES/c.raw'/><target dev='sda' bus='scsi'/><serial>abc</serial><iotune><total_bytes_sec>1000000</total_bytes_sec></iotune></disk>
+attach-device g <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='IMAGES/d.raw'/><target dev='sdb' bus='usb'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/e.raw'/><target dev='vdd'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/f.raw'/><target dev='vdb' bus='virtio'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/nope.raw'/><target dev='vdc' bus='virtio'/></disk>
+attach-device g <disk type='file' device='disk'><driver type='qcow2'/><source file='IMAGES/f.raw'/><target dev='vdc' bus='virtio'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/f.raw'/><target dev='hdc' bus='ide'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/f.raw'/><target dev='sdx' bus='sata'/></disk>
+attach-device g <disk type='file' device='cdrom'><source file='IMAGES/f.raw'/><target dev='sdd' bus='usb'/></disk>
+attach-device g <disk type='file' device='cdrom'><source file='IMAGES/f.raw'/><target dev='sdf' bus='scsi'/></disk>
+attach-device g <disk type='file' device='floppy'><source file='IMAGES/f.raw'/><target dev='fdb' bus='fdc'/></disk>
+attach-device g <disk type='file' device='cdrom'><source file='IMAGES/f.raw'/><target dev='sdc' bus='sata'/><readonly/></disk>
dumpxml g
+attach-device g <disk type='file' device='floppy'><source file='IMAGES/f.raw'/><target dev='fda' bus='fdc'/></disk>
+update-device g <disk type='file' device='cdrom'><target dev='sdc' bus='sata'/><readonly/></disk>
+update-device g --config <disk type='file' device='cdrom'><source file='IMAGES/f.raw'/><target dev='sdc' bus='sata'/><readonly/></disk>
+update-device g --force <disk type='file' device='cdrom'><source file='IMAGES/h.raw'/><target dev='sdc' bus='sata'/><readonly/></disk>
+update-device g <disk type='file' device='cdrom'><source file='IMAGES/nope'/><target dev='sdc' bus='sata'/><readonly/></disk>
change-media g sdc --eject
change-media g sdc IMAGES/f.raw --insert
change-media g sdc IMAGES/h.raw --insert
change-media g sdc IMAGES/h.raw --update --live --config
change-media g sdc --eject --force
dumpxml g
detach-disk g sda
detach-disk g sda --config
detach-disk g sdb
detach-disk g sdz
detach-disk g sdz --config
detach-disk g sdc
detach-disk g sdf
detach-disk g sdd
detach-disk g vdb
dumpxml g
dumpxml g --inactive
RESTART
dumpxml g
detach-device-alias g virtio-disk1
detach-device-alias g nope
detach-device-alias g virtio-disk0 --config
qemu-monitor-command g --hmp system_reset
GONE virtio-disk1
dumpxml g
dumpxml g
destroy g
dumpxml g
+attach-device g <disk type='file' device='disk'><source file='IMAGES/f.raw'/><target dev='vdb' bus='virtio'/></disk>
+attach-device g --live <disk type='file' device='disk'><source file='IMAGES/f.raw'/><target dev='vdb' bus='virtio'/></disk>
+attach-device g --config <disk type='file' device='disk'><source file='IMAGES/f.raw'/><target dev='vdb' bus='virtio'/></disk>
+attach-device g --persistent <disk type='file' device='disk'><source file='IMAGES/f.raw'/><target dev='vdx' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><source file='IMAGES/d.raw'/><target dev='vdb' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><source file='IMAGES/d.raw'/><target dev='vdz' bus='virtio'/></disk>
+detach-device g --live <disk type='file' device='disk'><source file='IMAGES/d.raw'/><target dev='vdb' bus='virtio'/></disk>
+detach-device g <disk type='file' device='disk'><source file='IMAGES/d.raw'/><target dev='vdb' bus='virtio'/></disk>
dumpxml g
"""

PLACES = """
+attach-device g <disk type='file' device='disk'><alias name='ua-my'/><source file='IMAGES/k.raw'/><target dev='sdq' bus='scsi'/></disk>
+attach-device g <disk type='file' device='disk'><alias name='ua-my'/><source file='IMAGES/h.raw'/><target dev='sdr' bus='scsi'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/h.raw'/><target dev='sdr' bus='scsi'/><address type='drive' controller='0' bus='0' target='0' unit='3'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/f.raw'/><target dev='sds' bus='scsi'/><address type='drive' controller='0' bus='0' target='0' unit='3'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/f.raw'/><target dev='sds' bus='scsi'/><address type='drive' controller='3' bus='0' target='0' unit='3'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/f.raw'/><target dev='vdn' bus='virtio'/><address type='pci' domain='0' bus='0' slot='3' function='0'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/f.raw'/><target dev='vdn' bus='virtio'/><boot order='1'/></disk>
+attach-device g <disk type='file' device='lun'><source file='IMAGES/f.raw'/><target dev='sdt' bus='scsi'/></disk>
+attach-device g <disk type='file' device='disk'><driver copy_on_read='on'/><source file='IMAGES/f.raw'/><target dev='sdu' bus='scsi'/><readonly/></disk>
+attach-device g <disk type='file' device='cdrom'><target dev='sdv' bus='scsi'/></disk>
+attach-device g <disk type='block' device='disk'><source dev='/dev/nope'/><target dev='sdw' bus='scsi'/></disk>
+attach-device g <disk type='network' device='disk'><source protocol='nbd' name='x'><host name='127.0.0.1' port='1'/></source><target dev='sdw' bus='scsi'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/f.raw'/><target dev='vdn' bus='virtio'/><iotune><total_bytes_sec>5</total_bytes_sec></iotune></disk>
+attach-device g --config <disk type='file' device='disk'><source file='IMAGES/f.raw'/><target dev='vda' bus='virtio'/></disk>
+attach-device g --config <disk type='file' device='disk'><source file='IMAGES/f.raw'/><target dev='hda' bus='ide'/></disk>
dumpxml g
dumpxml g --inactive
detach-disk g sdq --live
detach-disk g sdr --live --config
detach-device-alias g ua-my
+update-device g <disk type='file' device='cdrom'><source file='IMAGES/f.raw'/><target dev='sdc' bus='sata'/></disk>
dumpxml g
+update-device g <disk type='file' device='cdrom'><target dev='sdc' bus='sata'/></disk>
+update-device g <disk type='file' device='cdrom'><source file='IMAGES/f.raw' startupPolicy='optional'/><target dev='sdc' bus='sata'/></disk>
dumpxml g
"""

NETS = """
+attach-device g --live --config <interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/></interface>
+attach-device g <interface type='mcast'><mac address='52:54:00:00:00:03'/><source address='230.0.0.1' port='5558'/><model type='e1000'/></interface>
+attach-device g <interface type='udp'><mac address='52:54:00:00:00:04'/><source address='127.0.0.1' port='5559'><local address='127.0.0.1' port='5560'/></source></interface>
+attach-device g <interface type='server'><mac address='52:54:00:00:00:05'/><source address='127.0.0.1' port='5561'/></interface>
+attach-device g <interface type='client'><mac address='52:54:00:00:00:06'/><source address='127.0.0.1' port='5562'/></interface>
+attach-device g <interface type='null'><mac address='52:54:00:00:00:07'/></interface>
+attach-device g <interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/></interface>
+attach-device g --config <interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/></interface>
+attach-device g <interface type='user'><mac address='52:54:00:00:00:08'/><model type='nonsense'/></interface>
+attach-device g <interface type='user'><mac address='52:54:00:00:00:08'/><link state='down'/><model type='virtio'/><bandwidth><inbound average='1000'/></bandwidth></interface>
dumpxml g
domif-setlink g 52:54:00:00:00:01 down
domif-setlink g 52:54:00:00:00:01 up --config
domif-getlink g 52:54:00:00:00:01
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><link state='down'/></interface>
dumpxml g
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><link state='up'/></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='e1000'/></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:99'/><model type='e1000'/></interface>
+update-device g <interface type='mcast'><mac address='52:54:00:00:00:01'/><source address='230.0.0.1' port='5558'/><model type='virtio'/></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><bandwidth><inbound average='1000'/></bandwidth></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><driver queues='2'/></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><target dev='tap9'/></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><mtu size='1400'/></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><boot order='1'/></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><rom bar='off'/></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><address type='pci' slot='0x1f'/></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><alias name='ua-x'/></interface>
+update-device g --config <interface type='user'><mac address='52:54:00:00:00:01'/><model type='e1000'/></interface>
+update-device g --config <interface type='user'><mac address='52:54:00:00:00:99'/><model type='e1000'/></interface>
+update-device g <graphics type='vnc' port='-1' listen='127.0.0.1' passwd='xyz'/>
+update-device g <graphics type='vnc' port='-1' listen='127.0.0.1' passwd='xyz' connected='disconnect'/>
+update-device g <graphics type='vnc' port='-1' listen='127.0.0.1' passwd='xyz' passwdValidTo='2030-01-01T00:00:00'/>
+update-device g <graphics type='vnc' port='5999' listen='127.0.0.1' passwd='xyz'/>
+update-device g <graphics type='vnc' port='-1' listen='127.0.0.1' keymap='de' passwd='xyz'/>
+update-device g <graphics type='vnc' port='-1' listen='127.0.0.2'/>
+update-device g <graphics type='vnc' port='-1' listen='127.0.0.1'/>
+update-device g <graphics type='spice' port='-1' passwd='xyz'/>
+update-device g --config <graphics type='vnc' port='-1' listen='127.0.0.1' passwd='cfg'/>
+update-device g --config <graphics type='spice' port='-1' passwd='cfg'/>
detach-interface g user --mac 52:54:00:00:00:02
detach-interface g user --mac 52:54:00:00:00:02 --config
detach-interface g user --mac 52:54:00:00:00:77
+detach-device g <interface type='user'><mac address='52:54:00:00:00:77'/></interface>
+detach-device g --config <interface type='user'><mac address='52:54:00:00:00:77'/></interface>
+detach-device g <interface type='user'/>
dumpxml g --inactive
dumpxml g
"""

VCPUS = """
setvcpus g 2
setvcpus g 2 --live
vcpucount g
setvcpus g 3 --config
setvcpus g 5 --live
setvcpus g 0 --live
setvcpus g 1 --live
setvcpus g 4 --live --config
setvcpus g 8 --maximum --live
setvcpus g 3 --live --hotpluggable
setvcpus g 2
setvcpus g 1
setvcpus g 3
setvcpu g 3 --enable
setvcpu g 3 --disable
setvcpu g 2 --disable --config
setvcpu g 9 --enable
setvcpu g 0 --disable
"""

PORTS = """
+attach-device g <serial type='tcp'><source mode='bind' host='127.0.0.1' service='4777'/><protocol type='telnet'/><target type='usb-serial'/></serial>
+attach-device g <channel type='tcp'><source mode='bind' host='127.0.0.1' service='4778'/><target type='virtio' name='a'/></channel>
+attach-device g <channel type='udp'><source mode='connect' host='127.0.0.1' service='4779'/><source mode='bind' host='127.0.0.1' service='4780'/><target type='virtio' name='b'/></channel>
+attach-device g <channel type='file'><source path='IMAGES/chan.log' append='on'/><log file='IMAGES/chan2.log' append='off'/><target type='virtio' name='c'/></channel>
+attach-device g <channel type='pipe'><source path='/tmp/nopipe'/><target type='virtio' name='d'/></channel>
+attach-device g <channel type='dev'><source path='/dev/nope'/><target type='virtio' name='d'/></channel>
+attach-device g <channel type='null'><target type='virtio' name='e'/><alias name='ua-chan'/></channel>
+attach-device g <channel type='null'><target type='virtio' name='e'/></channel>
+attach-device g <channel type='unix'><target type='virtio'/></channel>
+attach-device g <channel type='unix'><target type='virtio'/></channel>
+detach-device g <channel type='unix'><target type='virtio'/></channel>
+attach-device g --config <channel type='pty'><target type='virtio' name='p'/></channel>
+attach-device g --config <channel type='null'><target type='virtio' name='p'/></channel>
+attach-device g --config <channel type='pty'><target type='virtio' name='p'/><address type='virtio-serial' port='9'/></channel>
+detach-device g --config <channel type='pty'><target type='virtio' name='p'/></channel>
+detach-device g --config <channel type='null'><target type='virtio' name='p'/></channel>
+attach-device g <channel type='unix'><source mode='connect' path='/tmp/nosock'/><target type='virtio' name='f'/></channel>
+attach-device g <channel type='stdio'><target type='virtio' name='g'/></channel>
+attach-device g <channel type='vc'><target type='virtio' name='g'/></channel>
+attach-device g <channel type='null'><target type='virtio' name='h'/><address type='virtio-serial' controller='0' bus='0' port='9'/></channel>
+attach-device g <channel type='null'><target type='virtio' name='i'/><address type='virtio-serial' controller='0' bus='0' port='9'/></channel>
+attach-device g <channel type='null'><target type='virtio' name='i'/><address type='virtio-serial' controller='4' bus='0' port='9'/></channel>
+attach-device g <channel type='null'><target type='virtio' name='i'/><address type='virtio-serial' controller='0' bus='0' port='99'/></channel>
dumpxml g
RESTART
dumpxml g
detach-device-alias g ua-chan
+detach-device g <channel type='null'><target type='virtio' name='h'/></channel>
dumpxml g
"""

OTHERS = """
+attach-device g --live --config <channel type='unix'><target type='virtio' name='org.example.one'/></channel>
+attach-device g <channel type='unix'><source mode='bind' path='/tmp/xx.sock'/><target type='virtio' name='org.example.two'/></channel>
+attach-device g <channel type='unix'><target type='virtio' name='org.example.two'/></channel>
+attach-device g <channel type='pty'><target type='virtio' name='org.example.pty'/></channel>
+attach-device g <channel type='spicevmc'><target type='virtio'/></channel>
+attach-device g <channel type='pty'><target type='guestfwd' address='10.0.2.5' port='4600'/></channel>
+attach-device g <serial type='pty'/>
+attach-device g <serial type='null'><target type='pci-serial'/></serial>
+attach-device g <serial type='file'><source path='IMAGES/s.log'/><target type='isa-serial' port='1'/></serial>
+attach-device g <parallel type='null'/>
+attach-device g --config <parallel type='null'/>
+attach-device g --config <serial type='pty'/>
+attach-device g --live --config <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
+attach-device g <rng model='virtio'><rate bytes='100' period='2000'/><backend model='builtin'/></rng>
+attach-device g <rng model='virtio'><backend model='random'>/dev/nope</backend></rng>
+attach-device g <rng model='virtio'><backend model='egd' type='tcp'><source mode='connect' host='127.0.0.1' service='1'/></backend></rng>
+attach-device g --live --config <memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>
+attach-device g <memory model='dimm'><target><size unit='MiB'>512</size><node>0</node></target></memory>
+attach-device g <memory model='dimm'><target><size unit='MiB'>128</size><node>3</node></target></memory>
+attach-device g <memory model='dimm'><target><size unit='MiB'>128</size></target></memory>
+attach-device g <memory model='nvdimm'><source><path>IMAGES/nv</path></source><target><size unit='MiB'>16</size><node>0</node></target></memory>
+attach-device g <controller type='scsi' model='virtio-scsi'/>
+attach-device g <controller type='scsi' index='0' model='virtio-scsi'/>
+attach-device g <controller type='scsi' index='5' model='lsilogic'/>
+attach-device g <controller type='virtio-serial'/>
+attach-device g <controller type='usb' index='1' model='ehci'/>
+attach-device g <controller type='pci' model='pci-bridge'/>
+attach-device g --config <controller type='virtio-serial' index='3'/>
+attach-device g --config <controller type='virtio-serial' index='3'/>
+attach-device g --config <controller type='sata'/>
+attach-device g <input type='tablet' bus='usb'/>
+attach-device g --live --config <input type='mouse' bus='usb'/>
+attach-device g <input type='keyboard' bus='virtio'/>
+attach-device g <input type='keyboard' bus='ps2'/>
+attach-device g <input type='passthrough' bus='virtio'><source evdev='/dev/input/event99'/></input>
+attach-device g <redirdev bus='usb' type='tcp'><source mode='bind' host='127.0.0.1' service='4123'/></redirdev>
+attach-device g <redirdev bus='usb' type='spicevmc'/>
+attach-device g --live --config <watchdog model='i6300esb' action='reset'/>
+attach-device g <watchdog model='i6300esb' action='reset'/>
+attach-device g --config <watchdog model='i6300esb' action='reset'/>
+attach-device g <watchdog model='ib700' action='reset'/>
+attach-device g <vsock model='virtio'><cid auto='no' address='7'/></vsock>
+attach-device g --config <vsock model='virtio'><cid auto='no' address='7'/></vsock>
+attach-device g --config <vsock model='virtio'><cid auto='no' address='8'/></vsock>
+attach-device g --live --config <shmem name='shm0'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>
+attach-device g <shmem name='shm1'><model type='ivshmem-doorbell'/><server path='/tmp/nope.sock'/></shmem>
+attach-device g <shmem name='shm2'><size unit='M'>4</size></shmem>
+attach-device g <hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0x5678'/></source></hostdev>
+attach-device g --config <hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0x5678'/></source></hostdev>
+attach-device g --config <hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0x5678'/></source></hostdev>
+attach-device g <filesystem type='mount'><source dir='/tmp'/><target dir='x'/></filesystem>
+attach-device g --config <filesystem type='mount'><source dir='/tmp'/><target dir='x'/></filesystem>
+attach-device g --config <filesystem type='mount'><source dir='/tmp'/><target dir='x'/></filesystem>
+attach-device g <lease><lockspace>s</lockspace><key>k</key><target path='/tmp/lease'/></lease>
+attach-device g --config <lease><lockspace>s</lockspace><key>k</key><target path='/tmp/lease'/></lease>
+attach-device g --config <lease><lockspace>s</lockspace><key>k</key><target path='/tmp/lease'/></lease>
+attach-device g <video><model type='vga'/></video>
+attach-device g --config <video><model type='vga'/></video>
+attach-device g <sound model='ich6'/>
+attach-device g --config <sound model='ich6'/>
+attach-device g <graphics type='vnc'/>
+attach-device g <hub type='usb'/>
+attach-device g <tpm model='tpm-tis'><backend type='emulator'/></tpm>
+attach-device g --config <tpm model='tpm-tis'><backend type='emulator'/></tpm>
+attach-device g <panic model='isa'/>
+attach-device g <memballoon model='virtio'/>
+attach-device g <smartcard mode='host'/>
+attach-device g <audio id='2' type='none'/>
+attach-device g <iommu model='intel'/>
+attach-device g <nvram/>
+attach-device g <nonsense/>
+attach-device g <disk
+attach-device g <disk type='file'><target dev='vdx'/>
+attach-device g <disk type='file'/>
dumpxml g
dumpxml g --inactive
"""

LEAVING = """
+detach-device g <channel type='unix'><source mode='bind' path='/tmp/xx.sock'/><target type='virtio' name='org.example.two'/></channel>
+detach-device g <channel type='unix'><target type='virtio' name='org.example.zzz'/></channel>
+detach-device g --config <channel type='unix'><target type='virtio' name='org.example.zzz'/></channel>
+detach-device g <channel type='pty'><target type='virtio' name='org.example.pty'/></channel>
+detach-device g <serial type='pty'/>
+detach-device g --config <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
+detach-device g --config <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
+detach-device g <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
+detach-device g <rng model='virtio'><backend model='random'>/dev/other</backend></rng>
+detach-device g --config <memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>
+detach-device g <memory model='dimm'><target><size unit='MiB'>64</size><node>0</node></target></memory>
+detach-device g <controller type='scsi' index='9' model='virtio-scsi'/>
+detach-device g --config <controller type='scsi' index='9' model='virtio-scsi'/>
+detach-device g <controller type='usb' index='0' model='ehci'/>
+detach-device g <controller type='virtio-serial' index='0'/>
+detach-device g <input type='tablet' bus='usb'/>
+detach-device g --live --config <input type='mouse' bus='usb'/>
+detach-device g <input type='mouse' bus='ps2'/>
+detach-device g <input type='tablet' bus='virtio'/>
+detach-device g --config <input type='tablet' bus='virtio'/>
+detach-device g <redirdev bus='usb' type='tcp'><source mode='bind' host='127.0.0.1' service='4123'/></redirdev>
+detach-device g <redirdev bus='usb' type='tcp'><source mode='bind' host='127.0.0.1' service='4124'/></redirdev>
+detach-device g --config <redirdev bus='usb' type='tcp'><source mode='bind' host='127.0.0.1' service='4124'/></redirdev>
+detach-device g <watchdog model='i6300esb' action='poweroff'/>
+detach-device g --live --config <watchdog model='i6300esb' action='reset'/>
+detach-device g <vsock model='virtio'><cid auto='no' address='9'/></vsock>
+detach-device g --config <vsock model='virtio'><cid auto='no' address='9'/></vsock>
+detach-device g --config <vsock model='virtio'><cid auto='no' address='7'/></vsock>
+detach-device g <shmem name='shm9'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>
+detach-device g <hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0x5678'/></source></hostdev>
+detach-device g --config <hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0x5678'/></source></hostdev>
+detach-device g --config <hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0x5678'/></source></hostdev>
+detach-device g <filesystem type='mount'><source dir='/tmp'/><target dir='x'/></filesystem>
+detach-device g --config <filesystem type='mount'><source dir='/tmp'/><target dir='x'/></filesystem>
+detach-device g --config <filesystem type='mount'><source dir='/tmp'/><target dir='x'/></filesystem>
+detach-device g <lease><lockspace>s</lockspace><key>k</key><target path='/tmp/lease'/></lease>
+detach-device g <lease><lockspace>s</lockspace><key>k</key><target path='/tmp/lease'/></lease>
+detach-device g --config <lease><lockspace>s</lockspace><key>k</key><target path='/tmp/lease'/></lease>
+detach-device g <video><model type='vga'/></video>
+detach-device g --config <video><model type='vga'/></video>
+detach-device g <sound model='ich6'/>
+detach-device g --config <sound model='ich6'/>
+detach-device g --config <sound model='ich6'/>
+detach-device g <graphics type='vnc'/>
+detach-device g <memballoon model='none'/>
+update-device g <memballoon model='none'/>
+update-device g --config <memballoon model='none'/>
+update-device g <rng model='virtio'><backend model='builtin'/></rng>
+update-device g --config <rng model='virtio'><backend model='builtin'/></rng>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/d.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><serial>x</serial></disk>
+update-device g <disk type='file' device='disk'><driver type='raw' cache='none'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='scsi'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><readonly/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><shareable/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw' startupPolicy='optional'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><iotune><total_iops_sec>77</total_iops_sec></iotune></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vdz' bus='virtio'/></disk>
+update-device g <disk type='file' device='lun'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><boot order='1'/></disk>
+update-device g <memory model='dimm'><target><size unit='MiB'>64</size><node>0</node></target></memory>
dumpxml g
dumpxml g --inactive
"""

#: What a device leaves open is filled in, and it is looked at by itself, before anybody looks whether it fits.
ALONE = """
+attach-device g <channel type='null'><target type='xen' name='x'/><address type='virtio-serial' controller='1' bus='0' port='3'/></channel>
+attach-device g --live <input type='passthrough' bus='xen'><alias name='bad name'/></input>
+attach-device g <input type='passthrough' bus='virtio'/>
+attach-device g <disk type='file' device='floppy'><driver name='qemu' type='raw'/><source file='IMAGES/b.raw'/><target dev='fdc' bus='fdc'/></disk>
+detach-device g --config <disk type='file' device='disk'><source file='IMAGES/c.raw'/><target dev='vd' bus='usb'/></disk>
+update-device g <disk type='file' device='floppy'><driver name='qemu' type='qcow2'/><source file='IMAGES/c.raw'/><target dev='fdc' bus='fdc'/></disk>
+update-device g --config <disk type='file' device='floppy'><source file='IMAGES/c.raw'/><target dev='fdb' bus='fdc'/><boot order='2'/></disk>
+attach-device g <disk type='network' device='lun'><source protocol='rbd' name='x/y'/><target dev='xda' bus='usb'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/c.raw'/><target dev='sdx' bus='usb'/><address type='pci' bus='0' slot='8'/></disk>
+attach-device g <disk type='file' device='cdrom'><target dev='vdd' bus='virtio'/><address type='drive' controller='1' bus='0' target='0' unit='2'/></disk>
+attach-device g <disk type='file' device='disk'><driver name='qemu' type='raw' io='native'/><source file='IMAGES/e.raw'/><target dev='sdc' bus='scsi'/></disk>
+attach-device g <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='IMAGES/c.raw'/><target dev='sda' bus='scsi'/><shareable/></disk>
+attach-device g <controller type='ccid' index='1'><driver queues='2'/></controller>
+attach-device g --config <controller type='scsi' model='ncr53c90' index='3'/>
+attach-device g <controller type='scsi' model='vmpvscsi'/>
+attach-device g --config <controller type='scsi' model='buslogic'/>
+attach-device g <controller type='pci' model='pcie-root'/>
+attach-device g <controller type='pci' model='pci-bridge'/>
+attach-device g <controller type='scsi' index='6' model='virtio-scsi'><address type='pci' bus='0' slot='9' function='1'/></controller>
+attach-device g <rng model='virtio'><backend model='builtin'/><address type='pci' bus='15' slot='1'/></rng>
+detach-device g <controller type='scsi'/>
+detach-device g --config <controller type='sata'/>
+detach-device g <watchdog model='i6300esb'/>
+attach-device g <watchdog model='ib700'/>
+attach-device g <memory model='sgx-epc'><target><size unit='MiB'>128</size><node>0</node></target></memory>
+attach-device g <memory model='virtio-mem'><target><size unit='MiB'>16</size><node>0</node><block unit='KiB'>2048</block></target></memory>
+update-device g --config <memory model='virtio-mem'><target><size unit='MiB'>512</size><node>0</node><block unit='KiB'>2048</block></target></memory>
+attach-device g <shmem name='s' role='master'><model type='ivshmem-plain'/><size unit='KiB'>512</size></shmem>
+detach-device g --live <shmem name='s'><model type='ivshmem-doorbell'/></shmem>
+attach-device g <video><model type='vga'/></video>
+attach-device g <audio id='1' type='none'/>
+attach-device g <memballoon model='xen'/>
+attach-device g <hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' wwpn='naa.5123456789abcde0'/></hostdev>
+attach-device g <hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' wwpn='naa.5123456789abcde0'/><boot order='1'/></hostdev>
+attach-device g --live <hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0x5678'/></source><address type='pci' bus='1' slot='3'/></hostdev>
+update-device g <hostdev mode='subsystem' type='usb'><source><address bus='9' device='9'/></source></hostdev>
+update-device g --config <channel type='null'><target type='virtio' name='org.b'/></channel>
+attach-device g <interface type='hostdev'><mac address='52:54:00:00:00:07'/><source><address type='pci' domain='0' bus='0x99' slot='1' function='0'/></source></interface>
+attach-device g <interface type='vdpa'><mac address='52:54:00:00:00:07'/><source dev='/dev/vhost-vdpa-0'/><model type='virtio'/></interface>
+attach-device g <interface type='vdpa'><mac address='52:54:00:00:00:07'/><source dev='/dev/vhost-vdpa-0'/><model type='other'/></interface>
+attach-device g <interface type='user'><mac address='52:54:00:00:00:07'/><model type='virtio'/><script path='/nope'/></interface>
+attach-device g <interface type='internal'><mac address='52:54:00:00:00:07'/><source name='x'/><vlan><tag id='5'/></vlan></interface>
+attach-device g --config <console type='pty'><target type='virtio' port='7'/></console>
+attach-device g --config <console type='pty'><target type='virtio'/></console>
+attach-device g --config <console type='null'><target type='virtio' port='1'/></console>
+attach-device g --config <console type='null'><target type='virtio' port='7'/></console>
+attach-device g --config <serial type='null'><target type='usb-serial' port='5'/></serial>
+attach-device g --config <serial type='file'><source path='/tmp/f'/><target type='usb-serial' port='5'/></serial>
+attach-device g --config <serial type='null'><target type='usb-serial' port='5'/></serial>
+detach-device g --config <serial type='null'><target type='usb-serial'/></serial>
+detach-device g --config <serial type='null'><target type='usb-serial' port='5'/></serial>
+detach-device g --config <console type='null'><target type='virtio'/></console>
dumpxml g --inactive
+attach-device g <console type='pty'><target type='virtio' port='3'/></console>
+attach-device g <console type='pty'><target type='virtio'/></console>
+attach-device g <console type='pipe'><source path='IMAGES/b.raw'/><target type='virtio'/></console>
+attach-device g <console type='spicevmc'><target type='virtio'/></console>
+attach-device g <console type='nmdm'><source master='/dev/nmdm0A' slave='/dev/nmdm0B'/><target type='serial'/></console>
+attach-device g <console type='pty'><target type='xen'/></console>
+attach-device g --config <serial type='null'><target type='isa-serial' port='4'/></serial>
+attach-device g --config <serial type='null'><target type='isa-serial' port='1'/></serial>
+attach-device g --config <serial type='null'><target type='isa-serial' port='1'/></serial>
+attach-device g --live --config <serial type='vc'><target type='pci-serial' port='1'/></serial>
+attach-device g --config <serial type='spiceport'><source channel='x.y'/><target type='isa-serial'><model name='isa-debugcon'/></target></serial>
+attach-device g <parallel type='dev'><source path='/dev/null'/></parallel>
+detach-device g --config <input type='keyboard' bus='ps2'/>
dumpxml g
dumpxml g --inactive
detach-device-alias g console1
GONE console1
dumpxml g
"""

FULL = """
+attach-device g <disk type='file' device='disk'><source file='IMAGES/c.raw'/><target dev='vdb' bus='virtio'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/d.raw'/><target dev='vdc' bus='virtio'/></disk>
+attach-device g <interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/></interface>
+attach-device g <rng model='virtio'><backend model='builtin'/></rng>
+attach-device g <rng model='virtio'><backend model='builtin'/></rng>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/d.raw'/><target dev='sda' bus='usb'/></disk>
+attach-device g <input type='tablet' bus='usb'/>
+attach-device g <channel type='unix'><target type='virtio' name='org.example.one'/></channel>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/d.raw'/><target dev='sdb' bus='scsi'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/d.raw'/><target dev='sda' bus='sata'/></disk>
+attach-device g <disk type='file' device='disk'><source file='IMAGES/f.raw'/><target dev='vde' bus='virtio'/><boot order='1'/></disk>
+attach-device g <memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>
+attach-device g <redirdev bus='usb' type='tcp'><source mode='bind' host='127.0.0.1' service='4123'/></redirdev>
+attach-device g <hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0x5678'/></source></hostdev>
+attach-device g --config <interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/></interface>
+attach-device g --config <channel type='unix'><target type='virtio' name='org.example.one'/></channel>
+attach-device g --config <memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>
"""

UPDATES = """
+update-device g <disk type='file' device='cdrom'><driver type='qcow2'/><source file='IMAGES/c.raw'/><target dev='sdc' bus='sata'/></disk>
+update-device g <disk type='file' device='cdrom'><driver type='qcow2'/><source file='IMAGES/q.qcow2'/><target dev='sdc' bus='sata'/></disk>
+update-device g <disk type='file' device='cdrom'><driver type='raw'/><source file='IMAGES/e.raw'/><target dev='sdc' bus='sata'/></disk>
+update-device g <disk type='file' device='cdrom'><driver type='raw'/><source file='IMAGES/e.raw'/><target dev='sdc' bus='sata'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/e.raw'/><target dev='sdc' bus='sata'/></disk>
+update-device g <disk type='file' device='cdrom'><driver type='raw'/><source file='IMAGES/e.raw'/><target dev='sdc'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw' error_policy='stop'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw' rerror_policy='stop'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw' io='threads'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw' ioeventfd='on'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw' event_idx='on'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw' copy_on_read='on'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw' discard='unmap'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw' detect_zeroes='on'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw' queues='2'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw' iommu='on'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk' snapshot='no'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><geometry cyls='10' heads='10' secs='10'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><blockio logical_block_size='512'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><blockio physical_block_size='512'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><transient/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><alias name='ua-q'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><address type='pci' slot='0x1d'/></disk>
+update-device g <disk type='file' device='disk'><driver type='qcow2'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><boot order='2'/></disk>
+update-device g <disk type='file' device='disk' model='virtio-transitional'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><iotune><read_bytes_sec>77</read_bytes_sec></iotune></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><iotune><total_bytes_sec>77</total_bytes_sec></iotune></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><iotune><group_name>x</group_name><total_bytes_sec>1</total_bytes_sec></iotune></disk>
+update-device g <disk type='file' device='disk' rawio='yes'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><wwn>5000c50015ea71ac</wwn></disk>
+update-device g <disk type='file' device='disk'><driver type='raw'/><source file='IMAGES/b.raw'/><target dev='vda' bus='virtio'/><backenddomain name='x'/></disk>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><driver name='qemu' txmode='iothread'/></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><rom file='/x'/></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><boot order='2'/></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><tune><sndbuf>1</sndbuf></tune></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><script path='/x'/></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><ip address='10.1.1.2' family='ipv4' prefix='24'/></interface>
+update-device g <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/><filterref filter='x'/></interface>
+update-device g <interface type='user' trustGuestRxFilters='yes'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
+update-device g <interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='x'/><model type='virtio'/></interface>
+update-device g <interface type='ethernet'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
"""


def squeezed(command: str, text: str) -> str:
    """Take out what differs from run to run, and what is no business of devices."""
    if command.startswith("dumpxml"):
        head = "".join(re.findall(r"  <(?:memory|currentMemory|vcpu)[ >].*\n", text))
        vcpus = "".join(re.findall(r"(?s)  <vcpus>.*?</vcpus>\n", text))
        devices = "".join(re.findall(r"(?s)<devices>.*?</devices>", text))
        text = head + vcpus + re.sub(r"/dev/pts/\d+", "/dev/pts/N", devices)
    return text


class QEMUHotplugTests(SessionCase):
    """Both daemons plug the same, refuse the same with the same words, and tell the same events."""

    kinds = (
        c.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
        c.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE,
        c.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
        c.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
        c.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED,
    )
    squeezed = staticmethod(squeezed)

    def prepare(self, world: World) -> None:
        images = [f"qemu-img create -q -f raw {IMAGES}/{each}.raw 8M" for each in "bcdefhk"]
        images.append(f"qemu-img create -q -f qcow2 {IMAGES}/q.qcow2 8M")
        images.append(f"qemu-img create -q -f qcow2 {IMAGES}/base.qcow2 8M")
        images += [
            f"qemu-img create -q -f qcow2 -F qcow2 -b {IMAGES}/base.qcow2 {IMAGES}/{each}.qcow2"
            for each in ("a", "a2")
        ]
        self.assertEqual(world.run(["sh", "-c", " && ".join(images)]).status, 0)

    def plug(self, guest: str, script: str) -> None:
        """Start a guest, whose CPUs stand still, compare a session with it, and end it."""
        for world in self.worlds:
            path = world.write("g.xml", guest)
            for words in (("define", path), ("start", "g", "--paused")):
                self.assertEqual(world.virsh(*words).status, 0)
        self.compare(script)
        for world in self.worlds:
            world.virsh("destroy", "g")
            self.assertEqual(world.virsh("undefine", "g").status, 0)

    def test_disks(self) -> None:
        """
        Disks on all buses, media, a restart of the daemon while the guest keeps one; then their names, addresses and
        kinds; processors, by count and by number.
        """
        self.plug(GUEST, DISKS)
        self.plug(GUEST, PLACES + VCPUS)

    def test_changes(self) -> None:
        """
        Interfaces and displays: what of them can be changed; then each field of a disk and of an interface by itself,
        in a guest that has little room for more.
        """
        self.plug(GUEST, NETS)
        self.plug(Q35, FULL + UPDATES)

    def test_others(self) -> None:
        """Devices of all kinds come and go; character devices do over a restart of the daemon."""
        self.plug(GUEST, OTHERS + LEAVING)
        self.plug(GUEST, PORTS)
        self.plug(GUEST, ALONE)
