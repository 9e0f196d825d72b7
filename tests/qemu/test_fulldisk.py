"""
The disk is full at each write of everything that can be asked of a guest, running or not.

Writing is counted once while there is room; then each write in turn finds none.  Every call ends, with an error that
says so or as if nothing had happened; what was on disk before is whole, and is what the driver believes; nothing is left
half written.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pyvirt import constants as c
from pyvirt.definitions.domain import formatDomain, parseDomain
from pyvirt.drivers.interfaces.definition import IDomainDefinition
from pyvirt.drivers.interfaces.devices import IDomainDevices
from pyvirt.drivers.interfaces.resources import IDomainResources
from pyvirt.drivers.interfaces.tuning import IDomainTuning
from pyvirt.errors import VirtError
from tests.qemu.test_faultsduring import FINISHING, MADE, World, operations

CONFIG = c.VIR_DOMAIN_AFFECT_CONFIG
_NIC = (
    "<interface type='user'><mac address='52:54:00:00:00:0{}'/><model type='virtio'/></interface>"
)

#: What changes definitions: the contract, its method, and what it is called with.
STORED: list[tuple[Any, str, tuple[Any, ...]]] = [
    (IDomainDefinition, "domainSetMetadata", (0, "about", None, None, CONFIG)),
    (IDomainDefinition, "domainSetMetadata", (0, "about", None, None, CONFIG | 1)),
    (IDomainDefinition, "domainSetAutostart", (1,)),
    (IDomainDefinition, "domainUndefineFlags", (c.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM,)),
    (IDomainDevices, "domainAttachDeviceFlags", (_NIC.format(7), CONFIG)),
    (IDomainDevices, "domainAttachDeviceFlags", (_NIC.format(7), CONFIG | 1)),
    (IDomainDevices, "domainDetachDeviceFlags", (_NIC.format(1), CONFIG)),
    (IDomainDevices, "domainDetachDeviceFlags", (_NIC.format(1), CONFIG | 1)),
    (IDomainResources, "domainSetVcpusFlags", (2, CONFIG)),
    (IDomainResources, "domainSetVcpusFlags", (2, CONFIG | 1)),
    (IDomainResources, "domainSetMemoryFlags", (32768, CONFIG | 1)),
    (IDomainResources, "domainPinEmulator", ("1", CONFIG)),
    (IDomainTuning, "domainSetMemoryParameters", ([], CONFIG)),
]


class FullDiskTests(SynchronousTestCase):
    """Each operation, each of its writes."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        self.written = 0
        self.full = 0
        self.paths: list[str] = []
        for name in ("write", "pwrite", "fsync", "rename"):
            self.patch(os, name, self.counting(getattr(os, name)))

    def counting(self, real: Any) -> Any:
        """Return what writes like the system, and fails when it is its turn."""

        def done(where: Any, *arguments: Any, **more: Any) -> Any:
            path = os.readlink(f"/proc/self/fd/{where}") if isinstance(where, int) else where
            if path.startswith(self.folder):
                self.written += 1
                self.paths.append(path)
                if self.written == self.full:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(where, *arguments, **more)

        return done

    def world(self) -> World:
        """Return a guest whose definition and status are on disk."""
        self.full = 0
        world = World(self.folder)
        world.hypervisor.store.saveDefinition(world.domain.persistentDefinition)
        world.hypervisor.saveStatus(world.domain)
        world.qemu.said.clear()
        self.written, self.paths = 0, []
        return world

    def check(self, family: Any, name: str, arguments: tuple[Any, ...], at: int) -> str:
        """Have one write fail; return what is wrong with how that ended, "" if nothing is."""
        world = self.world()
        self.full = at
        result = world.call(family, name, arguments)
        world.wait(result)
        struck = self.paths[at - 1] if len(self.paths) >= at else "nothing"
        self.full = 0
        wrong: list[str] = []
        if not result:
            wrong.append("never ends")
        failed = bool(result) and isinstance(result[0], Failure)
        if failed and not isinstance(result[0].value, VirtError):
            wrong.append(result[0].getTraceback()[-700:])
        elif failed and "No space left" not in str(result[0].value.message):
            wrong.append(f"says {result[0].value.message}")
        wrong += ["logged: " + each.getTraceback()[-700:] for each in self.flushLoggedErrors()]
        domain, layout = world.domain, world.hypervisor.layout
        if domain.jobs.holder is not None:
            wrong.append(f"held by {domain.jobs.holder}")
        if domain.unwritten:
            # It is tried again with the next change.
            world.hypervisor.saveStatus(domain)
        if domain.persistent:
            with open(layout.definition("g")) as file:
                stored = file.read()
            believed = formatDomain(domain.persistentDefinition, secure=True, inactive=True)
            if (
                len({formatDomain(parseDomain(each), secure=True) for each in (stored, believed)})
                > 1
            ):
                wrong.append("what is on disk is not what is believed")
        world.end()
        if domain.active:
            wrong.append("cannot be destroyed")
        left = [
            os.path.join(kept, each) for kept, _, files in os.walk(self.folder) for each in files
        ]
        wrong += [f"left {each}" for each in left if each.endswith(".new")]
        if failed:
            last = world.qemu.said[-1:] and world.qemu.said[-1] in FINISHING
            made = (
                [] if last and "dump" not in struck else [f"{self.folder}/{each}" for each in MADE]
            )
            wrong += [f"left {each}" for each in made if os.path.exists(each)]
            if os.path.exists(layout.managedSave("g")):
                wrong.append("left a saved guest")
            if list(domain.snapshots) or list(domain.checkpoints):
                wrong.append("left a moment")
        return f"{struck}: " + "; ".join(wrong) if wrong else ""

    def test_everything(self) -> None:
        """Whatever does not fit, each call ends, says why, and leaves nothing half written."""
        problems = []
        times = 0
        for family, name, arguments in [*operations(), *STORED]:
            world = self.world()
            result = world.call(family, name, arguments)
            world.wait(result)
            writes = self.written
            world.end()
            for at in range(1, writes + 1):
                times += 1
                wrong = self.check(family, name, arguments, at)
                if wrong:
                    problems.append(f"{name}{arguments} at {at}: {wrong}")
        self.assertEqual(problems, [], "\n".join(problems))
        self.assertGreater(times, 100)
