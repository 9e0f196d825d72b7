"""
Networks that guests are plugged into, compared with those of libvirtd: what is promised to each, and what is filtered.

Where the kernel may lack what is needed, the program that would ask it says what it was told instead.
"""

from __future__ import annotations

import os
import re

from twisted.trial.unittest import SkipTest

from tests.interop.hostsessions import HostSessions
from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World
from tests.interop.support import found, requireBinding
from tests.interop.test_hostdrivers import requireNetworks

SETTING = """
import libvirt

connection = libvirt.open("qemu:///system")


def tried(what, *arguments):
    try:
        print(what(*arguments))
    except (libvirt.libvirtError, LookupError) as error:
        print(error, getattr(error, "err", None))


network = connection.networkLookupByName("n1")
ports = {port.UUIDString()[-4:]: port for port in network.listAllPorts()}
for number, (name, port) in enumerate(sorted(ports.items())):
    print(name)
    tried(port.parameters)
    for change in (
        {"inbound.average": number, "inbound.floor": 2 if number % 2 else 0},
        {"outbound.average": number},
        {"inbound.average": 3},
        {"inbound.average": 0, "outbound.average": 0},
        {"inbound.floor": number * 100},
    ):
        tried(port.setParameters, change)
"""

SHARES = r"""
<n1.xml <network><name>n1</name><uuid>11111111-2222-3333-4444-5555555555d1</uuid><bridge name='vbr1'/><mac address='52:54:00:11:22:33'/><bandwidth><inbound average='1000' burst='77'/></bandwidth><ip address='192.168.150.1' netmask='255.255.255.0'></ip></network>
<n2.xml <network><name>n2</name><uuid>11111111-2222-3333-4444-5555555555d2</uuid><bridge name='vbr2'/><mac address='52:54:00:11:22:34'/><bandwidth><outbound average='1000' burst='77' peak='8'/></bandwidth></network>
<n3.xml <network><name>n3</name><uuid>11111111-2222-3333-4444-5555555555d3</uuid><forward mode='bridge'><interface dev='lo'/></forward><bandwidth><inbound average='1000' burst='77'/></bandwidth></network>
<n6.xml <network><name>n6</name><uuid>11111111-2222-3333-4444-5555555555d6</uuid><forward mode='open'/><bridge name='vbr6'/><mac address='52:54:00:11:22:37'/><bandwidth><inbound average='1'/><outbound average='1'/></bandwidth><ip address='192.168.152.1' netmask='255.255.255.0'></ip></network>
<n7.xml <network><name>n7</name><uuid>11111111-2222-3333-4444-5555555555d7</uuid><forward mode='bridge'/><bridge name='vbr6'/><bandwidth><inbound average='1'/><outbound average='1'/></bandwidth></network>
net-define FOLDER/n1.xml
net-define FOLDER/n2.xml
net-define FOLDER/n3.xml
net-define FOLDER/n6.xml
net-define FOLDER/n7.xml
net-start n1
net-start n2
net-start n6
net-start n7
!cat FOLDER/said; : > FOLDER/said
<p1.xml <networkport><uuid>11111111-2222-3333-4444-5555555555e1</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:00:01'/><bandwidth><inbound average='100' floor='800' burst='3'/></bandwidth></networkport>
<p2.xml <networkport><uuid>11111111-2222-3333-4444-5555555555e2</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:00:02'/><bandwidth><inbound average='4000' floor='100'/></bandwidth></networkport>
<p3.xml <networkport><uuid>11111111-2222-3333-4444-5555555555e3</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:00:03'/><bandwidth><inbound average='4000' floor='101'/></bandwidth></networkport>
<p4.xml <networkport><uuid>11111111-2222-3333-4444-5555555555e4</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:00:04'/><bandwidth><inbound average='4000' floor='1001'/></bandwidth></networkport>
<p5.xml <networkport><uuid>11111111-2222-3333-4444-5555555555e5</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:00:05'/><bandwidth><inbound floor='1'/></bandwidth></networkport>
<p6.xml <networkport><uuid>11111111-2222-3333-4444-5555555555e6</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:00:06'/><bandwidth><inbound average='10' peak='11'/></bandwidth></networkport>
<p7.xml <networkport><uuid>11111111-2222-3333-4444-5555555555e7</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:00:07'/><bandwidth><inbound average='10' peak='11' floor='2000'/></bandwidth></networkport>
<p8.xml <networkport><uuid>11111111-2222-3333-4444-5555555555e8</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:00:08'/></networkport>
net-port-create n1 FOLDER/p1.xml
!cat FOLDER/said; : > FOLDER/said
net-port-create n1 FOLDER/p2.xml
net-port-create n1 FOLDER/p3.xml
net-port-create n1 FOLDER/p4.xml
net-port-create n1 FOLDER/p5.xml
net-port-create n1 FOLDER/p6.xml
!cat FOLDER/said; : > FOLDER/said
net-port-create n1 FOLDER/p7.xml
net-port-create n1 FOLDER/p8.xml
!cat FOLDER/said; : > FOLDER/said
net-port-create n2 FOLDER/p1.xml
net-port-create n2 FOLDER/p6.xml
net-port-create n6 FOLDER/p1.xml
net-port-create n6 FOLDER/p6.xml
net-port-create n7 FOLDER/p1.xml
net-port-create n7 FOLDER/p6.xml
net-port-dumpxml n1 11111111-2222-3333-4444-5555555555e1
net-port-dumpxml n1 11111111-2222-3333-4444-5555555555e2
!cat FOLDER/said; : > FOLDER/said
!grep -A1 class_id /run/libvirt/network/n1.xml
<q10.xml <networkport><uuid>11111111-2222-3333-4444-555555555610</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:0a:10'/><bandwidth><inbound average='110' floor='1'/></bandwidth></networkport>
net-port-create n1 FOLDER/q10.xml
<q11.xml <networkport><uuid>11111111-2222-3333-4444-555555555611</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:0a:11'/><bandwidth><inbound average='111' floor='1'/></bandwidth></networkport>
net-port-create n1 FOLDER/q11.xml
<q12.xml <networkport><uuid>11111111-2222-3333-4444-555555555612</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:0a:12'/><bandwidth><inbound average='112' floor='1'/></bandwidth></networkport>
net-port-create n1 FOLDER/q12.xml
<q13.xml <networkport><uuid>11111111-2222-3333-4444-555555555613</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:0a:13'/><bandwidth><inbound average='113' floor='1'/></bandwidth></networkport>
net-port-create n1 FOLDER/q13.xml
<q14.xml <networkport><uuid>11111111-2222-3333-4444-555555555614</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:0a:14'/><bandwidth><inbound average='114' floor='1'/></bandwidth></networkport>
net-port-create n1 FOLDER/q14.xml
<q15.xml <networkport><uuid>11111111-2222-3333-4444-555555555615</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:0a:15'/><bandwidth><inbound average='115' floor='1'/></bandwidth></networkport>
net-port-create n1 FOLDER/q15.xml
<q16.xml <networkport><uuid>11111111-2222-3333-4444-555555555616</uuid><owner><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid></owner><mac address='52:54:00:00:0a:16'/><bandwidth><inbound average='116' floor='1'/></bandwidth></networkport>
net-port-create n1 FOLDER/q16.xml
!cat FOLDER/said; : > FOLDER/said
!/usr/bin/python3 FOLDER/setting.py
!cat FOLDER/said; : > FOLDER/said
!grep -A1 class_id /run/libvirt/network/n1.xml
net-port-list n1
<n8.xml <network><name>n8</name><uuid>11111111-2222-3333-4444-5555555555d8</uuid><forward mode='nat'/><bridge name='vbr8'/><mac address='52:54:00:11:22:38'/><domain name='x.org' localOnly='yes'/><dns forwardPlainNames='no'><forwarder addr='1.2.3.4'/><srv service='s' protocol='tcp' domain='d' target='q' priority='2'/><srv service='s' protocol='tcp' target='q' port='5'/><srv service='s' protocol='tcp' target='q'/></dns><ip address='192.168.158.1' netmask='255.255.255.0'><dhcp><range start='192.168.158.2' end='192.168.158.254'/></dhcp></ip></network>
net-create FOLDER/n8.xml
!grep -v leasefile /var/lib/libvirt/dnsmasq/n8.conf
net-update n8 add forward-interface "<interface dev='lo'/>" --live
net-update n8 delete ip-dhcp-range "<range start='192.168.158.2' end='192.168.158.254'/>" --live
!iptables-save | grep vbr8; iptables-save | grep 192.168.158
net-destroy n8
!iptables-save | grep vbr8; iptables-save | grep 192.168.158
RESTART
!grep -A1 class_id /run/libvirt/network/n1.xml
net-port-delete n1 11111111-2222-3333-4444-5555555555e2
net-port-delete n1 11111111-2222-3333-4444-555555555612
net-port-create n1 FOLDER/q12.xml
!cat FOLDER/said; : > FOLDER/said
!grep -A1 class_id /run/libvirt/network/n1.xml
!grep -A1 class_id /run/libvirt/network/n7.xml
net-destroy n1
net-destroy n7
net-destroy n6
!cat FOLDER/said; : > FOLDER/said
"""

FILTERS = r"""
!ip link add v0 type veth peer name v1 address 52:54:00:7b:35:93; ip link set v0 up; ip link set v1 up
<f1.xml <filter name='mine' chain='mac' priority='-800'><uuid>11111111-1111-4111-8111-111111111111</uuid><rule action='return' direction='out' priority='500'><mac srcmacaddr='$MAC'/></rule><rule action='drop' direction='out' priority='500'><mac/></rule></filter>
<f2.xml <filter name='ip' chain='ipv4-ip' priority='-710'><uuid>11111111-1111-4111-8111-111111111112</uuid><rule action='return' direction='out' priority='100'><ip srcipaddr='0.0.0.0' protocol='udp'/></rule><rule action='return' direction='out'><ip srcipaddr='$IP'/></rule><rule action='drop' direction='out' priority='1000'/></filter>
<f3.xml <filter name='arp' chain='arp-ip' priority='-510'><uuid>11111111-1111-4111-8111-111111111113</uuid><rule action='return' direction='out'><arp arpsrcipaddr='$IP' gratuitous='true'/></rule><rule action='drop' direction='inout'><arp match='no' arpsrcmacaddr='$MAC' hwtype='12' protocoltype='34' opcode='Request'/></rule></filter>
<f4.xml <filter name='clean' chain='root'><uuid>11111111-1111-4111-8111-111111111114</uuid><filterref filter='mine'/><filterref filter='ip'/><rule action='accept' direction='out' priority='-650'><mac protocolid='ipv4'/></rule><filterref filter='arp'/><rule action='accept' direction='inout' priority='-500'><mac protocolid='arp'/></rule><rule action='drop' direction='inout' priority='1000'/></filter>
<f5.xml <filter name='mine' chain='mac' priority='-800'><uuid>11111111-1111-4111-8111-111111111111</uuid><rule action='drop' direction='in'><mac/></rule></filter>
<f6.xml <filter name='mine' chain='mac' priority='-800'><uuid>11111111-1111-4111-8111-111111111111</uuid><filterref filter='gone'/></filter>
<f7.xml <filter name='packets' chain='ipv4'><uuid>11111111-1111-4111-8111-111111111117</uuid><rule action='accept' direction='in'><tcp srcmacaddr='1:2:3:4:5:6' srcipaddr='10.1.2.3' srcipmask='255.255.255.0' dstipaddr='10.1.2.4' dstipmask='22' dscp='33' srcportstart='20' srcportend='22' dstportstart='100' flags='SYN/ALL'/></rule><rule action='accept' direction='out'><udp match='no' srcmacaddr='1:2:3:4:5:6' srcipfrom='10.1.2.3' srcipto='10.1.2.13' dstipfrom='1.2.3.4' dstipto='1.2.3.7' dscp='0x20' dstportstart='7'/></rule><rule action='accept' direction='inout'><sctp srcipaddr='$L' dstportstart='$P[@1]' comment='it is `id` $x'/></rule><rule action='accept' direction='in'><icmp type='8' code='0'/></rule><rule action='drop' direction='inout'><icmp type='8' code='0'/></rule><rule action='drop' direction='out' priority='-3'><tcp connlimit-above='4'/></rule><rule action='accept' direction='inout'><tcp state='NEW,ESTABLISHED' dstportstart='5'/></rule><rule action='accept' direction='out' statematch='false'><esp/></rule><rule action='reject' direction='inout' priority='1000'><all/></rule></filter>
<f8.xml <filter name='packets6'><uuid>11111111-1111-4111-8111-111111111118</uuid><rule action='accept' direction='in'><udp-ipv6 srcipaddr='a:b:c::d:e:f' srcipmask='120' dstportstart='100' dstportend='111'/></rule><rule action='accept' direction='out'><icmpv6 type='128'/></rule><rule action='drop' direction='inout'><all-ipv6 state='NONE' srcipfrom='::1' srcipto='::9'/></rule><rule action='reject' direction='inout'><ipv6 protocol='icmpv6' type='1' typeend='3' code='2'/></rule><rule action='accept' direction='out'><ipv6 srcmacaddr='1:2:3:4:5:6' srcmacmask='ff:ff:ff:ff:ff:80' dstipaddr='::1.2.4.5' dstipmask='128' protocol='tcp' dstportstart='100' dstportend='0xff'/></rule></filter>
<f9.xml <filter name='frames'><uuid>11111111-1111-4111-8111-111111111119</uuid><rule action='accept' direction='inout'><vlan srcmacaddr='1:2:3:4:5:6' dstmacaddr='a:b:c:d:e:f' vlanid='0x123' encap-protocol='arp'/></rule><rule action='drop' direction='inout'><rarp opcode='Reply' arpdstipaddr='5.6.7.8' arpsrcmacaddr='$MAC'/></rule><rule action='drop' direction='out'><ip srcipaddr='$L[1]' dstipaddr='10.1.2.4' dstipmask='22' protocol='udp' srcportstart='20' srcportend='22' dscp='0x3f'/></rule><rule action='reject' direction='in'><mac match='no' protocolid='0x1234'/></rule><rule action='continue' direction='in'><mac protocolid='rarp'/></rule></filter>
<f10.xml <filter name='tree' chain='stp-t'><uuid>11111111-1111-4111-8111-11111111111a</uuid><rule action='drop' direction='out'><stp srcmacaddr='1:2:3:4:5:6' type='0x12' root-priority='3' root-priority-hi='0x2345' root-address='06:05:04:03:02:01' root-cost='4' sender-priority='4' port='123' port-hi='234' age='5' forward-delay='7'/></rule></filter>
<f11.xml <filter name='tree2' chain='stp-t'><uuid>11111111-1111-4111-8111-11111111111b</uuid><rule action='drop' direction='inout'><stp srcmacaddr='1:2:3:4:5:6'/></rule></filter>
<f12.xml <filter name='wrong'><uuid>11111111-1111-4111-8111-11111111111c</uuid><rule action='accept' direction='inout'><mac protocolid='arp'/></rule><rule action='accept' direction='out'><tcp dstportstart='22'/></rule><rule action='continue' direction='inout'><tcp comment='a b'/></rule></filter>
<f13.xml <filter name='uneven'><uuid>11111111-1111-4111-8111-11111111111d</uuid><rule action='drop' direction='in'><ip srcipaddr='$L' protocol='tcp' srcportstart='$P'/></rule></filter>
<f14.xml <filter name='few'><uuid>11111111-1111-4111-8111-11111111111e</uuid><rule action='drop' direction='in'><ip srcipaddr='$L[7]'/></rule></filter>
!for each in 1 2 3 4 7 8 9 10 11 12 13 14; do virsh -q -c qemu:///system nwfilter-define FOLDER/f$each.xml; done
!for each in mine clean packets packets6 frames tree tree2 uneven few gone wrong; do for more in "" "<parameter name='IP' value='10.0.0.5'/>" "<parameter name='CTRL_IP_LEARNING' value='none'/>" "<parameter name='CTRL_IP_LEARNING' value='odd'/>" "<parameter name='CTRL_IP_LEARNING' value='dhcp'/>" "<parameter name='CTRL_IP_LEARNING' value='dhcp'/><parameter name='DHCPSERVER' value='1.2.3.4'/>"; do if [ -n "$more" ] && [ $each != clean ]; then continue; fi; echo "<filterbinding><owner><name>g</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner><portdev name='v0'/><mac address='52:54:00:7b:35:93'/><filterref filter='$each'><parameter name='L' value='10.0.0.1'/><parameter name='L' value='10.0.0.2'/><parameter name='L' value='10.0.0.3'/><parameter name='P' value='80'/><parameter name='P' value='81'/>$more</filterref></filterbinding>" > FOLDER/b.xml; if [ $each$more = clean ]; then cp FOLDER/b.xml FOLDER/learning.xml; continue; fi; echo "== $each $more"; virsh -q -c qemu:///system nwfilter-binding-create FOLDER/b.xml 2>&1 && { ebtables -t nat -L; iptables-save | grep -- '^-A.*v0'; ip6tables-save | grep -- '^-A.*v0'; virsh -q -c qemu:///system nwfilter-binding-delete v0; }; done; done
!ebtables -t nat -L; ip6tables-save | grep v0
<b1.xml <filterbinding><owner><name>g</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner><portdev name='v0'/><mac address='52:54:00:7b:35:93'/><filterref filter='mine'/></filterbinding>
<b2.xml <filterbinding><owner><name>g</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner><portdev name='nope'/><mac address='52:54:00:7b:35:93'/><filterref filter='clean'/></filterbinding>
<b3.xml <filterbinding><owner><name>g</name></owner><portdev name='nope'/><mac address='52:54:00:7b:35:93'/><filterref filter='clean'/></filterbinding>
nwfilter-binding-create FOLDER/b1.xml
nwfilter-binding-create FOLDER/b2.xml
nwfilter-binding-create FOLDER/b1.xml
nwfilter-binding-create FOLDER/b3.xml
nwfilter-binding-list
nwfilter-binding-dumpxml nope
!cat /run/libvirt/nwfilter-binding/v0.xml
nwfilter-undefine mine
nwfilter-undefine frames
nwfilter-define FOLDER/f5.xml
!ebtables -t nat -L
RESTART
!ebtables -t nat -L
nwfilter-binding-list
nwfilter-define FOLDER/f1.xml
!ebtables -t nat -L
nwfilter-binding-delete v0
nwfilter-binding-delete nope
nwfilter-binding-delete nope
!ebtables -t nat -L; ls /run/libvirt/nwfilter-binding
nwfilter-binding-create FOLDER/learning.xml
nwfilter-binding-delete v0
<b4.xml <filterbinding><owner><name>g</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner><portdev name='v0'/><mac address='52:54:00:7b:35:93'/><filterref filter='arp'><parameter name='CTRL_IP_LEARNING' value='dhcp'/></filterref></filterbinding>
!ip netns add lent; ip link set v1 netns lent; ip -n lent link set v1 up; ip addr add 10.9.0.1/24 dev v0; dnsmasq --conf-file=/dev/null --interface=v0 --bind-interfaces --except-interface=lo --dhcp-range=10.9.0.5,10.9.0.5,300 --dhcp-leasefile=FOLDER/lent --pid-file=FOLDER/server --port=0
nwfilter-binding-create FOLDER/b4.xml
!ip netns exec lent busybox udhcpc -i v1 -n -q -s /bin/true -t 60 -T 1 2>&1 | tail -1; for each in $(seq 400); do grep -qs 10.9.0.5 /run/libvirt/network/nwfilter.leases && ! ebtables -t nat -L | grep -q 'libvirt-[JP]' && break; sleep 0.05; done; ebtables -t nat -L; sed 's/^[0-9]*/SOON/' /run/libvirt/network/nwfilter.leases
RESTART
nwfilter-binding-list
!for each in $(seq 400); do ebtables -t nat -L | grep -q 10.9.0.5 && ! ebtables -t nat -L | grep -q 'libvirt-[JP]' && break; sleep 0.05; done; ebtables -t nat -L; sed 's/^[0-9]*/SOON/' /run/libvirt/network/nwfilter.leases
nwfilter-binding-delete v0
!kill $(cat FOLDER/server); ip addr del 10.9.0.1/24 dev v0
nwfilter-define FOLDER/f6.xml
nwfilter-binding-create FOLDER/b1.xml
nwfilter-undefine mine
"""

GUEST = r"""
<n9.xml <network><name>n9</name><uuid>11111111-2222-3333-4444-5555555555d9</uuid><bridge name='vbr9'/><mac address='52:54:00:11:22:39'/><bandwidth><inbound average='1000'/></bandwidth><ip address='192.168.159.1' netmask='255.255.255.0'/></network>
<g.xml <domain type='qemu'><name>g</name><uuid>11111111-2222-3333-4444-5555555555f1</uuid><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices><interface type='network'><mac address='52:54:00:00:00:01'/><source network='n9'/><filterref filter='clean'><parameter name='IP' value='192.168.159.9'/></filterref><bandwidth><inbound average='5'/></bandwidth></interface><interface type='network'><mac address='52:54:00:00:00:02'/><source network='n9'/><model type='virtio'/></interface></devices></domain>
<h.xml <domain type='qemu'><name>h</name><uuid>11111111-2222-3333-4444-5555555555f2</uuid><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices><interface type='network'><mac address='52:54:00:00:00:11'/><source network='n9'/><filterref filter='nope'/></interface></devices></domain>
<i1.xml <interface type='network'><mac address='52:54:00:00:00:01'/><source network='n9'/><filterref filter='mine'/><bandwidth><inbound average='5'/></bandwidth></interface>
<i2.xml <interface type='network'><mac address='52:54:00:00:00:01'/><source network='n9'/><bandwidth><inbound average='5'/></bandwidth></interface>
<i3.xml <interface type='network'><mac address='52:54:00:00:00:01'/><source network='n9'/><filterref filter='nope'/><bandwidth><inbound average='5'/></bandwidth></interface>
<i4.xml <interface type='network'><mac address='52:54:00:00:00:01'/><source network='n9'/><filterref filter='mine'/><bandwidth><inbound average='7' peak='9'/><outbound average='3'/></bandwidth></interface>
<i5.xml <interface type='network'><mac address='52:54:00:00:00:01'/><source network='n9'/><filterref filter='mine'/></interface>
<i6.xml <interface type='network'><mac address='52:54:00:00:00:04'/><source network='n9'/><filterref filter='mine'/></interface>
<i7.xml <interface type='network'><mac address='52:54:00:00:00:05'/><source network='n9'/><filterref filter='nope'/></interface>
<i8.xml <interface type='network'><mac address='52:54:00:00:00:06'/><source network='n9'/><bandwidth><inbound average='9' floor='500000'/></bandwidth></interface>
<i9.xml <interface type='network'><mac address='52:54:00:00:00:01'/><source network='n9'/><filterref filter='mine'/><bandwidth><inbound average='7' floor='100'/><outbound average='3'/></bandwidth></interface>
nwfilter-define FOLDER/f1.xml
net-create FOLDER/n9.xml
define FOLDER/g.xml
define FOLDER/h.xml
start g --paused
start h
!ebtables -t nat -L; iptables-save | grep -- '^-A.*vnet'; ip6tables-save | grep -- '^-A.*vnet'
!cat FOLDER/said; : > FOLDER/said
nwfilter-binding-list
nwfilter-binding-dumpxml vnet0
update-device g FOLDER/i1.xml --live
nwfilter-binding-dumpxml vnet0
!ebtables -t nat -L; iptables-save | grep -- '^-A.*vnet'; ip6tables-save | grep -- '^-A.*vnet'
update-device g FOLDER/i2.xml --live
nwfilter-binding-list
update-device g FOLDER/i3.xml --live
nwfilter-binding-list
update-device g FOLDER/i1.xml --live
nwfilter-binding-list
update-device g FOLDER/i3.xml --live
nwfilter-binding-list
!cat FOLDER/said; : > FOLDER/said
update-device g FOLDER/i4.xml --live
!cat FOLDER/said; : > FOLDER/said
!virsh dumpxml g | grep -A12 "<interface" | grep -v "source"
update-device g FOLDER/i9.xml --live
!cat FOLDER/said; : > FOLDER/said
update-device g FOLDER/i5.xml --live
!cat FOLDER/said; : > FOLDER/said
!virsh dumpxml g | grep -A12 "<interface" | grep -v "source"
attach-device g FOLDER/i6.xml --live
attach-device g FOLDER/i7.xml --live
attach-device g FOLDER/i8.xml --live
nwfilter-binding-list
nwfilter-binding-delete vnet0
nwfilter-binding-list
RESTART
nwfilter-binding-list
!ebtables -t nat -L | grep -v -- '-i vnet'; iptables-save | grep -- '^-A.*vnet'; ip6tables-save | grep -- '^-A.*vnet'
detach-interface g network 52:54:00:00:00:04 --live
nwfilter-binding-list
net-destroy n9
net-create FOLDER/n9.xml
net-port-list n9
!ls /sys/class/net/vbr9/brif
RESTART
!ls /sys/class/net/vbr9/brif
!virsh -q -c qemu:///system net-port-list n9 | while read port; do virsh -c qemu:///system net-port-dumpxml n9 $port; done | grep -v uuid | sort
destroy g
nwfilter-binding-list
!ebtables -t nat -L | grep -v -- '-i vnet'; iptables-save | grep -- '^-A.*vnet'; ip6tables-save | grep -- '^-A.*vnet'
net-port-list n9
"""

_CARD = "<interface type='{}'><mac address='52:54:00:00:00:{:02x}'/>{}</interface>"


def _guest(name: str, number: int, *cards: tuple[str, str]) -> str:
    """Write down a guest, and start it."""
    inner = "".join(
        _CARD.format(kind, number + place, text) for place, (kind, text) in enumerate(cards)
    )
    return (
        f"<{name}.xml <domain type='qemu'><name>{name}</name>"
        f"<uuid>11111111-2222-3333-4444-5555555556{number:02x}</uuid><memory unit='MiB'>32</memory>"
        "<os><type arch='x86_64' machine='pc'>hvm</type></os>"
        f"<devices>{inner}</devices></domain>\n"
        f"define FOLDER/{name}.xml\nstart {name} --paused\n"
        f"dumpxml {name} --xpath //interface\n"
    )


def _in(network: str, more: str = "") -> tuple[str, str]:
    return "network", f"<source network='{network}'/>{more}"


def _usb(source: str, more: str = "") -> tuple[str, str]:
    return "hostdev", f"<source>{source}</source>{more}"


_VLAN = "<vlan><tag id='4'/></vlan>"
_QBH = "<virtualport type='802.1Qbh'><parameters profileid='x'/></virtualport>"

DIRECT = (
    r"""!ip link add brx type bridge; ip link set brx up; for i in 0 1 2; do ip link add x$i type veth peer name y$i; ip link set x$i up; done
<m1.xml <network><name>m1</name><uuid>11111111-2222-3333-4444-555555555711</uuid><forward mode='bridge'/><bridge name='brx'/><port isolated='yes'/></network>
<m2.xml <network><name>m2</name><uuid>11111111-2222-3333-4444-555555555712</uuid><forward mode='passthrough'><interface dev='x0'/></forward></network>
<m3.xml <network><name>m3</name><uuid>11111111-2222-3333-4444-555555555713</uuid><forward mode='bridge'><interface dev='x1'/></forward><portgroup name='p' trustGuestRxFilters='yes'><bandwidth><inbound average='7'/></bandwidth></portgroup></network>
<m4.xml <network><name>m4</name><uuid>11111111-2222-3333-4444-555555555714</uuid><forward mode='hostdev'/></network>
<m5.xml <network><name>m5</name><uuid>11111111-2222-3333-4444-555555555715</uuid><forward mode='passthrough'><interface dev='x2'/></forward><vlan><tag id='9'/></vlan></network>
net-create FOLDER/m1.xml
net-create FOLDER/m2.xml
net-create FOLDER/m3.xml
net-create FOLDER/m4.xml
net-create FOLDER/m5.xml
"""
    + _guest(
        "k1",
        32,
        _in("m1"),
        _in("m2"),
        ("network", "<source network='m3' portgroup='p'/>"),
    )
    + r"""dumpxml k1 --inactive --xpath //interface
dumpxml k1 --migratable --xpath //interface
domiflist k1
net-dumpxml m2
net-dumpxml m3
"""
    + _guest("k2", 40, _in("m3"), _in("m2"))
    + _guest("k3", 48, _in("m4", "<model type='virtio'/>"))
    + _guest("k4", 56, _in("m5"))
    + _guest("k5", 64, ("direct", f"<source dev='x1' mode='private'/>{_QBH}"))
    + _guest("k6", 72, ("direct", f"<source dev='x1' mode='bridge'/>{_VLAN}"))
    + _guest("k7", 80, _usb("<address type='usb' bus='0x12' device='0x34'/>"))
    + _guest("k8", 88, _usb("<vendor id='4660'/><product id='0x5678'/>"))
    + _guest("k9", 96, _usb("<vendor id='1'/>"))
    + r"""net-port-list m2
attach-interface k1 network m2 --mac 52:54:00:00:05:01 --live
attach-interface k1 network m1 --mac 52:54:00:00:05:02 --live
detach-interface k1 network --mac 52:54:00:00:05:02 --live
detach-interface k1 bridge --mac 52:54:00:00:05:02 --live
RESTART
dumpxml k1 --xpath //interface
dumpxml k1 --migratable --xpath //interface
destroy k1
net-port-list m2
net-dumpxml m3
"""
)


#: What a network has lent to cards of a guest, as the name server's helper writes it down.
_LENT = """[{"ip-address":"10.64.0.9","mac-address":"52:54:00:00:00:71","hostname":"called","expiry-time":0},
{"iaid":"5","ip-address":"2001:db8:64::9","mac-address":"52:54:00:00:00:71","client-id":"00:03","expiry-time":0},
{"ip-address":"10.64.0.8","mac-address":"52:54:00:00:00:73","hostname":"other","expiry-time":0},
{"ip-address":"10.64.0.7","mac-address":"52:54:00:00:00:72","hostname":"late","expiry-time":5}]""".replace(
    "\n", ""
)
_STATUS = "/var/lib/libvirt/dnsmasq/vble.status"

LEASES = (
    """<le.xml <network><name>le</name><uuid>11111111-2222-3333-4444-555555555716</uuid><bridge name='vble'/><ip address='10.64.0.1' prefix='24'/><ip family='ipv6' address='2001:db8:64::1' prefix='64'/></network>
net-create FOLDER/le.xml
"""
    + _guest("leased", 0x71, _in("le"), _in("le"), ("user", ""))
    + f"""domifaddr leased
domhostname leased --source lease
!echo '{_LENT}' > {_STATUS}
domifaddr leased
domifaddr leased --full
domifaddr leased --source lease --interface vnet0
domifaddr leased --source x
domhostname leased --source lease
!echo '[5]' > {_STATUS}
domifaddr leased
domhostname leased --source lease
destroy leased
domifaddr leased
net-destroy le
undefine leased
"""
)


def said(world: World) -> dict[str, str]:
    """Return what makes a daemon's C{tc} write down what it is told, and do nothing."""
    folder = f"{world.folder}/bin"
    os.makedirs(folder, exist_ok=True)
    path = f"{folder}/tc"
    with open(path, "w") as file:
        file.write(f'#!/bin/sh\necho "$*" >> {world.folder}/said\n')
    os.chmod(path, 0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


class DryLibvirt(LibvirtWorld):
    """libvirtd that limits no traffic."""

    def environment(self) -> dict[str, str]:
        """With our C{tc}."""
        return {**super().environment(), **said(self)}


class DryPyvirt(PyvirtWorld):
    """Ours that limits no traffic."""

    def environment(self) -> dict[str, str]:
        """With our C{tc}."""
        return {**super().environment(), **said(self)}


class NetworkGuestTests(HostSessions):
    """What networks promise, and what filters let pass."""

    kinds = (DryLibvirt, DryPyvirt)

    def setUp(self) -> None:
        requireNetworks()
        requireBinding()
        if found("ebtables") is None:
            raise SkipTest("ebtables is not installed (ebtables or iptables)")
        super().setUp()
        for world in self.worlds:
            world.write("setting.py", SETTING)

    def squeezed(self, line: str, text: str) -> str:
        """Take out what is made up for each run."""
        return re.sub(r"portid=(['\"])[-0-9a-f]+\1", "portid='MADE UP'", text)

    def test_session(self) -> None:
        """
        Bridges are limited, ports get classes of their own and give them back; filters are in force for devices as
        long as they are bound; guests' cards have both, and get others while they run.  All over restarts.
        """
        self.compare(SHARES + FILTERS.lstrip() + GUEST.lstrip() + DIRECT + LEASES)
