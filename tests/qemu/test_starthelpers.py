"""
What starts beside QEMU: commands, secrets and names, as values.
"""

from __future__ import annotations

import base64
import os
import socket

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from pyvirt.definitions.domain import parseDomain
from pyvirt.drivers.qemu import openvswitch, tpms, virtiofs
from pyvirt.drivers.qemu.command.values import CommandLine, place
from pyvirt.drivers.qemu.gpuservers import featuresOf
from pyvirt.drivers.qemu.helpers import isListening
from pyvirt.drivers.qemu.hostends import hugePageMounts, renderNode, usbDevice
from pyvirt.drivers.qemu.networking import addressCommands
from pyvirt.drivers.qemu.secretvalues import encrypted
from pyvirt.drivers.qemu.taps import NameGiver, createTap, tapAddress
from pyvirt.drivers.qemu.vhostuser import vhostUserPrograms
from pyvirt.drivers.traffic import trafficCommands
from pyvirt.errors import VirtError
from pyvirt.process import Processes


def devices(inside: str) -> object:
    """Parse devices of a domain."""
    return parseDomain(
        "<domain type='qemu'><name>one</name><uuid>11111111-2222-3333-4444-555555555555</uuid>"
        "<memory>1024</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>"
        f"<devices>{inside}</devices></domain>"
    )


class NameTests(SynchronousTestCase):
    """Names of network devices."""

    def test_numbers(self) -> None:
        """
        Names are given in order; what the user chose is kept, unless it could be one of ours.
        """
        names = NameGiver("pvtest")
        self.assertEqual(names.fresh(), "pvtest0")
        self.assertEqual(names.fresh("pvtest77"), "pvtest1")
        self.assertEqual(names.fresh("foo%d"), "foo2")
        self.assertEqual(names.fresh("mine"), "mine")
        names.reserve("pvtest9")
        names.reserve("pvtest4")
        names.reserve("pvtest99999999999999999999")
        names.reserve("pvtestx")
        names.reserve(None)
        self.assertEqual(names.fresh(), "pvtest10")

    def test_address(self) -> None:
        """
        The host's end of a card never has the lowest address.
        """
        self.assertEqual(tapAddress("52:54:00:11:22:33"), "fe:54:00:11:22:33")
        self.assertEqual(tapAddress("fe:54:00:11:22:33"), "fa:54:00:11:22:33")

    def test_tooLong(self) -> None:
        """
        A name that the kernel could not take is refused before anything is asked for.
        """
        error = self.assertRaises(VirtError, createTap, "averyveryverylongname", 1, True)
        self.assertEqual(
            str(error),
            "Network interface name 'averyveryverylongname' is too long: "
            "Numerical result out of range",
        )


class CommandTests(SynchronousTestCase):
    """Command lines of helpers."""

    def test_limits(self) -> None:
        """
        Limits are told by what the guest gets and sends, whichever end the device is.
        """
        nic = devices(
            "<interface type='bridge'><source bridge='b'/><bandwidth>"
            "<inbound average='1000' burst='9'/><outbound average='3' burst='7'/></bandwidth>"
            "</interface>"
        ).devices.interfaces[0]  # type: ignore[attr-defined]
        said = [" ".join(each) for each in trafficCommands("t", nic.bandwidth)]
        self.assertIn(
            "tc class add dev t parent 1: classid 1:1 htb rate 1000kbps burst 9kb quantum 85", said
        )
        self.assertIn("police rate 3kbps burst 7kb mtu 64kb", said[-1])
        swapped = [" ".join(each) for each in trafficCommands("t", nic.bandwidth, swapped=True)]
        self.assertIn("htb rate 3kbps burst 7kb quantum 1", swapped[1])
        self.assertIn("police rate 1000kbps burst 9kb", swapped[-1])

    def test_addresses(self) -> None:
        """
        The host's end of a card gets its addresses and routes.
        """
        source = (
            devices(
                "<interface type='ethernet'><source><ip address='10.9.8.7' prefix='24' peer='10.9.8.6'/>"
                "<ip address='fd00::1'/><route address='10.20.0.0' prefix='16' gateway='10.9.8.6'/>"
                "</source></interface>"
            )
            .devices.interfaces[0]
            .source
        )  # type: ignore[attr-defined]
        self.assertEqual(
            [" ".join(each) for each in addressCommands("t", source.ips, source.routes)],
            [
                "ip address add 10.9.8.7 peer 10.9.8.6/24 dev t",
                "ip address add fd00::1 dev t",
                "ip route add 10.20.0.0/16 via 10.9.8.6 dev t",
            ],
        )

    def test_switch(self) -> None:
        """
        A port of Open vSwitch is told its VLANs and whose it is.
        """
        definition = devices(
            "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='b'/>"
            "<vlan trunk='yes'><tag id='5' nativeMode='tagged'/><tag id='6'/></vlan>"
            "<virtualport type='openvswitch'><parameters profileid='p'/></virtualport></interface>"
        )
        nic = definition.devices.interfaces[0]  # type: ignore[attr-defined]
        said = " ".join(
            openvswitch.portCommand(definition, "b", "t", nic, nic.virtualport)  # type: ignore[arg-type]
        )
        self.assertIn("add-port b t vlan_mode=native-tagged tag=5 trunk=5,6 --", said)
        self.assertIn('external-ids:port-profile="p"', said)

    def test_tpm(self) -> None:
        """
        A TPM is set up once, with the banks it is to have, and served with its secret behind descriptors.
        """
        tpm = devices(
            "<tpm model='tpm-crb'><backend type='emulator' version='2.0'>"
            "<active_pcr_banks><sha256/><sha512/></active_pcr_banks></backend></tpm>"
        ).devices.tpms[0]  # type: ignore[attr-defined]
        setup = tpms.setupCommands(tpm, "/s", "n", "u", "/l", created=True, password=0)
        self.assertEqual(len(setup), 2)
        self.assertEqual(
            setup[0][:6], ("swtpm_setup", "--tpm2", "--pwdfile-fd", "0", "--cipher", "aes-256-cbc")
        )
        self.assertEqual(setup[1][-3:], ("--pcr-banks", "sha256,sha512", "--reconfigure"))
        again = tpms.setupCommands(tpm, "/s", "n", "u", "/l", created=False)
        self.assertEqual(len(again), 1)
        self.assertEqual(
            " ".join(tpms.serverCommand(tpm, "/s", "/k", "/l", (7, 8))),
            "swtpm socket --ctrl type=unixio,path=/k,mode=0600 --tpmstate dir=/s,mode=0600 "
            "--log file=/l --terminate --tpm2 --key pwdfd=7,mode=aes-256-cbc "
            "--migration-key pwdfd=8,mode=aes-256-cbc",
        )

    def test_share(self) -> None:
        """
        A shared folder is served with the options of its definition; a comma in its name stays one.
        """
        fs = devices(
            "<filesystem type='mount'><driver type='virtiofs'/><binary xattr='off'>"
            "<cache mode='none'/><sandbox mode='chroot'/><lock posix='off' flock='on'/>"
            "<thread_pool size='3'/></binary><source dir='/a,b'/><target dir='t'/></filesystem>"
        ).devices.filesystems[0]  # type: ignore[attr-defined]
        self.assertEqual(
            virtiofs.serverCommand(fs, "/v", 5, debug=True),
            (
                "/v",
                "--fd=5",
                "-o",
                "source=/a,,b,cache=none,sandbox=chroot,no_xattr,flock,no_posix_lock",
                "--thread-pool-size=3",
                "-d",
            ),
        )


class SecretTests(SynchronousTestCase):
    """Secrets on the command line."""

    def test_encrypted(self) -> None:
        """
        Who has the key can read a value of any length, and nobody else sees its length to the byte.
        """
        key, vector = bytes(range(32)), bytes(16)
        for value in (b"", b"x", b"0123456789abcdef", b"\0\xff" * 500):
            raw = base64.b64decode(encrypted(value, key, vector))
            plain = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
            padded = plain.update(raw) + plain.finalize()
            self.assertEqual(padded[: -padded[-1]], value)
            self.assertEqual(len(raw) % 16, 0)

    def test_places(self) -> None:
        """
        Encrypted values go where the command line keeps places for them; one that is missing is an error.
        """
        line = CommandLine(argv=("q", f"data={place('secret:a:data')},fd={place('monitor')}"))
        self.assertEqual(line.placed({"monitor": 3, "secret:a:data": "x"}), ("q", "data=x,fd=3"))
        self.assertRaises(KeyError, line.placed, {"monitor": 3})


class HostTests(SynchronousTestCase):
    """What is looked for on the host."""

    def write(self, path: str, text: str) -> None:
        """Write a file and its folders."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    def test_usb(self) -> None:
        """
        USB devices are found by what they are, where they are, or both; two that are alike are not told apart.
        """
        top = self.mktemp()
        for name, number in (("1-1", 2), ("1-2", 3), ("2-1", 4)):
            for key, value in (
                ("idVendor", "1d6b"),
                ("idProduct", "0002" if number < 4 else "0003"),
                ("busnum", name[0]),
                ("devnum", str(number)),
            ):
                self.write(f"{top}/{name}/{key}", value + "\n")
        self.write(f"{top}/usb9/idVendor", "nonsense\n")
        os.makedirs(f"{top}/1-1:1.0")

        def source(inside: str) -> object:
            host = f"<hostdev mode='subsystem' type='usb'><source>{inside}</source></hostdev>"
            return devices(host).devices.hostdevs[0].source  # type: ignore[attr-defined]

        alike = "<vendor id='0x1d6b'/><product id='0x0002'/>"
        self.assertRaises(VirtError, usbDevice, source(alike), top)
        self.assertRaises(VirtError, usbDevice, source("<address bus='0' device='0'/>"), top)
        self.assertEqual(usbDevice(source(alike + "<address bus='1' device='3'/>"), top), (1, 3))
        self.assertEqual(usbDevice(source("<address bus='2' device='4'/>"), top), (2, 4))
        other = "<vendor id='0x1d6b'/><product id='0x0003'/>"
        self.assertEqual(usbDevice(source(other), top), (2, 4))
        self.assertEqual(usbDevice(source(other + "<address bus='1' device='3'/>"), top), None)
        error = self.assertRaises(VirtError, usbDevice, source(other), f"{top}/nowhere")
        self.assertIn("cannot open directory", str(error))

    def test_renderNode(self) -> None:
        """
        The first device that renders is taken; none, or no folder at all, is an error.
        """
        top = self.mktemp()
        self.assertRaises(VirtError, renderNode, top)
        self.write(f"{top}/card0", "")
        self.assertRaises(VirtError, renderNode, top)
        self.write(f"{top}/renderD129", "")
        self.write(f"{top}/renderD128", "")
        self.assertEqual(renderNode(top), f"{top}/renderD128")

    def test_hugePages(self) -> None:
        """
        What qemu.conf names comes before what is mounted, and an empty name switches large pages off.
        """
        mounts = self.mktemp()
        top = self.mktemp()
        os.makedirs(top)
        self.write(
            os.path.abspath(mounts), f"none {top} hugetlbfs rw 0 0\nnone /proc proc rw 0 0\nx\n"
        )
        size = os.statvfs(top).f_bsize // 1024
        self.assertEqual(hugePageMounts({}, mounts), {size: top})
        self.assertEqual(hugePageMounts({"hugetlbfs_mount": ("",)}, mounts), {})
        self.assertEqual(hugePageMounts({"hugetlbfs_mount": ("/proc/nonesuch",)}, mounts), {})
        self.assertEqual(hugePageMounts({}, f"{mounts}.not"), {})

    def test_listening(self) -> None:
        """
        That a socket is there does not mean yet that somebody listens.
        """
        path = f"/tmp/pv-listen-{os.getpid()}"
        self.addCleanup(os.unlink, path)
        self.assertFalse(isListening(path))
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(path)
            self.assertFalse(isListening(path))
            opened.listen()
            self.assertTrue(isListening(path))
        self.assertFalse(isListening(path))

    def test_programs(self) -> None:
        """
        Programs that serve devices are found by their descriptions; what makes no sense is passed over.
        """
        top = self.mktemp()
        self.write(f"{top}/10-a.json", "nonsense")
        self.write(f"{top}/20-b.json", '{"type": "gpu", "binary": "/g"}')
        self.write(f"{top}/30-c.json", '["fs"]')
        self.write(f"{top}/40-d.json", '{"type": "fs", "binary": "/v"}')
        self.assertEqual(list(vhostUserPrograms("fs", (top,))), ["/v"])
        self.assertEqual(list(vhostUserPrograms("gpu", (top,))), ["/g"])
        self.assertEqual(list(vhostUserPrograms("net", (top,))), [])


class FeatureTests(TestCase):
    """What programs that draw displays say of themselves."""

    async def _asked(self, text: str, mode: int = 0o755) -> set[str] | None:
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(path, mode)
        return await featuresOf(Processes(reactor), path)

    def test_features(self) -> Deferred[None]:
        """
        Words are taken as they are; a program that says nothing of the kind, too much, or cannot run is passed over.
        """

        async def scenario() -> None:
            self.assertEqual(
                await self._asked("""echo '{"features": ["virgl", 7, null, "more"]}'"""),
                {"virgl", "more"},
            )
            self.assertEqual(await self._asked("""echo '{"features": []}'"""), set())
            for text in (
                "echo nonsense",
                "true",
                "echo '[]'",
                """echo '{"features": 7}'""",
                """echo '{"type": "gpu"}'""",
                """echo '{"features": ["virgl"]}'; exit 3""",
                "head -c 200000 /dev/zero | tr '\\0' '['",
                "head -c 60000 /dev/zero | tr '\\0' '['",
            ):
                self.assertIs(await self._asked(text), None, text)
            self.assertIs(await self._asked("echo '{}'", 0o644), None)
            self.assertIs(await featuresOf(Processes(reactor), "/proc/nonesuch"), None)

        return Deferred.fromCoroutine(scenario())
