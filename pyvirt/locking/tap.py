"""
What C{twistd pyvirt-lockd} runs: the lock daemon.

It speaks libvirt's lock program on virtlockd's own socket, so libvirt's QEMU driver can use it in virtlockd's
place; administrators have theirs, for C{virt-admin}.  SIGUSR1 makes it start anew, as a package's upgrade wants, without letting a lease go.  After a crash it
takes back the leases of guests that still run before it serves anybody.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any, NoReturn

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import ILogObserver, Logger
from twisted.python import usage
from twisted.python.threadpool import ThreadPool

from pyvirt import folders
from pyvirt.daemon.config import Config, ConfigError, loadConfig
from pyvirt.daemon.logsetup import Log
from pyvirt.daemon.logstart import configuredLog
from pyvirt.daemon.server import SessionFactory
from pyvirt.errors import VirtError
from pyvirt.locking.administered import LockAdministrators
from pyvirt.locking.server import LockServer
from pyvirt.pidfile import PidFile, PidFileError
from pyvirt.systemd import adoptSockets, notify
from pyvirt.transports.listeners import Listener, ListenError, openUNIX

__all__ = ["LockService", "Options", "makeService"]

log = Logger()

#: Set for a successor: the descriptors of the listening sockets that it inherits, with commas between.
INHERITED = "PYVIRT_LOCKD_SOCKET"

#: The keys of virtlockd.conf.
_KEYS = {
    "max_clients",
    "log_level",
    "log_filters",
    "log_outputs",
    "admin_max_clients",
    "admin_max_queued_clients",
    "admin_max_client_requests",
    "admin_keepalive_interval",
    "admin_keepalive_count",
}


class Options(usage.Options):
    """What can be said on the command line."""

    synopsis = "[--config FILE] [--root DIR]"
    longdesc = (
        "Hold leases on the disks of virtual machines, so that no two of them open one disk. "
        "Speaks the protocol of libvirt's virtlockd, on its socket and in its place. "
        "The configuration file has the keys of virtlockd.conf. "
        "SIGUSR1 starts it anew without letting a lease go."
    )
    optParameters = [
        [
            "config",
            "f",
            None,
            "Configuration file; default: /etc/libvirt/virtlockd.conf, if it is there.",
        ],
        ["root", None, "/", "Folder that stands for /: socket, pid file and state lie beneath it."],
        ["socket", None, None, "Socket; default: /run/libvirt/virtlockd-sock, or a user's own."],
    ]
    compData = usage.Completions(
        optActions={"config": usage.CompleteFiles(), "root": usage.CompleteDirs()}
    )

    def postOptions(self) -> None:
        if not os.path.isdir(self["root"]):
            _end(f"--root {self['root']}: there is no such folder")
        root = os.path.abspath(self["root"])
        file = self["config"] or os.path.join(root, "etc/libvirt/virtlockd.conf")
        try:
            self.configuration = readConfig(file, required=bool(self["config"]))
            parent = getattr(self, "parent", None)
            self.log, self.observer = configuredLog(self.configuration, root, parent, time.time)
        except ConfigError as problem:
            _end(problem)
        self.socket = self["socket"] or os.path.join(
            root, runFolder(os.geteuid(), os.environ).lstrip("/"), "virtlockd-sock"
        )
        if parent is not None and parent.get("pidfile") == "twistd.pid":
            parent["pidfile"] = ""


def runFolder(uid: int, environment: MutableMapping[str, str]) -> str:
    """Where libvirt's QEMU driver looks for the socket: the system's for root, else the user's own."""
    if uid == 0:
        return "/run/libvirt"
    return folders.runFolder(environment)


def readConfig(file: str, required: bool) -> Config:
    """
    Read the configuration.

    @raise ConfigError: it is missing but required, or wrong; with its line.
    """
    config = loadConfig(file, required=required)
    for key, line in config.lines.items():
        if key not in _KEYS:
            raise ConfigError(file, line, f"unknown key {key}")
    if "max_clients" not in config.lines:
        return config.changed(maxClients=1024)
    if not config.maxClients:
        raise ConfigError(
            file, config.lines["max_clients"], "max_clients is a number of at least 1"
        )
    return config


def _end(problem: object) -> NoReturn:
    stream = sys.__stderr__ or sys.stderr
    stream.write(f"pyvirt-lockd: {problem}\n")
    stream.flush()
    raise SystemExit(1)


class LockService(Service):
    """
    The lock daemon.

    @ivar server: what its clients share.
    """

    name = "pyvirt-lockd"

    def __init__(
        self,
        reactor: Any,
        path: str,
        *,
        config: Config,
        log: Log | None = None,
        environment: MutableMapping[str, str],
        execute: Callable[[str, list[str]], Any] = os.execv,
    ) -> None:
        """
        @param path: its UNIX socket; that of administrators, its pid file and state lie beside it.
        @param log: where messages go, for administrators to change; None: one that is not connected.
        @param execute: becomes the successor.
        """
        self.reactor = reactor
        self.path = path
        self.environment = environment
        self.execute = execute
        self._pool = ThreadPool(1, 1, "locks")
        self._listeners: list[Listener] = []
        self._pidFile: PidFile | None = None
        folder = os.path.dirname(path)
        self.server = LockServer(
            reactor,
            lambda function, *arguments: deferToThreadPool(
                reactor, self._pool, function, *arguments
            ),
            stateFile=os.path.join(folder, "pyvirt-lockd.json"),
            maxClients=config.maxClients,
        )
        self.admin = LockAdministrators(reactor, self.server, config, log or Log(time.time))
        self._queue = config.adminMaxQueuedClients

    def startService(self) -> None:
        """
        Take over what a predecessor has left, then serve.

        @raise ListenError: the socket cannot be had.
        @raise PidFileError: another lock daemon runs.
        @raise VirtError: the lease of a guest that runs cannot be had again.
        """
        folder = os.path.dirname(self.path)
        folders.makeFolders(folder, 0o755 if os.geteuid() == 0 else 0o700)
        self._pidFile = PidFile.claim(os.path.join(folder, "pyvirt-lockd.pid"))
        try:
            inherited = self.environment.pop(INHERITED, None)
            self.server.load(inherited is not None)
            self._open(inherited)
        except BaseException:
            self._pidFile.release()
            raise
        super().startService()
        self._pool.start()
        for each in self._listeners:
            each.start()
        notify(self.environment, f"READY=1\nMAINPID={os.getpid()}")
        log.info("ready, serving {path}", path=self.path)

    def _open(self, inherited: str | None) -> None:
        admin = os.path.join(os.path.dirname(self.path), "virtlockd-admin-sock")
        if inherited is not None:
            opened = [socket.socket(fileno=int(each)) for each in inherited.split(",")]
            for each in opened:
                each.set_inheritable(False)
        else:
            opened = adoptSockets(self.environment, os.getpid()) or [
                openUNIX(self.path, mode=0o700, backlog=128),
                openUNIX(admin, mode=0o700, backlog=self._queue),
            ]
        for each in opened:
            each.setblocking(False)
            path = os.fsdecode(each.getsockname())
            ours = path if path in (self.path, admin) else None
            if "admin" in os.path.basename(path):
                factory = SessionFactory(self.admin, auth="none", readOnly=False)
                gate = Listener(self.reactor, each, factory, self.admin, path=ours)
                self.admin.gates.append(gate)
            else:
                gate = Listener(self.reactor, each, self.server, self.server, path=ours)
                self.server.gates.append(gate)
            self._listeners.append(gate)

    def restart(self) -> Deferred[None]:
        """
        Become a new process with the same leases, once what is being done is done.

        Clients are cut off and connect again; leases stay, for the open files that have them do.
        """
        return self.server.run(self._become)

    def _become(self) -> None:
        log.info("starting anew")
        self.server.save()
        for space in self.server.spaces:
            for held in space.resources.values():
                os.set_inheritable(held.fd, True)
        listening = [each.fileno() for each in self._listeners]
        for each in listening:
            os.set_inheritable(each, True)
        self.environment[INHERITED] = ",".join(map(str, listening))
        self.execute(sys.executable, sys.orig_argv)

    def stopService(self) -> Deferred[None] | None:
        if not self.running:
            return None
        super().stopService()
        notify(self.environment, "STOPPING=1")
        held = sum(len(each.resources) for each in self.server.spaces)
        if held:
            log.warn(
                "ending while guests hold {count} leases: start it again before anything else does",
                count=held,
            )
        for each in self._listeners:
            each.stop()
        sessions, self.server.sessions = self.server.sessions, set()
        for session in sessions:
            session.transport.abortConnection()
        self.admin.abortAll()
        self.server.stop()
        self._pool.stop()
        if self._pidFile is not None:
            self._pidFile.release()
        return None


def makeService(options: Options) -> IService:
    """Make the lock daemon that the options describe."""
    from twisted.internet import reactor

    class Main(LockService):
        """The lock daemon as the program's only purpose."""

        def setServiceParent(self, parent: Any) -> None:
            if options.observer is not None and hasattr(parent, "setComponent"):
                options.log.begin()
                parent.setComponent(ILogObserver, options.observer)
            super().setServiceParent(parent)

        def startService(self) -> None:
            for remark in options.configuration.remarks:
                log.warn("{remark}", remark=remark)
            try:
                super().startService()
            except (ListenError, PidFileError, VirtError, OSError, ValueError) as problem:
                _end(problem)
            signal.signal(
                signal.SIGUSR1,
                lambda number, frame: reactor.callFromThread(self.restart),  # type: ignore[attr-defined]
            )

    service: IService = Main(
        reactor,
        options.socket,
        config=options.configuration,
        log=options.log,
        environment=os.environ,
    )
    return service
