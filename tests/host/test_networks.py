"""
Tests for L{pyvirt.drivers.host.networks}: what is written for name servers and rules, and what they write.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.network import parseNetwork
from pyvirt.drivers.host.networks import dnsmasq, firewall
from pyvirt.drivers.host.networks.leases import leases
from pyvirt.drivers.interfaces.networks import INetworks
from pyvirt.errors import VirtError
from tests.host.support import makeHost


def _network(inner: str) -> Any:
    return parseNetwork(f"<network><name>n</name>{inner}</network>")


_PLAIN = _network(
    "<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.9'/></dhcp></ip>"
    "<ip family='ipv6' address='2001:db8::1' prefix='64'/>"
)


class ConfigurationTests(SynchronousTestCase):
    def test_noLines(self) -> None:
        """
        No value of a definition makes a line of its own in a configuration.
        """
        network = _network(
            "<dns><txt name='a' value='x&#10;dhcp-script=/bin/evil'/></dns>"
            "<ip address='10.0.0.1' prefix='24'/>"
        )
        text = dnsmasq.configuration(network, "b", "/p", "/x")
        self.assertNotIn("\ndhcp-script", text)

    def test_needed(self) -> None:
        """
        A network without addresses, and one that has neither names nor addresses to give, needs no name server.
        """
        self.assertTrue(dnsmasq.needed(_PLAIN))
        self.assertFalse(dnsmasq.needed(_network("")))
        quiet = "<dns enable='no'/><ip address='10.0.0.1' prefix='24'/>"
        self.assertFalse(dnsmasq.needed(_network(quiet)))


class RuleTests(SynchronousTestCase):
    def test_open(self) -> None:
        """
        An open network has no rules at all.
        """
        network = _network("<forward mode='open'/><ip address='10.0.0.1' prefix='24'/>")
        self.assertEqual(firewall.rules(network, "b", 4), [])

    def test_isolated(self) -> None:
        """
        Nothing goes in or out of a network that is not forwarded, and IPv6 has rules where there are addresses.
        """
        chains = [rule[1] for rule in firewall.rules(_PLAIN, "b", 4)]
        self.assertEqual(chains[:4], ["LIBVIRT_PRT", "LIBVIRT_FWI", "LIBVIRT_FWO", "LIBVIRT_FWX"])
        self.assertTrue(firewall.rules(_PLAIN, "b", 6))
        self.assertFalse(firewall.rules(_network("<ip address='10.0.0.1' prefix='24'/>"), "b", 6))


class LeaseTests(SynchronousTestCase):
    def test_read(self) -> None:
        """
        Leases of both families are read; those that are over, and lines that make no sense, are left out.
        """
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(
                "2000 52:54:00:00:00:01 10.0.0.5 host 01:52:54:00:00:00:01\n"
                "10 52:54:00:00:00:02 10.0.0.6 * *\n"
                "0 52:54:00:00:00:03 10.0.0.7 * *\n"
                "nonsense\n\n1 2 3\nx y z a b\n"
                "duid 00:01\n"
                "3000 5678 2001:db8::5 six 00:03:00:01:52:54:00:00:00:09\n"
            )
        found = leases(path, _PLAIN, "b", 1000)
        self.assertEqual([each.ipaddr for each in found], ["10.0.0.5", "10.0.0.7", "2001:db8::5"])
        self.assertEqual([each.prefix for each in found], [24, 24, 64])
        self.assertEqual(found[0].mac, "52:54:00:00:00:01")
        self.assertEqual(found[1].hostname, None)
        self.assertEqual(found[2].iaid, "5678")
        self.assertEqual(found[2].mac, "52:54:00:00:00:09")

    def test_absent(self) -> None:
        """
        Where nothing was lent there are none.
        """
        self.assertEqual(leases(self.mktemp(), _PLAIN, "b", 0), [])


class DefinitionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = self.mktemp()
        self.host = makeHost(self.root)
        networks: Any = self.host.component(INetworks)
        self.networks = networks

    def define(self, inner: str, name: str = "n") -> Any:
        return self.networks.networkDefineXMLFlags(
            f"<network><name>{name}</name>{inner}</network>", 0
        )

    def test_bridgeNames(self) -> None:
        """
        Bridges get free names, and names that are none are refused.
        """
        for name, expected in (("a", "virbr"), ("b", "x")):
            pattern = "" if name == "a" else "<bridge name='x%d'/>"
            ref = self.define(pattern, name)
            self.assertTrue(self.networks.networkGetBridgeName(ref).startswith(expected))
        for bad in ("a/b", "..", "abcdefghijklmnopq", "a b", "a&#10;b"):
            self.assertRaises(VirtError, self.define, f"<bridge name='{bad}'/>", "c")
        self.assertEqual(len(self.networks.connectListAllNetworks(0)), 2)

    def test_kept(self) -> None:
        """
        A definition is on disk, with the bridge and the address that were made up for it, until it is undefined.
        """
        ref = self.define("")
        path = os.path.join(self.host.layout.networks, "n.xml")
        with open(path) as file:
            text = file.read()
        self.assertIn("<mac address='52:54:00:", text)
        self.assertIn("<bridge name='virbr", text)
        self.networks.networkSetAutostart(ref, True)
        link = os.path.join(self.host.layout.networks, "autostart", "n.xml")
        self.assertEqual(os.readlink(link), path)
        self.networks.networkUndefine(ref)
        self.assertFalse(os.path.lexists(path) or os.path.lexists(link))
        self.assertRaises(VirtError, self.networks.networkLookupByName, "n")

    def load(self) -> Any:
        """A daemon starts on the same host."""
        networks: Any = makeHost(self.root).component(INetworks)
        self.successResultOf(Deferred.fromCoroutine(networks.load()))
        return networks

    def test_fromPackages(self) -> None:
        """
        A file that came with a package, without UUID and address, is a network like any other, and the same next time.
        """
        folder = self.host.layout.networks
        os.makedirs(os.path.join(folder, "autostart"))
        path = os.path.join(folder, "default.xml")
        with open(path, "w") as file:
            file.write(
                "<network><name>default</name><bridge name='virbr0'/><forward/>"
                "<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp>"
                "<range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>"
            )
        for name, text in (("other", "<network><name>n</name></network>"), ("no", "<network/>")):
            with open(os.path.join(folder, f"{name}.xml"), "w") as file:
                file.write(text)
        networks = self.load()
        (ref,) = networks.connectListAllNetworks(0)
        text = networks.networkGetXMLDesc(ref, 0)
        self.assertEqual(ref.name, "default")
        self.assertIn("<mac address='52:54:00:", text)
        again = self.load()
        self.assertEqual(again.connectListAllNetworks(0), [ref])
        self.assertEqual(again.networkGetXMLDesc(ref, 0), text)
