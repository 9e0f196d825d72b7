"""
The daemon's life: what it does at start, in order, and at stop, in the opposite one.

Claim the pid file; adopt or open sockets, so that problems show at once; let drivers initialise their state;
then accept, then say that we are ready.  Clients that connect meanwhile wait in the sockets' queues.
"""

from __future__ import annotations

import linecache
import os
import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pyvirt.daemon.access.setup import Access
from pyvirt.daemon.admin import AdminServerSide
from pyvirt.daemon.administration import Administration, AutoShutdown
from pyvirt.daemon.audit import Audit, makeAudit
from pyvirt.daemon.config import Config
from pyvirt.daemon.identity import userName
from pyvirt.daemon.logsetup import Log
from pyvirt.daemon.paths import Paths
from pyvirt.daemon.reloading import reload
from pyvirt.daemon.server import Limits, Server, SessionFactory
from pyvirt.drivers.interfaces.driver import (
    IReloadingDriver,
    IStatefulDriver,
    OpenContext,
)
from pyvirt.folders import makeFolders, under
from pyvirt.pidfile import PidFile
from pyvirt.systemd import adoptSockets, notify
from pyvirt.transports.listeners import Listener, openTCP, openUNIX

if TYPE_CHECKING:
    from pyvirt.daemon.sasl import SASL
    from pyvirt.daemon.tlsdoor import ServerKeys

__all__ = ["DaemonService", "StartError"]

log = Logger()

_GRACE = 2.0
"""Seconds that clients get at stop to take what was sent to them."""


class _Room:
    """Whoever asks for numbers is served: connections are short, and of this machine."""

    room = 16


_ROOM = _Room()


class StartError(Exception):
    """The daemon cannot start; the text says why, for its user."""


class DaemonService(Service):
    """
    A daemon: a service that starts and stops it.

    @ivar server: what its sessions share.
    @ivar tls: the certificates, if it listens for TLS.
    @ivar started: fires once clients are served; fails with why they are not.
    """

    name = "pyvirt"

    def __init__(
        self,
        config: Config,
        paths: Paths,
        *,
        reactor: Any,
        drivers: Any,
        environment: MutableMapping[str, str],
        privileged: bool,
        failed: Callable[[BaseException], None] | None = None,
        log: Log | None = None,
        timeout: int = 0,
        finish: Callable[[], None] = lambda: None,
    ) -> None:
        """
        @param drivers: opens URIs; its C{factories} are initialised at start and stopped at stop.
        @param environment: of the process: what systemd says.
        @param privileged: whether this is the system's daemon, not a user's own.
        @param failed: is told when starting fails after L{startService} has returned.
        @param log: where messages go, for administrators to change; None: one that is not connected.
        @param timeout: seconds without clients after which the daemon ends, 0: it stays.
        @param finish: ends the program.
        """
        self.config = config
        self.paths = paths
        self.reactor = reactor
        self.drivers = drivers
        self.environment = environment
        self.privileged = privileged
        self.failed = failed
        self.server = Server(reactor, drivers, Limits.of(config))
        self.admin = AdminServerSide(reactor, drivers, Limits.ofAdmin(config))
        self.administration = self.admin.administration = Administration(log or Log(time.time))
        self.administration.servers = {each.name: each for each in (self.server, self.admin)}
        shutdown = AutoShutdown(reactor, self._isIdle, finish)
        self.administration.shutdown = shutdown
        self.server.changed = self.admin.changed = shutdown.check
        self.timeout = timeout
        self.configureWorkers()
        self.access: Access | None = None
        self.listeners: list[Listener] = []
        self.tls: ServerKeys | None = None
        self.started: Deferred[None] = Deferred()
        self._pidFile: PidFile | None = None
        self._initialised: list[Any] = []

    # Start

    def startService(self) -> None:
        """
        Start.  Clients are served once L{started} fires.

        @raise StartError: the pid file is taken, or a socket cannot be opened.
        """
        for remark in self.config.remarks:
            log.warn("{remark}", remark=remark)
        try:
            self.useAccess(Access(self.config, self.paths, self.reactor))
            self.useAudit(self.makeAudit(self.config))
            self.useLogins()
            mode = 0o755 if self.privileged else 0o700
            makeFolders(self.paths.socketFolder, mode)
            self._pidFile = PidFile.claim(self.paths.pidFile)
            self._openSockets()
            self._openMetrics()
        except Exception as problem:
            self._closeSockets()
            self.useAudit(None)
            self._releasePidFile()
            raise StartError(str(problem)) from problem
        super().startService()
        Deferred.fromCoroutine(self._finishStarting()).addCallbacks(
            self.started.callback, self._startingFailed
        )

    async def _finishStarting(self) -> None:
        nothing = OpenContext(reactor=self.reactor).companion
        context = OpenContext(
            reactor=self.reactor,
            inDaemon=True,
            companion=getattr(self.drivers, "companion", nothing),
        )
        for factory in getattr(self.drivers, "factories", ()):
            if IStatefulDriver.providedBy(factory):
                await _settled(factory.stateInitialize(context, self.paths.root, self.privileged))
                self._initialised.append(factory)
        if not self.running:
            return
        # Generated methods of classes keep their source there, for debuggers.
        linecache.clearcache()
        for each in self.listeners:
            each.start()
        log.info(
            "ready, serving {addresses}",
            addresses=", ".join(each.address for each in self.listeners),
        )
        assert self.administration.shutdown is not None
        self.administration.shutdown.set(self.timeout)
        notify(self.environment, f"READY=1\nMAINPID={os.getpid()}\nSTATUS=serving clients")

    def _startingFailed(self, failure: Any) -> None:
        log.failure("cannot start", failure)
        self.started.addErrback(lambda _: None)
        self.started.errback(failure)
        if self.failed is not None:
            self.failed(failure.value)

    # What the configuration says, and may say otherwise when it is read again

    def useAccess(self, access: Access) -> None:
        """Let C{access} decide about clients from now on; those that are there keep what they have open."""
        self.access = access
        self.server.access, self.server.polkit = access.policy, access.polkit

    def makeAudit(self, config: Config) -> Audit | None:
        """
        Make what writes the audit trail.

        @raise AuditError: it cannot be written.
        """
        return makeAudit(config.auditLevel, config.auditLogging, privileged=self.privileged)

    def useAudit(self, audit: Audit | None) -> None:
        """Write the audit trail there from now on."""
        old = self.server.audit
        self.server.setAudit(audit)
        self.admin.setAudit(audit)
        if old is not None and old.kernel is not None:
            old.kernel.close()

    def useLogins(self) -> None:
        """Let clients log in as the configuration says."""
        config = self.config

        @cache
        def logins() -> SASL:
            from pyvirt.daemon.sasl import makeSASL

            return makeSASL(
                self.reactor,
                under(self.paths.root, config.saslPasswdFile),
                config.saslMechanisms,
                config.saslAllowedUsernameList,
                keytab=config.saslKeytabFile and under(self.paths.root, config.saslKeytabFile),
                minimumSSF=config.tcpMinSSF,
            )

        self.server.logins = logins
        if "GSSAPI" in config.saslMechanisms:
            logins()  # which says at once if it has no key

    def reload(self) -> bool:
        """
        Read the configuration again; see L{pyvirt.daemon.reloading.reload}.  Drivers then read what they keep on disk.
        """
        notify(self.environment, "RELOADING=1")
        try:
            return reload(self)
        finally:
            notify(self.environment, "READY=1")
            Deferred.fromCoroutine(self._reloadDrivers())

    async def _reloadDrivers(self) -> None:
        for factory in filter(IReloadingDriver.providedBy, self._initialised):
            try:
                await _settled(factory.stateReload())
            except Exception:
                log.failure("driver {driver} did not reload", driver=factory.name)

    def configureWorkers(self) -> None:
        """Allow as many calls at a time as the configuration says."""
        config = self.config
        for server, low, high, priority, key in (
            (self.server, config.minWorkers, config.maxWorkers, config.prioWorkers, "max_workers"),
            (self.admin, config.adminMinWorkers, config.adminMaxWorkers, 0, "admin_max_workers"),
        ):
            # Without a word in the file nothing limits calls that cost no thread.
            server.workers.set(min(low, high), high, priority, key in config.lines)

    def _openMetrics(self) -> None:
        config = self.config
        if config.metricsAddress is None and config.metricsSocket is None:
            return
        from pyvirt.daemon.metrics import MeasuredSession, Metrics, metricsSite

        metrics = self.server.metrics = Metrics((self.server, self.admin))
        self.server.session = MeasuredSession
        site = metricsSite(metrics)
        if config.metricsAddress is not None:
            for each in openTCP(*config.metricsAddress):
                self.listeners.append(Listener(self.reactor, each, site, _ROOM))
        if config.metricsSocket is not None:
            path = under(self.paths.root, config.metricsSocket)
            opened = openUNIX(path, mode=0o660, group=config.unixSockGroup)
            self.listeners.append(Listener(self.reactor, opened, site, _ROOM, path=path))

    def _isIdle(self) -> bool:
        """Whether nobody is connected and no driver has anything running."""
        if self.server.sessions or self.admin.sessions:
            return False
        return not any(
            getattr(each, "isInUse", bool)() for each in getattr(self.drivers, "factories", ())
        )

    def _openSockets(self) -> None:
        config, paths = self.config, self.paths
        backlog = config.maxQueuedClients
        given = adoptSockets(self.environment, os.getpid())
        if given:
            for each in given:
                self._adopt(each)
        else:
            group = config.unixSockGroup
            mode = config.unixSockRWPerms
            if mode is None:
                mode = 0o700 if group is None else 0o770
            self._listenUNIX(paths.socket, mode, config.authUnixRW, readOnly=False)
            if paths.readOnlySocket is not None:
                mode = 0o777 if config.unixSockROPerms is None else config.unixSockROPerms
                self._listenUNIX(paths.readOnlySocket, mode, config.authUnixRO, readOnly=True)
            admin = config.unixSockAdminPerms
            self._listenUNIX(
                paths.adminSocket,
                0o700 if admin is None else admin,
                "none",
                readOnly=False,
                server=self.admin,
            )
        if config.listenTCP:
            for each in openTCP(config.listenAddr, config.tcpPort, backlog=backlog):
                self._add(each, config.authTCP, readOnly=False)
        if config.listenTLS:
            for each in openTCP(config.listenAddr, config.tlsPort, backlog=backlog):
                self._addTLS(each)
        if config.listenSSH:
            factory = self._sshFactory()
            for each in openTCP(config.listenAddr, config.sshPort, backlog=backlog):
                self._serve(each, factory, self.server)

    def _listenUNIX(
        self,
        path: str,
        mode: int,
        auth: str,
        *,
        readOnly: bool,
        server: Server | None = None,
    ) -> None:
        config = self.config
        opened = openUNIX(
            path,
            mode=mode,
            group=config.unixSockGroup,
            backlog=config.maxQueuedClients if server is None else config.adminMaxQueuedClients,
        )
        self._add(opened, auth, readOnly=readOnly, path=path, server=server)

    def _adopt(self, given: socket.socket) -> None:
        """Serve a socket that the service manager opened; its name tells what it is for."""
        config = self.config
        if given.family == socket.AF_UNIX:
            name = os.path.basename(os.fsdecode(given.getsockname()))
            if "admin" in name:
                self._add(given, "none", readOnly=False, server=self.admin)
                return
            readOnly = name.endswith("-ro")
            auth = config.authUnixRO if readOnly else config.authUnixRW
            self._add(given, auth, readOnly=readOnly)
        elif given.getsockname()[1] == config.tlsPort:
            self._addTLS(given)
        else:
            self._add(given, config.authTCP, readOnly=False)

    def _sshFactory(self) -> Any:
        # Most daemons listen for no SSH, and Conch is large.
        from pyvirt.daemon.authorizedkeys import AuthorizedKeys
        from pyvirt.daemon.sshdoor import SSHDoorFactory, hostKey

        config, paths = self.config, self.paths
        folder = paths.configFolder
        key = config.sshHostKeyFile
        keys = config.sshAuthorizedKeysFile
        return SSHDoorFactory(
            self.server,
            hostKey(
                os.path.join(folder, "ssh_host_ed25519_key")
                if key is None
                else under(paths.root, key)
            ),
            AuthorizedKeys(
                os.path.join(folder, "ssh_authorized_keys")
                if keys is None
                else under(paths.root, keys),
                userName(os.geteuid()),
            ),
            (paths.socket, paths.readOnlySocket),
        )

    def _addTLS(self, listening: socket.socket) -> None:
        # Most daemons listen for no TLS, and OpenSSL is large.
        from pyvirt.daemon.tlsdoor import ServerKeys, homeOf, tlsFactory

        if self.tls is None:
            home = None if self.privileged else homeOf(self.environment)
            try:
                self.tls = ServerKeys(self.config, root=self.paths.root, home=home)
            except BaseException:
                listening.close()
                raise
            self.administration.tlsUpdater = self.reloadTLS
        factory = tlsFactory(self.server, self.tls, auth=self.config.authTLS)
        self._serve(listening, factory, self.server)

    def reloadTLS(self, server: object = None) -> bool:
        """
        Read the certificates again, for new connections.

        @param server: whose; only the main one has any.
        @return: whether it has some.
        @raise VirtError: they cannot be used; those from before stay in use.
        """
        if self.tls is None or server not in (None, self.server):
            return False
        self.tls.reload()
        return True

    def _add(
        self,
        listening: socket.socket,
        auth: str,
        *,
        readOnly: bool,
        path: str | None = None,
        server: Server | None = None,
    ) -> None:
        server = self.server if server is None else server
        self._serve(
            listening, SessionFactory(server, auth=auth, readOnly=readOnly), server, path=path
        )

    def _serve(
        self, listening: socket.socket, factory: Factory, server: Server, *, path: str | None = None
    ) -> None:
        listener = Listener(self.reactor, listening, factory, server, path=path)
        self.listeners.append(listener)
        server.gates.append(listener)

    # Stop

    def stopService(self) -> Deferred[None]:
        """
        Stop gracefully: accept nothing new, send what is on its way, close, let drivers write down what
        they must find again.

        @return: fires when all is done.
        """
        if not self.running:
            return succeed(None)
        super().stopService()
        notify(self.environment, "STOPPING=1")
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._closeSockets()
        self.useAudit(None)
        if self.administration.shutdown is not None:
            self.administration.shutdown.set(0)
        self.server.closeAll()
        self.admin.closeAll()
        await self._clientsGone(_GRACE)
        self.server.abortAll()
        self.admin.abortAll()
        await self._clientsGone(_GRACE)
        while self._initialised:
            factory = self._initialised.pop()
            try:
                await _settled(factory.stateStop())
            except Exception:
                log.failure("driver {driver} did not stop well", driver=factory.name)
        self._releasePidFile()

    async def _clientsGone(self, seconds: float) -> None:
        """Wait until no client is left, but no longer than C{seconds}."""
        end = self.reactor.seconds() + seconds
        while (self.server.sessions or self.admin.sessions) and self.reactor.seconds() < end:
            await deferLater(self.reactor, 0.01, lambda: None)

    def _closeSockets(self) -> None:
        self.server.stopping = self.admin.stopping = True
        for each in self.listeners:
            each.stop()

    def _releasePidFile(self) -> None:
        if self._pidFile is not None:
            self._pidFile.release()
            self._pidFile = None


async def _settled(answer: Any) -> Any:
    if isinstance(answer, Awaitable):
        return await answer
    return answer
