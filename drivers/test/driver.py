"""
Opening C{test} URIs: who shares which world, and for how long.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from twisted.logger import Logger
from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from pyvirt.constants import VIR_CONNECT_RO
from pyvirt.drivers.interfaces.driver import IConnection, IDriverFactory, OpenContext
from pyvirt.drivers.interfaces.migration import IDomainMigration
from pyvirt.drivers.interfaces.values import Answer
from pyvirt.drivers.test.refusals import internal, invalidArgument
from pyvirt.drivers.test.world import Random, World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.uri import URI

if TYPE_CHECKING:
    from pyvirt.drivers.test.scenario.making import ScenarioWorld
    from pyvirt.drivers.test.scenario.model import Scenario
    from pyvirt.drivers.test.scenario.parameters import Wanted
    from pyvirt.drivers.test.scenario.running import Running

__all__ = ["TestConnection", "TestDriver"]

log = Logger()

_MOST_KEPT = 64

_PATHS = ("", "/", "/system", "/session", "/default")
"""Paths of URIs of other drivers that it answers for."""


@implementer(IConnection)
class TestConnection:
    """
    A connection to a world.

    @ivar world: what it is connected to.
    """

    def __init__(
        self, uri: str, world: World, closed: Callable[[], None], context: OpenContext
    ) -> None:
        """
        @param closed: called when it is closed, once.
        @param context: how other daemons are reached from here, and for whom.
        """
        self.uri = uri
        self.world = world
        self._context = context
        self._closed: Callable[[], None] | None = closed

    def component(self, interface: InterfaceClass) -> object | None:
        """Return what provides a contract in this world."""
        found = self.world.component(interface)
        if interface is IDomainMigration:
            migration: Any = found
            found = migration.through(self._context)
        return found

    def isAlive(self) -> bool:
        """It depends on nothing that could go away."""
        return True

    def isSecure(self) -> bool:
        """Nothing leaves the process."""
        return True

    def isEncrypted(self) -> bool:
        """Nothing needs to be."""
        return False

    def close(self) -> None:
        """Leave the world."""
        closed, self._closed = self._closed, None
        if closed is not None:
            closed()


@implementer(IDriverFactory)
class TestDriver:
    """
    Opens worlds.

    The default one comes into being with the first connection to it and is gone with the last, and so are those of
    scenarios unless they say that they are kept.
    """

    name = "test"
    local = True

    def __init__(
        self,
        random: Random = os.urandom,
        *,
        scenario: Scenario | None = None,
        schemes: Sequence[str] = (),
        folder: str | None = None,
    ) -> None:
        """
        @param random: makes up UUIDs where no scenario has a seed.
        @param scenario: what C{test:///default} is, kept as long as the driver; None: libvirt's small host.
        @param schemes: other drivers' that it answers for, from L{DISGUISES<pyvirt.drivers.test.disguise>}.
        @param folder: scenario files in or below it may be named by anybody who may change something; None: by
            trusted callers only.
        """
        self._random = random
        self._scenario = scenario
        self._schemes = frozenset(schemes)
        self._folder = None if folder is None else os.path.realpath(folder)
        self._default: World | None = None
        self._users = 0
        self._worlds: dict[Any, ScenarioWorld] = {}

    def accepts(self, uri: URI | None) -> bool:
        """Accept URIs of the scheme that name no host and no transport."""
        return (
            uri is not None
            and (uri.scheme == "test" or uri.scheme in self._schemes)
            and not uri.isRemote
        )

    def open(self, uri: URI | None, context: OpenContext) -> Answer[IConnection]:
        """
        Enter the world that a URI names; at once unless somebody has to be asked who is there.

        @raise VirtError: it names none, or a file that does not describe one.
        """
        assert uri is not None
        unknown = context.flags & ~VIR_CONNECT_RO
        if unknown and not context.inDaemon:
            raise VirtError(
                f"unsupported flags (0x{unknown:x}) in function testConnectOpen",
                code=ErrorCode.INVALID_ARG,
                domain=ErrorDomain.TEST,
                str1="testConnectOpen",
                str2="flags",
                int1=0,
                int2=0,
            )
        if uri.scheme == "test" and uri.path in ("", "/"):
            raise invalidArgument("testOpen: supply a path or use test:///default")
        default = uri.path == "/default"
        if uri.scheme != "test":
            default = True
            if uri.path not in _PATHS:
                raise internal(
                    f"unexpected {uri.scheme} URI path '{uri.path}', try {uri.scheme}:///system"
                )
        given = str(uri)
        named = dict(uri.parameters)
        authFile = None
        if not context.inDaemon and uri.path.endswith(".xml"):
            authFile = named.pop("authfile", None)
        if named and not uri.path.endswith(".toml"):
            from pyvirt.drivers.test.scenario.parameters import isMeant

            if not isMeant(uri):
                log.warn(
                    "Ignoring parameters of a URI that are not known: {names}",
                    names=", ".join(repr(name[:40]) for name in list(named)[:8]),
                )
                named = {}
                uri = attrs.evolve(uri, parameters=())
        if (
            named
            or uri.scheme != "test"
            or uri.path.endswith(".toml")
            or (default and self._scenario is not None)
        ):
            return self._openScenario(uri, context, default)
        if default:
            return self._openDefault(given, context)
        from pyvirt.drivers.test.worldfile import worldFromFile

        world = World(context.clock, self._random)
        users = worldFromFile(world, uri.path)
        connection = TestConnection(given, world, world.end, context)
        return self._admit(connection, users, context, authFile) if users else connection

    async def _admit(
        self,
        connection: TestConnection,
        users: list[tuple[str, str | None]],
        context: OpenContext,
        authFile: str | None,
    ) -> IConnection:
        from pyvirt.credentials import readAuth
        from pyvirt.drivers.test.login import logIn

        # A daemon's own file of credentials is not for its clients.
        environment = {"LIBVIRT_AUTH_FILE": os.devnull} if context.inDaemon else os.environ
        asked = None if context.auth is None else readAuth(context.auth)
        await logIn(users, asked, authFile, environment)
        return connection

    def _openDefault(self, uri: str, context: OpenContext) -> TestConnection:
        if self._default is None:
            from pyvirt.drivers.test.defaults import furnish

            world = World(context.clock, self._random)
            furnish(world)
            self._default = world
        self._users += 1
        return TestConnection(uri, self._default, self._leave, context)

    def _leave(self) -> None:
        self._users -= 1
        if not self._users and self._default is not None:
            world, self._default = self._default, None
            world.end()

    # Scenarios

    def running(self, uri: str = "test:///default") -> Running:
        """
        Return the scenario in the world of a URI, to move its time and the like.

        @raise LookupError: nobody has opened it, or it is gone.
        """
        from pyvirt.drivers.test.scenario.parameters import wanted
        from pyvirt.uri import parseURI

        return self._worlds[self._key(wanted(parseURI(uri)))].running

    def _key(self, asked: Wanted) -> Any:
        uri = asked.uri
        return (uri.scheme, uri.path if uri.scheme != "test" else "", asked.key)

    def _openScenario(self, uri: URI, context: OpenContext, default: bool) -> Answer[IConnection]:
        from pyvirt.drivers.test.scenario.parameters import wanted

        asked = wanted(uri)
        if not default and asked.path is None:
            raise invalidArgument(
                f"scenario: {uri.parameters[0][0]}: a host that a file of XML describes has no parameters"
            )
        given = asked.path is None and not asked.parameters
        limited = context.inDaemon and context.readOnly
        if limited and asked.controls:
            raise _forbidden("a read-only connection cannot direct a scenario")
        key = self._key(asked)
        found = self._worlds.get(key)
        if found is None:
            if limited and not given:
                raise _forbidden("a read-only connection cannot begin a scenario")
            if asked.path is not None:
                self._checkPath(asked.path, context)
            found = self._begin(key, asked, context, given)
        connection = found.connect(str(asked.uri), context)
        try:
            if asked.controls and asked.control(found.running):
                found.kept = False
            if asked.reports:
                connection.report()
        except BaseException:
            connection.close()
            raise
        answer: Answer[IConnection] = connection.opened(context.inDaemon)
        return answer

    def _begin(self, key: Any, asked: Wanted, context: OpenContext, given: bool) -> ScenarioWorld:
        from pyvirt.drivers.test.scenario.making import ScenarioWorld
        from pyvirt.drivers.test.scenario.model import Scenario

        scenario = (
            (self._scenario or Scenario(callNames=context.callNames))
            if given
            else asked.read(context.callNames)
        )
        # The operator's hosts are there as long as the daemon, as a hypervisor's would be.
        operators = given and (self._scenario is not None or asked.uri.scheme != "test")
        kept = scenario.keep or operators
        if (
            kept
            and not operators
            and sum(each.kept for each in self._worlds.values()) >= _MOST_KEPT
        ):
            raise virtError(
                ErrorCode.RESOURCE_BUSY,
                f"scenario: keep: {_MOST_KEPT} worlds are kept already",
                ErrorDomain.TEST,
            )
        found = ScenarioWorld(
            scenario,
            context.clock,
            scheme=asked.uri.scheme,
            seeded=not given or self._scenario is not None,
            random=self._random,
            gone=lambda: self._worlds.pop(key, None),
        )
        found.kept = kept
        self._worlds[key] = found
        return found

    def _checkPath(self, path: str, context: OpenContext) -> None:
        """Refuse files that the caller could not have read itself."""
        if context.trusted:
            return
        if self._folder is not None:
            real = os.path.realpath(path)
            if os.path.commonpath([real, self._folder]) == self._folder:
                return
        raise _forbidden(
            f"'{path}' may be named by the daemon's own user only; others name files below the folder "
            "that the daemon was given with --scenarios"
        )


def _forbidden(why: str) -> Exception:
    return virtError(ErrorCode.OPERATION_DENIED, why, ErrorDomain.TEST)
