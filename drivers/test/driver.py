"""
Opening C{test} URIs: who shares which world, and for how long.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from pyvirt.drivers.interfaces.driver import IConnection, IDriverFactory, OpenContext
from pyvirt.drivers.interfaces.values import Answer
from pyvirt.drivers.test.refusals import invalidArgument
from pyvirt.drivers.test.world import Random, World
from pyvirt.errors import ErrorDomain
from pyvirt.uri import URI

__all__ = ["TestConnection", "TestDriver"]


@implementer(IConnection)
class TestConnection:
    """
    A connection to a world.

    @ivar world: what it is connected to.
    """

    def __init__(self, uri: str, world: World, closed: Callable[[], None]) -> None:
        """
        @param closed: called when it is closed, once.
        """
        self.uri = uri
        self.world = world
        self._closed: Callable[[], None] | None = closed

    def component(self, interface: InterfaceClass) -> object | None:
        """Return what provides a contract in this world."""
        return self.world.component(interface)

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

    The default one comes into being with the first connection to it and is gone with the last.
    """

    name = "test"
    local = True

    def __init__(self, random: Random = os.urandom) -> None:
        self._random = random
        self._default: World | None = None
        self._users = 0

    def accepts(self, uri: URI | None) -> bool:
        """Accept URIs of the scheme that name no host and no transport."""
        return uri is not None and uri.scheme == "test" and not uri.isRemote

    def open(self, uri: URI | None, context: OpenContext) -> Answer[IConnection]:
        """
        Enter the world that a URI names; at once unless somebody has to be asked who is there.

        @raise VirtError: it names none, or a file that does not describe one.
        """
        assert uri is not None
        if uri.path in ("", "/"):
            raise invalidArgument("testOpen: supply a path or use test:///default")
        if uri.path == "/default":
            return self._openDefault(str(uri), context)
        from pyvirt.drivers.test.worldfile import worldFromFile

        world = World(context.clock, self._random)
        users = worldFromFile(world, uri.path)
        connection = TestConnection(str(uri), world, lambda: None)
        return self._admit(connection, users, context) if users else connection

    async def _admit(
        self, connection: TestConnection, users: list[tuple[str, str | None]], context: OpenContext
    ) -> IConnection:
        from pyvirt.drivers.test.login import logIn

        if context.auth is None:
            raise invalidArgument("Missing authentication credentials", ErrorDomain.AUTH)
        await logIn(users, context.auth)
        return connection

    def _openDefault(self, uri: str, context: OpenContext) -> TestConnection:
        if self._default is None:
            from pyvirt.drivers.test.defaults import furnish

            world = World(context.clock, self._random)
            furnish(world)
            self._default = world
        self._users += 1
        return TestConnection(uri, self._default, self._leave)

    def _leave(self) -> None:
        self._users -= 1
        if not self._users:
            self._default = None
