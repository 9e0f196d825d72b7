"""
Command lines of QEMU are read back into definitions.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesisSettings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import formatDomain, parseDomain
from pyvirt.drivers.qemu.command.building import commandLine
from pyvirt.drivers.qemu.complete import complete
from pyvirt.drivers.qemu.native import readNative
from pyvirt.drivers.qemu.native.words import properties, split
from pyvirt.errors import ErrorCode, VirtError
from tests.qemu.observations import Case, capabilities, cases, masked, settings

#: Command lines that do not say all that their definition did: secrets and passwords, times, nodes of the host, what is
#: told of network cards that are only shown, quirks of one option each; or come out in other words.
_LOSSY = """
block buses35 chain channels clock12 clock2 cpu12 gfx0 gfx7 mem memb10 memb7 net5 numa1 numa2 os1
os351 r17 r31 r57 r62 s112 s153 s186 s192 s218 s219 s221 s236 s237 serials t197 t202 t31 t32 t80
v-dev-gfxspicesec v-dev-gfxspicetls v-dev-mmio v-top-qall v-top-varloc v109 v237 v238 v243
"""
LOSSY = set(_LOSSY.split())

#: Options of which nothing may be lost, and those of libvirt's own that tell nothing of a guest.
_TELLING = """
-name -machine -accel -m -overcommit -smp -boot -rtc -numa -device -netdev -chardev -blockdev -drive
-fsdev -tpmdev -audiodev -vnc -spice -display -smbios -fw_cfg -acpitable
"""
_SAID = set(_TELLING.split())
_OURS = ("charmonitor",)


def shown() -> Iterator[Case]:
    """Iterate over the cases that have a command line."""
    return (case for case in cases() if case.argv is not None)


def domain(*words: str) -> str:
    """Read a command line, and return its definition without line ends."""
    return readNative(shlex.join(["/usr/bin/qemu-system-x86_64", *words]))


class BackTests(SynchronousTestCase):
    """What a definition becomes, and what becomes of that."""

    def again(self, case: Case) -> list[str] | None:
        """Return the command line of the definition of a command line; None: there is none."""
        assert case.argv is not None
        name = case.argv[2].removeprefix("guest=").partition(",")[0]
        try:
            text = readNative(f"LC_ALL=C HOME=/x {shlex.join(case.argv)}")
            definition = complete(parseDomain(text), capabilities())
            line = commandLine(definition, capabilities(), settings(name))
        except VirtError:
            return None
        return [re.sub("\0[^\0]*\0", "N", word) for word in line.argv]

    def test_observed(self) -> None:
        """libvirtd's command lines give definitions that have the same command lines, but for those that lose something."""
        lossy = set()
        for case in shown():
            again = self.again(case)
            if again is None or sorted(masked(again)) != sorted(masked(case.argv or [])):
                lossy.add(case.name)
        self.assertEqual(sorted(lossy - LOSSY), [])
        self.assertEqual(sorted(LOSSY - lossy), [], "these lose nothing any more")

    def test_typed(self) -> None:
        """What people type: short options, several lines, images without a device."""
        text = readNative(
            "FOO='a b' qemu-system-x86_64 -enable-kvm -name 'my guest' \\\n -m 1G -smp 4,sockets=2,cores=2,threads=1 \\\n"
            "  -hda /a,b.img -cdrom /c.iso -drive file=/d.qcow2,format=qcow2,if=virtio,cache=none \\\n"
            "  -boot order=dc,menu=on -vnc :1 -soundhw all -device nosuch,x=1"
        )
        definition = parseDomain(text)
        self.assertEqual((definition.type, definition.name), ("kvm", "my guest"))
        self.assertEqual(definition.memory.amount, 1 << 20)
        self.assertEqual(
            [(disk.target.dev, disk.target.bus, disk.device) for disk in definition.devices.disks],
            [("hda", "ide", "disk"), ("hdc", "ide", "cdrom"), ("vda", "virtio", "disk")],
        )
        self.assertIn("/a,b.img", text)
        self.assertEqual(list(definition.os.boot), ["cdrom", "hd"])
        self.assertEqual(definition.devices.graphics[0].port, 5901)
        # QEMU has a display adapter and no USB unless it is told otherwise.
        self.assertEqual(definition.devices.videos, ())
        self.assertEqual(definition.devices.controllers[0].model, "none")
        self.assertNotIn("controller", domain("-usb"))
        tablet = parseDomain(domain("-usbdevice", "tablet"))
        self.assertEqual([each.bus for each in tablet.devices.inputs], ["usb"])
        self.assertEqual(tablet.devices.controllers, ())
        self.assertIn('<video><model type="none"', domain("-nodefaults", "-vnc", ":1"))
        self.assertEqual(definition.qemu.arguments, ("-soundhw", "all", "-device", "nosuch,x=1"))
        self.assertEqual(list(definition.qemu.environment), [("FOO", "a b")])

    def test_left(self) -> None:
        """What has no place in a definition brings along what it refers to, and what that does."""
        text = domain(
            *("-blockdev", '{"driver":"file","filename":"/a","node-name":"low"}'),
            *("-blockdev", '{"driver":"quorum","file":"low","node-name":"top"}'),
            *("-chardev", "ringbuf,id=ring,size=64", "-device", "virtio-blk-pci,drive=top"),
            *("-device", "sga,chardev=ring"),
        )
        arguments = parseDomain(text).qemu.arguments  # type: ignore[union-attr]
        self.assertEqual(
            arguments,
            (
                *("-blockdev", '{"driver":"file","filename":"/a","node-name":"low"}'),
                *("-blockdev", '{"driver":"quorum","file":"low","node-name":"top"}'),
                *("-chardev", "ringbuf,id=ring,size=64"),
                *("-device", "virtio-blk-pci,drive=top", "-device", "sga,chardev=ring"),
            ),
        )

    def test_heeded(self) -> None:
        """Whatever more is said of something is there afterwards, wherever it is said."""
        seen = set()
        for case in shown():
            argv = case.argv or []
            for place in range(1, len(argv) - 1):
                option, value = argv[place : place + 2]
                kind = (option, re.sub(r"\d+", "", value.partition(",")[0]))
                if option not in _SAID or kind in seen or any(each in value for each in _OURS):
                    continue
                seen.add(kind)
                more = f"{value},zz-more=7"
                if value.startswith("{"):
                    more = value[:-1] + ',"zz-more":"7"}'
                try:
                    text = readNative(shlex.join([*argv[: place + 1], more, *argv[place + 2 :]]))
                    text = formatDomain(parseDomain(text))
                except VirtError:
                    continue
                self.assertIn("zz-more", text, f"{option} {more}")
        self.assertGreater(len(seen), 200)

    def test_kept(self) -> None:
        """What a definition cannot say whole stays as it is, with what it needs, and nothing is there twice."""
        card = ("-netdev", "user,id=n,hostfwd=tcp::22-:22", "-device", "e1000,netdev=n")
        drive = ("-drive", "file=/a,if=none,id=d", "-device", "nvme,drive=d,serial=x")
        thread = ("-object", "iothread,id=io", "-blockdev", "file,filename=/a,node-name=f")
        disk = ("-device", "virtio-blk-pci,drive=f,iothread=io")
        for words in (
            card,
            drive,
            (*thread, *disk),
            ("-vnc", ":1,password=on"),
            ("-spice", "port=5900,tls-channel=main,tls-channel=inputs"),
            ("-numa", "node,nodeid=0,mem=128,initiator=0"),
            ("-monitor", "stdio"),
            ("-rtc", "base=then"),
            ("-device", "pcie-root-port,id=rp", "-device", "nosuch,bus=rp"),
            ("-device", "lsi,id=s2", "-device", "scsi-hd,bus=s2.0,scsi-id=1,nosuch=1"),
            ("-drive", "file=nbd://h/x,if=virtio"),
            ("-drive", "file=rbd:a/b,if=none,id=d", "-device", "virtio-blk-pci,drive=d"),
            ("-blockdev", "file,filename=/a,node-name=f", "-device", "scsi-hd,drive=f,bus=mine.0"),
            ("-device", "usb-tablet,bus=mine.0,port=1"),
            ("-netdev", "hubport,id=h,hubid=0"),
            ("-device", "virtio-rng-pci,rng=nobody"),
            ("-device", "e1000,bus=mine,addr=1,netdev=n", "-netdev", "user,id=n"),
        ):
            found = parseDomain(domain(*words))
            self.assertEqual(sorted(found.qemu.arguments), sorted(words))  # type: ignore[union-attr]
            self.assertEqual((found.devices.disks, found.devices.interfaces), ((), ()))
            self.assertEqual(found.devices.graphics, ())

    def test_ports(self) -> None:
        """Where a device is may be told by the name of a port, which definitions number."""
        text = domain(
            *("-device", "pcie-root-port,id=rp1,chassis=1", "-netdev", "user,id=n"),
            *("-device", "virtio-net-pci,netdev=n,bus=rp1"),
        )
        (card,) = parseDomain(text).devices.interfaces
        self.assertEqual((card.address.bus, card.address.slot), (1, 0))
        text = domain(
            *("-device", "virtio-scsi-pci", "-device", "lsi,id=s", "-device", "virtio-serial,id=v"),
            *("-blockdev", "file,filename=/a,node-name=f", "-chardev", "pty,id=c"),
            *("-device", "scsi-hd,drive=f,bus=s.0,scsi-id=2"),
            *("-device", "virtserialport,chardev=c,name=x,bus=v.0,nr=3"),
        )
        devices = parseDomain(text).devices
        self.assertEqual([each.index for each in devices.controllers[:3]], [0, 1, 0])
        self.assertEqual(devices.disks[0].address.controller, 1)
        self.assertEqual(devices.channels[0].address.port, 3)
        self.assertIn('<topology cores="2" threads="1" sockets="2"', domain("-smp", "4,cores=2"))

    def test_loops(self) -> None:
        """Nodes that lie below themselves end."""
        text = domain(
            *("-blockdev", '{"driver":"qcow2","file":"a","backing":"a","node-name":"a"}'),
            *("-device", "virtio-blk-pci,drive=a", "-machine", "pc,pflash0=a"),
        )
        self.assertIn("-device", text)


class HostileTests(SynchronousTestCase):
    """Command lines that make no sense."""

    def refused(self, text: str) -> str:
        """Return why a command line is refused."""
        error = self.assertRaises(VirtError, readNative, text)
        self.assertEqual(error.code, ErrorCode.INVALID_ARG)
        return str(error)

    def test_refused(self) -> None:
        """An error names what makes no sense."""
        self.assertIn("No closing quotation", self.refused("qemu 'a"))
        self.assertIn("no emulator command found", self.refused(""))
        self.assertIn("no emulator command found", self.refused("A=1 B=2"))
        self.assertIn("missing value for option '-m'", self.refused("qemu -m"))
        self.assertIn("'{x' makes no sense", self.refused("qemu -device {x"))
        self.assertIn("makes no sense", self.refused("qemu -device " + "'" + "[" * 50 + "'{" * 2))
        self.assertIn("has 20001 words", self.refused("qemu" + " a" * 20001))
        self.assertIn("-vga", domain("-vga", "std"))
        for option in (
            "-numa dist,dst=1",
            """-device '{"driver":"virtio-blk-pci","wwn":[1]}'""",
            "-device nvdimm,memdev=m -object memory-backend-ram,id=m,size=x",
            "-drive if=floppy,index=1,file=a,format=raw -device isa-debugcon,chardev=c,iobase=z,irq=q -chardev pty,id=c",
        ):
            self.assertIn("makes no sense", self.refused(f"qemu {option}"))
        nested = '{"a":' * 100000
        self.assertIn("makes no sense", self.refused(f"qemu -device '{nested}'"))

    @hypothesisSettings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
    @given(st.data())
    def test_cut(self, data: st.DataObject) -> None:
        """Whatever is cut out of a command line, doubled or exchanged, there is a definition or an error."""
        lines = [case.argv for case in shown() if case.argv is not None]
        words = list(data.draw(st.sampled_from(lines)))
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(words) - 1))
            change = data.draw(st.sampled_from(("cut", "drop", "double", "other")))
            if change == "cut":
                words[place] = words[place][: data.draw(st.integers(0, len(words[place])))]
            elif change == "drop" and len(words) > 1:
                del words[place]
            elif change == "double":
                words.insert(place, words[place])
            else:
                words[place] = data.draw(st.text('{}[]",=:x-0', max_size=12))
        try:
            readNative(shlex.join(words))
        except VirtError as error:
            self.assertEqual(error.code, ErrorCode.INVALID_ARG)

    def test_words(self) -> None:
        """Commas that stand twice belong to values; what stands alone is on, or off."""
        self.assertEqual(
            properties("a,,b,x=1,,2,y,noz", "first"),
            {"first": "a,b", "x": "1,2", "y": "on", "z": "off"},
        )
        self.assertEqual(split("A=1 prog --m 5 file").options, (("-m", "5"), ("-hda", "file")))
