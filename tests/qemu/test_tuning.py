"""
Groups of processes in both forms of the kernel's interface, rules between limits, and what agents are believed.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import parseDomain
from pyvirt.definitions.domain._disk import IOTune
from pyvirt.definitions.netbits import Bandwidth, Limits
from pyvirt.drivers.qemu import cgrouplimits as limits
from pyvirt.drivers.qemu import guestinfo
from pyvirt.drivers.qemu.cgroups import (
    Cgroups,
    GuestGroup,
    findCgroups,
    groupName,
    partitionPath,
)
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.iotuning import merged
from pyvirt.drivers.qemu.pinning import bits, withVcpuPin
from pyvirt.drivers.qemu.placement import entering
from pyvirt.drivers.qemu.usedtimes import timesByCPU, usedTimes
from pyvirt.drivers.traffic import trafficCommands
from pyvirt.errors import VirtError
from tests.qemu.observations import capabilities

_FILES = {
    "cpu": {"cpu.shares": "1024", "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "-1"},
    "memory": {"memory.limit_in_bytes": "9223372036854771712"},
    "blkio": {"blkio.bfq.weight": "100", "blkio.throttle.read_iops_device": ""},
}
_UNIFIED = {
    "cpu.weight": "100",
    "cpu.max": "max 100000",
    "memory.max": "max",
    "memory.swap.max": "max",
}


class GroupTests(SynchronousTestCase):
    """Where guests' groups are, and how limits are written there."""

    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())
        os.makedirs(self.root)

    def write(self, files: dict[str, str], *parts: str) -> str:
        folder = os.path.join(self.root, *parts)
        os.makedirs(folder, exist_ok=True)
        for name, text in files.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        return folder

    def mounts(self, text: str) -> Cgroups:
        return findCgroups(os.path.join(self.write({"mounts": text}), "mounts"))

    def test_found(self) -> None:
        """
        Each hierarchy is found by its options, the last of two, and version 2 is preferred for what it has.
        """
        unified = self.write({"cgroup.controllers": "cpu io memory pids\n"}, "a b")
        place = unified.replace(" ", "\\040")
        found = self.mounts(
            "cgroup /x/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n"
            "cgroup /y/cpu cgroup rw,cpu 0 0\n"
            f"cgroup2 {place} cgroup2 rw 0 0\nproc /proc proc rw 0 0\nshort\n"
        )
        self.assertEqual(found.mounts, {})
        self.assertEqual(found.unified, unified)
        self.assertEqual(found.controllers, {"cpu", "cpuacct", "memory", "blkio"})
        self.assertEqual(found.roots(), [unified])

    def test_sideBySide(self) -> None:
        """Version 2 counts time wherever it has anything; where it has nothing it is left alone."""
        table = "cgroup /x/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\ncgroup2 {} cgroup2 rw 0 0\n"
        some = self.write({"cgroup.controllers": "hugetlb\n"}, "some")
        found = self.mounts(table.format(some))
        self.assertEqual(found.mounts, {"cpu": "/x/cpu,cpuacct"})
        self.assertEqual(found.controllers, {"cpuacct"})
        self.assertEqual(found.roots(), [some, "/x/cpu,cpuacct"])
        found = self.mounts(table.format(self.write({"cgroup.controllers": "\n"}, "none")))
        self.assertEqual((found.unified, found.controllers), (None, set()))
        self.assertEqual(set(found.mounts), {"cpu", "cpuacct"})

    def test_noThreads(self) -> None:
        """Without a controller that tells threads apart they have no groups, and guests enter their own."""
        unified = self.write({}, "bare")
        group = GuestGroup.make(
            Cgroups(unified=unified, controllers=frozenset(["cpuacct"])), "/machine", "g"
        )
        assert group is not None
        group.makeInner("vcpu0")
        self.assertEqual(os.listdir(os.path.join(unified, "machine/g")), [])
        self.assertEqual(group.entrances(), [os.path.join(unified, "machine/g/cgroup.procs")])

    def test_counted(self) -> None:
        """Version 2 counts microseconds, and not by processor."""
        self.write(
            {"cpu.stat": "usage_usec 70\nuser_usec 30\nsystem_usec 40\n"}, "all", "machine/g"
        )
        host = Cgroups(unified=os.path.join(self.root, "all"), controllers=frozenset(["cpuacct"]))
        group = GuestGroup.adopt(host, "/machine", "g")
        guest = Guest(1, self.root, self.root, capabilities())
        guest.group = group
        self.assertEqual(usedTimes(guest), (70000, 30000, 40000))
        error = self.assertRaises(VirtError, timesByCPU, group, [], 0, 0)
        self.assertIn("'cgroup V2'", str(error))

    def test_noPartition(self) -> None:
        """A partition that is not there is told otherwise than one that should have been above it."""
        unified = self.write({}, "bare")
        host = Cgroups(unified=unified, controllers=frozenset(["cpuacct"]))
        for partition, text in (
            ("/a", f"Failed to create v2 cgroup '{unified}/a.partition/': "),
            ("/a/b", f"Unable to read from '{unified}/a.partition/cgroup.controllers': "),
        ):
            error = self.assertRaises(VirtError, GuestGroup.make, host, partition, "g")
            self.assertEqual(str(error), f"{text}No such file or directory")

    def test_nothing(self) -> None:
        """Without any hierarchy there are no groups, and nothing fails."""
        for found in (self.mounts(""), findCgroups("/nonexistent")):
            self.assertEqual(found, Cgroups())
            self.assertIsNone(GuestGroup.make(found, "/machine", "g"))

    def test_names(self) -> None:
        """Names cannot be taken for files of the kernel's, and partitions are marked."""
        long = "a_b.c-d..e+f-.gverylongname" + "verylongname" * 5
        for name, machine in (
            ("a" * 30, f"qemu-3-{'a' * 30}"),
            ("-.a.-", "qemu-3-a"),
            (long, "qemu-3-ab.c-d.ef-gverylongname" + "verylongname" * 2 + "verylongna"),
        ):
            self.assertEqual(groupName(3, name), machine + ".libvirt-qemu")
        for given_, expected in (
            ("/machine", "machine"),
            ("/machine/a", "machine/a.partition"),
            ("/a/b.c", "a.partition/b.c"),
            ("/cpu.x/tasks", "_cpu.x/tasks.partition"),
            ("/.a/_b", "_.a/__b.partition"),
        ):
            self.assertEqual(partitionPath(given_), expected)

    def group(self, host: Cgroups, files: dict[str, dict[str, str]], path: str) -> GuestGroup:
        for name, content in files.items():
            self.write(content, name, path)
        group = GuestGroup.adopt(host, "/machine", os.path.basename(path))
        assert group is not None
        return group

    def test_first(self) -> None:
        """Version 1: each limit is a file of its own."""
        host = Cgroups(mounts={name: os.path.join(self.root, name) for name in _FILES})
        group = self.group(host, _FILES, "machine/g")
        self.assertEqual(limits.setCPUShares(group, 500), 500)
        limits.setBandwidth(group, 50000, 20000)
        self.assertEqual(limits.bandwidth(group), (50000, 20000))
        self.assertEqual(limits.memoryLimit(group, "hard_limit"), limits.UNLIMITED)
        limits.setMemoryLimit(group, "hard_limit", 5)
        self.assertEqual(limits.memoryLimit(group, "hard_limit"), 5)
        self.assertEqual(limits.setBlockWeight(group, 300), 300)
        for shares in (0, 1, 262145, 1 << 63):
            self.assertRaises(VirtError, limits.setCPUShares, group, shares)
        for period, quota in ((999, 0), (1000001, 0), (5000, 1), (0, 1 << 62)):
            self.assertRaises(VirtError, limits.setBandwidth, group, period, quota)
        self.assertEqual(limits.bandwidth(group), (50000, 20000))
        self.assertRaises(VirtError, limits.setMemoryLimit, group, "hard_limit", 1 << 60)
        self.assertRaises(VirtError, limits.memoryLimit, group, "soft_limit")
        for path in ("/dev/null", "/nonexistent", "/"):
            self.assertRaises(VirtError, limits.setBlockLimit, group, "readIops", path, 5)

    def test_second(self) -> None:
        """Version 2: the same limits in its own files and words."""
        root = os.path.join(self.root, "all")
        host = Cgroups(unified=root, controllers=frozenset(["cpu", "memory"]))
        group = self.group(host, {"all": _UNIFIED}, "machine/g")
        self.assertEqual(limits.setCPUShares(group, 9), 9)
        # More than 10000 is refused by the kernel, and 1 by us.
        for shares in (1, 262145):
            self.assertRaises(VirtError, limits.setCPUShares, group, shares)
        everything = 17592186044415
        self.assertEqual(limits.bandwidth(group), (100000, everything))
        limits.setBandwidth(group, 0, 5000)
        self.assertEqual(limits.bandwidth(group), (100000, 5000))
        limits.setBandwidth(group, 2000, -1)
        self.assertEqual(limits.bandwidth(group), (2000, everything))
        limits.setBandwidth(group, 0, 6000)
        limits.setBandwidth(group, 0, everything)
        self.assertEqual(limits.bandwidth(group), (2000, everything))
        self.assertEqual(limits.memoryLimit(group, "hard_limit"), limits.UNLIMITED)
        for name in ("swap_hard_limit", "hard_limit"):
            limits.setMemoryLimit(group, name, 7)
            self.assertEqual(limits.memoryLimit(group, name), 7)

    def test_made(self) -> None:
        """A guest's group is made in every hierarchy; one that nobody made is not made for a guest."""
        roots = {name: self.write({}, name) for name in ("cpu", "memory")}
        host = Cgroups(mounts=roots)
        group = GuestGroup.make(host, "/machine", "g")
        assert group is not None
        group.makeInner("vcpu0")
        self.assertTrue(os.path.isdir(os.path.join(roots["cpu"], "machine/g/vcpu0")))
        self.assertFalse(os.path.isdir(os.path.join(roots["memory"], "machine/g/vcpu0")))
        group.remove()
        self.assertFalse(os.path.exists(os.path.join(roots["cpu"], "machine/g")))
        self.assertRaises(VirtError, GuestGroup.make, host, "/other", "g")
        self.assertEqual(os.listdir(roots["cpu"]), ["machine"])

    def test_entered(self) -> None:
        """A guest's process enters its group itself, after what gets its leases; one that cannot goes on."""
        roots = {name: self.write({}, name) for name in ("cpu", "memory")}
        group = GuestGroup.make(Cgroups(mounts=roots), "/machine", "g")
        guest = Guest(1, self.root, self.root, capabilities())
        self.assertEqual(entering(guest), ())
        guest.group = group
        assert group is not None
        command = [*entering(guest), "echo", "one two", "--"]
        places = [os.path.join(roots[name], "machine/g") for name in roots]
        self.assertEqual(subprocess.run(command, capture_output=True).stdout, b"one two --\n")
        for place in (os.path.join(places[0], "emulator"), places[1]):
            with open(os.path.join(place, "cgroup.procs")) as file:
                self.assertEqual(file.read(), "0\n")
            os.unlink(file.name)
        group.remove()
        self.assertEqual([place for place in places if os.path.exists(place)], [])
        done = subprocess.run(command, capture_output=True)
        self.assertEqual((done.stdout, done.stderr), (b"one two --\n", b""))

    def test_unconfined(self) -> None:
        """Where only the devices of guests cannot be limited, all else still is."""
        root = self.write({}, "cpu")
        group = GuestGroup.make(
            Cgroups(mounts={"cpu": root, "devices": "/sys/kernel"}), "/machine", "g"
        )
        assert group is not None
        self.assertTrue(os.path.isdir(os.path.join(root, "machine/g")))
        self.assertIsNone(GuestGroup.make(Cgroups(mounts={"cpu": "/sys/kernel"}), "/machine", "g"))


class RuleTests(SynchronousTestCase):
    """Rules between what is set and what holds."""

    def test_families(self) -> None:
        """Who sets one limit of a family sets them all; others stay."""
        old = IOTune(read_iops_sec=5, write_iops_sec=6, total_bytes_sec=7, size_iops_sec=8)
        tune = merged({"read_iops_sec": 9}, old)
        self.assertEqual(
            (tune.read_iops_sec, tune.write_iops_sec, tune.total_bytes_sec, tune.size_iops_sec),
            (9, None, 7, 8),
        )

    def test_lengths(self) -> None:
        """A length that is taken away becomes a second where there is still a limit."""
        old = IOTune(read_iops_sec=5, read_iops_sec_max=9, read_iops_sec_max_length=3)
        taken = {"read_iops_sec_max_length": 0}
        self.assertEqual(merged(taken, old).read_iops_sec_max_length, 1)
        taken |= {"read_iops_sec": 0, "read_iops_sec_max": 0}
        self.assertEqual(merged(taken, old), IOTune())

    def test_bits(self) -> None:
        """Maps of CPUs name CPUs, and pins are kept in order."""
        self.assertEqual(bits(b"\x05\x01"), {0, 2, 8})
        definition = parseDomain(
            "<domain type='qemu'><name>g</name><memory>1</memory><vcpu>3</vcpu>"
            "<os><type>hvm</type></os></domain>"
        )
        for vcpu, cpus in ((2, {1}), (0, {0}), (2, {5})):
            definition = withVcpuPin(definition, vcpu, frozenset(cpus))
        assert definition.cputune is not None
        pins = [(pin.vcpu, pin.cpuset) for pin in definition.cputune.vcpupins]
        self.assertEqual(pins, [(0, {0}), (2, {5})])

    def test_traffic(self) -> None:
        """What a guest receives is shaped, what it sends is policed, and without limits neither is."""
        self.assertEqual(trafficCommands("tap0", Bandwidth()), [])
        both = trafficCommands(
            "tap0",
            Bandwidth(inbound=Limits(average=5, peak=9, burst=7), outbound=Limits(average=3)),
        )
        words = [" ".join(argv) for argv in both]
        self.assertIn("rate 5kbps ceil 9kbps burst 7kb", words[1])
        self.assertIn("police rate 3kbps burst 3kb", words[-1])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(['', 'x', '7']),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["user", "login-time", "zone", "offset", "name", "mountpoint", "type", "disk", "serial",
             "partition", "address", "pci-controller", "ip-addresses", "prefix", "host-name"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


class _Domain:
    """As much of a domain as answers are read with."""

    definition = parseDomain(
        "<domain type='qemu'><name>g</name><memory>1</memory><os><type>hvm</type></os><devices>"
        "<disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/>"
        "<address type='pci' domain='0' bus='5' slot='0' function='0'/></disk></devices></domain>"
    )


class AgentTests(SynchronousTestCase):
    """What an agent says is checked."""

    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(_JSON)
    def test_anything(self, reply: Any) -> None:
        """Whatever an agent says is either understood or refused, and what is understood can travel."""
        domain: Any = _Domain()
        for read in (
            guestinfo.usersOf,
            guestinfo.systemOf,
            guestinfo.zoneOf,
            guestinfo.hostnameOf,
            guestinfo.interfacesOf,
            lambda reply: guestinfo.fileSystemsOf(reply, domain),
            lambda reply: guestinfo.disksOf(reply, domain),
        ):
            try:
                found = read(reply)
            except VirtError:
                continue
            json.dumps([tuple(each) for each in found])

    def test_disks(self) -> None:
        """A disk is known by its place on the guest's buses."""
        domain: Any = _Domain()
        place = {"domain": 0, "bus": 5, "slot": 0, "function": 0}
        self.assertEqual(guestinfo.diskTargets(domain, {"pci-controller": place}), "vda")
        self.assertIsNone(guestinfo.diskTargets(domain, {"pci-controller": {**place, "bus": 6}}))
        self.assertIsNone(guestinfo.diskTargets(domain, None))
