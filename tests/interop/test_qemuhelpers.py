"""
Guests that need more than a command line: network devices of the host, secrets, processes that serve them.

Each document is put to libvirtd and to our daemon, in worlds of their own; what each says, what is there while the
guest runs and what is left when it is gone must be the same.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
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
    # libvirtd leaves what it wrote for its buses.
    "cd /; find run/libvirt/qemu var/lib/libvirt/qemu ! -type d | egrep -v 'autostarted|driver.pid|dbus.conf' | sort; "
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
            ("maker", [nic("bridge", bridge + "<backend tap='/dev/net/tun'/>")]),
            ("nomaker", [nic("bridge", bridge + "<backend tap='/proc/nonesuch'/>")]),
            ("othermaker", [nic("ethernet", "<backend tap='/dev/null'/><target dev='t7'/>")]),
            ("usermaker", [nic("user", "<backend tap='/dev/net/tun'/><driver queues='1'/>")]),
            ("makers", [nic("user", "<backend tap='/dev/net/tun'/><driver queues='2'/>")]),
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


def luks(which: str, name: str = "a.luks", kind: str = "raw") -> str:
    """Write a disk that is encrypted."""
    return (
        f"<disk type='file' device='disk'><driver name='qemu' type='{kind}'/>"
        f"<source file='FOLDER/{name}'><encryption format='luks'>"
        f"<secret type='passphrase' {which}/></encryption></source><target dev='vda' bus='virtio'/></disk>"
    )


def networkDisk(protocol: str, image: str, secret: str) -> str:
    """Write a disk that somebody serves who wants to know who asks."""
    return (
        f"<disk type='network' device='disk'><source protocol='{protocol}' name='{image}'>"
        f"<host name='127.0.0.1' port='1'/><auth username='u'><secret {secret}/></auth></source>"
        "<target dev='vda' bus='virtio'/></disk>"
    )


def secret(number: int, usage: str, value: str | None, private: str = "no") -> str:
    """Return a shell line that defines a secret."""
    uuid = f"aaaaaaaa-0000-4000-8000-00000000000{number}"
    line = (
        f"echo \"<secret ephemeral='no' private='{private}'><uuid>{uuid}</uuid>{usage}</secret>\" "
        "> FOLDER/secret.xml && virsh -c qemu:///system secret-define FOLDER/secret.xml"
    )
    if value is not None:
        line += f" && virsh -c qemu:///system secret-set-value {uuid} {value}"
    return line


UUID = "uuid='aaaaaaaa-0000-4000-8000-00000000000{}'"
PASSPHRASE = "bGV0bWVpbg=="  # letmein


class SecretTests(ComparedTests):
    """Secrets that guests need."""

    setup = (
        # How fast the machine encrypts cannot always be measured at once.
        "for i in $(seq 60); do qemu-img create --object secret,id=s,data=letmein -f luks "
        "-o key-secret=s,iter-time=10 FOLDER/a.luks 1M && break; done && test -s FOLDER/a.luks",
        "for i in $(seq 60); do qemu-img create --object secret,id=s,data=letmein -f qcow2 "
        "-o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 FOLDER/a.qcow2 1M "
        "&& break; done && test -s FOLDER/a.qcow2",
        secret(1, "<usage type='volume'><volume>/v1</volume></usage>", PASSPHRASE, "yes"),
        secret(2, "<usage type='volume'><volume>/v2</volume></usage>", None),
        secret(3, "<usage type='ceph'><name>c1</name></usage>", PASSPHRASE),
        secret(4, "<usage type='volume'><volume>/v4</volume></usage>", "d3Jvbmc="),
    )

    def test_disks(self) -> None:
        """
        An encrypted disk opens with its secret, whichever way that is named, and a wrong or missing one is told.
        """
        if found("qemu-img") is None:
            raise SkipTest("qemu-img is not installed (qemu-utils)")
        cases = [
            {"name": name, "xml": document(name, number, disk), "left": [LEFT], **more}
            for number, (name, disk, more) in enumerate(
                (
                    ("luks", luks(UUID.format(1)), {"after": [TOLD]}),
                    ("luksusage", luks("usage='/v1'"), {}),
                    ("luksqcow", luks(UUID.format(1), "a.qcow2", "qcow2"), {}),
                    ("wrong", luks(UUID.format(4)), {}),
                    ("novalue", luks(UUID.format(2)), {}),
                    ("missing", luks(UUID.format(9)), {}),
                    ("missingusage", luks("usage='/nope'"), {}),
                    ("ceph", networkDisk("rbd", "p/i", f"type='ceph' {UUID.format(3)}"), {}),
                    ("cephmissing", networkDisk("rbd", "p/i", "type='ceph' usage='nope'"), {}),
                )
            )
        ]
        ours = self.compare(cases)
        self.assertIn("encryption-secret0", str(ours["luks"]))


#: Whether the passphrase is in anything that daemons write: it is not.
TOLD = "grep -rl 'letmein\\|bGV0bWVpbg' /run/libvirt/qemu /var/log/libvirt /var/lib/libvirt/qemu"


#: Draws displays as vhost-user has it: answers what QEMU asks first, and says that it can do what its file says.
GPU = r"""#!/usr/bin/env python3
import os, socket, struct, sys
if sys.argv[1:] == ["--print-capabilities"]:
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "features")) as file:
        sys.exit(print(file.read()))
while sys.stdin.read(1):
    pass
with socket.socket(fileno=int(sys.argv[1].removeprefix("--fd="))) as joined:
    joined.recv(1)
"""

#: QEMU for displays that others draw: without KVM the real one refuses them, so their place is taken by its own.
DRAWN = r"""#!/usr/bin/env python3
import json, os, sys
argv = ["qemu-system-x86_64", *sys.argv[1:]]
for at, word in enumerate(argv):
    if word.startswith("{") and '"chr-vu-' in word:
        device = json.loads(word)
        device["driver"] = device["driver"].replace("vhost-user", "virtio")
        del device["chardev"]
        argv[at] = json.dumps(device)
os.execvp(argv[0], argv)
"""


class ServedTests(ComparedTests):
    """Processes that serve guests, and what guests use of the host."""

    setup = (
        f"printf '%s' {shlex.quote(GPU)} > FOLDER/gpu && printf '%s' {shlex.quote(DRAWN)} > FOLDER/drawn && "
        "chmod +x FOLDER/gpu FOLDER/drawn && mount -t tmpfs none /usr/share/qemu/vhost-user && "
        """echo '{"type": "gpu", "binary": "FOLDER/gpu"}' > /usr/share/qemu/vhost-user/10-gpu.json && """
        """echo '{"type": "fs", "binary": "/usr/lib/qemu/virtiofsd"}' > /usr/share/qemu/vhost-user/50-fs.json""",
        "mkdir -p FOLDER/share FOLDER/tpmlog && "
        "mkdir -p /var/log/swtpm && mount --bind FOLDER/tpmlog /var/log/swtpm",
        secret(5, "<usage type='vtpm'><name>t1</name></usage>", PASSPHRASE),
    )

    def test_served(self) -> None:
        """
        TPMs and shared folders are served by the same processes, with the same owners, and all of them end.
        """
        for program in ("swtpm", "swtpm_setup"):
            if found(program) is None:
                raise SkipTest(f"{program} is not installed (swtpm-tools)")
        ps = "ps -eo user,args | egrep '^[a-z]+ +/[^ ]*(swtpm|virtiofsd|dbus-daemon) |[0-9] [^ ]*/gpu -' | sort -u"
        # libvirtd places the bus only where something else serves the guest too.
        groups = (
            "cd /sys/fs/cgroup/cpu/machine && "
            "for p in $(cat */emulator/cgroup.procs); do cat /proc/$p/comm; done | grep -v dbus | sort -u"
        )
        told = (
            "grep -c 'Starting external device' /var/log/libvirt/qemu/*.log | grep -v ':0' | sort"
        )
        state = "cd /var/lib/libvirt/swtpm && find . -printf '%p %M %u %g\\n' | sort"
        shared = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"

        def tpm(inside: str = "", more: str = "") -> str:
            return (
                f"<tpm model='tpm-crb'><backend type='emulator' version='2.0'{more}>{inside}"
                "</backend></tpm>"
            )

        def share(inside: str, source: str = "dir='FOLDER/share'") -> str:
            return (
                f"<filesystem type='mount'><driver type='virtiofs'/>{inside}"
                f"<source {source}/><target dir='t'/></filesystem>"
            )

        def drawn(acceleration: str = "", more: str = "") -> str:
            return (
                "<emulator>FOLDER/drawn</emulator><video><driver name='vhostuser'/>"
                f"<model type='virtio'>{acceleration}</model></video>{more}"
            )

        def can(*words: str) -> dict[str, list[str]]:
            told = json.dumps({"type": "gpu", "features": words})
            return {"before": [f"echo '{told}' > FOLDER/features"]}

        rendered = "<acceleration accel3d='yes' rendernode='/dev/null'/>"
        keep = {"undefine": 64}
        options = (
            "<binary path='/usr/lib/qemu/virtiofsd' xattr='on'><cache mode='always'/>"
            "<sandbox mode='chroot'/><lock posix='on' flock='on'/><thread_pool size='4'/></binary>"
        )
        cases = []
        for number, (name, inside, more) in enumerate(
            (
                ("tpm", tpm(), {}),
                (
                    "tpmbanks",
                    tpm(
                        "<active_pcr_banks><sha256/></active_pcr_banks>", " persistent_state='yes'"
                    ),
                    keep,
                ),
                ("tpmsecret", tpm(f"<encryption {UUID.format(5).replace('uuid', 'secret')}/>"), {}),
                (
                    "tpmnosecret",
                    tpm(f"<encryption {UUID.format(9).replace('uuid', 'secret')}/>"),
                    {},
                ),
                ("share", share(""), {}),
                ("shareoptions", share(options), {}),
                ("sharenone", share("", "dir='FOLDER/nothere'"), {}),
                ("sharebinary", share("<binary path='/proc/nonesuch'/>"), {}),
                ("sharesocket", share("", "socket='/proc/nonesuch'"), {}),
                ("bus", "<graphics type='dbus' p2p='no'/>", {}),
                ("gpu", drawn("<acceleration accel3d='yes'/>"), can("virgl")),
                ("gpunode", drawn(rendered), can("virgl", "render-node", "more")),
                (
                    "gpunonode",
                    drawn(rendered.replace("/dev/null", "/proc/nonesuch")),
                    can("virgl", "render-node"),
                ),
                ("gpucannot", drawn("<acceleration accel3d='no'/>"), can("render-node")),
                ("gpunochoice", drawn(), can("render-node")),
                (
                    "gputwo",
                    drawn(
                        rendered, drawn(rendered).replace("<emulator>FOLDER/drawn</emulator>", "")
                    ),
                    can("virgl", "render-node"),
                ),
                ("gpusilly", drawn(rendered), {"before": ["echo nonsense > FOLDER/features"]}),
            )
        ):
            top = shared if name.startswith(("share", "gpu")) else ""
            cases.append(
                {
                    "name": name,
                    "xml": document(name, number, inside, top=top),
                    "after": [ps, state, groups, told],
                    "left": [LEFT, ps, state],
                    **more,
                }
            )
        ours = self.compare(cases)
        self.assertIn("swtpm socket", str(ours["tpm"]))

    def test_host(self) -> None:
        """
        What is not there on the host is told in the same words.
        """

        def hosted(kind: str, source: str, more: str = "") -> str:
            return (
                f"<hostdev mode='subsystem' type='{kind}'{more}><source{source}</source></hostdev>"
            )

        ids = "><vendor id='0x1234'/><product id='0xabcd'/>"
        pci = "><address domain='0' bus='9' slot='3' function='0'/>"
        one = (
            ("vsock", "<vsock model='virtio'><cid auto='yes'/></vsock>"),
            ("vsock3", "<vsock model='virtio'><cid auto='no' address='3'/></vsock>"),
            (
                "tpm",
                "<tpm model='tpm-tis'><backend type='passthrough'><device path='/proc/nonesuch'/>"
                "</backend></tpm>",
            ),
            ("gpu", "<video><driver name='vhostuser'/><model type='virtio'/></video>"),
            ("pci", hosted("pci", pci, " managed='yes'")),
            ("usb", hosted("usb", ids)),
            ("usbplace", hosted("usb", "><address bus='91' device='92'/>")),
            (
                "scsi",
                hosted(
                    "scsi",
                    "><adapter name='scsi_host99'/><address bus='0' target='0' unit='0'/>",
                ),
            ),
            ("vhostscsi", hosted("scsi_host", " protocol='vhost' wwpn='naa.5123456789abcde0'>")),
            ("evdev", "<input type='evdev'><source dev='/dev/input/nonesuch'/></input>"),
            (
                "passthrough",
                "<input type='passthrough' bus='virtio'><source evdev='/dev/input/nonesuch'/></input>",
            ),
            ("rng", "<rng model='virtio'><backend model='random'>/proc/nonesuch</backend></rng>"),
            ("port", "<serial type='dev'><source path='/proc/nonesuch'/></serial>"),
            ("file", "<serial type='file'><source path='/proc/nonesuch/log'/></serial>"),
        )
        self.compare(
            [
                {"name": name, "xml": document(name, number, inside), "left": [LEFT]}
                for number, (name, inside) in enumerate(one)
            ]
        )

    def test_displays(self) -> None:
        """
        Displays get ports, sockets and passwords, and are told of in the same way.
        """
        one = (
            ("vncpassword", "<graphics type='vnc' port='-1' passwd='sesame'/>"),
            ("vncsocket", "<graphics type='vnc' socket='FOLDER/v.sock'/>"),
            ("vncown", "<graphics type='vnc'><listen type='socket'/></graphics>"),
            ("vncnone", "<graphics type='vnc'><listen type='none'/></graphics>"),
            ("vncport", "<graphics type='vnc' port='5950' listen='0.0.0.0' websocket='-1'/>"),
            ("vncnet", "<graphics type='vnc'><listen type='network' network='none'/></graphics>"),
            ("spicepassword", "<graphics type='spice' port='5930' passwd='sesame'/>"),
            ("spicetls", "<graphics type='spice' port='5930' tlsPort='5931'/>"),
            ("spicesecure", "<graphics type='spice' autoport='yes' defaultMode='secure'/>"),
            ("spicesocket", "<graphics type='spice'><listen type='socket'/></graphics>"),
            ("spicenone", "<graphics type='spice'><listen type='none'/></graphics>"),
            ("both", "<graphics type='vnc' port='-1'/><graphics type='spice' autoport='yes'/>"),
            ("bus", "<graphics type='dbus' p2p='yes'/>"),
        )
        cases = []
        for number, (name, inside) in enumerate(one):
            show = f"virsh -c qemu:///system domdisplay {{}} {name} 2>&1"
            cases.append(
                {
                    "name": name,
                    "xml": document(name, number, inside),
                    "after": [show.format("--all"), show.format("--all --include-password")],
                    "left": [LEFT],
                }
            )
        self.compare(cases)


class LeftTests(SynchronousTestCase):
    """What is left of guests whose daemon, or who themselves, end at a bad moment: nothing."""

    def left(self, world: World) -> str:
        """Return what there is of guests in a world."""
        return world.run(
            [
                *("sh", "-c"),
                "ls /sys/class/net; cat /sys/class/net/ve0/address; "
                "ps -eo args | egrep '^/[^ ]*(swtpm|virtiofsd|qemu-system-x86_64) '; "
                "cd /; find run/libvirt/qemu var/lib/libvirt/qemu ! -type d | "
                "egrep -v 'autostarted|driver.pid|qemu/one.xml' | sort; ls var/lib/libvirt/qemu | grep domain-",
            ]
        ).stdout

    def test_nothing(self) -> None:
        """
        After the daemon was killed and came back, after QEMU was killed, and after a start that failed in the end,
        devices, processes, sockets, files and addresses are as before.
        """
        for program in ("swtpm", "swtpm_setup", "ip"):
            if found(program) is None:
                raise SkipTest(f"{program} is not installed")
        world = PyvirtWorld()
        self.addCleanup(world.stop)
        made = world.run(
            [
                *("sh", "-c"),
                f"cd {world.folder} && mkdir share tpmlog && "
                f"mkdir -p /var/log/swtpm && mount --bind {world.folder}/tpmlog /var/log/swtpm && "
                "ip link add ve0 address 02:00:00:00:00:01 type veth peer name ve1 && "
                "ip link add br0 type bridge",
            ]
        )
        if made.status:
            raise SkipTest(f"a world cannot be prepared: {made}")
        inside = (
            nic("bridge", "<source bridge='br0'/>")
            + nic("direct", "<source dev='ve0' mode='passthrough'/>", mac="34")
            + "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"
            + "<filesystem type='mount'><driver type='virtiofs'/>"
            f"<source dir='{world.folder}/share'/><target dir='t'/></filesystem>"
        )
        shared = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
        path = world.write("one.xml", document("one", 1, inside, top=shared))
        before = self.left(world)

        def done(*arguments: str) -> None:
            outcome = world.virsh(*arguments)
            self.assertEqual(outcome.status, 0, f"{outcome} {world.log()}")

        done("define", path)
        done("start", "--paused", "one")
        running = self.left(world)
        for word in ("vnet0", "macvtap0", "52:54:00:11:22:34", "swtpm ", "virtiofsd "):
            self.assertIn(word, running)
        world.stopDaemon(signal.SIGKILL)
        world.startDaemon()
        self.assertEqual(self.left(world), running)
        done("destroy", "one")
        self.assertEqual(self.left(world), before)

        done("start", "--paused", "one")
        world.run(["sh", "-c", "kill -9 $(cat /run/libvirt/qemu/one.pid)"])
        world._wait(lambda: self.left(world) == before, "the end of what served the guest")

        bad = document(
            "two",
            2,
            inside
            + nic(
                "vhostuser", "<source type='unix' path='/proc/nonesuch' mode='client'/>", mac="35"
            ),
            top=shared,
        )
        outcome = world.virsh("create", "--paused", world.write("two.xml", bad))
        self.assertIn("/proc/nonesuch", outcome.stderr)
        self.assertEqual(self.left(world), before)
        kept = os.listdir(world.folder + "/var/lib/libvirt/swtpm")
        self.assertEqual(kept, ["11111111-2222-3333-4444-000000000001"])
        done("undefine", "one")
        self.assertEqual(os.listdir(world.folder + "/var/lib/libvirt/swtpm"), [])
