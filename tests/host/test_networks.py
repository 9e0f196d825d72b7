"""
Tests for L{pyvirt.drivers.host.networks}: what is written for name servers and rules, and what they write.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from pyvirt.definitions.network import parseNetwork
from pyvirt.drivers.host.networks import dnsmasq, firewall, leasehelper
from pyvirt.drivers.host.networks.leasehelper import FOLDER, LeaseError, main, told
from pyvirt.drivers.host.networks.leases import leases
from pyvirt.drivers.host.networks.macmap import noteGuest
from pyvirt.drivers.host.networks.network import Network
from pyvirt.drivers.host.networks.running import Runner
from pyvirt.drivers.interfaces.networks import INetworks
from pyvirt.errors import VirtError
from pyvirt.process import Command, Processes
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
    def setUp(self) -> None:
        self.path = self.mktemp()

    def tell(self, *words: str, **environment: str) -> list[str]:
        named = {f"DNSMASQ_{key}": value for key, value in environment.items()}
        return told(self.path, words, named)

    def test_told(self) -> None:
        """
        What C{dnsmasq} tells of addresses that it lends is what is told to those who ask, and to C{dnsmasq} when it
        starts; what is over is not told to the first.
        """
        self.assertEqual(self.tell("init"), [])
        self.assertEqual(leases(self.path, _PLAIN, "b", 1000), [])
        self.tell(
            *("add", "52:54:00:00:00:01", "10.0.0.5", "host"),
            LEASE_EXPIRES="2000",
            CLIENT_ID="01:52",
        )
        self.tell("add", "52:54:00:00:00:02", "10.0.0.6", LEASE_EXPIRES="10")
        self.tell("old", "52:54:00:00:00:03", "10.0.0.7")
        six = {"IAID": "56", "LEASE_EXPIRES": "3000", "SERVER_DUID": "00:01"}
        self.tell("add", "00:03", "2001:db8::5", "six", MAC="52:54:00:00:00:09", **six)
        self.tell("add", "00:04", "2001:db8::6", **six)
        found = leases(self.path, _PLAIN, "b", 1000)
        self.assertEqual([each.ipaddr for each in found], ["10.0.0.5", "10.0.0.7", "2001:db8::5"])
        self.assertEqual([each.prefix for each in found], [24, 24, 64])
        self.assertEqual([each.mac[-2:] for each in found if each.mac], ["01", "03", "09"])
        self.assertEqual([each.hostname for each in found], ["host", None, "six"])
        self.assertEqual([each.clientid for each in found], ["01:52", None, "00:03"])
        self.assertEqual(found[2].iaid, "56")
        self.assertEqual(leases(self.path, _PLAIN, "b", 0, "52:54:00:00:00:09"), found[2:])
        self.assertEqual(
            self.tell("init"),
            [
                "2000 52:54:00:00:00:01 10.0.0.5 host 01:52",
                "10 52:54:00:00:00:02 10.0.0.6 * *",
                "0 52:54:00:00:00:03 10.0.0.7 * *",
                "duid 00:01",
                "3000 56 2001:db8::5 six 00:03",
            ],
        )
        self.tell("old", "52:54:00:00:00:01", "10.0.0.5", OLD_HOSTNAME="was", LEASE_EXPIRES="4000")
        self.assertEqual(leases(self.path, _PLAIN, "b", 1000)[-1].hostname, "was")
        for each in ("10.0.0.5", "10.0.0.6", "10.0.0.7", "2001:db8::5"):
            self.tell("del", "x", each)
        with open(self.path) as file:
            self.assertEqual(file.read(), "[\n\n]\n")

    def test_refused(self) -> None:
        """
        What is not known is refused, and changes nothing.
        """
        self.tell("add", "52:54:00:00:00:01", "10.0.0.5")
        with open(self.path) as file:
            before = file.read()
        self.assertRaises(LeaseError, self.tell, "tftp", "5", "1.2.3.4", "/x")
        self.assertRaises(LeaseError, self.tell, "add", "a", "10.0.0.6", LEASE_EXPIRES="x")
        for arguments, environment in (
            (["add", "a"], {"DNSMASQ_INTERFACE": "b"}),
            (["add", "a", "10.0.0.6"], {}),
            (["add", "a", "10.0.0.6"], {"DNSMASQ_INTERFACE": "../b"}),
            (["init"], {"VIR_BRIDGE_NAME": "a/b"}),
        ):
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                self.assertEqual(
                    main(arguments, {**environment, FOLDER: os.path.dirname(self.path)}), 1
                )
            self.assertNotEqual(said.getvalue(), "")
        with open(self.path) as file:
            self.assertEqual(file.read(), before)

    def test_nonsense(self) -> None:
        """
        A file that makes no sense is an error for those who ask.  Where it is no JSON it is written anew.
        """
        for text in (
            "{}",
            "[5]",
            "nonsense",
            '[{"mac-address": 5}]',
            "[" * 100000,
            '{"a": ' * 9999,
        ):
            with open(self.path, "w") as file:
                file.write(text)
            self.assertRaises(VirtError, leases, self.path, _PLAIN, "b", 0)
            if (text[0] == "[" and len(text) < 10) or text == "{}":
                self.assertRaises(LeaseError, self.tell, "init")
            else:
                self.tell("init")

    def test_noText(self) -> None:
        """
        Halves of characters, which JSON and arguments can have, are told and written down as something else.
        """
        entry = '{"ip-address": "10.0.0.4", "mac-address": "m", "hostname": "a\\ud800", "expiry-time": 0}'
        with open(self.path, "w") as file:
            file.write(f"[{entry}]")
        self.tell("add", "52:54:00:00:00:01", "10.0.0.5", "b\udcff")
        self.assertEqual(
            [each.hostname for each in leases(self.path, _PLAIN, "b", 0)], ["a?", "b?"]
        )
        folder = self.mktemp()
        os.mkdir(folder)
        with open(os.path.join(folder, "b.status"), "w") as file:
            file.write(f"[{entry}]")
        self.assertEqual(leases(file.name, _PLAIN, "b", 0)[0].hostname, "a?")
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        with contextlib.redirect_stdout(out):
            self.assertEqual(main(["init"], {"VIR_BRIDGE_NAME": "b", FOLDER: folder}), 0)
        out.flush()
        self.assertEqual(out.buffer.getvalue(), b"0 m 10.0.0.4 a? *\n")  # type: ignore[attr-defined]
        with open(os.path.join(folder, "b.macs"), "w") as file:
            file.write('[{"domain": "\\ud800", "macs": ["m1"]}]')
        noteGuest(folder, "b", "g", "m2", True)
        with open(file.name) as file:
            self.assertEqual([each["domain"] for each in json.load(file)], ["?", "g"])

    def test_guests(self) -> None:
        """
        Which guest has which addresses is written down as long as it has one.
        """
        folder = self.mktemp()
        os.mkdir(folder)
        path = os.path.join(folder, "b.macs")
        for name, mac, here in (("g", "m1", True), ("g", "m2", True), ("h", "m3", True)):
            noteGuest(folder, "b", name, mac, here)
        noteGuest(folder, "b", "g", "m1", False)
        with open(path) as file:
            self.assertEqual(
                json.load(file), [{"domain": "g", "macs": ["m2"]}, {"domain": "h", "macs": ["m3"]}]
            )
        with open(path, "w") as file:
            file.write('[{"domain": 5}]')
        noteGuest(folder, "b", "g", "m2", False)
        with open(path) as file:
            self.assertEqual(file.read(), "[\n\n]\n")

    def test_absent(self) -> None:
        """
        Where nothing was lent there are none.
        """
        self.assertEqual(leases(self.path, _PLAIN, "b", 0), [])


class ServerTests(TestCase):
    timeout = 120

    async def test_foundAgain(self) -> None:
        """
        A name server that an earlier life has started runs what writes leases down where that is now.
        """
        processes = Processes(reactor)
        host = makeHost(self.mktemp(), processes, reactor)
        for folder in (host.layout.networkState, host.layout.dnsmasq):
            os.makedirs(folder)
        # Should it not be found, none is started.
        os.makedirs(f"{host.layout.dnsmasq}/n.conf")
        word = f"--conf-file={host.layout.dnsmasq}/n.conf"
        uuid = "<uuid>11111111-2222-3333-4444-555555555555</uuid>"
        network = Network(_network(f"{uuid}<bridge name='b'/><ip address='10.0.0.1' prefix='24'/>"))
        server = processes.start(Command(argv=("/bin/sh", "-c", "kill -STOP $$", "sh", word)))
        with open(f"{host.layout.networkState}/n.pid", "w") as file:
            file.write(f"{server.pid}\n")

        def words() -> bytes:
            with open(f"/proc/{server.pid}/cmdline", "rb") as file:
                return file.read()

        try:
            while word.encode() not in words():  # for a moment a new process has none
                await deferLater(reactor, 0.005)
            await Runner(host).again(network)
            self.assertEqual(network.server.pid, server.pid)
        finally:
            server.kill(9)
            await server.whenEnded()
        await network.server.whenEnded()
        script = f"{host.layout.dnsmasq}/.leasehelper"
        told = {"DNSMASQ_INTERFACE": "b", "DNSMASQ_LEASE_EXPIRES": "9"}
        add = Command(argv=(script, "add", "m", "10.0.0.5", "it's"), environment=told)
        await processes.run(add)
        init = Command(argv=(script, "init"), environment={"VIR_BRIDGE_NAME": "b"})
        finished = await processes.run(init)
        self.assertEqual(finished.output, b"9 m 10.0.0.5 it's *\n")
        # Where nothing is run from there the helper is run by itself.
        told = {FOLDER: host.layout.dnsmasq, "VIR_BRIDGE_NAME": "b"}
        alone = Command(argv=(leasehelper.__file__, "init"), environment=told)
        self.assertEqual((await processes.run(alone)).output, finished.output)


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
