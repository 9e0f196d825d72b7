"""
What guests print: their logs, and how they are kept from growing without end.
"""

from __future__ import annotations

import os
import struct
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pyvirt.definitions.domain import parseDomain
from pyvirt.drivers.qemu.aliases import withAliases
from pyvirt.drivers.qemu.filewatch import FileWatch
from pyvirt.drivers.qemu.guestlogs import GuestLog, logsOf
from pyvirt.drivers.qemu.logrotation import INTERVAL, LogKeeper, LogLimits, loadLimits, rotation
from tests.qemu.scriptedqemu import PluggedGuest

LIMITS = LogLimits(100, 3)
#: Seconds of a turn: none of them is long enough for another look.
TURN = 0.001


def lines(first: int, last: int) -> bytes:
    """Numbered lines of ten bytes."""
    return b"".join(b"line %4d\n" % each for each in range(first, last))


class TurningClock(Clock):
    """A clock on which what is to happen at once happens in a turn of its own, as with reactors."""

    def callLater(self, delay: float, *args: Any, **kwargs: Any) -> Any:
        return super().callLater(max(delay, TURN), *args, **kwargs)


class KeeperTests(SynchronousTestCase):
    """Logs to which somebody writes all the time."""

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.clock = TurningClock()
        self.logs: list[str] = []
        self.kept: LogKeeper | None = None

    def opened(self, name: str = "g.log") -> int:
        """Open a log as a guest has it."""
        path = os.path.join(self.folder, name)
        log = GuestLog(path)
        self.addCleanup(log.close)
        self.logs.append(path)
        return log.fd

    def keeper(self, limits: LogLimits = LIMITS) -> LogKeeper:
        keeper = LogKeeper(self.clock, limits, lambda: self.logs)
        keeper.start()
        self.addCleanup(keeper.stop)
        return keeper

    def tell(self) -> None:
        """Let the keeper hear of what was written."""

    def look(self) -> None:
        """Let time go on until the next look, and all that it brings, are over."""
        self.tell()
        self.clock.advance(INTERVAL)
        self.clock.pump([TURN] * 40)

    def held(self) -> dict[str, bytes]:
        found = {}
        for name in sorted(os.listdir(self.folder)):
            with open(os.path.join(self.folder, name), "rb") as file:
                found[name] = file.read()
        return found

    def test_small(self) -> None:
        """A log is left alone up to its limit, and what was looked at costs one call of the clock."""
        os.write(self.opened(), lines(0, 10))
        self.keeper()
        self.look()
        self.assertEqual(self.held(), {"g.log": lines(0, 10)})
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_large(self) -> None:
        """What grows larger is put aside by number, and whoever writes goes on at the beginning."""
        fd = self.opened()
        self.keeper()
        for turn in range(5):
            os.write(fd, lines(turn * 11, turn * 11 + 11))
            self.look()
            self.assertEqual(os.fstat(fd).st_size, 0)
        os.write(fd, b"and so on\n")
        held = self.held()
        self.assertEqual(set(held), {"g.log", "g.log.0", "g.log.1", "g.log.2"})
        self.assertEqual(held["g.log"], b"and so on\n")
        # Each turn leaves one full and what does not fit.
        self.assertEqual(held["g.log.2"], lines(43, 44))
        self.assertEqual(held["g.log.1"], lines(44, 54))
        self.assertEqual(held["g.log.0"], lines(54, 55))

    def test_flood(self) -> None:
        """Of what came all at once as much is kept as old logs may have, in whole lines."""
        fd = self.opened()
        os.write(fd, b"x" + lines(0, 1000))
        self.keeper()
        self.look()
        held = self.held()
        self.assertEqual(held["g.log"], b"")
        kept = held["g.log.2"] + held["g.log.1"] + held["g.log.0"]
        self.assertEqual(kept, lines(970, 1000))
        self.assertTrue(all(len(each) <= 100 for each in held.values()))
        self.assertEqual(len(held), 4)

    def test_withoutLines(self) -> None:
        """What has no lines is cut anywhere."""
        os.write(self.opened(), b"y" * 250)
        self.keeper()
        self.look()
        self.assertEqual([len(each) for each in self.held().values()], [0, 50, 100, 100])

    def test_noneKept(self) -> None:
        """Where no old log is to be kept, none is."""
        os.write(self.opened(), lines(0, 50))
        self.keeper(LogLimits(100, 0))
        self.look()
        self.assertEqual(self.held(), {"g.log": b""})

    def test_meanwhile(self) -> None:
        """What is written while a log is copied is in the copy."""
        fd = self.opened()
        os.write(fd, lines(0, 11))
        steps = rotation(self.logs[0], LogLimits(105, 3))
        next(steps)
        os.write(fd, lines(11, 12))
        for _ in steps:
            os.write(fd, lines(12, 13))
        held = self.held()
        self.assertEqual(held["g.log.1"], lines(0, 10))
        self.assertTrue(held["g.log.0"].startswith(lines(10, 12)), held["g.log.0"])
        self.assertEqual(held["g.log"] or lines(12, 13), lines(12, 13))

    def test_stopped(self) -> None:
        """Nothing happens after the driver has stopped; what was being copied stays where it was."""
        fd = self.opened()
        keeper = self.keeper(LogLimits(2 << 20, 3))
        os.write(fd, b"z" * (3 << 20))
        self.tell()
        self.clock.advance(INTERVAL)
        self.clock.advance(TURN)
        self.assertEqual(list(self.held()), ["g.log", "g.log.new"])
        keeper.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(list(self.held()), ["g.log"])
        self.assertEqual(os.fstat(fd).st_size, 3 << 20)

    def test_gone(self) -> None:
        """A log that is not there, or is not one, keeps no other from being looked after."""
        self.logs.append(os.path.join(self.folder, "nothing.log"))
        os.symlink("/etc/passwd", os.path.join(self.folder, "link.log"))
        self.logs.append(os.path.join(self.folder, "link.log"))
        os.mkdir(os.path.join(self.folder, "folder.log"))
        self.logs.append(os.path.join(self.folder, "folder.log"))
        os.write(self.opened(), lines(0, 11))
        self.keeper(LogLimits(10, 1))
        self.look()
        os.rmdir(self.logs[2])
        os.unlink(self.logs[1])
        self.assertEqual(self.held(), {"g.log": b"", "g.log.0": lines(10, 11)})
        self.flushLoggedErrors()

    def test_start(self) -> None:
        """When a guest starts its log is put aside as it is, if it is too large."""
        path = os.path.join(self.folder, "g.log")
        for turn, size in enumerate((11, 10, 1)):
            log = GuestLog(path, LIMITS)
            os.write(log.fd, lines(0, size))
            log.close()
            self.assertEqual("g.log.0" in self.held(), turn > 0)
        self.assertEqual(
            self.held(), {"g.log": lines(0, 10) + lines(0, 1), "g.log.0": lines(0, 11)}
        )

    def test_startUnmoved(self) -> None:
        """One that cannot be put aside is written to as it is: no guest stays off for that."""
        path = os.path.join(self.folder, "g.log")
        os.mkdir(f"{path}.0")
        for size in (11, 1):
            log = GuestLog(path, LogLimits(100, 1))
            os.write(log.fd, lines(0, size))
            log.close()
        with open(path, "rb") as file:
            self.assertEqual(file.read(), lines(0, 11) + lines(0, 1))

    def test_said(self) -> None:
        """What a guest said since it started is found, also when its log was put aside since."""
        log = GuestLog(os.path.join(self.folder, "g.log"))
        self.addCleanup(log.close)
        log.header("7.2.0", "", {}, ("/bin/qemu", "-S"))
        os.write(log.fd, b"one\n")
        self.assertEqual(log.said(), "one")
        os.ftruncate(log.fd, 0)
        os.write(log.fd, b"two\n")
        self.assertEqual(log.said(), "two")


class Readers(TurningClock):
    """A reactor whose readers are read when a test wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[FileWatch] = []

    def addReader(self, reader: FileWatch) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: FileWatch) -> None:
        self.readers.remove(reader)


class WatchTests(KeeperTests):
    """The same where the kernel tells of logs that are written to, which costs nothing while none is."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = self.reactor = Readers()

    def opened(self, name: str = "g.log") -> int:
        fd = super().opened(name)
        if self.kept is not None:
            self.kept.follow(self.logs[-1])
        return fd

    def keeper(self, limits: LogLimits = LIMITS) -> LogKeeper:
        self.kept = LogKeeper(
            self.clock,
            limits,
            lambda: self.logs,
            lambda written: FileWatch.open(self.reactor, written),
        )
        self.kept.start()
        self.addCleanup(self.kept.stop)
        return self.kept

    def tell(self) -> None:
        for each in list(self.reactor.readers):
            each.doRead()

    def test_small(self) -> None:
        """A log that nobody writes to is not looked at; one that somebody does, once in a while."""
        keeper = self.keeper()
        fd = self.opened()
        self.look()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        for _ in range(3):
            os.write(fd, lines(0, 1))
            os.write(fd, lines(1, 2))
            self.reactor.readers[0].doRead()
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
            self.look()
            self.assertEqual(self.clock.getDelayedCalls(), [])
        # Guests that have ended are forgotten.
        path = self.logs.pop()
        os.write(fd, lines(0, 20))
        self.look()
        self.assertEqual(os.path.getsize(path), 260)
        os.write(fd, lines(0, 1))
        self.reactor.readers[0].doRead()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        keeper.stop()
        self.assertEqual(self.reactor.readers, [])

    def test_full(self) -> None:
        """A log that cannot be watched, since so many files are, is looked at again and again until it can."""
        refused = {"now": True}
        add = FileWatch.add
        self.patch(FileWatch, "add", lambda watch, path: not refused["now"] and add(watch, path))
        self.keeper()
        fd = self.opened()
        for size in (50, 50, 50):
            os.write(fd, lines(0, size))
            self.look()
            self.assertLess(os.path.getsize(self.logs[0]), 100)
        refused["now"] = False
        self.look()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        os.write(fd, lines(0, 50))
        self.reactor.readers[0].doRead()
        self.look()
        self.assertEqual(os.path.getsize(self.logs[0]), 0)
        refused["now"] = True
        fd = self.opened("other.log")
        self.logs.clear()
        self.look()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bug(self) -> None:
        """What goes wrong that nobody thought of is told, and does not keep logs from being put aside later."""
        self.keeper()
        fd = self.opened()
        broken = {"now": True}
        real = os.ftruncate

        def truncate(opened: int, size: int) -> None:
            if broken.pop("now", False):
                raise ZeroDivisionError("a bug")
            real(opened, size)

        self.patch(os, "ftruncate", truncate)
        for problems in (1, 0):
            os.write(fd, lines(0, 50))
            self.look()
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), problems)
        self.assertEqual(os.path.getsize(self.logs[0]), 0)

    def test_overflow(self) -> None:
        """Where the kernel has more to tell than it keeps, every log is looked at."""
        told: list[str] = []
        self.kept = None
        watch = FileWatch.open(self.reactor, told.append)
        assert watch is not None
        self.addCleanup(watch.close)
        self.opened("a.log")
        self.opened("b.log")
        for path in self.logs:
            self.assertTrue(watch.add(path))
        self.assertFalse(watch.add(self.folder + "/nothing"))
        real = os.read
        event = struct.pack("iIII", -1, 0x4000, 0, 0)
        self.patch(os, "read", lambda fd, size: event if fd == watch.fileno() else real(fd, size))
        watch.doRead()
        self.assertEqual(sorted(told), self.logs)
        watch.doRead()
        self.assertEqual(len(told), 2)


class LimitTests(SynchronousTestCase):
    """virtlogd.conf."""

    def limits(self, text: str | bytes) -> LogLimits:
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return loadLimits(path)

    def test_said(self) -> None:
        """Its keys are read; of two the first one counts."""
        self.assertEqual(loadLimits("/nowhere/virtlogd.conf"), LogLimits(2097152, 3))
        self.assertEqual(self.limits("max_size = 7\nmax_backups=0\nmax_size=9"), LogLimits(7, 0))
        self.assertEqual(self.limits("log_level = 3"), LogLimits())

    def test_wrong(self) -> None:
        """What is wrong is passed over: guests run whatever it says."""
        for text in (
            "max_size = 0",
            "max_size = -1",
            'max_size = "much"',
            "max_size = [1]",
            "max_size = 99999999999999999999",
            "max_backups = -1",
            "other = 1",
            "max_size =",
            b"\xff",
        ):
            self.assertEqual(self.limits(text), LogLimits(), text)


class DriverTests(SynchronousTestCase):
    """Which logs are looked after."""

    def test_logs(self) -> None:
        """That of each guest that runs, and those of its helpers."""
        text = """<domain type='qemu'><name>g</name><memory>1</memory><os><type>hvm</type></os><devices>
        <filesystem type='mount'><driver type='virtiofs'/><source dir='/a'/><target dir='b'/><alias name='fs0'/></filesystem>
        <graphics type='dbus'/></devices></domain>"""
        self.assertEqual(
            list(logsOf(withAliases(parseDomain(text)))), ["g", "g-fs0-virtiofsd", "g-dbus"]
        )

    def test_found(self) -> None:
        """They are looked after while the guest runs, whoever started it, and no longer."""
        folder = self.mktemp()
        os.mkdir(folder)
        text = """<domain type='qemu'><name>g</name><memory>1024</memory><os><type>hvm</type></os></domain>"""
        # Where nobody tells of files that are written to.
        self.patch(FileWatch, "open", lambda reactor, written: None)
        plugged = PluggedGuest(folder, text, (os.getuid(), os.getgid()))
        path = plugged.hypervisor.layout.log("g")
        plugged.hypervisor.logs.start()
        self.addCleanup(plugged.hypervisor.logs.stop)
        for runs in (True, False):
            with open(path, "ab") as file:
                file.truncate((2 << 20) + 1)
            plugged.clock.advance(INTERVAL)
            plugged.clock.pump([0.0] * 10)
            self.assertEqual(os.path.getsize(path) == 0, runs)
            plugged.hypervisor.domains.identify(plugged.domain, -1)
