"""
A session about networks whose guests have devices of the host, on a host whose devices have virtual functions.

There are none such here, so what the system says of them is laid over its own: C{pf0} has three functions without
names, as where they are meant for guests, C{pf1} has three of which two are network devices, C{pf2} has none.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["FUNCTIONS", "POOLED"]

FUNCTIONS = """
set -e
mkdir -p $1/pci $1/net
mount -t tmpfs tmpfs $1/pci
mount -t tmpfs tmpfs $1/net
for each in /sys/bus/pci/devices/*; do ln -s $(readlink -f $each) $1/pci/$(basename $each); done
named() { mkdir -p $1/pci/$2/net/$3 $1/net/$3; ln -s /sys/bus/pci/devices/$2 $1/net/$3/device; }
whole() { mkdir -p $1/pci/$2; named $1 $2 $3; echo 8 > $1/pci/$2/sriov_totalvfs; echo 3 > $1/pci/$2/sriov_numvfs; }
part() { mkdir -p $1/pci/$2; ln -s ../$3 $1/pci/$2/physfn; ln -s ../$2 $1/pci/$3/virtfn$4; }
whole $1 0000:06:00.0 pf0
whole $1 0000:07:00.0 pf1
whole $1 0000:08:00.0 pf2
for each in 0 1 2; do
    part $1 0000:06:10.$((each * 2)) 0000:06:00.0 $each
    part $1 0000:07:10.$each 0000:07:00.0 $each
done
named $1 0000:07:10.0 vf0
named $1 0000:07:10.2 vf2
mount --bind $1/pci /sys/bus/pci/devices
mount -t overlay overlay -o lowerdir=$1/net:/sys/class/net /sys/class/net
"""

_ID = "11111111-2222-3333-4444-55555555"


def _address(bus: int, function: int, slot: int = 16) -> str:
    return f"<address type='pci' domain='0' bus='{bus}' slot='{slot}' function='{function}'/>"


def _port(kind: str, **parameters: str) -> str:
    given = "".join(f" {name}='{value}'" for name, value in parameters.items())
    inner = f"<parameters{given}/>" if given else ""
    return f"<virtualport{f' type={kind!r}' if kind else ''}>{inner}</virtualport>"


_QBH, _SWITCH = _port("802.1Qbh", profileid="x"), _port("openvswitch")
_QBG = _port("802.1Qbg", managerid="1", typeid="2", typeidversion="3", instanceid=f"{_ID}0999")
_MIDONET = _port("midonet", interfaceid=f"{_ID}0998")
_VLAN, _LIMIT = "<vlan><tag id='4'/></vlan>", "<bandwidth><inbound average='5'/></bandwidth>"
_HALF = _port("802.1Qbg", managerid="1")

#: Networks, and what is plugged into each; a C{-} unplugs the first that is there.
_NETWORKS = {
    "hostdev' managed='yes": (
        ("<pf dev='pf0'/>", "", ("", "", "", "", "-", "", "RESTART", "", "-", "")),
        (
            f"<driver name='vfio'/>{_address(6, 0)}{_address(6, 2)}",
            f"<portgroup name='p'>{_VLAN}</portgroup><portgroup name='q' trustGuestRxFilters='yes'>{_QBH}</portgroup>",
            (
                *("<group>p</group>", "-", "<group>q</group>", "-", _QBG, "-", _HALF, _SWITCH),
                *(_MIDONET, _VLAN, "-", _LIMIT, "-", _LIMIT.replace("average", "floor")),
            ),
        ),
        ("<pf dev='pf2'/>", "", ()),
        ("<pf dev='nope'/>", "", ()),
        ("", "", ("",)),
        (_address(6, 0, 0), "", ()),
        ("<interface dev='vf0'/>", "", ()),
        (_address(7, 0), f"{_VLAN}<portgroup name='p'>{_LIMIT}</portgroup>", ()),
        (_address(7, 0), _VLAN + _QBH, ("",)),
    ),
    "passthrough": (
        ("<pf dev='pf1'/>", "", ("", "", "", "-", "")),
        ("<pf dev='pf0'/>", "", ()),
        ("", "", ("",)),
        ("<interface dev='x0'/>", _VLAN, ("", "")),
        ("", "<vlan><tag id='1' nativeMode='tagged'/></vlan>", ()),
        ("", "<vlan trunk='no'><tag id='1' nativeMode='tagged'/></vlan>", ()),
        ("", "<vlan trunk='x'><tag id='1'/></vlan>", ()),
    ),
    "bridge": (
        (
            "<interface dev='x0'/><interface dev='x1'/><interface dev='x2'/>",
            "",
            ("", "", "", "", "", "-", "", "UPDATE", "-", "", ""),
        ),
        (_address(6, 0), "", ()),
        ("<interface dev='x0'/>", "<bridge name='lo'/>", ()),
        ("<interface dev='x0'/>", _VLAN, ()),
        *(
            ("", f"<bridge name='lo'/>{each}", ("", _QBH, _SWITCH, _port("", profileid="w")))
            for each in (
                "",
                _VLAN,
                _SWITCH + f"<portgroup name='p' default='yes'>{_VLAN}</portgroup>",
                f"<portgroup name='p'>{_SWITCH}{_VLAN}</portgroup>",
                f"{_VLAN}<portgroup name='p'>{_SWITCH}</portgroup>",
                _port("openvswitch", profileid="q", interfaceid=f"{_ID}0997"),
                "<portgroup name='p' default='yes'/><portgroup name='q' default='yes'/>",
                "<portgroup name='p'/><portgroup name='p'/>",
                "<mac address='52:54:00:11:22:33'/><ip address='1.2.3.4'/>",
                "<ip address='1.2.3.4'/><domain name='x'/>",
                "<domain name='x'/><dns><txt name='a' value='b'/></dns>",
                "<domain name='x'/><bandwidth><inbound average='1'/></bandwidth>",
            )
        ),
    ),
    "private": (
        ("<interface dev='x2'/>", "", ("", _QBH, "-", _QBH, "", _QBH)),
        ("<interface dev='x2'/>", _QBH, ("", "", _port("802.1Qbh", profileid="w"))),
    ),
    "vepa": (
        (
            "<interface dev='x0'/><interface dev='x1'/>",
            f"{_QBG}<portgroup name='p'>{_QBH}</portgroup>",
            (
                *("", _QBH, _QBG, _MIDONET, "<group>p</group>", _port("", instanceid=f"{_ID}0996")),
                *(_port("802.1Qbg", managerid="7"), _port("802.1Qbg", typeid="7"), _port("")),
            ),
        ),
    ),
    "open": (
        (
            "",
            "<bridge name='vb9'/><mac address='52:54:00:11:22:33'/><ip address='10.77.1.1' prefix='24'/>",
            ("", _SWITCH, _QBH, _port("", profileid="w")),
        ),
    ),
}


def _lines() -> Iterator[str]:
    yield "!sh FOLDER/functions.sh FOLDER/f"
    number = count = 0
    for mode, networks in _NETWORKS.items():
        for forward, rest, ports in networks:
            number += 1
            name = f"f{number}"
            yield (
                f"<{name}.xml <network><name>{name}</name><uuid>{_ID}f{number:03x}</uuid>"
                f"<forward mode='{mode}'>{forward}</forward>{rest}</network>"
            )
            yield f"net-define FOLDER/{name}.xml"
            yield f"net-start {name}"
            there = []
            for inner in ports:
                if inner == "RESTART":
                    yield inner
                    continue
                if inner == "UPDATE":
                    yield f"net-update {name} add portgroup \"<portgroup name='z'/>\" --live"
                elif inner == "-":
                    yield f"net-port-delete {name} {there.pop(0)}"
                else:
                    count += 1
                    uuid = f"{_ID}{count:04x}"
                    there.append(uuid)
                    yield (
                        f"<p{count}.xml <networkport><uuid>{uuid}</uuid><owner><name>g</name>"
                        f"<uuid>{_ID}5555</uuid></owner><mac address='52:54:00:00:00:{count:02x}'/>"
                        f"{inner}</networkport>"
                    )
                    yield f"net-port-create {name} FOLDER/p{count}.xml"
                    yield f"net-port-dumpxml {name} {uuid}"
                yield f"net-dumpxml {name}"
            yield f"net-dumpxml {name} --inactive"
    yield "!cat /run/libvirt/network/f1.xml; cat /run/libvirt/network/f1/ports/*"


POOLED = "\n".join(_lines()) + "\n"
