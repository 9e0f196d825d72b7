"""
What QEMU tells reaches those who know what to do, whatever was loaded before.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

import pyvirt.drivers.qemu as driver
from pyvirt import constants as c
from pyvirt.definitions.domain import parseDomain
from pyvirt.drivers.interfaces.events import EventKind
from pyvirt.drivers.qemu.connecting import answering
from pyvirt.drivers.qemu.happenings import ELSEWHERE
from tests.qemu.scriptedqemu import PluggedGuest

_FOLDER = os.path.dirname(driver.__file__)


class TableTests(SynchronousTestCase):
    """The table of events that are dealt with elsewhere."""

    def test_whole(self) -> None:
        """Each event that another module than the table's deals with is found there."""
        found = {}
        for folder, _, names in os.walk(_FOLDER):
            for name in names:
                path = os.path.join(folder, name)
                if name.endswith(".py") and name != "happenings.py":
                    with open(path, encoding="utf-8") as file:
                        for event in re.findall(r'\bhandles\("(\w+)"\)', file.read()):
                            module = os.path.relpath(path, _FOLDER).removesuffix(".py")
                            found[event] = module.replace(os.sep, ".")
        self.assertEqual(found, ELSEWHERE)

    def test_loaded(self) -> None:
        """They are loaded when the first one comes, by a daemon that has only found its guests again."""
        program = (
            "import sys\n"
            "from types import SimpleNamespace as Thing\n"
            "import pyvirt.drivers.qemu.reconnecting\n"
            "from pyvirt.drivers.qemu import happenings\n"
            "from pyvirt.drivers.qemu.qmp import MonitorEvent\n"
            "early = set(happenings.HANDLERS)\n"
            "guest = object()\n"
            "domain = Thing(guest=guest)\n"
            "import pyvirt.drivers.qemu.monitorevents as events\n"
            "events.passOn = lambda *_: None\n"
            "for name in ('BLOCK_WRITE_THRESHOLD', 'DEVICE_DELETED'):\n"
            "    happenings.happened(None, domain, guest, MonitorEvent(name, {}, 0, 0))\n"
            "print(sorted(set(happenings.HANDLERS) - early))\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        self.assertIn("'BLOCK_WRITE_THRESHOLD'", done.stdout)
        self.assertIn("'DEVICE_DELETED'", done.stdout)


class AgentTests(SynchronousTestCase):
    """A channel for an agent, which the guest opens and closes."""

    def setUp(self) -> None:
        folder = self.mktemp()
        os.mkdir(folder)
        self.plugged = PluggedGuest(
            folder,
            "<domain type='qemu'><name>g</name><memory>1024</memory><os><type machine='pc'>hvm</type></os>"
            "<devices><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
            "</devices></domain>",
            (os.getuid(), os.getgid()),
        )
        self.made: list[tuple[Any, Deferred[Any]]] = []
        self.plugged.hypervisor.connect = self.connect

    def connect(self, path: str, protocol: Any) -> Deferred[Any]:
        self.made.append((protocol, Deferred()))
        return self.made[-1][1]

    def port(self, opened: bool) -> None:
        """Let the guest open or close its channel."""
        event = {"event": "VSERPORT_CHANGE", "data": {"id": "channel0", "open": opened}}
        self.plugged.qemu.tell(event)

    def connected(self, number: int) -> Any:
        """Let a conversation begin."""
        protocol, made = self.made[number]
        protocol.makeConnection(StringTransport())
        made.callback(protocol)
        return protocol

    def test_again(self) -> None:
        """That the last conversation is over is noticed late, and is not the end of the next one."""
        self.port(True)
        first = self.connected(0)
        self.port(False)
        self.assertIsNone(self.plugged.guest.agent)
        self.assertTrue(first.transport.disconnecting)
        self.port(True)
        second = self.connected(1)
        first.connectionLost()
        self.assertIs(self.plugged.guest.agent, second)
        second.connectionLost()
        self.assertIsNone(self.plugged.guest.agent)

    def test_twice(self) -> None:
        """Of two conversations that were about to begin there is one."""
        for opened in (True, False, True):
            self.port(opened)
        first, second = self.connected(0), self.connected(1)
        self.assertIs(self.plugged.guest.agent, first)
        self.assertEqual(
            (first.transport.disconnecting, second.transport.disconnecting), (False, True)
        )
        second.connectionLost()
        self.assertIs(self.plugged.guest.agent, first)

    def test_told(self) -> None:
        """Whatever was known, clients hear each time that QEMU tells of the agent's channel, as after a guest was restored."""
        told: list[tuple[Any, ...]] = []
        number = c.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE
        self.plugged.hypervisor.hub.subscribe(
            EventKind.DOMAIN, number, None, lambda event: told.append(event.details)
        )
        for opened in (False, False, True, True):
            self.port(opened)
        reason = c.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_CHANNEL
        self.assertEqual(told, [(state, reason) for state in (2, 2, 1, 1)])


class AnsweringTests(SynchronousTestCase):
    """How long QEMU may take until it answers."""

    def test_filled(self) -> None:
        """Memory that is gone through first takes its time."""
        text = "<domain type='qemu'><name>a</name><memory unit='GiB'>64</memory>{}<os><type>hvm</type></os></domain>"
        backing = "<memoryBacking>{}</memoryBacking>"
        for inside, seconds in (
            ("", 30.0),
            (backing.format("<source type='memfd'/>"), 30.0),
            (backing.format("<locked/>"), 670.0),
            (backing.format("<hugepages/>"), 670.0),
            (backing.format("<allocation mode='immediate'/>"), 670.0),
        ):
            self.assertEqual(answering(parseDomain(text.format(inside))), seconds)
