"""
The test driver on its own: what is set is found again, where it should be, and refused where libvirt refuses.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pyvirt import constants as c
from pyvirt.drivers.blkio import deviceText, mergedDevices
from pyvirt.drivers.interfaces.consoles import IDomainConsoles
from pyvirt.drivers.interfaces.definition import IDomainDefinition
from pyvirt.drivers.interfaces.devices import IDomainDevices
from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.interfaces.guestagent import IDomainGuestAgent
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.interfaces.statistics import IDomainStatistics
from pyvirt.drivers.interfaces.streams import IStreamSink
from pyvirt.drivers.interfaces.tuning import IDomainTuning
from pyvirt.drivers.interfaces.values import ControlInfo, DomainRef, TypedParam
from pyvirt.drivers.test import TestDriver
from pyvirt.drivers.test.consoles import BytesSource, picture
from pyvirt.errors import InvalidArgument, VirtError
from pyvirt.uri import parseURI

_LIVE, _CONFIG = c.VIR_DOMAIN_AFFECT_LIVE, c.VIR_DOMAIN_AFFECT_CONFIG
_XML = """<domain type='test'><name>web</name><memory>1048576</memory><vcpu>2</vcpu>
<os><type>hvm</type></os><devices>
<disk type='file'><source file='/a'/><target dev='vda'/></disk>
<interface type='user'><target dev='net0'/></interface></devices></domain>"""


def ullong(name: str, value: int) -> TypedParam:
    return TypedParam(name, c.VIR_TYPED_PARAM_ULLONG, value)


def values(params: list[TypedParam]) -> dict[str, Any]:
    return {param.field: param.value for param in params}


class DriverCase(SynchronousTestCase):
    """
    A connection to a host of its own, with a domain that is defined and does not run.
    """

    def setUp(self) -> None:
        context = OpenContext(reactor=Clock())
        opened: Any = TestDriver().open(parseURI("test:///default"), context)
        self.connection = opened
        self.addCleanup(opened.close)
        self.definitions = self.part(IDomainDefinition)
        self.lifecycle = self.part(IDomainLifecycle)
        self.tuning = self.part(IDomainTuning)
        self.dom: DomainRef = self.definitions.domainDefineXMLFlags(_XML, 0)

    def part(self, interface: Any) -> Any:
        found = self.connection.component(interface)
        self.assertIsNotNone(found, interface)
        return found

    def start(self) -> None:
        self.dom = self.lifecycle.domainCreateWithFlags(self.dom, 0, [])

    def xml(self, flags: int = 0) -> str:
        found: str = self.definitions.domainGetXMLDesc(self.dom, flags)
        return found


class TuningTests(DriverCase):
    """
    Parameters are kept in the definitions they were meant for.
    """

    def test_liveAndConfig(self) -> None:
        """
        What is set of a running domain is forgotten when it stops, what is set of its definition is not.
        """
        self.start()
        self.tuning.domainSetMemoryParameters(self.dom, [ullong("soft_limit", 5)], _LIVE)
        self.tuning.domainSetMemoryParameters(self.dom, [ullong("soft_limit", 7)], _CONFIG)
        self.assertIn("<soft_limit unit='KiB'>5</soft_limit>", self.xml())
        self.assertIn("<soft_limit unit='KiB'>7</soft_limit>", self.xml(c.VIR_DOMAIN_XML_INACTIVE))
        self.lifecycle.domainDestroyFlags(self.dom, 0)
        self.assertIn("<soft_limit unit='KiB'>7</soft_limit>", self.xml())

    def test_bothAtOnce(self) -> None:
        """
        A change of the running domain and its definition at once is refused, and nothing changes.
        """
        self.start()
        with self.assertRaises(InvalidArgument):
            self.tuning.domainSetMemoryParameters(self.dom, [ullong("soft_limit", 5)], 3)
        self.assertNotIn("memtune", self.xml())

    def test_limitLargerThanNone(self) -> None:
        """
        A limit beyond the largest is told as it was set, but not written.
        """
        huge = 2**64 - 1
        params = [ullong("swap_hard_limit", huge)]
        self.tuning.domainSetMemoryParameters(self.dom, params, _CONFIG)
        found = values(self.tuning.domainGetMemoryParameters(self.dom, _CONFIG))
        self.assertEqual(found["swap_hard_limit"], huge)
        self.assertNotIn("memtune", self.xml())

    def test_nodesNeedASet(self) -> None:
        """
        How strictly memory comes from nodes cannot be said before which nodes these are.
        """
        mode = TypedParam("numa_mode", c.VIR_TYPED_PARAM_INT, 1)
        nodes = TypedParam("numa_nodeset", c.VIR_TYPED_PARAM_STRING, "0,16383")
        with self.assertRaisesRegex(VirtError, "nodeset for NUMA memory tuning must be set"):
            self.tuning.domainSetNumaParameters(self.dom, [mode], _CONFIG)
        self.tuning.domainSetNumaParameters(self.dom, [mode, nodes], _CONFIG)
        self.assertIn("<memory mode='preferred' nodeset='0,16383'/>", self.xml())

    def test_bandwidth(self) -> None:
        """
        The bounds of one direction are replaced together; those of the other stay.
        """

        def bounds(**given: int) -> dict[str, Any]:
            params = [
                TypedParam(name.replace("_", "."), c.VIR_TYPED_PARAM_UINT, value)
                for name, value in given.items()
            ]
            self.tuning.domainSetInterfaceParameters(self.dom, "net0", params, _CONFIG)
            found = values(self.tuning.domainGetInterfaceParameters(self.dom, "net0", _CONFIG))
            return {name: value for name, value in found.items() if value}

        self.assertEqual(
            bounds(inbound_average=5, inbound_peak=6, outbound_average=7),
            {"inbound.average": 5, "inbound.peak": 6, "outbound.average": 7},
        )
        self.assertEqual(bounds(inbound_average=8), {"inbound.average": 8, "outbound.average": 7})
        self.assertEqual(bounds(inbound_floor=0), {"outbound.average": 7})

    def test_refusedTextAmongOthers(self) -> None:
        """
        A list of limits that cannot be read is refused, and the other parameters are set all the same.
        """
        params = [
            TypedParam("device_weight", c.VIR_TYPED_PARAM_STRING, "/dev/a"),
            TypedParam("weight", c.VIR_TYPED_PARAM_UINT, 500),
        ]
        with self.assertRaisesRegex(InvalidArgument, "unable to parse blkio device"):
            self.tuning.domainSetBlkioParameters(self.dom, params, _CONFIG)
        self.assertIn("<weight>500</weight>", self.xml())


class BlockDeviceTests(SynchronousTestCase):
    """
    L{mergedDevices} reads lists of limits.
    """

    def test_places(self) -> None:
        """
        A device keeps its place when its limit goes and comes again; one that never had a limit has none.
        """
        devices = mergedDevices((), "device_weight", "/a,5,/b,6,/c,0")
        self.assertEqual([device.path for device in devices], ["/a", "/b"])
        devices = mergedDevices(devices, "device_weight", "/a,0,/c,7")
        self.assertEqual(deviceText(devices, "weight"), "/b,6,/c,7")
        devices = mergedDevices(devices, "device_weight", "/a,8")
        self.assertEqual(deviceText(devices, "weight"), "/a,8,/b,6,/c,7")

    def test_refused(self) -> None:
        """
        The text from the bad value on is shown, or all of it where commas are missing or values have a tail.
        """
        for text, shown in (
            ("/a,x,/b,3", "invalid value 'x,/b,3' for parameter 'device_weight' of device '/a'"),
            ("/a,5x,/b,3", "unable to parse blkio device 'device_weight' '/a,5x,/b,3'"),
            ("/a,4294967296", "invalid value '4294967296' for parameter 'device_weight'"),
            ("/a", "unable to parse blkio device 'device_weight' '/a'"),
            ("/a,1,", "unable to parse blkio device 'device_weight' '/a,1,'"),
        ):
            with self.assertRaises(InvalidArgument) as raised:
                mergedDevices((), "device_weight", text)
            self.assertIn(shown, raised.exception.message)


class ThreadTests(DriverCase):
    """
    IO threads are numbered, placed, and polled.
    """

    def setUp(self) -> None:
        super().setUp()
        self.devices = self.part(IDomainDevices)
        self.statistics = self.part(IDomainStatistics)

    def test_counted(self) -> None:
        """
        Threads that were only counted get numbers in the definition when one of the first goes, not the last.
        """
        xml = _XML.replace("web", "counted").replace("<vcpu>", "<iothreads>3</iothreads><vcpu>")
        self.dom = self.definitions.domainDefineXMLFlags(xml, 0)
        self.devices.domainDelIOThread(self.dom, 3, _CONFIG)
        self.assertIn("<iothreads>2</iothreads>", self.xml())
        self.assertNotIn("iothreadids", self.xml())
        self.devices.domainDelIOThread(self.dom, 1, _CONFIG)
        self.assertIn("<iothread id='2'/>", self.xml())

    def test_polling(self) -> None:
        """
        Statistics tell how a thread polls that was added, as long as the domain runs.
        """
        self.devices.domainAddIOThread(self.dom, 5, _CONFIG)
        self.devices.domainSetIOThreadParams(self.dom, 5, [ullong("poll_max_ns", 9)], 0)
        for running in (False, True):
            if running:
                self.start()
            (record,) = self.statistics.connectGetAllDomainStats(
                [self.dom], c.VIR_DOMAIN_STATS_IOTHREAD, 0
            )
            expected = {
                "iothread.count": 1,
                "iothread.5.poll-max-ns": 9,
                "iothread.5.poll-grow": 0,
                "iothread.5.poll-shrink": 0,
            }
            self.assertEqual(values(record.params), expected if running else {})

    def test_addresses(self) -> None:
        """
        A guest's memory holds the low bytes of its addresses.
        """
        self.start()
        found = self.devices.domainMemoryPeek(self.dom, 254, 4, c.VIR_MEMORY_PHYSICAL)
        self.assertEqual(found, b"\xfe\xff\x00\x01")


class GuestTests(DriverCase):
    """
    Every guest that runs has an agent.
    """

    def setUp(self) -> None:
        super().setUp()
        self.guest = self.part(IDomainGuestAgent)

    def test_frozen(self) -> None:
        """
        File systems are counted that were not frozen before; an unknown one changes nothing.
        """
        with self.assertRaises(VirtError):
            self.guest.domainFSFreeze(self.dom, [], 0)
        self.start()
        self.assertEqual(self.guest.domainFSFreeze(self.dom, ["/"], 0), 1)
        with self.assertRaises(VirtError):
            self.guest.domainFSFreeze(self.dom, ["/boot", "/nowhere"], 0)
        self.assertEqual(self.guest.domainFSFreeze(self.dom, [], 0), 1)
        self.assertEqual(self.guest.domainFSThaw(self.dom, [], 0), 2)

    def test_clock(self) -> None:
        """
        A guest's clock is what it was set to, and chooses what is said of the way to control it.
        """
        self.start()
        for seconds, expected in (
            (1, ControlInfo(c.VIR_DOMAIN_CONTROL_JOB, 0, 1)),
            (10000, ControlInfo(c.VIR_DOMAIN_CONTROL_OCCUPIED, 0, 0)),
            (30002, ControlInfo(c.VIR_DOMAIN_CONTROL_ERROR, 2, 2)),
            (60000, ControlInfo(c.VIR_DOMAIN_CONTROL_OK, 0, 0)),
        ):
            self.guest.domainSetTime(self.dom, seconds, 5, 0)
            self.assertEqual(tuple(self.guest.domainGetTime(self.dom, 0)), (seconds, 5))
            self.assertEqual(self.lifecycle.domainGetControlInfo(self.dom, 0), expected)


class RestartTests(DriverCase):
    """
    A domain will be what its definition says when it is written and read.
    """

    def test_unreadable(self) -> None:
        """
        A domain that was changed to what is no definition does not start, and says so.
        """
        floor = TypedParam("inbound.floor", c.VIR_TYPED_PARAM_UINT, 5)
        peak = TypedParam("inbound.peak", c.VIR_TYPED_PARAM_UINT, 5)
        self.tuning.domainSetInterfaceParameters(self.dom, "net0", [floor, peak], _CONFIG)
        with self.assertRaisesRegex(VirtError, "'peak' and 'burst' require 'average' attribute"):
            self.lifecycle.domainCreateWithFlags(self.dom, 0, [])
        state = self.lifecycle.domainGetState(self.dom, 0)
        self.assertEqual(tuple(state), (c.VIR_DOMAIN_SHUTOFF, c.VIR_DOMAIN_SHUTOFF_FAILED))


@implementer(IStreamSink)
class Sink:
    """
    Takes bytes, and asks for a pause after each piece.
    """

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.finished = False

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def writeHole(self, length: int) -> None:
        raise NotImplementedError("pictures have no holes")

    def finish(self) -> None:
        self.finished = True

    def abort(self, error: VirtError) -> None:
        raise error


class PictureTests(DriverCase):
    """
    Every screen shows one picture.
    """

    def test_picture(self) -> None:
        """
        It is a PNG whose parts are whole and whose pixels are all there.
        """
        mime, source = self.part(IDomainConsoles).domainScreenshot(self.dom, 0, 0)
        self.assertEqual(mime, "image/png")
        sink = Sink()
        source.start(sink)
        self.assertTrue(sink.finished)
        data = b"".join(sink.pieces)
        self.assertEqual(data, picture())
        self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
        position, kinds, pixels, size = 8, [], b"", (0, 0)
        while position < len(data):
            (length,) = struct.unpack_from(">I", data, position)
            kind = data[position + 4 : position + 8]
            body = data[position + 8 : position + 8 + length]
            (check,) = struct.unpack_from(">I", data, position + 8 + length)
            self.assertEqual(check, zlib.crc32(kind + body))
            if kind == b"IHDR":
                size = struct.unpack_from(">II", body)
            elif kind == b"IDAT":
                pixels += body
            kinds.append(kind)
            position += 12 + length
        self.assertEqual((kinds[0], kinds[-1]), (b"IHDR", b"IEND"))
        self.assertGreaterEqual(len(zlib.decompress(pixels)), size[1])

    def test_stopped(self) -> None:
        """
        A source that is stopped pushes nothing more, and does not say that it is done.
        """

        class Stopping(Sink):
            def write(self, data: bytes) -> None:
                super().write(data)
                source.stopProducing()

        source = BytesSource(bytes(200000))
        sink = Stopping()
        source.start(sink)
        self.assertEqual(len(sink.pieces), 1)
        self.assertFalse(sink.finished)


class ManyTests(DriverCase):
    """
    Statistics of many domains at once.
    """

    def test_filtered(self) -> None:
        """
        Filters, lists and domains that are gone select which domains are told of.
        """
        statistics = self.part(IDomainStatistics)
        every = statistics.connectGetAllDomainStats([], 0, 0)
        self.assertEqual({record.dom.name for record in every}, {"test", "web"})
        inactive = c.VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE
        (record,) = statistics.connectGetAllDomainStats([], 0, inactive)
        self.assertEqual(
            values(record.params),
            {
                "state.state": c.VIR_DOMAIN_SHUTOFF,
                "state.reason": c.VIR_DOMAIN_SHUTOFF_UNKNOWN,
            },
        )
        gone = DomainRef("gone", b"\1" * 16, -1)
        found = statistics.connectGetAllDomainStats([gone, self.dom], 0, 0)
        self.assertEqual([record.dom.name for record in found], ["web"])
        with self.assertRaisesRegex(VirtError, "Stats types bits 0x2 are not supported"):
            enforce = c.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS
            statistics.connectGetAllDomainStats([], 2, enforce)
