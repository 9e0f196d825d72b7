"""
The driver table: who opens which URI.

Drivers are found through the entry points C{pyvirt.drivers}, loaded when a table first looks for one.  Local
drivers are asked first, the remote one last; the first that accepts a URI opens it, and its failure is final.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from functools import partial
from importlib import import_module
from inspect import isawaitable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface.interface import InterfaceClass

from pyvirt.distributions import mayOffer
from pyvirt.drivers.interfaces.driver import IConnection, IDriverFactory, OpenContext
from pyvirt.drivers.interfaces.inside import ICompanionDriver
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.uri import URI, parseURI

__all__ = ["GROUP", "DriverTable", "loadFactories", "noDriver"]

GROUP = "pyvirt.drivers"
"""The group of entry points; each is called without arguments and returns an L{IDriverFactory}."""

_BUILT_IN = {
    "test": "pyvirt.drivers.test:factory",
    "host": "pyvirt.drivers.host:factory",
    "qemu": "pyvirt.drivers.qemu:factory",
    "remote": "pyvirt.drivers.remote:factory",
}
"""What there is even when the distribution is not installed, as in a checkout."""

_log = Logger()


_Load = Callable[[], Callable[[], IDriverFactory]]


def _load(module: str, name: str) -> Callable[[], IDriverFactory]:
    found: Callable[[], IDriverFactory] = getattr(import_module(module), name)
    return found


def loadFactories(*, remote: bool = True) -> list[IDriverFactory]:
    """
    Load every driver that is installed, and make a factory of each.

    One that cannot be loaded is logged and left out: the others go on.  C{PYVIRT_WITHOUT_DRIVERS} in the
    environment names those that are left alone.

    @param remote: also the client's side of the wire, which a daemon has no use for.
    """
    found: dict[str, _Load] = {
        name: partial(_load, *value.split(":")) for name, value in _BUILT_IN.items()
    }
    if mayOffer(GROUP):
        from importlib.metadata import entry_points

        found |= {each.name: each.load for each in entry_points(group=GROUP)}
    without = os.environ.get("PYVIRT_WITHOUT_DRIVERS", "").split()
    factories: list[IDriverFactory] = []
    for name in sorted(found):
        if name in without or (name == "remote" and not remote):
            continue
        try:
            factories.append(found[name]()())
        except Exception:
            _log.failure("The driver {driver} cannot be loaded", driver=name)
    return factories


class DriverTable:
    """
    The drivers of one client or one daemon.

    Each table has factories of its own, so that what drivers share between connections (such as the state of
    C{test:///default}) is shared within the table.
    """

    def __init__(
        self,
        reactor: Any,
        factories: Iterable[IDriverFactory] | None = None,
        *,
        remote: bool = True,
    ) -> None:
        """
        @param reactor: given to drivers: time, network and processes.
        @param factories: the drivers; None: all that are installed.
        @param remote: whether other daemons may be asked; a daemon itself must not.
        """
        self.reactor = reactor
        self._remote = remote
        self._given = None if factories is None else list(factories)
        self._ordered: list[IDriverFactory] | None = None

    @property
    def factories(self) -> list[IDriverFactory]:
        """The factories in the order in which they are asked."""
        if self._ordered is None:
            found = loadFactories(remote=self._remote) if self._given is None else self._given
            if not self._remote:
                found = [each for each in found if each.local]
            self._ordered = sorted(found, key=lambda each: not each.local)
        return self._ordered

    def context(self, **details: Any) -> OpenContext:
        """Make the context for L{open}: this table's reactor, and what C{details} say."""
        details.setdefault("companion", self.companion)
        details.setdefault("callNames", _callNames)
        return OpenContext(reactor=self.reactor, **details)

    def companion(self, interface: InterfaceClass) -> object | None:
        """Return what does the operations of a contract on this host beside a hypervisor, or None."""
        for factory in self.factories:
            if ICompanionDriver.providedBy(factory):
                found: object | None = factory.companion(interface)
                if found is not None:
                    return found
        return None

    def open(self, uri: str | None, context: OpenContext | None = None) -> Deferred[IConnection]:
        """
        Open a URI.

        @param uri: None or empty: whatever a driver finds.
        @param context: read-only, flags and the like; None: read-write.
        @return: fires with the driver's connection.  Fails with L{VirtError}: the URI is none
            (C{INTERNAL_ERROR}), no driver takes it (C{NO_CONNECT}), or the driver cannot open it.
        """
        if context is None:
            context = self.context()
        elif context.callNames is None:
            context = attrs.evolve(context, callNames=_callNames)
        return Deferred.fromCoroutine(self._open(uri or None, context))

    async def _open(self, text: str | None, context: OpenContext) -> IConnection:
        uri: URI | None = None
        if text is not None:
            uri = parseURI(text)
            if not uri.scheme:
                raise noDriver(f"URI '{text}' does not include a driver name")
        for factory in self.factories:
            if factory.local and uri is not None and uri.isRemote:
                continue
            if factory.accepts(uri):
                opened = factory.open(uri, context)
                return await opened if isawaitable(opened) else opened
        raise noDriver(text or "<null>")


def _callNames() -> Collection[str]:
    from pyvirt.routes.names import callNames  # only drivers that test others ask

    return callNames()


def noDriver(detail: str) -> VirtError:
    """Make the error that nothing opens a URI."""
    return virtError(ErrorCode.NO_CONNECT, detail, ErrorDomain.NONE)
