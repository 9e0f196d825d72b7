"""
The daemon's life on real sockets: start in order, refusals, stop without traces; and the program itself.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from pyvirt.daemon.config import loadConfig, readConfig
from pyvirt.daemon.logstart import configuredLog
from pyvirt.daemon.paths import Paths
from pyvirt.daemon.service import DaemonService, StartError
from pyvirt.drivers.interfaces.driver import IReloadingDriver, IStatefulDriver
from pyvirt.pidfile import PidFile, PidFileError
from pyvirt.protocols import message
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from pyvirt.systemd import adoptSockets, notify
from pyvirt.transports.listeners import ListenError, openTCP, openUNIX
from tests.daemonfixture import DOMAIN, URI, FixtureDriver, Message

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def shortFolder(case: TestCase | SynchronousTestCase) -> str:
    """Make a folder whose path is short enough for sockets."""
    folder = tempfile.TemporaryDirectory(prefix="pv-")
    case.addCleanup(folder.cleanup)
    return folder.name


def ask(address: Any, *calls: tuple[str, tuple[Any, ...]]) -> list[Any]:
    """Connect, call one after the other, return the results; blocks."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as client:
        client.settimeout(10)
        client.connect(address)
        results = []
        for serial, (name, arguments) in enumerate(calls):
            procedure = REMOTE.byName[name]
            payload = procedure.argumentCodec.encode(arguments)
            client.sendall(message.pack(REMOTE.number, 1, procedure.number, 0, serial, 0, payload))
            data = b""
            while len(data) < 4 or len(data) < int.from_bytes(data[:4], "big"):
                more = client.recv(65536)
                if not more:
                    raise EOFError("the daemon closed")
                data += more
            results.append(Message(data).result)
        return results


OPEN = ("connectOpen", (URI, 0))
TYPE = ("connectGetType", ())


@implementer(IStatefulDriver, IReloadingDriver)
class StatefulFactory:
    """A driver with state, which takes its time."""

    name = "stateful"

    def __init__(self) -> None:
        self.history: list[Any] = []
        self.ready: Deferred[None] = Deferred()

    def stateInitialize(self, context: Any, root: str, privileged: bool) -> Deferred[None]:
        self.history.append((root, privileged, context.inDaemon))
        return self.ready

    def stateReload(self) -> None:
        self.history.append("reloaded")
        if self.history.count("reloaded") > 1:
            raise ZeroDivisionError("not again")

    def stateStop(self) -> None:
        self.history.append("stopped")


class ServiceTests(TestCase):
    """A service in this process."""

    def setUp(self) -> None:
        self.folder = shortFolder(self)
        self.driver = FixtureDriver()
        self.environment: dict[str, str] = {}

    def make(self, text: str = "", *, session: bool = False) -> DaemonService:
        """Make a daemon whose root is a temporary folder."""
        config = readConfig(text, "daemon.conf")
        environment = {"XDG_RUNTIME_DIR": "/user"}
        paths = Paths.of(config, root=self.folder, session=session, environment=environment)
        service = DaemonService(
            config,
            paths,
            reactor=reactor,
            drivers=self.driver,
            environment=self.environment,
            privileged=not session,
        )
        self.addCleanup(service.stopService)
        return service

    def mode(self, path: str) -> int:
        """Return a file's permissions."""
        return stat.S_IMODE(os.stat(path).st_mode)

    async def test_life(self) -> None:
        """Both sockets are served while it runs; afterwards nothing of it is left."""
        service = self.make()
        service.startService()
        await service.started
        paths = service.paths
        assert paths.readOnlySocket is not None
        self.assertEqual(self.mode(paths.socket), 0o700)
        self.assertEqual(self.mode(paths.readOnlySocket), 0o777)
        with open(paths.pidFile) as file:
            self.assertEqual(file.read(), f"{os.getpid()}\n")
        for path, readOnly in ((paths.socket, False), (paths.readOnlySocket, True)):
            answers = await deferToThread(ask, path, OPEN, TYPE)
            self.assertEqual(answers, [None, "FIXTURE"])
            self.assertEqual(self.driver.contexts[-1].readOnly, readOnly)
        await service.stopService()
        left = [name for _, _, names in os.walk(self.folder) for name in names]
        self.assertEqual(left, [])
        self.assertEqual(service.server.sessions, set())
        self.assertEqual(self.driver.connections, [])

    async def test_reload(self) -> None:
        """The configuration is read again: what can change does; a mistake changes nothing."""
        conf = os.path.join(self.folder, "conf")
        log = os.path.join(self.folder, "log")

        def write(text: str) -> None:
            with open(conf, "w") as file:
                file.write(text)

        write('max_clients = 100\nlisten_addr = "::1"\n')
        service = self.make()
        service.config = loadConfig(conf, required=True)
        service.startService()
        await service.started
        server = service.server
        write(
            "max_clients = 50\nmax_workers = 7\nadmin_max_clients = 30\naudit_logging = 1\n"
            f'log_outputs = "2:file:{log}"\nsasl_allowed_username_list = ["joe"]\ntcp_port = "17"\n'
            f'access_drivers = ["policy"]\naccess_policy_file = "/policy"\n'
        )
        self.assertFalse(service.reload())  # there is no such policy
        self.assertIsNone(server.access)
        self.assertEqual(server.workers.maximum, 20)
        with open(os.path.join(self.folder, "policy"), "w") as file:
            file.write("root = true\n")
        os.makedirs(self.folder + os.path.dirname(log))
        self.assertTrue(service.reload())
        self.addCleanup(service.administration.log.close)
        self.assertEqual((server.limits.clients, service.admin.limits.clients), (50, 30))
        self.assertEqual((server.workers.maximum, server.workers.limited), (7, True))
        self.assertIsNotNone(server.access)
        self.assertIsNotNone(server.audit)
        assert server.logins is not None
        self.assertEqual(server.logins().allowed, ("joe",))
        self.assertEqual(service.config.tcpPort, 16509)  # takes a restart
        self.assertEqual(service.administration.log.describeOutputs(), f"2:file:{log}")
        for text in ("max_clients = x\n", "nonsense = 1\n", "max_clients = 1\n"):
            write(text)
            self.assertFalse(service.reload())
            self.assertEqual(server.limits.clients, 50)

    async def test_session(self) -> None:
        """A user's own daemon has one socket, in a folder that is that user's alone."""
        service = self.make(session=True)
        service.startService()
        await service.started
        self.assertEqual(service.paths.socket, f"{self.folder}/user/libvirt/libvirt-sock")
        self.assertEqual(self.mode(service.paths.socketFolder), 0o700)
        self.assertEqual(
            sorted(os.listdir(service.paths.socketFolder)),
            ["libvirt-admin-sock", "libvirt-sock", "libvirtd.pid"],
        )

    async def test_modesAndGroup(self) -> None:
        """The configuration sets the sockets' modes and group; a group may connect by default."""
        text = f'unix_sock_group="{os.getgid()}"\n'
        service = self.make(text + 'unix_sock_ro_perms="0750"\n')
        service.startService()
        assert service.paths.readOnlySocket is not None
        self.assertEqual(self.mode(service.paths.socket), 0o770)
        self.assertEqual(self.mode(service.paths.readOnlySocket), 0o750)
        self.assertEqual(os.stat(service.paths.socket).st_gid, os.getgid())
        await service.stopService()
        service = self.make('unix_sock_rw_perms="0600"\n')
        service.startService()
        self.assertEqual(self.mode(service.paths.socket), 0o600)

    async def test_tcp(self) -> None:
        """TCP is served where the configuration says."""
        service = self.make(
            'listen_tcp=1\nauth_tcp="none"\nlisten_addr="127.0.0.1"\ntcp_port="0"\n'
        )
        service.startService()
        await service.started
        port = service.listeners[-1].socket.getsockname()[1]
        self.assertEqual(
            await deferToThread(ask, ("127.0.0.1", port), OPEN, TYPE), [None, "FIXTURE"]
        )
        await service.stopService()
        with self.assertRaises(ConnectionRefusedError):
            await deferToThread(ask, ("127.0.0.1", port), TYPE)

    async def test_second(self) -> None:
        """A second daemon is refused by name and touches nothing."""
        first, second = self.make(), self.make()
        first.startService()
        await first.started
        # Locks of one process never conflict, so another process has to try.
        script = (
            "import sys; from pyvirt.pidfile import PidFile, PidFileError\n"
            "try: PidFile.claim(sys.argv[1])\n"
            "except PidFileError as problem: print(problem)\n"
        )
        done = await deferToThread(
            subprocess.run,
            [sys.executable, "-c", script, first.paths.pidFile],
            capture_output=True,
            text=True,
            cwd=CHECKOUT,
        )
        self.assertEqual(
            done.stdout,
            f"Failed to acquire pid file '{first.paths.pidFile}': another daemon is running"
            f" (pid {os.getpid()})\n",
        )
        # One with another pid file finds the sockets served.
        second.paths = Paths.of(
            second.config, root=self.folder, pidFile="/other.pid", environment={}
        )
        with self.assertRaises(StartError) as caught:
            second.startService()
        self.assertIn("another server is listening on it", str(caught.exception))
        self.assertFalse(os.path.exists(second.paths.pidFile))
        answers = await deferToThread(ask, first.paths.socket, OPEN, TYPE)
        self.assertEqual(answers, [None, "FIXTURE"])

    async def test_staleSockets(self) -> None:
        """Sockets that a daemon left behind are replaced."""
        service = self.make()
        os.makedirs(service.paths.socketFolder)
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(service.paths.socket)
        service.startService()
        await service.started
        answers = await deferToThread(ask, service.paths.socket, OPEN, TYPE)
        self.assertEqual(answers, [None, "FIXTURE"])

    def test_notASocket(self) -> None:
        """A file that is no socket is not removed."""
        service = self.make()
        os.makedirs(service.paths.socketFolder)
        with open(service.paths.socket, "w") as file:
            file.write("precious")
        with self.assertRaises(StartError) as caught:
            service.startService()
        self.assertIn("a file that is no socket is there", str(caught.exception))
        with open(service.paths.socket) as file:
            self.assertEqual(file.read(), "precious")
        self.assertFalse(os.path.exists(service.paths.pidFile))

    async def test_drivers(self) -> None:
        """Drivers initialise their state before anybody is served, and stop after the last client."""
        factory = StatefulFactory()
        self.driver.factories = (factory,)
        notified = self.notifySocket()
        service = self.make()
        service.startService()
        self.assertEqual(factory.history, [(self.folder, True, True)])
        early = deferToThread(ask, service.paths.socket, OPEN, TYPE)
        await deferLater(reactor, 0.05, lambda: None)
        self.assertEqual(self.driver.contexts, [])
        self.assertNoResult(service.started)
        self.assertRaises(BlockingIOError, notified.recv, 1000)
        factory.ready.callback(None)
        await service.started
        self.assertIn(b"READY=1\n", notified.recv(1000))
        self.assertEqual(await early, [None, "FIXTURE"])
        await service.stopService()
        self.assertEqual(factory.history[1:], ["stopped"])
        self.assertEqual(notified.recv(1000), b"STOPPING=1")

    async def test_driversReload(self) -> None:
        """They reload with the configuration, even if that cannot be read; what one does wrong hurts nobody."""
        factory = StatefulFactory()
        factory.ready.callback(None)
        self.driver.factories = (factory,)
        service = self.make()
        service.startService()
        await service.started
        service.reload()
        service.reload()
        self.assertEqual(factory.history[1:], ["reloaded"] * 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_driverFails(self) -> None:
        """A driver that cannot initialise stops the start; whoever asked is told."""
        factory = StatefulFactory()
        self.driver.factories = (factory,)
        service = self.make()
        told: list[BaseException] = []
        service.failed = told.append
        service.startService()
        factory.ready.errback(ZeroDivisionError("no state"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIsInstance(told[0], ZeroDivisionError)

    def notifySocket(self) -> socket.socket:
        """Listen as a service manager does."""
        path = os.path.join(self.folder, "notify")
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listening.setblocking(False)
        listening.bind(path)
        self.addCleanup(os.unlink, path)
        self.addCleanup(listening.close)
        self.environment["NOTIFY_SOCKET"] = path
        return listening

    async def test_clientLimit(self) -> None:
        """Beyond the limit clients wait in the queue, and are served when one leaves."""
        service = self.make("max_clients=2\nmax_anonymous_clients=2\n")
        service.startService()
        await service.started
        path = service.paths.socket
        clients = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        for each in clients:
            self.addCleanup(each.close)
            each.connect(path)
        waiting = deferToThread(ask, path, OPEN, TYPE)
        await deferLater(reactor, 0.05, lambda: None)
        self.assertEqual(len(service.server.sessions), 2)
        self.assertNoResult(waiting)
        clients[0].close()
        self.assertEqual(await waiting, [None, "FIXTURE"])
        self.assertEqual(service.server.counters.refused, 0)

    async def test_stopsWhileClientsAreThere(self) -> None:
        """Clients that are connected at stop are closed, those that do not read too."""
        service = self.make()
        service.startService()
        await service.started
        with socket.socket(socket.AF_UNIX) as deaf, socket.socket(socket.AF_UNIX) as idle:
            idle.connect(service.paths.socket)
            deaf.connect(service.paths.socket)
            deaf.setblocking(False)
            call = message.pack(REMOTE.number, 1, 66, 0, 1, 0)
            await deferLater(reactor, 0.02, lambda: None)
            try:
                while True:
                    deaf.send(call * 1000)
                    await deferLater(reactor, 0.001, lambda: None)
            except BlockingIOError:
                pass
            await service.stopService()
            self.assertEqual(service.server.sessions, set())
            idle.settimeout(5)
            self.assertEqual(idle.recv(10), b"")

    async def test_descriptors(self) -> None:
        """Descriptors come with calls and go with replies over UNIX sockets; nobody's stay open."""
        service = self.make()
        service.startService()
        await service.started
        await deferLater(reactor, 0, lambda: None)  # the reactor has opened its own by now
        before = len(os.listdir("/proc/self/fd"))

        def client() -> tuple[Message, Message, int]:
            with socket.socket(socket.AF_UNIX) as each:
                each.settimeout(10)
                each.connect(service.paths.socket)

                def exchange(name: str, arguments: tuple[Any, ...], fds: list[int]) -> Message:
                    procedure = REMOTE.byName[name]
                    payload = procedure.argumentCodec.encode(arguments)
                    if fds:
                        payload = len(fds).to_bytes(4, "big") + payload
                    kind = 4 if fds else 0
                    packet = message.pack(REMOTE.number, 1, procedure.number, kind, 1, 0, payload)
                    each.sendall(packet)
                    for fd in fds:
                        socket.send_fds(each, [b"\0"], [fd])
                    data = each.recv(4)
                    return Message(data + each.recv(int.from_bytes(data, "big") - 4))

                exchange("connectOpen", (URI, 0), [])
                inside, outside = socket.socketpair()
                with inside, outside:
                    node = os.fstat(inside.fileno()).st_ino
                    given = exchange("domainOpenGraphics", (DOMAIN, 0, 0), [inside.fileno()])
                taken = exchange("domainOpenGraphicsFD", (DOMAIN, 0, 0), [])
                _, received, _, _ = socket.recv_fds(each, 1, 4)
                with os.fdopen(received[0]) as file:
                    self.assertEqual(os.fstat(file.fileno()).st_rdev, os.stat("/dev/null").st_rdev)
                return given, taken, node

        given, taken, node = await deferToThread(client)
        self.assertIsNone(given.result)
        self.assertEqual(self.driver.given, [node])
        self.assertEqual((taken.type, taken.status), (5, 0))
        while service.server.sessions:
            await deferLater(reactor, 0.005, lambda: None)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    async def test_adopted(self) -> None:
        """Sockets of the service manager are served instead, and their files are left to it."""
        service = self.make()
        os.makedirs(service.paths.socketFolder)
        given = [
            openUNIX(os.path.join(self.folder, name), mode=0o700)
            for name in ("given-sock", "given-sock-ro")
        ]
        for each in given:
            service._adopt(each)
        service._openSockets = lambda: None  # type: ignore[method-assign]
        service.startService()
        await service.started
        for name, readOnly in (("given-sock", False), ("given-sock-ro", True)):
            path = os.path.join(self.folder, name)
            answers = await deferToThread(ask, path, OPEN, TYPE)
            self.assertEqual(answers, [None, "FIXTURE"])
            self.assertEqual(self.driver.contexts[-1].readOnly, readOnly)
        await service.stopService()
        self.assertTrue(os.path.exists(os.path.join(self.folder, "given-sock")))

    def test_stopIsIdempotent(self) -> None:
        """Stopping what does not run does nothing."""
        service = self.make()
        self.successResultOf(service.stopService())


class SystemdTests(SynchronousTestCase):
    """What systemd says through the environment."""

    def test_notForUs(self) -> None:
        """Sockets for another process, or none, are not taken; the variables go in any case."""
        for environment in (
            {},
            {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
            {"LISTEN_FDS": "1"},
            {"LISTEN_PID": str(os.getpid())},
            {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0", "LISTEN_FDNAMES": "x"},
        ):
            self.assertEqual(adoptSockets(environment, os.getpid()), [])
            self.assertEqual(environment, {})

    def test_garbage(self) -> None:
        """A count that is none is refused."""
        for count in ("x", "-1", "1000"):
            environment = {"LISTEN_PID": "7", "LISTEN_FDS": count}
            self.assertRaises(ValueError, adoptSockets, environment, 7)

    def test_adopt(self) -> None:
        """Sockets are descriptors 3 and up; another process shows it."""
        path = os.path.join(shortFolder(self), "sock")
        script = (
            "import os, sys; from pyvirt.systemd import adoptSockets\n"
            "os.dup2(int(sys.argv[1]), 3)\n"
            "os.environ['LISTEN_PID'] = str(os.getpid())\n"
            "(one,) = adoptSockets(os.environ, os.getpid())\n"
            "print(one.getsockname(), one.fileno(), os.get_inheritable(3), one.getblocking())\n"
            "one.close()\n"
        )
        with openUNIX(path, mode=0o600) as listening:
            done = subprocess.run(
                [sys.executable, "-c", script, str(listening.fileno())],
                env={**os.environ, "LISTEN_FDS": "1"},
                pass_fds=[listening.fileno()],
                capture_output=True,
                text=True,
                cwd=CHECKOUT,
            )
        self.assertEqual((done.stdout, done.stderr), (f"{path} 3 False False\n", ""))

    def test_notify(self) -> None:
        """States go to the socket that is named, abstract ones too; without one nothing happens."""
        self.assertFalse(notify({}, "READY=1"))
        self.assertFalse(notify({"NOTIFY_SOCKET": "relative"}, "READY=1"))
        self.assertFalse(notify({"NOTIFY_SOCKET": "/no/such/socket"}, "READY=1"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
            listening.bind(f"\0pyvirt-test-{os.getpid()}")
            self.assertTrue(notify({"NOTIFY_SOCKET": f"@pyvirt-test-{os.getpid()}"}, "READY=1"))
            self.assertEqual(listening.recv(100), b"READY=1")


class PidFileTests(SynchronousTestCase):
    """The lock that says who is the daemon."""

    def test_claim(self) -> None:
        """A file left behind is taken over; at the end it is removed."""
        path = os.path.join(self.mktemp(), "sub", "pid")
        os.makedirs(os.path.dirname(path))
        with open(path, "w") as file:
            file.write("4194304 and much more than that\n")
        held = PidFile.claim(path)
        with open(path) as file:
            self.assertEqual(file.read(), f"{os.getpid()}\n")
        held.release()
        held.release()
        self.assertFalse(os.path.exists(path))

    def test_replaced(self) -> None:
        """A file that someone else has put in its place is not removed."""
        path = self.mktemp()
        held = PidFile.claim(path)
        os.unlink(path)
        with open(path, "w") as file:
            file.write("1\n")
        held.release()
        self.assertTrue(os.path.exists(path))

    def test_impossible(self) -> None:
        """Where it cannot be written, or is a link, the reason is told."""
        folder = self.mktemp()
        os.mkdir(folder)
        os.symlink("/dev/null", os.path.join(folder, "link"))
        for path in (folder, os.path.join(folder, "link")):
            with self.assertRaises(PidFileError) as caught:
                PidFile.claim(path)
            self.assertIn(f"Failed to open pid file '{path}'", str(caught.exception))


class ListenerTests(SynchronousTestCase):
    """Opening sockets."""

    def test_tooLong(self) -> None:
        """A path that no socket can have is refused by name."""
        path = "/tmp/" + "x" * 200
        with self.assertRaises(ListenError) as caught:
            openUNIX(path, mode=0o600)
        self.assertIn(path, str(caught.exception))

    def test_everyAddress(self) -> None:
        """Without an address every one is listened on, at the same port."""
        opened = openTCP(None, 0)
        try:
            self.assertEqual(len({each.getsockname()[1] for each in opened}), 1)
        finally:
            for each in opened:
                each.close()

    def test_taken(self) -> None:
        """A port that is taken, or an address that is none, is refused by name."""
        (first,) = openTCP("127.0.0.1", 0)
        with first:
            port = first.getsockname()[1]
            with self.assertRaises(ListenError) as caught:
                openTCP("127.0.0.1", port)
            self.assertEqual(
                str(caught.exception),
                f"Unable to listen on '127.0.0.1' port {port}: Address already in use",
            )
        with self.assertRaises(ListenError) as caught:
            openTCP("256.1.1.1.", 5)
        self.assertIn("Unable to resolve address '256.1.1.1.' port 5", str(caught.exception))


class LogTests(SynchronousTestCase):
    """The log where the configuration directs it."""

    def test_file(self) -> None:
        """Lines look like libvirtd's; priorities and filters decide what is written."""
        folder = self.mktemp()
        os.makedirs(os.path.join(folder, "var"))
        config = readConfig(
            'log_level=3\nlog_filters="1:daemon.session 4:noisy"\n'
            'log_outputs="1:file:/var/all 4:file:/var/errors"\n',
            "f",
        )
        observer, taken = configuredLog(config, folder, None, lambda: 1795418381.5)
        self.addCleanup(observer.close)
        self.assertIs(taken, observer)
        from twisted.logger import Logger

        for namespace in ("pyvirt.daemon.session", "noisy.one", "pyvirt.other"):
            log = Logger(namespace=namespace, observer=observer)
            for level in ("debug", "info", "warn", "error"):
                getattr(log, level)("{what} of {n}", what=level, n=namespace)
        with open(os.path.join(folder, "var", "all")) as file:
            lines = file.read().splitlines()
        self.assertEqual(
            lines[0],
            f"2026-11-23 07:19:41.500+0000: {os.getpid()}: debug : pyvirt.daemon.session :"
            " debug of pyvirt.daemon.session",
        )
        self.assertEqual(
            [line.split(" : ", 2)[2] for line in lines[1:]],
            [
                "info of pyvirt.daemon.session",
                "warn of pyvirt.daemon.session",
                "error of pyvirt.daemon.session",
                "error of noisy.one",
                "warn of pyvirt.other",
                "error of pyvirt.other",
            ],
        )
        with open(os.path.join(folder, "var", "errors")) as file:
            self.assertEqual(len(file.read().splitlines()), 3)

    def test_silent(self) -> None:
        """Without these keys nothing is directed."""
        self.assertIsNone(configuredLog(readConfig("", "f"), "/", None, time.time)[1])


class ProgramTests(SynchronousTestCase):
    """The program, as a person runs it."""

    def setUp(self) -> None:
        self.folder = shortFolder(self)
        self.conf = os.path.join(self.folder, "daemon.conf")
        self.socket = os.path.join(self.folder, "libvirt-sock")

    def write(self, text: str = "") -> None:
        """Write the configuration file."""
        with open(self.conf, "w") as file:
            file.write(f'unix_sock_dir = "{self.folder}"\n{text}')

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "twisted", *arguments]

    def twistd(self, *arguments: str) -> list[str]:
        """The command line of twistd in the foreground."""
        script = "import sys; from twisted.scripts.twistd import run; sys.exit(run())"
        return [sys.executable, "-c", script, "--nodaemon", "pyvirt", *arguments]

    def run_(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            self.twistd(*arguments),
            capture_output=True,
            text=True,
            timeout=180,
            env={**os.environ, "PYTHONPATH": CHECKOUT},
            cwd=self.folder,
        )

    def start(
        self, *arguments: str, prelude: str = "", fds: tuple[int, ...] = (), **more: str
    ) -> subprocess.Popen[str]:
        """
        Start it and return once it is ready, which it says in its log.

        @param prelude: code that runs before, in the same process.
        @param more: variables of its environment.
        """
        command = self.twistd(*arguments)
        command[2] = prelude + command[2]
        running = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": CHECKOUT, **more},
            cwd=self.folder,
            pass_fds=fds,
        )

        def end() -> None:
            running.kill()
            running.wait()
            assert running.stdout is not None
            running.stdout.close()

        self.addCleanup(end)
        self.output: list[str] = []
        assert running.stdout is not None
        for line in running.stdout:
            self.output.append(line)
            if "ready, serving" in line:
                return running
        raise AssertionError("".join(self.output))

    def test_life(self) -> None:
        """It serves, tells of keys without effect, and leaves nothing when it is told to end."""
        self.write("ovs_timeout = 2\n")
        running = self.start("--config", self.conf)
        self.assertIn(f"{self.conf}:2: 'ovs_timeout' is accepted", "".join(self.output))
        self.assertEqual(ask(self.socket, ("authList", ())), [[0]])
        again = self.run_("--config", self.conf)
        self.assertEqual(again.returncode, 1)
        self.assertEqual(
            again.stderr,
            f"pyvirt: Failed to acquire pid file '{self.folder}/libvirtd.pid':"
            f" another daemon is running (pid {running.pid})\n",
        )
        running.send_signal(signal.SIGHUP)
        self.assertEqual(ask(self.socket, ("authList", ())), [[0]])
        running.send_signal(signal.SIGTERM)
        self.assertEqual(running.wait(20), -signal.SIGTERM)
        self.assertEqual(os.listdir(self.folder), ["daemon.conf"])

    def test_killed(self) -> None:
        """After a crash it starts again, over what was left."""
        self.write()
        first = self.start("--config", self.conf)
        first.kill()
        first.wait()
        self.assertIn("libvirt-sock", os.listdir(self.folder))
        self.start("--config", self.conf)
        self.assertEqual(ask(self.socket, ("authList", ())), [[0]])

    def test_wrongConfiguration(self) -> None:
        """An error in the file ends it with one line that names file and line."""
        for text, problem in (
            ("max_client = 5\n", "unknown key 'max_client'; did you mean 'max_clients'?"),
            ("max_clients = \n", "expecting a value"),
            ('access_drivers = ["policy"]\n', 'access driver "policy" needs access_policy_file'),
        ):
            self.write(text)
            done = self.run_("--config", self.conf)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertTrue(done.stderr.startswith(f"pyvirt: {self.conf}:2: {problem}"))
            self.assertEqual(len(done.stderr.splitlines()), 1)
        done = self.run_("--config", "/no/such/file")
        self.assertEqual(done.stderr, "pyvirt: /no/such/file: there is no such file\n")

    def test_check(self) -> None:
        """The configuration can be checked without starting anything."""
        self.write("ovs_timeout = 3\n")
        done = self.run_("--config", self.conf, "--check")
        self.assertEqual(done.returncode, 0)
        self.assertIn("'ovs_timeout' is accepted but has no effect", done.stdout)
        self.assertIn(
            f"the configuration is good; clients are served at {self.socket}", done.stdout
        )
        self.assertEqual(os.listdir(self.folder), ["daemon.conf"])

    def test_root(self) -> None:
        """With a root folder even the default paths lie beneath it."""
        os.makedirs(os.path.join(self.folder, "etc", "libvirt"))
        conf = os.path.join(self.folder, "etc", "libvirt", "libvirtd.conf")
        with open(conf, "w") as file:
            file.write("max_clients = 100\n")
        if os.geteuid() != 0:
            arguments = ["--root", self.folder, "--config", conf]
        else:
            arguments = ["--root", self.folder]
        running = self.start(*arguments)
        (served,) = re.findall(r"ready, serving (\S+?)[,\n]", self.output[-1])
        self.assertTrue(served.startswith(self.folder + "/"), served)
        self.assertEqual(ask(served, ("authList", ())), [[0]])
        running.send_signal(signal.SIGINT)
        self.assertEqual(running.wait(20), -signal.SIGINT)
        done = self.run_("--root", "/no/such/folder")
        self.assertEqual(
            (done.returncode, done.stderr),
            (1, "pyvirt: --root /no/such/folder: there is no such folder\n"),
        )

    def test_socketActivation(self) -> None:
        """Started by systemd it serves the socket it was given, says when it is ready and when it stops."""
        self.write()
        given = os.path.join(self.folder, "given-sock")
        notified = os.path.join(self.folder, "notify")
        with (
            openUNIX(given, mode=0o600) as listening,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        ):
            manager.bind(notified)
            manager.settimeout(20)
            running = self.start(
                *("--config", self.conf),
                prelude=f"import os; os.dup2({listening.fileno()}, 3)\n"
                "os.environ['LISTEN_PID'] = str(os.getpid())\n",
                fds=(listening.fileno(),),
                LISTEN_FDS="1",
                NOTIFY_SOCKET=notified,
            )
            self.assertIn(f"READY=1\nMAINPID={running.pid}\n".encode(), manager.recv(1000))
            self.assertEqual(ask(given, ("authList", ())), [[0]])
            self.assertFalse(os.path.exists(self.socket))
            running.terminate()
            self.assertEqual(manager.recv(1000), b"STOPPING=1")
            running.wait(20)
        self.assertTrue(os.path.exists(given))

    def test_help(self) -> None:
        """Its help says what it is, where it serves and what each option does."""
        done = self.run_("--help")
        self.assertEqual(done.returncode, 0)
        for part in ("--config", "--root", "--session", "--pid-file", "--check", "libvirtd.conf"):
            self.assertIn(part, done.stdout)

    def test_logOutputs(self) -> None:
        """The configuration's log outputs take the place of twistd's log."""
        log = os.path.join(self.folder, "log")
        self.write(f'log_level = 1\nlog_outputs = "1:file:{log}"\n')
        running = subprocess.Popen(
            self.twistd("--config", self.conf),
            env={**os.environ, "PYTHONPATH": CHECKOUT},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # The kernel tells when the pid file's holder is gone; until then it answers on its socket.
        for _ in range(2000):
            try:
                answer = ask(self.socket, ("authList", ()))
                break
            except OSError:
                time.sleep(0.01)
        else:
            raise AssertionError("it does not answer")
        self.assertEqual(answer, [[0]])
        running.terminate()
        output, _ = running.communicate(timeout=120)
        self.assertEqual(output, "")
        with open(log) as file:
            self.assertRegex(
                file.read(),
                r"(?m)^\d{4}-\d\d-\d\d [\d:.]+\+0000: \d+: info : pyvirt.daemon.service : ready",
            )
