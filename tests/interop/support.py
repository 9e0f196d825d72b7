"""
The harness of the interop tests: daemons of a test's own, stock clients, and the comparison of two sides.

L{servers} gives one libvirtd and one pyvirt daemon per process, started on first use and ended with it; each has
a UNIX and a TCP address of its own in a temporary folder with a short path.  C{test:///default} lives in a daemon
only while somebody is connected, so tests that share a daemon share no state.

Everything here blocks, for tests and benchmarks whose peers are other processes.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import difflib
import functools
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from twisted.trial.unittest import SkipTest, SynchronousTestCase

__all__ = [
    "BINDING_PYTHON",
    "CHECKOUT",
    "ComparisonCase",
    "LibvirtDaemon",
    "Outcome",
    "PyvirtDaemon",
    "Servers",
    "freePort",
    "normalised",
    "requireBinding",
    "requireLibvirtd",
    "requireVirsh",
    "runScript",
    "servers",
    "virsh",
]

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

#: Files that clients find in the folder they are started in.
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")

#: Debian's own interpreter: the one that has the stock binding.
BINDING_PYTHON = "/usr/bin/python3"

#: Seconds within which a daemon must answer, and a client must end.
START_DEADLINE = 120.0
CLIENT_DEADLINE = 300.0
VIRSH_DEADLINE = 20.0

#: Commands that virsh gives to a thread of its own.
_MAY_HANG = re.compile(r"\b(save|managedsave|dump|migrate|blockcopy|blockcommit|blockpull)\b")

_SEARCH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/local/sbin"])
_PR_SET_PDEATHSIG = 1


def found(program: str) -> str | None:
    """Where a program is, those for administrators included."""
    return shutil.which(program, path=_SEARCH)


def requireVirsh() -> str:
    """Return the path of virsh, or skip."""
    path = found("virsh")
    if path is None:
        raise SkipTest("virsh is not installed (libvirt-clients)")
    return path


def requireLibvirtd() -> str:
    """Return the path of libvirtd, or skip."""
    path = found("libvirtd")
    if path is None:
        raise SkipTest("libvirtd is not installed (libvirt-daemon)")
    return path


_binding: list[bool] = []


def requireBinding() -> str:
    """Return an interpreter that has the stock Python binding, or skip."""
    if not _binding:
        _binding.append(
            os.path.exists(BINDING_PYTHON)
            and subprocess.run(
                [BINDING_PYTHON, "-c", "import libvirt"], capture_output=True
            ).returncode
            == 0
        )
    if not _binding[0]:
        raise SkipTest("the stock Python binding is not installed (python3-libvirt)")
    return BINDING_PYTHON


_given = {16509, 16514}  # libvirtd's own


def freePort() -> int:
    """
    A loopback TCP port that nobody uses now, and nobody was given before: who knew a server by it would take the next
    for an impostor.  The kernel gives it to no client either, for it is below those that it gives away.
    """
    for _ in range(1000):
        port = random.SystemRandom().randrange(12000, 32000)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise AssertionError("there is no free port")


@functools.cache
def _libc() -> Any:
    return ctypes.CDLL(None)


def _diesWithParent() -> None:
    """In a child: be ended when the test process is, however it ends."""
    _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Daemon:
    """
    A daemon that is running, in a folder of its own.

    @ivar folder: its folder; the path is short, for UNIX socket addresses have 107 bytes at most.
    @ivar socketPath: its read-write UNIX socket.
    @ivar port: its TCP port on 127.0.0.1.
    @ivar pid: its process.
    @ivar startup: seconds from the start of the process to the first answer.
    """

    label = ""

    def __init__(
        self, settings: Sequence[str] = (), environment: dict[str, str] | None = None
    ) -> None:
        """
        Start it and return once both addresses accept connections.

        @param settings: further lines of its configuration file.
        @raise AssertionError: it ended, or did not answer in time; its output is in the message.
        """
        self.folder = tempfile.mkdtemp(prefix="pv-", dir="/tmp")
        self.socketPath = os.path.join(self.folder, "libvirt-sock")
        self.readOnlySocketPath = self.socketPath + "-ro"
        self.port = freePort()
        self.config = os.path.join(self.folder, "daemon.conf")
        shutil.copytree(DATA, self.folder, dirs_exist_ok=True)
        self.output = os.path.join(self.folder, "output")
        with open(self.config, "w") as file:
            file.write("\n".join([*self.settings(), *settings, ""]))
        self._environment = {**os.environ, **self.environment(), **(environment or {})}
        _libc()  # loaded before the fork, which is no place for it
        self._start()

    def _start(self) -> None:
        started = time.monotonic()
        with open(self.output, "wb") as output:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self._environment,
                preexec_fn=_diesWithParent,
            )
        self.pid = self._process.pid
        self._waitFor(self._ask, started)
        self.startup = time.monotonic() - started
        self._waitFor(lambda: self.connect(tcp=True).close(), started)
        if os.geteuid() == 0:  # a user's own daemon has no read-only socket
            self._waitFor(lambda: self.connect(readOnly=True).close(), started)

    def settings(self) -> list[str]:
        """Lines of the configuration file that both daemons read the same way."""
        return [
            "listen_tls = 0",
            "listen_tcp = 1",
            'listen_addr = "127.0.0.1"',
            f'tcp_port = "{self.port}"',
            'auth_tcp = "none"',
            'auth_unix_rw = "none"',
            'auth_unix_ro = "none"',
            f'unix_sock_dir = "{self.folder}"',
        ]

    def command(self) -> list[str]:
        """The daemon's command line."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What its environment has besides ours."""
        return {}

    def _waitFor(self, attempt: Callable[[], object], started: float) -> None:
        while True:
            try:
                attempt()
            except OSError as error:
                if self._process.poll() is not None:
                    raise AssertionError(
                        f"{self.label} ended with {self._process.returncode}: {self.log()}"
                    ) from error
                if time.monotonic() - started > START_DEADLINE:
                    log = self.log()
                    self.stop()
                    raise AssertionError(f"{self.label} does not answer: {error}; {log}") from error
                time.sleep(0.003)
            else:
                return

    def _ask(self) -> None:
        # Accepting a connection is the system's work; only an answer says that the daemon is there.
        with self.connect() as connection:
            connection.sendall(struct.pack(">IIIiIII", 28, 0x20008086, 1, 66, 0, 1, 0))
            if not connection.recv(4):
                raise ConnectionError("it hung up")

    def connect(self, tcp: bool = False, readOnly: bool = False) -> socket.socket:
        """
        Open a raw connection.

        @raise OSError: it does not listen.
        """
        if tcp:
            return socket.create_connection(("127.0.0.1", self.port), timeout=CLIENT_DEADLINE)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(CLIENT_DEADLINE)
        try:
            connection.connect(self.readOnlySocketPath if readOnly else self.socketPath)
        except BaseException:
            connection.close()
            raise
        return connection

    def uri(self, path: str = "/default", tcp: bool = False, readOnly: bool = False) -> str:
        """The URI by which a client reaches the test driver of this daemon."""
        if tcp:
            return f"test+tcp://127.0.0.1:{self.port}{path}"
        return (
            f"test+unix://{path}?socket={self.readOnlySocketPath if readOnly else self.socketPath}"
        )

    def log(self) -> str:
        """What the daemon has printed."""
        with open(self.output, errors="replace") as file:
            return file.read()

    def memory(self) -> int:
        """Resident memory in KiB."""
        with open(f"/proc/{self.pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        raise AssertionError(f"{self.label} is gone")

    def peak(self) -> int:
        """The most resident memory that it ever had, in KiB."""
        with open(f"/proc/{self.pid}/status") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
        return self.memory()

    def descriptors(self) -> int:
        """How many descriptors the daemon has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def clients(self) -> int:
        """How many connections of clients it has open."""
        paths = {self.socketPath, self.readOnlySocketPath}
        with open("/proc/net/unix") as file:
            rows = [line.split() for line in file]
        found = sum(row[-1] in paths and row[5] == "03" for row in rows if len(row) == 8)
        port = f":{self.port:04X}"
        with open("/proc/net/tcp") as file:
            rows = [line.split() for line in file]
        return found + sum(row[1].endswith(port) and row[3] == "01" for row in rows[1:])

    def quiet(self) -> None:
        """
        Return once it has forgotten its clients, and with them what they shared.

        A client that has ended is still being cleared away for a moment; an answer to a new one comes after.
        """
        end = time.monotonic() + START_DEADLINE
        while self.clients() and time.monotonic() < end:
            time.sleep(0.001)
        self._ask()

    def isRunning(self) -> bool:
        """Whether the process still lives."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it as no daemon expects; its folder stays, for L{restart}."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Start it again after L{kill}, at the same addresses."""
        self._start()

    def stop(self) -> int:
        """
        End it and remove its folder.

        @return: its exit status; below 0, the signal that ended it.
        """
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
        status = self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        return status


class LibvirtDaemon(Daemon):
    """libvirtd with an empty driver folder: the drivers that are built in, C{test} among them."""

    label = "libvirtd"

    def command(self) -> list[str]:
        return [
            requireLibvirtd(),
            "--listen",
            "--config",
            self.config,
            "--pid-file",
            os.path.join(self.folder, "pid"),
        ]

    def environment(self) -> dict[str, str]:
        drivers = os.path.join(self.folder, "drivers")
        os.makedirs(drivers, exist_ok=True)
        return {"LIBVIRT_DRIVER_DIR": drivers}


class PyvirtDaemon(Daemon):
    """Our daemon, run by twistd as an operator would."""

    label = "pyvirt"

    def command(self) -> list[str]:
        return [
            sys.executable,
            *("-c", "from twisted.scripts.twistd import run; run()"),
            "--nodaemon",
            "--pidfile=",
            "pyvirt",
            "--config",
            self.config,
        ]

    def environment(self) -> dict[str, str]:
        path = os.environ.get("PYTHONPATH")
        return {"PYTHONPATH": CHECKOUT + (os.pathsep + path if path else "")}


class Servers(NamedTuple):
    """The two sides of a comparison."""

    libvirtd: Daemon
    pyvirt: Daemon


_servers: list[Servers] = []


def servers() -> Servers:
    """
    The two daemons that tests of this process share; started on first use.

    @raise SkipTest: libvirtd is not installed.
    """
    if not _servers:
        requireLibvirtd()
        reference = LibvirtDaemon()
        atexit.register(reference.stop)
        ours = PyvirtDaemon()
        atexit.register(ours.stop)
        _servers.append(Servers(reference, ours))
    return _servers[0]


class Outcome(NamedTuple):
    """What a command printed and how it ended."""

    stdout: str
    stderr: str
    status: int


@functools.cache
def _home() -> str:
    """A folder for what clients keep for their users, as histories; gone with this process."""
    folder = tempfile.mkdtemp(prefix="pv-home-", dir="/tmp")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _clientEnvironment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LIBVIRT_", "LC_", "XDG_", "VIRSH_"))
    }
    return {
        **kept,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "HOME": _home(),
        "EDITOR": "false",
        "VISUAL": "false",
    }


def run(
    command: Sequence[str],
    input: str = "",
    cwd: str | None = None,
    deadline: float = CLIENT_DEADLINE,
) -> Outcome:
    """
    Run a client to its end.

    @raise subprocess.TimeoutExpired: it hung.
    """
    done = subprocess.run(
        command,
        input=input.encode(),
        capture_output=True,
        env=_clientEnvironment(),
        cwd=cwd,
        timeout=deadline,
    )
    return Outcome(
        done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), done.returncode
    )


def virsh(
    uri: str, *arguments: str, input: str = "", options: Sequence[str] = (), cwd: str | None = None
) -> Outcome:
    """
    Run virsh on a URI.

    @param arguments: a command and its arguments; none starts a shell that reads C{input}.
    @param options: of virsh itself, C{--readonly} say.
    """
    command = [requireVirsh(), *options, "-c", uri, *arguments]
    if _MAY_HANG.search(" ".join(arguments) + input):
        for _ in range(4):
            # virsh 9.0.0 may miss that its worker is done when the daemon is fast, and wait for ever.
            with contextlib.suppress(subprocess.TimeoutExpired):
                return run(command, input, cwd, deadline=VIRSH_DEADLINE)
    return run(command, input, cwd)


def runScript(script: str, *arguments: str, cwd: str | None = None) -> Outcome:
    """Run a script of the stock Python binding; what follows it is in C{sys.argv}."""
    return run([requireBinding(), "-c", script, *arguments], cwd=cwd)


_RANDOM_UUID = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b"
)
_RANDOM_MAC = re.compile(r"\b52:54:00(?::[0-9a-f]{2}){3}\b")
_PASSING_TIME: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"(?m)^(CPU time: +)[\d.]+s$"), r"\1<time>s"),
    (re.compile(r"(?m)^( *(?:cpu|vcpu\.\d+)\.(?:time|user|system)=)\d+$"), r"\1<time>"),
    (
        re.compile(r"(?m)^(\s*(?:cpu_time|user_time|system_time|vcpu_time) +)[\d.]+ seconds$"),
        r"\1<time> seconds",
    ),
    # The test driver's counters are the time of day, divided: their first digits say whether they are right.
    (
        re.compile(r"(?m)^(\S+ (?:rd_req|rd_bytes|wr_req|wr_bytes|errs|[rt]x_\w+) +\d{6})\d+$"),
        r"\1<passing>",
    ),
    (
        re.compile(r"(?m)^( *(?:number of|error count|flush)[\w ]*: +\d{6})\d+$"),
        r"\1<passing>",
    ),
    # libvirtd names the error that its thread had last, whatever that was of: where nothing labels sockets, of one.
    (
        re.compile(r"(incomplete save header in '[^'\n]*'): (?:Success|Protocol not available)"),
        r"\1: <leftover>",
    ),
    (re.compile(r"/tmp/virsh\w{6}\.xml"), "/tmp/virsh<random>.xml"),
    (re.compile(r"(<creationTime>)\d{10}(</creationTime>)"), r"\1<epoch>\2"),
    (re.compile(r"\b1[6-9]\d{8}\b"), "<epoch>"),
    (re.compile(r"\b20\d\d-\d\d-\d\d[ -]\d\d:\d\d:\d\d( [+-]\d{4})?"), r"<date>\1"),
]


def normalised(text: str, daemon: Daemon) -> str:
    """
    Replace what must differ between two daemons: folders, ports, process ids, passing time, random identities.

    Random UUIDs and MACs become numbers in order of appearance, so that the same one stays the same one.
    """
    text = text.replace(daemon.folder, "<folder>").replace(
        f"127.0.0.1:{daemon.port}", "127.0.0.1:<port>"
    )
    for pattern, replacement in _PASSING_TIME:
        text = pattern.sub(replacement, text)
    return _numbered("mac", _RANDOM_MAC, _numbered("uuid", _RANDOM_UUID, text))


def _numbered(kind: str, pattern: re.Pattern[str], text: str) -> str:
    seen: dict[str, str] = {}
    return pattern.sub(lambda match: seen.setdefault(match[0], f"<{kind} {len(seen) + 1}>"), text)


def difference(expected: Outcome, actual: Outcome) -> str:
    """What differs between libvirtd's outcome and ours, as a diff; empty if nothing does."""
    lines: list[str] = []
    if expected.status != actual.status:
        lines.append(f"exit status: libvirtd {expected.status}, pyvirt {actual.status}")
    for name in ("stdout", "stderr"):
        one, other = getattr(expected, name), getattr(actual, name)
        lines.extend(
            difflib.unified_diff(
                one.splitlines(),
                other.splitlines(),
                f"libvirtd {name}",
                f"pyvirt {name}",
                lineterm="",
                n=2,
            )
            if one.splitlines() != other.splitlines()
            else [f"{name}: only line ends differ"] * (one != other)
        )
    return "\n".join(lines)


class ComparisonCase(SynchronousTestCase):
    """Base of tests that do the same on libvirtd and on pyvirt and want the same outcome."""

    def bothSides(
        self,
        act: Callable[[Daemon], Outcome],
        also: Callable[[str], str] = lambda text: text,
    ) -> tuple[Outcome, Outcome]:
        """
        Do something on both sides, at the same time.

        @param also: substitutes further what must differ.
        @return: libvirtd's outcome and ours, normalised.
        """
        both = servers()
        for daemon in both:
            daemon.quiet()
        with ThreadPoolExecutor(1) as pool:
            theirs = pool.submit(act, both.libvirtd)
            ours = act(both.pyvirt)
            outcomes = theirs.result(), ours
        expected, actual = (
            Outcome(
                also(normalised(outcome.stdout, daemon)),
                also(normalised(outcome.stderr, daemon)),
                outcome.status,
            )
            for outcome, daemon in zip(outcomes, both, strict=True)
        )
        return expected, actual

    def assertSame(self, what: str, act: Callable[[Daemon], Outcome], **options: Any) -> Outcome:
        """Fail with a diff unless both sides have the same outcome; return it."""
        expected, actual = self.bothSides(act, **options)
        found = difference(expected, actual)
        if found:
            self.fail(f"{what}\n{found}")
        return expected

    def compareEach(
        self,
        commands: Iterable[str],
        tcp: bool = False,
        options: Sequence[str] = (),
        **substitutions: Any,
    ) -> list[Outcome]:
        """
        Give each command line to a virsh of its own; report all that differ at once.

        @param commands: lines as one would type them; several commands in one may be joined by C{;}.
        @return: libvirtd's outcomes.
        """
        differences, outcomes = [], []
        for command in commands:
            expected, actual = self.bothSides(
                lambda daemon, command=command: virsh(
                    daemon.uri(tcp=tcp), command, options=options, cwd=daemon.folder
                ),
                **substitutions,
            )
            outcomes.append(expected)
            found = difference(expected, actual)
            if found:
                differences.append(f"virsh # {command}\n{found}")
        if differences:
            self.fail(
                f"{len(differences)} of {len(outcomes)} command lines differ\n\n"
                + "\n\n".join(differences)
            )
        return outcomes

    def compareSession(
        self,
        commands: Iterable[str],
        tcp: bool = False,
        options: Sequence[str] = (),
        **substitutions: Any,
    ) -> Outcome:
        """Type all commands into one virsh shell, on one connection."""
        text = "".join(f"{command}\n" for command in commands)
        return self.assertSame(
            "one virsh shell",
            lambda daemon: virsh(
                daemon.uri(tcp=tcp), input=text, options=options, cwd=daemon.folder
            ),
            **substitutions,
        )

    def compareScript(self, script: str, **substitutions: Any) -> Outcome:
        """Run one script of the stock Python binding on both sides; the URI is C{sys.argv[1]}."""
        return self.assertSame(
            "one script of the stock binding",
            lambda daemon: runScript(script, daemon.uri(), cwd=daemon.folder),
            **substitutions,
        )
