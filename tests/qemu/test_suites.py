"""
The suites for authors of drivers, run on the QEMU driver around a QEMU in memory, as far as that goes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import parseDomain
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.qemu.components import componentClass
from pyvirt.testing import suites
from tests.qemu.scriptedqemu import PluggedGuest, ScriptedQEMU

XML = """<domain type='qemu'><name>{}</name><uuid>{}</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><memballoon model='none'/></devices></domain>"""


def _xml(name: str) -> str:
    return XML.format(name, uuid5(NAMESPACE_URL, name))


class _HeldQEMU(ScriptedQEMU):
    """A QEMU that can be kept from answering."""

    held: list[bytes] | None = None

    def write(self, data: bytes) -> None:
        if self.held is None:
            super().write(data)
        else:
            self.held.append(data)

    def release(self) -> None:
        """Answer what came meanwhile, and from now on."""
        held, self.held = self.held or [], None
        for data in held:
            self.write(data)


class _Guest(PluggedGuest):
    qemuClass = _HeldQEMU


class _Connection:
    """The driver's connection, as far as its components go."""

    def __init__(self, world: _Guest) -> None:
        self.world = world
        self._made: dict[Any, Any] = {}

    def component(self, interface: Any) -> Any:
        if interface not in self._made:
            self._made[interface] = componentClass(interface)(self.world.hypervisor, self)
        return self._made[interface]

    def close(self) -> None:
        """Nothing is kept for a client."""


class OnQEMU:
    """How the suites reach the QEMU driver."""

    def makeConnection(self) -> Any:
        folder = os.path.abspath(self.mktemp())  # type: ignore[attr-defined]
        self.world = _Guest(folder, _xml("running"), (os.getuid(), os.getgid()))
        return _Connection(self.world)

    def running(self, name: str = "") -> DomainRef:
        return self.world.domain.ref

    def define(self, name: str) -> DomainRef:
        return self.world.hypervisor.domains.add(parseDomain(_xml(name))).ref


class HypervisorCommandsTests(OnQEMU, suites.HypervisorCommandsContract, SynchronousTestCase):
    """Commands of users for QEMU."""


class MonitorEventsTests(OnQEMU, suites.MonitorEventsContract, SynchronousTestCase):
    """What QEMU tells."""

    monitorEvent = "NIC_RX_FILTER_CHANGED_BY_SUITE"

    def provoke(self, dom: DomainRef) -> None:
        stamp = {"seconds": 1, "microseconds": 2}
        self.world.qemu.tell(
            {"event": self.monitorEvent, "data": {"name": "x"}, "timestamp": stamp}
        )


class ClientWatchTests(OnQEMU, suites.ClientWatchContract, SynchronousTestCase):
    """Clients that leave while QEMU has not answered."""

    def begin(self) -> tuple[Any, Callable[[], None]]:
        self.world.qemu.held = []
        interface = suites.HypervisorCommandsContract.contract
        component = self.connection.component(interface)  # type: ignore[attr-defined]
        command = json.dumps({"execute": "query-name"})
        answer = component.domainQemuMonitorCommand(self.running(), command, 0)
        return Deferred.fromCoroutine(answer), self.world.qemu.release
