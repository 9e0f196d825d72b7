"""
Commands: what they get, what becomes of what they say, and how they end.

Source: libvirt's documentation, "Spawning processes / commands from libvirt drivers".
"""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import tempfile
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SkipTest, TestCase

from pyvirt.errors import ErrorCode, VirtError
from pyvirt.process import Command, Finished, IProcesses, IRunning, Processes, startTime
from pyvirt.testing import DryRun, assertContract


class TimedReactor(Clock):
    """The reactor, whose time is a clock's."""

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


def watched() -> int:
    """Return how many processes and pipes of theirs are watched."""
    readers = reactor.getReaders()  # type: ignore[attr-defined]
    return [type(each).__module__ for each in readers].count("pyvirt._running")


def shell(text: str, **how: Any) -> Command:
    """Return a command that is a shell's."""
    return Command(argv=("/bin/sh", "-c", text), **how)


class ProcessCase(TestCase):
    """Real processes."""

    timeout = 120

    def setUp(self) -> None:
        self.processes = Processes(reactor, {**os.environ, "FOR_US": "1", "FOR_IT": "2"})

    async def said(self, text: str, **how: Any) -> str:
        """Run a shell and return what it prints."""
        finished = await self.processes.run(shell(text, **how))
        return finished.output.decode()

    async def refused(self, work: Deferred[Any], code: int) -> str:
        """Wait for a failure and return what it says."""
        error = await self.assertFailure(work, VirtError)
        self.assertEqual(error.code, code)
        return str(error.message)

    async def until(self, true: Any) -> None:
        """Wait until something is so."""
        while not true():
            await deferLater(reactor, 0.005)

    async def number(self, path: str) -> int:
        """Wait until there is a line in a file, and return the number there."""
        await self.until(lambda: os.path.exists(path) and os.path.getsize(path))
        with open(path) as file:
            return int(file.read())

    def folder(self) -> str:
        """Return a new folder, with a name that anybody can get to."""
        path = tempfile.mkdtemp(prefix="pv-process-", dir="/tmp")
        self.addCleanup(os.rmdir, path)
        os.chmod(path, 0o755)
        return path

    def file(self, name: str) -> str:
        """Return the path of a file that is not there yet, and is gone afterwards."""
        path = os.path.join(self.folder(), name)
        self.addCleanup(lambda: os.path.lexists(path) and os.unlink(path))
        return path


class ScarceTests(ProcessCase):
    """What a machine that is short of something refuses."""

    async def starved(self, free: int, act: Callable[[], Any]) -> Any:
        """Do something with so few descriptors free; return what comes of it, or None: it was refused."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(map(int, os.listdir("/proc/self/fd")))
        # Numbers below the highest that are free are taken, so that the limit counts.
        taken = []
        while not taken or taken[-1] < highest:
            taken.append(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
        taken.append(os.dup(taken[0]))
        limit = taken[-1] + 1 + free
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            try:
                return act()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                for each in taken:
                    os.close(each)
        except VirtError as error:
            self.assertEqual(error.code, ErrorCode.SYSTEM_ERROR)
            return None

    async def test_descriptors(self) -> None:
        """However few descriptors there are: it runs, or is refused; nothing is left of it."""
        # The reactor makes something for itself with the first process.
        first = self.processes.start(Command(argv=("/bin/true",)))
        await first.whenEnded()
        await deferLater(reactor, 0)
        before = len(os.listdir("/proc/self/fd"))
        path = self.file("a.pid")
        done = refused = 0
        for free in range(14):
            for data in (b"", b"x" * 10, b"x" * 100000):
                command = shell("cat; echo bad >&2", input=data)
                answer = await self.starved(free, lambda c=command: self.processes.run(c))  # type: ignore[misc]
                try:
                    finished = await answer
                except VirtError as error:
                    self.assertEqual(error.code, ErrorCode.SYSTEM_ERROR)
                    refused += 1
                else:
                    self.assertEqual(finished, Finished(0, data, b"bad\n"))
                    done += 1
            for shaken in (False, True):
                command = Command(argv=("/bin/sleep", "9"), pidFile=path, handshake=shaken)
                running = await self.starved(free, lambda c=command: self.processes.start(c))  # type: ignore[misc]
                if running is None:
                    self.assertFalse(os.path.exists(path))
                    refused += 1
                    continue
                running.kill(signal.SIGKILL)
                self.assertEqual(await running.whenEnded(), -signal.SIGKILL)
                done += 1
            self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertGreater(done, 10)
        self.assertGreater(refused, 10)
        self.assertEqual(watched(), 0)

    async def test_unknown(self) -> None:
        """A process that cannot be looked at is not taken for one that has ended."""
        running = self.processes.start(Command(argv=("/bin/sleep", "9")))
        pid, started = running.pid, startTime(running.pid)
        adopted = await self.starved(0, lambda: self.processes.adopt(pid, started) or self.fail())
        self.assertIsNone(adopted)
        with self.assertRaises(OSError):
            await self.starved(0, lambda: startTime(pid))
        running.kill(signal.SIGKILL)
        await running.whenEnded()

    async def test_nonsense(self) -> None:
        """What no system can run is refused, and names what it was."""
        for wrong in (
            {"argv": ("/bin/true\0",)},
            {"argv": ("/bin/true", "a\0b")},
            {"argv": ("/bin/true", "x" * (3 << 20))},
            {"argv": ("/bin/true", *["y" * 1000] * 20000)},
            {"argv": ("/etc/hostname",)},
            {"argv": ("/etc",)},
            {"argv": ("/bin/true",), "folder": "/nope"},
            {"argv": ("/bin/true",), "folder": "/etc/hostname"},
            {"argv": ("/bin/true",), "folder": "/\0"},
            {"argv": ("/bin/true",), "environment": {"A=B": "1"}},
            {"argv": ("/bin/true",), "environment": {"A": "\0"}},
            {"argv": ("/bin/true",), "descriptors": (1 << 20,)},
            {"argv": ("",)},
        ):
            command = Command(**wrong)  # type: ignore[arg-type]
            text = await self.refused(self.processes.run(command), ErrorCode.SYSTEM_ERROR)
            self.assertIn("cannot execute binary", text)
            self.assertRaises(VirtError, self.processes.start, command)
        self.assertEqual(watched(), 0)


class SurroundingsTests(ProcessCase):
    """What a command gets, and what not."""

    async def test_environment(self) -> None:
        """It has a few names of ours, C{LC_ALL=C}, what is set for it and what it is to inherit, and nothing else."""
        text = await self.said("env", environment={"SET": "a b"}, passed=("FOR_IT", "NOT_SET"))
        found = dict(line.split("=", 1) for line in text.splitlines())
        self.assertEqual((found["LC_ALL"], found["SET"], found["FOR_IT"]), ("C", "a b", "2"))
        allowed = {"LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR"}
        shells = {"PWD", "OLDPWD", "SHLVL", "_"}
        self.assertLessEqual(set(found) - allowed - shells, {"LC_ALL", "SET", "FOR_IT"})

    async def test_place(self) -> None:
        """It runs in the root's folder or the one that is asked for, with the umask that is asked for."""
        self.assertEqual(await self.said("pwd"), "/\n")
        folder = self.folder()
        self.assertEqual(
            await self.said("pwd; umask", folder=folder, umask=0o27), f"{folder}\n0027\n"
        )

    async def test_descriptors(self) -> None:
        """Those that are named are open under their own numbers; no other is, whatever we have open."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        os.set_inheritable(writing, True)
        command = Command(argv=("/bin/ls", "/proc/self/fd"), descriptors=(reading,))
        finished = await self.processes.run(command)
        # One more is the folder that is being read: it has the lowest number that is free.
        folder = 4 if reading == 3 else 3
        self.assertEqual(
            sorted(map(int, finished.output.split())), sorted({0, 1, 2, reading, folder})
        )

    async def test_rights(self) -> None:
        """Another user, groups, no capabilities, limits, and no way back: all at once and one by one."""
        if os.geteuid() != 0:
            raise SkipTest("rights are given away by root")
        look = "grep -E '^(Uid|Gid|Groups|CapEff|CapBnd|NoNewPrivs)' /proc/self/status; ulimit -n"
        text = await self.said(
            look,
            user=1234,
            group=1235,
            groups=(7, 8),
            dropCapabilities=True,
            noNewPrivileges=True,
            limits=("--nofile=77",),
        )
        self.assertEqual(
            text.replace("\t", " ").replace(" \n", "\n").splitlines(),
            [
                "Uid: 1234 1234 1234 1234",
                "Gid: 1235 1235 1235 1235",
                "Groups: 7 8",
                "CapEff: 0000000000000000",
                "CapBnd: 0000000000000000",
                "NoNewPrivs: 1",
                "77",
            ],
        )
        text = await self.said(look, dropCapabilities=True)
        self.assertIn("Uid:\t0\t", text)
        self.assertIn("CapEff:\t0000000000000000", text)
        # CAP_SYS_RAWIO is number 17.
        text = await self.said(
            look, user=1234, group=1235, dropCapabilities=True, keptCapabilities=("sys_rawio",)
        )
        self.assertIn("Uid:\t1234\t", text)
        for kind in ("Eff", "Bnd"):
            self.assertIn(f"Cap{kind}:\t{1 << 17:016x}", text)
        text = await self.said(look, group=5)
        self.assertRegex(text, r"Uid:\t0\t0\t0\t0\nGid:\t5\t5\t5\t5\nGroups:\t *\n")

    async def test_hook(self) -> None:
        """What is to be done in the new process is done there; if that goes wrong the program does not run."""
        path = self.file("mark")
        ours = os.getpid()

        def hook() -> None:
            os.setpriority(os.PRIO_PROCESS, 0, 7)
            if os.getpid() == ours:
                raise AssertionError("it is called in the process that asks")

        self.assertEqual(await self.said("nice", hook=hook), "7\n")

        def wrong() -> None:
            raise ValueError("no")

        command = shell(f"touch {path}", hook=wrong)
        message = await self.refused(self.processes.run(command), ErrorCode.SYSTEM_ERROR)
        self.assertIn("cannot execute binary /bin/sh", message)
        self.assertFalse(os.path.exists(path))

    async def test_absent(self) -> None:
        """A program that is not there, or not one, is an error with the system's number."""
        for name, number in (("/nope", 2), ("nope-nope", 2), ("/etc", 13), ("a\0b", -1)):
            error = await self.assertFailure(self.processes.run(Command(argv=(name,))), VirtError)
            self.assertEqual((error.code, error.int1), (ErrorCode.SYSTEM_ERROR, number))
            self.assertIn(f"cannot execute binary {name}", str(error.message))


class SpeakingTests(ProcessCase):
    """What a command reads and says."""

    async def test_input(self) -> None:
        """Little comes by a pipe and much by a file; of neither anything is lost, and none at all is an end."""
        for size in (1, 65536, 65537, 3 << 20):
            command = Command(argv=("/usr/bin/wc", "-c"), input=b"x" * size)
            self.assertEqual(int((await self.processes.run(command)).output), size)
        self.assertEqual(await self.said("[ -p /dev/stdin ] && cat", input=b"abc"), "abc")
        self.assertEqual(await self.said("cat; readlink /proc/self/fd/0"), "/dev/null\n")

    async def test_unread(self) -> None:
        """Nobody is hurt by what is not read."""
        for size in (10, 1 << 20):
            self.assertEqual(await self.said("exec <&-; echo x", input=b"x" * size), "x\n")

    async def test_files(self) -> None:
        """It reads from a descriptor of ours and prints to one, also when it is left running."""
        path = self.file("out")
        with open("/proc/self/stat") as source, open(path, "wb") as sink:
            await self.processes.run(shell("cat", source=source.fileno(), sink=sink.fileno()))
        with open(path) as file:
            self.assertTrue(file.read().startswith(f"{os.getpid()} "))
        with open(path, "wb") as sink, open(os.devnull, "wb") as log:
            command = shell("echo out; echo err >&2", sink=sink.fileno(), log=log.fileno())
            self.assertEqual(await self.processes.start(command).whenEnded(), 0)
        with open(path) as file:
            self.assertEqual(file.read(), "out\n")

    async def test_streams(self) -> None:
        """Both streams come apart, or together in order; bytes are not looked at."""
        text = r"printf 'a\0\377'; printf 'b\0' >&2; echo c"
        self.assertEqual(await self.processes.run(shell(text)), Finished(0, b"a\0\xffc\n", b"b\0"))
        merged = await self.processes.run(shell(text, merged=True))
        self.assertEqual(merged, Finished(0, b"a\0\xffb\0c\n", b""))

    async def test_tooMuch(self) -> None:
        """
        One that says too much is ended, or what is too much is dropped.

        The second is started at once when the first has ended, with descriptors of the same numbers, of which the
        reactor may still have to tell something.
        """
        text = "head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2; echo $? >&2"
        message = await self.refused(
            self.processes.run(shell(text, outputLimit=1000)), ErrorCode.INTERNAL_ERROR
        )
        self.assertEqual(
            message, "internal error: Child process (/bin/sh) says more than 1000 bytes"
        )
        finished = await self.processes.run(shell(text, outputLimit=1000, clipped=True))
        self.assertEqual(finished, Finished(0, b"\0" * 1000, b"\0" * 1000))


class EndTests(ProcessCase):
    """How a command ends."""

    async def test_status(self) -> None:
        """A status that is not expected is an error, and so is a signal; where any will do it is told."""
        message = await self.refused(
            self.processes.run(shell("echo why >&2; exit 3")), ErrorCode.INTERNAL_ERROR
        )
        self.assertEqual(
            message,
            "internal error: Child process (/bin/sh -c echo why >&2; exit 3) unexpected exit status 3: why\n",
        )
        message = await self.refused(
            self.processes.run(shell("kill -9 $$")), ErrorCode.INTERNAL_ERROR
        )
        self.assertTrue(message.endswith("unexpected fatal signal 9"), message)
        for text, status in (("exit 3", 3), ("kill -9 $$", -9), ("exit 300", 44)):
            self.assertEqual((await self.processes.run(shell(text, statuses=None))).status, status)
        await self.processes.run(shell("exit 3", statuses=frozenset([3])))

    async def test_late(self) -> None:
        """One that does not end in time is ended with all that it has started."""
        path, clock = self.file("pid"), TimedReactor()
        text = f"sleep 1000 & echo $! > {path}; wait"
        running = Processes(clock).run(shell(text, deadline=0.5))
        pid = await self.number(path)
        clock.advance(0.5)
        message = await self.refused(running, ErrorCode.OPERATION_TIMEOUT)
        self.assertIn("did not end in 0.5 seconds", message)
        await self.until(lambda: startTime(pid) is None)

    async def test_leftRunning(self) -> None:
        """What it left running keeps its pipes open: that is waited for until the deadline, and it goes on."""
        path, clock = self.file("pid"), TimedReactor()
        text = f"setsid sleep 1000 & echo $! > {path}; echo said"
        before = watched()
        running = Processes(clock).run(shell(text, deadline=0.5))
        # What it says, on both streams, is watched still when its end has been.
        await self.until(lambda: watched() == before + 2)
        clock.advance(0.5)
        self.assertEqual(await running, Finished(0, b"said\n", b""))
        pid = await self.number(path)
        self.assertIsNotNone(startTime(pid))
        os.kill(pid, signal.SIGKILL)
        # Once that says too much nobody listens to any of it.
        text = "(while kill -0 $$ 2>/dev/null; do sleep 0.01; done; head -c 5000 /dev/zero; exec sleep 1000)"
        text += f" & echo $! > {path}"
        await self.refused(
            self.processes.run(shell(text, outputLimit=1000, deadline=None)),
            ErrorCode.INTERNAL_ERROR,
        )
        with open(path) as file:
            pid = int(file.read())
        os.kill(pid, signal.SIGKILL)
        finished = await self.processes.run(shell("(sleep 0.2; echo late) & echo said"))
        self.assertEqual(finished.output, b"said\nlate\n")

    async def test_cancel(self) -> None:
        """Who gives up ends it, and nothing of it is watched any more, whatever it left running."""
        path = self.file("pid")
        running = self.processes.run(shell(f"setsid sleep 1000 & echo $! > {path}; wait"))
        pid = await self.number(path)
        running.cancel()
        await self.assertFailure(running, Exception)
        await self.until(lambda: not watched())
        os.kill(pid, signal.SIGKILL)


class StayingTests(ProcessCase):
    """Commands that are left running."""

    async def test_session(self) -> None:
        """One that is left running has a session of its own, and is not held by what we have open."""
        running = self.processes.start(Command(argv=("/bin/sleep", "1000")))
        self.assertEqual(os.getsid(running.pid), running.pid)
        links = [os.readlink(f"/proc/{running.pid}/fd/{fd}") for fd in (0, 1, 2)]
        self.assertEqual(links, ["/dev/null"] * 3)
        self.assertTrue(running.isRunning())
        running.kill(signal.SIGTERM)
        self.assertEqual(await running.whenEnded(), -signal.SIGTERM)
        self.assertFalse(running.isRunning())
        running.kill(signal.SIGTERM)

    async def test_pidFile(self) -> None:
        """Its number is in the pid file at once, which it holds locked; nobody else gets it meanwhile."""
        path = self.file("a.pid")
        with open(path, "w") as file:
            file.write("1234567890")
        command = Command(argv=("/bin/sleep", "1000"), pidFile=path)
        running = self.processes.start(command)
        with open(path, "r+") as file:
            self.assertEqual(file.read(), str(running.pid))
            self.assertRaises(OSError, fcntl.lockf, file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
            error = self.assertRaises(VirtError, self.processes.start, command)
            self.assertEqual(
                str(error), f"Failed to acquire pid file '{path}': Resource temporarily unavailable"
            )
            running.kill(signal.SIGKILL)
            await running.whenEnded()
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
        again = self.processes.start(command)
        again.kill(signal.SIGKILL)
        await again.whenEnded()

    def test_pidFileWrong(self) -> None:
        """No pid file is left of what did not start, and nothing starts that cannot have one."""
        path = self.file("a.pid")
        start = self.processes.start
        self.assertRaises(VirtError, start, Command(argv=("/nope",), pidFile=path))
        self.assertFalse(os.path.exists(path))
        os.symlink("/etc/hostname", path)
        for wrong in (path, "/nope/a.pid", "/etc"):
            error = self.assertRaises(VirtError, start, Command(argv=("/bin/true",), pidFile=wrong))
            self.assertIn(f"pid file '{wrong}'", str(error))

    async def test_handshake(self) -> None:
        """It becomes its program when it is told to, with its number; nobody can tell it: it ends."""
        path = self.file("mark")
        command = shell(f"ls /proc/$$/fd > {path}; exec sleep 1000", handshake=True)
        running = self.processes.start(command)
        await self.until(lambda: b"mark" in self.commandLine(running.pid))
        self.assertFalse(os.path.exists(path))
        running.proceed()
        running.proceed()
        await self.until(lambda: self.commandLine(running.pid) == b"sleep\x001000\0")
        running.kill(signal.SIGKILL)
        self.assertEqual(await running.whenEnded(), -9)
        running.proceed()
        # It has the descriptors of one that did not wait.
        plain = self.file("plain")
        await self.processes.run(shell(f"ls /proc/$$/fd > {plain}"))
        with open(path) as file, open(plain) as other:
            self.assertEqual(file.read().split(), other.read().split())
        os.unlink(path)
        running = self.processes.start(command)
        pid = running.pid
        running.forget()
        await self.until(lambda: startTime(pid) is None)
        os.waitpid(pid, 0)
        self.assertFalse(os.path.exists(path))

    def commandLine(self, pid: int) -> bytes:
        """Return a process's words."""
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()

    async def test_adopt(self) -> None:
        """One that another life of ours left running is found again; another with its number is not taken for it."""
        running = self.processes.start(Command(argv=("/bin/sleep", "1000")))
        started = startTime(running.pid)
        assert started is not None
        self.assertIsNone(self.processes.adopt(running.pid, started + 1))
        found = self.processes.adopt(running.pid, started)
        assert found is not None
        found.kill(signal.SIGKILL)
        self.assertIsNone(await found.whenEnded())
        self.assertEqual(await running.whenEnded(), -9)
        self.assertIsNone(self.processes.adopt(running.pid, started))


class ShownTests(TestCase):
    """What is told of commands, and of those that are not run."""

    def test_shown(self) -> None:
        """It can be repeated by hand as it is shown, and has no word that is not to be seen."""
        command = Command(
            argv=("prog", "a b", "secret"),
            environment={"X": "1 2"},
            folder="/tmp",
            user=5,
            limits=("--core=0",),
            hidden=frozenset(["secret"]),
        )
        self.assertEqual(
            command.shown(),
            "(cd /tmp; X='1 2' setpriv --reuid 5 --clear-groups -- prlimit --core=0 -- prog 'a b' ***)",
        )
        self.assertEqual(command.named(), "LC_ALL=C X=1 2 prog a b secret")

    def test_dryRun(self) -> None:
        """What would be run is written down and answered, and fails as it would."""
        processes = DryRun(lambda command: Finished(len(command.argv) - 1, b"out", b"why"))
        self.assertEqual(self.successResultOf(processes.run(Command(argv=("a",)))).output, b"out")
        error = self.failureResultOf(processes.run(Command(argv=("a", "b"))), VirtError).value
        self.assertIn("Child process (a b) unexpected exit status 1: why", str(error))
        running = processes.start(Command(argv=("c",)))
        self.assertRaises(ProcessLookupError, os.kill, running.pid, 0)
        ended = running.whenEnded()
        self.assertNoResult(ended)
        self.assertTrue(running.isRunning())
        running.proceed()
        running.kill(9)
        self.assertEqual(self.successResultOf(ended), -9)
        self.assertEqual(self.successResultOf(running.whenEnded()), -9)
        running.forget()
        self.assertIsNone(processes.adopt(1, None))
        self.assertEqual(processes.shown(), ["a", "a b", "c"])
        assertContract(IProcesses, DryRun)
        assertContract(IProcesses, Processes)
        assertContract(IRunning, type(running))
