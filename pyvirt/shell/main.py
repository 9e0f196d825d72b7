"""
The entry point of C{pyvirsh}: from the arguments of the process to its exit status.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any

from pyvirt.shell.arguments import Ending, Settings, readArguments
from pyvirt.shell.output import Output
from pyvirt.shell.parsing import Syntax

if TYPE_CHECKING:
    from pyvirt.client.connect import Connect
    from pyvirt.shell.parsing import Invocation
    from pyvirt.shell.session import Session

__all__ = ["main"]


def main() -> int:
    """Run, and give the exit status: 0, or 1 when a command failed or the command line is wrong."""
    try:
        status = _run(os.path.basename(sys.argv[0]), sys.argv[1:])
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader of our output left; what it did not want is not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def _run(program: str, words: list[str]) -> int:
    streams = Output(sys.stdout.buffer, sys.stderr.buffer)
    try:
        settings = readArguments(program, words, os.environ)
    except Syntax as error:
        for message in error.messages:
            streams.report(message)
        return 1
    except Ending as ending:
        from pyvirt.shell import help

        match ending.topic:
            case "usage":
                streams.write(help.usage(program))
            case "details":
                streams.write(help.versionDetails())
            case _:
                streams.write(help.LIBRARY_VERSION + "\n")
        streams.flush()
        return 0
    streams = Output(sys.stdout.buffer, sys.stderr.buffer, settings.debug, settings.logFile)
    for warning in settings.warnings:
        streams.report(warning)
    from pyvirt.shell.session import Session

    session = Session(settings, streams, _open)
    try:
        commands = session.readWords(settings.words) if settings.words else None
    except Syntax as error:
        session.reportSyntax(error)
        return 1
    status = _withReactor(session, settings, commands)
    streams.flush()
    return status


def _withReactor(session: Session, settings: Settings, commands: list[Invocation] | None) -> int:
    """
    Run commands, or the interactive shell, with a reactor where one is needed.

    Help texts and the like need none, and are done before its import would be.
    """
    from pyvirt.shell.registry import commandClass

    async def work() -> int:
        from pyvirt.shell.command import CommandError
        from pyvirt.shell.session import Quit

        if session.uri is not None:
            try:
                await session.ensureConnected()
            except CommandError as error:
                session.reportFailure(error)
                return 1
        try:
            if commands is None:
                from pyvirt.shell.interactive import interact

                await interact(session)
                return 0
            return 0 if await session.execute(commands) else 1
        except Quit:
            return 0
        finally:
            await session.disconnect()

    if commands is not None and session.uri is None and not settings.timing:
        classes = [commandClass(invocation.name) for invocation in commands]
        if not any(found and (found.needsConnection or found.needsReactor) for found in classes):
            return _synchronously(work())
    from pyvirt.shell.running import runInReactor

    return runInReactor(session, work())


def _synchronously(work: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        status: int = end.value
        return status
    raise AssertionError("a command without connection waits for something")


def _open(uri: str | None, readOnly: bool) -> Awaitable[Connect]:
    from pyvirt.shell.running import openConnection

    return openConnection(uri, readOnly)


if __name__ == "__main__":
    sys.exit(main())
