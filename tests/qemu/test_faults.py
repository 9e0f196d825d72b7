"""
What becomes of a guest whose QEMU dies, hangs, refuses or talks nonsense, and of one for which there is no room on disk.

The driver is the real one with real processes; QEMU is L{FakeQEMU}.  Time is a clock's, so deadlines pass when a test
says so.
"""

from __future__ import annotations

import glob
import json
import os
import signal
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from pyvirt import constants as c
from pyvirt.drivers import filestore
from pyvirt.drivers.interfaces.definition import IDomainDefinition
from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.qemu.connecting import connectorFor
from pyvirt.drivers.qemu.driver import QEMUDriver
from pyvirt.errors import VirtError
from pyvirt.process import Processes
from pyvirt.testing import FakeQEMU
from tests.test_process import TimedReactor

GUEST = """<domain type='qemu'><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid>
<memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>{emulator}</emulator>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/>
<target dev='vda' bus='virtio'/></disk>
<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>"""


class FaultCase(TestCase):
    """One driver with one guest."""

    timeout = 300

    async def setUp(self) -> None:
        if os.geteuid() != 0:
            raise SkipTest("files are given to guests by root")
        self.root = os.path.abspath(self.mktemp())
        os.makedirs(self.root + "/etc/libvirt")
        with open(self.root + "/etc/libvirt/qemu.conf", "w") as file:
            file.write('user = "root"\ngroup = "root"\nsecurity_driver = "none"\n')
            file.write("cgroup_controllers = []\n")  # those are of the host
        self.disk = self.root + "/disk.img"
        with open(self.disk, "wb") as disk:
            disk.truncate(1 << 20)
        os.chown(self.disk, 12345, 12345)
        self.fake = FakeQEMU(self.root)
        self.clock = TimedReactor()
        await self.open()
        self.xml = GUEST.format(emulator=self.fake.path, disk=self.disk)

    async def open(self) -> None:
        """Have a daemon start."""
        self.driver = QEMUDriver(Processes(reactor), connectorFor(reactor))
        await self.driver.stateInitialize(OpenContext(reactor=self.clock), self.root, True)
        connection: Any = self.driver.open(None, OpenContext(reactor=self.clock))
        self.definitions: Any = connection.component(IDomainDefinition)
        self.life: Any = connection.component(IDomainLifecycle)

    async def tearDown(self) -> None:
        self.fake.plan()
        await self.driver.stateStop()
        for pid in self.fake.processes():
            os.kill(pid, signal.SIGKILL)
        await self.until(lambda: not self.fake.processes() and not self.watched())

    @staticmethod
    def watched() -> list[Any]:
        """Return the processes whose end has not been noticed."""
        readers = reactor.getReaders()  # type: ignore[attr-defined]
        return [each for each in readers if type(each).__module__ == "pyvirt._running"]

    async def until(self, true: Any) -> None:
        """Wait until something is so."""
        for _ in range(12000):
            if true():
                return
            await deferLater(reactor, 0.005)
        self.fail(f"it never came true: {self.fake.asked()}")

    async def outcome(self, work: Any) -> str:
        """Wait for something to end; deadlines pass while nothing else can happen.  Return its error, "" for none."""
        running = Deferred.fromCoroutine(work)
        said: list[str] = []
        running.addCallbacks(
            lambda _: said.append(""), lambda failure: said.append(self.message(failure))
        )
        return await self.result(said)

    async def result(self, said: list[str]) -> str:
        passed = 0
        for _ in range(12000):
            if said:
                return said[0]
            if passed < 60 and self.hanging():
                # It will not answer: let its time pass, and no more, for whoever ends it needs some that is real.
                self.clock.advance(1.0)
                passed += 1
            await deferLater(reactor, 0.005)
        self.fail(f"it never ended: {self.fake.asked()} {self.fake.processes()}")

    hung: tuple[str, ...] = ()

    def hanging(self) -> bool:
        """Whether QEMU has been told what it never answers."""
        asked = [what for kind in ("guest", "probe") for _, what in self.fake.asked(kind)]
        return any(what in asked for what in self.hung)

    def message(self, failure: Any) -> str:
        error = failure.value
        if not isinstance(error, VirtError):
            return f"{type(error).__name__}: {failure.getTraceback()}"
        return str(error.message)

    def left(self) -> list[str]:
        """Return what a start that failed has left behind."""
        found = [f"process {pid}" for pid in self.fake.processes()]
        for folder in ("run/libvirt/qemu", "var/lib/libvirt/qemu"):
            for path, folders, files in os.walk(os.path.join(self.root, folder)):
                found += [os.path.join(path, each) for each in files]
                found += [os.path.join(path, each) for each in folders if each.startswith("domain")]
        found = [
            os.path.relpath(each, self.root) if each.startswith("/") else each for each in found
        ]
        if os.stat(self.disk).st_uid != 12345:
            found.append("the owner of the disk")
        mine = ("run/libvirt/qemu/driver.pid", "run/libvirt/qemu/autostarted")
        return [each for each in found if each not in mine]

    async def define(self) -> Any:
        return await self.definitions.domainDefineXMLFlags(self.xml, 0)

    def state(self, dom: Any) -> tuple[int, int]:
        state = self.life.domainGetState(dom, 0)
        return state.state, state.reason


#: What goes wrong, and what is said of it.
GONE = "internal error: qemu unexpectedly closed the monitor"
SENSE = "internal error: QEMU's monitor makes no sense: "
FAULTS = {
    "die": GONE,
    "vanish": GONE,
    "crash": GONE,
    "cut": GONE,
    "nonsense": SENSE,
    "bare": SENSE,
    "endless": SENSE,
}


class StartTests(FaultCase):
    """Guests that do not come to life: a clear error, and nothing left behind."""

    async def refused(self, dom: Any, at: str, fault: str, said: str) -> None:
        """Start a guest in which something goes wrong, and look for what is left."""
        self.fake.forget()
        self.fake.plan(guest={at: fault})
        self.hung = (at,) if fault in ("hang", "mute") else ()
        error = await self.outcome(self.life.domainCreateWithFlags(dom, 0, []))
        self.assertTrue(error.startswith(said), f"{at} {fault}: {error}")
        if said == GONE and fault == "die":
            self.assertIn("the fake was told to die", error)
        await self.until(lambda: not self.fake.processes())
        self.assertEqual(self.left(), [], f"{at} {fault}")
        self.assertEqual(self.state(dom)[0], c.VIR_DOMAIN_SHUTOFF)
        self.hung = ()

    async def test_atEachStep(self) -> None:
        """It dies, is killed or talks nonsense at its start, its greeting and each command; then it starts."""
        dom = await self.define()
        self.assertEqual(await self.outcome(self.life.domainCreateWithFlags(dom, 0, [])), "")
        steps = list(dict.fromkeys(what for _, what in self.fake.asked() if what != "start"))
        self.assertIn("cont", steps)
        await self.life.domainDestroyFlags(dom, 0)
        for fault in ("die", "vanish", "crash"):
            await self.refused(dom, "start", fault, GONE)
        for step in steps:
            for fault, said in FAULTS.items():
                if step == "cont" and said == GONE:
                    # It had come to life: what it printed is in its log.
                    said = "internal error: End of file from qemu monitor"
                await self.refused(dom, step, fault, said)
        self.fake.plan()
        self.assertEqual(await self.outcome(self.life.domainCreateWithFlags(dom, 0, [])), "")
        await self.life.domainDestroyFlags(dom, 0)
        self.assertEqual(self.left(), [])

    async def test_unanswered(self) -> None:
        """A guest that never answers is given up when its time is over."""
        dom = await self.define()
        for step in ("start", "greeting", "query-cpus-fast", "cont"):
            for fault in ("hang",) if step == "start" else ("hang", "mute"):
                said = (
                    "internal error: QEMU's monitor does not answer"
                    if step in ("start", "greeting")
                    else f"Timed out during operation: QEMU did not answer command '{step}' in time"
                )
                await self.refused(dom, step, fault, said)

    async def test_refusals(self) -> None:
        """What QEMU refuses is said in its words."""
        dom = await self.define()
        for step in ("query-chardev", "cont"):
            said = f"internal error: unable to execute QEMU command '{step}': the fake refuses"
            await self.refused(dom, step, "refuse", said)

    async def test_strangeAnswers(self) -> None:
        """Answers that nobody asked for, or that come twice, change nothing; what has no shape is no answer."""
        dom = await self.define()
        for fault in ("stranger", "twice", "wrong"):
            self.fake.plan(guest=dict.fromkeys(("query-chardev", "query-cpus-fast", "cont"), fault))
            self.assertEqual(await self.outcome(self.life.domainCreateWithFlags(dom, 0, [])), "")
            self.fake.plan()
            await self.life.domainDestroyFlags(dom, 0)
            self.assertEqual(self.left(), [])

    async def test_probing(self) -> None:
        """A binary that dies, hangs or talks nonsense when it is asked what it can do is refused, each time anew."""
        for step in ("start", "greeting", "query-version", "query-machines"):
            for fault in ("die", "vanish", "crash", "cut", "nonsense", "bare", "hang", "wrong"):
                if (fault == "wrong" and not step.startswith("query")) or (
                    step == "start" and fault in ("cut", "nonsense", "bare")
                ):
                    continue
                self.fake.forget()
                self.fake.plan(probe={step: fault})
                self.hung = (step,) if fault == "hang" else ()
                error = await self.outcome(self.definitions.domainDefineXMLFlags(self.xml, 0))
                said = "internal error: Failed to probe QEMU binary with QMP: "
                if step in ("start", "greeting") and fault in ("die", "vanish", "crash", "cut"):
                    said = f"internal error: Failed to start QEMU binary {self.fake.path} for probing: "
                    if fault in ("vanish", "cut"):
                        said = "Failed to read pidfile "
                self.assertTrue(error.startswith(said), f"{step} {fault}: {error}")
                await self.until(lambda: not self.fake.processes())
        self.fake.plan()
        self.hung = ()
        await self.define()

    async def test_kept(self) -> None:
        """What was kept of a binary and is no use is asked anew."""
        await self.define()
        (path,) = glob.glob(self.root + "/var/cache/libvirt/qemu/**/*.json", recursive=True)
        with open(path) as file:
            kept = json.load(file)
        for replies in (
            17,
            [],
            {},
            None,
            {"query-version": 5},
            {**kept["replies"], "query-machines": 9},
        ):
            with open(path, "w") as file:
                json.dump({**kept, "replies": replies}, file)
            await self.driver.stateStop()
            self.fake.forget()
            await self.open()
            await self.define()
            self.assertNotEqual(self.fake.asked("probe"), [], replies)
        for data in ("", "{", "[]", "17", '{"binary": 5}'):
            with open(path, "w") as file:
                file.write(data)
            await self.driver.stateStop()
            await self.open()
            await self.define()

    async def test_files(self) -> None:
        """An image, a kernel or an emulator that is not there is named."""
        dom = await self.define()
        os.rename(self.disk, self.disk + ".away")
        error = await self.outcome(self.life.domainCreateWithFlags(dom, 0, []))
        os.rename(self.disk + ".away", self.disk)
        self.assertTrue(error.startswith(f"Cannot access storage file '{self.disk}'"), error)
        self.assertTrue(error.endswith(": No such file or directory"), error)
        self.assertEqual(self.left(), [])
        os.chmod(self.fake.path, 0o600)
        error = await self.outcome(self.life.domainCreateWithFlags(dom, 0, []))
        self.assertIn(self.fake.path, error)
        self.assertEqual(self.left(), [])


class RunningTests(FaultCase):
    """Guests that go wrong while they run."""

    async def test_duringCommands(self) -> None:
        """A guest that dies while something is asked of it is gone afterwards, and starts again."""
        dom = await self.define()
        for fault in ("die", "vanish", "crash", "cut"):
            self.assertEqual(await self.outcome(self.life.domainCreateWithFlags(dom, 0, [])), "")
            self.fake.plan(guest={"stop": fault})
            error = await self.outcome(self.life.domainSuspend(dom))
            self.assertTrue(error.startswith("internal error: End of file from qemu mon"), error)
            await self.until(lambda: self.state(dom)[0] == c.VIR_DOMAIN_SHUTOFF)
            self.assertIn(
                self.state(dom)[1], (c.VIR_DOMAIN_SHUTOFF_CRASHED, c.VIR_DOMAIN_SHUTOFF_FAILED)
            )
            await self.until(lambda: self.left() == [])
            self.fake.plan()

    async def test_survives(self) -> None:
        """A guest that refuses or does not answer is still there, and can be destroyed."""
        dom = await self.define()
        for fault in ("refuse", "mute", "hang"):
            self.fake.forget()
            self.fake.plan()
            self.assertEqual(await self.outcome(self.life.domainCreateWithFlags(dom, 0, [])), "")
            self.fake.plan(guest={"stop": fault})
            self.hung = ("stop",) if fault != "refuse" else ()
            error = await self.outcome(self.life.domainSuspend(dom))
            self.assertNotEqual(error, "")
            self.assertEqual(self.state(dom)[0], c.VIR_DOMAIN_RUNNING)
            self.hung = ()
            self.assertEqual(await self.outcome(self.life.domainDestroyFlags(dom, 0)), "")
            self.assertEqual(self.left(), [])

    async def test_restart(self) -> None:
        """A daemon that starts finds a guest that answers, and gives up one that talks nonsense without losing it."""
        dom = await self.define()
        self.assertEqual(await self.outcome(self.life.domainCreateWithFlags(dom, 0, [])), "")
        await self.driver.stateStop()
        await self.open()
        self.assertEqual(self.state(dom)[0], c.VIR_DOMAIN_RUNNING)
        await self.driver.stateStop()
        self.fake.plan(guest={"greeting": "nonsense"})
        await self.open()
        self.assertEqual(len(self.fake.processes()), 1)
        self.assertEqual(await self.outcome(self.life.domainDestroyFlags(dom, 0)), "")
        self.assertEqual(self.left(), [])


class FullDiskTests(FaultCase):
    """No room for what the driver writes."""

    def full(self, match: str) -> None:
        """Have writing of files with a word in their names fail."""

        def written(path: str, data: bytes, mode: int = 0o600) -> None:
            if match in path:
                try:
                    with open("/dev/full", "wb", buffering=0) as file:
                        file.write(b"x")
                except OSError as problem:
                    raise filestore.systemError(
                        problem, f"cannot write data to file '{path}'", 0
                    ) from None
            kept(path, data, mode)

        from pyvirt.drivers.qemu import store

        kept = store.writeWhole
        self.patch(store, "writeWhole", written)

    async def test_definition(self) -> None:
        """A definition that cannot be written is not defined."""
        self.full("etc/libvirt/qemu/g.xml")
        error = await self.outcome(self.definitions.domainDefineXMLFlags(self.xml, 0))
        self.assertIn("No space left on device", error)
        self.assertEqual(self.definitions.connectListAllDomains(0), [])

    async def test_status(self) -> None:
        """A guest of which nobody would know after a restart does not start."""
        dom = await self.define()
        self.full("run/libvirt/qemu/g.xml")
        error = await self.outcome(self.life.domainCreateWithFlags(dom, 0, []))
        self.assertIn("No space left on device", error)
        await self.until(lambda: not self.fake.processes())
        self.assertEqual(self.left(), [])
