"""
Twenty real guests, run by QEMU: how soon they run, how fast they are listed and counted, what they cost at rest.

Each daemon has a world of its own (L{tests.interop.qemuworld}) and the same guests in it.  Their firmware does nothing
but halt, so that what is measured is QEMU's start and the daemon, and not how fast this machine emulates another.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple

from tests.interop.qemuworld import LibvirtWorld, PyvirtWorld, World
from tests.interop.support import CHECKOUT, requireBinding

__all__ = ["GUESTS", "GuestMeasure", "Guests"]

GUESTS = 20

#: Seconds of a measurement, and for how long is looked at what a daemon does when nobody asks anything.
SLICE = 0.5
REST = 15.0
#: Deadlines of what was done before have passed by then.
SETTLE = 32.0

_GUEST = (
    "<domain type='qemu'><name>guest-{number}</name><memory>16384</memory><vcpu>1</vcpu>"
    "<os><type arch='x86_64' machine='pc'>hvm</type><loader readonly='yes' type='rom'>{folder}/halt.rom</loader></os>"
    "<features><acpi/></features><devices>"
    "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{folder}/{number}.img'/>"
    "<target dev='vda' bus='virtio'/></disk><interface type='user'><model type='virtio'/></interface>"
    "<serial type='pty'/><graphics type='vnc' autoport='yes'/><rng model='virtio'>"
    "<backend model='random'>/dev/urandom</backend></rng></devices></domain>"
)

#: At the reset vector, which is 16 bytes before the end: no interrupts, and halt for ever.
_FIRMWARE = b"\xf4" * (65536 - 16) + b"\xfa\xf4\xeb\xfd" + b"\xf4" * 12


class GuestMeasure(NamedTuple):
    """
    One line of the table.

    @ivar act: measures one side.
    @ivar before: whether the guests run then; C{after}: and when it is done.
    @ivar required: the least ratio that is good enough, or None.
    """

    name: str
    unit: str
    act: Callable[[Guests, World], float]
    before: bool = True
    after: bool = True
    required: float | None = 1.0

    @property
    def less(self) -> bool:
        """A smaller figure is the better one."""
        return not self.unit.endswith("/s")


class Guests:
    """Both worlds, with their guests defined."""

    def __init__(self) -> None:
        requireBinding()
        self.worlds: list[World] = []
        self._running: dict[World, bool] = {}
        try:
            for kind in (LibvirtWorld, PyvirtWorld):
                world = kind()
                self.worlds.append(world)
                self._prepare(world)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all."""
        for each in self.worlds:
            each.stop()

    def _prepare(self, world: World) -> None:
        with open(f"{world.folder}/halt.rom", "wb") as file:
            file.write(_FIRMWARE)
        for number in range(GUESTS):
            with open(f"{world.folder}/{number}.img", "wb") as file:
                file.truncate(1 << 20)
        lines = [_GUEST.format(number=n, folder=world.folder) for n in range(GUESTS)]
        self.work(world, "define", input="\n".join(lines))

    def _command(self, what: str) -> list[str]:
        script = os.path.join(CHECKOUT, "benchmarks", "stockguests.py")
        return [requireBinding(), script, what, str(GUESTS), str(SLICE)]

    def measure(self, measure: GuestMeasure, world: World) -> float:
        """Measure one side once its guests are as they have to be."""
        if self._running.get(world, False) != measure.before:
            self.work(world, "start together" if measure.before else "destroy together")
            self._running[world] = measure.before
        figure = measure.act(self, world)
        self._running[world] = measure.after
        return figure

    def work(self, world: World, what: str, input: str = "") -> float:
        """Have the stock binding do something, and return its figure."""
        outcome = world.run(self._command(what), input)
        if outcome.status:
            raise RuntimeError(f"{what}: {outcome.stderr}{world.log()}")
        return float(outcome.stdout)

    # What is looked at from outside

    def rest(self, world: World) -> float:
        """Milliseconds of processor time that a daemon uses in a minute while nothing happens."""
        time.sleep(SETTLE)
        before = used(daemon(world))
        time.sleep(REST)
        # What cannot be measured is a thousandth of that.
        return max(used(daemon(world)) - before, 0.001) * 60 / REST

    def listening(self, world: World) -> float:
        """The same, while somebody is connected, listens, and asks every five seconds whether it is still there."""
        with subprocess.Popen(
            world.inside(self._command("idle")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as client:
            assert client.stdout is not None
            if client.stdout.readline() != "ready\n":
                raise RuntimeError(f"no client listens: {client.wait()}")
            figure = self.rest(world)
            client.communicate("\n")
        return figure

    def memory(self, world: World) -> float:
        """MiB that a daemon has in memory."""
        with open(f"/proc/{daemon(world)}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def restart(self, world: World) -> float:
        """Milliseconds from the start of a daemon until all guests that it finds answer again."""
        world.stopDaemon(signal.SIGTERM)
        started = time.perf_counter()
        world.startDaemon(settled=False)
        while True:
            try:
                self.work(world, "found")
                break
            except RuntimeError:
                if time.perf_counter() > started + 120:
                    raise
        return (time.perf_counter() - started) * 1000

    def change(self, world: World) -> float:
        """Milliseconds of processor time of a daemon for one suspension or resumption that is told."""
        before = used(daemon(world))
        self.work(world, "change")
        return (used(daemon(world)) - before) / (GUESTS * 6)


def daemon(world: World) -> int:
    """Return the number of a world's daemon."""
    assert world.daemon is not None
    with open(f"/proc/{world.daemon.pid}/task/{world.daemon.pid}/children") as file:
        return int(file.read().split()[0])


def used(pid: int) -> float:
    """Milliseconds of processor time that a process has used, all threads together."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                total += int(file.read().split()[0])
        except OSError:
            pass  # it has just ended
    return total / 1e6


def work(what: str, factor: float = 1.0) -> Callable[[Guests, World], float]:
    """The stock binding at some work."""
    return lambda guests, world: guests.work(world, what) * factor


EACH = 1000 / GUESTS

MEASURES = [
    GuestMeasure("start, one after the other", "ms each", work("start", EACH), False, True),
    GuestMeasure("destroy, one after the other", "ms each", work("destroy", EACH), True, False),
    GuestMeasure("start, all at once", "ms each", work("start together", EACH), False, True),
    GuestMeasure("destroy, all at once", "ms each", work("destroy together", EACH), True, False),
    GuestMeasure("list", "lists/s", work("list")),
    GuestMeasure("statistics", "lists/s", work("statistics")),
    GuestMeasure("statistics without waiting", "lists/s", work("statistics, nowait")),
    GuestMeasure("what dominfo asks, of all", "turns/s", work("info")),
    GuestMeasure("definitions of all", "turns/s", work("xml")),
    GuestMeasure("a disk's counters and size, of all", "turns/s", work("block")),
    GuestMeasure("memory statistics of all", "turns/s", work("memory")),
    GuestMeasure("suspend and resume", "ms each", work("change", EACH / 6)),
    GuestMeasure("the daemon's part of that", "ms", Guests.change),
    GuestMeasure("at rest, processor", "ms/min", Guests.rest),
    GuestMeasure("at rest, somebody listens", "ms/min", Guests.listening, required=None),
    GuestMeasure("memory", "MiB", Guests.memory, required=None),
    GuestMeasure("restart, until all answer", "ms", Guests.restart, required=None),
]
