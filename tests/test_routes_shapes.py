"""
Tests for L{pyvirt.routes.table}: the shapes that procedures give to arguments and answers.

Each answer is also encoded as the wire will, which fails if its shape is wrong.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.interface import InterfaceClass

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import (
    DomainDiskError,
    DomainMemoryStat,
    DomainRef,
    MigrationBegun,
    MigrationFinished,
    MigrationPrepared,
    NodeCPUMap,
    NodeCPUStat,
    NodeDeviceRef,
    NodeInfo,
    SecretRef,
    SecurityLabel,
    SecurityModel,
    StoragePoolRef,
    StorageVolRef,
    TypedParam,
    VcpuInfo,
    VcpuPlacement,
)
from pyvirt.errors import InvalidArgument, NotSupported, VirtError, virtError
from pyvirt.protocols.programs.lxc import PROGRAM as LXC
from pyvirt.protocols.programs.qemu import PROGRAM as QEMU
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from pyvirt.routes import DescriptorAnswer, Router, StreamAnswer

DOMAIN = DomainRef("web1", b"\x01" * 16, 7)
LIMIT = TypedParam("hard_limit", c.VIR_TYPED_PARAM_ULLONG, 2048)
MODE = TypedParam("mode", c.VIR_TYPED_PARAM_STRING, "strict")


class Recorder:
    """A connection whose every operation answers the same and remembers what it was asked."""

    uri = "record:///"

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    def component(self, interface: InterfaceClass) -> object:
        """Return this very object."""
        return self

    def isSecure(self) -> bool:
        """Return True."""
        return True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def operation(*arguments: Any) -> Any:
            self.asked.append((name, arguments))
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return operation


class ShapeTests(SynchronousTestCase):
    def ask(
        self,
        name: str,
        answer: Any,
        *arguments: Any,
        fds: tuple[int, ...] = (),
        program: Any = REMOTE,
        inDaemon: bool = True,
    ) -> Any:
        """
        Call a procedure of a driver that answers C{answer}; keep what the driver was asked in C{asked}.
        """
        procedure = program.byName[name]
        procedure.argumentCodec.encode(arguments)
        recorder = Recorder(answer)
        router = Router(recorder, inDaemon=inDaemon)  # type: ignore[arg-type]
        result = router.call(procedure, arguments, fds)
        plain = result
        if isinstance(result, StreamAnswer | DescriptorAnswer):
            plain = result.value
        procedure.resultCodec.encode(() if procedure.result is None else (plain,))
        if procedure.result is None:
            self.assertIsNone(plain)
        self.asked = recorder.asked[0] if recorder.asked else None
        return result

    def test_typedParametersInTwoSteps(self) -> None:
        """
        With no room the number is told, strings included; with room the parameters that the caller knows.
        """
        both = [LIMIT, MODE]
        name = "domainGetMemoryParameters"
        self.assertEqual(([], 2), self.ask(name, both, DOMAIN, 0, 0))
        self.assertEqual(([LIMIT], 0), self.ask(name, both, DOMAIN, 16, 0))
        self.assertEqual((name, (DOMAIN, 4)), self.asked)
        self.assertEqual((both, 0), self.ask(name, both, DOMAIN, 16, 4))
        self.assertEqual(([LIMIT], 0), self.ask(name, both, DOMAIN, 1, 5))
        self.assertEqual((name, (DOMAIN, 5)), self.asked)

    def test_parameterOrder(self) -> None:
        """
        Wherever the number of parameters stands among the arguments, the driver does not see it.
        """
        self.ask("domainGetBlockIoTune", [], DOMAIN, "vda", 0, 0)
        self.assertEqual(("domainGetBlockIoTune", (DOMAIN, "vda", 4)), self.asked)
        self.ask("nodeGetMemoryParameters", [], 0, 0)
        self.assertEqual(("nodeGetMemoryParameters", (4,)), self.asked)

    def test_scheduler(self) -> None:
        """
        The scheduler's parameters come without their number, and the older call means the domain as it is.
        """
        weight = TypedParam("weight", c.VIR_TYPED_PARAM_UINT, 50)
        old = self.ask("domainGetSchedulerParameters", [weight, LIMIT], DOMAIN, 1)
        self.assertEqual([weight], old)
        self.assertEqual(("domainGetSchedulerParametersFlags", (DOMAIN, 0)), self.asked)
        self.ask("domainSetSchedulerParameters", None, DOMAIN, [weight])
        self.assertEqual(("domainSetSchedulerParametersFlags", (DOMAIN, [weight], 0)), self.asked)

    def test_nodeStatistics(self) -> None:
        """
        Counters of the host are read in two steps too.
        """
        stats = [NodeCPUStat("user", 5), NodeCPUStat("idle", 6)]
        self.assertEqual(([], 2), self.ask("nodeGetCPUStats", stats, -1, 0, 0))
        self.assertEqual((stats, 0), self.ask("nodeGetCPUStats", stats, -1, 16, 0))
        self.assertEqual(("nodeGetCPUStats", (-1, 0)), self.asked)

    def test_cpuStatistics(self) -> None:
        """
        Statistics of several CPUs come in one list, with the number that each has; else only numbers.
        """
        cpu = TypedParam("cpu_time", c.VIR_TYPED_PARAM_ULLONG, 1)
        vcpu = TypedParam("vcpu_time", c.VIR_TYPED_PARAM_ULLONG, 2)
        answer = [[cpu, vcpu], [cpu, vcpu]]
        name = "domainGetCPUStats"
        self.assertEqual(([], 2), self.ask(name, answer, DOMAIN, 0, 5, 0, 0))
        self.assertEqual((name, (DOMAIN, 0, 0, 4)), self.asked)
        self.assertEqual(([], 2), self.ask(name, answer[:1], DOMAIN, 0, 0, 1, 0))
        self.assertEqual(([cpu, vcpu, cpu, vcpu], 2), self.ask(name, answer, DOMAIN, 3, 0, 2, 0))
        self.assertEqual(([cpu, cpu], 1), self.ask(name, answer, DOMAIN, 1, 0, 2, 0))
        self.assertEqual((name, (DOMAIN, 0, 2, 4)), self.asked)

    def test_vcpus(self) -> None:
        """
        Virtual CPUs fill the room that the caller has, and empty bit maps the rest of it.
        """
        info = [VcpuInfo(0, 1, 10, 3), VcpuInfo(1, 1, 20, -1)]
        placement = VcpuPlacement(info, [b"\x0f", b"\x01\x02\x03"])
        self.assertEqual(
            (info, b"\x0f\0\x01\x02\0\0\0\0"),
            self.ask("domainGetVcpus", placement, DOMAIN, 4, 2),
        )
        self.assertEqual(("domainGetVcpus", (DOMAIN,)), self.asked)
        self.assertEqual((info[:1], b""), self.ask("domainGetVcpus", placement, DOMAIN, 1, 0))

    def test_pinning(self) -> None:
        """
        Bit maps of CPUs are cut and filled to the length asked for.
        """
        maps = [b"\x03", b"\x0c\x01"]
        self.assertEqual(
            (b"\x03\0\x0c\x01\0\0", 2), self.ask("domainGetVcpuPinInfo", maps, DOMAIN, 3, 2, 0)
        )
        self.assertEqual((b"\x03", 1), self.ask("domainGetVcpuPinInfo", maps, DOMAIN, 1, 1, 0))
        self.assertEqual(
            (b"\x0c\x01\0", 1), self.ask("domainGetEmulatorPinInfo", b"\x0c\x01", DOMAIN, 3, 0)
        )

    def test_hugeMap(self) -> None:
        """
        A bit map that could not be sent is not made.
        """
        error = self.assertRaises(
            VirtError, self.ask, "domainGetEmulatorPinInfo", b"\x01", DOMAIN, 8388609, 0
        )
        self.assertEqual((39, "Unable to encode message payload"), (error.code, str(error)))

    def test_cpuMap(self) -> None:
        """
        Of the host's CPUs only what is asked for is told, except how many there are.
        """
        cpus = NodeCPUMap(b"\x07", 3, 8)
        self.assertEqual((b"\x07", 3, 8), self.ask("nodeGetCPUMap", cpus, 1, 1, 0))
        self.assertEqual((b"", 0, 8), self.ask("nodeGetCPUMap", cpus, 0, 0, 0))

    def test_characters(self) -> None:
        """
        Text in character arrays ends in a NUL, and fills those of a fixed size.
        """
        info = NodeInfo("x86_64", 1024, 4, 2400, 1, 1, 4, 1)
        result = self.ask("nodeGetInfo", info)
        self.assertEqual(b"x86_64".ljust(32, b"\0"), result[0])
        self.assertEqual(info[1:], tuple(result[1:]))
        long = self.ask("nodeGetInfo", info._replace(model="x" * 40))
        self.assertEqual(b"x" * 31 + b"\0", long[0])
        self.assertEqual(
            (b"selinux\0", b"0\0"), self.ask("nodeGetSecurityModel", SecurityModel("selinux", "0"))
        )
        label = SecurityLabel(b"system_u", 1)
        self.assertEqual((b"system_u\0", 1), self.ask("domainGetSecurityLabel", label, DOMAIN))
        self.assertEqual(
            ([(b"system_u\0", 1)], 1), self.ask("domainGetSecurityLabelList", [label], DOMAIN)
        )

    def test_swallowedError(self) -> None:
        """
        A daemon answers the list of security labels with -1 where a library reports the error.
        """
        error = virtError(42, "gone", 12)
        name = "domainGetSecurityLabelList"
        self.assertEqual(([], -1), self.ask(name, error, DOMAIN))
        self.assertRaises(VirtError, self.ask, name, error, DOMAIN, inDaemon=False)

    def test_limitsAreTheDaemons(self) -> None:
        """
        The limits of a reply do not bind a library that opens the driver itself.
        """
        name = "connectListDefinedDomains"
        self.assertRaises(VirtError, self.ask, name, [DOMAIN], 20000)
        self.assertEqual(["web1"], self.ask(name, [DOMAIN], 20000, inDaemon=False))

    def test_lists(self) -> None:
        """
        One list of everything answers numbers, names, ids and lists.
        """
        other = DomainRef("web2", b"\x02" * 16, 9)
        both = [DOMAIN, other]
        self.assertEqual((both, 2), self.ask("connectListAllDomains", both, 1, 3))
        self.assertEqual(("connectListAllDomains", (3,)), self.asked)
        self.assertEqual(([], 2), self.ask("connectListAllDomains", both, 0, 3))
        self.assertEqual(2, self.ask("connectNumOfDomains", both))
        self.assertEqual(("connectListAllDomains", (1,)), self.asked)
        self.assertEqual([7], self.ask("connectListDomains", both, 1))
        self.assertEqual(["web1", "web2"], self.ask("connectListDefinedDomains", both, 5))
        self.assertEqual(("connectListAllDomains", (2,)), self.asked)

    def test_otherLists(self) -> None:
        """
        Networks, pools and interfaces number their active ones otherwise than domains.
        """
        for name in ("connectListNetworks", "connectListStoragePools", "connectListInterfaces"):
            self.ask(name, [], 1)
            assert self.asked is not None
            self.assertEqual((2,), self.asked[1], name)
        secret = SecretRef(bytes(range(16)), 0, "")
        self.assertEqual(
            ["00010203-0405-0607-0809-0a0b0c0d0e0f"], self.ask("connectListSecrets", [secret], 5)
        )
        pool = StoragePoolRef("default", bytes(16))
        volume = StorageVolRef("default", "disk", "/disk")
        self.assertEqual(["disk"], self.ask("storagePoolListVolumes", [volume], pool, 5))
        self.assertEqual(("storagePoolListAllVolumes", (pool, 0)), self.asked)

    def test_nodeDevices(self) -> None:
        """
        A capability's name becomes its flag; an unknown one has no devices; flags there are none.
        """
        devices = [NodeDeviceRef("pci_1"), NodeDeviceRef("pci_2")]
        self.assertEqual(2, self.ask("nodeNumOfDevices", devices, None, 0))
        self.assertEqual(("connectListAllNodeDevices", (0,)), self.asked)
        self.assertEqual(["pci_1"], self.ask("nodeListDevices", devices, "pci", 1, 0))
        self.assertEqual(("connectListAllNodeDevices", (2,)), self.asked)
        self.assertEqual(0, self.ask("nodeNumOfDevices", devices, "nonsense", 0))
        self.assertRaises(InvalidArgument, self.ask, "nodeNumOfDevices", devices, None, 1)
        self.assertEqual(3, self.ask("nodeDeviceNumOfCaps", ["a", "b", "c"], "pci_1"))
        self.assertEqual(["a"], self.ask("nodeDeviceListCaps", ["a", "b"], "pci_1", 1))

    def test_cutLists(self) -> None:
        """
        Statistics and errors are cut to the room there is; with no room at all the errors are counted.
        """
        stats = [DomainMemoryStat(6, 1), DomainMemoryStat(7, 2)]
        self.assertEqual(stats[:1], self.ask("domainMemoryStats", stats, DOMAIN, 1, 0))
        errors = [DomainDiskError("vda", 1), DomainDiskError("vdb", 2)]
        self.assertEqual(([], 2), self.ask("domainGetDiskErrors", errors, DOMAIN, 0, 0))
        self.assertEqual((errors[:1], 1), self.ask("domainGetDiskErrors", errors, DOMAIN, 1, 0))

    def test_olderCalls(self) -> None:
        """
        Older calls are newer ones with what they meant.
        """
        cases: list[tuple[str, tuple[Any, ...], str, tuple[Any, ...]]] = [
            ("domainCreate", (DOMAIN,), "domainCreateWithFlags", (DOMAIN, 0, [])),
            ("domainDestroy", (DOMAIN,), "domainDestroyFlags", (DOMAIN, 0)),
            ("domainSave", (DOMAIN, "f"), "domainSaveFlags", (DOMAIN, "f", None, 0)),
            ("domainCoreDump", (DOMAIN, "f", 2), "domainCoreDumpWithFormat", (DOMAIN, "f", 0, 2)),
            ("domainAttachDevice", (DOMAIN, "x"), "domainAttachDeviceFlags", (DOMAIN, "x", 1)),
            ("domainSetMaxMemory", (DOMAIN, 9), "domainSetMemoryFlags", (DOMAIN, 9, 4)),
            ("domainSetMemory", (DOMAIN, 9), "domainSetMemoryFlags", (DOMAIN, 9, 1)),
            ("domainSetVcpus", (DOMAIN, 2), "domainSetVcpusFlags", (DOMAIN, 2, 1)),
            ("nodeDeviceDettach", ("pci",), "nodeDeviceDetachFlags", ("pci", None, 0)),
        ]
        for name, arguments, method, expected in cases:
            self.ask(name, None, *arguments)
            self.assertEqual((method, expected), self.asked)
        self.assertEqual(4, self.ask("domainGetMaxVcpus", 4, DOMAIN))
        self.assertEqual(("domainGetVcpusFlags", (DOMAIN, 5)), self.asked)

    def test_descriptorsIn(self) -> None:
        """
        Descriptors that come with a call are the method's last argument; without, there are none.
        """
        self.ask("domainCreateXMLWithFiles", DOMAIN, "<domain/>", 0, fds=(5, 6))
        self.assertEqual(("domainCreateXML", ("<domain/>", 0, [5, 6])), self.asked)
        self.ask("domainCreateXML", DOMAIN, "<domain/>", 0)
        self.assertEqual(("domainCreateXML", ("<domain/>", 0, [])), self.asked)

    def test_descriptorsOut(self) -> None:
        """
        Descriptors that go with a reply are beside the result.
        """
        graphics = self.ask("domainOpenGraphicsFD", 5, DOMAIN, 0, 0)
        self.assertEqual(DescriptorAnswer(None, [5]), graphics)
        spaces = self.ask("domainOpenNamespace", [5, 6], DOMAIN, 0, program=LXC)
        self.assertEqual(DescriptorAnswer(None, [5, 6]), spaces)
        command = self.ask(
            "domainMonitorCommandWithFiles", ("{}", [7]), DOMAIN, "x", 0, fds=(4,), program=QEMU
        )
        self.assertEqual(DescriptorAnswer("{}", [7]), command)
        self.assertEqual(("domainQemuMonitorCommandWithFiles", (DOMAIN, "x", 0, [4])), self.asked)

    def test_streams(self) -> None:
        """
        Streams are beside the result, too.
        """
        stream = object()
        self.assertEqual(
            StreamAnswer(None, stream), self.ask("domainOpenConsole", stream, DOMAIN, None, 0)
        )
        self.assertEqual(
            StreamAnswer("image/png", stream),
            self.ask("domainScreenshot", ("image/png", stream), DOMAIN, 0, 0),
        )

    def test_migration(self) -> None:
        """
        The fixed parameters of the third migration protocol become typed ones; absent ones are left out.
        """
        begun = MigrationBegun(b"cookie", "<domain/>")
        self.assertEqual(begun, self.ask("domainMigrateBegin3", begun, DOMAIN, None, 1, "new", 0))
        name = TypedParam("destination_name", c.VIR_TYPED_PARAM_STRING, "new")
        self.assertEqual(("domainMigrateBegin3Params", (DOMAIN, [name], 1)), self.asked)
        prepared = MigrationPrepared(b"", "tcp:host")
        self.ask("domainMigratePrepare3", prepared, b"in", "tcp:x", 1, None, 5, "<domain/>")
        assert self.asked is not None
        params, cookie, flags = self.asked[1]
        self.assertEqual((b"in", 1), (cookie, flags))
        self.assertEqual(
            {"migrate_uri": "tcp:x", "destination_xml": "<domain/>", "bandwidth": 5},
            {param.field: param.value for param in params},
        )
        finished = MigrationFinished(DOMAIN, b"")
        self.ask("domainMigrateFinish3", finished, "new", b"", None, None, 1, 0)
        self.assertEqual(("domainMigrateFinish3Params", ([name], b"", 1, 0)), self.asked)
        self.ask("domainMigratePerform3", b"", DOMAIN, None, b"", "qemu:///", "tcp:x", 1, None, 0)
        uri = TypedParam("migrate_uri", c.VIR_TYPED_PARAM_STRING, "tcp:x")
        self.assertEqual(
            ("domainMigratePerform3Params", (DOMAIN, "qemu:///", [uri], b"", 1)), self.asked
        )
        self.ask("domainMigrateConfirm3", None, DOMAIN, b"", 1, 1)
        self.assertEqual(("domainMigrateConfirm3Params", (DOMAIN, [], b"", 1, 1)), self.asked)

    def test_oldMigration(self) -> None:
        """
        The first two migration protocols are refused without asking the driver.
        """
        error = self.assertRaises(
            NotSupported, self.ask, "domainMigratePrepare", None, None, 0, None, 0
        )
        self.assertIn("virDomainMigratePrepare", str(error))

    def test_secure(self) -> None:
        """
        The connection itself tells whether it is secure.
        """
        self.assertIs(True, self.ask("connectIsSecure", None))
