"""
A host in a file, what can be wrong with such files, and what is asked of those that can be read.
"""

from __future__ import annotations

__all__ = ["CHANGES", "COMMANDS", "DOCUMENT"]

DOCUMENT = """\
<node xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
<cpu><mhz>6000</mhz><model>i986</model><active>50</active><nodes>4</nodes><sockets>4</sockets><cores>4</cores><threads>2</threads></cpu>
<memory>6000000</memory>
<domain type='test'><name>d1</name><uuid>11111111-2222-3333-4444-555555555501</uuid><memory>100</memory><vcpu>3</vcpu><os><type>hvm</type></os><test:runstate>3</test:runstate><devices><disk type='file'><source file='/a'/><target dev='vda'/></disk></devices></domain>
<domain type='test'><name>d2</name><uuid>11111111-2222-3333-4444-555555555502</uuid><memory>100</memory><os><type>hvm</type></os><test:runstate>5</test:runstate><test:hasmanagedsave/></domain>
<domain type='test'><name>d3</name><uuid>11111111-2222-3333-4444-555555555503</uuid><memory>100</memory><os><type>hvm</type></os><test:transient/></domain>
<domain type='test'><name>d4</name><uuid>11111111-2222-3333-4444-555555555504</uuid><memory>100</memory><os><type>hvm</type></os><test:runstate>2</test:runstate></domain>
<domain type='test'><name>d5</name><uuid>11111111-2222-3333-4444-555555555505</uuid><memory>100</memory><os><type>hvm</type></os><test:runstate>7</test:runstate></domain>
<domain type='test'><name>d6</name><uuid>11111111-2222-3333-4444-555555555506</uuid><memory>100</memory><os><type>hvm</type></os><test:runstate>6</test:runstate>
<test:domainsnapshot><name>s1</name><creationTime>12345</creationTime><state>shutoff</state><active>0</active></test:domainsnapshot><test:domainsnapshot><name>s2</name><parent><name>s1</name></parent><creationTime>12346</creationTime><state>running</state><active>1</active></test:domainsnapshot></domain>
<network><name>n1</name><uuid>11111111-2222-3333-4444-555555555601</uuid><bridge name='br9'/><forward mode='route' dev='eth0'/><ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.5' end='10.0.0.9'/></dhcp></ip></network>
<network><name>n2</name><uuid>11111111-2222-3333-4444-555555555602</uuid><forward mode='bridge'/><bridge name='br0'/></network>
<interface type='bridge' name='br7'><start mode='onboot'/><protocol family='ipv4'><dhcp/></protocol><bridge stp='off'><interface type='ethernet' name='eth9'><mac address='aa:aa:aa:aa:aa:09'/></interface></bridge></interface>
<interface type='vlan' name='eth0.5'><vlan tag='5'><interface name='eth0'/></vlan></interface>
<interface type='bond' name='b0'><bond mode='active-backup'><interface type='ethernet' name='e1'><mac address='aa:aa:aa:aa:aa:01'/></interface></bond></interface>
<pool type='dir'><name>p1</name><uuid>11111111-2222-3333-4444-555555555701</uuid><target><path>/p1</path></target><volume><name>v1</name><capacity unit='G'>2</capacity><allocation>10</allocation><target><format type='raw'/></target></volume><volume type='file'><name>v2</name><key>kk</key><capacity>1000</capacity><target><path>/elsewhere/v2</path></target></volume></pool>
<pool type='iscsi'><name>p2</name><source><host name='h'/><device path='d'/></source><target><path>/dev/x</path></target></pool>
<device><name>pci_0</name><parent>computer</parent><capability type='pci'><domain>0</domain><bus>0</bus><slot>1</slot><function>0</function><product id='0x1'/><vendor id='0x2'/></capability></device>
<device><name>computer</name><capability type='system'><hardware><vendor>V</vendor><serial>S</serial><uuid>11111111-2222-3333-4444-555555555801</uuid></hardware><firmware/></capability></device>
<device><name>scsi_host9</name><parent>computer</parent><capability type='scsi_host'><host>9</host><unique_id>9</unique_id><capability type='fc_host'><wwnn>2000000012341234</wwnn><wwpn>1000000012341234</wwpn></capability><capability type='vport_ops'/></capability></device>
</node>
"""

#: What is put in the place of what, each in a file of its own.
CHANGES = [
    ("", ""),
    ("<memory>6000000</memory>", ""),
    ("<memory>6000000", "<memory>x"),
    ("<mhz>", "<mhz>x"),
    ("<active>50", "<active>-5"),
    ("<active>50</active>", ""),
    ("<active>50", "<active>500"),
    ("<cores>4", "<cores>0"),
    ("<nodes>4", "<nodes>100"),
    ("runstate>3<", "runstate>99<"),
    ("runstate>3<", "runstate>x<"),
    ("<name>d2</name>", "<name>d1</name>"),
    ("555555555502", "555555555501"),
    ("<test:runstate>5</test:runstate><test:hasmanagedsave/>", "<test:hasmanagedsave/>"),
    ("<test:transient/>", "<test:transient/><test:runstate>5</test:runstate>"),
    ("<active>0</active>", ""),
    ("<active>1</active>", "<active>x</active>"),
    ("<active>0</active>", "<active>1</active>"),
    ("<parent><name>s1", "<parent><name>s2"),
    ("<parent><name>s1", "<parent><name>lost"),
    ("<name>n2</name>", "<name>n1</name>"),
    ("<name>p2</name>", "<name>p1</name>"),
    ("<name>v2</name>", "<name>v1</name>"),
    ("<key>kk</key>", "<key>/p1/v1</key>"),
    ("<path>/elsewhere/v2</path>", "<path>beside</path>"),
    ("<capacity unit='G'>2</capacity>", ""),
    ("<capacity unit='G'>", "<capacity unit='Q'>"),
    ("name='eth0.5'", "name='br7'"),
    ("<capability type='system'>", "<capability type='other'>"),
    ("<network><name>n1", "<network file='absent.xml'/><network><name>n1"),
    ("<memory>100</memory>", ""),
    ("</node>", "<auth><user password='p'></user></auth></node>"),
    ("</node>", ""),
    ("xmlns:test='http://libvirt.org/schemas/domain/test/1.0'", "xmlns:test='urn:x'"),
]

COMMANDS = """\
list --all
list --all --with-managed-save
nodeinfo
net-list --all
iface-list --all
iface-dumpxml br7
pool-list --all --details
vol-list p1 --details
vol-dumpxml v1 p1
vol-dumpxml v2 p1
vol-name kk
vol-path v2 p1
vol-pool /elsewhere/v2
vol-delete v2 p1
nodedev-list --tree
nodedev-list --cap pci
nodedev-list --cap fc_host
nodedev-dumpxml computer
nodedev-dumpxml scsi_host9
nodedev-dumpxml pci_0
nodedev-destroy pci_0
domstate d1 --reason
domstate d5 --reason
domstate d6 --reason
dumpxml d1
snapshot-list d6 --tree
snapshot-revert d6 s1
snapshot-revert d6 s2 --force
snapshot-delete d6 s1 --children
resume d5
start d2
destroy d3
list --all
"""
