"""
What must hold of a guest's resources, tuning, statistics and devices.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.definition import IDomainDefinition
from pyvirt.drivers.interfaces.devices import IDomainDevices
from pyvirt.drivers.interfaces.events import Event, IDomainEvents
from pyvirt.drivers.interfaces.resources import IDomainResources
from pyvirt.drivers.interfaces.statistics import IDomainStatistics
from pyvirt.drivers.interfaces.tuning import IDomainTuning
from pyvirt.drivers.interfaces.values import DomainRef, TypedParam
from pyvirt.errors import ErrorCode
from pyvirt.testing.suites._domains import DomainSuite
from pyvirt.testing.suites._suite import UNKNOWN_FLAG

__all__ = [
    "DomainDevicesContract",
    "DomainResourcesContract",
    "DomainStatisticsContract",
    "DomainTuningContract",
]

_LIVE, _CONFIG = c.VIR_DOMAIN_AFFECT_LIVE, c.VIR_DOMAIN_AFFECT_CONFIG


class DomainResourcesContract(DomainSuite):
    """Memory and virtual CPUs: L{IDomainResources}."""

    contract = IDomainResources
    required = ("domainGetMaxMemory", "domainGetVcpusFlags")

    def vcpus(self, dom: DomainRef, flags: int) -> int:
        """Return how many virtual CPUs a domain has."""
        count: int = self.ask("domainGetVcpusFlags", dom, flags)
        return count

    def test_memory(self) -> None:
        """The limit of a guest's memory is what its definition will say; one above it is refused."""
        dom = self.define("suite-one")
        limit = self.ask("domainGetMaxMemory", dom)
        self.assertGreater(limit, 0)
        if self.has("domainSetMemoryFlags"):
            maximum = c.VIR_DOMAIN_MEM_MAXIMUM
            self.refuses(None, "domainSetMemoryFlags", dom, limit, UNKNOWN_FLAG)
            self.refuses(None, "domainSetMemoryFlags", dom, 2 * limit, _CONFIG)
            self.ask("domainSetMemoryFlags", dom, 2 * limit, _CONFIG | maximum)
            self.assertEqual(self.ask("domainGetMaxMemory", dom), 2 * limit)

    def test_vcpus(self) -> None:
        """How many virtual CPUs a guest has and may have are two numbers, the first no more than the second."""
        dom = self.define("suite-one")
        maximum = c.VIR_DOMAIN_VCPU_MAXIMUM
        self.assertEqual(self.vcpus(dom, _CONFIG), self.vcpus(dom, _CONFIG | maximum))
        if self.has("domainSetVcpusFlags"):
            self.ask("domainSetVcpusFlags", dom, 2, _CONFIG | maximum)
            self.ask("domainSetVcpusFlags", dom, 2, _CONFIG)
            self.refuses(None, "domainSetVcpusFlags", dom, 3, _CONFIG)
            self.ask("domainSetVcpusFlags", dom, 1, _CONFIG)
            self.assertEqual(self.vcpus(dom, _CONFIG), 1)
            self.assertEqual(self.vcpus(dom, _CONFIG | maximum), 2)
            self.refuses(None, "domainSetVcpusFlags", dom, 1, UNKNOWN_FLAG)

    def test_inactive(self) -> None:
        """What is asked of a running guest is refused while it does not run."""
        dom = self.define("suite-one")
        invalid = ErrorCode.OPERATION_INVALID
        self.refuses(invalid, "domainGetVcpus", dom)
        self.refuses(invalid, "domainGetVcpusFlags", dom, _LIVE)
        self.refuses(invalid, "domainSetVcpusFlags", dom, 1, _LIVE)
        self.refuses(invalid, "domainSetMemoryFlags", dom, 1024, _LIVE)

    def test_running(self) -> None:
        """A running guest tells of as many virtual CPUs as it has."""
        dom = self.start()
        count = self.vcpus(dom, _LIVE)
        self.assertGreaterEqual(count, 1)
        if self.has("domainGetVcpus"):
            placement = self.ask("domainGetVcpus", dom)
            self.assertEqual([each.number for each in placement.info], list(range(count)))
            self.assertEqual(len(placement.cpumaps), count)

    def test_pins(self) -> None:
        """A virtual CPU may use those of the host's that it was told to; others are as they were."""
        if self.has("domainPinVcpuFlags", "domainGetVcpuPinInfo"):
            dom = self.start()
            self.ask("domainPinVcpuFlags", dom, 0, b"\x01", 0)
            pins = self.ask("domainGetVcpuPinInfo", dom, 0)
            self.assertEqual(pins[0].rstrip(b"\0"), b"\x01")
            self.refuses(None, "domainPinVcpuFlags", dom, 9999, b"\x01", 0)

    def test_nobody(self) -> None:
        """A domain that is not there is refused as such."""
        for name, *arguments in (
            ("domainGetMaxMemory",),
            ("domainGetVcpus",),
            ("domainGetVcpusFlags", 0),
            ("domainSetVcpusFlags", 1, 0),
            ("domainSetMemoryFlags", 1024, 0),
            ("domainGetVcpuPinInfo", 0),
            ("domainGetEmulatorPinInfo", 0),
            ("domainGetIOThreadInfo", 0),
        ):
            self.refuses(ErrorCode.NO_DOMAIN, name, self.nobody(), *arguments)


class DomainTuningContract(DomainSuite):
    """Shares and limits: L{IDomainTuning}."""

    contract = IDomainTuning

    #: For a setter and its getter a parameter that can be set.
    settings: tuple[tuple[str, str, TypedParam], ...] = (
        (
            "domainSetMemoryParameters",
            "domainGetMemoryParameters",
            TypedParam(c.VIR_DOMAIN_MEMORY_HARD_LIMIT, c.VIR_TYPED_PARAM_ULLONG, 4194304),
        ),
        (
            "domainSetSchedulerParametersFlags",
            "domainGetSchedulerParametersFlags",
            TypedParam(c.VIR_DOMAIN_SCHEDULER_CPU_SHARES, c.VIR_TYPED_PARAM_ULLONG, 512),
        ),
        (
            "domainSetBlkioParameters",
            "domainGetBlkioParameters",
            TypedParam(c.VIR_DOMAIN_BLKIO_WEIGHT, c.VIR_TYPED_PARAM_UINT, 500),
        ),
    )

    def test_settings(self) -> None:
        """What was set is told, and by the definition; it is what the next start takes."""
        dom = self.define("suite-one")
        for setter, getter, param in self.settings:
            if self.has(setter, getter):
                self.ask(setter, dom, [param], _CONFIG)
                told = {each[0]: each[2] for each in self.ask(getter, dom, _CONFIG)}
                self.assertEqual(told[param[0]], param[2], setter)
                xml = self.ask(
                    "domainGetXMLDesc",
                    dom,
                    c.VIR_DOMAIN_XML_INACTIVE,
                    interface=IDomainDefinition,
                )
                self.assertIn(str(param[2]), xml, setter)

    def test_wrong(self) -> None:
        """Parameters that nobody has heard of, of another type, or with unknown flags are refused, and set nothing."""
        dom = self.define("suite-one")
        for setter, getter, param in self.settings:
            if self.has(setter, getter):
                before = self.ask(getter, dom, _CONFIG)
                unheard = param._replace(field="suite_unheard")
                text = TypedParam(param[0], c.VIR_TYPED_PARAM_STRING, "suite")
                self.refuses(None, setter, dom, [unheard], _CONFIG)
                self.refuses(None, setter, dom, [text], _CONFIG)
                self.refuses(None, setter, dom, [param], UNKNOWN_FLAG)
                self.refuses(None, getter, dom, UNKNOWN_FLAG)
                self.assertEqual(self.ask(getter, dom, _CONFIG), before, setter)

    def test_inactive(self) -> None:
        """What is to hold for a running guest is refused while it does not run."""
        dom = self.define("suite-one")
        for setter, getter, param in self.settings:
            self.refuses(ErrorCode.OPERATION_INVALID, setter, dom, [param], _LIVE)
            self.refuses(ErrorCode.OPERATION_INVALID, getter, dom, _LIVE)

    def test_nobody(self) -> None:
        """A domain that is not there is refused as such."""
        for setter, getter, param in self.settings:
            self.refuses(ErrorCode.NO_DOMAIN, setter, self.nobody(), [param], 0)
            self.refuses(ErrorCode.NO_DOMAIN, getter, self.nobody(), 0)


class DomainStatisticsContract(DomainSuite):
    """
    What guests use and do: L{IDomainStatistics}.

    @cvar disk: a disk's target that L{domainXML} has, None: it has none.
    """

    contract = IDomainStatistics
    required = ("connectGetAllDomainStats",)
    disk: str | None = None

    def stats(self, doms: list[DomainRef], stats: int, flags: int = 0) -> dict[str, Any]:
        """Return what is told about domains, by name."""
        return {
            record[0].name: {each[0]: each[2] for each in record[1]}
            for record in self.ask("connectGetAllDomainStats", doms, stats, flags)
        }

    def test_all(self) -> None:
        """All domains are told about, each with its state, or those that flags ask for."""
        self.define("suite-off")
        self.start("suite-on")
        told = self.stats([], c.VIR_DOMAIN_STATS_STATE)
        self.assertEqual(told["suite-off"]["state.state"], c.VIR_DOMAIN_SHUTOFF)
        self.assertEqual(told["suite-on"]["state.state"], c.VIR_DOMAIN_RUNNING)
        for flag, wanted, other in (
            (c.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE, "suite-on", "suite-off"),
            (c.VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE, "suite-off", "suite-on"),
        ):
            told = self.stats([], c.VIR_DOMAIN_STATS_STATE, flag)
            self.assertIn(wanted, told)
            self.assertNotIn(other, told)

    def test_some(self) -> None:
        """Only those named are told about; one that is gone is left out."""
        one, two = self.define("suite-one"), self.define("suite-two")
        told = self.stats([one, self.nobody()], c.VIR_DOMAIN_STATS_STATE)
        self.assertEqual(list(told), ["suite-one"])
        self.assertEqual(set(told["suite-one"]), {"state.state", "state.reason"})
        self.assertEqual(sorted(self.stats([two, one], 0)), ["suite-one", "suite-two"])
        self.assertIn("state.state", self.stats([one], 0)["suite-one"])

    def test_disk(self) -> None:
        """A disk's sizes and requests are told while the guest runs; of one that is not there nothing."""
        if self.disk is not None:
            dom = self.start()
            if self.has("domainBlockStats"):
                self.assertEqual(len(self.ask("domainBlockStats", dom, self.disk)), 5)
            if self.has("domainGetBlockInfo"):
                self.assertGreater(self.ask("domainGetBlockInfo", dom, self.disk, 0).capacity, 0)
            self.refuses(None, "domainBlockStats", dom, "nobody")
            self.refuses(None, "domainGetBlockInfo", dom, "nobody", 0)

    def test_memory(self) -> None:
        """A running guest's memory is told, each kind at most once."""
        if self.has("domainMemoryStats"):
            told = [each.tag for each in self.ask("domainMemoryStats", self.start(), 0)]
            self.assertEqual(len(told), len(set(told)))

    def test_inactive(self) -> None:
        """What only a running guest can tell is refused while it does not run."""
        dom = self.define("suite-one")
        invalid = ErrorCode.OPERATION_INVALID
        self.refuses(invalid, "domainMemoryStats", dom, 0)
        self.refuses(invalid, "domainInterfaceStats", dom, "suite0")
        self.refuses(invalid, "domainBlockStats", dom, self.disk or "vda")
        self.refuses(invalid, "domainGetDiskErrors", dom, 0)

    def test_nobody(self) -> None:
        """A domain that is not there is refused as such."""
        for name, *arguments in (
            ("domainBlockStats", "vda"),
            ("domainBlockStatsFlags", "vda", 0),
            ("domainGetBlockInfo", "vda", 0),
            ("domainGetCPUStats", -1, 1, 0),
            ("domainGetDiskErrors", 0),
            ("domainInterfaceStats", "suite0"),
            ("domainMemoryStats", 0),
        ):
            self.refuses(ErrorCode.NO_DOMAIN, name, self.nobody(), *arguments)


class DomainDevicesContract(DomainSuite):
    """Devices that come and go: L{IDomainDevices}."""

    contract = IDomainDevices
    required = ("domainAttachDeviceFlags", "domainDetachDeviceFlags")
    mac = "52:54:00:0a:0b:0c"

    def deviceXML(self) -> str:
        """Return a device that can be plugged into a running guest; it is an interface with the address L{mac}."""
        return (
            f"<interface type='user'><mac address='{self.mac}'/><model type='virtio'/></interface>"
        )

    def xml(self, dom: DomainRef, flags: int = 0) -> str:
        """Return a domain's description."""
        text: str = self.ask("domainGetXMLDesc", dom, flags, interface=IDomainDefinition)
        return text

    def plugs(self, dom: DomainRef, eventID: int) -> list[Event] | None:
        """Subscribe to what happens to devices of a domain."""
        return self.hear(IDomainEvents, "domainEventSubscribe", eventID, dom)

    def test_config(self) -> None:
        """A device attached to the definition is in it until it is detached."""
        dom = self.define("suite-one")
        before = self.xml(dom)
        self.ask("domainAttachDeviceFlags", dom, self.deviceXML(), _CONFIG)
        self.assertIn(self.mac, self.xml(dom))
        self.refuses(None, "domainAttachDeviceFlags", dom, self.deviceXML(), _LIVE)
        self.ask("domainDetachDeviceFlags", dom, self.deviceXML(), _CONFIG)
        self.assertNotIn(self.mac, self.xml(dom))
        self.refuses(None, "domainDetachDeviceFlags", dom, self.deviceXML(), _CONFIG)
        self.assertEqual(self.xml(dom).count("<interface"), before.count("<interface"))

    def test_live(self) -> None:
        """A device plugged into a running guest is told of, comes and goes, and is not in the definition."""
        dom = self.start()
        added = self.plugs(dom, c.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED)
        removed = self.plugs(dom, c.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED)
        self.ask("domainAttachDeviceFlags", dom, self.deviceXML(), _LIVE)
        self.assertIn(self.mac, self.xml(dom))
        self.assertNotIn(self.mac, self.xml(dom, c.VIR_DOMAIN_XML_INACTIVE))
        self.ask("domainDetachDeviceFlags", dom, self.deviceXML(), _LIVE)
        self.happens(lambda: self.mac not in self.xml(dom), "the device is gone")
        if added is not None and removed is not None:
            self.assertEqual([len(added), len(removed)], [1, 1])
            self.assertEqual(added[0].details, removed[0].details)

    def test_refused(self) -> None:
        """What is no device, is not there or has unknown flags is refused, and nothing changes."""
        dom = self.define("suite-one")
        before = self.xml(dom)
        for name in (
            "domainAttachDeviceFlags",
            "domainDetachDeviceFlags",
            "domainUpdateDeviceFlags",
        ):
            for xml in ("", "<", "<unheard/>", "no xml"):
                self.refuses(None, name, dom, xml, _CONFIG)
            self.refuses(None, name, dom, self.deviceXML(), UNKNOWN_FLAG)
            self.refuses(ErrorCode.NO_DOMAIN, name, self.nobody(), self.deviceXML(), _CONFIG)
        self.refuses(None, "domainDetachDeviceAlias", dom, "nobody", _CONFIG)
        self.assertEqual(self.xml(dom), before)

    def test_ioThreads(self) -> None:
        """An IO thread is added once, told of, and taken away once."""
        if self.has("domainAddIOThread", "domainDelIOThread"):
            dom = self.define("suite-one")
            self.ask("domainAddIOThread", dom, 3, _CONFIG)
            self.refuses(None, "domainAddIOThread", dom, 3, _CONFIG)
            if self.has("domainGetIOThreadInfo", interface=IDomainResources):
                told = self.ask("domainGetIOThreadInfo", dom, _CONFIG, interface=IDomainResources)
                self.assertEqual([each[0] for each in told], [3])
            self.ask("domainDelIOThread", dom, 3, _CONFIG)
            self.refuses(None, "domainDelIOThread", dom, 3, _CONFIG)
