"""
Networks that guests are plugged into, compared with those of libvirtd: what is promised to each, and what is filtered.

Where the kernel may lack what is needed, the program that would ask it says what it was told instead.
"""

from __future__ import annotations

import os

from tests.interop.hostsessions import HostSessions
from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World
from tests.interop.support import requireBinding
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


class ShareTests(HostSessions):
    """What networks promise."""

    kinds = (DryLibvirt, DryPyvirt)

    def setUp(self) -> None:
        requireNetworks()
        requireBinding()
        super().setUp()
        for world in self.worlds:
            world.write("setting.py", SETTING)

    def test_shares(self) -> None:
        """Bridges are limited, ports get classes of their own and give them back, over a restart too."""
        self.compare(SHARES)
