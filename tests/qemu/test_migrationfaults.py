"""
Guests that move between two hosts while something breaks, at every command that either QEMU hears and at every step.

The drivers are the real ones, and so are their processes; QEMU is L{FakeQEMU}.  Whatever breaks, exactly one guest is
left running, unless it was that guest that ended; and it can be moved, or ended, afterwards.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from pyvirt import constants as c
from pyvirt.drivers.interfaces.definition import IDomainDefinition
from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.interfaces.jobs import IDomainJobs
from pyvirt.drivers.interfaces.lifecycle import IDomainLifecycle
from pyvirt.drivers.interfaces.migration import IDomainMigration
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.drivers.qemu.connecting import connectorFor
from pyvirt.drivers.qemu.driver import QEMUDriver
from pyvirt.errors import VirtError
from pyvirt.process import Processes
from pyvirt.testing import FakeQEMU
from tests.test_process import TimedReactor

GUEST = """<domain type='qemu'><name>g</name><uuid>11111111-2222-3333-4444-555555555555</uuid>
<memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>{emulator}</emulator>
<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>"""

STEPS = ("begin", "prepare", "perform", "finish", "confirm")
#: Which end takes which step.
_AT = dict(zip(STEPS, ("here", "there", "here", "there", "here"), strict=True))


class Host:
    """A driver, and a QEMU of its own."""

    driver: QEMUDriver

    def __init__(self, root: str, clock: Any) -> None:
        self.root, self.clock = root, clock
        os.makedirs(root + "/etc/libvirt")
        with open(root + "/etc/libvirt/qemu.conf", "w") as file:
            file.write('user = "root"\ngroup = "root"\nsecurity_driver = "none"\n')
            file.write("cgroup_controllers = []\n")  # those are of all hosts here
        self.fake = FakeQEMU(root)
        self._pids: set[int] = set()

    async def start(self) -> None:
        """Have a daemon start."""
        self.driver = QEMUDriver(Processes(reactor), connectorFor(reactor))
        await self.driver.stateInitialize(OpenContext(reactor=self.clock), self.root, True)
        self.connect()

    def connect(self) -> None:
        """Have a client connect."""
        self.connection: Any = self.driver.open(None, OpenContext(reactor=self.clock))
        self.definitions: Any = self.connection.component(IDomainDefinition)
        self.life: Any = self.connection.component(IDomainLifecycle)
        self.migration: Any = self.connection.component(IDomainMigration)

    def state(self) -> int | None:
        """The guest's state, None if there is no guest."""
        found = self.definitions.connectListAllDomains(0)
        return self.life.domainGetState(found[0], 0).state if found else None

    def runs(self) -> bool:
        """Whether the guest runs here."""
        return self.state() == c.VIR_DOMAIN_RUNNING

    def settled(self) -> bool:
        """Whether there is one process for each guest that there is, and no other."""
        there = self.state() not in (None, c.VIR_DOMAIN_SHUTOFF)
        return len(self.processes()) == there

    def processes(self) -> list[int]:
        """Which processes there are."""
        self._pids |= set(self.fake.processes())
        found = []
        for pid in sorted(self._pids):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if self.fake.path.encode() in file.read():
                        found.append(pid)
            except OSError:
                self._pids.discard(pid)
        return found

    def forget(self) -> None:
        """Forget what QEMU was asked."""
        self._pids |= set(self.fake.processes())
        self.fake.forget()

    def commands(self) -> list[str]:
        """What QEMU was asked, in order, each once."""
        return list(dict.fromkeys(what for _, what in self.fake.asked()))


class MoveCase(TestCase):
    """Two hosts, and a guest on the first."""

    timeout = 900

    async def setUp(self) -> None:
        if os.geteuid() != 0:
            raise SkipTest("files are given to guests by root")
        self.clock = TimedReactor()
        folder = os.path.abspath(self.mktemp())
        self.here, self.there = (
            Host(os.path.join(folder, name), self.clock) for name in ("a", "b")
        )
        # Names of sockets must be short.
        self.folder = tempfile.mkdtemp(prefix="pv-move-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.hosts = {"here": self.here, "there": self.there}
        for host in self.hosts.values():
            await host.start()
        self.xml = GUEST.format(emulator=self.here.fake.path)

    async def tearDown(self) -> None:
        for host in self.hosts.values():
            host.fake.plan()
            await host.driver.stateStop()
            for pid in host.processes():
                os.kill(pid, signal.SIGKILL)
        await self.until(lambda: not any(host.processes() for host in self.hosts.values()))
        await self.until(lambda: not self.watched())

    @staticmethod
    def watched() -> list[Any]:
        """Return the processes whose end has not been noticed."""
        readers = reactor.getReaders()  # type: ignore[attr-defined]
        return [each for each in readers if type(each).__module__ == "pyvirt._running"]

    async def until(self, true: Any, what: str = "") -> None:
        """Wait until something is so; the clock goes on meanwhile."""
        for _ in range(12000):
            if true():
                return
            self.clock.advance(0.1)
            await deferLater(reactor, 0.005)
        self.fail(
            f"{what}: it never came true: {self.states()} "
            f"{[(host.fake.asked(), host.processes()) for host in self.hosts.values()]}"
        )

    def states(self) -> list[int | None]:
        """The guest's states at both ends."""
        return [host.state() for host in self.hosts.values()]

    async def passing(self, work: Awaitable[Any]) -> Any:
        """Wait for something, while time passes."""
        done: list[Any] = []

        async def run() -> None:
            try:
                done.append((await work, None))
            except VirtError as error:
                done.append((None, error))

        running = Deferred.fromCoroutine(run())
        await self.until(lambda: done, "a step")
        await running
        value, error = done[0]
        if error is not None:
            raise error
        return value

    async def step(self, name: str, work: Any) -> Any:
        """Take a step; what is in C{between} is done before it."""
        harm = self.between.pop(name, None)
        if harm is not None:
            await harm()
        made = work()
        return await self.passing(made) if isinstance(made, Awaitable) else made

    between: dict[str, Any]

    async def move(self, flags: int, **between: Any) -> str:
        """
        Do what a client does to move the guest.

        @return: the error it would tell, "" for none.
        """
        self.between = between
        here, there, dom = self.here, self.there, self.here.definitions.connectListAllDomains(0)[0]
        uri = "unix://" + os.path.join(self.folder, "m")
        if os.path.exists(uri[7:]):
            os.unlink(uri[7:])
        text = c.VIR_TYPED_PARAM_STRING
        params = [TypedParam(c.VIR_MIGRATE_PARAM_URI, text, uri)]
        cancelled = True
        error = ""
        cookie = b""
        try:
            begun = await self.step(
                "begin", lambda: here.migration.domainMigrateBegin3Params(dom, params, flags)
            )
        except VirtError as problem:
            return str(problem.message)
        xml = begun.xml.replace(here.fake.path, there.fake.path)
        told = [*params, TypedParam(c.VIR_MIGRATE_PARAM_DEST_XML, text, xml)]
        last = [*params, TypedParam(c.VIR_MIGRATE_PARAM_DEST_NAME, text, "g")]
        try:
            prepared = await self.step(
                "prepare",
                lambda: there.migration.domainMigratePrepare3Params(told, begun.cookie, flags),
            )
            try:
                cookie = await self.step(
                    "perform",
                    lambda: here.migration.domainMigratePerform3Params(
                        dom, None, params, prepared.cookie, flags
                    ),
                )
                cancelled = False
            except VirtError as problem:
                error = str(problem.message)
            try:
                finished = await self.step(
                    "finish",
                    lambda: there.migration.domainMigrateFinish3Params(
                        last, cookie, flags, cancelled
                    ),
                )
                cookie = finished.cookie
            except VirtError as problem:
                error = error or str(problem.message)
                cancelled = True
        except VirtError as problem:
            error = str(problem.message)
        try:
            await self.step(
                "confirm",
                lambda: here.migration.domainMigrateConfirm3Params(
                    dom, params, cookie, flags, cancelled
                ),
            )
        except VirtError as problem:
            error = error or str(problem.message)
        return error

    async def ready(self) -> None:
        """Have the guest run here, and nowhere else."""
        for host in self.hosts.values():
            host.fake.plan()
        for dom in self.there.definitions.connectListAllDomains(0):
            if self.there.state() != c.VIR_DOMAIN_SHUTOFF:
                await self.passing(self.there.life.domainDestroyFlags(dom, 0))
        if not self.here.runs():
            for dom in self.here.definitions.connectListAllDomains(0):
                if self.here.state() != c.VIR_DOMAIN_SHUTOFF:
                    await self.passing(self.here.life.domainDestroyFlags(dom, 0))
            dom = await self.here.definitions.domainDefineXMLFlags(self.xml, 0)
            await self.passing(self.here.life.domainCreateWithFlags(dom, 0, []))
        self.assertEqual(self.states()[1], None)
        for host in self.hosts.values():
            host.forget()
        await self.until(lambda: self.here.runs())

    async def one(self, what: str, *rest: int) -> str:
        """
        Wait until the guest runs in one place, and only that place has a process.

        @param rest: other states that what is in the other place may be in.
        @return: which.
        """
        await self.until(
            lambda: (
                self.here.runs() != self.there.runs()
                and all(host.settled() for host in self.hosts.values())
            ),
            what,
        )
        place = "here" if self.here.runs() else "there"
        other = self.hosts["there" if place == "here" else "here"]
        self.assertIn(other.state(), (None, c.VIR_DOMAIN_SHUTOFF, *rest), what)
        return place


class CommandTests(MoveCase):
    """QEMU breaks at each command."""

    async def test_moved(self) -> None:
        """Nothing breaks: the guest has moved."""
        await self.ready()
        self.assertEqual(await self.move(c.VIR_MIGRATE_LIVE), "")
        self.assertEqual(await self.one("moved"), "there")

    async def everyCommand(
        self, at: str, faults: tuple[str, ...], flags: int, only: tuple[str, ...] = ()
    ) -> None:
        """Have one end's QEMU break at each thing that it is asked while the guest moves, or at some."""
        host = self.hosts[at]
        await self.ready()
        self.assertEqual(await self.move(flags), "")
        commands = [each for each in host.commands() if each != "start"]
        self.assertIn("@active", commands)
        for command in only or commands:
            for fault in faults:
                if command.startswith("@") and fault not in ("die", "crash"):
                    continue
                await self.ready()
                host.fake.plan(guest={command: fault})
                what = f"{fault} at {command} {at}"
                error = await self.move(flags)
                host.fake.plan()
                late = "cont" in commands[: commands.index(command)]
                if fault in ("die", "crash") and (at == "here" or late):
                    # It was the guest itself.
                    await self.until(lambda: host.state() in (None, c.VIR_DOMAIN_SHUTOFF), what)
                    await self.until(
                        lambda: all(each.settled() for each in self.hosts.values()), what
                    )
                    # Once it has been let go on over there, it is not lost here.
                    runs = error == "" and at == "here"
                    self.assertEqual(self.there.runs(), runs, f"{what}: {error}")
                    self.assertFalse(self.here.runs(), f"{what}: {error}")
                    continue
                place = await self.one(what)
                self.assertEqual(place, "here" if error else "there", f"{what}: {error}")

    async def test_destinationDies(self) -> None:
        """The waiting QEMU dies at each command: the guest goes on where it was."""
        await self.everyCommand("there", ("crash",), c.VIR_MIGRATE_LIVE)

    async def test_destinationRefuses(self) -> None:
        """The waiting QEMU refuses each command: the guest goes on where it was."""
        await self.everyCommand("there", ("refuse",), c.VIR_MIGRATE_LIVE)

    async def test_destinationTalksNonsense(self) -> None:
        """The waiting QEMU talks nonsense when it matters: the guest goes on where it was."""
        await self.everyCommand(
            "there",
            ("nonsense",),
            c.VIR_MIGRATE_LIVE,
            ("migrate-incoming", "query-migrate", "cont"),
        )

    async def test_sourceDies(self) -> None:
        """The guest itself dies at each command: nothing is left of it, unless it had moved."""
        await self.everyCommand("here", ("crash",), c.VIR_MIGRATE_LIVE)

    async def test_sourceRefuses(self) -> None:
        """The guest's QEMU refuses at each command: it goes on, in one place."""
        await self.everyCommand("here", ("refuse",), c.VIR_MIGRATE_LIVE)


class StepTests(MoveCase):
    """Clients, daemons and guests are lost between two steps, or it is given up there."""

    async def lost(self, at: str) -> None:
        """The client's connection to an end is lost, and made anew."""
        host = self.hosts[at]
        closing = host.connection.close()
        if isinstance(closing, Awaitable):
            await self.passing(closing)
        host.connect()

    async def restarted(self, at: str) -> None:
        """An end's daemon ends, and another one starts."""
        host = self.hosts[at]
        await self.passing(host.driver.stateStop())
        await self.passing(host.start())

    async def killed(self, at: str) -> None:
        """An end's QEMU is killed, which is noticed before anything else."""
        host = self.hosts[at]
        for pid in host.processes():
            os.kill(pid, signal.SIGKILL)
        await self.until(lambda: host.state() in (None, c.VIR_DOMAIN_SHUTOFF), f"killed {at}")

    async def aborted(self, at: str) -> None:
        """It is given up at the source."""
        jobs: Any = self.hosts[at].connection.component(IDomainJobs)
        for dom in self.hosts[at].definitions.connectListAllDomains(0):
            try:
                await self.passing(jobs.domainAbortJobFlags(dom, 0))
            except VirtError:
                pass  # too early, or too late

    async def everyStep(self, flags: int, *harms: Any) -> None:
        """Do each harm before each step at each end."""
        for step in STEPS:
            for harm in harms:
                for at in ("here", "there"):
                    await self.ready()
                    what = f"{harm.__name__} {at} before {step} of {flags:#x}"
                    error = await self.move(flags, **{step: functools.partial(harm, at)})
                    # The guest is where it was until all of it has been sent, and there once it was let go on.
                    ends = ("begin", "prepare", "perform") if at == "here" else ("confirm",)
                    gone = harm == self.killed and step in ends
                    if gone:
                        await self.until(
                            lambda: not any(h.runs() for h in self.hosts.values()), what
                        )
                        continue
                    # A daemon that starts again at the source does not know whether the guest runs elsewhere.
                    doubt = (
                        harm == self.restarted and at == "here" and step in ("finish", "confirm")
                    )
                    place = await self.one(what, *((c.VIR_DOMAIN_PAUSED,) if doubt else ()))
                    moved = not error or step == "confirm" or doubt
                    self.assertEqual(place, "there" if moved else "here", f"{what}: {error}")

    async def test_live(self) -> None:
        """Of a migration that goes on while the guest runs."""
        await self.everyStep(
            c.VIR_MIGRATE_LIVE, self.lost, self.restarted, self.killed, self.aborted
        )

    async def test_suspended(self) -> None:
        """Somebody has it stand still meanwhile, as virsh does when it takes long: it goes on, here or there."""
        flags = c.VIR_MIGRATE_CHANGE_PROTECTION | c.VIR_MIGRATE_LIVE

        async def suspend() -> None:
            host = self.here
            dom = host.definitions.connectListAllDomains(0)[0]
            await self.passing(host.life.domainSuspend(dom))
            await self.until(lambda: host.state() == c.VIR_DOMAIN_PAUSED, "paused")
            domain = host.driver.hypervisor.domains.find(dom)
            self.assertEqual(domain.reason, c.VIR_DOMAIN_PAUSED_MIGRATION)

        for fault, place in (({}, "there"), ({"migrate-incoming": "refuse"}, "here")):
            await self.ready()
            self.there.fake.plan(guest=fault)
            error = await self.move(flags, prepare=suspend)
            self.assertEqual(await self.one(f"suspended {fault}"), place, error)
            self.assertEqual(error == "", place == "there", error)

    async def test_protected(self) -> None:
        """Of one that keeps changes out from its first step, and stops the guest."""
        await self.everyStep(c.VIR_MIGRATE_CHANGE_PROTECTION, self.lost, self.aborted)
