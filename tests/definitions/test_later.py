"""Classes of domains are loaded when an element that wants them is met."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import Devices, DomainDefinition, formatDevice, parseDevice
from pyvirt.definitions.domain._top import _DEVICES
from pyvirt.definitions.kinds import Kind
from pyvirt.definitions.schema import classOf, specsOf

_LOADED = """
import sys
from pyvirt.definitions.domain import check, completed, formatDomain, parseDomain

def loaded():
    return {name.rpartition(".")[2] for name in sys.modules if name.startswith("pyvirt.definitions.domain._")}

def through(devices):
    text = "<domain type='test'><name>a</name><memory>4096</memory><os><type>hvm</type></os>" + devices + "</domain>"
    definition = completed(parseDomain(text), random=bytes)
    check(definition)
    return formatDomain(definition)

through("")
before = loaded()
print(*sorted(before))
assert "<interface type='user'>" in through("<devices><interface type='user'/></devices>")
print(*sorted(loaded() - before))
"""


class LaterTests(SynchronousTestCase):
    """What is named is there, and loaded when it is wanted."""

    def test_named(self) -> None:
        """Every class that is named in text exists, and devices by themselves are of the class that a domain has."""
        for kind in (Devices, DomainDefinition):
            for name, spec in specsOf(kind).items():
                if spec.form in ("element", "elements") and not isinstance(spec.kind, Kind):
                    self.assertIsInstance(classOf(spec.kind), type, name)
        specs = specsOf(Devices)
        for tag, (name, kind) in _DEVICES.items():
            self.assertIs(classOf(kind), classOf(specs[name].kind), tag)
            self.assertEqual(specs[name].name, tag)

    def test_wanted(self) -> None:
        """A domain without devices loads no class of devices; one with some loads what completes and checks them."""
        done = subprocess.run(
            [sys.executable, "-c", _LOADED], capture_output=True, text=True, timeout=120, check=True
        )
        plain, more = (set(line.split()) for line in done.stdout.splitlines())
        self.assertEqual(
            plain,
            {
                "_check",
                "_clock",
                "_complete",
                "_lookup",
                "_os",
                "_qemu",
                "_refusals",
                "_test",
                "_top",
            },
        )
        self.assertIn("_net", more)
        self.assertIn("_checkdevices", more)
        self.assertNotIn("_tune", more)

    def test_device(self) -> None:
        """A device by itself is read and written."""
        name, device = parseDevice("<watchdog model='i6300esb' action='poweroff'/>")
        self.assertEqual(name, "watchdogs")
        self.assertEqual(
            formatDevice(name, device), "<watchdog model='i6300esb' action='poweroff'/>\n"
        )
