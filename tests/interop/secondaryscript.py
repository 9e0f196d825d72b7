"""
A script of the stock binding: networks, pools and volumes, host interfaces and devices, in ways that fail as often as not.
"""

SCRIPT = r"""
import libvirt, sys
libvirt.registerErrorHandler(lambda *args: None, None)
connection = libvirt.open(sys.argv[1])

def ask(what, call):
    try:
        answer = call()
    except libvirt.libvirtError as error:
        answer = (error.get_error_code(), error.get_error_domain(), error.get_error_level(), error.get_error_message())
    print(what, "->")
    print(*(answer if isinstance(answer, tuple) else (answer,)), sep="\n")

for body in ["", "<forward/>", "<forward mode='x'/>", "<bridge name='br5' stp='x'/>", "<ip address='x'/>",
             "<ip address='1.2.3.4' netmask='255.255.0.255'/>", "<ip address='1.2.3.4' prefix='40'/>",
             "<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.9' end='10.0.0.5'/></dhcp></ip>",
             "<ip family='ipv6' address='fc00::1' prefix='64'><dhcp><range start='fc00::9' end='fc00::5'/></dhcp></ip>",
             "<mac address='01:00:00:00:00:00'/>", "<mac address='x'/>", "<dns><host ip='1.1.1.1'/></dns>",
             "<portgroup name='a' default='yes'/><portgroup name='b' default='yes'/>", "<vlan><tag id='5000'/></vlan>",
             "<bandwidth><inbound average='x'/></bandwidth>", "<virtualport type='x'/>", "<bridge name='virbr0'/>",
             "<route address='1.2.3.0' prefix='24' gateway='9.9.9.9'/>", "<uuid>x</uuid>"]:
    def network():
        made = connection.networkDefineXML("<network><name>made</name>%s</network>" % body)
        text = made.XMLDesc()
        made.undefine()
        return text
    ask(body, network)

default = connection.networkLookupByName("default")
for command in range(6):
    for section in range(14):
        host = "<host mac='52:54:00:00:00:0%d' ip='192.168.122.%d'/>" % (command, command + 2)
        ask(("update", command, section), lambda: default.update(command, section, -1, host, 0))
for flags in range(5):
    host = "<host mac='52:54:00:00:01:0%d' ip='192.168.122.5%d'/>" % (flags, flags)
    ask(("update", flags), lambda: default.update(3, 4, 0, host, flags))
ask("live", lambda: default.XMLDesc())
ask("inactive", lambda: default.XMLDesc(1))

source = "<host name='h'/><dir path='/d'/><device path='/dev/x'/><initiator><iqn name='i'/></initiator><name>n</name>"
sources = ["", source, "<name>n</name><format type='nfs'/>", "<host name='h'/><adapter type='scsi_host' name='scsi_host1'/>"]
for kind in ["dir", "fs", "netfs", "logical", "disk", "iscsi", "iscsi-direct", "scsi", "mpath", "rbd", "sheepdog",
             "gluster", "zfs", "vstorage", "x", ""]:
    for name in ["<name>made</name>", ""]:
        for body in sources:
            def pool():
                made = connection.storagePoolDefineXML(
                    "<pool type='%s'>%s<source>%s</source><target><path>/t</path></target></pool>" % (kind, name, body), 0)
                made.create(0)
                text = made.XMLDesc()
                made.destroy()
                made.undefine()
                return text
            ask((kind, name, body), pool)

pool = connection.storagePoolCreateXML("<pool type='dir'><name>p</name><target><path>/p</path></target></pool>", 0)
for volume in ["<volume/>", "<volume><name>a</name></volume>", "<volume><name>a</name><capacity>x</capacity></volume>",
               "<volume><name>a</name><capacity unit='KiB'>5</capacity></volume>", "<volume type='dir'><name>c</name><capacity>5</capacity></volume>",
               "<volume><name>big</name><capacity unit='E'>10</capacity></volume>", "<volume><name>n</name><capacity>-1</capacity></volume>",
               "<volume><name>f</name><capacity>5</capacity><target><format type='x'/></target></volume>"]:
    ask(volume, lambda: pool.createXML(volume, 0).XMLDesc())

port = "<device><parent>%s</parent><capability type='scsi_host'><capability type='fc_host'><wwnn>%s</wwnn><wwpn>2</wwpn></capability></capability></device>"
for document in [port % ("scsi_host1", "1"), port % ("scsi_host1", ""), port % ("lost", "1"), port % ("computer", "1"), port % ("", "1"),
                 "<device/>", "<device><capability/></device>", "<device><capability type='scsi_host'/></device>",
                 "<device><capability type='system'/></device>", "<device><capability type='net'><interface>e</interface></capability></device>",
                 (port % ("", "1")).replace("<parent>", "<parent wwnn='1'>"),
                 (port % ("", "1")).replace("<parent>", "<parent fabric_wwn='2000000043214321'>")]:
    ask(document, lambda: connection.nodeDeviceCreateXML(document, 0).XMLDesc())
for flags in [1 << bit for bit in range(10)]:
    ask(("devices", flags), lambda: sorted(each.name() for each in connection.listAllDevices(flags)))

domain = connection.lookupByName("test")
for key in ["a b", "1a", "", "a:b", "-x", "_x", "x.y-z"]:
    for element in ["<x/>", "<x", "<p:x xmlns:p='urn:p'><y/></p:x>", "<!-- c --><x/>", "text"]:
        ask((key, element), lambda: domain.setMetadata(2, element, key, "urn:t"))
    ask(key, lambda: domain.XMLDesc())
ask("newline", lambda: connection.defineXML("<domain type='test'><name>a\nb</name><memory>1</memory><os><type>hvm</type></os></domain>"))
"""
