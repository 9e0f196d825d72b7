"""
Migration that the client drives: which phases are called where, and what is undone when one fails.

 - Version 3, with typed parameters or without: begin at the source, prepare at the destination, perform at the source,
   finish at the destination, confirm at the source.  Each phase's cookie goes to the next.  Finish is called after a
   perform that failed too, and confirm after whatever came behind a begin that took hold of the domain.
 - Version 2 has prepare, perform and finish; version 1 asks for finish only when perform succeeded.
 - Peer to peer and direct migration are one perform at the source, which does the rest.

Source: observed on libvirt's own client.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from pyvirt import constants
from pyvirt.errors import ErrorCode, ErrorDomain, InvalidArgument, RPCError, VirtError, virtError
from pyvirt.protocols.structs import TypedParam
from pyvirt.uri import parseURI

if TYPE_CHECKING:
    from pyvirt.client.connect import Connect
    from pyvirt.client.domain import Domain

__all__ = ["Migration", "checkFlags"]

FEATURE_V1 = 1
FEATURE_V2 = 3
FEATURE_P2P = 4
FEATURE_DIRECT = 5
FEATURE_V3 = 6
FEATURE_CHANGE_PROTECTION = 7
FEATURE_XML_MIGRATABLE = 11
FEATURE_OFFLINE = 12
FEATURE_PARAMS = 13

URI = constants.VIR_MIGRATE_PARAM_URI
STRING = constants.VIR_TYPED_PARAM_STRING
ULLONG = constants.VIR_TYPED_PARAM_ULLONG

_SIMPLE = {
    URI: STRING,
    "destination_name": STRING,
    "destination_xml": STRING,
    "bandwidth": ULLONG,
}
"""Parameters that the older calls can carry."""

_OLDEST = frozenset(_SIMPLE) - {"destination_xml"}
"""Those that the oldest can."""

_EXTENSIBLE = "Migration APIs with extensible parameters are not supported but extended parameters were passed"


def unsupported(function: str) -> VirtError:
    """Make the error that no way of migrating is there."""
    return virtError(ErrorCode.NO_SUPPORT, function, ErrorDomain.DOMAIN)


def unfit(detail: str) -> VirtError:
    """Make the error that what was asked for cannot be had."""
    return virtError(ErrorCode.ARGUMENT_UNSUPPORTED, detail, ErrorDomain.DOMAIN)


def refusedFlags(text: str, function: str, argument: str) -> VirtError:
    """Make the error of flags that cannot be."""
    return InvalidArgument(
        text, domain=ErrorDomain.DOMAIN, str1=function, str2=argument, int1=0, int2=0
    )


def checkFlags(flags: int, function: str) -> None:
    """
    Refuse flags that exclude each other.

    @raise VirtError: C{INVALID_ARG}.
    """
    _exclude(flags, function, "VIR_MIGRATE_NON_SHARED_DISK", "VIR_MIGRATE_NON_SHARED_INC")


def _exclude(flags: int, function: str, one: str, other: str) -> None:
    if flags & getattr(constants, one) and flags & getattr(constants, other):
        raise refusedFlags(f"Flags '{one}' and '{other}' are mutually exclusive", function, "ctl")


def checkElsewhere(dconnuri: str) -> None:
    """
    Refuse to have a daemon lead a migration to where it is itself, which all names of this host say.

    @raise VirtError: C{INVALID_ARG}; C{INTERNAL_ERROR}: it is no URI.
    """
    uri = parseURI(dconnuri)
    socket = uri.scheme.partition("+")[2] == "unix" and "socket" in dict(uri.parameters)
    if uri.host.startswith("localhost") or not (uri.host or socket):
        raise refusedFlags(
            "Attempt to migrate guest to the same host", "virDomainMigrateCheckNotLocal", "dconnuri"
        )


class Migration:
    """
    One migration.

    @ivar source: the domain.
    @ivar params: what was asked for, as typed parameters.
    """

    def __init__(self, source: Domain, params: Sequence[TypedParam], flags: int, function: str):
        self.source = source
        self.params = list(params)
        self.flags = flags
        # What is about the source's way of sending is not the destination's business.
        self._destinationFlags = flags & ~(
            constants.VIR_MIGRATE_ABORT_ON_ERROR | constants.VIR_MIGRATE_AUTO_CONVERGE
        )
        self.function = function
        self._remote: Any = source._remote

    def _get(self, name: str, missing: Any = None) -> Any:
        return next((each[2] for each in self.params if each[0] == name), missing)

    def _put(self, name: str, value: str) -> list[TypedParam]:
        """Replace a parameter where it is, or add it; return all there are then."""
        made = TypedParam(name, STRING, value)
        for place, each in enumerate(self.params):
            if each[0] == name:
                self.params[place] = made
                break
        else:
            self.params.append(made)
        return list(self.params)

    async def _has(self, conn: Connect, feature: int) -> bool:
        return await conn._session.feature(conn._remote, feature)

    async def _both(self, dconn: Connect, feature: int) -> bool:
        return await self._has(self.source._conn, feature) and await self._has(dconn, feature)

    @property
    def _extended(self) -> bool:
        return any(each[0] not in _SIMPLE for each in self.params)

    def _simple(self) -> None:
        """Refuse parameters that only the newest calls carry."""
        if self._extended:
            raise unfit(_EXTENSIBLE)

    async def toConnection(self, dconn: Connect) -> Domain:
        """Migrate to where C{dconn} leads; return the domain there."""
        from pyvirt.client.domain import Domain

        if dconn is None:
            raise virtError(ErrorCode.INVALID_CONN, self.function, ErrorDomain.DOMAIN)
        if dconn._session.readOnly:
            raise virtError(
                ErrorCode.OPERATION_DENIED,
                f"read only access prevents {self.function}",
                ErrorDomain.DOMAIN,
            )
        checkFlags(self.flags, self.function)
        _exclude(self.flags, self.function, "VIR_MIGRATE_TUNNELLED", "VIR_MIGRATE_PARALLEL")
        if self.flags & constants.VIR_MIGRATE_OFFLINE:
            for conn, where in ((self.source._conn, "source"), (dconn, "destination")):
                if not await self._has(conn, FEATURE_OFFLINE):
                    raise unfit(f"offline migration is not supported by the {where} host")
        if self.function == "virDomainMigrate3":
            if self.flags & constants.VIR_MIGRATE_PEER2PEER:
                text = "use virDomainMigrateToURI3 for peer-to-peer migration"
                raise refusedFlags(text, self.function, "flags")
            if self.flags & constants.VIR_MIGRATE_TUNNELLED:
                text = "cannot perform tunnelled migration without using peer2peer flag"
                raise refusedFlags(text, self.function, "flags")
        name = self._get("destination_name") or self.source.name()
        if self.flags & constants.VIR_MIGRATE_PEER2PEER:
            if not await self._has(self.source._conn, FEATURE_P2P):
                raise unsupported(self.function)
            dconnuri, uri = await dconn.getURI(), self._get(URI)
            if self.function == "virDomainMigrate" and uri is not None:
                # There it is the destination's daemon that this names.
                dconnuri, uri = uri, None
                self.params = [each for each in self.params if each[0] != URI]
            await self.perform(dconnuri, uri)
            return await dconn.lookupByName(name)
        if self.flags & constants.VIR_MIGRATE_TUNNELLED:
            raise virtError(
                ErrorCode.OPERATION_INVALID,
                "cannot perform tunnelled migration without using peer2peer flag",
                ErrorDomain.DOMAIN,
            )
        # The older functions keep to the older calls, whatever else both sides know.
        newest = self.function == "virDomainMigrate3"
        if newest and await self._both(dconn, FEATURE_PARAMS):
            ref = await self._third(dconn, True)
        elif self.function == "virDomainMigrate3" and self._extended:
            raise unfit(_EXTENSIBLE)
        elif await self._both(dconn, FEATURE_V3):
            self._simple()
            ref = await self._third(dconn, False)
        elif await self._both(dconn, FEATURE_V2):
            self._simple()
            ref = await self._second(dconn)
        elif await self._both(dconn, FEATURE_V1):
            self._simple()
            ref = await self._first(dconn)
        else:
            raise unsupported(self.function)
        return Domain(dconn, ref)

    async def toURI(self, dconnuri: str | None) -> None:
        """Migrate peer to peer to the daemon C{dconnuri}, or directly to the hypervisor at the parameter C{uri}."""
        _exclude(self.flags, self.function, "VIR_MIGRATE_TUNNELLED", "VIR_MIGRATE_PARALLEL")
        checkFlags(self.flags, "virDomainMigrateUnmanagedCheckCompat")
        conn = self.source._conn
        if self.flags & constants.VIR_MIGRATE_OFFLINE and not await self._has(
            conn, FEATURE_OFFLINE
        ):
            raise unfit("offline migration is not supported by the source host")
        if self.flags & constants.VIR_MIGRATE_PEER2PEER:
            if not await self._has(conn, FEATURE_P2P):
                raise unfit("p2p migration is not supported by the source host")
            await self.perform(dconnuri, self._get(URI))
            return
        if not await self._has(conn, FEATURE_DIRECT):
            raise unfit("direct migration is not supported by the source host")
        # The first function has one address, which is the hypervisor's then; the others have a parameter for that.
        first = self.function == "virDomainMigrateToURI"
        await self.perform(None, dconnuri if first else self._get(URI))

    async def perform(self, dconnuri: str | None, uri: str | None) -> None:
        """Have the source do all of it."""
        source, remote = self.source, self._remote
        bandwidth, dname = self._get("bandwidth", 0), self._get("destination_name")
        xml = self._get("destination_xml")
        if self.flags & constants.VIR_MIGRATE_PEER2PEER and dconnuri is not None:
            checkElsewhere(dconnuri)
        peers = self.flags & constants.VIR_MIGRATE_PEER2PEER
        if peers and await self._has(source._conn, FEATURE_PARAMS):
            await remote.domainMigratePerform3Params(
                source._ref, dconnuri, self._unmanaged(), b"", self.flags
            )
            return
        if await self._has(source._conn, FEATURE_V3):
            self._fits(_SIMPLE, 3)
            await remote.domainMigratePerform3(
                source._ref, xml, b"", dconnuri, uri, self.flags, dname, bandwidth
            )
            return
        self._fits(_OLDEST, 2)
        if peers and uri is not None:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                "Unable to override peer2peer migration URI",
                ErrorDomain.DOMAIN,
            )
        where = dconnuri or uri
        if where is None:
            text = "Unable to encode message payload"
            raise RPCError(text, domain=ErrorDomain.RPC, str1="%s", str2=text)
        await remote.domainMigratePerform(source._ref, b"", where, self.flags, dname, bandwidth)

    def _fits(self, known: Collection[str], protocol: int) -> None:
        """Refuse parameters that the calls of a protocol cannot carry."""
        if any(each[0] not in known for each in self.params):
            raise unfit(f"Some parameters are not supported by migration protocol {protocol}")

    def _unmanaged(self) -> list[TypedParam]:
        """What the source is told when it does all of it: what was given, or in the order of the older functions."""
        if self.function == "virDomainMigrateToURI3":
            return self.params
        order = (URI, "destination_name", "destination_xml")
        given = {each[0]: each for each in self.params}
        bandwidth = given.get("bandwidth", TypedParam("bandwidth", ULLONG, 0))
        return [*(given[name] for name in order if name in given), bandwidth]

    # Version 3

    async def _third(self, dconn: Connect, extensible: bool) -> Any:
        source = self.source
        protected = await self._has(source._conn, FEATURE_CHANGE_PROTECTION)
        if protected:
            self.flags |= constants.VIR_MIGRATE_CHANGE_PROTECTION
        cookie, xml = await self._begin(extensible)
        uri = self._get(URI)
        try:
            cookie, chosen = await self._prepare(dconn, extensible, cookie, xml)
        except BaseException:
            if protected:
                await self._quietly(self._confirm(extensible, b"", True))
            raise
        if chosen:
            uri = chosen
        offline = self.flags & constants.VIR_MIGRATE_OFFLINE
        problem: BaseException | None = None
        sourceKnows = False
        if uri is not None:
            self._put(URI, uri)
        elif not offline:
            problem = virtError(
                ErrorCode.INTERNAL_ERROR,
                "domainMigratePrepare3 did not set uri",
                ErrorDomain.DOMAIN,
            )
        if offline:
            cookie = b""
        elif problem is None:
            try:
                cookie = await self._perform(extensible, cookie, uri)
            except BaseException as error:  # also when it is cancelled
                problem, cookie, sourceKnows = error, b"", True
        ref = None
        try:
            ref, cookie = await self._finish(dconn, extensible, cookie, uri, problem is not None)
        except VirtError as error:
            problem, cookie = problem or error, b""
        if not sourceKnows:
            await self._quietly(self._confirm(extensible, cookie, ref is None))
        if ref is None and problem is not None:
            raise problem
        return ref

    async def _quietly(self, phase: Any) -> None:
        """Clean up; what went wrong before matters more than whether this works."""
        try:
            await phase
        except VirtError:
            pass

    async def _begin(self, extensible: bool) -> tuple[bytes, str]:
        ref, remote = self.source._ref, self._remote
        if extensible:
            answer = await remote.domainMigrateBegin3Params(ref, self.params, self.flags)
        else:
            answer = await remote.domainMigrateBegin3(
                ref,
                self._get("destination_xml"),
                self.flags,
                self._get("destination_name"),
                self._get("bandwidth", 0),
            )
        return answer[0], answer[1]

    async def _prepare(
        self, dconn: Connect, extensible: bool, cookie: bytes, xml: str
    ) -> tuple[bytes, str | None]:
        remote: Any = dconn._remote
        if extensible:
            answer = await remote.domainMigratePrepare3Params(
                self._put("destination_xml", xml), cookie, self._destinationFlags
            )
        else:
            answer = await remote.domainMigratePrepare3(
                cookie,
                self._get(URI),
                self._destinationFlags,
                self._get("destination_name"),
                self._get("bandwidth", 0),
                xml,
            )
        return answer[0], answer[1]

    async def _perform(self, extensible: bool, cookie: bytes, uri: str | None) -> bytes:
        ref, remote = self.source._ref, self._remote
        if extensible:
            out: bytes = await remote.domainMigratePerform3Params(
                ref, None, self.params, cookie, self.flags
            )
        else:
            out = await remote.domainMigratePerform3(
                ref,
                None,
                cookie,
                None,
                uri,
                self.flags,
                self._get("destination_name"),
                self._get("bandwidth", 0),
            )
        return out

    async def _finish(
        self, dconn: Connect, extensible: bool, cookie: bytes, uri: str | None, cancelled: bool
    ) -> tuple[Any, bytes]:
        remote: Any = dconn._remote
        name = self._get("destination_name") or self.source.name()
        if extensible:
            answer = await remote.domainMigrateFinish3Params(
                self._put("destination_name", name), cookie, self._destinationFlags, cancelled
            )
        else:
            answer = await remote.domainMigrateFinish3(
                name, cookie, None, uri, self._destinationFlags, cancelled
            )
        return answer[0], answer[1]

    async def _confirm(self, extensible: bool, cookie: bytes, cancelled: bool) -> None:
        ref, remote = self.source._ref, self._remote
        if extensible:
            await remote.domainMigrateConfirm3Params(
                ref, self.params, cookie, self.flags, cancelled
            )
        else:
            await remote.domainMigrateConfirm3(ref, cookie, self.flags, cancelled)

    # Versions 2 and 1

    async def _second(self, dconn: Connect) -> Any:
        remote: Any = dconn._remote
        if self._get("destination_xml") is not None:
            raise unfit("Unable to change target guest XML during migration")
        flags = constants.VIR_DOMAIN_XML_SECURE | constants.VIR_DOMAIN_XML_UPDATE_CPU
        if await self._has(self.source._conn, FEATURE_XML_MIGRATABLE):
            flags = constants.VIR_DOMAIN_XML_SECURE | constants.VIR_DOMAIN_XML_MIGRATABLE
        xml = await self.source.XMLDesc(flags)
        dname, bandwidth = self._get("destination_name"), self._get("bandwidth", 0)
        cookie, chosen = await remote.domainMigratePrepare2(
            self._get(URI), self._destinationFlags, dname, bandwidth, xml
        )
        uri = chosen or self._get(URI)
        if uri is None:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                "domainMigratePrepare2 did not set uri",
                ErrorDomain.DOMAIN,
            )
        name = dname or self.source.name()
        problem: BaseException | None = None
        try:
            await self._remote.domainMigratePerform(
                self.source._ref, cookie, uri, self.flags, dname, bandwidth
            )
        except BaseException as error:
            problem = error
        try:
            ref = await remote.domainMigrateFinish2(
                name, cookie, uri, self._destinationFlags, int(problem is not None)
            )
        except VirtError as error:
            problem = problem or error
        if problem is not None:
            raise problem
        return ref

    async def _first(self, dconn: Connect) -> Any:
        remote: Any = dconn._remote
        if self._get("destination_xml") is not None:
            raise unfit("Unable to change target guest XML during migration")
        dname, bandwidth = self._get("destination_name"), self._get("bandwidth", 0)
        cookie, chosen = await remote.domainMigratePrepare(
            self._get(URI), self._destinationFlags, dname, bandwidth
        )
        uri = chosen or self._get(URI)
        if uri is None:
            raise virtError(
                ErrorCode.INTERNAL_ERROR,
                "domainMigratePrepare did not set uri",
                ErrorDomain.DOMAIN,
            )
        await self._remote.domainMigratePerform(
            self.source._ref, cookie, uri, self.flags, dname, bandwidth
        )
        return await remote.domainMigrateFinish(
            dname or self.source.name(), cookie, uri, self._destinationFlags
        )
