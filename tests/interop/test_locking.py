"""
Lock daemons and lock stores: ours beside libvirt's virtlockd, and guests whose leases hang on them.

A guest is C{sleep} here: all that matters of it is when it starts and ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest, TestCase

from pyvirt.drivers.interfaces.locking import Guest, Lockable
from pyvirt.errors import ErrorCode, VirtError
from pyvirt.locking.etcd import EtcdManager
from pyvirt.locking.etcdclient import Fresh
from pyvirt.locking.launcher import STATUS
from pyvirt.locking.lockd import LockdManager
from pyvirt.process import startTime
from pyvirt.protocols.programs.lock import PROGRAM
from pyvirt.protocols.structs import LockOwner
from pyvirt.testing.suites import LockManagerContract
from tests.interop.prober import Prober
from tests.interop.support import CHECKOUT, found, freePort

PROCEDURES = {each.name: each for each in PROGRAM.procedures.values()}
DEADLINE = 120.0


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for what another process does; return what the condition is then."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what} did not happen")


def connectable(path: str) -> bool:
    """Whether somebody serves a UNIX socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True


class Case(TestCase):
    """Has a folder with a short path, and ends what it has started."""

    timeout = 300

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="pv-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name: str, content: str | None = None) -> str:
        """A path in the folder, with a file there if it has content."""
        path = os.path.join(self.folder, name)
        if content is not None:
            with open(path, "w") as file:
                file.write(content)
        return path

    def spawn(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a process that ends with the test."""
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)

        def end() -> None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

        self.addCleanup(end)
        return process

    def lockd(self) -> subprocess.Popen[bytes]:
        """Start our lock daemon; its socket is C{self.socket}."""
        self.socket = self.path("run/libvirt/virtlockd-sock")
        with open(self.path("log"), "ab") as log:
            daemon = self.spawn(
                [
                    *(sys.executable, "-c", "from twisted.scripts.twistd import run; run()"),
                    *("--nodaemon", "--pidfile=", "pyvirt-lockd", "--root", self.folder),
                    *("--socket", self.socket),
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": CHECKOUT},
            )
        until(lambda: daemon.poll() is not None or connectable(self.socket), "the lock daemon")
        with open(self.path("log")) as file:
            self.assertIsNone(daemon.poll(), file.read())
        return daemon


def scenario(path: str, folder: str) -> list[str]:
    """Ask a lock daemon everything, well and badly, as three clients; return what it answers."""
    answers: list[str] = []
    clients: dict[str, Prober] = {}
    guests = [subprocess.Popen(["sleep", "1000"]) for _ in range(2)]
    one, two = (
        LockOwner(uuid.UUID(int=number).bytes, f"guest{number}", number, guest.pid)  # type: ignore[arg-type]
        for number, guest in enumerate(guests, 1)
    )

    def ask(name: str, procedure: str, *arguments: Any) -> None:
        if name not in clients:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(DEADLINE)
            connection.connect(path)
            clients[name] = Prober(connection, None)
        error = clients[name].call(PROGRAM, PROCEDURES[procedure], arguments).error
        shown = error and (
            *(int(error.code), int(error.domain), int(error.level), str(error)),
            *(error.str1, error.str2, error.str3, error.int1, error.int2),
        )
        text = f"{name} {procedure}{arguments}: {shown}".replace(folder, "<folder>")
        for number, guest in enumerate(guests, 1):
            text = re.sub(rf"\b{guest.pid}\b", f"<guest {number}>", text)
        answers.append(text)

    space, disk, second = (f"{folder}/{name}" for name in ("space", "disk", "second"))
    for each in (disk, second):
        with open(each, "w"):
            pass
    os.mkdir(f"{folder}/plain")
    everything: list[tuple[Any, ...]] = [
        ("new", space, 0),
        ("restrict", 0),
        ("createResource", "", disk, 0),
        ("deleteResource", "", disk, 0),
        ("acquireResource", "", disk, 0),
        ("releaseResource", "", disk, 0),
    ]
    try:
        for procedure, *arguments in everything:
            ask("nobody", procedure, *arguments)
        ask("nobody", "createLockspace", space)
        ask("a", "register", one, 1)
        ask("a", "register", one, 0)
        ask("a", "register", one._replace(id=0), 0)
        ask("b", "register", two, 0)
        for name, flags in (("a", 4), ("a", 0), ("a", 0), ("b", 0), ("b", 1), ("b", 2), ("b", 3)):
            ask(name, "acquireResource", "", disk, flags)
        ask("b", "releaseResource", "", disk, 0)
        for where, what, flags in (
            ("", f"{folder}/absent", 0),
            ("", f"{folder}/made", 2),
            ("relative", "x", 0),
            ("", "relative", 0),
            (f"{folder}/none", "x", 0),
        ):
            ask("b", "acquireResource", where, what, flags)
        for what in (disk, f"{folder}/made"):
            ask("b", "deleteResource", "", what, 0)
        for where in (space, disk, f"{folder}/x/y", ""):
            ask("b", "createLockspace", where)
        for where, flags in ((f"{folder}/plain", 0), (f"{folder}/plain", 0), (space, 1), ("", 0)):
            ask("b", "new", where, flags)
        for where, what, flags in (
            (space, "r1", 0),
            (space, "r1", 0),
            (space, "r/1", 0),
            (space, "r2", 1),
            (f"{folder}/none", "r2", 0),
            ("", f"{folder}/third", 0),
            (space, "", 0),
        ):
            ask("b", "createResource", where, what, flags)
        for name in ("b", "b", "a"):
            ask(name, "acquireResource", space, "r1", 0)
        for what, flags in (("r1", 1), ("r1", 2), ("absent", 0), ("absent", 1), ("auto", 3)):
            ask("a", "acquireResource", space, what, flags)
        for name, what, flags in (("b", "r1", 0), ("b", "absent", 0), ("a", "r1", 1)):
            ask(name, "deleteResource", space, what, flags)
        for name, what, flags in (
            *(("a", "r1", 0), ("b", "r1", 1), ("b", "r1", 2), ("b", "r1", 0), ("b", "r1", 0)),
            ("b", "never", 0),
        ):
            ask(name, "releaseResource", space, what, flags)
        ask("b", "releaseResource", f"{folder}/none", "never", 0)
        ask("b", "deleteResource", space, "r1", 0)
        for name, flags in (("a", 3), ("b", 3), ("b", 2), ("a", 3), ("a", 2)):
            ask(name, "acquireResource", space, "shared", flags)
        for name in ("b", "a", "a", "a"):
            ask(name, "releaseResource", space, "shared", 0)
        for flags in (1, 2):
            ask("b", "acquireResource", space, "shared", flags)
        answers.append(str(sorted(os.listdir(space))))
        ask("c", "register", two, 0)
        ask("c", "acquireResource", "", second, 0)
        ask("b", "acquireResource", "", second, 0)
        ask("b", "releaseResource", "", second, 0)
        ask("c", "releaseResource", "", second, 0)
        for name in ("c", "b", "a"):
            ask(name, "acquireResource", "", second, 1)
        ask("b", "releaseResource", "", second, 0)
        ask("a", "acquireResource", "", second, 0)
        ask("c", "restrict", 1)
        ask("c", "restrict", 0)
        for procedure, *arguments in everything:
            ask("c", procedure, *arguments)
        ask("c", "createLockspace", space)
        ask("c", "register", two, 0)
        # Those who asked for others may go: nothing is released, nobody killed.
        for name in ("c", "b"):
            clients.pop(name).close()
        ask("a", "acquireResource", "", second, 0)
        ask("a", "acquireResource", "", f"{folder}/made", 0)
        # The folder of a lock space is gone.
        os.rename(space, f"{folder}/gone")
        for flags in (0, 1, 2, 3):
            ask("a", "acquireResource", space, "x", flags)
        for procedure in ("createResource", "deleteResource"):
            ask("a", procedure, space, "x", 0)
        answers.append(str([guest.poll() for guest in guests]))
    finally:
        for guest in guests:
            guest.kill()
            guest.wait()
        for client in clients.values():
            client.close()
    return answers


class ComparedTests(Case):
    """Ours answers as virtlockd does."""

    maxDiff = None

    def virtlockd(self) -> str:
        """Start virtlockd in a world of its own; return its socket."""
        program = found("virtlockd")
        if program is None:
            raise SkipTest("virtlockd is not installed (libvirt-daemon)")
        if os.geteuid() != 0:
            raise SkipTest("only root can give virtlockd a folder of its own for its socket")
        own = self.path("virtlockd")
        os.makedirs(f"{own}/run")
        script = (
            "mkdir -p /run/libvirt /var/lib/libvirt && mount --make-rprivate / && "
            f"mount --bind {own}/run /run/libvirt && mount --bind {own} /var/lib/libvirt && "
            f"exec {program} -f /dev/null -p {own}/pid"
        )
        with open(self.path("virtlockd.log"), "wb") as log:
            process = self.spawn(["unshare", "-m", "sh", "-c", script], stdout=log, stderr=log)
        path = f"{own}/run/virtlockd-sock"
        until(lambda: process.poll() is not None or connectable(path), "virtlockd")
        if process.poll() is not None:
            with open(self.path("virtlockd.log")) as file:
                raise SkipTest(f"virtlockd does not start here: {file.read()[-200:]}")
        return path

    def test_answers(self) -> None:
        """The same answers to a hundred calls, with the same codes, domains and texts."""
        theirs = self.virtlockd()
        self.lockd()
        folders = [self.path(name) for name in ("theirs", "ours")]
        for folder in folders:
            os.mkdir(folder)
        expected = scenario(theirs, folders[0])
        self.assertGreater(len(expected), 90)
        self.assertEqual(scenario(self.socket, folders[1]), expected)

    def test_administration(self) -> None:
        """The same is said to administrators, and kept when the daemon starts anew."""
        theirs = self.virtlockd()
        daemon = self.lockd()
        expected, ours = self.administer(theirs), self.administer(self.socket)
        self.assertEqual(ours, expected)
        self.assertIn("nclients_max        : 2000", ours)
        daemon.send_signal(signal.SIGUSR1)
        for command in ("srv-list", "client-list virtlockd"):
            self.assertIn("Id", self.administered(self.socket, command))

    def administer(self, path: str) -> str:
        """Have virt-admin say all that it can say of a lock daemon, one client of which is there."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            return "\n".join(self.administered(path, each) for each in ADMINISTRATION)

    def administered(self, path: str, command: str) -> str:
        """Return what virt-admin prints, once what differs from run to run is out."""
        program = found("virt-admin")
        if program is None:
            raise SkipTest("virt-admin is not installed (libvirt-clients)")
        uri = f"virtlockd+unix:///system?socket={os.path.dirname(path)}/virtlockd-admin-sock"
        done = subprocess.run(
            [program, "-c", uri, *command.split()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE,
        )
        text = re.sub(r"^ \d+( +unix +)[\d:+ -]+$", r" N\1<time>", done.stdout, flags=re.MULTILINE)
        if command == "srv-list":  # in no order that anybody promises
            text = "\n".join(sorted(re.sub(r"^ \d+ ", "", text, flags=re.MULTILINE).split("\n")))
        text = re.sub(r"(process_id *: )\d+", r"\1N", text)
        return f"{command}: {done.returncode}\n{text.replace(uri, '<uri>')}"


#: What virt-admin is told.
ADMINISTRATION = """
version
uri
srv-list
srv-threadpool-info virtlockd
srv-threadpool-info admin
srv-threadpool-set virtlockd --max-workers 10
srv-threadpool-set virtlockd --min-workers 1
srv-threadpool-set admin --min-workers 0 --max-workers 0
srv-clients-info virtlockd
srv-clients-info admin
srv-clients-info nope
srv-clients-set virtlockd --max-clients 2000
srv-clients-set virtlockd --max-unauth-clients 20
srv-clients-set virtlockd --max-unauth-clients 2001
srv-clients-info virtlockd
client-list virtlockd
client-list admin
client-info virtlockd 1
client-info virtlockd 99
client-disconnect virtlockd 99
client-disconnect virtlockd 1
client-disconnect virtlockd 1
server-update-tls virtlockd
server-update-tls admin
daemon-log-filters
daemon-log-filters 1:util
daemon-log-filters
daemon-log-filters 9:util
daemon-log-outputs nonsense
daemon-timeout --timeout 300
daemon-timeout --timeout 0
""".strip().splitlines()


class GuestCase(Case):
    """Guests that a lock manager launches."""

    def guest(self, number: int = 1, pid: int = 0) -> Guest:
        """Who the guest is."""
        return Guest(str(uuid.UUID(int=number)), f"guest{number}", number, pid)

    async def start(
        self, manager: Any, number: int, resources: list[Lockable]
    ) -> subprocess.Popen[bytes]:
        """Launch a guest, and return once it is one or has ended."""
        launch = await _settled(manager.launch(self.guest(number), resources))
        process = self.spawn(
            [*launch.prefix, "/bin/sleep", "1000"],
            stderr=subprocess.PIPE,
            env={**os.environ, **launch.environment},
        )

        def program() -> bool:
            if process.poll() is not None:
                return True
            with open(f"/proc/{process.pid}/comm") as file:
                return file.read() == "sleep\n"

        until(program, "the start of a guest")
        return process

    def refusal(self, manager: Any, process: subprocess.Popen[bytes]) -> VirtError:
        """Why a guest did not start."""
        assert process.stderr is not None
        output = process.stderr.read()
        self.assertEqual(process.wait(), STATUS, output)
        error: VirtError = manager.explain(output)
        return error

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End a guest."""
        process.kill()
        process.wait()

    async def eventually(
        self, manager: Any, number: int, disk: Lockable
    ) -> subprocess.Popen[bytes]:
        """Start a guest once what it wants is free."""
        end = time.monotonic() + DEADLINE
        while True:
            process = await self.start(manager, number, [disk])
            if process.poll() is None or time.monotonic() > end:
                self.assertIsNone(process.poll())
                return process


async def _settled(value: Any) -> Any:
    return await value if hasattr(value, "__await__") else value


class LockdTests(GuestCase):
    """Leases of our lock daemon."""

    async def test_restart(self) -> None:
        """Started anew by a signal, the daemon lets no lease go, and knows when their guests end."""
        daemon = self.lockd()
        manager = LockdManager(reactor, self.socket)
        disk = Lockable(self.path("disk", ""))
        guest = await self.start(manager, 1, [disk])
        lines = self.locks(disk.path)
        self.assertEqual(len(lines), 1)
        with open(self.path("log")) as log:
            log.seek(0, os.SEEK_END)
            for _ in range(3):
                seen = ""
                daemon.send_signal(signal.SIGUSR1)
                while "ready, serving" not in seen:
                    seen += until(log.read, "the daemon's start")
                self.assertEqual(self.locks(disk.path), lines)
                error = self.refusal(manager, await self.start(manager, 2, [disk]))
                self.assertEqual(error.code, ErrorCode.RESOURCE_BUSY)
        self.end(guest)
        await self.eventually(manager, 2, disk)

    def locks(self, path: str) -> list[str]:
        """The locks that the system knows on a file, without their numbers in the list."""
        inode = f":{os.stat(path).st_ino} "
        with open("/proc/locks") as file:
            return [line.partition(": ")[2] for line in file if inode in line]

    async def test_crash(self) -> None:
        """Killed and started again, the daemon first takes back what guests that still run had."""
        daemon = self.lockd()
        manager = LockdManager(reactor, self.socket)
        disk, other = Lockable(self.path("disk", "")), Lockable(self.path("other", ""))
        await self.start(manager, 1, [disk])
        gone = await self.start(manager, 2, [other])
        self.end(daemon)
        self.end(gone)
        error = self.refusal(manager, await self.start(manager, 3, [disk]))
        self.assertIn("Failed to connect socket", str(error))
        await self.assertFailure(manager.acquire(self.guest(1, 1), [disk]), VirtError)
        self.lockd()
        error = self.refusal(manager, await self.start(manager, 3, [disk]))
        self.assertEqual(error.code, ErrorCode.RESOURCE_BUSY)
        await self.eventually(manager, 3, other)

    async def test_connectionLost(self) -> None:
        """A guest that lets its connection go is ended before anybody else gets its lease."""
        self.lockd()
        disk = self.path("disk", "")
        script = (
            "import json,os,socket,sys; sys.path.insert(0, sys.argv[1]); import launcher;"
            "launcher.lockd(json.loads(sys.argv[2])); print(1, flush=True);"
            "sys.stdin.read(1); os.closerange(3, 100); sys.stdin.read()"
        )
        options = {
            "socket": self.socket,
            "timeout": 30,
            "uuid": str(uuid.UUID(int=1)),
            "name": "guest",
            "id": 1,
            "leases": [["", disk, 0]],
        }
        folder = os.path.join(CHECKOUT, "pyvirt", "locking")
        guest = subprocess.Popen(
            [sys.executable, "-c", script, folder, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with guest:
            assert guest.stdout is not None and guest.stdin is not None
            self.assertEqual(guest.stdout.readline(), b"1\n")
            guest.stdin.write(b"x")
            guest.stdin.flush()
            self.assertEqual(guest.wait(DEADLINE), -signal.SIGKILL)
        await self.eventually(LockdManager(reactor, self.socket), 2, Lockable(disk))


class LockdContractTests(LockManagerContract, Case):
    """Our lock daemon does what any lock manager must, on disks themselves."""

    def setUp(self) -> None:
        super().setUp()
        self.lockd()

    def makeManager(self) -> LockdManager:
        return LockdManager(reactor, self.socket)


class LockdFolderContractTests(LockdContractTests):
    """So it does in a folder of leases."""

    def makeManager(self) -> LockdManager:
        return LockdManager(reactor, self.socket, folder=self.path("leases"))


class HostileTests(Case):
    """What no sane client sends does no harm."""

    def test_nonsense(self) -> None:
        """Bytes of every kind end their own connection at the most."""
        daemon = self.lockd()
        register = PROCEDURES["register"]
        for data in (
            b"",
            b"\0\0\0\x1c",
            b"\xff\xff\xff\xff",
            b"\0\0\0\0",
            os.urandom(400),
            b"\0\0\0\x1c" + bytes(24),
            b"\0\0\0\x1c\x0e\xa7\xbe\xef\0\0\0\1\0\0\0\x63" + bytes(12),
            b"\0\0\0\x1c\x0e\xa7\xbe\xef\0\0\0\1\0\0\0\6" + bytes(12),
        ):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(DEADLINE)
                connection.connect(self.socket)
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError):
                    while connection.recv(4096):
                        pass
        for pid in (1 << 31, (1 << 32) - 1, 1 << 22):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(DEADLINE)
            connection.connect(self.socket)
            prober = Prober(connection, None)
            owner = LockOwner(bytes(16), "x", 1, pid)  # type: ignore[arg-type]
            self.assertIsNone(prober.call(PROGRAM, register, (owner, 0)).error)
            disk = self.path("disk", "")
            error = prober.call(PROGRAM, PROCEDURES["acquireResource"], ("", disk, 0)).error
            self.assertEqual(error and error.code, ErrorCode.OPERATION_INVALID)
            prober.close()
        self.assertIsNone(daemon.poll())


class EtcdCase(GuestCase):
    """Has a real etcd."""

    TTL = 5
    #: Ports of endpoints that take connections and never say anything.
    silent: tuple[int, ...] = ()

    def etcd(self, settled: bool = True) -> subprocess.Popen[bytes]:
        """
        Start a store of our own.

        @param settled: it leases at once; a new one waits, else.
        """
        program = found("etcd")
        if program is None:
            raise SkipTest("etcd is not installed (etcd-server)")
        self.port, peer = freePort(), freePort()
        url, peers = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{peer}"
        with open(self.path("etcd.log"), "ab") as log:
            process = self.spawn(
                [
                    *(program, "--data-dir", self.path("etcd"), "--name", "one"),
                    *("--listen-client-urls", url, "--advertise-client-urls", url),
                    *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
                    *("--initial-cluster", f"one={peers}"),
                ],
                stdout=log,
                stderr=log,
            )
        manager = self.manager()

        def answers() -> bool:
            try:
                manager._store.revoke(manager._store.grant(5))
            except Exception:
                return False
            return True

        until(answers, "the start of etcd")
        if settled:
            # Nobody holds what a new store has forgotten.
            store = manager._store
            self.assertTrue(store._try([], [store._put(store._epoch, str(store._cluster))]))
        return process

    def manager(self) -> EtcdManager:
        """A lock manager that uses the store."""
        return EtcdManager(
            reactor,
            self.path("leases"),
            {
                "endpoints": [
                    *("http://127.0.0.1:1", f"http://127.0.0.1:{self.port}"),
                    *(f"http://127.0.0.1:{port}" for port in self.silent),
                ],
                "prefix": "/test",
                "ttl": self.TTL,
                "timeout": 1 if self.silent else 5,
            },
        )

    def state(self, number: int) -> dict[str, Any]:
        """What is known of a guest's lease."""
        with open(self.path(f"leases/{uuid.UUID(int=number)}.json")) as file:
            state: dict[str, Any] = json.load(file)
            return state


class EtcdTests(EtcdCase):
    """Leases in a real etcd."""

    async def test_kept(self) -> None:
        """Leases live as long as their guests, for many times what the store gives them."""
        self.etcd()
        manager = self.manager()
        disk = Lockable(self.path("disk", ""))
        guest = await self.start(manager, 1, [disk])
        lease = self.state(1)["lease"]
        self.assertGreater(manager._store.keepAlive(lease), 0)
        self.end(guest)
        until(lambda: not os.path.exists(self.path(f"leases/{uuid.UUID(int=1)}.json")), "the end")
        self.assertEqual(manager._store.keepAlive(lease), 0)

    async def test_newGuard(self) -> None:
        """A guest that has lost its guard gets another one from a driver that finds it; one that has it, none."""
        self.etcd()
        manager = self.manager()
        guest = await self.start(manager, 1, [Lockable(self.path("disk", ""))])
        first = self.state(1)["guard"]
        await manager.adopt(self.guest(1, guest.pid))
        self.assertEqual(self.state(1)["guard"], first)
        os.kill(first, signal.SIGKILL)
        until(lambda: startTime(first) is None, "the end of the guard")
        await manager.adopt(self.guest(1, guest.pid))
        until(lambda: self.state(1)["guard"] != first, "a new guard")
        self.end(guest)
        until(lambda: not os.path.exists(self.path(f"leases/{uuid.UUID(int=1)}.json")), "the end")

    async def test_fenced(self) -> None:
        """A guest whose store is lost, or says nothing, is ended before its lease can be anybody else's."""
        holes = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
        for each in holes:
            self.addCleanup(each.close)
        self.silent = tuple(each.getsockname()[1] for each in holes)
        store = self.etcd()
        manager = self.manager()
        disk, other = Lockable(self.path("disk", "")), Lockable(self.path("other", ""))
        guest = await self.start(manager, 1, [disk])
        # An answer that was lost leaves a lease behind, which is had when it is asked for again.
        await manager.acquire(self.guest(1), [disk, other])
        await manager.release(self.guest(1), [other])
        store.send_signal(signal.SIGSTOP)
        lost = time.monotonic()
        self.assertEqual(guest.wait(DEADLINE), -signal.SIGKILL)
        self.assertLess(time.monotonic() - lost, self.TTL)
        store.send_signal(signal.SIGCONT)
        self.end(store)
        error = self.refusal(manager, await self.start(manager, 2, [Lockable("/x")]))
        self.assertIn("cannot reach the lock store", str(error))
        await self.assertFailure(manager.acquire(self.guest(1), [Lockable("/x")]), VirtError)

    async def test_forgotten(self) -> None:
        """A store that is new, or another with the same keys, leases nothing that a guest may have yet."""
        self.etcd(settled=False)
        manager = self.manager()
        disk = Lockable(self.path("disk", ""))
        began = time.monotonic()
        guest = await self.start(manager, 1, [disk])
        self.assertGreater(time.monotonic() - began, self.TTL - 1)
        self.assertIsNone(guest.poll())
        store = manager._store
        self.assertTrue(store._try([], [store._put(store._epoch, "another")]))
        self.assertRaises(Fresh, store.acquire, self.state(1)["lease"], [("/other", False)], "")
        self.end(guest)


class EtcdContractTests(LockManagerContract, EtcdCase):
    """Leases in etcd do what those of any lock manager must."""

    def setUp(self) -> None:
        super().setUp()
        self.etcd()

    def makeManager(self) -> EtcdManager:
        return self.manager()
