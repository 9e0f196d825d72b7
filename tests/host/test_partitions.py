"""
Tests for L{pyvirt.drivers.host.storage.partitions}: what C{parted} prints, and where partitions go.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.drivers.host.storage.partitions import (
    Gap,
    Partition,
    Table,
    partitionPath,
    readTable,
)
from pyvirt.errors import VirtError

_DOS = """\
Model: Some disk (file)
Disk /d: 67108864B
Sector size (logical/physical): 512B/512B
Partition Table: msdos
Disk Flags: cylinder_alignment

Number  Start      End        Size       Type      File system  Flags
        1024B      1048575B   1047552B             Free Space
 1      1048576B   9437183B   8388608B   primary   ext4         boot
 2      10485760B  62914559B  52428800B  extended               lba
        10486784B  11489279B  1002496B             Free Space
 5      11534336B  20971519B  9437184B   logical
        62914560B  67107839B  4193280B             Free Space

Disk /d: 257,0,1
BIOS cylinder,head,sector geometry: 257,255,2.  Each cylinder is 261kB.

Number  Start    End        Type      File system  Flags
 1      4,4,0    36,35,1    primary
"""


class TableTests(SynchronousTestCase):
    """What is on a disk."""

    def test_kinds(self) -> None:
        """
        Partitions are told by kind, gaps by whether they are in the extended one.
        """
        table = readTable(_DOS)
        self.assertEqual(
            table.partitions,
            (
                Partition(1, "primary", 1048576, 9437184),
                Partition(2, "extended", 10485760, 62914560),
                Partition(5, "logical", 11534336, 20971520),
            ),
        )
        self.assertEqual(
            table.gaps,
            (
                Gap(1024, 1048576, False),
                Gap(10486784, 11489280, True),
                Gap(62914560, 67107840, False),
            ),
        )
        self.assertEqual(table.cylinder, 255 * 2 * 512)

    def test_names(self) -> None:
        """
        A label without types has primary partitions only, whatever their names say.
        """
        text = (
            "Number  Start   End      Size    File system  Name      Flags\n"
            "        17408B  19455B   2048B   Free Space\n"
            " 1      19456B  29695B   10240B  extended     logical   legacy_boot\n"
            " 9      0B      19000B   19001B               false one behind a line's end\n"
            " 3      99B     10B      1B                   backwards\n"
            " 4      30000B  9999999999999999999B  1B      huge\n"
            " 5      -3B     40000B   1B                   negative\n"
        )
        table = readTable(text)
        self.assertEqual(table.partitions, (Partition(1, "primary", 19456, 29696),))
        self.assertEqual(table.gaps, (Gap(17408, 19456, False),))

    def test_nothing(self) -> None:
        """
        Where nothing is said, nothing is there.
        """
        for text in ("", "\n\n", "Number\n", "Error: junk\n 1 2\n"):
            self.assertEqual(readTable(text), Table())

    def test_room(self) -> None:
        """
        A partition goes into the smallest gap that has more room than it takes; one that just fits is too small.
        """
        gaps = (Gap(512, 5000, False), Gap(6000, 8000, False), Gap(9000, 10000, True))
        table = Table((), gaps, 1000)
        self.assertEqual(table.room(1000, False, False), (6000, 6999))
        self.assertEqual(table.room(2000, False, False), (512, 2511))
        self.assertEqual(table.room(500, True, False), (9512, 9499))
        self.assertEqual(table.room(500, False, True), (6000, 6999))
        for size, logical in ((4488, False), (1000, True), (1 << 70, False)):
            error = self.assertRaises(VirtError, table.room, size, logical, False)
            self.assertEqual(str(error), "internal error: no large enough free extent")

    def test_paths(self) -> None:
        """
        A partition is called what the disk is, by its own name, a C{p} between digits.
        """
        folder = os.path.realpath(self.mktemp())
        os.mkdir(folder)
        for name in ("sda", "loop0"):
            with open(f"{folder}/{name}", "w"):
                pass
        os.symlink("sda", f"{folder}/link1")
        self.assertEqual(partitionPath(f"{folder}/sda", 3, True), f"{folder}/sda3")
        self.assertEqual(partitionPath(f"{folder}/loop0", 3, False), f"{folder}/loop0p3")
        self.assertEqual(partitionPath(f"{folder}/link1", 3, False), f"{folder}/sda3")
