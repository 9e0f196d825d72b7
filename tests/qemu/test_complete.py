"""
Definitions are completed as libvirt's QEMU driver does, and give its command lines.
"""

from __future__ import annotations

import json
import re

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import formatDomain, parseDomain
from pyvirt.drivers.qemu.aliases import withAliases
from pyvirt.drivers.qemu.capabilities import BinaryCapabilities
from pyvirt.drivers.qemu.command.afterwards import afterwards
from pyvirt.drivers.qemu.command.building import commandLine
from pyvirt.drivers.qemu.command.values import place
from pyvirt.drivers.qemu.complete import complete
from pyvirt.drivers.qemu.firmware import chooseFirmware
from pyvirt.drivers.qemu.validate import validate
from pyvirt.errors import ErrorCode, VirtError
from tests.qemu.firmwares import DESCRIPTORS
from tests.qemu.observations import Case, capabilities, cases, masked, settings

#: Cases whose processor model libvirt works out from what the host can do.
HOST_MODELS = {"cpu0", "cpu7", "v-top-cpumatch", "v-top-cpufull"}


#: Cases whose only console libvirtd, too, gives another number the second time.
RENUMBERED = {"r57"}

#: Refusals that depend on files, devices, networks and secrets of the host, or on tables of processors.
OF_THE_HOST = re.compile(
    "/dev/|/sys/|TPM device|vhost-user-gpu|Storage pool|Network not found|secret|NUMA node|CPU model|"
    "CPU feature|namespace capability|hugetlbfs|cause is unknown|missing bus/device"
)


def said(error: VirtError) -> list[object]:
    """Return what an error says."""
    return [error.get_error_code(), error.get_error_domain(), error.get_error_message()]


class ObservedTests(SynchronousTestCase):
    """What libvirtd made of hundreds of documents."""

    def setUp(self) -> None:
        self.capabilities = capabilities()

    def wrong(self, case: Case) -> str | None:
        """Return how an answer differs from libvirtd's."""
        try:
            definition = complete(parseDomain(case.xml), self.capabilities)
            validate(definition, self.capabilities)
        except VirtError as error:
            return None if said(error) == case.error else f"{case.name}: {said(error)}"
        if case.defined is None:
            return f"{case.name}: not refused: {case.error}"
        text = formatDomain(definition, inactive=True, secure=True)
        if text != case.defined:
            return f"{case.name}:\n{text}"
        # The controllers of one type stand together the second time, as in libvirtd.
        again = formatDomain(complete(definition, self.capabilities), inactive=True, secure=True)
        if case.name in RENUMBERED:
            return None
        if sorted(again.split("\n")) != sorted(text.split("\n")):
            return f"{case.name}: changes when it is completed again"
        return None

    def test_completed(self) -> None:
        """A document becomes what libvirtd makes of it, and stays so; what it refuses is refused."""
        wrong = [text for case in cases() if (text := self.wrong(case)) is not None]
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_arguments(self) -> None:
        """A completed definition has libvirt's arguments, in libvirt's order."""
        wrong = []
        for case in cases():
            if case.argv is None or case.name in HOST_MODELS:
                continue
            definition = complete(parseDomain(case.xml), self.capabilities)
            definition = chooseFirmware(definition, DESCRIPTORS)
            line = commandLine(
                definition, self.capabilities, settings(definition.name), now=1795899549
            )
            if masked(line.argv) != masked(case.argv) or line.environment != case.environment:
                wrong.append(f"{case.name}:\n{masked(line.argv)}\n{masked(case.argv)}")
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_startRefused(self) -> None:
        """What the binary, or several devices at once, rule out is refused when the guest would start."""
        wrong = []
        for case in cases():
            if case.argvError is None or OF_THE_HOST.search(case.argvError[2]):
                continue
            definition = complete(parseDomain(case.xml), self.capabilities)
            try:
                commandLine(
                    chooseFirmware(definition, DESCRIPTORS),
                    self.capabilities,
                    settings(definition.name),
                )
            except VirtError as error:
                if said(error) != case.argvError:
                    wrong.append(f"{case.name}: {said(error)} not {case.argvError}")
            else:
                wrong.append(f"{case.name}: not refused: {case.argvError}")
        self.assertEqual(wrong, [], "\n".join(wrong))


class FirmwareTests(SynchronousTestCase):
    """Which firmware a guest has."""

    def test_chosen(self) -> None:
        """Once a firmware is chosen, what runs names it and leaves no choice."""
        case = next(each for each in cases() if each.name == "plain35")
        xml = case.xml.replace("<os>", "<os firmware='efi'>")
        definition = complete(parseDomain(xml), capabilities())
        chosen = chooseFirmware(definition, DESCRIPTORS).os
        self.assertEqual(definition.os.firmware, "efi")
        self.assertIsNone(chosen.firmware)
        assert chosen.loader is not None
        self.assertEqual(chosen.loader.path, "/usr/share/OVMF/OVMF_CODE_4M.ms.fd")


class PlacesTests(SynchronousTestCase):
    """Descriptors and secrets have places in the arguments."""

    def test_placed(self) -> None:
        """The numbers of descriptors go where their names stand, in JSON too."""
        case = next(each for each in cases() if each.name == "if0")
        made = capabilities()
        host = settings("x")
        line = commandLine(complete(parseDomain(case.xml), made), made, host)
        where = [word for word in line.argv if place("tap-net0-0") in word]
        self.assertEqual(len(where), 1)
        placed = line.placed({"tap-net0-0": 7})
        self.assertEqual(
            [json.loads(word)["fd"] for word in placed if word.startswith('{"type":"tap"')], ["7"]
        )

    def test_missing(self) -> None:
        """A number that is not there is an error."""
        case = next(each for each in cases() if each.name == "if0")
        made = capabilities()
        line = commandLine(complete(parseDomain(case.xml), made), made, settings("x"))
        self.assertRaises(KeyError, line.placed, {})


class AfterwardsTests(SynchronousTestCase):
    """What the command line has no words for is told through the monitor."""

    def test_limits(self) -> None:
        """Limits of throughput are set for the part of a disk that does the work."""
        case = next(each for each in cases() if each.name == "iotune")
        definition = withAliases(complete(parseDomain(case.xml), capabilities()))
        first, second = afterwards(definition)
        self.assertEqual(first[0], "block_set_io_throttle")
        self.assertEqual(first[1]["id"], "/machine/peripheral/virtio-disk0/virtio-backend")
        self.assertEqual(
            (first[1]["bps"], first[1]["bps_max"], first[1]["bps_max_length"]), (1000, 2000, 3)
        )
        self.assertEqual((first[1]["iops"], first[1]["iops_size"], first[1]["iops_rd"]), (50, 7, 0))
        self.assertNotIn("group", first[1])
        self.assertEqual((second[1]["group"], second[1]["iops_wr"]), ("g", 50))

    def test_link(self) -> None:
        """A link that is down is taken down."""
        xml = next(each for each in cases() if each.name == "if0").xml
        xml = xml.replace("</interface>", "<link state='down'/></interface>")
        definition = withAliases(complete(parseDomain(xml), capabilities()))
        self.assertEqual(afterwards(definition), [("set_link", {"name": "net0", "up": False})])


class CacheTests(SynchronousTestCase):
    """What a binary can do goes through a cache."""

    def test_json(self) -> None:
        """The values come back the same."""
        made = capabilities()
        text = json.dumps(made.toJSON())
        self.assertEqual(BinaryCapabilities.fromJSON(json.loads(text)), made)


class BelowTests(SynchronousTestCase):
    """Images that a disk is laid over are looked at as its own."""

    def said(self, top: str, below: str) -> str:
        """Return what is wrong with a disk; nothing is the empty text."""
        text = (
            "<domain type='qemu'><name>a</name><uuid>11111111-2222-3333-4444-555555555555</uuid>"
            "<memory>65536</memory><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
            f"<disk type='file' device='disk'><driver type='{top}'/><source file='/a'/>{below}"
            "<target dev='vda' bus='virtio'/></disk></devices></domain>"
        )
        try:
            definition = complete(parseDomain(text), capabilities())
            validate(definition, capabilities())
            commandLine(definition, capabilities(), settings("a"))
        except VirtError as error:
            self.assertEqual(error.code, ErrorCode.CONFIG_UNSUPPORTED)
            return str(error).removeprefix("unsupported configuration: ")
        return ""

    def test_refused(self) -> None:
        """What libvirtd 9.0.0 refuses of them, at any depth."""
        lower = "<backingStore type='{}'><format type='{}'/>{}{}</backingStore>"
        file, end = "<source file='/b'/>", "<backingStore/>"
        key = (
            "<source file='/b'><encryption format='{}'><secret type='passphrase' "
            "uuid='11111111-2222-3333-4444-555555555556'/></encryption></source>"
        )
        for kind, form, source, said in (
            ("file", "qcow2", file, ""),
            ("file", "cow", file, "'cow' storage format is not supported"),
            (
                "dir",
                "qcow2",
                "<source dir='/d'/>",
                "storage type 'dir' requires use of storage format 'fat'",
            ),
            ("file", "raw", key.format("qcow"), "old qcow/qcow2 encryption is not supported"),
            (
                "file",
                "qed",
                key.format("luks"),
                "encryption is supported only with 'raw' and 'qcow2' image format",
            ),
            (
                "file",
                "raw'><metadata_cache><max_size>9</max_size></metadata_cache></format><format type='raw",
                file,
                "metadata cache max size control is supported only with qcow2 images",
            ),
        ):
            one = lower.format(kind, form, source, end)
            self.assertEqual(self.said("qcow2", one), said)
            self.assertEqual(self.said("qcow2", lower.format("file", "qcow2", file, one)), said)

    def test_flat(self) -> None:
        """Some formats are laid over nothing."""
        below = "<backingStore type='file'><format type='raw'/><source file='/b'/></backingStore>"
        for form in ("raw", "vdi", "vpc", "dmg", "cloop", "bochs"):
            said = f"storage format '{form}' does not support backing store"
            self.assertEqual(self.said(form, below), said)
        for form in ("qcow2", "qcow", "qed", "vmdk"):
            self.assertEqual(self.said(form, below), "")
