"""
Opening C{qemu:///system} and C{qemu:///session}, and the driver's state in a daemon.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from pyvirt.confsyntax import ConfigError
from pyvirt.drivers.filestore import firstSinceBoot, holdsDefinitions, removeUnfinished
from pyvirt.drivers.interfaces.driver import (
    IConnection,
    IDriverFactory,
    IReloadingDriver,
    IStatefulDriver,
    OpenContext,
)
from pyvirt.drivers.interfaces.locking import ILockManager
from pyvirt.drivers.qemu.components import componentClass
from pyvirt.drivers.qemu.conf import loadQEMUConfig
from pyvirt.drivers.qemu.confchecks import settledOnHost
from pyvirt.drivers.qemu.layout import Layout
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.drivers.qemu.unclaimed import endUnclaimed
from pyvirt.errors import VirtError
from pyvirt.hooks import Hooks
from pyvirt.pidfile import PidFile
from pyvirt.process import IProcesses, Processes
from pyvirt.uri import URI

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["QEMUConnection", "QEMUDriver"]

log = Logger()


@implementer(IConnection)
class QEMUConnection:
    """
    A connection to a hypervisor.

    @ivar hypervisor: what it is connected to.
    @ivar trusted: whoever has it has the rights of this process.
    """

    def __init__(self, uri: str, hypervisor: Hypervisor, trusted: bool = True) -> None:
        self.uri = uri
        self.hypervisor = hypervisor
        self.trusted = trusted
        self._components: dict[InterfaceClass, object | None] = {}

    def component(self, interface: InterfaceClass) -> object | None:
        """Return what does the operations of a contract, None if nothing does."""
        try:
            return self._components[interface]
        except KeyError:
            made = componentClass(interface)
            if made is None:
                # What is not about guests is done by the drivers beside this one.
                component = self.hypervisor.companion(interface)
            else:
                component = made(self.hypervisor, self)
            self._components[interface] = component
            return component

    def isAlive(self) -> bool:
        """It depends on nothing that could go away."""
        return True

    def isSecure(self) -> bool:
        """Nothing leaves the machine."""
        return True

    def isEncrypted(self) -> bool:
        """Nothing needs to be."""
        return False

    def close(self) -> None:
        """End the guests that were to end with it, and close descriptors that came over it."""
        from pyvirt.drivers.qemu.fdgroups import drop as dropGroups
        from pyvirt.drivers.qemu.lifecycle import autodestroy

        hypervisor = self.hypervisor
        for domain in hypervisor.domains:
            if domain.fdGroups:
                dropGroups(domain, self)
            guest = domain.guest
            if guest is not None and guest.autodestroy is self:
                hypervisor.later(autodestroy(hypervisor, domain, guest))


@implementer(IDriverFactory, IReloadingDriver, IStatefulDriver)
class QEMUDriver:
    """
    Opens the hypervisor of a daemon.

    Guests belong to a daemon, which keeps an eye on them; elsewhere the URI is the remote driver's.

    Where nothing is defined and nothing runs, most of it is loaded only when somebody opens it.
    """

    name = "QEMU"
    local = True

    def __init__(self, processes: IProcesses | None = None, connect: Any = None) -> None:
        """
        @param processes: runs commands; None: on this machine.
        @param connect: opens conversations with guests; None: on this machine.
        """
        self._hypervisor: Hypervisor | None = None
        self._make: Callable[[], Hypervisor] | None = None
        self._hooks: Hooks | None = None
        self._processes = processes
        self._connect = connect
        self._privileged = True
        self._pidFile: PidFile | None = None
        self._definitions = ""

    @property
    def hypervisor(self) -> Hypervisor | None:
        """What connections share, None before the daemon has initialised it."""
        make, self._make = self._make, None
        if make is not None:
            self._hypervisor = make()
        return self._hypervisor

    def accepts(self, uri: URI | None) -> bool:
        """Accept URIs of the scheme, in a daemon."""
        return (self._hypervisor is not None or self._make is not None) and (
            uri is None or (uri.scheme == "qemu" and not uri.isRemote)
        )

    def open(self, uri: URI | None, context: OpenContext) -> IConnection:
        """
        Connect to the hypervisor.

        @raise VirtError: the URI is of the other kind of daemon, or of none.
        """
        hypervisor = self.hypervisor
        assert hypervisor is not None
        expected = "/system" if self._privileged else "/session"
        path = expected if uri is None else uri.path
        if path in ("", "/"):
            raise internal(f"no QEMU URI path given, try qemu://{expected}")
        if path != expected and not (path == "/session" and self._privileged):
            raise internal(f"unexpected QEMU URI path '{path}', try qemu://{expected}")
        if path == "/session" and self._privileged:
            raise internal("unexpected QEMU URI path '/session', try qemu:///system")
        return QEMUConnection(f"qemu://{expected}", hypervisor, context.trusted)

    async def stateInitialize(self, context: OpenContext, root: str, privileged: bool) -> None:
        """
        Read what is on disk, find running guests again, start what starts with the host.

        @raise ConfigError: qemu.conf is wrong.
        """
        reactor = context.reactor
        layout = Layout.of(root, privileged, os.environ)
        config = loadQEMUConfig(
            layout.conf, privileged=privileged and os.geteuid() == 0, ids=(os.getuid(), os.getgid())
        )
        config = settledOnHost(config, layout.conf)
        for each in config.warnings:
            log.warn("{problem}", problem=each)
        self._privileged = privileged
        self._definitions = layout.config
        isRoot = privileged and os.geteuid() == 0
        processes = self._processes or Processes(reactor)
        locks = _locks(reactor, config["lock_manager"], root, privileged)
        hooks = self._hooks = Hooks(processes, layout.hooks)

        def make() -> Hypervisor:
            from pyvirt.drivers.qemu.connecting import connectorFor
            from pyvirt.drivers.qemu.hypervisor import Hypervisor

            hypervisor = Hypervisor(
                reactor=reactor,
                processes=processes,
                layout=layout,
                config=config,
                privileged=isRoot,
                connect=self._connect or connectorFor(reactor),
                locks=locks,
                companion=context.companion,
                hooks=hooks,
            )
            hypervisor.logs.start()
            return hypervisor

        layout.make((config.user, config.group) if isRoot else None)
        self._pidFile = PidFile.claim(os.path.join(layout.run, "driver.pid"))
        removeUnfinished(layout.config)
        for folder in (layout.run, layout.lib, layout.capabilities):
            removeUnfinished(folder, ".new")
        if holdsDefinitions(layout.config, layout.run):
            from pyvirt.drivers.qemu.reconnecting import autostart, findAgain, loadDefinitions

            await self._callHook("start")
            hypervisor = make()
            loadDefinitions(hypervisor)
            await findAgain(hypervisor)
            self._hypervisor = hypervisor
            # As in libvirtd clients wait until the guests run that are to.
            await autostart(hypervisor)
        else:
            if isRoot:
                endUnclaimed(layout.lib, ())
            self._make = make
            await self._callHook("start")
            firstSinceBoot(layout.run)

    async def stateReload(self) -> None:
        """Look which scripts there are, and read definitions that others have written."""
        if self._hooks is not None:
            self._hooks.look()
        await self._callHook("reload", "begin", "SIGHUP")
        hypervisor = self._hypervisor
        if hypervisor is None and self._make is not None and holdsDefinitions(self._definitions):
            hypervisor = self.hypervisor
        if hypervisor is not None:
            from pyvirt.drivers.qemu.reconnecting import reloadDefinitions

            reloadDefinitions(hypervisor)

    async def _callHook(self, what: str, part: str = "-", extra: str | None = None) -> None:
        """Tell the administrator's script; it cannot prevent anything."""
        try:
            if self._hooks is not None:
                await self._hooks.call("daemon", "-", what, part, extra or what)
        except VirtError as error:
            log.warn("{error}", error=error)

    async def stateStop(self) -> None:
        """Let go of guests, which go on."""
        hypervisor, self._hypervisor, self._make = self._hypervisor, None, None
        if hypervisor is not None:
            self._letGo(hypervisor)
        pidFile, self._pidFile = self._pidFile, None
        if pidFile is not None:
            pidFile.release()
            await self._callHook("shutdown")

    @staticmethod
    def _letGo(hypervisor: Hypervisor) -> None:
        hypervisor.stopping = True
        hypervisor.logs.stop()
        for domain in hypervisor.domains:
            guest = domain.guest
            if guest is None:
                continue
            hypervisor.saveStatus(domain)
            guest.dying = True
            if guest.monitor is not None:
                guest.monitor.close()
            if guest.agent is not None:
                guest.agent.close()
            if guest.process is not None:
                guest.process.forget()


def _locks(reactor: Any, name: str | None, root: str, privileged: bool) -> ILockManager | None:
    """
    Make the lock manager that qemu.conf names, None if it names none.

    @raise ConfigError: there is no such one, or its own configuration is wrong.
    """
    if name in (None, "none", "nop"):
        return None
    from pyvirt.locking.plugin import lockManager

    try:
        return lockManager(name, reactor, root, privileged, "qemu")
    except LookupError as problem:
        raise ConfigError("qemu.conf", 0, f"lock_manager: {problem}") from None
