"""
Opening a connection: which URI, through which driver.

Drivers that users of one reactor share live in one L{DriverTable} per reactor, so that C{test:///default} is
the same for all of them, as it is in libvirt.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from pyvirt.client.aliases import configurationPath, loadConfiguration
from pyvirt.client.connect import Connect
from pyvirt.client.deferring import deferred
from pyvirt.client.healing import Healing
from pyvirt.client.session import Session
from pyvirt.constants import VIR_CONNECT_NO_ALIASES, VIR_CONNECT_RO
from pyvirt.drivers.interfaces.driver import IConnection
from pyvirt.drivertable import DriverTable, noDriver
from pyvirt.uri import parseURI

__all__ = [
    "Credentials",
    "connectBy",
    "connectTable",
    "open",
    "openAuth",
    "openReadOnly",
    "resolveURI",
]

Credentials = Sequence[Any]
"""C{[types, callback, opaque]}, as the binding takes it."""

_tables: WeakKeyDictionary[Any, DriverTable] = WeakKeyDictionary()


def resolveURI(
    name: str | None, flags: int, environment: Mapping[str, str], userID: int
) -> str | None:
    """
    Find what to open: C{name}, what the environment or libvirt.conf says, with aliases resolved.

    @return: a URI; None: whatever a driver finds.
    @raise VirtError: libvirt.conf or the URI cannot be read, or the URI names no driver.
    """
    configuration = loadConfiguration(configurationPath(environment, userID))
    uri = name or environment.get("LIBVIRT_DEFAULT_URI") or None
    if uri is None:
        uri = configuration.uriDefault
        if uri is None:
            return None
    if not flags & VIR_CONNECT_NO_ALIASES:
        uri = configuration.resolve(uri)
    if not parseURI(uri).scheme:
        raise noDriver(f"URI '{name or '(null)'}' does not include a driver name")
    return uri


async def connectTable(
    table: DriverTable,
    uri: str | None,
    flags: int = 0,
    auth: Credentials | None = None,
    heal: Healing | None = None,
) -> Connect:
    """
    Open a URI through the drivers of C{table}.

    @param flags: C{VIR_CONNECT_*}.
    @param heal: how the connection heals itself; None: it does not.
    """
    readOnly = bool(flags & VIR_CONNECT_RO)
    context = table.context(readOnly=readOnly, flags=flags, auth=auth)
    return await connectBy(lambda: table.open(uri, context), context.clock, readOnly, heal)


async def connectBy(
    opener: Callable[[], Deferred[IConnection]],
    clock: IReactorTime,
    readOnly: bool,
    heal: Healing | None = None,
) -> Connect:
    """Make a connection of what C{opener} opens, which is asked again when it has to heal."""
    connection = await opener()
    if heal is None:
        return Connect(Session(connection, clock, readOnly))
    from pyvirt.client.healer import Healer

    healer = Healer(connection, opener, heal, clock, readOnly)
    connect = Connect(Session(healer, clock, readOnly))
    try:
        await healer.begin(connect)
    except BaseException:
        connect.close()
        raise
    return connect


def _table(reactor: Any) -> DriverTable:
    if reactor is None:
        from twisted.internet import reactor
    table = _tables.get(reactor)
    if table is None:
        table = _tables[reactor] = DriverTable(reactor)
    return table


async def _open(
    name: str | None,
    flags: int,
    auth: Credentials | None,
    reactor: Any,
    table: DriverTable | None,
    heal: Healing | None,
) -> Connect:
    uri = resolveURI(name, flags, os.environ, os.geteuid())
    return await connectTable(_table(reactor) if table is None else table, uri, flags, auth, heal)


@deferred
async def open(
    name: str | None = None,
    *,
    reactor: Any = None,
    table: DriverTable | None = None,
    heal: Healing | None = None,
) -> Connect:
    """
    Open a connection.

    @param name: a URI or an alias; None: C{LIBVIRT_DEFAULT_URI}, libvirt.conf's C{uri_default}, or what the
        local daemon finds.
    @param reactor: None: the global one.
    @param table: the drivers to try; None: those that are installed.
    @param heal: have the connection made again whenever it is lost; None: its loss is its end.
    @return: fires with the connection.  Fails with L{VirtError<pyvirt.errors.VirtError>}: C{NO_CONNECT} if no
        driver takes the URI, C{SYSTEM_ERROR} if the daemon cannot be reached.
    """
    return await _open(name, 0, None, reactor, table, heal)


@deferred
async def openReadOnly(
    name: str | None = None,
    *,
    reactor: Any = None,
    table: DriverTable | None = None,
    heal: Healing | None = None,
) -> Connect:
    """As L{open}, for looking only: whatever could change something is refused."""
    return await _open(name, VIR_CONNECT_RO, None, reactor, table, heal)


@deferred
async def openAuth(
    uri: str | None,
    auth: Credentials | None,
    flags: int = 0,
    *,
    reactor: Any = None,
    table: DriverTable | None = None,
    heal: Healing | None = None,
) -> Connect:
    """
    As L{open}, with somebody to ask for credentials.

    @param auth: types of credentials (C{VIR_CRED_*}) that can be asked for, a callable that is given what is
        asked for and an opaque value, and that value.
    @param flags: C{VIR_CONNECT_RO}, C{VIR_CONNECT_NO_ALIASES}.
    """
    return await _open(uri, flags, auth, reactor, table, heal)
