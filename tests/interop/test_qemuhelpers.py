"""
Guests that need more than a command line: network devices of the host, secrets, processes that serve them.

Each document is put to libvirtd and to our daemon, in worlds of their own; what each says, what is there while the
guest runs and what is left when it is gone must be the same.
"""

from __future__ import annotations

from difflib import unified_diff
from typing import Any, ClassVar

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.interop.helpersessions import document, play
from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World
from tests.interop.support import found, requireBinding

#: What there is of devices of the network; queues of the devices' own differ with the time.
LINKS = (
    "for i in $(ls /sys/class/net | grep -v lo | sort); do echo $i $(cat /sys/class/net/$i/mtu "
    "/sys/class/net/$i/flags) $(readlink /sys/class/net/$i/master) $(cat /sys/class/net/$i/tun_flags "
    "/sys/class/net/$i/brport/isolated 2>/dev/null); done; "
    "cat /sys/class/net/vnet*/address /sys/class/net/mytap/address /sys/class/net/macvtap*/address 2>/dev/null"
)
LEFT = (
    "ls /sys/class/net; cat /sys/class/net/ve0/address; "
    "cd /; find run/libvirt/qemu var/lib/libvirt/qemu ! -type d | egrep -v 'autostarted|driver.pid' | sort; "
    "ls var/lib/libvirt/qemu | grep domain-"
)


def nic(kind: str, inside: str = "", model: str = "virtio", mac: str = "33") -> str:
    """Write a network card."""
    return (
        f"<interface type='{kind}'><mac address='52:54:00:11:22:{mac}'/>{inside}"
        f"<model type='{model}'/></interface>"
    )


def lines(side: dict[str, Any]) -> list[str]:
    """Write what there was to see as lines, of which each says whose it is."""
    found = []
    for name, said in side.items():
        for what, text in said:
            words = text.replace("\0", "\n") if isinstance(text, str) else str(text)
            found += [f"{name}: {what}: {line}" for line in words.splitlines()]
    return found


class ComparedTests(SynchronousTestCase):
    """Both daemons do the same cases."""

    #: Shell lines, done in each world before anything else.
    setup: ClassVar[tuple[str, ...]] = ()
    conf = ""

    def compare(self, cases: list[dict[str, Any]]) -> dict[str, Any]:
        """Do cases on both sides, compare, and return what our daemon made of them."""
        python = requireBinding()
        sides = []
        for make in (LibvirtWorld, PyvirtWorld):
            from tests.interop.qemuworld import _QEMU_CONF

            world: World = make(_QEMU_CONF + self.conf)
            try:
                for line in self.setup:
                    done = world.run(["sh", "-c", line.replace("FOLDER", world.folder)])
                    if done.status:
                        raise SkipTest(f"a world cannot be prepared: {done}")
                sides.append(play(world, python, cases))
            finally:
                world.stop()
        theirs, ours = (lines(side) for side in sides)
        self.maxDiff = None
        self.assertEqual([], list(unified_diff(theirs, ours, "libvirtd", "pyvirt", lineterm="")))
        return sides[1]


class NetworkTests(ComparedTests):
    """Network cards and the host's end of them."""

    setup = (
        "ip link add br0 type bridge && ip link set br0 up && "
        "ip link add ve0 address 02:00:00:00:00:01 type veth peer name ve1 address 02:00:00:00:00:02",
        "printf '#!/bin/sh\\necho \"$@\" >> FOLDER/ran\\n' > FOLDER/script && chmod +x FOLDER/script",
        # The kernel need not know limits: what it is told is what counts.
        "printf '#!/bin/sh\\necho \"tc $*\" >> FOLDER/told\\n' > FOLDER/tc && chmod +x FOLDER/tc && "
        "mount --bind FOLDER/tc $(readlink -f $(command -v tc))",
    )

    def test_cards(self) -> None:
        """
        Taps, bridges, scripts, limits and sockets are made as libvirtd makes them, and nothing of them is left.
        """
        if found("tc") is None or found("ip") is None:
            raise SkipTest("iproute2 is not installed")
        bridge = "<source bridge='br0'/>"
        limits = "<inbound average='1000' peak='5000' burst='5120'/><outbound average='128'/>"
        one = [
            ("taps", [nic("ethernet"), nic("ethernet", "<mtu size='1400'/>", "e1000", "34")]),
            ("named", [nic("ethernet", "<target dev='mytap'/><link state='down'/>")]),
            ("queues", [nic("ethernet", "<driver queues='3'/>")]),
            ("vhost", [nic("ethernet", "<driver name='vhost'/>")]),
            ("scripts", [nic("ethernet", "<script path='FOLDER/script'/>")]),
            ("badscript", [nic("ethernet", "<script path='/bin/false'/>")]),
            ("noscript", [nic("ethernet", "<script path='/proc/nonesuch'/>")]),
            ("alien", [nic("ethernet", "<target dev='nope0' managed='no'/>")]),
            ("aliennone", [nic("ethernet", "<target managed='no'/>")]),
            (
                "hostip",
                [nic("ethernet", "<source><ip address='10.9.8.7' prefix='24'/></source>")],
            ),
            ("guestip", [nic("ethernet", "<ip address='10.9.8.7' prefix='24'/>")]),
            (
                "bridged",
                [
                    nic("bridge", bridge + "<port isolated='yes'/>"),
                    nic("bridge", bridge + "<mtu size='1300'/>", "e1000", "34"),
                    nic("bridge", bridge + "<target dev='foo%d'/>", "virtio", "35"),
                    nic("bridge", bridge + "<target dev='vnet77'/>", "virtio", "36"),
                ],
            ),
            ("nobridge", [nic("bridge", bridge), nic("bridge", "<source bridge='nobr'/>")]),
            ("notbridge", [nic("bridge", "<source bridge='ve1'/>")]),
            ("taken", [nic("bridge", bridge + "<target dev='ve0'/>")]),
            ("long", [nic("bridge", bridge + "<target dev='averyveryverylongname'/>")]),
            ("manyqueues", [nic("bridge", bridge + "<driver queues='300'/>")]),
            ("vlan", [nic("bridge", bridge + "<vlan><tag id='5'/></vlan>")]),
            ("ovs", [nic("bridge", bridge + "<virtualport type='openvswitch'/>")]),
            (
                "qbh",
                [
                    nic(
                        "bridge",
                        bridge + "<virtualport type='802.1Qbh'><parameters/></virtualport>",
                    )
                ],
            ),
            ("filter", [nic("bridge", bridge + "<filterref filter='clean-traffic'/>")]),
            ("limits", [nic("bridge", f"{bridge}<bandwidth>{limits}</bandwidth>")]),
            ("nonetwork", [nic("network", "<source network='nonesuch'/>")]),
            ("user", [nic("user", "<ip address='10.1.2.0' prefix='24'/>")]),
            ("passt", [nic("user", "<backend type='passt'/>")]),
            (
                "sockets",
                [
                    nic("server", "<source address='127.0.0.1' port='5559'/>"),
                    nic(
                        "udp",
                        "<source address='127.0.0.1' port='5558'>"
                        "<local address='127.0.0.1' port='5557'/></source>",
                        mac="34",
                    ),
                ],
            ),
            ("mcast", [nic("mcast", "<source address='230.0.0.1' port='5558'/>")]),
            ("vdpa", [nic("vdpa", "<source dev='/dev/proc/nonesuch'/>")]),
            (
                "vhostuser",
                [nic("vhostuser", "<source type='unix' path='/proc/nonesuch' mode='client'/>")],
            ),
        ]
        cases = []
        for number, (name, nics) in enumerate(one):
            case: dict[str, Any] = {
                "name": name,
                "xml": document(name, number, "".join(nics)),
                "before": ["rm -f FOLDER/ran FOLDER/told"],
                "after": [LINKS, "cat FOLDER/ran", "cat FOLDER/told"],
                "left": [LEFT],
            }
            cases.append(case)
        ours = self.compare(cases)
        self.assertIn("vnet", str(ours["bridged"]))
        self.assertIn("police rate", str(ours["limits"]))

    def test_sharedDevices(self) -> None:
        """
        A device of the host is shared by macvtap devices, which answer only while the guest runs.
        """
        run = "virsh -c qemu:///system {} {} >/dev/null 2>&1; cat /sys/class/net/macvtap*/flags"
        cases = []
        for number, mode in enumerate(("bridge", "vepa", "private", "passthrough")):
            name = f"direct{mode}"
            source = f"<source dev='ve0' mode='{mode}'/><target dev='macvtap9'/>"
            cases.append(
                {
                    "name": name,
                    "xml": document(name, number, nic("direct", source)),
                    "after": [
                        LINKS,
                        "cat /sys/class/net/ve0/address",
                        run.format("resume", name),
                        run.format("suspend", name),
                    ],
                    "left": [LEFT],
                }
            )
        for mode in ("bridge", "passthrough"):
            name = f"nodevice{mode}"
            card = nic("direct", f"<source dev='nonesuch' mode='{mode}'/>")
            cases.append({"name": name, "xml": document(name, 9, card), "left": [LEFT]})
        ours = self.compare(cases)
        if "macvtap" not in str(ours["directbridge"]):
            raise SkipTest("the kernel has no macvtap devices")
