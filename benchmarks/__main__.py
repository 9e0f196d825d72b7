"""
Run the benchmarks and print a table: libvirtd, pyvirt, their ratio, and the ratio that is required.

A ratio above 1 always says that pyvirt is better: faster, or smaller.  Exits with 1 if a required one is missed.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from twisted.trial.unittest import SkipTest

from benchmarks.doors import Doors
from benchmarks.guests import GUESTS, Guests
from benchmarks.guests import MEASURES as MACHINES
from benchmarks.logins import Logins
from benchmarks.raw import RawClient, eventsDelivered, subscribers
from benchmarks.scale import EVENTS, Scale
from pyvirt.errors import VirtError
from tests.interop.support import (
    CHECKOUT,
    Daemon,
    LibvirtDaemon,
    PyvirtDaemon,
    requireBinding,
    requireLibvirtd,
)

#: Seconds of one measurement.
SLICE = 0.5

SUBSCRIBERS = 100
IDLE = 400


class Measure(NamedTuple):
    """
    One line of the table.

    @ivar act: measures a daemon once.
    @ivar required: the least ratio that is good enough, or None.
    @ivar less: a smaller figure is the better one.
    @ivar rounds: how often each side is measured, or None: as often as asked for.
    @ivar domains: how many domains there are besides the first.
    """

    name: str
    unit: str
    act: Callable[[Daemon], float]
    required: float | None = None
    less: bool = False
    rounds: int | None = None
    domains: int = 0


def client(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a client; it connects and waits."""
    stock = script == "stock"
    return subprocess.Popen(
        [
            requireBinding() if stock else sys.executable,
            os.path.join(CHECKOUT, "benchmarks", f"{script}.py"),
            *arguments,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **({} if stock else {"PYTHONPATH": CHECKOUT})},
    )


def rates(processes: list[subprocess.Popen[str]]) -> float:
    """Let clients work at the same time, once all are connected; the sum of their rates."""
    for process in processes:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            for each in processes:
                each.kill()
            raise RuntimeError(f"a client ended with {process.wait()}")
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return sum(float(process.communicate(timeout=120)[0]) for process in processes)


def stock(what: str, clients: int = 1) -> Callable[[Daemon], float]:
    """The stock binding at some work, in so many processes."""
    return lambda daemon: rates(
        [client("stock", daemon.uri(), what, str(SLICE)) for _ in range(clients)]
    )


def ours(window: int) -> Callable[[Daemon], float]:
    """Our client on a daemon, with so many calls outstanding."""
    return lambda daemon: rates([client("ours", daemon.uri(), str(window), str(SLICE))])


def blocking(daemon: Daemon) -> float:
    """Our client without Deferreds, at the work of the stock binding."""
    return rates([client("blocking", daemon.uri(), "call", str(SLICE))])


def raw(window: int) -> Callable[[Daemon], float]:
    """The raw client with so many calls outstanding."""

    def act(daemon: Daemon) -> float:
        caller = RawClient(daemon.connect())
        try:
            return caller.repeated(window, SLICE)
        finally:
            caller.close()

    return act


def events(daemon: Daemon) -> float:
    """Lifecycle events to many subscribers."""
    trigger = RawClient(daemon.connect())
    try:
        with subscribers([daemon.connect() for _ in range(SUBSCRIBERS)]) as clients:
            return eventsDelivered(trigger, clients, 50)
    finally:
        trigger.close()


def idleMemory(daemon: Daemon) -> float:
    """KiB per open, idle connection, on a daemon of its own."""
    fresh = type(daemon)(LIMITS)
    try:

        def openAll() -> list[RawClient]:
            return [RawClient(fresh.connect()) for _ in range(IDLE)]

        before = fresh.memory()
        clients = openAll()
        after = fresh.memory()
        for each in clients:
            each.close()
        return max(after - before, 1) / IDLE
    finally:
        fresh.stop()


def emptyMemory(daemon: Daemon) -> float:
    """KiB of a daemon that has just started."""
    fresh = type(daemon)(LIMITS)
    try:
        return float(fresh.memory())
    finally:
        fresh.stop()


def startup(daemon: Daemon) -> float:
    """Milliseconds from the start of the process to the first answer."""
    fresh = type(daemon)()
    fresh.stop()
    return fresh.startup * 1000


def watched(what: str) -> Callable[[Daemon], float]:
    """The stock binding at some work on a daemon that writes an audit trail and, if it is ours, counts all it does."""

    def act(daemon: Daemon) -> float:
        settings = [*LIMITS, "audit_logging = 1", 'log_outputs = "2:file:/dev/null"']
        if daemon.label == "pyvirt":
            settings.append('metrics_address = "127.0.0.1:0"')
        fresh = type(daemon)(settings)
        try:
            return stock(what)(fresh)
        finally:
            fresh.stop()

    return act


LIMITS = ["max_clients = 6000", "max_anonymous_clients = 1000"]

_SCALE = Scale(LIMITS)
_DOORS = Doors()
_LOGINS = Logins()

MEASURES = [
    Measure("synchronous calls, stock binding", "calls/s", stock("call"), 1.2),
    Measure("the same, audited and measured", "calls/s", watched("call"), 1.1),
    Measure("the same, eight clients", "calls/s", stock("call", 8), 1.5),
    Measure("raw calls, one at a time", "calls/s", raw(1)),
    Measure("raw calls, 64 outstanding", "calls/s", raw(64), 2),
    Measure("open and close", "pairs/s", stock("open"), 0.8),
    Measure("define and undefine", "pairs/s", stock("define")),
    Measure("the same, audited and measured", "pairs/s", watched("define")),
    Measure("define a typical domain", "pairs/s", stock("typical"), 0.8),
    Measure(f"events to {SUBSCRIBERS} subscribers", "events/s", events),
    Measure("screenshots, stock binding", "bytes/s", stock("screenshot")),
    Measure("memory of an idle connection", "KiB", idleMemory, less=True, rounds=1),
    Measure("memory of a daemon at rest", "KiB", emptyMemory, less=True, rounds=3),
    Measure("start-up", "ms", startup, less=True, rounds=3),
    Measure("list 1,000 domains", "lists/s", stock("list"), 1, domains=1000),
    Measure("statistics of 1,000 domains", "lists/s", stock("statistics"), 1, domains=1000),
    Measure("list 10,000 domains", "lists/s", stock("list"), 1, rounds=3, domains=10000),
    Measure(
        "statistics of 10,000 domains", "lists/s", stock("statistics"), 1, rounds=3, domains=10000
    ),
    Measure("10,000 defined, started, listed", "domains/s", _SCALE.domains, 1, rounds=1),
    Measure("memory of these", "KiB", _SCALE.memory("domains"), 0.5, less=True, rounds=1),
    Measure("storm to 50 subscribers", "events/s", _SCALE.storm, 1, rounds=1),
    Measure("memory that it adds", "KiB", _SCALE.memory("storm"), 0.5, less=True, rounds=1),
    Measure("memory of all then", "KiB", _SCALE.memory("storm, all"), 0.5, less=True, rounds=1),
    Measure("from connect to answer, UNIX", "ms", _DOORS.opening("unix", 200), 0.8, less=True),
    Measure("from connect to answer, TCP", "ms", _DOORS.opening("tcp", 200), 0.8, less=True),
    Measure("from connect to answer, TLS", "ms", _DOORS.opening("tls", 50), 0.3, less=True),
    Measure(
        "the same, OpenSSH", "ms", _DOORS.opening("openssh, netcat", 5), 0.3, less=True, rounds=3
    ),
    Measure("the same, our SSH door", "ms", _DOORS.sshDoor, 0.3, less=True, rounds=3),
    Measure("calls beside TLS handshakes", "ms", _DOORS.delay("tls"), less=True),
    Measure("calls beside SSH handshakes", "ms", _DOORS.delay("ssh"), less=True),
    Measure("calls beside failing SCRAM logins", "ms", _LOGINS.delay("SCRAM"), less=True),
    Measure("calls beside failing PLAIN logins", "ms", _LOGINS.delay("PLAIN"), less=True),
]


class Row(NamedTuple):
    """A finished line: both figures and how the second compares, 1 being equal and more better."""

    name: str
    unit: str
    one: float
    other: float
    ratio: float
    required: float | None

    @property
    def missed(self) -> bool:
        """Whether it is below what is required, or could not be measured."""
        return not self.ratio >= (self.required or 0)


def compare(
    measure: Measure, sides: tuple[Daemon, Daemon], rounds: int, populate: Callable[[int], None]
) -> Row:
    """Measure both sides in turn, and take the medians."""
    populate(measure.domains)
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(measure.rounds or rounds):
        # Who goes first alternates as well: what the machine does meanwhile hits both alike.
        order = (0, 1) if number % 2 == 0 else (1, 0)
        for side in order:
            try:
                found[side].append(measure.act(sides[side]))
            except (RuntimeError, OSError, EOFError, VirtError) as error:
                print(f"{sides[side].label} failed: {error}", file=sys.stderr, flush=True)
                found[side].append(math.nan)
    one, other = (statistics.median(each) for each in found)
    ratio = one / other if measure.less else other / one
    return Row(measure.name, measure.unit, one, other, ratio, measure.required)


def compareClients(daemon: Daemon, rounds: int) -> list[Row]:
    """The stock binding and ours on the same libvirtd; what the raw client reaches is the most that it can do."""
    acts = [stock("call"), ours(1), blocking, ours(64), raw(64)]
    found: list[list[float]] = [[] for _ in acts]
    for _ in range(rounds):
        for act, values in zip(acts, found, strict=True):
            values.append(act(daemon))
    binding, sequential, threaded, pipelined, most = map(statistics.median, found)
    return [
        Row("one call after the other", "calls/s", binding, sequential, sequential / binding, None),
        Row("pyvirt.blocking", "calls/s", binding, threaded, threaded / binding, None),
        Row("64 outstanding", "calls/s", binding, pipelined, pipelined / binding, 4),
        Row("what this libvirtd can answer", "calls/s", binding, most, most / binding, None),
    ]


def compareGuests(only: str, rounds: int) -> list[Row]:
    """Both daemons, each with the same real guests."""
    measures = [each for each in MACHINES if only in each.name]
    if not measures:
        return []
    try:
        guests = Guests()
    except SkipTest as missing:
        print(f"No guests: {missing}", file=sys.stderr)
        return []
    found: dict[tuple[int, int], list[float]] = {}
    try:
        for turn in range(rounds):
            for number, measure in enumerate(measures):
                print(f"measuring: {measure.name}", file=sys.stderr, flush=True)
                for side in (0, 1) if turn % 2 == 0 else (1, 0):
                    try:
                        figure = guests.measure(measure, guests.worlds[side])
                    except (RuntimeError, OSError, AssertionError) as error:
                        print(f"{guests.worlds[side].label} failed: {error}", file=sys.stderr)
                        figure = math.nan
                    found.setdefault((number, side), []).append(figure)
    finally:
        guests.stop()
    rows = []
    for number, measure in enumerate(measures):
        one, other = (statistics.median(found[number, side]) for side in (0, 1))
        ratio = one / other if measure.less else other / one
        rows.append(Row(measure.name, measure.unit, one, other, ratio, measure.required))
    return rows


class Population:
    """Keeps a number of domains running on both sides, by connections that hold them."""

    def __init__(self, sides: tuple[Daemon, Daemon]) -> None:
        self._sides = sides
        self._holders: list[RawClient] = []
        self._count = 0

    def __call__(self, count: int) -> None:
        """Have C{count} domains besides the first; fewer than before means none first."""
        if count < self._count:
            self.end()
        if count > self._count:
            if not self._holders:
                self._holders = [RawClient(side.connect()) for side in self._sides]
            for holder in self._holders:
                holder.create([f"guest-{number}" for number in range(self._count, count)])
            self._count = count

    def end(self) -> None:
        """Let go of all."""
        for holder in self._holders:
            holder.close()
        self._holders = []
        self._count = 0


def show(title: str, columns: tuple[str, str], rows: list[Row]) -> None:
    """Print a table."""
    print(f"\n{title}\n")
    print(f"{'':34}{columns[0]:>14}{columns[1]:>14}  {'unit':9}{'ratio':>7}{'required':>10}")
    for row in rows:
        required = "" if row.required is None else f">= {row.required:g}"
        verdict = "  missed" if row.missed else ""
        digits = 1 if min(row.one, row.other) < 100 else 0
        print(
            f"{row.name:34}{row.one:14,.{digits}f}{row.other:14,.{digits}f}  "
            f"{row.unit:9}{row.ratio:7.2f}{required:>10}{verdict}"
        )


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each side (5)")
    parser.add_argument("--only", default="", help="measure only lines that contain this")
    parser.add_argument(
        "--long", action="store_true", help=f"storms of {EVENTS:,} events, not a tenth of that"
    )
    parser.add_argument(
        "--guests", action="store_true", help="measure only what is done with real guests"
    )
    options = parser.parse_args()
    if options.long:
        _SCALE.events = EVENTS
    try:
        requireLibvirtd()
        requireBinding()
    except SkipTest as missing:
        print(f"Nothing to compare with: {missing}")
        return 1
    started = time.monotonic()
    reference = LibvirtDaemon(LIMITS)
    try:
        daemon = PyvirtDaemon(LIMITS)
        try:
            sides = (reference, daemon)
            population = Population(sides)
            rows = []
            for measure in MEASURES:
                if options.only in measure.name and not options.guests:
                    print(f"measuring: {measure.name}", file=sys.stderr, flush=True)
                    rows.append(compare(measure, sides, options.rounds, population))
            population.end()
            selected = options.only or options.guests
            own = [] if selected else compareClients(reference, options.rounds)
        finally:
            daemon.stop()
            _DOORS.stop()
            _LOGINS.stop()
    finally:
        reference.stop()
    machines = compareGuests(options.only, options.rounds)
    if rows:
        show("Daemons, each with the same clients", ("libvirtd", "pyvirt"), rows)
    if machines:
        show(f"Daemons with {GUESTS} guests of QEMU", ("libvirtd", "pyvirt"), machines)
    if own:
        show("Clients, both on libvirtd", ("stock binding", "pyvirt"), own)
    missed = [row.name for row in rows + machines + own if row.missed]
    print(f"\n{len(rows + machines + own)} compared in {time.monotonic() - started:.0f} seconds")
    if missed:
        print("below what is required: " + ", ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
