"""
What virtual networks and their ports must do.
"""

from __future__ import annotations

from uuid import UUID

from pyvirt import constants as c
from pyvirt.drivers.interfaces.events import Event, INetworkEvents
from pyvirt.drivers.interfaces.networks import INetworks
from pyvirt.drivers.interfaces.values import NetworkPortRef, NetworkRef, TypedParam
from pyvirt.errors import ErrorCode
from pyvirt.testing.suites._suite import NOBODY, UNKNOWN_FLAG, Suite

__all__ = ["NetworkPortsContract", "NetworksContract"]


class _Networks(Suite):
    """What both suites have in common."""

    contract = INetworks

    def networkXML(self, name: str) -> str:
        """Return the definition of a network."""
        return f"<network><name>{name}</name></network>"

    def define(self, name: str = "suite-net") -> NetworkRef:
        """Define a network that is gone after the test."""
        ref: NetworkRef = self.ask("networkDefineXMLFlags", self.networkXML(name), 0)
        self.addCleanup(self._remove, ref)
        return ref

    def _remove(self, ref: NetworkRef) -> None:
        self.tries(("networkDestroy", ref), ("networkUndefine", ref))


class NetworksContract(_Networks):
    """Networks: L{INetworks}, and L{INetworkEvents} where there are any."""

    required = (
        "connectListAllNetworks",
        "networkCreate",
        "networkDefineXMLFlags",
        "networkDestroy",
        "networkIsActive",
        "networkLookupByName",
        "networkUndefine",
    )

    def lives(self) -> list[Event] | None:
        """Subscribe to lifecycles."""
        return self.hear(INetworkEvents, "networkEventSubscribe", c.VIR_NETWORK_EVENT_ID_LIFECYCLE)

    def test_life(self) -> None:
        """A network is defined, started, stopped and undefined, and told of where events are."""
        heard = self.lives()
        ref = self.define()
        self.assertEqual(self.ask("networkLookupByName", "suite-net"), ref)
        if self.has("networkLookupByUUID"):
            self.assertEqual(self.ask("networkLookupByUUID", ref.uuid), ref)
        self.assertFalse(self.ask("networkIsActive", ref))
        self.refuses(ErrorCode.OPERATION_INVALID, "networkDestroy", ref)
        self.ask("networkCreate", ref)
        self.assertTrue(self.ask("networkIsActive", ref))
        self.refuses(ErrorCode.OPERATION_INVALID, "networkCreate", ref)
        self.ask("networkDestroy", ref)
        self.assertFalse(self.ask("networkIsActive", ref))
        self.assertIn(ref, self.ask("connectListAllNetworks", 0))
        self.ask("networkUndefine", ref)
        self.refuses(ErrorCode.NO_NETWORK, "networkLookupByName", "suite-net")
        self.assertNotIn(ref, self.ask("connectListAllNetworks", 0))
        if heard is not None:
            self.assertEqual(
                [each.details[0] for each in heard if each.ref == ref],
                [
                    c.VIR_NETWORK_EVENT_DEFINED,
                    c.VIR_NETWORK_EVENT_STARTED,
                    c.VIR_NETWORK_EVENT_STOPPED,
                    c.VIR_NETWORK_EVENT_UNDEFINED,
                ],
            )

    def test_oneNetwork(self) -> None:
        """Who asks about one network hears of no other, and after cancelling of none."""
        if self.has("networkEventSubscribe", interface=INetworkEvents):
            one, other = self.define("suite-net"), self.define("suite-other")
            heard: list[Event] = []
            subscription = self.ask(
                "networkEventSubscribe",
                c.VIR_NETWORK_EVENT_ID_LIFECYCLE,
                one,
                heard.append,
                interface=INetworkEvents,
            )
            self.ask("networkCreate", other)
            self.assertEqual(heard, [])
            self.ask("networkCreate", one)
            self.assertEqual([each.ref for each in heard], [one])
            self.wait(subscription.cancel())
            self.wait(subscription.cancel())
            self.ask("networkDestroy", one)
            self.assertEqual(len(heard), 1)

    def test_filters(self) -> None:
        """A list holds what its flags ask for."""
        ref = self.define()
        active, inactive = (
            c.VIR_CONNECT_LIST_NETWORKS_ACTIVE,
            c.VIR_CONNECT_LIST_NETWORKS_INACTIVE,
        )
        self.assertIn(ref, self.ask("connectListAllNetworks", inactive))
        self.assertNotIn(ref, self.ask("connectListAllNetworks", active))
        self.assertIn(ref, self.ask("connectListAllNetworks", active | inactive))
        self.ask("networkCreate", ref)
        self.assertIn(ref, self.ask("connectListAllNetworks", active))
        self.assertNotIn(ref, self.ask("connectListAllNetworks", inactive))
        self.refuses(None, "connectListAllNetworks", UNKNOWN_FLAG)

    def test_roundTrip(self) -> None:
        """What a network is described by defines it again, and nothing changes."""
        if self.has("networkGetXMLDesc"):
            ref = self.define()
            xml = self.ask("networkGetXMLDesc", ref, 0)
            self.assertIn("<name>suite-net</name>", xml)
            self.assertIn(str(UUID(bytes=ref.uuid)), xml)
            self.assertEqual(self.ask("networkDefineXMLFlags", xml, 0), ref)
            self.assertEqual(self.ask("networkGetXMLDesc", ref, 0), xml)

    def test_transient(self) -> None:
        """A network that was created without being defined is gone when it stops, and does not start by itself."""
        if self.has("networkCreateXMLFlags"):
            ref = self.ask("networkCreateXMLFlags", self.networkXML("suite-net"), 0)
            self.addCleanup(self._remove, ref)
            self.assertTrue(self.ask("networkIsActive", ref))
            if self.has("networkIsPersistent"):
                self.assertFalse(self.ask("networkIsPersistent", ref))
            self.refuses(ErrorCode.OPERATION_INVALID, "networkSetAutostart", ref, True)
            self.refuses(ErrorCode.OPERATION_INVALID, "networkUndefine", ref)
            self.ask("networkDestroy", ref)
            self.refuses(ErrorCode.NO_NETWORK, "networkLookupByName", "suite-net")

    def test_autostart(self) -> None:
        """Whether a network starts with the host is remembered."""
        if self.has("networkSetAutostart", "networkGetAutostart"):
            ref = self.define()
            self.assertFalse(self.ask("networkGetAutostart", ref))
            self.ask("networkSetAutostart", ref, True)
            self.assertTrue(self.ask("networkGetAutostart", ref))
            self.ask("networkSetAutostart", ref, False)
            self.assertFalse(self.ask("networkGetAutostart", ref))

    def test_metadata(self) -> None:
        """A note is told as it was left, and can be taken back."""
        if self.has("networkSetMetadata", "networkGetMetadata"):
            ref, kind, uri = self.define(), c.VIR_NETWORK_METADATA_ELEMENT, "urn:suite"
            self.refuses(ErrorCode.NO_NETWORK_METADATA, "networkGetMetadata", ref, kind, uri, 0)
            self.ask("networkSetMetadata", ref, kind, "<note>one</note>", "suite", uri, 0)
            told = self.ask("networkGetMetadata", ref, kind, uri, 0)
            self.assertIn("one</", told)
            self.ask("networkSetMetadata", ref, kind, None, "suite", uri, 0)
            self.refuses(ErrorCode.NO_NETWORK_METADATA, "networkGetMetadata", ref, kind, uri, 0)

    def test_badXML(self) -> None:
        """What is no definition is refused, and defines nothing."""
        before = len(self.ask("connectListAllNetworks", 0))
        for xml in ("", "<", "<network/>", "<domain><name>n</name></domain>", "no xml"):
            self.refuses(None, "networkDefineXMLFlags", xml, 0)
            self.refuses(None, "networkCreateXMLFlags", xml, 0)
        self.refuses(None, "networkDefineXMLFlags", self.networkXML("suite-two"), UNKNOWN_FLAG)
        self.assertEqual(len(self.ask("connectListAllNetworks", 0)), before)

    def test_nobody(self) -> None:
        """A network that is not there is refused as such."""
        nobody = NetworkRef("nobody", NOBODY)
        for name, *arguments in (
            ("networkCreate",),
            ("networkDestroy",),
            ("networkGetAutostart",),
            ("networkGetBridgeName",),
            ("networkGetDHCPLeases", None, 0),
            ("networkGetXMLDesc", 0),
            ("networkIsActive",),
            ("networkIsPersistent",),
            ("networkListAllPorts", 0),
            ("networkUndefine",),
        ):
            self.refuses(ErrorCode.NO_NETWORK, name, nobody, *arguments)
        self.refuses(ErrorCode.NO_NETWORK, "networkLookupByName", "nobody")
        self.refuses(ErrorCode.NO_NETWORK, "networkLookupByUUID", NOBODY)


class NetworkPortsContract(_Networks):
    """Ports of networks, part of L{INetworks}."""

    required = (
        "networkListAllPorts",
        "networkPortCreateXML",
        "networkPortDelete",
        "networkPortGetXMLDesc",
        "networkPortLookupByUUID",
    )

    def portXML(self, uuid: str) -> str:
        """Return the definition of a port with a UUID."""
        return (
            f"<networkport><uuid>{uuid}</uuid><owner><name>suite</name>"
            "<uuid>00000000-0000-4000-8000-000000000001</uuid></owner>"
            "<mac address='52:54:00:00:00:01'/></networkport>"
        )

    def plugged(self, number: int = 1) -> tuple[NetworkRef, NetworkPortRef]:
        """Start a network with a port."""
        network = self.define()
        self.ask("networkCreate", network)
        return network, self.plug(network, number)

    def plug(self, network: NetworkRef, number: int) -> NetworkPortRef:
        """Make a port."""
        uuid = str(UUID(int=(8 << 60) + number + (4 << 76)))
        port: NetworkPortRef = self.ask("networkPortCreateXML", network, self.portXML(uuid), 0)
        self.assertEqual(port.uuid, UUID(uuid).bytes)
        self.addCleanup(self.tries, ("networkPortDelete", port, 0))
        return port

    def test_life(self) -> None:
        """A port is made, found, listed, described and deleted."""
        network, port = self.plugged()
        self.assertEqual(port.net.uuid, network.uuid)
        self.assertEqual(self.ask("networkPortLookupByUUID", network, port.uuid), port)
        other = self.plug(network, 2)
        listed = self.ask("networkListAllPorts", network, 0)
        self.assertEqual(sorted(each.uuid for each in listed), sorted((port.uuid, other.uuid)))
        xml = self.ask("networkPortGetXMLDesc", port, 0)
        self.assertIn(str(UUID(bytes=port.uuid)), xml)
        self.ask("networkPortDelete", port, 0)
        self.assertEqual(self.ask("networkListAllPorts", network, 0), [other])
        self.refuses(ErrorCode.NO_NETWORK_PORT, "networkPortLookupByUUID", network, port.uuid)

    def test_gone(self) -> None:
        """A port that is not there any more is refused as such; deleting it again, too."""
        _, port = self.plugged()
        self.ask("networkPortDelete", port, 0)
        for name, *arguments in (
            ("networkPortDelete", 0),
            ("networkPortGetXMLDesc", 0),
            ("networkPortGetParameters", 0),
        ):
            self.refuses(ErrorCode.NO_NETWORK_PORT, name, port, *arguments)
        nobody = NetworkRef("nobody", NOBODY)
        self.refuses(ErrorCode.NO_NETWORK, "networkPortLookupByUUID", nobody, port.uuid)

    def test_parameters(self) -> None:
        """Limits of a port's traffic are told as they were set."""
        if self.has("networkPortSetParameters", "networkPortGetParameters"):
            _, port = self.plugged()
            name = c.VIR_NETWORK_PORT_BANDWIDTH_IN_AVERAGE
            limit = TypedParam(name, c.VIR_TYPED_PARAM_UINT, 1000)
            self.ask("networkPortSetParameters", port, [limit], 0)
            told = {each[0]: each[2] for each in self.ask("networkPortGetParameters", port, 0)}
            self.assertEqual(told[name], 1000)
            wrong = TypedParam("suite.unheard", c.VIR_TYPED_PARAM_UINT, 1)
            self.refuses(None, "networkPortSetParameters", port, [wrong], 0)

    def test_badXML(self) -> None:
        """What is no port is refused, and plugs nothing in; so is one with a UUID that is taken."""
        network, port = self.plugged()
        for xml in ("", "<networkport", "<network/>", "no xml"):
            self.refuses(None, "networkPortCreateXML", network, xml, 0)
        again = self.portXML(str(UUID(bytes=port.uuid)))
        self.refuses(None, "networkPortCreateXML", network, again, 0)
        fresh = self.portXML("00000000-0000-4000-8000-0000000000ff")
        self.refuses(None, "networkPortCreateXML", network, fresh, UNKNOWN_FLAG)
        self.assertEqual(self.ask("networkListAllPorts", network, 0), [port])

    def test_stopped(self) -> None:
        """Nothing is plugged into a network that does not run."""
        network, _ = self.plugged()
        self.ask("networkDestroy", network)
        xml = self.portXML("00000000-0000-4000-8000-0000000000ff")
        self.refuses(None, "networkPortCreateXML", network, xml, 0)
