"""
A session with cards on switches: what C{ovs-vsctl} is called with, which is a script that writes that down.
"""

__all__ = ["SCRIPT", "SWITCHED"]

#: Fails if C{FOLDER/fail} has a word of what it is called with; knows rows of tables once there is C{FOLDER/rows}.
SCRIPT = r"""#!/bin/sh
printf '%s\n' "ovs-vsctl $*" >> FOLDER/calls
[ -s FOLDER/fail ] && case " $* " in *"$(cat FOLDER/fail)"*) exit 1;; esac
case " $* " in
*" find queue "*) [ ! -e FOLDER/rows ] || echo 11111111-aaaa-4000-8000-000000000001;;
*" find qos "*) [ ! -e FOLDER/rows ] || echo 11111111-aaaa-4000-8000-000000000002;;
esac
exit 0
"""

_ID = "11111111-2222-3333-4444-5555555555"
_CALLS = "!cat FOLDER/calls; : > FOLDER/calls"
_SWITCH = "<virtualport type='openvswitch'/>"
_LIMITS = "<inbound average='100' peak='200' burst='300'/>", "<outbound average='50' burst='70'/>"


def _card(number: int, inner: str = "", source: str = "bridge='ovs0'", kind: str = "bridge") -> str:
    mac = f"<mac address='52:54:00:00:00:{number:02}'/>"
    return (
        f"<interface type='{kind}'>{mac}<source {source}/>{inner}<model type='virtio'/></interface>"
    )


def _guest(name: str, number: int, *cards: str) -> str:
    return (
        f"<domain type='qemu'><name>{name}</name><uuid>{_ID}{number:02}</uuid><memory>8192</memory>"
        "<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>"
        f"<devices>{''.join(cards)}<memballoon model='none'/></devices></domain>"
    )


_NAMED = (
    "<virtualport type='openvswitch'><parameters interfaceid='99999999-2222-3333-4444-555555555501'"
    " profileid='prof'/></virtualport>"
)
_TRUNK = "<vlan trunk='yes'><tag id='5'/><tag id='6' nativeMode='untagged'/></vlan>"
_NETWORK = (
    "<network><name>ovs</name><forward mode='bridge'/><bridge name='ovs1'/>"
    "<virtualport type='openvswitch'><parameters profileid='np'/></virtualport><vlan><tag id='9'/></vlan>"
    "<portgroup name='pg'><vlan trunk='yes'><tag id='1'/><tag id='2'/></vlan></portgroup></network>"
)
_CARDS = (
    _card(1, _NAMED),
    _card(2, _SWITCH + "<vlan><tag id='5'/></vlan>"),
    _card(3, _TRUNK, "network='ovs'", "network"),
    _card(4, "", "network='ovs' portgroup='pg'", "network"),
    _card(5, f"{_SWITCH}<bandwidth>{''.join(_LIMITS)}</bandwidth>"),
)

#: What cards of a guest are to become, each in turn.
_CHANGES = (
    _card(1, f"{_NAMED}<vlan><tag id='7'/></vlan>"),
    _card(1, f"{_NAMED}{_TRUNK}<bandwidth>{_LIMITS[0]}</bandwidth>"),
    # A switch never hears from libvirtd that limits are gone.
    _card(1, f"{_NAMED}<bandwidth>{_LIMITS[0]}</bandwidth>"),
    _card(1, _NAMED, "bridge='ovs1'"),
    _card(1, _NAMED.replace("5501", "5502")),
    _card(1, _SWITCH),
    _card(1),
    _card(3, _TRUNK, "network='ovs'", "network"),
    _card(4, "", "network='plain'", "network"),
    _card(6, "", "bridge='ovs0'"),
    _card(6, _NAMED, "bridge='br0'"),
    _card(6, "<vlan><tag id='7'/></vlan>", "bridge='br0'"),
    _card(6, "<port isolated='yes'/>", "bridge='br0'"),
    _card(6, "<port isolated='yes'/>", "bridge='ovs0'"),
    _card(6, "<link state='down'/>", "bridge='nowhere'"),
    _card(
        6,
        "<coalesce><rx><frames max='4'/></rx></coalesce><backend tap='/dev/net/tun'/>",
        "bridge='br0'",
    ),
    _card(6, "<target dev='other'/>", "bridge='br0'"),
    _card(8, "", "network='nowhere'", "network"),
    _card(8, "", "network='off'", "network"),
    _card(8, "<link state='down'/>", "network='plain'", "network"),
    _card(8, "", "bridge='br0'"),
    _card(8, "", "network='plain'", "network"),
    _card(8, "", "dev='br0' mode='bridge'", "direct"),
)


def _change(number: int, card: str) -> str:
    return (
        f"<c{number}.xml {card}\nupdate-device g3 FOLDER/c{number}.xml\n"
        '!for each in 0 1 2 3 4 5; do echo $(basename "$(readlink /sys/class/net/tap$each/master)") '
        "$(cat /sys/class/net/tap$each/brport/isolated); done"
    )


def _bridged(name: str, bridge: str) -> str:
    return (
        f"<network><name>{name}</name><forward mode='bridge'/><bridge name='{bridge}'/></network>"
    )


_CHANGED = (
    _CARDS[0],
    _CARDS[2],
    _CARDS[3],
    _card(6, "", "bridge='br0'"),
    _card(8, "", "network='plain'", "network"),
)
_CHANGED = tuple(
    card.replace("<model", f"<target dev='tap{number}'/><model")
    for number, card in enumerate(_CHANGED)
)

SWITCHED = f"""
!for each in ovs0 ovs1 br0; do ip link add $each type bridge; ip link set $each up; done; : > FOLDER/calls
<net.xml {_NETWORK}
<g1.xml {_guest("g1", 1, *_CARDS)}
<g2.xml {_guest("g2", 2, _card(7, f"{_SWITCH}<target dev='mytap'/>"))}
<in.xml {_card(8, f"{_SWITCH}<bandwidth>{_LIMITS[0]}</bandwidth>")}
<out.xml {_card(9, f"{_SWITCH}<bandwidth>{_LIMITS[1]}</bandwidth>")}
<more.xml {_card(9, f"{_SWITCH}<bandwidth>{''.join(_LIMITS)}</bandwidth>")}
net-define FOLDER/net.xml
net-start ovs
create FOLDER/g1.xml
domiflist g1
{_CALLS}
RESTART
domiflist g1
{_CALLS}
attach-device g1 FOLDER/in.xml
attach-device g1 FOLDER/out.xml
update-device g1 FOLDER/more.xml
domiftune g1 vnet0 --inbound 10
domiftune g1 vnet0 --outbound 10,20,30
domiftune g1 vnet0 --inbound 0
domiftune g1 vnet0
{_CALLS}
!: > FOLDER/rows
domiftune g1 vnet0 --inbound 10,20,30
domiftune g1 vnet0 --outbound 0
{_CALLS}
!echo ingress > FOLDER/fail
domiftune g1 vnet0 --outbound 10
!echo set queue > FOLDER/fail
domiftune g1 vnet0 --inbound 20
!echo set qos > FOLDER/fail
domiftune g1 vnet0 --inbound 20
!echo create > FOLDER/fail; rm FOLDER/rows
domiftune g1 vnet0 --inbound 20
!echo add-port > FOLDER/fail
attach-device g1 FOLDER/in.xml
create FOLDER/g2.xml
!: > FOLDER/calls
RESTART
domiflist g1
{_CALLS}
!rm FOLDER/fail
destroy g1
{_CALLS}
<plain.xml {_bridged("plain", "br0")}
<off.xml {_bridged("off", "br0")}
<g3.xml {_guest("g3", 3, *_CHANGED)}
net-define FOLDER/plain.xml
net-define FOLDER/off.xml
net-start plain
create FOLDER/g3.xml
!: > FOLDER/calls
{{}}
dumpxml g3 --xpath //interface
destroy g3
{_CALLS}
!ip link del ovs1
RESTART
net-list --all
net-start ovs
create FOLDER/g2.xml
!kill -9 $(cat /run/libvirt/qemu/g2.pid); until grep -q del-port FOLDER/calls; do sleep 0.01; done
{_CALLS}
""".format("\n".join(_change(number, card) for number, card in enumerate(_CHANGES)))
