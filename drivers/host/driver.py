"""
The host's drivers in a daemon: their state, and connections to one of them alone, such as C{secret:///system}.
"""

from __future__ import annotations

import os
from typing import Any

from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from pyvirt.drivers.filestore import firstSinceBoot, holdsDefinitions, removeUnfinished
from pyvirt.drivers.host.components import FAMILIES
from pyvirt.drivers.host.host import Host
from pyvirt.drivers.host.layout import HostLayout
from pyvirt.drivers.interfaces.driver import (
    IConnection,
    IDriverFactory,
    IReloadingDriver,
    IStatefulDriver,
    OpenContext,
)
from pyvirt.drivers.interfaces.inside import ICompanionDriver
from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorDomain
from pyvirt.folders import makeFolders
from pyvirt.pidfile import PidFile
from pyvirt.process import IProcesses, Processes
from pyvirt.uri import URI

__all__ = ["HostConnection", "HostDriver"]

#: What one daemon keeps alone.
_CLAIMED = ("secrets", "storage", "network")

#: The driver of each scheme, as errors report it.
_DOMAINS = {
    "secret": ErrorDomain.SECRET,
    "storage": ErrorDomain.STORAGE,
    "network": ErrorDomain.NETWORK,
    "nodedev": ErrorDomain.NODEDEV,
    "interface": ErrorDomain.INTERFACE,
    "nwfilter": ErrorDomain.NWFILTER,
}


@implementer(IConnection)
class HostConnection:
    """
    A connection to one of the host's drivers.

    @ivar scheme: which.
    """

    def __init__(self, uri: str, scheme: str, host: Host) -> None:
        self.uri = uri
        self.scheme = scheme
        self._host = host

    def component(self, interface: InterfaceClass) -> object | None:
        """Return what does the operations of a contract, None if it is not this driver."""
        return self._host.component(interface) if interface in FAMILIES[self.scheme] else None

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
        """Nothing exists for it alone."""


@implementer(IDriverFactory, IReloadingDriver, IStatefulDriver, ICompanionDriver)
class HostDriver:
    """
    The host's drivers of a daemon.

    @ivar host: what they share, None before the daemon has initialised it.
    """

    name = "host"
    local = True

    def __init__(self, processes: IProcesses | None = None) -> None:
        """
        @param processes: runs commands; None: on this machine.
        """
        self.host: Host | None = None
        self._processes = processes
        self._privileged = True
        self._pidFiles: list[PidFile] = []

    def companion(self, interface: InterfaceClass) -> object | None:
        """Return what does the operations of a contract, or None."""
        return None if self.host is None else self.host.component(interface)

    def accepts(self, uri: URI | None) -> bool:
        """Accept URIs of the schemes, in a daemon."""
        return (
            self.host is not None
            and uri is not None
            and uri.scheme in FAMILIES
            and not uri.isRemote
        )

    def open(self, uri: URI | None, context: OpenContext) -> IConnection:
        """
        Connect to one driver.

        @raise VirtError: the URI is of the other kind of daemon, or of none.
        """
        assert uri is not None and self.host is not None
        expected = "/system" if self._privileged else "/session"
        scheme = uri.scheme
        if uri.path != expected:
            raise internal(
                f"unexpected {scheme} URI path '{uri.path}', try {scheme}://{expected}",
                _DOMAINS[scheme],
            )
        return HostConnection(f"{scheme}://{expected}", scheme, self.host)

    async def stateInitialize(self, context: OpenContext, root: str, privileged: bool) -> None:
        """
        Find again what runs, start what starts with the host.

        What only lies on disk, such as secrets and networks that are not active, is read when somebody first
        asks for it.
        """
        reactor: Any = context.reactor
        self._privileged = privileged
        host = Host(
            reactor=reactor,
            processes=self._processes or Processes(reactor),
            layout=HostLayout.of(root, privileged, os.environ),
            privileged=privileged and os.geteuid() == 0,
        )
        self._claim(host)
        for folder in host.layout.folders:
            removeUnfinished(folder)
        for scheme, (autostart, state) in host.layout.active.items():
            if holdsDefinitions(autostart, state):
                await host.start(FAMILIES[scheme][0])
            else:
                # What is marked later to start with the host does so when that boots again, not when it is read.
                makeFolders(state)
                firstSinceBoot(state)
        self.host = host

    def _claim(self, host: Host) -> None:
        """
        Be the only daemon that keeps this host's secrets, storage and networks; libvirtd claims the same files.

        @raise PidFileError: another one does.
        """
        try:
            for name in _CLAIMED:
                folder = os.path.join(host.layout.run, name)
                makeFolders(folder)
                self._pidFiles.append(PidFile.claim(os.path.join(folder, "driver.pid")))
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        while self._pidFiles:
            self._pidFiles.pop().release()

    async def stateReload(self) -> None:
        """Look which scripts there are, read definitions that others have written, and start what is marked."""
        host = self.host
        if host is None:
            return
        host.hooks.look()
        for scheme, (autostart, _) in host.layout.active.items():
            if holdsDefinitions(autostart):
                await host.start(FAMILIES[scheme][0])
        await host.reload()

    async def stateStop(self) -> None:
        """Let go of everything, which goes on."""
        host, self.host = self.host, None
        if host is None:
            return
        host.stopping = True
        for component in host.made():
            unload = getattr(component, "unload", None)
            if unload is not None:
                await unload()
        self._release()
