"""
What the host's own things must do: devices, interfaces, filters.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.interfaces.events import INodeDeviceEvents
from pyvirt.drivers.interfaces.hostinterfaces import IHostInterfaces
from pyvirt.drivers.interfaces.nodedevices import INodeDevices
from pyvirt.drivers.interfaces.nwfilters import INWFilters
from pyvirt.drivers.interfaces.values import (
    InterfaceRef,
    NodeDeviceRef,
    NWFilterBindingRef,
    NWFilterRef,
)
from pyvirt.errors import ErrorCode
from pyvirt.testing.suites._suite import NOBODY, UNKNOWN_FLAG, Suite

__all__ = [
    "HostInterfacesContract",
    "NWFilterBindingsContract",
    "NWFiltersContract",
    "NodeDevicesContract",
]


class NodeDevicesContract(Suite):
    """Devices of the host: L{INodeDevices}, and L{INodeDeviceEvents} where there are any."""

    contract = INodeDevices
    required = (
        "connectListAllNodeDevices",
        "nodeDeviceGetXMLDesc",
        "nodeDeviceListCaps",
        "nodeDeviceLookupByName",
    )

    def deviceXML(self) -> str | None:
        """Return the definition of a virtual device that can be made and destroyed, None: none can."""
        return None

    def test_devices(self) -> None:
        """Each device is found by its name, and is what its document says."""
        devices = self.ask("connectListAllNodeDevices", 0)
        self.assertNotEqual(devices, [])
        for ref in devices:
            self.assertEqual(self.ask("nodeDeviceLookupByName", ref.name), ref)
            xml = self.ask("nodeDeviceGetXMLDesc", ref.name, 0)
            self.assertIn(f"<name>{ref.name}</name>", xml)
            for kind in self.ask("nodeDeviceListCaps", ref.name):
                self.assertIn(f"<capability type='{kind}'", xml)
            if self.has("nodeDeviceGetParent"):
                parent = self.ask("nodeDeviceGetParent", ref.name)
                self.assertIn("<parent>" if parent else "<device>", xml)
                if parent:
                    self.assertIn(f"<parent>{parent}</parent>", xml)

    def test_filters(self) -> None:
        """Lists by capability hold those that have it."""
        every = self.ask("connectListAllNodeDevices", 0)
        computer = self.ask("connectListAllNodeDevices", c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SYSTEM)
        wanted = [ref for ref in every if "system" in self.ask("nodeDeviceListCaps", ref.name)]
        self.assertEqual(sorted(computer), sorted(wanted))
        self.refuses(None, "connectListAllNodeDevices", UNKNOWN_FLAG)

    def test_nobody(self) -> None:
        """A device that is not there is refused as such."""
        for name, *arguments in (
            ("nodeDeviceLookupByName",),
            ("nodeDeviceGetXMLDesc", 0),
            ("nodeDeviceGetParent",),
            ("nodeDeviceListCaps",),
            ("nodeDeviceDestroy",),
        ):
            self.refuses(ErrorCode.NO_NODE_DEVICE, name, "nobody", *arguments)
        self.refuses(
            ErrorCode.NO_NODE_DEVICE,
            "nodeDeviceLookupSCSIHostByWWN",
            "f" * 16,
            "f" * 16,
            0,
        )

    def test_made(self) -> None:
        """A virtual device is made, there, told of, and destroyed."""
        xml = self.deviceXML()
        if xml is None:
            return
        heard = self.hear(
            INodeDeviceEvents, "nodeDeviceEventSubscribe", c.VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE
        )
        ref: NodeDeviceRef = self.ask("nodeDeviceCreateXML", xml, 0)
        self.addCleanup(self.tries, ("nodeDeviceDestroy", ref.name))
        self.assertIn(ref, self.ask("connectListAllNodeDevices", 0))
        if self.has("nodeDeviceIsActive"):
            self.assertTrue(self.ask("nodeDeviceIsActive", ref.name))
        self.ask("nodeDeviceDestroy", ref.name)
        self.assertNotIn(ref, self.ask("connectListAllNodeDevices", 0))
        self.refuses(ErrorCode.NO_NODE_DEVICE, "nodeDeviceDestroy", ref.name)
        if heard is not None:
            told = [each.details[0] for each in heard if each.ref == ref]
            self.assertEqual(
                told, [c.VIR_NODE_DEVICE_EVENT_CREATED, c.VIR_NODE_DEVICE_EVENT_DELETED]
            )

    def test_badXML(self) -> None:
        """What is no device is refused, and makes nothing."""
        before = self.ask("connectListAllNodeDevices", 0)
        for xml in ("", "<", "<network/>", "no xml"):
            self.refuses(None, "nodeDeviceCreateXML", xml, 0)
            self.refuses(None, "nodeDeviceDefineXML", xml, 0)
        self.assertEqual(len(self.ask("connectListAllNodeDevices", 0)), len(before))


class HostInterfacesContract(Suite):
    """Network interfaces of the host: L{IHostInterfaces}."""

    contract = IHostInterfaces
    required = (
        "connectListAllInterfaces",
        "interfaceCreate",
        "interfaceDefineXML",
        "interfaceDestroy",
        "interfaceGetXMLDesc",
        "interfaceIsActive",
        "interfaceLookupByName",
        "interfaceUndefine",
    )
    mac = "52:54:00:0a:0b:0c"

    def interfaceXML(self, name: str) -> str:
        """Return the definition of an interface with the address L{mac}."""
        return (
            f"<interface type='ethernet' name='{name}'><start mode='none'/>"
            f"<mac address='{self.mac}'/></interface>"
        )

    def define(self, name: str = "suite0") -> InterfaceRef:
        """Define an interface that is gone after the test."""
        ref: InterfaceRef = self.ask("interfaceDefineXML", self.interfaceXML(name), 0)
        self.addCleanup(self.tries, ("interfaceDestroy", ref, 0), ("interfaceUndefine", ref))
        return ref

    def test_life(self) -> None:
        """An interface is defined, brought up and down, and undefined."""
        ref = self.define()
        self.assertEqual(ref.name, "suite0")
        self.assertEqual(self.ask("interfaceLookupByName", "suite0"), ref)
        self.assertFalse(self.ask("interfaceIsActive", ref))
        self.refuses(ErrorCode.OPERATION_INVALID, "interfaceDestroy", ref, 0)
        self.ask("interfaceCreate", ref, 0)
        self.assertTrue(self.ask("interfaceIsActive", ref))
        self.refuses(ErrorCode.OPERATION_INVALID, "interfaceCreate", ref, 0)
        self.assertIn("name='suite0'", self.ask("interfaceGetXMLDesc", ref, 0))
        self.ask("interfaceDestroy", ref, 0)
        self.assertFalse(self.ask("interfaceIsActive", ref))
        self.ask("interfaceUndefine", ref)
        self.refuses(ErrorCode.NO_INTERFACE, "interfaceLookupByName", "suite0")

    def test_filters(self) -> None:
        """A list holds what its flags ask for."""
        ref = self.define()
        active, inactive = (
            c.VIR_CONNECT_LIST_INTERFACES_ACTIVE,
            c.VIR_CONNECT_LIST_INTERFACES_INACTIVE,
        )
        for wanted, other, act in (
            (inactive, active, "interfaceCreate"),
            (active, inactive, "interfaceDestroy"),
        ):
            self.assertIn(ref, self.ask("connectListAllInterfaces", wanted))
            self.assertNotIn(ref, self.ask("connectListAllInterfaces", other))
            self.assertIn(ref, self.ask("connectListAllInterfaces", 0))
            self.ask(act, ref, 0)

    def test_address(self) -> None:
        """An interface is found by its address; one of several is not chosen."""
        if self.has("interfaceLookupByMACString"):
            ref = self.define()
            for mac in (self.mac, self.mac.upper()):
                self.assertEqual(self.ask("interfaceLookupByMACString", mac).name, ref.name)
            self.define("suite1")
            self.refuses(ErrorCode.MULTIPLE_INTERFACES, "interfaceLookupByMACString", self.mac)
            self.refuses(ErrorCode.NO_INTERFACE, "interfaceLookupByMACString", "52:54:00:ff:ff:fe")

    def test_rollback(self) -> None:
        """What was changed since the beginning of a change is undone together."""
        if self.has("interfaceChangeBegin", "interfaceChangeRollback"):
            self.refuses(ErrorCode.OPERATION_INVALID, "interfaceChangeRollback", 0)
            kept = self.define("suite0")
            self.ask("interfaceChangeBegin", 0)
            self.addCleanup(self.tries, ("interfaceChangeRollback", 0))
            self.refuses(ErrorCode.OPERATION_INVALID, "interfaceChangeBegin", 0)
            self.define("suite1")
            self.ask("interfaceUndefine", kept)
            self.ask("interfaceChangeRollback", 0)
            self.assertEqual(self.ask("interfaceLookupByName", "suite0"), kept)
            self.refuses(ErrorCode.NO_INTERFACE, "interfaceLookupByName", "suite1")
            self.refuses(ErrorCode.OPERATION_INVALID, "interfaceChangeRollback", 0)

    def test_commit(self) -> None:
        """What was kept cannot be undone."""
        if self.has("interfaceChangeBegin", "interfaceChangeCommit"):
            self.refuses(ErrorCode.OPERATION_INVALID, "interfaceChangeCommit", 0)
            self.ask("interfaceChangeBegin", 0)
            ref = self.define()
            self.ask("interfaceChangeCommit", 0)
            self.refuses(ErrorCode.OPERATION_INVALID, "interfaceChangeRollback", 0)
            self.assertEqual(self.ask("interfaceLookupByName", "suite0"), ref)

    def test_nobody(self) -> None:
        """An interface that is not there is refused as such."""
        nobody = InterfaceRef("nobody", self.mac)
        for name, *arguments in (
            ("interfaceCreate", 0),
            ("interfaceDestroy", 0),
            ("interfaceGetXMLDesc", 0),
            ("interfaceIsActive",),
            ("interfaceUndefine",),
        ):
            self.refuses(ErrorCode.NO_INTERFACE, name, nobody, *arguments)
        self.refuses(ErrorCode.NO_INTERFACE, "interfaceLookupByName", "nobody")

    def test_badXML(self) -> None:
        """What is no definition is refused, and defines nothing."""
        before = len(self.ask("connectListAllInterfaces", 0))
        for xml in ("", "<", "<interface/>", "<network/>", "no xml"):
            self.refuses(None, "interfaceDefineXML", xml, 0)
        self.refuses(None, "interfaceDefineXML", self.interfaceXML("suite1"), UNKNOWN_FLAG)
        self.assertEqual(len(self.ask("connectListAllInterfaces", 0)), before)


class NWFiltersContract(Suite):
    """Network filters, part of L{INWFilters}."""

    contract = INWFilters
    required: tuple[str, ...] = (
        "connectListAllNWFilters",
        "nwfilterDefineXMLFlags",
        "nwfilterGetXMLDesc",
        "nwfilterLookupByName",
        "nwfilterLookupByUUID",
        "nwfilterUndefine",
    )

    def filterXML(self, name: str, inner: str = "") -> str:
        """Return the definition of a filter."""
        return f"<filter name='{name}' chain='root'>{inner}</filter>"

    def define(self, name: str = "suite-filter", inner: str = "") -> NWFilterRef:
        """Define a filter that is gone after the test."""
        ref: NWFilterRef = self.ask("nwfilterDefineXMLFlags", self.filterXML(name, inner), 0)
        self.addCleanup(self.tries, ("nwfilterUndefine", ref))
        return ref

    def test_life(self) -> None:
        """A filter is defined, found, listed, described and undefined."""
        ref = self.define()
        self.assertEqual((ref.name, len(ref.uuid)), ("suite-filter", 16))
        self.assertEqual(self.ask("nwfilterLookupByName", "suite-filter"), ref)
        self.assertEqual(self.ask("nwfilterLookupByUUID", ref.uuid), ref)
        self.assertIn(ref, self.ask("connectListAllNWFilters", 0))
        self.ask("nwfilterUndefine", ref)
        self.assertNotIn(ref, self.ask("connectListAllNWFilters", 0))
        self.refuses(ErrorCode.NO_NWFILTER, "nwfilterLookupByName", "suite-filter")
        self.refuses(ErrorCode.NO_NWFILTER, "nwfilterUndefine", ref)

    def test_again(self) -> None:
        """A filter defined anew has its rules changed, and what it is described by defines it again."""
        self.define(inner="<rule action='drop' direction='in'><all/></rule>")
        ref = self.ask("nwfilterLookupByName", "suite-filter")
        xml = self.ask("nwfilterGetXMLDesc", ref, 0)
        self.assertIn("action='drop'", xml)
        changed = xml.replace("drop", "accept")
        self.assertEqual(self.ask("nwfilterDefineXMLFlags", changed, 0), ref)
        self.assertEqual(self.ask("nwfilterGetXMLDesc", ref, 0), changed)

    def test_nobody(self) -> None:
        """A filter that is not there is refused as such."""
        nobody = NWFilterRef("nobody", NOBODY)
        self.refuses(ErrorCode.NO_NWFILTER, "nwfilterGetXMLDesc", nobody, 0)
        self.refuses(ErrorCode.NO_NWFILTER, "nwfilterUndefine", nobody)
        self.refuses(ErrorCode.NO_NWFILTER, "nwfilterLookupByName", "nobody")
        self.refuses(ErrorCode.NO_NWFILTER, "nwfilterLookupByUUID", NOBODY)

    def test_badXML(self) -> None:
        """What is no definition is refused, and defines nothing."""
        before = len(self.ask("connectListAllNWFilters", 0))
        for xml in ("", "<", "<filter/>", "<network/>", "no xml"):
            self.refuses(None, "nwfilterDefineXMLFlags", xml, 0)
        self.refuses(None, "nwfilterDefineXMLFlags", self.filterXML("suite-two"), UNKNOWN_FLAG)
        self.assertEqual(len(self.ask("connectListAllNWFilters", 0)), before)


class NWFilterBindingsContract(NWFiltersContract):
    """Filters bound to network devices, part of L{INWFilters}; what filters alone must do comes with it."""

    required = (
        *NWFiltersContract.required,
        "connectListAllNWFilterBindings",
        "nwfilterBindingCreateXML",
        "nwfilterBindingDelete",
        "nwfilterBindingGetXMLDesc",
        "nwfilterBindingLookupByPortDev",
    )

    def bindingXML(self, device: str, name: str) -> str:
        """Return what binds a filter to a network device."""
        return (
            "<filterbinding><owner><name>suite</name>"
            "<uuid>00000000-0000-4000-8000-000000000001</uuid></owner>"
            f"<portdev name='{device}'/><mac address='52:54:00:00:00:01'/>"
            f"<filterref filter='{name}'/></filterbinding>"
        )

    def bind(self, device: str = "suite0", name: str = "suite-filter") -> Any:
        """Bind a filter until the test is over."""
        ref = self.ask("nwfilterBindingCreateXML", self.bindingXML(device, name), 0)
        self.addCleanup(self.tries, ("nwfilterBindingDelete", ref))
        return ref

    def test_binding(self) -> None:
        """A filter is bound, found by the device, listed, described, and let go of; it stays meanwhile."""
        ref = self.define()
        bound = self.bind()
        self.assertEqual(bound, NWFilterBindingRef("suite0", "suite-filter"))
        self.assertEqual(self.ask("nwfilterBindingLookupByPortDev", "suite0"), bound)
        self.assertIn(bound, self.ask("connectListAllNWFilterBindings", 0))
        self.assertIn("filter='suite-filter'", self.ask("nwfilterBindingGetXMLDesc", bound, 0))
        self.refuses(None, "nwfilterBindingCreateXML", self.bindingXML("suite0", "suite-filter"), 0)
        self.refuses(ErrorCode.OPERATION_INVALID, "nwfilterUndefine", ref)
        self.ask("nwfilterBindingDelete", bound)
        self.assertNotIn(bound, self.ask("connectListAllNWFilterBindings", 0))
        none = ErrorCode.NO_NWFILTER_BINDING
        self.refuses(none, "nwfilterBindingLookupByPortDev", "suite0")
        self.refuses(none, "nwfilterBindingGetXMLDesc", bound, 0)
        self.refuses(none, "nwfilterBindingDelete", bound)
        self.ask("nwfilterUndefine", ref)

    def test_noFilter(self) -> None:
        """A filter that is not there is not bound, and nothing is left."""
        self.refuses(None, "nwfilterBindingCreateXML", self.bindingXML("suite0", "nobody"), 0)
        self.assertEqual(self.ask("connectListAllNWFilterBindings", 0), [])
