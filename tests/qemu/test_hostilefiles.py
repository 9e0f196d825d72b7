"""
What a daemon finds on disk when it starts is not what it wrote: it starts all the same, and loses nothing else.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.drivers.interfaces.checkpoints import IDomainCheckpoints
from pyvirt.drivers.interfaces.snapshots import IDomainSnapshots
from pyvirt.drivers.qemu.blockfacts import fileSizes
from pyvirt.drivers.qemu.conf import QEMUConfig
from pyvirt.drivers.qemu.files import openWritten
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.layout import Layout
from pyvirt.drivers.qemu.memorystream import readMemory
from pyvirt.drivers.qemu.reconnecting import findAgain, loadDefinitions
from pyvirt.drivers.qemu.saveimage import SaveImage, openImage, readImage, writeHeader
from pyvirt.errors import ErrorCode, VirtError
from tests.qemu.test_faultsduring import World

_BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d SYSTEM "file:///etc/passwd">]><domain>&c;&d;</domain>"""


def spoilt(data: bytes) -> Iterator[bytes]:
    """Iterate over what might be there instead of a file."""
    yield b""
    for part in range(1, 12):
        yield data[: len(data) * part // 12]
    yield data + data
    yield data[::-1]
    yield b"\0" * len(data)
    yield b"\xff\xfe" + data
    yield data.replace(b"<", b"<\x80", 3)
    yield b"<a>" * 5000
    yield _BOMB
    yield data.replace(b"'g'", b"'../../x'").replace(b"<name>g<", b"<name>../../x<")
    yield data.replace(b"<name>g<", b"<name>other<")
    numbers = [each.span() for each in re.finditer(rb"(?<=[='\">])\d+(?=['\"<])", data)]
    for begin, end in numbers[:: max(1, len(numbers) // 14)]:
        for number in (b"-1", b"99999999999999999999", b"x", b""):
            yield data[:begin] + number + data[end:]
    words = [each.span(1) for each in re.finditer(rb"<(\w+)", data)]
    for begin, end in words[:: max(1, len(words) // 14)]:
        yield data[:begin] + b"nonsense" + data[end:]


class _Gone:
    """Finds no process that an earlier daemon has started."""

    def adopt(self, pid: int, started: int | None) -> None:
        """There is none."""


class HostileFileTests(SynchronousTestCase):
    """Files that somebody else has written, or half of them."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())

    def start(self, binaries: Any) -> Hypervisor:
        """Have a daemon start."""
        hypervisor = Hypervisor(
            reactor=Clock(),
            processes=_Gone(),  # type: ignore[arg-type]
            layout=Layout.of(self.folder, True, {}),
            config=QEMUConfig(user=os.getuid(), group=os.getgid()),
            privileged=False,
            connect=lambda path, protocol: Deferred(),
        )
        hypervisor.binaries = binaries
        loadDefinitions(hypervisor)
        self.successResultOf(Deferred.fromCoroutine(findAgain(hypervisor)))
        return hypervisor

    def test_definitions(self) -> None:
        """Definitions, states of guests, snapshots and checkpoints: others are found, and what is wrong stays."""
        world = World(self.folder)
        world.clock.advance(
            1
        )  # a checkpoint of the first moment of 1970 is written without its time
        for family, name, xml in (
            (
                IDomainCheckpoints,
                "domainCheckpointCreateXML",
                "<domaincheckpoint><name>k</name></domaincheckpoint>",
            ),
            (
                IDomainSnapshots,
                "domainSnapshotCreateXML",
                "<domainsnapshot><name>s</name></domainsnapshot>",
            ),
        ):
            result = world.call(family, name, (xml, 0))
            world.wait(result)
        world.hypervisor.store.saveDefinition(world.domain.persistentDefinition)
        world.hypervisor.saveStatus(world.domain)
        layout = world.hypervisor.layout
        paths = [
            layout.definition("g"),
            layout.status("g"),
            f"{layout.lib}/snapshot/g/s.xml",
            f"{layout.lib}/checkpoint/g/k.xml",
        ]
        kept = {}
        for path in paths:
            with open(path, "rb") as file:
                kept[path] = file.read()
        found = self.start(world)
        domain: Any = found.domains.named("g")
        self.assertEqual(len(list(domain.snapshots)), 1)
        self.assertEqual(len(list(domain.checkpoints)), 1)
        problems = []
        for path in paths:
            for number, data in enumerate(spoilt(kept[path])):
                for each, whole in kept.items():
                    os.makedirs(os.path.dirname(each), exist_ok=True)
                    with open(each, "wb") as file:
                        file.write(data if each == path else whole)
                try:
                    found = self.start(world)
                except Exception as problem:
                    problems.append(f"{path} {number} {data[:80]!r}: {problem!r}")
                    continue
                problems += [
                    f"{path} {number} {data[:80]!r}: logged {each.getTraceback()[-600:]}"
                    for each in self.flushLoggedErrors()
                ]
                if path != layout.definition("g") and found.domains.named("g") is None:
                    problems.append(f"{path} {number}: the definition is lost")
                if not os.path.exists(path) and path != layout.status("g"):
                    problems.append(f"{path} {number}: it is lost")
        self.assertEqual(problems, [], "\n".join(problems))
        shutil.rmtree(self.folder)

    def test_savedGuests(self) -> None:
        """Of a file that is no saved guest no more is read than the head, and it is refused with an error."""
        os.makedirs(self.folder)
        path = f"{self.folder}/save"
        with open(path, "wb") as file:
            image = SaveImage(xml="<domain/>", ran=True, compression="raw", length=0)
            writeHeader(file.fileno(), image, whole=True)
        with open(path, "rb") as file:
            whole = file.read()
        fd = openImage(path)
        self.assertEqual(readImage(fd).xml, "<domain/>")
        os.close(fd)
        for at in range(40):
            for value in (0, 1, 0x7F, 0xFF):
                for size in (len(whole), 92, 96, at):
                    data = bytearray(whole[:size])
                    if at < len(data):
                        data[at] = value
                    with open(path, "wb") as file:
                        file.write(data)
                    fd = openImage(path)
                    try:
                        found = readImage(fd)
                    except VirtError as error:
                        self.assertEqual(error.code, ErrorCode.OPERATION_FAILED, error)
                    else:
                        self.assertLessEqual(len(found.xml), len(whole))
                    finally:
                        os.close(fd)

    def test_pipes(self) -> None:
        """Where there is a pipe to which nobody writes, or something else that is no file, nobody waits."""
        os.makedirs(self.folder)
        pipe, link, file = (f"{self.folder}/{name}" for name in ("pipe", "link", "file"))
        os.mkfifo(pipe)
        os.symlink(file, link)
        with open(file, "w") as made:
            made.write("x")
        fd = openImage(pipe)
        self.addCleanup(os.close, fd)
        self.assertRaises(VirtError, readImage, fd)
        for path in (pipe, link, self.folder):
            self.assertRaises(OSError, openWritten, path)
        found = openWritten(file)
        self.addCleanup(os.close, found)
        self.assertEqual(os.read(found, 2), b"x")
        self.assertRaises(VirtError, fileSizes, pipe)

    def test_kinds(self) -> None:
        """Hosts of the other kind write numbers the other way round; a way of compressing need not be known to read on."""
        os.makedirs(self.folder)
        path = f"{self.folder}/save"
        swapped = struct.pack(
            ">16s5I56x", b"LibvirtQemudSave", 2, 16, 1, 9, 0
        ) + b"<domain/>".ljust(16, b"\0")
        for data, expected in (
            (swapped, ""),
            (
                swapped[:16] + b"\xff" + swapped[17:],
                "image version is not supported (-16777214 > 2)",
            ),
            (
                swapped[:16] + b"\xff\0\0\0" + swapped[20:],
                "image version is not supported (-16777216 > 2)",
            ),
        ):
            with open(path, "wb") as file:
                file.write(data)
            fd = openImage(path)
            self.addCleanup(os.close, fd)
            if expected:
                with self.assertRaises(VirtError) as caught:
                    readImage(fd)
                self.assertIn(expected, str(caught.exception))
            else:
                found = readImage(fd)
                self.assertEqual((found.xml, found.compression), ("<domain/>", "9"))
                reading = Deferred.fromCoroutine(readMemory(None, fd, "9").__aenter__())  # type: ignore[arg-type]
                error = self.failureResultOf(reading, VirtError).value
                self.assertIn("Invalid compressed save format 9", str(error))
