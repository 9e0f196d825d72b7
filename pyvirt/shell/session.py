"""
L{Session}: what lasts from command to command - the connection, the settings, the streams - and the loop that runs
commands and reports how they failed.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from pyvirt.errors import VirtError
from pyvirt.shell.arguments import Settings
from pyvirt.shell.command import CommandError
from pyvirt.shell.output import Output
from pyvirt.shell.parsing import Invocation, Syntax, parse, splitLine, splitWords
from pyvirt.shell.registry import commandClass, shape

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from pyvirt.client.connect import Connect

__all__ = ["Quit", "Session"]

#: Why a connection was lost, as virsh words it, by the reason of the close callback.
_LOST = {
    0: "Disconnected from {uri} due to I/O error",
    1: "Disconnected from {uri} due to end of file",
    2: "Disconnected from {uri} due to keepalive timeout",
    3: "Disconnected from {uri} due to client request",
}

#: Seconds between keepalive probes, and how many may stay unanswered, unless told otherwise.
KEEPALIVE_INTERVAL = 5
KEEPALIVE_COUNT = 6


class Quit(Exception):
    """The user has had enough."""


class Opener(Protocol):
    """Opens connections."""

    def __call__(self, uri: str | None, readOnly: bool) -> Awaitable[Connect]:
        """Open a URI, or the default one."""


class Session:
    """
    A shell at work.

    @ivar interactive: commands come from a prompt.
    @ivar clock: measures and schedules, for commands that wait.
    @ivar interrupted: is called once when the user presses Ctrl-C, if a command waits for that.
    @ivar abandoned: is called when the connection is lost, if a command waits for that.
    """

    def __init__(self, settings: Settings, streams: Output, opener: Opener) -> None:
        self.settings = settings
        self.streams = streams
        self.output = streams.write
        self.trace = streams.trace
        self.report = streams.report
        self.interactive = False
        self.interrupted: Callable[[], None] | None = None
        self.abandoned: Callable[[], None] | None = None
        self.uri = settings.uri
        self.readOnly = settings.readOnly
        self._opener = opener
        self._connection: Connect | None = None
        self._lost = False

    @property
    def clock(self) -> IReactorTime:
        """The reactor, as a clock."""
        from twisted.internet import reactor

        return cast("IReactorTime", reactor)

    @property
    def connected(self) -> Connect:
        """The connection that L{ensureConnected} made."""
        assert self._connection is not None
        return self._connection

    def remark(self, text: str) -> None:
        """Print unless C{--quiet} was given."""
        if not self.settings.quiet:
            self.output(text)

    def read(self, line: str) -> list[Invocation]:
        """
        Read a line of commands.

        @raise Syntax: it is wrong.
        """
        return parse(splitLine(line), shape, self._traceParsing)

    def readWords(self, words: Sequence[str]) -> list[Invocation]:
        """
        Read the command of the process's arguments; a single word is a line of its own.

        @raise Syntax: it is wrong.
        """
        if len(words) == 1:
            if not words[0]:
                raise Syntax
            self.trace(1, f'commands: "{words[0]}"\n')
            return self.read(words[0])
        return parse(splitWords(words), shape, self._traceParsing)

    def reportSyntax(self, error: Syntax) -> None:
        """Tell what is wrong with a line."""
        for message in error.messages:
            self.report(message)

    async def execute(self, invocations: Sequence[Invocation]) -> bool:
        """
        Run commands one after the other; one that fails does not stop the next.

        @return: whether the last one succeeded.
        @raise Quit: one of them was C{quit} or C{exit}.
        """
        succeeded = True
        for invocation in invocations:
            started = self.clock.seconds() if self.settings.timing else 0.0
            succeeded = await self._one(invocation)
            if self.settings.timing:
                spent = (self.clock.seconds() - started) * 1000
                self.output(f"\n(Time: {spent:.3f} ms)\n\n")
            else:
                self.remark("\n")
        return succeeded

    async def _one(self, invocation: Invocation) -> bool:
        command = commandClass(invocation.name)
        assert command is not None
        try:
            if command.needsConnection:
                await self.ensureConnected()
            await command(self, invocation.values).run()
            return True
        except CommandError as error:
            self.reportFailure(error)
        except VirtError as error:
            self.report(error.message or "unknown error")
        except Quit:
            raise
        except Exception as error:
            # A fault of ours ends the command, not the shell.
            self.report(f"internal error: {error or type(error).__name__}")
            self.trace(3, traceback.format_exc())
        return False

    def reportFailure(self, error: CommandError) -> None:
        """Report what a command says, then what the library said."""
        for message in error.messages:
            self.report(message)
        if isinstance(error.__cause__, VirtError):
            self.report(error.__cause__.message or "unknown error")

    async def ensureConnected(self) -> None:
        """
        Connect if there is no connection, or again if it was lost.

        @raise CommandError: it cannot be made.
        """
        if self._lost:
            known, self._connection = self._connection, None
            await self.connect(self.uri, self.readOnly, "Failed to reconnect to the hypervisor")
            if known is not None:
                self.report("Reconnected to the hypervisor")
        elif self._connection is None:
            await self.connect(self.uri, self.readOnly)

    async def connect(
        self,
        uri: str | None,
        readOnly: bool,
        failure: str = "failed to connect to the hypervisor",
    ) -> None:
        """
        Make a connection the current one, in place of the one before.

        @raise CommandError: it cannot be made; the one before stays.
        """
        connection = await self._open(uri, readOnly, failure)
        await self.disconnect()
        self._connection = connection
        self._lost = False

    async def disconnect(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close()
            except VirtError:
                # It is gone in any case.
                pass

    async def _open(self, uri: str | None, readOnly: bool, failure: str) -> Connect:
        try:
            connection = await self._opener(uri, readOnly)
        except VirtError as error:
            raise CommandError(failure) from error
        await self._watchPeer(connection, failure)
        try:
            await connection.registerCloseCallback(self._connectionLost, uri)
        except VirtError as error:
            self.trace(1, f"{error.message}\n")
        return connection

    async def _watchPeer(self, connection: Connect, failure: str) -> None:
        asked = self.settings.keepaliveInterval >= 0 or self.settings.keepaliveCount >= 0
        interval, count = self.settings.keepaliveInterval, self.settings.keepaliveCount
        if interval < 0:
            interval = KEEPALIVE_INTERVAL
        if count < 0:
            count = KEEPALIVE_COUNT
        if interval == 0:
            return
        try:
            await connection.setKeepAlive(interval, count)
        except VirtError as error:
            if asked:
                await connection.close()
                raise CommandError(
                    "Cannot setup keepalive on connection as requested, disconnecting", failure
                ) from error
            self.trace(1, "Failed to setup keepalive on connection\n")

    def _connectionLost(self, connection: Connect, reason: int, uri: str | None) -> None:
        if connection is not self._connection:
            return
        self._lost = True
        form = _LOST.get(reason, "Disconnected from {uri}")
        self.report(form.format(uri=uri))
        if self.abandoned is not None:
            self.abandoned()

    def _traceParsing(self, text: str) -> None:
        self.trace(1, text)
