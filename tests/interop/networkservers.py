"""
A session about name servers of networks: what they are told, what they lend and to whom, and what is refused first.
"""

from __future__ import annotations

__all__ = ["SERVERS"]

_ID = "11111111-2222-3333-4444-5555555556"
_FOUR = "<range start='10.61.0.2' end='10.61.0.9'/>"
_OPTIONS = "xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'"
_SIX = "<range start='2001:db8:61::100' end='2001:db8:61::1ff'/>"

#: Networks that a name server is started for.
_STARTED = (
    f"<mtu size='1500'/><domain name='' localOnly='yes'/><dns><txt name='t' value=''/></dns>"
    f"<ip family='ipv6' address='2001:db8:61::1' prefix='64' localPtr='yes'><dhcp>{_SIX}</dhcp></ip>"
    f"<ip address='10.61.0.1' prefix='24' localPtr='yes'><dhcp>{_FOUR}<host name='h' ip='10.61.0.3'/>"
    "<bootp file=''/></dhcp></ip>",
    "<mtu size='9000'/><dns enable='no'><host ip='10.61.0.4'><hostname>a</hostname></host></dns>"
    f"<ip address='10.61.0.1' prefix='16' localPtr='yes'><dhcp>{_FOUR}</dhcp></ip>",
    "<forward mode='nat'/><ip family='ipv6' address='2001:db8:61::1' prefix='64'/>",
    "<ip address='10.61.0.1' prefix='20' localPtr='yes'/>",
    "<ip address='10.61.0.1' netmask='255.0.255.0'/>",
    "<mtu size='67'/><ip address='10.61.0.1' prefix='24'/>",
    "<ip address='10.61.0.1' prefix='24'/>"
    "<route address='192.168.150.0' prefix='24' gateway='10.61.0.2'/>",
    "<forward mode='nat'/><ip address='10.61.0.1' prefix='24'/><ip address='10.62.0.1' prefix='24'/>"
    f"<d:options {_OPTIONS}><d:option value='local-ttl=5'/><d:x/></d:options>"
    f"<d:options {_OPTIONS}><d:option value='no-ping'/></d:options>",
    f"<ip address='10.61.0.1' prefix='24'/><d:options {_OPTIONS}><d:option/></d:options>",
    f"<forward mode='bridge'/><dns/><d:options {_OPTIONS}><d:option value='kept'/></d:options>",
)
_OPENED = """
<opened.xml <network><name>opened</name><forward mode='open'/><bridge name='vbo' stp='off' delay='1'/><ip address='10.61.0.1' prefix='24'/></network>
net-create FOLDER/opened.xml
!cat /sys/class/net/vbo/bridge/stp_state /sys/class/net/vbo/bridge/forward_delay
net-destroy opened
<auto.xml <network><name>auto</name><uuid>11111111-2222-3333-4444-555555556fff</uuid><ip address='10.61.0.1' prefix='24'/></network>
net-define FOLDER/auto.xml
net-start auto
net-define FOLDER/auto.xml
!virsh net-dumpxml auto --inactive | grep bridge
net-destroy auto
net-undefine auto
"""

_DNSMASQ = "<d:options xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0'>{}</d:options>"
_OPTIONED = (
    "<mtu size='1400'/><ip address='10.61.0.1' prefix='24'/>"
    "<ip family='ipv6' address='2001:db8:61::1' prefix='64'/>"
    + _DNSMASQ.format("<d:option value='log-queries'/><d:x/><d:option value='cname=a,b'/>"),
    "<ip address='10.61.0.1' prefix='24'/>"
    + _DNSMASQ.format("<d:option value=''/><d:option value='txt-record=x,&quot;&lt;&quot;'/>"),
)

#: File systems that cannot be mounted, and what they are mounted with.
_MOUNTED = (
    ("netfs", "<host name='h'/><dir path='/x'/><format type='nfs'/><protocol ver='4'/>", "sync"),
    ("netfs", "<host name='h'/><dir path='/x'/><format type='cifs'/>", ""),
    ("netfs", "<host name='h'/><dir path='/x'/><format type='glusterfs'/>", "a&quot;b"),
    ("fs", "<device path='/dev/null'/><format type='xfs'/>", "lazytime"),
    ("fs", "<device path='/dev/null'/><protocol ver='3'/>", None),
    ("fs", "<device path='/dev/null'/><format type='ext4'/><protocol ver='3'/>", None),
    ("dir", "", "sync"),
)

#: Networks with two faults each.
_REFUSED = (
    "<ip address='10.61.0.1'><dhcp><host ip='10.61.0.2'><lease expiry='1'/></host></dhcp></ip>",
    "<ip address='10.61.0.1' prefix='32'><dhcp><range start='10.61.0.2' end='10.61.0.3'>"
    "<lease expiry='1' unit='days'/></range></dhcp></ip>",
    "<mtu size='x'/><dns><srv service='s' protocol='tcp' target='t' weight='70000'/></dns>",
    "<mtu size='x'/><vlan><tag id='5000'/></vlan>",
    "<ip family='ipv6' address='2001:db8:61::1' prefix='64'><tftp root='/'/><dhcp>"
    "<host id='x'/></dhcp></ip>",
    "<forward mode='route'/><route address='10.1.0.0' prefix='16' gateway='10.61.0.2'/>",
    "<portgroup name='p'><vlan><tag id='5000'/></vlan><bandwidth><inbound floor='4'/></bandwidth>"
    "</portgroup>",
    _DNSMASQ.format("<d:option/>"),
)


def _started(number: int, inner: str) -> str:
    name = f"s{number}"
    return (
        f"<{name}.xml <network><name>{name}</name><uuid>{_ID}{number:02x}</uuid>"
        f"<bridge name='vbs{number}'/><mac address='52:54:00:11:33:{number:02x}'/>{inner}</network>\n"
        f"net-define FOLDER/{name}.xml\nnet-start {name}\nnet-dumpxml {name}\n"
        f"!cat /var/lib/libvirt/dnsmasq/{name}.*; true\n"
        f"!iptables-save | grep -e '-A LIBVIRT'; true\nnet-destroy {name}\nnet-undefine {name}\n"
    )


def _mounted(number: int, kind: str, source: str, option: str | None) -> str:
    name = f"m{number}"
    options = "" if option is None else f"<o:option name='sync'/><o:option name='{option}'/>"
    return (
        f"<{name}.xml <pool type='{kind}' xmlns:o='http://libvirt.org/schemas/storagepool/fs/1.0'>"
        f"<name>{name}</name><uuid>{_ID}{number + 144:02x}</uuid><source>{source}</source><target>"
        f"<path>/var/lib/libvirt/{name}</path></target><o:mount_opts>{options}</o:mount_opts></pool>\n"
        f"pool-define FOLDER/{name}.xml\npool-dumpxml {name}\npool-build {name}\n"
        f"pool-start {name}\npool-destroy {name}\npool-undefine {name}\n"
    )


def _refused(number: int, inner: str) -> str:
    return (
        f"<r{number}.xml <network><name>r{number}</name>{inner}</network>\n"
        f"net-define FOLDER/r{number}.xml\n"
    )


_LENT = f"""
<l1.xml <network><name>l1</name><uuid>{_ID}71</uuid><bridge name='vbl1' stp='off'/><mac address='52:54:00:11:33:71'/><ip address='10.62.0.1' prefix='24'><dhcp><host mac='52:54:00:00:00:01' name='h1' ip='10.62.0.10'/></dhcp></ip><ip family='ipv6' address='2001:db8::1' prefix='56'/></network>
<q1.xml <networkport><uuid>{_ID}e1</uuid><owner><name>g</name><uuid>{_ID}55</uuid></owner><mac address='52:54:00:00:00:01'/></networkport>
<q2.xml <networkport><uuid>{_ID}e2</uuid><owner><name>h</name><uuid>{_ID}56</uuid></owner><mac address='52:54:00:00:00:02'/></networkport>
net-define FOLDER/l1.xml
net-start l1
net-dhcp-leases l1
net-port-create l1 FOLDER/q1.xml
net-port-create l1 FOLDER/q2.xml
net-port-delete l1 {_ID}e2
!ip netns add guest; ip link add w0 type veth peer name w1 address 52:54:00:00:00:01; ip link set w1 netns guest; ip -n guest link set w1 up; ip link set w0 master vbl1 up; busybox true; ip netns exec guest busybox udhcpc -i w1 -n -q -s /bin/true -t 60 -T 1 2>&1 | tail -1; for each in $(seq 600); do grep -q 10.62.0.10 /var/lib/libvirt/dnsmasq/vbl1.status && break; sleep 0.05; done; sed 's/[0-9]*$/SOON/' /var/lib/libvirt/dnsmasq/vbl1.status; cat /var/lib/libvirt/dnsmasq/vbl1.macs
!virsh net-dhcp-leases l1 | sed 's/^ 20[0-9: -]*/ SOON/'
net-update l1 add ip-dhcp-host "<host name='h' ip='2001:db8::5'/>" --live
net-update l1 modify ip-dhcp-host "<host name='h' ip='10.62.0.5'/>" --live
net-update l1 delete dns-srv "<srv protocol='x' target='t' port='65536'/>" --live
net-update l1 delete dns-srv "<srv service='a b'/>" --live
RESTART
!kill $(cat /run/libvirt/network/l1.pid); virsh net-dhcp-leases l1 52:54:0:0:0:1 | sed 's/^ 20[0-9: -]*/ SOON/'
net-destroy l1
net-start l1
!virsh net-dhcp-leases l1 | sed 's/^ 20[0-9: -]*/ SOON/'
net-dhcp-leases l1 52:54:00:00:00:09
net-dhcp-leases l1 nonsense
net-destroy l1
net-undefine l1
!ls /var/lib/libvirt/dnsmasq
net-create FOLDER/l1.xml
"""

#: What others have written of leases: none of a guest that C{dnsmasq} knows, or it would write it down at any time.
_WRITTEN = (
    "nonsense",
    "{}",
    "[5]",
    '[{"ip-address":"1.2.3.4"}]',
    '[{"ip-address":"1.2.3.4","mac-address":"52:54:00:00:00:01"}]',
    '[{"mac-address":"52:54:00:00:00:01","expiry-time":0}]',
    '[{"ip-address":"1.2.3.4","mac-address":"52:54:0:0:0:A","expiry-time":0},'
    '{"ip-address":"1.2.3.5","mac-address":"52:54:00:00:00:0b","expiry-time":5},'
    '{"ip-address":"2001:db8::5","iaid":"77","mac-address":"52:54:00:00:00:0c","client-id":"00:01",'
    '"hostname":"q","server-duid":"5","expiry-time":9999999999}]',
)

_ENDED = """
net-dhcp-leases l1 52:54:00:00:00:0a
!rm /var/lib/libvirt/dnsmasq/vbl1.status
net-dhcp-leases l1
net-destroy l1
!ls /var/lib/libvirt/dnsmasq
"""

SERVERS = (
    "".join(_started(number, inner) for number, inner in enumerate(_STARTED + _OPTIONED))
    + "".join(_mounted(number, *each) for number, each in enumerate(_MOUNTED))
    + "".join(_refused(number, inner) for number, inner in enumerate(_REFUSED))
    + _OPENED.lstrip()
    + _LENT.lstrip()
    + "".join(
        f"!echo '{text}' > /var/lib/libvirt/dnsmasq/vbl1.status\nnet-dhcp-leases l1\n"
        for text in _WRITTEN
    )
    + _ENDED.lstrip()
)
